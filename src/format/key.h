/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the tree's items (docs/format.md, sections 4 and 6), and the limits of pages and values. */
#ifndef SSN_KEY_H
#define SSN_KEY_H

#include "bytes.h"

#include <string.h>

enum {
    SSN_PAGE_SIZE = 4096,
    SSN_SECTOR_SIZE = 512,
    SSN_SECTORS_PER_PAGE = SSN_PAGE_SIZE / SSN_SECTOR_SIZE,
    SSN_KEY_SIZE = 17,
    SSN_VALUE_MAX = 1200,
    SSN_LEVEL_MAX = 15,
    SSN_STORE_ID_SIZE = 16,
};

enum ssn_item_type {
    SSN_ITEM_SPACE = 1,
    SSN_ITEM_DESIGNATION = 2,
    SSN_ITEM_RANGES = 3,
    SSN_ITEM_NAME = 4,
    SSN_ITEM_SNAPSHOT = 5,
    SSN_ITEM_LABEL = 6,
    SSN_ITEM_PROPERTY = 7,
    SSN_ITEM_ENTRY = 8,
    SSN_ITEM_OVERLAY = 9,
    SSN_ITEM_JOB = 10,
    SSN_ITEM_RESTORED = 11,
    SSN_ITEM_STATE = 12,
    SSN_ITEM_HOLD = 13,
    SSN_ITEM_TERM = 14,
    SSN_ITEM_MEMBERSHIP = 15,
    SSN_ITEM_RECEIVED = 16,
    SSN_ITEM_LAYER = 17,
    SSN_ITEM_SIZE = 18,
};

static inline bool ssn_item_type_known(uint8_t type) {
    return type >= SSN_ITEM_SPACE && type <= SSN_ITEM_SIZE;
}

struct ssn_key {
    uint64_t major;
    uint64_t minor;
    uint8_t type;
};

/* A key with its value, copied out of the index. */
struct ssn_item {
    struct ssn_key key;
    uint16_t len;
    uint8_t value[SSN_VALUE_MAX];
};

/* What is behind the value's end is left: most values are a few bytes. */
static inline void ssn_item_copy(struct ssn_item *to, const struct ssn_item *from) {
    to->key = from->key;
    to->len = from->len;
    memcpy(to->value, from->value, from->len);
}

static inline struct ssn_key ssn_key_make(uint8_t type, uint64_t major, uint64_t minor) {
    struct ssn_key key = {major, minor, type};
    return key;
}

static inline int ssn_key_compare(const struct ssn_key *a, const struct ssn_key *b) {
    if (a->type != b->type) {
        return a->type < b->type ? -1 : 1;
    }
    if (a->major != b->major) {
        return a->major < b->major ? -1 : 1;
    }
    if (a->minor != b->minor) {
        return a->minor < b->minor ? -1 : 1;
    }
    return 0;
}

static inline void ssn_key_encode(uint8_t *p, const struct ssn_key *key) {
    p[0] = key->type;
    ssn_put64(p + 1, key->major);
    ssn_put64(p + 9, key->minor);
}

static inline void ssn_key_decode(const uint8_t *p, struct ssn_key *ret_key) {
    ret_key->type = p[0];
    ret_key->major = ssn_get64(p + 1);
    ret_key->minor = ssn_get64(p + 9);
}

/* The next key in order; false after the last there can be. */
static inline bool ssn_key_after(struct ssn_key *key) {
    if (++key->minor != 0) {
        return true;
    }
    if (++key->major != 0) {
        return true;
    }
    return ++key->type != 0;
}

/* The key before in order; false when there is none. */
static inline bool ssn_key_before(struct ssn_key *key) {
    if (key->minor-- != 0) {
        return true;
    }
    if (key->major-- != 0) {
        return true;
    }
    return key->type-- != 0;
}

#endif
