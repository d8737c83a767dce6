/* SPDX-License-Identifier: Apache-2.0 */
/* See world.h. What threads do with views. */
#include "test.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A view at work. */
struct look {
    struct worker *worker;
    struct shot *shot;
    selsnap_view *view;
    uint32_t flags;
    uint32_t undesignated;
    uint64_t first, count; /* sectors in buf */
    uint64_t from, to;     /* when they were read */
};

/* ---- reading ---- */

/* A sector of the overlay: what it was written with, or the frozen content where nobody wrote since. */
static bool overlay_allows(struct look *look, uint64_t sector, uint64_t content) {
    struct shot *shot = look->shot;
    if (content != shot->frozen[sector]) {
        return history_read(shot->overlay, sector, content, look->from, look->to);
    }
    /* Zeros may be both, and then tell nothing. */
    return content == CONTENT_ZERO || history_read(shot->overlay, sector, CONTENT_FROZEN, look->from, look->to);
}

static void check_sector(struct look *look, uint64_t sector, const uint8_t *at) {
    struct world *w = look->worker->world;
    struct shot *shot = look->shot;
    uint64_t content = world_content(w, at, sector);
    if (!world_covers(shot->cover, sector / w->block_sectors)) {
        if (look->undesignated == SELSNAP_UNDESIGNATED_ZEROS) {
            WORLD_CHECK(w, content == CONTENT_ZERO);
        } else if (!history_read(w->live, sector, content, look->from, look->to)) {
            world_wrong(w, "the live device, through a view", w->live, sector, at, look->from, look->to);
        }
        return;
    }
    bool pristine = look->flags == SELSNAP_VIEW_PRISTINE;
    bool allowed = pristine ? content == shot->frozen[sector] : overlay_allows(look, sector, content);
    if (!allowed) {
        char text[160];
        snprintf(text, sizeof text,
                 "snapshot s%" PRIu64 "%s, which was taken with %" PRId64 " (at %" PRIu64 "..%" PRIu64 ")",
                 shot->number, pristine ? "" : "'s overlay", (int64_t)shot->frozen[sector], shot->begin, shot->end);
        world_wrong(w, text, pristine ? w->live : shot->overlay, sector, at, look->from, look->to);
    }
}

/* Reads what look->first and count say; block by block where one of several is lost. */
static void read_some(struct look *look) {
    struct worker *worker = look->worker;
    struct world *w = worker->world;
    static const int may_be_lost[] = {SELSNAP_ELOST, 0};
    uint64_t first = look->first;
    uint64_t count = look->count;
    look->from = world_tick(w);
    int code = selsnap_view_read(look->view, worker->buf, (size_t)(count * PATTERN_SECTOR), first * PATTERN_SECTOR);
    look->to = world_tick(w);
    bool gives_up = look->shot->policy == SELSNAP_POLICY_GIVE_UP_BLOCK;
    if (code == SELSNAP_ELOST && gives_up && count > 1) {
        for (uint64_t i = 0; i < count; i += w->block_sectors) {
            look->first = first + i;
            look->count = 1;
            read_some(look);
        }
        return;
    }
    if (!work_result(worker, "view read", code, gives_up ? may_be_lost : NULL)) {
        if (code == SELSNAP_ELOST) {
            atomic_store(&look->shot->lost[first / w->block_sectors], 1);
        }
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t sector = first + i;
        /* What was lost when it was first read is known to nobody. */
        WORLD_CHECK(w, !world_covers(look->shot->cover, sector / w->block_sectors) ||
                           look->shot->frozen[sector] != CONTENT_LOST || look->flags != SELSNAP_VIEW_PRISTINE);
        check_sector(look, sector, worker->buf + i * PATTERN_SECTOR);
    }
}

/* A range of sectors inside the subset where the view asks for that. false: none was found. */
static bool choose_part(struct look *look, bool covered) {
    struct worker *worker = look->worker;
    struct world *w = worker->world;
    uint64_t sector = prng_below(&worker->prng, w->sectors);
    uint64_t most = 1 + prng_below(&worker->prng, 8 * w->block_sectors);
    if (prng_percent(&worker->prng, 40)) {
        sector -= sector % w->block_sectors;
        most = (most + w->block_sectors - 1) / w->block_sectors * w->block_sectors;
    }
    for (unsigned i = 0; covered && i < 64 && !world_covers(look->shot->cover, sector / w->block_sectors); i++) {
        sector = (sector / w->block_sectors + 1) * w->block_sectors % w->sectors;
    }
    uint64_t n = 0;
    while (n < most && sector + n < w->sectors &&
           (!covered || world_covers(look->shot->cover, (sector + n) / w->block_sectors))) {
        n++;
    }
    look->first = sector;
    look->count = n;
    return n > 0;
}

/* ---- writing ---- */

static void view_change(struct look *look, enum op_kind kind) {
    static const int allowed[] = {SELSNAP_ENOSPACE, SELSNAP_ELOST, 0};
    struct worker *worker = look->worker;
    struct world *w = worker->world;
    struct op op = {
        .kind = kind, .content = CONTENT_ZERO, .first = look->first, .count = look->count, .shot = look->shot->number};
    int code;
    size_t len = (size_t)(op.count * PATTERN_SECTOR);
    world_begin(worker, &op);
    if (kind == OP_VIEW_WRITE) {
        pattern_fill(worker->buf, len, op.first * PATTERN_SECTOR, worker->number + 1, op.content);
        code = selsnap_view_write(look->view, worker->buf, len, op.first * PATTERN_SECTOR);
    } else {
        code = selsnap_view_discard(look->view, op.first * PATTERN_SECTOR, len);
    }
    WORLD_CHECK(w, code != SELSNAP_ELOST || look->shot->policy == SELSNAP_POLICY_GIVE_UP_BLOCK);
    world_end(worker, &op, work_result(worker, "view write", code, allowed) ? HISTORY_DONE : HISTORY_MAYBE);
}

static void view_reset(struct look *look) {
    struct worker *worker = look->worker;
    struct op op = {
        .kind = OP_VIEW_RESET, .content = CONTENT_FROZEN, .count = worker->world->sectors, .shot = look->shot->number};
    world_begin(worker, &op);
    bool done = work_result(worker, "view reset", selsnap_view_reset(look->view), NULL);
    world_end(worker, &op, done ? HISTORY_DURABLE : HISTORY_MAYBE);
}

static void view_flush(struct look *look) {
    static const int allowed[] = {SELSNAP_ENOSPACE, 0};
    struct op op = {.kind = OP_VIEW_FLUSH, .shot = look->shot->number};
    world_begin(look->worker, &op);
    bool done = work_result(look->worker, "view flush", selsnap_view_flush(look->view), allowed);
    world_end(look->worker, &op, done ? HISTORY_DONE : HISTORY_NEVER);
}

static void view_end(struct look *look) {
    static const int allowed[] = {SELSNAP_ENOSPACE, 0};
    struct op op = {.kind = OP_VIEW_FLUSH, .shot = look->shot->number};
    world_begin(look->worker, &op);
    int code = world_view_close(look->worker->world, look->shot, look->view);
    bool done = work_result(look->worker, "view close", code, allowed);
    world_end(look->worker, &op, done ? HISTORY_DONE : HISTORY_NEVER);
}

/* ---- one visit ---- */

int world_view_open(struct world *w, const selsnap_view_options *options, selsnap_view **ret_view) {
    pthread_rwlock_rdlock(&w->doors);
    int code = selsnap_view_open(w->ss, options, ret_view);
    pthread_rwlock_unlock(&w->doors);
    return code;
}

int world_view_close(struct world *w, struct shot *shot, selsnap_view *view) {
    if (w->config->fills) {
        pthread_rwlock_wrlock(&w->doors);
    }
    int code = selsnap_view_close(view);
    if (code != SELSNAP_OK) {
        history_doubt(shot->overlay);
    }
    if (w->config->fills) {
        pthread_rwlock_unlock(&w->doors);
    }
    return code;
}

static bool view_begin(struct look *look) {
    struct worker *worker = look->worker;
    struct world *w = worker->world;
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    static const uint32_t flags[] = {SELSNAP_VIEW_PRISTINE, 0, SELSNAP_VIEW_WRITABLE, SELSNAP_VIEW_WRITABLE};
    look->flags = flags[prng_below(&worker->prng, 4)];
    look->undesignated = (uint32_t)prng_below(&worker->prng, 3);
    options.id = look->shot->id;
    options.flags = look->flags;
    options.undesignated = look->undesignated;
    int code = world_view_open(w, &options, &look->view);
    if (code == SELSNAP_ENOENT) {
        WORLD_CHECK(w, shot_may_be_gone(w, look->shot, 0));
        return false;
    }
    return work_result(worker, "view open", code, NULL);
}

void work_view(struct worker *worker) {
    struct look look = {.worker = worker};
    struct world *w = worker->world;
    look.shot = shot_pick(w, &worker->prng);
    if (look.shot == NULL) {
        return;
    }
    bool open = view_begin(&look);
    unsigned visits = open ? 1 + (unsigned)prng_below(&worker->prng, 6) : 0;
    for (unsigned i = 0; i < visits; i++) {
        uint64_t dice = look.flags == SELSNAP_VIEW_WRITABLE ? prng_below(&worker->prng, 100) : 99;
        if (!choose_part(&look, look.undesignated == SELSNAP_UNDESIGNATED_ERROR || dice < 50)) {
            continue;
        }
        if (dice < 40) {
            view_change(&look, OP_VIEW_WRITE);
        } else if (dice < 50) {
            view_change(&look, OP_VIEW_ZEROES);
        } else if (dice < 58) {
            view_flush(&look);
        } else if (dice < 61) {
            view_reset(&look);
        } else {
            read_some(&look);
        }
    }
    if (open) {
        view_end(&look);
    }
    shot_unpin(w, look.shot);
}
