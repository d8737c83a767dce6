/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Store images to be damaged: the stages of a script (stages.c), what is in them, patches from a fuzzer's input, and
 * the mending of checksums, so that a patch is not found by its checksum alone.
 */
#ifndef SSN_FUZZ_IMAGE_H
#define SSN_FUZZ_IMAGE_H

#include "cowdev.h"
#include "input.h"
#include "key.h"
#include "superblock.h"

enum {
    IMAGE_BLOCK = 4096,
    IMAGE_BLOCKS = 270, /* of the origin: a run and a bit; the last is short */
    IMAGE_ORIGIN_BYTES = IMAGE_BLOCKS * IMAGE_BLOCK - 1024,
    IMAGE_STORE_PAGES = 768,
    IMAGE_STORE_BYTES = IMAGE_STORE_PAGES * COW_PAGE,
    IMAGE_SNAPSHOTS = 6,
    IMAGE_META = 256, /* pages worth patching */
    IMAGE_ITEMS = 4096,
    IMAGE_BATCHES = 64,
    STAGES = 10,
    STAGES_FIRST = 8, /* the others are chosen by STAGE_LATER and the numbers after it */
    STAGE_LATER = 0xf0,
};

/* What the library read from an image that nobody has damaged: a hash or an error code for each block. */
struct truth {
    unsigned count;
    uint64_t id[IMAGE_SNAPSHOTS];
    uint64_t frozen[IMAGE_SNAPSHOTS][IMAGE_BLOCKS];
    uint64_t now[IMAGE_SNAPSHOTS][IMAGE_BLOCKS];
};

/* Where an item of the tree, or of a put in the journal, lies. */
struct place_of_item {
    uint32_t byte; /* of the key */
    uint16_t len;  /* of the value, which follows the key and its own length */
    bool in_tree;
};

struct stage {
    uint8_t *store;
    uint8_t *origin;
    struct truth truth;
    struct ssn_superblock super; /* the newest */
    uint32_t meta[IMAGE_META];   /* pages: superblocks, journal as far as in use, tree, ledger */
    unsigned meta_count;
    struct place_of_item items[IMAGE_ITEMS];
    unsigned item_count;
    struct {
        uint32_t sector; /* counted in the ring */
        uint32_t count;
    } batches[IMAGE_BATCHES]; /* of the journal, as replay finds them */
    unsigned batch_count;
    uint64_t head_sector; /* where the next batch would go */
    uint64_t head_number;
};

/* stages.c: makes all stages. Each is the same at each start of the program. */
void stages_make(struct stage *stages);

/* image.c */
/* Gives every superblock, tree page and ledger this id, and mends. */
void image_set_id(struct cowdev *store, const uint8_t *id);
/* Fills in what follows truth. */
void image_survey(struct stage *stage);

enum {
    MEND_CHECKSUMS = 1, /* of superblocks, tree, ledger, journal; the chain of the journal */
    MEND_HEADS = 2,     /* of tree pages and ledger too: magic, place, level, store */
};

/* Applies the patches of the input. With mend & MEND_CHECKSUMS also a batch of further operations in the journal. */
void image_patch(struct cowdev *store, const struct stage *stage, struct input *in, unsigned mend);

#endif
