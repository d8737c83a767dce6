/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See needed.h. A snapshot with point p resolves block b to the entry exactly if prev(b) < p <= epoch, where prev(b) is
 * the greatest epoch below the entry's at which b has an entry. Of a group, therefore, only the greatest point not
 * above epoch counts, once among all members and once among those that keep data. Groups are visited by id: whatever
 * joins one meanwhile has a point above epoch.
 */
#include "needed.h"

#include "designation.h"
#include "resolve.h"

#include <inttypes.h>

enum { CANDIDATES_MAX = 32 };

/* A group with a member that may need the entry. */
struct candidate {
    uint64_t id;
    uint64_t point;      /* the greatest not above epoch */
    uint64_t data_point; /* the same among those that keep data; 0: none */
};

struct question {
    struct selsnap *ss;
    struct ssn_needed_memory *memory; /* NULL: none */
    uint64_t run;
    unsigned first;
    unsigned count;
    uint64_t epoch;
    const uint64_t *except; /* ids that are not counted, rising */
    size_t except_count;
    uint64_t prev[SSN_EXTENT_BLOCKS_MAX];
    uint64_t prev_min;
    bool any;
    bool data;
};

/* The index of the first member whose point is above epoch. */
static size_t index_above(const struct ssn_group *group, uint64_t epoch) {
    size_t low = 0;
    size_t high = group->member_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (group->members[middle]->record.point > epoch) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static bool is_excepted(const struct question *q, uint64_t id) {
    size_t low = 0;
    size_t high = q->except_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (q->except[middle] < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < q->except_count && q->except[low] == id;
}

/* catalogue->lock is held. false: no member of the group can need the entry. */
static bool consider(const struct question *q, const struct ssn_group *group, struct candidate *ret_candidate) {
    struct candidate candidate = {.id = group->id};
    for (size_t i = index_above(group, q->epoch); i > 0 && candidate.data_point == 0; i--) {
        const struct ssn_snap *snap = group->members[i - 1];
        if (snap->record.point <= q->prev_min) {
            break;
        }
        if (snap->id != 0 && is_excepted(q, snap->id)) {
            continue;
        }
        candidate.point = ssn_max_u64(candidate.point, snap->record.point);
        if (snap->record.kind == SSN_SNAPSHOT_DATA) {
            candidate.data_point = snap->record.point;
        }
    }
    *ret_candidate = candidate;
    return candidate.point != 0;
}

/* What the candidate means for the blocks it covers. */
static void weigh(struct question *q, const struct candidate *candidate, const struct ssn_runbits *covered) {
    for (unsigned i = 0; i < q->count; i++) {
        if (covered == NULL || ssn_runbits_get(covered, q->first + i)) {
            q->any = q->any || q->prev[i] < candidate->point;
            q->data = q->data || q->prev[i] < candidate->data_point;
        }
    }
}

/* Whole designations need no lookup: they come first. */
static void weigh_whole(struct question *q) {
    struct ssn_catalogue *catalogue = &q->ss->catalogue;
    struct candidate candidate;
    const struct ssn_group *group = NULL;
    ssn_catalogue_read_lock(catalogue);
    for (uint64_t id = 0; !q->data && (group = ssn_catalogue_next_group(catalogue, id)) != NULL; id = group->id) {
        if (group->whole && consider(q, group, &candidate)) {
            weigh(q, &candidate, NULL);
        }
    }
    ssn_catalogue_unlock(catalogue);
}

/* The next groups to ask, of those with an id above *after_id, which moves on. 0: no more. */
static unsigned gather(const struct question *q, uint64_t *after_id, struct candidate *ret_candidates) {
    struct ssn_catalogue *catalogue = &q->ss->catalogue;
    unsigned n = 0;
    ssn_catalogue_read_lock(catalogue);
    while (n < CANDIDATES_MAX) {
        const struct ssn_group *group = ssn_catalogue_next_group(catalogue, *after_id);
        if (group == NULL) {
            break;
        }
        *after_id = group->id;
        n += !group->whole && consider(q, group, &ret_candidates[n]) ? 1 : 0;
    }
    ssn_catalogue_unlock(catalogue);
    return n;
}

/* Notes that the designation covers nothing from the question's blocks to its next range. */
static int learn_gap(const struct question *q, uint64_t id) {
    uint64_t begin = q->run * SSN_RUN_BLOCKS + q->first;
    struct ssn_block_range next = {UINT64_MAX, 0};
    int rc = ssn_designation_next_range(q->ss, id, false, begin + q->count, &next);
    if (rc == SELSNAP_OK || rc == SELSNAP_ENOENT) {
        q->memory->gap[id % SSN_GAPS].id = id;
        q->memory->gap[id % SSN_GAPS].from = begin;
        q->memory->gap[id % SSN_GAPS].to = next.first;
        rc = SELSNAP_OK;
    }
    return rc;
}

static bool in_known_gap(const struct question *q, uint64_t id) {
    uint64_t begin = q->run * SSN_RUN_BLOCKS + q->first;
    return q->memory != NULL && q->memory->gap[id % SSN_GAPS].id == id && q->memory->gap[id % SSN_GAPS].from <= begin &&
           begin + q->count <= q->memory->gap[id % SSN_GAPS].to;
}

static int ask(struct question *q, const struct candidate *candidate) {
    if ((q->any && candidate->data_point == 0) || in_known_gap(q, candidate->id)) {
        return SELSNAP_OK;
    }
    struct ssn_runbits covered;
    int rc = ssn_designation_cover(q->ss, candidate->id, false, q->run, q->first, q->count, &covered);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    weigh(q, candidate, &covered);
    if (q->memory != NULL && q->data) {
        q->memory->last_group = candidate->id;
    } else if (q->memory != NULL && !ssn_runbits_any(&covered)) {
        rc = learn_gap(q, candidate->id);
    }
    return rc;
}

/* The group that needed the entry before will often need this one. */
static int ask_last(struct question *q) {
    struct candidate candidate;
    struct ssn_catalogue *catalogue = &q->ss->catalogue;
    ssn_catalogue_read_lock(catalogue);
    const struct ssn_group *group = ssn_catalogue_find_group(catalogue, q->memory->last_group);
    bool may = group != NULL && consider(q, group, &candidate);
    ssn_catalogue_unlock(catalogue);
    return may ? ask(q, &candidate) : SELSNAP_OK;
}

static int ask_all(struct question *q) {
    struct candidate candidates[CANDIDATES_MAX];
    uint64_t after_id = 0;
    unsigned n = CANDIDATES_MAX;
    int rc = q->memory != NULL && !q->data ? ask_last(q) : SELSNAP_OK;
    while (rc == SELSNAP_OK && !q->data && n == CANDIDATES_MAX) {
        n = gather(q, &after_id, candidates);
        for (unsigned i = 0; rc == SELSNAP_OK && !q->data && i < n; i++) {
            rc = ask(q, &candidates[i]);
        }
    }
    return rc;
}

int ssn_extent_needed(struct selsnap *ss, uint64_t major, uint64_t epoch, uint64_t except_snap_id, bool *ret_any,
                      bool *ret_data) {
    return ssn_extent_needed_walking(ss, NULL, major, epoch, except_snap_id, ret_any, ret_data);
}

int ssn_extent_needed_walking(struct selsnap *ss, struct ssn_needed_memory *memory, uint64_t major, uint64_t epoch,
                              uint64_t except_snap_id, bool *ret_any, bool *ret_data) {
    return ssn_extent_needed_except(ss, memory, major, epoch, &except_snap_id, except_snap_id != 0, ret_any, ret_data);
}

int ssn_extent_needed_except(struct selsnap *ss, struct ssn_needed_memory *memory, uint64_t major, uint64_t epoch,
                             const uint64_t *except, size_t except_count, bool *ret_any, bool *ret_data) {
    struct question q = {
        .ss = ss,
        .memory = memory,
        .run = ssn_entry_run(major),
        .first = ssn_entry_first(major),
        .count = ssn_entry_blocks(major),
        .epoch = epoch,
        .except = except,
        .except_count = except_count,
        .prev_min = UINT64_MAX,
    };
    if (!ssn_entry_major_valid(major) || epoch == 0) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED,
                        "there is an entry with an impossible key: %" PRIu64 ", %" PRIu64, major, epoch);
    }
    int rc = ssn_resolve_newest(ss, q.run, q.first, q.count, epoch, q.prev);
    for (unsigned i = 0; rc == SELSNAP_OK && i < q.count; i++) {
        q.prev_min = ssn_min_u64(q.prev_min, q.prev[i]);
    }
    if (rc == SELSNAP_OK) {
        weigh_whole(&q);
        rc = ask_all(&q);
    }
    if (rc == SELSNAP_OK) {
        *ret_any = q.any;
        *ret_data = q.data;
    }
    return rc;
}
