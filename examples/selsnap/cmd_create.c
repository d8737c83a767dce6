/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create, and the saved subsets: the commands that say which blocks.
 */
#include "cli.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --subset, --range and --whole are three ways to say one thing. */
static int check_selection(struct cli *cli) {
    const struct args *args = &cli->args;
    int ways = (args_given(args, OPT_SUBSET) ? 1 : 0) + (args_given(args, OPT_RANGE) ? 1 : 0) +
               (args_given(args, OPT_WHOLE) ? 1 : 0);
    return ways > 1 ? fail_usage(cli, "--subset, --range and --whole exclude each other") : CLI_OK;
}

static int tell_created(struct cli *cli, uint64_t id) {
    selsnap_snapshot_info info;
    memset(&info, 0, sizeof(info));
    info.struct_size = sizeof(info);
    int code = selsnap_snapshot_get(cli->ss, id, &info);
    if (code != SELSNAP_OK) {
        return fail(cli, code, "snapshot '%s'", cli->args.names[0]);
    }
    uint64_t block_bytes = selsnap_block_size(cli->ss);
    if (cli->json) {
        return json_emit(cli, json_pack("{s:o, s:o, s:o, s:o, s:o}", "id", json_u64(id), "name", json_text(info.name),
                                        "block_count", json_u64(info.block_count), "range_count",
                                        json_u64(info.range_count), "time_ns", json_integer(info.time_ns)));
    }
    char size[32];
    fprintf(cli->out, "created %s (id %" PRIu64 "): %" PRIu64 " blocks, %s\n", info.name, id, info.block_count,
            size_text(info.block_count * block_bytes, size, sizeof(size)));
    return CLI_OK;
}

int create_snapshot(struct cli *cli, uint32_t flags) {
    const struct args *args = &cli->args;
    int result = check_selection(cli);
    if (result == CLI_OK) {
        result = session_open(cli, true);
    }
    /* A saved subset, and the whole origin, are known to the store: no copy of their ranges is made. */
    bool own_ranges = args->ranges.count > 0 || args->minus.count > 0 || args->choice_count > 0;
    selsnap_subset *subset = NULL;
    if (result == CLI_OK && own_ranges) {
        result = session_subset(cli, &subset);
    }
    if (result != CLI_OK) {
        return result;
    }
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = args->names[0];
    options.policy = (uint32_t)args->policy;
    options.flags = flags;
    options.designation = own_ranges ? NULL : args->subset;
    options.subset = subset;
    options.properties = args->properties;
    options.property_count = args->property_count;
    uint64_t id = 0;
    int code = selsnap_snapshot_create(cli->ss, &options, &id);
    selsnap_subset_close(subset);
    if (code == SELSNAP_ENOENT) {
        return fail_with(cli, code, "no such subset", "subset '%s'", args->subset != NULL ? args->subset : "");
    }
    return code == SELSNAP_OK ? tell_created(cli, id) : fail(cli, code, "snapshot '%s'", args->names[0]);
}

int cmd_create(struct cli *cli) {
    return create_snapshot(cli, 0);
}

static int tell_subset(struct cli *cli, const char *name, const selsnap_subset *subset) {
    uint64_t ranges = selsnap_subset_range_count(subset);
    uint64_t bytes = selsnap_subset_byte_count(subset);
    uint64_t blocks = selsnap_subset_block_count(subset);
    if (cli->json) {
        return json_emit(cli, json_pack("{s:o, s:o, s:o, s:o}", "name", json_text(name), "block_count",
                                        json_u64(blocks), "bytes", json_u64(bytes), "ranges", json_ranges(subset)));
    }
    char size[32];
    fprintf(cli->out, "%s: %" PRIu64 " blocks in %" PRIu64 " ranges, %s\n", name, blocks, ranges,
            size_text(bytes, size, sizeof(size)));
    return CLI_OK;
}

/* In the form that --range takes. In JSON they are there already. */
static void print_ranges(struct cli *cli, const selsnap_subset *subset) {
    selsnap_range range = {0, 0};
    while (!cli->json && selsnap_subset_next(subset, range.offset + range.len, &range) == SELSNAP_OK) {
        fprintf(cli->out, "  %" PRIu64 ":%" PRIu64 "\n", range.offset, range.len);
    }
}

int cmd_subset_save(struct cli *cli) {
    const char *name = cli->args.names[0];
    selsnap_subset *subset = NULL;
    bool dry = args_given(&cli->args, OPT_DRY_RUN);
    int result = check_selection(cli);
    if (result == CLI_OK) {
        result = session_open(cli, !dry);
    }
    if (result == CLI_OK) {
        result = session_subset(cli, &subset);
    }
    if (result != CLI_OK) {
        return result;
    }
    int code = dry ? SELSNAP_OK : selsnap_designation_save(cli->ss, name, subset, NULL);
    result = code == SELSNAP_OK ? tell_subset(cli, name, subset) : fail(cli, code, "subset '%s'", name);
    if (dry && result == CLI_OK) {
        print_ranges(cli, subset);
    }
    selsnap_subset_close(subset);
    return result;
}

static json_t *designation_json(const selsnap_designation_info *info) {
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "id", json_u64(info->id), "name", json_text(info->name),
                     "block_count", json_u64(info->block_count), "range_count", json_u64(info->range_count),
                     "snapshots", json_u64(info->snapshots));
}

int cmd_subset_list(struct cli *cli) {
    int result = session_open(cli, false);
    if (result != CLI_OK) {
        return result;
    }
    json_t *list = cli->json ? json_array() : NULL;
    selsnap_designation_info info;
    memset(&info, 0, sizeof(info));
    info.struct_size = sizeof(info);
    int code;
    bool first = true;
    while ((code = selsnap_designation_next(cli->ss, info.id, &info)) == SELSNAP_OK) {
        if (cli->json) {
            json_array_append_new(list, designation_json(&info));
            continue;
        }
        if (first) {
            fprintf(cli->out, "%12s %10s %10s  %s\n", "BLOCKS", "RANGES", "SNAPSHOTS", "NAME");
            first = false;
        }
        fprintf(cli->out, "%12" PRIu64 " %10" PRIu64 " %10" PRIu64 "  %s\n", info.block_count, info.range_count,
                info.snapshots, info.name);
    }
    if (code != SELSNAP_ENOENT) {
        json_decref(list);
        return fail(cli, code, "subsets");
    }
    return cli->json ? json_emit(cli, json_pack("{s:o}", "subsets", list)) : CLI_OK;
}

int cmd_subset_show(struct cli *cli) {
    const char *name = cli->args.names[0];
    int result = session_open(cli, false);
    if (result != CLI_OK) {
        return result;
    }
    selsnap_subset *subset = NULL;
    int code = selsnap_designation_load(cli->ss, name, &subset);
    if (code != SELSNAP_OK) {
        return fail_with(cli, code, code == SELSNAP_ENOENT ? "no such subset" : "", "subset '%s'", name);
    }
    result = tell_subset(cli, name, subset);
    print_ranges(cli, subset);
    selsnap_subset_close(subset);
    return result;
}

int cmd_subset_delete(struct cli *cli) {
    const char *name = cli->args.names[0];
    int result = session_open(cli, true);
    if (result != CLI_OK) {
        return result;
    }
    int code = selsnap_designation_delete(cli->ss, name);
    if (code != SELSNAP_OK) {
        return fail_with(cli, code, code == SELSNAP_ENOENT ? "no such subset" : "", "subset '%s'", name);
    }
    if (cli->json) {
        return json_emit(cli, json_pack("{s:o}", "deleted", json_text(name)));
    }
    fprintf(cli->out, "deleted subset %s\n", name);
    return CLI_OK;
}
