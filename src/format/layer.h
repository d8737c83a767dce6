/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers of overlays (docs/format.md, section 6.11): bytes <-> parent. A parent is older than what lies on it, so its id
 * is less, and no chain can be a ring. No I/O, no allocation.
 */
#ifndef SSN_LAYER_H
#define SSN_LAYER_H

#include "key.h"

enum { SSN_LAYER_CHAIN_MAX = 32 }; /* overlays that a snapshot reads through, its own included */

uint16_t ssn_layer_encode(uint8_t *p, uint64_t parent);
/* overlay: the key's major. */
bool ssn_layer_decode(uint64_t overlay, const uint8_t *p, uint16_t len, uint64_t *ret_parent);

#endif
