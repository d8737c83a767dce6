/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing into a snapshot: to try something on it, and to go back. A clone begins as the snapshot is by then, and the two are
 * apart from there on. It prints:
 *
 *     snapshot: tried, device: before
 *     clone: tried, snapshot: before
 *     at most 1048576 bytes may be written into the clone
 */
#include <inttypes.h>
#include <selsnap/selsnap.h>
#include <stdio.h>

#define SIZE (UINT64_C(4) << 20)

static int open_view(selsnap *ss, uint64_t id, selsnap_view **ret_view) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = id;
    options.flags = SELSNAP_VIEW_WRITABLE;
    return selsnap_view_open(ss, &options, ret_view);
}

static int try_it(selsnap *ss, selsnap_view *view) {
    char text[8] = "", live[8] = "";
    int rc = selsnap_view_write(view, "tried", 6, 0);
    rc = rc ? rc : selsnap_view_discard(view, 1 << 20, 1 << 20); /* reads as zeros, takes no space */
    rc = rc ? rc : selsnap_view_flush(view);
    rc = rc ? rc : selsnap_view_read(view, text, sizeof text, 0);
    rc = rc ? rc : selsnap_read(ss, live, sizeof live, 0);
    printf("snapshot: %s, device: %s\n", text, live);
    return rc;
}

static int clone_it(selsnap *ss, uint64_t id, selsnap_view *view) {
    selsnap_clone_options options = SELSNAP_CLONE_OPTIONS_INIT;
    selsnap_view *other = NULL;
    uint64_t clone = 0, quota = 0;
    char text[8] = "", first[8] = "";
    options.source_id = id;
    options.name = "a copy";
    options.flags = SELSNAP_CLONE_AS_CHANGED;
    int rc = selsnap_snapshot_clone(ss, &options, &clone);
    rc = rc ? rc : selsnap_view_reset(view); /* as it was taken; the clone does not mind */
    rc = rc ? rc : open_view(ss, clone, &other);
    rc = rc ? rc : selsnap_view_read(other, text, sizeof text, 0);
    rc = rc ? rc : selsnap_view_read(view, first, sizeof first, 0);
    printf("clone: %s, snapshot: %s\n", text, first);
    rc = rc ? rc : selsnap_snapshot_set_quota(ss, clone, 1 << 20);
    rc = rc ? rc : selsnap_snapshot_get_quota(ss, clone, &quota, NULL);
    printf("at most %" PRIu64 " bytes may be written into the clone\n", quota);
    int closed = selsnap_view_close(other);
    return rc ? rc : closed;
}

static int use(selsnap *ss) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_view *view = NULL;
    uint64_t id = 0;
    options.name = "monday";
    int rc = selsnap_write(ss, "before", 7, 0);
    rc = rc ? rc : selsnap_snapshot_create(ss, &options, &id);
    rc = rc ? rc : open_view(ss, id, &view);
    rc = rc ? rc : try_it(ss, view);
    rc = rc ? rc : clone_it(ss, id, view);
    int closed = selsnap_view_close(view);
    return rc ? rc : closed;
}

int main(void) {
    selsnap_device *origin = NULL, *store = NULL;
    selsnap *ss = NULL;
    int rc = selsnap_device_open_memory(SIZE, 1, &origin);
    rc = rc ? rc : selsnap_device_open_memory(SIZE, 1, &store);
    rc = rc ? rc : selsnap_format(store, origin, NULL);
    rc = rc ? rc : selsnap_open(store, origin, NULL, &ss);
    rc = rc ? rc : use(ss);
    int closed = selsnap_close(ss);
    rc = rc ? rc : closed;
    selsnap_device_close(store);
    selsnap_device_close(origin);
    if (rc != SELSNAP_OK) {
        fprintf(stderr, "%s\n", selsnap_strerror(rc));
    }
    return rc != SELSNAP_OK;
}
