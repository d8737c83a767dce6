/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See repair.h. What is carried over goes into old's catalogue, so that whoever asks it meets nothing else. A
 * designation is sound if its ranges add up to what its record says; a snapshot if its record, its designation and the
 * index of what was written into it are known; a restore if all its records are.
 */
#include "repair.h"

#include "layer.h"

#include "designation.h"
#include "restore.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Blocks of an overlay that may be recorded as lost, an item each; with more the snapshot is left out. */
enum { UNKNOWN_WRITTEN_MAX = 1 << 18 };

typedef int (*plan_fn)(struct ssn_repair *repair, const struct ssn_item *item);

static int each(struct ssn_repair *repair, uint8_t type, plan_fn plan) {
    struct ssn_key key = ssn_key_make(type, 0, 0);
    struct ssn_item item;
    int rc;
    while ((rc = ssn_store_seek(repair->old.store, &key, &item)) == SELSNAP_OK && item.key.type == type) {
        rc = plan(repair, &item);
        key = item.key;
        if (rc != SELSNAP_OK || !ssn_key_after(&key)) {
            return rc;
        }
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

/* Whether nothing is known of an item of the type and major, whatever its minor. */
static bool unknown(struct ssn_repair *repair, uint8_t type, uint64_t major) {
    struct ssn_key low = ssn_key_make(type, major, 0);
    struct ssn_key last = ssn_key_make(type, major, UINT64_MAX);
    return ssn_store_gap_meets(repair->old.store, &low, &last);
}

/* An id or epoch that was given out. */
static bool given_id(struct ssn_repair *repair, uint64_t id) {
    return id != 0 && id < ssn_store_next_id(repair->old.store);
}

static bool given_epoch(struct ssn_repair *repair, uint64_t epoch) {
    return epoch != 0 && epoch < ssn_store_next_epoch(repair->old.store);
}

/* ---- gaps, in words ---- */

static void say_unknown(struct ssn_repair *repair, uint8_t type, const char *what) {
    struct ssn_key key = ssn_key_make(type, 1, 0);
    struct ssn_gap gap;
    uint64_t most = ssn_store_next_id(repair->old.store) - 1;
    while (ssn_store_next_gap(repair->old.store, &key, &gap) && gap.low.type <= type) {
        uint64_t first = gap.low.type < type ? 1 : ssn_max_u64(gap.low.major, 1);
        uint64_t last = gap.last.type > type ? most : ssn_min_u64(gap.last.major, most);
        if (first <= last) {
            ssn_repair_say(repair, "the index is damaged: %s with ids from %" PRIu64 " to %" PRIu64 " may be lost",
                           what, first, last);
        }
        key = gap.last;
        if (!ssn_key_after(&key)) {
            break;
        }
    }
}

/* ---- designations ---- */

int ssn_repair_sum_ranges(struct ssn_repair *repair, uint64_t id, struct ssn_designation_record *ret_sum,
                          bool *ret_sound) {
    struct selsnap *old = &repair->old;
    struct ssn_key key = ssn_key_make(SSN_ITEM_RANGES, id, 0);
    struct ssn_item item;
    uint64_t end = 0;
    int rc;
    memset(ret_sum, 0, sizeof *ret_sum);
    ret_sum->state = SSN_DESIGNATION_READY;
    *ret_sound = true;
    while ((rc = ssn_store_seek(old->store, &key, &item)) == SELSNAP_OK && item.key.type == SSN_ITEM_RANGES &&
           item.key.major == id) {
        bool good = ssn_ranges_valid(item.key.minor, item.value, item.len) && item.key.minor >= end;
        for (unsigned i = 0; good && i < ssn_ranges_count(item.len); i++) {
            end = ssn_range_first(item.value, i) + ssn_range_blocks(item.value, i);
            ret_sum->blocks += ssn_range_blocks(item.value, i);
            ret_sum->ranges++;
        }
        *ret_sound = *ret_sound && good && end <= old->block_count;
        key = item.key;
        if (!ssn_key_after(&key)) {
            break;
        }
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

static int add_designation(struct ssn_repair *repair, uint64_t id, const struct ssn_designation_record *record) {
    struct ssn_group *group;
    repair->result.designations_salvaged++;
    return ssn_catalogue_add_group(&repair->old.catalogue, record, id, repair->old.block_count, &group);
}

static int plan_designation(struct ssn_repair *repair, const struct ssn_item *item) {
    struct ssn_designation_record record;
    struct ssn_designation_record sum;
    uint64_t id = item->key.major;
    bool sound;
    if (item->key.minor != 0 || !given_id(repair, id) ||
        !ssn_designation_record_decode(item->value, item->len, &record)) {
        ssn_repair_say(repair, "designation %" PRIu64 ": its record makes no sense", id);
        return ssn_store_add_gap(repair->old.store, &item->key);
    }
    if (record.state != SSN_DESIGNATION_READY) {
        return SELSNAP_OK; /* being made, or dropped: nobody has it */
    }
    int rc = ssn_repair_sum_ranges(repair, id, &sum, &sound);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    bool whole = record.blocks == repair->old.block_count;
    if (whole || (sound && sum.blocks == record.blocks && sum.ranges == record.ranges)) {
        return add_designation(repair, id, &record);
    }
    repair->result.designations_lost++;
    ssn_repair_say(repair, "designation %" PRIu64 "%s%s%s: left out, some of its ranges are lost", id,
                   record.name[0] != '\0' ? " \"" : "", record.name, record.name[0] != '\0' ? "\"" : "");
    return SELSNAP_OK;
}

/* One whose record is lost; its name goes with it. That snapshots have it shows that all its ranges had been written.
 */
static int rebuild_designation(struct ssn_repair *repair, uint64_t id) {
    struct ssn_designation_record sum;
    bool sound;
    if (!given_id(repair, id) || !unknown(repair, SSN_ITEM_DESIGNATION, id) || unknown(repair, SSN_ITEM_RANGES, id)) {
        return SELSNAP_OK;
    }
    int rc = ssn_repair_sum_ranges(repair, id, &sum, &sound);
    if (rc != SELSNAP_OK || !sound || sum.blocks == 0) {
        return rc;
    }
    ssn_repair_say(repair,
                   "designation %" PRIu64 ": its record is lost, and its name if it had one; its blocks are known", id);
    return add_designation(repair, id, &sum);
}

/* ---- snapshots ---- */

int ssn_repair_label(struct ssn_repair *repair, uint64_t id, char *ret_name) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_LABEL, id, 0);
    struct ssn_item item;
    ret_name[0] = '\0';
    int rc = ssn_store_get(repair->old.store, &key, &item);
    if (rc != SELSNAP_OK) {
        return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
    }
    if (item.len > 0 && item.len <= SELSNAP_NAME_MAX && memchr(item.value, 0, item.len) == NULL) {
        memcpy(ret_name, item.value, item.len);
        ret_name[item.len] = '\0';
        if (!ssn_name_valid(ret_name)) {
            ret_name[0] = '\0';
        }
    }
    return SELSNAP_OK;
}

static int leave_out(struct ssn_repair *repair, uint64_t id, const char *why) {
    char who[SSN_REPAIR_WHO];
    repair->result.snapshots_lost++;
    ssn_repair_who(repair, id, who);
    ssn_repair_say(repair, "%s: left out, %s", who, why);
    return SELSNAP_OK;
}

/* Whether so many blocks of the group, or more, lie where the overlay's index is lost. */
static int unknown_written(struct ssn_repair *repair, const struct ssn_group *group, uint64_t overlay, uint64_t most,
                           bool *ret_more) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_OVERLAY, overlay, 0);
    struct ssn_key last = ssn_key_make(SSN_ITEM_OVERLAY, overlay, UINT64_MAX);
    struct ssn_gap gap;
    uint64_t blocks = 0;
    while (blocks <= most && ssn_store_next_gap(repair->old.store, &key, &gap) &&
           ssn_key_compare(&gap.low, &last) <= 0) {
        uint64_t from = ssn_key_compare(&gap.low, &key) < 0 ? key.minor : gap.low.minor;
        uint64_t upto = ssn_key_compare(&gap.last, &last) >= 0 ? UINT64_MAX : gap.last.minor;
        struct ssn_block_range range;
        int rc;
        while (blocks <= most &&
               (rc = ssn_designation_next_range(&repair->old, group->id, group->whole, from, &range)) == SELSNAP_OK &&
               range.first <= upto) {
            uint64_t end = ssn_min_u64(range.first + range.count - 1, upto);
            blocks += end - range.first + 1;
            from = end + 1;
        }
        if (blocks <= most && rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
            return rc;
        }
        key = gap.last;
        if (key.type != SSN_ITEM_OVERLAY || key.major != overlay || !ssn_key_after(&key)) {
            break;
        }
    }
    *ret_more = blocks > most;
    return SELSNAP_OK;
}

/* Whether what was written into the snapshot is known well enough; drops it from the record where that was asked for.
 */
static int plan_written(struct ssn_repair *repair, uint64_t id, const struct ssn_group *group,
                        struct ssn_snapshot_record *record, bool *ret_keep) {
    uint64_t ids[SSN_LAYER_CHAIN_MAX];
    unsigned count = 0;
    bool layers_known = false;
    char who[SSN_REPAIR_WHO];
    int rc = ssn_repair_chain(repair, record->overlay, ids, &count, &layers_known);
    bool part_unknown = !layers_known;
    for (unsigned i = 0; i < count; i++) {
        part_unknown = part_unknown || unknown(repair, SSN_ITEM_OVERLAY, ids[i]);
    }
    *ret_keep = true;
    if (rc != SELSNAP_OK || (!repair->cut && !part_unknown)) {
        return rc;
    }
    if ((repair->options->flags & SELSNAP_REPAIR_AS_TAKEN) != 0) {
        record->overlay = 0;
        ssn_repair_who(repair, id, who);
        ssn_repair_say(repair, "%s: salvaged as it was taken; what was written into it, if anything was, is left out",
                       who);
        return SELSNAP_OK;
    }
    if (repair->cut) {
        *ret_keep = false;
        return leave_out(repair, id, "since it is not known what was written into it last");
    }
    bool more = !layers_known;
    for (unsigned i = 0; rc == SELSNAP_OK && !more && i < count; i++) {
        rc = unknown_written(repair, group, ids[i], UNKNOWN_WRITTEN_MAX, &more);
    }
    if (rc == SELSNAP_OK && more) {
        *ret_keep = false;
        return leave_out(repair, id, "since it is not known which of its blocks were written into");
    }
    return rc;
}

static int add_snapshot(struct ssn_repair *repair, uint64_t id, const struct ssn_snapshot_record *record,
                        struct ssn_group *group) {
    struct selsnap *old = &repair->old;
    struct ssn_snap *snap = ssn_calloc(&old->mem, 1, sizeof *snap);
    if (snap == NULL || ssn_catalogue_reserve(&old->catalogue, group) != SELSNAP_OK) {
        ssn_free(&old->mem, snap);
        return ssn_fail(&old->report, SELSNAP_EMEMLIMIT,
                        "the snapshots of this store do not fit under the memory limit");
    }
    snap->id = id;
    snap->record = *record;
    snap->state = SSN_SNAP_LIVE;
    ssn_catalogue_add(&old->catalogue, snap, group);
    repair->result.snapshots_salvaged++;
    return SELSNAP_OK;
}

static int plan_snapshot(struct ssn_repair *repair, const struct ssn_item *item) {
    struct ssn_snapshot_record record;
    uint64_t id = item->key.major;
    if (item->key.minor != 0 || !given_id(repair, id) || !ssn_snapshot_record_decode(item->value, item->len, &record) ||
        !given_epoch(repair, record.point) || (record.overlay != 0 && !given_id(repair, record.overlay))) {
        return leave_out(repair, id, "its record makes no sense");
    }
    struct ssn_group *group = ssn_catalogue_find_group(&repair->old.catalogue, record.designation);
    int rc = group == NULL ? rebuild_designation(repair, record.designation) : SELSNAP_OK;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    group = ssn_catalogue_find_group(&repair->old.catalogue, record.designation);
    if (group == NULL) {
        return leave_out(repair, id, "since its designation is lost");
    }
    bool keep = false;
    rc = plan_written(repair, id, group, &record, &keep);
    return rc == SELSNAP_OK && keep ? add_snapshot(repair, id, &record, group) : rc;
}

/* A name without a record, where records are lost. */
static int plan_label(struct ssn_repair *repair, const struct ssn_item *item) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_SNAPSHOT, item->key.major, 0);
    struct ssn_item record;
    if (!ssn_store_gap_meets(repair->old.store, &key, &key)) {
        return SELSNAP_OK;
    }
    int rc = ssn_store_get(repair->old.store, &key, &record);
    if (rc != SELSNAP_ENOENT) {
        return rc; /* the journal has it */
    }
    return leave_out(repair, item->key.major, "its record is lost");
}

static int order_by_point(const void *a, const void *b) {
    const struct ssn_snap *const *first = a;
    const struct ssn_snap *const *second = b;
    uint64_t of_first = (*first)->record.point;
    uint64_t of_second = (*second)->record.point;
    return of_first > of_second ? -1 : of_first < of_second;
}

static int list_by_point(struct ssn_repair *repair) {
    struct selsnap *old = &repair->old;
    repair->snap_count = old->catalogue.snap_count;
    repair->by_point = ssn_calloc(&old->mem, repair->snap_count, sizeof *repair->by_point);
    repair->telling = ssn_calloc(&old->mem, repair->snap_count, sizeof *repair->telling);
    if (repair->by_point == NULL || repair->telling == NULL) {
        return SELSNAP_ENOMEM;
    }
    for (size_t i = 0; i < repair->snap_count; i++) {
        repair->by_point[i] = old->catalogue.snaps[i];
    }
    qsort(repair->by_point, repair->snap_count, sizeof *repair->by_point, order_by_point);
    return SELSNAP_OK;
}

/* ---- restores ---- */

static int lose_restore(struct ssn_repair *repair, uint64_t source_point, uint64_t point) {
    if (!ssn_grow(&repair->old.mem, (void **)&repair->restores, &repair->restore_capacity, repair->restore_count,
                  sizeof *repair->restores)) {
        return SELSNAP_ENOMEM;
    }
    repair->restores[repair->restore_count].source_point = ssn_max_u64(source_point, 1);
    repair->restores[repair->restore_count++].point = point;
    return SELSNAP_OK;
}

static uint64_t point_of(struct ssn_repair *repair, uint64_t snapshot_id) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_SNAPSHOT, snapshot_id, 0);
    struct ssn_item item;
    struct ssn_snapshot_record record;
    bool known = ssn_store_get(repair->old.store, &key, &item) == SELSNAP_OK &&
                 ssn_snapshot_record_decode(item.value, item.len, &record);
    return known ? record.point : 1;
}

/* Whether all records of the restore are there, and tell where it stood when the store was last used. */
static bool restore_is_whole(struct ssn_repair *repair, uint64_t id, const struct ssn_job_record *record) {
    const struct ssn_snap *source = ssn_catalogue_find(&repair->old.catalogue, record->subject);
    return !repair->cut && source != NULL && source->record.point < record->point &&
           ssn_catalogue_find_group(&repair->old.catalogue, record->designation) != NULL &&
           !unknown(repair, SSN_ITEM_RESTORED, id);
}

static int plan_job(struct ssn_repair *repair, const struct ssn_item *item) {
    struct ssn_job_record record;
    uint64_t id = item->key.major;
    if (item->key.minor != 0 || !given_id(repair, id) || !ssn_job_record_decode(item->value, item->len, &record) ||
        (record.kind == SSN_JOB_RESTORE && !given_epoch(repair, record.point))) {
        ssn_repair_say(repair, "job %" PRIu64 ": its record makes no sense", id);
        return ssn_store_add_gap(repair->old.store, &item->key);
    }
    if (record.kind != SSN_JOB_RESTORE) {
        return SELSNAP_OK; /* an overlay to be dropped is not carried over in the first place */
    }
    int rc = SELSNAP_EDAMAGED;
    if (restore_is_whole(repair, id, &record)) {
        rc = ssn_restore_load(&repair->old, id, &record);
    }
    repair->result.restores_salvaged += rc == SELSNAP_OK;
    if (rc != SELSNAP_EDAMAGED) {
        return rc;
    }
    repair->result.restores_lost++;
    ssn_repair_say(repair,
                   "restore %" PRIu64 " of snapshot %" PRIu64
                   ": left out, not all is known of it; the live device keeps what it has",
                   id, record.subject);
    return lose_restore(repair, point_of(repair, record.subject), record.point);
}

static int plan_unknown_jobs(struct ssn_repair *repair) {
    struct ssn_key low = ssn_key_make(SSN_ITEM_JOB, 1, 0);
    struct ssn_key last = ssn_key_make(SSN_ITEM_JOB, ssn_store_next_id(repair->old.store) - 1, UINT64_MAX);
    if (!ssn_store_gap_meets(repair->old.store, &low, &last)) {
        return SELSNAP_OK;
    }
    say_unknown(repair, SSN_ITEM_JOB, "unfinished restores");
    return lose_restore(repair, 1, UINT64_MAX);
}

/* ---- all ---- */

int ssn_repair_plan(struct ssn_repair *repair) {
    say_unknown(repair, SSN_ITEM_DESIGNATION, "designations");
    say_unknown(repair, SSN_ITEM_SNAPSHOT, "snapshots");
    int rc = each(repair, SSN_ITEM_LAYER, ssn_repair_plan_layer);
    rc = rc == SELSNAP_OK ? each(repair, SSN_ITEM_DESIGNATION, plan_designation) : rc;
    rc = rc == SELSNAP_OK ? each(repair, SSN_ITEM_SNAPSHOT, plan_snapshot) : rc;
    rc = rc == SELSNAP_OK ? each(repair, SSN_ITEM_LABEL, plan_label) : rc;
    rc = rc == SELSNAP_OK ? each(repair, SSN_ITEM_JOB, plan_job) : rc;
    rc = rc == SELSNAP_OK ? plan_unknown_jobs(repair) : rc;
    return rc == SELSNAP_OK ? list_by_point(repair) : rc;
}

void ssn_repair_plan_fini(struct ssn_repair *repair) {
    ssn_free(&repair->old.mem, repair->by_point);
    ssn_free(&repair->old.mem, repair->telling);
    ssn_free(&repair->old.mem, repair->restores);
}
