/* SPDX-License-Identifier: Apache-2.0 */
/* See world.h. What threads do to the live device, and steps, checks, dumps. */
#include "test.h"
#include "world.h"

#include <string.h>

bool work_result(struct worker *worker, const char *what, int code, const int *allowed) {
    struct world *w = worker->world;
    if (code == SELSNAP_OK) {
        return true;
    }
    if (w->breaks && (code == SELSNAP_EIO || code == SELSNAP_ESTORE)) {
        worker->limit = worker->done + 1;
        return false;
    }
    if (code == SELSNAP_ENOSPACE) {
        atomic_fetch_add(&w->refused, 1);
    }
    while (allowed != NULL && *allowed != 0) {
        if (*allowed++ == code && (code != SELSNAP_ENOSPACE || w->config->fills)) {
            return false;
        }
    }
    world_fail(w, "%s: %s", what, selsnap_error_name(code));
}

static const int may_fill[] = {SELSNAP_ENOSPACE, 0};

/* A range of sectors: now and then one, some, whole blocks, many. */
static void choose_range(struct worker *worker, uint64_t *ret_first, uint64_t *ret_count) {
    struct world *w = worker->world;
    uint64_t most = (uint64_t)WORLD_IO_BLOCKS * w->block_sectors;
    uint64_t count = 1;
    uint64_t first = prng_below(&worker->prng, w->sectors);
    switch (prng_below(&worker->prng, 4)) {
    case 0:
        count = 1 + prng_below(&worker->prng, w->block_sectors);
        break;
    case 1:
        first -= first % w->block_sectors;
        count = w->block_sectors;
        break;
    case 2:
        first -= first % w->block_sectors;
        count = (1 + prng_below(&worker->prng, 6)) * w->block_sectors;
        break;
    default:
        count = 1 + prng_below(&worker->prng, most);
        break;
    }
    *ret_first = first;
    *ret_count = count < w->sectors - first ? count : w->sectors - first;
}

static void do_write(struct worker *worker) {
    struct world *w = worker->world;
    struct op op = {.kind = OP_WRITE};
    choose_range(worker, &op.first, &op.count);
    world_begin(worker, &op);
    size_t len = (size_t)(op.count * PATTERN_SECTOR);
    pattern_fill(worker->buf, len, op.first * PATTERN_SECTOR, worker->number + 1, op.content);
    int code;
    if (prng_percent(&worker->prng, 20)) {
        size_t part = (size_t)prng_below(&worker->prng, op.count + 1) * PATTERN_SECTOR;
        const selsnap_iovec iov[2] = {{worker->buf, part}, {worker->buf + part, len - part}};
        code = selsnap_writev(w->ss, iov, 2, op.first * PATTERN_SECTOR);
    } else {
        code = selsnap_write(w->ss, worker->buf, len, op.first * PATTERN_SECTOR);
    }
    world_end(worker, &op, work_result(worker, "write", code, may_fill) ? HISTORY_DONE : HISTORY_MAYBE);
}

static void do_zeroes(struct worker *worker) {
    struct op op = {.kind = OP_ZEROES, .content = CONTENT_ZERO};
    choose_range(worker, &op.first, &op.count);
    world_begin(worker, &op);
    int code = selsnap_write_zeroes(worker->world->ss, op.first * PATTERN_SECTOR, (size_t)(op.count * PATTERN_SECTOR));
    world_end(worker, &op, work_result(worker, "write zeroes", code, may_fill) ? HISTORY_DONE : HISTORY_MAYBE);
}

/* Whole blocks of the range may change, or not. */
static void do_discard(struct worker *worker) {
    struct world *w = worker->world;
    struct op op = {.kind = OP_DISCARD, .content = w->discarded};
    uint64_t first;
    uint64_t count;
    choose_range(worker, &first, &count);
    uint64_t block = (first + w->block_sectors - 1) / w->block_sectors;
    uint64_t end = first + count == w->sectors ? w->blocks : (first + count) / w->block_sectors;
    if (block < end) {
        op.first = block * w->block_sectors;
        uint64_t stop = end * w->block_sectors;
        op.count = (stop < w->sectors ? stop : w->sectors) - op.first;
    }
    world_begin(worker, &op);
    int code = selsnap_discard(w->ss, first * PATTERN_SECTOR, count * PATTERN_SECTOR);
    (void)work_result(worker, "discard", code, NULL);
    world_end(worker, &op, HISTORY_MAYBE);
}

static void do_read(struct worker *worker) {
    struct world *w = worker->world;
    uint64_t first;
    uint64_t count;
    choose_range(worker, &first, &count);
    uint64_t from = world_tick(w);
    int code = selsnap_read(w->ss, worker->buf, (size_t)(count * PATTERN_SECTOR), first * PATTERN_SECTOR);
    uint64_t to = world_tick(w);
    if (!work_result(worker, "read", code, NULL)) {
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *at = worker->buf + i * PATTERN_SECTOR;
        if (!history_read(w->live, first + i, world_content(w, at, first + i), from, to)) {
            world_wrong(w, "a read of the live device", w->live, first + i, at, from, to);
        }
    }
}

static void do_flush(struct worker *worker) {
    struct op op = {.kind = OP_FLUSH};
    world_begin(worker, &op);
    int code = selsnap_flush(worker->world->ss);
    world_end(worker, &op, work_result(worker, "flush", code, NULL) ? HISTORY_DONE : HISTORY_NEVER);
}

void work_live(struct worker *worker) {
    uint64_t dice = prng_below(&worker->prng, 100);
    if (dice < 58) {
        do_write(worker);
    } else if (dice < 62) {
        do_zeroes(worker);
    } else if (dice < 66) {
        do_discard(worker);
    } else if (dice < 94) {
        do_read(worker);
    } else {
        do_flush(worker);
    }
}

/* ---- upkeep ---- */

static int stop_at_problem(void *user, const char *line) {
    struct world *w = user;
    if (!w->breaks) {
        world_fail(w, "selsnap_check() beside all else: %s", line);
    }
    return 0; /* what cannot be read is a problem, too */
}

static int count_line(void *user, const char *line) {
    *(uint64_t *)user += line[0] != '\0';
    return 0;
}

static void do_check(struct worker *worker) {
    selsnap_check_result result = {0};
    result.struct_size = sizeof result;
    int code = selsnap_check(worker->world->ss, stop_at_problem, worker->world, NULL, NULL, &result);
    (void)work_result(worker, "check", code, NULL);
}

static void do_dump(struct worker *worker) {
    uint64_t lines = 0;
    int code = selsnap_dump(worker->world->ss, count_line, &lines);
    if (work_result(worker, "dump", code, NULL)) {
        WORLD_CHECK(worker->world, lines > 0);
    }
}

static void do_stats(struct worker *worker) {
    struct world *w = worker->world;
    selsnap_stats stats = SELSNAP_STATS_INIT;
    assert_ok(selsnap_get_stats(w->ss, &stats));
    WORLD_CHECK(w, stats.memory_bytes <= stats.memory_limit_bytes && stats.store_used_bytes <= stats.store_bytes &&
                       stats.snapshots <= WORLD_SHOTS);
}

void work_upkeep(struct worker *worker) {
    static const int allowed[] = {SELSNAP_EBUSY, SELSNAP_ENOSPACE, 0};
    uint64_t dice = prng_below(&worker->prng, 100);
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    if (dice < 4) {
        do_check(worker);
    } else if (dice < 6) {
        do_dump(worker);
    } else if (dice < 12) {
        do_stats(worker);
    } else {
        uint32_t more = 0;
        options.flags = (uint32_t)prng_below(&worker->prng, 8);
        options.budget_blocks = 1 + prng_below(&worker->prng, 200);
        (void)work_result(worker, "step", selsnap_step(worker->world->ss, &options, &more), allowed);
    }
}
