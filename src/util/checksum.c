/* SPDX-License-Identifier: Apache-2.0 */
/* See checksum.h. The only file that includes the xxHash library, as a header. */
#include "checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t ssn_checksum(const void *data, size_t len) {
    return XXH3_64bits(data, len);
}
