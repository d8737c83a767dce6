/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command-line tool's own parts: what each command is given, and the few helpers they share. The tool stands on
 * the public API alone.
 *
 * A command is a function of one struct cli. It returns an exit code, having reported any failure itself; main() closes
 * the context and the devices whatever happened.
 */
#ifndef SELSNAP_CLI_H
#define SELSNAP_CLI_H

#include <jansson.h>
#include <pthread.h>
#include <selsnap/selsnap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes; part of the tool's interface, told by --help. */
#define CLI_OK 0        /* Done. */
#define CLI_FAILED 1    /* The operation failed. */
#define CLI_USAGE 2     /* The command line is wrong; nothing was opened. */
#define CLI_DAMAGE 3    /* check or scrub found damage, repair lost something, or a group is incomplete. */
#define CLI_NOT_FOUND 4 /* No such snapshot, subset or file. */

/* How much is read and written at a time. A multiple of every block size. */
#define CLI_CHUNK ((size_t)1 << 20)

/* How a map is shown; the order is that of the words of --draw. */
#define DRAW_TABLE 0u
#define DRAW_PLAIN 1u
#define DRAW_COLOR 2u

/* Growing list of byte ranges. */
struct range_list {
    selsnap_range *items;
    size_t count;
};

/* One of OPT_PARTITION to OPT_UNSETTLED, and what came with it. */
struct choice {
    int option;
    const char *text; /* NULL: it takes none. */
    uint64_t number;  /* Of a partition. */
};

/* What the command line said. Text points into argv. */
struct args {
    uint64_t given; /* Bits of enum option_id: which options were there. */
    const char *store;
    const char *origin;
    const char *subset;
    const char *input;
    const char *output;
    const char *from;
    const char *base;
    const char *token;
    const char *name;
    const char *to;
    const char *state;
    uint64_t level;
    uint64_t policy;       /* SELSNAP_POLICY_* */
    uint64_t undesignated; /* SELSNAP_UNDESIGNATED_* */
    uint64_t draw;         /* DRAW_* */
    uint64_t block_size;
    uint64_t size;
    uint64_t journal_size;
    uint64_t memory;
    uint64_t offset;
    uint64_t length;
    uint64_t budget;
    int64_t until; /* Nanoseconds since 1970; 0: never. */
    const char *reason;
    const char *control;
    const char *prefix;
    uint64_t hold;
    uint64_t set;
    const char *before;
    const char *after;
    uint64_t timeout; /* Seconds. */
    uint64_t keep_last;
    uint64_t keep_hourly;
    uint64_t keep_daily;
    uint64_t keep_weekly;
    uint64_t keep_monthly;
    uint64_t keep_yearly;
    struct range_list ranges;
    struct range_list minus;
    struct choice *choices; /* In their order. */
    size_t choice_count;
    selsnap_property *properties; /* Keys are copies, values point into argv. */
    uint32_t property_count;
    char **names; /* The words that are not options. */
    int name_count;
};

/* The order is that of the help text. */
enum option_id {
    OPT_STORE,
    OPT_ORIGIN,
    OPT_JSON,
    OPT_READ_ONLY,
    OPT_OTHER_ORIGIN,
    OPT_ORIGIN_CHANGED,
    OPT_MEMORY,
    OPT_HELP,
    OPT_BLOCK_SIZE,
    OPT_SIZE,
    OPT_JOURNAL_SIZE,
    OPT_FORCE,
    OPT_SUBSET,
    OPT_RANGE,
    OPT_WHOLE,
    OPT_MINUS,
    OPT_POLICY,
    OPT_PROPERTY,
    OPT_LIVE,
    OPT_OFFSET,
    OPT_LENGTH,
    OPT_INPUT,
    OPT_OUTPUT,
    OPT_PRISTINE,
    OPT_UNDESIGNATED,
    OPT_SKIP_LOST,
    OPT_NO_WAIT,
    OPT_BUDGET,
    OPT_ALL,
    OPT_FROM,
    OPT_DRAW,
    OPT_AS_TAKEN,
    OPT_BASE,
    OPT_AS_CHANGED,
    OPT_LEVEL,
    OPT_TOKEN,
    OPT_NAME,
    OPT_TO,
    OPT_STATE,
    OPT_KEEP_PART,
    OPT_UNDO,
    OPT_UNTIL,
    OPT_REASON,
    OPT_LOCK,
    OPT_HOLD,
    OPT_DRY_RUN,
    OPT_KEEP_LAST,
    OPT_KEEP_HOURLY,
    OPT_KEEP_DAILY,
    OPT_KEEP_WEEKLY,
    OPT_KEEP_MONTHLY,
    OPT_KEEP_YEARLY,
    OPT_PREFIX,
    OPT_SET,
    OPT_BEFORE,
    OPT_AFTER,
    OPT_TIMEOUT,
    OPT_PROGRESS,
    OPT_CONTROL,
    OPT_PARTITION, /* Its bit is that of all the following. */
    OPT_FILE,
    OPT_MOUNTED_FILE,
    OPT_IN_USE,
    OPT_METADATA,
    OPT_MINUS_PARTITION,
    OPT_MINUS_FILE,
    OPT_MINUS_MOUNTED_FILE,
    OPT_FS,
    OPT_UNSETTLED,
    OPT_COUNT
};
#define OPT_BIT(id) (UINT64_C(1) << (id))
#define OPT_KEEP_BITS                                                                                         \
    (OPT_BIT(OPT_KEEP_LAST) | OPT_BIT(OPT_KEEP_HOURLY) | OPT_BIT(OPT_KEEP_DAILY) | OPT_BIT(OPT_KEEP_WEEKLY) | \
     OPT_BIT(OPT_KEEP_MONTHLY) | OPT_BIT(OPT_KEEP_YEARLY))

struct cli;

/* commands.c */
/* A cli at its beginning, with the process's own places to read and write. */
void cli_init(struct cli *cli);
/* The rows of the table of commands, in their order. NULL behind the last. */
const struct command *command_row(size_t index);
/* Run what the words say: from the command on, without the program's name. Returns an exit code, when all is written. */
int cli_run(struct cli *cli, int argc, char **argv);

/* One row of the table of commands. */
struct command {
    const char *name;  /* "create", or two words: "subset save". */
    const char *words; /* What the help calls the words after it: "NAME". */
    int words_min;
    int words_max;
    uint64_t options; /* OPT_BIT() of those it knows. */
    int (*run)(struct cli *cli);
    const char *summary; /* One line. */
    const char *details; /* The rest of its help, or "". */
    bool alone;          /* It needs no context, or opens what it needs itself: no server can run it. */
};

/* What happened during the work that is told once, at the end. */
struct happenings {
    uint64_t lost_bytes;
    uint64_t unreadable_bytes;
    int64_t filled_percent;
    int64_t quota_percent; /* Of a snapshot's, by what was written into it. */
    bool frees_above_quota;
    bool store_failed;
};

/* What a server gives to the commands that it runs on the context that it has open. */
struct served {
    selsnap *ss;
    const char *store_name;
    const char *origin_name;
    pthread_mutex_t *restoring; /* Held by the one who advances restores: their errors are told to him only. */
    uint32_t policy;            /* SELSNAP_POLICY_* of new snapshots, where the command says nothing. */
    bool (*stop)(void *user);   /* Whether the command is to end early. */
    void *stop_user;
};

/* One run of the tool. */
struct cli {
    const struct command *command; /* NULL until it is known. */
    struct args args;
    bool json;
    FILE *out;
    FILE *err;
    int in_fd;
    int out_fd;                  /* What out writes to, for data. */
    int err_fd;                  /* What err writes to. */
    int folder;                  /* Relative paths begin there: system_here(), or an open folder. */
    const struct served *served; /* NULL: the command opens store and origin itself. */
    selsnap_device *store;
    selsnap_device *origin;
    const char *origin_name;                       /* The path in use; NULL before it is known. */
    char origin_hint[SELSNAP_ORIGIN_HINT_MAX + 1]; /* Holds the recorded path, where that is used. */
    selsnap *ss;
    selsnap_stats before; /* Its figures when the command began. */
    struct happenings happenings;
};

/* args.c */
/* Fill cli->args from the words after the command. CLI_OK, or CLI_USAGE with the reason reported. */
int args_parse(struct cli *cli, int argc, char **argv);
void args_free(struct args *args);
/* Print the options of the mask, one a line. */
void args_print_options(struct cli *cli, uint64_t options);
/* One option, as the help tells of it. */
struct option_about {
    const char *name;
    const char *value; /* NULL: it takes none. */
    const char *help;
    char letter; /* 0: none */
};
/* Option @p id, if the mask has it. False: it has not, or there is no such option. */
bool args_about(uint64_t options, int id, struct option_about *ret_about);
static inline bool args_given(const struct args *args, enum option_id id) {
    return (args->given & OPT_BIT(id)) != 0;
}

/* sizes.c */
/* Bytes from text such as 4096, 0x1000, 64K, 1G. False: junk, or it does not fit in 64 bits. */
bool size_parse(const char *text, uint64_t *ret_bytes);
/* A range from OFFSET:LENGTH. False: junk, length 0, or the end does not fit. */
bool range_parse(const char *text, selsnap_range *ret_range);
/* A time from 2024-05-01, 2024-05-01T12:00:00Z, a length from now such as 12h, 30d, 8w, or "never", which is 0. */
bool time_parse(const char *text, int64_t *ret_time_ns);
/* "12.5 MiB"; @p buf holds at least 32 bytes. Returns buf. */
const char *size_text(uint64_t bytes, char *buf, size_t len);
/* "2024-05-01T12:00:00Z"; @p buf holds at least 32 bytes. Returns buf. */
const char *time_text(int64_t time_ns, char *buf, size_t len);

/* outcome.c */
#ifdef __MINGW32__ /* whose printf() could be Windows' own, but is not */
#define CLI_PRINTF(fmt, args) __attribute__((format(gnu_printf, fmt, args)))
#else
#define CLI_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#endif
/* Report a failure of the library, with its own detail, and a hint where one is known. Returns the exit code. */
int fail(struct cli *cli, int code, const char *what, ...) CLI_PRINTF(3, 4);
/* The same where the detail is known already. An empty one stands for the code's own text. */
int fail_with(struct cli *cli, int code, const char *detail, const char *what, ...) CLI_PRINTF(4, 5);
/* Report a failure of the system; @p error is an errno value. */
int fail_system(struct cli *cli, int error, const char *what, ...) CLI_PRINTF(3, 4);
/* Report a wrong command line. */
int fail_usage(struct cli *cli, const char *what, ...) CLI_PRINTF(2, 3);
/* A line on stderr that does not change the exit code. */
void warn(struct cli *cli, const char *what, ...) CLI_PRINTF(2, 3);

/* json.c */
/* Print and free. NULL, which jansson returns without memory, is reported. Returns the exit code. */
int json_emit(struct cli *cli, json_t *value);
/* Print on one line, and free; without a newline. For long lists that are not to be held in memory. */
void json_stream(struct cli *cli, json_t *value);
/* A number of 64 bits; as text where it is beyond what jansson holds. */
json_t *json_u64(uint64_t value);
/* Text; bytes that are not UTF-8 become question marks. */
json_t *json_text(const char *text);
/* The ranges of a subset, as [{"offset":..., "length":...}, ...]. */
json_t *json_ranges(const selsnap_subset *subset);

/* progress.c */
/* How far work is: a bar when stderr is a terminal; lines when --progress asks for them. */
struct progress {
    const struct cli *cli;
    const char *label;
    bool terminal;
    bool lines;      /* one a second, and one at the end */
    bool json;       /* these are JSON */
    bool shown;      /* a bar is */
    int64_t last_ms; /* When it was last shown. */
    /* Bytes for rate and sizes: those of a unit; or those of a stream that were read, and its size, 0 if it is not known. */
    uint32_t unit_bytes;
    const uint64_t *stream_bytes;
    uint64_t stream_total;
    uint64_t done;
    uint64_t total;
    bool began;
    int64_t began_ms;
    uint64_t began_at;
    uint64_t began_bytes;
};
void progress_init(struct progress *progress, const struct cli *cli, const char *label);
/* Whether anybody sees it. */
bool progress_shows(const struct progress *progress);
/* A selsnap_progress_fn; @p user is a struct progress. Asks to stop after an interrupt. */
int progress_tell(void *user, uint64_t done, uint64_t total);
/* Wipe the bar, for a line of other output. */
void progress_pause(struct progress *progress);
/* The work has ended: the bar goes, and of lines there is a last one. */
void progress_end(struct progress *progress);
/* Let SIGINT and SIGTERM ask to stop, instead of killing the process. */
void interrupt_catch(void);
bool interrupt_seen(void);
/* Whether this command is to end early: by an interrupt, or its server says so. */
bool stop_asked(const struct cli *cli);

/* session.c */
/* choices.c */
/* Whether there is a choice that adds blocks. */
bool choices_add(const struct args *args);
/* Add to the subset what was chosen, or take out what was chosen to be left out. Returns an exit code. */
int choices_apply(struct cli *cli, selsnap_subset *subset, bool minus);

/* Open the store and the origin, and a context on them; read-only unless @p writable. Returns an exit code. */
int session_open(struct cli *cli, bool writable);
/* The two devices alone. */
int session_open_devices(struct cli *cli, bool writable);
/* Close what is open. @p exit_code is what the command returned; it stays unless it was CLI_OK and closing failed. */
int session_close(struct cli *cli, int exit_code);
/* Note what an event tells, for the end of the work: a selsnap_event_fn; @p user is a struct happenings. */
void happenings_note(void *user, const selsnap_event *event);
/* Open one device; @p role is for messages. Returns an exit code. */
int session_open_device(struct cli *cli, const char *role, const char *path, uint32_t flags, uint64_t create_size,
                        selsnap_device **ret_device);
/* The store's path: -s, or the environment. NULL: none, and it is reported. */
const char *session_store_path(struct cli *cli);
/* The same, or NULL without a word. */
const char *session_store_given(const struct cli *cli);
/* Look a snapshot up by the first word of the command line. Returns an exit code. */
int session_find(struct cli *cli, selsnap_snapshot_info *ret_info);
/* The subset that --subset, --range, --whole and --minus say. Returns an exit code. */
int session_subset(struct cli *cli, selsnap_subset **ret_subset);

/* complete.c */
/* What may stand where the last word is, for a shell's completion. Returns an exit code. */
int complete(struct cli *cli, int argc, char **argv);

/* control.c */
/* Let a server that has the store open run the command, if there is one. False: there is none. @p argv begins with the
 * command's words, @p words of them. */
bool control_run(struct cli *cli, int words, int argc, char **argv, int *ret_result);

/* figures.c */
/* The context's figures, with what was done counted from the command's beginning; a server's includes its clients'. A
 * SELSNAP_* code. */
int figures_get(struct cli *cli, selsnap_stats *ret_stats);
/* Of these, what was done: blocks preserved, and so on. To be merged into a result. */
json_t *figures_json(struct cli *cli);
/* The same as the end of a printed line: "12 blocks preserved (3 of them zeros)". */
void figures_print(struct cli *cli);
/* All figures of a context. */
int cmd_info(struct cli *cli);

/* cmd_format.c */
/* Refuse a device that holds something: it may be the wrong one, and the library looks for stores only. */
int refuse_data(struct cli *cli, selsnap_device *device, const char *role, const char *path);

/* cmd_map.c */
/* How a map is shown where --draw says nothing: DRAW_*, by where it goes, and by what the user's environment says. */
uint64_t draw_default(const struct cli *cli);

/* cmd_create.c */
/* Make what the command line says; @p flags: SELSNAP_SNAPSHOT_*. */
int create_snapshot(struct cli *cli, uint32_t flags);

/* cmd_keep.c */
/* Tell what deleting a snapshot would free. */
int tell_freed(struct cli *cli, const selsnap_snapshot_info *info);

/* The commands. */
int cmd_apply(struct cli *cli);
int cmd_bookmark(struct cli *cli);
int cmd_check(struct cli *cli);
int cmd_create(struct cli *cli);
int cmd_clone(struct cli *cli);
int cmd_delete(struct cli *cli);
int cmd_diff(struct cli *cli);
int cmd_discard(struct cli *cli);
int cmd_dump(struct cli *cli);
int cmd_expire(struct cli *cli);
int cmd_export(struct cli *cli);
int cmd_format(struct cli *cli);
int cmd_group_check(struct cli *cli);
int cmd_group_create(struct cli *cli);
int cmd_group_list(struct cli *cli);
int cmd_grow(struct cli *cli);
int cmd_shrink(struct cli *cli);
int cmd_hold(struct cli *cli);
int cmd_holds(struct cli *cli);
int cmd_import(struct cli *cli);
int cmd_list(struct cli *cli);
int cmd_map(struct cli *cli);
int cmd_quota(struct cli *cli);
int cmd_read(struct cli *cli);
int cmd_release(struct cli *cli);
int cmd_rename(struct cli *cli);
int cmd_repair(struct cli *cli);
int cmd_report(struct cli *cli);
int cmd_reset(struct cli *cli);
int cmd_restore(struct cli *cli);
int cmd_scrub(struct cli *cli);
int cmd_show(struct cli *cli);
int cmd_step(struct cli *cli);
int cmd_subset_delete(struct cli *cli);
int cmd_subset_list(struct cli *cli);
int cmd_subset_save(struct cli *cli);
int cmd_subset_show(struct cli *cli);
int cmd_verify(struct cli *cli);
int cmd_write(struct cli *cli);
int cmd_zero(struct cli *cli);

#endif
