/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tool needs of the system beyond C, POSIX threads and the library: a file for POSIX systems, one for Windows.
 * Paths are UTF-8; errors are errno values.
 */
#ifndef SELSNAP_SYSTEM_H
#define SELSNAP_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#ifdef _WIN32
#define SYSTEM_NOWHERE "NUL"
#else
#define SYSTEM_NOWHERE "/dev/null"
#endif

/* Once, first: the command line in UTF-8, standard input and output as bytes. */
void system_start(int *argc, char ***argv);
/* At SIGINT and SIGTERM, once each: a second one kills. A reader of our output that goes away is a write error. */
void system_on_interrupt(void (*handler)(int number));

/* Where relative paths begin, if nobody says otherwise. */
int system_here(void);
/* As openat(); makes files that all may write whom the umask lets, and that no child inherits. */
int system_open(int folder, const char *path, int flags);
/* As fopen(). */
FILE *system_stream(const char *path, const char *mode);
/* A file of no name, to write and then to read. */
FILE *system_scratch(void);
/* False only where there surely is nothing of the name. */
bool system_is_there(const char *path);
/* Whether two paths lead to the same file or block device. */
bool system_same(int folder, const char *path, const char *other);
/* From the root on, without links, to be freed; NULL: not there, or no memory. */
char *system_full_path(const char *path);
bool system_remove(const char *path);
/* One file in another's place, which may be there: old or new, whatever happens. */
bool system_replace(const char *path, const char *old);
/* Makes what was written durable; what cannot be flushed, as a pipe, needs no flush. */
bool system_sync(int fd);
/* Whether it can be read, or written, without waiting; waits so long for that. */
bool system_ready(int fd, bool write, int wait_ms);

/* Characters of a line; 0: not a terminal, or it does not tell. */
unsigned system_columns(int fd);
/* Ends the process with the code, if it has not been called with 0 seconds until then. */
void system_deadline(unsigned seconds);

/* Takes a variable out of the environment. */
void system_forget(const char *variable);
/* As gmtime_r(). */
bool system_utc(time_t seconds, struct tm *ret_parts);
/* Seconds since 1970 of 2024-05-01 or 2024-05-01T12:00:00Z. */
bool system_parse_time(const char *text, int64_t *ret_seconds);

#endif
