/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See resize.h. An origin grows in these steps, while nothing else is called on the context:
 *
 *   1. the device becomes longer; from here on a crash leaves a device that is longer than its origin (open.c)
 *   2. the last block is preserved for all who have it, if it is short: their copy ends with zeros [F-2], and what is
 *      written behind the old end is in no snapshot
 *   3. if the extent grows with it, every snapshot that has none gets an item with the extent [F-19]. It is true whatever
 *      comes then
 *   4. a superblock with the new size
 *   5. in memory: size, need bits, which designations are whole
 *
 * It becomes shorter in memory and in a superblock alone, once every snapshot has what it needs of what is cut off: the
 * extent stays, with all that is known of the blocks there, and bounds what snapshots may have [F-20].
 *
 * If the superblock may or may not be durable, the size stays the old one, and no snapshot is made before a superblock
 * says so.
 */
#include "resize.h"

#include "deferred.h"
#include "designation.h"
#include "preserve.h"
#include "resolve.h"
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
    uint64_t bytes = ss->extent_bytes;
    int rc = ssn_store_get(ss->store, &key, &item);
    if (rc == SELSNAP_OK && (!ssn_size_decode(item.value, item.len, &bytes) || bytes > ss->extent_bytes)) {
        rc = ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the size of the origin at snapshot %" PRIu64 " is damaged", id);
    }
    if (rc == SELSNAP_OK || rc == SELSNAP_ENOENT) {
        *ret_bytes = bytes;
        rc = SELSNAP_OK;
    }
    return rc;
}

static void put_size(struct ssn_txn *txn, uint64_t id, uint64_t bytes) {
    uint8_t value[8];
    struct ssn_key key = ssn_key_make(SSN_ITEM_SIZE, id, 0);
    ssn_txn_put(txn, &key, value, ssn_size_encode(value, bytes));
}

void ssn_snapshot_put_size(struct selsnap *ss, struct ssn_txn *txn, uint64_t id) {
    if (ss->origin_bytes != ss->extent_bytes) {
        put_size(txn, id, ss->origin_bytes);
    }
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

/* admin is held: notes the present extent with the next snapshots that have no size. */
static int note_some(struct selsnap *ss, size_t *next) {
    struct ssn_txn txn;
    int rc = SELSNAP_OK;
    unsigned count = 0;
    ssn_txn_init(&txn, ss->store);
    while (*next < ss->catalogue.snap_count && count < ITEMS_AT_ONCE) {
        struct ssn_key key = ssn_key_make(SSN_ITEM_SIZE, ss->catalogue.snaps[*next]->id, 0);
        struct ssn_item item;
        rc = ssn_store_get(ss->store, &key, &item);
        if (rc == SELSNAP_ENOENT) {
            put_size(&txn, key.major, ss->extent_bytes);
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

/* ---- what both ways share ---- */

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

/* The block in which the origin is to end, or ends, if not at its end: as before a write to it. */
static int preserve_cut(struct selsnap *ss, uint64_t end_bytes) {
    struct ssn_claim claim = {.first = ssn_block_of(ss, end_bytes), .count = 1};
    const struct ssn_stretch cut = {claim.first, 1};
    if (end_bytes % ss->block_bytes == 0) {
        return SELSNAP_OK;
    }
    ssn_claims_take_all(&ss->claims, &claim, 1);
    int rc = ssn_preserve(ss, &cut, 1, NULL, UINT64_MAX);
    ssn_claims_release_all(&ss->claims, &claim, 1);
    return rc;
}

static int set_origin(struct selsnap *ss, uint64_t bytes) {
    int rc = ssn_store_set_origin(ss->store, bytes);
    ss->size_unsure = rc != SELSNAP_OK;
    return rc;
}

/* ---- growing ---- */

static int size_device(struct selsnap *ss, uint64_t bytes, uint64_t *ret_bytes) {
    uint64_t logical = ss->origin->info.logical_block_bytes;
    if (bytes != 0 && bytes < ss->origin_bytes) {
        return ssn_fail(&ss->report, SELSNAP_EINVAL,
                        "the origin has %" PRIu64 " bytes; growing does not make it shorter, to the %" PRIu64
                        " asked for",
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

/* Lists and bits follow; nobody looks. */
static void switch_extent(struct selsnap *ss, uint64_t bytes, struct ssn_need *need) {
    ssn_gate_close(&ss->gate);
    ss->origin_bytes = bytes;
    ss->extent_bytes = bytes;
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

/* Inside the extent only the origin's end moves: the bits of blocks behind it speak of blocks with all their entries. */
static void switch_end(struct selsnap *ss, uint64_t bytes) {
    ssn_gate_close(&ss->gate);
    ss->origin_bytes = bytes;
    ssn_gate_open(&ss->gate);
}

static int grow_extent(struct selsnap *ss, uint64_t bytes) {
    struct ssn_need need;
    int rc = ssn_need_init(&need, &ss->mem, ssn_div_up(bytes, ss->block_bytes), ss->mem.limit / 8);
    if (rc != SELSNAP_OK) {
        return ssn_fail(&ss->report, rc, "the memory limit of %" PRIu64 " bytes is too small for this origin",
                        ss->mem.limit);
    }
    for (size_t next = 0; rc == SELSNAP_OK && next < ss->catalogue.snap_count;) {
        rc = note_some(ss, &next);
    }
    rc = rc == SELSNAP_OK ? set_origin(ss, bytes) : rc;
    if (rc != SELSNAP_OK) {
        ssn_need_fini(&need);
        return rc;
    }
    switch_extent(ss, bytes, &need);
    return SELSNAP_OK;
}

/* admin is held. */
static int grow_origin(struct selsnap *ss, uint64_t bytes) {
    uint64_t before = ss->origin_bytes;
    int rc = check_idle(ss);
    rc = rc == SELSNAP_OK ? size_device(ss, bytes, &bytes) : rc;
    if (rc != SELSNAP_OK || bytes <= before) {
        return rc;
    }
    rc = preserve_cut(ss, before);
    if (rc == SELSNAP_OK && bytes > ss->extent_bytes) {
        rc = grow_extent(ss, bytes);
    } else if (rc == SELSNAP_OK) {
        rc = set_origin(ss, bytes);
        if (rc == SELSNAP_OK) {
            switch_end(ss, bytes);
        }
    }
    if (rc != SELSNAP_OK) {
        return rc;
    }
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

/* ---- becoming shorter ---- */

/* admin is held: whether the origin's block is all that the snapshot has of it, for some of these of one run. */
static int refuse_unpreserved(struct selsnap *ss, const struct ssn_snap *snap, const struct ssn_block_range *part) {
    struct ssn_source sources[SSN_RUN_BLOCKS];
    unsigned first = (unsigned)(part->first % SSN_RUN_BLOCKS);
    int rc = ssn_resolve_at(ss, part->first / SSN_RUN_BLOCKS, first, (unsigned)part->count, snap->record.point,
                            UINT64_MAX, sources);
    for (unsigned i = 0; rc == SELSNAP_OK && i < part->count; i++) {
        if (sources[i].kind == SSN_ENTRY_NONE) {
            return ssn_fail(&ss->report, SELSNAP_EBUSY,
                            "snapshot %" PRIu64 " shares the block at byte %" PRIu64
                            " with the origin: write zeros to what is to be cut off, so that it is preserved, or "
                            "delete the snapshot",
                            snap->id, ssn_offset_of(ss, part->first + i));
        }
    }
    return rc;
}

/* admin is held: a snapshot may share nothing with the origin from a block on. */
static int refuse_shared(struct selsnap *ss, const struct ssn_snap *snap, uint64_t block) {
    struct ssn_block_range range;
    int rc;
    while ((rc = ssn_designation_next_range(ss, snap->group->id, snap->group->whole, block, &range)) == SELSNAP_OK) {
        range.count = ssn_min_u64(range.count, SSN_RUN_BLOCKS - range.first % SSN_RUN_BLOCKS);
        rc = refuse_unpreserved(ss, snap, &range);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        block = range.first + range.count;
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

/* admin is held. */
static int shrink_origin(struct selsnap *ss, uint64_t bytes) {
    uint64_t before = ss->origin_bytes;
    uint64_t logical = ss->origin->info.logical_block_bytes;
    if (bytes == 0 || bytes > before) {
        return ssn_fail(&ss->report, SELSNAP_EINVAL,
                        "the origin has %" PRIu64 " bytes; it does not become shorter by having %" PRIu64, before,
                        bytes);
    }
    if (bytes % logical != 0) {
        return ssn_fail(&ss->report, SELSNAP_EALIGN,
                        "%" PRIu64 " bytes are not a multiple of the origin's logical block, %" PRIu64, bytes, logical);
    }
    int rc = check_idle(ss);
    uint64_t kept = ssn_div_up(bytes, ss->block_bytes);
    for (size_t i = 0; rc == SELSNAP_OK && i < ss->catalogue.snap_count; i++) {
        rc = refuse_shared(ss, ss->catalogue.snaps[i], kept);
    }
    rc = rc == SELSNAP_OK && bytes < before ? preserve_cut(ss, bytes) : rc;
    rc = rc == SELSNAP_OK && bytes < before ? set_origin(ss, bytes) : rc;
    if (rc != SELSNAP_OK || bytes == before) {
        return rc;
    }
    switch_end(ss, bytes);
    ssn_log(&ss->report, SELSNAP_LOG_INFO, "the origin has become shorter, from %" PRIu64 " to %" PRIu64 " bytes",
            before, bytes);
    return SELSNAP_OK;
}

int ssn_context_shrink_origin(struct selsnap *ss, uint64_t bytes) {
    int rc = ssn_check_usable(ss);
    pthread_mutex_lock(&ss->admin);
    rc = rc == SELSNAP_OK ? shrink_origin(ss, bytes) : rc;
    pthread_mutex_unlock(&ss->admin);
    return rc;
}
