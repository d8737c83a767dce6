/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the command line to an open context, and back.
 */
#include "transfer.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void happenings_note(void *user, const selsnap_event *event) {
    struct happenings *happenings = user;
    switch (event->kind) {
    case SELSNAP_EVENT_STORE_FILLING:
        if (event->value > happenings->filled_percent) {
            happenings->filled_percent = event->value;
        }
        break;
    case SELSNAP_EVENT_BLOCK_LOST:
        if (event->value == 2) {
            happenings->unreadable_bytes += event->len;
        } else {
            happenings->lost_bytes += event->len;
        }
        break;
    case SELSNAP_EVENT_QUOTA:
        happenings->frees_above_quota = happenings->frees_above_quota || event->value > 100;
        if (event->value <= 100 && event->value > happenings->quota_percent) {
            happenings->quota_percent = event->value;
        }
        break;
    case SELSNAP_EVENT_STORE_FAILED:
        happenings->store_failed = true;
        break;
    default:
        break;
    }
}

static void tell_happenings(struct cli *cli) {
    const struct happenings *happenings = &cli->happenings;
    char size[32];
    if (happenings->lost_bytes > 0) {
        warn(cli, "no room in the store: the old content of %s was given up",
             size_text(happenings->lost_bytes, size, sizeof(size)));
    }
    if (happenings->unreadable_bytes > 0) {
        warn(cli, "the origin could not be read: the old content of %s is lost",
             size_text(happenings->unreadable_bytes, size, sizeof(size)));
    }
    if (happenings->filled_percent > 0) {
        warn(cli, "the store, or its quota, is %" PRId64 " %% full", happenings->filled_percent);
    }
    if (happenings->quota_percent > 0) {
        warn(cli, "what is written into the snapshot takes %" PRId64 " %% of its quota", happenings->quota_percent);
    }
    if (happenings->frees_above_quota) {
        warn(cli, "the store keeps more for the snapshot alone than its quota");
    }
    if (happenings->store_failed) {
        warn(cli, "the store device failed");
    }
}

const char *session_store_given(const struct cli *cli) {
    const char *path = cli->args.store != NULL ? cli->args.store : getenv("SELSNAP_STORE");
    return path != NULL && path[0] != '\0' ? path : NULL;
}

const char *session_store_path(struct cli *cli) {
    const char *path = cli->served != NULL ? cli->served->store_name : session_store_given(cli);
    if (path == NULL) {
        (void)fail_usage(cli, "needs -s STORE");
    }
    return path;
}

/* Where the origin is: -o, else $SELSNAP_ORIGIN, else what format recorded in the store. Returns an exit code. */
static int origin_path(struct cli *cli, const char *store_path, const char **ret_path) {
    const char *path = cli->args.origin;
    if (path == NULL) {
        path = getenv("SELSNAP_ORIGIN");
    }
    if (path == NULL || path[0] == '\0') {
        int code = selsnap_store_origin_hint(cli->store, cli->origin_hint, sizeof(cli->origin_hint));
        if (code != SELSNAP_OK && code != SELSNAP_ENOENT) {
            return fail(cli, code, "store '%s'", store_path);
        }
        if (code == SELSNAP_ENOENT || cli->origin_hint[0] == '\0') {
            return fail_usage(cli, "needs -o ORIGIN: the store has no path recorded");
        }
        path = cli->origin_hint;
    }
    *ret_path = path;
    return CLI_OK;
}

int session_open_device(struct cli *cli, const char *role, const char *path, uint32_t flags, uint64_t create_size,
                        selsnap_device **ret_device) {
    int error = 0;
    int code = selsnap_device_open_file(path, flags, create_size, ret_device, &error);
    if (code == SELSNAP_OK) {
        return CLI_OK;
    }
    if (code == SELSNAP_EINVAL) {
        return fail_with(cli, code, "neither a file nor a block device", "%s '%s'", role, path);
    }
    /* The library's code decides about exit code and hint; what the system said tells more. */
    return fail_with(cli, code, error != 0 ? strerror(error) : "", "%s '%s'", role, path);
}

static uint32_t open_flags(const struct args *args, bool writable) {
    uint32_t flags = writable ? 0 : SELSNAP_OPEN_READ_ONLY;
    if (args_given(args, OPT_OTHER_ORIGIN)) {
        flags |= SELSNAP_OPEN_OTHER_ORIGIN;
    }
    if (args_given(args, OPT_ORIGIN_CHANGED)) {
        flags |= SELSNAP_OPEN_ORIGIN_CHANGED;
    }
    return flags;
}

int session_open_devices(struct cli *cli, bool writable) {
    const char *store_path = session_store_path(cli);
    if (store_path == NULL) {
        return CLI_USAGE;
    }
    uint32_t device_flags = writable ? 0 : SELSNAP_FILE_READ_ONLY;
    int result = session_open_device(cli, "store", store_path, device_flags, 0, &cli->store);
    if (result == CLI_OK) {
        result = origin_path(cli, store_path, &cli->origin_name);
    }
    if (result == CLI_OK) {
        result = session_open_device(cli, "origin", cli->origin_name, device_flags, 0, &cli->origin);
    }
    return result;
}

/* Use the context that a server has open. What the command line says of store and origin must be what it serves. */
static int join(struct cli *cli, bool writable) {
    const struct args *args = &cli->args;
    const struct served *served = cli->served;
    if (args->store != NULL && !same_storage(cli, args->store, served->store_name)) {
        return fail_with(cli, SELSNAP_EINVAL, "this server has another one open", "store '%s'", args->store);
    }
    if (args->origin != NULL && !same_storage(cli, args->origin, served->origin_name)) {
        return fail_with(cli, SELSNAP_EINVAL, "this server has another one open", "origin '%s'", args->origin);
    }
    if (args_given(args, OPT_OTHER_ORIGIN) || args_given(args, OPT_ORIGIN_CHANGED) || args_given(args, OPT_MEMORY)) {
        return fail_usage(cli, "--other-origin, --origin-changed and --memory: a server has the store open already");
    }
    if (writable && args_given(args, OPT_READ_ONLY)) {
        return fail_with(cli, SELSNAP_EREADONLY, "", "store '%s'", served->store_name);
    }
    cli->ss = served->ss;
    cli->origin_name = served->origin_name;
    cli->before.struct_size = sizeof(cli->before);
    int code = selsnap_get_stats(cli->ss, &cli->before);
    return code == SELSNAP_OK ? CLI_OK : fail(cli, code, "figures");
}

int session_open(struct cli *cli, bool writable) {
    if (cli->served != NULL) {
        return join(cli, writable);
    }
    if (args_given(&cli->args, OPT_READ_ONLY)) {
        writable = false;
    }
    int result = session_open_devices(cli, writable);
    if (result != CLI_OK) {
        return result;
    }
    char message[512] = "";
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.flags = open_flags(&cli->args, writable);
    options.memory_limit = cli->args.memory;
    options.event = happenings_note;
    options.event_user = &cli->happenings;
    options.ret_message = message;
    options.message_size = sizeof(message);
    int code = selsnap_open(cli->store, cli->origin, &options, &cli->ss);
    if (code != SELSNAP_OK) {
        cli->ss = NULL;
        return fail_with(cli, code, message, "store '%s'", session_store_path(cli));
    }
    return CLI_OK;
}

int session_close(struct cli *cli, int exit_code) {
    if (cli->served != NULL) {
        cli->ss = NULL;
        tell_happenings(cli);
        return exit_code;
    }
    int code = selsnap_close(cli->ss);
    cli->ss = NULL;
    if (code != SELSNAP_OK) {
        int result = fail_with(cli, code, "", "closing the store");
        exit_code = exit_code == CLI_OK ? result : exit_code;
    }
    selsnap_device_close(cli->store);
    selsnap_device_close(cli->origin);
    cli->store = NULL;
    cli->origin = NULL;
    tell_happenings(cli);
    return exit_code;
}

int session_find(struct cli *cli, selsnap_snapshot_info *ret_info) {
    memset(ret_info, 0, sizeof(*ret_info));
    ret_info->struct_size = sizeof(*ret_info);
    const char *name = cli->args.names[0];
    int code = selsnap_snapshot_find(cli->ss, name, ret_info);
    return code == SELSNAP_OK
               ? CLI_OK
               : fail_with(cli, code, code == SELSNAP_ENOENT ? "no such snapshot" : "", "snapshot '%s'", name);
}

/* Add the ranges of --range, or take out those of --minus. */
static int change_subset(struct cli *cli, selsnap_subset *subset, const struct range_list *list, bool add) {
    for (size_t i = 0; i < list->count; i++) {
        const selsnap_range *range = &list->items[i];
        int code = add ? selsnap_subset_add(subset, range->offset, range->len)
                       : selsnap_subset_remove(subset, range->offset, range->len);
        if (code == SELSNAP_ERANGE) {
            char detail[96];
            snprintf(detail, sizeof(detail), "not inside the origin, which has %" PRIu64 " bytes",
                     selsnap_size(cli->ss));
            return fail_with(cli, code, detail, "range %" PRIu64 ":%" PRIu64, range->offset, range->len);
        }
        if (code != SELSNAP_OK) {
            return fail_with(cli, code, "", "range %" PRIu64 ":%" PRIu64, range->offset, range->len);
        }
    }
    return CLI_OK;
}

int session_subset(struct cli *cli, selsnap_subset **ret_subset) {
    const struct args *args = &cli->args;
    selsnap_subset *subset = NULL;
    int code = args->subset != NULL ? selsnap_designation_load(cli->ss, args->subset, &subset)
                                    : selsnap_subset_open_for(cli->ss, &subset);
    if (code != SELSNAP_OK) {
        const char *detail = code == SELSNAP_ENOENT ? "no such subset" : "";
        return fail_with(cli, code, detail, "subset '%s'", args->subset != NULL ? args->subset : "");
    }
    int result = CLI_OK;
    bool some = args->subset != NULL || args->ranges.count > 0 || choices_add(args);
    if (!some || args_given(args, OPT_WHOLE)) {
        code = selsnap_subset_complement(subset);
        result = code == SELSNAP_OK ? CLI_OK : fail_with(cli, code, "", "whole origin");
    }
    if (result == CLI_OK) {
        result = change_subset(cli, subset, &args->ranges, true);
    }
    if (result == CLI_OK) {
        result = choices_apply(cli, subset, false);
    }
    if (result == CLI_OK) {
        result = change_subset(cli, subset, &args->minus, false);
    }
    if (result == CLI_OK) {
        result = choices_apply(cli, subset, true);
    }
    if (result == CLI_OK && selsnap_subset_block_count(subset) == 0) {
        result = fail_with(cli, SELSNAP_EINVAL, "no block is left", "subset");
    }
    if (result != CLI_OK) {
        selsnap_subset_close(subset);
        return result;
    }
    *ret_subset = subset;
    return CLI_OK;
}
