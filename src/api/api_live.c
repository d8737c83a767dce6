/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions on the live device, and for background work. */
#include "api.h"
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
