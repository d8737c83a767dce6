/* SPDX-License-Identifier: Apache-2.0 */
/* Copying blocks away before they change. */
#ifndef SSN_PRESERVE_H
#define SSN_PRESERVE_H

#include "context.h"

/* Neighbouring blocks of one run. */
struct ssn_stretch {
    uint64_t first;
    unsigned count;
};

/*
 * Preserves what the live snapshots with points below `cap` (UINT64_MAX: all) need of the blocks, durably, before it
 * returns: with one store write where space is contiguous, one journal write and one flush, however many stretches
 * there are. The caller has claimed them and is outside the gate; they are in rising order, apart, and together no more
 * than a chunk. want NULL: all of them; otherwise there is one stretch, and `want` says which of its run's blocks.
 *
 * SELSNAP_ENOSPACE  No room, and a snapshot's policy says fail: the blocks must not be overwritten.
 * SELSNAP_ESTORE    The same, for a failing store.
 * SELSNAP_EDAMAGED  The index cannot be read there: the same.
 */
int ssn_preserve(struct selsnap *ss, const struct ssn_stretch *stretches, unsigned stretch_count,
                 const struct ssn_runbits *want, uint64_t cap);
/*
 * The same, of blocks for which ssn_store_hold() has taken places: `held` has one for each block in order, or 0, and the
 * store expects so many changes of them. On SELSNAP_OK the places that were used are 0; all others stay the caller's.
 * After SELSNAP_ESTORE a held place is good for the same block only, which may be there already.
 */
struct ssn_held {
    uint64_t *place;
    uint64_t announced;
};
int ssn_preserve_held(struct selsnap *ss, const struct ssn_stretch *stretches, unsigned stretch_count, uint64_t cap,
                      const struct ssn_held *held);
/* Positive, so no error: see below. */
enum { SSN_CLAIM_WIDER = 1 };
/*
 * As ssn_preserve() of `own`, for a write of these blocks; with them, what else of `claimed`, which covers them, needs
 * preserving, if there is room. may_widen: if more should be claimed for that, nothing is done but to tell it in
 * *ret_wider, with SSN_CLAIM_WIDER.
 */
int ssn_preserve_for_write(struct selsnap *ss, const struct ssn_stretch *own, const struct ssn_stretch *claimed,
                           bool may_widen, struct ssn_stretch *ret_wider);
/*
 * A restore gives this block up because its source is damaged, and the device keeps what it has: records it as lost for
 * the snapshots taken since the restore began, which would have read the source. The block is claimed. As above.
 */
int ssn_preserve_damaged(struct selsnap *ss, uint64_t block);

#endif
