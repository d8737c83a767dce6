/* SPDX-License-Identifier: Apache-2.0 */
/* See inspect_check.h. Here: the records of designations, snapshots and jobs, and that they refer to what is there. */
#include "inspect_check.h"
#include "layer.h"

#include "membership.h"
#include "received.h"
#include "retention_record.h"

#include <inttypes.h>
#include <string.h>

/* SELSNAP_OK with whether the key is there; ret_item may be NULL. */
static int look(struct ssn_check *check, uint8_t type, uint64_t major, uint64_t minor, struct ssn_item *ret_item,
                bool *ret_there) {
    struct ssn_key key = ssn_key_make(type, major, minor);
    struct ssn_item item;
    int rc = ssn_store_get(check->ss->store, &key, ret_item != NULL ? ret_item : &item);
    if (rc == SELSNAP_OK || rc == SELSNAP_ENOENT) {
        *ret_there = rc == SELSNAP_OK;
        rc = SELSNAP_OK;
    }
    return rc;
}

/* Whether a ready designation of that id is there. */
static int look_designation(struct ssn_check *check, uint64_t id, bool *ret_ready) {
    struct ssn_item item;
    struct ssn_designation_record record;
    bool there = false;
    int rc = look(check, SSN_ITEM_DESIGNATION, id, 0, &item, &there);
    if (rc == SELSNAP_OK) {
        *ret_ready = there && ssn_designation_record_decode(item.value, item.len, &record) &&
                     record.state == SSN_DESIGNATION_READY;
    }
    return rc;
}

/* Whether the index leads from the name to the id. */
static int look_name(struct ssn_check *check, uint8_t kind, const char *name, uint64_t id, bool *ret_there) {
    struct ssn_item item;
    bool there = false;
    int rc = look(check, SSN_ITEM_NAME, ssn_name_hash(kind, name), id, &item, &there);
    if (rc == SELSNAP_OK) {
        *ret_there = there && item.len == 1 && item.value[0] == kind;
    }
    return rc;
}

/* ---- designations ---- */

/* Adds up what the designation's items hold. */
static int sum_ranges(struct ssn_check *check, uint64_t id, uint64_t *ret_blocks, uint64_t *ret_ranges,
                      bool *ret_ordered) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_RANGES, id, 0);
    struct ssn_item item;
    uint64_t end = 0;
    int rc;
    *ret_blocks = 0;
    *ret_ranges = 0;
    *ret_ordered = true;
    while ((rc = ssn_store_seek(check->ss->store, &key, &item)) == SELSNAP_OK && item.key.type == SSN_ITEM_RANGES &&
           item.key.major == id) {
        unsigned count = item.len % 16 == 0 ? ssn_ranges_count(item.len) : 0;
        for (unsigned i = 0; i < count; i++) {
            uint64_t first = ssn_range_first(item.value, i);
            uint64_t blocks = ssn_range_blocks(item.value, i);
            *ret_ordered = *ret_ordered && first >= end;
            *ret_blocks += blocks;
            end = first + blocks;
        }
        *ret_ranges += count;
        key = item.key;
        (void)ssn_key_after(&key);
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

static int check_ready(struct ssn_check *check, uint64_t id, const struct ssn_designation_record *record) {
    uint64_t blocks;
    uint64_t ranges;
    bool ordered;
    int rc = sum_ranges(check, id, &blocks, &ranges, &ordered);
    if (rc == SELSNAP_OK && (blocks != record->blocks || ranges != record->ranges)) {
        ssn_check_problem(check,
                          "designation %" PRIu64 ": the record says %" PRIu64 " blocks in %" PRIu64
                          " ranges, the ranges are %" PRIu64 " in %" PRIu64,
                          id, record->blocks, record->ranges, blocks, ranges);
    }
    if (rc == SELSNAP_OK && !ordered) {
        ssn_check_problem(check, "designation %" PRIu64 ": its ranges overlap", id);
    }
    bool there = record->name[0] == '\0';
    if (rc == SELSNAP_OK && !there) {
        rc = look_name(check, SSN_NAME_DESIGNATION, record->name, id, &there);
    }
    if (rc == SELSNAP_OK && !there) {
        ssn_check_problem(check, "designation %" PRIu64 ": its name \"%s\" does not lead to it", id, record->name);
    }
    return rc;
}

int ssn_check_designation(struct ssn_check *check) {
    struct ssn_designation_record record;
    uint64_t id = check->key->major;
    if (check->key->minor != 0 || !ssn_designation_record_decode(check->value, check->len, &record)) {
        ssn_check_problem(check, "designation %" PRIu64 ": its record is malformed", id);
        return SELSNAP_OK;
    }
    ssn_check_id(check, "designation", id);
    if (record.state != SSN_DESIGNATION_READY) {
        return SELSNAP_OK;
    }
    return ssn_check_failure(check, "designation", check_ready(check, id, &record));
}

int ssn_check_ranges(struct ssn_check *check) {
    uint64_t id = check->key->major;
    if (!ssn_ranges_valid(check->key->minor, check->value, check->len)) {
        ssn_check_problem(check, "designation %" PRIu64 ": its ranges from block %" PRIu64 " on are malformed", id,
                          check->key->minor);
        return SELSNAP_OK;
    }
    unsigned last = ssn_ranges_count(check->len) - 1;
    if (ssn_range_first(check->value, last) + ssn_range_blocks(check->value, last) > check->ss->block_count) {
        ssn_check_problem(check,
                          "designation %" PRIu64 ": its ranges from block %" PRIu64 " on reach beyond the origin", id,
                          check->key->minor);
    }
    bool there = false;
    int rc = look(check, SSN_ITEM_DESIGNATION, id, 0, NULL, &there);
    if (rc == SELSNAP_OK && !there) {
        ssn_check_problem(check, "designation %" PRIu64 ": there are ranges, but no record", id);
    }
    return ssn_check_failure(check, "ranges", rc);
}

/* ---- names ---- */

/* The name that the record of the id says it has. */
static int name_of(struct ssn_check *check, uint8_t kind, uint64_t id, char *ret_name) {
    struct ssn_item item;
    struct ssn_designation_record record;
    bool there = false;
    ret_name[0] = '\0';
    int rc = look(check, kind == SSN_NAME_SNAPSHOT ? SSN_ITEM_LABEL : SSN_ITEM_DESIGNATION, id, 0, &item, &there);
    if (rc != SELSNAP_OK || !there) {
        return rc;
    }
    if (kind == SSN_NAME_SNAPSHOT && !ssn_name_decode(item.value, item.len, ret_name)) {
        ret_name[0] = '\0';
    }
    if (kind == SSN_NAME_DESIGNATION && ssn_designation_record_decode(item.value, item.len, &record)) {
        memcpy(ret_name, record.name, sizeof record.name);
    }
    return rc;
}

int ssn_check_name(struct ssn_check *check) {
    uint64_t id = check->key->minor;
    uint8_t kind = check->len == 1 ? check->value[0] : 0;
    if (kind != SSN_NAME_SNAPSHOT && kind != SSN_NAME_DESIGNATION) {
        ssn_check_problem(check, "name of %" PRIu64 ": its value is malformed", id);
        return SELSNAP_OK;
    }
    char name[SELSNAP_NAME_MAX + 1];
    int rc = name_of(check, kind, id, name);
    if (rc == SELSNAP_OK && (name[0] == '\0' || ssn_name_hash(kind, name) != check->key->major)) {
        ssn_check_problem(check, "a name leads to %s %" PRIu64 ", which does not have it",
                          kind == SSN_NAME_SNAPSHOT ? "snapshot" : "designation", id);
    }
    return ssn_check_failure(check, "name", rc);
}

/* ---- snapshots ---- */

static int check_snapshot_refs(struct ssn_check *check, uint64_t id, const struct ssn_snapshot_record *record) {
    bool ready = false;
    int rc = look_designation(check, record->designation, &ready);
    if (rc == SELSNAP_OK && !ready) {
        ssn_check_problem(check, "snapshot %" PRIu64 ": its designation %" PRIu64 " is not there", id,
                          record->designation);
    }
    bool there = false;
    struct ssn_item label;
    if (rc == SELSNAP_OK) {
        rc = look(check, SSN_ITEM_LABEL, id, 0, &label, &there);
    }
    if (rc == SELSNAP_OK && !there) {
        ssn_check_problem(check, "snapshot %" PRIu64 ": it has no name", id);
    }
    return rc;
}

int ssn_check_snapshot(struct ssn_check *check) {
    struct ssn_snapshot_record record;
    uint64_t id = check->key->major;
    if (check->key->minor != 0 || !ssn_snapshot_record_decode(check->value, check->len, &record)) {
        ssn_check_problem(check, "snapshot %" PRIu64 ": its record is malformed", id);
        return SELSNAP_OK;
    }
    ssn_check_id(check, "snapshot", id);
    ssn_check_epoch(check, record.point);
    if (record.overlay != 0) {
        ssn_check_id(check, "overlay", record.overlay);
    }
    return ssn_check_failure(check, "snapshot", check_snapshot_refs(check, id, &record));
}

int ssn_check_label(struct ssn_check *check) {
    uint64_t id = check->key->major;
    char name[SELSNAP_NAME_MAX + 1];
    if (check->key->minor != 0 || !ssn_name_decode(check->value, check->len, name)) {
        ssn_check_problem(check, "snapshot %" PRIu64 ": its name is malformed", id);
        return SELSNAP_OK;
    }
    bool there = false;
    int rc = look(check, SSN_ITEM_SNAPSHOT, id, 0, NULL, &there);
    if (rc == SELSNAP_OK && !there) {
        ssn_check_problem(check, "snapshot %" PRIu64 ": there is a name, \"%s\", but no record", id, name);
    }
    if (rc == SELSNAP_OK) {
        rc = look_name(check, SSN_NAME_SNAPSHOT, name, id, &there);
    }
    if (rc == SELSNAP_OK && !there) {
        ssn_check_problem(check, "snapshot %" PRIu64 ": its name \"%s\" does not lead to it", id, name);
    }
    return ssn_check_failure(check, "name of snapshot", rc);
}

int ssn_check_property(struct ssn_check *check) {
    uint64_t id = check->key->major;
    char key[SELSNAP_PROPERTY_KEY_MAX + 1];
    char value[SELSNAP_PROPERTY_VALUE_MAX + 1];
    if (!ssn_property_decode(check->value, check->len, key, value)) {
        ssn_check_problem(check, "snapshot %" PRIu64 ": its property %" PRIu64 " is malformed", id, check->key->minor);
        return SELSNAP_OK;
    }
    bool there = false;
    int rc = look(check, SSN_ITEM_SNAPSHOT, id, 0, NULL, &there);
    if (rc == SELSNAP_OK && !there) {
        ssn_check_problem(check, "snapshot %" PRIu64 ": there is a property, \"%s\", but no record", id, key);
    }
    return ssn_check_failure(check, "property of snapshot", rc);
}

int ssn_check_received(struct ssn_check *check) {
    uint64_t id = check->key->major;
    struct ssn_received_record record;
    if (check->key->minor != 0 || !ssn_received_record_decode(check->value, check->len, &record)) {
        ssn_check_problem(check, "snapshot %" PRIu64 ": what it was received from is malformed", id);
        return SELSNAP_OK;
    }
    bool there = false;
    int rc = look(check, SSN_ITEM_SNAPSHOT, id, 0, NULL, &there);
    if (rc == SELSNAP_OK && !there) {
        ssn_check_problem(check, "snapshot %" PRIu64 ": it was received, but there is no record", id);
    }
    return ssn_check_failure(check, "received snapshot", rc);
}

int ssn_check_membership(struct ssn_check *check) {
    uint64_t id = check->key->major;
    struct ssn_membership membership;
    if (check->key->minor != 0 || !ssn_membership_decode(check->value, check->len, &membership)) {
        ssn_check_problem(check, "snapshot %" PRIu64 ": what is noted of its group is malformed", id);
        return SELSNAP_OK;
    }
    bool there = false;
    int rc = look(check, SSN_ITEM_SNAPSHOT, id, 0, NULL, &there);
    if (rc == SELSNAP_OK && !there) {
        ssn_check_problem(check, "snapshot %" PRIu64 ": a group is noted, but there is no record", id);
    }
    return ssn_check_failure(check, "group of snapshot", rc);
}

int ssn_check_size(struct ssn_check *check) {
    uint64_t id = check->key->major;
    uint64_t bytes = 0;
    if (check->key->minor != 0 || !ssn_size_decode(check->value, check->len, &bytes) ||
        bytes > check->ss->extent_bytes) {
        ssn_check_problem(check, "snapshot %" PRIu64 ": the size that its origin had is malformed", id);
        return SELSNAP_OK;
    }
    bool there = false;
    int rc = look(check, SSN_ITEM_SNAPSHOT, id, 0, NULL, &there);
    if (rc == SELSNAP_OK && !there) {
        ssn_check_problem(check, "snapshot %" PRIu64 ": a size is noted, but there is no record", id);
    }
    return ssn_check_failure(check, "size of snapshot", rc);
}

/* ---- jobs, state ---- */

static int check_restore(struct ssn_check *check, uint64_t id, const struct ssn_job_record *record) {
    bool there = false;
    int rc = look(check, SSN_ITEM_SNAPSHOT, record->subject, 0, NULL, &there);
    if (rc == SELSNAP_OK && !there) {
        ssn_check_problem(check, "restore %" PRIu64 ": its source, snapshot %" PRIu64 ", is not there", id,
                          record->subject);
    }
    if (rc == SELSNAP_OK) {
        rc = look_designation(check, record->designation, &there);
    }
    if (rc == SELSNAP_OK && !there) {
        ssn_check_problem(check, "restore %" PRIu64 ": its designation %" PRIu64 " is not there", id,
                          record->designation);
    }
    return rc;
}

int ssn_check_job(struct ssn_check *check) {
    struct ssn_job_record record;
    uint64_t id = check->key->major;
    if (check->key->minor != 0 || !ssn_job_record_decode(check->value, check->len, &record)) {
        ssn_check_problem(check, "job %" PRIu64 ": its record is malformed", id);
        return SELSNAP_OK;
    }
    ssn_check_id(check, "job", id);
    if (record.kind == SSN_JOB_DROP_OVERLAY) {
        ssn_check_id(check, "overlay", record.subject);
        return SELSNAP_OK;
    }
    ssn_check_epoch(check, record.point);
    return ssn_check_failure(check, "restore", check_restore(check, id, &record));
}

int ssn_check_restored(struct ssn_check *check) {
    uint64_t id = check->key->major;
    uint64_t runs = ssn_div_up(check->ss->block_count, SSN_RUN_BLOCKS);
    if (check->len != SSN_RESTORED_BYTES || check->key->minor >= runs) {
        ssn_check_problem(check, "restore %" PRIu64 ", run %" PRIu64 ": what is noted as done is malformed", id,
                          check->key->minor);
        return SELSNAP_OK;
    }
    struct ssn_item item;
    struct ssn_job_record record;
    bool there = false;
    int rc = look(check, SSN_ITEM_JOB, id, 0, &item, &there);
    if (rc == SELSNAP_OK &&
        (!there || !ssn_job_record_decode(item.value, item.len, &record) || record.kind != SSN_JOB_RESTORE)) {
        ssn_check_problem(check, "restore %" PRIu64 ", run %" PRIu64 ": there is progress, but no job", id,
                          check->key->minor);
    }
    return ssn_check_failure(check, "restored run of job", rc);
}

int ssn_check_state(struct ssn_check *check) {
    struct ssn_state_record record;
    const struct ssn_key *key = check->key;
    uint64_t quota;
    bool good = key->major == 1 && check->len == 1 && check->value[0] == 1;
    if (key->major == 0) {
        good = ssn_state_record_decode(check->value, check->len, &record);
    } else if (key->major == 2) {
        good = ssn_quota_decode(check->value, check->len, &quota);
    }
    if (!good || key->minor != 0) {
        ssn_check_problem(check, "state %" PRIu64 ": its value is malformed", key->major);
    }
    return SELSNAP_OK;
}

/* ---- overlays ---- */

/* Goes through snapshots, layers or jobs for one that has the overlay. */
static int find_owner(struct ssn_check *check, uint8_t type, uint64_t overlay, bool *ret_owned) {
    struct ssn_key key = ssn_key_make(type, 0, 0);
    struct ssn_item item;
    int rc;
    while ((rc = ssn_store_seek(check->ss->store, &key, &item)) == SELSNAP_OK && item.key.type == type) {
        struct ssn_snapshot_record snap;
        struct ssn_job_record job;
        uint64_t parent;
        if (type == SSN_ITEM_LAYER && ssn_layer_decode(item.key.major, item.value, item.len, &parent) &&
            parent == overlay) {
            *ret_owned = true;
        }
        if (type == SSN_ITEM_SNAPSHOT && ssn_snapshot_record_decode(item.value, item.len, &snap) &&
            snap.overlay == overlay) {
            *ret_owned = true;
        }
        if (type == SSN_ITEM_JOB && ssn_job_record_decode(item.value, item.len, &job) &&
            job.kind == SSN_JOB_DROP_OVERLAY && job.subject == overlay) {
            *ret_owned = true;
        }
        key = item.key;
        if (*ret_owned || !ssn_key_after(&key)) {
            break;
        }
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

int ssn_check_overlay_owner(struct ssn_check *check, uint64_t overlay_id, bool *ret_owned) {
    if (!check->overlay_known || check->overlay_id != overlay_id) {
        bool owned = false;
        int rc = find_owner(check, SSN_ITEM_SNAPSHOT, overlay_id, &owned);
        if (rc == SELSNAP_OK && !owned) {
            rc = find_owner(check, SSN_ITEM_LAYER, overlay_id, &owned);
        }
        if (rc == SELSNAP_OK && !owned) {
            rc = find_owner(check, SSN_ITEM_JOB, overlay_id, &owned);
        }
        if (rc != SELSNAP_OK) {
            return rc;
        }
        check->overlay_known = true;
        check->overlay_owned = owned;
        check->overlay_id = overlay_id;
    }
    *ret_owned = check->overlay_owned;
    return SELSNAP_OK;
}

/* How many overlays there are from this one down; at most SSN_LAYER_CHAIN_MAX + 1. */
static int measure_chain(struct ssn_check *check, uint64_t overlay, unsigned *ret_count) {
    struct ssn_item item;
    bool there = true;
    int rc = SELSNAP_OK;
    for (*ret_count = 1; rc == SELSNAP_OK && there && *ret_count <= SSN_LAYER_CHAIN_MAX; *ret_count += there) {
        rc = look(check, SSN_ITEM_LAYER, overlay, 0, &item, &there);
        there = rc == SELSNAP_OK && there && ssn_layer_decode(overlay, item.value, item.len, &overlay);
    }
    return rc;
}

/* What others lie on never changes, and stays. */
static int check_parent(struct ssn_check *check, uint64_t overlay, uint64_t parent) {
    bool written = false;
    bool dropped = false;
    int rc = find_owner(check, SSN_ITEM_SNAPSHOT, parent, &written);
    rc = rc == SELSNAP_OK ? find_owner(check, SSN_ITEM_JOB, parent, &dropped) : rc;
    if (rc == SELSNAP_OK && (written || dropped)) {
        ssn_check_problem(check, "layer of overlay %" PRIu64 ": it lies on overlay %" PRIu64 ", which is %s", overlay,
                          parent, written ? "written into" : "being dropped");
    }
    return rc;
}

int ssn_check_layer(struct ssn_check *check) {
    uint64_t overlay = check->key->major;
    uint64_t parent;
    if (check->key->minor != 0 || !ssn_layer_decode(overlay, check->value, check->len, &parent)) {
        ssn_check_problem(check, "layer of overlay %" PRIu64 ": its record is malformed", overlay);
        return SELSNAP_OK;
    }
    ssn_check_id(check, "overlay", overlay);
    bool owned = false;
    int rc = find_owner(check, SSN_ITEM_SNAPSHOT, overlay, &owned);
    if (rc == SELSNAP_OK && !owned) {
        rc = find_owner(check, SSN_ITEM_LAYER, overlay, &owned);
    }
    if (rc == SELSNAP_OK && !owned) {
        ssn_check_problem(check, "layer of overlay %" PRIu64 ": no snapshot reads this overlay", overlay);
    }
    rc = rc == SELSNAP_OK ? check_parent(check, overlay, parent) : rc;
    unsigned count = 0;
    rc = rc == SELSNAP_OK ? measure_chain(check, overlay, &count) : rc;
    if (rc == SELSNAP_OK && count > SSN_LAYER_CHAIN_MAX) {
        ssn_check_problem(check, "layer of overlay %" PRIu64 ": there are more than %d below each other", overlay,
                          SSN_LAYER_CHAIN_MAX);
    }
    return ssn_check_failure(check, "layer", rc);
}
