/* SPDX-License-Identifier: Apache-2.0 */
/* Views on devices that fail, lose power or run out of memory, and on damaged and lost blocks. */
#include "rig.h"
#include "testdev.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, BLOCKS = 32, WRITER = 7, SEQUENCES = 8, STORE_BYTES = 2 << 20 };

/* A rig on devices that can be made to fail, and what each block of its snapshot may hold, as bits by sequence. */
struct bench {
    struct wire wire;
    struct testdev *origin;
    struct testdev *store;
    struct rig rig;
    uint64_t id;
    uint32_t now[BLOCKS];
    uint32_t after_crash[BLOCKS];
};

static void bench_open(struct bench *bench, bool tracking) {
    memset(bench, 0, sizeof *bench);
    wire_init(&bench->wire, tracking);
    bench->origin = testdev_open(&bench->wire, 'o', BLOCKS * BLOCK, 1, NULL);
    bench->store = testdev_open(&bench->wire, 's', STORE_BYTES, 1, NULL);
    const struct rig_options options = {.journal_bytes = 64 << 10};
    rig_open_on(&bench->rig, bench->origin->device, bench->store->device, &options);
    bench->id = rig_snapshot(&bench->rig, "s", 0, 0);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        bench->now[i] = 1;
        bench->after_crash[i] = 1;
    }
}

static void bench_close(struct bench *bench) {
    rig_close(&bench->rig);
    wire_fini(&bench->wire);
}

static selsnap_view *bench_view(struct bench *bench) {
    return rig_view(&bench->rig, bench->id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
}

/* ---- what is done, and noted ---- */

static int do_write(struct bench *bench, selsnap_view *view, uint64_t first, uint64_t count, uint64_t sequence) {
    uint8_t buf[BLOCKS * BLOCK];
    pattern_fill(buf, count * BLOCK, first * BLOCK, WRITER, sequence);
    int code = selsnap_view_write(view, buf, count * BLOCK, first * BLOCK);
    for (uint64_t i = first; i < first + count; i++) {
        bench->now[i] = (code == SELSNAP_OK ? 0 : bench->now[i]) | 1u << sequence;
        bench->after_crash[i] |= 1u << sequence;
    }
    return code;
}

static int do_flush(struct bench *bench, selsnap_view *view) {
    int code = selsnap_view_flush(view);
    if (code == SELSNAP_OK) {
        memcpy(bench->after_crash, bench->now, sizeof bench->now);
    }
    return code;
}

static int do_reset(struct bench *bench, selsnap_view *view) {
    int code = selsnap_view_reset(view);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        bench->now[i] = (code == SELSNAP_OK ? 0 : bench->now[i]) | 1;
        bench->after_crash[i] = (code == SELSNAP_OK ? 0 : bench->after_crash[i]) | 1;
    }
    return code;
}

static int do_close(struct bench *bench, selsnap_view *view) {
    int code = selsnap_view_close(view);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        bench->now[i] = code == SELSNAP_OK ? bench->now[i] : bench->after_crash[i];
        bench->after_crash[i] = bench->now[i];
    }
    return code;
}

/* Something of everything. Stops at nothing; gives the first failure. */
static int run_script(struct bench *bench) {
    selsnap_view *view = bench_view(bench);
    int codes[12];
    unsigned n = 0;
    codes[n++] = do_write(bench, view, 0, 8, 1);
    codes[n++] = do_flush(bench, view);
    codes[n++] = do_write(bench, view, 4, 8, 2);
    codes[n++] = do_write(bench, view, 6, 2, 3);
    codes[n++] = do_flush(bench, view);
    codes[n++] = do_reset(bench, view);
    codes[n++] = do_write(bench, view, 2, 12, 4);
    codes[n++] = do_flush(bench, view);
    codes[n++] = do_write(bench, view, 9, 2, 5);
    codes[n++] = do_close(bench, view);
    int first = SELSNAP_OK;
    for (unsigned i = 0; i < n; i++) {
        first = first == SELSNAP_OK ? codes[i] : first;
    }
    return first;
}

/* ---- what is found ---- */

/* The sequence that a block reads as; SEQUENCES: none of these. */
static uint64_t sequence_of(const uint8_t *buf, uint64_t block) {
    for (uint64_t sequence = 0; sequence < SEQUENCES; sequence++) {
        if (pattern_is(buf, BLOCK, block * BLOCK, sequence == 0 ? 0 : WRITER, sequence)) {
            return sequence;
        }
    }
    return SEQUENCES;
}

/* Each block is one of those that `allowed` says; then `allowed` is what was found. */
static void assert_found(selsnap_view *view, uint32_t *allowed, const char *when, uint64_t n) {
    uint8_t buf[BLOCK];
    for (uint64_t i = 0; i < BLOCKS; i++) {
        int code = selsnap_view_read(view, buf, BLOCK, i * BLOCK);
        uint64_t found = code == SELSNAP_OK ? sequence_of(buf, i) : SEQUENCES;
        if (found == SEQUENCES || (allowed[i] >> found & 1) == 0) {
            fail_msg("%s, n = %" PRIu64 ": block %" PRIu64 ": %s, sequence %" PRIu64 ", allowed %#x", when, n, i,
                     selsnap_error_name(code), found, allowed[i]);
        }
        allowed[i] = 1u << found;
    }
}

/* The snapshot goes on working: content as allowed, written again, durable, deleted. */
static void assert_works(struct bench *bench, const char *when, uint64_t n) {
    selsnap_view *view = bench_view(bench);
    assert_found(view, bench->now, when, n);
    assert_ok(do_write(bench, view, 5, 10, 6));
    assert_ok(do_flush(bench, view));
    assert_found(view, bench->now, when, n);
    assert_ok(do_close(bench, view));
    rig_settle(&bench->rig);
    rig_assert_sound(&bench->rig);
    rig_reopen(&bench->rig);
    view = bench_view(bench);
    assert_found(view, bench->now, "reopened", n);
    assert_ok(do_reset(bench, view));
    assert_found(view, bench->now, "reset", n);
    assert_ok(do_close(bench, view));
    assert_ok(selsnap_snapshot_delete(bench->rig.ss, bench->id));
    rig_settle(&bench->rig);
    rig_assert_sound(&bench->rig);
}

/* ---- the store fails ---- */

static void fail_each_call(uint32_t ops, bool for_good) {
    bool failed = true;
    for (uint64_t n = 1; failed; n += n < 4 ? 1 : test_share()) {
        struct bench bench;
        bench_open(&bench, false);
        testdev_fail(bench.store, ops, n, for_good);
        int code = run_script(&bench);
        failed = bench.store->failed > 0;
        assert_true(code == SELSNAP_OK || (failed && code == SELSNAP_ESTORE));
        testdev_mend(bench.store);
        assert_works(&bench, for_good ? "mended" : "failed once", n);
        bench_close(&bench);
        assert_true(n < 1000);
    }
}

static void test_view__one_store_write_fails__old_or_new(void **state) {
    (void)state;
    fail_each_call(TESTDEV_WRITE, false);
}

static void test_view__one_store_flush_fails__old_or_new(void **state) {
    (void)state;
    fail_each_call(TESTDEV_FLUSH, false);
}

static void test_view__store_fails_for_a_while__old_or_new(void **state) {
    (void)state;
    fail_each_call(TESTDEV_WRITE | TESTDEV_FLUSH, true);
}

static void test_view_read__store_cannot_be_read__estore(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, false);
    rig_write(&bench.rig, 3, 2, 1);
    bench.store->bad_ops = TESTDEV_READ;
    bench.store->bad_len = STORE_BYTES;
    uint8_t buf[BLOCK];
    assert_int_equal(rig_read_snapshot(&bench.rig, bench.id, 3, buf), SELSNAP_ESTORE);
    assert_ok(rig_read_snapshot(&bench.rig, bench.id, 5, buf));
    testdev_mend(bench.store);
    bench.store->bad_ops = 0;
    rig_assert_snapshot(&bench.rig, bench.id, 0, BLOCKS, 0);
    bench_close(&bench);
}

/* A device that forgets what a failed flush should have kept. */
static void test_view_flush__failed_and_dropped__never_wrong_data(void **state) {
    (void)state;
    bool failed = true;
    for (uint64_t n = 1; failed; n += n < 4 ? 1 : test_share()) {
        struct bench bench;
        bench_open(&bench, true);
        selsnap_view *view = bench_view(&bench);
        bench.store->drops = true;
        testdev_fail(bench.store, TESTDEV_FLUSH, n, false);
        assert_ok(do_write(&bench, view, 0, 8, 1));
        (void)do_flush(&bench, view);
        assert_ok(do_write(&bench, view, 4, 8, 2));
        int code = do_flush(&bench, view);
        failed = bench.store->failed > 0;
        testdev_mend(bench.store);
        for (uint64_t i = 0; i < BLOCKS; i++) {
            uint8_t buf[BLOCK];
            int read = selsnap_view_read(view, buf, BLOCK, i * BLOCK);
            assert_true(read == SELSNAP_EDAMAGED || (read == SELSNAP_OK && bench.now[i] >> sequence_of(buf, i) & 1));
            assert_true(read == SELSNAP_OK || (failed && code != SELSNAP_OK) || bench.now[i] != bench.after_crash[i]);
        }
        assert_ok(selsnap_view_reset(view));
        assert_ok(selsnap_view_close(view));
        rig_settle(&bench.rig);
        rig_assert_snapshot(&bench.rig, bench.id, 0, BLOCKS, 0);
        bench_close(&bench);
        assert_true(n < 100);
    }
}

/* ---- power cuts ---- */

static void test_view__power_cut__each_block_old_or_new(void **state) {
    (void)state;
    struct prng prng = prng_init(1);
    bool cut = true;
    for (uint64_t n = 1; cut; n += n < 4 ? 1 : test_share()) {
        struct bench bench;
        bench_open(&bench, true);
        wire_cut_after(&bench.wire, n);
        (void)run_script(&bench);
        cut = bench.wire.off;
        for (unsigned percent = 0; percent <= 100; percent += 25) {
            struct bench after;
            memset(&after, 0, sizeof after);
            wire_init(&after.wire, false);
            uint8_t *origin = testdev_image(bench.origin, &prng, percent);
            uint8_t *store = testdev_image(bench.store, &prng, percent);
            after.origin = testdev_open(&after.wire, 'o', BLOCKS * BLOCK, 1, origin);
            after.store = testdev_open(&after.wire, 's', STORE_BYTES, 1, store);
            after.rig.origin_base = after.origin->device;
            after.rig.store_base = after.store->device;
            assert_ok(selsnap_device_open_counting(after.rig.origin_base, &after.rig.origin));
            assert_ok(selsnap_device_open_counting(after.rig.store_base, &after.rig.store));
            after.rig.block_bytes = BLOCK;
            after.rig.block_count = BLOCKS;
            after.id = bench.id;
            memcpy(after.now, bench.after_crash, sizeof after.now);
            memcpy(after.after_crash, bench.after_crash, sizeof after.now);
            rig_start(&after.rig);
            assert_works(&after, "power cut", n);
            bench_close(&after);
            free(origin);
            free(store);
        }
        (void)selsnap_close(bench.rig.ss);
        bench.rig.ss = NULL;
        assert_int_equal(bench.rig.heap.live, 0);
        bench_close(&bench);
        assert_true(n < 1000);
    }
}

/* ---- no memory ---- */

static void test_view__allocation_fails__old_or_new(void **state) {
    (void)state;
    bool failed = true;
    for (uint64_t n = 1; failed; n += n < 4 ? 1 : test_share()) {
        struct bench bench;
        bench_open(&bench, false);
        selsnap_view *view = bench_view(&bench);
        heap_fail(&bench.rig.heap, n, false);
        (void)do_write(&bench, view, 0, 8, 1);
        (void)do_flush(&bench, view);
        (void)do_write(&bench, view, 4, 8, 2);
        (void)do_reset(&bench, view);
        (void)do_write(&bench, view, 2, 9, 3);
        (void)do_close(&bench, view);
        failed = bench.rig.heap.failed > 0;
        heap_mend(&bench.rig.heap);
        assert_works(&bench, "no memory", n);
        bench_close(&bench);
        assert_true(n < 1000);
    }
}

/* ---- lost, damaged, unreadable ---- */

static void test_view_read__lost_block__told_which(void **state) {
    (void)state;
    struct bench bench;
    char text[200];
    uint8_t buf[BLOCK];
    bench_open(&bench, false);
    bench.origin->bad_ops = TESTDEV_READ;
    bench.origin->bad_offset = 5 * BLOCK;
    bench.origin->bad_len = BLOCK;
    rig_write(&bench.rig, 5, 1, 1);
    bench.origin->bad_ops = 0;
    assert_int_equal(rig_state(&bench.rig, bench.id, 5), SELSNAP_BLOCKS_LOST);
    assert_int_equal(rig_read_snapshot(&bench.rig, bench.id, 5, buf), SELSNAP_ELOST);
    assert_int_equal(selsnap_last_error(bench.rig.ss, text, sizeof text), SELSNAP_ELOST);
    assert_non_null(strstr(text, "20480"));
    rig_assert_snapshot(&bench.rig, bench.id, 0, 5, 0);
    rig_assert_snapshot(&bench.rig, bench.id, 6, BLOCKS - 6, 0);
    bench_close(&bench);
}

static void test_view_write__lost_block__only_as_a_whole(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, false);
    bench.origin->bad_ops = TESTDEV_READ;
    bench.origin->bad_offset = 5 * BLOCK;
    bench.origin->bad_len = BLOCK;
    rig_write(&bench.rig, 5, 1, 1);
    bench.origin->bad_ops = 0;
    selsnap_view *view = bench_view(&bench);
    assert_int_equal(selsnap_view_write(view, "x", 1, 5 * BLOCK + 7), SELSNAP_ELOST);
    assert_int_equal(selsnap_view_discard(view, 5 * BLOCK + 7, BLOCK), SELSNAP_ELOST);
    assert_ok(do_write(&bench, view, 5, 1, 2));
    assert_found(view, bench.now, "written", 0);
    assert_ok(selsnap_view_write(view, "x", 1, 5 * BLOCK + 7));
    assert_ok(selsnap_view_reset(view));
    uint8_t buf[BLOCK];
    assert_int_equal(selsnap_view_read(view, buf, 1, 5 * BLOCK), SELSNAP_ELOST);
    assert_ok(selsnap_view_close(view));
    bench_close(&bench);
}

/* Flips a bit of each copy in the store that holds the sector. */
static void damage(struct bench *bench, uint64_t block, uint64_t sequence) {
    uint8_t wanted[BLOCK];
    pattern_fill(wanted, BLOCK, block * BLOCK, sequence == 0 ? 0 : WRITER, sequence);
    unsigned found = 0;
    for (uint64_t at = 0; at < STORE_BYTES; at += BLOCK) {
        if (memcmp(bench->store->bytes + at, wanted, BLOCK) == 0) {
            bench->store->bytes[at + 1234] ^= 4;
            found++;
        }
    }
    assert_true(found > 0);
}

static void test_view_read__damaged_copy__only_that_block(void **state) {
    (void)state;
    struct bench bench;
    uint8_t buf[BLOCKS * BLOCK];
    char text[200];
    bench_open(&bench, false);
    rig_write(&bench.rig, 2, 8, 1);
    selsnap_view *view = bench_view(&bench);
    assert_ok(do_write(&bench, view, 12, 4, 2));
    damage(&bench, 4, 0);
    damage(&bench, 13, 2);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(selsnap_view_read(view, buf, BLOCKS * BLOCK, 0), SELSNAP_EDAMAGED);
        assert_int_equal(selsnap_view_read(view, buf, 1, 4 * BLOCK), SELSNAP_EDAMAGED);
        assert_int_equal(selsnap_last_error(bench.rig.ss, text, sizeof text), SELSNAP_EDAMAGED);
        assert_non_null(strstr(text, "16384"));
        assert_int_equal(selsnap_view_read(view, buf, 1, 13 * BLOCK), SELSNAP_EDAMAGED);
        assert_ok(selsnap_view_read(view, buf, 4 * BLOCK, 0));
        assert_ok(selsnap_view_read(view, buf, 8 * BLOCK, 5 * BLOCK));
        assert_ok(selsnap_view_read(view, buf, 3 * BLOCK, 14 * BLOCK));
        assert_int_equal(selsnap_view_write(view, "x", 1, 13 * BLOCK), SELSNAP_EDAMAGED);
        assert_ok(selsnap_view_flush(view));
    }
    assert_ok(do_write(&bench, view, 13, 1, 3));
    assert_ok(selsnap_view_read(view, buf, 20 * BLOCK, 5 * BLOCK));
    assert_ok(selsnap_view_close(view));
    bench_close(&bench);
}

static void test_view_read__origin_fails__eio(void **state) {
    (void)state;
    struct bench bench;
    uint8_t buf[BLOCK];
    bench_open(&bench, false);
    rig_write(&bench.rig, 5, 1, 1);
    bench.origin->bad_ops = TESTDEV_READ;
    bench.origin->bad_offset = 5 * BLOCK;
    bench.origin->bad_len = 2 * BLOCK;
    assert_ok(rig_read_snapshot(&bench.rig, bench.id, 5, buf));
    assert_int_equal(rig_read_snapshot(&bench.rig, bench.id, 6, buf), SELSNAP_EIO);
    assert_ok(rig_read_snapshot(&bench.rig, bench.id, 7, buf));
    bench.origin->bad_ops = 0;
    bench_close(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view__one_store_write_fails__old_or_new),
        cmocka_unit_test(test_view__one_store_flush_fails__old_or_new),
        cmocka_unit_test(test_view__store_fails_for_a_while__old_or_new),
        cmocka_unit_test(test_view_read__store_cannot_be_read__estore),
        cmocka_unit_test(test_view_flush__failed_and_dropped__never_wrong_data),
        cmocka_unit_test(test_view__power_cut__each_block_old_or_new),
        cmocka_unit_test(test_view__allocation_fails__old_or_new),
        cmocka_unit_test(test_view_read__lost_block__told_which),
        cmocka_unit_test(test_view_write__lost_block__only_as_a_whole),
        cmocka_unit_test(test_view_read__damaged_copy__only_that_block),
        cmocka_unit_test(test_view_read__origin_fails__eio),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
