/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as text. */
#include "explore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {"kept",   "lost",  "lose", "keep",   "head", "tail",
                                         "origin", "store", "mask", "random", "kill"};
enum { KIND_COUNT = sizeof kind_names / sizeof kind_names[0] };

static bool kind_has_number(enum image_kind kind) {
    return kind != IMAGE_KEPT && kind != IMAGE_LOST && kind != IMAGE_ORIGIN && kind != IMAGE_STORE &&
           kind != IMAGE_KILL;
}

void path_print(const struct turn *path, unsigned turns, char *text, size_t size) {
    int len = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < turns && (size_t)len < size; i++) {
        const struct turn *turn = &path[i];
        len += snprintf(text + len, size - (size_t)len, "%s%" PRIu64 ":%s", i > 0 ? "/" : "", turn->call,
                        kind_names[turn->kind]);
        if (kind_has_number(turn->kind) && (size_t)len < size) {
            len += snprintf(text + len, size - (size_t)len, "%" PRIu64, turn->n);
        }
    }
}

static bool parse_kind(const char **text, struct turn *turn) {
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        size_t len = strlen(kind_names[kind]);
        if (strncmp(*text, kind_names[kind], len) == 0) {
            char *end;
            turn->kind = (enum image_kind)kind;
            turn->n = strtoull(*text + len, &end, 10);
            bool number = end != *text + len;
            *text = end;
            return number == kind_has_number(turn->kind);
        }
    }
    return false;
}

bool explore_parse(const char *text, struct explore *how) {
    how->replay = true;
    for (how->turns = 0; how->turns < EXPLORE_DEPTH; text++) {
        struct turn *turn = &how->path[how->turns++];
        char *end;
        turn->call = strtoull(text, &end, 10);
        if (end == text || *end != ':') {
            return false;
        }
        text = end + 1;
        if (!parse_kind(&text, turn)) {
            return false;
        }
        if (*text != '/') {
            return *text == '\0';
        }
    }
    return false;
}

uint64_t path_hash(const struct turn *path, unsigned turns) {
    struct prng prng = prng_init(turns);
    for (unsigned i = 0; i < turns; i++) {
        prng = prng_init(prng_next(&prng) ^ (path[i].call << 32 | (uint64_t)path[i].kind << 24) ^ path[i].n);
    }
    return prng_next(&prng);
}
