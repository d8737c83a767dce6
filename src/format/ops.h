/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of transactions (docs/format.md, section 3): bytes <-> struct, and iterators that are safe with any
 * bytes. No I/O, no allocation.
 */
#ifndef SSN_OPS_H
#define SSN_OPS_H

#include "key.h"

enum ssn_op_kind {
    SSN_OP_PUT = 1,
    SSN_OP_DELETE = 2,
    SSN_OP_TAKE = 3,
    SSN_OP_GIVE = 4,
};

enum {
    SSN_OP_PUT_HEADER = 1 + SSN_KEY_SIZE + 2,
    SSN_OP_DELETE_SIZE = 1 + SSN_KEY_SIZE,
    SSN_OP_SPACE_SIZE = 1 + 8 + 4,
    SSN_TXN_HEADER = 4,
};

struct ssn_op {
    uint8_t kind;
    struct ssn_key key;   /* put, delete */
    uint16_t len;         /* put */
    const uint8_t *value; /* put: in the bytes given to the iterator */
    uint64_t place;       /* take, give */
    uint32_t pages;       /* take, give: at least 1, place + pages does not overflow */
};

/* Bytes that the operation takes. */
size_t ssn_op_size(const struct ssn_op *op);
/* Gives ssn_op_size(). */
size_t ssn_op_encode(uint8_t *p, const struct ssn_op *op);

enum ssn_iter_result { SSN_ITER_ITEM, SSN_ITER_END, SSN_ITER_BAD };

struct ssn_ops_iter {
    const uint8_t *at;
    const uint8_t *end;
};

static inline struct ssn_ops_iter ssn_ops_begin(const uint8_t *data, size_t len) {
    struct ssn_ops_iter iter = {data, data + len};
    return iter;
}
/* The next operation of a transaction. Bad: bytes that no writer writes; items of space are none that a transaction may
 * change. */
enum ssn_iter_result ssn_ops_next(struct ssn_ops_iter *iter, struct ssn_op *ret_op);
/* The next transaction of a batch's payload. Bad: too long, or bytes after the last that are not zero. */
enum ssn_iter_result ssn_txns_next(struct ssn_ops_iter *iter, struct ssn_ops_iter *ret_txn);

#endif
