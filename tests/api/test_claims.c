/* SPDX-License-Identifier: Apache-2.0 */
/* What libselsnap is for, claim by claim: selective snapshots of a device that stays in use. */
#include "rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_designate__ranges__rounded_outward_and_read_back(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    selsnap_subset *subset = NULL;
    assert_ok(selsnap_subset_open_for(rig.ss, &subset));
    assert_ok(selsnap_subset_add(subset, 4096 * 3 + 100, 1));
    assert_ok(selsnap_subset_add(subset, 4096 * 10 - 1, 2));
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = "s";
    options.subset = subset;
    uint64_t id = 0;
    assert_ok(selsnap_snapshot_create(rig.ss, &options, &id));
    selsnap_subset_close(subset);

    selsnap_subset *read = NULL;
    selsnap_range range = {0, 0};
    assert_ok(selsnap_snapshot_get_subset(rig.ss, id, &read));
    assert_int_equal(selsnap_subset_block_count(read), 3);
    assert_ok(selsnap_subset_next(read, 0, &range));
    assert_int_equal(range.offset, 4096 * 3);
    assert_int_equal(range.len, 4096);
    assert_ok(selsnap_subset_next(read, range.offset + range.len, &range));
    assert_int_equal(range.offset, 4096 * 9);
    assert_int_equal(range.len, 4096 * 2);
    assert_int_equal(selsnap_subset_next(read, range.offset + range.len, &range), SELSNAP_ENOENT);
    selsnap_subset_close(read);
    rig_close(&rig);
}

static void test_copy__first_change__old_content_is_kept(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 10, 5);
    rig_write(&rig, 12, 1, 1);
    rig_assert_live(&rig, 12, 1, 1);
    rig_assert_snapshot(&rig, id, 10, 5, 0);
    assert_int_equal(rig_state(&rig, id, 12), SELSNAP_BLOCKS_PRESERVED);
    rig_close(&rig);
}

static void test_copy__later_changes__no_further_copy(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 10, 5);
    rig_write(&rig, 12, 1, 1);
    assert_int_equal(rig_stats(&rig).blocks_preserved, 1);
    rig_reset_counts(&rig);
    for (uint64_t sequence = 2; sequence < 10; sequence++) {
        rig_write(&rig, 12, 1, sequence);
    }
    assert_int_equal(rig_stats(&rig).blocks_preserved, 1);
    assert_int_equal(rig_store_counts(&rig).writes, 0);
    rig_assert_snapshot(&rig, id, 12, 1, 0);
    rig_close(&rig);
}

static void test_copy__unchanged_block__never_copied(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 10, 5);
    rig_reset_counts(&rig);
    rig_assert_live(&rig, 10, 5, 0);
    rig_assert_snapshot(&rig, id, 10, 5, 0);
    assert_int_equal(rig_stats(&rig).blocks_preserved, 0);
    assert_int_equal(rig_store_counts(&rig).writes, 0);
    assert_int_equal(rig_state(&rig, id, 11), SELSNAP_BLOCKS_UNCHANGED);
    rig_close(&rig);
}

static void test_copy__undesignated_block__never_copied(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 10, 5);
    rig_reset_counts(&rig);
    rig_write(&rig, 9, 1, 1);
    rig_write(&rig, 15, 20, 1);
    assert_int_equal(rig_stats(&rig).blocks_preserved, 0);
    assert_int_equal(rig_store_counts(&rig).writes, 0);
    assert_int_equal(rig_state(&rig, id, 9), SELSNAP_BLOCKS_UNDESIGNATED);
    rig_close(&rig);
}

struct writer {
    struct rig *rig;
    _Atomic bool stop;
    _Atomic uint64_t writes;
    _Atomic int failure;
};

static void *write_on(void *argument) {
    struct writer *writer = argument;
    uint8_t buf[4096];
    for (uint64_t n = 1; !atomic_load(&writer->stop); n++) {
        pattern_fill(buf, sizeof buf, n % 64 * 4096, 1, n);
        int code = selsnap_write(writer->rig->ss, buf, sizeof buf, n % 64 * 4096);
        if (code != SELSNAP_OK) {
            atomic_store(&writer->failure, code);
            break;
        }
        atomic_fetch_add(&writer->writes, 1);
    }
    return NULL;
}

static void test_use__while_100_snapshots_are_made__writes_go_on(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.store_bytes = 128 << 20};
    rig_open(&rig, &options);
    struct writer writer = {.rig = &rig};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_on, &writer), 0);
    rig_save(&rig, "d", 0, 32);
    unsigned advanced = 0;
    for (unsigned i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%u", i);
        uint64_t before = atomic_load(&writer.writes);
        (void)rig_snapshot_of(&rig, name, "d");
        for (unsigned spin = 0; atomic_load(&writer.writes) == before && spin < 10000000; spin++) {
            sched_yield();
        }
        advanced += atomic_load(&writer.writes) > before ? 1 : 0;
    }
    atomic_store(&writer.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&writer.failure), 0);
    assert_int_equal(advanced, 100);
    assert_int_equal(rig_stats(&rig).snapshots, 100);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_table__some_blocks_changed__lists_them(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    rig_write(&rig, 20, 1, 3);
    assert_ok(selsnap_write_zeroes(rig.ss, 21 * 4096, 4096));
    uint64_t id = rig_snapshot(&rig, "s", 16, 16);
    rig_write(&rig, 20, 3, 4);
    rig_write(&rig, 30, 10, 4);
    uint64_t changed = 0;
    selsnap_map_range range = {0};
    for (uint64_t at = 0; at < selsnap_size(rig.ss); at = range.offset + range.len) {
        assert_ok(selsnap_snapshot_map(rig.ss, id, at, &range));
        uint64_t first = range.offset / 4096;
        uint64_t count = range.len / 4096;
        if (range.state == SELSNAP_BLOCKS_PRESERVED || range.state == SELSNAP_BLOCKS_ZERO) {
            changed += count;
            assert_true((first >= 20 && first + count <= 23) || (first >= 30 && first + count <= 32));
        }
    }
    assert_int_equal(changed, 5);
    assert_int_equal(rig_state(&rig, id, 21), SELSNAP_BLOCKS_ZERO);
    selsnap_snapshot_usage usage = {0};
    usage.struct_size = sizeof usage;
    assert_ok(selsnap_snapshot_get_usage(rig.ss, id, NULL, NULL, &usage));
    assert_int_equal(usage.preserved_blocks, 5);
    assert_int_equal(usage.zero_blocks, 1);
    rig_close(&rig);
}

static void test_snapshots__same_subset_at_two_times__each_keeps_its_own(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    rig_save(&rig, "d", 0, 8);
    uint64_t first = rig_snapshot_of(&rig, "first", "d");
    rig_write(&rig, 0, 4, 1);
    uint64_t second = rig_snapshot_of(&rig, "second", "d");
    rig_write(&rig, 2, 4, 2);
    rig_assert_snapshot(&rig, first, 0, 8, 0);
    rig_assert_snapshot(&rig, second, 0, 4, 1);
    rig_assert_snapshot(&rig, second, 4, 4, 0);
    rig_assert_live(&rig, 0, 2, 1);
    rig_assert_live(&rig, 2, 4, 2);
    rig_close(&rig);
}

static void test_snapshots__different_subsets_at_different_times__independent(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t low = rig_snapshot(&rig, "low", 0, 10);
    rig_write(&rig, 0, 64, 1);
    uint64_t middle = rig_snapshot(&rig, "middle", 5, 10);
    rig_write(&rig, 0, 64, 2);
    uint64_t whole = rig_snapshot(&rig, "whole", 0, 0);
    rig_write(&rig, 0, 64, 3);
    rig_assert_snapshot(&rig, low, 0, 10, 0);
    rig_assert_snapshot(&rig, middle, 5, 10, 1);
    rig_assert_snapshot(&rig, whole, 0, 64, 2);
    uint8_t block[4096];
    assert_int_equal(rig_read_snapshot(&rig, low, 12, block), SELSNAP_EUNDESIGNATED);
    assert_int_equal(rig_read_snapshot(&rig, middle, 0, block), SELSNAP_EUNDESIGNATED);
    rig_close(&rig);
}

static void test_view__reading__any_alignment(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 16);
    rig_write(&rig, 3, 2, 1);
    selsnap_view *view = rig_view(&rig, id, 0, SELSNAP_UNDESIGNATED_ERROR);
    uint8_t buf[20000];
    for (uint64_t offset = 1; offset < 16 * 4096 - sizeof buf; offset += 3777) {
        size_t len = 1 + (size_t)(offset * 7 % (sizeof buf - 1));
        assert_ok(selsnap_view_read(view, buf, len, offset));
        assert_true(pattern_is(buf, len, offset, 0, 0));
    }
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

static void test_view__undesignated_blocks__read_as_chosen(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 4, 4);
    rig_write(&rig, 0, 16, 1);
    uint8_t buf[4096];
    selsnap_view *view = rig_view(&rig, id, 0, SELSNAP_UNDESIGNATED_ERROR);
    assert_int_equal(selsnap_view_read(view, buf, 4096, 3 * 4096), SELSNAP_EUNDESIGNATED);
    assert_int_equal(selsnap_view_read(view, buf, 4096, 3 * 4096 + 1), SELSNAP_EUNDESIGNATED);
    assert_ok(selsnap_view_close(view));
    view = rig_view(&rig, id, 0, SELSNAP_UNDESIGNATED_ZEROS);
    assert_ok(selsnap_view_read(view, buf, 4096, 3 * 4096));
    assert_true(pattern_all_zero(buf, 4096));
    assert_ok(selsnap_view_read(view, buf, 4096, 4 * 4096));
    assert_true(pattern_is(buf, 4096, 4 * 4096, 0, 0));
    assert_ok(selsnap_view_close(view));
    view = rig_view(&rig, id, 0, SELSNAP_UNDESIGNATED_LIVE);
    assert_ok(selsnap_view_read(view, buf, 4096, 3 * 4096));
    assert_true(pattern_is(buf, 4096, 3 * 4096, 1, 1));
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

static void write_view(selsnap_view *view, uint64_t block, uint64_t sequence) {
    uint8_t buf[4096];
    pattern_fill(buf, sizeof buf, block * 4096, 1, sequence);
    assert_ok(selsnap_view_write(view, buf, sizeof buf, block * 4096));
}

static void test_view__writing__only_the_snapshot_changes(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t written = rig_snapshot(&rig, "written", 0, 8);
    uint64_t other = rig_snapshot(&rig, "other", 0, 8);
    rig_write(&rig, 0, 4, 1);
    selsnap_view *view = rig_view(&rig, written, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    write_view(view, 2, 50);
    write_view(view, 6, 50);
    assert_ok(selsnap_view_close(view));
    rig_assert_snapshot(&rig, written, 2, 1, 50);
    rig_assert_snapshot(&rig, written, 6, 1, 50);
    rig_assert_snapshot(&rig, written, 3, 3, 0);
    rig_assert_snapshot(&rig, other, 0, 8, 0);
    rig_assert_live(&rig, 0, 4, 1);
    rig_assert_live(&rig, 4, 4, 0);
    rig_close(&rig);
}

static void test_view__live_device_written__overlay_stays(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 8);
    selsnap_view *view = rig_view(&rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    write_view(view, 2, 50);
    rig_write(&rig, 0, 8, 1);
    uint8_t buf[4096];
    assert_ok(selsnap_view_read(view, buf, 4096, 2 * 4096));
    assert_true(pattern_is(buf, 4096, 2 * 4096, 1, 50));
    assert_ok(selsnap_view_close(view));
    selsnap_view *pristine = rig_view(&rig, id, SELSNAP_VIEW_PRISTINE, SELSNAP_UNDESIGNATED_ERROR);
    assert_ok(selsnap_view_read(pristine, buf, 4096, 2 * 4096));
    assert_true(pattern_is(buf, 4096, 2 * 4096, 0, 0));
    assert_ok(selsnap_view_close(pristine));
    rig_close(&rig);
}

static void test_view__while_the_device_is_in_use__reads_stay_the_same(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.store_bytes = 64 << 20};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    struct writer writer = {.rig = &rig};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_on, &writer), 0);
    uint64_t rounds = 0;
    while (atomic_load(&writer.writes) < 2000 || rounds < 50) {
        rig_assert_snapshot(&rig, id, 0, 64, 0);
        rounds++;
        assert_int_equal(atomic_load(&writer.failure), 0);
    }
    atomic_store(&writer.stop, true);
    pthread_join(thread, NULL);
    rig_close(&rig);
}

static void test_backup__newer_deleted_and_reopened__older_is_kept(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t backup = rig_snapshot(&rig, "backup", 0, 20);
    rig_write(&rig, 0, 10, 1);
    uint64_t newer = rig_snapshot(&rig, "newer", 0, 20);
    rig_write(&rig, 5, 10, 2);
    assert_ok(selsnap_snapshot_delete(rig.ss, newer));
    rig_settle(&rig);
    rig_reopen(&rig);
    rig_assert_snapshot(&rig, backup, 0, 20, 0);
    selsnap_snapshot_info info = {0};
    info.struct_size = sizeof info;
    assert_int_equal(selsnap_snapshot_find(rig.ss, "newer", &info), SELSNAP_ENOENT);
    assert_ok(selsnap_snapshot_find(rig.ss, "backup", &info));
    assert_int_equal(info.id, backup);
    rig_write(&rig, 0, 20, 3);
    rig_assert_snapshot(&rig, backup, 0, 20, 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void restore(struct rig *rig, uint64_t id) {
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    options.id = id;
    uint64_t job = 0;
    assert_ok(selsnap_restore_start(rig->ss, &options, &job));
    assert_ok(selsnap_restore_run(rig->ss, job, NULL, NULL));
}

static void test_restore__designated_blocks__exactly_as_at_the_point(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    rig_write(&rig, 0, 64, 1);
    uint64_t id = rig_snapshot(&rig, "s", 8, 16);
    rig_write(&rig, 0, 64, 2);
    restore(&rig, id);
    rig_assert_live(&rig, 8, 16, 1);
    rig_assert_origin(&rig, 8, 16, 1);
    rig_assert_snapshot(&rig, id, 8, 16, 1);
    rig_close(&rig);
}

static void test_restore__other_blocks__left_alone(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    rig_write(&rig, 0, 64, 1);
    uint64_t id = rig_snapshot(&rig, "s", 8, 16);
    rig_write(&rig, 0, 64, 2);
    restore(&rig, id);
    rig_assert_origin(&rig, 0, 8, 2);
    rig_assert_origin(&rig, 24, 40, 2);
    rig_close(&rig);
}

static void test_restore__newer_snapshot__keeps_its_content(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t old = rig_snapshot(&rig, "old", 0, 16);
    rig_write(&rig, 0, 16, 1);
    uint64_t newer = rig_snapshot(&rig, "newer", 0, 16);
    rig_write(&rig, 0, 8, 2);
    restore(&rig, old);
    rig_assert_live(&rig, 0, 16, 0);
    rig_assert_snapshot(&rig, newer, 0, 16, 1);
    restore(&rig, newer);
    rig_assert_live(&rig, 0, 16, 1);
    rig_assert_snapshot(&rig, old, 0, 16, 0);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_designate__ranges__rounded_outward_and_read_back),
        cmocka_unit_test(test_copy__first_change__old_content_is_kept),
        cmocka_unit_test(test_copy__later_changes__no_further_copy),
        cmocka_unit_test(test_copy__unchanged_block__never_copied),
        cmocka_unit_test(test_copy__undesignated_block__never_copied),
        cmocka_unit_test(test_use__while_100_snapshots_are_made__writes_go_on),
        cmocka_unit_test(test_table__some_blocks_changed__lists_them),
        cmocka_unit_test(test_snapshots__same_subset_at_two_times__each_keeps_its_own),
        cmocka_unit_test(test_snapshots__different_subsets_at_different_times__independent),
        cmocka_unit_test(test_view__reading__any_alignment),
        cmocka_unit_test(test_view__undesignated_blocks__read_as_chosen),
        cmocka_unit_test(test_view__writing__only_the_snapshot_changes),
        cmocka_unit_test(test_view__live_device_written__overlay_stays),
        cmocka_unit_test(test_view__while_the_device_is_in_use__reads_stay_the_same),
        cmocka_unit_test(test_backup__newer_deleted_and_reopened__older_is_kept),
        cmocka_unit_test(test_restore__designated_blocks__exactly_as_at_the_point),
        cmocka_unit_test(test_restore__other_blocks__left_alone),
        cmocka_unit_test(test_restore__newer_snapshot__keeps_its_content),
    };
    return cmocka_run_group_tests_name("claims", tests, NULL, NULL);
}
