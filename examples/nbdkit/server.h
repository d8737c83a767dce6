/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NBD server: one store and its origin, open for as long as nbdkit runs; exports (exports.c), work that goes on by
 * itself (background.c), and a control socket (control_socket.c, control_request.c) that the tool's commands use.
 */
#ifndef SELSNAP_SERVER_H
#define SELSNAP_SERVER_H

#include "cli.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

/* The thread that calls selsnap_step(). */
struct background {
    selsnap *ss;
    pthread_mutex_t *restoring;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* Guards stopping. */
    pthread_cond_t changed;
    bool stopping;
};

/* The control socket. */
struct control {
    struct served served; /* What each command gets; stop and stop_user are each connection's own. */
    char *path;           /* NULL: there is none. */
    int listen_fd;        /* -1: none. */
    int wake_fd;          /* Readable once it is to stop. */
    dev_t device;         /* The socket's file, so that no other one is removed. */
    ino_t inode;
    pthread_t thread;
    bool started;
    atomic_bool stopping;
    pthread_mutex_t lock; /* Guards running. */
    pthread_cond_t ended;
    unsigned running; /* Connections. */
};

/* The thread that ends clients when the server is to end. */
struct watch {
    struct control *control;
    pthread_t thread;
    bool started;
    atomic_bool over; /* All are gone. */
};

struct server {
    /* As configured. */
    char *store_name;
    char *origin_name;
    char *control_name; /* NULL: beside the store. */
    uint64_t memory_limit;
    uint64_t deferred_bytes;
    uint32_t undesignated; /* SELSNAP_UNDESIGNATED_* */
    uint32_t policy;       /* SELSNAP_POLICY_* */
    uint32_t open_flags;   /* SELSNAP_OPEN_* */
    bool has_control;

    atomic_long told_lost_s; /* When lost blocks were told of. */
    selsnap_device *store;
    selsnap_device *origin;
    selsnap *ss;
    pthread_mutex_t restoring;    /* Held by the one who advances restores. */
    pthread_mutex_t handles_lock; /* Guards handles. */
    struct handle *handles;       /* Open exports. */
    struct background background;
    struct control control;
    struct watch watch;
};

/* plugin.c */
/* The server that this process is. */
struct server *the_server(void);
/* Report a failure of the library to nbdkit, with its detail and as an errno value. Returns -1. */
int tell_failure(int code, const char *what);

/* exports.c: nbdkit's callbacks. */
int exports_list(int readonly, int is_tls, struct nbdkit_exports *exports);
void *export_open(int readonly);
void export_close(void *handle);
/* At the end, when no request runs any more. */
void exports_close_all(struct server *server);
const char *export_describe(void *handle);
int64_t export_size(void *handle);
int export_block_size(void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum);
int export_can_write(void *handle);
int export_can_extents(void *handle);
int export_can_multi_conn(void *handle);
int export_read(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags);
int export_write(void *handle, const void *buf, uint32_t count, uint64_t offset, uint32_t flags);
int export_flush(void *handle, uint32_t flags);
int export_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags);
int export_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags);
int export_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags, struct nbdkit_extents *extents);

/* background.c */
int background_start(struct background *background, selsnap *ss, pthread_mutex_t *restoring);
void background_stop(struct background *background);
/* Start a thread that no signal is given to. 0, or an errno value. */
int start_thread(pthread_t *ret_thread, void *(*run)(void *), void *argument);

/* control_socket.c */
/* Make the socket. It is taken over from a server that is gone. -1: the reason is reported. */
int control_open(struct control *control, const char *path);
int control_start(struct control *control);
/* Ask commands to end, and wait until they have; the socket is removed. */
void control_stop(struct control *control);

/* shutdown.c */
int watch_start(struct watch *watch, struct control *control);
void watch_stop(struct watch *watch);

/* control_request.c */
/* Serve one connection, and close it. */
void control_serve(struct control *control, int fd);
/* If a command on this thread is what made it happen, it tells its user, too. */
void control_note_event(const selsnap_event *event);

#endif
