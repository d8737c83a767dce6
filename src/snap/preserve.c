/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See preserve.h. In order: decide by the index which blocks need what (plan), read their old content, take space and
 * write the copies, commit the entries. Nothing is locked meanwhile: the caller's claim keeps the blocks as they are.
 */
#include "preserve.h"

#include "checksum.h"
#include "designation.h"
#include "resolve.h"

#include <inttypes.h>
#include <string.h>

/* What is to be done with each block of the chunk, indexed from its first block on. */
struct plan {
    struct selsnap *ss;
    uint64_t run;
    unsigned first; /* within the run */
    unsigned count;
    uint64_t had[SSN_RUN_BLOCKS];   /* epoch of the newest entry below the cap */
    uint64_t epoch[SSN_RUN_BLOCKS]; /* of the entry to make; 0: none */
    uint8_t kind[SSN_RUN_BLOCKS];   /* of the entry to make */
    bool refuses[SSN_RUN_BLOCKS];   /* a sharer says: fail the write */
    uint64_t place[SSN_RUN_BLOCKS];
    uint64_t checksum[SSN_RUN_BLOCKS];
    uint8_t *buffer; /* the chunk's old content */
};

static uint64_t block_at(const struct plan *plan, unsigned i) {
    return plan->run * SSN_RUN_BLOCKS + plan->first + i;
}

/* ---- deciding ---- */

/* One group's part: for each block it covers whose newest entry is older than its newest point. */
static int add_group(struct plan *plan, const struct ssn_group_view *group, const struct ssn_runbits *want) {
    struct selsnap *ss = plan->ss;
    struct ssn_runbits cover;
    int rc = ssn_designation_cover(ss, group->id, group->whole, plan->run, plan->first, plan->count, &cover);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    struct ssn_sharers sharers = {false, false, false};
    uint64_t asked = UINT64_MAX;
    for (unsigned i = 0; i < plan->count; i++) {
        bool wanted = want == NULL || ssn_runbits_get(want, plan->first + i);
        if (!wanted || !ssn_runbits_get(&cover, plan->first + i) || group->point <= plan->had[i]) {
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

/* Fills had, epoch, kind, refuses, by the groups as they are met. */
static int ask_groups(struct plan *plan, const struct ssn_runbits *want, uint64_t cap) {
    memset(plan->epoch, 0, sizeof plan->epoch);
    memset(plan->kind, SSN_ENTRY_NONE, sizeof plan->kind);
    memset(plan->refuses, 0, sizeof plan->refuses);
    unsigned ticket = ssn_store_enter(plan->ss->store);
    int rc = ssn_resolve_newest(plan->ss, plan->run, plan->first, plan->count, cap, plan->had);
    uint64_t oldest = UINT64_MAX;
    for (unsigned i = 0; i < plan->count; i++) {
        oldest = ssn_min_u64(oldest, plan->had[i]);
    }
    struct ssn_group_view group;
    uint64_t below = UINT64_MAX;
    while (rc == SELSNAP_OK && ssn_catalogue_next_newest(&plan->ss->catalogue, below, cap, &group) &&
           group.newest > oldest) {
        if (group.point > oldest) {
            rc = add_group(plan, &group, want);
        }
        below = group.newest;
    }
    ssn_store_leave(plan->ss->store, ticket);
    return rc;
}

/*
 * *ret_any: there is something to do. If so, an earlier writer of the blocks may have failed with the entries that are
 * missing still on their way: after ssn_store_settle() it is decided again [F-14].
 */
static int decide(struct plan *plan, const struct ssn_runbits *want, uint64_t cap, bool *ret_any) {
    _Atomic uint64_t *additions = &plan->ss->catalogue.additions;
    uint64_t before;
    int rc;
    do {
        /* A group that is added to meanwhile may be passed by; and a copy-back is not tested again in the gate. */
        before = atomic_load(additions);
        rc = ask_groups(plan, want, cap);
    } while (rc == SELSNAP_OK && atomic_load(additions) != before);
    *ret_any = false;
    for (unsigned i = 0; i < plan->count; i++) {
        *ret_any = *ret_any || plan->kind[i] != SSN_ENTRY_NONE;
    }
    return rc;
}

/* ---- reading the old content ---- */

/* After a failed read of several blocks: each by itself; what cannot be read is lost, and the write goes on [P9]. */
static void read_each(struct plan *plan, unsigned from, unsigned count) {
    for (unsigned i = from; i < from + count; i++) {
        uint8_t *to = plan->buffer + (size_t)i * plan->ss->block_bytes;
        if (ssn_origin_read_blocks(plan->ss, block_at(plan, i), 1, to) != SELSNAP_OK) {
            plan->kind[i] = SSN_ENTRY_LOST_READ;
        }
    }
}

static void read_old(struct plan *plan) {
    unsigned i = 0;
    while (i < plan->count) {
        unsigned n = 0;
        while (i + n < plan->count && plan->kind[i + n] == SSN_ENTRY_DATA) {
            n++;
        }
        if (n > 0) {
            uint8_t *to = plan->buffer + (size_t)i * plan->ss->block_bytes;
            if (ssn_origin_read_blocks(plan->ss, block_at(plan, i), n, to) != SELSNAP_OK) {
                read_each(plan, i, n);
            }
        }
        i += n > 0 ? n : 1;
    }
    for (i = 0; i < plan->count; i++) {
        uint8_t *data = plan->buffer + (size_t)i * plan->ss->block_bytes;
        if (plan->kind[i] == SSN_ENTRY_DATA && ssn_is_zero(data, plan->ss->block_bytes)) {
            plan->kind[i] = SSN_ENTRY_ZERO;
        }
    }
}

/* ---- placing and writing the copies ---- */

static void give_back(struct plan *plan) {
    for (unsigned i = 0; i < plan->count; i++) {
        if (plan->place[i] != 0) {
            ssn_store_untake(plan->ss->store, plan->place[i], plan->ss->block_pages);
            plan->place[i] = 0;
        }
    }
}

/* Gives every data block a place. SELSNAP_ENOSPACE: some have none. */
static int take_places(struct plan *plan) {
    uint64_t unit = plan->ss->block_pages;
    unsigned left = 0;
    for (unsigned i = 0; i < plan->count; i++) {
        left += plan->kind[i] == SSN_ENTRY_DATA;
    }
    uint64_t place = 0;
    uint64_t pages = 0;
    for (unsigned i = 0; i < plan->count; i++) {
        if (plan->kind[i] != SSN_ENTRY_DATA) {
            continue;
        }
        if (pages == 0) {
            int rc = ssn_store_take(plan->ss->store, left * unit, unit, &place, &pages);
            if (rc != SELSNAP_OK) {
                return rc;
            }
        }
        plan->place[i] = place;
        place += unit;
        pages -= unit;
        left--;
    }
    return SELSNAP_OK;
}

/* The store has no room: the blocks without a place are lost, unless a sharer forbids it. */
static int give_up(struct plan *plan) {
    for (unsigned i = 0; i < plan->count; i++) {
        if (plan->kind[i] != SSN_ENTRY_DATA || plan->place[i] != 0) {
            continue;
        }
        if (plan->refuses[i]) {
            return ssn_fail(&plan->ss->report, SELSNAP_ENOSPACE,
                            "the store is full: block %" PRIu64 " (byte %" PRIu64
                            ") cannot be preserved, and a snapshot's policy is to fail the write; delete "
                            "snapshots and step, or use a larger store",
                            block_at(plan, i), ssn_offset_of(plan->ss, block_at(plan, i)));
        }
        plan->kind[i] = SSN_ENTRY_LOST_SPACE;
    }
    return SELSNAP_OK;
}

/* Writes the copies; those at neighbouring places in one request, after moving them together in the buffer. */
static int write_copies(struct plan *plan) {
    size_t len = plan->ss->block_bytes;
    unsigned i = 0;
    while (i < plan->count) {
        if (plan->kind[i] != SSN_ENTRY_DATA) {
            i++;
            continue;
        }
        uint8_t *start = plan->buffer + (size_t)i * len;
        uint64_t place = plan->place[i];
        unsigned n = 0;
        unsigned j = i;
        for (; j < plan->count; j++) {
            if (plan->kind[j] != SSN_ENTRY_DATA) {
                continue;
            }
            if (plan->place[j] != place + (uint64_t)n * plan->ss->block_pages) {
                break;
            }
            uint8_t *data = plan->buffer + (size_t)j * len;
            plan->checksum[j] = ssn_checksum(data, len);
            if (data != start + (size_t)n * len) {
                memmove(start + (size_t)n * len, data, len);
            }
            n++;
        }
        int rc = ssn_store_write_data(plan->ss->store, place, start, (size_t)n * len);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        i = j;
    }
    return SELSNAP_OK;
}

/* ---- recording ---- */

/* Whether block i + 1's entry can be part of block i's. */
static bool joins(const struct plan *plan, unsigned i) {
    return plan->kind[i + 1] == plan->kind[i] && plan->epoch[i + 1] == plan->epoch[i] &&
           (plan->kind[i] != SSN_ENTRY_DATA || plan->place[i + 1] == plan->place[i] + plan->ss->block_pages);
}

/* The greatest level at which the block begins an aligned extent within `left` blocks. */
static unsigned level_for(unsigned block_in_run, unsigned left) {
    unsigned level = 0;
    while (level < SSN_EXTENT_LEVEL_MAX && (block_in_run & ((2u << level) - 1)) == 0 && (2u << level) <= left) {
        level++;
    }
    return level;
}

static void put_extents(struct plan *plan, struct ssn_txn *txn, unsigned from, unsigned count) {
    uint8_t value[SSN_VALUE_MAX];
    while (count > 0) {
        unsigned level = level_for(plan->first + from, count);
        unsigned blocks = 1u << level;
        struct ssn_key key = ssn_key_make(
            SSN_ITEM_ENTRY, ssn_entry_major(plan->run, level, (plan->first + from) >> level), plan->epoch[from]);
        struct ssn_entry_record record = {plan->kind[from], plan->place[from]};
        ssn_txn_put(txn, &key, value, ssn_entry_record_encode(value, &record, plan->checksum + from, blocks));
        if (record.kind == SSN_ENTRY_DATA) {
            ssn_txn_take(txn, record.place, blocks * plan->ss->block_pages);
        }
        from += blocks;
        count -= blocks;
    }
}

/* essential: into the reserve, which records of losses may use in any case. */
static int commit_entries(struct plan *plan, bool essential) {
    struct ssn_txn txn;
    ssn_txn_init(&txn, plan->ss->store);
    bool lost = false;
    unsigned i = 0;
    while (i < plan->count) {
        unsigned n = 1;
        if (plan->kind[i] != SSN_ENTRY_NONE) {
            while (i + n < plan->count && joins(plan, i + n - 1)) {
                n++;
            }
            put_extents(plan, &txn, i, n);
            lost = lost || ssn_entry_is_lost(plan->kind[i]);
        }
        i += n;
    }
    if (lost) {
        struct ssn_key key = ssn_key_make(SSN_ITEM_STATE, 1, 0);
        uint8_t yes = 1;
        ssn_txn_put(&txn, &key, &yes, 1);
    }
    int rc = ssn_store_commit(plan->ss->store, &txn, essential || lost);
    ssn_txn_fini(&txn);
    return rc;
}

/* The value of SELSNAP_EVENT_BLOCK_LOST. */
static int64_t lost_why(uint8_t kind) {
    return kind == SSN_ENTRY_LOST_SPACE ? 1 : kind == SSN_ENTRY_LOST_READ ? 2 : 3;
}

static void tell(struct plan *plan) {
    struct ssn_counters *counters = &plan->ss->count;
    for (unsigned i = 0; i < plan->count; i++) {
        if (plan->kind[i] == SSN_ENTRY_DATA || plan->kind[i] == SSN_ENTRY_ZERO) {
            ssn_count(&counters->blocks_preserved, 1);
            ssn_count(&counters->blocks_zero, plan->kind[i] == SSN_ENTRY_ZERO);
        } else if (ssn_entry_is_lost(plan->kind[i])) {
            ssn_count(&counters->blocks_lost, 1);
            ssn_event(&plan->ss->report, SELSNAP_EVENT_BLOCK_LOST, 0, ssn_offset_of(plan->ss, block_at(plan, i)),
                      ssn_block_len(plan->ss, block_at(plan, i)), lost_why(plan->kind[i]));
        }
    }
}

static bool any_refuses(const struct plan *plan) {
    for (unsigned i = 0; i < plan->count; i++) {
        if (plan->kind[i] != SSN_ENTRY_NONE && plan->refuses[i]) {
            return true;
        }
    }
    return false;
}

/* Places, copies, entries. Without room for the entries themselves, once more with what may be given up. */
static int store_plan(struct plan *plan) {
    int rc = take_places(plan);
    if (rc == SELSNAP_ENOSPACE) {
        rc = give_up(plan);
    }
    if (rc == SELSNAP_OK) {
        rc = write_copies(plan);
    }
    if (rc == SELSNAP_OK) {
        rc = commit_entries(plan, false);
        if (rc == SELSNAP_ENOSPACE) {
            give_back(plan);
            rc = give_up(plan);
            /* Entries without data take no more than a loss would; so where a loss may be recorded, they may. */
            rc = rc == SELSNAP_OK ? commit_entries(plan, !any_refuses(plan)) : rc;
        }
        if (rc == SELSNAP_ESTORE) {
            return rc; /* the batch may still become durable: its places stay taken */
        }
    }
    if (rc != SELSNAP_OK) {
        give_back(plan);
        return rc;
    }
    tell(plan);
    return SELSNAP_OK;
}

int ssn_preserve(struct selsnap *ss, uint64_t run, unsigned first, unsigned count, const struct ssn_runbits *want,
                 uint64_t cap) {
    struct plan *plan = ssn_calloc(&ss->mem, 1, sizeof *plan);
    if (plan == NULL) {
        return ssn_fail(&ss->report, SELSNAP_ENOMEM, "no memory to preserve blocks");
    }
    plan->ss = ss;
    plan->run = run;
    plan->first = first;
    plan->count = count;
    bool any;
    bool settled;
    int rc = decide(plan, want, cap, &any);
    if (rc == SELSNAP_OK && any) {
        rc = ssn_store_settle(ss->store, &settled);
        rc = rc == SELSNAP_OK && settled ? decide(plan, want, cap, &any) : rc;
    }
    if (rc == SELSNAP_OK && any) {
        plan->buffer = ssn_buffers_take(&ss->buffers);
        read_old(plan);
        rc = store_plan(plan);
        ssn_buffers_return(&ss->buffers, plan->buffer);
    }
    ssn_free(&ss->mem, plan);
    return rc;
}

int ssn_preserve_damaged(struct selsnap *ss, uint64_t run, unsigned index) {
    struct plan *plan = ssn_calloc(&ss->mem, 1, sizeof *plan);
    if (plan == NULL) {
        return ssn_fail(&ss->report, SELSNAP_ENOMEM, "no memory to record what is lost");
    }
    plan->ss = ss;
    plan->run = run;
    plan->first = index;
    plan->count = 1;
    bool any;
    bool settled;
    int rc = decide(plan, NULL, UINT64_MAX, &any);
    if (rc == SELSNAP_OK && plan->kind[0] == SSN_ENTRY_DATA) {
        rc = ssn_store_settle(ss->store, &settled);
        rc = rc == SELSNAP_OK && settled ? decide(plan, NULL, UINT64_MAX, &any) : rc;
    }
    if (rc == SELSNAP_OK && plan->kind[0] == SSN_ENTRY_DATA) {
        plan->kind[0] = SSN_ENTRY_LOST_DAMAGE;
        rc = commit_entries(plan, true);
    }
    if (rc == SELSNAP_OK) {
        tell(plan);
    }
    ssn_free(&ss->mem, plan);
    return rc;
}
