/* SPDX-License-Identifier: Apache-2.0 */
/* Stores that grow, and origins that grow or become shorter. */
#ifndef SSN_RESIZE_H
#define SSN_RESIZE_H

#include "context.h"

/* As selsnap_grow_store(), selsnap_grow_origin() and selsnap_shrink_origin(). */
int ssn_context_grow_store(struct selsnap *ss, uint64_t bytes);
int ssn_context_grow_origin(struct selsnap *ss, uint64_t bytes);
int ssn_context_shrink_origin(struct selsnap *ss, uint64_t bytes);
/* Bytes that the origin had at the snapshot's point. SELSNAP_EDAMAGED, told; SELSNAP_ESTORE. */
int ssn_snapshot_size(struct selsnap *ss, uint64_t id, uint64_t *ret_bytes);
/* Notes the size with a new snapshot, if that is not the extent. */
void ssn_snapshot_put_size(struct selsnap *ss, struct ssn_txn *txn, uint64_t id);
/* Puts what is noted of the size for one snapshot down for another, of the same point. Errors as of ssn_store_get(). */
int ssn_snapshot_copy_size(struct selsnap *ss, struct ssn_txn *txn, uint64_t from, uint64_t to);
/* admin is held, before a snapshot is made: after a failed change of the size, the one that may be found after a crash is this. */
int ssn_origin_settle_size(struct selsnap *ss);

#endif
