/* SPDX-License-Identifier: Apache-2.0 */
/* Copying blocks away before they change. */
#ifndef SSN_PRESERVE_H
#define SSN_PRESERVE_H

#include "context.h"

/*
 * Preserves what the live snapshots with points below `cap` (UINT64_MAX: all) need of the given blocks of a run,
 * durably, before it returns. The caller has claimed them, is outside the gate, and they lie in one chunk. want NULL:
 * all of them.
 *
 * SELSNAP_ENOSPACE  No room, and a snapshot's policy says fail: the blocks must not be overwritten.
 * SELSNAP_ESTORE    The same, for a failing store.
 * SELSNAP_EDAMAGED  The index cannot be read there: the same.
 */
int ssn_preserve(struct selsnap *ss, uint64_t run, unsigned first, unsigned count, const struct ssn_runbits *want,
                 uint64_t cap);
/*
 * A restore gives this block up because its source is damaged, and the device keeps what it has: records it as lost for
 * the snapshots taken since the restore began, which would have read the source. The block is claimed. As above.
 */
int ssn_preserve_damaged(struct selsnap *ss, uint64_t run, unsigned index);

#endif
