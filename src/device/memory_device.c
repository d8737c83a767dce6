/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device in memory. Requests take no lock: those that do not overlap share nothing, those that do give mixed bytes,
 * as on a disk.
 */
#include "blockdev.h"
#include "stock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LOCK_EXCLUSIVE = -1, LOCK_FREE = 0 };

struct memory {
    uint8_t *bytes;
    _Atomic int lock; /* LOCK_EXCLUSIVE, LOCK_FREE, or the number of those who share it */
};

/*
 * Requests that overlap race, as on a disk, and the snapshot layer is built for that (a view looks again after
 * reading). ThreadSanitizer must not take these bytes for shared variables, so its builds copy them unseen.
 */
#if defined(__SANITIZE_THREAD__)
#define SSN_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SSN_TSAN 1
#endif
#endif

#ifdef SSN_TSAN
__attribute__((no_sanitize("thread"), noinline)) static void copy_bytes(void *to, const void *from, size_t len) {
    volatile uint8_t *out = to;
    const volatile uint8_t *in = from;
    while (len-- > 0) {
        *out++ = *in++;
    }
}

__attribute__((no_sanitize("thread"), noinline)) static void zero_bytes(void *to, size_t len) {
    volatile uint8_t *out = to;
    while (len-- > 0) {
        *out++ = 0;
    }
}
#else
static void copy_bytes(void *to, const void *from, size_t len) {
    memcpy(to, from, len);
}

static void zero_bytes(void *to, size_t len) {
    memset(to, 0, len);
}
#endif

static int memory_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    const struct memory *memory = user;
    const uint8_t *from = memory->bytes + offset;
    for (uint32_t i = 0; i < iov_count; i++) {
        if (iov[i].len > 0) {
            copy_bytes(iov[i].base, from, iov[i].len);
            from += iov[i].len;
        }
    }
    return 0;
}

static int memory_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct memory *memory = user;
    uint8_t *to = memory->bytes + offset;
    for (uint32_t i = 0; i < iov_count; i++) {
        if (iov[i].len > 0) {
            copy_bytes(to, iov[i].base, iov[i].len);
            to += iov[i].len;
        }
    }
    return 0;
}

static int memory_flush(void *user) {
    (void)user;
    return 0;
}

/* Serves discard too: zeros are as good as any undefined content. */
static int memory_write_zeroes(void *user, uint64_t offset, uint64_t len) {
    struct memory *memory = user;
    zero_bytes(memory->bytes + offset, (size_t)len);
    return 0;
}

static int memory_lock(void *user, int exclusive) {
    struct memory *memory = user;
    int held = atomic_load(&memory->lock);
    do {
        if (held == LOCK_EXCLUSIVE || (exclusive != 0 && held != LOCK_FREE)) {
            return -EBUSY;
        }
    } while (!atomic_compare_exchange_weak(&memory->lock, &held, exclusive != 0 ? LOCK_EXCLUSIVE : held + 1));
    return 0;
}

static void memory_unlock(void *user) {
    struct memory *memory = user;
    int held = atomic_load(&memory->lock);
    while (!atomic_compare_exchange_weak(&memory->lock, &held, held == LOCK_EXCLUSIVE ? LOCK_FREE : held - 1)) {
    }
}

static void memory_close(void *user) {
    struct memory *memory = user;
    free(memory->bytes);
    free(memory);
}

int ssn_memory_device_open(uint64_t size_bytes, uint32_t logical_block_bytes, selsnap_device **ret_device) {
    const selsnap_device_ops ops = {
        .struct_size = sizeof ops,
        .readv = memory_readv,
        .writev = memory_writev,
        .flush = memory_flush,
        .discard = memory_write_zeroes,
        .write_zeroes = memory_write_zeroes,
        .lock = memory_lock,
        .unlock = memory_unlock,
        .close = memory_close,
    };
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    info.size_bytes = size_bytes;
    info.logical_block_bytes = logical_block_bytes;
    if (size_bytes == 0) {
        return SELSNAP_EINVAL;
    }
    int code = SELSNAP_ENOMEM;
    struct memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL) {
        return code;
    }
    /* Wrong sizes are told before memory is asked for: a nonsense size is EINVAL even where it would not fit. */
    selsnap_device *device = NULL;
    code = ssn_device_open(&ops, &info, memory, &device);
    if (code != SELSNAP_OK) {
        free(memory);
        return code;
    }
    memory->bytes = size_bytes <= PTRDIFF_MAX ? calloc(1, (size_t)size_bytes) : NULL;
    if (memory->bytes == NULL) {
        ssn_device_close(device);
        return SELSNAP_ENOMEM;
    }
    *ret_device = device;
    return SELSNAP_OK;
}
