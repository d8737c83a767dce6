/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of pieces: a place in one, and requests that go through a buffer of their own. */
#ifndef SSN_PIECES_H
#define SSN_PIECES_H

#include <selsnap/device.h>
#include <stdbool.h>

/* A place in a list of pieces: in piece `index`, after its first `skip` bytes. */
struct ssn_cursor {
    const selsnap_iovec *iov;
    uint32_t iov_count;
    uint32_t index;
    size_t skip;
};

void ssn_cursor_advance(struct ssn_cursor *cursor, uint64_t len);

/* Moves `len` bytes between the file and memory that is aligned; 0 or -errno. */
typedef int ssn_move_aligned(const void *user, bool write, void *buf, size_t len, uint64_t offset);

/*
 * Moves all the pieces through a buffer that is aligned, a power of two, so that the file sees neither their places nor
 * how many they are; 0 or -errno, `move`'s first failure among them.
 */
int ssn_move_bounced(ssn_move_aligned *move, const void *user, size_t align, bool write, const selsnap_iovec *iov,
                     uint32_t iov_count, uint64_t offset);

#endif
