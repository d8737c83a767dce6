/* SPDX-License-Identifier: Apache-2.0 */
/* What is measured. */
#ifndef SSN_BENCH_CASES_H
#define SSN_BENCH_CASES_H

#include "bench.h"

/* What stands on the device before the load. */
enum prepared {
    PREPARED_ELSEWHERE, /* the snapshots designate other blocks */
    PREPARED_KEPT,      /* all blocks are designated, and preserved already */
    PREPARED_FIRST,     /* all blocks are designated, none is preserved */
    PREPARED_VIEW,      /* the load reads a snapshot whose blocks are unchanged */
    PREPARED_VIEW_KEPT, /* the load reads a snapshot whose blocks are preserved */
};

struct bench_case {
    const char *name;
    enum prepared prepared;
    unsigned snapshots;
    struct load load;
};

extern const struct bench_case bench_cases[];
extern const size_t bench_case_count;

#endif
