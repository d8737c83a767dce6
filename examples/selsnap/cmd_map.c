/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map: one row of characters for each snapshot, as wide as the terminal: what it holds of the device, and in what
 * state.
 */
#include "cli.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LABEL_WIDTH 16
#define WIDTH_MIN 40
#define WIDTH_DEFAULT 80
#define WIDTH_MAX 1024

/* What lies in the part of the device that one character stands for. */
struct cell {
    uint64_t bytes[SELSNAP_BLOCKS_CHANGED + 1]; /* By SELSNAP_BLOCKS_*. */
};

struct picture {
    uint64_t device_bytes;
    uint64_t cell_bytes;
    size_t cell_count;
    struct cell *cells;
};

static const char *const state_names[] = {
    [SELSNAP_BLOCKS_UNDESIGNATED] = "undesignated",
    [SELSNAP_BLOCKS_UNCHANGED] = "unchanged",
    [SELSNAP_BLOCKS_PRESERVED] = "preserved",
    [SELSNAP_BLOCKS_ZERO] = "zero",
    [SELSNAP_BLOCKS_LOST] = "lost",
    [SELSNAP_BLOCKS_OVERLAY] = "overlay",
    [SELSNAP_BLOCKS_CHANGED] = "changed",
};

static size_t terminal_width(const struct cli *cli) {
    size_t width = WIDTH_DEFAULT;
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    uint64_t number = 0;
    if (isatty(cli->out_fd) == 1 && ioctl(cli->out_fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        width = size.ws_col;
    } else if (columns != NULL && size_parse(columns, &number) && number <= WIDTH_MAX) {
        width = (size_t)number;
    }
    return width < WIDTH_MIN ? WIDTH_MIN : width;
}

static void add_range(struct picture *picture, const selsnap_map_range *range) {
    uint64_t at = range->offset;
    uint64_t end = range->offset + range->len;
    while (at < end) {
        size_t cell = (size_t)(at / picture->cell_bytes);
        uint64_t cell_end = ((uint64_t)cell + 1) * picture->cell_bytes;
        uint64_t stop = end < cell_end ? end : cell_end;
        picture->cells[cell].bytes[range->state] += stop - at;
        at = stop;
    }
}

/* The gravest state wins: one lost block among thousands has to show. */
static char cell_char(const struct cell *cell) {
    const uint64_t *bytes = cell->bytes;
    uint64_t changed = bytes[SELSNAP_BLOCKS_PRESERVED] + bytes[SELSNAP_BLOCKS_ZERO] + bytes[SELSNAP_BLOCKS_CHANGED];
    char result = '.';
    if (bytes[SELSNAP_BLOCKS_LOST] > 0) {
        result = 'X';
    } else if (bytes[SELSNAP_BLOCKS_OVERLAY] > 0) {
        result = 'o';
    } else if (changed > 0) {
        result = bytes[SELSNAP_BLOCKS_UNCHANGED] > 0 ? '+' : '#';
    } else if (bytes[SELSNAP_BLOCKS_UNCHANGED] > 0) {
        result = '-';
    }
    return result;
}

/* The name, cut or filled to LABEL_WIDTH characters; bytes that go on a UTF-8 character take no place of their own. */
static void print_label(struct cli *cli, const char *name) {
    size_t width = 0;
    for (const char *c = name; *c != '\0'; c++) {
        bool begins = ((unsigned char)*c & 0xC0) != 0x80;
        if (begins && width == LABEL_WIDTH) {
            break;
        }
        width += begins ? 1 : 0;
        fputc(*c, cli->out);
    }
    fprintf(cli->out, "%*s", (int)(LABEL_WIDTH - width) + 1, "");
}

/* The range at @p offset, with those that follow it in the same state. @p ret_next begins the search for the next. */
static int next_range(struct cli *cli, uint64_t id, uint64_t size, uint64_t offset, selsnap_map_range *ret_range) {
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

static int print_row(struct cli *cli, const selsnap_snapshot_info *info, struct picture *picture) {
    assert(picture->cells != NULL);
    memset(picture->cells, 0, picture->cell_count * sizeof(*picture->cells));
    uint64_t at = 0;
    while (at < picture->device_bytes) {
        selsnap_map_range range;
        int code = next_range(cli, info->id, picture->device_bytes, at, &range);
        if (code != SELSNAP_OK) {
            return fail(cli, code, "snapshot '%s'", info->name);
        }
        add_range(picture, &range);
        at = range.offset + range.len;
    }
    print_label(cli, info->name);
    for (size_t i = 0; i < picture->cell_count; i++) {
        fputc(cell_char(&picture->cells[i]), cli->out);
    }
    fputc('\n', cli->out);
    return CLI_OK;
}

/* Streamed: a map may have millions of ranges. */
static int stream_row(struct cli *cli, const selsnap_snapshot_info *info, uint64_t size) {
    int code = SELSNAP_OK;
    fputs("{\"id\": ", cli->out);
    json_stream(cli, json_u64(info->id));
    fputs(", \"name\": ", cli->out);
    json_stream(cli, json_text(info->name));
    fputs(", \"ranges\": [", cli->out);
    for (uint64_t at = 0; at < size && code == SELSNAP_OK;) {
        selsnap_map_range range;
        code = next_range(cli, info->id, size, at, &range);
        if (code == SELSNAP_OK) {
            fputs(at == 0 ? "\n  " : ",\n  ", cli->out);
            json_stream(cli, json_pack("{s:o, s:o, s:s}", "offset", json_u64(range.offset), "length",
                                       json_u64(range.len), "state", state_names[range.state]));
            at = range.offset + range.len;
        }
    }
    fputs("]}", cli->out);
    return code == SELSNAP_OK ? CLI_OK : fail(cli, code, "snapshot '%s'", info->name);
}

/* One snapshot, as a row or as JSON. */
static int map_one(struct cli *cli, const selsnap_snapshot_info *info, struct picture *picture, bool first) {
    if (!cli->json) {
        return print_row(cli, info, picture);
    }
    fputs(first ? "\n " : ",\n ", cli->out);
    return stream_row(cli, info, picture->device_bytes);
}

static int map_all(struct cli *cli, struct picture *picture) {
    selsnap_snapshot_info info;
    memset(&info, 0, sizeof(info));
    info.struct_size = sizeof(info);
    int result = CLI_OK;
    int code = SELSNAP_OK;
    bool first = true;
    while (result == CLI_OK && (code = selsnap_snapshot_next(cli->ss, info.id, &info)) == SELSNAP_OK) {
        result = map_one(cli, &info, picture, first);
        first = false;
    }
    if (result == CLI_OK && code != SELSNAP_ENOENT) {
        result = fail(cli, code, "snapshots");
    }
    return result;
}

static int picture_init(struct cli *cli, struct picture *picture) {
    uint64_t block = selsnap_block_size(cli->ss);
    uint64_t width = terminal_width(cli) - LABEL_WIDTH - 1;
    uint64_t blocks = (picture->device_bytes + block - 1) / block;
    uint64_t blocks_a_cell = (blocks + width - 1) / width;
    picture->cell_bytes = blocks_a_cell * block;
    picture->cell_count = (size_t)((blocks + blocks_a_cell - 1) / blocks_a_cell);
    picture->cells = calloc(picture->cell_count, sizeof(*picture->cells));
    return picture->cells != NULL ? CLI_OK : fail_with(cli, SELSNAP_ENOMEM, "", "picture");
}

static void print_frame(struct cli *cli, const struct picture *picture, bool top) {
    char device[32];
    char cell[32];
    if (top) {
        fprintf(cli->out, "device of %s, %s a character\n", size_text(picture->device_bytes, device, sizeof(device)),
                size_text(picture->cell_bytes, cell, sizeof(cell)));
        return;
    }
    fprintf(
        cli->out,
        "\n. not in the snapshot     - unchanged since     + partly changed, preserved     # all changed, preserved\n"
        "o written into it         X lost\n");
}

int cmd_map(struct cli *cli) {
    selsnap_snapshot_info info;
    bool one = cli->args.name_count == 1;
    int result = session_open(cli, false);
    if (result == CLI_OK && one) {
        result = session_find(cli, &info);
    }
    if (result != CLI_OK) {
        return result;
    }
    struct picture picture = {.device_bytes = selsnap_size(cli->ss)};
    result = picture_init(cli, &picture);
    if (result != CLI_OK) {
        return result;
    }
    if (cli->json) {
        fprintf(cli->out, "{\"origin_bytes\": %" PRIu64 ", \"block_bytes\": %" PRIu32 ", \"snapshots\": [",
                picture.device_bytes, selsnap_block_size(cli->ss));
    } else {
        print_frame(cli, &picture, true);
    }
    result = one ? map_one(cli, &info, &picture, true) : map_all(cli, &picture);
    if (cli->json) {
        fputs("]}\n", cli->out);
    } else if (result == CLI_OK) {
        print_frame(cli, &picture, false);
    }
    free(picture.cells);
    return result;
}
