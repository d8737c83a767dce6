/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resolution rule [F-13], for the blocks of one run at a time: which entry tells what a block held. All answers are
 * of the index as published; nothing is locked.
 */
#ifndef SSN_RESOLVE_H
#define SSN_RESOLVE_H

#include "context.h"

/* What a block resolves to. */
struct ssn_source {
    uint8_t kind;      /* enum ssn_entry_kind; NONE: no entry */
    uint64_t epoch;    /* of the entry */
    uint64_t place;    /* data: of this block's copy */
    uint64_t checksum; /* data: of this block */
};

/* The entries of blocks [first, first + count) of a run, indexed from 0 on: */

/* the greatest epoch below `cap` (UINT64_MAX: any); 0: none */
int ssn_resolve_newest(struct selsnap *ss, uint64_t run, unsigned first, unsigned count, uint64_t cap,
                       uint64_t *ret_epochs);
/* the entry with the smallest epoch >= point, if that is below `cap` (UINT64_MAX: any) */
int ssn_resolve_at(struct selsnap *ss, uint64_t run, unsigned first, unsigned count, uint64_t point, uint64_t cap,
                   struct ssn_source *ret_sources);

/*
 * Reads whole blocks by their sources, block by block checked; those of kind NONE are left alone. Neighbouring places are
 * read in one request, the requests at once. SELSNAP_EDAMAGED: told which block; *ret_bad (may be NULL) is its index, and
 * those before it are right. Lost: SELSNAP_ELOST. Call in a read section that encloses the resolving.
 */
int ssn_resolve_read(struct selsnap *ss, uint64_t first_block, unsigned count, const struct ssn_source *sources,
                     uint8_t *buf, unsigned *ret_bad);

#endif
