/* SPDX-License-Identifier: Apache-2.0 */
/* selsnap_check() finds damage to what is stored, says where it is, and finds nothing in sound stores. P8. */
#include "dump.h"
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct heard {
    unsigned lines;
    char last[512];
    unsigned stop_at; /* 0: never */
};

static int hear(void *user, const char *line) {
    struct heard *heard = user;
    heard->lines++;
    (void)snprintf(heard->last, sizeof heard->last, "%s", line);
    return heard->lines == heard->stop_at;
}

static selsnap_check_result check(struct rig *rig, struct heard *heard) {
    selsnap_check_result result = {.struct_size = sizeof result};
    memset(heard, 0, sizeof *heard);
    assert_ok(selsnap_check(rig->ss, hear, heard, NULL, NULL, &result));
    assert_int_equal(result.problems, heard->lines);
    return result;
}

static void flip(struct rig *rig, uint64_t offset) {
    uint8_t byte;
    assert_ok(selsnap_device_read(rig->store_base, &byte, 1, offset));
    byte ^= 0x10;
    assert_ok(selsnap_device_write(rig->store_base, &byte, 1, offset));
}

static void assert_says(const struct heard *heard, const char *text) {
    if (strstr(heard->last, text) == NULL) {
        fail_msg("expected \"%s\" in \"%s\"", text, heard->last);
    }
}

static void test_check__sound_store__counts_what_it_read(void **state) {
    (void)state;
    struct rig rig;
    struct heard heard;
    rig_open(&rig, NULL);
    selsnap_check_result empty = check(&rig, &heard);
    assert_int_equal(empty.problems, 0);
    assert_int_equal(empty.blocks, 0);
    uint64_t id = rig_snapshot(&rig, "s", 0, 20);
    rig_write(&rig, 0, 20, 1);
    assert_ok(selsnap_write_zeroes(rig.ss, 0, 4096));
    (void)rig_snapshot(&rig, "t", 0, 4);
    rig_write(&rig, 0, 4, 2); /* block 0 held zeros: nothing to read for it */
    selsnap_view *view = rig_view(&rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    assert_ok(selsnap_view_write(view, "abc", 3, 5 * 4096));
    assert_ok(selsnap_view_close(view));
    selsnap_check_result result = check(&rig, &heard);
    assert_int_equal(result.problems, 0);
    assert_int_equal(result.blocks, 20 + 3 + 1);
    assert_true(result.items > empty.items);
    assert_true(result.pages >= empty.pages);
    rig_close(&rig);
}

static void test_check__data_flipped__names_block_epoch_and_place(void **state) {
    (void)state;
    struct rig rig;
    struct heard heard;
    char text[80];
    rig_open(&rig, NULL);
    (void)rig_snapshot(&rig, "s", 0, 32);
    rig_write(&rig, 0, 32, 1);
    uint64_t first = dump_number(rig.ss, "entry ", "data", "blocks ");
    uint64_t place = dump_number(rig.ss, "entry ", "data", "place ");
    uint64_t epoch = dump_number(rig.ss, "entry ", "data", "epoch ");
    for (int way = 0; way < 2; way++) {
        uint64_t count = dump_number(rig.ss, "entry ", "data", "+");
        for (uint64_t i = 0; i < count; i++) {
            flip(&rig, (place + i) * 4096 + 4095);
            assert_int_equal(check(&rig, &heard).problems, 1);
            (void)snprintf(text, sizeof text, "block %u, epoch %u: the copy at place %u does not",
                           (unsigned)(first + i), (unsigned)epoch, (unsigned)(place + i));
            assert_says(&heard, text);
            flip(&rig, (place + i) * 4096 + 4095);
        }
        assert_int_equal(check(&rig, &heard).problems, 0);
        rig_reopen(&rig);
    }
    rig_close(&rig);
}

static void test_check__overlay_flipped__names_block_and_overlay(void **state) {
    (void)state;
    struct rig rig;
    struct heard heard;
    char text[80];
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 32);
    selsnap_view *view = rig_view(&rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    assert_ok(selsnap_view_write(view, "abc", 3, 7 * 4096));
    assert_ok(selsnap_view_close(view));
    flip(&rig, dump_number(rig.ss, "overlay ", "block 7", "place ") * 4096);
    assert_int_equal(check(&rig, &heard).problems, 1);
    (void)snprintf(text, sizeof text,
                   "block 7, overlay %u:", (unsigned)dump_number(rig.ss, "overlay ", NULL, "overlay "));
    assert_says(&heard, text);
    rig_close(&rig);
}

static void test_check__tree_page_flipped__is_told(void **state) {
    (void)state;
    struct rig rig;
    struct heard heard;
    rig_open(&rig, NULL);
    (void)rig_snapshot(&rig, "s", 0, 32);
    rig_write(&rig, 0, 32, 1);
    rig_reopen(&rig);
    flip(&rig, dump_number(rig.ss, "tree page ", NULL, "tree page ") * 4096 + 100);
    rig_stop(&rig);
    int code = rig_try_start(&rig);
    if (code == SELSNAP_OK) {
        assert_true(check(&rig, &heard).problems > 0);
    } else {
        assert_int_equal(code, SELSNAP_EDAMAGED);
    }
    rig_close(&rig);
}

static void test_check__problem_callback_says_stop__stops(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    (void)rig_snapshot(&rig, "s", 0, 32);
    rig_write(&rig, 0, 8, 1);
    uint64_t place = dump_number(rig.ss, "entry ", "data", "place ");
    flip(&rig, place * 4096);
    flip(&rig, (place + 1) * 4096);
    struct heard heard = {.stop_at = 1};
    selsnap_check_result result = {.struct_size = sizeof result};
    assert_int_equal(selsnap_check(rig.ss, hear, &heard, NULL, NULL, &result), SELSNAP_ECANCELED);
    assert_int_equal(heard.lines, 1);
    rig_close(&rig);
}

struct progress {
    uint64_t calls;
    uint64_t done;
    uint64_t total;
    uint64_t stop_at;
};

static int on_progress(void *user, uint64_t done, uint64_t total) {
    struct progress *progress = user;
    assert_true(done <= total && done >= progress->done);
    progress->calls++;
    progress->done = done;
    progress->total = total;
    return progress->stop_at != 0 && progress->calls >= progress->stop_at;
}

static void test_check__progress__rises_to_the_end_and_can_stop(void **state) {
    (void)state;
    struct rig_options options = {.origin_bytes = 2048 * 4096};
    struct rig rig;
    rig_open(&rig, &options);
    (void)rig_snapshot(&rig, "s", 0, 2048);
    for (uint64_t i = 0; i < 2048; i += 2) {
        rig_write(&rig, i, 1, 1);
    }
    struct progress progress = {0};
    selsnap_check_result result = {.struct_size = sizeof result};
    assert_ok(selsnap_check(rig.ss, NULL, NULL, on_progress, &progress, &result));
    assert_int_equal(result.problems, 0);
    assert_true(progress.calls > 2 && progress.done == progress.total);
    struct progress stopping = {.stop_at = 2};
    assert_int_equal(selsnap_check(rig.ss, NULL, NULL, on_progress, &stopping, &result), SELSNAP_ECANCELED);
    assert_int_equal(stopping.calls, 2);
    rig_close(&rig);
}

static void test_dump__every_kind_of_item__one_line_each(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    rig_save(&rig, "d", 0, 32);
    selsnap_property property = {"key", "a value"};
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    uint64_t id = 0;
    options.name = "with \"quotes\"";
    options.designation = "d";
    options.properties = &property;
    options.property_count = 1;
    assert_ok(selsnap_snapshot_create(rig.ss, &options, &id));
    rig_write(&rig, 0, 4, 1);
    selsnap_view *view = rig_view(&rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    assert_ok(selsnap_view_discard(view, 0, 4096));
    assert_ok(selsnap_view_close(view));
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    uint64_t job = 0;
    restore.id = id;
    assert_ok(selsnap_restore_start(rig.ss, &restore, &job));
    rig_reopen(&rig);
    assert_true(dump_count(rig.ss, "superblock ", NULL) >= 1);
    assert_true(dump_count(rig.ss, "space ", "pages ") >= 1);
    assert_int_equal(dump_count(rig.ss, "designation ", "state ready, blocks 32, ranges 1, name \"d\""), 1);
    assert_int_equal(dump_count(rig.ss, "ranges of designation ", "first block 0: 0+32"), 1);
    assert_int_equal(dump_count(rig.ss, "name ", "kind snapshot"), 1);
    assert_int_equal(dump_count(rig.ss, "name ", "kind designation"), 1);
    assert_int_equal(dump_count(rig.ss, "snapshot ", "kind data, policy fail the write"), 1);
    assert_int_equal(dump_count(rig.ss, "label ", "\"with \\x22quotes\\x22\""), 1);
    assert_int_equal(dump_count(rig.ss, "property ", "key \"key\", value \"a value\""), 1);
    assert_true(dump_count(rig.ss, "entry run 0, level ", "data, place ") >= 1);
    assert_int_equal(dump_count(rig.ss, "overlay ", "zero"), 1);
    assert_int_equal(dump_count(rig.ss, "job ", "restore, source snapshot "), 1);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check__sound_store__counts_what_it_read),
        cmocka_unit_test(test_check__data_flipped__names_block_epoch_and_place),
        cmocka_unit_test(test_check__overlay_flipped__names_block_and_overlay),
        cmocka_unit_test(test_check__tree_page_flipped__is_told),
        cmocka_unit_test(test_check__problem_callback_says_stop__stops),
        cmocka_unit_test(test_check__progress__rises_to_the_end_and_can_stop),
        cmocka_unit_test(test_dump__every_kind_of_item__one_line_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
