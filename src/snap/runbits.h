/* SPDX-License-Identifier: Apache-2.0 */
/* A bit for each of the 256 blocks of a run. */
#ifndef SSN_RUNBITS_H
#define SSN_RUNBITS_H

#include "record.h"

struct ssn_runbits {
    uint64_t word[SSN_RUN_BLOCKS / 64];
};

static inline bool ssn_runbits_get(const struct ssn_runbits *bits, unsigned i) {
    return bits->word[i / 64] >> (i % 64) & 1;
}
static inline void ssn_runbits_set(struct ssn_runbits *bits, unsigned i) {
    bits->word[i / 64] |= UINT64_C(1) << (i % 64);
}
static inline void ssn_runbits_clear(struct ssn_runbits *bits, unsigned i) {
    bits->word[i / 64] &= ~(UINT64_C(1) << (i % 64));
}
static inline bool ssn_runbits_any(const struct ssn_runbits *bits) {
    uint64_t any = 0;
    for (unsigned i = 0; i < SSN_RUN_BLOCKS / 64; i++) {
        any |= bits->word[i];
    }
    return any != 0;
}
static inline struct ssn_runbits ssn_runbits_none(void) {
    struct ssn_runbits bits = {{0, 0, 0, 0}};
    return bits;
}
/* Sets [first, first + count). */
static inline void ssn_runbits_fill(struct ssn_runbits *bits, unsigned first, unsigned count) {
    for (unsigned i = first; i < first + count; i++) {
        ssn_runbits_set(bits, i);
    }
}

#endif
