/* SPDX-License-Identifier: Apache-2.0 */
/* Subsets, against a plain array of flags and at the edges of 64 bits. */
#include "test.h"

#include "subset.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, MODEL_BLOCKS = 203, MODEL_TAIL = 777, SEED = 20240229 };

#define MODEL_BYTES ((uint64_t)(MODEL_BLOCKS - 1) * BLOCK + MODEL_TAIL)
#define HALF (UINT64_C(1) << 63)

/* A small generator of our own, so that a seed means the same everywhere. */
static uint64_t next_random(uint64_t *random) {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static void assert_invariants(const selsnap_subset *subset) {
    for (size_t i = 0; i < subset->range_count; i++) {
        const struct ssn_block_range *range = &subset->ranges[i];
        assert_true(range->count > 0);
        assert_true(range->first < subset->block_count && range->count <= subset->block_count - range->first);
        if (i > 0) {
            assert_true(range[-1].first + range[-1].count < range->first);
        }
    }
    assert_true(subset->range_count <= subset->capacity);
}

/* One flag a block. */
struct model {
    bool held[MODEL_BLOCKS];
};

static uint64_t model_end(size_t block) {
    return block + 1 == MODEL_BLOCKS ? MODEL_BYTES : (uint64_t)(block + 1) * BLOCK;
}

static void model_add(struct model *model, uint64_t offset, uint64_t len) {
    for (size_t i = 0; i < MODEL_BLOCKS; i++) {
        bool touched = len > 0 && model_end(i) > offset && (uint64_t)i * BLOCK < offset + len;
        model->held[i] = model->held[i] || touched;
    }
}

static void model_remove(struct model *model, uint64_t offset, uint64_t len) {
    for (size_t i = 0; i < MODEL_BLOCKS; i++) {
        bool inside = (uint64_t)i * BLOCK >= offset && model_end(i) <= offset + len;
        model->held[i] = model->held[i] && !inside;
    }
}

static bool model_contains(const struct model *model, uint64_t offset, uint64_t len) {
    for (size_t i = 0; i < MODEL_BLOCKS; i++) {
        bool touched = len > 0 && model_end(i) > offset && (uint64_t)i * BLOCK < offset + len;
        if (touched && !model->held[i]) {
            return false;
        }
    }
    return true;
}

static void assert_same(const selsnap_subset *subset, const struct model *model) {
    assert_invariants(subset);
    uint64_t blocks = 0;
    uint64_t bytes = 0;
    uint64_t ranges = 0;
    for (size_t i = 0; i < MODEL_BLOCKS; i++) {
        assert_int_equal(ssn_subset_contains_blocks(subset, i, 1), model->held[i]);
        blocks += model->held[i];
        bytes += model->held[i] ? model_end(i) - (uint64_t)i * BLOCK : 0;
        ranges += model->held[i] && (i == 0 || !model->held[i - 1]);
    }
    assert_true(selsnap_subset_block_count(subset) == blocks);
    assert_true(selsnap_subset_byte_count(subset) == bytes);
    assert_true(selsnap_subset_range_count(subset) == ranges);
    uint64_t seen = 0;
    selsnap_range range = {0, 0};
    while (selsnap_subset_next(subset, range.offset + range.len, &range) == SELSNAP_OK) {
        assert_true(model_contains(model, range.offset, range.len));
        seen += range.len;
    }
    assert_true(seen == bytes);
}

static void random_range(uint64_t *random, uint64_t *ret_offset, uint64_t *ret_len) {
    uint64_t offset = next_random(random) % (MODEL_BYTES + 1);
    uint64_t len = next_random(random) % (MODEL_BYTES - offset + 1);
    /* Mostly short ranges, often on block edges, now and then to the very end. */
    switch (next_random(random) % 8) {
    case 0:
        break;
    case 1:
        len = MODEL_BYTES - offset;
        break;
    case 2:
    case 3:
        offset -= offset % BLOCK;
        len = len % (4 * BLOCK);
        len -= len % BLOCK;
        break;
    default:
        len %= 6 * BLOCK;
    }
    *ret_offset = offset;
    *ret_len = len <= MODEL_BYTES - offset ? len : MODEL_BYTES - offset;
}

static void merge_both(selsnap_subset *set, struct model *model, const selsnap_subset *other,
                       const struct model *other_model, uint64_t which) {
    if (which == 0) {
        assert_ok(selsnap_subset_union(set, other));
    } else if (which == 1) {
        assert_ok(selsnap_subset_intersect(set, other));
    } else {
        assert_ok(selsnap_subset_subtract(set, other));
    }
    for (size_t i = 0; i < MODEL_BLOCKS; i++) {
        bool a = model->held[i];
        bool b = other_model->held[i];
        model->held[i] = which == 0 ? a || b : which == 1 ? a && b : a && !b;
    }
}

static void test_subset__random_operations__as_the_model(void **state) {
    (void)state;
    uint64_t random = SEED;
    selsnap_subset *sets[2] = {NULL, NULL};
    struct model models[2] = {{{false}}, {{false}}};
    assert_ok(selsnap_subset_open(MODEL_BYTES, BLOCK, &sets[0]));
    assert_ok(selsnap_subset_open(MODEL_BYTES, BLOCK, &sets[1]));
    for (int step = 0; step < 6000; step++) {
        size_t one = next_random(&random) % 2;
        uint64_t offset;
        uint64_t len;
        random_range(&random, &offset, &len);
        uint64_t what = next_random(&random) % 64;
        if (what < 30) {
            assert_ok(selsnap_subset_add(sets[one], offset, len));
            model_add(&models[one], offset, len);
        } else if (what < 56) {
            assert_ok(selsnap_subset_remove(sets[one], offset, len));
            model_remove(&models[one], offset, len);
        } else if (what < 62) {
            size_t other = what == 61 ? one : 1 - one;
            merge_both(sets[one], &models[one], sets[other], &models[other], what % 3);
        } else {
            assert_ok(selsnap_subset_complement(sets[one]));
            for (size_t i = 0; i < MODEL_BLOCKS; i++) {
                models[one].held[i] = !models[one].held[i];
            }
        }
        assert_same(sets[one], &models[one]);
        assert_int_equal(selsnap_subset_contains(sets[one], offset, len), model_contains(&models[one], offset, len));
    }
    selsnap_subset_close(sets[0]);
    selsnap_subset_close(sets[1]);
}

static void test_subset__sizes__checked_at_open(void **state) {
    (void)state;
    static const struct {
        uint64_t device_bytes;
        uint32_t block_bytes;
        int code;
    } cases[] = {
        {0, BLOCK, SELSNAP_EINVAL},
        {1, BLOCK, SELSNAP_OK},
        {1, 0, SELSNAP_EINVAL},
        {1, 2048, SELSNAP_EINVAL},
        {1, 12288, SELSNAP_EINVAL},
        {1, SELSNAP_BLOCK_SIZE_MAX, SELSNAP_OK},
        {1, SELSNAP_BLOCK_SIZE_MAX * 2, SELSNAP_EINVAL},
        {UINT64_MAX, BLOCK, SELSNAP_OK},
        {UINT64_MAX, SELSNAP_BLOCK_SIZE_MAX, SELSNAP_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        selsnap_subset *subset = NULL;
        assert_int_equal(selsnap_subset_open(cases[i].device_bytes, cases[i].block_bytes, &subset), cases[i].code);
        assert_int_equal(subset != NULL, cases[i].code == SELSNAP_OK);
        selsnap_subset_close(subset);
    }
}

static void test_subset__null_arguments__refused(void **state) {
    (void)state;
    selsnap_range range = {1, 2};
    selsnap_subset *subset = NULL;
    assert_int_equal(selsnap_subset_open(BLOCK, BLOCK, NULL), SELSNAP_EINVAL);
    assert_ok(selsnap_subset_open(BLOCK, BLOCK, &subset));
    assert_int_equal(selsnap_subset_add(NULL, 0, 1), SELSNAP_EINVAL);
    assert_int_equal(selsnap_subset_remove(NULL, 0, 1), SELSNAP_EINVAL);
    assert_int_equal(selsnap_subset_union(subset, NULL), SELSNAP_EINVAL);
    assert_int_equal(selsnap_subset_union(NULL, subset), SELSNAP_EINVAL);
    assert_int_equal(selsnap_subset_intersect(subset, NULL), SELSNAP_EINVAL);
    assert_int_equal(selsnap_subset_intersect(NULL, subset), SELSNAP_EINVAL);
    assert_int_equal(selsnap_subset_subtract(subset, NULL), SELSNAP_EINVAL);
    assert_int_equal(selsnap_subset_subtract(NULL, subset), SELSNAP_EINVAL);
    assert_int_equal(selsnap_subset_complement(NULL), SELSNAP_EINVAL);
    assert_int_equal(selsnap_subset_next(NULL, 0, &range), SELSNAP_EINVAL);
    assert_int_equal(selsnap_subset_next(subset, 0, NULL), SELSNAP_EINVAL);
    assert_int_equal(selsnap_subset_contains(NULL, 0, 0), 0);
    assert_true(selsnap_subset_block_count(NULL) == 0 && selsnap_subset_byte_count(NULL) == 0 &&
                selsnap_subset_range_count(NULL) == 0);
    selsnap_subset_close(NULL);
    selsnap_subset_close(subset);
}

static void test_subset__outside_the_device__refused_and_unchanged(void **state) {
    (void)state;
    static const uint64_t bad[][2] = {
        {MODEL_BYTES, 1},         {MODEL_BYTES + 1, 0}, {0, MODEL_BYTES + 1}, {1, UINT64_MAX},
        {UINT64_MAX, UINT64_MAX}, {UINT64_MAX, 1},      {HALF, HALF},
    };
    selsnap_subset *subset = NULL;
    assert_ok(selsnap_subset_open(MODEL_BYTES, BLOCK, &subset));
    assert_ok(selsnap_subset_add(subset, BLOCK, 1));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(selsnap_subset_add(subset, bad[i][0], bad[i][1]), SELSNAP_ERANGE);
        assert_int_equal(selsnap_subset_remove(subset, bad[i][0], bad[i][1]), SELSNAP_ERANGE);
        assert_int_equal(selsnap_subset_contains(subset, bad[i][0], bad[i][1]), 0);
    }
    assert_int_equal(ssn_subset_add_blocks(subset, MODEL_BLOCKS, 1), SELSNAP_ERANGE);
    assert_int_equal(ssn_subset_add_blocks(subset, 1, UINT64_MAX), SELSNAP_ERANGE);
    assert_int_equal(ssn_subset_remove_blocks(subset, UINT64_MAX, UINT64_MAX), SELSNAP_ERANGE);
    assert_false(ssn_subset_contains_blocks(subset, UINT64_MAX, 2));
    assert_true(selsnap_subset_block_count(subset) == 1);
    assert_ok(selsnap_subset_add(subset, MODEL_BYTES, 0));
    assert_ok(selsnap_subset_remove(subset, MODEL_BYTES, 0));
    assert_int_equal(selsnap_subset_contains(subset, MODEL_BYTES, 0), 1);
    selsnap_subset_close(subset);
}

static void test_subset__short_last_block__removed_only_whole(void **state) {
    (void)state;
    selsnap_subset *subset = NULL;
    assert_ok(selsnap_subset_open(MODEL_BYTES, BLOCK, &subset));
    assert_ok(selsnap_subset_add(subset, MODEL_BYTES - 1, 1));
    assert_true(selsnap_subset_byte_count(subset) == MODEL_TAIL);
    selsnap_range range = {0, 0};
    assert_ok(selsnap_subset_next(subset, 0, &range));
    assert_true(range.offset == MODEL_BYTES - MODEL_TAIL && range.len == MODEL_TAIL);
    assert_ok(selsnap_subset_remove(subset, MODEL_BYTES - MODEL_TAIL, MODEL_TAIL - 1));
    assert_ok(selsnap_subset_remove(subset, MODEL_BYTES - MODEL_TAIL + 1, MODEL_TAIL - 1));
    assert_true(selsnap_subset_block_count(subset) == 1);
    assert_ok(selsnap_subset_remove(subset, MODEL_BYTES - MODEL_TAIL, MODEL_TAIL));
    assert_true(selsnap_subset_block_count(subset) == 0);
    selsnap_subset_close(subset);
}

static void test_subset__next_inside_a_range__gives_the_rest(void **state) {
    (void)state;
    selsnap_subset *subset = NULL;
    assert_ok(selsnap_subset_open(MODEL_BYTES, BLOCK, &subset));
    selsnap_range range = {1, 2};
    assert_int_equal(selsnap_subset_next(subset, 0, &range), SELSNAP_ENOENT);
    assert_ok(selsnap_subset_add(subset, 2 * BLOCK, 3 * BLOCK));
    assert_int_equal(selsnap_subset_next(subset, 5 * BLOCK, &range), SELSNAP_ENOENT);
    assert_int_equal(selsnap_subset_next(subset, UINT64_MAX, &range), SELSNAP_ENOENT);
    assert_true(range.offset == 1 && range.len == 2);
    assert_ok(selsnap_subset_next(subset, 3 * BLOCK + 5, &range));
    assert_true(range.offset == 3 * BLOCK + 5 && range.len == 2 * BLOCK - 5);
    selsnap_subset_close(subset);
}

static void test_subset__different_sizes__not_merged(void **state) {
    (void)state;
    selsnap_subset *one = NULL;
    selsnap_subset *other = NULL;
    static const struct {
        uint64_t device_bytes;
        uint32_t block_bytes;
    } others[] = {{MODEL_BYTES - 1, BLOCK}, {MODEL_BYTES, 2 * BLOCK}};
    assert_ok(selsnap_subset_open(MODEL_BYTES, BLOCK, &one));
    assert_ok(selsnap_subset_add(one, 0, 1));
    for (size_t i = 0; i < 2; i++) {
        assert_ok(selsnap_subset_open(others[i].device_bytes, others[i].block_bytes, &other));
        assert_int_equal(selsnap_subset_union(one, other), SELSNAP_EINVAL);
        assert_int_equal(selsnap_subset_intersect(one, other), SELSNAP_EINVAL);
        assert_int_equal(selsnap_subset_subtract(one, other), SELSNAP_EINVAL);
        assert_false(ssn_subset_equal(one, other));
        selsnap_subset_close(other);
    }
    assert_true(selsnap_subset_block_count(one) == 1);
    selsnap_subset_close(one);
}

static void test_subset__largest_devices__no_overflow(void **state) {
    (void)state;
    static const uint64_t sizes[] = {HALF, HALF + 1, UINT64_MAX, UINT64_MAX - BLOCK + 2};
    static const uint32_t blocks[] = {BLOCK, SELSNAP_BLOCK_SIZE_MAX};
    for (size_t i = 0; i < 8; i++) {
        uint64_t size = sizes[i / 2];
        uint32_t block = blocks[i % 2];
        uint64_t tail = size % block == 0 ? block : size % block;
        selsnap_subset *subset = NULL;
        assert_ok(selsnap_subset_open(size, block, &subset));
        assert_ok(selsnap_subset_complement(subset));
        assert_true(selsnap_subset_byte_count(subset) == size);
        assert_int_equal(selsnap_subset_contains(subset, 0, size), 1);
        assert_ok(selsnap_subset_remove(subset, 0, size - 1));
        assert_true(selsnap_subset_block_count(subset) == 1);
        assert_true(selsnap_subset_byte_count(subset) == tail);
        assert_int_equal(selsnap_subset_contains(subset, size - tail, tail), 1);
        assert_int_equal(selsnap_subset_contains(subset, size - tail - 1, 1), 0);
        selsnap_range range = {0, 0};
        assert_ok(selsnap_subset_next(subset, 0, &range));
        assert_true(range.offset == size - tail && range.len == tail);
        assert_int_equal(selsnap_subset_next(subset, range.offset + range.len, &range), SELSNAP_ENOENT);
        assert_ok(selsnap_subset_complement(subset));
        assert_true(selsnap_subset_byte_count(subset) == size - tail);
        assert_invariants(subset);
        selsnap_subset_close(subset);
    }
}

static void test_subset__a_million_ranges_in_order__held(void **state) {
    (void)state;
    const uint64_t count = 1000000;
    selsnap_subset *subset = NULL;
    assert_ok(selsnap_subset_open(2 * count * BLOCK, BLOCK, &subset));
    for (uint64_t i = 0; i < count; i++) {
        assert_ok(selsnap_subset_add(subset, 2 * i * BLOCK, BLOCK));
    }
    assert_true(selsnap_subset_range_count(subset) == count);
    assert_true(ssn_subset_find(subset, 2 * (count / 2) + 1) == count / 2 + 1);
    assert_ok(selsnap_subset_complement(subset));
    assert_true(selsnap_subset_block_count(subset) == count);
    assert_invariants(subset);
    selsnap_subset_close(subset);
}

static void test_subset__random_order__same_as_in_order(void **state) {
    (void)state;
    const uint64_t count = 20011; /* a prime, so that a step visits all */
    selsnap_subset *ordered = NULL;
    selsnap_subset *shuffled = NULL;
    selsnap_subset *copy = NULL;
    assert_ok(selsnap_subset_open(2 * count * BLOCK, BLOCK, &ordered));
    assert_ok(selsnap_subset_open(2 * count * BLOCK, BLOCK, &shuffled));
    for (uint64_t i = 0; i < count; i++) {
        assert_ok(ssn_subset_add_blocks(ordered, 2 * i, 1));
        assert_ok(ssn_subset_add_blocks(shuffled, 2 * (i * 7919 % count), 1));
    }
    assert_true(ssn_subset_equal(ordered, shuffled));
    assert_ok(ssn_subset_clone(NULL, ordered, &copy));
    assert_true(ssn_subset_equal(ordered, copy));
    assert_ok(ssn_subset_remove_blocks(copy, 0, 1));
    assert_false(ssn_subset_equal(ordered, copy));
    ssn_subset_clear(copy);
    assert_true(ssn_subset_block_count(copy) == 0);
    selsnap_subset_close(ordered);
    selsnap_subset_close(shuffled);
    selsnap_subset_close(copy);
}

/* An allocator that gives `left` times more. */
static void *limited_alloc(void *user, size_t len) {
    int *left = user;
    return (*left)-- > 0 ? malloc(len) : NULL;
}

static void *limited_resize(void *user, void *memory, size_t len) {
    int *left = user;
    return (*left)-- > 0 ? realloc(memory, len) : NULL;
}

static void limited_release(void *user, void *memory) {
    (void)user;
    free(memory);
}

static int change(selsnap_subset *subset, const selsnap_subset *other, int how) {
    switch (how) {
    case 0:
        return ssn_subset_union(subset, other);
    case 1:
        return ssn_subset_intersect(subset, other);
    case 2:
        return ssn_subset_subtract(subset, other);
    case 3:
        return ssn_subset_complement(subset);
    case 4:
        return ssn_subset_add_blocks(subset, 1, 1);
    default:
        return ssn_subset_remove_blocks(subset, 5, 1);
    }
}

static void test_subset__no_memory__unchanged(void **state) {
    (void)state;
    int left = INT32_MAX;
    const selsnap_allocator allocator = {limited_alloc, limited_resize, limited_release, &left};
    struct ssn_mem mem;
    ssn_mem_init(&mem, &allocator, 0);
    selsnap_subset *other = NULL;
    assert_ok(ssn_subset_open(NULL, MODEL_BYTES, BLOCK, &other));
    for (uint64_t i = 0; i < MODEL_BLOCKS / 6; i++) {
        assert_ok(ssn_subset_add_blocks(other, 6 * i + 2, 3));
    }
    for (int how = 0; how < 6; how++) {
        selsnap_subset *subset = NULL;
        assert_ok(ssn_subset_open(&mem, MODEL_BYTES, BLOCK, &subset));
        /* Exactly as many as there is room for, so that one more needs memory. */
        for (uint64_t i = 0; subset->range_count < subset->capacity || i == 0; i++) {
            assert_ok(ssn_subset_add_blocks(subset, 4 * i + 4, 3));
        }
        selsnap_subset *before = NULL;
        assert_ok(ssn_subset_clone(NULL, subset, &before));
        int failures = 0;
        for (int code = SELSNAP_ENOMEM; code != SELSNAP_OK; failures++) {
            left = failures;
            code = change(subset, other, how);
            assert_true(code == SELSNAP_OK || code == SELSNAP_ENOMEM);
            assert_int_equal(ssn_subset_equal(subset, before), code != SELSNAP_OK);
        }
        assert_true(failures > 1);
        left = 0;
        selsnap_subset *copy = NULL;
        assert_int_equal(ssn_subset_clone(&mem, subset, &copy), SELSNAP_ENOMEM);
        left = 1;
        assert_int_equal(ssn_subset_clone(&mem, subset, &copy), SELSNAP_ENOMEM);
        assert_null(copy);
        left = INT32_MAX;
        assert_invariants(subset);
        ssn_subset_close(subset);
        ssn_subset_close(before);
        assert_true(ssn_mem_current(&mem) == 0);
    }
    ssn_subset_close(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subset__random_operations__as_the_model),
        cmocka_unit_test(test_subset__sizes__checked_at_open),
        cmocka_unit_test(test_subset__null_arguments__refused),
        cmocka_unit_test(test_subset__outside_the_device__refused_and_unchanged),
        cmocka_unit_test(test_subset__short_last_block__removed_only_whole),
        cmocka_unit_test(test_subset__next_inside_a_range__gives_the_rest),
        cmocka_unit_test(test_subset__different_sizes__not_merged),
        cmocka_unit_test(test_subset__largest_devices__no_overflow),
        cmocka_unit_test(test_subset__a_million_ranges_in_order__held),
        cmocka_unit_test(test_subset__random_order__same_as_in_order),
        cmocka_unit_test(test_subset__no_memory__unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
