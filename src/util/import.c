/* SPDX-License-Identifier: Apache-2.0 */
/* See import.h. */
#include "import.h"

#include "bytes.h"

#include <string.h>

enum { SIZE_MIN_BYTES = 8, SIZE_MAX_BYTES = 65536 };

static bool read_size(const void *theirs, size_t *ret_size) {
    uint32_t size;
    memcpy(&size, theirs, sizeof size);
    if (size < SIZE_MIN_BYTES || size > SIZE_MAX_BYTES) {
        return false;
    }
    *ret_size = size;
    return true;
}

bool ssn_import(void *ours, size_t our_size, const void *theirs) {
    memset(ours, 0, our_size);
    if (theirs == NULL) {
        return true;
    }
    size_t size;
    if (!read_size(theirs, &size)) {
        return false;
    }
    if (size > our_size && !ssn_is_zero((const uint8_t *)theirs + our_size, size - our_size)) {
        return false;
    }
    memcpy(ours, theirs, size < our_size ? size : our_size);
    return true;
}

bool ssn_export(void *theirs, const void *ours, size_t our_size) {
    size_t size;
    if (theirs == NULL || !read_size(theirs, &size)) {
        return false;
    }
    size_t known = size < our_size ? size : our_size;
    memcpy((uint8_t *)theirs + sizeof(uint32_t), (const uint8_t *)ours + sizeof(uint32_t), known - sizeof(uint32_t));
    return true;
}
