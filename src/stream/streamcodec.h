/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of a stream (docs/stream.md): bytes <-> structs. Decoders accept only what the document allows, reserved
 * bytes included. No I/O, no allocation.
 */
#ifndef SSN_STREAMCODEC_H
#define SSN_STREAMCODEC_H

#include "bytes.h"

#include <selsnap/stream.h>

enum {
    SSN_STREAM_MAJOR = 1,
    SSN_STREAM_MINOR = 0,
    SSN_STREAM_HEAD_SIZE = 32,
    SSN_STREAM_FIXED = 144, /* bytes of a header's payload before its texts */
    SSN_STREAM_PROPERTIES_MAX = 16,
    SSN_STREAM_HEADER_MAX = SSN_STREAM_FIXED + SELSNAP_NAME_MAX +
                            SSN_STREAM_PROPERTIES_MAX * (3 + SELSNAP_PROPERTY_KEY_MAX + SELSNAP_PROPERTY_VALUE_MAX),
    SSN_STREAM_RANGES_MAX = 1024, /* ranges of one record */
    SSN_STREAM_RESUME_SIZE = 56,
    SSN_STREAM_END_SIZE = 48,
    SSN_STREAM_DATA_BYTES = 262144, /* of a data record, where a block is not longer */
    SSN_STREAM_RUN_MAX = 1 << 30,   /* blocks of a record without data */
};

enum ssn_stream_type {
    SSN_STREAM_HEADER = 1,
    SSN_STREAM_RANGES = 2,
    SSN_STREAM_RESUME = 3,
    SSN_STREAM_DATA = 4,
    SSN_STREAM_END = 5,
};
enum ssn_stream_kind {
    SSN_STREAM_NO_KIND = 0, /* of all records but data */
    SSN_STREAM_RAW = 1,
    SSN_STREAM_ZSTD = 2,
    SSN_STREAM_ZEROS = 3,
    SSN_STREAM_LOST = 4,
};
enum { SSN_STREAM_FLAG_INCREMENT = 0x100 }; /* besides those of selsnap_stream_id */

/* What stands before each record's payload. */
struct ssn_stream_head {
    uint8_t type;
    uint8_t kind;
    uint32_t len;    /* bytes of the payload */
    uint32_t blocks; /* data: blocks it tells of */
    uint64_t first;  /* data: the first of them */
    uint64_t checksum;
};
/* Encodes, with the checksum over head and payload, which is returned. */
uint64_t ssn_stream_head_encode(uint8_t *p, const struct ssn_stream_head *head, const uint8_t *payload);
/* false: it is no head, or asks for a longer payload than its type may have. The checksum is not looked at. */
bool ssn_stream_head_decode(const uint8_t *p, struct ssn_stream_head *ret_head);
bool ssn_stream_head_checks(const uint8_t *p, const struct ssn_stream_head *head, const uint8_t *payload);
/* The next value of the chain. */
uint64_t ssn_stream_chain(uint64_t digest, uint64_t checksum);

struct ssn_stream_property {
    char key[SELSNAP_PROPERTY_KEY_MAX + 1];
    char value[SELSNAP_PROPERTY_VALUE_MAX + 1];
};
struct ssn_stream_header {
    uint16_t major;
    uint16_t minor;
    uint32_t flags;
    uint32_t block_bytes;
    uint32_t property_count;
    uint64_t origin_bytes;
    uint8_t store_id[16];
    uint64_t snapshot_id;
    uint64_t point;
    int64_t time_ns;
    uint8_t base_store_id[16];
    uint64_t base_snapshot_id;
    uint64_t base_point;
    uint64_t ranges_digest;
    uint64_t range_count;
    uint64_t block_count;
    char name[SELSNAP_NAME_MAX + 1];
    struct ssn_stream_property properties[SSN_STREAM_PROPERTIES_MAX];
};
static inline uint64_t ssn_stream_blocks_of(const struct ssn_stream_header *header) {
    return ssn_div_up(header->origin_bytes, header->block_bytes);
}
/* At most SSN_STREAM_HEADER_MAX bytes; returns how many. */
uint32_t ssn_stream_header_encode(uint8_t *p, const struct ssn_stream_header *header);
/* What is wrong with it, as text; NULL: nothing. */
const char *ssn_stream_header_decode(const uint8_t *p, uint32_t len, struct ssn_stream_header *ret_header);

/* How far a stream is, at the boundary of two records: in a token, a resume record, and the closing one. */
struct ssn_stream_place {
    uint64_t key; /* the chain's value behind header and ranges */
    uint64_t records;
    uint64_t next_block;
    uint64_t digest;
    uint64_t data_blocks;
    uint64_t zero_blocks;
    uint64_t lost_blocks;
};
void ssn_stream_resume_encode(uint8_t *p, const struct ssn_stream_place *place);
bool ssn_stream_resume_decode(const uint8_t *p, uint32_t len, struct ssn_stream_place *ret_place);
void ssn_stream_end_encode(uint8_t *p, const struct ssn_stream_place *place);
/* Whether the closing record says what was read. */
bool ssn_stream_end_fits(const uint8_t *p, uint32_t len, const struct ssn_stream_place *place);

void ssn_stream_token_make(selsnap_stream_token *token, const struct ssn_stream_place *place);
/* false: it is none that the library made. */
bool ssn_stream_token_read(const selsnap_stream_token *token, struct ssn_stream_place *ret_place);

#endif
