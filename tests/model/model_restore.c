/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on restores, and steps. */
#include "model.h"

#include <inttypes.h>
#include <string.h>

void model_begin_restore(struct model *m, uint64_t job, unsigned slot, const uint8_t *in) {
    const struct m_snapshot *source = &m->snapshots[slot];
    for (uint64_t block = 0; block < m->blocks; block++) {
        if (!in[block] || source->lost[block]) {
            continue;
        }
        uint64_t offset = block * m->block_bytes;
        size_t len = model_block_len(m, block);
        memcpy(m->live + offset, source->frozen + offset, len);
        for (uint64_t at = offset; at < offset + len; at += TESTDEV_UNIT) {
            m->live_versions[at / TESTDEV_UNIT].count = 0;
        }
        /* Whether it is copied back, and what that preserves, depends on entries that the model does not keep. */
        for (unsigned i = 0; i < MODEL_SNAPSHOTS; i++) {
            if (m->snapshots[i].changed[block] == CHANGED_NO) {
                m->snapshots[i].changed[block] = CHANGED_PERHAPS;
            }
        }
    }
    for (unsigned i = 0; i < MODEL_JOBS; i++) {
        struct m_job *kept = &m->jobs[i];
        if (!kept->live) {
            kept->live = true;
            kept->id = job;
            kept->snapshot = slot;
            memcpy(kept->in, in, m->blocks);
            return;
        }
    }
}

bool model_restoring(const struct model *m) {
    for (unsigned i = 0; i < MODEL_JOBS; i++) {
        if (m->jobs[i].live) {
            return true;
        }
    }
    return false;
}

/* Forgets jobs that have ended. */
void model_list_jobs(struct model *m) {
    bool found[MODEL_JOBS] = {false};
    selsnap_restore_info info = {0};
    info.struct_size = sizeof info;
    int code;
    while ((code = selsnap_restore_next(m->ss, info.job, &info)) == SELSNAP_OK) {
        unsigned i = 0;
        while (i < MODEL_JOBS && !(m->jobs[i].live && m->jobs[i].id == info.job)) {
            i++;
        }
        if (i == MODEL_JOBS) {
            model_fail(m, "restore %" PRIu64 " of snapshot %" PRIu64 " is unknown", info.job, info.snapshot_id);
        }
        if (info.snapshot_id != m->snapshots[m->jobs[i].snapshot].id || info.blocks_done > info.blocks_total) {
            model_fail(m, "restore %" PRIu64 ": snapshot %" PRIu64 ", %" PRIu64 " of %" PRIu64 " blocks", info.job,
                       info.snapshot_id, info.blocks_done, info.blocks_total);
        }
        found[i] = true;
    }
    if (code != SELSNAP_ENOENT && !model_result(m, code, 0)) {
        return;
    }
    for (unsigned i = 0; i < MODEL_JOBS; i++) {
        m->jobs[i].live = m->jobs[i].live && found[i];
    }
}

static selsnap_subset *random_part(struct model *m) {
    selsnap_subset *subset = NULL;
    int code = selsnap_subset_open_for(m->ss, &subset);
    for (uint64_t i = prng_below(&m->prng, 3); code == SELSNAP_OK && i < 3; i++) {
        uint64_t offset;
        size_t len;
        model_random_range(m, false, &offset, &len);
        code = selsnap_subset_add(subset, offset, len);
    }
    (void)model_result(m, code, 0);
    return subset;
}

static bool overlaps_job(const struct model *m, const uint8_t *in) {
    for (unsigned i = 0; i < MODEL_JOBS; i++) {
        for (uint64_t block = 0; m->jobs[i].live && block < m->blocks; block++) {
            if (m->jobs[i].in[block] && in[block]) {
                return true;
            }
        }
    }
    return false;
}

static unsigned count_jobs(const struct model *m) {
    unsigned count = 0;
    for (unsigned i = 0; i < MODEL_JOBS; i++) {
        count += m->jobs[i].live ? 1 : 0;
    }
    return count;
}

/* Whether the code is one that this restore may be refused with. */
static bool refused(struct model *m, int code, bool overlap, bool empty, bool lost, bool skip) {
    if (code == SELSNAP_EBUSY && overlap) {
        return true;
    }
    if (code == SELSNAP_EINVAL && empty) {
        return true;
    }
    if (code == SELSNAP_ELOST && lost && !skip) {
        return true;
    }
    if (code == SELSNAP_OK && (overlap || empty || (lost && !skip))) {
        model_fail(m, "began a restore that %s",
                   overlap ? "overlaps another"
                   : empty ? "has no block"
                           : "has lost blocks");
    }
    return m->config->tight && code == SELSNAP_ENOSPACE;
}

void model_restore(struct model *m) {
    unsigned slot = model_pick_snapshot(m);
    model_list_jobs(m);
    if (slot == MODEL_SNAPSHOTS || count_jobs(m) == MODEL_JOBS) {
        return;
    }
    selsnap_subset *part = prng_percent(&m->prng, 60) ? NULL : random_part(m);
    model_do_restore(m, slot, part, prng_percent(&m->prng, 50) ? SELSNAP_RESTORE_SKIP_LOST : 0);
    selsnap_subset_close(part);
}

void model_do_restore(struct model *m, unsigned slot, const selsnap_subset *part, uint32_t flags) {
    struct m_snapshot *s = &m->snapshots[slot];
    uint8_t *in = m->pending_in;
    memset(in, 1, m->blocks);
    if (part != NULL) {
        model_read_subset(m, part, in);
    }
    model_learn_lost(m, slot);
    bool lost = false;
    bool empty = true;
    for (uint64_t block = 0; block < m->blocks; block++) {
        in[block] = in[block] && s->in[block];
        empty = empty && !in[block];
        lost = lost || (in[block] && s->lost[block]);
    }
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    options.id = s->id;
    options.subset = part;
    options.flags = flags;
    bool overlap = overlaps_job(m, in);
    model_doing(m, "restore %s%s", s->name, part != NULL ? " in part" : "");
    uint64_t job = 0;
    int code = selsnap_restore_start(m->ss, &options, &job);
    if (code == SELSNAP_ENODATA && s->bookmark) {
        return;
    }
    if (m->deferred > 0 && !m->wire.off) {
        model_learn_lost(m, slot); /* by what was deferred until now */
        for (uint64_t block = 0; block < m->blocks; block++) {
            lost = lost || (in[block] && s->lost[block]);
        }
    }
    if (refused(m, code, overlap, empty, lost, (flags & SELSNAP_RESTORE_SKIP_LOST) != 0)) {
        return;
    }
    if (model_result(m, code, 0)) {
        model_begin_restore(m, job, slot, in);
    } else {
        m->pending = PENDING_RESTORE;
        m->pending_slot = slot;
    }
}

void model_do_step(struct model *m, uint32_t flags, uint64_t budget) {
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    options.flags = flags;
    options.budget_blocks = budget;
    uint32_t more = 0;
    model_doing(m, "step %u, budget %" PRIu64, flags, budget);
    (void)model_result(m, selsnap_step(m->ss, &options, &more), m->config->tight ? SELSNAP_ENOSPACE : 0);
    if (!m->wire.off) {
        model_list_jobs(m);
    }
}

void model_do_run(struct model *m, unsigned job) {
    model_doing(m, "run restore %" PRIu64, m->jobs[job].id);
    int code = selsnap_restore_run(m->ss, m->jobs[job].id, NULL, NULL);
    (void)(code == SELSNAP_ENOENT || model_result(m, code, m->config->tight ? SELSNAP_ENOSPACE : 0));
    if (!m->wire.off) {
        model_list_jobs(m);
    }
}

void model_step(struct model *m) {
    uint32_t flags = (uint32_t)prng_below(&m->prng, 8);
    uint64_t budget = 1 + prng_below(&m->prng, prng_percent(&m->prng, 50) ? 6 : 500);
    unsigned job = (unsigned)prng_below(&m->prng, MODEL_JOBS);
    if (prng_percent(&m->prng, 10) && m->jobs[job].live) {
        model_do_run(m, job);
    } else {
        model_do_step(m, flags, budget);
    }
    if (!m->wire.off) {
        model_grow_sometimes(m);
    }
}

void model_do_pause(struct model *m, unsigned job, bool paused) {
    model_list_jobs(m);
    if (m->jobs[job].live) {
        model_doing(m, "%s restore %" PRIu64, paused ? "pause" : "unpause", m->jobs[job].id);
        (void)model_result(m, selsnap_restore_pause(m->ss, m->jobs[job].id, paused), 0);
    }
}

void model_pause(struct model *m) {
    unsigned job = (unsigned)prng_below(&m->prng, MODEL_JOBS);
    model_do_pause(m, job, prng_percent(&m->prng, 50));
}
