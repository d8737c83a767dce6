/* SPDX-License-Identifier: Apache-2.0 */
/* Doing what was decided (preserve_plan.h). Nothing is locked meanwhile: the caller's claim keeps the blocks as they
 * are. */
#include "preserve_plan.h"

#include "checksum.h"
#include "transfers.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* ---- reading the old content ---- */

/* After a failed read of several blocks: each by itself; what cannot be read is lost, and the write goes on [P9]. */
static void read_each(struct ssn_plan *plan, unsigned from, unsigned count) {
    for (unsigned i = from; i < from + count; i++) {
        uint8_t *to = plan->buffer + (size_t)i * plan->ss->block_bytes;
        if (ssn_origin_read_blocks(plan->ss, plan->block[i], 1, to) != SELSNAP_OK) {
            plan->kind[i] = SSN_ENTRY_LOST_READ;
        }
    }
}

/* Blocks from `i` on, of which the first and the last hold data, to read in one request. Only where blocks are taken
 * ahead, and one request is what matters, may some between them be of no use. */
static unsigned neighbours(const struct ssn_plan *plan, unsigned i) {
    unsigned count = 0;
    for (unsigned j = i; j < plan->count && plan->block[j] == plan->block[i] + (j - i); j++) {
        if (plan->kind[j] == SSN_ENTRY_DATA) {
            count = j - i + 1;
        } else if (!plan->gives_way) {
            break;
        }
    }
    return count;
}

/* Neighbours in one request; the requests all at once. A failure is one of a plan that gives way. */
static int read_old(struct ssn_plan *plan) {
    enum { AT_ONCE = 32 };
    size_t len = plan->ss->block_bytes;
    struct ssn_transfer reads[AT_ONCE];
    unsigned from[AT_ONCE];
    unsigned blocks[AT_ONCE];
    unsigned n = 0;
    unsigned i = 0;
    while (i < plan->count) {
        unsigned count = plan->kind[i] == SSN_ENTRY_DATA ? neighbours(plan, i) : 0;
        if (count > 0) {
            from[n] = i;
            blocks[n] = count;
            reads[n++] = ssn_origin_transfer(plan->ss, plan->block[i], count, plan->buffer + (size_t)i * len);
        }
        i += count > 0 ? count : 1;
        if (n == AT_ONCE || (i >= plan->count && n > 0)) {
            (void)ssn_origin_transfers(plan->ss, false, reads, n);
            for (unsigned r = 0; r < n; r++) {
                if (reads[r].result != SELSNAP_OK && plan->gives_way) {
                    return reads[r].result;
                }
                if (reads[r].result != SELSNAP_OK) {
                    read_each(plan, from[r], blocks[r]);
                }
            }
            n = 0;
        }
    }
    return SELSNAP_OK;
}

/* What is all zeros is recorded, not stored. */
static void find_zeros(struct ssn_plan *plan) {
    for (unsigned i = 0; i < plan->count; i++) {
        const uint8_t *data = plan->buffer + (size_t)i * plan->ss->block_bytes;
        if (plan->kind[i] == SSN_ENTRY_DATA && ssn_is_zero(data, plan->ss->block_bytes)) {
            plan->kind[i] = SSN_ENTRY_ZERO;
        }
    }
}

/* ---- placing and writing the copies ---- */

static void give_back(struct ssn_plan *plan) {
    for (unsigned i = 0; i < plan->count; i++) {
        if (plan->place[i] != 0) {
            ssn_store_untake(plan->ss->store, plan->place[i], plan->ss->block_pages);
            plan->place[i] = 0;
        }
    }
}

/* Gives every data block a place. SELSNAP_ENOSPACE: some have none. */
static int take_places(struct ssn_plan *plan) {
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
            int rc = ssn_store_take_promised(plan->ss->store, left * unit, unit, plan->promised, &place, &pages);
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
static int give_up(struct ssn_plan *plan) {
    if (plan->gives_way) {
        return SELSNAP_ENOSPACE;
    }
    for (unsigned i = 0; i < plan->count; i++) {
        if (plan->kind[i] != SSN_ENTRY_DATA || plan->place[i] != 0) {
            continue;
        }
        if (plan->refuses[i]) {
            return ssn_fail(&plan->ss->report, SELSNAP_ENOSPACE,
                            "the store is full: block %" PRIu64 " (byte %" PRIu64
                            ") cannot be preserved, and a snapshot's policy is to fail the write; delete "
                            "snapshots and step, or use a larger store",
                            plan->block[i], ssn_offset_of(plan->ss, plan->block[i]));
        }
        plan->kind[i] = SSN_ENTRY_LOST_SPACE;
    }
    return SELSNAP_OK;
}

/* Writes the copies; those at neighbouring places in one request, after moving them together in the buffer. */
static int write_copies(struct ssn_plan *plan) {
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
static bool joins(const struct ssn_plan *plan, unsigned i) {
    return plan->block[i + 1] == plan->block[i] + 1 && plan->block[i + 1] % SSN_RUN_BLOCKS != 0 &&
           plan->kind[i + 1] == plan->kind[i] && plan->epoch[i + 1] == plan->epoch[i] &&
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

static void put_extents(struct ssn_plan *plan, struct ssn_txn *txn, unsigned from, unsigned count) {
    uint8_t value[SSN_VALUE_MAX];
    while (count > 0) {
        unsigned in_run = (unsigned)(plan->block[from] % SSN_RUN_BLOCKS);
        unsigned level = level_for(in_run, count);
        unsigned blocks = 1u << level;
        struct ssn_key key =
            ssn_key_make(SSN_ITEM_ENTRY, ssn_entry_major(plan->block[from] / SSN_RUN_BLOCKS, level, in_run >> level),
                         plan->epoch[from]);
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
static int commit_entries(struct ssn_plan *plan, bool essential) {
    struct ssn_txn txn;
    ssn_txn_init(&txn, plan->ss->store);
    txn.accepted = plan->promised > 0;
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

static void tell(struct ssn_plan *plan) {
    struct ssn_counters *counters = &plan->ss->count;
    for (unsigned i = 0; i < plan->count; i++) {
        if (plan->kind[i] == SSN_ENTRY_DATA || plan->kind[i] == SSN_ENTRY_ZERO) {
            ssn_count(&counters->blocks_preserved, 1);
            ssn_count(&counters->blocks_zero, plan->kind[i] == SSN_ENTRY_ZERO);
        } else if (ssn_entry_is_lost(plan->kind[i])) {
            ssn_count(&counters->blocks_lost, 1);
            ssn_event(&plan->ss->report, SELSNAP_EVENT_BLOCK_LOST, 0, ssn_offset_of(plan->ss, plan->block[i]),
                      ssn_block_len(plan->ss, plan->block[i]), lost_why(plan->kind[i]));
        }
    }
}

static bool any_refuses(const struct ssn_plan *plan) {
    for (unsigned i = 0; i < plan->count; i++) {
        if (plan->kind[i] != SSN_ENTRY_NONE && plan->refuses[i]) {
            return true;
        }
    }
    return false;
}

/* What to take is taken: the promise is kept, and counts no more. false: again, as that is given back. */
static void use_promise(struct ssn_plan *plan, bool used) {
    if (used) {
        ssn_store_take_back(plan->ss->store, plan->promised);
    } else {
        ssn_store_promise_again(plan->ss->store, plan->promised);
    }
}

/* Old content, places, copies. The buffer is not held any longer: others may preserve while this one waits for its flush. */
static int make_copies(struct ssn_plan *plan) {
    plan->buffer = ssn_buffers_take(&plan->ss->buffers);
    int rc = read_old(plan);
    assert(rc == SELSNAP_OK || plan->promised == 0); /* a plan that gives way has no promise */
    if (rc == SELSNAP_OK) {
        find_zeros(plan);
        rc = take_places(plan);
        rc = rc == SELSNAP_ENOSPACE ? give_up(plan) : rc;
        use_promise(plan, true);
    }
    if (rc == SELSNAP_OK) {
        rc = write_copies(plan);
    }
    ssn_buffers_return(&plan->ss->buffers, plan->buffer);
    plan->buffer = NULL;
    return rc;
}

static int copy_and_commit(struct ssn_plan *plan) {
    int rc = make_copies(plan);
    if (rc == SELSNAP_OK) {
        rc = commit_entries(plan, false);
        if (rc == SELSNAP_ENOSPACE) {
            /* No room for the entries themselves: once more with what may be given up. */
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
    }
    return rc;
}

int ssn_plan_store(struct ssn_plan *plan) {
    int rc = copy_and_commit(plan);
    if (rc != SELSNAP_OK) {
        use_promise(plan, false);
        return rc;
    }
    plan->promised = 0;
    tell(plan);
    return SELSNAP_OK;
}

int ssn_plan_record_losses(struct ssn_plan *plan) {
    int rc = commit_entries(plan, true);
    if (rc == SELSNAP_OK) {
        tell(plan);
    }
    return rc;
}
