/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims on runs of blocks: whoever preserves or copies back has claimed the blocks, so that a second one waits and
 * then finds it done. A claim is one run of blocks; whoever needs several takes all at once: nobody holds one and waits
 * for another. `lock` guards all.
 */
#ifndef SSN_CLAIMS_H
#define SSN_CLAIMS_H

#include "mem.h"

#include <pthread.h>

struct ssn_claim {
    uint64_t first;
    uint64_t count;
    uint64_t ticket;
    struct ssn_claim *next;
};

struct ssn_claims {
    pthread_mutex_t lock;
    pthread_cond_t released;
    struct ssn_claim *held;       /* lock */
    uint64_t next_ticket;         /* lock */
    const struct ssn_claim *turn; /* lock: what somebody waits for who has the turn; NULL: nobody */
    unsigned turn_count;          /* lock */
};

int ssn_claims_init(struct ssn_claims *claims);
void ssn_claims_fini(struct ssn_claims *claims);
/* Waits until no claim overlaps. The memory is the caller's, until the release. */
void ssn_claims_take(struct ssn_claims *claims, struct ssn_claim *claim, uint64_t first, uint64_t count);
void ssn_claims_release(struct ssn_claims *claims, struct ssn_claim *claim);
/* The same for several, in an array, with `first` and `count` filled in; they do not overlap each other. */
void ssn_claims_take_all(struct ssn_claims *claims, struct ssn_claim *wanted, unsigned count);
/*
 * As ssn_claims_take_all(), for one at a time who wants so many that others, who each hold one for a moment, might keep
 * some of them always held: those who come later wait.
 */
void ssn_claims_take_in_turn(struct ssn_claims *claims, struct ssn_claim *wanted, unsigned count);
void ssn_claims_release_all(struct ssn_claims *claims, struct ssn_claim *held, unsigned count);
/* Waits until every claim held now is released; later ones are not waited for. The caller holds none. */
void ssn_claims_drain(struct ssn_claims *claims);

#endif
