/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of snapshots with lost blocks: refused, or told and left out, and never taken for content. */
#include "stream_rig.h"
#include "testdev.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, BLOCKS = 64 };

/* The source's origin can be made to fail. Blocks 7 and 8 of "one" are lost. */
struct lossy {
    struct streams streams;
    struct wire wire;
    struct testdev *origin;
    uint64_t one;
    struct tape tape;
};

static void write_unreadable(struct lossy *lossy, uint64_t block, uint64_t sequence) {
    lossy->origin->bad_ops = TESTDEV_READ;
    lossy->origin->bad_offset = block * BLOCK;
    lossy->origin->bad_len = BLOCK;
    rig_write(&lossy->streams.source, block, 1, sequence);
    lossy->origin->bad_ops = 0;
}

static void open_lossy(struct lossy *lossy) {
    selsnap_device *store = NULL;
    const struct rig_options backup = {.blank = true};
    memset(lossy, 0, sizeof *lossy);
    wire_init(&lossy->wire, false);
    lossy->origin = testdev_open(&lossy->wire, 'o', BLOCKS * BLOCK, 0, NULL);
    assert_ok(selsnap_device_open_memory(16 << 20, 0, &store));
    rig_open_on(&lossy->streams.source, lossy->origin->device, store, NULL);
    rig_open(&lossy->streams.backup, &backup);
    rig_write(&lossy->streams.source, 0, BLOCKS, 1);
    lossy->one = rig_snapshot(&lossy->streams.source, "one", 0, 0);
    write_unreadable(lossy, 7, 2);
    write_unreadable(lossy, 8, 2);
    rig_write(&lossy->streams.source, 20, 1, 2);
}

static void close_lossy(struct lossy *lossy) {
    rig_assert_sound(&lossy->streams.backup);
    streams_close(&lossy->streams);
    tape_free(&lossy->tape);
    wire_fini(&lossy->wire);
}

static int export_lossy(struct lossy *lossy, uint64_t id, uint64_t base, uint32_t flags, struct tape *tape,
                        selsnap_stream_info *ret_info) {
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    options.id = id;
    options.base_id = base;
    options.flags = flags;
    memset(ret_info, 0, sizeof *ret_info);
    ret_info->struct_size = sizeof *ret_info;
    return selsnap_export(lossy->streams.source.ss, &options, tape_write, tape, ret_info);
}

/* Block by block: `lost` are not in the snapshot, all others have the sequence. */
static void assert_without(struct rig *rig, uint64_t id, const bool *lost, const uint64_t *sequences) {
    for (uint64_t block = 0; block < BLOCKS; block++) {
        uint8_t buf[BLOCK];
        int code = rig_read_snapshot(rig, id, block, buf);
        if (lost[block]) {
            assert_int_equal(code, SELSNAP_EUNDESIGNATED);
        } else {
            assert_ok(code);
            rig_assert_snapshot(rig, id, block, 1, sequences[block]);
        }
    }
}

static void fill_sequences(uint64_t *sequences, uint64_t sequence) {
    for (unsigned block = 0; block < BLOCKS; block++) {
        sequences[block] = sequence;
    }
}

/* A device that holds nothing; as nobody has written to it, it is as it was. */
static void assert_blank(struct rig *rig) {
    size_t len;
    uint8_t *now = streams_content(rig->origin, &len);
    assert_true(pattern_all_zero(now, len));
    free(now);
    assert_int_equal(selsnap_import_unfinished(rig->ss, NULL, NULL), SELSNAP_ENOENT);
    assert_int_equal(rig_stats(rig).snapshots, 0);
}

static void test_export__blocks_lost__refused_unless_they_may_be_skipped(void **state) {
    (void)state;
    struct lossy lossy;
    selsnap_stream_info info;
    open_lossy(&lossy);
    assert_int_equal(export_lossy(&lossy, lossy.one, 0, 0, &lossy.tape, &info), SELSNAP_ELOST);
    assert_int_equal(selsnap_stream_verify(tape_read, &lossy.tape, NULL, NULL), SELSNAP_ESTREAM);
    tape_free(&lossy.tape);
    assert_ok(export_lossy(&lossy, lossy.one, 0, SELSNAP_EXPORT_SKIP_LOST, &lossy.tape, &info));
    assert_int_equal(info.lost_blocks, 2);
    assert_int_equal(info.id.lost_blocks, 2);
    assert_true((info.id.flags & SELSNAP_STREAM_LOSSY) != 0);
    selsnap_stream_info verified = {.struct_size = sizeof verified};
    assert_ok(selsnap_stream_verify(tape_read, &lossy.tape, NULL, &verified));
    assert_int_equal(verified.lost_blocks, 2);
    close_lossy(&lossy);
}

static void test_import__blocks_lost__refused_as_before_or_left_out(void **state) {
    (void)state;
    struct lossy lossy;
    selsnap_stream_info info;
    uint64_t id = 0;
    uint64_t sequences[BLOCKS];
    bool lost[BLOCKS] = {[7] = true, [8] = true};
    open_lossy(&lossy);
    struct rig *backup = &lossy.streams.backup;
    assert_ok(export_lossy(&lossy, lossy.one, 0, SELSNAP_EXPORT_SKIP_LOST, &lossy.tape, &info));
    assert_int_equal(streams_try_import(&lossy.streams, &lossy.tape, 0, &id, &info), SELSNAP_ELOST);
    assert_int_equal(info.state, SELSNAP_STREAM_NOTHING);
    assert_blank(backup);
    /* A part of it cannot be gone on with: which blocks are lost would be forgotten. */
    lossy.tape.cut = lossy.tape.len - 40;
    uint32_t flags = SELSNAP_IMPORT_SKIP_LOST | SELSNAP_IMPORT_KEEP_PART;
    assert_int_equal(streams_try_import(&lossy.streams, &lossy.tape, flags, &id, &info), SELSNAP_ESTREAM);
    assert_int_equal(info.state, SELSNAP_STREAM_NOTHING);
    assert_blank(backup);
    lossy.tape.cut = 0;
    assert_ok(streams_try_import(&lossy.streams, &lossy.tape, SELSNAP_IMPORT_SKIP_LOST, &id, &info));
    assert_int_equal(info.state, SELSNAP_STREAM_WHOLE);
    assert_int_equal(info.id.lost_blocks, 2);
    fill_sequences(sequences, 1);
    for (unsigned pass = 0; pass < 2; pass++) {
        selsnap_stream_id received = SELSNAP_STREAM_ID_INIT;
        assert_without(backup, id, lost, sequences);
        assert_ok(selsnap_snapshot_get_received(backup->ss, id, &received));
        assert_int_equal(received.lost_blocks, 2);
        assert_true((received.flags & SELSNAP_STREAM_LOSSY) != 0);
        rig_reopen(backup);
    }
    close_lossy(&lossy);
}

/* What an increment does not tell is lost if its base lost it; what it tells is there again. */
static void test_import__increment_on_a_lossy_base__lost_until_it_is_told(void **state) {
    (void)state;
    struct lossy lossy;
    struct tape increment = {0};
    selsnap_stream_info info;
    uint64_t id = 0;
    uint64_t sequences[BLOCKS];
    bool lost[BLOCKS] = {[7] = true, [8] = true};
    open_lossy(&lossy);
    struct rig *backup = &lossy.streams.backup;
    assert_ok(export_lossy(&lossy, lossy.one, 0, SELSNAP_EXPORT_SKIP_LOST, &lossy.tape, &info));
    assert_ok(streams_try_import(&lossy.streams, &lossy.tape, SELSNAP_IMPORT_SKIP_LOST, &id, &info));
    uint64_t first = id;
    /* Blocks 7, 8 and 20 have changed since "one", and so has 30. */
    rig_write(&lossy.streams.source, 30, 1, 3);
    uint64_t two = rig_snapshot(&lossy.streams.source, "two", 0, 0);
    write_unreadable(&lossy, 8, 4);
    write_unreadable(&lossy, 40, 4);
    assert_int_equal(export_lossy(&lossy, two, lossy.one, 0, &increment, &info), SELSNAP_ELOST);
    tape_free(&increment);
    assert_ok(export_lossy(&lossy, two, lossy.one, SELSNAP_EXPORT_SKIP_LOST, &increment, &info));
    assert_int_equal(streams_try_import(&lossy.streams, &increment, 0, &id, &info), SELSNAP_ELOST);
    assert_int_equal(info.state, SELSNAP_STREAM_NOTHING);
    fill_sequences(sequences, 1);
    assert_without(backup, first, lost, sequences);
    assert_ok(streams_try_import(&lossy.streams, &increment, SELSNAP_IMPORT_SKIP_LOST, &id, &info));
    assert_without(backup, first, lost, sequences);
    lost[7] = false; /* told */
    sequences[7] = sequences[20] = 2;
    sequences[30] = 3;
    /* Block 40 is lost in "two", but had not changed since "one": the increment does not tell of it. */
    assert_without(backup, id, lost, sequences);
    assert_int_equal(info.id.lost_blocks, 1);
    tape_free(&increment);
    close_lossy(&lossy);
}

/* A device that a stream is put on keeps what it has where a block is lost, and the caller is told. */
static void test_apply__blocks_lost__refused_or_kept_as_they_are(void **state) {
    (void)state;
    struct lossy lossy;
    selsnap_stream_info info;
    selsnap_stream_options options = SELSNAP_STREAM_OPTIONS_INIT;
    selsnap_device *device = NULL;
    open_lossy(&lossy);
    assert_ok(selsnap_device_open_memory(BLOCKS * BLOCK, 0, &device));
    assert_ok(export_lossy(&lossy, lossy.one, 0, SELSNAP_EXPORT_SKIP_LOST, &lossy.tape, &info));
    assert_int_equal(selsnap_stream_apply(tape_read, &lossy.tape, device, &options, NULL), SELSNAP_ELOST);
    tape_rewind(&lossy.tape);
    options.flags = SELSNAP_APPLY_SKIP_LOST;
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    assert_ok(selsnap_stream_apply(tape_read, &lossy.tape, device, &options, &info));
    assert_int_equal(info.lost_blocks, 2);
    size_t len;
    uint8_t *now = streams_content(device, &len);
    for (uint64_t block = 0; block < BLOCKS; block++) {
        bool lost = block == 7 || block == 8;
        assert_true(lost ? pattern_all_zero(now + block * BLOCK, BLOCK)
                         : pattern_is(now + block * BLOCK, BLOCK, block * BLOCK, 1, 1));
    }
    free(now);
    selsnap_device_close(device);
    close_lossy(&lossy);
}

static void test_import__every_block_lost__refused(void **state) {
    (void)state;
    struct lossy lossy;
    selsnap_stream_info info;
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    uint64_t id = 0;
    open_lossy(&lossy);
    selsnap_subset *subset = rig_subset(&lossy.streams.source, 7, 2);
    options.id = lossy.one;
    options.subset = subset;
    options.flags = SELSNAP_EXPORT_SKIP_LOST;
    assert_ok(selsnap_export(lossy.streams.source.ss, &options, tape_write, &lossy.tape, NULL));
    assert_int_equal(streams_try_import(&lossy.streams, &lossy.tape, SELSNAP_IMPORT_SKIP_LOST, &id, &info),
                     SELSNAP_ELOST);
    assert_int_equal(info.state, SELSNAP_STREAM_NOTHING);
    assert_blank(&lossy.streams.backup);
    selsnap_subset_close(subset);
    close_lossy(&lossy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_export__blocks_lost__refused_unless_they_may_be_skipped),
        cmocka_unit_test(test_import__blocks_lost__refused_as_before_or_left_out),
        cmocka_unit_test(test_import__increment_on_a_lossy_base__lost_until_it_is_told),
        cmocka_unit_test(test_apply__blocks_lost__refused_or_kept_as_they_are),
        cmocka_unit_test(test_import__every_block_lost__refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
