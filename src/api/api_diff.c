/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions on bookmarks and diffs. */
#include "api.h"
#include "bookmark.h"
#include "differ.h"

int selsnap_snapshot_make_bookmark(selsnap *ss, uint64_t id) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_snapshot_make_bookmark(ss, id) : rc;
}

int selsnap_diff_next(selsnap *ss, const selsnap_diff_options *options, uint64_t offset,
                      selsnap_diff_range *ret_range) {
    selsnap_diff_options ours;
    if (ss == NULL || options == NULL || ret_range == NULL || !ssn_import(&ours, sizeof ours, options) ||
        ours.flags != 0 || ours.from_id == 0) {
        return SELSNAP_EINVAL;
    }
    int rc = ssn_diff_check_within(ss, ours.within);
    return rc == SELSNAP_OK ? ssn_diff_next(ss, &ours, offset, ret_range) : rc;
}
