/* SPDX-License-Identifier: Apache-2.0 */
/* Space of deleted snapshots and overlays comes back, all of it, and nothing that somebody still needs. P10, [F-13]. */
#include "dump.h"
#include "rig.h"
#include "testdev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t used_after_fold(struct rig *rig) {
    rig_settle(rig);
    selsnap_step_options fold = SELSNAP_STEP_OPTIONS_INIT;
    fold.flags = SELSNAP_STEP_CHECKPOINT;
    assert_ok(selsnap_step(rig->ss, &fold, NULL));
    assert_ok(selsnap_step(rig->ss, &fold, NULL));
    return rig_stats(rig).store_used_bytes;
}

static void step_once(struct rig *rig, uint64_t budget, uint32_t *ret_more) {
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    options.flags = SELSNAP_STEP_RECLAIM;
    options.budget_blocks = budget;
    assert_ok(selsnap_step(rig->ss, &options, ret_more));
}

static unsigned steps_to_end(struct rig *rig, uint64_t budget) {
    unsigned steps = 0;
    uint32_t more = SELSNAP_STEP_RECLAIM;
    while (more != 0) {
        step_once(rig, budget, &more);
        steps++;
        assert_true(steps < 100000);
    }
    return steps;
}

/* Writes every second block of the range on its own, so that each gets an entry of its own. */
static void write_apart(struct rig *rig, uint64_t first, uint64_t count, uint64_t sequence) {
    for (uint64_t block = first; block < first + count; block += 2) {
        rig_write(rig, block, 1, sequence);
    }
}

static void test_reclaim__snapshot_deleted__every_byte_comes_back(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t used = 0;
    for (uint64_t round = 0; round < 4; round++) {
        uint64_t a = rig_snapshot(&rig, "a", 0, 32);
        rig_write(&rig, 0, 32, 10 * round + 1);
        uint64_t b = rig_snapshot(&rig, "b", 8, 40);
        write_apart(&rig, 0, 64, 10 * round + 2);
        assert_true(dump_count(rig.ss, "entry ", "data") > 0);
        assert_ok(selsnap_snapshot_delete(rig.ss, a));
        assert_ok(selsnap_snapshot_delete(rig.ss, b));
        assert_int_equal(rig_stats(&rig).reclaim_pending, 1);
        uint64_t now = used_after_fold(&rig);
        assert_int_equal(rig_stats(&rig).reclaim_pending, 0);
        assert_int_equal(dump_count(rig.ss, "entry ", NULL), 0);
        assert_int_equal(dump_count(rig.ss, "designation ", NULL), 0);
        assert_int_equal(dump_count(rig.ss, "ranges ", NULL), 0);
        if (round > 0) {
            assert_int_equal(now, used);
        }
        used = now;
    }
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_reclaim__others_need_the_entry__it_stays(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t old = rig_snapshot(&rig, "old", 0, 8);
    uint64_t middle = rig_snapshot(&rig, "middle", 0, 8);
    rig_write(&rig, 0, 8, 1); /* (b, middle), for both */
    uint64_t young = rig_snapshot(&rig, "young", 4, 8);
    rig_write(&rig, 0, 12, 2); /* (b, young) from 4 on */
    assert_ok(selsnap_snapshot_delete(rig.ss, middle));
    rig_settle(&rig);
    rig_assert_snapshot(&rig, old, 0, 8, 0);
    rig_assert_snapshot(&rig, young, 4, 4, 1);
    rig_assert_snapshot(&rig, young, 8, 4, 0);
    assert_ok(selsnap_snapshot_delete(rig.ss, old));
    rig_settle(&rig);
    rig_assert_snapshot(&rig, young, 4, 4, 1);
    rig_assert_snapshot(&rig, young, 8, 4, 0);
    rig_assert_sound(&rig);
    assert_ok(selsnap_snapshot_delete(rig.ss, young));
    rig_settle(&rig);
    assert_int_equal(dump_count(rig.ss, "entry ", NULL), 0);
    rig_close(&rig);
}

static void test_reclaim__one_block_of_an_extent_needed__extent_stays(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t wide = rig_snapshot(&rig, "wide", 0, 16);
    uint64_t narrow = rig_snapshot(&rig, "narrow", 3, 1);
    rig_write(&rig, 0, 16, 1);
    uint64_t entries = dump_count(rig.ss, "entry ", "data");
    assert_ok(selsnap_snapshot_delete(rig.ss, wide));
    rig_settle(&rig);
    assert_true(dump_count(rig.ss, "entry ", "data") >= 1);
    assert_true(dump_count(rig.ss, "entry ", "data") <= entries);
    rig_assert_snapshot(&rig, narrow, 3, 1, 0);
    rig_assert_sound(&rig);
    assert_ok(selsnap_snapshot_delete(rig.ss, narrow));
    rig_settle(&rig);
    assert_int_equal(dump_count(rig.ss, "entry ", NULL), 0);
    rig_close(&rig);
}

static void test_reclaim__only_a_restore_needs_it__becomes_a_mark(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t source = rig_snapshot(&rig, "source", 0, 8);
    rig_write(&rig, 0, 8, 1);
    uint64_t job = 0;
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    restore.id = source;
    assert_ok(selsnap_restore_start(rig.ss, &restore, &job));
    assert_ok(selsnap_restore_pause(rig.ss, job, 1));
    uint64_t young = rig_snapshot(&rig, "young", 0, 8);
    rig_write(&rig, 2, 1, 2); /* restored first, then preserved for young: the restore's mark resolves to it too */
    rig_assert_snapshot(&rig, young, 2, 1, 0);
    uint64_t before = dump_count(rig.ss, "entry ", "data");
    assert_int_equal(dump_count(rig.ss, "entry ", "mark"), 0);
    assert_ok(selsnap_snapshot_delete(rig.ss, young));
    (void)steps_to_end(&rig, 100);
    assert_int_equal(dump_count(rig.ss, "entry ", "mark"), 1);
    assert_int_equal(dump_count(rig.ss, "entry ", "data"), before - 1);
    rig_assert_sound(&rig);
    assert_ok(selsnap_restore_run(rig.ss, job, NULL, NULL));
    rig_settle(&rig);
    assert_int_equal(dump_count(rig.ss, "entry ", "mark"), 0);
    rig_assert_live(&rig, 0, 2, 0);
    rig_assert_live(&rig, 2, 1, 2);
    rig_assert_live(&rig, 3, 5, 0);
    rig_assert_snapshot(&rig, source, 0, 8, 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_reclaim__many_deletes__one_walk(void **state) {
    (void)state;
    enum { SNAPS = 10 };
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t ids[SNAPS];
    char name[16];
    uint64_t kept = rig_snapshot(&rig, "kept", 0, 64);
    write_apart(&rig, 0, 64, 1);
    for (unsigned i = 0; i < SNAPS; i++) {
        (void)snprintf(name, sizeof name, "s%u", i);
        ids[i] = rig_snapshot(&rig, name, 0, 64);
        write_apart(&rig, 0, 64, i + 2);
    }
    uint64_t entries = dump_count(rig.ss, "entry ", NULL);
    assert_true(entries >= SNAPS * 32);
    for (unsigned i = 0; i < SNAPS; i++) {
        assert_ok(selsnap_snapshot_delete(rig.ss, ids[i]));
    }
    unsigned steps = steps_to_end(&rig, 1);
    assert_true(steps >= entries && steps <= entries + 16);
    assert_int_equal(dump_number(rig.ss, "state 0", NULL, "reclaimed "), SNAPS);
    assert_int_equal(dump_count(rig.ss, "entry ", NULL), 32);
    rig_assert_snapshot(&rig, kept, 0, 64, 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_reclaim__reopened_in_a_walk__goes_on_from_its_cursor(void **state) {
    (void)state;
    struct rig_options options = {.origin_bytes = 1024 * 4096};
    struct rig rig;
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 1024);
    uint64_t kept = rig_snapshot(&rig, "kept", 0, 512); /* keeps the first 256 entries */
    write_apart(&rig, 0, 1024, 1);
    assert_int_equal(dump_count(rig.ss, "entry ", NULL), 512);
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    uint32_t more = 0;
    step_once(&rig, 384, &more);
    assert_int_equal(more, SELSNAP_STEP_RECLAIM);
    assert_int_equal(dump_count(rig.ss, "entry ", NULL), 384);
    assert_int_equal(dump_number(rig.ss, "state 0", NULL, "walk "), 1);
    for (unsigned way = 0; way < 2; way++) {
        if (way == 0) {
            rig_reopen(&rig);
        } else {
            rig_crash(&rig);
        }
        assert_int_equal(rig_stats(&rig).reclaim_pending, 1);
        step_once(&rig, 32, &more);
        assert_int_equal(more, SELSNAP_STEP_RECLAIM);
        assert_int_equal(dump_count(rig.ss, "entry ", NULL), 384 - 32 * (way + 1));
    }
    assert_true(steps_to_end(&rig, 32) <= 4);
    assert_int_equal(dump_count(rig.ss, "entry ", NULL), 256);
    rig_assert_snapshot(&rig, kept, 0, 512, 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_reclaim__deleted_during_a_walk__walks_again(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t a = rig_snapshot(&rig, "a", 0, 64);
    write_apart(&rig, 0, 64, 1);
    uint64_t b = rig_snapshot(&rig, "b", 0, 64);
    write_apart(&rig, 0, 64, 2);
    assert_ok(selsnap_snapshot_delete(rig.ss, b));
    uint32_t more = 0;
    step_once(&rig, 20, &more);
    assert_int_not_equal(more, 0);
    assert_ok(selsnap_snapshot_delete(rig.ss, a));
    rig_settle(&rig);
    assert_int_equal(dump_count(rig.ss, "entry ", NULL), 0);
    assert_int_equal(dump_number(rig.ss, "state 0", NULL, "reclaimed "), 2);
    rig_close(&rig);
}

static void test_reclaim__overlay_reset_or_deleted__every_byte_comes_back(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 64);
    uint8_t *buf = calloc(64, 4096);
    assert_non_null(buf);
    memset(buf, 0x5a, 64 * 4096);
    uint64_t used = 0;
    for (unsigned round = 0; round < 3; round++) {
        selsnap_view *view = rig_view(&rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
        assert_ok(selsnap_view_write(view, buf, 64 * 4096, 0));
        assert_ok(selsnap_view_flush(view));
        assert_int_equal(dump_count(rig.ss, "overlay ", "data"), 64);
        assert_ok(selsnap_view_reset(view));
        assert_ok(selsnap_view_close(view));
        if (round == 1) {
            rig_reopen(&rig);
        }
        assert_int_equal(rig_stats(&rig).reclaim_pending, 1);
        uint64_t now = used_after_fold(&rig);
        assert_int_equal(dump_count(rig.ss, "overlay ", NULL), 0);
        assert_int_equal(dump_count(rig.ss, "job ", NULL), 0);
        if (round > 0) {
            assert_int_equal(now, used);
        }
        used = now;
    }
    selsnap_view *view = rig_view(&rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    assert_ok(selsnap_view_write(view, buf, 64 * 4096, 0));
    assert_ok(selsnap_view_close(view));
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    rig_settle(&rig);
    assert_int_equal(dump_count(rig.ss, "overlay ", NULL), 0);
    assert_int_equal(dump_count(rig.ss, "job ", NULL), 0);
    rig_assert_sound(&rig);
    free(buf);
    rig_close(&rig);
}

static void test_reclaim__full_store__deletes_and_gives_back(void **state) {
    (void)state;
    struct rig_options options = {.origin_bytes = 2048 * 4096, .store_bytes = 4 << 20};
    struct rig rig;
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 2048);
    uint64_t block = 0;
    int code = SELSNAP_OK;
    while (block < 2048 && code == SELSNAP_OK) {
        code = rig_try_write(&rig, block, 1, 1);
        block += code == SELSNAP_OK;
    }
    assert_int_equal(code, SELSNAP_ENOSPACE);
    assert_true(block > 100);
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    rig_settle(&rig);
    assert_int_equal(dump_count(rig.ss, "entry ", NULL), 0);
    id = rig_snapshot(&rig, "again", 0, 2048);
    for (uint64_t i = 0; i < block; i++) {
        rig_write(&rig, i, 1, 2);
    }
    rig_assert_sound(&rig);
    rig_close(&rig);
}

/* ---- failures ---- */

struct failing {
    struct wire wire;
    struct rig rig;
    struct testdev *store;
    uint64_t kept;
};

/* Snapshots, an overlay and a designation, all but "kept" deleted and reset: there is work for every part of a step. */
static void failing_open(struct failing *failing) {
    memset(failing, 0, sizeof *failing);
    wire_init(&failing->wire, false);
    struct testdev *origin = testdev_open(&failing->wire, 'o', 64 * 4096, 0, NULL);
    failing->store = testdev_open(&failing->wire, 's', 4 << 20, 0, NULL);
    rig_open_on(&failing->rig, origin->device, failing->store->device, NULL);
    struct rig *rig = &failing->rig;
    uint64_t gone = rig_snapshot(rig, "gone", 0, 40);
    failing->kept = rig_snapshot(rig, "kept", 20, 40);
    write_apart(rig, 0, 64, 1);
    uint64_t written = rig_snapshot(rig, "written", 0, 64);
    uint8_t buf[4096] = {1};
    for (uint64_t block = 0; block < 8; block++) {
        selsnap_view *view = rig_view(rig, written, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
        assert_ok(selsnap_view_write(view, buf, sizeof buf, block * 4096));
        assert_ok(selsnap_view_close(view));
    }
    write_apart(rig, 0, 64, 2);
    assert_ok(selsnap_snapshot_delete(rig->ss, gone));
    assert_ok(selsnap_snapshot_delete(rig->ss, written));
}

/* Nothing is left of what was deleted, and no page was given back twice or not at all. */
static void failing_finish(struct failing *failing) {
    struct rig *rig = &failing->rig;
    rig_settle(rig);
    assert_int_equal(dump_count(rig->ss, "overlay ", NULL), 0);
    assert_int_equal(dump_count(rig->ss, "job ", NULL), 0);
    assert_int_equal(dump_count(rig->ss, "designation ", NULL), 1);
    assert_int_equal(dump_count(rig->ss, "entry ", NULL), 20);
    rig_assert_snapshot(rig, failing->kept, 20, 40, 0);
    rig_assert_sound(rig);
    rig_close(rig);
    wire_fini(&failing->wire);
}

static void test_reclaim__store_fails_anywhere__space_comes_back_once(void **state) {
    (void)state;
    for (int crash = 0; crash < 2; crash++) {
        uint64_t failed = 1;
        for (uint64_t nth = 1; failed > 0; nth += test_share()) {
            struct failing failing;
            failing_open(&failing);
            testdev_fail(failing.store, TESTDEV_ALL, nth, nth % 2 == 0);
            selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
            options.budget_blocks = 10;
            int code = SELSNAP_OK;
            for (unsigned i = 0; i < 12 && code == SELSNAP_OK; i++) {
                code = selsnap_step(failing.rig.ss, &options, NULL);
            }
            failed = failing.store->failed;
            assert_true(code == SELSNAP_OK || code == SELSNAP_ESTORE);
            assert_true(failed == 0 || code != SELSNAP_OK || nth % 2 == 1);
            testdev_mend(failing.store);
            if (crash == 1) {
                rig_crash(&failing.rig);
            }
            failing_finish(&failing);
            assert_true(nth < 1000);
        }
    }
}

static void test_reclaim__no_memory_anywhere__goes_on_afterwards(void **state) {
    (void)state;
    uint64_t failed = 1;
    for (uint64_t nth = 1; failed > 0; nth += test_share()) {
        struct failing failing;
        failing_open(&failing);
        heap_fail(&failing.rig.heap, nth, false);
        int code = selsnap_step(failing.rig.ss, NULL, NULL);
        failed = failing.rig.heap.failed;
        assert_true(code == SELSNAP_OK || code == SELSNAP_ENOMEM || code == SELSNAP_ESTORE);
        heap_mend(&failing.rig.heap);
        failing_finish(&failing);
        assert_true(nth < 1000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reclaim__snapshot_deleted__every_byte_comes_back),
        cmocka_unit_test(test_reclaim__others_need_the_entry__it_stays),
        cmocka_unit_test(test_reclaim__one_block_of_an_extent_needed__extent_stays),
        cmocka_unit_test(test_reclaim__only_a_restore_needs_it__becomes_a_mark),
        cmocka_unit_test(test_reclaim__many_deletes__one_walk),
        cmocka_unit_test(test_reclaim__reopened_in_a_walk__goes_on_from_its_cursor),
        cmocka_unit_test(test_reclaim__deleted_during_a_walk__walks_again),
        cmocka_unit_test(test_reclaim__overlay_reset_or_deleted__every_byte_comes_back),
        cmocka_unit_test(test_reclaim__full_store__deletes_and_gives_back),
        cmocka_unit_test(test_reclaim__store_fails_anywhere__space_comes_back_once),
        cmocka_unit_test(test_reclaim__no_memory_anywhere__goes_on_afterwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
