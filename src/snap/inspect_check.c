/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See inspect.h and inspect_check.h. The store tells each item once, in the order of keys; what it tells of neighbours
 * is used to ask less, never relied on. Memory does not grow with the store.
 */
#include "inspect_check.h"

#include "checksum.h"
#include "inspect.h"
#include "needed.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 512, ITEMS_OF_A_LEAF = 48, PROGRESS_EVERY = 256 };

/* ---- telling ---- */

/* Whether the index still has the item at hand as it was told. */
static bool stands(struct ssn_check *check) {
    struct ssn_item item;
    int rc = ssn_store_get(check->ss->store, check->key, &item);
    if (rc == SELSNAP_OK) {
        return item.len == check->len && memcmp(item.value, check->value, item.len) == 0;
    }
    return rc != SELSNAP_ENOENT;
}

void ssn_check_problem(struct ssn_check *check, const char *format, ...) {
    if (!stands(check)) {
        return;
    }
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ssn_store_check_problem(check->store_check, "%s", text);
}

int ssn_check_failure(struct ssn_check *check, const char *what, int rc) {
    if (rc == SELSNAP_OK || rc == SELSNAP_ENOMEM || rc == SELSNAP_ECANCELED) {
        return rc;
    }
    ssn_check_problem(check, "%s %" PRIu64 ", %" PRIu64 ": could not be verified: %s", what, check->key->major,
                      check->key->minor, rc == SELSNAP_EDAMAGED ? "the index is damaged" : "the store failed");
    return SELSNAP_OK;
}

void ssn_check_id(struct ssn_check *check, const char *what, uint64_t id) {
    if (id == 0 || id >= ssn_store_next_id(check->ss->store)) {
        ssn_check_problem(check, "%s %" PRIu64 ": the id was never given out", what, id);
    }
}

void ssn_check_epoch(struct ssn_check *check, uint64_t epoch) {
    if (epoch == 0 || epoch >= ssn_store_next_epoch(check->ss->store)) {
        ssn_check_problem(check, "type %u, key %" PRIu64 ", %" PRIu64 ": epoch %" PRIu64 " was never reached",
                          check->key->type, check->key->major, check->key->minor, epoch);
    }
}

/* ---- entries ---- */

static uint64_t entry_block(uint64_t major) {
    return ssn_entry_run(major) * SSN_RUN_BLOCKS + ssn_entry_first(major);
}

static void tell_block(struct ssn_check *check, uint64_t block, uint64_t place, const char *what) {
    bool entry = check->key->type == SSN_ITEM_ENTRY;
    ssn_check_problem(check, "block %" PRIu64 ", %s %" PRIu64 ": the copy at place %" PRIu64 " %s", block,
                      entry ? "epoch" : "overlay", entry ? check->key->minor : check->key->major, place, what);
}

/* Compares the copies of `count` blocks with their checksums. */
static void compare(struct ssn_check *check, uint64_t first_block, unsigned count, uint64_t place,
                    const uint8_t *checksums) {
    struct selsnap *ss = check->ss;
    uint8_t *buf = ssn_buffers_take(&ss->buffers);
    unsigned most = ss->chunk_blocks;
    for (unsigned done = 0; done < count;) {
        unsigned n = count - done < most ? count - done : most;
        uint64_t from = place + (uint64_t)done * ss->block_pages;
        int rc = ssn_store_read_data(ss->store, from, buf, (size_t)n * ss->block_bytes);
        if (rc != SELSNAP_OK && n > 1) {
            most = 1; /* one by one, to tell which */
            continue;
        }
        if (rc != SELSNAP_OK) {
            tell_block(check, first_block + done, from, "cannot be read");
        }
        for (unsigned i = 0; rc == SELSNAP_OK && i < n; i++) {
            uint64_t sum = ssn_checksum(buf + (size_t)i * ss->block_bytes, ss->block_bytes);
            if (sum != ssn_get64(checksums + 8 * (size_t)(done + i))) {
                tell_block(check, first_block + done + i, from + (uint64_t)i * ss->block_pages,
                           "does not have the recorded checksum");
            }
        }
        done += n;
    }
    ssn_buffers_return(&ss->buffers, buf);
    check->blocks += count;
}

/* Verifies a run of data that the item names: that its place can be, then what it holds. */
static void check_data(struct ssn_check *check, uint64_t first_block, unsigned count, uint64_t place,
                       const uint8_t *checksums) {
    struct selsnap *ss = check->ss;
    uint64_t pages = (uint64_t)count * ss->block_pages;
    if (!ssn_range_inside(place, pages, ssn_store_size_pages(ss->store))) {
        ssn_check_problem(check, "block %" PRIu64 ": its place %" PRIu64 " is outside the store", first_block, place);
        return;
    }
    ssn_store_check_use(check->store_check, place, pages);
    /* Space given back before the section began may hold anything; only what the index still names counts. */
    unsigned section = ssn_store_enter(ss->store);
    if (stands(check)) {
        compare(check, first_block, count, place, checksums);
    }
    ssn_store_leave(ss->store, section);
}

/* Which levels the run has entries of. */
static int find_levels(struct ssn_check *check, uint64_t run) {
    if (check->levels_known && check->levels_run == run) {
        return SELSNAP_OK;
    }
    check->levels_known = false;
    check->levels = 0;
    for (unsigned level = 0; level <= SSN_EXTENT_LEVEL_MAX; level++) {
        struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, ssn_entry_major(run, level, 0), 0);
        struct ssn_item item;
        int rc = ssn_store_seek(check->ss->store, &key, &item);
        if (rc == SELSNAP_ENOENT) {
            break;
        }
        if (rc != SELSNAP_OK) {
            return rc;
        }
        if (item.key.type == SSN_ITEM_ENTRY && ssn_entry_run(item.key.major) == run) {
            check->levels |= 1u << ssn_entry_level(item.key.major);
        }
    }
    check->levels_known = true;
    check->levels_run = run;
    return SELSNAP_OK;
}

/* [F-14] No longer extent of the same epoch covers the blocks. */
static int check_alone(struct ssn_check *check) {
    uint64_t major = check->key->major;
    int rc = find_levels(check, ssn_entry_run(major));
    for (unsigned level = ssn_entry_level(major) + 1; rc == SELSNAP_OK && level <= SSN_EXTENT_LEVEL_MAX; level++) {
        if ((check->levels >> level & 1) == 0) {
            continue;
        }
        unsigned index = ssn_entry_first(major) >> level;
        struct ssn_key key =
            ssn_key_make(SSN_ITEM_ENTRY, ssn_entry_major(ssn_entry_run(major), level, index), check->key->minor);
        struct ssn_item item;
        rc = ssn_store_get(check->ss->store, &key, &item);
        if (rc == SELSNAP_OK) {
            ssn_check_problem(check, "block %" PRIu64 ", epoch %" PRIu64 ": two entries of one epoch cover it",
                              entry_block(major), check->key->minor);
        }
        rc = rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
    }
    return rc;
}

static int check_entry(struct ssn_check *check) {
    struct ssn_entry_record record;
    uint64_t major = check->key->major;
    if (!ssn_entry_record_decode(major, check->value, check->len, &record)) {
        ssn_check_problem(check, "entry %" PRIu64 ", epoch %" PRIu64 ": its value is malformed", major,
                          check->key->minor);
        return SELSNAP_OK;
    }
    uint64_t block = entry_block(major);
    unsigned count = ssn_entry_blocks(major);
    if (!ssn_range_inside(block, count, check->ss->block_count)) {
        ssn_check_problem(check, "block %" PRIu64 ", epoch %" PRIu64 ": the entry reaches beyond the origin", block,
                          check->key->minor);
    }
    ssn_check_epoch(check, check->key->minor);
    int rc = ssn_check_failure(check, "entry", check_alone(check));
    if (rc == SELSNAP_OK && record.kind == SSN_ENTRY_MARK && check->key->minor != 0) {
        bool any = false;
        bool data = false;
        rc = ssn_check_failure(check, "entry", ssn_extent_needed(check->ss, major, check->key->minor, 0, &any, &data));
        if (data) {
            ssn_check_problem(
                check, "block %" PRIu64 ", epoch %" PRIu64 ": the entry is a mark, but a snapshot needs the data",
                block, check->key->minor);
        }
    }
    if (rc == SELSNAP_OK && record.kind == SSN_ENTRY_DATA) {
        check_data(check, block, count, record.place, check->value + 16);
    }
    return rc;
}

static int check_overlay(struct ssn_check *check) {
    struct ssn_overlay_record record;
    uint64_t overlay = check->key->major;
    uint64_t block = check->key->minor;
    if (!ssn_overlay_record_decode(check->value, check->len, &record)) {
        ssn_check_problem(check, "overlay %" PRIu64 ", block %" PRIu64 ": its value is malformed", overlay, block);
        return SELSNAP_OK;
    }
    if (block >= check->ss->block_count) {
        ssn_check_problem(check, "overlay %" PRIu64 ", block %" PRIu64 ": beyond the origin", overlay, block);
    }
    bool owned = false;
    int rc = ssn_check_overlay_owner(check, overlay, &owned);
    if (rc == SELSNAP_OK && !owned) {
        ssn_check_problem(check, "overlay %" PRIu64 ", block %" PRIu64 ": no snapshot reads this overlay", overlay,
                          block);
    }
    rc = ssn_check_failure(check, "overlay", rc);
    if (rc == SELSNAP_OK && record.kind == SSN_ENTRY_DATA) {
        check_data(check, block, 1, record.place, check->value + 16);
    }
    return rc;
}

/* ---- all items ---- */

static int check_item(struct ssn_check *check) {
    switch (check->key->type) {
    case SSN_ITEM_SPACE:
        return SELSNAP_OK; /* the store itself knows what these mean */
    case SSN_ITEM_DESIGNATION:
        return ssn_check_designation(check);
    case SSN_ITEM_RANGES:
        return ssn_check_ranges(check);
    case SSN_ITEM_NAME:
        return ssn_check_name(check);
    case SSN_ITEM_SNAPSHOT:
        return ssn_check_snapshot(check);
    case SSN_ITEM_LABEL:
        return ssn_check_label(check);
    case SSN_ITEM_PROPERTY:
        return ssn_check_property(check);
    case SSN_ITEM_ENTRY:
        return check_entry(check);
    case SSN_ITEM_OVERLAY:
        return check_overlay(check);
    case SSN_ITEM_JOB:
        return ssn_check_job(check);
    case SSN_ITEM_RESTORED:
        return ssn_check_restored(check);
    case SSN_ITEM_STATE:
        return ssn_check_state(check);
    case SSN_ITEM_HOLD:
        return ssn_check_hold(check);
    case SSN_ITEM_TERM:
        return ssn_check_term(check);
    case SSN_ITEM_RECEIVED:
        return ssn_check_received(check);
    case SSN_ITEM_MEMBERSHIP:
        return ssn_check_membership(check);
    case SSN_ITEM_LAYER:
        return ssn_check_layer(check);
    case SSN_ITEM_SIZE:
        return ssn_check_size(check);
    default:
        ssn_check_problem(check, "type %u, key %" PRIu64 ", %" PRIu64 ": there is no such type", check->key->type,
                          check->key->major, check->key->minor);
        return SELSNAP_OK;
    }
}

static int tell_progress(struct ssn_check *check, bool ended) {
    uint64_t total = ended ? check->items : ssn_max_u64(check->items, check->items_guess);
    bool due = ended || check->items % PROGRESS_EVERY == 0;
    if (check->progress == NULL || !due) {
        return SELSNAP_OK;
    }
    return check->progress(check->progress_user, check->items, total) == 0 ? SELSNAP_OK : SELSNAP_ECANCELED;
}

static int on_item(void *user, struct ssn_store_check *store_check, const struct ssn_key *key, const uint8_t *value,
                   uint16_t len) {
    struct ssn_check *check = user;
    check->store_check = store_check;
    check->key = key;
    check->value = value;
    check->len = len;
    int rc = check_item(check);
    check->items++;
    return rc == SELSNAP_OK ? tell_progress(check, false) : rc;
}

int ssn_inspect_check(struct selsnap *ss, selsnap_line_fn problem, void *problem_user, selsnap_progress_fn progress,
                      void *progress_user, selsnap_check_result *ret_result) {
    struct ssn_store_stats stats;
    ssn_store_get_stats(ss->store, &stats);
    struct ssn_check check = {
        .ss = ss,
        .progress = progress,
        .progress_user = progress_user,
        .items_guess = stats.leaf_count * ITEMS_OF_A_LEAF,
    };
    struct ssn_store_check store_check = {
        .problem = problem,
        .problem_user = problem_user,
        .item = on_item,
        .item_user = &check,
    };
    int rc = ssn_store_check(ss->store, &store_check);
    if (rc == SELSNAP_OK) {
        rc = tell_progress(&check, true);
    }
    if (rc == SELSNAP_OK) {
        ret_result->pages = store_check.pages;
        ret_result->items = store_check.items;
        ret_result->blocks = check.blocks;
        ret_result->problems = store_check.problems;
    }
    return rc;
}
