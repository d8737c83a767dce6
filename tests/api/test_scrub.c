/* SPDX-License-Identifier: Apache-2.0 */
/* selsnap_scrub_step(): reads all data that is stored, once, in steps of any size, and tells what is damaged. P8. */
#include "dump.h"
#include "rig.h"
#include "testdev.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 4096 };

struct heard {
    unsigned lines;
    char last[256];
    unsigned stop_at; /* 0: never */
    unsigned events;
    uint64_t event_offset;
};

static int hear(void *user, const char *line) {
    struct heard *heard = user;
    heard->lines++;
    (void)snprintf(heard->last, sizeof heard->last, "%s", line);
    return heard->lines == heard->stop_at;
}

static void on_event(void *user, const selsnap_event *event) {
    struct heard *heard = user;
    if (event->kind == SELSNAP_EVENT_DAMAGE) {
        heard->events++;
        heard->event_offset = event->offset;
    }
}

/* 40 blocks preserved for one snapshot, some as long extents, zeros and overlays among them. Data blocks: 36 + 2. */
static uint64_t make(struct rig *rig, struct heard *heard) {
    const struct rig_options options = {.event = on_event, .event_user = heard};
    memset(heard, 0, sizeof *heard);
    rig_open(rig, &options);
    assert_ok(selsnap_write_zeroes(rig->ss, 0, 4 * BLOCK));
    uint64_t id = rig_snapshot(rig, "s", 0, 0);
    rig_write(rig, 0, 40, 1);
    selsnap_view *view = rig_view(rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    assert_ok(selsnap_view_write(view, "abc", 3, 50 * BLOCK));
    assert_ok(selsnap_view_write(view, "abc", 3, 7 * BLOCK));
    assert_ok(selsnap_view_close(view));
    return id;
}

/* Steps to the end. */
static selsnap_scrub scrub_all(struct rig *rig, uint64_t budget, struct heard *heard) {
    selsnap_scrub scrub = SELSNAP_SCRUB_INIT;
    for (unsigned steps = 0; scrub.done == 0; steps++) {
        uint64_t before = scrub.bytes;
        assert_true(steps < 1000);
        assert_ok(selsnap_scrub_step(rig->ss, &scrub, budget, hear, heard));
        uint64_t read = scrub.bytes - before;
        uint64_t most = budget == 0 ? 16 << 20 : budget;
        assert_true(read <= BLOCK || read - BLOCK < most);
    }
    assert_int_equal(scrub.bytes, scrub.blocks * BLOCK);
    return scrub;
}

static void flip(struct rig *rig, uint64_t offset) {
    uint8_t byte;
    assert_ok(selsnap_device_read(rig->store_base, &byte, 1, offset));
    byte ^= 0x10;
    assert_ok(selsnap_device_write(rig->store_base, &byte, 1, offset));
}

static void test_scrub__any_budget__reads_each_block_once(void **state) {
    (void)state;
    static const uint64_t budgets[] = {0, 1, 63, 64, 4096, 4160, 5000, 65536, UINT64_MAX};
    struct rig rig;
    struct heard heard;
    (void)make(&rig, &heard);
    for (size_t i = 0; i < sizeof budgets / sizeof budgets[0]; i++) {
        selsnap_scrub scrub = scrub_all(&rig, budgets[i], &heard);
        assert_int_equal(scrub.blocks, 38);
        assert_int_equal(scrub.problems, 0);
    }
    assert_int_equal(heard.lines + heard.events, 0);
    rig_close(&rig);
}

static void test_scrub__empty_store__done_at_once(void **state) {
    (void)state;
    struct rig rig;
    selsnap_scrub scrub = SELSNAP_SCRUB_INIT;
    rig_open(&rig, NULL);
    assert_ok(selsnap_scrub_step(rig.ss, &scrub, 1, NULL, NULL));
    assert_true(scrub.done == 1 && scrub.blocks == 0);
    assert_ok(selsnap_scrub_step(rig.ss, &scrub, 1, NULL, NULL));
    assert_true(scrub.done == 1 && scrub.position[0] == 0);
    rig_close(&rig);
}

static void test_scrub__kept_across_close_and_open__goes_on(void **state) {
    (void)state;
    struct rig rig;
    struct heard heard;
    selsnap_scrub scrub = SELSNAP_SCRUB_INIT;
    (void)make(&rig, &heard);
    for (unsigned steps = 0; scrub.done == 0; steps++) {
        assert_true(steps < 100);
        assert_ok(selsnap_scrub_step(rig.ss, &scrub, 3 * BLOCK, hear, &heard));
        rig.options.open_flags = steps % 2 == 0 ? SELSNAP_OPEN_READ_ONLY : 0;
        rig_reopen(&rig);
    }
    assert_int_equal(scrub.blocks, 38);
    assert_int_equal(heard.lines, 0);
    rig_close(&rig);
}

static void test_scrub__damaged_blocks__each_told_with_its_event(void **state) {
    (void)state;
    struct rig rig;
    struct heard heard;
    (void)make(&rig, &heard);
    uint64_t place = dump_number(rig.ss, "entry", "data", "place ");
    flip(&rig, place * BLOCK + 17);
    for (uint64_t budget = 1; budget <= 1 << 20; budget *= 32) {
        memset(&heard, 0, sizeof heard);
        selsnap_scrub scrub = scrub_all(&rig, budget, &heard);
        assert_true(scrub.problems == 1 && heard.lines == 1 && heard.events == 1 && scrub.blocks == 38);
        assert_int_equal(heard.event_offset, place * BLOCK);
        assert_non_null(strstr(heard.last, "recorded checksum"));
    }
    selsnap_scrub quiet = SELSNAP_SCRUB_INIT;
    assert_ok(selsnap_scrub_step(rig.ss, &quiet, 0, NULL, NULL));
    assert_int_equal(quiet.problems, 1);
    rig_close(&rig);
}

static void test_scrub__stopped_at_each_problem__tells_each_once(void **state) {
    (void)state;
    struct rig rig;
    struct heard heard;
    (void)make(&rig, &heard);
    uint64_t place = dump_number(rig.ss, "entry", "data", "place ");
    for (unsigned i = 0; i < 4; i++) {
        flip(&rig, (place + i) * BLOCK);
    }
    memset(&heard, 0, sizeof heard);
    selsnap_scrub whole = scrub_all(&rig, 0, &heard);
    assert_true(whole.problems == heard.lines && whole.problems >= 2);
    uint64_t problems = whole.problems;
    selsnap_scrub scrub = SELSNAP_SCRUB_INIT;
    unsigned canceled = 0;
    while (scrub.done == 0) {
        memset(&heard, 0, sizeof heard);
        heard.stop_at = 1;
        int code = selsnap_scrub_step(rig.ss, &scrub, 0, hear, &heard);
        assert_true(code == SELSNAP_OK || code == SELSNAP_ECANCELED);
        assert_int_equal(heard.lines, code == SELSNAP_ECANCELED);
        canceled += code == SELSNAP_ECANCELED;
        assert_true(canceled <= problems);
    }
    assert_true(canceled == problems && scrub.problems == problems && scrub.blocks == 38);
    rig_close(&rig);
}

static void test_scrub__unreadable_data__a_problem_each(void **state) {
    (void)state;
    struct rig rig;
    struct wire wire;
    selsnap_device *origin = NULL;
    struct heard heard;
    memset(&heard, 0, sizeof heard);
    wire_init(&wire, false);
    assert_ok(selsnap_device_open_memory(64 * BLOCK, 0, &origin));
    struct testdev *dev = testdev_open(&wire, 's', 8 << 20, 0, NULL);
    rig_open_on(&rig, origin, dev->device, NULL);
    (void)rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 0, 8, 1);
    uint64_t place = dump_number(rig.ss, "entry", "data", "place ");
    dev->bad_ops = TESTDEV_READ;
    dev->bad_offset = place * BLOCK;
    dev->bad_len = 1;
    selsnap_scrub scrub = scrub_all(&rig, 0, &heard);
    assert_true(scrub.problems == 1 && heard.lines == 1);
    assert_non_null(strstr(heard.last, "cannot be read"));
    dev->bad_ops = 0;
    rig_close(&rig);
    wire_fini(&wire);
}

static void test_scrub__arguments_and_states__refused_by_name(void **state) {
    (void)state;
    struct rig rig;
    struct heard heard;
    selsnap_scrub scrub = SELSNAP_SCRUB_INIT;
    selsnap_scrub unset = {0};
    (void)make(&rig, &heard);
    assert_int_equal(selsnap_scrub_step(NULL, &scrub, 0, NULL, NULL), SELSNAP_EINVAL);
    assert_int_equal(selsnap_scrub_step(rig.ss, NULL, 0, NULL, NULL), SELSNAP_EINVAL);
    assert_int_equal(selsnap_scrub_step(rig.ss, &unset, 0, NULL, NULL), SELSNAP_EINVAL);
    for (uint64_t type = 0; type < 300; type++) {
        selsnap_scrub odd = SELSNAP_SCRUB_INIT;
        odd.position[0] = type;
        odd.position[1] = UINT64_MAX;
        odd.position[2] = UINT64_MAX;
        odd.position[3] = UINT64_MAX;
        int expected = type == 8 || type == 9 ? SELSNAP_OK : SELSNAP_EINVAL;
        assert_int_equal(selsnap_scrub_step(rig.ss, &odd, 0, NULL, NULL), expected);
    }
    assert_ok(selsnap_abandon(rig.ss));
    assert_int_equal(selsnap_scrub_step(rig.ss, &scrub, 0, NULL, NULL), SELSNAP_EABANDONED);
    rig_close(&rig);
}

static void test_scrub__no_memory__told_and_tried_again(void **state) {
    (void)state;
    struct rig rig;
    struct heard heard;
    (void)make(&rig, &heard);
    unsigned failures = 0;
    for (uint64_t nth = 1; nth < 20; nth++) {
        selsnap_scrub scrub = SELSNAP_SCRUB_INIT;
        heap_fail(&rig.heap, nth, true);
        int code = selsnap_scrub_step(rig.ss, &scrub, 0, hear, &heard);
        heap_mend(&rig.heap);
        assert_true(code == SELSNAP_OK || code == SELSNAP_ENOMEM);
        failures += code != SELSNAP_OK;
        assert_ok(selsnap_scrub_step(rig.ss, &scrub, 0, hear, &heard));
        assert_true(scrub.done == 1 && scrub.blocks == 38 && scrub.problems == 0);
    }
    assert_true(failures > 0);
    rig_close(&rig);
}

static void test_scrub__index_cannot_be_read__told_and_tried_again(void **state) {
    (void)state;
    struct rig rig;
    struct wire wire;
    selsnap_device *origin = NULL;
    selsnap_scrub scrub = SELSNAP_SCRUB_INIT;
    wire_init(&wire, false);
    assert_ok(selsnap_device_open_memory(64 * BLOCK, 0, &origin));
    struct testdev *dev = testdev_open(&wire, 's', 8 << 20, 0, NULL);
    rig_open_on(&rig, origin, dev->device, NULL);
    (void)rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 0, 8, 1);
    rig_stop(&rig);
    uint64_t nth = 1;
    for (bool failed = true; failed; nth++) {
        /* A cold cache: the open reads pages as well. */
        testdev_fail(dev, TESTDEV_READ, nth, true);
        int code = rig_try_start(&rig);
        bool opened = code == SELSNAP_OK;
        if (opened) {
            memset(&scrub, 0, sizeof scrub);
            scrub.struct_size = sizeof scrub;
            code = selsnap_scrub_step(rig.ss, &scrub, 0, NULL, NULL);
            failed = dev->failed > 0;
        }
        dev->rule.ops = 0;
        dev->failed = 0;
        assert_true(code == SELSNAP_OK || code == SELSNAP_ESTORE || code == SELSNAP_EIO);
        if (opened) {
            if (code != SELSNAP_OK) {
                assert_ok(selsnap_scrub_step(rig.ss, &scrub, 0, NULL, NULL));
                assert_int_equal(scrub.blocks, 8);
            }
            assert_int_equal(scrub.done, 1);
            rig_stop(&rig);
        }
        assert_true(nth < 1000);
    }
    rig_close(&rig);
    wire_fini(&wire);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scrub__any_budget__reads_each_block_once),
        cmocka_unit_test(test_scrub__empty_store__done_at_once),
        cmocka_unit_test(test_scrub__kept_across_close_and_open__goes_on),
        cmocka_unit_test(test_scrub__damaged_blocks__each_told_with_its_event),
        cmocka_unit_test(test_scrub__stopped_at_each_problem__tells_each_once),
        cmocka_unit_test(test_scrub__unreadable_data__a_problem_each),
        cmocka_unit_test(test_scrub__arguments_and_states__refused_by_name),
        cmocka_unit_test(test_scrub__no_memory__told_and_tried_again),
        cmocka_unit_test(test_scrub__index_cannot_be_read__told_and_tried_again),
    };
    return cmocka_run_group_tests_name("scrub", tests, NULL, NULL);
}
