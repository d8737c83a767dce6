/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accepting writes (deferred.h). The way of one piece, no more blocks than can be kept:
 *
 *   CLAIM    the blocks, wait for others                                          -> DECIDE
 *   DECIDE   outside the gate, at a need version: copy back what restores still have to; find which blocks are pending, or
 *            need preserving by the index. For what is to be kept anew: a slot, a place in the store, and the rest of
 *            a block that is written in part                                      -> RETEST
 *              no slot is free: let go of all, drain                              -> CLAIM
 *              no place, or the rest cannot be read: let go of all                -> THROUGH
 *   RETEST   inside the gate: the version is the same                             -> KEEP;  else leave -> DECIDE
 *              the gate is closed: let go of all, wait until it opens             -> CLAIM
 *   KEEP     what is to be kept becomes pending under the version; the other blocks are written to the origin
 *   THROUGH  drain, and write without keeping: the store is asked, and the policy, as without deferred mode
 *
 * A block that is written in part, and kept, is read as it is before: nobody changes it meanwhile. It needs preserving
 * at the version, so no writer has got into the gate without looking closer since that version; and whoever looks
 * closer waits for the claim. That is why blocks that need nothing are not kept: others may write them with no claim at
 * all.
 *
 * Nobody waits for the gate with a claim on pending blocks: a drain needs the claims, and a snapshot that is made while
 * the gate is closed needs the drain.
 */
#include "deferred.h"

#include "livedev.h"
#include "livewrite.h"
#include "preserve_plan.h"
#include "restore.h"

#include <string.h>

enum next { NEXT_DONE = 0, NEXT_DECIDE, NEXT_DRAIN, NEXT_WAIT, NEXT_THROUGH };

struct accept {
    struct selsnap *ss;
    const struct ssn_deferred_change *change;
    uint64_t first;
    unsigned count;
    uint64_t offset;
    uint64_t len;
    struct ssn_claim claim;
    uint64_t version;
    bool any;
    bool keep[SSN_RUN_BLOCKS];
    uint32_t slot[SSN_RUN_BLOCKS];  /* for a new copy; SSN_PENDING_NONE: merges, or is not kept */
    bool preserves[SSN_RUN_BLOCKS]; /* and so needs a place */
    uint64_t held[SSN_RUN_BLOCKS];
};

/* The part of block i that is written: bytes [*ret_begin, *ret_end) of the device. */
static void part_of(const struct accept *a, unsigned i, uint64_t *ret_begin, uint64_t *ret_end) {
    *ret_begin = ssn_max_u64(a->offset, ssn_offset_of(a->ss, a->first + i));
    *ret_end = ssn_min_u64(a->offset + a->len, ssn_offset_of(a->ss, a->first + i + 1));
}

/* ---- deciding ---- */

/* Which blocks are kept, and which of them need store space. The blocks are claimed. */
static int choose(struct accept *a) {
    struct selsnap *ss = a->ss;
    a->any = false;
    memset(a->keep, 0, sizeof a->keep);
    memset(a->preserves, 0, sizeof a->preserves);
    bool pending = ssn_deferred_has(ss->deferred, a->first, a->count);
    if (!pending && ssn_need_test(&ss->need, a->first, a->count) == SSN_NEED_CLEAR) {
        return SELSNAP_OK;
    }
    const struct ssn_stretch stretch = {a->first, a->count};
    struct ssn_plan *plan = ssn_plan_make(ss, &stretch, 1);
    if (plan == NULL) {
        return SELSNAP_ENOMEM;
    }
    int rc = ssn_plan_decide(plan, NULL, UINT64_MAX, &a->any);
    for (unsigned i = 0; rc == SELSNAP_OK && i < a->count; i++) {
        a->keep[i] = plan->kind[i] != SSN_ENTRY_NONE || (pending && ssn_deferred_has(ss->deferred, a->first + i, 1));
        a->preserves[i] = plan->kind[i] != SSN_ENTRY_NONE; /* a mark, as it may be data by then */
        a->any = a->any || a->keep[i];
    }
    ssn_free(&ss->mem, plan);
    return rc;
}

/* Slots for what does not merge. false: too few are free, and none is taken. */
static bool take_slots(struct accept *a) {
    struct ssn_deferred *d = a->ss->deferred;
    unsigned wanted = 0;
    memset(a->held, 0, sizeof a->held);
    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < a->count; i++) {
        uint32_t slot = a->keep[i] ? ssn_pending_find(d, a->first + i) : SSN_PENDING_NONE;
        bool merges = slot != SSN_PENDING_NONE && d->slots[slot].version == a->version;
        bool new = a->keep[i] && !merges;
        a->slot[i] = new ? 0 : SSN_PENDING_NONE;
        a->preserves[i] = a->preserves[i] && new;
        wanted += new;
    }
    bool ok = wanted <= d->free_count;
    for (unsigned i = 0; i < a->count; i++) {
        if (a->slot[i] != SSN_PENDING_NONE) {
            a->slot[i] = ok ? ssn_pending_take(d) : SSN_PENDING_NONE;
        }
    }
    pthread_mutex_unlock(&d->lock);
    return ok;
}

/* Places for what is to be preserved. On failure some have one. */
static int hold_places(struct accept *a) {
    struct selsnap *ss = a->ss;
    uint64_t left = 0;
    for (unsigned i = 0; i < a->count; i++) {
        left += a->preserves[i];
    }
    uint64_t place = 0;
    uint64_t pages = 0;
    for (unsigned i = 0; i < a->count; i++) {
        if (!a->preserves[i]) {
            continue;
        }
        if (pages == 0) {
            int rc = ssn_store_hold(ss->store, left * ss->block_pages, ss->block_pages, &place, &pages);
            if (rc != SELSNAP_OK) {
                return rc;
            }
        }
        a->held[i] = place;
        place += ss->block_pages;
        pages -= ss->block_pages;
        left--;
    }
    return SELSNAP_OK;
}

/* What take_slots() and hold_places() gave, and was not used. */
static void give_back(struct accept *a) {
    struct ssn_deferred *d = a->ss->deferred;
    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < a->count; i++) {
        if (a->slot[i] != SSN_PENDING_NONE) {
            ssn_pending_give(d, a->slot[i]);
        }
    }
    pthread_mutex_unlock(&d->lock);
    for (unsigned i = 0; i < a->count; i++) {
        if (a->held[i] != 0) {
            ssn_store_untake(a->ss->store, a->held[i], a->ss->block_pages);
            ssn_store_unannounce(a->ss->store, 1);
            a->held[i] = 0;
        }
    }
}

/* Fills new copies of blocks that are written in part with what the live device has. */
static int read_rest(struct accept *a) {
    struct selsnap *ss = a->ss;
    struct ssn_deferred *d = ss->deferred;
    for (unsigned i = 0; i < a->count; i++) {
        uint64_t begin;
        uint64_t end;
        uint64_t block = a->first + i;
        part_of(a, i, &begin, &end);
        if (a->slot[i] == SSN_PENDING_NONE || end - begin == ssn_block_len(ss, block)) {
            continue;
        }
        uint8_t *data = ssn_pending_data(d, a->slot[i]);
        const selsnap_iovec whole = {data, ssn_block_len(ss, block)};
        if (ssn_deferred_read(d, block, 0, &whole, 1)) {
            continue;
        }
        int rc = ssn_live_read_device(ss, data, ssn_block_len(ss, block), ssn_offset_of(ss, block));
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    return SELSNAP_OK;
}

/* The blocks are claimed. An enum next, or an error; with NEXT_DECIDE all is ready for the gate. */
static int decide(struct accept *a) {
    struct selsnap *ss = a->ss;
    int rc = ssn_write_wait_restores(ss, &a->claim, 1, &a->version);
    rc = rc == SELSNAP_OK ? ssn_need_refresh(ss, a->first, a->count, a->version) : rc;
    rc = rc == SELSNAP_OK ? ssn_restore_copy_back(ss, a->first, a->count) : rc;
    rc = rc == SELSNAP_OK ? choose(a) : rc;
    if (atomic_load(&ss->abandoned)) {
        return NEXT_THROUGH;
    }
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (!take_slots(a)) {
        return NEXT_DRAIN;
    }
    rc = hold_places(a);
    rc = rc == SELSNAP_OK ? read_rest(a) : rc;
    if (rc != SELSNAP_OK) {
        give_back(a);
        return NEXT_THROUGH;
    }
    return NEXT_DECIDE;
}

/* ---- keeping ---- */

/* Inside the gate, at the version. */
static void keep(struct accept *a, unsigned i) {
    struct ssn_deferred *d = a->ss->deferred;
    uint64_t begin;
    uint64_t end;
    part_of(a, i, &begin, &end);
    pthread_mutex_lock(&d->lock);
    uint32_t slot = a->slot[i];
    bool new = slot != SSN_PENDING_NONE;
    if (!new) {
        slot = ssn_pending_find(d, a->first + i);
    }
    a->change->copy(a->change->user, ssn_pending_data(d, slot) + (begin - ssn_offset_of(a->ss, a->first + i)), begin,
                    end - begin);
    if (new) {
        d->slots[slot].block = a->first + i;
        d->slots[slot].version = a->version;
        d->slots[slot].held = a->held[i];
        d->slots[slot].announced = a->held[i] != 0;
        d->slots[slot].tried = false;
        ssn_pending_add(d, slot);
        a->slot[i] = SSN_PENDING_NONE;
        a->held[i] = 0;
    }
    pthread_mutex_unlock(&d->lock);
}

/* Inside the gate: the blocks from i on that are not kept are written to the origin. */
static int pass(struct accept *a, unsigned i, unsigned n) {
    uint64_t begin;
    uint64_t end;
    uint64_t last_begin;
    part_of(a, i, &begin, &end);
    part_of(a, i + n - 1, &last_begin, &end);
    ssn_need_clear(&a->ss->need, a->first + i, n);
    return a->change->apply(a->ss, a->change->user, begin, end - begin);
}

static int keep_and_pass(struct accept *a) {
    int rc = SELSNAP_OK;
    unsigned i = 0;
    while (rc == SELSNAP_OK && i < a->count) {
        unsigned n = 0;
        while (i + n < a->count && !a->keep[i + n]) {
            n++;
        }
        if (n > 0) {
            rc = pass(a, i, n);
        } else {
            keep(a, i);
        }
        i += n > 0 ? n : 1;
    }
    return rc;
}

/* All is ready. An enum next, or an error. */
static int enter(struct accept *a) {
    struct selsnap *ss = a->ss;
    unsigned shard;
    int rc = NEXT_WAIT;
    if (ssn_gate_try_enter(&ss->gate, &shard)) {
        rc = NEXT_DECIDE;
        if (atomic_load(&ss->abandoned)) {
            rc = NEXT_THROUGH;
        } else if (ssn_need_version(&ss->need) == a->version) {
            rc = keep_and_pass(a);
            ssn_count(&ss->count.preserving_writes, a->any);
        }
        ssn_gate_leave(&ss->gate, shard);
    }
    give_back(a);
    return rc;
}

/* Blocks whose pending data has been drained are written as if nothing could be kept. */
static int write_through(struct accept *a) {
    struct selsnap *ss = a->ss;
    for (;;) {
        unsigned shard;
        struct ssn_claim claim = {.first = a->first, .count = a->count};
        int rc = ssn_deferred_drain(ss);
        rc = rc == SELSNAP_OK ? ssn_write_enter(ss, &claim, 1, &shard) : rc;
        if (rc == SSN_WRITE_PENDING) {
            continue;
        }
        if (rc == SELSNAP_OK) {
            rc = a->change->apply(ss, a->change->user, a->offset, a->len);
            ssn_write_leave(ss, &claim, 1, shard);
        }
        return rc;
    }
}

static int write_piece(struct accept *a) {
    struct selsnap *ss = a->ss;
    for (;;) {
        ssn_claims_take(&ss->claims, &a->claim, a->first, a->count);
        int rc;
        do {
            rc = decide(a);
            rc = rc == NEXT_DECIDE ? enter(a) : rc;
        } while (rc == NEXT_DECIDE);
        ssn_claims_release(&ss->claims, &a->claim);
        if (rc == NEXT_DRAIN) {
            rc = ssn_deferred_drain(ss);
        } else if (rc == NEXT_WAIT) {
            ssn_gate_leave(&ss->gate, ssn_gate_enter(&ss->gate));
            rc = SELSNAP_OK;
        } else if (rc == NEXT_THROUGH) {
            return write_through(a);
        } else {
            return rc;
        }
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
}

int ssn_deferred_write(struct selsnap *ss, const struct ssn_deferred_change *change) {
    struct accept a = {.ss = ss, .change = change};
    uint64_t end = change->offset + change->len;
    uint64_t stop = change->first + change->count;
    a.offset = change->offset;
    for (a.first = change->first; a.first < stop; a.first += a.count) {
        a.count = (unsigned)ssn_min_u64(stop - a.first, ss->deferred->slot_count);
        a.len = ssn_min_u64(end, ssn_offset_of(ss, a.first + a.count)) - a.offset;
        int rc = write_piece(&a);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        a.offset += a.len;
    }
    ssn_deferred_drain_aged(ss);
    return SELSNAP_OK;
}
