/* SPDX-License-Identifier: Apache-2.0 */
/* The checked face of devices: what is refused, mapped, claimed, and seen through wrappers. */
#include "test.h"

#include "blockdev.h"

#include <stdbool.h>
#include <string.h>

enum { SIZE = 65536, LOGICAL = 512 };

/* A device that notes what it was asked and fails when told to. */
struct probe {
    uint8_t bytes[SIZE];
    int calls;
    int fail; /* given back by the next calls; 0: work */
    int locks;
    int unlocks;
    bool closed;
    uint8_t identity; /* 0: fails */
};

static int probe_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct probe *probe = user;
    probe->calls++;
    for (uint32_t i = 0; i < iov_count && probe->fail == 0; i++) {
        memcpy(iov[i].base, probe->bytes + offset, iov[i].len);
        offset += iov[i].len;
    }
    return probe->fail;
}

static int probe_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct probe *probe = user;
    probe->calls++;
    for (uint32_t i = 0; i < iov_count && probe->fail == 0; i++) {
        memcpy(probe->bytes + offset, iov[i].base, iov[i].len);
        offset += iov[i].len;
    }
    return probe->fail;
}

static int probe_flush(void *user) {
    struct probe *probe = user;
    probe->calls++;
    return probe->fail;
}

static int probe_identity(void *user, uint8_t *ret_identity) {
    struct probe *probe = user;
    memset(ret_identity, probe->identity, SELSNAP_IDENTITY_SIZE);
    return probe->identity == 0 ? -1 : 0;
}

static int probe_change_mark(void *user, uint64_t *ret_mark) {
    struct probe *probe = user;
    *ret_mark = 77;
    return probe->fail;
}

static int probe_lock(void *user, int exclusive) {
    struct probe *probe = user;
    (void)exclusive;
    probe->locks += probe->fail == 0;
    return probe->fail;
}

static void probe_unlock(void *user) {
    struct probe *probe = user;
    probe->unlocks++;
}

static void probe_close(void *user) {
    struct probe *probe = user;
    probe->closed = true;
}

static const selsnap_device_ops probe_ops = {
    .struct_size = sizeof probe_ops,
    .readv = probe_readv,
    .writev = probe_writev,
    .flush = probe_flush,
    .identity = probe_identity,
    .change_mark = probe_change_mark,
    .lock = probe_lock,
    .unlock = probe_unlock,
    .close = probe_close,
};

static selsnap_device *open_probe(struct probe *probe, uint32_t flags, uint32_t logical) {
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    info.flags = flags;
    info.size_bytes = SIZE;
    info.logical_block_bytes = logical;
    memset(probe, 0, sizeof *probe);
    selsnap_device *device = NULL;
    assert_ok(selsnap_device_open(&probe_ops, &info, probe, &device));
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

static void test_device__range_and_alignment__checked_before_the_callback(void **state) {
    (void)state;
    static const struct {
        uint64_t offset;
        size_t len;
        int code;
    } cases[] = {
        {0, SIZE, SELSNAP_OK},
        {SIZE, 0, SELSNAP_OK},
        {SIZE - LOGICAL, LOGICAL, SELSNAP_OK},
        {SIZE, LOGICAL, SELSNAP_ERANGE},
        {SIZE - LOGICAL, 2 * LOGICAL, SELSNAP_ERANGE},
        {SIZE + LOGICAL, 0, SELSNAP_ERANGE},
        {UINT64_MAX, 0, SELSNAP_ERANGE},
        {UINT64_MAX, SIZE_MAX, SELSNAP_ERANGE},
        {UINT64_MAX - LOGICAL + 1, LOGICAL, SELSNAP_ERANGE},
        {LOGICAL, SIZE_MAX, SELSNAP_ERANGE},
        {1, LOGICAL, SELSNAP_EALIGN},
        {0, 1, SELSNAP_EALIGN},
        {LOGICAL, LOGICAL - 1, SELSNAP_EALIGN},
    };
    static struct probe probe;
    static uint8_t buf[SIZE];
    selsnap_device *device = open_probe(&probe, 0, LOGICAL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int code = cases[i].code;
        probe.calls = 0;
        assert_int_equal(selsnap_device_read(device, buf, cases[i].len, cases[i].offset), code);
        assert_int_equal(selsnap_device_write(device, buf, cases[i].len, cases[i].offset), code);
        assert_int_equal(ssn_device_write_zeroes(device, cases[i].offset, cases[i].len), code);
        assert_int_equal(probe.calls > 0, code == SELSNAP_OK && cases[i].len > 0);
        assert_int_equal(ssn_device_discard(device, cases[i].offset, cases[i].len),
                         code == SELSNAP_OK ? SELSNAP_ENOTSUP : code);
    }
    selsnap_device_close(device);
}

static void test_device__pieces_that_overflow__refused(void **state) {
    (void)state;
    static struct probe probe;
    uint8_t buf[1];
    selsnap_iovec iov[3] = {{buf, SIZE_MAX}, {buf, SIZE_MAX}, {buf, 2}};
    uint64_t len = 5;
#if SIZE_MAX == UINT64_MAX
    assert_false(ssn_iov_bytes(iov, 3, &len));
    assert_true(len == 5);
#else /* no list of pieces can be that long */
    assert_true(ssn_iov_bytes(iov, 3, &len) && len == UINT64_C(2) * SIZE_MAX + 2);
#endif
    assert_true(ssn_iov_bytes(iov, 0, &len) && len == 0);
    selsnap_device *device = open_probe(&probe, 0, 1);
    assert_int_equal(ssn_device_readv(device, iov, 3, 0), SELSNAP_ERANGE);
    assert_int_equal(ssn_device_writev(device, iov, 3, 0), SELSNAP_ERANGE);
    assert_int_equal(probe.calls, 0);
    selsnap_device_close(device);
}

static void test_device__callback_fails__mapped_and_kept(void **state) {
    (void)state;
    static struct probe probe;
    uint8_t buf[LOGICAL] = {0};
    uint64_t mark = 0;
    selsnap_device *device = open_probe(&probe, 0, LOGICAL);
    static const int results[] = {-5, -1, INT32_MIN, 12};
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        probe.fail = results[i];
        assert_int_equal(selsnap_device_read(device, buf, sizeof buf, 0), SELSNAP_EIO);
        assert_int_equal(atomic_load(&device->last_error), results[i]);
        assert_int_equal(selsnap_device_write(device, buf, sizeof buf, 0), SELSNAP_EIO);
        assert_int_equal(selsnap_device_flush(device), SELSNAP_EIO);
        assert_int_equal(ssn_device_write_zeroes(device, 0, SIZE), SELSNAP_EIO);
        assert_int_equal(ssn_device_lock(device, true), SELSNAP_ELOCKED);
        assert_false(ssn_device_change_mark(device, &mark));
    }
    assert_true(mark == 0);
    probe.fail = 0;
    assert_true(ssn_device_change_mark(device, &mark) && mark == 77);
    selsnap_device_close(device);
    assert_true(probe.closed);
}

static void test_device__read_only__not_written(void **state) {
    (void)state;
    static struct probe probe;
    uint8_t buf[LOGICAL] = {0};
    selsnap_device *device = open_probe(&probe, SELSNAP_DEVICE_READ_ONLY, LOGICAL);
    assert_int_equal(selsnap_device_write(device, buf, sizeof buf, 0), SELSNAP_EREADONLY);
    assert_int_equal(ssn_device_write_zeroes(device, 0, LOGICAL), SELSNAP_EREADONLY);
    assert_int_equal(ssn_device_discard(device, 0, LOGICAL), SELSNAP_EREADONLY);
    assert_ok(selsnap_device_flush(device));
    assert_int_equal(probe.calls, 0);
    assert_ok(selsnap_device_read(device, buf, sizeof buf, 0));
    selsnap_device *slice = open_slice(device, 0, LOGICAL);
    assert_int_equal(selsnap_device_write(slice, buf, sizeof buf, 0), SELSNAP_EREADONLY);
    selsnap_device_close(slice);
    selsnap_device_close(device);
}

static void test_device__wrong_ops_or_info__refused(void **state) {
    (void)state;
    static struct probe probe;
    selsnap_device *device = NULL;
    selsnap_device_info good = SELSNAP_DEVICE_INFO_INIT;
    good.size_bytes = SIZE;
    for (int i = 0; i < 12; i++) {
        selsnap_device_ops ops = probe_ops;
        selsnap_device_info info = good;
        switch (i) {
        case 0:
            ops.readv = NULL;
            break;
        case 1:
            ops.writev = NULL;
            break;
        case 2:
            ops.flush = NULL;
            break;
        case 3:
            ops.unlock = NULL;
            break;
        case 4:
            ops.reserved = 1;
            break;
        case 5:
            ops.struct_size = 4;
            break;
        case 6:
            info.flags = 4;
            break;
        case 7:
            info.logical_block_bytes = 131072;
            break;
        case 8:
            info.logical_block_bytes = 3;
            break;
        case 9:
            info.size_bytes = SIZE + 1;
            info.logical_block_bytes = LOGICAL;
            break;
        case 10:
            info.atomic_write_bytes = 513;
            break;
        default:
            info.reserved = 1;
        }
        assert_int_equal(selsnap_device_open(&ops, &info, &probe, &device), SELSNAP_EINVAL);
    }
    assert_int_equal(selsnap_device_open(NULL, &good, &probe, &device), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_open(&probe_ops, NULL, &probe, &device), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_open(&probe_ops, &good, &probe, NULL), SELSNAP_EINVAL);
    assert_null(device);
    assert_false(probe.closed);
}

static void test_device__info__defaults_filled(void **state) {
    (void)state;
    static struct probe probe;
    selsnap_device *device = open_probe(&probe, SELSNAP_DEVICE_VOLATILE_CACHE, 0);
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    assert_ok(selsnap_device_get_info(device, &info));
    assert_true(info.size_bytes == SIZE && info.flags == SELSNAP_DEVICE_VOLATILE_CACHE);
    assert_true(info.logical_block_bytes == 1 && info.atomic_write_bytes == 512 && info.preferred_io_bytes == 0);
    assert_true(info.struct_size == sizeof info);
    info.struct_size = 3;
    assert_int_equal(selsnap_device_get_info(device, &info), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_get_info(device, NULL), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_get_info(NULL, &info), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_read(NULL, &info, 1, 0), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_read(device, NULL, 1, 0), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_write(device, NULL, 1, 0), SELSNAP_EINVAL);
    assert_ok(selsnap_device_read(device, NULL, 0, 0));
    assert_int_equal(selsnap_device_flush(NULL), SELSNAP_EINVAL);
    selsnap_device_close(NULL);
    selsnap_device_close(device);
}

static void test_device__no_write_zeroes__zeros_written_in_pieces(void **state) {
    (void)state;
    static struct probe probe;
    static const uint64_t lens[] = {1, 4095, 4096, 4097, SIZE - 2};
    selsnap_device *device = open_probe(&probe, 0, 1);
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        memset(probe.bytes, 0xaa, SIZE);
        assert_ok(ssn_device_write_zeroes(device, 1, lens[i]));
        assert_int_equal(probe.bytes[0], 0xaa);
        assert_int_equal(probe.bytes[lens[i] + 1], 0xaa);
        for (uint64_t b = 1; b <= lens[i]; b++) {
            assert_int_equal(probe.bytes[b], 0);
        }
    }
    selsnap_device_close(device);
}

static void test_lock__slices__claim_their_part_only(void **state) {
    (void)state;
    static struct probe probe;
    selsnap_device *parent = open_probe(&probe, 0, LOGICAL);
    selsnap_device *low = open_slice(parent, 0, SIZE / 2);
    selsnap_device *high = open_slice(parent, SIZE / 2, SIZE / 2);
    selsnap_device *counted = open_counting(high);
    selsnap_device *across = open_slice(parent, SIZE / 2 - LOGICAL, 2 * LOGICAL);
    assert_ok(ssn_device_lock(low, true));
    assert_ok(ssn_device_lock(counted, true));
    assert_int_equal(probe.locks, 1);
    assert_int_equal(ssn_device_lock(high, true), SELSNAP_ELOCKED);
    assert_int_equal(ssn_device_lock(across, false), SELSNAP_ELOCKED);
    assert_int_equal(ssn_device_lock(parent, true), SELSNAP_ELOCKED);
    ssn_device_unlock(low);
    assert_int_equal(probe.unlocks, 0);
    selsnap_device_close(counted);
    assert_int_equal(probe.unlocks, 1);
    assert_ok(ssn_device_lock(across, false));
    assert_ok(ssn_device_lock(parent, false));
    /* The device below is held shared: it cannot be raised. */
    ssn_device_unlock(parent);
    selsnap_device *apart = open_slice(low, 0, LOGICAL);
    assert_int_equal(ssn_device_lock(apart, true), SELSNAP_ELOCKED);
    selsnap_device_close(apart);
    selsnap_device_close(across);
    selsnap_device_close(high);
    selsnap_device_close(low);
    selsnap_device_close(parent);
    assert_int_equal(probe.unlocks, 2);
}

static void test_slice__identity__depends_on_parent_and_place(void **state) {
    (void)state;
    static struct probe probe;
    uint8_t ids[4][SELSNAP_IDENTITY_SIZE];
    selsnap_device *parent = open_probe(&probe, 0, LOGICAL);
    selsnap_device *slices[3] = {open_slice(parent, 0, LOGICAL), open_slice(parent, 0, 2 * LOGICAL),
                                 open_slice(parent, LOGICAL, LOGICAL)};
    assert_false(ssn_device_identity(slices[0], ids[0]));
    probe.identity = 9;
    assert_true(ssn_device_identity(parent, ids[3]));
    for (int i = 0; i < 3; i++) {
        assert_true(ssn_device_identity(slices[i], ids[i]));
        for (int j = 0; j < i; j++) {
            assert_memory_not_equal(ids[i], ids[j], SELSNAP_IDENTITY_SIZE);
        }
        assert_memory_not_equal(ids[i], ids[3], SELSNAP_IDENTITY_SIZE);
    }
    uint8_t again[SELSNAP_IDENTITY_SIZE];
    assert_true(ssn_device_identity(slices[2], again));
    assert_memory_equal(again, ids[2], sizeof again);
    for (int i = 0; i < 3; i++) {
        selsnap_device_close(slices[i]);
    }
    selsnap_device_close(parent);
}

static void test_counting__parent_without_zeroes__counted_as_writes(void **state) {
    (void)state;
    static struct probe probe;
    selsnap_device_counts counts = {.struct_size = sizeof counts};
    selsnap_device *parent = open_probe(&probe, 0, LOGICAL);
    selsnap_device *device = open_counting(parent);
    uint8_t ids[2][SELSNAP_IDENTITY_SIZE];
    probe.identity = 3;
    assert_true(ssn_device_identity(parent, ids[0]) && ssn_device_identity(device, ids[1]));
    assert_memory_equal(ids[0], ids[1], SELSNAP_IDENTITY_SIZE);
    assert_int_equal(ssn_device_discard(device, 0, LOGICAL), SELSNAP_ENOTSUP);
    assert_ok(ssn_device_write_zeroes(device, 0, LOGICAL));
    assert_ok(selsnap_device_get_counts(device, &counts, 0));
    assert_true(counts.discards == 0 && counts.zeroes == 0 && counts.writes == 1 && counts.write_bytes == LOGICAL);
    probe.fail = -9;
    assert_int_equal(selsnap_device_flush(device), SELSNAP_EIO);
    assert_int_equal(atomic_load(&device->last_error), -9);
    selsnap_device_close(device);
    selsnap_device_close(parent);
}

static void test_overlap__same_storage__seen_through_wrappers(void **state) {
    (void)state;
    static struct probe probes[2];
    selsnap_device *a = open_probe(&probes[0], 0, LOGICAL);
    selsnap_device *b = open_probe(&probes[1], 0, LOGICAL);
    selsnap_device *low = open_slice(a, 0, SIZE / 2);
    selsnap_device *high = open_slice(a, SIZE / 2, SIZE / 2);
    selsnap_device *counted = open_counting(high);
    selsnap_device *tail = open_slice(counted, SIZE / 2 - LOGICAL, LOGICAL);
    selsnap_device *b_low = open_slice(b, 0, SIZE / 2);
    assert_true(ssn_device_overlap(a, a));
    assert_true(ssn_device_overlap(a, low) && ssn_device_overlap(low, a));
    assert_true(ssn_device_overlap(a, tail) && ssn_device_overlap(counted, tail));
    assert_false(ssn_device_overlap(low, high) || ssn_device_overlap(high, low) || ssn_device_overlap(low, tail));
    /* Without an identity nothing is known of two devices; one that fails to tell it is without. */
    assert_false(ssn_device_overlap(a, b));
    probes[0].identity = 7;
    probes[1].identity = 8;
    assert_false(ssn_device_overlap(a, b));
    probes[1].identity = 7;
    assert_true(ssn_device_overlap(a, b) && ssn_device_overlap(low, b_low));
    assert_false(ssn_device_overlap(counted, b_low));
    selsnap_device *all[] = {tail, counted, high, low, b_low, b, a};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        selsnap_device_close(all[i]);
    }
}

static void test_error__every_code__has_name_and_text(void **state) {
    (void)state;
    for (int code = 0; code >= SELSNAP_EQUOTA; code--) {
        assert_non_null(selsnap_error_name(code));
        assert_true(strncmp(selsnap_error_name(code), "SELSNAP_", 8) == 0);
        assert_string_not_equal(selsnap_error_name(code), "SELSNAP_E?");
        assert_true(strlen(selsnap_strerror(code)) > 3);
    }
    assert_string_equal(selsnap_error_name(SELSNAP_ENOSPACE), "SELSNAP_ENOSPACE");
    static const int unknown[] = {1, SELSNAP_EQUOTA - 1, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_string_equal(selsnap_error_name(unknown[i]), "SELSNAP_E?");
        assert_non_null(selsnap_strerror(unknown[i]));
    }
    assert_string_equal(selsnap_version_string(), SELSNAP_VERSION_STRING);
    assert_int_equal(selsnap_version() / 1000000, SELSNAP_VERSION_MAJOR);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device__range_and_alignment__checked_before_the_callback),
        cmocka_unit_test(test_device__pieces_that_overflow__refused),
        cmocka_unit_test(test_device__callback_fails__mapped_and_kept),
        cmocka_unit_test(test_device__read_only__not_written),
        cmocka_unit_test(test_device__wrong_ops_or_info__refused),
        cmocka_unit_test(test_device__info__defaults_filled),
        cmocka_unit_test(test_device__no_write_zeroes__zeros_written_in_pieces),
        cmocka_unit_test(test_lock__slices__claim_their_part_only),
        cmocka_unit_test(test_slice__identity__depends_on_parent_and_place),
        cmocka_unit_test(test_counting__parent_without_zeroes__counted_as_writes),
        cmocka_unit_test(test_overlap__same_storage__seen_through_wrappers),
        cmocka_unit_test(test_error__every_code__has_name_and_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
