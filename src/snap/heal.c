/* SPDX-License-Identifier: Apache-2.0 */
/* See heal.h. */
#include "heal.h"

#include "checksum.h"
#include "needed.h"
#include "resolve.h"
#include "restore.h"

#include <inttypes.h>
#include <string.h>

static void above(uint64_t *counter, uint64_t named) {
    if (named != UINT64_MAX && named >= *counter) {
        *counter = named + 1;
    }
}

int ssn_replayed_note(void *user, const struct ssn_key *key, const uint8_t *value, uint16_t len, bool last) {
    struct ssn_replayed *replayed = user;
    struct ssn_snapshot_record snapshot;
    struct ssn_job_record job;
    switch (key->type) {
    case SSN_ITEM_ENTRY:
        above(&replayed->epoch, key->minor);
        break;
    case SSN_ITEM_SNAPSHOT:
        above(&replayed->id, key->major);
        if (ssn_snapshot_record_decode(value, len, &snapshot)) {
            above(&replayed->epoch, snapshot.point);
            above(&replayed->id, snapshot.overlay);
        }
        break;
    case SSN_ITEM_JOB:
        above(&replayed->id, key->major);
        if (ssn_job_record_decode(value, len, &job)) {
            above(&replayed->epoch, job.point);
        }
        break;
    case SSN_ITEM_HOLD:
        above(&replayed->id, key->minor);
        break;
    case SSN_ITEM_DESIGNATION:
    case SSN_ITEM_RANGES:
    case SSN_ITEM_OVERLAY:
    case SSN_ITEM_LAYER:
        above(&replayed->id, key->major);
        break;
    default:
        break;
    }
    if (!last || key->type != SSN_ITEM_ENTRY) {
        return SELSNAP_OK;
    }
    if (!ssn_grow(replayed->mem, (void **)&replayed->tail, &replayed->tail_capacity, replayed->tail_count,
                  sizeof *replayed->tail)) {
        return SELSNAP_EMEMLIMIT;
    }
    replayed->tail[replayed->tail_count++] = *key;
    return SELSNAP_OK;
}

void ssn_replayed_fini(struct ssn_replayed *replayed) {
    ssn_free(replayed->mem, replayed->tail);
}

/* Opening passes damage by: what cannot be looked up is not good, or not there. */
static int pass_damage(int rc) {
    return rc == SELSNAP_EDAMAGED ? SELSNAP_OK : rc;
}

/* Whether a block's copy in the store has its checksum. */
static int copy_is_good(struct selsnap *ss, uint64_t place, uint64_t checksum, uint8_t *buf, bool *ret_good) {
    int rc = ssn_store_read_data(ss->store, place, buf, ss->block_bytes);
    *ret_good = rc == SELSNAP_OK && ssn_checksum(buf, ss->block_bytes) == checksum;
    return pass_damage(rc);
}

struct tail_entry {
    uint64_t first_block;
    unsigned blocks;
    const struct ssn_item *item;
    uint64_t place;
    bool again; /* what is good is written again, too */
};

/*
 * The origin may have lost what a restore copied to it: that is not flushed before a write preserves it for a younger
 * snapshot. It stands in the store, under the entry that the restore copied from, of an older epoch.
 */
static int find_older_copy(struct selsnap *ss, const struct tail_entry *entry, uint64_t block, uint64_t checksum,
                           uint8_t *buf, bool *ret_found) {
    uint64_t epoch = entry->item->key.minor;
    struct ssn_source source = {SSN_ENTRY_NONE, 0, 0, 0};
    *ret_found = false;
    do {
        int rc = ssn_resolve_at(ss, block / SSN_RUN_BLOCKS, (unsigned)(block % SSN_RUN_BLOCKS), 1, source.epoch + 1,
                                epoch, &source);
        if (rc == SELSNAP_OK && source.kind == SSN_ENTRY_DATA && source.checksum == checksum) {
            rc = copy_is_good(ss, source.place, checksum, buf, ret_found);
        }
        if (rc != SELSNAP_OK) {
            return entry->again ? rc : pass_damage(rc);
        }
    } while (source.kind != SSN_ENTRY_NONE && !*ret_found);
    return SELSNAP_OK;
}

/* Whether a restore has yet to copy the block: then, without the entry, it reads as the restore's source does. */
static bool redirected(struct selsnap *ss, uint64_t block) {
    struct ssn_runbits remaining;
    unsigned in_run = (unsigned)(block % SSN_RUN_BLOCKS);
    return ssn_restore_remaining(ss, block / SSN_RUN_BLOCKS, in_run, 1, &remaining, NULL, NULL) == SELSNAP_OK &&
           ssn_runbits_any(&remaining);
}

/*
 * Whether the content with the checksum stands elsewhere: on the origin, or under an older entry. It is then in buf. On
 * a read-only store only what the block reads as without its entry counts.
 */
static int find_elsewhere(struct selsnap *ss, const struct tail_entry *entry, uint64_t block, uint64_t checksum,
                          uint8_t *buf, bool *ret_found) {
    *ret_found = block < ss->block_count && ssn_origin_read_blocks(ss, block, 1, buf) == SELSNAP_OK &&
                 ssn_checksum(buf, ss->block_bytes) == checksum;
    if (*ret_found || block >= ss->block_count || (ss->read_only && !redirected(ss, block))) {
        return SELSNAP_OK;
    }
    return find_older_copy(ss, entry, block, checksum, buf, ret_found);
}

/* One block: its copy is good or mended (*ret_good), or its content stands elsewhere (*ret_elsewhere). */
static int heal_block(struct selsnap *ss, const struct tail_entry *entry, unsigned i, uint8_t *buf, bool *ret_good,
                      bool *ret_elsewhere) {
    uint64_t place = entry->place + (uint64_t)i * ss->block_pages;
    uint64_t checksum = ssn_entry_checksum(entry->item->value, i);
    uint64_t block = entry->first_block + i;
    *ret_elsewhere = false;
    int rc = copy_is_good(ss, place, checksum, buf, ret_good);
    if (rc == SELSNAP_OK && *ret_good && entry->again) {
        return ssn_store_write_data(ss->store, place, buf, ss->block_bytes);
    }
    if (rc != SELSNAP_OK || (*ret_good && !ss->read_only)) {
        return rc;
    }
    rc = find_elsewhere(ss, entry, block, checksum, buf, ret_elsewhere);
    if (rc != SELSNAP_OK || !*ret_elsewhere || *ret_good || ss->read_only) {
        return rc;
    }
    ssn_log(&ss->report, SELSNAP_LOG_INFO, "recovery: block %" PRIu64 " is preserved again from the origin", block);
    rc = ssn_store_write_data(ss->store, place, buf, ss->block_bytes);
    *ret_good = rc == SELSNAP_OK;
    return pass_damage(rc);
}

/* *ret_mended: every block of the entry can be read again. */
static int heal_entry(struct selsnap *ss, const struct ssn_item *item, bool again, uint8_t *buf, bool *ret_mended) {
    struct ssn_entry_record record;
    *ret_mended = true;
    if (!ssn_entry_record_decode(item->key.major, item->value, item->len, &record) || record.kind != SSN_ENTRY_DATA) {
        return SELSNAP_OK;
    }
    struct tail_entry entry = {ssn_entry_run(item->key.major) * SSN_RUN_BLOCKS + ssn_entry_first(item->key.major),
                               ssn_entry_blocks(item->key.major), item, record.place, again};
    bool all_elsewhere = true;
    for (unsigned i = 0; i < entry.blocks; i++) {
        bool good;
        bool elsewhere;
        int rc = heal_block(ss, &entry, i, buf, &good, &elsewhere);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        *ret_mended = *ret_mended && good;
        all_elsewhere = all_elsewhere && elsewhere;
    }
    if (*ret_mended || !ss->read_only || !all_elsewhere) {
        return SELSNAP_OK;
    }
    /* Nothing may be written; without the entry, it is read from where it still is. */
    *ret_mended = true;
    return ssn_store_forget(ss->store, &item->key);
}

int ssn_heal_tail(struct selsnap *ss, struct ssn_replayed *replayed) {
    uint8_t *buf = ssn_buffers_take(&ss->buffers);
    int rc = SELSNAP_OK;
    size_t kept = 0;
    for (size_t i = 0; rc == SELSNAP_OK && i < replayed->tail_count; i++) {
        struct ssn_item item;
        bool mended = true;
        rc = ssn_store_get(ss->store, &replayed->tail[i], &item);
        if (rc == SELSNAP_OK) {
            rc = heal_entry(ss, &item, false, buf, &mended);
        } else if (rc == SELSNAP_ENOENT) {
            rc = SELSNAP_OK;
        }
        if (!mended) {
            replayed->tail[kept++] = replayed->tail[i];
        }
    }
    replayed->tail_count = kept;
    ssn_buffers_return(&ss->buffers, buf);
    return rc;
}

/*
 * A snapshot that a crash kept from being made can leave an entry behind whose content was never flushed anywhere.
 * Nobody can ask for it.
 */
static int drop_if_unneeded(struct selsnap *ss, const struct ssn_key *key) {
    bool any;
    bool data;
    struct ssn_item item;
    struct ssn_entry_record record;
    int rc = ssn_extent_needed(ss, key->major, key->minor, 0, &any, &data);
    rc = rc == SELSNAP_OK ? ssn_store_get(ss->store, key, &item) : rc;
    if (rc == SELSNAP_ENOENT || rc == SELSNAP_EDAMAGED) {
        return SELSNAP_OK; /* dropped already: a batch may name it twice; or not to be judged, and kept [F-16] */
    }
    if (rc != SELSNAP_OK || !ssn_entry_record_decode(key->major, item.value, item.len, &record)) {
        return rc;
    }
    if (any) {
        ssn_log(&ss->report, SELSNAP_LOG_WARNING,
                "recovery: the preserved copy of blocks from %" PRIu64
                " on is damaged, and the origin has other content",
                ssn_entry_run(key->major) * SSN_RUN_BLOCKS + ssn_entry_first(key->major));
        return SELSNAP_OK;
    }
    struct ssn_txn txn;
    ssn_txn_init(&txn, ss->store);
    ssn_txn_delete(&txn, key);
    ssn_txn_give(&txn, record.place, ssn_entry_blocks(key->major) * ss->block_pages);
    rc = ssn_store_commit(ss->store, &txn, true);
    ssn_txn_fini(&txn);
    return rc == SELSNAP_ENOSPACE ? SELSNAP_OK : pass_damage(rc); /* a store that full opens all the same [P7] */
}

int ssn_heal_drop_unneeded(struct selsnap *ss, const struct ssn_replayed *replayed) {
    int rc = SELSNAP_OK;
    for (size_t i = 0; rc == SELSNAP_OK && i < replayed->tail_count; i++) {
        rc = drop_if_unneeded(ss, &replayed->tail[i]);
    }
    return rc;
}

/* Overlay data is nowhere else; what is still right is written again. */
static int rewrite_overlay(struct selsnap *ss, const uint8_t *value, uint16_t len, uint8_t *buf, bool *ret_mended) {
    struct ssn_overlay_record record;
    if (!ssn_overlay_record_decode(value, len, &record) || record.kind != SSN_ENTRY_DATA) {
        return SELSNAP_OK;
    }
    int rc = copy_is_good(ss, record.place, record.checksum, buf, ret_mended);
    return rc == SELSNAP_OK && *ret_mended ? ssn_store_write_data(ss->store, record.place, buf, ss->block_bytes) : rc;
}

int ssn_heal_rewrite(void *user, const struct ssn_key *key, const uint8_t *value, uint16_t len) {
    struct selsnap *ss = user;
    if (key->type != SSN_ITEM_ENTRY && key->type != SSN_ITEM_OVERLAY) {
        return SELSNAP_OK;
    }
    /* Not from the pool: those who wait for this batch may have all of it. */
    uint8_t *buf = ssn_alloc(&ss->mem, ss->block_bytes);
    if (buf == NULL) {
        return ssn_fail(&ss->report, SELSNAP_ESTORE, "no memory to write data again after a failed flush");
    }
    bool mended = true;
    int rc;
    if (key->type == SSN_ITEM_OVERLAY) {
        rc = rewrite_overlay(ss, value, len, buf, &mended);
    } else {
        struct ssn_item item = {.key = *key, .len = len};
        memcpy(item.value, value, len);
        rc = heal_entry(ss, &item, true, buf, &mended);
    }
    if (rc == SELSNAP_OK && !mended) {
        ssn_log(&ss->report, SELSNAP_LOG_WARNING,
                "data that a failed flush has lost is nowhere else; it reads as damaged");
    }
    ssn_free(&ss->mem, buf);
    return rc;
}
