/* SPDX-License-Identifier: Apache-2.0 */
/* Which snapshots still need an entry: the resolution rule [F-13], asked from the entry's side. */
#ifndef SSN_NEEDED_H
#define SSN_NEEDED_H

#include "context.h"

/*
 * Whether a snapshot (in any state, hidden marks too) resolves to the entry (major, epoch) for one of its blocks or
 * more, and whether one that keeps data does; the snapshot except_snap_id is not counted (0: all are).
 *
 * An entry that nobody needs is needed by none that comes later: a later point is above every epoch there is. So the
 * answer "not needed" stays true while nothing is locked.
 */
int ssn_extent_needed(struct selsnap *ss, uint64_t major, uint64_t epoch, uint64_t except_snap_id, bool *ret_any,
                      bool *ret_data);
/* The same, for who asks of one entry after another in the order of blocks. memory may be NULL. */
int ssn_extent_needed_walking(struct selsnap *ss, struct ssn_needed_memory *memory, uint64_t major, uint64_t epoch,
                              uint64_t except_snap_id, bool *ret_any, bool *ret_data);
/* The same, without several snapshots: ids, rising. */
int ssn_extent_needed_except(struct selsnap *ss, struct ssn_needed_memory *memory, uint64_t major, uint64_t epoch,
                             const uint64_t *except, size_t except_count, bool *ret_any, bool *ret_data);

#endif
