/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inner face of devices: the one place where range and alignment are checked and callbacks' results are mapped.
 * A failed callback gives SELSNAP_EIO; its own result is kept per device (last_error) for the detail.
 *
 * Locks are claims on a range of the device at the bottom: a slice claims its part, everything else the whole. The
 * bottom's lock callback is called for the first claim, its unlock after the last, so that two slices of one device
 * can be origin and store of one context. `claims_lock` of the bottom guards the claims, and calls the two callbacks
 * one at a time.
 */
#ifndef SSN_BLOCKDEV_H
#define SSN_BLOCKDEV_H

#include <pthread.h>
#include <selsnap/device.h>
#include <stdatomic.h>
#include <stdbool.h>

struct selsnap_device {
    selsnap_device_ops ops;      /* what is missing is NULL */
    selsnap_device_info info;    /* its size is that at the open */
    _Atomic uint64_t size_bytes; /* only rises */
    void *user;
    _Atomic int last_error; /* the last callback's failure, as it gave it */

    pthread_mutex_t claims_lock;
    struct selsnap_device *claims; /* claims_lock: of devices that stand on this one, through claim_next */
    bool claims_exclusive;         /* claims_lock: how the lock callback was called for them */

    struct selsnap_device *claim_next; /* the bottom's claims_lock, as the two below */
    uint32_t claim_count;              /* how often this device is locked */
    bool claim_exclusive;
};

/* As selsnap_device_open(). The stock devices are made with it too; see stock.h. */
int ssn_device_open(const selsnap_device_ops *ops, const selsnap_device_info *info, void *user,
                    selsnap_device **ret_device);
void ssn_device_close(selsnap_device *device);

int ssn_device_read(selsnap_device *device, void *buf, size_t len, uint64_t offset);
int ssn_device_write(selsnap_device *device, const void *buf, size_t len, uint64_t offset);
int ssn_device_readv(selsnap_device *device, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset);
int ssn_device_writev(selsnap_device *device, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset);
/*
 * Reads and writes, all at once where the device can. Each result becomes one of ours, as that of ssn_device_readv(), and
 * one that is refused or fails does not keep the others from being done. The first failure among them.
 */
int ssn_device_batch(selsnap_device *device, selsnap_io *const *ios, uint32_t count);
int ssn_device_flush(selsnap_device *device);
/* SELSNAP_ENOTSUP, and nothing done, where the device has none. */
int ssn_device_discard(selsnap_device *device, uint64_t offset, uint64_t len);
/* Writes zeros in pieces where the device has no write_zeroes. */
int ssn_device_write_zeroes(selsnap_device *device, uint64_t offset, uint64_t len);
/* SELSNAP_OK without a lock where the device has none; SELSNAP_ELOCKED when another has it. */
int ssn_device_lock(selsnap_device *device, bool exclusive);
void ssn_device_unlock(selsnap_device *device);
/* false where the device has none (or cannot tell). */
bool ssn_device_identity(selsnap_device *device, uint8_t *ret_identity);
bool ssn_device_change_mark(selsnap_device *device, uint64_t *ret_mark);
/*
 * Makes the device at least `wanted` bytes long where it can, and takes note if it has become longer; 0 only asks. What
 * it then has: ssn_device_size(), which may still be less. SELSNAP_EIO: the device failed.
 */
int ssn_device_resize(selsnap_device *device, uint64_t wanted);
/* Range, alignment and read-only checks alone; SELSNAP_OK, ERANGE, EALIGN or EREADONLY. */
int ssn_device_check(const selsnap_device *device, uint64_t offset, uint64_t len, bool write);
/* Adds the lengths of the pieces; false if they overflow. */
bool ssn_iov_bytes(const selsnap_iovec *iov, uint32_t iov_count, uint64_t *ret_len);
/*
 * Whether two devices may share storage: the same object, the same identity, or slices of the same that overlap.
 * Slices and counting wrappers are looked through (stock.h).
 */
bool ssn_device_overlap(selsnap_device *a, selsnap_device *b);

static inline uint64_t ssn_device_size(const selsnap_device *device) {
    return atomic_load_explicit(&device->size_bytes, memory_order_relaxed);
}

#endif
