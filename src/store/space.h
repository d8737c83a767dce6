/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Free space in memory (docs/format.md, [F-12]): what the tree's space items call free, less what is not to be had.
 *
 * - busy: in a space item of `root`, but taken: by the last ledger, by transactions since, by leases, by the window, by
 *   a checkpoint under way. Kept exactly: a page enters when it is handed out, and leaves when the tree no longer calls
 *   it free, or when it is handed back.
 * - limbo: free, but a read section that began before it was given may still read it. Disjoint from busy.
 * - spare: pages that the last ledger gives. In no space item yet; only metadata may have them, once their readers are
 *   gone, when nothing else is left: so checkpoints of a full store live on each other's pages.
 * - leases: handed out for data, and in no transaction yet. They tell a late or repeated untake from a right one.
 *
 * Data is taken from a cursor upwards, through a window of free pages claimed at once; metadata from the end downwards.
 * `lock` guards everything but the leases, and is held while space items are read: as long as it is, no page of `root`
 * can be used again, so no read section is needed (one here would keep limbo from passing). lease_lock guards the
 * leases, and is never held during I/O. lock is taken before lease_lock.
 */
#ifndef SSN_SPACE_H
#define SSN_SPACE_H

#include "readers.h"
#include "runs.h"
#include "tree.h"

#include <pthread.h>

struct ssn_lease {
    uint64_t place;
    uint64_t pages;
    uint64_t failures; /* flushes that had failed when it was handed out */
};

struct ssn_space {
    struct ssn_mem *mem;
    struct ssn_report *report;
    struct ssn_pages *tree;
    struct ssn_readers *readers;
    uint64_t area; /* first place of the area */

    pthread_mutex_t lock;
    uint64_t store_pages; /* changes at a switch: whoever runs the checkpoint may read it without the lock */
    struct ssn_root root;
    uint64_t free_pages; /* sum of root's space items */
    struct ssn_runs busy;
    struct ssn_runs limbo;      /* waits for limbo_mark */
    struct ssn_runs limbo_next; /* waits for limbo to go */
    uint64_t limbo_mark;
    struct ssn_runs ledger_taken; /* the last ledger's, whole */
    struct ssn_runs ledger_given;
    struct ssn_runs spare; /* of ledger_given: what no checkpoint under way has taken */
    uint64_t spare_mark;
    struct ssn_run window; /* in busy, free for data */
    uint64_t cursor;       /* where data goes on */
    uint64_t meta_cursor;  /* metadata: below this */
    uint64_t no_unit;      /* no free run of so many pages was found since something last became free */
    unsigned told;         /* the last SELSNAP_EVENT_STORE_FILLING */

    uint64_t quota_pages;    /* that may be in use; 0: all */
    _Atomic uint64_t beyond; /* pages of the store that lie above its quota; written with lock held */

    pthread_mutex_t lease_lock;
    struct ssn_lease *leases; /* by place, apart */
    size_t lease_count;
    size_t lease_capacity;

    _Atomic uint64_t room;    /* pages that metadata could have, limbo and spare included */
    _Atomic uint64_t waiting; /* of these, in limbo and spare */
};

int ssn_space_init(struct ssn_space *space, struct ssn_mem *mem, struct ssn_report *report, struct ssn_pages *tree,
                   struct ssn_readers *readers, uint64_t area, uint64_t store_pages);
void ssn_space_fini(struct ssn_space *space);
/* After an open: root and its sum; ledger_taken, ledger_given are filled before. `taken`: of the replayed journal. */
int ssn_space_load(struct ssn_space *space, const struct ssn_root *root, uint64_t free_pages,
                   const struct ssn_runs *taken);

/* For data, as ssn_store_take(); `keep` pages of room stay. `failures` goes into the lease. ret_percent: 0, or the
 * filling event to tell. */
int ssn_space_take(struct ssn_space *space, uint64_t wanted, uint64_t unit, uint64_t keep, uint64_t failures,
                   struct ssn_run *ret_run, unsigned *ret_percent);
void ssn_space_untake(struct ssn_space *space, uint64_t place, uint64_t pages);
/* A transaction takes the run over from the leases. ret_failures: of the oldest lease. SELSNAP_ENOMEM: nothing changed.
 */
int ssn_space_claim(struct ssn_space *space, uint64_t place, uint64_t pages, uint64_t *ret_failures);

/* ---- space_meta.c: for the one checkpoint that runs ---- */

void ssn_space_begin_meta(struct ssn_space *space);
/* Up to `wanted` free pages; whole: exactly so many in a row. SELSNAP_ENOSPACE: there are none. */
int ssn_space_take_meta(struct ssn_space *space, uint64_t wanted, bool whole, struct ssn_run *ret_run);
/* Gives back one page of the run taken last. */
void ssn_space_untake_meta(struct ssn_space *space, uint64_t place);
/* Gives back all that a failed checkpoint took. */
void ssn_space_undo_meta(struct ssn_space *space, const struct ssn_runs *taken);
/* Room for ssn_space_switch(). */
bool ssn_space_prepare_switch(struct ssn_space *space, const struct ssn_runs *folded, const struct ssn_runs *freed,
                              const struct ssn_runs *given);
/* The store has more pages; they become free with the switch that follows. */
void ssn_space_grow(struct ssn_space *space, uint64_t store_pages);
/* The pages of the store that may be in use, whatever size it has; 0: all. */
void ssn_space_set_quota(struct ssn_space *space, uint64_t pages);
/*
 * A checkpoint is durable: `folded` is no longer in space items, `freed` has come into them. taken and given are the
 * new ledger's, and move in.
 */
void ssn_space_switch(struct ssn_space *space, const struct ssn_root *root, uint64_t free_pages,
                      const struct ssn_runs *folded, const struct ssn_runs *freed, struct ssn_runs *taken,
                      struct ssn_runs *given);
/* Lets go of what waits for readers that are gone. */
void ssn_space_poll(struct ssn_space *space);

/* ---- between space.c and space_meta.c; lock held ---- */

void ssn_space_poll_locked(struct ssn_space *space);
/* Keeps the figures that others read without the lock. */
void ssn_space_tell_room(struct ssn_space *space);
/* What is left of the window is free again. */
int ssn_space_drop_window(struct ssn_space *space);
/* The last free run that lies below `to`, cut there. SELSNAP_ENOENT: none. */
int ssn_space_last_free(const struct ssn_space *space, uint64_t to, struct ssn_run *ret_run);
/* false: no memory, and `to` is empty. */
bool ssn_space_copy_runs(struct ssn_runs *to, const struct ssn_runs *from);

/* ---- space_fold.c ---- */

struct ssn_space_change {
    uint64_t place;
    uint64_t pages; /* 0: there is no item here any more */
};

struct ssn_space_fold {
    struct ssn_space_change *changes; /* by place */
    size_t count;
    size_t capacity;
    int64_t delta; /* free pages more or fewer */
    /* Pages of space items that could not be used. What they called free is free no more: they must not come back. */
    struct ssn_lost *lost;
    size_t lost_count;
    size_t lost_capacity;
};

/*
 * The changes of space items that make the pages of `freed` free and those of `used` not, keeping items maximal. The
 * two sets are disjoint. Items that damage keeps from view count as not there. SELSNAP_EDAMAGED: the items make no
 * sense, or none can be read.
 */
int ssn_space_fold(const struct ssn_space *space, const struct ssn_root *root, const struct ssn_runs *freed,
                   const struct ssn_runs *used, struct ssn_space_fold *ret_fold);
void ssn_space_fold_fini(const struct ssn_space *space, struct ssn_space_fold *fold);
/*
 * The first item that begins at or after `place`; last: the last that begins at or before it. SELSNAP_ENOENT. Damage is
 * passed by.
 */
int ssn_space_item(const struct ssn_space *space, const struct ssn_root *root, uint64_t place, bool last,
                   struct ssn_run *ret_run);

#endif
