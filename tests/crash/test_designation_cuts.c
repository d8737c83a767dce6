/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts while a subset of so many ranges is saved, and dropped, that it takes several transactions: its name leads
 * to all of the new subset, or all of the old one, or to none.
 */
#include "rig.h"
#include "testdev.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, BLOCKS = 6000, STORE = 4 << 20, MOST_CALLS = 400 };

struct bench {
    struct wire wire;
    struct testdev *origin;
    struct testdev *store;
    struct rig rig;
};

/* Every second block, from `from` on. */
static selsnap_subset *scattered(struct rig *rig, uint64_t from) {
    selsnap_subset *subset = NULL;
    assert_ok(selsnap_subset_open_for(rig->ss, &subset));
    for (uint64_t block = from; block < BLOCKS; block += 2) {
        assert_ok(selsnap_subset_add(subset, block * BLOCK, BLOCK));
    }
    return subset;
}

static int save(struct rig *rig, uint64_t from) {
    selsnap_subset *subset = scattered(rig, from);
    int code = selsnap_designation_save(rig->ss, "d", subset, NULL);
    selsnap_subset_close(subset);
    return code;
}

static bool keep(void *user, const struct testdev_unit *unit) {
    const unsigned *what = user;
    return *what == 0 ? false : *what == 1 ? true : (unit->change + unit->index / 8 + *what) % 2 == 0;
}

static void cut(struct bench *bench, unsigned what) {
    (void)!selsnap_close(bench->rig.ss);
    testdev_power_cycle(bench->origin, keep, &what);
    testdev_power_cycle(bench->store, keep, &what);
    bench->wire.off = false;
    bench->wire.cut_at = 0;
    rig_start(&bench->rig);
}

/* Which subset the name leads to: 0 the even blocks, 1 the odd ones, 2 none. Anything else fails. */
static unsigned look_up(struct bench *bench) {
    selsnap_subset *subset = NULL;
    selsnap_range range = {0, 0};
    int code = selsnap_designation_load(bench->rig.ss, "d", &subset);
    if (code == SELSNAP_ENOENT) {
        return 2;
    }
    assert_ok(code);
    uint64_t count = 0;
    uint64_t from = UINT64_MAX;
    while (selsnap_subset_next(subset, range.offset + range.len, &range) == SELSNAP_OK) {
        from = count == 0 ? range.offset / BLOCK : from;
        assert_int_equal(range.offset, (from + 2 * count) * BLOCK);
        assert_int_equal(range.len, BLOCK);
        count++;
    }
    selsnap_subset_close(subset);
    assert_true(from < 2 && count == BLOCKS / 2);
    return (unsigned)from;
}

static void begin(struct bench *bench) {
    memset(bench, 0, sizeof *bench);
    wire_init(&bench->wire, true);
    bench->origin = testdev_open(&bench->wire, 'o', BLOCKS * BLOCK, 1, NULL);
    bench->store = testdev_open(&bench->wire, 's', STORE, 1, NULL);
    const struct rig_options options = {.blank = true, .origin_bytes = BLOCKS * BLOCK};
    rig_open_on(&bench->rig, bench->origin->device, bench->store->device, &options);
}

/* Saves the odd blocks over the even ones, again and again; the power is cut at each call in its turn. */
static void test_save__cut_at_every_call__whole_or_not_at_all(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench);
    for (unsigned what = 0; what < 4; what++) {
        bool cut_it = true;
        for (uint64_t call = 1; cut_it; call++) {
            assert_true(call < MOST_CALLS);
            assert_ok(save(&bench.rig, 0));
            wire_cut_after(&bench.wire, call);
            int code = save(&bench.rig, 1);
            cut_it = bench.wire.off;
            assert_true((code != SELSNAP_OK) == cut_it);
            bench.wire.off = true;
            cut(&bench, what);
            unsigned found = look_up(&bench);
            assert_true(cut_it ? found < 2 : found == 1);
            rig_settle(&bench.rig);
            assert_true(look_up(&bench) == found);
            rig_assert_sound(&bench.rig);
        }
    }
    rig_close(&bench.rig);
    wire_fini(&bench.wire);
}

static void test_drop__cut_at_every_call__gone_or_there(void **state) {
    (void)state;
    struct bench bench;
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    options.flags = SELSNAP_STEP_RECLAIM;
    begin(&bench);
    for (unsigned what = 0; what < 4; what++) {
        bool cut_it = true;
        for (uint64_t call = 1; cut_it; call++) {
            assert_true(call < MOST_CALLS);
            assert_ok(save(&bench.rig, 0));
            wire_cut_after(&bench.wire, call);
            int code = selsnap_designation_delete(bench.rig.ss, "d");
            bool deleted = code == SELSNAP_OK;
            uint32_t more = 1;
            options.budget_blocks = 16;
            while (code == SELSNAP_OK && more != 0) {
                code = selsnap_step(bench.rig.ss, &options, &more);
            }
            cut_it = bench.wire.off;
            assert_true((code != SELSNAP_OK) == cut_it);
            bench.wire.off = true;
            cut(&bench, what);
            unsigned found = look_up(&bench);
            assert_true(found == 2 || (found == 0 && !deleted));
            rig_settle(&bench.rig);
            assert_true(look_up(&bench) == found);
            rig_assert_sound(&bench.rig);
        }
    }
    rig_close(&bench.rig);
    wire_fini(&bench.wire);
}

/* A subset saved for a restore that is then refused: nobody's, and dropped without ever having had a name. */
static void test_drop__never_used_and_cut_at_every_call__store_is_sound(void **state) {
    (void)state;
    struct bench bench;
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    options.flags = SELSNAP_STEP_RECLAIM;
    options.budget_blocks = 16;
    begin(&bench);
    restore.id = rig_snapshot(&bench.rig, "s", 0, 0);
    rig_write(&bench.rig, 1, 1, 1);
    assert_ok(selsnap_restore_start(bench.rig.ss, &restore, NULL));
    for (unsigned what = 0; what < 4; what++) {
        bool cut_it = true;
        for (uint64_t call = 1; cut_it; call++) {
            assert_true(call < MOST_CALLS);
            selsnap_subset *part = scattered(&bench.rig, 1);
            restore.subset = part;
            assert_int_equal(selsnap_restore_start(bench.rig.ss, &restore, NULL), SELSNAP_EBUSY);
            selsnap_subset_close(part);
            wire_cut_after(&bench.wire, call);
            int code = SELSNAP_OK;
            for (uint32_t more = 1; code == SELSNAP_OK && more != 0;) {
                code = selsnap_step(bench.rig.ss, &options, &more);
            }
            cut_it = bench.wire.off;
            assert_true((code != SELSNAP_OK) == cut_it);
            bench.wire.off = true;
            cut(&bench, what);
            rig_assert_sound(&bench.rig);
        }
    }
    rig_close(&bench.rig);
    wire_fini(&bench.wire);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_save__cut_at_every_call__whole_or_not_at_all),
        cmocka_unit_test(test_drop__cut_at_every_call__gone_or_there),
        cmocka_unit_test(test_drop__never_used_and_cut_at_every_call__store_is_sound),
    };
    return cmocka_run_group_tests_name("designation-cuts", tests, NULL, NULL);
}
