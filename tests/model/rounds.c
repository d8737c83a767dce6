/* SPDX-License-Identifier: Apache-2.0 */
#include "rounds.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What is under way, also for who is told of a signal. */
static char replay[512];

static void tell_replay(void) {
    ssize_t written = write(STDERR_FILENO, replay, (unsigned)strlen(replay));
    (void)written;
}

/* An assertion of the library's own. */
static void on_abort(int number) {
    (void)number;
    tell_replay();
}

struct plan {
    const struct rounds *rounds;
    const char *program;
    uint64_t first;
    uint64_t count;
    double hours; /* above 0: until then, whatever count says */
    bool trace;
};

static void run_plan(void **state) {
    const struct plan *plan = *state;
    time_t end = time(NULL) + (time_t)(plan->hours * 3600);
    uint64_t done = 0;
    while (plan->hours > 0 ? time(NULL) < end : done < plan->count) {
        uint64_t seed = plan->first + done;
        (void)snprintf(replay, sizeof replay, "replay: %s --seed %" PRIu64 " --trace\n", plan->program, seed);
        plan->rounds->run(seed, plan->trace);
        done++;
    }
    assert_true(done > 0);
    print_message("%" PRIu64 " rounds\n", done);
    replay[0] = '\0';
}

/* Also after a failure. */
static int after_plan(void **state) {
    (void)state;
    tell_replay();
    return 0;
}

int rounds_main(const struct rounds *rounds, int argc, char **argv) {
    uint64_t share = test_share();
    struct plan plan = {rounds, argv[0], 1, rounds->count / share > 0 ? rounds->count / share : 1, 0, false};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--trace") == 0) {
            plan.trace = true;
            continue;
        } else if (strcmp(argv[i], "--seed") == 0) {
            plan.first = strtoull(value, NULL, 10);
            plan.count = 1;
        } else if (strcmp(argv[i], "--hours") == 0) {
            plan.hours = strtod(value, NULL);
            plan.first = (uint64_t)time(NULL) * 1000000;
        } else {
            fprintf(stderr, "usage: %s [--seed N] [--trace] [--hours H]\n", argv[0]);
            return 2;
        }
        i++;
    }
    (void)signal(SIGABRT, on_abort);
    const struct CMUnitTest tests[] = {{rounds->name, run_plan, NULL, after_plan, &plan}};
    return cmocka_run_group_tests_name("rounds", tests, NULL, NULL);
}
