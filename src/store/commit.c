/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits. A transaction is admitted: room in the ring, in memory, and for the next checkpoint's pages is made sure of,
 * by a checkpoint where need be. Then it is appended to the open batch, and nothing but the device can fail any more.
 * Whoever waits and finds no leader leads: writes the batch, flushes, publishes it in the index.
 *
 * After a failed write or flush the batch in flight stays as it is. The next leader writes the same bytes again, and
 * before them the data that the batch names, as far as it was written before a flush failed: a failed flush may have
 * dropped it, and a later good one would not tell.
 */
#include "store_inner.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum {
    ADMIT_ATTEMPTS = 3,    /* checkpoints for one transaction's sake, where one may help */
    CROWD_ATTEMPTS = 1000, /* for room in ring and maps, or for what is announced: others may use what each one frees */
    CHANGES_PER_LEAF = 1300, /* bytes: what a leaf holds at least, when changes fill new ones */
    LEAVES_OF_INNER = 50,    /* what an inner page above new leaves holds at least */
    SPACE_ITEM_BYTES = 29,
    ANNOUNCED_BYTES = 80, /* of a change that is announced */
    TIGHT_NEED = 100,     /* pages: a checkpoint of this size has a ledger of one page */
    COPY_BYTES = 65536,
};

/* What a transaction does. */
struct load {
    uint64_t ops, bytes, takes, gives, deletes;
};

static struct load load_of(const struct ssn_txn *txn) {
    struct load load = {0, 0, 0, 0, 0};
    struct ssn_ops_iter iter = ssn_ops_begin(txn->data, txn->len);
    struct ssn_op op;
    enum ssn_iter_result result;
    while ((result = ssn_ops_next(&iter, &op)) == SSN_ITER_ITEM) {
        load.ops += op.kind == SSN_OP_PUT || op.kind == SSN_OP_DELETE;
        load.bytes += op.kind == SSN_OP_PUT ? (uint64_t)op.len + SSN_KEY_SIZE + 4 : 0;
        load.takes += op.kind == SSN_OP_TAKE;
        load.gives += op.kind == SSN_OP_GIVE;
        load.deletes += op.kind == SSN_OP_DELETE;
    }
    assert(result == SSN_ITER_END);
    return load;
}

/* ---- what the next checkpoint may need ---- */

/* journal.lock: what is published and not folded, and what waits to be. */
static struct ssn_load unfolded(const struct ssn_store *store) {
    struct ssn_load load = {0, 0, 0};
    const struct ssn_generation *generations[] = {&store->active, &store->frozen};
    const struct ssn_batch *batches[] = {store->journal.open, store->journal.flight};
    for (int i = 0; i < 2; i++) {
        if (generations[i]->map != NULL) {
            load.ops += ssn_map_count(generations[i]->map);
            load.bytes += ssn_map_bytes(generations[i]->map);
            load.runs += generations[i]->taken.count + generations[i]->given.count;
        }
        if (batches[i] != NULL) {
            load.ops += batches[i]->ops;
            load.bytes += batches[i]->bytes;
            load.runs += batches[i]->run_count;
        }
    }
    return load;
}

/* Leaves that the tree may grow by. */
static uint64_t new_leaves(const struct ssn_load *load) {
    return (load->bytes + load->runs * (UINT64_C(2) * SPACE_ITEM_BYTES)) / CHANGES_PER_LEAF + 2;
}

uint64_t ssn_store_need(struct ssn_store *store, const struct ssn_load *more, uint64_t announced) {
    struct ssn_load load = unfolded(store);
    load.ops += more->ops;
    load.bytes += more->bytes;
    load.runs += more->runs;
    uint64_t growth = 0;
    if (announced > 0) {
        /* A checkpoint without the announced changes keeps these pages; and the one with them writes as many more. */
        growth = new_leaves(&load);
        growth = 2 * (growth + growth / LEAVES_OF_INNER + 1);
        load.ops += announced;
        load.bytes += announced * ANNOUNCED_BYTES;
        load.runs += announced;
    }
    uint64_t leaves = atomic_load(&store->leaf_count);
    uint64_t pages = atomic_load(&store->page_count);
    uint64_t inner = pages > leaves ? pages - leaves : 0;
    uint64_t level = atomic_load(&store->root_level);
    uint64_t dirty = ssn_min_u64(load.ops + 2 * load.runs, leaves) + new_leaves(&load);
    uint64_t above = ssn_min_u64(inner, dirty * level) + dirty / LEAVES_OF_INNER + level + 1;
    return dirty + above + ssn_ledger_pages(2 * (dirty + above)) + growth;
}

static uint64_t map_memory(const struct ssn_store *store) {
    return ssn_generation_memory(&store->active) + ssn_generation_memory(&store->frozen);
}

static bool maps_full(const struct ssn_store *store) {
    return store->map_limit != 0 && map_memory(store) > store->map_limit;
}

unsigned ssn_store_pressure_locked(struct ssn_store *store) {
    uint64_t ring = store->journal.used * 100 / store->journal.ring_pages;
    uint64_t memory = store->map_limit != 0 ? map_memory(store) * 100 / store->map_limit : 0;
    return (unsigned)ssn_min_u64(ssn_max_u64(ring, memory), 100);
}

unsigned ssn_store_pressure(struct ssn_store *store) {
    pthread_mutex_lock(&store->journal.lock);
    unsigned percent = ssn_store_pressure_locked(store);
    pthread_mutex_unlock(&store->journal.lock);
    return percent;
}

static bool changes_wait(const struct ssn_store *store) {
    const struct ssn_journal *journal = &store->journal;
    return journal->used > 0 || journal->flight != NULL || (journal->open != NULL && journal->open->len > 0);
}

/* Pages that stay after a transaction, beside what the next checkpoint needs. */
static uint64_t kept_after(struct ssn_store *store, const struct ssn_txn *txn, const struct load *load,
                           bool essential) {
    if (essential && load->deletes + load->gives > 0) {
        return 0; /* what lessens the store may use the reserve up */
    }
    /* What records losses leaves a part of it to that. So does what was announced, and has found all of it then. */
    if (essential || txn->announced > 0) {
        return store->fixed_reserve / 4;
    }
    return txn->accepted ? store->fixed_reserve : ssn_store_kept(store);
}

/* journal.lock. SELSNAP_EBUSY: not before a checkpoint. */
static int check_space(struct ssn_store *store, const struct ssn_txn *txn, const struct load *load, bool essential) {
    const struct ssn_load more = {load->ops, load->bytes, load->takes + load->gives};
    uint64_t room = atomic_load(&store->space.room);
    uint64_t keep = kept_after(store, txn, load, essential);
    uint64_t announced = keep > 0 ? atomic_load(&store->announced) : txn->announced;
    assert(announced >= txn->announced);
    uint64_t need = ssn_store_need(store, &more, announced - txn->announced);
    bool wait = changes_wait(store);
    if (room >= need + keep) {
        bool tight = need > TIGHT_NEED && room < 4 * store->fixed_reserve;
        return tight && wait ? SELSNAP_EBUSY : SELSNAP_OK;
    }
    return wait ? SELSNAP_EBUSY : SELSNAP_ENOSPACE;
}

/* journal.lock: tries to bring into the map what publication could not. */
static bool tighten(struct ssn_store *store) {
    struct ssn_journal *journal = &store->journal;
    bool ok = true;
    while (ok && store->active.loose_count > 0) {
        struct ssn_batch *batch = NULL;
        pthread_rwlock_wrlock(&store->index_lock);
        ok = ssn_generation_tighten(&store->active, &batch);
        pthread_rwlock_unlock(&store->index_lock);
        if (ok && journal->idle == NULL) {
            journal->idle = batch;
        } else if (ok) {
            ssn_batch_free(store->mem, batch);
        }
    }
    return ok;
}

/* ---- the leader ---- */

static int write_ring(struct ssn_store *store) {
    const struct ssn_journal *journal = &store->journal;
    uint64_t page = journal->seal.position / SSN_SECTORS_PER_PAGE;
    uint64_t first = ssn_min_u64(journal->pages, journal->ring_pages - page);
    int rc = ssn_store_dev_write(store, "a journal batch", journal->sectors, (size_t)first * SSN_PAGE_SIZE,
                                 SSN_JOURNAL_PLACE + page);
    if (rc == SELSNAP_OK && first < journal->pages) {
        rc = ssn_store_dev_write(store, "a journal batch", journal->sectors + first * SSN_PAGE_SIZE,
                                 (size_t)(journal->pages - first) * SSN_PAGE_SIZE, SSN_JOURNAL_PLACE);
    }
    return rc;
}

/* Reads a run and writes it again. */
static int rewrite_run(struct ssn_store *store, const struct ssn_op *op, uint8_t *copy) {
    int rc = SELSNAP_OK;
    for (uint64_t done = 0; rc == SELSNAP_OK && done < op->pages;) {
        uint64_t part = ssn_min_u64(op->pages - done, COPY_BYTES / SSN_PAGE_SIZE);
        size_t len = (size_t)part * SSN_PAGE_SIZE;
        rc = ssn_store_dev_read(store, "data, to write it again,", copy, len, op->place + done);
        rc = rc != SELSNAP_OK ? rc : ssn_store_dev_write(store, "data again", copy, len, op->place + done);
        done += part;
    }
    return rc;
}

/* Writes the data again that flight names: by the layer above, which knows its checksums, or run by run. */
static int rewrite_data(struct ssn_store *store) {
    const struct ssn_batch *batch = store->journal.flight;
    uint8_t *copy = ssn_alloc(store->mem, COPY_BYTES);
    if (copy == NULL) {
        return ssn_fail(store->report, SELSNAP_ESTORE, "no memory to write data again after a failed flush");
    }
    struct ssn_ops_iter txns = ssn_ops_begin(batch->payload, batch->len);
    struct ssn_ops_iter ops;
    struct ssn_op op;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && ssn_txns_next(&txns, &ops) == SSN_ITER_ITEM) {
        while (rc == SELSNAP_OK && ssn_ops_next(&ops, &op) == SSN_ITER_ITEM) {
            if (op.kind == SSN_OP_TAKE && store->rewrite == NULL) {
                rc = rewrite_run(store, &op, copy);
            } else if (op.kind == SSN_OP_PUT && store->rewrite != NULL) {
                rc = store->rewrite(store->rewrite_user, &op.key, op.value, op.len);
            }
        }
    }
    ssn_free(store->mem, copy);
    return rc;
}

static int write_flight(struct ssn_store *store) {
    uint64_t failures = atomic_load(&store->flush_failures);
    int rc = store->journal.flight->failures < failures ? rewrite_data(store) : SELSNAP_OK;
    rc = rc != SELSNAP_OK ? rc : write_ring(store);
    rc = rc != SELSNAP_OK ? rc : ssn_store_dev_flush(store, "a journal batch");
    if (rc == SELSNAP_OK && atomic_load(&store->flush_failures) != failures) {
        rc = ssn_fail(store->report, SELSNAP_ESTORE,
                      "another flush of the store failed while a journal batch was being written; it is written again "
                      "before anything is acknowledged");
    }
    return rc;
}

/* journal.lock: flight is durable; it becomes visible. Cannot fail. */
static void publish(struct ssn_store *store) {
    struct ssn_journal *journal = &store->journal;
    struct ssn_batch *batch = journal->flight;
    struct ssn_ops_iter txns = ssn_ops_begin(batch->payload, batch->len);
    struct ssn_ops_iter ops;
    struct ssn_op op;
    pthread_rwlock_wrlock(&store->index_lock);
    struct ssn_generation *active = &store->active;
    while (ssn_txns_next(&txns, &ops) == SSN_ITER_ITEM) {
        while (ssn_ops_next(&ops, &op) == SSN_ITER_ITEM) {
            if (op.kind == SSN_OP_TAKE) {
                ssn_runs_append_reserved(&active->taken, op.place, op.pages);
            } else if (op.kind == SSN_OP_GIVE) {
                ssn_runs_append_reserved(&active->given, op.place, op.pages);
            }
        }
    }
    journal->flight = NULL;
    if (active->loose_count > 0 || !ssn_generation_apply(active, batch)) {
        assert(active->loose_count < SSN_LOOSE_MAX);
        active->loose[active->loose_count++] = batch;
    } else if (journal->idle == NULL) {
        journal->idle = batch;
    } else {
        ssn_batch_free(store->mem, batch);
    }
    atomic_fetch_add(&store->version, 1);
    pthread_rwlock_unlock(&store->index_lock);
    atomic_fetch_add(&store->commits, 1);
}

/* journal.lock, no leader, something to write. The lock is given up on the way. */
static int lead(struct ssn_store *store) {
    struct ssn_journal *journal = &store->journal;
    bool again = journal->failed;
    journal->leader = true;
    if (!again) {
        ssn_journal_take_off(journal);
    }
    pthread_mutex_unlock(&journal->lock);
    if (!again) {
        ssn_journal_seal(journal);
    }
    int rc = write_flight(store);
    ssn_store_set_failed(store, rc != SELSNAP_OK);
    pthread_mutex_lock(&journal->lock);
    if (rc == SELSNAP_OK) {
        ssn_journal_advance(journal);
        publish(store);
    } else {
        journal->failures++;
    }
    journal->failed = rc != SELSNAP_OK;
    journal->leader = false;
    pthread_cond_broadcast(&journal->changed);
    return rc;
}

/* journal.lock. */
static int wait_published(struct ssn_store *store, uint64_t serial) {
    struct ssn_journal *journal = &store->journal;
    uint64_t failures = journal->failures;
    while (journal->done < serial) {
        if (journal->failures != failures) {
            journal->given_up = ssn_max_u64(journal->given_up, serial);
            return SELSNAP_ESTORE;
        }
        if (journal->leader) {
            pthread_cond_wait(&journal->changed, &journal->lock);
        } else {
            (void)lead(store); /* a failure shows in journal->failures */
        }
    }
    return SELSNAP_OK;
}

int ssn_store_settle(struct ssn_store *store, bool *ret_ever) {
    struct ssn_journal *journal = &store->journal;
    pthread_mutex_lock(&journal->lock);
    *ret_ever = journal->given_up > 0;
    int rc = wait_published(store, journal->given_up);
    pthread_mutex_unlock(&journal->lock);
    return rc;
}

int ssn_store_drain(struct ssn_store *store) {
    struct ssn_journal *journal = &store->journal;
    int rc = SELSNAP_OK;
    pthread_mutex_lock(&journal->lock);
    while (rc == SELSNAP_OK && (journal->flight != NULL || (journal->open != NULL && journal->open->len > 0))) {
        if (journal->leader) {
            pthread_cond_wait(&journal->changed, &journal->lock);
        } else {
            rc = lead(store);
        }
    }
    pthread_mutex_unlock(&journal->lock);
    return rc;
}

/* ---- admission ---- */

/* journal.lock: room in lists, for what publication appends to them. */
static bool reserve_lists(struct ssn_store *store, const struct load *load) {
    if (!ssn_runs_reserve(&store->active.taken, (size_t)load->takes)) {
        return false;
    }
    if (!ssn_runs_reserve(&store->active.given, (size_t)load->gives)) {
        ssn_runs_unreserve(&store->active.taken, (size_t)load->takes);
        return false;
    }
    return true;
}

static void unreserve_lists(struct ssn_store *store, const struct load *load) {
    ssn_runs_unreserve(&store->active.taken, (size_t)load->takes);
    ssn_runs_unreserve(&store->active.given, (size_t)load->gives);
}

/* journal.lock: the space that the transaction takes is no longer the caller's. */
static int claim_space(struct ssn_store *store, const struct ssn_txn *txn) {
    struct ssn_ops_iter iter = ssn_ops_begin(txn->data, txn->len);
    struct ssn_op op;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && ssn_ops_next(&iter, &op) == SSN_ITER_ITEM) {
        if (op.kind == SSN_OP_TAKE) {
            rc = ssn_space_claim(&store->space, op.place, op.pages, &store->journal.open->failures);
        }
    }
    return rc;
}

/* journal.lock. SELSNAP_EBUSY: after a checkpoint perhaps; SELSNAP_ELOCKED: after the batch in flight. */
static int admit(struct ssn_store *store, const struct ssn_txn *txn, const struct load *load, bool essential) {
    struct ssn_journal *journal = &store->journal;
    if (!tighten(store) || !ssn_journal_make_open(journal)) {
        return SELSNAP_ENOMEM;
    }
    if (!ssn_journal_open_fits(journal, txn->len)) {
        return SELSNAP_ELOCKED;
    }
    if (!ssn_journal_fits(journal, txn->len)) {
        return SELSNAP_EBUSY;
    }
    if (maps_full(store)) {
        return SELSNAP_EBUSY;
    }
    int rc = check_space(store, txn, load, essential);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (!reserve_lists(store, load)) {
        return SELSNAP_ENOMEM;
    }
    rc = claim_space(store, txn);
    if (rc != SELSNAP_OK) {
        unreserve_lists(store, load);
    }
    return rc;
}

static uint64_t append(struct ssn_store *store, const struct ssn_txn *txn, const struct load *load) {
    struct ssn_batch *batch = store->journal.open;
    ssn_put32(batch->payload + batch->len, (uint32_t)txn->len);
    memcpy(batch->payload + batch->len + SSN_TXN_HEADER, txn->data, txn->len);
    batch->len += SSN_TXN_HEADER + txn->len;
    batch->ops += load->ops;
    batch->bytes += load->bytes;
    batch->run_count += load->takes + load->gives;
    return batch->serial;
}

/* journal.lock, given up on the way: a checkpoint, for room. */
static int make_room(struct ssn_store *store) {
    pthread_mutex_unlock(&store->journal.lock);
    /* What waits in the open batch is published first: only then can it be folded. */
    int rc = ssn_store_drain(store);
    rc = rc != SELSNAP_OK ? rc : ssn_store_checkpoint(store);
    pthread_mutex_lock(&store->journal.lock);
    return rc;
}

/* journal.lock, given up on the way. */
static int join(struct ssn_store *store, const struct ssn_txn *txn, const struct load *load, bool essential,
                uint64_t *ret_serial) {
    struct ssn_journal *journal = &store->journal;
    int attempts = 0;
    for (;;) {
        if (journal->failed) {
            if (journal->leader) {
                pthread_cond_wait(&journal->changed, &journal->lock);
            } else if (lead(store) != SELSNAP_OK) {
                return SELSNAP_ESTORE;
            }
            continue;
        }
        int rc = admit(store, txn, load, essential);
        if (rc == SELSNAP_OK) {
            *ret_serial = append(store, txn, load);
            return SELSNAP_OK;
        }
        if (rc == SELSNAP_ELOCKED) {
            if (journal->leader) {
                pthread_cond_wait(&journal->changed, &journal->lock);
            } else {
                (void)lead(store);
            }
            continue;
        }
        bool crowded =
            rc == SELSNAP_EBUSY && (maps_full(store) || !ssn_journal_fits(journal, txn->len) || txn->announced > 0);
        bool may_help = rc == SELSNAP_EBUSY || (rc == SELSNAP_ENOMEM && changes_wait(store));
        if (!may_help || attempts >= (crowded ? CROWD_ATTEMPTS : ADMIT_ATTEMPTS)) {
            return rc == SELSNAP_EBUSY ? SELSNAP_ENOSPACE : rc;
        }
        attempts++;
        rc = make_room(store);
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
}

/* After an acknowledged commit: folds before it becomes urgent, beside other writers. */
static void fold_early(struct ssn_store *store) {
    pthread_mutex_lock(&store->journal.lock);
    bool due = ssn_store_pressure_locked(store) > 50 && store->journal.used >= atomic_load(&store->retry_at);
    pthread_mutex_unlock(&store->journal.lock);
    if (!due) {
        return;
    }
    pthread_mutex_lock(&store->upkeep_lock);
    bool busy = store->upkeep_busy;
    store->upkeep_busy = true;
    pthread_mutex_unlock(&store->upkeep_lock);
    if (!busy) {
        int rc = ssn_checkpoint_run(store, 0, 0, false);
        ssn_upkeep_end(store, true, rc);
        uint64_t pause = store->journal.ring_pages / 16 + 1;
        atomic_store(&store->retry_at, rc == SELSNAP_OK ? 0 : store->journal.ring_pages / 2 + pause);
    }
}

int ssn_store_commit(struct ssn_store *store, struct ssn_txn *txn, bool essential) {
    if (txn->error != SELSNAP_OK) {
        return txn->error;
    }
    if (txn->len == 0) {
        return SELSNAP_OK;
    }
    struct load load = load_of(txn);
    uint64_t serial = 0;
    pthread_mutex_lock(&store->journal.lock);
    int rc = store->journal.ready ? join(store, txn, &load, essential, &serial) : SELSNAP_EREADONLY;
    if (rc == SELSNAP_OK) {
        rc = wait_published(store, serial);
    }
    pthread_mutex_unlock(&store->journal.lock);
    if (rc == SELSNAP_OK) {
        fold_early(store);
    } else if (rc == SELSNAP_ENOSPACE) {
        (void)ssn_fail(store->report, rc, "the store has no room for %" PRIu64 " changes and the checkpoint after them",
                       load.ops);
    }
    return rc;
}
