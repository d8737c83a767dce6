/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building the next tree: one pass over the old tree in key order, that opens only pages with a change in their range
 * and takes all others over by their pointers, while new pages grow on each level at once.
 *
 * A level has at most one old page open, and the items pending for its next new page, up to two pages' worth of them.
 * Invariants:
 * - The old pages open are those from the root down to the level `at`, each a child of the one above.
 * - Pending items rise strictly on each level, and lie behind all that was emitted there.
 * - When a clean child is taken over into level n, nothing pends on the levels below n.
 *
 * Damage: a page that must be opened and cannot be used is set aside. A hole takes its place, which says that nothing
 * is known of its keys [F-16]; changes in its range split the hole, so that what they say stays known. The page itself,
 * and what only it named, stays out of use. Only the root cannot be set aside: nothing would be left.
 *
 * Fill: more than two pages' worth pending emits a full page. What pends when a clean child follows becomes one page,
 * or two halves; or, where new items in a row, or at the end, show that keys arrive in rising order, a full page up to
 * the run's end and the rest. Less than a third of a page does not become a page: the clean child is opened, and its
 * items join. So only the last page of a level may be smaller.
 */
#include "pages.h"
#include "tree.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum {
    LEVELS = SSN_LEVEL_MAX + 2, /* the uppermost may hold nothing but the pointer to the root */
    PENDING_BYTES = 2 * SSN_PAGE_ROOM + SSN_LEAF_ITEM_MAX,
    PENDING_ITEMS = 2 * SSN_PAGE_ROOM / (SSN_LEAF_ITEM_MIN + SSN_PAGE_SLOT) + 1,
    SMALL = SSN_PAGE_ROOM / 3,        /* a page with less in it is joined with the next */
    RISING_RUN = 8,                   /* new items in a row that count as a sign of rising keys */
    RISING_REST = SSN_PAGE_ROOM / 16, /* so does one with less behind it */
    WRITE_PAGES = 64,                 /* pages a write */
    FIRST_TAKE = 4,                   /* pages; doubles up to WRITE_PAGES, so that few are taken for nothing */
};

struct level {
    struct ssn_span span; /* of the old page that is open */
    unsigned next;        /* its item to go on with */
    unsigned count;       /* pending items */
    unsigned run_start;   /* the last run of new items among them: [run_start, run_end) */
    unsigned run_end;
    uint16_t ends[PENDING_ITEMS]; /* where each pending item ends in data */
    uint8_t data[PENDING_BYTES];
    uint8_t page[SSN_PAGE_SIZE]; /* the old page */
};

struct build {
    struct ssn_pages *pages;
    const struct ssn_build_source *source;
    uint64_t sequence;
    struct ssn_build_result result;
    struct level *levels[LEVELS]; /* made when needed */
    uint32_t at;                  /* the lowest level with an old page open */

    bool has_change;
    struct ssn_change change; /* the next one */

    uint64_t run_place; /* places taken and not yet used */
    uint64_t run_pages;
    uint64_t take_pages; /* how many to ask for next */
    uint64_t buffer_place;
    uint64_t buffer_pages;
    uint8_t *buffer; /* WRITE_PAGES new pages, for places in a row */
    uint8_t item[SSN_LEAF_ITEM_MAX];
};

static int next_change(struct build *build) {
    struct ssn_key before = build->change.key;
    bool first = !build->has_change;
    int rc = build->source->next(build->source->user, &build->change);
    build->has_change = rc == SELSNAP_OK;
    if (build->has_change) {
        assert(first || ssn_key_compare(&before, &build->change.key) < 0);
        assert(build->change.len <= SSN_VALUE_MAX);
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

static bool change_within(const struct build *build, const struct ssn_span *span) {
    return build->has_change && (!span->bounded || ssn_key_compare(&build->change.key, &span->high) < 0);
}

static int make_level(struct build *build, uint32_t number) {
    if (number >= LEVELS) {
        return SELSNAP_ELIMIT;
    }
    if (build->levels[number] == NULL) {
        build->levels[number] = ssn_calloc(ssn_pages_mem(build->pages), 1, sizeof *build->levels[number]);
    }
    return build->levels[number] != NULL ? SELSNAP_OK : SELSNAP_ENOMEM;
}

static bool pends(const struct build *build, uint32_t number) {
    return build->levels[number] != NULL && build->levels[number]->count > 0;
}

/* ---- pages going out ---- */

static int write_out(struct build *build) {
    if (build->buffer_pages == 0) {
        return SELSNAP_OK;
    }
    int rc = ssn_pages_write(build->pages, build->buffer_place, build->buffer, build->buffer_pages);
    build->result.pages_written += build->buffer_pages;
    build->buffer_pages = 0;
    return rc;
}

/* The next place for a page, and where in the buffer to lay it. */
static int take_place(struct build *build, uint64_t *ret_place, uint8_t **ret_page) {
    if (build->run_pages == 0) {
        const struct ssn_build_source *source = build->source;
        int rc = source->take(source->user, build->take_pages, &build->run_place, &build->run_pages);
        if (rc != SELSNAP_OK) {
            build->run_pages = 0;
            return rc;
        }
        assert(build->run_pages >= 1 && build->run_pages <= build->take_pages);
        build->take_pages = ssn_min_u64(2 * build->take_pages, WRITE_PAGES);
    }
    uint64_t place = build->run_place;
    if (build->buffer_pages == WRITE_PAGES || place != build->buffer_place + build->buffer_pages) {
        int rc = write_out(build);
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    if (build->buffer_pages == 0) {
        build->buffer_place = place;
    }
    build->run_place++;
    build->run_pages--;
    *ret_place = place;
    *ret_page = build->buffer + (size_t)build->buffer_pages * SSN_PAGE_SIZE;
    build->buffer_pages++;
    return SELSNAP_OK;
}

/* Room that the first `count` pending items take in a page. */
static size_t room_of(const struct level *level, unsigned count) {
    return count == 0 ? 0 : level->ends[count - 1] + (size_t)SSN_PAGE_SLOT * count;
}

/* The most pending items that one page holds. */
static unsigned fullest(const struct level *level) {
    unsigned count = 1;
    while (count < level->count && room_of(level, count + 1) <= SSN_PAGE_ROOM) {
        count++;
    }
    return count;
}

/* How many of the pending items make the next page, when no more are to come (see Fill above). */
static unsigned cut(const struct level *level) {
    size_t room = room_of(level, level->count);
    if (room <= SSN_PAGE_ROOM) {
        return level->count;
    }
    unsigned full = fullest(level);
    if (room - room_of(level, level->run_end) < RISING_REST || level->run_end - level->run_start >= RISING_RUN) {
        unsigned count = level->run_end < full ? level->run_end : full;
        if (room_of(level, count) >= SSN_PAGE_ROOM / 2) {
            return count;
        }
    }
    unsigned count = 1;
    while (count < full && room_of(level, count + 1) <= room / 2) {
        count++;
    }
    /* The cut before the middle, or the one after it, whichever is nearer. */
    if (count < full &&
        room_of(level, count + 1) - room / 2 < room / 2 - ssn_min_u64(room_of(level, count), room / 2)) {
        count++;
    }
    return count;
}

static void drop_first(struct level *level, unsigned count) {
    uint16_t end = level->ends[count - 1];
    memmove(level->data, level->data + end, (size_t)(level->ends[level->count - 1] - end));
    for (unsigned i = count; i < level->count; i++) {
        level->ends[i - count] = (uint16_t)(level->ends[i] - end);
    }
    level->count -= count;
    level->run_start = level->run_start > count ? level->run_start - count : 0;
    level->run_end = level->run_end > count ? level->run_end - count : 0;
}

/* The first `count` pending items become a page; gives the pointer to it, SSN_INNER_ITEM bytes. */
static int emit(struct build *build, uint32_t number, unsigned count, uint8_t *ret_pointer) {
    if (number > SSN_LEVEL_MAX) {
        return SELSNAP_ELIMIT;
    }
    struct level *level = build->levels[number];
    struct ssn_page_head head = {0, build->sequence, number, ssn_pages_store_id(build->pages)};
    uint8_t *page;
    int rc = take_place(build, &head.place, &page);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    uint64_t checksum = ssn_page_build(page, &head, level->data, level->ends[count - 1], count);
    struct ssn_key key;
    ssn_key_decode(level->data, &key);
    ssn_page_encode_inner_item(ret_pointer, &key, head.place, checksum);
    drop_first(level, count);
    build->result.page_delta++;
    build->result.leaf_delta += number == 0;
    return SELSNAP_OK;
}

/* ---- items going in ---- */

static void put(struct level *level, const uint8_t *item, size_t size, bool is_new) {
    size_t start = level->count > 0 ? level->ends[level->count - 1] : 0;
    assert(level->count < PENDING_ITEMS && size <= PENDING_BYTES - start);
    memcpy(level->data + start, item, size);
    if (is_new) {
        if (level->run_end != level->count) {
            level->run_start = level->count;
        }
        level->run_end = level->count + 1;
    }
    level->ends[level->count++] = (uint16_t)(start + size);
}

/* Adds an encoded item behind those pending. Where that is too much, a page goes out, and its pointer up, and so on. */
static int append(struct build *build, uint32_t number, const uint8_t *item, size_t size, bool is_new) {
    uint8_t pointer[SSN_INNER_ITEM];
    for (;; number++) {
        int rc = make_level(build, number);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        struct level *level = build->levels[number];
        put(level, item, size, is_new);
        if (room_of(level, level->count) <= 2 * (size_t)SSN_PAGE_ROOM) {
            return SELSNAP_OK;
        }
        rc = emit(build, number, fullest(level), pointer);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        item = pointer;
        size = sizeof pointer;
        is_new = true;
    }
}

/* Emits one page, or one of two, of what pends on a level. */
static int emit_cut(struct build *build, uint32_t number) {
    uint8_t pointer[SSN_INNER_ITEM];
    int rc = emit(build, number, cut(build->levels[number]), pointer);
    return rc != SELSNAP_OK ? rc : append(build, number + 1, pointer, sizeof pointer, true);
}

/* Emits all that pends on the levels up to `top`, unless one has too little for a page: *ret_small then. */
static int settle(struct build *build, uint32_t top, bool *ret_small) {
    *ret_small = false;
    for (uint32_t number = 0; number <= top; number++) {
        while (pends(build, number)) {
            struct level *level = build->levels[number];
            if (room_of(level, level->count) < SMALL) {
                *ret_small = true;
                return SELSNAP_OK;
            }
            int rc = emit_cut(build, number);
            if (rc != SELSNAP_OK) {
                return rc;
            }
        }
    }
    return SELSNAP_OK;
}

/* ---- through the old tree ---- */

static int give(struct build *build, uint64_t place, uint32_t level) {
    build->result.page_delta--;
    build->result.leaf_delta -= level == 0;
    return build->source->give(build->source->user, place);
}

static int open_page(struct build *build, const struct ssn_span *span) {
    struct ssn_pin pin;
    int rc = ssn_pages_pin(build->pages, span, &pin);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    rc = make_level(build, span->root.level);
    if (rc == SELSNAP_OK) {
        struct level *level = build->levels[span->root.level];
        memcpy(level->page, pin.page, SSN_PAGE_SIZE);
        level->span = *span;
        level->next = 0;
        build->at = span->root.level;
    }
    ssn_pages_unpin(build->pages, &pin);
    return rc != SELSNAP_OK ? rc : give(build, span->root.place, span->root.level);
}

static int apply_change(struct build *build, bool is_new) {
    const struct ssn_change *change = &build->change;
    if (change->value != NULL) {
        size_t size = ssn_page_encode_leaf_item(build->item, &change->key, change->value, change->len);
        int rc = append(build, 0, build->item, size, is_new);
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    return next_change(build);
}

/* A hole, without the keys that changes tell of. */
static int put_hole(struct build *build, const struct ssn_key *low, const struct ssn_key *last) {
    uint8_t item[SSN_HOLE_ITEM];
    struct ssn_key at = *low;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && build->has_change && ssn_key_compare(&build->change.key, low) < 0) {
        rc = apply_change(build, true);
    }
    for (bool more = true; rc == SELSNAP_OK && more;) {
        struct ssn_key end = *last;
        bool split = build->has_change && ssn_key_compare(&build->change.key, last) <= 0;
        if (split) {
            end = build->change.key;
        }
        bool any = !split || (ssn_key_compare(&at, &end) < 0 && ssn_key_before(&end));
        if (any) {
            rc = append(build, 0, item, ssn_page_encode_hole(item, &at, &end), false);
        }
        more = split;
        if (rc == SELSNAP_OK && split) {
            at = build->change.key;
            more = ssn_key_after(&at) && ssn_key_compare(&at, last) <= 0;
            rc = apply_change(build, true);
        }
    }
    return rc;
}

/* A hole becomes of the page. */
static int set_aside(struct build *build, const struct ssn_span *span) {
    struct ssn_lost lost = ssn_span_lost(span);
    build->result.page_delta--;
    build->result.leaf_delta -= span->root.level == 0;
    build->result.holes++;
    ssn_log(ssn_pages_report(build->pages), SELSNAP_LOG_WARNING,
            "tree page at place %" PRIu64 ", level %" PRIu32 ": damaged, and set aside with what it names",
            span->root.place, span->root.level);
    return put_hole(build, &lost.low, &lost.last);
}

/* Whether the caller has found out that a page on this way, or this one itself, cannot be used. */
static bool is_lost(const struct build *build, const struct ssn_span *span, bool itself) {
    for (size_t i = 0; i < build->source->lost_count; i++) {
        const struct ssn_lost *lost = &build->source->lost[i];
        bool within = ssn_key_compare(&span->low, &lost->low) <= 0 &&
                      (!span->bounded || ssn_key_compare(&lost->low, &span->high) < 0);
        if (itself ? lost->page.place == span->root.place : within) {
            return true;
        }
    }
    return false;
}

static int open_or_set_aside(struct build *build, const struct ssn_span *span) {
    if (is_lost(build, span, true)) {
        return set_aside(build, span);
    }
    int rc = open_page(build, span);
    rc = rc == SELSNAP_EDAMAGED ? open_page(build, span) : rc;
    return rc == SELSNAP_EDAMAGED ? set_aside(build, span) : rc;
}

/* The open leaf's items, and the changes within its range. */
static int merge_leaf(struct build *build) {
    struct level *leaf = build->levels[0];
    unsigned count = ssn_page_count(leaf->page);
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK) {
        int order = -1; /* of the old item against the change */
        bool within = change_within(build, &leaf->span);
        if (leaf->next == count) {
            if (!within) {
                break;
            }
            order = 1;
        } else if (within) {
            struct ssn_key key;
            ssn_page_key(leaf->page, leaf->next, &key);
            order = ssn_key_compare(&key, &build->change.key);
        }
        struct ssn_key low;
        struct ssn_key last;
        if (order <= 0 && ssn_page_hole(leaf->page, leaf->next, &last)) {
            ssn_page_key(leaf->page, leaf->next++, &low);
            rc = put_hole(build, &low, &last);
        } else if (order < 0) {
            size_t size;
            const uint8_t *item = ssn_page_item(leaf->page, leaf->next++, &size);
            rc = append(build, 0, item, size, false);
        } else {
            leaf->next += order == 0;
            rc = apply_change(build, order != 0);
        }
    }
    return rc;
}

/* Opens the next child of the page that is open, or takes it over as it is. */
static int next_child(struct build *build) {
    struct level *level = build->levels[build->at];
    struct ssn_span child = ssn_span_child(&level->span, level->page, level->next);
    size_t size;
    const uint8_t *pointer = ssn_page_item(level->page, level->next, &size);
    level->next++;
    bool open = change_within(build, &child) || is_lost(build, &child, false);
    if (!open) {
        int rc = settle(build, child.root.level, &open);
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    return open ? open_or_set_aside(build, &child) : append(build, build->at, pointer, size, false);
}

static int stream(struct build *build, const struct ssn_root *old_root) {
    struct ssn_span span = ssn_span_of_root(old_root);
    int rc = open_page(build, &span);
    while (rc == SELSNAP_OK && build->at <= old_root->level) {
        struct level *level = build->levels[build->at];
        if (build->at == 0) {
            rc = merge_leaf(build);
            build->at++;
        } else if (level->next == ssn_page_count(level->page)) {
            build->at++;
        } else {
            rc = next_child(build);
        }
    }
    return rc;
}

/* ---- the end ---- */

/* Emits what pends, level by level upwards, until one pointer is all: the root. */
static int finish(struct build *build, struct ssn_root *ret_root) {
    uint32_t top = LEVELS;
    while (top > 0 && !pends(build, top - 1)) {
        top--;
    }
    struct ssn_root root = {0, 0, 0};
    for (uint32_t number = 0; number < top; number++) {
        struct level *level = build->levels[number];
        if (number > 0 && number + 1 == top && level->count == 1) {
            root.place = ssn_get64(level->data + SSN_KEY_SIZE);
            root.checksum = ssn_get64(level->data + SSN_KEY_SIZE + 8);
            root.level = number - 1;
            break;
        }
        while (pends(build, number)) {
            int rc = emit_cut(build, number);
            if (rc != SELSNAP_OK) {
                return rc;
            }
        }
        if (number + 1 == top) {
            top++;
        }
    }
    *ret_root = root;
    return SELSNAP_OK;
}

/* An old page that has become the root, with one child, is not needed. */
static int lower_root(struct build *build, struct ssn_root *root) {
    while (root->level > 0) {
        struct ssn_span span = ssn_span_of_root(root);
        struct ssn_pin pin;
        int rc = ssn_pages_pin(build->pages, &span, &pin);
        if (rc == SELSNAP_EDAMAGED) {
            return SELSNAP_OK; /* as it was found: it stays where it is */
        }
        if (rc != SELSNAP_OK) {
            return rc;
        }
        unsigned count = ssn_page_count(pin.page);
        struct ssn_span child = ssn_span_child(&span, pin.page, 0);
        ssn_pages_unpin(build->pages, &pin);
        if (count > 1) {
            break;
        }
        rc = give(build, root->place, root->level);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        *root = child.root;
    }
    return SELSNAP_OK;
}

static int run(struct build *build, const struct ssn_root *old_root) {
    int rc = next_change(build);
    if (rc != SELSNAP_OK || (!build->has_change && build->source->lost_count == 0)) {
        build->result.root = *old_root;
        return rc;
    }
    if (old_root->place != 0) {
        rc = stream(build, old_root);
    }
    while (rc == SELSNAP_OK && build->has_change) {
        assert(old_root->place == 0);
        rc = apply_change(build, true);
    }
    if (rc == SELSNAP_OK) {
        rc = finish(build, &build->result.root);
    }
    if (rc == SELSNAP_OK) {
        rc = write_out(build);
    }
    if (rc == SELSNAP_OK) {
        rc = lower_root(build, &build->result.root);
    }
    for (; rc == SELSNAP_OK && build->run_pages > 0; build->run_pages--) {
        rc = build->source->give(build->source->user, build->run_place++);
    }
    return rc;
}

int ssn_tree_build(struct ssn_pages *pages, const struct ssn_root *old_root, uint64_t sequence,
                   const struct ssn_build_source *source, struct ssn_build_result *ret_result) {
    struct ssn_mem *mem = ssn_pages_mem(pages);
    struct build *build = ssn_calloc(mem, 1, sizeof *build);
    if (build == NULL) {
        return SELSNAP_ENOMEM;
    }
    build->pages = pages;
    build->source = source;
    build->sequence = sequence;
    build->take_pages = FIRST_TAKE;
    build->buffer = ssn_alloc(mem, (size_t)WRITE_PAGES * SSN_PAGE_SIZE);
    int rc = build->buffer != NULL ? run(build, old_root) : SELSNAP_ENOMEM;
    if (rc == SELSNAP_OK) {
        *ret_result = build->result;
    }
    for (uint32_t i = 0; i < LEVELS; i++) {
        ssn_free(mem, build->levels[i]);
    }
    ssn_free(mem, build->buffer);
    ssn_free(mem, build);
    return rc;
}
