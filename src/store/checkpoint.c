/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: what the journal holds is folded into the next tree, beside writers.
 *
 *   swap      active becomes frozen, and remembers how far into the journal it reaches
 *   fold      changes of space items are worked out, the tree is built, the ledger written, all flushed
 *   commit    the other superblock, flushed
 *   switch    root and generations change, the ring's part becomes free, freed space begins to wait for its readers
 *
 * A store that grows does so in a checkpoint (grow.c): the new pages come into the space items, and the size into the
 * superblock. Until the switch nobody has them, the checkpoint included.
 *
 * A checkpoint that fails before `commit` gives its pages back; frozen stays, and the next one folds it. If it fails in
 * `commit`, its superblock may be on the device all the same: then it stays `unsure`, keeps its pages, and the next one
 * begins by writing that superblock again. One thread at a time, which holds upkeep_busy; no lock is held during I/O.
 * Relies on [F-4], [F-9], [F-12].
 */
#include "store_inner.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

struct ssn_fold {
    struct ssn_store *store;
    struct ssn_superblock super; /* as it will be written */
    struct ssn_journal_at end;
    uint64_t ring_used; /* pages of the ring that become free */
    uint64_t failures;  /* flushes that had failed when it began */

    struct ssn_runs frozen_given; /* sets */
    struct ssn_runs folded;       /* leaves the space items: the last ledger's taken, frozen's taken */
    struct ssn_runs freed;        /* comes into them */
    struct ssn_space_fold space;
    size_t space_next;
    uint8_t space_value[8];
    bool map_begun, map_ended;
    struct ssn_key map_key;

    struct ssn_runs taken; /* by this checkpoint: its ledger */
    struct ssn_runs given;
    struct ssn_runs unused;
    struct ssn_run last; /* taken last */
    struct ssn_build_result built;
};

void ssn_upkeep_begin(struct ssn_store *store) {
    pthread_mutex_lock(&store->upkeep_lock);
    while (store->upkeep_busy) {
        pthread_cond_wait(&store->upkeep_changed, &store->upkeep_lock);
    }
    store->upkeep_busy = true;
    pthread_mutex_unlock(&store->upkeep_lock);
}

void ssn_upkeep_end(struct ssn_store *store, bool checkpoint, int result) {
    pthread_mutex_lock(&store->upkeep_lock);
    store->upkeep_busy = false;
    if (checkpoint) {
        store->upkeep_runs++;
        store->upkeep_result = result;
    }
    pthread_cond_broadcast(&store->upkeep_changed);
    pthread_mutex_unlock(&store->upkeep_lock);
}

int ssn_checkpoint_shared(struct ssn_store *store, bool always) {
    pthread_mutex_lock(&store->upkeep_lock);
    uint64_t runs = store->upkeep_runs;
    while (store->upkeep_busy) {
        pthread_cond_wait(&store->upkeep_changed, &store->upkeep_lock);
        if (store->upkeep_runs != runs) {
            int rc = store->upkeep_result;
            pthread_mutex_unlock(&store->upkeep_lock);
            return rc;
        }
    }
    store->upkeep_busy = true;
    pthread_mutex_unlock(&store->upkeep_lock);
    int rc = store->journal.ready ? ssn_checkpoint_run(store, 0, 0, always) : SELSNAP_EREADONLY;
    ssn_upkeep_end(store, true, rc);
    return rc;
}

int ssn_store_checkpoint(struct ssn_store *store) {
    return ssn_checkpoint_shared(store, false);
}

/* ---- swap ---- */

/* SELSNAP_ENOENT: nothing to fold. */
static int swap(struct ssn_store *store, bool always) {
    struct ssn_generation fresh;
    int rc = ssn_generation_init(&fresh, store->mem);
    if (rc != SELSNAP_OK) {
        ssn_generation_fini(&fresh, store->mem);
        return rc;
    }
    pthread_mutex_lock(&store->journal.lock);
    pthread_rwlock_wrlock(&store->index_lock);
    struct ssn_generation *active = &store->active;
    assert(store->frozen.map == NULL);
    size_t takes = active->taken.reserved;
    size_t gives = active->given.reserved;
    if (!always && store->journal.used == 0 && ssn_generation_empty(active)) {
        rc = SELSNAP_ENOENT;
    } else if (!ssn_runs_reserve(&fresh.taken, takes) || !ssn_runs_reserve(&fresh.given, gives)) {
        rc = SELSNAP_ENOMEM;
    } else {
        ssn_runs_unreserve(&active->taken, takes);
        ssn_runs_unreserve(&active->given, gives);
        store->frozen = *active;
        *active = fresh;
        memset(&fresh, 0, sizeof fresh);
        store->frozen_end = store->journal.head;
        store->frozen_used = store->journal.used;
        atomic_fetch_add(&store->version, 1); /* a walk between two looks must not see a half of each */
    }
    pthread_rwlock_unlock(&store->index_lock);
    pthread_mutex_unlock(&store->journal.lock);
    ssn_generation_fini(&fresh, store->mem);
    return rc;
}

/* ---- fold ---- */

static bool copy_set(struct ssn_runs *to, const struct ssn_runs *list) {
    bool ok = ssn_space_copy_runs(to, list);
    ssn_runs_sort(to);
    return ok;
}

static bool add_set(struct ssn_runs *to, const struct ssn_runs *set) {
    bool ok = ssn_runs_reserve(to, set->count);
    if (ok) {
        ssn_runs_add_set(to, set);
    }
    return ok;
}

static bool remove_set(struct ssn_runs *from, const struct ssn_runs *set) {
    bool ok = ssn_runs_reserve(from, set->count);
    if (ok) {
        ssn_runs_remove_set(from, set);
    }
    return ok;
}

/* What the store grows by. */
static bool add_grown(const struct ssn_fold *fold, struct ssn_runs *freed) {
    uint64_t old_pages = fold->store->super.store_pages;
    uint64_t more = fold->super.store_pages - old_pages;
    return more == 0 || ssn_runs_add(freed, old_pages, more);
}

/*
 * free = ((old free + last ledger's given) - (last ledger's taken + frozen's taken)) + frozen's given: as the pages
 * that become free and those that no longer are.
 */
static int fold_space(struct ssn_fold *fold) {
    struct ssn_store *store = fold->store;
    struct ssn_space *space = &store->space;
    struct ssn_runs freed;
    struct ssn_runs used;
    ssn_runs_init(&freed, store->mem);
    ssn_runs_init(&used, store->mem);
    /* ledger_taken and ledger_given change only at a switch: they may be read here without the lock. */
    bool ok = copy_set(&fold->folded, &store->frozen.taken) && add_set(&fold->folded, &space->ledger_taken) &&
              copy_set(&fold->frozen_given, &store->frozen.given) &&
              ssn_space_copy_runs(&freed, &space->ledger_given) && remove_set(&freed, &fold->folded) &&
              add_set(&freed, &fold->frozen_given) && add_grown(fold, &freed) &&
              ssn_space_copy_runs(&used, &fold->folded) && remove_set(&used, &fold->frozen_given);
    int rc = ok ? ssn_space_fold(space, &store->root, &freed, &used, &fold->space) : SELSNAP_ENOMEM;
    ssn_runs_fini(&freed);
    ssn_runs_fini(&used);
    return rc;
}

/* Changes for the build: items of space come first in the order of keys, then what frozen holds. */
static int next_change(void *user, struct ssn_change *ret_change) {
    struct ssn_fold *fold = user;
    if (fold->space_next < fold->space.count) {
        const struct ssn_space_change *change = &fold->space.changes[fold->space_next++];
        ret_change->key = ssn_key_make(SSN_ITEM_SPACE, change->place, 0);
        ssn_put64(fold->space_value, change->pages);
        ret_change->value = change->pages > 0 ? fold->space_value : NULL;
        ret_change->len = change->pages > 0 ? 8 : 0;
        return SELSNAP_OK;
    }
    struct ssn_found found;
    if (fold->map_ended || !ssn_generation_seek(&fold->store->frozen, &fold->map_key, true, &found)) {
        return SELSNAP_ENOENT;
    }
    ret_change->key = found.key;
    ret_change->value = found.tombstone ? NULL : found.value;
    ret_change->len = found.len;
    fold->map_key = found.key;
    fold->map_ended = !ssn_key_after(&fold->map_key);
    return SELSNAP_OK;
}

static int take_page(void *user, uint64_t wanted, uint64_t *ret_place, uint64_t *ret_pages) {
    struct ssn_fold *fold = user;
    struct ssn_run run;
    int rc = ssn_space_take_meta(&fold->store->space, wanted, false, &run);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (!ssn_runs_append(&fold->taken, run.place, run.pages)) {
        for (uint64_t i = 0; i < run.pages; i++) {
            ssn_space_untake_meta(&fold->store->space, run.place + i);
        }
        return SELSNAP_ENOMEM;
    }
    fold->last = run;
    *ret_place = run.place;
    *ret_pages = run.pages;
    return SELSNAP_OK;
}

static int give_page(void *user, uint64_t place) {
    struct ssn_fold *fold = user;
    bool unused = place - fold->last.place < fold->last.pages;
    return ssn_runs_append(unused ? &fold->unused : &fold->given, place, 1) ? SELSNAP_OK : SELSNAP_ENOMEM;
}

/* What the build took and did not use is as it was. */
static int return_unused(struct ssn_fold *fold) {
    ssn_runs_sort(&fold->taken);
    ssn_runs_sort(&fold->unused);
    if (!remove_set(&fold->taken, &fold->unused)) {
        return SELSNAP_ENOMEM;
    }
    for (size_t i = 0; i < fold->unused.count; i++) {
        for (uint64_t p = 0; p < fold->unused.run[i].pages; p++) {
            ssn_space_untake_meta(&fold->store->space, fold->unused.run[i].place + p);
        }
    }
    return SELSNAP_OK;
}

/* The ledger tells what this checkpoint took, its own pages among it, and gave, the last ledger's pages among it. */
static int write_ledger(struct ssn_fold *fold) {
    struct ssn_store *store = fold->store;
    if (store->super.ledger_place != 0 &&
        !ssn_runs_append(&fold->given, store->super.ledger_place, store->super.ledger_pages)) {
        return SELSNAP_ENOMEM;
    }
    ssn_runs_sort(&fold->given);
    uint32_t pages = ssn_ledger_pages((uint64_t)fold->taken.count + fold->given.count + 1);
    struct ssn_run run;
    int rc = pages > 0 ? ssn_space_take_meta(&store->space, pages, true, &run) : SELSNAP_ELIMIT;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (!ssn_runs_add(&fold->taken, run.place, run.pages)) {
        for (uint64_t i = 0; i < run.pages; i++) {
            ssn_space_untake_meta(&store->space, run.place + i);
        }
        return SELSNAP_ENOMEM;
    }
    uint8_t *bytes = ssn_alloc(store->mem, (size_t)run.pages * SSN_PAGE_SIZE);
    if (bytes == NULL) {
        return SELSNAP_ENOMEM;
    }
    struct ssn_ledger_head head = {.place = run.place,
                                   .sequence = store->super.sequence + 1,
                                   .store_id = store->super.store_id,
                                   .taken_count = (uint32_t)fold->taken.count,
                                   .given_count = (uint32_t)fold->given.count};
    fold->super.ledger_checksum = ssn_ledger_encode(bytes, pages, &head, fold->taken.run, fold->given.run);
    fold->super.ledger_place = run.place;
    fold->super.ledger_pages = pages;
    rc = ssn_store_dev_write(store, "a ledger", bytes, (size_t)pages * SSN_PAGE_SIZE, run.place);
    ssn_free(store->mem, bytes);
    atomic_fetch_add(&store->pages_written, pages);
    return rc;
}

/* A count from the last superblock, and how it changed; a damaged store must not make it nonsense. */
static uint64_t sum(uint64_t count, int64_t delta, uint64_t most) {
    if (delta < 0) {
        uint64_t less = (uint64_t)-delta;
        return count > less ? count - less : 0;
    }
    return ssn_min_u64(count + (uint64_t)delta, most);
}

static int build(struct ssn_fold *fold) {
    struct ssn_store *store = fold->store;
    struct ssn_superblock *super = &fold->super;
    struct ssn_build_source source = {next_change, take_page,        give_page,
                                      fold,        fold->space.lost, fold->space.lost_count};
    int rc = ssn_tree_build(store->pages, &store->root, store->super.sequence + 1, &source, &fold->built);
    rc = rc != SELSNAP_OK ? rc : return_unused(fold);
    rc = rc != SELSNAP_OK ? rc : write_ledger(fold);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    atomic_fetch_add(&store->pages_written, fold->built.pages_written);
    uint64_t area_pages = super->store_pages - store->area;
    super->incompat |= fold->built.holes > 0 ? (uint32_t)SSN_INCOMPAT_HOLES : 0;
    super->root_place = fold->built.root.place;
    super->root_checksum = fold->built.root.checksum;
    super->root_level = fold->built.root.level;
    super->free_pages = sum(super->free_pages, fold->space.delta, area_pages);
    super->page_count = sum(super->page_count, fold->built.page_delta, area_pages);
    super->leaf_count = ssn_min_u64(sum(super->leaf_count, fold->built.leaf_delta, area_pages), super->page_count);
    super->journal_start = fold->end.page;
    super->journal_number = fold->end.number;
    super->journal_chain = fold->end.chain;
    rc = ssn_store_dev_flush(store, "a checkpoint");
    if (rc == SELSNAP_OK && atomic_load(&store->flush_failures) != fold->failures) {
        rc = ssn_fail(store->report, SELSNAP_ESTORE,
                      "another flush of the store failed during a checkpoint, which may have lost its pages; the one "
                      "before counts");
    }
    return rc;
}

void ssn_fold_free(struct ssn_fold *fold) {
    if (fold != NULL) {
        struct ssn_runs *all[] = {&fold->frozen_given, &fold->folded, &fold->freed,
                                  &fold->taken,        &fold->given,  &fold->unused};
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            ssn_runs_fini(all[i]);
        }
        ssn_space_fold_fini(&fold->store->space, &fold->space);
        ssn_free(fold->store->mem, fold);
    }
}

static struct ssn_fold *fold_new(struct ssn_store *store) {
    struct ssn_fold *fold = ssn_calloc(store->mem, 1, sizeof *fold);
    if (fold != NULL) {
        fold->store = store;
        struct ssn_runs *all[] = {&fold->frozen_given, &fold->folded, &fold->freed,
                                  &fold->taken,        &fold->given,  &fold->unused};
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            ssn_runs_init(all[i], store->mem);
        }
        fold->super = store->super;
        fold->super.store_pages = ssn_max_u64(store->super.store_pages, store->grow_to);
        fold->end = store->frozen_end; /* set at the swap, by this thread */
        fold->ring_used = store->frozen_used;
        fold->failures = atomic_load(&store->flush_failures);
    }
    return fold;
}

/* Everything before the superblock. On failure what was taken is given back. */
static int prepare(struct ssn_fold *fold) {
    struct ssn_store *store = fold->store;
    ssn_space_begin_meta(&store->space);
    int rc = fold_space(fold);
    rc = rc != SELSNAP_OK ? rc : build(fold);
    if (rc == SELSNAP_OK) {
        /* What comes into the space items and is not taken already: it waits for its readers. */
        bool ok = ssn_space_copy_runs(&fold->freed, &store->space.spare) &&
                  add_set(&fold->freed, &fold->frozen_given) &&
                  ssn_space_prepare_switch(&store->space, &fold->folded, &fold->freed, &fold->given);
        rc = ok ? SELSNAP_OK : SELSNAP_ENOMEM;
    }
    if (rc != SELSNAP_OK) {
        ssn_runs_sort(&fold->taken);
        ssn_space_undo_meta(&store->space, &fold->taken);
    }
    return rc;
}

/* ---- commit and switch ---- */

/* Before anything can name what is new. */
static void switch_size(struct ssn_store *store) {
    uint64_t pages = store->super.store_pages;
    if (pages != atomic_load(&store->store_pages)) {
        ssn_pages_grow(store->pages, pages);
        ssn_space_grow(&store->space, pages);
        atomic_store(&store->store_pages, pages);
        atomic_store(&store->fixed_reserve, ssn_store_reserve(pages));
    }
}

static void switch_over(struct ssn_fold *fold) {
    struct ssn_store *store = fold->store;
    struct ssn_generation old;
    switch_size(store);
    pthread_mutex_lock(&store->journal.lock);
    pthread_rwlock_wrlock(&store->index_lock);
    store->root = fold->built.root;
    old = store->frozen;
    memset(&store->frozen, 0, sizeof store->frozen);
    pthread_rwlock_unlock(&store->index_lock);
    store->journal.start = fold->end.page;
    store->journal.used -= fold->ring_used;
    store->journal.super_sequence = store->super.sequence;
    atomic_store(&store->leaf_count, store->super.leaf_count);
    atomic_store(&store->page_count, store->super.page_count);
    atomic_store(&store->root_level, store->super.root_level);
    pthread_cond_broadcast(&store->journal.changed);
    pthread_mutex_unlock(&store->journal.lock);
    ssn_generation_fini(&old, store->mem);
    ssn_space_switch(&store->space, &fold->built.root, store->super.free_pages, &fold->folded, &fold->freed,
                     &fold->taken, &fold->given);
    atomic_fetch_add(&store->checkpoints, 1);
}

/* Writes the superblock; until that has succeeded the fold stays. */
static int finish(struct ssn_store *store) {
    struct ssn_fold *fold = store->unsure;
    int rc = ssn_super_write(store, &fold->super);
    ssn_store_set_failed(store, rc != SELSNAP_OK);
    if (rc == SELSNAP_OK) {
        switch_over(fold);
        store->unsure = NULL;
        ssn_fold_free(fold);
    }
    return rc;
}

/* Folds frozen. */
static int fold_frozen(struct ssn_store *store, uint32_t flags, uint64_t change_mark) {
    struct ssn_fold *fold = fold_new(store);
    if (fold == NULL) {
        return SELSNAP_ENOMEM;
    }
    fold->super.flags |= flags;
    fold->super.change_mark = change_mark;
    int rc = prepare(fold);
    if (rc != SELSNAP_OK) {
        ssn_fold_free(fold);
        return rc == SELSNAP_ENOSPACE ? ssn_fail(store->report, rc, "the store has no room for a checkpoint") : rc;
    }
    store->unsure = fold;
    return finish(store);
}

int ssn_checkpoint_run(struct ssn_store *store, uint32_t flags, uint64_t change_mark, bool always) {
    int rc = SELSNAP_OK;
    if (store->unsure != NULL) {
        rc = finish(store);
    }
    if (rc == SELSNAP_OK && store->frozen.map != NULL) {
        rc = fold_frozen(store, 0, 0);
    }
    rc = rc != SELSNAP_OK ? rc : swap(store, always);
    if (rc != SELSNAP_OK) {
        return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
    }
    return fold_frozen(store, flags, change_mark);
}
