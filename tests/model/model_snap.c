/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on snapshots and designations. */
#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Marks some blocks in `in`, at least one. */
static void random_blocks(struct model *m, uint8_t *in) {
    memset(in, 0, m->blocks);
    uint64_t kind = prng_below(&m->prng, 6);
    uint64_t ranges = kind < 3 ? 1 : 1 + prng_below(&m->prng, 8);
    if (kind == 0) {
        memset(in, 1, m->blocks);
        return;
    }
    for (uint64_t i = 0; i < ranges; i++) {
        uint64_t first = prng_below(&m->prng, m->blocks);
        uint64_t limit = kind == 1 || kind == 3 ? 2 : m->blocks - first;
        uint64_t count = 1 + prng_below(&m->prng, limit);
        for (uint64_t block = first; block < first + count && block < m->blocks; block++) {
            in[block] = 1;
        }
    }
    if (kind == 5) {
        for (uint64_t block = 0; block < m->blocks; block++) {
            in[block] = (uint8_t)(block % 2);
        }
    }
}

static selsnap_subset *make_subset(struct model *m, const uint8_t *in) {
    selsnap_subset *subset = NULL;
    int code = selsnap_subset_open_for(m->ss, &subset);
    for (uint64_t block = 0; block < m->blocks && code == SELSNAP_OK; block++) {
        if (in[block]) {
            /* Any byte of a block designates it. */
            uint64_t inside = prng_below(&m->prng, model_block_len(m, block));
            code = selsnap_subset_add(subset, block * m->block_bytes + inside, 1);
        }
    }
    (void)model_result(m, code, 0);
    return subset;
}

void model_read_subset(struct model *m, const selsnap_subset *subset, uint8_t *in) {
    selsnap_range range = {0, 0};
    memset(in, 0, m->blocks);
    while (selsnap_subset_next(subset, range.offset + range.len, &range) == SELSNAP_OK) {
        for (uint64_t at = range.offset; at < range.offset + range.len; at += m->block_bytes) {
            in[at / m->block_bytes] = 1;
        }
    }
}

static uint64_t count_blocks(const struct model *m, const uint8_t *in) {
    uint64_t count = 0;
    for (uint64_t block = 0; block < m->blocks; block++) {
        count += in[block] ? 1 : 0;
    }
    return count;
}

void model_begin_snapshot(struct model *m, unsigned slot, const uint8_t *in) {
    struct m_snapshot *s = &m->snapshots[slot];
    s->live = true;
    s->clone_of = 0;
    s->holds = 0;
    s->expiry = 0;
    s->quota = 0;
    s->layered = false;
    s->block_count = count_blocks(m, in);
    if (s->in != in) {
        memcpy(s->in, in, m->blocks);
    }
    memset(s->changed, CHANGED_NO, m->blocks);
    memset(s->lost, 0, m->blocks);
    memset(s->over, CHANGED_NO, m->blocks);
    s->unsure = false;
    memcpy(s->frozen, m->live, m->size);
    memcpy(s->now, m->live, m->size);
    model_settle_snapshot(s, m->blocks);
}

void model_drop_snapshot(struct model *m, unsigned slot) {
    m->snapshots[slot].live = false;
    for (unsigned i = 0; i < MODEL_JOBS; i++) {
        if (m->jobs[i].snapshot == slot) {
            m->jobs[i].live = false;
        }
    }
}

/* The subset of a snapshot to make: saved, given, or none for the whole. */
static unsigned choose_subset(struct model *m, uint8_t *in) {
    unsigned name = (unsigned)prng_below(&m->prng, MODEL_NAMES * 3);
    if (name < MODEL_NAMES && m->names[name].live) {
        memcpy(in, m->names[name].in, m->blocks);
        return name;
    }
    random_blocks(m, in);
    return MODEL_NAMES;
}

void model_create(struct model *m) {
    unsigned slot = 0;
    while (slot < MODEL_SNAPSHOTS && m->snapshots[slot].live) {
        slot++;
    }
    if (slot == MODEL_SNAPSHOTS || model_count_snapshots(m) >= m->config->snapshots) {
        return;
    }
    struct m_snapshot *s = &m->snapshots[slot];
    struct m_create how = {.slot = slot, .name = choose_subset(m, s->in)};
    how.policy = prng_percent(&m->prng, 50) ? SELSNAP_POLICY_GIVE_UP_BLOCK : SELSNAP_POLICY_FAIL_WRITE;
    how.whole = count_blocks(m, s->in) == m->blocks && prng_percent(&m->prng, 50);
    how.property = prng_percent(&m->prng, 50);
    how.freeze = prng_percent(&m->prng, 10);
    how.bookmark = prng_percent(&m->prng, 25);
    how.group = !how.freeze && prng_percent(&m->prng, 20);
    model_do_create(m, &how);
}

static int make(struct model *m, const struct m_create *how, const selsnap_snapshot_options *options) {
    struct m_snapshot *s = &m->snapshots[how->slot];
    selsnap_group_options group = SELSNAP_GROUP_OPTIONS_INIT;
    const selsnap_group_member member = {m->ss, options};
    if (!how->group) {
        return selsnap_snapshot_create(m->ss, options, &s->id);
    }
    group.name = s->group;
    return selsnap_group_create(&member, 1, &group, NULL, &s->id);
}

void model_do_create(struct model *m, const struct m_create *how) {
    unsigned slot = how->slot;
    unsigned name = how->name;
    struct m_snapshot *s = &m->snapshots[slot];
    char designation[MODEL_TEXT];
    snprintf(designation, sizeof designation, "d%u", name);
    snprintf(s->name, sizeof s->name, "s%" PRIu64, m->sequence);
    s->policy = how->policy;
    snprintf(s->property, sizeof s->property, "%s", how->property ? s->name : "");
    s->group[0] = '\0';
    if (how->group) {
        snprintf(s->group, sizeof s->group, "g%" PRIu64, m->sequence);
    }
    selsnap_property property = {"made at", s->property};
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = s->name;
    options.policy = s->policy;
    options.flags = how->bookmark ? SELSNAP_SNAPSHOT_BOOKMARK : 0;
    s->bookmark = how->bookmark;
    options.properties = &property;
    options.property_count = how->property ? 1 : 0;
    selsnap_subset *subset = name < MODEL_NAMES || how->whole ? NULL : make_subset(m, s->in);
    options.subset = subset;
    options.designation = name < MODEL_NAMES ? designation : NULL;
    model_doing(m, "create %s%s of %" PRIu64 " blocks%s%s, slot %u, policy %u", how->bookmark ? "bookmark " : "",
                s->name, count_blocks(m, s->in), name < MODEL_NAMES ? " (saved)" : "", how->group ? " in a group" : "",
                slot, s->policy);
    if (how->freeze) {
        (void)model_result(m, selsnap_freeze(m->ss), 0);
    }
    int code = make(m, how, &options);
    if (how->freeze) {
        (void)model_result(m, selsnap_thaw(m->ss), 0);
    }
    selsnap_subset_close(subset);
    if (model_result(m, code, m->config->tight ? SELSNAP_ENOSPACE : 0)) {
        model_settle_live(m);
        model_begin_snapshot(m, slot, s->in);
    } else if (code != SELSNAP_ENOSPACE) {
        m->pending = PENDING_CREATE;
        m->pending_slot = slot;
    }
}

static bool has_view(const struct model *m, unsigned slot) {
    for (unsigned i = 0; i < MODEL_VIEWS; i++) {
        if (m->views[i].view != NULL && m->views[i].snapshot == slot) {
            return true;
        }
    }
    return false;
}

static bool is_source(const struct model *m, unsigned slot) {
    for (unsigned i = 0; i < MODEL_JOBS; i++) {
        if (m->jobs[i].live && m->jobs[i].snapshot == slot) {
            return true;
        }
    }
    return false;
}

void model_delete(struct model *m) {
    unsigned slot = model_pick_snapshot(m);
    if (slot < MODEL_SNAPSHOTS) {
        model_do_delete(m, slot);
    }
}

void model_do_delete(struct model *m, unsigned slot) {
    model_list_jobs(m);
    struct m_snapshot *s = &m->snapshots[slot];
    model_doing(m, "delete %s", s->name);
    int code = selsnap_snapshot_delete(m->ss, s->id);
    bool busy = has_view(m, slot) || is_source(m, slot);
    bool unsure = m->tolerates != 0; /* a restore from it that failed to start */
    if ((code == SELSNAP_EHELD && s->holds > 0) || (code == SELSNAP_EBUSY && (busy || unsure))) {
        return;
    }
    if (model_result(m, code, 0)) {
        if (s->holds > 0 || busy) {
            model_fail(m, "deleted although it is %s", busy ? "in use" : "held");
        }
        s->live = false;
    } else {
        m->pending = PENDING_DELETE;
        m->pending_slot = slot;
    }
}

void model_bookmark(struct model *m) {
    unsigned slot = model_pick_snapshot(m);
    if (slot < MODEL_SNAPSHOTS) {
        model_do_bookmark(m, slot);
    }
}

void model_do_bookmark(struct model *m, unsigned slot) {
    model_list_jobs(m);
    struct m_snapshot *s = &m->snapshots[slot];
    model_doing(m, "turn %s into a bookmark", s->name);
    int code = selsnap_snapshot_make_bookmark(m->ss, s->id);
    bool busy = has_view(m, slot) || is_source(m, slot);
    bool unsure = m->tolerates != 0; /* a restore from it that failed to start */
    if ((code == SELSNAP_EHELD && s->holds > 0) || (code == SELSNAP_EBUSY && (busy || unsure))) {
        return;
    }
    if (model_result(m, code, 0)) {
        if (!s->bookmark && (s->holds > 0 || busy)) {
            model_fail(m, "turned into a bookmark although it is %s", busy ? "in use" : "held");
        }
        s->bookmark = true;
    } else if (!s->bookmark) {
        m->pending = PENDING_BOOKMARK;
        m->pending_slot = slot;
    }
}

void model_rename(struct model *m) {
    unsigned slot = model_pick_snapshot(m);
    if (slot < MODEL_SNAPSHOTS) {
        model_do_rename(m, slot);
    }
}

void model_do_rename(struct model *m, unsigned slot) {
    struct m_snapshot *s = &m->snapshots[slot];
    char name[MODEL_TEXT];
    snprintf(name, sizeof name, "r%" PRIu64, m->sequence);
    model_doing(m, "rename %s to %s", s->name, name);
    int code = selsnap_snapshot_rename(m->ss, s->id, name);
    if (model_result(m, code, m->config->tight ? SELSNAP_ENOSPACE : 0)) {
        memcpy(s->name, name, sizeof name);
    } else if (code != SELSNAP_ENOSPACE) {
        m->pending = PENDING_RENAME;
        m->pending_slot = slot;
        memcpy(m->pending_name, name, sizeof name);
    }
}

void model_holds(struct model *m) {
    unsigned slot = model_pick_snapshot(m);
    if (slot < MODEL_SNAPSHOTS) {
        model_do_hold(m, slot, m->snapshots[slot].holds < 2 && prng_percent(&m->prng, 40));
    }
}

void model_save(struct model *m) {
    unsigned slot = (unsigned)prng_below(&m->prng, MODEL_NAMES);
    random_blocks(m, m->pending_in);
    model_do_save(m, slot);
}

void model_do_save(struct model *m, unsigned slot) {
    char name[MODEL_TEXT];
    snprintf(name, sizeof name, "d%u", slot);
    selsnap_subset *subset = make_subset(m, m->pending_in);
    model_doing(m, "save %s, %" PRIu64 " blocks", name, count_blocks(m, m->pending_in));
    int code = selsnap_designation_save(m->ss, name, subset, NULL);
    selsnap_subset_close(subset);
    if (model_result(m, code, m->config->tight ? SELSNAP_ENOSPACE : 0)) {
        m->names[slot].live = true;
        memcpy(m->names[slot].in, m->pending_in, m->blocks);
    } else if (code != SELSNAP_ENOSPACE) {
        m->pending = PENDING_SAVE;
        m->pending_slot = slot;
    }
}

void model_unname(struct model *m) {
    model_do_unname(m, (unsigned)prng_below(&m->prng, MODEL_NAMES));
}

void model_do_unname(struct model *m, unsigned slot) {
    char name[MODEL_TEXT];
    snprintf(name, sizeof name, "d%u", slot);
    model_doing(m, "delete designation %s", name);
    int code = selsnap_designation_delete(m->ss, name);
    if (!m->names[slot].live) {
        if (code != SELSNAP_ENOENT && !m->wire.off) {
            model_fail(m, "deleted a designation that is not there: %s", selsnap_error_name(code));
        }
        return;
    }
    if (model_result(m, code, 0)) {
        m->names[slot].live = false;
    } else {
        m->pending = PENDING_UNNAME;
        m->pending_slot = slot;
    }
}
