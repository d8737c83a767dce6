/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file's change mark: the time of its last write, and its size.
 *
 * Windows moves that time when a handle that has written is closed, which may be long after the mark was taken: an
 * unchanged file would seem changed. Once the time was set through a handle, Windows leaves it alone there. So the mark
 * sets the time itself where the file has changed since the last one, and the first change after a mark does too.
 * Handles of others move it as ever.
 */
#include "winfile.h"

#include "bytes.h"
#include "checksum.h"

static int ask(const struct winfile *file, FILE_BASIC_INFO *ret_info) {
    return GetFileInformationByHandleEx(file->handle, FileBasicInfo, ret_info, sizeof *ret_info) ? 0
                                                                                                 : -ssn_winfile_last();
}

/* Sets the time to now, and in any case to another than it was. */
static int stamp(const struct winfile *file) {
    FILE_BASIC_INFO info;
    FILETIME now;
    int result = ask(file, &info);
    if (result != 0) {
        return result;
    }
    GetSystemTimePreciseAsFileTime(&now);
    int64_t ticks = (int64_t)((uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime);
    FILE_BASIC_INFO stamped = {
        /* what is 0 stays as it is */
        .LastWriteTime.QuadPart = ticks > info.LastWriteTime.QuadPart ? ticks : info.LastWriteTime.QuadPart + 1,
    };
    return SetFileInformationByHandle(file->handle, FileBasicInfo, &stamped, sizeof stamped) ? 0 : -ssn_winfile_last();
}

int ssn_winfile_note_change(struct winfile *file) {
    if (file->is_disk || atomic_load_explicit(&file->changed, memory_order_relaxed) ||
        atomic_exchange(&file->changed, true)) {
        return 0;
    }
    return atomic_load(&file->marked) ? stamp(file) : 0;
}

int ssn_winfile_mark(void *user, uint64_t *ret_mark) {
    struct winfile *file = user;
    FILE_BASIC_INFO info;
    uint64_t size = 0;
    int result = 0;
    if (atomic_load(&file->changed)) {
        result = stamp(file);
        if (result == 0) {
            atomic_store(&file->marked, true);
            atomic_store(&file->changed, false);
        }
    }
    /* The time must outlive a power cut too. */
    if (result == 0 && !file->read_only && !FlushFileBuffers(file->handle)) {
        result = -ssn_winfile_last();
    }
    result = result == 0 ? ask(file, &info) : result;
    result = result == 0 ? ssn_winfile_size(file, &size) : result;
    if (result == 0) {
        uint8_t text[16];
        ssn_put64(text, (uint64_t)info.LastWriteTime.QuadPart);
        ssn_put64(text + 8, size);
        *ret_mark = ssn_checksum(text, sizeof text);
    }
    return result;
}
