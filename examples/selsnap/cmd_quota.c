/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota: of the store, and of what is written into a snapshot.
 */
#include "cli.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "10.0 MiB", or "none". */
static const char *quota_text(uint64_t bytes, char *buf, size_t len) {
    if (bytes == 0) {
        snprintf(buf, len, "none");
        return buf;
    }
    return size_text(bytes, buf, len);
}

static json_t *one_json(const selsnap_snapshot_info *info, uint64_t quota, uint64_t used) {
    return json_pack("{s:o, s:o, s:o, s:o}", "name", json_text(info->name), "id", json_u64(info->id), "quota_bytes",
                     json_u64(quota), "written_bytes", json_u64(used));
}

static void one_print(struct cli *cli, const selsnap_snapshot_info *info, uint64_t quota, uint64_t used) {
    char a[32];
    char b[32];
    fprintf(cli->out, "%-10s  %s written into %s\n", quota_text(quota, a, sizeof(a)), size_text(used, b, sizeof(b)),
            info->name);
}

static int of_snapshot(struct cli *cli) {
    selsnap_snapshot_info info;
    bool set = args_given(&cli->args, OPT_SET);
    uint64_t quota = 0;
    uint64_t used = 0;
    int result = session_open(cli, set);
    result = result == CLI_OK ? session_find(cli, &info) : result;
    if (result != CLI_OK) {
        return result;
    }
    int code = set ? selsnap_snapshot_set_quota(cli->ss, info.id, cli->args.set) : SELSNAP_OK;
    code = code == SELSNAP_OK ? selsnap_snapshot_get_quota(cli->ss, info.id, &quota, &used) : code;
    if (code != SELSNAP_OK) {
        return fail(cli, code, "snapshot '%s'", info.name);
    }
    if (cli->json) {
        return json_emit(cli, one_json(&info, quota, used));
    }
    one_print(cli, &info, quota, used);
    return CLI_OK;
}

/* The snapshots that have a quota. */
static int list_snapshots(struct cli *cli, json_t *list) {
    selsnap_snapshot_info info;
    uint64_t used = 0;
    int code;
    memset(&info, 0, sizeof(info));
    info.struct_size = sizeof(info);
    while ((code = selsnap_snapshot_next(cli->ss, info.id, &info)) == SELSNAP_OK) {
        if (info.quota_bytes == 0) {
            continue;
        }
        code = selsnap_snapshot_get_quota(cli->ss, info.id, NULL, &used);
        if (code != SELSNAP_OK) {
            break;
        }
        if (cli->json) {
            json_array_append_new(list, one_json(&info, info.quota_bytes, used));
        } else {
            one_print(cli, &info, info.quota_bytes, used);
        }
    }
    return code == SELSNAP_ENOENT ? CLI_OK : fail(cli, code, "snapshots");
}

static int of_store(struct cli *cli) {
    bool set = args_given(&cli->args, OPT_SET);
    selsnap_stats stats = SELSNAP_STATS_INIT;
    uint64_t quota = 0;
    int result = session_open(cli, set);
    if (result != CLI_OK) {
        return result;
    }
    int code = set ? selsnap_set_quota(cli->ss, cli->args.set) : SELSNAP_OK;
    code = code == SELSNAP_OK ? selsnap_get_quota(cli->ss, &quota) : code;
    code = code == SELSNAP_OK ? selsnap_get_stats(cli->ss, &stats) : code;
    if (code != SELSNAP_OK) {
        return fail(cli, code, "quota");
    }
    if (!cli->json) {
        char a[32];
        char b[32];
        fprintf(cli->out, "%-10s  %s in use in the store\n", quota_text(quota, a, sizeof(a)),
                size_text(stats.store_used_bytes, b, sizeof(b)));
        return set ? CLI_OK : list_snapshots(cli, NULL);
    }
    json_t *told =
        json_pack("{s:o, s:o}", "quota_bytes", json_u64(quota), "store_used_bytes", json_u64(stats.store_used_bytes));
    if (!set) {
        json_t *list = json_array();
        result = list_snapshots(cli, list);
        json_object_set_new(told, "snapshots", list);
    }
    if (result != CLI_OK) {
        json_decref(told);
        return result;
    }
    return json_emit(cli, told);
}

int cmd_quota(struct cli *cli) {
    return cli->args.name_count > 0 ? of_snapshot(cli) : of_store(cli);
}
