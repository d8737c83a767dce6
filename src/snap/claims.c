/* SPDX-License-Identifier: Apache-2.0 */
/* See claims.h. */
#include "claims.h"

#include <assert.h>
#include <string.h>

int ssn_claims_init(struct ssn_claims *claims) {
    memset(claims, 0, sizeof *claims);
    if (pthread_mutex_init(&claims->lock, NULL) != 0) {
        return SELSNAP_ENOMEM;
    }
    if (pthread_cond_init(&claims->released, NULL) != 0) {
        pthread_mutex_destroy(&claims->lock);
        return SELSNAP_ENOMEM;
    }
    return SELSNAP_OK;
}

void ssn_claims_fini(struct ssn_claims *claims) {
    assert(claims->held == NULL);
    pthread_cond_destroy(&claims->released);
    pthread_mutex_destroy(&claims->lock);
}

static bool overlaps(const struct ssn_claim *c, uint64_t first, uint64_t count) {
    return first < c->first + c->count && c->first < first + count;
}

static bool overlaps_held(const struct ssn_claims *claims, uint64_t first, uint64_t count) {
    for (const struct ssn_claim *c = claims->held; c != NULL; c = c->next) {
        if (overlaps(c, first, count)) {
            return true;
        }
    }
    return false;
}

static bool overlaps_turn(const struct ssn_claims *claims, uint64_t first, uint64_t count) {
    for (unsigned i = 0; i < claims->turn_count; i++) {
        if (overlaps(&claims->turn[i], first, count)) {
            return true;
        }
    }
    return false;
}

static bool any_overlaps(const struct ssn_claims *claims, const struct ssn_claim *wanted, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (overlaps_held(claims, wanted[i].first, wanted[i].count) ||
            (claims->turn != wanted && overlaps_turn(claims, wanted[i].first, wanted[i].count))) {
            return true;
        }
    }
    return false;
}

/* lock is held. */
static void take_when_free(struct ssn_claims *claims, struct ssn_claim *wanted, unsigned count) {
    while (any_overlaps(claims, wanted, count)) {
        pthread_cond_wait(&claims->released, &claims->lock);
    }
    for (unsigned i = 0; i < count; i++) {
        wanted[i].ticket = claims->next_ticket++;
        wanted[i].next = claims->held;
        claims->held = &wanted[i];
    }
}

void ssn_claims_take_all(struct ssn_claims *claims, struct ssn_claim *wanted, unsigned count) {
    pthread_mutex_lock(&claims->lock);
    take_when_free(claims, wanted, count);
    pthread_mutex_unlock(&claims->lock);
}

void ssn_claims_take_in_turn(struct ssn_claims *claims, struct ssn_claim *wanted, unsigned count) {
    pthread_mutex_lock(&claims->lock);
    assert(claims->turn == NULL);
    claims->turn = wanted;
    claims->turn_count = count;
    take_when_free(claims, wanted, count);
    claims->turn = NULL;
    claims->turn_count = 0;
    pthread_mutex_unlock(&claims->lock);
}

void ssn_claims_take(struct ssn_claims *claims, struct ssn_claim *claim, uint64_t first, uint64_t count) {
    claim->first = first;
    claim->count = count;
    ssn_claims_take_all(claims, claim, 1);
}

static void take_out(struct ssn_claims *claims, struct ssn_claim *claim) {
    struct ssn_claim **at = &claims->held;
    while (*at != claim) {
        assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = claim->next;
}

void ssn_claims_release_all(struct ssn_claims *claims, struct ssn_claim *held, unsigned count) {
    pthread_mutex_lock(&claims->lock);
    for (unsigned i = 0; i < count; i++) {
        take_out(claims, &held[i]);
    }
    pthread_cond_broadcast(&claims->released);
    pthread_mutex_unlock(&claims->lock);
}

void ssn_claims_release(struct ssn_claims *claims, struct ssn_claim *claim) {
    ssn_claims_release_all(claims, claim, 1);
}

static bool older_held(const struct ssn_claims *claims, uint64_t ticket) {
    for (const struct ssn_claim *c = claims->held; c != NULL; c = c->next) {
        if (c->ticket < ticket) {
            return true;
        }
    }
    return false;
}

void ssn_claims_drain(struct ssn_claims *claims) {
    pthread_mutex_lock(&claims->lock);
    uint64_t ticket = claims->next_ticket;
    while (older_held(claims, ticket)) {
        pthread_cond_wait(&claims->released, &claims->lock);
    }
    pthread_mutex_unlock(&claims->lock);
}
