/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a harness on each file given, or in a folder given, in this process, without any fuzzer. TAP: one case a file.
 * No file at all is a failure.
 */
#include "input.h"

#include <dirent.h>
#include <sys/stat.h>

/* A harness may have one of its own. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    return 0;
}

static unsigned count;

static void run_file(const char *path) {
    FILE *file = fopen(path, "rb");
    must(file != NULL);
    must(fseek(file, 0, SEEK_END) == 0);
    long size = ftell(file);
    must(size >= 0 && fseek(file, 0, SEEK_SET) == 0);
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    must(data != NULL && fread(data, 1, (size_t)size, file) == (size_t)size);
    must(fclose(file) == 0);
    /* Told before, so that a crash is known by the last line. */
    printf("# %s\n", path);
    fflush(stdout);
    must(LLVMFuzzerTestOneInput(data, (size_t)size) == 0);
    free(data);
    printf("ok %u - %s\n", ++count, path);
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static void run_folder(const char *path) {
    struct dirent **entries = NULL;
    int found = scandir(path, &entries, visible, alphasort);
    must(found >= 0);
    for (int i = 0; i < found; i++) {
        char *name = NULL;
        must(asprintf(&name, "%s/%s", path, entries[i]->d_name) > 0);
        run_file(name);
        free(name);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv) {
    (void)LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        struct stat about;
        must(stat(argv[i], &about) == 0);
        if (S_ISDIR(about.st_mode)) {
            run_folder(argv[i]);
        } else {
            run_file(argv[i]);
        }
    }
    printf("1..%u\n", count);
    return count > 0 ? 0 : 1;
}
