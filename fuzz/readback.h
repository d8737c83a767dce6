/* SPDX-License-Identifier: Apache-2.0 */
/* Reading everything there is in a store, and remembering what was read. */
#ifndef SSN_FUZZ_READBACK_H
#define SSN_FUZZ_READBACK_H

#include "image.h"

/* The first IMAGE_SNAPSHOTS snapshots, each block as frozen and as it is now. */
void readback_all(selsnap *ss, struct truth *ret_truth);
/* Lists, tables, subsets, properties, usage, dump: all that reads. Nothing may go on without end. */
void readback_walk(selsnap *ss);

#endif
