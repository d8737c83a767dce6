/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store with all that a repair has to bring over, a model of what it holds, and the comparison of a repaired store
 * with that model. Blocks are patterns (pattern.h): what the test wrote last, by a sequence number.
 */
#ifndef SSN_TEST_REPAIR_RIG_H
#define SSN_TEST_REPAIR_RIG_H

#include "heap.h"
#include "pattern.h"
#include "test.h"

#include <selsnap/selsnap.h>

enum {
    BOX_BLOCK = 4096,
    BOX_BLOCKS = 300, /* two runs; the last block is short */
    BOX_ORIGIN_BYTES = BOX_BLOCKS * BOX_BLOCK - 1536,
    BOX_JOURNAL_BYTES = 65536,
    BOX_STORE_BYTES = 3 << 20,
    BOX_FRESH_BYTES = 4 << 20,
    BOX_AREA = 32 * 4096 + BOX_JOURNAL_BYTES,
    BOX_SNAPS = 4,
    BOX_ZERO = 0, /* as a sequence: the block is zeros */
};

/* What a snapshot holds, by block; covered: it is designated. */
struct box_snap {
    uint64_t id;
    const char *name;
    bool covered[BOX_BLOCKS];
    uint32_t taken[BOX_BLOCKS];   /* sequence, as it was taken */
    uint32_t written[BOX_BLOCKS]; /* sequence, as since written into */
    bool changed;                 /* it was written into */
};

enum box_state {
    BOX_CLEAN,     /* closed: all is in the tree */
    BOX_CRASHED,   /* the last changes are in the journal */
    BOX_RESTORING, /* crashed in the middle of a restore of the first snapshot */
    BOX_PAUSED     /* closed in the middle of that restore */
};

struct box {
    selsnap_device *origin; /* as the context left it */
    uint8_t *image;         /* of the store, BOX_STORE_BYTES */
    uint8_t *origin_image;
    struct box_snap snaps[BOX_SNAPS]; /* by id, rising */
    uint32_t live[BOX_BLOCKS];        /* what the live device reads as */
    uint64_t deleted;                 /* id of a snapshot that was deleted */
    uint64_t job;                     /* BOX_RESTORING, BOX_PAUSED: the restore */
};

void box_make(struct box *box, enum box_state state);
void box_free(struct box *box);

/* What a repair did, and what the store it made holds. */
struct box_repair {
    struct heap heap;
    uint32_t flags;
    uint64_t memory_limit;
    bool quiet; /* no report callback */
    int code;
    selsnap_repair_result result;
    char message[400];
    char lines[65536]; /* what was reported, a line each */
    unsigned line_count;
    /* Of a store that came out: */
    unsigned missing;         /* snapshots */
    unsigned lost[BOX_SNAPS]; /* blocks of each that are lost */
    bool block_lost[BOX_SNAPS][BOX_BLOCKS];
    unsigned live_lost; /* blocks of the live device that a restore can no longer bring back */
};

/* Repairs `damaged` into `fresh`. */
void box_repair(struct box *box, selsnap_device *damaged, selsnap_device *fresh, struct box_repair *repair);
/*
 * Opens what came out, and compares: each block is right or lost, never wrong, and check finds nothing. as_taken: what
 * was written into snapshots may be gone, for a snapshot as a whole.
 */
void box_compare(struct box *box, selsnap_device *fresh, struct box_repair *repair);
/* Both, with a store made of these bytes. A refusal must leave a device that holds no store. */
void box_try(struct box *box, const uint8_t *image, uint64_t size, struct box_repair *repair);
/* The result of opening the device as a store on the box's origin. */
int box_open_code(struct box *box, selsnap_device *store);
unsigned box_lost_total(const struct box_repair *repair);
/* A memory device with these bytes. */
selsnap_device *box_device(const uint8_t *image, uint64_t size);

#endif
