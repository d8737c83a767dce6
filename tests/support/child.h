/* SPDX-License-Identifier: Apache-2.0 */
/* How a forked child ends: at once, without what the parent has registered or not yet printed. */
#ifndef SSN_TEST_CHILD_H
#define SSN_TEST_CHILD_H

#include <stdlib.h>
#ifdef SSN_COVERAGE
#include <stdio.h>
#include <stdio_ext.h>
#endif

static inline _Noreturn void child_exit(int code) {
#ifdef SSN_COVERAGE
    __fpurge(stdout); /* the parent prints it */
    exit(code);       /* the counts of lines are written as the program ends */
#else
    _Exit(code);
#endif
}

#endif
