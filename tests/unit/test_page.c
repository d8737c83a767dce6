/* SPDX-License-Identifier: Apache-2.0 */
/* Tree pages: laying out, reading, and refusing what is not right [F-10, F-11]. */
#include "test.h"

#include "checksum.h"
#include "page.h"

#include <stdio.h>
#include <string.h>

enum { PLACE = 77, FIRST_PLACE = 40, STORE_PAGES = 1000, ITEMS = 20 };

static const uint8_t store_id[SSN_STORE_ID_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static struct ssn_key key_of(unsigned n) {
    return ssn_key_make((uint8_t)(1 + n / 8), (uint64_t)(n % 8) << 40, n);
}

/* A good page with ITEMS items, and what is expected of it. */
static struct ssn_page_expect make(uint8_t *page, uint32_t level) {
    uint8_t items[SSN_PAGE_ROOM];
    size_t len = 0;
    for (unsigned n = 0; n < ITEMS; n++) {
        struct ssn_key key = key_of(n);
        uint8_t value[100];
        memset(value, (int)n, sizeof value);
        len += level == 0 ? ssn_page_encode_leaf_item(items + len, &key, value, (uint16_t)(n * 5))
                          : ssn_page_encode_inner_item(items + len, &key, FIRST_PLACE + n, n * 1000);
    }
    struct ssn_page_head head = {PLACE, 99, level, store_id};
    struct ssn_page_expect expect = {PLACE, 0, level, store_id, FIRST_PLACE, STORE_PAGES};
    expect.checksum = ssn_page_build(page, &head, items, len, ITEMS);
    return expect;
}

/* As an attacker does: a checksum that fits the bytes. */
static void mend(uint8_t *page, struct ssn_page_expect *expect) {
    expect->checksum = ssn_checksum(page + 8, SSN_PAGE_SIZE - 8);
    ssn_put64(page, expect->checksum);
}

/* Reads all there is in a page that passed the check. */
static void read_all(const uint8_t *page, uint32_t level) {
    struct ssn_key before = {0, 0, 0};
    for (unsigned i = 0; i < ssn_page_count(page); i++) {
        struct ssn_key key;
        size_t size;
        ssn_page_key(page, i, &key);
        assert_true(i == 0 || ssn_key_compare(&before, &key) < 0);
        before = key;
        const uint8_t *item = ssn_page_item(page, i, &size);
        assert_true(item + size <= page + SSN_PAGE_SIZE);
        if (level == 0) {
            uint16_t len;
            const uint8_t *value = ssn_page_value(page, i, &len);
            assert_true(len <= SSN_VALUE_MAX && value + len == item + size);
        } else {
            uint64_t place, checksum;
            ssn_page_child(page, i, &place, &checksum);
            assert_true(place >= FIRST_PLACE && place < STORE_PAGES);
        }
        assert_int_equal(ssn_page_find(page, &key), i);
        assert_int_equal(ssn_page_find_last(page, &key), i);
    }
    assert_true(ssn_page_used(page) <= SSN_PAGE_SIZE);
}

static void test_page__built__reads_back(void **state) {
    (void)state;
    uint8_t page[SSN_PAGE_SIZE];
    for (uint32_t level = 0; level <= SSN_LEVEL_MAX; level++) {
        struct ssn_page_expect expect = make(page, level);
        assert_null(ssn_page_check(page, &expect));
        assert_true(ssn_page_level(page) == level && ssn_page_count(page) == ITEMS);
        assert_true(ssn_page_place(page) == PLACE && ssn_page_sequence(page) == 99);
        assert_true(ssn_page_checksum(page) == expect.checksum);
        read_all(page, level);
        for (unsigned n = 0; n < ITEMS; n++) {
            struct ssn_key expected = key_of(n);
            struct ssn_key key;
            ssn_page_key(page, n, &key);
            assert_int_equal(ssn_key_compare(&key, &expected), 0);
            if (level == 0) {
                uint16_t len;
                const uint8_t *value = ssn_page_value(page, n, &len);
                assert_true(len == n * 5 && (len == 0 || (value[0] == n && value[len - 1] == n)));
            } else {
                uint64_t place, checksum;
                ssn_page_child(page, n, &place, &checksum);
                assert_true(place == FIRST_PLACE + n && checksum == n * 1000);
            }
        }
    }
}

static void test_page__find__between_and_beyond(void **state) {
    (void)state;
    uint8_t page[SSN_PAGE_SIZE];
    make(page, 0);
    for (unsigned n = 0; n < ITEMS; n++) {
        struct ssn_key key = key_of(n);
        key.minor--;
        if (n > 0 || key.minor != UINT64_MAX) {
            assert_int_equal(ssn_page_find(page, &key), n);
            assert_int_equal(ssn_page_find_last(page, &key), (int)n - 1);
        }
        key.minor += 2;
        assert_int_equal(ssn_page_find(page, &key), n + 1);
        assert_int_equal(ssn_page_find_last(page, &key), n);
    }
    struct ssn_key least = ssn_key_make(0, 0, 0);
    assert_int_equal(ssn_page_find(page, &least), 0);
    assert_int_equal(ssn_page_find_last(page, &least), -1);
}

static void test_page__every_bit_flipped__refused(void **state) {
    (void)state;
    uint8_t page[SSN_PAGE_SIZE];
    for (uint32_t level = 0; level < 2; level++) {
        struct ssn_page_expect expect = make(page, level);
        for (unsigned bit = 0; bit < 8 * SSN_PAGE_SIZE; bit++) {
            page[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_non_null(ssn_page_check(page, &expect));
            page[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_null(ssn_page_check(page, &expect));
    }
}

static void test_page__every_bit_flipped_and_mended__refused_or_readable(void **state) {
    (void)state;
    uint8_t page[SSN_PAGE_SIZE];
    for (uint32_t level = 0; level < 2; level++) {
        struct ssn_page_expect expect = make(page, level);
        size_t used = ssn_page_used(page);
        unsigned accepted = 0;
        for (unsigned bit = 64; bit < 8 * SSN_PAGE_SIZE; bit++) {
            page[bit / 8] ^= (uint8_t)(1u << bit % 8);
            mend(page, &expect);
            const char *reason = ssn_page_check(page, &expect);
            if (reason == NULL) {
                accepted++;
                read_all(page, level);
            }
            /* What has only one right value: the header but for the sequence, the offsets, the tail. */
            bool fixed = bit / 8 < 24 || (bit / 8 >= 32 && bit / 8 < SSN_PAGE_HEADER + 2 * ITEMS) || bit / 8 >= used;
            assert_true(!fixed || reason != NULL);
            page[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_true(accepted > 0);
    }
}

static void test_page__each_rule_broken__says_so(void **state) {
    (void)state;
    enum { FIRST_ITEM = SSN_PAGE_HEADER + 2 * ITEMS };
    static const struct {
        uint32_t level;
        unsigned at;
        uint8_t byte;
        const char *reason;
    } cases[] = {
        {0, 8, 'X', "it is no tree page"},
        {0, 12, 1, "it has another level"},
        {0, 13, 1, "reserved bytes are not zero"},
        {0, 14, 0, "it has no items"},
        {0, 15, 0xff, "more items than fit"},
        {0, 16, PLACE + 1, "it belongs to another place"},
        {0, 47, 0, "it belongs to another store"},
        {0, SSN_PAGE_HEADER, 0, "an item's offset is wrong"},
        {0, SSN_PAGE_HEADER + 3, 0xff, "an item's offset is wrong"},
        {0, FIRST_ITEM + SSN_KEY_SIZE + 1, 0xff, "an item does not fit"},
        {0, FIRST_ITEM, 0xff, "keys do not rise"},
        {0, SSN_PAGE_SIZE - 1, 1, "bytes after the items are not zero"},
        {1, FIRST_ITEM + SSN_KEY_SIZE, FIRST_PLACE - 1, "a child's place is outside the area"},
        {1, FIRST_ITEM + SSN_KEY_SIZE + 7, 1, "a child's place is outside the area"},
    };
    uint8_t page[SSN_PAGE_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ssn_page_expect expect = make(page, cases[i].level);
        page[cases[i].at] = cases[i].byte;
        mend(page, &expect);
        assert_string_equal(ssn_page_check(page, &expect), cases[i].reason);
    }
    struct ssn_page_expect expect = make(page, 0);
    expect.checksum++;
    assert_string_equal(ssn_page_check(page, &expect), "the pointer has another checksum");
    page[100] ^= 1;
    expect.checksum--;
    assert_string_equal(ssn_page_check(page, &expect), "the checksum does not match");
}

static void test_page__value_one_too_long__refused(void **state) {
    (void)state;
    uint8_t page[SSN_PAGE_SIZE];
    uint8_t items[SSN_LEAF_ITEM_MAX];
    uint8_t value[SSN_VALUE_MAX] = {0};
    struct ssn_key key = ssn_key_make(1, 1, 1);
    size_t len = ssn_page_encode_leaf_item(items, &key, value, SSN_VALUE_MAX);
    struct ssn_page_head head = {PLACE, 1, 0, store_id};
    struct ssn_page_expect expect = {PLACE, 0, 0, store_id, FIRST_PLACE, STORE_PAGES};
    expect.checksum = ssn_page_build(page, &head, items, len, 1);
    assert_null(ssn_page_check(page, &expect));
    ssn_put16(page + SSN_PAGE_HEADER + 2 + SSN_KEY_SIZE, SSN_VALUE_MAX + 1);
    mend(page, &expect);
    assert_string_equal(ssn_page_check(page, &expect), "an item does not fit");
}

static void test_page__full__uses_every_byte(void **state) {
    (void)state;
    uint8_t page[SSN_PAGE_SIZE];
    uint8_t items[SSN_PAGE_ROOM];
    uint8_t value[SSN_VALUE_MAX] = {0};
    static const uint16_t lens[] = {SSN_VALUE_MAX, SSN_VALUE_MAX, SSN_VALUE_MAX, SSN_PAGE_ROOM - 3 * 1221 - 21};
    size_t len = 0;
    for (unsigned i = 0; i < 4; i++) {
        struct ssn_key key = ssn_key_make(1, i, 0);
        len += ssn_page_encode_leaf_item(items + len, &key, value, lens[i]);
    }
    struct ssn_page_head head = {PLACE, 1, 0, store_id};
    struct ssn_page_expect expect = {PLACE, 0, 0, store_id, FIRST_PLACE, STORE_PAGES};
    expect.checksum = ssn_page_build(page, &head, items, len, 4);
    assert_null(ssn_page_check(page, &expect));
    assert_int_equal(ssn_page_used(page), SSN_PAGE_SIZE);
    read_all(page, 0);
    /* The last item's length reaches beyond the page by one byte. */
    size_t size;
    size_t at = (size_t)(ssn_page_item(page, 3, &size) - page);
    ssn_put16(page + at + SSN_KEY_SIZE, (uint16_t)(lens[3] + 1));
    mend(page, &expect);
    assert_string_equal(ssn_page_check(page, &expect), "an item does not fit");
}

static void test_page__garbage_behind_a_good_header__refused_or_readable(void **state) {
    (void)state;
    uint64_t x = 12345;
    uint8_t page[SSN_PAGE_SIZE];
    for (unsigned round = 0; round < 20000; round++) {
        uint32_t level = round % 3;
        struct ssn_page_expect expect = make(page, level);
        unsigned changes = 1 + round % 40;
        for (unsigned i = 0; i < (round % 50 == 0 ? 4000 : changes); i++) {
            x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
            unsigned span = round % 2 == 0 ? SSN_PAGE_SIZE : 300;
            page[14 + (x >> 33) % (span - 14)] = (uint8_t)(x >> 25);
        }
        /* Of the header only the count stays as it came. */
        ssn_put64(page + 16, PLACE);
        memcpy(page + 32, store_id, sizeof store_id);
        mend(page, &expect);
        if (ssn_page_check(page, &expect) == NULL) {
            read_all(page, level);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page__built__reads_back),
        cmocka_unit_test(test_page__find__between_and_beyond),
        cmocka_unit_test(test_page__every_bit_flipped__refused),
        cmocka_unit_test(test_page__every_bit_flipped_and_mended__refused_or_readable),
        cmocka_unit_test(test_page__each_rule_broken__says_so),
        cmocka_unit_test(test_page__value_one_too_long__refused),
        cmocka_unit_test(test_page__full__uses_every_byte),
        cmocka_unit_test(test_page__garbage_behind_a_good_header__refused_or_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
