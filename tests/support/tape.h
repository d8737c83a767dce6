/* SPDX-License-Identifier: Apache-2.0 */
/* A stream in memory: what an export writes, an import reads. */
#ifndef SSN_TEST_TAPE_H
#define SSN_TEST_TAPE_H

#include "test.h"

#include <string.h>

enum { TAPE_BYTES = 1 << 20 };

struct tape {
    uint8_t bytes[TAPE_BYTES];
    size_t len;
    size_t at;
};

static inline int tape_write(void *user, const void *buf, size_t len) {
    struct tape *tape = user;
    assert_true(len <= TAPE_BYTES - tape->len);
    memcpy(tape->bytes + tape->len, buf, len);
    tape->len += len;
    return 0;
}

static inline int64_t tape_read(void *user, void *buf, size_t len) {
    struct tape *tape = user;
    size_t part = len < tape->len - tape->at ? len : tape->len - tape->at;
    memcpy(buf, tape->bytes + tape->at, part);
    tape->at += part;
    return (int64_t)part;
}

#endif
