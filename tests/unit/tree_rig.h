/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree on a memory device beside a naive model of it: a sorted array of keys. After each build the rig compares the
 * pages in use, by its own account of what was taken and given, with the pages that a walk meets.
 */
#ifndef SSN_TREE_RIG_H
#define SSN_TREE_RIG_H

#include "test.h"

#include "page.h"
#include "stock.h"
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RIG_FIRST_PLACE = 40 };

enum rig_use { RIG_FREE, RIG_USED, RIG_GIVEN };

struct rig_entry {
    struct ssn_key key;
    uint16_t len;
    uint32_t version; /* 0 in a change: delete */
};

struct rig {
    struct ssn_mem mem;
    struct ssn_report report;
    selsnap_device *device;
    uint8_t store_id[SSN_STORE_ID_SIZE];
    struct ssn_pages *pages;
    uint64_t page_count;
    uint8_t *use;  /* enum rig_use of each page */
    uint8_t *seen; /* by the walk */
    uint64_t search_from;
    uint64_t take_most; /* pages a run at most */
    struct ssn_root root;
    uint64_t sequence;
    uint64_t tree_pages, tree_leaves; /* sums of deltas */
    struct ssn_build_result last;     /* the last build's */
    uint64_t random;

    struct rig_entry *entries; /* the model: keys rise */
    size_t entry_count, entry_capacity;
    struct rig_entry *changes; /* keys rise */
    size_t change_count, change_capacity;
    size_t change_next;
    uint8_t value[SSN_VALUE_MAX];

    uint64_t walked_pages, walked_leaves, walked_items, walked_bad, leaf_bytes;
    uint64_t events, event_offset;
};

static inline uint64_t rig_random(struct rig *rig, uint64_t below) {
    rig->random ^= rig->random << 13;
    rig->random ^= rig->random >> 7;
    rig->random ^= rig->random << 17;
    return (rig->random >> 11) % below;
}

static inline void rig_value(const struct rig_entry *entry, uint8_t *value) {
    uint64_t x = entry->key.major * 31 + entry->key.minor * 17 + entry->version;
    for (unsigned i = 0; i < entry->len; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
        value[i] = (uint8_t)(x >> 56);
    }
}

static inline void rig_event(void *user, const selsnap_event *event) {
    struct rig *rig = user;
    assert_true(event->kind == SELSNAP_EVENT_DAMAGE);
    rig->events++;
    rig->event_offset = event->offset;
}

static inline void rig_open_pages(struct rig *rig, uint64_t cache_bytes) {
    ssn_pages_close(rig->pages);
    rig->pages = NULL;
    assert_ok(ssn_pages_open(&rig->mem, &rig->report, rig->device, rig->store_id, RIG_FIRST_PLACE, rig->page_count,
                             cache_bytes, &rig->pages));
}

static inline struct rig *rig_open(uint64_t page_count, uint64_t cache_bytes, uint64_t seed) {
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    ssn_mem_init(&rig->mem, NULL, 0);
    assert_ok(ssn_report_init(&rig->report));
    rig->report.event = rig_event;
    rig->report.event_user = rig;
    rig->page_count = page_count;
    rig->use = calloc(1, (size_t)page_count);
    rig->seen = calloc(1, (size_t)page_count);
    assert_true(rig->use != NULL && rig->seen != NULL);
    memset(rig->store_id, 0xa5, sizeof rig->store_id);
    rig->search_from = RIG_FIRST_PLACE;
    rig->take_most = UINT64_MAX;
    rig->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    assert_ok(ssn_memory_device_open(page_count * SSN_PAGE_SIZE, 512, &rig->device));
    rig_open_pages(rig, cache_bytes);
    return rig;
}

static inline void rig_close(struct rig *rig) {
    ssn_pages_close(rig->pages);
    assert_true(ssn_mem_current(&rig->mem) == 0);
    ssn_device_close(rig->device);
    ssn_report_fini(&rig->report);
    free(rig->entries);
    free(rig->changes);
    free(rig->use);
    free(rig->seen);
    free(rig);
}

/* ---- the model ---- */

/* The first entry whose key is >= key. */
static inline size_t rig_find(const struct rig_entry *entries, size_t count, const struct ssn_key *key) {
    size_t low = 0;
    while (low < count) {
        size_t middle = low + (count - low) / 2;
        if (ssn_key_compare(&entries[middle].key, key) < 0) {
            low = middle + 1;
        } else {
            count = middle;
        }
    }
    return low;
}

static inline void rig_insert(struct rig_entry **array, size_t *count, size_t *capacity, size_t at,
                              const struct rig_entry *entry) {
    if (*count == *capacity) {
        *capacity = *capacity * 2 + 64;
        *array = realloc(*array, *capacity * sizeof **array);
        assert_non_null(*array);
    }
    memmove(*array + at + 1, *array + at, (*count - at) * sizeof **array);
    (*array)[at] = *entry;
    (*count)++;
}

/* Adds to the changes of the next build; a later one of the same key counts. version 0: delete. */
static inline void rig_change(struct rig *rig, struct ssn_key key, uint16_t len, uint32_t version) {
    struct rig_entry entry = {key, len, version};
    size_t at = rig_find(rig->changes, rig->change_count, &key);
    if (at < rig->change_count && ssn_key_compare(&rig->changes[at].key, &key) == 0) {
        rig->changes[at] = entry;
    } else {
        rig_insert(&rig->changes, &rig->change_count, &rig->change_capacity, at, &entry);
    }
}

/* Merges the changes into the model. */
static inline void rig_apply(struct rig *rig) {
    size_t capacity = rig->entry_count + rig->change_count + 1;
    struct rig_entry *merged = malloc(capacity * sizeof *merged);
    assert_non_null(merged);
    size_t count = 0;
    size_t i = 0;
    for (size_t c = 0; c <= rig->change_count; c++) {
        int order = -1;
        while (i < rig->entry_count &&
               (c == rig->change_count || (order = ssn_key_compare(&rig->entries[i].key, &rig->changes[c].key)) < 0)) {
            merged[count++] = rig->entries[i++];
        }
        if (c < rig->change_count) {
            i += i < rig->entry_count && order == 0;
            if (rig->changes[c].version != 0) {
                merged[count++] = rig->changes[c];
            }
        }
    }
    free(rig->entries);
    rig->entries = merged;
    rig->entry_count = count;
    rig->entry_capacity = capacity;
}

/* ---- what a build asks ---- */

static inline int rig_next(void *user, struct ssn_change *ret_change) {
    struct rig *rig = user;
    if (rig->change_next == rig->change_count) {
        return SELSNAP_ENOENT;
    }
    const struct rig_entry *entry = &rig->changes[rig->change_next++];
    rig_value(entry, rig->value);
    ret_change->key = entry->key;
    ret_change->len = entry->version != 0 ? entry->len : 0;
    ret_change->value = entry->version != 0 ? rig->value : NULL;
    return SELSNAP_OK;
}

static inline int rig_take(void *user, uint64_t wanted, uint64_t *ret_place, uint64_t *ret_pages) {
    struct rig *rig = user;
    for (uint64_t tries = 0; tries < rig->page_count; tries++) {
        uint64_t place = rig->search_from;
        rig->search_from = place + 1 < rig->page_count ? place + 1 : RIG_FIRST_PLACE;
        uint64_t pages = 0;
        while (pages < ssn_min_u64(wanted, rig->take_most) && place + pages < rig->page_count &&
               rig->use[place + pages] == RIG_FREE) {
            rig->use[place + pages++] = RIG_USED;
        }
        if (pages > 0) {
            *ret_place = place;
            *ret_pages = pages;
            return SELSNAP_OK;
        }
    }
    return SELSNAP_ENOSPACE;
}

static inline int rig_give(void *user, uint64_t place) {
    struct rig *rig = user;
    assert_true(place < rig->page_count && rig->use[place] == RIG_USED);
    rig->use[place] = RIG_GIVEN;
    return SELSNAP_OK;
}

static inline int rig_visit(void *user, uint64_t place, uint32_t level, const uint8_t *page) {
    struct rig *rig = user;
    rig->walked_pages++;
    rig->walked_leaves += level == 0;
    if (page == NULL) {
        rig->walked_bad++;
        return SELSNAP_OK;
    }
    assert_true(rig->seen[place] == 0);
    rig->seen[place] = 1;
    if (level == 0) {
        rig->walked_items += ssn_page_count(page);
        rig->leaf_bytes += ssn_page_used(page) - SSN_PAGE_HEADER;
    }
    return SELSNAP_OK;
}

static inline void rig_walk(struct rig *rig, const struct ssn_root *root) {
    memset(rig->seen, 0, (size_t)rig->page_count);
    rig->walked_pages = rig->walked_leaves = rig->walked_items = rig->walked_bad = rig->leaf_bytes = 0;
    assert_ok(ssn_tree_walk(rig->pages, root, rig_visit, rig));
}

/* Leaves' average fill, in percent. Of the last walk. */
static inline uint64_t rig_fill(const struct rig *rig) {
    return rig->walked_leaves > 0 ? rig->leaf_bytes * 100 / (rig->walked_leaves * SSN_PAGE_ROOM) : 0;
}

/* Builds with the changes added; on success the model has them too, and everything is compared. */
static inline int rig_build(struct rig *rig) {
    struct ssn_build_source source = {rig_next, rig_take, rig_give, rig, NULL, 0};
    struct ssn_root old_root = rig->root;
    rig->change_next = 0;
    int rc = ssn_tree_build(rig->pages, &old_root, ++rig->sequence, &source, &rig->last);
    if (rc != SELSNAP_OK) {
        rig->change_count = 0;
        return rc;
    }
    assert_true(rig->change_next == rig->change_count);
    rig->root = rig->last.root;
    rig_apply(rig);
    rig->change_count = 0;
    rig_walk(rig, &old_root); /* the old tree is whole */
    assert_true(rig->walked_bad == 0 && rig->walked_pages == rig->tree_pages);
    rig->tree_pages += (uint64_t)rig->last.page_delta;
    rig->tree_leaves += (uint64_t)rig->last.leaf_delta;
    rig_walk(rig, &rig->root);
    assert_true(rig->walked_bad == 0 && rig->walked_items == rig->entry_count);
    assert_true(rig->walked_pages == rig->tree_pages && rig->walked_leaves == rig->tree_leaves);
    for (uint64_t i = 0; i < rig->page_count; i++) {
        assert_int_equal(rig->use[i] == RIG_USED, rig->seen[i]);
        if (rig->use[i] == RIG_GIVEN) {
            rig->use[i] = RIG_FREE;
        }
    }
    return SELSNAP_OK;
}

/* ---- comparing lookups ---- */

static inline void rig_expect(const struct rig *rig, int rc, const struct ssn_item *item, size_t at, bool is_there) {
    assert_int_equal(rc, is_there ? SELSNAP_OK : SELSNAP_ENOENT);
    if (is_there) {
        uint8_t value[SSN_VALUE_MAX];
        const struct rig_entry *entry = &rig->entries[at];
        rig_value(entry, value);
        assert_true(ssn_key_compare(&item->key, &entry->key) == 0 && item->len == entry->len);
        assert_memory_equal(item->value, value, entry->len);
    }
}

static inline void rig_check_key(struct rig *rig, const struct ssn_key *key) {
    struct ssn_item item;
    size_t at = rig_find(rig->entries, rig->entry_count, key);
    bool same = at < rig->entry_count && ssn_key_compare(&rig->entries[at].key, key) == 0;
    int rc = ssn_tree_get(rig->pages, &rig->root, key, &item);
    rig_expect(rig, rc, &item, at, same);
    rc = ssn_tree_seek(rig->pages, &rig->root, key, &item);
    rig_expect(rig, rc, &item, at, at < rig->entry_count);
    rc = ssn_tree_seek_last(rig->pages, &rig->root, key, &item);
    rig_expect(rig, rc, &item, same ? at : at - 1, same || at > 0);
}

/* Every key and its two neighbours, in the tree or not. */
static inline void rig_check_all(struct rig *rig) {
    struct ssn_key key = ssn_key_make(0, 0, 0);
    rig_check_key(rig, &key);
    key = ssn_key_make(UINT8_MAX, UINT64_MAX, UINT64_MAX);
    rig_check_key(rig, &key);
    for (size_t i = 0; i < rig->entry_count; i++) {
        key = rig->entries[i].key;
        rig_check_key(rig, &key);
        key.minor--;
        rig_check_key(rig, &key);
        key.minor += 2;
        rig_check_key(rig, &key);
    }
}

#endif
