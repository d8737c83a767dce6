/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts at each change and flush of each script, and the images that they may leave.
 *
 *   test_crash                            all scripts, as in a build; --script S only one of them, also more than once;
 *                                         --part I/N every Nth, from the Ith on
 *   test_crash --long                     the same, every image cut again, and all of what follows; no bound in time
 *   test_crash --depth D --share N --reach R --random X --after A     see explore.h
 *   test_crash --script S --path P        replays one image; --trace tells each operation
 *   test_crash --list                     the scripts
 *
 * SSN_TEST_LONG in the environment is as --long.
 */
#include "explore.h"
#include "test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHOSEN_MAX = 64 };

static const struct script *selected[CHOSEN_MAX];
static size_t selected_count;

static int usage(const char *program) {
    fprintf(stderr,
            "usage: %s [--script S]... [--part I/N] [--path P] [--trace] [--list] [--long] [--depth D] [--share N] "
            "[--reach R]\n"
            "       [--random X] [--after A] [--seconds T] [--plant wrong|crash|hang[CUTS]]\n",
            program);
    return 2;
}

static void be_long(struct explore *how) {
    how->share = 1;
    how->reach = UINT32_MAX;
    how->random = 20;
    how->after = UINT32_MAX;
    how->whole = true;
}

static int run_all(const struct explore *how) {
    uint64_t by_depth[EXPLORE_DEPTH] = {0};
    int64_t total = 0;
    int failed = 0;
    printf("1..%zu\n", selected_count);
    for (size_t i = 0; i < selected_count; i++) {
        struct explore one = *how;
        one.script = selected[i];
        one.share = how->share != 0 ? how->share : selected[i]->share;
        int64_t images = explore_run(&one, by_depth);
        printf("%s %zu - %s: %" PRId64 " images\n", images > 0 ? "ok" : "not ok", i + 1, one.script->name, images);
        failed += images > 0 ? 0 : 1;
        total += images > 0 ? images : 0;
    }
    printf("# %" PRId64 " images: after 1, 2, 3 cuts %" PRIu64 ", %" PRIu64 ", %" PRIu64 "\n", total, by_depth[0],
           by_depth[1], by_depth[2]);
    return failed > 0 ? 1 : 0;
}

static int replay(struct explore *how) {
    how->script = selected[0];
    int64_t images = explore_run(how, NULL);
    printf("%s\n", images < 0 ? "it fails" : "no failure");
    return images < 0 ? 1 : 0;
}

/* As in hang2: after two cuts. */
static bool parse_plant(const char *value, struct explore *how) {
    size_t len = strcspn(value, "0123456789");
    how->plant = strncmp(value, "wrong", len) == 0   ? PLANT_WRONG
                 : strncmp(value, "crash", len) == 0 ? PLANT_CRASH
                 : strncmp(value, "hang", len) == 0  ? PLANT_HANG
                                                     : PLANT_NONE;
    how->plant_at = (unsigned)strtoul(value + len, NULL, 10);
    return how->plant != PLANT_NONE;
}

/* Of N parts, the scripts of the Ith (from 1). */
static bool select_part(const char *value) {
    char *end;
    unsigned long part = strtoul(value, &end, 10);
    unsigned long parts = *end == '/' ? strtoul(end + 1, NULL, 10) : 0;
    for (size_t i = part - 1; part > 0 && part <= parts && i < script_count; i += parts) {
        selected[selected_count++] = &scripts[i];
    }
    return selected_count > 0;
}

static bool parse_option(const char *name, const char *value, struct explore *how) {
    const struct {
        const char *name;
        unsigned *to;
    } numbers[] = {{"--depth", &how->depth},   {"--share", &how->share}, {"--reach", &how->reach},
                   {"--random", &how->random}, {"--after", &how->after}, {"--seconds", &how->seconds}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(name, numbers[i].name) == 0) {
            *numbers[i].to = (unsigned)strtoul(value, NULL, 10);
            return true;
        }
    }
    if (strcmp(name, "--script") == 0) {
        const struct script *script = script_find(value);
        if (script == NULL || selected_count == CHOSEN_MAX) {
            fprintf(stderr, "no script %s\n", value);
            return false;
        }
        selected[selected_count++] = script;
        return true;
    }
    if (strcmp(name, "--part") == 0) {
        return select_part(value);
    }
    return strcmp(name, "--plant") == 0 ? parse_plant(value, how)
                                        : strcmp(name, "--path") == 0 && explore_parse(value, how);
}

int main(int argc, char **argv) {
    struct explore how = {
        .program = argv[0], .depth = EXPLORE_DEPTH, .reach = 24, .random = 1, .after = 2, .seconds = 120};
    const char *in_env = getenv("SSN_TEST_LONG");
    if (in_env != NULL && in_env[0] != '\0') {
        be_long(&how);
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            how.trace = true;
        } else if (strcmp(argv[i], "--long") == 0) {
            be_long(&how);
        } else if (strcmp(argv[i], "--list") == 0) {
            for (size_t s = 0; s < script_count; s++) {
                printf("%s\n", scripts[s].name);
            }
            return 0;
        } else if (i + 1 == argc || !parse_option(argv[i], argv[i + 1], &how)) {
            return usage(argv[0]);
        } else {
            i++;
        }
    }
    if (how.replay) {
        return selected_count == 1 ? replay(&how) : usage(argv[0]);
    }
    for (size_t i = 0; selected_count == 0 && i < script_count; i++) {
        selected[i] = &scripts[i];
    }
    selected_count = selected_count == 0 ? script_count : selected_count;
    return run_all(&how);
}
