/* SPDX-License-Identifier: Apache-2.0 */
/* See layer.h. */
#include "layer.h"

uint16_t ssn_layer_encode(uint8_t *p, uint64_t parent) {
    ssn_put64(p, parent);
    return 8;
}

bool ssn_layer_decode(uint64_t overlay, const uint8_t *p, uint16_t len, uint64_t *ret_parent) {
    if (len != 8) {
        return false;
    }
    uint64_t parent = ssn_get64(p);
    if (parent == 0 || parent >= overlay) {
        return false;
    }
    *ret_parent = parent;
    return true;
}
