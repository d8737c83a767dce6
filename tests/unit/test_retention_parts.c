/* SPDX-License-Identifier: Apache-2.0 */
/* Hold and term values as docs/format.md has them, and which of a list of times the keep rules keep. */
#include "test.h"

#include "retention_inner.h"
#include "retention_record.h"

#include <stdio.h>
#include <string.h>

/* ---- records ---- */

static const uint8_t hold_sample[] = {1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0,   0,   0,  0,
                                      0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 'w', 'h', 'y'};

static void test_hold__as_documented__comes_back_the_same(void **state) {
    (void)state;
    struct ssn_hold_record record;
    uint8_t again[SSN_VALUE_MAX];
    assert_true(ssn_hold_record_decode(hold_sample, sizeof hold_sample, &record));
    assert_int_equal(record.flags, SELSNAP_HOLD_LOCK);
    assert_int_equal(record.since_ns, 5);
    assert_int_equal(record.until_ns, 9);
    assert_string_equal(record.reason, "why");
    assert_int_equal(ssn_hold_record_encode(again, &record), sizeof hold_sample);
    assert_memory_equal(again, hold_sample, sizeof hold_sample);
}

static void test_hold__wrong_bytes__refused(void **state) {
    (void)state;
    struct ssn_hold_record record;
    uint8_t bad[24 + 256];
    for (unsigned i = 0; i < 8; i++) {
        memcpy(bad, hold_sample, sizeof hold_sample);
        bad[i] |= 2;
        assert_false(ssn_hold_record_decode(bad, sizeof hold_sample, &record));
    }
    assert_false(ssn_hold_record_decode(hold_sample, 23, &record));
    assert_true(ssn_hold_record_decode(hold_sample, 24, &record));
    memcpy(bad, hold_sample, sizeof hold_sample);
    bad[16] = 0; /* a lock without an end */
    assert_false(ssn_hold_record_decode(bad, sizeof hold_sample, &record));
    bad[0] = 0;
    assert_true(ssn_hold_record_decode(bad, sizeof hold_sample, &record));
    bad[25] = 0;
    assert_false(ssn_hold_record_decode(bad, sizeof hold_sample, &record));
    bad[25] = 0xff;
    assert_false(ssn_hold_record_decode(bad, sizeof hold_sample, &record));
    memset(bad + 24, 'x', 256);
    assert_true(ssn_hold_record_decode(bad, 24 + 255, &record));
    assert_false(ssn_hold_record_decode(bad, 24 + 256, &record));
}

static void test_term__good_and_bad__told_apart(void **state) {
    (void)state;
    struct ssn_term_record record = {.expiry_ns = -7, .quota_bytes = UINT64_MAX - 2};
    uint8_t value[SSN_VALUE_MAX];
    assert_int_equal(ssn_term_record_encode(value, &record), 16);
    memset(&record, 0, sizeof record);
    assert_true(ssn_term_record_decode(value, 16, &record));
    assert_int_equal(record.expiry_ns, -7);
    assert_true(record.quota_bytes == UINT64_MAX - 2);
    assert_false(ssn_term_record_decode(value, 15, &record));
    assert_false(ssn_term_record_decode(value, 17, &record));
    memset(value, 0, 16);
    assert_false(ssn_term_record_decode(value, 16, &record)); /* neither */
    for (unsigned i = 0; i < 16; i++) {
        value[i] = 1;
        assert_true(ssn_term_record_decode(value, 16, &record));
        assert_true((i < 8) == (record.quota_bytes == 0));
        value[i] = 0;
    }
}

static void test_quota__good_and_bad__told_apart(void **state) {
    (void)state;
    uint8_t value[SSN_VALUE_MAX] = {0};
    uint64_t bytes = 3;
    assert_false(ssn_quota_decode(value, 8, &bytes));
    assert_int_equal(ssn_quota_encode(value, UINT64_MAX - 1), 8);
    assert_false(ssn_quota_decode(value, 7, &bytes));
    assert_false(ssn_quota_decode(value, 9, &bytes));
    assert_int_equal(bytes, 3);
    assert_true(ssn_quota_decode(value, 8, &bytes));
    assert_true(bytes == UINT64_MAX - 1);
}

/* ---- periods ---- */

static const int64_t SECOND = 1000000000;
enum { HOUR = 3600, DAY = 86400 };

struct period_case {
    const char *what;
    uint32_t reason;
    int64_t a, b; /* seconds since 1970 */
    int32_t offset;
    int64_t between; /* periods from a's to b's */
};

static const struct period_case period_cases[] = {
    {"the last second of an hour", SELSNAP_REASON_HOURLY, HOUR - 1, HOUR, 0, 1},
    {"before 1970", SELSNAP_REASON_HOURLY, -1, 0, 0, 1},
    {"an hour before 1970", SELSNAP_REASON_HOURLY, -HOUR, -1, 0, 0},
    {"half an hour east", SELSNAP_REASON_HOURLY, HOUR, HOUR + 1800, 1800, 1},
    {"one day", SELSNAP_REASON_DAILY, 0, DAY - 1, 0, 0},
    {"midnight", SELSNAP_REASON_DAILY, DAY - 1, DAY, 0, 1},
    {"midnight elsewhere", SELSNAP_REASON_DAILY, DAY - 2 * HOUR - 1, DAY - 2 * HOUR, 2 * HOUR, 1},
    {"midnight in the west", SELSNAP_REASON_DAILY, DAY - 1, DAY, -HOUR, 0},
    {"Sunday to Monday", SELSNAP_REASON_WEEKLY, 4 * DAY - 1, 4 * DAY, 0, 1},
    {"Monday to Sunday", SELSNAP_REASON_WEEKLY, 4 * DAY, 11 * DAY - 1, 0, 0},
    {"across 1970", SELSNAP_REASON_WEEKLY, -3 * DAY, 4 * DAY - 1, 0, 0},
    {"week 53 of 2020 goes on in 2021", SELSNAP_REASON_WEEKLY, 1609113600, 1609631999, 0, 0},
    {"then comes week 1", SELSNAP_REASON_WEEKLY, 1609631999, 1609718400, 0, 1},
    {"29 February 2024 to 1 March", SELSNAP_REASON_MONTHLY, 1709251199, 1709251200, 0, 1},
    {"28 to 29 February 2024", SELSNAP_REASON_MONTHLY, 1709164799, 1709164800, 0, 0},
    {"28 February 2100 to 1 March", SELSNAP_REASON_MONTHLY, 4107542399, 4107542400, 0, 1},
    {"December to January", SELSNAP_REASON_MONTHLY, 1704067199, 1704067200, 0, 1},
    {"January to December", SELSNAP_REASON_MONTHLY, 1704067200, 1735689599, 0, 11},
    {"a year", SELSNAP_REASON_YEARLY, 1704067200, 1735689599, 0, 0},
    {"the next", SELSNAP_REASON_YEARLY, 1735689599, 1735689600, 0, 1},
    {"1969", SELSNAP_REASON_YEARLY, -1, 0, 0, 1},
    {"all of 1969", SELSNAP_REASON_YEARLY, -365 * DAY, -1, 0, 0},
    {"1600 to 1970", SELSNAP_REASON_YEARLY, -8000000000, 0, 0, 254},
};

static void test_period__each_case__as_the_calendar_has_it(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof period_cases / sizeof period_cases[0]; i++) {
        const struct period_case *c = &period_cases[i];
        int64_t a = ssn_keep_period(c->reason, c->a * SECOND, c->offset);
        int64_t b = ssn_keep_period(c->reason, c->b * SECOND + SECOND - 1, c->offset);
        if (b - a != c->between) {
            fail_msg("%s: %d periods, not %d", c->what, (int)(b - a), (int)c->between);
        }
    }
}

static void test_period__ends_of_time__in_order(void **state) {
    (void)state;
    for (uint32_t reason = SELSNAP_REASON_HOURLY; reason <= SELSNAP_REASON_YEARLY; reason <<= 1) {
        assert_true(ssn_keep_period(reason, INT64_MIN, -86399) < ssn_keep_period(reason, 0, 0));
        assert_true(ssn_keep_period(reason, INT64_MAX, 86399) > ssn_keep_period(reason, 0, 0));
    }
}

/* ---- rules ---- */

enum { ITEMS_MAX = 12 };

struct rule_case {
    const char *what;
    selsnap_keep_rules rules;
    int64_t hours[ITEMS_MAX]; /* the times, in the order of ids, from 1 on; END ends them */
    const char *kept;         /* for each, newest first: its id, and letters of the rules that keep it */
};
#define RULES(last, hourly, daily, weekly, monthly, yearly) \
    { sizeof(selsnap_keep_rules), last, hourly, daily, weekly, monthly, yearly, 0, NULL, NULL }
#define END_OF_TIMES INT64_MIN

static const struct rule_case rule_cases[] = {
    {"none", RULES(3, 1, 1, 1, 1, 1), {END_OF_TIMES}, ""},
    {"the last two", RULES(2, 0, 0, 0, 0, 0), {1, 2, 3, END_OF_TIMES}, "3l 2l 1 "},
    {"more than there are", RULES(9, 0, 0, 0, 0, 0), {1, 2, END_OF_TIMES}, "2l 1l "},
    {"the newest of each day", RULES(0, 0, 2, 0, 0, 0), {1, 2, 25, 26, 49, 50, END_OF_TIMES}, "6d 5 4d 3 2 1 "},
    {"days without one do not count", RULES(0, 0, 2, 0, 0, 0), {1, 2, 2400, END_OF_TIMES}, "3d 2d 1 "},
    {"one may be kept by several", RULES(1, 1, 1, 1, 1, 1), {1, 2, END_OF_TIMES}, "2lhdwmy 1 "},
    {"each rule has its own places", RULES(1, 2, 2, 0, 0, 0), {1, 2, 25, 26, END_OF_TIMES}, "4lhd 3h 2d 1 "},
    {"the same time: the younger id", RULES(1, 0, 1, 0, 0, 0), {5, 5, 5, END_OF_TIMES}, "3ld 2 1 "},
    {"a clock that jumped back", RULES(1, 0, 2, 0, 0, 0), {100, 10, 11, END_OF_TIMES}, "1ld 3d 2 "},
    {"before 1970", RULES(0, 0, 2, 0, 0, 0), {-1, -2, -24, -25, END_OF_TIMES}, "1d 2 3 4d "},
    {"weeks from Monday on", RULES(0, 0, 0, 2, 0, 0), {95, 96, 97, END_OF_TIMES}, "3w 2 1w "},
    {"all of them", RULES(0, UINT32_MAX, 0, 0, 0, 0), {1, 2, 3, END_OF_TIMES}, "3h 2h 1h "},
};

static void test_rules__each_case__keeps_what_it_should(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rule_cases / sizeof rule_cases[0]; i++) {
        const struct rule_case *c = &rule_cases[i];
        struct ssn_keep_item items[ITEMS_MAX];
        size_t count = 0;
        for (; c->hours[count] != END_OF_TIMES; count++) {
            items[count] = (struct ssn_keep_item){.time_ns = c->hours[count] * HOUR * SECOND, .id = count + 1};
        }
        ssn_keep_judge(&c->rules, items, count);
        char kept[128] = "";
        for (size_t k = 0; k < count; k++) {
            char one[32];
            (void)snprintf(one, sizeof one, "%u", (unsigned)items[k].id);
            for (unsigned bit = 0; bit < 6; bit++) {
                (void)snprintf(one + strlen(one), sizeof one - strlen(one), "%.*s", (int)(items[k].reasons >> bit & 1),
                               &"lhdwmy"[bit]);
            }
            (void)snprintf(kept + strlen(kept), sizeof kept - strlen(kept), "%s ", one);
        }
        if (strcmp(kept, c->kept) != 0) {
            fail_msg("%s: '%s', not '%s'", c->what, kept, c->kept);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hold__as_documented__comes_back_the_same),
        cmocka_unit_test(test_hold__wrong_bytes__refused),
        cmocka_unit_test(test_term__good_and_bad__told_apart),
        cmocka_unit_test(test_quota__good_and_bad__told_apart),
        cmocka_unit_test(test_period__each_case__as_the_calendar_has_it),
        cmocka_unit_test(test_period__ends_of_time__in_order),
        cmocka_unit_test(test_rules__each_case__keeps_what_it_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
