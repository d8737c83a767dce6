/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the catalogue from the store at open (catalogue.h). admin is held, or nobody else knows the context yet. */
#include "context.h"
#include "layers.h"
#include "restore.h"

#include <inttypes.h>

/* Told an item of the type that is being loaded. */
typedef int (*load_fn)(struct selsnap *ss, const struct ssn_item *item);

static int load_type(struct selsnap *ss, uint8_t type, load_fn load) {
    struct ssn_key key = ssn_key_make(type, 0, 0);
    struct ssn_item item;
    int rc;
    while ((rc = ssn_store_seek(ss->store, &key, &item)) == SELSNAP_OK && item.key.type == type) {
        rc = load(ss, &item);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        key = item.key;
        if (!ssn_key_after(&key)) {
            return SELSNAP_OK;
        }
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

static int damaged(struct selsnap *ss, const char *what, uint64_t id) {
    return ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the record of %s %" PRIu64 " is damaged", what, id);
}

static int no_memory(struct selsnap *ss) {
    return ssn_fail(&ss->report, SELSNAP_EMEMLIMIT,
                    "the snapshots of this store do not fit under the memory limit of %" PRIu64 " bytes",
                    ss->mem.limit);
}

static int load_designation(struct selsnap *ss, const struct ssn_item *item) {
    struct ssn_designation_record record;
    struct ssn_group *group;
    if (!ssn_designation_record_decode(item->value, item->len, &record) || item->key.major == 0) {
        return damaged(ss, "designation", item->key.major);
    }
    if (record.state == SSN_DESIGNATION_BUILDING) {
        record.state = SSN_DESIGNATION_DROPPING; /* whoever was saving it is gone */
    }
    int rc = ssn_catalogue_add_group(&ss->catalogue, &record, item->key.major, ss->block_count, &group);
    return rc == SELSNAP_OK ? rc : no_memory(ss);
}

/* A point that was never taken has no epochs after it, and would be reached once more. */
static bool taken(const struct selsnap *ss, uint64_t point) {
    return point < ssn_store_next_epoch(ss->store);
}

static int load_snapshot(struct selsnap *ss, const struct ssn_item *item) {
    struct ssn_snapshot_record record;
    if (!ssn_snapshot_record_decode(item->value, item->len, &record) || item->key.major == 0 ||
        !taken(ss, record.point)) {
        return damaged(ss, "snapshot", item->key.major);
    }
    struct ssn_group *group = ssn_catalogue_find_group(&ss->catalogue, record.designation);
    if (group == NULL || group->state != SSN_DESIGNATION_READY) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED,
                        "snapshot %" PRIu64 " names designation %" PRIu64 ", which is not there", item->key.major,
                        record.designation);
    }
    struct ssn_snap *snap = ssn_calloc(&ss->mem, 1, sizeof *snap);
    if (snap == NULL || ssn_catalogue_reserve(&ss->catalogue, group) != SELSNAP_OK) {
        ssn_free(&ss->mem, snap);
        return no_memory(ss);
    }
    snap->id = item->key.major;
    snap->record = record;
    snap->state = SSN_SNAP_LIVE;
    ssn_catalogue_add(&ss->catalogue, snap, group);
    return SELSNAP_OK;
}

static int load_job(struct selsnap *ss, const struct ssn_item *item) {
    struct ssn_job_record record;
    if (!ssn_job_record_decode(item->value, item->len, &record) || !taken(ss, record.point)) {
        return damaged(ss, "job", item->key.major);
    }
    return record.kind == SSN_JOB_RESTORE ? ssn_restore_load(ss, item->key.major, &record) : SELSNAP_OK;
}

int ssn_catalogue_load(struct selsnap *ss) {
    int rc = load_type(ss, SSN_ITEM_DESIGNATION, load_designation);
    if (rc == SELSNAP_OK) {
        rc = load_type(ss, SSN_ITEM_SNAPSHOT, load_snapshot);
    }
    if (rc == SELSNAP_OK) {
        rc = load_type(ss, SSN_ITEM_JOB, load_job);
    }
    if (rc == SELSNAP_OK) {
        rc = load_type(ss, SSN_ITEM_LAYER, ssn_layers_load);
    }
    if (rc == SELSNAP_OK) {
        rc = ssn_layers_loaded(ss);
    }
    return rc;
}
