/* SPDX-License-Identifier: Apache-2.0 */
/* The memory, slice and counting devices. Files are in test_file_device.c. */
#include "test.h"

#include "blockdev.h"

#include <stdbool.h>
#include <string.h>

enum { SIZE = 65536, LOGICAL = 512 };

static selsnap_device *open_memory(void) {
    selsnap_device *device = NULL;
    assert_ok(selsnap_device_open_memory(SIZE, LOGICAL, &device));
    return device;
}

static selsnap_device *open_slice(selsnap_device *parent, uint64_t offset, uint64_t len) {
    selsnap_device *device = NULL;
    assert_ok(selsnap_device_open_slice(parent, offset, len, &device));
    return device;
}

static selsnap_device *open_counting(selsnap_device *parent) {
    selsnap_device *device = NULL;
    assert_ok(selsnap_device_open_counting(parent, &device));
    return device;
}

static void test_memory__pieces__read_back(void **state) {
    (void)state;
    selsnap_device *device = open_memory();
    uint8_t buf[4 * LOGICAL];
    uint8_t back[4 * LOGICAL];
    assert_ok(selsnap_device_read(device, buf, sizeof buf, SIZE - sizeof buf));
    for (size_t i = 0; i < sizeof buf; i++) {
        assert_int_equal(buf[i], 0);
        buf[i] = (uint8_t)(i * 7 + 1);
    }
    selsnap_iovec iov[4] = {{buf, 1}, {NULL, 0}, {buf + 1, 1000}, {buf + 1001, sizeof buf - 1001}};
    assert_ok(ssn_device_writev(device, iov, 4, LOGICAL));
    selsnap_iovec into[3] = {{back, 17}, {back + 17, sizeof back - 18}, {back + sizeof back - 1, 1}};
    assert_ok(ssn_device_readv(device, into, 3, LOGICAL));
    assert_memory_equal(buf, back, sizeof buf);
    assert_ok(ssn_device_write_zeroes(device, 2 * LOGICAL, LOGICAL));
    assert_ok(ssn_device_discard(device, 3 * LOGICAL, LOGICAL));
    assert_ok(selsnap_device_read(device, back, sizeof back, LOGICAL));
    assert_memory_equal(buf, back, LOGICAL);
    for (size_t i = LOGICAL; i < 2 * LOGICAL; i++) {
        assert_int_equal(back[i], 0);
    }
    assert_memory_equal(buf + 3 * LOGICAL, back + 3 * LOGICAL, LOGICAL);
    assert_ok(selsnap_device_flush(device));
    selsnap_device_close(device);
}

static void test_memory__wrong_sizes__refused(void **state) {
    (void)state;
    selsnap_device *device = NULL;
    assert_int_equal(selsnap_device_open_memory(0, 0, &device), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_open_memory(1000, LOGICAL, &device), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_open_memory(SIZE, 3, &device), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_open_memory(SIZE, LOGICAL, NULL), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_open_memory(UINT64_MAX, 0, &device), SELSNAP_ENOMEM);
    assert_null(device);
}

static void test_memory__locked__second_opener_refused(void **state) {
    (void)state;
    selsnap_device *device = open_memory();
    assert_ok(ssn_device_lock(device, true));
    assert_int_equal(ssn_device_lock(device, true), SELSNAP_ELOCKED);
    assert_int_equal(ssn_device_lock(device, false), SELSNAP_ELOCKED);
    ssn_device_unlock(device);
    assert_ok(ssn_device_lock(device, false));
    assert_ok(ssn_device_lock(device, false));
    assert_int_equal(ssn_device_lock(device, true), SELSNAP_ELOCKED);
    ssn_device_unlock(device);
    assert_int_equal(ssn_device_lock(device, true), SELSNAP_ELOCKED);
    ssn_device_unlock(device);
    assert_ok(ssn_device_lock(device, true));
    selsnap_device_close(device);
}

static void test_slice__bounds__checked(void **state) {
    (void)state;
    static const struct {
        uint64_t offset;
        uint64_t len;
        int code;
    } cases[] = {
        {0, 0, SELSNAP_EINVAL},          {0, SIZE + LOGICAL, SELSNAP_ERANGE},
        {SIZE, LOGICAL, SELSNAP_ERANGE}, {UINT64_MAX, UINT64_MAX, SELSNAP_ERANGE},
        {1, LOGICAL, SELSNAP_EALIGN},    {0, LOGICAL + 1, SELSNAP_EALIGN},
        {0, SIZE, SELSNAP_OK},           {SIZE - LOGICAL, LOGICAL, SELSNAP_OK},
    };
    selsnap_device *parent = open_memory();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        selsnap_device *slice = NULL;
        assert_int_equal(selsnap_device_open_slice(parent, cases[i].offset, cases[i].len, &slice), cases[i].code);
        assert_int_equal(slice != NULL, cases[i].code == SELSNAP_OK);
        selsnap_device_close(slice);
    }
    assert_int_equal(selsnap_device_open_slice(NULL, 0, LOGICAL, &parent), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_open_slice(parent, 0, LOGICAL, NULL), SELSNAP_EINVAL);
    selsnap_device_close(parent);
}

static void test_slice__transfers__shifted_and_kept_inside(void **state) {
    (void)state;
    static uint8_t whole[SIZE];
    uint8_t buf[LOGICAL];
    memset(buf, 0x5a, sizeof buf);
    selsnap_device *parent = open_memory();
    selsnap_device *outer = open_slice(parent, 4 * LOGICAL, 8 * LOGICAL);
    selsnap_device *inner = open_slice(outer, 2 * LOGICAL, 2 * LOGICAL);
    assert_true(ssn_device_size(inner) == 2 * LOGICAL);
    assert_ok(selsnap_device_write(inner, buf, sizeof buf, LOGICAL));
    assert_int_equal(selsnap_device_write(inner, buf, sizeof buf, 2 * LOGICAL), SELSNAP_ERANGE);
    assert_ok(selsnap_device_flush(inner));
    assert_ok(selsnap_device_read(parent, whole, SIZE, 0));
    for (size_t i = 0; i < SIZE; i++) {
        assert_int_equal(whole[i], i / LOGICAL == 7 ? 0x5a : 0);
    }
    assert_ok(ssn_device_write_zeroes(inner, LOGICAL, LOGICAL));
    assert_ok(selsnap_device_read(parent, buf, sizeof buf, 7 * LOGICAL));
    assert_int_equal(buf[0], 0);
    assert_ok(ssn_device_discard(inner, 0, LOGICAL));
    selsnap_device_close(inner);
    selsnap_device_close(outer);
    selsnap_device_close(parent);
}

static void test_slice__atomic_unit__shrinks_with_the_offset(void **state) {
    (void)state;
    selsnap_device *parent = NULL;
    assert_ok(selsnap_device_open_memory(SIZE, 64, &parent));
    selsnap_device *slice = open_slice(parent, 512 + 64, 64);
    assert_int_equal(slice->info.atomic_write_bytes, 64);
    selsnap_device_close(slice);
    selsnap_device_close(parent);
}

static void test_counting__requests__counted_and_reset(void **state) {
    (void)state;
    uint8_t buf[2 * LOGICAL] = {1};
    selsnap_device_counts counts = {.struct_size = sizeof counts};
    selsnap_device *memory = open_memory();
    selsnap_device *device = open_counting(memory);
    assert_ok(selsnap_device_write(device, buf, sizeof buf, 0));
    assert_ok(selsnap_device_read(device, buf, LOGICAL, 0));
    assert_ok(selsnap_device_read(device, buf, sizeof buf, 0));
    assert_ok(selsnap_device_flush(device));
    assert_ok(ssn_device_discard(device, 0, LOGICAL));
    assert_ok(ssn_device_write_zeroes(device, 0, 3 * LOGICAL));
    /* What does not reach the device is not counted. */
    assert_ok(selsnap_device_read(device, buf, 0, 0));
    assert_int_equal(selsnap_device_read(device, buf, LOGICAL, SIZE), SELSNAP_ERANGE);
    selsnap_device_counts refused = {.struct_size = 4};
    assert_int_equal(selsnap_device_get_counts(device, &refused, 1), SELSNAP_EINVAL);
    assert_ok(selsnap_device_get_counts(device, &counts, 1));
    assert_true(counts.struct_size == sizeof counts);
    assert_true(counts.writes == 1 && counts.write_bytes == 2 * LOGICAL);
    assert_true(counts.reads == 2 && counts.read_bytes == 3 * LOGICAL);
    assert_true(counts.flushes == 1 && counts.discards == 1 && counts.discard_bytes == LOGICAL);
    assert_true(counts.zeroes == 1 && counts.zero_bytes == 3 * LOGICAL);
    assert_ok(selsnap_device_get_counts(device, &counts, 0));
    assert_true(counts.reads == 0 && counts.writes == 0 && counts.zeroes == 0 && counts.flushes == 0);
    assert_int_equal(selsnap_device_get_counts(memory, &counts, 0), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_get_counts(NULL, &counts, 0), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_get_counts(device, NULL, 0), SELSNAP_EINVAL);
    selsnap_device_close(device);
    selsnap_device_close(memory);
}

struct marked {
    uint64_t mark;
    int result;
};

static int marked_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    (void)user;
    (void)iov;
    (void)iov_count;
    (void)offset;
    return 0;
}

static int marked_change_mark(void *user, uint64_t *ret_mark) {
    const struct marked *marked = user;
    *ret_mark = marked->mark;
    return marked->result;
}

/* A device to be read alone, with a change mark or without. */
static selsnap_device *open_marked(struct marked *marked, bool has_mark) {
    selsnap_device *device = NULL;
    selsnap_device_ops ops = {
        .struct_size = sizeof ops, .readv = marked_readv, .change_mark = has_mark ? marked_change_mark : NULL};
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    info.size_bytes = SIZE;
    info.logical_block_bytes = LOGICAL;
    info.flags = SELSNAP_DEVICE_READ_ONLY;
    assert_ok(selsnap_device_open(&ops, &info, marked, &device));
    return device;
}

static void test_wrappers__change_mark__is_the_parents(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct marked marked = {.mark = 12345};
        selsnap_device *parent = open_marked(&marked, i == 0);
        selsnap_device *wrappers[] = {open_slice(parent, LOGICAL, LOGICAL), open_counting(parent)};
        for (unsigned w = 0; w < 2; w++) {
            uint64_t mark = 0;
            marked.result = 0;
            assert_int_equal(ssn_device_change_mark(wrappers[w], &mark), i == 0);
            assert_int_equal(mark, i == 0 ? 12345 : 0);
            marked.result = -5;
            assert_false(ssn_device_change_mark(wrappers[w], &mark));
            assert_int_equal(selsnap_device_write(wrappers[w], "x", 1, 0), SELSNAP_EALIGN);
            assert_ok(selsnap_device_flush(wrappers[w]));
            selsnap_device_close(wrappers[w]);
        }
        selsnap_device_close(parent);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory__pieces__read_back),
        cmocka_unit_test(test_memory__wrong_sizes__refused),
        cmocka_unit_test(test_memory__locked__second_opener_refused),
        cmocka_unit_test(test_slice__bounds__checked),
        cmocka_unit_test(test_slice__transfers__shifted_and_kept_inside),
        cmocka_unit_test(test_slice__atomic_unit__shrinks_with_the_offset),
        cmocka_unit_test(test_counting__requests__counted_and_reset),
        cmocka_unit_test(test_wrappers__change_mark__is_the_parents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
