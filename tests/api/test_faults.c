/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A short script with every kind of call, in which the n-th allocation, or the n-th request to a device, fails: for
 * every n, once and for good. Whatever fails: no crash, no leak, the context closes, the store opens again and is
 * sound, and every snapshot that was acknowledged reads exactly as it was taken.
 */
#include "rig.h"
#include "testdev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 24, BYTES = BLOCKS * 4096, STORE_BYTES = 2 << 20, SNAPSHOTS = 3 };

struct taken {
    uint64_t id; /* 0: not acknowledged, or deleted */
    uint8_t in[BLOCKS];
    uint8_t *content;
    bool may_be_deleted;
};

struct bench {
    struct rig rig;
    struct wire wire;
    struct testdev *origin;
    struct testdev *store;
    struct taken taken[SNAPSHOTS];
    unsigned failures; /* calls that failed */
    uint64_t nth;      /* which request fails */
    bool memory_only;  /* only allocations fail: codes are SELSNAP_ENOMEM or SELSNAP_EMEMLIMIT */
};

static void bench_open(struct bench *bench, bool tracking) {
    memset(bench, 0, sizeof *bench);
    wire_init(&bench->wire, tracking);
    bench->origin = testdev_open(&bench->wire, 'o', BYTES, 512, NULL);
    bench->store = testdev_open(&bench->wire, 's', STORE_BYTES, 4096, NULL);
    const struct rig_options options = {.journal_bytes = 65536};
    rig_open_on(&bench->rig, bench->origin->device, bench->store->device, &options);
    for (unsigned i = 0; i < SNAPSHOTS; i++) {
        bench->taken[i].content = calloc(1, BYTES);
        assert_non_null(bench->taken[i].content);
    }
}

/* Notes a result; true: the call succeeded. */
static bool went(struct bench *bench, int code) {
    if (code == SELSNAP_OK) {
        return true;
    }
    bench->failures++;
    bool expected = bench->memory_only ? code == SELSNAP_ENOMEM || code == SELSNAP_EMEMLIMIT
                                       : code == SELSNAP_EIO || code == SELSNAP_ESTORE || code == SELSNAP_ELOST;
    /* What an earlier failure left undone may be missing here. */
    bool follows = bench->failures > 1 && (code == SELSNAP_ENOENT || code == SELSNAP_EBUSY || code == SELSNAP_EEXIST ||
                                           code == SELSNAP_EINVAL);
    if (!expected && !follows) {
        char text[256];
        (void)selsnap_last_error(bench->rig.ss, text, sizeof text);
        fail_msg("with fault %u, a call gave %s: %s", (unsigned)bench->nth, selsnap_error_name(code), text);
    }
    return false;
}

static void write_blocks(struct bench *bench, uint64_t first, uint64_t count, uint64_t sequence) {
    (void)went(bench, rig_try_write(&bench->rig, first, count, sequence));
}

static void take(struct bench *bench, unsigned index, const char *designation, uint64_t first, uint64_t count) {
    struct taken *taken = &bench->taken[index];
    char name[8];
    snprintf(name, sizeof name, "s%u", index);
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_subset *subset = NULL;
    options.name = name;
    options.designation = designation;
    if (designation == NULL) {
        if (!went(bench, selsnap_subset_open_for(bench->rig.ss, &subset)) ||
            !went(bench, selsnap_subset_add(subset, first * 4096, count * 4096))) {
            selsnap_subset_close(subset);
            return;
        }
        options.subset = subset;
    }
    memcpy(taken->content, bench->origin->bytes, BYTES);
    for (uint64_t block = first; block < first + count; block++) {
        taken->in[block] = 1;
    }
    if (!went(bench, selsnap_snapshot_create(bench->rig.ss, &options, &taken->id))) {
        taken->id = 0;
    }
    selsnap_subset_close(subset);
}

static void save(struct bench *bench, uint64_t first, uint64_t count) {
    selsnap_subset *subset = NULL;
    if (went(bench, selsnap_subset_open_for(bench->rig.ss, &subset)) &&
        went(bench, selsnap_subset_add(subset, first * 4096, count * 4096))) {
        (void)went(bench, selsnap_designation_save(bench->rig.ss, "d", subset, NULL));
    }
    selsnap_subset_close(subset);
}

static void use_view(struct bench *bench, unsigned index) {
    uint8_t block[4096];
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    options.id = bench->taken[index].id;
    options.flags = SELSNAP_VIEW_WRITABLE;
    if (options.id == 0 || !went(bench, selsnap_view_open(bench->rig.ss, &options, &view))) {
        return;
    }
    (void)went(bench, selsnap_view_read(view, block, sizeof block, 2 * 4096));
    memset(block, 5, sizeof block);
    (void)went(bench, selsnap_view_write(view, block, sizeof block, 2 * 4096));
    (void)went(bench, selsnap_view_write(view, block, 100, 3 * 4096 + 7));
    (void)went(bench, selsnap_view_discard(view, 4 * 4096, 4096));
    (void)went(bench, selsnap_view_flush(view));
    (void)went(bench, selsnap_view_write(view, block, sizeof block, 5 * 4096));
    (void)went(bench, selsnap_view_reset(view));
    (void)went(bench, selsnap_view_write(view, block, sizeof block, 1 * 4096));
    (void)went(bench, selsnap_view_close(view));
}

static void restore(struct bench *bench, unsigned index) {
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    uint64_t job = 0;
    options.id = bench->taken[index].id;
    options.flags = SELSNAP_RESTORE_SKIP_LOST;
    if (options.id == 0 || !went(bench, selsnap_restore_start(bench->rig.ss, &options, &job))) {
        return;
    }
    write_blocks(bench, 3, 1, 30);
    (void)went(bench, selsnap_step(bench->rig.ss, NULL, NULL));
    int code = selsnap_restore_run(bench->rig.ss, job, NULL, NULL);
    (void)(code == SELSNAP_ENOENT || went(bench, code));
}

static void delete_snapshot(struct bench *bench, unsigned index) {
    if (bench->taken[index].id != 0) {
        if (went(bench, selsnap_snapshot_delete(bench->rig.ss, bench->taken[index].id))) {
            bench->taken[index].id = 0;
        } else {
            bench->taken[index].may_be_deleted = true;
        }
    }
}

static void run_script(struct bench *bench) {
    selsnap *ss = bench->rig.ss;
    uint8_t buf[4096];
    save(bench, 0, 12);
    take(bench, 0, "d", 0, 12);
    write_blocks(bench, 1, 3, 10);
    take(bench, 1, NULL, 2, 20);
    write_blocks(bench, 0, 24, 11);
    (void)went(bench, selsnap_read(ss, buf, sizeof buf, 4096));
    use_view(bench, 0);
    take(bench, 2, "d", 0, 12);
    (void)went(bench, selsnap_write_zeroes(ss, 5 * 4096, 2 * 4096));
    (void)went(bench, selsnap_discard(ss, 14 * 4096, 4 * 4096));
    (void)went(bench, selsnap_flush(ss));
    restore(bench, 0);
    delete_snapshot(bench, 1);
    (void)went(bench, selsnap_step(ss, NULL, NULL));
    (void)went(bench, selsnap_step(ss, NULL, NULL));
    (void)went(bench, selsnap_snapshot_rename(ss, bench->taken[0].id, "renamed"));
    (void)went(bench, selsnap_snapshot_hold(ss, bench->taken[0].id));
    (void)went(bench, selsnap_snapshot_release(ss, bench->taken[0].id));
    (void)went(bench, selsnap_designation_delete(ss, "d"));
    write_blocks(bench, 0, 4, 12);
}

/* Every acknowledged snapshot reads as taken. A block may be lost only if the origin failed to be read. */
static void check_taken(struct bench *bench, bool may_be_lost) {
    for (unsigned i = 0; i < SNAPSHOTS; i++) {
        const struct taken *taken = &bench->taken[i];
        selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
        selsnap_view *view = NULL;
        options.id = taken->id;
        options.flags = SELSNAP_VIEW_PRISTINE;
        if (taken->id == 0) {
            continue;
        }
        int code = selsnap_view_open(bench->rig.ss, &options, &view);
        if (code == SELSNAP_ENOENT && taken->may_be_deleted) {
            continue;
        }
        assert_ok(code);
        for (uint64_t block = 0; block < BLOCKS; block++) {
            uint8_t buf[4096];
            code = taken->in[block] ? selsnap_view_read(view, buf, sizeof buf, block * 4096) : SELSNAP_ELOST;
            if (code == SELSNAP_ELOST && (may_be_lost || !taken->in[block])) {
                continue;
            }
            assert_ok(code);
            assert_memory_equal(buf, taken->content + block * 4096, sizeof buf);
        }
        assert_ok(selsnap_view_close(view));
    }
}

static void bench_close(struct bench *bench) {
    rig_close(&bench->rig);
    wire_fini(&bench->wire);
    for (unsigned i = 0; i < SNAPSHOTS; i++) {
        free(bench->taken[i].content);
    }
}

/* The fault is gone: what stands must be right, now and after the next open, and everything works again. */
static void check_after(struct bench *bench, bool may_be_lost) {
    check_taken(bench, may_be_lost);
    int code = selsnap_close(bench->rig.ss);
    assert_true(code == SELSNAP_OK || code == SELSNAP_ESTORE || code == SELSNAP_EIO);
    assert_int_equal(bench->rig.heap.live, 0);
    rig_start(&bench->rig);
    check_taken(bench, may_be_lost);
    rig_settle(&bench->rig);
    rig_assert_sound(&bench->rig);
    uint64_t id = rig_snapshot(&bench->rig, "after", 0, 0);
    rig_write(&bench->rig, 0, BLOCKS, 99);
    rig_assert_live(&bench->rig, 0, BLOCKS, 99);
    assert_ok(selsnap_snapshot_delete(bench->rig.ss, id));
    check_taken(bench, may_be_lost);
    rig_assert_sound(&bench->rig);
}

static void fail_allocations(bool for_good) {
    bool failed = true;
    for (uint64_t nth = 1; failed; nth += test_share()) {
        struct bench bench;
        bench_open(&bench, false);
        bench.memory_only = true;
        bench.nth = nth;
        heap_fail(&bench.rig.heap, nth, for_good);
        run_script(&bench);
        heap_mend(&bench.rig.heap);
        failed = bench.rig.heap.failed > 0;
        if (!failed) {
            assert_int_equal(bench.failures, 0);
            assert_true(nth > 20);
        }
        check_after(&bench, false);
        bench_close(&bench);
    }
}

static void test_faults__allocation_fails_once__clean(void **state) {
    (void)state;
    fail_allocations(false);
}

static void test_faults__allocations_fail_for_good__clean(void **state) {
    (void)state;
    fail_allocations(true);
}

static void test_faults__allocation_fails_in_open__clean(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, false);
    run_script(&bench);
    rig_stop(&bench.rig);
    int code = SELSNAP_ENOMEM;
    uint64_t nth = 0;
    while (code != SELSNAP_OK) {
        nth++;
        heap_fail(&bench.rig.heap, nth, nth % 2 == 0);
        code = rig_try_start(&bench.rig);
        heap_mend(&bench.rig.heap);
        assert_true(code == SELSNAP_OK || code == SELSNAP_ENOMEM || code == SELSNAP_EMEMLIMIT);
        assert_true(code == SELSNAP_OK || bench.rig.heap.live == 0);
    }
    assert_true(nth > 5);
    check_after(&bench, false);
    bench_close(&bench);
}

/* Each request of these kinds to one device fails in turn. */
static void fail_requests(char tag, uint32_t ops, bool for_good, bool drops) {
    bool failed = true;
    for (uint64_t nth = 1; failed; nth += test_share()) {
        struct bench bench;
        bench_open(&bench, drops);
        struct testdev *dev = tag == 'o' ? bench.origin : bench.store;
        dev->drops = drops;
        bench.nth = nth;
        testdev_fail(dev, ops, nth, for_good);
        run_script(&bench);
        testdev_mend(dev);
        failed = dev->failed > 0;
        if (!failed) {
            assert_int_equal(bench.failures, 0);
            assert_true(nth > 2);
        }
        check_after(&bench, tag == 'o' && (ops & TESTDEV_READ) != 0);
        bench_close(&bench);
    }
}

static void test_faults__origin_read_fails__clean(void **state) {
    (void)state;
    fail_requests('o', TESTDEV_READ, false, false);
    fail_requests('o', TESTDEV_READ, true, false);
}

static void test_faults__origin_write_fails__clean(void **state) {
    (void)state;
    fail_requests('o', TESTDEV_CHANGES, false, false);
    fail_requests('o', TESTDEV_CHANGES, true, false);
}

static void test_faults__origin_flush_fails__clean(void **state) {
    (void)state;
    fail_requests('o', TESTDEV_FLUSH, false, false);
    fail_requests('o', TESTDEV_FLUSH, true, false);
}

static void test_faults__store_read_fails__clean(void **state) {
    (void)state;
    fail_requests('s', TESTDEV_READ, false, false);
    fail_requests('s', TESTDEV_READ, true, false);
}

static void test_faults__store_write_fails__clean(void **state) {
    (void)state;
    fail_requests('s', TESTDEV_CHANGES, false, false);
    fail_requests('s', TESTDEV_CHANGES, true, false);
}

static void test_faults__store_flush_fails__clean(void **state) {
    (void)state;
    fail_requests('s', TESTDEV_FLUSH, false, false);
    fail_requests('s', TESTDEV_FLUSH, true, false);
}

/* After a failed flush the store forgets what was not flushed, as a page cache may. */
static void test_faults__store_flush_fails_and_forgets__nothing_is_lost(void **state) {
    (void)state;
    fail_requests('s', TESTDEV_FLUSH, false, true);
    fail_requests('s', TESTDEV_FLUSH, true, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults__allocation_fails_once__clean),
        cmocka_unit_test(test_faults__allocations_fail_for_good__clean),
        cmocka_unit_test(test_faults__allocation_fails_in_open__clean),
        cmocka_unit_test(test_faults__origin_read_fails__clean),
        cmocka_unit_test(test_faults__origin_write_fails__clean),
        cmocka_unit_test(test_faults__origin_flush_fails__clean),
        cmocka_unit_test(test_faults__store_read_fails__clean),
        cmocka_unit_test(test_faults__store_write_fails__clean),
        cmocka_unit_test(test_faults__store_flush_fails__clean),
        cmocka_unit_test(test_faults__store_flush_fails_and_forgets__nothing_is_lost),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
