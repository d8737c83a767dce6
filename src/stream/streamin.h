/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a stream: record by record, each verified before it is given on. Memory: two buffers of a record, and the
 * subset. No length from the stream is used before it is found within its bounds. One thread.
 */
#ifndef SSN_STREAMIN_H
#define SSN_STREAMIN_H

#include "mem.h"
#include "report.h"
#include "streamcodec.h"
#include "streampack.h"
#include "subset.h"

struct ssn_stream_in {
    selsnap_stream_read_fn read;
    void *user;
    struct ssn_mem *mem;
    struct ssn_report *report;
    struct ssn_stream_header *header; /* NULL until it was read */
    selsnap_subset *subset;           /* of the stream's blocks */
    bool resumed;                     /* it begins behind its beginning */
    struct ssn_stream_place place;    /* behind the last record that was given */
    uint64_t bytes;                   /* read */
    /* The record at hand. */
    uint8_t head_bytes[SSN_STREAM_HEAD_SIZE];
    struct ssn_stream_head head;
    bool head_waits; /* it was read, its payload not */
    uint8_t *payload;
    uint8_t *plain;
    struct ssn_unpacker *unpacker;
};

/* Whole blocks; the bytes that a short last block lacks are zeros. */
struct ssn_stream_part {
    uint8_t kind; /* SSN_STREAM_RAW, whatever it was packed with; _ZEROS, _LOST */
    uint64_t first;
    uint32_t blocks; /* 0: the stream has ended, and is whole */
    const uint8_t *bytes;
};

/* Reads up to the first data record. Call fini whatever is returned. */
int ssn_stream_in_open(struct ssn_stream_in *in, selsnap_stream_read_fn read, void *user, struct ssn_mem *mem,
                       struct ssn_report *report);
void ssn_stream_in_fini(struct ssn_stream_in *in);
int ssn_stream_in_next(struct ssn_stream_in *in, struct ssn_stream_part *ret_part);
/* All that is known of the stream, but state, token and written_blocks. */
void ssn_stream_in_tell(const struct ssn_stream_in *in, selsnap_stream_info *info);
/* The same from a header and a place. */
void ssn_stream_tell(const struct ssn_stream_header *header, const struct ssn_stream_place *place,
                     selsnap_stream_info *info);
/* The digest of chosen ranges: of a subset that belongs to the options of an export. */
uint64_t ssn_stream_ranges_digest(const selsnap_subset *subset);

/* How many blocks of a subset lie below a block, for blocks that rise from call to call. */
struct ssn_stream_gauge {
    const selsnap_subset *subset;
    size_t range;
    uint64_t before;
};
uint64_t ssn_stream_gauge_at(struct ssn_stream_gauge *gauge, uint64_t block);

#endif
