/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See transfer.h. Chunks end at multiples of CLI_CHUNK, so that no block is touched by two writes: it would be read,
 * changed and written twice.
 */
#include "transfer.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int target_open(struct cli *cli, uint32_t flags, struct target *ret_target) {
    ret_target->cli = cli;
    ret_target->view = NULL;
    int result = session_open(cli, (flags & SELSNAP_VIEW_WRITABLE) != 0);
    ret_target->size = result == CLI_OK ? selsnap_size(cli->ss) : 0;
    if (result != CLI_OK || args_given(&cli->args, OPT_LIVE)) {
        return result;
    }
    selsnap_snapshot_info info;
    result = session_find(cli, &info);
    if (result != CLI_OK) {
        return result;
    }
    ret_target->size = info.origin_bytes;
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = info.id;
    options.flags = flags;
    options.undesignated = (uint32_t)cli->args.undesignated;
    int code = selsnap_view_open(cli->ss, &options, &ret_target->view);
    if (code != SELSNAP_OK) {
        ret_target->view = NULL;
        return fail(cli, code, "snapshot '%s'", info.name);
    }
    return CLI_OK;
}

int target_close(struct target *target, bool writable, int result) {
    struct cli *cli = target->cli;
    int code = SELSNAP_OK;
    if (result == CLI_OK && writable) {
        code = target->view != NULL ? selsnap_view_flush(target->view) : selsnap_flush(cli->ss);
    }
    if (code != SELSNAP_OK) {
        result = fail(cli, code, "making it durable");
    }
    code = selsnap_view_close(target->view);
    target->view = NULL;
    if (code != SELSNAP_OK && result == CLI_OK) {
        result = fail(cli, code, "closing the view");
    }
    return result;
}

int target_read(struct target *target, void *buf, size_t len, uint64_t offset) {
    return target->view != NULL ? selsnap_view_read(target->view, buf, len, offset)
                                : selsnap_read(target->cli->ss, buf, len, offset);
}

int target_write(struct target *target, const void *buf, size_t len, uint64_t offset) {
    return target->view != NULL ? selsnap_view_write(target->view, buf, len, offset)
                                : selsnap_write(target->cli->ss, buf, len, offset);
}

int target_fail(struct target *target, int code, uint64_t offset) {
    if (target->view == NULL) {
        return fail(target->cli, code, "live device at offset %" PRIu64, offset);
    }
    return fail(target->cli, code, "snapshot '%s' at offset %" PRIu64, target->cli->args.names[0], offset);
}

int target_check_range(struct target *target, uint64_t offset, uint64_t len) {
    uint64_t size = target->size;
    if (offset > size || len > size - offset) {
        char detail[96];
        snprintf(detail, sizeof(detail), "not inside the origin, which has %" PRIu64 " bytes", size);
        return fail_with(target->cli, SELSNAP_ERANGE, detail, "offset %" PRIu64 ", length %" PRIu64, offset, len);
    }
    return CLI_OK;
}

size_t chunk_at(uint64_t offset, uint64_t left) {
    uint64_t len = CLI_CHUNK - offset % CLI_CHUNK;
    return (size_t)(len < left ? len : left);
}
