/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on views: reading and writing snapshots. */
#include "model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void model_settle_snapshot(struct m_snapshot *snapshot, uint64_t blocks) {
    for (uint64_t block = 0; block < blocks; block++) {
        snapshot->versions[block].count = 0;
    }
}

static unsigned pick_view(struct model *m) {
    unsigned first = (unsigned)prng_below(&m->prng, MODEL_VIEWS);
    for (unsigned i = 0; i < MODEL_VIEWS; i++) {
        unsigned slot = (first + i) % MODEL_VIEWS;
        if (m->views[slot].view != NULL) {
            return slot;
        }
    }
    return MODEL_VIEWS;
}

void model_view_open(struct model *m) {
    unsigned slot = 0;
    while (slot < MODEL_VIEWS && m->views[slot].view != NULL) {
        slot++;
    }
    unsigned snapshot = model_pick_snapshot(m);
    if (snapshot == MODEL_SNAPSHOTS) {
        return;
    }
    if (slot == MODEL_VIEWS) {
        slot = (unsigned)prng_below(&m->prng, MODEL_VIEWS);
        model_view_close(m, slot);
        if (m->wire.off) {
            return;
        }
    }
    static const uint32_t flags[4] = {0, SELSNAP_VIEW_WRITABLE, SELSNAP_VIEW_WRITABLE, SELSNAP_VIEW_PRISTINE};
    struct m_view how = {.snapshot = snapshot};
    how.flags = flags[prng_below(&m->prng, 4)];
    how.undesignated = (uint32_t)prng_below(&m->prng, 3);
    model_do_view_open(m, slot, &how, prng_percent(&m->prng, 30));
}

void model_do_view_open(struct model *m, unsigned slot, const struct m_view *how, bool by_name) {
    struct m_view *view = &m->views[slot];
    unsigned snapshot = how->snapshot;
    *view = *how;
    view->view = NULL;
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = by_name ? 0 : m->snapshots[snapshot].id;
    options.name = by_name ? m->snapshots[snapshot].name : NULL;
    options.flags = view->flags;
    options.undesignated = view->undesignated;
    model_doing(m, "open view %u of %s, flags %u, undesignated %u", slot, m->snapshots[snapshot].name, view->flags,
                view->undesignated);
    int code = selsnap_view_open(m->ss, &options, &view->view);
    if ((code == SELSNAP_ENODATA && m->snapshots[snapshot].bookmark) || !model_result(m, code, 0)) {
        view->view = NULL;
    }
}

/* What was written since the last flush may be lost. */
static void forget_written(const struct model *m, struct m_snapshot *s) {
    for (uint64_t block = 0; block < m->blocks; block++) {
        if (s->versions[block].count > 0) {
            s->over[block] = CHANGED_PERHAPS;
            s->unsure = true;
        }
    }
}

void model_view_close(struct model *m, unsigned slot) {
    struct m_view *view = &m->views[slot];
    selsnap_view *handle = view->view;
    if (handle == NULL) {
        return;
    }
    model_doing(m, "close view %u", slot);
    view->view = NULL;
    int code = selsnap_view_close(handle);
    if (model_result(m, code, m->config->tight ? SELSNAP_ENOSPACE : 0)) {
        model_settle_snapshot(&m->snapshots[view->snapshot], m->blocks);
    } else if (code == SELSNAP_ENOSPACE) {
        model_fail(m, "a full store lost what was written into a snapshot"); /* space is taken when it is written */
    } else {
        forget_written(m, &m->snapshots[view->snapshot]);
    }
}

void model_close_views(struct model *m) {
    for (unsigned i = 0; i < MODEL_VIEWS; i++) {
        model_view_close(m, i);
    }
}

void model_view_read(struct model *m) {
    unsigned slot = pick_view(m);
    if (slot == MODEL_VIEWS) {
        return;
    }
    uint64_t offset;
    size_t len;
    model_random_range(m, false, &offset, &len);
    model_doing(m, "read view %u of %s: %zu at %" PRIu64, slot, m->snapshots[m->views[slot].snapshot].name, len,
                offset);
    model_check_read(m, &m->views[slot], offset, len);
}

/* What a block of a snapshot holds now changes; with may, only perhaps. */
static void set_block(struct model *m, struct m_snapshot *s, uint64_t block, const uint8_t *content, bool may) {
    uint8_t *now = s->now + block * m->block_bytes;
    size_t len = model_block_len(m, block);
    versions_add(&s->versions[block], pattern_hash(now, len), pattern_hash(content, len));
    if (may) {
        s->over[block] = s->over[block] == CHANGED_YES ? CHANGED_YES : CHANGED_PERHAPS;
    } else {
        memcpy(now, content, len);
        s->over[block] = CHANGED_YES;
    }
}

/* Changes len bytes from offset on in the blocks they touch. With may, each block may be changed or not. */
static void set_range(struct model *m, struct m_snapshot *s, const uint8_t *bytes, size_t len, uint64_t offset,
                      bool may) {
    uint8_t *content = malloc(m->block_bytes);
    if (content == NULL) {
        abort();
    }
    for (uint64_t block = offset / m->block_bytes; block <= (offset + len - 1) / m->block_bytes; block++) {
        uint64_t begin = block * m->block_bytes;
        uint64_t end = begin + model_block_len(m, block);
        memcpy(content, s->now + begin, (size_t)(end - begin));
        uint64_t from = begin > offset ? begin : offset;
        uint64_t to = end < offset + len ? end : offset + len;
        memcpy(content + (from - begin), bytes + (from - offset), (size_t)(to - from));
        set_block(m, s, block, content, may);
    }
    free(content);
}

/* After a write that found no room: whole blocks, the first of them, are new. */
static void adopt_written(struct model *m, const struct m_view *view, const uint8_t *bytes, size_t len,
                          uint64_t offset) {
    struct m_snapshot *s = &m->snapshots[view->snapshot];
    uint64_t at = offset;
    while (at < offset + len) {
        uint64_t end = (at / m->block_bytes + 1) * m->block_bytes;
        size_t part = (size_t)((end < offset + len ? end : offset + len) - at);
        int code = selsnap_view_read(view->view, m->scratch, part, at);
        if (code == SELSNAP_OK && memcmp(m->scratch, bytes + (at - offset), part) == 0) {
            bool same = memcmp(m->scratch, s->now + at, part) == 0; /* then it does not tell whether it was written */
            set_range(m, s, m->scratch, part, at, same);
        } else if (code == SELSNAP_OK && memcmp(m->scratch, s->now + at, part) != 0) {
            model_fail(m, "a write without room left block %" PRIu64 " of %s neither old nor new", at / m->block_bytes,
                       s->name);
        } else if (code != SELSNAP_OK && code != SELSNAP_ELOST && !model_result(m, code, 0)) {
            set_range(m, s, bytes + (at - offset), part, at, true);
        }
        at += part;
    }
}

/* Part of a lost block is in the range, or could be. */
static bool touches_lost(struct model *m, unsigned slot, uint64_t offset, size_t len) {
    model_learn_lost(m, slot);
    for (uint64_t block = offset / m->block_bytes; block <= (offset + len - 1) / m->block_bytes; block++) {
        if (m->snapshots[slot].lost[block] && m->snapshots[slot].over[block] != CHANGED_YES) {
            return true;
        }
    }
    return false;
}

/* What the quota says of a write that is done (code SELSNAP_OK), or was refused for it: `before` blocks of data were written
 * into the snapshot then. What is not known is not judged. */
static void judge_quota(struct model *m, const struct m_snapshot *s, int code, uint64_t before, uint64_t blocks) {
    uint64_t more;
    uint64_t now = model_count_written(m, s, &more);
    bool known = m->failures == 0 && more == 0 && !s->layered;
    if (code == SELSNAP_OK && known && s->quota != 0 && now > s->quota && now > before) {
        model_fail(m, "%d blocks are written into %s, whose quota is %d", (int)now, s->name, (int)s->quota);
    }
    if (code == SELSNAP_EQUOTA && m->failures == 0 && (s->quota == 0 || before + more + blocks <= s->quota)) {
        model_fail(m, "the quota of %s, %d blocks, refuses %d more than %d", s->name, (int)s->quota, (int)blocks,
                   (int)before);
    }
}

static void finish_view_write(struct model *m, const struct m_view *view, int code, const uint8_t *bytes, size_t len,
                              uint64_t offset) {
    struct m_snapshot *s = &m->snapshots[view->snapshot];
    bool designated = true;
    for (uint64_t block = offset / m->block_bytes; block <= (offset + len - 1) / m->block_bytes; block++) {
        designated = designated && s->in[block];
    }
    if (!designated) {
        if (code != SELSNAP_EUNDESIGNATED && code != SELSNAP_EREADONLY) {
            model_fail(m, "a write to undesignated blocks gave %s", selsnap_error_name(code));
        }
        return;
    }
    if ((view->flags & SELSNAP_VIEW_WRITABLE) == 0) {
        if (code != SELSNAP_EREADONLY) {
            model_fail(m, "a write through a view for reading gave %s", selsnap_error_name(code));
        }
        return;
    }
    uint64_t more;
    uint64_t before = model_count_written(m, s, &more);
    uint64_t blocks = (offset + len - 1) / m->block_bytes - offset / m->block_bytes + 1;
    if (code == SELSNAP_EQUOTA) {
        judge_quota(m, s, code, before, blocks);
        adopt_written(m, view, bytes, len, offset);
    } else if (code == SELSNAP_ELOST && touches_lost(m, view->snapshot, offset, len)) {
        adopt_written(m, view, bytes, len, offset);
    } else if (model_result(m, code, m->config->tight ? SELSNAP_ENOSPACE : 0)) {
        set_range(m, s, bytes, len, offset, false);
        judge_quota(m, s, code, before, blocks);
    } else if (code == SELSNAP_ENOSPACE) {
        adopt_written(m, view, bytes, len, offset);
    } else {
        set_range(m, s, bytes, len, offset, true);
    }
}

void model_do_view_write(struct model *m, unsigned slot, const uint8_t *buf, size_t len, uint64_t offset,
                         bool discard) {
    const struct m_view *view = &m->views[slot];
    model_doing(m, "%s view %u of %s: %zu at %" PRIu64 " (block %" PRIu64 ")", discard ? "discard in" : "write into",
                slot, m->snapshots[view->snapshot].name, len, offset, offset / m->block_bytes);
    int code =
        discard ? selsnap_view_discard(view->view, offset, len) : selsnap_view_write(view->view, buf, len, offset);
    finish_view_write(m, view, code, buf, len, offset);
}

static void change_view(struct model *m, bool discard) {
    unsigned slot = pick_view(m);
    if (slot == MODEL_VIEWS) {
        return;
    }
    uint64_t offset;
    size_t len;
    model_random_range(m, false, &offset, &len);
    uint8_t *buf = calloc(len, 1);
    if (buf == NULL) {
        abort();
    }
    if (!discard) {
        model_random_content(m, buf, len, offset);
    }
    model_do_view_write(m, slot, buf, len, offset, discard);
    free(buf);
}

void model_view_write(struct model *m) {
    change_view(m, false);
}

void model_view_discard(struct model *m) {
    change_view(m, true);
}

void model_view_flush(struct model *m) {
    unsigned slot = pick_view(m);
    if (slot < MODEL_VIEWS) {
        model_do_view_flush(m, slot);
    }
}

void model_do_view_flush(struct model *m, unsigned slot) {
    model_doing(m, "flush view %u", slot);
    if (model_result(m, selsnap_view_flush(m->views[slot].view), m->config->tight ? SELSNAP_ENOSPACE : 0)) {
        model_settle_snapshot(&m->snapshots[m->views[slot].snapshot], m->blocks);
    }
}

void model_view_reset(struct model *m) {
    unsigned slot = pick_view(m);
    if (slot < MODEL_VIEWS) {
        model_do_view_reset(m, slot);
    }
}

void model_do_view_reset(struct model *m, unsigned slot) {
    const struct m_view *view = &m->views[slot];
    struct m_snapshot *s = &m->snapshots[view->snapshot];
    model_doing(m, "reset view %u of %s", slot, s->name);
    int code = selsnap_view_reset(view->view);
    if ((view->flags & SELSNAP_VIEW_WRITABLE) == 0) {
        if (code != SELSNAP_EREADONLY) {
            model_fail(m, "reset through a view for reading gave %s", selsnap_error_name(code));
        }
        return;
    }
    if (model_result(m, code, 0)) {
        memcpy(s->now, s->frozen, m->size);
        memset(s->over, CHANGED_NO, m->blocks);
        model_settle_snapshot(s, m->blocks);
    } else {
        m->pending = PENDING_RESET;
        m->pending_slot = view->snapshot;
    }
}
