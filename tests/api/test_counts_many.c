/* SPDX-License-Identifier: Apache-2.0 */
/* What the library asks of its devices over many requests, and with many at once: metadata for each byte preserved,
 * flushes for each write. */
#include "rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MIB = 1 << 20, WRITERS = 32 };

/* ---- a store whose flush takes a while: what makes writers meet ---------------------------------------------------
 */

struct slow {
    selsnap_device *base;
};

static int slow_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    const struct slow *slow = user;
    int rc = 0;
    for (uint32_t i = 0; i < iov_count && rc == 0; i++) {
        rc = selsnap_device_read(slow->base, iov[i].base, iov[i].len, offset);
        offset += iov[i].len;
    }
    return rc;
}

static int slow_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    const struct slow *slow = user;
    int rc = 0;
    for (uint32_t i = 0; i < iov_count && rc == 0; i++) {
        rc = selsnap_device_write(slow->base, iov[i].base, iov[i].len, offset);
        offset += iov[i].len;
    }
    return rc;
}

static int slow_flush(void *user) {
    (void)user;
    const struct timespec time = {0, 2000000};
    nanosleep(&time, NULL);
    return 0;
}

static void slow_close(void *user) {
    struct slow *slow = user;
    selsnap_device_close(slow->base);
    free(slow);
}

static selsnap_device *slow_open(uint64_t bytes) {
    const selsnap_device_ops ops = {.struct_size = sizeof ops,
                                    .readv = slow_readv,
                                    .writev = slow_writev,
                                    .flush = slow_flush,
                                    .close = slow_close};
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    selsnap_device *device = NULL;
    struct slow *slow = calloc(1, sizeof *slow);
    assert_non_null(slow);
    assert_ok(selsnap_device_open_memory(bytes, 0, &slow->base));
    info.size_bytes = bytes;
    assert_ok(selsnap_device_open(&ops, &info, slow, &device));
    return device;
}

/* ---- writers ------------------------------------------------------------------------------------------------------
 */

struct crowd {
    struct rig *rig;
    uint64_t blocks; /* a power of two */
    uint64_t end;    /* writes in all */
    _Atomic uint64_t next;
};

/* Each block once, scattered. */
static void *overwrite(void *user) {
    struct crowd *crowd = user;
    for (uint64_t n = atomic_fetch_add(&crowd->next, 1); n < crowd->end; n = atomic_fetch_add(&crowd->next, 1)) {
        rig_write(crowd->rig, n * UINT64_C(0x9e3779b97f4a7c15) & (crowd->blocks - 1), 1, 1);
    }
    return NULL;
}

static void overwrite_by(struct crowd *crowd, unsigned writers) {
    pthread_t threads[WRITERS];
    for (unsigned i = 0; i < writers; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, overwrite, crowd), 0);
    }
    for (unsigned i = 0; i < writers; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

/* Flushes of the store that so many first writes cost. */
static uint64_t flushes_of(unsigned writers, uint64_t writes) {
    struct rig rig;
    const struct rig_options options = {.origin_bytes = 1024 * 4096, .journal_bytes = 2 * MIB};
    selsnap_device *origin = NULL;
    assert_ok(selsnap_device_open_memory(options.origin_bytes, 0, &origin));
    rig_open_on(&rig, origin, slow_open(32 * MIB), &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_reset_counts(&rig);
    struct crowd crowd = {&rig, 1024, writes, 0};
    overwrite_by(&crowd, writers);
    uint64_t flushes = rig_store_counts(&rig).flushes;
    assert_int_equal(rig_stats(&rig).blocks_preserved, writes);
    rig_assert_snapshot(&rig, id, 0, 1024, 0);
    rig_close(&rig);
    return flushes;
}

/* While one half waits for a flush, the other half comes to wait for the next. */
static void test_first_writes__32_in_flight__share_flushes(void **state) {
    (void)state;
    uint64_t flushes = flushes_of(WRITERS, 1024);
    print_message("# flushes of 1024 writes: %u\n", (unsigned)flushes);
    assert_true(flushes <= 1024 / 8);
}

static void test_first_writes__one_at_a_time__share_nothing(void **state) {
    (void)state;
    assert_int_equal(flushes_of(1, 32), 32); /* so the test above can fail */
}

/* ---- metadata -----------------------------------------------------------------------------------------------------
 */

/* Bytes written to the store beside the copies, since the last reset, the folding of the journal included. */
static uint64_t metadata_bytes(struct rig *rig, uint64_t blocks) {
    rig_settle(rig);
    assert_int_equal(rig_stats(rig).journal_used_bytes, 0);
    assert_int_equal(rig_stats(rig).blocks_preserved, blocks);
    uint64_t all = rig_store_counts(rig).write_bytes;
    assert_true(all >= blocks * 4096);
    return all - blocks * 4096;
}

static uint64_t metadata_of_overwrite(uint64_t blocks_each) {
    const uint64_t blocks = 64 * MIB / 4096;
    struct rig rig;
    const struct rig_options options = {.origin_bytes = 64 * MIB, .store_bytes = 96 * MIB};
    rig_open(&rig, &options);
    (void)rig_snapshot(&rig, "s", 0, 0);
    rig_reset_counts(&rig);
    for (uint64_t block = 0; block < blocks; block += blocks_each) {
        rig_write(&rig, block, blocks_each, 1);
    }
    uint64_t bytes = metadata_bytes(&rig, blocks);
    rig_close(&rig);
    return bytes;
}

static void test_overwrite__1_mib_in_order__metadata_at_most_1_percent(void **state) {
    (void)state;
    assert_true(metadata_of_overwrite(256) <= 64 * MIB / 100);
}

static void test_overwrite__4_kib_one_at_a_time__metadata_above_1_percent(void **state) {
    (void)state;
    assert_true(metadata_of_overwrite(1) > 64 * MIB / 100); /* so the test above can fail */
}

/* ---- restore and views --------------------------------------------------------------------------------------------
 */

static void test_restore__scattered_changes__moves_these_alone(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.origin_bytes = 64 * MIB, .store_bytes = 96 * MIB};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    const uint64_t changed = 500;
    for (uint64_t n = 0; n < changed; n++) {
        rig_write(&rig, n * 31, 1, 1);
    }
    rig_settle(&rig);
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    restore.id = id;
    uint64_t job = 0;
    assert_ok(selsnap_restore_start(rig.ss, &restore, &job));
    uint64_t pages_before = rig_stats(&rig).pages_read;
    rig_reset_counts(&rig);
    assert_ok(selsnap_restore_run(rig.ss, job, NULL, NULL));
    uint64_t pages = rig_stats(&rig).pages_read - pages_before;
    assert_int_equal(rig_origin_counts(&rig).write_bytes, changed * 4096);
    assert_int_equal(rig_origin_counts(&rig).read_bytes, 0);
    assert_int_equal(rig_store_counts(&rig).read_bytes, (changed + pages) * 4096);
    rig_assert_origin(&rig, 0, rig.block_count, 0);
    rig_close(&rig);
}

static void test_view_read__1000_snapshots__one_read_and_no_page(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.store_bytes = 32 * MIB, .journal_bytes = 8 * MIB};
    rig_open(&rig, &options);
    rig_save(&rig, "d", 0, 0);
    uint64_t first = rig_snapshot_of(&rig, "first", "d");
    rig_write(&rig, 0, 64, 1);
    for (unsigned i = 0; i < 999; i++) {
        char name[] = {'s', (char)('0' + i / 100), (char)('0' + i / 10 % 10), (char)('0' + i % 10), 0};
        (void)rig_snapshot_of(&rig, name, "d");
        if (i % 50 == 0) {
            rig_write(&rig, i / 50, 1, 2 + i);
        }
    }
    selsnap_view *view = rig_view(&rig, first, 0, 0);
    uint8_t block[4096];
    for (uint64_t turn = 0; turn < 2; turn++) { /* what is looked up once is in memory */
        uint64_t pages = rig_stats(&rig).pages_read;
        rig_reset_counts(&rig);
        for (uint64_t n = 0; n < 64; n++) {
            assert_ok(selsnap_view_read(view, block, sizeof block, n * 4096));
        }
        if (turn == 1) {
            assert_int_equal(rig_stats(&rig).pages_read, pages);
            assert_int_equal(rig_store_counts(&rig).reads, 64);
            assert_int_equal(rig_store_counts(&rig).read_bytes, 64 * 4096);
            assert_int_equal(rig_origin_counts(&rig).reads, 0);
        }
    }
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

static void test_open__1000_snapshots__at_most_64_pages(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.origin_bytes = 64 * MIB, .store_bytes = 128 * MIB, .journal_bytes = 8 * MIB};
    rig_open(&rig, &options);
    rig_save(&rig, "d", 0, 0);
    for (unsigned i = 0; i < 1000; i++) {
        char name[] = {'s', (char)('0' + i / 100), (char)('0' + i / 10 % 10), (char)('0' + i % 10), 0};
        (void)rig_snapshot_of(&rig, name, "d");
        rig_write(&rig, i * 16, 1, 1 + i);
    }
    rig_reopen(&rig);
    assert_int_equal(rig_stats(&rig).snapshots, 1000);
    assert_true(rig_stats(&rig).pages_read > 0 && rig_stats(&rig).pages_read <= 64);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_writes__32_in_flight__share_flushes),
        cmocka_unit_test(test_first_writes__one_at_a_time__share_nothing),
        cmocka_unit_test(test_overwrite__1_mib_in_order__metadata_at_most_1_percent),
        cmocka_unit_test(test_overwrite__4_kib_one_at_a_time__metadata_above_1_percent),
        cmocka_unit_test(test_restore__scattered_changes__moves_these_alone),
        cmocka_unit_test(test_view_read__1000_snapshots__one_read_and_no_page),
        cmocka_unit_test(test_open__1000_snapshots__at_most_64_pages),
    };
    return cmocka_run_group_tests_name("counts_many", tests, NULL, NULL);
}
