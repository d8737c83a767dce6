/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Need bits: a cache of which blocks may need preserving. 0 means surely not, 1 means look closer.
 *
 * A page covers 32768 blocks. Its summary, one bit for each 128 blocks, is always resident; its bits live in a slot, of
 * which there are as many as memory allows: a page without a slot is known by its summary alone. A page is current up
 * to the epoch in `version`; the context's `version` is the newest epoch that added to what must be preserved. It
 * changes only while the gate is closed, so a writer inside the gate that finds a page current can trust its zeros.
 *
 * Readers take no lock: the slot's tag is read before and after the bits. `lock` guards slots changing hands, and every
 * write of bits, summaries and page versions.
 */
#ifndef SSN_NEED_H
#define SSN_NEED_H

#include "mem.h"

#include <pthread.h>
#include <stdatomic.h>

struct selsnap;

enum {
    SSN_NEED_PAGE_BLOCKS = 32768,
    SSN_NEED_GROUP_BLOCKS = 128,
    SSN_NEED_SUMMARY_WORDS = SSN_NEED_PAGE_BLOCKS / SSN_NEED_GROUP_BLOCKS / 64,
    SSN_NEED_SLOT_WORDS = SSN_NEED_PAGE_BLOCKS / 64,
};

struct ssn_need_slot {
    _Atomic uint64_t tag; /* page + 1 in the low 40 bits, a generation above; 0 in the low bits: changing hands */
    bool used;            /* lock: for the eviction clock */
    _Atomic uint64_t bits[SSN_NEED_SLOT_WORDS];
};

struct ssn_need_page {
    _Atomic uint64_t version;
    _Atomic uint32_t slot; /* index + 1; 0: none */
    _Atomic uint64_t summary[SSN_NEED_SUMMARY_WORDS];
};

struct ssn_need {
    struct ssn_mem *mem;
    _Atomic uint64_t version;
    uint64_t page_count;
    struct ssn_need_page *pages;
    pthread_mutex_t lock;
    struct ssn_need_slot **slots; /* entries appear under lock and stay */
    uint32_t slot_limit;
    uint32_t slot_count; /* lock */
    uint32_t clock;      /* lock */
};

/* slot_bytes: memory for slots. SELSNAP_ENOMEM. */
int ssn_need_init(struct ssn_need *need, struct ssn_mem *mem, uint64_t block_count, uint64_t slot_bytes);
void ssn_need_fini(struct ssn_need *need);
/* While nobody looks: goes on with the pages of another, which is gone then; nothing is known of any block. */
void ssn_need_replace(struct ssn_need *need, struct ssn_need *by);

static inline uint64_t ssn_need_version(struct ssn_need *need) {
    return atomic_load_explicit(&need->version, memory_order_acquire);
}
/* The gate is closed. */
static inline void ssn_need_raise(struct ssn_need *need, uint64_t epoch) {
    atomic_store_explicit(&need->version, epoch, memory_order_release);
}

enum ssn_need_answer { SSN_NEED_CLEAR, SSN_NEED_LOOK, SSN_NEED_STALE };
/* Inside the gate. No lock, no allocation. */
enum ssn_need_answer ssn_need_test(struct ssn_need *need, uint64_t first_block, uint64_t count);
/*
 * Inside the gate: how many blocks from `first_block` on, up to `end` and within its page, have the same answer as it.
 * A page that is stale has one answer throughout.
 */
enum ssn_need_answer ssn_need_run(struct ssn_need *need, uint64_t first_block, uint64_t end, uint64_t *ret_count);
/* The bits of 64 blocks from `first_block` on, a multiple of 64; ones where they are not known. A moment's view. */
uint64_t ssn_need_bits(struct ssn_need *need, uint64_t first_block);
/* Outside the gate: brings the pages of the range up to `version`, with slots. May read the store. */
int ssn_need_refresh(struct selsnap *ss, uint64_t first_block, uint64_t count, uint64_t version);
/* Inside the gate, by the holder of the claim, with nothing needed for these blocks at the present version. */
void ssn_need_clear(struct ssn_need *need, uint64_t first_block, uint64_t count);

#endif
