/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map: what each snapshot holds of the device, and in what state. On a terminal one row of characters for each, as wide
 * as the terminal, and a legend with sums; elsewhere a table in bytes, or JSON with every range.
 */
#include "picture.h"
#include "system.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LABEL_WIDTH 16
#define WIDTH_MIN 40
#define WIDTH_DEFAULT 80
#define WIDTH_MAX 1024

/* How a mark looks, with colours and without, and what the legend says of it. */
struct look {
    char letter;
    const char *color; /* Of a terminal: 4 to 16 colours are enough. */
    uint32_t state;    /* That it counts; UINT32_MAX: it counts none. */
    const char *text;
};

static const struct look looks[MARK_COUNT] = {
    [MARK_UNDESIGNATED] = {'.', "2", SELSNAP_BLOCKS_UNDESIGNATED, "not in the snapshot"},
    [MARK_UNCHANGED] = {'-', "97;44", SELSNAP_BLOCKS_UNCHANGED, "unchanged since"},
    [MARK_PARTLY] = {'+', "30;42", UINT32_MAX, "partly changed"},
    [MARK_PRESERVED] = {'#', "30;102", SELSNAP_BLOCKS_PRESERVED, "changed, preserved"},
    [MARK_ZERO] = {'0', "30;106", SELSNAP_BLOCKS_ZERO, "changed, held zeros"},
    [MARK_CHANGED] = {'*', "30;102", SELSNAP_BLOCKS_CHANGED, "changed (bookmark)"},
    [MARK_OVERLAY] = {'o', "30;103", SELSNAP_BLOCKS_OVERLAY, "written into it"},
    [MARK_LOST] = {'X', "97;41", SELSNAP_BLOCKS_LOST, "lost"},
};

/* The order of the table's columns. */
static const uint32_t columns[] = {SELSNAP_BLOCKS_UNDESIGNATED, SELSNAP_BLOCKS_UNCHANGED, SELSNAP_BLOCKS_PRESERVED,
                                   SELSNAP_BLOCKS_ZERO,         SELSNAP_BLOCKS_CHANGED,   SELSNAP_BLOCKS_OVERLAY,
                                   SELSNAP_BLOCKS_LOST};
#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

struct map {
    struct picture picture;
    uint64_t draw; /* DRAW_* */
    uint64_t rows;
    struct cell sum; /* Of all rows. */
    bool seen[MARK_COUNT];
};

uint64_t draw_default(const struct cli *cli) {
    const char *none = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    if (isatty(cli->out_fd) != 1) {
        return DRAW_TABLE;
    }
    bool plain = (none != NULL && none[0] != '\0') || terminal == NULL || strcmp(terminal, "dumb") == 0;
    return plain ? DRAW_PLAIN : DRAW_COLOR;
}

static size_t terminal_width(const struct cli *cli) {
    size_t width = WIDTH_DEFAULT;
    unsigned wide = system_columns(cli->out_fd);
    const char *text = cli->served == NULL ? getenv("COLUMNS") : NULL; /* a server's is not the user's */
    uint64_t number = 0;
    if (wide > 0) {
        width = wide;
    } else if (text != NULL && size_parse(text, &number) && number <= WIDTH_MAX) {
        width = (size_t)number;
    }
    return width < WIDTH_MIN ? WIDTH_MIN : width;
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

/* A run of cells that look the same: one change of colour for all of them. */
static void print_run(struct cli *cli, const struct map *map, enum mark mark, size_t count) {
    if (map->draw == DRAW_COLOR) {
        fprintf(cli->out, "\033[%sm", looks[mark].color);
    }
    for (size_t i = 0; i < count; i++) {
        fputc(looks[mark].letter, cli->out);
    }
    if (map->draw == DRAW_COLOR) {
        fputs("\033[0m", cli->out);
    }
}

static void draw_row(struct cli *cli, const selsnap_snapshot_info *info, struct map *map) {
    const struct picture *picture = &map->picture;
    print_label(cli, info->name);
    for (size_t begin = 0; begin < picture->cell_count;) {
        enum mark mark = cell_mark(&picture->cells[begin]);
        size_t end = begin + 1;
        while (end < picture->cell_count && cell_mark(&picture->cells[end]) == mark) {
            end++;
        }
        print_run(cli, map, mark, end - begin);
        map->seen[mark] = true;
        begin = end;
    }
    fputc('\n', cli->out);
}

static void table_row(struct cli *cli, const selsnap_snapshot_info *info, const struct map *map) {
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        fprintf(cli->out, "%14" PRIu64, map->picture.sum.bytes[columns[i]]);
    }
    fprintf(cli->out, "  %s\n", info->name);
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
        code = picture_next_range(cli, info->id, size, at, &range);
        if (code == SELSNAP_OK) {
            fputs(at == 0 ? "\n  " : ",\n  ", cli->out);
            json_stream(cli, json_pack("{s:o, s:o, s:s}", "offset", json_u64(range.offset), "length",
                                       json_u64(range.len), "state", state_name(range.state)));
            at = range.offset + range.len;
        }
    }
    fputs("]}", cli->out);
    return code == SELSNAP_OK ? CLI_OK : fail(cli, code, "snapshot '%s'", info->name);
}

/* One snapshot, as a row or as JSON. */
static int map_one(struct cli *cli, const selsnap_snapshot_info *info, struct map *map) {
    map->rows++;
    if (cli->json) {
        fputs(map->rows == 1 ? "\n " : ",\n ", cli->out);
        return stream_row(cli, info, map->picture.device_bytes);
    }
    int code = picture_fill(cli, &map->picture, info->id);
    if (code != SELSNAP_OK) {
        return fail(cli, code, "snapshot '%s'", info->name);
    }
    for (size_t i = 0; i <= SELSNAP_BLOCKS_CHANGED; i++) {
        map->sum.bytes[i] += map->picture.sum.bytes[i];
    }
    if (map->draw == DRAW_TABLE) {
        table_row(cli, info, map);
    } else {
        draw_row(cli, info, map);
    }
    return CLI_OK;
}

static int map_all(struct cli *cli, struct map *map) {
    selsnap_snapshot_info info;
    memset(&info, 0, sizeof(info));
    info.struct_size = sizeof(info);
    int result = CLI_OK;
    int code = SELSNAP_OK;
    while (result == CLI_OK && (code = selsnap_snapshot_next(cli->ss, info.id, &info)) == SELSNAP_OK) {
        result = map_one(cli, &info, map);
    }
    if (result == CLI_OK && code != SELSNAP_ENOENT) {
        result = fail(cli, code, "snapshots");
    }
    return result;
}

static void print_head(struct cli *cli, const struct map *map) {
    char device[32];
    char cell[32];
    if (cli->json) {
        fprintf(cli->out, "{\"origin_bytes\": %" PRIu64 ", \"block_bytes\": %" PRIu32 ", \"snapshots\": [",
                map->picture.device_bytes, selsnap_block_size(cli->ss));
    } else if (map->draw == DRAW_TABLE) {
        for (size_t i = 0; i < COLUMN_COUNT; i++) {
            fprintf(cli->out, "%14s", state_name(columns[i]));
        }
        fputs("  name\n", cli->out);
    } else {
        fprintf(cli->out, "device of %s, %s a character\n",
                size_text(map->picture.device_bytes, device, sizeof(device)),
                size_text(map->picture.cell_bytes, cell, sizeof(cell)));
    }
}

/* A line for each mark that is there, with how much of the rows is so. */
static void print_legend(struct cli *cli, const struct map *map) {
    uint64_t block = selsnap_block_size(cli->ss);
    double all = (double)map->picture.device_bytes * (double)map->rows;
    char size[32];
    fputs(map->rows == 1 ? "\n" : "\nall rows together:\n", cli->out);
    for (size_t mark = 0; mark < MARK_COUNT; mark++) {
        const struct look *look = &looks[mark];
        uint64_t bytes = look->state <= SELSNAP_BLOCKS_CHANGED ? map->sum.bytes[look->state] : 0;
        if (bytes == 0 && !map->seen[mark]) {
            continue;
        }
        fputs("  ", cli->out);
        print_run(cli, map, (enum mark)mark, 1);
        if (look->state > SELSNAP_BLOCKS_CHANGED) {
            fprintf(cli->out, " %s\n", look->text);
            continue;
        }
        fprintf(cli->out, " %-20s %10s %5.1f %% %12" PRIu64 " blocks\n", look->text,
                size_text(bytes, size, sizeof(size)), 100.0 * (double)bytes / all, (bytes + block - 1) / block);
    }
}

int cmd_map(struct cli *cli) {
    selsnap_snapshot_info info;
    struct map map;
    bool one = cli->args.name_count == 1;
    int result = session_open(cli, false);
    if (result == CLI_OK && one) {
        result = session_find(cli, &info);
    }
    if (result != CLI_OK) {
        return result;
    }
    memset(&map, 0, sizeof(map));
    map.draw = args_given(&cli->args, OPT_DRAW) ? cli->args.draw : draw_default(cli);
    result = picture_init(cli, &map.picture, terminal_width(cli) - LABEL_WIDTH - 1);
    if (result != CLI_OK) {
        return result;
    }
    print_head(cli, &map);
    result = one ? map_one(cli, &info, &map) : map_all(cli, &map);
    if (cli->json) {
        fputs("]}\n", cli->out);
    } else if (result == CLI_OK && map.draw != DRAW_TABLE && map.rows > 0) {
        print_legend(cli, &map);
    }
    picture_fini(&map.picture);
    return result;
}
