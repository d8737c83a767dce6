/* SPDX-License-Identifier: Apache-2.0 */
/* The value of a membership item (docs/format.md, section 6.10): which consistency group a snapshot was made in. */
#ifndef SSN_MEMBERSHIP_H
#define SSN_MEMBERSHIP_H

#include "key.h"

#include <selsnap/selsnap.h>

struct ssn_membership {
    uint8_t group[SELSNAP_GROUP_ID_SIZE];
    uint32_t number; /* of this member, from 0 */
    uint32_t count;  /* members of the group */
    int64_t time_ns;
    char name[SELSNAP_NAME_MAX + 1]; /* of the group; may be empty */
};

uint16_t ssn_membership_encode(uint8_t *p, const struct ssn_membership *membership);
/* Accepts only what the document allows. */
bool ssn_membership_decode(const uint8_t *p, uint16_t len, struct ssn_membership *ret_membership);

#endif
