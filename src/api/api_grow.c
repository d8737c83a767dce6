/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions that change sizes. */
#include "api.h"
#include "resize.h"

int selsnap_grow_origin(selsnap *ss, uint64_t bytes) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_context_grow_origin(ss, bytes) : rc;
}

int selsnap_shrink_origin(selsnap *ss, uint64_t bytes) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_context_shrink_origin(ss, bytes) : rc;
}

int selsnap_grow_store(selsnap *ss, uint64_t bytes) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_context_grow_store(ss, bytes) : rc;
}
