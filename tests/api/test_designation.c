/* SPDX-License-Identifier: Apache-2.0 */
/* Subsets saved in the store: whole or not at all, never changed, dropped when nobody refers to them. */
#include "dump.h"
#include "rig.h"
#include "sparsedev.h"
#include "testdev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 6000 }; /* ranges: more than one transaction carries */

static const struct rig_options BIG = {.origin_bytes = (uint64_t)4 * MANY * 4096, .blank = true};

/* `count` single blocks, from first on, with gaps. */
static selsnap_subset *comb(selsnap *ss, uint64_t first, uint64_t count, uint64_t gap) {
    selsnap_subset *subset = NULL;
    assert_ok(selsnap_subset_open_for(ss, &subset));
    for (uint64_t i = 0; i < count; i++) {
        assert_ok(selsnap_subset_add(subset, (first + i * gap) * 4096, 4096));
    }
    assert_int_equal(selsnap_subset_range_count(subset), count);
    return subset;
}

static bool same(const selsnap_subset *a, const selsnap_subset *b) {
    uint64_t at = 0;
    for (;;) {
        selsnap_range of_a = {0, 0};
        selsnap_range of_b = {0, 0};
        int rc_a = selsnap_subset_next(a, at, &of_a);
        int rc_b = selsnap_subset_next(b, at, &of_b);
        if (rc_a != rc_b || of_a.offset != of_b.offset || of_a.len != of_b.len) {
            return false;
        }
        if (rc_a != SELSNAP_OK) {
            return true;
        }
        at = of_a.offset + of_a.len;
    }
}

static bool saved_as(selsnap *ss, const char *name, const selsnap_subset *subset) {
    selsnap_subset *loaded = NULL;
    int rc = selsnap_designation_load(ss, name, &loaded);
    bool is = rc == SELSNAP_OK && same(loaded, subset);
    selsnap_subset_close(loaded);
    return is;
}

static void test_designation__many_ranges__read_back_the_same(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, &BIG);
    for (uint64_t count = MANY; count > 0; count /= 3) {
        selsnap_subset *subset = comb(rig.ss, count % 5, count, 2 + count % 2);
        uint64_t id = 0;
        assert_ok(selsnap_designation_save(rig.ss, "d", subset, &id));
        assert_true(saved_as(rig.ss, "d", subset));
        selsnap_designation_info info = {.struct_size = sizeof info};
        assert_ok(selsnap_designation_next(rig.ss, 0, &info));
        assert_true(info.id == id && info.block_count == count && info.range_count == count);
        assert_string_equal(info.name, "d");
        assert_int_equal(selsnap_designation_next(rig.ss, id, &info), SELSNAP_ENOENT);
        rig_reopen(&rig);
        assert_true(saved_as(rig.ss, "d", subset));
        selsnap_subset_close(subset);
    }
    rig_settle(&rig);
    assert_int_equal(dump_count(rig.ss, "designation ", NULL), 1);
    assert_int_equal(dump_count(rig.ss, "ranges ", NULL), 1);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_designation__many_ranges__cover_exactly_their_blocks(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, &BIG);
    selsnap_subset *subset = comb(rig.ss, 1, MANY, 3);
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    uint64_t id = 0;
    options.name = "s";
    options.subset = subset;
    assert_ok(selsnap_snapshot_create(rig.ss, &options, &id));
    /* The table goes by runs, so every border of an item is crossed. */
    uint64_t covered = 0;
    uint64_t size = selsnap_size(rig.ss);
    for (uint64_t at = 0; at < size;) {
        selsnap_map_range range = {0};
        assert_ok(selsnap_snapshot_map(rig.ss, id, at, &range));
        assert_true(range.offset == at && range.len > 0);
        bool in = range.state != SELSNAP_BLOCKS_UNDESIGNATED;
        for (uint64_t block = at / 4096; block < (at + range.len) / 4096; block++) {
            assert_int_equal(in, block % 3 == 1 && block / 3 < MANY);
            covered += in;
        }
        at += range.len;
    }
    assert_int_equal(covered, MANY);
    rig_write(&rig, 0, 1024, 1);
    assert_int_equal(rig_stats(&rig).blocks_zero, 341);
    selsnap_subset *read = NULL;
    assert_ok(selsnap_snapshot_get_subset(rig.ss, id, &read));
    assert_true(same(read, subset));
    selsnap_subset_close(read);
    selsnap_subset_close(subset);
    rig_close(&rig);
}

static void test_designation__saved_under_an_old_name__snapshots_keep_theirs(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    rig_save(&rig, "d", 0, 4);
    uint64_t old = rig_snapshot_of(&rig, "old", "d");
    rig_save(&rig, "d", 10, 4);
    uint64_t young = rig_snapshot_of(&rig, "young", "d");
    for (int way = 0; way < 2; way++) {
        assert_int_equal(rig_state(&rig, old, 0), SELSNAP_BLOCKS_UNCHANGED);
        assert_int_equal(rig_state(&rig, old, 10), SELSNAP_BLOCKS_UNDESIGNATED);
        assert_int_equal(rig_state(&rig, young, 10), SELSNAP_BLOCKS_UNCHANGED);
        assert_int_equal(rig_state(&rig, young, 0), SELSNAP_BLOCKS_UNDESIGNATED);
        selsnap_snapshot_info info = {.struct_size = sizeof info};
        assert_ok(selsnap_snapshot_get(rig.ss, old, &info));
        assert_string_equal(info.designation, "");
        assert_ok(selsnap_snapshot_get(rig.ss, young, &info));
        assert_string_equal(info.designation, "d");
        rig_assert_sound(&rig);
        rig_reopen(&rig);
    }
    rig_close(&rig);
}

static void test_designation__nobody_refers_to_it__is_dropped(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    rig_save(&rig, "d", 0, 4);
    uint64_t id = rig_snapshot_of(&rig, "s", "d");
    assert_ok(selsnap_designation_delete(rig.ss, "d"));
    selsnap_subset *none = NULL;
    assert_int_equal(selsnap_designation_load(rig.ss, "d", &none), SELSNAP_ENOENT);
    assert_int_equal(selsnap_designation_delete(rig.ss, "d"), SELSNAP_ENOENT);
    rig_settle(&rig);
    assert_int_equal(dump_count(rig.ss, "designation ", "ready"), 1);
    rig_assert_snapshot(&rig, id, 0, 4, 0);
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    rig_settle(&rig);
    assert_int_equal(dump_count(rig.ss, "designation ", NULL), 0);
    assert_int_equal(dump_count(rig.ss, "ranges ", NULL), 0);
    rig_save(&rig, "alone", 0, 4);
    assert_ok(selsnap_designation_delete(rig.ss, "alone"));
    rig_reopen(&rig);
    rig_settle(&rig);
    assert_int_equal(dump_count(rig.ss, "designation ", NULL), 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_designation__big_one_dropped__in_steps_and_across_a_crash(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, &BIG);
    selsnap_subset *subset = comb(rig.ss, 0, MANY, 2);
    assert_ok(selsnap_designation_save(rig.ss, "d", subset, NULL));
    uint64_t items = dump_count(rig.ss, "ranges ", NULL);
    assert_int_equal(items, (MANY + 63) / 64);
    assert_ok(selsnap_designation_delete(rig.ss, "d"));
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    options.flags = SELSNAP_STEP_RECLAIM;
    options.budget_blocks = 20;
    uint32_t more = 0;
    assert_ok(selsnap_step(rig.ss, &options, &more));
    assert_int_equal(more, SELSNAP_STEP_RECLAIM);
    uint64_t left = dump_count(rig.ss, "ranges ", NULL);
    assert_true(left < items && left > 0);
    rig_assert_sound(&rig);
    rig_crash(&rig);
    rig_assert_sound(&rig);
    assert_int_equal(dump_count(rig.ss, "ranges ", NULL), left);
    rig_settle(&rig);
    assert_int_equal(dump_count(rig.ss, "ranges ", NULL), 0);
    assert_int_equal(dump_count(rig.ss, "designation ", NULL), 0);
    selsnap_subset_close(subset);
    rig_close(&rig);
}

static void test_designation__whole_without_a_name__is_one_for_all(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    uint64_t a = 0;
    uint64_t b = 0;
    options.name = "a";
    assert_ok(selsnap_snapshot_create(rig.ss, &options, &a));
    options.name = "b";
    assert_ok(selsnap_snapshot_create(rig.ss, &options, &b));
    (void)rig_snapshot(&rig, "c", 0, 0);
    assert_int_equal(dump_count(rig.ss, "designation ", NULL), 1);
    rig_reopen(&rig);
    options.name = "d";
    assert_ok(selsnap_snapshot_create(rig.ss, &options, NULL));
    assert_int_equal(dump_count(rig.ss, "designation ", NULL), 1);
    rig_save(&rig, "whole", 0, 0);
    assert_int_equal(dump_count(rig.ss, "designation ", NULL), 2);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_designation__small_subset__is_saved_by_one_commit(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, &BIG);
    selsnap_subset *subset = comb(rig.ss, 0, 2000, 2);
    uint64_t before = rig_stats(&rig).commits;
    assert_ok(selsnap_designation_save(rig.ss, "d", subset, NULL));
    assert_int_equal(rig_stats(&rig).commits, before + 1);
    selsnap_subset_close(subset);
    rig_close(&rig);
}

/* ---- failures ---- */

static void open_failing(struct rig *rig, struct wire *wire, struct testdev **ret_store) {
    struct testdev *origin = testdev_open(wire, 'o', BIG.origin_bytes, 0, NULL);
    *ret_store = testdev_open(wire, 's', 8 << 20, 0, NULL);
    rig_open_on(rig, origin->device, (*ret_store)->device, &BIG);
}

/*
 * The store fails at its n-th write or flush while a designation takes over a name: afterwards the name has the old
 * subset or the new one, and nothing of the other is left.
 */
static void fail_at(uint64_t nth, bool reopen, selsnap_subset **subsets, int *ret_code) {
    struct wire wire;
    struct rig rig;
    struct testdev *store = NULL;
    wire_init(&wire, false);
    open_failing(&rig, &wire, &store);
    assert_ok(selsnap_designation_save(rig.ss, "d", subsets[0], NULL));
    testdev_fail(store, TESTDEV_WRITE | TESTDEV_FLUSH, nth, true);
    *ret_code = selsnap_designation_save(rig.ss, "d", subsets[1], NULL);
    testdev_mend(store);
    if (reopen) {
        rig_crash(&rig);
    }
    rig_settle(&rig);
    bool old = saved_as(rig.ss, "d", subsets[0]);
    bool young = saved_as(rig.ss, "d", subsets[1]);
    assert_true(old != young);
    assert_true(young || *ret_code != SELSNAP_OK);
    rig_settle(&rig);
    assert_int_equal(dump_count(rig.ss, "designation ", NULL), 1);
    assert_int_equal(dump_count(rig.ss, "name ", NULL), 1);
    rig_assert_sound(&rig);
    assert_ok(selsnap_designation_save(rig.ss, "d", subsets[1], NULL));
    assert_true(saved_as(rig.ss, "d", subsets[1]));
    rig_close(&rig);
    wire_fini(&wire);
}

static void test_designation__store_fails__old_or_new_and_no_litter(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, &BIG);
    selsnap_subset *small[2] = {comb(rig.ss, 0, 10, 2), comb(rig.ss, 100, 10, 2)};
    selsnap_subset *big[2] = {comb(rig.ss, 0, 10, 2), comb(rig.ss, 0, MANY, 3)};
    rig_close(&rig);
    for (int way = 0; way < 4; way++) {
        int code = SELSNAP_ESTORE;
        for (uint64_t nth = 1; code != SELSNAP_OK; nth += test_share()) {
            fail_at(nth, way % 2 == 1, way < 2 ? small : big, &code);
            assert_true(code == SELSNAP_OK || code == SELSNAP_ESTORE);
            assert_true(nth < 100);
        }
    }
    for (int i = 0; i < 2; i++) {
        selsnap_subset_close(small[i]);
        selsnap_subset_close(big[i]);
    }
}

static void test_designation__no_room__nothing_is_left(void **state) {
    (void)state;
    enum { HUGE = 200000 };
    struct rig_options options = {.journal_bytes = 64 << 10, .blank = true};
    selsnap_device *origin = NULL;
    selsnap_device *store = NULL;
    struct rig rig;
    (void)sparsedev_open((uint64_t)2 * HUGE * 4096, 0, false, &origin);
    assert_ok(selsnap_device_open_memory(2 << 20, 0, &store));
    rig_open_on(&rig, origin, store, &options);
    selsnap_subset *small = comb(rig.ss, 0, 10, 2);
    assert_ok(selsnap_designation_save(rig.ss, "d", small, NULL));
    selsnap_subset *huge = comb(rig.ss, 0, HUGE, 2);
    assert_int_equal(selsnap_designation_save(rig.ss, "d", huge, NULL), SELSNAP_ENOSPACE);
    assert_true(saved_as(rig.ss, "d", small));
    assert_int_equal(selsnap_designation_save(rig.ss, "other", huge, NULL), SELSNAP_ENOSPACE);
    rig_settle(&rig);
    assert_int_equal(dump_count(rig.ss, "designation ", NULL), 1);
    assert_int_equal(dump_count(rig.ss, "ranges ", NULL), 1);
    rig_assert_sound(&rig);
    selsnap_subset_close(small);
    selsnap_subset_close(huge);
    rig_close(&rig);
}

static void test_designation__crash_while_building__is_dropped(void **state) {
    (void)state;
    struct wire wire;
    struct rig rig;
    struct testdev *store = NULL;
    wire_init(&wire, false);
    open_failing(&rig, &wire, &store);
    selsnap_subset *big = comb(rig.ss, 0, MANY, 2);
    uint64_t flushes = testdev_count(store, TESTDEV_FLUSH);
    testdev_fail(store, TESTDEV_FLUSH, 3, true); /* the first two transactions are there */
    assert_int_equal(selsnap_designation_save(rig.ss, "d", big, NULL), SELSNAP_ESTORE);
    assert_true(testdev_count(store, TESTDEV_FLUSH) > flushes);
    rig_crash(&rig);
    selsnap_subset *none = NULL;
    int rc = selsnap_designation_load(rig.ss, "d", &none);
    assert_true(rc == SELSNAP_ENOENT || rc == SELSNAP_OK);
    selsnap_subset_close(none);
    rig_assert_sound(&rig);
    rig_settle(&rig);
    assert_int_equal(dump_count(rig.ss, "designation ", NULL), rc == SELSNAP_OK);
    assert_int_equal(dump_count(rig.ss, "ranges ", NULL), rc == SELSNAP_OK ? (MANY + 63) / 64 : 0);
    selsnap_subset_close(big);
    rig_close(&rig);
    wire_fini(&wire);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_designation__many_ranges__read_back_the_same),
        cmocka_unit_test(test_designation__many_ranges__cover_exactly_their_blocks),
        cmocka_unit_test(test_designation__saved_under_an_old_name__snapshots_keep_theirs),
        cmocka_unit_test(test_designation__nobody_refers_to_it__is_dropped),
        cmocka_unit_test(test_designation__big_one_dropped__in_steps_and_across_a_crash),
        cmocka_unit_test(test_designation__whole_without_a_name__is_one_for_all),
        cmocka_unit_test(test_designation__small_subset__is_saved_by_one_commit),
        cmocka_unit_test(test_designation__store_fails__old_or_new_and_no_litter),
        cmocka_unit_test(test_designation__no_room__nothing_is_left),
        cmocka_unit_test(test_designation__crash_while_building__is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
