/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lookups in the tree, and the walk over all of it. A lookup pins one page at a time. It descends to the leaf whose
 * range holds the key, and remembers the nearest range beside it on the way; if the leaf has no answer, that range has
 * it, at its edge: a page has at least one item, and ssn_pages_pin() holds every page to its span.
 */
#include "tree.h"
#include "pages.h"

#include <inttypes.h>
#include <string.h>

static bool hole_at(const uint8_t *page, int index, struct ssn_lost *ret_lost) {
    struct ssn_lost lost = {.page = {0, 0, 0}};
    if (index < 0 || index >= (int)ssn_page_count(page) || !ssn_page_hole(page, (unsigned)index, &lost.last)) {
        return false;
    }
    ssn_page_key(page, (unsigned)index, &lost.low);
    *ret_lost = lost;
    return true;
}

/* A hole of a leaf that is in the way of a lookup: it holds the key, or is the item found. */
static bool meets_hole(const uint8_t *page, int index, const struct ssn_key *key, bool backward,
                       struct ssn_lost *ret_lost) {
    if (!backward && hole_at(page, index - 1, ret_lost) && ssn_key_compare(&ret_lost->last, key) >= 0) {
        return true;
    }
    return hole_at(page, index, ret_lost);
}

int ssn_tree_tell_lost(struct ssn_pages *pages, const struct ssn_lost *lost) {
    if (lost->page.place != 0) {
        return SELSNAP_EDAMAGED; /* told when it was read */
    }
    return ssn_fail(ssn_pages_report(pages), SELSNAP_EDAMAGED,
                    "the index from type %u, key %" PRIu64 ", %" PRIu64 " to type %u, key %" PRIu64 ", %" PRIu64
                    " was damaged and is set aside",
                    (unsigned)lost->low.type, lost->low.major, lost->low.minor, (unsigned)lost->last.type,
                    lost->last.major, lost->last.minor);
}

static void copy_out(const uint8_t *page, unsigned index, struct ssn_item *ret_item) {
    ssn_page_key(page, index, &ret_item->key);
    const uint8_t *value = ssn_page_value(page, index, &ret_item->len);
    memcpy(ret_item->value, value, ret_item->len);
}

/*
 * Goes from an inner page to the child that may hold the key. *beside becomes the child's neighbour, after it or before
 * it, where this page has one.
 */
static void step_down(struct ssn_span *span, const uint8_t *page, const struct ssn_key *key, bool backward,
                      struct ssn_span *beside) {
    int last = ssn_page_find_last(page, key);
    unsigned index = last < 0 ? 0 : (unsigned)last;
    if (backward) {
        if (index > 0) {
            *beside = ssn_span_child(span, page, index - 1);
        }
    } else if (index + 1 < ssn_page_count(page)) {
        *beside = ssn_span_child(span, page, index + 1);
    }
    *span = ssn_span_child(span, page, index);
}

int ssn_tree_look(struct ssn_pages *pages, const struct ssn_root *root, const struct ssn_key *key, bool backward,
                  struct ssn_item *ret_item, struct ssn_lost *ret_lost) {
    struct ssn_span span = ssn_span_of_root(root);
    struct ssn_span beside = span;
    beside.root.place = 0;
    while (span.root.place != 0) {
        struct ssn_pin pin;
        if (backward && ssn_key_compare(key, &span.low) < 0) {
            span = beside; /* only a first child can begin above the key: it has no answer */
            beside.root.place = 0;
            continue;
        }
        int rc = ssn_pages_pin(pages, &span, &pin);
        if (rc != SELSNAP_OK) {
            *ret_lost = ssn_span_lost(&span);
            return rc;
        }
        if (span.root.level > 0) {
            step_down(&span, pin.page, key, backward, &beside);
            ssn_pages_unpin(pages, &pin);
            continue;
        }
        int index = backward ? ssn_page_find_last(pin.page, key) : (int)ssn_page_find(pin.page, key);
        bool hole = meets_hole(pin.page, index, key, backward, ret_lost);
        bool found = !hole && index >= 0 && index < (int)ssn_page_count(pin.page);
        if (found) {
            copy_out(pin.page, (unsigned)index, ret_item);
        }
        ssn_pages_unpin(pages, &pin);
        if (hole) {
            return SELSNAP_EDAMAGED;
        }
        if (found) {
            return SELSNAP_OK;
        }
        span = beside;
        beside.root.place = 0;
    }
    return SELSNAP_ENOENT;
}

int ssn_tree_seek(struct ssn_pages *pages, const struct ssn_root *root, const struct ssn_key *key,
                  struct ssn_item *ret_item) {
    struct ssn_lost lost;
    int rc = ssn_tree_look(pages, root, key, false, ret_item, &lost);
    return rc == SELSNAP_EDAMAGED ? ssn_tree_tell_lost(pages, &lost) : rc;
}

int ssn_tree_seek_last(struct ssn_pages *pages, const struct ssn_root *root, const struct ssn_key *key,
                       struct ssn_item *ret_item) {
    struct ssn_lost lost;
    int rc = ssn_tree_look(pages, root, key, true, ret_item, &lost);
    return rc == SELSNAP_EDAMAGED ? ssn_tree_tell_lost(pages, &lost) : rc;
}

int ssn_tree_get(struct ssn_pages *pages, const struct ssn_root *root, const struct ssn_key *key,
                 struct ssn_item *ret_item) {
    struct ssn_span span = ssn_span_of_root(root);
    while (span.root.place != 0) {
        struct ssn_pin pin;
        int rc = ssn_pages_pin(pages, &span, &pin);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        int index = ssn_page_find_last(pin.page, key);
        if (index >= 0 && span.root.level > 0) {
            span = ssn_span_child(&span, pin.page, (unsigned)index);
            ssn_pages_unpin(pages, &pin);
            continue;
        }
        bool found = false;
        struct ssn_lost lost;
        if (hole_at(pin.page, index, &lost)) {
            ssn_pages_unpin(pages, &pin);
            return ssn_key_compare(&lost.last, key) < 0 ? SELSNAP_ENOENT : ssn_tree_tell_lost(pages, &lost);
        }
        if (index >= 0) {
            struct ssn_key there;
            ssn_page_key(pin.page, (unsigned)index, &there);
            found = ssn_key_compare(&there, key) == 0;
        }
        if (found) {
            copy_out(pin.page, (unsigned)index, ret_item);
        }
        ssn_pages_unpin(pages, &pin);
        return found ? SELSNAP_OK : SELSNAP_ENOENT;
    }
    return SELSNAP_ENOENT;
}

/* ---- the walk ---- */

/* An inner page whose children are being visited. */
struct walk_step {
    struct ssn_span span;
    unsigned next;
    uint8_t page[SSN_PAGE_SIZE];
};

struct walk {
    struct ssn_pages *pages;
    ssn_tree_visit_fn visit;
    void *user;
    unsigned depth; /* of steps */
    struct walk_step *steps[SSN_LEVEL_MAX + 1];
};

/* Reads the page of a span and tells it; an inner page becomes the new step. */
static int walk_into(struct walk *walk, const struct ssn_span *span) {
    struct walk_step *step = walk->steps[walk->depth];
    if (step == NULL) {
        step = ssn_alloc(ssn_pages_mem(walk->pages), sizeof *step);
        if (step == NULL) {
            return SELSNAP_ENOMEM;
        }
        walk->steps[walk->depth] = step;
    }
    bool usable = ssn_pages_read(walk->pages, span, step->page) == SELSNAP_OK;
    int rc = walk->visit(walk->user, span->root.place, span->root.level, usable ? step->page : NULL);
    if (rc == SELSNAP_OK && usable && span->root.level > 0) {
        step->span = *span;
        step->next = 0;
        walk->depth++;
    }
    return rc;
}

int ssn_tree_walk(struct ssn_pages *pages, const struct ssn_root *root, ssn_tree_visit_fn visit, void *user) {
    if (root->place == 0) {
        return SELSNAP_OK;
    }
    struct walk walk = {pages, visit, user, 0, {NULL}};
    struct ssn_span span = ssn_span_of_root(root);
    int rc = walk_into(&walk, &span);
    while (rc == SELSNAP_OK && walk.depth > 0) {
        struct walk_step *step = walk.steps[walk.depth - 1];
        if (step->next == ssn_page_count(step->page)) {
            walk.depth--;
            continue;
        }
        span = ssn_span_child(&step->span, step->page, step->next++);
        rc = walk_into(&walk, &span);
    }
    for (unsigned i = 0; i <= SSN_LEVEL_MAX; i++) {
        ssn_free(ssn_pages_mem(pages), walk.steps[i]);
    }
    return rc;
}
