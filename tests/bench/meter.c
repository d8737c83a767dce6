/* SPDX-License-Identifier: Apache-2.0 */
/* Each piece is preceded by its length, so that the bytes in use are known. */
#include "bench.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { HEAD = 16 };

struct meter {
    _Atomic uint64_t calls;
    _Atomic uint64_t now;
    _Atomic uint64_t peak;
};

static void *settle(struct meter *meter, uint8_t *piece, size_t before, size_t len) {
    if (piece == NULL) {
        return NULL;
    }
    *(size_t *)(void *)piece = len;
    uint64_t now = atomic_fetch_add(&meter->now, len - before) + len - before;
    uint64_t peak = atomic_load(&meter->peak);
    while (now > peak && !atomic_compare_exchange_weak(&meter->peak, &peak, now)) {
    }
    return piece + HEAD;
}

static void *meter_alloc(void *user, size_t len) {
    struct meter *meter = user;
    atomic_fetch_add(&meter->calls, 1);
    return settle(meter, malloc(len + HEAD), 0, len);
}

static void *meter_resize(void *user, void *memory, size_t len) {
    struct meter *meter = user;
    if (memory == NULL) {
        return meter_alloc(user, len);
    }
    atomic_fetch_add(&meter->calls, 1);
    uint8_t *piece = (uint8_t *)memory - HEAD;
    size_t before = *(size_t *)(void *)piece;
    return settle(meter, realloc(piece, len + HEAD), before, len);
}

static void meter_release(void *user, void *memory) {
    struct meter *meter = user;
    if (memory != NULL) {
        uint8_t *piece = (uint8_t *)memory - HEAD;
        atomic_fetch_sub(&meter->now, *(size_t *)(void *)piece);
        free(piece);
    }
}

struct meter *meter_open(void) {
    struct meter *meter = calloc(1, sizeof *meter);
    if (meter == NULL) {
        abort();
    }
    return meter;
}

void meter_close(struct meter *meter) {
    free(meter);
}

selsnap_allocator meter_allocator(struct meter *meter) {
    selsnap_allocator allocator = {meter_alloc, meter_resize, meter_release, meter};
    return allocator;
}

uint64_t meter_calls(const struct meter *meter) {
    return atomic_load(&meter->calls);
}

uint64_t meter_peak(const struct meter *meter) {
    return atomic_load(&meter->peak);
}
