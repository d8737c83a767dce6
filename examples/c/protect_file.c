/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protects the first MiB of a file, changes it, and reads it as it was. Works on disk.img and disk.store in the current
 * directory, which it makes. It prints:
 *
 *     now: after, monday: before
 *     1 snapshot, 1 block preserved
 */
#include <inttypes.h>
#include <selsnap/selsnap.h>
#include <stdio.h>

static int protect(selsnap *ss) {
    char now[4096] = "before", then[4096] = "";
    int rc = selsnap_write(ss, now, sizeof now, 0);
    selsnap_subset *subset = NULL;
    rc = rc ? rc : selsnap_subset_open_for(ss, &subset);
    rc = rc ? rc : selsnap_subset_add(subset, 0, 1 << 20);
    selsnap_snapshot_options snapshot = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    snapshot.name = "monday";
    snapshot.subset = subset;
    rc = rc ? rc : selsnap_snapshot_create(ss, &snapshot, NULL);
    selsnap_subset_close(subset);

    rc = rc ? rc : selsnap_write(ss, "after", 6, 0); /* what monday needs is preserved first */
    selsnap_view_options look = SELSNAP_VIEW_OPTIONS_INIT;
    look.name = "monday";
    selsnap_view *view = NULL;
    rc = rc ? rc : selsnap_view_open(ss, &look, &view);
    rc = rc ? rc : selsnap_view_read(view, then, sizeof then, 0);
    rc = rc ? rc : selsnap_read(ss, now, sizeof now, 0);
    printf("now: %s, monday: %s\n", now, then);
    int closed = selsnap_view_close(view);
    selsnap_stats stats = SELSNAP_STATS_INIT;
    rc = rc ? rc : selsnap_get_stats(ss, &stats);
    printf("%" PRIu64 " snapshot, %" PRIu64 " block preserved\n", stats.snapshots, stats.blocks_preserved);
    return rc ? rc : closed;
}

int main(void) {
    selsnap_device *origin = NULL, *store = NULL;
    selsnap *ss = NULL;
    int rc = selsnap_device_open_file("disk.img", SELSNAP_FILE_CREATE, 64 << 20, &origin, NULL);
    rc = rc ? rc : selsnap_device_open_file("disk.store", SELSNAP_FILE_CREATE, 64 << 20, &store, NULL);
    rc = rc ? rc : selsnap_format(store, origin, NULL);
    rc = rc ? rc : selsnap_open(store, origin, NULL, &ss);
    rc = rc ? rc : protect(ss);
    int closed = selsnap_close(ss);
    rc = rc ? rc : closed;
    selsnap_device_close(store);
    selsnap_device_close(origin);
    if (rc != SELSNAP_OK) {
        fprintf(stderr, "%s\n", selsnap_strerror(rc));
    }
    return rc != SELSNAP_OK;
}
