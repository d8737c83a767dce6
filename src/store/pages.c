/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page cache: a fixed number of slots, found by (place, checksum, level) through a table of chains, evicted by
 * CLOCK. Since the checksum belongs to the name, a page written anew at an old place never meets its forerunner.
 *
 * A slot's states:
 *
 *   state    pins  in the table  bytes
 *   FREE     0     no            anything
 *   LOADING  >= 1  yes           being written by the thread that made it so, without the lock
 *   READY    any   yes           verified; unchanged while pinned
 *   FAILED   >= 1  no            anything; `error` is for those who waited for the load
 *
 *   FREE -> LOADING (miss); LOADING -> READY or FAILED (load done); READY -> FREE (evicted, no pins);
 *   FAILED -> FREE (last pin gone); FREE -> READY (a page just written is kept).
 *
 * `lock` guards all slots, the table and the hand; `changed` is signalled when a load ends, and when a pin goes away
 * while somebody waits for a slot. No device is called, and nothing reported, with the lock held.
 */
#include "pages.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum {
    SLOTS_MIN = 64,
    KEEP_TRIES = 16, /* slots looked at for a page just written: it never pushes out what is in use */
};

#define NONE UINT32_MAX
#define SLOTS_MAX (UINT32_C(1) << 30)

enum slot_state { SLOT_FREE, SLOT_LOADING, SLOT_READY, SLOT_FAILED };

struct slot {
    uint64_t place;
    uint64_t checksum;
    uint32_t level;
    uint32_t next; /* in the chain */
    uint32_t pins;
    int error;
    uint8_t state;
    bool referenced;
};

/* What a damaged page was. */
struct mended {
    struct mended *next;
    struct ssn_root root;
    uint8_t page[SSN_PAGE_SIZE];
};

struct ssn_pages {
    struct ssn_mem *mem;
    struct ssn_report *report;
    selsnap_device *device;
    uint8_t store_id[SSN_STORE_ID_SIZE];
    uint64_t first_place;
    _Atomic uint64_t store_pages; /* only rises */
    bool salvage;          /* a page that cannot be read is a damaged one */
    struct mended *mended; /* a list; changed by one thread alone */
    _Atomic uint64_t reads;
    uint32_t slot_count;
    uint32_t table_mask;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct slot *slots; /* lock */
    uint32_t *table;    /* lock: heads of chains, NONE ends them */
    uint8_t *bytes;     /* SSN_PAGE_SIZE a slot; see the states */
    uint32_t hand;      /* lock */
    uint32_t waiting;   /* lock: threads that wait for any slot */
};

static void check_slot(const struct slot *slot) {
    assert(slot->state != SLOT_FREE || slot->pins == 0);
    assert((slot->state != SLOT_LOADING && slot->state != SLOT_FAILED) || slot->pins > 0);
}

/* ---- spans ---- */

struct ssn_span ssn_span_of_root(const struct ssn_root *root) {
    struct ssn_span span = {*root, {0, 0, 0}, {0, 0, 0}, false};
    return span;
}

struct ssn_span ssn_span_child(const struct ssn_span *span, const uint8_t *page, unsigned index) {
    struct ssn_span child = *span;
    child.root.level = span->root.level - 1;
    ssn_page_child(page, index, &child.root.place, &child.root.checksum);
    ssn_page_key(page, index, &child.low);
    if (index + 1 < ssn_page_count(page)) {
        ssn_page_key(page, index + 1, &child.high);
        child.bounded = true;
    }
    return child;
}

static const char *check_span(const struct ssn_span *span, const uint8_t *page) {
    struct ssn_key key;
    ssn_page_key(page, 0, &key);
    if (ssn_key_compare(&key, &span->low) < 0) {
        return "a key lies below the page's range";
    }
    unsigned last = ssn_page_count(page) - 1;
    if (ssn_page_level(page) > 0 || !ssn_page_hole(page, last, &key)) {
        ssn_page_key(page, last, &key);
    }
    if (span->bounded && ssn_key_compare(&key, &span->high) >= 0) {
        return "a key lies above the page's range";
    }
    return NULL;
}

struct ssn_lost ssn_span_lost(const struct ssn_span *span) {
    struct ssn_lost lost = {span->low, {UINT64_MAX, UINT64_MAX, UINT8_MAX}, span->root};
    if (span->bounded) {
        lost.last = span->high;
        (void)ssn_key_before(&lost.last); /* there is one: the key of the page before it, or span->low */
    }
    return lost;
}

static int tell_damage(struct ssn_pages *pages, const struct ssn_root *root, const char *reason) {
    uint64_t offset = 0;
    (void)ssn_mul_u64(root->place, SSN_PAGE_SIZE, &offset);
    ssn_event(pages->report, SELSNAP_EVENT_DAMAGE, 0, offset, SSN_PAGE_SIZE, 0);
    return ssn_fail(pages->report, SELSNAP_EDAMAGED,
                    "tree page at place %" PRIu64 ", level %" PRIu32 ", checksum %016" PRIx64 " expected: %s",
                    root->place, root->level, root->checksum, reason);
}

/* ---- the device ---- */

static int load(struct ssn_pages *pages, const struct ssn_root *root, uint8_t *page) {
    if (root->level > SSN_LEVEL_MAX) {
        return tell_damage(pages, root, "there is no such level");
    }
    for (const struct mended *mended = pages->mended; mended != NULL; mended = mended->next) {
        if (mended->root.place == root->place && mended->root.checksum == root->checksum &&
            mended->root.level == root->level) {
            memcpy(page, mended->page, SSN_PAGE_SIZE);
            return SELSNAP_OK;
        }
    }
    if (root->place < pages->first_place || root->place >= pages->store_pages) {
        return tell_damage(pages, root, "the place is outside the area");
    }
    atomic_fetch_add_explicit(&pages->reads, 1, memory_order_relaxed);
    int rc = ssn_device_read(pages->device, page, SSN_PAGE_SIZE, root->place * SSN_PAGE_SIZE);
    if (rc != SELSNAP_OK && pages->salvage) {
        rc = ssn_device_read(pages->device, page, SSN_PAGE_SIZE, root->place * SSN_PAGE_SIZE);
        if (rc == SELSNAP_EIO) {
            return tell_damage(pages, root, "it cannot be read");
        }
    }
    if (rc != SELSNAP_OK) {
        return ssn_fail(pages->report, SELSNAP_ESTORE, "tree page at place %" PRIu64 ": read failed (%d, device: %d)",
                        root->place, rc, atomic_load_explicit(&pages->device->last_error, memory_order_relaxed));
    }
    struct ssn_page_expect expect = {root->place,     root->checksum,     root->level,
                                     pages->store_id, pages->first_place, pages->store_pages};
    const char *reason = ssn_page_check(page, &expect);
    return reason != NULL ? tell_damage(pages, root, reason) : SELSNAP_OK;
}

int ssn_pages_read(struct ssn_pages *pages, const struct ssn_span *span, uint8_t *page) {
    int rc = load(pages, &span->root, page);
    if (rc == SELSNAP_OK) {
        const char *reason = check_span(span, page);
        if (reason != NULL) {
            rc = tell_damage(pages, &span->root, reason);
        }
    }
    return rc;
}

/* ---- slots; the lock is held in all of these ---- */

static uint32_t *chain_of(struct ssn_pages *pages, const struct ssn_root *root) {
    /* The checksum is as good as random, except in bytes made to attack; the place is mixed in against those. */
    uint64_t mix = (root->checksum ^ root->place) * UINT64_C(0x9e3779b97f4a7c15);
    return &pages->table[(uint32_t)(mix >> 32) & pages->table_mask];
}

static uint32_t find(struct ssn_pages *pages, const struct ssn_root *root) {
    uint32_t at = *chain_of(pages, root);
    while (at != NONE) {
        const struct slot *slot = &pages->slots[at];
        if (slot->place == root->place && slot->checksum == root->checksum && slot->level == root->level) {
            break;
        }
        at = slot->next;
    }
    return at;
}

static void put_in(struct ssn_pages *pages, uint32_t index, const struct ssn_root *root) {
    struct slot *slot = &pages->slots[index];
    uint32_t *chain = chain_of(pages, root);
    slot->place = root->place;
    slot->checksum = root->checksum;
    slot->level = root->level;
    slot->next = *chain;
    *chain = index;
}

static void take_out(struct ssn_pages *pages, uint32_t index) {
    struct slot *slot = &pages->slots[index];
    struct ssn_root root = {slot->place, slot->checksum, slot->level};
    uint32_t *link = chain_of(pages, &root);
    while (*link != index) {
        link = &pages->slots[*link].next;
    }
    *link = slot->next;
}

/* Makes a slot free by CLOCK. gently: without taking marks away, and after a few tries only. NONE: there is none. */
static uint32_t evict(struct ssn_pages *pages, bool gently) {
    uint32_t tries = gently ? KEEP_TRIES : 2 * pages->slot_count;
    for (uint32_t i = 0; i < tries; i++) {
        uint32_t index = pages->hand;
        struct slot *slot = &pages->slots[index];
        pages->hand = index + 1 < pages->slot_count ? index + 1 : 0;
        check_slot(slot);
        if (slot->state == SLOT_FREE) {
            return index;
        }
        if (slot->pins > 0) {
            continue;
        }
        if (!slot->referenced) {
            take_out(pages, index);
            slot->state = SLOT_FREE;
            return index;
        }
        if (!gently) {
            slot->referenced = false;
        }
    }
    return NONE;
}

static void drop_pin(struct ssn_pages *pages, struct slot *slot) {
    assert(slot->pins > 0);
    slot->pins--;
    if (slot->pins == 0) {
        if (slot->state == SLOT_FAILED) {
            slot->state = SLOT_FREE;
        }
        if (pages->waiting > 0) {
            pthread_cond_broadcast(&pages->changed);
        }
    }
    check_slot(slot);
}

/* Gives the slot of the page, pinned; *ret_miss: it is LOADING, and the caller has to load it. */
static uint32_t claim(struct ssn_pages *pages, const struct ssn_root *root, bool *ret_miss) {
    *ret_miss = false;
    for (;;) {
        uint32_t index = find(pages, root);
        if (index != NONE) {
            pages->slots[index].pins++;
            pages->slots[index].referenced = true;
            return index;
        }
        index = evict(pages, false);
        if (index != NONE) {
            struct slot *slot = &pages->slots[index];
            put_in(pages, index, root);
            slot->state = SLOT_LOADING;
            slot->pins = 1;
            slot->referenced = true;
            *ret_miss = true;
            return index;
        }
        pages->waiting++;
        pthread_cond_wait(&pages->changed, &pages->lock);
        pages->waiting--;
    }
}

/* ---- pinning ---- */

void ssn_pages_unpin(struct ssn_pages *pages, const struct ssn_pin *pin) {
    pthread_mutex_lock(&pages->lock);
    drop_pin(pages, &pages->slots[pin->slot]);
    pthread_mutex_unlock(&pages->lock);
}

int ssn_pages_pin(struct ssn_pages *pages, const struct ssn_span *span, struct ssn_pin *ret_pin) {
    int rc = SELSNAP_OK;
    bool miss;
    pthread_mutex_lock(&pages->lock);
    uint32_t index = claim(pages, &span->root, &miss);
    struct slot *slot = &pages->slots[index];
    uint8_t *page = pages->bytes + (size_t)index * SSN_PAGE_SIZE;
    if (miss) {
        pthread_mutex_unlock(&pages->lock);
        rc = load(pages, &span->root, page);
        pthread_mutex_lock(&pages->lock);
        slot->error = rc;
        slot->state = rc == SELSNAP_OK ? SLOT_READY : SLOT_FAILED;
        if (rc != SELSNAP_OK) {
            take_out(pages, index);
        }
        pthread_cond_broadcast(&pages->changed);
    }
    while (slot->state == SLOT_LOADING) {
        pthread_cond_wait(&pages->changed, &pages->lock);
    }
    if (slot->state == SLOT_FAILED) {
        rc = slot->error;
        drop_pin(pages, slot);
    }
    pthread_mutex_unlock(&pages->lock);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    struct ssn_pin pin = {page, index};
    const char *reason = check_span(span, page);
    if (reason != NULL) {
        ssn_pages_unpin(pages, &pin);
        return tell_damage(pages, &span->root, reason);
    }
    *ret_pin = pin;
    return SELSNAP_OK;
}

static void keep(struct ssn_pages *pages, const struct ssn_root *root, const uint8_t *page) {
    pthread_mutex_lock(&pages->lock);
    uint32_t index = find(pages, root) == NONE ? evict(pages, true) : NONE;
    if (index != NONE) {
        struct slot *slot = &pages->slots[index];
        memcpy(pages->bytes + (size_t)index * SSN_PAGE_SIZE, page, SSN_PAGE_SIZE);
        put_in(pages, index, root);
        slot->state = SLOT_READY;
        slot->referenced = false;
        check_slot(slot);
    }
    pthread_mutex_unlock(&pages->lock);
}

int ssn_pages_write(struct ssn_pages *pages, uint64_t place, const uint8_t *bytes, uint64_t count) {
    assert(place >= pages->first_place && ssn_range_inside(place, count, pages->store_pages));
    int rc = ssn_device_write(pages->device, bytes, (size_t)count * SSN_PAGE_SIZE, place * SSN_PAGE_SIZE);
    if (rc != SELSNAP_OK) {
        return ssn_fail(pages->report, SELSNAP_ESTORE,
                        "%" PRIu64 " tree pages at place %" PRIu64 ": write failed (%d, device: %d)", count, place, rc,
                        atomic_load_explicit(&pages->device->last_error, memory_order_relaxed));
    }
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *page = bytes + (size_t)i * SSN_PAGE_SIZE;
        struct ssn_root root = {place + i, ssn_page_checksum(page), ssn_page_level(page)};
        keep(pages, &root, page);
    }
    return SELSNAP_OK;
}

/* ---- open and close ---- */

static int open_slots(struct ssn_pages *pages, uint64_t cache_bytes) {
    uint64_t count = ssn_max_u64(cache_bytes / (SSN_PAGE_SIZE + sizeof(struct slot)), SLOTS_MIN);
    count = ssn_min_u64(count, ssn_min_u64(SLOTS_MAX, SIZE_MAX / 2 / SSN_PAGE_SIZE));
    uint32_t table_size = SLOTS_MIN;
    while (table_size < count) {
        table_size *= 2;
    }
    pages->slot_count = (uint32_t)count;
    pages->table_mask = table_size - 1;
    pages->slots = ssn_calloc(pages->mem, pages->slot_count, sizeof *pages->slots);
    pages->table = ssn_calloc(pages->mem, table_size, sizeof *pages->table);
    pages->bytes = ssn_alloc(pages->mem, (size_t)pages->slot_count * SSN_PAGE_SIZE);
    if (pages->slots == NULL || pages->table == NULL || pages->bytes == NULL) {
        return SELSNAP_ENOMEM;
    }
    for (uint32_t i = 0; i < table_size; i++) {
        pages->table[i] = NONE;
    }
    return SELSNAP_OK;
}

static void free_all(struct ssn_pages *pages) {
    struct ssn_mem *mem = pages->mem;
    while (pages->mended != NULL) {
        struct mended *mended = pages->mended;
        pages->mended = mended->next;
        ssn_free(mem, mended);
    }
    ssn_free(mem, pages->bytes);
    ssn_free(mem, pages->table);
    ssn_free(mem, pages->slots);
    ssn_free(mem, pages);
}

int ssn_pages_open(struct ssn_mem *mem, struct ssn_report *report, selsnap_device *device, const uint8_t *store_id,
                   uint64_t first_place, uint64_t store_pages, uint64_t cache_bytes, struct ssn_pages **ret_pages) {
    struct ssn_pages *pages = ssn_calloc(mem, 1, sizeof *pages);
    if (pages == NULL) {
        return SELSNAP_ENOMEM;
    }
    pages->mem = mem;
    pages->report = report;
    pages->device = device;
    memcpy(pages->store_id, store_id, SSN_STORE_ID_SIZE);
    pages->first_place = first_place;
    /* What lies beyond the device cannot be read: such a place is damage, not a failing device. */
    pages->store_pages = ssn_min_u64(store_pages, ssn_device_size(device) / SSN_PAGE_SIZE);
    int rc = open_slots(pages, cache_bytes);
    if (rc != SELSNAP_OK) {
        free_all(pages);
        return rc;
    }
    if (pthread_mutex_init(&pages->lock, NULL) != 0) {
        free_all(pages);
        return SELSNAP_ENOMEM;
    }
    if (pthread_cond_init(&pages->changed, NULL) != 0) {
        pthread_mutex_destroy(&pages->lock);
        free_all(pages);
        return SELSNAP_ENOMEM;
    }
    *ret_pages = pages;
    return SELSNAP_OK;
}

void ssn_pages_close(struct ssn_pages *pages) {
    if (pages == NULL) {
        return;
    }
    for (uint32_t i = 0; i < pages->slot_count; i++) {
        assert(pages->slots[i].pins == 0);
    }
    pthread_cond_destroy(&pages->changed);
    pthread_mutex_destroy(&pages->lock);
    free_all(pages);
}

int ssn_pages_mend(struct ssn_pages *pages, const struct ssn_root *root, const uint8_t *page) {
    struct mended *mended = ssn_alloc(pages->mem, sizeof *mended);
    if (mended == NULL) {
        return SELSNAP_ENOMEM;
    }
    mended->next = pages->mended;
    mended->root = *root;
    memcpy(mended->page, page, SSN_PAGE_SIZE);
    pages->mended = mended;
    return SELSNAP_OK;
}

void ssn_pages_grow(struct ssn_pages *pages, uint64_t store_pages) {
    atomic_store(&pages->store_pages, store_pages);
}

void ssn_pages_salvage(struct ssn_pages *pages) {
    pages->salvage = true;
}

uint64_t ssn_pages_reads(const struct ssn_pages *pages) {
    return atomic_load_explicit(&((struct ssn_pages *)(uintptr_t)pages)->reads, memory_order_relaxed);
}

const uint8_t *ssn_pages_store_id(const struct ssn_pages *pages) {
    return pages->store_id;
}

struct ssn_report *ssn_pages_report(const struct ssn_pages *pages) {
    return pages->report;
}

struct ssn_mem *ssn_pages_mem(const struct ssn_pages *pages) {
    return pages->mem;
}
