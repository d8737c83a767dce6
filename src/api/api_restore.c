/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions on restores. */
#include "api.h"
#include "restore.h"
#include "step.h"

#include <string.h>

int selsnap_restore_start(selsnap *ss, const selsnap_restore_options *options, uint64_t *ret_job) {
    selsnap_restore_options ours;
    int rc = ssn_api_check_writable(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (options == NULL || !ssn_import(&ours, sizeof ours, options) || (ours.flags & ~SELSNAP_RESTORE_SKIP_LOST) != 0) {
        return SELSNAP_EINVAL;
    }
    uint64_t job = 0;
    rc = ssn_check_usable(ss);
    rc = rc == SELSNAP_OK ? ssn_restore_start(ss, &ours, &job) : rc;
    if (rc == SELSNAP_OK && ret_job != NULL) {
        *ret_job = job;
    }
    return rc;
}

int selsnap_restore_next(selsnap *ss, uint64_t after_job, selsnap_restore_info *ret_info) {
    selsnap_restore_info info;
    if (ss == NULL || ret_info == NULL) {
        return SELSNAP_EINVAL;
    }
    memset(&info, 0, sizeof info);
    int rc = ssn_restore_info(ss, after_job, &info);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    return ssn_export(ret_info, &info, sizeof info) ? SELSNAP_OK : SELSNAP_EINVAL;
}

int selsnap_restore_pause(selsnap *ss, uint64_t job, int paused) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_restore_pause(ss, job, paused != 0) : rc;
}

int selsnap_restore_run(selsnap *ss, uint64_t job, selsnap_progress_fn progress, void *progress_user) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_restore_run(ss, job, progress, progress_user) : rc;
}
