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
    unsigned count; /* blocks in all; the arrays go through them in order */
    uint64_t *block;
    uint64_t *had;   /* epoch of the newest entry below the cap */
    uint64_t *epoch; /* of the entry to make; 0: none */
    uint64_t *place;
    uint64_t *checksum;
    uint8_t *kind;   /* of the entry to make */
    bool *refuses;   /* a sharer says: fail the write */
    uint8_t *buffer; /* the blocks' old content, until the copies are written */
    /* Some blocks are taken ahead: rather than losing one, and before space is short, do nothing. */
    bool gives_way;
    const struct ssn_held *held; /* NULL: nothing was taken before */
    uint64_t words[];            /* the memory of the arrays */
};

/* With `ss`, stretches and blocks filled in; one allocation. NULL: no memory, and that is told. */
struct ssn_plan *ssn_plan_make(struct selsnap *ss, const struct ssn_stretch *stretches, unsigned stretch_count);
/* Fills had, epoch, kind, refuses by the index. */
int ssn_plan_ask(struct ssn_plan *plan, const struct ssn_runbits *want, uint64_t cap);
/* The same, by groups to which none was added meanwhile. *ret_any: there is something to do. */
int ssn_plan_decide(struct ssn_plan *plan, const struct ssn_runbits *want, uint64_t cap, bool *ret_any);

/*
 * Does what was decided; on SELSNAP_OK the entries are durable. SELSNAP_ESTORE: they may become so later, and their
 * places stay taken. SELSNAP_ENOSPACE, SELSNAP_EIO: nothing was done; the latter only of a plan that gives way.
 */
int ssn_plan_store(struct ssn_plan *plan);
/* Records the losses that were decided, without more. */
int ssn_plan_record_losses(struct ssn_plan *plan);

#endif
