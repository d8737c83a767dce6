/* SPDX-License-Identifier: Apache-2.0 */
/* Superblocks and ledgers: bytes to struct and back; every bit and every range counts. */
#include "test.h"

#include "checksum.h"
#include "ledger.h"
#include "superblock.h"

#include <string.h>

static struct ssn_superblock sample(void) {
    struct ssn_superblock super;
    memset(&super, 0, sizeof super);
    memset(super.store_id, 0x5a, sizeof super.store_id);
    super.sequence = 6;
    super.block_bytes = 65536;
    super.flags = SSN_SUPER_CLEAN | SSN_SUPER_HAS_IDENTITY | SSN_SUPER_HAS_MARK;
    super.store_pages = 1000;
    super.origin_bytes = 99;
    memset(super.origin_identity, 7, sizeof super.origin_identity);
    super.change_mark = 8;
    super.journal_pages = 16;
    super.incarnation = 4;
    super.journal_start = 15;
    super.journal_number = 77;
    super.journal_chain = 0x1122334455667788;
    super.root_place = 999;
    super.root_checksum = 5;
    super.root_level = 15;
    super.ledger_place = 48;
    super.ledger_pages = 2;
    super.ledger_checksum = 3;
    super.free_pages = 10;
    super.leaf_count = 5;
    super.page_count = 6;
    super.next_epoch = 11;
    super.next_id = 12;
    memset(super.origin_hint, 'x', SELSNAP_ORIGIN_HINT_MAX);
    return super;
}

static void test_superblock__encoded__decodes_to_the_same(void **state) {
    (void)state;
    uint8_t page[SSN_PAGE_SIZE];
    struct ssn_superblock super = sample();
    struct ssn_superblock back;
    memset(&back, 0, sizeof back);
    ssn_super_encode(page, &super);
    assert_memory_equal(page, "SELSNAP\001\001\000", 10);
    assert_int_equal(ssn_super_decode(page, SSN_SUPER_PLACE_0, &back), SELSNAP_OK);
    assert_true(back.sequence == 6 && back.journal_chain == super.journal_chain && back.root_level == 15);
    assert_true(back.flags == super.flags && back.next_id == 12 && back.ledger_pages == 2 && back.change_mark == 8);
    assert_memory_equal(back.origin_hint, super.origin_hint, sizeof back.origin_hint);
    assert_memory_equal(back.origin_identity, super.origin_identity, sizeof back.origin_identity);
    assert_int_equal(ssn_super_decode(page, SSN_SUPER_PLACE_1, &back), SELSNAP_EDAMAGED); /* another slot's */
}

/* [F-20] */
static void test_superblock__origin_shorter_than_its_extent__says_so(void **state) {
    (void)state;
    uint8_t page[SSN_PAGE_SIZE];
    struct ssn_superblock super = sample();
    struct ssn_superblock back;
    ssn_super_encode(page, &super);
    assert_int_equal(ssn_super_decode(page, SSN_SUPER_PLACE_0, &back), SELSNAP_OK);
    assert_int_equal(back.extent_bytes, 99);
    back.extent_bytes = 100;
    ssn_super_encode(page, &back);
    assert_int_equal(ssn_get32(page + 20), SSN_INCOMPAT_SHORTER);
    assert_int_equal(ssn_super_decode(page, SSN_SUPER_PLACE_0, &back), SELSNAP_OK);
    assert_true(back.origin_bytes == 99 && back.extent_bytes == 100);
    ssn_put64(page + 496, 99); /* not more than the origin */
    ssn_put64(page + 504, ssn_checksum(page, 504));
    assert_int_equal(ssn_super_decode(page, SSN_SUPER_PLACE_0, &super), SELSNAP_EDAMAGED);
    back.origin_bytes = 100;
    ssn_super_encode(page, &back);
    assert_int_equal(ssn_get32(page + 20), 0);
}

static void test_superblock__any_bit_flipped__is_refused(void **state) {
    (void)state;
    uint8_t page[SSN_PAGE_SIZE];
    struct ssn_superblock super = sample();
    struct ssn_superblock back;
    ssn_super_encode(page, &super);
    for (size_t bit = 0; bit < sizeof page * 8; bit++) {
        page[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int rc = ssn_super_decode(page, SSN_SUPER_PLACE_0, &back);
        assert_true(rc == (bit < 64 ? SELSNAP_ENOTSTORE : SELSNAP_EDAMAGED));
        page[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* Values out of range, under a right checksum. */
static void test_superblock__value_out_of_range__is_refused(void **state) {
    (void)state;
    static const struct {
        size_t offset;
        unsigned size;
        uint64_t value;
        int result;
    } cases[] = {
        {8, 2, 2, SELSNAP_EVERSION},
        {20, 4, 2, SELSNAP_EDAMAGED}, /* shorter than no extent */
        {20, 4, 4, SELSNAP_EVERSION},
        {10, 2, 9, SELSNAP_OK},
        {12, 4, 1, SELSNAP_OK},
        {16, 4, 1, SELSNAP_OK},
        {40, 8, 7, SELSNAP_EDAMAGED},
        {56, 4, 2048, SELSNAP_EDAMAGED},
        {56, 4, 5000, SELSNAP_EDAMAGED},
        {56, 4, 2097152, SELSNAP_EDAMAGED},
        {60, 4, 16, SELSNAP_EDAMAGED},
        {60, 4, 1, SELSNAP_EDAMAGED},
        {64, 8, 48, SELSNAP_EDAMAGED},
        {64, 8, UINT64_MAX, SELSNAP_EDAMAGED},
        {72, 8, 0, SELSNAP_EDAMAGED},
        {120, 8, 33, SELSNAP_EDAMAGED},
        {128, 8, 15, SELSNAP_EDAMAGED},
        {128, 8, 262145, SELSNAP_EDAMAGED},
        {144, 8, 16, SELSNAP_EDAMAGED},
        {152, 8, 0, SELSNAP_EDAMAGED},
        {168, 8, 47, SELSNAP_EDAMAGED},
        {168, 8, 1000, SELSNAP_EDAMAGED},
        {168, 8, 0, SELSNAP_EDAMAGED},
        {184, 4, 16, SELSNAP_EDAMAGED},
        {188, 4, 1, SELSNAP_EDAMAGED},
        {192, 8, 0, SELSNAP_EDAMAGED},
        {192, 8, 999, SELSNAP_EDAMAGED},
        {192, 8, UINT64_MAX, SELSNAP_EDAMAGED},
        {200, 4, 0, SELSNAP_EDAMAGED},
        {200, 4, UINT32_MAX, SELSNAP_EDAMAGED},
        {204, 4, 1, SELSNAP_EDAMAGED},
        {216, 8, 953, SELSNAP_EDAMAGED},
        {224, 8, 7, SELSNAP_EDAMAGED},
        {232, 8, 953, SELSNAP_EDAMAGED},
        {496, 8, 100, SELSNAP_EDAMAGED}, /* an extent of an origin that is not shorter */
        {503, 1, 1, SELSNAP_EDAMAGED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t page[SSN_PAGE_SIZE];
        struct ssn_superblock super = sample();
        struct ssn_superblock back;
        ssn_super_encode(page, &super);
        for (unsigned byte = 0; byte < cases[i].size; byte++) {
            page[cases[i].offset + byte] = (uint8_t)(cases[i].value >> (8 * byte));
        }
        ssn_put64(page + 504, ssn_checksum(page, 504));
        assert_int_equal(ssn_super_decode(page, SSN_SUPER_PLACE_0, &back), cases[i].result);
    }
}

static void test_ledger__encoded__checks_and_any_bit_counts(void **state) {
    (void)state;
    enum { TAKEN = 200, GIVEN = 100 };
    static uint8_t bytes[3 * SSN_PAGE_SIZE];
    struct ssn_run runs[TAKEN + GIVEN];
    uint8_t id[SSN_STORE_ID_SIZE] = {1, 2, 3};
    for (unsigned i = 0; i < TAKEN + GIVEN; i++) {
        runs[i] = (struct ssn_run){100 + i * 3, 2};
    }
    struct ssn_ledger_head head = {700, 9, id, TAKEN, GIVEN};
    uint32_t pages = ssn_ledger_pages(TAKEN + GIVEN);
    assert_int_equal(pages, 2);
    assert_int_equal(ssn_ledger_pages(253), 1);
    assert_int_equal(ssn_ledger_pages(254), 2);
    assert_int_equal(ssn_ledger_pages(UINT64_MAX), 0);
    uint64_t checksum = ssn_ledger_encode(bytes, pages, &head, runs, runs + TAKEN);
    struct ssn_ledger_head back = {700, 10, id, 0, 0};
    assert_true(ssn_ledger_check(bytes, pages, checksum, 48, 2000, &back));
    assert_true(back.sequence == 9 && back.taken_count == TAKEN && back.given_count == GIVEN);
    assert_true(ssn_ledger_run(bytes, 299).place == 100 + 299 * 3);
    for (size_t bit = 0; bit < (size_t)pages * SSN_PAGE_SIZE * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        back.sequence = 10;
        assert_false(ssn_ledger_check(bytes, pages, checksum, 48, 2000, &back));
        /* With the checksum mended nothing but the runs themselves may differ, and these stay in the area. */
        if (ssn_ledger_check(bytes, pages, ssn_checksum(bytes, (size_t)pages * SSN_PAGE_SIZE), 48, 2000, &back)) {
            for (uint32_t i = 0; i < back.taken_count + back.given_count; i++) {
                struct ssn_run run = ssn_ledger_run(bytes, i);
                assert_true(run.place >= 48 && run.pages > 0 && ssn_range_inside(run.place, run.pages, 2000));
            }
        }
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    back.sequence = 8;
    assert_false(ssn_ledger_check(bytes, pages, checksum, 48, 2000, &back)); /* newer than its superblock */
    back = (struct ssn_ledger_head){701, 10, id, 0, 0};
    assert_false(ssn_ledger_check(bytes, pages, checksum, 48, 2000, &back));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_superblock__encoded__decodes_to_the_same),
        cmocka_unit_test(test_superblock__origin_shorter_than_its_extent__says_so),
        cmocka_unit_test(test_superblock__any_bit_flipped__is_refused),
        cmocka_unit_test(test_superblock__value_out_of_range__is_refused),
        cmocka_unit_test(test_ledger__encoded__checks_and_any_bit_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
