/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The superblock (docs/format.md, section 2): bytes <-> struct. No I/O, no allocation. A decoded superblock has passed
 * its checksum [F-3] and every range check, so that its places and counts may be used without further tests [F-1].
 */
#ifndef SSN_SUPERBLOCK_H
#define SSN_SUPERBLOCK_H

#include "key.h"

#include <selsnap/selsnap.h>

enum {
    SSN_SUPER_SIZE = 512,
    SSN_SUPER_PLACE_0 = 0,
    SSN_SUPER_PLACE_1 = 16,
    SSN_JOURNAL_PLACE = 32,
    SSN_JOURNAL_PAGES_MIN = 16,
    SSN_JOURNAL_PAGES_MAX = 262144,
    SSN_FORMAT_MAJOR = 1,
};

enum {
    SSN_SUPER_CLEAN = 1,
    SSN_SUPER_ABANDONED = 2,
    SSN_SUPER_HAS_IDENTITY = 4,
    SSN_SUPER_HAS_MARK = 8,
    SSN_SUPER_FLAGS = 15,
};

enum {
    SSN_INCOMPAT_HOLES = 1,   /* the tree has holes [F-16] */
    SSN_INCOMPAT_SHORTER = 2, /* the extent is more than the origin [F-20] */
    SSN_INCOMPAT_KNOWN = 3,
};

/* Of next_epoch and next_id [F-17]; no store comes that far in its life. */
#define SSN_COUNTER_MAX (UINT64_C(1) << 62)

struct ssn_superblock {
    uint16_t minor;
    uint32_t compat, ro_compat, incompat; /* incompat: SSN_INCOMPAT_*; compat goes into the next as it is [F-21] */
    uint8_t store_id[SSN_STORE_ID_SIZE];
    uint64_t sequence;
    uint32_t block_bytes;
    uint32_t flags; /* SSN_SUPER_* */
    uint64_t store_pages;
    uint64_t origin_bytes;
    uint64_t extent_bytes; /* where blocks may be named: what the origin had at most [F-20] */
    uint8_t origin_identity[SELSNAP_IDENTITY_SIZE];
    uint64_t change_mark;
    uint64_t journal_pages;
    uint64_t incarnation;
    uint64_t journal_start;
    uint64_t journal_number;
    uint64_t journal_chain;
    uint64_t root_place;
    uint64_t root_checksum;
    uint32_t root_level;
    uint64_t ledger_place;
    uint32_t ledger_pages;
    uint64_t ledger_checksum;
    uint64_t free_pages;
    uint64_t leaf_count;
    uint64_t page_count;
    uint64_t next_epoch;
    uint64_t next_id;
    char origin_hint[SELSNAP_ORIGIN_HINT_MAX + 1];
};

/* Where the superblock with this sequence goes: slot = sequence mod 2. */
static inline uint64_t ssn_super_place(uint64_t sequence) {
    return sequence % 2 == 0 ? SSN_SUPER_PLACE_0 : SSN_SUPER_PLACE_1;
}

/* The area's first place: what lies after the journal. */
static inline uint64_t ssn_super_area(const struct ssn_superblock *super) {
    return SSN_JOURNAL_PLACE + super->journal_pages;
}

/* Fills a whole page. */
void ssn_super_encode(uint8_t *page, const struct ssn_superblock *super);
/*
 * Reads the page of the slot at `place`. SELSNAP_ENOTSTORE: no magic; SELSNAP_EDAMAGED: checksum, or a value out of its
 * range; SELSNAP_EVERSION: whole, but of another major version or with an unknown incompat bit.
 */
int ssn_super_decode(const uint8_t *page, uint64_t place, struct ssn_superblock *ret_super);

#endif
