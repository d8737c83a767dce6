/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store fills at every point of a script: it runs on stores that differ by one page, so that each of its
 * allocations is the one that finds no room on one of them. Each call succeeds whole or is refused whole; what was
 * acknowledged stays right; and on every such store deleting works and gives all space back.
 */
#include "rig.h"

#include <string.h>

enum { BLOCKS = 96, PART = 40, SMALLEST = 768 * 1024, SIZES = 200 };

struct run {
    struct rig rig;
    uint32_t policy;
    uint64_t live[BLOCKS];    /* sequence of each block */
    uint64_t ids[2];          /* snapshots made; 0: not */
    uint64_t kept[2][BLOCKS]; /* sequence of each block at their points */
    uint64_t refused;
    uint64_t lost;
};

static bool worked(struct run *run, int code) {
    if (code != SELSNAP_OK) {
        assert_int_equal(code, SELSNAP_ENOSPACE);
        run->refused++;
    }
    return code == SELSNAP_OK;
}

static void take(struct run *run, unsigned which, const char *name, uint64_t count) {
    uint64_t id = 0;
    if (worked(run, rig_try_snapshot(&run->rig, name, 0, count, run->policy, &id))) {
        run->ids[which] = id;
        memcpy(run->kept[which], run->live, sizeof run->live);
    }
}

static void overwrite(struct run *run, uint64_t first, uint64_t count, uint64_t sequence) {
    for (uint64_t block = first; block < first + count; block++) {
        if (worked(run, rig_try_write(&run->rig, block, 1, sequence))) {
            run->live[block] = sequence;
        }
    }
}

static void write_into(struct run *run, unsigned which) {
    if (run->ids[which] == 0) {
        return;
    }
    selsnap_view *view = rig_view(&run->rig, run->ids[which], SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    uint8_t buf[4096];
    for (uint64_t block = 0; block < 8; block++) {
        pattern_fill(buf, sizeof buf, block * 4096, 9, 9);
        (void)worked(run, selsnap_view_write(view, buf, sizeof buf, block * 4096));
    }
    (void)worked(run, selsnap_view_flush(view));
    assert_ok(selsnap_view_reset(view));
    assert_ok(selsnap_view_close(view));
}

static void restore(struct run *run, unsigned which) {
    if (run->ids[which] == 0) {
        return;
    }
    uint64_t job;
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    options.id = run->ids[which];
    options.flags = SELSNAP_RESTORE_SKIP_LOST;
    if (!worked(run, selsnap_restore_start(run->rig.ss, &options, &job))) {
        return;
    }
    uint64_t count = which == 0 ? PART : BLOCKS;
    for (uint64_t block = 0; block < count; block++) {
        if (rig_state(&run->rig, run->ids[which], block) != SELSNAP_BLOCKS_LOST) {
            run->live[block] = run->kept[which][block];
        }
    }
    (void)worked(run, selsnap_restore_run(run->rig.ss, job, NULL, NULL));
}

static void check(struct run *run) {
    for (uint64_t block = 0; block < BLOCKS; block++) {
        rig_assert_live(&run->rig, block, 1, run->live[block]);
    }
    for (unsigned which = 0; which < 2; which++) {
        for (uint64_t block = 0; run->ids[which] != 0 && block < (which == 0 ? PART : BLOCKS); block++) {
            uint8_t buf[4096];
            uint64_t kept = run->kept[which][block];
            int code = rig_read_snapshot(&run->rig, run->ids[which], block, buf);
            if (code == SELSNAP_ELOST && run->policy == SELSNAP_POLICY_GIVE_UP_BLOCK) {
                run->lost++;
                continue;
            }
            assert_ok(code);
            rig_assert_snapshot(&run->rig, run->ids[which], block, 1, kept);
        }
    }
    rig_assert_sound(&run->rig);
}

/* Deletes every snapshot, and steps: as much is free again as before the first. */
static void give_back(struct run *run, uint64_t free_before) {
    selsnap_restore_info info = {.struct_size = sizeof info};
    while (selsnap_restore_next(run->rig.ss, 0, &info) == SELSNAP_OK) {
        for (unsigned which = 0; which < 2; which++) {
            if (run->ids[which] != 0 && run->ids[which] != info.snapshot_id) {
                assert_ok(selsnap_snapshot_delete(run->rig.ss, run->ids[which]));
                run->ids[which] = 0;
            }
        }
        rig_settle(&run->rig);
    }
    for (unsigned which = 0; which < 2; which++) {
        if (run->ids[which] != 0) {
            assert_ok(selsnap_snapshot_delete(run->rig.ss, run->ids[which]));
        }
        run->ids[which] = 0;
    }
    for (int round = 0; round < 4; round++) {
        rig_settle(&run->rig);
        rig_reopen(&run->rig);
    }
    rig_assert_sound(&run->rig);
    /* A leaf or two of the tree, and a ledger, may stand elsewhere than before. */
    assert_true(rig_stats(&run->rig).store_free_bytes + 8 * 4096 >= free_before);
}

static void run_script(struct run *run, uint64_t store_bytes, uint32_t policy) {
    memset(run, 0, sizeof *run);
    run->policy = policy;
    const struct rig_options options = {
        .origin_bytes = BLOCKS * 4096, .store_bytes = store_bytes, .journal_bytes = 65536};
    rig_open(&run->rig, &options);
    rig_reopen(&run->rig);
    uint64_t free_before = rig_stats(&run->rig).store_free_bytes;
    take(run, 0, "part", PART);
    overwrite(run, 0, 24, 1);
    take(run, 1, "all", 0);
    overwrite(run, 16, 64, 2);
    write_into(run, 0);
    check(run);
    rig_reopen(&run->rig);
    restore(run, 0);
    overwrite(run, 0, BLOCKS, 3);
    check(run);
    assert_ok(selsnap_flush(run->rig.ss));
    rig_crash(&run->rig);
    check(run);
    give_back(run, free_before);
    rig_close(&run->rig);
}

/* Over all sizes, the script is refused everything at the small end, and nothing at the large one. */
static void run_sizes(uint32_t policy) {
    uint64_t hindered = 0;
    uint64_t unhindered = 0;
    for (uint64_t pages = 0; pages < SIZES; pages += test_share()) {
        struct run run;
        run_script(&run, SMALLEST + pages * 4096, policy);
        if (run.refused + run.lost > 0) {
            hindered++;
        } else {
            unhindered++;
        }
    }
    print_message("# store sizes that hindered the script: %d, that did not: %d\n", (int)hindered, (int)unhindered);
    assert_true(hindered > 20 / test_share());
    assert_true(unhindered > 20 / test_share());
}

static void test_full_store__at_every_allocation__writes_fail_and_all_stays_right(void **state) {
    (void)state;
    run_sizes(SELSNAP_POLICY_FAIL_WRITE);
}

static void test_full_store__at_every_allocation__blocks_are_given_up_and_the_rest_stays_right(void **state) {
    (void)state;
    run_sizes(SELSNAP_POLICY_GIVE_UP_BLOCK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_store__at_every_allocation__writes_fail_and_all_stays_right),
        cmocka_unit_test(test_full_store__at_every_allocation__blocks_are_given_up_and_the_rest_stays_right),
    };
    return cmocka_run_group_tests_name("full", tests, NULL, NULL);
}
