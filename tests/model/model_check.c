/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing what the library says with what the model holds. */
#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Fails with the first sector that differs. */
static void fail_at(struct model *m, const char *what, const uint8_t *expected, const uint8_t *got, size_t len,
                    uint64_t offset) {
    size_t at = 0;
    while (at < len && expected[at] == got[at]) {
        at++;
    }
    uint64_t byte = offset + at;
    size_t sector = at - (size_t)(byte % PATTERN_SECTOR < at ? byte % PATTERN_SECTOR : at);
    char expected_text[128] = "part of a sector";
    char got_text[128] = "part of a sector";
    if (sector + PATTERN_SECTOR <= len) {
        pattern_describe(expected + sector, expected_text, sizeof expected_text);
        pattern_describe(got + sector, got_text, sizeof got_text);
    }
    model_fail(m, "%s differs at byte %" PRIu64 " (block %" PRIu64 ", sector %" PRIu64 "): expected %s, got %s", what,
               byte, byte / m->block_bytes, byte / PATTERN_SECTOR, expected_text, got_text);
}

void model_check_live(struct model *m, uint64_t offset, size_t len) {
    if (!model_result(m, selsnap_read(m->ss, m->scratch, len, offset), 0)) {
        return;
    }
    if (memcmp(m->scratch, m->live + offset, len) != 0) {
        fail_at(m, "the live device", m->live + offset, m->scratch, len, offset);
    }
}

void model_learn_lost(struct model *m, unsigned slot) {
    struct m_snapshot *s = &m->snapshots[slot];
    if (!m->config->tight && m->unreadable == NULL) {
        return;
    }
    selsnap_map_range range = {0};
    for (uint64_t at = 0; at < m->size; at = range.offset + range.len) {
        m->calm++;
        int code = selsnap_snapshot_map(m->ss, s->id, at, &range);
        m->calm--;
        if (!model_result(m, code, 0)) {
            return;
        }
        for (uint64_t block = at / m->block_bytes; block * m->block_bytes < range.offset + range.len; block++) {
            if (range.state != SELSNAP_BLOCKS_LOST) {
                continue;
            }
            bool given_up = m->config->tight && s->policy == SELSNAP_POLICY_GIVE_UP_BLOCK;
            bool unreadable = m->unreadable != NULL && m->unreadable[block] != 0;
            if ((!given_up && !unreadable) || s->changed[block] == CHANGED_NO) {
                model_fail(m, "block %" PRIu64 " of %s is lost, which it must not be", block, s->name);
            }
            s->lost[block] = 1;
        }
    }
}

/* After a fault: what is written into a snapshot hides from the map that the block below is lost. */
static bool may_be_lost(const struct model *m, const struct m_snapshot *s, uint64_t offset, size_t len) {
    bool may = false;
    for (uint64_t block = offset / m->block_bytes; block <= (offset + len - 1) / m->block_bytes; block++) {
        bool hidden = s->over[block] != CHANGED_NO && s->changed[block] != CHANGED_NO;
        may = may || (m->unreadable != NULL && m->unreadable[block] != 0 && hidden);
    }
    return may;
}

void model_check_read(struct model *m, const struct m_view *view, uint64_t offset, size_t len) {
    struct m_snapshot *s = &m->snapshots[view->snapshot];
    bool pristine = (view->flags & SELSNAP_VIEW_PRISTINE) != 0;
    int code = selsnap_view_read(view->view, m->scratch, len, offset);
    bool undesignated = false;
    bool lost = false;
    model_learn_lost(m, view->snapshot);
    for (uint64_t block = offset / m->block_bytes; block <= (offset + len - 1) / m->block_bytes; block++) {
        undesignated = undesignated || !s->in[block];
        lost = lost || (s->lost[block] && (pristine || s->over[block] != CHANGED_YES));
    }
    undesignated = undesignated && view->undesignated == SELSNAP_UNDESIGNATED_ERROR;
    if (undesignated || lost) {
        if (!m->wire.off && !(undesignated && code == SELSNAP_EUNDESIGNATED) && !(lost && code == SELSNAP_ELOST)) {
            model_fail(m, "reading %s blocks gave %s", undesignated ? "undesignated" : "lost",
                       selsnap_error_name(code));
        }
        return;
    }
    if ((code == SELSNAP_ELOST && pristine && may_be_lost(m, s, offset, len)) || !model_result(m, code, 0)) {
        return;
    }
    for (uint64_t at = offset; at < offset + len;) {
        uint64_t block = at / m->block_bytes;
        uint64_t end = (block + 1) * m->block_bytes < offset + len ? (block + 1) * m->block_bytes : offset + len;
        static const uint8_t zeros[4096];
        const uint8_t *expected = pristine ? s->frozen + at : s->now + at;
        const uint8_t *got = m->scratch + (at - offset);
        size_t part = (size_t)(end - at);
        if (!s->in[block] && view->undesignated == SELSNAP_UNDESIGNATED_ZEROS) {
            if (!pattern_all_zero(got, part)) {
                fail_at(m, "an undesignated block", zeros, got, part < sizeof zeros ? part : sizeof zeros, at);
            }
        } else {
            expected = s->in[block] ? expected : m->live + at;
            if (memcmp(got, expected, part) != 0) {
                fail_at(m, s->in[block] ? s->name : "an undesignated block", expected, got, part, at);
            }
        }
        at = end;
    }
}

/* Whether a bookmark's block may be in that state. */
static bool is_marked(const struct model *m, const struct m_snapshot *s, uint64_t block, bool kept, uint32_t state) {
    bool unchanged = state == SELSNAP_BLOCKS_UNCHANGED;
    return s->changed[block] == CHANGED_YES  ? kept || (m->deferred > 0 && unchanged)
           : s->changed[block] == CHANGED_NO ? unchanged || (m->ahead && kept)
                                             : unchanged || kept;
}

static void check_map(struct model *m, const struct m_snapshot *s) {
    selsnap_map_range range = {0};
    for (uint64_t at = 0; at < m->size; at = range.offset + range.len) {
        if (!model_result(m, selsnap_snapshot_map(m->ss, s->id, at, &range), 0)) {
            return;
        }
        if (range.offset != at || range.len == 0 || range.len > m->size - at) {
            model_fail(m, "the map of %s at %" PRIu64 " gives %" PRIu64 " and %" PRIu64, s->name, at, range.offset,
                       range.len);
        }
        for (uint64_t block = at / m->block_bytes; block * m->block_bytes < at + range.len; block++) {
            uint32_t state = range.state;
            bool kept = s->bookmark ? state == SELSNAP_BLOCKS_CHANGED
                                    : state == SELSNAP_BLOCKS_PRESERVED || state == SELSNAP_BLOCKS_ZERO ||
                                          state == SELSNAP_BLOCKS_LOST;
            bool ahead = m->ahead && kept && state != SELSNAP_BLOCKS_LOST;
            bool pending = m->deferred > 0; /* the write may be in memory still, or was lost with it */
            bool right = !s->in[block]                      ? state == SELSNAP_BLOCKS_UNDESIGNATED
                         : s->bookmark                      ? is_marked(m, s, block, kept, state)
                         : s->over[block] == CHANGED_YES    ? state == SELSNAP_BLOCKS_OVERLAY
                         : state == SELSNAP_BLOCKS_OVERLAY  ? s->over[block] == CHANGED_PERHAPS
                         : s->changed[block] == CHANGED_YES ? kept || (pending && state == SELSNAP_BLOCKS_UNCHANGED)
                         : s->changed[block] == CHANGED_NO  ? state == SELSNAP_BLOCKS_UNCHANGED || ahead
                                                            : kept || state == SELSNAP_BLOCKS_UNCHANGED;
            const uint8_t *frozen = s->frozen + block * m->block_bytes;
            if (!right || (state == SELSNAP_BLOCKS_ZERO && !pattern_all_zero(frozen, model_block_len(m, block)))) {
                model_fail(m, "the map of %s gives state %u to block %" PRIu64 " (in %u, changed %u, overlay %u)",
                           s->name, state, block, s->in[block], s->changed[block], s->over[block]);
            }
        }
    }
}

static void check_property(struct model *m, const struct m_snapshot *s) {
    char key[SELSNAP_PROPERTY_KEY_MAX + 1] = "";
    char value[SELSNAP_PROPERTY_VALUE_MAX + 1] = "";
    int code = selsnap_snapshot_next_property(m->ss, s->id, "", key, value);
    if (code == SELSNAP_ENOENT && s->property[0] == '\0') {
        return;
    }
    if (model_result(m, code, 0) && (strcmp(key, "made at") != 0 || strcmp(value, s->property) != 0)) {
        model_fail(m, "%s has the property %s: %s, instead of %s", s->name, key, value, s->property);
    }
}

static void check_group(struct model *m, const struct m_snapshot *s) {
    selsnap_group_info info = {.struct_size = sizeof info};
    int code = selsnap_snapshot_get_group(m->ss, s->id, &info);
    if (code == SELSNAP_ENOENT && s->group[0] == '\0') {
        return;
    }
    if (model_result(m, code, 0) && (strcmp(info.name, s->group) != 0 || info.member != 0 || info.members != 1)) {
        model_fail(m, "%s is in the group \"%s\", instead of \"%s\"", s->name, info.name, s->group);
    }
}

static void check_info(struct model *m, unsigned slot, const selsnap_snapshot_info *info) {
    const struct m_snapshot *s = &m->snapshots[slot];
    uint32_t views = 0;
    bool restoring = false;
    bool changed = false;
    bool unsure = false;
    for (unsigned i = 0; i < MODEL_VIEWS; i++) {
        views += m->views[i].view != NULL && m->views[i].snapshot == slot ? 1 : 0;
    }
    for (unsigned i = 0; i < MODEL_JOBS; i++) {
        restoring = restoring || (m->jobs[i].live && m->jobs[i].snapshot == slot);
    }
    for (uint64_t block = 0; block < m->blocks; block++) {
        changed = changed || s->over[block] == CHANGED_YES;
        unsure = unsure || s->over[block] == CHANGED_PERHAPS;
    }
    if (strcmp(info->name, s->name) != 0 || info->policy != s->policy || info->holds != s->holds ||
        info->block_count != s->block_count || info->open_views != views || (info->restoring != 0) != restoring ||
        (info->bookmark != 0) != s->bookmark || (!unsure && (info->changed != 0) != (changed && !s->bookmark))) {
        model_fail(m,
                   "%s: name %s, policy %u of %u, holds %u of %u, blocks %" PRIu64 " of %" PRIu64
                   ", views %u of %u, restoring %u of %u, changed %u of %u, bookmark %u of %u",
                   s->name, info->name, info->policy, s->policy, info->holds, s->holds, info->block_count,
                   s->block_count, info->open_views, views, info->restoring, restoring, info->changed, changed,
                   info->bookmark, s->bookmark);
    }
    check_property(m, s);
    check_group(m, s);
    int64_t expiry = 0;
    if (model_result(m, selsnap_snapshot_get_expiry(m->ss, s->id, &expiry), 0) && expiry != s->expiry) {
        model_fail(m, "%s expires at %" PRId64 ", not at %" PRId64, s->name, expiry, s->expiry);
    }
    uint64_t more;
    uint64_t written = model_count_written(m, s, &more);
    uint64_t quota = 0;
    uint64_t used = 0;
    if (model_result(m, selsnap_snapshot_get_quota(m->ss, s->id, &quota, &used), 0) &&
        (quota != s->quota * m->block_bytes || info->quota_bytes != quota ||
         (more == 0 && !s->unsure && !s->bookmark && used != written * m->block_bytes &&
          (!s->layered || used > written * m->block_bytes)))) {
        model_fail(m, "%s has a quota of %" PRIu64 " and takes %" PRIu64 " of it, not %" PRIu64 " and %" PRIu64,
                   s->name, quota, used, s->quota * m->block_bytes, written * m->block_bytes);
    }
    selsnap_subset *subset = NULL;
    if (!model_result(m, selsnap_snapshot_get_subset(m->ss, s->id, &subset), 0)) {
        return;
    }
    model_read_subset(m, subset, m->scratch);
    bool same = memcmp(m->scratch, s->in, m->blocks) == 0 && selsnap_subset_block_count(subset) == s->block_count;
    selsnap_subset_close(subset);
    if (!same) {
        model_fail(m, "the subset of %s is not what was given", s->name);
    }
}

/* Reads designated blocks run by run, so that errors of undesignated ones do not hide them. */
static void check_content(struct model *m, unsigned slot, uint32_t flags) {
    const struct m_snapshot *s = &m->snapshots[slot];
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = s->id;
    options.flags = flags;
    struct m_view view = {NULL, slot, flags, SELSNAP_UNDESIGNATED_ERROR};
    if (!model_result(m, selsnap_view_open(m->ss, &options, &view.view), 0)) {
        return;
    }
    model_learn_lost(m, slot);
    uint64_t block = 0;
    while (block < m->blocks && !m->wire.off) {
        uint64_t first = block;
        while (block < m->blocks && s->in[block] && !s->lost[block]) {
            block++;
        }
        uint64_t end = block * m->block_bytes < m->size ? block * m->block_bytes : m->size;
        if (block > first) {
            model_check_read(m, &view, first * m->block_bytes, (size_t)(end - first * m->block_bytes));
        } else {
            model_check_read(m, &view, block * m->block_bytes, model_block_len(m, block));
            block++;
        }
    }
    (void)model_result(m, selsnap_view_close(view.view), m->config->tight ? SELSNAP_ENOSPACE : 0);
}

void model_check_snapshot(struct model *m, unsigned slot) {
    if (m->snapshots[slot].bookmark) {
        model_check_no_data(m, slot);
        check_map(m, &m->snapshots[slot]);
        return;
    }
    if (!m->snapshots[slot].unsure) {
        check_content(m, slot, 0);
    }
    check_content(m, slot, SELSNAP_VIEW_PRISTINE);
    check_map(m, &m->snapshots[slot]);
}

/* A part of what there is, after each operation. */
void model_check_some(struct model *m) {
    uint64_t offset;
    size_t len;
    model_random_range(m, true, &offset, &len);
    model_check_live(m, offset, len);
    unsigned slot = model_pick_snapshot(m);
    if (slot == MODEL_SNAPSHOTS || m->wire.off) {
        return;
    }
    if (m->snapshots[slot].bookmark) {
        model_check_diff(m);
        return;
    }
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = m->snapshots[slot].id;
    options.undesignated = (uint32_t)prng_below(&m->prng, 3);
    options.flags = prng_percent(&m->prng, 30) ? SELSNAP_VIEW_PRISTINE : 0;
    struct m_view view = {NULL, slot, options.flags, options.undesignated};
    if (model_result(m, selsnap_view_open(m->ss, &options, &view.view), 0)) {
        model_random_range(m, false, &offset, &len);
        model_check_read(m, &view, offset, len);
        int code = selsnap_view_close(view.view);
        if (model_result(m, code, m->config->tight ? SELSNAP_ENOSPACE : 0)) {
            model_settle_snapshot(&m->snapshots[slot], m->blocks);
        }
    }
}

static void check_list(struct model *m) {
    bool found[MODEL_SNAPSHOTS] = {false};
    selsnap_snapshot_info info = {0};
    info.struct_size = sizeof info;
    int code;
    while ((code = selsnap_snapshot_next(m->ss, info.id, &info)) == SELSNAP_OK) {
        unsigned slot = 0;
        while (slot < MODEL_SNAPSHOTS && !(m->snapshots[slot].live && m->snapshots[slot].id == info.id)) {
            slot++;
        }
        if (slot == MODEL_SNAPSHOTS) {
            model_fail(m, "snapshot %" PRIu64 " (%s) is unknown", info.id, info.name);
        }
        found[slot] = true;
        check_info(m, slot, &info);
    }
    if (code != SELSNAP_ENOENT && !model_result(m, code, 0)) {
        return;
    }
    for (unsigned slot = 0; slot < MODEL_SNAPSHOTS; slot++) {
        if (m->snapshots[slot].live && !found[slot]) {
            model_fail(m, "snapshot %s is gone", m->snapshots[slot].name);
        }
    }
}

static void check_names(struct model *m) {
    for (unsigned i = 0; i < MODEL_NAMES; i++) {
        char name[MODEL_TEXT];
        snprintf(name, sizeof name, "d%u", i);
        selsnap_subset *subset = NULL;
        int code = selsnap_designation_load(m->ss, name, &subset);
        if (!m->names[i].live) {
            if (code == SELSNAP_OK) {
                model_fail(m, "designation %s is there", name);
            }
            (void)(code == SELSNAP_ENOENT || model_result(m, code, 0));
            continue;
        }
        if (!model_result(m, code, 0)) {
            return;
        }
        model_read_subset(m, subset, m->scratch);
        selsnap_subset_close(subset);
        if (memcmp(m->scratch, m->names[i].in, m->blocks) != 0) {
            model_fail(m, "designation %s is not what was saved", name);
        }
    }
}

static int tell_problem(void *user, const char *line) {
    struct model *m = user;
    if (!m->wire.off && m->tolerates == 0) {
        fprintf(stderr, "check of seed %" PRIu64 ": %s\n", m->seed, line);
    }
    return 0;
}

void model_check_frozen(struct model *m) {
    for (unsigned slot = 0; slot < MODEL_SNAPSHOTS; slot++) {
        bool struck = m->pending_slot == slot && (m->pending == PENDING_CREATE || m->pending == PENDING_DELETE ||
                                                  m->pending == PENDING_BOOKMARK || m->pending == PENDING_CLONE);
        if (m->snapshots[slot].live && !m->snapshots[slot].bookmark && !struck) {
            check_content(m, slot, SELSNAP_VIEW_PRISTINE);
        }
    }
}

void model_check_all(struct model *m) {
    model_check_size(m);
    model_check_live(m, 0, m->size);
    model_list_jobs(m);
    check_list(m);
    check_names(m);
    uint64_t quota = 0;
    if (model_result(m, selsnap_get_quota(m->ss, &quota), 0) && quota != m->store_quota * MODEL_QUOTA_UNIT) {
        model_fail(m, "the store has a quota of %" PRIu64 ", not %" PRIu64, quota, m->store_quota * MODEL_QUOTA_UNIT);
    }
    for (unsigned slot = 0; slot < MODEL_SNAPSHOTS && !m->wire.off; slot++) {
        if (m->snapshots[slot].live) {
            model_check_snapshot(m, slot);
        }
    }
    model_check_diffs(m);
    selsnap_check_result result = {0};
    result.struct_size = sizeof result;
    if (!m->skip_check && !m->wire.off &&
        model_result(m, selsnap_check(m->ss, tell_problem, m, NULL, NULL, &result), 0) && result.problems != 0 &&
        !m->wire.off && m->tolerates == 0) {
        model_fail(m, "the check finds %" PRIu64 " problems", result.problems);
    }
}
