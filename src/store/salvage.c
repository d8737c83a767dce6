/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a damaged store beside its damage. Nothing is written. What cannot be read is known as *gaps*: ranges of keys
 * of which nothing is known, found by one walk over the tree. Lookups see the index as if the gaps held no items, save
 * for those that the journal put there; who asks what a missing item means has to ask for the gaps as well.
 *
 * A page that fails where no gap was found makes a lookup fail: a device that changes its mind must not make items
 * vanish. One thread.
 */
#include "store_inner.h"

#include "pages.h"

#include <string.h>

struct ssn_salvage {
    struct ssn_mem *mem;
    struct ssn_gap *gaps; /* rising, disjoint, not touching */
    size_t count;
    size_t capacity;
    uint64_t pages; /* that failed their check */
    unsigned scans; /* of the whole device, for damaged inner pages */
    bool cut;
    char reason[SSN_CUT_TEXT];
};

int ssn_salvage_open(struct ssn_mem *mem, struct ssn_salvage **ret_salvage) {
    struct ssn_salvage *salvage = ssn_calloc(mem, 1, sizeof *salvage);
    if (salvage == NULL) {
        return SELSNAP_ENOMEM;
    }
    salvage->mem = mem;
    *ret_salvage = salvage;
    return SELSNAP_OK;
}

void ssn_salvage_close(struct ssn_salvage *salvage) {
    if (salvage != NULL) {
        ssn_free(salvage->mem, salvage->gaps);
        ssn_free(salvage->mem, salvage);
    }
}

void ssn_salvage_cut(struct ssn_store *store) {
    if (!store->salvage->cut) {
        store->salvage->cut = true;
        (void)ssn_report_last(store->report, store->salvage->reason, sizeof store->salvage->reason);
    }
}

bool ssn_store_is_cut(const struct ssn_store *store, const char **ret_reason) {
    *ret_reason = store->salvage->reason;
    return store->salvage->cut;
}

uint64_t ssn_store_pages_damaged(const struct ssn_store *store) {
    return store->salvage->pages;
}

/* ---- gaps ---- */

/* The first gap that ends at or after the key; the count if there is none. */
static size_t gap_index(const struct ssn_salvage *salvage, const struct ssn_key *key) {
    size_t low = 0;
    size_t high = salvage->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ssn_key_compare(&salvage->gaps[middle].last, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool ssn_store_next_gap(const struct ssn_store *store, const struct ssn_key *key, struct ssn_gap *ret_gap) {
    const struct ssn_salvage *salvage = store->salvage;
    size_t index = gap_index(salvage, key);
    if (index == salvage->count) {
        return false;
    }
    *ret_gap = salvage->gaps[index];
    return true;
}

bool ssn_store_gap_meets(const struct ssn_store *store, const struct ssn_key *low, const struct ssn_key *last) {
    struct ssn_gap gap;
    return ssn_store_next_gap(store, low, &gap) && ssn_key_compare(&gap.low, last) <= 0;
}

static bool touches(const struct ssn_gap *before, const struct ssn_key *low) {
    struct ssn_key next = before->last;
    return !ssn_key_after(&next) || ssn_key_compare(&next, low) >= 0;
}

/* Adds a gap that meets no other but may touch its neighbours. */
static int add_gap(struct ssn_salvage *salvage, const struct ssn_gap *gap) {
    size_t at = gap_index(salvage, &gap->low);
    bool joins_before = at > 0 && touches(&salvage->gaps[at - 1], &gap->low);
    bool joins_after = at < salvage->count && touches(gap, &salvage->gaps[at].low);
    if (joins_before) {
        salvage->gaps[at - 1].last = joins_after ? salvage->gaps[at].last : gap->last;
        if (joins_after) {
            salvage->count--;
            memmove(salvage->gaps + at, salvage->gaps + at + 1, (salvage->count - at) * sizeof *gap);
        }
        return SELSNAP_OK;
    }
    if (joins_after) {
        salvage->gaps[at].low = gap->low;
        return SELSNAP_OK;
    }
    if (!ssn_grow(salvage->mem, (void **)&salvage->gaps, &salvage->capacity, salvage->count, sizeof *gap)) {
        return SELSNAP_ENOMEM;
    }
    memmove(salvage->gaps + at + 1, salvage->gaps + at, (salvage->count - at) * sizeof *gap);
    salvage->gaps[at] = *gap;
    salvage->count++;
    return SELSNAP_OK;
}

int ssn_store_add_gap(struct ssn_store *store, const struct ssn_key *key) {
    struct ssn_gap gap = {*key, *key};
    int rc = ssn_store_forget(store, key);
    if (rc == SELSNAP_OK && !ssn_store_gap_meets(store, key, key)) {
        rc = add_gap(store->salvage, &gap);
    }
    return rc;
}

/* ---- the walk ---- */

/* An inner page whose children are being visited. */
struct level {
    struct ssn_span span;
    unsigned next;
    uint8_t page[SSN_PAGE_SIZE];
};

/* What was set aside before [F-16]. */
static int add_holes(struct ssn_salvage *salvage, const uint8_t *leaf) {
    int rc = SELSNAP_OK;
    for (unsigned i = 0; rc == SELSNAP_OK && i < ssn_page_count(leaf); i++) {
        struct ssn_gap gap;
        if (ssn_page_hole(leaf, i, &gap.last)) {
            ssn_page_key(leaf, i, &gap.low);
            salvage->pages++;
            rc = add_gap(salvage, &gap);
        }
    }
    return rc;
}

static int visit(struct ssn_store *store, const struct ssn_span *span, struct level *level, bool *ret_inner) {
    int rc = ssn_pages_read(store->pages, span, level->page);
    *ret_inner = rc == SELSNAP_OK && span->root.level > 0;
    level->span = *span;
    level->next = 0;
    if (rc == SELSNAP_OK && span->root.level == 0) {
        return add_holes(store->salvage, level->page);
    }
    if (rc != SELSNAP_EDAMAGED) {
        return rc;
    }
    store->salvage->pages++;
    rc = ssn_salvage_rebuild(store, span, &store->salvage->scans, level->page, ret_inner);
    if (rc != SELSNAP_OK || *ret_inner) {
        return rc;
    }
    struct ssn_lost lost = ssn_span_lost(span);
    struct ssn_gap gap = {lost.low, lost.last};
    return add_gap(store->salvage, &gap);
}

int ssn_salvage_walk(struct ssn_store *store) {
    if (store->root.place == 0) {
        return SELSNAP_OK;
    }
    size_t levels = (store->root.level <= SSN_LEVEL_MAX ? store->root.level : SSN_LEVEL_MAX) + (size_t)1;
    struct level *stack = ssn_calloc(store->mem, levels, sizeof *stack);
    if (stack == NULL) {
        return SELSNAP_ENOMEM;
    }
    struct ssn_span span = ssn_span_of_root(&store->root);
    bool inner = false;
    int rc = visit(store, &span, &stack[0], &inner);
    size_t depth = inner ? 1 : 0;
    while (rc == SELSNAP_OK && depth > 0) {
        struct level *level = &stack[depth - 1];
        if (level->next == ssn_page_count(level->page)) {
            depth--;
            continue;
        }
        span = ssn_span_child(&level->span, level->page, level->next++);
        rc = visit(store, &span, &stack[depth], &inner);
        depth += inner ? 1 : 0;
    }
    ssn_free(store->mem, stack);
    return rc;
}

/* ---- lookups in the tree, past the gaps ---- */

/* Moves the key out of the gap it is in; false: nothing lies beyond. */
static bool leave_gap(const struct ssn_salvage *salvage, struct ssn_key *key, bool forward) {
    size_t index = gap_index(salvage, key);
    if (index == salvage->count || ssn_key_compare(&salvage->gaps[index].low, key) > 0) {
        return true;
    }
    *key = forward ? salvage->gaps[index].last : salvage->gaps[index].low;
    return forward ? ssn_key_after(key) : ssn_key_before(key);
}

static bool in_one_gap(const struct ssn_salvage *salvage, const struct ssn_gap *keys) {
    size_t index = gap_index(salvage, &keys->last);
    return index < salvage->count && ssn_key_compare(&salvage->gaps[index].low, &keys->low) <= 0;
}

int ssn_salvage_seek(struct ssn_store *store, const struct ssn_key *from, bool forward, struct ssn_item *ret_item) {
    const struct ssn_salvage *salvage = store->salvage;
    struct ssn_key key = *from;
    while (leave_gap(salvage, &key, forward)) {
        struct ssn_lost lost;
        int rc = ssn_tree_look(store->pages, &store->root, &key, !forward, ret_item, &lost);
        if (rc != SELSNAP_EDAMAGED) {
            return rc;
        }
        const struct ssn_gap failed = {lost.low, lost.last};
        key = failed.low;
        if (!in_one_gap(salvage, &failed)) {
            return ssn_fail(store->report, SELSNAP_ESTORE,
                            "a page of the damaged store could be read at first, and then not");
        }
    }
    return SELSNAP_ENOENT;
}
