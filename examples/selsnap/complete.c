/* SPDX-License-Identifier: Apache-2.0 */
/*
 * complete: what may stand where the last word of a command line is. The scripts in completion/ ask it, so that they
 * know nothing of commands and options themselves.
 *
 * A candidate a line, with a tab and what it means. A line without a tab, ":files", says that files go there.
 *
 * Names come from the store that the words, or the environment, name; what goes wrong with it means no names. It is
 * opened for reading only, or its server asked, for at most a few seconds.
 */
#include "cli.h"
#include "system.h"
#include <stdlib.h>
#include <string.h>

#define NAMES_SECONDS 3

/* What kind of word is expected. */
enum want { WANT_NOTHING, WANT_FILE, WANT_SNAPSHOT, WANT_SUBSET };

struct line {
    struct cli *cli;
    const struct command *command;
    int argc;
    char **argv;
    const char *cur;   /* The last word; what it begins with. */
    const char *store; /* As far as the words say. */
    const char *origin;
    const char *control;
    int names;                /* Words before that are no options. */
    bool options_ended;       /* By "--". */
    struct option_about open; /* The option before, whose value is the last word; name NULL: none. */
};

/* One candidate: @p before and @p text, if it begins as the last word does. */
static void offer(const struct line *line, const char *before, const char *text, const char *about) {
    size_t len = strlen(before);
    size_t cur = strlen(line->cur);
    bool fits = cur <= len ? strncmp(line->cur, before, cur) == 0
                           : strncmp(line->cur, before, len) == 0 && strncmp(line->cur + len, text, cur - len) == 0;
    for (const char *c = text; *c != '\0'; c++) {
        fits = fits && (unsigned char)*c >= ' ';
    }
    if (fits) {
        fprintf(line->cli->out, "%s%s\t%s\n", before, text, about);
    }
}

static void offer_files(const struct line *line) {
    fputs(":files\n", line->cli->out);
}

/* ---- names ---- */

/* What another command prints with --json; NULL: it failed. */
static json_t *ask_tool(const struct line *line, int argc, char **argv) {
    struct cli inner;
    FILE *out = system_scratch();
    FILE *nothing = fopen(SYSTEM_NOWHERE, "w");
    json_t *answer = NULL;
    cli_init(&inner);
    inner.folder = line->cli->folder;
    if (out != NULL && nothing != NULL) {
        inner.out = out;
        inner.out_fd = fileno(out);
        inner.err = nothing;
        inner.err_fd = fileno(nothing);
        bool good = cli_run(&inner, argc, argv) == CLI_OK && fseek(out, 0, SEEK_SET) == 0;
        answer = good ? json_loadf(out, 0, NULL) : NULL;
    }
    if (out != NULL) {
        fclose(out);
    }
    if (nothing != NULL) {
        fclose(nothing);
    }
    return answer;
}

static void offer_names(const struct line *line, const char *before, bool subsets) {
    char *argv[12];
    int argc = 0;
    const char *const words[] = {subsets ? "subset" : "list",
                                 subsets ? "list" : NULL,
                                 "--json",
                                 "--read-only",
                                 line->store != NULL ? "--store" : NULL,
                                 line->store,
                                 line->origin != NULL ? "--origin" : NULL,
                                 line->origin,
                                 line->control != NULL ? "--control" : NULL,
                                 line->control};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (words[i] != NULL) {
            argv[argc++] = (char *)(uintptr_t)words[i]; /* getopt_long changes their order only */
        }
    }
    argv[argc] = NULL;
    system_deadline(NAMES_SECONDS); /* the store, or its server, may not answer */
    json_t *answer = ask_tool(line, argc, argv);
    system_deadline(0);
    json_t *list = json_object_get(answer, subsets ? "subsets" : "snapshots");
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        const char *name = json_string_value(json_object_get(item, "name"));
        const char *when = json_string_value(json_object_get(item, "time"));
        if (name != NULL) {
            offer(line, before, name, when != NULL ? when : "a saved subset");
        }
    }
    json_decref(answer);
}

static void offer_wanted(const struct line *line, const char *before, enum want want) {
    if (want == WANT_FILE) {
        offer_files(line);
    } else if (want != WANT_NOTHING) {
        offer_names(line, before, want == WANT_SUBSET);
    }
}

/* ---- options ---- */

/* The option of the command that a word names, without its value. */
static bool option_of(const struct line *line, const char *word, size_t len, struct option_about *ret_about) {
    bool is_long = len > 2 && word[0] == '-' && word[1] == '-';
    for (int id = 0; id < OPT_COUNT; id++) {
        if (!args_about(line->command->options, id, ret_about)) {
            continue;
        }
        bool same = is_long ? strlen(ret_about->name) == len - 2 && memcmp(ret_about->name, word + 2, len - 2) == 0
                            : len == 2 && word[0] == '-' && ret_about->letter == word[1];
        if (same) {
            return true;
        }
    }
    return false;
}

static void offer_value(const struct line *line, const char *before, const struct option_about *about) {
    enum want want = WANT_NOTHING;
    if (strchr(about->value, '|') != NULL) {
        char words[128];
        char *rest = NULL;
        snprintf(words, sizeof(words), "%s", about->value);
        for (char *word = strtok_r(words, "|", &rest); word != NULL; word = strtok_r(NULL, "|", &rest)) {
            offer(line, before, word, about->help);
        }
    } else if (strcmp(about->value, "FILE") == 0 || strcmp(about->value, "SOCKET") == 0 ||
               strstr(about->name, "mounted-file") != NULL) {
        want = WANT_FILE;
    } else if (strcmp(about->name, "subset") == 0) {
        want = WANT_SUBSET;
    } else if (strcmp(about->name, "base") == 0) {
        want = WANT_SNAPSHOT;
    }
    offer_wanted(line, before, want);
}

static void offer_options(const struct line *line) {
    struct option_about about;
    const char *equals = strchr(line->cur, '=');
    if (equals != NULL) {
        char before[64];
        size_t len = (size_t)(equals - line->cur);
        if (len + 2 < sizeof(before) && option_of(line, line->cur, len, &about) && about.value != NULL) {
            snprintf(before, sizeof(before), "%.*s=", (int)len, line->cur);
            offer_value(line, before, &about);
        }
        return;
    }
    for (int id = 0; id < OPT_COUNT; id++) {
        if (args_about(line->command->options, id, &about)) {
            offer(line, "--", about.name, about.help);
        }
    }
}

/* Note what an option before the last word says of the store. */
static void note_value(struct line *line, const struct option_about *about, const char *value) {
    const char **place = strcmp(about->name, "store") == 0     ? &line->store
                         : strcmp(about->name, "origin") == 0  ? &line->origin
                         : strcmp(about->name, "control") == 0 ? &line->control
                                                               : NULL;
    if (place != NULL) {
        *place = value;
    }
}

/* Read the words between the command and the last one. */
static void read_words(struct line *line, int first) {
    for (int i = first; i < line->argc - 1; i++) {
        const char *word = line->argv[i];
        const char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
        size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
        struct option_about about;
        if (line->open.name != NULL) {
            note_value(line, &line->open, word);
            line->open.name = NULL;
        } else if (line->options_ended || word[0] != '-' || word[1] == '\0') {
            line->names++;
        } else if (strcmp(word, "--") == 0) {
            line->options_ended = true;
        } else if (word[1] != '-' && len > 2 && option_of(line, word, 2, &about) && about.value != NULL) {
            note_value(line, &about, word + 2); /* -sFILE */
        } else if (option_of(line, word, len, &about) && about.value != NULL) {
            if (equals != NULL) {
                note_value(line, &about, equals + 1);
            } else {
                line->open = about;
            }
        }
    }
}

/* ---- words ---- */

/* What the word at a place among those that are no options is, by what the help calls it. */
static enum want want_word(const struct command *command, int place) {
    static const char *const new_names[] = {"create", "group create", "clone", "rename"};
    char words[64];
    char *rest = NULL;
    char *last = NULL;
    int at = 0;
    snprintf(words, sizeof(words), "%s", command->words);
    for (char *word = strtok_r(words, " []", &rest); word != NULL; word = strtok_r(NULL, " []", &rest)) {
        last = word;
        if (at++ == place) {
            break;
        }
    }
    if (last == NULL || (at <= place && strstr(last, "...") == NULL)) {
        return WANT_NOTHING;
    }
    for (size_t i = 0; i < sizeof(new_names) / sizeof(new_names[0]); i++) {
        bool second = strncmp(command->words, "NAME", 4) != 0 || strcmp(command->name, "rename") == 0;
        if (strcmp(command->name, new_names[i]) == 0 && place == (second ? 1 : 0)) {
            return WANT_NOTHING;
        }
    }
    if (strncmp(last, "FILE", 4) == 0 || strncmp(last, "STORE", 5) == 0 || strcmp(last, "NEW") == 0) {
        return WANT_FILE;
    }
    return strncmp(command->name, "subset ", 7) == 0 ? WANT_SUBSET : WANT_SNAPSHOT;
}

/* The words of commands that may come after those that are there, @p depth of them. */
static void offer_commands(const struct line *line, int depth) {
    static const char *const others[][2] = {{"help", "print help, or one command's options"},
                                            {"version", "print the version"},
                                            {"complete", "tell what may stand where the last word is: for shells"}};
    const struct command *row;
    char told[64] = "";
    for (size_t i = 0; (row = command_row(i)) != NULL; i++) {
        const char *space = strchr(row->name, ' ');
        size_t len = space != NULL ? (size_t)(space - row->name) : strlen(row->name);
        const char *above = line->argv[line->argc - 2 < 0 ? 0 : line->argc - 2];
        char word[64];
        if (depth == 1) {
            if (space != NULL && strlen(above) == len && strncmp(row->name, above, len) == 0) {
                offer(line, "", space + 1, row->summary);
            }
            continue;
        }
        snprintf(word, sizeof(word), "%.*s", (int)len, row->name);
        if (strcmp(word, told) != 0) {
            offer(line, "", word, space != NULL ? "several commands" : row->summary);
        }
        memcpy(told, word, sizeof(told));
    }
    for (size_t i = 0; depth == 0 && i < sizeof(others) / sizeof(others[0]); i++) {
        offer(line, "", others[i][0], others[i][1]);
    }
}

/* How many words name the command; 0: none does. */
static int find(struct line *line) {
    const struct command *row;
    for (size_t i = 0; (row = command_row(i)) != NULL; i++) {
        char both[64] = "";
        if (line->argc >= 3) {
            snprintf(both, sizeof(both), "%s %s", line->argv[0], line->argv[1]);
        }
        if (strcmp(row->name, line->argv[0]) == 0 || strcmp(row->name, both) == 0) {
            line->command = row;
            return strchr(row->name, ' ') != NULL ? 2 : 1;
        }
    }
    return 0;
}

int complete(struct cli *cli, int argc, char **argv) {
    struct line line;
    memset(&line, 0, sizeof(line));
    line.cli = cli;
    if (cli->served != NULL) {
        return fail_usage(cli, "a server cannot run it: it is for a shell");
    }
    cli->json = false; /* it may be one of the words */
    bool help = argc > 1 && strcmp(argv[0], "help") == 0;
    line.argc = help ? argc - 1 : argc;
    line.argv = help ? argv + 1 : argv;
    if (argc == 0) {
        return CLI_OK;
    }
    line.cur = line.argv[line.argc - 1];
    int words = line.argc > 1 ? find(&line) : 0;
    if (words == 0) {
        offer_commands(&line, line.argc - 1);
        return CLI_OK;
    }
    if (help) {
        return CLI_OK;
    }
    read_words(&line, words);
    if (line.open.name != NULL) {
        offer_value(&line, "", &line.open);
    } else if (line.cur[0] == '-' && !line.options_ended) {
        offer_options(&line);
    } else {
        offer_wanted(&line, "", want_word(line.command, line.names));
    }
    return CLI_OK;
}
