/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the files of preserving: what is to be done with each of some blocks. preserve.c decides it by the index,
 * preserve_store.c does it: reads the old content, takes space, writes the copies, commits the entries.
 */
#ifndef SSN_PRESERVE_PLAN_H
#define SSN_PRESERVE_PLAN_H

#include "preserve.h"

struct ssn_plan {
    struct selsnap *ss;
    const struct ssn_stretch *stretches; /* rising, apart */
    unsigned stretch_count;
    unsigned count; /* blocks in all; the arrays below go through them in order */
    uint64_t block[SSN_RUN_BLOCKS];
    uint64_t had[SSN_RUN_BLOCKS];   /* epoch of the newest entry below the cap */
    uint64_t epoch[SSN_RUN_BLOCKS]; /* of the entry to make; 0: none */
    uint8_t kind[SSN_RUN_BLOCKS];   /* of the entry to make */
    bool refuses[SSN_RUN_BLOCKS];   /* a sharer says: fail the write */
    uint64_t place[SSN_RUN_BLOCKS];
    uint64_t checksum[SSN_RUN_BLOCKS];
    uint8_t *buffer; /* the blocks' old content */
};

/*
 * Does what was decided; on SELSNAP_OK the entries are durable. SELSNAP_ESTORE: they may become so later, and their
 * places stay taken.
 */
int ssn_plan_store(struct ssn_plan *plan);
/* Records the losses that were decided, without more. */
int ssn_plan_record_losses(struct ssn_plan *plan);

#endif
