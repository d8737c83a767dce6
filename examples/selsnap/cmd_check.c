/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check and dump: look at the store itself.
 */
#include "cli.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Lines of a check or dump on their way out; with --json as elements of an array. */
struct lines {
    struct cli *cli;
    struct progress *progress; /* Wiped before a line is printed; may be NULL. */
    uint64_t count;
};

static int print_line(void *user, const char *line) {
    struct lines *lines = user;
    struct cli *cli = lines->cli;
    if (lines->progress != NULL) {
        progress_pause(lines->progress);
    }
    if (cli->json) {
        fputs(lines->count == 0 ? "\n  " : ",\n  ", cli->out);
        json_stream(cli, json_text(line));
    } else {
        fprintf(cli->out, "%s\n", line);
    }
    lines->count++;
    return stop_asked(cli) || ferror(cli->out) ? 1 : 0;
}

int cmd_check(struct cli *cli) {
    int result = session_open(cli, false);
    if (result != CLI_OK) {
        return result;
    }
    struct progress progress;
    progress_init(&progress, cli, "checking");
    struct lines lines = {cli, &progress, 0};
    selsnap_check_result found = {sizeof(found), 0, 0, 0, 0, 0};
    if (cli->json) {
        fputs("{\"found\": [", cli->out);
    }
    int code = selsnap_check(cli->ss, print_line, &lines, progress_tell, &progress, &found);
    progress_end(&progress);
    if (cli->json) {
        /* The object is closed in any case: what was found stays readable beside an error. */
        fprintf(cli->out,
                "],\n  \"pages\": %" PRIu64 ", \"items\": %" PRIu64 ", \"blocks\": %" PRIu64 ", \"problems\": %" PRIu64
                ", \"complete\": %s}\n",
                found.pages, found.items, found.blocks, found.problems, code == SELSNAP_OK ? "true" : "false");
    }
    if (code != SELSNAP_OK) {
        return fail(cli, code, "store");
    }
    if (!cli->json) {
        fprintf(cli->out, "%" PRIu64 " pages, %" PRIu64 " items and %" PRIu64 " blocks read: ", found.pages,
                found.items, found.blocks);
        if (found.problems == 0) {
            fprintf(cli->out, "no damage\n");
        } else {
            fprintf(cli->out, "%" PRIu64 " problems\n", found.problems);
        }
    }
    return found.problems == 0 ? CLI_OK : CLI_DAMAGE;
}

int cmd_dump(struct cli *cli) {
    int result = session_open(cli, false);
    if (result != CLI_OK) {
        return result;
    }
    struct lines lines = {cli, NULL, 0};
    if (cli->json) {
        fputs("{\"lines\": [", cli->out);
    }
    int code = selsnap_dump(cli->ss, print_line, &lines);
    if (cli->json) {
        fputs("]}\n", cli->out);
    }
    return code == SELSNAP_OK ? CLI_OK : fail(cli, code, "store");
}
