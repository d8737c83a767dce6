/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The copy-on-write tree on disk (docs/format.md, section 4): looking up through a page cache, and building the next
 * tree from the present one and a sorted series of changes. A tree is named by its root; a page once written is never
 * changed, so lookups take no lock beyond the cache's own. Every page read is verified against its pointer [F-11].
 */
#ifndef SSN_TREE_H
#define SSN_TREE_H

#include "blockdev.h"
#include "key.h"
#include "mem.h"
#include "report.h"

/* A pointer to a page. place 0: no page, an empty tree. */
struct ssn_root {
    uint64_t place;
    uint64_t checksum;
    uint32_t level;
};

/* Keys of which nothing is known, because of damage: all from low to last. */
struct ssn_lost {
    struct ssn_key low;
    struct ssn_key last;
    struct ssn_root page; /* that cannot be used; place 0: it was set aside before [F-16] */
};

struct ssn_pages; /* the page cache: fixed slots, found by (place, checksum), CLOCK eviction, any thread */

/*
 * store_pages bounds every place read from disk. cache_bytes: memory for slots; at least 64 pages are taken.
 * SELSNAP_ENOMEM: no memory.
 */
int ssn_pages_open(struct ssn_mem *mem, struct ssn_report *report, selsnap_device *device, const uint8_t *store_id,
                   uint64_t first_place, uint64_t store_pages, uint64_t cache_bytes, struct ssn_pages **ret_pages);
void ssn_pages_close(struct ssn_pages *pages);
/* The store has become longer. Before a root is used that names what is new. */
void ssn_pages_grow(struct ssn_pages *pages, uint64_t store_pages);
/* From now on a page that cannot be read is tried once more, and then is a damaged one. */
void ssn_pages_salvage(struct ssn_pages *pages);
/* Pages read from the device so far. */
uint64_t ssn_pages_reads(const struct ssn_pages *pages);

/*
 * Lookups. SELSNAP_ENOENT: none; SELSNAP_EDAMAGED: a page failed its check (told to report, with an event); SELSNAP_ESTORE:
 * the device failed. ret_item is untouched unless SELSNAP_OK.
 */
int ssn_tree_get(struct ssn_pages *pages, const struct ssn_root *root, const struct ssn_key *key,
                 struct ssn_item *ret_item);
/* The first item whose key is >= key. */
int ssn_tree_seek(struct ssn_pages *pages, const struct ssn_root *root, const struct ssn_key *key,
                  struct ssn_item *ret_item);
/* The last item whose key is <= key. */
int ssn_tree_seek_last(struct ssn_pages *pages, const struct ssn_root *root, const struct ssn_key *key,
                       struct ssn_item *ret_item);
/*
 * Either of these two. On SELSNAP_EDAMAGED *ret_lost tells what is in the way: all that lies between the key and that
 * range was read, and has no item.
 */
int ssn_tree_look(struct ssn_pages *pages, const struct ssn_root *root, const struct ssn_key *key, bool backward,
                  struct ssn_item *ret_item, struct ssn_lost *ret_lost);
/* Tells a hole that ssn_tree_look() met, which does not do so itself. Returns SELSNAP_EDAMAGED. */
int ssn_tree_tell_lost(struct ssn_pages *pages, const struct ssn_lost *lost);

/*
 * A walk over every page, for checking: visit is told each page's place, level and items (as the page itself), parents
 * before children, in key order. A page that cannot be used is told with page NULL and the walk goes on beside it.
 * The cache is passed by. Not recursive beyond SSN_LEVEL_MAX.
 */
typedef int (*ssn_tree_visit_fn)(void *user, uint64_t place, uint32_t level, const uint8_t *page);
int ssn_tree_walk(struct ssn_pages *pages, const struct ssn_root *root, ssn_tree_visit_fn visit, void *user);

/* One change for a build: value NULL deletes the key (which may be absent). */
struct ssn_change {
    struct ssn_key key;
    uint16_t len;
    const uint8_t *value; /* valid until the next call of next */
};

/* What a build asks of its caller. */
struct ssn_build_source {
    /* Gives changes in strictly rising order; SELSNAP_ENOENT: no more. */
    int (*next)(void *user, struct ssn_change *ret_change);
    /* Gives a run of free pages, 1 <= *ret_pages <= wanted. SELSNAP_ENOSPACE: none. */
    int (*take)(void *user, uint64_t wanted, uint64_t *ret_place, uint64_t *ret_pages);
    /* A page of the old tree is not in the new one. */
    int (*give)(void *user, uint64_t place);
    void *user;
    /* Pages of the old tree that could not be used: set aside even without a change, and though they could be by now. */
    const struct ssn_lost *lost;
    size_t lost_count;
};

struct ssn_build_result {
    struct ssn_root root;
    int64_t leaf_delta;     /* leaves more or fewer than in the old tree */
    int64_t page_delta;     /* pages more or fewer */
    uint64_t pages_written;
    uint64_t holes; /* pages set aside */
};

/*
 * Writes the pages of the tree that has the changes applied: only pages on the way to a change are written anew, each old
 * page replaced is given. `sequence` goes into the pages. Pages are written in runs (up to 256 KiB a write) without a flush.
 * A page left under a third full is joined with the next of its level; only the last one of a level may stay so. Pages
 * taken but not used (of the last run, at most half of it for a large build) are returned to give, and not counted in the
 * result. On failure the old tree is untouched; what was taken is the caller's to undo. SELSNAP_ELIMIT: more than
 * SSN_LEVEL_MAX + 1 levels. SELSNAP_EDAMAGED: the root cannot be used; other pages that cannot are set aside [F-16]. Memory: 256 KiB, and a few pages a level. One build at a time may run on a tree; lookups in
 * the old tree go on beside it.
 */
int ssn_tree_build(struct ssn_pages *pages, const struct ssn_root *old_root, uint64_t sequence,
                   const struct ssn_build_source *source, struct ssn_build_result *ret_result);

#endif
