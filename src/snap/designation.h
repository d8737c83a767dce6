/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Designations: subsets saved in the store, and the question which blocks of a run one covers. Ranges are read through
 * the page cache, never held in memory.
 */
#ifndef SSN_DESIGNATION_H
#define SSN_DESIGNATION_H

#include "context.h"
#include "subset.h"

/* The blocks of [first, first + count) of a run (block numbers within it) that a designation covers, as bits. */
int ssn_designation_cover(struct selsnap *ss, uint64_t id, bool whole, uint64_t run, unsigned first, unsigned count,
                          struct ssn_runbits *ret_bits);
/* The first range that ends above `from`, cut to begin at it. SELSNAP_ENOENT: no more. Blocks. */
int ssn_designation_next_range(struct selsnap *ss, uint64_t id, bool whole, uint64_t from,
                               struct ssn_block_range *ret_range);
/*
 * A designation as a subset in memory, which belongs to no context: it may be handed to a user. bytes: of the device of
 * the subset, whose end cuts it off: what the origin has, or the extent; 0: the origin, or the extent if need be.
 */
int ssn_designation_to_subset(struct selsnap *ss, const struct ssn_group *group, uint64_t bytes,
                              selsnap_subset **ret_subset);
/* Whether it has a block from this one on. */
int ssn_designation_reaches(struct selsnap *ss, const struct ssn_group *group, uint64_t block, bool *ret_reaches);
/* Whether two have a block in common. */
int ssn_designation_meet(struct selsnap *ss, const struct ssn_group *a, const struct ssn_group *b, bool *ret_meet);

/* Below: admin is held. */

/* Finds the group of a name; SELSNAP_ENOENT. */
int ssn_designation_find(struct selsnap *ss, const char *name, struct ssn_group **ret_group);
/* Saves; name NULL or empty: only snapshots will refer to it. A whole subset without a name uses one there is. */
int ssn_designation_save(struct selsnap *ss, const char *name, const selsnap_subset *subset,
                         struct ssn_group **ret_group);
int ssn_designation_unname(struct selsnap *ss, const char *name);
/* The name of a group; empty when it has none. */
int ssn_designation_name(struct selsnap *ss, uint64_t id, char *ret_name);
/*
 * When a group has neither name nor member (besides `leaving`, which goes in the same transaction): adds to the
 * transaction what marks it for dropping, and returns true. After the commit call ssn_designation_dropped.
 */
bool ssn_designation_release(struct selsnap *ss, struct ssn_txn *txn, struct ssn_group *group,
                             const struct ssn_snap *leaving);
void ssn_designation_dropped(struct selsnap *ss, struct ssn_group *group);
/* Counts anew what drop_step has to do; at open, after the catalogue is loaded. */
void ssn_designation_count_due(struct selsnap *ss);
/* Deletes some items of designations marked for dropping. *ret_more: there is more to do. */
int ssn_designation_drop_step(struct selsnap *ss, uint64_t budget, bool *ret_more);

#endif
