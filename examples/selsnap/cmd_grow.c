/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grow: give the store more room, or make the live device longer. shrink: make that shorter.
 */
#include "cli.h"
#include <inttypes.h>
#include <stdio.h>

static int tell_grown(struct cli *cli, bool live, uint64_t before, uint64_t now) {
    char size[32];
    char more[32];
    if (cli->json) {
        return json_emit(cli, json_pack("{s:o, s:o}", live ? "origin_bytes" : "store_bytes", json_u64(now),
                                        "grown_bytes", json_u64(now - before)));
    }
    fprintf(cli->out, "the %s has %s, %s more than before\n", live ? "live device" : "store",
            size_text(now, size, sizeof(size)), size_text(now - before, more, sizeof(more)));
    return CLI_OK;
}

static int get_size(struct cli *cli, bool live, uint64_t *ret_bytes) {
    selsnap_stats stats = SELSNAP_STATS_INIT;
    int code = selsnap_get_stats(cli->ss, &stats);
    *ret_bytes = live ? stats.origin_bytes : stats.store_bytes;
    return code;
}

int cmd_grow(struct cli *cli) {
    const struct args *args = &cli->args;
    bool live = args_given(args, OPT_LIVE);
    if (args_given(args, OPT_SIZE) && (args->size == 0 || args->size > INT64_MAX)) {
        return fail_usage(cli, "--size: no file can have this size");
    }
    if (cli->served != NULL && live) {
        return fail_with(cli, SELSNAP_ELOCKED, "a server has it open", "origin");
    }
    int result = session_open(cli, true);
    if (result != CLI_OK) {
        return result;
    }
    uint64_t before = 0;
    uint64_t now = 0;
    int code = get_size(cli, live, &before);
    if (code == SELSNAP_OK) {
        code = live ? selsnap_grow_origin(cli->ss, args->size) : selsnap_grow_store(cli->ss, args->size);
    }
    if (code == SELSNAP_OK) {
        code = get_size(cli, live, &now);
    }
    return code == SELSNAP_OK ? tell_grown(cli, live, before, now) : fail(cli, code, live ? "origin" : "store");
}

int cmd_shrink(struct cli *cli) {
    const struct args *args = &cli->args;
    if (!args_given(args, OPT_SIZE)) {
        return fail_usage(cli, "needs --size");
    }
    if (cli->served != NULL) {
        return fail_with(cli, SELSNAP_ELOCKED, "a server has it open", "origin");
    }
    int result = session_open(cli, true);
    if (result != CLI_OK) {
        return result;
    }
    uint64_t before = selsnap_size(cli->ss);
    int code = selsnap_shrink_origin(cli->ss, args->size);
    if (code != SELSNAP_OK) {
        return fail(cli, code, "origin");
    }
    uint64_t now = selsnap_size(cli->ss);
    if (cli->json) {
        return json_emit(cli, json_pack("{s:o, s:o}", "origin_bytes", json_u64(now), "cut_bytes",
                                        json_u64(before - now)));
    }
    char size[32];
    char less[32];
    fprintf(cli->out, "the live device has %s, %s less than before\n", size_text(now, size, sizeof(size)),
            size_text(before - now, less, sizeof(less)));
    return CLI_OK;
}
