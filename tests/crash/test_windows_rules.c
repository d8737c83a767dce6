/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules that only some constellation of snapshots shows: whose policy counts on a full store, and what becomes of an
 * entry made for a snapshot that a power cut takes.
 */
#include "rig.h"
#include "testdev.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 4096, BLOCKS = 96, SHARED = 80, STORE = 512 << 10 };

/* ---- policies ---- */

/* Overwrites the shared blocks one by one until the store is full, and beyond; gives how many writes were refused. */
static uint64_t fill(struct rig *rig, uint64_t *live) {
    uint64_t refused = 0;
    for (uint64_t block = 0; block < SHARED; block++) {
        int code = rig_try_write(rig, block, 1, 1);
        assert_true(code == SELSNAP_OK || code == SELSNAP_ENOSPACE);
        refused += code != SELSNAP_OK;
        live[block] = code == SELSNAP_OK;
    }
    return refused;
}

/* Two snapshots share blocks, and one of them forbids to give any up: writes are refused, and nothing is lost. */
static void share(uint32_t older, uint32_t younger, bool same_group) {
    struct rig rig;
    struct rig_options options = {.origin_bytes = BLOCKS * BLOCK, .store_bytes = STORE, .journal_bytes = 64 << 10};
    uint64_t live[SHARED];
    uint64_t ids[2];
    rig_open(&rig, &options);
    rig_save(&rig, "d", 0, SHARED);
    for (unsigned i = 0; i < 2; i++) {
        selsnap_snapshot_options snapshot = SELSNAP_SNAPSHOT_OPTIONS_INIT;
        snapshot.name = i == 0 ? "older" : "younger";
        snapshot.designation = i == 0 || same_group ? "d" : NULL;
        snapshot.policy = i == 0 ? older : younger;
        assert_ok(selsnap_snapshot_create(rig.ss, &snapshot, &ids[i]));
    }
    assert_true(fill(&rig, live) > 0);
    for (uint64_t block = 0; block < SHARED; block++) {
        rig_assert_live(&rig, block, 1, live[block]);
    }
    rig_assert_snapshot(&rig, ids[0], 0, SHARED, 0);
    rig_assert_snapshot(&rig, ids[1], 0, SHARED, 0);
    rig_reopen(&rig);
    rig_assert_snapshot(&rig, ids[0], 0, SHARED, 0);
    rig_assert_snapshot(&rig, ids[1], 0, SHARED, 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_full__older_snapshot_forbids__nothing_is_given_up(void **state) {
    (void)state;
    share(SELSNAP_POLICY_FAIL_WRITE, SELSNAP_POLICY_GIVE_UP_BLOCK, true);
    share(SELSNAP_POLICY_FAIL_WRITE, SELSNAP_POLICY_GIVE_UP_BLOCK, false);
}

static void test_full__younger_snapshot_forbids__nothing_is_given_up(void **state) {
    (void)state;
    share(SELSNAP_POLICY_GIVE_UP_BLOCK, SELSNAP_POLICY_FAIL_WRITE, true);
    share(SELSNAP_POLICY_GIVE_UP_BLOCK, SELSNAP_POLICY_FAIL_WRITE, false);
}

/* Into a snapshot more is written over than there is room for beside: what a flush frees is used before a refusal. */
static void test_full__snapshot_written_over__flush_makes_room(void **state) {
    (void)state;
    struct rig rig;
    struct rig_options options = {.origin_bytes = BLOCKS * BLOCK, .store_bytes = STORE, .journal_bytes = 64 << 10};
    uint8_t buf[BLOCK];
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, BLOCKS);
    selsnap_view *view = rig_view(&rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    uint64_t room = rig_stats(&rig).store_free_bytes / BLOCK;
    uint64_t count = room / 2;
    assert_true(count > 4 && count < BLOCKS);
    for (uint64_t round = 1; round <= 2; round++) {
        for (uint64_t block = 0; block < count; block++) {
            pattern_fill(buf, BLOCK, block * BLOCK, 9, round);
            assert_ok(selsnap_view_write(view, buf, BLOCK, block * BLOCK));
        }
        if (round == 1) {
            assert_ok(selsnap_view_flush(view));
        }
    }
    assert_ok(selsnap_view_close(view));
    for (uint64_t block = 0; block < count; block++) {
        assert_ok(rig_read_snapshot(&rig, id, block, buf));
        assert_true(pattern_is(buf, BLOCK, block * BLOCK, 9, 2));
    }
    rig_assert_sound(&rig);
    rig_close(&rig);
}

/* ---- entries of snapshots that never were ---- */

static int cut_at_store_flush(void *user, struct testdev *dev, const struct testdev_call *call) {
    return dev == user && call->op == TESTDEV_FLUSH ? TESTDEV_CUT : TESTDEV_PASS;
}

/* Of the store only the batch, the last of its changes; of the origin nothing. */
static bool keep_batch(void *user, const struct testdev_unit *unit) {
    unsigned *count = user;
    return *count > 0 && unit->change == *count - 1;
}

static bool keep_nothing(void *user, const struct testdev_unit *unit) {
    (void)user;
    (void)unit;
    return false;
}

/* A context on two devices that can lose power. */
struct pair {
    struct wire wire;
    struct testdev *origin;
    struct testdev *store;
    struct rig rig;
};

static void pair_open(struct pair *pair) {
    wire_init(&pair->wire, true);
    pair->origin = testdev_open(&pair->wire, 'o', BLOCKS * BLOCK, 1, NULL);
    pair->store = testdev_open(&pair->wire, 's', 1 << 20, 1, NULL);
    rig_open_on(&pair->rig, pair->origin->device, pair->store->device, NULL);
    rig_save(&pair->rig, "d", 0, 8);
    assert_ok(selsnap_flush(pair->rig.ss));
}

static void pair_close(struct pair *pair) {
    rig_close(&pair->rig);
    wire_fini(&pair->wire);
}

static void *create_young(void *argument) {
    struct rig *rig = argument;
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = "young";
    options.designation = "d";
    return selsnap_snapshot_create(rig->ss, &options, NULL) == SELSNAP_OK ? rig : NULL;
}

/*
 * A snapshot is being made when a writer preserves for it what was never flushed. The cut keeps the entry, but neither
 * its data nor what the origin held: as the snapshot is not there, nobody needs it, and the store is sound.
 */
static void test_create__cut_keeps_an_entry_without_data__it_is_dropped(void **state) {
    (void)state;
    struct pair pair;
    pthread_t thread;
    void *made = NULL;
    unsigned none = 0;
    pair_open(&pair);
    rig_write(&pair.rig, 3, 1, 1);
    pair.origin->hangs = true;
    assert_int_equal(pthread_create(&thread, NULL, create_young, &pair.rig), 0);
    while (pair.origin->hanging == 0) {
        usleep(100);
    }
    pair.wire.hook = cut_at_store_flush;
    pair.wire.hook_user = pair.store;
    assert_int_not_equal(rig_try_write(&pair.rig, 3, 1, 2), SELSNAP_OK);
    assert_true(pair.wire.off);
    pair.origin->hangs = false;
    assert_int_equal(pthread_join(thread, &made), 0);
    assert_null(made);
    (void)!selsnap_close(pair.rig.ss);
    pair.wire.hook = NULL;
    unsigned batch = testdev_pending(pair.store);
    assert_true(batch >= 2);
    testdev_power_cycle(pair.origin, keep_batch, &none);
    testdev_power_cycle(pair.store, keep_batch, &batch);
    pair.wire.off = false;
    rig_start(&pair.rig);
    rig_assert_live(&pair.rig, 3, 1, 0);
    rig_assert_sound(&pair.rig);
    uint64_t next = rig_snapshot_of(&pair.rig, "next", "d");
    rig_write(&pair.rig, 3, 1, 3);
    rig_assert_snapshot(&pair.rig, next, 0, 8, 0);
    rig_assert_sound(&pair.rig);
    pair_close(&pair);
}

/* ---- what a flush vouches for ---- */

/* What is written while a new snapshot's flush of the origin has done its work, and not come back, is younger. */
static void test_create__written_while_the_origin_is_flushed__snapshot_is_as_acknowledged(void **state) {
    (void)state;
    struct pair pair;
    pthread_t thread;
    void *made = NULL;
    selsnap_snapshot_info info = {0};
    uint8_t before[BLOCK];
    uint8_t after[BLOCK];
    info.struct_size = sizeof info;
    pair_open(&pair);
    pair.origin->hangs_after = true;
    assert_int_equal(pthread_create(&thread, NULL, create_young, &pair.rig), 0);
    while (pair.origin->hanging == 0) {
        usleep(100);
    }
    rig_write(&pair.rig, 3, 1, 1);
    pair.origin->hangs_after = false;
    assert_int_equal(pthread_join(thread, &made), 0);
    assert_non_null(made);
    assert_ok(selsnap_snapshot_find(pair.rig.ss, "young", &info));
    assert_ok(rig_read_snapshot(&pair.rig, info.id, 3, before));
    pair.wire.off = true;
    (void)!selsnap_close(pair.rig.ss);
    testdev_power_cycle(pair.origin, keep_nothing, NULL);
    testdev_power_cycle(pair.store, keep_nothing, NULL);
    pair.wire.off = false;
    rig_start(&pair.rig);
    assert_ok(rig_read_snapshot(&pair.rig, info.id, 3, after));
    assert_memory_equal(after, before, BLOCK);
    rig_assert_sound(&pair.rig);
    pair_close(&pair);
}

static void *flush_live(void *argument) {
    struct rig *rig = argument;
    return selsnap_flush(rig->ss) == SELSNAP_OK ? rig : NULL;
}

/*
 * Blocks that a restore copies after a flush of the origin has done its work, and before it comes back, are not
 * recorded as restored with those before.
 */
static void test_restore__copied_while_the_origin_is_flushed__not_recorded_as_done(void **state) {
    (void)state;
    struct pair pair;
    pthread_t thread;
    void *flushed = NULL;
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    pair_open(&pair);
    options.id = rig_snapshot_of(&pair.rig, "s", "d");
    rig_write(&pair.rig, 2, 4, 1);
    assert_ok(selsnap_flush(pair.rig.ss));
    assert_ok(selsnap_restore_start(pair.rig.ss, &options, NULL));
    pair.origin->hangs_after = true;
    assert_int_equal(pthread_create(&thread, NULL, flush_live, &pair.rig), 0);
    while (pair.origin->hanging == 0) {
        usleep(100);
    }
    rig_write(&pair.rig, 3, 1, 2); /* copies the block back first */
    pair.origin->hangs_after = false;
    assert_int_equal(pthread_join(thread, &flushed), 0);
    assert_non_null(flushed);
    pair.wire.off = true;
    (void)!selsnap_close(pair.rig.ss);
    testdev_power_cycle(pair.origin, keep_nothing, NULL);
    testdev_power_cycle(pair.store, keep_nothing, NULL);
    pair.wire.off = false;
    rig_start(&pair.rig);
    rig_assert_live(&pair.rig, 2, 4, 0);
    rig_assert_sound(&pair.rig);
    pair_close(&pair);
}

/* ---- damage under the last batch ---- */

/* The data of the last batch is damaged and the origin has moved on: the entry stays, and the block reads as damaged.
 */
static void test_open__data_of_the_last_batch_damaged__told_and_kept(void **state) {
    (void)state;
    struct pair pair;
    uint8_t buf[BLOCK];
    uint64_t at = 0;
    pair_open(&pair);
    uint64_t id = rig_snapshot_of(&pair.rig, "s", "d");
    rig_write(&pair.rig, 3, 1, 1);
    pair.wire.off = true; /* the process is killed */
    (void)!selsnap_close(pair.rig.ss);
    pair.wire.off = false;
    pattern_fill(buf, BLOCK, 3 * BLOCK, 0, 0);
    while (at < pair.store->size && memcmp(pair.store->bytes + at, buf, BLOCK) != 0) {
        at += BLOCK;
    }
    assert_true(at < pair.store->size);
    pair.store->bytes[at + 100] ^= 1;
    for (unsigned i = 0; i < 2; i++) {
        rig_start(&pair.rig);
        assert_int_equal(rig_read_snapshot(&pair.rig, id, 3, buf), SELSNAP_EDAMAGED);
        rig_assert_snapshot(&pair.rig, id, 0, 3, 0);
        rig_assert_live(&pair.rig, 3, 1, 1);
        rig_stop(&pair.rig);
    }
    rig_start(&pair.rig);
    pair_close(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full__older_snapshot_forbids__nothing_is_given_up),
        cmocka_unit_test(test_full__younger_snapshot_forbids__nothing_is_given_up),
        cmocka_unit_test(test_full__snapshot_written_over__flush_makes_room),
        cmocka_unit_test(test_create__cut_keeps_an_entry_without_data__it_is_dropped),
        cmocka_unit_test(test_create__written_while_the_origin_is_flushed__snapshot_is_as_acknowledged),
        cmocka_unit_test(test_restore__copied_while_the_origin_is_flushed__not_recorded_as_done),
        cmocka_unit_test(test_open__data_of_the_last_batch_damaged__told_and_kept),
    };
    return cmocka_run_group_tests_name("windows-rules", tests, NULL, NULL);
}
