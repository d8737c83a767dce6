/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See resize.h. An origin grows in these steps, while nothing else is called on the context:
 *
 *   1. the device becomes longer; from here on a crash leaves a device that is longer than its origin (open.c)
 *   2. the last block is preserved for all who have it, if it is short: their copy ends with zeros [F-2], and what is
 *      written behind the old end is in no snapshot
 *   3. every snapshot gets an item with the old size [F-19]. It is true whatever comes then
 *   4. a superblock with the new size
 *   5. in memory: size, need bits, which designations are whole
 *
 * If the superblock may or may not be durable, the size stays the old one, and no snapshot is made before a superblock
 * says so.
 */
#include "resize.h"

#include "deferred.h"
#include "preserve.h"
#include "restore.h"
#include "snapshot.h"

#include <inttypes.h>
#include <string.h>

enum { ITEMS_AT_ONCE = 512 };

int ssn_context_grow_store(struct selsnap *ss, uint64_t bytes) {
    int rc = ssn_check_usable(ss);
    uint64_t before = ssn_store_size_pages(ss->store);
    rc = rc == SELSNAP_OK ? ssn_store_grow(ss->store, bytes) : rc;
    uint64_t now = ssn_store_size_pages(ss->store);
    if (rc == SELSNAP_OK && now != before) {
        ssn_log(&ss->report, SELSNAP_LOG_INFO, "the store has grown from %" PRIu64 " to %" PRIu64 " pages", before,
                now);
    }
    return rc;
}

/* ---- sizes of snapshots ---- */

int ssn_snapshot_size(struct selsnap *ss, uint64_t id, uint64_t *ret_bytes) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_SIZE, id, 0);
    struct ssn_item item;
    uint64_t bytes = ss->origin_bytes;
    int rc = ssn_store_get(ss->store, &key, &item);
    if (rc == SELSNAP_OK && (!ssn_size_decode(item.value, item.len, &bytes) || bytes > ss->origin_bytes)) {
        rc = ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the size of the origin at snapshot %" PRIu64 " is damaged", id);
    }
    if (rc == SELSNAP_OK || rc == SELSNAP_ENOENT) {
        *ret_bytes = bytes;
        rc = SELSNAP_OK;
    }
    return rc;
}

int ssn_snapshot_copy_size(struct selsnap *ss, struct ssn_txn *txn, uint64_t from, uint64_t to) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_SIZE, from, 0);
    struct ssn_item item;
    int rc = ssn_store_get(ss->store, &key, &item);
    if (rc == SELSNAP_OK) {
        key.major = to;
        ssn_txn_put(txn, &key, item.value, item.len);
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

int ssn_origin_settle_size(struct selsnap *ss) {
    int rc = ss->size_unsure ? ssn_store_set_origin(ss->store, ss->origin_bytes) : SELSNAP_OK;
    ss->size_unsure = ss->size_unsure && rc != SELSNAP_OK;
    return rc;
}

/* admin is held: notes the present size with the next snapshots that have none. */
static int note_some(struct selsnap *ss, size_t *next) {
    struct ssn_txn txn;
    uint8_t value[8];
    int rc = SELSNAP_OK;
    unsigned count = 0;
    uint16_t len = ssn_size_encode(value, ss->origin_bytes);
    ssn_txn_init(&txn, ss->store);
    while (*next < ss->catalogue.snap_count && count < ITEMS_AT_ONCE) {
        struct ssn_key key = ssn_key_make(SSN_ITEM_SIZE, ss->catalogue.snaps[*next]->id, 0);
        struct ssn_item item;
        rc = ssn_store_get(ss->store, &key, &item);
        if (rc == SELSNAP_ENOENT) {
            ssn_txn_put(&txn, &key, value, len);
            count++;
            rc = SELSNAP_OK;
        }
        if (rc != SELSNAP_OK) {
            break;
        }
        (*next)++;
    }
    rc = rc == SELSNAP_OK && count > 0 ? ssn_store_commit(ss->store, &txn, true) : rc;
    ssn_txn_fini(&txn);
    return rc;
}

/* ---- growing ---- */

/* admin is held: nothing is under way that goes by the size. */
static int check_idle(struct selsnap *ss) {
    bool views = false;
    for (size_t i = 0; i < ss->catalogue.snap_count; i++) {
        views = views || ss->catalogue.snaps[i]->views > 0;
    }
    if (views || ss->catalogue.job_count > 0) {
        return ssn_fail(&ss->report, SELSNAP_EBUSY,
                        views ? "views are open; close them first" : "a restore is not finished; run it to its end");
    }
    int rc = ssn_snapshot_settle_doomed(ss);
    rc = rc == SELSNAP_OK ? ssn_restore_settle(ss) : rc;
    rc = rc == SELSNAP_OK ? ssn_origin_settle_size(ss) : rc;
    return rc == SELSNAP_OK ? ssn_deferred_drain(ss) : rc;
}

static int size_device(struct selsnap *ss, uint64_t bytes, uint64_t *ret_bytes) {
    uint64_t logical = ss->origin->info.logical_block_bytes;
    if (bytes != 0 && bytes < ss->origin_bytes) {
        return ssn_fail(&ss->report, SELSNAP_EINVAL,
                        "the origin has %" PRIu64 " bytes and cannot become shorter: %" PRIu64 " were asked for",
                        ss->origin_bytes, bytes);
    }
    if (bytes % logical != 0) {
        return ssn_fail(&ss->report, SELSNAP_EALIGN,
                        "%" PRIu64 " bytes are not a multiple of the origin's logical block, %" PRIu64, bytes, logical);
    }
    int rc = ssn_device_resize(ss->origin, bytes);
    uint64_t has = ssn_device_size(ss->origin);
    if (rc != SELSNAP_OK && (bytes == 0 || has < bytes)) {
        return ssn_origin_failed(ss, rc, "grow by, or tell the size of,", has, bytes > has ? bytes - has : 0);
    }
    if (has < bytes) {
        return ssn_fail(&ss->report, SELSNAP_ETOOSMALL,
                        "the origin's device has %" PRIu64 " bytes and does not become longer: %" PRIu64
                        " were asked for",
                        has, bytes);
    }
    *ret_bytes = bytes == 0 ? has : bytes;
    return SELSNAP_OK;
}

/* The last block, if it is short, as before a write to it. */
static int preserve_last(struct selsnap *ss) {
    struct ssn_claim claim = {.first = ss->block_count - 1, .count = 1};
    const struct ssn_stretch last = {claim.first, 1};
    if (ss->origin_bytes % ss->block_bytes == 0) {
        return SELSNAP_OK;
    }
    ssn_claims_take_all(&ss->claims, &claim, 1);
    int rc = ssn_preserve(ss, &last, 1, NULL, UINT64_MAX);
    ssn_claims_release_all(&ss->claims, &claim, 1);
    return rc;
}

/* Lists and bits follow; nobody looks. */
static void switch_size(struct selsnap *ss, uint64_t bytes, struct ssn_need *need) {
    ssn_gate_close(&ss->gate);
    ss->origin_bytes = bytes;
    ss->block_count = ssn_div_up(bytes, ss->block_bytes);
    ssn_need_replace(&ss->need, need);
    ssn_catalogue_write_lock(&ss->catalogue);
    for (size_t i = 0; i < ss->catalogue.group_count; i++) {
        struct ssn_group *group = ss->catalogue.groups[i];
        group->whole = group->blocks == ss->block_count;
    }
    ssn_catalogue_unlock(&ss->catalogue);
    ssn_gate_open(&ss->gate);
}

static int record_size(struct selsnap *ss, uint64_t bytes) {
    int rc = SELSNAP_OK;
    for (size_t next = 0; rc == SELSNAP_OK && next < ss->catalogue.snap_count;) {
        rc = note_some(ss, &next);
    }
    if (rc == SELSNAP_OK) {
        rc = ssn_store_set_origin(ss->store, bytes);
        ss->size_unsure = rc != SELSNAP_OK;
    }
    return rc;
}

/* admin is held. */
static int grow_origin(struct selsnap *ss, uint64_t bytes) {
    struct ssn_need need;
    uint64_t before = ss->origin_bytes;
    int rc = check_idle(ss);
    rc = rc == SELSNAP_OK ? size_device(ss, bytes, &bytes) : rc;
    if (rc != SELSNAP_OK || bytes <= before) {
        return rc;
    }
    rc = ssn_need_init(&need, &ss->mem, ssn_div_up(bytes, ss->block_bytes), ss->mem.limit / 8);
    if (rc != SELSNAP_OK) {
        return ssn_fail(&ss->report, rc, "the memory limit of %" PRIu64 " bytes is too small for this origin",
                        ss->mem.limit);
    }
    rc = preserve_last(ss);
    rc = rc == SELSNAP_OK ? record_size(ss, bytes) : rc;
    if (rc != SELSNAP_OK) {
        ssn_need_fini(&need);
        return rc;
    }
    switch_size(ss, bytes, &need);
    ssn_log(&ss->report, SELSNAP_LOG_INFO, "the origin has grown from %" PRIu64 " to %" PRIu64 " bytes", before, bytes);
    return SELSNAP_OK;
}

int ssn_context_grow_origin(struct selsnap *ss, uint64_t bytes) {
    int rc = ssn_check_usable(ss);
    pthread_mutex_lock(&ss->admin);
    rc = rc == SELSNAP_OK ? grow_origin(ss, bytes) : rc;
    pthread_mutex_unlock(&ss->admin);
    return rc;
}
