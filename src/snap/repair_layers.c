/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See repair.h. Layers: which overlays lie on which. Where that is not known of an overlay, it may have lain on any that
 * is nobody's own; what the snapshot reads is then not known either.
 */
#include "repair.h"

#include "layers.h"

int ssn_repair_plan_layer(struct ssn_repair *repair, const struct ssn_item *item) {
    uint64_t parent = 0;
    bool sound = item->key.minor == 0 && item->key.major < ssn_store_next_id(repair->old.store) &&
                 ssn_layer_decode(item->key.major, item->value, item->len, &parent);
    if (!sound) {
        return ssn_store_add_gap(repair->old.store, &item->key);
    }
    if (!ssn_layers_reserve(&repair->old, 1)) {
        return SELSNAP_ENOMEM;
    }
    ssn_layers_add(&repair->old, item->key.major, parent);
    return SELSNAP_OK;
}

/* Whether a known item of the type, snapshot or job, says that the overlay is no layer: somebody's own, or dropped. */
static int find_own(struct ssn_repair *repair, uint8_t type, uint64_t overlay, bool *ret_own) {
    struct ssn_key key = ssn_key_make(type, 0, 0);
    struct ssn_item item;
    int rc = SELSNAP_OK;
    while (!*ret_own && (rc = ssn_store_seek(repair->old.store, &key, &item)) == SELSNAP_OK && item.key.type == type) {
        struct ssn_snapshot_record snap;
        struct ssn_job_record job;
        bool own = type == SSN_ITEM_SNAPSHOT && ssn_snapshot_record_decode(item.value, item.len, &snap) &&
                   snap.overlay == overlay;
        bool dropped = type == SSN_ITEM_JOB && ssn_job_record_decode(item.value, item.len, &job) &&
                       job.kind == SSN_JOB_DROP_OVERLAY && job.subject == overlay;
        *ret_own = own || dropped;
        key = item.key;
        (void)ssn_key_after(&key);
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

/* Whether some overlay older than this one may be a layer. */
static int any_layer_below(struct ssn_repair *repair, uint64_t overlay, bool *ret_any) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_OVERLAY, 0, 0);
    struct ssn_key last = ssn_key_make(SSN_ITEM_OVERLAY, overlay - 1, UINT64_MAX);
    struct ssn_item item;
    int rc = SELSNAP_OK;
    *ret_any = ssn_store_gap_meets(repair->old.store, &key, &last);
    while (!*ret_any && (rc = ssn_store_seek(repair->old.store, &key, &item)) == SELSNAP_OK &&
           item.key.type == SSN_ITEM_OVERLAY && item.key.major < overlay) {
        bool own = false;
        rc = find_own(repair, SSN_ITEM_SNAPSHOT, item.key.major, &own);
        rc = rc == SELSNAP_OK ? find_own(repair, SSN_ITEM_JOB, item.key.major, &own) : rc;
        if (rc != SELSNAP_OK) {
            return rc;
        }
        *ret_any = !own;
        key = ssn_key_make(SSN_ITEM_OVERLAY, item.key.major + 1, 0);
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

int ssn_repair_chain(struct ssn_repair *repair, uint64_t overlay, uint64_t *ret_ids, unsigned *ret_count,
                     bool *ret_known) {
    struct ssn_item item;
    *ret_known = true;
    *ret_count = ssn_layers_chain(&repair->old, overlay, ret_ids);
    if (*ret_count == 0) {
        return SELSNAP_OK;
    }
    uint64_t lowest = ret_ids[*ret_count - 1];
    struct ssn_key key = ssn_key_make(SSN_ITEM_LAYER, lowest, 0);
    int rc = ssn_store_get(repair->old.store, &key, &item);
    if (rc == SELSNAP_OK) {
        *ret_known = false; /* the chain is longer than any can be */
    }
    if (rc == SELSNAP_ENOENT) {
        bool any = false;
        rc = SELSNAP_OK;
        if (ssn_store_gap_meets(repair->old.store, &key, &key)) {
            rc = any_layer_below(repair, lowest, &any);
        }
        *ret_known = !any;
    }
    return rc;
}

bool ssn_repair_reads(struct ssn_repair *repair, size_t index, uint64_t overlay) {
    uint64_t ids[SSN_LAYER_CHAIN_MAX];
    unsigned count = ssn_layers_chain(&repair->old, repair->by_point[index]->record.overlay, ids);
    for (unsigned i = 0; i < count; i++) {
        if (ids[i] == overlay) {
            return true;
        }
    }
    return false;
}

int ssn_repair_put_layer(struct ssn_repair *repair, uint64_t overlay, uint64_t parent) {
    uint8_t value[8];
    struct ssn_key key = ssn_key_make(SSN_ITEM_LAYER, overlay, 0);
    return ssn_repair_put(repair, &key, value, ssn_layer_encode(value, parent));
}
