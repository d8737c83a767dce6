/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a write to blocks that may need preserving, from the claim to the gate. */
#ifndef SSN_LIVEWRITE_H
#define SSN_LIVEWRITE_H

#include "context.h"

/*
 * No restore of the blocks is starting at the need version that is given. The claims may be given up for that, and
 * taken again. An error: it is not known whether one has started.
 */
int ssn_write_wait_restores(struct selsnap *ss, struct ssn_claim *claims, unsigned count, uint64_t *ret_version);

/* Positive, so no error: see below. */
enum { SSN_WRITE_PENDING = 2 };

/*
 * Claims the blocks, brings them to where nothing needs their old content, and enters the gate with that true: the
 * caller writes the origin, and leaves. `claims` have their blocks filled in, rising and apart, each in one run, together no
 * more blocks than a chunk has; what is claimed may be more afterwards. Several are prepared together: one
 * flush for all. On failure nothing is claimed, and the origin must not be written. SSN_WRITE_PENDING: neither, as a
 * block has pending data (deferred.h).
 */
int ssn_write_enter(struct selsnap *ss, struct ssn_claim *claims, unsigned count, unsigned *ret_shard);
void ssn_write_leave(struct selsnap *ss, struct ssn_claim *claims, unsigned count, unsigned shard);

#endif
