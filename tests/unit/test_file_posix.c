/* SPDX-License-Identifier: Apache-2.0 */
/* The file device where there are users and fork(): what another process may, and what a child has. */
#include "test.h"

#include "batch_rig.h"
#include "blockdev.h"
#include "files.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 1 << 20, ROUNDS = 40 };

static selsnap_device *open_file(const char *path, uint64_t size) {
    selsnap_device *device = NULL;
    assert_ok(selsnap_device_open_file(path, SELSNAP_FILE_CREATE, size, &device, NULL));
    return device;
}

static void test_file__no_write_permission__read_only_error(void **state) {
    (void)state;
    char path[FILES_PATH];
    assert_int_equal(files_make(path), 0);
    selsnap_device *device = open_file(path, SIZE);
    selsnap_device_close(device);
    device = NULL;
    assert_int_equal(chmod(path, 0444), 0);
    /* The superuser writes everywhere: be somebody else for a moment. */
    uid_t user = geteuid();
    if (user == 0) {
        assert_int_equal(seteuid(65534), 0);
    }
    int error = 0;
    selsnap_device *reader = NULL;
    int writing = selsnap_device_open_file(path, 0, 0, &device, &error);
    int reading = selsnap_device_open_file(path, SELSNAP_FILE_READ_ONLY, 0, &reader, NULL);
    assert_int_equal(seteuid(user), 0);
    assert_int_equal(writing, SELSNAP_EREADONLY);
    assert_int_equal(error, EACCES);
    assert_int_equal(reading, SELSNAP_OK);
    selsnap_device_close(reader);
    assert_int_equal(files_remove(path), 0);
}

/*
 * Tries the lock from a process of its own; a failure of the open counts as refused. Its exit code is not asked:
 * Valgrind makes it tell of what the child has inherited and not given back.
 */
static bool other_process_locks(const char *path, bool exclusive) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        selsnap_device *device = NULL;
        int code = selsnap_device_open_file(path, 0, 0, &device, NULL);
        char locks = code == SELSNAP_OK && ssn_device_lock(device, exclusive) == SELSNAP_OK;
        _exit(write(ends[1], &locks, 1) == 1 ? 0 : 1);
    }
    int status = 0;
    char locks = 0;
    assert_int_equal(read(ends[0], &locks, 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    close(ends[0]);
    close(ends[1]);
    return locks != 0;
}

static void test_file__locked__other_processes_refused(void **state) {
    (void)state;
    char path[FILES_PATH];
    assert_int_equal(files_make(path), 0);
    selsnap_device *device = open_file(path, SIZE);
    assert_ok(ssn_device_lock(device, true));
    assert_false(other_process_locks(path, true));
    assert_false(other_process_locks(path, false));
    ssn_device_unlock(device);
    assert_ok(ssn_device_lock(device, false));
    assert_true(other_process_locks(path, false));
    assert_false(other_process_locks(path, true));
    /* Closing gives the lock back. */
    selsnap_device_close(device);
    assert_true(other_process_locks(path, true));
    assert_int_equal(files_remove(path), 0);
}

/* What the parent made for itself, the child does not use, and does not spoil. */
static void test_file__fork_amid_batches__both_go_on(void **state) {
    (void)state;
    char path[FILES_PATH];
    assert_int_equal(files_make(path), 0);
    selsnap_device *device = open_file(path, 2 * BATCH_SIZE);
    assert_int_equal(files_remove(path), 0);
    struct batch_rig *rig = batch_rig_open(device, 0, 1);
    struct batch_rig *childs = batch_rig_open(device, BATCH_SIZE, 2);
    assert_true(rig != NULL && childs != NULL);
    assert_int_equal(batch_round(rig, 50), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        unsigned wrong = 0;
        for (unsigned i = 0; i < ROUNDS; i++) {
            wrong += batch_round(childs, 50);
        }
        wrong += batch_part_right(childs) ? 0 : 1;
        batch_rig_close(childs);
        batch_rig_close(rig);
        selsnap_device_close(device);
        _exit(wrong == 0 ? 0 : 1);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        assert_int_equal(batch_round(rig, 50), 0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(batch_round(rig, 50), 0);
    assert_true(batch_part_right(rig));
    batch_rig_close(childs);
    batch_rig_close(rig);
    selsnap_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file__no_write_permission__read_only_error),
        cmocka_unit_test(test_file__locked__other_processes_refused),
        cmocka_unit_test(test_file__fork_amid_batches__both_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
