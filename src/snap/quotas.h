/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quotas. A snapshot's is in its term item, and looked up at each write into it: it takes no memory. The store's is an item
 * of its own, read at the open; the store knows it since, and no write asks for it.
 *
 * What was written into a snapshot is counted once, by a walk, when the first write under a quota needs it, and then kept up
 * to date in the overlay (`data_blocks`), by the writer, as long as views of it are open. What is pending and what is
 * flushed count alike, so a flush, whatever becomes of it, changes nothing. A write without a quota, and a reset, make the
 * count unknown again.
 */
#ifndef SSN_QUOTAS_H
#define SSN_QUOTAS_H

#include "overlay.h"

/* At open: tells the store its quota. */
int ssn_quota_load(struct selsnap *ss);

int ssn_quota_set(struct selsnap *ss, uint64_t bytes);
int ssn_quota_get(struct selsnap *ss, uint64_t *ret_bytes);
int ssn_quota_set_snapshot(struct selsnap *ss, uint64_t id, uint64_t bytes);
/* ret_bytes, ret_used: NULL is allowed. */
int ssn_quota_get_snapshot(struct selsnap *ss, uint64_t id, uint64_t *ret_bytes, uint64_t *ret_used);

/* Of a whole, which is not 0. */
uint64_t ssn_quota_percent(uint64_t part, uint64_t whole);

/* A write into a snapshot, as its quota sees it. */
struct ssn_quota_change {
    uint64_t quota; /* 0: there is none, and the rest means nothing */
    int64_t growth; /* blocks of data more, or fewer */
    unsigned tell;  /* percent to tell by SELSNAP_EVENT_QUOTA when no lock is held; 0: nothing */
};

/*
 * writer is held, and nothing in doubt: what putting records for the blocks (one run's) will change. Only their kinds count.
 * SELSNAP_EQUOTA, told: it would take too much.
 */
int ssn_quota_ask(struct selsnap *ss, const struct ssn_snap *snap, struct ssn_overlay *overlay, uint64_t first_block,
                  unsigned count, const struct ssn_overlay_record *records, struct ssn_quota_change *ret_change);
/* writer is still held: the records are put; done: all of them. */
void ssn_quota_count(struct selsnap *ss, struct ssn_overlay *overlay, struct ssn_quota_change *change, bool done);

#endif
