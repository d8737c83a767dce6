/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file or a block device: the callbacks. Opening is in file_open.c.
 *
 * The file's size is taken at open, and when it is asked to grow; a file cut short afterwards gives errors. With O_DIRECT, memory that is not
 * aligned as the system wants it goes through a buffer of the request's own. All results are -errno. Batches are in
 * file_uring.c, where there is io_uring; elsewhere requests are made one after another.
 */
#include "file_device.h"

#include "blockdev.h"
#include "bytes.h"
#include "checksum.h"
#include "pieces.h"
#include "stock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef SSN_LINUX
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#endif

/* _XOPEN_IOV_MAX, what every system takes, is 16; Linux takes 1024. */
#if defined(IOV_MAX) && IOV_MAX < 128
enum { BATCH_PIECES = IOV_MAX };
#else
enum { BATCH_PIECES = 128 };
#endif
enum { BATCH_BYTES = 1 << 30 };

/* The next pieces as the system wants them: as many as one call takes. */
static int next_batch(const struct ssn_cursor *cursor, struct iovec *batch) {
    int count = 0;
    size_t skip = cursor->skip;
    size_t room = BATCH_BYTES;
    for (uint32_t i = cursor->index; i < cursor->iov_count && count < BATCH_PIECES && room > 0; i++) {
        size_t len = cursor->iov[i].len - skip;
        len = len < room ? len : room;
        if (len > 0) {
            batch[count].iov_base = (uint8_t *)cursor->iov[i].base + skip;
            batch[count].iov_len = len;
            room -= len;
            count++;
        }
        skip = 0;
    }
    return count;
}

#ifndef SSN_PORTABLE
static ssize_t move_batch(int fd, bool write, const struct iovec *batch, int count, uint64_t offset) {
    return write ? pwritev(fd, batch, count, (off_t)offset) : preadv(fd, batch, count, (off_t)offset);
}
#else
/* The first piece: POSIX has no calls for several at a place. */
static ssize_t move_batch(int fd, bool write, const struct iovec *batch, int count, uint64_t offset) {
    (void)count;
    return write ? pwrite(fd, batch->iov_base, batch->iov_len, (off_t)offset)
                 : pread(fd, batch->iov_base, batch->iov_len, (off_t)offset);
}
#endif

/* Moves all the pieces but their first `skip` bytes, however short the system's transfers are. */
static int transfer(int fd, bool write, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset, uint64_t skip) {
    struct ssn_cursor cursor = {iov, iov_count, 0, 0};
    struct iovec batch[BATCH_PIECES];
    ssn_cursor_advance(&cursor, skip);
    offset += skip;
    int count = next_batch(&cursor, batch);
    while (count > 0) {
        ssize_t done = move_batch(fd, write, batch, count, offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return done < 0 ? -errno : -EIO;
        }
        offset += (uint64_t)done;
        ssn_cursor_advance(&cursor, (uint64_t)done);
        count = next_batch(&cursor, batch);
    }
    return 0;
}

bool ssn_file_takes(const struct file *file, const selsnap_iovec *iov, uint32_t iov_count) {
    for (uint32_t i = 0; file->direct && i < iov_count; i++) {
        if (((uintptr_t)iov[i].base & (file->memory_align - 1)) != 0 || iov[i].len % file->length_align != 0) {
            return false;
        }
    }
    return true;
}

static int move_aligned(const void *user, bool write, void *buf, size_t len, uint64_t offset) {
    const struct file *file = user;
    const selsnap_iovec one = {buf, len};
    return transfer(file->fd, write, &one, 1, offset, 0);
}

static int move(const struct file *file, bool write, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset,
                uint64_t skip) {
    if (skip == 0 && !ssn_file_takes(file, iov, iov_count)) {
        return ssn_move_bounced(move_aligned, file, file->memory_align, write, iov, iov_count, offset);
    }
    return transfer(file->fd, write, iov, iov_count, offset, skip);
}

int ssn_file_move(const struct file *file, const selsnap_io *io, uint64_t done) {
    return move(file, io->kind != SELSNAP_IO_READ, io->iov, io->iov_count, io->offset, done);
}

static int file_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    return move(user, false, iov, iov_count, offset, 0);
}

static int file_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    return move(user, true, iov, iov_count, offset, 0);
}

static int sync_all(int fd) {
    int result;
    do {
#ifdef F_FULLFSYNC
        result = fcntl(fd, F_FULLFSYNC) == 0 ? 0 : fsync(fd);
#else
        result = fsync(fd);
#endif
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : -errno;
}

static int sync_data(int fd) {
/* musl has fdatasync(), and does not say so. */
#if defined(__linux__) || (defined(_POSIX_SYNCHRONIZED_IO) && _POSIX_SYNCHRONIZED_IO > 0 && !defined(F_FULLFSYNC))
    int result;
    do {
        result = fdatasync(fd);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : -errno;
#else
    return sync_all(fd);
#endif
}

static int file_flush(void *user) {
    struct file *file = user;
    if (!atomic_load(&file->made)) {
        return sync_data(file->fd);
    }
    /* A new size needs the inode, a new file its name as well. Flushes beside this one find `made` still set. */
    int result = sync_all(file->fd);
    if (result == 0 && file->folder_fd >= 0) {
        result = sync_all(file->folder_fd);
        /* Some file systems cannot flush a folder, and need not. */
        result = result == -EINVAL || result == -EBADF ? 0 : result;
    }
    if (result == 0) {
        atomic_store(&file->made, false);
    }
    return result;
}

#ifdef SSN_LINUX
/* Whether the system said that it cannot, rather than that it failed. */
static bool not_offered(int error) {
    return error == EOPNOTSUPP || error == ENOSYS || error == ENOTTY || error == EINVAL;
}

static int punch(const struct file *file, int mode, unsigned long block_request, uint64_t offset, uint64_t len) {
    uint64_t range[2] = {offset, len};
    int result;
    do {
        result = file->is_block ? ioctl(file->fd, (ssn_ioctl_request)block_request, range)
                                : fallocate(file->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : -errno;
}
#endif

/* What cannot be given back is kept: any content will do. */
static int file_discard(void *user, uint64_t offset, uint64_t len) {
#ifdef SSN_LINUX
    int result = punch(user, FALLOC_FL_PUNCH_HOLE, BLKDISCARD, offset, len);
    return not_offered(-result) ? 0 : result;
#else
    (void)user;
    (void)offset;
    (void)len;
    return 0;
#endif
}

static int file_write_zeroes(void *user, uint64_t offset, uint64_t len) {
#ifdef SSN_LINUX
    const struct file *file = user;
    int result = punch(file, FALLOC_FL_ZERO_RANGE, BLKZEROOUT, offset, len);
    if (not_offered(-result) && !file->is_block) {
        result = punch(file, FALLOC_FL_PUNCH_HOLE, 0, offset, len);
    }
    if (!not_offered(-result)) {
        return result;
    }
#endif
    return ssn_zeroes_by_writev(file_writev, user, offset, len);
}

/* Names the file system. Its own id where it tells one: device numbers may change from one start to the next. */
static uint64_t file_system_id(const struct file *file, const struct stat *st) {
    struct statvfs fs;
    if (fstatvfs(file->fd, &fs) == 0 && fs.f_fsid != 0) {
        return (uint64_t)fs.f_fsid;
    }
    return (uint64_t)st->st_dev;
}

static int file_identity(void *user, uint8_t *ret_identity) {
    const struct file *file = user;
    struct stat st = {0}; /* MemorySanitizer of clang 14 does not know that this is filled */
    if (fstat(file->fd, &st) != 0) {
        return -errno;
    }
    memcpy(ret_identity, file->is_block ? "blockdev" : "file    ", 8);
    ssn_put64(ret_identity + 8, file->is_block ? (uint64_t)st.st_rdev : file_system_id(file, &st));
    ssn_put64(ret_identity + 16, file->is_block ? 0 : (uint64_t)st.st_ino);
    ssn_put64(ret_identity + 24, ssn_checksum(ret_identity, 24));
    return 0;
}

static int file_change_mark(void *user, uint64_t *ret_mark) {
    const struct file *file = user;
    /* The times must outlive a power cut too, or an unchanged file would seem changed after it. */
    int result = file->read_only ? 0 : sync_all(file->fd);
    if (result != 0) {
        return result;
    }
    struct stat st = {0}; /* MemorySanitizer of clang 14 does not know that this is filled */
    if (fstat(file->fd, &st) != 0) {
        return -errno;
    }
#ifdef __APPLE__
    const struct timespec changed = st.st_ctimespec;
    const struct timespec modified = st.st_mtimespec;
#else
    const struct timespec changed = st.st_ctim;
    const struct timespec modified = st.st_mtim;
#endif
    uint8_t text[40];
    ssn_put64(text, (uint64_t)changed.tv_sec);
    ssn_put64(text + 8, (uint64_t)changed.tv_nsec);
    ssn_put64(text + 16, (uint64_t)modified.tv_sec);
    ssn_put64(text + 24, (uint64_t)modified.tv_nsec);
    ssn_put64(text + 32, (uint64_t)st.st_size);
    *ret_mark = ssn_checksum(text, sizeof text);
    return 0;
}

static int file_resize(void *user, uint64_t size_bytes, uint64_t *ret_size_bytes) {
    struct file *file = user;
    int error = ssn_file_size(file, ret_size_bytes);
    if (error == 0 && !file->is_block && !file->read_only && *ret_size_bytes < size_bytes) {
        if (size_bytes > INT64_MAX) {
            return -EFBIG;
        }
        if (ftruncate(file->fd, (off_t)size_bytes) != 0) {
            return -errno;
        }
        *ret_size_bytes = size_bytes;
        return sync_all(file->fd); /* here, as a flush under way would not know of it */
    }
    return -error;
}

static int file_lock(void *user, int exclusive) {
    const struct file *file = user;
    int result;
    do {
        result = flock(file->fd, (exclusive != 0 ? LOCK_EX : LOCK_SH) | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    if (result == 0) {
        return 0;
    }
    /* Where there are no locks, keeping others out is the host's duty. */
    return errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL ? 0 : -errno;
}

static void file_unlock(void *user) {
    const struct file *file = user;
    (void)flock(file->fd, LOCK_UN);
}

static void file_close(void *user) {
    struct file *file = user;
    ssn_file_rings_fini(&file->rings);
    if (file->folder_fd >= 0) {
        (void)close(file->folder_fd);
    }
    if (file->fd >= 0) {
        (void)close(file->fd);
    }
    free(file);
}

int ssn_file_make_device(struct file *file, const selsnap_device_info *info, selsnap_device **ret_device) {
    const selsnap_device_ops ops = {
        .struct_size = sizeof ops,
        .readv = file_readv,
        .writev = file_writev,
        .flush = file_flush,
        .discard = file_discard,
        .write_zeroes = file_write_zeroes,
        .identity = file_identity,
        /* A block device's times say nothing of its content. */
        .change_mark = file->is_block ? NULL : file_change_mark,
        .lock = file_lock,
        .unlock = file_unlock,
        .close = file_close,
        .resize = file_resize,
#ifdef SSN_URING
        .batch = ssn_file_batch,
#endif
    };
    if (!ssn_file_rings_init(&file->rings)) {
        return SELSNAP_ENOMEM;
    }
    int code = ssn_device_open(&ops, info, file, ret_device);
    if (code != SELSNAP_OK) {
        ssn_file_rings_fini(&file->rings);
    }
    return code;
}
