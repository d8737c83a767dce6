/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making snapshots (snapshot.h), in parts. The order: its point at the closed gate (from then on it counts for writers),
 * a drain of pending writes, a flush of the origin, its record.
 */
#include "snapshot.h"

#include "clock.h"
#include "deferred.h"
#include "designation.h"
#include "resize.h"
#include "restore.h"

#include <inttypes.h>
#include <string.h>

enum { PROPERTIES_MAX = 16 };

int ssn_snapshot_check_options(struct selsnap *ss, const selsnap_snapshot_options *options) {
    if (options->name != NULL && strlen(options->name) > SELSNAP_NAME_MAX) {
        return ssn_fail(&ss->report, SELSNAP_ELIMIT, "a name has at most %d bytes", SELSNAP_NAME_MAX);
    }
    if (!ssn_name_valid(options->name)) {
        return ssn_fail(&ss->report, SELSNAP_EINVAL, "a name has 1 to %d bytes of UTF-8 without control characters",
                        SELSNAP_NAME_MAX);
    }
    if (options->policy > SELSNAP_POLICY_GIVE_UP_BLOCK || (options->flags & ~SELSNAP_SNAPSHOT_BOOKMARK) != 0 ||
        (options->designation != NULL && options->subset != NULL) ||
        (options->property_count > 0 && options->properties == NULL)) {
        return ssn_fail(&ss->report, SELSNAP_EINVAL, "an option for the new snapshot is not allowed");
    }
    if (options->property_count > PROPERTIES_MAX) {
        return ssn_fail(&ss->report, SELSNAP_ELIMIT, "a snapshot has at most %d properties", PROPERTIES_MAX);
    }
    for (uint32_t i = 0; i < options->property_count; i++) {
        const selsnap_property *property = &options->properties[i];
        if (property->key == NULL || property->value == NULL || property->key[0] == '\0') {
            return ssn_fail(&ss->report, SELSNAP_EINVAL, "a property has a key that is not empty, and a value");
        }
        if (strlen(property->key) > SELSNAP_PROPERTY_KEY_MAX || strlen(property->value) > SELSNAP_PROPERTY_VALUE_MAX) {
            return ssn_fail(&ss->report, SELSNAP_ELIMIT, "a property's key has at most %d bytes, its value %d",
                            SELSNAP_PROPERTY_KEY_MAX, SELSNAP_PROPERTY_VALUE_MAX);
        }
        if (!ssn_name_valid(property->key) || !ssn_text_valid(property->value, SELSNAP_PROPERTY_VALUE_MAX)) {
            return ssn_fail(&ss->report, SELSNAP_EINVAL,
                            "a property's key and value are UTF-8 without control characters");
        }
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(property->key, options->properties[j].key) == 0) {
                return ssn_fail(&ss->report, SELSNAP_EINVAL, "two properties have the key \"%s\"", property->key);
            }
        }
    }
    return SELSNAP_OK;
}

/* A designation that was saved when the origin was longer. */
static int refuse_behind(struct selsnap *ss, const char *name, const struct ssn_group *group) {
    bool behind;
    int rc = ssn_designation_reaches(ss, group, ssn_div_up(ss->origin_bytes, ss->block_bytes), &behind);
    return rc == SELSNAP_OK && behind
               ? ssn_fail(&ss->report, SELSNAP_EINVAL,
                          "the designation \"%s\" has blocks behind the origin's end at %" PRIu64 " bytes: save it anew",
                          name, ss->origin_bytes)
               : rc;
}

static int choose_group(struct selsnap *ss, const selsnap_snapshot_options *options, struct ssn_group **ret_group) {
    if (options->designation != NULL) {
        int rc = ssn_designation_find(ss, options->designation, ret_group);
        return rc == SELSNAP_ENOENT ? ssn_fail(&ss->report, rc, "there is no designation \"%s\"", options->designation)
               : rc == SELSNAP_OK   ? refuse_behind(ss, options->designation, *ret_group)
                                    : rc;
    }
    if (options->subset != NULL) {
        const selsnap_subset *subset = options->subset;
        if (subset->device_bytes != ss->origin_bytes || subset->block_bytes != ss->block_bytes ||
            subset->range_count == 0) {
            return ssn_fail(&ss->report, SELSNAP_EINVAL,
                            "the subset is empty, or was made for a device or block size other than this one's");
        }
        return ssn_designation_save(ss, NULL, subset, ret_group);
    }
    selsnap_subset *whole;
    int rc = ssn_subset_open(&ss->mem, ss->origin_bytes, ss->block_bytes, &whole);
    if (rc == SELSNAP_OK) {
        rc = ssn_subset_add_blocks(whole, 0, whole->block_count);
        rc = rc == SELSNAP_OK ? ssn_designation_save(ss, NULL, whole, ret_group) : rc;
        ssn_subset_close(whole);
    }
    return rc;
}

int64_t ssn_snapshot_now(void) {
    return ssn_realtime_ns();
}

void ssn_snapshot_note_closed(struct selsnap *ss, uint64_t began_ns) {
    uint64_t took = ssn_monotonic_ns() - began_ns;
    if (took > atomic_load(&ss->count.gate_closed_ns_max)) {
        atomic_store(&ss->count.gate_closed_ns_max, took); /* admin is held: nobody else writes it */
    }
}

void ssn_snapshot_take_point(struct ssn_making *making) {
    struct selsnap *ss = making->ss;
    making->snap->record.point = ssn_store_take_epoch(ss->store);
    ssn_catalogue_add(&ss->catalogue, making->snap, making->group);
    ssn_need_raise(&ss->need, making->snap->record.point);
    making->listed = true;
}

static void put_membership(struct ssn_txn *txn, uint64_t id, const struct ssn_membership *membership) {
    uint8_t value[SSN_VALUE_MAX];
    struct ssn_key key = ssn_key_make(SSN_ITEM_MEMBERSHIP, id, 0);
    ssn_txn_put(txn, &key, value, ssn_membership_encode(value, membership));
}

void ssn_snapshot_put_new(struct ssn_txn *txn, const struct ssn_snap *snap, const selsnap_snapshot_options *options) {
    ssn_snapshot_put_record(txn, snap);
    ssn_snapshot_put_name(txn, snap->id, options->name);
    for (uint32_t i = 0; i < options->property_count; i++) {
        uint8_t value[SSN_VALUE_MAX];
        size_t key_len = strlen(options->properties[i].key);
        size_t value_len = strlen(options->properties[i].value);
        struct ssn_key key = ssn_key_make(SSN_ITEM_PROPERTY, snap->id, i);
        value[0] = (uint8_t)key_len;
        memcpy(value + 1, options->properties[i].key, key_len);
        memcpy(value + 1 + key_len, options->properties[i].value, value_len);
        ssn_txn_put(txn, &key, value, (uint16_t)(1 + key_len + value_len));
    }
}

static int commit_new(const struct ssn_making *making) {
    struct selsnap *ss = making->ss;
    const struct ssn_snap *snap = making->snap;
    struct ssn_txn txn;
    ssn_txn_init(&txn, ss->store);
    ssn_snapshot_put_new(&txn, snap, making->options);
    ssn_snapshot_put_size(ss, &txn, snap->id);
    if (making->membership != NULL) {
        put_membership(&txn, snap->id, making->membership);
    }
    if (making->extra != NULL) {
        ssn_snapshot_put_received(&txn, snap->id, making->extra->received);
    }
    int rc = ssn_store_commit(ss->store, &txn, false);
    ssn_txn_fini(&txn);
    return rc;
}

int ssn_snapshot_prepare(struct ssn_making *making) {
    struct selsnap *ss = making->ss;
    const selsnap_snapshot_options *options = making->options;
    int rc = ssn_snapshot_settle_doomed(ss);
    /*
     * The record of a restore that is unsure would become durable with this snapshot's, at the latest. After a crash
     * the snapshot, being younger, would read from the restore's source, though the device did not read so.
     */
    rc = rc == SELSNAP_OK ? ssn_restore_settle(ss) : rc;
    rc = rc == SELSNAP_OK ? ssn_origin_settle_size(ss) : rc;
    rc = rc == SELSNAP_OK ? ssn_snapshot_refuse_taken(ss, options->name) : rc;
    struct ssn_group *group = NULL;
    rc = rc == SELSNAP_OK ? choose_group(ss, options, &group) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    struct ssn_snap *snap = ssn_catalogue_fits(&ss->catalogue, 1, 0) ? ssn_calloc(&ss->mem, 1, sizeof *snap) : NULL;
    if (snap == NULL || ssn_catalogue_reserve(&ss->catalogue, group) != SELSNAP_OK) {
        ssn_free(&ss->mem, snap);
        ssn_designation_count_due(ss);
        return ssn_fail(&ss->report, SELSNAP_EMEMLIMIT,
                        "no room for one more snapshot under the memory limit of %" PRIu64 " bytes", ss->mem.limit);
    }
    snap->id = ssn_store_take_id(ss->store);
    snap->record.designation = group->id;
    snap->record.time_ns = options->time_ns != 0 ? options->time_ns : ssn_snapshot_now();
    bool bookmark = (options->flags & SELSNAP_SNAPSHOT_BOOKMARK) != 0;
    snap->record.kind = bookmark ? SSN_SNAPSHOT_MARK : SSN_SNAPSHOT_DATA;
    snap->record.policy = (uint8_t)options->policy;
    snap->record.holds = making->extra != NULL ? making->extra->holds : 0;
    snap->state = SSN_SNAP_CREATING;
    making->snap = snap;
    making->group = group;
    return SELSNAP_OK;
}

int ssn_snapshot_settle_point(const struct ssn_making *making) {
    int rc = ssn_deferred_drain(making->ss); /* what was accepted before the point is in the snapshot */
    return rc == SELSNAP_OK ? ssn_restore_flush_origin(making->ss) : rc;
}

int ssn_snapshot_commit(struct ssn_making *making) {
    int rc = commit_new(making);
    if (rc == SELSNAP_ESTORE) {
        ssn_snapshot_set_state(making->ss, making->snap, SSN_SNAP_DOOMED);
        making->snap = NULL;
    }
    making->committed = rc == SELSNAP_OK;
    return rc;
}

void ssn_snapshot_show(struct ssn_making *making) {
    ssn_snapshot_set_state(making->ss, making->snap, SSN_SNAP_LIVE);
}

void ssn_snapshot_unmake(struct ssn_making *making) {
    struct selsnap *ss = making->ss;
    struct ssn_snap *snap = making->snap;
    if (snap == NULL) {
        return;
    }
    making->snap = NULL;
    if (making->committed && ssn_snapshot_commit_delete(ss, snap) != SELSNAP_OK) {
        ssn_snapshot_set_state(ss, snap, SSN_SNAP_DOOMED);
        return;
    }
    if (making->listed) {
        ssn_catalogue_remove(&ss->catalogue, snap);
    } else {
        ssn_free(&ss->mem, snap);
    }
    ssn_designation_count_due(ss);
}

static int create_locked(struct ssn_making *making, uint64_t *ret_id) {
    struct selsnap *ss = making->ss;
    int rc = ssn_snapshot_prepare(making);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    uint64_t began = ssn_monotonic_ns();
    ssn_gate_close(&ss->gate);
    ssn_snapshot_take_point(making);
    ssn_gate_open(&ss->gate);
    ssn_snapshot_note_closed(ss, began);
    rc = ssn_snapshot_settle_point(making);
    rc = rc == SELSNAP_OK ? ssn_snapshot_commit(making) : rc;
    if (rc != SELSNAP_OK) {
        ssn_snapshot_unmake(making);
        return rc;
    }
    ssn_snapshot_show(making);
    if (ret_id != NULL) {
        *ret_id = making->snap->id;
    }
    return SELSNAP_OK;
}

int ssn_snapshot_create_with(struct selsnap *ss, const selsnap_snapshot_options *options,
                             const struct ssn_snapshot_extra *extra, uint64_t *ret_id) {
    struct ssn_making making = {.ss = ss, .options = options, .extra = extra};
    int rc = ssn_snapshot_check_options(ss, options);
    rc = rc == SELSNAP_OK ? ssn_check_usable(ss) : rc;
    if (rc == SELSNAP_OK) {
        pthread_mutex_lock(&ss->admin);
        rc = create_locked(&making, ret_id);
        pthread_mutex_unlock(&ss->admin);
    }
    return rc;
}

int ssn_snapshot_create(struct selsnap *ss, const selsnap_snapshot_options *options, uint64_t *ret_id) {
    return ssn_snapshot_create_with(ss, options, NULL, ret_id);
}
