/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See consistent.h. A group is made in this order:
 *
 *   before       the application comes to rest; no lock is held
 *   lock         the admin locks of all members
 *   prepare      names, designations, memory: all that can fail before the points
 *   freeze       all gates are closed
 *   points       taken; the gates open again
 *   after        the application goes on
 *   settle       all origins are flushed
 *   commit       the records, one after the other; each tells its group
 *
 * Up to the points, nothing is left of a group that fails. Between the first record and the last a crash leaves some of
 * them. Who fails there deletes what is committed.
 *
 * Admin locks and gates are taken in the order in which the contexts were opened. Nobody else holds two admin locks,
 * and who waits for a gate waits for origin writes alone; so two groups cannot wait for each other.
 */
#include "consistent.h"

#include "clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t TIMEOUT_DEFAULT = UINT64_C(10000000000);

/* By their addresses where the clock tells no difference. */
static int by_opening(const void *a, const void *b) {
    const struct selsnap *of_a = ((const struct ssn_member *)a)->ss;
    const struct selsnap *of_b = ((const struct ssn_member *)b)->ss;
    if (of_a->opened_ns != of_b->opened_ns) {
        return of_a->opened_ns < of_b->opened_ns ? -1 : 1;
    }
    return (uintptr_t)of_a < (uintptr_t)of_b ? -1 : of_a != of_b;
}

bool ssn_consistent_order(struct ssn_member *members, uint32_t count) {
    qsort(members, count, sizeof *members, by_opening);
    for (uint32_t i = 1; i < count; i++) {
        if (members[i].ss == members[i - 1].ss) {
            return false;
        }
    }
    return true;
}

static int too_late(struct selsnap *ss, const char *what) {
    return ssn_fail(&ss->report, SELSNAP_EBUSY, "the group's points could not be taken in time: %s", what);
}

static bool lock_admin(struct selsnap *ss, uint64_t deadline) {
    const struct timespec moment = {0, 1000000};
    while (pthread_mutex_trylock(&ss->admin) != 0) {
        if (ssn_monotonic_ns() >= deadline) {
            return false;
        }
        (void)nanosleep(&moment, NULL);
    }
    return true;
}

static void unlock_all(struct ssn_member *members, uint32_t count) {
    for (uint32_t i = count; i > 0; i--) {
        pthread_mutex_unlock(&members[i - 1].ss->admin);
    }
}

static int lock_all(struct ssn_member *members, uint32_t count, uint64_t deadline) {
    for (uint32_t i = 0; i < count; i++) {
        if (!lock_admin(members[i].ss, deadline)) {
            unlock_all(members, i);
            return too_late(members[i].ss, "other work on a context did not end");
        }
    }
    return SELSNAP_OK;
}

static int prepare_all(struct ssn_member *members, uint32_t count, uint64_t deadline) {
    int rc = SELSNAP_OK;
    for (uint32_t i = 0; rc == SELSNAP_OK && i < count; i++) {
        struct ssn_member *member = &members[i];
        member->making.ss = member->ss;
        member->making.options = &member->options;
        member->making.membership = &member->membership;
        rc = ssn_check_usable(member->ss);
        rc = rc == SELSNAP_OK ? ssn_snapshot_prepare(&member->making) : rc;
        if (rc == SELSNAP_OK && ssn_monotonic_ns() >= deadline) {
            rc = too_late(member->ss, "saving what is to be made took too long");
        }
    }
    return rc;
}

static int take_points(struct ssn_member *members, uint32_t count, uint64_t deadline) {
    uint64_t began = ssn_monotonic_ns();
    int rc = SELSNAP_OK;
    uint32_t closed = 0;
    while (rc == SELSNAP_OK && closed < count) {
        if (ssn_gate_close_by(&members[closed].ss->gate, deadline)) {
            closed++;
        } else {
            rc = too_late(members[closed].ss, "origin writes in flight did not end");
        }
    }
    for (uint32_t i = 0; rc == SELSNAP_OK && i < count; i++) {
        ssn_snapshot_take_point(&members[i].making);
    }
    for (uint32_t i = closed; i > 0; i--) {
        ssn_gate_open(&members[i - 1].ss->gate);
    }
    for (uint32_t i = 0; i < closed; i++) {
        ssn_snapshot_note_closed(members[i].ss, began);
    }
    return rc;
}

static int make_durable(struct ssn_member *members, uint32_t count) {
    int rc = SELSNAP_OK;
    for (uint32_t i = 0; rc == SELSNAP_OK && i < count; i++) {
        rc = ssn_snapshot_settle_point(&members[i].making);
    }
    for (uint32_t i = 0; rc == SELSNAP_OK && i < count; i++) {
        rc = ssn_snapshot_commit(&members[i].making);
    }
    return rc;
}

/* The admin locks are held. *told: `after` was called. */
static int create_locked(struct ssn_member *members, uint32_t count, const selsnap_group_options *options,
                         uint64_t deadline, bool *told) {
    int rc = prepare_all(members, count, deadline);
    rc = rc == SELSNAP_OK ? take_points(members, count, deadline) : rc;
    if (rc == SELSNAP_OK) {
        if (options->after != NULL) {
            options->after(options->user, rc);
        }
        *told = true;
        rc = make_durable(members, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct ssn_member *member = &members[i];
        if (rc == SELSNAP_OK) {
            member->id = member->making.snap->id;
            ssn_snapshot_show(&member->making);
        } else {
            ssn_snapshot_unmake(&member->making);
        }
    }
    return rc;
}

static int check_all(struct ssn_member *members, uint32_t count) {
    int rc = SELSNAP_OK;
    for (uint32_t i = 0; rc == SELSNAP_OK && i < count; i++) {
        rc = ssn_snapshot_check_options(members[i].ss, &members[i].options);
        rc = rc == SELSNAP_OK ? ssn_check_usable(members[i].ss) : rc;
    }
    return rc;
}

static void fill_memberships(struct ssn_member *members, uint32_t count, const selsnap_group_options *options,
                             uint8_t *ret_group_id) {
    int64_t time_ns = options->time_ns != 0 ? options->time_ns : ssn_realtime_ns();
    ssn_store_make_id(ret_group_id);
    for (uint32_t i = 0; i < count; i++) {
        struct ssn_membership *membership = &members[i].membership;
        memcpy(membership->group, ret_group_id, SELSNAP_GROUP_ID_SIZE);
        membership->count = count;
        membership->time_ns = time_ns;
        if (options->name != NULL) {
            memcpy(membership->name, options->name, strlen(options->name) + 1);
        }
    }
}

int ssn_consistent_create(struct ssn_member *members, uint32_t count, const selsnap_group_options *options,
                          uint8_t *ret_group_id) {
    uint64_t timeout = options->timeout_ns != 0 ? options->timeout_ns : TIMEOUT_DEFAULT;
    uint64_t began = ssn_monotonic_ns();
    uint64_t deadline = UINT64_MAX;
    (void)ssn_add_u64(began, timeout, &deadline);
    int rc = check_all(members, count);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    uint8_t group_id[SELSNAP_GROUP_ID_SIZE];
    fill_memberships(members, count, options, group_id);
    bool told = false;
    if (options->before != NULL && options->before(options->user, timeout) != 0) {
        rc = ssn_fail(&members[0].ss->report, SELSNAP_ECANCELED, "the application could not be brought to rest");
    }
    rc = rc == SELSNAP_OK ? lock_all(members, count, deadline) : rc;
    if (rc == SELSNAP_OK) {
        rc = create_locked(members, count, options, deadline, &told);
        unlock_all(members, count);
    }
    if (!told && options->after != NULL) {
        options->after(options->user, rc);
    }
    if (rc == SELSNAP_OK) {
        memcpy(ret_group_id, group_id, sizeof group_id);
    }
    return rc;
}

/* ---- telling ---- */

static int damaged(struct selsnap *ss, uint64_t id) {
    return ssn_fail(&ss->report, SELSNAP_EDAMAGED, "what is noted of the group of snapshot %" PRIu64 " is damaged", id);
}

int ssn_consistent_info(struct selsnap *ss, uint64_t id, struct ssn_membership *ret_membership) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_MEMBERSHIP, id, 0);
    struct ssn_item item;
    pthread_mutex_lock(&ss->admin);
    const struct ssn_snap *snap = ssn_catalogue_find(&ss->catalogue, id);
    bool live = snap != NULL && snap->state == SSN_SNAP_LIVE;
    int rc = live ? ssn_store_get(ss->store, &key, &item) : SELSNAP_ENOENT;
    pthread_mutex_unlock(&ss->admin);
    if (rc == SELSNAP_ENOENT) {
        return ssn_fail(&ss->report, rc, live ? "snapshot %" PRIu64 " is in no group" : "no snapshot has id %" PRIu64,
                        id);
    }
    return rc != SELSNAP_OK || ssn_membership_decode(item.value, item.len, ret_membership) ? rc : damaged(ss, id);
}

/* What is found of a group. */
struct finding {
    const uint8_t *group_id;
    uint32_t count; /* members that it was made with; 0: none is found */
    uint32_t present;
    bool seen[SELSNAP_GROUP_MEMBERS_MAX];
};

static int note_member(struct selsnap *ss, struct finding *finding, uint64_t id, const struct ssn_membership *found) {
    if (finding->count != 0 && finding->count != found->count) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED,
                        "snapshot %" PRIu64 " says that its group has %" PRIu32 " members, another says %" PRIu32, id,
                        found->count, finding->count);
    }
    finding->count = found->count;
    finding->present += !finding->seen[found->number];
    finding->seen[found->number] = true;
    return SELSNAP_OK;
}

/* admin is held. */
static int look(struct selsnap *ss, struct finding *finding) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_MEMBERSHIP, 0, 0);
    struct ssn_item item;
    int rc;
    while ((rc = ssn_store_seek(ss->store, &key, &item)) == SELSNAP_OK && item.key.type == SSN_ITEM_MEMBERSHIP) {
        struct ssn_membership found;
        const struct ssn_snap *snap = ssn_catalogue_find(&ss->catalogue, item.key.major);
        if (!ssn_membership_decode(item.value, item.len, &found)) {
            return damaged(ss, item.key.major);
        }
        if (snap != NULL && snap->state == SSN_SNAP_LIVE &&
            memcmp(found.group, finding->group_id, SELSNAP_GROUP_ID_SIZE) == 0) {
            rc = note_member(ss, finding, snap->id, &found);
        }
        key = item.key;
        if (rc != SELSNAP_OK || !ssn_key_after(&key)) {
            return rc;
        }
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

int ssn_consistent_check(selsnap *const *contexts, uint32_t count, const uint8_t *group_id,
                         selsnap_group_status *ret_status) {
    struct finding finding = {.group_id = group_id};
    int rc = SELSNAP_OK;
    for (uint32_t i = 0; rc == SELSNAP_OK && i < count; i++) {
        pthread_mutex_lock(&contexts[i]->admin);
        rc = look(contexts[i], &finding);
        pthread_mutex_unlock(&contexts[i]->admin);
    }
    if (rc == SELSNAP_OK && finding.count == 0) {
        rc = ssn_fail(&contexts[0]->report, SELSNAP_ENOENT, "no snapshot here is a member of that group");
    }
    if (rc == SELSNAP_OK) {
        ret_status->members = finding.count;
        ret_status->present = finding.present;
        ret_status->missing = finding.count - finding.present;
        ret_status->complete = ret_status->missing == 0;
    }
    return rc;
}
