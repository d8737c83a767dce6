/* SPDX-License-Identifier: Apache-2.0 */
/* See step.h. Work is done in slices, between which the progress callback is asked. */
#include "step.h"

#include "deferred.h"
#include "reclaim.h"
#include "restore.h"
#include "snapshot.h"

enum { SLICE = 256, BUDGET = 4096, CHECKPOINT_PRESSURE = 50 };

struct step {
    struct selsnap *ss;
    const selsnap_step_options *options;
    uint64_t budget;
    uint64_t done;
};

static uint64_t slice_of(const struct step *step) {
    return ssn_min_u64(SLICE, step->budget - step->done);
}

static int tell(const struct step *step) {
    selsnap_progress_fn progress = step->options->progress;
    uint64_t done = ssn_min_u64(step->done, step->budget); /* a slice is not cut within a run of blocks */
    bool stop = progress != NULL && progress(step->options->progress_user, done, step->budget) != 0;
    return stop ? SELSNAP_ECANCELED : SELSNAP_OK;
}

/* The first restore above `id` that is not paused and that no thread advances. 0: none. */
static uint64_t job_to_advance(struct selsnap *ss, uint64_t id) {
    struct ssn_job *job;
    while ((job = ssn_job_next(ss, id)) != NULL) {
        id = job->id;
        pthread_mutex_lock(&job->lock);
        bool ready = !job->paused && !job->stepping && atomic_load(&job->state) == SSN_JOB_RUNNING;
        pthread_mutex_unlock(&job->lock);
        ssn_job_release(ss, job);
        if (ready) {
            return id;
        }
    }
    return 0;
}

static int advance_restores(struct step *step) {
    uint64_t after = 0;
    uint64_t id;
    int rc = SELSNAP_OK;
    int damaged = SELSNAP_OK;
    while (rc == SELSNAP_OK && step->done < step->budget && (id = job_to_advance(step->ss, after)) != 0) {
        uint64_t visited;
        bool ended;
        rc = ssn_restore_step(step->ss, id, slice_of(step), &visited, &ended);
        step->done += visited > 0 ? visited : 1;
        rc = rc == SELSNAP_OK ? tell(step) : rc;
        /* Another thread may have been faster. */
        rc = rc == SELSNAP_EBUSY || rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
        if (rc == SELSNAP_EDAMAGED) {
            damaged = rc; /* it has ended so, or cannot go on: the others can */
            after = id;
            rc = SELSNAP_OK;
        }
    }
    return rc != SELSNAP_OK ? rc : damaged;
}

static int reclaim(struct step *step) {
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && step->done < step->budget && ssn_reclaim_pending(step->ss)) {
        uint64_t visited = 0;
        bool more;
        rc = ssn_reclaim_step(step->ss, slice_of(step), &visited, &more);
        step->done += visited > 0 ? visited : 1;
        rc = rc == SELSNAP_OK ? tell(step) : rc;
    }
    return rc;
}

/* What failed commits left undecided is decided now, if the store answers. */
static int settle(struct selsnap *ss) {
    if (ss->catalogue.doomed == 0 && atomic_load(&ss->catalogue.starting_jobs) == 0) {
        return SELSNAP_OK;
    }
    pthread_mutex_lock(&ss->admin);
    int rc = ssn_snapshot_settle_doomed(ss);
    rc = rc == SELSNAP_OK ? ssn_restore_settle(ss) : rc;
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

/* Freed space is usable only after a checkpoint, so one is worth its while when work has ended. */
static bool checkpoint_due(struct selsnap *ss) {
    struct ssn_store_stats stats;
    ssn_store_get_stats(ss->store, &stats);
    return ssn_store_pressure(ss->store) >= CHECKPOINT_PRESSURE || stats.journal_used_bytes > 0;
}

int ssn_step(struct selsnap *ss, const selsnap_step_options *options, uint32_t *ret_more) {
    const uint32_t all = SELSNAP_STEP_RECLAIM | SELSNAP_STEP_RESTORE | SELSNAP_STEP_CHECKPOINT;
    uint32_t what = options->flags == 0 ? all : options->flags;
    struct step step = {ss, options, options->budget_blocks == 0 ? BUDGET : options->budget_blocks, 0};
    int rc = ssn_check_usable(ss);
    int drained = rc == SELSNAP_OK ? ssn_deferred_drain(ss) : SELSNAP_OK;
    rc = rc == SELSNAP_OK ? settle(ss) : rc;
    if (rc == SELSNAP_OK && (what & SELSNAP_STEP_RESTORE) != 0) {
        rc = advance_restores(&step);
    }
    /* Damage that keeps one kind of work from going on keeps no other. */
    int damaged = rc == SELSNAP_EDAMAGED ? rc : SELSNAP_OK;
    rc = damaged != SELSNAP_OK ? SELSNAP_OK : rc;
    if (rc == SELSNAP_OK && (what & SELSNAP_STEP_RECLAIM) != 0) {
        rc = reclaim(&step);
        damaged = rc == SELSNAP_EDAMAGED ? rc : damaged;
        rc = rc == SELSNAP_EDAMAGED ? SELSNAP_OK : rc;
    }
    uint32_t more = 0;
    more |= (what & SELSNAP_STEP_RESTORE) != 0 && job_to_advance(ss, 0) != 0 ? SELSNAP_STEP_RESTORE : 0;
    more |= (what & SELSNAP_STEP_RECLAIM) != 0 && ssn_reclaim_pending(ss) ? SELSNAP_STEP_RECLAIM : 0;
    bool fold = rc == SELSNAP_OK && (what & SELSNAP_STEP_CHECKPOINT) != 0 &&
                (more == 0 ? checkpoint_due(ss) : ssn_store_pressure(ss->store) >= CHECKPOINT_PRESSURE);
    if (fold) {
        rc = ssn_store_checkpoint(ss->store);
    }
    if (ret_more != NULL) {
        *ret_more = more;
    }
    /* Where pending writes found no room, the work may have made some. */
    drained = drained == SELSNAP_ENOSPACE ? ssn_deferred_drain(ss) : drained;
    rc = rc != SELSNAP_OK ? rc : drained;
    return rc != SELSNAP_OK ? rc : damaged;
}

/* How far a job is; SELSNAP_ENOENT when it has ended. */
static int job_progress(struct selsnap *ss, uint64_t job_id, uint64_t *ret_done, uint64_t *ret_total) {
    selsnap_restore_info info = {0};
    int rc = job_id == 0 ? SELSNAP_ENOENT : ssn_restore_info(ss, job_id - 1, &info);
    if (rc != SELSNAP_OK || info.job != job_id) {
        return rc == SELSNAP_OK ? SELSNAP_ENOENT : rc;
    }
    *ret_done = info.blocks_done;
    *ret_total = info.blocks_total;
    return SELSNAP_OK;
}

int ssn_restore_run(struct selsnap *ss, uint64_t job_id, selsnap_progress_fn progress, void *progress_user) {
    uint64_t done = 0;
    uint64_t total = 0;
    bool ended = false;
    int rc = ssn_check_usable(ss);
    if (rc == SELSNAP_OK && progress != NULL) {
        rc = job_progress(ss, job_id, &done, &total);
    }
    while (rc == SELSNAP_OK && !ended) {
        uint64_t visited;
        rc = ssn_restore_step(ss, job_id, BUDGET, &visited, &ended);
        if (rc == SELSNAP_OK && progress != NULL) {
            if (ended) {
                done = total;
            } else {
                rc = job_progress(ss, job_id, &done, &total);
            }
            if (rc == SELSNAP_OK && progress(progress_user, done, total) != 0 && !ended) {
                rc = SELSNAP_ECANCELED;
            }
        }
    }
    return rc;
}
