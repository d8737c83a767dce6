/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tree pages (docs/format.md, section 4) between bytes and items: the one check that a page passes before it is used,
 * reading items of a checked page, and laying items in a new one. No I/O, no allocation.
 *
 * ssn_page_check() takes any bytes. All else that takes a page takes only one that passed it.
 */
#ifndef SSN_PAGE_H
#define SSN_PAGE_H

#include "key.h"

enum {
    SSN_PAGE_HEADER = 48,
    SSN_PAGE_SLOT = 2,                               /* an item's offset */
    SSN_PAGE_ROOM = SSN_PAGE_SIZE - SSN_PAGE_HEADER, /* for items and their offsets */
    SSN_LEAF_ITEM_MIN = SSN_KEY_SIZE + 2,
    SSN_LEAF_ITEM_MAX = SSN_LEAF_ITEM_MIN + SSN_VALUE_MAX,
    SSN_INNER_ITEM = SSN_KEY_SIZE + 16,
    SSN_HOLE_LEN = 0xffff,                            /* in the place of a value's length: the item is a hole */
    SSN_HOLE_ITEM = SSN_LEAF_ITEM_MIN + SSN_KEY_SIZE,
};

/* What the pointer to a page, and the store, say of it. */
struct ssn_page_expect {
    uint64_t place;
    uint64_t checksum;
    uint32_t level;
    const uint8_t *store_id; /* SSN_STORE_ID_SIZE bytes */
    uint64_t first_place;    /* of the area; child places lie in [first_place, store_pages) */
    uint64_t store_pages;
};

/* NULL: the page may be used [F-10, F-11]. Otherwise what is wrong with it, as a phrase. Safe with any bytes. */
const char *ssn_page_check(const uint8_t *page, const struct ssn_page_expect *expect);

static inline uint64_t ssn_page_checksum(const uint8_t *page) {
    return ssn_get64(page);
}

static inline uint32_t ssn_page_level(const uint8_t *page) {
    return page[12];
}

static inline unsigned ssn_page_count(const uint8_t *page) {
    return ssn_get16(page + 14);
}

static inline uint64_t ssn_page_place(const uint8_t *page) {
    return ssn_get64(page + 16);
}

static inline uint64_t ssn_page_sequence(const uint8_t *page) {
    return ssn_get64(page + 24);
}

/* The encoded item; ret_size: its bytes, without the offset. */
const uint8_t *ssn_page_item(const uint8_t *page, unsigned index, size_t *ret_size);
void ssn_page_key(const uint8_t *page, unsigned index, struct ssn_key *ret_key);
/* Of a leaf: whether the item is a hole, and then the last key of it [F-16]. */
bool ssn_page_hole(const uint8_t *page, unsigned index, struct ssn_key *ret_last);
/* Of a leaf, and not of a hole. The value lies in the page. */
const uint8_t *ssn_page_value(const uint8_t *page, unsigned index, uint16_t *ret_len);
/* Of an inner page. */
void ssn_page_child(const uint8_t *page, unsigned index, uint64_t *ret_place, uint64_t *ret_checksum);
/* Bytes in use: header, offsets, items. */
size_t ssn_page_used(const uint8_t *page);

/* The first item whose key is >= key; the count if there is none. */
unsigned ssn_page_find(const uint8_t *page, const struct ssn_key *key);
/* The last item whose key is <= key; -1 if there is none. */
int ssn_page_find_last(const uint8_t *page, const struct ssn_key *key);

/* Both give the bytes written: at most SSN_LEAF_ITEM_MAX, exactly SSN_INNER_ITEM. len <= SSN_VALUE_MAX. */
size_t ssn_page_encode_leaf_item(uint8_t *p, const struct ssn_key *key, const uint8_t *value, uint16_t len);
size_t ssn_page_encode_inner_item(uint8_t *p, const struct ssn_key *key, uint64_t place, uint64_t checksum);
/* SSN_HOLE_ITEM bytes. first <= last. */
size_t ssn_page_encode_hole(uint8_t *p, const struct ssn_key *first, const struct ssn_key *last);

struct ssn_page_head {
    uint64_t place;
    uint64_t sequence;
    uint32_t level;
    const uint8_t *store_id;
};

/*
 * Lays `count` encoded items, one after another in items[0 .. len), in a page: len + count * SSN_PAGE_SLOT <=
 * SSN_PAGE_ROOM, keys strictly rising. Gives the page's checksum.
 */
uint64_t ssn_page_build(uint8_t *page, const struct ssn_page_head *head, const uint8_t *items, size_t len,
                        unsigned count);

#endif
