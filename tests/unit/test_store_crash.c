/* SPDX-License-Identifier: Apache-2.0 */
/* Power cuts, kills and reopening, against a naive model. */
#include "test.h"

#include "storebox.h"

#include <stdlib.h>

enum { STORE = 1 << 20, JOURNAL = 64 << 10, SCRIPT = 30 };

static void reopen(struct box *box) {
    assert_ok(box_open(box, true));
    box_check(box);
    box_drop(box);
    assert_ok(box_open(box, false));
    box_verify(box);
}

/* Random transactions, checkpoints, clean and unclean ends. */
static void test_store__random_work__is_what_the_model_says(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct box *box = box_new(STORE, JOURNAL, 0, seed);
        box->doing = "random work";
        for (int round = 0; round < 12; round++) {
            reopen(box);
            for (int i = 0; i < 40; i++) {
                assert_ok(box_step(box));
                if (box_random(box, 20) == 0) {
                    assert_ok(ssn_store_checkpoint(box->store));
                }
                if (box_random(box, 10) == 0) {
                    box_verify(box);
                }
            }
            box_verify(box);
            if (box_random(box, 2) == 0) {
                box_check(box);
            }
            assert_ok(box_close(box, box_random(box, 2) == 0));
        }
        box_free(box);
    }
}

/* Runs until the device stops, then loses power and opens again; the open is cut too. */
static void cut_and_recover(struct box *box) {
    box_drop(box);
    if (box_random(box, 4) == 0) {
        crashdev_kill(box->dev);
    } else {
        crashdev_cut(box->dev, box_random(box, 1 << 30));
    }
    for (int again = 0; again < 3; again++) {
        crashdev_stop_after(box->dev, box_random(box, 5));
        if (box_open(box, false) == SELSNAP_OK) {
            box_drop(box);
        }
        crashdev_cut(box->dev, box_random(box, 1 << 30));
    }
    reopen(box);
}

static void test_store__power_cut_at_random__committed_is_there(void **state) {
    (void)state;
    for (uint64_t seed = 100; seed < 140; seed++) {
        struct box *box = box_new(STORE, JOURNAL, 0, seed);
        box->doing = "cuts at random";
        assert_ok(box_open(box, false));
        for (int cut = 0; cut < 12; cut++) {
            crashdev_stop_after(box->dev, box_random(box, 60));
            while (box->maybe_count == 0 && !crashdev_stopped(box->dev)) {
                if (box_step(box) == SELSNAP_OK && box_random(box, 8) == 0) {
                    (void)ssn_store_checkpoint(box->store);
                }
            }
            cut_and_recover(box);
        }
        box_check(box);
        box_free(box);
    }
}

/* The same script, cut at each of its writes and flushes. */
static void test_store__power_cut_at_every_call__committed_is_there(void **state) {
    (void)state;
    bool ended = false;
    for (uint64_t at = 0; !ended; at++) {
        struct box *box = box_new(STORE, JOURNAL, 0, 7);
        box->doing = "a cut at every call";
        assert_ok(box_open(box, false));
        crashdev_stop_after(box->dev, at);
        for (int i = 0; i < SCRIPT && box->maybe_count == 0 && !crashdev_stopped(box->dev); i++) {
            if (i % 10 == 9) {
                (void)ssn_store_checkpoint(box->store);
            }
            (void)box_step(box);
        }
        ended = !crashdev_stopped(box->dev);
        box->random += at;
        cut_and_recover(box);
        box_check(box);
        box_free(box);
    }
}

/* A batch that only the cache held must not be believed and then lost: activate flushes. */
static void test_store__killed_before_flush__replayed_is_durable(void **state) {
    (void)state;
    struct box *box = box_new(STORE, JOURNAL, 0, 11);
    box->doing = "killed before flush";
    assert_ok(box_open(box, false));
    assert_ok(box_put(box, 1, 1, false));
    crashdev_stop_after(box->dev, 2); /* the data and the batch are written; no flush */
    assert_int_equal(box_put(box, 2, 1, false), SELSNAP_ESTORE);
    box_drop(box);
    crashdev_kill(box->dev);
    assert_ok(box_open(box, false));
    box_verify(box);
    assert_true(box->state.slot[2].serial != 0);
    box_drop(box);
    crashdev_cut(box->dev, 0);
    assert_ok(box_open(box, false));
    box_verify(box);
    assert_true(box->state.slot[2].serial != 0);
    box_free(box);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store__random_work__is_what_the_model_says),
        cmocka_unit_test(test_store__power_cut_at_random__committed_is_there),
        cmocka_unit_test(test_store__power_cut_at_every_call__committed_is_there),
        cmocka_unit_test(test_store__killed_before_flush__replayed_is_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
