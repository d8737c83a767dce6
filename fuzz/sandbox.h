/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder of its own for a program that is run in this process: files that are the same at each run, what is printed
 * caught or thrown away, a limit on the size of files, and nothing left behind.
 */
#ifndef SSN_FUZZ_SANDBOX_H
#define SSN_FUZZ_SANDBOX_H

#include "input.h"

#include <signal.h>

struct sandbox {
    char folder[256];
    int folder_fd;
    int home_fd; /* where the process was */
    int null_fd;
    int out_fd;   /* a file in memory: what was printed last */
    int saved[2]; /* stdin and stdout of the process */
    FILE *saved_err;
    FILE *quiet;
    struct sigaction signals[3];
};

/*
 * Below $TMPDIR, or in memory where there is room. Removed at exit, as far as that comes. With $FUZZ_TELL set, stderr
 * is not thrown away.
 */
void sandbox_init(struct sandbox *box);
/* Writes a file new, or again: then it stays the same file to the system. */
void sandbox_put_file(const char *name, const uint8_t *bytes, size_t len);
/* Removes all files but these; NULL ends the list. */
void sandbox_empty(const char *const *kept);
/* Between these two the process stands in the folder, and what it prints goes to out_fd or nowhere. */
void sandbox_enter(struct sandbox *box);
void sandbox_leave(struct sandbox *box);
/* What was printed to stdout; ends with a zero. Freed by the caller. */
char *sandbox_output(struct sandbox *box, size_t *ret_len);

#endif
