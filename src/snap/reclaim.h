/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving back what only deleted snapshots needed. One walk over the index serves all deletes pending at its start, in
 * bounded steps; its cursor is in the state item, in the same transaction as what it frees.
 */
#ifndef SSN_RECLAIM_H
#define SSN_RECLAIM_H

#include "context.h"

/* admin is held: counts one more delete, in the transaction that deletes. After the commit, or not: _done or _undo. */
void ssn_reclaim_note_delete(struct selsnap *ss, struct ssn_txn *txn);
void ssn_reclaim_note_failed(struct selsnap *ss);
/* Whether there is anything for ssn_reclaim_step to do. */
bool ssn_reclaim_pending(struct selsnap *ss);
/* Visits about `budget` entries, overlay items and ranges. *ret_visited, *ret_more. SELSNAP_EBUSY: another thread does it. */
int ssn_reclaim_step(struct selsnap *ss, uint64_t budget, uint64_t *ret_visited, bool *ret_more);

#endif
