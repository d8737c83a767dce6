/* SPDX-License-Identifier: Apache-2.0 */
#include "judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void judge_init(struct judge *judge, struct model *m) {
    memset(judge, 0, sizeof *judge);
    judge->m = m;
    if (m->blocks > JUDGE_BLOCKS) {
        abort();
    }
}

void judge_written(struct judge *judge, uint64_t offset, uint64_t len) {
    uint64_t block_bytes = judge->m->block_bytes;
    for (uint64_t block = offset / block_bytes; block * block_bytes < offset + len && block < judge->m->blocks;
         block++) {
        judge->job.other = judge->job.other && !judge->job.in[block];
    }
}

void judge_settled(struct judge *judge) {
    judge->job.other = false;
    for (unsigned slot = 0; slot < MODEL_SNAPSHOTS; slot++) {
        judge->snapshots[slot].ghost = false;
    }
}

static bool info_of(struct model *m, uint64_t id, selsnap_snapshot_info *ret_info) {
    memset(ret_info, 0, sizeof *ret_info);
    ret_info->struct_size = sizeof *ret_info;
    int code = selsnap_snapshot_get(m->ss, id, ret_info);
    return code != SELSNAP_ENOENT && model_result(m, code, 0);
}

static bool info_named(struct model *m, const char *name, selsnap_snapshot_info *ret_info) {
    memset(ret_info, 0, sizeof *ret_info);
    ret_info->struct_size = sizeof *ret_info;
    int code = selsnap_snapshot_find(m->ss, name, ret_info);
    return code != SELSNAP_ENOENT && model_result(m, code, 0);
}

/* ---- what an operation that failed has left ---- */

/* Moves what a slot has to one that scripts do not use; gives it. */
static unsigned make_ghost(struct judge *judge, unsigned slot) {
    struct model *m = judge->m;
    unsigned to = MODEL_SNAPSHOTS - 1;
    while (to > slot && (m->snapshots[to].live || judge->snapshots[to].ghost)) {
        to--;
    }
    if (to == slot) {
        model_fail(m, "the model has no slot left");
    }
    struct m_snapshot moved = m->snapshots[slot];
    m->snapshots[slot] = m->snapshots[to];
    m->snapshots[to] = moved;
    judge->snapshots[to] = judge->snapshots[slot];
    memset(&judge->snapshots[slot], 0, sizeof judge->snapshots[slot]);
    judge->snapshots[to].ghost = true;
    m->snapshots[to].live = false;
    return to;
}

/* SELSNAP_ESTORE: there is no snapshot; after a crash it may exist, whole. All else: there is none. */
static void settle_create(struct judge *judge, unsigned slot) {
    struct model *m = judge->m;
    selsnap_snapshot_info info;
    if (info_named(m, m->snapshots[slot].name, &info)) {
        model_fail(m, "snapshot %s is there, although making it failed", m->snapshots[slot].name);
    }
    if (m->failed == SELSNAP_ESTORE) {
        model_begin_snapshot(m, slot, m->snapshots[slot].in);
        (void)make_ghost(judge, slot);
    }
}

static void settle_clone(struct judge *judge, unsigned slot) {
    struct model *m = judge->m;
    selsnap_snapshot_info info;
    if (info_named(m, m->snapshots[slot].name, &info)) {
        model_fail(m, "snapshot %s is there, although cloning failed", m->snapshots[slot].name);
    }
    if (m->failed == SELSNAP_ESTORE) {
        m->snapshots[slot].live = true; /* the slot holds already what the clone would */
        (void)make_ghost(judge, slot);
    }
}

/* SELSNAP_ESTORE: gone; after a crash it may be back. All else: nothing changed. */
static void settle_delete(struct judge *judge, unsigned slot) {
    struct model *m = judge->m;
    selsnap_snapshot_info info;
    bool there = info_of(m, m->snapshots[slot].id, &info);
    if (there == (m->failed == SELSNAP_ESTORE)) {
        model_fail(m, "snapshot %s is %s after deleting it failed with %s", m->snapshots[slot].name,
                   there ? "there" : "gone", selsnap_error_name(m->failed));
    }
    if (!there) {
        (void)make_ghost(judge, slot);
    }
}

/* SELSNAP_ESTORE: it may be one, and may be none any more after a crash. All else: nothing changed. */
static void settle_bookmark(struct judge *judge, unsigned slot) {
    struct model *m = judge->m;
    selsnap_snapshot_info info;
    if (!info_of(m, m->snapshots[slot].id, &info)) {
        return;
    }
    if (info.bookmark != 0 && m->failed != SELSNAP_ESTORE) {
        model_fail(m, "snapshot %s is a bookmark after that failed with %s", m->snapshots[slot].name,
                   selsnap_error_name(m->failed));
    }
    m->snapshots[slot].bookmark = info.bookmark != 0;
    judge->snapshots[slot].other_kind = m->failed == SELSNAP_ESTORE;
}

static void settle_reset(struct model *m, unsigned slot) {
    struct m_snapshot *s = &m->snapshots[slot];
    for (uint64_t block = 0; block < m->blocks; block++) {
        uint64_t at = block * m->block_bytes;
        size_t len = model_block_len(m, block);
        if (s->over[block] != CHANGED_NO || s->versions[block].count > 0) {
            versions_add(&s->versions[block], pattern_hash(s->now + at, len), pattern_hash(s->frozen + at, len));
            s->over[block] = CHANGED_PERHAPS;
        }
    }
}

/* A name has one subset or the other; what it has not may come after the next open. */
static void look_up_saved(struct judge *judge, unsigned slot) {
    struct model *m = judge->m;
    char name[MODEL_TEXT];
    snprintf(name, sizeof name, "d%u", slot);
    selsnap_subset *subset = NULL;
    int code = selsnap_designation_load(m->ss, name, &subset);
    bool live = code == SELSNAP_OK;
    if (code != SELSNAP_ENOENT && !model_result(m, code, 0)) {
        return;
    }
    if (live) {
        model_read_subset(m, subset, m->scratch);
        selsnap_subset_close(subset);
    }
    if (live == m->names[slot].live && (!live || memcmp(m->scratch, m->names[slot].in, m->blocks) == 0)) {
        return;
    }
    for (unsigned i = 0; i < JUDGE_OTHERS; i++) {
        struct judge_saved *saved = &judge->saved[slot][i];
        if (saved->other && live == saved->live && (!live || memcmp(m->scratch, saved->in, m->blocks) == 0)) {
            struct judge_saved old = {true, m->names[slot].live, {0}};
            memcpy(old.in, m->names[slot].in, m->blocks);
            m->names[slot].live = saved->live;
            memcpy(m->names[slot].in, saved->in, m->blocks);
            *saved = old;
            return;
        }
    }
}

static void settle_name(struct judge *judge, unsigned slot, bool live) {
    unsigned i = 0;
    while (i + 1 < JUDGE_OTHERS && judge->saved[slot][i].other) {
        i++;
    }
    struct judge_saved *saved = &judge->saved[slot][i];
    saved->other = true;
    saved->live = live;
    memcpy(saved->in, judge->m->pending_in, judge->m->blocks);
    look_up_saved(judge, slot);
}

/* The same for the store's quota. */
static void adopt_store_quota(struct judge *judge) {
    uint64_t bytes = 0;
    if (selsnap_get_quota(judge->m->ss, &bytes) == SELSNAP_OK && bytes / MODEL_QUOTA_UNIT < 64 &&
        (judge->store_quotas >> (bytes / MODEL_QUOTA_UNIT) & 1) != 0) {
        judge->m->store_quota = bytes / MODEL_QUOTA_UNIT;
    }
}

/* What failed before, and may have taken effect by now: holds, expiry and quota of a snapshot. */
static void adopt_keeping(struct judge *judge, unsigned slot) {
    struct model *m = judge->m;
    struct judge_snapshot *other = &judge->snapshots[slot];
    struct m_snapshot *s = &m->snapshots[slot];
    selsnap_snapshot_info info;
    int64_t expiry = 0;
    if (!s->live || !info_of(m, s->id, &info)) {
        return;
    }
    if (info.holds > s->holds && info.holds - s->holds <= other->more_holds) {
        other->more_holds -= info.holds - s->holds;
        s->holds = info.holds;
    } else if (info.holds < s->holds && s->holds - info.holds <= other->less_holds) {
        other->less_holds -= s->holds - info.holds;
        s->holds = info.holds;
    }
    if (selsnap_snapshot_get_expiry(m->ss, s->id, &expiry) == SELSNAP_OK && expiry >= 0 && expiry < 64 &&
        (other->expiries >> expiry & 1) != 0) {
        s->expiry = expiry;
    }
    uint64_t quota = info.quota_bytes / m->block_bytes;
    if (quota < 64 && (other->quotas >> quota & 1) != 0) {
        s->quota = quota;
    }
    s->bookmark = other->other_kind ? info.bookmark != 0 : s->bookmark;
}

static void settle_pending(struct judge *judge) {
    struct model *m = judge->m;
    unsigned slot = m->pending_slot;
    enum pending pending = m->pending;
    m->pending = PENDING_NONE;
    selsnap_snapshot_info info;
    switch (pending) {
    case PENDING_CREATE:
        settle_create(judge, slot);
        break;
    case PENDING_CLONE:
        settle_clone(judge, slot);
        break;
    case PENDING_DELETE:
        settle_delete(judge, slot);
        break;
    case PENDING_RENAME:
        if (info_of(m, m->snapshots[slot].id, &info) && strcmp(info.name, m->snapshots[slot].name) != 0) {
            model_fail(m, "snapshot %s is named %s, although renaming failed", m->snapshots[slot].name, info.name);
        }
        if (m->failed == SELSNAP_ESTORE && judge->snapshots[slot].other_names < JUDGE_OTHERS) {
            memcpy(judge->snapshots[slot].names[judge->snapshots[slot].other_names++], m->pending_name, MODEL_TEXT);
        }
        break;
    case PENDING_HOLDS:
        if (info_of(m, m->snapshots[slot].id, &info) && info.holds != m->snapshots[slot].holds) {
            model_fail(m, "snapshot %s has %u holds, although changing them failed", m->snapshots[slot].name,
                       info.holds);
        }
        if (m->failed == SELSNAP_ESTORE) {
            judge->snapshots[slot].more_holds += m->pending_holds > m->snapshots[slot].holds;
            judge->snapshots[slot].less_holds += m->pending_holds < m->snapshots[slot].holds;
        }
        break;
    case PENDING_EXPIRY: {
        int64_t expiry = m->snapshots[slot].expiry;
        if (selsnap_snapshot_get_expiry(m->ss, m->snapshots[slot].id, &expiry) == SELSNAP_OK &&
            expiry != m->snapshots[slot].expiry) {
            model_fail(m, "the expiry of snapshot %s is changed, although that failed", m->snapshots[slot].name);
        }
        judge->snapshots[slot].expiries |= m->failed == SELSNAP_ESTORE ? UINT64_C(1) << m->pending_expiry : 0;
        break;
    }
    case PENDING_QUOTA:
        if (info_of(m, m->snapshots[slot].id, &info) && info.quota_bytes != m->snapshots[slot].quota * m->block_bytes) {
            model_fail(m, "the quota of snapshot %s is changed, although that failed", m->snapshots[slot].name);
        }
        judge->snapshots[slot].quotas |= m->failed == SELSNAP_ESTORE ? UINT64_C(1) << m->pending_quota : 0;
        break;
    case PENDING_STORE_QUOTA: {
        uint64_t bytes = 0;
        if (selsnap_get_quota(m->ss, &bytes) == SELSNAP_OK && bytes != m->store_quota * MODEL_QUOTA_UNIT) {
            model_fail(m, "the store's quota is changed, although that failed");
        }
        judge->store_quotas |= m->failed == SELSNAP_ESTORE ? UINT64_C(1) << m->pending_quota : 0;
        break;
    }
    case PENDING_BOOKMARK:
        settle_bookmark(judge, slot);
        break;
    case PENDING_RESET:
        settle_reset(m, slot);
        break;
    case PENDING_SAVE:
        settle_name(judge, slot, true);
        break;
    case PENDING_UNNAME:
        settle_name(judge, slot, false);
        break;
    case PENDING_RESTORE:
        judge->job.other = m->failed == SELSNAP_ESTORE;
        judge->job.slot = slot;
        memcpy(judge->job.in, m->pending_in, m->blocks);
        break;
    default:
        break;
    }
}

static bool has_name(const struct judge_snapshot *other, const char *name) {
    bool has = false;
    for (unsigned i = 0; i < other->other_names; i++) {
        has = has || strcmp(other->names[i], name) == 0;
    }
    return has;
}

/* A name may have become the new one since. */
static void look_up_names(struct judge *judge) {
    struct model *m = judge->m;
    selsnap_snapshot_info info;
    for (unsigned slot = 0; slot < MODEL_SNAPSHOTS; slot++) {
        struct judge_snapshot *other = &judge->snapshots[slot];
        if (other->other_names > 0 && m->snapshots[slot].live && info_of(m, m->snapshots[slot].id, &info) &&
            has_name(other, info.name)) {
            memcpy(m->snapshots[slot].name, info.name, MODEL_TEXT);
        }
    }
    for (unsigned slot = 0; slot < MODEL_NAMES; slot++) {
        if (judge->saved[slot][0].other) {
            look_up_saved(judge, slot);
        }
    }
}

/* Each sector of the live device is one of its versions; takes it over. The others may come back after a crash. */
static void look_at_live(struct model *m) {
    if (!model_result(m, selsnap_read(m->ss, m->scratch, m->size, 0), 0)) {
        return;
    }
    for (uint64_t sector = 0; sector < m->sectors; sector++) {
        uint64_t offset = sector * TESTDEV_UNIT;
        size_t len = (size_t)(m->size - offset < TESTDEV_UNIT ? m->size - offset : TESTDEV_UNIT);
        const struct versions *versions = &m->live_versions[sector];
        if (memcmp(m->live + offset, m->scratch + offset, len) == 0) {
            continue;
        }
        if (versions->count == 0 || !versions_have(versions, pattern_hash(m->scratch + offset, len))) {
            char text[128] = "part of a sector";
            if (len == PATTERN_SECTOR) {
                pattern_describe(m->scratch + offset, text, sizeof text);
            }
            model_fail(m, "after a fault, sector %" PRIu64 " (block %" PRIu64 ") is none of its %u versions, but %s",
                       sector, offset / m->block_bytes, versions->count, text);
        }
        memcpy(m->live + offset, m->scratch + offset, len);
    }
}

/* ---- overlays ---- */

/* What a block of a snapshot holds now. */
static void look_at_block(struct model *m, struct m_snapshot *s, selsnap_view *view, uint64_t block) {
    uint8_t *now = s->now + block * m->block_bytes;
    size_t len = model_block_len(m, block);
    selsnap_map_range range = {0};
    int code = selsnap_view_read(view, m->scratch, len, block * m->block_bytes);
    if (code == SELSNAP_EDAMAGED && m->store->drops && s->versions[block].count > 0) {
        s->over[block] = CHANGED_PERHAPS; /* a flush that failed made the store forget it */
        s->unsure = true;
        return;
    }
    bool lost = code == SELSNAP_ELOST && s->lost[block];
    if ((!lost && !model_result(m, code, 0)) ||
        !model_result(m, selsnap_snapshot_map(m->ss, s->id, block * m->block_bytes, &range), 0)) {
        s->unsure = true;
        return;
    }
    if (!lost && !versions_have(&s->versions[block], pattern_hash(m->scratch, len)) &&
        memcmp(now, m->scratch, len) != 0) {
        char text[128];
        pattern_describe(m->scratch, text, sizeof text);
        model_fail(m, "after a fault, block %" PRIu64 " of %s is none of its %u versions, but %s", block, s->name,
                   s->versions[block].count, text);
    }
    s->over[block] = range.state == SELSNAP_BLOCKS_OVERLAY ? CHANGED_YES : CHANGED_NO;
    if (!lost) {
        memcpy(now, m->scratch, len);
    }
    const uint8_t *frozen = s->frozen + block * m->block_bytes;
    if (!lost && s->over[block] == CHANGED_NO && memcmp(now, frozen, len) != 0) {
        model_fail(m, "after a fault, block %" PRIu64 " of %s is changed without an overlay", block, s->name);
    }
}

static void look_at_overlay(struct model *m, unsigned slot, bool broken) {
    struct m_snapshot *s = &m->snapshots[slot];
    selsnap_view *view = NULL;
    selsnap_view *opened = NULL;
    if (s->bookmark) {
        return;
    }
    for (unsigned i = 0; i < MODEL_VIEWS; i++) {
        if (m->views[i].view != NULL && m->views[i].snapshot == slot &&
            (m->views[i].flags & SELSNAP_VIEW_PRISTINE) == 0) {
            view = m->views[i].view;
        }
    }
    s->unsure = true;
    if (view == NULL && !broken) {
        selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
        options.id = s->id;
        if (!model_result(m, selsnap_view_open(m->ss, &options, &opened), 0)) {
            return;
        }
        view = opened;
    }
    if (view == NULL) {
        return;
    }
    s->unsure = false;
    model_learn_lost(m, slot);
    for (uint64_t block = 0; block < m->blocks; block++) {
        if (s->over[block] == CHANGED_PERHAPS || s->versions[block].count > 0) {
            look_at_block(m, s, view, block);
        }
    }
    (void)model_result(m, selsnap_view_close(opened), 0);
}

static bool is_unsure(const struct model *m, const struct m_snapshot *s) {
    bool unsure = s->unsure;
    for (uint64_t block = 0; block < m->blocks; block++) {
        unsure = unsure || s->over[block] == CHANGED_PERHAPS;
    }
    return s->live && unsure;
}

static void adopt_all_keeping(struct judge *judge) {
    for (unsigned slot = 0; slot < MODEL_SNAPSHOTS; slot++) {
        adopt_keeping(judge, slot);
    }
    adopt_store_quota(judge);
}

void judge_step(struct judge *judge, bool broken) {
    struct model *m = judge->m;
    if (m->ss == NULL) {
        return;
    }
    m->calm++;
    adopt_all_keeping(judge);
    settle_pending(judge);
    look_up_names(judge);
    look_at_live(m);
    for (unsigned slot = 0; slot < MODEL_SNAPSHOTS; slot++) {
        if (is_unsure(m, &m->snapshots[slot])) {
            look_at_overlay(m, slot, broken);
        }
    }
    adopt_all_keeping(judge); /* looking settles what failed */
    m->calm--;
}

void judge_glance(struct judge *judge) {
    struct model *m = judge->m;
    model_check_live(m, 0, m->size);
    for (unsigned slot = 0; slot < MODEL_SNAPSHOTS; slot++) {
        if (m->snapshots[slot].live) {
            model_check_snapshot(m, slot);
        }
    }
}

/* ---- opening again ---- */

static void find_ghosts(struct judge *judge, bool clean) {
    struct model *m = judge->m;
    selsnap_snapshot_info info = {0};
    info.struct_size = sizeof info;
    while (selsnap_snapshot_next(m->ss, info.id, &info) == SELSNAP_OK) {
        for (unsigned slot = 0; slot < MODEL_SNAPSHOTS; slot++) {
            struct m_snapshot *s = &m->snapshots[slot];
            struct judge_snapshot *other = &judge->snapshots[slot];
            if (!other->ghost || s->live || (strcmp(s->name, info.name) != 0 && !has_name(other, info.name))) {
                continue;
            }
            if (clean) {
                model_fail(m, "snapshot %s is there after a clean close", info.name);
            }
            s->live = true;
            s->id = info.id;
            memset(s->changed, CHANGED_PERHAPS, m->blocks);
        }
    }
}

static void find_others(struct judge *judge) {
    adopt_all_keeping(judge);
    look_up_names(judge);
}

static void find_job(struct judge *judge, bool clean) {
    struct model *m = judge->m;
    selsnap_restore_info info = {0};
    info.struct_size = sizeof info;
    while (judge->job.other && selsnap_restore_next(m->ss, info.job, &info) == SELSNAP_OK) {
        bool known = false;
        for (unsigned i = 0; i < MODEL_JOBS; i++) {
            known = known || (m->jobs[i].live && m->jobs[i].id == info.job);
        }
        if (!known && clean) {
            model_fail(m, "restore %" PRIu64 " runs after a clean close", info.job);
        }
        if (!known && info.snapshot_id == m->snapshots[judge->job.slot].id) {
            model_begin_restore(m, info.job, judge->job.slot, judge->job.in);
        }
    }
}

void judge_reopen(struct judge *judge, bool clean) {
    struct model *m = judge->m;
    model_doing(m, "open after a fault");
    if (!model_result(m, model_open_context(m), 0)) {
        return;
    }
    m->calm++;
    find_ghosts(judge, clean);
    find_others(judge);
    find_job(judge, clean);
    memset(judge->snapshots, 0, sizeof judge->snapshots);
    memset(judge->saved, 0, sizeof judge->saved);
    memset(&judge->job, 0, sizeof judge->job);
    judge->store_quotas = 0;
    m->calm--;
    for (unsigned slot = 0; slot < MODEL_SNAPSHOTS; slot++) {
        m->snapshots[slot].unsure = false;
    }
    uint32_t tolerates = m->tolerates;
    m->tolerates = 0;
    m->calm++;
    model_take_over(m, true);
    m->calm--;
    m->tolerates = tolerates;
}
