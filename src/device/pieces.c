/* SPDX-License-Identifier: Apache-2.0 */
/* See pieces.h. */
#include "pieces.h"

#include "blockdev.h"
#include "bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <malloc.h>
#endif

enum { BOUNCE_BYTES = 1 << 20 };

void ssn_cursor_advance(struct ssn_cursor *cursor, uint64_t len) {
    while (cursor->index < cursor->iov_count && len >= cursor->iov[cursor->index].len - cursor->skip) {
        len -= cursor->iov[cursor->index].len - cursor->skip;
        cursor->index++;
        cursor->skip = 0;
    }
    cursor->skip += (size_t)len;
}

/* Copies between the pieces from the cursor on and the buffer, and moves the cursor on. */
static void copy_pieces(struct ssn_cursor *cursor, uint8_t *bounce, size_t len, bool to_bounce) {
    while (len > 0) {
        const selsnap_iovec *piece = &cursor->iov[cursor->index];
        size_t part = piece->len - cursor->skip;
        part = part < len ? part : len;
        if (part > 0 && to_bounce) {
            memcpy(bounce, (const uint8_t *)piece->base + cursor->skip, part);
        } else if (part > 0) {
            memcpy((uint8_t *)piece->base + cursor->skip, bounce, part);
        }
        bounce += part;
        len -= part;
        ssn_cursor_advance(cursor, part);
    }
}

#ifdef _WIN32
static int alloc_aligned(void **ret_memory, size_t align, size_t len) {
    *ret_memory = _aligned_malloc(len, align);
    return *ret_memory != NULL ? 0 : ENOMEM;
}

static void free_aligned(void *memory) {
    _aligned_free(memory);
}
#else
static int alloc_aligned(void **ret_memory, size_t align, size_t len) {
    return posix_memalign(ret_memory, align, len);
}

static void free_aligned(void *memory) {
    free(memory);
}
#endif

int ssn_move_bounced(ssn_move_aligned *move, const void *user, size_t align, bool write, const selsnap_iovec *iov,
                     uint32_t iov_count, uint64_t offset) {
    uint64_t left = 0;
    if (!ssn_iov_bytes(iov, iov_count, &left)) {
        return -EINVAL;
    }
    size_t size = (size_t)ssn_min_u64(left, BOUNCE_BYTES);
    void *bounce = NULL;
    int result = -alloc_aligned(&bounce, align, size);
    struct ssn_cursor cursor = {iov, iov_count, 0, 0};
    while (result == 0 && left > 0) {
        size_t len = (size_t)ssn_min_u64(left, size);
        if (write) {
            copy_pieces(&cursor, bounce, len, true);
        }
        result = move(user, write, bounce, len, offset);
        if (result == 0 && !write) {
            copy_pieces(&cursor, bounce, len, false);
        }
        offset += len;
        left -= len;
    }
    free_aligned(bounce);
    return result;
}
