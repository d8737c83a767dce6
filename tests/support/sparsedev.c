/* SPDX-License-Identifier: Apache-2.0 */
/* An open-addressing table from page number to what the page holds, under one lock. */
#include "sparsedev.h"

#include "pattern.h"
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, KIND_ABSENT = 0, KIND_ZERO, KIND_PATTERN, KIND_BYTES };

struct page {
    uint64_t number;
    uint32_t kind;
    uint32_t writer;
    uint64_t sector; /* that the pattern describes: a store holds blocks of the origin */
    union {
        uint64_t sequence;
        uint8_t *bytes;
    } u;
};

struct sparsedev {
    pthread_mutex_t lock;
    bool patterned;
    struct page *pages;
    size_t capacity; /* a power of two */
    size_t used;
    uint64_t full_pages;
};

static struct page *slot_of(struct page *pages, size_t capacity, uint64_t number) {
    size_t at = (size_t)((number * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (capacity - 1);
    while (pages[at].kind != KIND_ABSENT && pages[at].number != number) {
        at = (at + 1) & (capacity - 1);
    }
    return &pages[at];
}

static int grow_table(struct sparsedev *dev) {
    if (dev->used * 3 < dev->capacity * 2) {
        return 0;
    }
    size_t capacity = dev->capacity * 2;
    struct page *pages = calloc(capacity, sizeof *pages);
    if (pages == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < dev->capacity; i++) {
        if (dev->pages[i].kind != KIND_ABSENT) {
            *slot_of(pages, capacity, dev->pages[i].number) = dev->pages[i];
        }
    }
    free(dev->pages);
    dev->pages = pages;
    dev->capacity = capacity;
    return 0;
}

static void load_page(const struct sparsedev *dev, uint64_t number, uint8_t *bytes) {
    const struct page *page = slot_of(dev->pages, dev->capacity, number);
    if (page->kind == KIND_BYTES) {
        memcpy(bytes, page->u.bytes, PAGE);
    } else if (page->kind == KIND_PATTERN) {
        pattern_fill(bytes, PAGE, page->sector * PATTERN_SECTOR, page->writer, page->u.sequence);
    } else if (page->kind == KIND_ABSENT && dev->patterned) {
        pattern_fill(bytes, PAGE, number * PAGE, 0, 0);
    } else {
        memset(bytes, 0, PAGE);
    }
}

static bool page_pattern(const uint8_t *bytes, struct pattern *ret_pattern) {
    return pattern_read(bytes, ret_pattern) &&
           pattern_is(bytes, PAGE, ret_pattern->sector * PATTERN_SECTOR, ret_pattern->writer, ret_pattern->sequence);
}

static int keep_page(struct sparsedev *dev, uint64_t number, const uint8_t *bytes) {
    int result = grow_table(dev);
    if (result != 0) {
        return result;
    }
    struct page *page = slot_of(dev->pages, dev->capacity, number);
    struct pattern pattern;
    bool has_bytes = page->kind == KIND_BYTES;
    if (page->kind == KIND_ABSENT) {
        dev->used++;
    }
    page->number = number;
    bool zero = pattern_all_zero(bytes, PAGE);
    bool patterned = !zero && page_pattern(bytes, &pattern);
    if (zero || patterned) {
        if (has_bytes) {
            free(page->u.bytes);
            dev->full_pages--;
        }
        page->kind = zero ? KIND_ZERO : KIND_PATTERN;
        page->writer = zero ? 0 : pattern.writer;
        page->sector = zero ? 0 : pattern.sector;
        page->u.sequence = zero ? 0 : pattern.sequence;
        return 0;
    }
    if (!has_bytes) {
        page->u.bytes = malloc(PAGE);
        if (page->u.bytes == NULL) {
            page->kind = KIND_ZERO;
            return -ENOMEM;
        }
        page->kind = KIND_BYTES;
        dev->full_pages++;
    }
    memcpy(page->u.bytes, bytes, PAGE);
    return 0;
}

/* One piece inside one page: to or from buf. */
static int move_piece(struct sparsedev *dev, bool write, uint8_t *buf, size_t len, uint64_t offset) {
    uint8_t bytes[PAGE];
    uint64_t number = offset / PAGE;
    if (write && len == PAGE) {
        return keep_page(dev, number, buf);
    }
    load_page(dev, number, bytes);
    if (!write) {
        memcpy(buf, bytes + offset % PAGE, len);
        return 0;
    }
    memcpy(bytes + offset % PAGE, buf, len);
    return keep_page(dev, number, bytes);
}

static int move(struct sparsedev *dev, bool write, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    int result = 0;
    pthread_mutex_lock(&dev->lock);
    for (uint32_t i = 0; i < iov_count && result == 0; i++) {
        uint8_t *at = iov[i].base;
        size_t left = iov[i].len;
        while (left > 0 && result == 0) {
            size_t part = PAGE - offset % PAGE;
            part = part < left ? part : left;
            result = move_piece(dev, write, at, part, offset);
            at += part;
            offset += part;
            left -= part;
        }
    }
    pthread_mutex_unlock(&dev->lock);
    return result;
}

static int sparsedev_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    return move(user, false, iov, iov_count, offset);
}

static int sparsedev_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    return move(user, true, iov, iov_count, offset);
}

static int sparsedev_flush(void *user) {
    (void)user;
    return 0;
}

static void sparsedev_close(void *user) {
    struct sparsedev *dev = user;
    for (size_t i = 0; i < dev->capacity; i++) {
        if (dev->pages[i].kind == KIND_BYTES) {
            free(dev->pages[i].u.bytes);
        }
    }
    free(dev->pages);
    pthread_mutex_destroy(&dev->lock);
    free(dev);
}

struct sparsedev *sparsedev_open(uint64_t size, uint32_t logical, bool patterned, selsnap_device **ret_device) {
    const selsnap_device_ops ops = {
        .struct_size = sizeof ops,
        .readv = sparsedev_readv,
        .writev = sparsedev_writev,
        .flush = sparsedev_flush,
        .close = sparsedev_close,
    };
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    info.size_bytes = size;
    info.logical_block_bytes = logical;
    struct sparsedev *dev = calloc(1, sizeof *dev);
    assert_non_null(dev);
    dev->patterned = patterned;
    dev->capacity = 1024;
    dev->pages = calloc(dev->capacity, sizeof *dev->pages);
    assert_non_null(dev->pages);
    pthread_mutex_init(&dev->lock, NULL);
    assert_ok(selsnap_device_open(&ops, &info, dev, ret_device));
    return dev;
}

uint64_t sparsedev_full_pages(struct sparsedev *dev) {
    pthread_mutex_lock(&dev->lock);
    uint64_t count = dev->full_pages;
    pthread_mutex_unlock(&dev->lock);
    return count;
}
