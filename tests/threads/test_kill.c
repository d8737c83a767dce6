/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that is killed. A child works on files, with several threads, and tells its parent in shared memory what it
 * begins and what has ended (oplog.h). The parent kills it at some moment, opens the store itself, and looks at all of
 * it: what was acknowledged is there (the files' cache survives a kill; but see history.h for restores), snapshots that
 * were acknowledged exist, are one cut through the histories, and stay as they were first read; deleted ones are gone.
 * Then the next child goes on.
 *
 *   test_kill                                              the kills of a build
 *   test_kill --config C --seed N [--rounds M]             one store, M kills
 *   test_kill [--config C] --seconds S [--seed N]          new stores for so long
 */
#include "chain.h"
#include "oplog.h"
#include "steadydev.h"
#include "test.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct world_config configs[] = {
    {"plain", 96 * 4096, 16 << 20, 131072, 4096, 0, false, 7, 0, 0, false, 0},
    {"restores", 48 * 4096, 16 << 20, 65536, 4096, 0, false, 7, 0, 0, true, 0},
};

enum { CONFIGS = sizeof configs / sizeof configs[0], THREADS = 4, PATIENCE_US = 120000000 };

/* The files of a store, in a directory of their own. */
struct files {
    char directory[256];
    char origin[300];
    char store[300];
};

static void make_files(struct files *files) {
    const char *base = getenv("TMPDIR");
    snprintf(files->directory, sizeof files->directory, "%s/selsnap-kill-XXXXXX", base != NULL ? base : ".");
    assert_non_null(mkdtemp(files->directory));
    snprintf(files->origin, sizeof files->origin, "%s/origin", files->directory);
    snprintf(files->store, sizeof files->store, "%s/store", files->directory);
}

static void remove_files(const struct files *files) {
    (void)unlink(files->origin);
    (void)unlink(files->store);
    (void)rmdir(files->directory);
}

static void open_devices(struct world *w, const struct files *files) {
    const struct steadydev_pace none = {0, 0};
    selsnap_device *origin = NULL;
    selsnap_device *store = NULL;
    assert_ok(selsnap_device_open_file(files->origin, SELSNAP_FILE_CREATE, w->config->origin_bytes, &origin, NULL));
    assert_ok(selsnap_device_open_file(files->store, SELSNAP_FILE_CREATE, w->config->store_bytes, &store, NULL));
    w->origin = steadydev_open(origin, none);
    w->store = steadydev_open(store, none);
}

/* ---- the child ---- */

_Noreturn static void live_and_be_killed(struct world *w, const struct files *files, uint64_t seed) {
    open_devices(w, files);
    world_open(w);
    world_run(w, THREADS, OPLOG_OPS / 8, seed);
    for (;;) {
        pause();
    }
}

/* ---- the parent ---- */

/* Waits until the child has done so much, and a little longer. */
static void wait_and_kill(struct world *w, pid_t child, struct prng *prng) {
    uint64_t enough = prng_percent(prng, 10) ? 0 : prng_below(prng, prng_percent(prng, 70) ? 100 : 400);
    int status = 0;
    for (uint64_t waited = 0; atomic_load(&w->log->operations) < enough; waited += 100) {
        usleep(100);
        if (waitpid(child, &status, WNOHANG) != 0 || waited > PATIENCE_US) {
            world_fail(w, "the child ended by itself, or hangs (status %d)", status);
        }
    }
    usleep((useconds_t)prng_below(prng, 1500));
    (void)kill(child, SIGKILL);
    WORLD_CHECK(w, waitpid(child, &status, 0) == child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        world_fail(w, "the child ended by itself (status %d)", status);
    }
}

static int by_begin(const void *a, const void *b) {
    const struct op *const *x = a;
    const struct op *const *y = b;
    return (*x)->begin < (*y)->begin ? -1 : (*x)->begin > (*y)->begin;
}

/* All operations of all threads in the order in which they began; the clock goes on after the last. */
static const struct op **gather(struct world *w, size_t *ret_count) {
    const struct op **list = malloc(sizeof *list * THREADS * OPLOG_OPS);
    uint64_t last = atomic_load(&w->clock);
    size_t count = 0;
    assert_non_null(list);
    for (unsigned t = 0; t < THREADS; t++) {
        for (uint64_t i = 0; i < atomic_load(&w->log->thread[t].count); i++) {
            const struct op *op = &w->log->thread[t].op[i];
            uint64_t end = atomic_load(&op->end);
            last = op->begin > last ? op->begin : last;
            last = end != TICK_NEVER && end > last ? end : last;
            list[count++] = op;
        }
    }
    /* Operations without an end, and reads, took ticks that nobody noted. */
    atomic_store(&w->clock, last + UINT64_C(1000000));
    qsort(list, count, sizeof *list, by_begin);
    *ret_count = count;
    return list;
}

/* A snapshot that the child has made, or was about to make. */
static void note_create(struct world *w, const struct op *op) {
    struct shot *shot = NULL;
    for (unsigned i = 0; i < WORLD_SHOTS && shot == NULL; i++) {
        shot = w->shot[i].state == SHOT_FREE ? &w->shot[i] : NULL;
    }
    WORLD_CHECK(w, shot != NULL);
    bool ended = atomic_load(&op->end) != TICK_NEVER;
    WORLD_CHECK(w, !ended || op->outcome == HISTORY_DONE);
    shot->state = ended ? SHOT_READY : SHOT_UNSURE;
    shot->number = op->shot;
    shot->policy = op->policy;
    shot->begin = op->begin;
    shot->end = atomic_load(&op->end);
    memcpy(shot->cover, op->cover, sizeof shot->cover);
    shot->frozen = calloc((size_t)w->sectors, sizeof *shot->frozen);
    shot->overlay = history_new(w->sectors, CONTENT_FROZEN, 0);
    assert_non_null(shot->frozen);
    w->next_number = op->shot >= w->next_number ? op->shot + 1 : w->next_number;
}

static void note_delete(struct world *w, const struct op *op) {
    struct shot *shot = shot_find(w, op->shot);
    if (atomic_load(&op->end) == TICK_NEVER) {
        shot->state = SHOT_UNSURE;
    } else if (op->outcome == HISTORY_DONE) {
        shot->gone = true;
    }
}

static void note_lists(struct world *w, const struct op **ops, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (ops[i]->kind == OP_CREATE) {
            note_create(w, ops[i]);
        } else if (ops[i]->kind == OP_DELETE) {
            note_delete(w, ops[i]);
        }
    }
}

/* Those deleted are still asked for what operations before did with them; then they are forgotten. */
static void forget_gone(struct world *w) {
    char name[32];
    selsnap_snapshot_info info = {0};
    info.struct_size = sizeof info;
    for (unsigned i = 0; i < WORLD_SHOTS; i++) {
        if (w->shot[i].state != SHOT_FREE && w->shot[i].gone) {
            world_name(w->shot[i].number, name, sizeof name);
            WORLD_CHECK(w, selsnap_snapshot_find(w->ss, name, &info) == SELSNAP_ENOENT);
            shot_free(w, &w->shot[i]);
        }
    }
}

static void look_after_kill(struct world *w) {
    size_t count;
    const struct op **ops = gather(w, &count);
    note_lists(w, ops, count);
    world_open(w);
    shots_load_new(w);
    for (size_t i = 0; i < count; i++) {
        world_replay(w, ops[i], world_tick(w));
    }
    forget_gone(w);
    world_verify_crash(w);
    free(ops);
}

static uint64_t run_rounds(const struct world_config *config, uint64_t seed, uint64_t rounds) {
    struct world w;
    struct files files;
    struct prng prng = prng_init(seed);
    world_init(&w, config, seed, "test_kill");
    size_t len = strlen(w.replay);
    snprintf(w.replay + len, sizeof w.replay - len, " --rounds %" PRIu64, rounds);
    make_files(&files);
    open_devices(&w, &files);
    world_format(&w);
    world_close_devices(&w);
    w.log = oplog_map();
    w.live->cached = true;
    atomic_store(&w.live->flushed, 0);
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t child_seed = prng_next(&prng);
        oplog_clear(w.log);
        w.keep_above = w.next_number - 1;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            live_and_be_killed(&w, &files, child_seed);
        }
        wait_and_kill(&w, child, &prng);
        open_devices(&w, &files);
        look_after_kill(&w);
        if (prng_percent(&prng, 50)) {
            world_settle(&w);
            world_verify_crash(&w);
        }
        WORLD_CHECK(&w, world_close(&w) == SELSNAP_OK);
        world_close_devices(&w);
    }
    oplog_unmap(w.log);
    world_fini(&w);
    remove_files(&files);
    return rounds;
}

static const struct chain chain = {"test_kill", "rounds", configs, CONFIGS, 100, run_rounds};

static void test_kill__all_at_once__what_was_acknowledged_is_there(void **state) {
    (void)state;
    chain_run(&chain, "plain", 1, 3, 30);
}

static void test_kill__many_restores__what_was_acknowledged_is_there(void **state) {
    (void)state;
    chain_run(&chain, "restores", 1, 2, 30);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        return chain_main(&chain, argc, argv);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill__all_at_once__what_was_acknowledged_is_there),
        cmocka_unit_test(test_kill__many_restores__what_was_acknowledged_is_there),
    };
    return cmocka_run_group_tests_name("kill", tests, NULL, NULL);
}
