/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repair: bring what is sound of a damaged store into a new one.
 */
#include "cli.h"
#include "system.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What is lost, a line each, on its way out; with --json as elements of an array. */
struct losses {
    struct cli *cli;
    struct progress progress; /* Wiped before a line is printed. */
    uint64_t count;
};

static int print_loss(void *user, const char *line) {
    struct losses *losses = user;
    struct cli *cli = losses->cli;
    progress_pause(&losses->progress);
    if (cli->json) {
        fputs(losses->count == 0 ? "\n  " : ",\n  ", cli->out);
        json_stream(cli, json_text(line));
    } else {
        fprintf(cli->out, "%s\n", line);
    }
    losses->count++;
    return stop_asked(cli) || ferror(cli->out) ? 1 : 0;
}

static void print_json(struct cli *cli, const selsnap_repair_result *found, bool complete) {
    fprintf(cli->out,
            "],\n  \"snapshots\": %" PRIu64 ", \"snapshots_lost\": %" PRIu64 ", \"subsets\": %" PRIu64
            ", \"subsets_lost\": %" PRIu64 ", \"restores\": %" PRIu64 ", \"restores_lost\": %" PRIu64
            ", \"blocks\": %" PRIu64 ", \"blocks_lost\": %" PRIu64 ", \"pages_damaged\": %" PRIu64
            ", \"newest_lost\": %s, \"complete\": %s}\n",
            found->snapshots_salvaged, found->snapshots_lost, found->designations_salvaged, found->designations_lost,
            found->restores_salvaged, found->restores_lost, found->blocks_salvaged, found->blocks_lost,
            found->pages_damaged, found->cut != 0 ? "true" : "false", complete ? "true" : "false");
}

static void print_found(struct cli *cli, const selsnap_repair_result *found, bool lost) {
    fprintf(cli->out, "salvaged: %" PRIu64 " snapshots, %" PRIu64 " subsets, %" PRIu64 " blocks\n",
            found->snapshots_salvaged, found->designations_salvaged, found->blocks_salvaged);
    if (lost) {
        fprintf(cli->out,
                "lost: %" PRIu64 " snapshots, %" PRIu64 " subsets, %" PRIu64 " restores, %" PRIu64 " blocks%s\n",
                found->snapshots_lost, found->designations_lost, found->restores_lost, found->blocks_lost,
                found->cut != 0 ? ", and the newest changes" : "");
    } else {
        fprintf(cli->out, "lost: nothing\n");
    }
}

static uint32_t repair_flags(const struct args *args) {
    return (args_given(args, OPT_FORCE) ? SELSNAP_REPAIR_OVERWRITE : 0) |
           (args_given(args, OPT_OTHER_ORIGIN) ? SELSNAP_REPAIR_OTHER_ORIGIN : 0) |
           (args_given(args, OPT_ORIGIN_CHANGED) ? SELSNAP_REPAIR_ORIGIN_CHANGED : 0) |
           (args_given(args, OPT_AS_TAKEN) ? SELSNAP_REPAIR_AS_TAKEN : 0);
}

static int repair(struct cli *cli, selsnap_device *fresh, const char *path) {
    struct losses losses = {.cli = cli};
    char message[512] = "";
    selsnap_repair_result found = SELSNAP_REPAIR_RESULT_INIT;
    selsnap_repair_options options = SELSNAP_REPAIR_OPTIONS_INIT;
    progress_init(&losses.progress, cli, "repairing");
    losses.progress.unit_bytes = 1;
    options.flags = repair_flags(&cli->args);
    options.memory_limit = cli->args.memory;
    options.journal_bytes = cli->args.journal_size;
    options.report = print_loss;
    options.report_user = &losses;
    options.progress = progress_tell;
    options.progress_user = &losses.progress;
    options.ret_message = message;
    options.message_size = sizeof(message);
    if (cli->json) {
        fputs("{\"lost\": [", cli->out);
    }
    int code = selsnap_repair(cli->store, cli->origin, fresh, &options, &found);
    progress_end(&losses.progress);
    if (cli->json) {
        /* The object is closed in any case: what was told stays readable beside an error. */
        print_json(cli, &found, code == SELSNAP_OK);
    }
    if (code != SELSNAP_OK) {
        return fail_with(cli, code, message, "new store '%s'", path);
    }
    bool lost = losses.count > 0 || found.blocks_lost > 0 || found.snapshots_lost > 0 || found.designations_lost > 0 ||
                found.restores_lost > 0 || found.cut != 0;
    if (!cli->json) {
        print_found(cli, &found, lost);
    }
    return lost ? CLI_DAMAGE : CLI_OK;
}

/* With --size: whether the file has to be made is found out by making it, so that a failure removes only our own. */
static int open_fresh(struct cli *cli, const char *path, selsnap_device **ret_fresh, bool *ret_created) {
    uint32_t flags = 0;
    *ret_created = false;
    if (args_given(&cli->args, OPT_SIZE)) {
        if (cli->args.size == 0 || cli->args.size > INT64_MAX) {
            return fail_usage(cli, "--size: no file can have this size");
        }
        *ret_created = !system_is_there(path);
        flags = SELSNAP_FILE_CREATE;
    }
    int result = session_open_device(cli, "new store", path, flags, cli->args.size, ret_fresh);
    if (result == CLI_OK && !*ret_created && !args_given(&cli->args, OPT_FORCE)) {
        result = refuse_data(cli, *ret_fresh, "new store", path);
    }
    return result;
}

int cmd_repair(struct cli *cli) {
    const char *path = cli->args.names[0];
    selsnap_device *fresh = NULL;
    bool created = false;
    int result = session_open_devices(cli, false);
    if (result == CLI_OK) {
        result = open_fresh(cli, path, &fresh, &created);
    }
    bool opened = fresh != NULL;
    if (result == CLI_OK) {
        result = repair(cli, fresh, path);
    }
    selsnap_device_close(fresh);
    if (opened && created && result != CLI_OK && result != CLI_DAMAGE) {
        (void)system_remove(path);
    }
    return result;
}
