/* SPDX-License-Identifier: Apache-2.0 */
#include "membership.h"

#include "record.h"

#include <string.h>

enum { AT_NUMBER = SELSNAP_GROUP_ID_SIZE, AT_COUNT = AT_NUMBER + 4, AT_TIME = AT_COUNT + 4, AT_NAME = AT_TIME + 8 };

uint16_t ssn_membership_encode(uint8_t *p, const struct ssn_membership *membership) {
    size_t name_len = strlen(membership->name);
    memcpy(p, membership->group, SELSNAP_GROUP_ID_SIZE);
    ssn_put32(p + AT_NUMBER, membership->number);
    ssn_put32(p + AT_COUNT, membership->count);
    ssn_put64(p + AT_TIME, (uint64_t)membership->time_ns);
    memcpy(p + AT_NAME, membership->name, name_len);
    return (uint16_t)(AT_NAME + name_len);
}

bool ssn_membership_decode(const uint8_t *p, uint16_t len, struct ssn_membership *ret_membership) {
    struct ssn_membership membership;
    memset(&membership, 0, sizeof membership);
    if (len < AT_NAME) {
        return false;
    }
    memcpy(membership.group, p, SELSNAP_GROUP_ID_SIZE);
    membership.number = ssn_get32(p + AT_NUMBER);
    membership.count = ssn_get32(p + AT_COUNT);
    membership.time_ns = (int64_t)ssn_get64(p + AT_TIME);
    bool named = len > AT_NAME;
    if (named && !ssn_name_decode(p + AT_NAME, (uint16_t)(len - AT_NAME), membership.name)) {
        return false;
    }
    if (membership.count == 0 || membership.count > SELSNAP_GROUP_MEMBERS_MAX ||
        membership.number >= membership.count) {
        return false;
    }
    *ret_membership = membership;
    return true;
}
