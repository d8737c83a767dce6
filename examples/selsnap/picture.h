/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device as a row of cells, each a share of it: what a snapshot holds there, and in what state. Drawn by map in
 * characters, and by report in SVG.
 */
#ifndef SELSNAP_PICTURE_H
#define SELSNAP_PICTURE_H

#include "cli.h"

/* What is in a cell, by SELSNAP_BLOCKS_*. */
struct cell {
    uint64_t bytes[SELSNAP_BLOCKS_CHANGED + 1];
};

/* What a cell shows of it. */
enum mark {
    MARK_UNDESIGNATED,
    MARK_UNCHANGED,
    MARK_PARTLY, /* Some unchanged, some changed. */
    MARK_PRESERVED,
    MARK_ZERO,
    MARK_CHANGED, /* Of a bookmark. */
    MARK_OVERLAY,
    MARK_LOST,
    MARK_COUNT
};

struct picture {
    uint64_t device_bytes;
    uint64_t cell_bytes;
    size_t cell_count;
    struct cell *cells;
    struct cell sum; /* Of all cells. */
};

/* "undesignated" and so on, by SELSNAP_BLOCKS_*. */
const char *state_name(uint32_t state);

/* A picture of the device in at most @p cells_max cells of whole blocks. Returns an exit code. */
int picture_init(struct cli *cli, struct picture *picture, size_t cells_max);
void picture_fini(struct picture *picture);
/* Fill it with what a snapshot holds. A SELSNAP_* code. */
int picture_fill(struct cli *cli, struct picture *picture, uint64_t id);
/* The gravest state wins: one lost block among thousands has to show. */
enum mark cell_mark(const struct cell *cell);
/* The range at @p offset, with those that follow it in the same state. A SELSNAP_* code. */
int picture_next_range(struct cli *cli, uint64_t id, uint64_t size, uint64_t offset, selsnap_map_range *ret_range);

#endif
