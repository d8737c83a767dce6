/* SPDX-License-Identifier: Apache-2.0 */
/* The records of a stream, and the note of what was received, byte by byte: each field that makes no sense is refused. */
#include "received.h"
#include "streamcodec.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

static struct ssn_stream_header *sample(void) {
    struct ssn_stream_header *header = calloc(1, sizeof *header);
    assert_non_null(header);
    header->major = SSN_STREAM_MAJOR;
    header->flags = SSN_STREAM_FLAG_INCREMENT | SELSNAP_STREAM_SOME;
    header->block_bytes = 4096;
    header->origin_bytes = 100 * 4096 + 512;
    memset(header->store_id, 7, sizeof header->store_id);
    header->snapshot_id = 9;
    header->point = 5;
    header->time_ns = -3;
    memset(header->base_store_id, 7, sizeof header->base_store_id);
    header->base_snapshot_id = 8;
    header->base_point = 4;
    header->ranges_digest = 77;
    header->range_count = 2;
    header->block_count = 50;
    strcpy(header->name, "noon");
    header->property_count = 2;
    strcpy(header->properties[0].key, "a");
    strcpy(header->properties[1].key, "b");
    strcpy(header->properties[1].value, "what");
    return header;
}

static void test_header__encoded__decodes_to_the_same(void **state) {
    (void)state;
    struct ssn_stream_header *header = sample();
    struct ssn_stream_header *again = calloc(1, sizeof *again);
    uint8_t bytes[SSN_STREAM_HEADER_MAX];
    uint32_t len = ssn_stream_header_encode(bytes, header);
    assert_null(ssn_stream_header_decode(bytes, len, again));
    assert_memory_equal(header, again, sizeof *header);
    for (uint32_t cut = 0; cut < len; cut++) {
        uint8_t *exact = malloc(cut > 0 ? cut : 1);
        memcpy(exact, bytes, cut);
        assert_non_null(ssn_stream_header_decode(exact, cut, again));
        free(exact);
    }
    assert_non_null(ssn_stream_header_decode(bytes, len + 1, again));
    free(header);
    free(again);
}

static void test_header__one_field_hostile__refused(void **state) {
    (void)state;
    static const struct {
        unsigned at;
        uint8_t byte;
    } changes[] = {
        {0, 's'},    /* magic */
        {8, 2},      /* major */
        {12, 0x0b},  /* flags: as changed and an increment */
        {14, 1},     /* a flag that is not known */
        {12, 0x00},  /* a digest of ranges without the flag */
        {13, 0x00},  /* a base without the flag */
        {17, 0},     /* block size 0 */
        {17, 0x30},  /* no power of two */
        {19, 0x10},  /* too large */
        {20, 0},     /* no name */
        {21, 200},   /* a name longer than all */
        {22, 3},     /* one property more than there are */
        {22, 1},     /* one fewer */
        {22, 17},    /* more than allowed */
        {31, 0x80},  /* an origin beyond 2^63 */
        {48, 0},     /* no snapshot */
        {56, 0},     /* no point */
        {96, 6},     /* a base that is younger */
        {96, 0},     /* a base without a point */
        {88, 0},     /* a base without an id */
        {104, 0},    /* the flag without a digest */
        {112, 0},    /* no range */
        {112, 51},   /* more ranges than blocks */
        {120, 102},  /* more blocks than the origin has */
        {128, 1},    /* reserved */
        {143, 1},    /* reserved */
        {144, 1},    /* a control character in the name */
        {148, 0},    /* a property without a key */
        {151, 'c'},  /* keys that do not rise */
        {153, 0xff}, /* a value longer than what is left */
    };
    struct ssn_stream_header *header = sample();
    struct ssn_stream_header *again = calloc(1, sizeof *again);
    uint8_t bytes[SSN_STREAM_HEADER_MAX];
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        uint32_t len = ssn_stream_header_encode(bytes, header);
        assert_int_not_equal(bytes[changes[i].at], changes[i].byte);
        bytes[changes[i].at] = changes[i].byte;
        if (ssn_stream_header_decode(bytes, len, again) == NULL) {
            fail_msg("byte %u as %u is accepted", changes[i].at, changes[i].byte);
        }
    }
    free(header);
    free(again);
}

static void test_head__one_field_hostile__refused(void **state) {
    (void)state;
    const struct ssn_stream_head good[] = {
        {.type = SSN_STREAM_HEADER, .len = 200},
        {.type = SSN_STREAM_RANGES, .len = 32},
        {.type = SSN_STREAM_RESUME, .len = SSN_STREAM_RESUME_SIZE},
        {.type = SSN_STREAM_DATA, .kind = SSN_STREAM_RAW, .len = 4096, .blocks = 1, .first = 3},
        {.type = SSN_STREAM_DATA, .kind = SSN_STREAM_ZSTD, .len = 50, .blocks = 2},
        {.type = SSN_STREAM_DATA, .kind = SSN_STREAM_ZEROS, .blocks = SSN_STREAM_RUN_MAX},
        {.type = SSN_STREAM_DATA, .kind = SSN_STREAM_LOST, .blocks = 1},
        {.type = SSN_STREAM_END, .len = SSN_STREAM_END_SIZE},
    };
    const struct ssn_stream_head bad[] = {
        {.type = 0},
        {.type = 6, .len = 1},
        {.type = SSN_STREAM_HEADER, .len = SSN_STREAM_FIXED},
        {.type = SSN_STREAM_HEADER, .len = SSN_STREAM_HEADER_MAX + 1},
        {.type = SSN_STREAM_HEADER, .len = 200, .blocks = 1},
        {.type = SSN_STREAM_HEADER, .len = 200, .kind = 1},
        {.type = SSN_STREAM_RANGES, .len = 0},
        {.type = SSN_STREAM_RANGES, .len = 24},
        {.type = SSN_STREAM_RANGES, .len = 16 * (SSN_STREAM_RANGES_MAX + 1)},
        {.type = SSN_STREAM_RESUME, .len = SSN_STREAM_RESUME_SIZE + 8},
        {.type = SSN_STREAM_DATA, .kind = 0, .len = 4096, .blocks = 1},
        {.type = SSN_STREAM_DATA, .kind = 5, .len = 4096, .blocks = 1},
        {.type = SSN_STREAM_DATA, .kind = SSN_STREAM_RAW, .len = 0, .blocks = 1},
        {.type = SSN_STREAM_DATA, .kind = SSN_STREAM_RAW, .len = 4096, .blocks = 0},
        {.type = SSN_STREAM_DATA, .kind = SSN_STREAM_RAW, .len = SELSNAP_BLOCK_SIZE_MAX + 1, .blocks = 1},
        {.type = SSN_STREAM_DATA, .kind = SSN_STREAM_ZEROS, .len = 1, .blocks = 1},
        {.type = SSN_STREAM_DATA, .kind = SSN_STREAM_ZEROS, .blocks = SSN_STREAM_RUN_MAX + 1u},
        {.type = SSN_STREAM_DATA, .kind = SSN_STREAM_LOST, .len = 8, .blocks = 1},
        {.type = SSN_STREAM_END, .len = 0},
        {.type = SSN_STREAM_END, .len = SSN_STREAM_END_SIZE, .first = 1},
    };
    uint8_t *payload = calloc(1, SELSNAP_BLOCK_SIZE_MAX + 1);
    uint8_t bytes[SSN_STREAM_HEAD_SIZE];
    struct ssn_stream_head got;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        (void)ssn_stream_head_encode(bytes, &good[i], payload);
        assert_true(ssn_stream_head_decode(bytes, &got));
        assert_true(ssn_stream_head_checks(bytes, &got, payload));
        assert_true(got.type == good[i].type && got.len == good[i].len && got.first == good[i].first);
        bytes[0] ^= 1;
        assert_false(ssn_stream_head_decode(bytes, &got));
        bytes[0] ^= 1;
        bytes[7] = 1;
        assert_false(ssn_stream_head_decode(bytes, &got));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)ssn_stream_head_encode(bytes, &bad[i], payload);
        if (ssn_stream_head_decode(bytes, &got)) {
            fail_msg("head %zu is accepted", i);
        }
    }
    free(payload);
}

static void test_token__changed_anywhere__refused(void **state) {
    (void)state;
    const struct ssn_stream_place place = {11, 3, 40, 12, 20, 10, 1};
    struct ssn_stream_place got;
    selsnap_stream_token token;
    ssn_stream_token_make(&token, &place);
    assert_true(ssn_stream_token_read(&token, &got));
    assert_memory_equal(&got, &place, sizeof place);
    for (size_t i = sizeof token.struct_size; i < sizeof token; i++) {
        ((uint8_t *)&token)[i] ^= 0x10;
        assert_false(ssn_stream_token_read(&token, &got));
        ((uint8_t *)&token)[i] ^= 0x10;
    }
    /* Sound, and yet none that can be: more blocks told than there were, more records than blocks. */
    const struct ssn_stream_place wrong[] = {{11, 3, 30, 12, 20, 10, 1}, {11, 32, 40, 12, 20, 10, 1}};
    for (size_t i = 0; i < 2; i++) {
        ssn_stream_token_make(&token, &wrong[i]);
        assert_false(ssn_stream_token_read(&token, &got));
    }
}

static void test_received__each_state__decodes_and_refuses(void **state) {
    (void)state;
    const struct ssn_received_record records[] = {
        {.state = SSN_RECEIVED_WHOLE, .flags = 5, .store_id = {1}, .snapshot_id = 2, .point = 3, .lost_blocks = 4},
        {.state = SSN_RECEIVED_UNFINISHED,
         .snapshot_id = 2,
         .point = 3,
         .ranges_digest = 9,
         .key = 5,
         .records = 6,
         .next_block = 7,
         .digest = 8,
         .data_blocks = 9,
         .zero_blocks = 10},
    };
    static const unsigned hostile[] = {0, 1, 2, 7};
    for (size_t i = 0; i < 2; i++) {
        uint8_t bytes[SSN_VALUE_MAX];
        struct ssn_received_record got;
        uint16_t len = ssn_received_record_encode(bytes, &records[i]);
        assert_true(ssn_received_record_decode(bytes, len, &got));
        assert_memory_equal(&got, &records[i], sizeof got);
        assert_false(ssn_received_record_decode(bytes, (uint16_t)(len - 1), &got));
        assert_false(ssn_received_record_decode(bytes, (uint16_t)(len + 1), &got));
        for (size_t k = 0; k < sizeof hostile / sizeof hostile[0]; k++) {
            bytes[hostile[k]] ^= 0x80;
            assert_false(ssn_received_record_decode(bytes, len, &got));
            bytes[hostile[k]] ^= 0x80;
        }
        bytes[24] = 0;
        assert_false(ssn_received_record_decode(bytes, len, &got));
        bytes[24] = 2;
        bytes[32] = 0;
        assert_false(ssn_received_record_decode(bytes, len, &got));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header__encoded__decodes_to_the_same),
        cmocka_unit_test(test_header__one_field_hostile__refused),
        cmocka_unit_test(test_head__one_field_hostile__refused),
        cmocka_unit_test(test_token__changed_anywhere__refused),
        cmocka_unit_test(test_received__each_state__decodes_and_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
