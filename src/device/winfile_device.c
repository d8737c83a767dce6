/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file or a raw disk of Windows: the callbacks. Opening is in winfile_open.c.
 *
 * The handle is for overlapped requests, each with its place and an event of its own, so that those of many threads are
 * in flight together. Windows' calls take one piece of memory: a request of several goes through a buffer of its own,
 * as does one whose memory a disk, or a file opened past the cache, does not take.
 *
 * Windows' locks keep reads and writes of the range away, even this library's own for showing a store to a reader. So
 * the lock is on one byte where no file has any.
 */
#include "winfile.h"

#include "blockdev.h"
#include "bytes.h"
#include "checksum.h"
#include "pieces.h"
#include "stock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <winioctl.h>

enum { PART_BYTES = 1 << 30, MEMORY_ALIGN = 16 };

static const uint64_t LOCK_PLACE = UINT64_C(1) << 62;

static OVERLAPPED place_at(uint64_t offset, HANDLE event) {
    OVERLAPPED place;
    memset(&place, 0, sizeof place);
    place.Offset = (DWORD)(offset & UINT32_MAX);
    place.OffsetHigh = (DWORD)(offset >> 32);
    place.hEvent = event;
    return place;
}

int ssn_winfile_await(const struct winfile *file, BOOL begun, OVERLAPPED *place, DWORD *ret_done) {
    if (!begun && GetLastError() != ERROR_IO_PENDING) {
        return -ssn_winfile_last();
    }
    return GetOverlappedResult(file->handle, place, ret_done, TRUE) ? 0 : -ssn_winfile_last();
}

static HANDLE new_event(void) {
    return CreateEventW(NULL, TRUE, FALSE, NULL);
}

int ssn_winfile_control(const struct winfile *file, DWORD request, const void *in, size_t in_len, void *out,
                        size_t out_len) {
    DWORD done = 0;
    HANDLE event = new_event();
    if (event == NULL) {
        return -ssn_winfile_last();
    }
    OVERLAPPED place = place_at(0, event);
    BOOL begun =
        DeviceIoControl(file->handle, request, (void *)(uintptr_t)in, (DWORD)in_len, out, (DWORD)out_len, NULL, &place);
    int result = ssn_winfile_await(file, begun, &place, &done);
    (void)CloseHandle(event);
    return result;
}

static int move_aligned(const void *user, bool write, void *buf, size_t len, uint64_t offset) {
    const struct winfile *file = user;
    HANDLE event = new_event();
    int result = event == NULL ? -ssn_winfile_last() : 0;
    while (result == 0 && len > 0) {
        DWORD part = (DWORD)(len < PART_BYTES ? len : PART_BYTES);
        DWORD done = 0;
        OVERLAPPED place = place_at(offset, event);
        BOOL begun =
            write ? WriteFile(file->handle, buf, part, NULL, &place) : ReadFile(file->handle, buf, part, NULL, &place);
        result = ssn_winfile_await(file, begun, &place, &done);
        /* The end of a file that was cut short is told as an error, or by nothing read. */
        result = result == 0 && done == 0 ? -EIO : result;
        buf = (uint8_t *)buf + done;
        len -= done;
        offset += done;
    }
    if (event != NULL) {
        (void)CloseHandle(event);
    }
    return result;
}

/* The one piece that has bytes; NULL: there are several, or its memory is not taken as it is. */
static const selsnap_iovec *taken_as_it_is(const struct winfile *file, const selsnap_iovec *iov, uint32_t iov_count) {
    const selsnap_iovec *only = NULL;
    for (uint32_t i = 0; i < iov_count; i++) {
        if (iov[i].len > 0 && only != NULL) {
            return NULL;
        }
        only = iov[i].len > 0 ? &iov[i] : only;
    }
    return only != NULL && ((uintptr_t)only->base & (file->align - 1)) == 0 ? only : NULL;
}

static int move(const struct winfile *file, bool write, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    const selsnap_iovec *only = taken_as_it_is(file, iov, iov_count);
    if (only != NULL) {
        return move_aligned(file, write, only->base, only->len, offset);
    }
    size_t align = file->align > MEMORY_ALIGN ? file->align : MEMORY_ALIGN;
    return ssn_move_bounced(move_aligned, file, align, write, iov, iov_count, offset);
}

static int winfile_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    return move(user, false, iov, iov_count, offset);
}

static int winfile_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    int result = ssn_winfile_note_change(user);
    return result == 0 ? move(user, true, iov, iov_count, offset) : result;
}

/* Name and size of a file are its metadata, which this flushes too. */
static int winfile_flush(void *user) {
    const struct winfile *file = user;
    return FlushFileBuffers(file->handle) ? 0 : -ssn_winfile_last();
}

/* In a sparse file whole units of it become holes. */
static int zero_data(struct winfile *file, uint64_t offset, uint64_t len) {
    FILE_ZERO_DATA_INFORMATION range;
    range.FileOffset.QuadPart = (LONGLONG)offset;
    range.BeyondFinalZero.QuadPart = (LONGLONG)(offset + len);
    int result = ssn_winfile_note_change(file);
    return result == 0 ? ssn_winfile_control(file, FSCTL_SET_ZERO_DATA, &range, sizeof range, NULL, 0) : result;
}

/* Whether the system said that it cannot, rather than that it failed. */
static bool not_offered(int result) {
    return result == -EOPNOTSUPP || result == -EINVAL;
}

/* What cannot be given back is kept: any content will do. */
static int winfile_discard(void *user, uint64_t offset, uint64_t len) {
    struct winfile *file = user;
    int result = file->sparse ? zero_data(file, offset, len) : 0;
    return not_offered(result) ? 0 : result;
}

static int winfile_write_zeroes(void *user, uint64_t offset, uint64_t len) {
    struct winfile *file = user;
    int result = file->is_disk ? -EOPNOTSUPP : zero_data(file, offset, len);
    return not_offered(result) ? ssn_zeroes_by_writev(winfile_writev, file, offset, len) : result;
}

/* A file by its number in its volume, a disk by the system's number of it. */
static int winfile_identity(void *user, uint8_t *ret_identity) {
    const struct winfile *file = user;
    FILE_ID_INFO id;
    STORAGE_DEVICE_NUMBER number;
    int result = 0;
    if (file->is_disk) {
        result = ssn_winfile_control(file, IOCTL_STORAGE_GET_DEVICE_NUMBER, NULL, 0, &number, sizeof number);
        if (result != 0) {
            return result;
        }
        memcpy(ret_identity, "windisk ", 8);
        ssn_put64(ret_identity + 8, (uint64_t)number.DeviceType << 32 | number.DeviceNumber);
        ssn_put64(ret_identity + 16, number.PartitionNumber);
    } else if (GetFileInformationByHandleEx(file->handle, FileIdInfo, &id, sizeof id)) {
        memcpy(ret_identity, "winfile ", 8);
        ssn_put64(ret_identity + 8, id.VolumeSerialNumber);
        ssn_put64(ret_identity + 16, ssn_checksum(&id.FileId, sizeof id.FileId));
    } else {
        return -ssn_winfile_last();
    }
    ssn_put64(ret_identity + 24, ssn_checksum(ret_identity, 24));
    return 0;
}

static int winfile_resize(void *user, uint64_t size_bytes, uint64_t *ret_size_bytes) {
    struct winfile *file = user;
    int result = ssn_winfile_size(file, ret_size_bytes);
    if (result != 0 || file->is_disk || file->read_only || *ret_size_bytes >= size_bytes) {
        return result;
    }
    result = ssn_winfile_note_change(file);
    result = result == 0 ? ssn_winfile_set_size(file, size_bytes) : result;
    if (result == 0) {
        *ret_size_bytes = size_bytes;
        result = winfile_flush(file);
    }
    return result;
}

static int winfile_lock(void *user, int exclusive) {
    const struct winfile *file = user;
    DWORD done = 0;
    HANDLE event = new_event();
    if (event == NULL) {
        return -ssn_winfile_last();
    }
    OVERLAPPED place = place_at(LOCK_PLACE, event);
    DWORD flags = LOCKFILE_FAIL_IMMEDIATELY | (exclusive != 0 ? (DWORD)LOCKFILE_EXCLUSIVE_LOCK : 0);
    int result = ssn_winfile_await(file, LockFileEx(file->handle, flags, 0, 1, 0, &place), &place, &done);
    (void)CloseHandle(event);
    /* Where there are no locks, keeping others out is the host's duty. */
    return not_offered(result) ? 0 : result;
}

static void winfile_unlock(void *user) {
    const struct winfile *file = user;
    (void)UnlockFile(file->handle, (DWORD)(LOCK_PLACE & UINT32_MAX), (DWORD)(LOCK_PLACE >> 32), 1, 0);
}

static void winfile_close(void *user) {
    struct winfile *file = user;
    (void)CloseHandle(file->handle);
    free(file);
}

int ssn_winfile_make_device(struct winfile *file, const selsnap_device_info *info, selsnap_device **ret_device) {
    const selsnap_device_ops ops = {
        .struct_size = sizeof ops,
        .readv = winfile_readv,
        .writev = winfile_writev,
        .flush = winfile_flush,
        .discard = winfile_discard,
        .write_zeroes = winfile_write_zeroes,
        .identity = winfile_identity,
        /* A disk's times say nothing of its content. */
        .change_mark = file->is_disk ? NULL : ssn_winfile_mark,
        .lock = winfile_lock,
        .unlock = winfile_unlock,
        .close = winfile_close,
        .resize = winfile_resize,
    };
    return ssn_device_open(&ops, info, file, ret_device);
}
