/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a snapshot's blocks, and what space a snapshot takes. */
#include "rig.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, MIB = 1 << 20 };

static selsnap_map_range map_at(struct rig *rig, uint64_t id, uint64_t offset) {
    selsnap_map_range range = {0};
    assert_ok(selsnap_snapshot_map(rig->ss, id, offset, &range));
    return range;
}

static void assert_range(selsnap_map_range range, uint64_t first_block, uint64_t blocks, uint32_t state) {
    assert_int_equal(range.offset, first_block * BLOCK);
    assert_int_equal(range.len, blocks * BLOCK);
    assert_int_equal(range.state, state);
    assert_int_equal(range.reserved, 0);
}

static selsnap_snapshot_usage usage_of(struct rig *rig, uint64_t id) {
    selsnap_snapshot_usage usage = {0};
    usage.struct_size = sizeof usage;
    assert_ok(selsnap_snapshot_get_usage(rig->ss, id, NULL, NULL, &usage));
    return usage;
}

/* ---- the map ---- */

static void test_map__each_state__ranges_end_with_it(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 8, 40);
    rig_write(&rig, 12, 4, 1);
    assert_range(map_at(&rig, id, 0), 0, 8, SELSNAP_BLOCKS_UNDESIGNATED);
    assert_range(map_at(&rig, id, 3 * BLOCK + 5), 3, 5, SELSNAP_BLOCKS_UNDESIGNATED);
    assert_range(map_at(&rig, id, 8 * BLOCK), 8, 4, SELSNAP_BLOCKS_UNCHANGED);
    assert_range(map_at(&rig, id, 13 * BLOCK + 4095), 13, 3, SELSNAP_BLOCKS_PRESERVED);
    assert_range(map_at(&rig, id, 16 * BLOCK), 16, 32, SELSNAP_BLOCKS_UNCHANGED);
    assert_range(map_at(&rig, id, 48 * BLOCK), 48, 16, SELSNAP_BLOCKS_UNDESIGNATED);
    rig_close(&rig);
}

static void test_map__walked__covers_the_device_once(void **state) {
    (void)state;
    struct rig_options options = {.origin_bytes = 6 * MIB + 512, .blank = true};
    struct rig rig;
    rig_open(&rig, &options);
    rig_write(&rig, 0, 700, 1);
    uint64_t id = rig_snapshot(&rig, "s", 100, 1300);
    for (uint64_t block = 7; block < 1500; block += 61) {
        rig_write(&rig, block, block % 9 + 1, 2);
    }
    uint64_t counts[6] = {0};
    uint64_t offset = 0;
    while (offset < 6 * MIB + 512) {
        selsnap_map_range range = map_at(&rig, id, offset);
        assert_int_equal(range.offset, offset);
        assert_true(range.len > 0 && range.state <= SELSNAP_BLOCKS_OVERLAY);
        for (uint64_t at = offset; at < offset + range.len; at += BLOCK) {
            assert_int_equal(rig_state(&rig, id, at / BLOCK), range.state);
            counts[range.state]++;
        }
        offset += range.len;
    }
    assert_int_equal(offset, 6 * MIB + 512);
    assert_int_equal(counts[SELSNAP_BLOCKS_UNDESIGNATED], 1537 - 1300);
    selsnap_snapshot_usage usage = usage_of(&rig, id);
    assert_int_equal(counts[SELSNAP_BLOCKS_PRESERVED] + counts[SELSNAP_BLOCKS_ZERO], usage.preserved_blocks);
    assert_int_equal(counts[SELSNAP_BLOCKS_ZERO], usage.zero_blocks);
    assert_true(usage.zero_blocks > 0 && usage.zero_blocks < usage.preserved_blocks);
    rig_close(&rig);
}

static void test_map__large_unchanged_device__one_range(void **state) {
    (void)state;
    struct rig_options options = {.origin_bytes = 256 * MIB, .blank = true};
    struct rig rig;
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    assert_range(map_at(&rig, id, 0), 0, 65536, SELSNAP_BLOCKS_UNCHANGED);
    rig_write(&rig, 40000, 1, 1);
    selsnap_map_range range = map_at(&rig, id, 5 * BLOCK);
    assert_int_equal(range.state, SELSNAP_BLOCKS_UNCHANGED);
    assert_true(range.len > 39000ull * BLOCK && range.len <= 39995ull * BLOCK);
    selsnap_view *view = rig_view(&rig, id, SELSNAP_VIEW_WRITABLE, 0);
    assert_ok(selsnap_view_write(view, "x", 1, 1000 * BLOCK));
    assert_range(map_at(&rig, id, 0), 0, 1000, SELSNAP_BLOCKS_UNCHANGED);
    assert_range(map_at(&rig, id, 1000 * BLOCK), 1000, 1, SELSNAP_BLOCKS_OVERLAY);
    assert_ok(selsnap_view_flush(view));
    assert_range(map_at(&rig, id, 0), 0, 1000, SELSNAP_BLOCKS_UNCHANGED);
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

static void test_map__wrong_place_or_id__refused(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_map_range range = {0};
    assert_int_equal(selsnap_snapshot_map(rig.ss, id, 64 * BLOCK, &range), SELSNAP_ERANGE);
    assert_int_equal(selsnap_snapshot_map(rig.ss, id, UINT64_MAX, &range), SELSNAP_ERANGE);
    assert_int_equal(selsnap_snapshot_map(rig.ss, id + 1, 0, &range), SELSNAP_ENOENT);
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    assert_int_equal(selsnap_snapshot_map(rig.ss, id, 0, &range), SELSNAP_ENOENT);
    assert_int_equal(range.len, 0);
    rig_close(&rig);
}

/* ---- usage ---- */

static void test_usage__one_snapshot__all_alone(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    assert_int_equal(usage_of(&rig, id).preserved_blocks, 0);
    rig_write(&rig, 5, 20, 1);
    selsnap_snapshot_usage usage = usage_of(&rig, id);
    assert_int_equal(usage.preserved_blocks, 20);
    assert_int_equal(usage.zero_blocks, 0);
    assert_int_equal(usage.lost_blocks, 0);
    assert_int_equal(usage.alone_bytes, 20 * BLOCK);
    assert_int_equal(usage.shared_bytes, 0);
    assert_int_equal(usage.overlay_blocks, 0);
    rig_close(&rig);
}

static void test_usage__several_snapshots__shared_and_alone(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t a = rig_snapshot(&rig, "a", 0, 0);
    rig_write(&rig, 0, 8, 1); /* only a needs the content of these */
    uint64_t b = rig_snapshot(&rig, "b", 0, 0);
    rig_write(&rig, 8, 8, 2); /* both */
    rig_write(&rig, 0, 4, 3); /* only b */
    selsnap_snapshot_usage usage = usage_of(&rig, a);
    assert_int_equal(usage.preserved_blocks, 16);
    assert_int_equal(usage.alone_bytes, 8 * BLOCK);
    assert_int_equal(usage.shared_bytes, 8 * BLOCK);
    usage = usage_of(&rig, b);
    assert_int_equal(usage.preserved_blocks, 12);
    assert_int_equal(usage.alone_bytes, 4 * BLOCK);
    assert_int_equal(usage.shared_bytes, 8 * BLOCK);
    assert_ok(selsnap_snapshot_delete(rig.ss, a));
    assert_int_equal(usage_of(&rig, b).alone_bytes, 12 * BLOCK);
    assert_int_equal(usage_of(&rig, b).shared_bytes, 0);
    rig_settle(&rig);
    assert_int_equal(usage_of(&rig, b).alone_bytes, 12 * BLOCK);
    rig_close(&rig);
}

struct progress {
    unsigned calls;
    unsigned stop_at;
    uint64_t done;
    uint64_t total;
};

static int count_progress(void *user, uint64_t done, uint64_t total) {
    struct progress *progress = user;
    assert_true(done >= progress->done && done <= total);
    progress->done = done;
    progress->total = total;
    return ++progress->calls == progress->stop_at;
}

static void test_usage__progress__told_and_asked(void **state) {
    (void)state;
    struct rig_options options = {.origin_bytes = 8 * MIB};
    struct rig rig;
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    for (uint64_t block = 0; block < 2048; block += 300) {
        rig_write(&rig, block, 2, 1);
    }
    selsnap_snapshot_usage usage = {0};
    usage.struct_size = sizeof usage;
    struct progress progress = {0};
    assert_ok(selsnap_snapshot_get_usage(rig.ss, id, count_progress, &progress, &usage));
    assert_int_equal(progress.done, 2048);
    assert_int_equal(progress.total, 2048);
    assert_int_equal(usage.preserved_blocks, 14);
    struct progress stopped = {.stop_at = 3};
    usage.preserved_blocks = 99;
    assert_int_equal(selsnap_snapshot_get_usage(rig.ss, id, count_progress, &stopped, &usage), SELSNAP_ECANCELED);
    assert_int_equal(stopped.calls, 3);
    assert_int_equal(usage.preserved_blocks, 99);
    assert_int_equal(selsnap_snapshot_get_usage(rig.ss, id + 1, NULL, NULL, &usage), SELSNAP_ENOENT);
    rig_close(&rig);
}

struct deleter {
    struct rig *rig;
    uint64_t id;
};

static int delete_it(void *user, uint64_t done, uint64_t total) {
    (void)done;
    (void)total;
    struct deleter *deleter = user;
    int code = selsnap_snapshot_delete(deleter->rig->ss, deleter->id);
    assert_true(code == SELSNAP_OK || code == SELSNAP_ENOENT);
    rig_settle(deleter->rig);
    return 0;
}

static void test_usage__deleted_meanwhile__enoent(void **state) {
    (void)state;
    struct rig_options options = {.origin_bytes = 8 * MIB, .store_bytes = 16 * MIB};
    struct rig rig;
    rig_open(&rig, &options);
    struct deleter deleter = {&rig, rig_snapshot(&rig, "s", 2, 2000)};
    rig_write(&rig, 0, 2048, 1);
    selsnap_snapshot_usage usage = {0};
    usage.struct_size = sizeof usage;
    assert_int_equal(selsnap_snapshot_get_usage(rig.ss, deleter.id, delete_it, &deleter, &usage), SELSNAP_ENOENT);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map__each_state__ranges_end_with_it),
        cmocka_unit_test(test_map__walked__covers_the_device_once),
        cmocka_unit_test(test_map__large_unchanged_device__one_range),
        cmocka_unit_test(test_map__wrong_place_or_id__refused),
        cmocka_unit_test(test_usage__one_snapshot__all_alone),
        cmocka_unit_test(test_usage__several_snapshots__shared_and_alone),
        cmocka_unit_test(test_usage__progress__told_and_asked),
        cmocka_unit_test(test_usage__deleted_meanwhile__enoent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
