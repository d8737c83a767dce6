/* SPDX-License-Identifier: Apache-2.0 */
/* Compression of streams, with libzstd (SSN_ZSTD) and without: what is asked for is done, or refused with the reason. */
#include "rig.h"
#include "streamcodec.h"
#include "tape.h"

#include <string.h>

#ifdef SSN_ZSTD
enum { HAS_ZSTD = 1 };
#else
enum { HAS_ZSTD = 0 };
#endif

enum { BLOCK = 4096, BLOCKS = 8, PACKED_LEN = 40 };

static struct tape tape;

/* A snapshot whose blocks are all the same byte, each its own. */
static uint64_t make_snapshot(struct rig *rig) {
    uint8_t block[BLOCK];
    for (uint64_t i = 0; i < BLOCKS; i++) {
        memset(block, 'a' + (int)i, sizeof block);
        assert_ok(selsnap_write(rig->ss, block, sizeof block, i * BLOCK));
    }
    return rig_snapshot(rig, "one", 0, BLOCKS);
}

static int export_level(struct rig *rig, uint64_t id, int32_t level) {
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    options.id = id;
    options.level = level;
    tape.len = 0;
    tape.at = 0;
    return selsnap_export(rig->ss, &options, tape_write, &tape, NULL);
}

static int verify(char *text, size_t size) {
    selsnap_stream_options options = SELSNAP_STREAM_OPTIONS_INIT;
    options.ret_message = text;
    options.message_size = size;
    tape.at = 0;
    return selsnap_stream_verify(tape_read, &tape, &options, NULL);
}

/* Makes the first data record one that says that it is compressed, of `PACKED_LEN` bytes that no zstd made. */
static void forge_packed(void) {
    struct ssn_stream_head head;
    size_t at = 0;
    do {
        assert_true(at + SSN_STREAM_HEAD_SIZE <= tape.len);
        assert_true(ssn_stream_head_decode(tape.bytes + at, &head));
        at += SSN_STREAM_HEAD_SIZE + (size_t)head.len;
    } while (head.type != SSN_STREAM_DATA);
    at -= SSN_STREAM_HEAD_SIZE + (size_t)head.len;
    assert_int_equal(head.kind, SSN_STREAM_RAW);
    head.kind = SSN_STREAM_ZSTD;
    head.len = PACKED_LEN;
    (void)ssn_stream_head_encode(tape.bytes + at, &head, tape.bytes + at + SSN_STREAM_HEAD_SIZE);
}

static void test_export__levels__packed_or_refused(void **state) {
    (void)state;
    struct rig rig;
    char text[300] = "";
    rig_open(&rig, NULL);
    uint64_t id = make_snapshot(&rig);
    assert_ok(export_level(&rig, id, -1));
    assert_true(tape.len > BLOCKS * BLOCK);
    assert_ok(verify(text, sizeof text));
    assert_ok(export_level(&rig, id, 0));
    assert_int_equal(tape.len < BLOCKS * BLOCK, HAS_ZSTD);
    assert_ok(verify(text, sizeof text));
    int code = export_level(&rig, id, 1);
    if (HAS_ZSTD) {
        assert_int_equal(code, SELSNAP_OK);
        assert_true(tape.len < BLOCKS * BLOCK);
        assert_ok(verify(text, sizeof text));
    } else {
        assert_int_equal(code, SELSNAP_ENOTSUP);
        assert_int_equal(tape.len, 0);
        assert_int_equal(selsnap_last_error(rig.ss, text, sizeof text), SELSNAP_ENOTSUP);
        assert_non_null(strstr(text, "libzstd"));
    }
    rig_close(&rig);
}

static void test_verify__packed_record__unpacked_or_refused_as_what_it_is(void **state) {
    (void)state;
    struct rig rig;
    char text[300] = "";
    rig_open(&rig, NULL);
    uint64_t id = make_snapshot(&rig);
    assert_ok(export_level(&rig, id, -1));
    forge_packed();
    assert_int_equal(verify(text, sizeof text), HAS_ZSTD ? SELSNAP_ESTREAM : SELSNAP_ENOTSUP);
    assert_non_null(strstr(text, HAS_ZSTD ? "unpacked" : "libzstd"));
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_export__levels__packed_or_refused),
        cmocka_unit_test(test_verify__packed_record__unpacked_or_refused_as_what_it_is),
    };
    return cmocka_run_group_tests_name("stream_packed", tests, NULL, NULL);
}
