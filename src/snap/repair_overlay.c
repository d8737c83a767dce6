/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See repair.h. What was written into snapshots. A block whose data is damaged, and one that may have been written and
 * is not known, is recorded as lost in the overlay itself: the snapshot as it was taken is not touched by that.
 */
#include "repair.h"

#include "checksum.h"
#include "designation.h"
#include "layers.h"

#include <string.h>

static int put_record(struct ssn_repair *repair, const struct ssn_key *key, const struct ssn_overlay_record *record) {
    uint8_t value[SSN_VALUE_MAX];
    int rc = ssn_repair_put(repair, key, value, ssn_overlay_record_encode(value, record));
    if (rc == SELSNAP_OK && record->kind == SSN_ENTRY_DATA) {
        ssn_txn_take(&repair->txn, record->place, repair->fresh.block_pages);
    }
    return rc;
}

static int put_lost(struct ssn_repair *repair, size_t index, const struct ssn_key *key) {
    const struct ssn_overlay_record lost = {.kind = SSN_ENTRY_LOST_DAMAGE};
    repair->result.blocks_lost++;
    for (size_t i = index; i < repair->snap_count; i++) {
        if (i == index || ssn_repair_reads(repair, i, key->major)) {
            ssn_repair_tell_block(repair, i, key->minor, 1, SSN_LOSS_WRITTEN);
        }
    }
    return put_record(repair, key, &lost);
}

static int copy_data(struct ssn_repair *repair, size_t index, const struct ssn_key *key,
                     struct ssn_overlay_record *record) {
    uint32_t len = repair->old.block_bytes;
    int rc = ssn_store_read_data(repair->old.store, record->place, repair->buf, len);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (ssn_checksum(repair->buf, len) != record->checksum) {
        return put_lost(repair, index, key);
    }
    rc = ssn_repair_take(repair, 1, &record->place);
    rc = rc == SELSNAP_OK ? ssn_store_write_data(repair->fresh.store, record->place, repair->buf, len) : rc;
    repair->result.blocks_salvaged += rc == SELSNAP_OK;
    return rc == SELSNAP_OK ? put_record(repair, key, record) : rc;
}

static int copy_item(struct ssn_repair *repair, size_t index, const struct ssn_item *item) {
    struct ssn_overlay_record record;
    if (item->key.minor >= repair->old.block_count) {
        return SELSNAP_OK;
    }
    if (!ssn_overlay_record_decode(item->value, item->len, &record)) {
        return ssn_store_add_gap(repair->old.store, &item->key);
    }
    if (record.kind == SSN_ENTRY_DATA) {
        return copy_data(repair, index, &item->key, &record);
    }
    repair->result.blocks_salvaged += record.kind == SSN_ENTRY_ZERO;
    return put_record(repair, &item->key, &record);
}

static int copy_known(struct ssn_repair *repair, size_t index, uint64_t overlay) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_OVERLAY, overlay, 0);
    struct ssn_item item;
    int rc;
    while ((rc = ssn_store_seek(repair->old.store, &key, &item)) == SELSNAP_OK && item.key.type == SSN_ITEM_OVERLAY &&
           item.key.major == overlay) {
        rc = copy_item(repair, index, &item);
        key = item.key;
        if (rc != SELSNAP_OK || !ssn_key_after(&key)) {
            return rc;
        }
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

/* The designated blocks from `from` to `upto`, but for those that are known. */
static int lose_range(struct ssn_repair *repair, size_t index, uint64_t overlay, uint64_t from, uint64_t upto) {
    const struct ssn_snap *snap = repair->by_point[index];
    struct ssn_block_range range;
    int rc;
    while ((rc = ssn_designation_next_range(&repair->old, snap->group->id, snap->group->whole, from, &range)) ==
               SELSNAP_OK &&
           range.first <= upto) {
        uint64_t last = ssn_min_u64(range.first + range.count - 1, upto);
        for (uint64_t block = range.first; block <= last; block++) {
            struct ssn_key key = ssn_key_make(SSN_ITEM_OVERLAY, overlay, block);
            struct ssn_item item;
            rc = ssn_store_get(repair->old.store, &key, &item);
            rc = rc == SELSNAP_ENOENT ? put_lost(repair, index, &key) : rc;
            if (rc != SELSNAP_OK) {
                return rc;
            }
        }
        from = last + 1;
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

static int lose_unknown(struct ssn_repair *repair, size_t index, uint64_t overlay) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_OVERLAY, overlay, 0);
    struct ssn_key end = ssn_key_make(SSN_ITEM_OVERLAY, overlay, UINT64_MAX);
    struct ssn_gap gap;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && ssn_store_next_gap(repair->old.store, &key, &gap) &&
           ssn_key_compare(&gap.low, &end) <= 0) {
        uint64_t from = ssn_key_compare(&gap.low, &key) < 0 ? key.minor : gap.low.minor;
        bool beyond = ssn_key_compare(&gap.last, &end) >= 0;
        rc = lose_range(repair, index, overlay, from, beyond ? UINT64_MAX : gap.last.minor);
        if (beyond) {
            break;
        }
        key = gap.last;
        (void)ssn_key_after(&key);
    }
    return rc;
}

/* Whether a snapshot before this one reads through the overlay, so that it is copied already. */
static bool copied(struct ssn_repair *repair, size_t index, uint64_t overlay) {
    for (size_t i = 0; repair->old.catalogue.layer_count > 0 && i < index; i++) {
        if (ssn_repair_reads(repair, i, overlay)) {
            return true;
        }
    }
    return false;
}

int ssn_repair_overlays(struct ssn_repair *repair) {
    int rc = SELSNAP_OK;
    for (size_t i = 0; rc == SELSNAP_OK && i < repair->snap_count; i++) {
        uint64_t ids[SSN_LAYER_CHAIN_MAX];
        unsigned count = ssn_layers_chain(&repair->old, repair->by_point[i]->record.overlay, ids);
        for (unsigned layer = 0; rc == SELSNAP_OK && layer < count && !copied(repair, i, ids[layer]); layer++) {
            rc = layer + 1 < count ? ssn_repair_put_layer(repair, ids[layer], ids[layer + 1]) : SELSNAP_OK;
            rc = rc == SELSNAP_OK ? copy_known(repair, i, ids[layer]) : rc;
            ssn_repair_tell_all(repair);
            rc = rc == SELSNAP_OK ? lose_unknown(repair, i, ids[layer]) : rc;
            ssn_repair_tell_all(repair);
        }
    }
    return rc;
}
