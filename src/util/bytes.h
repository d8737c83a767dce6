/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian integers in byte strings, and checked arithmetic on sizes from disk or caller. */
#ifndef SSN_BYTES_H
#define SSN_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint16_t ssn_get16(const uint8_t *p) {
    return (uint16_t)(p[0] | (unsigned)p[1] << 8);
}

static inline uint32_t ssn_get32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t ssn_get64(const uint8_t *p) {
    return (uint64_t)ssn_get32(p) | (uint64_t)ssn_get32(p + 4) << 32;
}

static inline void ssn_put16(uint8_t *p, uint16_t value) {
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static inline void ssn_put32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        p[i] = (uint8_t)(value >> (8 * i));
    }
}

static inline void ssn_put64(uint8_t *p, uint64_t value) {
    for (int i = 0; i < 8; i++) {
        p[i] = (uint8_t)(value >> (8 * i));
    }
}

static inline bool ssn_is_zero(const void *data, size_t len) {
    const uint8_t *p = data;
    uint8_t any = 0;
    while (len >= 64 && any == 0) {
        for (int i = 0; i < 64; i++) {
            any |= p[i];
        }
        p += 64;
        len -= 64;
    }
    while (len > 0 && any == 0) {
        any |= *p++;
        len--;
    }
    return any == 0;
}

static inline bool ssn_is_power_of_2(uint64_t value) {
    return value != 0 && (value & (value - 1)) == 0;
}

/* Whether [offset, offset + len) lies in [0, size). Never overflows. */
static inline bool ssn_range_inside(uint64_t offset, uint64_t len, uint64_t size) {
    return offset <= size && len <= size - offset;
}

/* false on overflow; *ret is then untouched. */
static inline bool ssn_add_u64(uint64_t a, uint64_t b, uint64_t *ret) {
    if (a > UINT64_MAX - b) {
        return false;
    }
    *ret = a + b;
    return true;
}

static inline bool ssn_mul_u64(uint64_t a, uint64_t b, uint64_t *ret) {
    if (b != 0 && a > UINT64_MAX / b) {
        return false;
    }
    *ret = a * b;
    return true;
}

static inline uint64_t ssn_min_u64(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static inline uint64_t ssn_max_u64(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static inline uint64_t ssn_div_up(uint64_t value, uint64_t by) {
    return value / by + (value % by != 0);
}

#endif
