/* SPDX-License-Identifier: Apache-2.0 */
/* See readback.h. Each call may fail only with what its documentation names. */
#include "readback.h"

#include "codes.h"

enum { LIST_MAX = 100000, LINES_MAX = 200000, READ_BLOCKS = 32 };

static size_t block_len(uint64_t block) {
    return block + 1 == IMAGE_BLOCKS ? IMAGE_ORIGIN_BYTES - block * IMAGE_BLOCK : IMAGE_BLOCK;
}

/* Told apart by content; in the way of no fuzzer, which has nothing to learn here. */
#ifdef __clang__
__attribute__((no_sanitize("coverage")))
#endif
static uint64_t
hash(const uint8_t *bytes, size_t len) {
    uint64_t value = len;
    for (size_t i = 0; i < len; i += 8) {
        uint64_t part;
        memcpy(&part, bytes + i, 8);
        value = (value ^ part) * UINT64_C(0x9e3779b97f4a7c15);
        value ^= value >> 29;
    }
    return value >> 1; /* so that it is never taken for a code */
}

/* Many blocks at once, and each for itself where that fails. */
static void read_blocks(selsnap_view *view, uint64_t first, uint64_t count, uint64_t *ret_blocks) {
    static uint8_t buf[READ_BLOCKS * IMAGE_BLOCK];
    size_t len = (size_t)(count - 1) * IMAGE_BLOCK + block_len(first + count - 1);
    int code = selsnap_view_read(view, buf, len, first * IMAGE_BLOCK);
    code_in(code, CODES_READ | CODE(ELOST) | CODE(EABANDONED));
    for (uint64_t i = 0; i < count; i++) {
        if (code == SELSNAP_OK) {
            ret_blocks[i] = hash(buf + i * IMAGE_BLOCK, block_len(first + i));
        } else if (count > 1) {
            read_blocks(view, first + i, 1, ret_blocks + i);
        } else {
            ret_blocks[i] = (uint64_t)(int64_t)code;
        }
    }
}

static void read_view(selsnap *ss, uint64_t id, uint32_t flags, uint64_t *ret_blocks) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    options.id = id;
    options.flags = flags;
    options.undesignated = SELSNAP_UNDESIGNATED_ZEROS;
    int code = selsnap_view_open(ss, &options, &view);
    code_in(code, CODE(ENOENT) | CODE(ENODATA) | CODES_READ | CODE(EABANDONED));
    for (uint64_t block = 0; block < IMAGE_BLOCKS; block += READ_BLOCKS) {
        uint64_t count = IMAGE_BLOCKS - block < READ_BLOCKS ? IMAGE_BLOCKS - block : READ_BLOCKS;
        if (code == SELSNAP_OK) {
            read_blocks(view, block, count, ret_blocks + block);
        }
        for (uint64_t i = 0; code != SELSNAP_OK && i < count; i++) {
            ret_blocks[block + i] = (uint64_t)(int64_t)code;
        }
    }
    if (code == SELSNAP_OK) {
        code_in(selsnap_view_close(view), CODES_CHANGE);
    }
}

void readback_all(selsnap *ss, struct truth *ret_truth) {
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    ret_truth->count = 0;
    while (ret_truth->count < IMAGE_SNAPSHOTS && selsnap_snapshot_next(ss, info.id, &info) == SELSNAP_OK) {
        ret_truth->id[ret_truth->count] = info.id;
        read_view(ss, info.id, SELSNAP_VIEW_PRISTINE, ret_truth->frozen[ret_truth->count]);
        if (info.changed != 0) {
            read_view(ss, info.id, 0, ret_truth->now[ret_truth->count]);
        } else {
            memcpy(ret_truth->now[ret_truth->count], ret_truth->frozen[ret_truth->count], sizeof ret_truth->now[0]);
        }
        ret_truth->count++;
    }
}

static void walk_subset(const selsnap_subset *subset) {
    selsnap_range range = {0, 0};
    uint64_t bytes = 0;
    uint64_t ranges = 0;
    while (selsnap_subset_next(subset, range.offset + range.len, &range) == SELSNAP_OK) {
        must(range.len > 0 && range.offset + range.len <= IMAGE_ORIGIN_BYTES);
        bytes += range.len;
        ranges++;
    }
    must(bytes == selsnap_subset_byte_count(subset) && ranges == selsnap_subset_range_count(subset));
}

static void walk_map(selsnap *ss, uint64_t id) {
    selsnap_map_range range = {0, 0, 0, 0};
    for (uint64_t at = 0; at < IMAGE_ORIGIN_BYTES; at = range.offset + range.len) {
        int code = selsnap_snapshot_map(ss, id, at, &range);
        code_in(code, CODES_READ | CODE(EABANDONED));
        if (code != SELSNAP_OK) {
            return;
        }
        must(range.offset == at && range.len > 0 && range.len <= IMAGE_ORIGIN_BYTES - at);
        must(range.state <= SELSNAP_BLOCKS_CHANGED);
    }
}

static void walk_properties(selsnap *ss, uint64_t id) {
    char key[SELSNAP_PROPERTY_KEY_MAX + 1] = "";
    char value[SELSNAP_PROPERTY_VALUE_MAX + 1];
    int code = SELSNAP_OK;
    for (unsigned i = 0; code == SELSNAP_OK; i++) {
        char before[sizeof key];
        memcpy(before, key, sizeof key);
        must(i < LIST_MAX);
        code = selsnap_snapshot_next_property(ss, id, before, key, value);
        code_in(code, CODES_READ | CODE(ENOENT) | CODE(EABANDONED));
        if (code == SELSNAP_OK) {
            must(strlen(key) <= SELSNAP_PROPERTY_KEY_MAX && strlen(value) <= SELSNAP_PROPERTY_VALUE_MAX);
            must(strcmp(before, key) < 0);
        }
    }
}

/* What is noted of a snapshot, and what changed since. */
static void walk_notes(selsnap *ss, uint64_t id) {
    selsnap_hold_info hold = {.struct_size = sizeof hold};
    selsnap_group_info group = {.struct_size = sizeof group};
    selsnap_stream_id from = SELSNAP_STREAM_ID_INIT;
    selsnap_diff_options options = SELSNAP_DIFF_OPTIONS_INIT;
    selsnap_diff_range range = {0, 0, 0, 0};
    uint64_t before = 0;
    int64_t expiry = 0;
    int code;
    for (unsigned i = 0; (code = selsnap_hold_next(ss, id, before, &hold)) == SELSNAP_OK; i++) {
        must(hold.hold > before && i < LIST_MAX && strlen(hold.reason) <= SELSNAP_HOLD_REASON_MAX);
        before = hold.hold;
    }
    code_in(code, CODES_READ | CODE(ENOENT));
    code_in(selsnap_snapshot_get_expiry(ss, id, &expiry), CODES_READ | CODE(ENOENT));
    code = selsnap_snapshot_get_group(ss, id, &group);
    code_in(code, CODES_READ | CODE(ENOENT));
    must(code != SELSNAP_OK || (group.member < group.members && strlen(group.name) <= SELSNAP_NAME_MAX));
    code_in(selsnap_snapshot_get_received(ss, id, &from), CODES_READ | CODE(ENOENT));
    options.from_id = id;
    code = SELSNAP_OK;
    while (code == SELSNAP_OK && range.offset + range.len < IMAGE_ORIGIN_BYTES) {
        uint64_t at = range.offset + range.len;
        code = selsnap_diff_next(ss, &options, at, &range);
        code_in(code, CODES_READ | CODE(ENOENT) | CODE(EABANDONED));
        must(code != SELSNAP_OK ||
             (range.offset >= at && range.len > 0 && range.len <= IMAGE_ORIGIN_BYTES - range.offset));
    }
}

static void walk_snapshots(selsnap *ss) {
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    uint64_t before = 0;
    int code;
    for (unsigned i = 0; (code = selsnap_snapshot_next(ss, before, &info)) == SELSNAP_OK; i++) {
        must(info.id > before && i < LIST_MAX && strlen(info.name) <= SELSNAP_NAME_MAX);
        before = info.id;
        selsnap_snapshot_usage usage = {.struct_size = sizeof usage};
        selsnap_snapshot_info again = {.struct_size = sizeof again};
        selsnap_subset *subset = NULL;
        code_in(selsnap_snapshot_get_usage(ss, info.id, NULL, NULL, &usage), CODES_READ | CODE(EABANDONED));
        must(usage.preserved_blocks <= IMAGE_BLOCKS && usage.zero_blocks + usage.lost_blocks <= usage.preserved_blocks);
        code_in(selsnap_snapshot_find(ss, info.name, &again), CODES_READ | CODE(ENOENT));
        walk_map(ss, info.id);
        code = selsnap_snapshot_get_subset(ss, info.id, &subset);
        code_in(code, CODES_READ);
        if (code == SELSNAP_OK) {
            walk_subset(subset);
            selsnap_subset_close(subset);
        }
        walk_properties(ss, info.id);
        walk_notes(ss, info.id);
    }
    code_in(selsnap_import_unfinished(ss, NULL, NULL), CODES_READ | CODE(ENOENT));
    code_in(code, CODES_READ | CODE(ENOENT));
}

static void walk_designations(selsnap *ss) {
    selsnap_designation_info info = {.struct_size = sizeof info};
    uint64_t before = 0;
    int code;
    for (unsigned i = 0; (code = selsnap_designation_next(ss, before, &info)) == SELSNAP_OK; i++) {
        must(info.id > before && i < LIST_MAX && strlen(info.name) <= SELSNAP_NAME_MAX);
        before = info.id;
        selsnap_subset *subset = NULL;
        code = selsnap_designation_load(ss, info.name, &subset);
        code_in(code, CODES_READ | CODE(ENOENT));
        if (code == SELSNAP_OK) {
            walk_subset(subset);
            selsnap_subset_close(subset);
        }
    }
    code_in(code, CODES_READ | CODE(ENOENT));
}

static int take_line(void *user, const char *line) {
    unsigned *lines = user;
    must(strlen(line) < 65536 && ++*lines < LINES_MAX);
    return 0;
}

void readback_walk(selsnap *ss) {
    selsnap_restore_info job = {.struct_size = sizeof job};
    selsnap_stats stats = SELSNAP_STATS_INIT;
    uint64_t before = 0;
    int code;
    walk_snapshots(ss);
    walk_designations(ss);
    while ((code = selsnap_restore_next(ss, before, &job)) == SELSNAP_OK) {
        must(job.job > before && job.blocks_done <= job.blocks_total);
        before = job.job;
    }
    code_in(code, CODES_READ | CODE(ENOENT));
    unsigned lines = 0;
    code_in(selsnap_dump(ss, take_line, &lines), CODES_READ);
    must(selsnap_get_stats(ss, &stats) == SELSNAP_OK);
    must(stats.store_used_bytes <= stats.store_bytes && stats.store_free_bytes <= stats.store_bytes);
    must(stats.memory_peak_bytes <= stats.memory_limit_bytes);
}
