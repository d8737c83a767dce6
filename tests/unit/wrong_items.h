/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items that are well written but wrong: each case puts one change into the index of a sound store, past all layers
 * above the store's. [F-1], [F-13], [F-14].
 */
#ifndef SSN_TEST_WRONG_ITEMS_H
#define SSN_TEST_WRONG_ITEMS_H

#include "rig.h"

#include "context.h"

struct world {
    struct rig rig;
    struct ssn_txn txn;
    uint64_t snapshot;    /* "s" on the designation "d", blocks 0 .. 15; 0, 3 changed since, 8 written into */
    uint64_t designation; /* of s */
    uint64_t point;       /* of s */
    char heard[16384];
};

struct wrong_item {
    const char *what;
    void (*change)(struct world *world);
    const char *expected; /* in what a check says of it */
    const char *told;     /* in what a repair says of it; NULL: nothing, what is wrong is made anew or left out */
    bool carried_over;    /* by a repair, which looks at each item by itself and takes it for right */
};

extern const struct wrong_item wrong_items[];
extern const unsigned wrong_item_count;

void world_open(struct world *world);
/* The context goes on with lists that no longer fit its store. fold: the change is in the tree, else in the journal. */
void world_break(struct world *world, unsigned i, bool fold);

#endif
