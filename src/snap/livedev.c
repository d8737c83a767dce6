/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See livedev.h. A write, chunk by chunk, is tested inside the gate by the need bits: clear, and it is done at once;
 * else the gate is left, and it goes by livewrite.h.
 */
#include "livedev.h"

#include "deferred.h"
#include "livewrite.h"
#include "restore.h"

#include <string.h>

/* What is done to the origin once nothing needs its old content. */
enum change_kind { CHANGE_WRITE, CHANGE_ZEROES };

struct change {
    enum change_kind kind;
    const selsnap_iovec *iov;
    uint32_t iov_count;
    uint64_t offset; /* where iov begins */
};

/* What the change writes to [offset, offset + len), into memory. */
static void copy_change(const void *user, uint8_t *to, uint64_t offset, uint64_t len) {
    const struct change *change = user;
    if (change->kind == CHANGE_ZEROES) {
        memset(to, 0, (size_t)len);
        return;
    }
    uint64_t skip = offset - change->offset;
    for (uint32_t at = 0; len > 0; at++) {
        const selsnap_iovec *from = &change->iov[at];
        size_t part = (size_t)ssn_min_u64(from->len > skip ? from->len - skip : 0, len);
        if (part > 0) {
            memcpy(to, (const uint8_t *)from->base + skip, part);
        }
        to += part;
        len -= part;
        skip -= ssn_min_u64(skip, from->len);
    }
}

/* Writes [offset, offset + len) of the change to the origin, in pieces of as many buffers as fit. */
static int write_pieces(struct selsnap *ss, const struct change *change, uint64_t offset, uint64_t len) {
    enum { PIECES = 64 };
    selsnap_iovec pieces[PIECES];
    uint64_t skip = offset - change->offset;
    uint32_t at = 0;
    while (skip >= change->iov[at].len && len > 0) {
        skip -= change->iov[at++].len;
    }
    while (len > 0) {
        uint32_t n = 0;
        uint64_t bytes = 0;
        while (n < PIECES && bytes < len) {
            const selsnap_iovec *from = &change->iov[at];
            size_t part = (size_t)ssn_min_u64(from->len - skip, len - bytes);
            pieces[n].base = (uint8_t *)from->base + skip;
            pieces[n].len = part;
            n += part > 0;
            bytes += part;
            skip += part;
            if (skip == from->len) {
                at++;
                skip = 0;
            }
        }
        int rc = ssn_device_writev(ss->origin, pieces, n, offset);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        offset += bytes;
        len -= bytes;
    }
    return SELSNAP_OK;
}

static int apply_change(struct selsnap *ss, const void *user, uint64_t offset, uint64_t len) {
    const struct change *change = user;
    int rc;
    if (change->kind == CHANGE_ZEROES) {
        rc = ssn_device_write_zeroes(ss->origin, offset, len);
    } else if (offset == change->offset && change->iov_count == 1) {
        rc = ssn_device_write(ss->origin, change->iov[0].base, (size_t)len, offset);
    } else {
        rc = write_pieces(ss, change, offset, len);
    }
    return ssn_origin_failed(ss, rc, change->kind == CHANGE_ZEROES ? "zero" : "write", offset, len);
}

/* ---- writing ---- */

/* One chunk: blocks of one run, no more than a chunk. [offset, offset + len) lies in them. */
static int change_chunk(struct selsnap *ss, const struct change *change, uint64_t first, uint64_t count,
                        uint64_t offset, uint64_t len) {
    if (ss->deferred != NULL) {
        const struct ssn_deferred_change deferred = {first, count, offset, len, copy_change, apply_change, change};
        return ssn_deferred_write(ss, &deferred);
    }
    struct ssn_claim claim = {.first = first, .count = count};
    unsigned shard;
    int rc = ssn_write_enter(ss, &claim, 1, &shard);
    if (rc == SELSNAP_OK) {
        rc = apply_change(ss, change, offset, len);
        ssn_write_leave(ss, &claim, 1, shard);
    }
    return rc;
}

/* Inside the gate at once if no block of the range needs anything, nor has pending data. false: left again. */
static bool enter_clean(struct selsnap *ss, uint64_t first, uint64_t count, unsigned *ret_shard) {
    *ret_shard = ssn_gate_enter(&ss->gate);
    if ((atomic_load_explicit(&ss->abandoned, memory_order_relaxed) ||
         ssn_need_test(&ss->need, first, count) == SSN_NEED_CLEAR) &&
        (ss->deferred == NULL || !ssn_deferred_may_have(ss->deferred, first, count))) {
        return true;
    }
    ssn_gate_leave(&ss->gate, *ret_shard);
    return false;
}

static int apply_clean(struct selsnap *ss, const struct change *change, uint64_t offset, uint64_t len, unsigned shard) {
    int rc = apply_change(ss, change, offset, len);
    ssn_gate_leave_counted(&ss->gate, shard, 1);
    return rc;
}

/* The end of the chunk that a block is in: chunks are aligned, and never leave a run. */
static uint64_t chunk_end(const struct selsnap *ss, uint64_t block) {
    return (block / ss->chunk_blocks + 1) * ss->chunk_blocks;
}

static int change_range(struct selsnap *ss, const struct change *change, uint64_t offset, uint64_t len) {
    uint64_t end = offset + len;
    unsigned shard;
    uint64_t first = ssn_block_of(ss, offset);
    if (enter_clean(ss, first, ssn_block_of(ss, end - 1) - first + 1, &shard)) {
        return apply_clean(ss, change, offset, len, shard);
    }
    while (offset < end) {
        first = ssn_block_of(ss, offset);
        uint64_t stop = ssn_min_u64(end, ssn_offset_of(ss, chunk_end(ss, first)));
        uint64_t count = ssn_block_of(ss, stop - 1) - first + 1;
        int rc = enter_clean(ss, first, count, &shard) ? apply_clean(ss, change, offset, stop - offset, shard)
                                                       : change_chunk(ss, change, first, count, offset, stop - offset);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        offset = stop;
    }
    return SELSNAP_OK;
}

int ssn_live_write(struct selsnap *ss, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset, uint64_t len) {
    struct change change = {CHANGE_WRITE, iov, iov_count, offset};
    int rc = ssn_origin_check(ss, offset, len, true);
    return rc != SELSNAP_OK || len == 0 ? rc : change_range(ss, &change, offset, len);
}

int ssn_live_write_zeroes(struct selsnap *ss, uint64_t offset, uint64_t len) {
    struct change change = {CHANGE_ZEROES, NULL, 0, offset};
    int rc = ssn_origin_check(ss, offset, len, true);
    return rc != SELSNAP_OK || len == 0 ? rc : change_range(ss, &change, offset, len);
}

/* ---- discarding ---- */

/* Discards the blocks from `first` on if nobody needs them and nothing is pending, or passes those of which that is not
 * so: what has one answer. */
static int discard_some(struct selsnap *ss, uint64_t first, uint64_t end, uint64_t *ret_passed) {
    int rc = ssn_need_refresh(ss, first, 1, ssn_need_version(&ss->need));
    if (rc != SELSNAP_OK && !atomic_load(&ss->abandoned)) {
        return rc;
    }
    unsigned shard = ssn_gate_enter(&ss->gate);
    enum ssn_need_answer answer = ssn_need_run(&ss->need, first, end, ret_passed);
    if (atomic_load(&ss->abandoned)) {
        answer = SSN_NEED_CLEAR;
    }
    bool pending;
    *ret_passed = ssn_deferred_run(ss->deferred, first, *ret_passed, &pending);
    rc = SELSNAP_OK;
    if (answer == SSN_NEED_CLEAR && !pending) {
        uint64_t offset = ssn_offset_of(ss, first);
        uint64_t stop = ssn_min_u64(ssn_offset_of(ss, first + *ret_passed), ss->origin_bytes);
        rc = ssn_device_discard(ss->origin, offset, stop - offset);
        rc = rc == SELSNAP_ENOTSUP ? SELSNAP_OK : ssn_origin_failed(ss, rc, "discard", offset, stop - offset);
    }
    ssn_gate_leave(&ss->gate, shard);
    return rc;
}

int ssn_live_discard(struct selsnap *ss, uint64_t offset, uint64_t len) {
    int rc = ssn_origin_check(ss, offset, len, true);
    if (rc != SELSNAP_OK || len == 0) {
        return rc;
    }
    uint64_t end_offset = offset + len;
    uint64_t block = ssn_div_up(offset, ss->block_bytes);
    uint64_t end = end_offset == ss->origin_bytes ? ssn_div_up(end_offset, ss->block_bytes) : ssn_block_of(ss, end_offset);
    while (rc == SELSNAP_OK && block < end) {
        uint64_t passed = 0;
        rc = discard_some(ss, block, end, &passed);
        block += passed;
    }
    return rc;
}

int ssn_live_flush(struct selsnap *ss) {
    int rc = ssn_deferred_drain(ss);
    return rc == SELSNAP_OK ? ssn_restore_flush_origin(ss) : rc;
}
