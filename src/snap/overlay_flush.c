/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flushing an overlay, and resetting a snapshot to what it was.
 *
 * A flush first makes the data durable, since after a crash an overlay's data cannot be copied again from anywhere
 * (docs/format.md, section 7, step 3), and then commits the records in transactions of bounded size. A transaction
 * takes the new places and gives those that they replace [F-9].
 *
 * When a commit fails with SELSNAP_ESTORE, its changes may become visible with a later batch, and surely before
 * anything committed later. Until it is known, the overlay is unsure: nothing is put, committed or given back but
 * through ssn_overlay_settle. In memory the snapshot has at once the overlay id that it will have then.
 */
#include "overlay.h"
#include "reclaim.h"
#include "snapshot.h"

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

/* Fills the transaction with pending blocks from `from` on. */
static int fill(struct batch *batch, struct ssn_snap *snap, uint64_t from) {
    if (batch->fresh) {
        /* As it will be, and is in memory only after the commit. */
        struct ssn_snap changed = {.id = snap->id, .record = snap->record};
        changed.record.overlay = batch->id;
        ssn_snapshot_put_record(&batch->txn, &changed);
    }
    uint64_t block;
    struct ssn_overlay_record record;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && batch->txn.len + OP_BYTES_PER_BLOCK + OP_BYTES_ASIDE <= SSN_TXN_MAX &&
           ssn_overlay_pending_at(batch->overlay, from, &block, &record)) {
        rc = add_block(batch, block, &record);
        from = block + 1;
    }
    add_gathered(batch);
    return rc;
}

static void set_id(struct selsnap *ss, struct ssn_snap *snap, uint64_t id) {
    ssn_catalogue_write_lock(&ss->catalogue);
    snap->record.overlay = id;
    ssn_catalogue_unlock(&ss->catalogue);
}

static int commit(struct batch *batch, struct ssn_snap *snap) {
    struct ssn_overlay *overlay = batch->overlay;
    int rc = ssn_store_commit(batch->ss->store, &batch->txn, false);
    if (batch->fresh && (rc == SELSNAP_OK || rc == SELSNAP_ESTORE)) {
        set_id(batch->ss, snap, batch->id);
    }
    if (rc == SELSNAP_OK) {
        ssn_overlay_forget(batch->ss, overlay, batch->first, batch->last);
    } else if (rc == SELSNAP_ESTORE) {
        overlay->unsure = true;
        overlay->unsure_first = batch->first;
        overlay->unsure_last = batch->last;
    }
    return rc;
}

/* One transaction. writer is held, and admin when the snapshot has no overlay id. */
static int flush_some(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay) {
    struct batch batch = {.ss = ss, .overlay = overlay, .id = ssn_overlay_id(ss, snap), .known_from = UINT64_MAX};
    batch.fresh = batch.id == 0;
    if (batch.fresh) {
        batch.id = ssn_store_take_id(ss->store);
    }
    ssn_txn_init(&batch.txn, ss->store);
    int rc = fill(&batch, snap, 0);
    if (rc == SELSNAP_OK) {
        rc = commit(&batch, snap);
    }
    ssn_txn_fini(&batch.txn);
    return rc;
}

int ssn_overlay_settle(struct selsnap *ss, struct ssn_overlay *overlay, const struct ssn_snap *snap) {
    if (!overlay->unsure) {
        return SELSNAP_OK;
    }
    /* Batches are acknowledged in order, so anything that is acknowledged now tells that what came before is. There is
     * no overlay 0: this changes nothing. */
    struct ssn_txn txn;
    struct ssn_key key = ssn_key_make(SSN_ITEM_OVERLAY, 0, 0);
    ssn_txn_init(&txn, ss->store);
    ssn_txn_delete(&txn, &key);
    int rc = ssn_store_commit(ss->store, &txn, true);
    ssn_txn_fini(&txn);
    uint64_t id = ssn_overlay_id(ss, snap);
    uint64_t block = overlay->unsure_first;
    struct ssn_overlay_record record;
    while (rc == SELSNAP_OK && ssn_overlay_pending_at(overlay, block, &block, &record) &&
           block <= overlay->unsure_last) {
        uint64_t found;
        struct ssn_overlay_record committed;
        rc = ssn_overlay_seek(ss, id, block, &found, &committed);
        if (rc == SELSNAP_OK && found == block && committed.kind == record.kind && committed.place == record.place) {
            ssn_overlay_forget(ss, overlay, block, block);
        }
        block++;
    }
    overlay->unsure = rc != SELSNAP_OK;
    return rc;
}

/* Takes writer, and admin before it when a flush will give the snapshot its overlay id; true: admin is held. */
static bool lock_for_flush(struct selsnap *ss, const struct ssn_snap *snap, struct ssn_overlay *overlay) {
    pthread_mutex_lock(&overlay->writer);
    if (overlay->pending_blocks == 0 || ssn_overlay_id(ss, snap) != 0) {
        return false;
    }
    pthread_mutex_unlock(&overlay->writer);
    pthread_mutex_lock(&ss->admin);
    pthread_mutex_lock(&overlay->writer);
    return true;
}

int ssn_overlay_flush(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay) {
    bool admin = lock_for_flush(ss, snap, overlay);
    int rc = SELSNAP_OK;
    if (overlay->pending_blocks > 0) {
        rc = ssn_overlay_settle(ss, overlay, snap);
    }
    if (rc == SELSNAP_OK && overlay->pending_blocks > 0) {
        rc = ssn_store_flush(ss->store);
    }
    while (rc == SELSNAP_OK && overlay->pending_blocks > 0) {
        rc = flush_some(ss, snap, overlay);
    }
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
    /* A pristine view has no overlay, but its snapshot may; to join it keeps it. */
    pthread_mutex_lock(&ss->admin);
    struct ssn_overlay *overlay = view->snap->overlay;
    if (overlay != NULL) {
        ssn_overlay_join(ss, view->snap, overlay);
    }
    pthread_mutex_unlock(&ss->admin);
    if (overlay != NULL) {
        rc = ssn_overlay_flush(ss, view->snap, overlay);
        ssn_overlay_leave(ss, view->snap, overlay);
    }
    return rc;
}

/* admin and writer are held: the transaction after which the snapshot has no overlay. */
static int commit_reset(struct selsnap *ss, const struct ssn_snap *snap, struct ssn_overlay *overlay) {
    struct ssn_snap changed = {.id = snap->id, .record = snap->record};
    changed.record.overlay = 0;
    struct ssn_txn txn;
    ssn_txn_init(&txn, ss->store);
    ssn_snapshot_put_record(&txn, &changed);
    ssn_reclaim_put_overlay_drop(ss, &txn, snap->record.overlay);
    int rc = ssn_store_commit(ss->store, &txn, true);
    ssn_txn_fini(&txn);
    if (rc == SELSNAP_OK || rc == SELSNAP_ESTORE) {
        ssn_reclaim_note_overlay(ss);
    }
    if (rc == SELSNAP_ESTORE) {
        overlay->unsure = true;
        overlay->unsure_first = UINT64_MAX;
        overlay->unsure_last = 0;
    }
    return rc;
}

/*
 * After SELSNAP_ESTORE the snapshot counts as reset: the job that drops its overlay may come alive with the next batch,
 * and must then find nobody who still reads or writes there.
 */
int ssn_view_reset(struct selsnap_view *view) {
    struct selsnap *ss = view->ss;
    int rc = ssn_check_usable(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    struct ssn_map *empty = ssn_map_open(&ss->mem);
    if (empty == NULL) {
        return SELSNAP_ENOMEM;
    }
    pthread_mutex_lock(&ss->admin);
    pthread_mutex_lock(&view->overlay->writer);
    rc = ssn_overlay_settle(ss, view->overlay, view->snap);
    bool settled = rc == SELSNAP_OK;
    if (settled && view->snap->record.overlay != 0) {
        rc = commit_reset(ss, view->snap, view->overlay);
    }
    if (settled && (rc == SELSNAP_OK || rc == SELSNAP_ESTORE)) {
        empty = ssn_overlay_clear(ss, view->snap, view->overlay, empty);
    }
    pthread_mutex_unlock(&view->overlay->writer);
    pthread_mutex_unlock(&ss->admin);
    ssn_map_close(empty);
    return rc;
}
