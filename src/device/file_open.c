/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a file or a block device: what it is, how large, and how it wants to be asked. */
#include "blockdev.h"
#include "bytes.h"
#include "file_codes.h"
#include "file_device.h"
#include "stock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef SSN_LINUX
#include <linux/fs.h>
#include <sys/ioctl.h>
#endif
#ifdef __APPLE__
#include <sys/disk.h>
#include <sys/ioctl.h>
#endif

enum { DIRECT_ALIGN_SAFE = 4096, SECTOR = 512, PROBES = 2 };

#ifndef O_DIRECT
/* No system bit: asking for it is refused before it gets here. */
#define O_DIRECT 0
#endif

/* The folder that holds the file; -1, with errno, when it cannot be opened. */
static int open_folder(const char *path) {
    char *folder = strdup(path);
    if (folder == NULL) {
        return -1;
    }
    char *slash = strrchr(folder, '/');
    if (slash == folder) {
        slash[1] = '\0';
    } else if (slash != NULL) {
        *slash = '\0';
    }
    int fd = open(slash != NULL ? folder : ".", O_RDONLY | O_CLOEXEC);
    int error = errno;
    free(folder);
    errno = error;
    return fd;
}

/* Opens, and makes the file if it may; 0 or errno. */
static int open_fd(struct file *file, const char *path, uint32_t flags) {
    int mode = (flags & SELSNAP_FILE_READ_ONLY) != 0 ? O_RDONLY : O_RDWR;
    mode |= O_CLOEXEC | O_NOCTTY | ((flags & SELSNAP_FILE_DIRECT) != 0 ? O_DIRECT : 0);
    struct stat st = {0}; /* MemorySanitizer of clang 14 does not know that this is filled */
    /* Asked first, because to open a pipe or a terminal can wait, or do something. */
    if (stat(path, &st) == 0) {
        if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
            return EISDIR;
        }
        file->fd = open(path, mode);
        return file->fd >= 0 ? 0 : errno;
    }
    if (errno != ENOENT || (flags & SELSNAP_FILE_CREATE) == 0) {
        return errno;
    }
    file->folder_fd = open_folder(path);
    if (file->folder_fd < 0) {
        return errno;
    }
    file->fd = open(path, mode | O_CREAT, 0666);
    atomic_store(&file->made, true);
    return file->fd >= 0 ? 0 : errno;
}

/* Size and logical block of a block device; 0 or errno. */
static int ask_block_device(int fd, uint64_t *ret_size, uint32_t *ret_logical) {
#if defined(SSN_LINUX)
    int logical = 0;
    if (ioctl(fd, (ssn_ioctl_request)BLKGETSIZE64, ret_size) != 0 ||
        ioctl(fd, (ssn_ioctl_request)BLKSSZGET, &logical) != 0) {
        return errno;
    }
    *ret_logical = (uint32_t)logical;
#elif defined(__APPLE__)
    uint64_t blocks = 0;
    uint32_t logical = 0;
    if (ioctl(fd, DKIOCGETBLOCKCOUNT, &blocks) != 0 || ioctl(fd, DKIOCGETBLOCKSIZE, &logical) != 0) {
        return errno;
    }
    *ret_size = blocks * logical;
    *ret_logical = logical;
#else
    off_t end = lseek(fd, 0, SEEK_END);
    if (end < 0) {
        return errno;
    }
    *ret_size = (uint64_t)end;
    *ret_logical = SECTOR;
#endif
    return 0;
}

int ssn_file_size(const struct file *file, uint64_t *ret_size) {
    uint32_t logical = 0;
    if (file->is_block) {
        return ask_block_device(file->fd, ret_size, &logical);
    }
    struct stat st = {0}; /* MemorySanitizer of clang 14 does not know that this is filled */
    if (fstat(file->fd, &st) != 0) {
        return errno;
    }
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

/* Makes a file at least so long; 0 or errno. */
static int grow(struct file *file, uint64_t create_size, selsnap_device_info *info) {
    if (info->size_bytes >= create_size) {
        return 0;
    }
    if (file->is_block) {
        return ENOSPC;
    }
    if (create_size > INT64_MAX) {
        return EFBIG;
    }
    if (ftruncate(file->fd, (off_t)create_size) != 0) {
        return errno;
    }
    atomic_store(&file->made, true);
    info->size_bytes = create_size;
    return 0;
}

#ifdef STATX_DIOALIGN
/* What the file system says of O_DIRECT; false when it does not say. */
static bool ask_direct(struct file *file, bool *ret_supported) {
    struct statx stx = {0};
    if (statx(file->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) != 0 || (stx.stx_mask & STATX_DIOALIGN) == 0) {
        return false;
    }
    *ret_supported = stx.stx_dio_mem_align != 0 && stx.stx_dio_offset_align != 0;
    if (*ret_supported) {
        file->memory_align = stx.stx_dio_mem_align;
        file->length_align = stx.stx_dio_offset_align;
    }
    return true;
}
#else
static bool ask_direct(struct file *file, bool *ret_supported) {
    (void)file;
    (void)ret_supported;
    return false;
}
#endif

/* Tries reads of a sector, then of a page, into a page-aligned buffer. A file too short to tell gets a page. */
static bool probe_direct(struct file *file, uint64_t size_bytes) {
    void *buf = NULL;
    if (posix_memalign(&buf, DIRECT_ALIGN_SAFE, DIRECT_ALIGN_SAFE) != 0) {
        return false;
    }
    file->memory_align = DIRECT_ALIGN_SAFE;
    file->length_align = DIRECT_ALIGN_SAFE;
    const size_t sizes[PROBES] = {SECTOR, DIRECT_ALIGN_SAFE};
    bool found = size_bytes < DIRECT_ALIGN_SAFE;
    for (int i = 0; i < PROBES && !found; i++) {
        ssize_t done = pread(file->fd, buf, sizes[i], 0);
        if (done == (ssize_t)sizes[i]) {
            file->length_align = sizes[i];
            found = true;
        }
    }
    free(buf);
    return found;
}

/* How a file opened with O_DIRECT wants to be asked; false when it cannot be used so. */
static bool settle_direct(struct file *file, selsnap_device_info *info) {
    bool supported = false;
    if (!ask_direct(file, &supported)) {
        supported = probe_direct(file, info->size_bytes);
    }
    if (!supported) {
        return false;
    }
    if (file->memory_align < sizeof(void *)) {
        file->memory_align = sizeof(void *); /* what posix_memalign takes */
    }
    if (file->length_align > info->logical_block_bytes) {
        info->logical_block_bytes = (uint32_t)file->length_align;
    }
    /* A tail shorter than the unit could not be reached; leaving it out silently would leave it unprotected. */
    return info->size_bytes % info->logical_block_bytes == 0;
}

/* Fills what is known from the open file; a SELSNAP_ code, and errno's value when the system refused. */
static int describe(struct file *file, uint32_t flags, uint64_t create_size, selsnap_device_info *info,
                    int *ret_error) {
    struct stat st = {0}; /* MemorySanitizer of clang 14 does not know that this is filled */
    if (fstat(file->fd, &st) != 0) {
        *ret_error = errno;
        return SELSNAP_EIO;
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        return SELSNAP_EINVAL;
    }
    file->is_block = S_ISBLK(st.st_mode);
    info->flags = SELSNAP_DEVICE_VOLATILE_CACHE | (file->read_only ? SELSNAP_DEVICE_READ_ONLY : 0);
    info->size_bytes = file->is_block ? 0 : (uint64_t)st.st_size;
    info->logical_block_bytes = 1;
    info->preferred_io_bytes = st.st_blksize > 0 && st.st_blksize <= INT32_MAX ? (uint32_t)st.st_blksize : 0;
    if (file->is_block) {
        *ret_error = ask_block_device(file->fd, &info->size_bytes, &info->logical_block_bytes);
        info->atomic_write_bytes = info->logical_block_bytes > SECTOR ? info->logical_block_bytes : SECTOR;
    }
    if (*ret_error == 0) {
        *ret_error = grow(file, create_size, info);
    }
    if (*ret_error != 0) {
        return SELSNAP_EIO;
    }
    file->direct = (flags & SELSNAP_FILE_DIRECT) != 0;
    return !file->direct || settle_direct(file, info) ? SELSNAP_OK : SELSNAP_ENOTSUP;
}

int ssn_file_device_open(const char *path, uint32_t flags, uint64_t create_size, selsnap_device **ret_device,
                         int *ret_errno) {
    int error = 0;
    int code = SELSNAP_OK;
    if (!ssn_file_flags_allowed(flags, create_size)) {
        error = EINVAL;
        code = SELSNAP_EINVAL;
    } else if ((flags & SELSNAP_FILE_DIRECT) != 0 && O_DIRECT == 0) {
        error = EOPNOTSUPP;
        code = SELSNAP_ENOTSUP;
    }
    struct file *file = code == SELSNAP_OK ? calloc(1, sizeof *file) : NULL;
    if (code == SELSNAP_OK && file == NULL) {
        error = ENOMEM;
        code = SELSNAP_ENOMEM;
    }
    if (code != SELSNAP_OK) {
        goto out;
    }
    file->fd = -1;
    file->folder_fd = -1;
    file->read_only = (flags & SELSNAP_FILE_READ_ONLY) != 0;
    error = open_fd(file, path, flags);
    if (error != 0) {
        code = ssn_file_open_code(error, flags);
        goto out;
    }
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    code = describe(file, flags, create_size, &info, &error);
    if (code == SELSNAP_OK) {
        code = ssn_file_make_device(file, &info, ret_device);
    }
    if (code == SELSNAP_OK) {
        file = NULL;
    }
out:
    if (file != NULL) {
        if (file->folder_fd >= 0) {
            (void)close(file->folder_fd);
        }
        if (file->fd >= 0) {
            (void)close(file->fd);
        }
        free(file);
    }
    if (code != SELSNAP_OK && ret_errno != NULL) {
        *ret_errno = error;
    }
    return code;
}
