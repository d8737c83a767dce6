/* SPDX-License-Identifier: Apache-2.0 */
/* See system.h. */
#include "cli.h"
#include "system.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void system_start(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
}

void system_on_interrupt(void (*handler)(int number)) {
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    sigemptyset(&action.sa_mask);
    /* No SA_RESTART: a read that waits on a pipe has to end. One signal only: a second one kills, should the first
     * not be looked at in time. */
    action.sa_handler = handler;
    action.sa_flags = (int)SA_RESETHAND;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* A reader of our output that goes away is a write error, which closes the store properly. */
    action.sa_handler = SIG_IGN;
    action.sa_flags = 0;
    sigaction(SIGPIPE, &action, NULL);
}

int system_here(void) {
    return AT_FDCWD;
}

int system_open(int folder, const char *path, int flags) {
    return openat(folder, path, flags | O_CLOEXEC, 0666);
}

FILE *system_stream(const char *path, const char *mode) {
    return fopen(path, mode);
}

FILE *system_scratch(void) {
    int fd = memfd_create("selsnap-scratch", MFD_CLOEXEC);
    FILE *file = fd >= 0 ? fdopen(fd, "w+") : NULL;
    if (file == NULL && fd >= 0) {
        close(fd);
    }
    return file;
}

bool system_is_there(const char *path) {
    struct stat there;
    return stat(path, &there) == 0 || errno != ENOENT;
}

bool system_same(int folder, const char *path, const char *other) {
    struct stat a;
    struct stat b;
    if (fstatat(folder, path, &a, 0) != 0 || fstatat(folder, other, &b, 0) != 0) {
        return false;
    }
    if (S_ISBLK(a.st_mode) && S_ISBLK(b.st_mode)) {
        return a.st_rdev == b.st_rdev;
    }
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

char *system_full_path(const char *path) {
    return realpath(path, NULL);
}

bool system_remove(const char *path) {
    return unlink(path) == 0;
}

bool system_replace(const char *path, const char *old) {
    return rename(path, old) == 0;
}

bool system_sync(int fd) {
    return fsync(fd) == 0 || errno == EINVAL;
}

bool system_ready(int fd, bool write, int wait_ms) {
    struct pollfd look = {.fd = fd, .events = write ? POLLOUT : POLLIN, .revents = 0};
    return poll(&look, 1, wait_ms) > 0;
}

unsigned system_columns(int fd) {
    struct winsize size;
    return isatty(fd) == 1 && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static void give_up(int number) {
    (void)number;
    _exit(CLI_FAILED);
}

void system_deadline(unsigned seconds) {
    (void)signal(SIGALRM, seconds > 0 ? give_up : SIG_DFL);
    (void)alarm(seconds);
}

void system_forget(const char *variable) {
    (void)unsetenv(variable);
}

bool system_utc(time_t seconds, struct tm *ret_parts) {
    return gmtime_r(&seconds, ret_parts) != NULL;
}

bool system_parse_time(const char *text, int64_t *ret_seconds) {
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm parts;
        memset(&parts, 0, sizeof(parts));
        const char *end = strptime(text, forms[i], &parts);
        if (end != NULL && *end == '\0') {
            *ret_seconds = (int64_t)timegm(&parts);
            return true;
        }
    }
    return false;
}
