/* SPDX-License-Identifier: Apache-2.0 */
/* Real files of the tests, and what is done to them behind the library's back. */
#ifndef SSN_FILES_H
#define SSN_FILES_H

#include <stdint.h>

enum { FILES_PATH = 512 };

#ifdef _WIN32
#define FILES_NOWHERE "NUL"
#else
#define FILES_NOWHERE "/dev/null"
#endif

/* Makes an empty file below TMPDIR or /tmp, or in the system's folder for such, and tells its name; the folder alone
 * if that is asked for. All of these give 0, or -1. */
int files_make(char *path);
int files_make_folder(char *path);
int files_remove(const char *path);
int files_remove_folder(const char *path);
/* Makes a file shorter, or longer. */
int files_set_size(const char *path, uint64_t size);
/* A second name. */
int files_link(const char *path, const char *name);
/* How many files the process has open, or handles where these are not told apart. */
unsigned files_open_count(void);

#endif
