/* SPDX-License-Identifier: Apache-2.0 */
/* How long snapshots are kept, holds of both kinds, locks, expiry; and quotas. */
#include "model.h"

#include <stdio.h>
#include <string.h>

/* The first hold with a reason that is a lock, or none; 0: there is none. The model looks for itself. */
static uint64_t find_hold(struct model *m, uint64_t id, uint32_t flags) {
    selsnap_hold_info info;
    uint64_t found = 0;
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    m->calm++;
    while (found == 0 && selsnap_hold_next(m->ss, id, info.hold, &info) == SELSNAP_OK) {
        found = info.flags == flags ? info.hold : 0;
    }
    m->calm--;
    return found;
}

static int add_hold(struct model *m, uint64_t id, uint32_t flags) {
    selsnap_hold_options options = SELSNAP_HOLD_OPTIONS_INIT;
    options.flags = flags;
    options.until_ns = flags != 0 ? INT64_MAX : 0;
    options.reason = "of the model";
    return selsnap_hold_add(m->ss, id, &options, NULL);
}

static void judge_holds(struct model *m, unsigned slot, int code, uint32_t holds) {
    if (model_result(m, code, m->config->tight ? SELSNAP_ENOSPACE : 0)) {
        m->snapshots[slot].holds = holds;
    } else if (code != SELSNAP_ENOSPACE) {
        m->pending = PENDING_HOLDS;
        m->pending_slot = slot;
        m->pending_holds = holds;
    }
}

/* Every other hold has a reason. */
void model_do_hold(struct model *m, unsigned slot, bool hold) {
    struct m_snapshot *s = &m->snapshots[slot];
    uint64_t reasoned = hold ? 0 : find_hold(m, s->id, 0);
    model_doing(m, "%s %s", hold ? "hold" : "release", s->name);
    int code;
    if (hold) {
        code = m->sequence % 2 == 0 ? add_hold(m, s->id, 0) : selsnap_snapshot_hold(m->ss, s->id);
    } else {
        code = reasoned != 0 ? selsnap_hold_release(m->ss, s->id, reasoned) : selsnap_snapshot_release(m->ss, s->id);
    }
    bool gone = !hold && m->failures > 0 && (code == SELSNAP_ENOENT || code == SELSNAP_EINVAL);
    if (gone && s->holds > 0 && (reasoned == 0 || reasoned != find_hold(m, s->id, 0))) {
        code = SELSNAP_OK; /* an attempt that failed has taken effect */
    }
    if (!hold && s->holds == 0 && reasoned == 0) {
        if (code != SELSNAP_EINVAL) {
            model_fail(m, "release of what is not held: %s", selsnap_error_name(code));
        }
        return;
    }
    judge_holds(m, slot, code, hold ? s->holds + 1 : s->holds - 1);
}

void model_do_lock(struct model *m, unsigned slot) {
    struct m_snapshot *s = &m->snapshots[slot];
    uint64_t lock = find_hold(m, s->id, SELSNAP_HOLD_LOCK);
    model_doing(m, "lock %s", s->name);
    if (lock == 0) {
        judge_holds(m, slot, add_hold(m, s->id, SELSNAP_HOLD_LOCK), s->holds + 1);
    } else if (selsnap_hold_release(m->ss, s->id, lock) == SELSNAP_OK ||
               selsnap_hold_set_end(m->ss, s->id, lock, INT64_MAX - 1) == SELSNAP_OK) {
        model_fail(m, "the lock of %s was lifted before its end", s->name);
    }
}

void model_do_expiry(struct model *m, unsigned slot, int64_t time) {
    struct m_snapshot *s = &m->snapshots[slot];
    model_doing(m, "let %s expire at %d", s->name, (int)time);
    int code = selsnap_snapshot_set_expiry(m->ss, s->id, time);
    if (model_result(m, code, m->config->tight ? SELSNAP_ENOSPACE : 0)) {
        s->expiry = time;
    } else if (code != SELSNAP_ENOSPACE) {
        m->pending = PENDING_EXPIRY;
        m->pending_slot = slot;
        m->pending_expiry = time;
    }
}

void model_do_expire(struct model *m, unsigned slot) {
    struct m_snapshot *s = &m->snapshots[slot];
    uint64_t count = 0;
    if (s->expiry == 0) {
        return; /* setting it failed */
    }
    model_doing(m, "expire at %d", (int)s->expiry);
    int code = selsnap_expire(m->ss, s->expiry, 0, NULL, NULL, &count);
    if (model_result(m, code, 0)) {
        bool undecided = m->failures > 0 && count <= 1; /* a hold or release that failed may have taken effect */
        if (count != (s->holds == 0 ? 1 : 0) && !undecided) {
            model_fail(m, "%d snapshots expired, and %s has %u holds", (int)count, s->name, s->holds);
        }
        s->live = count == 0;
    } else {
        m->pending = PENDING_DELETE;
        m->pending_slot = slot;
    }
}

/* ---- quotas ---- */

uint64_t model_count_written(const struct model *m, const struct m_snapshot *s, uint64_t *ret_more) {
    uint64_t count = 0;
    *ret_more = 0;
    for (uint64_t block = 0; block < m->blocks; block++) {
        bool zero = pattern_all_zero(s->now + block * m->block_bytes, model_block_len(m, block));
        count += s->over[block] == CHANGED_YES && !zero;
        *ret_more += s->over[block] == CHANGED_PERHAPS || (s->versions[block].count > 0 && m->failures > 0);
    }
    return count;
}

void model_do_quota(struct model *m, unsigned slot, uint64_t blocks) {
    struct m_snapshot *s = &m->snapshots[slot];
    model_doing(m, "give %s a quota of %d blocks", s->name, (int)blocks);
    int code = selsnap_snapshot_set_quota(m->ss, s->id, blocks * m->block_bytes);
    if (model_result(m, code, m->config->tight ? SELSNAP_ENOSPACE : 0)) {
        s->quota = blocks;
    } else if (code != SELSNAP_ENOSPACE) {
        m->pending = PENDING_QUOTA;
        m->pending_slot = slot;
        m->pending_quota = blocks;
    }
}

void model_do_store_quota(struct model *m, uint64_t units) {
    model_doing(m, "give the store a quota of %d units", (int)units);
    if (model_result(m, selsnap_set_quota(m->ss, units * MODEL_QUOTA_UNIT), 0)) {
        m->store_quota = units;
    } else {
        m->pending = PENDING_STORE_QUOTA;
        m->pending_quota = units;
    }
}

/* That of the store may be in the way only where the store may be full. */
void model_quota(struct model *m) {
    uint64_t units = m->config->store_bytes / MODEL_QUOTA_UNIT + 1;
    if (prng_percent(&m->prng, 30)) {
        uint64_t least = m->config->tight ? units / 2 : units;
        model_do_store_quota(m, prng_percent(&m->prng, 50) ? 0 : least + prng_below(&m->prng, units));
        return;
    }
    unsigned slot = model_pick_snapshot(m);
    if (slot < MODEL_SNAPSHOTS) {
        model_do_quota(m, slot, prng_percent(&m->prng, 50) ? 0 : 1 + prng_below(&m->prng, m->blocks));
    }
}
