/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grow: give the store more room.
 */
#include "cli.h"
#include <inttypes.h>
#include <stdio.h>

static int tell_grown(struct cli *cli, uint64_t before, uint64_t now) {
    char size[32];
    char more[32];
    if (cli->json) {
        return json_emit(cli,
                         json_pack("{s:o, s:o}", "store_bytes", json_u64(now), "grown_bytes", json_u64(now - before)));
    }
    printf("the store has %s, %s more than before\n", size_text(now, size, sizeof(size)),
           size_text(now - before, more, sizeof(more)));
    return CLI_OK;
}

int cmd_grow(struct cli *cli) {
    const struct args *args = &cli->args;
    if (args_given(args, OPT_SIZE) && (args->size == 0 || args->size > INT64_MAX)) {
        return fail_usage(cli, "--size: no file can have this size");
    }
    int result = session_open(cli, true);
    if (result != CLI_OK) {
        return result;
    }
    selsnap_stats stats = SELSNAP_STATS_INIT;
    int code = selsnap_get_stats(cli->ss, &stats);
    uint64_t before = stats.store_bytes;
    if (code == SELSNAP_OK) {
        code = selsnap_grow_store(cli->ss, args->size);
    }
    if (code == SELSNAP_OK) {
        code = selsnap_get_stats(cli->ss, &stats);
    }
    return code == SELSNAP_OK ? tell_grown(cli, before, stats.store_bytes) : fail(cli, code, "store");
}
