/* SPDX-License-Identifier: Apache-2.0 */
/* The library as a target, and what stands on it before a load. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int write_live(void *user, const void *buf, size_t len, uint64_t offset) {
    return selsnap_write(((struct library *)user)->ss, buf, len, offset);
}

static int read_live(void *user, void *buf, size_t len, uint64_t offset) {
    return selsnap_read(((struct library *)user)->ss, buf, len, offset);
}

static int flush_live(void *user) {
    return selsnap_flush(((struct library *)user)->ss);
}

static int batch_live(void *user, selsnap_io *const *ios, uint32_t count) {
    return selsnap_batch(((struct library *)user)->ss, ios, count);
}

static int write_view(void *user, const void *buf, size_t len, uint64_t offset) {
    return selsnap_view_write(((struct library *)user)->view, buf, len, offset);
}

static int read_view(void *user, void *buf, size_t len, uint64_t offset) {
    return selsnap_view_read(((struct library *)user)->view, buf, len, offset);
}

static int flush_view(void *user) {
    return selsnap_view_flush(((struct library *)user)->view);
}

struct target library_target(struct library *library) {
    struct target live = {write_live, read_live, flush_live, batch_live, library};
    struct target view = {write_view, read_view, flush_view, NULL, library};
    return library->view != NULL ? view : live;
}

void library_open(struct library *library, const struct devices *devices, bool counted) {
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.flags = library->ahead ? 0 : SELSNAP_OPEN_NO_AHEAD;
    options.deferred_bytes = library->deferred;
    library->view = NULL;
    library->meter = counted ? meter_open() : NULL;
    if (counted) {
        options.allocator = meter_allocator(library->meter);
    }
    bench_need(selsnap_open(counted ? devices->counted_store : devices->store,
                            counted ? devices->counted_origin : devices->origin, &options, &library->ss),
               "open");
}

void library_format(struct library *library, const struct devices *devices, bool counted) {
    selsnap_format_options format = SELSNAP_FORMAT_OPTIONS_INIT;
    format.flags = SELSNAP_FORMAT_OVERWRITE;
    bench_need(selsnap_format(devices->store, devices->origin, &format), "format");
    library_open(library, devices, counted);
}

void library_snapshots(struct library *library, unsigned count, uint64_t first, uint64_t len) {
    selsnap_subset *subset;
    bench_need(selsnap_subset_open_for(library->ss, &subset), "subset");
    bench_need(selsnap_subset_add(subset, first, len), "subset");
    bench_need(selsnap_designation_save(library->ss, "all", subset, NULL), "designation");
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%u", i);
        selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
        options.name = name;
        options.designation = "all";
        bench_need(selsnap_snapshot_create(library->ss, &options, &library->snapshot), "snapshot");
    }
    selsnap_subset_close(subset);
}

static void overwrite(struct library *library, uint64_t bytes) {
    uint8_t *buf = bench_memory(BENCH_MIB);
    memset(buf, 0x77, BENCH_MIB);
    for (uint64_t at = 0; at < bytes; at += BENCH_MIB) {
        bench_need(selsnap_write(library->ss, buf, BENCH_MIB, at), "write");
    }
    free(buf);
}

void library_prepare(struct library *library, const struct devices *devices, enum prepared prepared, unsigned snapshots,
                     uint64_t span, bool counted) {
    library->ahead = prepared == PREPARED_FIRST_AHEAD;
    library->deferred = prepared == PREPARED_FIRST_DEFERRED ? 8 * BENCH_MIB : 0;
    library_format(library, devices, counted);
    library_snapshots(library, snapshots, prepared == PREPARED_ELSEWHERE ? span : 0, span);
    if (prepared == PREPARED_KEPT || prepared == PREPARED_VIEW_KEPT) {
        overwrite(library, span);
    }
    if (prepared >= PREPARED_VIEW) {
        selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
        options.id = library->snapshot;
        options.flags = prepared == PREPARED_VIEW_WRITE ? SELSNAP_VIEW_WRITABLE : 0;
        bench_need(selsnap_view_open(library->ss, &options, &library->view), "view");
    }
}

void library_close(struct library *library) {
    bench_need(selsnap_view_close(library->view), "view close");
    bench_need(selsnap_close(library->ss), "close");
    meter_close(library->meter);
}

selsnap_stats library_stats(struct library *library) {
    selsnap_stats stats = SELSNAP_STATS_INIT;
    bench_need(selsnap_get_stats(library->ss, &stats), "stats");
    return stats;
}

void library_settle(struct library *library) {
    uint32_t more;
    do {
        bench_need(selsnap_step(library->ss, NULL, &more), "step");
    } while (more != 0);
}
