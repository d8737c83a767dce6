/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sectors that describe themselves: each 512 bytes tell their own place, who wrote them, and when, under a check value.
 * A wrong sector so says why it is wrong.
 */
#ifndef SSN_TEST_PATTERN_H
#define SSN_TEST_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PATTERN_SECTOR = 512 };

struct pattern {
    uint64_t sector;   /* its place: offset / 512 */
    uint64_t sequence; /* when, as the test counts */
    uint32_t writer;   /* who */
};

/* What writer wrote at sequence to the bytes from offset on; any alignment. */
void pattern_fill(void *buf, size_t len, uint64_t offset, uint32_t writer, uint64_t sequence);
/* Reads one whole sector; false: it is not a pattern. */
bool pattern_read(const void *sector, struct pattern *ret_pattern);
/* True: len bytes at buf are what pattern_fill() gives. */
bool pattern_is(const void *buf, size_t len, uint64_t offset, uint32_t writer, uint64_t sequence);
/* One line about the sector at buf. */
void pattern_describe(const void *sector, char *text, size_t text_len);
bool pattern_all_zero(const void *buf, size_t len);
/* A hash of bytes, for tests only. */
uint64_t pattern_hash(const void *buf, size_t len);

#endif
