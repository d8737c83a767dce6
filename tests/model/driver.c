/* SPDX-License-Identifier: Apache-2.0 */
#include "driver.h"

#include "test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct config *find_config(const struct driver *driver, const char *name) {
    for (size_t i = 0; i < driver->config_count; i++) {
        if (strcmp(driver->configs[i].name, name) == 0) {
            return &driver->configs[i];
        }
    }
    fprintf(stderr, "no configuration %s\n", name);
    exit(2);
}

static uint64_t run_seed(const struct driver *driver, const struct config *config, uint64_t seed, uint64_t steps,
                         bool trace, bool in_cmocka) {
    struct model *m = calloc(1, sizeof *m);
    if (m == NULL) {
        abort();
    }
    m->trace = trace;
    m->in_cmocka = in_cmocka;
    model_open(m, config, driver->program, seed, steps, driver->cuts);
    /* Numbers of neighbouring seeds are the same ones, shifted by one: too much alike for sequences. */
    m->prng = prng_init(prng_next(&m->prng));
    uint64_t done = driver->run(m);
    model_close(m);
    free(m);
    return done;
}

void driver_run(const struct driver *driver, const char *config, uint64_t sequences, uint64_t steps, void **state) {
    (void)state;
    uint64_t done = 0;
    for (uint64_t seed = 1; seed <= sequences; seed++) {
        done += run_seed(driver, find_config(driver, config), seed, steps, false, true);
    }
    assert_true(done >= sequences);
}

static int run_hours(const struct driver *driver, const char *only, double hours, uint64_t steps) {
    time_t end = time(NULL) + (time_t)(hours * 3600);
    uint64_t seed = (uint64_t)time(NULL) * 1000000;
    uint64_t sequences = 0;
    uint64_t done = 0;
    while (time(NULL) < end) {
        const struct config *config = &driver->configs[sequences % driver->config_count];
        sequences++;
        if (only == NULL || strcmp(only, config->name) == 0) {
            done += run_seed(driver, config, seed++, steps, false, false);
        }
    }
    printf("%" PRIu64 " sequences or images, no failure\n", done);
    return 0;
}

int driver_main(const struct driver *driver, int argc, char **argv) {
    const char *config = NULL;
    uint64_t seed = 1;
    uint64_t steps = 60;
    double hours = 0;
    bool trace = false;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--trace") == 0) {
            trace = true;
            continue;
        } else if (strcmp(argv[i], "--config") == 0) {
            config = value;
        } else if (strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--steps") == 0) {
            steps = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--hours") == 0) {
            hours = strtod(value, NULL);
        } else {
            fprintf(stderr, "usage: %s [--config NAME] [--seed N] [--steps M] [--trace] [--hours H]\n", argv[0]);
            return 2;
        }
        i++;
    }
    if (hours > 0) {
        return run_hours(driver, config, hours, steps);
    }
    const struct config *chosen = config != NULL ? find_config(driver, config) : &driver->configs[0];
    (void)run_seed(driver, chosen, seed, steps, trace, false);
    printf("no failure\n");
    return 0;
}
