/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger (docs/format.md, section 5): what a checkpoint itself took and gave. Bytes <-> struct, no I/O, no
 * allocation. Only a checked ledger's runs may be read: each lies in the area [F-1]. Whether they overlap is not
 * checked.
 */
#ifndef SSN_LEDGER_H
#define SSN_LEDGER_H

#include "key.h"

enum {
    SSN_LEDGER_HEADER = 48,
    SSN_LEDGER_RUN = 16,
    SSN_LEDGER_PAGES_MAX = 32768, /* 128 MiB: no checkpoint takes and gives so many runs */
};

/* A run of pages. */
struct ssn_run {
    uint64_t place;
    uint64_t pages;
};

struct ssn_ledger_head {
    uint64_t place;
    uint64_t sequence;
    const uint8_t *store_id;
    uint32_t taken_count;
    uint32_t given_count;
};

/* Pages that a ledger with so many runs takes; 0: more than a ledger can hold. */
uint32_t ssn_ledger_pages(uint64_t runs);
/* Fills `pages` pages, at least ssn_ledger_pages(); gives their checksum. */
uint64_t ssn_ledger_encode(uint8_t *bytes, uint32_t pages, const struct ssn_ledger_head *head,
                           const struct ssn_run *taken, const struct ssn_run *given);
/*
 * Checks `pages` pages against what the superblock says of them; head: place, store_id are expected, the sequence is
 * not above the one given, the rest is filled in. false: damaged.
 */
bool ssn_ledger_check(const uint8_t *bytes, uint32_t pages, uint64_t checksum, uint64_t first_place,
                      uint64_t store_pages, struct ssn_ledger_head *head);
/* Run `index` of a checked ledger: first those taken, then those given. */
struct ssn_run ssn_ledger_run(const uint8_t *bytes, uint32_t index);

#endif
