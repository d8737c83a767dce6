/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a restore: starting, advancing, ending (restore.h). Jobs in memory are in restore_job.c, copying in
 * restore_copy.c, progress in restore_record.c.
 */
#include "restore.h"

#include "deferred.h"
#include "designation.h"
#include "reclaim.h"
#include "resize.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static const uint64_t RECORD_EVERY = UINT64_C(64) << 20; /* bytes copied between records, each of which costs a flush */

/* ---- what writers ask ---- */

int ssn_restore_is_starting(struct selsnap *ss, uint64_t first_block, uint64_t count, bool *ret_starting) {
    *ret_starting = false;
    if (atomic_load(&ss->catalogue.starting_jobs) == 0) {
        return SELSNAP_OK;
    }
    int rc = SELSNAP_OK;
    uint64_t run = first_block / SSN_RUN_BLOCKS;
    unsigned first = (unsigned)(first_block % SSN_RUN_BLOCKS);
    for (struct ssn_job *job = ssn_job_next(ss, 0); job != NULL && rc == SELSNAP_OK;) {
        int state = atomic_load(&job->state);
        struct ssn_runbits bits = ssn_runbits_none();
        if (state == SSN_JOB_STARTING) {
            rc = ssn_designation_cover(ss, job->record.designation, job->group_whole, run, first, (unsigned)count,
                                       &bits);
            *ret_starting = *ret_starting || ssn_runbits_any(&bits);
        } else if (state == SSN_JOB_UNSURE) {
            struct ssn_source sources[SSN_RUN_BLOCKS];
            rc = ssn_job_remaining(ss, job, run, first, (unsigned)count, &bits, sources);
            *ret_starting = *ret_starting || ssn_runbits_any(&bits);
        }
        uint64_t id = job->id;
        ssn_job_release(ss, job);
        job = rc == SELSNAP_OK ? ssn_job_next(ss, id) : NULL;
    }
    return rc;
}

int ssn_restore_wait_started(struct selsnap *ss) {
    pthread_mutex_lock(&ss->admin); /* held by whoever starts one, until it is decided */
    int rc = ssn_restore_settle(ss);
    pthread_mutex_unlock(&ss->admin);
    if (rc != SELSNAP_OK) {
        ssn_log(&ss->report, SELSNAP_LOG_WARNING,
                "a restore that failed to start may still take effect; a write to its blocks is refused");
    }
    return rc;
}

/* ---- starting ---- */

/* admin is held: the designation of what is to be restored. *ret_made: it was made for this. */
static int choose_group(struct selsnap *ss, const struct ssn_snap *source, const selsnap_subset *subset,
                        struct ssn_group **ret_group) {
    if (subset == NULL) {
        *ret_group = source->group;
        return SELSNAP_OK;
    }
    selsnap_subset *both;
    int rc = ssn_designation_to_subset(ss, source->group, subset->device_bytes, &both);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    rc = ssn_subset_same_sizes(both, subset) ? ssn_subset_intersect(both, subset) : SELSNAP_EINVAL;
    if (rc != SELSNAP_OK) {
        rc = ssn_fail(&ss->report, rc, "the subset was made for a device or block size other than this one's");
    } else if (both->range_count == 0) {
        rc = ssn_fail(&ss->report, SELSNAP_EINVAL,
                      "nothing to restore: the ranges and the snapshot have no block in common");
    } else if (ssn_subset_block_count(both) == source->group->blocks) {
        *ret_group = source->group;
    } else {
        rc = ssn_designation_save(ss, NULL, both, ret_group);
    }
    ssn_subset_close(both);
    return rc;
}

/* Of a snapshot that is longer than the origin: what lies behind the end. */
static int refuse_behind(struct selsnap *ss, const struct ssn_snap *source, const struct ssn_group *group) {
    uint64_t bytes;
    bool behind = false;
    int rc = ssn_snapshot_size(ss, source->id, &bytes);
    if (rc == SELSNAP_OK && bytes > ss->origin_bytes) {
        rc = ssn_designation_reaches(ss, group, ssn_block_of(ss, ss->origin_bytes), &behind);
    }
    if (behind) {
        rc = ssn_fail(&ss->report, SELSNAP_ETOOSMALL,
                      "snapshot %" PRIu64 " has %" PRIu64 " bytes and the origin %" PRIu64
                      ": make it longer first, or restore only blocks that it has",
                      source->id, bytes, ss->origin_bytes);
    }
    return rc;
}

static int refuse_overlap(struct selsnap *ss, const struct ssn_group *group) {
    for (size_t i = 0; i < ss->catalogue.job_count; i++) {
        bool meet;
        int rc = ssn_designation_meet(ss, ss->catalogue.jobs[i]->group, group, &meet);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        if (meet) {
            return ssn_fail(&ss->report, SELSNAP_EBUSY, "restore %" PRIu64 " is not finished and has blocks in common",
                            ss->catalogue.jobs[i]->id);
        }
    }
    return SELSNAP_OK;
}

/* Looks for blocks that the source has lost, if there can be any. */
static int refuse_lost(struct selsnap *ss, const struct ssn_snap *source, const struct ssn_group *group) {
    struct ssn_item item;
    struct ssn_key key = ssn_key_make(SSN_ITEM_STATE, 1, 0);
    int rc = ssn_store_get(ss->store, &key, &item);
    if (rc != SELSNAP_OK) {
        return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
    }
    key = ssn_key_make(SSN_ITEM_ENTRY, 0, 0);
    while ((rc = ssn_store_seek(ss->store, &key, &item)) == SELSNAP_OK && item.key.type == SSN_ITEM_ENTRY) {
        uint64_t run = ssn_entry_run(item.key.major);
        struct ssn_runbits cover;
        struct ssn_source sources[SSN_RUN_BLOCKS];
        rc = ssn_designation_cover(ss, group->id, group->whole, run, 0, SSN_RUN_BLOCKS, &cover);
        if (rc == SELSNAP_OK) {
            rc = ssn_resolve_at(ss, run, 0, SSN_RUN_BLOCKS, source->record.point, UINT64_MAX, sources);
        }
        if (rc != SELSNAP_OK) {
            return rc;
        }
        for (unsigned i = 0; i < SSN_RUN_BLOCKS; i++) {
            if (ssn_runbits_get(&cover, i) && ssn_entry_is_lost(sources[i].kind)) {
                return ssn_fail(&ss->report, SELSNAP_ELOST,
                                "the snapshot has lost block %" PRIu64
                                " (and perhaps others) in the range to restore; ask to skip lost blocks to go on",
                                run * SSN_RUN_BLOCKS + i);
            }
        }
        key = ssn_key_make(SSN_ITEM_ENTRY, ssn_entry_major(run + 1, 0, 0), 0);
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

static int commit_job(struct selsnap *ss, const struct ssn_job *job) {
    struct ssn_txn txn;
    ssn_txn_init(&txn, ss->store);
    ssn_job_put_record(&txn, job, 0);
    int rc = ssn_store_commit(ss->store, &txn, true);
    ssn_txn_fini(&txn);
    return rc;
}

/* admin is held. From the job's point to the fate of its record. */
static int begin_job(struct selsnap *ss, struct ssn_job *job) {
    job->id = ssn_store_take_id(ss->store);
    atomic_fetch_add(&ss->catalogue.starting_jobs, 1);
    ssn_job_list(ss, job);
    ssn_gate_close(&ss->gate);
    job->record.point = ssn_store_take_epoch(ss->store);
    job->hidden->record.point = job->record.point;
    ssn_catalogue_add(&ss->catalogue, job->hidden, job->group);
    ssn_need_raise(&ss->need, job->record.point);
    ssn_gate_open(&ss->gate);
    /* What began before the point is published first: pending writes, and preserves under way. */
    int rc = ssn_deferred_drain(ss);
    bool drained = rc == SELSNAP_OK;
    if (drained) {
        ssn_claims_drain(&ss->claims);
        rc = commit_job(ss, job);
    }
    if (drained && rc == SELSNAP_ESTORE) {
        atomic_store(&job->state, SSN_JOB_UNSURE);
        return rc;
    }
    if (rc == SELSNAP_OK) {
        atomic_store(&job->state, SSN_JOB_RUNNING);
    } else {
        ssn_job_unlist(ss, job, true); /* still STARTING: nobody may copy back for what does not come to be */
    }
    atomic_fetch_sub(&ss->catalogue.starting_jobs, 1);
    return rc;
}

/* admin is held. */
static int start_locked(struct selsnap *ss, const selsnap_restore_options *options, uint64_t *ret_job) {
    int rc = ssn_restore_settle(ss);
    rc = rc == SELSNAP_OK ? ssn_deferred_drain(ss) : rc; /* of what the source loses in it, the host is asked */
    struct ssn_snap *source = ssn_catalogue_find(&ss->catalogue, options->id);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (source == NULL || source->state != SSN_SNAP_LIVE) {
        return ssn_fail(&ss->report, SELSNAP_ENOENT, "no snapshot has id %" PRIu64, options->id);
    }
    if (ssn_snap_is_bookmark(source)) {
        return ssn_fail(&ss->report, SELSNAP_ENODATA, "snapshot %" PRIu64 " is a bookmark, and keeps no data",
                        options->id);
    }
    struct ssn_group *group = NULL;
    rc = choose_group(ss, source, options->subset, &group);
    rc = rc == SELSNAP_OK ? refuse_behind(ss, source, group) : rc;
    rc = rc == SELSNAP_OK ? refuse_overlap(ss, group) : rc;
    if (rc == SELSNAP_OK && (options->flags & SELSNAP_RESTORE_SKIP_LOST) == 0) {
        rc = refuse_lost(ss, source, group);
    }
    struct ssn_job *job = NULL;
    if (rc == SELSNAP_OK) {
        job = ssn_job_make(ss, source, group);
        rc = job == NULL ? SELSNAP_ENOMEM : ssn_job_reserve(ss, group);
        if (rc != SELSNAP_OK) {
            if (job != NULL) {
                ssn_free(&ss->mem, job->hidden);
                ssn_job_free(ss, job);
            }
            rc = ssn_fail(&ss->report, rc, "no memory to begin a restore");
        }
    }
    if (rc == SELSNAP_OK) {
        assert(job != NULL);
        rc = begin_job(ss, job);
        if (rc == SELSNAP_OK && ret_job != NULL) {
            *ret_job = job->id;
        }
    }
    if (rc != SELSNAP_OK && group != NULL && group != source->group) {
        ssn_designation_count_due(ss); /* what was saved for this is nobody's, and will be dropped */
    }
    return rc;
}

int ssn_restore_start(struct selsnap *ss, const selsnap_restore_options *options, uint64_t *ret_job) {
    pthread_mutex_lock(&ss->admin);
    int rc = start_locked(ss, options, ret_job);
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

int ssn_restore_load(struct selsnap *ss, uint64_t job_id, const struct ssn_job_record *record) {
    struct ssn_snap *source = ssn_catalogue_find(&ss->catalogue, record->subject);
    struct ssn_group *group = ssn_catalogue_find_group(&ss->catalogue, record->designation);
    if (source == NULL || group == NULL) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED,
                        "restore %" PRIu64 " names a snapshot or designation that does not exist", job_id);
    }
    struct ssn_job *job = ssn_job_make(ss, source, group);
    int rc = job == NULL ? SELSNAP_ENOMEM : ssn_job_reserve(ss, group);
    struct ssn_key key = ssn_key_make(SSN_ITEM_RESTORED, job_id, 0);
    struct ssn_item item;
    while (rc == SELSNAP_OK && (rc = ssn_store_seek(ss->store, &key, &item)) == SELSNAP_OK &&
           item.key.type == SSN_ITEM_RESTORED && item.key.major == job_id) {
        rc = item.len == SSN_RESTORED_BYTES ? ssn_job_set_recorded(job, &item.key, item.value) : SELSNAP_EDAMAGED;
        key = item.key;
        if (!ssn_key_after(&key)) {
            break;
        }
    }
    if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
        if (job != NULL) {
            ssn_free(&ss->mem, job->hidden);
            ssn_job_free(ss, job);
        }
        return ssn_fail(&ss->report, rc,
                        "restore %" PRIu64 " cannot be taken up again: its progress cannot be read (%d)", job_id, rc);
    }
    job->id = job_id;
    job->record = *record;
    job->cursor = record->cursor;
    job->hidden->record.point = record->point;
    atomic_store(&job->state, SSN_JOB_RUNNING);
    ssn_job_list(ss, job);
    ssn_catalogue_add(&ss->catalogue, job->hidden, group);
    return SELSNAP_OK;
}

/* ---- ending ---- */

/* admin is held. Deletes a job's items; the last transaction deletes the job itself, and may drop its designation. */
static int delete_items(struct selsnap *ss, struct ssn_job *job) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_RESTORED, job->id, 0);
    struct ssn_item item;
    bool more = true;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && more) {
        struct ssn_txn txn;
        ssn_txn_init(&txn, ss->store);
        while (txn.op_count < 500 && (rc = ssn_store_seek(ss->store, &key, &item)) == SELSNAP_OK &&
               item.key.type == SSN_ITEM_RESTORED && item.key.major == job->id) {
            ssn_txn_delete(&txn, &item.key);
            key = item.key;
            (void)ssn_key_after(&key);
        }
        more = txn.op_count == 500;
        rc = rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
        bool dropped = false;
        if (rc == SELSNAP_OK && !more) {
            struct ssn_key own = ssn_key_make(SSN_ITEM_JOB, job->id, 0);
            ssn_txn_delete(&txn, &own);
            ssn_reclaim_note_delete(ss, &txn);
            dropped = ssn_designation_release(ss, &txn, job->group, job->hidden);
        }
        if (rc == SELSNAP_OK) {
            rc = ssn_store_commit(ss->store, &txn, true);
            if (rc != SELSNAP_OK && !more) {
                ssn_reclaim_note_failed(ss);
            }
            if (rc == SELSNAP_OK && dropped) {
                ssn_designation_dropped(ss, job->group);
            }
        }
        ssn_txn_fini(&txn);
    }
    return rc;
}

/* How far a job is. */
struct turn {
    uint64_t cursor;
    uint64_t rollbacks;
};

static struct turn turn_of(struct ssn_job *job) {
    pthread_mutex_lock(&job->lock);
    const struct turn turn = {job->cursor, job->rollbacks};
    pthread_mutex_unlock(&job->lock);
    return turn;
}

/* Everything is copied. *ret_ended: false after SELSNAP_OK: what was copied before this turn is not done any more. */
static int end_job(struct selsnap *ss, struct ssn_job *job, const struct turn *turn, bool *ret_ended) {
    atomic_store(&job->state, SSN_JOB_ENDING);
    int rc = ssn_restore_flush_origin(ss);
    if (rc == SELSNAP_OK) {
        pthread_mutex_lock(&ss->admin);
        pthread_mutex_lock(&job->record_lock);
        bool done = turn_of(job).rollbacks == turn->rollbacks;
        rc = done ? delete_items(ss, job) : SELSNAP_OK;
        job->ended = done && rc == SELSNAP_OK;
        *ret_ended = job->ended;
        pthread_mutex_unlock(&job->record_lock);
        if (*ret_ended) {
            uint64_t id = job->id;
            uint64_t source = job->source->id;
            ssn_job_unlist(ss, job, true);
            pthread_mutex_unlock(&ss->admin);
            ssn_event(&ss->report, SELSNAP_EVENT_RESTORE_DONE, id, 0, 0, (int64_t)source);
            return SELSNAP_OK;
        }
        pthread_mutex_unlock(&ss->admin);
    }
    atomic_store(&job->state, SSN_JOB_RUNNING);
    return rc;
}

int ssn_restore_settle(struct selsnap *ss) {
    for (size_t i = 0; i < ss->catalogue.job_count;) {
        struct ssn_job *job = ss->catalogue.jobs[i];
        if (atomic_load(&job->state) != SSN_JOB_UNSURE) {
            i++;
            continue;
        }
        int rc = delete_items(ss, job);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        atomic_fetch_sub(&ss->catalogue.starting_jobs, 1);
        ssn_job_unlist(ss, job, true);
    }
    return SELSNAP_OK;
}

/* ---- advancing ---- */

/* The next part of a run to look at, from the cursor on; parts without any entry are passed. false: the job is through.
 */
static int next_part(struct selsnap *ss, struct ssn_job *job, uint64_t cursor, uint64_t *ret_first,
                     uint64_t *ret_count) {
    for (;;) {
        struct ssn_item item;
        struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, ssn_entry_major(cursor / SSN_RUN_BLOCKS, 0, 0), 0);
        int rc = ssn_store_seek(ss->store, &key, &item);
        if (rc == SELSNAP_OK && item.key.type != SSN_ITEM_ENTRY) {
            rc = SELSNAP_ENOENT;
        }
        if (rc != SELSNAP_OK) {
            return rc;
        }
        uint64_t run = ssn_entry_run(item.key.major);
        cursor = ssn_max_u64(cursor, run * SSN_RUN_BLOCKS);
        struct ssn_block_range range;
        rc = ssn_designation_next_range(ss, job->record.designation, job->group_whole, cursor, &range);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        if (range.first / SSN_RUN_BLOCKS != run) {
            cursor = range.first;
            continue;
        }
        uint64_t end = ssn_min_u64(range.first + range.count, (range.first / ss->chunk_blocks + 1) * ss->chunk_blocks);
        *ret_first = range.first;
        *ret_count = end - range.first;
        return SELSNAP_OK;
    }
}

/* false: the turn does not count any more. */
static bool move_cursor(struct ssn_job *job, const struct turn *turn, uint64_t to) {
    pthread_mutex_lock(&job->lock);
    bool counts = job->rollbacks == turn->rollbacks;
    job->cursor = counts ? to : job->cursor;
    pthread_mutex_unlock(&job->lock);
    return counts;
}

static bool record_due(struct ssn_job *job) {
    pthread_mutex_lock(&job->lock);
    bool due = job->since_record >= RECORD_EVERY;
    pthread_mutex_unlock(&job->lock);
    return due;
}

/* A restore that has ended, but not with everything restored, is no success. */
static int tell_damaged(struct selsnap *ss, struct ssn_job *job) {
    pthread_mutex_lock(&job->lock);
    uint64_t damaged = job->damaged;
    pthread_mutex_unlock(&job->lock);
    if (damaged == 0) {
        return SELSNAP_OK;
    }
    return ssn_fail(&ss->report, SELSNAP_EDAMAGED,
                    "restore %" PRIu64 " has ended, but %" PRIu64
                    " blocks are damaged in the snapshot and keep what the device has; the log names each",
                    job->id, damaged);
}

/* `stepping` is this thread's. */
static int advance(struct selsnap *ss, struct ssn_job *job, uint64_t budget, uint64_t *ret_visited, bool *ret_ended) {
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && *ret_visited < budget) {
        uint64_t first;
        uint64_t count;
        const struct turn turn = turn_of(job);
        rc = next_part(ss, job, turn.cursor, &first, &count);
        if (rc == SELSNAP_ENOENT) {
            rc = move_cursor(job, &turn, ss->block_count) ? end_job(ss, job, &turn, ret_ended) : SELSNAP_OK;
            if (rc != SELSNAP_OK || *ret_ended) {
                return rc == SELSNAP_OK ? tell_damaged(ss, job) : rc;
            }
            continue;
        }
        if (rc != SELSNAP_OK) {
            break;
        }
        struct ssn_claim claim;
        uint64_t copied;
        ssn_claims_take(&ss->claims, &claim, first, count);
        rc = ssn_job_copy_back(ss, job, first / SSN_RUN_BLOCKS, (unsigned)(first % SSN_RUN_BLOCKS), (unsigned)count,
                               true, &copied);
        if (rc == SELSNAP_OK) {
            (void)move_cursor(job, &turn, first + count);
            *ret_visited += copied + 1;
        }
        ssn_claims_release(&ss->claims, &claim);
        if (rc == SELSNAP_OK && record_due(job)) {
            rc = ssn_restore_flush_origin(ss);
        }
    }
    return rc;
}

int ssn_restore_step(struct selsnap *ss, uint64_t job_id, uint64_t budget, uint64_t *ret_visited, bool *ret_ended) {
    *ret_visited = 0;
    *ret_ended = false;
    struct ssn_job *job = ssn_job_find(ss, job_id);
    if (job == NULL) {
        return ssn_fail(&ss->report, SELSNAP_ENOENT, "no unfinished restore has id %" PRIu64, job_id);
    }
    pthread_mutex_lock(&job->lock);
    bool mine = !job->stepping && atomic_load(&job->state) == SSN_JOB_RUNNING;
    job->stepping = job->stepping || mine;
    pthread_mutex_unlock(&job->lock);
    int rc = SELSNAP_EBUSY;
    if (mine) {
        rc = advance(ss, job, budget, ret_visited, ret_ended);
        pthread_mutex_lock(&job->lock);
        job->stepping = false;
        pthread_mutex_unlock(&job->lock);
    }
    ssn_job_release(ss, job);
    return rc;
}

/* ---- telling ---- */

static int blocks_below(struct selsnap *ss, const struct ssn_job *job, uint64_t cursor, uint64_t *ret_blocks) {
    uint64_t from = 0;
    *ret_blocks = 0;
    struct ssn_block_range range;
    int rc;
    while ((rc = ssn_designation_next_range(ss, job->record.designation, job->group_whole, from, &range)) ==
               SELSNAP_OK &&
           range.first < cursor) {
        from = range.first + range.count;
        *ret_blocks += ssn_min_u64(from, cursor) - range.first;
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

int ssn_restore_info(struct selsnap *ss, uint64_t after_job, selsnap_restore_info *ret_info) {
    struct ssn_job *job = ssn_job_next(ss, after_job);
    while (job != NULL && atomic_load(&job->state) < SSN_JOB_RUNNING) {
        uint64_t id = job->id;
        ssn_job_release(ss, job);
        job = ssn_job_next(ss, id);
    }
    if (job == NULL) {
        return SELSNAP_ENOENT;
    }
    pthread_mutex_lock(&job->lock);
    uint64_t cursor = job->cursor;
    ret_info->paused = job->paused;
    ret_info->blocks_restored = job->restored;
    pthread_mutex_unlock(&job->lock);
    ret_info->job = job->id;
    ret_info->snapshot_id = job->record.subject;
    ret_info->point = job->record.point;
    ret_info->blocks_total = job->group_blocks;
    int rc = blocks_below(ss, job, cursor, &ret_info->blocks_done);
    ssn_job_release(ss, job);
    return rc;
}

int ssn_restore_pause(struct selsnap *ss, uint64_t job_id, bool paused) {
    struct ssn_job *job = ssn_job_find(ss, job_id);
    if (job == NULL) {
        return ssn_fail(&ss->report, SELSNAP_ENOENT, "no unfinished restore has id %" PRIu64, job_id);
    }
    pthread_mutex_lock(&job->lock);
    job->paused = paused;
    pthread_mutex_unlock(&job->lock);
    ssn_job_release(ss, job);
    return SELSNAP_OK;
}
