/* SPDX-License-Identifier: Apache-2.0 */
/* See sector.h. */
#include "sector.h"

#include "checksum.h"

#include <assert.h>
#include <string.h>

enum {
    AT_CHECKSUM = 0,
    AT_INCARNATION = 8,
    AT_NUMBER = 16,
    AT_POSITION = 24,
    AT_INDEX = 32,
    AT_COUNT = 36,
    AT_SUPER_SEQUENCE = 40,
    AT_CHAIN = 48,
};

void ssn_sector_seal(uint8_t *sector, const struct ssn_sector *header) {
    ssn_put64(sector + AT_INCARNATION, header->incarnation);
    ssn_put64(sector + AT_NUMBER, header->number);
    ssn_put64(sector + AT_POSITION, header->position);
    ssn_put32(sector + AT_INDEX, header->index);
    ssn_put32(sector + AT_COUNT, header->count);
    ssn_put64(sector + AT_SUPER_SEQUENCE, header->super_sequence);
    ssn_put64(sector + AT_CHAIN, header->chain);
    ssn_put64(sector + AT_CHECKSUM, ssn_checksum(sector + 8, SSN_SECTOR_SIZE - 8));
}

bool ssn_sector_decode(const uint8_t *sector, struct ssn_sector *ret_header) {
    struct ssn_sector header;
    header.checksum = ssn_get64(sector + AT_CHECKSUM);
    if (header.checksum != ssn_checksum(sector + 8, SSN_SECTOR_SIZE - 8)) {
        return false;
    }
    header.incarnation = ssn_get64(sector + AT_INCARNATION);
    header.number = ssn_get64(sector + AT_NUMBER);
    header.position = ssn_get64(sector + AT_POSITION);
    header.index = ssn_get32(sector + AT_INDEX);
    header.count = ssn_get32(sector + AT_COUNT);
    header.super_sequence = ssn_get64(sector + AT_SUPER_SEQUENCE);
    header.chain = ssn_get64(sector + AT_CHAIN);
    if (header.number == 0) {
        if (header.count != 0 || header.index != 0 || header.incarnation != 0 || header.super_sequence != 0 ||
            header.chain != 0) {
            return false;
        }
    } else if (header.count == 0 || header.count % SSN_SECTORS_PER_PAGE != 0 || header.index >= header.count ||
               header.count > SSN_BATCH_SECTORS_MAX) {
        return false;
    }
    *ret_header = header;
    return true;
}

void ssn_batch_seal(uint8_t *sectors, uint32_t count, const uint8_t *payload, size_t len,
                    const struct ssn_sector *header, uint64_t ring_sectors, uint64_t *ret_chain) {
    assert(count % SSN_SECTORS_PER_PAGE == 0 && len <= (size_t)count * SSN_SECTOR_PAYLOAD && count <= ring_sectors);
    struct ssn_sector one = *header;
    one.count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *sector = sectors + (size_t)i * SSN_SECTOR_SIZE;
        size_t done = (size_t)i * SSN_SECTOR_PAYLOAD;
        size_t part = done >= len ? 0 : len - done < SSN_SECTOR_PAYLOAD ? len - done : SSN_SECTOR_PAYLOAD;
        if (part > 0) {
            memcpy(sector + SSN_SECTOR_HEADER, payload + done, part);
        }
        memset(sector + SSN_SECTOR_HEADER + part, 0, SSN_SECTOR_PAYLOAD - part);
        one.index = i;
        one.position = (header->position + i) % ring_sectors;
        ssn_sector_seal(sector, &one);
    }
    *ret_chain = ssn_batch_chain(sectors, count);
}

uint64_t ssn_batch_chain(const uint8_t *sectors, uint32_t count) {
    uint8_t sums[SSN_BATCH_SECTORS_MAX * 8];
    assert(count <= SSN_BATCH_SECTORS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(sums + (size_t)i * 8, sectors + (size_t)i * SSN_SECTOR_SIZE, 8);
    }
    return ssn_checksum(sums, (size_t)count * 8);
}

void ssn_batch_payload(uint8_t *payload, const uint8_t *sectors, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        memmove(payload + (size_t)i * SSN_SECTOR_PAYLOAD, sectors + (size_t)i * SSN_SECTOR_SIZE + SSN_SECTOR_HEADER,
                SSN_SECTOR_PAYLOAD);
    }
}
