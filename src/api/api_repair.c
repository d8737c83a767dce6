/* SPDX-License-Identifier: Apache-2.0 */
/* The exported function that repairs. */
#include "api.h"
#include "repair.h"

#include <string.h>

int selsnap_repair(selsnap_device *damaged, selsnap_device *origin, selsnap_device *fresh,
                   const selsnap_repair_options *options, selsnap_repair_result *ret_result) {
    const uint32_t known_flags = SELSNAP_REPAIR_OVERWRITE | SELSNAP_REPAIR_ALLOW_OVERLAP | SELSNAP_REPAIR_OTHER_ORIGIN |
                                 SELSNAP_REPAIR_ORIGIN_CHANGED | SELSNAP_REPAIR_AS_TAKEN;
    selsnap_repair_options ours;
    selsnap_repair_result result;
    memset(&result, 0, sizeof result);
    /* Zeros go out first: a result of nonsense size is refused before anything is done. */
    if (damaged == NULL || origin == NULL || fresh == NULL || ret_result == NULL ||
        !ssn_import(&ours, sizeof ours, options) || (ours.flags & ~known_flags) != 0 ||
        !ssn_api_allocator_allowed(&ours.allocator) || !ssn_export(ret_result, &result, sizeof result)) {
        return SELSNAP_EINVAL;
    }
    int rc = ssn_repair_run(damaged, origin, fresh, &ours, &result);
    if (rc == SELSNAP_OK || rc == SELSNAP_EDAMAGED) {
        (void)ssn_export(ret_result, &result, sizeof result);
    }
    return rc;
}
