/* SPDX-License-Identifier: Apache-2.0 */
/* Values of hold, term and quota items (docs/format.md, sections 6, 6.8 and 6.9): bytes <-> structs. As record.h. */
#ifndef SSN_RETENTION_RECORD_H
#define SSN_RETENTION_RECORD_H

#include "key.h"

#include <selsnap/selsnap.h>

struct ssn_hold_record {
    uint8_t flags; /* SELSNAP_HOLD_LOCK */
    int64_t since_ns;
    int64_t until_ns; /* 0: no end */
    char reason[SELSNAP_HOLD_REASON_MAX + 1];
};
uint16_t ssn_hold_record_encode(uint8_t *p, const struct ssn_hold_record *record);
bool ssn_hold_record_decode(const uint8_t *p, uint16_t len, struct ssn_hold_record *ret_record);

struct ssn_term_record {
    int64_t expiry_ns;    /* 0: never */
    uint64_t quota_bytes; /* 0: none; there is no term with neither */
};
uint16_t ssn_term_record_encode(uint8_t *p, const struct ssn_term_record *record);
bool ssn_term_record_decode(const uint8_t *p, uint16_t len, struct ssn_term_record *ret_record);

/* Of the store; bytes is not 0. */
enum { SSN_QUOTA_SIZE = 8 };
uint16_t ssn_quota_encode(uint8_t *p, uint64_t bytes);
bool ssn_quota_decode(const uint8_t *p, uint16_t len, uint64_t *ret_bytes);

#endif
