/* SPDX-License-Identifier: Apache-2.0 */
/* See sandbox.h. */
#include "sandbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 4 << 20 };

static const int caught[3] = {SIGINT, SIGTERM, SIGPIPE};
static char folder_to_remove[256];

static void remove_folder(void) {
    static const char *const nothing[] = {NULL};
    if (chdir(folder_to_remove) == 0) {
        sandbox_empty(nothing);
        (void)rmdir(folder_to_remove);
    }
}

void sandbox_init(struct sandbox *box) {
    const char *above = getenv("TMPDIR");
    if (above == NULL) {
        above = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    }
    memset(box, 0, sizeof *box);
    must(snprintf(box->folder, sizeof box->folder, "%s/selsnap-fuzz-XXXXXX", above) < (int)sizeof box->folder);
    must(mkdtemp(box->folder) != NULL);
    memcpy(folder_to_remove, box->folder, sizeof folder_to_remove);
    must(atexit(remove_folder) == 0);
    box->folder_fd = open(box->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    box->home_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    box->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    box->out_fd = memfd_create("output", MFD_CLOEXEC);
    box->quiet = getenv("FUZZ_TELL") != NULL ? stderr : fopen("/dev/null", "w");
    must(box->folder_fd >= 0 && box->home_fd >= 0 && box->null_fd >= 0 && box->out_fd >= 0 && box->quiet != NULL);
    /* A file that grows too large is a failed write. */
    must(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
}

void sandbox_put_file(const char *name, const uint8_t *bytes, size_t len) {
    static const uint8_t zeros[4096];
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    must(fd >= 0 && ftruncate(fd, (off_t)len) == 0);
    for (size_t at = 0; at < len; at += sizeof zeros) {
        size_t part = len - at < sizeof zeros ? len - at : sizeof zeros;
        if (memcmp(bytes + at, zeros, part) != 0) {
            must(pwrite(fd, bytes + at, part, (off_t)at) == (ssize_t)part);
        }
    }
    must(close(fd) == 0);
}

void sandbox_empty(const char *const *kept) {
    DIR *folder = opendir(".");
    must(folder != NULL);
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        const char *const *keep = kept;
        while (*keep != NULL && strcmp(*keep, entry->d_name) != 0) {
            keep++;
        }
        if (*keep == NULL && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            must(unlink(entry->d_name) == 0);
        }
    }
    must(closedir(folder) == 0);
}

static void limit_files(rlim_t bytes) {
    struct rlimit limit;
    must(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    must(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

void sandbox_enter(struct sandbox *box) {
    fflush(stdout);
    must(fchdir(box->folder_fd) == 0);
    must(ftruncate(box->out_fd, 0) == 0 && lseek(box->out_fd, 0, SEEK_SET) == 0);
    box->saved[0] = dup(STDIN_FILENO);
    box->saved[1] = dup(STDOUT_FILENO);
    must(box->saved[1] >= 0 && dup2(box->null_fd, STDIN_FILENO) == 0 && dup2(box->out_fd, STDOUT_FILENO) == 1);
    box->saved_err = stderr;
    stderr = box->quiet;
    for (int i = 0; i < 3; i++) {
        must(sigaction(caught[i], NULL, &box->signals[i]) == 0);
    }
    limit_files(FILE_MAX);
}

void sandbox_leave(struct sandbox *box) {
    fflush(stdout);
    clearerr(stdout);
    stderr = box->saved_err;
    limit_files(RLIM_INFINITY);
    for (int i = 0; i < 3; i++) {
        must(sigaction(caught[i], &box->signals[i], NULL) == 0);
    }
    must(dup2(box->saved[1], STDOUT_FILENO) == 1 && close(box->saved[1]) == 0);
    if (box->saved[0] >= 0) {
        must(dup2(box->saved[0], STDIN_FILENO) == 0 && close(box->saved[0]) == 0);
    }
    must(fchdir(box->home_fd) == 0);
}

char *sandbox_output(struct sandbox *box, size_t *ret_len) {
    struct stat about;
    must(fstat(box->out_fd, &about) == 0);
    char *text = malloc((size_t)about.st_size + 1);
    must(text != NULL && pread(box->out_fd, text, (size_t)about.st_size, 0) == about.st_size);
    text[about.st_size] = '\0';
    *ret_len = (size_t)about.st_size;
    return text;
}
