/* SPDX-License-Identifier: Apache-2.0 */
/* The exported device functions: arguments are checked here, the rest is done by the device layer. */
#include "blockdev.h"
#include "import.h"
#include "stock.h"

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
    return ssn_export(ret_info, &device->info, sizeof device->info) ? SELSNAP_OK : SELSNAP_EINVAL;
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

int selsnap_device_flush(selsnap_device *device) {
    return device == NULL ? SELSNAP_EINVAL : ssn_device_flush(device);
}

void selsnap_device_close(selsnap_device *device) {
    ssn_device_close(device);
}
