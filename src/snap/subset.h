/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of blocks in memory, as sorted ranges. A set belongs to no context; only its memory may (mem).
 *
 * Between calls the ranges are sorted, not empty, disjoint and maximal (there is a gap between any two), and inside the
 * device. Every function that changes a set leaves it as it was when it fails.
 */
#ifndef SSN_SUBSET_H
#define SSN_SUBSET_H

#include "mem.h"

#include <selsnap/selsnap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Blocks first .. first + count - 1. */
struct ssn_block_range {
    uint64_t first;
    uint64_t count;
};

struct selsnap_subset {
    struct ssn_mem *mem; /* NULL: malloc and free, for sets that users get */
    uint64_t device_bytes;
    uint32_t block_bytes;
    uint64_t block_count; /* of the whole device; the last may be short */
    struct ssn_block_range *ranges;
    size_t range_count;
    size_t capacity; /* ranges there is memory for */
};

/* SELSNAP_EINVAL for sizes that selsnap_subset_open() refuses. */
int ssn_subset_open(struct ssn_mem *mem, uint64_t device_bytes, uint32_t block_bytes, selsnap_subset **ret_subset);
int ssn_subset_clone(struct ssn_mem *mem, const selsnap_subset *from, selsnap_subset **ret_subset);
void ssn_subset_close(selsnap_subset *subset);

/* SELSNAP_ERANGE outside the device; a count of 0 does nothing. Adding in ascending order costs O(1) each. */
int ssn_subset_add_blocks(selsnap_subset *subset, uint64_t first, uint64_t count);
int ssn_subset_remove_blocks(selsnap_subset *subset, uint64_t first, uint64_t count);
void ssn_subset_clear(selsnap_subset *subset);

/* By bytes, rounded as the public functions say: added outward, removed inward. */
int ssn_subset_add_bytes(selsnap_subset *subset, uint64_t offset, uint64_t len);
int ssn_subset_remove_bytes(selsnap_subset *subset, uint64_t offset, uint64_t len);
bool ssn_subset_contains_bytes(const selsnap_subset *subset, uint64_t offset, uint64_t len);

/* SELSNAP_EINVAL when the two are not of one device size and block size. `other` may be the same. */
int ssn_subset_union(selsnap_subset *subset, const selsnap_subset *other);
int ssn_subset_intersect(selsnap_subset *subset, const selsnap_subset *other);
int ssn_subset_subtract(selsnap_subset *subset, const selsnap_subset *other);
int ssn_subset_complement(selsnap_subset *subset);

bool ssn_subset_same_sizes(const selsnap_subset *a, const selsnap_subset *b);
bool ssn_subset_equal(const selsnap_subset *a, const selsnap_subset *b);
/* Whether all of the blocks are in the set; 0 blocks inside the device are. */
bool ssn_subset_contains_blocks(const selsnap_subset *subset, uint64_t first, uint64_t count);
/* The index of the first range that ends after the block; range_count if there is none. */
size_t ssn_subset_find(const selsnap_subset *subset, uint64_t block);
uint64_t ssn_subset_block_count(const selsnap_subset *subset);
uint64_t ssn_subset_byte_count(const selsnap_subset *subset);

/* The byte at which a block begins, or the device's end for the block after the last. */
static inline uint64_t ssn_subset_byte_of(const selsnap_subset *subset, uint64_t block) {
    return block < subset->block_count ? block * subset->block_bytes : subset->device_bytes;
}

#endif
