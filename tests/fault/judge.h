/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the model must know of operations that failed. The docstrings say what each error leaves: what holds from now
 * on, which the judge demands or finds out at once, and what may be found instead after the next open.
 */
#ifndef SSN_FAULT_JUDGE_H
#define SSN_FAULT_JUDGE_H

#include "model.h"

enum { JUDGE_BLOCKS = 256, JUDGE_OTHERS = 4 };

/* The other things that may be found. */
struct judge_snapshot {
    bool ghost; /* the slot is not live, but its snapshot may be there after a crash */
    unsigned other_names;
    char names[JUDGE_OTHERS][MODEL_TEXT];
    uint32_t more_holds; /* so many changes of holds may take effect yet, each way */
    uint32_t less_holds;
    uint64_t expiries; /* that failed, as bits: below 64 */
    uint64_t quotas;   /* the same, in blocks */
    bool other_kind;   /* data, or a bookmark */
};

struct judge_saved {
    bool other;
    bool live;
    uint8_t in[JUDGE_BLOCKS];
};

struct judge_job {
    bool other;
    unsigned slot; /* the source */
    uint8_t in[JUDGE_BLOCKS];
};

struct judge {
    struct model *m;
    struct judge_snapshot snapshots[MODEL_SNAPSHOTS];
    struct judge_saved saved[MODEL_NAMES][JUDGE_OTHERS];
    struct judge_job job;
    uint64_t store_quotas; /* that failed, as bits: below 64 units */
};

void judge_init(struct judge *judge, struct model *m);
/*
 * After a step in which something may have failed: finds out what it did. Nothing is written for that. broken: devices
 * fail still, so that what can only be found out by opening a view has to wait.
 */
void judge_step(struct judge *judge, bool broken);
/* Reads all there is, while calls may still fail: what is read must be right. */
void judge_glance(struct judge *judge);
/* The context is closed, or gone; opens it, and demands that what is found is possible. clean: the close succeeded, so
 * that nothing is left open. */
void judge_reopen(struct judge *judge, bool clean);
/* The store has answered a step or a snapshot's creation: what failed before has no effect any more. */
void judge_settled(struct judge *judge);
/* Blocks were written to: a restore of them that failed to start will not begin. */
void judge_written(struct judge *judge, uint64_t offset, uint64_t len);

#endif
