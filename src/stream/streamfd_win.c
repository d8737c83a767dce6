/* SPDX-License-Identifier: Apache-2.0 */
/* See streamfd.h. Windows: the C library's descriptors, which it would otherwise take for text. */
#include "streamfd.h"

#include <fcntl.h>
#include <io.h>
#include <selsnap/error.h>

enum { PART_BYTES = 1 << 30 };

static unsigned part_of(size_t len) {
    return (unsigned)(len < PART_BYTES ? len : PART_BYTES);
}

int ssn_stream_fd_write(int fd, const void *buf, size_t len) {
    const uint8_t *p = buf;
    (void)_setmode(fd, _O_BINARY);
    while (len > 0) {
        int put = _write(fd, p, part_of(len));
        if (put <= 0) {
            return SELSNAP_EIO;
        }
        p += put;
        len -= (size_t)put;
    }
    return SELSNAP_OK;
}

int64_t ssn_stream_fd_read(int fd, void *buf, size_t len) {
    (void)_setmode(fd, _O_BINARY);
    int got = _read(fd, buf, part_of(len));
    return got < 0 ? SELSNAP_EIO : got;
}
