/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value of a received item (docs/format.md, section 6): which stream a snapshot was imported from, or, for the
 * safety snapshot of an import that is not finished, which stream is being imported and how far that has come.
 */
#ifndef SSN_RECEIVED_H
#define SSN_RECEIVED_H

#include "key.h"

enum ssn_received_state { SSN_RECEIVED_WHOLE = 1, SSN_RECEIVED_UNFINISHED = 2 };
enum { SSN_RECEIVED_FLAGS = 0x7, SSN_RECEIVED_WHOLE_SIZE = 56, SSN_RECEIVED_UNFINISHED_SIZE = 104 };

/* Flags are those of selsnap_stream_id. */
struct ssn_received_record {
    uint8_t state;
    uint8_t flags;
    uint8_t store_id[SSN_STORE_ID_SIZE];
    uint64_t snapshot_id;
    uint64_t point;
    uint64_t ranges_digest;
    uint64_t lost_blocks;
    /* Unfinished only; key 0: it cannot be gone on with. */
    uint64_t key;
    uint64_t records;
    uint64_t next_block;
    uint64_t digest;
    uint64_t data_blocks;
    uint64_t zero_blocks;
};
uint16_t ssn_received_record_encode(uint8_t *p, const struct ssn_received_record *record);
bool ssn_received_record_decode(const uint8_t *p, uint16_t len, struct ssn_received_record *ret_record);

#endif
