/* SPDX-License-Identifier: Apache-2.0 */
/* Preserving ahead: what it saves where writes lie close together, what it costs where they do not, and when it is not done. */
#include "rig.h"
#include "testdev.h"

#include <string.h>

enum { MIB_BLOCKS = 256 };

static struct rig_options options_for(uint64_t blocks) {
    struct rig_options options = {.ahead = true};
    options.origin_bytes = blocks * 4096;
    options.store_bytes = blocks * 4096 * 2 + (256 << 20);
    options.journal_bytes = 64 << 20; /* so that hardly a checkpoint adds to the counts */
    options.memory_limit = 1 << 30;
    return options;
}

struct cost {
    double flushes;
    double data_writes; /* of the store, without the journal's; those of checkpoints count */
    double reads;
    uint64_t read_bytes;
    uint64_t ahead;
};

/* What each of `count` writes of one block cost, at places that `step` (odd) scatters over `places` of `stride` blocks. */
static struct cost write_scattered(struct rig *rig, uint64_t places, uint64_t stride, uint64_t step, uint64_t count) {
    rig_reset_counts(rig);
    uint64_t before = rig_stats(rig).blocks_ahead;
    uint64_t commits = rig_stats(rig).commits;
    for (uint64_t n = 0; n < count; n++) {
        rig_write(rig, n * step % places * stride, 1, 2);
    }
    selsnap_device_counts origin = rig_origin_counts(rig);
    selsnap_device_counts store = rig_store_counts(rig);
    assert_int_equal(origin.writes, count);
    struct cost cost;
    double writes = (double)count;
    cost.flushes = (double)store.flushes / writes;
    cost.data_writes = (double)(store.writes - (rig_stats(rig).commits - commits)) / writes;
    cost.reads = (double)origin.reads / writes;
    cost.read_bytes = origin.read_bytes;
    cost.ahead = rig_stats(rig).blocks_ahead - before;
    return cost;
}

/* 256 MiB; scattered so that each write is far from the one before, and each block is written once. */
static void test_ahead__random_writes_that_touch_every_block__an_eighth_of_the_requests(void **state) {
    (void)state;
    const uint64_t blocks = test_share() > 1 ? 8192 : 65536;
    struct rig rig;
    const struct rig_options options = options_for(blocks);
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, blocks);
    struct cost cost = write_scattered(&rig, blocks, 1, 40503, blocks);
    print_message("# flushes %.4f, data writes %.4f, reads %.4f a write\n", cost.flushes, cost.data_writes, cost.reads);
    assert_true(cost.flushes <= 1.0 / 8);
    assert_true(cost.data_writes <= 1.0 / 8);
    assert_true(cost.reads <= 1.0 / 8);
    assert_int_equal(rig_stats(&rig).blocks_preserved, blocks);
    rig_assert_snapshot(&rig, id, 0, blocks, 0);
    rig_close(&rig);
}

static void test_ahead__one_block_in_16__costs_what_it_costs_without(void **state) {
    (void)state;
    const uint64_t places = test_share() > 1 ? 512 : 4096;
    for (int ahead = 0; ahead < 2; ahead++) {
        struct rig rig;
        struct rig_options options = options_for(places * 16);
        options.ahead = ahead != 0;
        rig_open(&rig, &options);
        (void)rig_snapshot(&rig, "s", 0, 0);
        struct cost cost = write_scattered(&rig, places, 16, 1001, places);
        assert_true(cost.flushes == 1 && cost.data_writes == 1 && cost.reads == 1);
        assert_int_equal(cost.read_bytes, places * 4096);
        assert_int_equal(cost.ahead, 0);
        rig_close(&rig);
    }
}

static void test_ahead__writes_in_order__one_preserve_for_many(void **state) {
    (void)state;
    const uint64_t blocks = (test_share() > 1 ? 2 : 16) * MIB_BLOCKS;
    struct rig rig;
    const struct rig_options options = options_for(blocks);
    rig_open(&rig, &options);
    (void)rig_snapshot(&rig, "s", 0, 0);
    struct cost cost = write_scattered(&rig, blocks, 1, 1, blocks);
    print_message("# in order: flushes %.4f a write\n", cost.flushes);
    assert_true(cost.flushes <= 1.0 / 32);
    rig_close(&rig);
    rig_open(&rig, &options);
    (void)rig_snapshot(&rig, "s", 0, 0);
    cost = write_scattered(&rig, blocks, 1, blocks - 1, blocks); /* 0, then from the last one down */
    print_message("# in falling order: flushes %.4f a write\n", cost.flushes);
    assert_true(cost.flushes <= 1.0 / 32);
    rig_close(&rig);
}

static void test_ahead__undesignated_neighbours__not_preserved(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = options_for(MIB_BLOCKS);
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 40);
    for (uint64_t block = 0; block < 40; block++) {
        rig_write(&rig, block, 1, 2);
    }
    assert_true(rig_stats(&rig).blocks_ahead > 0);
    assert_int_equal(rig_stats(&rig).blocks_preserved, 40);
    assert_int_equal(rig_state(&rig, id, 40), SELSNAP_BLOCKS_UNDESIGNATED);
    rig_assert_snapshot(&rig, id, 0, 40, 0);
    rig_close(&rig);
}

/* The first five blocks: by the fifth, what lies behind them is taken along. */
static void write_five(struct rig *rig, uint64_t sequence) {
    for (uint64_t block = 0; block < 5; block++) {
        rig_write(rig, block, 1, sequence);
    }
}

static void test_ahead__a_block_taken_ahead__a_newer_snapshot_gets_its_own(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = options_for(MIB_BLOCKS);
    rig_open(&rig, &options);
    uint64_t first = rig_snapshot(&rig, "first", 0, 0);
    write_five(&rig, 2);
    assert_int_equal(rig_state(&rig, first, 20), SELSNAP_BLOCKS_PRESERVED);
    uint64_t second = rig_snapshot(&rig, "second", 0, 0);
    rig_write(&rig, 20, 1, 3);
    rig_reset_counts(&rig);
    rig_write(&rig, 20, 1, 4);
    assert_int_equal(rig_store_counts(&rig).writes, 0);
    rig_assert_snapshot(&rig, first, 0, MIB_BLOCKS, 0);
    rig_assert_snapshot(&rig, second, 20, 1, 0);
    rig_assert_snapshot(&rig, second, 0, 5, 2);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_ahead__a_block_taken_ahead__its_write_asks_the_store_for_nothing(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = options_for(MIB_BLOCKS);
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    write_five(&rig, 2);
    rig_reset_counts(&rig);
    rig_write(&rig, 20, 1, 3);
    assert_int_equal(rig_store_counts(&rig).writes + rig_store_counts(&rig).flushes, 0);
    assert_int_equal(rig_origin_counts(&rig).reads, 0);
    rig_crash(&rig);
    rig_assert_snapshot(&rig, id, 0, MIB_BLOCKS, 0);
    rig_assert_live(&rig, 20, 1, 3);
    rig_close(&rig);
}

static void test_ahead__switched_off_or_little_room__nothing_ahead(void **state) {
    (void)state;
    struct rig rig;
    struct rig_options options = options_for(MIB_BLOCKS);
    options.ahead = false;
    rig_open(&rig, &options);
    (void)rig_snapshot(&rig, "s", 0, 0);
    write_five(&rig, 2);
    assert_int_equal(rig_stats(&rig).blocks_ahead, 0);
    rig_close(&rig);

    options.ahead = true;
    options.origin_bytes = 16 << 20;
    options.store_bytes = 16 << 20;
    options.journal_bytes = 0;
    options.memory_limit = RIG_LIBRARY_MEMORY;
    rig_open(&rig, &options);
    (void)rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 1024, 3072, 2);
    uint64_t before = rig_stats(&rig).blocks_ahead;
    write_five(&rig, 2);
    assert_int_equal(rig_stats(&rig).blocks_ahead, before);
    rig_close(&rig);
}

/* A block that nobody writes is not given up because it could not be taken along. */
static void test_ahead__neighbour_that_cannot_be_read__not_lost(void **state) {
    (void)state;
    struct rig rig;
    struct wire wire;
    const struct rig_options options = {.ahead = true};
    uint8_t buf[4096];
    wire_init(&wire, false);
    struct testdev *origin = testdev_open(&wire, 'o', MIB_BLOCKS * 4096, 512, NULL);
    struct testdev *store = testdev_open(&wire, 's', 16 << 20, 4096, NULL);
    rig_open_on(&rig, origin->device, store->device, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    origin->bad_ops = TESTDEV_READ;
    origin->bad_offset = 20 * 4096;
    origin->bad_len = 512;
    write_five(&rig, 2);
    assert_int_equal(rig_stats(&rig).blocks_lost, 0);
    assert_int_equal(rig_state(&rig, id, 20), SELSNAP_BLOCKS_UNCHANGED);
    testdev_mend(origin);
    rig_assert_snapshot(&rig, id, 0, MIB_BLOCKS, 0);
    origin->bad_ops = TESTDEV_READ;
    rig_write(&rig, 20, 1, 2);
    testdev_mend(origin);
    assert_int_equal(rig_stats(&rig).blocks_lost, 1);
    assert_int_equal(rig_read_snapshot(&rig, id, 20, buf), SELSNAP_ELOST);
    rig_close(&rig);
    wire_fini(&wire);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ahead__random_writes_that_touch_every_block__an_eighth_of_the_requests),
        cmocka_unit_test(test_ahead__one_block_in_16__costs_what_it_costs_without),
        cmocka_unit_test(test_ahead__writes_in_order__one_preserve_for_many),
        cmocka_unit_test(test_ahead__undesignated_neighbours__not_preserved),
        cmocka_unit_test(test_ahead__a_block_taken_ahead__a_newer_snapshot_gets_its_own),
        cmocka_unit_test(test_ahead__a_block_taken_ahead__its_write_asks_the_store_for_nothing),
        cmocka_unit_test(test_ahead__neighbour_that_cannot_be_read__not_lost),
        cmocka_unit_test(test_ahead__switched_off_or_little_room__nothing_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
