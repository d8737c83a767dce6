/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on a whole snapshot, on devices that do I/O: create, restore, delete, reclaim. A restore is paired with
 * the plain copying of as many bytes from the store's device to the origin's, in pieces as large as the runs of changed
 * blocks.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPAN_MIB = 128, STORE_MIB = 384, ROUNDS_MAX = 99, CREATES = 15 };

struct whole {
    const char *name;
    uint64_t run;   /* bytes of a run of changed blocks */
    uint64_t every; /* a run begins every so many bytes */
};

static const struct whole wholes[] = {
    {"all changed", BENCH_MIB, BENCH_MIB},
    {"one block in 16 changed", BENCH_BLOCK, UINT64_C(16) * BENCH_BLOCK},
    {"one block in 64 changed", BENCH_BLOCK, UINT64_C(64) * BENCH_BLOCK},
};

struct outcome {
    uint64_t restore_ns;
    uint64_t copy_ns;
    uint64_t create_ns;
    uint64_t delete_ns;
    uint64_t reclaim_ns;
    uint64_t gate_ns;
    selsnap_device_counts restore_origin;
    selsnap_device_counts restore_store;
    selsnap_device_counts reclaim_store;
};

static uint64_t changed_bytes(const struct whole *whole) {
    return (uint64_t)SPAN_MIB * BENCH_MIB / whole->every * whole->run;
}

static uint64_t copy_plainly(const struct devices *devices, const struct whole *whole) {
    uint8_t *buf = bench_memory(BENCH_MIB);
    uint64_t from = 0;
    uint64_t begin = bench_now_ns();
    for (uint64_t at = 0; at < (uint64_t)SPAN_MIB * BENCH_MIB; at += whole->every) {
        /* What was preserved lies in one piece: it is read as the library reads it. */
        if (from % BENCH_MIB == 0) {
            bench_need(selsnap_device_read(devices->store, buf, BENCH_MIB, from), "read");
        }
        bench_need(selsnap_device_write(devices->origin, buf + from % BENCH_MIB, whole->run, at), "write");
        from += whole->run;
    }
    bench_need(selsnap_device_flush(devices->origin), "flush");
    uint64_t taken = bench_now_ns() - begin;
    free(buf);
    return taken;
}

static void change(struct library *library, const struct whole *whole) {
    uint8_t *buf = bench_memory(whole->run);
    memset(buf, 0x66, whole->run);
    for (uint64_t at = 0; at < (uint64_t)SPAN_MIB * BENCH_MIB; at += whole->every) {
        bench_need(selsnap_write(library->ss, buf, whole->run, at), "write");
    }
    bench_need(selsnap_flush(library->ss), "flush");
    library_settle(library);
    free(buf);
}

static uint64_t time_creates(struct library *library) {
    double ns[CREATES];
    for (unsigned i = 0; i < CREATES; i++) {
        char name[32];
        snprintf(name, sizeof name, "more-%u", i);
        selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
        options.name = name;
        options.designation = "all";
        uint64_t begin = bench_now_ns();
        bench_need(selsnap_snapshot_create(library->ss, &options, NULL), "snapshot");
        ns[i] = (double)(bench_now_ns() - begin);
    }
    return (uint64_t)bench_quantile(ns, CREATES, 0.5);
}

static uint64_t restore(struct library *library) {
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    options.id = library->snapshot;
    uint64_t job;
    uint64_t begin = bench_now_ns();
    bench_need(selsnap_restore_start(library->ss, &options, &job), "restore");
    bench_need(selsnap_restore_run(library->ss, job, NULL, NULL), "restore");
    return bench_now_ns() - begin;
}

static void run_library(const struct devices *devices, const struct whole *whole, struct outcome *outcome) {
    struct library library = {.ahead = true};
    library_format(&library, devices, true);
    library_snapshots(&library, 1, 0, (uint64_t)SPAN_MIB * BENCH_MIB);
    change(&library, whole);
    (void)devices_counts(devices->counted_origin);
    (void)devices_counts(devices->counted_store);
    outcome->restore_ns = restore(&library);
    outcome->restore_origin = devices_counts(devices->counted_origin);
    outcome->restore_store = devices_counts(devices->counted_store);
    outcome->create_ns = time_creates(&library);
    outcome->gate_ns = library_stats(&library).gate_closed_ns_max;
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    uint64_t begin = bench_now_ns();
    bench_need(selsnap_snapshot_delete(library.ss, library.snapshot), "delete");
    outcome->delete_ns = bench_now_ns() - begin;
    while (selsnap_snapshot_next(library.ss, 0, &info) == SELSNAP_OK) {
        bench_need(selsnap_snapshot_delete(library.ss, info.id), "delete");
    }
    (void)devices_counts(devices->counted_store);
    begin = bench_now_ns();
    library_settle(&library);
    outcome->reclaim_ns = bench_now_ns() - begin;
    outcome->reclaim_store = devices_counts(devices->counted_store);
    library_close(&library);
}

static double median_of(const struct outcome *outcomes, unsigned rounds, size_t member) {
    double values[ROUNDS_MAX];
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t value;
        memcpy(&value, (const char *)&outcomes[i] + member, sizeof value);
        values[i] = (double)value;
    }
    return bench_quantile(values, rounds, 0.5);
}

#define MEDIAN(outcomes, rounds, member) median_of(outcomes, rounds, offsetof(struct outcome, member))

static void tell(const struct whole *whole, enum where where, const struct outcome *outcomes, unsigned rounds,
                 json_t *figures) {
    double ratios[ROUNDS_MAX];
    for (unsigned i = 0; i < rounds; i++) {
        ratios[i] = (double)outcomes[i].copy_ns / (double)outcomes[i].restore_ns;
    }
    double ratio = bench_quantile(ratios, rounds, 0.5);
    const struct outcome *last = &outcomes[rounds - 1];
    double restore_ns = MEDIAN(outcomes, rounds, restore_ns);
    double copy_ns = MEDIAN(outcomes, rounds, copy_ns);
    double create_ns = MEDIAN(outcomes, rounds, create_ns);
    double delete_ns = MEDIAN(outcomes, rounds, delete_ns);
    double reclaim_ns = MEDIAN(outcomes, rounds, reclaim_ns);
    double mib = (double)changed_bytes(whole) / BENCH_MIB;
    printf("%-28s %-7s %9.1f %9.1f %6.2f %9.1f %9.1f %10.3f %10.3f %10.3f %10.1f\n", whole->name, where_names[where],
           mib / (copy_ns / 1e9), mib / (restore_ns / 1e9), ratio, (double)last->restore_origin.write_bytes / BENCH_MIB,
           (double)last->restore_store.read_bytes / BENCH_MIB, create_ns / 1e6, delete_ns / 1e6, reclaim_ns / 1e6,
           (double)last->reclaim_store.write_bytes / 1024);
    fflush(stdout);
    json_t *figure =
        json_pack("{s:s, s:s, s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:I}", "part", "whole", "case", whole->name,
                  "where", where_names[where], "changed_bytes", (json_int_t)changed_bytes(whole), "restore_ns",
                  restore_ns, "copy_ns", copy_ns, "restore_to_copy", ratio, "create_ns", create_ns, "delete_ns",
                  delete_ns, "reclaim_ns", reclaim_ns, "gate_ns_max", (json_int_t)last->gate_ns);
    json_object_set_new(figure, "restore_origin", bench_counts_json(&last->restore_origin));
    json_object_set_new(figure, "restore_store", bench_counts_json(&last->restore_store));
    json_object_set_new(figure, "reclaim_store", bench_counts_json(&last->reclaim_store));
    json_array_append_new(figures, figure);
}

void part_whole(const struct options *options, json_t *figures) {
    struct outcome outcomes[ROUNDS_MAX];
    printf("%-28s %-7s %9s %9s %6s %9s %9s %10s %10s %10s %10s\n", "restore of 128 MiB", "where", "copy MiB/s", "MiB/s",
           "ratio", "MiB out", "MiB in", "create ms", "delete ms", "reclaim ms", "KiB out");
    for (unsigned where = 0; where < WHERE_COUNT; where++) {
        struct devices devices;
        if (!bench_wanted_where(options, (enum where)where) ||
            !devices_open(&devices, (enum where)where, options->folder, (uint64_t)SPAN_MIB * BENCH_MIB,
                          (uint64_t)STORE_MIB * BENCH_MIB)) {
            continue;
        }
        for (size_t i = 0; i < sizeof wholes / sizeof wholes[0]; i++) {
            if (!bench_wanted(options, wholes[i].name) || (options->quick && i == 1)) {
                continue;
            }
            for (unsigned round = 0; round < options->rounds; round++) {
                run_library(&devices, &wholes[i], &outcomes[round]);
                outcomes[round].copy_ns = copy_plainly(&devices, &wholes[i]);
            }
            tell(&wholes[i], (enum where)where, outcomes, options->rounds, figures);
        }
        devices_close(&devices);
    }
}
