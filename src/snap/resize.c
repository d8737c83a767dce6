/* SPDX-License-Identifier: Apache-2.0 */
/* See resize.h. */
#include "resize.h"

#include <inttypes.h>

int ssn_context_grow_store(struct selsnap *ss, uint64_t bytes) {
    int rc = ssn_check_usable(ss);
    uint64_t before = ssn_store_size_pages(ss->store);
    rc = rc == SELSNAP_OK ? ssn_store_grow(ss->store, bytes) : rc;
    uint64_t now = ssn_store_size_pages(ss->store);
    if (rc == SELSNAP_OK && now != before) {
        ssn_log(&ss->report, SELSNAP_LOG_INFO, "the store has grown from %" PRIu64 " to %" PRIu64 " pages", before,
                now);
    }
    return rc;
}
