/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows' files and raw disks: what winfile_open.c finds out and winfile_device.c works with. Results are 0 or -errno,
 * as on other systems: Windows' own numbers become errno's (winfile_error.c).
 */
#ifndef SSN_WINFILE_H
#define SSN_WINFILE_H

#include <selsnap/device.h>
#include <stdatomic.h>
#include <stdbool.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

struct winfile {
    HANDLE handle;
    bool is_disk; /* a raw disk or partition, \\.\ANYTHING */
    bool read_only;
    bool sparse;  /* what is discarded is given back */
    size_t align; /* of memory, and of each request, that go past the cache; 1 where they do not */

    /* winfile_mark.c */
    _Atomic bool changed; /* since the last mark */
    _Atomic bool marked;  /* Windows no longer moves the time by itself */
};

/* errno's value for one of Windows'; the one without argument is for what failed last in this thread. */
int ssn_winfile_errno(DWORD error);
int ssn_winfile_last(void);

/* Waits for a call that was begun with `place`, whose event is its own; tells how many bytes it moved. */
int ssn_winfile_await(const struct winfile *file, BOOL begun, OVERLAPPED *place, DWORD *ret_done);
/* DeviceIoControl(). */
int ssn_winfile_control(const struct winfile *file, DWORD request, const void *in, size_t in_len, void *out,
                        size_t out_len);
/* The size now. */
int ssn_winfile_size(const struct winfile *file, uint64_t *ret_size);
/* Makes a file exactly so long; what is new reads as zeros. */
int ssn_winfile_set_size(const struct winfile *file, uint64_t size);

/* Before each change of the content. */
int ssn_winfile_note_change(struct winfile *file);
/* The device's change_mark callback; `user` is a struct winfile. */
int ssn_winfile_mark(void *user, uint64_t *ret_mark);

/* Makes the device; it owns `file` from a successful return on. */
int ssn_winfile_make_device(struct winfile *file, const selsnap_device_info *info, selsnap_device **ret_device);

#endif
