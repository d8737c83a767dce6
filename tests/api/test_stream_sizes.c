/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of snapshots that are not as long as their origin is now. */
#include "stream_rig.h"

#include <string.h>

enum { BLOCK = 4096, LONG = 64 * BLOCK, SHORT = 30 * BLOCK + 512 };

static void cut_off(struct rig *rig) {
    assert_ok(selsnap_write_zeroes(rig->ss, 31 * BLOCK, LONG - 31 * BLOCK));
    assert_ok(selsnap_shrink_origin(rig->ss, SHORT));
}

static void apply(selsnap_device *device, struct tape *tape, const selsnap_stream_id *holds,
                  selsnap_stream_info *info) {
    selsnap_stream_options options = SELSNAP_STREAM_OPTIONS_INIT;
    options.holds = holds;
    assert_ok(selsnap_stream_apply(tape_read, tape, device, &options, info));
}

/* An increment between two of the longer ones, as before the origin became shorter. */
static void test_export__origin_became_shorter__increment_of_what_it_was(void **state) {
    (void)state;
    struct streams streams;
    struct tape full = {0};
    struct tape increment = {0};
    uint8_t buf[BLOCK];
    streams_open(&streams, NULL);
    uint64_t one = rig_snapshot(&streams.source, "one", 0, 0);
    rig_write(&streams.source, 5, 1, 1);
    rig_write(&streams.source, 60, 2, 1);
    uint64_t two = rig_snapshot(&streams.source, "two", 0, 0);
    cut_off(&streams.source);
    (void)streams_export(&streams, one, 0, &full);
    assert_int_equal(streams_export(&streams, two, one, &increment).data_blocks, 3);
    selsnap_device *device;
    selsnap_stream_info info = {.struct_size = sizeof info};
    assert_ok(selsnap_device_open_memory(LONG, 0, &device));
    apply(device, &full, NULL, &info);
    const selsnap_stream_id holds = info.id;
    apply(device, &increment, &holds, &info);
    for (uint64_t block = 0; block < 64; block++) {
        bool written = block == 5 || block == 60 || block == 61;
        assert_ok(selsnap_device_read(device, buf, BLOCK, block * BLOCK));
        assert_true(pattern_is(buf, BLOCK, block * BLOCK, written ? 1 : 0, written ? 1 : 0));
    }
    selsnap_device_close(device);
    tape_free(&full);
    tape_free(&increment);
    streams_close(&streams);
}

/* Both are shorter, and the last block was written with what it had: looked at, and found the same. */
static void test_import__backup_became_shorter__increment_goes_on(void **state) {
    (void)state;
    struct streams streams;
    struct tape full = {0};
    struct tape increment = {0};
    uint8_t buf[512];
    streams_open(&streams, NULL);
    cut_off(&streams.source);
    cut_off(&streams.backup);
    uint64_t one = rig_snapshot(&streams.source, "one", 0, 0);
    rig_write(&streams.source, 5, 1, 1);
    uint64_t two = rig_snapshot(&streams.source, "two", 0, 0);
    (void)streams_export(&streams, one, 0, &full);
    (void)streams_export(&streams, two, one, &increment);
    (void)streams_import(&streams, &full);
    assert_ok(selsnap_read(streams.backup.ss, buf, sizeof buf, 30 * BLOCK));
    assert_ok(selsnap_write(streams.backup.ss, buf, sizeof buf, 30 * BLOCK));
    streams_assert_same(&streams, two, streams_import(&streams, &increment));
    rig_assert_sound(&streams.backup);
    tape_free(&full);
    tape_free(&increment);
    streams_close(&streams);
}

/* Smaller blocks there: the source's last block ends behind the end, and the backup was longer than that. */
static void test_import__smaller_blocks_and_became_shorter__same(void **state) {
    (void)state;
    struct streams streams;
    struct tape full = {0};
    const struct rig_options large = {.block_bytes = 16384, .origin_bytes = LONG};
    const struct rig_options small = {.block_bytes = 4096, .origin_bytes = LONG, .blank = true};
    rig_open(&streams.source, &large);
    rig_open(&streams.backup, &small);
    cut_off(&streams.source);
    cut_off(&streams.backup);
    uint64_t id = rig_snapshot(&streams.source, "one", 0, 0);
    (void)streams_export(&streams, id, 0, &full);
    streams_assert_same(&streams, id, streams_import(&streams, &full));
    rig_assert_sound(&streams.backup);
    tape_free(&full);
    streams_close(&streams);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_export__origin_became_shorter__increment_of_what_it_was),
        cmocka_unit_test(test_import__backup_became_shorter__increment_goes_on),
        cmocka_unit_test(test_import__smaller_blocks_and_became_shorter__same),
    };
    return cmocka_run_group_tests_name("stream-sizes", tests, NULL, NULL);
}
