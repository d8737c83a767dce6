/* SPDX-License-Identifier: Apache-2.0 */
/* See blockdev.h. Opening, the checks before every callback, and the mapping of what callbacks return. */
#include "blockdev.h"

#include "bytes.h"
#include "import.h"
#include "stock.h"

#include <stdlib.h>
#include <string.h>

enum { LOGICAL_BLOCK_MAX = 65536, ATOMIC_WRITE_DEFAULT = 512, ZERO_PIECE = 4096, ZERO_PIECES = 64 };

static bool info_allowed(const selsnap_device_info *info) {
    const uint32_t known_flags = SELSNAP_DEVICE_VOLATILE_CACHE | SELSNAP_DEVICE_READ_ONLY;
    if ((info->flags & ~known_flags) != 0 || info->reserved != 0) {
        return false;
    }
    if (!ssn_is_power_of_2(info->logical_block_bytes) || info->logical_block_bytes > LOGICAL_BLOCK_MAX) {
        return false;
    }
    return ssn_is_power_of_2(info->atomic_write_bytes) && info->size_bytes % info->logical_block_bytes == 0;
}

static bool ops_allowed(const selsnap_device_ops *ops, const selsnap_device_info *info) {
    if (ops->reserved != 0 || ops->readv == NULL) {
        return false;
    }
    if ((info->flags & SELSNAP_DEVICE_READ_ONLY) == 0 && (ops->writev == NULL || ops->flush == NULL)) {
        return false;
    }
    return ops->lock == NULL || ops->unlock != NULL;
}

int ssn_device_open(const selsnap_device_ops *ops, const selsnap_device_info *info, void *user,
                    selsnap_device **ret_device) {
    selsnap_device *device = calloc(1, sizeof *device);
    if (device == NULL) {
        return SELSNAP_ENOMEM;
    }
    int code = SELSNAP_EINVAL;
    if (!ssn_import(&device->ops, sizeof device->ops, ops) || !ssn_import(&device->info, sizeof device->info, info)) {
        goto out;
    }
    device->info.struct_size = (uint32_t)sizeof device->info;
    if (device->info.logical_block_bytes == 0) {
        device->info.logical_block_bytes = 1;
    }
    if (device->info.atomic_write_bytes == 0) {
        device->info.atomic_write_bytes = ATOMIC_WRITE_DEFAULT;
    }
    if (!info_allowed(&device->info) || !ops_allowed(&device->ops, &device->info)) {
        goto out;
    }
    if (pthread_mutex_init(&device->claims_lock, NULL) != 0) {
        code = SELSNAP_ENOMEM;
        goto out;
    }
    device->user = user;
    atomic_init(&device->size_bytes, device->info.size_bytes);
    *ret_device = device;
    device = NULL;
    code = SELSNAP_OK;
out:
    free(device);
    return code;
}

void ssn_device_close(selsnap_device *device) {
    if (device == NULL) {
        return;
    }
    while (device->claim_count > 0) {
        ssn_device_unlock(device);
    }
    if (device->ops.close != NULL) {
        device->ops.close(device->user);
    }
    pthread_mutex_destroy(&device->claims_lock);
    free(device);
}

/* The one place where a callback's result becomes ours. */
static int map_result(selsnap_device *device, int result) {
    if (result == 0) {
        return SELSNAP_OK;
    }
    atomic_store_explicit(&device->last_error, result, memory_order_relaxed);
    return SELSNAP_EIO;
}

int ssn_device_check(const selsnap_device *device, uint64_t offset, uint64_t len, bool write) {
    if (!ssn_range_inside(offset, len, ssn_device_size(device))) {
        return SELSNAP_ERANGE;
    }
    if (((offset | len) & (device->info.logical_block_bytes - 1)) != 0) {
        return SELSNAP_EALIGN;
    }
    if (write && (device->info.flags & SELSNAP_DEVICE_READ_ONLY) != 0) {
        return SELSNAP_EREADONLY;
    }
    return SELSNAP_OK;
}

bool ssn_iov_bytes(const selsnap_iovec *iov, uint32_t iov_count, uint64_t *ret_len) {
    uint64_t len = 0;
    for (uint32_t i = 0; i < iov_count; i++) {
        if (!ssn_add_u64(len, iov[i].len, &len)) {
            return false;
        }
    }
    *ret_len = len;
    return true;
}

static int check_iov(const selsnap_device *device, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset,
                     bool write, uint64_t *ret_len) {
    if (!ssn_iov_bytes(iov, iov_count, ret_len)) {
        return SELSNAP_ERANGE;
    }
    return ssn_device_check(device, offset, *ret_len, write);
}

int ssn_device_readv(selsnap_device *device, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    uint64_t len = 0;
    int code = check_iov(device, iov, iov_count, offset, false, &len);
    if (code != SELSNAP_OK || len == 0) {
        return code;
    }
    return map_result(device, device->ops.readv(device->user, iov, iov_count, offset));
}

int ssn_device_writev(selsnap_device *device, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    uint64_t len = 0;
    int code = check_iov(device, iov, iov_count, offset, true, &len);
    if (code != SELSNAP_OK || len == 0) {
        return code;
    }
    return map_result(device, device->ops.writev(device->user, iov, iov_count, offset));
}

int ssn_device_read(selsnap_device *device, void *buf, size_t len, uint64_t offset) {
    selsnap_iovec iov = {buf, len};
    return ssn_device_readv(device, &iov, 1, offset);
}

int ssn_device_write(selsnap_device *device, const void *buf, size_t len, uint64_t offset) {
    /* The pieces of a write are not changed; one type serves both directions. */
    selsnap_iovec iov = {(void *)(uintptr_t)buf, len};
    return ssn_device_writev(device, &iov, 1, offset);
}

/* Has the device do requests that were checked; their results are the callback's, then ours. */
static void do_batch(selsnap_device *device, selsnap_io *const *ios, uint32_t count) {
    if (count > 0 && device->ops.batch != NULL) {
        device->ops.batch(device->user, ios, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        selsnap_io *io = ios[i];
        if (device->ops.batch == NULL) {
            io->result = io->kind == SELSNAP_IO_READ
                             ? device->ops.readv(device->user, io->iov, io->iov_count, io->offset)
                             : device->ops.writev(device->user, io->iov, io->iov_count, io->offset);
        }
        io->result = map_result(device, io->result);
    }
}

int ssn_device_batch(selsnap_device *device, selsnap_io *const *ios, uint32_t count) {
    enum { AT_ONCE = 64 };
    selsnap_io *checked[AT_ONCE];
    uint32_t ready = 0;
    int first = SELSNAP_OK;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t len = 0;
        ios[i]->result =
            check_iov(device, ios[i]->iov, ios[i]->iov_count, ios[i]->offset, ios[i]->kind != SELSNAP_IO_READ, &len);
        if (ios[i]->result == SELSNAP_OK && len > 0) {
            checked[ready++] = ios[i];
        }
        if (ready == AT_ONCE || i + 1 == count) {
            do_batch(device, checked, ready);
            ready = 0;
        }
    }
    for (uint32_t i = 0; first == SELSNAP_OK && i < count; i++) {
        first = ios[i]->result;
    }
    return first;
}

int ssn_device_flush(selsnap_device *device) {
    if (device->ops.flush == NULL || (device->info.flags & SELSNAP_DEVICE_READ_ONLY) != 0) {
        return SELSNAP_OK;
    }
    return map_result(device, device->ops.flush(device->user));
}

int ssn_device_discard(selsnap_device *device, uint64_t offset, uint64_t len) {
    int code = ssn_device_check(device, offset, len, true);
    if (code != SELSNAP_OK) {
        return code;
    }
    if (device->ops.discard == NULL) {
        return SELSNAP_ENOTSUP;
    }
    return len == 0 ? SELSNAP_OK : map_result(device, device->ops.discard(device->user, offset, len));
}

int ssn_zeroes_by_writev(int (*writev)(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset),
                         void *user, uint64_t offset, uint64_t len) {
    /* One page, named many times over. Aligned, so that unbuffered files take it as it is. */
    static const _Alignas(ZERO_PIECE) uint8_t zeros[ZERO_PIECE] = {0};
    while (len > 0) {
        selsnap_iovec iov[ZERO_PIECES];
        uint32_t count = 0;
        uint64_t done = 0;
        while (done < len && count < ZERO_PIECES) {
            uint64_t piece = ssn_min_u64(ZERO_PIECE, len - done);
            iov[count].base = (void *)(uintptr_t)zeros;
            iov[count].len = (size_t)piece;
            done += piece;
            count++;
        }
        int result = writev(user, iov, count, offset);
        if (result != 0) {
            return result;
        }
        offset += done;
        len -= done;
    }
    return 0;
}

int ssn_device_write_zeroes(selsnap_device *device, uint64_t offset, uint64_t len) {
    int code = ssn_device_check(device, offset, len, true);
    if (code != SELSNAP_OK || len == 0) {
        return code;
    }
    if (device->ops.write_zeroes != NULL) {
        return map_result(device, device->ops.write_zeroes(device->user, offset, len));
    }
    return map_result(device, ssn_zeroes_by_writev(device->ops.writev, device->user, offset, len));
}

bool ssn_device_identity(selsnap_device *device, uint8_t *ret_identity) {
    uint8_t identity[SELSNAP_IDENTITY_SIZE] = {0};
    if (device->ops.identity == NULL || map_result(device, device->ops.identity(device->user, identity)) != 0) {
        return false;
    }
    memcpy(ret_identity, identity, sizeof identity);
    return true;
}

bool ssn_device_change_mark(selsnap_device *device, uint64_t *ret_mark) {
    uint64_t mark = 0;
    if (device->ops.change_mark == NULL || map_result(device, device->ops.change_mark(device->user, &mark)) != 0) {
        return false;
    }
    *ret_mark = mark;
    return true;
}

int ssn_device_resize(selsnap_device *device, uint64_t wanted) {
    uint64_t size = 0;
    uint64_t known = ssn_device_size(device);
    if (device->ops.resize == NULL || (wanted != 0 && wanted <= known)) {
        return SELSNAP_OK;
    }
    int code = map_result(device, device->ops.resize(device->user, wanted, &size));
    size -= size % device->info.logical_block_bytes;
    /* One that has become shorter fails where it is used. */
    if (code == SELSNAP_OK && size > known) {
        atomic_store(&device->size_bytes, size);
    }
    return code;
}
