/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See preserve.h. In order: decide by the index which blocks need what, read their old content, take space and write
 * the copies, commit the entries. Nothing is locked meanwhile: the caller's claim keeps the blocks as they are.
 */
#include "preserve.h"

#include "deferred.h"
#include "designation.h"
#include "preserve_plan.h"
#include "resolve.h"

#include <assert.h>
#include <string.h>

/* Blocks `at` and after of the plan: one of its stretches. */
struct part {
    struct ssn_plan *plan;
    unsigned at;
    unsigned count;
    uint64_t run;
    unsigned in_run;                /* of the first */
    const struct ssn_runbits *want; /* NULL: all */
};

/* One group's share in it: for each block it covers whose newest entry is older than its newest point. */
static int add_group(const struct part *part, const struct ssn_group_view *group) {
    struct ssn_plan *plan = part->plan;
    struct selsnap *ss = plan->ss;
    struct ssn_runbits cover;
    int rc = ssn_designation_cover(ss, group->id, group->whole, part->run, part->in_run, part->count, &cover);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    struct ssn_sharers sharers = {false, false, false};
    uint64_t asked = UINT64_MAX;
    for (unsigned i = part->at; i < part->at + part->count; i++) {
        unsigned in_run = part->in_run + (i - part->at);
        bool wanted = part->want == NULL || ssn_runbits_get(part->want, in_run);
        if (!wanted || !ssn_runbits_get(&cover, in_run) || group->point <= plan->had[i]) {
            continue;
        }
        if (asked != plan->had[i]) {
            asked = plan->had[i];
            ssn_catalogue_sharers(&ss->catalogue, group->id, asked, group->point, &sharers);
        }
        plan->epoch[i] = ssn_max_u64(plan->epoch[i], group->point);
        plan->refuses[i] = plan->refuses[i] || sharers.refuses;
        if (sharers.data) {
            plan->kind[i] = SSN_ENTRY_DATA;
        } else if (plan->kind[i] == SSN_ENTRY_NONE) {
            plan->kind[i] = SSN_ENTRY_MARK;
        }
    }
    return SELSNAP_OK;
}

/* Fills had, epoch, kind, refuses of one stretch, by the groups as they are met. */
static int ask_groups(const struct part *part, uint64_t cap) {
    struct ssn_plan *plan = part->plan;
    unsigned ticket = ssn_store_enter(plan->ss->store);
    int rc = ssn_resolve_newest(plan->ss, part->run, part->in_run, part->count, cap, plan->had + part->at);
    uint64_t oldest = UINT64_MAX;
    for (unsigned i = part->at; i < part->at + part->count; i++) {
        oldest = ssn_min_u64(oldest, plan->had[i]);
    }
    struct ssn_group_view group;
    uint64_t below = UINT64_MAX;
    while (rc == SELSNAP_OK && ssn_catalogue_next_newest(&plan->ss->catalogue, below, cap, &group) &&
           group.newest > oldest) {
        if (group.point > oldest) {
            rc = add_group(part, &group);
        }
        below = group.newest;
    }
    ssn_store_leave(plan->ss->store, ticket);
    return rc;
}

int ssn_plan_ask(struct ssn_plan *plan, const struct ssn_runbits *want, uint64_t cap) {
    memset(plan->epoch, 0, plan->count * sizeof plan->epoch[0]);
    memset(plan->kind, SSN_ENTRY_NONE, plan->count * sizeof plan->kind[0]);
    memset(plan->refuses, 0, plan->count * sizeof plan->refuses[0]);
    struct part part = {.plan = plan, .want = want};
    int rc = SELSNAP_OK;
    for (unsigned s = 0; rc == SELSNAP_OK && s < plan->stretch_count; s++) {
        part.count = plan->stretches[s].count;
        part.run = plan->stretches[s].first / SSN_RUN_BLOCKS;
        part.in_run = (unsigned)(plan->stretches[s].first % SSN_RUN_BLOCKS);
        rc = ask_groups(&part, cap);
        part.at += part.count;
    }
    return rc;
}

int ssn_plan_decide(struct ssn_plan *plan, const struct ssn_runbits *want, uint64_t cap, bool *ret_any) {
    _Atomic uint64_t *additions = &plan->ss->catalogue.additions;
    uint64_t before;
    int rc;
    do {
        /* A group that is added to meanwhile may be passed by; and a copy-back is not tested again in the gate. */
        before = atomic_load(additions);
        rc = ssn_plan_ask(plan, want, cap);
    } while (rc == SELSNAP_OK && atomic_load(additions) != before);
    *ret_any = false;
    for (unsigned i = 0; i < plan->count; i++) {
        *ret_any = *ret_any || plan->kind[i] != SSN_ENTRY_NONE;
    }
    return rc;
}

/*
 * If there is something to do, an earlier writer of the blocks may have failed with the entries that are missing still
 * on their way: after ssn_store_settle() it is decided again [F-14].
 */
static int decide(struct ssn_plan *plan, const struct ssn_runbits *want, uint64_t cap, bool *ret_any) {
    bool settled;
    int rc = ssn_plan_decide(plan, want, cap, ret_any);
    if (rc == SELSNAP_OK && *ret_any) {
        rc = ssn_store_settle(plan->ss->store, &settled);
        rc = rc == SELSNAP_OK && settled ? ssn_plan_decide(plan, want, cap, ret_any) : rc;
    }
    return rc;
}

struct ssn_plan *ssn_plan_make(struct selsnap *ss, const struct ssn_stretch *stretches, unsigned stretch_count) {
    enum { WORDS = 5 }; /* arrays of 64-bit members; the two of bytes come last */
    size_t count = 0;
    for (unsigned s = 0; s < stretch_count; s++) {
        count += stretches[s].count;
    }
    assert(count <= ss->chunk_blocks);
    struct ssn_plan *plan = ssn_calloc(&ss->mem, 1, sizeof *plan + count * (WORDS * sizeof(uint64_t) + 2));
    if (plan == NULL) {
        (void)ssn_fail(&ss->report, SELSNAP_ENOMEM, "no memory to preserve blocks");
        return NULL;
    }
    uint64_t *words = plan->words;
    plan->ss = ss;
    plan->stretches = stretches;
    plan->stretch_count = stretch_count;
    plan->block = words;
    plan->had = words + count;
    plan->epoch = words + 2 * count;
    plan->place = words + 3 * count;
    plan->checksum = words + 4 * count;
    plan->kind = (uint8_t *)(words + WORDS * count);
    plan->refuses = (bool *)(plan->kind + count);
    for (unsigned s = 0; s < stretch_count; s++) {
        for (unsigned i = 0; i < stretches[s].count; i++) {
            plan->block[plan->count++] = stretches[s].first + i;
        }
    }
    return plan;
}

static int preserve(struct selsnap *ss, const struct ssn_stretch *stretches, unsigned stretch_count,
                    const struct ssn_runbits *want, uint64_t cap, const struct ssn_held *held) {
    assert(want == NULL || stretch_count == 1);
    struct ssn_plan *plan = ssn_plan_make(ss, stretches, stretch_count);
    if (plan == NULL) {
        return SELSNAP_ENOMEM;
    }
    bool any;
    plan->held = held;
    int rc = decide(plan, want, cap, &any);
    if (rc == SELSNAP_OK && any) {
        rc = ssn_plan_store(plan);
    }
    ssn_free(&ss->mem, plan);
    return rc;
}

int ssn_preserve(struct selsnap *ss, const struct ssn_stretch *stretches, unsigned stretch_count,
                 const struct ssn_runbits *want, uint64_t cap) {
    return preserve(ss, stretches, stretch_count, want, cap, NULL);
}

int ssn_preserve_held(struct selsnap *ss, const struct ssn_stretch *stretches, unsigned stretch_count, uint64_t cap,
                      const struct ssn_held *held) {
    return preserve(ss, stretches, stretch_count, NULL, cap, held);
}

/* ---- with blocks taken ahead ---- */

static bool is_own(const struct ssn_stretch *own, uint64_t block) {
    return block >= own->first && block < own->first + own->count;
}

/* All of `claimed`. false: nothing is done, or not known to be; own by itself may fare better. */
static bool preserve_ahead(struct selsnap *ss, const struct ssn_stretch *own, const struct ssn_stretch *claimed) {
    struct ssn_plan *plan = ssn_plan_make(ss, claimed, 1);
    if (plan == NULL) {
        return false;
    }
    bool any;
    uint64_t ahead = 0;
    bool own_too = false;
    int rc = decide(plan, NULL, UINT64_MAX, &any);
    for (unsigned i = 0; i < plan->count; i++) {
        if (is_own(own, plan->block[i])) {
            own_too = own_too || plan->kind[i] != SSN_ENTRY_NONE;
        } else if (plan->kind[i] != SSN_ENTRY_DATA) {
            plan->kind[i] = SSN_ENTRY_NONE; /* a mark is no copy that could be spared later */
        } else {
            ahead++;
        }
    }
    bool done = false;
    if (rc == SELSNAP_OK && own_too && ahead > 0) {
        plan->gives_way = true;
        done = ssn_plan_store(plan) == SELSNAP_OK;
    }
    if (done) {
        ssn_ahead_taken(ss, ahead);
    }
    ssn_free(&ss->mem, plan);
    return done;
}

int ssn_preserve_for_write(struct selsnap *ss, const struct ssn_stretch *own, const struct ssn_stretch *claimed,
                           bool may_widen, struct ssn_stretch *ret_wider) {
    if (claimed->count > own->count && preserve_ahead(ss, own, claimed)) {
        return SELSNAP_OK;
    }
    struct ssn_plan *plan = ssn_plan_make(ss, own, 1);
    if (plan == NULL) {
        return SELSNAP_ENOMEM;
    }
    bool any;
    int rc = decide(plan, NULL, UINT64_MAX, &any);
    if (rc == SELSNAP_OK && !any) {
        ssn_ahead_used(ss, own->count);
    } else if (rc == SELSNAP_OK && may_widen && ssn_ahead_choose(ss, own, ret_wider)) {
        rc = SSN_CLAIM_WIDER;
    } else if (rc == SELSNAP_OK) {
        rc = ssn_plan_store(plan);
    }
    ssn_free(&ss->mem, plan);
    return rc;
}

int ssn_preserve_damaged(struct selsnap *ss, uint64_t block) {
    const struct ssn_stretch one = {block, 1};
    struct ssn_plan *plan = ssn_plan_make(ss, &one, 1);
    if (plan == NULL) {
        return SELSNAP_ENOMEM;
    }
    bool any;
    /* Snapshots taken since will have what is pending, and lose nothing. */
    int rc = decide(plan, NULL, ssn_deferred_cap(ss->deferred, block), &any);
    if (rc == SELSNAP_OK && any) {
        /* To bookmarks of that time it has changed. */
        plan->kind[0] = plan->kind[0] == SSN_ENTRY_DATA ? SSN_ENTRY_LOST_DAMAGE : plan->kind[0];
        rc = ssn_plan_record_losses(plan);
    }
    ssn_free(&ss->mem, plan);
    return rc;
}
