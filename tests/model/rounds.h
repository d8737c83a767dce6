/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of random rounds, each told by its seed: those of a build, one to replay, or as many as fit in a time.
 *
 *   PROGRAM                    the rounds of a build; one in SSN_TEST_SHARE of them
 *   PROGRAM --seed N           one round; --trace tells each operation
 *   PROGRAM --hours H          new rounds for so long
 *
 * What fails prints the command that replays it.
 */
#ifndef SSN_MODEL_ROUNDS_H
#define SSN_MODEL_ROUNDS_H

#include "prng.h"
#include "test.h"

#include <stdbool.h>

struct rounds {
    const char *name;                       /* of the test */
    void (*run)(uint64_t seed, bool trace); /* one round; asserts */
    uint64_t count;                         /* in a build: seeds 1 .. count */
};

/* The numbers of a seed. Those of prng_init() are, for neighbouring seeds, the same ones shifted by one. */
static inline struct prng rounds_prng(uint64_t seed) {
    struct prng first = prng_init(seed);
    return prng_init(prng_next(&first));
}

/* What main() returns. */
int rounds_main(const struct rounds *rounds, int argc, char **argv);

#endif
