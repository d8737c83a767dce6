/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of the tree's items, docs/format.md section 6: offsets as the document has them, round trips, and that every
 * reserved byte, every length off by one and every value out of range is refused.
 */
#include "test.h"

#include "checksum.h"
#include "record.h"

#include <stdio.h>
#include <string.h>

enum { ENTRY_LEVEL = 3 };

/* The entry of run 5, level 3, index 2. */
static uint64_t entry_major(void) {
    return ssn_entry_major(5, ENTRY_LEVEL, 2);
}

/* ---- one sample of each value, and a decoder that encodes again ---- */

static bool designation_again(const uint8_t *p, uint16_t len, uint8_t *again, uint16_t *again_len) {
    struct ssn_designation_record record;
    if (!ssn_designation_record_decode(p, len, &record)) {
        return false;
    }
    *again_len = ssn_designation_record_encode(again, &record);
    return true;
}

static bool snapshot_again(const uint8_t *p, uint16_t len, uint8_t *again, uint16_t *again_len) {
    struct ssn_snapshot_record record;
    if (!ssn_snapshot_record_decode(p, len, &record)) {
        return false;
    }
    *again_len = ssn_snapshot_record_encode(again, &record);
    return true;
}

static bool entry_again(const uint8_t *p, uint16_t len, uint8_t *again, uint16_t *again_len) {
    struct ssn_entry_record record;
    uint64_t sums[1 << ENTRY_LEVEL];
    if (!ssn_entry_record_decode(entry_major(), p, len, &record)) {
        return false;
    }
    for (unsigned i = 0; record.kind == SSN_ENTRY_DATA && i < 1u << ENTRY_LEVEL; i++) {
        sums[i] = ssn_entry_checksum(p, i);
    }
    *again_len = ssn_entry_record_encode(again, &record, sums, 1u << ENTRY_LEVEL);
    return true;
}

static bool overlay_again(const uint8_t *p, uint16_t len, uint8_t *again, uint16_t *again_len) {
    struct ssn_overlay_record record;
    if (!ssn_overlay_record_decode(p, len, &record)) {
        return false;
    }
    *again_len = ssn_overlay_record_encode(again, &record);
    return true;
}

static bool job_again(const uint8_t *p, uint16_t len, uint8_t *again, uint16_t *again_len) {
    struct ssn_job_record record;
    if (!ssn_job_record_decode(p, len, &record)) {
        return false;
    }
    *again_len = ssn_job_record_encode(again, &record);
    return true;
}

static bool state_again(const uint8_t *p, uint16_t len, uint8_t *again, uint16_t *again_len) {
    struct ssn_state_record record;
    if (!ssn_state_record_decode(p, len, &record)) {
        return false;
    }
    *again_len = ssn_state_record_encode(again, &record);
    return true;
}

struct sample {
    const char *what;
    bool (*again)(const uint8_t *p, uint16_t len, uint8_t *again, uint16_t *again_len);
    /* Each field: offset, size, value; offset -1 ends. Written here by the document, not by the encoder. */
    struct field {
        int offset;
        int size;
        uint64_t value;
    } fields[16];
    struct reserved {
        int offset;
        int size;
    } reserved[4];
    const char *text; /* at the end */
    uint16_t len;
};

static const struct sample samples[] = {
    {"designation",
     designation_again,
     {{0, 1, 2}, {2, 2, 5}, {8, 8, 1000}, {16, 8, 7}, {-1, 0, 0}},
     {{1, 1}, {4, 4}},
     "homes",
     29},
    {"designation without a name",
     designation_again,
     {{0, 1, 3}, {2, 2, 0}, {8, 8, UINT64_MAX}, {16, 8, 1}, {-1, 0, 0}},
     {{1, 1}, {4, 4}},
     "",
     24},
    {"snapshot",
     snapshot_again,
     {{0, 8, 77},
      {8, 8, 3},
      {16, 8, UINT64_MAX - 5},
      {24, 8, 9},
      {32, 4, 0x01020304},
      {36, 1, 2},
      {37, 1, 1},
      {-1, 0, 0}},
     {{38, 2}},
     "",
     40},
    {"entry, data",
     entry_again,
     {{0, 1, 1},
      {8, 8, 123456789},
      {16, 8, 11},
      {24, 8, 12},
      {32, 8, 13},
      {40, 8, 14},
      {48, 8, 15},
      {56, 8, 16},
      {64, 8, 17},
      {72, 8, UINT64_MAX},
      {-1, 0, 0}},
     {{1, 7}},
     "",
     80},
    {"entry, zero", entry_again, {{0, 1, 2}, {-1, 0, 0}}, {{1, 7}}, "", 8},
    {"entry, mark", entry_again, {{0, 1, 3}, {-1, 0, 0}}, {{1, 7}}, "", 8},
    {"entry, lost for room", entry_again, {{0, 1, 4}, {-1, 0, 0}}, {{1, 7}}, "", 8},
    {"entry, lost by reading", entry_again, {{0, 1, 5}, {-1, 0, 0}}, {{1, 7}}, "", 8},
    {"overlay, data", overlay_again, {{0, 1, 1}, {8, 8, 99}, {16, 8, 98}, {-1, 0, 0}}, {{1, 7}}, "", 24},
    {"overlay, zero", overlay_again, {{0, 1, 2}, {-1, 0, 0}}, {{1, 7}}, "", 8},
    {"job, restore",
     job_again,
     {{0, 1, 1}, {8, 8, 4}, {16, 8, 70}, {24, 8, 5}, {32, 8, 600}, {-1, 0, 0}},
     {{1, 7}},
     "",
     40},
    {"job, drop overlay", job_again, {{0, 1, 2}, {8, 8, 4}, {-1, 0, 0}}, {{1, 7}, {16, 8}, {24, 8}, {32, 8}}, "", 40},
    {"state", state_again, {{0, 8, 9}, {8, 8, 5}, {16, 8, 8}, {24, 8, 1234567}, {-1, 0, 0}}, {{0, 0}}, "", 32},
};

enum { SAMPLE_COUNT = sizeof samples / sizeof samples[0] };

static void build(const struct sample *sample, uint8_t *p) {
    memset(p, 0, SSN_VALUE_MAX);
    for (const struct field *field = sample->fields; field->offset >= 0; field++) {
        for (int i = 0; i < field->size; i++) {
            p[field->offset + i] = (uint8_t)(field->value >> (8 * i));
        }
    }
    size_t text_len = strlen(sample->text);
    memcpy(p + sample->len - text_len, sample->text, text_len);
}

static void test_record__as_documented__comes_back_the_same(void **state) {
    (void)state;
    for (unsigned i = 0; i < SAMPLE_COUNT; i++) {
        uint8_t p[SSN_VALUE_MAX];
        uint8_t again[SSN_VALUE_MAX];
        uint16_t len = 0;
        build(&samples[i], p);
        memset(again, 0xaa, sizeof again);
        if (!samples[i].again(p, samples[i].len, again, &len) || len != samples[i].len || memcmp(p, again, len) != 0) {
            fail_msg("%s does not come back", samples[i].what);
        }
    }
}

static void test_record__a_reserved_bit_set__is_refused(void **state) {
    (void)state;
    for (unsigned i = 0; i < SAMPLE_COUNT; i++) {
        for (unsigned r = 0; r < 4; r++) {
            for (int bit = 0; bit < samples[i].reserved[r].size * 8; bit++) {
                uint8_t p[SSN_VALUE_MAX];
                uint8_t again[SSN_VALUE_MAX];
                uint16_t len = 0;
                build(&samples[i], p);
                p[samples[i].reserved[r].offset + bit / 8] ^= (uint8_t)(1 << (bit % 8));
                if (samples[i].again(p, samples[i].len, again, &len)) {
                    fail_msg("%s: reserved byte %d is not checked", samples[i].what,
                             samples[i].reserved[r].offset + bit / 8);
                }
            }
        }
    }
}

static void test_record__any_other_length__is_refused(void **state) {
    (void)state;
    for (unsigned i = 0; i < SAMPLE_COUNT; i++) {
        for (uint16_t len = 0; len <= 300; len++) {
            uint8_t p[SSN_VALUE_MAX];
            uint8_t again[SSN_VALUE_MAX];
            uint16_t again_len = 0;
            build(&samples[i], p);
            if (len != samples[i].len && samples[i].again(p, len, again, &again_len)) {
                fail_msg("%s of %u bytes is taken", samples[i].what, (unsigned)len);
            }
        }
    }
}

/* ---- values out of range ---- */

struct spoil {
    const char *what;
    unsigned sample;
    int offset;
    uint8_t value;
};

static void test_record__value_out_of_range__is_refused(void **state) {
    (void)state;
    static const struct spoil spoils[] = {
        {"designation state 0", 0, 0, 0},
        {"designation state 4", 0, 0, 4},
        {"designation name length", 0, 2, 4},
        {"designation name with a control character", 0, 24, 0x07},
        {"designation name with a zero", 0, 25, 0},
        {"designation name, not UTF-8", 0, 28, 0xff},
        {"snapshot point 0", 2, 0, 0},
        {"snapshot kind 0", 2, 36, 0},
        {"snapshot kind 3", 2, 36, 3},
        {"snapshot policy 2", 2, 37, 2},
        {"entry kind 0", 4, 0, 0},
        {"entry kind 7", 4, 0, 7},
        {"entry zero turned data", 4, 0, 1},
        {"entry data turned zero", 3, 0, 2},
        {"overlay kind 0", 9, 0, 0},
        {"overlay kind 3", 9, 0, 3},
        {"overlay zero turned data", 9, 0, 1},
        {"job kind 0", 10, 0, 0},
        {"job kind 3", 10, 0, 3},
        {"restore point 0", 10, 16, 0},
        {"restore turned drop", 10, 0, 2},
        {"state reclaimed above deletes", 12, 8, 10},
        {"state walk above deletes", 12, 16, 10},
    };
    for (unsigned i = 0; i < sizeof spoils / sizeof spoils[0]; i++) {
        const struct sample *sample = &samples[spoils[i].sample];
        uint8_t p[SSN_VALUE_MAX];
        uint8_t again[SSN_VALUE_MAX];
        uint16_t len = 0;
        build(sample, p);
        p[spoils[i].offset] = spoils[i].value;
        if (sample->again(p, sample->len, again, &len)) {
            fail_msg("%s is taken", spoils[i].what);
        }
    }
}

static void test_entry_major__parts__come_back(void **state) {
    (void)state;
    uint64_t run = (UINT64_C(1) << 40) + 3;
    for (unsigned level = 0; level <= SSN_EXTENT_LEVEL_MAX; level++) {
        unsigned last = (SSN_RUN_BLOCKS >> level) - 1;
        uint64_t major = ssn_entry_major(run, level, last);
        assert_true(ssn_entry_major_valid(major));
        assert_true(ssn_entry_run(major) == run);
        assert_int_equal(ssn_entry_level(major), level);
        assert_int_equal(ssn_entry_index(major), last);
        assert_int_equal(ssn_entry_first(major) + ssn_entry_blocks(major), SSN_RUN_BLOCKS);
        if (level > 0) {
            assert_false(ssn_entry_major_valid(ssn_entry_major(run, level, last + 1)));
        }
    }
    assert_false(ssn_entry_major_valid(ssn_entry_major(run, SSN_EXTENT_LEVEL_MAX + 1, 0)));
    assert_false(ssn_entry_major_valid(ssn_entry_major(run, 15, 0)));
}

static void test_entry__data_length__goes_by_the_level(void **state) {
    (void)state;
    uint8_t p[SSN_VALUE_MAX] = {SSN_ENTRY_DATA};
    struct ssn_entry_record record;
    for (unsigned level = 0; level <= SSN_EXTENT_LEVEL_MAX; level++) {
        uint16_t len = (uint16_t)(16 + 8 * (1u << level));
        for (uint16_t other = 8; other <= 16 + 8 * 128 + 8; other += 8) {
            assert_int_equal(ssn_entry_record_decode(ssn_entry_major(0, level, 0), p, other, &record), other == len);
        }
    }
    assert_false(ssn_entry_record_decode(ssn_entry_major(0, 8, 0), p, 16 + 8 * 256, &record));
}

/* ---- ranges ---- */

static uint16_t put_ranges(uint8_t *p, const uint64_t *numbers, unsigned count) {
    for (unsigned i = 0; i < 2 * count; i++) {
        ssn_put64(p + 8 * (size_t)i, numbers[i]);
    }
    return (uint16_t)(16 * count);
}

static void test_ranges__good_and_bad__told_apart(void **state) {
    (void)state;
    static const struct {
        const char *what;
        uint64_t minor;
        unsigned count;
        uint64_t numbers[6];
        bool valid;
    } cases[] = {
        {"one", 5, 1, {5, 1}, true},
        {"two with a gap", 5, 2, {5, 1, 7, 2}, true},
        {"up to the last number", 5, 2, {5, 1, 7, UINT64_MAX - 7}, true},
        {"none", 5, 0, {0}, false},
        {"not the key's block", 6, 1, {5, 1}, false},
        {"an empty one", 5, 1, {5, 0}, false},
        {"an empty second one", 5, 2, {5, 1, 7, 0}, false},
        {"touching", 5, 2, {5, 2, 7, 2}, false},
        {"overlapping", 5, 2, {5, 3, 7, 2}, false},
        {"falling", 5, 2, {5, 1, 2, 1}, false},
        {"overflow", 5, 1, {5, UINT64_MAX}, false},
        {"overflow in the second", 5, 3, {5, 1, 7, UINT64_MAX - 6, 9, 1}, false},
    };
    uint8_t p[16 * (SSN_RANGES_PER_ITEM + 1)];
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint16_t len = put_ranges(p, cases[i].numbers, cases[i].count);
        if (ssn_ranges_valid(cases[i].minor, p, len) != cases[i].valid) {
            fail_msg("%s", cases[i].what);
        }
    }
    for (unsigned i = 0; i <= SSN_RANGES_PER_ITEM; i++) {
        ssn_put64(p + 16 * (size_t)i, 10 + 2 * (uint64_t)i);
        ssn_put64(p + 16 * (size_t)i + 8, 1);
    }
    assert_true(ssn_ranges_valid(10, p, 16 * SSN_RANGES_PER_ITEM));
    assert_false(ssn_ranges_valid(10, p, 16 * (SSN_RANGES_PER_ITEM + 1)));
    for (uint16_t off = 1; off < 16; off++) {
        assert_false(ssn_ranges_valid(10, p, (uint16_t)(32 + off)));
    }
}

/* ---- names ---- */

static void test_name__good_and_bad_utf8__told_apart(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool valid;
    } cases[] = {
        {"a", true},
        {"with spaces, and / : \\", true},
        {"\x7e", true},
        {"\xc2\xa0", true},         /* U+00A0, the first after the control characters */
        {"\xdf\xbf", true},         /* U+07FF */
        {"\xe0\xa0\x80", true},     /* U+0800 */
        {"\xed\x9f\xbf", true},     /* U+D7FF */
        {"\xee\x80\x80", true},     /* U+E000 */
        {"\xef\xbf\xbf", true},     /* U+FFFF */
        {"\xf0\x90\x80\x80", true}, /* U+10000 */
        {"\xf4\x8f\xbf\xbf", true}, /* U+10FFFF */
        {"", false},
        {"\x1f", false},
        {"a\nb", false},
        {"\x7f", false},
        {"\x80", false},
        {"\xbf", false},
        {"\xc0\x80", false},
        {"\xc1\xbf", false},
        {"\xc2", false},
        {"\xc2\x41", false},
        {"\xc2\x80", false}, /* U+0080, a control character */
        {"\xc2\x9f", false},
        {"\xe0\x9f\xbf", false}, /* too long a form */
        {"\xe0\xa0", false},
        {"\xed\xa0\x80", false}, /* a surrogate */
        {"\xf0\x8f\xbf\xbf", false},
        {"\xf4\x90\x80\x80", false}, /* beyond U+10FFFF */
        {"\xf5\x80\x80\x80", false},
        {"\xff", false},
        {"good\xf0\x90\x80", false},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (ssn_name_valid(cases[i].name) != cases[i].valid) {
            fail_msg("case %u", i);
        }
    }
    assert_false(ssn_name_valid(NULL));
}

static void test_name__more_than_255_bytes__refused(void **state) {
    (void)state;
    char name[SELSNAP_NAME_MAX + 2];
    memset(name, 'n', sizeof name);
    name[SELSNAP_NAME_MAX] = '\0';
    assert_true(ssn_name_valid(name));
    name[SELSNAP_NAME_MAX] = 'n';
    name[SELSNAP_NAME_MAX + 1] = '\0';
    assert_false(ssn_name_valid(name));
    /* Two bytes of one character, of which only one would fit. */
    name[SELSNAP_NAME_MAX - 1] = '\xc3';
    name[SELSNAP_NAME_MAX] = '\xa4';
    assert_false(ssn_name_valid(name));
    name[SELSNAP_NAME_MAX - 2] = '\xc3';
    name[SELSNAP_NAME_MAX - 1] = '\xa4';
    name[SELSNAP_NAME_MAX] = '\0';
    assert_true(ssn_name_valid(name));
}

static void test_name__longest__fits_the_records(void **state) {
    (void)state;
    struct ssn_designation_record record = {.state = SSN_DESIGNATION_READY, .blocks = 1, .ranges = 1};
    struct ssn_designation_record again;
    uint8_t p[SSN_VALUE_MAX];
    memset(record.name, 'x', SELSNAP_NAME_MAX);
    uint16_t len = ssn_designation_record_encode(p, &record);
    assert_int_equal(len, 24 + SELSNAP_NAME_MAX);
    assert_true(ssn_designation_record_decode(p, len, &again));
    assert_string_equal(again.name, record.name);
    assert_false(ssn_designation_record_decode(p, (uint16_t)(len + 1), &again));
}

static void test_property__good_and_bad__told_apart(void **state) {
    (void)state;
    char key[SELSNAP_PROPERTY_KEY_MAX + 1];
    char value[SELSNAP_PROPERTY_VALUE_MAX + 1];
    static const struct {
        const char *bytes;
        uint16_t len;
        const char *key; /* NULL: malformed */
        const char *value;
    } cases[] = {
        {"\x03keyvalue", 9, "key", "value"},
        {"\x03key", 4, "key", ""},
        {"\x02k\xc3\xa4", 4, NULL, NULL}, /* the character is cut between key and value */
        {"\x03k\xc3\xa4\xe2\x82\xac", 7, "k\xc3\xa4", "\xe2\x82\xac"},
        {"", 0, NULL, NULL},
        {"\0value", 6, NULL, NULL},
        {"\x03ke", 3, NULL, NULL},
        {"\x03k\0yvalue", 9, NULL, NULL},
        {"\x03k\nyvalue", 9, NULL, NULL},
        {"\x03keyva\0ue", 9, NULL, NULL},
        {"\x03keyvalu\0", 9, NULL, NULL},
        {"\x03keyva\nue", 9, NULL, NULL},
        {"\x03keyvalu\xc3", 9, NULL, NULL},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool good = ssn_property_decode((const uint8_t *)cases[i].bytes, cases[i].len, key, value);
        if (good != (cases[i].key != NULL) || (good && strcmp(key, cases[i].key) != 0) ||
            (good && strcmp(value, cases[i].value) != 0)) {
            fail_msg("case %u", i);
        }
    }
}

static void test_property__longest__comes_back_and_one_more_is_refused(void **state) {
    (void)state;
    uint8_t p[SSN_VALUE_MAX + 1];
    char key[SELSNAP_PROPERTY_KEY_MAX + 1];
    char value[SELSNAP_PROPERTY_VALUE_MAX + 1];
    memset(p, 'v', sizeof p);
    memset(p + 1, 'k', SELSNAP_PROPERTY_KEY_MAX);
    p[0] = SELSNAP_PROPERTY_KEY_MAX;
    uint16_t len = 1 + SELSNAP_PROPERTY_KEY_MAX + SELSNAP_PROPERTY_VALUE_MAX;
    assert_true(ssn_property_decode(p, len, key, value));
    assert_int_equal(strlen(key), SELSNAP_PROPERTY_KEY_MAX);
    assert_int_equal(strlen(value), SELSNAP_PROPERTY_VALUE_MAX);
    p[0] = 1;
    assert_true(ssn_property_decode(p, 2 + SELSNAP_PROPERTY_VALUE_MAX, key, value));
    assert_false(ssn_property_decode(p, 3 + SELSNAP_PROPERTY_VALUE_MAX, key, value));
}

static void test_name_hash__kind_and_name__as_documented(void **state) {
    (void)state;
    assert_true(ssn_name_hash(SSN_NAME_SNAPSHOT, "abc") == ssn_checksum("\x01"
                                                                        "abc",
                                                                        4));
    assert_true(ssn_name_hash(SSN_NAME_DESIGNATION, "abc") == ssn_checksum("\x02"
                                                                           "abc",
                                                                           4));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record__as_documented__comes_back_the_same),
        cmocka_unit_test(test_record__a_reserved_bit_set__is_refused),
        cmocka_unit_test(test_record__any_other_length__is_refused),
        cmocka_unit_test(test_record__value_out_of_range__is_refused),
        cmocka_unit_test(test_entry_major__parts__come_back),
        cmocka_unit_test(test_entry__data_length__goes_by_the_level),
        cmocka_unit_test(test_ranges__good_and_bad__told_apart),
        cmocka_unit_test(test_name__good_and_bad_utf8__told_apart),
        cmocka_unit_test(test_name__more_than_255_bytes__refused),
        cmocka_unit_test(test_name__longest__fits_the_records),
        cmocka_unit_test(test_property__good_and_bad__told_apart),
        cmocka_unit_test(test_property__longest__comes_back_and_one_more_is_refused),
        cmocka_unit_test(test_name_hash__kind_and_name__as_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
