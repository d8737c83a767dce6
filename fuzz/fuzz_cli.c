/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command-line tool. The input is a script: a command a line, words apart by blanks, "" for an empty word. Each
 * word goes through the parsers of sizes and ranges, which a second, plain one must agree with; then the whole tool
 * runs on each line, in this process, on files in a folder of its own.
 *
 * What must hold: exit codes are those of --help; with --json what is printed is JSON; a wrong command line changes no
 * file; nothing stays open. No word can name a file elsewhere, as slashes are taken out. FUZZ_TELL=1 lets the tool's
 * errors and exit codes be seen.
 */
#include "cli.h"
#include "sandbox.h"

#include <ctype.h>
#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>
#include <unistd.h>

/* main() of examples/selsnap/main.c, renamed by the build. */
int cli_main(int argc, char **argv);

enum { ORIGIN_BYTES = 24 * 4096 - 512, STORE_BYTES = 1 << 20, SCRIPT_MAX = 4096, LINES_MAX = 12, WORDS_MAX = 24 };

static struct sandbox box;
static uint8_t origin_bytes[ORIGIN_BYTES];
static uint8_t store_bytes[STORE_BYTES];
static const uint8_t data_bytes[6000] = "some data";

/* ---- the files ---- */

static void must_ok(int code) {
    must(code == SELSNAP_OK);
}

static void put_files(void) {
    sandbox_put_file("origin", origin_bytes, ORIGIN_BYTES);
    sandbox_put_file("store", store_bytes, STORE_BYTES);
    sandbox_put_file("data", data_bytes, sizeof data_bytes);
}

static void fill_store(selsnap *ss) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_view_options how = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_subset *subset = NULL;
    selsnap_view *view = NULL;
    uint64_t id = 0;
    must_ok(selsnap_subset_open_for(ss, &subset));
    must_ok(selsnap_subset_add(subset, 8192, 3 * 4096));
    must_ok(selsnap_designation_save(ss, "sub", subset, NULL));
    selsnap_subset_close(subset);
    options.name = "one";
    options.time_ns = 1000000007;
    must_ok(selsnap_snapshot_create(ss, &options, NULL));
    must_ok(selsnap_write(ss, data_bytes, sizeof data_bytes, 4096));
    options.name = "two";
    options.designation = "sub";
    options.policy = SELSNAP_POLICY_GIVE_UP_BLOCK;
    must_ok(selsnap_snapshot_create(ss, &options, &id));
    must_ok(selsnap_write(ss, data_bytes, sizeof data_bytes, 8192));
    how.id = id;
    how.flags = SELSNAP_VIEW_WRITABLE;
    must_ok(selsnap_view_open(ss, &how, &view));
    must_ok(selsnap_view_write(view, "changed", 7, 9000));
    must_ok(selsnap_view_close(view));
    must_ok(selsnap_flush(ss));
}

static void read_file(const char *name, uint8_t *bytes, size_t len) {
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    must(fd >= 0 && pread(fd, bytes, len, 0) == (ssize_t)len && close(fd) == 0);
}

/*
 * Store and origin as a killed process leaves them: after a clean close the origin's change time would have to be the
 * one that was noted.
 */
static void make_files(void) {
    selsnap_device *origin = NULL;
    selsnap_device *store = NULL;
    selsnap_format_options options = SELSNAP_FORMAT_OPTIONS_INIT;
    selsnap *ss = NULL;
    for (size_t i = 0; i < ORIGIN_BYTES; i++) {
        origin_bytes[i] = (uint8_t)(i / 4096 % 5 == 0 ? 0 : i / 512 + 1);
    }
    put_files();
    must_ok(selsnap_device_open_file("origin", 0, 0, &origin, NULL));
    must_ok(selsnap_device_open_file("store", 0, 0, &store, NULL));
    options.journal_bytes = 64 << 10;
    options.origin_hint = "origin";
    must_ok(selsnap_format(store, origin, &options));
    must_ok(selsnap_open(store, origin, NULL, &ss));
    fill_store(ss);
    read_file("store", store_bytes, STORE_BYTES);
    read_file("origin", origin_bytes, ORIGIN_BYTES);
    must_ok(selsnap_close(ss));
    selsnap_device_close(store);
    selsnap_device_close(origin);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    must(unsetenv("SELSNAP_STORE") == 0 && unsetenv("SELSNAP_ORIGIN") == 0 && setenv("COLUMNS", "80", 1) == 0);
    sandbox_init(&box);
    sandbox_enter(&box);
    make_files();
    sandbox_leave(&box);
    return 0;
}

/* ---- the parsers ---- */

/* A size in the words of the help: digits, decimal or behind 0x, and perhaps one of K, M, G, T. */
static bool plain_size(const char *text, size_t len, uint64_t *ret_bytes) {
    static const char units[] = "kmgt";
    __extension__ unsigned __int128 value = 0;
    const char *unit = len > 0 ? strchr(units, tolower((unsigned char)text[len - 1])) : NULL;
    unsigned shift = unit != NULL && *unit != '\0' ? 10 * (unsigned)(unit - units + 1) : 0;
    size_t digits = shift > 0 ? len - 1 : len;
    bool hex = digits > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    for (size_t i = hex ? 2 : 0; i < digits; i++) {
        unsigned char c = (unsigned char)text[i];
        if (hex ? !isxdigit(c) : !isdigit(c)) {
            return false;
        }
        value = value * (hex ? 16 : 10) + (unsigned)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
        if (value >> 64 != 0) {
            return false;
        }
    }
    value <<= shift;
    if (digits == 0 || value >> 64 != 0) {
        return false;
    }
    *ret_bytes = (uint64_t)value;
    return true;
}

static void parse_word(const char *word) {
    uint64_t bytes = 0;
    uint64_t plain = 0;
    selsnap_range range = {0, 0};
    char text[32];
    bool taken = size_parse(word, &bytes);
    must(taken == plain_size(word, strlen(word), &plain) && bytes == plain);
    if (taken) {
        must(strlen(size_text(bytes, text, sizeof text)) < sizeof text);
        must(strlen(time_text((int64_t)bytes, text, sizeof text)) < sizeof text);
    }
    const char *colon = strchr(word, ':');
    uint64_t len = 0;
    bool good = colon != NULL && plain_size(word, (size_t)(colon - word), &bytes) &&
                plain_size(colon + 1, strlen(colon + 1), &len) && len > 0 && bytes <= UINT64_MAX - len;
    must(range_parse(word, &range) == good);
    must(!good || (range.offset == bytes && range.len == len));
}

/* ---- the tool ---- */

struct line {
    char *words[WORDS_MAX + 2];
    int count;
};

static bool has_word(const struct line *line, const char *word) {
    for (int i = 1; i < line->count; i++) {
        if (strcmp(line->words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

/* Everything printed is one JSON value after the other. */
static void check_json(const char *text, size_t len) {
    size_t at = 0;
    while (at < len) {
        json_error_t error;
        json_t *value = json_loadb(text + at, len - at, JSON_DISABLE_EOF_CHECK, &error);
        must(value != NULL && error.position > 0);
        json_decref(value);
        at += (size_t)error.position;
        at += strspn(text + at, " \n");
    }
}

static int lowest_fd(void) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    must(fd >= 0 && close(fd) == 0);
    return fd;
}

static bool untouched(const struct stat *before, const char *name) {
    struct stat now;
    return stat(name, &now) == 0 && now.st_size == before->st_size && now.st_ctim.tv_sec == before->st_ctim.tv_sec &&
           now.st_ctim.tv_nsec == before->st_ctim.tv_nsec && now.st_ino == before->st_ino;
}

static void run_line(struct line *line) {
    struct stat store;
    struct stat origin;
    /* read gives raw bytes. Looked at now, as the tool may change the order of the words. */
    bool json = has_word(line, "--json") && !has_word(line, "read");
    sandbox_enter(&box);
    bool there = stat("store", &store) == 0 && stat("origin", &origin) == 0;
    int before = lowest_fd();
    optind = 0;
    int result = cli_main(line->count, line->words);
    fprintf(stderr, "%d\n", result);
    int after = lowest_fd();
    bool touched = there && !(untouched(&store, "store") && untouched(&origin, "origin"));
    sandbox_leave(&box);
    must(result >= CLI_OK && result <= CLI_NOT_FOUND);
    must(before == after);
    must(result != CLI_USAGE || !touched);
    if (json && result == CLI_OK) {
        size_t len;
        char *text = sandbox_output(&box, &len);
        if (strncmp(text, "usage: ", 7) != 0) { /* a help, which is asked for in many ways */
            check_json(text, len);
        }
        free(text);
    }
}

/* Cuts a line into words, each in memory of its own. */
static void cut_line(char *text, struct line *line) {
    static char tool[] = "selsnap";
    char *rest = NULL;
    line->count = 0;
    line->words[line->count++] = strdup(tool);
    for (char *word = strtok_r(text, " \t", &rest); word != NULL && line->count <= WORDS_MAX;
         word = strtok_r(NULL, " \t", &rest)) {
        for (char *c = word; *c != '\0'; c++) {
            *c = *c == '/' ? '_' : *c;
        }
        line->words[line->count] = strdup(strcmp(word, "\"\"") == 0 ? "" : word);
        must(line->words[line->count] != NULL);
        parse_word(line->words[line->count++]);
    }
    line->words[line->count] = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const kept[] = {"origin", "store", "data", NULL};
    struct input in = input_of(data, size < SCRIPT_MAX ? size : SCRIPT_MAX);
    size_t len = in.left;
    char *script = malloc(len + 1);
    must(script != NULL);
    input_take(&in, script, len);
    script[len] = '\0';
    sandbox_enter(&box);
    sandbox_empty(kept);
    put_files();
    sandbox_leave(&box);
    char *rest = NULL;
    unsigned lines = 0;
    for (char *text = strtok_r(script, "\n", &rest); text != NULL && lines < LINES_MAX;
         text = strtok_r(NULL, "\n", &rest)) {
        struct line line;
        char *owned[WORDS_MAX + 2];
        cut_line(text, &line);
        memcpy(owned, line.words, sizeof owned);
        run_line(&line);
        for (int i = 0; i < line.count; i++) {
            free(owned[i]);
        }
        lines++;
    }
    free(script);
    return 0;
}
