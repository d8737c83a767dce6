/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See ahead.h. Looked at are aligned windows around the write, of two blocks up to 256 KiB. A window is worth taking if
 * REASONS says that enough of it is written, or if as many blocks as it has, just before it or just behind it, all are.
 * The widest one that is worth it is taken: all its blocks that need preserving, in one request each to origin and store.
 */
#include "ahead.h"

#include "preserve_plan.h"

#include <string.h>

enum {
    WINDOW_BYTES = 262144,
    WINDOW_LEVELS = 6, /* 64 blocks */
    FREE_SHARE = 4,    /* of the store: no less must be free */
    UNUSED_SHARE = 2   /* of what is free: no more may be unused */
};

/* Written blocks, the write's own among them, that make a window of 2^level blocks worth taking. An eighth is far above
 * what writes far from each other reach, one in 16 blocks. */
static const unsigned REASONS[WINDOW_LEVELS + 1] = {0, 2, 2, 3, 4, 5, 6};

/* Blocks of one run from `first` on. */
struct surroundings {
    uint64_t first;
    unsigned count;
    bool written[SSN_RUN_BLOCKS];
    bool missing[SSN_RUN_BLOCKS]; /* would be preserved with its data */
};

static unsigned widest_level(const struct selsnap *ss) {
    unsigned level = 0;
    while (level < WINDOW_LEVELS && ((uint64_t)ss->block_bytes << (level + 1)) <= WINDOW_BYTES) {
        level++;
    }
    return level;
}

static bool has_room(struct selsnap *ss) {
    uint64_t version = ssn_need_version(&ss->need);
    if (atomic_exchange(&ss->ahead.version, version) != version) {
        atomic_store(&ss->ahead.unused, 0); /* to a newer snapshot what was taken before is nothing */
    }
    uint64_t all;
    uint64_t room = ssn_store_room(ss->store, &all);
    return room >= all / FREE_SHARE && atomic_load(&ss->ahead.unused) * ss->block_pages <= room / UNUSED_SHARE;
}

/* The widest window around the write, and one as wide on each side, as far as the run goes. Written counts what may be, by
 * the need bits alone: what is not designated has a clear one, too. */
static void look_at_bits(struct selsnap *ss, const struct ssn_stretch *own, unsigned level, struct surroundings *ret) {
    uint64_t run_first = own->first / SSN_RUN_BLOCKS * SSN_RUN_BLOCKS;
    uint64_t run_end = ssn_min_u64(run_first + SSN_RUN_BLOCKS, ss->block_count);
    uint64_t width = UINT64_C(1) << level;
    uint64_t window = own->first / width * width;
    ret->first = window - run_first < width ? run_first : window - width;
    ret->count = (unsigned)(ssn_min_u64(window + 2 * width, run_end) - ret->first);
    uint64_t bits = 0;
    for (unsigned i = 0; i < ret->count; i++) {
        uint64_t block = ret->first + i;
        if (i == 0 || block % 64 == 0) {
            bits = ssn_need_bits(&ss->need, block / 64 * 64);
        }
        ret->written[i] = (bits >> (block % 64) & 1) == 0;
    }
    for (unsigned i = 0; i < own->count; i++) {
        ret->written[own->first + i - ret->first] = true;
    }
}

/* Then by the index. */
static int look_at_index(struct selsnap *ss, const struct ssn_stretch *own, struct surroundings *ret) {
    const struct ssn_stretch stretch = {ret->first, ret->count};
    struct ssn_plan *plan = ssn_plan_make(ss, &stretch, 1);
    if (plan == NULL) {
        return SELSNAP_ENOMEM;
    }
    int rc = ssn_plan_ask(plan, NULL, UINT64_MAX);
    for (unsigned i = 0; rc == SELSNAP_OK && i < ret->count; i++) {
        ret->missing[i] = plan->kind[i] == SSN_ENTRY_DATA;
        bool is_own = ret->first + i >= own->first && ret->first + i < own->first + own->count;
        ret->written[i] = ret->written[i] && (is_own || (plan->kind[i] == SSN_ENTRY_NONE && plan->had[i] != 0));
    }
    ssn_free(&ss->mem, plan);
    return rc;
}

static unsigned count_written(const struct surroundings *around, uint64_t first, uint64_t count) {
    unsigned written = 0;
    for (uint64_t b = first; b < first + count; b++) {
        written += b >= around->first && b < around->first + around->count && around->written[b - around->first];
    }
    return written;
}

static bool worth_it(const struct surroundings *around, uint64_t window, unsigned level) {
    uint64_t width = UINT64_C(1) << level;
    return count_written(around, window, width) >= REASONS[level] ||
           (window >= width && count_written(around, window - width, width) == width) ||
           count_written(around, window + width, width) == width;
}

/* The greatest level, at most `level`, of a window that holds the write and is worth it; 0: none. */
static unsigned best_level(const struct surroundings *around, const struct ssn_stretch *own, unsigned level) {
    for (; level > 0; level--) {
        uint64_t window = own->first >> level << level;
        if (own->first + own->count <= window + (UINT64_C(1) << level) && worth_it(around, window, level)) {
            return level;
        }
    }
    return 0;
}

/* From the first to the last block of the window that would be preserved, or is to be. */
static struct ssn_stretch trim(const struct surroundings *around, const struct ssn_stretch *own, uint64_t window,
                               uint64_t end) {
    uint64_t from = own->first;
    uint64_t to = own->first + own->count;
    uint64_t known_end = around->first + around->count;
    for (uint64_t b = ssn_max_u64(window, around->first); b < ssn_min_u64(end, known_end); b++) {
        if (around->missing[b - around->first]) {
            from = ssn_min_u64(from, b);
            to = ssn_max_u64(to, b + 1);
        }
    }
    return (struct ssn_stretch){from, (unsigned)(to - from)};
}

bool ssn_ahead_choose(struct selsnap *ss, const struct ssn_stretch *own, struct ssn_stretch *ret_wider) {
    unsigned level = widest_level(ss);
    /* While a restore runs, more blocks would have to be copied back first. */
    if (!ss->ahead.on || own->count >= 1u << level || !has_room(ss) || atomic_load(&ss->catalogue.active_jobs) != 0) {
        return false;
    }
    struct surroundings around;
    memset(&around, 0, sizeof around);
    look_at_bits(ss, own, level, &around);
    level = best_level(&around, own, level);
    /* A failure to read the index there: the write's own blocks will tell. */
    if (level == 0 || look_at_index(ss, own, &around) != SELSNAP_OK) {
        return false;
    }
    level = best_level(&around, own, level);
    if (level == 0) {
        return false;
    }
    uint64_t window = own->first >> level << level;
    *ret_wider = trim(&around, own, window, window + (UINT64_C(1) << level));
    return ret_wider->count > own->count;
}

void ssn_ahead_taken(struct selsnap *ss, uint64_t blocks) {
    atomic_fetch_add(&ss->ahead.unused, blocks);
    ssn_count(&ss->count.blocks_ahead, blocks);
}

void ssn_ahead_used(struct selsnap *ss, uint64_t blocks) {
    uint64_t unused = atomic_load(&ss->ahead.unused);
    while (!atomic_compare_exchange_weak(&ss->ahead.unused, &unused, unused - ssn_min_u64(unused, blocks))) {
    }
}
