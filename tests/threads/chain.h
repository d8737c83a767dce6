/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines of the programs whose runs are chains: of cuts, or of kills. */
#ifndef SSN_TEST_CHAIN_H
#define SSN_TEST_CHAIN_H

#include "world.h"

struct chain {
    const char *program;
    const char *unit; /* "cuts": also the option's name */
    const struct world_config *configs;
    size_t config_count;
    uint64_t usual; /* length of a chain */
    uint64_t (*run)(const struct world_config *config, uint64_t seed, uint64_t length);
};

/* `chains` chains of the length, from the seed on. */
void chain_run(const struct chain *chain, const char *config, uint64_t seed, uint64_t chains, unsigned length);
int chain_main(const struct chain *chain, int argc, char **argv);

#endif
