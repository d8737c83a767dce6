/* SPDX-License-Identifier: Apache-2.0 */
/* See resizing.h: state, and what becomes of it in a crash. */
#include "resizing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void m_say(const struct m_world *w, const char *format, ...) {
    if (w->name != NULL) {
        va_list args;
        (void)fputs(w->name, stderr);
        va_start(args, format);
        (void)vfprintf(stderr, format, args);
        va_end(args);
        (void)fputc('\n', stderr);
    }
}

uint64_t m_blocks(const struct m_world *w, uint64_t bytes) {
    return (bytes + w->block - 1) / w->block;
}

bool m_chance(struct m_world *w, unsigned percent) {
    return prng_percent(&w->prng, percent);
}

struct m_snap *m_pick(struct m_world *w) {
    unsigned first = (unsigned)prng_below(&w->prng, SNAPS);
    for (unsigned i = 0; i < SNAPS; i++) {
        struct m_snap *s = &w->snaps[(first + i) % SNAPS];
        if (s->live) {
            return s;
        }
    }
    return NULL;
}

static uint8_t *take(size_t len) {
    uint8_t *bytes = calloc(1, len);
    assert_non_null(bytes);
    return bytes;
}

void m_open(struct m_world *w, const struct m_shape *shape) {
    memset(w, 0, sizeof *w);
    w->prng = shape->prng;
    w->name = shape->name;
    w->block = shape->block;
    w->most = shape->most != 0 ? shape->most : shape->most_blocks * w->block - SECTOR * prng_below(&w->prng, 6);
    w->bytes = shape->bytes != 0 ? shape->bytes : SECTOR * (1 + prng_below(&w->prng, w->most / SECTOR));
    w->longest = w->bytes;
    struct rig_options options = {.block_bytes = w->block, .journal_bytes = 65536};
    options.deferred = m_chance(w, 30) ? w->block * (1 + prng_below(&w->prng, 16)) : 0;
    const struct testdev_kind kind = {.logical = SECTOR, .most = w->most};
    wire_init(&w->wire, true);
    w->origin = testdev_open_kind(&w->wire, 'o', w->bytes, &kind, NULL);
    w->store = testdev_open(&w->wire, 's', w->block == 4096 ? 4 << 20 : 12 << 20, 1, NULL);
    for (uint64_t i = w->bytes; i < w->most; i++) { /* what is there where it grows */
        w->origin->bytes[i] = 0xee;
    }
    rig_open_on(&w->rig, w->origin->device, w->store->device, &options);
    size_t padded = (size_t)shape->most_blocks * w->block;
    w->live = take(padded);
    w->durable = take(padded);
    w->scratch = take(padded);
    for (unsigned i = 0; i < SNAPS; i++) {
        w->snaps[i].frozen = take(padded);
        w->snaps[i].mine = take(padded);
    }
    for (unsigned i = 0; i < 4; i++) {
        uint64_t from = SECTOR * prng_below(&w->prng, w->bytes / SECTOR);
        uint64_t len = 2 * w->block < w->bytes - from ? 2 * w->block : w->bytes - from;
        assert_ok(selsnap_write_zeroes(w->rig.ss, from, len));
    }
    assert_ok(selsnap_flush(w->rig.ss));
    assert_ok(selsnap_read(w->rig.ss, w->live, (size_t)w->bytes, 0));
    m_settle(w);
    m_say(w, "blocks of %u, %" PRIu64 " bytes, at most %" PRIu64 ", deferred %" PRIu64, w->block, w->bytes, w->most,
          options.deferred);
}

void m_close(struct m_world *w) {
    rig_close(&w->rig);
    wire_fini(&w->wire);
    for (unsigned i = 0; i < SNAPS; i++) {
        free(w->snaps[i].frozen);
        free(w->snaps[i].mine);
    }
    free(w->live);
    free(w->durable);
    free(w->scratch);
    free(w->versions);
}

/* ---- what was written ---- */

void m_note(struct m_world *w, uint64_t offset, uint64_t len) {
    for (uint64_t at = offset; at < offset + len; at += SECTOR) {
        if (w->version_count == w->version_capacity) {
            w->version_capacity = w->version_capacity * 2 + 256;
            w->versions = realloc(w->versions, w->version_capacity * sizeof *w->versions);
            assert_non_null(w->versions);
        }
        struct m_version *version = &w->versions[w->version_count++];
        version->sector = at / SECTOR;
        memcpy(version->bytes, w->live + at, SECTOR);
    }
}

void m_touch(struct m_world *w, uint64_t offset, uint64_t len) {
    for (unsigned i = 0; i < SNAPS && len > 0; i++) {
        struct m_snap *s = &w->snaps[i];
        for (uint64_t b = offset / w->block; s->live && b <= (offset + len - 1) / w->block; b++) {
            s->changed[b] = s->in[b] ? 1 : s->changed[b];
        }
    }
}

void m_settle_part(struct m_world *w, uint64_t offset, uint64_t len) {
    size_t kept = 0;
    memcpy(w->durable + offset, w->live + offset, (size_t)len);
    for (size_t i = 0; i < w->version_count; i++) {
        uint64_t at = w->versions[i].sector * SECTOR;
        if (at < offset || at >= offset + len) {
            w->versions[kept++] = w->versions[i];
        }
    }
    w->version_count = kept;
}

void m_settle(struct m_world *w) {
    m_settle_part(w, 0, w->bytes);
}

/* What comes back at the end holds anything. */
void m_resized(struct m_world *w, uint64_t bytes) {
    uint64_t before = w->bytes;
    w->bytes = bytes;
    w->longest = bytes > w->longest ? bytes : w->longest;
    if (bytes < before) {
        memset(w->live + bytes, 0, (size_t)(before - bytes));
        if (m_chance(w, 50)) { /* somebody else has it */
            size_t len = (size_t)(w->origin->size - bytes);
            memset(w->scratch, 0xd7, len);
            assert_ok(selsnap_device_write(w->origin->device, w->scratch, len, bytes));
        }
    } else if (bytes > before) {
        assert_ok(selsnap_read(w->rig.ss, w->live + before, (size_t)(bytes - before), before));
        assert_ok(selsnap_flush(w->rig.ss));
        m_settle(w);
    }
}

/* ---- crashes ---- */

static bool was_there(const struct m_world *w, uint64_t sector, const uint8_t *bytes) {
    if (memcmp(bytes, w->durable + sector * SECTOR, SECTOR) == 0) {
        return true;
    }
    for (size_t i = w->version_count; i > 0; i--) {
        if (w->versions[i - 1].sector == sector && memcmp(w->versions[i - 1].bytes, bytes, SECTOR) == 0) {
            return true;
        }
    }
    return false;
}

/* Each sector is as it was at some time since the last flush. */
static void learn_live(struct m_world *w) {
    assert_ok(selsnap_read(w->rig.ss, w->scratch, (size_t)w->bytes, 0));
    for (uint64_t sector = 0; sector < w->bytes / SECTOR; sector++) {
        if (!was_there(w, sector, w->scratch + sector * SECTOR)) {
            char text[160];
            pattern_describe(w->scratch + sector * SECTOR, text, sizeof text);
            fail_msg("after a crash sector %" PRIu64 " holds what it never held, or not since the flush: %s", sector,
                     text);
        }
    }
    memcpy(w->live, w->scratch, (size_t)w->bytes);
}

static void learn_changed(struct m_world *w, struct m_snap *s) {
    uint8_t kinds[BLOCKS_MOST];
    m_diff(w, s, NULL, kinds);
    for (uint64_t b = 0; b < m_blocks(w, w->bytes); b++) {
        bool changed = kinds[b] == SELSNAP_DIFF_CHANGED;
        if (s->changed[b] && !changed && !s->bookmark && w->rig.options.deferred == 0) {
            fail_msg("after a crash %s shares block %" PRIu64 " with the origin, which it did not", s->name, b);
        }
        s->changed[b] = s->in[b] && changed;
    }
    for (uint64_t b = m_blocks(w, w->bytes); b < BLOCKS_MOST; b++) {
        if (s->in[b] && !s->changed[b]) {
            fail_msg("%s needs block %" PRIu64 " behind the end", s->name, b);
        }
    }
}

void m_learn_changed(struct m_world *w) {
    for (unsigned i = 0; i < SNAPS; i++) {
        if (w->snaps[i].live) {
            learn_changed(w, &w->snaps[i]);
        }
    }
}

/* Whether what met the cut, or failed, came to be. */
static void learn_pending(struct m_world *w) {
    for (unsigned i = 0; i < SNAPS; i++) {
        struct m_snap *s = &w->snaps[i];
        if (s->doubtful || s == w->pending_snap) {
            selsnap_snapshot_info info = {.struct_size = sizeof info};
            s->live = selsnap_snapshot_find(w->rig.ss, s->name, &info) == SELSNAP_OK;
            s->id = info.id;
            m_say(w, "  %s is %sthere", s->name, s->live ? "" : "not ");
            if (s->live) {
                learn_changed(w, s);
            }
            s->doubtful = false;
        }
    }
    w->pending_bytes = 0;
    w->pending_snap = NULL;
}

static bool keep_some(void *user, const struct testdev_unit *unit) {
    struct m_world *w = user;
    (void)unit;
    return m_chance(w, 50);
}

static bool keep_none(void *user, const struct testdev_unit *unit) {
    (void)user;
    (void)unit;
    return false;
}

static void crash(struct m_world *w, bool cut) {
    w->wire.off = true;
    assert_int_not_equal(selsnap_close(w->rig.ss), SELSNAP_EBUSY);
    assert_int_equal(w->rig.heap.live, 0);
    if (cut) {
        testdev_keep_fn keep = m_chance(w, 30) ? keep_none : keep_some;
        testdev_power_cycle(w->origin, keep, w);
        testdev_power_cycle(w->store, keep, w);
    }
    w->wire.off = false;
    w->wire.cut_at = 0;
}

void m_restart(struct m_world *w, enum m_restart how) {
    bool within = w->wire.off;
    bool lossy = within || how == RESTART_CUT || (how == RESTART_KILL && w->rig.options.deferred > 0);
    m_say(w, "%s%s", within ? "  met by " : "", how == RESTART_CLOSE ? "close" : how == RESTART_KILL ? "kill" : "cut");
    if (how == RESTART_CLOSE) {
        rig_stop(&w->rig);
        m_settle(w);
    } else {
        crash(w, how == RESTART_CUT);
    }
    /* Where a growth was cut, the device may be longer: needed once the store was closed after that. */
    bool longer = how == RESTART_CLOSE && w->origin->size > w->longest;
    w->rig.options.open_flags = longer ? SELSNAP_OPEN_LONGER_ORIGIN : 0;
    rig_start(&w->rig);
    uint64_t now = selsnap_size(w->rig.ss);
    assert_true(now == w->bytes || (w->pending_bytes != 0 && now == w->pending_bytes));
    if (now < w->bytes) {
        m_resized(w, now);
    }
    if (lossy) {
        learn_live(w);
    }
    m_resized(w, now);
    learn_pending(w);
    if (lossy) {
        m_learn_changed(w);
    }
    if (how == RESTART_CUT) {
        m_settle(w);
    }
    rig_assert_sound(&w->rig);
    m_check_all(w);
}
