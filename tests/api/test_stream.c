/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: what goes out comes in; every cut, flipped bit and failing call is refused, and leaves what it should. */
#include "stream_rig.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, BLOCKS = 64 };

static uint64_t make_base(struct streams *streams) {
    rig_write(&streams->source, 3, 2, 1);
    assert_ok(selsnap_write_zeroes(streams->source.ss, 10 * BLOCK, 6 * BLOCK));
    uint64_t id = rig_snapshot(&streams->source, "one", 0, 0);
    rig_write(&streams->source, 4, 3, 2);
    return id;
}

static uint64_t make_next(struct streams *streams) {
    rig_write(&streams->source, 11, 1, 3);
    uint64_t id = rig_snapshot(&streams->source, "two", 0, 0);
    rig_write(&streams->source, 0, 64, 4);
    return id;
}

/* ---- what works ---- */

static void test_import__full_and_increment__same_snapshots(void **state) {
    (void)state;
    struct streams streams;
    struct tape full = {0};
    struct tape increment = {0};
    streams_open(&streams, NULL);
    uint64_t one = make_base(&streams);
    uint64_t two = make_next(&streams);
    selsnap_stream_info info = streams_export(&streams, one, 0, &full);
    assert_int_equal(info.block_count, BLOCKS);
    assert_int_equal(info.zero_blocks, 6);
    assert_int_equal(info.data_blocks, BLOCKS - 6);
    info = streams_export(&streams, two, one, &increment);
    assert_true(info.data_blocks >= 4);
    assert_int_equal(info.base.snapshot_id, one);
    uint64_t here_one = streams_import(&streams, &full);
    uint64_t here_two = streams_import(&streams, &increment);
    streams_assert_same(&streams, one, here_one);
    streams_assert_same(&streams, two, here_two);
    selsnap_snapshot_info about = {.struct_size = sizeof about};
    assert_ok(selsnap_snapshot_find(streams.backup.ss, "two", &about));
    assert_int_equal(about.id, here_two);
    assert_int_equal(about.holds, 0);
    selsnap_stream_id received = SELSNAP_STREAM_ID_INIT;
    assert_ok(selsnap_snapshot_get_received(streams.backup.ss, here_two, &received));
    assert_int_equal(received.snapshot_id, two);
    assert_int_equal(rig_stats(&streams.backup).snapshots, 2);
    rig_settle(&streams.backup);
    rig_assert_sound(&streams.backup);
    rig_reopen(&streams.backup);
    streams_assert_same(&streams, one, here_one);
    streams_assert_same(&streams, two, here_two);
    tape_free(&full);
    tape_free(&increment);
    streams_close(&streams);
}

static void test_import__properties_and_subset__carried_over(void **state) {
    (void)state;
    struct streams streams;
    struct tape tape = {0};
    const selsnap_property properties[] = {{"zone", "attic"}, {"app", "mail"}};
    streams_open(&streams, NULL);
    selsnap_subset *subset = rig_subset(&streams.source, 4, 2);
    assert_ok(selsnap_subset_add(subset, 30 * BLOCK, 5 * BLOCK));
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = "some";
    options.subset = subset;
    options.properties = properties;
    options.property_count = 2;
    options.time_ns = 1234567;
    uint64_t id;
    assert_ok(selsnap_snapshot_create(streams.source.ss, &options, &id));
    (void)streams_export(&streams, id, 0, &tape);
    uint64_t here = streams_import(&streams, &tape);
    streams_assert_same(&streams, id, here);
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    assert_ok(selsnap_snapshot_get(streams.backup.ss, here, &info));
    assert_int_equal(info.block_count, 7);
    assert_int_equal(info.time_ns, 1234567);
    char key[SELSNAP_PROPERTY_KEY_MAX + 1];
    char value[SELSNAP_PROPERTY_VALUE_MAX + 1];
    assert_ok(selsnap_snapshot_next_property(streams.backup.ss, here, "app", key, value));
    assert_string_equal(key, "zone");
    assert_string_equal(value, "attic");
    selsnap_subset_close(subset);
    tape_free(&tape);
    streams_close(&streams);
}

static void test_export__as_changed__holds_what_was_written_into_it(void **state) {
    (void)state;
    struct streams streams;
    struct tape tape = {0};
    uint8_t mine[BLOCK];
    uint8_t got[BLOCK];
    streams_open(&streams, NULL);
    uint64_t id = make_base(&streams);
    selsnap_view *view = rig_view(&streams.source, id, SELSNAP_VIEW_WRITABLE, 0);
    memset(mine, 0x5a, sizeof mine);
    assert_ok(selsnap_view_write(view, mine, sizeof mine, 20 * BLOCK));
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    options.id = id;
    options.flags = SELSNAP_EXPORT_AS_CHANGED;
    options.level = -1;
    assert_ok(selsnap_export(streams.source.ss, &options, tape_write, &tape, NULL));
    assert_ok(selsnap_view_close(view));
    uint64_t here = streams_import(&streams, &tape);
    assert_ok(rig_read_snapshot(&streams.backup, here, 20, got));
    assert_memory_equal(got, mine, sizeof mine);
    /* It is no base. */
    struct tape increment = {0};
    selsnap_stream_info info;
    uint64_t two = make_next(&streams);
    (void)streams_export(&streams, two, id, &increment);
    assert_int_equal(streams_try_import(&streams, &increment, 0, NULL, &info), SELSNAP_EBASE);
    assert_int_equal(info.state, SELSNAP_STREAM_NOTHING);
    tape_free(&tape);
    tape_free(&increment);
    streams_close(&streams);
}

static void test_import__larger_blocks_and_short_end__same(void **state) {
    (void)state;
    struct streams streams;
    struct tape tape = {0};
    const struct rig_options large = {.block_bytes = 65536, .origin_bytes = 5 * 65536 + 4096 + 512};
    const struct rig_options small = {.block_bytes = 4096, .origin_bytes = 5 * 65536 + 4096 + 512, .blank = true};
    rig_open(&streams.source, &large);
    rig_open(&streams.backup, &small);
    uint64_t id = rig_snapshot(&streams.source, "one", 0, 0);
    (void)streams_export(&streams, id, 0, &tape);
    uint64_t here = streams_import(&streams, &tape);
    streams_assert_same(&streams, id, here);
    tape_free(&tape);
    /* The other way round it does not fit. */
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    options.id = here;
    assert_ok(selsnap_export(streams.backup.ss, &options, tape_write, &tape, NULL));
    assert_int_equal(selsnap_import(streams.source.ss, tape_read, &tape, NULL, NULL, NULL), SELSNAP_ERANGE);
    tape_free(&tape);
    streams_close(&streams);
}

static void test_apply__full_and_increment__device_like_the_snapshot(void **state) {
    (void)state;
    struct streams streams;
    struct tape full = {0};
    struct tape increment = {0};
    streams_open(&streams, NULL);
    uint64_t one = make_base(&streams);
    uint64_t two = make_next(&streams);
    (void)streams_export(&streams, one, 0, &full);
    (void)streams_export(&streams, two, one, &increment);
    selsnap_device *device;
    assert_ok(selsnap_device_open_memory((BLOCKS + 1) * BLOCK, 0, &device));
    selsnap_stream_options options = SELSNAP_STREAM_OPTIONS_INIT;
    selsnap_stream_info info = {.struct_size = sizeof info};
    char message[200];
    options.ret_message = message;
    options.message_size = sizeof message;
    assert_int_equal(selsnap_stream_apply(tape_read, &increment, device, &options, &info), SELSNAP_EBASE);
    assert_non_null(strstr(message, "does not hold"));
    tape_rewind(&increment);
    assert_ok(selsnap_stream_apply(tape_read, &full, device, &options, &info));
    assert_int_equal(info.state, SELSNAP_STREAM_WHOLE);
    selsnap_stream_id holds = info.id;
    options.holds = &holds;
    assert_ok(selsnap_stream_apply(tape_read, &increment, device, &options, &info));
    assert_int_equal(info.id.snapshot_id, two);
    for (uint64_t block = 0; block < BLOCKS; block++) {
        uint8_t want[BLOCK];
        uint8_t got[BLOCK];
        assert_ok(rig_read_snapshot(&streams.source, two, block, want));
        assert_ok(selsnap_device_read(device, got, BLOCK, block * BLOCK));
        assert_memory_equal(got, want, BLOCK);
    }
    /* Not twice. */
    tape_rewind(&increment);
    options.holds = &info.id;
    assert_int_equal(selsnap_stream_apply(tape_read, &increment, device, &options, NULL), SELSNAP_EBASE);
    selsnap_device_close(device);
    tape_free(&full);
    tape_free(&increment);
    streams_close(&streams);
}

static void test_export__base_is_a_bookmark__same_increment(void **state) {
    (void)state;
    struct streams streams;
    struct tape full = {0};
    struct tape increment = {0};
    streams_open(&streams, NULL);
    uint64_t one = make_base(&streams);
    (void)streams_export(&streams, one, 0, &full);
    assert_ok(selsnap_snapshot_make_bookmark(streams.source.ss, one));
    uint64_t two = make_next(&streams);
    selsnap_stream_info info = streams_export(&streams, two, one, &increment);
    assert_int_equal(info.data_blocks, 4); /* 4, 5, 6, 11 */
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    options.id = one;
    assert_int_equal(selsnap_export(streams.source.ss, &options, tape_write, &full, NULL), SELSNAP_ENODATA);
    uint64_t here = streams_import(&streams, &full);
    assert_ok(selsnap_snapshot_make_bookmark(streams.backup.ss, here));
    streams_assert_same(&streams, two, streams_import(&streams, &increment));
    tape_free(&full);
    tape_free(&increment);
    streams_close(&streams);
}

/* ---- what is refused ---- */

static void test_import__base_not_there_or_changed__refused(void **state) {
    (void)state;
    struct streams streams;
    struct tape full = {0};
    struct tape increment = {0};
    selsnap_stream_info info;
    streams_open(&streams, NULL);
    uint64_t one = make_base(&streams);
    uint64_t two = make_next(&streams);
    (void)streams_export(&streams, one, 0, &full);
    (void)streams_export(&streams, two, one, &increment);
    assert_int_equal(streams_try_import(&streams, &increment, 0, NULL, &info), SELSNAP_EBASE);
    uint64_t here = streams_import(&streams, &full);
    assert_int_equal(streams_try_import(&streams, &full, 0, NULL, &info), SELSNAP_EEXIST);
    /* Written and written back is the same as not written. */
    uint8_t old[BLOCK];
    uint8_t other[BLOCK] = {1};
    assert_ok(rig_read_snapshot(&streams.backup, here, 5, old));
    assert_ok(selsnap_write(streams.backup.ss, other, BLOCK, 5 * BLOCK));
    assert_int_equal(streams_try_import(&streams, &increment, 0, NULL, &info), SELSNAP_EBASE);
    assert_int_equal(info.state, SELSNAP_STREAM_NOTHING);
    assert_ok(selsnap_write(streams.backup.ss, old, BLOCK, 5 * BLOCK));
    streams_assert_same(&streams, two, streams_import(&streams, &increment));
    tape_free(&full);
    tape_free(&increment);
    streams_close(&streams);
}

/* The same snapshot came twice, the second time so that it is no base: the first one is there still. */
static void test_import__base_came_again_as_changed__goes_on_from_the_first(void **state) {
    (void)state;
    struct streams streams;
    struct tape full = {0};
    struct tape changed = {0};
    struct tape increment = {0};
    streams_open(&streams, NULL);
    uint64_t one = make_base(&streams);
    uint64_t two = make_next(&streams);
    (void)streams_export(&streams, one, 0, &full);
    (void)streams_export(&streams, two, one, &increment);
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    options.id = one;
    options.flags = SELSNAP_EXPORT_AS_CHANGED;
    assert_ok(selsnap_export(streams.source.ss, &options, tape_write, &changed, NULL));
    (void)streams_import(&streams, &full);
    selsnap_import_options again = SELSNAP_IMPORT_OPTIONS_INIT;
    again.name = "again";
    assert_ok(selsnap_import(streams.backup.ss, tape_read, &changed, &again, NULL, NULL));
    streams_assert_same(&streams, two, streams_import(&streams, &increment));
    tape_free(&full);
    tape_free(&changed);
    tape_free(&increment);
    streams_close(&streams);
}

/* What the backup's origin holds, before a try and after it. */
static void assert_untouched(struct streams *streams, const uint8_t *before, size_t len) {
    size_t now_len;
    uint8_t *now = streams_content(streams->backup.origin, &now_len);
    assert_int_equal(now_len, len);
    assert_memory_equal(now, before, len);
    free(now);
}

static void test_import__cut_anywhere__as_before(void **state) {
    (void)state;
    struct streams streams;
    struct tape tape = {0};
    selsnap_stream_info info;
    size_t len;
    streams_open(&streams, NULL);
    uint64_t one = make_base(&streams);
    (void)streams_export(&streams, one, 0, &tape);
    uint8_t *before = streams_content(streams.backup.origin, &len);
    unsigned tries = 0;
    for (size_t cut = 1; cut < tape.len; cut += cut < 400 || tape.len - cut < 200 ? 7 : tape.len / 60 + 1) {
        tape.cut = cut;
        assert_int_equal(streams_try_import(&streams, &tape, 0, NULL, &info), SELSNAP_ESTREAM);
        assert_int_equal(info.state, SELSNAP_STREAM_NOTHING);
        assert_untouched(&streams, before, len);
        assert_int_equal(rig_stats(&streams.backup).snapshots, 0);
        tries++;
    }
    assert_true(tries > 60);
    tape.cut = 0;
    tape.most = 13;
    streams_assert_same(&streams, one, streams_import(&streams, &tape));
    rig_settle(&streams.backup);
    rig_assert_sound(&streams.backup);
    free(before);
    tape_free(&tape);
    streams_close(&streams);
}

static void test_import__read_fails_at_each_call__as_before_and_its_own_error(void **state) {
    (void)state;
    struct streams streams;
    struct tape tape = {0};
    selsnap_stream_info info;
    size_t len;
    streams_open(&streams, NULL);
    uint64_t one = make_base(&streams);
    (void)streams_export(&streams, one, 0, &tape);
    uint8_t *before = streams_content(streams.backup.origin, &len);
    int code;
    for (tape.fails_at = 1;; tape.fails_at++) {
        code = streams_try_import(&streams, &tape, 0, NULL, &info);
        if (code == SELSNAP_OK) {
            break;
        }
        assert_int_equal(code, SELSNAP_EIO);
        assert_untouched(&streams, before, len);
    }
    assert_true(tape.fails_at > 8);
    free(before);
    tape_free(&tape);
    streams_close(&streams);
}

static void test_export__write_fails_at_each_call__its_own_error(void **state) {
    (void)state;
    struct streams streams;
    streams_open(&streams, NULL);
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    options.id = make_base(&streams);
    int code = SELSNAP_EIO;
    uint64_t call;
    for (call = 1; code != SELSNAP_OK; call++) {
        struct tape tape = {.fails_at = call};
        code = selsnap_export(streams.source.ss, &options, tape_write, &tape, NULL);
        assert_true(code == SELSNAP_OK || code == SELSNAP_EIO);
        tape_free(&tape);
    }
    assert_true(call > 5);
    streams_close(&streams);
}

static void test_verify__every_bit_flipped_and_every_cut__refused(void **state) {
    (void)state;
    struct streams streams;
    struct tape tape = {0};
    streams_open(&streams, NULL);
    uint8_t plain[BLOCK];
    memset(plain, 7, sizeof plain); /* packs well */
    assert_ok(selsnap_write(streams.source.ss, plain, BLOCK, 0));
    assert_ok(selsnap_write_zeroes(streams.source.ss, BLOCK, 3 * BLOCK));
    (void)streams_export(&streams, rig_snapshot(&streams.source, "s", 0, 3), 0, &tape);
    assert_true(tape.len < 2000 + BLOCK); /* so short that each bit can be tried, without libzstd too */
    selsnap_stream_info info = {.struct_size = sizeof info};
    assert_ok(selsnap_stream_verify(tape_read, &tape, NULL, &info));
    assert_int_equal(info.stream_bytes, tape.len);
    for (size_t bit = 0; bit < 8 * tape.len; bit++) {
        tape.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        tape_rewind(&tape);
        assert_int_equal(selsnap_stream_verify(tape_read, &tape, NULL, NULL), SELSNAP_ESTREAM);
        tape.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (tape.cut = 1; tape.cut < tape.len; tape.cut++) {
        tape_rewind(&tape);
        assert_int_equal(selsnap_stream_verify(tape_read, &tape, NULL, NULL), SELSNAP_ESTREAM);
    }
    tape_free(&tape);
    streams_close(&streams);
}

/* ---- going on ---- */

static void test_apply__broken_off_at_each_record__goes_on_to_the_same(void **state) {
    (void)state;
    struct streams streams;
    struct tape whole = {0};
    streams_open(&streams, NULL);
    uint64_t one = make_base(&streams);
    uint64_t records = streams_export(&streams, one, 0, &whole).records;
    assert_true(records >= 3);
    size_t len = BLOCKS * BLOCK;
    uint8_t *want = malloc(len);
    selsnap_view *view = rig_view(&streams.source, one, 0, 0);
    assert_ok(selsnap_view_read(view, want, len, 0));
    assert_ok(selsnap_view_close(view));
    uint64_t seen = 0;
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    options.id = one;
    /* The n-th piece of the stream does not go out: header, ranges, then a record each. */
    for (uint64_t fails = 1; fails <= records + 3; fails++) {
        struct tape part = {.fails_at = fails};
        options.token = NULL;
        assert_int_equal(selsnap_export(streams.source.ss, &options, tape_write, &part, NULL), SELSNAP_EIO);
        part.fails_at = 0;
        selsnap_device *device;
        assert_ok(selsnap_device_open_memory(BLOCKS * BLOCK, 0, &device));
        selsnap_stream_info info = {.struct_size = sizeof info};
        assert_int_equal(selsnap_stream_apply(tape_read, &part, device, NULL, &info), SELSNAP_ESTREAM);
        if (info.token.key != 0) {
            struct tape rest = {0};
            seen |= UINT64_C(1) << info.token.records;
            selsnap_stream_token token = info.token;
            options.token = &token;
            assert_ok(selsnap_export(streams.source.ss, &options, tape_write, &rest, NULL));
            selsnap_stream_options apply = SELSNAP_STREAM_OPTIONS_INIT;
            assert_int_equal(selsnap_stream_apply(tape_read, &rest, device, &apply, NULL), SELSNAP_EBASE);
            tape_rewind(&rest);
            assert_ok(selsnap_stream_verify(tape_read, &rest, NULL, NULL));
            tape_rewind(&rest);
            apply.token = &token;
            assert_ok(selsnap_stream_apply(tape_read, &rest, device, &apply, &info));
            assert_int_equal(info.records, records);
            size_t got_len;
            uint8_t *got = streams_content(device, &got_len);
            assert_memory_equal(got, want, len);
            free(got);
            token.records++;
            assert_int_equal(selsnap_export(streams.source.ss, &options, tape_write, &rest, NULL), SELSNAP_EBASE);
            tape_free(&rest);
        }
        selsnap_device_close(device);
        tape_free(&part);
    }
    assert_int_equal(seen, (UINT64_C(2) << records) - 2);
    free(want);
    tape_free(&whole);
    streams_close(&streams);
}

static void test_import__part_kept_and_killed__goes_on_or_is_taken_back(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct streams streams;
        struct tape tape = {0};
        struct tape rest = {0};
        selsnap_stream_info info;
        size_t len;
        streams_open(&streams, NULL);
        uint64_t one = make_base(&streams);
        (void)streams_export(&streams, one, 0, &tape);
        uint8_t *before = streams_content(streams.backup.origin, &len);
        assert_int_equal(selsnap_import_unfinished(streams.backup.ss, NULL, NULL), SELSNAP_ENOENT);
        tape.cut = tape.len - 300;
        assert_int_equal(streams_try_import(&streams, &tape, SELSNAP_IMPORT_KEEP_PART, NULL, &info), SELSNAP_ESTREAM);
        assert_int_equal(info.state, SELSNAP_STREAM_PART);
        rig_crash(&streams.backup);
        selsnap_stream_id id = SELSNAP_STREAM_ID_INIT;
        selsnap_stream_token token = SELSNAP_STREAM_TOKEN_INIT;
        assert_ok(selsnap_import_unfinished(streams.backup.ss, &id, &token));
        assert_int_equal(id.snapshot_id, one);
        assert_memory_equal(&token, &info.token, sizeof token);
        rig_assert_sound(&streams.backup);
        if (kind == 0) {
            assert_ok(selsnap_import_undo(streams.backup.ss, NULL, NULL));
            assert_untouched(&streams, before, len);
            assert_int_equal(rig_stats(&streams.backup).snapshots, 0);
        } else if (kind == 1) {
            selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
            options.id = one;
            options.token = &token;
            assert_ok(selsnap_export(streams.source.ss, &options, tape_write, &rest, NULL));
            streams_assert_same(&streams, one, streams_import(&streams, &rest));
        } else {
            tape.cut = 0;
            streams_assert_same(&streams, one, streams_import(&streams, &tape));
        }
        assert_int_equal(selsnap_import_unfinished(streams.backup.ss, NULL, NULL), SELSNAP_ENOENT);
        rig_settle(&streams.backup);
        rig_assert_sound(&streams.backup);
        free(before);
        tape_free(&tape);
        tape_free(&rest);
        streams_close(&streams);
    }
}

/* ---- lost blocks, chosen ranges ---- */

static void test_export__chosen_ranges__increments_need_the_same(void **state) {
    (void)state;
    struct streams streams;
    struct tape some = {0};
    struct tape increment = {0};
    selsnap_stream_info info;
    streams_open(&streams, NULL);
    uint64_t one = make_base(&streams);
    uint64_t two = make_next(&streams);
    selsnap_subset *subset = rig_subset(&streams.source, 2, 12);
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    options.id = one;
    options.subset = subset;
    assert_ok(selsnap_export(streams.source.ss, &options, tape_write, &some, NULL));
    (void)streams_import(&streams, &some);
    (void)streams_export(&streams, two, one, &increment);
    assert_int_equal(streams_try_import(&streams, &increment, 0, NULL, &info), SELSNAP_EBASE);
    tape_free(&increment);
    options.id = two;
    options.base_id = one;
    assert_ok(selsnap_export(streams.source.ss, &options, tape_write, &increment, NULL));
    uint64_t here = streams_import(&streams, &increment);
    rig_assert_snapshot(&streams.backup, here, 4, 3, 2);
    rig_assert_snapshot(&streams.backup, here, 11, 1, 3);
    selsnap_subset_close(subset);
    tape_free(&some);
    tape_free(&increment);
    streams_close(&streams);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_import__full_and_increment__same_snapshots),
        cmocka_unit_test(test_import__properties_and_subset__carried_over),
        cmocka_unit_test(test_export__as_changed__holds_what_was_written_into_it),
        cmocka_unit_test(test_import__larger_blocks_and_short_end__same),
        cmocka_unit_test(test_apply__full_and_increment__device_like_the_snapshot),
        cmocka_unit_test(test_export__base_is_a_bookmark__same_increment),
        cmocka_unit_test(test_import__base_not_there_or_changed__refused),
        cmocka_unit_test(test_import__base_came_again_as_changed__goes_on_from_the_first),
        cmocka_unit_test(test_import__cut_anywhere__as_before),
        cmocka_unit_test(test_import__read_fails_at_each_call__as_before_and_its_own_error),
        cmocka_unit_test(test_export__write_fails_at_each_call__its_own_error),
        cmocka_unit_test(test_verify__every_bit_flipped_and_every_cut__refused),
        cmocka_unit_test(test_apply__broken_off_at_each_record__goes_on_to_the_same),
        cmocka_unit_test(test_import__part_kept_and_killed__goes_on_or_is_taken_back),
        cmocka_unit_test(test_export__chosen_ranges__increments_need_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
