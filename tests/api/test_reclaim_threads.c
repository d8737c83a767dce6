/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reclaim, check and dump beside threads that write, and that make, read and delete snapshots and designations. Blocks
 * describe themselves, so a snapshot that lost an entry it needs shows it.
 */
#include "dump.h"
#include "prng.h"
#include "rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 512, WRITERS = 2, ROUNDS = 60, PROBLEMS_MAX = 20 };

struct world {
    struct rig rig;
    _Atomic uint64_t sequence;
    _Atomic bool ended;
    _Atomic unsigned wrong;
    pthread_mutex_t
        turn; /* held by a writer for a write, by the keeper while it takes a snapshot and what it must read */
};

static void wrong(struct world *world, const char *what, int code) {
    if (atomic_fetch_add(&world->wrong, 1) < PROBLEMS_MAX) {
        print_error("%s: %s\n", what, selsnap_error_name(code));
    }
}

static void *write_for_ever(void *user) {
    struct world *world = user;
    struct prng prng = prng_init(atomic_fetch_add(&world->sequence, 1));
    uint8_t buf[8 * 4096];
    while (!atomic_load(&world->ended)) {
        uint64_t count = 1 + prng_below(&prng, 8);
        uint64_t first = prng_below(&prng, BLOCKS - count);
        (void)pthread_mutex_lock(&world->turn);
        uint64_t sequence = atomic_fetch_add(&world->sequence, 1);
        pattern_fill(buf, count * 4096, first * 4096, 1, sequence);
        int code = selsnap_write(world->rig.ss, buf, count * 4096, first * 4096);
        (void)pthread_mutex_unlock(&world->turn);
        if (code != SELSNAP_OK) {
            wrong(world, "write", code);
        }
    }
    return NULL;
}

static void *step_for_ever(void *user) {
    struct world *world = user;
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    options.budget_blocks = 50;
    while (!atomic_load(&world->ended)) {
        int code = selsnap_step(world->rig.ss, &options, NULL);
        if (code != SELSNAP_OK && code != SELSNAP_EBUSY) {
            wrong(world, "step", code);
        }
    }
    return NULL;
}

static int on_problem(void *user, const char *line) {
    struct world *world = user;
    if (atomic_fetch_add(&world->wrong, 1) < PROBLEMS_MAX) {
        print_error("check: %s\n", line);
    }
    return 0;
}

static int on_line(void *user, const char *line) {
    (void)user;
    (void)line;
    return 0;
}

static void *look_for_ever(void *user) {
    struct world *world = user;
    while (!atomic_load(&world->ended)) {
        selsnap_check_result result = {.struct_size = sizeof result};
        int code = selsnap_check(world->rig.ss, on_problem, world, NULL, NULL, &result);
        if (code != SELSNAP_OK) {
            wrong(world, "check", code);
        }
        code = selsnap_dump(world->rig.ss, on_line, NULL);
        if (code != SELSNAP_OK) {
            wrong(world, "dump", code);
        }
    }
    return NULL;
}

/* Makes a snapshot of every gap-th run of blocks, and what it has to read. */
static uint64_t take(struct world *world, unsigned round, uint8_t *expected) {
    char name[16];
    uint64_t id = 0;
    selsnap_subset *subset = NULL;
    assert_ok(selsnap_subset_open_for(world->rig.ss, &subset));
    for (uint64_t block = round % 5; block < BLOCKS; block += 4 + round % 7) {
        assert_ok(selsnap_subset_add(subset, block * 4096, 3 * 4096 <= (BLOCKS - block) * 4096 ? 3 * 4096 : 4096));
    }
    (void)snprintf(name, sizeof name, "s%u", round);
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = name;
    options.subset = round % 3 == 0 ? NULL : subset;
    (void)pthread_mutex_lock(&world->turn);
    int code = selsnap_snapshot_create(world->rig.ss, &options, &id);
    if (code != SELSNAP_OK) {
        wrong(world, "create", code);
    }
    assert_ok(selsnap_read(world->rig.ss, expected, BLOCKS * 4096, 0));
    (void)pthread_mutex_unlock(&world->turn);
    if (round % 4 == 0) {
        assert_ok(selsnap_designation_save(world->rig.ss, "again and again", subset, NULL));
    }
    selsnap_subset_close(subset);
    return id;
}

static void verify(struct world *world, uint64_t id, const uint8_t *expected) {
    selsnap_view *view = rig_view(&world->rig, id, 0, SELSNAP_UNDESIGNATED_ERROR);
    uint8_t buf[4096];
    for (uint64_t block = 0; block < BLOCKS; block++) {
        int code = selsnap_view_read(view, buf, sizeof buf, block * 4096);
        if (code != SELSNAP_EUNDESIGNATED &&
            (code != SELSNAP_OK || memcmp(buf, expected + block * 4096, sizeof buf) != 0)) {
            wrong(world, "a snapshot's block", code);
        }
    }
    assert_ok(selsnap_view_close(view));
}

static void test_reclaim__beside_everything_else__snapshots_stay_right(void **state) {
    (void)state;
    enum { KEPT = 4 };
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    struct rig_options options = {.origin_bytes = BLOCKS * 4096, .store_bytes = 32 << 20};
    rig_open(&world->rig, &options);
    atomic_store(&world->sequence, 1);
    assert_int_equal(pthread_mutex_init(&world->turn, NULL), 0);
    pthread_t threads[WRITERS + 2];
    for (unsigned i = 0; i < WRITERS + 2; i++) {
        void *(*run)(void *) = i < WRITERS ? write_for_ever : i == WRITERS ? step_for_ever : look_for_ever;
        assert_int_equal(pthread_create(&threads[i], NULL, run, world), 0);
    }
    uint64_t ids[KEPT] = {0};
    uint8_t *expected[KEPT];
    for (unsigned i = 0; i < KEPT; i++) {
        expected[i] = malloc(BLOCKS * 4096);
        assert_non_null(expected[i]);
    }
    for (unsigned round = 0; round < test_share_of(ROUNDS, KEPT + 2) && atomic_load(&world->wrong) == 0; round++) {
        unsigned at = round * 7 % KEPT;
        if (ids[at] != 0) {
            verify(world, ids[at], expected[at]);
            assert_ok(selsnap_snapshot_delete(world->rig.ss, ids[at]));
        }
        ids[at] = take(world, round, expected[at]);
        verify(world, ids[(at + 1) % KEPT] != 0 ? ids[(at + 1) % KEPT] : ids[at],
               ids[(at + 1) % KEPT] != 0 ? expected[(at + 1) % KEPT] : expected[at]);
    }
    atomic_store(&world->ended, true);
    for (unsigned i = 0; i < WRITERS + 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&world->wrong), 0);
    for (unsigned i = 0; i < KEPT; i++) {
        verify(world, ids[i], expected[i]);
        assert_ok(selsnap_snapshot_delete(world->rig.ss, ids[i]));
        free(expected[i]);
    }
    assert_int_equal(atomic_load(&world->wrong), 0);
    rig_settle(&world->rig);
    assert_int_equal(dump_count(world->rig.ss, "entry ", NULL), 0);
    assert_int_equal(dump_count(world->rig.ss, "designation ", NULL), 1);
    rig_assert_sound(&world->rig);
    rig_close(&world->rig);
    (void)pthread_mutex_destroy(&world->turn);
    free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reclaim__beside_everything_else__snapshots_stay_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
