/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions before they are committed: encoded operations in memory. One thread at a time uses one. */
#include "store_inner.h"

#include <string.h>

void ssn_txn_init(struct ssn_txn *txn, struct ssn_store *store) {
    memset(txn, 0, sizeof *txn);
    txn->store = store;
}

void ssn_txn_fini(struct ssn_txn *txn) {
    ssn_free(txn->store->mem, txn->data);
    ssn_txn_init(txn, txn->store);
}

static void add(struct ssn_txn *txn, const struct ssn_op *op) {
    size_t size = ssn_op_size(op);
    if (txn->error != SELSNAP_OK) {
        return;
    }
    if (size > SSN_TXN_MAX - txn->len) {
        txn->error = SELSNAP_ELIMIT;
        return;
    }
    if (txn->len + size > txn->capacity) {
        size_t wanted = txn->capacity < 256 ? 256 : txn->capacity * 2;
        while (wanted < txn->len + size) {
            wanted *= 2;
        }
        uint8_t *grown = ssn_realloc(txn->store->mem, txn->data, wanted);
        if (grown == NULL) {
            txn->error = SELSNAP_ENOMEM;
            return;
        }
        txn->data = grown;
        txn->capacity = wanted;
    }
    txn->len += ssn_op_encode(txn->data + txn->len, op);
    txn->op_count++;
}

void ssn_txn_put(struct ssn_txn *txn, const struct ssn_key *key, const uint8_t *value, uint16_t len) {
    struct ssn_op op = {.kind = SSN_OP_PUT, .key = *key, .len = len, .value = value};
    if (len > SSN_VALUE_MAX && txn->error == SELSNAP_OK) {
        txn->error = SELSNAP_ELIMIT;
    }
    add(txn, &op);
}

void ssn_txn_delete(struct ssn_txn *txn, const struct ssn_key *key) {
    struct ssn_op op = {.kind = SSN_OP_DELETE, .key = *key};
    add(txn, &op);
}

/* A place may come from an item on disk, which need not be right [F-1]. */
static void add_run(struct ssn_txn *txn, enum ssn_op_kind kind, uint64_t place, uint32_t pages) {
    struct ssn_op op = {.kind = (uint8_t)kind, .place = place, .pages = pages};
    const struct ssn_store *store = txn->store;
    if (pages == 0) {
        return;
    }
    if ((place < store->area || !ssn_range_inside(place, pages, store->store_pages)) && txn->error == SELSNAP_OK) {
        txn->error = SELSNAP_EDAMAGED;
    }
    add(txn, &op);
}

void ssn_txn_take(struct ssn_txn *txn, uint64_t place, uint32_t pages) {
    add_run(txn, SSN_OP_TAKE, place, pages);
}

void ssn_txn_give(struct ssn_txn *txn, uint64_t place, uint32_t pages) {
    add_run(txn, SSN_OP_GIVE, place, pages);
}
