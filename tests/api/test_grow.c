/* SPDX-License-Identifier: Apache-2.0 */
/* Stores that grow while they are used. */
#include "files.h"
#include "rig.h"
#include "testdev.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 4096, BLOCKS = 64, JOURNAL = 65536, SMALL = 640 << 10, MOST = 4 << 20, WRITERS = 3 };

struct growing {
    struct wire wire;
    struct testdev *store;
    struct rig rig;
};

static void open_growing(struct growing *g, uint64_t blocks, uint64_t store_bytes, uint64_t deferred) {
    const struct rig_options options = {.journal_bytes = JOURNAL, .deferred = deferred};
    const struct testdev_kind kind = {.most = MOST};
    wire_init(&g->wire, false);
    struct testdev *origin = testdev_open(&g->wire, 'o', blocks * BLOCK, 1, NULL);
    g->store = testdev_open_kind(&g->wire, 's', store_bytes, &kind, NULL);
    rig_open_on(&g->rig, origin->device, g->store->device, &options);
}

static void close_growing(struct growing *g) {
    rig_close(&g->rig);
    wire_fini(&g->wire);
}

static uint64_t store_bytes(struct growing *g) {
    return rig_stats(&g->rig).store_bytes;
}

/* Writes blocks, each for the first time, until one is refused; gives its number. */
static uint64_t write_until_full(struct growing *g, uint64_t block, uint64_t sequence) {
    int code = SELSNAP_OK;
    while (block < g->rig.block_count) {
        code = rig_try_write(&g->rig, block, 1, sequence);
        if (code != SELSNAP_OK) {
            assert_int_equal(code, SELSNAP_ENOSPACE);
            break;
        }
        block++;
    }
    return block;
}

static void assert_error_names(struct rig *rig, const char *text) {
    char error[256];
    assert_int_not_equal(selsnap_last_error(rig->ss, error, sizeof error), SELSNAP_OK);
    if (strstr(error, text) == NULL) {
        fail_msg("\"%s\" does not name %s", error, text);
    }
}

static void test_grow__full__takes_what_it_refused(void **state) {
    (void)state;
    struct growing g;
    open_growing(&g, 400, SMALL, 0);
    uint64_t id = rig_snapshot(&g.rig, "a", 0, 0);
    uint64_t full = write_until_full(&g, 0, 1);
    assert_true(full > 0 && full < 400);
    assert_ok(selsnap_grow_store(g.rig.ss, SMALL + UINT64_C(100) * BLOCK));
    assert_int_equal(store_bytes(&g), SMALL + UINT64_C(100) * BLOCK);
    uint64_t more = write_until_full(&g, full, 1);
    assert_true(more >= full + 90 && more < 400);
    assert_ok(selsnap_grow_store(g.rig.ss, MOST));
    assert_int_equal(write_until_full(&g, more, 1), 400);
    rig_assert_snapshot(&g.rig, id, 0, 400, 0);
    rig_assert_live(&g.rig, 0, 400, 1);
    rig_assert_sound(&g.rig);
    rig_reopen(&g.rig);
    assert_int_equal(store_bytes(&g), MOST);
    rig_assert_snapshot(&g.rig, id, 0, 400, 0);
    rig_assert_sound(&g.rig);
    rig_crash(&g.rig);
    rig_assert_snapshot(&g.rig, id, 0, 400, 0);
    rig_assert_sound(&g.rig);
    close_growing(&g);
}

/* On stores of many sizes, so that each is full in its own way: to the last page that deletions may use. */
static void test_grow__full_in_every_way__grows(void **state) {
    (void)state;
    for (uint64_t pages = 0; pages < 40; pages++) {
        struct growing g;
        open_growing(&g, 96, SMALL - UINT64_C(30) * BLOCK + pages * BLOCK, 0);
        uint64_t ids[3] = {0};
        const char *names[3] = {"a", "b", "c"};
        for (unsigned i = 0; i < 3; i++) {
            if (rig_try_snapshot(&g.rig, names[i], 0, 0, SELSNAP_POLICY_GIVE_UP_BLOCK, &ids[i]) == SELSNAP_OK) {
                for (uint64_t block = 0; block < 96; block++) {
                    (void)!rig_try_write(&g.rig, block, 1, i + 1);
                }
            }
        }
        assert_ok(selsnap_snapshot_delete(g.rig.ss, ids[0]));
        uint64_t before = store_bytes(&g);
        uint64_t free_before = rig_stats(&g.rig).store_free_bytes;
        assert_ok(selsnap_grow_store(g.rig.ss, before + BLOCK));
        assert_int_equal(store_bytes(&g), before + BLOCK);
        assert_ok(selsnap_grow_store(g.rig.ss, before + UINT64_C(33) * BLOCK));
        assert_true(rig_stats(&g.rig).store_free_bytes > free_before);
        rig_assert_sound(&g.rig);
        close_growing(&g);
    }
}

/* A quota is in bytes: it bounds the longer store as it did the shorter, and one above the old size begins to count. */
static void test_grow__with_a_quota__the_quota_stays(void **state) {
    (void)state;
    struct growing g;
    open_growing(&g, 256, SMALL, 0);
    (void)rig_snapshot(&g.rig, "s", 0, 0);
    assert_ok(selsnap_set_quota(g.rig.ss, SMALL - 100 * 1024));
    uint64_t before = write_until_full(&g, 0, 1);
    assert_ok(selsnap_grow_store(g.rig.ss, MOST));
    assert_int_equal(rig_stats(&g.rig).store_quota_bytes, SMALL - 100 * 1024);
    uint64_t after = write_until_full(&g, before, 1);
    assert_in_range(after, before, before + 16); /* what waited for a checkpoint */
    assert_ok(selsnap_set_quota(g.rig.ss, 0));
    assert_int_equal(write_until_full(&g, after, 1), 256);
    rig_assert_sound(&g.rig);
    close_growing(&g);

    open_growing(&g, 256, SMALL, 0);
    (void)rig_snapshot(&g.rig, "s", 0, 0);
    assert_ok(selsnap_set_quota(g.rig.ss, SMALL + 100 * 1024));
    assert_int_equal(rig_stats(&g.rig).store_quota_bytes, 0);
    assert_ok(selsnap_grow_store(g.rig.ss, MOST));
    assert_int_equal(rig_stats(&g.rig).store_quota_bytes, SMALL + 100 * 1024);
    assert_in_range(write_until_full(&g, 0, 1), 1, 255);
    close_growing(&g);
}

static void test_grow__size_of_the_device__is_asked_for(void **state) {
    (void)state;
    struct growing g;
    open_growing(&g, BLOCKS, SMALL, 0);
    assert_ok(selsnap_grow_store(g.rig.ss, 0));
    assert_int_equal(store_bytes(&g), SMALL);
    g.store->size = SMALL + UINT64_C(17) * BLOCK + 100; /* somebody else has made it longer */
    assert_ok(selsnap_grow_store(g.rig.ss, 0));
    assert_int_equal(store_bytes(&g), SMALL + UINT64_C(17) * BLOCK);
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    assert_ok(selsnap_device_get_info(g.rig.store, &info));
    assert_int_equal(info.size_bytes, SMALL + UINT64_C(17) * BLOCK + 100);
    rig_assert_sound(&g.rig);
    close_growing(&g);
}

static void test_grow__part_of_a_page__is_left_out(void **state) {
    (void)state;
    struct growing g;
    open_growing(&g, BLOCKS, SMALL, 0);
    rig_reset_counts(&g.rig);
    assert_ok(selsnap_grow_store(g.rig.ss, SMALL + 4095));
    assert_int_equal(store_bytes(&g), SMALL);
    assert_int_equal(rig_store_counts(&g.rig).writes, 0);
    assert_ok(selsnap_grow_store(g.rig.ss, SMALL + UINT64_C(2) * BLOCK + 4095));
    assert_int_equal(store_bytes(&g), SMALL + UINT64_C(2) * BLOCK);
    close_growing(&g);
}

static void test_grow__not_possible__changes_nothing(void **state) {
    (void)state;
    struct growing g;
    open_growing(&g, BLOCKS, SMALL, 0);
    uint64_t id = rig_snapshot(&g.rig, "a", 0, 0);
    rig_write(&g.rig, 0, 8, 1);
    assert_int_equal(selsnap_grow_store(NULL, MOST), SELSNAP_EINVAL);
    assert_int_equal(selsnap_grow_store(g.rig.ss, SMALL - 1), SELSNAP_EINVAL);
    assert_error_names(&g.rig, "655360");
    assert_int_equal(selsnap_grow_store(g.rig.ss, 1), SELSNAP_EINVAL);
    assert_int_equal(selsnap_grow_store(g.rig.ss, MOST + BLOCK), SELSNAP_ETOOSMALL);
    assert_error_names(&g.rig, "655360");
    assert_error_names(&g.rig, "4198400");
    assert_int_equal(selsnap_grow_store(g.rig.ss, UINT64_MAX), SELSNAP_ETOOSMALL);
    assert_int_equal(store_bytes(&g), SMALL);
    rig_stop(&g.rig);
    g.rig.options.open_flags = SELSNAP_OPEN_READ_ONLY;
    rig_start(&g.rig);
    assert_int_equal(selsnap_grow_store(g.rig.ss, MOST), SELSNAP_EREADONLY);
    rig_stop(&g.rig);
    g.rig.options.open_flags = 0;
    rig_start(&g.rig);
    assert_int_equal(store_bytes(&g), SMALL);
    rig_assert_snapshot(&g.rig, id, 0, BLOCKS, 0);
    assert_ok(selsnap_abandon(g.rig.ss));
    assert_int_equal(selsnap_grow_store(g.rig.ss, MOST), SELSNAP_EABANDONED);
    close_growing(&g);
}

/* A device in memory keeps its size; the store may be shorter than its device, and grow up to there. */
static void test_grow__device_of_one_size__grows_up_to_it(void **state) {
    (void)state;
    selsnap_device *origin = NULL;
    selsnap_device *store = NULL;
    selsnap_device *part = NULL;
    selsnap *ss = NULL;
    assert_ok(selsnap_device_open_memory((uint64_t)BLOCKS * BLOCK, 0, &origin));
    assert_ok(selsnap_device_open_memory(MOST, 0, &store));
    assert_ok(selsnap_device_open_slice(store, 0, SMALL, &part));
    assert_ok(selsnap_format(part, origin, NULL));
    assert_ok(selsnap_open(part, origin, NULL, &ss));
    assert_ok(selsnap_grow_store(ss, 0));
    assert_int_equal(selsnap_grow_store(ss, MOST), SELSNAP_ETOOSMALL);
    assert_ok(selsnap_close(ss));
    assert_ok(selsnap_open(store, origin, NULL, &ss));
    selsnap_stats stats = SELSNAP_STATS_INIT;
    assert_ok(selsnap_get_stats(ss, &stats));
    assert_int_equal(stats.store_bytes, SMALL);
    assert_ok(selsnap_grow_store(ss, 0));
    assert_ok(selsnap_get_stats(ss, &stats));
    assert_int_equal(stats.store_bytes, MOST);
    assert_int_equal(selsnap_grow_store(ss, MOST + BLOCK), SELSNAP_ETOOSMALL);
    assert_ok(selsnap_close(ss));
    selsnap_device_close(part);
    selsnap_device_close(store);
    selsnap_device_close(origin);
}

static void test_grow__file__becomes_longer(void **state) {
    (void)state;
    char path[FILES_PATH];
    assert_int_equal(files_make(path), 0);
    selsnap_device *origin = NULL;
    selsnap_device *store = NULL;
    assert_ok(selsnap_device_open_memory((uint64_t)BLOCKS * BLOCK, 0, &origin));
    assert_ok(selsnap_device_open_file(path, SELSNAP_FILE_CREATE, SMALL, &store, NULL));
    const struct rig_options options = {.journal_bytes = JOURNAL};
    struct rig rig;
    rig_open_on(&rig, origin, store, &options);
    uint64_t id = rig_snapshot(&rig, "a", 0, 0);
    assert_ok(selsnap_grow_store(rig.ss, MOST));
    selsnap_device *again = NULL;
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    assert_ok(selsnap_device_open_file(path, SELSNAP_FILE_READ_ONLY, 0, &again, NULL));
    assert_ok(selsnap_device_get_info(again, &info));
    assert_int_equal(info.size_bytes, MOST);
    selsnap_device_close(again);
    rig_write(&rig, 0, BLOCKS, 1);
    assert_int_equal(files_set_size(path, MOST + UINT64_C(5) * BLOCK), 0);
    assert_ok(selsnap_grow_store(rig.ss, 0));
    assert_int_equal(rig_stats(&rig).store_bytes, MOST + UINT64_C(5) * BLOCK);
    rig_assert_snapshot(&rig, id, 0, BLOCKS, 0);
    rig_assert_sound(&rig);
    rig_reopen(&rig);
    rig_assert_sound(&rig);
    rig_close(&rig);
    assert_int_equal(files_remove(path), 0);
}

/* [F-18] Nothing but the trial of its last page is written to what is new, before the superblock is durable. */
static void test_grow__what_is_new__is_used_after_the_superblock(void **state) {
    (void)state;
    struct growing g;
    open_growing(&g, BLOCKS, SMALL, 0);
    (void)rig_snapshot(&g.rig, "a", 0, 0);
    rig_write(&g.rig, 0, 40, 1);
    g.wire.logging = true;
    assert_ok(selsnap_grow_store(g.rig.ss, MOST));
    unsigned supers = 0;
    for (size_t i = 0; i < g.wire.call_count; i++) {
        const struct testdev_call *call = &g.wire.calls[i];
        if (call->op == TESTDEV_WRITE && call->offset >= SMALL) {
            assert_int_equal(call->offset, MOST - BLOCK);
            assert_int_equal(supers, 0);
        }
        bool super = call->op == TESTDEV_WRITE && (call->offset == 0 || call->offset == UINT64_C(16) * BLOCK);
        if (super) {
            supers++;
            assert_int_equal(g.wire.calls[i - 1].op, TESTDEV_FLUSH);
            assert_int_equal(g.wire.calls[i + 1].op, TESTDEV_FLUSH);
            assert_int_equal(i + 2, g.wire.call_count);
        }
    }
    assert_int_equal(supers, 1);
    close_growing(&g);
}

static void test_grow__device_has_less_than_it_says__is_found_out(void **state) {
    (void)state;
    struct growing g;
    open_growing(&g, BLOCKS, SMALL, 0);
    uint64_t id = rig_snapshot(&g.rig, "a", 0, 0);
    rig_write(&g.rig, 0, 8, 1);
    g.store->end = SMALL + UINT64_C(20) * BLOCK;
    assert_int_equal(selsnap_grow_store(g.rig.ss, SMALL + UINT64_C(21) * BLOCK), SELSNAP_ESTORE);
    assert_error_names(&g.rig, "does not stay");
    assert_int_equal(store_bytes(&g), SMALL);
    assert_ok(selsnap_grow_store(g.rig.ss, SMALL + UINT64_C(20) * BLOCK));
    assert_int_equal(store_bytes(&g), SMALL + UINT64_C(20) * BLOCK);
    rig_write(&g.rig, 8, 50, 1);
    rig_assert_snapshot(&g.rig, id, 0, BLOCKS, 0);
    rig_assert_sound(&g.rig);
    close_growing(&g);
}

/* Each change and flush of a growth fails, in turn; then it grows, and nothing is lost. */
static void test_grow__store_fails_within__old_size_or_new(void **state) {
    (void)state;
    bool failed = true;
    unsigned kept = 0;
    for (uint64_t nth = 1; failed; nth++) {
        struct growing g;
        open_growing(&g, BLOCKS, SMALL, 0);
        uint64_t id = rig_snapshot(&g.rig, "a", 0, 0);
        rig_write(&g.rig, 0, 24, 1);
        testdev_fail(g.store, TESTDEV_ALL, nth, false);
        int code = selsnap_grow_store(g.rig.ss, MOST);
        failed = g.store->failed > 0;
        testdev_mend(g.store);
        assert_int_equal(code, failed ? SELSNAP_ESTORE : SELSNAP_OK);
        assert_int_equal(store_bytes(&g), failed ? SMALL : MOST);
        rig_write(&g.rig, 24, 8, 1);
        rig_assert_sound(&g.rig); /* its checkpoint ends what the growth began, if that was the superblock's */
        assert_true(store_bytes(&g) == SMALL || store_bytes(&g) == MOST);
        kept += failed && store_bytes(&g) == MOST;
        assert_ok(selsnap_grow_store(g.rig.ss, MOST));
        assert_int_equal(store_bytes(&g), MOST);
        rig_write(&g.rig, 32, 32, 1);
        rig_assert_snapshot(&g.rig, id, 0, BLOCKS, 0);
        rig_assert_sound(&g.rig);
        rig_reopen(&g.rig);
        rig_assert_snapshot(&g.rig, id, 0, BLOCKS, 0);
        close_growing(&g);
        assert_true(nth < 100);
    }
    assert_int_equal(kept, 2); /* its superblock was written, or the flush of it failed */
}

static void test_grow__deferred_writes_wait__they_find_room(void **state) {
    (void)state;
    struct growing g;
    open_growing(&g, 400, SMALL, UINT64_C(64) * BLOCK);
    uint64_t id = rig_snapshot(&g.rig, "a", 0, 0);
    uint64_t full = write_until_full(&g, 0, 1);
    assert_true(full < 400);
    assert_ok(selsnap_grow_store(g.rig.ss, MOST));
    assert_int_equal(write_until_full(&g, full, 1), 400);
    assert_ok(selsnap_flush(g.rig.ss));
    rig_assert_snapshot(&g.rig, id, 0, 400, 0);
    rig_assert_sound(&g.rig);
    close_growing(&g);
}

/* ---- threads ---- */

enum { ROUNDS = 6 };

struct writer {
    pthread_t thread;
    struct growing *g;
    uint64_t first;
    uint64_t ids[ROUNDS];
    int code; /* the first that no growing mends */
};

/* Each block of its own part again and again, for a new snapshot each round; waits where there is no room. */
static void *run_writer(void *user) {
    struct writer *writer = user;
    struct rig *rig = &writer->g->rig;
    char name[32];
    for (uint64_t round = 0; round < ROUNDS && writer->code == SELSNAP_OK; round++) {
        snprintf(name, sizeof name, "w%u-%u", (unsigned)writer->first, (unsigned)round);
        do {
            writer->code =
                rig_try_snapshot(rig, name, writer->first, 32, SELSNAP_POLICY_FAIL_WRITE, &writer->ids[round]);
        } while (writer->code == SELSNAP_ENOSPACE);
        for (uint64_t block = 0; block < 32 && writer->code == SELSNAP_OK; block++) {
            do {
                writer->code = rig_try_write(rig, writer->first + block, 1, round + 1);
            } while (writer->code == SELSNAP_ENOSPACE);
        }
    }
    return NULL;
}

/* The writers need more than the store has at first, and wait for its growing. */
static void test_grow__others_write_meanwhile__all_is_right(void **state) {
    (void)state;
    struct growing g;
    open_growing(&g, (uint64_t)WRITERS * 32, SMALL, 0);
    struct writer writers[WRITERS];
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.g = &g, .first = i * UINT64_C(32)};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, run_writer, &writers[i]), 0);
    }
    for (uint64_t bytes = SMALL; bytes <= MOST; bytes += UINT64_C(13) * BLOCK) {
        assert_ok(selsnap_grow_store(g.rig.ss, bytes));
        usleep(500);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
        assert_ok(writers[i].code);
    }
    rig_assert_sound(&g.rig);
    rig_reopen(&g.rig);
    rig_assert_live(&g.rig, 0, (uint64_t)WRITERS * 32, ROUNDS);
    for (unsigned i = 0; i < WRITERS; i++) {
        for (uint64_t round = 0; round < ROUNDS; round++) {
            rig_assert_snapshot(&g.rig, writers[i].ids[round], writers[i].first, 32, round);
        }
    }
    rig_assert_sound(&g.rig);
    close_growing(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grow__full__takes_what_it_refused),
        cmocka_unit_test(test_grow__full_in_every_way__grows),
        cmocka_unit_test(test_grow__with_a_quota__the_quota_stays),
        cmocka_unit_test(test_grow__size_of_the_device__is_asked_for),
        cmocka_unit_test(test_grow__part_of_a_page__is_left_out),
        cmocka_unit_test(test_grow__not_possible__changes_nothing),
        cmocka_unit_test(test_grow__device_of_one_size__grows_up_to_it),
        cmocka_unit_test(test_grow__file__becomes_longer),
        cmocka_unit_test(test_grow__what_is_new__is_used_after_the_superblock),
        cmocka_unit_test(test_grow__device_has_less_than_it_says__is_found_out),
        cmocka_unit_test(test_grow__store_fails_within__old_size_or_new),
        cmocka_unit_test(test_grow__deferred_writes_wait__they_find_room),
        cmocka_unit_test(test_grow__others_write_meanwhile__all_is_right),
    };
    return cmocka_run_group_tests_name("grow", tests, NULL, NULL);
}
