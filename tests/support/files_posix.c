/* SPDX-License-Identifier: Apache-2.0 */
/* See files.h. */
#include "files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void choose(char *path) {
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(path, FILES_PATH, "%s/selsnap-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
}

int files_make(char *path) {
    choose(path);
    int fd = mkstemp(path);
    return fd >= 0 ? close(fd) : -1;
}

int files_make_folder(char *path) {
    choose(path);
    return mkdtemp(path) != NULL ? 0 : -1;
}

int files_remove(const char *path) {
    return unlink(path);
}

int files_remove_folder(const char *path) {
    return rmdir(path);
}

int files_set_size(const char *path, uint64_t size) {
    return truncate(path, (off_t)size);
}

int files_link(const char *path, const char *name) {
    return link(path, name);
}

unsigned files_open_count(void) {
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder != NULL && readdir(folder) != NULL) {
        count++;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count;
}
