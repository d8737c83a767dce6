/* SPDX-License-Identifier: Apache-2.0 */
/* See streamout.h. */
#include "streamout.h"

#include <inttypes.h>
#include <string.h>

int ssn_stream_out_open(struct ssn_stream_out *out, struct ssn_mem *mem, struct ssn_report *report,
                        const struct ssn_stream_header *header, int level) {
    memset(out, 0, sizeof *out);
    out->mem = mem;
    out->report = report;
    out->header = header;
    size_t data = header->block_bytes > SSN_STREAM_DATA_BYTES ? header->block_bytes : SSN_STREAM_DATA_BYTES;
    out->room = ssn_packer_bound(data);
    out->record = ssn_alloc(mem, SSN_STREAM_HEAD_SIZE + out->room);
    if (level != 0) {
        out->packer = ssn_packer_open(level);
    }
    return out->record != NULL && (level == 0 || out->packer != NULL) ? SELSNAP_OK : SELSNAP_ENOMEM;
}

void ssn_stream_out_fini(struct ssn_stream_out *out) {
    ssn_packer_close(out->packer);
    ssn_free(out->mem, out->record);
}

/* Writes the record; its payload is in place. *ret_checksum: for the chain. */
static int put_record(struct ssn_stream_out *out, const struct ssn_stream_head *head, uint64_t *ret_checksum) {
    *ret_checksum = ssn_stream_head_encode(out->record, head, out->record + SSN_STREAM_HEAD_SIZE);
    if (out->write == NULL) {
        return SELSNAP_OK;
    }
    size_t len = SSN_STREAM_HEAD_SIZE + (size_t)head->len;
    int rc = out->write(out->user, out->record, len);
    if (rc != SELSNAP_OK) {
        return ssn_fail(out->report, rc < 0 ? rc : SELSNAP_ECANCELED,
                        "the stream could not be written at byte %" PRIu64, out->bytes);
    }
    out->bytes += len;
    return SELSNAP_OK;
}

int ssn_stream_out_begin(struct ssn_stream_out *out, const selsnap_subset *subset) {
    uint8_t *payload = out->record + SSN_STREAM_HEAD_SIZE;
    struct ssn_stream_head head = {.type = SSN_STREAM_HEADER};
    uint64_t checksum;
    head.len = ssn_stream_header_encode(payload, out->header);
    int rc = put_record(out, &head, &checksum);
    memset(&out->place, 0, sizeof out->place);
    out->place.key = ssn_stream_chain(0, checksum);
    head.type = SSN_STREAM_RANGES;
    for (size_t i = 0; rc == SELSNAP_OK && i < subset->range_count; i += head.len / 16) {
        size_t count =
            subset->range_count - i < SSN_STREAM_RANGES_MAX ? subset->range_count - i : (size_t)SSN_STREAM_RANGES_MAX;
        for (size_t k = 0; k < count; k++) {
            ssn_put64(payload + 16 * k, subset->ranges[i + k].first);
            ssn_put64(payload + 16 * k + 8, subset->ranges[i + k].count);
        }
        head.len = (uint32_t)(16 * count);
        rc = put_record(out, &head, &checksum);
        out->place.key = ssn_stream_chain(out->place.key, checksum);
    }
    out->place.digest = out->place.key;
    return rc;
}

int ssn_stream_out_resume(struct ssn_stream_out *out, const struct ssn_stream_place *place) {
    struct ssn_stream_head head = {.type = SSN_STREAM_RESUME, .len = SSN_STREAM_RESUME_SIZE};
    uint64_t checksum;
    out->place = *place;
    ssn_stream_resume_encode(out->record + SSN_STREAM_HEAD_SIZE, place);
    return put_record(out, &head, &checksum);
}

/* A data record; counts it. */
static int put_data(struct ssn_stream_out *out, const struct ssn_stream_head *head) {
    uint64_t checksum;
    int rc = put_record(out, head, &checksum);
    if (rc == SELSNAP_OK) {
        out->place.records++;
        out->place.next_block = head->first + head->blocks;
        out->place.digest = ssn_stream_chain(out->place.digest, checksum);
        out->place.data_blocks += head->kind == SSN_STREAM_RAW || head->kind == SSN_STREAM_ZSTD ? head->blocks : 0;
        out->place.zero_blocks += head->kind == SSN_STREAM_ZEROS ? head->blocks : 0;
        out->place.lost_blocks += head->kind == SSN_STREAM_LOST ? head->blocks : 0;
    }
    return rc;
}

int ssn_stream_out_data(struct ssn_stream_out *out, uint64_t first, uint32_t blocks, const uint8_t *bytes) {
    int rc = ssn_stream_out_settle(out);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    uint8_t *payload = out->record + SSN_STREAM_HEAD_SIZE;
    size_t len = (size_t)blocks * out->header->block_bytes;
    size_t packed = len;
    if (out->packer != NULL) {
        packed = ssn_packer_pack(out->packer, payload, out->room, bytes, len);
        if (packed == 0) {
            return SELSNAP_ENOMEM;
        }
    }
    if (packed >= len) {
        memcpy(payload, bytes, len);
        packed = len;
    }
    const struct ssn_stream_head head = {.type = SSN_STREAM_DATA,
                                         .kind = packed < len ? SSN_STREAM_ZSTD : SSN_STREAM_RAW,
                                         .len = (uint32_t)packed,
                                         .blocks = blocks,
                                         .first = first};
    return put_data(out, &head);
}

int ssn_stream_out_settle(struct ssn_stream_out *out) {
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && out->run_blocks > 0) {
        uint32_t blocks = (uint32_t)ssn_min_u64(out->run_blocks, SSN_STREAM_RUN_MAX);
        const struct ssn_stream_head head = {
            .type = SSN_STREAM_DATA, .kind = out->run_kind, .blocks = blocks, .first = out->run_first};
        rc = put_data(out, &head);
        out->run_first += blocks;
        out->run_blocks -= blocks;
    }
    return rc;
}

int ssn_stream_out_run(struct ssn_stream_out *out, uint8_t kind, uint64_t first, uint64_t blocks) {
    bool joins = out->run_blocks > 0 && out->run_kind == kind && out->run_first + out->run_blocks == first;
    int rc = joins ? SELSNAP_OK : ssn_stream_out_settle(out);
    if (rc == SELSNAP_OK) {
        out->run_kind = kind;
        out->run_first = joins ? out->run_first : first;
        out->run_blocks = (joins ? out->run_blocks : 0) + blocks;
    }
    return rc;
}

int ssn_stream_out_end(struct ssn_stream_out *out) {
    int rc = ssn_stream_out_settle(out);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    struct ssn_stream_head head = {.type = SSN_STREAM_END, .len = SSN_STREAM_END_SIZE};
    uint64_t checksum;
    ssn_stream_end_encode(out->record + SSN_STREAM_HEAD_SIZE, &out->place);
    return put_record(out, &head, &checksum);
}
