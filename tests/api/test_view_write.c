/* SPDX-License-Identifier: Apache-2.0 */
/* Writing into snapshots through views, on devices that work. */
#include "rig.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, MIB = 1 << 20, WRITER = 7 };

static int try_write(selsnap_view *view, uint64_t offset, size_t len, uint64_t sequence) {
    uint8_t *buf = malloc(len + 1);
    assert_non_null(buf);
    pattern_fill(buf, len, offset, WRITER, sequence);
    int code = selsnap_view_write(view, buf, len, offset);
    free(buf);
    return code;
}

static void write_view(selsnap_view *view, uint64_t offset, size_t len, uint64_t sequence) {
    assert_ok(try_write(view, offset, len, sequence));
}

/* The bytes are what was written into the snapshot at the sequence; 0: as it was taken. */
static void assert_reads(selsnap_view *view, uint64_t offset, size_t len, uint64_t sequence) {
    uint8_t *buf = malloc(len);
    assert_non_null(buf);
    memset(buf, 0x5a, len);
    assert_ok(selsnap_view_read(view, buf, len, offset));
    assert_true(pattern_is(buf, len, offset, sequence == 0 ? 0 : WRITER, sequence));
    free(buf);
}

static void assert_zeros(selsnap_view *view, uint64_t offset, size_t len) {
    uint8_t *buf = malloc(len);
    assert_non_null(buf);
    memset(buf, 0x5a, len);
    assert_ok(selsnap_view_read(view, buf, len, offset));
    assert_true(pattern_all_zero(buf, len));
    free(buf);
}

static selsnap_view *open_writable(struct rig *rig, uint64_t id) {
    return rig_view(rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
}

static uint32_t is_changed(struct rig *rig, uint64_t id) {
    selsnap_snapshot_info info = {0};
    info.struct_size = sizeof info;
    assert_ok(selsnap_snapshot_get(rig->ss, id, &info));
    return info.changed;
}

static selsnap_snapshot_usage usage_of(struct rig *rig, uint64_t id) {
    selsnap_snapshot_usage usage = {0};
    usage.struct_size = sizeof usage;
    assert_ok(selsnap_snapshot_get_usage(rig->ss, id, NULL, NULL, &usage));
    return usage;
}

/* Bytes in use once everything is folded and reclaimed. */
static uint64_t settled_use(struct rig *rig) {
    rig_settle(rig);
    rig_settle(rig);
    return rig_stats(rig).store_used_bytes;
}

/* As much in use as before, but for a few pages by which the tree's own shape may differ. */
static void assert_space_back(struct rig *rig, uint64_t before) {
    uint64_t now = settled_use(rig);
    assert_in_range(now, before < 4 * BLOCK ? 0 : before - 4 * BLOCK, before + 4 * BLOCK);
    rig_assert_sound(rig);
}

/* ---- what a write does ---- */

static void test_view_write__whole_blocks__seen_by_its_views_only(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    uint64_t other = rig_snapshot(&rig, "t", 0, 0);
    selsnap_view *view = open_writable(&rig, id);
    selsnap_view *reader = rig_view(&rig, id, 0, 0);
    selsnap_view *pristine = rig_view(&rig, id, SELSNAP_VIEW_PRISTINE, 0);
    write_view(view, 4 * BLOCK, 8 * BLOCK, 1);
    for (int round = 0; round < 2; round++) {
        assert_reads(view, 4 * BLOCK, 8 * BLOCK, 1);
        assert_reads(reader, 4 * BLOCK, 8 * BLOCK, 1);
        assert_reads(reader, 0, 4 * BLOCK, 0);
        assert_reads(reader, 12 * BLOCK, 52 * BLOCK, 0);
        assert_reads(pristine, 0, 64 * BLOCK, 0);
        rig_assert_snapshot(&rig, other, 0, 64, 0);
        rig_assert_origin(&rig, 0, 64, 0);
        rig_assert_live(&rig, 0, 64, 0);
        assert_ok(selsnap_view_flush(reader));
    }
    assert_ok(selsnap_view_close(reader));
    assert_ok(selsnap_view_close(pristine));
    assert_ok(selsnap_view_close(view));
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_view_write__live_device_changes__both_kept(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_view *view = open_writable(&rig, id);
    rig_write(&rig, 0, 4, 5);
    write_view(view, 2 * BLOCK, 4 * BLOCK, 1);
    rig_write(&rig, 4, 4, 5);
    assert_reads(view, 0, 2 * BLOCK, 0);
    assert_reads(view, 2 * BLOCK, 4 * BLOCK, 1);
    assert_reads(view, 6 * BLOCK, 58 * BLOCK, 0);
    rig_assert_live(&rig, 0, 8, 5);
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

static void test_view_write__part_of_blocks__rest_kept(void **state) {
    (void)state;
    struct rig_options options = {.origin_bytes = 9 * BLOCK + 1000};
    struct rig rig;
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 3, 2, 5);
    selsnap_view *view = open_writable(&rig, id);
    const uint64_t cuts[] = {1, 4095, 4096, 4097, 12288, 12289, 20000, 36864, 36865, 37863, 37864};
    uint64_t sequence = 1;
    const size_t count = sizeof cuts / sizeof cuts[0];
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++, sequence++) {
            write_view(view, cuts[i], cuts[j] - cuts[i], sequence);
            assert_reads(view, cuts[i], cuts[j] - cuts[i], sequence);
            assert_reads(view, 0, 1, 0);
            if (sequence % 7 == 0) {
                assert_ok(selsnap_view_flush(view));
            }
            if (sequence % 5 == 0) {
                assert_ok(selsnap_view_reset(view));
                assert_reads(view, 0, 9 * BLOCK + 1000, 0);
            }
            if (sequence % 5 == 1) {
                assert_reads(view, 0, cuts[i], 0);
                assert_reads(view, cuts[j], 9 * BLOCK + 1000 - cuts[j] + 0, 0);
            }
        }
    }
    assert_ok(selsnap_view_close(view));
    rig_settle(&rig);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_view_write__refused__nothing_written(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 8, 16);
    selsnap_view *view = open_writable(&rig, id);
    selsnap_view *reader = rig_view(&rig, id, 0, 0);
    assert_int_equal(try_write(view, 7 * BLOCK, 2 * BLOCK, 1), SELSNAP_EUNDESIGNATED);
    assert_int_equal(try_write(view, 8 * BLOCK, 16 * BLOCK + 1, 1), SELSNAP_EUNDESIGNATED);
    assert_int_equal(try_write(view, 0, 1, 1), SELSNAP_EUNDESIGNATED);
    assert_int_equal(try_write(view, 64 * BLOCK - 1, 2, 1), SELSNAP_ERANGE);
    assert_int_equal(selsnap_view_discard(view, 23 * BLOCK, 2 * BLOCK), SELSNAP_EUNDESIGNATED);
    assert_int_equal(selsnap_view_discard(view, 0, UINT64_MAX), SELSNAP_ERANGE);
    assert_int_equal(try_write(reader, 8 * BLOCK, BLOCK, 1), SELSNAP_EREADONLY);
    assert_int_equal(selsnap_view_reset(reader), SELSNAP_EREADONLY);
    assert_int_equal(selsnap_view_write(view, NULL, 1, 8 * BLOCK), SELSNAP_EINVAL);
    assert_ok(selsnap_view_write(view, NULL, 0, 8 * BLOCK));
    assert_ok(selsnap_view_discard(view, 64 * BLOCK, 0));
    assert_reads(view, 8 * BLOCK, 16 * BLOCK, 0);
    assert_int_equal(is_changed(&rig, id), 0);
    assert_ok(selsnap_view_close(reader));
    assert_ok(selsnap_view_close(view));
    assert_int_equal(is_changed(&rig, id), 0);
    rig_close(&rig);
}

static void test_view_write__zeros__take_no_space(void **state) {
    (void)state;
    struct rig_options options = {.origin_bytes = 4 * MIB};
    struct rig rig;
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_view *view = open_writable(&rig, id);
    uint8_t *zeros = calloc(1, 2 * MIB);
    assert_non_null(zeros);
    rig_reset_counts(&rig);
    assert_ok(selsnap_view_write(view, zeros, 2 * MIB, MIB));
    assert_int_equal(rig_store_counts(&rig).writes, 0);
    free(zeros);
    assert_ok(selsnap_view_flush(view));
    assert_zeros(view, MIB, 2 * MIB);
    assert_int_equal(usage_of(&rig, id).overlay_blocks, 512);
    assert_int_equal(usage_of(&rig, id).overlay_bytes, 0);
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

static void test_view_discard__any_range__zeros_inside(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 9, 3, 5);
    selsnap_view *view = open_writable(&rig, id);
    assert_ok(selsnap_view_discard(view, 10 * BLOCK + 100, 20 * BLOCK));
    assert_ok(selsnap_view_discard(view, 40 * BLOCK + 10, 20));
    for (int round = 0; round < 2; round++) {
        assert_reads(view, 0, 10 * BLOCK + 100, 0);
        assert_zeros(view, 10 * BLOCK + 100, 20 * BLOCK);
        assert_reads(view, 30 * BLOCK + 100, 10 * BLOCK - 90, 0);
        assert_zeros(view, 40 * BLOCK + 10, 20);
        assert_reads(view, 40 * BLOCK + 30, BLOCK, 0);
        assert_ok(selsnap_view_flush(view));
    }
    assert_int_equal(usage_of(&rig, id).overlay_blocks, 22);
    assert_int_equal(usage_of(&rig, id).overlay_bytes, 3 * BLOCK);
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

/* ---- durability ---- */

static void test_view_flush__then_crash__kept(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_view *view = open_writable(&rig, id);
    write_view(view, BLOCK, 3 * BLOCK, 1);
    assert_ok(selsnap_view_flush(view));
    write_view(view, 2 * BLOCK, 6 * BLOCK, 2);
    selsnap_device *origin = rig_copy_device(rig.origin_base);
    selsnap_device *store = rig_copy_device(rig.store_base);
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);

    selsnap *ss = NULL;
    assert_ok(selsnap_open(store, origin, NULL, &ss));
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = id;
    assert_ok(selsnap_view_open(ss, &options, &view));
    assert_reads(view, 0, BLOCK, 0);
    assert_reads(view, BLOCK, 3 * BLOCK, 1);
    assert_reads(view, 4 * BLOCK, 60 * BLOCK, 0);
    assert_ok(selsnap_view_close(view));
    assert_ok(selsnap_close(ss));
    selsnap_device_close(origin);
    selsnap_device_close(store);
}

static void test_view_close__any_of_its_views__flushes(void **state) {
    (void)state;
    const uint32_t flags[] = {SELSNAP_VIEW_WRITABLE, 0, SELSNAP_VIEW_PRISTINE};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        struct rig rig;
        rig_open(&rig, NULL);
        uint64_t id = rig_snapshot(&rig, "s", 0, 0);
        selsnap_view *view = open_writable(&rig, id);
        selsnap_view *closed = rig_view(&rig, id, flags[i], 0);
        write_view(view, BLOCK, 3 * BLOCK, 1);
        assert_ok(selsnap_view_close(closed));
        rig_reset_counts(&rig);
        assert_ok(selsnap_view_close(view));
        assert_int_equal(rig_store_counts(&rig).writes, 0);
        rig_crash(&rig);
        view = open_writable(&rig, id);
        assert_reads(view, BLOCK, 3 * BLOCK, 1);
        assert_ok(selsnap_view_close(view));
        assert_int_equal(is_changed(&rig, id), 1);
        rig_close(&rig);
    }
}

static void test_view_flush__nothing_written__nothing_done(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_view *view = open_writable(&rig, id);
    rig_reset_counts(&rig);
    assert_ok(selsnap_view_flush(view));
    assert_int_equal(rig_store_counts(&rig).writes, 0);
    assert_int_equal(rig_store_counts(&rig).flushes, 0);
    write_view(view, 0, BLOCK, 1);
    assert_ok(selsnap_view_flush(view));
    assert_int_equal(rig_store_counts(&rig).flushes, 2); /* data, then the records */
    assert_ok(selsnap_view_flush(view));
    assert_int_equal(rig_store_counts(&rig).flushes, 2);
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

static void test_view_write__more_than_may_be_pending__flushes_itself(void **state) {
    (void)state;
    struct rig_options options = {.origin_bytes = 80 * MIB, .blank = true, .store_bytes = 64 * MIB};
    struct rig rig;
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_view *view = open_writable(&rig, id);
    assert_ok(selsnap_view_discard(view, 0, 60 * MIB));
    write_view(view, 59 * MIB, MIB + 5, 1);
    assert_zeros(view, 0, MIB);
    assert_true(rig_stats(&rig).commits >= 4);
    assert_int_equal(usage_of(&rig, id).overlay_blocks, 60 * 256 + 1);
    assert_ok(selsnap_view_close(view));
    rig_reopen(&rig);
    view = open_writable(&rig, id);
    assert_zeros(view, 58 * MIB, MIB);
    assert_reads(view, 59 * MIB, MIB + 5, 1);
    assert_ok(selsnap_view_close(view));
    assert_int_equal(usage_of(&rig, id).overlay_blocks, 60 * 256 + 1);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

/* ---- space ---- */

static void test_view_write__again_and_again__old_space_comes_back(void **state) {
    (void)state;
    struct rig_options options = {.store_bytes = 2 * MIB, .journal_bytes = 64 << 10};
    struct rig rig;
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_view *view = open_writable(&rig, id);
    for (uint64_t i = 1; i <= 60; i++) {
        write_view(view, i % 8 * BLOCK, 48 * BLOCK, i); /* in all several times the store */
        assert_reads(view, i % 8 * BLOCK, 48 * BLOCK, i);
        if (i % 3 != 0) {
            assert_ok(selsnap_view_flush(view));
        }
    }
    assert_ok(selsnap_view_close(view));
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_view_write__store_full__what_was_written_stays(void **state) {
    (void)state;
    struct rig_options options = {.origin_bytes = 4 * MIB, .store_bytes = 2 * MIB, .journal_bytes = 64 << 10};
    struct rig rig;
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    uint64_t empty = settled_use(&rig);
    selsnap_view *view = open_writable(&rig, id);
    uint64_t written = 0;
    int code = SELSNAP_OK;
    while (code == SELSNAP_OK) {
        code = try_write(view, written * 16 * BLOCK, 16 * BLOCK, 1);
        written += code == SELSNAP_OK;
    }
    assert_int_equal(code, SELSNAP_ENOSPACE);
    assert_true(written > 4);
    assert_ok(selsnap_view_flush(view));
    assert_reads(view, 0, written * 16 * BLOCK, 1);
    assert_reads(view, 3 * MIB, MIB, 0);
    assert_ok(selsnap_view_reset(view)); /* works on a full store */
    assert_reads(view, 0, 4 * MIB, 0);
    assert_int_equal(is_changed(&rig, id), 0);
    assert_space_back(&rig, empty);
    write_view(view, 0, 16 * BLOCK, 2);
    assert_ok(selsnap_view_close(view));
    rig_assert_sound(&rig);
    rig_close(&rig);
}

/* ---- reset and delete ---- */

static void test_view_reset__flushed_and_pending__both_gone_for_good(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 3, 2, 5);
    uint64_t before = settled_use(&rig);
    selsnap_view *view = open_writable(&rig, id);
    selsnap_view *reader = rig_view(&rig, id, 0, 0);
    write_view(view, 0, 8 * BLOCK, 1);
    assert_ok(selsnap_view_flush(view));
    write_view(view, 4 * BLOCK, 8 * BLOCK, 2);
    assert_int_equal(is_changed(&rig, id), 1);
    assert_ok(selsnap_view_reset(view));
    assert_int_equal(is_changed(&rig, id), 0);
    assert_reads(reader, 0, 64 * BLOCK, 0);
    write_view(view, 20 * BLOCK, BLOCK, 3);
    assert_ok(selsnap_view_reset(view));
    assert_ok(selsnap_view_reset(view));
    assert_ok(selsnap_view_close(reader));
    assert_ok(selsnap_view_close(view));
    rig_crash(&rig);
    rig_assert_snapshot(&rig, id, 0, 64, 0);
    assert_space_back(&rig, before);
    rig_close(&rig);
}

static void test_snapshot_delete__written_into__space_comes_back(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t before = settled_use(&rig);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_view *view = open_writable(&rig, id);
    write_view(view, 0, 40 * BLOCK, 1);
    assert_ok(selsnap_view_close(view));
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    assert_space_back(&rig, before);
    rig_close(&rig);
}

/* ---- map and usage ---- */

static void test_view_write__map_and_usage__show_it(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 32);
    rig_write(&rig, 4, 4, 5);
    selsnap_view *view = open_writable(&rig, id);
    write_view(view, 6 * BLOCK, 4 * BLOCK, 1);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(rig_state(&rig, id, 3), SELSNAP_BLOCKS_UNCHANGED);
        assert_int_equal(rig_state(&rig, id, 5), SELSNAP_BLOCKS_PRESERVED);
        assert_int_equal(rig_state(&rig, id, 6), SELSNAP_BLOCKS_OVERLAY);
        assert_int_equal(rig_state(&rig, id, 9), SELSNAP_BLOCKS_OVERLAY);
        assert_int_equal(rig_state(&rig, id, 10), SELSNAP_BLOCKS_UNCHANGED);
        assert_int_equal(rig_state(&rig, id, 32), SELSNAP_BLOCKS_UNDESIGNATED);
        selsnap_snapshot_usage usage = usage_of(&rig, id);
        assert_int_equal(usage.preserved_blocks, 4);
        assert_int_equal(usage.alone_bytes, 4 * BLOCK);
        assert_int_equal(usage.shared_bytes, 0);
        assert_int_equal(usage.overlay_blocks, 4);
        assert_int_equal(usage.overlay_bytes, 4 * BLOCK);
        assert_ok(selsnap_view_flush(view));
    }
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

/* ---- many at once ---- */

struct writer {
    struct rig *rig;
    uint64_t id;
    uint64_t first_block;
    pthread_t thread;
};

static void *write_own_blocks(void *user) {
    struct writer *writer = user;
    selsnap_view *view = open_writable(writer->rig, writer->id);
    for (uint64_t i = 1; i <= 40; i++) {
        uint64_t offset = (writer->first_block + i % 5) * BLOCK + i;
        write_view(view, offset, 3 * BLOCK, i);
        assert_reads(view, offset, 3 * BLOCK, i);
        if (i % 4 == 0) {
            assert_ok(selsnap_view_flush(view));
        }
    }
    assert_ok(selsnap_view_close(view));
    return NULL;
}

static void test_view_write__many_threads__each_sees_its_own(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t ids[2] = {rig_snapshot(&rig, "s", 0, 0), rig_snapshot(&rig, "t", 0, 0)};
    struct writer writers[6];
    for (unsigned i = 0; i < 6; i++) {
        writers[i] = (struct writer){.rig = &rig, .id = ids[i % 2], .first_block = i / 2 * 16};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_own_blocks, &writers[i]), 0);
    }
    for (uint64_t i = 0; i < 100; i++) {
        rig_write(&rig, i % 64, 1, i + 1);
        uint32_t more;
        int code = selsnap_step(rig.ss, NULL, &more);
        assert_true(code == SELSNAP_OK || code == SELSNAP_EBUSY);
    }
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
    }
    rig_settle(&rig);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view_write__whole_blocks__seen_by_its_views_only),
        cmocka_unit_test(test_view_write__live_device_changes__both_kept),
        cmocka_unit_test(test_view_write__part_of_blocks__rest_kept),
        cmocka_unit_test(test_view_write__refused__nothing_written),
        cmocka_unit_test(test_view_write__zeros__take_no_space),
        cmocka_unit_test(test_view_discard__any_range__zeros_inside),
        cmocka_unit_test(test_view_flush__then_crash__kept),
        cmocka_unit_test(test_view_close__any_of_its_views__flushes),
        cmocka_unit_test(test_view_flush__nothing_written__nothing_done),
        cmocka_unit_test(test_view_write__more_than_may_be_pending__flushes_itself),
        cmocka_unit_test(test_view_write__again_and_again__old_space_comes_back),
        cmocka_unit_test(test_view_write__store_full__what_was_written_stays),
        cmocka_unit_test(test_view_reset__flushed_and_pending__both_gone_for_good),
        cmocka_unit_test(test_snapshot_delete__written_into__space_comes_back),
        cmocka_unit_test(test_view_write__map_and_usage__show_it),
        cmocka_unit_test(test_view_write__many_threads__each_sees_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
