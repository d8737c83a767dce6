/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the live device (livedev.h). Without a running restore that is the origin; with one, a block that the restore
 * still has to copy reads from its source. A block found still to be copied can be read from the source even if a
 * writer copies it meanwhile: the write then overlaps the read in time. In deferred mode pending writes come before
 * both.
 */
#include "livedev.h"

#include "deferred.h"
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

/* Without pending writes. */
static int read_device(struct selsnap *ss, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    int rc = SELSNAP_OK;
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

int ssn_live_read_device(struct selsnap *ss, uint8_t *buf, uint64_t len, uint64_t offset) {
    const selsnap_iovec whole = {buf, (size_t)len};
    return read_device(ss, &whole, 1, offset);
}

/* ---- beside pending writes ---- */

enum { PIECES = 64 };

/* Up to PIECES pieces of what lies in iov from `skip` on, at most `len` bytes; gives how many bytes they have. */
static uint64_t slice(const selsnap_iovec *iov, uint64_t skip, uint64_t len, selsnap_iovec *pieces,
                      uint32_t *ret_count) {
    uint64_t bytes = 0;
    *ret_count = 0;
    for (uint32_t at = 0; bytes < len && *ret_count < PIECES; at++) {
        if (skip >= iov[at].len) {
            skip -= iov[at].len;
            continue;
        }
        size_t part = (size_t)ssn_min_u64(iov[at].len - skip, len - bytes);
        pieces[(*ret_count)++] = (selsnap_iovec){(uint8_t *)iov[at].base + skip, part};
        bytes += part;
        skip = 0;
    }
    return bytes;
}

/* iov begins at `origin` of the device; reads [offset, offset + len) of it. */
static int read_slices(struct selsnap *ss, const selsnap_iovec *iov, uint64_t origin, uint64_t offset, uint64_t len) {
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && len > 0) {
        selsnap_iovec pieces[PIECES];
        uint32_t count;
        uint64_t bytes = slice(iov, offset - origin, len, pieces, &count);
        rc = read_device(ss, pieces, count, offset);
        offset += bytes;
        len -= bytes;
    }
    return rc;
}

/* false: the block of these bytes has no pending data. */
static bool read_pending(struct selsnap *ss, const selsnap_iovec *iov, uint64_t origin, uint64_t offset, uint64_t len) {
    uint64_t block = ssn_block_of(ss, offset);
    while (len > 0) {
        selsnap_iovec pieces[PIECES];
        uint32_t count;
        uint64_t bytes = slice(iov, offset - origin, len, pieces, &count);
        if (!ssn_deferred_read(ss->deferred, block, offset - ssn_offset_of(ss, block), pieces, count)) {
            return false;
        }
        offset += bytes;
        len -= bytes;
    }
    return true;
}

/* What is pending is looked up first: a block that is found not to be has been written to the origin already. */
static int read_beside_pending(struct selsnap *ss, const selsnap_iovec *iov, uint64_t origin, uint64_t len) {
    uint64_t end = origin + len;
    uint64_t from = origin; /* of what is still to be read from the device, up to `at` */
    uint64_t at = origin;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && at < end) {
        uint64_t stop = ssn_min_u64(end, ssn_offset_of(ss, ssn_block_of(ss, at) + 1));
        if (read_pending(ss, iov, origin, at, stop - at)) {
            rc = read_slices(ss, iov, origin, from, at - from);
            from = stop;
        }
        at = stop;
    }
    return rc == SELSNAP_OK ? read_slices(ss, iov, origin, from, end - from) : rc;
}

int ssn_live_read(struct selsnap *ss, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset, uint64_t len) {
    int rc = ssn_origin_check(ss, offset, len, false);
    if (rc != SELSNAP_OK || len == 0) {
        return rc;
    }
    uint64_t first = ssn_block_of(ss, offset);
    if (ss->deferred != NULL &&
        ssn_deferred_may_have(ss->deferred, first, ssn_block_of(ss, offset + len - 1) - first + 1)) {
        return read_beside_pending(ss, iov, offset, len);
    }
    return read_device(ss, iov, iov_count, offset);
}
