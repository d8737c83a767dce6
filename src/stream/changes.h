/* SPDX-License-Identifier: Apache-2.0 */
/* Which blocks an increment has to tell of, and whether what was imported is still as it was. */
#ifndef SSN_CHANGES_H
#define SSN_CHANGES_H

#include "context.h"
#include "subset.h"

/* Taking an import back is a restore, and restores must not meet: SELSNAP_EBUSY, told, while one is not finished. */
int ssn_changes_ready(struct selsnap *ss);

/*
 * The first blocks at or behind `block`, of one range of `within`, that may differ between the snapshot or bookmark
 * `from_id` and the snapshot `to_id` (0: now), or that only the later one has. SELSNAP_ENOENT: no more.
 */
int ssn_changes_next(struct selsnap *ss, uint64_t from_id, uint64_t to_id, const selsnap_subset *within, uint64_t block,
                     struct ssn_block_range *ret_range);

/*
 * SELSNAP_OK: the blocks that both `within` and the snapshot have are on the live device as in the snapshot. A block that was
 * written to is read and compared. SELSNAP_EBASE, told: one is not.
 */
int ssn_changes_none(struct selsnap *ss, uint64_t id, const selsnap_subset *within);

#endif
