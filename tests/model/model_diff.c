/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diffs, compared with the naive truth: every block whose content differs must be in the diff, and a block that nothing
 * has touched since `from`, and nothing was preserved around, must not. Bookmarks are checked so, as nothing else can be.
 */
#include "model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Fills kinds per block; 0: in no range. False: the power is cut, or a fault was met. */
static bool read_diff(struct model *m, const selsnap_diff_options *options, uint8_t *kinds) {
    selsnap_diff_range range = {0};
    uint64_t at = 0;
    uint32_t last = 0;
    int code;
    memset(kinds, 0, m->blocks);
    while ((code = selsnap_diff_next(m->ss, options, at, &range)) == SELSNAP_OK) {
        if (range.offset < at || range.len == 0 || range.len > m->size - range.offset ||
            range.offset % m->block_bytes != 0 || (range.offset == at && at > 0 && range.kind == last)) {
            model_fail(m, "the diff gives %" PRIu64 " bytes at %" PRIu64 ", kind %u, after %" PRIu64, range.len,
                       range.offset, range.kind, at);
        }
        at = range.offset + range.len;
        last = range.kind;
        for (uint64_t block = range.offset / m->block_bytes; block * m->block_bytes < at; block++) {
            kinds[block] = (uint8_t)range.kind;
        }
    }
    return code == SELSNAP_ENOENT || model_result(m, code, 0);
}

/* What the map of `to` says of a block decides whether it is lost. False: as above. */
static bool is_lost(struct model *m, const struct m_snapshot *to, uint64_t block, bool *ret_lost, bool *ret_known) {
    selsnap_map_range range = {0};
    *ret_lost = false;
    *ret_known = true;
    if (to != NULL && !to->bookmark) {
        if (!model_result(m, selsnap_snapshot_map(m->ss, to->id, block * m->block_bytes, &range), 0)) {
            return false;
        }
        *ret_lost = range.state == SELSNAP_BLOCKS_LOST;
        *ret_known = range.state != SELSNAP_BLOCKS_OVERLAY;
    }
    return true;
}

static void check_block(struct model *m, const struct m_snapshot *from, const struct m_snapshot *to, uint64_t block,
                        uint8_t kind) {
    uint64_t at = block * m->block_bytes;
    const uint8_t *then = from->frozen + at;
    const uint8_t *since = to != NULL ? to->frozen + at : m->live + at;
    bool differs = memcmp(then, since, model_block_len(m, block)) != 0;
    bool touched = from->changed[block] != CHANGED_NO || m->ahead;
    bool lost = false;
    bool known = false;
    const char *wrong = NULL;
    if (to != NULL && !to->in[block]) {
        wrong = kind != 0 ? "is not in the younger one" : NULL;
    } else if (!from->in[block]) {
        wrong = kind != SELSNAP_DIFF_UNKNOWN ? "is not tracked" : NULL;
    } else if (kind == SELSNAP_DIFF_UNKNOWN) {
        wrong = "is tracked";
    } else if (kind == 0) {
        wrong = differs ? "differs" : NULL;
    } else if (!touched) {
        wrong = "was never touched";
    } else if (is_lost(m, to, block, &lost, &known) && known) {
        wrong = lost != (kind == SELSNAP_DIFF_LOST) ? lost ? "is lost" : "is not lost" : NULL;
    }
    if (wrong != NULL && !m->wire.off) {
        model_fail(m, "the diff from %s to %s gives kind %u to block %" PRIu64 ", which %s (changed %u)", from->name,
                   to != NULL ? to->name : "now", kind, block, wrong, from->changed[block]);
    }
}

/* to: NULL for now. within: NULL, or per block. */
static void check_diff(struct model *m, const struct m_snapshot *from, const struct m_snapshot *to,
                       const uint8_t *within) {
    selsnap_diff_options options = SELSNAP_DIFF_OPTIONS_INIT;
    selsnap_subset *subset = NULL;
    options.from_id = from->id;
    options.to_id = to != NULL ? to->id : 0;
    uint8_t *kinds = malloc(m->blocks);
    int code = within != NULL ? selsnap_subset_open_for(m->ss, &subset) : SELSNAP_OK;
    for (uint64_t block = 0; within != NULL && code == SELSNAP_OK && block < m->blocks; block++) {
        code = within[block] ? selsnap_subset_add(subset, block * m->block_bytes, 1) : SELSNAP_OK;
    }
    if (kinds == NULL) {
        abort();
    }
    options.within = subset;
    if (model_result(m, code, 0) && read_diff(m, &options, kinds)) {
        for (uint64_t block = 0; block < m->blocks; block++) {
            if (within == NULL || within[block]) {
                check_block(m, from, to, block, kinds[block]);
            } else if (kinds[block] != 0) {
                model_fail(m, "the diff from %s gives block %" PRIu64 ", which was not asked for", from->name, block);
            }
        }
    }
    selsnap_subset_close(subset);
    free(kinds);
}

/* A random pair, or up to now. */
void model_check_diff(struct model *m) {
    unsigned slot = model_pick_snapshot(m);
    unsigned other = model_pick_snapshot(m);
    unsigned mask = model_pick_snapshot(m);
    if (slot == MODEL_SNAPSHOTS || m->wire.off) {
        return;
    }
    const struct m_snapshot *from = &m->snapshots[slot];
    const struct m_snapshot *to = &m->snapshots[other];
    const uint8_t *within = prng_percent(&m->prng, 30) ? m->snapshots[mask].in : NULL;
    bool now = prng_percent(&m->prng, 50);
    bool turned = model_order(from) > model_order(to);
    check_diff(m, turned ? to : from, now ? NULL : turned ? from : to, within);
    selsnap_diff_options options = SELSNAP_DIFF_OPTIONS_INIT;
    selsnap_diff_range range;
    options.from_id = turned ? from->id : to->id;
    options.to_id = turned ? to->id : from->id;
    if (model_order(from) != model_order(to) && !m->wire.off && m->tolerates == 0 &&
        selsnap_diff_next(m->ss, &options, 0, &range) != SELSNAP_EINVAL) {
        model_fail(m, "a diff to an older point is allowed");
    }
}

/* From each snapshot to the next one, and to now. */
void model_check_diffs(struct model *m) {
    for (unsigned slot = 0; slot < MODEL_SNAPSHOTS && !m->wire.off; slot++) {
        const struct m_snapshot *from = &m->snapshots[slot];
        const struct m_snapshot *next = NULL;
        for (unsigned i = 0; i < MODEL_SNAPSHOTS; i++) {
            const struct m_snapshot *s = &m->snapshots[i];
            if (s->live && model_order(s) > model_order(from) && (next == NULL || model_order(s) < model_order(next))) {
                next = s;
            }
        }
        if (from->live) {
            check_diff(m, from, NULL, NULL);
        }
        if (from->live && next != NULL && !m->wire.off) {
            check_diff(m, from, next, NULL);
        }
    }
}

/* A bookmark has nothing that a view could show. */
void model_check_no_data(struct model *m, unsigned slot) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    options.id = m->snapshots[slot].id;
    int code = selsnap_view_open(m->ss, &options, &view);
    if (code != SELSNAP_ENODATA && model_result(m, code, 0)) {
        model_fail(m, "a view of bookmark %s opens", m->snapshots[slot].name);
    }
}
