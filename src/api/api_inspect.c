/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions that look at a whole store. */
#include "api.h"
#include "inspect.h"

#include <string.h>

int selsnap_check(selsnap *ss, selsnap_line_fn problem, void *problem_user, selsnap_progress_fn progress,
                  void *progress_user, selsnap_check_result *ret_result) {
    selsnap_check_result result;
    if (ss == NULL || ret_result == NULL) {
        return SELSNAP_EINVAL;
    }
    memset(&result, 0, sizeof result);
    int rc = ssn_inspect_check(ss, problem, problem_user, progress, progress_user, &result);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    return ssn_export(ret_result, &result, sizeof result) ? SELSNAP_OK : SELSNAP_EINVAL;
}

int selsnap_scrub_step(selsnap *ss, selsnap_scrub *scrub, uint64_t budget_bytes, selsnap_line_fn problem,
                       void *problem_user) {
    selsnap_scrub ours;
    if (ss == NULL || scrub == NULL || scrub->struct_size == 0 || !ssn_import(&ours, sizeof ours, scrub)) {
        return SELSNAP_EINVAL;
    }
    int rc = ssn_inspect_scrub(ss, &ours, budget_bytes, problem, problem_user);
    return ssn_export(scrub, &ours, sizeof ours) ? rc : SELSNAP_EINVAL;
}

int selsnap_dump(selsnap *ss, selsnap_line_fn line, void *user) {
    return ss == NULL || line == NULL ? SELSNAP_EINVAL : ssn_inspect_dump(ss, line, user);
}
