/* SPDX-License-Identifier: Apache-2.0 */
/* See received.h. */
#include "received.h"

#include <string.h>

uint16_t ssn_received_record_encode(uint8_t *p, const struct ssn_received_record *record) {
    bool whole = record->state == SSN_RECEIVED_WHOLE;
    memset(p, 0, SSN_RECEIVED_UNFINISHED_SIZE);
    p[0] = record->state;
    p[1] = record->flags;
    memcpy(p + 8, record->store_id, SSN_STORE_ID_SIZE);
    ssn_put64(p + 24, record->snapshot_id);
    ssn_put64(p + 32, record->point);
    ssn_put64(p + 40, record->ranges_digest);
    ssn_put64(p + 48, record->lost_blocks);
    if (!whole) {
        ssn_put64(p + 56, record->key);
        ssn_put64(p + 64, record->records);
        ssn_put64(p + 72, record->next_block);
        ssn_put64(p + 80, record->digest);
        ssn_put64(p + 88, record->data_blocks);
        ssn_put64(p + 96, record->zero_blocks);
    }
    return whole ? SSN_RECEIVED_WHOLE_SIZE : SSN_RECEIVED_UNFINISHED_SIZE;
}

bool ssn_received_record_decode(const uint8_t *p, uint16_t len, struct ssn_received_record *ret_record) {
    if (len < SSN_RECEIVED_WHOLE_SIZE || p[0] < SSN_RECEIVED_WHOLE || p[0] > SSN_RECEIVED_UNFINISHED ||
        (p[1] & ~SSN_RECEIVED_FLAGS) != 0 || !ssn_is_zero(p + 2, 6) || ssn_get64(p + 24) == 0 ||
        ssn_get64(p + 32) == 0) {
        return false;
    }
    bool whole = p[0] == SSN_RECEIVED_WHOLE;
    if (len != (whole ? SSN_RECEIVED_WHOLE_SIZE : SSN_RECEIVED_UNFINISHED_SIZE)) {
        return false;
    }
    memset(ret_record, 0, sizeof *ret_record);
    ret_record->state = p[0];
    ret_record->flags = p[1];
    memcpy(ret_record->store_id, p + 8, SSN_STORE_ID_SIZE);
    ret_record->snapshot_id = ssn_get64(p + 24);
    ret_record->point = ssn_get64(p + 32);
    ret_record->ranges_digest = ssn_get64(p + 40);
    ret_record->lost_blocks = ssn_get64(p + 48);
    if (!whole) {
        ret_record->key = ssn_get64(p + 56);
        ret_record->records = ssn_get64(p + 64);
        ret_record->next_block = ssn_get64(p + 72);
        ret_record->digest = ssn_get64(p + 80);
        ret_record->data_blocks = ssn_get64(p + 88);
        ret_record->zero_blocks = ssn_get64(p + 96);
    }
    return true;
}
