/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged stores: reported as damage, never as other values; and what is no damage is not reported. */
#include "test.h"

#include "storebox.h"
#include "superblock.h"

#include <stdlib.h>
#include <string.h>

enum { STORE = 1 << 20, JOURNAL = 64 << 10, PAGE = 4096 };

/* A store with a tree, a ledger, and batches after it. */
static struct box *make(uint8_t **ret_image) {
    struct box *box = box_new(STORE, JOURNAL, 0, 31);
    box->doing = "damage";
    assert_ok(box_open(box, false));
    for (int i = 0; i < 60; i++) {
        assert_ok(box_step(box));
    }
    assert_ok(ssn_store_checkpoint(box->store));
    for (int i = 0; i < 4; i++) {
        assert_ok(box_step(box));
    }
    box_drop(box);
    *ret_image = malloc(STORE);
    assert_non_null(*ret_image);
    memcpy(*ret_image, crashdev_bytes(box->dev), STORE);
    return box;
}

/*
 * Opens what is there, and reads all of it: every value found must be right, what is missing must have been reported.
 * Gives whether damage was reported by the open or a lookup.
 */
static bool reported(struct box *box, bool writable) {
    struct ssn_key at = ssn_key_make(2, 0, 0);
    struct ssn_item item;
    int rc = box_open(box, !writable);
    bool damage = rc != SELSNAP_OK;
    assert_true(rc == SELSNAP_OK || rc == SELSNAP_EDAMAGED || rc == SELSNAP_ENOTSTORE);
    unsigned found = 0;
    while (rc == SELSNAP_OK && (rc = ssn_store_seek(box->store, &at, &item)) == SELSNAP_OK) {
        unsigned key = (unsigned)(item.key.major >> 20);
        assert_true(key < BOX_KEYS && ssn_get64(item.value) == box->state.slot[key].serial);
        at = item.key;
        (void)ssn_key_after(&at);
        found++;
    }
    damage = damage || rc == SELSNAP_EDAMAGED;
    if (!damage) {
        assert_int_equal(rc, SELSNAP_ENOENT);
        for (unsigned key = 0; key < BOX_KEYS; key++) {
            found -= box->state.slot[key].serial != 0;
        }
        assert_int_equal(found, 0); /* nothing was left out in silence */
    }
    if (box->store != NULL) {
        uint64_t problems;
        (void)box_count_problems(box, &problems);
        box_drop(box);
    }
    return damage;
}

static void restore(struct box *box, const uint8_t *image) {
    memcpy(crashdev_bytes(box->dev), image, STORE);
}

static void test_damage__a_bit_in_each_sector__is_found(void **state) {
    (void)state;
    uint8_t *image;
    struct box *box = make(&image);
    unsigned open_found = 0;
    for (uint64_t sector = 0; sector < STORE / 512; sector += test_share()) {
        for (unsigned bit = 0; bit < 4096; bit += sector < 400 ? 509 : 2039) {
            crashdev_bytes(box->dev)[sector * 512 + bit / 8] ^= (uint8_t)(1u << bit % 8);
            open_found += reported(box, sector % 16 == 0 && bit == 0);
            restore(box, image);
        }
    }
    assert_true(open_found > 100 / test_share());
    assert_false(reported(box, false));
    free(image);
    box_free(box);
}

/* The check finds what an open need not: each page of metadata, any sector of the journal, either superblock. */
static void test_damage__checked__is_told(void **state) {
    (void)state;
    uint8_t *image;
    struct box *box = make(&image);
    assert_ok(box_open(box, true));
    box_check(box);
    box_drop(box);
    static const uint64_t places[] = {0, 16, 32, 47};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        crashdev_bytes(box->dev)[places[i] * PAGE + 300] ^= 4;
        uint64_t problems = 1;
        if (box_open(box, true) == SELSNAP_OK) {
            assert_ok(box_count_problems(box, &problems));
            box_drop(box);
        }
        assert_true(problems > 0);
        restore(box, image);
    }
    free(image);
    box_free(box);
}

/* [F-8]: in a batch that was acknowledged, a flipped bit must not pass for a tear. */
static void test_damage__acknowledged_batch__is_not_dropped(void **state) {
    (void)state;
    struct box *box = box_new(STORE, JOURNAL, 0, 32);
    assert_ok(box_open(box, false));
    assert_ok(box_put(box, 1, 0, false));
    assert_ok(box_put(box, 2, 0, false));
    assert_ok(box_put(box, 3, 0, false));
    box_drop(box);
    for (unsigned batch = 0; batch < 3; batch++) {
        for (unsigned sector = 0; sector < 8; sector++) {
            uint8_t *byte = crashdev_bytes(box->dev) + (32 + batch) * PAGE + sector * 512 + 100;
            *byte ^= 1;
            assert_int_equal(box_open(box, false), SELSNAP_EDAMAGED);
            *byte ^= 1;
        }
    }
    assert_ok(box_open(box, false));
    box_verify(box);
    box_free(box);
}

/* A batch of which some sectors were not written is a tear: nothing is reported, and it is not there. */
static void test_damage__torn_batch__ends_the_log(void **state) {
    (void)state;
    for (unsigned lost = 0; lost < 8; lost++) {
        struct box *box = box_new(STORE, JOURNAL, 0, 33);
        uint8_t before[512];
        assert_ok(box_open(box, false));
        assert_ok(box_put(box, 1, 0, false));
        uint8_t *sector = crashdev_bytes(box->dev) + 33 * PAGE + lost * 512;
        memcpy(before, sector, sizeof before);
        struct box_state state_before = box->state;
        assert_ok(box_put(box, 2, 0, false));
        box_drop(box);
        memcpy(sector, before, sizeof before);
        box->state = state_before;
        assert_ok(box_open(box, false));
        box_verify(box);
        /* And the place is written again. */
        assert_ok(box_put(box, 3, 0, false));
        assert_ok(box_put(box, 4, 0, false));
        box_drop(box);
        assert_ok(box_open(box, false));
        box_verify(box);
        box_free(box);
    }
}

/* A page replaced by what stood at its place before, whole and under its own checksum, is not believed. */
static void test_damage__page_replaced_by_an_older_one__is_found(void **state) {
    (void)state;
    enum { ROUNDS = 6, FIRST = 48 };
    uint8_t *history[ROUNDS];
    unsigned replaced = 0;
    struct box *box = box_new(STORE, JOURNAL, 0, 38);
    box->doing = "older pages";
    assert_ok(box_open(box, false));
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 12; i++) {
            assert_ok(box_step(box));
        }
        assert_ok(ssn_store_checkpoint(box->store));
        history[round] = malloc(STORE);
        assert_non_null(history[round]);
        memcpy(history[round], crashdev_bytes(box->dev), STORE);
    }
    box_drop(box);
    const uint8_t *now = history[ROUNDS - 1];
    for (size_t page = FIRST; page < STORE / PAGE; page++) {
        for (unsigned round = 0; round < ROUNDS - 1; round++) {
            const uint8_t *old = history[round] + page * PAGE;
            if (memcmp(old, now + page * PAGE, PAGE) != 0) {
                memcpy(crashdev_bytes(box->dev) + page * PAGE, old, PAGE);
                replaced += reported(box, false);
                restore(box, now);
            }
        }
    }
    assert_true(replaced > 10);
    for (unsigned round = 0; round < ROUNDS; round++) {
        free(history[round]);
    }
    box_free(box);
}

/* [F-5]: the older superblock must not count where the journal knows of a newer one. */
static void test_damage__newer_superblock_lost__is_noticed(void **state) {
    (void)state;
    struct box *box = box_new(STORE, JOURNAL, 0, 34);
    struct ssn_superblock super[2];
    assert_ok(box_open(box, false));
    assert_ok(box_put(box, 1, 0, false));
    assert_ok(ssn_store_checkpoint(box->store));
    uint8_t *bytes = crashdev_bytes(box->dev);
    assert_ok(ssn_super_decode(bytes, 0, &super[0]));
    assert_ok(ssn_super_decode(bytes + 16 * PAGE, 16, &super[1]));
    uint8_t *newest = bytes + (super[1].sequence > super[0].sequence ? 16 * PAGE : 0);
    uint8_t *other = bytes + (super[1].sequence > super[0].sequence ? 0 : 16 * PAGE);
    assert_ok(box_put(box, 2, 0, false)); /* the journal knows it now */
    box_drop(box);
    newest[60] ^= 1;
    assert_int_equal(box_open(box, false), SELSNAP_EDAMAGED);
    newest[60] ^= 1;
    /* The older one damaged: nothing is lost. */
    other[60] ^= 1;
    assert_ok(box_open(box, false));
    box_verify(box);
    box_drop(box);
    box_free(box);
}

/* [F-5]: also where replay ends before the sectors that know it, as their batch is torn. */
static void test_damage__newer_superblock_lost_and_batch_torn__is_noticed(void **state) {
    (void)state;
    struct box *box = box_new(STORE, JOURNAL, 0, 37);
    struct ssn_superblock super[2];
    uint8_t *before = malloc(STORE);
    assert_non_null(before);
    assert_ok(box_open(box, false));
    assert_ok(box_put(box, 1, 0, false));
    assert_ok(ssn_store_checkpoint(box->store));
    uint8_t *bytes = crashdev_bytes(box->dev);
    memcpy(before, bytes, STORE);
    assert_ok(box_put(box, 2, 0, false));
    box_drop(box);
    uint64_t sector = 32 * PAGE / 512; /* the journal's first */
    while (memcmp(bytes + sector * 512, before + sector * 512, 512) == 0) {
        sector++;
    }
    assert_true(sector < (32 * PAGE + JOURNAL) / 512);
    memcpy(bytes + sector * 512, before + sector * 512, 512);
    assert_ok(ssn_super_decode(bytes, 0, &super[0]));
    assert_ok(ssn_super_decode(bytes + 16 * PAGE, 16, &super[1]));
    bytes[(super[1].sequence > super[0].sequence ? 16 * PAGE : 0) + 60] ^= 1;
    assert_int_equal(box_open(box, false), SELSNAP_EDAMAGED);
    free(before);
    box_free(box);
}

/* A slot that holds an older superblock of itself is valid, but replay meets sectors that know better. */
static void test_damage__superblock_replaced_by_older__is_noticed(void **state) {
    (void)state;
    struct box *box = box_new(STORE, JOURNAL, 0, 35);
    uint8_t slots[17 * PAGE];
    assert_ok(box_open(box, false));
    assert_ok(box_put(box, 1, 0, false));
    memcpy(slots, crashdev_bytes(box->dev), sizeof slots);
    for (int i = 0; i < 3; i++) {
        assert_ok(ssn_store_checkpoint(box->store));
        assert_ok(box_put(box, 2, 0, false));
    }
    box_drop(box);
    memcpy(crashdev_bytes(box->dev), slots, sizeof slots);
    assert_int_equal(box_open(box, false), SELSNAP_EDAMAGED);
    box_free(box);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage__a_bit_in_each_sector__is_found),
        cmocka_unit_test(test_damage__checked__is_told),
        cmocka_unit_test(test_damage__acknowledged_batch__is_not_dropped),
        cmocka_unit_test(test_damage__torn_batch__ends_the_log),
        cmocka_unit_test(test_damage__page_replaced_by_an_older_one__is_found),
        cmocka_unit_test(test_damage__newer_superblock_lost__is_noticed),
        cmocka_unit_test(test_damage__newer_superblock_lost_and_batch_torn__is_noticed),
        cmocka_unit_test(test_damage__superblock_replaced_by_older__is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
