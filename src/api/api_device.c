/* SPDX-License-Identifier: Apache-2.0 */
/* The exported device functions: arguments are checked here, the rest is done by the device layer. */
#include "api.h"
#include "blockdev.h"
#include "bytes.h"
#include "import.h"
#include "stock.h"

enum { BATCH_PART = 64 };

int selsnap_device_open(const selsnap_device_ops *ops, const selsnap_device_info *info, void *user,
                        selsnap_device **ret_device) {
    if (ops == NULL || info == NULL || ret_device == NULL) {
        return SELSNAP_EINVAL;
    }
    return ssn_device_open(ops, info, user, ret_device);
}

int selsnap_device_open_file(const char *path, uint32_t flags, uint64_t create_size, selsnap_device **ret_device,
                             int *ret_errno) {
    if (path == NULL || ret_device == NULL) {
        return SELSNAP_EINVAL;
    }
    return ssn_file_device_open(path, flags, create_size, ret_device, ret_errno);
}

int selsnap_device_open_memory(uint64_t size_bytes, uint32_t logical_block_bytes, selsnap_device **ret_device) {
    if (ret_device == NULL) {
        return SELSNAP_EINVAL;
    }
    return ssn_memory_device_open(size_bytes, logical_block_bytes, ret_device);
}

int selsnap_device_open_slice(selsnap_device *parent, uint64_t offset, uint64_t len, selsnap_device **ret_device) {
    if (parent == NULL || ret_device == NULL) {
        return SELSNAP_EINVAL;
    }
    return ssn_slice_device_open(parent, offset, len, ret_device);
}

int selsnap_device_open_counting(selsnap_device *parent, selsnap_device **ret_device) {
    if (parent == NULL || ret_device == NULL) {
        return SELSNAP_EINVAL;
    }
    return ssn_counting_device_open(parent, ret_device);
}

int selsnap_device_get_counts(selsnap_device *device, selsnap_device_counts *ret_counts, int reset) {
    if (device == NULL || ret_counts == NULL) {
        return SELSNAP_EINVAL;
    }
    return ssn_counting_device_get(device, ret_counts, reset);
}

int selsnap_device_get_info(selsnap_device *device, selsnap_device_info *ret_info) {
    if (device == NULL || ret_info == NULL) {
        return SELSNAP_EINVAL;
    }
    selsnap_device_info info = device->info;
    info.size_bytes = ssn_device_size(device);
    return ssn_export(ret_info, &info, sizeof info) ? SELSNAP_OK : SELSNAP_EINVAL;
}

int selsnap_device_read(selsnap_device *device, void *buf, size_t len, uint64_t offset) {
    if (device == NULL || (buf == NULL && len > 0)) {
        return SELSNAP_EINVAL;
    }
    return ssn_device_read(device, buf, len, offset);
}

int selsnap_device_write(selsnap_device *device, const void *buf, size_t len, uint64_t offset) {
    if (device == NULL || (buf == NULL && len > 0)) {
        return SELSNAP_EINVAL;
    }
    return ssn_device_write(device, buf, len, offset);
}

static int import_io(selsnap_io *ours, const selsnap_io *theirs) {
    if (!ssn_import(ours, sizeof *ours, theirs) || ours->len != 0 || ours->flags != 0 || ours->reserved != 0) {
        return SELSNAP_EINVAL;
    }
    if (ours->kind != SELSNAP_IO_READ && ours->kind != SELSNAP_IO_WRITE) {
        return SELSNAP_EINVAL;
    }
    return ssn_api_iov_allowed(ours->iov, ours->iov_count) ? SELSNAP_OK : SELSNAP_EINVAL;
}

/* At most BATCH_PART requests; the first failure among them. */
static int batch_part(selsnap_device *device, selsnap_io *const *ios, uint32_t count) {
    selsnap_io ours[BATCH_PART];
    selsnap_io *allowed[BATCH_PART] = {NULL};
    uint32_t allowed_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        int code = import_io(&ours[i], ios[i]);
        ours[i].result = code;
        if (code == SELSNAP_OK) {
            allowed[allowed_count++] = &ours[i];
        }
    }
    int first = SELSNAP_OK;
    (void)ssn_device_batch(device, allowed, allowed_count); /* each result is looked at below */
    for (uint32_t i = 0; i < count; i++) {
        ios[i]->result = ours[i].result;
        first = first == SELSNAP_OK ? ours[i].result : first;
    }
    return first;
}

int selsnap_device_batch(selsnap_device *device, selsnap_io *const *ios, uint32_t count) {
    if (device == NULL || !ssn_api_ios_answerable(ios, count)) {
        return SELSNAP_EINVAL;
    }
    int first = SELSNAP_OK;
    uint32_t part = 0;
    for (uint32_t i = 0; i < count; i += part) {
        part = (uint32_t)ssn_min_u64(BATCH_PART, count - i);
        int code = batch_part(device, ios + i, part);
        first = first == SELSNAP_OK ? code : first;
    }
    return first;
}

int selsnap_device_flush(selsnap_device *device) {
    return device == NULL ? SELSNAP_EINVAL : ssn_device_flush(device);
}

void selsnap_device_close(selsnap_device *device) {
    ssn_device_close(device);
}
