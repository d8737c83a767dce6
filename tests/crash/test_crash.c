/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts at each change and flush of each script, and the images that they may leave.
 *
 *   test_crash                            all scripts, as in a build
 *   test_crash --script S                 one of them; --depth D cuts in a path, one in --share N images cut again,
 *                                         --random R random images at each cut
 *   test_crash --script S --path P        replays one image; --trace tells each operation
 */
#include "explore.h"
#include "test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(const char *program) {
    fprintf(stderr, "usage: %s [--script S [--path P] [--trace] [--depth D] [--share N] [--random R]]\n", program);
    return 2;
}

static int run_all(const struct explore *how) {
    int64_t total = 0;
    int failed = 0;
    printf("1..%zu\n", script_count);
    for (size_t i = 0; i < script_count; i++) {
        struct explore one = *how;
        one.script = &scripts[i];
        int64_t images = explore_run(&one);
        printf("%s %zu - %s: %" PRId64 " images\n", images > 0 ? "ok" : "not ok", i + 1, scripts[i].name, images);
        failed += images > 0 ? 0 : 1;
        total += images;
    }
    printf("# %" PRId64 " images\n", total);
    return failed > 0 ? 1 : 0;
}

int main(int argc, char **argv) {
    struct explore how = {.program = argv[0], .depth = 3, .share = 50, .random = 1};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            how.trace = true;
            continue;
        }
        const char *value = argv[i + 1];
        if (value == NULL) {
            return usage(argv[0]);
        }
        if (strcmp(argv[i], "--script") == 0) {
            how.script = script_find(value);
        } else if (strcmp(argv[i], "--depth") == 0) {
            how.depth = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--share") == 0) {
            how.share = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--random") == 0) {
            how.random = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--path") != 0 || !explore_parse(value, &how)) {
            return usage(argv[0]);
        }
        i++;
    }
    if (how.script == NULL) {
        return argc > 1 && how.replay ? usage(argv[0]) : run_all(&how);
    }
    int64_t images = explore_run(&how);
    printf("%" PRId64 " images\n", images);
    return images < 0 ? 1 : 0;
}
