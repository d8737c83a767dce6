/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device over bytes that do not change: what is written lies in pages of its own, and cow_reset() forgets them. So an
 * image is as new for each input, at the price of the pages that were touched. One thread.
 */
#ifndef SSN_FUZZ_COWDEV_H
#define SSN_FUZZ_COWDEV_H

#include <selsnap/selsnap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COW_PAGE = 4096, COW_CALLS_MAX = 2000000 };

struct cowdev {
    const uint8_t *base; /* size bytes, filled up to a page with zeros */
    uint64_t size;
    char name; /* its identity */
    size_t pages;
    uint8_t *own; /* a page of its own for each; in use where dirty says so */
    bool *dirty;
    uint32_t *dirty_list;
    size_t dirty_count;
    uint64_t calls;         /* since the reset; more than COW_CALLS_MAX is taken for a loop without end */
    uint64_t writes;        /* of these */
    selsnap_device *device; /* what to give to the library */
};

/* All abort when they fail. base stays the caller's. */
void cow_init(struct cowdev *dev, char name, uint64_t size);
void cow_fini(struct cowdev *dev);
void cow_reset(struct cowdev *dev, const uint8_t *base);
const uint8_t *cow_page(const struct cowdev *dev, size_t page);
/* For changes past the library. */
uint8_t *cow_change(struct cowdev *dev, size_t page);
void cow_read(const struct cowdev *dev, void *buf, size_t len, uint64_t offset);

#endif
