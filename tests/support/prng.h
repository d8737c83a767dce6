/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small generator of pseudo-random numbers (splitmix64): the same seed gives the same numbers everywhere. Or the
 * numbers come from bytes, such as a fuzzer's, and from a generator when these are used up.
 */
#ifndef SSN_TEST_PRNG_H
#define SSN_TEST_PRNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prng {
    uint64_t state;
    const uint8_t *bytes; /* not used yet */
    size_t left;
};

static inline struct prng prng_init(uint64_t seed) {
    struct prng prng = {seed * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0x2545f4914f6cdd1d), NULL, 0};
    return prng;
}

static inline struct prng prng_of_bytes(const uint8_t *bytes, size_t len) {
    struct prng prng = prng_init(1);
    prng.bytes = bytes;
    prng.left = len;
    return prng;
}

static inline uint64_t prng_next(struct prng *prng) {
    uint64_t z = prng->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 .. limit - 1; limit is not 0. Of bytes, as few are used as can tell it. */
static inline uint64_t prng_below(struct prng *prng, uint64_t limit) {
    if (prng->left == 0) {
        return prng_next(prng) % limit;
    }
    uint64_t value = 0;
    for (uint64_t range = 1; range != 0 && range < limit && prng->left > 0; range <<= 8) {
        value = value << 8 | *prng->bytes++;
        prng->left--;
    }
    return value % limit;
}

static inline bool prng_percent(struct prng *prng, unsigned percent) {
    return prng_below(prng, 100) < percent;
}

#endif
