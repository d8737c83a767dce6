/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shutting down. nbdkit, told to end, waits until its clients have gone, and idle ones may stay for ever. So commands are
 * asked to end, and then the clients' sockets are closed for reading: nbdkit takes that for a client that has gone,
 * answers what it has begun, and closes the view. A client that does not take its answers is cut off a little later.
 * Plugins are not told either that nbdkit ends, so its signal handlers are called by ours.
 *
 * nbdkit does not give its sockets to plugins; they are the process's connected stream sockets, those of the control
 * socket being gone by then.
 */
#include "server.h"
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_NS 100000000
#define LOOKS_BEFORE_CUT 50 /* five seconds */

static bool is_client(int fd) {
    struct sockaddr_storage peer;
    socklen_t peer_len = sizeof(peer);
    int type = 0;
    int listens = 1;
    socklen_t len = sizeof(type);
    return fd != STDOUT_FILENO && fd != STDERR_FILENO && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
           type == SOCK_STREAM && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens == 0 &&
           getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0;
}

static void end_clients(int how) {
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char *end;
        long fd = strtol(entry->d_name, &end, 10);
        if (end != entry->d_name && *end == '\0' && is_client((int)fd)) {
            (void)shutdown((int)fd, how);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

/* nbdkit's own handlers, which are called behind ours. A signal handler has no argument for it. */
static const int signals[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
#define SIGNAL_COUNT (sizeof(signals) / sizeof(signals[0]))
static struct sigaction before[SIGNAL_COUNT];
static volatile sig_atomic_t told_to_end;

static void on_signal(int number) {
    told_to_end = 1;
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        if (signals[i] == number) {
            before[i].sa_handler(number);
        }
    }
}

/* A signal that nbdkit does not handle stays so. */
static void catch_signals(void) {
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        if (sigaction(signals[i], NULL, &before[i]) == 0 && (before[i].sa_flags & SA_SIGINFO) == 0 &&
            before[i].sa_handler != SIG_DFL && before[i].sa_handler != SIG_IGN) {
            struct sigaction ours = before[i];
            ours.sa_handler = on_signal;
            (void)sigaction(signals[i], &ours, NULL);
        }
    }
}

static void *watch_thread(void *argument) {
    struct watch *watch = argument;
    const struct timespec pause = {0, LOOK_EVERY_NS};
    unsigned looks = 0;
    while (!atomic_load(&watch->over)) {
        if (told_to_end != 0) {
            control_stop(watch->control);
            end_clients(looks++ < LOOKS_BEFORE_CUT ? SHUT_RD : SHUT_RDWR);
        }
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

int watch_start(struct watch *watch, struct control *control) {
    watch->control = control;
    catch_signals();
    int error = start_thread(&watch->thread, watch_thread, watch);
    watch->started = error == 0;
    if (error != 0) {
        nbdkit_error("shutting down: %s", strerror(error));
    }
    return error == 0 ? 0 : -1;
}

void watch_stop(struct watch *watch) {
    if (watch->started) {
        atomic_store(&watch->over, true);
        pthread_join(watch->thread, NULL);
        watch->started = false;
    }
}
