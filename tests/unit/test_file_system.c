/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file device on block devices, on file systems that lack something, and when the system refuses: its calls are
 * wrapped by the linker, and give what the test says. A block device here is a file that the system calls one.
 */
#include "test.h"

#include "blockdev.h"
#include "file_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { SIZE = 64 * 1024, PAGE = 4096, CALLS_MAX = 64 };

enum call {
    OPEN,
    FSTAT,
    STATX,
    FTRUNCATE,
    FALLOCATE,
    FSYNC,
    FDATASYNC,
    FSTATVFS,
    FLOCK,
    PREAD,
    MEMALIGN,
    IOCTL,
    KINDS
};

/* What the system does. errors: of the next calls of a kind, in order; 0: it works. */
static struct {
    int errors[KINDS][CALLS_MAX];
    unsigned count[KINDS];
    unsigned mode;        /* not 0: the kind of file that fstat() tells */
    uint64_t block_bytes; /* of a block device */
    int sector;           /* of a block device */
    bool direct_told;     /* statx() tells of O_DIRECT */
    unsigned mem_align;   /* what it tells; 0: not supported */
    unsigned offset_align;
    unsigned long requests[CALLS_MAX]; /* of ioctl() */
    uint64_t range[2];                 /* of the last discard or zeroing */
} system_is;

/* 0, or -1 and errno, as the test has set for this call. */
static int fails(enum call call) {
    unsigned at = system_is.count[call]++;
    errno = at < CALLS_MAX ? system_is.errors[call][at] : 0;
    return errno == 0 ? 0 : -1;
}

int __real_open64(const char *path, int flags, ...);
int __real_fstat64(int fd, struct stat *st);
int __real_ftruncate64(int fd, off_t len);
int __real_fallocate64(int fd, int mode, off_t offset, off_t len);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_fstatvfs64(int fd, struct statvfs *fs);
int __real_flock(int fd, int operation);
ssize_t __real_pread64(int fd, void *buf, size_t len, off_t offset);
int __real_posix_memalign(void **ret, size_t align, size_t len);
int __wrap_open64(const char *path, int flags, ...);
int __wrap___open64_2(const char *path, int flags);
int __wrap_fstat64(int fd, struct stat *st);
#ifdef STATX_TYPE /* musl has no statx() */
int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *ret);
#endif
int __wrap_ftruncate64(int fd, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t len);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fstatvfs64(int fd, struct statvfs *fs);
int __wrap_flock(int fd, int operation);
ssize_t __wrap_pread64(int fd, void *buf, size_t len, off_t offset);
int __wrap_posix_memalign(void **ret, size_t align, size_t len);
int __wrap_ioctl(int fd, ssn_ioctl_request request, ...);

int __wrap_open64(const char *path, int flags, ...) {
    /* The temporary folder's own answer to O_DIRECT is not asked. */
    return fails(OPEN) != 0 ? -1 : __real_open64(path, flags & ~O_DIRECT, 0600);
}

int __wrap___open64_2(const char *path, int flags) {
    return __wrap_open64(path, flags);
}

int __wrap_fstat64(int fd, struct stat *st) {
    if (fails(FSTAT) != 0) {
        return -1;
    }
    int result = __real_fstat64(fd, st);
    st->st_mode = system_is.mode != 0 ? system_is.mode : st->st_mode;
    st->st_rdev = 77;
    return result;
}

#ifdef STATX_TYPE
int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *ret) {
    (void)fd;
    (void)path;
    (void)flags;
    (void)mask;
#ifdef STATX_DIOALIGN
    if (system_is.direct_told) {
        ret->stx_mask |= STATX_DIOALIGN;
        ret->stx_dio_mem_align = system_is.mem_align;
        ret->stx_dio_offset_align = system_is.offset_align;
    }
#else
    (void)ret;
#endif
    return fails(STATX);
}
#endif

int __wrap_ftruncate64(int fd, off_t len) {
    return fails(FTRUNCATE) != 0 ? -1 : __real_ftruncate64(fd, len);
}

int __wrap_fallocate64(int fd, int mode, off_t offset, off_t len) {
    return fails(FALLOCATE) != 0 ? -1 : __real_fallocate64(fd, mode, offset, len);
}

int __wrap_fsync(int fd) {
    return fails(FSYNC) != 0 ? -1 : __real_fsync(fd);
}

int __wrap_fdatasync(int fd) {
    return fails(FDATASYNC) != 0 ? -1 : __real_fdatasync(fd);
}

int __wrap_fstatvfs64(int fd, struct statvfs *fs) {
    return fails(FSTATVFS) != 0 ? -1 : __real_fstatvfs64(fd, fs);
}

int __wrap_flock(int fd, int operation) {
    return operation == LOCK_UN || fails(FLOCK) == 0 ? __real_flock(fd, operation) : -1;
}

ssize_t __wrap_pread64(int fd, void *buf, size_t len, off_t offset) {
    return fails(PREAD) != 0 ? -1 : __real_pread64(fd, buf, len, offset);
}

int __wrap_posix_memalign(void **ret, size_t align, size_t len) {
    return fails(MEMALIGN) != 0 ? errno : __real_posix_memalign(ret, align, len);
}

int __wrap_ioctl(int fd, ssn_ioctl_request request, ...) {
    va_list args;
    (void)fd;
    va_start(args, request);
    void *argument = va_arg(args, void *);
    va_end(args);
    unsigned int wanted = (unsigned int)request;
    system_is.requests[system_is.count[IOCTL] % CALLS_MAX] = wanted;
    if (fails(IOCTL) != 0) {
        return -1;
    }
    if (wanted == BLKGETSIZE64) {
        memcpy(argument, &system_is.block_bytes, sizeof system_is.block_bytes);
    } else if (wanted == BLKSSZGET) {
        memcpy(argument, &system_is.sector, sizeof system_is.sector);
    } else {
        memcpy(system_is.range, argument, sizeof system_is.range);
    }
    return 0;
}

/* ---- files ---- */

static int setup(void **state) {
    static char path[64];
    memset(&system_is, 0, sizeof system_is);
    (void)snprintf(path, sizeof path, "/tmp/selsnap-system-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0 || __real_ftruncate64(fd, SIZE) != 0) {
        return -1;
    }
    *state = path;
    return close(fd);
}

static int teardown(void **state) {
    return unlink(*state);
}

static void be_block_device(uint64_t bytes, int sector) {
    memset(&system_is, 0, sizeof system_is);
    system_is.mode = S_IFBLK | 0600;
    system_is.block_bytes = bytes;
    system_is.sector = sector;
}

static selsnap_device *open_it(const char *path, uint32_t flags) {
    selsnap_device *device = NULL;
    assert_ok(selsnap_device_open_file(path, flags, 0, &device, NULL));
    memset(system_is.errors, 0, sizeof system_is.errors);
    memset(system_is.count, 0, sizeof system_is.count);
    return device;
}

static void assert_refused(const char *path, uint32_t flags, uint64_t create_size, int code, int error) {
    selsnap_device *device = NULL;
    int told = 0;
    assert_int_equal(selsnap_device_open_file(path, flags, create_size, &device, &told), code);
    assert_int_equal(told, error);
    assert_null(device);
    memset(system_is.errors, 0, sizeof system_is.errors);
    memset(system_is.count, 0, sizeof system_is.count);
}

static void test_open__refused_by_the_system__code_by_cause(void **state) {
    static const struct {
        int error;
        uint32_t flags;
        int code;
    } cases[] = {
        {ENOENT, 0, SELSNAP_ENOENT},
        {ENOTDIR, 0, SELSNAP_ENOENT},
        {EISDIR, 0, SELSNAP_EINVAL},
        {ENAMETOOLONG, 0, SELSNAP_EINVAL},
        {EACCES, 0, SELSNAP_EREADONLY},
        {EPERM, 0, SELSNAP_EREADONLY},
        {EROFS, 0, SELSNAP_EREADONLY},
        {EACCES, SELSNAP_FILE_READ_ONLY, SELSNAP_EIO},
        {EINVAL, SELSNAP_FILE_DIRECT, SELSNAP_ENOTSUP},
        {EOPNOTSUPP, SELSNAP_FILE_DIRECT, SELSNAP_ENOTSUP},
        {EINVAL, 0, SELSNAP_EIO},
        {ENOMEM, 0, SELSNAP_ENOMEM},
        {ENXIO, 0, SELSNAP_EIO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        system_is.errors[OPEN][0] = cases[i].error;
        assert_refused(*state, cases[i].flags, 0, cases[i].code, cases[i].error);
    }
    system_is.errors[FSTAT][0] = EIO;
    assert_refused(*state, 0, 0, SELSNAP_EIO, EIO);
    system_is.errors[FTRUNCATE][0] = ENOSPC;
    assert_refused(*state, SELSNAP_FILE_CREATE, 2 * SIZE, SELSNAP_EIO, ENOSPC);
    system_is.mode = S_IFIFO | 0600; /* it became one after it was looked at */
    assert_refused(*state, 0, 0, SELSNAP_EINVAL, 0);
}

static void test_open__new_file_in_the_root__its_folder_is_opened(void **state) {
    (void)state;
    selsnap_device *device = NULL;
    int error = 0;
    system_is.errors[OPEN][1] = EACCES; /* the first is the folder */
    assert_int_equal(selsnap_device_open_file("/selsnap-is-not-there", SELSNAP_FILE_CREATE, PAGE, &device, &error),
                     SELSNAP_EREADONLY);
    assert_int_equal(system_is.count[OPEN], 2);
    memset(&system_is, 0, sizeof system_is);
    system_is.errors[OPEN][0] = EMFILE;
    assert_int_equal(selsnap_device_open_file("/selsnap-is-not-there", SELSNAP_FILE_CREATE, PAGE, &device, &error),
                     SELSNAP_EIO);
    assert_int_equal(error, EMFILE);
}

/* ---- block devices ---- */

static void test_block_device__opened__size_and_sector_are_the_kernels(void **state) {
    static const struct {
        int sector;
        uint32_t atomic;
    } cases[] = {{512, 512}, {4096, 4096}, {256, 512}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t identity[SELSNAP_IDENTITY_SIZE];
        uint64_t mark;
        be_block_device(SIZE / 2, cases[i].sector);
        selsnap_device *device = open_it(*state, 0);
        assert_true(ssn_device_size(device) == SIZE / 2);
        assert_int_equal(device->info.logical_block_bytes, cases[i].sector);
        assert_int_equal(device->info.atomic_write_bytes, cases[i].atomic);
        assert_true(ssn_device_identity(device, identity));
        assert_memory_equal(identity, "blockdev\x4d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24);
        assert_false(ssn_device_change_mark(device, &mark));
        selsnap_device_close(device);
    }
}

static void test_block_device__not_answering_or_too_small__eio(void **state) {
    be_block_device(SIZE, 512);
    system_is.errors[IOCTL][0] = ENXIO;
    assert_refused(*state, 0, 0, SELSNAP_EIO, ENXIO);
    system_is.errors[IOCTL][1] = ENODEV;
    assert_refused(*state, 0, 0, SELSNAP_EIO, ENODEV);
    assert_refused(*state, SELSNAP_FILE_CREATE, SIZE + 1, SELSNAP_EIO, ENOSPC);
}

static void test_block_device__discard_and_zeroes__asked_of_the_kernel(void **state) {
    be_block_device(SIZE, 512);
    selsnap_device *device = open_it(*state, 0);
    assert_ok(ssn_device_discard(device, PAGE, 2 * PAGE));
    assert_true(system_is.requests[0] == BLKDISCARD);
    assert_true(system_is.range[0] == PAGE && system_is.range[1] == 2 * PAGE);
    system_is.errors[IOCTL][1] = EINTR;
    assert_ok(ssn_device_write_zeroes(device, 3 * PAGE, PAGE));
    assert_true(system_is.requests[2] == BLKZEROOUT);
    assert_true(system_is.range[0] == 3 * PAGE && system_is.range[1] == PAGE);
    system_is.errors[IOCTL][3] = EIO;
    assert_int_equal(ssn_device_discard(device, 0, PAGE), SELSNAP_EIO);
    assert_int_equal(atomic_load(&device->last_error), -EIO);
    selsnap_device_close(device);
}

static void assert_zeroes_are_written(selsnap_device *device) {
    uint8_t buf[PAGE];
    uint8_t zeroes[PAGE] = {0};
    memset(buf, 'x', sizeof buf);
    assert_ok(selsnap_device_write(device, buf, sizeof buf, PAGE));
    assert_ok(ssn_device_write_zeroes(device, PAGE, PAGE));
    assert_ok(selsnap_device_read(device, buf, sizeof buf, PAGE));
    assert_memory_equal(buf, zeroes, PAGE);
}

static void test_block_device__kernel_offers_no_discard__content_stays_and_zeroes_are_written(void **state) {
    static const int errors[] = {EOPNOTSUPP, ENOSYS, ENOTTY, EINVAL};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        be_block_device(SIZE, 512);
        selsnap_device *device = open_it(*state, 0);
        system_is.errors[IOCTL][0] = errors[i];
        system_is.errors[IOCTL][1] = errors[i];
        assert_ok(ssn_device_discard(device, PAGE, PAGE));
        assert_zeroes_are_written(device);
        assert_int_equal(system_is.count[IOCTL], 2);
        assert_int_equal(system_is.count[FALLOCATE], 0);
        selsnap_device_close(device);
    }
}

/* ---- files ---- */

static void test_file__file_system_makes_no_holes__zeroes_are_written(void **state) {
    selsnap_device *device = open_it(*state, 0);
    system_is.errors[FALLOCATE][0] = EOPNOTSUPP; /* a range of zeroes */
    system_is.errors[FALLOCATE][1] = EOPNOTSUPP; /* a hole */
    assert_zeroes_are_written(device);
    assert_int_equal(system_is.count[FALLOCATE], 2);
    system_is.errors[FALLOCATE][2] = EINTR;
    system_is.errors[FALLOCATE][3] = EIO;
    assert_int_equal(ssn_device_write_zeroes(device, 0, PAGE), SELSNAP_EIO);
    assert_int_equal(system_is.count[FALLOCATE], 4);
    system_is.errors[FALLOCATE][4] = EOPNOTSUPP;
    system_is.errors[FALLOCATE][5] = EIO;
    assert_int_equal(ssn_device_write_zeroes(device, 0, PAGE), SELSNAP_EIO);
    system_is.errors[FALLOCATE][6] = ENOSYS;
    assert_ok(ssn_device_discard(device, 0, PAGE));
    assert_int_equal(system_is.count[FALLOCATE], 7);
    selsnap_device_close(device);
}

static void test_flush__folder_cannot_be_flushed__counts_when_it_failed(void **state) {
    char path[80];
    selsnap_device *device = NULL;
    (void)snprintf(path, sizeof path, "%s.new", (const char *)*state);
    assert_ok(selsnap_device_open_file(path, SELSNAP_FILE_CREATE, SIZE, &device, NULL));
    system_is.errors[FSYNC][0] = EIO;
    assert_int_equal(selsnap_device_flush(device), SELSNAP_EIO);
    assert_int_equal(system_is.count[FSYNC], 1);
    system_is.errors[FSYNC][2] = EIO; /* of the folder */
    assert_int_equal(selsnap_device_flush(device), SELSNAP_EIO);
    system_is.errors[FSYNC][4] = EINVAL; /* a file system that has no such thing */
    assert_ok(selsnap_device_flush(device));
    assert_int_equal(system_is.count[FSYNC], 5);
    system_is.errors[FDATASYNC][0] = EIO;
    assert_int_equal(selsnap_device_flush(device), SELSNAP_EIO);
    assert_ok(selsnap_device_flush(device));
    assert_int_equal(system_is.count[FDATASYNC], 2);
    assert_int_equal(system_is.count[FSYNC], 5);
    selsnap_device_close(device);
    assert_int_equal(unlink(path), 0);
}

static void test_lock__system_says_no_or_has_none__told_apart(void **state) {
    static const struct {
        int errors[2];
        int code;
    } cases[] = {
        {{0}, SELSNAP_OK},
        {{EINTR, 0}, SELSNAP_OK},
        {{EOPNOTSUPP}, SELSNAP_OK},
        {{ENOSYS}, SELSNAP_OK},
        {{EINVAL}, SELSNAP_OK},
        {{EWOULDBLOCK}, SELSNAP_ELOCKED},
        {{EINTR, EIO}, SELSNAP_ELOCKED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        selsnap_device *device = open_it(*state, 0);
        memcpy(system_is.errors[FLOCK], cases[i].errors, sizeof cases[i].errors);
        assert_int_equal(ssn_device_lock(device, i % 2 == 0), cases[i].code);
        selsnap_device_close(device);
    }
}

static void test_identity__asked__by_file_system_and_inode(void **state) {
    uint8_t own[SELSNAP_IDENTITY_SIZE];
    uint8_t by_device[SELSNAP_IDENTITY_SIZE];
    selsnap_device *device = open_it(*state, 0);
    assert_true(ssn_device_identity(device, own));
    assert_memory_equal(own, "file    ", 8);
    system_is.errors[FSTATVFS][1] = EIO;
    assert_true(ssn_device_identity(device, by_device));
    assert_memory_equal(by_device + 16, own + 16, 8);
    system_is.errors[FSTAT][system_is.count[FSTAT]] = EIO;
    assert_false(ssn_device_identity(device, own));
    selsnap_device_close(device);
}

static void test_change_mark__system_refuses__none(void **state) {
    uint64_t mark;
    selsnap_device *device = open_it(*state, 0);
    assert_true(ssn_device_change_mark(device, &mark));
    system_is.errors[FSYNC][1] = EIO;
    assert_false(ssn_device_change_mark(device, &mark));
    system_is.errors[FSTAT][system_is.count[FSTAT]] = EIO;
    assert_false(ssn_device_change_mark(device, &mark));
    selsnap_device_close(device);
}

/* ---- O_DIRECT ---- */

#ifdef STATX_DIOALIGN
static void test_direct__file_system_tells__its_alignment_is_used(void **state) {
    uint8_t buf[2 * PAGE];
    system_is.direct_told = true;
    system_is.mem_align = 4; /* less than posix_memalign() takes */
    system_is.offset_align = 512;
    selsnap_device *device = open_it(*state, SELSNAP_FILE_DIRECT);
    assert_int_equal(device->info.logical_block_bytes, 512);
    memset(buf, 'x', sizeof buf);
    assert_ok(selsnap_device_write(device, buf + 1, PAGE, 512)); /* over a buffer of its own */
    memset(buf, 0, sizeof buf);
    assert_ok(selsnap_device_read(device, buf + 3, PAGE, 512));
    assert_int_equal(buf[2 + PAGE], 'x');
    system_is.errors[MEMALIGN][system_is.count[MEMALIGN]] = ENOMEM;
    assert_int_equal(selsnap_device_read(device, buf + 3, PAGE, 512), SELSNAP_EIO);
    assert_int_equal(atomic_load(&device->last_error), -ENOMEM);
    selsnap_device_close(device);
    system_is.mem_align = 0;
    assert_refused(*state, SELSNAP_FILE_DIRECT, 0, SELSNAP_ENOTSUP, 0);
    system_is.mem_align = 512;
    system_is.offset_align = 0;
    assert_refused(*state, SELSNAP_FILE_DIRECT, 0, SELSNAP_ENOTSUP, 0);
}
#endif

static void test_direct__file_system_does_not_tell__found_out_by_reading(void **state) {
    static const struct {
        int errors[2]; /* of reading a sector, and a page */
        uint32_t unit; /* 0: refused */
    } cases[] = {{{0, 0}, 512}, {{EINVAL, 0}, 4096}, {{EINVAL, EINVAL}, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        system_is.errors[STATX][0] = i == 1 ? ENOSYS : 0;
        memcpy(system_is.errors[PREAD], cases[i].errors, sizeof cases[i].errors);
        if (cases[i].unit == 0) {
            assert_refused(*state, SELSNAP_FILE_DIRECT, 0, SELSNAP_ENOTSUP, 0);
            continue;
        }
        selsnap_device *device = open_it(*state, SELSNAP_FILE_DIRECT);
        assert_int_equal(device->info.logical_block_bytes, cases[i].unit);
        selsnap_device_close(device);
    }
    system_is.errors[MEMALIGN][0] = ENOMEM;
    assert_refused(*state, SELSNAP_FILE_DIRECT, 0, SELSNAP_ENOTSUP, 0);
    be_block_device(512, 512); /* too short to find out */
    assert_refused(*state, SELSNAP_FILE_DIRECT, 0, SELSNAP_ENOTSUP, 0);
    be_block_device(2 * PAGE, 512);
    selsnap_device *device = open_it(*state, SELSNAP_FILE_DIRECT);
    assert_int_equal(device->info.logical_block_bytes, 512);
    selsnap_device_close(device);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_open__refused_by_the_system__code_by_cause),
        TEST(test_open__new_file_in_the_root__its_folder_is_opened),
        TEST(test_block_device__opened__size_and_sector_are_the_kernels),
        TEST(test_block_device__not_answering_or_too_small__eio),
        TEST(test_block_device__discard_and_zeroes__asked_of_the_kernel),
        TEST(test_block_device__kernel_offers_no_discard__content_stays_and_zeroes_are_written),
        TEST(test_file__file_system_makes_no_holes__zeroes_are_written),
        TEST(test_flush__folder_cannot_be_flushed__counts_when_it_failed),
        TEST(test_lock__system_says_no_or_has_none__told_apart),
        TEST(test_identity__asked__by_file_system_and_inode),
        TEST(test_change_mark__system_refuses__none),
#ifdef STATX_DIOALIGN
        TEST(test_direct__file_system_tells__its_alignment_is_used),
#endif
        TEST(test_direct__file_system_does_not_tell__found_out_by_reading),
    };
    return cmocka_run_group_tests_name("file_system", tests, NULL, NULL);
}
