/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes, checked arithmetic, memory accounting, struct import. */
#include "test.h"

#include "bytes.h"
#include "checksum.h"
#include "import.h"
#include "mem.h"

#include <string.h>

static void test_bytes__put_then_get__same_value(void **state) {
    (void)state;
    uint8_t buf[8];
    ssn_put64(buf, 0x0123456789abcdefULL);
    assert_int_equal(buf[0], 0xef);
    assert_int_equal(buf[7], 0x01);
    assert_true(ssn_get64(buf) == 0x0123456789abcdefULL);
    ssn_put32(buf, 0xfedcba98u);
    assert_true(ssn_get32(buf) == 0xfedcba98u);
    ssn_put16(buf, 0x8001);
    assert_int_equal(ssn_get16(buf), 0x8001);
}

static void test_bytes__is_zero__finds_any_bit(void **state) {
    (void)state;
    uint8_t buf[200] = {0};
    for (size_t len = 0; len <= sizeof buf; len++) {
        assert_true(ssn_is_zero(buf, len));
    }
    for (size_t i = 0; i < sizeof buf; i++) {
        buf[i] = 1;
        assert_false(ssn_is_zero(buf, sizeof buf));
        assert_true(ssn_is_zero(buf, i));
        buf[i] = 0;
    }
}

static void test_arith__edges__never_overflow(void **state) {
    (void)state;
    uint64_t r = 7;
    assert_false(ssn_add_u64(UINT64_MAX, 1, &r));
    assert_true(r == 7);
    assert_true(ssn_add_u64(UINT64_MAX - 1, 1, &r) && r == UINT64_MAX);
    assert_false(ssn_mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 32, &r));
    assert_true(ssn_mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 31, &r) && r == UINT64_C(1) << 63);
    assert_true(ssn_range_inside(10, 0, 10));
    assert_false(ssn_range_inside(11, 0, 10));
    assert_false(ssn_range_inside(UINT64_MAX, UINT64_MAX, 10));
    assert_true(ssn_div_up(UINT64_MAX, 2) == UINT64_C(1) << 63);
}

static void test_checksum__known_value__is_xxh3(void **state) {
    (void)state;
    /* XXH3_64bits of nothing, as published with xxHash 0.8. */
    assert_true(ssn_checksum("", 0) == 0x2d06800538d394c2ULL);
}

static void test_checksum__every_length__is_the_plain_one(void **state) {
    (void)state;
    uint8_t data[4200];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 7 + i / 256);
    }
    for (size_t len = 0; len + 3 <= sizeof data; len++) {
        assert_true(ssn_checksum(data + len % 3, len) == ssn_checksum_plain(data + len % 3, len));
    }
}

static void test_mem__limit__refuses_and_counts(void **state) {
    (void)state;
    struct ssn_mem mem;
    ssn_mem_init(&mem, NULL, 1000);
    void *a = ssn_alloc(&mem, 500);
    assert_non_null(a);
    assert_null(ssn_alloc(&mem, 500));
    a = ssn_realloc(&mem, a, 900);
    assert_non_null(a);
    assert_null(ssn_realloc(&mem, a, 2000));
    ssn_free(&mem, a);
    assert_true(ssn_mem_current(&mem) == 0);
    assert_true(mem.peak == 916);
    assert_null(ssn_calloc(&mem, SIZE_MAX, 2));
}

struct sample {
    uint32_t struct_size;
    uint32_t flags;
    uint64_t value;
};

static void test_import__sizes__shorter_and_longer(void **state) {
    (void)state;
    struct sample ours;
    struct sample theirs = {8, 5, 99};
    assert_true(ssn_import(&ours, sizeof ours, &theirs));
    assert_true(ours.flags == 5 && ours.value == 0);
    struct {
        struct sample known;
        uint64_t more;
    } longer = {{sizeof longer, 1, 2}, 0};
    assert_true(ssn_import(&ours, sizeof ours, &longer));
    assert_true(ours.value == 2);
    longer.more = 1;
    assert_false(ssn_import(&ours, sizeof ours, &longer));
    theirs.struct_size = 7;
    assert_false(ssn_import(&ours, sizeof ours, &theirs));
    assert_true(ssn_import(&ours, sizeof ours, NULL) && ours.flags == 0);
}

static void test_export__sizes__fills_at_most_theirs(void **state) {
    (void)state;
    struct sample ours = {sizeof ours, 3, 4};
    struct sample theirs = {8, 0, 77};
    assert_true(ssn_export(&theirs, &ours, sizeof ours));
    assert_true(theirs.struct_size == 8 && theirs.flags == 3 && theirs.value == 77);
    theirs.struct_size = 0;
    assert_false(ssn_export(&theirs, &ours, sizeof ours));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes__put_then_get__same_value),
        cmocka_unit_test(test_bytes__is_zero__finds_any_bit),
        cmocka_unit_test(test_arith__edges__never_overflow),
        cmocka_unit_test(test_checksum__known_value__is_xxh3),
        cmocka_unit_test(test_checksum__every_length__is_the_plain_one),
        cmocka_unit_test(test_mem__limit__refuses_and_counts),
        cmocka_unit_test(test_import__sizes__shorter_and_longer),
        cmocka_unit_test(test_export__sizes__fills_at_most_theirs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
