/* SPDX-License-Identifier: Apache-2.0 */
/* See world.h. Here: making and closing, the clock, contents, and what an operation may have done. */
#include "world.h"

#include "oplog.h"
#include "steadydev.h"
#include "test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void world_fail(struct world *w, const char *format, ...) {
    va_list arguments;
    char text[2048];
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "# %s: %s\n# config %s, seed %" PRIu64 "; again: %s\n", "broken", text, w->config->name, w->seed,
            w->replay);
    if (w->ss != NULL) {
        int code = selsnap_last_error(w->ss, text, sizeof text);
        fprintf(stderr, "# last error: %s: %s\n", selsnap_error_name(code), text);
    }
    fflush(stderr);
    _exit(3);
}

void world_wrong(struct world *w, const char *what, struct history *history, uint64_t sector, const uint8_t *bytes,
                 uint64_t from, uint64_t to) {
    char found[160] = "";
    char allowed[1200];
    if (bytes != NULL) {
        pattern_describe(bytes, found, sizeof found);
    }
    history_describe(history, sector, allowed, sizeof allowed);
    world_fail(w, "%s: sector %" PRIu64 " (block %" PRIu64 ") is %s, at %" PRIu64 "..%" PRIu64 "; it had:%s", what,
               sector, sector / w->block_sectors, found, from, to, allowed);
}

/* ---- making and closing ---- */

void world_init(struct world *w, const struct world_config *config, uint64_t seed, const char *program) {
    memset(w, 0, sizeof *w);
    w->config = config;
    w->seed = seed;
    w->sectors = config->origin_bytes / PATTERN_SECTOR;
    w->block_sectors = config->block_bytes / PATTERN_SECTOR;
    w->blocks = (w->sectors + w->block_sectors - 1) / w->block_sectors;
    w->discarded = CONTENT_ZERO;
    w->keep_above = UINT64_MAX;
    w->next_number = 1;
    w->live = history_new(w->sectors, 0, TICK_NEVER);
    snprintf(w->replay, sizeof w->replay, "%s --config %s --seed %" PRIu64, program, config->name, seed);
    pthread_mutex_init(&w->lock, NULL);
    pthread_rwlock_init(&w->doors, NULL);
    for (unsigned i = 0; i < WORLD_THREADS; i++) {
        atomic_init(&w->active[i], TICK_NEVER);
    }
    assert_true(w->blocks <= WORLD_BLOCKS && config->shots <= WORLD_SHOTS);
}

void world_fini(struct world *w) {
    for (unsigned i = 0; i < WORLD_SHOTS; i++) {
        if (w->shot[i].state != SHOT_FREE) {
            shot_free(w, &w->shot[i]);
        }
    }
    history_free(w->live);
    pthread_mutex_destroy(&w->lock);
    pthread_rwlock_destroy(&w->doors);
}

void world_format(struct world *w) {
    selsnap_format_options options = SELSNAP_FORMAT_OPTIONS_INIT;
    uint8_t *buf = malloc((size_t)w->config->origin_bytes);
    assert_non_null(buf);
    pattern_fill(buf, (size_t)w->config->origin_bytes, 0, 0, 0);
    assert_ok(selsnap_device_write(w->origin, buf, (size_t)w->config->origin_bytes, 0));
    assert_ok(selsnap_device_flush(w->origin));
    free(buf);
    options.block_bytes = w->config->block_bytes;
    options.journal_bytes = w->config->journal_bytes;
    assert_ok(selsnap_format(w->store, w->origin, &options));
}

void world_open(struct world *w) {
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    char message[256] = "";
    options.allocator = heap_allocator(&w->heap);
    options.deferred_bytes = (uint64_t)w->config->deferred * w->config->block_bytes;
    options.ret_message = message;
    options.message_size = sizeof message;
    int code = selsnap_open(w->store, w->origin, &options, &w->ss);
    if (code != SELSNAP_OK) {
        world_fail(w, "open: %s: %s", selsnap_error_name(code), message);
    }
}

int world_close(struct world *w) {
    int code = selsnap_close(w->ss);
    WORLD_CHECK(w, code != SELSNAP_EBUSY);
    w->ss = NULL;
    WORLD_CHECK(w, w->heap.live == 0);
    return code;
}

void world_close_devices(struct world *w) {
    selsnap_device_close(w->origin);
    selsnap_device_close(w->store);
    w->origin = NULL;
    w->store = NULL;
}

/* ---- time ---- */

uint64_t world_tick(struct world *w) {
    return atomic_fetch_add(&w->clock, 1) + 1;
}

uint64_t world_floor(struct world *w) {
    uint64_t floor = atomic_load(&w->clock);
    for (unsigned i = 0; i < WORLD_THREADS; i++) {
        uint64_t active = atomic_load(&w->active[i]);
        floor = active < floor ? active : floor;
    }
    return floor;
}

/* ---- contents ---- */

static bool all_bytes(const uint8_t *bytes, uint8_t value) {
    return bytes[0] == value && memcmp(bytes, bytes + 1, PATTERN_SECTOR - 1) == 0;
}

uint64_t world_content(const struct world *w, const uint8_t *sector, uint64_t number) {
    struct pattern pattern;
    if (all_bytes(sector, 0)) {
        return CONTENT_ZERO;
    }
    if (w->discarded == CONTENT_DISCARDED && all_bytes(sector, 0xdd)) {
        return CONTENT_DISCARDED;
    }
    return pattern_read(sector, &pattern) && pattern.sector == number ? pattern.sequence : CONTENT_BAD;
}

void world_name(uint64_t number, char *name, size_t name_len) {
    snprintf(name, name_len, "s%" PRIu64, number);
}

bool world_covers(const uint8_t *cover, uint64_t block) {
    return (cover[block / 8] >> (block % 8) & 1) != 0;
}

/* ---- operations ---- */

/* The sectors of block `block` that lie in first .. first + count - 1. */
static uint64_t part_of_block(const struct world *w, uint64_t block, uint64_t first, uint64_t count,
                              uint64_t *ret_first) {
    uint64_t begin = block * w->block_sectors;
    uint64_t end = begin + w->block_sectors;
    begin = begin > first ? begin : first;
    end = end < first + count ? end : first + count;
    *ret_first = begin;
    return end > begin ? end - begin : 0;
}

static struct history *history_of(struct world *w, const struct op *op, struct shot *shot) {
    return op->kind == OP_WRITE || op->kind == OP_ZEROES || op->kind == OP_DISCARD ? w->live : shot->overlay;
}

static void apply_begin(struct world *w, const struct op *op, struct shot *shot, uint64_t floor) {
    switch (op->kind) {
    case OP_WRITE:
    case OP_ZEROES:
    case OP_DISCARD:
    case OP_VIEW_WRITE:
    case OP_VIEW_ZEROES:
    case OP_VIEW_RESET:
        history_begin(history_of(w, op, shot), op->first, op->count, NULL, op->content, op->begin, floor);
        break;
    case OP_RESTORE:
        for (uint64_t block = 0; block < w->blocks; block++) {
            uint64_t first;
            uint64_t count = part_of_block(w, block, op->first, op->count, &first);
            if (count > 0 && world_covers(shot->cover, block)) {
                history_begin(w->live, first, count, shot->frozen + first, 0, op->begin, floor);
            }
        }
        break;
    default:
        break;
    }
}

static void end_restore(struct world *w, const struct op *op, struct shot *shot, uint64_t tick,
                        enum history_outcome outcome) {
    for (uint64_t block = 0; block < w->blocks; block++) {
        uint64_t first;
        uint64_t count = part_of_block(w, block, op->first, op->count, &first);
        if (count > 0 && world_covers(shot->cover, block)) {
            bool lost = atomic_load(&shot->lost[block]) != 0 && outcome != HISTORY_NEVER;
            history_end(w->live, first, count, op->begin, tick, lost ? HISTORY_MAYBE : outcome);
        }
    }
}

static void apply_end(struct world *w, const struct op *op, struct shot *shot, uint64_t tick,
                      enum history_outcome outcome) {
    bool done = outcome == HISTORY_DONE || outcome == HISTORY_DURABLE;
    switch (op->kind) {
    case OP_WRITE:
    case OP_ZEROES:
    case OP_DISCARD:
    case OP_VIEW_WRITE:
    case OP_VIEW_ZEROES:
    case OP_VIEW_RESET:
        history_end(history_of(w, op, shot), op->first, op->count, op->begin, tick, outcome);
        break;
    case OP_RESTORE:
        end_restore(w, op, shot, tick, outcome);
        break;
    case OP_FLUSH:
    case OP_CREATE: /* what was acknowledged before it is durable with it */
        if (done) {
            history_flushed(w->live, op->begin);
        }
        break;
    case OP_VIEW_FLUSH:
        if (done) {
            history_flushed(shot->overlay, op->begin);
        }
        break;
    default:
        break;
    }
}

void world_begin(struct worker *worker, struct op *op) {
    struct world *w = worker->world;
    op->begin = world_tick(w);
    atomic_store(&op->end, TICK_NEVER);
    op->content = op->kind == OP_WRITE || op->kind == OP_VIEW_WRITE ? op->begin : op->content;
    apply_begin(w, op, op->shot != 0 ? shot_find(w, op->shot) : NULL, world_floor(w));
    oplog_begin(w->log, worker->number, op);
}

void world_end(struct worker *worker, struct op *op, enum history_outcome outcome) {
    struct world *w = worker->world;
    uint64_t tick = world_tick(w);
    op->outcome = outcome;
    oplog_end(w->log, worker->number, tick, outcome);
    apply_end(w, op, op->shot != 0 ? shot_find(w, op->shot) : NULL, tick, outcome);
    atomic_store(&op->end, tick);
}

void world_replay(struct world *w, const struct op *op, uint64_t now) {
    uint64_t end = atomic_load(&op->end);
    struct shot *shot = op->shot != 0 ? shot_find(w, op->shot) : NULL;
    apply_begin(w, op, shot, 0);
    apply_end(w, op, shot, end == TICK_NEVER ? now : end, end == TICK_NEVER ? HISTORY_MAYBE : op->outcome);
}

/* ---- threads ---- */

/* In percent: changes and reads of the live device, views, creates, deletes, restores; the rest is upkeep. */
static const unsigned usual_mix[] = {62, 18, 4, 3, 4};
static const unsigned restore_mix[] = {48, 8, 9, 9, 12};

static void work_once(struct worker *worker) {
    static void (*const doing[])(struct worker *) = {work_live, work_view, work_create, work_delete, work_restore};
    const unsigned *mix = worker->world->config->restores ? restore_mix : usual_mix;
    uint64_t dice = prng_below(&worker->prng, 100);
    for (unsigned i = 0; i < sizeof doing / sizeof doing[0]; i++) {
        if (dice < mix[i]) {
            doing[i](worker);
            return;
        }
        dice -= mix[i];
    }
    work_upkeep(worker);
}

static void *work(void *argument) {
    struct worker *worker = argument;
    struct world *w = worker->world;
    while (!atomic_load(&w->stop) && (worker->limit == 0 || worker->done < worker->limit)) {
        atomic_store(&w->active[worker->number], atomic_load(&w->clock));
        work_once(worker);
        worker->done++;
        atomic_fetch_add(&w->operations, 1);
        oplog_count(w->log);
    }
    return NULL;
}

void world_run(struct world *w, unsigned threads, uint64_t limit, uint64_t seed) {
    struct worker workers[WORLD_THREADS];
    assert_true(threads <= WORLD_THREADS);
    for (unsigned i = 0; i < threads; i++) {
        struct worker *worker = &workers[i];
        memset(worker, 0, sizeof *worker);
        worker->world = w;
        worker->number = i;
        worker->prng = prng_init(seed * 1000 + i);
        worker->limit = limit;
        worker->buf = malloc((size_t)WORLD_IO_BLOCKS * w->config->block_bytes);
        assert_non_null(worker->buf);
        assert_int_equal(pthread_create(&worker->thread, NULL, work, worker), 0);
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        free(workers[i].buf);
    }
    for (unsigned i = 0; i < WORLD_THREADS; i++) {
        atomic_store(&w->active[i], TICK_NEVER);
    }
}
