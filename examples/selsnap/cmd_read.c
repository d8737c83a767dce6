/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read: from a snapshot or the live device to a file or stdout.
 */
#include "transfer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Open the file to write to. A slip that names the store or the origin would destroy what it reads from. */
static int open_output(struct cli *cli, int *ret_fd) {
    const char *path = cli->args.output;
    if (path == NULL) {
        *ret_fd = cli->out_fd;
        return CLI_OK;
    }
    if (same_storage(cli, path, session_store_path(cli)) || same_storage(cli, path, cli->origin_name)) {
        return fail_with(cli, SELSNAP_EINVAL, "it is the store or the origin itself", "output '%s'", path);
    }
    *ret_fd = open_file(cli, path, O_WRONLY | O_CREAT | O_TRUNC);
    return *ret_fd >= 0 ? CLI_OK : fail_system(cli, errno, "output '%s'", path);
}

static int copy_out(struct target *target, int fd, uint64_t offset, uint64_t length) {
    struct cli *cli = target->cli;
    unsigned char *buf = malloc(CLI_CHUNK);
    if (buf == NULL) {
        return fail_with(cli, SELSNAP_ENOMEM, "", "buffer");
    }
    int result = CLI_OK;
    uint64_t done = 0;
    while (result == CLI_OK && done < length) {
        size_t len = chunk_at(offset + done, length - done);
        int code = stop_asked(cli) ? SELSNAP_ECANCELED : target_read(target, buf, len, offset + done);
        if (code != SELSNAP_OK) {
            result = target_fail(target, code, offset + done);
            break;
        }
        int error = write_whole(cli, fd, buf, len);
        if (error != 0) {
            result = fail_system(cli, error, "output after %" PRIu64 " bytes", done);
        }
        done += len;
    }
    free(buf);
    return result;
}

static int tell_read(struct cli *cli, uint64_t offset, uint64_t length) {
    if (cli->args.output == NULL) {
        /* stdout has the data. */
        return CLI_OK;
    }
    if (cli->json) {
        return json_emit(cli, json_pack("{s:o, s:o, s:o}", "output", json_text(cli->args.output), "offset",
                                        json_u64(offset), "length", json_u64(length)));
    }
    char size[32];
    fprintf(cli->out, "read %s to %s\n", size_text(length, size, sizeof(size)), cli->args.output);
    return CLI_OK;
}

int cmd_read(struct cli *cli) {
    const struct args *args = &cli->args;
    struct target target;
    bool live = args_given(args, OPT_LIVE);
    if (live && (args_given(args, OPT_PRISTINE) || args_given(args, OPT_UNDESIGNATED))) {
        return fail_usage(cli, "--pristine and --undesignated are about snapshots, not --live");
    }
    int result = target_open(cli, args_given(args, OPT_PRISTINE) ? SELSNAP_VIEW_PRISTINE : 0, &target);
    if (result != CLI_OK) {
        return result;
    }
    uint64_t offset = args->offset;
    uint64_t size = target.size;
    uint64_t length = args_given(args, OPT_LENGTH) ? args->length : offset <= size ? size - offset : 0;
    int fd = -1;
    result = target_check_range(&target, offset, length);
    if (result == CLI_OK) {
        result = open_output(cli, &fd);
    }
    if (result == CLI_OK) {
        result = copy_out(&target, fd, offset, length);
    }
    if (fd >= 0 && fd != cli->out_fd && close(fd) != 0 && result == CLI_OK) {
        result = fail_system(cli, errno, "output '%s'", args->output);
    }
    result = target_close(&target, false, result);
    return result == CLI_OK ? tell_read(cli, offset, length) : result;
}
