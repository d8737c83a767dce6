/* SPDX-License-Identifier: Apache-2.0 */
/* Telling about snapshots (snapshot.h). */
#include "snapshot.h"

#include "designation.h"
#include "overlay.h"
#include "resize.h"
#include "restore.h"
#include "retention_inner.h"

#include <inttypes.h>
#include <string.h>

/* admin is held. */
static int fill_info(struct selsnap *ss, const struct ssn_snap *snap, selsnap_snapshot_info *info) {
    info->changed = ssn_overlay_any_pending(snap) || ssn_overlay_id(ss, snap) != 0;
    info->restoring = 0;
    ssn_catalogue_read_lock(&ss->catalogue);
    info->open_views = snap->views;
    for (size_t i = 0; i < ss->catalogue.job_count; i++) {
        const struct ssn_job *job = ss->catalogue.jobs[i];
        int state = atomic_load(&job->state);
        bool runs = job->source == snap && (state == SSN_JOB_RUNNING || state == SSN_JOB_ENDING);
        info->restoring = info->restoring || runs;
    }
    ssn_catalogue_unlock(&ss->catalogue);
    info->bookmark = ssn_snap_is_bookmark(snap);
    info->changed = info->changed && !info->bookmark;
    info->policy = snap->record.policy;
    info->id = snap->id;
    info->point = snap->record.point;
    info->time_ns = snap->record.time_ns;
    info->designation_id = snap->group->id;
    info->block_count = snap->group->blocks;
    info->range_count = snap->group->ranges;
    struct ssn_item item;
    struct ssn_key key = ssn_key_make(SSN_ITEM_LABEL, snap->id, 0);
    int rc = ssn_store_get(ss->store, &key, &item);
    if (rc == SELSNAP_ENOENT || (rc == SELSNAP_OK && !ssn_name_decode(item.value, item.len, info->name))) {
        rc = ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the name of snapshot %" PRIu64 " is damaged", snap->id);
    }
    rc = rc == SELSNAP_OK ? ssn_snapshot_size(ss, snap->id, &info->origin_bytes) : rc;
    rc = rc == SELSNAP_OK ? ssn_hold_count(ss, snap, &info->holds) : rc;
    struct ssn_term_record term = {0, 0};
    rc = rc == SELSNAP_OK ? ssn_term_get(ss, snap->id, &term) : rc;
    info->quota_bytes = term.quota_bytes;
    return rc == SELSNAP_OK ? ssn_designation_name(ss, snap->group->id, info->designation) : rc;
}

int ssn_snapshot_info(struct selsnap *ss, uint64_t id, selsnap_snapshot_info *ret_info) {
    pthread_mutex_lock(&ss->admin);
    const struct ssn_snap *snap = ssn_catalogue_find(&ss->catalogue, id);
    int rc = snap != NULL && snap->state == SSN_SNAP_LIVE
                 ? fill_info(ss, snap, ret_info)
                 : ssn_fail(&ss->report, SELSNAP_ENOENT, "no snapshot has id %" PRIu64, id);
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

int ssn_snapshot_find(struct selsnap *ss, const char *name, selsnap_snapshot_info *ret_info) {
    uint64_t id;
    pthread_mutex_lock(&ss->admin);
    int rc = ssn_snapshot_id_of(ss, name, &id);
    if (rc == SELSNAP_OK) {
        rc = fill_info(ss, ssn_catalogue_find(&ss->catalogue, id), ret_info);
    }
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

int ssn_snapshot_next(struct selsnap *ss, uint64_t after_id, selsnap_snapshot_info *ret_info) {
    pthread_mutex_lock(&ss->admin);
    const struct ssn_snap *snap = ssn_catalogue_next(&ss->catalogue, after_id);
    while (snap != NULL && snap->state != SSN_SNAP_LIVE) {
        snap = ssn_catalogue_next(&ss->catalogue, snap->id);
    }
    int rc = snap != NULL ? fill_info(ss, snap, ret_info) : SELSNAP_ENOENT;
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

/* admin is held. Properties stand in the order they were given in: the least key above after_key is looked for. */
static int next_property(struct selsnap *ss, uint64_t id, const char *after_key, char *ret_key, char *ret_value) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_PROPERTY, id, 0);
    struct ssn_item item;
    bool found = false;
    int rc;
    while ((rc = ssn_store_seek(ss->store, &key, &item)) == SELSNAP_OK && item.key.type == SSN_ITEM_PROPERTY &&
           item.key.major == id) {
        char name[SELSNAP_PROPERTY_KEY_MAX + 1] = {0};
        char value[SELSNAP_PROPERTY_VALUE_MAX + 1] = {0};
        if (!ssn_property_decode(item.value, item.len, name, value)) {
            return ssn_fail(&ss->report, SELSNAP_EDAMAGED, "a property of snapshot %" PRIu64 " is damaged", id);
        }
        if (strcmp(name, after_key) > 0 && (!found || strcmp(name, ret_key) < 0)) {
            found = true;
            memcpy(ret_key, name, sizeof name);
            memcpy(ret_value, value, sizeof value);
        }
        key = item.key;
        (void)ssn_key_after(&key);
    }
    if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
        return rc;
    }
    return found ? SELSNAP_OK : SELSNAP_ENOENT;
}

int ssn_snapshot_next_property(struct selsnap *ss, uint64_t id, const char *after_key, char *ret_key, char *ret_value) {
    pthread_mutex_lock(&ss->admin);
    const struct ssn_snap *snap = ssn_catalogue_find(&ss->catalogue, id);
    int rc = snap == NULL || snap->state != SSN_SNAP_LIVE
                 ? ssn_fail(&ss->report, SELSNAP_ENOENT, "no snapshot has id %" PRIu64, id)
                 : next_property(ss, id, after_key, ret_key, ret_value);
    pthread_mutex_unlock(&ss->admin);
    return rc;
}
