/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_golden DIR: opens each image of DIR, as make_golden writes them, read-only and for writing, and finds what
 * manifest.txt says. What is asked of the images of the first release holds for ever, on every machine.
 */
#include "account.h"
#include "files.h"
#include "test.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096, TEXT_BYTES = 1 << 16 };

static const char *dir;

/* What the manifest says of one image or stream, head line left out. */
struct section {
    char text[TEXT_BYTES];
    size_t len;
};

struct image {
    selsnap_device *store;
    selsnap_device *origin;
    selsnap *ss;
};

static uint8_t *read_file(const char *name, const char *ending, size_t *ret_len) {
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s.%s", dir, name, ending);
    FILE *in = fopen(path, "rb");
    struct stat st;
    must_do(in != NULL && stat(path, &st) == 0, path);
    uint8_t *bytes = malloc((size_t)st.st_size);
    must_do(bytes != NULL && fread(bytes, 1, (size_t)st.st_size, in) == (size_t)st.st_size, path);
    (void)fclose(in);
    *ret_len = (size_t)st.st_size;
    return bytes;
}

/* ret_number: what stands behind the name, if anything does. */
static void read_section(const char *head, struct section *ret, uint64_t *ret_number) {
    char path[PATH_BYTES];
    char line[TEXT_BYTES];
    bool inside = false;
    (void)snprintf(path, sizeof path, "%s/manifest.txt", dir);
    FILE *in = fopen(path, "rb");
    must_do(in != NULL, path);
    ret->len = 0;
    while (fgets(line, sizeof line, in) != NULL) {
        bool is_head = strncmp(line, "image ", 6) == 0 || strncmp(line, "stream ", 7) == 0;
        if (is_head) {
            inside = strncmp(line, head, strlen(head)) == 0 && strchr(" \n", line[strlen(head)]) != NULL;
            *ret_number = inside ? strtoull(line + strlen(head), NULL, 10) : *ret_number;
        } else if (inside) {
            size_t len = strlen(line);
            assert_true(len < sizeof ret->text - ret->len);
            memcpy(ret->text + ret->len, line, len + 1);
            ret->len += len;
        }
    }
    (void)fclose(in);
    if (ret->len == 0) {
        fail_msg("the manifest says nothing of %s", head);
    }
}

static selsnap_device *load(const char *name, const char *ending) {
    size_t len = 0;
    selsnap_device *device = NULL;
    uint8_t *bytes = read_file(name, ending, &len);
    assert_ok(selsnap_device_open_memory(len, 0, &device));
    assert_ok(selsnap_device_write(device, bytes, len, 0));
    free(bytes);
    return device;
}

static void image_open(struct image *image, uint32_t flags) {
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.flags = flags;
    assert_ok(selsnap_open(image->store, image->origin, &options, &image->ss));
}

static void image_load(struct image *image, const char *name, uint32_t flags) {
    image->store = load(name, "store");
    image->origin = load(name, "origin");
    image_open(image, flags);
}

static void image_close(struct image *image) {
    assert_ok(selsnap_close(image->ss));
    selsnap_device_close(image->store);
    selsnap_device_close(image->origin);
}

/* A file to write text into. */
static FILE *open_text(char *path) {
    assert_int_equal(files_make(path), 0);
    FILE *out = fopen(path, "w+b");
    assert_non_null(out);
    return out;
}

/* What was written into it; the file is gone. */
static char *close_text(FILE *out, const char *path) {
    long len = ftell(out);
    char *text = calloc(1, (size_t)len + 1);
    assert_non_null(text);
    rewind(out);
    assert_int_equal(fread(text, 1, (size_t)len, out), len);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(files_remove(path), 0);
    return text;
}

static char *account(selsnap *ss) {
    char path[FILES_PATH];
    FILE *out = open_text(path);
    account_store(ss, out);
    return close_text(out, path);
}

static void assert_account(selsnap *ss, const char *expected) {
    char *text = account(ss);
    assert_string_equal(text, expected);
    free(text);
}

static void assert_unchanged(selsnap_device *device, const char *name, const char *ending) {
    size_t len = 0;
    uint64_t size = 0;
    uint8_t *before = read_file(name, ending, &len);
    uint8_t *now = account_content(device, &size);
    assert_true(size == len);
    assert_memory_equal(now, before, len);
    free(now);
    free(before);
}

static int tell_problem(void *user, const char *line) {
    (void)user;
    (void)fprintf(stderr, "%s\n", line);
    return 0;
}

static void opened_read_only(void **state) {
    const char *name = *state;
    char head[64];
    struct section *expected = malloc(sizeof *expected);
    struct image image;
    uint64_t number = 0;
    assert_non_null(expected);
    (void)snprintf(head, sizeof head, "image %s", name);
    read_section(head, expected, &number);
    image_load(&image, name, SELSNAP_OPEN_READ_ONLY);
    assert_account(image.ss, expected->text);
    assert_ok(selsnap_close(image.ss));
    assert_unchanged(image.store, name, "store");
    assert_unchanged(image.origin, name, "origin");
    selsnap_device_close(image.store);
    selsnap_device_close(image.origin);
    free(expected);
}

/* The lines of the account behind the first, which tells the origin, and without that of the snapshot `new`. */
static char *of_the_old(selsnap *ss, uint64_t new) {
    char *text = account(ss);
    char key[32];
    (void)snprintf(key, sizeof key, "\nsnapshot %u ", (unsigned)new);
    char *line = new != 0 ? strstr(text, key) : NULL;
    if (line != NULL) {
        char *end = strchr(line + 1, '\n');
        memmove(line, end, strlen(end) + 1);
    }
    char *rest = strchr(text, '\n') + 1;
    memmove(text, rest, strlen(rest) + 1);
    return text;
}

/* A snapshot, and where the store has room (some images' is full) a write that it is needed for. */
static uint64_t use(selsnap *ss, bool write) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_subset *subset = NULL;
    uint8_t block[4096];
    uint64_t id = 0;
    assert_ok(selsnap_subset_open_for(ss, &subset));
    assert_ok(selsnap_subset_add(subset, 0, sizeof block));
    options.name = "new";
    options.subset = subset;
    options.policy = SELSNAP_POLICY_GIVE_UP_BLOCK;
    assert_ok(selsnap_snapshot_create(ss, &options, &id));
    selsnap_subset_close(subset);
    if (write) {
        memset(block, 'n', sizeof block);
        assert_ok(selsnap_write(ss, block, sizeof block, 0));
    }
    assert_ok(selsnap_flush(ss));
    return id;
}

static void opened_for_writing(void **state) {
    const char *name = *state;
    char head[64];
    struct section *expected = malloc(sizeof *expected);
    struct image image;
    selsnap_check_result result = {.struct_size = sizeof result};
    uint64_t number = 0;
    assert_non_null(expected);
    (void)snprintf(head, sizeof head, "image %s", name);
    read_section(head, expected, &number);
    image_load(&image, name, SELSNAP_OPEN_NO_AHEAD);
    assert_account(image.ss, expected->text);
    assert_ok(selsnap_check(image.ss, tell_problem, NULL, NULL, NULL, &result));
    assert_int_equal(result.problems, 0);
    char *before = of_the_old(image.ss, 0);
    uint64_t id = use(image.ss, strcmp(name, "grown") != 0 && strcmp(name, "shrunk") != 0);
    assert_ok(selsnap_close(image.ss));
    image_open(&image, SELSNAP_OPEN_NO_AHEAD);
    char *after = of_the_old(image.ss, id);
    assert_string_equal(after, before);
    assert_ok(selsnap_check(image.ss, tell_problem, NULL, NULL, NULL, &result));
    assert_int_equal(result.problems, 0);
    image_close(&image);
    free(before);
    free(after);
    free(expected);
}

static void applied(void **state) {
    const char *name = *state;
    char head[64];
    struct section *expected = malloc(sizeof *expected);
    size_t len = 0;
    uint64_t number = 0;
    assert_non_null(expected);
    (void)snprintf(head, sizeof head, "stream %s", name);
    read_section(head, expected, &number);
    uint8_t *bytes = read_file(name, "stream", &len);
    char path[FILES_PATH];
    FILE *out = open_text(path);
    int code = account_stream(bytes, len, number, out);
    char *text = close_text(out, path);
#ifndef SSN_ZSTD
    if (strcmp(name, "packed") == 0) {
        assert_int_equal(code, SELSNAP_ENOTSUP);
        free(text);
        text = strdup(expected->text);
        code = SELSNAP_OK;
    }
#endif
    assert_int_equal(code, SELSNAP_OK);
    assert_string_equal(text, expected->text);
    free(text);
    free(bytes);
    free(expected);
}

enum { IMAGES = 8, STREAMS = 2, CASES = 2 * IMAGES + STREAMS };

static struct CMUnitTest one(CMUnitTestFunction function, const char *what, char *name, char *text, size_t size) {
    (void)snprintf(text, size, "test_golden__%s__%s", name, what);
    const struct CMUnitTest test = {text, function, NULL, NULL, name};
    return test;
}

int main(int argc, char **argv) {
    static char images[IMAGES][16] = {"journal", "tree", "closed", "restoring", "imported", "lost", "grown", "shrunk"};
    static char streams[STREAMS][16] = {"packed", "plain"};
    static char texts[CASES][192];
    struct CMUnitTest tests[CASES];
    size_t at = 0;
    if (argc != 2) {
        (void)fprintf(stderr, "usage: test_golden DIR\n");
        return 2;
    }
    dir = argv[1];
    for (size_t i = 0; i < IMAGES; i++) {
        tests[at] = one(opened_read_only, "opened_read_only", images[i], texts[at], sizeof texts[at]);
        at++;
        tests[at] = one(opened_for_writing, "opened_for_writing", images[i], texts[at], sizeof texts[at]);
        at++;
    }
    for (size_t i = 0; i < STREAMS; i++) {
        tests[at] = one(applied, "applied", streams[i], texts[at], sizeof texts[at]);
        at++;
    }
    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
