/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   bench [--case TEXT] [--where memory|tmpfs|direct] [--folder DIR] [--rounds N] [--json FILE]
 *
 * --case runs those whose names hold the text. --folder is where the files of `direct` lie; default: the current one.
 */
#include "cases.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TARGET_BARE, TARGET_COPIER, TARGET_LIBRARY, TARGET_COUNT, ROUNDS_MAX = 99 };

struct options {
    const char *only;
    const char *where;
    const char *folder;
    const char *json;
    unsigned rounds;
};

struct result {
    double seconds[TARGET_COUNT];
    double to_bare;
    double to_copier;
    struct timing latency;
    selsnap_device_counts origin; /* of the library, in all */
    selsnap_device_counts store;
};

/* ---- the library as a target ---------------------------------------------------------------------------------- */

struct library {
    selsnap *ss;
    selsnap_view *view;
};

static int library_write(void *user, const void *buf, size_t len, uint64_t offset) {
    return selsnap_write(((struct library *)user)->ss, buf, len, offset);
}

static int library_read(void *user, void *buf, size_t len, uint64_t offset) {
    struct library *library = user;
    return library->view != NULL ? selsnap_view_read(library->view, buf, len, offset)
                                 : selsnap_read(library->ss, buf, len, offset);
}

static int library_flush(void *user) {
    return selsnap_flush(((struct library *)user)->ss);
}

static uint64_t make_snapshots(struct library *library, const struct bench_case *bench) {
    selsnap_subset *subset;
    uint64_t id = 0;
    bool elsewhere = bench->prepared == PREPARED_ELSEWHERE;
    bench_need(selsnap_subset_open_for(library->ss, &subset), "subset");
    bench_need(selsnap_subset_add(subset, elsewhere ? bench->load.span : 0, bench->load.span), "subset");
    bench_need(selsnap_designation_save(library->ss, "all", subset, NULL), "designation");
    for (unsigned i = 0; i < bench->snapshots; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%u", i);
        selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
        options.name = name;
        options.designation = "all";
        bench_need(selsnap_snapshot_create(library->ss, &options, &id), "snapshot");
    }
    selsnap_subset_close(subset);
    return id;
}

static void overwrite(struct library *library, uint64_t bytes) {
    enum { STEP = 1 << 20 };
    uint8_t *buf = aligned_alloc(4096, STEP);
    if (buf == NULL) {
        abort();
    }
    memset(buf, 0x77, STEP);
    for (uint64_t at = 0; at < bytes; at += STEP) {
        bench_need(selsnap_write(library->ss, buf, STEP, at), "write");
    }
    free(buf);
}

static void library_open(struct library *library, const struct devices *devices, const struct bench_case *bench) {
    selsnap_device *origin = devices->counted_origin != NULL ? devices->counted_origin : devices->origin;
    selsnap_device *store = devices->counted_store != NULL ? devices->counted_store : devices->store;
    selsnap_format_options format = SELSNAP_FORMAT_OPTIONS_INIT;
    library->view = NULL;
    bench_need(selsnap_format(store, origin, &format), "format");
    bench_need(selsnap_open(store, origin, NULL, &library->ss), "open");
    uint64_t id = make_snapshots(library, bench);
    if (bench->prepared == PREPARED_KEPT || bench->prepared == PREPARED_VIEW_KEPT) {
        overwrite(library, bench->load.span);
    }
    if (bench->prepared >= PREPARED_VIEW) {
        selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
        options.id = id;
        bench_need(selsnap_view_open(library->ss, &options, &library->view), "view");
    }
}

static void library_close(struct library *library) {
    bench_need(selsnap_view_close(library->view), "view close");
    bench_need(selsnap_close(library->ss), "close");
}

static int bare_write(void *user, const void *buf, size_t len, uint64_t offset) {
    return selsnap_device_write(user, buf, len, offset);
}

static int bare_read(void *user, void *buf, size_t len, uint64_t offset) {
    return selsnap_device_read(user, buf, len, offset);
}

static int bare_flush(void *user) {
    return selsnap_device_flush(user);
}

/* ---- running -------------------------------------------------------------------------------------------------- */

static bool open_devices(struct devices *devices, enum where where, const struct options *options,
                         const struct bench_case *bench, bool counted) {
    uint64_t span = bench->load.span;
    return devices_open(devices, where, options->folder, 2 * span, 2 * span + (64 << 20), counted);
}

static struct timing run_target(unsigned which, struct devices *devices, const struct bench_case *bench,
                                bool latencies) {
    struct timing timing;
    if (which == TARGET_LIBRARY) {
        struct library library;
        library_open(&library, devices, bench);
        const struct target target = {library_write, library_read, library_flush, &library};
        timing = load_run(&bench->load, &target, latencies);
        library_close(&library);
    } else if (which == TARGET_COPIER) {
        struct copier *copier =
            copier_open(devices->origin, devices->store, 2 * bench->load.span, bench->prepared != PREPARED_FIRST);
        const struct target target = copier_target(copier);
        timing = load_run(&bench->load, &target, false);
        copier_close(copier);
    } else {
        const struct target target = {bare_write, bare_read, bare_flush, devices->origin};
        timing = load_run(&bench->load, &target, false);
    }
    return timing;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values, unsigned count) {
    qsort(values, count, sizeof *values, compare);
    return values[count / 2];
}

/* The devices must be new for each target of each round, as first writes happen once. */
static bool run_rounds(const struct bench_case *bench, enum where where, const struct options *options,
                       struct result *result) {
    double bare[ROUNDS_MAX];
    double copier[ROUNDS_MAX];
    double seconds[TARGET_COUNT][ROUNDS_MAX];
    for (unsigned round = 0; round < options->rounds; round++) {
        for (unsigned which = 0; which < TARGET_COUNT; which++) {
            struct devices devices;
            if (!open_devices(&devices, where, options, bench, false)) {
                return false;
            }
            seconds[which][round] = run_target(which, &devices, bench, false).seconds;
            devices_close(&devices);
        }
        bare[round] = seconds[TARGET_BARE][round] / seconds[TARGET_LIBRARY][round];
        copier[round] = seconds[TARGET_COPIER][round] / seconds[TARGET_LIBRARY][round];
    }
    result->to_bare = median(bare, options->rounds);
    result->to_copier = median(copier, options->rounds);
    for (unsigned which = 0; which < TARGET_COUNT; which++) {
        result->seconds[which] = median(seconds[which], options->rounds);
    }
    return true;
}

/* Counts and latencies, each in a run of its own, so that they do not disturb the times. */
static void run_more(const struct bench_case *bench, enum where where, const struct options *options,
                     struct result *result) {
    struct devices devices;
    struct library library;
    if (!open_devices(&devices, where, options, bench, true)) {
        return;
    }
    library_open(&library, &devices, bench);
    (void)devices_counts(devices.counted_origin);
    (void)devices_counts(devices.counted_store);
    const struct target target = {library_write, library_read, library_flush, &library};
    (void)load_run(&bench->load, &target, false);
    result->origin = devices_counts(devices.counted_origin);
    result->store = devices_counts(devices.counted_store);
    library_close(&library);
    devices_close(&devices);
    if (open_devices(&devices, where, options, bench, false)) {
        result->latency = run_target(TARGET_LIBRARY, &devices, bench, true);
        devices_close(&devices);
    }
}

/* ---- output --------------------------------------------------------------------------------------------------- */

static double each(uint64_t count, const struct bench_case *bench) {
    return (double)count / (double)bench->load.requests;
}

static void print(const struct bench_case *bench, enum where where, const struct result *result) {
    double nanoseconds = 1e9 / (double)bench->load.requests;
    printf("%-38s %-7s %9.0f %9.0f %9.0f %6.2f %6.2f  %5.2f %5.2f %5.2f | %5.2f %5.2f %5.2f  %8" PRIu64 " %8" PRIu64
           " %8" PRIu64 "\n",
           bench->name, where_names[where], result->seconds[TARGET_BARE] * nanoseconds,
           result->seconds[TARGET_COPIER] * nanoseconds, result->seconds[TARGET_LIBRARY] * nanoseconds, result->to_bare,
           result->to_copier, each(result->origin.reads, bench), each(result->origin.writes, bench),
           each(result->origin.flushes, bench), each(result->store.reads, bench), each(result->store.writes, bench),
           each(result->store.flushes, bench), result->latency.p50, result->latency.p99, result->latency.p999);
    fflush(stdout);
}

static json_t *counts_to_json(const selsnap_device_counts *counts) {
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "reads", (json_int_t)counts->reads, "read_bytes",
                     (json_int_t)counts->read_bytes, "writes", (json_int_t)counts->writes, "write_bytes",
                     (json_int_t)counts->write_bytes, "flushes", (json_int_t)counts->flushes);
}

static json_t *to_json(const struct bench_case *bench, enum where where, const struct result *result) {
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:o, s:o}", "case", bench->name,
                     "where", where_names[where], "requests", (json_int_t)bench->load.requests, "request_bytes",
                     (json_int_t)bench->load.bytes, "threads", (json_int_t)bench->load.threads, "bare_seconds",
                     result->seconds[TARGET_BARE], "copier_seconds", result->seconds[TARGET_COPIER], "library_seconds",
                     result->seconds[TARGET_LIBRARY], "ratio_to_bare", result->to_bare, "ratio_to_copier",
                     result->to_copier, "p50_ns", (json_int_t)result->latency.p50, "p99_ns",
                     (json_int_t)result->latency.p99, "p999_ns", (json_int_t)result->latency.p999, "origin",
                     counts_to_json(&result->origin), "store", counts_to_json(&result->store));
}

static bool parse(int argc, char **argv, struct options *options) {
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--case") == 0) {
            options->only = argv[i + 1];
        } else if (strcmp(argv[i], "--where") == 0) {
            options->where = argv[i + 1];
        } else if (strcmp(argv[i], "--folder") == 0) {
            options->folder = argv[i + 1];
        } else if (strcmp(argv[i], "--json") == 0) {
            options->json = argv[i + 1];
        } else if (strcmp(argv[i], "--rounds") == 0) {
            options->rounds = (unsigned)strtoul(argv[i + 1], NULL, 10);
        } else {
            return false;
        }
    }
    return argc % 2 == 1 && options->rounds >= 1 && options->rounds <= ROUNDS_MAX;
}

int main(int argc, char **argv) {
    struct options options = {NULL, NULL, ".", NULL, 5};
    if (!parse(argc, argv, &options)) {
        fprintf(stderr,
                "usage: %s [--case TEXT] [--where memory|tmpfs|direct] [--folder DIR] [--rounds N] [--json FILE]\n",
                argv[0]);
        return 2;
    }
    json_t *all = json_array();
    printf("%-38s %-7s %29s %13s  %17s | %17s  %26s\n", "", "", "ns a request", "ratio to", "origin, a request",
           "store, a request", "ns");
    printf("%-38s %-7s %9s %9s %9s %6s %6s  %5s %5s %5s | %5s %5s %5s  %8s %8s %8s\n", "case", "where", "bare",
           "copier", "library", "bare", "copier", "read", "write", "flush", "read", "write", "flush", "p50", "p99",
           "p99.9");
    for (unsigned where = 0; where < WHERE_COUNT; where++) {
        for (size_t i = 0; i < bench_case_count; i++) {
            const struct bench_case *bench = &bench_cases[i];
            struct result result = {0};
            if ((options.only != NULL && strstr(bench->name, options.only) == NULL) ||
                (options.where != NULL && strcmp(options.where, where_names[where]) != 0) ||
                !run_rounds(bench, (enum where)where, &options, &result)) {
                continue;
            }
            run_more(bench, (enum where)where, &options, &result);
            print(bench, (enum where)where, &result);
            json_array_append_new(all, to_json(bench, (enum where)where, &result));
        }
    }
    bool empty = json_array_size(all) == 0;
    if (options.json != NULL && json_dump_file(all, options.json, JSON_INDENT(1)) != 0) {
        fprintf(stderr, "%s: cannot be written\n", options.json);
        return 1;
    }
    json_decref(all);
    return empty ? 1 : 0;
}
