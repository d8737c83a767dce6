/* SPDX-License-Identifier: Apache-2.0 */
/* Consistency groups: snapshots of several contexts at one instant. */
#ifndef SSN_CONSISTENT_H
#define SSN_CONSISTENT_H

#include "snapshot.h"

/* A member to be made. The caller fills ss and options; the rest is for the making. */
struct ssn_member {
    struct selsnap *ss;
    selsnap_snapshot_options options;
    struct ssn_membership membership;
    struct ssn_making making;
    uint64_t id; /* the snapshot's, on success */
};

/* members: changed in order; membership.number tells which is which. ret_group_id: SELSNAP_GROUP_ID_SIZE bytes. */
int ssn_consistent_create(struct ssn_member *members, uint32_t count, const selsnap_group_options *options,
                          uint8_t *ret_group_id);
/* Whether a context is there twice; changes the order. */
bool ssn_consistent_order(struct ssn_member *members, uint32_t count);
int ssn_consistent_info(struct selsnap *ss, uint64_t id, struct ssn_membership *ret_membership);
int ssn_consistent_check(selsnap *const *contexts, uint32_t count, const uint8_t *group_id,
                         selsnap_group_status *ret_status);

#endif
