/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What harnesses share: taking a fuzzer's bytes apart, and failing. A harness is one file with
 * LLVMFuzzerTestOneInput(), which may be called any number of times in one process and must do the same each time.
 */
#ifndef SSN_FUZZ_INPUT_H
#define SSN_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By libFuzzer, AFL++ and replay.c. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Fails the run. Unlike assert() it is never compiled out. */
#define must(condition)                                                              \
    do {                                                                             \
        if (!(condition)) {                                                          \
            fprintf(stderr, "%s:%d: must be: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                 \
        }                                                                            \
    } while (0)

/* Bytes not used yet. What is taken beyond the end is zeros. */
struct input {
    const uint8_t *at;
    size_t left;
};

static inline struct input input_of(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    return in;
}

static inline void input_take(struct input *in, void *to, size_t len) {
    size_t part = len < in->left ? len : in->left;
    memset(to, 0, len);
    if (part > 0) {
        memcpy(to, in->at, part);
        in->at += part;
        in->left -= part;
    }
}

static inline uint8_t input_u8(struct input *in) {
    uint8_t byte;
    input_take(in, &byte, 1);
    return byte;
}

/* Little-endian, of 1 to 8 bytes. */
static inline uint64_t input_uint(struct input *in, size_t bytes) {
    uint8_t raw[8] = {0};
    uint64_t value = 0;
    input_take(in, raw, bytes);
    for (size_t i = bytes; i > 0; i--) {
        value = value << 8 | raw[i - 1];
    }
    return value;
}

/* 0 .. limit - 1, from as few bytes as can tell it. */
static inline uint64_t input_below(struct input *in, uint64_t limit) {
    return input_uint(in, limit <= 256 ? 1 : limit <= 65536 ? 2 : 8) % limit;
}

/* A copy of exactly this length, so that a checker of memory sees each byte beyond it. */
static inline uint8_t *input_copy(struct input *in, size_t len) {
    uint8_t *copy = malloc(len > 0 ? len : 1);
    must(copy != NULL);
    input_take(in, copy, len);
    return copy;
}

#endif
