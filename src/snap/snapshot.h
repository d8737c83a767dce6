/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots as callers see them: making, finding, naming, holding, deleting. */
#ifndef SSN_SNAPSHOT_H
#define SSN_SNAPSHOT_H

#include "context.h"
#include "membership.h"
#include "received.h"

/* What an import adds to a new snapshot, in the same transaction. */
struct ssn_snapshot_extra {
    uint32_t holds;
    const struct ssn_received_record *received;
};
int ssn_snapshot_create_with(struct selsnap *ss, const selsnap_snapshot_options *options,
                             const struct ssn_snapshot_extra *extra, uint64_t *ret_id);
int ssn_snapshot_create(struct selsnap *ss, const selsnap_snapshot_options *options, uint64_t *ret_id);
/*
 * The same in parts, for several at once (consistent.c). admin is held throughout. A snapshot that does not come to be is
 * unmade, whatever part failed.
 */
struct ssn_making {
    struct selsnap *ss;
    const selsnap_snapshot_options *options;
    const struct ssn_snapshot_extra *extra;  /* or NULL */
    const struct ssn_membership *membership; /* NULL: of no group */
    /* What the parts have done. */
    struct ssn_snap *snap;
    struct ssn_group *group;
    bool listed;
    bool committed;
};
/* Before admin is taken. */
int ssn_snapshot_check_options(struct selsnap *ss, const selsnap_snapshot_options *options);
/* All that can fail before the point. */
int ssn_snapshot_prepare(struct ssn_making *making);
/* The gate is closed. From here on the snapshot counts for writers. */
void ssn_snapshot_take_point(struct ssn_making *making);
/* Tells how long the gate was closed for it. */
void ssn_snapshot_note_closed(struct selsnap *ss, uint64_t began_ns);
/* What was written before the point becomes durable. */
int ssn_snapshot_settle_point(const struct ssn_making *making);
/* The record. After SELSNAP_ESTORE it is doomed, and no longer the maker's. */
int ssn_snapshot_commit(struct ssn_making *making);
/* Callers see it. */
void ssn_snapshot_show(struct ssn_making *making);
/* It is gone, or doomed if it was committed and cannot be deleted. */
void ssn_snapshot_unmake(struct ssn_making *making);

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
/* admin is held: puts record, name and properties of a new snapshot. */
void ssn_snapshot_put_new(struct ssn_txn *txn, const struct ssn_snap *snap, const selsnap_snapshot_options *options);
/* Nanoseconds since 1970. */
int64_t ssn_snapshot_now(void);
/* admin is held: puts the snapshot's record, as it is in memory. */
void ssn_snapshot_put_record(struct ssn_txn *txn, const struct ssn_snap *snap);
void ssn_snapshot_put_received(struct ssn_txn *txn, uint64_t id, const struct ssn_received_record *record);

/* ---- between snapshot.c, snapshot_make.c and clone.c; admin is held ---- */

/* SELSNAP_EEXIST, told, when a snapshot has the name. */
int ssn_snapshot_refuse_taken(struct selsnap *ss, const char *name);
void ssn_snapshot_put_name(struct ssn_txn *txn, uint64_t id, const char *name);
void ssn_snapshot_set_state(struct selsnap *ss, struct ssn_snap *snap, enum ssn_snap_state state);
/* Deletes all its items but entries. */
int ssn_snapshot_commit_delete(struct selsnap *ss, struct ssn_snap *snap);

/* admin is held: deletes what failed commits left undecided, if the store answers. */
int ssn_snapshot_settle_doomed(struct selsnap *ss);

#endif
