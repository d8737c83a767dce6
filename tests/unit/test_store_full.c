/* SPDX-License-Identifier: Apache-2.0 */
/* Full stores: what must go on, and that all space comes back. */
#include "test.h"

#include "storebox.h"

#include <string.h>

enum { SMALL = 1 << 20, JOURNAL = 64 << 10 };

/* Takes one-page runs until there is no more; the keys that got one. */
static unsigned fill_up(struct box *box, unsigned from, uint64_t pages) {
    unsigned key = from;
    while (key < BOX_KEYS) {
        int rc = box_put(box, key, pages, false);
        if (rc == SELSNAP_ENOSPACE) {
            break;
        }
        assert_ok(rc);
        key++;
    }
    return key;
}

static void test_store__filled_and_emptied__all_space_comes_back(void **state) {
    (void)state;
    struct box *box = box_new(SMALL, JOURNAL, 0, 3);
    box->doing = "full rounds";
    assert_ok(box_open(box, false));
    uint64_t usable = 0;
    for (int round = 0; round < 12; round++) {
        unsigned end = fill_up(box, 0, 2);
        assert_true(end > 20 && end < BOX_KEYS);
        assert_int_equal(box_put(box, end, 1, false), SELSNAP_ENOSPACE);
        uint64_t pages = 0;
        for (unsigned key = 0; key < end; key++) {
            pages += box->state.slot[key].pages;
        }
        /* The same in each round, but for the few pages of the tree. */
        usable = round == 0 ? pages : usable;
        assert_in_range(pages, usable - 8, usable + 8);
        box_verify(box);
        box_check(box);
        for (unsigned key = 0; key < end; key++) {
            assert_ok(box_delete(box, key));
        }
        box_verify(box);
        if (round % 3 == 2) {
            assert_ok(box_close(box, round % 2 == 0));
            assert_ok(box_open(box, false));
        }
    }
    box_check(box);
    assert_ok(ssn_store_checkpoint(box->store));
    box_free(box);
}

static void test_store__full__deletes_and_losses_go_on(void **state) {
    (void)state;
    struct box *box = box_new(SMALL, JOURNAL, 0, 4);
    box->doing = "full, thousands of changes";
    assert_ok(box_open(box, false));
    unsigned end = fill_up(box, 8, 3);
    for (int i = 0; i < 3000; i++) {
        /* Recorded as lost: no data; then gone again. */
        assert_ok(box_put(box, (unsigned)i % 8, 0, true));
        if (i % 3 == 0) {
            assert_ok(box_delete(box, (unsigned)i % 8));
        }
    }
    box_verify(box);
    for (unsigned key = 8; key < end; key++) {
        assert_ok(box_delete(box, key));
        assert_ok(box_delete(box, key)); /* once more, in vain */
    }
    assert_ok(ssn_store_checkpoint(box->store));
    assert_true(fill_up(box, 8, 3) >= end - 3);
    box_verify(box);
    box_check(box);
    box_free(box);
}

/* Many small records without data, until even they have no room; then everything is deleted, one by one. */
static void test_store__full_of_records__deletes_go_on(void **state) {
    (void)state;
    struct box *box = box_new(SMALL, JOURNAL, 0, 5);
    assert_ok(box_open(box, false));
    uint64_t records = 0;
    uint8_t value[600];
    memset(value, 7, sizeof value);
    int rc = SELSNAP_OK;
    for (; rc == SELSNAP_OK && records < 100000; records++) {
        struct ssn_txn txn;
        struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, records * 7919 % 65536, records);
        ssn_txn_init(&txn, box->store);
        ssn_txn_put(&txn, &key, value, sizeof value);
        rc = ssn_store_commit(box->store, &txn, records % 2 == 0);
        ssn_txn_fini(&txn);
    }
    assert_int_equal(rc, SELSNAP_ENOSPACE);
    assert_true(records > 400);
    for (uint64_t i = 0; i < records; i++) {
        struct ssn_txn txn;
        struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, i * 7919 % 65536, i);
        ssn_txn_init(&txn, box->store);
        ssn_txn_delete(&txn, &key);
        assert_ok(ssn_store_commit(box->store, &txn, true));
        ssn_txn_fini(&txn);
    }
    assert_ok(ssn_store_checkpoint(box->store));
    box_verify(box);
    box_check(box);
    assert_true(box_stats(box).leaf_count <= 4);
    box_free(box);
}

/* Random work at the brink, with power cuts. */
static void test_store__full_with_cuts__nothing_leaks(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct box *box = box_new(SMALL, JOURNAL, 0, seed);
        box->doing = "full, with cuts";
        assert_ok(box_open(box, false));
        for (int round = 0; round < 6; round++) {
            for (int i = 0; i < 60; i++) {
                unsigned key = (unsigned)box_random(box, BOX_KEYS);
                int rc =
                    box_random(box, 4) == 0 ? box_delete(box, key) : box_put(box, key, 1 + box_random(box, 5), false);
                assert_true(rc == SELSNAP_OK || rc == SELSNAP_ENOSPACE);
            }
            crashdev_stop_after(box->dev, box_random(box, 30));
            while (box->maybe_count == 0 && !crashdev_stopped(box->dev)) {
                (void)box_step(box);
            }
            box_drop(box);
            crashdev_cut(box->dev, box_random(box, 1 << 30));
            assert_ok(box_open(box, false));
            box_verify(box);
            box_check(box);
        }
        box_free(box);
    }
}

static void test_store__untake__is_free_again(void **state) {
    (void)state;
    struct box *box = box_new(SMALL, JOURNAL, 0, 6);
    assert_ok(box_open(box, false));
    uint64_t before = box_stats(box).free_bytes;
    for (int i = 0; i < 500; i++) {
        uint64_t place;
        uint64_t pages;
        assert_ok(ssn_store_take(box->store, 7, 1, &place, &pages));
        ssn_store_untake(box->store, place, pages);
        ssn_store_untake(box->store, place, pages); /* a second time is nothing */
    }
    assert_true(box_stats(box).free_bytes == before);
    box_free(box);
}

/* A place of several pages is never cut from fewer, wherever the last one ended and whatever has become free behind it. */
static void test_store__free_pages_fewer_than_a_unit_in_a_row__are_passed_by(void **state) {
    (void)state;
    enum { ALL = 2000, UNIT = 4 };
    struct box *box = box_new(SMALL, JOURNAL, 0, 5);
    assert_ok(box_open(box, false));
    uint64_t single[ALL];
    unsigned count = 0;
    uint64_t pages;
    while (count < ALL && ssn_store_take(box->store, 1, 1, &single[count], &pages) == SELSNAP_OK) {
        count++;
    }
    assert_in_range(count, 100, ALL - 1);
    for (unsigned i = 10; i + 1 < count; i += 4) {
        ssn_store_untake(box->store, single[i], 1);
        ssn_store_untake(box->store, single[i + 1], 1);
    }
    /* First what was kept when the store was full is used; then one page of a pair. */
    uint64_t place = 0;
    while (place != single[10]) {
        assert_ok(ssn_store_take(box->store, 1, 1, &place, &pages));
    }
    /* Now a page becomes free behind the other one, where the last place ended. */
    ssn_store_untake(box->store, single[12], 1);
    ssn_store_untake(box->store, single[count - 30], 1);
    pages = 0;
    assert_int_equal(ssn_store_take(box->store, UNIT, UNIT, &place, &pages), SELSNAP_ENOSPACE);
    assert_ok(ssn_store_take(box->store, 1, 1, &place, &pages));
    assert_int_equal(pages, 1);
    box_free(box);
}

/* What a section may still read is not handed out. */
static void test_store__read_section_open__space_waits(void **state) {
    (void)state;
    struct box *box = box_new(SMALL, JOURNAL, 0, 7);
    assert_ok(box_open(box, false));
    unsigned end = fill_up(box, 0, 2);
    unsigned ticket = ssn_store_enter(box->store);
    for (unsigned key = 0; key < end; key++) {
        assert_ok(box_delete(box, key));
    }
    assert_ok(ssn_store_checkpoint(box->store));
    assert_true(box_stats(box).free_bytes < 16 * 4096);
    assert_true(box_stats(box).pending_bytes > (uint64_t)end * 4096);
    ssn_store_leave(box->store, ticket);
    assert_true(box_stats(box).free_bytes > (uint64_t)end * 4096);
    box_free(box);
}

static void test_store__filling__is_told_once_upwards(void **state) {
    (void)state;
    struct box *box = box_new(SMALL, JOURNAL, 0, 8);
    assert_ok(box_open(box, false));
    (void)fill_up(box, 0, 2);
    unsigned told = box->events[SELSNAP_EVENT_STORE_FILLING];
    assert_in_range(told, 1, 4);
    (void)fill_up(box, 0, 2);
    assert_int_equal(box->events[SELSNAP_EVENT_STORE_FILLING], told);
    box_free(box);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store__filled_and_emptied__all_space_comes_back),
        cmocka_unit_test(test_store__full__deletes_and_losses_go_on),
        cmocka_unit_test(test_store__full_of_records__deletes_go_on),
        cmocka_unit_test(test_store__full_with_cuts__nothing_leaks),
        cmocka_unit_test(test_store__untake__is_free_again),
        cmocka_unit_test(test_store__free_pages_fewer_than_a_unit_in_a_row__are_passed_by),
        cmocka_unit_test(test_store__read_section_open__space_waits),
        cmocka_unit_test(test_store__filling__is_told_once_upwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
