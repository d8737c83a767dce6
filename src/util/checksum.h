/* SPDX-License-Identifier: Apache-2.0 */
/* The one checksum of the format: XXH3-64 with seed 0, by the xxHash library, as wide as the processor can. */
#ifndef SSN_CHECKSUM_H
#define SSN_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint64_t ssn_checksum(const void *data, size_t len);

/* What it is made of; for itself and its test. The second is there with SSN_HAVE_AVX2, for processors that have it. */
uint64_t ssn_checksum_plain(const void *data, size_t len);
uint64_t ssn_checksum_avx2(const void *data, size_t len);

#endif
