/* SPDX-License-Identifier: Apache-2.0 */
/* See deferred.h: what is pending, in a hash of blocks and a queue. All memory is taken at the open. */
#include "deferred.h"

#include "bytes.h"
#include "clock.h"

#include <assert.h>
#include <selsnap/error.h>
#include <string.h>

static uint64_t mix(uint64_t value) {
    value *= UINT64_C(0x9e3779b97f4a7c15);
    return value ^ value >> 32;
}

static _Atomic uint32_t *group_of(struct ssn_deferred *d, uint64_t block) {
    return &d->groups[mix(block / SSN_DEFERRED_GROUP_BLOCKS) % SSN_DEFERRED_GROUPS];
}

static uint32_t *bucket_of(const struct ssn_deferred *d, uint64_t block) {
    return &d->buckets[mix(block) & d->bucket_mask];
}

/* ---- opening and closing ---- */

static bool allocate(struct ssn_deferred *d) {
    d->data = ssn_alloc(&d->mem, (size_t)d->slot_count * d->block_bytes);
    d->slots = ssn_calloc(&d->mem, d->slot_count, sizeof *d->slots);
    d->order = ssn_calloc(&d->mem, d->slot_count, sizeof *d->order);
    d->buckets = ssn_calloc(&d->mem, (size_t)d->bucket_mask + 1, sizeof *d->buckets);
    return d->data != NULL && d->slots != NULL && d->order != NULL && d->buckets != NULL;
}

static void release(struct ssn_deferred *d) {
    ssn_free(&d->mem, d->data);
    ssn_free(&d->mem, d->slots);
    ssn_free(&d->mem, d->order);
    ssn_free(&d->mem, d->buckets);
    struct ssn_mem mem;
    ssn_mem_init(&mem, &d->mem.allocator, 0);
    atomic_store(&mem.current, ssn_mem_current(&d->mem));
    ssn_free(&mem, d);
}

int ssn_deferred_open(const struct ssn_mem *like, uint64_t deferred_bytes, uint32_t block_bytes,
                      struct ssn_deferred **ret_d) {
    struct ssn_mem mem;
    ssn_mem_init(&mem, &like->allocator, 0);
    struct ssn_deferred *d = ssn_calloc(&mem, 1, sizeof *d);
    if (d == NULL) {
        return SELSNAP_ENOMEM;
    }
    ssn_mem_init(&d->mem, &like->allocator, 0);
    atomic_store(&d->mem.current, ssn_mem_current(&mem));
    d->block_bytes = block_bytes;
    d->slot_count = (uint32_t)ssn_min_u64(deferred_bytes / block_bytes, SSN_PENDING_NONE / 2);
    while (d->bucket_mask < d->slot_count / 2) {
        d->bucket_mask = 2 * d->bucket_mask + 1;
    }
    bool locked = pthread_mutex_init(&d->lock, NULL) == 0;
    bool both = locked && pthread_mutex_init(&d->draining, NULL) == 0;
    if (!both || !allocate(d)) {
        if (both) {
            pthread_mutex_destroy(&d->draining);
        }
        if (locked) {
            pthread_mutex_destroy(&d->lock);
        }
        release(d);
        return SELSNAP_ENOMEM;
    }
    memset(d->buckets, 0xff, ((size_t)d->bucket_mask + 1) * sizeof *d->buckets);
    d->free = SSN_PENDING_NONE;
    d->oldest = SSN_PENDING_NONE;
    d->newest = SSN_PENDING_NONE;
    for (uint32_t slot = d->slot_count; slot > 0; slot--) {
        ssn_pending_give(d, slot - 1);
    }
    *ret_d = d;
    return SELSNAP_OK;
}

void ssn_deferred_close(struct ssn_deferred *d) {
    if (d != NULL) {
        pthread_mutex_destroy(&d->draining);
        pthread_mutex_destroy(&d->lock);
        release(d);
    }
}

/* ---- slots; lock is held ---- */

uint32_t ssn_pending_find(const struct ssn_deferred *d, uint64_t block) {
    uint32_t slot = *bucket_of(d, block);
    while (slot != SSN_PENDING_NONE && d->slots[slot].block != block) {
        slot = d->slots[slot].chain;
    }
    return slot;
}

uint32_t ssn_pending_take(struct ssn_deferred *d) {
    uint32_t slot = d->free;
    assert(slot != SSN_PENDING_NONE);
    d->free = d->slots[slot].older;
    d->free_count--;
    return slot;
}

void ssn_pending_give(struct ssn_deferred *d, uint32_t slot) {
    d->slots[slot].older = d->free;
    d->free = slot;
    d->free_count++;
}

void ssn_pending_add(struct ssn_deferred *d, uint32_t slot) {
    struct ssn_pending *pending = &d->slots[slot];
    uint32_t *bucket = bucket_of(d, pending->block);
    assert(d->newest == SSN_PENDING_NONE || d->slots[d->newest].version <= pending->version);
    pending->serial = d->next_serial++;
    pending->accepted_ns = ssn_monotonic_ns();
    pending->chain = *bucket;
    *bucket = slot;
    pending->older = d->newest;
    pending->newer = SSN_PENDING_NONE;
    *(d->newest == SSN_PENDING_NONE ? &d->oldest : &d->slots[d->newest].newer) = slot;
    d->newest = slot;
    atomic_fetch_add(group_of(d, pending->block), 1);
    atomic_fetch_add(&d->count, 1);
}

void ssn_pending_remove(struct ssn_deferred *d, uint32_t slot) {
    struct ssn_pending *pending = &d->slots[slot];
    uint32_t *at = bucket_of(d, pending->block);
    while (*at != slot) {
        at = &d->slots[*at].chain;
    }
    *at = pending->chain;
    *(pending->older == SSN_PENDING_NONE ? &d->oldest : &d->slots[pending->older].newer) = pending->newer;
    *(pending->newer == SSN_PENDING_NONE ? &d->newest : &d->slots[pending->newer].older) = pending->older;
    atomic_fetch_sub(group_of(d, pending->block), 1);
    atomic_fetch_sub(&d->count, 1);
    ssn_pending_give(d, slot);
}

/* ---- asking ---- */

bool ssn_deferred_may_have(struct ssn_deferred *d, uint64_t first_block, uint64_t count) {
    if (d == NULL || atomic_load(&d->count) == 0) {
        return false;
    }
    uint64_t last = (first_block + count - 1) / SSN_DEFERRED_GROUP_BLOCKS;
    for (uint64_t group = first_block / SSN_DEFERRED_GROUP_BLOCKS; group <= last; group++) {
        if (atomic_load(group_of(d, group * SSN_DEFERRED_GROUP_BLOCKS)) != 0) {
            return true;
        }
    }
    return false;
}

/* Blocks from the first on in whose groups nothing is pending. */
static uint64_t skip_groups(struct ssn_deferred *d, uint64_t first_block, uint64_t count) {
    uint64_t block = first_block;
    while (block < first_block + count && atomic_load(group_of(d, block)) == 0) {
        block = (block / SSN_DEFERRED_GROUP_BLOCKS + 1) * SSN_DEFERRED_GROUP_BLOCKS;
    }
    return ssn_min_u64(block - first_block, count);
}

uint64_t ssn_deferred_run(struct ssn_deferred *d, uint64_t first_block, uint64_t count, bool *ret_has) {
    *ret_has = false;
    if (d == NULL || atomic_load(&d->count) == 0) {
        return count;
    }
    uint64_t passed = 0;
    while (passed < count) {
        uint64_t clear = *ret_has ? 0 : skip_groups(d, first_block + passed, count - passed);
        passed += clear;
        if (clear == 0) {
            pthread_mutex_lock(&d->lock);
            bool has = ssn_pending_find(d, first_block + passed) != SSN_PENDING_NONE;
            pthread_mutex_unlock(&d->lock);
            if (passed > 0 && has != *ret_has) {
                break;
            }
            *ret_has = has;
            passed++;
        }
    }
    return passed;
}

bool ssn_deferred_has(struct ssn_deferred *d, uint64_t first_block, uint64_t count) {
    bool has;
    return ssn_deferred_may_have(d, first_block, count) &&
           (ssn_deferred_run(d, first_block, count, &has) < count || has);
}

uint64_t ssn_deferred_next(struct ssn_deferred *d, uint64_t from) {
    uint64_t next = UINT64_MAX;
    if (d == NULL || atomic_load(&d->count) == 0) {
        return next;
    }
    pthread_mutex_lock(&d->lock);
    for (uint32_t slot = d->oldest; slot != SSN_PENDING_NONE; slot = d->slots[slot].newer) {
        next = d->slots[slot].block >= from ? ssn_min_u64(next, d->slots[slot].block) : next;
    }
    pthread_mutex_unlock(&d->lock);
    return next;
}

uint64_t ssn_deferred_cap(struct ssn_deferred *d, uint64_t block) {
    uint64_t cap = UINT64_MAX;
    if (!ssn_deferred_may_have(d, block, 1)) {
        return cap;
    }
    pthread_mutex_lock(&d->lock);
    for (uint32_t slot = *bucket_of(d, block); slot != SSN_PENDING_NONE; slot = d->slots[slot].chain) {
        cap = d->slots[slot].block == block ? d->slots[slot].version + 1 : cap; /* the oldest comes last */
    }
    pthread_mutex_unlock(&d->lock);
    return cap;
}

bool ssn_deferred_read(struct ssn_deferred *d, uint64_t block, uint64_t skip, const selsnap_iovec *pieces,
                       uint32_t count) {
    pthread_mutex_lock(&d->lock);
    uint32_t slot = ssn_pending_find(d, block);
    for (uint32_t i = 0; slot != SSN_PENDING_NONE && i < count; i++) {
        memcpy(pieces[i].base, ssn_pending_data(d, slot) + skip, pieces[i].len);
        skip += pieces[i].len;
    }
    pthread_mutex_unlock(&d->lock);
    return slot != SSN_PENDING_NONE;
}
