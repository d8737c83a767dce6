/* SPDX-License-Identifier: Apache-2.0 */
/* See calls.h. Longer than usual: a table, with a call and what it needs for each function of the interface. */
#include "calls.h"

#include "calls_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint8_t buf[WORLD_BYTES];

static int tell(void *user, const char *line) {
    (void)user;
    (void)line;
    return 0;
}

/* ---- devices ---- */

static int close_device(int code, selsnap_device *const *device) {
    if (code == SELSNAP_OK) {
        selsnap_device_close(*device);
    }
    return code;
}

static int call_device_open(struct world *w) {
    (void)w;
    const selsnap_device_ops none = {.struct_size = sizeof none};
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    selsnap_device *device = NULL;
    info.size_bytes = WORLD_BYTES;
    int code = selsnap_device_open(&none, &info, NULL, &device);
    return code == SELSNAP_EINVAL ? SELSNAP_OK : code; /* those of the world are opened with it */
}

static int call_device_open_memory(struct world *w) {
    (void)w;
    selsnap_device *device = NULL;
    return close_device(selsnap_device_open_memory(WORLD_BYTES, 512, &device), &device);
}

static int call_device_open_slice(struct world *w) {
    selsnap_device *device = NULL;
    return close_device(selsnap_device_open_slice(w->origin->device, 0, WORLD_BYTES / 2, &device), &device);
}

static int call_device_open_counting(struct world *w) {
    selsnap_device *device = NULL;
    return close_device(selsnap_device_open_counting(w->origin->device, &device), &device);
}

static int call_device_open_file(struct world *w) {
    (void)w;
    selsnap_device *device = NULL;
    int error = 0;
    char path[] = "/tmp/selsnap-alloc-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0) {
        return SELSNAP_EIO;
    }
    int code = selsnap_device_open_file(path, SELSNAP_FILE_CREATE, 65536, &device, &error);
    close(fd);
    unlink(path);
    return close_device(code, &device);
}

static int call_device_read(struct world *w) {
    return selsnap_device_read(w->origin->device, buf, 512, 0);
}

static int call_device_write(struct world *w) {
    return selsnap_device_write(w->store->device, buf, 512, (2 << 20) - 512);
}

static int call_device_batch(struct world *w) {
    const selsnap_iovec iov = {buf, 512};
    selsnap_io io[2] = {SELSNAP_IO_INIT, SELSNAP_IO_INIT};
    selsnap_io *ios[2] = {&io[0], &io[1]};
    for (uint64_t i = 0; i < 2; i++) {
        io[i].kind = SELSNAP_IO_READ;
        io[i].iov = &iov;
        io[i].iov_count = 1;
        io[i].offset = 512 * i;
    }
    return selsnap_device_batch(w->origin->device, ios, 2);
}

static int call_device_flush(struct world *w) {
    return selsnap_device_flush(w->origin->device);
}

static int call_grow_store(struct world *w) {
    return selsnap_grow_store(w->ss, (2 << 20) + (64 << 10));
}

static int call_shrink_origin(struct world *w) {
    return selsnap_shrink_origin(w->ss, WORLD_BYTES - 4096 - 512);
}

static int call_grow_origin(struct world *w) {
    return selsnap_grow_origin(w->ss, WORLD_BYTES + 4096);
}

static int call_device_get_info(struct world *w) {
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    return selsnap_device_get_info(w->origin->device, &info);
}

/* ---- subsets ---- */

static int close_subset(int code, selsnap_subset *const *subset) {
    if (code == SELSNAP_OK) {
        selsnap_subset_close(*subset);
    }
    return code;
}

static int call_subset_open(struct world *w) {
    (void)w;
    selsnap_subset *subset = NULL;
    return close_subset(selsnap_subset_open(WORLD_BYTES, WORLD_BLOCK, &subset), &subset);
}

static int call_subset_open_for(struct world *w) {
    selsnap_subset *subset = NULL;
    return close_subset(selsnap_subset_open_for(w->ss, &subset), &subset);
}

static int call_subset_add(struct world *w) {
    return selsnap_subset_add(w->subset, 60 * WORLD_BLOCK, WORLD_BLOCK);
}

static int call_subset_remove(struct world *w) {
    return selsnap_subset_remove(w->other, 10 * WORLD_BLOCK, WORLD_BLOCK);
}

static int call_subset_union(struct world *w) {
    return selsnap_subset_union(w->subset, w->other);
}

static int call_subset_intersect(struct world *w) {
    return selsnap_subset_intersect(w->subset, w->other);
}

static int call_subset_subtract(struct world *w) {
    return selsnap_subset_subtract(w->subset, w->other);
}

static int call_subset_complement(struct world *w) {
    return selsnap_subset_complement(w->subset);
}

/* All that only ask. */
static int call_subset_ask(struct world *w) {
    selsnap_range range;
    bool right = selsnap_subset_contains(w->subset, 0, WORLD_BLOCK) == 1 && selsnap_subset_block_count(w->subset) > 0 &&
                 selsnap_subset_byte_count(w->subset) > 0 && selsnap_subset_range_count(w->subset) > 0;
    return right ? selsnap_subset_next(w->subset, 0, &range) : SELSNAP_EDAMAGED;
}

/* ---- the context ---- */

static int call_format(struct world *w) {
    selsnap_format_options options = SELSNAP_FORMAT_OPTIONS_INIT;
    selsnap_device *device = NULL;
    char message[64];
    options.origin_hint = "here";
    options.ret_message = message;
    options.message_size = sizeof message;
    int code = selsnap_device_open_memory(2 << 20, 1, &device);
    code = code == SELSNAP_OK ? selsnap_format(device, w->origin->device, &options) : code;
    if (device != NULL) {
        selsnap_device_close(device);
    }
    return code;
}

static int call_store_origin_hint(struct world *w) {
    char hint[SELSNAP_ORIGIN_HINT_MAX + 1];
    return selsnap_store_origin_hint(w->store->device, hint, sizeof hint);
}

static void close_view(struct world *w) {
    (void)!selsnap_view_close(w->view);
    w->view = NULL;
}

/* Nothing is under way. */
static void end_restore(struct world *w) {
    close_view(w);
    (void)!selsnap_restore_run(w->ss, w->job, NULL, NULL);
}

/* And what is behind the last two blocks' beginning is preserved. */
static void give_up_end(struct world *w) {
    end_restore(w);
    (void)!selsnap_write_zeroes(w->ss, WORLD_BYTES - 4096, 4096);
}

/* The context is lost, so that the store has to be recovered. */
static void lose(struct world *w) {
    w->wire.off = true;
    close_view(w);
    (void)!selsnap_close(w->ss);
    w->ss = NULL;
    w->wire.off = false;
}

static int call_open(struct world *w) {
    return world_start(w);
}

static int call_close(struct world *w) {
    int code = selsnap_close(w->ss);
    w->ss = NULL;
    return code;
}

static int call_last_error(struct world *w) {
    char text[100];
    (void)selsnap_last_error(w->ss, text, sizeof text);
    return SELSNAP_OK;
}

static int call_get_stats(struct world *w) {
    selsnap_stats stats = SELSNAP_STATS_INIT;
    return selsnap_get_stats(w->ss, &stats);
}

static int call_sizes(struct world *w) {
    return selsnap_size(w->ss) == WORLD_BYTES && selsnap_block_size(w->ss) == WORLD_BLOCK ? SELSNAP_OK
                                                                                          : SELSNAP_EDAMAGED;
}

static int call_read(struct world *w) {
    return selsnap_read(w->ss, buf, WORLD_BYTES, 0);
}

static int call_readv(struct world *w) {
    const selsnap_iovec iov[2] = {{buf, 512}, {buf + 512, WORLD_BYTES - 1024}};
    return selsnap_readv(w->ss, iov, 2, 512);
}

static int call_batch(struct world *w) {
    const selsnap_iovec iov = {buf, 512};
    selsnap_io io[3] = {SELSNAP_IO_INIT, SELSNAP_IO_INIT, SELSNAP_IO_INIT};
    selsnap_io *ios[3] = {&io[0], &io[1], &io[2]};
    for (uint64_t i = 0; i < 3; i++) {
        io[i].kind = SELSNAP_IO_WRITE;
        io[i].iov = &iov;
        io[i].iov_count = 1;
        io[i].offset = (20 + 9 * i) * WORLD_BLOCK;
    }
    return selsnap_batch(w->ss, ios, 3);
}

static int call_write(struct world *w) {
    memset(buf, 1, 1024);
    return selsnap_write(w->ss, buf, 1024, 9 * WORLD_BLOCK + 512);
}

static int call_writev(struct world *w) {
    const selsnap_iovec iov[2] = {{buf, 512}, {buf + 4096, 1024}};
    memset(buf, 2, 8192);
    return selsnap_writev(w->ss, iov, 2, 60 * WORLD_BLOCK);
}

static int call_discard(struct world *w) {
    return selsnap_discard(w->ss, 9 * WORLD_BLOCK, 40 * WORLD_BLOCK);
}

static int call_write_zeroes(struct world *w) {
    return selsnap_write_zeroes(w->ss, 55 * WORLD_BLOCK, WORLD_BLOCK);
}

static int call_flush(struct world *w) {
    return selsnap_flush(w->ss);
}

static int call_freeze(struct world *w) {
    int code = selsnap_freeze(w->ss);
    return code == SELSNAP_OK ? selsnap_thaw(w->ss) : code;
}

static int call_step(struct world *w) {
    return selsnap_step(w->ss, NULL, NULL);
}

static int call_abandon(struct world *w) {
    return selsnap_abandon(w->ss);
}

/* ---- designations ---- */

static int call_designation_save(struct world *w) {
    return selsnap_designation_save(w->ss, "d", w->other, NULL);
}

static int call_designation_load(struct world *w) {
    selsnap_subset *subset = NULL;
    return close_subset(selsnap_designation_load(w->ss, "d", &subset), &subset);
}

static int call_designation_delete(struct world *w) {
    return selsnap_designation_delete(w->ss, "e");
}

static int call_designation_next(struct world *w) {
    selsnap_designation_info info = {.struct_size = sizeof info};
    return selsnap_designation_next(w->ss, 0, &info);
}

/* ---- snapshots ---- */

static int call_snapshot_create(struct world *w) {
    const selsnap_property property = {"key", "value"};
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = "new";
    options.subset = w->subset;
    options.properties = &property;
    options.property_count = 1;
    return selsnap_snapshot_create(w->ss, &options, NULL);
}

static int call_group_create(struct world *w) {
    selsnap_snapshot_options snapshot = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    snapshot.name = "new";
    snapshot.subset = w->subset;
    const selsnap_group_member member = {w->ss, &snapshot};
    return selsnap_group_create(&member, 1, NULL, NULL, NULL);
}

/* There is no group in the world: that is found out by reading. */
static int call_group_check(struct world *w) {
    static const uint8_t none[SELSNAP_GROUP_ID_SIZE] = {1};
    selsnap_group_status status = {.struct_size = sizeof status};
    int code = selsnap_group_check(&w->ss, 1, none, &status);
    return code == SELSNAP_ENOENT ? SELSNAP_OK : code;
}

static int call_snapshot_get_group(struct world *w) {
    selsnap_group_info info = {.struct_size = sizeof info};
    int code = selsnap_snapshot_get_group(w->ss, w->a, &info);
    return code == SELSNAP_ENOENT ? SELSNAP_OK : code;
}

static int call_snapshot_clone(struct world *w) {
    const selsnap_property property = {"key", "value"};
    selsnap_clone_options options = SELSNAP_CLONE_OPTIONS_INIT;
    options.flags = SELSNAP_CLONE_AS_CHANGED;
    options.source_id = w->b;
    options.name = "new";
    options.properties = &property;
    options.property_count = 1;
    return selsnap_snapshot_clone(w->ss, &options, NULL);
}

static int call_snapshot_find(struct world *w) {
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    return selsnap_snapshot_find(w->ss, "a", &info);
}

static int call_snapshot_get(struct world *w) {
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    return selsnap_snapshot_get(w->ss, w->a, &info);
}

static int call_snapshot_next(struct world *w) {
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    return selsnap_snapshot_next(w->ss, 0, &info);
}

static int call_snapshot_get_usage(struct world *w) {
    selsnap_snapshot_usage usage = {.struct_size = sizeof usage};
    return selsnap_snapshot_get_usage(w->ss, w->b, NULL, NULL, &usage);
}

static int call_snapshot_map(struct world *w) {
    selsnap_map_range range;
    return selsnap_snapshot_map(w->ss, w->b, 0, &range);
}

static int call_snapshot_make_bookmark(struct world *w) {
    return selsnap_snapshot_make_bookmark(w->ss, w->b);
}

static int call_diff_next(struct world *w) {
    selsnap_diff_options options = SELSNAP_DIFF_OPTIONS_INIT;
    selsnap_diff_range range;
    options.from_id = w->a;
    int code = selsnap_diff_next(w->ss, &options, 0, &range);
    return code == SELSNAP_ENOENT ? SELSNAP_OK : code;
}

static int call_snapshot_get_subset(struct world *w) {
    selsnap_subset *subset = NULL;
    return close_subset(selsnap_snapshot_get_subset(w->ss, w->a, &subset), &subset);
}

static int call_snapshot_next_property(struct world *w) {
    char key[SELSNAP_PROPERTY_KEY_MAX + 1];
    char value[SELSNAP_PROPERTY_VALUE_MAX + 1];
    return selsnap_snapshot_next_property(w->ss, w->a, "", key, value);
}

static int call_snapshot_rename(struct world *w) {
    return selsnap_snapshot_rename(w->ss, w->a, "other");
}

static int call_snapshot_hold(struct world *w) {
    return selsnap_snapshot_hold(w->ss, w->b);
}

static int call_snapshot_release(struct world *w) {
    return selsnap_snapshot_release(w->ss, w->b);
}

static void let_go(struct world *w) {
    close_view(w);
    (void)!selsnap_snapshot_release(w->ss, w->b);
    (void)!selsnap_hold_release(w->ss, w->b, w->hold);
}

/* What was written into it is dropped as well. */
static int call_snapshot_delete(struct world *w) {
    return selsnap_snapshot_delete(w->ss, w->b);
}

/* ---- retention ---- */

static int call_hold_add(struct world *w) {
    selsnap_hold_options options = SELSNAP_HOLD_OPTIONS_INIT;
    options.flags = SELSNAP_HOLD_LOCK;
    options.until_ns = INT64_MAX;
    options.reason = "call";
    return selsnap_hold_add(w->ss, w->a, &options, NULL);
}

static int call_hold_next(struct world *w) {
    selsnap_hold_info info = {.struct_size = sizeof info};
    return selsnap_hold_next(w->ss, w->b, 0, &info);
}

static int call_hold_set_end(struct world *w) {
    return selsnap_hold_set_end(w->ss, w->b, w->hold, INT64_MAX);
}

static int call_hold_release(struct world *w) {
    return selsnap_hold_release(w->ss, w->b, w->hold);
}

static int call_snapshot_set_expiry(struct world *w) {
    return selsnap_snapshot_set_expiry(w->ss, w->b, 7);
}

static int call_snapshot_get_expiry(struct world *w) {
    int64_t time = 0;
    return selsnap_snapshot_get_expiry(w->ss, w->b, &time);
}

static int call_snapshot_set_quota(struct world *w) {
    return selsnap_snapshot_set_quota(w->ss, w->b, 1 << 20);
}

static int call_snapshot_get_quota(struct world *w) {
    uint64_t bytes = 0;
    uint64_t used = 0;
    return selsnap_snapshot_get_quota(w->ss, w->b, &bytes, &used);
}

static int call_set_quota(struct world *w) {
    return selsnap_set_quota(w->ss, UINT64_C(1) << 40);
}

static int call_get_quota(struct world *w) {
    uint64_t bytes = 0;
    return selsnap_get_quota(w->ss, &bytes);
}

static void expire_b(struct world *w) {
    let_go(w);
    (void)!selsnap_snapshot_set_expiry(w->ss, w->b, 7);
}

static int call_expire(struct world *w) {
    return selsnap_expire(w->ss, 8, 0, NULL, NULL, NULL);
}

static int call_retain(struct world *w) {
    selsnap_keep_rules rules = SELSNAP_KEEP_RULES_INIT;
    rules.last = 1;
    rules.designation = "d";
    return selsnap_retain(w->ss, &rules, 0, NULL, NULL, NULL);
}

static int call_space_freed(struct world *w) {
    uint64_t ids[2] = {w->b, w->a};
    uint64_t bytes = 0;
    return selsnap_space_freed(w->ss, ids, 2, NULL, NULL, &bytes);
}

/* ---- views ---- */

static int call_view_open(struct world *w) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = w->a;
    options.flags = SELSNAP_VIEW_WRITABLE;
    selsnap_view *view = NULL;
    int code = selsnap_view_open(w->ss, &options, &view);
    return code == SELSNAP_OK ? selsnap_view_close(view) : code;
}

/* Of a view that failed to close, what was not flushed is lost: this writes it again. */
static int call_view_close(struct world *w) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = w->b;
    options.flags = SELSNAP_VIEW_WRITABLE;
    int code = SELSNAP_OK;
    if (w->view == NULL) {
        code = selsnap_view_open(w->ss, &options, &w->view);
        memset(buf, 7, 512);
        code = code == SELSNAP_OK ? selsnap_view_write(w->view, buf, 512, 50 * WORLD_BLOCK) : code;
    }
    if (code == SELSNAP_OK) {
        selsnap_view *view = w->view;
        w->view = NULL;
        code = selsnap_view_close(view);
    }
    return code;
}

static int call_view_read(struct world *w) {
    return selsnap_view_read(w->view, buf, WORLD_BYTES - 700, 700);
}

static int call_view_write(struct world *w) {
    memset(buf, 3, 700);
    return selsnap_view_write(w->view, buf, 700, 21 * WORLD_BLOCK + 300);
}

static int call_view_discard(struct world *w) {
    return selsnap_view_discard(w->view, 30 * WORLD_BLOCK, WORLD_BLOCK);
}

static int call_view_flush(struct world *w) {
    return selsnap_view_flush(w->view);
}

static int call_view_reset(struct world *w) {
    return selsnap_view_reset(w->view);
}

/* ---- restores, inspection ---- */

static int call_restore_start(struct world *w) {
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    selsnap_subset *subset = NULL;
    int code = selsnap_subset_open_for(w->ss, &subset);
    code = code == SELSNAP_OK ? selsnap_subset_add(subset, 40 * WORLD_BLOCK, 4 * WORLD_BLOCK) : code;
    options.id = w->b;
    options.subset = subset;
    code = code == SELSNAP_OK ? selsnap_restore_start(w->ss, &options, NULL) : code;
    selsnap_subset_close(subset);
    return code;
}

static int call_restore_next(struct world *w) {
    selsnap_restore_info info = {.struct_size = sizeof info};
    return selsnap_restore_next(w->ss, 0, &info);
}

static int call_restore_pause(struct world *w) {
    return selsnap_restore_pause(w->ss, w->job, 1);
}

static int call_restore_run(struct world *w) {
    return selsnap_restore_run(w->ss, w->job, NULL, NULL);
}

static int call_check(struct world *w) {
    selsnap_check_result result = {.struct_size = sizeof result};
    int code = selsnap_check(w->ss, tell, NULL, NULL, NULL, &result);
    return code == SELSNAP_OK && result.problems > 0 ? SELSNAP_EDAMAGED : code;
}

static int call_scrub_step(struct world *w) {
    selsnap_scrub scrub = SELSNAP_SCRUB_INIT;
    int code = selsnap_scrub_step(w->ss, &scrub, 0, tell, NULL);
    return code == SELSNAP_OK && scrub.problems > 0 ? SELSNAP_EDAMAGED : code;
}

static void put_away(struct world *w) {
    close_view(w);
    (void)!selsnap_close(w->ss);
    w->ss = NULL;
}

static int call_repair(struct world *w) {
    selsnap_repair_result result = SELSNAP_REPAIR_RESULT_INIT;
    selsnap_device *device = NULL;
    int code = selsnap_device_open_memory(2 << 20, 1, &device);
    code = code == SELSNAP_OK ? selsnap_repair(w->store->device, w->origin->device, device, NULL, &result) : code;
    if (device != NULL) {
        selsnap_device_close(device);
    }
    return code == SELSNAP_OK && result.snapshots_salvaged != 2 ? SELSNAP_EDAMAGED : code;
}

static int call_dump(struct world *w) {
    return selsnap_dump(w->ss, tell, NULL);
}

/* clang-format off */
#define CALL(name, run)               {"selsnap_" name, run, NULL, NULL, false, false}
#define CALL_ON(name, prepare, run)   {"selsnap_" name, run, prepare, NULL, false, false}
#define CALL_PART(name, run)          {"selsnap_" name, run, NULL, NULL, true, false}
#define CALL_PART_ON(name, prepare, run) {"selsnap_" name, run, prepare, NULL, true, false}
#define CALL_ENDS(name, prepare, run) {"selsnap_" name, run, prepare, NULL, false, true}
#define NO_CALL(name, why)            {"selsnap_" name, NULL, NULL, why, false, false}
/* clang-format on */

const struct call calls[] = {
    CALL("abandon", call_abandon),
    CALL("batch", call_batch),
    CALL("block_size", call_sizes),
    CALL("check", call_check),
    CALL_ENDS("close", close_view, call_close),
    CALL("designation_delete", call_designation_delete),
    CALL("designation_load", call_designation_load),
    CALL("designation_next", call_designation_next),
    CALL("designation_save", call_designation_save),
    CALL("device_batch", call_device_batch),
    NO_CALL("device_close", "frees only; each call that opens a device closes it"),
    CALL("device_flush", call_device_flush),
    NO_CALL("device_get_counts", "reads and sets counters"),
    CALL("device_get_info", call_device_get_info),
    CALL("device_open", call_device_open),
    CALL("device_open_counting", call_device_open_counting),
    CALL("device_open_file", call_device_open_file),
    CALL("device_open_memory", call_device_open_memory),
    CALL("device_open_slice", call_device_open_slice),
    CALL("device_read", call_device_read),
    CALL("device_write", call_device_write),
    CALL("diff_next", call_diff_next),
    CALL("discard", call_discard),
    CALL("dump", call_dump),
    NO_CALL("error_name", "gives a constant"),
    CALL_ON("expire", expire_b, call_expire),
    CALL("export", call_export),
    CALL("flush", call_flush),
    CALL("format", call_format),
    CALL("freeze", call_freeze),
    CALL("get_quota", call_get_quota),
    CALL("get_stats", call_get_stats),
    CALL_ON("grow_origin", end_restore, call_grow_origin),
    CALL("grow_store", call_grow_store),
    CALL("hold_add", call_hold_add),
    CALL("hold_next", call_hold_next),
    CALL("hold_release", call_hold_release),
    CALL("hold_set_end", call_hold_set_end),
    CALL_PART_ON("import", make_stream, call_import),
    CALL_PART_ON("import_undo", import_part, call_import_undo),
    CALL_ON("import_unfinished", import_part, call_import_unfinished),
    CALL("last_error", call_last_error),
    CALL_ON("open", lose, call_open),
    CALL("read", call_read),
    CALL("readv", call_readv),
    CALL_ON("repair", put_away, call_repair),
    CALL("restore_next", call_restore_next),
    CALL("restore_pause", call_restore_pause),
    CALL_PART("restore_run", call_restore_run),
    CALL("restore_start", call_restore_start),
    CALL("retain", call_retain),
    CALL("scrub_step", call_scrub_step),
    CALL("set_quota", call_set_quota),
    CALL_ON("shrink_origin", give_up_end, call_shrink_origin),
    CALL("size", call_sizes),
    CALL("snapshot_clone", call_snapshot_clone),
    CALL("snapshot_create", call_snapshot_create),
    CALL_ON("snapshot_delete", let_go, call_snapshot_delete),
    CALL("snapshot_find", call_snapshot_find),
    CALL("snapshot_get", call_snapshot_get),
    CALL("snapshot_get_expiry", call_snapshot_get_expiry),
    CALL("snapshot_get_quota", call_snapshot_get_quota),
    CALL_ON("snapshot_get_received", import_whole, call_snapshot_get_received),
    CALL("snapshot_get_group", call_snapshot_get_group),
    CALL("group_check", call_group_check),
    CALL("group_create", call_group_create),
    CALL("snapshot_get_subset", call_snapshot_get_subset),
    CALL("snapshot_get_usage", call_snapshot_get_usage),
    CALL("snapshot_hold", call_snapshot_hold),
    CALL_ON("snapshot_make_bookmark", let_go, call_snapshot_make_bookmark),
    CALL("snapshot_map", call_snapshot_map),
    CALL("snapshot_next", call_snapshot_next),
    CALL("snapshot_next_property", call_snapshot_next_property),
    CALL("snapshot_release", call_snapshot_release),
    CALL("snapshot_rename", call_snapshot_rename),
    CALL("snapshot_set_expiry", call_snapshot_set_expiry),
    CALL("snapshot_set_quota", call_snapshot_set_quota),
    CALL("space_freed", call_space_freed),
    CALL_PART("step", call_step),
    CALL("store_origin_hint", call_store_origin_hint),
    CALL_ON("stream_apply", make_stream, call_stream_apply),
    NO_CALL("stream_read_fd", "allocates nothing"),
    CALL_ON("stream_verify", make_stream, call_stream_verify),
    NO_CALL("stream_write_fd", "allocates nothing"),
    NO_CALL("strerror", "gives a constant"),
    CALL("subset_add", call_subset_add),
    CALL("subset_block_count", call_subset_ask),
    CALL("subset_byte_count", call_subset_ask),
    NO_CALL("subset_close", "frees only; each call that opens a subset closes it"),
    CALL("subset_complement", call_subset_complement),
    CALL("subset_contains", call_subset_ask),
    CALL("subset_intersect", call_subset_intersect),
    CALL("subset_next", call_subset_ask),
    CALL("subset_open", call_subset_open),
    CALL("subset_open_for", call_subset_open_for),
    CALL("subset_range_count", call_subset_ask),
    CALL("subset_remove", call_subset_remove),
    CALL("subset_subtract", call_subset_subtract),
    CALL("subset_union", call_subset_union),
    CALL("thaw", call_freeze),
    NO_CALL("version", "gives a constant"),
    NO_CALL("version_string", "gives a constant"),
    CALL_PART("view_close", call_view_close),
    CALL("view_discard", call_view_discard),
    CALL("view_flush", call_view_flush),
    CALL("view_open", call_view_open),
    CALL("view_read", call_view_read),
    CALL("view_reset", call_view_reset),
    CALL("view_write", call_view_write),
    CALL("write", call_write),
    CALL("write_zeroes", call_write_zeroes),
    CALL("writev", call_writev),
};
const size_t call_count = sizeof calls / sizeof calls[0];
