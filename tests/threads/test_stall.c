/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads, and writes that need nothing preserved, wait for nobody [P4, P9]. A thread is in the middle of an operation:
 * its n-th request to the store hangs, for every n in turn (and, where it makes any, its n-th flush of the origin).
 * While it hangs, clean writes and reads of this thread return; only then is the request let go. No time decides: what
 * would wait for the hung request would wait for ever, and a watchdog then names operation and request.
 */
#include "rig.h"
#include "stalldev.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The origin: [0, 8) is known to be preserved, [8, 16) is restored, [16, 32) is designated, the rest is nobody's. */
enum { BLOCK = 4096, BLOCKS = 64, FREE_FIRST = 32, STORE_BYTES = 1 << 20, WATCHDOG_S = 60, MOST_REQUESTS = 400 };

enum { STALL_ANY = STALL_READ | STALL_WRITE | STALL_FLUSH };

struct scene {
    struct rig rig;
    struct stalldev *origin;
    struct stalldev *store;
    uint64_t first, second, third; /* snapshots */
    uint64_t job;
    selsnap_view *view;
    pthread_t thread;
    const struct operation *operation;
    int code;
    _Atomic bool ended;
};

struct operation {
    const char *name;
    bool cold;                           /* after an open: with an empty cache */
    int (*prepare)(struct scene *scene); /* in peace; NULL: nothing */
    int (*run)(struct scene *scene);     /* with a request that hangs */
    int allowed;                         /* a code that is as good as SELSNAP_OK */
};

/* ---- the watchdog ---- */

static char watched[160]; /* written before the alarm is set */

static void bark(int number) {
    (void)number;
    (void)!write(STDERR_FILENO, watched, strlen(watched));
    _exit(3);
}

static void watch(const char *name, const char *device, uint64_t nth) {
    snprintf(watched, sizeof watched, "# a clean write or read hangs: %s, request %u to the %s\n", name, (unsigned)nth,
             device);
    (void)signal(SIGALRM, bark);
    (void)alarm(WATCHDOG_S);
}

/* ---- operations ---- */

static int take_snapshot(struct scene *scene, const char *name, const char *designation, uint64_t *ret_id) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = name;
    options.designation = designation;
    return selsnap_snapshot_create(scene->rig.ss, &options, ret_id);
}

static int run_create(struct scene *scene) {
    return take_snapshot(scene, "new", "upper", NULL);
}

static int run_create_of_subset(struct scene *scene) {
    uint64_t id = 0;
    return rig_try_snapshot(&scene->rig, "new", 20, 7, SELSNAP_POLICY_FAIL_WRITE, &id);
}

static int run_preserve(struct scene *scene) {
    return rig_try_write(&scene->rig, 20, 3, 5);
}

static int run_preserve_zeroes(struct scene *scene) {
    return selsnap_write_zeroes(scene->rig.ss, 24 * BLOCK, 2 * BLOCK);
}

static int run_delete(struct scene *scene) {
    return selsnap_snapshot_delete(scene->rig.ss, scene->second);
}

static int prepare_reclaim(struct scene *scene) {
    rig_write(&scene->rig, 16, 10, 3);
    return selsnap_snapshot_delete(scene->rig.ss, scene->second);
}

static int run_reclaim(struct scene *scene) {
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    options.flags = SELSNAP_STEP_RECLAIM;
    return selsnap_step(scene->rig.ss, &options, NULL);
}

static int run_checkpoint(struct scene *scene) {
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    options.flags = SELSNAP_STEP_CHECKPOINT;
    return selsnap_step(scene->rig.ss, &options, NULL);
}

/* Something is to be folded, but not so much that it is done already. */
static int prepare_checkpoint(struct scene *scene) {
    int code = run_checkpoint(scene);
    rig_write(&scene->rig, 16, 16, 3);
    return code;
}

static int start_restore(struct scene *scene) {
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    options.id = scene->third;
    return selsnap_restore_start(scene->rig.ss, &options, &scene->job);
}

static int run_restore(struct scene *scene) {
    return selsnap_restore_run(scene->rig.ss, scene->job, NULL, NULL);
}

static int prepare_flush(struct scene *scene) {
    int code = start_restore(scene);
    rig_write(&scene->rig, 9, 2, 7);
    return code;
}

static int run_flush(struct scene *scene) {
    return selsnap_flush(scene->rig.ss);
}

static int prepare_view(struct scene *scene) {
    uint8_t buf[3 * BLOCK];
    pattern_fill(buf, sizeof buf, 17 * BLOCK, 9, 9);
    scene->view = rig_view(&scene->rig, scene->first, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    return selsnap_view_write(scene->view, buf, sizeof buf, 17 * BLOCK);
}

static int prepare_flushed_view(struct scene *scene) {
    int code = prepare_view(scene);
    return code == SELSNAP_OK ? selsnap_view_flush(scene->view) : code;
}

static int run_view_write(struct scene *scene) {
    uint8_t buf[2 * BLOCK + 100];
    pattern_fill(buf, sizeof buf, 20 * BLOCK + 50, 9, 10);
    return selsnap_view_write(scene->view, buf, sizeof buf, 20 * BLOCK + 50);
}

static int run_view_flush(struct scene *scene) {
    return selsnap_view_flush(scene->view);
}

static int run_view_reset(struct scene *scene) {
    return selsnap_view_reset(scene->view);
}

static int run_save(struct scene *scene) {
    selsnap_subset *subset = rig_subset(&scene->rig, 18, 9);
    int code = selsnap_designation_save(scene->rig.ss, "more", subset, NULL);
    selsnap_subset_close(subset);
    return code;
}

static int run_check(struct scene *scene) {
    selsnap_check_result result = {0};
    result.struct_size = sizeof result;
    int code = selsnap_check(scene->rig.ss, NULL, NULL, NULL, NULL, &result);
    return code == SELSNAP_OK && result.problems > 0 ? SELSNAP_EDAMAGED : code;
}

static int pass_line(void *user, const char *line) {
    (void)user;
    return line[0] == '\0';
}

static int run_dump(struct scene *scene) {
    return selsnap_dump(scene->rig.ss, pass_line, NULL);
}

/* Overlays fill the store, so that nothing more can be preserved. */
static int prepare_full(struct scene *scene) {
    int code = prepare_view(scene);
    uint8_t buf[BLOCK];
    for (uint64_t n = 0; code == SELSNAP_OK && n < 1000; n++) {
        uint64_t block = 16 + n % 16;
        pattern_fill(buf, sizeof buf, block * BLOCK, 9, 20 + n);
        code = selsnap_view_write(scene->view, buf, sizeof buf, block * BLOCK);
        if (n % 16 == 15 && code == SELSNAP_OK) {
            char name[32];
            uint64_t id = 0;
            snprintf(name, sizeof name, "full%u", (unsigned)n);
            code = selsnap_view_flush(scene->view);
            code = code != SELSNAP_OK ? code : take_snapshot(scene, name, "upper", &id);
            for (uint64_t b = 16; code == SELSNAP_OK && b < 32; b++) {
                code = rig_try_write(&scene->rig, b, 1, 30 + n);
            }
        }
    }
    return code == SELSNAP_ENOSPACE ? SELSNAP_OK : SELSNAP_EINVAL;
}

/* Blocks 16 to 31 once more, in a snapshot that has them not. */
static int run_refused_write(struct scene *scene) {
    uint64_t id = 0;
    int code = take_snapshot(scene, "last", "upper", &id);
    for (uint64_t block = 16; code == SELSNAP_OK && block < 32; block++) {
        code = rig_try_write(&scene->rig, block, 1, 99);
    }
    return code;
}

static const struct operation operations[] = {
    {"create", false, NULL, run_create, 0},
    {"create, cold", true, NULL, run_create, 0},
    {"create of a new subset", false, NULL, run_create_of_subset, 0},
    {"create of a new subset, cold", true, NULL, run_create_of_subset, 0},
    {"a write that preserves", false, NULL, run_preserve, 0},
    {"a write that preserves, cold", true, NULL, run_preserve, 0},
    {"zeroes that preserve", false, NULL, run_preserve_zeroes, 0},
    {"delete", false, NULL, run_delete, 0},
    {"delete, cold", true, NULL, run_delete, 0},
    {"reclaim", false, prepare_reclaim, run_reclaim, 0},
    {"reclaim, cold", true, prepare_reclaim, run_reclaim, 0},
    {"checkpoint", false, prepare_checkpoint, run_checkpoint, 0},
    {"checkpoint, cold", true, prepare_checkpoint, run_checkpoint, 0},
    {"restore begun", false, NULL, start_restore, 0},
    {"restore begun, cold", true, NULL, start_restore, 0},
    {"restore run", false, start_restore, run_restore, 0},
    {"flush under a restore", false, prepare_flush, run_flush, 0},
    {"view write", false, prepare_view, run_view_write, 0},
    {"view flush", false, prepare_view, run_view_flush, 0},
    {"view reset", false, prepare_flushed_view, run_view_reset, 0},
    {"designation saved", false, NULL, run_save, 0},
    {"check", false, prepare_checkpoint, run_check, 0},
    {"dump", true, NULL, run_dump, 0},
    {"what a full store refuses", false, prepare_full, run_refused_write, SELSNAP_ENOSPACE},
};

enum { OPERATIONS = sizeof operations / sizeof operations[0] };

/* ---- one hang ---- */

/* Clean writes, zeroes, discards and reads; with sequence numbers that rise. */
static void work_clean(struct scene *scene, uint64_t sequence) {
    struct rig *rig = &scene->rig;
    rig_write(rig, 2, 3, sequence);
    rig_write(rig, FREE_FIRST, BLOCKS - FREE_FIRST, sequence);
    rig_write(rig, FREE_FIRST + 5, 1, sequence + 1);
    rig_assert_live(rig, 2, 3, sequence);
    rig_assert_live(rig, FREE_FIRST + 5, 1, sequence + 1);
    rig_assert_live(rig, FREE_FIRST + 6, 3, sequence);
    assert_ok(selsnap_write_zeroes(rig->ss, (FREE_FIRST + 8) * BLOCK, BLOCK));
    assert_ok(selsnap_discard(rig->ss, (FREE_FIRST + 10) * BLOCK, BLOCK));
}

static void scene_open(struct scene *scene, const struct operation *operation) {
    const struct rig_options options = {.journal_bytes = 65536};
    memset(scene, 0, sizeof *scene);
    scene->operation = operation;
    scene->origin = stalldev_open(BLOCKS * BLOCK);
    scene->store = stalldev_open(STORE_BYTES);
    struct rig *rig = &scene->rig;
    rig_open_on(rig, scene->origin->device, scene->store->device, &options);
    rig_save(rig, "lower", 0, 32);
    rig_save(rig, "upper", 16, 16);
    rig_save(rig, "middle", 8, 8);
    scene->third = rig_snapshot_of(rig, "third", "middle");
    rig_write(rig, 8, 8, 1);
    scene->first = rig_snapshot_of(rig, "first", "lower");
    rig_write(rig, 0, 8, 1);
    scene->second = rig_snapshot_of(rig, "second", "upper");
    if (operation->cold) {
        rig_reopen(rig);
    }
    if (operation->prepare != NULL) {
        assert_ok(operation->prepare(scene));
    }
    work_clean(scene, 10); /* what is clean is known to be */
}

static void scene_close(struct scene *scene) {
    assert_ok(selsnap_view_close(scene->view));
    rig_assert_sound(&scene->rig);
    rig_assert_snapshot(&scene->rig, scene->first, 0, 8, 0);
    rig_close(&scene->rig);
}

static void *run_operation(void *argument) {
    struct scene *scene = argument;
    scene->code = scene->operation->run(scene);
    atomic_store(&scene->ended, true);
    return NULL;
}

/* false: the operation makes fewer requests. */
static bool hang_once(const struct operation *operation, bool of_origin, uint64_t nth) {
    struct scene scene;
    scene_open(&scene, operation);
    struct stalldev *dev = of_origin ? scene.origin : scene.store;
    watch(operation->name, of_origin ? "origin" : "store", nth);
    stalldev_arm_nth(dev, of_origin ? STALL_FLUSH : STALL_ANY, nth);
    assert_int_equal(pthread_create(&scene.thread, NULL, run_operation, &scene), 0);
    while (!stalldev_is_stalled(dev) && !atomic_load(&scene.ended)) {
        usleep(20);
    }
    bool stalled = stalldev_is_stalled(dev);
    if (stalled) {
        for (uint64_t i = 0; i < 3; i++) {
            work_clean(&scene, 20 + 2 * i);
        }
        assert_true(stalldev_is_stalled(dev)); /* all the time */
        assert_false(atomic_load(&scene.ended));
    }
    stalldev_release(dev);
    assert_int_equal(pthread_join(scene.thread, NULL), 0);
    if (scene.code != SELSNAP_OK) {
        assert_int_equal(scene.code, operation->allowed);
    }
    (void)alarm(0);
    scene_close(&scene);
    return stalled;
}

static void test_stall__store_hangs_in_any_request__clean_writes_and_reads_return(void **state) {
    (void)state;
    uint64_t requests = 0;
    for (unsigned i = 0; i < OPERATIONS; i++) {
        uint64_t nth = 1;
        while (hang_once(&operations[i], false, nth)) {
            nth++;
            assert_true(nth < MOST_REQUESTS);
        }
        requests += nth - 1;
        print_message("# %s: %u requests to the store\n", operations[i].name, (unsigned)nth - 1);
        assert_true(nth > 1);
    }
    assert_true(requests > OPERATIONS);
}

/* The gate is open again before a snapshot flushes the origin; restores end with a flush, too. */
static void test_stall__origin_hangs_in_any_flush__clean_writes_and_reads_return(void **state) {
    (void)state;
    uint64_t flushes = 0;
    for (unsigned i = 0; i < OPERATIONS; i++) {
        uint64_t nth = 1;
        while (hang_once(&operations[i], true, nth)) {
            nth++;
            assert_true(nth < MOST_REQUESTS);
        }
        flushes += nth - 1;
    }
    assert_true(flushes >= 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stall__store_hangs_in_any_request__clean_writes_and_reads_return),
        cmocka_unit_test(test_stall__origin_hangs_in_any_flush__clean_writes_and_reads_return),
    };
    return cmocka_run_group_tests_name("stall", tests, NULL, NULL);
}
