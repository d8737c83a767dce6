/* SPDX-License-Identifier: Apache-2.0 */
/* See resizing.h: what is read is what the model says. */
#include "resizing.h"

#include <inttypes.h>
#include <string.h>

static void assert_bytes(const uint8_t *got, const uint8_t *want, uint64_t len, const char *what) {
    if (memcmp(got, want, (size_t)len) != 0) {
        uint64_t at = 0;
        while (got[at] == want[at]) {
            at++;
        }
        char is[160] = "the last, short sector";
        char was[160] = "";
        if (at / SECTOR * SECTOR + SECTOR <= len) {
            pattern_describe(got + at / SECTOR * SECTOR, is, sizeof is);
            pattern_describe(want + at / SECTOR * SECTOR, was, sizeof was);
        }
        fail_msg("%s: byte %" PRIu64 " of %" PRIu64 " is %02x instead of %02x: %s instead of %s", what, at, len,
                 got[at], want[at], is, was);
    }
}

void m_check_live(struct m_world *w) {
    assert_int_equal(selsnap_size(w->rig.ss), w->bytes);
    assert_ok(selsnap_read(w->rig.ss, w->scratch, (size_t)w->bytes, 0));
    assert_bytes(w->scratch, w->live, w->bytes, "live");
    assert_int_equal(selsnap_read(w->rig.ss, w->scratch, SECTOR, w->bytes), SELSNAP_ERANGE);
}

/* ---- snapshots ---- */

/* What it does not designate, it shows as the live device has it, and behind that nothing. */
static void check_content(struct m_world *w, const struct m_snap *s, uint32_t flags, const uint8_t *content) {
    uint8_t *want = malloc((size_t)s->bytes);
    assert_non_null(want);
    for (uint64_t at = 0; at < s->bytes; at += SECTOR) {
        const uint8_t *from = s->in[at / w->block] ? content : w->live; /* which ends with zeros */
        memcpy(want + at, from + at, SECTOR);
    }
    selsnap_view *view = rig_view(&w->rig, s->id, flags, SELSNAP_UNDESIGNATED_LIVE);
    assert_ok(selsnap_view_read(view, w->scratch, (size_t)s->bytes, 0));
    assert_bytes(w->scratch, want, s->bytes, s->name);
    assert_int_equal(selsnap_view_read(view, w->scratch, 1, s->bytes), SELSNAP_ERANGE);
    assert_ok(selsnap_view_close(view));
    free(want);
}

static void check_subset(struct m_world *w, const struct m_snap *s) {
    selsnap_subset *subset = NULL;
    selsnap_range range = {0, 0};
    uint8_t in[BLOCKS_MOST] = {0};
    assert_ok(selsnap_snapshot_get_subset(w->rig.ss, s->id, &subset));
    while (selsnap_subset_next(subset, range.offset + range.len, &range) == SELSNAP_OK) {
        memset(in + range.offset / w->block, 1, (size_t)(m_blocks(w, range.len)));
    }
    assert_memory_equal(in, s->in, BLOCKS_MOST);
    selsnap_subset_close(subset);
}

/* The table: shared with the origin, or not. */
static void check_map(struct m_world *w, const struct m_snap *s) {
    selsnap_map_range range = {0};
    for (uint64_t b = 0; b < m_blocks(w, w->bytes); b++) {
        if (b * w->block >= range.offset + range.len) {
            assert_ok(selsnap_snapshot_map(w->rig.ss, s->id, b * w->block, &range));
            assert_true(range.offset == b * w->block && range.len > 0);
        }
        bool right = !s->in[b]        ? range.state == SELSNAP_BLOCKS_UNDESIGNATED
                     : !s->changed[b] ? range.state == SELSNAP_BLOCKS_UNCHANGED
                     : s->bookmark    ? range.state == SELSNAP_BLOCKS_CHANGED
                                      : range.state == SELSNAP_BLOCKS_PRESERVED || range.state == SELSNAP_BLOCKS_ZERO;
        if (!right && (range.state != SELSNAP_BLOCKS_OVERLAY || !s->in[b] || s->bookmark)) {
            fail_msg("block %" PRIu64 " of %s is told as %u; in it %d, changed %d", b, s->name, range.state, s->in[b],
                     s->changed[b]);
        }
    }
}

void m_check_snap(struct m_world *w, struct m_snap *s) {
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    assert_ok(selsnap_snapshot_get(w->rig.ss, s->id, &info));
    assert_string_equal(info.name, s->name);
    assert_int_equal(info.origin_bytes, s->bytes);
    assert_int_equal(info.bookmark, s->bookmark);
    check_subset(w, s);
    if (w->rig.options.deferred == 0) {
        check_map(w, s);
    }
    if (s->bookmark) {
        selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
        selsnap_view *view = NULL;
        options.id = s->id;
        assert_int_equal(selsnap_view_open(w->rig.ss, &options, &view), SELSNAP_ENODATA);
    } else {
        check_content(w, s, 0, s->mine);
        check_content(w, s, SELSNAP_VIEW_PRISTINE, s->frozen);
    }
}

/* ---- diffs ---- */

void m_diff(struct m_world *w, const struct m_snap *from, const struct m_snap *to, uint8_t *kinds) {
    selsnap_diff_options options = SELSNAP_DIFF_OPTIONS_INIT;
    selsnap_diff_range range = {0};
    uint64_t bytes = to != NULL ? to->bytes : w->bytes;
    int code;
    options.from_id = from->id;
    options.to_id = to != NULL ? to->id : 0;
    memset(kinds, 0, BLOCKS_MOST);
    while ((code = selsnap_diff_next(w->rig.ss, &options, range.offset + range.len, &range)) == SELSNAP_OK) {
        assert_true(range.len > 0 && range.offset + range.len <= bytes);
        memset(kinds + range.offset / w->block, (int)range.kind, (size_t)m_blocks(w, range.len));
        if (range.offset + range.len == bytes) {
            return;
        }
    }
    assert_int_equal(code, SELSNAP_ENOENT);
}

void m_check_diff(struct m_world *w, const struct m_snap *from, const struct m_snap *to) {
    uint8_t kinds[BLOCKS_MOST];
    const uint8_t *after = to != NULL ? to->frozen : w->live;
    m_diff(w, from, to, kinds);
    for (uint64_t b = 0; b < m_blocks(w, to != NULL ? to->bytes : w->bytes); b++) {
        bool differs = memcmp(from->frozen + b * w->block, after + b * w->block, w->block) != 0;
        bool wrong;
        if (to != NULL && !to->in[b]) {
            wrong = kinds[b] != 0;
        } else if (!from->in[b]) {
            wrong = kinds[b] != SELSNAP_DIFF_UNKNOWN;
        } else if (kinds[b] == 0) {
            wrong = differs || (to == NULL && from->changed[b]);
        } else {
            wrong = kinds[b] != SELSNAP_DIFF_CHANGED || !from->changed[b];
        }
        if (wrong) {
            fail_msg("the diff from %s to %s gives kind %u to block %" PRIu64 "; differs %d, in %d, changed %d",
                     from->name, to != NULL ? to->name : "now", kinds[b], b, differs, from->in[b], from->changed[b]);
        }
    }
}

void m_check_some(struct m_world *w) {
    struct m_snap *s = m_pick(w);
    m_check_live(w);
    if (s != NULL) {
        m_check_snap(w, s);
        m_check_diff(w, s, NULL);
    }
}

/* No others; what an import holds on to is its own. */
static void check_list(struct m_world *w) {
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    unsigned found = 0;
    while (selsnap_snapshot_next(w->rig.ss, info.id, &info) == SELSNAP_OK) {
        bool known = info.holds > 0;
        for (unsigned i = 0; i < SNAPS; i++) {
            if (w->snaps[i].live && w->snaps[i].id == info.id) {
                known = true;
                found++;
            }
        }
        if (!known) {
            fail_msg("%s is there", info.name);
        }
    }
    for (unsigned i = 0; i < SNAPS; i++) {
        found -= w->snaps[i].live;
    }
    assert_int_equal(found, 0);
}

void m_check_all(struct m_world *w) {
    m_check_live(w);
    check_list(w);
    for (unsigned i = 0; i < SNAPS; i++) {
        struct m_snap *s = &w->snaps[i];
        const struct m_snap *to = m_pick(w);
        if (s->live) {
            m_check_snap(w, s);
            m_check_diff(w, s, NULL);
            if (to->point >= s->point) {
                m_check_diff(w, s, to);
            }
        }
    }
}
