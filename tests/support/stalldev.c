/* SPDX-License-Identifier: Apache-2.0 */
/* See stalldev.h. */
#include "stalldev.h"

#include "test.h"

#include <stdlib.h>

static void meet(struct stalldev *dev, uint32_t op, uint64_t offset, uint64_t len) {
    pthread_mutex_lock(&dev->lock);
    bool touches = op == STALL_FLUSH || (offset < dev->offset + dev->len && dev->offset < offset + len);
    bool meets = (dev->ops & op) != 0 && touches;
    if (meets && dev->skip > 0) {
        dev->skip--;
    } else if (meets) {
        dev->ops = 0;
        dev->stalled = true;
        dev->released = false;
        pthread_cond_broadcast(&dev->changed);
        while (!dev->released) {
            pthread_cond_wait(&dev->changed, &dev->lock);
        }
        dev->stalled = false;
        pthread_cond_broadcast(&dev->changed);
    }
    pthread_mutex_unlock(&dev->lock);
}

static uint64_t length(const selsnap_iovec *iov, uint32_t iov_count) {
    uint64_t len = 0;
    for (uint32_t i = 0; i < iov_count; i++) {
        len += iov[i].len;
    }
    return len;
}

static int stall_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct stalldev *dev = user;
    int rc = 0;
    meet(dev, STALL_READ, offset, length(iov, iov_count));
    for (uint32_t i = 0; i < iov_count && rc == 0; i++) {
        rc = selsnap_device_read(dev->base, iov[i].base, iov[i].len, offset);
        offset += iov[i].len;
    }
    return rc;
}

static int stall_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct stalldev *dev = user;
    int rc = 0;
    meet(dev, STALL_WRITE, offset, length(iov, iov_count));
    for (uint32_t i = 0; i < iov_count && rc == 0; i++) {
        rc = selsnap_device_write(dev->base, iov[i].base, iov[i].len, offset);
        offset += iov[i].len;
    }
    return rc;
}

static int stall_flush(void *user) {
    struct stalldev *dev = user;
    meet(dev, STALL_FLUSH, 0, 0);
    return selsnap_device_flush(dev->base);
}

static void stall_close(void *user) {
    struct stalldev *dev = user;
    selsnap_device_close(dev->base);
    pthread_cond_destroy(&dev->changed);
    pthread_mutex_destroy(&dev->lock);
    free(dev);
}

struct stalldev *stalldev_open(uint64_t size) {
    const selsnap_device_ops ops = {.struct_size = sizeof ops,
                                    .readv = stall_readv,
                                    .writev = stall_writev,
                                    .flush = stall_flush,
                                    .close = stall_close};
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    info.flags = SELSNAP_DEVICE_VOLATILE_CACHE;
    info.size_bytes = size;
    info.logical_block_bytes = 1;
    struct stalldev *dev = calloc(1, sizeof *dev);
    assert_non_null(dev);
    assert_int_equal(pthread_mutex_init(&dev->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&dev->changed, NULL), 0);
    assert_ok(selsnap_device_open_memory(size, 1, &dev->base));
    assert_ok(selsnap_device_open(&ops, &info, dev, &dev->device));
    return dev;
}

static void arm(struct stalldev *dev, uint32_t ops, uint64_t offset, uint64_t len, uint64_t skip) {
    pthread_mutex_lock(&dev->lock);
    assert_false(dev->stalled);
    dev->ops = ops;
    dev->offset = offset;
    dev->len = len;
    dev->skip = skip;
    pthread_mutex_unlock(&dev->lock);
}

void stalldev_arm(struct stalldev *dev, uint32_t ops, uint64_t offset, uint64_t len) {
    arm(dev, ops, offset, len, 0);
}

void stalldev_arm_nth(struct stalldev *dev, uint32_t ops, uint64_t nth) {
    arm(dev, ops, 0, UINT64_MAX, nth - 1);
}

void stalldev_wait(struct stalldev *dev) {
    pthread_mutex_lock(&dev->lock);
    while (!dev->stalled) {
        pthread_cond_wait(&dev->changed, &dev->lock);
    }
    pthread_mutex_unlock(&dev->lock);
}

bool stalldev_is_stalled(struct stalldev *dev) {
    pthread_mutex_lock(&dev->lock);
    bool stalled = dev->stalled;
    pthread_mutex_unlock(&dev->lock);
    return stalled;
}

void stalldev_release(struct stalldev *dev) {
    pthread_mutex_lock(&dev->lock);
    dev->ops = 0;
    dev->released = true;
    pthread_cond_broadcast(&dev->changed);
    while (dev->stalled) {
        pthread_cond_wait(&dev->changed, &dev->lock);
    }
    pthread_mutex_unlock(&dev->lock);
}
