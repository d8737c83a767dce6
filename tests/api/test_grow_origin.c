/* SPDX-License-Identifier: Apache-2.0 */
/* Origins that grow with snapshots on them. [F-19] */
#include "rig.h"
#include "testdev.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 4096, OLD = 20 * BLOCK + 1536, NEW = 70 * BLOCK + 512, MOST = 100 * BLOCK };

struct growing {
    struct wire wire;
    struct testdev *origin;
    struct testdev *store;
    struct rig rig;
};

static void open_growing(struct growing *g, uint64_t bytes, uint64_t deferred) {
    const struct rig_options options = {.deferred = deferred};
    const struct testdev_kind kind = {.logical = 512, .most = MOST};
    wire_init(&g->wire, false);
    g->origin = testdev_open_kind(&g->wire, 'o', bytes, &kind, NULL);
    g->store = testdev_open(&g->wire, 's', 4 << 20, 1, NULL);
    memset(g->origin->bytes + bytes, 0xee, MOST - bytes); /* what the device has where it grows */
    rig_open_on(&g->rig, g->origin->device, g->store->device, &options);
}

static void close_growing(struct growing *g) {
    rig_close(&g->rig);
    wire_fini(&g->wire);
}

static int grow(struct growing *g, uint64_t bytes) {
    int code = selsnap_grow_origin(g->rig.ss, bytes);
    g->rig.block_count = (selsnap_size(g->rig.ss) + BLOCK - 1) / BLOCK;
    return code;
}

static void test_grow__with_snapshots__each_keeps_its_size(void **state) {
    (void)state;
    struct growing g;
    open_growing(&g, OLD, 0);
    uint64_t a = rig_snapshot(&g.rig, "a", 0, 0);
    rig_write(&g.rig, 3, 5, 1);
    uint64_t first = rig_snapshot(&g.rig, "first", 0, 8);
    assert_ok(grow(&g, OLD + 512));
    assert_int_equal(selsnap_size(g.rig.ss), OLD + 512);
    assert_int_equal(g.origin->size, OLD + 512);
    rig_write(&g.rig, 0, 21, 2);
    uint64_t b = rig_snapshot(&g.rig, "b", 0, 0);
    assert_ok(grow(&g, NEW));
    rig_write(&g.rig, 0, 71, 3);
    uint64_t c = rig_snapshot(&g.rig, "c", 0, 0);
    rig_write(&g.rig, 0, 71, 4);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(rig_size_of(&g.rig, a), OLD);
        assert_int_equal(rig_size_of(&g.rig, first), OLD);
        rig_assert_snapshot(&g.rig, first, 3, 5, 1);
        rig_assert_whole(&g.rig, b, OLD + 512, 2);
        rig_assert_whole(&g.rig, c, NEW, 3);
        rig_assert_snapshot(&g.rig, a, 0, 20, 0);
        rig_assert_live(&g.rig, 0, 71, 4);
        rig_assert_sound(&g.rig);
        if (round == 1) {
            rig_reopen(&g.rig);
        } else if (round == 0) {
            rig_crash(&g.rig);
        }
    }
    close_growing(&g);
}

/* The block in which the old end lies: its copy has what was before the end, and zeros; what follows is not touched. */
static void test_grow__end_inside_a_block__is_preserved_first(void **state) {
    (void)state;
    struct growing g;
    uint8_t buf[BLOCK];
    open_growing(&g, OLD, 0);
    uint64_t a = rig_snapshot(&g.rig, "a", 0, 0);
    assert_int_equal(rig_state(&g.rig, a, 20), SELSNAP_BLOCKS_UNCHANGED);
    assert_ok(grow(&g, NEW));
    assert_int_equal(rig_state(&g.rig, a, 20), SELSNAP_BLOCKS_PRESERVED);
    assert_int_equal(rig_state(&g.rig, a, 19), SELSNAP_BLOCKS_UNCHANGED);
    assert_ok(selsnap_read(g.rig.ss, buf, BLOCK, UINT64_C(20) * BLOCK));
    assert_true(pattern_is(buf, 1536, UINT64_C(20) * BLOCK, 0, 0));
    for (size_t i = 1536; i < BLOCK; i++) {
        assert_int_equal(buf[i], 0xee);
    }
    rig_write(&g.rig, 20, 1, 1);
    rig_assert_whole(&g.rig, a, OLD, 0);
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    uint64_t job = 0;
    options.id = a;
    assert_ok(selsnap_restore_start(g.rig.ss, &options, &job));
    assert_int_equal(grow(&g, MOST), SELSNAP_EBUSY);
    assert_ok(selsnap_restore_run(g.rig.ss, job, NULL, NULL));
    assert_ok(selsnap_read(g.rig.ss, buf, BLOCK, UINT64_C(20) * BLOCK));
    assert_true(pattern_is(buf, 1536, UINT64_C(20) * BLOCK, 0, 0));
    assert_true(pattern_all_zero(buf + 1536, BLOCK - 1536));
    assert_ok(selsnap_read(g.rig.ss, buf, BLOCK, UINT64_C(21) * BLOCK));
    assert_int_equal(buf[0], 0xee);
    close_growing(&g);
}

static void test_grow__written_into_a_snapshot__ends_where_it_ended(void **state) {
    (void)state;
    struct growing g;
    uint8_t buf[BLOCK] = {0};
    open_growing(&g, OLD, 0);
    uint64_t a = rig_snapshot(&g.rig, "a", 0, 0);
    assert_ok(grow(&g, NEW));
    selsnap_view *view = rig_view(&g.rig, a, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_LIVE);
    assert_int_equal(grow(&g, MOST), SELSNAP_EBUSY);
    pattern_fill(buf, 1536, UINT64_C(20) * BLOCK, 1, 7);
    assert_ok(selsnap_view_write(view, buf, 1536, UINT64_C(20) * BLOCK));
    assert_int_equal(selsnap_view_write(view, buf, 1537, UINT64_C(20) * BLOCK), SELSNAP_ERANGE);
    assert_int_equal(selsnap_view_discard(view, OLD, 1), SELSNAP_ERANGE);
    assert_ok(selsnap_view_flush(view));
    assert_ok(selsnap_view_read(view, buf, 1536, UINT64_C(20) * BLOCK));
    assert_true(pattern_is(buf, 1536, UINT64_C(20) * BLOCK, 1, 7));
    assert_ok(selsnap_view_close(view));
    rig_assert_sound(&g.rig);
    close_growing(&g);
}

/* Whatever is made of a snapshot has its point, and so its size. */
static void test_grow__clones_made_before_and_after__end_where_their_source_does(void **state) {
    (void)state;
    struct growing g;
    open_growing(&g, OLD, 0);
    uint64_t ids[4] = {rig_snapshot(&g.rig, "a", 0, 0)};
    selsnap_clone_options options = SELSNAP_CLONE_OPTIONS_INIT;
    options.source_id = ids[0];
    options.name = "before";
    assert_ok(selsnap_snapshot_clone(g.rig.ss, &options, &ids[1]));
    assert_ok(grow(&g, NEW));
    options.name = "after";
    assert_ok(selsnap_snapshot_clone(g.rig.ss, &options, &ids[2]));
    options.name = "of the clone";
    options.source_id = ids[2];
    options.flags = SELSNAP_CLONE_AS_CHANGED;
    assert_ok(selsnap_snapshot_clone(g.rig.ss, &options, &ids[3]));
    rig_write(&g.rig, 0, 40, 1);
    assert_ok(selsnap_snapshot_delete(g.rig.ss, ids[0]));
    rig_settle(&g.rig);
    assert_ok(grow(&g, MOST));
    rig_reopen(&g.rig);
    for (unsigned i = 1; i < 4; i++) {
        assert_int_equal(rig_size_of(&g.rig, ids[i]), OLD);
        rig_assert_whole(&g.rig, ids[i], OLD, 0);
    }
    rig_assert_sound(&g.rig);
    close_growing(&g);
}

/* A set of all blocks is not all of them any more; what is new belongs to no snapshot before. */
static void test_grow__whole_designation__has_its_old_blocks(void **state) {
    (void)state;
    struct growing g;
    open_growing(&g, UINT64_C(20) * BLOCK, 0);
    rig_save(&g.rig, "all", 0, 0);
    uint64_t a = rig_snapshot_of(&g.rig, "a", "all");
    selsnap_subset *old = rig_subset(&g.rig, 0, 4);
    assert_ok(grow(&g, MOST));
    rig_reset_counts(&g.rig);
    rig_write(&g.rig, 20, 80, 1);
    assert_int_equal(rig_store_counts(&g.rig).writes, 0);
    uint64_t b = rig_snapshot_of(&g.rig, "b", "all");
    rig_write(&g.rig, 0, 100, 2);
    uint64_t c = rig_snapshot(&g.rig, "c", 0, 0);
    rig_write(&g.rig, 0, 100, 3);
    rig_assert_whole(&g.rig, a, UINT64_C(20) * BLOCK, 0);
    rig_assert_whole(&g.rig, c, MOST, 2);
    assert_int_equal(rig_size_of(&g.rig, b), MOST);
    rig_assert_snapshot(&g.rig, b, 0, 20, 0);
    uint8_t buf[BLOCK];
    assert_int_equal(rig_read_snapshot(&g.rig, b, 20, buf), SELSNAP_EUNDESIGNATED);
    selsnap_diff_options diff = SELSNAP_DIFF_OPTIONS_INIT;
    selsnap_diff_range range = {0};
    diff.from_id = a;
    diff.to_id = c;
    assert_ok(selsnap_diff_next(g.rig.ss, &diff, 0, &range));
    assert_int_equal(range.kind, SELSNAP_DIFF_CHANGED);
    assert_int_equal(range.len, UINT64_C(20) * BLOCK);
    assert_ok(selsnap_diff_next(g.rig.ss, &diff, range.len, &range));
    assert_int_equal(range.kind, SELSNAP_DIFF_UNKNOWN);
    assert_int_equal(range.offset + range.len, MOST);
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = "d";
    options.subset = old;
    assert_int_equal(selsnap_snapshot_create(g.rig.ss, &options, NULL), SELSNAP_EINVAL);
    selsnap_subset_close(old);
    rig_assert_sound(&g.rig);
    close_growing(&g);
}

/* A diff to a snapshot ends where that ends, inside a block too: all of it can be read there. */
static void test_grow__diff_to_a_shorter_snapshot__ends_with_it(void **state) {
    (void)state;
    struct growing g;
    uint8_t buf[BLOCK];
    open_growing(&g, OLD, 0);
    selsnap_diff_options diff = SELSNAP_DIFF_OPTIONS_INIT;
    selsnap_diff_range range = {0};
    diff.from_id = rig_snapshot(&g.rig, "a", 0, 0);
    rig_write(&g.rig, 20, 1, 1);
    diff.to_id = rig_snapshot(&g.rig, "b", 0, 0);
    assert_ok(grow(&g, NEW));
    assert_ok(selsnap_diff_next(g.rig.ss, &diff, 0, &range));
    assert_int_equal(range.offset, UINT64_C(20) * BLOCK);
    assert_int_equal(range.len, 1536);
    selsnap_view *view = rig_view(&g.rig, diff.to_id, 0, SELSNAP_UNDESIGNATED_ERROR);
    assert_ok(selsnap_view_read(view, buf, (size_t)range.len, range.offset));
    assert_ok(selsnap_view_close(view));
    assert_int_equal(selsnap_diff_next(g.rig.ss, &diff, OLD, &range), SELSNAP_ENOENT);
    assert_int_equal(selsnap_diff_next(g.rig.ss, &diff, NEW, &range), SELSNAP_ENOENT);
    close_growing(&g);
}

static void test_grow__not_possible__changes_nothing(void **state) {
    (void)state;
    struct growing g;
    open_growing(&g, OLD, 0);
    uint64_t a = rig_snapshot(&g.rig, "a", 0, 0);
    assert_int_equal(selsnap_grow_origin(NULL, NEW), SELSNAP_EINVAL);
    assert_int_equal(grow(&g, OLD - 512), SELSNAP_EINVAL);
    assert_int_equal(grow(&g, OLD + 100), SELSNAP_EALIGN);
    assert_int_equal(grow(&g, MOST + 512), SELSNAP_ETOOSMALL);
    assert_ok(grow(&g, OLD));
    assert_ok(grow(&g, 0));
    assert_int_equal(selsnap_size(g.rig.ss), OLD);
    assert_int_equal(rig_state(&g.rig, a, 20), SELSNAP_BLOCKS_UNCHANGED);
    rig_stop(&g.rig);
    g.rig.options.open_flags = SELSNAP_OPEN_READ_ONLY;
    rig_start(&g.rig);
    assert_int_equal(grow(&g, NEW), SELSNAP_EREADONLY);
    rig_stop(&g.rig);
    g.rig.options.open_flags = 0;
    rig_start(&g.rig);
    rig_assert_whole(&g.rig, a, OLD, 0);
    assert_ok(selsnap_abandon(g.rig.ss));
    assert_int_equal(grow(&g, NEW), SELSNAP_EABANDONED);
    close_growing(&g);
}

/* Longer since it was closed: only when something speaks for it. Nobody reads or writes behind the origin's end. */
static void test_open__device_longer__first_bytes_are_used(void **state) {
    (void)state;
    struct growing g;
    uint8_t buf[512] = {0};
    open_growing(&g, OLD, 0);
    uint64_t a = rig_snapshot(&g.rig, "a", 0, 0);
    selsnap_device *store = rig_copy_device(g.store->device);
    rig_stop(&g.rig);
    g.origin->size = NEW;
    selsnap_device *longer = rig_copy_device(g.rig.origin_base);
    selsnap_device_close(longer);
    selsnap_device *other = NULL;
    assert_ok(selsnap_device_open_memory(NEW, 512, &other));
    for (uint64_t at = 0; at < NEW; at += 512) {
        assert_ok(selsnap_device_write(other, g.origin->bytes + at, 512, at));
    }
    selsnap *ss = NULL;
    assert_int_equal(selsnap_open(g.rig.store, other, NULL, &ss), SELSNAP_EORIGIN);
    /* Of a store that was not closed, it is taken: a growth may have been under way. */
    assert_ok(selsnap_open(store, other, NULL, &ss));
    assert_int_equal(selsnap_size(ss), OLD);
    assert_ok(selsnap_close(ss));
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.flags = SELSNAP_OPEN_LONGER_ORIGIN;
    assert_ok(selsnap_open(g.rig.store, other, &options, &ss));
    assert_int_equal(selsnap_size(ss), OLD);
    assert_int_equal(selsnap_read(ss, buf, 512, OLD), SELSNAP_ERANGE);
    assert_int_equal(selsnap_write(ss, buf, 512, OLD), SELSNAP_ERANGE);
    assert_int_equal(selsnap_write_zeroes(ss, OLD - 512, 1024), SELSNAP_ERANGE);
    assert_int_equal(selsnap_discard(ss, OLD, 512), SELSNAP_ERANGE);
    assert_ok(selsnap_grow_origin(ss, 0));
    assert_int_equal(selsnap_size(ss), NEW);
    assert_ok(selsnap_write(ss, buf, 512, OLD));
    assert_ok(selsnap_close(ss));
    assert_ok(selsnap_open(g.rig.store, other, NULL, &ss));
    g.rig.ss = ss;
    rig_assert_whole(&g.rig, a, OLD, 0);
    assert_ok(selsnap_close(ss));
    g.rig.ss = NULL;
    selsnap_device_close(other);
    selsnap_device_close(store);
    close_growing(&g);
}

static void test_grow__deferred_writes__are_drained_first(void **state) {
    (void)state;
    struct growing g;
    open_growing(&g, OLD, UINT64_C(64) * BLOCK);
    uint64_t a = rig_snapshot(&g.rig, "a", 0, 0);
    rig_write(&g.rig, 10, 11, 1);
    assert_ok(grow(&g, NEW));
    uint8_t buf[512] = {0};
    assert_ok(selsnap_read(g.rig.ss, buf, sizeof buf, OLD));
    assert_int_equal(buf[0], 0xee);
    rig_write(&g.rig, 0, 71, 2);
    assert_ok(selsnap_flush(g.rig.ss));
    rig_assert_whole(&g.rig, a, OLD, 0);
    rig_assert_live(&g.rig, 0, 71, 2);
    rig_assert_sound(&g.rig);
    close_growing(&g);
}

/* Each call of the store fails, in turn: the size stays the old one, a snapshot made then has it, and it grows at last. */
static void test_grow__store_fails_within__old_size(void **state) {
    (void)state;
    bool failed = true;
    for (uint64_t nth = 1; failed; nth++) {
        struct growing g;
        open_growing(&g, OLD, 0);
        uint64_t a = rig_snapshot(&g.rig, "a", 0, 0);
        testdev_fail(g.store, TESTDEV_ALL, nth, false);
        int code = grow(&g, NEW);
        failed = g.store->failed > 0;
        testdev_mend(g.store);
        assert_int_equal(code, failed ? SELSNAP_ESTORE : SELSNAP_OK);
        assert_int_equal(selsnap_size(g.rig.ss), failed ? OLD : NEW);
        if (failed) {
            rig_write(&g.rig, 0, 21, 1);
            uint64_t b = rig_snapshot(&g.rig, "b", 0, 0);
            if (nth % 2 == 0) {
                rig_crash(&g.rig);
            } else {
                assert_ok(grow(&g, NEW));
                rig_write(&g.rig, 0, 71, 2);
            }
            rig_assert_whole(&g.rig, b, OLD, 1);
        }
        rig_assert_whole(&g.rig, a, OLD, 0);
        rig_assert_sound(&g.rig);
        close_growing(&g);
        assert_true(nth < 100);
    }
}

static void test_grow__many_snapshots__all_keep_their_size(void **state) {
    (void)state;
    struct growing g;
    uint64_t ids[600];
    char name[16];
    open_growing(&g, OLD, 0);
    for (unsigned i = 0; i < 600; i++) {
        snprintf(name, sizeof name, "s%u", i);
        ids[i] = rig_snapshot(&g.rig, name, 0, 0);
    }
    assert_ok(grow(&g, NEW));
    rig_write(&g.rig, 0, 71, 1);
    rig_reopen(&g.rig);
    for (unsigned i = 0; i < 600; i += 37) {
        rig_assert_whole(&g.rig, ids[i], OLD, 0);
    }
    for (unsigned i = 0; i < 600; i++) {
        assert_ok(selsnap_snapshot_delete(g.rig.ss, ids[i]));
    }
    rig_settle(&g.rig);
    rig_assert_sound(&g.rig); /* no size is left of a snapshot that is gone */
    close_growing(&g);
}

static void test_repair__after_a_growth__sizes_are_carried_over(void **state) {
    (void)state;
    struct growing g;
    open_growing(&g, OLD, 0);
    uint64_t a = rig_snapshot(&g.rig, "a", 0, 0);
    assert_ok(grow(&g, NEW));
    uint64_t b = rig_snapshot(&g.rig, "b", 0, 0);
    rig_write(&g.rig, 20, 51, 1);
    rig_stop(&g.rig);
    selsnap_device *fresh = NULL;
    selsnap_repair_result result = SELSNAP_REPAIR_RESULT_INIT;
    assert_ok(selsnap_device_open_memory(4 << 20, 0, &fresh));
    assert_ok(selsnap_repair(g.rig.store, g.rig.origin, fresh, NULL, &result));
    selsnap_device_close(g.rig.store);
    selsnap_device_close(g.rig.store_base);
    g.rig.store_base = fresh;
    assert_ok(selsnap_device_open_counting(fresh, &g.rig.store));
    rig_start(&g.rig);
    rig_assert_whole(&g.rig, a, OLD, 0);
    assert_int_equal(rig_size_of(&g.rig, b), NEW);
    rig_assert_snapshot(&g.rig, b, 0, 20, 0);
    rig_assert_sound(&g.rig);
    close_growing(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grow__with_snapshots__each_keeps_its_size),
        cmocka_unit_test(test_grow__end_inside_a_block__is_preserved_first),
        cmocka_unit_test(test_grow__written_into_a_snapshot__ends_where_it_ended),
        cmocka_unit_test(test_grow__clones_made_before_and_after__end_where_their_source_does),
        cmocka_unit_test(test_grow__whole_designation__has_its_old_blocks),
        cmocka_unit_test(test_grow__diff_to_a_shorter_snapshot__ends_with_it),
        cmocka_unit_test(test_grow__not_possible__changes_nothing),
        cmocka_unit_test(test_open__device_longer__first_bytes_are_used),
        cmocka_unit_test(test_grow__deferred_writes__are_drained_first),
        cmocka_unit_test(test_grow__store_fails_within__old_size),
        cmocka_unit_test(test_grow__many_snapshots__all_keep_their_size),
        cmocka_unit_test(test_repair__after_a_growth__sizes_are_carried_over),
    };
    return cmocka_run_group_tests_name("grow-origin", tests, NULL, NULL);
}
