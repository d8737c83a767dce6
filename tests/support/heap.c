/* SPDX-License-Identifier: Apache-2.0 */
#include "heap.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#define malloc_usable_size _msize
#endif

enum { FILLED_MAX = 1024, FRESH = 0xa5, STALE = 0x5a };

static void fill(const struct heap *heap, void *memory, size_t len, int byte) {
    if (heap->fills) {
        memset(memory, byte, len < FILLED_MAX ? len : FILLED_MAX);
    }
}

static bool may_allocate(struct heap *heap) {
    uint64_t call = atomic_fetch_add(&heap->calls, 1) + 1;
    uint64_t fail_at = atomic_load(&heap->fail_at);
    if (fail_at != 0 && (call == fail_at || (call > fail_at && atomic_load(&heap->fail_on)))) {
        atomic_fetch_add(&heap->failed, 1);
        return false;
    }
    return true;
}

static void *heap_alloc(void *user, size_t len) {
    struct heap *heap = user;
    void *memory = may_allocate(heap) ? malloc(len > 0 ? len : 1) : NULL;
    if (memory != NULL) {
        atomic_fetch_add(&heap->live, 1);
        fill(heap, memory, len, FRESH);
    }
    return memory;
}

static void *heap_resize(void *user, void *memory, size_t len) {
    struct heap *heap = user;
    void *grown = may_allocate(heap) ? realloc(memory, len > 0 ? len : 1) : NULL;
    if (grown != NULL && memory == NULL) {
        atomic_fetch_add(&heap->live, 1);
    }
    return grown;
}

static void heap_release(void *user, void *memory) {
    struct heap *heap = user;
    if (memory != NULL) {
        atomic_fetch_sub(&heap->live, 1);
        fill(heap, memory, malloc_usable_size(memory), STALE);
        free(memory);
    }
}

selsnap_allocator heap_allocator(struct heap *heap) {
    selsnap_allocator allocator = {heap_alloc, heap_resize, heap_release, heap};
    return allocator;
}

void heap_fail(struct heap *heap, uint64_t nth, bool for_good) {
    atomic_store(&heap->fail_on, for_good);
    atomic_store(&heap->failed, 0);
    atomic_store(&heap->fail_at, atomic_load(&heap->calls) + nth);
}

void heap_mend(struct heap *heap) {
    atomic_store(&heap->fail_at, 0);
}
