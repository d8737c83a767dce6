/* SPDX-License-Identifier: Apache-2.0 */
/* See resizing.h: the operations. */
#include "resizing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- calls that may meet a power cut ---- */

static void arm(struct m_world *w) {
    if (!w->calm && m_chance(w, 9)) {
        wire_cut_after(&w->wire, 1 + prng_below(&w->prng, 12));
    }
}

/* The code is the one wanted, or the power is cut. True: it is done. */
static bool ended(struct m_world *w, int code, int wanted) {
    w->wire.cut_at = 0;
    m_say(w, "  %s%s", selsnap_error_name(code), w->wire.off ? ", the power is cut" : "");
    if (code != wanted && !w->wire.off) {
        char text[300] = "";
        (void)selsnap_last_error(w->rig.ss, text, sizeof text);
        fail_msg("%s instead of %s: %s", selsnap_error_name(code), selsnap_error_name(wanted), text);
    }
    return code == SELSNAP_OK;
}

static void random_range(struct m_world *w, uint64_t *ret_offset, uint64_t *ret_len) {
    uint64_t sectors = w->bytes / SECTOR;
    uint64_t first = prng_below(&w->prng, sectors);
    uint64_t count = 1 + prng_below(&w->prng, m_chance(w, 50) ? 8 : 5 * w->block / SECTOR);
    if (m_chance(w, 40)) {
        first -= first % (w->block / SECTOR);
    }
    *ret_offset = first * SECTOR;
    *ret_len = (count < sectors - first ? count : sectors - first) * SECTOR;
}

/* ---- the live device ---- */

static void zeroes(struct m_world *w, uint64_t offset, uint64_t len) {
    m_say(w, "zeroes %" PRIu64 "+%" PRIu64, offset, len);
    memset(w->live + offset, 0, (size_t)len);
    m_note(w, offset, len);
    if (ended(w, selsnap_write_zeroes(w->rig.ss, offset, len), SELSNAP_OK)) {
        m_touch(w, offset, len);
    }
}

void m_write(struct m_world *w) {
    uint64_t offset;
    uint64_t len;
    random_range(w, &offset, &len);
    if (m_chance(w, 20)) {
        arm(w);
        zeroes(w, offset, len);
        return;
    }
    m_say(w, "write %" PRIu64 "+%" PRIu64, offset, len);
    pattern_fill(w->live + offset, (size_t)len, offset, 1, ++w->stamp);
    m_note(w, offset, len);
    arm(w);
    if (ended(w, selsnap_write(w->rig.ss, w->live + offset, (size_t)len, offset), SELSNAP_OK)) {
        m_touch(w, offset, len);
    }
}

static bool is_needed(const struct m_world *w, uint64_t block) {
    for (unsigned i = 0; i < SNAPS; i++) {
        const struct m_snap *s = &w->snaps[i];
        if (s->live && s->in[block] && !s->changed[block]) {
            return true;
        }
    }
    return false;
}

/* Advice: what is needed stays, other bytes of the range may. */
static void do_discard(struct m_world *w) {
    uint64_t offset;
    uint64_t len;
    random_range(w, &offset, &len);
    m_say(w, "discard %" PRIu64 "+%" PRIu64, offset, len);
    if (!ended(w, selsnap_discard(w->rig.ss, offset, len), SELSNAP_OK)) {
        return;
    }
    assert_ok(selsnap_read(w->rig.ss, w->scratch, (size_t)len, offset));
    for (uint64_t i = 0; i < len; i++) {
        uint64_t at = offset + i;
        if (w->scratch[i] != w->live[at] && (w->scratch[i] != TESTDEV_DISCARDED || is_needed(w, at / w->block))) {
            fail_msg("byte %" PRIu64 " is %02x instead of %02x after a discard", at, w->scratch[i], w->live[at]);
        }
        w->live[at] = w->scratch[i];
    }
    m_note(w, offset, len);
}

static void do_flush(struct m_world *w) {
    m_say(w, "flush");
    if (ended(w, selsnap_flush(w->rig.ss), SELSNAP_OK)) {
        m_settle(w);
    }
}

/* ---- snapshots ---- */

static selsnap_subset *random_subset(struct m_world *w, uint8_t *in) {
    selsnap_subset *subset = NULL;
    assert_ok(selsnap_subset_open_for(w->rig.ss, &subset));
    for (unsigned i = 0; i < 1 + prng_below(&w->prng, 3); i++) {
        uint64_t offset;
        uint64_t len;
        random_range(w, &offset, &len);
        assert_ok(selsnap_subset_add(subset, offset, len));
        memset(in + offset / w->block, 1, (size_t)((offset + len - 1) / w->block - offset / w->block + 1));
    }
    return subset;
}

bool m_reaches(const uint8_t *in, uint64_t block) {
    for (; block < BLOCKS_MOST; block++) {
        if (in[block]) {
            return true;
        }
    }
    return false;
}

struct m_snap *m_pick_data(struct m_world *w) {
    struct m_snap *s = m_pick(w);
    for (unsigned i = 0; i < 4 && s != NULL && s->bookmark; i++) {
        s = m_pick(w);
    }
    return s;
}

struct m_snap *m_new_snap(struct m_world *w) {
    for (unsigned i = 0; i < SNAPS; i++) {
        struct m_snap *s = &w->snaps[i];
        if (!s->live && !s->doubtful) {
            (void)snprintf(s->name, sizeof s->name, "s%u", ++w->names);
            memset(s->in, 0, sizeof s->in);
            memset(s->changed, 0, sizeof s->changed);
            return s;
        }
    }
    return NULL;
}

void m_set_content(struct m_world *w, struct m_snap *s, const uint8_t *frozen, const uint8_t *mine) {
    size_t padded = (size_t)(m_blocks(w, w->most) * w->block);
    memcpy(s->frozen, frozen, padded);
    memcpy(s->mine, mine, padded);
}

bool m_prepare(struct m_world *w, struct m_making *making) {
    struct m_snap *s = m_new_snap(w);
    unsigned kept = (unsigned)prng_below(&w->prng, DESIGNATIONS);
    *making = (struct m_making){s, SELSNAP_SNAPSHOT_OPTIONS_INIT, NULL, SELSNAP_OK};
    if (s == NULL) {
        return false;
    }
    if (m_chance(w, 30) && w->designations[kept].live) {
        making->options.designation = kept == 0 ? "d0" : "d1";
        memcpy(s->in, w->designations[kept].in, sizeof s->in);
        making->wanted = m_reaches(s->in, m_blocks(w, w->bytes)) ? SELSNAP_EINVAL : SELSNAP_OK;
    } else if (m_chance(w, 50)) {
        memset(s->in, 1, (size_t)m_blocks(w, w->bytes));
    } else {
        making->subset = random_subset(w, s->in);
    }
    s->bookmark = m_chance(w, 20);
    s->bytes = w->bytes;
    s->point = ++w->points;
    m_set_content(w, s, w->live, w->live);
    making->options.name = s->name;
    making->options.subset = making->subset;
    making->options.flags = s->bookmark ? SELSNAP_SNAPSHOT_BOOKMARK : 0;
    m_say(w, "%s %s of %s", s->bookmark ? "bookmark" : "snapshot", s->name,
          making->options.designation != NULL ? making->options.designation
          : making->subset != NULL            ? "some"
                                              : "all");
    return true;
}

static void do_create(struct m_world *w) {
    struct m_making making;
    if (!m_prepare(w, &making)) {
        return;
    }
    struct m_snap *s = making.snap;
    arm(w);
    s->live = ended(w, selsnap_snapshot_create(w->rig.ss, &making.options, &s->id), making.wanted);
    if (s->live) {
        m_settle(w);
    } else if (w->wire.off) {
        w->pending_snap = s;
    }
    selsnap_subset_close(making.subset);
}

static void do_designate(struct m_world *w) {
    unsigned kept = (unsigned)prng_below(&w->prng, DESIGNATIONS);
    uint8_t in[BLOCKS_MOST] = {0};
    selsnap_subset *subset = random_subset(w, in);
    m_say(w, "designate d%u", kept);
    (void)ended(w, selsnap_designation_save(w->rig.ss, kept == 0 ? "d0" : "d1", subset, NULL), SELSNAP_OK);
    selsnap_subset_close(subset);
    w->designations[kept].live = true;
    memcpy(w->designations[kept].in, in, sizeof in);
}

static void do_clone(struct m_world *w) {
    const struct m_snap *source = m_pick_data(w);
    struct m_snap *s = m_new_snap(w);
    if (source == NULL || s == NULL) {
        return;
    }
    selsnap_clone_options options = SELSNAP_CLONE_OPTIONS_INIT;
    bool as_changed = m_chance(w, 50);
    options.source_id = source->id;
    options.name = s->name;
    options.flags = as_changed ? SELSNAP_CLONE_AS_CHANGED : 0;
    s->bookmark = false;
    s->bytes = source->bytes;
    s->point = source->point;
    memcpy(s->in, source->in, sizeof s->in);
    memcpy(s->changed, source->changed, sizeof s->changed);
    m_set_content(w, s, source->frozen, as_changed ? source->mine : source->frozen);
    m_say(w, "clone %s of %s%s", s->name, source->name, as_changed ? " as changed" : "");
    s->live =
        ended(w, selsnap_snapshot_clone(w->rig.ss, &options, &s->id), source->bookmark ? SELSNAP_ENODATA : SELSNAP_OK);
}

static void do_delete(struct m_world *w) {
    struct m_snap *s = m_pick(w);
    if (s == NULL) {
        return;
    }
    if (!s->bookmark && m_chance(w, 20)) {
        m_say(w, "bookmark out of %s", s->name);
        (void)ended(w, selsnap_snapshot_make_bookmark(w->rig.ss, s->id), SELSNAP_OK);
        s->bookmark = true;
        return;
    }
    m_say(w, "delete %s", s->name);
    arm(w);
    if (ended(w, selsnap_snapshot_delete(w->rig.ss, s->id), SELSNAP_OK)) {
        s->live = false;
    } else {
        w->pending_snap = s;
    }
}

static void do_view(struct m_world *w) {
    struct m_snap *s = m_pick_data(w);
    if (s == NULL || s->bookmark) {
        return;
    }
    selsnap_view *view = rig_view(&w->rig, s->id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t offset = prng_below(&w->prng, s->bytes);
        uint64_t len = 1 + prng_below(&w->prng, m_chance(w, 50) ? 600 : 2 * w->block);
        len = len < s->bytes - offset ? len : s->bytes - offset;
        bool inside = true;
        for (uint64_t b = offset / w->block; b <= (offset + len - 1) / w->block; b++) {
            inside = inside && s->in[b];
        }
        bool discard = m_chance(w, 25);
        pattern_fill(w->scratch, (size_t)len, offset, 2, ++w->stamp);
        m_say(w, "%s %" PRIu64 "+%" PRIu64 " in %s", discard ? "zeroes" : "write", offset, len, s->name);
        int code = discard ? selsnap_view_discard(view, offset, len)
                           : selsnap_view_write(view, w->scratch, (size_t)len, offset);
        if (ended(w, code, inside ? SELSNAP_OK : SELSNAP_EUNDESIGNATED)) {
            if (discard) {
                memset(w->scratch, 0, (size_t)len);
            }
            memcpy(s->mine + offset, w->scratch, (size_t)len);
        }
    }
    if (m_chance(w, 15)) {
        m_say(w, "reset %s", s->name);
        (void)ended(w, selsnap_view_reset(view), SELSNAP_OK);
        memcpy(s->mine, s->frozen, (size_t)s->bytes);
    }
    assert_int_equal(selsnap_shrink_origin(w->rig.ss, w->bytes), SELSNAP_EBUSY);
    assert_ok(selsnap_view_close(view));
}

/* ---- restores ---- */

/* Its blocks read as the snapshot; those it has of its own are written. */
static void restored(struct m_world *w, const struct m_snap *s, const uint8_t *in) {
    for (uint64_t b = 0; b < m_blocks(w, w->bytes); b++) {
        uint64_t offset = b * w->block;
        uint64_t len = w->block < w->bytes - offset ? w->block : w->bytes - offset;
        if (in[b] && s->changed[b]) {
            memcpy(w->live + offset, s->frozen + offset, (size_t)len);
            m_touch(w, offset, len);
        }
        if (in[b]) {
            m_settle_part(w, offset, len);
        }
    }
}

static void do_restore(struct m_world *w) {
    const struct m_snap *s = m_pick_data(w);
    if (s == NULL) {
        return;
    }
    uint8_t in[BLOCKS_MOST] = {0};
    selsnap_subset *subset = m_chance(w, 50) ? random_subset(w, in) : NULL;
    for (unsigned b = 0; b < BLOCKS_MOST; b++) {
        in[b] = s->in[b] && (subset == NULL || in[b]);
    }
    int wanted = s->bookmark                                                 ? SELSNAP_ENODATA
                 : !m_reaches(in, 0)                                         ? SELSNAP_EINVAL
                 : s->bytes > w->bytes && m_reaches(in, w->bytes / w->block) ? SELSNAP_ETOOSMALL
                                                                             : SELSNAP_OK;
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    uint64_t job = 0;
    options.id = s->id;
    options.subset = subset;
    m_say(w, "restore %s of %s", subset != NULL ? "some" : "all", s->name);
    if (ended(w, selsnap_restore_start(w->rig.ss, &options, &job), wanted)) {
        int code = selsnap_shrink_origin(w->rig.ss, w->bytes); /* or it has ended, with nothing to do */
        assert_true(code == SELSNAP_EBUSY || code == SELSNAP_OK);
        assert_int_equal(selsnap_grow_origin(w->rig.ss, 0), code == SELSNAP_OK ? SELSNAP_OK : SELSNAP_EBUSY);
        assert_ok(selsnap_restore_run(w->rig.ss, job, NULL, NULL));
        restored(w, s, in);
    }
    selsnap_subset_close(subset);
}

/* ---- sizes ---- */

static uint64_t new_size(struct m_world *w, uint64_t low, uint64_t high) {
    uint64_t bytes = low + prng_below(&w->prng, (high - low) / SECTOR + 1) * SECTOR;
    uint64_t even = bytes - bytes % w->block;
    return m_chance(w, 40) && even >= low && even > 0 ? even : bytes;
}

static void shrink_to(struct m_world *w, uint64_t bytes) {
    bool shared = false;
    for (uint64_t b = m_blocks(w, bytes); b < BLOCKS_MOST; b++) {
        shared = shared || is_needed(w, b);
    }
    m_say(w, "shrink from %" PRIu64 " to %" PRIu64, w->bytes, bytes);
    arm(w);
    if (ended(w, selsnap_shrink_origin(w->rig.ss, bytes), shared ? SELSNAP_EBUSY : SELSNAP_OK)) {
        assert_false(shared);
        if (bytes < w->bytes && bytes % w->block != 0) {
            m_touch(w, bytes, 1);
        }
        m_resized(w, bytes);
    } else if (w->wire.off && !shared) {
        w->pending_bytes = bytes;
    }
}

/* So that nothing is shared there any more. */
static void give_up(struct m_world *w, uint64_t bytes) {
    uint64_t from = m_blocks(w, bytes) * w->block;
    if (from < w->bytes) {
        zeroes(w, from, w->bytes - from);
    }
}

static void do_shrink(struct m_world *w) {
    uint64_t low = m_chance(w, 80) && w->bytes > 8 * w->block ? w->bytes - 8 * w->block : SECTOR;
    uint64_t bytes = new_size(w, low, w->bytes);
    if (m_chance(w, 40)) {
        give_up(w, bytes);
    }
    shrink_to(w, bytes);
}

/* ask: for what the device has. */
static void grow_to(struct m_world *w, uint64_t bytes, bool ask) {
    m_say(w, "grow from %" PRIu64 " to %" PRIu64, w->bytes, bytes);
    arm(w);
    if (ended(w, selsnap_grow_origin(w->rig.ss, ask ? 0 : bytes), SELSNAP_OK)) {
        if (bytes > w->bytes && w->bytes % w->block != 0) {
            m_touch(w, w->bytes, 1);
        }
        m_resized(w, bytes);
    } else {
        w->pending_bytes = bytes;
    }
}

static void do_grow(struct m_world *w) {
    uint64_t bytes = new_size(w, w->bytes, w->most);
    bool ask = m_chance(w, 10);
    if (m_chance(w, 5)) {
        assert_int_equal(selsnap_grow_origin(w->rig.ss, w->most + SECTOR), SELSNAP_ETOOSMALL);
    }
    grow_to(w, ask ? w->origin->size : bytes, ask);
}

static void recover(struct m_world *w) {
    if (w->wire.off) {
        m_restart(w, m_chance(w, 30) ? RESTART_KILL : RESTART_CUT);
    }
}

void m_resize(struct m_world *w, uint64_t bytes) {
    while (bytes > w->bytes) {
        grow_to(w, bytes, false);
        recover(w);
    }
    while (bytes < w->bytes) {
        give_up(w, bytes);
        shrink_to(w, bytes);
        recover(w);
    }
}

/* ---- one of them ---- */

static void do_step(struct m_world *w) {
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    options.budget_blocks = 1 + prng_below(&w->prng, 200);
    m_say(w, "step");
    (void)ended(w, selsnap_step(w->rig.ss, &options, NULL), SELSNAP_OK);
}

static void do_restart(struct m_world *w) {
    uint64_t how = prng_below(&w->prng, 3);
    m_restart(w, how == 0 ? RESTART_CLOSE : how == 1 ? RESTART_KILL : RESTART_CUT);
}

static const struct {
    unsigned share;
    void (*run)(struct m_world *w);
} operations[] = {
    {24, m_write}, {4, do_discard}, {4, do_flush},   {14, do_create}, {3, do_designate},
    {5, do_clone}, {9, do_delete},  {6, do_view},    {9, do_restore}, {10, do_shrink},
    {8, do_grow},  {4, do_step},    {5, do_restart},
};

void m_operation(struct m_world *w) {
    unsigned total = 0;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        total += operations[i].share;
    }
    uint64_t left = prng_below(&w->prng, total);
    size_t i = 0;
    while (left >= operations[i].share) {
        left -= operations[i++].share;
    }
    operations[i].run(w);
    recover(w);
}
