/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the live device (livedev.h). Without a running restore that is the origin; with one, a block that the restore
 * still has to copy reads from its source. A block found still to be copied can be read from the source even if a
 * writer copies it meanwhile: the write then overlaps the read in time.
 */
#include "livedev.h"

#include "resolve.h"
#include "restore.h"

#include <string.h>

/* One block of a restore: whole, through a pooled buffer, then the bytes asked for. */
static int read_from_source(struct selsnap *ss, uint64_t block, const struct ssn_source *source, uint8_t *buf,
                            uint64_t skip, uint64_t len) {
    uint8_t *whole = ssn_buffers_take(&ss->buffers);
    int rc = ssn_resolve_read(ss, block, 1, source, whole, NULL);
    if (rc == SELSNAP_OK) {
        memcpy(buf, whole + skip, (size_t)len);
    }
    ssn_buffers_return(&ss->buffers, whole);
    return rc;
}

/* A part of one run, while restores run. */
static int read_part(struct selsnap *ss, uint8_t *buf, uint64_t len, uint64_t offset) {
    uint64_t first = ssn_block_of(ss, offset);
    unsigned count = (unsigned)(ssn_block_of(ss, offset + len - 1) - first + 1);
    uint64_t run = first / SSN_RUN_BLOCKS;
    unsigned in_run = (unsigned)(first % SSN_RUN_BLOCKS);
    struct ssn_runbits remaining;
    uint64_t points[SSN_RUN_BLOCKS];
    struct ssn_source sources[SSN_RUN_BLOCKS];
    int rc = ssn_restore_remaining(ss, run, in_run, count, &remaining, points, sources);
    unsigned i = 0;
    while (rc == SELSNAP_OK && i < count) {
        bool from_source = ssn_runbits_get(&remaining, in_run + i);
        unsigned n = 1;
        while (!from_source && i + n < count && !ssn_runbits_get(&remaining, in_run + i + n)) {
            n++;
        }
        uint64_t begin = ssn_max_u64(offset, ssn_offset_of(ss, first + i));
        uint64_t end = ssn_min_u64(offset + len, ssn_offset_of(ss, first + i + n));
        uint8_t *to = buf + (begin - offset);
        rc = from_source
                 ? read_from_source(ss, first + i, &sources[i], to, begin - ssn_offset_of(ss, first + i), end - begin)
                 : ssn_origin_read(ss, to, (size_t)(end - begin), begin);
        i += n;
    }
    return rc;
}

static int read_during_restore(struct selsnap *ss, uint8_t *buf, uint64_t len, uint64_t offset) {
    uint64_t run_bytes = (uint64_t)SSN_RUN_BLOCKS * ss->block_bytes;
    uint64_t end = offset + len;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && offset < end) {
        uint64_t stop = ssn_min_u64(end, (offset / run_bytes + 1) * run_bytes);
        unsigned ticket = ssn_store_enter(ss->store);
        rc = read_part(ss, buf, stop - offset, offset);
        ssn_store_leave(ss->store, ticket);
        buf += stop - offset;
        offset = stop;
    }
    return rc;
}

int ssn_live_read(struct selsnap *ss, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset, uint64_t len) {
    int rc = ssn_device_check(ss->origin, offset, len, false);
    if (rc != SELSNAP_OK || len == 0) {
        return rc;
    }
    if (atomic_load_explicit(&ss->catalogue.active_jobs, memory_order_acquire) == 0 || atomic_load(&ss->abandoned)) {
        rc = ssn_device_readv(ss->origin, iov, iov_count, offset);
        return rc == SELSNAP_EIO ? ssn_fail(&ss->report, rc, "the origin failed to read (its error: %d)",
                                            atomic_load(&ss->origin->last_error))
                                 : rc;
    }
    for (uint32_t i = 0; rc == SELSNAP_OK && i < iov_count; i++) {
        rc = iov[i].len == 0 ? SELSNAP_OK : read_during_restore(ss, iov[i].base, iov[i].len, offset);
        offset += iov[i].len;
    }
    return rc;
}
