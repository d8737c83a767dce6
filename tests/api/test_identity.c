/* SPDX-License-Identifier: Apache-2.0 */
/* A store knows its origin; wrong pairs, wrong sizes and other openers are refused, each with its own error. */
#include "files.h"
#include "rig.h"
#include "testdev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int format_on(selsnap_device *store, selsnap_device *origin, uint32_t block_bytes, uint64_t journal_bytes,
                     uint32_t flags) {
    selsnap_format_options options = SELSNAP_FORMAT_OPTIONS_INIT;
    options.block_bytes = block_bytes;
    options.journal_bytes = journal_bytes;
    options.flags = flags;
    return selsnap_format(store, origin, &options);
}

static selsnap_device *memory(uint64_t size, uint32_t logical) {
    selsnap_device *device = NULL;
    assert_ok(selsnap_device_open_memory(size, logical, &device));
    return device;
}

static void test_format__over_a_store__refused_unless_told(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_stop(&rig);
    assert_int_equal(format_on(rig.store, rig.origin, 0, 65536, 0), SELSNAP_EEXIST);
    rig_start(&rig);
    rig_assert_snapshot(&rig, id, 0, 64, 0);
    rig_stop(&rig);
    assert_ok(format_on(rig.store, rig.origin, 0, 65536, SELSNAP_FORMAT_OVERWRITE));
    rig_start(&rig);
    assert_int_equal(rig_stats(&rig).snapshots, 0);
    rig_close(&rig);
}

static void test_format__while_open__refused(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    assert_int_equal(format_on(rig.store, rig.origin, 0, 65536, SELSNAP_FORMAT_OVERWRITE), SELSNAP_ELOCKED);
    (void)rig_snapshot(&rig, "s", 0, 0);
    rig_close(&rig);
}

static void test_format__store_too_small__refused_and_unchanged(void **state) {
    (void)state;
    selsnap_device *origin = memory(64 * 4096, 0);
    int code = SELSNAP_ETOOSMALL;
    uint64_t size = 4096;
    for (; code == SELSNAP_ETOOSMALL; size += 65536) {
        uint8_t page[4096];
        selsnap_device *store = memory(size, 0);
        code = format_on(store, origin, 0, 65536, 0);
        if (code != SELSNAP_OK) {
            assert_ok(selsnap_device_read(store, page, sizeof page, 0));
            assert_true(pattern_all_zero(page, sizeof page));
        }
        selsnap_device_close(store);
    }
    assert_ok(code);
    assert_true(size > 200000 && size < 4 << 20);
    selsnap_device_close(origin);
}

static void test_format__block_and_journal_sizes__checked(void **state) {
    (void)state;
    static const struct {
        uint32_t block_bytes;
        uint64_t journal_bytes;
        int code;
    } cases[] = {
        {2048, 0, SELSNAP_EINVAL},       {4095, 0, SELSNAP_EINVAL},
        {12288, 0, SELSNAP_EINVAL},      {2097152, 0, SELSNAP_EINVAL},
        {0, 61440, SELSNAP_EINVAL},      {0, 65537, SELSNAP_EINVAL},
        {0, 1 << 30, SELSNAP_ETOOSMALL}, {0, (1 << 30) + 4096, SELSNAP_EINVAL},
        {4096, 65536, SELSNAP_OK},       {1048576, 65536, SELSNAP_OK},
        {65536, 69632, SELSNAP_OK},
    };
    selsnap_device *origin = memory(64 * 4096, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        selsnap_device *store = memory(64 << 20, 0);
        assert_int_equal(format_on(store, origin, cases[i].block_bytes, cases[i].journal_bytes, 0), cases[i].code);
        selsnap_device_close(store);
    }
    selsnap_device_close(origin);
}

static void test_format__block_below_the_origins_logical_block__refused(void **state) {
    (void)state;
    selsnap_device *origin = memory(64 * 8192, 8192);
    selsnap_device *store = memory(16 << 20, 0);
    assert_int_equal(format_on(store, origin, 4096, 65536, 0), SELSNAP_EINVAL);
    assert_ok(format_on(store, origin, 8192, 65536, 0));
    selsnap_device_close(store);
    selsnap_device_close(origin);
}

static void test_format__store_inside_its_origin__refused(void **state) {
    (void)state;
    selsnap_device *disk = memory(32 << 20, 0);
    selsnap_device *low = NULL;
    selsnap_device *high = NULL;
    selsnap_device *middle = NULL;
    assert_ok(selsnap_device_open_slice(disk, 0, 16 << 20, &low));
    assert_ok(selsnap_device_open_slice(disk, 16 << 20, 16 << 20, &high));
    assert_ok(selsnap_device_open_slice(disk, 8 << 20, 16 << 20, &middle));
    assert_int_equal(format_on(disk, disk, 0, 65536, 0), SELSNAP_EOVERLAP);
    assert_int_equal(format_on(low, disk, 0, 65536, 0), SELSNAP_EOVERLAP);
    assert_int_equal(format_on(disk, low, 0, 65536, 0), SELSNAP_EOVERLAP);
    assert_int_equal(format_on(middle, low, 0, 65536, 0), SELSNAP_EOVERLAP);
    assert_ok(format_on(high, low, 0, 65536, 0));
    selsnap *ss = NULL;
    assert_int_equal(selsnap_open(high, disk, NULL, &ss), SELSNAP_EOVERLAP);
    assert_ok(selsnap_open(high, low, NULL, &ss));
    assert_ok(selsnap_close(ss));
    selsnap_device_close(middle);
    selsnap_device_close(high);
    selsnap_device_close(low);
    selsnap_device_close(disk);
}

static void test_open__no_store__refused_and_nothing_written(void **state) {
    (void)state;
    selsnap_device *origin = memory(64 * 4096, 0);
    selsnap_device *base = memory(4 << 20, 0);
    selsnap_device *store = NULL;
    selsnap *ss = NULL;
    assert_ok(selsnap_device_open_counting(base, &store));
    assert_int_equal(selsnap_open(store, origin, NULL, &ss), SELSNAP_ENOTSTORE);
    selsnap_device_counts counts = {0};
    counts.struct_size = sizeof counts;
    assert_ok(selsnap_device_get_counts(store, &counts, 0));
    assert_int_equal(counts.writes + counts.flushes, 0);
    assert_null(ss);
    selsnap_device_close(store);
    selsnap_device_close(base);
    selsnap_device_close(origin);
}

static void test_open__second_opener__refused_until_the_first_closes(void **state) {
    (void)state;
    struct rig rig;
    selsnap *second = NULL;
    rig_open(&rig, NULL);
    assert_int_equal(selsnap_open(rig.store, rig.origin, NULL, &second), SELSNAP_ELOCKED);
    assert_null(second);
    rig_stop(&rig);
    assert_ok(selsnap_open(rig.store, rig.origin, NULL, &second));
    assert_ok(selsnap_close(second));
    rig_close(&rig);
}

static void test_open__origin_of_another_size__refused(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    rig_stop(&rig);
    selsnap *ss = NULL;
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.flags = SELSNAP_OPEN_OTHER_ORIGIN;
    const uint64_t sizes[3] = {63 * 4096, 65 * 4096, 64 * 4096 + 1};
    for (unsigned i = 0; i < 3; i++) {
        selsnap_device *other = memory(sizes[i], 0);
        assert_int_equal(selsnap_open(rig.store, other, NULL, &ss), SELSNAP_EORIGIN);
        assert_int_equal(selsnap_open(rig.store, other, &options, &ss), SELSNAP_EORIGIN);
        selsnap_device_close(other);
    }
    rig_close(&rig);
}

/* Two files of the same size differ by their identity. */
static void test_open__another_file__refused_unless_told(void **state) {
    (void)state;
    char paths[2][FILES_PATH];
    selsnap_device *files[2] = {NULL, NULL};
    selsnap_device *store = memory(8 << 20, 0);
    selsnap *ss = NULL;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(files_make(paths[i]), 0);
        assert_ok(selsnap_device_open_file(paths[i], SELSNAP_FILE_CREATE, 64 * 4096, &files[i], NULL));
    }
    assert_ok(format_on(store, files[0], 0, 65536, 0));
    assert_int_equal(selsnap_open(store, files[1], NULL, &ss), SELSNAP_EORIGIN);
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.flags = SELSNAP_OPEN_OTHER_ORIGIN;
    assert_ok(selsnap_open(store, files[1], &options, &ss));
    assert_ok(selsnap_close(ss));
    for (unsigned i = 0; i < 2; i++) {
        selsnap_device_close(files[i]);
        assert_int_equal(files_remove(paths[i]), 0);
    }
    selsnap_device_close(store);
}

static void test_open__origin_written_after_a_clean_close__refused_unless_told(void **state) {
    (void)state;
    char path[FILES_PATH];
    selsnap_device *file = NULL;
    selsnap_device *store = memory(8 << 20, 0);
    selsnap *ss = NULL;
    uint8_t block[4096];
    memset(block, 3, sizeof block);
    assert_int_equal(files_make(path), 0);
    assert_ok(selsnap_device_open_file(path, SELSNAP_FILE_CREATE, 64 * 4096, &file, NULL));
    assert_ok(format_on(store, file, 0, 65536, 0));
    assert_ok(selsnap_open(store, file, NULL, &ss));
    assert_ok(selsnap_write(ss, block, sizeof block, 0));
    assert_ok(selsnap_close(ss));
    assert_ok(selsnap_open(store, file, NULL, &ss)); /* written by the library only */
    assert_ok(selsnap_close(ss));
    usleep(20000);
    assert_ok(selsnap_device_write(file, block, sizeof block, 4096));
    assert_ok(selsnap_device_flush(file));
    assert_int_equal(selsnap_open(store, file, NULL, &ss), SELSNAP_ECHANGED);
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.flags = SELSNAP_OPEN_ORIGIN_CHANGED;
    assert_ok(selsnap_open(store, file, &options, &ss));
    assert_ok(selsnap_close(ss));
    selsnap_device_close(file);
    selsnap_device_close(store);
    assert_int_equal(files_remove(path), 0);
}

static void test_read_only__nothing_is_written(void **state) {
    (void)state;
    struct rig rig;
    uint8_t block[4096] = {0};
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 16);
    rig_write(&rig, 0, 8, 1);
    rig_crash(&rig); /* so that there is a journal to replay */
    rig_write(&rig, 8, 2, 1);
    selsnap_device *origin = rig_copy_device(rig.origin_base);
    selsnap_device *store = rig_copy_device(rig.store_base);
    rig_close(&rig);
    memset(&rig, 0, sizeof rig);
    rig.origin_base = origin;
    rig.store_base = store;
    rig.block_bytes = 4096;
    rig.options.open_flags = SELSNAP_OPEN_READ_ONLY;
    assert_ok(selsnap_device_open_counting(origin, &rig.origin));
    assert_ok(selsnap_device_open_counting(store, &rig.store));
    rig_start(&rig);
    rig_assert_snapshot(&rig, id, 0, 16, 0);
    rig_assert_live(&rig, 0, 10, 1);
    assert_int_equal(selsnap_write(rig.ss, block, sizeof block, 0), SELSNAP_EREADONLY);
    assert_int_equal(selsnap_snapshot_delete(rig.ss, id), SELSNAP_EREADONLY);
    assert_int_equal(rig_try_snapshot(&rig, "t", 0, 1, 0, NULL), SELSNAP_EREADONLY);
    rig_assert_sound(&rig);
    rig_stop(&rig);
    selsnap_device_counts counts = rig_store_counts(&rig);
    assert_int_equal(counts.writes + counts.flushes + counts.discards + counts.zeroes, 0);
    counts = rig_origin_counts(&rig);
    assert_int_equal(counts.writes + counts.flushes + counts.discards + counts.zeroes, 0);
    rig_close(&rig);
}

static void check_sizes(uint64_t origin_bytes, uint32_t block_bytes, uint32_t logical) {
    struct rig rig;
    const struct rig_options options = {
        .origin_bytes = origin_bytes, .block_bytes = block_bytes, .logical = logical, .store_bytes = 32 << 20};
    rig_open(&rig, &options);
    assert_int_equal(selsnap_size(rig.ss), origin_bytes);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 0, rig.block_count, 1);
    rig_assert_snapshot(&rig, id, 0, rig.block_count, 0);
    rig_assert_live(&rig, 0, rig.block_count, 1);
    uint8_t byte = 0;
    assert_int_equal(selsnap_read(rig.ss, &byte, 1, origin_bytes), SELSNAP_ERANGE);
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    uint64_t job = 0;
    restore.id = id;
    assert_ok(selsnap_restore_start(rig.ss, &restore, &job));
    rig_crash(&rig);
    rig_assert_live(&rig, 0, rig.block_count, 0);
    rig_settle(&rig);
    rig_assert_origin(&rig, 0, rig.block_count, 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_sizes__origin_not_a_multiple_of_the_block__short_last_block(void **state) {
    (void)state;
    static const uint64_t sizes[] = {1, 511, 4095, 4097, 10 * 4096 + 1, 300 * 4096 - 1, 256 * 4096, 257 * 4096 + 17};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        check_sizes(sizes[i], 4096, 1);
    }
    check_sizes(3 * 65536 + 512, 65536, 512);
    check_sizes((1 << 20) + 4096, 1 << 20, 4096);
    check_sizes(5 * 16384 - 8192, 16384, 8192);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format__over_a_store__refused_unless_told),
        cmocka_unit_test(test_format__while_open__refused),
        cmocka_unit_test(test_format__store_too_small__refused_and_unchanged),
        cmocka_unit_test(test_format__block_and_journal_sizes__checked),
        cmocka_unit_test(test_format__block_below_the_origins_logical_block__refused),
        cmocka_unit_test(test_format__store_inside_its_origin__refused),
        cmocka_unit_test(test_open__no_store__refused_and_nothing_written),
        cmocka_unit_test(test_open__second_opener__refused_until_the_first_closes),
        cmocka_unit_test(test_open__origin_of_another_size__refused),
        cmocka_unit_test(test_open__another_file__refused_unless_told),
        cmocka_unit_test(test_open__origin_written_after_a_clean_close__refused_unless_told),
        cmocka_unit_test(test_read_only__nothing_is_written),
        cmocka_unit_test(test_sizes__origin_not_a_multiple_of_the_block__short_last_block),
    };
    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
