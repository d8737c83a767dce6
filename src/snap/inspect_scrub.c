/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scrub: goes through entries, then overlays, in the order of keys, and compares the data they name with their
 * checksums, a budget at a time. It holds no lock and takes no buffer of the pool. A piece of data is read in the read
 * section in which its item was looked up, so its place is not used again meanwhile; what looks damaged is looked up
 * once more all the same. Problems are told outside of the section.
 *
 * Where a scrub stands: position[0] the type of the item to go on with (0: the first), [1] its major, [2] its minor,
 * [3] the block of it, of which the last is of the item that was begun.
 */
#include "inspect.h"

#include "checksum.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DEFAULT_BUDGET = 16 << 20, ITEM_COST = 64, TEXT_MAX = 256 };

/* Of one item: the blocks from `first_block` on, at `place` and after it. */
struct piece {
    struct ssn_item item;
    uint64_t first_block;
    uint64_t place;
    unsigned from; /* of the item's blocks */
    unsigned count;
    const uint8_t *checksums; /* in the item */
};

struct scrub {
    struct selsnap *ss;
    selsnap_scrub *at;
    selsnap_line_fn problem;
    void *problem_user;
    uint64_t left; /* of the budget */
    uint8_t *buffer;
    unsigned buffer_blocks;
    struct piece piece;
    bool bad[SSN_RUN_BLOCKS];
    bool unread[SSN_RUN_BLOCKS];
};

/* ---- where it stands ---- */

static bool position_valid(const selsnap_scrub *at) {
    bool begun = at->position[0] == SSN_ITEM_ENTRY || at->position[0] == SSN_ITEM_OVERLAY;
    bool beginning = at->position[0] == 0 && at->position[1] == 0 && at->position[2] == 0 && at->position[3] == 0;
    return begun || beginning;
}

static struct ssn_key key_of(const selsnap_scrub *at) {
    if (at->position[0] == 0) {
        return ssn_key_make(SSN_ITEM_ENTRY, 0, 0);
    }
    return ssn_key_make((uint8_t)at->position[0], at->position[1], at->position[2]);
}

/* Goes on with the key; past the last overlay it is done. */
static void move_to(selsnap_scrub *at, const struct ssn_key *key, bool any, unsigned block) {
    at->done = !any || key->type > SSN_ITEM_OVERLAY;
    at->position[0] = at->done ? 0 : key->type;
    at->position[1] = at->done ? 0 : key->major;
    at->position[2] = at->done ? 0 : key->minor;
    at->position[3] = at->done ? 0 : block;
}

static void move_past(selsnap_scrub *at, struct ssn_key key) {
    bool any = ssn_key_after(&key);
    move_to(at, &key, any, 0);
}

/* ---- problems ---- */

static int tell(struct scrub *scrub, const char *text) {
    scrub->at->problems++;
    bool stop = scrub->problem != NULL && scrub->problem(scrub->problem_user, text) != 0;
    return stop ? SELSNAP_ECANCELED : SELSNAP_OK;
}

static int tell_index(struct scrub *scrub, const struct ssn_key *low, const struct ssn_key *last) {
    char text[TEXT_MAX];
    (void)snprintf(text, sizeof text,
                   "the index is damaged from type %u, key %" PRIu64 ", %" PRIu64 " to type %u, key %" PRIu64
                   ", %" PRIu64,
                   (unsigned)low->type, low->major, low->minor, (unsigned)last->type, last->major, last->minor);
    return tell(scrub, text);
}

static int tell_item(struct scrub *scrub, const struct ssn_key *key) {
    char text[TEXT_MAX];
    (void)snprintf(text, sizeof text, "%s %" PRIu64 ", %" PRIu64 ": its value is malformed, or names no place for data",
                   key->type == SSN_ITEM_ENTRY ? "entry" : "overlay", key->major, key->minor);
    return tell(scrub, text);
}

static int tell_block(struct scrub *scrub, unsigned index) {
    const struct piece *piece = &scrub->piece;
    bool entry = piece->item.key.type == SSN_ITEM_ENTRY;
    uint64_t place = piece->place + (uint64_t)index * scrub->ss->block_pages;
    char text[TEXT_MAX];
    (void)snprintf(text, sizeof text, "block %" PRIu64 ", %s %" PRIu64 ": the copy at place %" PRIu64 " %s",
                   piece->first_block + index, entry ? "epoch" : "overlay",
                   entry ? piece->item.key.minor : piece->item.key.major, place,
                   scrub->unread[index] ? "cannot be read" : "does not have the recorded checksum");
    ssn_event(&scrub->ss->report, SELSNAP_EVENT_DAMAGE, 0, place * SSN_PAGE_SIZE, scrub->ss->block_bytes, 0);
    return tell(scrub, text);
}

/* ---- data ---- */

/* The piece of the item that begins with its block `from`; count 0: it has no data there. false: it makes no sense. */
static bool piece_of(struct scrub *scrub, uint64_t from) {
    struct piece *piece = &scrub->piece;
    struct ssn_item *item = &piece->item;
    unsigned blocks = 1;
    bool data;
    if (item->key.type == SSN_ITEM_ENTRY) {
        struct ssn_entry_record record;
        if (!ssn_entry_major_valid(item->key.major) ||
            !ssn_entry_record_decode(item->key.major, item->value, item->len, &record)) {
            return false;
        }
        data = record.kind == SSN_ENTRY_DATA;
        blocks = ssn_entry_blocks(item->key.major);
        piece->first_block = ssn_entry_run(item->key.major) * SSN_RUN_BLOCKS + ssn_entry_first(item->key.major);
        piece->place = record.place;
    } else {
        struct ssn_overlay_record record;
        if (!ssn_overlay_record_decode(item->value, item->len, &record)) {
            return false;
        }
        data = record.kind == SSN_ENTRY_DATA;
        piece->first_block = item->key.minor;
        piece->place = record.place;
    }
    uint64_t pages = (uint64_t)blocks * scrub->ss->block_pages;
    if (data && !ssn_range_inside(piece->place, pages, ssn_store_size_pages(scrub->ss->store))) {
        return false;
    }
    piece->from = (unsigned)ssn_min_u64(from, blocks);
    piece->count = data ? blocks - piece->from : 0;
    piece->first_block += piece->from;
    piece->place += (uint64_t)piece->from * scrub->ss->block_pages;
    piece->checksums = item->value + 16 + 8 * (size_t)piece->from;
    return true;
}

/* Reads the piece's first blocks into the buffer; where that fails, one by one. */
static void read_blocks(struct scrub *scrub, unsigned count) {
    struct selsnap *ss = scrub->ss;
    const struct piece *piece = &scrub->piece;
    uint64_t place = piece->place;
    memset(scrub->unread, 0, sizeof scrub->unread);
    if (ssn_store_read_data(ss->store, place, scrub->buffer, (size_t)count * ss->block_bytes) == SELSNAP_OK) {
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        uint8_t *to = scrub->buffer + (size_t)i * ss->block_bytes;
        scrub->unread[i] =
            ssn_store_read_data(ss->store, place + (uint64_t)i * ss->block_pages, to, ss->block_bytes) != SELSNAP_OK;
    }
}

/* Whether the index still has the item as it was read. A failing index does not excuse what was found. */
static bool stands(struct scrub *scrub) {
    const struct ssn_item *item = &scrub->piece.item;
    struct ssn_item now;
    int rc = ssn_store_get(scrub->ss->store, &item->key, &now);
    return rc == SELSNAP_OK ? now.len == item->len && memcmp(now.value, item->value, now.len) == 0
                            : rc != SELSNAP_ENOENT;
}

/* Compares the piece's first blocks; sets `bad`. Gives whether any is, and the item stands. */
static bool compare(struct scrub *scrub, unsigned count) {
    struct selsnap *ss = scrub->ss;
    bool any = false;
    read_blocks(scrub, count);
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *data = scrub->buffer + (size_t)i * ss->block_bytes;
        scrub->bad[i] = scrub->unread[i] ||
                        ssn_checksum(data, ss->block_bytes) != ssn_get64(scrub->piece.checksums + 8 * (size_t)i);
        any = any || scrub->bad[i];
    }
    return any && stands(scrub);
}

/* ---- a step ---- */

static void spend(struct scrub *scrub, uint64_t bytes) {
    scrub->left = scrub->left > bytes ? scrub->left - bytes : 0;
}

/* Goes on behind the piece's first blocks. */
static void passed(struct scrub *scrub, unsigned count) {
    const struct piece *piece = &scrub->piece;
    selsnap_scrub *at = scrub->at;
    at->blocks += count;
    at->bytes += (uint64_t)count * scrub->ss->block_bytes;
    if (count == piece->count) {
        move_past(at, piece->item.key);
    } else {
        move_to(at, &piece->item.key, true, piece->from + count);
    }
}

/* The next item, and as much of its data as fits. *ret_bad: the piece has damage, in its first *ret_count blocks. */
static int take_piece(struct scrub *scrub, unsigned *ret_count, bool *ret_bad, bool *ret_malformed) {
    selsnap_scrub *at = scrub->at;
    struct ssn_key key = key_of(at);
    struct ssn_item *item = &scrub->piece.item;
    struct ssn_key last;
    *ret_count = 0;
    *ret_bad = false;
    *ret_malformed = false;
    int rc = ssn_store_seek_over(scrub->ss->store, &key, item, &last);
    if (rc == SELSNAP_ENOENT || (rc == SELSNAP_OK && item->key.type > SSN_ITEM_OVERLAY)) {
        move_to(at, &key, false, 0);
        return SELSNAP_OK;
    }
    if (rc == SELSNAP_EDAMAGED) {
        move_past(at, last);
        item->key = last;
        return rc;
    }
    if (rc != SELSNAP_OK) {
        return rc;
    }
    uint64_t from = ssn_key_compare(&item->key, &key) == 0 ? at->position[3] : 0;
    spend(scrub, ITEM_COST);
    *ret_malformed = !piece_of(scrub, from);
    if (*ret_malformed || scrub->piece.count == 0) {
        move_past(at, item->key);
        return SELSNAP_OK;
    }
    uint64_t fits = ssn_max_u64(scrub->left / scrub->ss->block_bytes, 1);
    unsigned count = (unsigned)ssn_min_u64(ssn_min_u64(scrub->piece.count, scrub->buffer_blocks), fits);
    *ret_bad = compare(scrub, count);
    *ret_count = count;
    passed(scrub, count);
    spend(scrub, (uint64_t)count * scrub->ss->block_bytes);
    return SELSNAP_OK;
}

static int scrub_piece(struct scrub *scrub) {
    struct ssn_key key = key_of(scrub->at);
    unsigned count;
    bool bad;
    bool malformed;
    unsigned section = ssn_store_enter(scrub->ss->store);
    int rc = take_piece(scrub, &count, &bad, &malformed);
    malformed = malformed && stands(scrub);
    ssn_store_leave(scrub->ss->store, section);
    if (rc == SELSNAP_EDAMAGED) {
        return tell_index(scrub, &key, &scrub->piece.item.key);
    }
    if (rc == SELSNAP_OK && malformed) {
        rc = tell_item(scrub, &scrub->piece.item.key);
    }
    for (unsigned i = 0; rc == SELSNAP_OK && bad && i < count; i++) {
        rc = scrub->bad[i] ? tell_block(scrub, i) : SELSNAP_OK;
        if (rc != SELSNAP_OK) {
            /* The rest is read again. */
            scrub->at->blocks -= count;
            scrub->at->bytes -= (uint64_t)count * scrub->ss->block_bytes;
            passed(scrub, i + 1);
        }
    }
    return rc;
}

int ssn_inspect_scrub(struct selsnap *ss, selsnap_scrub *scrub, uint64_t budget_bytes, selsnap_line_fn problem,
                      void *problem_user) {
    int rc = position_valid(scrub) ? ssn_check_usable(ss) : SELSNAP_EINVAL;
    if (rc != SELSNAP_OK || scrub->done != 0) {
        return rc;
    }
    struct scrub *work = ssn_calloc(&ss->mem, 1, sizeof *work);
    uint8_t *buffer = ssn_alloc(&ss->mem, (size_t)ss->chunk_blocks * ss->block_bytes);
    if (work == NULL || buffer == NULL) {
        rc = ssn_fail(&ss->report, SELSNAP_ENOMEM, "no memory to read preserved data into");
    } else {
        work->ss = ss;
        work->at = scrub;
        work->problem = problem;
        work->problem_user = problem_user;
        work->left = budget_bytes == 0 ? DEFAULT_BUDGET : budget_bytes;
        work->buffer = buffer;
        work->buffer_blocks = ss->chunk_blocks;
        while (rc == SELSNAP_OK && scrub->done == 0 && work->left > 0) {
            rc = scrub_piece(work);
            rc = rc == SELSNAP_OK ? ssn_check_usable(ss) : rc;
        }
    }
    ssn_free(&ss->mem, buffer);
    ssn_free(&ss->mem, work);
    return rc;
}
