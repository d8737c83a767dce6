/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong arguments are errors, whatever the function: nothing is done, and outputs are untouched. */
#include "rig.h"

#include <string.h>

enum { BLOCK = 4096 };

#define assert_refused(call) assert_int_equal((call), SELSNAP_EINVAL)

static int no_line(void *user, const char *line) {
    (void)user;
    (void)line;
    return 0;
}

/* ---- NULL ---- */

static void test_context_functions__null__einval(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    selsnap *ss = rig.ss;
    selsnap *other = NULL;
    char text[SELSNAP_ORIGIN_HINT_MAX + 1] = "untouched";
    selsnap_stats stats = SELSNAP_STATS_INIT;
    assert_refused(selsnap_format(NULL, rig.origin, NULL));
    assert_refused(selsnap_format(rig.store, NULL, NULL));
    assert_refused(selsnap_store_origin_hint(NULL, text, sizeof text));
    assert_refused(selsnap_store_origin_hint(rig.store, NULL, sizeof text));
    assert_refused(selsnap_store_origin_hint(rig.store, text, sizeof text - 1));
    assert_refused(selsnap_open(NULL, rig.origin, NULL, &other));
    assert_refused(selsnap_open(rig.store, NULL, NULL, &other));
    assert_refused(selsnap_open(rig.store, rig.origin, NULL, NULL));
    assert_null(other);
    assert_refused(selsnap_last_error(NULL, text, sizeof text));
    assert_refused(selsnap_last_error(ss, NULL, 1));
    assert_refused(selsnap_last_error(ss, text, 0));
    assert_string_equal(text, "untouched");
    assert_refused(selsnap_get_stats(NULL, &stats));
    assert_refused(selsnap_get_stats(ss, NULL));
    assert_int_equal(selsnap_size(NULL), 0);
    assert_int_equal(selsnap_block_size(NULL), 0);
    assert_refused(selsnap_freeze(NULL));
    assert_refused(selsnap_thaw(NULL));
    assert_refused(selsnap_step(NULL, NULL, NULL));
    assert_refused(selsnap_abandon(NULL));
    assert_ok(selsnap_close(NULL));
    rig_close(&rig);
}

static void test_live_functions__null__einval(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint8_t buf[BLOCK];
    const selsnap_iovec iov = {buf, BLOCK};
    const selsnap_iovec bad[2] = {{buf, BLOCK}, {NULL, 1}};
    const selsnap_iovec empty[2] = {{NULL, 0}, {NULL, 0}};
    assert_refused(selsnap_read(NULL, buf, 1, 0));
    assert_refused(selsnap_read(rig.ss, NULL, 1, 0));
    assert_refused(selsnap_write(NULL, buf, 1, 0));
    assert_refused(selsnap_write(rig.ss, NULL, 1, 0));
    assert_refused(selsnap_readv(NULL, &iov, 1, 0));
    assert_refused(selsnap_readv(rig.ss, NULL, 1, 0));
    assert_refused(selsnap_readv(rig.ss, bad, 2, 0));
    assert_refused(selsnap_writev(NULL, &iov, 1, 0));
    assert_refused(selsnap_writev(rig.ss, NULL, 1, 0));
    assert_refused(selsnap_writev(rig.ss, bad, 2, 0));
    assert_refused(selsnap_discard(NULL, 0, 1));
    assert_refused(selsnap_write_zeroes(NULL, 0, 1));
    assert_refused(selsnap_flush(NULL));
    assert_ok(selsnap_read(rig.ss, NULL, 0, 0));
    assert_ok(selsnap_write(rig.ss, NULL, 0, 0));
    assert_ok(selsnap_readv(rig.ss, NULL, 0, 0));
    assert_ok(selsnap_writev(rig.ss, empty, 2, 0));
    rig_assert_live(&rig, 0, 64, 0);
    rig_close(&rig);
}

static void test_live_functions__lengths_overflow__erange(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint8_t buf[BLOCK];
    const selsnap_iovec huge[2] = {{buf, SIZE_MAX}, {buf, SIZE_MAX}};
    assert_int_equal(selsnap_readv(rig.ss, huge, 2, 0), SELSNAP_ERANGE);
    assert_int_equal(selsnap_writev(rig.ss, huge, 2, 0), SELSNAP_ERANGE);
    assert_int_equal(selsnap_read(rig.ss, buf, 1, UINT64_MAX), SELSNAP_ERANGE);
    assert_int_equal(selsnap_write(rig.ss, buf, 1, UINT64_MAX), SELSNAP_ERANGE);
    assert_int_equal(selsnap_write(rig.ss, buf, 2, 64 * BLOCK - 1), SELSNAP_ERANGE);
    assert_int_equal(selsnap_discard(rig.ss, 1, UINT64_MAX), SELSNAP_ERANGE);
    assert_int_equal(selsnap_write_zeroes(rig.ss, 64 * BLOCK, 1), SELSNAP_ERANGE);
    char text[200];
    assert_int_equal(selsnap_last_error(rig.ss, text, sizeof text), SELSNAP_ERANGE);
    assert_string_equal(text, "1 bytes at 262144 are not inside the device of 262144 bytes");
    rig_assert_live(&rig, 0, 64, 0);
    rig_close(&rig);
}

static void test_live_functions__not_aligned__ealign(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.logical = 512};
    rig_open(&rig, &options);
    uint8_t buf[1024] = {0};
    char text[200];
    assert_int_equal(selsnap_write(rig.ss, buf, 100, 512), SELSNAP_EALIGN);
    assert_int_equal(selsnap_last_error(rig.ss, text, sizeof text), SELSNAP_EALIGN);
    assert_string_equal(text, "100 bytes at 512 are not whole logical blocks of 512 bytes");
    assert_int_equal(selsnap_read(rig.ss, buf, 512, 100), SELSNAP_EALIGN);
    rig_assert_live(&rig, 0, 64, 0);
    rig_close(&rig);
}

static void test_snapshot_functions__null__einval(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap *ss = rig.ss;
    selsnap_subset *subset = NULL;
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    selsnap_snapshot_usage usage = {.struct_size = sizeof usage};
    selsnap_map_range range;
    char key[256];
    char value[769];
    assert_refused(selsnap_snapshot_create(NULL, NULL, NULL));
    assert_refused(selsnap_snapshot_create(ss, NULL, NULL));
    assert_refused(selsnap_snapshot_find(NULL, "s", &info));
    assert_refused(selsnap_snapshot_find(ss, NULL, &info));
    assert_refused(selsnap_snapshot_find(ss, "s", NULL));
    assert_refused(selsnap_snapshot_get(NULL, id, &info));
    assert_refused(selsnap_snapshot_get(ss, id, NULL));
    assert_refused(selsnap_snapshot_next(NULL, 0, &info));
    assert_refused(selsnap_snapshot_next(ss, 0, NULL));
    assert_refused(selsnap_snapshot_get_usage(NULL, id, NULL, NULL, &usage));
    assert_refused(selsnap_snapshot_get_usage(ss, id, NULL, NULL, NULL));
    assert_refused(selsnap_snapshot_map(NULL, id, 0, &range));
    assert_refused(selsnap_snapshot_map(ss, id, 0, NULL));
    assert_refused(selsnap_snapshot_get_subset(NULL, id, &subset));
    assert_refused(selsnap_snapshot_get_subset(ss, id, NULL));
    assert_refused(selsnap_snapshot_next_property(NULL, id, "", key, value));
    assert_refused(selsnap_snapshot_next_property(ss, id, NULL, key, value));
    assert_refused(selsnap_snapshot_next_property(ss, id, "", NULL, value));
    assert_refused(selsnap_snapshot_next_property(ss, id, "", key, NULL));
    assert_refused(selsnap_snapshot_rename(NULL, id, "t"));
    assert_refused(selsnap_snapshot_rename(ss, id, NULL));
    assert_refused(selsnap_snapshot_hold(NULL, id));
    assert_refused(selsnap_snapshot_release(NULL, id));
    assert_refused(selsnap_snapshot_delete(NULL, id));
    assert_null(subset);
    rig_close(&rig);
}

static void test_other_functions__null__einval(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    selsnap *ss = rig.ss;
    selsnap_subset *subset = NULL;
    selsnap_subset *some = rig_subset(&rig, 0, 1);
    selsnap_designation_info info = {.struct_size = sizeof info};
    selsnap_restore_info restore = {.struct_size = sizeof restore};
    selsnap_check_result result = {.struct_size = sizeof result};
    assert_refused(selsnap_subset_open_for(NULL, &subset));
    assert_refused(selsnap_subset_open_for(ss, NULL));
    assert_refused(selsnap_designation_save(NULL, "d", some, NULL));
    assert_refused(selsnap_designation_save(ss, NULL, some, NULL));
    assert_refused(selsnap_designation_save(ss, "d", NULL, NULL));
    assert_refused(selsnap_designation_load(NULL, "d", &subset));
    assert_refused(selsnap_designation_load(ss, NULL, &subset));
    assert_refused(selsnap_designation_load(ss, "d", NULL));
    assert_refused(selsnap_designation_delete(NULL, "d"));
    assert_refused(selsnap_designation_delete(ss, NULL));
    assert_refused(selsnap_designation_next(NULL, 0, &info));
    assert_refused(selsnap_designation_next(ss, 0, NULL));
    assert_refused(selsnap_restore_start(NULL, NULL, NULL));
    assert_refused(selsnap_restore_start(ss, NULL, NULL));
    assert_refused(selsnap_restore_next(NULL, 0, &restore));
    assert_refused(selsnap_restore_next(ss, 0, NULL));
    assert_refused(selsnap_restore_pause(NULL, 1, 1));
    assert_refused(selsnap_restore_run(NULL, 1, NULL, NULL));
    assert_refused(selsnap_check(NULL, NULL, NULL, NULL, NULL, &result));
    assert_refused(selsnap_check(ss, NULL, NULL, NULL, NULL, NULL));
    assert_refused(selsnap_dump(NULL, no_line, NULL));
    assert_refused(selsnap_dump(ss, NULL, NULL));
    uint8_t byte = 0;
    assert_refused(selsnap_view_read(NULL, &byte, 1, 0));
    assert_refused(selsnap_view_write(NULL, &byte, 1, 0));
    assert_refused(selsnap_view_discard(NULL, 0, 1));
    assert_refused(selsnap_view_flush(NULL));
    assert_refused(selsnap_view_reset(NULL));
    assert_null(subset);
    selsnap_subset_close(some);
    rig_close(&rig);
}

/* ---- structs ---- */

/* A struct as a newer program may have it: with members that this library does not know. */
struct newer_step_options {
    selsnap_step_options known;
    uint64_t unknown;
};

static void test_options__of_other_sizes__as_told(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    struct newer_step_options options;
    memset(&options, 0, sizeof options);
    options.known.struct_size = sizeof options;
    assert_ok(selsnap_step(rig.ss, &options.known, NULL));
    options.unknown = 1;
    assert_refused(selsnap_step(rig.ss, &options.known, NULL));
    options.known.struct_size = 8; /* up to flags: the rest counts as 0 */
    options.known.budget_blocks = 1;
    assert_ok(selsnap_step(rig.ss, &options.known, NULL));
    const uint32_t nonsense[] = {0, 7, 65537, UINT32_MAX};
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        options.known.struct_size = nonsense[i];
        assert_refused(selsnap_step(rig.ss, &options.known, NULL));
    }
    rig_close(&rig);
}

static void test_outputs__of_other_sizes__only_what_fits(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    selsnap_stats stats;
    memset(&stats, 0x5a, sizeof stats);
    stats.struct_size = 16;
    assert_ok(selsnap_get_stats(rig.ss, &stats));
    assert_int_equal(stats.struct_size, 16);
    assert_int_equal(stats.block_bytes, BLOCK);
    assert_int_equal(stats.origin_bytes, 64 * BLOCK);
    assert_int_equal(stats.store_bytes, 0x5a5a5a5a5a5a5a5a);
    stats.struct_size = 3;
    assert_refused(selsnap_get_stats(rig.ss, &stats));
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_snapshot_info info = {0};
    assert_refused(selsnap_snapshot_get(rig.ss, id, &info));
    assert_refused(selsnap_snapshot_find(rig.ss, "s", &info));
    assert_refused(selsnap_snapshot_next(rig.ss, 0, &info));
    selsnap_snapshot_usage usage = {0};
    assert_refused(selsnap_snapshot_get_usage(rig.ss, id, NULL, NULL, &usage));
    selsnap_check_result result = {0};
    assert_refused(selsnap_check(rig.ss, NULL, NULL, NULL, NULL, &result));
    rig_close(&rig);
}

static void test_flags__unknown__einval(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap *ss = NULL;
    selsnap_format_options format = SELSNAP_FORMAT_OPTIONS_INIT;
    format.flags = 0x4;
    assert_refused(selsnap_format(rig.store, rig.origin, &format));
    format.flags = 0;
    format.reserved = 1;
    assert_refused(selsnap_format(rig.store, rig.origin, &format));
    selsnap_open_options open = SELSNAP_OPEN_OPTIONS_INIT;
    open.flags = 0x40;
    assert_refused(selsnap_open(rig.store, rig.origin, &open, &ss));
    open.flags = 0;
    open.allocator = heap_allocator(&rig.heap);
    open.allocator.resize = NULL;
    assert_refused(selsnap_open(rig.store, rig.origin, &open, &ss));
    selsnap_step_options step = SELSNAP_STEP_OPTIONS_INIT;
    step.flags = 0x8;
    assert_refused(selsnap_step(rig.ss, &step, NULL));
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    restore.id = id;
    restore.flags = 0x2;
    assert_refused(selsnap_restore_start(rig.ss, &restore, NULL));
    selsnap_snapshot_options snapshot = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    snapshot.name = "t";
    snapshot.policy = 2;
    assert_refused(selsnap_snapshot_create(rig.ss, &snapshot, NULL));
    rig_close(&rig);
}

/* ---- read-only ---- */

static void test_changes__read_only_context__ereadonly(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_save(&rig, "d", 0, 4);
    rig.options.open_flags = SELSNAP_OPEN_READ_ONLY;
    rig_reopen(&rig);
    rig_reset_counts(&rig);
    selsnap_subset *some = rig_subset(&rig, 0, 1);
    selsnap_snapshot_options snapshot = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    snapshot.name = "t";
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    restore.id = id;
    const int codes[] = {
        selsnap_write(rig.ss, "x", 1, 0),
        selsnap_discard(rig.ss, 0, BLOCK),
        selsnap_write_zeroes(rig.ss, 0, BLOCK),
        selsnap_freeze(rig.ss),
        selsnap_step(rig.ss, NULL, NULL),
        selsnap_abandon(rig.ss),
        selsnap_designation_save(rig.ss, "e", some, NULL),
        selsnap_designation_delete(rig.ss, "d"),
        selsnap_snapshot_create(rig.ss, &snapshot, NULL),
        selsnap_snapshot_rename(rig.ss, id, "t"),
        selsnap_snapshot_hold(rig.ss, id),
        selsnap_snapshot_release(rig.ss, id),
        selsnap_snapshot_delete(rig.ss, id),
        selsnap_restore_start(rig.ss, &restore, NULL),
        selsnap_restore_pause(rig.ss, 1, 1),
        selsnap_restore_run(rig.ss, 1, NULL, NULL),
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        assert_int_equal(codes[i], SELSNAP_EREADONLY);
    }
    selsnap_subset_close(some);
    selsnap_subset *loaded = NULL;
    assert_ok(selsnap_designation_load(rig.ss, "d", &loaded));
    assert_int_equal(selsnap_subset_block_count(loaded), 4);
    selsnap_subset_close(loaded);
    assert_ok(selsnap_flush(rig.ss));
    rig_assert_live(&rig, 0, 64, 0);
    rig_assert_sound(&rig);
    assert_int_equal(rig_store_counts(&rig).writes + rig_origin_counts(&rig).writes, 0);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_context_functions__null__einval),
        cmocka_unit_test(test_live_functions__null__einval),
        cmocka_unit_test(test_live_functions__lengths_overflow__erange),
        cmocka_unit_test(test_live_functions__not_aligned__ealign),
        cmocka_unit_test(test_snapshot_functions__null__einval),
        cmocka_unit_test(test_other_functions__null__einval),
        cmocka_unit_test(test_options__of_other_sizes__as_told),
        cmocka_unit_test(test_outputs__of_other_sizes__only_what_fits),
        cmocka_unit_test(test_flags__unknown__einval),
        cmocka_unit_test(test_changes__read_only_context__ereadonly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
