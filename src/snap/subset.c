/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See subset.h. Single ranges are found by binary search and changed in place; whole sets are merged into a new array,
 * so that `other` may be the set itself and a failure changes nothing.
 */
#include "subset.h"

#include "bytes.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 8 };

static void *memory_resize(struct ssn_mem *mem, void *memory, size_t len) {
    return mem != NULL ? ssn_realloc(mem, memory, len) : realloc(memory, len);
}

static void memory_release(struct ssn_mem *mem, void *memory) {
    if (mem != NULL) {
        ssn_free(mem, memory);
    } else {
        free(memory);
    }
}

static uint64_t end_of(const struct ssn_block_range *range) {
    return range->first + range->count;
}

/* Room for `wanted` ranges; false, with nothing changed, when there is no memory. */
static bool reserve(selsnap_subset *subset, size_t wanted) {
    if (wanted <= subset->capacity) {
        return true;
    }
    size_t capacity = subset->capacity + subset->capacity / 2;
    capacity = capacity < CAPACITY_MIN ? CAPACITY_MIN : capacity;
    capacity = capacity < wanted ? wanted : capacity;
    if (capacity > SIZE_MAX / 2 / sizeof *subset->ranges) {
        return false;
    }
    void *ranges = memory_resize(subset->mem, subset->ranges, capacity * sizeof *subset->ranges);
    if (ranges == NULL) {
        return false;
    }
    subset->ranges = ranges;
    subset->capacity = capacity;
    return true;
}

int ssn_subset_open(struct ssn_mem *mem, uint64_t device_bytes, uint32_t block_bytes, selsnap_subset **ret_subset) {
    if (device_bytes == 0 || !ssn_is_power_of_2(block_bytes) || block_bytes < SELSNAP_BLOCK_SIZE_MIN ||
        block_bytes > SELSNAP_BLOCK_SIZE_MAX) {
        return SELSNAP_EINVAL;
    }
    selsnap_subset *subset = memory_resize(mem, NULL, sizeof *subset);
    if (subset == NULL) {
        return SELSNAP_ENOMEM;
    }
    *subset = (selsnap_subset){
        .mem = mem,
        .device_bytes = device_bytes,
        .block_bytes = block_bytes,
        .block_count = ssn_div_up(device_bytes, block_bytes),
    };
    *ret_subset = subset;
    return SELSNAP_OK;
}

int ssn_subset_clone(struct ssn_mem *mem, const selsnap_subset *from, selsnap_subset **ret_subset) {
    selsnap_subset *subset = NULL;
    int code = ssn_subset_open(mem, from->device_bytes, from->block_bytes, &subset);
    if (code != SELSNAP_OK) {
        return code;
    }
    if (!reserve(subset, from->range_count)) {
        ssn_subset_close(subset);
        return SELSNAP_ENOMEM;
    }
    if (from->range_count > 0) {
        memcpy(subset->ranges, from->ranges, from->range_count * sizeof *from->ranges);
        subset->range_count = from->range_count;
    }
    *ret_subset = subset;
    return SELSNAP_OK;
}

void ssn_subset_close(selsnap_subset *subset) {
    if (subset == NULL) {
        return;
    }
    memory_release(subset->mem, subset->ranges);
    memory_release(subset->mem, subset);
}

void ssn_subset_clear(selsnap_subset *subset) {
    subset->range_count = 0;
}

size_t ssn_subset_find(const selsnap_subset *subset, uint64_t block) {
    size_t low = 0;
    size_t high = subset->range_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (end_of(&subset->ranges[middle]) > block) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* The index of the first range, from `low` on, that begins at the block or after it. */
static size_t find_begin(const selsnap_subset *subset, size_t low, uint64_t block) {
    size_t high = subset->range_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (subset->ranges[middle].first >= block) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* Puts `count` ranges in the place of those in [from, to). There is room. */
static void replace(selsnap_subset *subset, size_t from, size_t to, const struct ssn_block_range *ranges,
                    size_t count) {
    size_t tail = subset->range_count - to;
    if (tail > 0 && from + count != to) {
        memmove(&subset->ranges[from + count], &subset->ranges[to], tail * sizeof *ranges);
    }
    for (size_t i = 0; i < count; i++) {
        subset->ranges[from + i] = ranges[i];
    }
    subset->range_count = from + count + tail;
}

int ssn_subset_add_blocks(selsnap_subset *subset, uint64_t first, uint64_t count) {
    if (!ssn_range_inside(first, count, subset->block_count)) {
        return SELSNAP_ERANGE;
    }
    if (count == 0) {
        return SELSNAP_OK;
    }
    uint64_t end = first + count;
    /* [from, to) are the ranges that the new one touches or meets. What is added in order comes after all but the last.
     */
    size_t last = subset->range_count == 0 ? 0 : subset->range_count - 1;
    bool at_end = subset->range_count == 0 || subset->ranges[last].first <= first;
    size_t from = at_end ? last : ssn_subset_find(subset, first == 0 ? 0 : first - 1);
    if (at_end && subset->range_count > 0 && end_of(&subset->ranges[last]) < first) {
        from = subset->range_count;
    }
    size_t to = at_end ? subset->range_count : find_begin(subset, from, end + 1);
    struct ssn_block_range merged = {first, count};
    if (from < to) {
        merged.first = ssn_min_u64(first, subset->ranges[from].first);
        merged.count = ssn_max_u64(end, end_of(&subset->ranges[to - 1])) - merged.first;
    } else if (!reserve(subset, subset->range_count + 1)) {
        return SELSNAP_ENOMEM;
    }
    replace(subset, from, to, &merged, 1);
    return SELSNAP_OK;
}

int ssn_subset_remove_blocks(selsnap_subset *subset, uint64_t first, uint64_t count) {
    if (!ssn_range_inside(first, count, subset->block_count)) {
        return SELSNAP_ERANGE;
    }
    uint64_t end = first + count;
    size_t from = ssn_subset_find(subset, first);
    size_t to = find_begin(subset, from, end);
    if (count == 0 || from == to) {
        return SELSNAP_OK;
    }
    struct ssn_block_range left[2];
    size_t left_count = 0;
    uint64_t old_first = subset->ranges[from].first;
    uint64_t old_end = end_of(&subset->ranges[to - 1]);
    if (old_first < first) {
        left[left_count++] = (struct ssn_block_range){old_first, first - old_first};
    }
    if (old_end > end) {
        left[left_count++] = (struct ssn_block_range){end, old_end - end};
    }
    if (!reserve(subset, subset->range_count - (to - from) + left_count)) {
        return SELSNAP_ENOMEM;
    }
    replace(subset, from, to, left, left_count);
    return SELSNAP_OK;
}

int ssn_subset_add_bytes(selsnap_subset *subset, uint64_t offset, uint64_t len) {
    if (!ssn_range_inside(offset, len, subset->device_bytes)) {
        return SELSNAP_ERANGE;
    }
    if (len == 0) {
        return SELSNAP_OK;
    }
    uint64_t first = offset / subset->block_bytes;
    uint64_t last = (offset + len - 1) / subset->block_bytes;
    return ssn_subset_add_blocks(subset, first, last - first + 1);
}

int ssn_subset_remove_bytes(selsnap_subset *subset, uint64_t offset, uint64_t len) {
    if (!ssn_range_inside(offset, len, subset->device_bytes)) {
        return SELSNAP_ERANGE;
    }
    uint64_t first = ssn_div_up(offset, subset->block_bytes);
    /* A range that reaches the end of the device holds all of a short last block. */
    uint64_t end = offset + len == subset->device_bytes ? subset->block_count : (offset + len) / subset->block_bytes;
    return len == 0 || first >= end ? SELSNAP_OK : ssn_subset_remove_blocks(subset, first, end - first);
}

bool ssn_subset_contains_blocks(const selsnap_subset *subset, uint64_t first, uint64_t count) {
    if (!ssn_range_inside(first, count, subset->block_count)) {
        return false;
    }
    if (count == 0) {
        return true;
    }
    size_t i = ssn_subset_find(subset, first);
    return i < subset->range_count && subset->ranges[i].first <= first && end_of(&subset->ranges[i]) >= first + count;
}

bool ssn_subset_contains_bytes(const selsnap_subset *subset, uint64_t offset, uint64_t len) {
    if (!ssn_range_inside(offset, len, subset->device_bytes)) {
        return false;
    }
    if (len == 0) {
        return true;
    }
    uint64_t first = offset / subset->block_bytes;
    uint64_t last = (offset + len - 1) / subset->block_bytes;
    return ssn_subset_contains_blocks(subset, first, last - first + 1);
}

bool ssn_subset_same_sizes(const selsnap_subset *a, const selsnap_subset *b) {
    return a->device_bytes == b->device_bytes && a->block_bytes == b->block_bytes;
}

bool ssn_subset_equal(const selsnap_subset *a, const selsnap_subset *b) {
    /* Ranges have no padding, and each set has one form only. */
    return ssn_subset_same_sizes(a, b) && a->range_count == b->range_count &&
           (a->range_count == 0 || memcmp(a->ranges, b->ranges, a->range_count * sizeof *a->ranges) == 0);
}

uint64_t ssn_subset_block_count(const selsnap_subset *subset) {
    uint64_t count = 0;
    for (size_t i = 0; i < subset->range_count; i++) {
        count += subset->ranges[i].count;
    }
    return count;
}

uint64_t ssn_subset_byte_count(const selsnap_subset *subset) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < subset->range_count; i++) {
        const struct ssn_block_range *range = &subset->ranges[i];
        bytes += ssn_subset_byte_of(subset, end_of(range)) - ssn_subset_byte_of(subset, range->first);
    }
    return bytes;
}

/* Which blocks a merge keeps, by whether they are in the first set, in the second, in both. */
struct keep {
    bool first;
    bool second;
    bool both;
};

/* The next place after `block` where one of the set's ranges begins or ends, and whether `block` is in the set. */
static uint64_t next_edge(const selsnap_subset *subset, size_t *index, uint64_t block, bool *ret_inside) {
    while (*index < subset->range_count && end_of(&subset->ranges[*index]) <= block) {
        (*index)++;
    }
    *ret_inside = false;
    if (*index == subset->range_count) {
        return subset->block_count;
    }
    const struct ssn_block_range *range = &subset->ranges[*index];
    *ret_inside = range->first <= block;
    return *ret_inside ? end_of(range) : range->first;
}

/* One pass over the edges of both sets. */
static int merge(selsnap_subset *subset, const selsnap_subset *other, struct keep keep) {
    if (!ssn_subset_same_sizes(subset, other)) {
        return SELSNAP_EINVAL;
    }
    selsnap_subset merged = *subset;
    merged.ranges = NULL;
    merged.range_count = 0;
    merged.capacity = 0;
    size_t a = 0;
    size_t b = 0;
    for (uint64_t block = 0; block < subset->block_count;) {
        bool in_a = false;
        bool in_b = false;
        uint64_t next = next_edge(subset, &a, block, &in_a);
        next = ssn_min_u64(next, next_edge(other, &b, block, &in_b));
        bool kept = in_a && in_b ? keep.both : (in_a && keep.first) || (in_b && keep.second);
        if (kept && ssn_subset_add_blocks(&merged, block, next - block) != SELSNAP_OK) {
            memory_release(merged.mem, merged.ranges);
            return SELSNAP_ENOMEM;
        }
        block = next;
    }
    memory_release(subset->mem, subset->ranges);
    *subset = merged;
    return SELSNAP_OK;
}

int ssn_subset_union(selsnap_subset *subset, const selsnap_subset *other) {
    return merge(subset, other, (struct keep){true, true, true});
}

int ssn_subset_intersect(selsnap_subset *subset, const selsnap_subset *other) {
    return merge(subset, other, (struct keep){false, false, true});
}

int ssn_subset_subtract(selsnap_subset *subset, const selsnap_subset *other) {
    return merge(subset, other, (struct keep){true, false, false});
}

int ssn_subset_complement(selsnap_subset *subset) {
    selsnap_subset whole = *subset;
    struct ssn_block_range all = {0, subset->block_count};
    whole.ranges = &all;
    whole.range_count = 1;
    whole.capacity = 1;
    return merge(subset, &whole, (struct keep){false, true, false});
}
