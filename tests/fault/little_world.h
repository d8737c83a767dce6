/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A context in which something of everything is under way, and what can be seen of it as one number: two worlds that a
 * user cannot tell apart look the same. Opened cold, so that calls read the index.
 */
#ifndef SSN_FAULT_LITTLE_WORLD_H
#define SSN_FAULT_LITTLE_WORLD_H

#include "testdev.h"

#include <selsnap/selsnap.h>

enum { WORLD_BLOCK = 4096, WORLD_BLOCKS = 64, WORLD_BYTES = WORLD_BLOCKS * WORLD_BLOCK };

struct world {
    struct wire wire;
    struct testdev *origin;
    struct testdev *store;
    selsnap *ss;
    selsnap_view *view;     /* of snapshot "b", writable, with something not flushed; NULL: closed */
    selsnap_subset *subset; /* some blocks of the origin */
    selsnap_subset *other;
    uint64_t a; /* ids */
    uint64_t b;
    uint64_t hold; /* of "b", with a reason */
    uint64_t job;  /* restores from "a"; nothing is copied yet */
    selsnap_view **fillers;
    uint64_t filler_count;
};

void world_open(struct world *world);
/* Frees all, the context as well. False: the context did not close with SELSNAP_OK. */
bool world_close(struct world *world);
/* Opens the context; views are closed. */
int world_start(struct world *world);
/* What can be seen. Prints it when told. */
uint64_t world_look(struct world *world, bool print);
/* What a check finds wrong: its result, or the number of problems. */
int64_t world_check(struct world *world);
/* Opens views until memory has reached its limit, then closes so many of them again. */
void world_fill(struct world *world, uint64_t spare);
void world_unfill(struct world *world);

#endif
