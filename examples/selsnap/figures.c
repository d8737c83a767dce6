/* SPDX-License-Identifier: Apache-2.0 */
/*
 * info: the context's figures; and the few of them that commands which write add to their results.
 */
#include "cli.h"
#include <inttypes.h>
#include <stdio.h>

int figures_get(struct cli *cli, selsnap_stats *ret_stats) {
    const selsnap_stats init = SELSNAP_STATS_INIT;
    *ret_stats = init;
    int code = selsnap_get_stats(cli->ss, ret_stats);
    ret_stats->blocks_preserved -= cli->before.blocks_preserved;
    ret_stats->blocks_zero -= cli->before.blocks_zero;
    ret_stats->blocks_lost -= cli->before.blocks_lost;
    ret_stats->preserving_writes -= cli->before.preserving_writes;
    ret_stats->clean_writes -= cli->before.clean_writes;
    ret_stats->blocks_restored -= cli->before.blocks_restored;
    return code;
}

json_t *figures_json(struct cli *cli) {
    selsnap_stats stats;
    if (figures_get(cli, &stats) != SELSNAP_OK) {
        return NULL;
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "blocks_preserved", json_u64(stats.blocks_preserved),
                     "blocks_zero", json_u64(stats.blocks_zero), "blocks_lost", json_u64(stats.blocks_lost),
                     "preserving_writes", json_u64(stats.preserving_writes), "clean_writes",
                     json_u64(stats.clean_writes), "blocks_restored", json_u64(stats.blocks_restored));
}

void figures_print(struct cli *cli) {
    selsnap_stats stats;
    if (figures_get(cli, &stats) != SELSNAP_OK) {
        return;
    }
    fprintf(cli->out, "%" PRIu64 " blocks preserved", stats.blocks_preserved);
    if (stats.blocks_zero > 0) {
        fprintf(cli->out, " (%" PRIu64 " of them zeros)", stats.blocks_zero);
    }
    if (stats.blocks_lost > 0) {
        fprintf(cli->out, ", %" PRIu64 " given up", stats.blocks_lost);
    }
}

static json_t *id_json(const uint8_t id[16]) {
    char text[33];
    for (size_t i = 0; i < 16; i++) {
        snprintf(text + 2 * i, 3, "%02x", id[i]);
    }
    return json_string(text);
}

/* The unfinished restores. Returns an exit code. */
static int restores_json(struct cli *cli, json_t *ret_list) {
    selsnap_restore_info info = {sizeof(selsnap_restore_info), 0, 0, 0, 0, 0, 0, 0};
    int code;
    while ((code = selsnap_restore_next(cli->ss, info.job, &info)) == SELSNAP_OK) {
        json_array_append_new(ret_list,
                              json_pack("{s:o, s:o, s:o, s:o}", "job", json_u64(info.job), "snapshot_id",
                                        json_u64(info.snapshot_id), "blocks_total", json_u64(info.blocks_total),
                                        "blocks_done", json_u64(info.blocks_done)));
    }
    return code == SELSNAP_ENOENT ? CLI_OK : fail(cli, code, "restores");
}

static int info_json(struct cli *cli, const selsnap_stats *stats) {
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"block_bytes", stats->block_bytes},
        {"origin_bytes", stats->origin_bytes},
        {"store_bytes", stats->store_bytes},
        {"store_used_bytes", stats->store_used_bytes},
        {"store_free_bytes", stats->store_free_bytes},
        {"store_quota_bytes", stats->store_quota_bytes},
        {"store_pending_bytes", stats->store_pending_bytes},
        {"journal_bytes", stats->journal_bytes},
        {"journal_used_bytes", stats->journal_used_bytes},
        {"snapshots", stats->snapshots},
        {"memory_bytes", stats->memory_bytes},
        {"memory_peak_bytes", stats->memory_peak_bytes},
        {"memory_limit_bytes", stats->memory_limit_bytes},
        {"commits", stats->commits},
        {"checkpoints", stats->checkpoints},
        {"pages_read", stats->pages_read},
        {"pages_written", stats->pages_written},
        {"gate_closed_ns_max", stats->gate_closed_ns_max},
        {"epoch", stats->epoch},
    };
    json_t *object = json_object();
    json_object_set_new(object, "store_id", id_json(stats->store_id));
    json_object_set_new(object, "origin", json_text(cli->origin_name));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_object_set_new(object, rows[i].name, json_u64(rows[i].value));
    }
    json_object_set_new(object, "reclaim_pending", json_boolean(stats->reclaim_pending != 0));
    json_t *restores = json_array();
    int result = restores_json(cli, restores);
    json_object_set_new(object, "restores", restores);
    if (result != CLI_OK) {
        json_decref(object);
        return result;
    }
    return json_emit(cli, object);
}

static int print_restores(struct cli *cli) {
    selsnap_restore_info info = {sizeof(selsnap_restore_info), 0, 0, 0, 0, 0, 0, 0};
    int code;
    while ((code = selsnap_restore_next(cli->ss, info.job, &info)) == SELSNAP_OK) {
        fprintf(cli->out, "restore      from snapshot %" PRIu64 ", %" PRIu64 " of %" PRIu64 " blocks done\n",
                info.snapshot_id, info.blocks_done, info.blocks_total);
    }
    return code == SELSNAP_ENOENT ? CLI_OK : fail(cli, code, "restores");
}

int cmd_info(struct cli *cli) {
    int result = session_open(cli, false);
    if (result != CLI_OK) {
        return result;
    }
    selsnap_stats stats = SELSNAP_STATS_INIT;
    int code = selsnap_get_stats(cli->ss, &stats);
    if (code != SELSNAP_OK) {
        return fail(cli, code, "figures");
    }
    if (cli->json) {
        return info_json(cli, &stats);
    }
    char a[32];
    char b[32];
    fprintf(cli->out, "origin       %s, %s\n", cli->origin_name, size_text(stats.origin_bytes, a, sizeof(a)));
    fprintf(cli->out, "block        %s\n", size_text(stats.block_bytes, a, sizeof(a)));
    fprintf(cli->out, "store        %s, %s in use\n", size_text(stats.store_bytes, a, sizeof(a)),
            size_text(stats.store_used_bytes, b, sizeof(b)));
    fprintf(cli->out, "free         %s%s\n", size_text(stats.store_free_bytes, a, sizeof(a)),
            stats.reclaim_pending != 0 ? ", and more after 'selsnap step --all'" : "");
    if (stats.store_quota_bytes != 0) {
        fprintf(cli->out, "quota        %s of the store may be in use\n",
                size_text(stats.store_quota_bytes, a, sizeof(a)));
    }
    fprintf(cli->out, "journal      %s, %s in use\n", size_text(stats.journal_bytes, a, sizeof(a)),
            size_text(stats.journal_used_bytes, b, sizeof(b)));
    fprintf(cli->out, "snapshots    %" PRIu64 "\n", stats.snapshots);
    fprintf(cli->out, "memory       %s at most so far, limit %s\n", size_text(stats.memory_peak_bytes, a, sizeof(a)),
            size_text(stats.memory_limit_bytes, b, sizeof(b)));
    return print_restores(cli);
}
