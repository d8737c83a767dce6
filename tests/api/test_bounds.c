/* SPDX-License-Identifier: Apache-2.0 */
/* P10 and P11: memory, time and counts are bounded; limits are large, and refused cleanly one beyond. */
#include "rig.h"
#include "sparsedev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fill_text(char *text, size_t len) {
    memset(text, 'x', len);
    text[len] = '\0';
}

static int create_named(struct rig *rig, const char *name, const selsnap_property *properties, uint32_t count,
                        uint64_t *ret_id) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = name;
    options.properties = properties;
    options.property_count = count;
    return selsnap_snapshot_create(rig->ss, &options, ret_id);
}

static void test_limits__name__255_bytes_and_no_more(void **state) {
    (void)state;
    struct rig rig;
    char name[300];
    uint64_t id = 0;
    rig_open(&rig, NULL);
    fill_text(name, 255);
    assert_ok(create_named(&rig, name, NULL, 0, &id));
    selsnap_snapshot_info info = {0};
    info.struct_size = sizeof info;
    assert_ok(selsnap_snapshot_find(rig.ss, name, &info));
    assert_string_equal(info.name, name);
    assert_int_equal(create_named(&rig, name, NULL, 0, &id), SELSNAP_EEXIST);
    fill_text(name, 256);
    assert_int_equal(create_named(&rig, name, NULL, 0, &id), SELSNAP_ELIMIT);
    assert_int_equal(selsnap_snapshot_rename(rig.ss, id, name), SELSNAP_ELIMIT);
    assert_true(create_named(&rig, "", NULL, 0, &id) < 0);
    assert_int_equal(rig_stats(&rig).snapshots, 1);
    rig_close(&rig);
}

static void test_limits__designation_name__255_bytes_and_no_more(void **state) {
    (void)state;
    struct rig rig;
    char name[300];
    rig_open(&rig, NULL);
    selsnap_subset *subset = rig_subset(&rig, 1, 1);
    fill_text(name, 255);
    assert_ok(selsnap_designation_save(rig.ss, name, subset, NULL));
    fill_text(name, 256);
    int code = selsnap_designation_save(rig.ss, name, subset, NULL);
    assert_true(code == SELSNAP_EINVAL || code == SELSNAP_ELIMIT);
    selsnap_subset_close(subset);
    rig_close(&rig);
}

static void test_limits__properties__16_of_255_and_768_bytes_and_no_more(void **state) {
    (void)state;
    struct rig rig;
    static char keys[17][300];
    static char value[1000];
    selsnap_property properties[17];
    uint64_t id = 0;
    const struct rig_options options = {.journal_bytes = 1 << 20, .memory_limit = RIG_LIBRARY_MEMORY};
    rig_open(&rig, &options);
    fill_text(value, 768);
    for (unsigned i = 0; i < 17; i++) {
        fill_text(keys[i], 255);
        keys[i][0] = (char)('a' + i);
        properties[i].key = keys[i];
        properties[i].value = value;
    }
    assert_ok(create_named(&rig, "full", properties, 16, &id));
    rig_reopen(&rig);
    char key[256] = "";
    char found[769];
    for (unsigned i = 0; i < 16; i++) {
        assert_ok(selsnap_snapshot_next_property(rig.ss, id, key, key, found));
        assert_string_equal(key, keys[i]);
        assert_string_equal(found, value);
    }
    assert_int_equal(selsnap_snapshot_next_property(rig.ss, id, key, key, found), SELSNAP_ENOENT);
    assert_true(create_named(&rig, "17", properties, 17, &id) < 0);
    fill_text(value, 769);
    assert_int_equal(create_named(&rig, "value", properties, 1, &id), SELSNAP_ELIMIT);
    fill_text(value, 1);
    fill_text(keys[0], 256);
    assert_int_equal(create_named(&rig, "key", properties, 1, &id), SELSNAP_ELIMIT);
    static const char *const no_text[] = {"", "a\nb", "\x7f", "\xff", "\xc3"};
    for (size_t i = 0; i < sizeof no_text / sizeof *no_text; i++) {
        properties[0].key = no_text[i];
        assert_int_equal(create_named(&rig, "key", properties, 1, &id), SELSNAP_EINVAL);
    }
    for (size_t i = 1; i < sizeof no_text / sizeof *no_text; i++) {
        properties[0] = (selsnap_property){"key", no_text[i]};
        assert_int_equal(create_named(&rig, "value", properties, 1, &id), SELSNAP_EINVAL);
    }
    properties[1] = properties[0] = (selsnap_property){"key", "value"};
    assert_int_equal(create_named(&rig, "twice", properties, 2, &id), SELSNAP_EINVAL);
    assert_int_equal(rig_stats(&rig).snapshots, 1);
    rig_close(&rig);
}

static void make_many(struct rig *rig, unsigned count) {
    rig_save(rig, "d", 0, 16);
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%u", i);
        (void)rig_snapshot_of(rig, name, "d");
        if (i % 10007 == 3) {
            rig_write(rig, 1, 1, i);
        }
    }
}

static unsigned count_listed(struct rig *rig) {
    selsnap_snapshot_info info = {0};
    unsigned count = 0;
    info.struct_size = sizeof info;
    while (selsnap_snapshot_next(rig->ss, info.id, &info) == SELSNAP_OK) {
        count++;
    }
    return count;
}

static void check_many(unsigned count, uint64_t store_bytes) {
    struct rig rig;
    const struct rig_options options = {
        .store_bytes = store_bytes, .journal_bytes = 4 << 20, .memory_limit = RIG_LIBRARY_MEMORY};
    rig_open(&rig, &options);
    make_many(&rig, count);
    assert_int_equal(rig_stats(&rig).snapshots, count);
    assert_true(rig_stats(&rig).memory_peak_bytes <= rig_stats(&rig).memory_limit_bytes);
    rig_write(&rig, 0, 4, 77);
    rig_reopen(&rig);
    assert_int_equal(count_listed(&rig), count);
    assert_true(rig_stats(&rig).memory_peak_bytes <= rig_stats(&rig).memory_limit_bytes);
    selsnap_snapshot_info info = {0};
    info.struct_size = sizeof info;
    char name[32];
    snprintf(name, sizeof name, "s%u", count - 1);
    assert_ok(selsnap_snapshot_find(rig.ss, name, &info));
    rig_assert_snapshot(&rig, info.id, 2, 2, 0);
    assert_ok(selsnap_snapshot_find(rig.ss, "s0", &info));
    rig_assert_snapshot(&rig, info.id, 0, 16, 0);
    rig_close(&rig);
}

static void test_snapshots__300__all_there(void **state) {
    (void)state;
    check_many(300, 32 << 20);
}

static void test_snapshots__70000__all_there_under_the_default_memory(void **state) {
    (void)state;
    check_many(70000, 128 << 20);
}

/* A limit too small for all: refused cleanly, what stands goes on, and room comes back with a delete. */
static void test_snapshots__memory_limit_reached__refused_cleanly(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {
        .store_bytes = 64 << 20, .journal_bytes = 65536, .memory_limit = (4 << 20) + 3 * 65536};
    int code = SELSNAP_OK;
    unsigned count = 0;
    uint64_t id = 0;
    rig_open(&rig, &options);
    rig_save(&rig, "d", 0, 16);
    while (code == SELSNAP_OK && count < 200000) {
        char name[32];
        selsnap_snapshot_options create = SELSNAP_SNAPSHOT_OPTIONS_INIT;
        snprintf(name, sizeof name, "s%u", count);
        create.name = name;
        create.designation = "d";
        code = selsnap_snapshot_create(rig.ss, &create, &id);
        count += code == SELSNAP_OK ? 1 : 0;
    }
    assert_int_equal(code, SELSNAP_EMEMLIMIT);
    assert_true(count > 1000);
    assert_int_equal(rig_stats(&rig).snapshots, count);
    assert_true(rig_stats(&rig).memory_peak_bytes <= options.memory_limit);
    rig_write(&rig, 0, 32, 1);
    rig_assert_snapshot(&rig, id, 0, 16, 0);
    rig_reopen(&rig);
    assert_int_equal(count_listed(&rig), count);
    for (unsigned i = 0; i < 200; i++) {
        char name[32];
        selsnap_snapshot_info info = {0};
        info.struct_size = sizeof info;
        snprintf(name, sizeof name, "s%u", i);
        assert_ok(selsnap_snapshot_find(rig.ss, name, &info));
        assert_ok(selsnap_snapshot_delete(rig.ss, info.id));
    }
    rig_settle(&rig);
    (void)rig_snapshot_of(&rig, "again", "d");
    rig_close(&rig);
}

static void test_designations__memory_limit_reached__refused_cleanly(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {
        .store_bytes = 64 << 20, .journal_bytes = 65536, .memory_limit = (4 << 20) + 3 * 65536};
    int code = SELSNAP_OK;
    unsigned count = 0;
    rig_open(&rig, &options);
    selsnap_subset *subset = rig_subset(&rig, 0, 16);
    while (code == SELSNAP_OK && count < 200000) {
        char name[32];
        snprintf(name, sizeof name, "d%u", count);
        code = selsnap_designation_save(rig.ss, name, subset, NULL);
        count += code == SELSNAP_OK ? 1 : 0;
    }
    assert_int_equal(code, SELSNAP_EMEMLIMIT);
    assert_true(count > 1000);
    assert_true(rig_stats(&rig).memory_peak_bytes <= options.memory_limit);
    for (unsigned i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "d%u", i);
        assert_ok(selsnap_designation_delete(rig.ss, name));
    }
    rig_settle(&rig);
    uint64_t id = rig_snapshot_of(&rig, "s", "d500");
    rig_write(&rig, 0, 32, 1);
    rig_assert_snapshot(&rig, id, 0, 16, 0);
    selsnap_subset_close(subset);
    rig_close(&rig);
}

static void test_memory__limit_too_small__open_is_refused(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.journal_bytes = 65536};
    rig_open(&rig, &options);
    rig_stop(&rig);
    rig.options.memory_limit = (4 << 20) + 3 * 65536 - 1;
    assert_int_equal(rig_try_start(&rig), SELSNAP_EMEMLIMIT);
    assert_int_equal(rig.heap.live, 0);
    rig.options.memory_limit++;
    rig_start(&rig);
    rig_close(&rig);
}

/* ---- large devices ---- */

static void open_sparse(struct rig *rig, uint64_t origin_bytes, const struct rig_options *options) {
    selsnap_device *origin = NULL;
    selsnap_device *store = NULL;
    (void)sparsedev_open(origin_bytes, 512, true, &origin);
    (void)sparsedev_open(UINT64_C(1) << 30, 4096, false, &store);
    rig_open_on(rig, origin, store, options);
}

static void check_large_origin(uint64_t origin_bytes) {
    struct rig rig;
    const struct rig_options options = {.blank = true, .memory_limit = RIG_LIBRARY_MEMORY};
    open_sparse(&rig, origin_bytes, &options);
    uint64_t last = rig.block_count - 1;
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    const uint64_t blocks[5] = {0, UINT64_C(1) << 20, (UINT64_C(1) << 20) - 1, last / 2, last};
    for (unsigned i = 0; i < 5; i++) {
        rig_write(&rig, blocks[i], 1, 1);
    }
    rig_reopen(&rig);
    for (unsigned i = 0; i < 5; i++) {
        rig_assert_live(&rig, blocks[i], 1, 1);
        rig_assert_snapshot(&rig, id, blocks[i], 1, 0);
        assert_int_equal(rig_state(&rig, id, blocks[i]), SELSNAP_BLOCKS_PRESERVED);
    }
    rig_assert_snapshot(&rig, id, last - 1, 1, 0);
    uint8_t byte = 0;
    assert_int_equal(selsnap_read(rig.ss, &byte, 512, origin_bytes), SELSNAP_ERANGE);
    assert_int_equal(selsnap_write(rig.ss, &byte, 512, UINT64_MAX - 511), SELSNAP_ERANGE);
    assert_true(rig_stats(&rig).memory_peak_bytes <= rig_stats(&rig).memory_limit_bytes);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_origin__just_above_4_gib__offsets_do_not_wrap(void **state) {
    (void)state;
    check_large_origin((UINT64_C(1) << 32) + 4096);
}

static void test_origin__1_tib__works(void **state) {
    (void)state;
    check_large_origin((UINT64_C(1) << 40) + 512);
}

static void test_origin__16_tib__works_under_the_default_memory(void **state) {
    (void)state;
    check_large_origin(UINT64_C(1) << 44);
}

static void test_ranges__near_2_to_the_63__refused(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint8_t buf[512] = {0};
    const uint64_t offsets[4] = {UINT64_C(1) << 63, (UINT64_C(1) << 63) - 512, UINT64_MAX - 511, 64 * 4096};
    selsnap_map_range range;
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_view *view = rig_view(&rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(selsnap_read(rig.ss, buf, 512, offsets[i]), SELSNAP_ERANGE);
        assert_int_equal(selsnap_write(rig.ss, buf, 512, offsets[i]), SELSNAP_ERANGE);
        assert_int_equal(selsnap_discard(rig.ss, offsets[i], 512), SELSNAP_ERANGE);
        assert_int_equal(selsnap_write_zeroes(rig.ss, offsets[i], UINT64_MAX), SELSNAP_ERANGE);
        assert_int_equal(selsnap_view_read(view, buf, 512, offsets[i]), SELSNAP_ERANGE);
        assert_int_equal(selsnap_view_write(view, buf, 512, offsets[i]), SELSNAP_ERANGE);
        assert_int_equal(selsnap_view_discard(view, offsets[i], 512), SELSNAP_ERANGE);
        assert_int_equal(selsnap_snapshot_map(rig.ss, id, offsets[i], &range), SELSNAP_ERANGE);
    }
    assert_ok(selsnap_view_close(view));
    rig_assert_live(&rig, 0, 64, 0);
    rig_close(&rig);
}

/* Subsets of very many ranges, more than a page of them, still cost a first write nothing. */
static void test_designations__of_100000_ranges__work(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {
        .blank = true, .journal_bytes = 1 << 20, .memory_limit = RIG_LIBRARY_MEMORY};
    open_sparse(&rig, UINT64_C(1) << 32, &options);
    selsnap_subset *subset = NULL;
    assert_ok(selsnap_subset_open_for(rig.ss, &subset));
    for (uint64_t i = 0; i < 100000; i++) {
        assert_ok(selsnap_subset_add(subset, i * 8192 * 4, 4096));
    }
    assert_ok(selsnap_designation_save(rig.ss, "d", subset, NULL));
    selsnap_subset_close(subset);
    uint64_t id = rig_snapshot_of(&rig, "s", "d");
    rig_reopen(&rig);
    rig_write(&rig, 8 * 77777, 2, 1);
    rig_assert_snapshot(&rig, id, 8 * 77777, 1, 0);
    assert_int_equal(rig_state(&rig, id, 8 * 77777 + 1), SELSNAP_BLOCKS_UNDESIGNATED);
    assert_ok(selsnap_snapshot_get_subset(rig.ss, id, &subset));
    assert_int_equal(selsnap_subset_range_count(subset), 100000);
    selsnap_subset_close(subset);
    assert_true(rig_stats(&rig).memory_peak_bytes <= rig_stats(&rig).memory_limit_bytes);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits__name__255_bytes_and_no_more),
        cmocka_unit_test(test_limits__designation_name__255_bytes_and_no_more),
        cmocka_unit_test(test_limits__properties__16_of_255_and_768_bytes_and_no_more),
        cmocka_unit_test(test_snapshots__300__all_there),
        cmocka_unit_test(test_snapshots__70000__all_there_under_the_default_memory),
        cmocka_unit_test(test_snapshots__memory_limit_reached__refused_cleanly),
        cmocka_unit_test(test_designations__memory_limit_reached__refused_cleanly),
        cmocka_unit_test(test_memory__limit_too_small__open_is_refused),
        cmocka_unit_test(test_origin__just_above_4_gib__offsets_do_not_wrap),
        cmocka_unit_test(test_origin__1_tib__works),
        cmocka_unit_test(test_origin__16_tib__works_under_the_default_memory),
        cmocka_unit_test(test_ranges__near_2_to_the_63__refused),
        cmocka_unit_test(test_designations__of_100000_ranges__work),
    };
    return cmocka_run_group_tests_name("bounds", tests, NULL, NULL);
}
