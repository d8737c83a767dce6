/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of a whole store: superblocks, journal sectors, ledger, tree, and that every page of the area is exactly
 * one of free, given, or in use. Items are told in the order of their keys. A writable store is folded first, and then
 * looked at as it stood at that checkpoint: upkeep_busy is held, so the tree stays, and so does the data it names,
 * however much is committed meanwhile. Of a read-only store the replayed changes are laid over the tree. The leader's
 * role is held while the ring is read.
 */
#include "store_inner.h"

#include "page.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { COMPACT_RUNS = 65536, CHUNK_PAGES = 64 };

struct checker {
    struct ssn_store *store;
    struct ssn_store_check *check;
    struct ssn_runs all; /* every run that something accounts for; sorted now and then */
    size_t compact_at;
    bool out_of_memory;
    struct ssn_key last; /* key of the item before */
    bool any;
    struct ssn_runs space; /* the tree's space items, a list */
    uint64_t space_pages;
    uint64_t leaves;
    bool overlay;          /* the changes since the checkpoint count */
    struct ssn_key change; /* where the changes laid over the tree go on */
    bool changes_ended;
    bool stopped; /* the caller's function said so */
};

void ssn_store_check_problem(struct ssn_store_check *check, const char *format, ...) {
    char text[SSN_REPORT_TEXT];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    check->problems++;
    struct checker *checker = check->inner;
    if (check->problem != NULL && !checker->stopped) {
        checker->stopped = check->problem(check->problem_user, text) != 0;
    }
}

static void told_twice(void *user, uint64_t place, uint64_t pages) {
    struct checker *checker = user;
    ssn_store_check_problem(checker->check,
                            "pages %" PRIu64 " to %" PRIu64 " are used more than once, or used and free", place,
                            place + pages - 1);
}

static void account(struct checker *checker, uint64_t place, uint64_t pages) {
    if (checker->all.count >= checker->compact_at) {
        ssn_runs_sort_telling(&checker->all, told_twice, checker);
        checker->compact_at = checker->all.count + COMPACT_RUNS;
    }
    /* Runs that arrive in order are joined by the list: what is there twice must not be hidden by that. */
    if (!ssn_runs_append(&checker->all, place, pages)) {
        checker->out_of_memory = true;
    }
}

void ssn_store_check_use(struct ssn_store_check *check, uint64_t place, uint64_t pages) {
    struct checker *checker = check->inner;
    const struct ssn_store *store = checker->store;
    if (pages == 0 || place < store->area || !ssn_range_inside(place, pages, store->store_pages)) {
        ssn_store_check_problem(check, "pages %" PRIu64 " and %" PRIu64 " after it are used, but are not in the area",
                                place, pages);
        return;
    }
    account(checker, place, pages);
}

/* ---- superblocks, journal, ledger ---- */

static int check_supers(struct checker *checker) {
    struct ssn_store *store = checker->store;
    uint8_t page[SSN_PAGE_SIZE];
    struct ssn_superblock super;
    for (unsigned slot = 0; slot < 2; slot++) {
        uint64_t place = ssn_super_place(slot);
        int rc = ssn_store_dev_read(store, "a superblock", page, sizeof page, place);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        if (ssn_super_decode(page, place, &super) != SELSNAP_OK) {
            ssn_store_check_problem(checker->check, "superblock slot %u is damaged", slot);
        } else if (place == ssn_super_place(store->super.sequence) && super.sequence != store->super.sequence) {
            ssn_store_check_problem(checker->check, "superblock slot %u has sequence %" PRIu64 ", not %" PRIu64, slot,
                                    super.sequence, store->super.sequence);
        }
    }
    uint64_t epoch = ssn_store_next_epoch(store);
    uint64_t id = ssn_store_next_id(store);
    if (epoch > SSN_COUNTER_MAX || id > SSN_COUNTER_MAX) {
        ssn_store_check_problem(checker->check, "the next epoch is %" PRIu64 ", the next id %" PRIu64 ": beyond 2^62",
                                epoch, id);
    }
    return SELSNAP_OK;
}

static int check_ring(struct checker *checker, uint8_t *chunk) {
    struct ssn_store *store = checker->store;
    uint64_t pages = store->super.journal_pages;
    for (uint64_t page = 0; page < pages; page += CHUNK_PAGES) {
        uint64_t part = ssn_min_u64(CHUNK_PAGES, pages - page);
        int rc =
            ssn_store_dev_read(store, "the journal", chunk, (size_t)part * SSN_PAGE_SIZE, SSN_JOURNAL_PLACE + page);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        for (uint64_t i = 0; i < part * SSN_SECTORS_PER_PAGE; i++) {
            struct ssn_sector sector;
            uint64_t position = page * SSN_SECTORS_PER_PAGE + i;
            if (!ssn_sector_decode(chunk + i * SSN_SECTOR_SIZE, &sector)) {
                ssn_store_check_problem(checker->check, "journal sector %" PRIu64 " is damaged", position);
            } else if (sector.position != position) {
                ssn_store_check_problem(checker->check, "journal sector %" PRIu64 " belongs to place %" PRIu64,
                                        position, sector.position);
            }
        }
    }
    return SELSNAP_OK;
}

/* No batch is written while the ring is read. */
static int check_journal(struct checker *checker) {
    struct ssn_journal *journal = &checker->store->journal;
    uint8_t *chunk = ssn_alloc(checker->store->mem, (size_t)CHUNK_PAGES * SSN_PAGE_SIZE);
    if (chunk == NULL) {
        return SELSNAP_ENOMEM;
    }
    pthread_mutex_lock(&journal->lock);
    while (journal->leader) {
        pthread_cond_wait(&journal->changed, &journal->lock);
    }
    journal->leader = true;
    pthread_mutex_unlock(&journal->lock);
    int rc = check_ring(checker, chunk);
    pthread_mutex_lock(&journal->lock);
    journal->leader = false;
    pthread_cond_broadcast(&journal->changed);
    pthread_mutex_unlock(&journal->lock);
    ssn_free(checker->store->mem, chunk);
    return rc;
}

static int check_ledger(struct checker *checker) {
    struct ssn_store *store = checker->store;
    const struct ssn_superblock *super = &store->super;
    if (super->ledger_place == 0) {
        return SELSNAP_OK;
    }
    size_t len = (size_t)super->ledger_pages * SSN_PAGE_SIZE;
    uint8_t *bytes = ssn_alloc(store->mem, len);
    if (bytes == NULL) {
        return SELSNAP_ENOMEM;
    }
    struct ssn_ledger_head head = {
        .place = super->ledger_place, .sequence = super->sequence, .store_id = super->store_id};
    int rc = ssn_store_dev_read(store, "the ledger", bytes, len, super->ledger_place);
    if (rc == SELSNAP_OK &&
        !ssn_ledger_check(bytes, super->ledger_pages, super->ledger_checksum, store->area, store->store_pages, &head)) {
        ssn_store_check_problem(checker->check, "the ledger at page %" PRIu64 " is damaged", super->ledger_place);
    }
    ssn_free(store->mem, bytes);
    account(checker, super->ledger_place, super->ledger_pages);
    return rc;
}

/* ---- the tree, and the changes laid over it ---- */

static int tell_item(struct checker *checker, const struct ssn_key *key, const uint8_t *value, uint16_t len) {
    checker->check->items++;
    if (!ssn_item_type_known(key->type)) {
        ssn_store_check_problem(checker->check, "an item has the unknown type %u", (unsigned)key->type);
    }
    if (checker->check->item == NULL) {
        return SELSNAP_OK;
    }
    return checker->check->item(checker->check->item_user, checker->check, key, value, len);
}

/* Tells what the changes put before `key` (NULL: all that is left); ret_hidden: they change `key` itself. */
static int tell_changes(struct checker *checker, const struct ssn_key *key, bool *ret_hidden) {
    struct ssn_store *store = checker->store;
    struct ssn_item item;
    *ret_hidden = false;
    while (!checker->changes_ended) {
        struct ssn_found found;
        pthread_rwlock_rdlock(&store->index_lock);
        bool any = ssn_generation_seek(&store->active, &checker->change, true, &found);
        bool due = any && (key == NULL || ssn_key_compare(&found.key, key) <= 0);
        if (due) {
            item.key = found.key;
            item.len = found.len;
            if (found.len > 0) {
                memcpy(item.value, found.value, found.len);
            }
        }
        bool tombstone = due && found.tombstone;
        pthread_rwlock_unlock(&store->index_lock);
        if (!due) {
            return SELSNAP_OK;
        }
        *ret_hidden = key != NULL && ssn_key_compare(&item.key, key) == 0;
        checker->change = item.key;
        checker->changes_ended = !ssn_key_after(&checker->change);
        int rc = tombstone ? SELSNAP_OK : tell_item(checker, &item.key, item.value, item.len);
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    return SELSNAP_OK;
}

static void check_space_item(struct checker *checker, const struct ssn_key *key, const uint8_t *value, uint16_t len) {
    const struct ssn_store *store = checker->store;
    uint64_t pages = len == 8 ? ssn_get64(value) : 0;
    if (key->minor != 0 || pages == 0 || key->major < store->area ||
        !ssn_range_inside(key->major, pages, store->store_pages)) {
        ssn_store_check_problem(checker->check, "the space item at page %" PRIu64 " makes no sense", key->major);
        return;
    }
    const struct ssn_run *before = checker->space.count > 0 ? &checker->space.run[checker->space.count - 1] : NULL;
    if (before != NULL && before->place + before->pages >= key->major) {
        ssn_store_check_problem(checker->check, "the space item at page %" PRIu64 " touches the one before",
                                key->major);
    }
    checker->space_pages += pages;
    checker->out_of_memory |= !ssn_runs_append(&checker->space, key->major, pages);
}

static void tell_hole(struct checker *checker, const struct ssn_key *key, const struct ssn_key *last) {
    ssn_store_check_problem(checker->check,
                            "the items from type %u, key %" PRIu64 ", %" PRIu64 " to type %u, key %" PRIu64 ", %" PRIu64
                            " are lost: a damaged page was set aside",
                            (unsigned)key->type, key->major, key->minor, (unsigned)last->type, last->major,
                            last->minor);
}

static int check_leaf_item(struct checker *checker, const uint8_t *page, unsigned index) {
    struct ssn_key key;
    uint16_t len;
    bool hidden = false;
    ssn_page_key(page, index, &key);
    if (checker->any && ssn_key_compare(&checker->last, &key) >= 0) {
        ssn_store_check_problem(checker->check, "the keys of the tree do not rise at page %" PRIu64,
                                ssn_page_place(page));
    }
    checker->last = key;
    checker->any = true;
    if (ssn_page_hole(page, index, &checker->last)) {
        tell_hole(checker, &key, &checker->last);
        return SELSNAP_OK;
    }
    const uint8_t *value = ssn_page_value(page, index, &len);
    if (key.type == SSN_ITEM_SPACE) {
        checker->check->items++;
        check_space_item(checker, &key, value, len);
        return SELSNAP_OK;
    }
    int rc = tell_changes(checker, &key, &hidden);
    return rc != SELSNAP_OK || hidden ? rc : tell_item(checker, &key, value, len);
}

static int visit(void *user, uint64_t place, uint32_t level, const uint8_t *page) {
    struct checker *checker = user;
    checker->check->pages++;
    account(checker, place, 1);
    if (page == NULL) {
        ssn_store_check_problem(checker->check, "the tree's page %" PRIu64 " (level %u) cannot be used", place,
                                (unsigned)level);
        return SELSNAP_OK;
    }
    if (ssn_page_sequence(page) > checker->store->super.sequence) {
        ssn_store_check_problem(checker->check, "the tree's page %" PRIu64 " is newer than the superblock", place);
    }
    checker->leaves += level == 0;
    for (unsigned i = 0; level == 0 && i < ssn_page_count(page); i++) {
        int rc = check_leaf_item(checker, page, i);
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    return checker->stopped ? SELSNAP_ECANCELED : SELSNAP_OK;
}

static int check_tree(struct checker *checker) {
    struct ssn_store *store = checker->store;
    bool hidden;
    int rc = store->root.place != 0 ? ssn_tree_walk(store->pages, &store->root, visit, checker) : SELSNAP_OK;
    rc = rc != SELSNAP_OK ? rc : tell_changes(checker, NULL, &hidden);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    const struct ssn_superblock *super = &store->super;
    if (checker->check->pages != super->page_count || checker->leaves != super->leaf_count ||
        checker->space_pages != super->free_pages) {
        ssn_store_check_problem(checker->check,
                                "the superblock counts %" PRIu64 " pages, %" PRIu64 " leaves, %" PRIu64
                                " free pages; there are %" PRIu64 ", %" PRIu64 ", %" PRIu64,
                                super->page_count, super->leaf_count, super->free_pages, checker->check->pages,
                                checker->leaves, checker->space_pages);
    }
    return SELSNAP_OK;
}

/* ---- every page of the area ---- */

/* Free: the space items, less what ledger and journal took, and what they gave [F-12]. */
static bool account_free(struct checker *checker) {
    struct ssn_store *store = checker->store;
    struct ssn_runs taken;
    ssn_runs_init(&taken, store->mem);
    pthread_mutex_lock(&store->journal.lock);
    bool ok = !checker->overlay || ssn_space_copy_runs(&taken, &store->active.taken);
    for (size_t i = 0; ok && checker->overlay && i < store->active.given.count; i++) {
        account(checker, store->active.given.run[i].place, store->active.given.run[i].pages);
    }
    pthread_mutex_unlock(&store->journal.lock);
    ssn_runs_sort(&taken);
    for (size_t i = 0; ok && i < store->space.ledger_taken.count; i++) {
        ok = ssn_runs_add(&taken, store->space.ledger_taken.run[i].place, store->space.ledger_taken.run[i].pages);
    }
    ssn_runs_sort(&checker->space);
    ok = ok && ssn_runs_reserve(&checker->space, taken.count);
    if (ok) {
        ssn_runs_remove_set(&checker->space, &taken);
        for (size_t i = 0; i < checker->space.count; i++) {
            account(checker, checker->space.run[i].place, checker->space.run[i].pages);
        }
        for (size_t i = 0; i < store->space.ledger_given.count; i++) {
            account(checker, store->space.ledger_given.run[i].place, store->space.ledger_given.run[i].pages);
        }
    }
    ssn_runs_fini(&taken);
    return ok;
}

static int check_area(struct checker *checker) {
    const struct ssn_store *store = checker->store;
    if (!account_free(checker) || checker->out_of_memory) {
        return SELSNAP_ENOMEM;
    }
    ssn_runs_sort_telling(&checker->all, told_twice, checker);
    uint64_t place = store->area;
    for (size_t i = 0; i <= checker->all.count; i++) {
        uint64_t next = i < checker->all.count ? checker->all.run[i].place : store->store_pages;
        if (next > place) {
            ssn_store_check_problem(checker->check, "pages %" PRIu64 " to %" PRIu64 " are neither used nor free", place,
                                    next - 1);
        }
        place = i < checker->all.count ? next + checker->all.run[i].pages : next;
    }
    return SELSNAP_OK;
}

int ssn_store_check(struct ssn_store *store, struct ssn_store_check *check) {
    struct checker checker;
    int rc = store->journal.ready ? ssn_store_drain(store) : SELSNAP_OK;
    rc = rc == SELSNAP_OK && store->journal.ready ? ssn_store_checkpoint(store) : rc;
    /* The root itself is damaged, or damage has used up the reserve. */
    bool unfolded = rc == SELSNAP_EDAMAGED || rc == SELSNAP_ENOSPACE;
    const char *reason = rc == SELSNAP_ENOSPACE ? "there is no room" : "what it must read is damaged";
    if (rc != SELSNAP_OK && !unfolded) {
        return rc;
    }
    memset(&checker, 0, sizeof checker);
    checker.store = store;
    checker.check = check;
    checker.compact_at = COMPACT_RUNS;
    checker.overlay = !store->journal.ready;
    checker.changes_ended = !checker.overlay;
    ssn_runs_init(&checker.all, store->mem);
    ssn_runs_init(&checker.space, store->mem);
    check->inner = &checker;
    check->pages = 0;
    check->items = 0;
    check->problems = 0;
    if (unfolded) {
        ssn_store_check_problem(check, "no checkpoint can be made: %s", reason);
    }
    ssn_upkeep_begin(store);
    rc = check_supers(&checker);
    rc = rc != SELSNAP_OK ? rc : check_journal(&checker);
    rc = rc != SELSNAP_OK ? rc : check_ledger(&checker);
    rc = rc != SELSNAP_OK ? rc : check_tree(&checker);
    rc = rc != SELSNAP_OK || unfolded ? rc : check_area(&checker);
    ssn_upkeep_end(store, false, rc);
    rc = rc == SELSNAP_OK && checker.stopped ? SELSNAP_ECANCELED : rc;
    check->inner = NULL;
    ssn_runs_fini(&checker.all);
    ssn_runs_fini(&checker.space);
    return rc;
}
