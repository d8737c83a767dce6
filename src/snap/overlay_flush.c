/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flushing an overlay, and resetting a snapshot to what it was.
 *
 * A flush first makes the data durable, since after a crash an overlay's data cannot be copied again from anywhere
 * (docs/format.md, section 7, step 3), and then commits the records in transactions of bounded size. A transaction
 * takes the new places and gives those that they replace [F-9].
 *
 * When a commit fails with SELSNAP_ESTORE, it is not known whether it took effect or will with a later batch, and the
 * snapshot is in doubt about its overlay. Until that is settled, nothing is put, committed or given back for it; what
 * may be the overlay's id stays in its record, so that whoever writes or deletes the snapshot's record meanwhile does
 * so for either case. Settling commits something that changes nothing: once that is acknowledged, the index tells.
 *
 *   doubt          reads                              settled
 *   FLUSH_UNSURE   what is pending, which is all of   the id as the index has it; what is committed is not
 *                  it                                 pending
 *   RESET_UNSURE   the snapshot as it was taken       reset again, unless the index has it so
 *   CLONE_UNSURE   the layer, which is all of it      the id as the index has it (layers.h)
 */
#include "layers.h"
#include "overlay.h"
#include "reclaim.h"
#include "snapshot.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

enum {
    /* Bytes of operations that a block adds at most: a put with its value, a take and a give. */
    OP_BYTES_PER_BLOCK = (1 + SSN_KEY_SIZE + 2 + 24) + 2 * (1 + 8 + 4),
    /* The snapshot's record, and the take and the give not yet added. */
    OP_BYTES_ASIDE = 256,
};

/* A run of places, gathered until one comes that does not follow. */
struct gathered {
    uint64_t place;
    uint32_t pages;
};

struct batch {
    struct selsnap *ss;
    struct ssn_overlay *overlay;
    struct ssn_txn txn;
    uint64_t id;
    bool fresh; /* the id is new: there is nothing to replace */
    struct gathered take;
    struct gathered give;
    uint64_t known_from; /* the index has no item of the overlay in [known_from, known_next), */
    uint64_t known_next; /* and this one at known_next */
    struct ssn_overlay_record known_record;
    uint64_t first; /* blocks in the transaction */
    uint64_t last;
    unsigned count;
    unsigned limit; /* at most so many */
};

/* true: what was gathered so far is in *ret_full, and place begins anew. */
static bool gather(struct gathered *run, uint64_t place, uint32_t pages, struct gathered *ret_full) {
    if (run->pages > 0 && run->place + run->pages == place && run->pages <= UINT32_MAX - pages) {
        run->pages += pages;
        return false;
    }
    *ret_full = *run;
    run->place = place;
    run->pages = pages;
    return ret_full->pages > 0;
}

static void add_take(struct batch *batch, uint64_t place) {
    struct gathered full;
    if (gather(&batch->take, place, batch->ss->block_pages, &full)) {
        ssn_txn_take(&batch->txn, full.place, full.pages);
    }
}

static void add_give(struct batch *batch, uint64_t place) {
    struct gathered full;
    if (gather(&batch->give, place, batch->ss->block_pages, &full)) {
        ssn_txn_give(&batch->txn, full.place, full.pages);
    }
}

static void add_gathered(struct batch *batch) {
    if (batch->take.pages > 0) {
        ssn_txn_take(&batch->txn, batch->take.place, batch->take.pages);
    }
    if (batch->give.pages > 0) {
        ssn_txn_give(&batch->txn, batch->give.place, batch->give.pages);
    }
}

/* What the index has for a block; in a gap between items that is known already it is not asked again. */
static int committed_record(struct batch *batch, uint64_t block, struct ssn_overlay_record *ret_record) {
    if (!batch->fresh && (block < batch->known_from || block > batch->known_next)) {
        int rc = ssn_overlay_seek(batch->ss, batch->id, block, &batch->known_next, &batch->known_record);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        batch->known_from = block;
    }
    if (!batch->fresh && block == batch->known_next) {
        *ret_record = batch->known_record;
    } else {
        memset(ret_record, 0, sizeof *ret_record);
    }
    return SELSNAP_OK;
}

static int add_block(struct batch *batch, uint64_t block, const struct ssn_overlay_record *record) {
    struct ssn_overlay_record old;
    int rc = committed_record(batch, block, &old);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    uint8_t value[24];
    uint16_t len = ssn_overlay_record_encode(value, record);
    struct ssn_key key = ssn_key_make(SSN_ITEM_OVERLAY, batch->id, block);
    ssn_txn_put(&batch->txn, &key, value, len);
    /* Settling leaves no pending record that is in the index; taking a place twice would be worse than asking. */
    bool same_place = old.kind == SSN_ENTRY_DATA && record->kind == SSN_ENTRY_DATA && old.place == record->place;
    if (record->kind == SSN_ENTRY_DATA && !same_place) {
        add_take(batch, record->place);
    }
    if (old.kind == SSN_ENTRY_DATA && !same_place) {
        add_give(batch, old.place);
    }
    if (batch->count++ == 0) {
        batch->first = block;
    }
    batch->last = block;
    return SELSNAP_OK;
}

/* Fills the transaction with the first pending blocks. */
static int fill(struct batch *batch, const struct ssn_snap *snap) {
    if (batch->fresh) {
        /* As it will be, and is in memory only after the commit. */
        struct ssn_snap changed = {.id = snap->id, .record = snap->record};
        changed.record.overlay = batch->id;
        ssn_snapshot_put_record(&batch->txn, &changed);
    }
    uint64_t from = 0;
    uint64_t block;
    struct ssn_overlay_record record;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && batch->count < batch->limit &&
           batch->txn.len + OP_BYTES_PER_BLOCK + OP_BYTES_ASIDE <= SSN_TXN_MAX &&
           ssn_overlay_pending_at(batch->overlay, from, &block, &record)) {
        rc = add_block(batch, block, &record);
        from = block + 1;
    }
    add_gathered(batch);
    return rc;
}

static void set_id(struct selsnap *ss, struct ssn_snap *snap, uint64_t id, enum ssn_overlay_doubt doubt) {
    ssn_catalogue_write_lock(&ss->catalogue);
    snap->record.overlay = id;
    snap->overlay_doubt = doubt;
    ssn_catalogue_unlock(&ss->catalogue);
}

static int commit(struct batch *batch, struct ssn_snap *snap) {
    batch->txn.accepted = true; /* the data has its places */
    int rc = ssn_store_commit(batch->ss->store, &batch->txn, false);
    if (rc == SELSNAP_OK) {
        if (batch->fresh) {
            set_id(batch->ss, snap, batch->id, SSN_OVERLAY_SURE);
        }
        ssn_overlay_forget(batch->ss, batch->overlay, batch->first, batch->last);
    } else if (rc == SELSNAP_ESTORE) {
        set_id(batch->ss, snap, batch->id, SSN_OVERLAY_FLUSH_UNSURE);
    }
    return rc;
}

/*
 * One transaction of at most *limit blocks. On SELSNAP_ENOSPACE *limit is less: the less a transaction changes, the
 * less room the checkpoint after it needs. writer is held, and admin when the snapshot has no overlay id.
 */
static int flush_some(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay, unsigned *limit) {
    struct batch batch = {
        .ss = ss, .overlay = overlay, .id = ssn_overlay_id(ss, snap), .known_from = UINT64_MAX, .limit = *limit};
    batch.fresh = batch.id == 0;
    if (batch.fresh) {
        batch.id = ssn_store_take_id(ss->store);
    }
    ssn_txn_init(&batch.txn, ss->store);
    int rc = fill(&batch, snap);
    if (rc == SELSNAP_OK) {
        rc = commit(&batch, snap);
    }
    ssn_txn_fini(&batch.txn);
    if (rc == SELSNAP_ENOSPACE) {
        *limit = batch.count / 8;
    }
    return rc;
}

/* ---- doubt ---- */

/* writer is held. */
static bool in_doubt(struct selsnap *ss, const struct ssn_snap *snap) {
    ssn_catalogue_read_lock(&ss->catalogue);
    bool doubt = snap->overlay_doubt != SSN_OVERLAY_SURE;
    ssn_catalogue_unlock(&ss->catalogue);
    return doubt;
}

/* The overlay id in the snapshot's record as the index has it. */
static int committed_id(struct selsnap *ss, const struct ssn_snap *snap, uint64_t *ret_id) {
    struct ssn_item item;
    struct ssn_snapshot_record record;
    struct ssn_key key = ssn_key_make(SSN_ITEM_SNAPSHOT, snap->id, 0);
    int rc = ssn_store_get(ss->store, &key, &item);
    if (rc == SELSNAP_ENOENT || (rc == SELSNAP_OK && !ssn_snapshot_record_decode(item.value, item.len, &record))) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the record of snapshot %" PRIu64 " is damaged", snap->id);
    }
    if (rc == SELSNAP_OK) {
        *ret_id = record.overlay;
    }
    return rc;
}

/* writer is held: what the index has as it is pending is not pending. */
static int forget_committed(struct selsnap *ss, struct ssn_overlay *overlay, uint64_t id) {
    uint64_t block = 0;
    uint64_t found = 0;
    int rc = SELSNAP_OK;
    struct ssn_overlay_record record;
    while (rc == SELSNAP_OK && found != UINT64_MAX && ssn_overlay_pending_at(overlay, block, &block, &record)) {
        struct ssn_overlay_record committed;
        rc = ssn_overlay_seek(ss, id, block, &found, &committed);
        if (rc == SELSNAP_OK && found == block && committed.kind == record.kind && committed.place == record.place) {
            ssn_overlay_forget(ss, overlay, block, block);
        }
        block++;
    }
    return rc;
}

/* admin and writer are held: the transaction after which the snapshot has no overlay. */
static int commit_reset(struct selsnap *ss, const struct ssn_snap *snap) {
    struct ssn_snap changed = {.id = snap->id, .record = snap->record};
    changed.record.overlay = 0;
    struct ssn_txn txn;
    ssn_txn_init(&txn, ss->store);
    ssn_snapshot_put_record(&txn, &changed);
    ssn_layers_put_release(ss, &txn, snap);
    int rc = ssn_store_commit(ss->store, &txn, true);
    ssn_txn_fini(&txn);
    ssn_layers_released(ss, snap, rc);
    return rc;
}

/* admin and writer are held. */
static int settle(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay) {
    if (snap->overlay_doubt == SSN_OVERLAY_SURE) {
        return SELSNAP_OK;
    }
    uint64_t id;
    int rc = ssn_layers_settle(ss);
    if (rc != SELSNAP_OK || snap->overlay_doubt == SSN_OVERLAY_SURE) {
        return rc;
    }
    rc = ssn_reclaim_settle(ss);
    rc = rc == SELSNAP_OK ? committed_id(ss, snap, &id) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (snap->overlay_doubt == SSN_OVERLAY_FLUSH_UNSURE) {
        rc = forget_committed(ss, overlay, id);
    } else if (id != 0) {
        rc = commit_reset(ss, snap);
        id = 0;
    }
    if (rc == SELSNAP_OK) {
        set_id(ss, snap, id, SSN_OVERLAY_SURE);
    }
    return rc;
}

int ssn_overlay_settle(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay) {
    pthread_mutex_lock(&overlay->writer);
    int rc = settle(ss, snap, overlay);
    pthread_mutex_unlock(&overlay->writer);
    return rc;
}

int ssn_overlay_lock_writer(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay) {
    pthread_mutex_lock(&overlay->writer);
    if (!in_doubt(ss, snap)) {
        return SELSNAP_OK;
    }
    pthread_mutex_unlock(&overlay->writer);
    pthread_mutex_lock(&ss->admin);
    pthread_mutex_lock(&overlay->writer);
    int rc = settle(ss, snap, overlay);
    if (rc != SELSNAP_OK) {
        pthread_mutex_unlock(&overlay->writer);
    }
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

/* ---- flushing and resetting ---- */

/* Writes what is pending again, as long as the store still gives it: a flush that failed may have dropped it. */
static int write_again(struct selsnap *ss, const struct ssn_overlay *overlay) {
    uint8_t *buf = ssn_buffers_take(&ss->buffers);
    uint64_t block = 0;
    struct ssn_overlay_record record;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && ssn_overlay_pending_at(overlay, block, &block, &record)) {
        const struct ssn_source source = {record.kind, 0, record.place, record.checksum};
        if (record.kind == SSN_ENTRY_DATA) {
            rc = ssn_resolve_read(ss, block, 1, &source, buf, NULL);
            rc = rc == SELSNAP_OK ? ssn_store_write_data(ss->store, record.place, buf, ss->block_bytes) : rc;
        }
        block++;
    }
    ssn_buffers_return(&ss->buffers, buf);
    return rc;
}

/* writer is held: makes the data of what is pending durable. */
static int flush_data(struct selsnap *ss, struct ssn_overlay *overlay) {
    uint64_t failures = ssn_store_flush_failures(ss->store);
    int rc = overlay->flush_failures != failures ? write_again(ss, overlay) : SELSNAP_OK;
    rc = rc == SELSNAP_OK ? ssn_store_flush(ss->store) : rc;
    if (rc == SELSNAP_OK && ssn_store_flush_failures(ss->store) != failures) {
        rc = ssn_fail(&ss->report, SELSNAP_ESTORE,
                      "another flush of the store failed beside that of a snapshot's overlay");
    }
    if (rc == SELSNAP_OK) {
        overlay->flush_failures = failures;
    }
    return rc;
}

/* Takes writer, and admin before it when it is needed: to settle a doubt, or to give the snapshot its overlay id. */
static bool lock_for_flush(struct selsnap *ss, const struct ssn_snap *snap, struct ssn_overlay *overlay) {
    pthread_mutex_lock(&overlay->writer);
    if (!in_doubt(ss, snap) && (overlay->pending_blocks == 0 || ssn_overlay_id(ss, snap) != 0)) {
        return false;
    }
    pthread_mutex_unlock(&overlay->writer);
    pthread_mutex_lock(&ss->admin);
    pthread_mutex_lock(&overlay->writer);
    return true;
}

/* *admin: it is held, and need not be for all of it. */
static int flush_all(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay, bool *admin) {
    int rc = SELSNAP_OK;
    if (overlay->pending_blocks > 0) {
        rc = flush_data(ss, overlay);
    }
    unsigned limit = UINT_MAX;
    while (rc == SELSNAP_OK && overlay->pending_blocks > 0) {
        rc = flush_some(ss, snap, overlay, &limit);
        if (rc == SELSNAP_OK && *admin) {
            /* The snapshot has its overlay id: who waits to change other snapshots need not wait for the rest. */
            pthread_mutex_unlock(&ss->admin);
            *admin = false;
        }
        rc = rc == SELSNAP_ENOSPACE && limit > 0 ? SELSNAP_OK : rc;
    }
    return rc;
}

int ssn_overlay_flush_held(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay) {
    bool let_go = false;
    int rc = settle(ss, snap, overlay);
    return rc == SELSNAP_OK ? flush_all(ss, snap, overlay, &let_go) : rc;
}

int ssn_overlay_flush(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay) {
    bool admin = lock_for_flush(ss, snap, overlay);
    int rc = admin ? settle(ss, snap, overlay) : SELSNAP_OK;
    rc = rc == SELSNAP_OK ? flush_all(ss, snap, overlay, &admin) : rc;
    pthread_mutex_unlock(&overlay->writer);
    if (admin) {
        pthread_mutex_unlock(&ss->admin);
    }
    return rc;
}

int ssn_view_flush(struct selsnap_view *view) {
    struct selsnap *ss = view->ss;
    int rc = ssn_check_usable(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (view->overlay != NULL) {
        return ssn_overlay_flush(ss, view->snap, view->overlay);
    }
    /* A pristine view has no overlay, but its snapshot may. */
    struct ssn_overlay *overlay = NULL;
    pthread_mutex_lock(&ss->admin);
    if (ssn_overlay_unflushed(ss, view->snap)) {
        rc = ssn_overlay_join(ss, view->snap, &overlay);
    }
    pthread_mutex_unlock(&ss->admin);
    if (overlay != NULL) {
        rc = ssn_overlay_flush(ss, view->snap, overlay);
        ssn_overlay_leave(ss, view->snap, overlay);
    }
    return rc;
}

/* admin is held. */
static int reset(struct selsnap_view *view, struct ssn_map **empty) {
    struct selsnap *ss = view->ss;
    struct ssn_snap *snap = view->snap;
    int rc = settle(ss, snap, view->overlay);
    rc = rc == SELSNAP_OK ? ssn_layers_settle(ss) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (snap->record.overlay != 0) {
        rc = commit_reset(ss, snap);
    }
    if (rc == SELSNAP_OK || rc == SELSNAP_ESTORE) {
        *empty = ssn_overlay_clear(ss, snap, view->overlay, *empty,
                                   rc == SELSNAP_OK ? SSN_OVERLAY_SURE : SSN_OVERLAY_RESET_UNSURE);
    }
    return rc;
}

/*
 * After SELSNAP_ESTORE the snapshot reads as reset: the job that drops its overlay may come alive with the next batch,
 * and must then find nobody who still reads there.
 */
int ssn_view_reset(struct selsnap_view *view) {
    struct selsnap *ss = view->ss;
    int rc = ssn_check_usable(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    struct ssn_map *map = ssn_map_open(&ss->mem);
    if (map == NULL) {
        return SELSNAP_ENOMEM;
    }
    pthread_mutex_lock(&ss->admin);
    pthread_mutex_lock(&view->overlay->writer);
    atomic_fetch_add(&view->overlay->resets, 1);
    rc = reset(view, &map);
    atomic_fetch_add(&view->overlay->resets, 1);
    pthread_mutex_unlock(&view->overlay->writer);
    pthread_mutex_unlock(&ss->admin);
    ssn_map_close(map);
    return rc;
}
