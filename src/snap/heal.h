/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a replayed journal tells the context, step 3 of recovery (docs/format.md, section 7): the data of the last
 * batch, which may never have reached the store, is copied again from the origin; and the same after a failed flush.
 *
 * The origin's device has that content, with one exception: a block that a restore had just copied back, unflushed,
 * when it was preserved for a younger snapshot. The device may have lost the copy; the restore's source still has it.
 */
#ifndef SSN_HEAL_H
#define SSN_HEAL_H

#include "context.h"

struct ssn_replayed {
    struct ssn_mem *mem;
    uint64_t epoch;       /* above every epoch named */
    uint64_t id;          /* above every id named */
    struct ssn_key *tail; /* entries of the last batch */
    size_t tail_count;
    size_t tail_capacity;
};

/* An ssn_replay_fn; user is a struct ssn_replayed. */
int ssn_replayed_note(void *user, const struct ssn_key *key, const uint8_t *value, uint16_t len, bool last);
void ssn_replayed_fini(struct ssn_replayed *replayed);
/*
 * After the catalogue is loaded, before the store is activated. On a read-only store nothing is written: such blocks
 * are read from the origin. What cannot be mended stays in `tail`.
 */
int ssn_heal_tail(struct selsnap *ss, struct ssn_replayed *replayed);
/* After the store is activated: drops those entries left in `tail` that no snapshot needs, as far as can be told. */
int ssn_heal_drop_unneeded(struct selsnap *ss, const struct ssn_replayed *replayed);
/* An ssn_rewrite_fn; user is the context. */
int ssn_heal_rewrite(void *user, const struct ssn_key *key, const uint8_t *value, uint16_t len);

#endif
