/* SPDX-License-Identifier: Apache-2.0 */
/* Journal sectors (docs/format.md, section 3): bytes <-> struct, and the sealing of a batch. No I/O, no allocation. */
#ifndef SSN_SECTOR_H
#define SSN_SECTOR_H

#include "key.h"

enum {
    SSN_SECTOR_HEADER = 56,
    SSN_SECTOR_PAYLOAD = SSN_SECTOR_SIZE - SSN_SECTOR_HEADER,
    SSN_BATCH_SECTORS_MAX = 2048, /* 1 MiB: no writer makes larger batches */
    SSN_PAGE_PAYLOAD = SSN_SECTOR_PAYLOAD * SSN_SECTORS_PER_PAGE,
};

struct ssn_sector {
    uint64_t checksum;
    uint64_t incarnation;
    uint64_t number; /* of its batch; 0: never used */
    uint64_t position;
    uint32_t index;
    uint32_t count;
    uint64_t super_sequence;
    uint64_t chain;
};

/* Writes the header over the sector's first bytes, and the checksum over all of it. */
void ssn_sector_seal(uint8_t *sector, const struct ssn_sector *header);
/* false: the checksum fails, or values that no writer writes. The payload is not looked at. */
bool ssn_sector_decode(const uint8_t *sector, struct ssn_sector *ret_header);

/*
 * Lays `len` bytes of transactions into the sectors of a batch and seals them: the header gives incarnation, number,
 * position (of the first sector), super_sequence and chain; index and count are set here. Positions go around the ring
 * of ring_sectors. ret_chain: the batch's own chain value [F-6].
 */
void ssn_batch_seal(uint8_t *sectors, uint32_t count, const uint8_t *payload, size_t len,
                    const struct ssn_sector *header, uint64_t ring_sectors, uint64_t *ret_chain);
/* A batch's chain value, from the checksums at the heads of its sectors. */
uint64_t ssn_batch_chain(const uint8_t *sectors, uint32_t count);
/* Puts the payloads of a batch's sectors one after another; `payload` may be `sectors` itself. */
void ssn_batch_payload(uint8_t *payload, const uint8_t *sectors, uint32_t count);

/* Pages of a batch with `len` bytes of payload. */
static inline uint32_t ssn_batch_pages(size_t len) {
    return (uint32_t)ssn_div_up(len, SSN_PAGE_PAYLOAD);
}

#endif
