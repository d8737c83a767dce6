/* SPDX-License-Identifier: Apache-2.0 */
/* Building trees and looking up in them, against a sorted array. */
#include "tree_rig.h"

enum { SMALL_CACHE = 0 /* the least there is: 64 pages */, BIG_CACHE = 64 << 20 };

static void fill_ascending(struct rig *rig, uint64_t count, uint16_t len) {
    uint64_t base = rig->entry_count;
    for (uint64_t i = 0; i < count; i++) {
        rig_change(rig, ssn_key_make(8, base + i, 7), len, 1);
    }
    assert_ok(rig_build(rig));
}

static void test_tree__empty__finds_nothing(void **state) {
    (void)state;
    struct rig *rig = rig_open(200, SMALL_CACHE, 1);
    rig_check_all(rig);
    assert_ok(rig_build(rig));
    assert_true(rig->root.place == 0 && rig->last.pages_written == 0);
    rig_change(rig, ssn_key_make(1, 1, 1), 0, 0);
    assert_ok(rig_build(rig));
    assert_true(rig->root.place == 0 && rig->last.pages_written == 0);
    rig_close(rig);
}

static void test_tree__one_item__is_a_leaf(void **state) {
    (void)state;
    struct rig *rig = rig_open(200, SMALL_CACHE, 1);
    rig_change(rig, ssn_key_make(8, 5, 5), SSN_VALUE_MAX, 1);
    assert_ok(rig_build(rig));
    assert_true(rig->root.level == 0 && rig->last.pages_written == 1);
    rig_check_all(rig);
    rig_change(rig, ssn_key_make(8, 5, 5), 0, 0);
    assert_ok(rig_build(rig));
    assert_true(rig->root.place == 0);
    rig_check_all(rig);
    rig_close(rig);
}

static void test_tree__no_change__keeps_the_root(void **state) {
    (void)state;
    struct rig *rig = rig_open(2000, SMALL_CACHE, 1);
    fill_ascending(rig, 3000, 24);
    struct ssn_root root = rig->root;
    assert_ok(rig_build(rig));
    assert_true(rig->root.place == root.place && rig->root.checksum == root.checksum);
    assert_true(rig->last.pages_written == 0);
    rig_close(rig);
}

/* Changes keys out of `range`; values of up to `len_most` bytes; `deletes` of 100 changes delete. */
static void random_batch(struct rig *rig, size_t count, uint64_t range, uint16_t len_most, uint64_t deletes) {
    for (size_t i = 0; i < count; i++) {
        uint64_t n = rig_random(rig, range);
        struct ssn_key key = ssn_key_make((uint8_t)(1 + n % 3), n * 3, n % 2 == 0 ? 5 : UINT64_MAX - 5);
        bool is_delete = rig_random(rig, 100) < deletes;
        uint16_t len = (uint16_t)rig_random(rig, (uint64_t)len_most + 1);
        rig_change(rig, key, len, is_delete ? 0 : 1 + (uint32_t)rig_random(rig, 1000000));
    }
    assert_ok(rig_build(rig));
}

static void random_batches(uint64_t seed, uint64_t range, uint16_t len_most, uint64_t cache_bytes) {
    printf("# seed %u, range %u, values up to %u\n", (unsigned)seed, (unsigned)range, len_most);
    struct rig *rig = rig_open(30000, cache_bytes, seed);
    for (unsigned round = 0; round < 60; round++) {
        size_t count = (size_t)1 << rig_random(rig, 12);
        uint64_t deletes = round < 40 ? rig_random(rig, 60) : 90;
        rig->take_most = 1 + rig_random(rig, 70);
        random_batch(rig, count, range, len_most, deletes);
        if (round % 6 == 0) {
            rig_check_all(rig);
        }
    }
    rig_check_all(rig);
    for (size_t i = 0; i < rig->entry_count; i++) {
        rig_change(rig, rig->entries[i].key, 0, 0);
    }
    assert_ok(rig_build(rig));
    assert_true(rig->root.place == 0 && rig->tree_pages == 0 && rig->tree_leaves == 0);
    rig_close(rig);
}

static void test_tree__random_batches__equal_the_model(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed += test_share()) {
        random_batches(seed, 20000, 60, SMALL_CACHE);
        random_batches(seed, 500, 60, BIG_CACHE);
        random_batches(seed, 6000, SSN_VALUE_MAX, SMALL_CACHE);
    }
}

static void test_tree__largest_values__deep_tree_equals_the_model(void **state) {
    (void)state;
    struct rig *rig = rig_open(80000, SMALL_CACHE, 3);
    for (uint64_t i = 0; i < 45000; i++) { /* fewer would not be as deep */
        rig_change(rig, ssn_key_make(8, i * 2, 0), SSN_VALUE_MAX, 1);
    }
    assert_ok(rig_build(rig));
    assert_true(rig->root.level == 3);
    for (unsigned i = 0; i < 2000; i++) {
        struct ssn_key key = ssn_key_make(8, rig_random(rig, 90010), rig_random(rig, 2));
        rig_check_key(rig, &key);
    }
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 10; i++) {
            uint64_t n = rig_random(rig, 90000);
            rig_change(rig, ssn_key_make(8, n, 0), SSN_VALUE_MAX, i % 3 == 0 ? 0 : round + 2);
        }
        assert_ok(rig_build(rig));
    }
    rig_close(rig);
}

static void test_tree__deleted_piece_by_piece__shrinks_to_nothing(void **state) {
    (void)state;
    static const char *const orders[] = {"front", "back", "random"};
    for (unsigned order = 0; order < 3; order++) {
        printf("# from the %s\n", orders[order]);
        struct rig *rig = rig_open(4000, SMALL_CACHE, 9);
        fill_ascending(rig, 20000, 24);
        while (rig->entry_count > 0) {
            size_t count = rig->entry_count < 700 ? rig->entry_count : 700;
            for (size_t i = 0; i < count; i++) {
                size_t at = order == 0 ? i : rig->entry_count - 1 - i;
                at = order == 2 ? (size_t)rig_random(rig, rig->entry_count) : at;
                rig_change(rig, rig->entries[at].key, 0, 0);
            }
            assert_ok(rig_build(rig));
            assert_true(rig_fill(rig) >= 33 || rig->tree_leaves <= 2);
        }
        assert_true(rig->root.place == 0);
        rig_close(rig);
    }
}

static void test_tree__one_change__writes_height_and_few(void **state) {
    (void)state;
    struct rig *rig = rig_open(20000, BIG_CACHE, 5);
    const unsigned changes = 1000 / test_share();
    for (uint64_t i = 0; i < 100 * changes; i++) {
        rig_change(rig, ssn_key_make(8, rig_random(rig, UINT64_C(1) << 40), 7), 24, 1);
    }
    assert_ok(rig_build(rig));
    uint64_t height = rig->root.level + 1;
    uint64_t total = 0;
    uint64_t most = 0;
    for (unsigned i = 0; i < changes; i++) {
        uint64_t n = rig_random(rig, UINT64_C(1) << 40);
        if (i % 4 == 0) {
            rig_change(rig, rig->entries[rig_random(rig, rig->entry_count)].key, 0, 0);
        } else {
            rig_change(rig, ssn_key_make(8, n, 7), 24, 2);
        }
        assert_ok(rig_build(rig));
        total += rig->last.pages_written;
        most = ssn_max_u64(most, rig->last.pages_written);
    }
    printf("# height %u; pages written for one change: %.2f on average, at most %u\n", (unsigned)height,
           (double)total / changes, (unsigned)most);
    assert_true(most <= height + 3);
    rig_close(rig);
}

static void test_tree__ascending__pages_are_full(void **state) {
    (void)state;
    static const unsigned batches[] = {1, 10, 100, 3000};
    for (unsigned b = 0; b < 4; b++) {
        struct rig *rig = rig_open(4000, BIG_CACHE, 5);
        /* What follows in the order of keys, as overlays and jobs follow entries. */
        rig_change(rig, ssn_key_make(10, 1, 0), 40, 1);
        rig_change(rig, ssn_key_make(12, 0, 0), 48, 1);
        assert_ok(rig_build(rig));
        uint64_t next = 0;
        for (unsigned i = 0; i < test_share_of(b == 0 ? 3000 : 9000, 1200) / batches[b] + 1; i++) {
            for (unsigned k = 0; k < batches[b]; k++) {
                rig_change(rig, ssn_key_make(8, next++, 7), 24, 1);
            }
            assert_ok(rig_build(rig));
        }
        printf("# batches of %u: fill %u %%\n", batches[b], (unsigned)rig_fill(rig));
        assert_true(rig_fill(rig) > 90);
        rig_close(rig);
    }
}

static void test_tree__random_order__pages_are_mostly_full(void **state) {
    (void)state;
    static const unsigned batches[] = {1, 10, 100, 3000};
    for (unsigned b = 0; b < 4; b++) {
        struct rig *rig = rig_open(4000, BIG_CACHE, 5);
        uint64_t written = 0;
        unsigned count = (b == 0 ? 5000 : 30000) / test_share();
        for (unsigned i = 0; i < count / batches[b] + 1; i++) {
            for (unsigned k = 0; k < batches[b]; k++) {
                rig_change(rig, ssn_key_make(8, rig_random(rig, UINT64_C(1) << 40), 7), 24, 1);
            }
            assert_ok(rig_build(rig));
            written += rig->last.pages_written;
        }
        printf("# batches of %u: fill %u %%, %.2f pages written an item\n", batches[b], (unsigned)rig_fill(rig),
               (double)written / count);
        assert_true(rig_fill(rig) > 60);
        rig_close(rig);
    }
}

/* ---- failures ---- */

static void test_build__no_space_at_any_point__old_tree_stays(void **state) {
    (void)state;
    struct rig *rig = rig_open(3000, SMALL_CACHE, 7);
    random_batch(rig, 4000, 20000, 100, 0);
    uint8_t *before = malloc((size_t)rig->page_count);
    assert_non_null(before);
    memcpy(before, rig->use, (size_t)rig->page_count);
    int rc = SELSNAP_ENOSPACE;
    for (uint64_t room = 0; rc != SELSNAP_OK; room++) {
        uint64_t left = room;
        for (uint64_t i = RIG_FIRST_PLACE; i < rig->page_count; i++) {
            if (rig->use[i] == RIG_FREE) {
                rig->use[i] = left > 0 ? RIG_FREE : RIG_GIVEN;
                left -= left > 0;
            }
        }
        for (uint64_t n = 0; n < 20000; n += 50) {
            rig_change(rig, ssn_key_make(2, n, 5), 50, 1);
        }
        rc = rig_build(rig);
        if (rc != SELSNAP_OK) {
            assert_int_equal(rc, SELSNAP_ENOSPACE);
            memcpy(rig->use, before, (size_t)rig->page_count);
            rig_walk(rig, &rig->root);
            assert_true(rig->walked_bad == 0 && rig->walked_items == rig->entry_count);
        }
    }
    rig_check_all(rig);
    free(before);
    rig_close(rig);
}

static void test_build__no_memory_at_any_limit__fails_cleanly(void **state) {
    (void)state;
    struct rig *rig = rig_open(3000, SMALL_CACHE, 7);
    random_batch(rig, 4000, 20000, 100, 0);
    uint64_t current = ssn_mem_current(&rig->mem);
    unsigned failures = 0;
    int rc = SELSNAP_ENOMEM;
    for (uint64_t more = 1; rc != SELSNAP_OK; more += 5000) {
        rig->mem.limit = current + more;
        rig_change(rig, ssn_key_make(2, 77, 5), 50, 1);
        rc = rig_build(rig);
        assert_true(rc == SELSNAP_OK || rc == SELSNAP_ENOMEM);
        failures += rc != SELSNAP_OK;
        for (uint64_t i = 0; rc != SELSNAP_OK && i < rig->page_count; i++) {
            rig->use[i] = rig->seen[i] ? RIG_USED : RIG_FREE;
        }
    }
    assert_true(failures > 3);
    rig->mem.limit = 0;
    rig_check_all(rig);
    rig_close(rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree__empty__finds_nothing),
        cmocka_unit_test(test_tree__one_item__is_a_leaf),
        cmocka_unit_test(test_tree__no_change__keeps_the_root),
        cmocka_unit_test(test_tree__random_batches__equal_the_model),
        cmocka_unit_test(test_tree__largest_values__deep_tree_equals_the_model),
        cmocka_unit_test(test_tree__deleted_piece_by_piece__shrinks_to_nothing),
        cmocka_unit_test(test_tree__one_change__writes_height_and_few),
        cmocka_unit_test(test_tree__ascending__pages_are_full),
        cmocka_unit_test(test_tree__random_order__pages_are_mostly_full),
        cmocka_unit_test(test_build__no_space_at_any_point__old_tree_stays),
        cmocka_unit_test(test_build__no_memory_at_any_limit__fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
