/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small store with something of everything in it, what each of its snapshots holds, and what its pages are: what
 * damage is done to. Built once, then only copied.
 */
#ifndef SSN_TEST_SCENE_H
#define SSN_TEST_SCENE_H

#include "rig.h"

enum {
    SCENE_BLOCKS = 264,
    SCENE_SNAPS = 12,
    SCENE_OLDER = 4,
    SCENE_PAGE = 4096,
    SCENE_STORE = 1792 << 10,
    SCENE_PAGES = SCENE_STORE / SCENE_PAGE,
    SCENE_JOURNAL = 64 << 10,
    SCENE_AREA = 32 + SCENE_JOURNAL / SCENE_PAGE, /* first place of the area */
    SCENE_FREE = 220,                             /* blocks from here to 240 are in no snapshot */
};

/* What a block holds: a sequence number of its pattern, or one of these. */
enum { HOLDS_ZERO = 1000000, HOLDS_LOST, HOLDS_NOTHING /* not designated */ };

struct scene_snap {
    uint64_t id;
    uint32_t frozen[SCENE_BLOCKS];
    uint32_t holds[SCENE_BLOCKS]; /* with what was written into it */
};

/* What is noted of snapshots besides their records, and a bookmark. The snapshots are indexes of snap. */
struct scene_notes {
    unsigned held; /* has a hold with this number, and this expiry */
    uint64_t hold;
    int64_t expiry;
    unsigned member; /* the only one of its group */
    unsigned received;
    uint64_t received_from; /* the id that its stream told */
    uint64_t mark;          /* a bookmark of blocks 0 .. 31, and what they held at its point */
    uint32_t marked[SCENE_BLOCKS];
};

enum page_kind { PAGE_UNUSED, PAGE_SUPER, PAGE_JOURNAL, PAGE_LEDGER, PAGE_TREE, PAGE_DATA };

struct scene {
    const char *name;
    bool killed; /* not closed: the journal counts */
    unsigned snap_count;
    struct scene_snap snap[SCENE_SNAPS];
    struct scene_notes notes;
    uint32_t live[SCENE_BLOCKS];
    uint32_t device[SCENE_BLOCKS]; /* what the origin itself has: other content where a restore is not done */
    uint8_t *origin;
    uint8_t *store;
    unsigned older_count;
    uint8_t *older[SCENE_OLDER]; /* the store as it was before */
    uint8_t kind[SCENE_PAGES];   /* enum page_kind */
    bool in_last_batch[SCENE_PAGES];
    unsigned tree_pages;
    unsigned journal_pages; /* that hold batches */
};

void scene_build(struct scene *scene, const char *name, bool killed);
void scene_free(struct scene *scene);
/* Whether the bytes are what a block holds. */
bool scene_right(const uint8_t *bytes, uint64_t block, uint32_t holds);

#endif
