/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions on the live device, and for background work. */
#include "api.h"
#include "livebatch.h"
#include "livedev.h"
#include "open.h"
#include "step.h"

/* Adds the pieces' lengths. SELSNAP_EINVAL: a piece has no memory; SELSNAP_ERANGE: more bytes than there can be. */
static int measure(const selsnap_iovec *iov, uint32_t iov_count, uint64_t *ret_len) {
    if (!ssn_api_iov_allowed(iov, iov_count)) {
        return SELSNAP_EINVAL;
    }
    return ssn_iov_bytes(iov, iov_count, ret_len) ? SELSNAP_OK : SELSNAP_ERANGE;
}

int selsnap_readv(selsnap *ss, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    uint64_t len;
    int rc = ss == NULL ? SELSNAP_EINVAL : measure(iov, iov_count, &len);
    return rc == SELSNAP_OK ? ssn_live_read(ss, iov, iov_count, offset, len) : rc;
}

int selsnap_writev(selsnap *ss, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    uint64_t len;
    int rc = ssn_api_check_writable(ss);
    if (rc == SELSNAP_OK) {
        rc = measure(iov, iov_count, &len);
    }
    return rc == SELSNAP_OK ? ssn_live_write(ss, iov, iov_count, offset, len) : rc;
}

int selsnap_read(selsnap *ss, void *buf, size_t len, uint64_t offset) {
    const selsnap_iovec iov = {buf, len};
    if (ss == NULL || (buf == NULL && len > 0)) {
        return SELSNAP_EINVAL;
    }
    return ssn_live_read(ss, &iov, 1, offset, len);
}

int selsnap_write(selsnap *ss, const void *buf, size_t len, uint64_t offset) {
    /* The pieces of a write are only read. */
    const selsnap_iovec iov = {(void *)(uintptr_t)buf, len};
    int rc = ssn_api_check_writable(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    return buf == NULL && len > 0 ? SELSNAP_EINVAL : ssn_live_write(ss, &iov, 1, offset, len);
}

int selsnap_discard(selsnap *ss, uint64_t offset, uint64_t len) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_live_discard(ss, offset, len) : rc;
}

int selsnap_write_zeroes(selsnap *ss, uint64_t offset, uint64_t len) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_live_write_zeroes(ss, offset, len) : rc;
}

/* A copy of the caller's request, which may be of another version. */
static int import_io(const struct selsnap *ss, selsnap_io *ours, const selsnap_io *theirs) {
    if (!ssn_import(ours, sizeof *ours, theirs) || ours->reserved != 0) {
        return SELSNAP_EINVAL;
    }
    bool has_buffers = ours->kind == SELSNAP_IO_READ || ours->kind == SELSNAP_IO_WRITE;
    bool known = has_buffers || ours->kind == SELSNAP_IO_WRITE_ZEROES || ours->kind == SELSNAP_IO_DISCARD;
    bool may_fua = ours->kind == SELSNAP_IO_WRITE || ours->kind == SELSNAP_IO_WRITE_ZEROES;
    if (!known || (ours->flags & ~(may_fua ? SELSNAP_IO_FUA : 0u)) != 0) {
        return SELSNAP_EINVAL;
    }
    if (has_buffers ? ours->len != 0 || !ssn_api_iov_allowed(ours->iov, ours->iov_count) : ours->iov_count != 0) {
        return SELSNAP_EINVAL;
    }
    return ss->read_only && ours->kind != SELSNAP_IO_READ ? SELSNAP_EREADONLY : SELSNAP_OK;
}

/* At most SSN_LIVE_BATCH_MAX requests; the first failure among them. */
static int batch_part(selsnap *ss, selsnap_io *const *ios, uint32_t count) {
    selsnap_io ours[SSN_LIVE_BATCH_MAX];
    selsnap_io *allowed[SSN_LIVE_BATCH_MAX] = {NULL};
    unsigned n = 0;
    for (uint32_t i = 0; i < count; i++) {
        int code = import_io(ss, &ours[i], ios[i]);
        ours[i].result = code;
        if (code == SELSNAP_OK) {
            allowed[n++] = &ours[i];
        }
    }
    ssn_live_batch(ss, allowed, n);
    int first = SELSNAP_OK;
    for (uint32_t i = 0; i < count; i++) {
        ios[i]->result = ours[i].result;
        first = first == SELSNAP_OK ? ours[i].result : first;
    }
    return first;
}

int selsnap_batch(selsnap *ss, selsnap_io *const *ios, uint32_t count) {
    if (ss == NULL || !ssn_api_ios_answerable(ios, count)) {
        return SELSNAP_EINVAL;
    }
    int first = SELSNAP_OK;
    uint32_t part = 0;
    for (uint32_t i = 0; i < count; i += part) {
        part = (uint32_t)ssn_min_u64(SSN_LIVE_BATCH_MAX, count - i);
        int code = batch_part(ss, ios + i, part);
        first = first == SELSNAP_OK ? code : first;
    }
    return first;
}

int selsnap_flush(selsnap *ss) {
    if (ss == NULL) {
        return SELSNAP_EINVAL;
    }
    /* Nothing is ever written through a read-only context. */
    return ss->read_only ? SELSNAP_OK : ssn_live_flush(ss);
}

int selsnap_freeze(selsnap *ss) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_context_freeze(ss) : rc;
}

int selsnap_thaw(selsnap *ss) {
    return ss == NULL ? SELSNAP_EINVAL : ssn_context_thaw(ss);
}

int selsnap_step(selsnap *ss, const selsnap_step_options *options, uint32_t *ret_more) {
    const uint32_t known_flags = SELSNAP_STEP_RECLAIM | SELSNAP_STEP_RESTORE | SELSNAP_STEP_CHECKPOINT;
    selsnap_step_options ours;
    int rc = ssn_api_check_writable(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (!ssn_import(&ours, sizeof ours, options) || (ours.flags & ~known_flags) != 0) {
        return SELSNAP_EINVAL;
    }
    uint32_t more = 0;
    rc = ssn_step(ss, &ours, &more);
    if (ret_more != NULL) {
        *ret_more = more;
    }
    return rc;
}
