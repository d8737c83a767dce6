/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long snapshots are kept. Hold and term items are read when they are asked for, and not kept in memory; all that
 * changes them holds admin.
 *
 *   retention_hold.c   holds with a reason, locks
 *   retention.c        expiry, and deleting by it and by rules
 *   retention_rules.c  which of a list of times the keep rules keep: a pure function
 *   retention_freed.c  what deleting some snapshots would free
 */
#ifndef SSN_RETENTION_INNER_H
#define SSN_RETENTION_INNER_H

#include "context.h"
#include "retention_record.h"

/* The host's clock, nanoseconds since 1970 UTC. */
int64_t ssn_retention_now(void);

/* Options are imported; reason may be NULL. */
int ssn_hold_add(struct selsnap *ss, uint64_t id, const selsnap_hold_options *options, uint64_t *ret_hold);
int ssn_hold_set_end(struct selsnap *ss, uint64_t id, uint64_t hold, int64_t until_ns);
int ssn_hold_release(struct selsnap *ss, uint64_t id, uint64_t hold);
int ssn_hold_next(struct selsnap *ss, uint64_t id, uint64_t after, selsnap_hold_info *ret_info);

int ssn_expiry_set(struct selsnap *ss, uint64_t id, int64_t time_ns);
int ssn_expiry_get(struct selsnap *ss, uint64_t id, int64_t *ret_time);
int ssn_retention_expire(struct selsnap *ss, int64_t now_ns, uint32_t flags, selsnap_verdict_fn verdict, void *user,
                         uint64_t *ret_count);
/* Rules are imported. */
int ssn_retention_retain(struct selsnap *ss, const selsnap_keep_rules *rules, uint32_t flags,
                         selsnap_verdict_fn verdict, void *user, uint64_t *ret_count);
int ssn_retention_freed(struct selsnap *ss, const uint64_t *ids, uint32_t count, selsnap_progress_fn progress,
                        void *progress_user, uint64_t *ret_bytes);

/* ---- with admin held ---- */

/* SELSNAP_ENOENT, told, unless the snapshot is live. */
int ssn_retention_find(struct selsnap *ss, uint64_t id, struct ssn_snap **ret_snap);
/* A snapshot's term; all 0: it has none. Admin need not be held. */
int ssn_term_get(struct selsnap *ss, uint64_t id, struct ssn_term_record *ret_record);
/* The same for who changes it: after what failed commits left undecided is settled. */
int ssn_term_get_settled(struct selsnap *ss, uint64_t id, struct ssn_term_record *ret_record);
int ssn_term_put(struct selsnap *ss, uint64_t id, const struct ssn_term_record *record);
/* All holds of a snapshot that have not ended. */
int ssn_hold_count(struct selsnap *ss, const struct ssn_snap *snap, uint32_t *ret_count);
/* Adds the deletion of a snapshot's hold and term items to the transaction. */
void ssn_retention_put_delete(struct selsnap *ss, struct ssn_txn *txn, uint64_t id);

/* ---- rules ---- */

struct ssn_keep_item {
    int64_t time_ns;
    uint64_t id;
    uint32_t reasons; /* SELSNAP_REASON_*: of the rules that keep it; set by ssn_keep_judge */
    uint32_t reserved;
};
/* Puts the items in order, newest first, and tells which rules keep each. */
void ssn_keep_judge(const selsnap_keep_rules *rules, struct ssn_keep_item *items, size_t count);
/* The number of the period that a time falls into, rising with time; reason: SELSNAP_REASON_HOURLY to _YEARLY. */
int64_t ssn_keep_period(uint32_t reason, int64_t time_ns, int32_t utc_offset_seconds);

#endif
