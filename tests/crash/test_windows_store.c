/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Narrow windows in which the store's device stands between two threads, and what a power cut in them leaves: one call
 * of a device waits, others act meanwhile, and the test goes on with copies of the devices as they stand at that
 * moment.
 */
#include "pair.h"

#include <string.h>
#include <unistd.h>

enum { RING_BYTES = 64 << 10, USUAL_RING_BYTES = 256 << 10, SMALL_STORE = 1 << 20 };

static const struct rig_options small_ring = {.origin_bytes = BLOCKS * BLOCK, .journal_bytes = RING_BYTES};

static int try_write_into(selsnap_view *view, uint64_t block, uint64_t sequence) {
    uint8_t buf[BLOCK];
    pattern_fill(buf, sizeof buf, block * BLOCK, 9, sequence);
    return selsnap_view_write(view, buf, sizeof buf, block * BLOCK);
}

static void write_into(selsnap_view *view, uint64_t block, uint64_t sequence) {
    assert_ok(try_write_into(view, block, sequence));
}

static void assert_written(struct pair *pair, uint64_t id, uint64_t block, uint64_t sequence) {
    uint8_t buf[BLOCK];
    assert_ok(rig_read_snapshot(&pair->rig, id, block, buf));
    assert_true(pattern_is(buf, sizeof buf, block * BLOCK, 9, sequence));
}

static void step(struct pair *pair, uint32_t flags, uint64_t budget) {
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    options.flags = flags;
    options.budget_blocks = budget;
    assert_ok(selsnap_step(pair->rig.ss, &options, NULL));
}

/* ---- batches ---- */

/* Who commits while another batch is being flushed is not told that it has, and does not overwrite the origin. */
static void test_commit__another_batch_in_flight__waits_for_its_own(void **state) {
    struct pair *pair = *state;
    struct call first = {.what = CALL_WRITE, .block = 3, .sequence = 1};
    struct call second = {.what = CALL_WRITE, .block = 5, .sequence = 1};
    pair_open(pair);
    uint64_t id = rig_snapshot(&pair->rig, "s", 0, 8);
    stalldev_arm(pair->store, STALL_WRITE, SLOTS_BYTES, USUAL_RING_BYTES);
    begin(pair, &first);
    stalldev_wait(pair->store);
    begin(pair, &second);
    assert_waits(&second);
    rig_assert_origin(&pair->rig, 3, 1, 0);
    rig_assert_origin(&pair->rig, 5, 1, 0);
    struct image image = take_image(pair);
    stalldev_release(pair->store);
    end(&first);
    end(&second);
    go_on_with(pair, image);
    rig_assert_snapshot(&pair->rig, id, 0, 8, 0);
    pair_close(pair);
}

/* The ring's part that a checkpoint frees is written again only when its superblock is durable. */
static void test_checkpoint__superblock_not_written__ring_is_kept(void **state) {
    struct pair *pair = *state;
    struct call fold = {.what = CALL_STEP, .flags = SELSNAP_STEP_CHECKPOINT};
    struct call writer = {.what = CALL_WRITE, .block = 8, .count = 24, .sequence = 1};
    pair_open_sized(pair, BLOCKS, STORE_BYTES, &small_ring);
    uint64_t id = rig_snapshot(&pair->rig, "s", 0, BLOCKS);
    for (uint64_t block = 0; block < 5; block++) {
        rig_write(&pair->rig, block, 1, 1);
    }
    stalldev_arm(pair->store, STALL_WRITE, 0, SLOTS_BYTES);
    begin(pair, &fold);
    stalldev_wait(pair->store);
    begin(pair, &writer);
    uint64_t written = wait_while_it_writes(&writer);
    assert_true(written > 0);
    struct image image = take_image(pair);
    stalldev_release(pair->store);
    end(&fold);
    end(&writer);
    rig_assert_snapshot(&pair->rig, id, 0, BLOCKS, 0);
    go_on_with(pair, image);
    rig_assert_snapshot(&pair->rig, id, 0, BLOCKS, 0);
    rig_assert_live(&pair->rig, 0, 5, 1);
    rig_assert_live(&pair->rig, 8, written, 1);
    rig_assert_sound(&pair->rig);
    pair_close(pair);
}

/* ---- space ---- */

/* What a record frees is used again only when it is durable. */
static void test_space__freeing_record_not_durable__not_used_again(void **state) {
    struct pair *pair = *state;
    struct call flush = {.what = CALL_VIEW_FLUSH};
    struct call writer = {.what = CALL_WRITE, .block = 8, .count = 8, .sequence = 1};
    pair_open(pair);
    uint64_t id = rig_snapshot(&pair->rig, "s", 0, 32);
    selsnap_view *view = rig_view(&pair->rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    write_into(view, 0, 1);
    assert_ok(selsnap_view_flush(view));
    write_into(view, 0, 2);
    stalldev_arm(pair->store, STALL_WRITE, SLOTS_BYTES, USUAL_RING_BYTES);
    flush.view = view;
    begin(pair, &flush);
    stalldev_wait(pair->store);
    begin(pair, &writer);
    assert_waits(&writer);
    struct image image = take_image(pair);
    stalldev_release(pair->store);
    end(&flush);
    end(&writer);
    assert_ok(selsnap_view_close(view));
    assert_written(pair, id, 0, 2);
    go_on_with(pair, image);
    assert_written(pair, id, 0, 1);
    rig_assert_snapshot(&pair->rig, id, 1, 31, 0);
    pair_close(pair);
}

/* Nor while a read that began before still reads it. */
static void test_space__read_begun_before__not_used_again(void **state) {
    struct pair *pair = *state;
    struct call reader = {.what = CALL_VIEW, .block = 0};
    pair_open_sized(pair, BLOCKS, SMALL_STORE, &small_ring);
    uint64_t id = rig_snapshot(&pair->rig, "s", 0, BLOCKS);
    selsnap_view *view = rig_view(&pair->rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    write_into(view, 0, 1);
    assert_ok(selsnap_view_flush(view));
    rig_assert_sound(&pair->rig);
    rig_assert_snapshot(&pair->rig, id, 1, 1, 0); /* pages of the tree are in the cache now */
    stalldev_arm(pair->store, STALL_READ, SLOTS_BYTES + RING_BYTES, SMALL_STORE);
    reader.id = id;
    begin(pair, &reader);
    stalldev_wait(pair->store);
    /* More than there are pages, if those that are freed could be used again. */
    int code = SELSNAP_OK;
    for (uint64_t round = 2; code == SELSNAP_OK && round < 2 * SMALL_STORE / BLOCK; round++) {
        code = try_write_into(view, 0, round);
        assert_true(code == SELSNAP_OK || code == SELSNAP_ENOSPACE);
        assert_ok(selsnap_view_flush(view));
        step(pair, SELSNAP_STEP_CHECKPOINT, 0);
    }
    assert_int_equal(code, SELSNAP_ENOSPACE);
    stalldev_release(pair->store);
    end(&reader);
    assert_true(pattern_is(reader.buf, BLOCK, 0, 9, 1));
    assert_ok(selsnap_view_close(view));
    pair_close(pair);
}

/* ---- reclaim ---- */

/* An entry made for a snapshot that is just being made is not reclaimed, though a walk meets it. */
static void test_reclaim__beside_a_snapshot_being_made__its_entries_stay(void **state) {
    struct pair *pair = *state;
    struct call create = {.what = CALL_CREATE, .name = "young"};
    struct call walk = {.what = CALL_STEP, .flags = SELSNAP_STEP_RECLAIM};
    pair_open(pair);
    rig_save(&pair->rig, "d", 0, 8);
    uint64_t old = rig_snapshot_of(&pair->rig, "old", "d");
    for (uint64_t block = 0; block < 4; block++) {
        rig_write(&pair->rig, block, 1, 1);
    }
    assert_ok(selsnap_snapshot_delete(pair->rig.ss, old));
    step(pair, SELSNAP_STEP_RECLAIM, 1); /* the walk has begun */
    stalldev_arm(pair->origin, STALL_FLUSH, 0, 0);
    begin(pair, &create);
    stalldev_wait(pair->origin);
    rig_write(&pair->rig, 3, 1, 2); /* makes an entry of the new point */
    begin(pair, &walk);
    usleep(AWHILE_US);
    stalldev_release(pair->origin);
    end(&create);
    end(&walk);
    rig_settle(&pair->rig);
    rig_assert_snapshot(&pair->rig, create.made, 0, 4, 1);
    rig_assert_snapshot(&pair->rig, create.made, 4, 4, 0);
    rig_assert_sound(&pair->rig);
    pair_close(pair);
}

/* Nor is one on which a writer relies that has not yet written. */
static void test_reclaim__beside_a_writer__its_entry_stays(void **state) {
    struct pair *pair = *state;
    struct call write = {.what = CALL_WRITE, .block = 3, .sequence = 2};
    pair_open(pair);
    rig_save(&pair->rig, "d", 0, 8);
    uint64_t old = rig_snapshot_of(&pair->rig, "old", "d");
    rig_write(&pair->rig, 3, 1, 1);
    uint64_t young = rig_snapshot_of(&pair->rig, "young", "d");
    assert_ok(selsnap_snapshot_delete(pair->rig.ss, old));
    stalldev_arm(pair->origin, STALL_WRITE, 3 * BLOCK, BLOCK);
    begin(pair, &write);
    stalldev_wait(pair->origin);
    rig_settle(&pair->rig);
    struct image image = take_image(pair);
    stalldev_release(pair->origin);
    end(&write);
    rig_assert_snapshot(&pair->rig, young, 3, 1, 1);
    go_on_with(pair, image);
    rig_assert_snapshot(&pair->rig, young, 3, 1, 1);
    rig_assert_sound(&pair->rig);
    pair_close(pair);
}

/* ---- writers and restores ---- */

/* A snapshot's point is taken only when no write is under way. */
static void test_create__write_under_way__waits_for_it(void **state) {
    struct pair *pair = *state;
    struct call write = {.what = CALL_WRITE, .block = 3, .sequence = 1};
    struct call create = {.what = CALL_CREATE, .name = "s"};
    pair_open(pair);
    rig_save(&pair->rig, "d", 0, 8);
    stalldev_arm(pair->origin, STALL_WRITE, 3 * BLOCK, BLOCK);
    begin(pair, &write);
    stalldev_wait(pair->origin);
    begin(pair, &create);
    assert_waits(&create);
    stalldev_release(pair->origin);
    end(&write);
    end(&create);
    rig_assert_snapshot(&pair->rig, create.made, 3, 1, 1);
    rig_assert_snapshot(&pair->rig, create.made, 0, 3, 0);
    pair_close(pair);
}

/* A bit that a newer snapshot has set is not cleared by a writer that preserved for an older one. */
static void test_write__newer_snapshot_noticed_by_another_writer__preserved_for_both(void **state) {
    struct pair *pair = *state;
    struct call write = {.what = CALL_WRITE, .block = 3, .sequence = 1};
    struct call other = {.what = CALL_WRITE, .block = 5, .sequence = 1};
    struct call create = {.what = CALL_CREATE, .name = "second"};
    pair_open(pair);
    rig_save(&pair->rig, "d", 0, 8);
    uint64_t first = rig_snapshot_of(&pair->rig, "first", "d");
    uint64_t epoch = rig_stats(&pair->rig).epoch;
    stalldev_arm(pair->store, STALL_FLUSH, 0, 0);
    begin(pair, &write);
    stalldev_wait(pair->store);
    begin(pair, &create);
    wait_for_epoch(pair, epoch + 1);
    begin(pair, &other);
    assert_waits(&other);
    assert_waits(&create);
    stalldev_release(pair->store);
    end(&write);
    end(&other);
    end(&create);
    rig_assert_snapshot(&pair->rig, first, 0, 8, 0);
    rig_assert_snapshot(&pair->rig, create.made, 0, 8, 0);
    pair_close(pair);
}

/* A block counts as restored only when its copy is written: until then it reads from the source. */
static void test_restore__copy_not_written__reads_the_source(void **state) {
    struct pair *pair = *state;
    struct call write = {.what = CALL_WRITE, .block = 3, .sequence = 2};
    struct call reader = {.what = CALL_READ, .block = 3};
    pair_open(pair);
    uint64_t id = rig_snapshot(&pair->rig, "s", 0, 8);
    rig_write(&pair->rig, 3, 1, 1);
    (void)start_restore(pair, id);
    stalldev_arm(pair->origin, STALL_WRITE, 3 * BLOCK, BLOCK);
    begin(pair, &write);
    stalldev_wait(pair->origin);
    begin(pair, &reader);
    end(&reader);
    stalldev_release(pair->origin);
    end(&write);
    assert_true(pattern_is(reader.buf, BLOCK, 3 * BLOCK, 0, 0));
    rig_assert_live(&pair->rig, 3, 1, 2);
    pair_close(pair);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, pair_setup, pair_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_commit__another_batch_in_flight__waits_for_its_own),
        TEST(test_checkpoint__superblock_not_written__ring_is_kept),
        TEST(test_space__freeing_record_not_durable__not_used_again),
        TEST(test_space__read_begun_before__not_used_again),
        TEST(test_reclaim__beside_a_snapshot_being_made__its_entries_stay),
        TEST(test_reclaim__beside_a_writer__its_entry_stays),
        TEST(test_write__newer_snapshot_noticed_by_another_writer__preserved_for_both),
        TEST(test_create__write_under_way__waits_for_it),
        TEST(test_restore__copy_not_written__reads_the_source),
    };
    return cmocka_run_group_tests_name("windows-store", tests, NULL, NULL);
}
