/* SPDX-License-Identifier: Apache-2.0 */
/* Opening again: after a close, a kill, a power cut. */
#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void model_reopen(struct model *m) {
    model_close_views(m);
    if (m->wire.off) {
        return;
    }
    model_doing(m, "close and open");
    int code = selsnap_close(m->ss);
    m->ss = NULL;
    if (!model_result(m, code, 0)) {
        return;
    }
    model_settle_live(m);
    if (m->heap.live != 0) {
        model_fail(m, "%" PRId64 " pieces of memory left", m->heap.live);
    }
    if (model_result(m, model_open_context(m), 0)) {
        model_check_all(m);
    }
}

void model_abandon_context(struct model *m) {
    for (unsigned i = 0; i < MODEL_VIEWS; i++) {
        if (m->views[i].view != NULL) {
            (void)!selsnap_view_close(m->views[i].view);
            m->views[i].view = NULL;
        }
    }
    if (m->ss != NULL) {
        int code = selsnap_close(m->ss);
        if (code == SELSNAP_EBUSY) {
            model_fail(m, "close: a view is still open");
        }
        m->ss = NULL;
    }
    if (m->heap.live != 0) {
        model_fail(m, "%" PRId64 " pieces of memory left", m->heap.live);
    }
}

void model_look(struct model *m) {
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.allocator = heap_allocator(&m->heap);
    options.memory_limit = (4 << 20) + 3 * m->config->journal_bytes;
    options.flags = SELSNAP_OPEN_READ_ONLY;
    model_doing(m, "open an image for reading");
    if (!model_result(m, selsnap_open(m->store->device, m->origin->device, &options, &m->ss), 0)) {
        return;
    }
    /* What is lost here may not be after another cut, which takes the record of it. */
    uint8_t *lost = malloc(MODEL_SNAPSHOTS * m->blocks);
    if (lost == NULL) {
        abort();
    }
    for (unsigned slot = 0; slot < MODEL_SNAPSHOTS; slot++) {
        memcpy(lost + slot * m->blocks, m->snapshots[slot].lost, m->blocks);
    }
    model_check_frozen(m);
    for (unsigned slot = 0; slot < MODEL_SNAPSHOTS; slot++) {
        memcpy(m->snapshots[slot].lost, lost + slot * m->blocks, m->blocks);
    }
    free(lost);
    model_abandon_context(m);
}

/* A block of an overlay is one of its versions; takes it over. */
static void adopt_overlay(struct model *m, unsigned slot) {
    struct m_snapshot *s = &m->snapshots[slot];
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = s->id;
    selsnap_view *view = NULL;
    if (!model_result(m, selsnap_view_open(m->ss, &options, &view), 0)) {
        return;
    }
    selsnap_map_range range = {0};
    for (uint64_t block = 0; block < m->blocks; block++) {
        if (s->versions[block].count == 0) {
            continue;
        }
        uint8_t *now = s->now + block * m->block_bytes;
        size_t len = model_block_len(m, block);
        int code = selsnap_view_read(view, m->scratch, len, block * m->block_bytes);
        bool lost = code == SELSNAP_ELOST && s->lost[block];
        if (!lost && !model_result(m, code, 0)) {
            break;
        }
        if (!lost && !versions_have(&s->versions[block], pattern_hash(m->scratch, len))) {
            char text[128];
            pattern_describe(m->scratch, text, sizeof text);
            model_fail(m, "block %" PRIu64 " of %s is none of its %u versions, but %s", block, s->name,
                       s->versions[block].count, text);
        }
        if (!model_result(m, selsnap_snapshot_map(m->ss, s->id, block * m->block_bytes, &range), 0)) {
            break;
        }
        s->over[block] = range.state == SELSNAP_BLOCKS_OVERLAY ? CHANGED_YES : CHANGED_NO;
        memcpy(now, s->over[block] == CHANGED_YES ? m->scratch : s->frozen + block * m->block_bytes, len);
        if (!lost && memcmp(now, m->scratch, len) != 0) {
            model_fail(m, "block %" PRIu64 " of %s is changed without an overlay", block, s->name);
        }
    }
    model_settle_snapshot(s, m->blocks);
    (void)model_result(m, selsnap_view_close(view), 0);
}

static void adopt_overlays(struct model *m) {
    for (unsigned slot = 0; slot < MODEL_SNAPSHOTS; slot++) {
        if (m->snapshots[slot].live && !m->snapshots[slot].bookmark) {
            adopt_overlay(m, slot);
        }
    }
}

/* How likely a unit is kept, in percent, by one cut. */
struct chance {
    struct prng *prng;
    unsigned percent;
};

static bool keep_some(void *user, const struct testdev_unit *unit) {
    const struct chance *chance = user;
    (void)unit;
    return prng_percent(chance->prng, chance->percent);
}

/* The devices become what the cut may have left. */
static void take_image(struct model *m) {
    static const unsigned percents[6] = {0, 100, 50, 50, 90, 10};
    model_abandon_context(m);
    struct chance of_origin = {&m->prng, percents[prng_below(&m->prng, 6)]};
    struct chance of_store = {&m->prng, percents[prng_below(&m->prng, 6)]};
    testdev_power_cycle(m->origin, keep_some, &of_origin);
    testdev_power_cycle(m->store, keep_some, &of_store);
    m->wire.off = false;
    m->wire.cut_at = 0;
    m->images++;
}

static bool find_by_name(struct model *m, const char *name, selsnap_snapshot_info *ret_info) {
    memset(ret_info, 0, sizeof *ret_info);
    ret_info->struct_size = sizeof *ret_info;
    return selsnap_snapshot_find(m->ss, name, ret_info) == SELSNAP_OK;
}

/* A restore began, if there is a job that the model does not know. */
static void resolve_restore(struct model *m) {
    selsnap_restore_info info = {0};
    info.struct_size = sizeof info;
    while (selsnap_restore_next(m->ss, info.job, &info) == SELSNAP_OK) {
        bool known = false;
        for (unsigned i = 0; i < MODEL_JOBS; i++) {
            known = known || (m->jobs[i].live && m->jobs[i].id == info.job);
        }
        if (!known && info.snapshot_id == m->snapshots[m->pending_slot].id) {
            model_begin_restore(m, info.job, m->pending_slot, m->pending_in);
            return;
        }
    }
}

static void resolve_save(struct model *m) {
    char name[MODEL_TEXT];
    snprintf(name, sizeof name, "d%u", m->pending_slot);
    selsnap_subset *subset = NULL;
    if (selsnap_designation_load(m->ss, name, &subset) != SELSNAP_OK) {
        return; /* check_names() judges it by the old state */
    }
    model_read_subset(m, subset, m->scratch);
    selsnap_subset_close(subset);
    if (memcmp(m->scratch, m->pending_in, m->blocks) == 0) {
        m->names[m->pending_slot].live = true;
        memcpy(m->names[m->pending_slot].in, m->pending_in, m->blocks);
    }
}

/* Whether the operation that met the cut has happened; the model goes on with that. */
static void resolve_pending(struct model *m) {
    struct m_snapshot *s = &m->snapshots[m->pending_slot];
    enum pending pending = m->pending;
    m->pending = PENDING_NONE;
    selsnap_snapshot_info info;
    selsnap_subset *subset = NULL;
    char name[MODEL_TEXT];
    switch (pending) {
    case PENDING_CREATE:
        if (find_by_name(m, s->name, &info)) {
            s->id = info.id;
            model_begin_snapshot(m, m->pending_slot, s->in);
        }
        break;
    case PENDING_CLONE:
        if (find_by_name(m, s->name, &info)) {
            s->id = info.id;
            s->live = true;
        }
        break;
    case PENDING_DELETE:
        if (!find_by_name(m, s->name, &info)) {
            model_drop_snapshot(m, m->pending_slot);
        }
        break;
    case PENDING_RENAME:
        if (find_by_name(m, m->pending_name, &info) && info.id == s->id) {
            memcpy(s->name, m->pending_name, sizeof s->name);
        }
        break;
    case PENDING_HOLDS:
        if (find_by_name(m, s->name, &info) && info.holds == m->pending_holds) {
            s->holds = m->pending_holds;
        }
        break;
    case PENDING_BOOKMARK:
        s->bookmark = find_by_name(m, s->name, &info) && info.bookmark != 0;
        break;
    case PENDING_EXPIRY: {
        int64_t time = 0;
        if (selsnap_snapshot_get_expiry(m->ss, s->id, &time) == SELSNAP_OK && time == m->pending_expiry) {
            s->expiry = time;
        }
        break;
    }
    case PENDING_QUOTA: {
        uint64_t bytes = 0;
        if (selsnap_snapshot_get_quota(m->ss, s->id, &bytes, NULL) == SELSNAP_OK &&
            bytes == m->pending_quota * m->block_bytes) {
            s->quota = m->pending_quota;
        }
        break;
    }
    case PENDING_STORE_QUOTA: {
        uint64_t bytes = 0;
        if (selsnap_get_quota(m->ss, &bytes) == SELSNAP_OK && bytes == m->pending_quota * MODEL_QUOTA_UNIT) {
            m->store_quota = m->pending_quota;
        }
        break;
    }
    case PENDING_RESET:
        if (find_by_name(m, s->name, &info) && info.changed == 0) {
            memcpy(s->now, s->frozen, m->size);
            memset(s->over, CHANGED_NO, m->blocks);
            model_settle_snapshot(s, m->blocks);
        }
        break;
    case PENDING_SAVE:
        resolve_save(m);
        break;
    case PENDING_UNNAME:
        snprintf(name, sizeof name, "d%u", m->pending_slot);
        m->names[m->pending_slot].live = selsnap_designation_load(m->ss, name, &subset) == SELSNAP_OK;
        selsnap_subset_close(subset);
        break;
    case PENDING_RESTORE:
        resolve_restore(m);
        break;
    default:
        break;
    }
}

/*
 * Each sector is as it was, or as something since the last flush has left it; takes it over. volatile_still: the
 * devices have not lost their power, so that a later cut may bring any of the versions back.
 */
static void adopt_live(struct model *m, bool volatile_still) {
    if (!model_result(m, selsnap_read(m->ss, m->scratch, m->size, 0), 0)) {
        return;
    }
    for (uint64_t sector = 0; sector < m->sectors; sector++) {
        uint64_t offset = sector * TESTDEV_UNIT;
        size_t len = (size_t)(m->size - offset < TESTDEV_UNIT ? m->size - offset : TESTDEV_UNIT);
        if (m->live_versions[sector].count == 0) {
            continue; /* model_check_all() compares it */
        }
        if (!versions_have(&m->live_versions[sector], pattern_hash(m->scratch + offset, len))) {
            char text[128] = "part of a sector";
            if (len == PATTERN_SECTOR) {
                pattern_describe(m->scratch + offset, text, sizeof text);
            }
            model_fail(m, "sector %" PRIu64 " (block %" PRIu64 ") is none of its %u versions, but %s", sector,
                       offset / m->block_bytes, m->live_versions[sector].count, text);
        }
        memcpy(m->live + offset, m->scratch + offset, len);
        if (!volatile_still) {
            m->live_versions[sector].count = 0;
        }
    }
}

/*
 * A killed process loses no write of its own, as the devices live on. But of a restore it may lose that a block is
 * done, and with it what was written there and not flushed. With writes deferred it loses what is not flushed, as by a
 * power cut.
 */
void model_settle_unrestored(struct model *m) {
    if (m->deferred > 0) {
        return;
    }
    for (uint64_t sector = 0; sector < m->sectors; sector++) {
        bool restored = false;
        for (unsigned i = 0; i < MODEL_JOBS; i++) {
            restored = restored || (m->jobs[i].live && m->jobs[i].in[sector * TESTDEV_UNIT / m->block_bytes]);
        }
        if (!restored) {
            m->live_versions[sector].count = 0;
        }
    }
}

void model_kill(struct model *m) {
    model_list_jobs(m);
    model_doing(m, "kill and open");
    model_settle_unrestored(m);
    m->wire.off = true; /* what the context still writes does not count */
    model_abandon_context(m);
    m->wire.off = false;
    (void)model_result(m, model_open_context(m), 0);
    adopt_live(m, false);
    adopt_overlays(m);
    model_check_all(m);
}

void model_recover(struct model *m) {
    bool open = false;
    /* Or only the process was killed at this call: the devices live on, with what they have not flushed. */
    bool killed = prng_percent(&m->prng, 25);
    for (unsigned tries = 0; !open; tries++) {
        if (killed && tries == 0) {
            model_abandon_context(m);
            m->wire.off = false;
            m->wire.cut_at = 0;
        } else {
            killed = false;
            take_image(m);
        }
        model_doing(m, "open after a %s, image %" PRIu64, killed ? "kill" : "power cut", m->images);
        /* Sometimes the power fails again while it opens. */
        if (tries < 4 && prng_percent(&m->prng, 40)) {
            wire_cut_after(&m->wire, 1 + prng_below(&m->prng, 24));
        }
        open = model_result(m, model_open_context(m), 0) && !m->wire.off;
    }
    m->wire.cut_at = 0;
    model_take_over(m, killed);
}

void model_take_over(struct model *m, bool killed) {
    model_check_size(m);
    m->store_longer = 0;
    resolve_pending(m);
    adopt_live(m, killed);
    adopt_overlays(m);
    model_check_all(m);
}
