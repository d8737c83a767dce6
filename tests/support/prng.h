/* SPDX-License-Identifier: Apache-2.0 */
/* A small generator of pseudo-random numbers (splitmix64): the same seed gives the same numbers everywhere. */
#ifndef SSN_TEST_PRNG_H
#define SSN_TEST_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t state;
};

static inline struct prng prng_init(uint64_t seed) {
    struct prng prng = {seed * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0x2545f4914f6cdd1d)};
    return prng;
}

static inline uint64_t prng_next(struct prng *prng) {
    uint64_t z = prng->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 .. limit - 1; limit is not 0. */
static inline uint64_t prng_below(struct prng *prng, uint64_t limit) {
    return prng_next(prng) % limit;
}

static inline bool prng_percent(struct prng *prng, unsigned percent) {
    return prng_below(prng, 100) < percent;
}

#endif
