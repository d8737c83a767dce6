/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on the live device. */
#include "model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static size_t sector_len(const struct model *m, uint64_t sector) {
    uint64_t left = m->size - sector * TESTDEV_UNIT;
    return (size_t)(left < TESTDEV_UNIT ? left : TESTDEV_UNIT);
}

static uint64_t sector_hash(const struct model *m, uint64_t sector) {
    return pattern_hash(m->live + sector * TESTDEV_UNIT, sector_len(m, sector));
}

void model_set_live(struct model *m, const uint8_t *bytes, size_t len, uint64_t offset) {
    uint64_t first = offset / TESTDEV_UNIT;
    uint64_t last = (offset + len - 1) / TESTDEV_UNIT;
    for (uint64_t sector = first; sector <= last; sector++) {
        uint64_t before = sector_hash(m, sector);
        uint64_t begin = sector * TESTDEV_UNIT > offset ? sector * TESTDEV_UNIT : offset;
        uint64_t end = (sector + 1) * TESTDEV_UNIT < offset + len ? (sector + 1) * TESTDEV_UNIT : offset + len;
        memcpy(m->live + begin, bytes + (begin - offset), (size_t)(end - begin));
        versions_add(&m->live_versions[sector], before, sector_hash(m, sector));
    }
}

void model_may_hold(struct model *m, const uint8_t *bytes, size_t len, uint64_t offset) {
    uint8_t *saved = malloc(len);
    if (saved == NULL) {
        abort();
    }
    memcpy(saved, m->live + offset, len);
    model_set_live(m, bytes, len, offset);
    memcpy(m->live + offset, saved, len);
    free(saved);
}

void model_settle_live(struct model *m) {
    for (uint64_t sector = 0; sector < m->sectors; sector++) {
        m->live_versions[sector].count = 0;
    }
}

bool model_needs(const struct model *m, uint64_t block) {
    for (unsigned i = 0; i < MODEL_SNAPSHOTS; i++) {
        const struct m_snapshot *s = &m->snapshots[i];
        if (s->live && s->in[block] && s->changed[block] == CHANGED_NO) {
            return true;
        }
    }
    return false;
}

/* A write to the range is done, or was tried. */
static void mark_changed(struct model *m, uint64_t offset, size_t len, uint8_t how) {
    for (uint64_t block = offset / m->block_bytes; block <= (offset + len - 1) / m->block_bytes; block++) {
        for (unsigned i = 0; i < MODEL_SNAPSHOTS; i++) {
            struct m_snapshot *s = &m->snapshots[i];
            if (s->live && s->changed[block] != CHANGED_YES) {
                s->changed[block] = how;
            }
        }
    }
}

/* After a write that found no room: each block holds its old bytes or the new ones. */
static void adopt_partial(struct model *m, const uint8_t *bytes, size_t len, uint64_t offset) {
    int code = selsnap_read(m->ss, m->scratch, len, offset);
    if (!model_result(m, code, 0)) {
        model_may_hold(m, bytes, len, offset);
        return;
    }
    uint64_t at = offset;
    while (at < offset + len) {
        uint64_t end = (at / m->block_bytes + 1) * m->block_bytes;
        end = end < offset + len ? end : offset + len;
        const uint8_t *got = m->scratch + (at - offset);
        size_t part = (size_t)(end - at);
        if (memcmp(got, bytes + (at - offset), part) == 0) {
            model_set_live(m, got, part, at);
        } else if (memcmp(got, m->live + at, part) != 0) {
            model_fail(m, "a write without room left block %" PRIu64 " neither old nor new", at / m->block_bytes);
        }
        at = end;
    }
}

void model_finish_write(struct model *m, int code, const uint8_t *bytes, size_t len, uint64_t offset) {
    if (model_result(m, code, m->config->tight ? SELSNAP_ENOSPACE : 0)) {
        model_set_live(m, bytes, len, offset);
        mark_changed(m, offset, len, CHANGED_YES);
        return;
    }
    mark_changed(m, offset, len, CHANGED_PERHAPS);
    if (code == SELSNAP_ENOSPACE) {
        adopt_partial(m, bytes, len, offset);
    } else {
        model_may_hold(m, bytes, len, offset);
    }
}

/* Cuts a buffer into up to four pieces. */
static uint32_t split(struct model *m, uint8_t *buf, size_t len, selsnap_iovec *iov) {
    uint32_t count = 0;
    while (count < 3 && len > 1) {
        size_t part = (size_t)prng_below(&m->prng, len);
        iov[count].base = buf;
        iov[count++].len = part;
        buf += part;
        len -= part;
    }
    iov[count].base = buf;
    iov[count++].len = len;
    return count;
}

void model_do_write(struct model *m, uint8_t *buf, size_t len, uint64_t offset, bool in_pieces) {
    selsnap_iovec iov[4] = {{buf, len}};
    uint32_t count = in_pieces ? split(m, buf, len, iov) : 1;
    model_doing(m, "write %zu at %" PRIu64 " (block %" PRIu64 ")%s", len, offset, offset / m->block_bytes,
                in_pieces ? " in pieces" : "");
    int code = in_pieces ? selsnap_writev(m->ss, iov, count, offset) : selsnap_write(m->ss, buf, len, offset);
    model_finish_write(m, code, buf, len, offset);
}

void model_write(struct model *m) {
    uint64_t offset;
    size_t len;
    model_random_range(m, true, &offset, &len);
    uint8_t *buf = malloc(len);
    if (buf == NULL) {
        abort();
    }
    model_random_content(m, buf, len, offset);
    model_do_write(m, buf, len, offset, prng_percent(&m->prng, 20));
    free(buf);
}

void model_zeroes(struct model *m) {
    uint64_t offset;
    size_t len;
    model_random_range(m, true, &offset, &len);
    model_do_zeroes(m, offset, len);
}

void model_do_zeroes(struct model *m, uint64_t offset, size_t len) {
    uint8_t *buf = calloc(len, 1);
    if (buf == NULL) {
        abort();
    }
    model_doing(m, "write_zeroes %zu at %" PRIu64 " (block %" PRIu64 ")", len, offset, offset / m->block_bytes);
    model_finish_write(m, selsnap_write_zeroes(m->ss, offset, len), buf, len, offset);
    free(buf);
}

/* A block may hold what a discard leaves, unless a snapshot needs it. */
static void may_be_discarded(struct model *m, uint64_t block, bool whole) {
    if (whole && !model_needs(m, block)) {
        memset(m->scratch, TESTDEV_DISCARDED, model_block_len(m, block));
        model_may_hold(m, m->scratch, model_block_len(m, block), block * m->block_bytes);
    }
}

/* Takes over what a discard left of a block; what a snapshot needs must be as it was. */
static void adopt_discarded(struct model *m, uint64_t block, bool whole) {
    uint64_t offset = block * m->block_bytes;
    size_t len = model_block_len(m, block);
    if (!model_result(m, selsnap_read(m->ss, m->scratch, len, offset), 0)) {
        may_be_discarded(m, block, whole);
        return;
    }
    if (memcmp(m->scratch, m->live + offset, len) == 0) {
        return;
    }
    if (!whole || (model_needs(m, block) && !model_restoring(m))) {
        model_fail(m, "discard changed block %" PRIu64 ", which %s", block,
                   whole ? "a snapshot needs" : "is not wholly in the range");
    }
    model_set_live(m, m->scratch, len, offset);
}

void model_discard(struct model *m) {
    uint64_t offset;
    size_t len;
    model_random_range(m, true, &offset, &len);
    model_do_discard(m, offset, len);
}

void model_do_discard(struct model *m, uint64_t offset, size_t len) {
    model_doing(m, "discard %zu at %" PRIu64 " (block %" PRIu64 ")", len, offset, offset / m->block_bytes);
    int code = selsnap_discard(m->ss, offset, len);
    bool done = model_result(m, code, 0);
    for (uint64_t block = offset / m->block_bytes; block <= (offset + len - 1) / m->block_bytes; block++) {
        uint64_t begin = block * m->block_bytes;
        bool whole = begin >= offset && begin + model_block_len(m, block) <= offset + len;
        if (done) {
            adopt_discarded(m, block, whole);
        } else {
            may_be_discarded(m, block, whole);
        }
    }
}

void model_flush(struct model *m) {
    model_doing(m, "flush");
    if (model_result(m, selsnap_flush(m->ss), 0)) {
        model_settle_live(m);
    }
}
