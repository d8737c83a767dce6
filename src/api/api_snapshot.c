/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions on snapshots. */
#include "api.h"
#include "designation.h"
#include "inspect.h"
#include "snapshot.h"

#include <inttypes.h>
#include <string.h>

int selsnap_snapshot_create(selsnap *ss, const selsnap_snapshot_options *options, uint64_t *ret_id) {
    selsnap_snapshot_options ours;
    int rc = ssn_api_check_writable(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (options == NULL || !ssn_import(&ours, sizeof ours, options) || ours.name == NULL) {
        return SELSNAP_EINVAL;
    }
    return ssn_snapshot_create(ss, &ours, ret_id);
}

static int give_info(int rc, const selsnap_snapshot_info *info, selsnap_snapshot_info *ret_info) {
    if (rc != SELSNAP_OK) {
        return rc;
    }
    return ssn_export(ret_info, info, sizeof *info) ? SELSNAP_OK : SELSNAP_EINVAL;
}

int selsnap_snapshot_find(selsnap *ss, const char *name, selsnap_snapshot_info *ret_info) {
    selsnap_snapshot_info info;
    if (ss == NULL || name == NULL || ret_info == NULL) {
        return SELSNAP_EINVAL;
    }
    memset(&info, 0, sizeof info);
    return give_info(ssn_snapshot_find(ss, name, &info), &info, ret_info);
}

int selsnap_snapshot_get(selsnap *ss, uint64_t id, selsnap_snapshot_info *ret_info) {
    selsnap_snapshot_info info;
    if (ss == NULL || ret_info == NULL) {
        return SELSNAP_EINVAL;
    }
    memset(&info, 0, sizeof info);
    return give_info(ssn_snapshot_info(ss, id, &info), &info, ret_info);
}

int selsnap_snapshot_next(selsnap *ss, uint64_t after_id, selsnap_snapshot_info *ret_info) {
    selsnap_snapshot_info info;
    if (ss == NULL || ret_info == NULL) {
        return SELSNAP_EINVAL;
    }
    memset(&info, 0, sizeof info);
    return give_info(ssn_snapshot_next(ss, after_id, &info), &info, ret_info);
}

int selsnap_snapshot_get_usage(selsnap *ss, uint64_t id, selsnap_progress_fn progress, void *progress_user,
                               selsnap_snapshot_usage *ret_usage) {
    selsnap_snapshot_usage usage;
    if (ss == NULL || ret_usage == NULL) {
        return SELSNAP_EINVAL;
    }
    int rc = ssn_inspect_usage(ss, id, progress, progress_user, &usage);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    return ssn_export(ret_usage, &usage, sizeof usage) ? SELSNAP_OK : SELSNAP_EINVAL;
}

int selsnap_snapshot_map(selsnap *ss, uint64_t id, uint64_t offset, selsnap_map_range *ret_range) {
    if (ss == NULL || ret_range == NULL) {
        return SELSNAP_EINVAL;
    }
    return ssn_inspect_map(ss, id, offset, ret_range);
}

int selsnap_snapshot_get_subset(selsnap *ss, uint64_t id, selsnap_subset **ret_subset) {
    if (ss == NULL || ret_subset == NULL) {
        return SELSNAP_EINVAL;
    }
    int rc;
    pthread_mutex_lock(&ss->admin);
    const struct ssn_snap *snap = ssn_catalogue_find(&ss->catalogue, id);
    if (snap != NULL && snap->state == SSN_SNAP_LIVE) {
        rc = ssn_designation_to_subset(ss, snap->group, 0, ret_subset);
    } else {
        rc = ssn_fail(&ss->report, SELSNAP_ENOENT, "there is no snapshot %" PRIu64, id);
    }
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

int selsnap_snapshot_next_property(selsnap *ss, uint64_t id, const char *after_key, char *ret_key, char *ret_value) {
    if (ss == NULL || after_key == NULL || ret_key == NULL || ret_value == NULL) {
        return SELSNAP_EINVAL;
    }
    return ssn_snapshot_next_property(ss, id, after_key, ret_key, ret_value);
}

int selsnap_snapshot_rename(selsnap *ss, uint64_t id, const char *name) {
    int rc = ssn_api_check_writable(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    return name == NULL ? SELSNAP_EINVAL : ssn_snapshot_rename(ss, id, name);
}

int selsnap_snapshot_hold(selsnap *ss, uint64_t id) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_snapshot_change_holds(ss, id, 1) : rc;
}

int selsnap_snapshot_release(selsnap *ss, uint64_t id) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_snapshot_change_holds(ss, id, -1) : rc;
}

int selsnap_snapshot_delete(selsnap *ss, uint64_t id) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_snapshot_delete(ss, id) : rc;
}
