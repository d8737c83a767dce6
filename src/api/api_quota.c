/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions on quotas. */
#include "api.h"
#include "quotas.h"

int selsnap_snapshot_set_quota(selsnap *ss, uint64_t id, uint64_t bytes) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_quota_set_snapshot(ss, id, bytes) : rc;
}

int selsnap_snapshot_get_quota(selsnap *ss, uint64_t id, uint64_t *ret_bytes, uint64_t *ret_used) {
    return ss != NULL ? ssn_quota_get_snapshot(ss, id, ret_bytes, ret_used) : SELSNAP_EINVAL;
}

int selsnap_set_quota(selsnap *ss, uint64_t bytes) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_quota_set(ss, bytes) : rc;
}

int selsnap_get_quota(selsnap *ss, uint64_t *ret_bytes) {
    if (ss == NULL || ret_bytes == NULL) {
        return SELSNAP_EINVAL;
    }
    return ssn_quota_get(ss, ret_bytes);
}
