/* SPDX-License-Identifier: Apache-2.0 */
/* See retention_record.h. */
#include "retention_record.h"

#include "record.h"

#include <string.h>

enum { HOLD_FIXED = 24, TERM_SIZE = 16 };

uint16_t ssn_hold_record_encode(uint8_t *p, const struct ssn_hold_record *record) {
    size_t reason_len = strlen(record->reason);
    memset(p, 0, HOLD_FIXED);
    p[0] = record->flags;
    ssn_put64(p + 8, (uint64_t)record->since_ns);
    ssn_put64(p + 16, (uint64_t)record->until_ns);
    memcpy(p + HOLD_FIXED, record->reason, reason_len);
    return (uint16_t)(HOLD_FIXED + reason_len);
}

bool ssn_hold_record_decode(const uint8_t *p, uint16_t len, struct ssn_hold_record *ret_record) {
    if (len < HOLD_FIXED || len > HOLD_FIXED + SELSNAP_HOLD_REASON_MAX || p[0] > SELSNAP_HOLD_LOCK ||
        !ssn_is_zero(p + 1, 7)) {
        return false;
    }
    size_t reason_len = (size_t)len - HOLD_FIXED;
    memset(ret_record, 0, sizeof *ret_record);
    ret_record->flags = p[0];
    ret_record->since_ns = (int64_t)ssn_get64(p + 8);
    ret_record->until_ns = (int64_t)ssn_get64(p + 16);
    memcpy(ret_record->reason, p + HOLD_FIXED, reason_len);
    bool endless_lock = ret_record->flags == SELSNAP_HOLD_LOCK && ret_record->until_ns == 0;
    return !endless_lock && strlen(ret_record->reason) == reason_len &&
           ssn_text_valid(ret_record->reason, SELSNAP_HOLD_REASON_MAX);
}

uint16_t ssn_term_record_encode(uint8_t *p, const struct ssn_term_record *record) {
    ssn_put64(p, (uint64_t)record->expiry_ns);
    ssn_put64(p + 8, record->quota_bytes);
    return TERM_SIZE;
}

bool ssn_term_record_decode(const uint8_t *p, uint16_t len, struct ssn_term_record *ret_record) {
    if (len != TERM_SIZE || ssn_is_zero(p, TERM_SIZE)) {
        return false;
    }
    ret_record->expiry_ns = (int64_t)ssn_get64(p);
    ret_record->quota_bytes = ssn_get64(p + 8);
    return true;
}

uint16_t ssn_quota_encode(uint8_t *p, uint64_t bytes) {
    ssn_put64(p, bytes);
    return SSN_QUOTA_SIZE;
}

bool ssn_quota_decode(const uint8_t *p, uint16_t len, uint64_t *ret_bytes) {
    if (len != SSN_QUOTA_SIZE || ssn_is_zero(p, SSN_QUOTA_SIZE)) {
        return false;
    }
    *ret_bytes = ssn_get64(p);
    return true;
}
