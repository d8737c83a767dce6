/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules that only some constellation of snapshots shows: whose policy counts on a full store, and what a restore's
 * hidden mark means for those around it.
 */
#include "rig.h"

#include <string.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full__older_snapshot_forbids__nothing_is_given_up),
        cmocka_unit_test(test_full__younger_snapshot_forbids__nothing_is_given_up),
    };
    return cmocka_run_group_tests_name("windows-rules", tests, NULL, NULL);
}
