/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin as nbdkit sees it: parameters, the life of the server, and the table of callbacks.
 *
 * Store and socket are opened before nbdkit goes to the background, so that what is wrong is told at the terminal; threads
 * begin after it.
 */
#include "control.h"
#include "server.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

/* nbdkit's callbacks have no argument for it. Not changed between get_ready and cleanup, but under its own locks. */
static struct server server;

struct server *the_server(void) {
    return &server;
}

static int errno_of(int code) {
    switch (code) {
    case SELSNAP_ENOSPACE:
    case SELSNAP_EQUOTA:
        return ENOSPC;
    case SELSNAP_EREADONLY:
        return EROFS;
    case SELSNAP_ENOMEM:
        return ENOMEM;
    case SELSNAP_EINVAL:
    case SELSNAP_EALIGN:
    case SELSNAP_ERANGE:
        return EINVAL;
    case SELSNAP_ENOENT:
        return ENOENT;
    default:
        return EIO;
    }
}

int tell_failure(int code, const char *what) {
    char detail[512] = "";
    if (server.ss != NULL && selsnap_last_error(server.ss, detail, sizeof(detail)) != code) {
        detail[0] = '\0'; /* of another failure */
    }
    nbdkit_error("%s: %s%s%s", what, selsnap_strerror(code), detail[0] != '\0' ? ": " : "", detail);
    nbdkit_set_error(errno_of(code));
    return -1;
}

/* A call that fails is told by who made it; warnings are about what goes on by itself. */
static void on_log(void *user, uint32_t level, const char *message) {
    (void)user;
    if (level == SELSNAP_LOG_WARNING) {
        nbdkit_error("warning: %s", message);
    } else {
        nbdkit_debug("%s", message);
    }
}

/* Blocks that are given up come in crowds: once a second is told, with the first of them. */
static void tell_lost(const selsnap_event *event) {
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (atomic_exchange(&server.told_lost_s, (long)now.tv_sec) != (long)now.tv_sec) {
        nbdkit_error("warning: snapshots lose blocks, as at offset %" PRIu64 ": %s", event->offset,
                     event->value == 2 ? "the origin could not be read" : "the store has no room");
    }
}

static void on_event(void *user, const selsnap_event *event) {
    (void)user;
    control_note_event(event);
    switch (event->kind) {
    case SELSNAP_EVENT_STORE_FILLING:
        nbdkit_error("warning: the store, or its quota, is %d %% full", (int)event->value);
        break;
    case SELSNAP_EVENT_BLOCK_LOST:
        tell_lost(event);
        break;
    case SELSNAP_EVENT_STORE_FAILED:
        nbdkit_error("the store device failed: %s", strerror((int)(event->value < 0 ? -event->value : event->value)));
        break;
    case SELSNAP_EVENT_STORE_RECOVERED:
        nbdkit_error("the store answers again");
        break;
    case SELSNAP_EVENT_DAMAGE:
        nbdkit_error("damage found at byte %" PRIu64 " of the store; 'selsnap check' tells more", event->offset);
        break;
    default:
        break;
    }
}

/* ---- parameters ---- */

static int take_size(const char *key, const char *value, uint64_t *ret_bytes) {
    int64_t bytes = nbdkit_parse_size(value);
    if (bytes < 0) {
        nbdkit_error("%s=%s: not a size such as 64M", key, value);
        return -1;
    }
    *ret_bytes = (uint64_t)bytes;
    return 0;
}

static int take_path(const char *value, char **ret_path) {
    free(*ret_path);
    *ret_path = nbdkit_realpath(value);
    return *ret_path != NULL ? 0 : -1;
}

static int take_word(const char *key, const char *value, const char *const *words, uint32_t *ret_index) {
    for (uint32_t i = 0; words[i] != NULL; i++) {
        if (strcmp(value, words[i]) == 0) {
            *ret_index = i;
            return 0;
        }
    }
    nbdkit_error("%s=%s: one of %s, %s%s%s", key, value, words[0], words[1], words[2] != NULL ? ", " : "",
                 words[2] != NULL ? words[2] : "");
    return -1;
}

static int take_flag(const char *value, uint32_t flag) {
    int given = nbdkit_parse_bool(value);
    if (given >= 0) {
        server.open_flags = given != 0 ? server.open_flags | flag : server.open_flags & ~flag;
    }
    return given < 0 ? -1 : 0;
}

static int take_control(const char *value) {
    free(server.control_name);
    server.control_name = NULL;
    server.has_control = strcmp(value, "none") != 0;
    if (server.has_control) {
        server.control_name = nbdkit_absolute_path(value);
    }
    return server.has_control && server.control_name == NULL ? -1 : 0;
}

static void on_load(void) {
    server.has_control = true;
    server.control.listen_fd = -1;
    server.control.wake_fd = -1;
    pthread_mutex_init(&server.restoring, NULL);
    pthread_mutex_init(&server.handles_lock, NULL);
}

static int on_config(const char *key, const char *value) {
    /* In the order of SELSNAP_UNDESIGNATED_* and SELSNAP_POLICY_*. */
    static const char *const answers[] = {"error", "zeros", "live", NULL};
    static const char *const policies[] = {"fail", "give-up", NULL};
    if (strcmp(key, "store") == 0) {
        return take_path(value, &server.store_name);
    }
    if (strcmp(key, "origin") == 0) {
        return take_path(value, &server.origin_name);
    }
    if (strcmp(key, "control") == 0) {
        return take_control(value);
    }
    if (strcmp(key, "memory") == 0) {
        return take_size(key, value, &server.memory_limit);
    }
    if (strcmp(key, "deferred") == 0) {
        return take_size(key, value, &server.deferred_bytes);
    }
    if (strcmp(key, "undesignated") == 0) {
        return take_word(key, value, answers, &server.undesignated);
    }
    if (strcmp(key, "policy") == 0) {
        return take_word(key, value, policies, &server.policy);
    }
    if (strcmp(key, "readonly") == 0) {
        return take_flag(value, SELSNAP_OPEN_READ_ONLY);
    }
    if (strcmp(key, "other-origin") == 0) {
        return take_flag(value, SELSNAP_OPEN_OTHER_ORIGIN);
    }
    if (strcmp(key, "origin-changed") == 0) {
        return take_flag(value, SELSNAP_OPEN_ORIGIN_CHANGED);
    }
    nbdkit_error("unknown parameter '%s'", key);
    return -1;
}

static int on_config_complete(void) {
    if (server.store_name == NULL) {
        nbdkit_error("needs store=FILE");
        return -1;
    }
    return 0;
}

/* ---- begin and end ---- */

static int open_file_device(const char *role, const char *path, selsnap_device **ret_device) {
    uint32_t flags = (server.open_flags & SELSNAP_OPEN_READ_ONLY) != 0 ? SELSNAP_FILE_READ_ONLY : 0;
    int error = 0;
    int code = selsnap_device_open_file(path, flags, 0, ret_device, &error);
    if (code != SELSNAP_OK) {
        nbdkit_error("%s '%s': %s", role, path,
                     code == SELSNAP_EINVAL ? "neither a file nor a block device"
                     : error != 0           ? strerror(error)
                                            : selsnap_strerror(code));
    }
    return code == SELSNAP_OK ? 0 : -1;
}

/* Where the origin is, if no parameter says it: as the store tells. */
static int find_origin(void) {
    char hint[SELSNAP_ORIGIN_HINT_MAX + 1] = "";
    if (server.origin_name != NULL) {
        return 0;
    }
    int code = selsnap_store_origin_hint(server.store, hint, sizeof(hint));
    if (code != SELSNAP_OK && code != SELSNAP_ENOENT) {
        return tell_failure(code, server.store_name);
    }
    if (hint[0] == '\0') {
        nbdkit_error("needs origin=FILE: the store has no path recorded");
        return -1;
    }
    return take_path(hint, &server.origin_name);
}

static int open_context(void) {
    char message[512] = "";
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.flags = server.open_flags;
    options.memory_limit = server.memory_limit;
    options.deferred_bytes = server.deferred_bytes;
    options.log = on_log;
    options.event = on_event;
    options.ret_message = message;
    options.message_size = sizeof(message);
    int code = selsnap_open(server.store, server.origin, &options, &server.ss);
    if (code == SELSNAP_OK) {
        return 0;
    }
    server.ss = NULL;
    nbdkit_error("store '%s': %s%s", server.store_name, message[0] != '\0' ? message : selsnap_strerror(code),
                 code == SELSNAP_ECHANGED  ? "; origin-changed=true goes on, and snapshots show what was changed there"
                 : code == SELSNAP_EORIGIN ? "; if this is a true copy of its origin, other-origin=true accepts it"
                 : code == SELSNAP_ELOCKED ? "; another process uses it"
                                           : "");
    return -1;
}

static int open_control(void) {
    if (!server.has_control) {
        return 0;
    }
    char *path = server.control_name != NULL ? strdup(server.control_name) : NULL;
    if (path == NULL) {
        size_t len = strlen(server.store_name) + sizeof(CONTROL_SUFFIX);
        path = malloc(len);
        if (path != NULL) {
            snprintf(path, len, "%s%s", server.store_name, CONTROL_SUFFIX);
        }
    }
    int result = path != NULL ? control_open(&server.control, path) : -1;
    free(path);
    server.control.served.ss = server.ss;
    server.control.served.store_name = server.store_name;
    server.control.served.origin_name = server.origin_name;
    server.control.served.policy = server.policy;
    server.control.served.restoring = &server.restoring;
    return result;
}

static void close_all(void) {
    watch_stop(&server.watch);
    control_stop(&server.control);
    background_stop(&server.background);
    exports_close_all(&server);
    int code = selsnap_close(server.ss);
    server.ss = NULL;
    if (code != SELSNAP_OK) {
        (void)tell_failure(code, "closing the store; the next open recovers as after a crash");
    }
    selsnap_device_close(server.store);
    selsnap_device_close(server.origin);
    server.store = NULL;
    server.origin = NULL;
}

static int on_get_ready(void) {
    json_object_seed(0); /* before there are threads */
    if (open_file_device("store", server.store_name, &server.store) == 0 && find_origin() == 0 &&
        open_file_device("origin", server.origin_name, &server.origin) == 0 && open_context() == 0 &&
        open_control() == 0) {
        return 0;
    }
    close_all();
    return -1;
}

static int on_after_fork(void) {
    bool fixed = (server.open_flags & SELSNAP_OPEN_READ_ONLY) != 0;
    if (!fixed && background_start(&server.background, server.ss, &server.restoring) != 0) {
        return -1;
    }
    if (server.has_control && control_start(&server.control) != 0) {
        return -1;
    }
    return watch_start(&server.watch, &server.control);
}

static void on_unload(void) {
    close_all();
    free(server.store_name);
    free(server.origin_name);
    free(server.control_name);
    pthread_mutex_destroy(&server.handles_lock);
    pthread_mutex_destroy(&server.restoring);
}

static struct nbdkit_plugin plugin = {
    .name = "selsnap",
    .version = SELSNAP_VERSION_STRING,
    .longname = "selective block snapshots",
    .description = "Serves a device with its snapshots, which are made and kept while it is in use.",
    .magic_config_key = "store",
    .config_help = "store=FILE            (required) The store.\n"
                   "origin=FILE           The live device; if not given, as the store has it recorded.\n"
                   "control=SOCKET|none   Where 'selsnap' commands come; if not given, STORE.control.\n"
                   "undesignated=error|zeros|live\n"
                   "                      What blocks give that a snapshot does not hold; error if not given.\n"
                   "policy=fail|give-up   Of new snapshots, where the command says nothing; fail if not given.\n"
                   "memory=SIZE           Memory that may be used; 64M if not given.\n"
                   "deferred=SIZE         Keep so much of what is written in memory until the next flush.\n"
                   "readonly=true         Write to nothing.\n"
                   "other-origin=true     Accept a true copy of the origin.\n"
                   "origin-changed=true   Accept that the origin was written without selsnap.",
    .load = on_load,
    .unload = on_unload,
    .config = on_config,
    .config_complete = on_config_complete,
    .get_ready = on_get_ready,
    .after_fork = on_after_fork,
    .cleanup = close_all,
    .list_exports = exports_list,
    .open = export_open,
    .close = export_close,
    .export_description = export_describe,
    .get_size = export_size,
    .block_size = export_block_size,
    .can_write = export_can_write,
    .can_extents = export_can_extents,
    .can_multi_conn = export_can_multi_conn,
    .pread = export_read,
    .pwrite = export_write,
    .flush = export_flush,
    .trim = export_trim,
    .zero = export_zero,
    .extents = export_extents,
};

/* The macro defines it without declaring it. */
NBDKIT_DLL_PUBLIC struct nbdkit_plugin *plugin_init(void);
NBDKIT_REGISTER_PLUGIN(plugin)
