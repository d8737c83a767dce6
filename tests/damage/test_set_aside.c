/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A damaged leaf is set aside [F-16]: checkpoints, reclaim, new snapshots and preserving go on beside it; what was in
 * it is never taken for unchanged. P1, P8, P9.
 */
#include "dump.h"
#include "rig.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, BLOCKS = 2048, STORE = 48 << 20, JOURNAL = 1 << 20 };

struct leaves {
    uint64_t place[64];
    unsigned count;
};

static int on_line(void *user, const char *line) {
    struct leaves *leaves = user;
    uint64_t place;
    unsigned level;
    if (sscanf(line, "tree page %" SCNu64 ": level %u", &place, &level) == 2 && level == 0 && leaves->count < 64) {
        leaves->place[leaves->count++] = place;
    }
    return 0;
}

/* Two snapshots of all; each second block preserved for the first, each fourth for the second, one by one. */
static void make(struct rig *rig, uint64_t *ret_first, uint64_t *ret_second, struct leaves *leaves) {
    const struct rig_options options = {.origin_bytes = BLOCKS * BLOCK, .store_bytes = STORE, .journal_bytes = JOURNAL};
    rig_open(rig, &options);
    *ret_first = rig_snapshot(rig, "first", 0, 0);
    for (uint64_t block = 0; block < BLOCKS; block += 2) {
        rig_write(rig, block, 1, 1);
    }
    *ret_second = rig_snapshot(rig, "second", 0, 0);
    for (uint64_t block = 0; block < BLOCKS; block += 4) {
        rig_write(rig, block, 1, 2);
    }
    rig_reopen(rig);
    memset(leaves, 0, sizeof *leaves);
    assert_ok(selsnap_dump(rig->ss, on_line, leaves));
    assert_true(leaves->count >= 12 && leaves->count < 64);
}

static uint64_t second_holds(uint64_t block) {
    return block % 2 == 0 ? 1 : 0;
}

static uint64_t live_holds(uint64_t block) {
    return block % 4 == 0 ? 2 : block % 2 == 0 ? 1 : 0;
}

/* Each block right or damaged; gives how many are damaged, and the span of blocks that these lie in. */
static unsigned read_all(struct rig *rig, uint64_t id, uint64_t (*holds)(uint64_t block), uint64_t *ret_low,
                         uint64_t *ret_high) {
    selsnap_view *view = rig_view(rig, id, 0, SELSNAP_UNDESIGNATED_ERROR);
    uint8_t bytes[BLOCK];
    unsigned damaged = 0;
    for (uint64_t block = 0; block < BLOCKS; block++) {
        int code = selsnap_view_read(view, bytes, BLOCK, block * BLOCK);
        if (code == SELSNAP_EDAMAGED) {
            *ret_low = damaged == 0 ? block : *ret_low;
            *ret_high = block;
            damaged++;
            continue;
        }
        assert_ok(code);
        uint64_t sequence = holds(block);
        assert_true(pattern_is(bytes, BLOCK, block * BLOCK, sequence == 0 ? 0 : 1, sequence));
    }
    assert_ok(selsnap_view_close(view));
    return damaged;
}

static int on_unusable(void *user, const char *line) {
    unsigned *count = user;
    *count += strncmp(line, "tree page", 9) == 0 && strstr(line, "not usable") != NULL;
    return 0;
}

/* Whether the damaged page is in the tree no more, though its items are still missed. */
static bool page_is_gone(struct rig *rig) {
    unsigned unusable = 0;
    assert_int_equal(selsnap_dump(rig->ss, on_unusable, &unusable), SELSNAP_EDAMAGED);
    return unusable == 0;
}

static void zero_page(struct rig *rig, uint64_t place) {
    static const uint8_t zeros[BLOCK];
    assert_ok(selsnap_device_write(rig->store_base, zeros, BLOCK, place * BLOCK));
}

static struct rig copy_of(struct rig *rig) {
    struct rig copy = {.options = rig->options, .block_bytes = BLOCK, .block_count = BLOCKS};
    copy.origin_base = rig_copy_device(rig->origin_base);
    copy.store_base = rig_copy_device(rig->store_base);
    assert_ok(selsnap_device_open_counting(copy.origin_base, &copy.origin));
    assert_ok(selsnap_device_open_counting(copy.store_base, &copy.store));
    return copy;
}

static int fold(struct rig *rig) {
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    options.flags = SELSNAP_STEP_CHECKPOINT;
    return selsnap_step(rig->ss, &options, NULL);
}

/* A snapshot of runs away from the damage, and writes there; then writes within the damage, which must fail. */
static void go_on(struct rig *rig, uint64_t low, uint64_t high) {
    uint64_t first = low >= BLOCKS / 2 ? 0 : BLOCKS - 256; /* a run that no lost entry is of */
    uint64_t inside = (low + high) / 2;
    uint64_t id = 0;
    assert_ok(rig_try_snapshot(rig, "new", first, 256, SELSNAP_POLICY_FAIL_WRITE, &id));
    for (uint64_t block = first + 1; block < first + 64; block += 2) {
        rig_write(rig, block, 1, 7);
    }
    rig_assert_snapshot(rig, id, first + 1, 1, 0);
    assert_int_equal(rig_try_write(rig, inside, 1, 7), SELSNAP_EDAMAGED);
    rig_assert_live(rig, inside, 1, live_holds(inside));
    assert_ok(fold(rig));
    for (uint64_t block = first + 1; block < first + 64; block += 2) {
        rig_write(rig, block, 1, 0);
    }
    assert_ok(selsnap_snapshot_delete(rig->ss, id));
}

/* Every leaf but those of the records, one at a time. */
static void test_set_aside__each_leaf_of_entries__the_rest_goes_on(void **state) {
    (void)state;
    struct rig rig;
    struct leaves leaves;
    uint64_t first;
    uint64_t second;
    make(&rig, &first, &second, &leaves);
    unsigned set_aside = 0;
    unsigned refused = 0;
    unsigned holes = 0;
    for (unsigned i = 0; i < leaves.count; i++) {
        struct rig copy = copy_of(&rig);
        zero_page(&copy, leaves.place[i]);
        int code = rig_try_start(&copy);
        if (code != SELSNAP_OK) {
            assert_int_equal(code, SELSNAP_EDAMAGED);
            refused++;
            rig_close(&copy);
            continue;
        }
        uint64_t low = 0;
        uint64_t high = 0;
        unsigned damaged = read_all(&copy, second, second_holds, &low, &high);
        assert_true(damaged > 0 && damaged < BLOCKS / 2);
        go_on(&copy, low, high);
        uint64_t low_after = 0;
        uint64_t high_after = 0;
        assert_int_equal(read_all(&copy, second, second_holds, &low_after, &high_after), damaged);
        assert_true(low_after == low && high_after == high);
        /* The first one goes, and with it all that can be judged. */
        uint64_t used = rig_stats(&copy).store_used_bytes;
        assert_ok(selsnap_snapshot_delete(copy.ss, first));
        rig_settle(&copy);
        assert_true(rig_stats(&copy).store_used_bytes + (1 << 20) < used);
        assert_true(rig_count_problems(&copy) > 0);
        rig_reopen(&copy);
        assert_int_equal(read_all(&copy, second, second_holds, &low_after, &high_after), damaged);
        assert_true(low_after == low && high_after == high);
        /* Without any snapshot nothing is to be decided, and everything can be written. */
        assert_ok(selsnap_snapshot_delete(copy.ss, second));
        rig_settle(&copy);
        holes += page_is_gone(&copy);
        rig_write(&copy, 0, BLOCKS, 9);
        rig_assert_live(&copy, 0, BLOCKS, 9);
        set_aside++;
        rig_close(&copy);
    }
    /* The first leaf holds the records of snapshots and the space, the last one the jobs and the state. */
    assert_true(holes >= 3);
    assert_true(set_aside >= leaves.count - 2 && refused == leaves.count - set_aside);
    rig_close(&rig);
}

/* Of the blocks changed last: how many are known. */
static unsigned read_changed(struct rig *rig, uint64_t id) {
    uint8_t bytes[BLOCK];
    unsigned known = 0;
    for (uint64_t block = 6; block < BLOCKS; block += 64) {
        int code = rig_read_snapshot(rig, id, block, bytes);
        assert_true(code == SELSNAP_OK || code == SELSNAP_EDAMAGED);
        assert_true(code != SELSNAP_OK || pattern_is(bytes, BLOCK, block * BLOCK, 1, 1));
        known += code == SELSNAP_OK;
    }
    return known;
}

/*
 * The journal holds changes of every leaf when one is found damaged: they stay known. The page may read well again
 * later: before it is set aside that mends all, afterwards nothing.
 */
static void test_set_aside__changes_not_folded_yet__stay_known(void **state) {
    (void)state;
    struct rig rig;
    struct leaves leaves;
    uint64_t first;
    uint64_t second;
    uint8_t page[BLOCK];
    unsigned tried = 0;
    unsigned set_aside = 0;
    make(&rig, &first, &second, &leaves);
    uint64_t third = rig_snapshot(&rig, "third", 0, 0);
    for (uint64_t block = 6; block < BLOCKS; block += 64) {
        rig_write(&rig, block, 1, 3);
    }
    leaves.count = 0;
    assert_ok(selsnap_dump(rig.ss, on_line, &leaves));
    for (unsigned i = 0; i < leaves.count; i++) {
        struct rig copy = copy_of(&rig); /* as after a kill */
        uint64_t offset = leaves.place[i] * BLOCK;
        uint64_t low = 0;
        uint64_t high = 0;
        assert_ok(selsnap_device_read(copy.store_base, page, BLOCK, offset));
        zero_page(&copy, leaves.place[i]);
        if (rig_try_start(&copy) != SELSNAP_OK) {
            rig_close(&copy);
            continue;
        }
        if (read_all(&copy, second, second_holds, &low, &high) == 0) {
            rig_close(&copy); /* a leaf of other items */
            continue;
        }
        tried++;
        unsigned known = read_changed(&copy, third);
        assert_true(known >= BLOCKS / 64 * 3 / 4);
        assert_ok(fold(&copy));
        assert_int_equal(read_changed(&copy, third), known);
        bool gone = page_is_gone(&copy);
        set_aside += gone;
        unsigned damaged = read_all(&copy, third, live_holds, &low, &high);
        assert_true(damaged > 0);
        assert_ok(selsnap_device_write(copy.store_base, page, BLOCK, offset));
        rig_reopen(&copy);
        assert_int_equal(read_all(&copy, third, live_holds, &low, &high), gone ? damaged : 0);
        rig_close(&copy);
    }
    assert_true(tried >= leaves.count / 2 && set_aside >= tried / 2);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_aside__each_leaf_of_entries__the_rest_goes_on),
        cmocka_unit_test(test_set_aside__changes_not_folded_yet__stay_known),
    };
    return cmocka_run_group_tests_name("set_aside", tests, NULL, NULL);
}
