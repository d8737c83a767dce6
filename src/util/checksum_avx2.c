/* SPDX-License-Identifier: Apache-2.0 */
/* See checksum.h. Compiled for processors with AVX2, and called only there. */
#include "checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t ssn_checksum_avx2(const void *data, size_t len) {
    return XXH3_64bits(data, len);
}
