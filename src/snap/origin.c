/* SPDX-License-Identifier: Apache-2.0 */
/* The origin, with failures told (context.h). */
#include "context.h"

#include <inttypes.h>
#include <string.h>

int ssn_origin_failed(struct selsnap *ss, int rc, const char *what, uint64_t offset, uint64_t len) {
    if (rc != SELSNAP_EIO) {
        return rc;
    }
    return ssn_fail(&ss->report, rc, "the origin failed to %s %" PRIu64 " bytes at byte %" PRIu64 " (its error: %d)",
                    what, len, offset, atomic_load(&ss->origin->last_error));
}

int ssn_origin_refused(struct selsnap *ss, int rc, uint64_t offset, uint64_t len) {
    if (rc == SELSNAP_EALIGN) {
        return ssn_fail(&ss->report, rc,
                        "%" PRIu64 " bytes at %" PRIu64 " are not whole logical blocks of %" PRIu32 " bytes", len, offset,
                        ss->origin->info.logical_block_bytes);
    }
    return ssn_fail(&ss->report, rc, "%" PRIu64 " bytes at %" PRIu64 " are not inside the device of %" PRIu64 " bytes", len,
                    offset, ss->origin_bytes);
}

int ssn_origin_read(struct selsnap *ss, void *buf, size_t len, uint64_t offset) {
    return ssn_origin_failed(ss, ssn_device_read(ss->origin, buf, len, offset), "read", offset, len);
}

int ssn_origin_read_blocks(struct selsnap *ss, uint64_t first_block, uint64_t count, uint8_t *buf) {
    uint64_t offset = ssn_offset_of(ss, first_block);
    uint64_t len = ssn_origin_part(ss, offset, count * ss->block_bytes);
    memset(buf + len, 0, (size_t)(count * ss->block_bytes - len));
    return len > 0 ? ssn_origin_read(ss, buf, (size_t)len, offset) : SELSNAP_OK;
}

int ssn_origin_write_blocks(struct selsnap *ss, uint64_t first_block, uint64_t count, const uint8_t *buf) {
    uint64_t offset = ssn_offset_of(ss, first_block);
    uint64_t len = ssn_origin_part(ss, offset, count * ss->block_bytes);
    return ssn_origin_failed(ss, ssn_device_write(ss->origin, buf, (size_t)len, offset), "write", offset, len);
}

struct ssn_transfer ssn_origin_transfer(struct selsnap *ss, uint64_t first_block, uint64_t count, uint8_t *buf) {
    uint64_t offset = ssn_offset_of(ss, first_block);
    uint64_t len = ssn_origin_part(ss, offset, count * ss->block_bytes);
    memset(buf + len, 0, (size_t)(count * ss->block_bytes - len));
    /* Nothing of them: nothing, where the origin ends. */
    return (struct ssn_transfer){ssn_min_u64(offset, ss->origin_bytes), buf, (size_t)len, SELSNAP_OK};
}

int ssn_origin_transfers(struct selsnap *ss, bool write, struct ssn_transfer *transfers, unsigned count) {
    int rc = ssn_device_transfers(ss->origin, write, transfers, count);
    for (unsigned i = 0; rc != SELSNAP_OK && i < count; i++) {
        if (transfers[i].result == rc) {
            return ssn_origin_failed(ss, rc, write ? "write" : "read", transfers[i].offset, transfers[i].len);
        }
    }
    return rc;
}

int ssn_origin_flush(struct selsnap *ss) {
    return ssn_origin_failed(ss, ssn_device_flush(ss->origin), "flush", 0, ss->origin_bytes);
}

int ssn_check_usable(struct selsnap *ss) {
    if (!atomic_load(&ss->abandoned)) {
        return SELSNAP_OK;
    }
    return ssn_fail(&ss->report, SELSNAP_EABANDONED, "the store was abandoned: its snapshots are no longer kept");
}
