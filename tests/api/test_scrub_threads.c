/* SPDX-License-Identifier: Apache-2.0 */
/* A scrub beside writers, snapshots that come and go, reclaim and checkpoints finds no damage where there is none. */
#include "prng.h"
#include "rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 4096, BLOCKS = 256, WRITERS = 2, ROUNDS = 400, PASSES_MIN = 20, PASSES_MAX = 1000 };

struct shared {
    struct rig rig;
    _Atomic bool stop;
    _Atomic unsigned failed;
    _Atomic unsigned problems;
    char first[256];
};

struct writer {
    struct shared *shared;
    unsigned number;
    pthread_t thread;
};

/* The store is so small that places are used again soon; it may be full for a while, and blocks are given up. */
static bool fine(int code) {
    bool ok = code == SELSNAP_OK || code == SELSNAP_ENOSPACE || code == SELSNAP_ELOST;
    if (!ok) {
        fprintf(stderr, "unexpected: %s\n", selsnap_error_name(code));
    }
    return ok;
}

static void *write_on(void *user) {
    struct writer *writer = user;
    struct prng prng = prng_init(100 + writer->number);
    while (!atomic_load(&writer->shared->stop)) {
        uint64_t first = prng_below(&prng, BLOCKS - 8);
        if (!fine(rig_try_write(&writer->shared->rig, first, 1 + prng_below(&prng, 8), 1))) {
            atomic_fetch_add(&writer->shared->failed, 1);
        }
    }
    return NULL;
}

/* Snapshots come, are written into, and go; their space comes back and is used again. */
static void *snapshots_on(void *user) {
    struct shared *shared = user;
    selsnap *ss = shared->rig.ss;
    uint64_t ids[3] = {0, 0, 0};
    for (unsigned round = 0; round < test_share_of(ROUNDS, 24) && atomic_load(&shared->failed) == 0; round++) {
        char name[32] = {0}; /* all of it is written into the snapshot */
        uint64_t *id = &ids[round % 3];
        if (*id != 0 && selsnap_snapshot_delete(ss, *id) != SELSNAP_OK) {
            atomic_fetch_add(&shared->failed, 1);
        }
        (void)snprintf(name, sizeof name, "s%u", round);
        *id = 0;
        int code = rig_try_snapshot(&shared->rig, name, 0, 0, SELSNAP_POLICY_GIVE_UP_BLOCK, id);
        if (code != SELSNAP_OK) {
            atomic_fetch_add(&shared->failed, fine(code) ? 0 : 1);
            continue;
        }
        selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
        selsnap_view *view = NULL;
        options.id = *id;
        options.flags = SELSNAP_VIEW_WRITABLE;
        bool ok = selsnap_view_open(ss, &options, &view) == SELSNAP_OK;
        for (unsigned i = 0; ok && i < 8; i++) {
            ok = fine(selsnap_view_write(view, name, sizeof name, (uint64_t)(round * 13 + i) % BLOCKS * BLOCK));
        }
        ok = ok && (round % 4 != 0 || fine(selsnap_view_reset(view)));
        ok = (view == NULL || fine(selsnap_view_close(view))) && ok;
        uint32_t more = 1;
        while (ok && more != 0) {
            int stepped = selsnap_step(ss, NULL, &more);
            ok = fine(stepped);
            more = stepped == SELSNAP_OK ? more : 0;
        }
        atomic_fetch_add(&shared->failed, ok ? 0 : 1);
    }
    atomic_store(&shared->stop, true);
    return NULL;
}

static int hear(void *user, const char *line) {
    struct shared *shared = user;
    if (atomic_fetch_add(&shared->problems, 1) == 0) {
        (void)snprintf(shared->first, sizeof shared->first, "%s", line);
    }
    return 0;
}

static void test_scrub__beside_everything_else__no_false_alarm(void **state) {
    (void)state;
    static struct shared shared;
    const struct rig_options options = {
        .origin_bytes = BLOCKS * BLOCK, .store_bytes = 4 << 20, .journal_bytes = 256 << 10};
    struct writer writers[WRITERS];
    pthread_t snapshots;
    memset(&shared, 0, sizeof shared);
    rig_open(&shared.rig, &options);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i].shared = &shared;
        writers[i].number = i;
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_on, &writers[i]), 0);
    }
    assert_int_equal(pthread_create(&snapshots, NULL, snapshots_on, &shared), 0);
    uint64_t blocks = 0;
    /* What is left at the end is looked at as often as it takes. */
    for (unsigned pass = 0; pass < PASSES_MIN || !atomic_load(&shared.stop) || (blocks <= BLOCKS && pass < PASSES_MAX); pass++) {
        selsnap_scrub scrub = SELSNAP_SCRUB_INIT;
        while (scrub.done == 0) {
            assert_ok(selsnap_scrub_step(shared.rig.ss, &scrub, 20000, hear, &shared));
        }
        blocks += scrub.blocks;
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
    }
    assert_int_equal(pthread_join(snapshots, NULL), 0);
    if (atomic_load(&shared.problems) > 0) {
        fail_msg("%u problems, the first: %s", atomic_load(&shared.problems), shared.first);
    }
    assert_int_equal(atomic_load(&shared.failed), 0);
    assert_true(blocks > BLOCKS);
    rig_assert_sound(&shared.rig);
    rig_close(&shared.rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scrub__beside_everything_else__no_false_alarm),
    };
    return cmocka_run_group_tests_name("scrub_threads", tests, NULL, NULL);
}
