/* SPDX-License-Identifier: Apache-2.0 */
/* P10 with one million preserved blocks: opening reads few pages, memory stays under its limit, and so does all else.
 */
#include "prng.h"
#include "rig.h"
#include "sparsedev.h"

#include <stdlib.h>

enum { LARGE_RUNS = 3400, SCATTERED = 130000, PAGES_AT_OPEN = 64 };

/* Blocks 0 .. LARGE_RUNS * 256 - 1 are preserved by large writes, SCATTERED others one by one, all over 1 TiB. */
static uint64_t scattered_block(uint64_t i) {
    return (UINT64_C(1) << 20) + i * 1999;
}

static uint64_t large_runs(void) {
    return LARGE_RUNS / test_share();
}
static uint64_t scattered(void) {
    return SCATTERED / test_share();
}

static void preserve_million(struct rig *rig) {
    for (uint64_t run = 0; run < large_runs(); run++) {
        rig_write(rig, run * 256, 256, 1);
    }
    for (uint64_t i = 0; i < scattered(); i++) {
        rig_write(rig, scattered_block(i * 7919 % scattered()), 1, 1);
    }
    assert_true(rig_stats(rig).blocks_preserved >= large_runs() * 256 + scattered()); /* a million, undivided */
}

static void check_some(struct rig *rig, uint64_t id) {
    struct prng prng = prng_init(3);
    for (unsigned i = 0; i < 200; i++) {
        uint64_t block =
            i % 2 == 0 ? prng_below(&prng, large_runs() * 256) : scattered_block(prng_below(&prng, scattered()));
        rig_assert_snapshot(rig, id, block, 1, 0);
        rig_assert_live(rig, block, 1, 1);
    }
}

static void assert_opened_cheaply(struct rig *rig, uint64_t journal_bytes) {
    selsnap_stats stats = rig_stats(rig);
    assert_true(stats.pages_read <= PAGES_AT_OPEN);
    assert_true(rig_store_counts(rig).read_bytes <= PAGES_AT_OPEN * 4096 + journal_bytes + (1 << 20));
    assert_true(stats.memory_peak_bytes <= stats.memory_limit_bytes);
}

static void test_million__opened_after_a_close__few_pages_read(void **state) {
    (void)state;
    struct rig rig;
    selsnap_device *origin = NULL;
    selsnap_device *store = NULL;
    struct sparsedev *kept;
    const struct rig_options options = {
        .blank = true, .journal_bytes = 8 << 20, .memory_limit = RIG_LIBRARY_MEMORY};
    (void)sparsedev_open(UINT64_C(1) << 40, 4096, true, &origin);
    kept = sparsedev_open(UINT64_C(8) << 30, 4096, false, &store);
    rig_open_on(&rig, origin, store, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    preserve_million(&rig);
    selsnap_stats stats = rig_stats(&rig);
    assert_true(stats.memory_peak_bytes <= stats.memory_limit_bytes);
    check_some(&rig, id);

    rig_stop(&rig);
    rig_reset_counts(&rig);
    rig_start(&rig);
    assert_opened_cheaply(&rig, options.journal_bytes);
    check_some(&rig, id);

    /* The first change of a block that was never touched: found in a large index, at the usual price. */
    uint64_t fresh = large_runs() * 256 + 5;
    rig_reset_counts(&rig);
    rig_write(&rig, fresh, 1, 1);
    assert_int_equal(rig_store_counts(&rig).flushes, 1);
    assert_int_equal(rig_store_counts(&rig).writes, 2);
    assert_int_equal(rig_origin_counts(&rig).reads, 1);
    assert_true(rig_stats(&rig).memory_peak_bytes <= rig_stats(&rig).memory_limit_bytes);
    assert_true(sparsedev_full_pages(kept) < 40000); /* metadata: what the sparse store had to keep as it is */

    /* Deleting gives all of it back, with no data copied. */
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    rig_reset_counts(&rig);
    rig_settle(&rig);
    assert_int_equal(rig_origin_counts(&rig).reads + rig_origin_counts(&rig).writes, 0);
    stats = rig_stats(&rig);
    assert_true(stats.memory_peak_bytes <= stats.memory_limit_bytes);
    assert_true(stats.store_free_bytes > stats.store_bytes / 10 * 9);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_million__opened_after_a_close__few_pages_read),
    };
    return cmocka_run_group_tests_name("million", tests, NULL, NULL);
}
