/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line. One table describes every option; a command's mask says which of them it takes, and getopt_long is
 * given only these, so that an option that would be ignored is refused.
 */
#include "cli.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_kind {
    KIND_FLAG,         /* There or not. */
    KIND_TEXT,         /* const char * */
    KIND_SIZE,         /* uint64_t, bytes or a count */
    KIND_DRAW,         /* uint64_t, DRAW_* */
    KIND_RANGE,        /* struct range_list; may be repeated */
    KIND_PROPERTY,     /* K=V; may be repeated */
    KIND_POLICY,       /* uint64_t, SELSNAP_POLICY_* */
    KIND_UNDESIGNATED, /* uint64_t, SELSNAP_UNDESIGNATED_* */
    KIND_TIME,         /* int64_t, nanoseconds since 1970 */
    KIND_CHOICE,       /* struct choice, by text or by nothing; may be repeated */
    KIND_NUMBER,       /* struct choice, by the number of a partition; may be repeated */
};

struct option_row {
    const char *name;
    const char *value; /* What the help calls its value; NULL: it takes none. */
    const char *help;
    enum option_kind kind;
    char letter;  /* 0: none */
    size_t place; /* offsetof() in struct args. */
};

#define PLACE(member) offsetof(struct args, member)

static const struct option_row rows[OPT_COUNT] = {
    [OPT_STORE] = {"store", "FILE", "the store; or else $SELSNAP_STORE", KIND_TEXT, 's', PLACE(store)},
    [OPT_ORIGIN] = {"origin", "FILE", "the origin; or else $SELSNAP_ORIGIN, or else the path recorded by format",
                    KIND_TEXT, 'o', PLACE(origin)},
    [OPT_JSON] = {"json", NULL, "print JSON: results on stdout, errors on stderr", KIND_FLAG, 0, 0},
    [OPT_READ_ONLY] = {"read-only", NULL, "open for reading only, whatever the command", KIND_FLAG, 0, 0},
    [OPT_OTHER_ORIGIN] = {"other-origin", NULL, "accept an origin that is not the recorded one: a true copy of it",
                          KIND_FLAG, 0, 0},
    [OPT_ORIGIN_CHANGED] = {"origin-changed", NULL,
                            "accept that the origin was written without selsnap; snapshots show what was changed there",
                            KIND_FLAG, 0, 0},
    [OPT_MEMORY] = {"memory", "SIZE", "memory that may be used; 64M if not given", KIND_SIZE, 0, PLACE(memory)},
    [OPT_HELP] = {"help", NULL, "print this command's help", KIND_FLAG, 'h', 0},
    [OPT_BLOCK_SIZE] = {"block-size", "SIZE", "a power of two from 4K to 1M; 4K if not given", KIND_SIZE, 0,
                        PLACE(block_size)},
    [OPT_SIZE] = {"size", "SIZE", "make the store (or with --live, the origin) a (sparse) file of this size", KIND_SIZE,
                  0, PLACE(size)},
    [OPT_JOURNAL_SIZE] = {"journal-size", "SIZE", "64K to 1G; chosen by the store's size if not given", KIND_SIZE, 0,
                          PLACE(journal_size)},
    [OPT_FORCE] = {"force", NULL, "format even if it holds a store or other data, which is lost", KIND_FLAG, 0, 0},
    [OPT_SUBSET] = {"subset", "NAME", "the blocks of a saved subset", KIND_TEXT, 0, PLACE(subset)},
    [OPT_RANGE] = {"range", "OFF:LEN", "all blocks that this range of bytes touches; may be repeated", KIND_RANGE, 0,
                   PLACE(ranges)},
    [OPT_WHOLE] = {"whole", NULL, "the whole origin; so it is without --subset and --range", KIND_FLAG, 0, 0},
    [OPT_MINUS] = {"minus", "OFF:LEN", "but no block that lies wholly in this range; may be repeated", KIND_RANGE, 0,
                   PLACE(minus)},
    [OPT_POLICY] = {"policy", "fail|give-up",
                    "when the store has no room: fail the write (so if not given), or give up the block's old content",
                    KIND_POLICY, 0, PLACE(policy)},
    [OPT_PROPERTY] = {"property", "KEY=VALUE", "a note to keep with the snapshot; may be repeated", KIND_PROPERTY, 0,
                      0},
    [OPT_LIVE] = {"live", NULL, "the live device instead of a snapshot", KIND_FLAG, 0, 0},
    [OPT_OFFSET] = {"offset", "SIZE", "where to begin", KIND_SIZE, 0, PLACE(offset)},
    [OPT_LENGTH] = {"length", "SIZE", "how many bytes", KIND_SIZE, 0, PLACE(length)},
    [OPT_INPUT] = {"input", "FILE", "read from this file instead of stdin", KIND_TEXT, 0, PLACE(input)},
    [OPT_OUTPUT] = {"output", "FILE", "write to this file instead of stdout", KIND_TEXT, 0, PLACE(output)},
    [OPT_PRISTINE] = {"pristine", NULL, "as it was taken, without what was written into it", KIND_FLAG, 0, 0},
    [OPT_UNDESIGNATED] = {"undesignated", "error|zeros|live",
                          "what blocks that are not in the snapshot give; error if not given", KIND_UNDESIGNATED, 0,
                          PLACE(undesignated)},
    [OPT_SKIP_LOST] = {"skip-lost", NULL, "go on although blocks are lost; they stay as they are", KIND_FLAG, 0, 0},
    [OPT_NO_WAIT] = {"no-wait", NULL, "only begin; 'selsnap step' does the copying", KIND_FLAG, 0, 0},
    [OPT_BUDGET] = {"budget", "N", "about so many blocks or index entries a step; 4096 if not given", KIND_SIZE, 0,
                    PLACE(budget)},
    [OPT_ALL] = {"all", NULL, "go on until nothing is left to do", KIND_FLAG, 0, 0},
    [OPT_FROM] = {"from", "POSITION", "go on where a scrub before stopped, as it told", KIND_TEXT, 0, PLACE(from)},
    [OPT_DRAW] = {"draw", "table|plain|color",
                  "how to show it; if not given, a picture on a terminal (colors: unless $NO_COLOR), else the table",
                  KIND_DRAW, 0, PLACE(draw)},
    [OPT_AS_TAKEN] = {"as-taken", NULL,
                      "give up what was written into snapshots where it is not all known, instead of the snapshots",
                      KIND_FLAG, 0, 0},
    [OPT_BASE] = {"base", "NAME", "only what changed since this older snapshot", KIND_TEXT, 0, PLACE(base)},
    [OPT_AS_CHANGED] = {"as-changed", NULL, "with what was written into the snapshot, or the source", KIND_FLAG, 0, 0},
    [OPT_LEVEL] = {"level", "N", "zstd's, 1 to 19, or 0: do not compress; 3 if not given", KIND_SIZE, 0, PLACE(level)},
    [OPT_TOKEN] = {"token", "TEXT", "go on where a stream broke off, as the side that reads it told", KIND_TEXT, 0,
                   PLACE(token)},
    [OPT_NAME] = {"name", "NAME", "call the new snapshot so, and not as the stream says", KIND_TEXT, 0, PLACE(name)},
    [OPT_TO] = {"to", "FILE", "write to this device or image file, without a store", KIND_TEXT, 0, PLACE(to)},
    [OPT_STATE] = {"state", "FILE", "with --to: keeps what the device holds, for increments later", KIND_TEXT, 0,
                   PLACE(state)},
    [OPT_KEEP_PART] = {"keep-part", NULL, "if it breaks off, keep what has arrived, and tell the --token to go on with",
                       KIND_FLAG, 0, 0},
    [OPT_UNDO] = {"undo", NULL, "take back an import that was not finished", KIND_FLAG, 0, 0},
    [OPT_UNTIL] = {"until", "TIME", "a day or time in UTC (2030-01-31, 2030-01-31T12:00:00Z), 12h, 30d, 8w, or never",
                   KIND_TIME, 0, PLACE(until)},
    [OPT_REASON] = {"reason", "TEXT", "why it is held", KIND_TEXT, 0, PLACE(reason)},
    [OPT_LOCK] = {"lock", NULL, "nobody can release it before its end, nor make that earlier", KIND_FLAG, 0, 0},
    [OPT_HOLD] = {"hold", "NUMBER", "the hold to release, as 'holds' lists it", KIND_SIZE, 0, PLACE(hold)},
    [OPT_DRY_RUN] = {"dry-run", NULL, "change nothing; tell what would be deleted and freed, or saved", KIND_FLAG,
                     0, 0},
    [OPT_KEEP_LAST] = {"keep-last", "N", "keep the newest N", KIND_SIZE, 0, PLACE(keep_last)},
    [OPT_KEEP_HOURLY] = {"keep-hourly", "N", "keep the newest of each of N hours that have one", KIND_SIZE, 0,
                         PLACE(keep_hourly)},
    [OPT_KEEP_DAILY] = {"keep-daily", "N", "the same for days, in UTC", KIND_SIZE, 0, PLACE(keep_daily)},
    [OPT_KEEP_WEEKLY] = {"keep-weekly", "N", "the same for weeks, from Monday on", KIND_SIZE, 0, PLACE(keep_weekly)},
    [OPT_KEEP_MONTHLY] = {"keep-monthly", "N", "the same for months", KIND_SIZE, 0, PLACE(keep_monthly)},
    [OPT_KEEP_YEARLY] = {"keep-yearly", "N", "the same for years", KIND_SIZE, 0, PLACE(keep_yearly)},
    [OPT_PREFIX] = {"prefix", "TEXT", "let the rules look only at snapshots whose name begins so", KIND_TEXT, 0,
                    PLACE(prefix)},
    [OPT_BEFORE] = {"before", "COMMAND",
                    "run by the shell before, to bring the application to rest; if it fails, no "
                    "snapshot is made",
                    KIND_TEXT, 0, PLACE(before)},
    [OPT_AFTER] = {"after", "COMMAND", "run as soon as the application may go on, also if no snapshot is made",
                   KIND_TEXT, 0, PLACE(after)},
    [OPT_TIMEOUT] = {"timeout", "SECONDS", "give up if it is not the instant by then; 10 if not given", KIND_SIZE, 0,
                     PLACE(timeout)},
    [OPT_PROGRESS] = {"progress", NULL,
                      "tell how far it is in lines on stderr, also if that is no terminal; with --json as JSON",
                      KIND_FLAG, 0, 0},
    [OPT_CONTROL] = {"control", "SOCKET",
                     "of the server that has the store open; or else $SELSNAP_CONTROL, or else STORE.control",
                     KIND_TEXT, 0, PLACE(control)},
    [OPT_PARTITION] = {"partition", "N", "this partition of the origin; with --file, --in-use or --metadata, where these are", KIND_NUMBER, 0, 0},
    [OPT_FILE] = {"file", "PATH",
                  "content of this file, or of all in this folder, of an ext2, 3 or 4 file system; may be repeated",
                  KIND_CHOICE, 0, 0},
    [OPT_MOUNTED_FILE] = {"mounted-file", "PATH",
                          "content of this file of a mounted file system on the origin (ext2, 3, 4, XFS)",
                          KIND_CHOICE, 0, 0},
    [OPT_IN_USE] = {"in-use", NULL, "what that file system has in use", KIND_CHOICE, 0, 0},
    [OPT_METADATA] = {"metadata", NULL, "what that file system keeps beside the content of files", KIND_CHOICE, 0, 0},
    [OPT_MINUS_PARTITION] = {"minus-partition", "N", "but no block of this partition", KIND_NUMBER, 0,
                             0},
    [OPT_MINUS_FILE] = {"minus-file", "PATH", "but no block with content of this file, or of those in this folder",
                        KIND_CHOICE, 0, 0},
    [OPT_MINUS_MOUNTED_FILE] = {"minus-mounted-file", "PATH", "but no block with content of this mounted file",
                                KIND_CHOICE, 0, 0},
    [OPT_FS] = {"fs", "N", "the partition that the file system is on; if not given, the one --partition, or the whole origin", KIND_NUMBER, 0, 0},
    [OPT_UNSETTLED] = {"unsettled", NULL, "take a file system that is mounted as its maps are, though they may lag",
                       KIND_CHOICE, 0, 0},
    [OPT_SET] = {"set", "SIZE", "set the quota; 0: none", KIND_SIZE, 0, PLACE(set)},
};

/* In the masks of commands, what the options that choose blocks have in common stands for each of them. */
static uint64_t bit_of(int id) {
    return OPT_BIT(rows[id].kind == KIND_CHOICE || rows[id].kind == KIND_NUMBER ? (int)OPT_PARTITION : id);
}

void args_print_options(struct cli *cli, uint64_t options) {
    for (int id = 0; id < OPT_COUNT; id++) {
        const struct option_row *row = &rows[id];
        if ((options & bit_of(id)) == 0) {
            continue;
        }
        char left[64];
        char letter[8] = "    ";
        if (row->letter != 0) {
            snprintf(letter, sizeof(letter), "-%c, ", row->letter);
        }
        snprintf(left, sizeof(left), "%s--%s%s%s", letter, row->name, row->value == NULL ? "" : " ",
                 row->value == NULL ? "" : row->value);
        fprintf(cli->out, "  %-34s %s\n", left, row->help);
    }
}

bool args_about(uint64_t options, int id, struct option_about *ret_about) {
    if (id < 0 || id >= OPT_COUNT || (options & bit_of(id)) == 0) {
        return false;
    }
    ret_about->name = rows[id].name;
    ret_about->value = rows[id].value;
    ret_about->help = rows[id].help;
    ret_about->letter = rows[id].letter;
    return true;
}

static int add_range(struct cli *cli, const struct option_row *row, const char *text) {
    struct range_list *list = (struct range_list *)(void *)((char *)&cli->args + row->place);
    selsnap_range range;
    if (!range_parse(text, &range)) {
        return fail_usage(cli, "--%s '%s': not OFFSET:LENGTH, two sizes such as 1M:64K", row->name, text);
    }
    selsnap_range *grown = realloc(list->items, (list->count + 1) * sizeof(*grown));
    if (grown == NULL) {
        return fail(cli, SELSNAP_ENOMEM, "--%s", row->name);
    }
    list->items = grown;
    list->items[list->count++] = range;
    return CLI_OK;
}

static int add_property(struct cli *cli, const char *text) {
    struct args *args = &cli->args;
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        return fail_usage(cli, "--property '%s': not KEY=VALUE", text);
    }
    selsnap_property *grown = realloc(args->properties, (args->property_count + 1) * sizeof(*grown));
    if (grown == NULL) {
        return fail(cli, SELSNAP_ENOMEM, "--property");
    }
    args->properties = grown;
    size_t key_len = (size_t)(equals - text);
    char *key = calloc(1, key_len + 1);
    if (key == NULL) {
        return fail(cli, SELSNAP_ENOMEM, "--property");
    }
    memcpy(key, text, key_len);
    args->properties[args->property_count].key = key;
    args->properties[args->property_count].value = equals + 1;
    args->property_count++;
    return CLI_OK;
}

static int add_choice(struct cli *cli, enum option_id id, const char *text) {
    struct args *args = &cli->args;
    struct choice choice = {(int)id, text, 0};
    if (rows[id].kind == KIND_NUMBER &&
        (!size_parse(text, &choice.number) || choice.number == 0 || choice.number > UINT32_MAX)) {
        return fail_usage(cli, "--%s '%s': not the number of a partition", rows[id].name, text);
    }
    struct choice *grown = realloc(args->choices, (args->choice_count + 1) * sizeof(*grown));
    if (grown == NULL) {
        return fail(cli, SELSNAP_ENOMEM, "--%s", rows[id].name);
    }
    args->choices = grown;
    args->choices[args->choice_count++] = choice;
    return CLI_OK;
}

/* The place of @p text among words that are separated by bars, or -1. */
static int word_index(const char *words, const char *text) {
    size_t len = strlen(text);
    int index = 0;
    for (const char *word = words; word != NULL; index++) {
        const char *bar = strchr(word, '|');
        size_t word_len = bar == NULL ? strlen(word) : (size_t)(bar - word);
        if (word_len == len && memcmp(word, text, len) == 0) {
            return index;
        }
        word = bar == NULL ? NULL : bar + 1;
    }
    return -1;
}

/* Option @p row takes one of @p count words, which stand for @p values. */
static int take_choice(struct cli *cli, const struct option_row *row, const char *text, const uint64_t *values,
                       int count) {
    int index = word_index(row->value, text);
    if (index < 0 || index >= count) {
        return fail_usage(cli, "--%s '%s': not one of %s", row->name, text, row->value);
    }
    uint64_t *place = (uint64_t *)(void *)((char *)&cli->args + row->place);
    *place = values[index];
    return CLI_OK;
}

static int take_value(struct cli *cli, const struct option_row *row, const char *text) {
    static const uint64_t draws[] = {DRAW_TABLE, DRAW_PLAIN, DRAW_COLOR};
    static const uint64_t policies[] = {SELSNAP_POLICY_FAIL_WRITE, SELSNAP_POLICY_GIVE_UP_BLOCK};
    static const uint64_t answers[] = {SELSNAP_UNDESIGNATED_ERROR, SELSNAP_UNDESIGNATED_ZEROS,
                                       SELSNAP_UNDESIGNATED_LIVE};
    void *place = (char *)&cli->args + row->place;
    int result = CLI_OK;
    switch (row->kind) {
    case KIND_FLAG:
        break;
    case KIND_TEXT:
        *(const char **)place = text;
        break;
    case KIND_SIZE:
        if (!size_parse(text, place)) {
            result = fail_usage(cli, "--%s '%s': not a size such as 4096, 0x1000, 64K, 10M, 2G or 1T", row->name, text);
        }
        break;
    case KIND_DRAW:
        result = take_choice(cli, row, text, draws, 3);
        break;
    case KIND_TIME:
        if (!time_parse(text, place)) {
            result = fail_usage(cli, "--%s '%s': not a time such as 2030-01-31, 2030-01-31T12:00:00Z, 30d or never",
                                row->name, text);
        }
        break;
    case KIND_RANGE:
        result = add_range(cli, row, text);
        break;
    case KIND_PROPERTY:
        result = add_property(cli, text);
        break;
    case KIND_POLICY:
        result = take_choice(cli, row, text, policies, 2);
        break;
    case KIND_CHOICE:
    case KIND_NUMBER:
        result = add_choice(cli, (enum option_id)(row - rows), text);
        break;
    case KIND_UNDESIGNATED:
        result = take_choice(cli, row, text, answers, 3);
        break;
    }
    return result;
}

static bool repeatable(enum option_kind kind) {
    return kind == KIND_RANGE || kind == KIND_PROPERTY || kind == KIND_FLAG || kind == KIND_CHOICE || kind == KIND_NUMBER;
}

static int take_option(struct cli *cli, enum option_id id, const char *text) {
    const struct option_row *row = &rows[id];
    if ((cli->args.given & bit_of((int)id)) != 0 && !repeatable(row->kind)) {
        return fail_usage(cli, "--%s is given twice", row->name);
    }
    cli->args.given |= bit_of((int)id);
    return take_value(cli, row, text);
}

/* What getopt_long calls an option that it does not take, or whose value is missing. */
static int refuse(struct cli *cli, int found, char *const *argv) {
    const char *word = argv[optind - 1];
    if (found == ':') {
        return fail_usage(cli, "%s needs a value", word);
    }
    if (optopt != 0 && optopt < 256 && strncmp(word, "--", 2) != 0) {
        return fail_usage(cli, "unknown option -%c", optopt);
    }
    return fail_usage(cli, "unknown option %s", word);
}

static int count_words(struct cli *cli) {
    const struct command *command = cli->command;
    const struct args *args = &cli->args;
    /* --live stands for the name of a snapshot, where there can be one. */
    int live = args_given(args, OPT_LIVE) && command->words_max > 0 ? 1 : 0;
    if (args->name_count + live > command->words_max) {
        if (live != 0) {
            return fail_usage(cli, "--live and '%s' exclude each other", args->names[0]);
        }
        return fail_usage(cli, "'%s' is one word too many", args->names[command->words_max]);
    }
    if (args->name_count + live < command->words_min) {
        return fail_usage(cli, "needs %s", command->words);
    }
    return CLI_OK;
}

/* getopt_long keeps its place in variables of its own, so one command line is read at a time. */
static pthread_mutex_t getopt_lock = PTHREAD_MUTEX_INITIALIZER;

static int parse(struct cli *cli, int argc, char **argv) {
    struct option options[OPT_COUNT + 1];
    char letters[2 * OPT_COUNT + 3] = ":";
    size_t letter_count = 1;
    int count = 0;
    memset(options, 0, sizeof(options));
    for (int id = 0; id < OPT_COUNT; id++) {
        if ((cli->command->options & bit_of(id)) == 0) {
            continue;
        }
        options[count].name = rows[id].name;
        options[count].has_arg = rows[id].value == NULL ? no_argument : required_argument;
        options[count].val = 256 + id;
        count++;
        if (rows[id].letter != 0) {
            letters[letter_count++] = rows[id].letter;
            if (rows[id].value != NULL) {
                letters[letter_count++] = ':';
            }
        }
    }
    letters[letter_count] = '\0';
    opterr = 0;
    optind = 0; /* from the beginning, also the second time */
    int found;
    while ((found = getopt_long(argc, argv, letters, options, NULL)) != -1) {
        int id = found - 256;
        for (int row = 0; found < 256 && row < OPT_COUNT; row++) {
            if (rows[row].letter == found) {
                id = row;
            }
        }
        int result = id < 0 ? refuse(cli, found, argv) : take_option(cli, (enum option_id)id, optarg);
        if (result != CLI_OK) {
            return result;
        }
    }
    cli->args.names = argv + optind;
    cli->args.name_count = argc - optind;
    return args_given(&cli->args, OPT_HELP) ? CLI_OK : count_words(cli);
}

int args_parse(struct cli *cli, int argc, char **argv) {
    pthread_mutex_lock(&getopt_lock);
    int result = parse(cli, argc, argv);
    pthread_mutex_unlock(&getopt_lock);
    return result;
}

void args_free(struct args *args) {
    for (uint32_t i = 0; i < args->property_count; i++) {
        /* Made by strndup in add_property. */
        free((void *)(uintptr_t)args->properties[i].key);
    }
    free(args->properties);
    free(args->ranges.items);
    free(args->minus.items);
    free(args->choices);
}
