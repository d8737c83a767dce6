/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format: make a store. The one command that opens no context.
 */
#include "cli.h"
#include "system.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How much of a device is looked at for data of others: superblocks and partition tables lie there. */
#define LOOK_BYTES ((size_t)128 << 10)

int refuse_data(struct cli *cli, selsnap_device *device, const char *role, const char *path) {
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    int code = selsnap_device_get_info(device, &info);
    unsigned char *buf = calloc(1, LOOK_BYTES);
    if (buf == NULL) {
        return fail_with(cli, SELSNAP_ENOMEM, "", "%s '%s'", role, path);
    }
    int result = CLI_OK;
    size_t len = info.size_bytes < LOOK_BYTES ? (size_t)info.size_bytes : LOOK_BYTES;
    if (code == SELSNAP_OK) {
        code = selsnap_device_read(device, buf, len, 0);
    }
    if (code != SELSNAP_OK) {
        result = fail_with(cli, code, "", "%s '%s'", role, path);
    }
    for (size_t i = 0; result == CLI_OK && i < len; i++) {
        if (buf[i] != 0) {
            result = fail_with(cli, SELSNAP_EEXIST, "it is not empty", "%s '%s'", role, path);
        }
    }
    free(buf);
    return result;
}

/* The absolute path to record, so that later commands find the origin from anywhere. NULL: it does not fit. */
static const char *hint_path(const char *path, char *buf, size_t len) {
    char *full = system_full_path(path);
    const char *hint = NULL;
    if (full != NULL && strlen(full) < len) {
        memcpy(buf, full, strlen(full) + 1);
        hint = buf;
    }
    free(full);
    return hint;
}

static int tell_result(struct cli *cli, const char *path) {
    selsnap_device_info store = SELSNAP_DEVICE_INFO_INIT;
    selsnap_device_info origin = SELSNAP_DEVICE_INFO_INIT;
    int code = selsnap_device_get_info(cli->store, &store);
    if (code == SELSNAP_OK) {
        code = selsnap_device_get_info(cli->origin, &origin);
    }
    if (code != SELSNAP_OK) {
        return fail_with(cli, code, "", "store '%s'", path);
    }
    uint64_t block = cli->args.block_size;
    if (block == 0) {
        /* What the library chooses. */
        block =
            origin.logical_block_bytes > SELSNAP_BLOCK_SIZE_MIN ? origin.logical_block_bytes : SELSNAP_BLOCK_SIZE_MIN;
    }
    if (cli->json) {
        return json_emit(cli, json_pack("{s:o, s:o, s:o, s:o, s:o}", "store", json_text(path), "store_bytes",
                                        json_u64(store.size_bytes), "origin", json_text(cli->origin_name),
                                        "origin_bytes", json_u64(origin.size_bytes), "block_bytes", json_u64(block)));
    }
    char store_size[32];
    char origin_size[32];
    char block_size[32];
    fprintf(cli->out, "formatted %s (%s) as the store of %s (%s), blocks of %s\n", path,
            size_text(store.size_bytes, store_size, sizeof(store_size)), cli->origin_name,
            size_text(origin.size_bytes, origin_size, sizeof(origin_size)),
            size_text(block, block_size, sizeof(block_size)));
    return CLI_OK;
}

static int format_store(struct cli *cli, const char *path) {
    char message[512] = "";
    char hint[SELSNAP_ORIGIN_HINT_MAX + 1];
    selsnap_format_options options = SELSNAP_FORMAT_OPTIONS_INIT;
    options.flags = args_given(&cli->args, OPT_FORCE) ? SELSNAP_FORMAT_OVERWRITE : 0;
    options.block_bytes = (uint32_t)cli->args.block_size;
    options.journal_bytes = cli->args.journal_size;
    options.origin_hint = hint_path(cli->origin_name, hint, sizeof(hint));
    options.ret_message = message;
    options.message_size = sizeof(message);
    int code = selsnap_format(cli->store, cli->origin, &options);
    if (code == SELSNAP_EEXIST) {
        return fail_with(cli, code, "it holds a store already", "store '%s'", path);
    }
    if (code == SELSNAP_OK && options.origin_hint == NULL) {
        warn(cli, "the origin's path is too long to be recorded: later commands need -o");
    }
    return code == SELSNAP_OK ? CLI_OK : fail_with(cli, code, message, "store '%s'", path);
}

/* With --size: whether the file has to be made is found out by making it, so that a failure removes only our own. */
static int open_store(struct cli *cli, const char *path, bool *ret_created) {
    uint32_t flags = 0;
    if (args_given(&cli->args, OPT_SIZE)) {
        *ret_created = !system_is_there(path);
        flags = SELSNAP_FILE_CREATE;
    }
    return session_open_device(cli, "store", path, flags, cli->args.size, &cli->store);
}

static int check_sizes(struct cli *cli) {
    const struct args *args = &cli->args;
    uint64_t block = args->block_size;
    if (args_given(args, OPT_BLOCK_SIZE) &&
        (block < SELSNAP_BLOCK_SIZE_MIN || block > SELSNAP_BLOCK_SIZE_MAX || (block & (block - 1)) != 0)) {
        return fail_usage(cli, "--block-size: not a power of two from 4K to 1M");
    }
    if (args_given(args, OPT_SIZE) && (args->size == 0 || args->size > INT64_MAX)) {
        return fail_usage(cli, "--size: no file can have this size");
    }
    return CLI_OK;
}

int cmd_format(struct cli *cli) {
    int result = check_sizes(cli);
    if (result != CLI_OK) {
        return result;
    }
    const char *path = session_store_path(cli);
    if (path == NULL) {
        return CLI_USAGE;
    }
    cli->origin_name = cli->args.origin != NULL ? cli->args.origin : getenv("SELSNAP_ORIGIN");
    if (cli->origin_name == NULL || cli->origin_name[0] == '\0') {
        return fail_usage(cli, "needs -o ORIGIN");
    }
    bool created = false;
    /* Before the store, so that a misspelt origin leaves no new file behind. */
    result = session_open_device(cli, "origin", cli->origin_name, SELSNAP_FILE_READ_ONLY, 0, &cli->origin);
    if (result == CLI_OK) {
        result = open_store(cli, path, &created);
    }
    bool opened = result == CLI_OK;
    if (result == CLI_OK && !created && !args_given(&cli->args, OPT_FORCE)) {
        result = refuse_data(cli, cli->store, "store", path);
    }
    if (result == CLI_OK) {
        result = format_store(cli, path);
    }
    if (result != CLI_OK && opened && created) {
        (void)system_remove(path);
    }
    return result == CLI_OK ? tell_result(cli, path) : result;
}
