/* SPDX-License-Identifier: Apache-2.0 */
/* Restores in memory: making, listing, finding, freeing (restore.h). */
#include "restore.h"

#include <assert.h>
#include <string.h>

static struct ssn_job *job_after(struct ssn_catalogue *catalogue, uint64_t after_id) {
    for (size_t i = 0; i < catalogue->job_count; i++) {
        if (catalogue->jobs[i]->id > after_id) {
            return catalogue->jobs[i];
        }
    }
    return NULL;
}

struct ssn_job *ssn_job_next(struct selsnap *ss, uint64_t after_id) {
    ssn_catalogue_read_lock(&ss->catalogue);
    struct ssn_job *job = job_after(&ss->catalogue, after_id);
    if (job != NULL) {
        atomic_fetch_add(&job->users, 1);
    }
    ssn_catalogue_unlock(&ss->catalogue);
    return job;
}

struct ssn_job *ssn_job_find(struct selsnap *ss, uint64_t id) {
    struct ssn_job *job = id == 0 ? NULL : ssn_job_next(ss, id - 1);
    if (job != NULL && job->id != id) {
        ssn_job_release(ss, job);
        return NULL;
    }
    return job;
}

void ssn_job_free(struct selsnap *ss, struct ssn_job *job) {
    ssn_map_close(job->done);
    ssn_map_close(job->unrecorded);
    pthread_mutex_destroy(&job->lock);
    pthread_mutex_destroy(&job->record_lock);
    ssn_free(&ss->mem, job);
}

void ssn_job_release(struct selsnap *ss, struct ssn_job *job) {
    if (atomic_fetch_sub(&job->users, 1) == 1) {
        ssn_job_free(ss, job);
    }
}

/* A job that is in no list yet, with its hidden mark; both are freed by job_discard. */
struct ssn_job *ssn_job_make(struct selsnap *ss, struct ssn_snap *source, struct ssn_group *group) {
    struct ssn_job *job = ssn_calloc(&ss->mem, 1, sizeof *job);
    if (job == NULL) {
        return NULL;
    }
    job->done = ssn_map_open(&ss->mem);
    job->unrecorded = ssn_map_open(&ss->mem);
    job->hidden = ssn_calloc(&ss->mem, 1, sizeof *job->hidden);
    if (job->done == NULL || job->unrecorded == NULL || job->hidden == NULL ||
        pthread_mutex_init(&job->lock, NULL) != 0) {
        ssn_map_close(job->done);
        ssn_map_close(job->unrecorded);
        ssn_free(&ss->mem, job->hidden);
        ssn_free(&ss->mem, job);
        return NULL;
    }
    (void)pthread_mutex_init(&job->record_lock, NULL);
    job->source = source;
    job->group = group;
    job->source_point = source->record.point;
    job->group_blocks = group->blocks;
    job->group_whole = group->whole;
    job->record.kind = SSN_JOB_RESTORE;
    job->record.subject = source->id;
    job->record.designation = group->id;
    job->hidden->record.kind = SSN_SNAPSHOT_MARK;
    job->hidden->record.policy = SELSNAP_POLICY_GIVE_UP_BLOCK;
    job->hidden->record.designation = group->id;
    job->hidden->state = SSN_SNAP_LIVE;
    atomic_init(&job->users, 1);
    atomic_init(&job->state, SSN_JOB_STARTING);
    return job;
}

/* admin is held. Room for the job and its hidden mark in the lists. */
int ssn_job_reserve(struct selsnap *ss, struct ssn_group *group) {
    struct ssn_catalogue *catalogue = &ss->catalogue;
    int rc = ssn_catalogue_reserve(catalogue, group);
    ssn_catalogue_write_lock(catalogue);
    if (rc == SELSNAP_OK && !ssn_grow(&ss->mem, (void **)&catalogue->jobs, &catalogue->job_capacity,
                                      catalogue->job_count, sizeof(void *))) {
        rc = SELSNAP_ENOMEM;
    }
    ssn_catalogue_unlock(catalogue);
    return rc;
}

/* admin is held; ids rise, so the job goes to the end. */
void ssn_job_list(struct selsnap *ss, struct ssn_job *job) {
    struct ssn_catalogue *catalogue = &ss->catalogue;
    ssn_catalogue_write_lock(catalogue);
    catalogue->jobs[catalogue->job_count++] = job;
    job->source->restores++;
    atomic_fetch_add(&catalogue->active_jobs, 1);
    ssn_catalogue_unlock(catalogue);
}

/* admin is held: takes the job and its hidden mark out of the lists. */
void ssn_job_unlist(struct selsnap *ss, struct ssn_job *job, bool with_hidden) {
    struct ssn_catalogue *catalogue = &ss->catalogue;
    ssn_catalogue_write_lock(catalogue);
    size_t at = 0;
    while (catalogue->jobs[at] != job) {
        at++;
        assert(at < catalogue->job_count);
    }
    catalogue->job_count--;
    memmove(catalogue->jobs + at, catalogue->jobs + at + 1, (catalogue->job_count - at) * sizeof(void *));
    atomic_store(&job->state, SSN_JOB_ENDED); /* before the source can be deleted */
    job->source->restores--;
    atomic_fetch_sub(&catalogue->active_jobs, 1);
    ssn_catalogue_unlock(catalogue);
    if (with_hidden) {
        ssn_catalogue_remove(catalogue, job->hidden);
    }
    ssn_job_release(ss, job);
}

void ssn_restore_fini(struct selsnap *ss) {
    while (ss->catalogue.job_count > 0) {
        ssn_job_unlist(ss, ss->catalogue.jobs[0], false);
    }
}
