/* SPDX-License-Identifier: Apache-2.0 */
/* Origins that become shorter with snapshots on them, and grow again. [F-19] [F-20] */
#include "rig.h"
#include "testdev.h"

#include <string.h>

enum { BLOCK = 4096, LONG = 70 * BLOCK + 1536, SHORT = 30 * BLOCK + 512, AFTER = 31, MOST = 100 * BLOCK };

struct shrinking {
    struct wire wire;
    struct testdev *origin;
    struct testdev *store;
    struct rig rig;
};

static void open_shrinking(struct shrinking *s, uint64_t deferred) {
    const struct rig_options options = {.deferred = deferred};
    const struct testdev_kind kind = {.logical = 512, .most = MOST};
    wire_init(&s->wire, false);
    s->origin = testdev_open_kind(&s->wire, 'o', LONG, &kind, NULL);
    s->store = testdev_open(&s->wire, 's', 4 << 20, 1, NULL);
    rig_open_on(&s->rig, s->origin->device, s->store->device, &options);
}

static void close_shrinking(struct shrinking *s) {
    rig_close(&s->rig);
    wire_fini(&s->wire);
}

static void note_size(struct rig *rig) {
    rig->block_count = (selsnap_size(rig->ss) + BLOCK - 1) / BLOCK;
}

static int shrink(struct shrinking *s, uint64_t bytes) {
    int code = selsnap_shrink_origin(s->rig.ss, bytes);
    note_size(&s->rig);
    return code;
}

static int grow(struct shrinking *s, uint64_t bytes) {
    int code = selsnap_grow_origin(s->rig.ss, bytes);
    note_size(&s->rig);
    return code;
}

/* What is to be cut off, preserved for all who have it. */
static void give_up(struct shrinking *s, uint64_t bytes) {
    uint64_t from = (bytes + BLOCK - 1) / BLOCK * BLOCK;
    assert_ok(selsnap_write_zeroes(s->rig.ss, from, selsnap_size(s->rig.ss) - from));
    assert_ok(selsnap_flush(s->rig.ss));
}

static void cut_off(struct shrinking *s, uint64_t bytes) {
    give_up(s, bytes);
    assert_ok(shrink(s, bytes));
}

static void test_shrink__with_snapshots__each_keeps_all_it_had(void **state) {
    (void)state;
    struct shrinking s;
    uint8_t buf[BLOCK];
    open_shrinking(&s, 0);
    uint64_t a = rig_snapshot(&s.rig, "a", 0, 0);
    rig_write(&s.rig, 0, 60, 1);
    uint64_t start = rig_snapshot(&s.rig, "start", 0, 8);
    cut_off(&s, SHORT);
    assert_int_equal(selsnap_size(s.rig.ss), SHORT);
    assert_int_equal(s.origin->size, LONG);
    assert_int_equal(selsnap_read(s.rig.ss, buf, 512, SHORT), SELSNAP_ERANGE);
    assert_int_equal(selsnap_write(s.rig.ss, buf, 512, SHORT), SELSNAP_ERANGE);
    assert_int_equal(selsnap_discard(s.rig.ss, SHORT - 512, 1024), SELSNAP_ERANGE);
    memset(s.origin->bytes + SHORT, 0xdd, LONG - SHORT); /* nobody reads there */
    rig_write(&s.rig, 0, AFTER, 2);
    uint64_t b = rig_snapshot(&s.rig, "b", 0, 0);
    rig_write(&s.rig, 0, AFTER, 3);
    for (int round = 0; round < 3; round++) {
        rig_assert_whole(&s.rig, a, LONG, 0);
        rig_assert_whole(&s.rig, b, SHORT, 2);
        assert_int_equal(rig_size_of(&s.rig, start), LONG);
        rig_assert_snapshot(&s.rig, start, 0, 8, 1);
        rig_assert_live(&s.rig, 0, AFTER, 3);
        rig_assert_sound(&s.rig);
        if (round == 0) {
            rig_crash(&s.rig);
        } else if (round == 1) {
            rig_reopen(&s.rig);
        }
        note_size(&s.rig);
    }
    close_shrinking(&s);
}

/* A device that was made shorter afterwards is the same origin; one that is shorter than it says is not. */
static void test_shrink__device_cut_afterwards__goes_on_there(void **state) {
    (void)state;
    struct shrinking s;
    open_shrinking(&s, 0);
    uint64_t a = rig_snapshot(&s.rig, "a", 0, 0);
    cut_off(&s, SHORT);
    rig_stop(&s.rig);
    for (unsigned i = 0; i < 2; i++) {
        selsnap_device *cut = NULL;
        selsnap *ss = NULL;
        assert_ok(selsnap_device_open_memory(i == 0 ? SHORT - 512 : SHORT, 512, &cut));
        for (uint64_t at = 0; at < SHORT - 512; at += 512) {
            assert_ok(selsnap_device_write(cut, s.origin->bytes + at, 512, at));
        }
        assert_int_equal(selsnap_open(s.rig.store, cut, NULL, &ss), i == 0 ? SELSNAP_EORIGIN : SELSNAP_OK);
        if (i == 1) {
            s.rig.ss = ss;
            rig_assert_whole(&s.rig, a, LONG, 0);
            assert_int_equal(selsnap_grow_origin(ss, LONG), SELSNAP_ETOOSMALL);
            assert_ok(selsnap_close(ss));
            s.rig.ss = NULL;
        }
        selsnap_device_close(cut);
    }
    close_shrinking(&s);
}

/* Behind the new end nothing may be shared with the origin: by a snapshot, a bookmark, one that was written into. */
static void test_shrink__block_shared_behind_the_end__refused(void **state) {
    (void)state;
    struct shrinking s;
    uint8_t buf[BLOCK] = {0};
    open_shrinking(&s, 0);
    uint64_t a = rig_snapshot(&s.rig, "a", 60, 2);
    assert_int_equal(shrink(&s, UINT64_C(61) * BLOCK), SELSNAP_EBUSY);
    assert_int_equal(selsnap_size(s.rig.ss), LONG);
    assert_int_equal(rig_state(&s.rig, a, 60), SELSNAP_BLOCKS_UNCHANGED);
    selsnap_view *view = rig_view(&s.rig, a, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    assert_ok(selsnap_view_write(view, buf, BLOCK, UINT64_C(61) * BLOCK));
    assert_ok(selsnap_view_flush(view));
    assert_int_equal(shrink(&s, UINT64_C(62) * BLOCK), SELSNAP_EBUSY); /* the view */
    assert_ok(selsnap_view_close(view));
    assert_int_equal(shrink(&s, UINT64_C(61) * BLOCK), SELSNAP_EBUSY); /* what is under it */
    assert_ok(selsnap_snapshot_make_bookmark(s.rig.ss, a));
    assert_int_equal(shrink(&s, UINT64_C(61) * BLOCK), SELSNAP_EBUSY);
    rig_write(&s.rig, 61, 1, 1);
    assert_ok(shrink(&s, UINT64_C(61) * BLOCK));
    assert_int_equal(shrink(&s, SHORT), SELSNAP_EBUSY); /* block 60 */
    assert_ok(selsnap_snapshot_delete(s.rig.ss, a));
    assert_ok(shrink(&s, SHORT));
    rig_assert_sound(&s.rig);
    close_shrinking(&s);
}

/* The block in which the new end lies is preserved by the call, with all that it had. */
static void test_shrink__end_inside_a_block__is_preserved_first(void **state) {
    (void)state;
    struct shrinking s;
    open_shrinking(&s, 0);
    uint64_t a = rig_snapshot(&s.rig, "a", 0, 0);
    give_up(&s, SHORT);
    assert_int_equal(rig_state(&s.rig, a, 30), SELSNAP_BLOCKS_UNCHANGED);
    assert_ok(shrink(&s, SHORT));
    assert_int_equal(rig_state(&s.rig, a, 30), SELSNAP_BLOCKS_PRESERVED);
    assert_int_equal(rig_state(&s.rig, a, 29), SELSNAP_BLOCKS_UNCHANGED);
    memset(s.origin->bytes + SHORT, 0xdd, LONG - SHORT);
    rig_assert_whole(&s.rig, a, LONG, 0);
    close_shrinking(&s);
}

static int restore(struct rig *rig, uint64_t id, const selsnap_subset *subset) {
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    uint64_t job = 0;
    options.id = id;
    options.subset = subset;
    int code = selsnap_restore_start(rig->ss, &options, &job);
    return code == SELSNAP_OK ? selsnap_restore_run(rig->ss, job, NULL, NULL) : code;
}

/* What the origin has can be restored; all of it once it is long enough again. */
static void test_shrink__restore__refused_behind_the_end(void **state) {
    (void)state;
    struct shrinking s;
    open_shrinking(&s, 0);
    uint64_t a = rig_snapshot(&s.rig, "a", 0, 0);
    cut_off(&s, SHORT);
    rig_write(&s.rig, 0, AFTER, 1);
    uint64_t b = rig_snapshot(&s.rig, "b", 0, 0);
    assert_int_equal(restore(&s.rig, a, NULL), SELSNAP_ETOOSMALL);
    selsnap_subset *last = rig_subset(&s.rig, 29, 2);
    assert_int_equal(restore(&s.rig, a, last), SELSNAP_ETOOSMALL); /* its end lies in block 30 */
    selsnap_subset_close(last);
    selsnap_subset *some = rig_subset(&s.rig, 28, 2);
    assert_ok(restore(&s.rig, a, some));
    selsnap_subset_close(some);
    rig_assert_live(&s.rig, 0, 28, 1);
    rig_assert_live(&s.rig, 28, 2, 0);
    assert_ok(grow(&s, LONG));
    assert_ok(restore(&s.rig, a, NULL));
    rig_assert_live(&s.rig, 0, 71, 0);
    rig_assert_whole(&s.rig, b, SHORT, 1);
    assert_ok(restore(&s.rig, b, NULL));
    rig_assert_live(&s.rig, 0, 30, 1);
    rig_assert_live(&s.rig, 31, 40, 0);
    rig_assert_whole(&s.rig, a, LONG, 0);
    rig_assert_sound(&s.rig);
    close_shrinking(&s);
}

/* Each size that it has on the way is that of the snapshots made then. */
static void test_shrink__grown_again_and_further__snapshots_keep_their_sizes(void **state) {
    (void)state;
    struct shrinking s;
    const uint64_t sizes[] = {LONG, SHORT, 10 * BLOCK, 50 * BLOCK + 512, LONG - 512, MOST, LONG, MOST};
    uint64_t ids[sizeof sizes / sizeof sizes[0]];
    open_shrinking(&s, 0);
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t now = selsnap_size(s.rig.ss);
        if (sizes[i] > now) {
            assert_ok(grow(&s, sizes[i]));
        } else if (sizes[i] < now) {
            cut_off(&s, sizes[i]);
        }
        rig_write(&s.rig, 0, s.rig.block_count, 10 + i);
        ids[i] = rig_snapshot(&s.rig, (char[]){'s', (char)('0' + i), 0}, 0, 0);
        if (i % 3 == 1) {
            rig_reopen(&s.rig);
        }
    }
    rig_write(&s.rig, 0, s.rig.block_count, 30);
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            rig_assert_whole(&s.rig, ids[i], sizes[i], 10 + i);
        }
        rig_assert_sound(&s.rig);
        rig_reopen(&s.rig);
        note_size(&s.rig);
    }
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i += 2) {
        assert_ok(selsnap_snapshot_delete(s.rig.ss, ids[i]));
    }
    rig_settle(&s.rig);
    for (unsigned i = 1; i < sizeof sizes / sizeof sizes[0]; i += 2) {
        rig_assert_whole(&s.rig, ids[i], sizes[i], 10 + i);
    }
    rig_assert_sound(&s.rig);
    close_shrinking(&s);
}

/* Subsets and designations of the longer origin are told whole, and make no snapshot of the shorter. */
static void test_shrink__designation_behind_the_end__is_told_not_used(void **state) {
    (void)state;
    struct shrinking s;
    open_shrinking(&s, 0);
    rig_save(&s.rig, "tail", 25, 20);
    rig_save(&s.rig, "head", 3, 28);
    uint64_t a = rig_snapshot_of(&s.rig, "a", "tail");
    cut_off(&s, SHORT);
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = "b";
    options.designation = "tail";
    assert_int_equal(selsnap_snapshot_create(s.rig.ss, &options, NULL), SELSNAP_EINVAL);
    selsnap_subset *tail = NULL;
    assert_ok(selsnap_designation_load(s.rig.ss, "tail", &tail));
    assert_int_equal(selsnap_subset_block_count(tail), 20);
    options.designation = NULL;
    options.subset = tail;
    assert_int_equal(selsnap_snapshot_create(s.rig.ss, &options, NULL), SELSNAP_EINVAL);
    selsnap_subset_close(tail);
    assert_ok(selsnap_snapshot_get_subset(s.rig.ss, a, &tail));
    assert_int_equal(selsnap_subset_block_count(tail), 20);
    selsnap_subset_close(tail);
    uint64_t head = rig_snapshot_of(&s.rig, "head", "head");
    assert_ok(selsnap_designation_load(s.rig.ss, "head", &tail));
    options.subset = tail;
    assert_ok(selsnap_snapshot_create(s.rig.ss, &options, NULL));
    selsnap_subset_close(tail);
    rig_write(&s.rig, 0, AFTER, 1);
    rig_assert_snapshot(&s.rig, head, 3, 27, 0);
    rig_assert_snapshot(&s.rig, a, 25, 20, 0);
    rig_assert_sound(&s.rig);
    close_shrinking(&s);
}

/* Undesignated, there is nothing to read: zeros. Written into a snapshot, it is there as anywhere. */
static void test_shrink__view_of_a_longer_snapshot__is_whole(void **state) {
    (void)state;
    struct shrinking s;
    uint8_t buf[2 * BLOCK];
    open_shrinking(&s, 0);
    uint64_t a = rig_snapshot(&s.rig, "a", 40, 10);
    cut_off(&s, SHORT);
    selsnap_view *view = rig_view(&s.rig, a, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_LIVE);
    memset(buf, 1, sizeof buf);
    assert_ok(selsnap_view_read(view, buf, 2 * BLOCK, UINT64_C(60) * BLOCK));
    assert_true(pattern_all_zero(buf, 2 * BLOCK));
    memset(buf, 1, sizeof buf);
    assert_ok(selsnap_view_read(view, buf, BLOCK, UINT64_C(30) * BLOCK));
    assert_true(pattern_is(buf, 512, UINT64_C(30) * BLOCK, 0, 0) && pattern_all_zero(buf + 512, BLOCK - 512));
    memset(buf, 7, sizeof buf);
    assert_ok(selsnap_view_write(view, buf, 700, UINT64_C(41) * BLOCK + 100));
    assert_ok(selsnap_view_flush(view));
    assert_ok(selsnap_view_read(view, buf, BLOCK, UINT64_C(41) * BLOCK));
    uint8_t was[BLOCK];
    pattern_fill(was, BLOCK, UINT64_C(41) * BLOCK, 0, 0);
    assert_memory_equal(buf, was, 100);
    assert_int_equal(buf[100], 7);
    assert_int_equal(buf[799], 7);
    assert_memory_equal(buf + 800, was + 800, BLOCK - 800);
    assert_ok(selsnap_view_close(view));
    rig_assert_sound(&s.rig);
    close_shrinking(&s);
}

/* To now: up to the end that it has now. To a snapshot: what it has. */
static void test_shrink__diff__ends_where_the_later_side_does(void **state) {
    (void)state;
    struct shrinking s;
    selsnap_diff_options diff = SELSNAP_DIFF_OPTIONS_INIT;
    selsnap_diff_range range = {0};
    open_shrinking(&s, 0);
    uint64_t a = rig_snapshot(&s.rig, "a", 0, 0);
    rig_write(&s.rig, 65, 2, 1);
    uint64_t b = rig_snapshot(&s.rig, "b", 0, 0);
    cut_off(&s, SHORT);
    diff.from_id = a;
    assert_ok(selsnap_diff_next(s.rig.ss, &diff, 0, &range)); /* the block cut in two */
    assert_int_equal(range.offset, UINT64_C(30) * BLOCK);
    assert_int_equal(range.len, 512);
    assert_int_equal(selsnap_diff_next(s.rig.ss, &diff, SHORT, &range), SELSNAP_ENOENT);
    assert_int_equal(selsnap_diff_next(s.rig.ss, &diff, SHORT + 512, &range), SELSNAP_ERANGE);
    diff.to_id = b;
    assert_ok(selsnap_diff_next(s.rig.ss, &diff, 0, &range));
    assert_int_equal(range.offset, UINT64_C(65) * BLOCK);
    assert_int_equal(range.len, UINT64_C(2) * BLOCK);
    assert_ok(grow(&s, LONG));
    diff.to_id = 0;
    assert_ok(selsnap_diff_next(s.rig.ss, &diff, UINT64_C(31) * BLOCK, &range));
    assert_int_equal(range.offset, UINT64_C(31) * BLOCK);
    assert_int_equal(range.offset + range.len, LONG);
    close_shrinking(&s);
}

static void test_shrink__not_possible__changes_nothing(void **state) {
    (void)state;
    struct shrinking s;
    open_shrinking(&s, 0);
    uint64_t a = rig_snapshot(&s.rig, "a", 0, 8);
    assert_int_equal(selsnap_shrink_origin(NULL, SHORT), SELSNAP_EINVAL);
    assert_int_equal(shrink(&s, 0), SELSNAP_EINVAL);
    assert_int_equal(shrink(&s, LONG + 512), SELSNAP_EINVAL);
    assert_int_equal(shrink(&s, SHORT + 100), SELSNAP_EALIGN);
    assert_ok(shrink(&s, LONG));
    rig_stop(&s.rig);
    s.rig.options.open_flags = SELSNAP_OPEN_READ_ONLY;
    rig_start(&s.rig);
    assert_int_equal(shrink(&s, SHORT), SELSNAP_EREADONLY);
    rig_stop(&s.rig);
    s.rig.options.open_flags = 0;
    rig_start(&s.rig);
    assert_int_equal(selsnap_size(s.rig.ss), LONG);
    rig_assert_snapshot(&s.rig, a, 0, 8, 0);
    assert_ok(selsnap_abandon(s.rig.ss));
    assert_int_equal(shrink(&s, SHORT), SELSNAP_EABANDONED);
    close_shrinking(&s);
}

/* Each call of the store fails, in turn: the old size or the new one, and whatever comes then is right. */
static void test_shrink__store_fails_within__old_size(void **state) {
    (void)state;
    bool failed = true;
    for (uint64_t nth = 1; failed; nth++) {
        struct shrinking s;
        open_shrinking(&s, UINT64_C(16) * BLOCK * (nth % 2));
        uint64_t a = rig_snapshot(&s.rig, "a", 0, 0);
        give_up(&s, SHORT);
        testdev_fail(s.store, TESTDEV_ALL, nth, false);
        int code = shrink(&s, SHORT);
        failed = s.store->failed > 0;
        testdev_mend(s.store);
        assert_int_equal(code, failed ? SELSNAP_ESTORE : SELSNAP_OK);
        assert_int_equal(selsnap_size(s.rig.ss), failed ? LONG : SHORT);
        rig_write(&s.rig, 0, AFTER, 1);
        uint64_t b = rig_snapshot(&s.rig, "b", 0, 0);
        rig_crash(&s.rig);
        assert_int_equal(selsnap_size(s.rig.ss), failed ? LONG : SHORT);
        assert_int_equal(rig_size_of(&s.rig, b), failed ? LONG : SHORT);
        rig_assert_whole(&s.rig, a, LONG, 0);
        rig_assert_snapshot(&s.rig, b, 0, 30, 1);
        rig_assert_sound(&s.rig);
        close_shrinking(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shrink__with_snapshots__each_keeps_all_it_had),
        cmocka_unit_test(test_shrink__device_cut_afterwards__goes_on_there),
        cmocka_unit_test(test_shrink__block_shared_behind_the_end__refused),
        cmocka_unit_test(test_shrink__end_inside_a_block__is_preserved_first),
        cmocka_unit_test(test_shrink__restore__refused_behind_the_end),
        cmocka_unit_test(test_shrink__grown_again_and_further__snapshots_keep_their_sizes),
        cmocka_unit_test(test_shrink__designation_behind_the_end__is_told_not_used),
        cmocka_unit_test(test_shrink__view_of_a_longer_snapshot__is_whole),
        cmocka_unit_test(test_shrink__diff__ends_where_the_later_side_does),
        cmocka_unit_test(test_shrink__not_possible__changes_nothing),
        cmocka_unit_test(test_shrink__store_fails_within__old_size),
    };
    return cmocka_run_group_tests_name("shrink-origin", tests, NULL, NULL);
}
