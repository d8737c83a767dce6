/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write, zero, discard: change a snapshot or the live device.
 */
#include "transfer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* "wrote 12 KiB at 4096; 3 blocks preserved" */
static int tell_change(struct cli *cli, const char *verb, uint64_t offset, uint64_t length) {
    if (cli->json) {
        json_t *object = figures_json(cli);
        json_object_set_new(object, "offset", json_u64(offset));
        json_object_set_new(object, "length", json_u64(length));
        return json_emit(cli, object);
    }
    char size[32];
    fprintf(cli->out, "%s %s at %" PRIu64, verb, size_text(length, size, sizeof(size)), offset);
    if (args_given(&cli->args, OPT_LIVE)) {
        fprintf(cli->out, "; ");
        figures_print(cli);
    }
    fputc('\n', cli->out);
    return CLI_OK;
}

static int open_input(struct cli *cli, int *ret_fd) {
    const char *path = cli->args.input;
    if (path == NULL) {
        *ret_fd = cli->in_fd;
        return CLI_OK;
    }
    *ret_fd = open_file(cli, path, O_RDONLY);
    if (*ret_fd < 0) {
        return errno == ENOENT ? fail_with(cli, SELSNAP_ENOENT, "no such file", "input '%s'", path)
                               : fail_system(cli, errno, "input '%s'", path);
    }
    return CLI_OK;
}

/* Copy @p length bytes of the input, or all of it if that is UINT64_MAX. */
static int copy_in(struct target *target, int fd, uint64_t offset, uint64_t length, uint64_t *ret_done) {
    struct cli *cli = target->cli;
    unsigned char *buf = malloc(CLI_CHUNK);
    if (buf == NULL) {
        return fail_with(cli, SELSNAP_ENOMEM, "", "buffer");
    }
    int result = CLI_OK;
    uint64_t done = 0;
    while (result == CLI_OK && done < length) {
        size_t want = chunk_at(offset + done, length - done);
        size_t len = 0;
        int error = read_whole(cli, fd, buf, want, &len);
        if (stop_asked(cli)) {
            result = target_fail(target, SELSNAP_ECANCELED, offset + done);
        } else if (error != 0) {
            result = fail_system(cli, error, "input after %" PRIu64 " bytes", done);
        } else if (len > 0) {
            int code = target_write(target, buf, len, offset + done);
            result = code == SELSNAP_OK ? CLI_OK : target_fail(target, code, offset + done);
        }
        done += len;
        if (len < want) {
            break;
        }
    }
    free(buf);
    if (result == CLI_OK && length != UINT64_MAX && done < length) {
        char detail[64];
        snprintf(detail, sizeof(detail), "it ended after %" PRIu64 " bytes, which are written", done);
        result = fail_with(cli, SELSNAP_EINVAL, detail, "input");
    }
    *ret_done = done;
    return result;
}

int cmd_write(struct cli *cli) {
    const struct args *args = &cli->args;
    if (!args_given(args, OPT_OFFSET)) {
        return fail_usage(cli, "needs --offset");
    }
    int fd = -1;
    struct target target;
    int result = open_input(cli, &fd);
    if (result != CLI_OK) {
        return result;
    }
    uint64_t length = args_given(args, OPT_LENGTH) ? args->length : UINT64_MAX;
    uint64_t done = 0;
    result = target_open(cli, SELSNAP_VIEW_WRITABLE, &target);
    if (result == CLI_OK) {
        /* What is known not to fit is refused before anything is written. */
        uint64_t left = file_left(fd);
        uint64_t known = left < length ? left : length;
        result = target_check_range(&target, args->offset, known == UINT64_MAX ? 0 : known);
        if (result == CLI_OK) {
            result = copy_in(&target, fd, args->offset, length, &done);
        }
        result = target_close(&target, true, result);
    }
    if (fd != cli->in_fd) {
        close(fd);
    }
    return result == CLI_OK ? tell_change(cli, "wrote", args->offset, done) : result;
}

/* The live device's function, and a snapshot's. */
struct clearing {
    const char *verb;
    int (*live)(selsnap *ss, uint64_t offset, uint64_t len);
};

static int clear(struct cli *cli, const struct clearing *clearing) {
    const struct args *args = &cli->args;
    if (!args_given(args, OPT_OFFSET) || !args_given(args, OPT_LENGTH)) {
        return fail_usage(cli, "needs --offset and --length");
    }
    struct target target;
    int result = target_open(cli, SELSNAP_VIEW_WRITABLE, &target);
    if (result != CLI_OK) {
        return result;
    }
    uint64_t done = 0;
    result = target_check_range(&target, args->offset, args->length);
    while (result == CLI_OK && done < args->length) {
        /* In pieces, so that it can be stopped. */
        size_t len = chunk_at(args->offset + done, args->length - done);
        int code = SELSNAP_ECANCELED;
        if (!stop_asked(cli)) {
            code = target.view != NULL ? selsnap_view_discard(target.view, args->offset + done, len)
                                       : clearing->live(cli->ss, args->offset + done, len);
        }
        result = code == SELSNAP_OK ? CLI_OK : target_fail(&target, code, args->offset + done);
        done += len;
    }
    result = target_close(&target, true, result);
    return result == CLI_OK ? tell_change(cli, clearing->verb, args->offset, args->length) : result;
}

int cmd_zero(struct cli *cli) {
    static const struct clearing zeroing = {"zeroed", selsnap_write_zeroes};
    return clear(cli, &zeroing);
}

int cmd_discard(struct cli *cli) {
    static const struct clearing discarding = {"discarded", selsnap_discard};
    return clear(cli, &discarding);
}
