/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A repair met by failing devices, lack of memory, a power cut or a callback that stops it: either it ends as it
 * should, or the new device holds no store.
 */
#include "repair_rig.h"
#include "testdev.h"

#include <stdlib.h>
#include <string.h>

/* Devices that can fail: the damaged store and the new one, on one wire. */
struct bench {
    struct box box;
    struct wire wire;
    struct testdev *damaged;
    struct testdev *fresh;
    struct box_repair repair;
};

static void bench_open(struct bench *bench, enum box_state state, bool tracking) {
    memset(bench, 0, sizeof *bench);
    box_make(&bench->box, state);
    wire_init(&bench->wire, tracking);
    bench->damaged = testdev_open(&bench->wire, 'd', BOX_STORE_BYTES, 1, bench->box.image);
    bench->fresh = testdev_open(&bench->wire, 'f', BOX_FRESH_BYTES, 1, NULL);
}

static void bench_close(struct bench *bench) {
    selsnap_device_close(bench->damaged->device);
    selsnap_device_close(bench->fresh->device);
    wire_fini(&bench->wire);
    box_free(&bench->box);
}

static void bench_repair(struct bench *bench) {
    box_repair(&bench->box, bench->damaged->device, bench->fresh->device, &bench->repair);
}

/* The new device is as before any repair. */
static void blank_fresh(struct bench *bench) {
    selsnap_device_close(bench->fresh->device);
    bench->fresh = testdev_open(&bench->wire, 'f', BOX_FRESH_BYTES, 1, NULL);
}

static void assert_no_store(struct bench *bench) {
    assert_int_equal(box_open_code(&bench->box, bench->fresh->device), SELSNAP_ENOTSTORE);
}

/* ---- the damaged device ---- */

static void test_repair__pages_cannot_be_read__as_if_damaged(void **state) {
    (void)state;
    struct bench bench;
    unsigned lost = 0;
    unsigned refused = 0;
    bench_open(&bench, BOX_CRASHED, false);
    for (uint64_t page = 0; page < BOX_STORE_BYTES / 4096; page++) {
        bool data = page >= BOX_AREA / 4096 && memcmp(bench.box.image + page * 4096 + 8, "SSNT", 4) != 0;
        if (pattern_all_zero(bench.box.image + page * 4096, 4096) || (data && page % 8 != 0)) {
            continue;
        }
        bench.damaged->bad_ops = TESTDEV_READ;
        bench.damaged->bad_offset = page * 4096;
        bench.damaged->bad_len = 4096;
        bench_repair(&bench);
        if (bench.repair.code == SELSNAP_OK) {
            box_compare(&bench.box, bench.fresh->device, &bench.repair);
            lost += box_lost_total(&bench.repair) > 0;
            assert_true(!data || bench.repair.result.blocks_lost <= 1);
        } else {
            assert_int_equal(bench.repair.code, SELSNAP_EDAMAGED);
            assert_no_store(&bench);
            refused++;
        }
        blank_fresh(&bench);
    }
    assert_true(lost > 20);
    assert_true(refused > 0);
    bench_close(&bench);
}

/* One read that fails by chance costs a block at most; a device that dies is an error, or all lost. */
static void test_repair__nth_read_fails__right_or_lost_or_refused(void **state) {
    (void)state;
    struct bench bench;
    unsigned whole = 0;
    bench_open(&bench, BOX_CRASHED, false);
    bench_repair(&bench);
    uint64_t reads = testdev_count(bench.damaged, TESTDEV_READ);
    blank_fresh(&bench);
    for (uint64_t n = 1; n <= reads; n += n < 30 ? 1 : 5) {
        for (int for_good = 0; for_good < 2; for_good++) {
            testdev_fail(bench.damaged, TESTDEV_READ, n, for_good != 0);
            bench_repair(&bench);
            testdev_mend(bench.damaged);
            if (bench.repair.code == SELSNAP_OK) {
                box_compare(&bench.box, bench.fresh->device, &bench.repair);
                whole += bench.repair.missing == 0 && box_lost_total(&bench.repair) == 0;
            } else {
                assert_true(bench.repair.code == SELSNAP_EDAMAGED || bench.repair.code == SELSNAP_ESTORE);
                assert_no_store(&bench);
            }
            blank_fresh(&bench);
        }
    }
    assert_true(whole > 20);
    bench_close(&bench);
}

/* ---- the new device ---- */

static void test_repair__new_device_fails__clean_error_and_no_store(void **state) {
    (void)state;
    const uint32_t kinds[] = {TESTDEV_WRITE, TESTDEV_FLUSH, TESTDEV_READ};
    struct bench bench;
    bench_open(&bench, BOX_RESTORING, false);
    for (unsigned kind = 0; kind < 3; kind++) {
        unsigned failed = 0;
        bool ended = false;
        for (uint64_t n = 1; !ended; n += n < 40 ? 1 : 9) {
            testdev_fail(bench.fresh, kinds[kind], n, true);
            bench_repair(&bench);
            ended = bench.fresh->failed == 0;
            testdev_mend(bench.fresh);
            if (bench.repair.code == SELSNAP_OK) {
                box_compare(&bench.box, bench.fresh->device, &bench.repair);
                assert_int_equal(box_lost_total(&bench.repair) + bench.repair.missing, 0);
            } else {
                assert_int_equal(bench.repair.code, SELSNAP_ESTORE);
                assert_true(bench.repair.message[0] != '\0');
                int code = box_open_code(&bench.box, bench.fresh->device);
                /* The very last flush: the store is whole, and only not known to be durable. */
                assert_true(code == SELSNAP_ENOTSTORE || (code == SELSNAP_OK && kinds[kind] != TESTDEV_READ));
                failed++;
            }
            assert_true(ended || failed > 0 || kinds[kind] == TESTDEV_READ);
            blank_fresh(&bench);
        }
        assert_true(failed > 1);
    }
    bench_close(&bench);
}

/* ---- memory ---- */

static void test_repair__no_memory__clean_error_at_each_allocation(void **state) {
    (void)state;
    struct bench bench;
    bool ended = false;
    unsigned failed = 0;
    bench_open(&bench, BOX_RESTORING, false);
    bench.box.image[BOX_AREA + 5 * 4096] ^= 1; /* something to tell */
    for (uint64_t n = 1; !ended; n += n < 150 ? 1 : 23) {
        for (int for_good = 0; for_good < 2; for_good++) {
            heap_fail(&bench.repair.heap, n, for_good != 0);
            uint64_t before = bench.repair.heap.failed;
            bench_repair(&bench);
            ended = bench.repair.heap.failed == before;
            heap_mend(&bench.repair.heap);
            if (bench.repair.code == SELSNAP_OK) {
                assert_ok(box_open_code(&bench.box, bench.fresh->device));
            } else {
                assert_true(bench.repair.code == SELSNAP_ENOMEM || bench.repair.code == SELSNAP_EMEMLIMIT);
                assert_no_store(&bench);
                failed++;
            }
            blank_fresh(&bench);
        }
    }
    assert_true(failed > 30);
    bench_close(&bench);
}

/* ---- power cuts ---- */

static void test_repair__power_cut__no_store_or_the_whole_one(void **state) {
    (void)state;
    struct bench bench;
    struct prng prng = prng_init(7);
    unsigned none = 0;
    unsigned whole = 0;
    bool ended = false;
    bench_open(&bench, BOX_RESTORING, true);
    for (uint64_t n = 1; !ended; n += n < 12 ? 1 : 13) {
        wire_cut_after(&bench.wire, n);
        bench_repair(&bench);
        ended = !bench.wire.off;
        for (unsigned percent = 0; percent <= 100; percent += 50) {
            uint8_t *image = testdev_image(bench.fresh, &prng, percent);
            selsnap_device *left = box_device(image, BOX_FRESH_BYTES);
            int code = box_open_code(&bench.box, left);
            if (code == SELSNAP_OK) {
                bench.repair.result.snapshots_salvaged = BOX_SNAPS;
                box_compare(&bench.box, left, &bench.repair);
                assert_int_equal(bench.repair.missing + box_lost_total(&bench.repair), 0);
                whole++;
            } else {
                assert_int_equal(code, SELSNAP_ENOTSTORE);
                assert_true(bench.repair.code != SELSNAP_OK);
                none++;
            }
            selsnap_device_close(left);
            free(image);
        }
        selsnap_device_close(bench.fresh->device);
        selsnap_device_close(bench.damaged->device);
        wire_fini(&bench.wire);
        wire_init(&bench.wire, true);
        bench.damaged = testdev_open(&bench.wire, 'd', BOX_STORE_BYTES, 1, bench.box.image);
        bench.fresh = testdev_open(&bench.wire, 'f', BOX_FRESH_BYTES, 1, NULL);
    }
    assert_true(none > 50);
    assert_true(whole >= 3);
    bench_close(&bench);
}

/* ---- being stopped ---- */

struct stopper {
    unsigned calls;
    unsigned stop_at; /* 0: never */
};

static int stop_progress(void *user, uint64_t done, uint64_t total) {
    struct stopper *stopper = user;
    assert_true(done <= total);
    assert_int_equal(total, BOX_ORIGIN_BYTES);
    return ++stopper->calls == stopper->stop_at;
}

static int stop_line(void *user, const char *line) {
    struct stopper *stopper = user;
    assert_true(line[0] != '\0');
    return ++stopper->calls == stopper->stop_at;
}

static void test_repair__callback_says_stop__canceled_and_no_store(void **state) {
    (void)state;
    struct box box;
    selsnap_repair_options options = SELSNAP_REPAIR_OPTIONS_INIT;
    selsnap_repair_result result = SELSNAP_REPAIR_RESULT_INIT;
    struct stopper stopper = {0, 0};
    box_make(&box, BOX_CLEAN);
    /* Each tenth page of data is spoilt, so that there is much to tell. */
    for (uint64_t page = BOX_AREA / 4096; page < BOX_STORE_BYTES / 4096; page += 10) {
        if (memcmp(box.image + page * 4096 + 8, "SSNT", 4) != 0) {
            box.image[page * 4096 + 9] ^= 1;
        }
    }
    selsnap_device *damaged = box_device(box.image, BOX_STORE_BYTES);
    for (int kind = 0; kind < 2; kind++) {
        unsigned calls = 2;
        for (unsigned stop_at = 0; stop_at <= calls; stop_at++) {
            selsnap_device *fresh = box_device(NULL, BOX_FRESH_BYTES);
            stopper.calls = 0;
            stopper.stop_at = stop_at;
            options.progress = kind == 0 ? stop_progress : NULL;
            options.report = kind == 1 ? stop_line : NULL;
            options.progress_user = options.report_user = &stopper;
            int code = selsnap_repair(damaged, box.origin, fresh, &options, &result);
            assert_int_equal(code, stop_at == 0 ? SELSNAP_OK : SELSNAP_ECANCELED);
            assert_int_equal(box_open_code(&box, fresh), stop_at == 0 ? SELSNAP_OK : SELSNAP_ENOTSTORE);
            calls = stop_at == 0 ? stopper.calls : calls;
            selsnap_device_close(fresh);
        }
        assert_true(calls >= 3);
    }
    selsnap_device_close(damaged);
    box_free(&box);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repair__pages_cannot_be_read__as_if_damaged),
        cmocka_unit_test(test_repair__nth_read_fails__right_or_lost_or_refused),
        cmocka_unit_test(test_repair__new_device_fails__clean_error_and_no_store),
        cmocka_unit_test(test_repair__no_memory__clean_error_at_each_allocation),
        cmocka_unit_test(test_repair__power_cut__no_store_or_the_whole_one),
        cmocka_unit_test(test_repair__callback_says_stop__canceled_and_no_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
