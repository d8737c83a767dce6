/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that the user gives to be run on the way. */
#ifndef SELSNAP_CLI_HOOK_H
#define SELSNAP_CLI_HOOK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Run a command by the shell and wait for it; whether it ended with 0. It finds $SELSNAP_GROUP and $SELSNAP_RESULT, and
 * prints to stderr. It is killed after @p timeout_ns, and by an interrupt; 0: by neither.
 */
bool hook_run(const char *command, const char *group, const char *result, uint64_t timeout_ns);

#endif
