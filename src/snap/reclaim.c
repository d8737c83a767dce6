/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See reclaim.h. One thread at a time, by ss->step. It looks up without a lock: what nobody needs now, nobody will need
 * (needed.h), and only reclaim deletes or strips entries. Only the commit is made under admin, because it carries the
 * state item, which whoever deletes a snapshot writes too.
 *
 * The state item: deletes counts up; walk is what deletes was when the running walk began (0: none runs), cursor where
 * it goes on; at its end reclaimed becomes that value. So one walk serves all deletes before its start, and work is
 * left while reclaimed < deletes. A delete that failed stays counted: it costs a walk at worst.
 *
 * What a failed commit frees may be freed later all the same, when the store answers. So before anything is looked up
 * again, that is settled; otherwise the same pages could be given twice.
 *
 * Damage does not stop it: what cannot be read or judged is kept, with its space, and passed by [F-16]. A walk that met
 * damage ends all the same, so that what it did count for stays done.
 */
#include "reclaim.h"

#include "designation.h"
#include "needed.h"

#include <inttypes.h>
#include <string.h>

enum { TXN_OPS = 256, RECORD_EVERY = 16384 };

/* ---- the state item, and what is due ---- */

/* admin is held. */
static void update_due(struct selsnap *ss) {
    atomic_store(&ss->due.walk, ss->state.walk != 0 || ss->state.reclaimed < ss->state.deletes);
}

static void put_state(struct ssn_txn *txn, const struct ssn_state_record *state) {
    uint8_t value[SSN_VALUE_MAX];
    struct ssn_key key = ssn_key_make(SSN_ITEM_STATE, 0, 0);
    ssn_txn_put(txn, &key, value, ssn_state_record_encode(value, state));
}

static int next_job(struct selsnap *ss, uint64_t after_id, uint64_t *ret_id, struct ssn_job_record *ret_record) {
    if (after_id == UINT64_MAX) {
        return SELSNAP_ENOENT;
    }
    struct ssn_key key = ssn_key_make(SSN_ITEM_JOB, after_id + 1, 0);
    struct ssn_item item;
    int rc = ssn_store_seek(ss->store, &key, &item);
    if (rc != SELSNAP_OK || item.key.type != SSN_ITEM_JOB) {
        return rc == SELSNAP_OK ? SELSNAP_ENOENT : rc;
    }
    if (!ssn_job_record_decode(item.value, item.len, ret_record)) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the record of job %" PRIu64 " is damaged", item.key.major);
    }
    *ret_id = item.key.major;
    return SELSNAP_OK;
}

int ssn_reclaim_load(struct selsnap *ss) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_STATE, 0, 0);
    struct ssn_item item;
    struct ssn_state_record state = {0, 0, 0, 0};
    int rc = ssn_store_get(ss->store, &key, &item);
    if (rc == SELSNAP_OK && !ssn_state_record_decode(item.value, item.len, &state)) {
        rc = ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the state item is damaged");
    }
    if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
        return rc;
    }
    struct ssn_job_record record;
    uint64_t drops = 0;
    uint64_t id = 0;
    while ((rc = next_job(ss, id, &id, &record)) == SELSNAP_OK) {
        drops += record.kind == SSN_JOB_DROP_OVERLAY;
    }
    if (rc != SELSNAP_ENOENT) {
        return rc;
    }
    ss->state = state;
    atomic_store(&ss->due.drop_jobs, drops);
    ssn_designation_count_due(ss);
    update_due(ss);
    return SELSNAP_OK;
}

void ssn_reclaim_note_delete(struct selsnap *ss, struct ssn_txn *txn) {
    ss->state.deletes++;
    put_state(txn, &ss->state);
    update_due(ss);
}

void ssn_reclaim_note_failed(struct selsnap *ss) {
    /* The count stays: the record of the delete may be on its way, and then its space is given back too. */
    update_due(ss);
}

void ssn_reclaim_put_overlay_drop(struct selsnap *ss, struct ssn_txn *txn, uint64_t overlay_id) {
    uint8_t value[SSN_VALUE_MAX];
    struct ssn_job_record record = {.kind = SSN_JOB_DROP_OVERLAY, .subject = overlay_id};
    struct ssn_key key = ssn_key_make(SSN_ITEM_JOB, ssn_store_take_id(ss->store), 0);
    ssn_txn_put(txn, &key, value, ssn_job_record_encode(value, &record));
}

void ssn_reclaim_note_overlay(struct selsnap *ss) {
    atomic_fetch_add(&ss->due.drop_jobs, 1);
}

bool ssn_reclaim_pending(struct selsnap *ss) {
    return atomic_load(&ss->due.walk) || atomic_load(&ss->due.drop_jobs) > 0 || atomic_load(&ss->due.drop_groups) > 0;
}

int ssn_reclaim_settle(struct selsnap *ss) {
    struct ssn_txn txn;
    ssn_txn_init(&txn, ss->store);
    put_state(&txn, &ss->state);
    int rc = ssn_store_commit(ss->store, &txn, true);
    ssn_txn_fini(&txn);
    return rc;
}

/* ---- how much at once ---- */

unsigned ssn_reclaim_txn_ops(const struct selsnap *ss) {
    return ss->due.txn_ops != 0 ? ss->due.txn_ops : TXN_OPS;
}

bool ssn_reclaim_txn_shrink(struct selsnap *ss, int rc) {
    unsigned ops = ssn_reclaim_txn_ops(ss);
    bool again = rc == SELSNAP_ENOSPACE && ops > 1;
    if (again) {
        ss->due.txn_ops = ops / 4 > 1 ? ops / 4 : 1;
    } else if (rc == SELSNAP_OK) {
        ss->due.txn_ops = ops < TXN_OPS / 2 ? 2 * ops : 0;
    }
    return again;
}

/* ---- the walk ---- */

struct walk {
    struct selsnap *ss;
    struct ssn_key next; /* where it goes on */
    struct ssn_txn txn;  /* what was found since the last commit */
    uint64_t visited;
    uint64_t found; /* entries that the transaction changes */
    bool ended;
};

static bool inside_store(const struct selsnap *ss, uint64_t place, uint64_t pages) {
    return ssn_range_inside(place, pages, ssn_store_size_pages(ss->store));
}

/* Adds to the transaction what becomes of one entry. */
static int judge(struct walk *walk, const struct ssn_item *item) {
    struct selsnap *ss = walk->ss;
    uint64_t major = item->key.major;
    struct ssn_entry_record record = {SSN_ENTRY_NONE, 0};
    uint32_t pages = ssn_entry_blocks(major) * ss->block_pages;
    if (!ssn_entry_record_decode(major, item->value, item->len, &record) ||
        (record.kind == SSN_ENTRY_DATA && !inside_store(ss, record.place, pages))) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the entry of block %" PRIu64 " at epoch %" PRIu64 " is damaged",
                        ssn_entry_run(major) * SSN_RUN_BLOCKS + ssn_entry_first(major), item->key.minor);
    }
    bool any = false;
    bool data = false;
    int rc = ssn_extent_needed_walking(ss, &ss->due.needed, major, item->key.minor, 0, &any, &data);
    if (rc != SELSNAP_OK || data || (any && record.kind == SSN_ENTRY_MARK)) {
        return rc;
    }
    if (any) {
        uint8_t value[SSN_VALUE_MAX];
        struct ssn_entry_record mark = {SSN_ENTRY_MARK, 0};
        ssn_txn_put(&walk->txn, &item->key, value, ssn_entry_record_encode(value, &mark, NULL, 0));
    } else {
        ssn_txn_delete(&walk->txn, &item->key);
    }
    walk->found++;
    if (record.kind == SSN_ENTRY_DATA) {
        ssn_txn_give(&walk->txn, record.place, pages);
    }
    return SELSNAP_OK;
}

/* Visits entries until a transaction is full, the budget used up, or none is left. */
static int walk_on(struct walk *walk, uint64_t budget) {
    struct ssn_item item;
    while (walk->visited < budget && walk->found < ssn_reclaim_txn_ops(walk->ss)) {
        struct ssn_key last;
        int rc = ssn_store_seek_over(walk->ss->store, &walk->next, &item, &last);
        if (rc == SELSNAP_EDAMAGED) {
            walk->next = last;
            walk->visited++;
            if (!ssn_key_after(&walk->next) || walk->next.type != SSN_ITEM_ENTRY) {
                walk->ended = true;
                return SELSNAP_OK;
            }
            continue;
        }
        if (rc == SELSNAP_ENOENT || (rc == SELSNAP_OK && item.key.type != SSN_ITEM_ENTRY)) {
            walk->ended = true;
            return SELSNAP_OK;
        }
        rc = rc == SELSNAP_OK ? judge(walk, &item) : rc;
        if (rc != SELSNAP_OK && rc != SELSNAP_EDAMAGED) {
            return rc;
        }
        walk->next = item.key;
        (void)ssn_key_after(&walk->next);
        walk->visited++;
    }
    return SELSNAP_OK;
}

/* Commits what was found, with how far the walk has come. Where nothing was found the record may wait. */
static int walk_commit(struct walk *walk) {
    struct selsnap *ss = walk->ss;
    struct ssn_reclaim_due *due = &ss->due;
    int rc = SELSNAP_OK;
    if (walk->found > 0 || walk->ended || due->unrecorded >= RECORD_EVERY) {
        pthread_mutex_lock(&ss->admin);
        struct ssn_state_record state = ss->state;
        state.walk = walk->ended ? 0 : due->target;
        state.cursor = walk->ended ? 0 : walk->next.major;
        state.reclaimed = walk->ended ? due->target : state.reclaimed;
        put_state(&walk->txn, &state);
        rc = ssn_store_commit(ss->store, &walk->txn, true);
        if (rc == SELSNAP_OK) {
            ss->state = state;
            due->unrecorded = 0;
            update_due(ss);
        }
        pthread_mutex_unlock(&ss->admin);
    }
    if (rc == SELSNAP_OK) {
        due->cursor_major = walk->next.major;
        due->cursor_epoch = walk->next.minor;
        due->walking = !walk->ended;
    }
    return rc;
}

static void walk_begin(struct selsnap *ss) {
    struct ssn_reclaim_due *due = &ss->due;
    pthread_mutex_lock(&ss->admin);
    bool runs = ss->state.walk != 0;
    due->target = runs ? ss->state.walk : ss->state.deletes;
    due->cursor_major = runs ? ss->state.cursor : 0;
    pthread_mutex_unlock(&ss->admin);
    due->cursor_epoch = 0;
    due->unrecorded = 0;
    due->walking = true;
}

/* Visits entries and commits once. */
static int walk_some(struct walk *walk, uint64_t budget) {
    struct selsnap *ss = walk->ss;
    uint64_t before = walk->visited;
    walk->next = ssn_key_make(SSN_ITEM_ENTRY, ss->due.cursor_major, ss->due.cursor_epoch);
    walk->found = 0;
    ssn_txn_init(&walk->txn, ss->store);
    int rc = walk_on(walk, budget);
    if (rc == SELSNAP_OK) {
        ss->due.unrecorded += walk->visited - before;
        rc = walk_commit(walk);
    }
    ssn_txn_fini(&walk->txn);
    if (rc != SELSNAP_OK) {
        /* What was not committed is looked at again. */
        walk->visited = before;
        walk->ended = false;
    }
    return rc;
}

static int walk_step(struct selsnap *ss, uint64_t budget, uint64_t *visited) {
    struct walk walk = {.ss = ss};
    if (!ss->due.walking) {
        walk_begin(ss);
    }
    int rc = SELSNAP_OK;
    while (!walk.ended && walk.visited < budget) {
        rc = walk_some(&walk, budget);
        if (rc != SELSNAP_OK && !ssn_reclaim_txn_shrink(ss, rc)) {
            break;
        }
        if (rc == SELSNAP_OK && walk.found > 0) {
            (void)ssn_reclaim_txn_shrink(ss, rc);
        }
    }
    *visited += walk.visited;
    return rc;
}

/* ---- dropping overlays ---- */

/* Adds the deletion of the overlay's items to the transaction, at most `budget`. *ret_gone: none is left. */
static int gather_overlay(struct selsnap *ss, uint64_t overlay, uint64_t budget, struct ssn_txn *txn,
                          uint64_t *ret_count, bool *ret_gone) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_OVERLAY, overlay, 0);
    struct ssn_item item;
    struct ssn_overlay_record record;
    *ret_count = 0;
    *ret_gone = false;
    while (*ret_count < budget && *ret_count < ssn_reclaim_txn_ops(ss)) {
        struct ssn_key last;
        int rc = ssn_store_seek_over(ss->store, &key, &item, &last);
        if (rc == SELSNAP_EDAMAGED) {
            key = last;
            if (ssn_key_after(&key) && key.type == SSN_ITEM_OVERLAY && key.major == overlay) {
                continue;
            }
            *ret_gone = true;
            return SELSNAP_OK;
        }
        if (rc == SELSNAP_ENOENT ||
            (rc == SELSNAP_OK && (item.key.type != SSN_ITEM_OVERLAY || item.key.major != overlay))) {
            *ret_gone = true;
            return SELSNAP_OK;
        }
        if (rc != SELSNAP_OK) {
            return rc;
        }
        if (!ssn_overlay_record_decode(item.value, item.len, &record) ||
            (record.kind == SSN_ENTRY_DATA && !inside_store(ss, record.place, ss->block_pages))) {
            return ssn_fail(&ss->report, SELSNAP_EDAMAGED, "block %" PRIu64 " of overlay %" PRIu64 " is damaged",
                            item.key.minor, overlay);
        }
        ssn_txn_delete(txn, &item.key);
        if (record.kind == SSN_ENTRY_DATA) {
            ssn_txn_give(txn, record.place, ss->block_pages);
        }
        key = item.key;
        (void)ssn_key_after(&key);
        (*ret_count)++;
    }
    return SELSNAP_OK;
}

/* One transaction's worth of dropping the overlay of a job, and the job with the last of it. */
static int drop_some(struct selsnap *ss, uint64_t job_id, uint64_t overlay, uint64_t budget, uint64_t *visited) {
    struct ssn_txn txn;
    uint64_t count = 0;
    bool gone = false;
    ssn_txn_init(&txn, ss->store);
    int rc = gather_overlay(ss, overlay, budget, &txn, &count, &gone);
    if (rc == SELSNAP_OK && gone) {
        struct ssn_key key = ssn_key_make(SSN_ITEM_JOB, job_id, 0);
        ssn_txn_delete(&txn, &key);
    }
    if (rc == SELSNAP_OK) {
        rc = ssn_store_commit(ss->store, &txn, true);
    }
    ssn_txn_fini(&txn);
    if (rc == SELSNAP_OK) {
        *visited += count + 1;
        uint64_t known = atomic_load(&ss->due.drop_jobs);
        while (gone && known > 0 && !atomic_compare_exchange_weak(&ss->due.drop_jobs, &known, known - 1)) {
        }
    }
    return rc;
}

static int drop_overlays(struct selsnap *ss, uint64_t budget, uint64_t *visited) {
    uint64_t known = atomic_load(&ss->due.drop_jobs);
    uint64_t id = 0;
    uint64_t found = 0;
    while (*visited < budget) {
        struct ssn_job_record record;
        int rc = next_job(ss, id, &id, &record);
        if (rc == SELSNAP_ENOENT) {
            if (found == 0) {
                /* What was counted never came to be. */
                (void)atomic_compare_exchange_strong(&ss->due.drop_jobs, &known, 0);
            }
            return SELSNAP_OK;
        }
        if (rc != SELSNAP_OK) {
            return rc;
        }
        if (record.kind == SSN_JOB_DROP_OVERLAY) {
            found++;
            rc = drop_some(ss, id, record.subject, budget - *visited, visited);
            if (!ssn_reclaim_txn_shrink(ss, rc) && rc != SELSNAP_OK) {
                return rc;
            }
            id--; /* the same again, if it is not done */
        }
    }
    return SELSNAP_OK;
}

/* ---- a step ---- */

static int drop_designations(struct selsnap *ss, uint64_t budget, uint64_t *visited) {
    bool more = false;
    pthread_mutex_lock(&ss->admin);
    int rc = ssn_designation_drop_step(ss, budget - *visited, &more);
    pthread_mutex_unlock(&ss->admin);
    *visited = more ? budget : *visited + 1;
    return rc;
}

static int step(struct selsnap *ss, uint64_t budget, uint64_t *visited) {
    int rc = SELSNAP_OK;
    if (ss->due.unsure) {
        pthread_mutex_lock(&ss->admin);
        rc = ssn_reclaim_settle(ss);
        pthread_mutex_unlock(&ss->admin);
        ss->due.unsure = rc != SELSNAP_OK;
    }
    if (rc == SELSNAP_OK && atomic_load(&ss->due.walk)) {
        rc = walk_step(ss, budget, visited);
    }
    /* Damaged records of one kind keep nobody from the work of another. */
    int damaged = rc == SELSNAP_EDAMAGED ? rc : SELSNAP_OK;
    if (rc == damaged && *visited < budget && atomic_load(&ss->due.drop_jobs) > 0) {
        rc = drop_overlays(ss, budget, visited);
        damaged = rc == SELSNAP_EDAMAGED ? rc : damaged;
    }
    if ((rc == SELSNAP_OK || rc == damaged) && *visited < budget && atomic_load(&ss->due.drop_groups) > 0) {
        rc = drop_designations(ss, budget, visited);
    }
    ss->due.unsure = ss->due.unsure || rc == SELSNAP_ESTORE;
    return rc != SELSNAP_OK ? rc : damaged;
}

int ssn_reclaim_step(struct selsnap *ss, uint64_t budget, uint64_t *ret_visited, bool *ret_more) {
    if (pthread_mutex_trylock(&ss->step) != 0) {
        return ssn_fail(&ss->report, SELSNAP_EBUSY, "another thread reclaims");
    }
    uint64_t visited = 0;
    int rc = step(ss, ssn_max_u64(budget, 1), &visited);
    pthread_mutex_unlock(&ss->step);
    if (rc == SELSNAP_OK) {
        *ret_visited = visited;
        *ret_more = ssn_reclaim_pending(ss);
    }
    return rc;
}
