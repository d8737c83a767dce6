/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tail of clean writes while something else goes on in the same context. One thread writes to blocks that no
 * snapshot designates; another does the rest. The same is run on the bare device in each round, alone and beside a
 * thread that writes to it without end: these tails are the machine's.
 */
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPAN_MIB = 64, ORIGIN_MIB = 2 * SPAN_MIB, STORE_MIB = 256, ROUNDS_MAX = 99 };

struct beside {
    struct library *library;
    _Atomic bool over;
    uint64_t turns;
    uint64_t at; /* next block to be preserved */
};

/* So many first writes; the blocks are above those that the writer uses. */
static void preserve(struct beside *beside, unsigned count) {
    static const uint8_t block[BENCH_BLOCK] = {1};
    for (unsigned i = 0; i < count; i++) {
        uint64_t offset = (uint64_t)SPAN_MIB * BENCH_MIB + (beside->at++ * 97 % (SPAN_MIB * 256)) * BENCH_BLOCK;
        bench_need(selsnap_write(beside->library->ss, block, sizeof block, offset), "write");
    }
}

static uint64_t create(struct beside *beside) {
    uint64_t id;
    char name[32];
    snprintf(name, sizeof name, "b%u", (unsigned)beside->turns);
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = name;
    options.designation = "all";
    bench_need(selsnap_snapshot_create(beside->library->ss, &options, &id), "snapshot");
    return id;
}

static void idle(struct beside *beside) {
    (void)beside;
}

static void first_writes(struct beside *beside) {
    uint64_t id = create(beside);
    preserve(beside, 128);
    bench_need(selsnap_snapshot_delete(beside->library->ss, id), "delete");
}

/* Most of the turn is the checkpoint: 64 scattered blocks make it write dozens of pages. */
static void checkpoint(struct beside *beside) {
    uint64_t id = create(beside);
    preserve(beside, 64);
    for (unsigned i = 0; i < 4; i++) {
        selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
        options.flags = SELSNAP_STEP_CHECKPOINT;
        bench_need(selsnap_step(beside->library->ss, &options, NULL), "step");
        preserve(beside, 1);
    }
    bench_need(selsnap_snapshot_delete(beside->library->ss, id), "delete");
}

static void create_only(struct beside *beside) {
    uint64_t id = create(beside);
    bench_need(selsnap_snapshot_delete(beside->library->ss, id), "delete");
}

static void delete_and_reclaim(struct beside *beside) {
    uint64_t id = create(beside);
    preserve(beside, 64);
    bench_need(selsnap_snapshot_delete(beside->library->ss, id), "delete");
    library_settle(beside->library);
}

static const struct {
    const char *name;
    void (*turn)(struct beside *beside);
} besides[] = {
    {"alone", idle},
    {"beside first writes", first_writes},
    {"beside checkpoints", checkpoint},
    {"beside creates", create_only},
    {"beside delete and reclaim", delete_and_reclaim},
};
enum { BESIDES = sizeof besides / sizeof besides[0] };

struct other {
    struct beside *beside;
    void (*turn)(struct beside *beside);
};

static void *work(void *user) {
    struct other *other = user;
    while (!atomic_load(&other->beside->over)) {
        other->turn(other->beside);
        other->beside->turns++;
    }
    return NULL;
}

static struct latency run_one(const struct devices *devices, unsigned which, uint64_t requests, uint64_t *ret_turns,
                              uint64_t *ret_gate) {
    const struct load load = {false, true, BENCH_BLOCK, 1, 0, 0, (uint64_t)SPAN_MIB * BENCH_MIB};
    struct library library = {.ahead = true};
    struct latency latency;
    pthread_t thread;
    library_format(&library, devices, false);
    library_snapshots(&library, 1, (uint64_t)SPAN_MIB * BENCH_MIB, (uint64_t)SPAN_MIB * BENCH_MIB);
    struct beside beside = {&library, false, 0, 0};
    struct other other = {&beside, besides[which].turn};
    const struct target target = library_target(&library);
    bool alone = besides[which].turn == idle;
    if (!alone && pthread_create(&thread, NULL, work, &other) != 0) {
        abort();
    }
    (void)load_run(&load, &target, requests, &latency);
    beside.over = true;
    if (!alone) {
        pthread_join(thread, NULL);
    }
    *ret_turns = beside.turns;
    *ret_gate = library_stats(&library).gate_closed_ns_max;
    library_close(&library);
    return latency;
}

struct writer {
    selsnap_device *device;
    _Atomic bool over;
};

static void *write_on(void *user) {
    static const uint8_t block[BENCH_BLOCK] = {1};
    struct writer *writer = user;
    for (uint64_t n = 0; !atomic_load(&writer->over); n++) {
        uint64_t offset = (uint64_t)SPAN_MIB * BENCH_MIB + (n * 97 % (SPAN_MIB * 256)) * BENCH_BLOCK;
        bench_need(selsnap_device_write(writer->device, block, sizeof block, offset), "write");
    }
    return NULL;
}

static struct latency run_bare(const struct devices *devices, uint64_t requests, bool alone) {
    const struct load load = {false, true, BENCH_BLOCK, 1, 0, 0, (uint64_t)SPAN_MIB * BENCH_MIB};
    const struct target target = device_target(devices->origin);
    struct writer writer = {devices->origin, false};
    struct latency latency;
    pthread_t thread;
    if (!alone && pthread_create(&thread, NULL, write_on, &writer) != 0) {
        abort();
    }
    (void)load_run(&load, &target, requests, &latency);
    writer.over = true;
    if (!alone) {
        pthread_join(thread, NULL);
    }
    return latency;
}

static struct latency median_of(const struct latency *all, unsigned count) {
    struct latency middle;
    uint64_t *const places[] = {&middle.p50, &middle.p99, &middle.p999, &middle.most};
    for (unsigned which = 0; which < 4; which++) {
        double values[ROUNDS_MAX];
        for (unsigned i = 0; i < count; i++) {
            const uint64_t given[] = {all[i].p50, all[i].p99, all[i].p999, all[i].most};
            values[i] = (double)given[which];
        }
        *places[which] = (uint64_t)bench_quantile(values, count, 0.5);
    }
    return middle;
}

static void tell(const char *name, enum where where, struct latency latency, uint64_t turns, uint64_t gate,
                 json_t *figures) {
    printf("%-28s %-7s %9.1f %9.1f %9.1f %9.1f %8.0f %10.1f\n", name, where_names[where], (double)latency.p50 / 1e3,
           (double)latency.p99 / 1e3, (double)latency.p999 / 1e3, (double)latency.most / 1e3, (double)turns,
           (double)gate / 1e3);
    fflush(stdout);
    json_array_append_new(figures, json_pack("{s:s, s:s, s:s, s:o, s:I, s:I}", "part", "tails", "case", name, "where",
                                             where_names[where], "latency", bench_latency_json(&latency), "turns",
                                             (json_int_t)turns, "gate_ns_max", (json_int_t)gate));
}

static void run_where(const struct options *options, enum where where, const struct devices *devices, json_t *figures) {
    struct latency bare[2][ROUNDS_MAX];
    struct latency library[BESIDES][ROUNDS_MAX];
    uint64_t turns[BESIDES] = {0};
    uint64_t gate[BESIDES] = {0};
    uint64_t requests = (where == WHERE_DIRECT ? 4000 : 100000) / (options->quick ? 4 : 1);
    for (unsigned round = 0; round < options->rounds; round++) {
        bare[0][round] = run_bare(devices, requests, true);
        bare[1][round] = run_bare(devices, requests, false);
        for (unsigned which = 0; which < BESIDES; which++) {
            uint64_t more;
            uint64_t closed;
            library[which][round] = run_one(devices, which, requests, &more, &closed);
            turns[which] += more;
            gate[which] = closed > gate[which] ? closed : gate[which];
        }
    }
    tell("bare device, alone", where, median_of(bare[0], options->rounds), 0, 0, figures);
    tell("bare device, beside writes", where, median_of(bare[1], options->rounds), 0, 0, figures);
    for (unsigned which = 0; which < BESIDES; which++) {
        tell(besides[which].name, where, median_of(library[which], options->rounds), turns[which], gate[which],
             figures);
    }
}

void part_tails(const struct options *options, json_t *figures) {
    printf("%-28s %-7s %9s %9s %9s %9s %8s %10s\n", "clean writes of 4 KiB, us", "where", "p50", "p99", "p99.9", "most",
           "turns", "gate, most");
    for (unsigned where = 0; where < WHERE_COUNT; where++) {
        struct devices devices;
        if (where == WHERE_TMPFS || !bench_wanted_where(options, (enum where)where) ||
            !devices_open(&devices, (enum where)where, options->folder, (uint64_t)ORIGIN_MIB * BENCH_MIB,
                          (uint64_t)STORE_MIB * BENCH_MIB)) {
            continue;
        }
        run_where(options, (enum where)where, &devices, figures);
        devices_close(&devices);
    }
}
