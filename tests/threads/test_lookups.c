/* SPDX-License-Identifier: Apache-2.0 */
/* Readers that look something up while it changes. */
#include "rig.h"
#include "stalldev.h"
#include "world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 4096, BLOCKS = 256, STORE_BYTES = 16 << 20, HANGS_S = 60 };

/* ---- a restore ends under a reader ---- */

struct reading {
    struct rig *rig;
    uint64_t first;
    uint8_t buf[2 * BLOCK];
    int code;
};

static void *read_two(void *argument) {
    struct reading *reading = argument;
    reading->code = selsnap_read(reading->rig->ss, reading->buf, sizeof reading->buf, reading->first * BLOCK);
    return NULL;
}

/*
 * The reader knows that block 9 is still to be restored, and waits for the origin's block 8. Meanwhile the restore
 * ends, and its source is deleted, and its entry dropped; that of a younger snapshot stays.
 */
static void test_read__restore_ends_and_source_goes__content_of_the_source(void **state) {
    (void)state;
    struct rig rig;
    struct reading reading = {.rig = &rig, .first = 8};
    pthread_t thread;
    uint64_t job = 0;
    struct stalldev *origin = stalldev_open(BLOCKS * BLOCK);
    struct stalldev *store = stalldev_open(STORE_BYTES);
    rig_open_on(&rig, origin->device, store->device, NULL);
    (void)alarm(HANGS_S);
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    options.id = rig_snapshot(&rig, "source", 9, 1);
    rig_write(&rig, 9, 1, 1);
    uint64_t younger = rig_snapshot(&rig, "younger", 9, 1);
    rig_write(&rig, 9, 1, 2);
    assert_ok(selsnap_restore_start(rig.ss, &options, &job));
    stalldev_arm(origin, STALL_READ, 8 * BLOCK, BLOCK);
    assert_int_equal(pthread_create(&thread, NULL, read_two, &reading), 0);
    stalldev_wait(origin);
    assert_ok(selsnap_restore_run(rig.ss, job, NULL, NULL));
    assert_ok(selsnap_snapshot_delete(rig.ss, options.id));
    rig_settle(&rig);
    stalldev_release(origin);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok(reading.code);
    assert_true(pattern_is(reading.buf, sizeof reading.buf, 8 * BLOCK, 0, 0));
    rig_assert_snapshot(&rig, younger, 9, 1, 1);
    rig_assert_sound(&rig);
    rig_close(&rig);
    (void)alarm(0);
}

/* ---- two entries of one block during one look ---- */

enum { READERS = 3, ROUNDS = 400 / WORLD_LESS, GROUP = 8 };

struct looker {
    struct rig *rig;
    pthread_t thread;
    _Atomic uint64_t *id; /* the snapshot to look at; 0: none */
    _Atomic bool *stop;
    uint64_t looks;
    uint64_t wrong; /* sequence found instead, plus 1 */
};

/* Block 0 of whatever snapshot is the newest, read with many others so that the look takes long. */
static void *look_again(void *argument) {
    struct looker *looker = argument;
    uint8_t buf[128 * BLOCK];
    while (!atomic_load(looker->stop)) {
        uint64_t id = atomic_load(looker->id);
        selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
        selsnap_view *view = NULL;
        options.id = id;
        options.flags = SELSNAP_VIEW_PRISTINE;
        if (id == 0 || selsnap_view_open(looker->rig->ss, &options, &view) != SELSNAP_OK) {
            continue;
        }
        uint64_t expected = UINT64_MAX;
        for (unsigned i = 0; i < 6; i++) {
            struct pattern pattern;
            if (selsnap_view_read(view, buf, sizeof buf, 0) == SELSNAP_OK && pattern_read(buf, &pattern)) {
                expected = expected == UINT64_MAX ? pattern.sequence : expected;
                looker->wrong = pattern.sequence != expected ? pattern.sequence + 1 : looker->wrong;
                looker->looks++;
            }
        }
        (void)!selsnap_view_close(view);
    }
    return NULL;
}

static uint64_t snapshot_of_all(struct rig *rig, uint64_t round, char letter) {
    char name[32];
    snprintf(name, sizeof name, "%c%u", letter, (unsigned)round);
    return rig_snapshot_of(rig, name, "all");
}

/* Deletes a snapshot when its readers have gone. */
static void delete_at_last(struct rig *rig, uint64_t id) {
    int code;
    while ((code = selsnap_snapshot_delete(rig->ss, id)) == SELSNAP_EBUSY) {
        usleep(50);
    }
    assert_ok(code);
}

/*
 * A look goes from small extents to large ones. While it is on its way, a block gets an entry of its own, behind it,
 * and then, for a younger snapshot, one of eight blocks, before it.
 */
static void test_view__two_entries_published_during_a_look__the_first_counts(void **state) {
    (void)state;
    struct rig rig;
    struct looker lookers[READERS];
    _Atomic uint64_t id = 0;
    _Atomic bool stop = false;
    uint64_t looks = 0;
    const struct rig_options options = {.origin_bytes = BLOCKS * BLOCK, .store_bytes = 64 << 20};
    rig_open(&rig, &options);
    rig_save(&rig, "all", 0, 0);
    (void)rig_snapshot_of(&rig, "first", "all");
    for (uint64_t block = GROUP; block < 128; block += 2) {
        rig_write(&rig, block, 1, 1); /* entries that take time to pass */
    }
    for (unsigned i = 0; i < READERS; i++) {
        lookers[i] = (struct looker){.rig = &rig, .id = &id, .stop = &stop};
        assert_int_equal(pthread_create(&lookers[i].thread, NULL, look_again, &lookers[i]), 0);
    }
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t older = snapshot_of_all(&rig, round, 'a');
        atomic_store(&id, older);
        usleep(100);
        rig_write(&rig, 0, 1, 2 * round + 2);
        uint64_t younger = snapshot_of_all(&rig, round, 'b');
        rig_write(&rig, 0, GROUP, 2 * round + 3);
        atomic_store(&id, 0);
        delete_at_last(&rig, older);
        delete_at_last(&rig, younger);
        assert_ok(selsnap_step(rig.ss, NULL, NULL));
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(lookers[i].thread, NULL);
        assert_int_equal(lookers[i].wrong, 0);
        looks += lookers[i].looks;
    }
    assert_true(looks > 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read__restore_ends_and_source_goes__content_of_the_source),
        cmocka_unit_test(test_view__two_entries_published_during_a_look__the_first_counts),
    };
    return cmocka_run_group_tests_name("lookups", tests, NULL, NULL);
}
