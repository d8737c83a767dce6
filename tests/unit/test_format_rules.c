/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of docs/format.md that no other test is about, each held against the bytes on a device: [F-2], [F-3],
 * [F-4], [F-6], [F-7], [F-9], [F-12], [F-15].
 */
#include "rig.h"

#include "checksum.h"
#include "context.h"
#include "sector.h"
#include "store_inner.h"
#include "storebox.h"

#include <stdlib.h>
#include <string.h>

enum { STORE = 1 << 20, JOURNAL = 64 << 10, PAGE = SSN_PAGE_SIZE };

static uint8_t *journal_page(struct box *box, unsigned page) {
    return crashdev_bytes(box->dev) + (size_t)(SSN_JOURNAL_PLACE + page) * PAGE;
}

static struct ssn_slots slots_of(struct box *box) {
    struct ssn_slots slots;
    assert_ok(ssn_slots_read(crashdev_device(box->dev), &box->report, &slots));
    return slots;
}

/* ---- the origin's last block ---- */

/* The newest copy of a block, from the store's device itself; gives the checksum that its entry records. */
static uint64_t read_copy(struct rig *rig, uint64_t block, uint8_t *buf) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, ssn_entry_major(block / 256, 0, (unsigned)(block % 256)), 0);
    struct ssn_item item;
    struct ssn_entry_record record;
    assert_ok(ssn_store_seek(rig->ss->store, &key, &item));
    assert_true(item.key.type == SSN_ITEM_ENTRY && item.key.major == key.major);
    assert_true(ssn_entry_record_decode(item.key.major, item.value, item.len, &record));
    assert_int_equal(record.kind, SSN_ENTRY_DATA);
    assert_ok(selsnap_device_read(rig->store_base, buf, rig->block_bytes, record.place * PAGE));
    return ssn_entry_checksum(item.value, 0);
}

/* [F-2], on a store that held other bytes before. */
static void test_rule_2__short_last_block__stored_with_zeros_after_it(void **state) {
    (void)state;
    enum { BLOCK = 8192, SHORT = 512, SIZE = 4 << 20 };
    selsnap_device *origin = NULL;
    selsnap_device *store = NULL;
    uint8_t *junk = malloc(SIZE);
    uint8_t copy[BLOCK];
    struct rig rig;
    assert_non_null(junk);
    memset(junk, 0xee, SIZE);
    assert_ok(selsnap_device_open_memory(9 * BLOCK + SHORT, 0, &origin));
    assert_ok(selsnap_device_open_memory(SIZE, 0, &store));
    assert_ok(selsnap_device_write(store, junk, SIZE, 0));
    rig_open_on(&rig, origin, store, &(struct rig_options){.block_bytes = BLOCK});
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 0, 8, 1); /* the library's buffers hold other bytes now */
    rig_write(&rig, 9, 1, 1);
    uint64_t recorded = read_copy(&rig, 9, copy);
    assert_true(pattern_is(copy, SHORT, 9 * BLOCK, 0, 0));
    assert_true(ssn_is_zero(copy + SHORT, BLOCK - SHORT));
    assert_true(recorded == ssn_checksum(copy, BLOCK));
    rig_assert_snapshot(&rig, id, 9, 1, 0);
    rig_close(&rig);
    free(junk);
}

/* ---- superblocks ---- */

/* [F-3]: of a page whose sectors are some old and some new, the first alone tells which it is. */
static void test_rule_3__torn_superblock__is_old_or_new(void **state) {
    (void)state;
    uint8_t pages[2][PAGE];
    uint8_t torn[PAGE];
    struct ssn_superblock back;
    struct box *box = box_new(STORE, JOURNAL, 0, 41);
    for (unsigned i = 0; i < 2; i++) {
        struct ssn_slots slots = slots_of(box);
        struct ssn_superblock super = slots.super[slots.newest];
        super.sequence = 6 + 2 * i;
        super.incarnation = 3 + i;
        ssn_super_encode(pages[i], &super);
    }
    for (unsigned written = 0; written < 256; written++) {
        for (unsigned sector = 0; sector < SSN_SECTORS_PER_PAGE; sector++) {
            memcpy(torn + (size_t)sector * 512, pages[written >> sector & 1] + (size_t)sector * 512, 512);
        }
        assert_ok(ssn_super_decode(torn, SSN_SUPER_PLACE_0, &back));
        assert_true(back.sequence == (written & 1 ? 8 : 6) && back.incarnation == (written & 1 ? 4 : 3));
    }
    box_free(box);
}

/* [F-4], with the newest superblock in either slot. */
static void test_rule_4__two_superblocks__the_higher_sequence_counts(void **state) {
    (void)state;
    struct box *box = box_new(STORE, JOURNAL, 0, 42);
    unsigned seen[2] = {0, 0};
    for (unsigned round = 0; round < 6; round++) {
        assert_ok(box_open(box, false));
        assert_ok(box_put(box, round, 1, false));
        if (round % 3 != 0) {
            assert_ok(ssn_store_checkpoint(box->store));
        }
        box_drop(box);
        struct ssn_slots slots = slots_of(box);
        assert_true(slots.result[0] == SELSNAP_OK && slots.result[1] == SELSNAP_OK);
        unsigned newest = slots.super[0].sequence < slots.super[1].sequence;
        assert_true(slots.super[newest].sequence == slots.super[1 - newest].sequence + 1);
        assert_true(slots.super[newest].sequence % 2 == newest);
        assert_int_equal(slots.newest, newest);
        seen[newest]++;
        assert_ok(box_open(box, true));
        box_verify(box);
        box_drop(box);
    }
    assert_true(seen[0] > 0 && seen[1] > 0);
    box_free(box);
}

/* ---- the journal ---- */

/* [F-6]: the ring of a fresh store, on a device that held other bytes. */
static void test_rule_6__formatted__every_sector_valid_and_unused(void **state) {
    (void)state;
    enum { LARGE = 1 << 20 }; /* more than format writes at once */
    struct box *box = box_new(4 * STORE, LARGE, 0, 43);
    struct ssn_store_facts facts = {.block_bytes = 4096, .origin_bytes = 1 << 20, .journal_bytes = LARGE};
    memset(crashdev_bytes(box->dev), 0x77, 4 * STORE);
    assert_ok(ssn_store_format(crashdev_device(box->dev), &box->report, &facts, true));
    for (unsigned i = 0; i < LARGE / SSN_SECTOR_SIZE; i++) {
        const uint8_t *bytes = journal_page(box, 0) + (size_t)i * SSN_SECTOR_SIZE;
        struct ssn_sector sector;
        assert_true(ssn_get64(bytes) == ssn_checksum(bytes + 8, SSN_SECTOR_SIZE - 8));
        assert_true(ssn_sector_decode(bytes, &sector));
        assert_true(sector.incarnation == 0 && sector.number == 0 && sector.count == 0 && sector.position == i);
    }
    box_free(box);
}

/* [F-6]: batches begin on pages, in one row, and each carries the chain value of the one before, as documented. */
static void test_rule_6__batches__in_a_row_and_chained(void **state) {
    (void)state;
    struct box *box = box_new(STORE, JOURNAL, 0, 44);
    assert_ok(box_open(box, false));
    uint64_t chain = slots_of(box).super[slots_of(box).newest].journal_chain;
    for (unsigned i = 0; i < 5; i++) {
        assert_ok(box_put(box, i, 0, false));
    }
    box_drop(box);
    for (unsigned batch = 0; batch < 5; batch++) {
        uint8_t sums[SSN_SECTORS_PER_PAGE * 8];
        for (unsigned i = 0; i < SSN_SECTORS_PER_PAGE; i++) {
            const uint8_t *bytes = journal_page(box, batch) + (size_t)i * SSN_SECTOR_SIZE;
            struct ssn_sector sector;
            assert_true(ssn_sector_decode(bytes, &sector));
            assert_true(sector.number == batch + 1 && sector.index == i && sector.count == SSN_SECTORS_PER_PAGE);
            assert_true(sector.position == batch * SSN_SECTORS_PER_PAGE + i && sector.chain == chain);
            memcpy(sums + (size_t)i * 8, bytes, 8);
        }
        chain = ssn_checksum(sums, sizeof sums);
    }
    box_free(box);
}

/* Three batches of one page each, the last two of a second open. */
static struct box *make_log(void) {
    struct box *box = box_new(STORE, JOURNAL, 0, 45);
    assert_ok(box_open(box, false));
    assert_ok(box_put(box, 1, 0, false));
    box_drop(box);
    assert_ok(box_open(box, false));
    assert_ok(box_put(box, 2, 0, false));
    assert_ok(box_put(box, 3, 0, false));
    box_drop(box);
    return box;
}

enum header { NUMBER, POSITION, INDEX, COUNT, CHAIN, INCARNATION };

static void change_header(struct ssn_sector *sector, enum header what, int by) {
    uint64_t more = (uint64_t)(int64_t)by;
    switch (what) {
    case NUMBER:
        sector->number += more;
        break;
    case POSITION:
        sector->position += more;
        break;
    case INDEX:
        sector->index += (uint32_t)more;
        break;
    case COUNT:
        sector->count += (uint32_t)more;
        break;
    case CHAIN:
        sector->chain += more;
        break;
    case INCARNATION:
        sector->incarnation += more;
        break;
    }
}

struct wrong_header {
    enum header what;
    int by;
    unsigned first, last; /* the sectors changed */
    int result;           /* of the open, when it is the last batch */
};

static struct box *make_log_with(const struct wrong_header *wrong, unsigned batch) {
    struct box *box = make_log();
    for (unsigned j = wrong->first; j <= wrong->last; j++) {
        uint8_t *bytes = journal_page(box, batch) + (size_t)j * SSN_SECTOR_SIZE;
        struct ssn_sector sector;
        assert_true(ssn_sector_decode(bytes, &sector));
        change_header(&sector, wrong->what, wrong->by);
        ssn_sector_seal(bytes, &sector);
    }
    box->max_serial = 0;
    return box;
}

/* [F-7], [F-8]: a batch with one header value wrong, under right checksums, is no part of the log: at its end it may be
 * a torn one; before another it is damage. */
static void test_rule_7__header_value_wrong__not_replayed(void **state) {
    (void)state;
    static const struct wrong_header cases[] = {
        {NUMBER, -1, 0, 7, SELSNAP_OK},        {NUMBER, 1, 0, 7, SELSNAP_EDAMAGED},
        {NUMBER, -1, 5, 5, SELSNAP_OK},        {POSITION, 8, 0, 7, SELSNAP_EDAMAGED},
        {POSITION, 1, 7, 7, SELSNAP_EDAMAGED}, {INDEX, 1, 0, 0, SELSNAP_OK},
        {INDEX, -1, 6, 6, SELSNAP_OK},         {COUNT, 8, 3, 3, SELSNAP_OK},
        {COUNT, 8, 0, 7, SELSNAP_OK},          {CHAIN, 1, 0, 7, SELSNAP_OK},
        {CHAIN, 1, 4, 4, SELSNAP_OK},          {INCARNATION, 1, 0, 7, SELSNAP_EDAMAGED},
        {INCARNATION, -1, 2, 2, SELSNAP_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct box *box = make_log_with(&cases[i], 2);
        assert_int_equal(box_open(box, true), cases[i].result);
        /* Serial numbers count the puts: the last batch must not be told. */
        assert_true(cases[i].result == SELSNAP_OK ? box->max_serial == 2 : box->max_serial < 2);
        box_free(box);
        box = make_log_with(&cases[i], 1);
        assert_int_equal(box_open(box, true), SELSNAP_EDAMAGED);
        box_free(box);
    }
    static const struct wrong_header nothing = {INCARNATION, 0, 0, 7, SELSNAP_OK};
    struct box *box = make_log_with(&nothing, 1);
    assert_ok(box_open(box, true));
    assert_true(box->max_serial == 3);
    box_free(box);
}

/* [F-7]: nor is one of an older open than the batch before it. */
static void test_rule_7__incarnation_below_the_one_before__not_replayed(void **state) {
    (void)state;
    struct box *box = make_log();
    for (unsigned j = 0; j < SSN_SECTORS_PER_PAGE; j++) {
        uint8_t *bytes = journal_page(box, 2) + (size_t)j * SSN_SECTOR_SIZE;
        struct ssn_sector sector;
        assert_true(ssn_sector_decode(bytes, &sector));
        sector.incarnation--;
        ssn_sector_seal(bytes, &sector);
    }
    box->max_serial = 0;
    assert_ok(box_open(box, true));
    assert_true(box->max_serial == 2);
    box_free(box);
}

/* [F-15]: an open writes the other slot, with the same tree and journal; what it then commits carries its incarnation.
 */
static void test_rule_15__opened_again__batches_carry_the_new_incarnation(void **state) {
    (void)state;
    struct box *box = box_new(STORE, JOURNAL, 0, 46);
    assert_ok(box_open(box, false));
    assert_ok(box_put(box, 1, 1, false));
    assert_ok(ssn_store_checkpoint(box->store));
    assert_ok(box_close(box, true));
    struct ssn_slots before = slots_of(box);
    const struct ssn_superblock *old = &before.super[before.newest];
    assert_true((old->flags & SSN_SUPER_CLEAN) != 0);
    assert_ok(box_open(box, false));
    struct ssn_slots after = slots_of(box);
    const struct ssn_superblock *new = &after.super[after.newest];
    assert_true(after.newest != before.newest && new->sequence == old->sequence + 1);
    assert_true(new->incarnation == old->incarnation + 1 && (new->flags &SSN_SUPER_CLEAN) == 0);
    assert_true(new->root_place == old->root_place &&new->root_checksum == old->root_checksum);
    assert_true(new->ledger_place == old->ledger_place &&new->journal_start == old->journal_start);
    assert_true(new->journal_number == old->journal_number &&new->journal_chain == old->journal_chain);
    assert_ok(box_put(box, 2, 0, false));
    struct ssn_sector sector;
    assert_true(ssn_sector_decode(journal_page(box, (unsigned)new->journal_start), &sector));
    assert_true(sector.number == new->journal_number &&sector.incarnation == new->incarnation);
    assert_true(sector.super_sequence == new->sequence);
    box_free(box);
}

/* ---- space ---- */

/*
 * Takes a page at a time, but for what checkpoints may need, so that none is made meanwhile; then gives all back.
 * Whether the place was among it.
 */
static bool can_take(struct box *box, uint64_t place) {
    enum { LEAVE = 64 };
    bool found = false;
    uint64_t count = box_stats(box).free_bytes / PAGE - LEAVE;
    uint64_t *taken = calloc(count + 1, sizeof *taken);
    assert_non_null(taken);
    assert_true(count > 0);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t pages;
        assert_ok(ssn_store_take(box->store, 1, 1, &taken[i], &pages));
        found = found || taken[i] == place;
        for (unsigned key = 0; key < BOX_KEYS; key++) {
            const struct box_slot *slot = &box->state.slot[key];
            assert_false(slot->pages > 0 && taken[i] >= slot->place && taken[i] < slot->place + slot->pages);
        }
    }
    for (uint64_t i = 0; i < count; i++) {
        ssn_store_untake(box->store, taken[i], 1);
    }
    free(taken);
    return found;
}

/* [F-12]: what a checkpoint took is in use, what a replayed batch took too; what it gave is not free before the next.
 */
static void test_rule_12__opened__free_is_tree_and_ledger_less_the_journal(void **state) {
    (void)state;
    struct box *box = box_new(4 * STORE, JOURNAL, 0, 47);
    assert_ok(box_open(box, false));
    for (int i = 0; i < 40; i++) {
        assert_ok(box_step(box));
    }
    assert_ok(box_put(box, 1, 2, false));
    assert_ok(ssn_store_checkpoint(box->store));
    uint64_t given = box->state.slot[1].place;
    assert_ok(box_put(box, 1, 3, false));
    struct ssn_store_stats before = box_stats(box);
    box_drop(box);
    assert_ok(box_open(box, false));
    struct ssn_store_stats after = box_stats(box);
    assert_true(after.used_bytes == before.used_bytes && after.pending_bytes == before.pending_bytes);
    assert_false(can_take(box, given));
    box_drop(box);
    assert_ok(box_open(box, false));
    assert_ok(ssn_store_checkpoint(box->store));
    assert_true(can_take(box, given));
    box_check(box);
    box_verify(box);
    box_free(box);
}

enum { HELD_MAX = 512 };

/* What an index built from the journal alone holds: the places of each key, and those that the transaction dropped. */
struct held {
    struct ssn_key key;
    uint64_t place;
    uint64_t pages; /* 0: none */
};
struct log_state {
    struct held now[HELD_MAX];
    unsigned count;
    struct held dropped[HELD_MAX];
    unsigned dropped_count;
    unsigned gives;
};

/* The value's place, if it is of a kind that has one. */
static void place_of(const struct ssn_op *op, struct held *ret) {
    struct ssn_entry_record entry;
    struct ssn_overlay_record overlay;
    *ret = (struct held){op->key, 0, 0};
    if (op->kind != SSN_OP_PUT) {
        return;
    }
    if (op->key.type == SSN_ITEM_ENTRY && ssn_entry_record_decode(op->key.major, op->value, op->len, &entry) &&
        entry.kind == SSN_ENTRY_DATA) {
        *ret = (struct held){op->key, entry.place, ssn_entry_blocks(op->key.major)};
    } else if (op->key.type == SSN_ITEM_OVERLAY && ssn_overlay_record_decode(op->value, op->len, &overlay) &&
               overlay.kind == SSN_ENTRY_DATA) {
        *ret = (struct held){op->key, overlay.place, 1};
    }
}

/* The key has another value now, or none: its old place is dropped, unless the new value names it again. */
static void change_key(struct log_state *log, const struct ssn_op *op) {
    struct held held;
    place_of(op, &held);
    unsigned i = 0;
    while (i < log->count && ssn_key_compare(&log->now[i].key, &op->key) != 0) {
        i++;
    }
    if (i == log->count) {
        assert_true(log->count < HELD_MAX);
        log->now[log->count++] = held;
        return;
    }
    if (log->now[i].pages > 0 && log->now[i].place != held.place) {
        log->dropped[log->dropped_count++] = log->now[i];
    }
    log->now[i] = held;
}

static void check_give(struct log_state *log, uint64_t place) {
    unsigned i = 0;
    while (i < log->dropped_count &&
           !(place >= log->dropped[i].place && place < log->dropped[i].place + log->dropped[i].pages)) {
        i++;
    }
    if (i == log->dropped_count) {
        fail_msg("page %llu is given, and its transaction drops nothing that it held", (unsigned long long)place);
    }
    log->gives++;
}

static void check_txn(struct log_state *log, struct ssn_ops_iter ops) {
    struct ssn_ops_iter again = ops;
    struct ssn_op op;
    log->dropped_count = 0;
    while (ssn_ops_next(&ops, &op) == SSN_ITER_ITEM) {
        if (op.kind == SSN_OP_PUT || op.kind == SSN_OP_DELETE) {
            change_key(log, &op);
        }
    }
    while (ssn_ops_next(&again, &op) == SSN_ITER_ITEM) {
        for (uint32_t i = 0; op.kind == SSN_OP_GIVE && i < op.pages; i++) {
            check_give(log, op.place + i);
        }
    }
}

/* Reads the whole log of a store that was never folded, batch by batch. */
static void check_log(struct rig *rig, struct log_state *log) {
    uint64_t len = rig_stats(rig).journal_bytes;
    uint8_t *ring = malloc((size_t)len);
    uint8_t *payload = malloc((size_t)len);
    assert_non_null(ring);
    assert_non_null(payload);
    assert_ok(selsnap_device_read(rig->store_base, ring, (size_t)len, SSN_JOURNAL_PLACE * PAGE));
    const uint8_t *at = ring;
    struct ssn_sector sector;
    for (uint64_t number = 1; ssn_sector_decode(at, &sector) && sector.number == number; number++) {
        ssn_batch_payload(payload, at, sector.count);
        struct ssn_ops_iter txns = ssn_ops_begin(payload, (size_t)sector.count * SSN_SECTOR_PAYLOAD);
        struct ssn_ops_iter ops;
        while (ssn_txns_next(&txns, &ops) == SSN_ITER_ITEM) {
            check_txn(log, ops);
        }
        at += (size_t)sector.count * SSN_SECTOR_SIZE;
        assert_true(at < ring + len);
    }
    free(ring);
    free(payload);
}

static void write_overlay(struct rig *rig, uint64_t id, uint64_t first_block, uint64_t count, uint8_t byte) {
    uint8_t *buf = malloc((size_t)count * rig->block_bytes);
    assert_non_null(buf);
    memset(buf, byte, (size_t)count * rig->block_bytes);
    selsnap_view *view = rig_view(rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    assert_ok(selsnap_view_write(view, buf, (size_t)count * rig->block_bytes, first_block * rig->block_bytes));
    assert_ok(selsnap_view_close(view));
    free(buf);
}

/* [F-9], over all that gives pages: overlays written again, reset, snapshots deleted, restores ended. */
static void test_rule_9__all_kinds_of_work__pages_are_given_with_what_held_them(void **state) {
    (void)state;
    struct rig rig;
    struct log_state *log = calloc(1, sizeof *log);
    assert_non_null(log);
    rig_open(&rig, &(struct rig_options){.journal_bytes = 4 << 20});
    uint64_t old = rig_snapshot(&rig, "old", 0, 40);
    rig_write(&rig, 0, 20, 1);
    uint64_t young = rig_snapshot(&rig, "young", 8, 40);
    rig_write(&rig, 4, 20, 2);
    write_overlay(&rig, young, 8, 12, 0x11);
    write_overlay(&rig, young, 10, 4, 0x22);
    selsnap_view *view = rig_view(&rig, young, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    assert_ok(selsnap_view_reset(view));
    assert_ok(selsnap_view_close(view));
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    restore.id = old;
    assert_ok(selsnap_restore_start(rig.ss, &restore, NULL));
    selsnap_step_options step = SELSNAP_STEP_OPTIONS_INIT;
    step.flags = SELSNAP_STEP_RESTORE | SELSNAP_STEP_RECLAIM;
    uint32_t more = 1;
    while (more != 0) {
        assert_ok(selsnap_step(rig.ss, &step, &more));
        more &= step.flags;
    }
    assert_ok(selsnap_snapshot_delete(rig.ss, old));
    assert_ok(selsnap_snapshot_delete(rig.ss, young));
    more = 1;
    while (more != 0) {
        assert_ok(selsnap_step(rig.ss, &step, &more));
        more &= step.flags;
    }
    assert_true(rig_stats(&rig).checkpoints == 0);
    check_log(&rig, log);
    assert_true(log->gives >= 40);
    rig_close(&rig);
    free(log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rule_2__short_last_block__stored_with_zeros_after_it),
        cmocka_unit_test(test_rule_3__torn_superblock__is_old_or_new),
        cmocka_unit_test(test_rule_4__two_superblocks__the_higher_sequence_counts),
        cmocka_unit_test(test_rule_6__formatted__every_sector_valid_and_unused),
        cmocka_unit_test(test_rule_6__batches__in_a_row_and_chained),
        cmocka_unit_test(test_rule_7__header_value_wrong__not_replayed),
        cmocka_unit_test(test_rule_7__incarnation_below_the_one_before__not_replayed),
        cmocka_unit_test(test_rule_9__all_kinds_of_work__pages_are_given_with_what_held_them),
        cmocka_unit_test(test_rule_12__opened__free_is_tree_and_ledger_less_the_journal),
        cmocka_unit_test(test_rule_15__opened_again__batches_carry_the_new_incarnation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
