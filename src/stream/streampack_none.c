/* SPDX-License-Identifier: Apache-2.0 */
/* See streampack.h. In place of streampack.c where libzstd is not there: nothing is packed, and nothing unpacked. */
#include "streampack.h"

bool ssn_packs(void) {
    return false;
}

struct ssn_packer *ssn_packer_open(int level) {
    (void)level;
    return NULL;
}

void ssn_packer_close(struct ssn_packer *packer) {
    (void)packer;
}

size_t ssn_packer_bound(size_t len) {
    return len;
}

size_t ssn_packer_pack(struct ssn_packer *packer, uint8_t *to, size_t room, const uint8_t *from, size_t len) {
    (void)packer;
    (void)to;
    (void)room;
    (void)from;
    (void)len;
    return 0;
}

struct ssn_unpacker *ssn_unpacker_open(void) {
    return NULL;
}

void ssn_unpacker_close(struct ssn_unpacker *unpacker) {
    (void)unpacker;
}

bool ssn_unpacker_unpack(struct ssn_unpacker *unpacker, uint8_t *to, size_t to_len, const uint8_t *from, size_t len) {
    (void)unpacker;
    (void)to;
    (void)to_len;
    (void)from;
    (void)len;
    return false;
}
