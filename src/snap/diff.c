/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See differ.h. Between `from` and a later `to`, a block in both has changed if `from` resolves it to an entry with an
 * epoch below to's point; or if a restore that began between them has still to copy it, as `to` reads the restore's source
 * where `from` reads the device; or, up to now, if it has pending data [R10].
 *
 * What changes moves from one of these places to the next: pending data gets an entry before it leaves memory, a block of
 * a restore gets one before it is copied. So pending data is looked at first, restores next, the index last; and nothing
 * that was found absent in the index is relied on after pending data was looked at again.
 *
 * `from` is alive, and was when the call began, so what it resolves to stays in the index. That is looked at once more in
 * the end: a deletion in between would make the answer worthless.
 *
 * No lock is held across I/O. The walk goes from one run with entries to the next; what has none costs nothing.
 */
#include "differ.h"

#include "deferred.h"
#include "designation.h"
#include "resize.h"
#include "resolve.h"
#include "restore.h"

#include <inttypes.h>
#include <string.h>

enum {
    PART_BLOCKS = 64,   /* looked at together: few enough that a short range costs little */
    PARTS_MAX = 1 << 14 /* of one range */
};

enum { SAME = 0 }; /* beside SELSNAP_DIFF_* */

struct side {
    uint64_t id; /* 0: now */
    uint64_t point;
    uint64_t group;
    bool whole;
    bool data; /* `to`: a snapshot that keeps data */
};

struct walk {
    struct selsnap *ss;
    struct side from;
    struct side to;
    const selsnap_subset *within;
    uint64_t block_count; /* where `to` ends */
    uint64_t pending; /* the first block at or after the place of the walk with pending data; UINT64_MAX: none */
    bool pending_known;
    uint64_t asked_run; /* from here to entry_run, without that itself, no run has entries */
    uint64_t entry_run;
    bool entry_known;
};

/* ---- the two sides ---- */

static int find_side(struct selsnap *ss, uint64_t id, struct side *ret_side) {
    memset(ret_side, 0, sizeof *ret_side);
    ret_side->id = id;
    ssn_catalogue_read_lock(&ss->catalogue);
    const struct ssn_snap *snap = ssn_catalogue_find(&ss->catalogue, id);
    bool found = snap != NULL && snap->state == SSN_SNAP_LIVE;
    if (found) {
        ret_side->point = snap->record.point;
        ret_side->group = snap->group->id;
        ret_side->whole = snap->group->whole;
        ret_side->data = !ssn_snap_is_bookmark(snap);
    }
    ssn_catalogue_unlock(&ss->catalogue);
    return found ? SELSNAP_OK : ssn_fail(&ss->report, SELSNAP_EINVAL, "there is no snapshot %" PRIu64, id);
}

static int find_sides(struct walk *walk, uint64_t from_id, uint64_t to_id) {
    int rc = find_side(walk->ss, from_id, &walk->from);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (to_id == 0) {
        walk->to = (struct side){.point = UINT64_MAX, .whole = true};
        return SELSNAP_OK;
    }
    rc = find_side(walk->ss, to_id, &walk->to);
    if (rc == SELSNAP_OK && walk->from.point > walk->to.point) {
        rc = ssn_fail(&walk->ss->report, SELSNAP_EINVAL, "snapshot %" PRIu64 " is younger than snapshot %" PRIu64,
                      from_id, to_id);
    }
    return rc;
}

/* ---- what to look at next ---- */

/* The first run >= that of the block that has entries, as a block that is not below it; UINT64_MAX: none. */
static int next_entry(struct walk *walk, uint64_t block, uint64_t *ret_block) {
    uint64_t run = block / SSN_RUN_BLOCKS;
    if (!walk->entry_known || run < walk->asked_run || run > walk->entry_run) {
        struct ssn_item item;
        struct ssn_key found;
        struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, ssn_entry_major(run, 0, 0), 0);
        int rc = ssn_store_seek_up_to(walk->ss->store, &key, &item, &found);
        if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT && rc != SELSNAP_EDAMAGED) {
            return rc;
        }
        /* Where damage begins there may be entries; who resolves a block there will be told. */
        found = rc == SELSNAP_OK ? item.key : found;
        bool any = rc != SELSNAP_ENOENT && found.type == SSN_ITEM_ENTRY;
        walk->entry_known = true;
        walk->asked_run = run;
        walk->entry_run = any ? ssn_entry_run(found.major) : UINT64_MAX;
    }
    *ret_block = walk->entry_run == UINT64_MAX ? UINT64_MAX : ssn_max_u64(block, walk->entry_run * SSN_RUN_BLOCKS);
    return SELSNAP_OK;
}

/* The first block >= `block` that may have changed; UINT64_MAX: none. */
static int next_of_interest(struct walk *walk, uint64_t block, uint64_t *ret_block) {
    if (walk->to.id == 0 && (!walk->pending_known || walk->pending < block)) {
        walk->pending = ssn_deferred_next(walk->ss->deferred, block);
        walk->pending_known = true;
        walk->entry_known = false; /* what is not pending any more has an entry now */
    }
    uint64_t entry;
    int rc = next_entry(walk, block, &entry);
    if (rc == SELSNAP_OK) {
        *ret_block = walk->to.id == 0 ? ssn_min_u64(entry, walk->pending) : entry;
    }
    return rc;
}

/* The first range of blocks that `to` and `within` have, cut to begin at `block`. SELSNAP_ENOENT. */
static int next_wanted(const struct walk *walk, uint64_t block, struct ssn_block_range *ret_range) {
    for (;;) {
        struct ssn_block_range range;
        int rc = ssn_designation_next_range(walk->ss, walk->to.group, walk->to.whole, block, &range);
        if (rc != SELSNAP_OK || walk->within == NULL) {
            *ret_range = rc == SELSNAP_OK ? range : *ret_range;
            return rc;
        }
        size_t index = ssn_subset_find(walk->within, range.first);
        if (index == walk->within->range_count) {
            return SELSNAP_ENOENT;
        }
        const struct ssn_block_range *mask = &walk->within->ranges[index];
        uint64_t first = ssn_max_u64(range.first, mask->first);
        uint64_t end = ssn_min_u64(range.first + range.count, mask->first + mask->count);
        if (first < end) {
            *ret_range = (struct ssn_block_range){first, end - first};
            return SELSNAP_OK;
        }
        block = mask->first;
    }
}

/* ---- looking ---- */

/* Restores begun between the points: what they have still to copy. */
static int look_at_restores(const struct walk *walk, uint64_t run, unsigned first, unsigned count, bool *changed) {
    struct ssn_runbits remaining;
    uint64_t points[SSN_RUN_BLOCKS];
    struct ssn_source sources[SSN_RUN_BLOCKS];
    int rc = ssn_restore_remaining(walk->ss, run, first, count, &remaining, points, sources);
    for (unsigned i = 0; rc == SELSNAP_OK && i < count; i++) {
        changed[i] = changed[i] || (ssn_runbits_get(&remaining, first + i) && points[i] > walk->from.point &&
                                    points[i] < walk->to.point);
    }
    return rc;
}

/* What has changed and cannot be read from `to`. */
static int look_for_losses(const struct walk *walk, uint64_t run, unsigned first, unsigned count, uint32_t *kinds) {
    struct ssn_source sources[PART_BLOCKS];
    int rc = ssn_resolve_at(walk->ss, run, first, count, walk->to.point, UINT64_MAX, sources);
    for (unsigned i = 0; rc == SELSNAP_OK && i < count; i++) {
        kinds[i] = kinds[i] != SAME && ssn_entry_is_lost(sources[i].kind) ? SELSNAP_DIFF_LOST : kinds[i];
    }
    return rc;
}

/* Up to PART_BLOCKS blocks of one run that both sides have. */
static int look_at_part(const struct walk *walk, uint64_t block, unsigned count, uint32_t *kinds) {
    struct selsnap *ss = walk->ss;
    uint64_t run = block / SSN_RUN_BLOCKS;
    unsigned first = (unsigned)(block % SSN_RUN_BLOCKS);
    bool changed[PART_BLOCKS] = {false};
    if (walk->to.id == 0 && ssn_deferred_may_have(ss->deferred, block, count)) {
        for (unsigned i = 0; i < count; i++) {
            changed[i] = ssn_deferred_has(ss->deferred, block + i, 1);
        }
    }
    int rc = look_at_restores(walk, run, first, count, changed);
    struct ssn_source sources[PART_BLOCKS];
    if (rc == SELSNAP_OK) {
        rc = ssn_resolve_at(ss, run, first, count, walk->from.point, walk->to.point, sources);
    }
    bool any = false;
    for (unsigned i = 0; rc == SELSNAP_OK && i < count; i++) {
        kinds[i] = changed[i] || sources[i].kind != SSN_ENTRY_NONE ? SELSNAP_DIFF_CHANGED : SAME;
        any = any || kinds[i] != SAME;
    }
    return rc == SELSNAP_OK && any && walk->to.data ? look_for_losses(walk, run, first, count, kinds) : rc;
}

/* What the block is, and up to which block, without that itself, all are the same. */
static int look(struct walk *walk, uint64_t block, uint32_t *ret_kind, uint64_t *ret_end) {
    struct selsnap *ss = walk->ss;
    uint64_t interest = UINT64_MAX;
    struct ssn_block_range wanted = {0, 0};
    struct ssn_block_range tracked = {0, 0};
    *ret_kind = SAME;
    *ret_end = walk->block_count;
    int rc = next_of_interest(walk, block, &interest);
    bool all_tracked = walk->from.whole || (walk->to.id != 0 && walk->to.group == walk->from.group);
    if (rc == SELSNAP_OK && all_tracked && interest > block) {
        *ret_end = ssn_min_u64(interest, walk->block_count);
        return SELSNAP_OK;
    }
    rc = rc == SELSNAP_OK ? next_wanted(walk, block, &wanted) : rc;
    if (rc != SELSNAP_OK || wanted.first > block) {
        *ret_end = rc == SELSNAP_OK ? wanted.first : *ret_end;
        return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
    }
    uint64_t limit = ssn_min_u64(wanted.first + wanted.count, walk->block_count);
    rc = ssn_designation_next_range(ss, walk->from.group, walk->from.whole, block, &tracked);
    if (rc == SELSNAP_ENOENT || (rc == SELSNAP_OK && tracked.first > block)) {
        *ret_kind = SELSNAP_DIFF_UNKNOWN;
        *ret_end = rc == SELSNAP_OK ? ssn_min_u64(limit, tracked.first) : limit;
        return SELSNAP_OK;
    }
    if (rc != SELSNAP_OK) {
        return rc;
    }
    limit = ssn_min_u64(limit, tracked.first + tracked.count);
    if (interest > block) {
        *ret_end = ssn_min_u64(limit, interest);
        return SELSNAP_OK;
    }
    uint32_t kinds[PART_BLOCKS] = {SAME};
    unsigned count = (unsigned)(ssn_min_u64(limit, (block / PART_BLOCKS + 1) * PART_BLOCKS) - block);
    rc = look_at_part(walk, block, count, kinds);
    unsigned n = 1;
    while (rc == SELSNAP_OK && n < count && kinds[n] == kinds[0]) {
        n++;
    }
    *ret_kind = rc == SELSNAP_OK ? kinds[0] : SAME;
    *ret_end = block + n;
    return rc;
}

static int find_range(struct walk *walk, uint64_t block, struct ssn_block_range *ret_range, uint32_t *ret_kind) {
    uint64_t end = block;
    uint32_t kind = SAME;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && kind == SAME && end < walk->block_count) {
        block = end;
        rc = look(walk, block, &kind, &end);
    }
    if (rc != SELSNAP_OK || kind == SAME) {
        return rc == SELSNAP_OK ? SELSNAP_ENOENT : rc;
    }
    for (unsigned parts = 0; parts < PARTS_MAX && end < walk->block_count; parts++) {
        uint32_t next_kind;
        uint64_t next_end;
        rc = look(walk, end, &next_kind, &next_end);
        if (rc != SELSNAP_OK || next_kind != kind) {
            break; /* an error is for the next call, which begins there */
        }
        end = next_end;
    }
    *ret_range = (struct ssn_block_range){block, end - block};
    *ret_kind = kind;
    return SELSNAP_OK;
}

int ssn_diff_check_within(struct selsnap *ss, const selsnap_subset *within) {
    if (within == NULL || (within->device_bytes == ss->origin_bytes && within->block_bytes == ss->block_bytes)) {
        return SELSNAP_OK;
    }
    return ssn_fail(&ss->report, SELSNAP_EINVAL,
                    "the subset was made for a device or block size other than this one's");
}

int ssn_diff_next(struct selsnap *ss, const selsnap_diff_options *options, uint64_t offset,
                  selsnap_diff_range *ret_range) {
    struct walk walk = {.ss = ss, .within = options->within};
    int rc = ssn_check_usable(ss);
    uint64_t bytes = options->to_id == 0 ? ss->origin_bytes : ss->extent_bytes;
    if (rc == SELSNAP_OK && offset > bytes) {
        rc = ssn_fail(&ss->report, SELSNAP_ERANGE, "byte %" PRIu64 " is not inside the device of %" PRIu64 " bytes",
                      offset, bytes);
    }
    rc = rc == SELSNAP_OK ? find_sides(&walk, options->from_id, options->to_id) : rc;
    rc = rc == SELSNAP_OK && options->to_id != 0 ? ssn_snapshot_size(ss, options->to_id, &bytes) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    struct ssn_block_range range = {0, 0};
    uint32_t kind = SAME;
    walk.block_count = ssn_div_up(bytes, ss->block_bytes);
    uint64_t block = offset >= bytes ? walk.block_count : ssn_block_of(ss, offset);
    rc = find_range(&walk, block, &range, &kind);
    int still = find_sides(&walk, options->from_id, options->to_id);
    still = still == SELSNAP_OK ? ssn_check_usable(ss) : still;
    if (still != SELSNAP_OK || rc != SELSNAP_OK) {
        return still != SELSNAP_OK ? still : rc;
    }
    uint64_t end = range.first + range.count;
    ret_range->offset = ssn_offset_of(ss, range.first);
    ret_range->len = (end == walk.block_count ? bytes : ssn_offset_of(ss, end)) - ret_range->offset;
    ret_range->kind = kind;
    ret_range->reserved = 0;
    return SELSNAP_OK;
}
