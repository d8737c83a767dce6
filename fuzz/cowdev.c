/* SPDX-License-Identifier: Apache-2.0 */
/* See cowdev.h. */
#include "cowdev.h"

#include "input.h"

const uint8_t *cow_page(const struct cowdev *dev, size_t page) {
    return (dev->dirty[page] ? dev->own : dev->base) + page * COW_PAGE;
}

uint8_t *cow_change(struct cowdev *dev, size_t page) {
    uint8_t *own = dev->own + page * COW_PAGE;
    if (!dev->dirty[page]) {
        dev->dirty[page] = true;
        dev->dirty_list[dev->dirty_count++] = (uint32_t)page;
        memcpy(own, dev->base + page * COW_PAGE, COW_PAGE);
    }
    return own;
}

void cow_read(const struct cowdev *dev, void *buf, size_t len, uint64_t offset) {
    uint8_t *to = buf;
    while (len > 0) {
        size_t at = (size_t)(offset % COW_PAGE);
        size_t part = len < COW_PAGE - at ? len : COW_PAGE - at;
        memcpy(to, cow_page(dev, (size_t)(offset / COW_PAGE)) + at, part);
        to += part;
        offset += part;
        len -= part;
    }
}

static void count(struct cowdev *dev) {
    must(++dev->calls <= COW_CALLS_MAX);
}

static int cow_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct cowdev *dev = user;
    count(dev);
    for (uint32_t i = 0; i < iov_count; i++) {
        must(offset <= dev->size && iov[i].len <= dev->size - offset);
        cow_read(dev, iov[i].base, iov[i].len, offset);
        offset += iov[i].len;
    }
    return 0;
}

static void put(struct cowdev *dev, const uint8_t *from, size_t len, uint64_t offset) {
    must(offset <= dev->size && len <= dev->size - offset);
    while (len > 0) {
        size_t at = (size_t)(offset % COW_PAGE);
        size_t part = len < COW_PAGE - at ? len : COW_PAGE - at;
        memcpy(cow_change(dev, (size_t)(offset / COW_PAGE)) + at, from, part);
        from += part;
        offset += part;
        len -= part;
    }
}

static int cow_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct cowdev *dev = user;
    count(dev);
    dev->writes++;
    for (uint32_t i = 0; i < iov_count; i++) {
        put(dev, iov[i].base, iov[i].len, offset);
        offset += iov[i].len;
    }
    return 0;
}

static int cow_flush(void *user) {
    count(user);
    return 0;
}

static int cow_identity(void *user, uint8_t *ret_identity) {
    const struct cowdev *dev = user;
    memset(ret_identity, dev->name, SELSNAP_IDENTITY_SIZE);
    return 0;
}

static int cow_change_mark(void *user, uint64_t *ret_mark) {
    (void)user;
    *ret_mark = 7;
    return 0;
}

void cow_init(struct cowdev *dev, char name, uint64_t size) {
    memset(dev, 0, sizeof *dev);
    dev->name = name;
    dev->size = size;
    dev->pages = (size_t)((size + COW_PAGE - 1) / COW_PAGE);
    dev->own = malloc(dev->pages * COW_PAGE);
    dev->dirty = calloc(dev->pages, sizeof *dev->dirty);
    dev->dirty_list = calloc(dev->pages, sizeof *dev->dirty_list);
    must(dev->own != NULL && dev->dirty != NULL && dev->dirty_list != NULL);
    const selsnap_device_ops ops = {
        .struct_size = sizeof ops,
        .readv = cow_readv,
        .writev = cow_writev,
        .flush = cow_flush,
        .identity = cow_identity,
        .change_mark = cow_change_mark,
    };
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    info.flags = SELSNAP_DEVICE_VOLATILE_CACHE;
    info.size_bytes = size;
    must(selsnap_device_open(&ops, &info, dev, &dev->device) == SELSNAP_OK);
}

void cow_fini(struct cowdev *dev) {
    selsnap_device_close(dev->device);
    free(dev->own);
    free(dev->dirty);
    free(dev->dirty_list);
}

void cow_reset(struct cowdev *dev, const uint8_t *base) {
    for (size_t i = 0; i < dev->dirty_count; i++) {
        dev->dirty[dev->dirty_list[i]] = false;
    }
    dev->dirty_count = 0;
    dev->calls = 0;
    dev->writes = 0;
    dev->base = base;
}
