/* SPDX-License-Identifier: Apache-2.0 */
/* P2: a designated block is overwritten only after its copy and its record are durable, on every path. Seen on the wire
 * of both devices. */
#include "rig.h"
#include "testdev.h"

#include <stdlib.h>
#include <string.h>

struct pair {
    struct rig rig;
    struct wire wire;
    struct testdev *origin;
    struct testdev *store;
};

static void pair_open(struct pair *pair) {
    memset(pair, 0, sizeof *pair);
    wire_init(&pair->wire, false);
    pair->origin = testdev_open(&pair->wire, 'o', 64 * 4096, 512, NULL);
    pair->store = testdev_open(&pair->wire, 's', 16 << 20, 4096, NULL);
    rig_open_on(&pair->rig, pair->origin->device, pair->store->device, NULL);
}

static void pair_close(struct pair *pair) {
    rig_close(&pair->rig);
    wire_fini(&pair->wire);
}

static void listen(struct pair *pair) {
    pair->wire.call_count = 0;
    pair->wire.logging = true;
}

static bool touches(const struct testdev_call *call, uint64_t offset, uint64_t len) {
    return call->offset < offset + len && offset < call->offset + call->len;
}

/*
 * For each block of the range: before the first change of it on the origin, the origin was read there, something was
 * written to the store after that read, and then the store was flushed. Gives the number of blocks changed.
 */
static unsigned assert_order(const struct pair *pair, uint64_t first_block, uint64_t count) {
    unsigned changed = 0;
    for (uint64_t block = first_block; block < first_block + count; block++) {
        bool was_read = false;
        bool copied = false;
        bool flushed = false;
        for (size_t i = 0; i < pair->wire.call_count; i++) {
            const struct testdev_call *call = &pair->wire.calls[i];
            if (call->tag == 'o' && call->op == TESTDEV_READ && touches(call, block * 4096, 4096)) {
                was_read = true;
            } else if (call->tag == 's' && call->op == TESTDEV_WRITE && was_read) {
                copied = true;
                flushed = false;
            } else if (call->tag == 's' && call->op == TESTDEV_FLUSH && copied) {
                flushed = true;
            } else if (call->tag == 'o' && (call->op & TESTDEV_CHANGES) != 0 && touches(call, block * 4096, 4096)) {
                assert_true(was_read);
                assert_true(copied);
                assert_true(flushed);
                changed++;
                break;
            }
        }
    }
    return changed;
}

static void test_order__write__copy_and_flush_come_first(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    (void)rig_snapshot(&pair.rig, "s", 0, 0);
    listen(&pair);
    rig_write(&pair.rig, 5, 1, 1);
    assert_int_equal(assert_order(&pair, 0, 64), 1);
    pair_close(&pair);
}

static void test_order__large_write__copy_and_flush_come_first(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    (void)rig_snapshot(&pair.rig, "s", 0, 0);
    listen(&pair);
    rig_write(&pair.rig, 3, 50, 1);
    assert_int_equal(assert_order(&pair, 0, 64), 50);
    pair_close(&pair);
}

static void test_order__write_of_one_sector__copy_and_flush_come_first(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    uint64_t id = rig_snapshot(&pair.rig, "s", 0, 0);
    uint8_t sector[512];
    memset(sector, 9, sizeof sector);
    listen(&pair);
    assert_ok(selsnap_write(pair.rig.ss, sector, sizeof sector, 7 * 4096 + 1024));
    assert_int_equal(assert_order(&pair, 0, 64), 1);
    rig_assert_snapshot(&pair.rig, id, 7, 1, 0);
    pair_close(&pair);
}

static void test_order__write_zeroes__copy_and_flush_come_first(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    uint64_t id = rig_snapshot(&pair.rig, "s", 0, 0);
    listen(&pair);
    assert_ok(selsnap_write_zeroes(pair.rig.ss, 10 * 4096, 8 * 4096));
    assert_int_equal(assert_order(&pair, 0, 64), 8);
    rig_assert_snapshot(&pair.rig, id, 0, 64, 0);
    pair_close(&pair);
}

static void test_order__vector_write__copy_and_flush_come_first(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    uint64_t id = rig_snapshot(&pair.rig, "s", 0, 0);
    uint8_t *buf = calloc(1, 3 * 4096);
    assert_non_null(buf);
    const selsnap_iovec iov[3] = {{buf, 1000}, {buf + 1000, 7192}, {buf + 8192, 4096}};
    listen(&pair);
    assert_ok(selsnap_writev(pair.rig.ss, iov, 3, 30 * 4096));
    assert_int_equal(assert_order(&pair, 0, 64), 3);
    rig_assert_snapshot(&pair.rig, id, 30, 3, 0);
    free(buf);
    pair_close(&pair);
}

static void test_order__discard__needed_blocks_are_left_out(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    uint64_t id = rig_snapshot(&pair.rig, "s", 0, 32);
    rig_write(&pair.rig, 4, 4, 1);
    listen(&pair);
    assert_ok(selsnap_discard(pair.rig.ss, 0, 64 * 4096));
    (void)assert_order(&pair, 0, 4);
    (void)assert_order(&pair, 8, 24);
    rig_assert_snapshot(&pair.rig, id, 0, 32, 0);
    rig_assert_live(&pair.rig, 0, 4, 0);
    rig_assert_live(&pair.rig, 8, 24, 0);
    assert_true(testdev_count(pair.origin, TESTDEV_DISCARD) > 0);
    pair_close(&pair);
}

static void test_order__restore__what_older_snapshots_need_is_copied_first(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    uint64_t source = rig_snapshot(&pair.rig, "source", 0, 0);
    rig_write(&pair.rig, 0, 20, 1);
    uint64_t middle = rig_snapshot(&pair.rig, "middle", 0, 0);
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    options.id = source;
    uint64_t job = 0;
    assert_ok(selsnap_restore_start(pair.rig.ss, &options, &job));
    listen(&pair);
    assert_ok(selsnap_restore_run(pair.rig.ss, job, NULL, NULL));
    assert_int_equal(assert_order(&pair, 0, 64), 20);
    rig_assert_snapshot(&pair.rig, middle, 0, 20, 1);
    rig_assert_snapshot(&pair.rig, middle, 20, 44, 0);
    rig_assert_origin(&pair.rig, 0, 64, 0);
    pair_close(&pair);
}

static void test_order__given_up_block__loss_is_durable_first(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    uint64_t id = 0;
    assert_ok(rig_try_snapshot(&pair.rig, "s", 0, 0, SELSNAP_POLICY_GIVE_UP_BLOCK, &id));
    pair.origin->bad_ops = TESTDEV_READ;
    pair.origin->bad_offset = 6 * 4096;
    pair.origin->bad_len = 512;
    listen(&pair);
    rig_write(&pair.rig, 6, 1, 1);
    assert_int_equal(assert_order(&pair, 0, 64), 1);
    testdev_mend(pair.origin);
    assert_int_equal(rig_state(&pair.rig, id, 6), SELSNAP_BLOCKS_LOST);
    pair_close(&pair);
}

/* The record of a new snapshot comes after the flush of the origin, in no earlier batch. */
static void test_order__create__origin_is_flushed_before_the_record(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    rig_save(&pair.rig, "d", 0, 0);
    rig_write(&pair.rig, 0, 4, 1);
    listen(&pair);
    (void)rig_snapshot_of(&pair.rig, "s", "d");
    bool origin_flushed = false;
    bool written = false;
    bool flushed = false;
    for (size_t i = 0; i < pair.wire.call_count; i++) {
        const struct testdev_call *call = &pair.wire.calls[i];
        if (call->tag == 'o' && call->op == TESTDEV_FLUSH) {
            assert_false(written);
            origin_flushed = true;
        } else if (call->tag == 's' && call->op == TESTDEV_WRITE) {
            assert_true(origin_flushed);
            written = true;
        } else if (call->tag == 's' && call->op == TESTDEV_FLUSH) {
            flushed = written;
        }
    }
    assert_true(origin_flushed && written && flushed);
    pair_close(&pair);
}

static void test_order__undesignated_write__store_is_not_called(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    (void)rig_snapshot(&pair.rig, "s", 0, 8);
    listen(&pair);
    rig_write(&pair.rig, 8, 56, 1);
    assert_ok(selsnap_write_zeroes(pair.rig.ss, 20 * 4096, 4096));
    for (size_t i = 0; i < pair.wire.call_count; i++) {
        assert_int_equal(pair.wire.calls[i].tag, 'o');
        assert_int_not_equal(pair.wire.calls[i].op, TESTDEV_READ);
    }
    assert_int_equal(pair.wire.call_count, 2);
    pair_close(&pair);
}

/* The check above can fail: a device written directly breaks the order, and is found out. */
static void test_order__written_past_the_library__is_seen(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    (void)rig_snapshot(&pair.rig, "s", 0, 0);
    uint8_t block[4096] = {0};
    listen(&pair);
    assert_ok(selsnap_device_write(pair.origin->device, block, sizeof block, 0));
    assert_int_equal(pair.wire.call_count, 1);
    assert_int_equal(pair.wire.calls[0].tag, 'o');
    assert_int_equal(pair.wire.calls[0].op, TESTDEV_WRITE);
    pair_close(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order__write__copy_and_flush_come_first),
        cmocka_unit_test(test_order__large_write__copy_and_flush_come_first),
        cmocka_unit_test(test_order__write_of_one_sector__copy_and_flush_come_first),
        cmocka_unit_test(test_order__write_zeroes__copy_and_flush_come_first),
        cmocka_unit_test(test_order__vector_write__copy_and_flush_come_first),
        cmocka_unit_test(test_order__discard__needed_blocks_are_left_out),
        cmocka_unit_test(test_order__restore__what_older_snapshots_need_is_copied_first),
        cmocka_unit_test(test_order__given_up_block__loss_is_durable_first),
        cmocka_unit_test(test_order__create__origin_is_flushed_before_the_record),
        cmocka_unit_test(test_order__undesignated_write__store_is_not_called),
        cmocka_unit_test(test_order__written_past_the_library__is_seen),
    };
    return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
