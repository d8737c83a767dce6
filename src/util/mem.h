/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one context: the host's allocator behind a count and a limit. Every allocation of the library that belongs
 * to a context goes through here; each is preceded by its length, so that the count is exact.
 */
#ifndef SSN_MEM_H
#define SSN_MEM_H

#include <selsnap/device.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct ssn_mem {
    selsnap_allocator allocator; /* all NULL: the C library's */
    uint64_t limit;              /* bytes; 0: none */
    _Atomic uint64_t current;    /* bytes, prefixes included */
    _Atomic uint64_t peak;       /* the most that current ever was */
};

void ssn_mem_init(struct ssn_mem *mem, const selsnap_allocator *allocator, uint64_t limit);

/* Each gives NULL when the allocator has none or the limit would be passed. len may be 0. */
void *ssn_alloc(struct ssn_mem *mem, size_t len);
void *ssn_calloc(struct ssn_mem *mem, size_t count, size_t len);
void *ssn_realloc(struct ssn_mem *mem, void *memory, size_t len);
void ssn_free(struct ssn_mem *mem, void *memory);

/*
 * Make room for one more in a growing array of `len`-byte elements. Returns false, with nothing changed, when there is
 * no memory. *capacity is in elements.
 */
bool ssn_grow(struct ssn_mem *mem, void **array, size_t *capacity, size_t count, size_t len);

/* Release pools and other rare wholesale releases use this to compare against the limit. */
static inline uint64_t ssn_mem_current(const struct ssn_mem *mem) {
    return atomic_load_explicit(&((struct ssn_mem *)(uintptr_t)mem)->current, memory_order_relaxed);
}

#endif
