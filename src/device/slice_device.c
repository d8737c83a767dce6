/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A part of another device. The part lies inside the parent and on its logical blocks, so what was checked against the
 * slice needs no second check: the parent's callbacks are called directly, and their own results come through.
 */
#include "blockdev.h"
#include "bytes.h"
#include "checksum.h"
#include "stock.h"

#include <stdlib.h>
#include <string.h>

struct slice {
    selsnap_device *parent;
    uint64_t offset;
    uint64_t len;
};

static int slice_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    const struct slice *slice = user;
    return slice->parent->ops.readv(slice->parent->user, iov, iov_count, slice->offset + offset);
}

static int slice_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    const struct slice *slice = user;
    return slice->parent->ops.writev(slice->parent->user, iov, iov_count, slice->offset + offset);
}

/* The requests are the caller's: each has its offset back before it is seen again. */
static void slice_batch(void *user, selsnap_io *const *ios, uint32_t count) {
    const struct slice *slice = user;
    for (uint32_t i = 0; i < count; i++) {
        ios[i]->offset += slice->offset;
    }
    slice->parent->ops.batch(slice->parent->user, ios, count);
    for (uint32_t i = 0; i < count; i++) {
        ios[i]->offset -= slice->offset;
    }
}

static int slice_flush(void *user) {
    const struct slice *slice = user;
    return slice->parent->ops.flush(slice->parent->user);
}

static int slice_discard(void *user, uint64_t offset, uint64_t len) {
    const struct slice *slice = user;
    return slice->parent->ops.discard(slice->parent->user, slice->offset + offset, len);
}

static int slice_write_zeroes(void *user, uint64_t offset, uint64_t len) {
    const struct slice *slice = user;
    return slice->parent->ops.write_zeroes(slice->parent->user, slice->offset + offset, len);
}

static int slice_identity(void *user, uint8_t *ret_identity) {
    const struct slice *slice = user;
    uint8_t mixed[SELSNAP_IDENTITY_SIZE + 17];
    int result = slice->parent->ops.identity(slice->parent->user, mixed);
    if (result != 0) {
        return result;
    }
    ssn_put64(mixed + SELSNAP_IDENTITY_SIZE, slice->offset);
    ssn_put64(mixed + SELSNAP_IDENTITY_SIZE + 8, slice->len);
    /* One checksum is shorter than an identity: take several, of texts that differ in their last byte. */
    for (uint8_t i = 0; i < SELSNAP_IDENTITY_SIZE / 8; i++) {
        mixed[sizeof mixed - 1] = i;
        ssn_put64(ret_identity + (size_t)8 * i, ssn_checksum(mixed, sizeof mixed));
    }
    return 0;
}

static int slice_change_mark(void *user, uint64_t *ret_mark) {
    const struct slice *slice = user;
    return slice->parent->ops.change_mark(slice->parent->user, ret_mark);
}

static void slice_close(void *user) {
    free(user);
}

selsnap_device *ssn_slice_device_parent(const selsnap_device *device, uint64_t *ret_offset) {
    if (device->ops.readv != slice_readv) {
        return NULL;
    }
    const struct slice *slice = device->user;
    *ret_offset = slice->offset;
    return slice->parent;
}

int ssn_slice_device_open(selsnap_device *parent, uint64_t offset, uint64_t len, selsnap_device **ret_device) {
    if (len == 0) {
        return SELSNAP_EINVAL;
    }
    int code = ssn_device_check(parent, offset, len, false);
    if (code != SELSNAP_OK) {
        return code;
    }
    struct slice *slice = malloc(sizeof *slice);
    if (slice == NULL) {
        return SELSNAP_ENOMEM;
    }
    *slice = (struct slice){parent, offset, len};
    const selsnap_device_ops *under = &parent->ops;
    /* What the parent has not, the slice has not. Locks are claims on the bottom, see blockdev.h. */
    const selsnap_device_ops ops = {
        .struct_size = sizeof ops,
        .readv = slice_readv,
        .writev = under->writev != NULL ? slice_writev : NULL,
        .flush = under->flush != NULL ? slice_flush : NULL,
        .discard = under->discard != NULL ? slice_discard : NULL,
        .write_zeroes = under->write_zeroes != NULL ? slice_write_zeroes : NULL,
        .identity = under->identity != NULL ? slice_identity : NULL,
        .change_mark = under->change_mark != NULL ? slice_change_mark : NULL,
        .close = slice_close,
        .batch = under->batch != NULL ? slice_batch : NULL,
    };
    selsnap_device_info info = parent->info;
    info.size_bytes = len;
    /* The parent's units of atomic writing are those of the slice only where they begin together. */
    uint32_t atomic = info.atomic_write_bytes;
    while (offset % atomic != 0) {
        atomic /= 2;
    }
    info.atomic_write_bytes = atomic;
    code = ssn_device_open(&ops, &info, slice, ret_device);
    if (code != SELSNAP_OK) {
        free(slice);
    }
    return code;
}
