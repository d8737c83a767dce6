/* SPDX-License-Identifier: Apache-2.0 */
/* The file device, in a folder of its own. */
#include "test.h"

#include "blockdev.h"
#include "files.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 1 << 20, DIRECT_SIZE = 5 * (SIZE / 2), PAGE = 4096 };

struct folder {
    char path[FILES_PATH];
    char file[FILES_PATH + 16];
};

static int setup(void **state) {
    struct folder *folder = calloc(1, sizeof *folder);
    if (files_make_folder(folder->path) != 0) {
        free(folder);
        return -1;
    }
    (void)snprintf(folder->file, sizeof folder->file, "%s/file", folder->path);
    *state = folder;
    return 0;
}

static int teardown(void **state) {
    struct folder *folder = *state;
    (void)files_remove(folder->file);
    (void)files_remove_folder(folder->path);
    free(folder);
    return 0;
}

static selsnap_device *open_file(const struct folder *folder, uint32_t flags, uint64_t create_size) {
    selsnap_device *device = NULL;
    int error = 0;
    assert_ok(selsnap_device_open_file(folder->file, flags, create_size, &device, &error));
    return device;
}

/* NULL where the file system has no O_DIRECT; the test then says so and ends. Meson takes cmocka's skip for a failure.
 */
static selsnap_device *try_direct(const struct folder *folder) {
    selsnap_device *device = NULL;
    int error = 0;
    int code =
        selsnap_device_open_file(folder->file, SELSNAP_FILE_CREATE | SELSNAP_FILE_DIRECT, DIRECT_SIZE, &device, &error);
    assert_true(code == SELSNAP_OK || code == SELSNAP_ENOTSUP);
    if (device == NULL) {
        (void)fprintf(stderr, "no O_DIRECT in %s: not tested\n", folder->path);
    }
    return device;
}

static void fill(uint8_t *buf, size_t len, unsigned seed) {
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1103515245u + 12345u;
        buf[i] = (uint8_t)(seed >> 16);
    }
}

static void test_file__created__sparse_and_zero(void **state) {
    const struct folder *folder = *state;
    uint8_t buf[100];
    selsnap_device *device = open_file(folder, SELSNAP_FILE_CREATE, SIZE + 1);
    assert_true(ssn_device_size(device) == SIZE + 1);
    assert_int_equal(device->info.logical_block_bytes, 1);
    assert_int_equal(device->info.flags, SELSNAP_DEVICE_VOLATILE_CACHE);
    assert_ok(selsnap_device_read(device, buf, sizeof buf, SIZE - 99));
    for (size_t i = 0; i < sizeof buf; i++) {
        assert_int_equal(buf[i], 0);
    }
    assert_int_equal(selsnap_device_read(device, buf, sizeof buf, SIZE - 98), SELSNAP_ERANGE);
    assert_int_equal(selsnap_device_write(device, buf, 1, UINT64_MAX), SELSNAP_ERANGE);
    assert_ok(selsnap_device_flush(device));
    assert_ok(selsnap_device_flush(device));
    selsnap_device_close(device);
    /* It is never cut. */
    device = open_file(folder, SELSNAP_FILE_CREATE, 10);
    assert_true(ssn_device_size(device) == SIZE + 1);
    selsnap_device_close(device);
    device = open_file(folder, SELSNAP_FILE_CREATE, 2 * SIZE);
    assert_true(ssn_device_size(device) == 2 * SIZE);
    assert_ok(selsnap_device_flush(device));
    selsnap_device_close(device);
}

static void test_file__written__read_by_another_opener(void **state) {
    const struct folder *folder = *state;
    uint8_t buf[1000];
    uint8_t back[1000];
    fill(buf, sizeof buf, 1);
    selsnap_device *device = open_file(folder, SELSNAP_FILE_CREATE, SIZE);
    assert_ok(selsnap_device_write(device, buf, sizeof buf, 333));
    assert_ok(selsnap_device_flush(device));
    selsnap_device_close(device);
    device = open_file(folder, SELSNAP_FILE_READ_ONLY, 0);
    assert_ok(selsnap_device_read(device, back, sizeof back, 333));
    assert_memory_equal(buf, back, sizeof buf);
    assert_int_equal(selsnap_device_write(device, buf, 1, 0), SELSNAP_EREADONLY);
    assert_int_equal(ssn_device_discard(device, 0, 1), SELSNAP_EREADONLY);
    assert_ok(selsnap_device_flush(device));
    selsnap_device_close(device);
}

/* More pieces than one system call takes, of odd lengths, some empty. */
static void many_pieces(selsnap_device *device, uint32_t count, size_t unit) {
    size_t total = 0;
    selsnap_iovec *iov = calloc(count, sizeof *iov);
    for (uint32_t i = 0; i < count; i++) {
        iov[i].len = i % 5 * unit;
        total += iov[i].len;
    }
    /* One byte on, so that no piece is aligned. */
    uint8_t *buf = malloc(total + 1);
    uint8_t *back = malloc(total + 1);
    assert_true(iov != NULL && buf != NULL && back != NULL);
    fill(buf, total + 1, count);
    size_t at = 1;
    for (uint32_t i = 0; i < count; i++) {
        iov[i].base = iov[i].len > 0 ? buf + at : NULL;
        at += iov[i].len;
    }
    assert_ok(ssn_device_writev(device, iov, count, PAGE));
    assert_ok(selsnap_device_read(device, back, total, PAGE));
    assert_memory_equal(buf + 1, back, total);
    at = 1;
    for (uint32_t i = 0; i < count; i++) {
        iov[i].base = iov[i].len > 0 ? back + at : NULL;
        at += iov[i].len;
    }
    memset(back, 0, total + 1);
    assert_ok(ssn_device_readv(device, iov, count, PAGE));
    assert_memory_equal(buf + 1, back + 1, total);
    free(back);
    free(buf);
    free(iov);
}

static void test_file__many_pieces__all_transferred(void **state) {
    selsnap_device *device = open_file(*state, SELSNAP_FILE_CREATE, SIZE);
    many_pieces(device, 3001, 1);
    many_pieces(device, 128, 7);
    many_pieces(device, 129, 7);
    selsnap_device_close(device);
}

static void test_file_direct__unaligned_memory__copied(void **state) {
    selsnap_device *device = try_direct(*state);
    if (device == NULL) {
        return;
    }
    uint32_t logical = device->info.logical_block_bytes;
    assert_true(logical >= 512 && logical <= PAGE);
    assert_true(ssn_device_size(device) == DIRECT_SIZE);
    many_pieces(device, 40, logical);
    /* More than fits into the buffer that the copying goes through. */
    uint8_t *whole = malloc(DIRECT_SIZE + 1);
    uint8_t *back = malloc(DIRECT_SIZE + 1);
    assert_true(whole != NULL && back != NULL);
    fill(whole, DIRECT_SIZE + 1, 4);
    assert_ok(selsnap_device_write(device, whole + 1, DIRECT_SIZE, 0));
    assert_ok(selsnap_device_read(device, back + 1, DIRECT_SIZE, 0));
    assert_memory_equal(whole + 1, back + 1, DIRECT_SIZE);
    selsnap_iovec halves[3] = {{back, 100}, {back + 100, logical - 100}, {back + logical, DIRECT_SIZE - logical}};
    assert_ok(ssn_device_readv(device, halves, 3, 0));
    assert_memory_equal(whole + 1, back, DIRECT_SIZE);
    assert_int_equal(selsnap_device_read(device, back, logical, 1), SELSNAP_EALIGN);
    assert_int_equal(selsnap_device_write(device, back, logical - 1, 0), SELSNAP_EALIGN);
    assert_ok(selsnap_device_flush(device));
    free(back);
    free(whole);
    selsnap_device_close(device);
}

static void test_file_direct__aligned_memory__used_as_it_is(void **state) {
    selsnap_device *device = try_direct(*state);
    if (device == NULL) {
        return;
    }
    uint8_t *memory = malloc(9 * PAGE);
    assert_non_null(memory);
    uint8_t *buf = memory + (PAGE - (uintptr_t)memory % PAGE) % PAGE;
    uint8_t *back = buf + 4 * PAGE;
    fill(buf, 4 * PAGE, 5);
    selsnap_iovec iov[2] = {{buf, PAGE}, {buf + PAGE, 3 * PAGE}};
    assert_ok(ssn_device_writev(device, iov, 2, PAGE));
    assert_ok(selsnap_device_read(device, back, 4 * PAGE, PAGE));
    assert_memory_equal(buf, back, 4 * PAGE);
    assert_ok(ssn_device_write_zeroes(device, 2 * PAGE, PAGE));
    assert_ok(selsnap_device_read(device, back, PAGE, 2 * PAGE));
    for (size_t i = 0; i < PAGE; i++) {
        assert_int_equal(back[i], 0);
    }
    free(memory);
    selsnap_device_close(device);
}

static void test_file_direct__odd_size__refused(void **state) {
    const struct folder *folder = *state;
    selsnap_device *device = try_direct(folder);
    if (device == NULL) {
        return;
    }
    selsnap_device_close(device);
    device = NULL;
    assert_int_equal(files_set_size(folder->file, DIRECT_SIZE + 100), 0);
    int error = 0;
    assert_int_equal(selsnap_device_open_file(folder->file, SELSNAP_FILE_DIRECT, 0, &device, &error), SELSNAP_ENOTSUP);
    assert_null(device);
}

static void test_file__zeroes_and_discard__stay_in_the_range(void **state) {
    selsnap_device *device = open_file(*state, SELSNAP_FILE_CREATE, SIZE);
    static uint8_t whole[SIZE];
    static uint8_t back[SIZE];
    static const uint64_t ranges[][2] = {{0, 1}, {5000, 100}, {PAGE * 3 + 1, PAGE * 4}, {SIZE - 700, 700}};
    fill(whole, SIZE, 6);
    assert_ok(selsnap_device_write(device, whole, SIZE, 0));
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        assert_ok(ssn_device_write_zeroes(device, ranges[i][0], ranges[i][1]));
        memset(whole + ranges[i][0], 0, ranges[i][1]);
    }
    assert_ok(selsnap_device_read(device, back, SIZE, 0));
    assert_memory_equal(whole, back, SIZE);
    assert_ok(ssn_device_discard(device, 10 * PAGE + 5, 8 * PAGE));
    assert_ok(selsnap_device_flush(device));
    assert_ok(selsnap_device_read(device, back, SIZE, 0));
    assert_memory_equal(whole, back, 10 * PAGE + 5);
    assert_memory_equal(whole + 18 * PAGE + 5, back + 18 * PAGE + 5, SIZE - 18 * PAGE - 5);
    selsnap_device_close(device);
}

static void test_file__cannot_be_opened__told_apart(void **state) {
    const struct folder *folder = *state;
    selsnap_device *device = NULL;
    int error = 0;
    char missing[FILES_PATH + 32];
    (void)snprintf(missing, sizeof missing, "%s/none/file", folder->path);
    assert_int_equal(selsnap_device_open_file(folder->file, 0, 0, &device, &error), SELSNAP_ENOENT);
    assert_int_equal(error, ENOENT);
    assert_int_equal(selsnap_device_open_file(folder->file, 0, 0, &device, NULL), SELSNAP_ENOENT);
    assert_int_equal(selsnap_device_open_file(missing, SELSNAP_FILE_CREATE, SIZE, &device, &error), SELSNAP_ENOENT);
    assert_int_equal(selsnap_device_open_file(folder->path, 0, 0, &device, &error), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_open_file(FILES_NOWHERE, 0, 0, &device, &error), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_open_file(folder->file, 8, 0, &device, &error), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_open_file(folder->file, 0, 1, &device, &error), SELSNAP_EINVAL);
    assert_int_equal(
        selsnap_device_open_file(folder->file, SELSNAP_FILE_CREATE | SELSNAP_FILE_READ_ONLY, 0, &device, &error),
        SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_open_file(NULL, 0, 0, &device, &error), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_open_file(folder->file, 0, 0, NULL, &error), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_open_file(folder->file, SELSNAP_FILE_CREATE, UINT64_MAX, &device, &error),
                     SELSNAP_EIO);
    assert_int_equal(error, EFBIG);
    assert_null(device);
}

static void test_file__cut_short_after_open__error_not_data(void **state) {
    const struct folder *folder = *state;
    uint8_t buf[PAGE];
    selsnap_device *device = open_file(folder, SELSNAP_FILE_CREATE, SIZE);
    assert_int_equal(files_set_size(folder->file, SIZE / 2), 0);
    assert_ok(selsnap_device_read(device, buf, sizeof buf, SIZE / 2 - PAGE));
    assert_int_equal(selsnap_device_read(device, buf, sizeof buf, SIZE / 2 - 10), SELSNAP_EIO);
    assert_int_equal(atomic_load(&device->last_error), -EIO);
    selsnap_device_close(device);
}

static void test_file__locked__other_openers_refused(void **state) {
    const struct folder *folder = *state;
    selsnap_device *one = open_file(folder, SELSNAP_FILE_CREATE, SIZE);
    selsnap_device *two = open_file(folder, 0, 0);
    selsnap_device *reader = open_file(folder, SELSNAP_FILE_READ_ONLY, 0);
    assert_ok(ssn_device_lock(one, true));
    assert_int_equal(ssn_device_lock(two, true), SELSNAP_ELOCKED);
    assert_int_equal(ssn_device_lock(reader, false), SELSNAP_ELOCKED);
    ssn_device_unlock(one);
    assert_ok(ssn_device_lock(two, false));
    assert_ok(ssn_device_lock(reader, false));
    assert_int_equal(ssn_device_lock(one, true), SELSNAP_ELOCKED);
    /* Closing gives the lock back. */
    selsnap_device_close(two);
    selsnap_device_close(reader);
    assert_ok(ssn_device_lock(one, true));
    selsnap_device_close(one);
}

static void test_file__identity__of_the_file_not_the_name(void **state) {
    const struct folder *folder = *state;
    char other[FILES_PATH + 16];
    char third[FILES_PATH + 16];
    (void)snprintf(other, sizeof other, "%s/other", folder->path);
    (void)snprintf(third, sizeof third, "%s/third", folder->path);
    uint8_t ids[3][SELSNAP_IDENTITY_SIZE];
    selsnap_device *one = open_file(folder, SELSNAP_FILE_CREATE, SIZE);
    assert_int_equal(files_link(folder->file, other), 0);
    selsnap_device *same = NULL;
    assert_ok(selsnap_device_open_file(other, SELSNAP_FILE_READ_ONLY, 0, &same, NULL));
    assert_int_equal(files_remove(other), 0);
    selsnap_device *different = NULL;
    assert_ok(selsnap_device_open_file(third, SELSNAP_FILE_CREATE, SIZE, &different, NULL));
    assert_int_equal(files_remove(third), 0);
    assert_true(ssn_device_identity(one, ids[0]) && ssn_device_identity(same, ids[1]) &&
                ssn_device_identity(different, ids[2]));
    assert_memory_equal(ids[0], ids[1], SELSNAP_IDENTITY_SIZE);
    assert_memory_not_equal(ids[0], ids[2], SELSNAP_IDENTITY_SIZE);
    assert_true(ssn_device_overlap(one, same));
    assert_false(ssn_device_overlap(one, different));
    selsnap_device_close(one);
    selsnap_device_close(same);
    selsnap_device_close(different);
}

static void test_file__change_mark__moves_with_the_content(void **state) {
    const struct folder *folder = *state;
    uint64_t before = 0;
    uint64_t after = 0;
    selsnap_device *device = open_file(folder, SELSNAP_FILE_CREATE, SIZE);
    assert_ok(selsnap_device_write(device, "a", 1, 0));
    assert_true(ssn_device_change_mark(device, &before));
    selsnap_device_close(device);
    device = open_file(folder, SELSNAP_FILE_READ_ONLY, 0);
    assert_true(ssn_device_change_mark(device, &after));
    assert_true(before == after);
    selsnap_device_close(device);
    /* The system's clock of file times may be coarse. */
    usleep(20000);
    device = open_file(folder, 0, 0);
    assert_ok(selsnap_device_write(device, "b", 1, 0));
    assert_true(ssn_device_change_mark(device, &after));
    assert_true(before != after);
    selsnap_device_close(device);
}

static void test_file__empty__opens_and_holds_nothing(void **state) {
    uint8_t byte = 0;
    selsnap_device *device = open_file(*state, SELSNAP_FILE_CREATE, 0);
    assert_true(ssn_device_size(device) == 0);
    assert_int_equal(selsnap_device_read(device, &byte, 1, 0), SELSNAP_ERANGE);
    assert_ok(selsnap_device_write(device, &byte, 0, 0));
    selsnap_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file__created__sparse_and_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__written__read_by_another_opener, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__many_pieces__all_transferred, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_direct__unaligned_memory__copied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_direct__aligned_memory__used_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_direct__odd_size__refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__zeroes_and_discard__stay_in_the_range, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__cannot_be_opened__told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__cut_short_after_open__error_not_data, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__locked__other_openers_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__identity__of_the_file_not_the_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__change_mark__moves_with_the_content, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__empty__opens_and_holds_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
