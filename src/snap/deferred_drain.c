/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Draining pending writes (deferred.h). One version at a time, the oldest first; its blocks sorted, in rounds of at
 * most a chunk: claim them, copy back what restores still have to, preserve for the points up to the version (one read
 * of what is old, one write to the store, one flush), write the origin, let go.
 *
 * A round writes the origin without entering the gate. The gate keeps a point from falling between a writer's last look
 * at what is needed and its write: the write would be missing from the old content, and in the snapshot, or the
 * reverse. Here nothing depends on that moment. Points up to the version have what they need preserved before; and
 * every later point has the pending data in its content wherever it falls, because it was taken after the acceptance,
 * and the snapshot is not made (nor a restore begun) before a drain has ended that began after the point. So a snapshot
 * can be made while the context is frozen, when nobody gets into the gate.
 *
 * Need bits stay set: to clear them is for who is inside the gate. The next write to a block looks closer, and clears
 * its.
 */
#include "deferred.h"

#include "clock.h"
#include "preserve.h"
#include "restore.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t AGE_NS = UINT64_C(1000000000);

/* At most a chunk of pending copies, sorted by block, all of one version. */
struct round {
    struct selsnap *ss;
    const struct ssn_pending_key *keys;
    unsigned count;
    uint64_t version;
    struct ssn_held held;
    uint64_t places[SSN_RUN_BLOCKS]; /* held, in the order of the blocks */
    struct ssn_claim claims[SSN_RUN_BLOCKS];
    struct ssn_stretch stretches[SSN_RUN_BLOCKS];
    unsigned stretch_count;
};

static int by_block(const void *left, const void *right) {
    const struct ssn_pending_key *a = left;
    const struct ssn_pending_key *b = right;
    return a->block < b->block ? -1 : a->block > b->block;
}

static int by_place(const void *left, const void *right) {
    const uint64_t *a = left;
    const uint64_t *b = right;
    return *a < *b ? -1 : *a > *b;
}

/* Neighbours of one run become a stretch. */
static void find_stretches(struct round *round) {
    round->stretch_count = 0;
    for (unsigned i = 0; i < round->count; i++) {
        uint64_t block = round->keys[i].block;
        struct ssn_stretch *last = round->stretch_count > 0 ? &round->stretches[round->stretch_count - 1] : NULL;
        if (last != NULL && block == last->first + last->count && block % SSN_RUN_BLOCKS != 0) {
            last->count++;
        } else {
            round->stretches[round->stretch_count++] = (struct ssn_stretch){block, 1};
        }
    }
    for (unsigned s = 0; s < round->stretch_count; s++) {
        round->claims[s].first = round->stretches[s].first;
        round->claims[s].count = round->stretches[s].count;
    }
}

/* Until nothing needs the blocks' old content. */
static int preserve(struct round *round) {
    struct selsnap *ss = round->ss;
    int rc = SELSNAP_OK;
    for (unsigned s = 0; rc == SELSNAP_OK && s < round->stretch_count && !atomic_load(&ss->abandoned); s++) {
        rc = ssn_restore_copy_back(ss, round->stretches[s].first, round->stretches[s].count);
    }
    if (rc == SELSNAP_OK && !atomic_load(&ss->abandoned)) {
        rc = ssn_preserve_held(ss, round->stretches, round->stretch_count, round->version + 1, &round->held);
    }
    return atomic_load(&ss->abandoned) ? SELSNAP_OK : rc;
}

/* Neighbours together; the requests all at once. */
static int write_origin(const struct round *round, uint8_t *buf) {
    enum { AT_ONCE = 32 };
    struct selsnap *ss = round->ss;
    struct ssn_transfer writes[AT_ONCE];
    unsigned n = 0;
    unsigned at = 0;
    int rc = SELSNAP_OK;
    for (unsigned s = 0; rc == SELSNAP_OK && s < round->stretch_count; s++) {
        const struct ssn_stretch *stretch = &round->stretches[s];
        uint8_t *from = buf + (size_t)at * ss->block_bytes;
        for (unsigned i = 0; i < stretch->count; i++) {
            memcpy(from + (size_t)i * ss->block_bytes, ssn_pending_data(ss->deferred, round->keys[at + i].slot),
                   ss->block_bytes);
        }
        at += stretch->count;
        writes[n++] = ssn_origin_transfer(ss, stretch->first, stretch->count, from);
        if (n == AT_ONCE || s + 1 == round->stretch_count) {
            rc = ssn_origin_transfers(ss, true, writes, n);
            n = 0;
        }
    }
    return rc;
}

static void let_go(const struct round *round) {
    struct ssn_deferred *d = round->ss->deferred;
    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < round->count; i++) {
        ssn_pending_remove(d, round->keys[i].slot);
    }
    pthread_mutex_unlock(&d->lock);
}

/* Between their places none is better than another, but such as follow each other take one write. */
static void sort_places(const struct round *round) {
    struct ssn_pending *slots = round->ss->deferred->slots;
    uint64_t places[SSN_RUN_BLOCKS] = {0};
    unsigned n = 0;
    for (unsigned i = 0; i < round->count; i++) {
        const struct ssn_pending *pending = &slots[round->keys[i].slot];
        if (pending->held != 0 && !pending->tried) {
            places[n++] = pending->held;
        }
    }
    qsort(places, n, sizeof places[0], by_place);
    for (unsigned i = round->count; i > 0; i--) {
        struct ssn_pending *pending = &slots[round->keys[i - 1].slot];
        if (pending->held != 0 && !pending->tried) {
            pending->held = places[--n];
        }
    }
}

static void gather_held(struct round *round) {
    struct ssn_deferred *d = round->ss->deferred;
    round->held = (struct ssn_held){round->places, 0};
    pthread_mutex_lock(&d->lock);
    sort_places(round);
    for (unsigned i = 0; i < round->count; i++) {
        const struct ssn_pending *pending = &d->slots[round->keys[i].slot];
        round->places[i] = pending->held;
        round->held.announced += pending->announced;
    }
    pthread_mutex_unlock(&d->lock);
}

/* Nothing needs the blocks' old content any more: should the origin fail now, the copies stay pending without. What is
 * left may be a transaction's, and free by now and somebody else's, if it was tried: then it is left for the next open. */
static void let_go_of_held(struct round *round) {
    struct ssn_deferred *d = round->ss->deferred;
    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < round->count; i++) {
        struct ssn_pending *pending = &d->slots[round->keys[i].slot];
        round->places[i] = pending->tried ? 0 : round->places[i];
        pending->held = 0;
        pending->announced = false;
        pending->tried = false;
    }
    pthread_mutex_unlock(&d->lock);
    for (unsigned i = 0; i < round->count; i++) {
        ssn_store_untake(round->ss->store, round->places[i], round->places[i] != 0 ? round->ss->block_pages : 0);
    }
    ssn_store_unannounce(round->ss->store, round->held.announced);
}

static void note_tried(const struct round *round) {
    struct ssn_deferred *d = round->ss->deferred;
    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < round->count; i++) {
        d->slots[round->keys[i].slot].tried = true;
    }
    pthread_mutex_unlock(&d->lock);
}

static int run_round(struct round *round) {
    struct selsnap *ss = round->ss;
    find_stretches(round);
    ssn_claims_take_in_turn(&ss->claims, round->claims, round->stretch_count);
    gather_held(round);
    int rc = preserve(round);
    if (rc == SELSNAP_ESTORE) {
        note_tried(round);
    }
    if (rc == SELSNAP_OK) {
        let_go_of_held(round);
        uint8_t *buf = ssn_buffers_take(&ss->buffers);
        rc = write_origin(round, buf);
        ssn_buffers_return(&ss->buffers, buf);
    }
    if (rc == SELSNAP_OK) {
        let_go(round);
    }
    ssn_claims_release_all(&ss->claims, round->claims, round->stretch_count);
    return rc;
}

/* draining is held: those of the oldest version that were accepted before `serial`, into d->order. */
static uint32_t collect(struct ssn_deferred *d, uint64_t serial, uint64_t *ret_version) {
    uint32_t count = 0;
    pthread_mutex_lock(&d->lock);
    uint32_t slot = d->oldest;
    *ret_version = slot == SSN_PENDING_NONE ? 0 : d->slots[slot].version;
    while (slot != SSN_PENDING_NONE && d->slots[slot].version == *ret_version && d->slots[slot].serial < serial) {
        d->order[count++] = (struct ssn_pending_key){d->slots[slot].block, slot};
        slot = d->slots[slot].newer;
    }
    pthread_mutex_unlock(&d->lock);
    qsort(d->order, count, sizeof *d->order, by_block);
    return count;
}

/* draining is held. */
static int drain_up_to(struct selsnap *ss, uint64_t serial) {
    struct ssn_deferred *d = ss->deferred;
    struct round round = {.ss = ss};
    uint32_t count;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && (count = collect(d, serial, &round.version)) > 0) {
        for (uint32_t at = 0; rc == SELSNAP_OK && at < count; at += round.count) {
            round.keys = d->order + at;
            round.count = (unsigned)ssn_min_u64(count - at, ss->chunk_blocks);
            rc = run_round(&round);
        }
    }
    return rc;
}

int ssn_deferred_drain(struct selsnap *ss) {
    struct ssn_deferred *d = ss->deferred;
    if (d == NULL || atomic_load(&d->count) == 0) {
        return SELSNAP_OK;
    }
    pthread_mutex_lock(&d->lock);
    uint64_t serial = d->next_serial;
    pthread_mutex_unlock(&d->lock);
    pthread_mutex_lock(&d->draining);
    int rc = drain_up_to(ss, serial);
    pthread_mutex_unlock(&d->draining);
    return rc;
}

void ssn_deferred_drain_aged(struct selsnap *ss) {
    struct ssn_deferred *d = ss->deferred;
    uint64_t now = ssn_monotonic_ns();
    pthread_mutex_lock(&d->lock);
    bool aged =
        d->oldest != SSN_PENDING_NONE && now >= d->slots[d->oldest].accepted_ns + AGE_NS && now >= d->not_before;
    pthread_mutex_unlock(&d->lock);
    if (aged && ssn_deferred_drain(ss) != SELSNAP_OK) {
        pthread_mutex_lock(&d->lock);
        d->not_before = now + AGE_NS;
        pthread_mutex_unlock(&d->lock);
    }
}
