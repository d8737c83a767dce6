/* SPDX-License-Identifier: Apache-2.0 */
/* Journal sectors, batches, and the operations in them. */
#include "test.h"

#include "ops.h"
#include "sector.h"

#include <stdlib.h>
#include <string.h>

static void test_batch__sealed__payload_comes_back(void **state) {
    (void)state;
    enum { COUNT = 16, RING = 24 };
    static uint8_t sectors[COUNT * SSN_SECTOR_SIZE];
    uint8_t payload[5000];
    uint64_t chain;
    for (size_t i = 0; i < sizeof payload; i++) {
        payload[i] = (uint8_t)(i * 31);
    }
    assert_int_equal(ssn_batch_pages(sizeof payload), 2);
    struct ssn_sector head = {.incarnation = 3, .number = 9, .position = 16, .super_sequence = 5, .chain = 1234};
    ssn_batch_seal(sectors, COUNT, payload, sizeof payload, &head, RING, &chain);
    assert_true(chain == ssn_batch_chain(sectors, COUNT));
    for (uint32_t i = 0; i < COUNT; i++) {
        struct ssn_sector back;
        assert_true(ssn_sector_decode(sectors + (size_t)i * SSN_SECTOR_SIZE, &back));
        assert_true(back.incarnation == 3 && back.number == 9 && back.super_sequence == 5 && back.chain == 1234);
        assert_true(back.index == i && back.count == COUNT && back.position == (16 + i) % RING);
    }
    ssn_batch_payload(sectors, sectors, COUNT); /* in place */
    assert_memory_equal(sectors, payload, sizeof payload);
    assert_true(ssn_is_zero(sectors + sizeof payload, COUNT * SSN_SECTOR_PAYLOAD - sizeof payload));
}

static void test_sector__any_bit_flipped__is_refused(void **state) {
    (void)state;
    uint8_t sector[SSN_SECTOR_SIZE];
    memset(sector, 0xa5, sizeof sector);
    struct ssn_sector head = {.incarnation = 1, .number = 1, .position = 7, .index = 7, .count = 8};
    struct ssn_sector back;
    ssn_sector_seal(sector, &head);
    assert_true(ssn_sector_decode(sector, &back));
    for (size_t bit = 0; bit < sizeof sector * 8; bit++) {
        sector[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(ssn_sector_decode(sector, &back));
        sector[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_sector__values_no_writer_writes__are_refused(void **state) {
    (void)state;
    static const struct {
        uint64_t number;
        uint32_t index, count;
        bool good;
    } cases[] = {
        {0, 0, 0, true},  {1, 0, 8, true},  {1, 7, 8, true},    {0, 0, 8, false},    {1, 0, 0, false},
        {1, 8, 8, false}, {1, 0, 7, false}, {1, 0, 2048, true}, {1, 0, 2056, false}, {0, 1, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t sector[SSN_SECTOR_SIZE] = {0};
        struct ssn_sector head = {.number = cases[i].number, .index = cases[i].index, .count = cases[i].count};
        struct ssn_sector back;
        ssn_sector_seal(sector, &head);
        assert_true(ssn_sector_decode(sector, &back) == cases[i].good);
    }
}

static size_t encode_sample(uint8_t *bytes) {
    uint8_t value[30] = {1, 2, 3};
    struct ssn_op ops[] = {
        {.kind = SSN_OP_PUT, .key = ssn_key_make(8, 5, 6), .len = 30, .value = value},
        {.kind = SSN_OP_DELETE, .key = ssn_key_make(9, UINT64_MAX, 6)},
        {.kind = SSN_OP_TAKE, .place = 77, .pages = 3},
        {.kind = SSN_OP_GIVE, .place = UINT64_MAX - 4, .pages = 4},
        {.kind = SSN_OP_PUT, .key = ssn_key_make(12, 0, 0), .len = 0, .value = value},
    };
    size_t len = 0;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        size_t size = ssn_op_encode(bytes + len, &ops[i]);
        assert_int_equal(size, ssn_op_size(&ops[i]));
        len += size;
    }
    return len;
}

static void test_ops__encoded__come_back(void **state) {
    (void)state;
    uint8_t bytes[200];
    size_t len = encode_sample(bytes);
    struct ssn_ops_iter iter = ssn_ops_begin(bytes, len);
    struct ssn_op op;
    assert_int_equal(ssn_ops_next(&iter, &op), SSN_ITER_ITEM);
    assert_true(op.kind == SSN_OP_PUT && op.key.major == 5 && op.len == 30 && op.value[2] == 3);
    assert_int_equal(ssn_ops_next(&iter, &op), SSN_ITER_ITEM);
    assert_true(op.kind == SSN_OP_DELETE && op.key.type == 9 && op.key.major == UINT64_MAX);
    assert_int_equal(ssn_ops_next(&iter, &op), SSN_ITER_ITEM);
    assert_true(op.kind == SSN_OP_TAKE && op.place == 77 && op.pages == 3);
    assert_int_equal(ssn_ops_next(&iter, &op), SSN_ITER_ITEM);
    assert_true(op.kind == SSN_OP_GIVE && op.place == UINT64_MAX - 4);
    assert_int_equal(ssn_ops_next(&iter, &op), SSN_ITER_ITEM);
    assert_int_equal(ssn_ops_next(&iter, &op), SSN_ITER_END);
}

/* Cut anywhere, and with any byte changed: the iterators stay within the bytes they were given. */
static void test_ops__hostile_bytes__stay_inside(void **state) {
    (void)state;
    uint8_t bytes[200];
    size_t len = encode_sample(bytes);
    for (size_t cut = 0; cut <= len; cut++) {
        for (unsigned change = 0; change < 256 * 3; change++) {
            uint8_t *copy = malloc(cut + SSN_TXN_HEADER);
            assert_non_null(copy);
            ssn_put32(copy, (uint32_t)(change % 3 == 0 ? cut : change % 3 == 1 ? change * 7 : UINT32_MAX - change));
            memcpy(copy + SSN_TXN_HEADER, bytes, cut);
            if (cut > 0) {
                copy[SSN_TXN_HEADER + change * 13 % cut] = (uint8_t)change;
            }
            struct ssn_ops_iter txns = ssn_ops_begin(copy, cut + SSN_TXN_HEADER);
            struct ssn_ops_iter ops;
            struct ssn_op op;
            while (ssn_txns_next(&txns, &ops) == SSN_ITER_ITEM) {
                while (ssn_ops_next(&ops, &op) == SSN_ITER_ITEM) {
                    assert_true(op.kind != SSN_OP_PUT ||
                                (op.value >= copy && op.value + op.len <= copy + cut + SSN_TXN_HEADER));
                }
            }
            free(copy);
        }
    }
}

static void test_ops__not_allowed__are_bad(void **state) {
    (void)state;
    struct ssn_op cases[] = {
        {.kind = SSN_OP_DELETE, .key = {.type = SSN_ITEM_SPACE}},
        {.kind = SSN_OP_DELETE, .key = {.type = 0}},
        {.kind = SSN_OP_DELETE, .key = {.type = 19}},
        {.kind = SSN_OP_TAKE, .place = 5, .pages = 0},
        {.kind = SSN_OP_GIVE, .place = UINT64_MAX, .pages = 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[40];
        struct ssn_ops_iter iter = ssn_ops_begin(bytes, ssn_op_encode(bytes, &cases[i]));
        struct ssn_op op;
        assert_int_equal(ssn_ops_next(&iter, &op), SSN_ITER_BAD);
    }
    uint8_t rest[12] = {0, 0, 0, 0, 0, 0, 1};
    struct ssn_ops_iter txns = ssn_ops_begin(rest, sizeof rest);
    struct ssn_ops_iter ops;
    assert_int_equal(ssn_txns_next(&txns, &ops), SSN_ITER_BAD); /* bytes after the end */
    rest[6] = 0;
    assert_int_equal(ssn_txns_next(&txns, &ops), SSN_ITER_END);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch__sealed__payload_comes_back),
        cmocka_unit_test(test_sector__any_bit_flipped__is_refused),
        cmocka_unit_test(test_sector__values_no_writer_writes__are_refused),
        cmocka_unit_test(test_ops__encoded__come_back),
        cmocka_unit_test(test_ops__hostile_bytes__stay_inside),
        cmocka_unit_test(test_ops__not_allowed__are_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
