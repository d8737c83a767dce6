/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scrub: read preserved data a piece at a time. Where it stopped is told as text, and taken back by --from.
 */
#include "cli.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { POSITION_TEXT = 96 };

/* Read at once; in between, an interrupt is looked for. */
#define SCRUB_PIECE ((uint64_t)4 << 20)

/* Problems on their way out; with --json as elements of an array. */
struct scrub_lines {
    struct cli *cli;
    struct progress *progress;
    uint64_t count;
};

static int print_problem(void *user, const char *line) {
    struct scrub_lines *lines = user;
    struct cli *cli = lines->cli;
    progress_pause(lines->progress);
    if (cli->json) {
        fputs(lines->count == 0 ? "\n  " : ",\n  ", cli->out);
        json_stream(cli, json_text(line));
    } else {
        fprintf(cli->out, "%s\n", line);
    }
    lines->count++;
    return stop_asked(cli) || ferror(cli->out) ? 1 : 0;
}

static const char *position_text(const selsnap_scrub *scrub, char *buf) {
    snprintf(buf, POSITION_TEXT, "%" PRIu64 ":%" PRIu64 ":%" PRIu64 ":%" PRIu64, scrub->position[0], scrub->position[1],
             scrub->position[2], scrub->position[3]);
    return buf;
}

static bool position_parse(const char *text, selsnap_scrub *scrub) {
    for (unsigned i = 0; i < 4; i++) {
        char number[32];
        size_t len = strcspn(text, ":");
        if (len == 0 || len >= sizeof(number) || strspn(text, "0123456789") != len || text[len] != (i < 3 ? ':' : 0)) {
            return false;
        }
        memcpy(number, text, len);
        number[len] = '\0';
        if (!size_parse(number, &scrub->position[i])) {
            return false;
        }
        text += len + 1;
    }
    return true;
}

/* Goes on until all is read, as much as asked, or something is in the way. */
static int scrub_on(struct cli *cli, selsnap_scrub *scrub, struct scrub_lines *lines) {
    bool limited = args_given(&cli->args, OPT_LENGTH);
    uint64_t left = cli->args.length;
    int code = SELSNAP_OK;
    while (code == SELSNAP_OK && scrub->done == 0 && (!limited || left > 0)) {
        uint64_t piece = limited && left < SCRUB_PIECE ? left : SCRUB_PIECE;
        code = selsnap_scrub_step(cli->ss, scrub, piece, print_problem, lines);
        left = left > piece ? left - piece : 0;
        if (code == SELSNAP_OK && progress_tell(lines->progress, scrub->bytes, 0) != 0) {
            code = SELSNAP_ECANCELED;
        }
    }
    progress_end(lines->progress);
    return code;
}

int cmd_scrub(struct cli *cli) {
    selsnap_scrub scrub = SELSNAP_SCRUB_INIT;
    const char *from = cli->args.from;
    if (from != NULL && !position_parse(from, &scrub)) {
        return fail_usage(cli, "--from '%s': not a position that 'selsnap scrub' told", from);
    }
    if (args_given(&cli->args, OPT_LENGTH) && cli->args.length == 0) {
        return fail_usage(cli, "--length: 0 reads nothing");
    }
    int result = session_open(cli, false);
    if (result != CLI_OK) {
        return result;
    }
    struct progress progress;
    progress_init(&progress, cli, "scrubbing");
    progress.unit_bytes = 1;
    struct scrub_lines lines = {cli, &progress, 0};
    if (cli->json) {
        fputs("{\"found\": [", cli->out);
    }
    char position[POSITION_TEXT];
    int code = scrub_on(cli, &scrub, &lines);
    if (cli->json) {
        fprintf(cli->out,
                "],\n  \"blocks\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"problems\": %" PRIu64
                ", \"complete\": %s, \"position\": \"%s\"}\n",
                scrub.blocks, scrub.bytes, scrub.problems, scrub.done != 0 ? "true" : "false",
                position_text(&scrub, position));
    }
    if (code != SELSNAP_OK) {
        return fail(cli, code, "store");
    }
    if (!cli->json) {
        fprintf(cli->out, "%" PRIu64 " blocks read: ", scrub.blocks);
        if (scrub.problems == 0) {
            fprintf(cli->out, "no damage\n");
        } else {
            fprintf(cli->out, "%" PRIu64 " problems\n", scrub.problems);
        }
        if (scrub.done == 0) {
            fprintf(cli->out, "more is left; go on with --from %s\n", position_text(&scrub, position));
        }
    }
    return scrub.problems == 0 ? CLI_OK : CLI_DAMAGE;
}
