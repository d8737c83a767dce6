/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restores. A job has a point of its own, acts as a hidden mark of its blocks at that point, and holds its source.
 *
 *   STARTING: its point is taken, its record is not durable: writers of its blocks wait, everybody reads the device
 *   UNSURE:   the commit of its record failed, so its fate is unknown: a write to blocks it would restore deletes its
 *             record first, and fails until the store answers
 *   RUNNING:  a block it has to copy reads from the source until copied, for the origin and for snapshots younger than it
 *   ENDING:   all is copied; its end is being recorded
 *   ENDED:    it is in no list any more, and no longer holds its source: what it says of blocks may be wrong
 *
 * Blocks to copy: those of its designation with an entry in [source point, job point), not lost, not done. A block is
 * done in memory when it is copied, durably only after a later flush of the origin. A flush that fails may have made the
 * origin forget what was copied: then all that is not recorded is not done, and is copied again.
 */
#ifndef SSN_RESTORE_H
#define SSN_RESTORE_H

#include "context.h"
#include "map.h"
#include "resolve.h"

enum ssn_job_state { SSN_JOB_STARTING, SSN_JOB_UNSURE, SSN_JOB_RUNNING, SSN_JOB_ENDING, SSN_JOB_ENDED };

struct ssn_job {
    uint64_t id;
    struct ssn_job_record record; /* cursor: as last recorded; record_lock */
    struct ssn_snap *source;      /* these three: while the job is listed, with admin held */
    struct ssn_snap *hidden;
    struct ssn_group *group;
    /* What the others ask of source and group. Whoever holds the job may still do so when it has ended, and these two
     * have been deleted since. */
    uint64_t source_point;
    uint64_t group_blocks;
    bool group_whole;
    _Atomic int state; /* enum ssn_job_state */
    pthread_mutex_t record_lock;
    bool ended; /* record_lock: its item is deleted; nothing of it may be recorded any more */
    pthread_mutex_t lock;
    uint64_t cursor;            /* lock: every block below it is done */
    uint64_t rollbacks;         /* lock: so often what is not recorded was taken for not done again */
    struct ssn_map *done;       /* lock: key minor = run, value = 32 bytes of bits: done above the cursor; then 32 of
                                   those that are recorded */
    struct ssn_map *unrecorded; /* lock: runs with bits not yet durable */
    bool all_unrecorded;        /* lock: nothing is known of what is durable; every run counts */
    uint64_t restored;          /* lock */
    uint64_t damaged;           /* lock: blocks that could not be restored since the open */
    uint64_t since_record;      /* lock: bytes copied since progress was recorded */
    bool stepping;              /* lock: a thread advances it */
    bool paused;                /* lock */
    _Atomic uint32_t users;     /* the list, and threads that hold the pointer: the last one frees it */
};

/*
 * Which of the blocks [first, first + count) of a run some running restore still has to copy. Fast when none runs.
 * ret_points (may be NULL): per block, the job's point; ret_sources: per block, what it reads from. Those hold while the
 * caller's read section lasts, though the restore may end, and its source be deleted: to ask the index again would be
 * wrong then, because an entry of a younger snapshot may answer.
 */
int ssn_restore_remaining(struct selsnap *ss, uint64_t run, unsigned first, unsigned count,
                          struct ssn_runbits *ret_bits, uint64_t *ret_points, struct ssn_source *ret_sources);

/*
 * Whether a restore of some of the blocks is starting, or unsure: the writer must let go of its claim, and wait. Look
 * after taking the need version: a restore that starts later changes it.
 */
int ssn_restore_is_starting(struct selsnap *ss, uint64_t first_block, uint64_t count, bool *ret_starting);
/* For a writer outside the gate, without a claim: until no restore is starting or unsure. SELSNAP_ESTORE and others: one
 * is unsure still, as the store does not answer. */
int ssn_restore_wait_started(struct selsnap *ss);

/* Copies back every remaining block of the range; the caller has claimed it and is outside the gate. */
int ssn_restore_copy_back(struct selsnap *ss, uint64_t first_block, uint64_t count);

/* Flushes the origin, and records what restores had copied before. For flush, create, and steps. */
int ssn_restore_flush_origin(struct selsnap *ss);

int ssn_restore_start(struct selsnap *ss, const selsnap_restore_options *options, uint64_t *ret_job);
/* Advances one job by about `budget` blocks. *ret_ended: it has ended. SELSNAP_EBUSY: another thread advances it. */
int ssn_restore_step(struct selsnap *ss, uint64_t job_id, uint64_t budget, uint64_t *ret_visited, bool *ret_ended);
int ssn_restore_info(struct selsnap *ss, uint64_t after_job, selsnap_restore_info *ret_info);
int ssn_restore_pause(struct selsnap *ss, uint64_t job_id, bool paused);
/* admin is held: a job found in the store at open. */
int ssn_restore_load(struct selsnap *ss, uint64_t job_id, const struct ssn_job_record *record);
/* At close: frees every job in memory; in the store they go on. */
void ssn_restore_fini(struct selsnap *ss);
/* admin is held: removes restores that are unsure, if the store answers. */
int ssn_restore_settle(struct selsnap *ss);

/* ---- between the files of the restore: restore_job.c, restore_copy.c, restore_record.c, restore.c ---- */

/* A job that is in no list yet, with its hidden mark. NULL: no memory. */
struct ssn_job *ssn_job_make(struct selsnap *ss, struct ssn_snap *source, struct ssn_group *group);
/* Frees a job that is in no list, without its hidden mark. */
void ssn_job_free(struct selsnap *ss, struct ssn_job *job);
/* admin is held. Room for the job and its hidden mark in the lists. */
int ssn_job_reserve(struct selsnap *ss, struct ssn_group *group);
/* admin is held: into the list; ids rise, so to its end. Out of it, with the hidden mark if that was added. */
void ssn_job_list(struct selsnap *ss, struct ssn_job *job);
void ssn_job_unlist(struct selsnap *ss, struct ssn_job *job, bool with_hidden);
/* The first job whose id is above after_id, with one more user; NULL: none. */
struct ssn_job *ssn_job_next(struct selsnap *ss, uint64_t after_id);
struct ssn_job *ssn_job_find(struct selsnap *ss, uint64_t id);
void ssn_job_release(struct selsnap *ss, struct ssn_job *job);
/* Has the runs of a record that was read or written: value is 32 bytes. job->lock is held, or nobody has the job. */
int ssn_job_set_recorded(struct ssn_job *job, const struct ssn_key *key, const uint8_t *value);
/* Of the blocks, those the job still has to copy, with their sources. */
int ssn_job_remaining(struct selsnap *ss, struct ssn_job *job, uint64_t run, unsigned first, unsigned count,
                      struct ssn_runbits *ret_bits, struct ssn_source *ret_sources);
/*
 * Copies back the remaining blocks of a part of a run that the caller has claimed. *ret_copied counts them. in_turn:
 * the caller moves the cursor past the part before it lets go of the claim (unless job->rollbacks has changed), so
 * nothing else has to remember them: what is remembered so takes memory for as long as the restore runs.
 */
int ssn_job_copy_back(struct selsnap *ss, struct ssn_job *job, uint64_t run, unsigned first, unsigned count,
                      bool in_turn, uint64_t *ret_copied);
void ssn_job_put_record(struct ssn_txn *txn, const struct ssn_job *job, uint64_t cursor);

#endif
