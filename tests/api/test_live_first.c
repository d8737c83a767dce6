/* SPDX-License-Identifier: Apache-2.0 */
/* P9: the live device comes first. A store that is full, dead or damaged never corrupts the origin and never stops
 * writes that need nothing of it; what happens to the others is the snapshots' policy. */
#include "rig.h"
#include "testdev.h"

#include <stdio.h>
#include <string.h>

enum { BLOCKS = 1024 };

struct pair {
    struct rig rig;
    struct wire wire;
    struct testdev *origin;
    struct testdev *store;
    selsnap_event last_event;
    uint64_t lost_bytes; /* told by events */
};

static void on_event(void *user, const selsnap_event *event) {
    struct pair *pair = user;
    pair->last_event = *event;
    if (event->kind == SELSNAP_EVENT_BLOCK_LOST) {
        pair->lost_bytes += event->len;
    }
}

static void pair_open(struct pair *pair, uint64_t store_bytes) {
    memset(pair, 0, sizeof *pair);
    wire_init(&pair->wire, false);
    pair->origin = testdev_open(&pair->wire, 'o', BLOCKS * 4096, 512, NULL);
    pair->store = testdev_open(&pair->wire, 's', store_bytes, 4096, NULL);
    const struct rig_options options = {.journal_bytes = 65536, .event = on_event, .event_user = pair};
    rig_open_on(&pair->rig, pair->origin->device, pair->store->device, &options);
}

static void pair_close(struct pair *pair) {
    rig_close(&pair->rig);
    wire_fini(&pair->wire);
}

/* Writes block after block from `first` on, until one is refused. Gives that block. */
static uint64_t fill_store(struct pair *pair, uint64_t first) {
    for (uint64_t block = first; block < BLOCKS; block++) {
        int code = rig_try_write(&pair->rig, block, 1, 1);
        if (code != SELSNAP_OK) {
            assert_int_equal(code, SELSNAP_ENOSPACE);
            return block;
        }
    }
    fail_msg("the store took %d blocks", BLOCKS);
    return 0;
}

static void test_full_store__policy_fail__write_fails_and_nothing_changed(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, 2 << 20);
    uint64_t id = rig_snapshot(&pair.rig, "s", 0, 0);
    uint64_t refused = fill_store(&pair, 0);
    assert_true(refused > 100);
    rig_assert_origin(&pair.rig, refused, 1, 0);
    rig_assert_snapshot(&pair.rig, id, 0, BLOCKS, 0);
    rig_assert_sound(&pair.rig);
    assert_int_equal(pair.lost_bytes, 0);
    pair_close(&pair);
}

static void test_full_store__clean_writes__go_on(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, 2 << 20);
    (void)rig_snapshot(&pair.rig, "s", 8, BLOCKS - 8);
    uint64_t refused = fill_store(&pair, 8);
    rig_write(&pair.rig, 0, 8, 7);
    rig_write(&pair.rig, 9, 4, 7);
    rig_assert_live(&pair.rig, 0, 8, 7);
    rig_assert_live(&pair.rig, 9, 4, 7);
    rig_assert_origin(&pair.rig, refused, 1, 0);
    pair_close(&pair);
}

static void test_full_store__policy_give_up__write_goes_on_and_the_loss_is_told(void **state) {
    (void)state;
    struct pair pair;
    uint64_t id = 0;
    uint8_t buf[4096];
    uint64_t lost = 0;
    pair_open(&pair, 2 << 20);
    assert_ok(rig_try_snapshot(&pair.rig, "s", 0, 0, SELSNAP_POLICY_GIVE_UP_BLOCK, &id));
    for (uint64_t block = 0; block < BLOCKS; block++) {
        rig_write(&pair.rig, block, 1, 1);
    }
    rig_assert_live(&pair.rig, 0, BLOCKS, 1);
    for (uint64_t block = 0; block < BLOCKS; block++) {
        int code = rig_read_snapshot(&pair.rig, id, block, buf);
        if (code == SELSNAP_ELOST) {
            assert_int_equal(rig_state(&pair.rig, id, block), SELSNAP_BLOCKS_LOST);
            lost++;
        } else {
            assert_ok(code);
            assert_true(pattern_is(buf, 4096, block * 4096, 0, 0));
        }
    }
    assert_true(lost > 0 && lost < BLOCKS);
    assert_int_equal(rig_stats(&pair.rig).blocks_lost, lost);
    assert_int_equal(pair.lost_bytes, lost * 4096);
    rig_reopen(&pair.rig);
    assert_int_equal(rig_read_snapshot(&pair.rig, id, BLOCKS - 1, buf), SELSNAP_ELOST);
    rig_assert_snapshot(&pair.rig, id, 0, 100, 0);
    rig_assert_sound(&pair.rig);
    pair_close(&pair);
}

/* s1 says fail, s2 says give up; the entry serves both: the write fails, and nothing is lost. */
static void test_full_store__sharers_of_both_policies__write_fails(void **state) {
    (void)state;
    for (unsigned order = 0; order < 2; order++) {
        struct pair pair;
        uint64_t ids[2];
        pair_open(&pair, 2 << 20);
        uint32_t first = order == 0 ? SELSNAP_POLICY_FAIL_WRITE : SELSNAP_POLICY_GIVE_UP_BLOCK;
        uint32_t second = order == 0 ? SELSNAP_POLICY_GIVE_UP_BLOCK : SELSNAP_POLICY_FAIL_WRITE;
        assert_ok(rig_try_snapshot(&pair.rig, "s1", 0, 0, first, &ids[0]));
        assert_ok(rig_try_snapshot(&pair.rig, "s2", 0, 0, second, &ids[1]));
        uint64_t refused = fill_store(&pair, 0);
        rig_assert_origin(&pair.rig, refused, 1, 0);
        rig_assert_snapshot(&pair.rig, ids[0], 0, BLOCKS, 0);
        rig_assert_snapshot(&pair.rig, ids[1], 0, BLOCKS, 0);
        assert_int_equal(pair.lost_bytes, 0);
        pair_close(&pair);
    }
}

/* s1 (fail) has the block already; s2 (give up) alone needs it: it is given up. */
static void test_full_store__only_the_giving_sharer_needs_it__given_up(void **state) {
    (void)state;
    struct pair pair;
    uint64_t s2 = 0;
    uint8_t buf[4096];
    pair_open(&pair, 2 << 20);
    uint64_t s1 = rig_snapshot(&pair.rig, "s1", 0, 0);
    rig_write(&pair.rig, 3, 1, 1);
    assert_ok(rig_try_snapshot(&pair.rig, "s2", 3, 1, SELSNAP_POLICY_GIVE_UP_BLOCK, &s2));
    (void)fill_store(&pair, 4);
    rig_write(&pair.rig, 3, 1, 2);
    rig_assert_live(&pair.rig, 3, 1, 2);
    assert_int_equal(rig_read_snapshot(&pair.rig, s2, 3, buf), SELSNAP_ELOST);
    rig_assert_snapshot(&pair.rig, s1, 0, BLOCKS, 0);
    pair_close(&pair);
}

static void test_full_store__snapshot_deleted__space_comes_back(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, 2 << 20);
    uint64_t first = rig_snapshot(&pair.rig, "first", 0, 0);
    uint64_t refused = fill_store(&pair, 0);
    assert_ok(selsnap_snapshot_delete(pair.rig.ss, first));
    rig_settle(&pair.rig);
    uint64_t second = rig_snapshot(&pair.rig, "second", 0, 0);
    rig_write(&pair.rig, refused, 1, 2);
    for (uint64_t block = 0; block < refused - 16; block++) {
        rig_write(&pair.rig, block, 1, 2);
    }
    rig_assert_snapshot(&pair.rig, second, 0, refused, 1);
    rig_assert_sound(&pair.rig);
    pair_close(&pair);
}

static void test_dead_store__writes_that_preserve__fail_and_change_nothing(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, 4 << 20);
    uint64_t id = rig_snapshot(&pair.rig, "s", 0, 32);
    rig_write(&pair.rig, 0, 4, 1);
    testdev_fail(pair.store, TESTDEV_ALL, 1, true);
    assert_int_equal(rig_try_write(&pair.rig, 5, 1, 1), SELSNAP_ESTORE);
    assert_int_equal(rig_try_write(&pair.rig, 6, 20, 1), SELSNAP_ESTORE);
    rig_assert_origin(&pair.rig, 4, 28, 0);
    testdev_mend(pair.store);
    rig_write(&pair.rig, 5, 1, 2);
    rig_assert_snapshot(&pair.rig, id, 0, 32, 0);
    rig_assert_sound(&pair.rig);
    pair_close(&pair);
}

static void test_dead_store__clean_writes_and_reads__go_on(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, 4 << 20);
    (void)rig_snapshot(&pair.rig, "s", 0, 32);
    rig_write(&pair.rig, 0, 4, 1);
    testdev_fail(pair.store, TESTDEV_ALL, 1, true);
    assert_int_equal(rig_try_write(&pair.rig, 5, 1, 1), SELSNAP_ESTORE);
    rig_write(&pair.rig, 32, 900, 2);
    rig_write(&pair.rig, 1, 2, 2);
    rig_assert_live(&pair.rig, 32, 900, 2);
    rig_assert_live(&pair.rig, 1, 2, 2);
    assert_ok(selsnap_flush(pair.rig.ss));
    testdev_mend(pair.store);
    pair_close(&pair);
}

static void test_dead_store__policy_give_up__still_fails_as_the_loss_cannot_be_recorded(void **state) {
    (void)state;
    struct pair pair;
    uint64_t id = 0;
    pair_open(&pair, 4 << 20);
    assert_ok(rig_try_snapshot(&pair.rig, "s", 0, 32, SELSNAP_POLICY_GIVE_UP_BLOCK, &id));
    testdev_fail(pair.store, TESTDEV_CHANGES | TESTDEV_FLUSH, 1, true);
    assert_int_equal(rig_try_write(&pair.rig, 5, 1, 1), SELSNAP_ESTORE);
    rig_assert_origin(&pair.rig, 5, 1, 0);
    testdev_mend(pair.store);
    rig_assert_snapshot(&pair.rig, id, 0, 32, 0);
    pair_close(&pair);
}

static void test_abandon__dead_store__all_writes_pass(void **state) {
    (void)state;
    struct pair pair;
    uint8_t buf[4096];
    pair_open(&pair, 4 << 20);
    uint64_t id = rig_snapshot(&pair.rig, "s", 0, 32);
    testdev_fail(pair.store, TESTDEV_ALL, 1, true);
    assert_int_equal(rig_try_write(&pair.rig, 5, 1, 1), SELSNAP_ESTORE);
    assert_int_equal(selsnap_abandon(pair.rig.ss), SELSNAP_ESTORE);
    rig_write(&pair.rig, 5, 1, 1);
    rig_assert_live(&pair.rig, 5, 1, 1);
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    options.id = id;
    int code = selsnap_view_open(pair.rig.ss, &options, &view);
    if (code == SELSNAP_OK) {
        code = selsnap_view_read(view, buf, sizeof buf, 5 * 4096);
        (void)!selsnap_view_close(view);
    }
    assert_int_equal(code, SELSNAP_EABANDONED);
    (void)!selsnap_close(pair.rig.ss);
    pair.rig.ss = NULL;
    testdev_mend(pair.store);
    pair_close(&pair);
}

static void test_abandon__recorded__opens_only_when_told_that_the_origin_changed(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, 4 << 20);
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    restore.id = rig_snapshot(&pair.rig, "s", 0, 32);
    assert_ok(selsnap_abandon(pair.rig.ss));
    rig_write(&pair.rig, 5, 1, 1);
    assert_int_equal(selsnap_restore_start(pair.rig.ss, &restore, NULL), SELSNAP_EABANDONED);
    rig_assert_live(&pair.rig, 5, 1, 1);
    (void)!selsnap_close(pair.rig.ss);
    assert_int_equal(rig_try_start(&pair.rig), SELSNAP_ECHANGED);
    pair.rig.options.open_flags = SELSNAP_OPEN_ORIGIN_CHANGED;
    rig_start(&pair.rig);
    rig_write(&pair.rig, 6, 1, 1);
    rig_assert_live(&pair.rig, 5, 2, 1);
    pair_close(&pair);
}

static void test_unreadable_block__overwritten__recorded_lost_and_the_write_goes_on(void **state) {
    (void)state;
    struct pair pair;
    uint8_t buf[4096];
    pair_open(&pair, 4 << 20);
    uint64_t id = rig_snapshot(&pair.rig, "s", 0, 32);
    pair.origin->bad_ops = TESTDEV_READ;
    pair.origin->bad_offset = 9 * 4096 + 512;
    pair.origin->bad_len = 512;
    rig_write(&pair.rig, 8, 4, 1);
    testdev_mend(pair.origin);
    rig_assert_live(&pair.rig, 8, 4, 1);
    assert_int_equal(rig_read_snapshot(&pair.rig, id, 9, buf), SELSNAP_ELOST);
    rig_assert_snapshot(&pair.rig, id, 0, 9, 0);
    rig_assert_snapshot(&pair.rig, id, 10, 22, 0);
    assert_int_equal(pair.lost_bytes, 4096);
    assert_int_equal(pair.last_event.value, 2);
    rig_crash(&pair.rig);
    pair.wire.off = false;
    assert_int_equal(rig_read_snapshot(&pair.rig, id, 9, buf), SELSNAP_ELOST);
    rig_assert_sound(&pair.rig);
    pair_close(&pair);
}

static void test_lost_block__restored__asks_for_consent_and_keeps_it(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, 4 << 20);
    uint64_t id = rig_snapshot(&pair.rig, "s", 0, 32);
    pair.origin->bad_ops = TESTDEV_READ;
    pair.origin->bad_offset = 9 * 4096;
    pair.origin->bad_len = 512;
    rig_write(&pair.rig, 0, 32, 1);
    testdev_mend(pair.origin);
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    uint64_t job = 0;
    options.id = id;
    assert_int_equal(selsnap_restore_start(pair.rig.ss, &options, &job), SELSNAP_ELOST);
    rig_assert_live(&pair.rig, 0, 32, 1);
    options.flags = SELSNAP_RESTORE_SKIP_LOST;
    assert_ok(selsnap_restore_start(pair.rig.ss, &options, &job));
    assert_ok(selsnap_restore_run(pair.rig.ss, job, NULL, NULL));
    rig_assert_live(&pair.rig, 0, 9, 0);
    rig_assert_live(&pair.rig, 9, 1, 1);
    rig_assert_live(&pair.rig, 10, 22, 0);
    pair_close(&pair);
}

static void test_store_events__fails_and_answers_again__told(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, 4 << 20);
    (void)rig_snapshot(&pair.rig, "s", 0, 32);
    testdev_fail(pair.store, TESTDEV_WRITE, 1, true);
    assert_int_equal(rig_try_write(&pair.rig, 5, 1, 1), SELSNAP_ESTORE);
    assert_int_equal(pair.last_event.kind, SELSNAP_EVENT_STORE_FAILED);
    assert_int_equal(pair.last_event.value, -5); /* what the device said */
    testdev_mend(pair.store);
    rig_write(&pair.rig, 5, 1, 1);
    assert_int_equal(pair.last_event.kind, SELSNAP_EVENT_STORE_RECOVERED);
    pair_close(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_store__policy_fail__write_fails_and_nothing_changed),
        cmocka_unit_test(test_full_store__clean_writes__go_on),
        cmocka_unit_test(test_full_store__policy_give_up__write_goes_on_and_the_loss_is_told),
        cmocka_unit_test(test_full_store__sharers_of_both_policies__write_fails),
        cmocka_unit_test(test_full_store__only_the_giving_sharer_needs_it__given_up),
        cmocka_unit_test(test_full_store__snapshot_deleted__space_comes_back),
        cmocka_unit_test(test_dead_store__writes_that_preserve__fail_and_change_nothing),
        cmocka_unit_test(test_dead_store__clean_writes_and_reads__go_on),
        cmocka_unit_test(test_dead_store__policy_give_up__still_fails_as_the_loss_cannot_be_recorded),
        cmocka_unit_test(test_abandon__dead_store__all_writes_pass),
        cmocka_unit_test(test_abandon__recorded__opens_only_when_told_that_the_origin_changed),
        cmocka_unit_test(test_unreadable_block__overwritten__recorded_lost_and_the_write_goes_on),
        cmocka_unit_test(test_lost_block__restored__asks_for_consent_and_keeps_it),
        cmocka_unit_test(test_store_events__fails_and_answers_again__told),
    };
    return cmocka_run_group_tests_name("live first", tests, NULL, NULL);
}
