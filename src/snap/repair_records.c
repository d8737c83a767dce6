/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See repair.h. Records of what the plan carries over, and how they get into the new store. Names are made anew from
 * the records they lead to.
 */
#include "repair.h"

#include "membership.h"
#include "received.h"
#include "restore.h"
#include "retention_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- transactions ---- */

int ssn_repair_commit(struct ssn_repair *repair) {
    int rc = ssn_store_commit(repair->fresh.store, &repair->txn, false);
    ssn_txn_fini(&repair->txn);
    ssn_txn_init(&repair->txn, repair->fresh.store);
    return rc;
}

int ssn_repair_put(struct ssn_repair *repair, const struct ssn_key *key, const uint8_t *value, uint16_t len) {
    int rc = repair->txn.len > SSN_TXN_MAX / 2 ? ssn_repair_commit(repair) : SELSNAP_OK;
    if (rc == SELSNAP_OK) {
        ssn_txn_put(&repair->txn, key, value, len);
    }
    return rc;
}

int ssn_repair_take(struct ssn_repair *repair, unsigned count, uint64_t *ret_place) {
    uint64_t pages = (uint64_t)count * repair->fresh.block_pages;
    uint64_t got;
    return ssn_store_take(repair->fresh.store, pages, pages, ret_place, &got);
}

/* ---- names ---- */

static int put_name(struct ssn_repair *repair, uint8_t kind, const char *name, uint64_t id) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_NAME, ssn_name_hash(kind, name), id);
    return ssn_repair_put(repair, &key, &kind, 1);
}

static int put_label(struct ssn_repair *repair, uint64_t id, const char *name) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_LABEL, id, 0);
    int rc = ssn_repair_put(repair, &key, (const uint8_t *)name, (uint16_t)strlen(name));
    return rc == SELSNAP_OK ? put_name(repair, SSN_NAME_SNAPSHOT, name, id) : rc;
}

/* A name for a snapshot that has lost its own. All others are in the new store's index. */
static int make_label(struct ssn_repair *repair, uint64_t id) {
    char name[SELSNAP_NAME_MAX + 1];
    struct ssn_item item;
    int rc = ssn_repair_commit(repair);
    for (unsigned i = 1; rc == SELSNAP_OK; i++) {
        (void)snprintf(name, sizeof name, i == 1 ? "repaired-%" PRIu64 : "repaired-%" PRIu64 "-%u", id, i);
        struct ssn_key key = ssn_key_make(SSN_ITEM_NAME, ssn_name_hash(SSN_NAME_SNAPSHOT, name), 0);
        rc = ssn_store_seek(repair->fresh.store, &key, &item);
        if (rc != SELSNAP_OK || item.key.type != SSN_ITEM_NAME || item.key.major != key.major) {
            break;
        }
    }
    if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
        return rc;
    }
    ssn_repair_say(repair, "snapshot %" PRIu64 ": its name is lost; it is now \"%s\"", id, name);
    return put_label(repair, id, name);
}

/* ---- designations ---- */

static int put_ranges(struct ssn_repair *repair, const struct ssn_group *group) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_RANGES, group->id, 0);
    struct ssn_item item;
    int rc;
    if (group->whole) {
        uint8_t all[16];
        ssn_put64(all, 0);
        ssn_put64(all + 8, repair->old.block_count);
        return ssn_repair_put(repair, &key, all, sizeof all);
    }
    while ((rc = ssn_store_seek(repair->old.store, &key, &item)) == SELSNAP_OK && item.key.type == SSN_ITEM_RANGES &&
           item.key.major == group->id) {
        rc = ssn_repair_put(repair, &item.key, item.value, item.len);
        key = item.key;
        if (rc != SELSNAP_OK || !ssn_key_after(&key)) {
            return rc;
        }
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

static int put_designation(struct ssn_repair *repair, const struct ssn_group *group) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_DESIGNATION, group->id, 0);
    struct ssn_item item;
    struct ssn_designation_record old;
    struct ssn_designation_record record = {
        .state = SSN_DESIGNATION_READY, .blocks = group->blocks, .ranges = group->whole ? 1 : group->ranges};
    int rc = ssn_store_get(repair->old.store, &key, &item);
    if (rc == SELSNAP_OK && ssn_designation_record_decode(item.value, item.len, &old)) {
        memcpy(record.name, old.name, sizeof record.name);
    } else if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
        return rc;
    }
    if (record.name[0] == '\0' && group->member_count == 0) {
        repair->result.designations_salvaged--; /* it went with its snapshots */
        return SELSNAP_OK;
    }
    uint8_t value[SSN_VALUE_MAX];
    rc = put_ranges(repair, group);
    rc = rc == SELSNAP_OK ? ssn_repair_put(repair, &key, value, ssn_designation_record_encode(value, &record)) : rc;
    return rc == SELSNAP_OK && record.name[0] != '\0' ? put_name(repair, SSN_NAME_DESIGNATION, record.name, group->id)
                                                      : rc;
}

/* ---- snapshots ---- */

static int put_properties(struct ssn_repair *repair, uint64_t id) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_PROPERTY, id, 0);
    struct ssn_key last = ssn_key_make(SSN_ITEM_PROPERTY, id, UINT64_MAX);
    struct ssn_item item;
    char who[SSN_REPAIR_WHO];
    char name[SELSNAP_PROPERTY_KEY_MAX + 1];
    char value[SELSNAP_PROPERTY_VALUE_MAX + 1];
    bool lost = ssn_store_gap_meets(repair->old.store, &key, &last);
    int rc;
    while ((rc = ssn_store_seek(repair->old.store, &key, &item)) == SELSNAP_OK && item.key.type == SSN_ITEM_PROPERTY &&
           item.key.major == id) {
        bool allowed = ssn_property_decode(item.value, item.len, name, value);
        lost = lost || !allowed;
        rc = allowed ? ssn_repair_put(repair, &item.key, item.value, item.len) : SELSNAP_OK;
        key = item.key;
        if (rc != SELSNAP_OK || !ssn_key_after(&key)) {
            break;
        }
    }
    if (lost) {
        ssn_repair_who(repair, id, who);
        ssn_repair_say(repair, "%s: properties of it may be lost", who);
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

/* Whether the value of a hold or a term is one. */
static bool term_allowed(struct ssn_repair *repair, const struct ssn_item *item) {
    struct ssn_hold_record hold;
    struct ssn_term_record term;
    return item->key.type == SSN_ITEM_HOLD
               ? item->key.minor < ssn_store_next_id(repair->old.store) &&
                     ssn_hold_record_decode(item->value, item->len, &hold)
               : item->key.minor == 0 && ssn_term_record_decode(item->value, item->len, &term);
}

/* Holds, or the term, whichever the type says. */
static int put_terms(struct ssn_repair *repair, uint64_t id, uint8_t type, const char *what) {
    struct ssn_key key = ssn_key_make(type, id, 0);
    struct ssn_key last = ssn_key_make(type, id, type == SSN_ITEM_HOLD ? UINT64_MAX : 0);
    struct ssn_item item;
    char who[SSN_REPAIR_WHO];
    bool lost = ssn_store_gap_meets(repair->old.store, &key, &last);
    int rc;
    while ((rc = ssn_store_seek(repair->old.store, &key, &item)) == SELSNAP_OK && item.key.type == type &&
           item.key.major == id) {
        bool allowed = term_allowed(repair, &item);
        lost = lost || !allowed;
        rc = allowed ? ssn_repair_put(repair, &item.key, item.value, item.len) : SELSNAP_OK;
        key = item.key;
        if (rc != SELSNAP_OK || !ssn_key_after(&key)) {
            break;
        }
    }
    if (lost) {
        ssn_repair_who(repair, id, who);
        ssn_repair_say(repair, "%s: %s of it may be lost", who, what);
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

/* Where it was imported from, or that it is the safety of an import that is not finished. */
static int put_received(struct ssn_repair *repair, uint64_t id) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_RECEIVED, id, 0);
    struct ssn_item item;
    struct ssn_received_record record;
    char who[SSN_REPAIR_WHO];
    bool lost = ssn_store_gap_meets(repair->old.store, &key, &key);
    int rc = ssn_store_get(repair->old.store, &key, &item);
    if (rc == SELSNAP_OK && ssn_received_record_decode(item.value, item.len, &record)) {
        return ssn_repair_put(repair, &key, item.value, item.len);
    }
    if (lost || rc == SELSNAP_OK) {
        ssn_repair_who(repair, id, who);
        ssn_repair_say(repair, "%s: if it was imported, it is not known from where", who);
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

/* The group that the snapshot was made in. */
static int put_membership(struct ssn_repair *repair, uint64_t id) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_MEMBERSHIP, id, 0);
    struct ssn_item item;
    struct ssn_membership membership;
    char who[SSN_REPAIR_WHO];
    int rc = ssn_store_get(repair->old.store, &key, &item);
    bool sound = rc == SELSNAP_OK && ssn_membership_decode(item.value, item.len, &membership);
    if (sound) {
        return ssn_repair_put(repair, &key, item.value, item.len);
    }
    if (rc == SELSNAP_OK || (rc == SELSNAP_ENOENT && ssn_store_gap_meets(repair->old.store, &key, &key))) {
        ssn_repair_who(repair, id, who);
        ssn_repair_say(repair, "%s: the group that it was made in, if any, is lost", who);
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

static int put_snapshot(struct ssn_repair *repair, const struct ssn_snap *snap) {
    uint8_t value[SSN_VALUE_MAX];
    char name[SELSNAP_NAME_MAX + 1];
    struct ssn_key key = ssn_key_make(SSN_ITEM_SNAPSHOT, snap->id, 0);
    int rc = ssn_repair_put(repair, &key, value, ssn_snapshot_record_encode(value, &snap->record));
    rc = rc == SELSNAP_OK ? ssn_repair_label(repair, snap->id, name) : rc;
    if (rc == SELSNAP_OK && name[0] != '\0') {
        rc = put_label(repair, snap->id, name);
    }
    rc = rc == SELSNAP_OK ? put_properties(repair, snap->id) : rc;
    rc = rc == SELSNAP_OK ? put_terms(repair, snap->id, SSN_ITEM_HOLD, "holds") : rc;
    rc = rc == SELSNAP_OK ? put_terms(repair, snap->id, SSN_ITEM_TERM, "the expiry") : rc;
    rc = rc == SELSNAP_OK ? put_received(repair, snap->id) : rc;
    return rc == SELSNAP_OK ? put_membership(repair, snap->id) : rc;
}

int ssn_repair_records(struct ssn_repair *repair) {
    struct ssn_catalogue *catalogue = &repair->old.catalogue;
    int rc = SELSNAP_OK;
    for (size_t i = 0; rc == SELSNAP_OK && i < catalogue->group_count; i++) {
        rc = put_designation(repair, catalogue->groups[i]);
    }
    for (size_t i = 0; rc == SELSNAP_OK && i < catalogue->snap_count; i++) {
        rc = put_snapshot(repair, catalogue->snaps[i]);
    }
    for (size_t i = 0; rc == SELSNAP_OK && i < catalogue->snap_count; i++) {
        char name[SELSNAP_NAME_MAX + 1];
        rc = ssn_repair_label(repair, catalogue->snaps[i]->id, name);
        if (rc == SELSNAP_OK && name[0] == '\0') {
            rc = make_label(repair, catalogue->snaps[i]->id);
        }
    }
    return rc;
}

/* ---- restores, state ---- */

static int put_job(struct ssn_repair *repair, const struct ssn_job *job) {
    uint8_t value[SSN_VALUE_MAX];
    struct ssn_key key = ssn_key_make(SSN_ITEM_JOB, job->id, 0);
    int rc = ssn_repair_put(repair, &key, value, ssn_job_record_encode(value, &job->record));
    key = ssn_key_make(SSN_ITEM_RESTORED, job->id, 0);
    const struct ssn_map_node *node;
    while (rc == SELSNAP_OK && (node = ssn_map_seek(job->done, &key)) != NULL) {
        /* What is done, without what follows there: how much of it is recorded. */
        rc = ssn_repair_put(repair, &node->key, node->value, SSN_RESTORED_BYTES);
        key = node->key;
        if (!ssn_key_after(&key)) {
            break;
        }
    }
    return rc;
}

int ssn_repair_jobs_and_state(struct ssn_repair *repair) {
    struct ssn_catalogue *catalogue = &repair->old.catalogue;
    int rc = SELSNAP_OK;
    for (size_t i = 0; rc == SELSNAP_OK && i < catalogue->job_count; i++) {
        rc = put_job(repair, catalogue->jobs[i]);
    }
    struct ssn_key key = ssn_key_make(SSN_ITEM_STATE, 1, 0);
    struct ssn_item item;
    bool lost = repair->any_lost || ssn_store_gap_meets(repair->old.store, &key, &key);
    if (rc == SELSNAP_OK && !lost) {
        rc = ssn_store_get(repair->old.store, &key, &item);
        lost = rc == SELSNAP_OK;
        rc = rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
    }
    const uint8_t set = 1;
    return rc == SELSNAP_OK && lost ? ssn_repair_put(repair, &key, &set, 1) : rc;
}
