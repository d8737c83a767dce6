/* SPDX-License-Identifier: Apache-2.0 */
/* See need.h. */
#include "need.h"

#include "context.h"
#include "designation.h"

#include <assert.h>
#include <string.h>

static const uint64_t TAG_PAGE = (UINT64_C(1) << 40) - 1;

int ssn_need_init(struct ssn_need *need, struct ssn_mem *mem, uint64_t block_count, uint64_t slot_bytes) {
    memset(need, 0, sizeof *need);
    need->mem = mem;
    need->page_count = ssn_div_up(block_count, SSN_NEED_PAGE_BLOCKS);
    uint64_t limit = slot_bytes / sizeof(struct ssn_need_slot);
    uint64_t useful = ssn_min_u64(limit, need->page_count);
    need->slot_limit = (uint32_t)ssn_max_u64(1, ssn_min_u64(useful, 1u << 20));
    if (need->page_count >= TAG_PAGE || need->page_count > SIZE_MAX / sizeof *need->pages) {
        return SELSNAP_EMEMLIMIT;
    }
    need->pages = ssn_calloc(mem, (size_t)need->page_count, sizeof *need->pages);
    need->slots = ssn_calloc(mem, need->slot_limit, sizeof *need->slots);
    if (need->pages == NULL || need->slots == NULL || pthread_mutex_init(&need->lock, NULL) != 0) {
        ssn_free(mem, need->pages);
        ssn_free(mem, need->slots);
        return SELSNAP_EMEMLIMIT;
    }
    return SELSNAP_OK;
}

void ssn_need_replace(struct ssn_need *need, struct ssn_need *by) {
    struct ssn_need old = {
        .mem = need->mem, .pages = need->pages, .slots = need->slots, .slot_count = need->slot_count};
    need->page_count = by->page_count;
    need->pages = by->pages;
    need->slots = by->slots;
    need->slot_limit = by->slot_limit;
    need->slot_count = by->slot_count;
    need->clock = by->clock;
    by->pages = old.pages;
    by->slots = old.slots;
    by->slot_count = old.slot_count;
    ssn_need_fini(by);
}

void ssn_need_fini(struct ssn_need *need) {
    for (uint32_t i = 0; i < need->slot_count; i++) {
        ssn_free(need->mem, need->slots[i]);
    }
    ssn_free(need->mem, need->slots);
    ssn_free(need->mem, need->pages);
    pthread_mutex_destroy(&need->lock);
}

/* The bits of word `w` that lie in [first, end), both counted in bits from the start. */
static uint64_t mask_of(uint64_t w, uint64_t first, uint64_t end) {
    uint64_t low = first > w * 64 ? first - w * 64 : 0;
    uint64_t high = end < (w + 1) * 64 ? end - w * 64 : 64;
    uint64_t upto = high == 64 ? UINT64_MAX : (UINT64_C(1) << high) - 1;
    return upto & ~((UINT64_C(1) << low) - 1);
}

/* ---- testing ---- */

static bool any_summary(struct ssn_need_page *page, uint64_t first, uint64_t end) {
    uint64_t group = first / SSN_NEED_GROUP_BLOCKS;
    uint64_t group_end = ssn_div_up(end, SSN_NEED_GROUP_BLOCKS);
    for (uint64_t w = group / 64; w * 64 < group_end; w++) {
        uint64_t bits = atomic_load_explicit(&page->summary[w], memory_order_acquire);
        if ((bits & mask_of(w, group, group_end)) != 0) {
            return true;
        }
    }
    return false;
}

/* Whether the page's slot shows no bit in [first, end). Every load is an acquire, so the tag's second look comes last.
 */
static bool slot_clear(struct ssn_need *need, uint64_t page_index, uint32_t slot_index, uint64_t first, uint64_t end) {
    struct ssn_need_slot *slot = need->slots[slot_index];
    uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_acquire);
    if ((tag & TAG_PAGE) != page_index + 1) {
        return false;
    }
    for (uint64_t w = first / 64; w * 64 < end; w++) {
        uint64_t bits = atomic_load_explicit(&slot->bits[w], memory_order_acquire);
        if ((bits & mask_of(w, first, end)) != 0) {
            return false;
        }
    }
    return atomic_load_explicit(&slot->tag, memory_order_acquire) == tag;
}

static enum ssn_need_answer test_page(struct ssn_need *need, uint64_t page_index, uint64_t version, uint64_t first,
                                      uint64_t end) {
    struct ssn_need_page *page = &need->pages[page_index];
    if (atomic_load_explicit(&page->version, memory_order_acquire) != version) {
        return SSN_NEED_STALE;
    }
    if (!any_summary(page, first, end)) {
        return SSN_NEED_CLEAR;
    }
    uint32_t slot = atomic_load_explicit(&page->slot, memory_order_acquire);
    return slot != 0 && slot_clear(need, page_index, slot - 1, first, end) ? SSN_NEED_CLEAR : SSN_NEED_LOOK;
}

enum ssn_need_answer ssn_need_test(struct ssn_need *need, uint64_t first_block, uint64_t count) {
    uint64_t version = ssn_need_version(need);
    uint64_t block = first_block;
    uint64_t end = first_block + count;
    while (block < end) {
        uint64_t page = block / SSN_NEED_PAGE_BLOCKS;
        uint64_t base = page * SSN_NEED_PAGE_BLOCKS;
        uint64_t stop = ssn_min_u64(end, base + SSN_NEED_PAGE_BLOCKS);
        enum ssn_need_answer answer = test_page(need, page, version, block - base, stop - base);
        if (answer != SSN_NEED_CLEAR) {
            return answer;
        }
        block = stop;
    }
    return SSN_NEED_CLEAR;
}

/* 64 blocks' bits, as far as they are known: ones where only the summary is. */
static uint64_t word_of_page(struct ssn_need *need, uint64_t page_index, uint64_t w) {
    struct ssn_need_page *page = &need->pages[page_index];
    uint64_t group = w * 64 / SSN_NEED_GROUP_BLOCKS;
    uint64_t summary = atomic_load_explicit(&page->summary[group / 64], memory_order_acquire);
    if ((summary >> (group % 64) & 1) == 0) {
        return 0;
    }
    uint32_t at = atomic_load_explicit(&page->slot, memory_order_acquire);
    if (at == 0) {
        return UINT64_MAX;
    }
    struct ssn_need_slot *slot = need->slots[at - 1];
    uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_acquire);
    uint64_t bits = atomic_load_explicit(&slot->bits[w], memory_order_acquire);
    bool own = (tag & TAG_PAGE) == page_index + 1 && atomic_load_explicit(&slot->tag, memory_order_acquire) == tag;
    return own ? bits : UINT64_MAX;
}

uint64_t ssn_need_bits(struct ssn_need *need, uint64_t first_block) {
    uint64_t index = first_block / SSN_NEED_PAGE_BLOCKS;
    bool current = index < need->page_count &&
                   atomic_load_explicit(&need->pages[index].version, memory_order_acquire) == ssn_need_version(need);
    return current ? word_of_page(need, index, first_block % SSN_NEED_PAGE_BLOCKS / 64) : UINT64_MAX;
}

enum ssn_need_answer ssn_need_run(struct ssn_need *need, uint64_t first_block, uint64_t end, uint64_t *ret_count) {
    uint64_t index = first_block / SSN_NEED_PAGE_BLOCKS;
    uint64_t base = index * SSN_NEED_PAGE_BLOCKS;
    uint64_t at = first_block - base;
    uint64_t stop = ssn_min_u64(end - base, SSN_NEED_PAGE_BLOCKS);
    if (atomic_load_explicit(&need->pages[index].version, memory_order_acquire) != ssn_need_version(need)) {
        *ret_count = stop - at;
        return SSN_NEED_STALE;
    }
    bool set = word_of_page(need, index, at / 64) >> (at % 64) & 1;
    uint64_t to = at;
    while (to < stop) {
        uint64_t word = word_of_page(need, index, to / 64);
        uint64_t differs = (set ? ~word : word) & ~((UINT64_C(1) << (to % 64)) - 1);
        if (differs != 0) {
            while ((differs >> (to % 64) & 1) == 0) {
                to++;
            }
            break;
        }
        to = (to / 64 + 1) * 64;
    }
    *ret_count = ssn_max_u64(ssn_min_u64(to, stop) - at, 1);
    return set ? SSN_NEED_LOOK : SSN_NEED_CLEAR;
}

/* ---- slots; lock is held ---- */

static void put_tag(struct ssn_need_slot *slot, uint64_t page_part) {
    uint64_t generation = (atomic_load_explicit(&slot->tag, memory_order_relaxed) & ~TAG_PAGE) + TAG_PAGE + 1;
    atomic_store_explicit(&slot->tag, generation | page_part, memory_order_release);
}

/* A slot that belongs to no page; NULL when there is not even one to evict. */
static struct ssn_need_slot *slot_obtain(struct ssn_need *need, uint32_t *ret_index) {
    if (need->slot_count < need->slot_limit) {
        struct ssn_need_slot *slot = ssn_calloc(need->mem, 1, sizeof *slot);
        if (slot != NULL) {
            need->slots[need->slot_count] = slot;
            *ret_index = need->slot_count++;
            return slot;
        }
    }
    if (need->slot_count == 0) {
        return NULL;
    }
    while (need->slots[need->clock]->used) {
        need->slots[need->clock]->used = false;
        need->clock = (need->clock + 1) % need->slot_count;
    }
    *ret_index = need->clock;
    need->clock = (need->clock + 1) % need->slot_count;
    struct ssn_need_slot *slot = need->slots[*ret_index];
    uint64_t owner = atomic_load_explicit(&slot->tag, memory_order_relaxed) & TAG_PAGE;
    if (owner != 0) {
        atomic_store_explicit(&need->pages[owner - 1].slot, 0, memory_order_release);
    }
    put_tag(slot, 0);
    return slot;
}

/* Gives the page a slot filled with the bits. */
static void slot_fill(struct ssn_need *need, uint64_t page_index, const uint64_t *bits) {
    uint32_t index;
    struct ssn_need_slot *slot = slot_obtain(need, &index);
    if (slot == NULL) {
        return;
    }
    for (unsigned w = 0; w < SSN_NEED_SLOT_WORDS; w++) {
        atomic_store_explicit(&slot->bits[w], bits[w], memory_order_release);
    }
    slot->used = true;
    put_tag(slot, page_index + 1);
    atomic_store_explicit(&need->pages[page_index].slot, index + 1, memory_order_release);
}

/* ---- bringing up to date ---- */

/* ORs into `bits` what a designation covers of a page. */
static int add_designation(struct selsnap *ss, const struct ssn_group_view *group, uint64_t page_index,
                           uint64_t *bits) {
    uint64_t base = page_index * SSN_NEED_PAGE_BLOCKS;
    uint64_t end = ssn_min_u64(base + SSN_NEED_PAGE_BLOCKS, ss->block_count);
    uint64_t from = base;
    while (from < end) {
        struct ssn_block_range range;
        int rc = ssn_designation_next_range(ss, group->id, group->whole, from, &range);
        if (rc == SELSNAP_ENOENT) {
            return SELSNAP_OK;
        }
        if (rc != SELSNAP_OK) {
            return rc;
        }
        if (range.first >= end) {
            return SELSNAP_OK;
        }
        uint64_t stop = ssn_min_u64(end, range.first + range.count);
        for (uint64_t w = (range.first - base) / 64; w * 64 < stop - base; w++) {
            bits[w] |= mask_of(w, range.first - base, stop - base);
        }
        from = stop;
    }
    return SELSNAP_OK;
}

/*
 * ORs into `bits` the subsets of every group with a point above `since`. Begun again when a group was added to
 * meanwhile: it may have been passed by. Should the new snapshot then not come to be, nobody would ask for the group's
 * older points again, because the page counts as current up to them.
 */
static int gather(struct selsnap *ss, uint64_t page_index, uint64_t since, uint64_t *bits) {
    uint64_t before;
    do {
        struct ssn_group_view group;
        uint64_t below = UINT64_MAX;
        before = atomic_load(&ss->catalogue.additions);
        while (ssn_catalogue_next_newest(&ss->catalogue, below, UINT64_MAX, &group) && group.newest > since) {
            int rc = add_designation(ss, &group, page_index, bits);
            if (rc != SELSNAP_OK) {
                return rc;
            }
            below = group.newest;
        }
    } while (atomic_load(&ss->catalogue.additions) != before);
    return SELSNAP_OK;
}

/*
 * lock is held. `full`: the bits are those of every subset that was live at `version`, so a page without a slot can be
 * given one; but not when another thread has brought it further meanwhile, and its slot was evicted since.
 */
static void merge(struct ssn_need *need, uint64_t page_index, uint64_t version, const uint64_t *bits, bool full) {
    struct ssn_need_page *page = &need->pages[page_index];
    enum { WORDS_PER_GROUP = SSN_NEED_GROUP_BLOCKS / 64 };
    uint64_t summary[SSN_NEED_SUMMARY_WORDS] = {0};
    bool any = false;
    for (unsigned w = 0; w < SSN_NEED_SLOT_WORDS; w++) {
        if (bits[w] != 0) {
            any = true;
            unsigned group = w / WORDS_PER_GROUP;
            summary[group / 64] |= UINT64_C(1) << (group % 64);
        }
    }
    uint32_t slot = atomic_load_explicit(&page->slot, memory_order_relaxed);
    if (slot != 0) {
        struct ssn_need_slot *to = need->slots[slot - 1];
        to->used = true;
        for (unsigned w = 0; w < SSN_NEED_SLOT_WORDS; w++) {
            if (bits[w] != 0) {
                atomic_fetch_or_explicit(&to->bits[w], bits[w], memory_order_release);
            }
        }
    } else if (full && any && atomic_load_explicit(&page->version, memory_order_relaxed) <= version) {
        slot_fill(need, page_index, bits);
    }
    for (unsigned w = 0; w < SSN_NEED_SUMMARY_WORDS; w++) {
        atomic_fetch_or_explicit(&page->summary[w], summary[w], memory_order_release);
    }
    if (atomic_load_explicit(&page->version, memory_order_relaxed) < version) {
        atomic_store_explicit(&page->version, version, memory_order_release);
    }
}

static int refresh_page(struct selsnap *ss, uint64_t page_index, uint64_t version) {
    struct ssn_need *need = &ss->need;
    struct ssn_need_page *page = &need->pages[page_index];
    uint64_t at = atomic_load_explicit(&page->version, memory_order_acquire);
    bool full = atomic_load_explicit(&page->slot, memory_order_acquire) == 0;
    if (at >= version && !full) {
        return SELSNAP_OK;
    }
    uint64_t *bits = ssn_calloc(&ss->mem, SSN_NEED_SLOT_WORDS, sizeof *bits);
    if (bits == NULL) {
        return ssn_fail(&ss->report, SELSNAP_ENOMEM, "no memory to look up which blocks snapshots need");
    }
    int rc = gather(ss, page_index, full ? 0 : at, bits);
    if (rc == SELSNAP_OK) {
        pthread_mutex_lock(&need->lock);
        merge(need, page_index, version, bits, full);
        pthread_mutex_unlock(&need->lock);
    }
    ssn_free(&ss->mem, bits);
    return rc;
}

int ssn_need_refresh(struct selsnap *ss, uint64_t first_block, uint64_t count, uint64_t version) {
    uint64_t last = (first_block + count - 1) / SSN_NEED_PAGE_BLOCKS;
    for (uint64_t page = first_block / SSN_NEED_PAGE_BLOCKS; page <= last; page++) {
        int rc = refresh_page(ss, page, version);
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    return SELSNAP_OK;
}

/* ---- clearing ---- */

/* lock is held: clears the summary bit of each group of [first, end) that has no bit left. */
static void lower_summary(struct ssn_need_page *page, struct ssn_need_slot *slot, uint64_t first, uint64_t end) {
    for (uint64_t g = first / SSN_NEED_GROUP_BLOCKS; g * SSN_NEED_GROUP_BLOCKS < end; g++) {
        uint64_t any = 0;
        for (unsigned i = 0; i < SSN_NEED_GROUP_BLOCKS / 64; i++) {
            any |= atomic_load_explicit(&slot->bits[g * (SSN_NEED_GROUP_BLOCKS / 64) + i], memory_order_relaxed);
        }
        if (any == 0) {
            atomic_fetch_and_explicit(&page->summary[g / 64], ~(UINT64_C(1) << (g % 64)), memory_order_release);
        }
    }
}

void ssn_need_clear(struct ssn_need *need, uint64_t first_block, uint64_t count) {
    uint64_t block = first_block;
    uint64_t end = first_block + count;
    pthread_mutex_lock(&need->lock);
    while (block < end) {
        uint64_t index = block / SSN_NEED_PAGE_BLOCKS;
        uint64_t base = index * SSN_NEED_PAGE_BLOCKS;
        uint64_t stop = ssn_min_u64(end, base + SSN_NEED_PAGE_BLOCKS);
        struct ssn_need_page *page = &need->pages[index];
        uint32_t at = atomic_load_explicit(&page->slot, memory_order_relaxed);
        if (at != 0) {
            struct ssn_need_slot *slot = need->slots[at - 1];
            for (uint64_t w = (block - base) / 64; w * 64 < stop - base; w++) {
                atomic_fetch_and_explicit(&slot->bits[w], ~mask_of(w, block - base, stop - base), memory_order_release);
            }
            slot->used = true;
            lower_summary(page, slot, block - base, stop - base);
        }
        block = stop;
    }
    pthread_mutex_unlock(&need->lock);
}
