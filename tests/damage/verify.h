/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold on a store with damage, whatever it is: see damage.c. A thing that does not hold ends the process,
 * having said so; it is a process for this.
 */
#ifndef SSN_TEST_VERIFY_H
#define SSN_TEST_VERIFY_H

#include "scene.h"

/* What became of one damaged store. */
struct outcome {
    bool refused_reading; /* could not be opened read-only */
    bool refused;         /* could not be opened for writing */
    unsigned problems;    /* that a check found when it was opened read-only */
    unsigned errors;      /* blocks of snapshots that could not be read then, though they are not lost */
    uint64_t error_block; /* the last of these */
    uint32_t error_holds; /* what it should have held */
    bool one_copy;        /* all of them are of one block with one content */
    unsigned writes;      /* to blocks that snapshots designate, that worked */
    bool snapshot_made;
};

/* size: the store's, which may be cut short. */
void verify(const struct scene *scene, const uint8_t *image, uint64_t size, struct outcome *ret_outcome);

#endif
