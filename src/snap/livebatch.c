/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See livebatch.h. Requests of a batch are in no order, so they are done by what they need:
 *
 *   1. reads, and writes whose blocks need nothing, all in one batch of the origin, inside the gate
 *   2. writes that must preserve first, in rounds of at most a chunk of blocks: claimed, preserved and written together
 *   3. what goes by itself: requests for blocks with pending data, and writes that are to be kept (deferred.h); large writes, reads while a restore runs, discards, and the writes of a round that failed, each
 *      of which then gets an answer of its own
 *   4. one flush, if a write is to be durable
 */
#include "livebatch.h"

#include "deferred.h"
#include "livedev.h"
#include "livewrite.h"

#include <stdlib.h>

enum { CLAIMS_MAX = 2 * SSN_LIVE_BATCH_MAX }; /* a request of at most a chunk is in two runs at most */

struct item {
    selsnap_io *io;
    uint64_t len;   /* bytes */
    uint64_t first; /* blocks */
    uint64_t count;
};

struct batch {
    struct selsnap *ss;
    struct item items[SSN_LIVE_BATCH_MAX]; /* still to do */
    unsigned count;
    bool flush; /* some write is to be durable */
};

static bool is_change(const selsnap_io *io) {
    return io->kind == SELSNAP_IO_WRITE || io->kind == SELSNAP_IO_WRITE_ZEROES;
}

/* Requests that are wrong or empty have their result at once; the others become items. */
static void sort_out(struct batch *batch, selsnap_io *const *ios, unsigned count) {
    struct selsnap *ss = batch->ss;
    for (unsigned i = 0; i < count; i++) {
        selsnap_io *io = ios[i];
        uint64_t len = io->len;
        bool has_buffers = io->kind == SELSNAP_IO_READ || io->kind == SELSNAP_IO_WRITE;
        bool summed = !has_buffers || ssn_iov_bytes(io->iov, io->iov_count, &len);
        io->result =
            !summed ? SELSNAP_ERANGE : ssn_origin_check(ss, io->offset, len, io->kind != SELSNAP_IO_READ);
        if (io->result == SELSNAP_OK && len > 0) {
            uint64_t first = ssn_block_of(ss, io->offset);
            uint64_t last = ssn_block_of(ss, io->offset + len - 1);
            batch->items[batch->count++] = (struct item){io, len, first, last - first + 1};
            batch->flush = batch->flush || (io->flags & SELSNAP_IO_FUA) != 0;
        }
    }
}

/* Writes and reads at once, zeroes one by one. The caller is inside the gate, if there are writes. */
static void do_at_once(struct selsnap *ss, const struct item *const *items, unsigned count) {
    selsnap_io *ios[SSN_LIVE_BATCH_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++) {
        selsnap_io *io = items[i]->io;
        if (io->kind == SELSNAP_IO_WRITE_ZEROES) {
            io->result = ssn_device_write_zeroes(ss->origin, io->offset, items[i]->len);
        } else {
            ios[n++] = io;
        }
    }
    if (n > 0) {
        (void)ssn_device_batch(ss->origin, ios, n); /* each has its result */
    }
    for (unsigned i = 0; i < count; i++) {
        const selsnap_io *io = items[i]->io;
        const char *what = io->kind == SELSNAP_IO_READ ? "read" : io->kind == SELSNAP_IO_WRITE ? "write" : "zero";
        (void)ssn_origin_failed(ss, io->result, what, io->offset, items[i]->len);
    }
}

/* ---- what needs nothing ---- */

static bool needs_nothing(struct selsnap *ss, const struct item *item, bool inside) {
    bool abandoned = atomic_load(&ss->abandoned);
    if (ssn_deferred_may_have(ss->deferred, item->first, item->count)) {
        return false;
    }
    if (item->io->kind == SELSNAP_IO_READ) {
        return abandoned || atomic_load_explicit(&ss->catalogue.active_jobs, memory_order_acquire) == 0;
    }
    return inside && is_change(item->io) &&
           (abandoned || ssn_need_test(&ss->need, item->first, item->count) == SSN_NEED_CLEAR);
}

static void do_clean(struct batch *batch) {
    struct selsnap *ss = batch->ss;
    struct item clean[SSN_LIVE_BATCH_MAX];
    const struct item *list[SSN_LIVE_BATCH_MAX] = {NULL};
    bool any_change = false;
    for (unsigned i = 0; i < batch->count; i++) {
        any_change = any_change || is_change(batch->items[i].io);
    }
    unsigned shard = any_change ? ssn_gate_enter(&ss->gate) : 0;
    unsigned n = 0;
    unsigned changes = 0;
    unsigned left = 0;
    for (unsigned i = 0; i < batch->count; i++) {
        if (needs_nothing(ss, &batch->items[i], any_change)) {
            changes += is_change(batch->items[i].io);
            clean[n] = batch->items[i];
            list[n] = &clean[n];
            n++;
        } else {
            batch->items[left++] = batch->items[i];
        }
    }
    batch->count = left;
    do_at_once(ss, list, n);
    if (any_change) {
        ssn_gate_leave_counted(&ss->gate, shard, changes);
    }
}

/* ---- what must preserve first ---- */

/* Changes first, in the order of their blocks. */
static int in_rounds(const void *a, const void *b) {
    const struct item *x = a;
    const struct item *y = b;
    if (is_change(x->io) != is_change(y->io)) {
        return is_change(x->io) ? -1 : 1;
    }
    return x->first < y->first ? -1 : x->first > y->first;
}

/* The items' blocks, which rise: neighbours and what overlaps in one claim, cut where a run ends. */
static unsigned make_claims(const struct item *items, unsigned count, struct ssn_claim *claims) {
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t from = n > 0 ? ssn_max_u64(items[i].first, claims[n - 1].first + claims[n - 1].count) : items[i].first;
        uint64_t end = items[i].first + items[i].count;
        while (from < end) {
            uint64_t stop = ssn_min_u64(end, (from / SSN_RUN_BLOCKS + 1) * SSN_RUN_BLOCKS);
            bool joins = n > 0 && from == claims[n - 1].first + claims[n - 1].count && from % SSN_RUN_BLOCKS != 0;
            if (joins) {
                claims[n - 1].count += stop - from;
            } else {
                claims[n++] = (struct ssn_claim){.first = from, .count = stop - from};
            }
            from = stop;
        }
    }
    return n;
}

static void do_alone(struct selsnap *ss, const struct item *item) {
    selsnap_io *io = item->io;
    switch (io->kind) {
    case SELSNAP_IO_READ:
        io->result = ssn_live_read(ss, io->iov, io->iov_count, io->offset, item->len);
        break;
    case SELSNAP_IO_WRITE:
        io->result = ssn_live_write(ss, io->iov, io->iov_count, io->offset, item->len);
        break;
    case SELSNAP_IO_WRITE_ZEROES:
        io->result = ssn_live_write_zeroes(ss, io->offset, item->len);
        break;
    default:
        io->result = ssn_live_discard(ss, io->offset, item->len);
        break;
    }
}

static void do_round(struct selsnap *ss, const struct item *items, unsigned count) {
    struct ssn_claim claims[CLAIMS_MAX];
    const struct item *list[SSN_LIVE_BATCH_MAX] = {NULL};
    unsigned shard;
    bool together = count > 1 && ss->deferred == NULL;
    unsigned claim_count = together ? make_claims(items, count, claims) : 0;
    if (together && ssn_write_enter(ss, claims, claim_count, &shard) == SELSNAP_OK) {
        for (unsigned i = 0; i < count; i++) {
            list[i] = &items[i];
        }
        do_at_once(ss, list, count);
        ssn_write_leave(ss, claims, claim_count, shard);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        do_alone(ss, &items[i]);
    }
}

static void do_rounds(struct batch *batch) {
    unsigned begun = 0;
    while (begun < batch->count) {
        uint64_t blocks = 0;
        unsigned n = begun;
        while (n < batch->count && is_change(batch->items[n].io) &&
               blocks + batch->items[n].count <= batch->ss->chunk_blocks) {
            blocks += batch->items[n++].count;
        }
        n = n > begun ? n : begun + 1;
        do_round(batch->ss, batch->items + begun, n - begun);
        begun = n;
    }
}

void ssn_live_batch(struct selsnap *ss, selsnap_io *const *ios, unsigned count) {
    struct batch batch = {.ss = ss};
    sort_out(&batch, ios, count);
    do_clean(&batch);
    qsort(batch.items, batch.count, sizeof batch.items[0], in_rounds);
    do_rounds(&batch);
    if (!batch.flush) {
        return;
    }
    int rc = ssn_live_flush(ss);
    for (unsigned i = 0; i < count; i++) {
        if (ios[i]->result == SELSNAP_OK && (ios[i]->flags & SELSNAP_IO_FUA) != 0) {
            ios[i]->result = rc;
        }
    }
}
