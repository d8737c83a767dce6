/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a file or a raw disk of Windows: what it is, how large, and how it wants to be asked. */
#include "winfile.h"

#include "blockdev.h"
#include "bytes.h"
#include "file_codes.h"
#include "stock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <winioctl.h>

enum { SECTOR = 512, ALIGN_SAFE = 4096 };

/* The path as Windows takes it, to be freed; NULL: no memory, or it is not UTF-8 (errno). */
static wchar_t *wide_path(const char *path) {
    int len = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, NULL, 0);
    if (len == 0) {
        errno = EISDIR; /* no file has such a name */
        return NULL;
    }
    wchar_t *wide = malloc((size_t)len * sizeof *wide);
    if (wide == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    (void)MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, len);
    return wide;
}

/* Opens, and makes the file if it may; 0 or errno. */
static int open_handle(struct winfile *file, const wchar_t *path, uint32_t flags) {
    DWORD access = GENERIC_READ | ((flags & SELSNAP_FILE_READ_ONLY) != 0 ? 0 : GENERIC_WRITE);
    DWORD attributes = FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OVERLAPPED;
    attributes |= (flags & SELSNAP_FILE_DIRECT) != 0 ? FILE_FLAG_NO_BUFFERING : 0;
    DWORD there = GetFileAttributesW(path);
    if (there != INVALID_FILE_ATTRIBUTES && (there & FILE_ATTRIBUTE_DIRECTORY) != 0) {
        return EISDIR;
    }
    DWORD how = (flags & SELSNAP_FILE_CREATE) != 0 ? OPEN_ALWAYS : OPEN_EXISTING;
    file->handle =
        CreateFileW(path, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, how, attributes, NULL);
    DWORD error = GetLastError();
    if (file->handle == INVALID_HANDLE_VALUE) {
        return ssn_winfile_errno(error);
    }
    if (GetFileType(file->handle) != FILE_TYPE_DISK) {
        return EISDIR; /* a console, a pipe, NUL */
    }
    if (how == OPEN_ALWAYS && error != ERROR_ALREADY_EXISTS) {
        /* Where the file system has no holes, its files have none. */
        (void)ssn_winfile_control(file, FSCTL_SET_SPARSE, NULL, 0, NULL, 0);
    }
    return 0;
}

int ssn_winfile_size(const struct winfile *file, uint64_t *ret_size) {
    if (file->is_disk) {
        GET_LENGTH_INFORMATION length;
        int result = ssn_winfile_control(file, IOCTL_DISK_GET_LENGTH_INFO, NULL, 0, &length, sizeof length);
        *ret_size = result == 0 ? (uint64_t)length.Length.QuadPart : *ret_size;
        return result;
    }
    LARGE_INTEGER size;
    if (!GetFileSizeEx(file->handle, &size)) {
        return -ssn_winfile_last();
    }
    *ret_size = (uint64_t)size.QuadPart;
    return 0;
}

int ssn_winfile_set_size(const struct winfile *file, uint64_t size) {
    FILE_END_OF_FILE_INFO end;
    if (size > INT64_MAX) {
        return -EFBIG;
    }
    end.EndOfFile.QuadPart = (LONGLONG)size;
    return SetFileInformationByHandle(file->handle, FileEndOfFileInfo, &end, sizeof end) ? 0 : -ssn_winfile_last();
}

/* Makes a file at least so long; 0 or errno. */
static int grow(struct winfile *file, uint64_t create_size, selsnap_device_info *info) {
    if (info->size_bytes >= create_size) {
        return 0;
    }
    int error = file->is_disk ? ENOSPC : -ssn_winfile_set_size(file, create_size);
    info->size_bytes = error == 0 ? create_size : info->size_bytes;
    return error;
}

/* Size and sector of a disk, which is always asked in sectors; 0 or errno. */
static int describe_disk(struct winfile *file, selsnap_device_info *info) {
    DISK_GEOMETRY geometry;
    int result = ssn_winfile_size(file, &info->size_bytes);
    if (result == 0) {
        result = ssn_winfile_control(file, IOCTL_DISK_GET_DRIVE_GEOMETRY, NULL, 0, &geometry, sizeof geometry);
    }
    if (result == 0) {
        info->logical_block_bytes = geometry.BytesPerSector;
        info->atomic_write_bytes = geometry.BytesPerSector > SECTOR ? geometry.BytesPerSector : SECTOR;
        file->align = geometry.BytesPerSector;
    }
    return -result;
}

/* How a file opened past the cache wants to be asked; false when it cannot be used so. */
static bool settle_direct(struct winfile *file, selsnap_device_info *info) {
    FILE_STORAGE_INFO storage;
    file->align = ALIGN_SAFE;
    if (GetFileInformationByHandleEx(file->handle, FileStorageInfo, &storage, sizeof storage) &&
        ssn_is_power_of_2(storage.LogicalBytesPerSector) && storage.LogicalBytesPerSector >= SECTOR) {
        file->align = storage.LogicalBytesPerSector;
    }
    info->logical_block_bytes = (uint32_t)file->align;
    /* A tail shorter than the unit could not be reached; leaving it out silently would leave it unprotected. */
    return info->size_bytes % info->logical_block_bytes == 0;
}

/* Fills what is known from the open file; a SELSNAP_ code, and errno's value when the system refused. */
static int describe(struct winfile *file, uint32_t flags, uint64_t create_size, selsnap_device_info *info,
                    int *ret_error) {
    FILE_BASIC_INFO basic;
    info->flags = SELSNAP_DEVICE_VOLATILE_CACHE | (file->read_only ? SELSNAP_DEVICE_READ_ONLY : 0);
    info->logical_block_bytes = 1;
    file->align = 1;
    *ret_error = file->is_disk ? describe_disk(file, info) : -ssn_winfile_size(file, &info->size_bytes);
    if (*ret_error == 0) {
        *ret_error = grow(file, create_size, info);
    }
    if (*ret_error != 0) {
        return SELSNAP_EIO;
    }
    file->sparse = !file->is_disk && GetFileInformationByHandleEx(file->handle, FileBasicInfo, &basic, sizeof basic) &&
                   (basic.FileAttributes & FILE_ATTRIBUTE_SPARSE_FILE) != 0;
    bool direct = (flags & SELSNAP_FILE_DIRECT) != 0 && !file->is_disk;
    return !direct || settle_direct(file, info) ? SELSNAP_OK : SELSNAP_ENOTSUP;
}

static int open_and_describe(struct winfile *file, const char *path, uint32_t flags, uint64_t create_size,
                             selsnap_device_info *info, int *ret_error) {
    wchar_t *wide = wide_path(path);
    file->is_disk = strncmp(path, "\\\\.\\", 4) == 0;
    file->read_only = (flags & SELSNAP_FILE_READ_ONLY) != 0;
    *ret_error = wide == NULL ? errno : open_handle(file, wide, flags);
    free(wide);
    return *ret_error != 0 ? ssn_file_open_code(*ret_error, flags)
                           : describe(file, flags, create_size, info, ret_error);
}

int ssn_file_device_open(const char *path, uint32_t flags, uint64_t create_size, selsnap_device **ret_device,
                         int *ret_errno) {
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    struct winfile *file = NULL;
    int error = EINVAL;
    int code = SELSNAP_EINVAL;
    if (ssn_file_flags_allowed(flags, create_size)) {
        file = calloc(1, sizeof *file);
        error = ENOMEM;
        code = SELSNAP_ENOMEM;
    }
    if (file != NULL) {
        file->handle = INVALID_HANDLE_VALUE;
        code = open_and_describe(file, path, flags, create_size, &info, &error);
        code = code == SELSNAP_OK ? ssn_winfile_make_device(file, &info, ret_device) : code;
        if (code != SELSNAP_OK && file->handle != INVALID_HANDLE_VALUE) {
            (void)CloseHandle(file->handle);
        }
    }
    if (code != SELSNAP_OK) {
        free(file);
        if (ret_errno != NULL) {
            *ret_errno = error;
        }
    }
    return code;
}
