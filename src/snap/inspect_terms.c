/* SPDX-License-Identifier: Apache-2.0 */
/* See inspect_check.h. Here: holds and terms. */
#include "inspect_check.h"
#include "retention_record.h"

#include <inttypes.h>

/* Tells when the snapshot that the item at hand is about is not there. */
static int check_owner(struct ssn_check *check, const char *what) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_SNAPSHOT, check->key->major, 0);
    struct ssn_item item;
    int rc = ssn_store_get(check->ss->store, &key, &item);
    if (rc == SELSNAP_ENOENT) {
        ssn_check_problem(check, "snapshot %" PRIu64 ": there is a %s, but no record", check->key->major, what);
        rc = SELSNAP_OK;
    }
    return ssn_check_failure(check, what, rc);
}

int ssn_check_hold(struct ssn_check *check) {
    struct ssn_hold_record record;
    if (!ssn_hold_record_decode(check->value, check->len, &record)) {
        ssn_check_problem(check, "snapshot %" PRIu64 ": its hold %" PRIu64 " is malformed", check->key->major,
                          check->key->minor);
        return SELSNAP_OK;
    }
    ssn_check_id(check, "hold", check->key->minor);
    return check_owner(check, "hold");
}

int ssn_check_term(struct ssn_check *check) {
    struct ssn_term_record record;
    if (check->key->minor != 0 || !ssn_term_record_decode(check->value, check->len, &record)) {
        ssn_check_problem(check, "snapshot %" PRIu64 ": its term is malformed", check->key->major);
        return SELSNAP_OK;
    }
    return check_owner(check, "term");
}
