/* SPDX-License-Identifier: Apache-2.0 */
/* The membership item's value (docs/format.md, section 6.10). */
#include "membership.h"
#include "test.h"

#include <string.h>

static const struct ssn_membership sample = {
    .group = {1, 2, 3, [15] = 16}, .number = 2, .count = 3, .time_ns = -5, .name = "nightly"};

static void test_membership__written_and_read__the_same(void **state) {
    (void)state;
    uint8_t value[SSN_VALUE_MAX];
    struct ssn_membership read;
    uint16_t len = ssn_membership_encode(value, &sample);
    assert_int_equal(len, 32 + 7);
    assert_true(ssn_membership_decode(value, len, &read));
    assert_memory_equal(&read.group, &sample.group, sizeof read.group);
    assert_int_equal(read.number, 2);
    assert_int_equal(read.count, 3);
    assert_true(read.time_ns == -5);
    assert_string_equal(read.name, "nightly");
    assert_true(ssn_membership_decode(value, 32, &read)); /* without a name */
    assert_string_equal(read.name, "");
}

static void test_membership__not_allowed__refused(void **state) {
    (void)state;
    const struct {
        unsigned at;
        uint8_t byte;
        uint16_t len;
    } cases[] = {{0, 1, 31}, {16, 3, 39}, {16, 255, 39}, {20, 0, 39}, {20, 2, 39}, {21, 2, 39}, {32, 0, 39}, {33, 9, 39}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t value[SSN_VALUE_MAX];
        struct ssn_membership read;
        (void)ssn_membership_encode(value, &sample);
        value[cases[i].at] = cases[i].byte;
        assert_false(ssn_membership_decode(value, cases[i].len, &read));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_membership__written_and_read__the_same),
        cmocka_unit_test(test_membership__not_allowed__refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
