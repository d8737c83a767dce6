/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bookmark and diff: following what changes. A diff may have millions of ranges, so it is printed as it is read.
 */
#include "cli.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {"same", "changed", "unknown", "lost"};
enum { KINDS = sizeof(kind_names) / sizeof(kind_names[0]) };

/* With blocks given: a new one. Without: a snapshot becomes one. */
int cmd_bookmark(struct cli *cli) {
    const uint64_t blocks = OPT_BIT(OPT_SUBSET) | OPT_BIT(OPT_RANGE) | OPT_BIT(OPT_WHOLE) | OPT_BIT(OPT_MINUS) |
                            OPT_BIT(OPT_PARTITION);
    if ((cli->args.given & blocks) != 0) {
        return create_snapshot(cli, SELSNAP_SNAPSHOT_BOOKMARK);
    }
    selsnap_snapshot_info info;
    int result = session_open(cli, true);
    result = result == CLI_OK ? session_find(cli, &info) : result;
    if (result != CLI_OK) {
        return result;
    }
    int code = selsnap_snapshot_make_bookmark(cli->ss, info.id);
    if (code != SELSNAP_OK) {
        return fail(cli, code, "snapshot '%s'", info.name);
    }
    if (cli->json) {
        return json_emit(cli, json_pack("{s:o, s:o}", "bookmark", json_text(info.name), "id", json_u64(info.id)));
    }
    fprintf(cli->out, "snapshot %s is a bookmark; 'step' gives its space back\n", info.name);
    return CLI_OK;
}

/* Ends the JSON that was begun, whatever happened, so that it stays readable. */
static void end_ranges(struct cli *cli, const uint64_t *bytes) {
    char changed[32];
    char unknown[32];
    char lost[32];
    if (cli->json) {
        fprintf(cli->out,
                "], \"changed_bytes\": %" PRIu64 ", \"unknown_bytes\": %" PRIu64 ", \"lost_bytes\": %" PRIu64 "}\n",
                bytes[SELSNAP_DIFF_CHANGED], bytes[SELSNAP_DIFF_UNKNOWN], bytes[SELSNAP_DIFF_LOST]);
        return;
    }
    fprintf(cli->out, "%s changed, %s unknown, %s lost\n",
            size_text(bytes[SELSNAP_DIFF_CHANGED], changed, sizeof(changed)),
            size_text(bytes[SELSNAP_DIFF_UNKNOWN], unknown, sizeof(unknown)),
            size_text(bytes[SELSNAP_DIFF_LOST], lost, sizeof(lost)));
}

static void print_range(struct cli *cli, const selsnap_diff_range *range, bool first) {
    const char *kind = kind_names[range->kind < KINDS ? range->kind : SELSNAP_DIFF_CHANGED];
    if (cli->json) {
        fputs(first ? "\n " : ",\n ", cli->out);
        json_stream(cli, json_pack("{s:o, s:o, s:s}", "offset", json_u64(range->offset), "length", json_u64(range->len),
                                   "kind", kind));
    } else {
        fprintf(cli->out, "%-8s %" PRIu64 ":%" PRIu64 "\n", kind, range->offset, range->len);
    }
}

static int print_diff(struct cli *cli, const selsnap_diff_options *options) {
    uint64_t bytes[KINDS] = {0};
    selsnap_diff_range range;
    uint64_t at = 0;
    bool first = true;
    if (cli->json) {
        fprintf(cli->out, "{\"from\": %" PRIu64 ", \"to\": %" PRIu64 ", \"ranges\": [", options->from_id,
                options->to_id);
    }
    int code;
    while ((code = stop_asked(cli) ? SELSNAP_ECANCELED : selsnap_diff_next(cli->ss, options, at, &range)) ==
           SELSNAP_OK) {
        print_range(cli, &range, first);
        bytes[range.kind < KINDS ? range.kind : SELSNAP_DIFF_CHANGED] += range.len;
        at = range.offset + range.len;
        first = false;
    }
    end_ranges(cli, bytes);
    return code == SELSNAP_ENOENT ? CLI_OK : fail(cli, code, "diff");
}

/* The id of a snapshot by its name. */
static int find(struct cli *cli, const char *name, uint64_t *ret_id) {
    selsnap_snapshot_info info;
    memset(&info, 0, sizeof(info));
    info.struct_size = sizeof(info);
    int code = selsnap_snapshot_find(cli->ss, name, &info);
    *ret_id = code == SELSNAP_OK ? info.id : 0;
    return code == SELSNAP_OK ? CLI_OK : fail(cli, code, "snapshot '%s'", name);
}

int cmd_diff(struct cli *cli) {
    const struct args *args = &cli->args;
    selsnap_diff_options options = SELSNAP_DIFF_OPTIONS_INIT;
    selsnap_subset *within = NULL;
    int result = session_open(cli, false);
    result = result == CLI_OK ? find(cli, args->names[0], &options.from_id) : result;
    if (result == CLI_OK && args->name_count > 1) {
        result = find(cli, args->names[1], &options.to_id);
    }
    if (result == CLI_OK && args->ranges.count > 0) {
        result = session_subset(cli, &within);
    }
    if (result != CLI_OK) {
        return result;
    }
    options.within = within;
    selsnap_diff_range none;
    int code = selsnap_diff_next(cli->ss, &options, selsnap_size(cli->ss), &none);
    result = code == SELSNAP_ENOENT ? print_diff(cli, &options) : fail(cli, code, "diff");
    selsnap_subset_close(within);
    return result;
}
