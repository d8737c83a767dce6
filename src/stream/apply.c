/* SPDX-License-Identifier: Apache-2.0 */
/* See apply.h. */
#include "apply.h"

#include "blockdev.h"
#include "streamin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MEMORY_DEFAULT (UINT64_C(64) << 20)
enum { ZEROS_AT_ONCE = 8 << 20 };

struct apply {
    selsnap_device *device; /* NULL: nothing is applied */
    const selsnap_stream_options *options;
    const selsnap_stream_id *holds;
    const selsnap_stream_token *token;
    struct ssn_mem mem;
    struct ssn_report report;
    struct ssn_stream_in in;
    struct ssn_stream_gauge gauge;
    struct ssn_stream_place done; /* what is applied whole */
    uint64_t written_blocks;
    bool touched; /* the device is not as it was */
};

bool ssn_apply_fits(const struct ssn_stream_header *header, const selsnap_stream_id *holds) {
    return holds->snapshot_id == header->base_snapshot_id && holds->point == header->base_point &&
           memcmp(holds->store_id, header->base_store_id, sizeof holds->store_id) == 0 &&
           (holds->flags & SELSNAP_STREAM_AS_CHANGED) == 0 &&
           (holds->ranges_digest == 0 || holds->ranges_digest == header->ranges_digest);
}

/* ---- before anything is written ---- */

static int check_place(struct apply *apply) {
    struct ssn_stream_place place;
    const struct ssn_stream_place *in = &apply->in.place;
    bool given = apply->token != NULL && ssn_stream_token_read(apply->token, &place);
    if (apply->token != NULL && !given) {
        return ssn_fail(&apply->report, SELSNAP_EBASE, "the token is damaged");
    }
    bool fits = given && memcmp(&place, in, sizeof place) == 0;
    if (apply->in.resumed && !fits && (given || apply->device != NULL)) {
        return ssn_fail(&apply->report, SELSNAP_EBASE,
                        "the stream goes on at block %" PRIu64 " of another one, or behind what has not arrived",
                        in->next_block);
    }
    return SELSNAP_OK;
}

static int check_target(struct apply *apply) {
    const struct ssn_stream_header *header = apply->in.header;
    const selsnap_device_info *device = &apply->device->info;
    if (device->size_bytes < header->origin_bytes) {
        return ssn_fail(&apply->report, SELSNAP_ERANGE,
                        "the device has %" PRIu64 " bytes, the stream's origin %" PRIu64, device->size_bytes,
                        header->origin_bytes);
    }
    if (header->origin_bytes % device->logical_block_bytes != 0 ||
        header->block_bytes % device->logical_block_bytes != 0) {
        return ssn_fail(&apply->report, SELSNAP_EALIGN, "the device has logical blocks of %" PRIu32 " bytes",
                        device->logical_block_bytes);
    }
    int rc = ssn_device_check(apply->device, 0, device->logical_block_bytes, true);
    if (rc != SELSNAP_OK) {
        return ssn_fail(&apply->report, rc, "the device cannot be written");
    }
    bool increment = (header->flags & SSN_STREAM_FLAG_INCREMENT) != 0;
    if (increment && (apply->holds == NULL || !ssn_apply_fits(header, apply->holds))) {
        return ssn_fail(&apply->report, SELSNAP_EBASE,
                        "the stream goes on from snapshot %" PRIu64 " at point %" PRIu64
                        ", which the device does not hold",
                        header->base_snapshot_id, header->base_point);
    }
    return SELSNAP_OK;
}

/* ---- writing ---- */

static int write_zeros(struct apply *apply, uint64_t offset, uint64_t end) {
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && offset < end) {
        uint64_t len = ssn_min_u64(ZEROS_AT_ONCE, end - offset);
        rc = ssn_device_write_zeroes(apply->device, offset, len);
        offset += len;
    }
    return rc;
}

static int apply_part(struct apply *apply, const struct ssn_stream_part *part) {
    const struct ssn_stream_header *header = apply->in.header;
    uint64_t offset = part->first * header->block_bytes;
    uint64_t end = ssn_min_u64((part->first + part->blocks) * header->block_bytes, header->origin_bytes);
    if (part->kind == SSN_STREAM_LOST) {
        return (apply->options->flags & SELSNAP_APPLY_SKIP_LOST) != 0
                   ? SELSNAP_OK
                   : ssn_fail(&apply->report, SELSNAP_ELOST, "%" PRIu32 " blocks from block %" PRIu64 " on are lost",
                              part->blocks, part->first);
    }
    apply->touched = true;
    int rc = part->kind == SSN_STREAM_ZEROS
                 ? write_zeros(apply, offset, end)
                 : ssn_device_write(apply->device, part->bytes, (size_t)(end - offset), offset);
    if (rc != SELSNAP_OK) {
        return ssn_fail(&apply->report, rc, "the device failed to write %" PRIu64 " bytes at %" PRIu64, end - offset,
                        offset);
    }
    apply->written_blocks += part->blocks;
    return SELSNAP_OK;
}

static int tell_progress(struct apply *apply) {
    const selsnap_stream_options *options = apply->options;
    if (options->progress == NULL) {
        return SELSNAP_OK;
    }
    uint64_t done = ssn_stream_gauge_at(&apply->gauge, apply->in.place.next_block);
    return options->progress(options->progress_user, done, apply->in.header->block_count) == 0
               ? SELSNAP_OK
               : ssn_fail(&apply->report, SELSNAP_ECANCELED, "it was stopped");
}

static int apply_all(struct apply *apply) {
    struct ssn_stream_part part;
    int rc = SELSNAP_OK;
    apply->done = apply->in.place;
    do {
        rc = ssn_stream_in_next(&apply->in, &part);
        if (rc == SELSNAP_OK && part.blocks > 0 && apply->device != NULL) {
            rc = apply_part(apply, &part);
        }
        if (rc == SELSNAP_OK) {
            apply->done = apply->in.place;
            rc = tell_progress(apply);
        }
    } while (rc == SELSNAP_OK && part.blocks > 0);
    return rc;
}

/* ---- all of it ---- */

static int run(struct apply *apply, selsnap_stream_read_fn read, void *user) {
    int rc = ssn_stream_in_open(&apply->in, read, user, &apply->mem, &apply->report);
    rc = rc == SELSNAP_OK ? check_place(apply) : rc;
    rc = rc == SELSNAP_OK && apply->device != NULL ? check_target(apply) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    apply->gauge.subset = apply->in.subset;
    apply->touched = apply->device != NULL && apply->in.resumed;
    rc = apply_all(apply);
    if (apply->device == NULL) {
        return rc;
    }
    /* After a failure, too: the token says what is on the device for good. */
    int flushed = apply->touched || rc == SELSNAP_OK ? ssn_device_flush(apply->device) : SELSNAP_OK;
    if (flushed != SELSNAP_OK) {
        apply->done.key = 0;
        rc = rc == SELSNAP_OK ? ssn_fail(&apply->report, flushed, "the device failed to flush") : rc;
    }
    return rc;
}

static void tell(const struct apply *apply, int rc, selsnap_stream_info *info) {
    ssn_stream_in_tell(&apply->in, info);
    info->written_blocks = apply->written_blocks;
    if (apply->holds != NULL && info->base.snapshot_id != 0) {
        info->id.lost_blocks += apply->holds->lost_blocks;
    }
    bool verified = apply->device == NULL && rc == SELSNAP_OK;
    bool applied = apply->device != NULL && rc == SELSNAP_OK;
    info->state = verified || applied ? SELSNAP_STREAM_WHOLE
                  : apply->touched    ? SELSNAP_STREAM_PART
                                      : SELSNAP_STREAM_NOTHING;
    if (rc != SELSNAP_OK && apply->done.key != 0) {
        ssn_stream_token_make(&info->token, &apply->done);
    }
}

int ssn_apply_run(selsnap_stream_read_fn read, void *user, selsnap_device *device,
                  const selsnap_stream_options *options, const selsnap_stream_id *holds,
                  const selsnap_stream_token *token, selsnap_stream_info *info) {
    struct apply apply = {.device = device, .options = options, .holds = holds, .token = token};
    ssn_mem_init(&apply.mem, &options->allocator, options->memory_limit != 0 ? options->memory_limit : MEMORY_DEFAULT);
    int rc = ssn_report_init(&apply.report);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    rc = run(&apply, read, user);
    tell(&apply, rc, info);
    ssn_stream_in_fini(&apply.in);
    if (rc != SELSNAP_OK && options->ret_message != NULL && options->message_size > 0 &&
        ssn_report_last(&apply.report, options->ret_message, (size_t)options->message_size) != rc) {
        options->ret_message[0] = '\0';
    }
    ssn_report_fini(&apply.report);
    return rc;
}
