/* SPDX-License-Identifier: Apache-2.0 */
/* Clones. */
#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint64_t model_order(const struct m_snapshot *s) {
    return s->clone_of != 0 ? s->clone_of : s->id;
}

/* The slot holds what a clone of the snapshot would; it is not live yet. */
static void copy_snapshot(struct model *m, const struct m_snapshot *from, struct m_snapshot *s, bool as_changed) {
    s->clone_of = model_order(from);
    s->holds = 0;
    s->expiry = 0;
    s->bookmark = false;
    s->block_count = from->block_count;
    memcpy(s->in, from->in, m->blocks);
    memcpy(s->changed, from->changed, m->blocks);
    memcpy(s->lost, from->lost, m->blocks);
    memcpy(s->frozen, from->frozen, m->size);
    memcpy(s->now, as_changed ? from->now : from->frozen, m->size);
    memset(s->over, CHANGED_NO, m->blocks);
    if (as_changed) {
        memcpy(s->over, from->over, m->blocks);
    }
    s->unsure = as_changed && from->unsure;
    s->quota = 0;
    s->layered = as_changed;
    model_settle_snapshot(s, m->blocks);
}

void model_do_clone(struct model *m, unsigned source, unsigned slot, uint32_t policy, bool as_changed) {
    struct m_snapshot *from = &m->snapshots[source];
    struct m_snapshot *s = &m->snapshots[slot];
    snprintf(s->name, sizeof s->name, "c%" PRIu64, m->sequence);
    s->property[0] = '\0';
    s->group[0] = '\0';
    s->policy = policy;
    copy_snapshot(m, from, s, as_changed);
    model_doing(m, "clone %s of %s%s, slot %u, policy %u", s->name, from->name, as_changed ? " as changed" : "", slot,
                policy);
    selsnap_clone_options options = SELSNAP_CLONE_OPTIONS_INIT;
    options.source_id = from->id;
    options.name = s->name;
    options.policy = policy;
    options.flags = as_changed ? SELSNAP_CLONE_AS_CHANGED : 0;
    from->layered = from->layered || as_changed;
    int code = selsnap_snapshot_clone(m->ss, &options, &s->id);
    if (from->bookmark) {
        if (code != SELSNAP_ENODATA && !m->wire.off) {
            model_fail(m, "a clone of a bookmark gave %s", selsnap_error_name(code));
        }
        return;
    }
    if (as_changed && code == SELSNAP_ELIMIT) {
        return;
    }
    if (model_result(m, code, m->config->tight ? SELSNAP_ENOSPACE : 0)) {
        s->live = true;
        if (as_changed) {
            model_settle_snapshot(from, m->blocks);
        }
    } else if (code != SELSNAP_ENOSPACE) {
        m->pending = PENDING_CLONE;
        m->pending_slot = slot;
    }
}

void model_clone(struct model *m) {
    unsigned slot = 0;
    while (slot < MODEL_SNAPSHOTS && m->snapshots[slot].live) {
        slot++;
    }
    unsigned source = model_pick_snapshot(m);
    if (slot == MODEL_SNAPSHOTS || source == MODEL_SNAPSHOTS || model_count_snapshots(m) >= m->config->snapshots) {
        return;
    }
    uint32_t policy = prng_percent(&m->prng, 50) ? SELSNAP_POLICY_GIVE_UP_BLOCK : SELSNAP_POLICY_FAIL_WRITE;
    model_do_clone(m, source, slot, policy, prng_percent(&m->prng, 60));
}
