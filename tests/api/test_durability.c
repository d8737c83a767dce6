/* SPDX-License-Identifier: Apache-2.0 */
/* P6 and P7: what survives a power cut. Devices whose unflushed sectors are lost, kept, or both at random. */
#include "rig.h"
#include "testdev.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 32, STORE_BYTES = 4 << 20, JOURNAL = 32 * 4096, JOURNAL_BYTES = 65536, IMAGES = 24 };

struct pair {
    struct rig rig;
    struct wire wire;
    struct testdev *origin;
    struct testdev *store;
};

static void pair_open(struct pair *pair) {
    memset(pair, 0, sizeof *pair);
    wire_init(&pair->wire, true);
    pair->origin = testdev_open(&pair->wire, 'o', BLOCKS * 4096, 512, NULL);
    pair->store = testdev_open(&pair->wire, 's', STORE_BYTES, 4096, NULL);
    const struct rig_options options = {.journal_bytes = JOURNAL_BYTES};
    rig_open_on(&pair->rig, pair->origin->device, pair->store->device, &options);
}

/*
 * Goes on with an image: image 0 loses all that was not flushed, 1 keeps all, 2 keeps the journal only, 3 all of the
 * store but its journal, the others take their choice.
 */
static void cut_power(struct pair *pair, unsigned image) {
    static const unsigned chances[4] = {0, 100, 50, 80};
    struct prng prng = prng_init(image);
    unsigned origin_chance = chances[image < 2 ? image : prng_below(&prng, 4)];
    unsigned store_chance = chances[image < 2 ? image : prng_below(&prng, 4)];
    uint8_t *origin = testdev_image(pair->origin, &prng, image == 2 || image == 3 ? 0 : origin_chance);
    uint8_t *store = image == 2   ? testdev_image_keeping(pair->store, JOURNAL, JOURNAL_BYTES)
                     : image == 3 ? testdev_image_keeping(pair->store, JOURNAL + JOURNAL_BYTES, STORE_BYTES)
                                  : testdev_image(pair->store, &prng, store_chance);
    struct rig *rig = &pair->rig;
    (void)!selsnap_close(rig->ss);
    rig->ss = NULL;
    assert_int_equal(rig->heap.live, 0);
    selsnap_device_close(rig->origin);
    selsnap_device_close(rig->store);
    selsnap_device_close(rig->origin_base);
    selsnap_device_close(rig->store_base);
    pair->wire.off = false;
    pair->wire.cut_at = 0;
    pair->origin = testdev_open(&pair->wire, 'o', BLOCKS * 4096, 512, origin);
    pair->store = testdev_open(&pair->wire, 's', STORE_BYTES, 4096, store);
    free(origin);
    free(store);
    rig->origin_base = pair->origin->device;
    rig->store_base = pair->store->device;
    assert_ok(selsnap_device_open_counting(rig->origin_base, &rig->origin));
    assert_ok(selsnap_device_open_counting(rig->store_base, &rig->store));
    rig_start(rig);
}

static void pair_close(struct pair *pair) {
    rig_assert_sound(&pair->rig);
    rig_close(&pair->rig);
    wire_fini(&pair->wire);
}

static void test_flush__acknowledged__survives_any_cut(void **state) {
    (void)state;
    for (unsigned image = 0; image < IMAGES; image += test_share()) {
        struct pair pair;
        pair_open(&pair);
        rig_write(&pair.rig, 0, 8, 1);
        (void)rig_snapshot(&pair.rig, "s", 0, 0);
        rig_write(&pair.rig, 4, 8, 2);
        assert_ok(selsnap_flush(pair.rig.ss));
        cut_power(&pair, image);
        rig_assert_live(&pair.rig, 0, 4, 1);
        rig_assert_live(&pair.rig, 4, 8, 2);
        pair_close(&pair);
    }
}

/* The test above can fail: without the flush, an image that loses all has lost the write. */
static void test_write__not_flushed__a_cut_may_lose_it(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    rig_write(&pair.rig, 4, 8, 2);
    cut_power(&pair, 0);
    rig_assert_live(&pair.rig, 4, 8, 0);
    pair_close(&pair);
}

static void test_create__acknowledged__exists_with_all_before_its_point(void **state) {
    (void)state;
    for (unsigned image = 0; image < IMAGES; image += test_share()) {
        struct pair pair;
        pair_open(&pair);
        rig_write(&pair.rig, 0, 8, 1); /* not flushed by the user */
        uint64_t id = rig_snapshot(&pair.rig, "s", 0, 0);
        rig_write(&pair.rig, 2, 20, 2);
        cut_power(&pair, image);
        rig_assert_snapshot(&pair.rig, id, 0, 8, 1);
        rig_assert_snapshot(&pair.rig, id, 8, 24, 0);
        pair_close(&pair);
    }
}

/* Cut at each call that a create makes: the snapshot is there whole, or not at all. */
static void test_create__cut_anywhere__whole_or_absent(void **state) {
    (void)state;
    unsigned present = 0;
    unsigned absent = 0;
    for (unsigned call = 1; call <= 6; call++) {
        for (unsigned image = 0; image < IMAGES; image += test_share()) {
            struct pair pair;
            uint64_t id = 0;
            pair_open(&pair);
            rig_write(&pair.rig, 0, 8, 1);
            wire_cut_after(&pair.wire, call);
            (void)rig_try_snapshot(&pair.rig, "s", 0, 0, SELSNAP_POLICY_FAIL_WRITE, &id);
            cut_power(&pair, image);
            selsnap_snapshot_info info = {0};
            info.struct_size = sizeof info;
            if (selsnap_snapshot_find(pair.rig.ss, "s", &info) == SELSNAP_OK) {
                assert_int_equal(info.block_count, BLOCKS);
                rig_assert_snapshot(&pair.rig, info.id, 0, 8, 1);
                rig_assert_snapshot(&pair.rig, info.id, 8, 24, 0);
                present++;
            } else {
                assert_int_equal(id, 0);
                absent++;
            }
            pair_close(&pair);
        }
    }
    assert_true(present > 0 && absent > 0);
}

static void test_write__cut_while_preserving__snapshot_is_whole(void **state) {
    (void)state;
    for (unsigned call = 1; call <= 5; call++) {
        for (unsigned image = 0; image < IMAGES; image += test_share()) {
            struct pair pair;
            pair_open(&pair);
            uint64_t id = rig_snapshot(&pair.rig, "s", 0, 0);
            wire_cut_after(&pair.wire, call);
            (void)rig_try_write(&pair.rig, 3, 6, 1);
            cut_power(&pair, image);
            rig_assert_snapshot(&pair.rig, id, 0, BLOCKS, 0);
            rig_write(&pair.rig, 0, BLOCKS, 2);
            rig_assert_snapshot(&pair.rig, id, 0, BLOCKS, 0);
            pair_close(&pair);
        }
    }
}

static void test_delete__cut_before_it_is_durable__snapshot_is_whole_or_gone(void **state) {
    (void)state;
    for (unsigned call = 1; call <= 3; call++) {
        for (unsigned image = 0; image < IMAGES; image += test_share()) {
            struct pair pair;
            pair_open(&pair);
            uint64_t id = rig_snapshot(&pair.rig, "s", 0, 0);
            rig_write(&pair.rig, 0, 4, 1);
            wire_cut_after(&pair.wire, call);
            int deleted = selsnap_snapshot_delete(pair.rig.ss, id);
            (void)rig_try_write(&pair.rig, 8, 4, 1);
            (void)!selsnap_flush(pair.rig.ss);
            cut_power(&pair, image);
            selsnap_snapshot_info info = {0};
            info.struct_size = sizeof info;
            if (selsnap_snapshot_get(pair.rig.ss, id, &info) == SELSNAP_OK) {
                assert_int_not_equal(deleted, SELSNAP_OK);
                rig_assert_snapshot(&pair.rig, id, 0, BLOCKS, 0);
            }
            pair_close(&pair);
        }
    }
}

static void test_restore__begun_and_cut__goes_on_to_the_exact_point(void **state) {
    (void)state;
    for (unsigned image = 0; image < IMAGES; image += test_share()) {
        struct pair pair;
        pair_open(&pair);
        uint64_t id = rig_snapshot(&pair.rig, "s", 0, 0);
        rig_write(&pair.rig, 0, 20, 1);
        assert_ok(selsnap_flush(pair.rig.ss));
        selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
        selsnap_step_options step = SELSNAP_STEP_OPTIONS_INIT;
        options.id = id;
        step.budget_blocks = 5;
        assert_ok(selsnap_restore_start(pair.rig.ss, &options, NULL));
        assert_ok(selsnap_step(pair.rig.ss, &step, NULL));
        cut_power(&pair, image);
        rig_assert_live(&pair.rig, 0, BLOCKS, 0);
        rig_settle(&pair.rig);
        assert_ok(selsnap_flush(pair.rig.ss));
        cut_power(&pair, 0);
        rig_assert_origin(&pair.rig, 0, BLOCKS, 0);
        pair_close(&pair);
    }
}

/*
 * A write to a block not yet restored copies it back, then preserves it for a younger snapshot. The record survives the
 * cut; neither the preserved data nor the copied block does. The content is still under the restore's source.
 */
static void test_restore__copied_block_preserved_and_cut__younger_snapshot_is_whole(void **state) {
    (void)state;
    for (unsigned call = 1; call <= 8; call++) {
        for (unsigned image = 0; image < IMAGES; image += test_share()) {
            struct pair pair;
            pair_open(&pair);
            uint64_t old = rig_snapshot(&pair.rig, "old", 0, 0);
            rig_write(&pair.rig, 0, 20, 1);
            assert_ok(selsnap_flush(pair.rig.ss));
            selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
            options.id = old;
            assert_ok(selsnap_restore_start(pair.rig.ss, &options, NULL));
            uint64_t younger = rig_snapshot(&pair.rig, "younger", 0, 0);
            wire_cut_after(&pair.wire, call);
            (void)rig_try_write(&pair.rig, 3, 2, 2);
            cut_power(&pair, image);
            rig_assert_snapshot(&pair.rig, younger, 0, BLOCKS, 0);
            rig_assert_snapshot(&pair.rig, old, 0, BLOCKS, 0);
            pair_close(&pair);
        }
    }
}

static void test_view__flushed__survives_any_cut(void **state) {
    (void)state;
    for (unsigned image = 0; image < IMAGES; image += test_share()) {
        struct pair pair;
        uint8_t block[4096];
        pair_open(&pair);
        uint64_t id = rig_snapshot(&pair.rig, "s", 0, 0);
        selsnap_view *view = rig_view(&pair.rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
        pattern_fill(block, sizeof block, 4096, 1, 5);
        assert_ok(selsnap_view_write(view, block, sizeof block, 4096));
        assert_ok(selsnap_view_flush(view));
        pattern_fill(block, sizeof block, 2 * 4096, 1, 6);
        assert_ok(selsnap_view_write(view, block, sizeof block, 2 * 4096));
        assert_ok(selsnap_view_close(view));
        cut_power(&pair, image);
        rig_assert_snapshot(&pair.rig, id, 1, 1, 5);
        rig_assert_snapshot(&pair.rig, id, 2, 1, 6); /* closing flushes */
        rig_assert_snapshot(&pair.rig, id, 3, 29, 0);
        pair_close(&pair);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flush__acknowledged__survives_any_cut),
        cmocka_unit_test(test_write__not_flushed__a_cut_may_lose_it),
        cmocka_unit_test(test_create__acknowledged__exists_with_all_before_its_point),
        cmocka_unit_test(test_create__cut_anywhere__whole_or_absent),
        cmocka_unit_test(test_write__cut_while_preserving__snapshot_is_whole),
        cmocka_unit_test(test_delete__cut_before_it_is_durable__snapshot_is_whole_or_gone),
        cmocka_unit_test(test_restore__begun_and_cut__goes_on_to_the_exact_point),
        cmocka_unit_test(test_restore__copied_block_preserved_and_cut__younger_snapshot_is_whole),
        cmocka_unit_test(test_view__flushed__survives_any_cut),
    };
    return cmocka_run_group_tests_name("durability", tests, NULL, NULL);
}
