/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions on designations. They take admin, which the functions below expect to be held. */
#include "api.h"
#include "designation.h"

#include <string.h>

static int check_name(selsnap *ss, const char *name) {
    return ssn_name_valid(name)
               ? SELSNAP_OK
               : ssn_fail(&ss->report, SELSNAP_EINVAL, "a name has 1 to %d bytes of UTF-8 without control characters",
                          SELSNAP_NAME_MAX);
}

static int check_subset(selsnap *ss, const selsnap_subset *subset) {
    if (subset->range_count > 0 && subset->device_bytes == ss->origin_bytes && subset->block_bytes == ss->block_bytes) {
        return SELSNAP_OK;
    }
    return ssn_fail(&ss->report, SELSNAP_EINVAL,
                    "the subset is empty, or was made for a device or block size other than this one's");
}

/* admin is held. */
static int find(selsnap *ss, const char *name, struct ssn_group **ret_group) {
    int rc = ssn_designation_find(ss, name, ret_group);
    return rc == SELSNAP_ENOENT ? ssn_fail(&ss->report, rc, "there is no designation \"%s\"", name) : rc;
}

int selsnap_designation_save(selsnap *ss, const char *name, const selsnap_subset *subset, uint64_t *ret_id) {
    int rc = ssn_api_check_writable(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (name == NULL || subset == NULL) {
        return SELSNAP_EINVAL;
    }
    rc = check_name(ss, name);
    rc = rc == SELSNAP_OK ? check_subset(ss, subset) : rc;
    rc = rc == SELSNAP_OK ? ssn_check_usable(ss) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    struct ssn_group *group = NULL;
    pthread_mutex_lock(&ss->admin);
    rc = ssn_designation_save(ss, name, subset, &group);
    if (rc == SELSNAP_OK && ret_id != NULL) {
        *ret_id = group->id;
    }
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

int selsnap_designation_load(selsnap *ss, const char *name, selsnap_subset **ret_subset) {
    if (ss == NULL || name == NULL || ret_subset == NULL) {
        return SELSNAP_EINVAL;
    }
    struct ssn_group *group = NULL;
    int rc = check_name(ss, name);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    pthread_mutex_lock(&ss->admin);
    rc = find(ss, name, &group);
    if (rc == SELSNAP_OK) {
        rc = ssn_designation_to_subset(ss, group, 0, ret_subset);
    }
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

int selsnap_designation_delete(selsnap *ss, const char *name) {
    int rc = ssn_api_check_writable(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (name == NULL) {
        return SELSNAP_EINVAL;
    }
    rc = check_name(ss, name);
    rc = rc == SELSNAP_OK ? ssn_check_usable(ss) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    struct ssn_group *group;
    pthread_mutex_lock(&ss->admin);
    rc = find(ss, name, &group);
    if (rc == SELSNAP_OK) {
        rc = ssn_designation_unname(ss, name);
    }
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

/* admin is held: the snapshots of a group that callers see. */
static uint64_t live_members(const struct ssn_group *group) {
    uint64_t live = 0;
    for (size_t i = 0; i < group->member_count; i++) {
        live += group->members[i]->id != 0 && group->members[i]->state == SSN_SNAP_LIVE;
    }
    return live;
}

/* admin is held. */
static int next_named(selsnap *ss, uint64_t after_id, selsnap_designation_info *ret_info) {
    const struct ssn_group *group = ssn_catalogue_next_group(&ss->catalogue, after_id);
    while (group != NULL && (!group->named || group->state == SSN_DESIGNATION_DROPPING)) {
        group = ssn_catalogue_next_group(&ss->catalogue, group->id);
    }
    if (group == NULL) {
        return SELSNAP_ENOENT;
    }
    ret_info->id = group->id;
    ret_info->block_count = group->blocks;
    ret_info->range_count = group->ranges;
    ret_info->snapshots = live_members(group);
    return ssn_designation_name(ss, group->id, ret_info->name);
}

int selsnap_designation_next(selsnap *ss, uint64_t after_id, selsnap_designation_info *ret_info) {
    selsnap_designation_info info;
    if (ss == NULL || ret_info == NULL) {
        return SELSNAP_EINVAL;
    }
    memset(&info, 0, sizeof info);
    pthread_mutex_lock(&ss->admin);
    int rc = next_named(ss, after_id, &info);
    pthread_mutex_unlock(&ss->admin);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    return ssn_export(ret_info, &info, sizeof info) ? SELSNAP_OK : SELSNAP_EINVAL;
}
