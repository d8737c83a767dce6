/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deferred writes: the library as the volatile write cache that disks have anyway. A write to blocks that need
 * preserving is kept in memory, and returns; a *drain* preserves and writes many of them together, with one flush.
 *
 * Pending data are whole blocks. Each copy has the *need version* of its acceptance: the newest point taken before it.
 * So snapshots up to that version must not have it, and all later ones must. Writes to a block merge under the same
 * version only; under another a second copy queues behind the first. Copies are accepted inside the gate, so that
 * versions only rise along the queue, and drained in that order: preserved for the points up to their version, and no
 * other [P1].
 *
 * A block with pending data takes every later write as pending until it has drained, whatever its need bit says. So who
 * finds a bit clear asks here too: `groups` counts pending copies, and can be read without a lock.
 *
 * Whoever adds, merges or drains a block's copies has claimed the block. `lock` guards the lists and the data, and is
 * held for memory only; a drain reads data under its claims alone. `draining` is held by who drains.
 *
 * Store space is taken at acceptance (ssn_store_hold), and room for the record is kept with it, so that a full store is
 * answered then, and a drain does not fail for it.
 */
#ifndef SSN_DEFERRED_H
#define SSN_DEFERRED_H

#include "mem.h"

#include <pthread.h>
#include <selsnap/selsnap.h>
#include <stdatomic.h>

struct selsnap;

enum { SSN_DEFERRED_GROUPS = 4096, SSN_DEFERRED_GROUP_BLOCKS = 64, SSN_DEFERRED_FIXED = 32768 };

#define SSN_PENDING_NONE UINT32_MAX

/* One pending copy of a block. */
struct ssn_pending {
    uint64_t block;
    uint64_t version;
    uint64_t serial;      /* of its acceptance; rises along the queue */
    uint64_t accepted_ns; /* by the monotonic clock */
    uint32_t older;       /* in the queue; of free ones: the next free one */
    uint32_t newer;
    uint32_t chain; /* the next in its bucket; of one block the newest comes first */
    uint64_t held;  /* place in the store for the old content; 0: none */
    bool announced; /* to the store: a change that will record it */
    bool tried;     /* a drain of it failed with SELSNAP_ESTORE: what is held may be a transaction's by now */
};

/* What a drain sorts. */
struct ssn_pending_key {
    uint64_t block;
    uint32_t slot;
};

struct ssn_deferred {
    struct ssn_mem mem; /* of its own: what is kept must not push out, or be refused for, what else is in memory */
    uint32_t block_bytes;
    uint32_t slot_count;
    pthread_mutex_t draining;
    struct ssn_pending_key *order; /* draining */
    pthread_mutex_t lock;
    uint8_t *data;             /* lock: slot_count blocks */
    struct ssn_pending *slots; /* lock */
    uint32_t *buckets;         /* lock: bucket_mask + 1 of them */
    uint32_t bucket_mask;
    uint32_t free;                                /* lock: first free slot */
    uint32_t free_count;                          /* lock */
    uint32_t oldest;                              /* lock: the queue */
    uint32_t newest;                              /* lock */
    uint64_t not_before;                          /* lock: no drain for age before this time, as one failed */
    uint64_t next_serial;                         /* lock */
    _Atomic uint64_t count;                       /* pending copies; written with lock held */
    _Atomic uint32_t groups[SSN_DEFERRED_GROUPS]; /* the same, by hashed group of blocks */
};

/* Bytes of memory that so much pending data may take, with all that belongs to it. */
static inline uint64_t ssn_deferred_memory(uint64_t deferred_bytes) {
    return deferred_bytes == 0 ? 0 : deferred_bytes + deferred_bytes / 32 + SSN_DEFERRED_FIXED;
}

/* ---- deferred.c; of these, d may be NULL ---- */

/* deferred_bytes: at least a block. SELSNAP_ENOMEM. */
int ssn_deferred_open(const struct ssn_mem *like, uint64_t deferred_bytes, uint32_t block_bytes,
                      struct ssn_deferred **ret_d);
/* What is pending is gone. */
void ssn_deferred_close(struct ssn_deferred *d);
/* false: nothing is pending for these blocks. Without a lock; true may be wrong. */
bool ssn_deferred_may_have(struct ssn_deferred *d, uint64_t first_block, uint64_t count);
/* How many blocks from the first on have the same answer as it, at most `count`; *ret_has: data is pending. */
uint64_t ssn_deferred_run(struct ssn_deferred *d, uint64_t first_block, uint64_t count, bool *ret_has);
/* Whether any of the blocks has pending data. With a claim on them it stays so. */
bool ssn_deferred_has(struct ssn_deferred *d, uint64_t first_block, uint64_t count);
/* The first block >= from with pending data; UINT64_MAX: none. */
uint64_t ssn_deferred_next(struct ssn_deferred *d, uint64_t from);
/* One above the version of the block's oldest pending copy; UINT64_MAX: none. */
uint64_t ssn_deferred_cap(struct ssn_deferred *d, uint64_t block);
/* Copies bytes of the block's newest copy out, into several pieces. false: none. */
bool ssn_deferred_read(struct ssn_deferred *d, uint64_t block, uint64_t skip, const selsnap_iovec *pieces,
                       uint32_t count);

/* ---- between the files: lock is held ---- */

uint32_t ssn_pending_find(const struct ssn_deferred *d, uint64_t block);
/* A free slot; there is one. */
uint32_t ssn_pending_take(struct ssn_deferred *d);
void ssn_pending_give(struct ssn_deferred *d, uint32_t slot);
/* To the end of the queue, with all before serial filled in, and what is held. */
void ssn_pending_add(struct ssn_deferred *d, uint32_t slot);
/* The drained one out of the queue, and free. */
void ssn_pending_remove(struct ssn_deferred *d, uint32_t slot);
static inline uint8_t *ssn_pending_data(const struct ssn_deferred *d, uint32_t slot) {
    return d->data + (size_t)slot * d->block_bytes;
}

/* ---- deferred_write.c ---- */

/* A change of [offset, offset + len) of the origin, in the blocks of one chunk. */
struct ssn_deferred_change {
    uint64_t first;
    uint64_t count;
    uint64_t offset;
    uint64_t len;
    /* What it writes into a part of the range: copied, or written to the origin. */
    void (*copy)(const void *user, uint8_t *to, uint64_t offset, uint64_t len);
    int (*apply)(struct selsnap *ss, const void *user, uint64_t offset, uint64_t len);
    const void *user;
};
/* Keeps what needs preserving, and writes the rest. Outside the gate, no claim is held. Errors as of a write. */
int ssn_deferred_write(struct selsnap *ss, const struct ssn_deferred_change *change);

/* ---- deferred_drain.c ---- */

/*
 * Preserves for and writes to the origin whatever was accepted before the call; once the store is abandoned, without
 * preserving. The origin is not flushed. No claim is held; the gate may be closed. Whatever fails stays pending.
 */
int ssn_deferred_drain(struct selsnap *ss);
/* The same, if the oldest has been pending for long. Should that fail, it is for the next flush to tell. */
void ssn_deferred_drain_aged(struct selsnap *ss);

#endif
