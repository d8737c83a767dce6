/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restores beside writes, snapshots, failures and power cuts, one rule each; and what failed commits leave of names.
 * After a cut the test goes on with what the devices may then hold: what was not flushed is all kept or all lost, on
 * each by itself.
 */
#include "dump.h"
#include "rig.h"
#include "testdev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, BLOCKS = 64, STORE_BYTES = 4 << 20, LOST = 0, KEPT = 100 };

struct pair {
    struct rig rig;
    struct wire wire;
    struct testdev *origin;
    struct testdev *store;
    uint64_t source; /* snapshot "source" of designation "d", blocks 0 .. 7 */
};

/* With block 3 changed since the snapshot, and all of it flushed. */
static void pair_open(struct pair *pair) {
    memset(pair, 0, sizeof *pair);
    wire_init(&pair->wire, true);
    pair->origin = testdev_open(&pair->wire, 'o', BLOCKS * BLOCK, 512, NULL);
    pair->store = testdev_open(&pair->wire, 's', STORE_BYTES, 4096, NULL);
    const struct rig_options options = {.journal_bytes = 65536};
    rig_open_on(&pair->rig, pair->origin->device, pair->store->device, &options);
    rig_save(&pair->rig, "d", 0, 8);
    pair->source = rig_snapshot_of(&pair->rig, "source", "d");
    rig_write(&pair->rig, 3, 1, 1);
    assert_ok(selsnap_flush(pair->rig.ss));
}

static void pair_close(struct pair *pair) {
    rig_close(&pair->rig);
    wire_fini(&pair->wire);
}

static struct testdev *image_of(struct pair *pair, struct testdev *dev, unsigned percent_kept) {
    struct prng prng = prng_init(1);
    uint8_t *image = testdev_image(dev, &prng, percent_kept);
    struct testdev *copy = testdev_open(&pair->wire, dev->tag, dev->size, dev->tag == 'o' ? 512 : 4096, image);
    free(image);
    return copy;
}

/* A power cut, or the end of the process, and another open. */
static void cut(struct pair *pair, unsigned origin_kept, unsigned store_kept) {
    struct rig *rig = &pair->rig;
    struct testdev *origin = image_of(pair, pair->origin, origin_kept);
    struct testdev *store = image_of(pair, pair->store, store_kept);
    (void)selsnap_close(rig->ss);
    assert_int_equal(rig->heap.live, 0);
    selsnap_device_close(rig->origin);
    selsnap_device_close(rig->store);
    selsnap_device_close(rig->origin_base);
    selsnap_device_close(rig->store_base);
    pair->origin = origin;
    pair->store = store;
    rig->origin_base = origin->device;
    rig->store_base = store->device;
    assert_ok(selsnap_device_open_counting(rig->origin_base, &rig->origin));
    assert_ok(selsnap_device_open_counting(rig->store_base, &rig->store));
    rig_start(rig);
}

static int try_restore(struct pair *pair, uint64_t id, uint64_t *ret_job) {
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    options.id = id;
    return selsnap_restore_start(pair->rig.ss, &options, ret_job);
}

static uint64_t restore(struct pair *pair, uint64_t id) {
    uint64_t job = 0;
    assert_ok(try_restore(pair, id, &job));
    return job;
}

static void finish(struct pair *pair, uint64_t job) {
    assert_ok(selsnap_restore_run(pair->rig.ss, job, NULL, NULL));
}

/* ---- what a restore is to others ---- */

/* Copying back preserves for snapshots older than the restore alone; younger ones read the source until then. */
static void test_restore__younger_snapshot__has_the_restored_content(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    uint64_t before = rig_snapshot_of(&pair.rig, "before", "d");
    uint64_t job = restore(&pair, pair.source);
    uint64_t younger = rig_snapshot_of(&pair.rig, "younger", "d");
    rig_assert_origin(&pair.rig, 3, 1, 1);
    rig_assert_live(&pair.rig, 3, 1, 0);
    rig_assert_snapshot(&pair.rig, younger, 0, 8, 0);
    rig_assert_snapshot(&pair.rig, before, 3, 1, 1);
    finish(&pair, job);
    rig_assert_origin(&pair.rig, 3, 1, 0);
    rig_assert_snapshot(&pair.rig, younger, 0, 8, 0);
    rig_assert_snapshot(&pair.rig, before, 3, 1, 1);
    rig_write(&pair.rig, 3, 1, 2);
    rig_assert_snapshot(&pair.rig, younger, 0, 8, 0);
    rig_assert_snapshot(&pair.rig, pair.source, 0, 8, 0);
    pair_close(&pair);
}

/* What is first changed after the restore's point has an entry too, and is not to be restored. */
static void test_restore__block_changed_after_its_start__stays_changed(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    uint64_t job = restore(&pair, pair.source);
    rig_write(&pair.rig, 5, 1, 2);
    rig_write(&pair.rig, 3, 1, 2);
    assert_ok(selsnap_flush(pair.rig.ss));
    cut(&pair, LOST, LOST);
    rig_assert_live(&pair.rig, 5, 1, 2);
    rig_assert_live(&pair.rig, 3, 1, 2);
    finish(&pair, job);
    rig_assert_live(&pair.rig, 5, 1, 2);
    rig_assert_live(&pair.rig, 3, 1, 2);
    rig_assert_snapshot(&pair.rig, pair.source, 0, 8, 0);
    rig_assert_sound(&pair.rig);
    pair_close(&pair);
}

static void test_restore__source__cannot_be_deleted_before_its_end(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    uint64_t job = restore(&pair, pair.source);
    assert_int_equal(selsnap_snapshot_delete(pair.rig.ss, pair.source), SELSNAP_EBUSY);
    cut(&pair, KEPT, KEPT);
    assert_int_equal(selsnap_snapshot_delete(pair.rig.ss, pair.source), SELSNAP_EBUSY);
    finish(&pair, job);
    assert_ok(selsnap_snapshot_delete(pair.rig.ss, pair.source));
    rig_assert_live(&pair.rig, 3, 1, 0);
    pair_close(&pair);
}

/* ---- power cuts ---- */

/* A copy that the origin may lose is not recorded as done. */
static void test_restore__cut_before_the_origin_flush__copied_again(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    uint64_t job = restore(&pair, pair.source);
    uint8_t sector[512];
    pattern_fill(sector, sizeof sector, 3 * BLOCK, 0, 0);
    assert_ok(selsnap_write(pair.rig.ss, sector, sizeof sector, 3 * BLOCK)); /* copies the block back first */
    rig_assert_origin(&pair.rig, 3, 1, 0);
    (void)rig_snapshot(&pair.rig, "other", 20, 1);
    rig_write(&pair.rig, 20, 1, 1); /* and whatever was recorded is durable */
    cut(&pair, LOST, KEPT);
    rig_assert_live(&pair.rig, 3, 1, 0);
    finish(&pair, job);
    rig_assert_live(&pair.rig, 3, 1, 0);
    pair_close(&pair);
}

/* The same in turn, by the cursor: its record comes after a flush of the origin, as does the end of the restore. */
static void test_restore__ended__survives_a_cut(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    finish(&pair, restore(&pair, pair.source));
    cut(&pair, LOST, LOST);
    rig_assert_live(&pair.rig, 0, 8, 0);
    rig_assert_origin(&pair.rig, 0, 8, 0);
    pair_close(&pair);
}

/* What was written over a restored block is in a snapshot made then, also when nobody flushed. */
static void test_restore__snapshot_of_what_was_written_during_it__survives_a_cut(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    uint64_t job = restore(&pair, pair.source);
    rig_write(&pair.rig, 3, 1, 2);
    uint64_t younger = rig_snapshot_of(&pair.rig, "younger", "d");
    cut(&pair, LOST, LOST);
    rig_assert_snapshot(&pair.rig, younger, 3, 1, 2);
    rig_assert_live(&pair.rig, 3, 1, 2);
    finish(&pair, job);
    rig_assert_snapshot(&pair.rig, younger, 3, 1, 2);
    pair_close(&pair);
}

/* The journal is read from a cache that a later cut may take: it is flushed before anybody relies on it. */
static void test_open__after_a_kill__flushes_before_it_writes(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    pair.wire.call_count = 0;
    pair.wire.logging = true;
    cut(&pair, KEPT, KEPT);
    pair.wire.logging = false;
    bool flushed = false;
    bool written = false;
    size_t i = 0;
    while (i < pair.wire.call_count && pair.wire.calls[i].op != TESTDEV_READ) {
        i++; /* the close of the one that was killed */
    }
    for (; i < pair.wire.call_count && !written; i++) {
        flushed = flushed || (pair.wire.calls[i].tag == 's' && pair.wire.calls[i].op == TESTDEV_FLUSH);
        written = pair.wire.calls[i].tag == 's' && pair.wire.calls[i].op == TESTDEV_WRITE;
    }
    assert_true(written);
    assert_true(flushed);
    pair_close(&pair);
}

/* ---- failures ---- */

/*
 * A restore that could not be recorded may be on its way into the journal. A snapshot made now is younger than it, and
 * must not read from its source after a crash.
 */
static void test_restore__failed_to_start_then_snapshot__snapshot_has_what_was_there(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    testdev_fail(pair.store, TESTDEV_WRITE, 1, false);
    assert_int_equal(try_restore(&pair, pair.source, NULL), SELSNAP_ESTORE);
    rig_assert_live(&pair.rig, 3, 1, 1);
    uint64_t younger = rig_snapshot_of(&pair.rig, "younger", "d");
    rig_assert_snapshot(&pair.rig, younger, 3, 1, 1);
    cut(&pair, KEPT, KEPT);
    rig_assert_snapshot(&pair.rig, younger, 3, 1, 1);
    rig_settle(&pair.rig);
    rig_assert_snapshot(&pair.rig, younger, 3, 1, 1);
    rig_assert_sound(&pair.rig);
    pair_close(&pair);
}

/* While it is not known whether a restore begins, what it would restore is not written. */
static void test_restore__failed_to_start__its_blocks_are_refused_until_it_is_known(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    testdev_fail(pair.store, TESTDEV_WRITE, 1, true);
    assert_int_equal(try_restore(&pair, pair.source, NULL), SELSNAP_ESTORE);
    assert_int_equal(rig_try_write(&pair.rig, 3, 1, 2), SELSNAP_ESTORE);
    rig_write(&pair.rig, 30, 1, 2);
    rig_assert_live(&pair.rig, 3, 1, 1);
    testdev_mend(pair.store);
    rig_settle(&pair.rig);
    rig_write(&pair.rig, 3, 1, 2);
    assert_ok(selsnap_flush(pair.rig.ss));
    cut(&pair, LOST, LOST);
    rig_assert_live(&pair.rig, 3, 1, 2);
    rig_assert_snapshot(&pair.rig, pair.source, 0, 8, 0);
    pair_close(&pair);
}

static void test_close__restore_and_snapshot_undecided__neither_comes_back(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    testdev_fail(pair.store, TESTDEV_WRITE, 1, true);
    assert_int_equal(try_restore(&pair, pair.source, NULL), SELSNAP_ESTORE);
    assert_int_equal(rig_try_snapshot(&pair.rig, "not made", 0, 0, 0, NULL), SELSNAP_ESTORE);
    testdev_mend(pair.store);
    rig_reopen(&pair.rig);
    selsnap_restore_info restore = {.struct_size = sizeof restore};
    selsnap_snapshot_info snapshot = {.struct_size = sizeof snapshot};
    assert_int_equal(selsnap_restore_next(pair.rig.ss, 0, &restore), SELSNAP_ENOENT);
    assert_int_equal(selsnap_snapshot_find(pair.rig.ss, "not made", &snapshot), SELSNAP_ENOENT);
    rig_assert_live(&pair.rig, 3, 1, 1);
    rig_assert_sound(&pair.rig);
    pair_close(&pair);
}

/* Flips a bit of the one place in the store that holds what block 2 had at the source's point. */
static void damage_copy(selsnap_device *store) {
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    uint8_t wanted[BLOCK];
    uint8_t page[BLOCK];
    unsigned found = 0;
    assert_ok(selsnap_device_get_info(store, &info));
    pattern_fill(wanted, sizeof wanted, 2 * BLOCK, 0, 0);
    for (uint64_t at = 0; at < info.size_bytes; at += BLOCK) {
        assert_ok(selsnap_device_read(store, page, sizeof page, at));
        if (memcmp(page, wanted, sizeof page) == 0) {
            page[100] ^= 1;
            assert_ok(selsnap_device_write(store, page, sizeof page, at));
            found++;
        }
    }
    assert_int_equal(found, 1);
}

static void test_restore__one_copy_damaged__ends_and_says_so(void **state) {
    (void)state;
    struct rig rig;
    char text[400];
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 8);
    rig_write(&rig, 0, 8, 1);
    damage_copy(rig.store_base);
    uint64_t job = 0;
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    options.id = id;
    assert_ok(selsnap_restore_start(rig.ss, &options, &job));
    assert_int_equal(selsnap_restore_run(rig.ss, job, NULL, NULL), SELSNAP_EDAMAGED);
    assert_int_equal(selsnap_last_error(rig.ss, text, sizeof text), SELSNAP_EDAMAGED);
    assert_non_null(strstr(text, "1 blocks are damaged"));
    assert_int_equal(selsnap_restore_run(rig.ss, job, NULL, NULL), SELSNAP_ENOENT);
    rig_assert_live(&rig, 0, 2, 0);
    rig_assert_live(&rig, 2, 1, 1);
    rig_assert_live(&rig, 3, 5, 0);
    rig_close(&rig);
}

/* ---- memory ---- */

enum { RUN = 256, MANY_RUNS = 48 };

/* What is copied in turn leaves nothing behind that grows with the device. */
static void test_restore__many_runs__nothing_kept_for_each(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.origin_bytes = (uint64_t)MANY_RUNS * RUN * BLOCK, .blank = true};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    for (uint64_t run = 0; run < MANY_RUNS; run++) {
        rig_write(&rig, run * RUN + 1, 1, 1);
    }
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    uint64_t job = 0;
    restore.id = id;
    assert_ok(selsnap_restore_start(rig.ss, &restore, &job));
    selsnap_step_options step = SELSNAP_STEP_OPTIONS_INIT;
    step.flags = SELSNAP_STEP_RESTORE;
    step.budget_blocks = 1;
    uint64_t before = rig_stats(&rig).memory_bytes;
    for (unsigned i = 0; i < MANY_RUNS / 2; i++) {
        assert_ok(selsnap_step(rig.ss, &step, NULL));
    }
    assert_true(rig_stats(&rig).memory_bytes <= before);
    assert_true(rig_stats(&rig).blocks_restored >= MANY_RUNS / 2);
    assert_ok(selsnap_flush(rig.ss));
    assert_int_equal(dump_count(rig.ss, "restored", NULL), 0);
    rig_reopen(&rig);
    assert_ok(selsnap_restore_run(rig.ss, job, NULL, NULL));
    assert_int_equal(rig_stats(&rig).blocks_restored, MANY_RUNS / 2);
    rig_close(&rig);
}

/* ---- a full store ---- */

/* Where a block may be given up, no write is refused for room; nor where there is nothing to copy. */
static void test_write__store_full_and_blocks_zero__written(void **state) {
    (void)state;
    struct rig rig;
    uint64_t id = 0;
    const struct rig_options options = {
        .origin_bytes = 16 << 20, .store_bytes = 2 << 20, .journal_bytes = 65536, .blank = true};
    rig_open(&rig, &options);
    rig_write(&rig, 0, 1024, 1);
    assert_ok(rig_try_snapshot(&rig, "s", 0, 0, SELSNAP_POLICY_GIVE_UP_BLOCK, &id));
    rig_write(&rig, 0, 1024, 2);
    assert_true(rig_stats(&rig).blocks_lost > 0);
    for (uint64_t block = 1024; block < 4096; block += 2) {
        rig_write(&rig, block, 1, 2);
    }
    rig_assert_sound(&rig);
    rig_close(&rig);
}

/* ---- names ---- */

static void test_rename__failed_before__nothing_of_it_stays(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    testdev_fail(pair.store, TESTDEV_WRITE, 1, false);
    assert_int_equal(selsnap_snapshot_rename(pair.rig.ss, pair.source, "second"), SELSNAP_ESTORE);
    assert_ok(selsnap_snapshot_rename(pair.rig.ss, pair.source, "third"));
    rig_assert_sound(&pair.rig);
    testdev_fail(pair.store, TESTDEV_WRITE, 1, false);
    assert_int_equal(selsnap_snapshot_rename(pair.rig.ss, pair.source, "fourth"), SELSNAP_ESTORE);
    assert_ok(selsnap_snapshot_delete(pair.rig.ss, pair.source));
    rig_settle(&pair.rig);
    rig_assert_sound(&pair.rig);
    pair_close(&pair);
}

/* A snapshot that failed to be made may be back after a crash: its name is not given to another one meanwhile. */
static void test_rename__to_the_name_of_one_not_made__names_stay_unique(void **state) {
    (void)state;
    struct pair pair;
    selsnap_snapshot_info info = {0};
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = "name";
    options.designation = "d";
    pair_open(&pair);
    testdev_fail(pair.store, TESTDEV_WRITE, 1, false);
    assert_int_equal(selsnap_snapshot_create(pair.rig.ss, &options, NULL), SELSNAP_ESTORE);
    assert_ok(selsnap_snapshot_rename(pair.rig.ss, pair.source, "name"));
    cut(&pair, KEPT, KEPT);
    info.struct_size = sizeof info;
    assert_ok(selsnap_snapshot_find(pair.rig.ss, "name", &info));
    assert_int_equal(info.id, pair.source);
    assert_int_equal(rig_stats(&pair.rig).snapshots, 1);
    pair_close(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restore__younger_snapshot__has_the_restored_content),
        cmocka_unit_test(test_restore__block_changed_after_its_start__stays_changed),
        cmocka_unit_test(test_restore__source__cannot_be_deleted_before_its_end),
        cmocka_unit_test(test_restore__cut_before_the_origin_flush__copied_again),
        cmocka_unit_test(test_restore__ended__survives_a_cut),
        cmocka_unit_test(test_restore__snapshot_of_what_was_written_during_it__survives_a_cut),
        cmocka_unit_test(test_open__after_a_kill__flushes_before_it_writes),
        cmocka_unit_test(test_restore__failed_to_start_then_snapshot__snapshot_has_what_was_there),
        cmocka_unit_test(test_restore__failed_to_start__its_blocks_are_refused_until_it_is_known),
        cmocka_unit_test(test_close__restore_and_snapshot_undecided__neither_comes_back),
        cmocka_unit_test(test_restore__one_copy_damaged__ends_and_says_so),
        cmocka_unit_test(test_restore__many_runs__nothing_kept_for_each),
        cmocka_unit_test(test_write__store_full_and_blocks_zero__written),
        cmocka_unit_test(test_rename__failed_before__nothing_of_it_stays),
        cmocka_unit_test(test_rename__to_the_name_of_one_not_made__names_stay_unique),
    };
    return cmocka_run_group_tests_name("restore", tests, NULL, NULL);
}
