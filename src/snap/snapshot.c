/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See snapshot.h; snapshots are made in snapshot_make.c. Everything here holds admin. What cannot be decided because the
 * store failed stays DOOMED: it counts for writers, nobody sees it, and it is deleted when the store answers again.
 */
#include "snapshot.h"

#include "bookmark.h"
#include "deferred.h"
#include "designation.h"
#include "layers.h"
#include "reclaim.h"
#include "restore.h"
#include "retention_inner.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* ---- names ---- */

/* The label of a snapshot; SELSNAP_EDAMAGED when it is missing or not allowed. */
static int read_label(struct selsnap *ss, uint64_t id, char *ret_name) {
    struct ssn_item item;
    struct ssn_key key = ssn_key_make(SSN_ITEM_LABEL, id, 0);
    int rc = ssn_store_get(ss->store, &key, &item);
    if (rc == SELSNAP_ENOENT || (rc == SELSNAP_OK && (item.len == 0 || item.len > SELSNAP_NAME_MAX))) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the name of snapshot %" PRIu64 " is damaged", id);
    }
    if (rc == SELSNAP_OK) {
        memcpy(ret_name, item.value, item.len);
        ret_name[item.len] = '\0';
    }
    return rc;
}

int ssn_snapshot_id_of(struct selsnap *ss, const char *name, uint64_t *ret_id) {
    if (!ssn_name_valid(name)) {
        return ssn_fail(&ss->report, SELSNAP_EINVAL, "a name has 1 to %d bytes of UTF-8 without control characters",
                        SELSNAP_NAME_MAX);
    }
    struct ssn_key key = ssn_key_make(SSN_ITEM_NAME, ssn_name_hash(SSN_NAME_SNAPSHOT, name), 0);
    struct ssn_item item;
    uint64_t hash = key.major;
    int rc;
    while ((rc = ssn_store_seek(ss->store, &key, &item)) == SELSNAP_OK && item.key.type == SSN_ITEM_NAME &&
           item.key.major == hash) {
        char label[SELSNAP_NAME_MAX + 1];
        const struct ssn_snap *snap = ssn_catalogue_find(&ss->catalogue, item.key.minor);
        bool live = item.len == 1 && item.value[0] == SSN_NAME_SNAPSHOT && snap != NULL && snap->state == SSN_SNAP_LIVE;
        if (live) {
            rc = read_label(ss, snap->id, label);
            if (rc != SELSNAP_OK) {
                return rc;
            }
            if (strcmp(label, name) == 0) {
                *ret_id = snap->id;
                return SELSNAP_OK;
            }
        }
        key = item.key;
        if (!ssn_key_after(&key)) {
            break;
        }
    }
    if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
        return rc;
    }
    return ssn_fail(&ss->report, SELSNAP_ENOENT, "there is no snapshot \"%s\"", name);
}

int ssn_snapshot_refuse_taken(struct selsnap *ss, const char *name) {
    uint64_t id;
    int rc = ssn_snapshot_id_of(ss, name, &id);
    if (rc == SELSNAP_OK) {
        return ssn_fail(&ss->report, SELSNAP_EEXIST, "snapshot %" PRIu64 " has the name \"%s\"", id, name);
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

static struct ssn_key name_key(const char *name, uint64_t id) {
    return ssn_key_make(SSN_ITEM_NAME, ssn_name_hash(SSN_NAME_SNAPSHOT, name), id);
}

void ssn_snapshot_put_name(struct ssn_txn *txn, uint64_t id, const char *name) {
    struct ssn_key label = ssn_key_make(SSN_ITEM_LABEL, id, 0);
    struct ssn_key key = name_key(name, id);
    uint8_t kind = SSN_NAME_SNAPSHOT;
    ssn_txn_put(txn, &label, (const uint8_t *)name, (uint16_t)strlen(name));
    ssn_txn_put(txn, &key, &kind, 1);
}

void ssn_snapshot_put_record(struct ssn_txn *txn, const struct ssn_snap *snap) {
    uint8_t value[SSN_VALUE_MAX];
    struct ssn_key key = ssn_key_make(SSN_ITEM_SNAPSHOT, snap->id, 0);
    ssn_txn_put(txn, &key, value, ssn_snapshot_record_encode(value, &snap->record));
}

void ssn_snapshot_put_received(struct ssn_txn *txn, uint64_t id, const struct ssn_received_record *record) {
    uint8_t value[SSN_VALUE_MAX];
    struct ssn_key key = ssn_key_make(SSN_ITEM_RECEIVED, id, 0);
    ssn_txn_put(txn, &key, value, ssn_received_record_encode(value, record));
}

void ssn_snapshot_set_state(struct selsnap *ss, struct ssn_snap *snap, enum ssn_snap_state state) {
    ssn_catalogue_write_lock(&ss->catalogue);
    ss->catalogue.doomed += state == SSN_SNAP_DOOMED;
    snap->state = state;
    ssn_catalogue_unlock(&ss->catalogue);
}

/* ---- deleting ---- */

/* Deletes all items of a snapshot but its entries. */
int ssn_snapshot_commit_delete(struct selsnap *ss, struct ssn_snap *snap) {
    char name[SELSNAP_NAME_MAX + 1];
    struct ssn_item item;
    struct ssn_txn txn;
    bool ever;
    (void)ssn_store_settle(ss->store, &ever); /* a rename that failed; where it still fails, so does what follows */
    ssn_txn_init(&txn, ss->store);
    struct ssn_key record = ssn_key_make(SSN_ITEM_SNAPSHOT, snap->id, 0);
    struct ssn_key label = ssn_key_make(SSN_ITEM_LABEL, snap->id, 0);
    ssn_txn_delete(&txn, &record);
    if (read_label(ss, snap->id, name) == SELSNAP_OK) {
        struct ssn_key key = name_key(name, snap->id);
        ssn_txn_delete(&txn, &key);
        ssn_txn_delete(&txn, &label);
    }
    struct ssn_key key = ssn_key_make(SSN_ITEM_PROPERTY, snap->id, 0);
    while (ssn_store_seek(ss->store, &key, &item) == SELSNAP_OK && item.key.type == SSN_ITEM_PROPERTY &&
           item.key.major == snap->id) {
        ssn_txn_delete(&txn, &item.key);
        key = item.key;
        (void)ssn_key_after(&key);
    }
    ssn_retention_put_delete(ss, &txn, snap->id);
    key = ssn_key_make(SSN_ITEM_RECEIVED, snap->id, 0);
    if (ssn_store_get(ss->store, &key, &item) == SELSNAP_OK) {
        ssn_txn_delete(&txn, &key);
    }
    key = ssn_key_make(SSN_ITEM_MEMBERSHIP, snap->id, 0);
    if (ssn_store_get(ss->store, &key, &item) != SELSNAP_ENOENT) {
        ssn_txn_delete(&txn, &key);
    }
    key = ssn_key_make(SSN_ITEM_SIZE, snap->id, 0);
    if (ssn_store_get(ss->store, &key, &item) != SELSNAP_ENOENT) {
        ssn_txn_delete(&txn, &key);
    }
    ssn_layers_put_release(ss, &txn, snap);
    ssn_reclaim_note_delete(ss, &txn);
    bool dropped = ssn_designation_release(ss, &txn, snap->group, snap);
    int rc = ssn_store_commit(ss->store, &txn, true);
    ssn_txn_fini(&txn);
    ssn_layers_released(ss, snap, rc);
    if (rc != SELSNAP_OK) {
        ssn_reclaim_note_failed(ss);
    } else if (dropped) {
        ssn_designation_dropped(ss, snap->group);
    }
    return rc;
}

int ssn_snapshot_settle_doomed(struct selsnap *ss) {
    uint64_t id = 0;
    while (ss->catalogue.doomed > 0) {
        struct ssn_snap *snap = ssn_catalogue_next(&ss->catalogue, id);
        if (snap == NULL) {
            break;
        }
        id = snap->id;
        if (snap->state != SSN_SNAP_DOOMED && !snap->to_bookmark) {
            continue;
        }
        int rc = ssn_reclaim_settle(ss); /* whatever failed has landed now, or never will */
        rc = rc == SELSNAP_OK ? ssn_layers_settle(ss) : rc;
        if (snap->state != SSN_SNAP_DOOMED) {
            rc = rc == SELSNAP_OK ? ssn_bookmark_finish(ss, snap) : rc;
            if (rc != SELSNAP_OK) {
                return rc;
            }
            continue;
        }
        rc = rc == SELSNAP_OK ? ssn_snapshot_commit_delete(ss, snap) : rc;
        if (rc != SELSNAP_OK) {
            return rc;
        }
        ss->catalogue.doomed--;
        ssn_catalogue_remove(&ss->catalogue, snap);
    }
    return SELSNAP_OK;
}

int ssn_snapshot_find_live(struct selsnap *ss, uint64_t id, struct ssn_snap **ret_snap) {
    struct ssn_snap *snap = ssn_catalogue_find(&ss->catalogue, id);
    if (snap == NULL || snap->state != SSN_SNAP_LIVE) {
        return ssn_fail(&ss->report, SELSNAP_ENOENT, "no snapshot has id %" PRIu64, id);
    }
    *ret_snap = snap;
    return SELSNAP_OK;
}

int ssn_snapshot_refuse_used(struct selsnap *ss, const struct ssn_snap *snap) {
    (void)ssn_restore_settle(ss); /* one that failed to start may hold it, and then still does */
    uint32_t holds = 0;
    int rc = ssn_hold_count(ss, snap, &holds);
    if (rc != SELSNAP_OK || holds > 0) {
        return rc != SELSNAP_OK
                   ? rc
                   : ssn_fail(&ss->report, SELSNAP_EHELD,
                              "snapshot %" PRIu64 " has %" PRIu32 " holds; release them first", snap->id, holds);
    }
    ssn_catalogue_read_lock(&ss->catalogue);
    uint32_t views = snap->views;
    bool used = views != 0 || snap->restores != 0;
    ssn_catalogue_unlock(&ss->catalogue);
    return used ? ssn_fail(&ss->report, SELSNAP_EBUSY, "snapshot %" PRIu64 " is in use by %s", snap->id,
                           views > 0 ? "an open view" : "a restore that is not finished")
                : SELSNAP_OK;
}

int ssn_snapshot_delete_locked(struct selsnap *ss, uint64_t id) {
    struct ssn_snap *snap = NULL;
    int rc = ssn_snapshot_find_live(ss, id, &snap);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    rc = ssn_snapshot_refuse_used(ss, snap);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    ssn_snapshot_set_state(ss, snap, SSN_SNAP_DELETING);
    rc = ssn_layers_settle(ss);
    rc = rc == SELSNAP_OK ? ssn_snapshot_commit_delete(ss, snap) : rc;
    if (snap->to_bookmark && (rc == SELSNAP_OK || rc == SELSNAP_ESTORE)) {
        ss->catalogue.doomed--;
        snap->to_bookmark = false; /* it is gone, or DOOMED instead */
    }
    if (rc == SELSNAP_OK) {
        ssn_catalogue_remove(&ss->catalogue, snap);
    } else {
        ssn_snapshot_set_state(ss, snap, rc == SELSNAP_ESTORE ? SSN_SNAP_DOOMED : SSN_SNAP_LIVE);
    }
    return rc;
}

int ssn_snapshot_delete(struct selsnap *ss, uint64_t id) {
    pthread_mutex_lock(&ss->admin);
    int rc = ssn_snapshot_delete_locked(ss, id);
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

/* ---- changing ---- */

static int rename_locked(struct selsnap *ss, uint64_t id, const char *name) {
    struct ssn_snap *snap = NULL;
    char old[SELSNAP_NAME_MAX + 1];
    /* What failed before may yet take a name, or change one: first it is known. */
    bool ever;
    int rc = ssn_snapshot_find_live(ss, id, &snap);
    rc = rc == SELSNAP_OK ? ssn_store_settle(ss->store, &ever) : rc;
    rc = rc == SELSNAP_OK ? ssn_snapshot_settle_doomed(ss) : rc;
    rc = rc == SELSNAP_OK ? read_label(ss, id, old) : rc;
    if (rc != SELSNAP_OK || strcmp(old, name) == 0) {
        return rc;
    }
    rc = ssn_snapshot_refuse_taken(ss, name);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    struct ssn_txn txn;
    ssn_txn_init(&txn, ss->store);
    struct ssn_key key = name_key(old, id);
    ssn_txn_delete(&txn, &key);
    ssn_snapshot_put_name(&txn, id, name);
    rc = ssn_store_commit(ss->store, &txn, true);
    ssn_txn_fini(&txn);
    return rc;
}

int ssn_snapshot_rename(struct selsnap *ss, uint64_t id, const char *name) {
    if (!ssn_name_valid(name)) {
        bool longer = name != NULL && strlen(name) > SELSNAP_NAME_MAX;
        return ssn_fail(&ss->report, longer ? SELSNAP_ELIMIT : SELSNAP_EINVAL,
                        "a name has 1 to %d bytes of UTF-8 without control characters", SELSNAP_NAME_MAX);
    }
    pthread_mutex_lock(&ss->admin);
    int rc = rename_locked(ss, id, name);
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

static int change_holds_locked(struct selsnap *ss, uint64_t id, int by) {
    struct ssn_snap *snap = NULL;
    int rc = ssn_snapshot_find_live(ss, id, &snap);
    rc = rc == SELSNAP_OK ? ssn_layers_settle(ss) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (by < 0 && snap->record.holds == 0) {
        return ssn_fail(&ss->report, SELSNAP_EINVAL, "snapshot %" PRIu64 " has no hold to release", id);
    }
    if (by > 0 && snap->record.holds == UINT32_MAX) {
        return ssn_fail(&ss->report, SELSNAP_ELIMIT, "snapshot %" PRIu64 " has as many holds as there can be", id);
    }
    rc = snap->to_bookmark ? ssn_snapshot_settle_doomed(ss) : SELSNAP_OK;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    /* Whoever flushes its overlay changes the record without admin. */
    ssn_catalogue_read_lock(&ss->catalogue);
    struct ssn_snap changed = *snap;
    ssn_catalogue_unlock(&ss->catalogue);
    changed.record.holds += (uint32_t)by;
    struct ssn_txn txn;
    ssn_txn_init(&txn, ss->store);
    ssn_snapshot_put_record(&txn, &changed);
    rc = ssn_store_commit(ss->store, &txn, true);
    ssn_txn_fini(&txn);
    if (rc == SELSNAP_OK) {
        ssn_catalogue_write_lock(&ss->catalogue);
        snap->record.holds = changed.record.holds;
        ssn_catalogue_unlock(&ss->catalogue);
    }
    return rc;
}

int ssn_snapshot_change_holds(struct selsnap *ss, uint64_t id, int by) {
    pthread_mutex_lock(&ss->admin);
    int rc = change_holds_locked(ss, id, by);
    pthread_mutex_unlock(&ss->admin);
    return rc;
}
