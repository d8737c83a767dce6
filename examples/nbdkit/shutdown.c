/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shutting down. nbdkit, told to end, waits until its clients have gone, and idle ones may stay for ever. So commands are
 * asked to end, and then the clients' sockets are closed for reading: nbdkit takes that for a client that has gone,
 * answers what it has begun, and closes the view. A client that does not take its answers is cut off a little later.
 *
 * nbdkit does not give its sockets to plugins; they are the process's connected stream sockets, those of the control
 * socket being gone by then.
 */
#include "server.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_NS 100000000u
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

static void *watch_thread(void *argument) {
    struct watch *watch = argument;
    /* Ends early when the server is to end. */
    while (!atomic_load(&watch->over) && nbdkit_nanosleep(0, LOOK_EVERY_NS) == 0) {
    }
    if (!atomic_load(&watch->over)) {
        control_stop(watch->control);
    }
    const struct timespec pause = {0, LOOK_EVERY_NS};
    for (unsigned looks = 0; !atomic_load(&watch->over); looks++) {
        end_clients(looks < LOOKS_BEFORE_CUT ? SHUT_RD : SHUT_RDWR);
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

int watch_start(struct watch *watch, struct control *control) {
    watch->control = control;
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
