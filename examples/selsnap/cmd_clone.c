/* SPDX-License-Identifier: Apache-2.0 */
/* clone: a snapshot with the time and the blocks of another. */
#include "cli.h"
#include <inttypes.h>
#include <stdio.h>

static int tell_cloned(struct cli *cli, const selsnap_snapshot_info *source, uint64_t id) {
    const char *name = cli->args.names[1];
    if (cli->json) {
        return json_emit(cli, json_pack("{s:o, s:o, s:o, s:o, s:b}", "id", json_u64(id), "name", json_text(name),
                                        "source", json_text(source->name), "source_id", json_u64(source->id),
                                        "as_changed", args_given(&cli->args, OPT_AS_CHANGED)));
    }
    fprintf(cli->out, "created %s (id %" PRIu64 "), a clone of %s\n", name, id, source->name);
    return CLI_OK;
}

int cmd_clone(struct cli *cli) {
    const struct args *args = &cli->args;
    selsnap_snapshot_info source;
    int result = session_open(cli, true);
    if (result == CLI_OK) {
        result = session_find(cli, &source);
    }
    if (result != CLI_OK) {
        return result;
    }
    selsnap_clone_options options = SELSNAP_CLONE_OPTIONS_INIT;
    options.flags = args_given(args, OPT_AS_CHANGED) ? SELSNAP_CLONE_AS_CHANGED : 0;
    options.source_id = source.id;
    options.name = args->names[1];
    options.policy = (uint32_t)args->policy;
    options.properties = args->properties;
    options.property_count = args->property_count;
    uint64_t id = 0;
    int code = selsnap_snapshot_clone(cli->ss, &options, &id);
    return code == SELSNAP_OK ? tell_cloned(cli, &source, id) : fail(cli, code, "snapshot '%s'", args->names[1]);
}
