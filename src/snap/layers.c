/* SPDX-License-Identifier: Apache-2.0 */
/* See layers.h. */
#include "layers.h"

#include "reclaim.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* The index of the first layer whose id is not below `overlay`. */
static size_t index_of(const struct ssn_catalogue *catalogue, uint64_t overlay) {
    size_t low = 0;
    size_t high = catalogue->layer_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (catalogue->layers[middle].overlay >= overlay) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* With the lock held, or admin. 0: nothing is below. */
static uint64_t parent_of(const struct ssn_catalogue *catalogue, uint64_t overlay) {
    size_t at = index_of(catalogue, overlay);
    bool found = at < catalogue->layer_count && catalogue->layers[at].overlay == overlay;
    return found ? catalogue->layers[at].parent : 0;
}

/* With the lock held, or admin. Parents are older, so it ends; *ret_more: the chain goes on. */
static unsigned chain_of(const struct ssn_catalogue *catalogue, uint64_t overlay, uint64_t *ret_ids, bool *ret_more) {
    unsigned count = 0;
    while (overlay != 0 && count < SSN_LAYER_CHAIN_MAX) {
        ret_ids[count++] = overlay;
        overlay = parent_of(catalogue, overlay);
    }
    *ret_more = overlay != 0;
    return count;
}

unsigned ssn_layers_chain(struct selsnap *ss, uint64_t overlay, uint64_t *ret_ids) {
    bool more;
    ssn_catalogue_read_lock(&ss->catalogue);
    unsigned count = chain_of(&ss->catalogue, overlay, ret_ids, &more);
    ssn_catalogue_unlock(&ss->catalogue);
    return count;
}

/* admin is held: whether another snapshot than `snap`, or another layer than `above`, needs the overlay. */
static bool needed_besides(const struct ssn_catalogue *catalogue, uint64_t overlay, const struct ssn_snap *snap,
                           uint64_t above) {
    for (size_t i = 0; i < catalogue->layer_count; i++) {
        if (catalogue->layers[i].parent == overlay && catalogue->layers[i].overlay != above) {
            return true;
        }
    }
    for (size_t i = 0; i < catalogue->snap_count; i++) {
        if (catalogue->snaps[i] != snap && catalogue->snaps[i]->record.overlay == overlay) {
            return true;
        }
    }
    return false;
}

unsigned ssn_layers_alone(struct selsnap *ss, const struct ssn_snap *snap, const uint64_t *ids, unsigned count) {
    unsigned alone = ss->catalogue.layer_count == 0 ? count : 0;
    while (alone < count && !needed_besides(&ss->catalogue, ids[alone], snap, alone > 0 ? ids[alone - 1] : 0)) {
        alone++;
    }
    return alone;
}

/* ---- changing ---- */

bool ssn_layers_reserve(struct selsnap *ss, unsigned more) {
    struct ssn_catalogue *catalogue = &ss->catalogue;
    ssn_catalogue_write_lock(catalogue);
    bool room = ssn_grow(catalogue->mem, (void **)&catalogue->layers, &catalogue->layer_capacity,
                         catalogue->layer_count + more - 1, sizeof *catalogue->layers);
    ssn_catalogue_unlock(catalogue);
    return room;
}

void ssn_layers_add(struct selsnap *ss, uint64_t overlay, uint64_t parent) {
    struct ssn_catalogue *catalogue = &ss->catalogue;
    ssn_catalogue_write_lock(catalogue);
    assert(catalogue->layer_count < catalogue->layer_capacity && parent != 0 && parent < overlay);
    size_t at = index_of(catalogue, overlay);
    memmove(catalogue->layers + at + 1, catalogue->layers + at,
            (catalogue->layer_count - at) * sizeof *catalogue->layers);
    catalogue->layers[at] = (struct ssn_layer){overlay, parent};
    catalogue->layer_count++;
    ssn_catalogue_unlock(catalogue);
}

void ssn_layers_remove(struct selsnap *ss, uint64_t overlay) {
    struct ssn_catalogue *catalogue = &ss->catalogue;
    ssn_catalogue_write_lock(catalogue);
    size_t at = index_of(catalogue, overlay);
    if (at < catalogue->layer_count && catalogue->layers[at].overlay == overlay) {
        catalogue->layer_count--;
        memmove(catalogue->layers + at, catalogue->layers + at + 1,
                (catalogue->layer_count - at) * sizeof *catalogue->layers);
    }
    ssn_catalogue_unlock(catalogue);
}

void ssn_layers_put(struct ssn_txn *txn, uint64_t overlay, uint64_t parent) {
    uint8_t value[8];
    struct ssn_key key = ssn_key_make(SSN_ITEM_LAYER, overlay, 0);
    ssn_txn_put(txn, &key, value, ssn_layer_encode(value, parent));
}

/* ---- letting go ---- */

/* admin is held. */
static unsigned to_release(struct selsnap *ss, const struct ssn_snap *snap, uint64_t *ret_ids) {
    unsigned count = ssn_layers_chain(ss, snap->record.overlay, ret_ids);
    return ssn_layers_alone(ss, snap, ret_ids, count);
}

void ssn_layers_put_release(struct selsnap *ss, struct ssn_txn *txn, const struct ssn_snap *snap) {
    uint64_t ids[SSN_LAYER_CHAIN_MAX];
    unsigned count = to_release(ss, snap, ids);
    for (unsigned i = 0; i < count; i++) {
        ssn_reclaim_put_overlay_drop(ss, txn, ids[i]);
        if (parent_of(&ss->catalogue, ids[i]) != 0) {
            struct ssn_key key = ssn_key_make(SSN_ITEM_LAYER, ids[i], 0);
            ssn_txn_delete(txn, &key);
        }
    }
}

void ssn_layers_released(struct selsnap *ss, const struct ssn_snap *snap, int rc) {
    uint64_t ids[SSN_LAYER_CHAIN_MAX];
    unsigned count = rc == SELSNAP_OK || rc == SELSNAP_ESTORE ? to_release(ss, snap, ids) : 0;
    for (unsigned i = 0; i < count; i++) {
        ssn_reclaim_note_overlay(ss);
        if (rc == SELSNAP_OK) {
            ssn_layers_remove(ss, ids[i]);
        }
    }
}

/* ---- doubt ---- */

/* admin is held. A flush in doubt is about what is pending: the overlay itself is known, or new and on nothing. */
static bool in_doubt(const struct ssn_snap *snap) {
    return snap->state == SSN_SNAP_DOOMED || snap->to_bookmark || snap->overlay_doubt == SSN_OVERLAY_RESET_UNSURE ||
           snap->overlay_doubt == SSN_OVERLAY_CLONE_UNSURE;
}

/* Takes over from the store which overlay the snapshot has. */
static int settle_snapshot(struct selsnap *ss, struct ssn_snap *snap) {
    struct ssn_item item;
    struct ssn_snapshot_record record = {.overlay = 0};
    struct ssn_key key = ssn_key_make(SSN_ITEM_SNAPSHOT, snap->id, 0);
    int rc = ssn_store_get(ss->store, &key, &item);
    if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
        return rc;
    }
    if (rc == SELSNAP_OK && !ssn_snapshot_record_decode(item.value, item.len, &record)) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the record of snapshot %" PRIu64 " is damaged", snap->id);
    }
    ssn_catalogue_write_lock(&ss->catalogue);
    snap->record.overlay = record.overlay;
    if (snap->overlay_doubt == SSN_OVERLAY_CLONE_UNSURE || record.overlay == 0) {
        snap->overlay_doubt = SSN_OVERLAY_SURE;
    }
    ssn_catalogue_unlock(&ss->catalogue);
    return SELSNAP_OK;
}

/* Forgets the layers that the store does not have. */
static int settle_layers(struct selsnap *ss) {
    struct ssn_catalogue *catalogue = &ss->catalogue;
    for (size_t i = catalogue->layer_count; i > 0; i--) {
        struct ssn_item item;
        struct ssn_key key = ssn_key_make(SSN_ITEM_LAYER, catalogue->layers[i - 1].overlay, 0);
        int rc = ssn_store_get(ss->store, &key, &item);
        if (rc == SELSNAP_ENOENT) {
            ssn_layers_remove(ss, key.major);
        } else if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    return SELSNAP_OK;
}

int ssn_layers_settle(struct selsnap *ss) {
    struct ssn_catalogue *catalogue = &ss->catalogue;
    int rc = SELSNAP_OK;
    bool asked = false;
    for (size_t i = 0; rc == SELSNAP_OK && catalogue->layer_count > 0 && i < catalogue->snap_count; i++) {
        struct ssn_snap *snap = catalogue->snaps[i];
        if (in_doubt(snap)) {
            rc = asked ? SELSNAP_OK : ssn_reclaim_settle(ss);
            asked = true;
            rc = rc == SELSNAP_OK ? settle_snapshot(ss, snap) : rc;
        }
    }
    return rc == SELSNAP_OK && asked ? settle_layers(ss) : rc;
}

/* ---- at open ---- */

int ssn_layers_load(struct selsnap *ss, const struct ssn_item *item) {
    uint64_t parent = 0;
    if (item->key.minor != 0 || !ssn_layer_decode(item->key.major, item->value, item->len, &parent)) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the record of layer %" PRIu64 " is damaged", item->key.major);
    }
    if (!ssn_layers_reserve(ss, 1)) {
        return ssn_fail(&ss->report, SELSNAP_EMEMLIMIT,
                        "the layers of this store do not fit under the memory limit of %" PRIu64 " bytes",
                        ss->mem.limit);
    }
    ssn_layers_add(ss, item->key.major, parent);
    return SELSNAP_OK;
}

int ssn_layers_loaded(struct selsnap *ss) {
    const struct ssn_catalogue *catalogue = &ss->catalogue;
    for (size_t i = 0; i < catalogue->snap_count; i++) {
        uint64_t ids[SSN_LAYER_CHAIN_MAX];
        bool more;
        (void)chain_of(catalogue, catalogue->snaps[i]->record.overlay, ids, &more);
        if (more) {
            return ssn_fail(&ss->report, SELSNAP_EDAMAGED,
                            "what was written into snapshot %" PRIu64 " is in more than %d layers",
                            catalogue->snaps[i]->id, SSN_LAYER_CHAIN_MAX);
        }
    }
    return SELSNAP_OK;
}
