/* SPDX-License-Identifier: Apache-2.0 */
/* The exported function on clones. */
#include "api.h"
#include "clones.h"

int selsnap_snapshot_clone(selsnap *ss, const selsnap_clone_options *options, uint64_t *ret_id) {
    selsnap_clone_options ours;
    int rc = ssn_api_check_writable(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (options == NULL || !ssn_import(&ours, sizeof ours, options) || ours.name == NULL) {
        return SELSNAP_EINVAL;
    }
    return ssn_snapshot_clone(ss, &ours, ret_id);
}
