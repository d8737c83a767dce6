/* SPDX-License-Identifier: Apache-2.0 */
#include "stream_rig.h"

#include <stdlib.h>
#include <string.h>

int tape_write(void *user, const void *buf, size_t len) {
    struct tape *tape = user;
    assert_true(len > 0);
    if (++tape->calls == tape->fails_at) {
        return SELSNAP_EIO;
    }
    tape->bytes = realloc(tape->bytes, tape->len + len);
    assert_non_null(tape->bytes);
    memcpy(tape->bytes + tape->len, buf, len);
    tape->len += len;
    return 0;
}

int64_t tape_read(void *user, void *buf, size_t len) {
    struct tape *tape = user;
    assert_true(len > 0);
    if (++tape->calls == tape->fails_at) {
        return SELSNAP_EIO;
    }
    size_t end = tape->cut != 0 ? tape->cut : tape->len;
    size_t left = end > tape->at ? end - tape->at : 0;
    size_t part = len < left ? len : left;
    part = tape->most != 0 && part > tape->most ? tape->most : part;
    if (part > 0) {
        memcpy(buf, tape->bytes + tape->at, part);
    }
    tape->at += part;
    return (int64_t)part;
}

void tape_rewind(struct tape *tape) {
    tape->at = 0;
    tape->calls = 0;
}

void tape_free(struct tape *tape) {
    free(tape->bytes);
    memset(tape, 0, sizeof *tape);
}

void streams_open(struct streams *streams, const struct rig_options *options) {
    struct rig_options backup = {0};
    if (options != NULL) {
        backup = *options;
    }
    backup.blank = true;
    rig_open(&streams->source, options);
    rig_open(&streams->backup, &backup);
}

void streams_close(struct streams *streams) {
    rig_close(&streams->source);
    rig_close(&streams->backup);
}

selsnap_stream_info streams_export(struct streams *streams, uint64_t id, uint64_t base, struct tape *tape) {
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    selsnap_stream_info info = {.struct_size = sizeof info};
    options.id = id;
    options.base_id = base;
    assert_ok(selsnap_export(streams->source.ss, &options, tape_write, tape, &info));
    assert_int_equal(info.stream_bytes, tape->len);
    return info;
}

int streams_try_import(struct streams *streams, struct tape *tape, uint32_t flags, uint64_t *ret_id,
                       selsnap_stream_info *ret_info) {
    selsnap_import_options options = SELSNAP_IMPORT_OPTIONS_INIT;
    options.flags = flags;
    tape_rewind(tape);
    memset(ret_info, 0, sizeof *ret_info);
    ret_info->struct_size = sizeof *ret_info;
    return selsnap_import(streams->backup.ss, tape_read, tape, &options, ret_id, ret_info);
}

uint64_t streams_import(struct streams *streams, struct tape *tape) {
    selsnap_stream_info info;
    uint64_t id = 0;
    int code = streams_try_import(streams, tape, 0, &id, &info);
    if (code != SELSNAP_OK) {
        char text[400];
        (void)selsnap_last_error(streams->backup.ss, text, sizeof text);
        fail_msg("import: %s: %s", selsnap_error_name(code), text);
    }
    assert_int_equal(info.state, SELSNAP_STREAM_WHOLE);
    return id;
}

void streams_assert_same(struct streams *streams, uint64_t source_id, uint64_t backup_id) {
    struct rig *source = &streams->source;
    uint8_t *a = malloc(source->block_bytes);
    uint8_t *b = malloc(source->block_bytes);
    selsnap_subset *subset;
    assert_non_null(a);
    assert_non_null(b);
    assert_ok(selsnap_snapshot_get_subset(source->ss, source_id, &subset));
    selsnap_view *from = rig_view(source, source_id, SELSNAP_VIEW_PRISTINE, SELSNAP_UNDESIGNATED_ERROR);
    selsnap_view *to = rig_view(&streams->backup, backup_id, 0, SELSNAP_UNDESIGNATED_ERROR);
    selsnap_range range = {0, 0};
    while (selsnap_subset_next(subset, range.offset + range.len, &range) == SELSNAP_OK) {
        for (uint64_t at = range.offset; at < range.offset + range.len; at += source->block_bytes) {
            uint64_t left = range.offset + range.len - at;
            size_t len = left < source->block_bytes ? (size_t)left : source->block_bytes;
            assert_ok(selsnap_view_read(from, a, len, at));
            assert_ok(selsnap_view_read(to, b, len, at));
            assert_memory_equal(a, b, len);
        }
    }
    assert_ok(selsnap_view_close(from));
    assert_ok(selsnap_view_close(to));
    selsnap_subset_close(subset);
    free(a);
    free(b);
}

uint8_t *streams_content(selsnap_device *device, size_t *ret_len) {
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    assert_ok(selsnap_device_get_info(device, &info));
    uint8_t *bytes = malloc((size_t)info.size_bytes);
    assert_non_null(bytes);
    assert_ok(selsnap_device_read(device, bytes, (size_t)info.size_bytes, 0));
    *ret_len = (size_t)info.size_bytes;
    return bytes;
}
