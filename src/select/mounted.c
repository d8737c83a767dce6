/* SPDX-License-Identifier: Apache-2.0 */
/* Files of mounted file systems: where the kernel says that they lie (FIEMAP), and on which device that is. */
#include "selection.h"

#if defined(__linux__)

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { EXTENTS = 256, SECTOR = 512 };
/* Not all headers have it. */
#define XFS_MAGIC 0x58465342

/* ---- on which device ---- */

/* The first line of /sys/dev/block/MAJOR:MINOR/name; false: there is none. */
static bool read_fact(dev_t device, const char *name, char *text, size_t size) {
    char path[128];
    (void)snprintf(path, sizeof path, "/sys/dev/block/%u:%u/%s", major(device), minor(device), name);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    bool read = fgets(text, (int)size, file) != NULL;
    (void)fclose(file);
    if (read) {
        text[strcspn(text, "\n")] = '\0';
    }
    return read;
}

static bool same_file(const char *path, const struct stat *origin) {
    struct stat other;
    return stat(path, &other) == 0 && other.st_dev == origin->st_dev && other.st_ino == origin->st_ino;
}

/* Whether the device's bytes are the origin's, from *ret_offset of it on. */
static bool find_on(dev_t device, const struct stat *origin, uint64_t *ret_offset) {
    char text[4096];
    unsigned whole_major;
    unsigned whole_minor;
    if (S_ISBLK(origin->st_mode) && origin->st_rdev == device) {
        *ret_offset = 0;
        return true;
    }
    if (S_ISREG(origin->st_mode) && read_fact(device, "loop/backing_file", text, sizeof text) &&
        same_file(text, origin)) {
        *ret_offset = read_fact(device, "loop/offset", text, sizeof text) ? strtoull(text, NULL, 10) : 0;
        return true;
    }
    if (!read_fact(device, "partition", text, sizeof text) || !read_fact(device, "../dev", text, sizeof text) ||
        sscanf(text, "%u:%u", &whole_major, &whole_minor) != 2) {
        return false;
    }
    dev_t whole = makedev(whole_major, whole_minor);
    uint64_t start = read_fact(device, "start", text, sizeof text) ? strtoull(text, NULL, 10) * SECTOR : 0;
    uint64_t base = 0;
    if (whole == device || start == 0 || !find_on(whole, origin, &base)) {
        return false;
    }
    *ret_offset = base + start;
    return true;
}

/* ---- where on it ---- */

static int take_extent(struct selsnap_selection *selection, const char *file, const struct fiemap_extent *extent,
                       uint64_t offset) {
    const uint32_t elsewhere = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_ENCODED |
                               FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_DATA_TAIL;
    if ((extent->fe_flags & elsewhere) != 0) {
        return ssn_select_fail(selection, SELSNAP_ENOTSUP,
                               "%s: where its bytes from %" PRIu64 " on lie, the file system does not tell (flags %#x)",
                               file, (uint64_t)extent->fe_logical, (unsigned)extent->fe_flags);
    }
    return ssn_select_collect(selection, offset + extent->fe_physical, extent->fe_length);
}

static int take_extents(struct selsnap_selection *selection, const char *file, int fd, uint64_t offset) {
    struct fiemap *map = calloc(1, sizeof *map + EXTENTS * sizeof map->fm_extents[0]);
    int rc = SELSNAP_OK;
    bool last = false;
    uint64_t from = 0;
    if (map == NULL) {
        return ssn_select_fail(selection, SELSNAP_ENOMEM, "no memory for a map of extents");
    }
    while (rc == SELSNAP_OK && !last) {
        map->fm_start = from;
        map->fm_length = FIEMAP_MAX_OFFSET - from;
        map->fm_flags = FIEMAP_FLAG_SYNC;
        map->fm_extent_count = EXTENTS;
        map->fm_mapped_extents = 0;
        if (ioctl(fd, FS_IOC_FIEMAP, map) != 0) {
            rc = ssn_select_fail(selection, errno == EOPNOTSUPP || errno == ENOTTY ? SELSNAP_ENOTSUP : SELSNAP_EIO,
                                 "%s: where it lies cannot be asked: %s", file, strerror(errno));
            break;
        }
        last = map->fm_mapped_extents == 0;
        for (uint32_t i = 0; rc == SELSNAP_OK && i < map->fm_mapped_extents; i++) {
            const struct fiemap_extent *extent = &map->fm_extents[i];
            rc = take_extent(selection, file, extent, offset);
            last = last || (extent->fe_flags & FIEMAP_EXTENT_LAST) != 0;
            from = extent->fe_logical + extent->fe_length;
        }
    }
    free(map);
    return rc;
}

static int look_at(struct selsnap_selection *selection, const char *path, const char *file, int fd) {
    struct stat status;
    struct stat origin;
    struct statfs system;
    uint64_t offset = 0;
    if (fstat(fd, &status) != 0 || fstatfs(fd, &system) != 0) {
        return ssn_select_fail(selection, SELSNAP_EIO, "%s: %s", file, strerror(errno));
    }
    if (stat(path, &origin) != 0) {
        return ssn_select_fail(selection, SELSNAP_EIO, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return ssn_select_fail(selection, SELSNAP_EINVAL, "%s is not a regular file", file);
    }
    /* Others tell addresses of their own, not the device's. */
    if (system.f_type != EXT4_SUPER_MAGIC && system.f_type != XFS_MAGIC) {
        return ssn_select_fail(selection, SELSNAP_ENOTSUP, "%s is on a file system that is neither ext2, 3, 4 nor XFS",
                               file);
    }
    if (!find_on(status.st_dev, &origin, &offset)) {
        return ssn_select_fail(selection, SELSNAP_EINVAL, "%s is on device %u:%u, which is not %s nor a part of it", file,
                               major(status.st_dev), minor(status.st_dev), path);
    }
    return take_extents(selection, file, fd, offset);
}

int selsnap_selection_add_mounted_file(selsnap_selection *selection, const char *path, const char *file) {
    if (selection == NULL || path == NULL || file == NULL) {
        return SELSNAP_EINVAL;
    }
    ssn_select_begin(selection);
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return ssn_select_fail(selection, errno == ENOENT || errno == ENOTDIR ? SELSNAP_ENOENT : SELSNAP_EIO, "%s: %s",
                               file, strerror(errno));
    }
    int rc = look_at(selection, path, file, fd);
    (void)close(fd);
    return ssn_select_end(selection, rc);
}

#else

int selsnap_selection_add_mounted_file(selsnap_selection *selection, const char *path, const char *file) {
    if (selection == NULL || path == NULL || file == NULL) {
        return SELSNAP_EINVAL;
    }
    return ssn_select_fail(selection, SELSNAP_ENOTSUP, "only Linux tells where a mounted file lies");
}

#endif
