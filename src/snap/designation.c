/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See designation.h. Here: what a designation covers. Its ranges are items of up to 64, keyed by the first block of
 * their first range, so the item that may hold a block is the last one whose key is not above it. Every item read is
 * checked before use, so that damage is told and never taken for coverage.
 */
#include "designation.h"

#include <inttypes.h>

/* A ranges item of the designation that lies inside the origin. */
static int check_item(struct selsnap *ss, uint64_t id, const struct ssn_item *item) {
    if (ssn_ranges_valid(item->key.minor, item->value, item->len)) {
        unsigned last = ssn_ranges_count(item->len) - 1;
        uint64_t end = ssn_range_first(item->value, last) + ssn_range_blocks(item->value, last);
        if (end <= ss->block_count) {
            return SELSNAP_OK;
        }
    }
    return ssn_fail(&ss->report, SELSNAP_EDAMAGED,
                    "the ranges of designation %" PRIu64 " from block %" PRIu64 " on are damaged", id, item->key.minor);
}

static bool belongs(const struct ssn_item *item, uint64_t id) {
    return item->key.type == SSN_ITEM_RANGES && item->key.major == id;
}

/* The last item that begins at or before the block; SELSNAP_ENOENT. */
static int item_upto(struct selsnap *ss, uint64_t id, uint64_t block, struct ssn_item *ret_item) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_RANGES, id, block);
    int rc = ssn_store_seek_last(ss->store, &key, ret_item);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    return belongs(ret_item, id) ? check_item(ss, id, ret_item) : SELSNAP_ENOENT;
}

/* The first item that begins at or after the block; SELSNAP_ENOENT. */
static int item_from(struct selsnap *ss, uint64_t id, uint64_t block, struct ssn_item *ret_item) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_RANGES, id, block);
    int rc = ssn_store_seek(ss->store, &key, ret_item);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    return belongs(ret_item, id) ? check_item(ss, id, ret_item) : SELSNAP_ENOENT;
}

/* Sets the bits of [begin, end), block numbers of the origin, that the item covers. */
static void cover_by_item(const struct ssn_item *item, uint64_t begin, uint64_t end, struct ssn_runbits *bits) {
    for (unsigned i = 0; i < ssn_ranges_count(item->len); i++) {
        uint64_t first = ssn_range_first(item->value, i);
        uint64_t from = ssn_max_u64(begin, first);
        uint64_t to = ssn_min_u64(end, first + ssn_range_blocks(item->value, i));
        if (from < to) {
            ssn_runbits_fill(bits, (unsigned)(from % SSN_RUN_BLOCKS), (unsigned)(to - from));
        }
    }
}

int ssn_designation_cover(struct selsnap *ss, uint64_t id, bool whole, uint64_t run, unsigned first, unsigned count,
                          struct ssn_runbits *ret_bits) {
    struct ssn_runbits bits = ssn_runbits_none();
    if (whole) {
        ssn_runbits_fill(&bits, first, count);
        *ret_bits = bits;
        return SELSNAP_OK;
    }
    uint64_t begin = run * SSN_RUN_BLOCKS + first;
    uint64_t end = begin + count;
    uint64_t upto = end - 1;
    int rc = SELSNAP_OK;
    /* From the end: but where an item begins inside the run, one lookup is enough. */
    while (rc == SELSNAP_OK) {
        struct ssn_item item;
        rc = item_upto(ss, id, upto, &item);
        if (rc == SELSNAP_OK) {
            cover_by_item(&item, begin, end, &bits);
            if (item.key.minor <= begin) {
                break;
            }
            upto = item.key.minor - 1;
        }
    }
    if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
        return rc;
    }
    *ret_bits = bits;
    return SELSNAP_OK;
}

/* The first range of the item that ends above `from`, cut to begin at it; false: none does. */
static bool range_in_item(const struct ssn_item *item, uint64_t from, struct ssn_block_range *ret_range) {
    for (unsigned i = 0; i < ssn_ranges_count(item->len); i++) {
        uint64_t first = ssn_range_first(item->value, i);
        uint64_t end = first + ssn_range_blocks(item->value, i);
        if (end > from) {
            ret_range->first = ssn_max_u64(first, from);
            ret_range->count = end - ret_range->first;
            return true;
        }
    }
    return false;
}

int ssn_designation_next_range(struct selsnap *ss, uint64_t id, bool whole, uint64_t from,
                               struct ssn_block_range *ret_range) {
    if (from >= ss->block_count) {
        return SELSNAP_ENOENT;
    }
    if (whole) {
        ret_range->first = from;
        ret_range->count = ss->block_count - from;
        return SELSNAP_OK;
    }
    struct ssn_item item;
    int rc = item_upto(ss, id, from, &item);
    if (rc == SELSNAP_OK && range_in_item(&item, from, ret_range)) {
        return SELSNAP_OK;
    }
    if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
        return rc;
    }
    rc = item_from(ss, id, from + 1, &item);
    if (rc == SELSNAP_OK) {
        (void)range_in_item(&item, from, ret_range);
    }
    return rc;
}

int ssn_designation_reaches(struct selsnap *ss, const struct ssn_group *group, uint64_t block, bool *ret_reaches) {
    struct ssn_block_range range;
    int rc = ssn_designation_next_range(ss, group->id, group->whole, block, &range);
    *ret_reaches = rc == SELSNAP_OK;
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

static int add_item(const struct ssn_item *item, selsnap_subset *subset) {
    for (unsigned i = 0; i < ssn_ranges_count(item->len); i++) {
        uint64_t first = ssn_range_first(item->value, i);
        uint64_t end = ssn_min_u64(first + ssn_range_blocks(item->value, i), subset->block_count);
        int rc = first < end ? ssn_subset_add_blocks(subset, first, end - first) : SELSNAP_OK;
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    return SELSNAP_OK;
}

/* Of the device of a designation's subset. */
static int choose_bytes(struct selsnap *ss, const struct ssn_group *group, uint64_t bytes, uint64_t *ret_bytes) {
    bool reaches = bytes == ss->extent_bytes;
    int rc = SELSNAP_OK;
    if (bytes == 0 && ss->extent_bytes > ss->origin_bytes) {
        rc = ssn_designation_reaches(ss, group, ssn_div_up(ss->origin_bytes, ss->block_bytes), &reaches);
    }
    *ret_bytes = reaches ? ss->extent_bytes : ss->origin_bytes;
    return rc;
}

int ssn_designation_to_subset(struct selsnap *ss, const struct ssn_group *group, uint64_t bytes,
                              selsnap_subset **ret_subset) {
    selsnap_subset *subset = NULL;
    int rc = choose_bytes(ss, group, bytes, &bytes);
    rc = rc == SELSNAP_OK ? ssn_subset_open(NULL, bytes, ss->block_bytes, &subset) : rc;
    if (rc == SELSNAP_OK && group->whole) {
        rc = ssn_subset_add_blocks(subset, 0, subset->block_count);
    } else if (rc == SELSNAP_OK) {
        struct ssn_item item;
        uint64_t next = 0;
        while ((rc = item_from(ss, group->id, next, &item)) == SELSNAP_OK) {
            rc = add_item(&item, subset);
            if (rc != SELSNAP_OK) {
                break;
            }
            next = item.key.minor + 1;
        }
        rc = rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
    }
    if (rc == SELSNAP_ENOMEM) {
        rc = ssn_fail(&ss->report, rc, "no memory for a subset of %" PRIu64 " ranges", group->ranges);
    }
    if (rc != SELSNAP_OK) {
        ssn_subset_close(subset);
        return rc;
    }
    *ret_subset = subset;
    return SELSNAP_OK;
}

int ssn_designation_meet(struct selsnap *ss, const struct ssn_group *a, const struct ssn_group *b, bool *ret_meet) {
    struct ssn_block_range of_a = {0, 0};
    struct ssn_block_range of_b = {0, 0};
    uint64_t from = 0;
    int rc;
    for (;;) {
        rc = ssn_designation_next_range(ss, a->id, a->whole, from, &of_a);
        if (rc != SELSNAP_OK) {
            break;
        }
        rc = ssn_designation_next_range(ss, b->id, b->whole, of_a.first, &of_b);
        if (rc != SELSNAP_OK) {
            break;
        }
        if (of_b.first < of_a.first + of_a.count) {
            *ret_meet = true;
            return SELSNAP_OK;
        }
        from = of_b.first;
    }
    if (rc == SELSNAP_ENOENT) {
        *ret_meet = false;
        rc = SELSNAP_OK;
    }
    return rc;
}
