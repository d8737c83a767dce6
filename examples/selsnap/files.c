/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and pipes of the command line (transfer.h).
 *
 * In a server they belong to somebody who may stop reading or writing at any time. So a server's thread never waits in a
 * read or write: it waits for the file to be ready, and looks in between whether the command is to end.
 */
#include "system.h"
#include "transfer.h"
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_EVERY_MS 50
#define AT_ONCE ((size_t)1 << 30) /* no system's call takes less */
#ifndef PIPE_BUF
#define PIPE_BUF 512 /* what every system takes */
#endif

int open_file(const struct cli *cli, const char *path, int flags) {
    return system_open(cli->folder, path, flags);
}

bool same_storage(const struct cli *cli, const char *path, const char *other) {
    return other != NULL && system_same(cli->folder, path, other);
}

/* Wait until the file is ready. 0, or EINTR when the command is to end and would have to wait. At once without a
 * server. */
static int wait_ready(const struct cli *cli, int fd, bool write) {
    int wait_ms = 0;
    while (cli->served != NULL && !system_ready(fd, write, wait_ms)) {
        if (stop_asked(cli)) {
            return EINTR;
        }
        wait_ms = LOOK_EVERY_MS;
    }
    return 0;
}

/* Whether a transfer that failed is to be tried again. */
static bool again(const struct cli *cli, int error, int fd, bool write) {
    if (error == EAGAIN) {
        (void)system_ready(fd, write, LOOK_EVERY_MS);
    }
    return (error == EINTR || error == EAGAIN) && !stop_asked(cli);
}

int read_some(const struct cli *cli, int fd, void *buf, size_t len, size_t *ret_len) {
    for (;;) {
        int error = wait_ready(cli, fd, false);
        if (error != 0) {
            return error;
        }
        ssize_t got = read(fd, buf, (unsigned)(len < AT_ONCE ? len : AT_ONCE));
        if (got >= 0) {
            *ret_len = (size_t)got;
            return 0;
        }
        error = errno;
        if (!again(cli, error, fd, false)) {
            return error;
        }
    }
}

int read_whole(const struct cli *cli, int fd, void *buf, size_t len, size_t *ret_len) {
    size_t done = 0;
    while (done < len) {
        size_t got = 0;
        int error = read_some(cli, fd, (char *)buf + done, len - done, &got);
        if (error != 0) {
            return error;
        }
        if (got == 0) {
            break;
        }
        done += got;
    }
    *ret_len = done;
    return 0;
}

int write_whole(const struct cli *cli, int fd, const void *buf, size_t len) {
    struct stat about;
    /* A pipe that is ready takes so much without waiting. */
    bool may_wait = cli->served != NULL && (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode));
    size_t most = may_wait ? PIPE_BUF : AT_ONCE;
    size_t done = 0;
    while (done < len) {
        int error = wait_ready(cli, fd, true);
        if (error != 0) {
            return error;
        }
        ssize_t put = write(fd, (const char *)buf + done, (unsigned)(len - done < most ? len - done : most));
        if (put >= 0) {
            done += (size_t)put;
            continue;
        }
        error = errno;
        if (!again(cli, error, fd, true)) {
            return error;
        }
    }
    return 0;
}

uint64_t file_left(int fd) {
    struct stat about;
    off_t at = lseek(fd, 0, SEEK_CUR);
    if (at < 0 || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        return UINT64_MAX;
    }
    return about.st_size > at ? (uint64_t)(about.st_size - at) : 0;
}
