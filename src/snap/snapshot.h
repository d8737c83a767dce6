/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots as callers see them: making, finding, naming, holding, deleting. */
#ifndef SSN_SNAPSHOT_H
#define SSN_SNAPSHOT_H

#include "context.h"
#include "received.h"

/* What an import adds to a new snapshot, in the same transaction. */
struct ssn_snapshot_extra {
    uint32_t holds;
    const struct ssn_received_record *received;
};
int ssn_snapshot_create_with(struct selsnap *ss, const selsnap_snapshot_options *options,
                             const struct ssn_snapshot_extra *extra, uint64_t *ret_id);
int ssn_snapshot_create(struct selsnap *ss, const selsnap_snapshot_options *options, uint64_t *ret_id);
int ssn_snapshot_find(struct selsnap *ss, const char *name, selsnap_snapshot_info *ret_info);
int ssn_snapshot_info(struct selsnap *ss, uint64_t id, selsnap_snapshot_info *ret_info);
int ssn_snapshot_next(struct selsnap *ss, uint64_t after_id, selsnap_snapshot_info *ret_info);
int ssn_snapshot_next_property(struct selsnap *ss, uint64_t id, const char *after_key, char *ret_key, char *ret_value);
int ssn_snapshot_rename(struct selsnap *ss, uint64_t id, const char *name);
/* by: 1 or -1. */
int ssn_snapshot_change_holds(struct selsnap *ss, uint64_t id, int by);
int ssn_snapshot_delete(struct selsnap *ss, uint64_t id);
/* admin is held. SELSNAP_ENOENT, told. */
int ssn_snapshot_find_live(struct selsnap *ss, uint64_t id, struct ssn_snap **ret_snap);
/* admin is held, for what takes content away: SELSNAP_EHELD while it is held, SELSNAP_EBUSY while somebody reads it. With
 * admin held on, it stays so. */
int ssn_snapshot_refuse_used(struct selsnap *ss, const struct ssn_snap *snap);
/* The same with admin held. */
int ssn_snapshot_delete_locked(struct selsnap *ss, uint64_t id);
/* admin is held: the id of a live snapshot's name; SELSNAP_ENOENT. */
int ssn_snapshot_id_of(struct selsnap *ss, const char *name, uint64_t *ret_id);
/* admin is held: puts the snapshot's record, as it is in memory. */
void ssn_snapshot_put_record(struct ssn_txn *txn, const struct ssn_snap *snap);
void ssn_snapshot_put_received(struct ssn_txn *txn, uint64_t id, const struct ssn_received_record *record);
/* admin is held: deletes what failed commits left undecided, if the store answers. */
int ssn_snapshot_settle_doomed(struct selsnap *ss);

#endif
