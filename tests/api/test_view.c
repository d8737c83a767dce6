/* SPDX-License-Identifier: Apache-2.0 */
/* Opening views, and reading through them. Writing is in test_view_write.c, failing devices in test_view_fault.c. */
#include "rig.h"
#include "testdev.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, MIB = 1 << 20 };

static int try_open(struct rig *rig, uint64_t id, const char *name, uint32_t flags, uint32_t undesignated,
                    selsnap_view **ret_view) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = id;
    options.name = name;
    options.flags = flags;
    options.undesignated = undesignated;
    return selsnap_view_open(rig->ss, &options, ret_view);
}

/* Bytes of the view, as the origin held them at the sequence. */
static void assert_reads(selsnap_view *view, uint64_t offset, size_t len, uint64_t sequence) {
    uint8_t *buf = malloc(len);
    assert_non_null(buf);
    memset(buf, 0x5a, len);
    assert_ok(selsnap_view_read(view, buf, len, offset));
    assert_true(pattern_is(buf, len, offset, sequence == 0 ? 0 : 1, sequence));
    free(buf);
}

static uint32_t open_views(struct rig *rig, uint64_t id) {
    selsnap_snapshot_info info = {0};
    info.struct_size = sizeof info;
    assert_ok(selsnap_snapshot_get(rig->ss, id, &info));
    return info.open_views;
}

/* ---- opening ---- */

static void test_view_open__wrong_options__einval(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_view *view = NULL;
    assert_int_equal(try_open(&rig, 0, NULL, 0, 0, &view), SELSNAP_EINVAL);
    assert_int_equal(try_open(&rig, id, "s", 0, 0, &view), SELSNAP_EINVAL);
    assert_int_equal(try_open(&rig, id, NULL, 0x4, 0, &view), SELSNAP_EINVAL);
    assert_int_equal(try_open(&rig, id, NULL, 0, 3, &view), SELSNAP_EINVAL);
    assert_int_equal(try_open(&rig, id, NULL, SELSNAP_VIEW_WRITABLE | SELSNAP_VIEW_PRISTINE, 0, &view), SELSNAP_EINVAL);
    assert_int_equal(selsnap_view_open(rig.ss, NULL, &view), SELSNAP_EINVAL);
    assert_int_equal(try_open(&rig, id, NULL, 0, 0, NULL), SELSNAP_EINVAL);
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = id;
    options.reserved = 1;
    assert_int_equal(selsnap_view_open(rig.ss, &options, &view), SELSNAP_EINVAL);
    assert_null(view);
    assert_int_equal(open_views(&rig, id), 0);
    rig_close(&rig);
}

static void test_view_open__no_such_snapshot__enoent(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_view *view = NULL;
    assert_int_equal(try_open(&rig, id + 1, NULL, 0, 0, &view), SELSNAP_ENOENT);
    assert_int_equal(try_open(&rig, 0, "t", 0, 0, &view), SELSNAP_ENOENT);
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    assert_int_equal(try_open(&rig, id, NULL, 0, 0, &view), SELSNAP_ENOENT);
    assert_int_equal(try_open(&rig, 0, "s", 0, 0, &view), SELSNAP_ENOENT);
    rig_close(&rig);
}

static void test_view_open__by_name__is_that_snapshot(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    (void)rig_snapshot(&rig, "a", 0, 0);
    rig_write(&rig, 0, 1, 1);
    (void)rig_snapshot(&rig, "b", 0, 0);
    rig_write(&rig, 0, 1, 2);
    selsnap_view *view = NULL;
    assert_ok(try_open(&rig, 0, "b", 0, 0, &view));
    assert_reads(view, 0, BLOCK, 1);
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

static void test_view_open__in_use__snapshot_and_context_stay(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_view *plain = rig_view(&rig, id, 0, 0);
    selsnap_view *pristine = rig_view(&rig, id, SELSNAP_VIEW_PRISTINE, 0);
    assert_int_equal(open_views(&rig, id), 2);
    assert_int_equal(selsnap_close(rig.ss), SELSNAP_EBUSY);
    assert_int_equal(selsnap_snapshot_delete(rig.ss, id), SELSNAP_EBUSY);
    assert_ok(selsnap_view_close(plain));
    assert_int_equal(selsnap_snapshot_delete(rig.ss, id), SELSNAP_EBUSY);
    assert_ok(selsnap_view_close(pristine));
    assert_int_equal(open_views(&rig, id), 0);
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    assert_ok(selsnap_view_close(NULL));
    rig_close(&rig);
}

static void test_view_open__read_only_context__reads_only(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 3, 2, 1);
    rig.options.open_flags = SELSNAP_OPEN_READ_ONLY;
    rig_reopen(&rig);
    selsnap_view *view = NULL;
    assert_int_equal(try_open(&rig, id, NULL, SELSNAP_VIEW_WRITABLE, 0, &view), SELSNAP_EREADONLY);
    view = rig_view(&rig, id, 0, 0);
    assert_reads(view, 0, 64 * BLOCK, 0);
    assert_ok(selsnap_view_flush(view));
    assert_int_equal(selsnap_view_write(view, "x", 1, 0), SELSNAP_EREADONLY);
    assert_int_equal(selsnap_view_discard(view, 0, BLOCK), SELSNAP_EREADONLY);
    assert_int_equal(selsnap_view_reset(view), SELSNAP_EREADONLY);
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

static void test_view_open__allocation_fails__enomem(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_view *view = NULL;
    int code = SELSNAP_ENOMEM;
    for (uint64_t n = 1; code != SELSNAP_OK; n++) {
        heap_fail(&rig.heap, n, false);
        code = try_open(&rig, id, NULL, SELSNAP_VIEW_WRITABLE, 0, &view);
        heap_mend(&rig.heap);
        assert_true(code == SELSNAP_OK || code == SELSNAP_ENOMEM);
        assert_int_equal(open_views(&rig, id), code == SELSNAP_OK ? 1 : 0);
    }
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

/* ---- reading what is designated ---- */

static void test_view_read__partly_changed__as_at_the_point(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 3, 1, 1);
    rig_write(&rig, 7, 9, 1);
    rig_write(&rig, 7, 2, 2);
    rig_assert_snapshot(&rig, id, 0, 64, 0);
    rig_assert_live(&rig, 7, 2, 2);
    rig_close(&rig);
}

static void test_view_read__several_snapshots__each_its_point(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t ids[4];
    for (uint64_t i = 0; i < 4; i++) {
        char name[2] = {(char)('a' + i), 0};
        rig_write(&rig, 5, 3, i + 1);
        ids[i] = rig_snapshot(&rig, name, 0, 0);
    }
    rig_write(&rig, 5, 3, 9);
    for (uint64_t i = 0; i < 4; i++) {
        rig_assert_snapshot(&rig, ids[i], 5, 3, i + 1);
        rig_assert_snapshot(&rig, ids[i], 8, 10, 0);
    }
    rig_close(&rig);
}

static void test_view_read__any_alignment__same_bytes(void **state) {
    (void)state;
    struct rig_options options = {.logical = 512, .block_bytes = 2 * BLOCK};
    struct rig rig;
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 1, 2, 1);
    const uint64_t offsets[] = {0, 1, 511, 513, 8191, 8192, 8193, 16385, 24575};
    const size_t lens[] = {1, 2, 512, 8191, 8192, 8193, 30000};
    selsnap_view *view = rig_view(&rig, id, 0, 0);
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        for (size_t j = 0; j < sizeof lens / sizeof lens[0]; j++) {
            assert_reads(view, offsets[i], lens[j], 0);
        }
    }
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

static void test_view_read__short_last_block__ends_with_the_device(void **state) {
    (void)state;
    struct rig_options options = {.origin_bytes = 10 * BLOCK + 512, .logical = 512};
    struct rig rig;
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_view *view = rig_view(&rig, id, 0, 0);
    for (int round = 0; round < 2; round++) {
        assert_reads(view, 0, 10 * BLOCK + 512, 0);
        assert_reads(view, 10 * BLOCK + 500, 12, 0);
        uint8_t buf[520];
        memset(buf, 0x5a, sizeof buf);
        assert_ok(selsnap_view_read(view, buf, 512, 10 * BLOCK));
        assert_int_equal(buf[512], 0x5a);
        assert_int_equal(selsnap_view_read(view, buf, 513, 10 * BLOCK), SELSNAP_ERANGE);
        assert_int_equal(selsnap_view_read(view, buf, 1, UINT64_MAX), SELSNAP_ERANGE);
        assert_ok(selsnap_view_read(view, buf, 0, 10 * BLOCK + 512));
        rig_write(&rig, 9, 2, 1);
    }
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

static void test_view_read__many_runs__all_right(void **state) {
    (void)state;
    struct rig_options options = {.origin_bytes = 8 * MIB};
    struct rig rig;
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    for (uint64_t block = 5; block + 40 < 2048; block += 97) {
        rig_write(&rig, block, block % 40 + 1, 1);
    }
    rig_assert_snapshot(&rig, id, 0, 0, 0);
    rig_assert_snapshot(&rig, id, 3, 2000, 0);
    rig_reopen(&rig);
    rig_assert_snapshot(&rig, id, 0, 2048, 0);
    rig_close(&rig);
}

static void test_view_read__large_blocks__all_right(void **state) {
    (void)state;
    struct rig_options options = {.origin_bytes = 5 * MIB + BLOCK, .block_bytes = MIB};
    struct rig rig;
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 2, 1, 1);
    rig_write(&rig, 5, 1, 1);
    rig_assert_snapshot(&rig, id, 0, 6, 0);
    rig_close(&rig);
}

static void test_view_read__old_content_zeros__zeros(void **state) {
    (void)state;
    struct rig_options options = {.blank = true};
    struct rig rig;
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 0, 8, 1);
    assert_int_equal(rig_state(&rig, id, 3), SELSNAP_BLOCKS_ZERO);
    uint8_t buf[16 * BLOCK];
    memset(buf, 0x5a, sizeof buf);
    selsnap_view *view = rig_view(&rig, id, 0, 0);
    assert_ok(selsnap_view_read(view, buf, sizeof buf, 0));
    assert_true(pattern_all_zero(buf, sizeof buf));
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

static void test_view_read__neighbours__few_requests(void **state) {
    (void)state;
    struct rig_options options = {.origin_bytes = 4 * MIB};
    struct rig rig;
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 0, 256, 1);
    selsnap_view *view = rig_view(&rig, id, 0, 0);
    assert_reads(view, 0, MIB, 0); /* brings the index into the cache */
    rig_reset_counts(&rig);
    assert_reads(view, 0, MIB, 0);
    assert_true(rig_store_counts(&rig).reads <= 2); /* two extents of 128 blocks, or one run of places */
    assert_int_equal(rig_origin_counts(&rig).reads, 0);
    rig_reset_counts(&rig);
    assert_reads(view, MIB, MIB, 0);
    assert_int_equal(rig_origin_counts(&rig).reads, 1);
    assert_int_equal(rig_store_counts(&rig).reads, 0);
    assert_int_equal(rig_store_counts(&rig).writes, 0);
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

/* ---- reading what is not ---- */

static void test_view_read__undesignated_error__told_where(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 4, 8);
    selsnap_view *view = rig_view(&rig, id, 0, SELSNAP_UNDESIGNATED_ERROR);
    uint8_t buf[16 * BLOCK];
    char text[200];
    assert_int_equal(selsnap_view_read(view, buf, 9 * BLOCK, 4 * BLOCK), SELSNAP_EUNDESIGNATED);
    assert_int_equal(selsnap_last_error(rig.ss, text, sizeof text), SELSNAP_EUNDESIGNATED);
    assert_non_null(strstr(text, "49152")); /* block 12 */
    assert_int_equal(selsnap_view_read(view, buf, 1, 4 * BLOCK - 1), SELSNAP_EUNDESIGNATED);
    assert_reads(view, 4 * BLOCK, 8 * BLOCK, 0);
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

static void test_view_read__undesignated_zeros__zeros(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 4, 8);
    selsnap_view *view = rig_view(&rig, id, 0, SELSNAP_UNDESIGNATED_ZEROS);
    uint8_t buf[16 * BLOCK];
    memset(buf, 0x5a, sizeof buf);
    assert_ok(selsnap_view_read(view, buf, 16 * BLOCK - 7, 7));
    assert_true(pattern_all_zero(buf, 4 * BLOCK - 7));
    assert_true(pattern_is(buf + 4 * BLOCK - 7, 8 * BLOCK, 4 * BLOCK, 0, 0));
    assert_true(pattern_all_zero(buf + 12 * BLOCK - 7, 4 * BLOCK));
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

static void test_view_read__undesignated_live__live_device(void **state) {
    (void)state;
    struct rig_options options = {.origin_bytes = 15 * BLOCK + 512, .logical = 512};
    struct rig rig;
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 4, 8);
    rig_write(&rig, 0, 16, 1);
    selsnap_view *view = rig_view(&rig, id, 0, SELSNAP_UNDESIGNATED_LIVE);
    assert_reads(view, 1, 4 * BLOCK - 1, 1);
    assert_reads(view, 4 * BLOCK, 8 * BLOCK, 0);
    assert_reads(view, 12 * BLOCK, 3 * BLOCK + 512, 1);
    assert_reads(view, 12 * BLOCK + 100, 3 * BLOCK + 300, 1);
    assert_reads(view, 15 * BLOCK + 100, 400, 1);
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

/* ---- restores ---- */

static uint64_t start_restore(struct rig *rig, uint64_t id) {
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    options.id = id;
    uint64_t job = 0;
    assert_ok(selsnap_restore_start(rig->ss, &options, &job));
    return job;
}

static void test_view_read__restore_not_copied_yet__by_age(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t source = rig_snapshot(&rig, "source", 0, 32);
    rig_write(&rig, 8, 40, 1);
    uint64_t older = rig_snapshot(&rig, "older", 0, 0);
    uint64_t job = start_restore(&rig, source);
    uint64_t younger = rig_snapshot(&rig, "younger", 0, 0);
    for (int round = 0; round < 2; round++) {
        rig_assert_snapshot(&rig, source, 0, 32, 0);
        rig_assert_snapshot(&rig, older, 0, 8, 0);
        rig_assert_snapshot(&rig, older, 8, 40, 1);
        rig_assert_snapshot(&rig, younger, 0, 32, 0); /* restored from the moment the job began */
        rig_assert_snapshot(&rig, younger, 32, 16, 1);
        rig_write(&rig, 10, 4, 2);
        rig_assert_snapshot(&rig, younger, 0, 32, 0);
        rig_assert_snapshot(&rig, older, 8, 40, 1);
        assert_int_equal(selsnap_restore_run(rig.ss, job, NULL, NULL), round == 0 ? SELSNAP_OK : SELSNAP_ENOENT);
    }
    rig_assert_live(&rig, 10, 4, 2);
    rig_close(&rig);
}

/* ---- beside writers ---- */

struct reader {
    struct rig *rig;
    uint64_t id;
    _Atomic bool stop;
    _Atomic unsigned reads;
};

static void *read_for_ever(void *user) {
    struct reader *reader = user;
    selsnap_view *view = rig_view(reader->rig, reader->id, 0, 0);
    while (!atomic_load(&reader->stop)) {
        assert_reads(view, 0, 64 * BLOCK, 0);
        assert_reads(view, 100, 3 * BLOCK, 0);
        atomic_fetch_add(&reader->reads, 1);
    }
    assert_ok(selsnap_view_close(view));
    return NULL;
}

static void test_view_read__beside_writers__never_changes(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    struct reader reader = {.rig = &rig, .id = rig_snapshot(&rig, "s", 0, 0)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_for_ever, &reader), 0);
    while (atomic_load(&reader.reads) == 0) {
    }
    for (uint64_t i = 0; i < 64; i++) {
        rig_write(&rig, i * 29 % 64, 1, 1);
        rig_write(&rig, i * 31 % 64, 1, 2);
    }
    unsigned reads = atomic_load(&reader.reads);
    while (atomic_load(&reader.reads) < reads + 2) {
    }
    atomic_store(&reader.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    rig_close(&rig);
}

static void test_view__store_abandoned__every_call_refused(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_view *view = rig_view(&rig, id, SELSNAP_VIEW_WRITABLE, 0);
    selsnap_view *other = NULL;
    uint8_t buf[BLOCK];
    assert_ok(selsnap_abandon(rig.ss));
    assert_int_equal(selsnap_view_read(view, buf, BLOCK, 0), SELSNAP_EABANDONED);
    assert_int_equal(selsnap_view_write(view, buf, BLOCK, 0), SELSNAP_EABANDONED);
    assert_int_equal(selsnap_view_discard(view, 0, BLOCK), SELSNAP_EABANDONED);
    assert_int_equal(selsnap_view_flush(view), SELSNAP_EABANDONED);
    assert_int_equal(selsnap_view_reset(view), SELSNAP_EABANDONED);
    assert_int_equal(try_open(&rig, id, NULL, 0, 0, &other), SELSNAP_EABANDONED);
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view_open__wrong_options__einval),
        cmocka_unit_test(test_view_open__no_such_snapshot__enoent),
        cmocka_unit_test(test_view_open__by_name__is_that_snapshot),
        cmocka_unit_test(test_view_open__in_use__snapshot_and_context_stay),
        cmocka_unit_test(test_view_open__read_only_context__reads_only),
        cmocka_unit_test(test_view_open__allocation_fails__enomem),
        cmocka_unit_test(test_view_read__partly_changed__as_at_the_point),
        cmocka_unit_test(test_view_read__several_snapshots__each_its_point),
        cmocka_unit_test(test_view_read__any_alignment__same_bytes),
        cmocka_unit_test(test_view_read__short_last_block__ends_with_the_device),
        cmocka_unit_test(test_view_read__many_runs__all_right),
        cmocka_unit_test(test_view_read__large_blocks__all_right),
        cmocka_unit_test(test_view_read__old_content_zeros__zeros),
        cmocka_unit_test(test_view_read__neighbours__few_requests),
        cmocka_unit_test(test_view_read__undesignated_error__told_where),
        cmocka_unit_test(test_view_read__undesignated_zeros__zeros),
        cmocka_unit_test(test_view_read__undesignated_live__live_device),
        cmocka_unit_test(test_view_read__restore_not_copied_yet__by_age),
        cmocka_unit_test(test_view_read__beside_writers__never_changes),
        cmocka_unit_test(test_view__store_abandoned__every_call_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
