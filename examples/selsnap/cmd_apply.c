/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply: make the live device like a file, by writing the blocks that differ and no others. This is how a tool that
 * only knows files (debugfs, an image builder, a copy made elsewhere) changes a device that snapshots protect.
 */
#include "transfer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct apply {
    struct target target;
    int fd;
    size_t block_bytes;
    unsigned char *wanted;  /* CLI_CHUNK bytes of the file. */
    unsigned char *present; /* The same place on the device. */
    uint64_t compared_blocks;
    uint64_t written_blocks;
    uint64_t writes;
};

static bool differs(const struct apply *apply, size_t at, size_t len) {
    return memcmp(apply->wanted + at, apply->present + at, len) != 0;
}

/* Compare @p len bytes at @p offset, and write each run of blocks that differ in one call. */
static int apply_chunk(struct apply *apply, uint64_t offset, size_t len) {
    int code = target_read(&apply->target, apply->present, len, offset);
    size_t run_at = 0;
    size_t run_len = 0;
    size_t at = 0;
    while (code == SELSNAP_OK && (at < len || run_len > 0)) {
        size_t piece = len - at < apply->block_bytes ? len - at : apply->block_bytes;
        if (piece > 0 && differs(apply, at, piece)) {
            run_at = run_len == 0 ? at : run_at;
            run_len += piece;
            apply->written_blocks++;
        } else if (run_len > 0) {
            code = target_write(&apply->target, apply->wanted + run_at, run_len, offset + run_at);
            apply->writes++;
            run_len = 0;
        }
        apply->compared_blocks += piece > 0 ? 1 : 0;
        at += piece;
    }
    return code == SELSNAP_OK ? CLI_OK : target_fail(&apply->target, code, offset);
}

static int apply_file(struct apply *apply, uint64_t total, struct progress *progress) {
    struct cli *cli = apply->target.cli;
    int result = CLI_OK;
    uint64_t done = 0;
    while (result == CLI_OK) {
        size_t len = 0;
        int error = read_whole(cli, apply->fd, apply->wanted, CLI_CHUNK, &len);
        if (progress_tell(progress, done, total) != 0) {
            result = target_fail(&apply->target, SELSNAP_ECANCELED, done);
        } else if (error != 0) {
            result = fail_system(cli, error, "'%s' after %" PRIu64 " bytes", cli->args.names[0], done);
        } else if (len == 0) {
            break;
        } else {
            result = apply_chunk(apply, done, len);
        }
        done += len;
    }
    return result;
}

static int tell_applied(struct apply *apply) {
    struct cli *cli = apply->target.cli;
    if (cli->json) {
        json_t *object = figures_json(cli);
        json_object_set_new(object, "blocks_compared", json_u64(apply->compared_blocks));
        json_object_set_new(object, "blocks_written", json_u64(apply->written_blocks));
        json_object_set_new(object, "writes", json_u64(apply->writes));
        return json_emit(cli, object);
    }
    fprintf(cli->out, "applied %s: %" PRIu64 " of %" PRIu64 " blocks differed, written in %" PRIu64 " calls; ",
            cli->args.names[0], apply->written_blocks, apply->compared_blocks, apply->writes);
    figures_print(cli);
    fputc('\n', cli->out);
    return CLI_OK;
}

static int run(struct apply *apply) {
    struct cli *cli = apply->target.cli;
    uint64_t left = file_left(apply->fd);
    apply->target.size = selsnap_size(cli->ss);
    int result = target_check_range(&apply->target, 0, left == UINT64_MAX ? 0 : left);
    apply->block_bytes = selsnap_block_size(cli->ss);
    apply->wanted = malloc(CLI_CHUNK);
    apply->present = malloc(CLI_CHUNK);
    if (result == CLI_OK && (apply->wanted == NULL || apply->present == NULL)) {
        result = fail_with(cli, SELSNAP_ENOMEM, "", "buffer");
    }
    struct progress progress;
    progress_init(&progress, cli, "applying");
    progress.unit_bytes = 1;
    if (result == CLI_OK) {
        result = apply_file(apply, left == UINT64_MAX ? selsnap_size(cli->ss) : left, &progress);
    }
    progress_end(&progress);
    result = target_close(&apply->target, true, result);
    free(apply->wanted);
    free(apply->present);
    return result;
}

int cmd_apply(struct cli *cli) {
    const char *path = cli->args.names[0];
    struct apply apply;
    memset(&apply, 0, sizeof(apply));
    apply.fd = open_file(cli, path, O_RDONLY);
    if (apply.fd < 0) {
        return errno == ENOENT ? fail_with(cli, SELSNAP_ENOENT, "no such file", "'%s'", path)
                               : fail_system(cli, errno, "'%s'", path);
    }
    apply.target.cli = cli;
    int result = session_open(cli, true);
    if (result == CLI_OK) {
        result = run(&apply);
    }
    close(apply.fd);
    return result == CLI_OK ? tell_applied(&apply) : result;
}
