/* SPDX-License-Identifier: Apache-2.0 */
/* Clones: frozen, and as changed on layers that they share. */
#include "rig.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, WRITER = 7, LAYERS_MAX = 32 };

static int try_clone(struct rig *rig, uint64_t source, const char *name, uint32_t flags, uint64_t *ret_id) {
    selsnap_clone_options options = SELSNAP_CLONE_OPTIONS_INIT;
    options.source_id = source;
    options.name = name;
    options.flags = flags;
    return selsnap_snapshot_clone(rig->ss, &options, ret_id);
}

static uint64_t clone_of(struct rig *rig, uint64_t source, const char *name, uint32_t flags) {
    uint64_t id = 0;
    assert_ok(try_clone(rig, source, name, flags, &id));
    return id;
}

static uint64_t changed_clone(struct rig *rig, uint64_t source, const char *name) {
    return clone_of(rig, source, name, SELSNAP_CLONE_AS_CHANGED);
}

static selsnap_view *writable(struct rig *rig, uint64_t id) {
    return rig_view(rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
}

static void write_blocks(struct rig *rig, uint64_t id, uint64_t first, uint64_t count, uint64_t sequence) {
    uint8_t *buf = malloc(count * BLOCK);
    assert_non_null(buf);
    pattern_fill(buf, count * BLOCK, first * BLOCK, WRITER, sequence);
    selsnap_view *view = writable(rig, id);
    assert_ok(selsnap_view_write(view, buf, count * BLOCK, first * BLOCK));
    assert_ok(selsnap_view_close(view));
    free(buf);
}

static void reset(struct rig *rig, uint64_t id) {
    selsnap_view *view = writable(rig, id);
    assert_ok(selsnap_view_reset(view));
    assert_ok(selsnap_view_close(view));
}

/* Block of the snapshot as written at the sequence; 0: as taken. */
static void assert_block(struct rig *rig, uint64_t id, uint64_t block, uint64_t sequence) {
    uint8_t buf[BLOCK];
    assert_ok(rig_read_snapshot(rig, id, block, buf));
    assert_true(pattern_is(buf, BLOCK, block * BLOCK, sequence == 0 ? 0 : WRITER, sequence));
}

static selsnap_snapshot_info info_of(struct rig *rig, uint64_t id) {
    selsnap_snapshot_info info = {0};
    info.struct_size = sizeof info;
    assert_ok(selsnap_snapshot_get(rig->ss, id, &info));
    return info;
}

static selsnap_snapshot_usage usage_of(struct rig *rig, uint64_t id) {
    selsnap_snapshot_usage usage = {0};
    usage.struct_size = sizeof usage;
    assert_ok(selsnap_snapshot_get_usage(rig->ss, id, NULL, NULL, &usage));
    return usage;
}

static uint64_t settled_use(struct rig *rig) {
    rig_settle(rig);
    rig_settle(rig);
    return rig_stats(rig).store_used_bytes;
}

static uint64_t freed_by(struct rig *rig, const uint64_t *ids, uint32_t count) {
    uint64_t bytes = 0;
    assert_ok(selsnap_space_freed(rig->ss, ids, count, NULL, NULL, &bytes));
    return bytes;
}

static void assert_space_back(struct rig *rig, uint64_t before) {
    uint64_t now = settled_use(rig);
    assert_in_range(now, before < 4 * BLOCK ? 0 : before - 4 * BLOCK, before + 4 * BLOCK);
    rig_assert_sound(rig);
}

/* ---- frozen ---- */

static void test_clone__of_any_size__one_record(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t source = rig_snapshot(&rig, "source", 0, 0);
    rig_write(&rig, 0, 20, 1);
    write_blocks(&rig, source, 3, 2, 5);
    for (unsigned i = 0; i < 3; i++) {
        char name[8] = {(char)('a' + i), 0};
        rig_reset_counts(&rig);
        uint64_t clone = clone_of(&rig, source, name, 0);
        assert_int_equal(rig_store_counts(&rig).writes, 1);
        assert_int_equal(rig_store_counts(&rig).flushes, 1);
        assert_int_equal(rig_origin_counts(&rig).writes + rig_origin_counts(&rig).flushes, 0);
        assert_int_equal(info_of(&rig, clone).point, info_of(&rig, source).point);
        assert_int_equal(info_of(&rig, clone).designation_id, info_of(&rig, source).designation_id);
        assert_int_equal(info_of(&rig, clone).changed, 0);
        rig_assert_snapshot(&rig, clone, 0, 64, 0);
    }
    rig_crash(&rig);
    selsnap_snapshot_info info = {0};
    info.struct_size = sizeof info;
    assert_ok(selsnap_snapshot_find(rig.ss, "c", &info));
    rig_assert_snapshot(&rig, info.id, 0, 64, 0);
    assert_block(&rig, source, 3, 5);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_clone__source_deleted__keeps_what_both_needed(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t source = rig_snapshot(&rig, "source", 8, 16);
    rig_write(&rig, 0, 16, 1);
    uint64_t clone = clone_of(&rig, source, "clone", 0);
    uint64_t second = clone_of(&rig, clone, "second", 0);
    assert_ok(selsnap_snapshot_delete(rig.ss, source));
    rig_settle(&rig);
    rig_write(&rig, 0, 32, 2);
    assert_ok(selsnap_snapshot_delete(rig.ss, clone));
    rig_settle(&rig);
    rig_assert_snapshot(&rig, second, 8, 16, 0);
    rig_reopen(&rig);
    rig_assert_snapshot(&rig, second, 8, 16, 0);
    rig_assert_sound(&rig);
    assert_ok(selsnap_snapshot_delete(rig.ss, second));
    rig_settle(&rig);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_clone__written_into__isolated(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t source = rig_snapshot(&rig, "source", 0, 0);
    uint64_t clone = clone_of(&rig, source, "clone", 0);
    write_blocks(&rig, clone, 0, 4, 1);
    write_blocks(&rig, source, 2, 4, 2);
    assert_block(&rig, source, 0, 0);
    assert_block(&rig, source, 2, 2);
    assert_block(&rig, clone, 2, 1);
    assert_block(&rig, clone, 5, 0);
    rig_assert_live(&rig, 0, 64, 0);
    rig_close(&rig);
}

static void test_clone__restored_from__as_from_its_source(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t source = rig_snapshot(&rig, "source", 0, 0);
    rig_write(&rig, 0, 30, 1);
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    options.id = source;
    assert_ok(selsnap_restore_start(rig.ss, &options, NULL));
    uint64_t clone = clone_of(&rig, source, "clone", 0);
    assert_int_equal(selsnap_snapshot_delete(rig.ss, source), SELSNAP_EBUSY);
    rig_settle(&rig);
    rig_assert_live(&rig, 0, 64, 0);
    assert_ok(selsnap_snapshot_delete(rig.ss, source));
    rig_write(&rig, 0, 40, 2);
    options.id = clone;
    assert_ok(selsnap_restore_start(rig.ss, &options, NULL));
    rig_settle(&rig);
    rig_assert_live(&rig, 0, 64, 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_clone__policies_differ__one_that_fails_decides(void **state) {
    (void)state;
    struct rig rig;
    struct rig_options small = {.origin_bytes = 512 * BLOCK, .store_bytes = 1 << 20};
    rig_open(&rig, &small);
    uint64_t source = 0;
    assert_ok(rig_try_snapshot(&rig, "source", 0, 0, SELSNAP_POLICY_GIVE_UP_BLOCK, &source));
    uint64_t clone = clone_of(&rig, source, "clone", 0);
    uint64_t block = 0;
    while (block < 512 && rig_try_write(&rig, block, 1, 1) == SELSNAP_OK) {
        block++;
    }
    assert_in_range(block, 1, 511);
    assert_int_equal(rig_try_write(&rig, block, 1, 1), SELSNAP_ENOSPACE);
    assert_ok(selsnap_snapshot_delete(rig.ss, clone));
    rig_write(&rig, block, 1, 1);
    uint64_t late = clone_of(&rig, source, "late", 0);
    uint8_t buf[BLOCK];
    assert_int_equal(rig_read_snapshot(&rig, late, block, buf), SELSNAP_ELOST);
    assert_int_equal(rig_state(&rig, late, block), SELSNAP_BLOCKS_LOST);
    rig_assert_snapshot(&rig, late, 0, 1, 0);
    rig_close(&rig);
}

static void test_clone__refused__nothing_changed(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t source = rig_snapshot(&rig, "source", 0, 0);
    uint64_t id = 77;
    assert_int_equal(try_clone(&rig, source + 100, "clone", 0, &id), SELSNAP_ENOENT);
    assert_int_equal(try_clone(&rig, source, "source", 0, &id), SELSNAP_EEXIST);
    assert_int_equal(try_clone(&rig, source, "", 0, &id), SELSNAP_EINVAL);
    assert_int_equal(try_clone(&rig, source, NULL, 0, &id), SELSNAP_EINVAL);
    assert_int_equal(try_clone(&rig, source, "clone", 2, &id), SELSNAP_EINVAL);
    assert_int_equal(selsnap_snapshot_clone(NULL, NULL, &id), SELSNAP_EINVAL);
    assert_int_equal(id, 77);
    assert_int_equal(rig_stats(&rig).snapshots, 1);
    assert_ok(selsnap_snapshot_delete(rig.ss, source));
    assert_int_equal(try_clone(&rig, source, "clone", 0, &id), SELSNAP_ENOENT);
    rig_close(&rig);
}

/* ---- as changed ---- */

static void test_clone_as_changed__nothing_written__as_frozen(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t source = rig_snapshot(&rig, "source", 0, 0);
    rig_reset_counts(&rig);
    uint64_t clone = changed_clone(&rig, source, "clone");
    assert_int_equal(rig_store_counts(&rig).writes, 1);
    assert_int_equal(rig_store_counts(&rig).flushes, 1);
    assert_int_equal(info_of(&rig, clone).changed, 0);
    write_blocks(&rig, source, 0, 2, 1);
    assert_block(&rig, clone, 0, 0);
    rig_close(&rig);
}

static void test_clone_as_changed__pending_and_flushed__both_seen_and_then_isolated(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t source = rig_snapshot(&rig, "source", 0, 0);
    write_blocks(&rig, source, 0, 8, 1);
    selsnap_view *view = writable(&rig, source);
    uint8_t buf[BLOCK];
    pattern_fill(buf, BLOCK, 2 * BLOCK, WRITER, 2);
    assert_ok(selsnap_view_write(view, buf, BLOCK, 2 * BLOCK));
    uint64_t used = rig_stats(&rig).store_used_bytes;
    uint64_t clone = changed_clone(&rig, source, "clone");
    assert_in_range(rig_stats(&rig).store_used_bytes, 0, used + 4 * BLOCK);
    pattern_fill(buf, BLOCK, 3 * BLOCK, WRITER, 3);
    assert_ok(selsnap_view_write(view, buf, BLOCK, 3 * BLOCK));
    assert_ok(selsnap_view_discard(view, 4 * BLOCK, BLOCK));
    assert_block(&rig, clone, 0, 1);
    assert_block(&rig, clone, 2, 2);
    assert_block(&rig, clone, 3, 1);
    assert_block(&rig, clone, 4, 1);
    assert_ok(selsnap_view_read(view, buf, BLOCK, 4 * BLOCK));
    assert_true(pattern_all_zero(buf, BLOCK));
    assert_ok(selsnap_view_close(view));
    rig_crash(&rig);
    assert_block(&rig, source, 2, 2);
    assert_block(&rig, source, 3, 3);
    assert_block(&rig, clone, 3, 1);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_clone_as_changed__written_into__each_its_own(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t before = settled_use(&rig);
    uint64_t source = rig_snapshot(&rig, "source", 0, 0);
    write_blocks(&rig, source, 0, 8, 1);
    uint64_t clone = changed_clone(&rig, source, "clone");
    uint64_t third = changed_clone(&rig, clone, "third");
    write_blocks(&rig, source, 2, 2, 2);
    write_blocks(&rig, clone, 3, 2, 3);
    selsnap_view *view = writable(&rig, third);
    assert_ok(selsnap_view_discard(view, 0, BLOCK));
    assert_ok(selsnap_view_close(view));
    for (unsigned round = 0; round < 2; round++) {
        static const uint8_t want[3][9] = {{1, 1, 2, 2, 1, 1, 1, 1, 0}, {1, 1, 1, 3, 3, 1, 1, 1, 0}, {9, 1, 1, 1, 1}};
        const uint64_t ids[3] = {source, clone, third};
        for (unsigned i = 0; i < 3; i++) {
            for (unsigned block = i == 2 ? 1 : 0; block < (i == 2 ? 5u : 9u); block++) {
                assert_block(&rig, ids[i], block, want[i][block]);
            }
            assert_int_equal(rig_state(&rig, ids[i], 7), SELSNAP_BLOCKS_OVERLAY);
            assert_int_equal(rig_state(&rig, ids[i], 8), SELSNAP_BLOCKS_UNCHANGED);
            assert_int_equal(usage_of(&rig, ids[i]).overlay_blocks, 8);
        }
        uint8_t buf[BLOCK];
        assert_ok(rig_read_snapshot(&rig, third, 0, buf));
        assert_true(pattern_all_zero(buf, BLOCK));
        assert_int_equal(usage_of(&rig, source).overlay_bytes, 2 * BLOCK);
        assert_int_equal(usage_of(&rig, third).overlay_bytes, 0);
        assert_int_equal(freed_by(&rig, ids, 2), 4 * BLOCK);
        assert_int_equal(freed_by(&rig, ids, 3), 12 * BLOCK);
        rig_assert_sound(&rig);
        rig_reopen(&rig);
    }
    reset(&rig, clone);
    rig_settle(&rig);
    rig_assert_snapshot(&rig, clone, 0, 64, 0);
    assert_int_equal(info_of(&rig, clone).changed, 0);
    assert_block(&rig, third, 3, 1);
    assert_ok(selsnap_snapshot_delete(rig.ss, source));
    rig_settle(&rig);
    assert_block(&rig, third, 3, 1);
    assert_int_equal(usage_of(&rig, third).overlay_bytes, 8 * BLOCK);
    reset(&rig, third);
    rig_assert_snapshot(&rig, third, 0, 64, 0);
    assert_ok(selsnap_snapshot_delete(rig.ss, third));
    assert_ok(selsnap_snapshot_delete(rig.ss, clone));
    assert_space_back(&rig, before);
    rig_close(&rig);
}

static void test_clone_as_changed__again_and_again__no_deeper_than_what_was_written(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t source = rig_snapshot(&rig, "source", 0, 0);
    for (unsigned i = 0; i < 2 * LAYERS_MAX; i++) {
        write_blocks(&rig, source, 0, 1, 1);
        uint64_t clone = 0;
        int rc = try_clone(&rig, source, "clone", SELSNAP_CLONE_AS_CHANGED, &clone);
        assert_int_equal(rc, i < LAYERS_MAX - 1 ? SELSNAP_OK : SELSNAP_ELIMIT);
        if (rc != SELSNAP_OK) {
            break;
        }
        for (unsigned j = 0; j < 3; j++) {
            assert_ok(selsnap_snapshot_delete(rig.ss, clone));
            clone = changed_clone(&rig, source, "clone");
            assert_block(&rig, clone, 0, 1);
        }
        assert_ok(selsnap_snapshot_delete(rig.ss, clone));
    }
    rig_assert_sound(&rig);
    rig_reopen(&rig);
    assert_block(&rig, source, 0, 1);
    reset(&rig, source);
    write_blocks(&rig, source, 0, 1, 2);
    assert_block(&rig, changed_clone(&rig, source, "clone"), 0, 2);
    rig_settle(&rig);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

/* A tree of five, written into between; then deleted, or reset and deleted, in every order. */
enum { TREE = 5 };

static void build_tree(struct rig *rig, uint64_t *ids) {
    ids[0] = rig_snapshot(rig, "t0", 0, 0);
    write_blocks(rig, ids[0], 0, 6, 10);
    ids[1] = changed_clone(rig, ids[0], "t1");
    write_blocks(rig, ids[1], 1, 1, 11);
    write_blocks(rig, ids[0], 5, 1, 15);
    ids[2] = changed_clone(rig, ids[1], "t2");
    write_blocks(rig, ids[2], 2, 1, 12);
    ids[3] = changed_clone(rig, ids[0], "t3");
    write_blocks(rig, ids[3], 3, 1, 13);
    ids[4] = clone_of(rig, ids[2], "t4", 0);
    write_blocks(rig, ids[4], 4, 1, 14);
}

static void assert_tree(struct rig *rig, const uint64_t *ids, unsigned left, unsigned as_taken) {
    static const uint8_t want[TREE][6] = {{10, 10, 10, 10, 10, 15},
                                          {10, 11, 10, 10, 10, 10},
                                          {10, 11, 12, 10, 10, 10},
                                          {10, 10, 10, 13, 10, 15},
                                          {0, 0, 0, 0, 14, 0}};
    for (unsigned i = 0; i < TREE; i++) {
        for (unsigned block = 0; (left >> i & 1) != 0 && block < 6; block++) {
            assert_block(rig, ids[i], block, (as_taken >> i & 1) != 0 ? 0 : want[i][block]);
        }
    }
}

static void undo_tree(struct rig *rig, unsigned order, bool reset_first) {
    uint64_t ids[TREE];
    unsigned left = (1u << TREE) - 1;
    unsigned as_taken = 0;
    build_tree(rig, ids);
    assert_tree(rig, ids, left, as_taken);
    for (unsigned i = TREE; i > 0; i--) {
        unsigned pick = order % i;
        unsigned at = 0;
        order /= i;
        while ((left >> at & 1) == 0 || pick-- > 0) {
            at++;
        }
        if (reset_first) {
            reset(rig, ids[at]);
            as_taken |= 1u << at;
            assert_tree(rig, ids, left, as_taken);
        }
        assert_ok(selsnap_snapshot_delete(rig->ss, ids[at]));
        left &= ~(1u << at);
        if ((order + i) % 3 == 0) {
            rig_settle(rig);
        }
        assert_tree(rig, ids, left, as_taken);
        if (order % 7 == 0) {
            rig_crash(rig);
            assert_tree(rig, ids, left, as_taken);
        }
    }
}

static void test_clone_tree__deleted_in_all_orders__nothing_left(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t before = settled_use(&rig);
    for (unsigned order = 0; order < 120; order += test_share()) {
        undo_tree(&rig, order, order % 5 == 2);
        if (order % 24 < test_share()) {
            assert_space_back(&rig, before);
        }
    }
    assert_space_back(&rig, before);
    rig_close(&rig);
}

static void test_clone_tree__repaired__layers_carried_over(void **state) {
    (void)state;
    struct rig rig;
    uint64_t ids[TREE];
    rig_open(&rig, NULL);
    build_tree(&rig, ids);
    assert_ok(selsnap_snapshot_delete(rig.ss, ids[1]));
    rig_stop(&rig);
    selsnap_device *fresh = NULL;
    const uint64_t bytes = 8 << 20;
    assert_ok(selsnap_device_open_memory(bytes, 1, &fresh));
    selsnap_repair_result result = {0};
    result.struct_size = sizeof result;
    assert_ok(selsnap_repair(rig.store_base, rig.origin_base, fresh, NULL, &result));
    assert_int_equal(result.snapshots_salvaged, TREE - 1);
    assert_int_equal(result.snapshots_lost, 0);
    uint8_t *all = malloc(bytes);
    assert_non_null(all);
    assert_ok(selsnap_device_read(fresh, all, bytes, 0));
    assert_ok(selsnap_device_write(rig.store_base, all, bytes, 0));
    free(all);
    selsnap_device_close(fresh);
    rig_start(&rig);
    assert_tree(&rig, ids, 0x1d, 0);
    rig_assert_sound(&rig);
    reset(&rig, ids[2]);
    rig_settle(&rig);
    assert_tree(&rig, ids, 0x1d, 0x4);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clone__of_any_size__one_record),
        cmocka_unit_test(test_clone__source_deleted__keeps_what_both_needed),
        cmocka_unit_test(test_clone__written_into__isolated),
        cmocka_unit_test(test_clone__restored_from__as_from_its_source),
        cmocka_unit_test(test_clone__policies_differ__one_that_fails_decides),
        cmocka_unit_test(test_clone__refused__nothing_changed),
        cmocka_unit_test(test_clone_as_changed__nothing_written__as_frozen),
        cmocka_unit_test(test_clone_as_changed__pending_and_flushed__both_seen_and_then_isolated),
        cmocka_unit_test(test_clone_as_changed__written_into__each_its_own),
        cmocka_unit_test(test_clone_as_changed__again_and_again__no_deeper_than_what_was_written),
        cmocka_unit_test(test_clone_tree__deleted_in_all_orders__nothing_left),
        cmocka_unit_test(test_clone_tree__repaired__layers_carried_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
