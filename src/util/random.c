/* SPDX-License-Identifier: Apache-2.0 */
/* See random.h. POSIX systems. */
#include "random.h"

#include <fcntl.h>
#include <unistd.h>

bool ssn_random(void *buf, size_t len) {
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, buf, len) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    return got >= 0 && (size_t)got == len;
}
