/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A restore's durable progress (restore.h). What was copied is noted first, then the origin is flushed, then the note
 * is committed: a record never claims what a power cut could take back. record_lock of every job is held meanwhile, so
 * that two flushes do not cross. After a flush that failed, what is not recorded counts as never copied.
 */
#include "restore.h"

#include <assert.h>
#include <string.h>

/* What one job had copied when the flush began. */
struct progress {
    struct ssn_job *job;
    struct ssn_map *runs; /* NULL: nothing new */
    uint64_t cursor;
};

void ssn_job_put_record(struct ssn_txn *txn, const struct ssn_job *job, uint64_t cursor) {
    struct ssn_job_record record = job->record;
    uint8_t value[SSN_VALUE_MAX];
    struct ssn_key key = ssn_key_make(SSN_ITEM_JOB, job->id, 0);
    record.cursor = cursor;
    ssn_txn_put(txn, &key, value, ssn_job_record_encode(value, &record));
}

/* job->lock is held: gives every run of `from` its present bits, in `to` (which may be `from`). */
static int note_runs(const struct ssn_job *job, const struct ssn_map *from, struct ssn_map *to) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_RESTORED, job->id, 0);
    const struct ssn_map_node *node;
    while ((node = ssn_map_seek(from, &key)) != NULL) {
        key = node->key;
        const struct ssn_map_node *done = ssn_map_find(job->done, &key);
        if (done != NULL) {
            int rc = ssn_map_set(to, &key, done->value, SSN_RESTORED_BYTES, false);
            if (rc != SELSNAP_OK) {
                return rc;
            }
        }
        if (!ssn_key_after(&key)) {
            break;
        }
    }
    return SELSNAP_OK;
}

/* record_lock is held. */
static int note_progress(struct selsnap *ss, struct ssn_job *job, struct progress *progress) {
    struct ssn_map *fresh = ssn_map_open(&ss->mem);
    if (fresh == NULL) {
        return SELSNAP_ENOMEM;
    }
    progress->job = job;
    pthread_mutex_lock(&job->lock);
    progress->cursor = job->cursor;
    int rc = SELSNAP_OK;
    if (job->all_unrecorded) {
        rc = note_runs(job, job->done, job->unrecorded);
        job->all_unrecorded = rc != SELSNAP_OK;
    }
    if (rc == SELSNAP_OK) {
        rc = note_runs(job, job->unrecorded, job->unrecorded);
    }
    if (rc == SELSNAP_OK) {
        progress->runs = job->unrecorded;
        job->unrecorded = fresh;
        job->since_record = 0;
    }
    pthread_mutex_unlock(&job->lock);
    if (rc != SELSNAP_OK) {
        ssn_map_close(fresh);
    }
    return rc;
}

static int record_progress(struct selsnap *ss, struct progress *progress) {
    struct ssn_job *job = progress->job;
    struct ssn_key key = ssn_key_make(SSN_ITEM_RESTORED, job->id, 0);
    const struct ssn_map_node *node = ssn_map_seek(progress->runs, &key);
    bool moved = progress->cursor != job->record.cursor;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && (node != NULL || moved)) {
        struct ssn_txn txn;
        ssn_txn_init(&txn, ss->store);
        if (moved) {
            ssn_job_put_record(&txn, job, progress->cursor);
        }
        while (node != NULL && txn.len < SSN_TXN_MAX / 2) {
            ssn_txn_put(&txn, &node->key, node->value, node->len);
            key = node->key;
            node = ssn_key_after(&key) ? ssn_map_seek(progress->runs, &key) : NULL;
        }
        rc = ssn_store_commit(ss->store, &txn, true);
        ssn_txn_fini(&txn);
        if (rc == SELSNAP_OK && moved) {
            job->record.cursor = progress->cursor;
            moved = false;
        }
    }
    return rc;
}

int ssn_job_set_recorded(struct ssn_job *job, const struct ssn_key *key, const uint8_t *value) {
    uint8_t both[2 * SSN_RESTORED_BYTES];
    const struct ssn_map_node *old = ssn_map_find(job->done, key);
    memcpy(both, old != NULL ? old->value : value, SSN_RESTORED_BYTES);
    memcpy(both + SSN_RESTORED_BYTES, value, SSN_RESTORED_BYTES);
    return ssn_map_set(job->done, key, both, sizeof both, false);
}

/* record_lock is held: the origin may have forgotten what was copied since the last record. */
static void roll_back(struct ssn_job *job) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_RESTORED, job->id, 0);
    const struct ssn_map_node *node;
    pthread_mutex_lock(&job->lock);
    job->rollbacks++;
    job->cursor = job->record.cursor;
    while ((node = ssn_map_seek(job->done, &key)) != NULL) {
        uint8_t both[2 * SSN_RESTORED_BYTES];
        memcpy(both, node->value + SSN_RESTORED_BYTES, SSN_RESTORED_BYTES);
        memcpy(both + SSN_RESTORED_BYTES, node->value + SSN_RESTORED_BYTES, SSN_RESTORED_BYTES);
        (void)ssn_map_set(job->done, &node->key, both, sizeof both, false); /* in its place */
        key = node->key;
        if (!ssn_key_after(&key)) {
            break;
        }
    }
    pthread_mutex_unlock(&job->lock);
}

/* Of every job that runs. */
static void roll_back_all(struct selsnap *ss) {
    struct ssn_job *job = ssn_job_next(ss, 0);
    while (job != NULL) {
        uint64_t id = job->id;
        int state = atomic_load(&job->state);
        if (state == SSN_JOB_RUNNING || state == SSN_JOB_ENDING) {
            pthread_mutex_lock(&job->record_lock);
            roll_back(job);
            pthread_mutex_unlock(&job->record_lock);
        }
        ssn_job_release(ss, job);
        job = ssn_job_next(ss, id);
    }
}

/* record_lock is held: what was noted goes back, unless it is recorded. */
static void end_progress(struct progress *progress, bool recorded) {
    struct ssn_job *job = progress->job;
    if (progress->runs == NULL) {
        return;
    }
    pthread_mutex_lock(&job->lock);
    job->all_unrecorded = job->all_unrecorded || (!recorded && ssn_map_count(progress->runs) > 0);
    struct ssn_key key = ssn_key_make(SSN_ITEM_RESTORED, job->id, 0);
    const struct ssn_map_node *node;
    while (recorded && (node = ssn_map_seek(progress->runs, &key)) != NULL) {
        (void)ssn_job_set_recorded(job, &node->key, node->value); /* in its place */
        key = node->key;
        if (!ssn_key_after(&key)) {
            break;
        }
    }
    pthread_mutex_unlock(&job->lock);
    ssn_map_close(progress->runs);
}

/* Takes every running job's record_lock, in the order of ids. */
static int begin_all(struct selsnap *ss, struct progress **ret_list, size_t *ret_count) {
    struct progress *list = NULL;
    size_t count = 0;
    size_t capacity = 0;
    int rc = SELSNAP_OK;
    struct ssn_job *job = ssn_job_next(ss, 0);
    while (job != NULL && rc == SELSNAP_OK) {
        uint64_t id = job->id;
        int state = atomic_load(&job->state);
        if (state != SSN_JOB_RUNNING && state != SSN_JOB_ENDING) {
            ssn_job_release(ss, job);
        } else if (!ssn_grow(&ss->mem, (void **)&list, &capacity, count, sizeof *list)) {
            ssn_job_release(ss, job);
            rc = SELSNAP_ENOMEM;
        } else {
            pthread_mutex_lock(&job->record_lock);
            memset(&list[count], 0, sizeof list[count]);
            list[count].job = job;
            rc = note_progress(ss, job, &list[count]);
            count++;
        }
        job = rc == SELSNAP_OK ? ssn_job_next(ss, id) : NULL;
    }
    *ret_list = list;
    *ret_count = count;
    return rc;
}

/* As told there, while restores run. *ret_failed: the origin could not be flushed. */
static int flush_and_record(struct selsnap *ss, bool *ret_failed) {
    struct progress *list;
    size_t count;
    int rc = begin_all(ss, &list, &count);
    if (rc != SELSNAP_OK) {
        rc = ssn_fail(&ss->report, rc, "no memory to record what restores have copied");
    } else {
        rc = ssn_origin_flush(ss);
        *ret_failed = rc != SELSNAP_OK;
    }
    for (size_t i = 0; i < count; i++) {
        int one = rc;
        if (*ret_failed) {
            roll_back(list[i].job); /* before another flush could record it */
        }
        if (rc == SELSNAP_OK && list[i].runs != NULL && !list[i].job->ended) {
            one = record_progress(ss, &list[i]);
            rc = one;
        }
        end_progress(&list[i], one == SELSNAP_OK);
        pthread_mutex_unlock(&list[i].job->record_lock);
        ssn_job_release(ss, list[i].job);
    }
    ssn_free(&ss->mem, list);
    return rc;
}

int ssn_restore_flush_origin(struct selsnap *ss) {
    bool failed = false;
    int rc;
    if (atomic_load_explicit(&ss->catalogue.active_jobs, memory_order_acquire) == 0 || atomic_load(&ss->abandoned)) {
        rc = ssn_origin_flush(ss);
        failed = rc != SELSNAP_OK;
    } else {
        rc = flush_and_record(ss, &failed);
    }
    if (failed) {
        roll_back_all(ss); /* those that began meanwhile, too */
    }
    return rc;
}
