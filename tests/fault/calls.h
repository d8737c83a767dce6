/* SPDX-License-Identifier: Apache-2.0 */
/* One call of each public function, in a world (little_world.h). */
#ifndef SSN_FAULT_CALLS_H
#define SSN_FAULT_CALLS_H

#include "little_world.h"

#include <stdbool.h>

struct call {
    const char *name;                 /* of the function */
    int (*run)(struct world *w);      /* NULL: it is not called, and says why */
    void (*prepare)(struct world *w); /* NULL, or done before */
    const char *why;
    bool in_part; /* a call that failed may have done a part */
    bool ends;    /* the context is gone afterwards, even if it failed */
};

extern const struct call calls[];
extern const size_t call_count;

#endif
