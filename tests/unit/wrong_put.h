/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of wrong items: changes of a world's transaction, and looks into its store. */
#ifndef SSN_TEST_WRONG_PUT_H
#define SSN_TEST_WRONG_PUT_H

#include "wrong_items.h"

static inline void put(struct world *world, uint8_t type, uint64_t major, uint64_t minor, const void *value,
                       size_t len) {
    struct ssn_key key = ssn_key_make(type, major, minor);
    ssn_txn_put(&world->txn, &key, value, (uint16_t)len);
}

static inline void drop(struct world *world, uint8_t type, uint64_t major, uint64_t minor) {
    struct ssn_key key = ssn_key_make(type, major, minor);
    ssn_txn_delete(&world->txn, &key);
}

static inline struct ssn_item get(struct world *world, uint8_t type, uint64_t major, uint64_t minor) {
    struct ssn_key key = ssn_key_make(type, major, minor);
    struct ssn_item item;
    assert_ok(ssn_store_get(world->rig.ss->store, &key, &item));
    return item;
}

/* The first item from the key on. */
static inline struct ssn_item seek(struct world *world, uint8_t type, uint64_t major, uint64_t minor) {
    struct ssn_key key = ssn_key_make(type, major, minor);
    struct ssn_item item;
    assert_ok(ssn_store_seek(world->rig.ss->store, &key, &item));
    assert_int_equal(item.key.type, type);
    return item;
}

#endif
