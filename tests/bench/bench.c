/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   bench [--part loads|scale|whole|tails] [--case TEXT] [--where memory|tmpfs|direct] [--folder DIR] [--rounds N]
 *         [--json FILE] [--quick] [--full]
 *
 * --case runs those whose names hold the text, or one of several between commas; =TEXT is the whole name. --folder is
 * where the files of `direct` lie; default: the current one.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct part {
    const char *name;
    void (*run)(const struct options *options, json_t *figures);
};

static const struct part parts[] = {
    {"loads", part_loads},
    {"scale", part_scale},
    {"whole", part_whole},
    {"tails", part_tails},
};

static bool parse_text(struct options *options, const char *name, const char *value) {
    const struct {
        const char *name;
        const char **place;
    } texts[] = {
        {"--part", &options->part},     {"--case", &options->only}, {"--where", &options->where},
        {"--folder", &options->folder}, {"--json", &options->json},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].place = value;
            return true;
        }
    }
    if (strcmp(name, "--rounds") == 0) {
        options->rounds = (unsigned)strtoul(value, NULL, 10);
        return options->rounds >= 1 && options->rounds <= 99;
    }
    return false;
}

static bool parse(int argc, char **argv, struct options *options) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            options->quick = true;
        } else if (strcmp(argv[i], "--full") == 0) {
            options->full = true;
        } else if (i + 1 == argc || !parse_text(options, argv[i], argv[i + 1])) {
            return false;
        } else {
            i++;
        }
    }
    return true;
}

static bool write_figures(const struct options *options, const json_t *figures) {
    bool written =
        options->json == NULL || json_dump_file(figures, options->json, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) == 0;
    if (!written) {
        fprintf(stderr, "%s: cannot be written\n", options->json);
    }
    return written;
}

int main(int argc, char **argv) {
    struct options options = {.folder = ".", .rounds = 9};
    if (!parse(argc, argv, &options)) {
        fprintf(
            stderr,
            "usage: %s [--part loads|scale|whole|tails] [--case TEXT] [--where memory|tmpfs|direct] [--folder DIR]\n"
            "       [--rounds N] [--json FILE] [--quick] [--full]\n",
            argv[0]);
        return 2;
    }
    json_t *figures = json_array();
    bool written = true;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (options.part == NULL || strcmp(options.part, parts[i].name) == 0) {
            parts[i].run(&options, figures);
            written = write_figures(&options, figures) && written; /* what has ended is kept, whatever comes */
        }
    }
    bool empty = json_array_size(figures) == 0;
    json_decref(figures);
    return empty || !written ? 1 : 0;
}
