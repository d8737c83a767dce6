/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: made, listened on, removed. Each connection has a thread, so many at most; others wait in the
 * socket's queue.
 */
#include "control.h"
#include "server.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTIONS_MAX 16
#define QUEUE 64
#define LOOK_EVERY_MS 50

struct connection {
    struct control *control;
    int fd;
};

/* A socket file is there already. This process has the store locked, so a server of it is gone; but the name may be
 * another one's. 0: it is removed. */
static int take_over(const char *path) {
    struct stat about;
    if (lstat(path, &about) != 0) {
        return errno == ENOENT ? 0 : errno;
    }
    if (!S_ISSOCK(about.st_mode)) {
        return ENOTSOCK;
    }
    int fd = control_connect(path);
    if (fd >= 0) {
        close(fd);
        return EADDRINUSE;
    }
    if (errno != ECONNREFUSED) {
        return errno == ENOENT ? 0 : errno;
    }
    return unlink(path) == 0 || errno == ENOENT ? 0 : errno;
}

static int bind_at(int fd, const char *path, struct stat *ret_about) {
    struct sockaddr_un address;
    int error = control_address(path, &address);
    error = error == 0 ? take_over(path) : error;
    if (error != 0) {
        return error;
    }
    mode_t mask = umask(0177); /* no other thread runs yet */
    error = bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
    (void)umask(mask);
    if (error == 0 && (lstat(path, ret_about) != 0 || listen(fd, QUEUE) != 0)) {
        error = errno;
        (void)unlink(path);
    }
    return error;
}

int control_open(struct control *control, const char *path) {
    struct stat about;
    control->wake_fd = eventfd(0, EFD_CLOEXEC);
    control->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    control->path = strdup(path);
    int error = control->wake_fd < 0 || control->listen_fd < 0 || control->path == NULL ? errno : 0;
    error = error == 0 ? bind_at(control->listen_fd, path, &about) : error;
    if (error != 0) {
        nbdkit_error("control socket '%s': %s%s", path, strerror(error),
                     error == EADDRINUSE     ? "; another server answers there: control= says another place"
                     : error == ENOTSOCK     ? "; it is something else, and stays: control= says another place"
                     : error == ENAMETOOLONG ? "; control= says a shorter one"
                                             : "");
        free(control->path);
        control->path = NULL;
        return -1;
    }
    control->device = about.st_dev;
    control->inode = about.st_ino;
    return 0;
}

static void *serve(void *argument) {
    struct connection connection = *(struct connection *)argument;
    struct control *control = connection.control;
    free(argument);
    control_serve(control, connection.fd);
    pthread_mutex_lock(&control->lock);
    control->running--;
    pthread_cond_signal(&control->ended);
    pthread_mutex_unlock(&control->lock);
    return NULL;
}

static void begin_connection(struct control *control, int fd) {
    struct connection *connection = malloc(sizeof(*connection));
    pthread_t thread;
    if (connection == NULL) {
        close(fd);
        return;
    }
    connection->control = control;
    connection->fd = fd;
    pthread_mutex_lock(&control->lock);
    control->running++;
    pthread_mutex_unlock(&control->lock);
    if (start_thread(&thread, serve, connection) == 0) {
        pthread_detach(thread);
        return;
    }
    free(connection);
    close(fd);
    pthread_mutex_lock(&control->lock);
    control->running--;
    pthread_mutex_unlock(&control->lock);
}

static void *listen_on(void *argument) {
    struct control *control = argument;
    while (!atomic_load(&control->stopping)) {
        pthread_mutex_lock(&control->lock);
        bool full = control->running >= CONNECTIONS_MAX;
        pthread_mutex_unlock(&control->lock);
        struct pollfd looks[2] = {{.fd = control->wake_fd, .events = POLLIN},
                                  {.fd = full ? -1 : control->listen_fd, .events = POLLIN}};
        if (poll(looks, 2, full ? LOOK_EVERY_MS : -1) <= 0 || looks[1].revents == 0) {
            continue;
        }
        int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            begin_connection(control, fd);
        } else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
            (void)poll(looks, 1, LOOK_EVERY_MS); /* no descriptors, or no memory: wait for some */
        }
    }
    return NULL;
}

int control_start(struct control *control) {
    pthread_mutex_init(&control->lock, NULL);
    pthread_cond_init(&control->ended, NULL);
    int error = start_thread(&control->thread, listen_on, control);
    control->started = error == 0;
    if (error != 0) {
        nbdkit_error("control socket: %s", strerror(error));
    }
    return error == 0 ? 0 : -1;
}

void control_stop(struct control *control) {
    struct stat about;
    const uint64_t one = 1;
    if (control->path == NULL) {
        return;
    }
    if (lstat(control->path, &about) == 0 && about.st_dev == control->device && about.st_ino == control->inode) {
        (void)unlink(control->path);
    }
    atomic_store(&control->stopping, true);
    if (control->started && write(control->wake_fd, &one, sizeof(one)) == (ssize_t)sizeof(one)) {
        pthread_join(control->thread, NULL);
        pthread_mutex_lock(&control->lock);
        while (control->running > 0) {
            pthread_cond_wait(&control->ended, &control->lock);
        }
        pthread_mutex_unlock(&control->lock);
    }
    close(control->listen_fd);
    close(control->wake_fd);
    free(control->path);
    control->path = NULL;
}
