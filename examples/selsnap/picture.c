/* SPDX-License-Identifier: Apache-2.0 */
/* See picture.h. */
#include "picture.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

const char *state_name(uint32_t state) {
    static const char *const names[] = {
        [SELSNAP_BLOCKS_UNDESIGNATED] = "undesignated",
        [SELSNAP_BLOCKS_UNCHANGED] = "unchanged",
        [SELSNAP_BLOCKS_PRESERVED] = "preserved",
        [SELSNAP_BLOCKS_ZERO] = "zero",
        [SELSNAP_BLOCKS_LOST] = "lost",
        [SELSNAP_BLOCKS_OVERLAY] = "overlay",
        [SELSNAP_BLOCKS_CHANGED] = "changed",
    };
    return names[state];
}

int picture_init(struct cli *cli, struct picture *picture, size_t cells_max) {
    uint64_t block = selsnap_block_size(cli->ss);
    memset(picture, 0, sizeof(*picture));
    picture->device_bytes = selsnap_size(cli->ss);
    uint64_t blocks = (picture->device_bytes + block - 1) / block;
    uint64_t blocks_a_cell = (blocks + cells_max - 1) / cells_max;
    picture->cell_bytes = blocks_a_cell * block;
    picture->cell_count = (size_t)((blocks + blocks_a_cell - 1) / blocks_a_cell);
    picture->cells = calloc(picture->cell_count, sizeof(*picture->cells));
    return picture->cells != NULL ? CLI_OK : fail_with(cli, SELSNAP_ENOMEM, "", "picture");
}

void picture_fini(struct picture *picture) {
    free(picture->cells);
    picture->cells = NULL;
}

int picture_next_range(struct cli *cli, uint64_t id, uint64_t size, uint64_t offset, selsnap_map_range *ret_range) {
    selsnap_map_range whole = {offset, 0, 0, 0};
    uint64_t at = offset;
    while (at < size) {
        selsnap_map_range range = {0, 0, 0, 0};
        int code = stop_asked(cli) ? SELSNAP_ECANCELED : selsnap_snapshot_map(cli->ss, id, at, &range);
        if (code != SELSNAP_OK) {
            return code;
        }
        if (at != offset && range.state != whole.state) {
            break;
        }
        whole.state = range.state <= SELSNAP_BLOCKS_CHANGED ? range.state : SELSNAP_BLOCKS_UNCHANGED;
        at = range.offset + range.len;
        whole.len = at - offset;
    }
    *ret_range = whole;
    return SELSNAP_OK;
}

static void add_range(struct picture *picture, const selsnap_map_range *range) {
    uint64_t at = range->offset;
    uint64_t end = range->offset + range->len;
    picture->sum.bytes[range->state] += range->len;
    while (at < end) {
        size_t cell = (size_t)(at / picture->cell_bytes);
        uint64_t cell_end = ((uint64_t)cell + 1) * picture->cell_bytes;
        uint64_t stop = end < cell_end ? end : cell_end;
        picture->cells[cell].bytes[range->state] += stop - at;
        at = stop;
    }
}

int picture_fill(struct cli *cli, struct picture *picture, uint64_t id) {
    assert(picture->cells != NULL);
    memset(picture->cells, 0, picture->cell_count * sizeof(*picture->cells));
    memset(&picture->sum, 0, sizeof(picture->sum));
    for (uint64_t at = 0; at < picture->device_bytes;) {
        selsnap_map_range range;
        int code = picture_next_range(cli, id, picture->device_bytes, at, &range);
        if (code != SELSNAP_OK) {
            return code;
        }
        add_range(picture, &range);
        at = range.offset + range.len;
    }
    return SELSNAP_OK;
}

enum mark cell_mark(const struct cell *cell) {
    const uint64_t *bytes = cell->bytes;
    bool unchanged = bytes[SELSNAP_BLOCKS_UNCHANGED] > 0;
    enum mark mark = MARK_UNDESIGNATED;
    if (bytes[SELSNAP_BLOCKS_LOST] > 0) {
        mark = MARK_LOST;
    } else if (bytes[SELSNAP_BLOCKS_OVERLAY] > 0) {
        mark = MARK_OVERLAY;
    } else if (bytes[SELSNAP_BLOCKS_PRESERVED] + bytes[SELSNAP_BLOCKS_ZERO] + bytes[SELSNAP_BLOCKS_CHANGED] > 0) {
        mark = unchanged                             ? MARK_PARTLY
               : bytes[SELSNAP_BLOCKS_PRESERVED] > 0 ? MARK_PRESERVED
               : bytes[SELSNAP_BLOCKS_ZERO] > 0      ? MARK_ZERO
                                                     : MARK_CHANGED;
    } else if (unchanged) {
        mark = MARK_UNCHANGED;
    }
    return mark;
}
