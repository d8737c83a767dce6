/* SPDX-License-Identifier: Apache-2.0 */
/* Making, opening and closing stores; what a commit costs; lookups. */
#include "test.h"

#include "storebox.h"

#include <stdlib.h>
#include <string.h>

enum { STORE = 4 << 20, JOURNAL = 64 << 10 };

static int format(struct crashdev *dev, uint64_t journal_bytes, bool overwrite) {
    struct ssn_report report;
    struct ssn_store_facts facts;
    memset(&facts, 0, sizeof facts);
    facts.block_bytes = 4096;
    facts.origin_bytes = 12345;
    facts.journal_bytes = journal_bytes;
    facts.identity_known = true;
    facts.origin_identity[5] = 9;
    strcpy(facts.origin_hint, "/dev/here");
    assert_ok(ssn_report_init(&report));
    int rc = ssn_store_format(crashdev_device(dev), &report, &facts, overwrite);
    ssn_report_fini(&report);
    return rc;
}

static int peek(struct crashdev *dev, struct ssn_store_facts *ret_facts) {
    struct ssn_report report;
    assert_ok(ssn_report_init(&report));
    int rc = ssn_store_peek(crashdev_device(dev), &report, ret_facts);
    ssn_report_fini(&report);
    return rc;
}

static void test_format__sizes__refused_or_made(void **state) {
    (void)state;
    static const struct {
        uint64_t size, journal;
        int result;
    } cases[] = {
        {1 << 20, 0, SELSNAP_OK},
        {64 << 10, 0, SELSNAP_ETOOSMALL},
        {256 << 10, 0, SELSNAP_ETOOSMALL},
        {1 << 20, 65536, SELSNAP_OK},
        {1 << 20, 32768, SELSNAP_EINVAL},
        {4 << 20, 65537, SELSNAP_EINVAL},
        {1 << 20, 1 << 20, SELSNAP_ETOOSMALL},
        {4 << 20, UINT64_C(2) << 30, SELSNAP_EINVAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct crashdev *dev = crashdev_new(cases[i].size);
        struct ssn_store_facts facts;
        assert_int_equal(peek(dev, &facts), SELSNAP_ENOTSTORE);
        assert_int_equal(format(dev, cases[i].journal, false), cases[i].result);
        if (cases[i].result == SELSNAP_OK) {
            assert_ok(peek(dev, &facts));
            assert_true(facts.store_pages == cases[i].size / 4096 && facts.origin_bytes == 12345);
            assert_true(facts.identity_known && facts.origin_identity[5] == 9 && !facts.was_clean);
            assert_string_equal(facts.origin_hint, "/dev/here");
            assert_int_equal(format(dev, cases[i].journal, false), SELSNAP_EEXIST);
            assert_ok(format(dev, cases[i].journal, true));
        } else {
            assert_int_equal(peek(dev, &facts), SELSNAP_ENOTSTORE);
        }
        crashdev_free(dev);
    }
}

/* A cut while a store is made over another leaves a whole store or none. */
static void test_format__cut_at_every_call__whole_or_none(void **state) {
    (void)state;
    int rc = SELSNAP_ESTORE;
    for (uint64_t at = 0; rc != SELSNAP_OK; at++) {
        struct box *box = box_new(1 << 20, JOURNAL, 0, at);
        assert_ok(box_open(box, false));
        assert_ok(box_put(box, 3, 1, false));
        box_drop(box);
        crashdev_stop_after(box->dev, at);
        rc = format(box->dev, JOURNAL, true);
        crashdev_cut(box->dev, at * 3);
        int opened = box_open(box, false);
        if (opened == SELSNAP_OK) {
            struct ssn_key key = ssn_key_make(2, 0, 0);
            struct ssn_item item;
            int found = ssn_store_seek(box->store, &key, &item);
            assert_int_equal(found, at == 0 ? SELSNAP_OK : rc == SELSNAP_OK ? SELSNAP_ENOENT : found);
        } else {
            assert_true(opened == SELSNAP_ENOTSTORE || opened == SELSNAP_EDAMAGED);
        }
        assert_true(rc != SELSNAP_OK || opened == SELSNAP_OK);
        box_free(box);
    }
}

static void test_commit__one_writer__one_write_and_one_flush(void **state) {
    (void)state;
    struct box *box = box_new(STORE, 1 << 20, 0, 1);
    assert_ok(box_open(box, false));
    assert_ok(box_put(box, 0, 1, false));
    for (unsigned i = 0; i < 50; i++) {
        (void)crashdev_take_counts(box->dev);
        assert_ok(box_put(box, i, 0, false));
        struct crashdev_counts counts = crashdev_take_counts(box->dev);
        assert_true(counts.writes == 1 && counts.flushes == 1 && counts.write_bytes == 4096 && counts.reads == 0);
    }
    (void)crashdev_take_counts(box->dev);
    assert_ok(box_put(box, 7, 1, false));
    struct crashdev_counts counts = crashdev_take_counts(box->dev);
    assert_true(counts.writes == 2 && counts.flushes == 1); /* the data, and the batch */
    box_free(box);
}

static void test_open__reads__the_journal_in_few_pieces(void **state) {
    (void)state;
    struct box *box = box_new(STORE, 1 << 20, 0, 1);
    assert_ok(box_open(box, false));
    for (unsigned i = 0; i < 60; i++) {
        assert_ok(box_put(box, i, 1, false));
    }
    box_drop(box);
    (void)crashdev_take_counts(box->dev);
    assert_ok(box_open(box, true));
    struct crashdev_counts counts = crashdev_take_counts(box->dev);
    assert_true(counts.writes == 0 && counts.flushes == 0 && counts.reads <= 4);
    assert_true(box->max_serial == box->serial);
    assert_int_equal(box_put(box, 1, 0, false), SELSNAP_EREADONLY);
    box_verify(box);
    box_free(box);
}

static void test_close__clean__next_open_knows(void **state) {
    (void)state;
    struct box *box = box_new(STORE, JOURNAL, 0, 1);
    struct ssn_store_facts facts;
    assert_ok(box_open(box, false));
    assert_ok(box_put(box, 1, 1, false));
    ssn_store_raise_epoch(box->store, 77);
    assert_true(ssn_store_take_id(box->store) == 1);
    struct ssn_store *store = box->store;
    box->store = NULL;
    assert_ok(ssn_store_close(store, true, true, 4711));
    assert_ok(peek(box->dev, &facts));
    assert_true(facts.was_clean && facts.mark_known && facts.change_mark == 4711);
    assert_ok(box_open(box, false));
    assert_true(ssn_store_get_facts(box->store)->was_clean);
    assert_true(ssn_store_next_epoch(box->store) == 77 && ssn_store_next_id(box->store) == 2);
    assert_true(box_stats(box).journal_used_bytes == 0);
    assert_ok(peek(box->dev, &facts));
    assert_true(!facts.was_clean && !facts.mark_known);
    assert_ok(ssn_store_abandon(box->store));
    assert_ok(box_put(box, 2, 1, false));
    box_drop(box);
    assert_ok(peek(box->dev, &facts));
    assert_true(facts.abandoned && !facts.was_clean);
    assert_ok(box_open(box, false));
    box_verify(box);
    assert_ok(box_close(box, true)); /* with a replayed journal */
    assert_ok(box_open(box, false));
    assert_ok(box_close(box, true)); /* with nothing to fold */
    assert_ok(peek(box->dev, &facts));
    assert_true(facts.was_clean && !facts.mark_known);
    box_free(box);
}

static void test_txn__too_large_or_wrong__nothing_changes(void **state) {
    (void)state;
    struct box *box = box_new(STORE, JOURNAL, 0, 1);
    uint8_t value[SSN_VALUE_MAX + 1];
    memset(value, 1, sizeof value);
    assert_ok(box_open(box, false));
    uint64_t version = ssn_store_version(box->store);
    struct ssn_txn txn;
    ssn_txn_init(&txn, box->store);
    for (uint64_t i = 0; i < 50; i++) {
        struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, i, 0);
        ssn_txn_put(&txn, &key, value, 1200);
    }
    assert_int_equal(ssn_store_commit(box->store, &txn, false), SELSNAP_ELIMIT);
    ssn_txn_fini(&txn);
    struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, 1, 0);
    ssn_txn_put(&txn, &key, value, SSN_VALUE_MAX + 1);
    assert_int_equal(ssn_store_commit(box->store, &txn, false), SELSNAP_ELIMIT);
    ssn_txn_fini(&txn);
    ssn_txn_give(&txn, 3, 1);
    assert_int_equal(ssn_store_commit(box->store, &txn, false), SELSNAP_EDAMAGED);
    ssn_txn_fini(&txn);
    assert_ok(ssn_store_commit(box->store, &txn, false));
    assert_true(ssn_store_version(box->store) == version);
    /* As large as it may be: it fits into the smallest journal. */
    for (uint64_t i = 0; i < 40; i++) {
        key = ssn_key_make(SSN_ITEM_ENTRY, i, 0);
        ssn_txn_put(&txn, &key, value, 1200);
    }
    for (int i = 0; i < 4; i++) {
        assert_ok(ssn_store_commit(box->store, &txn, false));
    }
    ssn_txn_fini(&txn);
    box_free(box);
}

/* Runs of tombstones, in both directions, over a folded tree. */
static void test_seek__many_deleted__finds_the_next(void **state) {
    (void)state;
    struct box *box = box_new(STORE, JOURNAL, 0, 1);
    struct ssn_item item;
    uint8_t value[8] = {0};
    assert_ok(box_open(box, false));
    for (int pass = 0; pass < 2; pass++) {
        for (uint64_t i = 0; i < 3000; i += 100) {
            struct ssn_txn txn;
            ssn_txn_init(&txn, box->store);
            for (uint64_t j = i; j < i + 100; j++) {
                struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, j, 0);
                if (pass == 0) {
                    ssn_txn_put(&txn, &key, value, 8);
                } else if (j != 0 && j != 2999 && j != 1500) {
                    ssn_txn_delete(&txn, &key);
                }
            }
            assert_ok(ssn_store_commit(box->store, &txn, false));
            ssn_txn_fini(&txn);
        }
        if (pass == 0) {
            assert_ok(ssn_store_checkpoint(box->store));
        }
    }
    struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, 1, 0);
    assert_ok(ssn_store_seek(box->store, &key, &item));
    assert_true(item.key.major == 1500);
    key.major = 1501;
    assert_ok(ssn_store_seek(box->store, &key, &item));
    assert_true(item.key.major == 2999);
    key.major = 2998;
    assert_ok(ssn_store_seek_last(box->store, &key, &item));
    assert_true(item.key.major == 1500);
    key.major = 1499;
    assert_ok(ssn_store_seek_last(box->store, &key, &item));
    assert_true(item.key.major == 0);
    key = ssn_key_make(255, UINT64_MAX, UINT64_MAX);
    assert_int_equal(ssn_store_seek(box->store, &key, &item), SELSNAP_ENOENT);
    assert_ok(ssn_store_seek_last(box->store, &key, &item));
    assert_true(item.key.major == 2999);
    key = ssn_key_make(0, 0, 0);
    assert_int_equal(ssn_store_seek_last(box->store, &key, &item), SELSNAP_ENOENT);
    box_free(box);
}

/* Far more changes than the memory allowed for them. */
static void test_memory__limit__holds(void **state) {
    (void)state;
    struct box *box = box_new(16 << 20, 4 << 20, 16 << 20, 1);
    uint8_t value[1000];
    memset(value, 0, sizeof value); /* names no data */
    assert_ok(box_open(box, false));
    for (uint64_t i = 0; i < 6000; i++) {
        struct ssn_txn txn;
        struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, i * 7919 % 8192, 0);
        ssn_txn_init(&txn, box->store);
        ssn_txn_put(&txn, &key, value, (uint16_t)(1 + i % 1000));
        assert_ok(ssn_store_commit(box->store, &txn, false));
        ssn_txn_fini(&txn);
    }
    assert_true(box->mem.peak < 12 << 20);
    box_check(box);
    box_free(box);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format__sizes__refused_or_made),
        cmocka_unit_test(test_format__cut_at_every_call__whole_or_none),
        cmocka_unit_test(test_commit__one_writer__one_write_and_one_flush),
        cmocka_unit_test(test_open__reads__the_journal_in_few_pieces),
        cmocka_unit_test(test_close__clean__next_open_knows),
        cmocka_unit_test(test_txn__too_large_or_wrong__nothing_changes),
        cmocka_unit_test(test_seek__many_deleted__finds_the_next),
        cmocka_unit_test(test_memory__limit__holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
