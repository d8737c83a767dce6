/* SPDX-License-Identifier: Apache-2.0 */
/* See chain.h. */
#include "chain.h"

#include "test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LEAST = 10 }; /* the shortest chain that a share leaves */

static const struct world_config *find_config(const struct chain *chain, const char *name) {
    for (size_t i = 0; i < chain->config_count; i++) {
        if (strcmp(chain->configs[i].name, name) == 0) {
            return &chain->configs[i];
        }
    }
    fprintf(stderr, "there is no config %s\n", name);
    exit(2);
}

void chain_run(const struct chain *chain, const char *config, uint64_t seed, uint64_t chains, unsigned length) {
    const struct world_config *found = find_config(chain, config);
    for (uint64_t i = 0; i * WORLD_LESS < chains; i++) {
        (void)chain->run(found, seed + i, test_share_of(length, LEAST));
    }
}

static void run_for(const struct chain *chain, const char *config, uint64_t seconds, uint64_t seed, uint64_t length) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    time_t end = now.tv_sec + (time_t)seconds;
    uint64_t done = 0;
    for (uint64_t i = 0; now.tv_sec < end; i++) {
        const struct world_config *chosen =
            config != NULL ? find_config(chain, config) : &chain->configs[i % chain->config_count];
        done += chain->run(chosen, seed + i, length);
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    printf("%" PRIu64 " %s, from seed %" PRIu64 "\n", done, chain->unit, seed);
}

int chain_main(const struct chain *chain, int argc, char **argv) {
    const char *config = NULL;
    uint64_t seed = 1;
    uint64_t seconds = 0;
    uint64_t length = chain->usual;
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        const char *option = strncmp(argv[i], "--", 2) == 0 ? argv[i] + 2 : "";
        if (strcmp(option, "config") == 0) {
            config = value;
        } else if (strcmp(option, "seed") == 0) {
            seed = strtoull(value, NULL, 10);
        } else if (strcmp(option, chain->unit) == 0) {
            length = strtoull(value, NULL, 10);
        } else if (strcmp(option, "seconds") == 0) {
            seconds = strtoull(value, NULL, 10);
        } else {
            fprintf(stderr, "unknown: %s\n", argv[i]);
            return 2;
        }
    }
    if (seconds > 0) {
        run_for(chain, config, seconds, seed, length);
    } else {
        (void)chain->run(find_config(chain, config != NULL ? config : chain->configs[0].name), seed, length);
        printf("%" PRIu64 " %s\n", length, chain->unit);
    }
    return 0;
}
