/* SPDX-License-Identifier: Apache-2.0 */
/* What may differ between two points, through the public interface. Blocks have 4 KiB; nothing is preserved ahead. */
#include "rig.h"
#include "sparsedev.h"

#include <stdio.h>
#include <string.h>

static const uint64_t BLOCK = 4096;
enum { TEXT = 512 };

/* All ranges, as text: "c4+2 u8+1 l9+1", in blocks. */
static const char *diff_within(struct rig *rig, uint64_t from, uint64_t to, const selsnap_subset *within, char *text) {
    selsnap_diff_options options = SELSNAP_DIFF_OPTIONS_INIT;
    selsnap_diff_range range;
    uint64_t at = 0;
    size_t used = 0;
    int rc;
    options.from_id = from;
    options.to_id = to;
    options.within = within;
    text[0] = '\0';
    while ((rc = selsnap_diff_next(rig->ss, &options, at, &range)) == SELSNAP_OK) {
        assert_true(range.offset >= at && range.len > 0 && range.reserved == 0);
        assert_true(range.kind >= SELSNAP_DIFF_CHANGED && range.kind <= SELSNAP_DIFF_LOST);
        used += (size_t)snprintf(text + used, TEXT - used, "%s%c%u+%u", used == 0 ? "" : " ", " cul"[range.kind],
                                 (unsigned)(range.offset / BLOCK), (unsigned)((range.len + BLOCK - 1) / BLOCK));
        assert_true(used < TEXT);
        at = range.offset + range.len;
    }
    assert_int_equal(rc, SELSNAP_ENOENT);
    return text;
}

static const char *diff(struct rig *rig, uint64_t from, uint64_t to, char *text) {
    return diff_within(rig, from, to, NULL, text);
}

static uint64_t bookmark(struct rig *rig, const char *name, uint64_t first, uint64_t count) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_subset *subset = rig_subset(rig, first, count);
    uint64_t id;
    options.name = name;
    options.subset = subset;
    options.flags = SELSNAP_SNAPSHOT_BOOKMARK;
    assert_int_equal(selsnap_snapshot_create(rig->ss, &options, &id), SELSNAP_OK);
    selsnap_subset_close(subset);
    return id;
}

static void test_diff__between_points__tells_what_changed_between_them(void **state) {
    (void)state;
    struct rig rig;
    char text[TEXT];
    rig_open(&rig, NULL);
    uint64_t one = rig_snapshot(&rig, "one", 0, 0);
    rig_write(&rig, 3, 2, 1);
    uint64_t two = bookmark(&rig, "two", 0, 0);
    rig_write(&rig, 4, 3, 2);
    uint64_t three = rig_snapshot(&rig, "three", 0, 0);
    rig_write(&rig, 60, 1, 3);
    assert_string_equal(diff(&rig, one, two, text), "c3+2");
    assert_string_equal(diff(&rig, two, three, text), "c4+3");
    assert_string_equal(diff(&rig, one, three, text), "c3+4");
    assert_string_equal(diff(&rig, three, 0, text), "c60+1");
    assert_string_equal(diff(&rig, one, 0, text), "c3+4 c60+1");
    assert_string_equal(diff(&rig, two, two, text), "");
    assert_int_equal(selsnap_snapshot_delete(rig.ss, two), SELSNAP_OK);
    rig_settle(&rig);
    assert_string_equal(diff(&rig, one, 0, text), "c3+4 c60+1");
    rig_reopen(&rig);
    assert_string_equal(diff(&rig, one, three, text), "c3+4");
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_bookmark__first_write__costs_a_record_and_no_data(void **state) {
    (void)state;
    struct rig rig;
    char text[TEXT];
    rig_open(&rig, NULL);
    uint64_t id = bookmark(&rig, "b", 0, 16);
    for (uint64_t block = 0; block < 16; block += 5) {
        rig_reset_counts(&rig);
        rig_write(&rig, block, 1, 1);
        assert_int_equal(rig_origin_counts(&rig).reads, 0);
        assert_int_equal(rig_origin_counts(&rig).writes, 1);
        assert_int_equal(rig_store_counts(&rig).writes, 1); /* the journal's */
        assert_int_equal(rig_store_counts(&rig).write_bytes, 4096);
        assert_int_equal(rig_store_counts(&rig).flushes, 1);
        rig_reset_counts(&rig);
        rig_write(&rig, block, 1, 2);
        assert_int_equal(rig_store_counts(&rig).writes, 0);
    }
    assert_int_equal(rig_stats(&rig).blocks_preserved, 0);
    assert_int_equal(rig_state(&rig, id, 5), SELSNAP_BLOCKS_CHANGED);
    assert_int_equal(rig_state(&rig, id, 6), SELSNAP_BLOCKS_UNCHANGED);
    assert_string_equal(diff(&rig, id, 0, text), "c0+1 c5+1 c10+1 c15+1 u16+48");
    rig_close(&rig);
}

static void test_bookmark__above_a_snapshot_of_the_block__leaves_it_its_data(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t one = rig_snapshot(&rig, "one", 0, 8);
    (void)bookmark(&rig, "two", 0, 16);
    rig_write(&rig, 0, 16, 1);
    uint64_t three = bookmark(&rig, "three", 0, 8);
    rig_write(&rig, 0, 4, 2);
    rig_assert_snapshot(&rig, one, 0, 8, 0);
    rig_settle(&rig);
    rig_assert_snapshot(&rig, one, 0, 8, 0);
    assert_int_equal(rig_state(&rig, three, 3), SELSNAP_BLOCKS_CHANGED);
    assert_int_equal(rig_stats(&rig).blocks_preserved, 8);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_make_bookmark__snapshot_with_data__gives_its_space_back(void **state) {
    (void)state;
    struct rig rig;
    char text[TEXT] = "written into it";
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    selsnap_snapshot_usage usage = {.struct_size = sizeof usage};
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 0, 40, 1);
    selsnap_view *view = rig_view(&rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    assert_int_equal(selsnap_view_write(view, text, TEXT, 50 * BLOCK), SELSNAP_OK);
    assert_int_equal(selsnap_snapshot_make_bookmark(rig.ss, id), SELSNAP_EBUSY);
    assert_int_equal(selsnap_view_close(view), SELSNAP_OK);
    assert_int_equal(selsnap_snapshot_hold(rig.ss, id), SELSNAP_OK);
    assert_int_equal(selsnap_snapshot_make_bookmark(rig.ss, id), SELSNAP_EHELD);
    assert_int_equal(selsnap_snapshot_release(rig.ss, id), SELSNAP_OK);
    selsnap_stats before = rig_stats(&rig);
    assert_int_equal(selsnap_snapshot_make_bookmark(rig.ss, id), SELSNAP_OK);
    assert_int_equal(selsnap_snapshot_make_bookmark(rig.ss, id), SELSNAP_OK);
    assert_int_equal(selsnap_snapshot_make_bookmark(rig.ss, id + 1), SELSNAP_ENOENT);
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = id;
    assert_int_equal(selsnap_view_open(rig.ss, &options, &view), SELSNAP_ENODATA);
    restore.id = id;
    assert_int_equal(selsnap_restore_start(rig.ss, &restore, NULL), SELSNAP_ENODATA);
    rig_settle(&rig);
    selsnap_stats after = rig_stats(&rig); /* 41 blocks are given back; the tree may take some pages */
    assert_true(after.store_free_bytes + after.store_pending_bytes >=
                before.store_free_bytes + before.store_pending_bytes + 36 * BLOCK);
    rig_crash(&rig);
    rig_write(&rig, 44, 1, 2);
    assert_string_equal(diff(&rig, id, 0, text), "c0+40 c44+1");
    assert_int_equal(selsnap_snapshot_get(rig.ss, id, &info), SELSNAP_OK);
    assert_true(info.bookmark == 1 && info.changed == 0);
    assert_int_equal(selsnap_snapshot_get_usage(rig.ss, id, NULL, NULL, &usage), SELSNAP_OK);
    assert_true(usage.preserved_blocks == 41 && usage.alone_bytes == 0 && usage.overlay_bytes == 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_diff__restore_that_has_still_to_copy__tells_its_blocks(void **state) {
    (void)state;
    struct rig rig;
    char text[TEXT];
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    uint64_t job;
    rig_open(&rig, NULL);
    uint64_t source = rig_snapshot(&rig, "source", 0, 0);
    rig_write(&rig, 4, 2, 1);
    uint64_t before = bookmark(&rig, "before", 0, 0);
    restore.id = source;
    assert_int_equal(selsnap_restore_start(rig.ss, &restore, &job), SELSNAP_OK);
    uint64_t after = bookmark(&rig, "after", 0, 0);
    for (unsigned again = 0; again < 2; again++) {
        assert_string_equal(diff(&rig, before, 0, text), "c4+2");
        assert_string_equal(diff(&rig, before, after, text), "c4+2");
        assert_string_equal(diff(&rig, after, 0, text), "");
        assert_string_equal(diff(&rig, source, before, text), "c4+2");
        assert_int_equal(selsnap_restore_run(rig.ss, job, NULL, NULL), again == 0 ? SELSNAP_OK : SELSNAP_ENOENT);
    }
    rig_close(&rig);
}

static void test_diff__writes_kept_in_memory__are_told_up_to_now(void **state) {
    (void)state;
    struct rig rig;
    char text[TEXT];
    const struct rig_options options = {.deferred = 64 * BLOCK};
    rig_open(&rig, &options);
    uint64_t one = bookmark(&rig, "one", 0, 0);
    rig_write(&rig, 7, 1, 1);
    rig_write(&rig, 9, 2, 1);
    assert_string_equal(diff(&rig, one, 0, text), "c7+1 c9+2");
    uint64_t two = bookmark(&rig, "two", 0, 0);
    rig_write(&rig, 30, 1, 2);
    assert_string_equal(diff(&rig, one, two, text), "c7+1 c9+2");
    assert_string_equal(diff(&rig, two, 0, text), "c30+1");
    rig_close(&rig);
}

static void test_diff__other_subsets__unknown_outside_of_from(void **state) {
    (void)state;
    struct rig rig;
    char text[TEXT];
    rig_open(&rig, NULL);
    uint64_t one = bookmark(&rig, "one", 10, 10);
    rig_write(&rig, 0, 64, 1);
    uint64_t two = rig_snapshot(&rig, "two", 15, 10);
    selsnap_subset *within = rig_subset(&rig, 18, 4);
    assert_string_equal(diff(&rig, one, two, text), "c15+5 u20+5");
    assert_string_equal(diff(&rig, one, 0, text), "u0+10 c10+10 u20+44");
    assert_string_equal(diff_within(&rig, one, two, within, text), "c18+2 u20+2");
    selsnap_subset_close(within);
    rig_close(&rig);
}

static void test_diff__what_the_younger_has_lost__is_told(void **state) {
    (void)state;
    struct rig rig;
    char text[TEXT];
    selsnap_snapshot_usage usage = {.struct_size = sizeof usage};
    const struct rig_options options = {.origin_bytes = 512 * BLOCK, .store_bytes = 1 << 20};
    rig_open(&rig, &options);
    uint64_t one = bookmark(&rig, "one", 0, 0);
    rig_write(&rig, 0, 512, 1); /* marks find room where data would not */
    uint64_t two;
    assert_int_equal(rig_try_snapshot(&rig, "two", 0, 0, SELSNAP_POLICY_GIVE_UP_BLOCK, &two), SELSNAP_OK);
    uint64_t three = bookmark(&rig, "three", 0, 0);
    rig_write(&rig, 0, 512, 2);
    assert_int_equal(selsnap_snapshot_get_usage(rig.ss, two, NULL, NULL, &usage), SELSNAP_OK);
    assert_true(usage.lost_blocks > 0 && usage.lost_blocks < 512);
    char expected[64];
    snprintf(expected, sizeof expected, "c0+%u l%u+%u", (unsigned)(512 - usage.lost_blocks),
             (unsigned)(512 - usage.lost_blocks), (unsigned)usage.lost_blocks);
    assert_string_equal(diff(&rig, one, two, text), expected);
    assert_int_equal(selsnap_snapshot_make_bookmark(rig.ss, two), SELSNAP_OK);
    assert_string_equal(diff(&rig, three, 0, text), "c0+512");
    assert_string_equal(diff(&rig, one, two, text), "c0+512");
    rig_close(&rig);
}

static void test_diff__wrong_arguments__refused(void **state) {
    (void)state;
    struct rig rig;
    selsnap_diff_options options = SELSNAP_DIFF_OPTIONS_INIT;
    selsnap_diff_range range;
    rig_open(&rig, NULL);
    uint64_t one = bookmark(&rig, "one", 0, 0);
    uint64_t two = bookmark(&rig, "two", 0, 0);
    assert_int_equal(selsnap_diff_next(rig.ss, &options, 0, &range), SELSNAP_EINVAL);
    options.from_id = two;
    options.to_id = one;
    assert_int_equal(selsnap_diff_next(rig.ss, &options, 0, &range), SELSNAP_EINVAL);
    options.to_id = 99;
    assert_int_equal(selsnap_diff_next(rig.ss, &options, 0, &range), SELSNAP_EINVAL);
    options.to_id = 0;
    assert_int_equal(selsnap_diff_next(rig.ss, &options, 0, NULL), SELSNAP_EINVAL);
    assert_int_equal(selsnap_diff_next(rig.ss, &options, 64 * BLOCK + 1, &range), SELSNAP_ERANGE);
    assert_int_equal(selsnap_diff_next(rig.ss, &options, 64 * BLOCK, &range), SELSNAP_ENOENT);
    options.flags = 1;
    assert_int_equal(selsnap_diff_next(rig.ss, &options, 0, &range), SELSNAP_EINVAL);
    options.flags = 0;
    selsnap_subset *other;
    assert_int_equal(selsnap_subset_open(BLOCK, (uint32_t)BLOCK, &other), SELSNAP_OK);
    options.within = other;
    assert_int_equal(selsnap_diff_next(rig.ss, &options, 0, &range), SELSNAP_EINVAL);
    selsnap_subset_close(other);
    rig_close(&rig);
}

/* Pages of the index that a diff of CHANGES far from each other reads, on an origin of that size. */
enum { CHANGES = 2000 };
static uint64_t pages_read(uint64_t origin_bytes) {
    struct rig rig;
    const struct rig_options options = {.origin_bytes = origin_bytes, .blank = true};
    selsnap_device *origin;
    selsnap_device *store;
    (void)sparsedev_open(origin_bytes, 512, false, &origin);
    assert_int_equal(selsnap_device_open_memory(32 << 20, 512, &store), SELSNAP_OK);
    rig_open_on(&rig, origin, store, &options);
    selsnap_diff_options diff_options = SELSNAP_DIFF_OPTIONS_INIT;
    selsnap_diff_range range = {0, 0, 0, 0};
    diff_options.from_id = bookmark(&rig, "b", 0, 0);
    for (unsigned i = 0; i < CHANGES; i++) {
        rig_write(&rig, i * (rig.block_count / CHANGES), 1, 1);
    }
    rig_reopen(&rig);
    uint64_t before = rig_stats(&rig).pages_read;
    unsigned found = 0;
    while (selsnap_diff_next(rig.ss, &diff_options, range.offset + range.len, &range) == SELSNAP_OK) {
        assert_int_equal(range.len, BLOCK);
        found++;
    }
    assert_int_equal(found, CHANGES);
    uint64_t after = rig_stats(&rig).pages_read;
    rig_close(&rig);
    return after - before;
}

static void test_diff__cost__grows_with_changes_and_not_with_the_device(void **state) {
    (void)state;
    uint64_t small = pages_read(UINT64_C(1) << 30);
    uint64_t large = pages_read(UINT64_C(1) << 42);
    assert_true(small > 0 && large <= small + 2 && large < CHANGES / 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_diff__between_points__tells_what_changed_between_them),
        cmocka_unit_test(test_bookmark__first_write__costs_a_record_and_no_data),
        cmocka_unit_test(test_bookmark__above_a_snapshot_of_the_block__leaves_it_its_data),
        cmocka_unit_test(test_make_bookmark__snapshot_with_data__gives_its_space_back),
        cmocka_unit_test(test_diff__restore_that_has_still_to_copy__tells_its_blocks),
        cmocka_unit_test(test_diff__writes_kept_in_memory__are_told_up_to_now),
        cmocka_unit_test(test_diff__other_subsets__unknown_outside_of_from),
        cmocka_unit_test(test_diff__what_the_younger_has_lost__is_told),
        cmocka_unit_test(test_diff__wrong_arguments__refused),
        cmocka_unit_test(test_diff__cost__grows_with_changes_and_not_with_the_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
