/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exports: "" is the live device; a snapshot's name is the snapshot as changed, for reading and writing; with @pristine
 * behind it, as it was taken, for reading. Each connection has a view of its own; while it has, the snapshot cannot be
 * deleted.
 *
 * Connections are coherent: the live device has one context, whose flush is for all that was written before, and views of
 * one snapshot see each other's writes, and flush them all.
 *
 * nbdkit, when it ends, does not close what is open; so open handles are in a list, and closed at the end.
 */
#include "server.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PRISTINE "@pristine"
#define EXPORTS_MAX 10000 /* nbdkit takes no more. */
#define EXTENTS_MAX 65536 /* Told at once; the client asks again for the rest. */

struct handle {
    struct handle *next; /* Of the server's open handles. */
    selsnap_view *view;  /* NULL: the live device. */
    uint64_t id;         /* Of the snapshot. */
    uint64_t size;
    bool writable;
    bool pristine;
};

/* ---- names ---- */

static int add_exports(struct nbdkit_exports *exports, const selsnap_snapshot_info *info, uint32_t *count) {
    char name[SELSNAP_NAME_MAX + sizeof(PRISTINE) + 1];
    char when[32];
    char text[96];
    time_text(info->time_ns, when, sizeof(when));
    snprintf(name, sizeof(name), "%s" PRISTINE, info->name);
    snprintf(text, sizeof(text), "snapshot of %s, as changed", when);
    *count += 2;
    if (nbdkit_add_export(exports, info->name, text) != 0) {
        return -1;
    }
    snprintf(text, sizeof(text), "snapshot of %s, as it was taken", when);
    return nbdkit_add_export(exports, name, text);
}

int exports_list(int readonly, int is_tls, struct nbdkit_exports *exports) {
    struct server *server = the_server();
    selsnap_snapshot_info info;
    uint32_t count = 1;
    int code;
    (void)readonly;
    (void)is_tls;
    memset(&info, 0, sizeof(info));
    info.struct_size = sizeof(info);
    if (nbdkit_add_export(exports, "", "the live device") != 0) {
        return -1;
    }
    while ((code = selsnap_snapshot_next(server->ss, info.id, &info)) == SELSNAP_OK) {
        if (info.bookmark != 0) {
            continue;
        }
        if (count + 2 > EXPORTS_MAX) {
            nbdkit_debug("there are more exports than can be listed");
            return 0;
        }
        if (add_exports(exports, &info, &count) != 0) {
            return -1;
        }
    }
    return code == SELSNAP_ENOENT ? 0 : tell_failure(code, "snapshots");
}

/* The snapshot that an export's name means. A snapshot whose own name ends so comes first. A SELSNAP_* code. */
static int find(struct server *server, const char *export, selsnap_snapshot_info *info, bool *ret_pristine) {
    char name[SELSNAP_NAME_MAX + 1];
    size_t len = strlen(export);
    size_t end = sizeof(PRISTINE) - 1;
    memset(info, 0, sizeof(*info));
    info->struct_size = sizeof(*info);
    *ret_pristine = false;
    int code = selsnap_snapshot_find(server->ss, export, info);
    if ((code != SELSNAP_ENOENT && code != SELSNAP_EINVAL && code != SELSNAP_ELIMIT) || len <= end ||
        len - end >= sizeof(name) || strcmp(export + len - end, PRISTINE) != 0) {
        return code;
    }
    memcpy(name, export, len - end);
    name[len - end] = '\0';
    *ret_pristine = true;
    return selsnap_snapshot_find(server->ss, name, info);
}

/* ---- connections ---- */

static int open_view(struct server *server, const char *export, bool readonly, struct handle *handle) {
    selsnap_snapshot_info info;
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    int code = find(server, export, &info, &handle->pristine);
    if (code != SELSNAP_OK) {
        return code;
    }
    handle->writable = !readonly && !handle->pristine;
    handle->id = info.id;
    handle->size = info.origin_bytes;
    options.id = info.id;
    options.flags = handle->pristine ? SELSNAP_VIEW_PRISTINE : handle->writable ? SELSNAP_VIEW_WRITABLE : 0;
    options.undesignated = server->undesignated;
    return selsnap_view_open(server->ss, &options, &handle->view);
}

static void *enlist(struct server *server, struct handle *handle) {
    pthread_mutex_lock(&server->handles_lock);
    handle->next = server->handles;
    server->handles = handle;
    pthread_mutex_unlock(&server->handles_lock);
    return handle;
}

void *export_open(int readonly) {
    struct server *server = the_server();
    const char *export = nbdkit_export_name();
    struct handle *handle = calloc(1, sizeof(*handle));
    if (export == NULL || handle == NULL) {
        free(handle);
        return NULL;
    }
    bool fixed = readonly != 0 || (server->open_flags & SELSNAP_OPEN_READ_ONLY) != 0;
    handle->writable = !fixed;
    handle->size = selsnap_size(server->ss);
    if (export[0] == '\0') {
        return enlist(server, handle);
    }
    int code = open_view(server, export, fixed, handle);
    if (code != SELSNAP_OK) {
        char what[SELSNAP_NAME_MAX + 32];
        snprintf(what, sizeof(what), "export '%s'", export);
        (void)tell_failure(code, what);
        free(handle);
        return NULL;
    }
    return enlist(server, handle);
}

static void end(struct handle *handle) {
    int code = selsnap_view_close(handle->view);
    if (code != SELSNAP_OK) {
        (void)tell_failure(code, "closing a snapshot: what was written since the last flush is lost");
    }
    free(handle);
}

void export_close(void *handle) {
    struct server *server = the_server();
    struct handle *export = handle;
    pthread_mutex_lock(&server->handles_lock);
    struct handle **place = &server->handles;
    while (*place != export) {
        place = &(*place)->next;
    }
    *place = export->next;
    pthread_mutex_unlock(&server->handles_lock);
    end(export);
}

void exports_close_all(struct server *server) {
    struct handle *handle = server->handles;
    server->handles = NULL;
    while (handle != NULL) {
        struct handle *next = handle->next;
        end(handle);
        handle = next;
    }
}

const char *export_describe(void *handle) {
    const struct handle *export = handle;
    return export->view == NULL ? "the live device" : export->pristine ? "a snapshot, as it was taken" : "a snapshot";
}

int64_t export_size(void *handle) {
    const struct handle *export = handle;
    return (int64_t) export->size;
}

int export_block_size(void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum) {
    const struct handle *export = handle;
    struct server *server = the_server();
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    int code = selsnap_device_get_info(server->origin, &info);
    if (code != SELSNAP_OK) {
        return tell_failure(code, "origin");
    }
    /* A view takes any bytes. */
    *minimum = export->view == NULL && info.logical_block_bytes > 1 ? info.logical_block_bytes : 1;
    *preferred = selsnap_block_size(server->ss);
    *maximum = 32u << 20;
    return 0;
}

int export_can_write(void *handle) {
    const struct handle *export = handle;
    return export->writable ? 1 : 0;
}

int export_can_extents(void *handle) {
    const struct handle *export = handle;
    return export->view != NULL ? 1 : 0;
}

int export_can_multi_conn(void *handle) {
    (void)handle;
    return 1;
}

/* ---- requests ---- */

int export_read(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags) {
    struct handle *export = handle;
    (void)flags;
    int code = export->view != NULL ? selsnap_view_read(export->view, buf, count, offset)
                                    : selsnap_read(the_server()->ss, buf, count, offset);
    return code == SELSNAP_OK ? 0 : tell_failure(code, "read");
}

int export_write(void *handle, const void *buf, uint32_t count, uint64_t offset, uint32_t flags) {
    struct handle *export = handle;
    (void)flags;
    int code = export->view != NULL ? selsnap_view_write(export->view, buf, count, offset)
                                    : selsnap_write(the_server()->ss, buf, count, offset);
    return code == SELSNAP_OK ? 0 : tell_failure(code, "write");
}

int export_flush(void *handle, uint32_t flags) {
    struct handle *export = handle;
    (void)flags;
    int code = export->view != NULL ? selsnap_view_flush(export->view) : selsnap_flush(the_server()->ss);
    return code == SELSNAP_OK ? 0 : tell_failure(code, "flush");
}

int export_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags) {
    struct handle *export = handle;
    (void)flags;
    int code = export->view != NULL ? selsnap_view_discard(export->view, offset, count)
                                    : selsnap_discard(the_server()->ss, offset, count);
    return code == SELSNAP_OK ? 0 : tell_failure(code, "trim");
}

int export_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags) {
    struct handle *export = handle;
    (void)flags;
    int code = export->view != NULL ? selsnap_view_discard(export->view, offset, count)
                                    : selsnap_write_zeroes(the_server()->ss, offset, count);
    return code == SELSNAP_OK ? 0 : tell_failure(code, "zero");
}

/* What NBD calls the state of a snapshot's blocks. What was written into the snapshot is data, also zeros. */
static uint32_t extent_type(uint32_t state) {
    switch (state) {
    case SELSNAP_BLOCKS_ZERO:
        return NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO;
    case SELSNAP_BLOCKS_UNDESIGNATED:
        switch (the_server()->undesignated) {
        case SELSNAP_UNDESIGNATED_ZEROS:
            return NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO;
        case SELSNAP_UNDESIGNATED_LIVE:
            return 0;
        default:
            return NBDKIT_EXTENT_HOLE; /* to read it is an error */
        }
    default:
        return 0;
    }
}

int export_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags, struct nbdkit_extents *extents) {
    const struct handle *export = handle;
    uint64_t end = offset + count;
    uint64_t at = offset;
    for (uint32_t told = 0; at < end && told < EXTENTS_MAX; told++) {
        selsnap_map_range range = {0, 0, 0, 0};
        int code = selsnap_snapshot_map(the_server()->ss, export->id, at, &range);
        if (code != SELSNAP_OK) {
            return tell_failure(code, "extents");
        }
        uint64_t range_end = range.offset + range.len;
        range_end = range_end < export->size ? range_end : export->size;
        if (nbdkit_add_extent(extents, at, range_end - at, extent_type(range.state)) != 0) {
            return -1;
        }
        if (told > 0 && (flags & NBDKIT_FLAG_REQ_ONE) != 0) {
            break;
        }
        at = range_end;
    }
    return 0;
}
