/* SPDX-License-Identifier: Apache-2.0 */
/* See catalogue.h. Here: the lists and the questions about them; loading is in catalogue_load.c. */
#include "catalogue.h"

#include "restore.h"

#include <assert.h>
#include <string.h>

int ssn_catalogue_init(struct ssn_catalogue *catalogue, struct ssn_mem *mem) {
    memset(catalogue, 0, sizeof *catalogue);
    catalogue->mem = mem;
    return pthread_rwlock_init(&catalogue->lock, NULL) == 0 ? SELSNAP_OK : SELSNAP_ENOMEM;
}

void ssn_catalogue_fini(struct ssn_catalogue *catalogue) {
    struct ssn_mem *mem = catalogue->mem;
    for (size_t i = 0; i < catalogue->group_count; i++) {
        struct ssn_group *group = catalogue->groups[i];
        for (size_t j = 0; j < group->member_count; j++) {
            ssn_free(mem, group->members[j]);
        }
        ssn_free(mem, group->members);
        ssn_free(mem, group);
    }
    assert(catalogue->job_count == 0);
    ssn_free(mem, catalogue->jobs);
    ssn_free(mem, catalogue->layers);
    ssn_free(mem, catalogue->snaps);
    ssn_free(mem, catalogue->groups);
    ssn_free(mem, catalogue->newest);
    pthread_rwlock_destroy(&catalogue->lock);
}

/* ---- finding ---- */

/* The index of the first snapshot whose id is above after_id. */
static size_t snap_index_after(const struct ssn_catalogue *catalogue, uint64_t after_id) {
    size_t low = 0;
    size_t high = catalogue->snap_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (catalogue->snaps[middle]->id > after_id) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static size_t group_index_after(const struct ssn_catalogue *catalogue, uint64_t after_id) {
    size_t low = 0;
    size_t high = catalogue->group_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (catalogue->groups[middle]->id > after_id) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

struct ssn_snap *ssn_catalogue_find(const struct ssn_catalogue *catalogue, uint64_t id) {
    struct ssn_snap *snap = id == 0 ? NULL : ssn_catalogue_next(catalogue, id - 1);
    return snap != NULL && snap->id == id ? snap : NULL;
}

struct ssn_snap *ssn_catalogue_next(const struct ssn_catalogue *catalogue, uint64_t after_id) {
    size_t index = snap_index_after(catalogue, after_id);
    return index < catalogue->snap_count ? catalogue->snaps[index] : NULL;
}

struct ssn_group *ssn_catalogue_find_group(const struct ssn_catalogue *catalogue, uint64_t id) {
    struct ssn_group *group = id == 0 ? NULL : ssn_catalogue_next_group(catalogue, id - 1);
    return group != NULL && group->id == id ? group : NULL;
}

struct ssn_group *ssn_catalogue_next_group(const struct ssn_catalogue *catalogue, uint64_t after_id) {
    size_t index = group_index_after(catalogue, after_id);
    return index < catalogue->group_count ? catalogue->groups[index] : NULL;
}

/* ---- changing ---- */

static uint64_t newest_point(const struct ssn_group *group) {
    return group->member_count == 0 ? 0 : group->members[group->member_count - 1]->record.point;
}

/* The index in `newest` of the first group whose newest point is below `below`. */
static size_t newest_index_below(const struct ssn_catalogue *catalogue, uint64_t below) {
    size_t low = 0;
    size_t high = catalogue->newest_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (newest_point(catalogue->newest[middle]) < below) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static void newest_take_out(struct ssn_catalogue *catalogue, const struct ssn_group *group, uint64_t point) {
    if (point == 0) {
        return;
    }
    size_t at = newest_index_below(catalogue, point + 1);
    while (catalogue->newest[at] != group) {
        at++;
        assert(at < catalogue->newest_count);
    }
    catalogue->newest_count--;
    memmove(catalogue->newest + at, catalogue->newest + at + 1, (catalogue->newest_count - at) * sizeof(void *));
}

static void newest_put_in(struct ssn_catalogue *catalogue, struct ssn_group *group) {
    uint64_t point = newest_point(group);
    if (point == 0) {
        return;
    }
    assert(catalogue->newest_count < catalogue->newest_capacity);
    size_t at = newest_index_below(catalogue, point);
    memmove(catalogue->newest + at + 1, catalogue->newest + at, (catalogue->newest_count - at) * sizeof(void *));
    catalogue->newest[at] = group;
    catalogue->newest_count++;
}

bool ssn_catalogue_fits(const struct ssn_catalogue *catalogue, size_t snaps, size_t groups) {
    enum {
        OVERHEAD = 64,
        MEMBERS = 8
    }; /* of an allocation, and places in arrays; members that a group makes room for */
    const uint64_t each_snap = sizeof(struct ssn_snap) + OVERHEAD;
    const uint64_t each_group = sizeof(struct ssn_group) + MEMBERS * sizeof(void *) + (uint64_t)2 * OVERHEAD;
    return catalogue->mem->limit == 0 ||
           (catalogue->snap_count + snaps) * each_snap + (catalogue->group_count + groups) * each_group +
                   (catalogue->layer_count + 2 * snaps) * sizeof(struct ssn_layer) <=
               catalogue->mem->limit / 16 * 3;
}

int ssn_catalogue_add_group(struct ssn_catalogue *catalogue, const struct ssn_designation_record *record, uint64_t id,
                            uint64_t origin_blocks, struct ssn_group **ret_group) {
    struct ssn_group *group = ssn_calloc(catalogue->mem, 1, sizeof *group);
    if (group == NULL) {
        return SELSNAP_ENOMEM;
    }
    group->id = id;
    group->blocks = record->blocks;
    group->ranges = record->ranges;
    group->whole = record->blocks == origin_blocks;
    group->named = record->name[0] != '\0';
    group->state = record->state;
    ssn_catalogue_write_lock(catalogue);
    bool room = ssn_grow(catalogue->mem, (void **)&catalogue->groups, &catalogue->group_capacity,
                         catalogue->group_count, sizeof(void *));
    if (room) {
        size_t at = group_index_after(catalogue, id);
        memmove(catalogue->groups + at + 1, catalogue->groups + at, (catalogue->group_count - at) * sizeof(void *));
        catalogue->groups[at] = group;
        catalogue->group_count++;
    }
    ssn_catalogue_unlock(catalogue);
    if (!room) {
        ssn_free(catalogue->mem, group);
        return SELSNAP_ENOMEM;
    }
    *ret_group = group;
    return SELSNAP_OK;
}

void ssn_catalogue_remove_group(struct ssn_catalogue *catalogue, struct ssn_group *group) {
    assert(group->member_count == 0);
    ssn_catalogue_write_lock(catalogue);
    size_t at = group_index_after(catalogue, group->id - 1);
    assert(catalogue->groups[at] == group);
    catalogue->group_count--;
    memmove(catalogue->groups + at, catalogue->groups + at + 1, (catalogue->group_count - at) * sizeof(void *));
    ssn_catalogue_unlock(catalogue);
    ssn_free(catalogue->mem, group->members);
    ssn_free(catalogue->mem, group);
}

int ssn_catalogue_reserve(struct ssn_catalogue *catalogue, struct ssn_group *group) {
    struct ssn_mem *mem = catalogue->mem;
    ssn_catalogue_write_lock(catalogue);
    bool room =
        ssn_grow(mem, (void **)&catalogue->snaps, &catalogue->snap_capacity, catalogue->snap_count, sizeof(void *)) &&
        ssn_grow(mem, (void **)&catalogue->newest, &catalogue->newest_capacity, catalogue->newest_count,
                 sizeof(void *)) &&
        ssn_grow(mem, (void **)&group->members, &group->member_capacity, group->member_count, sizeof(void *));
    ssn_catalogue_unlock(catalogue);
    return room ? SELSNAP_OK : SELSNAP_ENOMEM;
}

void ssn_catalogue_add(struct ssn_catalogue *catalogue, struct ssn_snap *snap, struct ssn_group *group) {
    ssn_catalogue_write_lock(catalogue);
    snap->group = group;
    if (snap->id != 0) {
        assert(catalogue->snap_count < catalogue->snap_capacity);
        size_t at = snap_index_after(catalogue, snap->id);
        memmove(catalogue->snaps + at + 1, catalogue->snaps + at, (catalogue->snap_count - at) * sizeof(void *));
        catalogue->snaps[at] = snap;
        catalogue->snap_count++;
    }
    assert(group->member_count < group->member_capacity);
    newest_take_out(catalogue, group, newest_point(group));
    size_t at = group->member_count;
    while (at > 0 && group->members[at - 1]->record.point > snap->record.point) {
        group->members[at] = group->members[at - 1];
        at--;
    }
    group->members[at] = snap;
    group->member_count++;
    newest_put_in(catalogue, group);
    atomic_fetch_add(&catalogue->additions, 1);
    ssn_catalogue_unlock(catalogue);
}

void ssn_catalogue_remove(struct ssn_catalogue *catalogue, struct ssn_snap *snap) {
    struct ssn_group *group = snap->group;
    ssn_catalogue_write_lock(catalogue);
    if (snap->id != 0) {
        size_t at = snap_index_after(catalogue, snap->id - 1);
        assert(catalogue->snaps[at] == snap);
        catalogue->snap_count--;
        memmove(catalogue->snaps + at, catalogue->snaps + at + 1, (catalogue->snap_count - at) * sizeof(void *));
    }
    newest_take_out(catalogue, group, newest_point(group));
    size_t at = 0;
    while (group->members[at] != snap) {
        at++;
        assert(at < group->member_count);
    }
    group->member_count--;
    memmove(group->members + at, group->members + at + 1, (group->member_count - at) * sizeof(void *));
    newest_put_in(catalogue, group);
    ssn_catalogue_unlock(catalogue);
    ssn_free(catalogue->mem, snap);
}

/* ---- questions ---- */

/* The index of the first member whose point is above `point`. */
static size_t member_index_above(const struct ssn_group *group, uint64_t point) {
    size_t low = 0;
    size_t high = group->member_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (group->members[middle]->record.point > point) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

bool ssn_catalogue_next_newest(struct ssn_catalogue *catalogue, uint64_t below, uint64_t cap,
                               struct ssn_group_view *ret_view) {
    ssn_catalogue_read_lock(catalogue);
    size_t at = newest_index_below(catalogue, below);
    bool found = at < catalogue->newest_count;
    if (found) {
        const struct ssn_group *group = catalogue->newest[at];
        size_t index = member_index_above(group, cap - 1);
        ret_view->id = group->id;
        ret_view->newest = newest_point(group);
        ret_view->point = index == 0 ? 0 : group->members[index - 1]->record.point;
        ret_view->whole = group->whole;
    }
    ssn_catalogue_unlock(catalogue);
    return found;
}

void ssn_catalogue_sharers(struct ssn_catalogue *catalogue, uint64_t group_id, uint64_t above, uint64_t upto,
                           struct ssn_sharers *ret_sharers) {
    struct ssn_sharers sharers = {false, false, false};
    ssn_catalogue_read_lock(catalogue);
    const struct ssn_group *group = ssn_catalogue_find_group(catalogue, group_id);
    size_t index = group == NULL ? 0 : member_index_above(group, upto);
    while (index > 0 && !sharers.refuses) {
        const struct ssn_snapshot_record *record = &group->members[--index]->record;
        if (record->point <= above) {
            break;
        }
        bool data = record->kind == SSN_SNAPSHOT_DATA;
        sharers.any = true;
        sharers.data = sharers.data || data;
        sharers.refuses = data && record->policy == SELSNAP_POLICY_FAIL_WRITE;
    }
    ssn_catalogue_unlock(catalogue);
    *ret_sharers = sharers;
}
