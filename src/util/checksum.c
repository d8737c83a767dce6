/* SPDX-License-Identifier: Apache-2.0 */
/* See checksum.h. With checksum_avx2.c the only file that includes the xxHash library, as a header. */
#include "checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Below, the call costs more than wider registers save; a long input's inner loop is what they speed up. */
enum { WIDE_FROM = 256 };

uint64_t ssn_checksum(const void *data, size_t len) {
#ifdef SSN_HAVE_AVX2
    if (len >= WIDE_FROM && __builtin_cpu_supports("avx2")) {
        return ssn_checksum_avx2(data, len);
    }
#endif
    return ssn_checksum_plain(data, len);
}

uint64_t ssn_checksum_plain(const void *data, size_t len) {
    return XXH3_64bits(data, len);
}
