/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams from anywhere: verified, and applied to a device in memory. Byte 0 tells whether checksums, chain and closing
 * record are mended before, so that what is behind them is reached, whether what the device holds is taken for the
 * stream's base, and whether where it goes on is believed. Nothing may crash, hang or take more memory than it was
 * allowed; what is applied is sound; what is refused says why.
 */
#include "input.h"
#include "streamcodec.h"

#include <selsnap/selsnap.h>

enum { MEND = 1, FITS = 2, BELIEVE = 4, PIECES = 8, DEVICE_BYTES = 1 << 20, MEMORY = 4 << 20 };

struct source {
    const uint8_t *bytes;
    size_t len;
    size_t at;
    size_t most;
};

static int64_t give(void *user, void *buf, size_t len) {
    struct source *source = user;
    size_t part = len < source->len - source->at ? len : source->len - source->at;
    part = part < source->most ? part : source->most;
    memcpy(buf, source->bytes + source->at, part);
    source->at += part;
    return (int64_t)part;
}

/* What a record is in the chain, and in the counts. */
static void follow(struct ssn_stream_place *place, const struct ssn_stream_head *head, uint8_t *payload) {
    switch (head->type) {
    case SSN_STREAM_RESUME:
        ssn_put64(payload, place->key);
        (void)ssn_stream_resume_decode(payload, head->len, place);
        break;
    case SSN_STREAM_DATA:
        place->records++;
        place->next_block = head->first + head->blocks;
        place->data_blocks += head->kind == SSN_STREAM_RAW || head->kind == SSN_STREAM_ZSTD ? head->blocks : 0;
        place->zero_blocks += head->kind == SSN_STREAM_ZEROS ? head->blocks : 0;
        place->lost_blocks += head->kind == SSN_STREAM_LOST ? head->blocks : 0;
        break;
    case SSN_STREAM_END:
        ssn_stream_end_encode(payload, place);
        break;
    default:
        break;
    }
}

static void mend(uint8_t *bytes, size_t len, struct ssn_stream_place *place, bool *ret_resumed) {
    struct ssn_stream_head head;
    memset(place, 0, sizeof *place);
    for (size_t at = 0; len - at >= SSN_STREAM_HEAD_SIZE && ssn_stream_head_decode(bytes + at, &head) &&
                        head.len <= len - at - SSN_STREAM_HEAD_SIZE;
         at += SSN_STREAM_HEAD_SIZE + head.len) {
        uint8_t *payload = bytes + at + SSN_STREAM_HEAD_SIZE;
        *ret_resumed = *ret_resumed || head.type == SSN_STREAM_RESUME;
        follow(place, &head, payload);
        uint64_t checksum = ssn_stream_head_encode(bytes + at, &head, payload);
        if (head.type == SSN_STREAM_HEADER || head.type == SSN_STREAM_RANGES) {
            place->key = ssn_stream_chain(place->key, checksum);
            place->digest = place->key;
        } else if (head.type == SSN_STREAM_DATA) {
            place->digest = ssn_stream_chain(place->digest, checksum);
        }
    }
}

static int run(const struct source *from, selsnap_device *device, selsnap_stream_options *options,
               selsnap_stream_info *info) {
    struct source source = *from;
    char message[400] = "";
    memset(info, 0, sizeof *info);
    info->struct_size = sizeof *info;
    options->memory_limit = MEMORY;
    options->ret_message = message;
    options->message_size = sizeof message;
    int code = device != NULL ? selsnap_stream_apply(give, &source, device, options, info)
                              : selsnap_stream_verify(give, &source, options, info);
    must(info->stream_bytes == source.at);
    must((code == SELSNAP_OK) == (info->state == SELSNAP_STREAM_WHOLE));
    must(code != SELSNAP_ESTREAM || message[0] != '\0');
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = input_of(data, size);
    uint8_t how = input_u8(&in);
    size_t len = in.left;
    uint8_t *bytes = input_copy(&in, len);
    struct ssn_stream_place place = {0};
    bool resumed = false;
    if ((how & MEND) != 0) {
        mend(bytes, len, &place, &resumed);
    }
    const struct source source = {bytes, len, 0, (how & PIECES) != 0 ? 7 : SIZE_MAX};
    selsnap_stream_options options = SELSNAP_STREAM_OPTIONS_INIT;
    selsnap_stream_info verified;
    selsnap_stream_info applied;
    selsnap_device *device;
    int sound = run(&source, NULL, &options, &verified);
    must(sound == SELSNAP_OK || sound == SELSNAP_ESTREAM || sound == SELSNAP_ENOMEM);
    selsnap_stream_id holds = verified.base;
    holds.struct_size = sizeof holds;
    holds.ranges_digest = verified.id.ranges_digest;
    options.holds = (how & FITS) != 0 ? &holds : NULL;
    options.flags = (how & BELIEVE) != 0 ? SELSNAP_APPLY_SKIP_LOST : 0;
    must(selsnap_device_open_memory(DEVICE_BYTES, 512, &device) == SELSNAP_OK);
    int code = run(&source, device, &options, &applied);
    must(code != SELSNAP_OK || sound == SELSNAP_OK);
    must(sound == SELSNAP_OK || code != SELSNAP_OK);
    selsnap_device_close(device);
    /* A token that came from reading is one that can be used; one that did not is refused. */
    if (verified.token.key != 0) {
        selsnap_stream_options with = SELSNAP_STREAM_OPTIONS_INIT;
        with.token = &verified.token;
        code = run(&source, NULL, &with, &applied);
        must(code != SELSNAP_OK);
    }
    free(bytes);
    return 0;
}
