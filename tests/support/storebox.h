/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store on a crash device beside a naive model of what must be in it: KEYS slots, each empty or holding a serial
 * number and a run of data. Transactions that were acknowledged must be there; those whose result was SELSNAP_ESTORE,
 * or that the power cut, must be there whole or not at all, in their order.
 */
#ifndef SSN_STOREBOX_H
#define SSN_STOREBOX_H

#include "crashdev.h"
#include "store.h"

enum { BOX_KEYS = 96, BOX_MAYBE = 5, BOX_CHANGES = 8, BOX_PAGE = 4096 };

struct box_slot {
    uint64_t serial; /* 0: empty */
    uint64_t place;
    uint64_t pages; /* 0: no data */
};

struct box_state {
    struct box_slot slot[BOX_KEYS];
};

struct box_txn {
    unsigned count;
    unsigned key[BOX_CHANGES];
    struct box_slot slot[BOX_CHANGES];
};

struct box {
    struct crashdev *dev;
    struct ssn_mem mem;
    struct ssn_report report;
    struct ssn_store *store;
    struct ssn_store_params params;
    struct box_state state;
    struct box_txn maybe[BOX_MAYBE];
    unsigned maybe_count;
    uint64_t serial;
    uint64_t random;
    uint64_t seed;
    uint64_t max_serial; /* of puts that replay told */
    unsigned events[8];
    bool reopened;     /* and not verified since: data of what was in doubt may be gone with the cache */
    const char *doing; /* for messages */
};

/* Everything asserts that it succeeds, unless it returns a result. */
struct box *box_new(uint64_t size_bytes, uint64_t journal_bytes, uint64_t memory_limit, uint64_t seed);
void box_free(struct box *box);
int box_open(struct box *box, bool read_only);
int box_close(struct box *box, bool clean);
/* Gone without a close, as a process that is killed. */
void box_drop(struct box *box);

uint64_t box_random(struct box *box, uint64_t below);
/* A random transaction. The results of take and commit are given; the model follows. */
int box_step(struct box *box);
/* One transaction: puts `pages` of data (0: none) under the key, or deletes it. */
int box_put(struct box *box, unsigned key, uint64_t pages, bool essential);
int box_delete(struct box *box, unsigned key);
/* Whether a transaction in doubt changes the key: what it holds, and so what to give back, is not known. */
bool box_in_doubt(const struct box *box, unsigned key);
/* The index is what the model says, and one of the maybes at most besides; then they are settled. Data is read. */
void box_verify(struct box *box);
/* ssn_store_check() finds nothing. */
void box_check(struct box *box);
/* The number of problems it finds, or its failure. */
int box_count_problems(struct box *box, uint64_t *ret_problems);
struct ssn_store_stats box_stats(struct box *box);

#endif
