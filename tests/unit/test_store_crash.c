/* SPDX-License-Identifier: Apache-2.0 */
/* Power cuts, kills and reopening, against a naive model. */
#include "test.h"

#include "storebox.h"

#include <stdlib.h>
#include <string.h>

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
    for (uint64_t seed = 1; seed <= 20; seed += test_share()) {
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
    for (uint64_t seed = 100; seed < 140; seed += test_share()) {
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
    for (uint64_t at = 0; !ended; at += test_share()) {
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

/* Batches of one number, torn one after another: sectors of two of them must not pass for one. */
static void test_store__torn_again_and_again__no_mixture_is_believed(void **state) {
    (void)state;
    struct box *box = box_new(STORE, JOURNAL, 0, 12);
    box->doing = "torn again and again";
    assert_ok(box_open(box, false));
    for (uint64_t i = 0; i < 400 / test_share(); i++) {
        crashdev_stop_after(box->dev, 1); /* the batch is written; no flush */
        struct ssn_txn txn;
        ssn_txn_init(&txn, box->store);
        for (uint64_t j = 0; j < 4; j++) {
            uint8_t value[800];
            struct ssn_key key = ssn_key_make(SSN_ITEM_JOB, j, 0);
            memset(value, 0, 24);
            memset(value + 24, (int)i, sizeof value - 24);
            ssn_txn_put(&txn, &key, value, sizeof value);
        }
        assert_int_equal(ssn_store_commit(box->store, &txn, false), SELSNAP_ESTORE);
        ssn_txn_fini(&txn);
        box_drop(box);
        crashdev_cut(box->dev, i);
        assert_ok(box_open(box, false));
        struct ssn_item item[4];
        int rc = SELSNAP_OK;
        for (uint64_t j = 0; j < 4 && rc == SELSNAP_OK; j++) {
            struct ssn_key key = ssn_key_make(SSN_ITEM_JOB, j, 0);
            rc = ssn_store_get(box->store, &key, &item[j]);
            assert_true(rc == SELSNAP_OK || (j == 0 && rc == SELSNAP_ENOENT));
            if (rc == SELSNAP_OK) {
                assert_memory_equal(item[j].value, item[0].value, 800);
                assert_true(item[j].value[24] == item[j].value[799]);
            }
        }
    }
    box_free(box);
}

/* Transactions of all sizes in the smallest ring: no batch that counts is overwritten. */
static void test_store__ring_filled__nothing_is_overwritten(void **state) {
    (void)state;
    struct box *box = box_new(4 * STORE, JOURNAL, 0, 13);
    uint64_t serial[3] = {0};
    uint64_t next = 0;
    for (int round = 0; round < 300 / (int)test_share(); round++) {
        assert_ok(box_open(box, false));
        for (unsigned i = 0; i < 3; i++) {
            struct ssn_item item;
            struct ssn_key key = ssn_key_make(SSN_ITEM_JOB, i, 0);
            int rc = ssn_store_get(box->store, &key, &item);
            assert_int_equal(rc, serial[i] == 0 ? SELSNAP_ENOENT : SELSNAP_OK);
            assert_true(rc != SELSNAP_OK || ssn_get64(item.value) == serial[i]);
        }
        unsigned count = 1 + (unsigned)box_random(box, 3);
        for (unsigned i = 0; i < count; i++) {
            uint64_t bulk = box_random(box, 40);
            uint8_t value[1200] = {0};
            struct ssn_txn txn;
            struct ssn_key key = ssn_key_make(SSN_ITEM_JOB, i, 0);
            ssn_txn_init(&txn, box->store);
            serial[i] = ++next;
            ssn_put64(value, next);
            ssn_txn_put(&txn, &key, value, 8);
            for (uint64_t j = 0; j < bulk; j++) {
                key = ssn_key_make(SSN_ITEM_ENTRY, j, 0);
                ssn_txn_put(&txn, &key, value, sizeof value);
            }
            assert_ok(ssn_store_commit(box->store, &txn, false));
            ssn_txn_fini(&txn);
        }
        box_drop(box);
    }
    box_free(box);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store__random_work__is_what_the_model_says),
        cmocka_unit_test(test_store__power_cut_at_random__committed_is_there),
        cmocka_unit_test(test_store__power_cut_at_every_call__committed_is_there),
        cmocka_unit_test(test_store__killed_before_flush__replayed_is_durable),
        cmocka_unit_test(test_store__torn_again_and_again__no_mixture_is_believed),
        cmocka_unit_test(test_store__ring_filled__nothing_is_overwritten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
