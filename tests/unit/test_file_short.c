/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file device when the system interrupts it and moves less than it was asked: the calls are wrapped by the linker,
 * and give what the test says.
 */
#include "test.h"

#include <errno.h>
#include <selsnap/selsnap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SIZE = 64 * 1024 };

/* How the next calls go. */
static struct {
    unsigned interrupted; /* so many fail with EINTR, every second one */
    size_t most;          /* bytes moved at once, at most; 0: all */
    size_t end_after;     /* after so many bytes nothing more is moved; 0: no end */
    size_t moved;
    unsigned calls;
    int error; /* not 0: fails with that when end_after is reached */
} system_is;

int __real_fdatasync(int fd);
int __real_fsync(int fd);
#ifndef SSN_PORTABLE
ssize_t __real_preadv64(int fd, const struct iovec *iov, int count, off_t offset);
ssize_t __real_pwritev64(int fd, const struct iovec *iov, int count, off_t offset);
ssize_t __wrap_preadv64(int fd, const struct iovec *iov, int count, off_t offset);
ssize_t __wrap_pwritev64(int fd, const struct iovec *iov, int count, off_t offset);
#else
ssize_t __real_pread64(int fd, void *buf, size_t len, off_t offset);
ssize_t __real_pwrite64(int fd, const void *buf, size_t len, off_t offset);
ssize_t __wrap_pread64(int fd, void *buf, size_t len, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t len, off_t offset);
#endif
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);

static int interrupt(void) {
    system_is.calls++;
    if (system_is.interrupted > 0 && system_is.calls % 2 == 1) {
        system_is.interrupted--;
        errno = EINTR;
        return -1;
    }
    return 0;
}

static ssize_t really_move(int fd, const struct iovec *iov, int count, off_t offset, int write) {
#ifndef SSN_PORTABLE
    return write ? __real_pwritev64(fd, iov, count, offset) : __real_preadv64(fd, iov, count, offset);
#else
    (void)count;
    return write ? __real_pwrite64(fd, iov->iov_base, iov->iov_len, offset)
                 : __real_pread64(fd, iov->iov_base, iov->iov_len, offset);
#endif
}

/* The first piece alone, cut short. */
static ssize_t move(int fd, const struct iovec *iov, int count, off_t offset, int write) {
    if (interrupt() != 0) {
        return -1;
    }
    if (system_is.most == 0) {
        return really_move(fd, iov, count, offset, write);
    }
    if (system_is.end_after != 0 && system_is.moved >= system_is.end_after) {
        errno = system_is.error;
        return system_is.error != 0 ? -1 : 0;
    }
    struct iovec piece = iov[0];
    piece.iov_len = piece.iov_len < system_is.most ? piece.iov_len : system_is.most;
    ssize_t done = really_move(fd, &piece, 1, offset, write);
    system_is.moved += done > 0 ? (size_t)done : 0;
    return done;
}

#ifndef SSN_PORTABLE
ssize_t __wrap_preadv64(int fd, const struct iovec *iov, int count, off_t offset) {
    return move(fd, iov, count, offset, 0);
}

ssize_t __wrap_pwritev64(int fd, const struct iovec *iov, int count, off_t offset) {
    return move(fd, iov, count, offset, 1);
}
#else
/* The device is made of POSIX alone, and moves one piece at a time. */
ssize_t __wrap_pread64(int fd, void *buf, size_t len, off_t offset) {
    const struct iovec piece = {buf, len};
    return move(fd, &piece, 1, offset, 0);
}

ssize_t __wrap_pwrite64(int fd, const void *buf, size_t len, off_t offset) {
    const struct iovec piece = {(void *)(uintptr_t)buf, len};
    return move(fd, &piece, 1, offset, 1);
}
#endif

int __wrap_fdatasync(int fd) {
    return interrupt() != 0 ? -1 : __real_fdatasync(fd);
}

int __wrap_fsync(int fd) {
    return interrupt() != 0 ? -1 : __real_fsync(fd);
}

static selsnap_device *open_device(void) {
    char path[] = "/tmp/selsnap-short-XXXXXX";
    selsnap_device *device = NULL;
    int error = 0;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_ok(selsnap_device_open_file(path, SELSNAP_FILE_CREATE, SIZE, &device, &error));
    close(fd);
    unlink(path);
    memset(&system_is, 0, sizeof system_is);
    return device;
}

static void fill(uint8_t *buf, size_t len, unsigned seed) {
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1103515245u + 12345u;
        buf[i] = (uint8_t)(seed >> 16);
    }
}

static void test_file__short_transfers_and_interrupts__all_is_moved(void **state) {
    (void)state;
    static const size_t mosts[] = {1, 7, 511, 512, 4096, 9999};
    static uint8_t written[SIZE];
    static uint8_t got[SIZE];
    for (unsigned i = 0; i < sizeof mosts / sizeof mosts[0]; i++) {
        selsnap_device *device = open_device();
        size_t len = mosts[i] < 512 ? 3000 : SIZE - 100;
        fill(written, len, i + 1);
        system_is.interrupted = 100;
        system_is.most = mosts[i];
        assert_ok(selsnap_device_write(device, written, len, 99));
        memset(got, 0, len);
        system_is.interrupted = 100;
        assert_ok(selsnap_device_read(device, got, len, 99));
        assert_memory_equal(got, written, len);
        assert_true(system_is.calls > 2 * len / mosts[i]);
        selsnap_device_close(device);
    }
}

static void test_file__interrupted_flush__goes_on(void **state) {
    (void)state;
    selsnap_device *device = open_device();
    for (unsigned i = 0; i < 2; i++) { /* the first makes the size durable as well */
        assert_ok(selsnap_device_write(device, "x", 1, 0));
        system_is.interrupted = 1;
        system_is.calls = 0;
        assert_ok(selsnap_device_flush(device));
        assert_int_equal(system_is.interrupted, 0);
        assert_int_equal(system_is.calls, 2);
    }
    selsnap_device_close(device);
}

/* Nothing more comes, as when a file was cut behind the device's back; or the disk is full or fails in the middle. */
static void test_file__transfer_that_ends_early__eio(void **state) {
    (void)state;
    static const int errors[] = {0, EIO, ENOSPC};
    static uint8_t buf[SIZE];
    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        selsnap_device *device = open_device();
        system_is.most = 512;
        system_is.end_after = 2048;
        system_is.error = errors[i];
        assert_int_equal(selsnap_device_write(device, buf, 8192, 0), SELSNAP_EIO);
        system_is.moved = 0;
        assert_int_equal(selsnap_device_read(device, buf, 8192, 0), SELSNAP_EIO);
        memset(&system_is, 0, sizeof system_is);
        assert_ok(selsnap_device_write(device, buf, 8192, 0));
        assert_ok(selsnap_device_read(device, buf, 8192, 0));
        selsnap_device_close(device);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file__short_transfers_and_interrupts__all_is_moved),
        cmocka_unit_test(test_file__interrupted_flush__goes_on),
        cmocka_unit_test(test_file__transfer_that_ends_early__eio),
    };
    return cmocka_run_group_tests_name("file_short", tests, NULL, NULL);
}
