/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts while a store is made, on a blank device and over an old store: what is left is no store, or a whole one,
 * the old or the new.
 */
#include "pattern.h"
#include "test.h"
#include "testdev.h"

#include <stdlib.h>
#include <string.h>

enum { ORIGIN = 8 * 4096, STORE = 448 << 10, JOURNAL = 64 << 10, SEEDS = 40, MASKED = 6 };

struct bench {
    struct wire wire;
    struct testdev *origin;
    struct testdev *store;
    uint8_t content[ORIGIN];
};

static int format_bench(struct bench *bench, uint32_t flags) {
    selsnap_format_options options = SELSNAP_FORMAT_OPTIONS_INIT;
    options.journal_bytes = JOURNAL;
    options.flags = flags;
    return selsnap_format(bench->store->device, bench->origin->device, &options);
}

static int open_bench(struct bench *bench, selsnap **ret_ss) {
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    return selsnap_open(bench->store->device, bench->origin->device, &options, ret_ss);
}

static void keep_block(selsnap *ss, const char *name) {
    uint8_t buf[4096];
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = name;
    assert_ok(selsnap_snapshot_create(ss, &options, NULL));
    pattern_fill(buf, sizeof buf, 4096, 1, 1);
    assert_ok(selsnap_write(ss, buf, sizeof buf, 4096));
}

static void bench_begin(struct bench *bench, bool old) {
    memset(bench, 0, sizeof *bench);
    wire_init(&bench->wire, true);
    pattern_fill(bench->content, ORIGIN, 0, 0, 0);
    bench->origin = testdev_open(&bench->wire, 'o', ORIGIN, 512, bench->content);
    bench->store = testdev_open(&bench->wire, 's', STORE, 1, NULL);
    if (old) {
        selsnap *ss = NULL;
        assert_ok(format_bench(bench, 0));
        assert_ok(open_bench(bench, &ss));
        keep_block(ss, "old");
        assert_ok(selsnap_close(ss));
    }
}

static void bench_end(struct bench *bench) {
    selsnap_device_close(bench->origin->device);
    selsnap_device_close(bench->store->device);
    wire_fini(&bench->wire);
}

/* How an image comes about: by a mask over the changes, or by a seed for each unit. */
struct choice {
    uint64_t mask;
    bool by_mask;
    struct prng prng;
};

static bool keep(void *user, const struct testdev_unit *unit) {
    struct choice *choice = user;
    return choice->by_mask ? (choice->mask >> unit->change & 1) != 0 : prng_percent(&choice->prng, 50);
}

static void assert_sound(selsnap *ss) {
    selsnap_check_result result = {0};
    result.struct_size = sizeof result;
    assert_ok(selsnap_check(ss, NULL, NULL, NULL, NULL, &result));
    assert_int_equal(result.problems, 0);
}

static void assert_snapshot(const struct bench *bench, selsnap *ss, const char *name) {
    uint8_t buf[ORIGIN];
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    options.name = name;
    assert_ok(selsnap_view_open(ss, &options, &view));
    assert_ok(selsnap_view_read(view, buf, sizeof buf, 0));
    assert_memory_equal(buf, bench->content, 4096);
    assert_ok(selsnap_view_close(view));
}

/* done: the format was acknowledged. */
static void judge(const struct bench *bench, bool old, bool done) {
    selsnap *ss = NULL;
    selsnap_snapshot_info info = {0};
    info.struct_size = sizeof info;
    int code = open_bench((struct bench *)(uintptr_t)bench, &ss);
    if (code == SELSNAP_ENOTSTORE && !done) {
        return;
    }
    assert_ok(code);
    if (selsnap_snapshot_find(ss, "old", &info) == SELSNAP_OK) {
        assert_true(old && !done);
        assert_snapshot(bench, ss, "old");
    } else {
        assert_int_equal(selsnap_snapshot_next(ss, 0, &info), SELSNAP_ENOENT);
        keep_block(ss, "new");
        assert_snapshot(bench, ss, "new");
    }
    assert_sound(ss);
    assert_ok(selsnap_close(ss));
}

/* Cuts the power at one call of the format, with one image. false: the format has fewer calls. */
static bool cut_once(bool old, uint64_t call, struct choice *choice, unsigned *ret_pending) {
    struct bench bench;
    bench_begin(&bench, old);
    uint64_t before = bench.wire.seen;
    wire_cut_after(&bench.wire, call);
    int code = format_bench(&bench, old ? SELSNAP_FORMAT_OVERWRITE : 0);
    bool done = code == SELSNAP_OK;
    assert_true(done != bench.wire.off && call <= bench.wire.seen - before + 1);
    *ret_pending = testdev_pending(bench.store);
    testdev_power_cycle(bench.store, keep, choice);
    bench.wire.off = false;
    bench.wire.cut_at = 0;
    judge(&bench, old, done);
    bench_end(&bench);
    return !done;
}

static void cut_everywhere(bool old) {
    uint64_t images = 0;
    bool more = true;
    for (uint64_t call = 1; more; call++) {
        unsigned pending = 0;
        for (uint64_t mask = 0; mask == 0 || mask < UINT64_C(1) << (pending < MASKED ? pending : MASKED); mask++) {
            struct choice choice = {.by_mask = true, .mask = mask};
            more = cut_once(old, call, &choice, &pending);
            images++;
        }
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct choice choice = {.prng = prng_init(call * SEEDS + seed)};
            (void)cut_once(old, call, &choice, &pending);
            images++;
        }
    }
    assert_true(images > 9 * SEEDS);
}

static void test_format__power_cut_on_a_blank_device__no_store_or_whole(void **state) {
    (void)state;
    cut_everywhere(false);
}

static void test_format__power_cut_over_an_old_store__no_store_or_whole(void **state) {
    (void)state;
    cut_everywhere(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format__power_cut_on_a_blank_device__no_store_or_whole),
        cmocka_unit_test(test_format__power_cut_over_an_old_store__no_store_or_whole),
    };
    return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
