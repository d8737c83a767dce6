/* SPDX-License-Identifier: Apache-2.0 */
/* What the library asks of its devices, counted exactly. Index page reads are left out of account: none is made, as all
 * is cached. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

struct expected {
    uint64_t origin_reads;
    uint64_t origin_writes;
    uint64_t origin_flushes;
    uint64_t store_reads;
    uint64_t store_writes;
    uint64_t store_flushes;
};

static void assert_counts(struct rig *rig, struct expected expected) {
    selsnap_device_counts origin = rig_origin_counts(rig);
    selsnap_device_counts store = rig_store_counts(rig);
    assert_int_equal(origin.reads, expected.origin_reads);
    assert_int_equal(origin.writes, expected.origin_writes);
    assert_int_equal(origin.flushes, expected.origin_flushes);
    assert_int_equal(store.reads, expected.store_reads);
    assert_int_equal(store.writes, expected.store_writes);
    assert_int_equal(store.flushes, expected.store_flushes);
    assert_int_equal(origin.discards + origin.zeroes + store.discards + store.zeroes, 0);
}

/* One data write and one journal write. */
static const struct expected FIRST_WRITE = {1, 1, 0, 0, 2, 1};
static const struct expected CLEAN_WRITE = {0, 1, 0, 0, 0, 0};

static void test_first_write__one_snapshot__read_copy_journal_flush_write(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    (void)rig_snapshot(&rig, "s", 0, 16);
    for (uint64_t block = 0; block < 16; block += 5) {
        rig_reset_counts(&rig);
        rig_write(&rig, block, 1, 1);
        assert_counts(&rig, FIRST_WRITE);
        assert_int_equal(rig_origin_counts(&rig).read_bytes, 4096);
        assert_int_equal(rig_origin_counts(&rig).write_bytes, 4096);
        assert_int_equal(rig_store_counts(&rig).write_bytes, 8192);
    }
    rig_close(&rig);
}

static void test_first_write__of_zeros_before__no_data_write(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.blank = true};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 16);
    rig_reset_counts(&rig);
    rig_write(&rig, 3, 1, 1);
    assert_counts(&rig, (struct expected){1, 1, 0, 0, 1, 1});
    assert_int_equal(rig_stats(&rig).blocks_zero, 1);
    assert_int_equal(rig_state(&rig, id, 3), SELSNAP_BLOCKS_ZERO);
    rig_close(&rig);
}

/* count snapshots of one saved designation, each at a point of its own: block `between` changes in between. */
static void make_snapshots(struct rig *rig, const char *designation, unsigned count, uint64_t between) {
    for (unsigned i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s-%u", designation, i);
        (void)rig_snapshot_of(rig, name, designation);
        if (i % 16 == 0) {
            rig_write(rig, between, 1, 100 + i);
        }
    }
}

/* A journal that is not folded while the test runs. */
#define LONG_JOURNAL .store_bytes = 32 << 20, .journal_bytes = 8 << 20

static void check_first_write_with(unsigned snapshots) {
    struct rig rig;
    const struct rig_options options = {LONG_JOURNAL};
    rig_open(&rig, &options);
    rig_save(&rig, "d", 0, 16);
    make_snapshots(&rig, "d", snapshots, 15);
    for (uint64_t block = 0; block < 14; block += 6) {
        rig_reset_counts(&rig);
        rig_write(&rig, block, 1, 1);
        assert_counts(&rig, FIRST_WRITE);
        rig_reset_counts(&rig);
        rig_write(&rig, block, 1, 2);
        assert_counts(&rig, CLEAN_WRITE);
    }
    assert_int_equal(rig_stats(&rig).snapshots, snapshots);
    rig_close(&rig);
}

static void test_first_write__8_snapshots__same_counts(void **state) {
    (void)state;
    check_first_write_with(8);
}

static void test_first_write__1000_snapshots__same_counts(void **state) {
    (void)state;
    check_first_write_with(1000);
}

static void test_first_write__8_designations__same_counts(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {LONG_JOURNAL};
    rig_open(&rig, &options);
    for (unsigned i = 0; i < 8; i++) {
        char name[16];
        snprintf(name, sizeof name, "d%u", i);
        rig_save(&rig, name, i, 24);
        make_snapshots(&rig, name, 2, 23);
    }
    for (uint64_t block = 8; block < 20; block += 5) {
        rig_reset_counts(&rig);
        rig_write(&rig, block, 1, 1);
        assert_counts(&rig, FIRST_WRITE);
    }
    rig_close(&rig);
}

static void test_first_write__64_kib_at_once__one_read_one_copy_one_write(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_reset_counts(&rig);
    rig_write(&rig, 16, 16, 1);
    assert_counts(&rig, FIRST_WRITE);
    assert_int_equal(rig_origin_counts(&rig).read_bytes, 65536);
    rig_assert_snapshot(&rig, id, 0, 64, 0);
    rig_close(&rig);
}

static void test_write__no_snapshot__straight_through(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    rig_reset_counts(&rig);
    rig_write(&rig, 3, 1, 1);
    rig_write(&rig, 0, 64, 2);
    assert_counts(&rig, (struct expected){0, 2, 0, 0, 0, 0});
    rig_close(&rig);
}

static void test_write__undesignated__straight_through(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    (void)rig_snapshot(&rig, "s", 0, 16);
    rig_reset_counts(&rig);
    rig_write(&rig, 16, 1, 1);
    assert_counts(&rig, CLEAN_WRITE);
    rig_reset_counts(&rig);
    rig_write(&rig, 20, 40, 1);
    assert_counts(&rig, CLEAN_WRITE);
    rig_close(&rig);
}

static void test_write__preserved_already__straight_through(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    (void)rig_snapshot(&rig, "s", 0, 16);
    rig_write(&rig, 0, 16, 1);
    rig_reset_counts(&rig);
    rig_write(&rig, 5, 1, 2);
    assert_counts(&rig, CLEAN_WRITE);
    rig_reset_counts(&rig);
    rig_write(&rig, 0, 64, 3);
    assert_counts(&rig, CLEAN_WRITE);
    rig_close(&rig);
}

static void test_write__clean__allocates_nothing(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    (void)rig_snapshot(&rig, "s", 0, 16);
    rig_write(&rig, 0, 64, 1); /* what is looked up is in memory from here on */
    uint64_t before = rig.heap.calls;
    for (uint64_t sequence = 2; sequence < 100; sequence++) {
        rig_write(&rig, 5, 1, sequence);
        rig_write(&rig, 30, 8, sequence);
    }
    assert_int_equal(rig.heap.calls, before);
    rig_write(&rig, 30, 8, 100);
    (void)rig_snapshot(&rig, "t", 0, 16);
    rig_write(&rig, 5, 1, 101);
    assert_true(rig.heap.calls > before); /* the hook does count */
    rig_close(&rig);
}

static void test_read__live__one_read_and_nothing_of_the_store(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    (void)rig_snapshot(&rig, "s", 0, 16);
    rig_write(&rig, 0, 8, 1);
    rig_reset_counts(&rig);
    rig_assert_live(&rig, 0, 8, 1);
    assert_counts(&rig, (struct expected){1, 0, 0, 0, 0, 0});
    rig_close(&rig);
}

static void check_create(uint64_t origin_blocks, uint64_t blocks, unsigned snapshots) {
    struct rig rig;
    const struct rig_options options = {.origin_bytes = origin_blocks * 4096, .blank = true, LONG_JOURNAL};
    rig_open(&rig, &options);
    rig_save(&rig, "d", 0, blocks);
    for (unsigned i = 0; i < snapshots; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%u", i);
        (void)rig_snapshot_of(&rig, name, "d");
    }
    rig_reset_counts(&rig);
    (void)rig_snapshot_of(&rig, "new", "d");
    assert_counts(&rig, (struct expected){0, 0, 1, 0, 1, 1});
    rig_close(&rig);
}

static void test_create__saved_designation__two_flushes(void **state) {
    (void)state;
    check_create(64, 1, 0);
}

static void test_create__large_subset__two_flushes(void **state) {
    (void)state;
    check_create(20000, 20000, 0);
}

static void test_create__after_1000_snapshots__two_flushes(void **state) {
    (void)state;
    check_create(64, 16, 1000);
}

static void test_create__many_ranges__two_flushes(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.origin_bytes = UINT64_C(20000) * 4096, .blank = true};
    rig_open(&rig, &options);
    selsnap_subset *subset = NULL;
    assert_ok(selsnap_subset_open_for(rig.ss, &subset));
    for (uint64_t block = 0; block < 20000; block += 2) {
        assert_ok(selsnap_subset_add(subset, block * 4096, 1));
    }
    assert_ok(selsnap_designation_save(rig.ss, "d", subset, NULL));
    selsnap_subset_close(subset);
    rig_reset_counts(&rig);
    (void)rig_snapshot_of(&rig, "new", "d");
    assert_counts(&rig, (struct expected){0, 0, 1, 0, 1, 1});
    rig_close(&rig);
}

static void test_delete__any_snapshot__one_flush(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 0, 64, 1);
    rig_reset_counts(&rig);
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    assert_counts(&rig, (struct expected){0, 0, 0, 0, 1, 1});
    rig_close(&rig);
}

static void test_reclaim__after_delete__reads_and_copies_no_data(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.origin_bytes = 1024 * 4096};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 0, 1024, 1);
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    rig_reset_counts(&rig);
    rig_settle(&rig);
    assert_int_equal(rig_origin_counts(&rig).reads + rig_origin_counts(&rig).writes, 0);
    assert_true(rig_store_counts(&rig).read_bytes < 64 * 4096);
    assert_true(rig_store_counts(&rig).write_bytes < 64 * 4096);
    rig_close(&rig);
}

static void test_restore__nothing_younger__touches_changed_blocks_only(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 3, 1, 1);
    rig_write(&rig, 10, 2, 1);
    rig_write(&rig, 40, 7, 1);
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    options.id = id;
    uint64_t job = 0;
    assert_ok(selsnap_restore_start(rig.ss, &options, &job));
    rig_reset_counts(&rig);
    assert_ok(selsnap_restore_run(rig.ss, job, NULL, NULL));
    assert_int_equal(rig_origin_counts(&rig).write_bytes, 10 * 4096);
    assert_int_equal(rig_origin_counts(&rig).read_bytes, 0);
    assert_int_equal(rig_store_counts(&rig).read_bytes, 10 * 4096);
    assert_int_equal(rig_stats(&rig).blocks_restored, 10);
    rig_assert_origin(&rig, 0, 64, 0);
    rig_close(&rig);
}

static void test_view_read__unchanged_and_preserved__each_byte_read_once(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 0, 32, 1);
    rig_reset_counts(&rig);
    rig_assert_snapshot(&rig, id, 0, 64, 0);
    assert_int_equal(rig_origin_counts(&rig).read_bytes, 32 * 4096);
    assert_int_equal(rig_store_counts(&rig).read_bytes, 32 * 4096);
    assert_int_equal(rig_store_counts(&rig).writes + rig_store_counts(&rig).flushes, 0);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_write__one_snapshot__read_copy_journal_flush_write),
        cmocka_unit_test(test_first_write__of_zeros_before__no_data_write),
        cmocka_unit_test(test_first_write__8_snapshots__same_counts),
        cmocka_unit_test(test_first_write__1000_snapshots__same_counts),
        cmocka_unit_test(test_first_write__8_designations__same_counts),
        cmocka_unit_test(test_first_write__64_kib_at_once__one_read_one_copy_one_write),
        cmocka_unit_test(test_write__no_snapshot__straight_through),
        cmocka_unit_test(test_write__undesignated__straight_through),
        cmocka_unit_test(test_write__preserved_already__straight_through),
        cmocka_unit_test(test_write__clean__allocates_nothing),
        cmocka_unit_test(test_read__live__one_read_and_nothing_of_the_store),
        cmocka_unit_test(test_create__saved_designation__two_flushes),
        cmocka_unit_test(test_create__large_subset__two_flushes),
        cmocka_unit_test(test_create__after_1000_snapshots__two_flushes),
        cmocka_unit_test(test_create__many_ranges__two_flushes),
        cmocka_unit_test(test_delete__any_snapshot__one_flush),
        cmocka_unit_test(test_reclaim__after_delete__reads_and_copies_no_data),
        cmocka_unit_test(test_restore__nothing_younger__touches_changed_blocks_only),
        cmocka_unit_test(test_view_read__unchanged_and_preserved__each_byte_read_once),
    };
    return cmocka_run_group_tests_name("counts", tests, NULL, NULL);
}
