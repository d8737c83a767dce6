/* SPDX-License-Identifier: Apache-2.0 */
/* See stage.h. */
#include "stage.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCHES = 15, OPENS = 5, IN_FLIGHT = 32, FOLDS = 3, FLUSH_US = 100, AGAIN = 256 };

/* The n-th block to be overwritten. The multiplier is odd and the number of blocks a power of two: each comes once. */
static uint64_t offset_of(const struct stage *stage, uint64_t n) {
    uint64_t blocks = stage->size.origin_bytes / BENCH_BLOCK;
    return ((n * UINT64_C(0x9e3779b97f4a7c15)) & (blocks - 1)) * BENCH_BLOCK;
}

static void write_block(struct stage *stage, uint64_t n) {
    static const uint64_t page[BENCH_BLOCK / 8] = {1};
    bench_need(selsnap_write(stage->ours.ss, page, sizeof page, offset_of(stage, n)), "write");
}

void stage_open(struct stage *stage, const struct stage_size *size) {
    stage->size = *size;
    stage->written = 0;
    stage->flush_us = 0;
    selsnap_device *store =
        sparse_open((UINT64_C(16) << 30) + size->entries * 2 * BENCH_BLOCK, false, &stage->flush_us);
    devices_wrap(&stage->devices, sparse_open(size->origin_bytes, true, NULL), store);
    stage->ours.ahead = true;
    stage->ours.deferred = 0;
    library_format(&stage->ours, &stage->devices, true);
    library_snapshots(&stage->ours, size->snapshots, 0, size->origin_bytes);
    uint64_t begin = bench_cpu_ns();
    while (stage->written < size->entries) {
        write_block(stage, stage->written++);
    }
    stage->build_ns = (double)(bench_cpu_ns() - begin) / (double)size->entries;
}

void stage_close(struct stage *stage) {
    library_close(&stage->ours);
    devices_close(&stage->devices);
}

/* ---- one operation, many times --------------------------------------------------------------------------------- */

struct mark {
    uint64_t pages_read;
    uint64_t allocations;
};

static struct mark begin_count(struct stage *stage) {
    (void)devices_counts(stage->devices.counted_origin);
    (void)devices_counts(stage->devices.counted_store);
    struct mark mark = {library_stats(&stage->ours).pages_read, meter_calls(stage->ours.meter)};
    return mark;
}

static struct cost end_count(struct stage *stage, struct mark mark, uint64_t operations) {
    double all = (double)operations;
    selsnap_device_counts origin = devices_counts(stage->devices.counted_origin);
    selsnap_device_counts store = devices_counts(stage->devices.counted_store);
    struct cost cost = {.pages_read = (double)(library_stats(&stage->ours).pages_read - mark.pages_read) / all,
                        .store_writes = (double)store.writes / all,
                        .flushes = (double)(store.flushes + origin.flushes) / all,
                        .allocations = (double)(meter_calls(stage->ours.meter) - mark.allocations) / all};
    return cost;
}

/* The median of batches of `each` calls. */
static struct cost repeat(struct stage *stage, unsigned each, void (*call)(struct stage *stage, uint64_t n)) {
    double ns[BATCHES];
    struct mark mark = begin_count(stage);
    for (uint64_t batch = 0; batch < BATCHES; batch++) {
        uint64_t begin = bench_cpu_ns();
        for (uint64_t i = 0; i < each; i++) {
            call(stage, batch * each + i);
        }
        ns[batch] = (double)(bench_cpu_ns() - begin) / each;
    }
    struct cost cost = end_count(stage, mark, (uint64_t)BATCHES * each);
    cost.ns = bench_quantile(ns, BATCHES, 0.5);
    return cost;
}

static void first_write(struct stage *stage, uint64_t n) {
    (void)n;
    write_block(stage, stage->written++);
}

struct cost stage_first_writes(struct stage *stage) {
    return repeat(stage, 100, first_write);
}

struct cost stage_clean_writes(struct stage *stage) {
    (void)repeat(stage, AGAIN / BATCHES, write_block); /* the bits of these blocks become known */
    return repeat(stage, AGAIN / BATCHES, write_block);
}

static void bare_write(struct stage *stage, uint64_t n) {
    static const uint64_t page[BENCH_BLOCK / 8] = {1};
    bench_need(selsnap_device_write(stage->devices.origin, page, sizeof page, offset_of(stage, n)), "write");
}

double stage_bare_writes(struct stage *stage) {
    return repeat(stage, 100, bare_write).ns;
}

static void create(struct stage *stage, uint64_t n) {
    char name[32];
    snprintf(name, sizeof name, "more-%u", (unsigned)n);
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = name;
    options.designation = "all";
    bench_need(selsnap_snapshot_create(stage->ours.ss, &options, NULL), "snapshot");
}

struct cost stage_create(struct stage *stage) {
    return repeat(stage, 1, create);
}

static void read_anywhere(struct stage *stage, uint64_t n) {
    static _Thread_local uint8_t page[BENCH_BLOCK];
    uint64_t which = n * UINT64_C(0xd6e8feb86659fd93) % stage->size.entries;
    bench_need(selsnap_view_read(stage->ours.view, page, sizeof page, offset_of(stage, which)), "view read");
}

static void read_again(struct stage *stage, uint64_t n) {
    read_anywhere(stage, n % AGAIN);
}

struct cost stage_view_reads(struct stage *stage, bool again) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = stage->ours.snapshot;
    bench_need(selsnap_view_open(stage->ours.ss, &options, &stage->ours.view), "view");
    if (again) {
        (void)repeat(stage, 200, read_again);
    }
    struct cost cost = repeat(stage, again ? 1000 : 400, again ? read_again : read_anywhere);
    bench_need(selsnap_view_close(stage->ours.view), "view close");
    stage->ours.view = NULL;
    return cost;
}

struct cost stage_reopen(struct stage *stage, bool killed, uint64_t *ret_read_bytes) {
    double ns[OPENS];
    struct cost cost = {0};
    unsigned opens = killed ? 1 : OPENS;
    for (unsigned i = 0; i < opens; i++) {
        if (!killed) {
            bench_need(selsnap_close(stage->ours.ss), "close");
            meter_close(stage->ours.meter);
        }
        /* A killed one is left as it is: nothing of it runs any more. */
        uint64_t snapshot = stage->ours.snapshot;
        (void)devices_counts(stage->devices.counted_store);
        uint64_t begin = bench_cpu_ns();
        library_open(&stage->ours, &stage->devices, true);
        ns[i] = (double)(bench_cpu_ns() - begin);
        stage->ours.snapshot = snapshot;
        cost.pages_read = (double)library_stats(&stage->ours).pages_read;
        selsnap_device_counts store = devices_counts(stage->devices.counted_store);
        cost.flushes = (double)store.flushes;
        cost.store_writes = (double)store.writes;
        *ret_read_bytes = store.read_bytes;
    }
    cost.ns = bench_quantile(ns, opens, 0.5);
    return cost;
}

/* ---- many in flight -------------------------------------------------------------------------------------------- */

struct crowd {
    struct stage *stage;
    _Atomic uint64_t next;
    uint64_t last_fold; /* checkpoints written when it ends */
    uint64_t blocks;    /* of the origin: behind them nothing is left to preserve, and no checkpoint would come */
};

static void *overwrite(void *user) {
    struct crowd *crowd = user;
    while (atomic_load(&crowd->next) < crowd->blocks &&
           library_stats(&crowd->stage->ours).checkpoints < crowd->last_fold) {
        for (unsigned i = 0; i < 64; i++) {
            write_block(crowd->stage, atomic_fetch_add(&crowd->next, 1));
        }
    }
    return NULL;
}

/* Until so many more checkpoints are written. Without a flush that takes its time there would be no crowd: one thread
 * would be done before the next begins. */
static void overwrite_until(struct stage *stage, uint64_t folds) {
    pthread_t threads[IN_FLIGHT];
    struct crowd crowd = {stage, stage->written, library_stats(&stage->ours).checkpoints + folds,
                          library_stats(&stage->ours).origin_bytes / BENCH_BLOCK};
    stage->flush_us = FLUSH_US;
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        if (pthread_create(&threads[i], NULL, overwrite, &crowd) != 0) {
            abort();
        }
    }
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        pthread_join(threads[i], NULL);
    }
    stage->flush_us = 0;
    stage->written = crowd.next;
}

double stage_metadata_share(struct stage *stage) {
    overwrite_until(stage, 1);
    uint64_t before = library_stats(&stage->ours).blocks_preserved;
    (void)devices_counts(stage->devices.counted_store);
    overwrite_until(stage, FOLDS);
    uint64_t data = (library_stats(&stage->ours).blocks_preserved - before) * BENCH_BLOCK;
    uint64_t all = devices_counts(stage->devices.counted_store).write_bytes;
    return (double)(all - data) / (double)data;
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

struct cost stage_delete(struct stage *stage) {
    struct cost first = {0};
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    bool begun = false;
    while (selsnap_snapshot_next(stage->ours.ss, 0, &info) == SELSNAP_OK) {
        struct mark mark = begin_count(stage);
        uint64_t begin = bench_cpu_ns();
        bench_need(selsnap_snapshot_delete(stage->ours.ss, info.id), "delete");
        double ns = (double)(bench_cpu_ns() - begin);
        if (!begun) {
            first = end_count(stage, mark, 1);
            first.ns = ns;
            begun = true;
        }
    }
    return first;
}

struct cost stage_reclaim(struct stage *stage) {
    double entries = (double)stage->written;
    struct mark mark = begin_count(stage);
    uint64_t begin = bench_cpu_ns();
    library_settle(&stage->ours);
    double ns = (double)(bench_cpu_ns() - begin);
    uint64_t bytes = devices_counts(stage->devices.counted_store).write_bytes;
    struct cost cost = end_count(stage, mark, 1);
    cost.ns = ns / entries;
    cost.pages_read /= entries;
    cost.allocations /= entries;
    cost.store_writes = (double)bytes / entries;
    return cost;
}
