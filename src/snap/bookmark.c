/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See bookmark.h. One transaction: the record says mark and names no overlay, a job drops the overlay, and one more
 * delete is counted, so that a walk of reclaim strips the entries that only marks need any more. It lessens what must be
 * preserved; so for the write path and reclaim it counts once it is durable [R1].
 *
 *   DATA         --commit-->            MARK
 *   DATA         --commit fails-->      to_bookmark: its fate is unknown. Callers see a bookmark, because its overlay may
 *                                       go at any time; writers and reclaim go on as for DATA, which is never wrong
 *   to_bookmark  --the store answers--> MARK; committed again if it did not come about
 */
#include "bookmark.h"

#include "layers.h"
#include "overlay.h"
#include "reclaim.h"
#include "snapshot.h"

#include <inttypes.h>

/* admin is held. */
static int commit(struct selsnap *ss, const struct ssn_snap *snap) {
    struct ssn_snap changed = {.id = snap->id, .record = snap->record};
    changed.record.kind = SSN_SNAPSHOT_MARK;
    changed.record.overlay = 0;
    struct ssn_txn txn;
    ssn_txn_init(&txn, ss->store);
    ssn_snapshot_put_record(&txn, &changed);
    ssn_layers_put_release(ss, &txn, snap);
    ssn_reclaim_note_delete(ss, &txn);
    int rc = ssn_store_commit(ss->store, &txn, true);
    ssn_txn_fini(&txn);
    ssn_layers_released(ss, snap, rc);
    if (rc != SELSNAP_OK) {
        ssn_reclaim_note_failed(ss);
    }
    return rc;
}

/* admin is held: the store has it so. */
static void become_mark(struct selsnap *ss, struct ssn_snap *snap) {
    ssn_catalogue_write_lock(&ss->catalogue);
    ss->catalogue.doomed -= snap->to_bookmark;
    snap->to_bookmark = false;
    snap->record.kind = SSN_SNAPSHOT_MARK;
    snap->record.overlay = 0;
    ssn_catalogue_unlock(&ss->catalogue);
}

int ssn_bookmark_finish(struct selsnap *ss, struct ssn_snap *snap) {
    struct ssn_item item;
    struct ssn_snapshot_record record;
    struct ssn_key key = ssn_key_make(SSN_ITEM_SNAPSHOT, snap->id, 0);
    int rc = ssn_store_get(ss->store, &key, &item);
    if (rc == SELSNAP_ENOENT || (rc == SELSNAP_OK && !ssn_snapshot_record_decode(item.value, item.len, &record))) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the record of snapshot %" PRIu64 " is damaged", snap->id);
    }
    rc = rc == SELSNAP_OK && record.kind != SSN_SNAPSHOT_MARK ? commit(ss, snap) : rc;
    if (rc == SELSNAP_OK) {
        become_mark(ss, snap);
    }
    return rc;
}

/* admin is held, no view is open: what a flush or a reset that failed left unknown is found out first. */
static int settle_overlay(struct selsnap *ss, struct ssn_snap *snap) {
    if (snap->overlay_doubt == SSN_OVERLAY_SURE) {
        return SELSNAP_OK;
    }
    struct ssn_overlay *overlay;
    int rc = ssn_overlay_join(ss, snap, &overlay);
    if (rc == SELSNAP_OK) {
        rc = ssn_overlay_settle(ss, snap, overlay);
        ssn_overlay_leave_locked(ss, snap, overlay);
    }
    return rc;
}

static int make_locked(struct selsnap *ss, uint64_t id) {
    struct ssn_snap *snap = NULL;
    int rc = ssn_snapshot_find_live(ss, id, &snap);
    if (rc != SELSNAP_OK || snap->record.kind == SSN_SNAPSHOT_MARK) {
        return rc;
    }
    if (snap->to_bookmark) {
        return ssn_snapshot_settle_doomed(ss);
    }
    rc = ssn_snapshot_refuse_used(ss, snap);
    rc = rc == SELSNAP_OK ? settle_overlay(ss, snap) : rc;
    rc = rc == SELSNAP_OK ? ssn_layers_settle(ss) : rc;
    rc = rc == SELSNAP_OK ? commit(ss, snap) : rc;
    if (rc == SELSNAP_OK) {
        become_mark(ss, snap);
    } else if (rc == SELSNAP_ESTORE && snap->overlay_doubt == SSN_OVERLAY_SURE) {
        ssn_catalogue_write_lock(&ss->catalogue);
        snap->to_bookmark = true;
        ss->catalogue.doomed++;
        ssn_catalogue_unlock(&ss->catalogue);
    }
    return rc;
}

int ssn_snapshot_make_bookmark(struct selsnap *ss, uint64_t id) {
    int rc = ssn_check_usable(ss);
    if (rc == SELSNAP_OK) {
        pthread_mutex_lock(&ss->admin);
        rc = make_locked(ss, id);
        pthread_mutex_unlock(&ss->admin);
    }
    return rc;
}
