/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protects the first MiB of a file, changes it, and reads it as it was. Works on disk.img and disk.store in the current
 * directory, which it makes. It prints:
 *
 *     now: after, monday: before
 *     1 snapshot, 1 block preserved
 */
#include "example.h"
#include <inttypes.h>

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
    rc = rc ? rc : closed;

    selsnap_stats stats = SELSNAP_STATS_INIT;
    rc = rc ? rc : selsnap_get_stats(ss, &stats);
    printf("%" PRIu64 " snapshot, %" PRIu64 " block preserved\n", stats.snapshots, stats.blocks_preserved);
    return rc;
}

int main(void) {
    return with_store(make_file("disk.store"), make_file("disk.img"), protect);
}
