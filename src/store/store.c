/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing, I/O on the store's device, counters, space and figures. See store.h, and store_inner.h for
 * locks. */
#include "store_inner.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum {
    RESERVE_LEAST = 32,
    RESERVE_SHARE = 256,
    RESERVE_MOST = 1024,
    MAP_SHARE = 4,       /* of the memory limit */
    NEED_OF_A_WRITE = 4, /* changes that come with a run of data */
};

uint64_t ssn_store_reserve(uint64_t store_pages) {
    return ssn_min_u64(RESERVE_LEAST + store_pages / RESERVE_SHARE, RESERVE_MOST);
}

/* ---- the device ---- */

static int dev_failed(struct ssn_store *store, int rc, const char *what, const char *verb, uint64_t place) {
    if (rc != SELSNAP_EIO) {
        return rc;
    }
    return ssn_fail(store->report, SELSNAP_ESTORE,
                    "%s could not be %s at byte %" PRIu64 " of the store (the device says %d)", what, verb,
                    place * SSN_PAGE_SIZE, atomic_load(&store->device->last_error));
}

int ssn_store_dev_read(struct ssn_store *store, const char *what, void *buf, size_t len, uint64_t place) {
    return dev_failed(store, ssn_device_read(store->device, buf, len, place * SSN_PAGE_SIZE), what, "read", place);
}

int ssn_store_dev_write(struct ssn_store *store, const char *what, const void *buf, size_t len, uint64_t place) {
    return dev_failed(store, ssn_device_write(store->device, buf, len, place * SSN_PAGE_SIZE), what, "written", place);
}

int ssn_store_dev_flush(struct ssn_store *store, const char *what) {
    int rc = ssn_device_flush(store->device);
    if (rc == SELSNAP_OK) {
        return rc;
    }
    atomic_fetch_add(&store->flush_failures, 1);
    return ssn_fail(store->report, SELSNAP_ESTORE,
                    "%s could not be flushed (the device says %d); it is written again before anything is acknowledged",
                    what, atomic_load(&store->device->last_error));
}

void ssn_store_set_failed(struct ssn_store *store, bool failed) {
    if (atomic_exchange(&store->failed, failed) != failed) {
        ssn_event(store->report, failed ? SELSNAP_EVENT_STORE_FAILED : SELSNAP_EVENT_STORE_RECOVERED, 0, 0, 0,
                  failed ? atomic_load(&store->device->last_error) : 0);
    }
}

/* ---- opening and closing ---- */

int ssn_store_peek(selsnap_device *device, struct ssn_report *report, struct ssn_store_facts *ret_facts) {
    struct ssn_slots slots;
    int rc = ssn_slots_read(device, report, &slots);
    if (rc == SELSNAP_OK) {
        ssn_facts_of_super(&slots.super[slots.newest], ret_facts);
    }
    return rc == SELSNAP_ESTORE ? SELSNAP_EIO : rc;
}

static void destroy(struct ssn_store *store) {
    struct ssn_mem *mem = store->mem;
    ssn_fold_free(store->unsure);
    if (store->space_made) {
        ssn_space_fini(&store->space);
    }
    if (store->journal_made) {
        ssn_journal_fini(&store->journal);
    }
    ssn_generation_fini(&store->active, mem);
    ssn_generation_fini(&store->frozen, mem);
    ssn_salvage_close(store->salvage);
    if (store->pages != NULL) {
        ssn_pages_close(store->pages);
    }
    if (store->locks_made) {
        pthread_rwlock_destroy(&store->index_lock);
        pthread_cond_destroy(&store->upkeep_changed);
        pthread_mutex_destroy(&store->upkeep_lock);
    }
    ssn_free(mem, store);
}

static int make_locks(struct ssn_store *store) {
    if (pthread_mutex_init(&store->upkeep_lock, NULL) != 0) {
        return SELSNAP_ENOMEM;
    }
    if (pthread_cond_init(&store->upkeep_changed, NULL) != 0) {
        pthread_mutex_destroy(&store->upkeep_lock);
        return SELSNAP_ENOMEM;
    }
    if (pthread_rwlock_init(&store->index_lock, NULL) != 0) {
        pthread_cond_destroy(&store->upkeep_changed);
        pthread_mutex_destroy(&store->upkeep_lock);
        return SELSNAP_ENOMEM;
    }
    store->locks_made = true;
    return SELSNAP_OK;
}

static int choose_super(struct ssn_store *store, bool *ret_other_damaged) {
    struct ssn_slots slots;
    int rc = store->salvage != NULL ? ssn_slots_salvage(store->device, store->report, &slots)
                                    : ssn_slots_read(store->device, store->report, &slots);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    store->super = slots.super[slots.newest];
    *ret_other_damaged = slots.result[1 - slots.newest] != SELSNAP_OK;
    if (store->super.ro_compat != 0 && !store->read_only) { /* [F-22] */
        return ssn_fail(store->report, SELSNAP_EVERSION,
                        "the store uses features that this version can only read; open it read-only");
    }
    if (store->super.store_pages > ssn_device_size(store->device) / SSN_PAGE_SIZE && store->salvage == NULL) {
        return ssn_fail(store->report, SELSNAP_EDAMAGED,
                        "the store has %" PRIu64 " pages, but its device holds only %" PRIu64, store->super.store_pages,
                        ssn_device_size(store->device) / SSN_PAGE_SIZE);
    }
    if (*ret_other_damaged) {
        ssn_log(store->report, SELSNAP_LOG_WARNING, "superblock slot %u is damaged; the other one is used",
                1 - slots.newest);
    }
    return SELSNAP_OK;
}

/* From the superblock, all that later steps look at. */
static void set_up(struct ssn_store *store) {
    const struct ssn_superblock *super = &store->super;
    ssn_facts_of_super(super, &store->facts);
    store->area = ssn_super_area(super);
    store->store_pages = super->store_pages;
    store->fixed_reserve = ssn_store_reserve(super->store_pages);
    store->map_limit = store->mem->limit / MAP_SHARE;
    store->root.place = super->root_place;
    store->root.checksum = super->root_checksum;
    store->root.level = super->root_level;
    atomic_store(&store->next_epoch, super->next_epoch);
    atomic_store(&store->next_id, super->next_id);
    atomic_store(&store->leaf_count, super->leaf_count);
    atomic_store(&store->page_count, super->page_count);
    atomic_store(&store->root_level, super->root_level);
    ssn_readers_init(&store->readers);
}

int ssn_store_open(const struct ssn_store_params *params, struct ssn_store **ret_store) {
    struct ssn_store *store = ssn_calloc(params->mem, 1, sizeof *store);
    if (store == NULL) {
        return SELSNAP_ENOMEM;
    }
    store->device = params->device;
    store->mem = params->mem;
    store->report = params->report;
    store->read_only = params->read_only;
    store->rewrite = params->rewrite;
    store->rewrite_user = params->rewrite_user;
    bool other_damaged = false;
    int rc = make_locks(store);
    rc = rc == SELSNAP_OK && params->salvage ? ssn_salvage_open(store->mem, &store->salvage) : rc;
    rc = rc != SELSNAP_OK ? rc : choose_super(store, &other_damaged);
    if (rc != SELSNAP_OK) {
        goto out;
    }
    set_up(store);
    rc = ssn_pages_open(store->mem, store->report, store->device, store->super.store_id, store->area,
                        store->store_pages, params->cache_bytes, &store->pages);
    rc = rc != SELSNAP_OK ? rc : ssn_generation_init(&store->active, store->mem);
    if (rc != SELSNAP_OK) {
        goto out;
    }
    rc = ssn_space_init(&store->space, store->mem, store->report, store->pages, &store->readers, store->area,
                        store->store_pages);
    store->space_made = rc == SELSNAP_OK;
    rc = rc != SELSNAP_OK ? rc : ssn_journal_init(&store->journal, store->mem, store->super.journal_pages);
    store->journal_made = rc == SELSNAP_OK;
    rc = rc != SELSNAP_OK ? rc : ssn_recover(store, params, other_damaged);
    if (rc == SELSNAP_OK && params->salvage) {
        ssn_pages_salvage(store->pages);
        rc = ssn_salvage_walk(store);
    }
    if (rc == SELSNAP_OK) {
        *ret_store = store;
        return rc;
    }
out:
    destroy(store);
    return rc;
}

int ssn_store_activate(struct ssn_store *store) {
    if (store->read_only) {
        return SELSNAP_EREADONLY;
    }
    ssn_upkeep_begin(store);
    struct ssn_superblock super = store->super;
    super.incarnation++;
    super.flags &= ~(uint32_t)(SSN_SUPER_CLEAN | SSN_SUPER_HAS_MARK);
    super.change_mark = 0;
    /* What was replayed may be in the device's cache alone. */
    int rc = ssn_store_dev_flush(store, "what was replayed");
    rc = rc != SELSNAP_OK ? rc : ssn_super_write(store, &super);
    if (rc == SELSNAP_OK) {
        pthread_mutex_lock(&store->journal.lock);
        store->journal.incarnation = super.incarnation;
        store->journal.super_sequence = super.sequence;
        store->journal.ready = true;
        pthread_mutex_unlock(&store->journal.lock);
    }
    ssn_upkeep_end(store, false, rc);
    return rc;
}

/* upkeep_busy. */
static int write_super(struct ssn_store *store, struct ssn_superblock super) {
    int rc = ssn_super_write(store, &super);
    if (rc == SELSNAP_OK) {
        pthread_mutex_lock(&store->journal.lock);
        store->journal.super_sequence = super.sequence;
        pthread_mutex_unlock(&store->journal.lock);
    }
    return rc;
}

/* Writes the present superblock with other flags. upkeep_busy. */
static int write_flags(struct ssn_store *store, uint32_t flags, uint64_t change_mark) {
    struct ssn_superblock super = store->super;
    super.flags |= flags;
    super.change_mark = change_mark;
    return write_super(store, super);
}

static int close_clean(struct ssn_store *store, uint32_t flags, uint64_t change_mark) {
    int rc = ssn_store_drain(store);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    ssn_upkeep_begin(store);
    rc = ssn_checkpoint_run(store, flags, change_mark, false);
    if (rc == SELSNAP_OK && (store->super.flags & SSN_SUPER_CLEAN) == 0) {
        rc = write_flags(store, flags, change_mark); /* there was nothing to fold */
    }
    ssn_upkeep_end(store, true, rc);
    return rc;
}

int ssn_store_close(struct ssn_store *store, bool clean, bool mark_known, uint64_t change_mark) {
    if (store == NULL) {
        return SELSNAP_OK;
    }
    int rc = SELSNAP_OK;
    if (clean && store->journal.ready) {
        rc = close_clean(store, SSN_SUPER_CLEAN | (mark_known ? (uint32_t)SSN_SUPER_HAS_MARK : 0),
                         mark_known ? change_mark : 0);
    }
    destroy(store);
    return rc;
}

int ssn_store_abandon(struct ssn_store *store) {
    if (!store->journal.ready) {
        return SELSNAP_EREADONLY;
    }
    ssn_upkeep_begin(store);
    int rc = SELSNAP_OK;
    if (store->unsure != NULL) {
        rc = ssn_checkpoint_run(store, 0, 0, false); /* its superblock may be in the slot that is written next */
    }
    rc = rc != SELSNAP_OK ? rc : write_flags(store, SSN_SUPER_ABANDONED, store->super.change_mark);
    ssn_upkeep_end(store, false, rc);
    return rc;
}

int ssn_store_set_origin(struct ssn_store *store, uint64_t origin_bytes) {
    if (!store->journal.ready) {
        return SELSNAP_EREADONLY;
    }
    ssn_upkeep_begin(store);
    int rc = SELSNAP_OK;
    if (store->unsure != NULL) {
        rc = ssn_checkpoint_run(store, 0, 0, false); /* as in ssn_store_abandon() */
    }
    struct ssn_superblock super = store->super;
    super.origin_bytes = origin_bytes;
    super.extent_bytes = ssn_max_u64(super.extent_bytes, origin_bytes);
    rc = rc == SELSNAP_OK ? write_super(store, super) : rc;
    ssn_upkeep_end(store, false, rc);
    return rc;
}

const struct ssn_store_facts *ssn_store_get_facts(const struct ssn_store *store) {
    return &store->facts;
}

/* ---- counters ---- */

uint64_t ssn_store_next_epoch(struct ssn_store *store) {
    return atomic_load(&store->next_epoch);
}

uint64_t ssn_store_next_id(struct ssn_store *store) {
    return atomic_load(&store->next_id);
}

static void raise_to(_Atomic uint64_t *counter, uint64_t at_least) {
    uint64_t now = atomic_load(counter);
    while (now < at_least && !atomic_compare_exchange_weak(counter, &now, at_least)) {
    }
}

void ssn_store_raise_epoch(struct ssn_store *store, uint64_t at_least) {
    raise_to(&store->next_epoch, at_least);
}

void ssn_store_raise_id(struct ssn_store *store, uint64_t at_least) {
    raise_to(&store->next_id, at_least);
}

uint64_t ssn_store_take_epoch(struct ssn_store *store) {
    return atomic_fetch_add(&store->next_epoch, 1);
}

uint64_t ssn_store_take_id(struct ssn_store *store) {
    return atomic_fetch_add(&store->next_id, 1);
}

/* ---- space and data ---- */

/* Whether a checkpoint would bring so many pages for data within reach, beside those to keep. */
static bool may_gain(struct ssn_store *store, uint64_t unit, uint64_t keep) {
    const struct ssn_load nothing = {0, 0, 0};
    pthread_mutex_lock(&store->journal.lock);
    uint64_t given = store->active.given.pages + (store->frozen.map != NULL ? store->frozen.given.pages : 0);
    uint64_t need = ssn_store_need(store, &nothing, 0);
    pthread_mutex_unlock(&store->journal.lock);
    uint64_t room = atomic_load(&store->space.room) + given;
    /* The checkpoint itself takes about as many pages as it gives; those it gives are not for data yet. */
    return room >= need + keep + unit && (given > 0 || atomic_load(&store->space.waiting) >= need + unit);
}

/* Pages that stay beside data: for the changes that come with a run, and for what is announced. */
static uint64_t kept_room(struct ssn_store *store) {
    const struct ssn_load with_a_run = {NEED_OF_A_WRITE, 0, NEED_OF_A_WRITE};
    pthread_mutex_lock(&store->journal.lock);
    uint64_t keep = ssn_store_need(store, &with_a_run, atomic_load(&store->announced)) + ssn_store_kept(store);
    pthread_mutex_unlock(&store->journal.lock);
    return keep;
}

static int try_take(struct ssn_store *store, uint64_t wanted, uint64_t unit, struct ssn_run *ret_run) {
    unsigned percent = 0;
    int rc = ssn_space_take(&store->space, wanted, unit, kept_room(store), atomic_load(&store->flush_failures), ret_run,
                            &percent);
    if (percent != 0) {
        ssn_event(store->report, SELSNAP_EVENT_STORE_FILLING, 0, 0, 0, percent);
    }
    return rc;
}

int ssn_store_take(struct ssn_store *store, uint64_t wanted, uint64_t unit, uint64_t *ret_place, uint64_t *ret_pages) {
    struct ssn_run run = {0, 0};
    int rc = SELSNAP_ENOSPACE;
    for (int attempt = 0; rc == SELSNAP_ENOSPACE; attempt++) {
        rc = try_take(store, wanted, unit, &run);
        if (rc != SELSNAP_ENOSPACE || attempt >= 2 || !store->journal.ready ||
            !may_gain(store, unit, ssn_store_kept(store))) {
            break;
        }
        int folded = ssn_checkpoint_shared(store, true);
        rc = folded == SELSNAP_OK ? rc : folded;
    }
    if (rc == SELSNAP_ENOSPACE) {
        bool quota = atomic_load(&store->space.beyond) > store->fixed_reserve;
        return ssn_fail(store->report, rc, "the store has no free run of %" PRIu64 " pages for data%s", unit,
                        quota ? " within its quota" : "");
    }
    if (rc == SELSNAP_OK) {
        *ret_place = run.place;
        *ret_pages = run.pages;
    }
    return rc;
}

int ssn_store_hold(struct ssn_store *store, uint64_t wanted, uint64_t unit, uint64_t *ret_place, uint64_t *ret_pages) {
    uint64_t changes = wanted / unit;
    /* First, so that two who hold at once do not count on the same room. */
    atomic_fetch_add(&store->announced, changes);
    int rc = ssn_store_take(store, wanted, unit, ret_place, ret_pages);
    ssn_store_unannounce(store, rc == SELSNAP_OK ? changes - *ret_pages / unit : changes);
    return rc;
}

void ssn_store_unannounce(struct ssn_store *store, uint64_t changes) {
    uint64_t before = atomic_fetch_sub(&store->announced, changes);
    assert(before >= changes);
    (void)before;
}

void ssn_store_untake(struct ssn_store *store, uint64_t place, uint64_t pages) {
    if (pages > 0) {
        ssn_space_untake(&store->space, place, pages);
    }
}

/* A place may come from an item on disk [F-1]. */
static int check_place(struct ssn_store *store, uint64_t place, size_t len) {
    uint64_t pages = ssn_div_up(len, SSN_PAGE_SIZE);
    if (len % SSN_PAGE_SIZE != 0 || place < store->area || !ssn_range_inside(place, pages, store->store_pages)) {
        return ssn_fail(store->report, SELSNAP_EDAMAGED,
                        "page %" PRIu64 " of the store is named as data, and cannot be", place);
    }
    return SELSNAP_OK;
}

int ssn_store_read_data(struct ssn_store *store, uint64_t place, void *buf, size_t len) {
    int rc = check_place(store, place, len);
    rc = rc != SELSNAP_OK ? rc : ssn_store_dev_read(store, "data", buf, len, place);
    if (rc != SELSNAP_OK && store->salvage != NULL) {
        memset(buf, 0, len);
        rc = SELSNAP_OK;
    }
    return rc;
}

void ssn_store_read_several(struct ssn_store *store, struct ssn_transfer *reads, unsigned count) {
    bool inside = true;
    for (unsigned i = 0; i < count; i++) {
        reads[i].result = check_place(store, reads[i].offset / SSN_PAGE_SIZE, reads[i].len);
        inside = inside && reads[i].result == SELSNAP_OK;
    }
    if (!inside || store->salvage != NULL || count == 1) {
        for (unsigned i = 0; i < count; i++) {
            reads[i].result = ssn_store_read_data(store, reads[i].offset / SSN_PAGE_SIZE, reads[i].buf, reads[i].len);
        }
        return;
    }
    (void)ssn_device_transfers(store->device, false, reads, count); /* each has its result */
    for (unsigned i = 0; i < count; i++) {
        reads[i].result = dev_failed(store, reads[i].result, "data", "read", reads[i].offset / SSN_PAGE_SIZE);
    }
}

int ssn_store_write_data(struct ssn_store *store, uint64_t place, const void *buf, size_t len) {
    int rc = check_place(store, place, len);
    rc = rc != SELSNAP_OK ? rc : ssn_store_dev_write(store, "data", buf, len, place);
    if (rc == SELSNAP_ESTORE) {
        ssn_store_set_failed(store, true); /* until a batch is written again */
    }
    return rc;
}

int ssn_store_flush(struct ssn_store *store) {
    return ssn_store_dev_flush(store, "data");
}

uint64_t ssn_store_flush_failures(struct ssn_store *store) {
    return atomic_load(&store->flush_failures);
}

void ssn_store_set_quota(struct ssn_store *store, uint64_t bytes) {
    ssn_space_set_quota(&store->space, bytes != 0 ? ssn_max_u64(bytes / SSN_PAGE_SIZE, 1) : 0);
}

uint64_t ssn_store_room(struct ssn_store *store, uint64_t *ret_all) {
    uint64_t room = atomic_load(&store->space.room);
    uint64_t kept = ssn_store_kept(store) + atomic_load(&store->space.waiting);
    uint64_t area = store->store_pages - store->area;
    *ret_all = area - ssn_min_u64(area, atomic_load(&store->space.beyond));
    return room > kept ? room - kept : 0;
}

void ssn_store_get_stats(struct ssn_store *store, struct ssn_store_stats *ret_stats) {
    struct ssn_store_stats stats;
    memset(&stats, 0, sizeof stats);
    ssn_space_poll(&store->space);
    pthread_mutex_lock(&store->journal.lock);
    uint64_t given = store->active.given.pages + (store->frozen.map != NULL ? store->frozen.given.pages : 0);
    stats.journal_used_bytes = store->journal.used * SSN_PAGE_SIZE;
    pthread_mutex_unlock(&store->journal.lock);
    uint64_t waiting = atomic_load(&store->space.waiting);
    uint64_t room = atomic_load(&store->space.room);
    uint64_t kept = ssn_store_kept(store) + waiting;
    stats.free_bytes = (room > kept ? room - kept : 0) * SSN_PAGE_SIZE;
    stats.pending_bytes = (waiting + given) * SSN_PAGE_SIZE;
    uint64_t beyond = atomic_load(&store->space.beyond);
    stats.quota_bytes = beyond > 0 ? (store->store_pages - beyond) * SSN_PAGE_SIZE : 0;
    stats.used_bytes = (store->store_pages - room) * SSN_PAGE_SIZE;
    stats.commits = atomic_load(&store->commits);
    stats.checkpoints = atomic_load(&store->checkpoints);
    stats.pages_read = ssn_pages_reads(store->pages);
    stats.pages_written = atomic_load(&store->pages_written);
    stats.leaf_count = atomic_load(&store->leaf_count);
    stats.failed = atomic_load(&store->failed);
    *ret_stats = stats;
}
