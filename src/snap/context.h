/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The context behind `selsnap`: an origin, its store, and what is kept in memory about snapshots.
 *
 * Locks, in the order in which they may be taken (a later one may be taken while an earlier one is held):
 *   1. admin            serialises what changes snapshots, designations and jobs; held across store I/O; never taken by
 *                       reads and writes of the live device
 *   2. overlay->lock    one snapshot's overlay (writers of it take turns)
 *   3. deferred->draining   one drain at a time; held across I/O; taken by nobody who holds a claim
 *      claims, gate     waiting places, not held across anything but what their own comments say
 *   4. job->record_lock a restore's durable progress; held across store I/O
 *   5. catalogue->lock  lists of snapshots and designations; memory only
 *   6. job->lock        a restore's progress; memory only
 *   7. need->lock       slots of need bits; memory only
 *      deferred->lock   pending writes; memory only
 *   8. the store's own locks
 * Whoever holds the gate closed does no store I/O.
 */
#ifndef SSN_CONTEXT_H
#define SSN_CONTEXT_H

#include "ahead.h"
#include "blockdev.h"
#include "buffers.h"
#include "catalogue.h"
#include "claims.h"
#include "gate.h"
#include "mem.h"
#include "need.h"
#include "record.h"
#include "report.h"
#include "store.h"
#include "transfers.h"

struct ssn_counters {
    _Atomic uint64_t blocks_preserved;
    _Atomic uint64_t blocks_ahead;
    _Atomic uint64_t blocks_zero;
    _Atomic uint64_t blocks_lost;
    _Atomic uint64_t preserving_writes;
    _Atomic uint64_t blocks_restored;
    _Atomic uint64_t gate_closed_ns_max;
};

/*
 * What a walk over all entries has learned of designations: they never change, so it stays true. Gaps: blocks [from,
 * to) that the designation does not cover, one for each designation, at the index id % SSN_GAPS. One thread at a time.
 */
enum { SSN_GAPS = 1024 };
struct ssn_needed_memory {
    uint64_t last_group; /* needed the entry before; asked first */
    struct {
        uint64_t id, from, to;
    } gap[SSN_GAPS];
};

/* What reclaim has to do, so that asking costs nothing. Members change while what they count is changed. */
struct ssn_reclaim_due {
    _Atomic bool walk;            /* follows `state`: a walk runs or is due */
    _Atomic uint64_t drop_jobs;   /* jobs in the store that drop an overlay */
    _Atomic uint64_t drop_groups; /* groups that are not READY: to be dropped, or of unknown fate */
    /* Guarded by step: the running walk as far as it has come. The state item may lag behind. */
    bool walking;
    uint64_t target;       /* deletes when it began */
    uint64_t cursor_major; /* where it goes on */
    uint64_t cursor_epoch;
    uint64_t unrecorded; /* entries visited since the state item was written */
    unsigned txn_ops;    /* what fitted into one transaction when the store was full; 0: it was not */
    bool unsure;         /* a commit failed that may yet take effect */
    struct ssn_needed_memory needed;
};

struct selsnap {
    uint64_t opened_ns; /* when, by the monotonic clock: groups lock contexts in this order */
    struct ssn_mem mem;
    struct ssn_report report;
    selsnap_device *origin;
    selsnap_device *store_device;
    struct ssn_store *store;
    bool read_only;
    bool origin_locked;
    bool store_locked;
    uint32_t block_bytes;
    uint32_t block_shift;
    uint32_t block_pages; /* pages of a block in the store */
    uint64_t origin_bytes; /* this and the next two change only in resize.c, while nothing else is called */
    uint64_t extent_bytes; /* what the origin had at most: where snapshots may have blocks [F-20] */
    uint64_t block_count;  /* blocks of the extent; the last may be short */
    bool size_unsure;      /* admin: a superblock with another size may be found after a crash */
    uint32_t chunk_blocks; /* blocks handled at once: 1 MiB, but at least a block and at most a run */

    pthread_mutex_t admin;
    struct ssn_catalogue catalogue;
    struct ssn_gate gate;
    struct ssn_claims claims;
    struct ssn_need need;
    struct ssn_buffers buffers; /* each chunk_blocks * block_bytes */
    struct ssn_ahead ahead;
    uint64_t deferred_bytes;       /* of writes that may be kept in memory */
    struct ssn_deferred *deferred; /* NULL: every write preserves before it returns; never changes while in use */
    struct ssn_counters count;
    _Atomic bool abandoned;
    _Atomic bool importing; /* a thread imports, or looks at what an import left */
    _Atomic uint64_t freezes; /* not under admin: a restore that starts holds it while it waits for frozen writers */
    struct ssn_state_record state; /* admin: the state item as last written */
    struct ssn_reclaim_due due;
    pthread_mutex_t step; /* held by the thread that reclaims; only ever tried */
};

static inline uint64_t ssn_block_of(const struct selsnap *ss, uint64_t offset) {
    return offset >> ss->block_shift;
}
static inline uint64_t ssn_offset_of(const struct selsnap *ss, uint64_t block) {
    return block << ss->block_shift;
}
/* Bytes of [offset, offset + len) that the origin has. */
static inline uint64_t ssn_origin_part(const struct selsnap *ss, uint64_t offset, uint64_t len) {
    return offset < ss->origin_bytes ? ssn_min_u64(len, ss->origin_bytes - offset) : 0;
}
/* Bytes of a block that the origin has: fewer than block_bytes for a short last block, none behind its end. */
static inline uint32_t ssn_block_len(const struct selsnap *ss, uint64_t block) {
    return (uint32_t)ssn_origin_part(ss, ssn_offset_of(ss, block), ss->block_bytes);
}

/* ---- origin.c ---- */

/* Gives rc, and tells what failed if that is the device: `what` is "read", "write", ... */
int ssn_origin_failed(struct selsnap *ss, int rc, const char *what, uint64_t offset, uint64_t len);
/* A request that is out of range or not aligned. */
int ssn_origin_refused(struct selsnap *ss, int rc, uint64_t offset, uint64_t len);
/*
 * Reads whole blocks of the extent; what the origin lacks of them is zeros [F-2]. SELSNAP_EIO with the detail told.
 */
int ssn_origin_read_blocks(struct selsnap *ss, uint64_t first_block, uint64_t count, uint8_t *buf);
/* Writes whole blocks to the origin, without the bytes that it lacks. */
int ssn_origin_write_blocks(struct selsnap *ss, uint64_t first_block, uint64_t count, const uint8_t *buf);
/* A transfer of whole blocks to or from `buf`, for the next; zeros for what the origin lacks are filled in here. */
struct ssn_transfer ssn_origin_transfer(struct selsnap *ss, uint64_t first_block, uint64_t count, uint8_t *buf);
int ssn_origin_transfers(struct selsnap *ss, bool write, struct ssn_transfer *transfers, unsigned count);
/* Reads, writes, flushes with the detail told on failure. */
int ssn_origin_read(struct selsnap *ss, void *buf, size_t len, uint64_t offset);
int ssn_origin_flush(struct selsnap *ss);
/* As ssn_device_check(), with the detail told; the device may be longer than the origin. */
static inline int ssn_origin_check(struct selsnap *ss, uint64_t offset, uint64_t len, bool write) {
    int rc = ssn_range_inside(offset, len, ss->origin_bytes) ? ssn_device_check(ss->origin, offset, len, write)
                                                             : SELSNAP_ERANGE;
    return rc == SELSNAP_ERANGE || rc == SELSNAP_EALIGN ? ssn_origin_refused(ss, rc, offset, len) : rc;
}
/* SELSNAP_EABANDONED with the detail told, once the host has abandoned the store. */
int ssn_check_usable(struct selsnap *ss);

static inline void ssn_count(_Atomic uint64_t *counter, uint64_t by) {
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

#endif
