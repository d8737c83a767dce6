/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preserving ahead: with the blocks of a write, some around them that are likely to be written soon. They cost no request
 * of their own, and save those of the writes to come.
 *
 * How many follows the load: a block is taken along when enough of the blocks around it have been written already since
 * they had to be preserved. Written are those that have an entry and a clear need bit: the bit of a block that was taken
 * ahead stays set until it is written itself. So what was taken ahead counts for nothing until it is used, and writes far
 * from each other take nothing ahead at all.
 */
#ifndef SSN_AHEAD_H
#define SSN_AHEAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct selsnap;
struct ssn_stretch;

struct ssn_ahead {
    bool on;
    _Atomic uint64_t version; /* need version that `unused` speaks of */
    _Atomic uint64_t unused;  /* blocks taken ahead and not written since; a moment's view */
};

/*
 * `own` is about to be preserved. Whether more is worth it: *ret_wider covers own, and lies in its run and its chunk. Reads
 * the index; nothing needs to be claimed.
 */
bool ssn_ahead_choose(struct selsnap *ss, const struct ssn_stretch *own, struct ssn_stretch *ret_wider);
/* So many blocks were taken ahead; so many writes' blocks were found to be preserved already. */
void ssn_ahead_taken(struct selsnap *ss, uint64_t blocks);
void ssn_ahead_used(struct selsnap *ss, uint64_t blocks);

#endif
