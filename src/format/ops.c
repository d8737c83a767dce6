/* SPDX-License-Identifier: Apache-2.0 */
/* See ops.h. */
#include "ops.h"

#include <assert.h>
#include <string.h>

size_t ssn_op_size(const struct ssn_op *op) {
    switch (op->kind) {
    case SSN_OP_PUT:
        return SSN_OP_PUT_HEADER + (size_t)op->len;
    case SSN_OP_DELETE:
        return SSN_OP_DELETE_SIZE;
    default:
        return SSN_OP_SPACE_SIZE;
    }
}

size_t ssn_op_encode(uint8_t *p, const struct ssn_op *op) {
    p[0] = op->kind;
    switch (op->kind) {
    case SSN_OP_PUT:
        assert(op->len <= SSN_VALUE_MAX);
        ssn_key_encode(p + 1, &op->key);
        ssn_put16(p + 1 + SSN_KEY_SIZE, op->len);
        if (op->len > 0) {
            memcpy(p + SSN_OP_PUT_HEADER, op->value, op->len);
        }
        break;
    case SSN_OP_DELETE:
        ssn_key_encode(p + 1, &op->key);
        break;
    default:
        assert(op->kind == SSN_OP_TAKE || op->kind == SSN_OP_GIVE);
        ssn_put64(p + 1, op->place);
        ssn_put32(p + 9, op->pages);
        break;
    }
    return ssn_op_size(op);
}

static bool key_ok(const struct ssn_key *key) {
    return key->type != SSN_ITEM_SPACE && ssn_item_type_known(key->type);
}

enum ssn_iter_result ssn_ops_next(struct ssn_ops_iter *iter, struct ssn_op *ret_op) {
    size_t left = (size_t)(iter->end - iter->at);
    const uint8_t *p = iter->at;
    if (left == 0) {
        return SSN_ITER_END;
    }
    struct ssn_op op;
    memset(&op, 0, sizeof op);
    op.kind = p[0];
    switch (op.kind) {
    case SSN_OP_PUT:
        if (left < SSN_OP_PUT_HEADER) {
            return SSN_ITER_BAD;
        }
        ssn_key_decode(p + 1, &op.key);
        op.len = ssn_get16(p + 1 + SSN_KEY_SIZE);
        op.value = p + SSN_OP_PUT_HEADER;
        if (op.len > SSN_VALUE_MAX || !key_ok(&op.key)) {
            return SSN_ITER_BAD;
        }
        break;
    case SSN_OP_DELETE:
        if (left < SSN_OP_DELETE_SIZE) {
            return SSN_ITER_BAD;
        }
        ssn_key_decode(p + 1, &op.key);
        if (!key_ok(&op.key)) {
            return SSN_ITER_BAD;
        }
        break;
    case SSN_OP_TAKE:
    case SSN_OP_GIVE:
        if (left < SSN_OP_SPACE_SIZE) {
            return SSN_ITER_BAD;
        }
        op.place = ssn_get64(p + 1);
        op.pages = ssn_get32(p + 9);
        if (op.pages == 0 || op.place > UINT64_MAX - op.pages) {
            return SSN_ITER_BAD;
        }
        break;
    default:
        return SSN_ITER_BAD;
    }
    if (ssn_op_size(&op) > left) {
        return SSN_ITER_BAD;
    }
    iter->at += ssn_op_size(&op);
    *ret_op = op;
    return SSN_ITER_ITEM;
}

enum ssn_iter_result ssn_txns_next(struct ssn_ops_iter *iter, struct ssn_ops_iter *ret_txn) {
    size_t left = (size_t)(iter->end - iter->at);
    size_t len = left >= SSN_TXN_HEADER ? ssn_get32(iter->at) : 0;
    if (len == 0) {
        return ssn_is_zero(iter->at, left) ? SSN_ITER_END : SSN_ITER_BAD;
    }
    if (len > left - SSN_TXN_HEADER) {
        return SSN_ITER_BAD;
    }
    *ret_txn = ssn_ops_begin(iter->at + SSN_TXN_HEADER, len);
    iter->at += SSN_TXN_HEADER + len;
    return SSN_ITER_ITEM;
}
