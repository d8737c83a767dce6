/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device that passes everything on to another and counts what passes, whether it succeeds or not. The parent's
 * callbacks are called directly: what was checked against the wrapper needs no second check.
 */
#include "blockdev.h"
#include "bytes.h"
#include "import.h"
#include "stock.h"

#include <stdlib.h>

struct counting {
    selsnap_device *parent;
    _Atomic uint64_t reads;
    _Atomic uint64_t read_bytes;
    _Atomic uint64_t writes;
    _Atomic uint64_t write_bytes;
    _Atomic uint64_t flushes;
    _Atomic uint64_t discards;
    _Atomic uint64_t discard_bytes;
    _Atomic uint64_t zeroes;
    _Atomic uint64_t zero_bytes;
};

static void count(_Atomic uint64_t *counter, uint64_t by) {
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static void count_transfer(struct counting *counting, bool write, const selsnap_iovec *iov, uint32_t iov_count) {
    uint64_t len = 0;
    (void)ssn_iov_bytes(iov, iov_count, &len);
    count(write ? &counting->writes : &counting->reads, 1);
    count(write ? &counting->write_bytes : &counting->read_bytes, len);
}

static int counting_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct counting *counting = user;
    count_transfer(counting, false, iov, iov_count);
    return counting->parent->ops.readv(counting->parent->user, iov, iov_count, offset);
}

static int counting_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct counting *counting = user;
    count_transfer(counting, true, iov, iov_count);
    return counting->parent->ops.writev(counting->parent->user, iov, iov_count, offset);
}

static void counting_batch(void *user, selsnap_io *const *ios, uint32_t io_count) {
    struct counting *counting = user;
    for (uint32_t i = 0; i < io_count; i++) {
        count_transfer(counting, ios[i]->kind != SELSNAP_IO_READ, ios[i]->iov, ios[i]->iov_count);
    }
    counting->parent->ops.batch(counting->parent->user, ios, io_count);
}

static int counting_flush(void *user) {
    struct counting *counting = user;
    count(&counting->flushes, 1);
    return counting->parent->ops.flush(counting->parent->user);
}

static int counting_discard(void *user, uint64_t offset, uint64_t len) {
    struct counting *counting = user;
    count(&counting->discards, 1);
    count(&counting->discard_bytes, len);
    return counting->parent->ops.discard(counting->parent->user, offset, len);
}

static int counting_write_zeroes(void *user, uint64_t offset, uint64_t len) {
    struct counting *counting = user;
    count(&counting->zeroes, 1);
    count(&counting->zero_bytes, len);
    return counting->parent->ops.write_zeroes(counting->parent->user, offset, len);
}

static int counting_identity(void *user, uint8_t *ret_identity) {
    const struct counting *counting = user;
    return counting->parent->ops.identity(counting->parent->user, ret_identity);
}

static int counting_change_mark(void *user, uint64_t *ret_mark) {
    const struct counting *counting = user;
    return counting->parent->ops.change_mark(counting->parent->user, ret_mark);
}

static int counting_resize(void *user, uint64_t size_bytes, uint64_t *ret_size_bytes) {
    const struct counting *counting = user;
    selsnap_device *parent = counting->parent;
    if (ssn_device_resize(parent, size_bytes) != SELSNAP_OK) {
        return atomic_load(&parent->last_error);
    }
    *ret_size_bytes = ssn_device_size(parent);
    return 0;
}

static void counting_close(void *user) {
    free(user);
}

selsnap_device *ssn_counting_device_parent(const selsnap_device *device) {
    if (device->ops.readv != counting_readv) {
        return NULL;
    }
    const struct counting *counting = device->user;
    return counting->parent;
}

static uint64_t take(_Atomic uint64_t *counter, int reset) {
    return reset != 0 ? atomic_exchange_explicit(counter, 0, memory_order_relaxed)
                      : atomic_load_explicit(counter, memory_order_relaxed);
}

int ssn_counting_device_get(selsnap_device *device, selsnap_device_counts *ret_counts, int reset) {
    selsnap_device_counts counts = {0};
    /* Zeros go out first: a refused struct must not reset the counts. */
    if (ssn_counting_device_parent(device) == NULL || !ssn_export(ret_counts, &counts, sizeof counts)) {
        return SELSNAP_EINVAL;
    }
    struct counting *counting = device->user;
    counts.reads = take(&counting->reads, reset);
    counts.read_bytes = take(&counting->read_bytes, reset);
    counts.writes = take(&counting->writes, reset);
    counts.write_bytes = take(&counting->write_bytes, reset);
    counts.flushes = take(&counting->flushes, reset);
    counts.discards = take(&counting->discards, reset);
    counts.discard_bytes = take(&counting->discard_bytes, reset);
    counts.zeroes = take(&counting->zeroes, reset);
    counts.zero_bytes = take(&counting->zero_bytes, reset);
    return ssn_export(ret_counts, &counts, sizeof counts) ? SELSNAP_OK : SELSNAP_EINVAL;
}

int ssn_counting_device_open(selsnap_device *parent, selsnap_device **ret_device) {
    struct counting *counting = calloc(1, sizeof *counting);
    if (counting == NULL) {
        return SELSNAP_ENOMEM;
    }
    counting->parent = parent;
    const selsnap_device_ops *under = &parent->ops;
    /*
     * What the parent has not, the wrapper has not: zeros that are written as data are counted as the writes they are.
     * Locks are claims on the bottom, see blockdev.h.
     */
    const selsnap_device_ops ops = {
        .struct_size = sizeof ops,
        .readv = counting_readv,
        .writev = under->writev != NULL ? counting_writev : NULL,
        .flush = under->flush != NULL ? counting_flush : NULL,
        .discard = under->discard != NULL ? counting_discard : NULL,
        .write_zeroes = under->write_zeroes != NULL ? counting_write_zeroes : NULL,
        .identity = under->identity != NULL ? counting_identity : NULL,
        .change_mark = under->change_mark != NULL ? counting_change_mark : NULL,
        .close = counting_close,
        .batch = under->batch != NULL ? counting_batch : NULL,
        .resize = under->resize != NULL ? counting_resize : NULL,
    };
    selsnap_device_info info = parent->info;
    info.size_bytes = ssn_device_size(parent);
    int code = ssn_device_open(&ops, &info, counting, ret_device);
    if (code != SELSNAP_OK) {
        free(counting);
    }
    return code;
}
