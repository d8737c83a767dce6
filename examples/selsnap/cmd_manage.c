/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short commands on one snapshot: delete, rename, reset.
 */
#include "cli.h"
#include <stdio.h>

/* Open, and find the snapshot that the command line names. */
static int begin(struct cli *cli, selsnap_snapshot_info *ret_info) {
    int result = session_open(cli, true);
    return result == CLI_OK ? session_find(cli, ret_info) : result;
}

/* Report the end: @p done is the word for what was done. */
static int end(struct cli *cli, int code, const char *done, const selsnap_snapshot_info *info) {
    if (code != SELSNAP_OK) {
        return fail(cli, code, "snapshot '%s'", info->name);
    }
    if (cli->json) {
        return json_emit(cli, json_pack("{s:o, s:o}", done, json_text(info->name), "id", json_u64(info->id)));
    }
    fprintf(cli->out, "%s %s\n", done, info->name);
    return CLI_OK;
}

int cmd_delete(struct cli *cli) {
    selsnap_snapshot_info info;
    if (args_given(&cli->args, OPT_DRY_RUN)) {
        int opened = session_open(cli, false);
        opened = opened == CLI_OK ? session_find(cli, &info) : opened;
        return opened == CLI_OK ? tell_freed(cli, &info) : opened;
    }
    int result = begin(cli, &info);
    return result == CLI_OK ? end(cli, selsnap_snapshot_delete(cli->ss, info.id), "deleted", &info) : result;
}

int cmd_rename(struct cli *cli) {
    selsnap_snapshot_info info;
    int result = begin(cli, &info);
    if (result != CLI_OK) {
        return result;
    }
    const char *name = cli->args.names[1];
    int code = selsnap_snapshot_rename(cli->ss, info.id, name);
    if (code != SELSNAP_OK) {
        return fail(cli, code, "new name '%s'", name);
    }
    if (cli->json) {
        return json_emit(cli, json_pack("{s:o, s:o, s:o}", "renamed", json_text(info.name), "name", json_text(name),
                                        "id", json_u64(info.id)));
    }
    fprintf(cli->out, "renamed %s to %s\n", info.name, name);
    return CLI_OK;
}

int cmd_reset(struct cli *cli) {
    selsnap_snapshot_info info;
    int result = begin(cli, &info);
    if (result != CLI_OK) {
        return result;
    }
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = info.id;
    options.flags = SELSNAP_VIEW_WRITABLE;
    selsnap_view *view = NULL;
    int code = selsnap_view_open(cli->ss, &options, &view);
    if (code == SELSNAP_OK) {
        code = selsnap_view_reset(view);
        int closed = selsnap_view_close(view);
        code = code == SELSNAP_OK ? closed : code;
    }
    return end(cli, code, "reset", &info);
}
