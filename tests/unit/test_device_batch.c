/* SPDX-License-Identifier: Apache-2.0 */
/* Many requests at once: what is refused and mapped for each, what reaches the device, and what wrappers make of it. */
#include "test.h"

#include "blockdev.h"

#include <string.h>

enum { SIZE = 65536, LOGICAL = 512, MANY = 200, FAIL = 7 };

/* A device that notes what it was asked. What begins at its block FAIL fails with that number. */
struct probe {
    uint8_t bytes[SIZE];
    unsigned transfers;
    unsigned batches;
    uint32_t largest;
};

static int transfer(struct probe *probe, bool write, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    probe->transfers++;
    if (offset == (uint64_t)FAIL * LOGICAL) {
        return -FAIL;
    }
    for (uint32_t i = 0; i < iov_count; i++) {
        if (iov[i].len > 0) {
            memcpy(write ? probe->bytes + offset : iov[i].base, write ? iov[i].base : probe->bytes + offset,
                   iov[i].len);
        }
        offset += iov[i].len;
    }
    return 0;
}

static int probe_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    return transfer(user, false, iov, iov_count, offset);
}

static int probe_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    return transfer(user, true, iov, iov_count, offset);
}

static int probe_flush(void *user) {
    (void)user;
    return 0;
}

static void probe_batch(void *user, selsnap_io *const *ios, uint32_t count) {
    struct probe *probe = user;
    probe->batches++;
    probe->largest = count > probe->largest ? count : probe->largest;
    for (uint32_t i = count; i-- > 0;) {
        assert_true(ios[i]->kind == SELSNAP_IO_READ || ios[i]->kind == SELSNAP_IO_WRITE);
        ios[i]->result =
            transfer(probe, ios[i]->kind == SELSNAP_IO_WRITE, ios[i]->iov, ios[i]->iov_count, ios[i]->offset);
    }
}

static selsnap_device *open_probe(struct probe *probe, bool with_batch, uint32_t flags) {
    const selsnap_device_ops ops = {
        .struct_size = sizeof ops,
        .readv = probe_readv,
        .writev = probe_writev,
        .flush = probe_flush,
        .batch = with_batch ? probe_batch : NULL,
    };
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    info.flags = flags;
    info.size_bytes = SIZE;
    info.logical_block_bytes = LOGICAL;
    memset(probe, 0, sizeof *probe);
    for (size_t i = 0; i < SIZE; i++) {
        probe->bytes[i] = (uint8_t)(i / LOGICAL);
    }
    selsnap_device *device = NULL;
    assert_ok(selsnap_device_open(&ops, &info, probe, &device));
    return device;
}

/* Requests of one piece each. */
struct requests {
    selsnap_io *ios[MANY];
    selsnap_io io[MANY];
    selsnap_iovec iov[MANY];
    uint32_t count;
};

static selsnap_io *add(struct requests *requests, uint32_t kind, void *buf, size_t len, uint64_t offset) {
    uint32_t i = requests->count++;
    requests->iov[i] = (selsnap_iovec){buf, len};
    requests->io[i] = (selsnap_io){sizeof(selsnap_io), kind, &requests->iov[i], 1, 99, offset, 0, 0, 0};
    requests->ios[i] = &requests->io[i];
    return requests->ios[i];
}

typedef int (*batch_function)(selsnap_device *device, selsnap_io *const *ios, uint32_t count);
static const batch_function functions[] = {ssn_device_batch, selsnap_device_batch};

/* Runs a test with the inner function and the public one, on a device with a batch callback and one without. */
static void each(void (*test)(batch_function batch, bool with_batch)) {
    for (unsigned i = 0; i < 4; i++) {
        test(functions[i / 2], i % 2 == 1);
    }
}

static void mixed(batch_function batch, bool with_batch) {
    static struct probe probe;
    struct requests requests = {.count = 0};
    uint8_t buf[6][2 * LOGICAL];
    memset(buf, 0xee, sizeof buf);
    selsnap_device *device = open_probe(&probe, with_batch, 0);
    (void)add(&requests, SELSNAP_IO_READ, buf[0], LOGICAL, 3 * LOGICAL);
    (void)add(&requests, SELSNAP_IO_WRITE, buf[1], 2 * LOGICAL, 10 * LOGICAL);
    (void)add(&requests, SELSNAP_IO_READ, buf[2], LOGICAL, SIZE);              /* outside */
    (void)add(&requests, SELSNAP_IO_WRITE, buf[3], LOGICAL, 20 * LOGICAL + 1); /* not on blocks */
    (void)add(&requests, SELSNAP_IO_WRITE, buf[3], LOGICAL, (uint64_t)FAIL * LOGICAL);
    (void)add(&requests, SELSNAP_IO_READ, buf[4], 2 * LOGICAL, 120 * LOGICAL);
    (void)add(&requests, SELSNAP_IO_READ, buf[5], 0, 5 * LOGICAL);
    requests.iov[6].base = NULL;
    assert_int_equal(batch(device, requests.ios, requests.count), SELSNAP_ERANGE);
    static const int results[] = {0, 0, SELSNAP_ERANGE, SELSNAP_EALIGN, SELSNAP_EIO, 0, 0};
    for (uint32_t i = 0; i < requests.count; i++) {
        assert_int_equal(requests.io[i].result, results[i]);
    }
    assert_int_equal(probe.transfers, 4); /* neither what is refused nor what is empty */
    assert_int_equal(probe.batches, with_batch ? 1 : 0);
    assert_int_equal(atomic_load(&device->last_error), -FAIL);
    assert_int_equal(buf[0][0], 3);
    assert_int_equal(probe.bytes[11 * LOGICAL], 0xee);
    assert_int_equal(buf[2][0], 0xee);
    assert_int_equal(buf[4][LOGICAL], 121);
    selsnap_device_close(device);
}

static void test_batch__mixed__each_has_its_result(void **state) {
    (void)state;
    each(mixed);
}

static void many(batch_function batch, bool with_batch) {
    static struct probe probe;
    static uint8_t buf[MANY][LOGICAL];
    struct requests requests = {.count = 0};
    selsnap_device *device = open_probe(&probe, with_batch, 0);
    memset(buf, 0, sizeof buf);
    for (unsigned i = 0; i < MANY; i++) {
        unsigned block = i % (SIZE / LOGICAL - FAIL - 1) + FAIL + 1;
        (void)add(&requests, SELSNAP_IO_READ, buf[i], LOGICAL, (uint64_t)block * LOGICAL);
    }
    requests.io[150].offset = (uint64_t)FAIL * LOGICAL;
    requests.io[MANY - 1].offset = 1;
    assert_int_equal(batch(device, requests.ios, MANY), SELSNAP_EIO);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(requests.io[i].result, i == 150 ? SELSNAP_EIO : i == MANY - 1 ? SELSNAP_EALIGN : SELSNAP_OK);
        assert_int_equal(buf[i][LOGICAL - 1],
                         requests.io[i].result != SELSNAP_OK ? 0 : requests.io[i].offset / LOGICAL);
    }
    assert_int_equal(probe.transfers, MANY - 1);
    assert_true(probe.largest <= 64 && probe.batches == (with_batch ? 4 : 0));
    selsnap_device_close(device);
}

static void test_batch__more_than_go_at_once__all_are_done(void **state) {
    (void)state;
    each(many);
}

static void read_only(batch_function batch, bool with_batch) {
    static struct probe probe;
    uint8_t buf[2][LOGICAL] = {{0}};
    struct requests requests = {.count = 0};
    selsnap_device *device = open_probe(&probe, with_batch, SELSNAP_DEVICE_READ_ONLY);
    (void)add(&requests, SELSNAP_IO_READ, buf[0], LOGICAL, 9 * LOGICAL);
    (void)add(&requests, SELSNAP_IO_WRITE, buf[1], LOGICAL, 10 * LOGICAL);
    assert_int_equal(batch(device, requests.ios, 2), SELSNAP_EREADONLY);
    assert_int_equal(requests.io[0].result, SELSNAP_OK);
    assert_int_equal(requests.io[1].result, SELSNAP_EREADONLY);
    assert_int_equal(buf[0][0], 9);
    assert_int_equal(probe.bytes[10 * LOGICAL], 10);
    selsnap_device_close(device);
}

static void test_batch__read_only__writes_refused_reads_done(void **state) {
    (void)state;
    each(read_only);
}

static void empty(batch_function batch, bool with_batch) {
    static struct probe probe;
    struct requests requests = {.count = 0};
    selsnap_device *device = open_probe(&probe, with_batch, 0);
    assert_ok(batch(device, NULL, 0));
    (void)add(&requests, SELSNAP_IO_READ, NULL, 0, 0);
    (void)add(&requests, SELSNAP_IO_WRITE, NULL, 0, SIZE);
    requests.io[1].iov = NULL;
    requests.io[1].iov_count = 0;
    assert_ok(batch(device, requests.ios, 2));
    assert_true(requests.io[0].result == 0 && requests.io[1].result == 0);
    assert_true(probe.transfers == 0 && probe.batches == 0);
    selsnap_device_close(device);
}

static void test_batch__empty__nothing_reaches_the_device(void **state) {
    (void)state;
    each(empty);
}

static void test_batch__pieces_that_overflow__refused_alone(void **state) {
    (void)state;
    static struct probe probe;
    uint8_t buf[LOGICAL];
    selsnap_iovec overflow[3] = {{buf, SIZE_MAX}, {buf, SIZE_MAX}, {buf, 2}};
    struct requests requests = {.count = 0};
    selsnap_device *device = open_probe(&probe, true, 0);
    (void)add(&requests, SELSNAP_IO_READ, buf, LOGICAL, 0);
    requests.io[0].iov = overflow;
    requests.io[0].iov_count = 3;
    (void)add(&requests, SELSNAP_IO_READ, buf, LOGICAL, 4 * LOGICAL);
    assert_int_equal(selsnap_device_batch(device, requests.ios, 2), SELSNAP_ERANGE);
    assert_int_equal(requests.io[0].result, SELSNAP_ERANGE);
    assert_ok(requests.io[1].result);
    assert_int_equal(buf[0], 4);
    selsnap_device_close(device);
}

static void test_batch__wrong_members__refused_alone(void **state) {
    (void)state;
    static struct probe probe;
    uint8_t buf[2][LOGICAL] = {{0}};
    selsnap_device *device = open_probe(&probe, true, 0);
    for (unsigned i = 0; i < 8; i++) {
        struct requests requests = {.count = 0};
        selsnap_io *wrong = add(&requests, SELSNAP_IO_READ, buf[0], LOGICAL, 0);
        (void)add(&requests, SELSNAP_IO_READ, buf[1], LOGICAL, (i + 20) * LOGICAL);
        switch (i) {
        case 0:
            wrong->kind = 0;
            break;
        case 1:
            wrong->kind = SELSNAP_IO_WRITE_ZEROES;
            break;
        case 2:
            wrong->kind = SELSNAP_IO_DISCARD;
            break;
        case 3:
            wrong->kind = SELSNAP_IO_DISCARD + 1;
            break;
        case 4:
            wrong->len = LOGICAL;
            break;
        case 5:
            wrong->iov = NULL;
            break;
        case 6:
            requests.iov[0].base = NULL;
            break;
        default:
            wrong->struct_size = UINT32_MAX;
        }
        assert_int_equal(selsnap_device_batch(device, requests.ios, 2), SELSNAP_EINVAL);
        assert_int_equal(wrong->result, SELSNAP_EINVAL);
        assert_ok(requests.io[1].result);
        assert_int_equal(probe.transfers, i + 1);
        assert_int_equal(buf[1][0], i + 20);
    }
    selsnap_device_close(device);
}

static void test_batch__no_place_for_a_result__nothing_done(void **state) {
    (void)state;
    static struct probe probe;
    uint8_t buf[2][LOGICAL] = {{0}};
    static const uint32_t sizes[] = {0, 8, offsetof(selsnap_io, result), offsetof(selsnap_io, offset) - 1};
    struct requests requests = {.count = 0};
    selsnap_device *device = open_probe(&probe, true, 0);
    (void)add(&requests, SELSNAP_IO_READ, buf[0], LOGICAL, 0);
    (void)add(&requests, SELSNAP_IO_READ, buf[1], LOGICAL, LOGICAL);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        requests.io[1].struct_size = sizes[i];
        assert_int_equal(selsnap_device_batch(device, requests.ios, 2), SELSNAP_EINVAL);
    }
    requests.ios[1] = NULL;
    assert_int_equal(selsnap_device_batch(device, requests.ios, 2), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_batch(device, NULL, 1), SELSNAP_EINVAL);
    assert_int_equal(selsnap_device_batch(NULL, requests.ios, 1), SELSNAP_EINVAL);
    assert_true(requests.io[0].result == 99 && requests.io[1].result == 99);
    assert_int_equal(probe.transfers, 0);
    selsnap_device_close(device);
}

/* As an older program, which knows no offset, and a newer one would give them. */
static void test_batch__other_sizes__missing_is_zero_unknown_must_be(void **state) {
    (void)state;
    static struct probe probe;
    uint8_t buf[LOGICAL] = {1};
    struct {
        selsnap_io io;
        uint64_t more;
    } newer = {.more = 0};
    struct requests requests = {.count = 0};
    selsnap_device *device = open_probe(&probe, true, 0);
    selsnap_io *shorter = add(&requests, SELSNAP_IO_READ, buf, LOGICAL, 1);
    shorter->struct_size = offsetof(selsnap_io, offset);
    shorter->len = 1;
    assert_ok(selsnap_device_batch(device, requests.ios, 1));
    assert_true(shorter->result == 0 && buf[0] == 0);
    assert_true(shorter->offset == 1 && shorter->len == 1);
    newer.io = (selsnap_io){sizeof newer, SELSNAP_IO_READ, &requests.iov[0], 1, 99, 30 * LOGICAL, 0, 0, 0};
    requests.ios[0] = &newer.io;
    assert_ok(selsnap_device_batch(device, requests.ios, 1));
    assert_true(newer.io.result == 0 && buf[0] == 30);
    newer.more = 1;
    newer.io.offset = 31 * LOGICAL;
    assert_int_equal(selsnap_device_batch(device, requests.ios, 1), SELSNAP_EINVAL);
    assert_true(newer.io.result == SELSNAP_EINVAL && buf[0] == 30);
    selsnap_device_close(device);
}

static void through_slices(batch_function batch, bool with_batch) {
    static struct probe probe;
    static uint8_t buf[3][LOGICAL];
    struct requests requests = {.count = 0};
    selsnap_device *outer = NULL;
    selsnap_device *inner = NULL;
    selsnap_device *device = open_probe(&probe, with_batch, 0);
    memset(buf, 0xee, sizeof buf);
    assert_ok(selsnap_device_open_slice(device, 2 * LOGICAL, 60 * LOGICAL, &outer));
    assert_ok(selsnap_device_open_slice(outer, 3 * LOGICAL, 20 * LOGICAL, &inner));
    (void)add(&requests, SELSNAP_IO_WRITE, buf[0], LOGICAL, 19 * LOGICAL);
    (void)add(&requests, SELSNAP_IO_READ, buf[1], LOGICAL, 20 * LOGICAL);
    (void)add(&requests, SELSNAP_IO_READ, buf[2], LOGICAL, 6 * LOGICAL);
    (void)add(&requests, SELSNAP_IO_READ, buf[1], LOGICAL, (FAIL - 5) * LOGICAL);
    assert_int_equal(batch(inner, requests.ios, 4), SELSNAP_ERANGE);
    static const int results[] = {0, SELSNAP_ERANGE, 0, SELSNAP_EIO};
    static const uint64_t blocks[] = {19, 20, 6, FAIL - 5};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(requests.io[i].result, results[i]);
        assert_true(requests.io[i].offset == blocks[i] * LOGICAL);
    }
    assert_int_equal(atomic_load(&inner->last_error), -FAIL);
    assert_int_equal(probe.bytes[24 * LOGICAL], 0xee);
    assert_int_equal(buf[2][0], 11);
    assert_int_equal(probe.batches, with_batch ? 1 : 0);
    selsnap_device_close(inner);
    selsnap_device_close(outer);
    selsnap_device_close(device);
}

static void test_batch__slices__shifted_and_offsets_kept(void **state) {
    (void)state;
    each(through_slices);
}

static void counted(batch_function batch, bool with_batch) {
    static struct probe probe;
    static uint8_t buf[2 * LOGICAL];
    struct requests requests = {.count = 0};
    selsnap_device_counts counts = {.struct_size = sizeof counts};
    selsnap_device *counting = NULL;
    selsnap_device *device = open_probe(&probe, with_batch, 0);
    assert_ok(selsnap_device_open_counting(device, &counting));
    (void)add(&requests, SELSNAP_IO_READ, buf, 2 * LOGICAL, 20 * LOGICAL);
    (void)add(&requests, SELSNAP_IO_WRITE, buf, LOGICAL, 30 * LOGICAL);
    (void)add(&requests, SELSNAP_IO_READ, buf, LOGICAL, (uint64_t)FAIL * LOGICAL); /* counts, as one alone would */
    (void)add(&requests, SELSNAP_IO_READ, buf, LOGICAL, SIZE);
    (void)add(&requests, SELSNAP_IO_READ, buf, 0, 0);
    assert_int_equal(batch(counting, requests.ios, 5), SELSNAP_EIO);
    assert_ok(selsnap_device_get_counts(counting, &counts, 0));
    assert_true(counts.reads == 2 && counts.read_bytes == 3 * LOGICAL);
    assert_true(counts.writes == 1 && counts.write_bytes == LOGICAL);
    assert_int_equal(probe.batches, with_batch ? 1 : 0);
    selsnap_device_close(counting);
    selsnap_device_close(device);
}

static void test_batch__counting__each_request_counted(void **state) {
    (void)state;
    each(counted);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch__mixed__each_has_its_result),
        cmocka_unit_test(test_batch__more_than_go_at_once__all_are_done),
        cmocka_unit_test(test_batch__read_only__writes_refused_reads_done),
        cmocka_unit_test(test_batch__empty__nothing_reaches_the_device),
        cmocka_unit_test(test_batch__pieces_that_overflow__refused_alone),
        cmocka_unit_test(test_batch__wrong_members__refused_alone),
        cmocka_unit_test(test_batch__no_place_for_a_result__nothing_done),
        cmocka_unit_test(test_batch__other_sizes__missing_is_zero_unknown_must_be),
        cmocka_unit_test(test_batch__slices__shifted_and_offsets_kept),
        cmocka_unit_test(test_batch__counting__each_request_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
