/* SPDX-License-Identifier: Apache-2.0 */
/* See crashdev.h. `lock` guards everything. */
#include "crashdev.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { UNIT = 512 };

struct crashdev {
    pthread_mutex_t lock;
    uint64_t size;
    uint8_t *cache;  /* what reads see */
    uint8_t *medium; /* what a power cut cannot take */
    uint8_t *dirty; /* a byte a unit: written since the last flush that succeeded, and not dropped by one that failed */
    selsnap_device *device;
    uint64_t calls_left; /* UINT64_MAX: no end */
    bool stopped;
    uint64_t fail_in; /* 0: not */
    uint64_t fail_more;
    bool fail_whole; /* what fails is done all the same */
    struct crashdev_counts counts;
};

/* lock: counts a write or flush; what becomes of it. */
static int gate(struct crashdev *dev) {
    if (dev->stopped) {
        return -5;
    }
    if (dev->calls_left != UINT64_MAX) {
        if (dev->calls_left == 0) {
            dev->stopped = true;
            return -5;
        }
        dev->calls_left--;
    }
    if (dev->fail_in > 0 && --dev->fail_in == 0) {
        if (dev->fail_more > 0) {
            dev->fail_more--;
            dev->fail_in = 1;
        }
        return -28;
    }
    return 0;
}

static int dev_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct crashdev *dev = user;
    pthread_mutex_lock(&dev->lock);
    int rc = dev->stopped ? -5 : 0;
    for (uint32_t i = 0; rc == 0 && i < iov_count; i++) {
        memcpy(iov[i].base, dev->cache + offset, iov[i].len);
        offset += iov[i].len;
    }
    dev->counts.reads++;
    pthread_mutex_unlock(&dev->lock);
    return rc;
}

static int dev_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct crashdev *dev = user;
    pthread_mutex_lock(&dev->lock);
    int rc = gate(dev);
    bool stopped = dev->stopped;
    for (uint32_t i = 0; !stopped && i < iov_count; i++) {
        size_t len =
            rc == 0 || dev->fail_whole ? iov[i].len : iov[i].len / 2 / UNIT * UNIT; /* a failed write does half of it */
        memcpy(dev->cache + offset, iov[i].base, len);
        for (uint64_t unit = offset / UNIT; unit * UNIT < offset + len; unit++) {
            dev->dirty[unit] = 1;
        }
        offset += iov[i].len;
        dev->counts.write_bytes += iov[i].len;
    }
    dev->counts.writes++;
    pthread_mutex_unlock(&dev->lock);
    return rc;
}

static int dev_flush(void *user) {
    struct crashdev *dev = user;
    pthread_mutex_lock(&dev->lock);
    int rc = gate(dev);
    if (!dev->stopped) {
        for (uint64_t unit = 0; unit < dev->size / UNIT; unit++) {
            bool kept = rc == 0 || dev->fail_whole || ((unit + dev->counts.flushes) * 2654435761u >> 7) % 2 == 0;
            if (dev->dirty[unit] != 0 && kept) {
                memcpy(dev->medium + unit * UNIT, dev->cache + unit * UNIT, UNIT);
            }
            dev->dirty[unit] = 0;
        }
    }
    dev->counts.flushes++;
    pthread_mutex_unlock(&dev->lock);
    return rc;
}

struct crashdev *crashdev_new(uint64_t size_bytes) {
    struct crashdev *dev = calloc(1, sizeof *dev);
    selsnap_device_ops ops = {.struct_size = sizeof ops, .readv = dev_readv, .writev = dev_writev, .flush = dev_flush};
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    if (dev == NULL) {
        abort();
    }
    info.size_bytes = size_bytes;
    info.logical_block_bytes = UNIT;
    info.flags = SELSNAP_DEVICE_VOLATILE_CACHE;
    dev->size = size_bytes;
    dev->calls_left = UINT64_MAX;
    dev->cache = calloc(1, size_bytes);
    dev->medium = calloc(1, size_bytes);
    dev->dirty = calloc(1, size_bytes / UNIT);
    if (dev->cache == NULL || dev->medium == NULL || dev->dirty == NULL || pthread_mutex_init(&dev->lock, NULL) != 0 ||
        ssn_device_open(&ops, &info, dev, &dev->device) != SELSNAP_OK) {
        abort();
    }
    return dev;
}

void crashdev_free(struct crashdev *dev) {
    ssn_device_close(dev->device);
    pthread_mutex_destroy(&dev->lock);
    free(dev->cache);
    free(dev->medium);
    free(dev->dirty);
    free(dev);
}

selsnap_device *crashdev_device(struct crashdev *dev) {
    return dev->device;
}

uint8_t *crashdev_bytes(struct crashdev *dev) {
    return dev->cache;
}

static uint64_t next(uint64_t *seed) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

void crashdev_cut(struct crashdev *dev, uint64_t seed) {
    uint64_t bias = seed % 4; /* from nearly all lost to nearly all kept, so that both ends come up */
    for (uint64_t unit = 0; unit < dev->size / UNIT; unit++) {
        if (dev->dirty[unit] != 0 && next(&seed) % 4 <= bias && next(&seed) % 8 != 0) {
            memcpy(dev->medium + unit * UNIT, dev->cache + unit * UNIT, UNIT);
        }
        dev->dirty[unit] = 0;
    }
    memcpy(dev->cache, dev->medium, dev->size);
    crashdev_kill(dev);
}

void crashdev_kill(struct crashdev *dev) {
    dev->stopped = false;
    dev->calls_left = UINT64_MAX;
    dev->fail_in = 0;
    dev->fail_more = 0;
}

void crashdev_stop_after(struct crashdev *dev, uint64_t calls) {
    dev->calls_left = calls;
}

bool crashdev_stopped(const struct crashdev *dev) {
    return dev->stopped;
}

void crashdev_fail_whole(struct crashdev *dev, bool whole) {
    dev->fail_whole = whole;
}

void crashdev_fail(struct crashdev *dev, uint64_t nth, uint64_t more) {
    dev->fail_in = nth;
    dev->fail_more = more;
}

struct crashdev_counts crashdev_take_counts(struct crashdev *dev) {
    struct crashdev_counts counts = dev->counts;
    memset(&dev->counts, 0, sizeof dev->counts);
    return counts;
}
