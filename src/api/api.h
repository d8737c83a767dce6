/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of exported functions share. An exported function checks its arguments, copies structs in and out, and
 * calls the layer below; it does nothing itself.
 */
#ifndef SSN_API_H
#define SSN_API_H

#include "context.h"
#include "import.h"

/* For what writes: SELSNAP_EINVAL for NULL, SELSNAP_EREADONLY, told, for a read-only context. */
static inline int ssn_api_check_writable(struct selsnap *ss) {
    if (ss == NULL) {
        return SELSNAP_EINVAL;
    }
    return ss->read_only ? ssn_fail(&ss->report, SELSNAP_EREADONLY, "the context was opened read-only") : SELSNAP_OK;
}

/* Whether every piece that has bytes has memory. */
static inline bool ssn_api_iov_allowed(const selsnap_iovec *iov, uint32_t iov_count) {
    if (iov == NULL && iov_count > 0) {
        return false;
    }
    for (uint32_t i = 0; i < iov_count; i++) {
        if (iov[i].base == NULL && iov[i].len > 0) {
            return false;
        }
    }
    return true;
}

/* Whether each request of a batch can be told its result. */
static inline bool ssn_api_ios_answerable(selsnap_io *const *ios, uint32_t count) {
    if (ios == NULL && count > 0) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (ios[i] == NULL || ios[i]->struct_size < offsetof(selsnap_io, result) + sizeof ios[i]->result) {
            return false;
        }
    }
    return true;
}

/* All three functions, or none. */
static inline bool ssn_api_allocator_allowed(const selsnap_allocator *allocator) {
    bool given = allocator->alloc != NULL;
    return given == (allocator->resize != NULL) && given == (allocator->release != NULL);
}

#endif
