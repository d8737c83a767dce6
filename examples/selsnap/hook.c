/* SPDX-License-Identifier: Apache-2.0 */
/* See hook.h. */
#include "hook.h"
#include "cli.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef CLI_NO_HOOKS
/* For a fuzzer, which must not run what it makes up. */
bool hook_run(const char *command, const char *group, const char *result, uint64_t timeout_ns) {
    (void)command;
    (void)group;
    (void)result;
    (void)timeout_ns;
    return false;
}
#else
#define LOOK_EVERY_NS 5000000L

static uint64_t now_ns(void) {
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* In the child. A group of its own, so that all it starts can be killed. */
static void become(const char *command, const char *group, const char *result) {
    (void)setpgid(0, 0);
    (void)signal(SIGPIPE, SIG_DFL);
    if (dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 && setenv("SELSNAP_GROUP", group, 1) == 0 &&
        setenv("SELSNAP_RESULT", result, 1) == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    }
    _exit(127);
}

bool hook_run(const char *command, const char *group, const char *result, uint64_t timeout_ns) {
    const struct timespec moment = {0, LOOK_EVERY_NS};
    uint64_t began = now_ns();
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) {
        return false;
    }
    if (child == 0) {
        become(command, group, result);
    }
    (void)setpgid(child, child);
    pid_t ended;
    bool killed = false;
    while ((ended = waitpid(child, &status, WNOHANG)) == 0 || (ended < 0 && errno == EINTR)) {
        bool late = timeout_ns != 0 && now_ns() - began >= timeout_ns;
        if (!killed && (late || (timeout_ns != 0 && interrupt_seen()))) {
            (void)kill(-child, SIGKILL);
            killed = true;
        }
        (void)nanosleep(&moment, NULL);
    }
    return ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
#endif
