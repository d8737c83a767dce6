/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot's map and usage (inspect.h). Both walk the index without a lock, from one item that is there to the next,
 * so that what is unchanged costs nothing. admin is taken only to look at the snapshot and at what is pending in its
 * overlay; a snapshot that is deleted meanwhile is found gone at the next look, or when the walk meets an error.
 */
#include "inspect.h"

#include "designation.h"
#include "layers.h"
#include "needed.h"
#include "overlay.h"
#include "quotas.h"
#include "retention_inner.h"

#include <inttypes.h>
#include <string.h>

/* What is asked of, as it stood at the last look. */
struct subject {
    struct selsnap *ss;
    uint64_t id;
    uint64_t point;
    uint64_t group_id;
    bool whole;
    bool bookmark;
    uint64_t overlay_id;
    unsigned layers; /* overlays it reads through, from its own down, */
    unsigned alone;  /* and so many of these only it does */
    uint64_t layer_ids[SSN_LAYER_CHAIN_MAX];
};

/* Part of a run. Sources are indexed from 0 on. */
struct part {
    uint64_t run;
    unsigned first;
    unsigned count;
    struct ssn_source overlay[SSN_RUN_BLOCKS];
    struct ssn_source entry[SSN_RUN_BLOCKS];
};

/* admin is held. */
static int find_live(struct selsnap *ss, uint64_t id, struct ssn_snap **ret_snap) {
    struct ssn_snap *snap = ssn_catalogue_find(&ss->catalogue, id);
    if (snap == NULL || snap->state != SSN_SNAP_LIVE) {
        return ssn_fail(&ss->report, SELSNAP_ENOENT, "there is no snapshot %" PRIu64, id);
    }
    *ret_snap = snap;
    return SELSNAP_OK;
}

/* Looks at the snapshot. part (or NULL): what is pending there. ret_pending (or NULL): the first pending block from
 * `from` on. */
static int look_at_snapshot(struct subject *subject, struct part *part, uint64_t from, uint64_t *ret_pending) {
    struct selsnap *ss = subject->ss;
    struct ssn_snap *snap = NULL;
    pthread_mutex_lock(&ss->admin);
    int rc = find_live(ss, subject->id, &snap);
    if (snap != NULL) {
        subject->point = snap->record.point;
        subject->group_id = snap->group->id;
        subject->whole = snap->group->whole;
        subject->bookmark = ssn_snap_is_bookmark(snap);
        subject->overlay_id = subject->bookmark ? 0 : ssn_overlay_id(ss, snap);
        if (part != NULL && snap->overlay != NULL) {
            ssn_overlay_look_pending(ss, snap->overlay, snap, part->run, part->first, part->count, part->overlay,
                                     &subject->overlay_id);
        }
        subject->layers = ssn_layers_chain(ss, subject->overlay_id, subject->layer_ids);
        subject->alone = ssn_layers_alone(ss, snap, subject->layer_ids, subject->layers);
        if (ret_pending != NULL) {
            *ret_pending = snap->overlay != NULL ? ssn_overlay_next_pending(snap->overlay, from) : UINT64_MAX;
        }
    }
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

/* What each block of the part is, whether designated or not. */
static int look_at_part(struct subject *subject, struct part *part) {
    struct selsnap *ss = subject->ss;
    memset(part->overlay, 0, sizeof part->overlay);
    int rc = look_at_snapshot(subject, part, 0, NULL);
    if (rc == SELSNAP_OK && subject->overlay_id != 0) {
        rc = ssn_overlay_look_index(ss, subject->overlay_id, part->run, part->first, part->count, part->overlay);
    }
    return rc == SELSNAP_OK
               ? ssn_resolve_at(ss, part->run, part->first, part->count, subject->point, UINT64_MAX, part->entry)
               : rc;
}

/* An error met on the way counts only if the snapshot is still there. */
static int end_look(struct subject *subject, int rc) {
    if (rc == SELSNAP_OK || rc == SELSNAP_ENOENT || rc == SELSNAP_ECANCELED) {
        return rc;
    }
    return look_at_snapshot(subject, NULL, 0, NULL) == SELSNAP_ENOENT ? SELSNAP_ENOENT : rc;
}

/* The first run >= from that has entries; UINT64_MAX: none. */
static int next_entry_run(struct selsnap *ss, uint64_t from, uint64_t *ret_run) {
    struct ssn_item item;
    struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, ssn_entry_major(from, 0, 0), 0);
    int rc = ssn_store_seek(ss->store, &key, &item);
    if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
        return rc;
    }
    bool found = rc == SELSNAP_OK && item.key.type == SSN_ITEM_ENTRY;
    *ret_run = found ? ssn_entry_run(item.key.major) : UINT64_MAX;
    return SELSNAP_OK;
}

/* The first block >= from that was written into the snapshot; UINT64_MAX: none. */
static int next_overlay_block(struct subject *subject, uint64_t from, uint64_t *ret_block) {
    uint64_t pending = UINT64_MAX;
    uint64_t committed = UINT64_MAX;
    struct ssn_overlay_record record;
    int rc = look_at_snapshot(subject, NULL, from, &pending);
    for (unsigned i = 0; rc == SELSNAP_OK && i < subject->layers; i++) {
        rc = ssn_overlay_seek(subject->ss, subject->layer_ids[i], from, &committed, &record);
        pending = rc == SELSNAP_OK ? ssn_min_u64(pending, committed) : pending;
    }
    if (rc == SELSNAP_OK) {
        *ret_block = pending;
    }
    return rc;
}

/* ---- the map ---- */

static uint32_t state_of(const struct subject *subject, const struct part *part, unsigned i) {
    if (subject->bookmark) {
        return part->entry[i].kind == SSN_ENTRY_NONE ? SELSNAP_BLOCKS_UNCHANGED : SELSNAP_BLOCKS_CHANGED;
    }
    if (part->overlay[i].kind != SSN_ENTRY_NONE) {
        return ssn_entry_is_lost(part->overlay[i].kind) ? SELSNAP_BLOCKS_LOST : SELSNAP_BLOCKS_OVERLAY;
    }
    switch (part->entry[i].kind) {
    case SSN_ENTRY_NONE:
        return SELSNAP_BLOCKS_UNCHANGED;
    case SSN_ENTRY_ZERO:
        return SELSNAP_BLOCKS_ZERO;
    case SSN_ENTRY_LOST_SPACE:
    case SSN_ENTRY_LOST_READ:
    case SSN_ENTRY_LOST_DAMAGE:
        return SELSNAP_BLOCKS_LOST;
    default:
        return SELSNAP_BLOCKS_PRESERVED;
    }
}

/* How far nothing is recorded from the beginning of a run on, at most to `limit`. Blocks. */
static int extend_unchanged(struct subject *subject, uint64_t run, uint64_t limit, uint64_t *ret_end) {
    uint64_t entry_run;
    uint64_t overlay_block;
    int rc = next_entry_run(subject->ss, run, &entry_run);
    if (rc == SELSNAP_OK) {
        rc = next_overlay_block(subject, run * SSN_RUN_BLOCKS, &overlay_block);
    }
    if (rc != SELSNAP_OK) {
        return rc;
    }
    uint64_t end = ssn_min_u64(limit, overlay_block);
    *ret_end = entry_run <= end / SSN_RUN_BLOCKS ? entry_run * SSN_RUN_BLOCKS : end;
    return SELSNAP_OK;
}

/* The range of designated blocks in one state that begins at the range's first block. */
static int map_designated(struct subject *subject, const struct ssn_block_range *range, uint64_t *ret_end,
                          uint32_t *ret_state) {
    struct part part;
    part.run = range->first / SSN_RUN_BLOCKS;
    part.first = (unsigned)(range->first % SSN_RUN_BLOCKS);
    part.count = (unsigned)ssn_min_u64(range->count, SSN_RUN_BLOCKS - part.first);
    int rc = look_at_part(subject, &part);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    *ret_state = state_of(subject, &part, 0);
    unsigned n = 1;
    while (n < part.count && state_of(subject, &part, n) == *ret_state) {
        n++;
    }
    *ret_end = range->first + n;
    if (n == part.count && n < range->count && *ret_state == SELSNAP_BLOCKS_UNCHANGED) {
        rc = extend_unchanged(subject, part.run + 1, range->first + range->count, ret_end);
    }
    return rc;
}

static int map_at(struct subject *subject, uint64_t block, uint64_t *ret_end, uint32_t *ret_state) {
    struct selsnap *ss = subject->ss;
    struct ssn_block_range range;
    int rc = look_at_snapshot(subject, NULL, 0, NULL);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    rc = ssn_designation_next_range(ss, subject->group_id, subject->whole, block, &range);
    if (rc == SELSNAP_OK && range.first == block) {
        return map_designated(subject, &range, ret_end, ret_state);
    }
    if (rc == SELSNAP_OK || rc == SELSNAP_ENOENT) {
        *ret_state = SELSNAP_BLOCKS_UNDESIGNATED;
        *ret_end = rc == SELSNAP_OK ? range.first : ss->block_count;
        rc = SELSNAP_OK;
    }
    return rc;
}

int ssn_inspect_map(struct selsnap *ss, uint64_t id, uint64_t offset, selsnap_map_range *ret_range) {
    int rc = ssn_check_usable(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (offset >= ss->extent_bytes) {
        return ssn_fail(&ss->report, SELSNAP_ERANGE, "byte %" PRIu64 " is not inside the device of %" PRIu64 " bytes",
                        offset, ss->extent_bytes);
    }
    struct subject subject = {.ss = ss, .id = id};
    uint64_t block = ssn_block_of(ss, offset);
    uint64_t end;
    uint32_t state;
    rc = end_look(&subject, map_at(&subject, block, &end, &state));
    if (rc == SELSNAP_OK) {
        ret_range->offset = ssn_offset_of(ss, block);
        ret_range->len = (end == ss->block_count ? ss->extent_bytes : ssn_offset_of(ss, end)) - ret_range->offset;
        ret_range->state = state;
        ret_range->reserved = 0;
    }
    return rc;
}

/* ---- usage ---- */

static void count_blocks(const struct subject *subject, const struct part *part, const struct ssn_runbits *cover,
                         selsnap_snapshot_usage *usage) {
    for (unsigned i = 0; i < part->count; i++) {
        uint8_t kind = part->entry[i].kind;
        if (ssn_runbits_get(cover, i)) {
            usage->preserved_blocks += kind != SSN_ENTRY_NONE;
            usage->zero_blocks += !subject->bookmark && kind == SSN_ENTRY_ZERO;
            usage->lost_blocks += !subject->bookmark && ssn_entry_is_lost(kind);
        }
    }
}

/* Space in use by what was written, where only this snapshot reads: its own overlay, and layers it shares with none. */
static int count_written(struct subject *subject, struct part *part, selsnap_snapshot_usage *usage) {
    struct selsnap *ss = subject->ss;
    int rc = look_at_snapshot(subject, part, 0, NULL);
    for (unsigned layer = 0; rc == SELSNAP_OK && layer < ssn_max_u64(subject->alone, 1); layer++) {
        if (layer < subject->alone) {
            rc =
                ssn_overlay_look_one(ss, subject->layer_ids[layer], part->run, part->first, part->count, part->overlay);
        }
        for (unsigned i = 0; i < part->count; i++) {
            usage->overlay_bytes += part->overlay[i].kind == SSN_ENTRY_DATA ? ss->block_bytes : 0;
        }
        memset(part->overlay, 0, sizeof part->overlay);
    }
    return rc;
}

static int count_overlay(struct subject *subject, struct part *part, selsnap_snapshot_usage *usage) {
    for (unsigned i = 0; i < part->count; i++) {
        usage->overlay_blocks += part->overlay[i].kind != SSN_ENTRY_NONE;
    }
    memset(part->overlay, 0, sizeof part->overlay);
    return count_written(subject, part, usage);
}

/* Whether the snapshot reads some block from the extent's copy of that epoch: no two entries of an epoch overlap
 * [F-14]. */
static bool reads_extent(const struct part *part, const struct ssn_runbits *cover, uint64_t major, uint64_t epoch) {
    unsigned first = ssn_entry_first(major);
    for (unsigned i = first; i < first + ssn_entry_blocks(major) && i < part->count; i++) {
        if (ssn_runbits_get(cover, i) && part->entry[i].kind == SSN_ENTRY_DATA && part->entry[i].epoch == epoch) {
            return true;
        }
    }
    return false;
}

/* Counts the copies of a run's extents that the snapshot reads from. */
static int count_copies(struct subject *subject, const struct part *part, const struct ssn_runbits *cover,
                        selsnap_snapshot_usage *usage) {
    struct selsnap *ss = subject->ss;
    uint64_t major = ssn_entry_major(part->run, 0, 0);
    for (;;) {
        /* Of the entries of one extent, the snapshot can read only from the first that is not below its point. */
        struct ssn_item item;
        struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, major, subject->point);
        int rc = ssn_store_seek(ss->store, &key, &item);
        if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
            return rc;
        }
        if (rc != SELSNAP_OK || item.key.type != SSN_ITEM_ENTRY || ssn_entry_run(item.key.major) != part->run) {
            return SELSNAP_OK;
        }
        if (item.key.major == major && reads_extent(part, cover, major, item.key.minor)) {
            bool any;
            bool data;
            rc = ssn_extent_needed(ss, major, item.key.minor, subject->id, &any, &data);
            if (rc != SELSNAP_OK) {
                return rc;
            }
            uint64_t bytes = (uint64_t)ssn_entry_blocks(major) * ss->block_bytes;
            *(data ? &usage->shared_bytes : &usage->alone_bytes) += bytes;
        }
        major = item.key.major == major ? major + 1 : item.key.major;
    }
}

static int count_run(struct subject *subject, uint64_t run, selsnap_snapshot_usage *usage) {
    struct selsnap *ss = subject->ss;
    struct part part;
    part.run = run;
    part.first = 0;
    part.count = (unsigned)ssn_min_u64(SSN_RUN_BLOCKS, ss->block_count - run * SSN_RUN_BLOCKS);
    int rc = look_at_part(subject, &part);
    struct ssn_runbits cover;
    if (rc == SELSNAP_OK) {
        rc = ssn_designation_cover(ss, subject->group_id, subject->whole, run, 0, part.count, &cover);
    }
    if (rc != SELSNAP_OK) {
        return rc;
    }
    count_blocks(subject, &part, &cover, usage);
    rc = count_overlay(subject, &part, usage);
    bool copies = rc == SELSNAP_OK && ssn_runbits_any(&cover) && !subject->bookmark;
    return copies ? count_copies(subject, &part, &cover, usage) : rc;
}

/* The first run >= from in which something is recorded, or the number of runs. */
static int next_run(struct subject *subject, uint64_t from, uint64_t *ret_run) {
    uint64_t entry_run;
    uint64_t overlay_block;
    int rc = next_entry_run(subject->ss, from, &entry_run);
    if (rc == SELSNAP_OK) {
        rc = next_overlay_block(subject, from * SSN_RUN_BLOCKS, &overlay_block);
    }
    if (rc == SELSNAP_OK) {
        uint64_t found = ssn_min_u64(entry_run, overlay_block / SSN_RUN_BLOCKS);
        *ret_run = ssn_min_u64(found, ssn_div_up(subject->ss->block_count, SSN_RUN_BLOCKS));
    }
    return rc;
}

int ssn_inspect_usage(struct selsnap *ss, uint64_t id, selsnap_progress_fn progress, void *progress_user,
                      selsnap_snapshot_usage *ret_usage) {
    int rc = ssn_check_usable(ss);
    struct subject subject = {.ss = ss, .id = id};
    selsnap_snapshot_usage usage;
    memset(&usage, 0, sizeof usage);
    usage.struct_size = sizeof usage;
    uint64_t run = 0;
    uint64_t passed = 0;
    while (rc == SELSNAP_OK && passed < ss->block_count) {
        rc = next_run(&subject, run, &run);
        if (rc == SELSNAP_OK && run * SSN_RUN_BLOCKS < ss->block_count) {
            rc = count_run(&subject, run, &usage);
            run++;
        }
        passed = ssn_min_u64(run * SSN_RUN_BLOCKS, ss->block_count);
        if (rc == SELSNAP_OK && progress != NULL && progress(progress_user, passed, ss->block_count) != 0) {
            rc = SELSNAP_ECANCELED;
        }
    }
    struct ssn_term_record term = {0, 0};
    rc = rc == SELSNAP_OK ? ssn_term_get(ss, id, &term) : rc;
    rc = end_look(&subject, rc);
    usage.quota_bytes = term.quota_bytes;
    uint64_t freed = usage.alone_bytes + usage.overlay_bytes;
    if (rc == SELSNAP_OK && usage.quota_bytes != 0 && freed > usage.quota_bytes) {
        uint64_t percent = ssn_quota_percent(freed, usage.quota_bytes);
        ssn_event(&ss->report, SELSNAP_EVENT_QUOTA, id, 0, usage.quota_bytes, (int64_t)ssn_max_u64(percent, 101));
    }
    if (rc == SELSNAP_OK) {
        *ret_usage = usage;
    }
    return rc;
}
