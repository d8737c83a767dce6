/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows' file device: names, locks against another process, which is this program again, sharing, marks.
 *
 *   test_file_windows --lock shared|exclusive PATH    exit code 0: the lock was to be had
 */
#include "test.h"

#include "blockdev.h"
#include "files.h"
#include "winfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FILE_BYTES = 1 << 20 };

static selsnap_device *open_file(const char *path, uint32_t flags, uint64_t size) {
    selsnap_device *device = NULL;
    int error = 0;
    assert_ok(selsnap_device_open_file(path, flags, size, &device, &error));
    return device;
}

static int try_lock(const char *how, const char *path) {
    selsnap_device *device = NULL;
    if (selsnap_device_open_file(path, 0, 0, &device, NULL) != SELSNAP_OK) {
        return 2;
    }
    return ssn_device_lock(device, strcmp(how, "exclusive") == 0) == SELSNAP_OK ? 0 : 1;
}

static bool other_process_locks(const char *path, const char *how) {
    char program[MAX_PATH];
    char line[3 * MAX_PATH];
    STARTUPINFOA start;
    PROCESS_INFORMATION process;
    DWORD code = 99;
    memset(&start, 0, sizeof start);
    start.cb = sizeof start;
    assert_true(GetModuleFileNameA(NULL, program, sizeof program) > 0);
    (void)snprintf(line, sizeof line, "\"%s\" --lock %s \"%s\"", program, how, path);
    assert_true(CreateProcessA(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &process));
    assert_int_equal(WaitForSingleObject(process.hProcess, INFINITE), WAIT_OBJECT_0);
    assert_true(GetExitCodeProcess(process.hProcess, &code));
    (void)CloseHandle(process.hThread);
    (void)CloseHandle(process.hProcess);
    assert_true(code == 0 || code == 1);
    return code == 0;
}

static void test_winfile__locked__other_processes_refused(void **state) {
    (void)state;
    char path[FILES_PATH];
    uint8_t byte = 7;
    assert_int_equal(files_make(path), 0);
    selsnap_device *device = open_file(path, SELSNAP_FILE_CREATE, FILE_BYTES);
    assert_ok(ssn_device_lock(device, true));
    assert_false(other_process_locks(path, "exclusive"));
    assert_false(other_process_locks(path, "shared"));
    /* Its bytes are for all to read and write: the lock is on none of them. */
    selsnap_device *other = open_file(path, 0, 0);
    assert_ok(selsnap_device_write(other, &byte, 1, FILE_BYTES - 1));
    byte = 0;
    assert_ok(selsnap_device_read(device, &byte, 1, FILE_BYTES - 1));
    assert_int_equal(byte, 7);
    selsnap_device_close(other);
    ssn_device_unlock(device);
    assert_ok(ssn_device_lock(device, false));
    assert_true(other_process_locks(path, "shared"));
    assert_false(other_process_locks(path, "exclusive"));
    selsnap_device_close(device);
    assert_true(other_process_locks(path, "exclusive"));
    assert_int_equal(files_remove(path), 0);
}

static void test_winfile__name_beyond_ascii__taken_as_utf8(void **state) {
    (void)state;
    char folder[FILES_PATH];
    char path[FILES_PATH + 32];
    char bad[FILES_PATH + 32];
    wchar_t wide[FILES_PATH + 32];
    selsnap_device *device = NULL;
    int error = 0;
    assert_int_equal(files_make_folder(folder), 0);
    (void)snprintf(path, sizeof path, "%s\\\xc3\xa4\xe2\x82\xac", folder); /* a with dots, euro */
    (void)snprintf(bad, sizeof bad, "%s\\\xff", folder);
    selsnap_device_close(open_file(path, SELSNAP_FILE_CREATE, FILE_BYTES));
    assert_true(MultiByteToWideChar(CP_UTF8, 0, folder, -1, wide, FILES_PATH) > 0);
    wcscat(wide, L"\\\x00e4\x20ac");
    assert_true(DeleteFileW(wide));
    assert_int_equal(selsnap_device_open_file(path, 0, 0, &device, &error), SELSNAP_ENOENT);
    assert_int_equal(error, ENOENT);
    assert_int_equal(selsnap_device_open_file(bad, SELSNAP_FILE_CREATE, FILE_BYTES, &device, &error), SELSNAP_EINVAL);
    assert_null(device);
    assert_int_equal(files_remove_folder(folder), 0);
}

static void test_winfile__not_to_be_written_or_shared__told_apart(void **state) {
    (void)state;
    char path[FILES_PATH];
    selsnap_device *device = NULL;
    int error = 0;
    assert_int_equal(files_make(path), 0);
    assert_true(SetFileAttributesA(path, FILE_ATTRIBUTE_READONLY));
    /* Wine as the superuser writes everywhere. */
    HANDLE writer = CreateFileA(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (writer != INVALID_HANDLE_VALUE) {
        assert_true(CloseHandle(writer));
    } else {
        assert_int_equal(selsnap_device_open_file(path, 0, 0, &device, &error), SELSNAP_EREADONLY);
        assert_int_equal(error, EACCES);
    }
    selsnap_device_close(open_file(path, SELSNAP_FILE_READ_ONLY, 0));
    assert_true(SetFileAttributesA(path, FILE_ATTRIBUTE_NORMAL));
    HANDLE alone = CreateFileA(path, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(alone != INVALID_HANDLE_VALUE);
    assert_int_equal(selsnap_device_open_file(path, 0, 0, &device, &error), SELSNAP_EIO);
    assert_int_equal(error, EBUSY);
    assert_true(CloseHandle(alone));
    assert_null(device);
    assert_int_equal(files_remove(path), 0);
}

static uint64_t mark_of(selsnap_device *device) {
    uint64_t mark = 0;
    assert_true(ssn_device_change_mark(device, &mark));
    return mark;
}

/* Each step on a handle that had a mark, which is where Windows no longer moves the time by itself. */
static void test_winfile__change_mark__moves_with_each_change_and_no_other(void **state) {
    (void)state;
    char path[FILES_PATH];
    assert_int_equal(files_make(path), 0);
    selsnap_device *device = open_file(path, SELSNAP_FILE_CREATE, FILE_BYTES);
    selsnap_device *looker = open_file(path, SELSNAP_FILE_READ_ONLY, 0);
    assert_ok(selsnap_device_write(device, "a", 1, 0));
    uint64_t first = mark_of(device);
    assert_true(mark_of(device) == first && mark_of(looker) == first);
    /* The first change is seen at once, as by who looks after a crash. */
    assert_ok(selsnap_device_write(device, "b", 1, 0));
    uint64_t second = mark_of(looker);
    assert_true(second != first);
    uint64_t third = mark_of(device);
    assert_true(third != first);
    assert_ok(ssn_device_write_zeroes(device, 0, FILE_BYTES / 2));
    uint64_t fourth = mark_of(device);
    assert_true(fourth != third);
    assert_ok(ssn_device_resize(device, 2 * FILE_BYTES));
    uint64_t fifth = mark_of(device);
    assert_true(fifth != fourth);
    selsnap_device_close(device);
    assert_true(mark_of(looker) == fifth);
    selsnap_device_close(looker);
    assert_int_equal(files_remove(path), 0);
}

static void test_winfile__made__holes_or_no_holes_but_zeros(void **state) {
    (void)state;
    char folder[FILES_PATH];
    char path[FILES_PATH + 16];
    static uint8_t bytes[FILE_BYTES];
    assert_int_equal(files_make_folder(folder), 0);
    (void)snprintf(path, sizeof path, "%s\\file", folder);
    selsnap_device *device = open_file(path, SELSNAP_FILE_CREATE, FILE_BYTES);
    bool sparse = (GetFileAttributesA(path) & FILE_ATTRIBUTE_SPARSE_FILE) != 0;
    assert_true(((const struct winfile *)device->user)->sparse == sparse);
    memset(bytes, 1, FILE_BYTES);
    assert_ok(selsnap_device_write(device, bytes, FILE_BYTES, 0));
    assert_ok(ssn_device_write_zeroes(device, 4096, FILE_BYTES - 8192));
    assert_ok(selsnap_device_read(device, bytes, FILE_BYTES, 0));
    for (size_t i = 0; i < FILE_BYTES; i++) {
        assert_int_equal(bytes[i], i < 4096 || i >= FILE_BYTES - 4096 ? 1 : 0);
    }
    selsnap_device_close(device);
    assert_int_equal(files_remove(path), 0);
    assert_int_equal(files_remove_folder(folder), 0);
}

static void test_winfile__errors__as_errno(void **state) {
    (void)state;
    assert_int_equal(ssn_winfile_errno(ERROR_DISK_FULL), ENOSPC);
    assert_int_equal(ssn_winfile_errno(ERROR_LOCK_VIOLATION), EWOULDBLOCK);
    assert_int_equal(ssn_winfile_errno(ERROR_HANDLE_EOF), EIO);
    assert_int_equal(ssn_winfile_errno(ERROR_INVALID_FUNCTION), EOPNOTSUPP);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_winfile__locked__other_processes_refused),
        cmocka_unit_test(test_winfile__name_beyond_ascii__taken_as_utf8),
        cmocka_unit_test(test_winfile__not_to_be_written_or_shared__told_apart),
        cmocka_unit_test(test_winfile__change_mark__moves_with_each_change_and_no_other),
        cmocka_unit_test(test_winfile__made__holes_or_no_holes_but_zeros),
        cmocka_unit_test(test_winfile__errors__as_errno),
    };
    if (argc == 4 && strcmp(argv[1], "--lock") == 0) {
        return try_lock(argv[2], argv[3]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
