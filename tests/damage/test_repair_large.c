/* SPDX-License-Identifier: Apache-2.0 */
/* P8, P10: a store of many entries, most of them far apart, is repaired under the least memory allowed; and one whose
 * designation takes leaves of its own. */
#include "rig.h"
#include "sparsedev.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    LARGE_RUNS = 200,
    SCATTERED = 20000,
    APART = 12007, /* blocks from one scattered block to the next */
    JOURNAL_BYTES = 1 << 20,
    VICTIM = 9000, /* the page that holds the entry of this scattered block is damaged */
};

static const uint64_t STORE_BYTES = UINT64_C(4) << 30;
static const uint64_t FIRST_SCATTERED = UINT64_C(1) << 20;

static uint64_t scattered(uint64_t i) {
    return FIRST_SCATTERED + i * APART;
}

static void make(struct rig *rig, uint64_t *ret_id) {
    const struct rig_options options = {.blank = true, .journal_bytes = JOURNAL_BYTES};
    selsnap_device *origin = NULL;
    selsnap_device *store = NULL;
    (void)sparsedev_open(UINT64_C(1) << 40, 4096, true, &origin);
    (void)sparsedev_open(STORE_BYTES, 4096, false, &store);
    rig_open_on(rig, origin, store, &options);
    *ret_id = rig_snapshot(rig, "s", 0, 0);
    for (uint64_t run = 0; run < LARGE_RUNS; run++) {
        rig_write(rig, run * 256, 256, 1);
    }
    for (uint64_t i = 0; i < SCATTERED; i++) {
        rig_write(rig, scattered(i * 7919 % SCATTERED), 1, 1);
    }
    rig_stop(rig);
}

static uint64_t get64(const uint8_t *p) {
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) {
        value = value << 8 | p[i];
    }
    return value;
}

static uint64_t run_of_item(const uint8_t *page, unsigned index) {
    const uint8_t *item = page + page[48 + 2 * index] + 256 * page[49 + 2 * index];
    return item[0] == 8 ? get64(item + 1) >> 12 : item[0] < 8 ? 0 : UINT64_MAX;
}

/* Damages every leaf, of whatever age, that may hold entries of the run. Metadata lies at the store's high end. */
static unsigned spoil_leaves(selsnap_device *store, uint64_t run) {
    uint8_t page[4096];
    unsigned spoilt = 0;
    for (uint64_t at = STORE_BYTES - 4096; at > STORE_BYTES - (UINT64_C(64) << 20); at -= 4096) {
        assert_ok(selsnap_device_read(store, page, sizeof page, at));
        unsigned count = page[14] + 256u * page[15];
        if (memcmp(page + 8, "SSNT", 4) != 0 || page[12] != 0 || run_of_item(page, 0) > run ||
            run_of_item(page, count - 1) < run) {
            continue;
        }
        page[4000] ^= 1;
        assert_ok(selsnap_device_write(store, page, sizeof page, at));
        spoilt++;
    }
    return spoilt;
}

static void repair(struct rig *rig, selsnap_repair_result *result) {
    selsnap_device *fresh = NULL;
    char message[256] = "";
    selsnap_repair_options options = SELSNAP_REPAIR_OPTIONS_INIT;
    const selsnap_repair_result empty = SELSNAP_REPAIR_RESULT_INIT;
    *result = empty;
    (void)sparsedev_open(STORE_BYTES, 4096, false, &fresh);
    options.memory_limit = (8 << 20) + 6 * JOURNAL_BYTES;
    options.allocator = heap_allocator(&rig->heap);
    options.ret_message = message;
    options.message_size = sizeof message;
    int code = selsnap_repair(rig->store_base, rig->origin_base, fresh, &options, result);
    if (code != SELSNAP_OK) {
        fail_msg("%d: %s", code, message);
    }
    assert_int_equal(rig->heap.live, 0);
    selsnap_device_close(rig->store);
    selsnap_device_close(rig->store_base);
    rig->store_base = fresh;
    assert_ok(selsnap_device_open_counting(fresh, &rig->store));
    rig_start(rig);
}

/* Gives how many of the scattered blocks are lost. */
static unsigned compare(struct rig *rig, uint64_t id, unsigned step) {
    uint8_t buf[4096];
    unsigned lost = 0;
    for (uint64_t i = 0; i < SCATTERED; i += step) {
        int code = rig_read_snapshot(rig, id, scattered(i), buf);
        if (code == SELSNAP_ELOST) {
            lost++;
            continue;
        }
        assert_ok(code);
        assert_true(pattern_is(buf, sizeof buf, scattered(i) * 4096, 0, 0));
    }
    rig_assert_snapshot(rig, id, 0, 256, 0);
    rig_assert_snapshot(rig, id, UINT64_C(256) * LARGE_RUNS - 300, 600, 0);
    return lost;
}

static void test_repair__many_entries__under_the_least_memory(void **state) {
    (void)state;
    struct rig rig;
    uint64_t id;
    selsnap_repair_result result;
    make(&rig, &id);
    repair(&rig, &result);
    assert_int_equal(result.blocks_salvaged, (uint64_t)LARGE_RUNS * 256 + SCATTERED);
    assert_int_equal(result.blocks_lost, 0);
    assert_int_equal(compare(&rig, id, 37), 0);
    rig_stop(&rig);

    assert_true(spoil_leaves(rig.store_base, scattered(VICTIM) / 256) > 0);
    repair(&rig, &result);
    assert_int_equal(result.pages_damaged, 1);
    /* A leaf's entries, and the blocks between them. */
    unsigned lost = compare(&rig, id, 1);
    assert_in_range(lost, 20, 120);
    assert_in_range(result.blocks_lost, (uint64_t)(lost - 1) * APART, (uint64_t)(lost + 2) * APART);
    assert_int_equal(result.blocks_salvaged, (uint64_t)LARGE_RUNS * 256 + SCATTERED - lost);
    uint8_t buf[4096];
    assert_int_equal(rig_read_snapshot(&rig, id, scattered(VICTIM), buf), SELSNAP_ELOST);
    rig_close(&rig);
}

/* ---- a designation of many ranges ---- */

enum { RANGES = 1000, MANY_BLOCKS = 2 * RANGES };

static void save_every_other_block(struct rig *rig) {
    selsnap_subset *subset = rig_subset(rig, 0, 1);
    for (uint64_t block = 2; block < MANY_BLOCKS; block += 2) {
        assert_ok(selsnap_subset_add(subset, block * 4096, 4096));
    }
    assert_ok(selsnap_designation_save(rig->ss, "many", subset, 0));
    selsnap_subset_close(subset);
}

static bool is_leaf(const uint8_t *page) {
    return memcmp(page + 8, "SSNT", 4) == 0 && page[12] == 0;
}

/* Where the snapshot came over, it has all its ranges. Gives whether it did. */
static bool look_for(selsnap *ss, uint64_t id, uint64_t ranges) {
    selsnap_subset *subset = NULL;
    int code = selsnap_snapshot_get_subset(ss, id, &subset);
    if (code == SELSNAP_ENOENT) {
        return false;
    }
    assert_ok(code);
    assert_int_equal(selsnap_subset_range_count(subset), ranges);
    selsnap_subset_close(subset);
    return true;
}

static void test_repair__ranges_damaged__snapshots_of_that_designation_left_out(void **state) {
    (void)state;
    const struct rig_options options = {.origin_bytes = MANY_BLOCKS * 4096, .store_bytes = 8 << 20};
    const uint64_t store_bytes = options.store_bytes;
    struct rig rig;
    unsigned alone = 0;
    rig_open(&rig, &options);
    uint64_t whole = rig_snapshot(&rig, "whole", 0, 0);
    save_every_other_block(&rig);
    uint64_t many = rig_snapshot_of(&rig, "of many", "many");
    rig_write(&rig, 100, 30, 1);
    rig_stop(&rig);
    for (uint64_t at = 32 * 4096; at < store_bytes; at += 4096) {
        uint8_t page[4096];
        uint8_t zeros[4096] = {0};
        selsnap *ss = NULL;
        selsnap_repair_result result = SELSNAP_REPAIR_RESULT_INIT;
        assert_ok(selsnap_device_read(rig.store_base, page, sizeof page, at));
        if (!is_leaf(page)) {
            continue;
        }
        selsnap_device *fresh = NULL;
        assert_ok(selsnap_device_open_memory(store_bytes, 0, &fresh));
        assert_ok(selsnap_device_write(rig.store_base, zeros, sizeof zeros, at));
        int code = selsnap_repair(rig.store_base, rig.origin_base, fresh, NULL, &result);
        assert_true(code == SELSNAP_OK || code == SELSNAP_EDAMAGED);
        if (code == SELSNAP_OK) {
            assert_ok(selsnap_open(fresh, rig.origin_base, NULL, &ss));
            bool has_whole = look_for(ss, whole, 1);
            bool has_many = look_for(ss, many, RANGES);
            assert_int_equal(result.snapshots_salvaged, (unsigned)has_whole + (unsigned)has_many);
            if (has_whole && !has_many) {
                assert_int_equal(result.snapshots_lost, 1);
                assert_int_equal(result.designations_lost, 1);
                alone++;
            }
            assert_ok(selsnap_close(ss));
        }
        assert_ok(selsnap_device_write(rig.store_base, page, sizeof page, at));
        selsnap_device_close(fresh);
    }
    assert_true(alone > 0);
    rig_start(&rig);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repair__many_entries__under_the_least_memory),
        cmocka_unit_test(test_repair__ranges_damaged__snapshots_of_that_designation_left_out),
    };
    return cmocka_run_group_tests_name("repair_large", tests, NULL, NULL);
}
