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

/* What a snapshot may have besides its record: items of one type. */
struct belongings {
    uint8_t type;
    uint64_t last; /* the greatest minor */
    bool (*allowed)(struct ssn_repair *repair, const struct ssn_item *item);
    const char *told; /* when some may be lost */
};

static bool property_allowed(struct ssn_repair *repair, const struct ssn_item *item) {
    char name[SELSNAP_PROPERTY_KEY_MAX + 1];
    char value[SELSNAP_PROPERTY_VALUE_MAX + 1];
    (void)repair;
    return ssn_property_decode(item->value, item->len, name, value);
}

static bool hold_allowed(struct ssn_repair *repair, const struct ssn_item *item) {
    struct ssn_hold_record hold;
    return item->key.minor < ssn_store_next_id(repair->old.store) &&
           ssn_hold_record_decode(item->value, item->len, &hold);
}

static bool term_allowed(struct ssn_repair *repair, const struct ssn_item *item) {
    struct ssn_term_record term;
    (void)repair;
    return item->key.minor == 0 && ssn_term_record_decode(item->value, item->len, &term);
}

static bool membership_allowed(struct ssn_repair *repair, const struct ssn_item *item) {
    struct ssn_membership membership;
    (void)repair;
    return item->key.minor == 0 && ssn_membership_decode(item->value, item->len, &membership);
}

static bool received_allowed(struct ssn_repair *repair, const struct ssn_item *item) {
    struct ssn_received_record record;
    (void)repair;
    return item->key.minor == 0 && ssn_received_record_decode(item->value, item->len, &record);
}

static bool size_allowed(struct ssn_repair *repair, const struct ssn_item *item) {
    uint64_t bytes = 0;
    return item->key.minor == 0 && ssn_size_decode(item->value, item->len, &bytes) &&
           bytes <= repair->old.extent_bytes;
}

static const struct belongings all_belongings[] = {
    {SSN_ITEM_PROPERTY, UINT64_MAX, property_allowed, "properties of it may be lost"},
    {SSN_ITEM_HOLD, UINT64_MAX, hold_allowed, "holds of it may be lost"},
    {SSN_ITEM_TERM, 0, term_allowed, "the expiry and quota of it may be lost"},
    {SSN_ITEM_MEMBERSHIP, 0, membership_allowed, "the group that it was made in, if any, is lost"},
    {SSN_ITEM_RECEIVED, 0, received_allowed, "if it was imported, it is not known from where"},
    {SSN_ITEM_SIZE, 0, size_allowed, "the size of its origin is not known, if it was another"},
};

static int put_belongings(struct ssn_repair *repair, uint64_t id, const struct belongings *kind) {
    struct ssn_key key = ssn_key_make(kind->type, id, 0);
    struct ssn_key last = ssn_key_make(kind->type, id, kind->last);
    struct ssn_item item;
    char who[SSN_REPAIR_WHO];
    bool lost = ssn_store_gap_meets(repair->old.store, &key, &last);
    int rc;
    while ((rc = ssn_store_seek(repair->old.store, &key, &item)) == SELSNAP_OK && item.key.type == kind->type &&
           item.key.major == id) {
        bool allowed = kind->allowed(repair, &item);
        lost = lost || !allowed;
        rc = allowed ? ssn_repair_put(repair, &item.key, item.value, item.len) : SELSNAP_OK;
        key = item.key;
        if (rc != SELSNAP_OK || !ssn_key_after(&key)) {
            break;
        }
    }
    if (lost) {
        ssn_repair_who(repair, id, who);
        ssn_repair_say(repair, "%s: %s", who, kind->told);
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
    for (size_t i = 0; rc == SELSNAP_OK && i < sizeof all_belongings / sizeof all_belongings[0]; i++) {
        rc = put_belongings(repair, snap->id, &all_belongings[i]);
    }
    return rc;
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

static int put_quota(struct ssn_repair *repair) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_STATE, 2, 0);
    struct ssn_item item;
    uint64_t bytes;
    bool lost = ssn_store_gap_meets(repair->old.store, &key, &key);
    int rc = lost ? SELSNAP_ENOENT : ssn_store_get(repair->old.store, &key, &item);
    if (rc == SELSNAP_OK && !ssn_quota_decode(item.value, item.len, &bytes)) {
        lost = true;
    } else if (rc == SELSNAP_OK) {
        rc = ssn_repair_put(repair, &key, item.value, item.len);
    }
    if (lost) {
        ssn_repair_say(repair, "the store's quota, if it had one, is lost");
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

int ssn_repair_jobs_and_state(struct ssn_repair *repair) {
    struct ssn_catalogue *catalogue = &repair->old.catalogue;
    int rc = SELSNAP_OK;
    for (size_t i = 0; rc == SELSNAP_OK && i < catalogue->job_count; i++) {
        rc = put_job(repair, catalogue->jobs[i]);
    }
    rc = rc == SELSNAP_OK ? put_quota(repair) : rc;
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
