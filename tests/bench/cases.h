/* SPDX-License-Identifier: Apache-2.0 */
/* The loads that are measured. */
#ifndef SSN_BENCH_CASES_H
#define SSN_BENCH_CASES_H

#include "bench.h"

struct bench_case {
    const char *name;
    bool quick; /* part of the short run */
    enum prepared prepared;
    enum copier_mode copier;
    unsigned snapshots;
    struct load load;
};

extern const struct bench_case bench_cases[];
extern const size_t bench_case_count;

#endif
