/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Narrow windows between threads, and what a power cut in them leaves. One call of a device waits (stalldev.h) while
 * other threads act; where it says so, the test goes on with copies of the devices as they stand at that moment.
 */
#include "pair.h"

#include <unistd.h>

/* ---- writing ---- */

/* P2: nobody believes an entry before it is durable. */
static void test_write__entry_not_durable__origin_is_as_it_was(void **state) {
    struct pair *pair = *state;
    struct call write = {.what = CALL_WRITE, .block = 3, .sequence = 1};
    pair_open(pair);
    uint64_t id = rig_snapshot(&pair->rig, "s", 0, 8);
    stalldev_arm(pair->store, STALL_FLUSH, 0, 0);
    begin(pair, &write);
    stalldev_wait(pair->store);
    assert_waits(&write);
    rig_assert_origin(&pair->rig, 3, 1, 0);
    rig_assert_live(&pair->rig, 3, 1, 0);
    rig_assert_snapshot(&pair->rig, id, 3, 1, 0);
    stalldev_release(pair->store);
    end(&write);
    rig_assert_live(&pair->rig, 3, 1, 1);
    rig_assert_snapshot(&pair->rig, id, 3, 1, 0);
    pair_close(pair);
}

/* A writer that preserved for one snapshot looks again when a newer one came meanwhile. */
static void test_write__newer_snapshot_while_it_preserves__preserved_for_both(void **state) {
    struct pair *pair = *state;
    struct call write = {.what = CALL_WRITE, .block = 3, .sequence = 1};
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
    assert_waits(&create);
    stalldev_release(pair->store);
    end(&write);
    end(&create);
    rig_assert_snapshot(&pair->rig, first, 0, 8, 0);
    rig_assert_snapshot(&pair->rig, create.made, 0, 8, 0);
    rig_assert_live(&pair->rig, 3, 1, 1);
    pair_close(pair);
}

/* A view that found no entry looks again after it has read the origin. */
static void test_view__overwritten_before_it_reads_the_origin__old_content(void **state) {
    struct pair *pair = *state;
    struct call view = {.what = CALL_VIEW, .block = 3};
    pair_open(pair);
    view.id = rig_snapshot(&pair->rig, "s", 0, 8);
    /* What the writer reads first is the old content; so it reads before the view does. */
    stalldev_arm(pair->origin, STALL_READ, 3 * BLOCK, BLOCK);
    begin(pair, &view);
    stalldev_wait(pair->origin);
    rig_write(&pair->rig, 3, 1, 1);
    stalldev_release(pair->origin);
    end(&view);
    assert_true(pattern_is(view.buf, BLOCK, 3 * BLOCK, 0, 0));
    pair_close(pair);
}

/* ---- creating, deleting ---- */

/* The record enters the journal after the origin's flush, and the epoch of a snapshot that a crash took is not used
 * again: an entry made for it would be taken for the next one's. */
static void test_create__cut_before_its_record__no_snapshot_and_no_epoch_reused(void **state) {
    struct pair *pair = *state;
    struct call create = {.what = CALL_CREATE, .name = "young"};
    selsnap_snapshot_info info = {0};
    pair_open(pair);
    rig_save(&pair->rig, "d", 0, 8);
    stalldev_arm(pair->origin, STALL_FLUSH, 0, 0);
    begin(pair, &create);
    stalldev_wait(pair->origin);
    rig_write(&pair->rig, 3, 1, 1); /* makes an entry of the new epoch, durably */
    struct image image = take_image(pair);
    stalldev_release(pair->origin);
    end(&create);
    rig_assert_snapshot(&pair->rig, create.made, 0, 8, 0);
    go_on_with(pair, image);
    info.struct_size = sizeof info;
    assert_int_equal(selsnap_snapshot_find(pair->rig.ss, "young", &info), SELSNAP_ENOENT);
    uint64_t next = rig_snapshot_of(&pair->rig, "next", "d");
    rig_assert_snapshot(&pair->rig, next, 3, 1, 1);
    rig_write(&pair->rig, 3, 1, 2);
    rig_assert_snapshot(&pair->rig, next, 3, 1, 1);
    rig_assert_sound(&pair->rig);
    pair_close(pair);
}

/* A snapshot counts for writers until the record of its delete is durable. */
static void test_delete__cut_before_its_record__snapshot_is_back_and_right(void **state) {
    struct pair *pair = *state;
    struct call delete = {.what = CALL_DELETE};
    struct call write = {.what = CALL_WRITE, .block = 3, .sequence = 1};
    pair_open(pair);
    delete.id = rig_snapshot(&pair->rig, "s", 0, 8);
    stalldev_arm(pair->store, STALL_WRITE, 0, STORE_BYTES);
    begin(pair, &delete);
    stalldev_wait(pair->store);
    begin(pair, &write);
    usleep(AWHILE_US);
    struct image image = take_image(pair);
    stalldev_release(pair->store);
    end(&delete);
    end(&write);
    rig_assert_live(&pair->rig, 3, 1, 1);
    go_on_with(pair, image);
    rig_assert_snapshot(&pair->rig, delete.id, 0, 8, 0);
    pair_close(pair);
}

/* Writes pass the store by only when it is recorded that they do. */
static void test_abandon__cut_before_its_record__snapshots_are_right(void **state) {
    struct pair *pair = *state;
    struct call abandon = {.what = CALL_ABANDON};
    pair_open(pair);
    uint64_t id = rig_snapshot(&pair->rig, "s", 0, 8);
    stalldev_arm(pair->store, STALL_WRITE, 0, SLOTS_BYTES);
    begin(pair, &abandon);
    stalldev_wait(pair->store);
    rig_write(&pair->rig, 3, 1, 1);
    struct image image = take_image(pair);
    stalldev_release(pair->store);
    end(&abandon);
    rig_write(&pair->rig, 4, 1, 1);
    go_on_with(pair, image);
    rig_assert_snapshot(&pair->rig, id, 0, 8, 0);
    pair_close(pair);
}

/* ---- freezing ---- */

/* A writer that preserved waits at the frozen gate with its claim; a restore that starts waits for the claim. */
static void test_freeze__restore_starts_meanwhile__thaw_lets_both_go_on(void **state) {
    struct pair *pair = *state;
    struct call write = {.what = CALL_WRITE, .block = 3, .sequence = 2};
    struct call restore = {.what = CALL_RESTORE};
    pair_open(pair);
    restore.id = rig_snapshot(&pair->rig, "s", 0, 8);
    stalldev_arm(pair->store, STALL_FLUSH, 0, 0);
    begin(pair, &write);
    stalldev_wait(pair->store);
    assert_ok(selsnap_freeze(pair->rig.ss));
    stalldev_release(pair->store);
    assert_waits(&write);
    begin(pair, &restore);
    assert_waits(&restore);
    assert_ok(selsnap_thaw(pair->rig.ss));
    end(&write);
    end(&restore);
    assert_int_equal(selsnap_thaw(pair->rig.ss), SELSNAP_EINVAL);
    rig_assert_live(&pair->rig, 3, 1, 2);
    pair_close(pair);
}

static void test_freeze__while_a_restore_starts__returns(void **state) {
    struct pair *pair = *state;
    struct call write = {.what = CALL_WRITE, .block = 3, .sequence = 2};
    struct call restore = {.what = CALL_RESTORE};
    struct call freeze = {.what = CALL_FREEZE};
    pair_open(pair);
    restore.id = rig_snapshot(&pair->rig, "s", 0, 8);
    uint64_t epoch = rig_stats(&pair->rig).epoch;
    stalldev_arm(pair->store, STALL_FLUSH, 0, 0);
    begin(pair, &write);
    stalldev_wait(pair->store);
    begin(pair, &restore);
    wait_for_epoch(pair, epoch + 1);
    assert_waits(&restore);
    begin(pair, &freeze);
    end(&freeze);
    stalldev_release(pair->store);
    assert_waits(&restore);
    assert_ok(selsnap_thaw(pair->rig.ss));
    end(&write);
    end(&restore);
    pair_close(pair);
}

/* ---- restoring ---- */

/* Between a restore's point and its record no snapshot takes a point, and writes to its blocks wait. */
static void test_restore__not_recorded_yet__create_and_write_wait(void **state) {
    struct pair *pair = *state;
    struct call restore = {.what = CALL_RESTORE};
    struct call create = {.what = CALL_CREATE, .name = "young"};
    struct call write = {.what = CALL_WRITE, .block = 5, .sequence = 2};
    pair_open(pair);
    rig_save(&pair->rig, "d", 0, 8);
    restore.id = rig_snapshot_of(&pair->rig, "s", "d");
    rig_write(&pair->rig, 3, 1, 1);
    stalldev_arm(pair->store, STALL_WRITE, 0, STORE_BYTES);
    begin(pair, &restore);
    stalldev_wait(pair->store);
    uint64_t epoch = rig_stats(&pair->rig).epoch;
    begin(pair, &create);
    begin(pair, &write);
    rig_write(&pair->rig, 20, 4, 1); /* others pass */
    assert_waits(&create);
    assert_int_equal(rig_stats(&pair->rig).epoch, epoch);
    assert_waits(&write);
    struct image image = take_image(pair);
    stalldev_release(pair->store);
    end(&restore);
    end(&create);
    end(&write);
    rig_assert_snapshot(&pair->rig, create.made, 3, 1, 0);
    rig_assert_live(&pair->rig, 3, 1, 0);
    rig_assert_live(&pair->rig, 5, 1, 2);
    go_on_with(pair, image);
    rig_assert_live(&pair->rig, 3, 1, 1);
    pair_close(pair);
}

/* A writer that preserves while a restore starts: what it then writes comes after the restore, and stays. */
static void test_restore__starts_while_a_writer_preserves__write_stays(void **state) {
    struct pair *pair = *state;
    struct call write = {.what = CALL_WRITE, .block = 3, .sequence = 1};
    struct call restore = {.what = CALL_RESTORE};
    pair_open(pair);
    restore.id = rig_snapshot(&pair->rig, "s", 0, 8);
    uint64_t epoch = rig_stats(&pair->rig).epoch;
    stalldev_arm(pair->store, STALL_FLUSH, 0, 0);
    begin(pair, &write);
    stalldev_wait(pair->store);
    begin(pair, &restore);
    wait_for_epoch(pair, epoch + 1);
    assert_waits(&restore);
    stalldev_release(pair->store);
    end(&write);
    end(&restore);
    rig_assert_live(&pair->rig, 3, 1, 1);
    assert_ok(selsnap_flush(pair->rig.ss));
    go_on_with(pair, take_image(pair));
    rig_assert_live(&pair->rig, 3, 1, 1);
    rig_settle(&pair->rig);
    rig_assert_live(&pair->rig, 3, 1, 1);
    rig_assert_snapshot(&pair->rig, restore.id, 3, 1, 0);
    pair_close(pair);
}

/* Every second block but those of one run: so many ranges that they fill pages of their own. */
static void save_scattered(struct rig *rig, const char *name, uint64_t blocks, uint64_t but_run) {
    selsnap_subset *subset = NULL;
    assert_ok(selsnap_subset_open_for(rig->ss, &subset));
    for (uint64_t block = 0; block < blocks; block += 2) {
        if (block / 256 != but_run) {
            assert_ok(selsnap_subset_add(subset, block * BLOCK, BLOCK));
        }
    }
    assert_ok(selsnap_designation_save(rig->ss, name, subset, NULL));
    selsnap_subset_close(subset);
}

enum { MANY_BLOCKS = 4096, FAR_BLOCK = 2048 + 7 };

/*
 * A copy-back asks each designation for its newest point below the restore's. "d" gets a younger snapshot while another
 * one is asked, whose ranges have to be read: its older snapshot still counts.
 */
static void test_restore__snapshot_made_while_it_preserves__older_one_is_right(void **state) {
    struct pair *pair = *state;
    struct call step = {.what = CALL_RUN};
    pair_open_sized(pair, MANY_BLOCKS, STORE_BYTES, NULL);
    rig_save(&pair->rig, "source", FAR_BLOCK, 1);
    rig_save(&pair->rig, "d", FAR_BLOCK - 1, 3);
    save_scattered(&pair->rig, "scattered", MANY_BLOCKS, FAR_BLOCK / 256);
    uint64_t source = rig_snapshot_of(&pair->rig, "source", "source");
    rig_write(&pair->rig, FAR_BLOCK, 1, 1);
    uint64_t older = rig_snapshot_of(&pair->rig, "older", "d");
    (void)rig_snapshot_of(&pair->rig, "scattered", "scattered");
    step.id = start_restore(pair, source);
    rig_reopen(&pair->rig);
    rig_assert_live(&pair->rig, FAR_BLOCK, 1, 0);
    stalldev_arm(pair->store, STALL_READ, TREE_BYTES, TREE_BYTES);
    begin(pair, &step);
    stalldev_wait(pair->store);
    uint64_t younger = rig_snapshot_of(&pair->rig, "younger", "d");
    stalldev_release(pair->store);
    end(&step);
    rig_assert_snapshot(&pair->rig, older, FAR_BLOCK, 1, 1);
    rig_assert_snapshot(&pair->rig, younger, FAR_BLOCK, 1, 0);
    rig_assert_live(&pair->rig, FAR_BLOCK, 1, 0);
    pair_close(pair);
}

/* A reader that looks into a restore while it ends, and its source is deleted. */
static void test_restore__ends_under_a_reader__reads_the_content(void **state) {
    struct pair *pair = *state;
    struct call reader = {.what = CALL_READ, .block = FAR_BLOCK - 1};
    pair_open_sized(pair, MANY_BLOCKS, STORE_BYTES, NULL);
    save_scattered(&pair->rig, "scattered", MANY_BLOCKS, MANY_BLOCKS);
    uint64_t source = rig_snapshot_of(&pair->rig, "source", "scattered");
    rig_write(&pair->rig, 2, 1, 1);
    uint64_t job = start_restore(pair, source);
    rig_reopen(&pair->rig);
    rig_assert_live(&pair->rig, 2, 1, 0);
    stalldev_arm(pair->store, STALL_READ, TREE_BYTES, TREE_BYTES);
    begin(pair, &reader);
    stalldev_wait(pair->store);
    assert_ok(selsnap_restore_run(pair->rig.ss, job, NULL, NULL));
    assert_ok(selsnap_snapshot_delete(pair->rig.ss, source));
    stalldev_release(pair->store);
    end(&reader);
    assert_true(pattern_is(reader.buf, BLOCK, (FAR_BLOCK - 1) * BLOCK, 0, 0));
    pair_close(pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write__entry_not_durable__origin_is_as_it_was, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_write__newer_snapshot_while_it_preserves__preserved_for_both, pair_setup,
                                        pair_teardown),
        cmocka_unit_test_setup_teardown(test_view__overwritten_before_it_reads_the_origin__old_content, pair_setup,
                                        pair_teardown),
        cmocka_unit_test_setup_teardown(test_create__cut_before_its_record__no_snapshot_and_no_epoch_reused, pair_setup,
                                        pair_teardown),
        cmocka_unit_test_setup_teardown(test_delete__cut_before_its_record__snapshot_is_back_and_right, pair_setup,
                                        pair_teardown),
        cmocka_unit_test_setup_teardown(test_abandon__cut_before_its_record__snapshots_are_right, pair_setup,
                                        pair_teardown),
        cmocka_unit_test_setup_teardown(test_freeze__restore_starts_meanwhile__thaw_lets_both_go_on, pair_setup,
                                        pair_teardown),
        cmocka_unit_test_setup_teardown(test_freeze__while_a_restore_starts__returns, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_restore__not_recorded_yet__create_and_write_wait, pair_setup,
                                        pair_teardown),
        cmocka_unit_test_setup_teardown(test_restore__starts_while_a_writer_preserves__write_stays, pair_setup,
                                        pair_teardown),
        cmocka_unit_test_setup_teardown(test_restore__snapshot_made_while_it_preserves__older_one_is_right, pair_setup,
                                        pair_teardown),
        cmocka_unit_test_setup_teardown(test_restore__ends_under_a_reader__reads_the_content, pair_setup,
                                        pair_teardown),
    };
    return cmocka_run_group_tests_name("windows", tests, NULL, NULL);
}
