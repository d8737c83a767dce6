/* SPDX-License-Identifier: Apache-2.0 */
/* Using a store by calls that a fuzzer's input chooses, and keeping account of what the origin must hold. */
#ifndef SSN_FUZZ_ACTIONS_H
#define SSN_FUZZ_ACTIONS_H

#include "cowdev.h"
#include "image.h"

/* Memory of one context: no more bytes than the limit. All zeros is ready for use. */
struct meter {
    uint64_t limit;
    uint64_t bytes;
    uint64_t pieces;
};

selsnap_allocator meter_allocator(struct meter *meter, uint64_t limit);

enum { ACTIONS_MAX = 40, ACTIONS_TOUCHED = 64 };

struct actions {
    selsnap *ss;
    struct cowdev *origin;
    struct cowdev *shadow;
    bool restores;   /* a restore runs, or did: the origin changes by itself */
    bool damage_met; /* some call said so */
    uint64_t sequence;
    uint64_t written_into[ACTIONS_TOUCHED]; /* snapshots */
    unsigned written_count;
};

void actions_begin(struct actions *actions, selsnap *ss, struct cowdev *origin, struct cowdev *shadow);
/* Until the input ends. */
void actions_run(struct actions *actions, struct input *in);
bool actions_wrote_into(const struct actions *actions, uint64_t id);

#endif
