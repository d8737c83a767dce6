/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COPY_BYTES = 1 << 20 };

static uint64_t or_default(uint64_t value, uint64_t fallback) {
    return value != 0 ? value : fallback;
}

static uint64_t journal_bytes(const struct rig *rig) {
    return or_default(rig->options.journal_bytes, 256 << 10);
}

static uint64_t memory_limit(const struct rig *rig) {
    uint64_t usual = (16 << 20) + 4 * journal_bytes(rig) + 2 * rig->options.deferred;
    uint64_t given = rig->options.memory_limit;
    return given == RIG_LIBRARY_MEMORY ? 0 : or_default(given, usual);
}

static uint32_t writer_of(uint64_t sequence) {
    return sequence == 0 ? 0 : 1;
}

static uint64_t device_bytes(selsnap_device *device) {
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    assert_ok(selsnap_device_get_info(device, &info));
    return info.size_bytes;
}

static void fill_origin(struct rig *rig) {
    uint8_t *buf = malloc(COPY_BYTES);
    assert_non_null(buf);
    uint64_t size = device_bytes(rig->origin);
    for (uint64_t at = 0; at < size; at += COPY_BYTES) {
        size_t part = size - at < COPY_BYTES ? (size_t)(size - at) : COPY_BYTES;
        pattern_fill(buf, part, at, 0, 0);
        assert_ok(selsnap_device_write(rig->origin, buf, part, at));
    }
    assert_ok(selsnap_device_flush(rig->origin));
    free(buf);
}

void rig_open_on(struct rig *rig, selsnap_device *origin, selsnap_device *store, const struct rig_options *options) {
    memset(rig, 0, sizeof *rig);
    if (options != NULL) {
        rig->options = *options;
    }
    rig->origin_base = origin;
    rig->store_base = store;
    assert_ok(selsnap_device_open_counting(origin, &rig->origin));
    assert_ok(selsnap_device_open_counting(store, &rig->store));
    if (!rig->options.blank) {
        fill_origin(rig);
    }
    char message[256] = "";
    selsnap_format_options format = SELSNAP_FORMAT_OPTIONS_INIT;
    format.block_bytes = rig->options.block_bytes;
    format.journal_bytes = journal_bytes(rig);
    format.ret_message = message;
    format.message_size = sizeof message;
    int code = selsnap_format(rig->store, rig->origin, &format);
    if (code != SELSNAP_OK) {
        fail_msg("format: %s: %s", selsnap_error_name(code), message);
    }
    rig_start(rig);
    rig->block_bytes = selsnap_block_size(rig->ss);
    rig->block_count = (selsnap_size(rig->ss) + rig->block_bytes - 1) / rig->block_bytes;
    rig_reset_counts(rig);
}

void rig_open(struct rig *rig, const struct rig_options *options) {
    const struct rig_options none = {0};
    const struct rig_options *given = options != NULL ? options : &none;
    selsnap_device *origin = NULL;
    selsnap_device *store = NULL;
    assert_ok(selsnap_device_open_memory(or_default(given->origin_bytes, 64 * 4096), given->logical, &origin));
    assert_ok(selsnap_device_open_memory(or_default(given->store_bytes, 8 << 20), 0, &store));
    rig_open_on(rig, origin, store, given);
}

int rig_try_start(struct rig *rig) {
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.flags = rig->options.open_flags | (rig->options.ahead ? 0 : SELSNAP_OPEN_NO_AHEAD);
    options.memory_limit = memory_limit(rig);
    options.deferred_bytes = rig->options.deferred;
    options.allocator = heap_allocator(&rig->heap);
    options.event = rig->options.event;
    options.event_user = rig->options.event_user;
    char message[256] = "";
    options.ret_message = message;
    options.message_size = sizeof message;
    rig->ss = NULL;
    int code = selsnap_open(rig->store, rig->origin, &options, &rig->ss);
    if (code != SELSNAP_OK) {
        assert_null(rig->ss);
    }
    return code;
}

void rig_start(struct rig *rig) {
    int code = rig_try_start(rig);
    if (code != SELSNAP_OK) {
        fail_msg("open: %s", selsnap_error_name(code));
    }
}

void rig_stop(struct rig *rig) {
    assert_ok(selsnap_close(rig->ss));
    rig->ss = NULL;
    assert_int_equal(rig->heap.live, 0);
}

void rig_reopen(struct rig *rig) {
    rig_stop(rig);
    rig_start(rig);
}

selsnap_device *rig_copy_device(selsnap_device *device) {
    uint64_t size = device_bytes(device);
    selsnap_device *copy = NULL;
    uint8_t *buf = malloc(COPY_BYTES);
    assert_non_null(buf);
    assert_ok(selsnap_device_open_memory(size, 0, &copy));
    for (uint64_t at = 0; at < size; at += COPY_BYTES) {
        size_t part = size - at < COPY_BYTES ? (size_t)(size - at) : COPY_BYTES;
        assert_ok(selsnap_device_read(device, buf, part, at));
        assert_ok(selsnap_device_write(copy, buf, part, at));
    }
    free(buf);
    return copy;
}

static void close_devices(struct rig *rig) {
    selsnap_device_close(rig->origin);
    selsnap_device_close(rig->store);
    selsnap_device_close(rig->origin_base);
    selsnap_device_close(rig->store_base);
}

void rig_crash(struct rig *rig) {
    selsnap_device *origin = rig_copy_device(rig->origin_base);
    selsnap_device *store = rig_copy_device(rig->store_base);
    int code = selsnap_close(rig->ss);
    assert_int_not_equal(code, SELSNAP_EBUSY);
    assert_int_equal(rig->heap.live, 0);
    close_devices(rig);
    rig->origin_base = origin;
    rig->store_base = store;
    assert_ok(selsnap_device_open_counting(origin, &rig->origin));
    assert_ok(selsnap_device_open_counting(store, &rig->store));
    rig_start(rig);
}

void rig_close(struct rig *rig) {
    if (rig->ss != NULL) {
        rig_stop(rig);
    }
    close_devices(rig);
    memset(rig, 0, sizeof *rig);
}

static selsnap_device_counts get_counts(selsnap_device *device, int reset) {
    selsnap_device_counts counts = {0};
    counts.struct_size = sizeof counts;
    assert_ok(selsnap_device_get_counts(device, &counts, reset));
    return counts;
}

void rig_reset_counts(struct rig *rig) {
    (void)get_counts(rig->origin, 1);
    (void)get_counts(rig->store, 1);
}

selsnap_device_counts rig_origin_counts(struct rig *rig) {
    return get_counts(rig->origin, 0);
}

selsnap_device_counts rig_store_counts(struct rig *rig) {
    return get_counts(rig->store, 0);
}

selsnap_stats rig_stats(struct rig *rig) {
    selsnap_stats stats = SELSNAP_STATS_INIT;
    assert_ok(selsnap_get_stats(rig->ss, &stats));
    return stats;
}

/* Bytes of blocks; the origin's last block may be short. */
static size_t span_bytes(const struct rig *rig, uint64_t first_block, uint64_t count) {
    uint64_t size = selsnap_size(rig->ss);
    uint64_t begin = first_block * rig->block_bytes;
    uint64_t end = (first_block + count) * rig->block_bytes;
    return (size_t)((end < size ? end : size) - begin);
}

int rig_try_write(struct rig *rig, uint64_t first_block, uint64_t count, uint64_t sequence) {
    size_t len = span_bytes(rig, first_block, count);
    uint8_t *buf = malloc(len);
    assert_non_null(buf);
    pattern_fill(buf, len, first_block * rig->block_bytes, writer_of(sequence), sequence);
    int code = selsnap_write(rig->ss, buf, len, first_block * rig->block_bytes);
    free(buf);
    return code;
}

void rig_write(struct rig *rig, uint64_t first_block, uint64_t count, uint64_t sequence) {
    int code = rig_try_write(rig, first_block, count, sequence);
    if (code != SELSNAP_OK) {
        char text[256];
        (void)selsnap_last_error(rig->ss, text, sizeof text);
        fail_msg("write of block %" PRIu64 ": %s: %s", first_block, selsnap_error_name(code), text);
    }
}

static void assert_pattern(const uint8_t *buf, size_t len, uint64_t offset, uint64_t sequence, const char *what) {
    if (pattern_is(buf, len, offset, writer_of(sequence), sequence)) {
        return;
    }
    for (size_t at = 0; at < len; at += PATTERN_SECTOR) {
        if (!pattern_is(buf + at, PATTERN_SECTOR, offset + at, writer_of(sequence), sequence)) {
            char text[160];
            pattern_describe(buf + at, text, sizeof text);
            fail_msg("%s at byte %" PRIu64 ": expected sector %" PRIu64 " at %" PRIu64 ", got %s", what, offset + at,
                     (offset + at) / PATTERN_SECTOR, sequence, text);
        }
    }
}

void rig_assert_live(struct rig *rig, uint64_t first_block, uint64_t count, uint64_t sequence) {
    size_t len = span_bytes(rig, first_block, count);
    uint8_t *buf = malloc(len);
    assert_non_null(buf);
    assert_ok(selsnap_read(rig->ss, buf, len, first_block * rig->block_bytes));
    assert_pattern(buf, len, first_block * rig->block_bytes, sequence, "live device");
    free(buf);
}

void rig_assert_origin(struct rig *rig, uint64_t first_block, uint64_t count, uint64_t sequence) {
    size_t len = span_bytes(rig, first_block, count);
    uint8_t *buf = malloc(len);
    assert_non_null(buf);
    assert_ok(selsnap_device_read(rig->origin_base, buf, len, first_block * rig->block_bytes));
    assert_pattern(buf, len, first_block * rig->block_bytes, sequence, "origin");
    free(buf);
}

selsnap_subset *rig_subset(struct rig *rig, uint64_t first_block, uint64_t count) {
    selsnap_subset *subset = NULL;
    assert_ok(selsnap_subset_open_for(rig->ss, &subset));
    uint64_t offset = count == 0 ? 0 : first_block * rig->block_bytes;
    uint64_t len = count == 0 ? selsnap_size(rig->ss) : span_bytes(rig, first_block, count);
    assert_ok(selsnap_subset_add(subset, offset, len));
    return subset;
}

int rig_try_snapshot(struct rig *rig, const char *name, uint64_t first_block, uint64_t count, uint32_t policy,
                     uint64_t *ret_id) {
    selsnap_subset *subset = rig_subset(rig, first_block, count);
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = name;
    options.policy = policy;
    options.subset = subset;
    int code = selsnap_snapshot_create(rig->ss, &options, ret_id);
    selsnap_subset_close(subset);
    return code;
}

uint64_t rig_snapshot(struct rig *rig, const char *name, uint64_t first_block, uint64_t count) {
    uint64_t id = 0;
    assert_ok(rig_try_snapshot(rig, name, first_block, count, SELSNAP_POLICY_FAIL_WRITE, &id));
    assert_int_not_equal(id, 0);
    return id;
}

void rig_save(struct rig *rig, const char *name, uint64_t first_block, uint64_t count) {
    selsnap_subset *subset = rig_subset(rig, first_block, count);
    assert_ok(selsnap_designation_save(rig->ss, name, subset, NULL));
    selsnap_subset_close(subset);
}

uint64_t rig_snapshot_of(struct rig *rig, const char *name, const char *designation) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = name;
    options.designation = designation;
    uint64_t id = 0;
    assert_ok(selsnap_snapshot_create(rig->ss, &options, &id));
    return id;
}

selsnap_view *rig_view(struct rig *rig, uint64_t id, uint32_t flags, uint32_t undesignated) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = id;
    options.flags = flags;
    options.undesignated = undesignated;
    selsnap_view *view = NULL;
    assert_ok(selsnap_view_open(rig->ss, &options, &view));
    assert_non_null(view);
    return view;
}

int rig_read_snapshot(struct rig *rig, uint64_t id, uint64_t block, void *buf) {
    selsnap_view *view = rig_view(rig, id, 0, SELSNAP_UNDESIGNATED_ERROR);
    int code = selsnap_view_read(view, buf, span_bytes(rig, block, 1), block * rig->block_bytes);
    assert_ok(selsnap_view_close(view));
    return code;
}

void rig_assert_snapshot(struct rig *rig, uint64_t id, uint64_t first_block, uint64_t count, uint64_t sequence) {
    size_t len = span_bytes(rig, first_block, count);
    uint8_t *buf = malloc(len);
    assert_non_null(buf);
    selsnap_view *view = rig_view(rig, id, 0, SELSNAP_UNDESIGNATED_ERROR);
    assert_ok(selsnap_view_read(view, buf, len, first_block * rig->block_bytes));
    assert_ok(selsnap_view_close(view));
    assert_pattern(buf, len, first_block * rig->block_bytes, sequence, "snapshot");
    free(buf);
}

uint64_t rig_size_of(struct rig *rig, uint64_t id) {
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    assert_ok(selsnap_snapshot_get(rig->ss, id, &info));
    return info.origin_bytes;
}

void rig_assert_whole(struct rig *rig, uint64_t id, uint64_t bytes, uint64_t sequence) {
    uint8_t *buf = malloc(bytes + 1);
    assert_non_null(buf);
    selsnap_view *view = rig_view(rig, id, 0, SELSNAP_UNDESIGNATED_ERROR);
    assert_int_equal(rig_size_of(rig, id), bytes);
    assert_ok(selsnap_view_read(view, buf, bytes, 0));
    assert_true(pattern_is(buf, bytes, 0, sequence == 0 ? 0 : 1, sequence));
    assert_int_equal(selsnap_view_read(view, buf, 1, bytes), SELSNAP_ERANGE);
    assert_int_equal(selsnap_view_read(view, buf, bytes + 1, 0), SELSNAP_ERANGE);
    assert_ok(selsnap_view_close(view));
    free(buf);
}

uint32_t rig_state(struct rig *rig, uint64_t id, uint64_t block) {
    selsnap_map_range range = {0};
    assert_ok(selsnap_snapshot_map(rig->ss, id, block * rig->block_bytes, &range));
    assert_int_equal(range.offset, block * rig->block_bytes);
    assert_true(range.len > 0);
    return range.state;
}

void rig_settle(struct rig *rig) {
    uint32_t more = 1;
    for (unsigned steps = 0; more != 0; steps++) {
        assert_true(steps < 1000000);
        assert_ok(selsnap_step(rig->ss, NULL, &more));
    }
}

static int print_problem(void *user, const char *line) {
    if (*(const bool *)user) {
        print_error("check: %s\n", line);
    }
    return 0;
}

static uint64_t run_check(struct rig *rig, bool print) {
    selsnap_check_result result = {0};
    result.struct_size = sizeof result;
    assert_ok(selsnap_check(rig->ss, print_problem, &print, NULL, NULL, &result));
    return result.problems;
}

void rig_assert_sound(struct rig *rig) {
    assert_int_equal(run_check(rig, true), 0);
}

uint64_t rig_count_problems(struct rig *rig) {
    return run_check(rig, false);
}
