/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was written into a snapshot: shared by its open views that are not pristine, and dropped with the last of them.
 *
 * A written block is pending (its data is in the store, its record in memory) until a flush commits the record. The
 * pending one counts above the committed one, so a block moves from one to the other without a moment in which it reads
 * as neither: it stays pending until its record can be seen in the index.
 */
#ifndef SSN_OVERLAY_H
#define SSN_OVERLAY_H

#include "map.h"
#include "resolve.h"
#include "view.h"

enum { SSN_OVERLAY_PENDING_MAX = 8192 }; /* blocks; then writers flush by themselves */

struct ssn_overlay {
    pthread_mutex_t writer;  /* one writer, flush or reset at a time; held across store I/O */
    pthread_rwlock_t lock;   /* memory only; who changes `pending` holds writer too */
    struct ssn_map *pending; /* lock: minor = block, value = 24 bytes as in docs/format.md 6.4; kind 0: none */
    uint64_t pending_blocks; /* lock: those that are */
    uint64_t flush_failures; /* writer: ssn_store_flush_failures when none of their data had been written yet */
    _Atomic uint64_t resets; /* changed with writer held; odd: a reset runs, and what it drops may be half gone */
    uint64_t data_blocks;    /* writer: blocks of data in it, pending or flushed; if counted (quotas.h) */
    bool counted;            /* writer */
    unsigned told;           /* writer: the last SELSNAP_EVENT_QUOTA; 0: none, or it was less since */
    uint32_t users;          /* admin and catalogue->lock */
};

/* admin is held: one user more of the snapshot's overlay, which is made when there is none. */
int ssn_overlay_join(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay **ret_overlay);
/* One user less; with the last one, what is still pending is lost, and its space given back. A view still counts. */
void ssn_overlay_leave_locked(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay);
/* The same where admin is not held. */
void ssn_overlay_leave(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay);

/*
 * Looking. `sources` are those of blocks [first, first + count) of a run, indexed from 0 on; those of kind NONE are
 * filled where something is found.
 */

/* What is pending, and, of the same instant, the id under which the rest is in the index; 0: nothing is there. */
void ssn_overlay_look_pending(struct selsnap *ss, struct ssn_overlay *overlay, const struct ssn_snap *snap,
                              uint64_t run, unsigned first, unsigned count, struct ssn_source *sources,
                              uint64_t *ret_id);
/* What is in the index, in the overlay of that id or in one it lies on. */
int ssn_overlay_look_index(struct selsnap *ss, uint64_t id, uint64_t run, unsigned first, unsigned count,
                           struct ssn_source *sources);
/* The same in the overlay of that id alone. */
int ssn_overlay_look_one(struct selsnap *ss, uint64_t id, uint64_t run, unsigned first, unsigned count,
                         struct ssn_source *sources);
/* The first block >= from that is pending; UINT64_MAX: none. */
uint64_t ssn_overlay_next_pending(struct ssn_overlay *overlay, uint64_t from);
/* admin is held: something written into the snapshot is pending. */
bool ssn_overlay_any_pending(const struct ssn_snap *snap);
/* admin is held: or a commit is in doubt. */
bool ssn_overlay_unflushed(struct selsnap *ss, const struct ssn_snap *snap);
/* The first block >= from that is in the index under that id, with its record; UINT64_MAX: none. */
int ssn_overlay_seek(struct selsnap *ss, uint64_t id, uint64_t from, uint64_t *ret_block,
                     struct ssn_overlay_record *ret_record);
/* Under which id reads find what was flushed; 0: nothing was. */
uint64_t ssn_overlay_id(struct selsnap *ss, const struct ssn_snap *snap);

/* Below: writer is held. */

/* The first pending block >= from with its record; false: none. */
bool ssn_overlay_pending_at(const struct ssn_overlay *overlay, uint64_t from, uint64_t *ret_block,
                            struct ssn_overlay_record *ret_record);
/* Makes records pending for blocks from first_block on, and untakes the places that were pending there. SELSNAP_ENOMEM:
 * the first *ret_done are. */
int ssn_overlay_put(struct selsnap *ss, struct ssn_overlay *overlay, uint64_t first_block, unsigned count,
                    const struct ssn_overlay_record *records, unsigned *ret_done);
/* Nothing of first .. last is pending any more; places are left alone. */
void ssn_overlay_forget(struct selsnap *ss, struct ssn_overlay *overlay, uint64_t first, uint64_t last);
/* Nothing is pending or flushed any more, in one instant for whoever looks. admin is held. `empty` becomes the
 * overlay's map; gives the old one, to close. doubt: whether the store has it so. */
struct ssn_map *ssn_overlay_clear(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay,
                                  struct ssn_map *empty, enum ssn_overlay_doubt doubt);

/* admin is held: finds out what became of a commit in doubt. SELSNAP_ESTORE: not yet. */
int ssn_overlay_settle(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay);

/* Below: neither admin nor writer is held. */

/* Takes writer, with no commit in doubt. SELSNAP_ESTORE: one still is, and nothing is held. */
int ssn_overlay_lock_writer(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay);
/* Commits all that is pending. */
int ssn_overlay_flush(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay);
/* The same where both are held. */
int ssn_overlay_flush_held(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay);

/*
 * For a read of several looks: what a reset lets go of is dropped overlay by overlay, and a read beside it could find
 * what lies under what is gone. So a read begins with ssn_overlay_begin_read, which waits for a reset that runs, and is
 * done again when ssn_overlay_was_reset since.
 */
uint64_t ssn_overlay_begin_read(struct ssn_overlay *overlay);
bool ssn_overlay_was_reset(struct ssn_overlay *overlay, uint64_t began);

/* Reads whole blocks of a run as the view has them, which all designate what `cover` says. Holds no lock. */
int ssn_view_read_blocks(struct selsnap_view *view, uint64_t run, unsigned first, unsigned count,
                         const struct ssn_runbits *cover, uint8_t *buf);

#endif
