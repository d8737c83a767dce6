/* SPDX-License-Identifier: Apache-2.0 */
/* The one checksum of the format: XXH3-64 with seed 0, by the xxHash library. */
#ifndef SSN_CHECKSUM_H
#define SSN_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint64_t ssn_checksum(const void *data, size_t len);

#endif
