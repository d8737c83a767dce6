/* SPDX-License-Identifier: Apache-2.0 */
/* The exported subset functions: arguments are checked here, the rest is done by the subset itself. */
#include "subset.h"

int selsnap_subset_open(uint64_t device_bytes, uint32_t block_bytes, selsnap_subset **ret_subset) {
    if (ret_subset == NULL) {
        return SELSNAP_EINVAL;
    }
    return ssn_subset_open(NULL, device_bytes, block_bytes, ret_subset);
}

void selsnap_subset_close(selsnap_subset *subset) {
    ssn_subset_close(subset);
}

int selsnap_subset_add(selsnap_subset *subset, uint64_t offset, uint64_t len) {
    return subset == NULL ? SELSNAP_EINVAL : ssn_subset_add_bytes(subset, offset, len);
}

int selsnap_subset_remove(selsnap_subset *subset, uint64_t offset, uint64_t len) {
    return subset == NULL ? SELSNAP_EINVAL : ssn_subset_remove_bytes(subset, offset, len);
}

int selsnap_subset_union(selsnap_subset *subset, const selsnap_subset *other) {
    return subset == NULL || other == NULL ? SELSNAP_EINVAL : ssn_subset_union(subset, other);
}

int selsnap_subset_intersect(selsnap_subset *subset, const selsnap_subset *other) {
    return subset == NULL || other == NULL ? SELSNAP_EINVAL : ssn_subset_intersect(subset, other);
}

int selsnap_subset_subtract(selsnap_subset *subset, const selsnap_subset *other) {
    return subset == NULL || other == NULL ? SELSNAP_EINVAL : ssn_subset_subtract(subset, other);
}

int selsnap_subset_complement(selsnap_subset *subset) {
    return subset == NULL ? SELSNAP_EINVAL : ssn_subset_complement(subset);
}

int selsnap_subset_contains(const selsnap_subset *subset, uint64_t offset, uint64_t len) {
    return subset != NULL && ssn_subset_contains_bytes(subset, offset, len) ? 1 : 0;
}

int selsnap_subset_next(const selsnap_subset *subset, uint64_t from, selsnap_range *ret_range) {
    if (subset == NULL || ret_range == NULL) {
        return SELSNAP_EINVAL;
    }
    if (from >= subset->device_bytes) {
        return SELSNAP_ENOENT;
    }
    size_t i = ssn_subset_find(subset, from / subset->block_bytes);
    if (i == subset->range_count) {
        return SELSNAP_ENOENT;
    }
    const struct ssn_block_range *range = &subset->ranges[i];
    uint64_t begin = ssn_subset_byte_of(subset, range->first);
    ret_range->offset = begin > from ? begin : from;
    ret_range->len = ssn_subset_byte_of(subset, range->first + range->count) - ret_range->offset;
    return SELSNAP_OK;
}

uint64_t selsnap_subset_block_count(const selsnap_subset *subset) {
    return subset != NULL ? ssn_subset_block_count(subset) : 0;
}

uint64_t selsnap_subset_byte_count(const selsnap_subset *subset) {
    return subset != NULL ? ssn_subset_byte_count(subset) : 0;
}

uint64_t selsnap_subset_range_count(const selsnap_subset *subset) {
    return subset != NULL ? subset->range_count : 0;
}
