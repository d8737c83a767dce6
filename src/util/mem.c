/* SPDX-License-Identifier: Apache-2.0 */
/* See mem.h. */
#include "mem.h"

#include <stdlib.h>
#include <string.h>

enum { PREFIX = 16 }; /* keeps the alignment that malloc gives */

void ssn_mem_init(struct ssn_mem *mem, const selsnap_allocator *allocator, uint64_t limit) {
    memset(mem, 0, sizeof *mem);
    if (allocator != NULL) {
        mem->allocator = *allocator;
    }
    mem->limit = limit;
}

/* Counts `len` bytes more; false, with nothing counted, if the limit is in the way. */
static bool charge(struct ssn_mem *mem, uint64_t len) {
    uint64_t now = atomic_fetch_add_explicit(&mem->current, len, memory_order_relaxed) + len;
    if (mem->limit != 0 && now > mem->limit) {
        atomic_fetch_sub_explicit(&mem->current, len, memory_order_relaxed);
        return false;
    }
    uint64_t peak = atomic_load_explicit(&mem->peak, memory_order_relaxed);
    while (now > peak &&
           !atomic_compare_exchange_weak_explicit(&mem->peak, &peak, now, memory_order_relaxed, memory_order_relaxed)) {
    }
    return true;
}

static void discharge(struct ssn_mem *mem, uint64_t len) {
    atomic_fetch_sub_explicit(&mem->current, len, memory_order_relaxed);
}

static uint64_t length_of(const uint8_t *raw) {
    uint64_t len;
    memcpy(&len, raw, sizeof len);
    return len;
}

void *ssn_alloc(struct ssn_mem *mem, size_t len) {
    if (len > SIZE_MAX - PREFIX) {
        return NULL;
    }
    uint64_t full = (uint64_t)len + PREFIX;
    if (!charge(mem, full)) {
        return NULL;
    }
    uint8_t *raw =
        mem->allocator.alloc != NULL ? mem->allocator.alloc(mem->allocator.user, (size_t)full) : malloc((size_t)full);
    if (raw == NULL) {
        discharge(mem, full);
        return NULL;
    }
    memcpy(raw, &full, sizeof full);
    return raw + PREFIX;
}

void *ssn_calloc(struct ssn_mem *mem, size_t count, size_t len) {
    if (len != 0 && count > SIZE_MAX / len) {
        return NULL;
    }
    void *memory = ssn_alloc(mem, count * len);
    if (memory != NULL) {
        memset(memory, 0, count * len);
    }
    return memory;
}

void *ssn_realloc(struct ssn_mem *mem, void *memory, size_t len) {
    if (memory == NULL) {
        return ssn_alloc(mem, len);
    }
    if (len > SIZE_MAX - PREFIX) {
        return NULL;
    }
    uint8_t *raw = (uint8_t *)memory - PREFIX;
    uint64_t old = length_of(raw);
    uint64_t full = (uint64_t)len + PREFIX;
    if (full > old && !charge(mem, full - old)) {
        return NULL;
    }
    uint8_t *moved = mem->allocator.resize != NULL ? mem->allocator.resize(mem->allocator.user, raw, (size_t)full)
                                                   : realloc(raw, (size_t)full);
    if (moved == NULL) {
        if (full > old) {
            discharge(mem, full - old);
        }
        return NULL;
    }
    if (full < old) {
        discharge(mem, old - full);
    }
    memcpy(moved, &full, sizeof full);
    return moved + PREFIX;
}

void ssn_free(struct ssn_mem *mem, void *memory) {
    if (memory == NULL) {
        return;
    }
    uint8_t *raw = (uint8_t *)memory - PREFIX;
    discharge(mem, length_of(raw));
    if (mem->allocator.release != NULL) {
        mem->allocator.release(mem->allocator.user, raw);
    } else {
        free(raw);
    }
}

bool ssn_grow(struct ssn_mem *mem, void **array, size_t *capacity, size_t count, size_t len) {
    if (count < *capacity) {
        return true;
    }
    size_t wanted = *capacity < 8 ? 8 : *capacity + *capacity / 2;
    if (len != 0 && wanted > SIZE_MAX / len) {
        return false;
    }
    void *grown = ssn_realloc(mem, *array, wanted * len);
    if (grown == NULL) {
        return false;
    }
    *array = grown;
    *capacity = wanted;
    return true;
}
