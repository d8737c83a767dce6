/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the next open makes of some wrong items (wrong_items.h): what it refuses it has not written to, and the rest
 * opens. And of counters near their end. [F-16], [F-17].
 */
#include "wrong_items.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct world *world_new(void) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world_open(world);
    return world;
}

static void world_free(struct world *world) {
    rig_close(&world->rig);
    free(world);
}

static void break_by_name(struct world *world, const char *what) {
    for (unsigned i = 0; i < wrong_item_count; i++) {
        if (strcmp(wrong_items[i].what, what) == 0) {
            world_break(world, i, false);
            return;
        }
    }
    fail_msg("there is no wrong item %s", what);
}

/* Closes cleanly; the next open refuses. */
static void assert_refused(struct world *world) {
    assert_ok(selsnap_close(world->rig.ss));
    world->rig.ss = NULL;
    rig_reset_counts(&world->rig);
    assert_int_equal(selsnap_open(world->rig.store, world->rig.origin, NULL, &world->rig.ss), SELSNAP_EDAMAGED);
    assert_null(world->rig.ss);
    selsnap_device_counts counts = rig_store_counts(&world->rig);
    assert_true(counts.writes == 0 && counts.flushes == 0 && counts.zeroes == 0 && counts.discards == 0);
}

static void test_open__wrong_item__refused_and_nothing_written(void **state) {
    static const char *const cases[] = {"snapshot_malformed", "snapshot_point_unknown", "job_malformed",
                                        "job_point_unknown", "state_malformed"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world *world = world_new();
        break_by_name(world, cases[i]);
        assert_refused(world);
        world_free(world);
    }
}

/* In the last batch of a journal, which the next open looks at item by item. */
static void test_open__wrong_entry_in_the_last_batch__passed_by(void **state) {
    static const char *const cases[] = {"entry_epoch_zero", "entry_malformed", "data_outside"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world *world = world_new();
        break_by_name(world, cases[i]);
        rig_crash(&world->rig);
        assert_true(rig_count_problems(&world->rig) > 0);
        world_free(world);
    }
}

static int hear(void *user, const char *line) {
    struct world *world = user;
    size_t used = strlen(world->heard);
    (void)snprintf(world->heard + used, sizeof world->heard - used, "%s\n", line);
    return 0;
}

static void raise_counter(struct world *world, bool epoch, uint64_t to) {
    if (epoch) {
        ssn_store_raise_epoch(world->rig.ss->store, to);
    } else {
        ssn_store_raise_id(world->rig.ss->store, to);
    }
}

static void test_counters__near_their_end__told_and_then_refused(void **state) {
    (void)state;
    for (int epoch = 0; epoch < 2; epoch++) {
        struct world *world = world_new();
        selsnap_check_result result = {.struct_size = sizeof result};
        raise_counter(world, epoch != 0, (UINT64_C(1) << 62) + 1);
        assert_ok(selsnap_check(world->rig.ss, hear, world, NULL, NULL, &result));
        assert_true(result.problems > 0);
        assert_non_null(strstr(world->heard, "beyond 2^62"));
        raise_counter(world, epoch != 0, UINT64_MAX);
        rig_write(&world->rig, 5, 1, 9); /* something to fold: the close writes the counters */
        assert_refused(world);
        world_free(world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open__wrong_item__refused_and_nothing_written),
        cmocka_unit_test(test_open__wrong_entry_in_the_last_batch__passed_by),
        cmocka_unit_test(test_counters__near_their_end__told_and_then_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
