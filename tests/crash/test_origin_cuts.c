/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts while an origin grows or becomes shorter, at each call of its devices: it has the old size or the new one,
 * snapshots have theirs, and it can be done then. [F-19] [F-20]
 */
#include "rig.h"
#include "testdev.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, OLD = 10 * BLOCK + 1024, NEW = 21 * BLOCK + 512, LESS = 7 * BLOCK + 512, STORE = 1 << 20, MOST_CALLS = 100 };

struct bench {
    struct wire wire;
    struct testdev *origin;
    struct testdev *store;
    struct rig rig;
    uint64_t a; /* snapshots of all: before any write, and after one */
    uint64_t b;
};

static bool keep(void *user, const struct testdev_unit *unit) {
    const unsigned *what = user;
    return *what == 0 ? false : *what == 1 ? true : (unit->change + unit->index / 8 + *what) % 2 == 0;
}

static void cut(struct bench *bench, unsigned what) {
    (void)!selsnap_close(bench->rig.ss);
    testdev_power_cycle(bench->origin, keep, &what);
    testdev_power_cycle(bench->store, keep, &what);
    bench->wire.off = false;
    bench->wire.cut_at = 0;
    rig_start(&bench->rig);
}

static void begin(struct bench *bench, uint64_t deferred) {
    memset(bench, 0, sizeof *bench);
    wire_init(&bench->wire, true);
    const struct testdev_kind kind = {.logical = 512, .most = NEW};
    const struct rig_options options = {.journal_bytes = 65536, .deferred = deferred};
    bench->origin = testdev_open_kind(&bench->wire, 'o', OLD, &kind, NULL);
    bench->store = testdev_open(&bench->wire, 's', STORE, 1, NULL);
    rig_open_on(&bench->rig, bench->origin->device, bench->store->device, &options);
    bench->a = rig_snapshot(&bench->rig, "a", 0, 0);
    rig_write(&bench->rig, 2, 3, 1);
    assert_ok(selsnap_flush(bench->rig.ss));
    bench->b = rig_snapshot(&bench->rig, "b", 0, 0);
    rig_write(&bench->rig, 4, 2, 2);
}

static void assert_old(struct rig *rig, uint64_t id, uint64_t first, uint64_t count, uint64_t sequence) {
    uint8_t buf[OLD];
    selsnap_view *view = rig_view(rig, id, 0, SELSNAP_UNDESIGNATED_ERROR);
    uint64_t end = (first + count) * BLOCK;
    uint64_t len = (end < OLD ? end : OLD) - first * BLOCK;
    assert_ok(selsnap_view_read(view, buf, len, first * BLOCK));
    assert_true(pattern_is(buf, len, first * BLOCK, sequence == 0 ? 0 : 1, sequence));
    assert_int_equal(selsnap_view_read(view, buf, 1, OLD), SELSNAP_ERANGE);
    assert_ok(selsnap_view_close(view));
}

static void check(struct bench *bench) {
    assert_old(&bench->rig, bench->a, 0, 11, 0);
    assert_old(&bench->rig, bench->b, 0, 2, 0);
    assert_old(&bench->rig, bench->b, 2, 3, 1);
    assert_old(&bench->rig, bench->b, 5, 6, 0);
    rig_assert_sound(&bench->rig);
}

/* Gives the calls that a growth makes. */
static uint64_t cut_at_every_call(unsigned what, uint64_t deferred) {
    bool cut_it = true;
    uint64_t call = 0;
    while (cut_it) {
        struct bench bench;
        call++;
        assert_true(call < MOST_CALLS);
        begin(&bench, deferred);
        wire_cut_after(&bench.wire, call);
        int code = selsnap_grow_origin(bench.rig.ss, NEW);
        cut_it = bench.wire.off;
        assert_true((code != SELSNAP_OK) == cut_it);
        bench.wire.off = true;
        cut(&bench, what);
        uint64_t size = selsnap_size(bench.rig.ss);
        assert_true(size == NEW || (cut_it && size == OLD));
        check(&bench);
        assert_ok(selsnap_grow_origin(bench.rig.ss, NEW));
        rig_write(&bench.rig, 0, 22, 3);
        uint64_t c = rig_snapshot(&bench.rig, "c", 0, 0);
        rig_write(&bench.rig, 0, 22, 4);
        rig_assert_snapshot(&bench.rig, c, 0, 22, 3);
        check(&bench);
        rig_reopen(&bench.rig);
        check(&bench);
        rig_assert_live(&bench.rig, 0, 22, 4);
        rig_close(&bench.rig);
        wire_fini(&bench.wire);
    }
    return call - 1;
}

/* The same, becoming shorter; then it grows again. */
static uint64_t cut_while_shrinking(unsigned what, uint64_t deferred) {
    bool cut_it = true;
    uint64_t call = 0;
    while (cut_it) {
        struct bench bench;
        call++;
        assert_true(call < MOST_CALLS);
        begin(&bench, deferred);
        assert_ok(selsnap_write_zeroes(bench.rig.ss, UINT64_C(8) * BLOCK, OLD - 8 * BLOCK));
        wire_cut_after(&bench.wire, call);
        int code = selsnap_shrink_origin(bench.rig.ss, LESS);
        cut_it = bench.wire.off;
        assert_true((code != SELSNAP_OK) == cut_it);
        bench.wire.off = true;
        cut(&bench, what);
        uint64_t size = selsnap_size(bench.rig.ss);
        assert_true(size == LESS || (cut_it && size == OLD));
        check(&bench);
        if (size == OLD) {
            assert_ok(selsnap_write_zeroes(bench.rig.ss, UINT64_C(8) * BLOCK, OLD - 8 * BLOCK));
        }
        assert_ok(selsnap_shrink_origin(bench.rig.ss, LESS));
        memset(bench.origin->bytes + LESS, 0xdd, OLD - LESS); /* whose it is now, the library does not know */
        bench.rig.block_count = 8;
        rig_write(&bench.rig, 0, 8, 3);
        uint64_t c = rig_snapshot(&bench.rig, "c", 0, 0);
        rig_write(&bench.rig, 0, 8, 4);
        rig_assert_snapshot(&bench.rig, c, 0, 7, 3);
        check(&bench);
        rig_reopen(&bench.rig);
        bench.rig.block_count = 8;
        assert_int_equal(selsnap_size(bench.rig.ss), LESS);
        check(&bench);
        rig_assert_live(&bench.rig, 0, 8, 4);
        assert_ok(selsnap_grow_origin(bench.rig.ss, NEW));
        bench.rig.block_count = 22;
        rig_write(&bench.rig, 0, 22, 5);
        check(&bench);
        rig_assert_snapshot(&bench.rig, c, 0, 7, 3);
        rig_close(&bench.rig);
        wire_fini(&bench.wire);
    }
    return call - 1;
}

static void test_origin__cut_at_every_call__old_size_or_new(void **state) {
    (void)state;
    for (unsigned what = 0; what < 4; what++) {
        assert_true(cut_at_every_call(what, 0) > 6);
    }
}

static void test_origin__cut_with_writes_deferred__old_size_or_new(void **state) {
    (void)state;
    for (unsigned what = 0; what < 4; what++) {
        assert_true(cut_at_every_call(what, UINT64_C(16) * BLOCK) > 6);
    }
}

static void test_origin__cut_while_it_becomes_shorter__old_size_or_new(void **state) {
    (void)state;
    for (unsigned what = 0; what < 4; what++) {
        assert_true(cut_while_shrinking(what, 0) > 4);
        assert_true(cut_while_shrinking(what, UINT64_C(16) * BLOCK) > 4);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origin__cut_while_it_becomes_shorter__old_size_or_new),
        cmocka_unit_test(test_origin__cut_at_every_call__old_size_or_new),
        cmocka_unit_test(test_origin__cut_with_writes_deferred__old_size_or_new),
    };
    return cmocka_run_group_tests_name("origin-cuts", tests, NULL, NULL);
}
