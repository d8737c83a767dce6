/* SPDX-License-Identifier: Apache-2.0 */
/* See streamin.h. */
#include "streamin.h"

#include "checksum.h"

#include <inttypes.h>
#include <string.h>

static int bad(struct ssn_stream_in *in, const char *what) {
    return ssn_fail(in->report, SELSNAP_ESTREAM, "the stream, before byte %" PRIu64 ": %s", in->bytes, what);
}

/* ---- bytes ---- */

static int read_bytes(struct ssn_stream_in *in, uint8_t *buf, size_t len) {
    while (len > 0) {
        int64_t got = in->read(in->user, buf, len);
        if (got < 0) {
            int code = got < INT32_MIN ? SELSNAP_ECANCELED : (int)got;
            return ssn_fail(in->report, code, "the stream could not be read at byte %" PRIu64, in->bytes);
        }
        if (got == 0) {
            return bad(in, "it is cut");
        }
        if ((uint64_t)got > len) {
            return ssn_fail(in->report, SELSNAP_EINVAL, "the callback gave more bytes than it was asked for");
        }
        in->bytes += (uint64_t)got;
        buf += got;
        len -= (size_t)got;
    }
    return SELSNAP_OK;
}

static int next_head(struct ssn_stream_in *in) {
    if (in->head_waits) {
        return SELSNAP_OK;
    }
    int rc = read_bytes(in, in->head_bytes, sizeof in->head_bytes);
    if (rc == SELSNAP_OK && !ssn_stream_head_decode(in->head_bytes, &in->head)) {
        rc = bad(in, in->header == NULL ? "it is no stream of snapshots" : "a record makes no sense");
    }
    in->head_waits = rc == SELSNAP_OK;
    return rc;
}

/* The payload of the head that waits. Its length is within the bounds of its type; data is within the buffers, too. */
static int take_payload(struct ssn_stream_in *in) {
    int rc = read_bytes(in, in->payload, in->head.len);
    if (rc == SELSNAP_OK && !ssn_stream_head_checks(in->head_bytes, &in->head, in->payload)) {
        rc = bad(in, "a record failed its checksum");
    }
    in->head_waits = false;
    return rc;
}

static int take_record(struct ssn_stream_in *in, uint8_t type, const char *missing) {
    int rc = next_head(in);
    if (rc == SELSNAP_OK && in->head.type != type) {
        rc = bad(in, missing);
    }
    return rc == SELSNAP_OK ? take_payload(in) : rc;
}

/* ---- the beginning ---- */

static int read_header(struct ssn_stream_in *in) {
    in->payload = ssn_alloc(in->mem, SSN_STREAM_HEADER_MAX);
    struct ssn_stream_header *header = ssn_alloc(in->mem, sizeof *header);
    int rc = in->payload != NULL && header != NULL ? SELSNAP_OK : SELSNAP_ENOMEM;
    rc = rc == SELSNAP_OK ? take_record(in, SSN_STREAM_HEADER, "it does not begin with a header") : rc;
    if (rc == SELSNAP_OK) {
        const char *problem = ssn_stream_header_decode(in->payload, in->head.len, header);
        rc = problem == NULL ? SELSNAP_OK : bad(in, problem);
    }
    if (rc != SELSNAP_OK) {
        ssn_free(in->mem, header);
        return rc;
    }
    in->header = header;
    in->place.key = ssn_stream_chain(0, in->head.checksum);
    return SELSNAP_OK;
}

/* Buffers for records of data, now that the block size is known. Records of ranges fit as well. */
static int make_buffers(struct ssn_stream_in *in) {
    size_t bytes = in->header->block_bytes > SSN_STREAM_DATA_BYTES ? in->header->block_bytes : SSN_STREAM_DATA_BYTES;
    ssn_free(in->mem, in->payload);
    in->payload = ssn_alloc(in->mem, bytes);
    in->plain = ssn_alloc(in->mem, bytes);
    in->unpacker = ssn_unpacker_open();
    if (in->payload == NULL || in->plain == NULL || (in->unpacker == NULL && ssn_packs())) {
        return SELSNAP_ENOMEM;
    }
    return ssn_subset_open(in->mem, in->header->origin_bytes, in->header->block_bytes, &in->subset);
}

static int read_ranges(struct ssn_stream_in *in) {
    uint64_t left = in->header->range_count;
    uint64_t end = 0;
    bool any = false;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && left > 0) {
        rc = take_record(in, SSN_STREAM_RANGES, "ranges are missing");
        uint64_t count = rc == SELSNAP_OK ? in->head.len / 16 : 0;
        if (rc == SELSNAP_OK && count != ssn_min_u64(left, SSN_STREAM_RANGES_MAX)) {
            rc = bad(in, "there are more or fewer ranges than announced");
        }
        for (uint64_t i = 0; rc == SELSNAP_OK && i < count; i++) {
            uint64_t first = ssn_get64(in->payload + 16 * i);
            uint64_t blocks = ssn_get64(in->payload + 16 * i + 8);
            bool allowed = blocks > 0 && (!any || first > end) && first < in->subset->block_count &&
                           blocks <= in->subset->block_count - first;
            rc = allowed ? ssn_subset_add_blocks(in->subset, first, blocks) : bad(in, "its ranges make no sense");
            end = first + blocks;
            any = true;
        }
        left -= count;
        in->place.key = ssn_stream_chain(in->place.key, in->head.checksum);
    }
    if (rc == SELSNAP_OK && ssn_subset_block_count(in->subset) != in->header->block_count) {
        rc = bad(in, "its ranges do not add up to the blocks announced");
    }
    return rc;
}

static int read_resume(struct ssn_stream_in *in) {
    uint64_t key = in->place.key;
    in->place.digest = key;
    int rc = next_head(in);
    if (rc != SELSNAP_OK || in->head.type != SSN_STREAM_RESUME) {
        return rc;
    }
    rc = take_payload(in);
    if (rc == SELSNAP_OK && (!ssn_stream_resume_decode(in->payload, in->head.len, &in->place) || in->place.key != key ||
                             in->place.next_block > in->subset->block_count)) {
        in->place.key = key;
        rc = bad(in, "where it goes on makes no sense");
    }
    in->resumed = rc == SELSNAP_OK;
    return rc;
}

int ssn_stream_in_open(struct ssn_stream_in *in, selsnap_stream_read_fn read, void *user, struct ssn_mem *mem,
                       struct ssn_report *report) {
    memset(in, 0, sizeof *in);
    in->read = read;
    in->user = user;
    in->mem = mem;
    in->report = report;
    int rc = read_header(in);
    rc = rc == SELSNAP_OK ? make_buffers(in) : rc;
    rc = rc == SELSNAP_OK ? read_ranges(in) : rc;
    return rc == SELSNAP_OK ? read_resume(in) : rc;
}

void ssn_stream_in_fini(struct ssn_stream_in *in) {
    ssn_unpacker_close(in->unpacker);
    ssn_subset_close(in->subset);
    ssn_free(in->mem, in->plain);
    ssn_free(in->mem, in->payload);
    ssn_free(in->mem, in->header);
}

/* ---- data ---- */

/* The first block of the subset at or behind `block`; the origin's end: none. */
static uint64_t next_of_subset(const struct ssn_stream_in *in, uint64_t block) {
    size_t index = ssn_subset_find(in->subset, block);
    if (index == in->subset->range_count) {
        return in->subset->block_count;
    }
    return ssn_max_u64(block, in->subset->ranges[index].first);
}

static bool is_increment(const struct ssn_stream_in *in) {
    return (in->header->flags & SSN_STREAM_FLAG_INCREMENT) != 0;
}

/* Whether the head at hand tells of blocks that come next. */
static const char *check_blocks(const struct ssn_stream_in *in) {
    const struct ssn_stream_head *head = &in->head;
    if (head->first < in->place.next_block || head->first >= in->subset->block_count ||
        !ssn_subset_contains_blocks(in->subset, head->first, head->blocks)) {
        return "a record tells of blocks that it may not tell of";
    }
    if (!is_increment(in) && head->first != next_of_subset(in, in->place.next_block)) {
        return "blocks are missing";
    }
    if (head->kind == SSN_STREAM_LOST && (in->header->flags & SELSNAP_STREAM_LOSSY) == 0) {
        return "a block is told as lost in a stream that has none";
    }
    if (head->kind != SSN_STREAM_RAW && head->kind != SSN_STREAM_ZSTD) {
        return NULL;
    }
    uint64_t most = ssn_max_u64(SSN_STREAM_DATA_BYTES, in->header->block_bytes);
    uint64_t bytes = (uint64_t)head->blocks * in->header->block_bytes;
    if (bytes > most || (head->kind == SSN_STREAM_RAW ? head->len != bytes : head->len >= bytes)) {
        return "a record has a length that cannot be";
    }
    return NULL;
}

/* The bytes behind the origin's end, in its last block, are zeros. */
static bool end_is_zero(const struct ssn_stream_in *in, const uint8_t *bytes, uint64_t len) {
    uint64_t begin = in->head.first * in->header->block_bytes;
    uint64_t inside = ssn_min_u64(len, in->header->origin_bytes - begin);
    return ssn_is_zero(bytes + inside, (size_t)(len - inside));
}

/* The payload of the head that was taken, unpacked. */
static int unpack(struct ssn_stream_in *in, uint64_t len) {
    if (!ssn_packs()) {
        return ssn_fail(in->report, SELSNAP_ENOTSUP,
                        "the stream, before byte %" PRIu64 ": it is compressed, and this libselsnap was built without "
                        "libzstd; build it with libzstd, or export without compression",
                        in->bytes);
    }
    bool unpacked = ssn_unpacker_unpack(in->unpacker, in->plain, (size_t)len, in->payload, in->head.len);
    return unpacked ? SELSNAP_OK : bad(in, "what a record holds cannot be unpacked");
}

static int take_data(struct ssn_stream_in *in, struct ssn_stream_part *ret_part) {
    const char *problem = check_blocks(in);
    int rc = problem == NULL ? take_payload(in) : bad(in, problem);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    const struct ssn_stream_head *head = &in->head;
    struct ssn_stream_part part = {head->kind, head->first, head->blocks, NULL};
    if (head->kind == SSN_STREAM_RAW || head->kind == SSN_STREAM_ZSTD) {
        uint64_t len = (uint64_t)head->blocks * in->header->block_bytes;
        part.kind = SSN_STREAM_RAW;
        part.bytes = head->kind == SSN_STREAM_RAW ? in->payload : in->plain;
        rc = head->kind == SSN_STREAM_ZSTD ? unpack(in, len) : SELSNAP_OK;
        if (rc != SELSNAP_OK) {
            return rc;
        }
        if (!end_is_zero(in, part.bytes, len)) {
            return bad(in, "there is something behind the origin's end");
        }
        in->place.data_blocks += head->blocks;
    }
    in->place.zero_blocks += head->kind == SSN_STREAM_ZEROS ? head->blocks : 0;
    in->place.lost_blocks += head->kind == SSN_STREAM_LOST ? head->blocks : 0;
    in->place.records++;
    in->place.next_block = head->first + head->blocks;
    in->place.digest = ssn_stream_chain(in->place.digest, head->checksum);
    *ret_part = part;
    return SELSNAP_OK;
}

static int take_end(struct ssn_stream_in *in, struct ssn_stream_part *ret_part) {
    int rc = take_payload(in);
    if (rc == SELSNAP_OK && !ssn_stream_end_fits(in->payload, in->head.len, &in->place)) {
        rc = bad(in, "records are missing, or it was put together of several");
    }
    if (rc == SELSNAP_OK && !is_increment(in) && next_of_subset(in, in->place.next_block) != in->subset->block_count) {
        rc = bad(in, "blocks are missing");
    }
    if (rc == SELSNAP_OK) {
        memset(ret_part, 0, sizeof *ret_part);
    }
    return rc;
}

int ssn_stream_in_next(struct ssn_stream_in *in, struct ssn_stream_part *ret_part) {
    int rc = next_head(in);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    switch (in->head.type) {
    case SSN_STREAM_DATA:
        return take_data(in, ret_part);
    case SSN_STREAM_END:
        return take_end(in, ret_part);
    default:
        return bad(in, "a record is not where it belongs");
    }
}

/* ---- telling ---- */

static void tell_id(const struct ssn_stream_header *header, selsnap_stream_info *info) {
    info->id.flags = header->flags & (SELSNAP_STREAM_AS_CHANGED | SELSNAP_STREAM_SOME | SELSNAP_STREAM_LOSSY);
    memcpy(info->id.store_id, header->store_id, sizeof info->id.store_id);
    info->id.snapshot_id = header->snapshot_id;
    info->id.point = header->point;
    info->id.ranges_digest = header->ranges_digest;
    memcpy(info->base.store_id, header->base_store_id, sizeof info->base.store_id);
    info->base.snapshot_id = header->base_snapshot_id;
    info->base.point = header->base_point;
}

void ssn_stream_tell(const struct ssn_stream_header *header, const struct ssn_stream_place *place,
                     selsnap_stream_info *info) {
    info->version_major = header->major;
    info->version_minor = header->minor;
    tell_id(header, info);
    info->id.lost_blocks = place->lost_blocks;
    info->time_ns = header->time_ns;
    info->origin_bytes = header->origin_bytes;
    info->block_bytes = header->block_bytes;
    info->property_count = header->property_count;
    info->block_count = header->block_count;
    info->range_count = header->range_count;
    info->records = place->records;
    info->data_blocks = place->data_blocks;
    info->zero_blocks = place->zero_blocks;
    info->lost_blocks = place->lost_blocks;
    memcpy(info->name, header->name, sizeof info->name);
}

void ssn_stream_in_tell(const struct ssn_stream_in *in, selsnap_stream_info *info) {
    info->stream_bytes = in->bytes;
    if (in->header != NULL) {
        ssn_stream_tell(in->header, &in->place, info);
    }
}

uint64_t ssn_stream_ranges_digest(const selsnap_subset *subset) {
    uint64_t digest = ssn_stream_chain(subset->device_bytes, subset->block_bytes);
    for (size_t i = 0; i < subset->range_count; i++) {
        digest = ssn_stream_chain(digest, ssn_stream_chain(subset->ranges[i].first, subset->ranges[i].count));
    }
    return digest != 0 ? digest : 1;
}

uint64_t ssn_stream_gauge_at(struct ssn_stream_gauge *gauge, uint64_t block) {
    const selsnap_subset *subset = gauge->subset;
    while (gauge->range < subset->range_count &&
           subset->ranges[gauge->range].first + subset->ranges[gauge->range].count <= block) {
        gauge->before += subset->ranges[gauge->range++].count;
    }
    uint64_t first = gauge->range < subset->range_count ? subset->ranges[gauge->range].first : block;
    return gauge->before + (block > first ? block - first : 0);
}
