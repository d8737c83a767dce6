/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying back (restore.h): which blocks a restore still has to copy, and the copying of one part of a run. Order: what
 * snapshots older than the job need of the device's content is preserved durably, then the block is written, then it is
 * done in memory. A copy that a crash cuts short is done again.
 */
#include "restore.h"

#include "designation.h"
#include "preserve.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

int ssn_job_remaining(struct selsnap *ss, struct ssn_job *job, uint64_t run, unsigned first, unsigned count,
                      struct ssn_runbits *ret_bits, struct ssn_source *ret_sources) {
    *ret_bits = ssn_runbits_none();
    struct ssn_runbits bits;
    int rc = ssn_designation_cover(ss, job->record.designation, job->group_whole, run, first, count, &bits);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    pthread_mutex_lock(&job->lock);
    struct ssn_key key = ssn_key_make(SSN_ITEM_RESTORED, job->id, run);
    const struct ssn_map_node *done = ssn_map_find(job->done, &key);
    for (unsigned i = first; i < first + count; i++) {
        bool copied = run * SSN_RUN_BLOCKS + i < job->cursor || (done != NULL && (done->value[i / 8] >> (i % 8) & 1));
        if (copied) {
            ssn_runbits_clear(&bits, i);
        }
    }
    pthread_mutex_unlock(&job->lock);
    if (!ssn_runbits_any(&bits)) {
        return SELSNAP_OK;
    }
    rc = ssn_resolve_at(ss, run, first, count, job->source_point, job->record.point, ret_sources);
    for (unsigned i = 0; rc == SELSNAP_OK && i < count; i++) {
        bool has = ret_sources[i].kind == SSN_ENTRY_DATA || ret_sources[i].kind == SSN_ENTRY_ZERO;
        if (has && ssn_runbits_get(&bits, first + i)) {
            ssn_runbits_set(ret_bits, first + i);
        }
    }
    return rc;
}

int ssn_restore_remaining(struct selsnap *ss, uint64_t run, unsigned first, unsigned count,
                          struct ssn_runbits *ret_bits, uint64_t *ret_points, struct ssn_source *ret_sources) {
    *ret_bits = ssn_runbits_none();
    if (atomic_load_explicit(&ss->catalogue.active_jobs, memory_order_acquire) == 0) {
        return SELSNAP_OK;
    }
    int rc = SELSNAP_OK;
    struct ssn_source sources[SSN_RUN_BLOCKS];
    struct ssn_job *job = ssn_job_next(ss, 0);
    while (job != NULL && rc == SELSNAP_OK) {
        struct ssn_runbits bits = ssn_runbits_none();
        int state = atomic_load(&job->state);
        if (state == SSN_JOB_RUNNING || state == SSN_JOB_ENDING) {
            rc = ssn_job_remaining(ss, job, run, first, count, &bits, sources);
        }
        if (atomic_load(&job->state) == SSN_JOB_ENDED) {
            bits = ssn_runbits_none(); /* its source may have gone before it was asked; the origin has it all */
        }
        for (unsigned i = 0; i < count; i++) {
            if (ssn_runbits_get(&bits, first + i)) {
                ssn_runbits_set(ret_bits, first + i);
                if (ret_points != NULL) {
                    ret_points[i] = job->record.point;
                    ret_sources[i] = sources[i];
                }
            }
        }
        uint64_t id = job->id;
        ssn_job_release(ss, job);
        job = ssn_job_next(ss, id);
    }
    if (job != NULL) {
        ssn_job_release(ss, job);
    }
    return rc;
}

static uint64_t count_rollbacks(struct ssn_job *job) {
    pthread_mutex_lock(&job->lock);
    uint64_t rollbacks = job->rollbacks;
    pthread_mutex_unlock(&job->lock);
    return rollbacks;
}

/* Marks blocks done in memory, unless they were copied before a rollback. They enter `unrecorded` first: done without
 * being recorded would lose what is written next. */
static int mark_done(struct selsnap *ss, struct ssn_job *job, uint64_t run, const struct ssn_runbits *bits,
                     uint64_t rollbacks) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_RESTORED, job->id, run);
    uint8_t value[2 * SSN_RESTORED_BYTES] = {0};
    pthread_mutex_lock(&job->lock);
    if (job->rollbacks != rollbacks) {
        pthread_mutex_unlock(&job->lock);
        return SELSNAP_OK;
    }
    int rc = ssn_map_set(job->unrecorded, &key, value, SSN_RESTORED_BYTES, false);
    const struct ssn_map_node *old = ssn_map_find(job->done, &key);
    if (old != NULL) {
        memcpy(value, old->value, sizeof value);
    }
    for (unsigned i = 0; i < SSN_RUN_BLOCKS; i++) {
        if (ssn_runbits_get(bits, i)) {
            value[i / 8] = (uint8_t)(value[i / 8] | 1u << (i % 8));
        }
    }
    if (rc == SELSNAP_OK) {
        rc = ssn_map_set(job->done, &key, value, sizeof value, false);
    }
    pthread_mutex_unlock(&job->lock);
    return rc == SELSNAP_OK ? rc : ssn_fail(&ss->report, rc, "no memory to note what a restore has copied");
}

/* Reads the sources of blocks. What is damaged there cannot be restored: it keeps what the device has, and is
 * lost for snapshots that read the source so far. */
static int read_sources(struct selsnap *ss, struct ssn_job *job, uint64_t block, unsigned count,
                        const struct ssn_source *sources, uint8_t *buf, unsigned *ret_good) {
    unsigned bad = 0;
    int rc = ssn_resolve_read(ss, block, count, sources, buf, &bad);
    *ret_good = rc == SELSNAP_OK ? count : bad;
    if (rc == SELSNAP_EDAMAGED) {
        ssn_log(&ss->report, SELSNAP_LOG_WARNING,
                "restore: block %" PRIu64 " is damaged in the snapshot; the device keeps what it has", block + bad);
        pthread_mutex_lock(&job->lock);
        job->damaged++;
        pthread_mutex_unlock(&job->lock);
        rc = ssn_preserve_damaged(ss, block + bad);
    }
    return rc;
}

/* Writes the blocks of `bits` among [from, end) to the origin: neighbours in one request, the requests at once. */
static int write_back(struct selsnap *ss, uint64_t base, unsigned from, unsigned end, unsigned first,
                      const struct ssn_runbits *bits, uint8_t *buf) {
    enum { AT_ONCE = 32 };
    struct ssn_transfer writes[AT_ONCE];
    unsigned count = 0;
    int rc = SELSNAP_OK;
    for (unsigned i = from; rc == SELSNAP_OK && i < end;) {
        unsigned n = 0;
        while (i + n < end && ssn_runbits_get(bits, first + i + n)) {
            n++;
        }
        if (n > 0) {
            writes[count++] = ssn_origin_transfer(ss, base + i, n, buf + (size_t)i * ss->block_bytes);
        }
        i += n > 0 ? n : 1;
        if (count == AT_ONCE || (count > 0 && i >= end)) {
            rc = ssn_origin_transfers(ss, true, writes, count);
            count = 0;
        }
    }
    return rc;
}

/* Copies the blocks of `bits`; of the others the sources are forgotten. */
static int copy_blocks(struct selsnap *ss, struct ssn_job *job, uint64_t run, unsigned first, unsigned count,
                       const struct ssn_runbits *bits, struct ssn_source *sources, uint8_t *buf) {
    uint64_t base = run * SSN_RUN_BLOCKS + first;
    for (unsigned i = 0; i < count; i++) {
        if (!ssn_runbits_get(bits, first + i)) {
            sources[i].kind = SSN_ENTRY_NONE;
        }
    }
    unsigned from = 0;
    while (from < count) {
        unsigned good;
        int rc = read_sources(ss, job, base + from, count - from, sources + from, buf + (size_t)from * ss->block_bytes,
                              &good);
        if (rc == SELSNAP_OK) {
            rc = write_back(ss, base, from, from + good, first, bits, buf);
        }
        if (rc != SELSNAP_OK) {
            return rc;
        }
        from += good + 1; /* behind the block that is damaged, or the last */
    }
    return SELSNAP_OK;
}

static int copy_back_once(struct selsnap *ss, struct ssn_job *job, uint64_t run, unsigned first, unsigned count,
                          bool in_turn, uint64_t *ret_copied) {
    struct ssn_runbits bits;
    struct ssn_source sources[SSN_RUN_BLOCKS];
    uint64_t rollbacks = count_rollbacks(job);
    *ret_copied = 0;
    /* No read section: the source is held, so its copies stay; and one would keep a full store from using what it
     * frees. */
    int rc = ssn_job_remaining(ss, job, run, first, count, &bits, sources);
    if (rc == SELSNAP_OK && ssn_runbits_any(&bits)) {
        const struct ssn_stretch stretch = {run * SSN_RUN_BLOCKS + first, count};
        rc = ssn_preserve(ss, &stretch, 1, &bits, job->record.point);
        if (rc == SELSNAP_OK) {
            uint8_t *buf = ssn_buffers_take(&ss->buffers);
            rc = copy_blocks(ss, job, run, first, count, &bits, sources, buf);
            ssn_buffers_return(&ss->buffers, buf);
        }
        if (rc == SELSNAP_OK && !in_turn) {
            rc = mark_done(ss, job, run, &bits, rollbacks);
        }
        for (unsigned i = first; rc == SELSNAP_OK && i < first + count; i++) {
            *ret_copied += ssn_runbits_get(&bits, i);
        }
    }
    if (*ret_copied > 0) {
        pthread_mutex_lock(&job->lock);
        job->restored += *ret_copied;
        job->since_record += *ret_copied * ss->block_bytes;
        pthread_mutex_unlock(&job->lock);
        ssn_count(&ss->count.blocks_restored, *ret_copied);
    }
    return rc;
}

int ssn_job_copy_back(struct selsnap *ss, struct ssn_job *job, uint64_t run, unsigned first, unsigned count,
                      bool in_turn, uint64_t *ret_copied) {
    uint64_t rollbacks;
    int rc;
    do {
        rollbacks = count_rollbacks(job);
        rc = copy_back_once(ss, job, run, first, count, in_turn, ret_copied);
    } while (rc == SELSNAP_OK && count_rollbacks(job) != rollbacks);
    return rc;
}

int ssn_restore_copy_back(struct selsnap *ss, uint64_t first_block, uint64_t count) {
    if (atomic_load_explicit(&ss->catalogue.active_jobs, memory_order_acquire) == 0) {
        return SELSNAP_OK;
    }
    int rc = SELSNAP_OK;
    struct ssn_job *job = ssn_job_next(ss, 0);
    while (job != NULL && rc == SELSNAP_OK) {
        int state = atomic_load(&job->state);
        if (state == SSN_JOB_RUNNING || state == SSN_JOB_ENDING) {
            uint64_t copied;
            rc = ssn_job_copy_back(ss, job, first_block / SSN_RUN_BLOCKS, (unsigned)(first_block % SSN_RUN_BLOCKS),
                                   (unsigned)count, false, &copied);
        }
        uint64_t id = job->id;
        ssn_job_release(ss, job);
        job = ssn_job_next(ss, id);
    }
    if (job != NULL) {
        ssn_job_release(ss, job);
    }
    return rc;
}
