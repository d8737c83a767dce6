/* SPDX-License-Identifier: Apache-2.0 */
/* A store device that fails: what is acknowledged stays true, what is not comes whole or not at all. */
#include "test.h"

#include "storebox.h"

#include <stdlib.h>
#include <string.h>

enum { STORE = 1 << 20, JOURNAL = 64 << 10, SCRIPT = 24 };

/* A script with a checkpoint in it, in which the n-th write or flush fails, and `more` after it. */
static bool run_script(uint64_t nth, uint64_t more, uint64_t cut_seed) {
    struct box *box = box_new(STORE, JOURNAL, 0, 21);
    box->doing = "failing calls";
    assert_ok(box_open(box, false));
    unsigned failures = 0;
    crashdev_fail(box->dev, nth, more);
    for (int i = 0; i < SCRIPT; i++) {
        if (i % 8 == 7) {
            int rc = ssn_store_checkpoint(box->store);
            assert_true(rc == SELSNAP_OK || rc == SELSNAP_ESTORE);
            failures += rc != SELSNAP_OK;
        }
        int rc = box_step(box);
        assert_true(rc == SELSNAP_OK || rc == SELSNAP_ESTORE);
        failures += rc != SELSNAP_OK;
    }
    crashdev_kill(box->dev); /* from here on nothing fails */
    unsigned key = 0;
    while (box_in_doubt(box, key)) {
        key++;
    }
    assert_ok(box_put(box, key, 1, false));
    assert_ok(ssn_store_checkpoint(box->store));
    assert_false(box_stats(box).failed);
    assert_int_equal(box->events[SELSNAP_EVENT_STORE_FAILED], box->events[SELSNAP_EVENT_STORE_RECOVERED]);
    box_verify(box);
    box_check(box);
    /* A cut takes from it nothing that was acknowledged, data included. */
    assert_int_equal(box->maybe_count, 0);
    box_drop(box);
    crashdev_cut(box->dev, cut_seed);
    assert_ok(box_open(box, false));
    box_verify(box);
    box_check(box);
    box_free(box);
    return failures > 0;
}

static void test_store__nth_call_fails__acknowledged_stays(void **state) {
    (void)state;
    uint64_t nth = 1;
    while (run_script(nth, 0, nth)) {
        nth += test_share();
    }
    assert_true(nth > SCRIPT * 2);
}

static void test_store__calls_fail_in_a_row__acknowledged_stays(void **state) {
    (void)state;
    for (uint64_t nth = 1; nth < 60; nth += test_share()) {
        (void)run_script(nth, 1, nth * 2);
        (void)run_script(nth, 2, nth * 3);
    }
}

/* The same, and the process dies while the store still fails. */
static void test_store__fails_then_cut__acknowledged_stays(void **state) {
    (void)state;
    for (uint64_t nth = 1; nth < 80; nth += test_share()) {
        struct box *box = box_new(STORE, JOURNAL, 0, 22);
        box->doing = "failing, then cut";
        assert_ok(box_open(box, false));
        crashdev_fail(box->dev, nth, 1000);
        for (int i = 0; i < SCRIPT && box->maybe_count < 2; i++) {
            if (i % 8 == 7) {
                (void)ssn_store_checkpoint(box->store);
            }
            (void)box_step(box);
        }
        box_drop(box);
        crashdev_cut(box->dev, nth);
        assert_ok(box_open(box, false));
        box_verify(box);
        box_check(box);
        box_free(box);
    }
}

/* A checkpoint whose superblock may be on the device keeps its pages until that is known. */
static void test_store__superblock_fails__pages_are_not_reused(void **state) {
    (void)state;
    for (uint64_t n = 0; n < 2 * 12 * 12; n += test_share()) {
        uint64_t nth = 1 + n / 24;
        struct box *box = box_new(STORE, JOURNAL, 0, 23 + n);
        box->doing = "failing checkpoint";
        assert_ok(box_open(box, false));
        crashdev_fail_whole(box->dev, n / 12 % 2 != 0);
        /* Data is taken from rising places: now and then it has come to where pages of the tree are taken. */
        for (uint64_t i = 0; i < 18 + n % 5 * 32; i++) {
            assert_ok(box_step(box));
            if (i % 8 == 7) {
                assert_ok(ssn_store_checkpoint(box->store));
            }
        }
        crashdev_fail(box->dev, nth, 0);
        (void)ssn_store_checkpoint(box->store);
        crashdev_fail(box->dev, 1 + n % 12, 0);
        (void)ssn_store_checkpoint(box->store);
        crashdev_kill(box->dev);
        for (int i = 0; i < 5; i++) {
            assert_ok(box_step(box)); /* without a checkpoint: whatever superblock is there must do */
        }
        box_drop(box);
        crashdev_cut(box->dev, nth * 5);
        assert_ok(box_open(box, false));
        box_verify(box);
        box_check(box);
        box_free(box);
    }
}

static void test_store__allocation_fails__nothing_is_lost(void **state) {
    (void)state;
    struct box *box = box_new(STORE, JOURNAL, 0, 24);
    box->doing = "little memory";
    assert_ok(box_open(box, false));
    unsigned refused = 0;
    for (int i = 0; i < 3000 / (int)test_share(); i++) {
        box->mem.limit = ssn_mem_current(&box->mem) + box_random(box, 20000);
        int rc = box_step(box);
        assert_true(rc == SELSNAP_OK || rc == SELSNAP_ENOMEM || rc == SELSNAP_ENOSPACE);
        refused += rc == SELSNAP_ENOMEM;
        box->mem.limit = 0;
        if (i % 50 == 0) {
            box_verify(box);
        }
    }
    assert_true(refused > 100 / test_share());
    box_check(box);
    box_drop(box);
    assert_ok(box_open(box, false));
    box_verify(box);
    box_check(box);
    box_free(box);
}

/* Opening, with each allocation failing in its turn. */
static void test_store__open_without_memory__fails_cleanly(void **state) {
    (void)state;
    struct box *box = box_new(STORE, JOURNAL, 0, 25);
    assert_ok(box_open(box, false));
    for (int i = 0; i < 30; i++) {
        assert_ok(box_step(box));
    }
    box_drop(box);
    int rc = SELSNAP_ENOMEM;
    for (uint64_t limit = 1; rc != SELSNAP_OK; limit += 4096) {
        box->mem.limit = limit;
        rc = box_open(box, true);
        assert_true(rc == SELSNAP_OK || rc == SELSNAP_ENOMEM);
        assert_true(rc == SELSNAP_OK || ssn_mem_current(&box->mem) == 0);
    }
    box->mem.limit = 0;
    box_verify(box);
    box_free(box);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store__nth_call_fails__acknowledged_stays),
        cmocka_unit_test(test_store__calls_fail_in_a_row__acknowledged_stays),
        cmocka_unit_test(test_store__fails_then_cut__acknowledged_stays),
        cmocka_unit_test(test_store__superblock_fails__pages_are_not_reused),
        cmocka_unit_test(test_store__allocation_fails__nothing_is_lost),
        cmocka_unit_test(test_store__open_without_memory__fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
