/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The next tree's space items from the present ones: only items that change are touched. Runs to free and runs to use
 * are walked in order of place; `open` is the run being shaped, everything before `done` is settled.
 */
#include "space.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct fold {
    const struct ssn_space *space;
    const struct ssn_root *root;
    struct ssn_space_fold *out;
    struct ssn_run open; /* pages 0: none */
    struct ssn_run old;  /* the item that open began as; pages 0: it began as none */
    uint64_t done;       /* items that begin below this are dealt with */
};

/* Notes a page that cannot be used. */
static int note_lost(const struct ssn_space *space, struct ssn_space_fold *out, const struct ssn_lost *lost) {
    for (size_t i = 0; i < out->lost_count; i++) {
        if (out->lost[i].page.place == lost->page.place) {
            return SELSNAP_OK;
        }
    }
    void *all = out->lost;
    if (!ssn_grow(space->mem, &all, &out->lost_capacity, out->lost_count, sizeof *out->lost)) {
        return SELSNAP_ENOMEM;
    }
    out->lost = all;
    out->lost[out->lost_count++] = *lost;
    return SELSNAP_OK;
}

/* The nearest item beside what damage keeps from view; `out`, unless NULL, is told of pages that cannot be used. */
static int seek_item(const struct ssn_space *space, const struct ssn_root *root, uint64_t place, bool last,
                     struct ssn_space_fold *out, struct ssn_item *ret_item) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_SPACE, place, last ? UINT64_MAX : 0);
    for (;;) {
        struct ssn_lost lost;
        int rc = ssn_tree_look(space->tree, root, &key, last, ret_item, &lost);
        if (rc != SELSNAP_EDAMAGED || lost.page.place == root->place) {
            return rc;
        }
        rc = out != NULL && lost.page.place != 0 ? note_lost(space, out, &lost) : SELSNAP_OK;
        if (rc != SELSNAP_OK) {
            return rc;
        }
        key = last ? lost.low : lost.last;
        if (!(last ? ssn_key_before(&key) : ssn_key_after(&key)) || key.type != SSN_ITEM_SPACE) {
            return SELSNAP_ENOENT;
        }
    }
}

static int item_of(const struct ssn_space *space, const struct ssn_root *root, uint64_t place, bool last,
                   struct ssn_space_fold *out, struct ssn_run *ret_run) {
    struct ssn_item item;
    int rc = seek_item(space, root, place, last, out, &item);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (item.key.type != SSN_ITEM_SPACE) {
        return SELSNAP_ENOENT;
    }
    uint64_t pages = item.len == 8 ? ssn_get64(item.value) : 0;
    if (item.key.minor != 0 || pages == 0 || item.key.major < space->area ||
        !ssn_range_inside(item.key.major, pages, space->store_pages)) {
        return ssn_fail(space->report, SELSNAP_EDAMAGED, "the space item at page %" PRIu64 " makes no sense",
                        item.key.major);
    }
    ret_run->place = item.key.major;
    ret_run->pages = pages;
    return SELSNAP_OK;
}

int ssn_space_item(const struct ssn_space *space, const struct ssn_root *root, uint64_t place, bool last,
                   struct ssn_run *ret_run) {
    return item_of(space, root, place, last, NULL, ret_run);
}

static int note(struct fold *fold, uint64_t place, uint64_t pages) {
    struct ssn_space_fold *out = fold->out;
    void *changes = out->changes;
    if (!ssn_grow(fold->space->mem, &changes, &out->capacity, out->count, sizeof *out->changes)) {
        return SELSNAP_ENOMEM;
    }
    out->changes = changes;
    out->changes[out->count].place = place;
    out->changes[out->count++].pages = pages;
    return SELSNAP_OK;
}

/* The open run is final. */
static int settle(struct fold *fold) {
    int rc = SELSNAP_OK;
    struct ssn_run run = fold->open;
    bool same = run.place == fold->old.place && run.pages == fold->old.pages;
    if (run.pages > 0) {
        fold->out->delta += (int64_t)run.pages;
        fold->done = ssn_max_u64(fold->done, run.place + run.pages);
        if (!same) {
            rc = note(fold, run.place, run.pages);
        }
    }
    fold->open.pages = 0;
    fold->old.pages = 0;
    return rc;
}

/* An item joins what is being shaped, and will be gone unless a run begins with it. */
static int swallow(struct fold *fold, const struct ssn_run *item) {
    fold->out->delta -= (int64_t)item->pages;
    fold->done = item->place + item->pages;
    return note(fold, item->place, 0);
}

/* The open run is the one that holds or touches `place` from below, if there is one. */
static int open_at(struct fold *fold, uint64_t place) {
    if (fold->open.pages > 0) {
        if (fold->open.place + fold->open.pages >= place) {
            return SELSNAP_OK;
        }
        int rc = settle(fold);
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    struct ssn_run item;
    int rc = item_of(fold->space, fold->root, place, true, fold->out, &item);
    if (rc == SELSNAP_ENOENT || (rc == SELSNAP_OK && (item.place < fold->done || item.place + item.pages < place))) {
        return SELSNAP_OK;
    }
    if (rc == SELSNAP_OK) {
        fold->open = item;
        fold->old = item;
        fold->out->delta -= (int64_t)item.pages;
        fold->done = item.place + item.pages;
    }
    return rc;
}

/* Takes in the items that begin in [done, limit]; ret_end: where the last of them ends. */
static int swallow_until(struct fold *fold, uint64_t limit, bool growing, uint64_t *ret_end) {
    for (;;) {
        struct ssn_run item;
        int rc = item_of(fold->space, fold->root, fold->done, false, fold->out, &item);
        if (rc != SELSNAP_OK) {
            return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
        }
        if (item.place > limit) {
            return SELSNAP_OK;
        }
        rc = swallow(fold, &item);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        *ret_end = ssn_max_u64(*ret_end, item.place + item.pages);
        limit = growing ? ssn_max_u64(limit, *ret_end) : limit;
    }
}

static int free_run(struct fold *fold, const struct ssn_run *run) {
    int rc = open_at(fold, run->place);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    uint64_t end = run->place + run->pages;
    if (fold->open.pages == 0) {
        fold->open = *run;
    } else {
        end = ssn_max_u64(end, fold->open.place + fold->open.pages);
    }
    fold->done = ssn_max_u64(fold->done, fold->open.place);
    rc = swallow_until(fold, end, true, &end);
    fold->open.pages = end - fold->open.place;
    return rc;
}

static int use_run(struct fold *fold, const struct ssn_run *run) {
    int rc = open_at(fold, run->place);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    uint64_t end = run->place + run->pages;
    uint64_t old_end = fold->open.pages > 0 ? fold->open.place + fold->open.pages : run->place;
    if (fold->open.pages > 0) {
        if (fold->open.place < run->place) {
            fold->open.pages = run->place - fold->open.place;
        } else {
            if (fold->old.pages > 0 && fold->old.place == fold->open.place) {
                rc = note(fold, fold->open.place, 0);
            }
            fold->open.pages = 0;
        }
        uint64_t done = fold->done;
        rc = rc != SELSNAP_OK ? rc : settle(fold);
        fold->done = ssn_max_u64(fold->done, done);
    }
    fold->done = ssn_max_u64(fold->done, run->place);
    rc = rc != SELSNAP_OK ? rc : swallow_until(fold, end - 1, false, &old_end);
    if (rc == SELSNAP_OK && old_end > end) {
        fold->open.place = end;
        fold->open.pages = old_end - end;
    }
    return rc;
}

static int compare(const void *a, const void *b) {
    const struct ssn_space_change *x = a;
    const struct ssn_space_change *y = b;
    if (x->place != y->place) {
        return x->place < y->place ? -1 : 1;
    }
    return x->pages > y->pages ? -1 : x->pages < y->pages; /* what is there comes before what is gone */
}

static void order(struct ssn_space_fold *out) {
    if (out->count > 1) {
        qsort(out->changes, out->count, sizeof *out->changes, compare);
    }
    size_t kept = 0;
    for (size_t i = 0; i < out->count; i++) {
        if (kept == 0 || out->changes[kept - 1].place != out->changes[i].place) {
            out->changes[kept++] = out->changes[i];
        }
    }
    out->count = kept;
}

/* What damage took away from the sum of the items: it is counted again. */
static int recount(struct fold *fold) {
    uint64_t pages = 0;
    uint64_t place = 0;
    struct ssn_run item;
    int rc;
    while ((rc = item_of(fold->space, fold->root, place, false, fold->out, &item)) == SELSNAP_OK) {
        pages += item.pages;
        place = item.place + item.pages;
    }
    fold->out->delta += (int64_t)pages - (int64_t)fold->space->free_pages;
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

void ssn_space_fold_fini(const struct ssn_space *space, struct ssn_space_fold *fold) {
    ssn_free(space->mem, fold->changes);
    ssn_free(space->mem, fold->lost);
    memset(fold, 0, sizeof *fold);
}

int ssn_space_fold(const struct ssn_space *space, const struct ssn_root *root, const struct ssn_runs *freed,
                   const struct ssn_runs *used, struct ssn_space_fold *ret_fold) {
    struct fold fold = {space, root, ret_fold, {0, 0}, {0, 0}, 0};
    memset(ret_fold, 0, sizeof *ret_fold);
    size_t f = 0;
    size_t u = 0;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && (f < freed->count || u < used->count)) {
        if (u == used->count || (f < freed->count && freed->run[f].place < used->run[u].place)) {
            rc = free_run(&fold, &freed->run[f++]);
        } else {
            rc = use_run(&fold, &used->run[u++]);
        }
    }
    rc = rc != SELSNAP_OK ? rc : settle(&fold);
    rc = rc == SELSNAP_OK && ret_fold->lost_count > 0 ? recount(&fold) : rc;
    if (rc != SELSNAP_OK) {
        ssn_space_fold_fini(space, ret_fold);
        return rc;
    }
    order(ret_fold);
    return SELSNAP_OK;
}
