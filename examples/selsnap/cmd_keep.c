/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long snapshots are kept: hold, holds, release, expire, and what deleting would free.
 */
#include "cli.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int begin(struct cli *cli, bool writable, selsnap_snapshot_info *ret_info) {
    int result = session_open(cli, writable);
    return result == CLI_OK ? session_find(cli, ret_info) : result;
}

/* ---- holds ---- */

int cmd_hold(struct cli *cli) {
    const struct args *args = &cli->args;
    selsnap_snapshot_info info;
    if (args_given(args, OPT_LOCK) && (!args_given(args, OPT_UNTIL) || args->until == 0)) {
        return fail_usage(cli, "--lock needs --until");
    }
    int result = begin(cli, true, &info);
    if (result != CLI_OK) {
        return result;
    }
    selsnap_hold_options options = SELSNAP_HOLD_OPTIONS_INIT;
    options.flags = args_given(args, OPT_LOCK) ? SELSNAP_HOLD_LOCK : 0;
    options.until_ns = args->until;
    options.reason = args->reason;
    bool plain = !args_given(args, OPT_LOCK) && !args_given(args, OPT_UNTIL) && !args_given(args, OPT_REASON);
    uint64_t hold = 0;
    int code = plain ? selsnap_snapshot_hold(cli->ss, info.id) : selsnap_hold_add(cli->ss, info.id, &options, &hold);
    if (code != SELSNAP_OK) {
        return fail(cli, code, "snapshot '%s'", info.name);
    }
    if (cli->json) {
        json_t *told = json_pack("{s:o, s:o}", "held", json_text(info.name), "id", json_u64(info.id));
        if (told != NULL && !plain) {
            json_object_set_new(told, "hold", json_u64(hold));
        }
        return json_emit(cli, told);
    }
    fprintf(cli->out, "held %s", info.name);
    fprintf(cli->out, plain ? "\n" : " (hold %" PRIu64 ")\n", hold);
    return CLI_OK;
}

int cmd_release(struct cli *cli) {
    selsnap_snapshot_info info;
    int result = begin(cli, true, &info);
    if (result != CLI_OK) {
        return result;
    }
    bool one = args_given(&cli->args, OPT_HOLD);
    int code =
        one ? selsnap_hold_release(cli->ss, info.id, cli->args.hold) : selsnap_snapshot_release(cli->ss, info.id);
    if (code == SELSNAP_EINVAL) {
        return fail_with(cli, code, "it has no hold without a number; 'holds' lists the others", "snapshot '%s'",
                         info.name);
    }
    if (code != SELSNAP_OK) {
        return fail(cli, code, "snapshot '%s'", info.name);
    }
    if (cli->json) {
        return json_emit(cli, json_pack("{s:o, s:o}", "released", json_text(info.name), "id", json_u64(info.id)));
    }
    fprintf(cli->out, "released %s\n", info.name);
    return CLI_OK;
}

static json_t *hold_json(const selsnap_hold_info *hold) {
    return json_pack("{s:o, s:I, s:I, s:b, s:b, s:o}", "hold", json_u64(hold->hold), "since_ns",
                     (json_int_t)hold->since_ns, "until_ns", (json_int_t)hold->until_ns, "lock",
                     (hold->flags & SELSNAP_HOLD_LOCK) != 0, "ended", hold->ended != 0, "reason",
                     json_text(hold->reason));
}

static void hold_print(struct cli *cli, const selsnap_hold_info *hold) {
    char until[32] = "-";
    if (hold->until_ns != 0) {
        time_text(hold->until_ns, until, sizeof(until));
    }
    fprintf(cli->out, "%-6" PRIu64 " %-20s %-5s %s\n", hold->hold, until,
            hold->ended                              ? "ended"
            : (hold->flags & SELSNAP_HOLD_LOCK) != 0 ? "lock"
                                                     : "hold",
            hold->reason);
}

int cmd_holds(struct cli *cli) {
    selsnap_snapshot_info info;
    selsnap_hold_info hold;
    memset(&hold, 0, sizeof(hold));
    hold.struct_size = sizeof(hold);
    int result = begin(cli, false, &info);
    if (result != CLI_OK) {
        return result;
    }
    json_t *list = cli->json ? json_array() : NULL;
    int code;
    while ((code = selsnap_hold_next(cli->ss, info.id, hold.hold, &hold)) == SELSNAP_OK) {
        if (cli->json) {
            json_array_append_new(list, hold_json(&hold));
        } else {
            hold_print(cli, &hold);
        }
    }
    if (code != SELSNAP_ENOENT) {
        json_decref(list);
        return fail(cli, code, "snapshot '%s'", info.name);
    }
    return cli->json ? json_emit(cli, list) : CLI_OK;
}

/* ---- deleting ---- */

/* What is told of one deletion that is only asked about. */
int tell_freed(struct cli *cli, const selsnap_snapshot_info *info) {
    uint64_t bytes = 0;
    int code = selsnap_space_freed(cli->ss, &info->id, 1, NULL, NULL, &bytes);
    if (code != SELSNAP_OK) {
        return fail(cli, code, "snapshot '%s'", info->name);
    }
    if (cli->json) {
        return json_emit(cli, json_pack("{s:o, s:o, s:o}", "would_delete", json_text(info->name), "id",
                                        json_u64(info->id), "freed_bytes", json_u64(bytes)));
    }
    char size[32];
    fprintf(cli->out, "deleting %s would free %s\n", info->name, size_text(bytes, size, sizeof(size)));
    return CLI_OK;
}

/* ---- expire ---- */

struct sweep {
    struct cli *cli;
    bool dry_run;
    json_t *list;
    uint64_t *ids; /* of those that are deleted, or would be */
    uint32_t count;
    bool no_memory;
};

static const char *const reason_words[] = {"last",   "hourly", "daily",  "weekly",  "monthly",
                                           "yearly", "held",   "in use", "expired", "no rule"};
#define REASON_COUNT (sizeof(reason_words) / sizeof(reason_words[0]))

static int on_verdict(void *user, const selsnap_snapshot_info *info, uint32_t verdict, uint32_t reasons) {
    struct sweep *sweep = user;
    struct cli *cli = sweep->cli;
    bool gone = verdict == SELSNAP_VERDICT_DELETE;
    for (uint32_t i = 0; i < sweep->count; i++) {
        if (sweep->ids[i] == info->id) {
            return 0; /* a dry run: it has expired, and is told already */
        }
    }
    if (gone) {
        uint64_t *grown = realloc(sweep->ids, (sweep->count + 1) * sizeof(*grown));
        sweep->no_memory = grown == NULL;
        if (grown == NULL) {
            return 1;
        }
        sweep->ids = grown;
        sweep->ids[sweep->count++] = info->id;
    }
    if (!cli->json) {
        fprintf(cli->out, "%s %s:", gone ? (sweep->dry_run ? "would delete" : "deleted") : "keep", info->name);
    }
    json_t *words = cli->json ? json_array() : NULL;
    const char *before = " ";
    for (size_t i = 0; i < REASON_COUNT; i++) {
        if ((reasons >> i & 1) != 0 && cli->json) {
            json_array_append_new(words, json_string(reason_words[i]));
        } else if ((reasons >> i & 1) != 0) {
            fprintf(cli->out, "%s%s", before, reason_words[i]);
            before = ", ";
        }
    }
    if (cli->json) {
        json_array_append_new(sweep->list, json_pack("{s:o, s:o, s:b, s:o}", "name", json_text(info->name), "id",
                                                     json_u64(info->id), "delete", gone, "reasons", words));
    } else {
        fprintf(cli->out, "\n");
    }
    return 0;
}

static bool rules_of(const struct args *args, selsnap_keep_rules *rules) {
    const uint64_t given[] = {args->keep_last,   args->keep_hourly,  args->keep_daily,
                              args->keep_weekly, args->keep_monthly, args->keep_yearly};
    uint32_t *const wanted[] = {&rules->last,   &rules->hourly,  &rules->daily,
                                &rules->weekly, &rules->monthly, &rules->yearly};
    bool any = false;
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        *wanted[i] = given[i] < UINT32_MAX ? (uint32_t)given[i] : UINT32_MAX;
        any = any || given[i] != 0;
    }
    rules->name_prefix = args->prefix;
    rules->designation = args->subset;
    return any;
}

static int tell_swept(struct cli *cli, struct sweep *sweep, uint64_t freed) {
    if (cli->json) {
        json_t *told = json_pack("{s:o, s:o, s:b}", "snapshots", sweep->list, "deleted", json_u64(sweep->count),
                                 "dry_run", sweep->dry_run);
        sweep->list = NULL;
        if (told != NULL && sweep->dry_run) {
            json_object_set_new(told, "freed_bytes", json_u64(freed));
        }
        return json_emit(cli, told);
    }
    char size[32];
    if (sweep->dry_run) {
        fprintf(cli->out, "%" PRIu32 " would be deleted, which would free %s\n", sweep->count,
                size_text(freed, size, sizeof(size)));
    } else {
        fprintf(cli->out, "%" PRIu32 " deleted\n", sweep->count);
    }
    return CLI_OK;
}

static int sweep_all(struct cli *cli) {
    selsnap_keep_rules rules = SELSNAP_KEEP_RULES_INIT;
    bool any = rules_of(&cli->args, &rules);
    bool dry_run = args_given(&cli->args, OPT_DRY_RUN);
    if (!any && (rules.name_prefix != NULL || rules.designation != NULL)) {
        return fail_usage(cli, "--prefix and --subset choose what the --keep options look at");
    }
    int result = session_open(cli, !dry_run);
    if (result != CLI_OK) {
        return result;
    }
    struct sweep sweep = {.cli = cli, .dry_run = dry_run, .list = cli->json ? json_array() : NULL};
    uint32_t flags = dry_run ? SELSNAP_RETAIN_DRY_RUN : 0;
    int code = selsnap_expire(cli->ss, 0, flags, on_verdict, &sweep, NULL);
    if (code == SELSNAP_OK && any) {
        code = selsnap_retain(cli->ss, &rules, flags, on_verdict, &sweep, NULL);
    }
    uint64_t freed = 0;
    if (code == SELSNAP_OK && dry_run) {
        code = selsnap_space_freed(cli->ss, sweep.ids, sweep.count, NULL, NULL, &freed);
    }
    code = sweep.no_memory ? SELSNAP_ENOMEM : code;
    result = code == SELSNAP_OK ? tell_swept(cli, &sweep, freed) : fail(cli, code, "expire");
    json_decref(sweep.list);
    free(sweep.ids);
    return result;
}

int cmd_expire(struct cli *cli) {
    const struct args *args = &cli->args;
    selsnap_snapshot_info info;
    if (args->name_count == 0) {
        return args_given(args, OPT_UNTIL) ? fail_usage(cli, "--until needs NAME") : sweep_all(cli);
    }
    if (args->given & (OPT_KEEP_BITS | OPT_BIT(OPT_DRY_RUN) | OPT_BIT(OPT_PREFIX) | OPT_BIT(OPT_SUBSET)) ||
        !args_given(args, OPT_UNTIL)) {
        return fail_usage(cli, "NAME takes --until, and nothing else");
    }
    int result = begin(cli, true, &info);
    if (result != CLI_OK) {
        return result;
    }
    int code = selsnap_snapshot_set_expiry(cli->ss, info.id, args->until);
    if (code != SELSNAP_OK) {
        return fail(cli, code, "snapshot '%s'", info.name);
    }
    if (cli->json) {
        return json_emit(cli, json_pack("{s:o, s:o, s:I}", "name", json_text(info.name), "id", json_u64(info.id),
                                        "expires_ns", (json_int_t)args->until));
    }
    char until[32];
    fprintf(cli->out, "%s expires: %s\n", info.name,
            args->until == 0 ? "never" : time_text(args->until, until, sizeof(until)));
    return CLI_OK;
}
