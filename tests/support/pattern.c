/* SPDX-License-Identifier: Apache-2.0 */
#include "pattern.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { WORDS = PATTERN_SECTOR / 8, LANES = 4 };

static const uint64_t MAGIC = UINT64_C(0x53454c5445535421);
static const uint64_t STRIDE = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void make_sector(uint64_t *words, const struct pattern *pattern) {
    uint64_t key = mix(mix(mix(pattern->sector + STRIDE) ^ pattern->sequence) ^ pattern->writer);
    words[0] = MAGIC;
    words[1] = pattern->sector;
    words[2] = pattern->sequence;
    words[3] = pattern->writer;
    for (unsigned i = 4; i < WORDS; i++) {
        words[i] = key += STRIDE;
    }
}

void pattern_fill(void *buf, size_t len, uint64_t offset, uint32_t writer, uint64_t sequence) {
    uint8_t *to = buf;
    while (len > 0) {
        const struct pattern pattern = {offset / PATTERN_SECTOR, sequence, writer};
        uint64_t words[WORDS];
        make_sector(words, &pattern);
        size_t begin = offset % PATTERN_SECTOR;
        size_t part = PATTERN_SECTOR - begin < len ? PATTERN_SECTOR - begin : len;
        memcpy(to, (const uint8_t *)words + begin, part);
        to += part;
        offset += part;
        len -= part;
    }
}

bool pattern_read(const void *sector, struct pattern *ret_pattern) {
    uint64_t words[WORDS];
    uint64_t expected[WORDS];
    memcpy(words, sector, sizeof words);
    const struct pattern pattern = {words[1], words[2], (uint32_t)words[3]};
    make_sector(expected, &pattern);
    if (memcmp(words, expected, sizeof words) != 0) {
        return false;
    }
    *ret_pattern = pattern;
    return true;
}

bool pattern_is(const void *buf, size_t len, uint64_t offset, uint32_t writer, uint64_t sequence) {
    const uint8_t *from = buf;
    while (len > 0) {
        uint8_t expected[PATTERN_SECTOR];
        size_t part = PATTERN_SECTOR - offset % PATTERN_SECTOR;
        part = part < len ? part : len;
        pattern_fill(expected, part, offset, writer, sequence);
        if (memcmp(from, expected, part) != 0) {
            return false;
        }
        from += part;
        offset += part;
        len -= part;
    }
    return true;
}

bool pattern_all_zero(const void *buf, size_t len) {
    const uint8_t *bytes = buf;
    return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

void pattern_describe(const void *sector, char *text, size_t text_len) {
    struct pattern pattern;
    uint64_t words[2];
    memcpy(words, sector, sizeof words);
    if (pattern_read(sector, &pattern)) {
        snprintf(text, text_len, "sector %" PRIu64 " as writer %u wrote it at %" PRIu64, pattern.sector, pattern.writer,
                 pattern.sequence);
    } else if (pattern_all_zero(sector, PATTERN_SECTOR)) {
        snprintf(text, text_len, "zeros");
    } else {
        snprintf(text, text_len, "%s %016" PRIx64 " %016" PRIx64 "...", words[0] == MAGIC ? "a mixture" : "bytes",
                 words[0], words[1]);
    }
}

uint64_t pattern_hash(const void *buf, size_t len) {
    const uint8_t *from = buf;
    uint64_t hash = STRIDE ^ len;
    uint64_t lanes[LANES] = {1, 2, 3, 4}; /* of words side by side, so that none waits for the one before it */
    for (; len >= sizeof lanes; len -= sizeof lanes, from += sizeof lanes) {
        for (unsigned i = 0; i < LANES; i++) {
            uint64_t word;
            memcpy(&word, from + (size_t)i * 8, 8);
            lanes[i] = mix(lanes[i] ^ word) + STRIDE;
        }
    }
    for (unsigned i = 0; i < LANES; i++) {
        hash = mix(hash ^ lanes[i]) + STRIDE;
    }
    for (; len >= 8; len -= 8, from += 8) {
        uint64_t word;
        memcpy(&word, from, 8);
        hash = mix(hash ^ word) + STRIDE;
    }
    for (; len > 0; len--, from++) {
        hash = mix(hash ^ *from) + STRIDE;
    }
    return hash;
}
