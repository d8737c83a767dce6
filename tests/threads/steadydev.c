/* SPDX-License-Identifier: Apache-2.0 */
/* See steadydev.h. Each page of 4 KiB belongs to one of a few locks; a request takes those of its pages in order. */
#include "steadydev.h"

#include "test.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* A request may take all the locks: ThreadSanitizer lets a thread hold 63 at most. */
enum { LOCKS = 48, PAGE = 4096 };

struct steadydev {
    selsnap_device *base;
    struct steadydev_pace pace;
    pthread_rwlock_t lock[LOCKS];
};

static bool touches(unsigned lock, uint64_t offset, uint64_t len) {
    uint64_t first = offset / PAGE;
    uint64_t pages = (offset + len - 1) / PAGE - first + 1;
    return pages >= LOCKS || (lock + LOCKS - first % LOCKS) % LOCKS < pages;
}

static void enter(struct steadydev *dev, uint64_t offset, uint64_t len, bool change) {
    for (unsigned i = 0; i < LOCKS && len > 0; i++) {
        if (touches(i, offset, len)) {
            (void)(change ? pthread_rwlock_wrlock(&dev->lock[i]) : pthread_rwlock_rdlock(&dev->lock[i]));
        }
    }
}

static void leave(struct steadydev *dev, uint64_t offset, uint64_t len) {
    for (unsigned i = 0; i < LOCKS && len > 0; i++) {
        if (touches(i, offset, len)) {
            pthread_rwlock_unlock(&dev->lock[i]);
        }
    }
}

static uint64_t length(const selsnap_iovec *iov, uint32_t iov_count) {
    uint64_t len = 0;
    for (uint32_t i = 0; i < iov_count; i++) {
        len += iov[i].len;
    }
    return len;
}

static int steady_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct steadydev *dev = user;
    uint64_t len = length(iov, iov_count);
    uint64_t at = offset;
    int rc = 0;
    enter(dev, offset, len, false);
    for (uint32_t i = 0; i < iov_count && rc == 0; i++) {
        rc = selsnap_device_read(dev->base, iov[i].base, iov[i].len, at);
        at += iov[i].len;
    }
    leave(dev, offset, len);
    return rc;
}

static int steady_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct steadydev *dev = user;
    uint64_t len = length(iov, iov_count);
    uint64_t at = offset;
    int rc = 0;
    if (dev->pace.write_us > 0) {
        usleep(dev->pace.write_us);
    }
    enter(dev, offset, len, true);
    for (uint32_t i = 0; i < iov_count && rc == 0; i++) {
        rc = selsnap_device_write(dev->base, iov[i].base, iov[i].len, at);
        at += iov[i].len;
    }
    leave(dev, offset, len);
    return rc;
}

static int steady_zeroes(void *user, uint64_t offset, uint64_t len) {
    static const uint8_t zeros[64 * PAGE];
    struct steadydev *dev = user;
    int rc = 0;
    enter(dev, offset, len, true);
    for (uint64_t done = 0; done < len && rc == 0; done += sizeof zeros) {
        size_t part = len - done < sizeof zeros ? (size_t)(len - done) : sizeof zeros;
        rc = selsnap_device_write(dev->base, zeros, part, offset + done);
    }
    leave(dev, offset, len);
    return rc;
}

static int steady_flush(void *user) {
    struct steadydev *dev = user;
    if (dev->pace.flush_us > 0) {
        usleep(dev->pace.flush_us);
    }
    return selsnap_device_flush(dev->base);
}

static void steady_close(void *user) {
    struct steadydev *dev = user;
    for (unsigned i = 0; i < LOCKS; i++) {
        pthread_rwlock_destroy(&dev->lock[i]);
    }
    selsnap_device_close(dev->base);
    free(dev);
}

selsnap_device *steadydev_open(selsnap_device *base, struct steadydev_pace pace) {
    const selsnap_device_ops ops = {.struct_size = sizeof ops,
                                    .readv = steady_readv,
                                    .writev = steady_writev,
                                    .flush = steady_flush,
                                    .discard = steady_zeroes,
                                    .write_zeroes = steady_zeroes,
                                    .close = steady_close};
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    selsnap_device *device = NULL;
    struct steadydev *dev = calloc(1, sizeof *dev);
    assert_non_null(dev);
    for (unsigned i = 0; i < LOCKS; i++) {
        assert_int_equal(pthread_rwlock_init(&dev->lock[i], NULL), 0);
    }
    assert_ok(selsnap_device_get_info(base, &info));
    info.flags = SELSNAP_DEVICE_VOLATILE_CACHE;
    dev->base = base;
    dev->pace = pace;
    assert_ok(selsnap_device_open(&ops, &info, dev, &device));
    return device;
}
