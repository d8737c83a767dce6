/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loads of cases.c, on the three targets in turn. Where a load leaves things as it found them the library stays
 * open from round to round; first writes happen once, so their store is made anew. Counts and latencies are taken in
 * runs of their own, so that they do not disturb the times.
 */
#include "cases.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TARGET_BARE, TARGET_COPIER, TARGET_LIBRARY, TARGET_COUNT, ROUNDS_MAX = 3 * 99 };
enum { ORIGIN_MIB = 512, STORE_MIB = 640 };

struct paired {
    const struct bench_case *bench;
    const struct options *options;
    enum where where;
    struct devices *devices;
    struct library *kept; /* open from round to round, or NULL */
    uint64_t requests;    /* of one run */
};

struct result {
    double wall[TARGET_COUNT]; /* ns a request */
    double cpu[TARGET_COUNT];
    double over_bare;      /* ns of a processor a request, the median of the rounds' differences */
    double over_bare_calm; /* the same between the calmest tenth of the rounds */
    double to_bare[3];     /* of wall-clock time: lower quartile, median, upper quartile */
    double to_copier[3];
    double cpu_to_bare[3]; /* of processor time */
    double cpu_to_copier[3];
    struct latency bare;
    struct latency ours;
    selsnap_device_counts origin; /* of the library, in all */
    selsnap_device_counts store;
    uint64_t allocations;
    uint64_t memory_peak;
};

static bool happens_once(const struct bench_case *bench) {
    return (bench->prepared >= PREPARED_FIRST && bench->prepared <= PREPARED_FIRST_DEFERRED) ||
           bench->prepared == PREPARED_VIEW_WRITE;
}

static void prepare(const struct paired *paired, struct library *library, bool counted) {
    const struct bench_case *bench = paired->bench;
    library_prepare(library, paired->devices, bench->prepared, bench->snapshots, bench->load.span, counted);
}

static struct taken run_library(const struct paired *paired, struct latency *latency) {
    struct library own;
    struct library *library = paired->kept != NULL ? paired->kept : &own;
    if (paired->kept == NULL) {
        prepare(paired, library, false);
    }
    const struct target target = library_target(library);
    struct taken taken = load_run(&paired->bench->load, &target, paired->requests, latency);
    if (paired->kept == NULL) {
        library_close(library);
    }
    return taken;
}

static struct taken run_copier(const struct paired *paired) {
    const struct bench_case *bench = paired->bench;
    struct copier *copier =
        copier_open(paired->devices->origin, paired->devices->store, (uint64_t)ORIGIN_MIB * BENCH_MIB, bench->copier);
    const struct target target = copier_target(copier);
    struct taken taken = load_run(&bench->load, &target, paired->requests, NULL);
    copier_close(copier);
    return taken;
}

static struct taken run_bare(const struct paired *paired, struct latency *latency) {
    const struct target target = device_target(paired->devices->origin);
    return load_run(&paired->bench->load, &target, paired->requests, latency);
}

static struct taken run_target(const struct paired *paired, unsigned which) {
    return which == TARGET_LIBRARY  ? run_library(paired, NULL)
           : which == TARGET_COPIER ? run_copier(paired)
                                    : run_bare(paired, NULL);
}

/* What does not use up its blocks is run in more and shorter rounds, against noise. */
static unsigned rounds_of(const struct paired *paired) {
    return paired->options->rounds * (happens_once(paired->bench) ? 1 : 3);
}

/* As many requests as the library does in a round's time; no more than there are places where each is written once. What is
 * preserved ahead pays when its own writes come: there it is a whole pass. */
static void choose_requests(struct paired *paired) {
    const struct load *load = &paired->bench->load;
    uint64_t least = (load->bytes > BENCH_BLOCK ? 16 : 64) * (uint64_t)load->threads;
    uint64_t most = happens_once(paired->bench) ? load->span / load->bytes : UINT64_C(1) << 20;
    double budget = (paired->options->quick ? 10e6 : 60e6) / (happens_once(paired->bench) ? 1 : 3);
    double each = 1e18;
    if (paired->bench->prepared == PREPARED_FIRST_AHEAD) {
        paired->requests = most;
        return;
    }
    paired->requests = least;
    for (unsigned i = 0; i < 3; i++) {
        double taken = (double)run_library(paired, NULL).wall / (double)least;
        each = taken < each ? taken : each;
    }
    uint64_t wanted = (uint64_t)(budget / each);
    wanted = wanted < least ? least : wanted > most ? most : wanted;
    paired->requests = wanted / load->threads * load->threads;
}

static void quartiles(double *values, unsigned count, double *ret_three) {
    for (unsigned i = 0; i < 3; i++) {
        ret_three[i] = bench_quantile(values, count, 0.25 * (i + 1));
    }
}

/* The quartiles of what a target takes as a part of what the library takes. */
static void compare(double (*taken)[ROUNDS_MAX], unsigned which, unsigned rounds, double *ret_three) {
    double ratios[ROUNDS_MAX];
    for (unsigned round = 0; round < rounds; round++) {
        ratios[round] = taken[which][round] / taken[TARGET_LIBRARY][round];
    }
    quartiles(ratios, rounds, ret_three);
}

/* Each round begins with another target, so that what a target leaves in caches meets all of them. */
static void run_rounds(const struct paired *paired, struct result *result) {
    unsigned rounds = rounds_of(paired);
    double wall[TARGET_COUNT][ROUNDS_MAX];
    double cpu[TARGET_COUNT][ROUNDS_MAX];
    double over[ROUNDS_MAX];
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < TARGET_COUNT; i++) {
            unsigned which = (round + i) % TARGET_COUNT;
            struct taken taken = run_target(paired, which);
            wall[which][round] = (double)taken.wall / (double)paired->requests;
            cpu[which][round] = (double)taken.cpu / (double)paired->requests;
        }
        over[round] = cpu[TARGET_LIBRARY][round] - cpu[TARGET_BARE][round];
    }
    compare(wall, TARGET_BARE, rounds, result->to_bare);
    compare(wall, TARGET_COPIER, rounds, result->to_copier);
    compare(cpu, TARGET_BARE, rounds, result->cpu_to_bare);
    compare(cpu, TARGET_COPIER, rounds, result->cpu_to_copier);
    result->over_bare = bench_quantile(over, rounds, 0.5);
    result->over_bare_calm =
        bench_quantile(cpu[TARGET_LIBRARY], rounds, 0.1) - bench_quantile(cpu[TARGET_BARE], rounds, 0.1);
    for (unsigned which = 0; which < TARGET_COUNT; which++) {
        result->wall[which] = bench_quantile(wall[which], rounds, 0.5);
        result->cpu[which] = bench_quantile(cpu[which], rounds, 0.5);
    }
}

static void run_counted(const struct paired *paired, struct result *result) {
    struct library library;
    prepare(paired, &library, true);
    const struct target target = library_target(&library);
    (void)devices_counts(paired->devices->counted_origin);
    (void)devices_counts(paired->devices->counted_store);
    uint64_t before = meter_calls(library.meter);
    (void)load_run(&paired->bench->load, &target, paired->requests, NULL);
    result->allocations = meter_calls(library.meter) - before;
    result->origin = devices_counts(paired->devices->counted_origin);
    result->store = devices_counts(paired->devices->counted_store);
    result->memory_peak = meter_peak(library.meter);
    library_close(&library);
}

static void print_heads(void) {
    printf("%-38s %-7s %29s %13s %27s  %17s | %17s %5s %27s\n", "", "", "ns a request", "ratio to", "processor time",
           "origin, a request", "store, a request", "", "ns of the library");
    printf("%-38s %-7s %9s %9s %9s %6s %6s %6s %6s %6s %6s  %5s %5s %5s | %5s %5s %5s %5s %9s %9s %9s\n", "load",
           "where", "bare", "copier", "library", "bare", "copier", "bare", "copier", "ns+", "calm", "read", "write",
           "flush", "read", "write", "flush", "alloc", "p50", "p99", "p99.9");
}

static void print(const struct paired *paired, const struct result *result) {
    double all = (double)paired->requests;
    const selsnap_device_counts *origin = &result->origin;
    const selsnap_device_counts *store = &result->store;
    printf("%-38s %-7s %9.0f %9.0f %9.0f %6.2f %6.2f %6.2f %6.2f %6.0f %6.0f  ", paired->bench->name,
           where_names[paired->where], result->wall[TARGET_BARE], result->wall[TARGET_COPIER],
           result->wall[TARGET_LIBRARY], result->to_bare[1], result->to_copier[1], result->cpu_to_bare[1],
           result->cpu_to_copier[1], result->over_bare, result->over_bare_calm);
    printf("%5.2f %5.2f %5.2f | %5.2f %5.2f %5.2f %5.2f %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "\n",
           (double)origin->reads / all, (double)origin->writes / all, (double)origin->flushes / all,
           (double)store->reads / all, (double)store->writes / all, (double)store->flushes / all,
           (double)result->allocations / all, result->ours.p50, result->ours.p99, result->ours.p999);
    fflush(stdout);
}

static json_t *three(const double *values) {
    return json_pack("[f, f, f]", values[0], values[1], values[2]);
}

static json_t *to_json(const struct paired *paired, const struct result *result) {
    const struct bench_case *bench = paired->bench;
    json_t *figure =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "part", "loads", "case", bench->name, "where",
                  where_names[paired->where], "requests", (json_int_t)paired->requests, "request_bytes",
                  (json_int_t)bench->load.bytes, "threads", (json_int_t)bench->load.threads, "batch",
                  (json_int_t)bench->load.batch, "snapshots", (json_int_t)bench->snapshots);
    json_object_set_new(figure, "wall_ns", three(result->wall));
    json_object_set_new(figure, "cpu_ns", three(result->cpu));
    json_object_set_new(figure, "over_bare_cpu_ns", json_real(result->over_bare));
    json_object_set_new(figure, "over_bare_calm_cpu_ns", json_real(result->over_bare_calm));
    json_object_set_new(figure, "to_bare", three(result->to_bare));
    json_object_set_new(figure, "to_copier", three(result->to_copier));
    json_object_set_new(figure, "cpu_to_bare", three(result->cpu_to_bare));
    json_object_set_new(figure, "cpu_to_copier", three(result->cpu_to_copier));
    json_object_set_new(figure, "bare_latency", bench_latency_json(&result->bare));
    json_object_set_new(figure, "library_latency", bench_latency_json(&result->ours));
    json_object_set_new(figure, "origin", bench_counts_json(&result->origin));
    json_object_set_new(figure, "store", bench_counts_json(&result->store));
    json_object_set_new(figure, "allocations", json_integer((json_int_t)result->allocations));
    json_object_set_new(figure, "memory_peak", json_integer((json_int_t)result->memory_peak));
    return figure;
}

static void run_case(struct paired *paired, json_t *figures) {
    struct result result = {0};
    struct library kept;
    if (!happens_once(paired->bench)) {
        prepare(paired, &kept, false);
        paired->kept = &kept;
    }
    choose_requests(paired);
    run_rounds(paired, &result);
    (void)run_bare(paired, &result.bare);
    (void)run_library(paired, &result.ours);
    if (paired->kept != NULL) {
        library_close(&kept);
        paired->kept = NULL;
    }
    run_counted(paired, &result);
    print(paired, &result);
    json_array_append_new(figures, to_json(paired, &result));
}

void part_loads(const struct options *options, json_t *figures) {
    print_heads();
    for (unsigned where = 0; where < WHERE_COUNT; where++) {
        struct devices devices;
        if (!bench_wanted_where(options, (enum where)where) ||
            !devices_open(&devices, (enum where)where, options->folder, (uint64_t)ORIGIN_MIB * BENCH_MIB,
                          (uint64_t)STORE_MIB * BENCH_MIB)) {
            continue;
        }
        for (size_t i = 0; i < bench_case_count; i++) {
            struct paired paired = {&bench_cases[i], options, (enum where)where, &devices, NULL, 0};
            if (bench_wanted(options, bench_cases[i].name) && (bench_cases[i].quick || !options->quick)) {
                run_case(&paired, figures);
            }
        }
        devices_close(&devices);
    }
}
