/* SPDX-License-Identifier: Apache-2.0 */
/* Random batches on a part of a device, beside an array that says what it holds. */
#ifndef SSN_BATCH_RIG_H
#define SSN_BATCH_RIG_H

#include "prng.h"

#include <selsnap/device.h>

enum { BATCH_SLOT = 4096, BATCH_SLOTS = 256, BATCH_SIZE = BATCH_SLOT * BATCH_SLOTS };

struct batch_rig {
    selsnap_device *device;
    uint64_t begin; /* of the part; it has BATCH_SIZE bytes */
    uint64_t unit;  /* of offsets and lengths */
    struct prng prng;
    bool aligned; /* all memory is */
    uint8_t model[BATCH_SIZE];
};

/* NULL: no memory. The part must hold zeros. */
struct batch_rig *batch_rig_open(selsnap_device *device, uint64_t begin, uint64_t seed);
void batch_rig_close(struct batch_rig *rig);
/* A batch of so many requests, no two of which overlap; how many of them failed or were wrong. */
unsigned batch_round(struct batch_rig *rig, uint32_t count);
/* Reads the part with one request, and compares. */
bool batch_part_right(struct batch_rig *rig);

#endif
