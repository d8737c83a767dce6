/* SPDX-License-Identifier: Apache-2.0 */
/* Many requests to the live device in one call: what they share, and that each has a result of its own. */
#include "rig.h"
#include "testdev.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, MOST = 200 };

struct requests {
    selsnap_io io[MOST];
    selsnap_iovec iov[MOST];
    selsnap_io *list[MOST];
    uint8_t *bytes; /* a block for each */
    uint32_t count;
};

static void begin(struct requests *r) {
    memset(r, 0, sizeof *r);
    r->bytes = calloc(MOST, BLOCK);
    assert_non_null(r->bytes);
}

static void end(struct requests *r) {
    free(r->bytes);
}

/* A request for one block; a write has the pattern of `sequence`. */
static selsnap_io *add(struct requests *r, uint32_t kind, uint64_t block, uint64_t sequence) {
    uint32_t i = r->count++;
    uint8_t *bytes = r->bytes + (size_t)i * BLOCK;
    selsnap_io io = SELSNAP_IO_INIT;
    io.kind = kind;
    io.offset = block * BLOCK;
    io.result = 1;
    if (kind == SELSNAP_IO_READ || kind == SELSNAP_IO_WRITE) {
        r->iov[i] = (selsnap_iovec){bytes, BLOCK};
        io.iov = &r->iov[i];
        io.iov_count = 1;
    } else {
        io.len = BLOCK;
    }
    if (kind == SELSNAP_IO_WRITE) {
        pattern_fill(bytes, BLOCK, block * BLOCK, 1, sequence);
    }
    r->io[i] = io;
    r->list[i] = &r->io[i];
    return &r->io[i];
}

static void assert_all(const struct requests *r, int result) {
    for (uint32_t i = 0; i < r->count; i++) {
        assert_int_equal(r->io[i].result, result);
    }
}

static void test_batch__first_writes_far_apart__one_store_write_one_record_one_flush(void **state) {
    (void)state;
    struct rig rig;
    struct requests r;
    const struct rig_options options = {.origin_bytes = 64 << 20, .store_bytes = 64 << 20};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    begin(&r);
    for (uint64_t i = 0; i < 32; i++) {
        (void)add(&r, SELSNAP_IO_WRITE, (i * 389) % 16384, 2);
    }
    rig_reset_counts(&rig);
    assert_ok(selsnap_batch(rig.ss, r.list, r.count));
    assert_all(&r, SELSNAP_OK);
    assert_int_equal(rig_origin_counts(&rig).reads, 32);
    assert_int_equal(rig_origin_counts(&rig).writes, 32);
    assert_int_equal(rig_store_counts(&rig).writes, 2);
    assert_int_equal(rig_store_counts(&rig).flushes, 1);
    rig_reset_counts(&rig);
    assert_ok(selsnap_batch(rig.ss, r.list, r.count)); /* clean by now */
    assert_int_equal(rig_store_counts(&rig).writes + rig_store_counts(&rig).flushes, 0);
    assert_int_equal(rig_origin_counts(&rig).writes, 32);
    for (uint64_t i = 0; i < 32; i++) {
        rig_assert_live(&rig, (i * 389) % 16384, 1, 2);
        rig_assert_snapshot(&rig, id, (i * 389) % 16384, 1, 0);
    }
    rig_assert_sound(&rig);
    end(&r);
    rig_close(&rig);
}

static void test_batch__more_than_64__all_done(void **state) {
    (void)state;
    struct rig rig;
    struct requests r;
    const struct rig_options options = {.origin_bytes = 4 << 20};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 100, 500);
    begin(&r);
    for (uint64_t i = 0; i < MOST; i++) {
        (void)add(&r, SELSNAP_IO_WRITE, i * 5, 2);
    }
    assert_ok(selsnap_batch(rig.ss, r.list, r.count));
    assert_all(&r, SELSNAP_OK);
    for (uint64_t i = 0; i < MOST; i++) {
        rig_assert_live(&rig, i * 5, 1, 2);
    }
    rig_assert_snapshot(&rig, id, 100, 500, 0);
    end(&r);
    rig_close(&rig);
}

static void test_batch__all_kinds__as_their_functions(void **state) {
    (void)state;
    struct rig rig;
    struct requests r;
    static const uint8_t zeros[BLOCK];
    uint8_t got[BLOCK];
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 32);
    begin(&r);
    (void)add(&r, SELSNAP_IO_READ, 40, 0);
    (void)add(&r, SELSNAP_IO_WRITE, 3, 2);
    (void)add(&r, SELSNAP_IO_WRITE_ZEROES, 5, 0);
    (void)add(&r, SELSNAP_IO_WRITE_ZEROES, 41, 0);
    (void)add(&r, SELSNAP_IO_DISCARD, 7, 0);
    assert_ok(selsnap_batch(rig.ss, r.list, r.count));
    assert_all(&r, SELSNAP_OK);
    rig_assert_live(&rig, 3, 1, 2);
    rig_assert_live(&rig, 7, 1, 0); /* needed: left as it is */
    assert_ok(selsnap_read(rig.ss, got, BLOCK, 5 * BLOCK));
    assert_memory_equal(got, zeros, BLOCK);
    assert_ok(selsnap_read(rig.ss, got, BLOCK, 41 * BLOCK));
    assert_memory_equal(got, zeros, BLOCK);
    assert_ok(selsnap_read(rig.ss, got, BLOCK, 40 * BLOCK));
    assert_memory_equal(got, r.bytes, BLOCK);
    rig_assert_snapshot(&rig, id, 0, 32, 0);
    end(&r);
    rig_close(&rig);
}

static void test_batch__parts_of_one_block__all_there(void **state) {
    (void)state;
    struct rig rig;
    struct requests r;
    uint8_t got[BLOCK];
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    begin(&r);
    for (uint64_t i = 0; i < 8; i++) {
        selsnap_io *io = add(&r, SELSNAP_IO_WRITE, 9, 2);
        r.iov[i].len = 512;
        memset(r.iov[i].base, (int)i + 1, 512);
        io->offset += (7 - i) * 512;
    }
    rig_reset_counts(&rig);
    assert_ok(selsnap_batch(rig.ss, r.list, r.count));
    assert_int_equal(rig_stats(&rig).blocks_preserved, 1);
    assert_ok(selsnap_read(rig.ss, got, BLOCK, 9 * BLOCK));
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(got[(7 - i) * 512], i + 1);
        assert_int_equal(got[(7 - i) * 512 + 511], i + 1);
    }
    rig_assert_snapshot(&rig, id, 9, 1, 0);
    end(&r);
    rig_close(&rig);
}

static void test_batch__some_wrong__the_others_done(void **state) {
    (void)state;
    struct rig rig;
    struct requests r;
    rig_open(&rig, NULL);
    (void)rig_snapshot(&rig, "s", 0, 0);
    begin(&r);
    (void)add(&r, SELSNAP_IO_WRITE, 1, 2);
    (void)add(&r, SELSNAP_IO_WRITE, 64, 2); /* behind the end */
    add(&r, SELSNAP_IO_WRITE, 2, 2)->kind = 77;
    add(&r, SELSNAP_IO_READ, 2, 2)->flags = SELSNAP_IO_FUA;
    add(&r, SELSNAP_IO_WRITE, 2, 2)->len = 1;
    add(&r, SELSNAP_IO_WRITE, 2, 2)->reserved = 1;
    r.iov[r.count].base = NULL;
    (void)add(&r, SELSNAP_IO_WRITE, 3, 2);
    assert_int_equal(selsnap_batch(rig.ss, r.list, r.count), SELSNAP_ERANGE);
    static const int expected[] = {SELSNAP_OK,     SELSNAP_ERANGE, SELSNAP_EINVAL, SELSNAP_EINVAL,
                                   SELSNAP_EINVAL, SELSNAP_EINVAL, SELSNAP_OK};
    for (uint32_t i = 0; i < r.count; i++) {
        assert_int_equal(r.io[i].result, expected[i]);
    }
    rig_assert_live(&rig, 1, 1, 2);
    rig_assert_live(&rig, 2, 1, 0);
    rig_assert_live(&rig, 3, 1, 2);
    assert_int_equal(selsnap_batch(NULL, r.list, 1), SELSNAP_EINVAL);
    assert_int_equal(selsnap_batch(rig.ss, NULL, 1), SELSNAP_EINVAL);
    assert_ok(selsnap_batch(rig.ss, NULL, 0));
    r.list[1] = NULL;
    assert_int_equal(selsnap_batch(rig.ss, r.list, 2), SELSNAP_EINVAL);
    end(&r);
    rig_close(&rig);
}

static void test_batch__durable__there_after_a_cut(void **state) {
    (void)state;
    struct rig rig;
    struct requests r;
    struct wire wire;
    wire_init(&wire, true);
    struct testdev *origin = testdev_open(&wire, 'o', 64 * BLOCK, 512, NULL);
    struct testdev *store = testdev_open(&wire, 's', 16 << 20, 4096, NULL);
    rig_open_on(&rig, origin->device, store->device, NULL);
    (void)rig_snapshot(&rig, "s", 0, 0);
    begin(&r);
    for (uint64_t i = 0; i < 8; i++) {
        add(&r, SELSNAP_IO_WRITE, i * 7, 2)->flags = i == 3 ? SELSNAP_IO_FUA : 0;
    }
    rig_reset_counts(&rig);
    assert_ok(selsnap_batch(rig.ss, r.list, r.count));
    assert_int_equal(rig_origin_counts(&rig).flushes, 1);
    assert_int_equal(rig_store_counts(&rig).flushes, 1);
    testdev_fail(origin, TESTDEV_FLUSH, 1, true);
    assert_int_equal(selsnap_batch(rig.ss, r.list, r.count), SELSNAP_EIO);
    for (uint32_t i = 0; i < r.count; i++) {
        assert_int_equal(r.io[i].result, i == 3 ? SELSNAP_EIO : SELSNAP_OK);
    }
    testdev_mend(origin);
    end(&r);
    rig_close(&rig);
    wire_fini(&wire);
}

static void test_batch__no_room__each_write_has_its_answer(void **state) {
    (void)state;
    struct rig rig;
    struct requests r;
    const struct rig_options options = {.origin_bytes = 4 << 20, .store_bytes = 2 << 20, .journal_bytes = 65536};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 64, 960);
    uint64_t full = 64;
    while (rig_try_write(&rig, full, 1, 1) == SELSNAP_OK) {
        full++;
    }
    begin(&r);
    (void)add(&r, SELSNAP_IO_WRITE, full, 2);
    (void)add(&r, SELSNAP_IO_WRITE, full + 1, 2);
    (void)add(&r, SELSNAP_IO_WRITE, 3, 2);
    (void)add(&r, SELSNAP_IO_WRITE, 64, 2);
    assert_int_equal(selsnap_batch(rig.ss, r.list, r.count), SELSNAP_ENOSPACE);
    assert_int_equal(r.io[0].result, SELSNAP_ENOSPACE);
    assert_int_equal(r.io[1].result, SELSNAP_ENOSPACE);
    assert_int_equal(r.io[2].result, SELSNAP_OK);
    assert_int_equal(r.io[3].result, SELSNAP_OK);
    rig_assert_live(&rig, full, 1, 0);
    rig_assert_live(&rig, 3, 1, 2);
    rig_assert_live(&rig, 64, 1, 2);
    rig_assert_snapshot(&rig, id, 64, 960, 0);
    end(&r);
    rig_close(&rig);
}

static void test_batch__while_a_restore_runs__reads_and_writes_see_it(void **state) {
    (void)state;
    struct rig rig;
    struct requests r;
    uint8_t expected[BLOCK];
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 0, 64, 2);
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    restore.id = id;
    uint64_t job = 0;
    assert_ok(selsnap_restore_start(rig.ss, &restore, &job));
    begin(&r);
    (void)add(&r, SELSNAP_IO_READ, 10, 0);
    for (uint64_t i = 0; i < 4; i++) {
        add(&r, SELSNAP_IO_WRITE, 20 + 3 * i, 3)->offset += 512;
        r.iov[i + 1].len = 512;
    }
    assert_ok(selsnap_batch(rig.ss, r.list, r.count));
    rig_assert_live(&rig, 10, 1, 0);
    assert_ok(selsnap_read(rig.ss, expected, BLOCK, (uint64_t)10 * BLOCK));
    assert_memory_equal(r.bytes, expected, BLOCK);
    assert_ok(selsnap_restore_run(rig.ss, job, NULL, NULL));
    rig_assert_live(&rig, 0, 20, 0);
    rig_assert_live(&rig, 21, 2, 0);
    rig_assert_live(&rig, 30, 34, 0);
    for (uint64_t i = 0; i < 4; i++) {
        uint8_t got[BLOCK];
        assert_ok(selsnap_read(rig.ss, got, BLOCK, (20 + 3 * i) * BLOCK));
        assert_memory_equal(got + 512, r.bytes + (size_t)(i + 1) * BLOCK, 512);
    }
    end(&r);
    rig_close(&rig);
}

static void test_batch__read_only__reads_alone(void **state) {
    (void)state;
    struct rig rig;
    struct requests r;
    rig_open(&rig, NULL);
    rig_stop(&rig);
    rig.options.open_flags = SELSNAP_OPEN_READ_ONLY;
    rig_start(&rig);
    begin(&r);
    (void)add(&r, SELSNAP_IO_WRITE, 1, 2);
    (void)add(&r, SELSNAP_IO_READ, 2, 0);
    assert_int_equal(selsnap_batch(rig.ss, r.list, r.count), SELSNAP_EREADONLY);
    assert_int_equal(r.io[0].result, SELSNAP_EREADONLY);
    assert_int_equal(r.io[1].result, SELSNAP_OK);
    end(&r);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch__first_writes_far_apart__one_store_write_one_record_one_flush),
        cmocka_unit_test(test_batch__more_than_64__all_done),
        cmocka_unit_test(test_batch__all_kinds__as_their_functions),
        cmocka_unit_test(test_batch__parts_of_one_block__all_there),
        cmocka_unit_test(test_batch__some_wrong__the_others_done),
        cmocka_unit_test(test_batch__durable__there_after_a_cut),
        cmocka_unit_test(test_batch__no_room__each_write_has_its_answer),
        cmocka_unit_test(test_batch__while_a_restore_runs__reads_and_writes_see_it),
        cmocka_unit_test(test_batch__read_only__reads_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
