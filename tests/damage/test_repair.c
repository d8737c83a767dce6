/* SPDX-License-Identifier: Apache-2.0 */
/* P1, P8: a repair gives what is sound of a damaged store, and nothing else; it says what it could not bring over. */
#include "repair_rig.h"

#include <stdlib.h>
#include <string.h>

static uint8_t *copy_of(const uint8_t *image) {
    uint8_t *copy = malloc(BOX_STORE_BYTES);
    assert_non_null(copy);
    memcpy(copy, image, BOX_STORE_BYTES);
    return copy;
}

/* Where the store has the copy of a block at a sequence; 0: nowhere. */
static uint64_t place_of(const uint8_t *image, uint64_t block, uint32_t sequence) {
    for (uint64_t at = BOX_AREA; at < BOX_STORE_BYTES; at += 4096) {
        if (pattern_is(image + at, 4096, block * BOX_BLOCK, 1, sequence)) {
            return at;
        }
    }
    return 0;
}

static void repairs_whole(struct box *box, const uint8_t *image, struct box_repair *repair) {
    box_try(box, image, BOX_STORE_BYTES, repair);
    if (repair->code != SELSNAP_OK || repair->line_count != 0) {
        fail_msg("%d %s\n%s", repair->code, repair->message, repair->lines);
    }
    assert_int_equal(repair->missing, 0);
    assert_int_equal(box_lost_total(repair), 0);
    assert_int_equal(repair->live_lost, 0);
    assert_int_equal(repair->result.snapshots_lost, 0);
    assert_int_equal(repair->result.designations_lost, 0);
    assert_int_equal(repair->result.blocks_lost, 0);
    assert_int_equal(repair->result.pages_damaged, 0);
    assert_int_equal(repair->result.cut, 0);
}

static void test_repair__sound_store__copied_whole(void **state) {
    (void)state;
    const enum box_state states[] = {BOX_CLEAN, BOX_CRASHED, BOX_RESTORING, BOX_PAUSED};
    for (unsigned i = 0; i < 4; i++) {
        struct box box;
        struct box_repair repair = {.code = 1};
        box_make(&box, states[i]);
        repairs_whole(&box, box.image, &repair);
        assert_int_equal(repair.result.restores_salvaged, i >= 2 ? 1 : 0);
        /* A named one, and one for the snapshots of the whole device. */
        assert_int_equal(repair.result.designations_salvaged, 2);
        box_free(&box);
    }
}

static void test_repair__least_memory__copied_whole(void **state) {
    (void)state;
    struct box box;
    struct box_repair repair = {.code = 1, .memory_limit = (8 << 20) + 6 * BOX_JOURNAL_BYTES, .quiet = true};
    box_make(&box, BOX_CRASHED);
    repairs_whole(&box, box.image, &repair);
    repair.memory_limit--;
    box_try(&box, box.image, BOX_STORE_BYTES, &repair);
    assert_int_equal(repair.code, SELSNAP_EMEMLIMIT);
    box_free(&box);
}

/* What a restore of a block of an open store would tell, for each preserved copy: exactly who resolves to it loses it.
 */
static void test_repair__copy_damaged__lost_for_those_that_share_it_and_no_more(void **state) {
    (void)state;
    struct box box;
    unsigned tried = 0;
    box_make(&box, BOX_CLEAN);
    uint8_t *image = copy_of(box.image);
    for (uint64_t block = 0; block < BOX_BLOCKS - 1; block += 3) {
        struct box_repair repair = {.code = 1};
        const struct box_snap *first = &box.snaps[0];
        uint64_t at = first->taken[block] == BOX_ZERO ? 0 : place_of(image, block, first->taken[block]);
        if (at == 0) {
            continue;
        }
        image[at + 2000] ^= 0x10;
        box_try(&box, image, BOX_STORE_BYTES, &repair);
        image[at + 2000] ^= 0x10;
        assert_ok(repair.code);
        assert_int_equal(repair.missing, 0);
        assert_int_equal(repair.result.blocks_lost, 1);
        for (unsigned i = 0; i < BOX_SNAPS; i++) {
            const struct box_snap *snap = &box.snaps[i];
            for (uint64_t b = 0; b < BOX_BLOCKS; b++) {
                bool shares = b == block && snap->covered[b] && snap->taken[b] == first->taken[b] &&
                              snap->written[b] == snap->taken[b];
                assert_int_equal(repair.block_lost[i][b], shares);
            }
        }
        tried++;
    }
    assert_true(tried > 20);
    free(image);
    box_free(&box);
}

static void test_repair__copy_damaged_and_origin_has_it__nothing_lost(void **state) {
    (void)state;
    struct box box;
    box_make(&box, BOX_CLEAN);
    uint8_t *image = copy_of(box.image);
    uint64_t block = 3;
    uint64_t at = place_of(image, block, box.snaps[0].taken[block]);
    assert_true(at != 0);
    memset(image + at, 0, 4096);
    /* As if the block had been written back by itself. */
    pattern_fill(box.origin_image + block * BOX_BLOCK, BOX_BLOCK, block * BOX_BLOCK, 1, box.snaps[0].taken[block]);
    assert_ok(selsnap_device_write(box.origin, box.origin_image + block * BOX_BLOCK, BOX_BLOCK, block * BOX_BLOCK));
    box.live[block] = box.snaps[0].taken[block];
    struct box_repair repair = {.code = 1};
    selsnap_device *damaged = box_device(image, BOX_STORE_BYTES);
    selsnap_device *fresh = box_device(NULL, BOX_FRESH_BYTES);
    box_repair(&box, damaged, fresh, &repair);
    assert_ok(repair.code);
    assert_int_equal(repair.result.blocks_lost, 0);
    selsnap_device_close(damaged);
    selsnap_device_close(fresh);
    free(image);
    box_free(&box);
}

static void test_repair__written_data_damaged__lost_in_that_overlay_alone(void **state) {
    (void)state;
    struct box box;
    struct box_repair repair = {.code = 1};
    box_make(&box, BOX_CLEAN);
    uint8_t *image = copy_of(box.image);
    uint64_t block = 10;
    assert_true(box.snaps[0].written[block] != box.snaps[0].taken[block]);
    uint64_t at = place_of(image, block, box.snaps[0].written[block]);
    assert_true(at != 0);
    image[at] ^= 1;
    box_try(&box, image, BOX_STORE_BYTES, &repair);
    assert_ok(repair.code);
    assert_int_equal(repair.result.blocks_lost, 1);
    assert_int_equal(box_lost_total(&repair), 1);
    assert_true(repair.block_lost[0][block]);
    assert_non_null(strstr(repair.lines, "what was written into the snapshot is damaged"));
    free(image);
    box_free(&box);
}

/* A lost block of an overlay can be written again, and reset gives back what was taken. */
static void test_repair__lost_in_overlay__is_mended_by_writing_and_by_reset(void **state) {
    (void)state;
    struct box box;
    struct box_repair repair = {.code = 1};
    box_make(&box, BOX_CLEAN);
    uint8_t *image = copy_of(box.image);
    for (uint64_t block = 10; block < 20; block += 4) {
        image[place_of(image, block, box.snaps[0].written[block])] ^= 1;
    }
    selsnap_device *damaged = box_device(image, BOX_STORE_BYTES);
    selsnap_device *fresh = box_device(NULL, BOX_FRESH_BYTES);
    box_repair(&box, damaged, fresh, &repair);
    assert_ok(repair.code);
    assert_int_equal(repair.result.blocks_lost, 3);
    selsnap *ss = NULL;
    selsnap_view *view = NULL;
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    uint8_t buf[BOX_BLOCK];
    selsnap_map_range range;
    assert_ok(selsnap_open(fresh, box.origin, NULL, &ss));
    assert_ok(selsnap_snapshot_map(ss, box.snaps[0].id, UINT64_C(10) * BOX_BLOCK, &range));
    assert_int_equal(range.state, SELSNAP_BLOCKS_LOST);
    options.id = box.snaps[0].id;
    options.flags = SELSNAP_VIEW_WRITABLE;
    assert_ok(selsnap_view_open(ss, &options, &view));
    assert_int_equal(selsnap_view_read(view, buf, 100, UINT64_C(10) * BOX_BLOCK + 7), SELSNAP_ELOST);
    assert_int_equal(selsnap_view_write(view, buf, 100, UINT64_C(10) * BOX_BLOCK + 7), SELSNAP_ELOST);
    pattern_fill(buf, sizeof buf, UINT64_C(10) * BOX_BLOCK, 2, 9);
    assert_ok(selsnap_view_write(view, buf, sizeof buf, UINT64_C(10) * BOX_BLOCK));
    assert_ok(selsnap_view_flush(view));
    assert_ok(selsnap_view_read(view, buf, sizeof buf, UINT64_C(10) * BOX_BLOCK));
    assert_true(pattern_is(buf, sizeof buf, UINT64_C(10) * BOX_BLOCK, 2, 9));
    assert_ok(selsnap_view_reset(view));
    assert_ok(selsnap_view_read(view, buf, sizeof buf, UINT64_C(14) * BOX_BLOCK));
    assert_true(pattern_is(buf, sizeof buf, UINT64_C(14) * BOX_BLOCK, 1, box.snaps[0].taken[14]));
    assert_ok(selsnap_view_close(view));
    assert_ok(selsnap_close(ss));
    selsnap_device_close(damaged);
    selsnap_device_close(fresh);
    free(image);
    box_free(&box);
}

static void test_repair__repaired_store__copied_with_its_losses(void **state) {
    (void)state;
    struct box box;
    struct box_repair repair = {.code = 1};
    struct box_repair again = {.code = 1};
    box_make(&box, BOX_CLEAN);
    uint8_t *image = copy_of(box.image);
    image[place_of(image, 10, box.snaps[0].written[10])] ^= 1;
    image[place_of(image, 3, box.snaps[0].taken[3])] ^= 1;
    selsnap_device *damaged = box_device(image, BOX_STORE_BYTES);
    selsnap_device *fresh = box_device(NULL, BOX_FRESH_BYTES);
    selsnap_device *third = box_device(NULL, BOX_FRESH_BYTES);
    box_repair(&box, damaged, fresh, &repair);
    assert_int_equal(repair.result.blocks_lost, 2);
    box_repair(&box, fresh, third, &again);
    assert_ok(again.code);
    assert_int_equal(again.line_count, 0);
    assert_int_equal(again.result.blocks_lost, 0);
    assert_int_equal(again.result.blocks_salvaged, repair.result.blocks_salvaged);
    box_compare(&box, fresh, &repair);
    again.result.blocks_lost = 2; /* told the first time */
    again.line_count = 2;
    box_compare(&box, third, &again);
    assert_memory_equal(again.block_lost, repair.block_lost, sizeof again.block_lost);
    selsnap_device_close(damaged);
    selsnap_device_close(fresh);
    selsnap_device_close(third);
    free(image);
    box_free(&box);
}

/* The journal's end is where the last batch was written: a sector of it spoilt leaves what came before. */
static void test_repair__log_damaged__snapshots_as_taken_on_request_only(void **state) {
    (void)state;
    struct box box;
    struct box_repair repair = {.code = 1};
    unsigned cuts = 0;
    box_make(&box, BOX_CRASHED);
    for (uint64_t page = 32; page < BOX_AREA / 4096; page++) {
        uint8_t *image = copy_of(box.image);
        image[page * 4096 + 100] ^= 1;
        repair.flags = 0;
        box_try(&box, image, BOX_STORE_BYTES, &repair);
        if (repair.code == SELSNAP_EDAMAGED) {
            assert_int_equal(repair.result.snapshots_lost, BOX_SNAPS);
            assert_int_equal(repair.result.cut, 1);
            assert_non_null(strstr(repair.lines, "the newest changes are lost: the journal is damaged at byte"));
            repair.flags = SELSNAP_REPAIR_AS_TAKEN;
            box_try(&box, image, BOX_STORE_BYTES, &repair);
            assert_ok(repair.code);
            assert_int_equal(repair.missing, 0);
            /* Everything that was preserved is there: of the first, which is oldest, that is much. */
            assert_true(repair.lost[0] < BOX_BLOCKS / 2);
            assert_true(repair.lost[0] > 0);
            cuts++;
        }
        free(image);
    }
    assert_true(cuts > 0);
    box_free(&box);
}

/* What an open and a few writes change in a store: its other superblock, and the journal. */
static uint8_t *use_a_little(struct box *box) {
    selsnap *ss = NULL;
    uint8_t block[BOX_BLOCK];
    uint8_t *image = malloc(BOX_STORE_BYTES);
    selsnap_device *store = box_device(box->image, BOX_STORE_BYTES);
    assert_non_null(image);
    assert_ok(selsnap_open(store, box->origin, NULL, &ss));
    /* Blocks not yet preserved for the newest snapshot, and so few that no checkpoint follows. */
    for (uint64_t b = 44; b < 70; b += 10) {
        pattern_fill(block, sizeof block, b * BOX_BLOCK, 1, 100000);
        assert_ok(selsnap_write(ss, block, sizeof block, b * BOX_BLOCK));
        box->live[b] = 100000;
    }
    assert_ok(selsnap_device_read(store, image, BOX_STORE_BYTES, 0));
    assert_ok(selsnap_device_read(box->origin, box->origin_image, BOX_ORIGIN_BYTES, 0));
    assert_ok(selsnap_close(ss));
    selsnap_device_close(store);
    return image;
}

/* The other superblock says that all was closed cleanly, and knows nothing of what came after. */
static void test_repair__newest_superblock_lost__older_is_not_taken_for_it(void **state) {
    (void)state;
    struct box box;
    struct box_repair repair = {.code = 1};
    unsigned refused = 0;
    box_make(&box, BOX_CLEAN);
    uint8_t *image = use_a_little(&box);
    for (unsigned slot = 0; slot < 2; slot++) {
        image[slot * 16 * 4096 + 44] ^= 1;
        repair.flags = 0;
        box_try(&box, image, BOX_STORE_BYTES, &repair);
        refused += repair.code == SELSNAP_EDAMAGED;
        repair.flags = SELSNAP_REPAIR_AS_TAKEN;
        box_try(&box, image, BOX_STORE_BYTES, &repair);
        assert_ok(repair.code);
        image[slot * 16 * 4096 + 44] ^= 1;
    }
    assert_int_equal(refused, 1);
    free(image);
    box_free(&box);
}

static uint64_t get64(const uint8_t *p) {
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) {
        value = value << 8 | p[i];
    }
    return value;
}

/* An inner page is laid out anew from the pages below it, where the checksum in its pointer proves it right. */
static void test_repair__root_damaged__rebuilt_if_its_children_are_sound(void **state) {
    (void)state;
    const enum box_state states[] = {BOX_CLEAN, BOX_CRASHED, BOX_RESTORING, BOX_PAUSED};
    for (unsigned i = 0; i < 4; i++) {
        struct box box;
        struct box_repair repair = {.code = 1};
        box_make(&box, states[i]);
        const uint8_t *super = box.image;
        if (get64(box.image + 16 * 4096 + 40) > get64(super + 40)) {
            super = box.image + 16 * 4096;
        }
        uint64_t root = get64(super + 168) * 4096;
        assert_int_equal(super[184], 1); /* its level */
        uint8_t *image = copy_of(box.image);
        uint64_t child = get64(image + root + image[root + 48] + 256u * image[root + 49] + 17) * 4096;
        memset(image + root, 0, 4096);
        box_try(&box, image, BOX_STORE_BYTES, &repair);
        assert_ok(repair.code);
        assert_int_equal(repair.missing + box_lost_total(&repair) + repair.live_lost, 0);
        assert_int_equal(repair.result.pages_damaged, 1);
        assert_int_equal(repair.line_count, 0);
        /* The same where the device ends before it, as far as all else lies below. */
        uint64_t last = 0;
        for (uint64_t at = BOX_AREA; at < BOX_STORE_BYTES; at += 4096) {
            last = at != root && !pattern_all_zero(box.image + at, 4096) ? at : last;
        }
        if (last < root) {
            box_try(&box, image, last + 4096, &repair);
            assert_ok(repair.code);
            assert_int_equal(box_lost_total(&repair), 0);
        }
        /* A child that is damaged too leaves nothing to prove the others by. */
        image[child + 3000] ^= 1;
        box_try(&box, image, BOX_STORE_BYTES, &repair);
        assert_int_equal(repair.code, SELSNAP_EDAMAGED);
        free(image);
        box_free(&box);
    }
}

static void test_repair__arguments__refused(void **state) {
    (void)state;
    struct box box;
    box_make(&box, BOX_CLEAN);
    selsnap_device *damaged = box_device(box.image, BOX_STORE_BYTES);
    selsnap_device *fresh = box_device(NULL, BOX_FRESH_BYTES);
    selsnap_repair_options options = SELSNAP_REPAIR_OPTIONS_INIT;
    selsnap_repair_result result = SELSNAP_REPAIR_RESULT_INIT;
    assert_int_equal(selsnap_repair(NULL, box.origin, fresh, NULL, &result), SELSNAP_EINVAL);
    assert_int_equal(selsnap_repair(damaged, NULL, fresh, NULL, &result), SELSNAP_EINVAL);
    assert_int_equal(selsnap_repair(damaged, box.origin, NULL, NULL, &result), SELSNAP_EINVAL);
    assert_int_equal(selsnap_repair(damaged, box.origin, fresh, NULL, NULL), SELSNAP_EINVAL);
    options.flags = 0x80;
    assert_int_equal(selsnap_repair(damaged, box.origin, fresh, &options, &result), SELSNAP_EINVAL);
    options.flags = 0;
    options.journal_bytes = 5000;
    assert_int_equal(selsnap_repair(damaged, box.origin, fresh, &options, &result), SELSNAP_EINVAL);
    options.journal_bytes = 0;
    result.struct_size = 0;
    assert_int_equal(selsnap_repair(damaged, box.origin, fresh, &options, &result), SELSNAP_EINVAL);
    assert_int_equal(box_open_code(&box, fresh), SELSNAP_ENOTSTORE);
    selsnap_device_close(damaged);
    selsnap_device_close(fresh);
    box_free(&box);
}

static void test_repair__new_device__refused_unless_it_may_be_used(void **state) {
    (void)state;
    struct box box;
    struct box_repair repair = {.code = 1};
    box_make(&box, BOX_CLEAN);
    selsnap_device *damaged = box_device(box.image, BOX_STORE_BYTES);
    selsnap_device *other = box_device(box.image, BOX_STORE_BYTES);
    selsnap_device *tiny = box_device(NULL, 65536);
    selsnap_device *small = box_device(NULL, 1 << 20);
    box_repair(&box, damaged, other, &repair);
    assert_int_equal(repair.code, SELSNAP_EEXIST);
    assert_ok(box_open_code(&box, other));
    repair.flags = SELSNAP_REPAIR_OVERWRITE;
    box_repair(&box, damaged, other, &repair);
    assert_ok(repair.code);
    box_compare(&box, other, &repair);
    box_repair(&box, damaged, damaged, &repair);
    assert_int_equal(repair.code, SELSNAP_EOVERLAP);
    box_repair(&box, damaged, box.origin, &repair);
    assert_int_equal(repair.code, SELSNAP_EOVERLAP);
    box_repair(&box, damaged, tiny, &repair);
    assert_int_equal(repair.code, SELSNAP_ETOOSMALL);
    box_repair(&box, damaged, small, &repair);
    assert_int_equal(repair.code, SELSNAP_ENOSPACE);
    assert_int_equal(box_open_code(&box, small), SELSNAP_ENOTSTORE);
    box_repair(&box, small, other, &repair);
    assert_int_equal(repair.code, SELSNAP_ENOTSTORE);
    assert_ok(box_open_code(&box, damaged));
    selsnap_device_close(damaged);
    selsnap_device_close(other);
    selsnap_device_close(tiny);
    selsnap_device_close(small);
    box_free(&box);
}

static void test_repair__other_origin__refused(void **state) {
    (void)state;
    struct box box;
    box_make(&box, BOX_CLEAN);
    selsnap_device *damaged = box_device(box.image, BOX_STORE_BYTES);
    selsnap_device *fresh = box_device(NULL, BOX_FRESH_BYTES);
    selsnap_device *origin = box_device(NULL, BOX_ORIGIN_BYTES + 4096);
    selsnap_repair_result result = SELSNAP_REPAIR_RESULT_INIT;
    assert_int_equal(selsnap_repair(damaged, origin, fresh, NULL, &result), SELSNAP_EORIGIN);
    assert_int_equal(box_open_code(&box, fresh), SELSNAP_ENOTSTORE);
    selsnap_device_close(damaged);
    selsnap_device_close(fresh);
    selsnap_device_close(origin);
    box_free(&box);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repair__sound_store__copied_whole),
        cmocka_unit_test(test_repair__least_memory__copied_whole),
        cmocka_unit_test(test_repair__copy_damaged__lost_for_those_that_share_it_and_no_more),
        cmocka_unit_test(test_repair__copy_damaged_and_origin_has_it__nothing_lost),
        cmocka_unit_test(test_repair__written_data_damaged__lost_in_that_overlay_alone),
        cmocka_unit_test(test_repair__lost_in_overlay__is_mended_by_writing_and_by_reset),
        cmocka_unit_test(test_repair__repaired_store__copied_with_its_losses),
        cmocka_unit_test(test_repair__log_damaged__snapshots_as_taken_on_request_only),
        cmocka_unit_test(test_repair__newest_superblock_lost__older_is_not_taken_for_it),
        cmocka_unit_test(test_repair__root_damaged__rebuilt_if_its_children_are_sound),
        cmocka_unit_test(test_repair__arguments__refused),
        cmocka_unit_test(test_repair__new_device__refused_unless_it_may_be_used),
        cmocka_unit_test(test_repair__other_origin__refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
