/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list and show: what snapshots there are, and all about one.
 */
#include "cli.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Ranges printed for people; --json gives all. */
#define RANGES_SHOWN 32

static const char *policy_text(uint32_t policy) {
    return policy == SELSNAP_POLICY_GIVE_UP_BLOCK ? "give-up" : "fail";
}

static json_t *info_json(const selsnap_snapshot_info *info) {
    char when[32];
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:I, s:s, s:s, s:o, s:o, s:i, s:b, s:b}", "id", json_u64(info->id), "name",
                  json_text(info->name), "point", json_u64(info->point), "time_ns", (json_int_t)info->time_ns, "time",
                  time_text(info->time_ns, when, sizeof(when)), "policy", policy_text(info->policy), "block_count",
                  json_u64(info->block_count), "range_count", json_u64(info->range_count), "holds", (int)info->holds,
                  "changed", (int)info->changed, "restoring", (int)info->restoring);
    json_object_set_new(object, "quota_bytes", json_u64(info->quota_bytes));
    json_object_set_new(object, "origin_bytes", json_u64(info->origin_bytes));
    json_object_set_new(object, "bookmark", json_boolean(info->bookmark != 0));
    json_object_set_new(object, "subset", info->designation[0] == '\0' ? json_null() : json_text(info->designation));
    return object;
}

static void print_row(struct cli *cli, const selsnap_snapshot_info *info) {
    char when[32];
    char size[32];
    char notes[64] = "";
    if (info->holds > 0) {
        snprintf(notes, sizeof(notes), " held");
    }
    if (info->bookmark != 0) {
        strncat(notes, " bookmark", sizeof(notes) - strlen(notes) - 1);
    }
    if (info->changed != 0) {
        strncat(notes, " changed", sizeof(notes) - strlen(notes) - 1);
    }
    if (info->restoring != 0) {
        strncat(notes, " restoring", sizeof(notes) - strlen(notes) - 1);
    }
    fprintf(cli->out, "%6" PRIu64 "  %-20s  %10s  %-7s  %s%s%s%s%s\n", info->id,
            time_text(info->time_ns, when, sizeof(when)),
            size_text(info->block_count * selsnap_block_size(cli->ss), size, sizeof(size)), policy_text(info->policy),
            info->name, info->designation[0] == '\0' ? "" : "  subset ", info->designation, notes[0] == '\0' ? "" : " ",
            notes);
}

int cmd_list(struct cli *cli) {
    int result = session_open(cli, false);
    if (result != CLI_OK) {
        return result;
    }
    json_t *list = cli->json ? json_array() : NULL;
    selsnap_snapshot_info info;
    memset(&info, 0, sizeof(info));
    info.struct_size = sizeof(info);
    bool first = true;
    int code;
    while ((code = selsnap_snapshot_next(cli->ss, info.id, &info)) == SELSNAP_OK) {
        if (cli->json) {
            json_array_append_new(list, info_json(&info));
            continue;
        }
        if (first) {
            fprintf(cli->out, "%6s  %-20s  %10s  %-7s  %s\n", "ID", "TIME", "SIZE", "POLICY", "NAME");
            first = false;
        }
        print_row(cli, &info);
    }
    if (code != SELSNAP_ENOENT) {
        json_decref(list);
        return fail(cli, code, "snapshots");
    }
    return cli->json ? json_emit(cli, json_pack("{s:o}", "snapshots", list)) : CLI_OK;
}

static json_t *usage_json(const selsnap_snapshot_usage *usage) {
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "preserved_blocks", json_u64(usage->preserved_blocks),
                     "zero_blocks", json_u64(usage->zero_blocks), "lost_blocks", json_u64(usage->lost_blocks),
                     "alone_bytes", json_u64(usage->alone_bytes), "shared_bytes", json_u64(usage->shared_bytes),
                     "overlay_blocks", json_u64(usage->overlay_blocks), "overlay_bytes",
                     json_u64(usage->overlay_bytes));
}

/* The property after @p key, which is replaced by the one found. */
static int next_property(struct cli *cli, uint64_t id, char *key, char *ret_value) {
    char after[SELSNAP_PROPERTY_KEY_MAX + 1];
    memcpy(after, key, sizeof(after));
    return selsnap_snapshot_next_property(cli->ss, id, after, key, ret_value);
}

static int show_json(struct cli *cli, const selsnap_snapshot_info *info, const selsnap_snapshot_usage *usage,
                     const selsnap_subset *subset) {
    json_t *notes = json_object();
    char key[SELSNAP_PROPERTY_KEY_MAX + 1] = "";
    char value[SELSNAP_PROPERTY_VALUE_MAX + 1];
    int code;
    while ((code = next_property(cli, info->id, key, value)) == SELSNAP_OK) {
        json_object_set_new(notes, key, json_text(value));
    }
    if (code != SELSNAP_ENOENT) {
        json_decref(notes);
        return fail(cli, code, "properties");
    }
    json_t *object = info_json(info);
    json_object_set_new(object, "bytes", json_u64(selsnap_subset_byte_count(subset)));
    json_object_set_new(object, "usage", usage_json(usage));
    json_object_set_new(object, "properties", notes);
    json_object_set_new(object, "ranges", json_ranges(subset));
    return json_emit(cli, object);
}

static void print_info(struct cli *cli, const selsnap_snapshot_info *info, const selsnap_snapshot_usage *usage) {
    char text[32];
    uint64_t block_bytes = selsnap_block_size(cli->ss);
    fprintf(cli->out, "name        %s\n", info->name);
    fprintf(cli->out, "id          %" PRIu64 "\n", info->id);
    fprintf(cli->out, "time        %s\n", time_text(info->time_ns, text, sizeof(text)));
    fprintf(cli->out, "policy      %s\n", policy_text(info->policy));
    fprintf(cli->out, "holds       %" PRIu32 "\n", info->holds);
    if (info->designation[0] != '\0') {
        fprintf(cli->out, "subset      %s\n", info->designation);
    }
    fprintf(cli->out, "designated  %" PRIu64 " blocks in %" PRIu64 " ranges, %s\n", info->block_count,
            info->range_count, size_text(info->block_count * block_bytes, text, sizeof(text)));
    fprintf(cli->out,
            "changed     %" PRIu64 " blocks since it was made (%" PRIu64 " of them zeros, %" PRIu64 " lost)\n",
            usage->preserved_blocks, usage->zero_blocks, usage->lost_blocks);
    fprintf(cli->out, "written     %" PRIu64 " blocks into it, %s\n", usage->overlay_blocks,
            size_text(usage->overlay_bytes, text, sizeof(text)));
    if (usage->quota_bytes != 0) {
        fprintf(cli->out, "quota       %s that may be written into it\n",
                size_text(usage->quota_bytes, text, sizeof(text)));
    }
    fprintf(cli->out, "alone       %s that deleting it would free\n",
            size_text(usage->alone_bytes, text, sizeof(text)));
    fprintf(cli->out, "shared      %s that other snapshots need too\n",
            size_text(usage->shared_bytes, text, sizeof(text)));
    if (info->bookmark != 0) {
        fprintf(cli->out, "bookmark    it keeps no data\n");
    }
    if (info->restoring != 0) {
        fprintf(cli->out, "restoring   a restore reads from it\n");
    }
}

static int show_text(struct cli *cli, const selsnap_snapshot_info *info, const selsnap_snapshot_usage *usage,
                     const selsnap_subset *subset) {
    print_info(cli, info, usage);
    char key[SELSNAP_PROPERTY_KEY_MAX + 1] = "";
    char value[SELSNAP_PROPERTY_VALUE_MAX + 1];
    int code;
    while ((code = next_property(cli, info->id, key, value)) == SELSNAP_OK) {
        fprintf(cli->out, "property    %s=%s\n", key, value);
    }
    if (code != SELSNAP_ENOENT) {
        return fail(cli, code, "properties");
    }
    selsnap_range range = {0, 0};
    uint64_t shown = 0;
    while (shown < RANGES_SHOWN && selsnap_subset_next(subset, range.offset + range.len, &range) == SELSNAP_OK) {
        fprintf(cli->out, "range       %" PRIu64 ":%" PRIu64 "\n", range.offset, range.len);
        shown++;
    }
    if (info->range_count > shown) {
        fprintf(cli->out, "            and %" PRIu64 " more; --json lists them\n", info->range_count - shown);
    }
    return CLI_OK;
}

int cmd_show(struct cli *cli) {
    selsnap_snapshot_info info;
    int result = session_open(cli, false);
    if (result == CLI_OK) {
        result = session_find(cli, &info);
    }
    if (result != CLI_OK) {
        return result;
    }
    selsnap_snapshot_usage usage;
    memset(&usage, 0, sizeof(usage));
    usage.struct_size = sizeof(usage);
    struct progress progress;
    progress_init(&progress, cli, "counting");
    selsnap_subset *subset = NULL;
    int code = selsnap_snapshot_get_usage(cli->ss, info.id, progress_tell, &progress, &usage);
    progress_end(&progress);
    if (code == SELSNAP_OK) {
        code = selsnap_snapshot_get_subset(cli->ss, info.id, &subset);
    }
    if (code != SELSNAP_OK) {
        return fail(cli, code, "snapshot '%s'", info.name);
    }
    result = cli->json ? show_json(cli, &info, &usage, subset) : show_text(cli, &info, &usage, subset);
    selsnap_subset_close(subset);
    return result;
}
