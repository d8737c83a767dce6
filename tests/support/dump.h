/* SPDX-License-Identifier: Apache-2.0 */
/* What selsnap_dump() tells, for tests that look at the index itself. All helpers assert. */
#ifndef SSN_TEST_DUMP_H
#define SSN_TEST_DUMP_H

#include <selsnap/selsnap.h>

/* Lines that begin with the text and hold `also` (NULL: any). */
uint64_t dump_count(selsnap *ss, const char *begin, const char *also);
/* The number after `word` in the first such line; asserts that there is one. */
uint64_t dump_number(selsnap *ss, const char *begin, const char *also, const char *word);
/* Prints it all; for looking into a failing test. */
void dump_print(selsnap *ss);

#endif
