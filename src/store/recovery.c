/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening what is on the device: ledger and journal into memory (docs/format.md, section 7). Nothing is written. Every
 * length and place is checked before it is used; memory is bounded by the journal's size. One thread, before the store
 * is seen by any other.
 */
#include "store_inner.h"

#include <inttypes.h>
#include <string.h>

/* The ring, read once in large pieces. Offsets are in pages from journal_start, so that they never go around. */
struct ring {
    struct ssn_store *store;
    uint8_t *bytes;
    uint64_t capacity; /* pages */
    uint64_t first;    /* offset of the first page in bytes */
    uint64_t count;    /* pages in bytes */
};

struct replay {
    struct ssn_store *store;
    const struct ssn_store_params *params;
    struct ring ring;
    uint64_t offset; /* where the next batch is expected */
    uint64_t number;
    uint64_t chain;
    uint64_t incarnation; /* of the batch before */
    uint8_t *held; /* payload of the newest whole batch, not yet told: only when the log has ended it is the last */
    size_t held_len;
};

static int damaged_ring(const struct replay *replay, uint64_t offset, unsigned sector, const char *what) {
    const struct ssn_store *store = replay->store;
    uint64_t page = (store->super.journal_start + offset) % store->super.journal_pages;
    uint64_t byte = (SSN_JOURNAL_PLACE + page) * SSN_PAGE_SIZE + (uint64_t)sector * SSN_SECTOR_SIZE;
    ssn_event(store->report, SELSNAP_EVENT_DAMAGE, 0, byte, SSN_SECTOR_SIZE, 0);
    return ssn_fail(store->report, SELSNAP_EDAMAGED, "the journal is damaged at byte %" PRIu64 ": %s", byte, what);
}

/* Reads behind what is in `bytes`. Of a store that is salvaged, what cannot be read is no valid sector. */
static int read_ring(struct ring *ring, uint64_t page, uint64_t pages) {
    uint8_t *to = ring->bytes + (size_t)ring->count * SSN_PAGE_SIZE;
    int rc =
        ssn_store_dev_read(ring->store, "the journal", to, (size_t)pages * SSN_PAGE_SIZE, SSN_JOURNAL_PLACE + page);
    if (rc == SELSNAP_OK || ring->store->salvage == NULL) {
        return rc;
    }
    for (uint64_t i = 0; i < pages; i++) {
        uint8_t *one = to + (size_t)i * SSN_PAGE_SIZE;
        if (ssn_store_dev_read(ring->store, "the journal", one, SSN_PAGE_SIZE, SSN_JOURNAL_PLACE + page + i) !=
            SELSNAP_OK) {
            memset(one, 0, SSN_PAGE_SIZE);
        }
    }
    return SELSNAP_OK;
}

/* Gives `pages` pages at the offset, which are at most half of what bytes can hold. */
static int ring_at(struct ring *ring, uint64_t offset, uint64_t pages, const uint8_t **ret_bytes) {
    uint64_t ring_pages = ring->store->super.journal_pages;
    if (offset < ring->first || offset + pages > ring->first + ring->count) {
        uint64_t kept = 0;
        if (offset >= ring->first && offset < ring->first + ring->count) {
            kept = ring->first + ring->count - offset;
            memmove(ring->bytes, ring->bytes + (size_t)(offset - ring->first) * SSN_PAGE_SIZE,
                    (size_t)kept * SSN_PAGE_SIZE);
        }
        ring->first = offset;
        ring->count = kept;
        while (ring->count < ring->capacity && ring->first + ring->count < ring_pages) {
            uint64_t at = ring->first + ring->count;
            uint64_t page = (ring->store->super.journal_start + at) % ring_pages;
            uint64_t part = ssn_min_u64(ring->capacity - ring->count, ring_pages - at);
            part = ssn_min_u64(part, ring_pages - page);
            int rc = read_ring(ring, page, part);
            if (rc != SELSNAP_OK) {
                return rc;
            }
            ring->count += part;
        }
    }
    *ret_bytes = ring->bytes + (size_t)(offset - ring->first) * SSN_PAGE_SIZE;
    return SELSNAP_OK;
}

/* What must hold of any whole sector in the part of the ring that is read; NULL: it does. */
static const char *sector_wrong(const struct replay *replay, const struct ssn_sector *sector, uint64_t offset,
                                unsigned index) {
    const struct ssn_superblock *super = &replay->store->super;
    uint64_t page = (super->journal_start + offset) % super->journal_pages;
    if (sector->position != page * SSN_SECTORS_PER_PAGE + index) {
        return "a sector of another place";
    }
    if (sector->super_sequence > super->sequence || sector->incarnation > super->incarnation) {
        return "it knows a newer superblock than there is [F-5]";
    }
    return sector->number > replay->number ? "it holds a later batch than the one expected" : NULL;
}

enum batch_state { BATCH_WHOLE, BATCH_NONE };

/* The batch at the offset, if it belongs to the log [F-7]; otherwise the log ends, or is damaged [F-8]. */
static int check_batch(struct replay *replay, enum batch_state *ret_state, uint32_t *ret_count,
                       const uint8_t **ret_sectors) {
    const uint8_t *bytes;
    struct ssn_sector first;
    uint64_t left = replay->store->super.journal_pages - replay->offset;
    int rc = ring_at(&replay->ring, replay->offset, 1, &bytes);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (!ssn_sector_decode(bytes, &first)) {
        return damaged_ring(replay, replay->offset, 0, "a sector's checksum fails");
    }
    const char *wrong = sector_wrong(replay, &first, replay->offset, 0);
    if (wrong != NULL) {
        return damaged_ring(replay, replay->offset, 0, wrong);
    }
    *ret_state = BATCH_NONE;
    if (first.number != replay->number || first.index != 0 || first.chain != replay->chain ||
        first.incarnation < replay->incarnation) {
        return SELSNAP_OK;
    }
    uint64_t pages = first.count / SSN_SECTORS_PER_PAGE;
    if (pages > left) {
        return damaged_ring(replay, replay->offset, 0, "a batch larger than the ring has room for");
    }
    rc = ring_at(&replay->ring, replay->offset, pages, &bytes);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    bool whole = true;
    for (uint32_t i = 0; i < first.count; i++) {
        struct ssn_sector sector;
        uint64_t offset = replay->offset + i / SSN_SECTORS_PER_PAGE;
        unsigned index = i % SSN_SECTORS_PER_PAGE;
        if (!ssn_sector_decode(bytes + (size_t)i * SSN_SECTOR_SIZE, &sector)) {
            return damaged_ring(replay, offset, index, "a sector's checksum fails");
        }
        wrong = sector_wrong(replay, &sector, offset, index);
        if (wrong != NULL) {
            return damaged_ring(replay, offset, index, wrong);
        }
        whole = whole && sector.number == first.number && sector.index == i && sector.count == first.count &&
                sector.chain == first.chain && sector.incarnation == first.incarnation;
    }
    if (whole) {
        replay->incarnation = first.incarnation;
        *ret_state = BATCH_WHOLE;
        *ret_count = first.count;
        *ret_sectors = bytes;
    }
    return SELSNAP_OK;
}

/*
 * Where the log ends without a failed checksum: a later batch behind it was written only when the one missing here was
 * durable. It begins within the greatest length of a batch.
 */
static int look_behind(struct replay *replay) {
    const struct ssn_superblock *super = &replay->store->super;
    uint64_t end = replay->offset + SSN_BATCH_SECTORS_MAX / SSN_SECTORS_PER_PAGE;
    end = ssn_min_u64(end + 1, super->journal_pages);
    for (uint64_t offset = replay->offset; offset < end; offset++) {
        const uint8_t *page;
        int rc = ring_at(&replay->ring, offset, 1, &page);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        uint64_t position = (super->journal_start + offset) % super->journal_pages * SSN_SECTORS_PER_PAGE;
        for (unsigned i = 0; i < SSN_SECTORS_PER_PAGE; i++) {
            struct ssn_sector sector;
            if (ssn_sector_decode(page + (size_t)i * SSN_SECTOR_SIZE, &sector) && sector.position == position + i &&
                sector.number > replay->number) {
                return damaged_ring(replay, offset, i, "it holds a batch behind one that is missing");
            }
        }
    }
    return SELSNAP_OK;
}

static int apply_op(struct replay *replay, const struct ssn_op *op, bool last) {
    struct ssn_store *store = replay->store;
    struct ssn_generation *active = &store->active;
    int rc = SELSNAP_OK;
    switch (op->kind) {
    case SSN_OP_PUT:
        if (replay->params->replay != NULL) {
            rc = replay->params->replay(replay->params->replay_user, &op->key, op->value, op->len, last);
        }
        return rc != SELSNAP_OK ? rc : ssn_map_set(active->map, &op->key, op->value, op->len, false);
    case SSN_OP_DELETE:
        return ssn_map_set(active->map, &op->key, NULL, 0, true);
    default:
        if (store->salvage != NULL) {
            return SELSNAP_OK; /* its space is of no interest */
        }
        if (op->place < store->area || !ssn_range_inside(op->place, op->pages, store->store_pages)) {
            return ssn_fail(store->report, SELSNAP_EDAMAGED,
                            "the journal names page %" PRIu64 ", which is outside of the area [F-1]", op->place);
        }
        return ssn_runs_append(op->kind == SSN_OP_TAKE ? &active->taken : &active->given, op->place, op->pages)
                   ? SELSNAP_OK
                   : SELSNAP_ENOMEM;
    }
}

/* Applies the batch that is held. */
static int apply_held(struct replay *replay, bool last) {
    struct ssn_ops_iter txns = ssn_ops_begin(replay->held, replay->held_len);
    struct ssn_ops_iter ops;
    struct ssn_op op;
    enum ssn_iter_result result;
    while ((result = ssn_txns_next(&txns, &ops)) == SSN_ITER_ITEM) {
        while ((result = ssn_ops_next(&ops, &op)) == SSN_ITER_ITEM) {
            int rc = apply_op(replay, &op, last);
            if (rc != SELSNAP_OK) {
                return rc;
            }
        }
        if (result == SSN_ITER_BAD) {
            break;
        }
    }
    replay->held_len = 0;
    if (result == SSN_ITER_BAD) {
        return ssn_fail(replay->store->report, SELSNAP_EDAMAGED,
                        "journal batch %" PRIu64 " holds no sensible operations", replay->number - 1);
    }
    return SELSNAP_OK;
}

static int replay_ring(struct replay *replay) {
    while (replay->offset < replay->store->super.journal_pages) {
        enum batch_state state = BATCH_NONE;
        uint32_t count = 0;
        const uint8_t *sectors = NULL;
        int rc = check_batch(replay, &state, &count, &sectors);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        if (state == BATCH_NONE) {
            rc = look_behind(replay);
            if (rc != SELSNAP_OK) {
                return rc;
            }
            break;
        }
        rc = replay->held_len > 0 ? apply_held(replay, false) : SELSNAP_OK;
        if (rc != SELSNAP_OK) {
            return rc;
        }
        ssn_batch_payload(replay->held, sectors, count);
        replay->held_len = (size_t)count * SSN_SECTOR_PAYLOAD;
        replay->chain = ssn_batch_chain(sectors, count);
        replay->number++;
        replay->offset += count / SSN_SECTORS_PER_PAGE;
    }
    return replay->held_len > 0 ? apply_held(replay, true) : SELSNAP_OK;
}

/* [F-5]: with one slot damaged, any sector of the ring may know that it was the newer one. */
static int ask_ring(struct replay *replay) {
    const struct ssn_superblock *super = &replay->store->super;
    for (uint64_t offset = 0; offset < super->journal_pages; offset++) {
        const uint8_t *page;
        int rc = ring_at(&replay->ring, offset, 1, &page);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        for (unsigned i = 0; i < SSN_SECTORS_PER_PAGE; i++) {
            struct ssn_sector sector;
            bool valid = ssn_sector_decode(page + (size_t)i * SSN_SECTOR_SIZE, &sector);
            if (valid && sector.super_sequence > super->sequence) {
                return ssn_fail(replay->store->report, SELSNAP_EDAMAGED,
                                "a superblock is damaged, and the journal shows that it was the newer one");
            }
            if (!valid && replay->store->salvage != NULL) {
                return ssn_fail(replay->store->report, SELSNAP_EDAMAGED,
                                "a superblock is damaged, and so is the journal that would tell whether it was the "
                                "newer one");
            }
        }
    }
    return SELSNAP_OK;
}

/* Damage to the log of a store that is salvaged cuts it off there. */
static int cut_if_salvaged(struct ssn_store *store, int rc) {
    if (rc == SELSNAP_EDAMAGED && store->salvage != NULL) {
        ssn_salvage_cut(store);
        return SELSNAP_OK;
    }
    return rc;
}

/* A store that is salvaged was closed cleanly, and nothing was opened since: whatever the ring holds is no part of it.
 */
static bool known_empty(const struct ssn_store *store) {
    const char *reason;
    return store->salvage != NULL && (store->super.flags & SSN_SUPER_CLEAN) != 0 && !ssn_store_is_cut(store, &reason);
}

static int load_journal(struct ssn_store *store, const struct ssn_store_params *params, bool other_slot_damaged) {
    const struct ssn_superblock *super = &store->super;
    uint64_t most = ssn_min_u64(super->journal_pages, SSN_BATCH_SECTORS_MAX / SSN_SECTORS_PER_PAGE);
    struct replay replay;
    memset(&replay, 0, sizeof replay);
    replay.store = store;
    replay.params = params;
    replay.number = super->journal_number;
    replay.chain = super->journal_chain;
    replay.ring.store = store;
    replay.ring.capacity = 2 * most;
    replay.ring.bytes = ssn_alloc(store->mem, (size_t)(2 * most) * SSN_PAGE_SIZE);
    replay.held = ssn_alloc(store->mem, (size_t)most * SSN_PAGE_PAYLOAD);
    int rc = replay.ring.bytes != NULL && replay.held != NULL ? SELSNAP_OK : SELSNAP_ENOMEM;
    if (rc == SELSNAP_OK && other_slot_damaged) {
        rc = cut_if_salvaged(store, ask_ring(&replay));
    }
    if (rc == SELSNAP_OK && !known_empty(store)) {
        rc = cut_if_salvaged(store, replay_ring(&replay));
        /* What came before the damage is whole; a second failure is in what was held, and ends it. */
        if (rc == SELSNAP_OK && replay.held_len > 0) {
            rc = cut_if_salvaged(store, apply_held(&replay, true));
        }
    }
    if (rc == SELSNAP_OK) {
        struct ssn_journal *journal = &store->journal;
        journal->start = super->journal_start;
        journal->used = replay.offset;
        journal->head.page = (super->journal_start + replay.offset) % super->journal_pages;
        journal->head.number = replay.number;
        journal->head.chain = replay.chain;
        journal->incarnation = super->incarnation;
        journal->super_sequence = super->sequence;
    }
    ssn_free(store->mem, replay.ring.bytes);
    ssn_free(store->mem, replay.held);
    return rc;
}

static int load_ledger(struct ssn_store *store) {
    const struct ssn_superblock *super = &store->super;
    if (super->ledger_place == 0) {
        return SELSNAP_OK;
    }
    size_t len = (size_t)super->ledger_pages * SSN_PAGE_SIZE;
    uint8_t *bytes = ssn_alloc(store->mem, len);
    if (bytes == NULL) {
        return SELSNAP_ENOMEM;
    }
    int rc = ssn_store_dev_read(store, "the ledger", bytes, len, super->ledger_place);
    struct ssn_ledger_head head = {
        .place = super->ledger_place, .sequence = super->sequence, .store_id = super->store_id};
    if (rc == SELSNAP_OK &&
        !ssn_ledger_check(bytes, super->ledger_pages, super->ledger_checksum, store->area, store->store_pages, &head)) {
        ssn_event(store->report, SELSNAP_EVENT_DAMAGE, 0, super->ledger_place * SSN_PAGE_SIZE, len, 0);
        rc =
            ssn_fail(store->report, SELSNAP_EDAMAGED, "the ledger at page %" PRIu64 " is damaged", super->ledger_place);
    }
    for (uint32_t i = 0; rc == SELSNAP_OK && i < head.taken_count + head.given_count; i++) {
        struct ssn_run run = ssn_ledger_run(bytes, i);
        struct ssn_runs *to = i < head.taken_count ? &store->space.ledger_taken : &store->space.ledger_given;
        rc = ssn_runs_append(to, run.place, run.pages) ? SELSNAP_OK : SELSNAP_ENOMEM;
    }
    ssn_runs_sort(&store->space.ledger_taken);
    ssn_runs_sort(&store->space.ledger_given);
    ssn_free(store->mem, bytes);
    return rc;
}

int ssn_recover(struct ssn_store *store, const struct ssn_store_params *params, bool other_slot_damaged) {
    const struct ssn_superblock *super = &store->super;
    int rc = store->salvage == NULL ? load_ledger(store) : SELSNAP_OK;
    rc = rc != SELSNAP_OK ? rc : load_journal(store, params, other_slot_damaged);
    if (rc != SELSNAP_OK || store->salvage != NULL) {
        return rc; /* nothing is taken from a store that is salvaged */
    }
    struct ssn_runs taken;
    ssn_runs_init(&taken, store->mem);
    rc = ssn_space_copy_runs(&taken, &store->active.taken) ? SELSNAP_OK : SELSNAP_ENOMEM;
    ssn_runs_sort(&taken);
    rc = rc != SELSNAP_OK ? rc : ssn_space_load(&store->space, &store->root, super->free_pages, &taken);
    ssn_runs_fini(&taken);
    return rc;
}
