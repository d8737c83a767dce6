/* SPDX-License-Identifier: Apache-2.0 */
/* See receive.h. Items `received`: who was imported from what, and the import that is not finished. */
#include "receive.h"

#include "apply.h"
#include "restore.h"
#include "snapshot.h"
#include "step.h"
#include "streamcodec.h"

#include <inttypes.h>
#include <string.h>

int ssn_receive_enter(struct selsnap *ss) {
    bool none = false;
    if (!atomic_compare_exchange_strong(&ss->importing, &none, true)) {
        return ssn_fail(&ss->report, SELSNAP_EBUSY, "another import runs");
    }
    return SELSNAP_OK;
}

void ssn_receive_leave(struct selsnap *ss) {
    atomic_store(&ss->importing, false);
}

/* ---- looking ---- */

/* admin is held: the next item of a live snapshot behind the key. SELSNAP_ENOENT: no more. */
static int next_item(struct selsnap *ss, struct ssn_key *key, const struct ssn_snap **ret_snap,
                     struct ssn_received_record *ret_record) {
    struct ssn_item item;
    int rc;
    while ((rc = ssn_store_seek(ss->store, key, &item)) == SELSNAP_OK && item.key.type == SSN_ITEM_RECEIVED) {
        const struct ssn_snap *snap = ssn_catalogue_find(&ss->catalogue, item.key.major);
        *key = item.key;
        (void)ssn_key_after(key);
        if (snap == NULL || snap->state != SSN_SNAP_LIVE) {
            continue;
        }
        if (!ssn_received_record_decode(item.value, item.len, ret_record)) {
            return ssn_fail(&ss->report, SELSNAP_EDAMAGED, "what snapshot %" PRIu64 " was imported from is damaged",
                            snap->id);
        }
        *ret_snap = snap;
        return SELSNAP_OK;
    }
    return rc == SELSNAP_OK ? SELSNAP_ENOENT : rc;
}

static bool is_like(const struct ssn_received_record *a, const struct ssn_received_record *b) {
    return a->snapshot_id == b->snapshot_id && a->point == b->point &&
           memcmp(a->store_id, b->store_id, sizeof a->store_id) == 0;
}

static bool fits(const struct ssn_stream_header *increment, const struct ssn_received_record *record) {
    selsnap_stream_id holds = SELSNAP_STREAM_ID_INIT;
    ssn_received_tell(record, &holds);
    return ssn_apply_fits(increment, &holds);
}

/* admin is held. The newest is the one whose point is the greatest. increment: NULL, or it can go on from it. */
static int find_like(struct selsnap *ss, const struct ssn_received_record *like,
                     const struct ssn_stream_header *increment, const struct ssn_snap **ret_snap,
                     struct ssn_received_record *ret_record) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_RECEIVED, 0, 0);
    struct ssn_received_record record = {0};
    const struct ssn_snap *snap = NULL;
    int rc;
    *ret_snap = NULL;
    while ((rc = next_item(ss, &key, &snap, &record)) == SELSNAP_OK) {
        if (record.state == SSN_RECEIVED_WHOLE && is_like(&record, like) &&
            (increment == NULL || fits(increment, &record)) &&
            (*ret_snap == NULL || snap->record.point > (*ret_snap)->record.point)) {
            *ret_snap = snap;
            *ret_record = record;
        }
    }
    return rc == SELSNAP_ENOENT && *ret_snap != NULL ? SELSNAP_OK : rc;
}

int ssn_received_find_base(struct selsnap *ss, const struct ssn_stream_header *increment, uint64_t *ret_id,
                           struct ssn_received_record *ret_record) {
    struct ssn_received_record like = {.snapshot_id = increment->base_snapshot_id, .point = increment->base_point};
    const struct ssn_snap *snap;
    memcpy(like.store_id, increment->base_store_id, sizeof like.store_id);
    pthread_mutex_lock(&ss->admin);
    int rc = find_like(ss, &like, increment, &snap, ret_record);
    if (rc == SELSNAP_OK) {
        *ret_id = snap->id;
    }
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

/* admin is held. */
static int find_unfinished(struct selsnap *ss, bool leftover, struct ssn_unfinished *ret_unfinished, bool *ret_whole) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_RECEIVED, 0, 0);
    struct ssn_received_record record;
    const struct ssn_snap *snap;
    int rc;
    while ((rc = next_item(ss, &key, &snap, &record)) == SELSNAP_OK) {
        const struct ssn_snap *made;
        struct ssn_received_record whole;
        if (record.state != SSN_RECEIVED_UNFINISHED) {
            continue;
        }
        ret_unfinished->id = snap->id;
        ret_unfinished->point = snap->record.point;
        ret_unfinished->record = record;
        rc = find_like(ss, &record, NULL, &made, &whole);
        *ret_whole = rc == SELSNAP_OK && made->record.point > snap->record.point;
        if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
            return rc;
        }
        return *ret_whole && !leftover ? SELSNAP_ENOENT : SELSNAP_OK;
    }
    return rc;
}

int ssn_unfinished_find(struct selsnap *ss, bool leftover, struct ssn_unfinished *ret_unfinished, bool *ret_whole) {
    pthread_mutex_lock(&ss->admin);
    int rc = find_unfinished(ss, leftover, ret_unfinished, ret_whole);
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

int ssn_received_get(struct selsnap *ss, uint64_t id, struct ssn_received_record *ret_record) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_RECEIVED, id, 0);
    const struct ssn_snap *snap = NULL;
    pthread_mutex_lock(&ss->admin);
    int rc = next_item(ss, &key, &snap, ret_record);
    if (rc == SELSNAP_ENOENT || (rc == SELSNAP_OK && (snap->id != id || ret_record->state != SSN_RECEIVED_WHOLE))) {
        rc = ssn_fail(&ss->report, SELSNAP_ENOENT, "no snapshot has id %" PRIu64 ", or it was not imported", id);
    }
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

void ssn_received_tell(const struct ssn_received_record *record, selsnap_stream_id *ret_id) {
    ret_id->flags = record->flags;
    memcpy(ret_id->store_id, record->store_id, sizeof ret_id->store_id);
    ret_id->snapshot_id = record->snapshot_id;
    ret_id->point = record->point;
    ret_id->ranges_digest = record->ranges_digest;
    ret_id->lost_blocks = record->lost_blocks;
}

/* ---- noting, ending ---- */

int ssn_unfinished_note(struct selsnap *ss, uint64_t id, const struct ssn_received_record *record) {
    struct ssn_txn txn;
    pthread_mutex_lock(&ss->admin);
    const struct ssn_snap *snap = ssn_catalogue_find(&ss->catalogue, id);
    int rc = snap != NULL && snap->state == SSN_SNAP_LIVE
                 ? SELSNAP_OK
                 : ssn_fail(&ss->report, SELSNAP_ENOENT, "the safety snapshot of the import was deleted");
    if (rc == SELSNAP_OK) {
        ssn_txn_init(&txn, ss->store);
        ssn_snapshot_put_received(&txn, id, record);
        rc = ssn_store_commit(ss->store, &txn, false);
        ssn_txn_fini(&txn);
    }
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

int ssn_unfinished_drop(struct selsnap *ss, uint64_t id) {
    selsnap_snapshot_info info;
    memset(&info, 0, sizeof info);
    int rc = ssn_snapshot_info(ss, id, &info);
    if (rc == SELSNAP_OK && info.holds > 0) {
        rc = ssn_snapshot_change_holds(ss, id, -1);
    }
    return rc == SELSNAP_OK ? ssn_snapshot_delete(ss, id) : rc;
}

/* A restore of the safety that goes on: a crash does not end it. 0: none. */
static int find_job(struct selsnap *ss, uint64_t id, uint64_t *ret_job) {
    selsnap_restore_info info;
    memset(&info, 0, sizeof info);
    int rc;
    *ret_job = 0;
    while ((rc = ssn_restore_info(ss, info.job, &info)) == SELSNAP_OK) {
        if (info.snapshot_id == id) {
            *ret_job = info.job;
            return SELSNAP_OK;
        }
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

/*
 * The import's snapshot may have failed to be recorded, and be recorded yet. After a crash it would tell that all of the
 * stream is there; so it is deleted for good before anything is taken back.
 */
static int settle_snapshot(struct selsnap *ss) {
    pthread_mutex_lock(&ss->admin);
    int rc = ssn_snapshot_settle_doomed(ss);
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

int ssn_unfinished_undo(struct selsnap *ss, uint64_t id, selsnap_progress_fn progress, void *progress_user) {
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    uint64_t job = 0;
    bool lost = false;
    options.id = id;
    int rc = settle_snapshot(ss);
    rc = rc == SELSNAP_OK ? find_job(ss, id, &job) : rc;
    if (rc == SELSNAP_OK && job == 0) {
        rc = ssn_restore_start(ss, &options, &job);
        lost = rc == SELSNAP_ELOST;
        if (lost) {
            options.flags = SELSNAP_RESTORE_SKIP_LOST;
            rc = ssn_restore_start(ss, &options, &job);
        }
    }
    rc = rc == SELSNAP_OK ? ssn_restore_run(ss, job, progress, progress_user) : rc;
    rc = rc == SELSNAP_OK ? ssn_unfinished_drop(ss, id) : rc;
    if (rc == SELSNAP_OK && lost) {
        rc = ssn_fail(&ss->report, SELSNAP_ELOST,
                      "the import was taken back, but blocks that the origin could not read keep the stream's content");
    }
    return rc;
}

static int find_told(struct selsnap *ss, bool leftover, struct ssn_unfinished *ret_unfinished, bool *ret_whole) {
    int rc = ssn_unfinished_find(ss, leftover, ret_unfinished, ret_whole);
    return rc == SELSNAP_ENOENT ? ssn_fail(&ss->report, rc, "no import is unfinished") : rc;
}

int ssn_unfinished_tell(struct selsnap *ss, selsnap_stream_id *ret_id, selsnap_stream_token *ret_token) {
    struct ssn_unfinished unfinished;
    bool whole;
    int rc = find_told(ss, false, &unfinished, &whole);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    const struct ssn_received_record *record = &unfinished.record;
    const struct ssn_stream_place place = {.key = record->key,
                                           .records = record->records,
                                           .next_block = record->next_block,
                                           .digest = record->digest,
                                           .data_blocks = record->data_blocks,
                                           .zero_blocks = record->zero_blocks};
    ssn_received_tell(record, ret_id);
    if (record->key != 0) {
        ssn_stream_token_make(ret_token, &place);
    }
    return SELSNAP_OK;
}

int ssn_unfinished_end(struct selsnap *ss, selsnap_progress_fn progress, void *progress_user) {
    struct ssn_unfinished unfinished;
    bool whole = false;
    int rc = find_told(ss, true, &unfinished, &whole);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    return whole ? ssn_unfinished_drop(ss, unfinished.id)
                 : ssn_unfinished_undo(ss, unfinished.id, progress, progress_user);
}
