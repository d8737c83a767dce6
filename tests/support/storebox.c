/* SPDX-License-Identifier: Apache-2.0 */
/* See storebox.h. */
#include "storebox.h"

#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ssn_key key_of(unsigned key) {
    /* Several types and a spread of majors, so that keys lie on more than one leaf and in every order. */
    return ssn_key_make(key % 3 == 0 ? SSN_ITEM_OVERLAY : SSN_ITEM_ENTRY, (uint64_t)key << 20, key % 7);
}

static unsigned of_key(const struct ssn_key *key) {
    return (unsigned)(key->major >> 20);
}

static int on_replay(void *user, const struct ssn_key *key, const uint8_t *value, uint16_t len, bool last) {
    struct box *box = user;
    (void)key;
    (void)last;
    if (len >= 24 && ssn_get64(value) > box->max_serial) {
        box->max_serial = ssn_get64(value);
    }
    return SELSNAP_OK;
}

static void on_event(void *user, const selsnap_event *event) {
    struct box *box = user;
    __atomic_fetch_add(&box->events[event->kind % 8], 1, __ATOMIC_RELAXED);
}

static void say(struct box *box, const char *what) {
    char text[SSN_REPORT_TEXT];
    int code = ssn_report_last(&box->report, text, sizeof text);
    fprintf(stderr, "# seed %llu, %s: %s (last failure %d: %s)\n", (unsigned long long)box->seed,
            box->doing != NULL ? box->doing : "", what, code, text);
}

#define BOX_ASSERT(box, condition)  \
    do {                            \
        if (!(condition)) {         \
            say(box, #condition);   \
            assert_true(condition); \
        }                           \
    } while (0)

struct box *box_new(uint64_t size_bytes, uint64_t journal_bytes, uint64_t memory_limit, uint64_t seed) {
    struct box *box = calloc(1, sizeof *box);
    assert_non_null(box);
    box->seed = seed;
    box->random = seed * 7919 + 1;
    box->dev = crashdev_new(size_bytes);
    ssn_mem_init(&box->mem, NULL, memory_limit);
    assert_ok(ssn_report_init(&box->report));
    box->report.event = on_event;
    box->report.event_user = box;
    struct ssn_store_facts facts;
    memset(&facts, 0, sizeof facts);
    facts.block_bytes = 4096;
    facts.origin_bytes = 1 << 20;
    facts.journal_bytes = journal_bytes;
    (void)snprintf(facts.origin_hint, sizeof facts.origin_hint, "box");
    BOX_ASSERT(box, ssn_store_format(crashdev_device(box->dev), &box->report, &facts, false) == SELSNAP_OK);
    return box;
}

void box_free(struct box *box) {
    box_drop(box);
    assert_true(ssn_mem_current(&box->mem) == 0);
    ssn_report_fini(&box->report);
    crashdev_free(box->dev);
    free(box);
}

int box_open(struct box *box, bool read_only) {
    struct ssn_store_params params = {.device = crashdev_device(box->dev),
                                      .mem = &box->mem,
                                      .report = &box->report,
                                      .read_only = read_only,
                                      .cache_bytes = 256 << 10,
                                      .replay = on_replay,
                                      .replay_user = box};
    assert_null(box->store);
    int rc = ssn_store_open(&params, &box->store);
    box->reopened = box->maybe_count > 0;
    if (rc == SELSNAP_OK && !read_only) {
        rc = ssn_store_activate(box->store);
        if (rc != SELSNAP_OK) {
            box_drop(box);
        }
    }
    return rc;
}

int box_close(struct box *box, bool clean) {
    struct ssn_store *store = box->store;
    box->store = NULL;
    return ssn_store_close(store, clean, false, 0);
}

void box_drop(struct box *box) {
    (void)box_close(box, false);
}

uint64_t box_random(struct box *box, uint64_t below) {
    box->random = box->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (box->random >> 33) % below;
}

/* ---- transactions ---- */

static void fill(uint8_t *page, uint64_t serial, uint64_t index) {
    for (unsigned i = 0; i < BOX_PAGE / 8; i++) {
        ssn_put64(page + (size_t)i * 8, serial * UINT64_C(0x9E3779B97F4A7C15) + index * 4099 + i);
    }
}

static int write_data(struct box *box, const struct box_slot *slot) {
    uint8_t page[BOX_PAGE];
    int rc = SELSNAP_OK;
    for (uint64_t i = 0; rc == SELSNAP_OK && i < slot->pages; i++) {
        fill(page, slot->serial, i);
        rc = ssn_store_write_data(box->store, slot->place + i, page, sizeof page);
    }
    return rc;
}

/* Adds a change; the slot's new content is made here. */
static int change(struct box *box, struct ssn_txn *txn, struct box_txn *log, unsigned key, bool put, uint64_t pages) {
    struct ssn_key k = key_of(key);
    const struct box_slot *old = &box->state.slot[key];
    struct box_slot slot = {0, 0, 0};
    int rc = SELSNAP_OK;
    if (put) {
        slot.serial = ++box->serial;
        if (pages > 0) {
            rc = ssn_store_take(box->store, pages, 1, &slot.place, &slot.pages);
            rc = rc != SELSNAP_OK ? rc : write_data(box, &slot);
        }
        uint8_t value[200];
        memset(value, (int)slot.serial, sizeof value);
        ssn_put64(value, slot.serial);
        ssn_put64(value + 8, slot.place);
        ssn_put64(value + 16, slot.pages);
        ssn_txn_put(txn, &k, value, (uint16_t)(24 + slot.serial % 176));
        if (slot.pages > 0) {
            ssn_txn_take(txn, slot.place, (uint32_t)slot.pages);
        }
    } else {
        ssn_txn_delete(txn, &k);
    }
    if (old->serial != 0 && old->pages > 0) {
        ssn_txn_give(txn, old->place, (uint32_t)old->pages);
    }
    log->key[log->count] = key;
    log->slot[log->count++] = slot;
    return rc;
}

static void apply(struct box_state *state, const struct box_txn *log) {
    for (unsigned i = 0; i < log->count; i++) {
        state->slot[log->key[i]] = log->slot[i];
    }
}

static void untake(struct box *box, const struct box_txn *log) {
    for (unsigned i = 0; i < log->count; i++) {
        ssn_store_untake(box->store, log->slot[i].place, log->slot[i].pages);
    }
}

static int finish(struct box *box, struct ssn_txn *txn, struct box_txn *log, int rc, bool essential) {
    bool committed = false;
    if (rc == SELSNAP_OK) {
        committed = true;
        rc = ssn_store_commit(box->store, txn, essential);
    }
    if (rc == SELSNAP_OK) {
        if (box->maybe_count > 0) {
            /* Whatever was in doubt before has been settled before this one. */
            BOX_ASSERT(box, box->maybe_count < BOX_MAYBE);
            box->maybe[box->maybe_count++] = *log;
            struct box_txn sure = *log;
            box_verify(box);
            for (unsigned i = 0; i < sure.count; i++) {
                BOX_ASSERT(box, memcmp(&box->state.slot[sure.key[i]], &sure.slot[i], sizeof sure.slot[i]) == 0);
            }
        } else {
            apply(&box->state, log);
        }
    } else if (rc == SELSNAP_ESTORE && committed) {
        BOX_ASSERT(box, box->maybe_count < BOX_MAYBE);
        box->maybe[box->maybe_count++] = *log;
    } else {
        untake(box, log);
    }
    ssn_txn_fini(txn);
    return rc;
}

bool box_in_doubt(const struct box *box, unsigned key) {
    for (unsigned i = 0; i < box->maybe_count; i++) {
        for (unsigned j = 0; j < box->maybe[i].count; j++) {
            if (box->maybe[i].key[j] == key) {
                return true;
            }
        }
    }
    return false;
}

int box_step(struct box *box) {
    struct ssn_txn txn;
    struct box_txn log = {0};
    bool used[BOX_KEYS] = {false};
    unsigned count = 1 + (unsigned)box_random(box, 4);
    int rc = SELSNAP_OK;
    ssn_txn_init(&txn, box->store);
    for (unsigned i = 0; i < count && rc == SELSNAP_OK; i++) {
        unsigned key = (unsigned)box_random(box, BOX_KEYS);
        bool put = box_random(box, 3) != 0;
        if (!used[key] && !box_in_doubt(box, key)) {
            used[key] = true;
            rc = change(box, &txn, &log, key, put, box_random(box, 4));
        }
    }
    return finish(box, &txn, &log, rc, false);
}

int box_put(struct box *box, unsigned key, uint64_t pages, bool essential) {
    struct ssn_txn txn;
    struct box_txn log = {0};
    ssn_txn_init(&txn, box->store);
    int rc = change(box, &txn, &log, key, true, pages);
    return finish(box, &txn, &log, rc, essential);
}

int box_delete(struct box *box, unsigned key) {
    struct ssn_txn txn;
    struct box_txn log = {0};
    ssn_txn_init(&txn, box->store);
    int rc = change(box, &txn, &log, key, false, 0);
    return finish(box, &txn, &log, rc, true);
}

/* ---- verification ---- */

static void read_state(struct box *box, struct box_state *ret_state) {
    struct ssn_key at = ssn_key_make(SSN_ITEM_SPACE + 1, 0, 0);
    struct ssn_item item;
    struct ssn_item other;
    int rc;
    memset(ret_state, 0, sizeof *ret_state);
    while ((rc = ssn_store_seek(box->store, &at, &item)) == SELSNAP_OK) {
        unsigned key = of_key(&item.key);
        BOX_ASSERT(box, ssn_key_compare(&item.key, &at) >= 0);
        BOX_ASSERT(box, key < BOX_KEYS && ret_state->slot[key].serial == 0);
        struct ssn_key expected = key_of(key);
        BOX_ASSERT(box, ssn_key_compare(&item.key, &expected) == 0);
        uint64_t serial = ssn_get64(item.value);
        BOX_ASSERT(box, serial > 0 && item.len == 24 + serial % 176);
        BOX_ASSERT(box, item.len == 24 || item.value[24] == (uint8_t)serial);
        ret_state->slot[key] = (struct box_slot){serial, ssn_get64(item.value + 8), ssn_get64(item.value + 16)};
        /* The same from the other side, and straight. */
        BOX_ASSERT(box, ssn_store_get(box->store, &item.key, &other) == SELSNAP_OK && other.len == item.len &&
                            memcmp(other.value, item.value, item.len) == 0);
        at = item.key;
        BOX_ASSERT(box,
                   ssn_store_seek_last(box->store, &at, &other) == SELSNAP_OK && ssn_key_compare(&other.key, &at) == 0);
        (void)ssn_key_after(&at);
    }
    BOX_ASSERT(box, rc == SELSNAP_ENOENT);
}

static void read_data(struct box *box, const struct box_slot *slot) {
    uint8_t page[BOX_PAGE];
    uint8_t expected[BOX_PAGE];
    for (uint64_t i = 0; i < slot->pages; i++) {
        fill(expected, slot->serial, i);
        BOX_ASSERT(box, ssn_store_read_data(box->store, slot->place + i, page, sizeof page) == SELSNAP_OK);
        BOX_ASSERT(box, memcmp(page, expected, sizeof page) == 0);
    }
}

void box_verify(struct box *box) {
    struct box_state found;
    read_state(box, &found);
    unsigned sets = 1u << box->maybe_count;
    unsigned set;
    struct box_state candidate;
    for (set = 0; set < sets; set++) {
        candidate = box->state;
        for (unsigned i = 0; i < box->maybe_count; i++) {
            if ((set >> i & 1) != 0) {
                apply(&candidate, &box->maybe[i]);
            }
        }
        if (memcmp(&candidate, &found, sizeof found) == 0) {
            break;
        }
    }
    BOX_ASSERT(box, set < sets);
    for (unsigned key = 0; key < BOX_KEYS; key++) {
        /* Data of what was not acknowledged before a cut may be missing. Its writer still has it, and writes it again.
         */
        bool sure = memcmp(&found.slot[key], &box->state.slot[key], sizeof found.slot[key]) == 0;
        if (!sure && box->reopened && found.slot[key].pages > 0) {
            BOX_ASSERT(box, write_data(box, &found.slot[key]) == SELSNAP_OK);
            BOX_ASSERT(box, ssn_store_flush(box->store) == SELSNAP_OK);
        }
        read_data(box, &found.slot[key]);
    }
    box->reopened = false;
    box->state = found;
    box->maybe_count = 0;
}

static int on_problem(void *user, const char *line) {
    struct box *box = user;
    if (box->doing != NULL && strcmp(box->doing, "damage") != 0) {
        fprintf(stderr, "# problem: %s\n", line);
    }
    return 0;
}

static int on_item(void *user, struct ssn_store_check *check, const struct ssn_key *key, const uint8_t *value,
                   uint16_t len) {
    (void)user;
    (void)key;
    if (len >= 24 && ssn_get64(value + 16) > 0) {
        ssn_store_check_use(check, ssn_get64(value + 8), ssn_get64(value + 16));
    }
    return SELSNAP_OK;
}

int box_count_problems(struct box *box, uint64_t *ret_problems) {
    struct ssn_store_check check = {.problem = on_problem, .problem_user = box, .item = on_item, .item_user = box};
    int rc = ssn_store_check(box->store, &check);
    *ret_problems = check.problems;
    return rc;
}

void box_check(struct box *box) {
    uint64_t problems = 0;
    int rc = box_count_problems(box, &problems);
    BOX_ASSERT(box, rc == SELSNAP_OK && problems == 0);
}

struct ssn_store_stats box_stats(struct box *box) {
    struct ssn_store_stats stats;
    ssn_store_get_stats(box->store, &stats);
    return stats;
}
