/* SPDX-License-Identifier: Apache-2.0 */
/* See quotas.h. */
#include "quotas.h"

#include "retention_inner.h"
#include "retention_record.h"

#include <inttypes.h>
#include <string.h>

uint64_t ssn_quota_percent(uint64_t part, uint64_t whole) {
    while (part > UINT64_MAX / 100) {
        part >>= 1;
        whole = ssn_max_u64(whole >> 1, 1);
    }
    return part * 100 / whole;
}

/* ---- the store's ---- */

static struct ssn_key store_key(void) {
    return ssn_key_make(SSN_ITEM_STATE, 2, 0);
}

/* 0: there is none. */
static int read_store_quota(struct selsnap *ss, uint64_t *ret_bytes) {
    struct ssn_key key = store_key();
    struct ssn_item item;
    uint64_t bytes = 0;
    int rc = ssn_store_get(ss->store, &key, &item);
    if (rc == SELSNAP_OK && !ssn_quota_decode(item.value, item.len, &bytes)) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the store's quota is damaged");
    }
    if (rc == SELSNAP_OK || rc == SELSNAP_ENOENT) {
        *ret_bytes = bytes;
        rc = SELSNAP_OK;
    }
    return rc;
}

/* admin is held, or nobody else knows the context: the store goes by what the index has. */
static int follow(struct selsnap *ss, uint64_t *ret_bytes) {
    int rc = read_store_quota(ss, ret_bytes);
    if (rc == SELSNAP_OK) {
        ssn_store_set_quota(ss->store, *ret_bytes);
    }
    return rc;
}

int ssn_quota_load(struct selsnap *ss) {
    uint64_t bytes;
    return follow(ss, &bytes);
}

static int set_locked(struct selsnap *ss, uint64_t bytes) {
    uint8_t value[SSN_QUOTA_SIZE];
    struct ssn_key key = store_key();
    struct ssn_txn txn;
    bool ever;
    int rc = ssn_store_settle(ss->store, &ever);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    ssn_txn_init(&txn, ss->store);
    if (bytes != 0) {
        ssn_txn_put(&txn, &key, value, ssn_quota_encode(value, bytes));
    } else {
        ssn_txn_delete(&txn, &key);
    }
    /* Essential, so that a quota that is reached can be raised. */
    rc = ssn_store_commit(ss->store, &txn, true);
    ssn_txn_fini(&txn);
    if (rc == SELSNAP_OK) {
        ssn_store_set_quota(ss->store, bytes);
    }
    return rc;
}

int ssn_quota_set(struct selsnap *ss, uint64_t bytes) {
    int rc = ssn_check_usable(ss);
    if (rc == SELSNAP_OK) {
        pthread_mutex_lock(&ss->admin);
        rc = set_locked(ss, bytes);
        pthread_mutex_unlock(&ss->admin);
    }
    return rc;
}

int ssn_quota_get(struct selsnap *ss, uint64_t *ret_bytes) {
    uint64_t bytes;
    pthread_mutex_lock(&ss->admin);
    int rc = follow(ss, &bytes); /* one that failed to be set may have taken effect by now */
    pthread_mutex_unlock(&ss->admin);
    if (rc == SELSNAP_OK) {
        *ret_bytes = bytes;
    }
    return rc;
}

/* ---- a snapshot's ---- */

static int set_snapshot_locked(struct selsnap *ss, uint64_t id, uint64_t bytes) {
    struct ssn_snap *snap;
    struct ssn_term_record record;
    int rc = ssn_retention_find(ss, id, &snap);
    rc = rc == SELSNAP_OK ? ssn_term_get_settled(ss, id, &record) : rc;
    if (rc == SELSNAP_OK) {
        record.quota_bytes = bytes;
        rc = ssn_term_put(ss, id, &record);
    }
    return rc;
}

int ssn_quota_set_snapshot(struct selsnap *ss, uint64_t id, uint64_t bytes) {
    int rc = ssn_check_usable(ss);
    if (rc == SELSNAP_OK) {
        pthread_mutex_lock(&ss->admin);
        rc = set_snapshot_locked(ss, id, bytes);
        pthread_mutex_unlock(&ss->admin);
    }
    return rc;
}

/* What the index has of an overlay. */
static int count_flushed(struct selsnap *ss, uint64_t id, uint64_t *ret_blocks) {
    struct ssn_overlay_record record;
    uint64_t block = 0;
    uint64_t blocks = 0;
    int rc;
    while ((rc = ssn_overlay_seek(ss, id, block, &block, &record)) == SELSNAP_OK && block != UINT64_MAX) {
        blocks += record.kind == SSN_ENTRY_DATA;
        block++;
    }
    if (rc == SELSNAP_OK) {
        *ret_blocks = blocks;
    }
    return rc;
}

/* writer is held: what is pending counts instead of what the index has. */
static int count_overlay(struct selsnap *ss, const struct ssn_snap *snap, struct ssn_overlay *overlay) {
    uint64_t id = ssn_overlay_id(ss, snap);
    uint64_t blocks = 0;
    uint64_t block = 0;
    struct ssn_overlay_record record;
    int rc = overlay->counted ? SELSNAP_OK : count_flushed(ss, id, &blocks);
    while (rc == SELSNAP_OK && !overlay->counted && ssn_overlay_pending_at(overlay, block, &block, &record)) {
        struct ssn_overlay_record flushed;
        uint64_t found;
        rc = ssn_overlay_seek(ss, id, block, &found, &flushed);
        blocks += record.kind == SSN_ENTRY_DATA;
        blocks -= rc == SELSNAP_OK && found == block && flushed.kind == SSN_ENTRY_DATA;
        block++;
    }
    if (rc == SELSNAP_OK && !overlay->counted) {
        overlay->data_blocks = blocks;
        overlay->counted = true;
    }
    return rc;
}

/* admin is held. */
static int used_blocks(struct selsnap *ss, const struct ssn_snap *snap, uint64_t *ret_blocks) {
    struct ssn_overlay *overlay = snap->overlay;
    if (overlay == NULL) {
        return count_flushed(ss, ssn_overlay_id(ss, snap), ret_blocks);
    }
    pthread_mutex_lock(&overlay->writer);
    int rc = count_overlay(ss, snap, overlay);
    if (rc == SELSNAP_OK) {
        *ret_blocks = overlay->data_blocks;
    }
    pthread_mutex_unlock(&overlay->writer);
    return rc;
}

int ssn_quota_get_snapshot(struct selsnap *ss, uint64_t id, uint64_t *ret_bytes, uint64_t *ret_used) {
    struct ssn_snap *snap;
    struct ssn_term_record record = {0, 0};
    uint64_t blocks = 0;
    int rc = ssn_check_usable(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    pthread_mutex_lock(&ss->admin);
    rc = ssn_retention_find(ss, id, &snap);
    rc = rc == SELSNAP_OK ? ssn_term_get(ss, id, &record) : rc;
    rc = rc == SELSNAP_OK && ret_used != NULL ? used_blocks(ss, snap, &blocks) : rc;
    pthread_mutex_unlock(&ss->admin);
    if (rc == SELSNAP_OK && ret_bytes != NULL) {
        *ret_bytes = record.quota_bytes;
    }
    if (rc == SELSNAP_OK && ret_used != NULL) {
        *ret_used = ssn_offset_of(ss, blocks);
    }
    return rc;
}

/* ---- writes into a snapshot ---- */

/* Blocks of data that are overwritten. */
static int count_old(struct selsnap *ss, const struct ssn_snap *snap, struct ssn_overlay *overlay, uint64_t first_block,
                     unsigned count, int64_t *ret_blocks) {
    struct ssn_source sources[SSN_RUN_BLOCKS];
    uint64_t run = first_block / SSN_RUN_BLOCKS;
    unsigned first = (unsigned)(first_block % SSN_RUN_BLOCKS);
    uint64_t id;
    memset(sources, 0, sizeof sources);
    ssn_overlay_look_pending(ss, overlay, snap, run, first, count, sources, &id);
    int rc = id != 0 ? ssn_overlay_look_one(ss, id, run, first, count, sources) : SELSNAP_OK;
    *ret_blocks = 0;
    for (unsigned i = 0; i < count; i++) {
        *ret_blocks += sources[i].kind == SSN_ENTRY_DATA;
    }
    return rc;
}

/* The step that so many blocks have passed. */
static unsigned step_of(const struct selsnap *ss, uint64_t blocks, uint64_t quota) {
    static const unsigned steps[] = {75, 90, 95, 99};
    uint64_t percent = ssn_quota_percent(ssn_offset_of(ss, blocks), quota);
    unsigned step = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        step = percent >= steps[i] ? steps[i] : step;
    }
    return step;
}

static void note_step(struct ssn_overlay *overlay, unsigned step, struct ssn_quota_change *change) {
    change->tell = step > overlay->told ? step : 0;
    overlay->told = step;
}

int ssn_quota_ask(struct selsnap *ss, const struct ssn_snap *snap, struct ssn_overlay *overlay, uint64_t first_block,
                  unsigned count, const struct ssn_overlay_record *records, struct ssn_quota_change *ret_change) {
    struct ssn_term_record term;
    int64_t old = 0;
    memset(ret_change, 0, sizeof *ret_change);
    int rc = ssn_term_get(ss, snap->id, &term);
    if (rc != SELSNAP_OK || term.quota_bytes == 0) {
        return rc;
    }
    rc = count_overlay(ss, snap, overlay);
    rc = rc == SELSNAP_OK ? count_old(ss, snap, overlay, first_block, count, &old) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    ret_change->quota = term.quota_bytes;
    for (unsigned i = 0; i < count; i++) {
        ret_change->growth += records[i].kind == SSN_ENTRY_DATA;
    }
    ret_change->growth -= old;
    uint64_t after = overlay->data_blocks + (uint64_t)ret_change->growth;
    if (ret_change->growth > 0 && after > term.quota_bytes / ss->block_bytes) {
        note_step(overlay, 100, ret_change);
        return ssn_fail(&ss->report, SELSNAP_EQUOTA,
                        "no more than %" PRIu64 " bytes may be written into snapshot %" PRIu64 ", and %" PRIu64
                        " are; set another quota, or reset it",
                        term.quota_bytes, snap->id, ssn_offset_of(ss, overlay->data_blocks));
    }
    return SELSNAP_OK;
}

void ssn_quota_count(struct selsnap *ss, struct ssn_overlay *overlay, struct ssn_quota_change *change, bool done) {
    overlay->counted = overlay->counted && done && change->quota != 0;
    if (overlay->counted && change->growth != 0) {
        overlay->data_blocks += (uint64_t)change->growth;
        note_step(overlay, step_of(ss, overlay->data_blocks, change->quota), change);
    }
}
