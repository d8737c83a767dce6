/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every call of a public function that returns a code goes through a wrapper made from the headers (gen_documented.py),
 * which fails the program when the code is not in the function's docstring.
 */
#ifndef SSN_FAULT_DOCUMENTED_H
#define SSN_FAULT_DOCUMENTED_H

#include <selsnap/selsnap.h>
#include <stddef.h>

/* Gives the code back, if it is one of these. */
int documented(const char *function, const int *codes, size_t count, int code);
/* What is told when it is none: the command that replays it. Lives on. */
void documented_replay(const char *replay);

#endif
