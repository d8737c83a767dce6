/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store fills at every point of a script in which two snapshots share blocks, with each pair of policies: it runs
 * on stores that differ by one page. A write is refused only for a snapshot that says so and still needs the block; a
 * block is lost only to one that gives up; both stay as they are over opens and crashes. Deletes work while the store
 * is full, and give the space back without an open between.
 */
#include "rig.h"

#include <string.h>

enum {
    BLOCKS = 160,
    FIRST_END = 80,
    SECOND_BEGIN = 40,
    SMALLEST = 768 * 1024,
    SIZES = 110,
    SLACK = 8 * 4096,
    STRIDE = 37
};

enum fate { FATE_OPEN, FATE_KEPT, FATE_LOST };

struct snap {
    uint64_t id; /* 0: there is none */
    uint32_t policy;
    uint64_t first;
    uint64_t end;
    uint64_t kept[BLOCKS];    /* sequence of each block at its point */
    uint64_t changed[BLOCKS]; /* sequence of the first write since; 0: none */
    enum fate fate[BLOCKS];   /* as it was read once changed */
};

struct run {
    struct rig rig;
    uint64_t live[BLOCKS];
    struct snap snaps[2];
    uint64_t refused;
    uint64_t lost;
};

struct totals {
    uint64_t unhindered; /* runs with no refusal and no loss */
    uint64_t refused;    /* runs with a refusal */
    uint64_t lost;       /* runs with a loss */
    uint64_t both;
};

static bool has(const struct snap *s, uint64_t block) {
    return s->id != 0 && block >= s->first && block < s->end;
}

static void take(struct run *run, unsigned which, uint64_t first, uint64_t count, uint32_t policy) {
    struct snap *s = &run->snaps[which];
    memset(s, 0, sizeof *s);
    int code = rig_try_snapshot(&run->rig, which == 0 ? "first" : "second", first, count, policy, &s->id);
    if (code != SELSNAP_OK) {
        assert_int_equal(code, SELSNAP_ENOSPACE);
        run->refused++;
        s->id = 0;
        return;
    }
    s->policy = policy;
    s->first = first;
    s->end = first + count;
    memcpy(s->kept, run->live, sizeof run->live);
}

/* Whether a snapshot would rather see the write fail than lose the block. */
static bool may_refuse(const struct run *run, uint64_t block) {
    bool may = false;
    for (unsigned which = 0; which < 2; which++) {
        const struct snap *s = &run->snaps[which];
        may = may || (has(s, block) && s->policy == SELSNAP_POLICY_FAIL_WRITE && s->changed[block] == 0);
    }
    return may;
}

/* In an order that takes turns between what one snapshot needs, the other, and both. */
static void overwrite(struct run *run, uint64_t first, uint64_t end, uint64_t sequence) {
    for (uint64_t i = 0; i < end - first; i++) {
        uint64_t block = first + i * STRIDE % (end - first);
        int code = rig_try_write(&run->rig, block, 1, sequence);
        if (code != SELSNAP_OK) {
            assert_int_equal(code, SELSNAP_ENOSPACE);
            assert_true(may_refuse(run, block));
            run->refused++;
            continue;
        }
        run->live[block] = sequence;
        for (unsigned which = 0; which < 2; which++) {
            struct snap *s = &run->snaps[which];
            s->changed[block] = has(s, block) && s->changed[block] == 0 ? sequence : s->changed[block];
        }
    }
}

static void check_block(struct run *run, struct snap *s, uint64_t block) {
    uint8_t buf[4096];
    int code = rig_read_snapshot(&run->rig, s->id, block, buf);
    bool lost = code == SELSNAP_ELOST;
    assert_true(lost == (rig_state(&run->rig, s->id, block) == SELSNAP_BLOCKS_LOST));
    if (lost) {
        assert_int_equal(s->policy, SELSNAP_POLICY_GIVE_UP_BLOCK);
        assert_true(s->changed[block] != 0);
    } else {
        assert_ok(code);
        rig_assert_snapshot(&run->rig, s->id, block, 1, s->kept[block]);
    }
    if (s->changed[block] != 0) {
        enum fate fate = lost ? FATE_LOST : FATE_KEPT;
        assert_true(s->fate[block] == FATE_OPEN || s->fate[block] == fate);
        run->lost += lost && s->fate[block] == FATE_OPEN ? 1 : 0;
        s->fate[block] = fate;
    }
}

static void check(struct run *run) {
    for (uint64_t block = 0; block < BLOCKS; block++) {
        rig_assert_live(&run->rig, block, 1, run->live[block]);
        rig_assert_origin(&run->rig, block, 1, run->live[block]);
        for (unsigned which = 0; which < 2; which++) {
            if (has(&run->snaps[which], block)) {
                check_block(run, &run->snaps[which], block);
            }
        }
    }
    rig_assert_sound(&run->rig);
}

/* Copies that no other snapshot has: they go with this one. */
static uint64_t own_copies(const struct run *run, unsigned which) {
    const struct snap *s = &run->snaps[which];
    const struct snap *other = &run->snaps[1 - which];
    uint64_t count = 0;
    for (uint64_t block = 0; block < BLOCKS; block++) {
        bool shared = has(other, block) && other->changed[block] == s->changed[block];
        count += has(s, block) && s->fate[block] == FATE_KEPT && !shared ? 1 : 0;
    }
    return count;
}

/* Deletes one on the store as it is, and steps. */
static void drop(struct run *run, unsigned which) {
    struct snap *s = &run->snaps[which];
    if (s->id == 0) {
        return;
    }
    uint64_t expected = rig_stats(&run->rig).store_free_bytes + own_copies(run, which) * 4096;
    assert_ok(selsnap_snapshot_delete(run->rig.ss, s->id));
    s->id = 0;
    rig_settle(&run->rig);
    rig_settle(&run->rig);
    assert_true(rig_stats(&run->rig).store_free_bytes + SLACK >= expected);
    check(run);
}

static void run_script(struct run *run, uint64_t store_bytes, const uint32_t *policies, unsigned dropped_first) {
    memset(run, 0, sizeof *run);
    const struct rig_options options = {
        .origin_bytes = BLOCKS * 4096, .store_bytes = store_bytes, .journal_bytes = 65536};
    rig_open(&run->rig, &options);
    rig_reopen(&run->rig);
    uint64_t free_before = rig_stats(&run->rig).store_free_bytes;
    take(run, 0, 0, FIRST_END, policies[0]);
    overwrite(run, 16, SECOND_BEGIN + 16, 1);
    take(run, 1, SECOND_BEGIN, BLOCKS - SECOND_BEGIN, policies[1]);
    overwrite(run, 8, BLOCKS, 2);
    check(run);
    rig_reopen(&run->rig);
    check(run);
    overwrite(run, 0, BLOCKS, 3);
    assert_ok(selsnap_flush(run->rig.ss));
    rig_crash(&run->rig);
    check(run);
    drop(run, dropped_first);
    /* What was refused for it now works; the other one has what it had. */
    overwrite(run, 0, BLOCKS, 4);
    check(run);
    drop(run, 1 - dropped_first);
    overwrite(run, 0, BLOCKS, 5);
    check(run);
    /* A leaf or two of the tree, and a ledger, may stand elsewhere than before. */
    assert_true(rig_stats(&run->rig).store_free_bytes + SLACK >= free_before);
    rig_close(&run->rig);
}

static struct totals run_sizes(uint32_t first, uint32_t second) {
    const uint32_t policies[2] = {first, second};
    struct totals totals = {0, 0, 0, 0};
    for (uint64_t pages = 0; pages < SIZES; pages += test_share()) {
        static struct run run;
        run_script(&run, SMALLEST + pages * 4096, policies, (unsigned)(pages % 2));
        totals.unhindered += run.refused + run.lost == 0 ? 1 : 0;
        totals.refused += run.refused > 0 ? 1 : 0;
        totals.lost += run.lost > 0 ? 1 : 0;
        totals.both += run.refused > 0 && run.lost > 0 ? 1 : 0;
    }
    print_message("# store sizes: %d, with refusals: %d, with losses: %d, with both: %d\n", SIZES / (int)test_share(),
                  (int)totals.refused, (int)totals.lost, (int)totals.both);
    return totals;
}

static void test_full_shared__both_fail__nothing_is_lost(void **state) {
    (void)state;
    struct totals totals = run_sizes(SELSNAP_POLICY_FAIL_WRITE, SELSNAP_POLICY_FAIL_WRITE);
    assert_true(totals.refused > 20 / test_share() && totals.unhindered > 20 / test_share());
    assert_int_equal(totals.lost, 0);
}

static void test_full_shared__both_give_up__writes_go_on(void **state) {
    (void)state;
    struct totals totals = run_sizes(SELSNAP_POLICY_GIVE_UP_BLOCK, SELSNAP_POLICY_GIVE_UP_BLOCK);
    assert_true(totals.lost > 20 / test_share() && totals.unhindered > 20 / test_share());
}

static void test_full_shared__older_fails_younger_gives_up__each_as_it_says(void **state) {
    (void)state;
    struct totals totals = run_sizes(SELSNAP_POLICY_FAIL_WRITE, SELSNAP_POLICY_GIVE_UP_BLOCK);
    assert_true(totals.both > 20 / test_share() && totals.unhindered > 20 / test_share());
}

static void test_full_shared__older_gives_up_younger_fails__each_as_it_says(void **state) {
    (void)state;
    struct totals totals = run_sizes(SELSNAP_POLICY_GIVE_UP_BLOCK, SELSNAP_POLICY_FAIL_WRITE);
    assert_true(totals.both > 20 / test_share() && totals.unhindered > 20 / test_share());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_shared__both_fail__nothing_is_lost),
        cmocka_unit_test(test_full_shared__both_give_up__writes_go_on),
        cmocka_unit_test(test_full_shared__older_fails_younger_gives_up__each_as_it_says),
        cmocka_unit_test(test_full_shared__older_gives_up_younger_fails__each_as_it_says),
    };
    return cmocka_run_group_tests_name("full_shared", tests, NULL, NULL);
}
