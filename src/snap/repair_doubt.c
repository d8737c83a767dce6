/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See repair.h. What may be missing in a run. Snapshot s, which the known entries let resolve block b to epoch k (none:
 * to the origin), is in doubt at b if an entry of b with an epoch from s's point to below k may have been
 *
 *   - in a gap;
 *   - in the lost part of the log: there k can only be none, since new entries are above all that a block has;
 *   - and if k is none: if a restore below s, of which not enough is known, may have had b to copy: then s reads b as
 *     that restore's source.
 *
 * Such a block is recorded as lost under the epoch of s's own point. That makes it lost for the older snapshots too
 * that resolve b to k, and of these each is in doubt for the same reason: whatever may have been in the way of s may
 * have been in theirs. (With a restore some may be older than it, and lose b without need.)
 *
 * A restore that is carried over copies, and stands for, what its source resolves to. Where that is not what it was, or
 * is in doubt, snapshots younger than the restore that resolve to the origin lose the block; the live device keeps it.
 */
#include "repair.h"

#include "designation.h"
#include "restore.h"

#include <inttypes.h>

/* What has been recorded as lost in the run at hand, from the newest snapshot down. */
struct doubt {
    uint64_t run;
    unsigned count;
    struct ssn_runbits lost;
    uint64_t lost_at[SSN_RUN_BLOCKS]; /* the epoch that the snapshot had resolved to; UINT64_MAX: none */
};

static void run_keys(uint64_t run, struct ssn_key *ret_low, struct ssn_key *ret_last) {
    *ret_low = ssn_key_make(SSN_ITEM_ENTRY, run << 12, 0);
    *ret_last = ssn_key_make(SSN_ITEM_ENTRY, run << 12 | 0xfff, UINT64_MAX);
}

static bool has_gap(struct ssn_repair *repair, uint64_t run) {
    struct ssn_key low;
    struct ssn_key last;
    run_keys(run, &low, &last);
    return ssn_store_gap_meets(repair->old.store, &low, &last);
}

static bool is_gap(struct ssn_repair *repair, uint64_t run) {
    struct ssn_key low;
    struct ssn_key last;
    struct ssn_gap gap;
    run_keys(run, &low, &last);
    return ssn_store_next_gap(repair->old.store, &low, &gap) && ssn_key_compare(&gap.low, &low) <= 0 &&
           ssn_key_compare(&gap.last, &last) >= 0;
}

bool ssn_repair_doubtful(struct ssn_repair *repair, uint64_t run) {
    return repair->cut || repair->restore_count > 0 || repair->old.catalogue.job_count > 0 || has_gap(repair, run);
}

/* Whether an entry of the block with an epoch from `from` to below `below` may have been in a gap. */
static bool unknown_between(struct ssn_repair *repair, uint64_t run, unsigned block, uint64_t from, uint64_t below) {
    below = ssn_min_u64(below, ssn_store_next_epoch(repair->old.store));
    for (unsigned level = 0; from < below && level <= SSN_EXTENT_LEVEL_MAX; level++) {
        uint64_t major = ssn_entry_major(run, level, block >> level);
        struct ssn_key low = ssn_key_make(SSN_ITEM_ENTRY, major, from);
        struct ssn_key last = ssn_key_make(SSN_ITEM_ENTRY, major, below - 1);
        if (ssn_store_gap_meets(repair->old.store, &low, &last)) {
            return true;
        }
    }
    return false;
}

int ssn_repair_put_lost(struct ssn_repair *repair, uint64_t run, const struct ssn_runbits *bits, uint64_t epoch) {
    const struct ssn_entry_record lost = {SSN_ENTRY_LOST_DAMAGE, 0};
    uint8_t value[SSN_VALUE_MAX];
    int rc = SELSNAP_OK;
    for (unsigned i = 0; rc == SELSNAP_OK && i < SSN_RUN_BLOCKS;) {
        unsigned level = 0;
        if (!ssn_runbits_get(bits, i)) {
            i++;
            continue;
        }
        while (level < SSN_EXTENT_LEVEL_MAX && i % (2u << level) == 0) {
            unsigned j = i + (1u << level);
            while (j < i + (2u << level) && ssn_runbits_get(bits, j)) {
                j++;
            }
            if (j < i + (2u << level)) {
                break;
            }
            level++;
        }
        struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, ssn_entry_major(run, level, i >> level), epoch);
        rc = ssn_repair_put(repair, &key, value, ssn_entry_record_encode(value, &lost, NULL, 1u << level));
        repair->result.blocks_lost += 1u << level;
        repair->any_lost = true;
        i += 1u << level;
    }
    return rc;
}

static int cover_of(struct ssn_repair *repair, const struct ssn_group *group, uint64_t run, unsigned count,
                    struct ssn_runbits *ret_cover) {
    return ssn_designation_cover(&repair->old, group->id, group->whole, run, 0, count, ret_cover);
}

/* ---- a run of which nothing is known ---- */

static bool newest_of_group(const struct ssn_snap *snap) {
    for (size_t i = snap->group->member_count; i > 0; i--) {
        if (snap->group->members[i - 1]->id != 0) {
            return snap->group->members[i - 1] == snap;
        }
    }
    return false;
}

static void tell_covered(struct ssn_repair *repair, size_t index, const struct doubt *doubt,
                         const struct ssn_runbits *cover) {
    enum ssn_loss loss = repair->cut ? SSN_LOSS_LOG : SSN_LOSS_INDEX;
    for (unsigned b = 0; b < doubt->count; b++) {
        if (ssn_runbits_get(cover, b)) {
            ssn_repair_tell_block(repair, index, doubt->run * SSN_RUN_BLOCKS + b, 1, loss);
        }
    }
}

static int lose_all(struct ssn_repair *repair, struct doubt *doubt) {
    int rc = SELSNAP_OK;
    for (size_t i = 0; rc == SELSNAP_OK && i < repair->snap_count; i++) {
        const struct ssn_snap *snap = repair->by_point[i];
        bool records = newest_of_group(snap);
        if (!records && repair->options->report == NULL) {
            continue;
        }
        struct ssn_runbits bits;
        rc = cover_of(repair, snap->group, doubt->run, doubt->count, &bits);
        if (rc != SELSNAP_OK) {
            break;
        }
        tell_covered(repair, i, doubt, &bits);
        for (unsigned w = 0; w < SSN_RUN_BLOCKS / 64; w++) {
            bits.word[w] &= ~doubt->lost.word[w];
            doubt->lost.word[w] |= bits.word[w];
        }
        rc = records ? ssn_repair_put_lost(repair, doubt->run, &bits, snap->record.point) : SELSNAP_OK;
    }
    return rc;
}

/* ---- snapshot by snapshot ---- */

/* Blocks that a lost restore may have had to copy, for a snapshot younger than it. */
static int doubt_restore(struct ssn_repair *repair, const struct doubt *doubt, const struct ssn_lost_restore *restore,
                         uint64_t point, struct ssn_runbits *bits) {
    struct ssn_source sources[SSN_RUN_BLOCKS];
    uint64_t cap = ssn_min_u64(restore->point, point);
    bool older = restore->point != UINT64_MAX && point <= restore->point;
    if (older || restore->source_point >= cap) {
        return SELSNAP_OK;
    }
    int rc = ssn_resolve_at(&repair->old, doubt->run, 0, doubt->count, restore->source_point, cap, sources);
    for (unsigned b = 0; rc == SELSNAP_OK && b < doubt->count; b++) {
        if (sources[b].kind != SSN_ENTRY_NONE || unknown_between(repair, doubt->run, b, restore->source_point, cap)) {
            ssn_runbits_set(bits, b);
        }
    }
    return rc;
}

static int doubt_snapshot(struct ssn_repair *repair, struct doubt *doubt, const struct ssn_snap *snap, bool gap) {
    struct ssn_source sources[SSN_RUN_BLOCKS];
    struct ssn_runbits cover;
    struct ssn_runbits restored = ssn_runbits_none();
    struct ssn_runbits bits = ssn_runbits_none();
    uint64_t point = snap->record.point;
    int rc = cover_of(repair, snap->group, doubt->run, doubt->count, &cover);
    if (rc != SELSNAP_OK || !ssn_runbits_any(&cover)) {
        return rc;
    }
    rc = ssn_resolve_at(&repair->old, doubt->run, 0, doubt->count, point, UINT64_MAX, sources);
    for (size_t i = 0; rc == SELSNAP_OK && i < repair->restore_count; i++) {
        rc = doubt_restore(repair, doubt, &repair->restores[i], point, &restored);
    }
    for (unsigned b = 0; rc == SELSNAP_OK && b < doubt->count; b++) {
        bool none = sources[b].kind == SSN_ENTRY_NONE;
        uint64_t at = none ? UINT64_MAX : sources[b].epoch;
        bool in_doubt = (none && (repair->cut || ssn_runbits_get(&restored, b))) ||
                        (gap && unknown_between(repair, doubt->run, b, point, at));
        bool covered_by_newer = ssn_runbits_get(&doubt->lost, b) && doubt->lost_at[b] == at;
        if (in_doubt && !covered_by_newer && ssn_runbits_get(&cover, b)) {
            ssn_runbits_set(&bits, b);
            ssn_runbits_set(&doubt->lost, b);
            doubt->lost_at[b] = at;
        }
    }
    return rc == SELSNAP_OK ? ssn_repair_put_lost(repair, doubt->run, &bits, point) : rc;
}

/* ---- restores that are carried over ---- */

/* The blocks of which the restore does not stand for the same as before. */
static int changed_by_loss(struct ssn_repair *repair, const struct doubt *doubt, struct ssn_job *job, bool gap,
                           struct ssn_runbits *ret_bits) {
    struct ssn_source before[SSN_RUN_BLOCKS];
    struct ssn_source now[SSN_RUN_BLOCKS];
    struct ssn_runbits remaining;
    struct ssn_runbits cover;
    uint64_t from = job->source_point;
    uint64_t point = job->record.point;
    *ret_bits = ssn_runbits_none();
    int rc = ssn_job_remaining(&repair->old, job, doubt->run, 0, doubt->count, &remaining, before);
    rc = rc == SELSNAP_OK ? cover_of(repair, job->group, doubt->run, doubt->count, &cover) : rc;
    rc = rc == SELSNAP_OK ? ssn_resolve_at(&repair->old, doubt->run, 0, doubt->count, from, point, before) : rc;
    rc = rc == SELSNAP_OK ? ssn_resolve_at(&repair->fresh, doubt->run, 0, doubt->count, from, point, now) : rc;
    for (unsigned b = 0; rc == SELSNAP_OK && b < doubt->count; b++) {
        uint64_t at = before[b].kind == SSN_ENTRY_NONE ? point : before[b].epoch;
        bool differs = now[b].kind != before[b].kind || now[b].epoch != before[b].epoch;
        if ((ssn_runbits_get(&remaining, b) && differs) ||
            (gap && ssn_runbits_get(&cover, b) && unknown_between(repair, doubt->run, b, from, at))) {
            ssn_runbits_set(ret_bits, b);
        }
    }
    return rc;
}

/* A snapshot younger than the restore: of the blocks, those that it resolves to the origin are lost. */
static int lose_younger(struct ssn_repair *repair, const struct doubt *doubt, const struct ssn_snap *snap,
                        const struct ssn_runbits *blocks) {
    struct ssn_source sources[SSN_RUN_BLOCKS];
    struct ssn_runbits bits;
    int rc = cover_of(repair, snap->group, doubt->run, doubt->count, &bits);
    rc = rc == SELSNAP_OK
             ? ssn_resolve_at(&repair->fresh, doubt->run, 0, doubt->count, snap->record.point, UINT64_MAX, sources)
             : rc;
    for (unsigned b = 0; rc == SELSNAP_OK && b < doubt->count; b++) {
        if (sources[b].kind != SSN_ENTRY_NONE || !ssn_runbits_get(blocks, b)) {
            ssn_runbits_clear(&bits, b);
        }
    }
    rc = rc == SELSNAP_OK ? ssn_repair_put_lost(repair, doubt->run, &bits, snap->record.point) : rc;
    return rc == SELSNAP_OK ? ssn_repair_commit(repair) : rc;
}

static int doubt_job(struct ssn_repair *repair, const struct doubt *doubt, struct ssn_job *job, bool gap) {
    struct ssn_runbits bits;
    int rc = changed_by_loss(repair, doubt, job, gap, &bits);
    if (rc != SELSNAP_OK || !ssn_runbits_any(&bits)) {
        return rc;
    }
    uint64_t begin = (doubt->run * SSN_RUN_BLOCKS) << repair->old.block_shift;
    uint64_t len = (uint64_t)doubt->count << repair->old.block_shift;
    ssn_repair_say(repair,
                   "restore %" PRIu64 " of snapshot %" PRIu64 ": not all of the bytes from %" PRIu64 " to %" PRIu64
                   " can be restored; the live device keeps what it has there",
                   job->id, job->record.subject, begin, ssn_min_u64(begin + len, repair->old.extent_bytes) - 1);
    for (size_t i = 0; rc == SELSNAP_OK && i < repair->snap_count; i++) {
        if (repair->by_point[i]->record.point > job->record.point) {
            rc = lose_younger(repair, doubt, repair->by_point[i], &bits);
        }
    }
    return rc;
}

int ssn_repair_doubt(struct ssn_repair *repair, uint64_t run, bool has_entries) {
    const struct ssn_catalogue *catalogue = &repair->old.catalogue;
    struct doubt doubt = {.run = run, .count = ssn_repair_run_blocks(repair, run), .lost = ssn_runbits_none()};
    bool gap = has_gap(repair, run);
    int rc = SELSNAP_OK;
    if (!has_entries && (repair->cut || is_gap(repair, run))) {
        rc = lose_all(repair, &doubt);
    } else {
        for (size_t i = 0; rc == SELSNAP_OK && i < repair->snap_count; i++) {
            rc = doubt_snapshot(repair, &doubt, repair->by_point[i], gap);
        }
    }
    if (rc == SELSNAP_OK && catalogue->job_count > 0) {
        rc = ssn_repair_commit(repair);
    }
    for (size_t i = 0; rc == SELSNAP_OK && i < catalogue->job_count; i++) {
        rc = doubt_job(repair, &doubt, catalogue->jobs[i], gap);
    }
    return rc;
}
