/* SPDX-License-Identifier: Apache-2.0 */
/* See world.h. Snapshots made, deleted, restored. */
#include "test.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

/* ---- making ---- */

static void cover_range(uint8_t *cover, uint64_t first, uint64_t count) {
    for (uint64_t block = first; block < first + count; block++) {
        cover[block / 8] |= (uint8_t)(1u << (block % 8));
    }
}

/* A new subset: all, one range, or several. */
static selsnap_subset *choose_subset(struct worker *worker, uint8_t *cover) {
    struct world *w = worker->world;
    selsnap_subset *subset = NULL;
    assert_ok(selsnap_subset_open_for(w->ss, &subset));
    unsigned ranges = prng_percent(&worker->prng, 20) ? 0 : 1 + (unsigned)prng_below(&worker->prng, 5);
    for (unsigned i = 0; i < (ranges == 0 ? 1 : ranges); i++) {
        uint64_t first = ranges == 0 ? 0 : prng_below(&worker->prng, w->blocks);
        uint64_t count = ranges == 0 ? w->blocks : 1 + prng_below(&worker->prng, (w->blocks - first) / ranges + 1);
        count = count < w->blocks - first ? count : w->blocks - first;
        uint64_t offset = first * w->config->block_bytes;
        uint64_t len = count * w->config->block_bytes;
        uint64_t size = w->config->origin_bytes;
        assert_ok(selsnap_subset_add(subset, offset, len < size - offset ? len : size - offset));
        cover_range(cover, first, count);
    }
    return subset;
}

/* The thread's own designation, and what it covers. false: there is none. */
static bool load_designation(struct worker *worker, const char *name, uint8_t *cover) {
    struct world *w = worker->world;
    static const int may_be_missing[] = {SELSNAP_ENOENT, 0};
    selsnap_subset *subset = NULL;
    selsnap_range range;
    uint64_t at = 0;
    if (!work_result(worker, "load", selsnap_designation_load(w->ss, name, &subset), may_be_missing)) {
        return false;
    }
    while (selsnap_subset_next(subset, at, &range) == SELSNAP_OK) {
        uint64_t first = range.offset / w->config->block_bytes;
        at = range.offset + range.len;
        cover_range(cover, first, (at + w->config->block_bytes - 1) / w->config->block_bytes - first);
    }
    selsnap_subset_close(subset);
    return true;
}

/* What to make; *ret_subset is to be closed. false: not now. */
static bool choose_what(struct worker *worker, selsnap_snapshot_options *options, char *designation, size_t len,
                        uint8_t *cover, selsnap_subset **ret_subset) {
    static const int may_fill[] = {SELSNAP_ENOSPACE, 0};
    struct world *w = worker->world;
    snprintf(designation, len, "d%u", worker->number);
    *ret_subset = NULL;
    if (prng_percent(&worker->prng, 40)) {
        *ret_subset = choose_subset(worker, cover);
        options->subset = *ret_subset;
        return true;
    }
    options->designation = designation;
    if (prng_percent(&worker->prng, 85) && load_designation(worker, designation, cover)) {
        return true;
    }
    memset(cover, 0, WORLD_COVER);
    *ret_subset = choose_subset(worker, cover);
    return work_result(worker, "save", selsnap_designation_save(w->ss, designation, *ret_subset, NULL), may_fill);
}

/* The first reading of a new snapshot, beside all that goes on. */
static void first_look(struct worker *worker, struct shot *shot) {
    struct world *w = worker->world;
    enum shot_state state = SHOT_READY;
    if (shot_load(w, shot, worker->buf)) {
        shot_check_cut(w, shot, shot->begin, shot->end);
    } else {
        worker->limit = worker->done + 1;
        state = SHOT_BUSY; /* looked at again after the crash */
    }
    pthread_mutex_lock(&w->lock);
    shot->state = state;
    shot->pins--;
    pthread_mutex_unlock(&w->lock);
}

void work_create(struct worker *worker) {
    static const int may_fill[] = {SELSNAP_ENOSPACE, 0};
    struct world *w = worker->world;
    struct shot *shot = shot_take(w);
    if (shot == NULL) {
        return;
    }
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_subset *subset = NULL;
    char name[32];
    char designation[32];
    world_name(shot->number, name, sizeof name);
    options.name = name;
    options.policy =
        prng_percent(&worker->prng, w->config->give_up) ? SELSNAP_POLICY_GIVE_UP_BLOCK : SELSNAP_POLICY_FAIL_WRITE;
    shot->policy = options.policy;
    int code = SELSNAP_ENOENT;
    if (choose_what(worker, &options, designation, sizeof designation, shot->cover, &subset)) {
        struct op op = {.kind = OP_CREATE, .shot = shot->number, .policy = shot->policy};
        memcpy(op.cover, shot->cover, sizeof op.cover);
        world_begin(worker, &op);
        shot->begin = op.begin;
        code = selsnap_snapshot_create(w->ss, &options, &shot->id);
        bool made = work_result(worker, "create", code, may_fill);
        world_end(worker, &op, made ? HISTORY_DONE : code == SELSNAP_ENOSPACE ? HISTORY_NEVER : HISTORY_MAYBE);
        shot->end = made ? atomic_load(&op.end) : TICK_NEVER;
    }
    selsnap_subset_close(subset);
    if (code == SELSNAP_OK) {
        first_look(worker, shot);
        return;
    }
    pthread_mutex_lock(&w->lock);
    if (code == SELSNAP_EIO || code == SELSNAP_ESTORE) {
        shot->state = SHOT_UNSURE;
    } else {
        shot_free(w, shot);
    }
    pthread_mutex_unlock(&w->lock);
}

/* ---- deleting ---- */

void work_delete(struct worker *worker) {
    static const int allowed[] = {SELSNAP_EBUSY, SELSNAP_ENOENT, 0};
    struct world *w = worker->world;
    struct shot *shot = shot_pick(w, &worker->prng);
    if (shot == NULL) {
        return;
    }
    if (shot->number <= w->keep_above) {
        struct op op = {.kind = OP_DELETE, .shot = shot->number};
        pthread_mutex_lock(&w->lock);
        shot->deleting++;
        pthread_mutex_unlock(&w->lock);
        world_begin(worker, &op);
        int code = selsnap_snapshot_delete(w->ss, shot->id);
        bool deleted = work_result(worker, "delete", code, allowed);
        bool unsure = code == SELSNAP_EIO || code == SELSNAP_ESTORE;
        world_end(worker, &op, deleted ? HISTORY_DONE : unsure ? HISTORY_MAYBE : HISTORY_NEVER);
        WORLD_CHECK(w, code != SELSNAP_ENOENT || shot_may_be_gone(w, shot, 1));
        pthread_mutex_lock(&w->lock);
        WORLD_CHECK(w, !deleted || !shot->gone);
        shot->gone = shot->gone || deleted;
        shot->state = unsure && !shot->gone ? SHOT_UNSURE : shot->state;
        shot->deleting--;
        pthread_mutex_unlock(&w->lock);
    }
    shot_unpin(w, shot);
}

/* ---- restoring ---- */

/* Marks what the source has lost, if it can be told any more. */
static bool note_lost(struct world *w, struct shot *shot) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    uint8_t sector[PATTERN_SECTOR];
    options.id = shot->id;
    options.flags = SELSNAP_VIEW_PRISTINE;
    bool known = world_view_open(w, &options, &view) == SELSNAP_OK;
    for (uint64_t block = 0; known && block < w->blocks; block++) {
        if (world_covers(shot->cover, block)) {
            int code = selsnap_view_read(view, sector, sizeof sector, block * w->config->block_bytes);
            if (code == SELSNAP_ELOST) {
                atomic_store(&shot->lost[block], 1);
            }
            known = code == SELSNAP_OK || code == SELSNAP_ELOST;
        }
    }
    int code = view != NULL ? world_view_close(w, shot, view) : SELSNAP_OK;
    return known && (code == SELSNAP_OK || code == SELSNAP_ENOSPACE);
}

static void restore_of(struct worker *worker, struct shot *shot) {
    static const int allowed[] = {SELSNAP_EBUSY, SELSNAP_ENOENT, SELSNAP_ELOST, SELSNAP_ENOSPACE, SELSNAP_EINVAL, 0};
    struct world *w = worker->world;
    struct op op = {.kind = OP_RESTORE, .shot = shot->number, .count = w->sectors};
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    selsnap_subset *subset = NULL;
    bool gives_up = shot->policy == SELSNAP_POLICY_GIVE_UP_BLOCK;
    bool meets = true;
    if (prng_percent(&worker->prng, 60)) {
        uint64_t first = prng_below(&worker->prng, w->blocks);
        uint64_t count = 1 + prng_below(&worker->prng, w->blocks - first);
        uint64_t end = (first + count) * w->block_sectors;
        op.first = first * w->block_sectors;
        op.count = (end < w->sectors ? end : w->sectors) - op.first;
        meets = false;
        for (uint64_t block = first; block < first + count; block++) {
            meets = meets || world_covers(shot->cover, block);
        }
        assert_ok(selsnap_subset_open_for(w->ss, &subset));
        assert_ok(selsnap_subset_add(subset, op.first * PATTERN_SECTOR, op.count * PATTERN_SECTOR));
    }
    options.id = shot->id;
    options.subset = subset;
    options.flags = prng_percent(&worker->prng, 50) ? SELSNAP_RESTORE_SKIP_LOST : 0;
    world_begin(worker, &op);
    int code = selsnap_restore_start(w->ss, &options, NULL);
    bool begun = work_result(worker, "restore", code, allowed);
    bool unsure = code == SELSNAP_EIO || code == SELSNAP_ESTORE;
    WORLD_CHECK(w, code != SELSNAP_ENOENT || shot_may_be_gone(w, shot, 0));
    WORLD_CHECK(w, code != SELSNAP_ELOST || (gives_up && options.flags == 0));
    WORLD_CHECK(w, (code == SELSNAP_EINVAL && !meets) || (code != SELSNAP_EINVAL && (meets || !begun)));
    enum history_outcome outcome = begun ? HISTORY_DURABLE : unsure ? HISTORY_MAYBE : HISTORY_NEVER;
    if (begun && gives_up && !note_lost(w, shot)) {
        outcome = HISTORY_MAYBE;
    }
    world_end(worker, &op, outcome);
    selsnap_subset_close(subset);
}

/* Runs one that is there, or pauses it, or lets it go on. */
static void restore_on(struct worker *worker) {
    static const int allowed[] = {SELSNAP_EBUSY, SELSNAP_ENOENT, SELSNAP_ENOSPACE, 0};
    struct world *w = worker->world;
    selsnap_restore_info info = {0};
    info.struct_size = sizeof info;
    if (!work_result(worker, "restore next", selsnap_restore_next(w->ss, 0, &info), allowed)) {
        return;
    }
    WORLD_CHECK(w, info.blocks_done <= info.blocks_total);
    uint64_t dice = prng_below(&worker->prng, 3);
    int code = dice == 0 ? selsnap_restore_run(w->ss, info.job, NULL, NULL)
                         : selsnap_restore_pause(w->ss, info.job, dice == 1);
    (void)work_result(worker, "restore run or pause", code, allowed);
}

void work_restore(struct worker *worker) {
    struct shot *shot = prng_percent(&worker->prng, 35) ? shot_pick(worker->world, &worker->prng) : NULL;
    if (shot == NULL) {
        restore_on(worker);
        return;
    }
    restore_of(worker, shot);
    shot_unpin(worker->world, shot);
}
