/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs of pages in memory: a list in the order of arrival, and a set (sorted, disjoint, not touching). Both can reserve
 * room for what must not fail later. Not locked: the owner does.
 */
#ifndef SSN_RUNS_H
#define SSN_RUNS_H

#include "ledger.h"
#include "mem.h"

struct ssn_runs {
    struct ssn_mem *mem;
    struct ssn_run *run;
    size_t count;
    size_t capacity;
    size_t reserved; /* room kept for ssn_runs_append_reserved() or for a merge */
    uint64_t pages;  /* sum; of a list that overlaps itself: at least the union */
};

void ssn_runs_init(struct ssn_runs *runs, struct ssn_mem *mem);
void ssn_runs_fini(struct ssn_runs *runs);
/* Keeps room for `more` beyond what is there and reserved already. false: no memory, nothing changed. */
bool ssn_runs_reserve(struct ssn_runs *runs, size_t more);
void ssn_runs_unreserve(struct ssn_runs *runs, size_t less);

/* ---- lists ---- */

bool ssn_runs_append(struct ssn_runs *runs, uint64_t place, uint64_t pages);
/* Uses up one reserved. */
void ssn_runs_append_reserved(struct ssn_runs *runs, uint64_t place, uint64_t pages);
/* A list becomes a set. */
void ssn_runs_sort(struct ssn_runs *runs);
/* The same, and told of pages that are in more than one of its runs. */
typedef void (*ssn_overlap_fn)(void *user, uint64_t place, uint64_t pages);
void ssn_runs_sort_telling(struct ssn_runs *runs, ssn_overlap_fn overlap, void *user);

/* ---- sets ---- */

/* The first run that ends after `place`; the count if there is none. */
size_t ssn_runs_find(const struct ssn_runs *set, uint64_t place);
/* Union with, and difference by, one run. false: no memory, nothing changed. */
bool ssn_runs_add(struct ssn_runs *set, uint64_t place, uint64_t pages);
bool ssn_runs_remove(struct ssn_runs *set, uint64_t place, uint64_t pages);
/* With a whole set; needs other->count reserved, and uses it up. */
void ssn_runs_add_set(struct ssn_runs *set, const struct ssn_runs *other);
void ssn_runs_remove_set(struct ssn_runs *set, const struct ssn_runs *other);
/* Whether any page of the run is in the set. */
bool ssn_runs_meets(const struct ssn_runs *set, uint64_t place, uint64_t pages);

#endif
