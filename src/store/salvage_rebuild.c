/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An inner page that is damaged says nothing but where its children are, and these tell that themselves: place, first
 * key and checksum. So it is laid out anew from the pages of the level below that the device holds, whatever their age,
 * and is used if it then has the checksum that the pointer to it holds. That proves it: a page of another age, or one
 * missing, would give another checksum. Nothing is taken for current by its look alone.
 */
#include "store_inner.h"

#include "pages.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_PAGES = 64,
    SCANS_MAX = 8,        /* each reads the whole device */
    CHILDREN_MAX = 4096,  /* of all ages */
    SEQUENCES_MAX = 4096, /* tried for the page's own */
};

struct child {
    struct ssn_key first;
    struct ssn_key last;
    uint64_t place;
    uint64_t checksum;
    uint64_t sequence;
};

struct rebuild {
    struct ssn_store *store;
    const struct ssn_span *span;
    struct child *children;
    size_t count;
    size_t capacity;
    uint8_t *chunk;
};

/* Whether the bytes are a page that may be a child, of whatever age. */
static bool is_child(const struct rebuild *rebuild, const uint8_t *page, uint64_t place, struct child *ret_child) {
    const struct ssn_store *store = rebuild->store;
    const struct ssn_span *span = rebuild->span;
    const struct ssn_page_expect expect = {
        place, ssn_page_checksum(page), span->root.level - 1, store->super.store_id, store->area, store->store_pages};
    if (ssn_page_place(page) != place || ssn_page_sequence(page) > store->super.sequence ||
        ssn_page_check(page, &expect) != NULL) {
        return false;
    }
    unsigned last = ssn_page_count(page) - 1;
    ssn_page_key(page, 0, &ret_child->first);
    if (expect.level > 0 || !ssn_page_hole(page, last, &ret_child->last)) {
        ssn_page_key(page, last, &ret_child->last);
    }
    ret_child->place = place;
    ret_child->checksum = expect.checksum;
    ret_child->sequence = ssn_page_sequence(page);
    return ssn_key_compare(&ret_child->first, &span->low) >= 0 &&
           (!span->bounded || ssn_key_compare(&ret_child->last, &span->high) < 0);
}

static int add_child(struct rebuild *rebuild, const struct child *child) {
    if (rebuild->count == CHILDREN_MAX) {
        return SELSNAP_ENOENT;
    }
    if (!ssn_grow(rebuild->store->mem, (void **)&rebuild->children, &rebuild->capacity, rebuild->count,
                  sizeof *child)) {
        return SELSNAP_ENOMEM;
    }
    rebuild->children[rebuild->count++] = *child;
    return SELSNAP_OK;
}

/* SELSNAP_ENOENT: there are too many. What cannot be read is no child. */
static int find_children(struct rebuild *rebuild) {
    struct ssn_store *store = rebuild->store;
    uint64_t end = ssn_min_u64(store->store_pages, ssn_device_size(store->device) / SSN_PAGE_SIZE);
    int rc = SELSNAP_OK;
    for (uint64_t at = store->area; rc == SELSNAP_OK && at < end; at += CHUNK_PAGES) {
        uint64_t pages = ssn_min_u64(CHUNK_PAGES, end - at);
        bool whole = ssn_device_read(store->device, rebuild->chunk, (size_t)pages * SSN_PAGE_SIZE,
                                     at * SSN_PAGE_SIZE) == SELSNAP_OK;
        for (uint64_t i = 0; rc == SELSNAP_OK && i < pages; i++) {
            uint8_t *page = rebuild->chunk + (size_t)i * SSN_PAGE_SIZE;
            struct child child;
            bool read =
                whole || ssn_device_read(store->device, page, SSN_PAGE_SIZE, (at + i) * SSN_PAGE_SIZE) == SELSNAP_OK;
            if (read && is_child(rebuild, page, at + i, &child)) {
                rc = add_child(rebuild, &child);
            }
        }
    }
    return rc;
}

static bool overlap(const struct child *a, const struct child *b) {
    return ssn_key_compare(&a->first, &b->last) <= 0 && ssn_key_compare(&b->first, &a->last) <= 0;
}

static int by_key(const void *a, const void *b) {
    const struct child *first = a;
    const struct child *second = b;
    return ssn_key_compare(&first->first, &second->first);
}

/* Of children that overlap, the newest stay. */
static void keep_newest(struct rebuild *rebuild) {
    size_t kept = 0;
    for (size_t i = 0; i < rebuild->count; i++) {
        bool newest = true;
        for (size_t j = 0; j < rebuild->count && newest; j++) {
            newest = rebuild->children[j].sequence <= rebuild->children[i].sequence ||
                     !overlap(&rebuild->children[i], &rebuild->children[j]);
        }
        if (newest) {
            /* What is skipped has been looked at, but must be there for those to come: so the two change places. */
            struct child child = rebuild->children[kept];
            rebuild->children[kept++] = rebuild->children[i];
            rebuild->children[i] = child;
        }
    }
    rebuild->count = kept;
    qsort(rebuild->children, rebuild->count, sizeof *rebuild->children, by_key);
}

/* Lays the page out, with each sequence it may have, until its checksum is the one expected. */
static bool lay_out(const struct rebuild *rebuild, uint8_t *page) {
    const struct ssn_root *root = &rebuild->span->root;
    uint8_t items[SSN_PAGE_ROOM];
    size_t len = 0;
    struct ssn_page_head head = {root->place, 0, root->level, rebuild->store->super.store_id};
    if (rebuild->count == 0 || rebuild->count * (SSN_INNER_ITEM + SSN_PAGE_SLOT) > SSN_PAGE_ROOM) {
        return false;
    }
    for (size_t i = 0; i < rebuild->count; i++) {
        const struct child *child = &rebuild->children[i];
        if (i > 0 && ssn_key_compare(&rebuild->children[i - 1].first, &child->first) >= 0) {
            return false;
        }
        len += ssn_page_encode_inner_item(items + len, &child->first, child->place, child->checksum);
        head.sequence = ssn_max_u64(head.sequence, child->sequence);
    }
    for (unsigned i = 0; i < SEQUENCES_MAX && head.sequence <= rebuild->store->super.sequence; i++) {
        if (ssn_page_build(page, &head, items, len, (unsigned)rebuild->count) == root->checksum) {
            return true;
        }
        head.sequence++;
    }
    return false;
}

int ssn_salvage_rebuild(struct ssn_store *store, const struct ssn_span *span, unsigned *scans, uint8_t *page,
                        bool *ret_rebuilt) {
    struct rebuild rebuild = {.store = store, .span = span};
    *ret_rebuilt = false;
    if (span->root.level == 0 || span->root.level > SSN_LEVEL_MAX || *scans == SCANS_MAX) {
        return SELSNAP_OK;
    }
    ++*scans;
    rebuild.chunk = ssn_alloc(store->mem, (size_t)CHUNK_PAGES * SSN_PAGE_SIZE);
    int rc = rebuild.chunk != NULL ? find_children(&rebuild) : SELSNAP_ENOMEM;
    if (rc == SELSNAP_OK) {
        if (rebuild.count > 0) {
            keep_newest(&rebuild);
        }
        *ret_rebuilt = lay_out(&rebuild, page);
    }
    if (*ret_rebuilt) {
        rc = ssn_pages_mend(store->pages, &span->root, page);
    }
    ssn_free(store->mem, rebuild.chunk);
    ssn_free(store->mem, rebuild.children);
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}
