/* SPDX-License-Identifier: Apache-2.0 */
/* See streamfd.h. */
#include "streamfd.h"

#include <errno.h>
#include <poll.h>
#include <selsnap/error.h>
#include <stdbool.h>
#include <unistd.h>

/* Whether to try again: after a signal at once, and where the descriptor does not block, when it is ready. */
static bool again(int fd, short event) {
    if (errno == EINTR) {
        return true;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
        return false;
    }
    struct pollfd ready = {.fd = fd, .events = event};
    return poll(&ready, 1, -1) > 0 || errno == EINTR;
}

int ssn_stream_fd_write(int fd, const void *buf, size_t len) {
    const uint8_t *p = buf;
    while (len > 0) {
        ssize_t put = write(fd, p, len);
        if (put < 0 && !again(fd, POLLOUT)) {
            return SELSNAP_EIO;
        }
        p += put > 0 ? put : 0;
        len -= put > 0 ? (size_t)put : 0;
    }
    return SELSNAP_OK;
}

int64_t ssn_stream_fd_read(int fd, void *buf, size_t len) {
    ssize_t got;
    do {
        got = read(fd, buf, len);
    } while (got < 0 && again(fd, POLLIN));
    return got < 0 ? SELSNAP_EIO : got;
}
