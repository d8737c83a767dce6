/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving back what only deleted snapshots needed. One walk over the index serves all deletes pending at its start, in
 * bounded steps; its cursor is in the state item, in the same transaction as what it frees.
 */
#ifndef SSN_RECLAIM_H
#define SSN_RECLAIM_H

#include "context.h"

/* admin is held, at open, after ssn_catalogue_load: reads the state item, and counts what waits to be dropped. */
int ssn_reclaim_load(struct selsnap *ss);
/*
 * admin is held: counts one more delete, in the transaction that deletes; admin is held on until the snapshot has left
 * the catalogue, or the commit has failed: then ssn_reclaim_note_failed.
 */
void ssn_reclaim_note_delete(struct selsnap *ss, struct ssn_txn *txn);
void ssn_reclaim_note_failed(struct selsnap *ss);
/*
 * Adds the job that drops an overlay to the transaction that takes the overlay from its snapshot. After the commit
 * (also after SELSNAP_ESTORE): ssn_reclaim_note_overlay.
 */
void ssn_reclaim_put_overlay_drop(struct selsnap *ss, struct ssn_txn *txn, uint64_t overlay_id);
void ssn_reclaim_note_overlay(struct selsnap *ss);
/*
 * admin is held: commits the state item as it is. When that succeeds, every commit that failed before has either taken
 * effect or never will, and the index tells which.
 */
int ssn_reclaim_settle(struct selsnap *ss);
/*
 * For what runs in a step: how many items one transaction may change, and what became of it. On a store so full that
 * even the checkpoint after a transaction has no room, smaller ones go on. true: try again with less.
 */
unsigned ssn_reclaim_txn_ops(const struct selsnap *ss);
bool ssn_reclaim_txn_shrink(struct selsnap *ss, int rc);
/* Whether there is anything for ssn_reclaim_step to do. Cheap; no lock. */
bool ssn_reclaim_pending(struct selsnap *ss);
/* Visits about `budget` entries, overlay items and ranges. *ret_visited, *ret_more. SELSNAP_EBUSY: another thread does
 * it. */
int ssn_reclaim_step(struct selsnap *ss, uint64_t budget, uint64_t *ret_visited, bool *ret_more);

#endif
