/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lives: designations, the snapshots grouped by them, and unfinished restores, in memory. The store's items are
 * the truth; these lists follow them. Whatever adds to what must be preserved enters the lists before its record is
 * durable; whatever lessens it leaves them only afterwards.
 *
 * `lock` guards everything here but what a member's own comment says. Writers of the lists also hold the context's
 * admin lock, so whoever holds admin may read them without the catalogue's lock. Nothing is waited for while it is
 * held.
 *
 *   snapshot states:   CREATING -> LIVE -> DELETING -> (gone)
 *                      CREATING -> DOOMED (its record's fate is unknown: invisible, counts as live, deleted when the
 * store answers) LIVE is what callers see; every state counts for preserving and reclaim.
 */
#ifndef SSN_CATALOGUE_H
#define SSN_CATALOGUE_H

#include "mem.h"
#include "record.h"
#include "runbits.h"

#include <pthread.h>
#include <stdatomic.h>

struct selsnap;
struct ssn_overlay;
struct ssn_job;

enum ssn_snap_state { SSN_SNAP_CREATING, SSN_SNAP_LIVE, SSN_SNAP_DELETING, SSN_SNAP_DOOMED };
/*
 * A commit about the overlay failed, and it is not known whether it took effect: none, one of a flush, one of a reset,
 * one of a clone as changed (until that is settled, the overlay as it was reads the same in either case).
 */
enum ssn_overlay_doubt {
    SSN_OVERLAY_SURE,
    SSN_OVERLAY_FLUSH_UNSURE,
    SSN_OVERLAY_RESET_UNSURE,
    SSN_OVERLAY_CLONE_UNSURE,
};

struct ssn_group;

struct ssn_snap {
    uint64_t id;                       /* 0: a restore's hidden mark */
    struct ssn_snapshot_record record; /* overlay, holds, kind: admin and lock; the rest never changes */
    struct ssn_group *group;
    enum ssn_snap_state state;
    bool to_bookmark;  /* that is to be one, but its record's fate is unknown: see bookmark.c. Admin and lock */
    uint32_t views;    /* open views */
    uint32_t restores; /* restores that read from it */
    struct ssn_overlay *overlay;          /* what views of it share in memory; NULL: no such view is open */
    enum ssn_overlay_doubt overlay_doubt; /* by who holds the overlay's writer too; layers.c */
};

/* To callers. The write path and reclaim go by record.kind, which follows the store [R1]. Admin or the lock is held. */
static inline bool ssn_snap_is_bookmark(const struct ssn_snap *snap) {
    return snap->record.kind == SSN_SNAPSHOT_MARK || snap->to_bookmark;
}

/* A designation with the snapshots that use it. */
struct ssn_group {
    uint64_t id;
    uint64_t blocks;
    uint64_t ranges;
    bool whole; /* every block of the origin: no lookup needed */
    bool named;
    uint8_t state;             /* enum ssn_designation_state */
    struct ssn_snap **members; /* by point, rising; clones may share one */
    size_t member_count;
    size_t member_capacity;
};

/* An overlay that lies on another. */
struct ssn_layer {
    uint64_t overlay;
    uint64_t parent;
};

struct ssn_catalogue {
    pthread_rwlock_t lock;
    struct ssn_mem *mem;
    struct ssn_snap **snaps; /* by id, rising; hidden ones are not in it */
    size_t snap_count;
    size_t snap_capacity;
    struct ssn_group **groups; /* by id, rising */
    size_t group_count;
    size_t group_capacity;
    struct ssn_group **newest; /* groups with members, by their newest point, falling */
    size_t newest_count;
    size_t newest_capacity;
    struct ssn_layer *layers; /* by overlay, rising; layers.h */
    size_t layer_count;
    size_t layer_capacity;
    struct ssn_job **jobs; /* unfinished restores, by id, rising */
    size_t job_count;
    size_t job_capacity;
    _Atomic uint64_t active_jobs;   /* job_count, readable without the lock */
    _Atomic uint64_t starting_jobs; /* of these, STARTING or UNSURE */
    _Atomic size_t doomed;          /* snapshots whose record's fate is unknown: DOOMED, or to_bookmark */
    _Atomic uint64_t additions;     /* snapshots and hidden marks ever added; changed with the lock held */
};

int ssn_catalogue_init(struct ssn_catalogue *catalogue, struct ssn_mem *mem);
void ssn_catalogue_fini(struct ssn_catalogue *catalogue);
/* Reads designations, snapshots and jobs from the store. Damage in an item is SELSNAP_EDAMAGED. */
int ssn_catalogue_load(struct selsnap *ss);

static inline void ssn_catalogue_read_lock(struct ssn_catalogue *catalogue) {
    pthread_rwlock_rdlock(&catalogue->lock);
}
static inline void ssn_catalogue_write_lock(struct ssn_catalogue *catalogue) {
    pthread_rwlock_wrlock(&catalogue->lock);
}
static inline void ssn_catalogue_unlock(struct ssn_catalogue *catalogue) {
    pthread_rwlock_unlock(&catalogue->lock);
}

/* ---- with the lock held, or admin ---- */

struct ssn_snap *ssn_catalogue_find(const struct ssn_catalogue *catalogue, uint64_t id);
/* The first whose id is above after_id, in any state. */
struct ssn_snap *ssn_catalogue_next(const struct ssn_catalogue *catalogue, uint64_t after_id);
struct ssn_group *ssn_catalogue_find_group(const struct ssn_catalogue *catalogue, uint64_t id);
struct ssn_group *ssn_catalogue_next_group(const struct ssn_catalogue *catalogue, uint64_t after_id);

/* ---- changing the lists: admin is held, the lock is taken inside ---- */

/*
 * Whether there may be so many snapshots and designations more. The lists may take three sixteenths of the memory
 * limit; the rest is for what open.c shares out, and for transactions and checkpoints: without it, no block could be
 * preserved any more, and no snapshot deleted.
 */
bool ssn_catalogue_fits(const struct ssn_catalogue *catalogue, size_t snaps, size_t groups);
/* SELSNAP_ENOMEM: nothing changed. */
int ssn_catalogue_add_group(struct ssn_catalogue *catalogue, const struct ssn_designation_record *record, uint64_t id,
                            uint64_t origin_blocks, struct ssn_group **ret_group);
void ssn_catalogue_remove_group(struct ssn_catalogue *catalogue, struct ssn_group *group);
/* id 0 for a hidden mark. Room must have been made by ssn_catalogue_reserve, so that it cannot fail. */
void ssn_catalogue_add(struct ssn_catalogue *catalogue, struct ssn_snap *snap, struct ssn_group *group);
int ssn_catalogue_reserve(struct ssn_catalogue *catalogue, struct ssn_group *group);
/* Takes the snapshot from the lists and frees it. */
void ssn_catalogue_remove(struct ssn_catalogue *catalogue, struct ssn_snap *snap);

/* ---- what the write path and reclaim ask; the lock is taken inside ---- */

/* One group as it stood, copied out. */
struct ssn_group_view {
    uint64_t id;
    uint64_t newest; /* its newest point */
    uint64_t point;  /* its newest point below the cap that was asked for; 0: none */
    bool whole;
};

/*
 * The group with the greatest newest point below `below`. false: no more. To visit all: begin with UINT64_MAX, go on
 * with ret_view->newest. A group that gets a newer snapshot meanwhile may be left out, with all that it had before: so
 * whoever relies on the visit looks whether `additions` has changed over it, and then begins again.
 */
bool ssn_catalogue_next_newest(struct ssn_catalogue *catalogue, uint64_t below, uint64_t cap,
                               struct ssn_group_view *ret_view);

/* Who of a group's members has a point in (above, upto]. */
struct ssn_sharers {
    bool any;
    bool data;    /* one of them keeps data */
    bool refuses; /* one of those that keep data says: fail the write */
};
void ssn_catalogue_sharers(struct ssn_catalogue *catalogue, uint64_t group_id, uint64_t above, uint64_t upto,
                           struct ssn_sharers *ret_sharers);

#endif
