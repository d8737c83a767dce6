/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each device call of each script fails: once, and in two of the four ways that last, in turn (faults.h).
 *
 *   test_fault                            all scripts, as in a build
 *   test_fault --script S                 one of them; --all: in every way, with both ends
 *   test_fault --script S --fault F       replays one fault; --trace tells each operation
 *
 * SSN_TEST_LONG=1 is as --all.
 */
#include "fault_scripts.h"
#include "faults.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(const char *program) {
    fprintf(stderr, "usage: %s [--all] [--script S [--fault F] [--trace]]\n", program);
    return 2;
}

static int run_all(const struct faults *how) {
    int64_t total = 0;
    int failed = 0;
    size_t i = 0;
    struct faults one = *how;
    for (; (one.script = fault_script(i)) != NULL; i++) {
        int64_t faults = faults_run(&one);
        printf("%s %zu - %s: %" PRId64 " faults\n", faults > 0 ? "ok" : "not ok", i + 1, one.script->name, faults);
        failed += faults > 0 ? 0 : 1;
        total += faults;
    }
    printf("1..%zu\n# %" PRId64 " faults\n", i, total);
    return failed > 0 ? 1 : 0;
}

int main(int argc, char **argv) {
    struct faults how = {.program = argv[0]};
    const char *full = getenv("SSN_TEST_LONG");
    how.all = full != NULL && strcmp(full, "1") == 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            how.trace = true;
        } else if (strcmp(argv[i], "--all") == 0) {
            how.all = true;
        } else if (strcmp(argv[i], "--script") == 0 && i + 1 < argc) {
            how.script = fault_script_find(argv[++i]);
            if (how.script == NULL) {
                return usage(argv[0]);
            }
        } else if (strcmp(argv[i], "--fault") != 0 || i + 1 >= argc || !faults_parse(argv[++i], &how)) {
            return usage(argv[0]);
        }
    }
    if (how.script == NULL) {
        return how.replay ? usage(argv[0]) : run_all(&how);
    }
    int64_t faults = faults_run(&how);
    printf("%" PRId64 " faults\n", faults);
    return faults < 0 ? 1 : 0;
}
