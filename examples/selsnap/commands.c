/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of commands, the help, and the one place where a run begins and ends: in the tool's own process, or in a
 * server that has the store open.
 */
#include "cli.h"
#include "system.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COMMON                                                                               \
    (OPT_BIT(OPT_STORE) | OPT_BIT(OPT_ORIGIN) | OPT_BIT(OPT_JSON) | OPT_BIT(OPT_READ_ONLY) | \
     OPT_BIT(OPT_OTHER_ORIGIN) | OPT_BIT(OPT_ORIGIN_CHANGED) | OPT_BIT(OPT_MEMORY) | OPT_BIT(OPT_HELP) | OPT_BIT(OPT_CONTROL))
#define FORMAT_OPTIONS                                                                                            \
    (OPT_BIT(OPT_STORE) | OPT_BIT(OPT_ORIGIN) | OPT_BIT(OPT_JSON) | OPT_BIT(OPT_HELP) | OPT_BIT(OPT_BLOCK_SIZE) | \
     OPT_BIT(OPT_SIZE) | OPT_BIT(OPT_JOURNAL_SIZE) | OPT_BIT(OPT_FORCE))
#define REPAIR_OPTIONS                                                                                         \
    ((COMMON & ~OPT_BIT(OPT_READ_ONLY) & ~OPT_BIT(OPT_CONTROL)) | OPT_BIT(OPT_SIZE) | OPT_BIT(OPT_JOURNAL_SIZE) | OPT_BIT(OPT_FORCE) | \
     OPT_BIT(OPT_AS_TAKEN) | OPT_BIT(OPT_PROGRESS))
#define SUBSET_OPTIONS \
    (OPT_BIT(OPT_SUBSET) | OPT_BIT(OPT_RANGE) | OPT_BIT(OPT_WHOLE) | OPT_BIT(OPT_MINUS) | OPT_BIT(OPT_PARTITION))
#define PAIR_OPTIONS (OPT_BIT(OPT_STORE) | OPT_BIT(OPT_ORIGIN) | OPT_BIT(OPT_CONTROL))
#define STREAMS_MAX 10000
#define PLACE_OPTIONS (OPT_BIT(OPT_LIVE) | OPT_BIT(OPT_OFFSET) | OPT_BIT(OPT_LENGTH))

static const struct command commands[] = {
    {"format", "", 0, 0, FORMAT_OPTIONS, cmd_format, "make an empty store for an origin",
     "The origin's path is recorded, so that later commands find it without -o.", true},
    {"subset save", "NAME", 1, 1, COMMON | SUBSET_OPTIONS | OPT_BIT(OPT_DRY_RUN), cmd_subset_save, "save a set of blocks under a name",
     "What is added is rounded outward to blocks. An old subset of that name loses it; its snapshots stay.\n"
     "With --dry-run: tell which blocks it would have, and save nothing.", false},
    {"subset list", "", 0, 0, COMMON, cmd_subset_list, "list the saved subsets", "", false},
    {"subset show", "NAME", 1, 1, COMMON, cmd_subset_show, "print a saved subset's ranges", "", false},
    {"subset delete", "NAME", 1, 1, COMMON, cmd_subset_delete, "forget a saved subset; its snapshots stay", "", false},
    {"create", "NAME", 1, 1, COMMON | SUBSET_OPTIONS | OPT_BIT(OPT_POLICY) | OPT_BIT(OPT_PROPERTY), cmd_create,
     "make a snapshot of some blocks, or of all", "Without options that choose blocks, or only with such that leave some out: the whole origin.\n"
     "Files are looked for as the origin is now; a mounted file system is frozen first (fsfreeze), or asked itself.", false},
    {"bookmark", "NAME", 1, 1, COMMON | SUBSET_OPTIONS | OPT_BIT(OPT_PROPERTY), cmd_bookmark,
     "turn a snapshot into a bookmark, or make a new one",
     "A bookmark records which blocks change, for 'diff', and keeps no data. A snapshot that becomes one loses its data.\n"
     "With --whole, --subset, --range or --minus: a new bookmark of these blocks.", false},
    {"diff", "FROM [TO]", 1, 2, COMMON | OPT_BIT(OPT_RANGE), cmd_diff,
     "list what changed between two snapshots, or up to now",
     "FROM and TO are snapshots or bookmarks, FROM the older one; without TO: up to now.\n"
     "changed: may differ; lost: differs, and TO has lost it; unknown: FROM does not follow these blocks.\n"
     "Blocks in none of the ranges are the same. With --range, only blocks in these ranges.", false},
    {"clone", "SOURCE NAME", 2, 2, COMMON | OPT_BIT(OPT_POLICY) | OPT_BIT(OPT_PROPERTY) | OPT_BIT(OPT_AS_CHANGED),
     cmd_clone, "make a snapshot of the same time and blocks as another", "", false},
    {"list", "", 0, 0, COMMON, cmd_list, "list the snapshots", "", false},
    {"show", "NAME", 1, 1, COMMON, cmd_show, "all about one snapshot: space, notes, ranges", "", false},
    {"read", "NAME|--live", 1, 1,
     COMMON | PLACE_OPTIONS | OPT_BIT(OPT_OUTPUT) | OPT_BIT(OPT_PRISTINE) | OPT_BIT(OPT_UNDESIGNATED), cmd_read,
     "read from a snapshot, or from the live device", "--offset is 0 and --length all the rest, if not given.", false},
    {"write", "NAME|--live", 1, 1, COMMON | PLACE_OPTIONS | OPT_BIT(OPT_INPUT), cmd_write,
     "write into a snapshot, or to the live device",
     "Writes all of its input, or --length bytes of it. Needs --offset.", false},
    {"zero", "NAME|--live", 1, 1, COMMON | PLACE_OPTIONS, cmd_zero, "fill with zeros, as a write does",
     "Needs --offset and --length.", false},
    {"discard", "NAME|--live", 1, 1, COMMON | PLACE_OPTIONS, cmd_discard, "tell that a range is not needed any more",
     "On the live device, blocks that snapshots need stay as they are; what the others read afterwards is open.\n"
     "In a snapshot, the range reads as zeros. Needs --offset and --length.", false},
    {"apply", "FILE", 1, 1, COMMON | OPT_BIT(OPT_PROGRESS), cmd_apply, "make the live device like a file, by writing only blocks that differ",
     "FILE begins at byte 0 of the device and may be shorter; the rest of the device is left alone.", false},
    {"restore", "NAME", 1, 1, COMMON | OPT_BIT(OPT_RANGE) | OPT_BIT(OPT_SKIP_LOST) | OPT_BIT(OPT_NO_WAIT) |
         OPT_BIT(OPT_PROGRESS),
     cmd_restore,
     "bring the live device's blocks back to a snapshot",
     "To undo a restore, make a snapshot before it, and restore "
     "that.", false},
    {"reset", "NAME", 1, 1, COMMON, cmd_reset, "drop what was written into a snapshot", "", false},
    {"rename", "NAME NEW", 2, 2, COMMON, cmd_rename, "give a snapshot another name", "", false},
    {"hold", "NAME", 1, 1, COMMON | OPT_BIT(OPT_UNTIL) | OPT_BIT(OPT_REASON) | OPT_BIT(OPT_LOCK), cmd_hold,
     "keep a snapshot from being deleted; holds add up",
     "With --until, --reason or --lock the hold has a number, which 'holds' lists and 'release --hold' takes.\n"
     "A lock goes by this host's clock; it does not guard the store against being formatted.", false},
    {"holds", "NAME", 1, 1, COMMON, cmd_holds, "list a snapshot's holds that have a number", "", false},
    {"release", "NAME", 1, 1, COMMON | OPT_BIT(OPT_HOLD), cmd_release, "take one hold back",
     "Without --hold: one of those that have no number.", false},
    {"delete", "NAME", 1, 1, COMMON | OPT_BIT(OPT_DRY_RUN), cmd_delete,
     "delete a snapshot; 'step' gives its space back", "", false},
    {"expire", "[NAME]", 0, 1,
     COMMON | OPT_BIT(OPT_UNTIL) | OPT_BIT(OPT_DRY_RUN) | OPT_KEEP_BITS | OPT_BIT(OPT_PREFIX) | OPT_BIT(OPT_SUBSET),
     cmd_expire, "delete what has expired, or what no rule keeps",
     "With NAME and --until: note when that snapshot expires. Without: delete all that have expired, and with\n"
     "--keep options also those that none of them keeps. What is held or in use stays.", false},
    {"group create", "NAME STORE...", 2, 1 + (int)SELSNAP_GROUP_MEMBERS_MAX,
     (COMMON & ~PAIR_OPTIONS) | OPT_BIT(OPT_SUBSET) | OPT_BIT(OPT_POLICY) | OPT_BIT(OPT_PROPERTY) |
         OPT_BIT(OPT_BEFORE) | OPT_BIT(OPT_AFTER) | OPT_BIT(OPT_TIMEOUT),
     cmd_group_create, "make a snapshot in each of several stores, all of one instant",
     "Each is called NAME, and so is the group. STORE=ORIGIN says where a store's origin is, if not as recorded.\n"
     "The commands find the group's name in $SELSNAP_GROUP, and that of --after what became of it in $SELSNAP_RESULT\n"
     "(SELSNAP_OK, or an error's name).", true},
    {"group list", "STORE...", 1, (int)SELSNAP_GROUP_MEMBERS_MAX, COMMON & ~PAIR_OPTIONS, cmd_group_list,
     "list the groups that snapshots in these stores belong to",
     "A group is incomplete when not all its members are in these stores: it met a crash, or some were deleted.", true},
    {"group check", "STORE...", 1, (int)SELSNAP_GROUP_MEMBERS_MAX, COMMON & ~PAIR_OPTIONS, cmd_group_check,
     "the same; the exit code tells if one is incomplete", "Exit code 3: a group is incomplete.", true},
    {"quota", "[NAME]", 0, 1, COMMON | OPT_BIT(OPT_SET), cmd_quota, "bound what the store, or a snapshot, may take",
     "Without NAME: of all that is in use in the store; where it leaves no room, the store counts as full.\n"
     "With NAME: of what is written into that snapshot; more is refused. Without --set: tell what is set, and taken.", false},
    {"step", "", 0, 0, COMMON | OPT_BIT(OPT_BUDGET) | OPT_BIT(OPT_ALL) | OPT_BIT(OPT_PROGRESS), cmd_step,
     "do a piece of the work that waits: restores, space of deleted snapshots", "", false},
    {"check", "", 0, 0, COMMON | OPT_BIT(OPT_PROGRESS), cmd_check, "verify all metadata and all preserved data", "Exit code 3: damage found.", false},
    {"scrub", "", 0, 0, COMMON | OPT_BIT(OPT_LENGTH) | OPT_BIT(OPT_FROM) | OPT_BIT(OPT_PROGRESS), cmd_scrub,
     "verify preserved data, all of it or some at a time",
     "With --length it stops after about so many bytes, and tells where; --from goes on there.\n"
     "Exit code 3: damage found.", false},
    {"repair", "NEW", 1, 1, REPAIR_OPTIONS, cmd_repair, "bring what is sound of a damaged store into a new one",
     "The damaged store is only read. What is lost is told; no block of the new store is wrong.\n"
     "Exit code 3: something is lost.", true},
    {"grow", "", 0, 0, COMMON | OPT_BIT(OPT_SIZE) | OPT_BIT(OPT_LIVE), cmd_grow,
     "give the store more room, or make the live device longer",
     "With --size, a file becomes so long. Without: the store takes all of its file or block device, which was made\n"
     "longer before. It does not become shorter. Works on a full store.\n"
     "With --live, the same for the origin; snapshots keep the size that it had when they were made.", false},
    {"shrink", "", 0, 0, COMMON | OPT_BIT(OPT_SIZE), cmd_shrink, "make the live device shorter",
     "To --size bytes. Snapshots keep the size that it had when they were made, and must share no block behind the new\n"
     "end with it: 'zero --live' there preserves what they need. Its file or block device is left as it is, and may be\n"
     "made shorter afterwards.", false},
    {"dump", "", 0, 0, COMMON, cmd_dump, "print all metadata as text", "", false},
    {"map", "[NAME]", 0, 1, COMMON | OPT_BIT(OPT_DRAW), cmd_map, "show which blocks the snapshots hold, and in what state",
     "On a terminal a picture, each character a share of the device, the gravest state winning; elsewhere a table in\n"
     "bytes. --json lists every range.", false},
    {"report", "", 0, 0, (COMMON & ~OPT_BIT(OPT_JSON)) | OPT_BIT(OPT_PROGRESS), cmd_report,
     "print all that a person wants to know as one HTML page",
     "One file that needs nothing else: store, subsets, snapshots, maps and a time line. selsnap report >report.html", false},
    {"export", "NAME", 1, 1,
     COMMON | SUBSET_OPTIONS | OPT_BIT(OPT_OUTPUT) | OPT_BIT(OPT_BASE) | OPT_BIT(OPT_AS_CHANGED) |
         OPT_BIT(OPT_SKIP_LOST) | OPT_BIT(OPT_LEVEL) | OPT_BIT(OPT_TOKEN) | OPT_BIT(OPT_PROGRESS),
     cmd_export, "write a snapshot, or what changed since another, as a stream",
     "To stdout, without --output. With --subset, --range or --minus only these blocks of it; an increment needs the\n"
     "same as its base.", false},
    {"verify", "FILE...", 1, STREAMS_MAX, OPT_BIT(OPT_JSON) | OPT_BIT(OPT_HELP) | OPT_BIT(OPT_PROGRESS), cmd_verify,
     "read streams and verify all of them", "FILE may be - for stdin. Nothing is written.", true},
    {"import", "FILE...", 0, STREAMS_MAX,
     COMMON | OPT_BIT(OPT_NAME) | OPT_BIT(OPT_POLICY) | OPT_BIT(OPT_SKIP_LOST) | OPT_BIT(OPT_KEEP_PART) |
         OPT_BIT(OPT_UNDO) | OPT_BIT(OPT_TO) | OPT_BIT(OPT_STATE) | OPT_BIT(OPT_TOKEN) | OPT_BIT(OPT_FORCE) |
         OPT_BIT(OPT_PROGRESS),
     cmd_import, "bring streams into a store as snapshots, or to a device",
     "FILE may be - for stdin; a full stream and its increments, in their order. Into a store: its origin is where\n"
     "the backups are kept. With --to: onto a device or image file, which is made if it is not there.", false},
    {"info", "", 0, 0, COMMON, cmd_info, "figures of the store", "", false},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

const struct command *command_row(size_t index) {
    return index < COMMAND_COUNT ? &commands[index] : NULL;
}

static const char *const exit_codes = "exit codes:\n"
                                      "  0  done\n"
                                      "  1  the operation failed\n"
                                      "  2  the command line is wrong\n"
                                      "  3  check or scrub found damage, repair lost something, or a group is incomplete\n"
                                      "  4  no such snapshot, subset or file\n";

static void print_help(struct cli *cli) {
    fprintf(cli->out,
            "usage: selsnap COMMAND -s STORE [-o ORIGIN] [options]\n\n"
            "Selective block snapshots of a device or an image file. From the first snapshot on, write to the origin\n"
            "through selsnap only.\n\ncommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof(left), "%s %s", commands[i].name, commands[i].words);
        fprintf(cli->out, "  %-27s %s\n", left, commands[i].summary);
    }
    fprintf(cli->out, "  %-27s %s\n", "help [COMMAND]", "print this, or one command's options");
    fprintf(cli->out, "  %-27s %s\n", "version", "print the version");
    fprintf(cli->out, "  %-27s %s\n", "complete [WORD...]", "tell what may stand where the last word is: for shells");
    fprintf(cli->out, "\noptions of all commands:\n");
    args_print_options(cli, COMMON);
    fprintf(
        cli->out,
        "\nSizes are bytes, in decimal or hex (0x1000), and may end in K, M, G or T, which are powers of 1024.\n\n%s",
        exit_codes);
}

static void print_command_help(struct cli *cli, const struct command *command) {
    fprintf(cli->out, "usage: selsnap %s %s%s[options]\n\n%s\n", command->name, command->words,
            command->words[0] == '\0' ? "" : " ", command->summary);
    if (command->details[0] != '\0') {
        fprintf(cli->out, "%s\n", command->details);
    }
    fprintf(cli->out, "\noptions:\n");
    args_print_options(cli, command->options);
    fprintf(cli->out, "\n%s", exit_codes);
}

static int print_version(struct cli *cli) {
    if (cli->json) {
        return json_emit(
            cli, json_pack("{s:s, s:s}", "version", SELSNAP_VERSION_STRING, "library", selsnap_version_string()));
    }
    fprintf(cli->out, "selsnap %s (library %s)\n", SELSNAP_VERSION_STRING, selsnap_version_string());
    return CLI_OK;
}

/* The command that argv[0] and perhaps argv[1] name. @p ret_words tells how many of them belong to it. */
static const struct command *find_command(int argc, char **argv, int *ret_words) {
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const char *name = commands[i].name;
        const char *space = strchr(name, ' ');
        if (space == NULL && argc >= 1 && strcmp(argv[0], name) == 0) {
            *ret_words = 1;
            return &commands[i];
        }
        if (space != NULL && argc >= 2 && strncmp(argv[0], name, (size_t)(space - name)) == 0 &&
            argv[0][space - name] == '\0' && strcmp(argv[1], space + 1) == 0) {
            *ret_words = 2;
            return &commands[i];
        }
    }
    return NULL;
}

/* help, version, and what is not a command at all. @p argv follows the program's name. */
static int run_other(struct cli *cli, int argc, char **argv) {
    const char *word = argc > 0 ? argv[0] : "";
    int words = 0;
    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        const struct command *about = find_command(argc - 1, argv + 1, &words);
        if (about != NULL) {
            print_command_help(cli, about);
            return CLI_OK;
        }
        if (argc > 1 && strcmp(argv[1], "subset") != 0 && strcmp(argv[1], "group") != 0) {
            return fail_usage(cli, "no command '%s'", argv[1]);
        }
        print_help(cli);
        return CLI_OK;
    }
    if (strcmp(word, "complete") == 0) {
        return complete(cli, argc - 1, argv + 1);
    }
    if (strcmp(word, "version") == 0 || strcmp(word, "--version") == 0) {
        return print_version(cli);
    }
    if (argc == 0) {
        return fail_usage(cli, "no command given");
    }
    if (strcmp(word, "subset") == 0) {
        return fail_usage(cli, "subset: one of save, list, show and delete comes next");
    }
    if (strcmp(word, "group") == 0) {
        return fail_usage(cli, "group: one of create, list and check comes next");
    }
    return fail_usage(cli, "no command '%s'", word);
}

/* @p argv begins with the command's words, @p words of them. */
static int run_command(struct cli *cli, int words, int argc, char **argv) {
    if (cli->served != NULL && cli->command->alone) {
        return fail_usage(cli, "a server cannot run it: it opens what it needs itself");
    }
    cli->args.policy = cli->served != NULL ? cli->served->policy : SELSNAP_POLICY_FAIL_WRITE;
    /* getopt_long passes over the first word it is given: the last one of the command. */
    int result = args_parse(cli, argc - words + 1, argv + words - 1);
    if (result != CLI_OK) {
        return result;
    }
    if (args_given(&cli->args, OPT_HELP)) {
        print_command_help(cli, cli->command);
        return CLI_OK;
    }
    if (cli->served == NULL) {
        interrupt_catch();
        if (control_run(cli, words, argc, argv, &result)) {
            return result;
        }
    }
    return session_close(cli, cli->command->run(cli));
}

void cli_init(struct cli *cli) {
    memset(cli, 0, sizeof(*cli));
    cli->out = stdout;
    cli->err = stderr;
    cli->in_fd = STDIN_FILENO;
    cli->out_fd = STDOUT_FILENO;
    cli->err_fd = STDERR_FILENO;
    cli->folder = system_here();
}

int cli_run(struct cli *cli, int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        /* Known before the options are read, so that errors in them are reported as asked. */
        if (strcmp(argv[i], "--json") == 0) {
            cli->json = true;
        }
    }
    int words = 0;
    int result = CLI_OK;
    cli->command = argc > 0 ? find_command(argc, argv, &words) : NULL;
    if (cli->command == NULL) {
        result = run_other(cli, argc, argv);
    } else {
        result = run_command(cli, words, argc, argv);
    }
    args_free(&cli->args);
    if ((fflush(cli->out) != 0 || ferror(cli->out)) && result == CLI_OK) {
        result = fail_with(cli, SELSNAP_EIO, "cannot be written", "stdout");
    }
    return result;
}
