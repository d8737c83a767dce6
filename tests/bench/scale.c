/* SPDX-License-Identifier: Apache-2.0 */
/* What operations cost against the number of entries in the index, of snapshots, and the size of the origin. */
#include "stage.h"

#include <inttypes.h>
#include <stdio.h>

#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)

enum effort { EFFORT_QUICK, EFFORT_USUAL, EFFORT_FULL };

struct step {
    const char *axis;
    enum effort effort;
    struct stage_size size;
};

static const struct step steps[] = {
    {"entries", EFFORT_QUICK, {TIB, 10000, 1}},
    {"entries", EFFORT_QUICK, {TIB, 100000, 1}},
    {"entries", EFFORT_USUAL, {TIB, 1000000, 1}},
    {"entries", EFFORT_FULL, {TIB, 10000000, 1}},
    {"snapshots", EFFORT_QUICK, {64 * GIB, 10000, 1}},
    {"snapshots", EFFORT_USUAL, {64 * GIB, 10000, 8}},
    {"snapshots", EFFORT_USUAL, {64 * GIB, 10000, 100}},
    {"snapshots", EFFORT_QUICK, {64 * GIB, 10000, 1000}},
    {"origin-size", EFFORT_USUAL, {GIB, 10000, 1}},
    {"origin-size", EFFORT_USUAL, {64 * GIB, 10000, 1}},
    {"origin-size", EFFORT_USUAL, {TIB, 10000, 1}},
    {"origin-size", EFFORT_QUICK, {16 * TIB, 10000, 1}},
    {"all-at-once", EFFORT_USUAL, {16 * TIB, 1000000, 1000}},
    {"all-at-once", EFFORT_FULL, {16 * TIB, 10000000, 1000}},
};

static void add(json_t *figure, const char *name, struct cost cost) {
    json_object_set_new(figure, name,
                        json_pack("{s:f, s:f, s:f, s:f, s:f}", "ns", cost.ns, "pages_read", cost.pages_read,
                                  "store_writes", cost.store_writes, "flushes", cost.flushes, "allocations",
                                  cost.allocations));
    printf("    %-24s %12.0f ns %8.2f pages read %10.2f store writes %6.2f flushes %6.2f allocations\n", name, cost.ns,
           cost.pages_read, cost.store_writes, cost.flushes, cost.allocations);
    fflush(stdout);
}

static void add_number(json_t *figure, const char *name, double value, const char *unit) {
    json_object_set_new(figure, name, json_real(value));
    printf("    %-24s %12.3f %s\n", name, value, unit);
}

static void run_step(const struct step *step, json_t *figures) {
    struct stage stage;
    uint64_t read_bytes;
    const struct stage_size *size = &step->size;
    printf("%s: origin of %" PRIu64 " GiB, %" PRIu64 " entries, %u snapshots\n", step->axis, size->origin_bytes / GIB,
           size->entries, size->snapshots);
    json_t *figure = json_pack("{s:s, s:s, s:I, s:I, s:I}", "part", "scale", "axis", step->axis, "origin_bytes",
                               (json_int_t)size->origin_bytes, "entries", (json_int_t)size->entries, "snapshots",
                               (json_int_t)size->snapshots);
    stage_open(&stage, size);
    json_object_set_new(figure, "journal_bytes", json_integer((json_int_t)library_stats(&stage.ours).journal_bytes));
    add_number(figure, "build_ns", stage.build_ns, "ns an entry");
    add(figure, "view_read_anywhere", stage_view_reads(&stage, false));
    add(figure, "view_read_again", stage_view_reads(&stage, true));
    add_number(figure, "bare_write_ns", stage_bare_writes(&stage), "ns");
    add(figure, "clean_write", stage_clean_writes(&stage));
    add(figure, "first_write", stage_first_writes(&stage));
    add(figure, "open_killed", stage_reopen(&stage, true, &read_bytes));
    add_number(figure, "open_killed_read_bytes", (double)read_bytes, "bytes");
    add(figure, "open_closed", stage_reopen(&stage, false, &read_bytes));
    add_number(figure, "open_closed_read_bytes", (double)read_bytes, "bytes");
    add(figure, "first_write_after_open", stage_first_writes(&stage));
    add_number(figure, "metadata_share", stage_metadata_share(&stage), "bytes for each byte preserved, 32 in flight");
    add(figure, "create", stage_create(&stage));
    add_number(figure, "memory_peak_mib", (double)meter_peak(stage.ours.meter) / BENCH_MIB, "MiB");
    add(figure, "delete", stage_delete(&stage));
    add(figure, "reclaim", stage_reclaim(&stage));
    add_number(figure, "memory_peak_all_mib", (double)meter_peak(stage.ours.meter) / BENCH_MIB, "MiB");
    add_number(figure, "memory_limit_mib", (double)library_stats(&stage.ours).memory_limit_bytes / BENCH_MIB, "MiB");
    stage_close(&stage);
    json_array_append_new(figures, figure);
}

void part_scale(const struct options *options, json_t *figures) {
    enum effort effort = options->quick ? EFFORT_QUICK : options->full ? EFFORT_FULL : EFFORT_USUAL;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i].effort <= effort && bench_wanted(options, steps[i].axis)) {
            run_step(&steps[i], figures);
        }
    }
}
