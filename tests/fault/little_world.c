/* SPDX-License-Identifier: Apache-2.0 */
#include "little_world.h"

#include "pattern.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STORE_BYTES = 2 << 20, JOURNAL_BYTES = 65536, LIMIT = (4 << 20) + 3 * JOURNAL_BYTES };

static void must(int code) {
    if (code != SELSNAP_OK) {
        fprintf(stderr, "making the world: %s\n", selsnap_error_name(code));
        abort();
    }
}

static void write_blocks(struct world *world, uint64_t first, uint64_t count, uint64_t sequence) {
    static uint8_t buf[WORLD_BYTES];
    pattern_fill(buf, count * WORLD_BLOCK, first * WORLD_BLOCK, 3, sequence);
    must(selsnap_write(world->ss, buf, count * WORLD_BLOCK, first * WORLD_BLOCK));
}

static uint64_t take(struct world *world, const char *name, uint64_t first, uint64_t count) {
    const selsnap_property properties[] = {{"k", "v"}, {"l", "w"}};
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_subset *subset;
    uint64_t id;
    must(selsnap_subset_open_for(world->ss, &subset));
    must(selsnap_subset_add(subset, first * WORLD_BLOCK, count * WORLD_BLOCK));
    options.name = name;
    options.subset = subset;
    options.properties = properties;
    options.property_count = 2;
    options.time_ns = 1;
    must(selsnap_snapshot_create(world->ss, &options, &id));
    selsnap_subset_close(subset);
    return id;
}

static selsnap_view *open_view(struct world *world, uint64_t id, uint32_t flags) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view;
    options.id = id;
    options.flags = flags;
    must(selsnap_view_open(world->ss, &options, &view));
    return view;
}

static void write_view(selsnap_view *view, uint64_t first, uint64_t count) {
    static uint8_t buf[WORLD_BYTES];
    pattern_fill(buf, count * WORLD_BLOCK, first * WORLD_BLOCK, 4, 1);
    must(selsnap_view_write(view, buf, count * WORLD_BLOCK, first * WORLD_BLOCK));
}

static void make_subsets(struct world *world) {
    must(selsnap_subset_open(WORLD_BYTES, WORLD_BLOCK, &world->subset));
    must(selsnap_subset_open(WORLD_BYTES, WORLD_BLOCK, &world->other));
    for (uint64_t i = 0; i < 8; i++) {
        must(selsnap_subset_add(world->subset, i * 7 * WORLD_BLOCK, 2 * WORLD_BLOCK));
    }
    must(selsnap_subset_add(world->other, 5 * WORLD_BLOCK, 20 * WORLD_BLOCK));
}

int world_start(struct world *world) {
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.memory_limit = LIMIT;
    return selsnap_open(world->store->device, world->origin->device, &options, &world->ss);
}

/* Between these the last is cold. */
static void restart(struct world *world) {
    must(selsnap_close(world->ss));
    must(world_start(world));
}

void world_open(struct world *world) {
    static uint8_t content[WORLD_BYTES];
    memset(world, 0, sizeof *world);
    pattern_fill(content, sizeof content, 0, 0, 0);
    wire_init(&world->wire, false);
    const struct testdev_kind of_origin = {.logical = 512, .most = 2 * WORLD_BYTES};
    world->origin = testdev_open_kind(&world->wire, 'o', WORLD_BYTES, &of_origin, content);
    const struct testdev_kind kind = {.most = 2 * STORE_BYTES};
    world->store = testdev_open_kind(&world->wire, 's', STORE_BYTES, &kind, NULL);
    selsnap_format_options options = SELSNAP_FORMAT_OPTIONS_INIT;
    options.journal_bytes = JOURNAL_BYTES;
    must(selsnap_format(world->store->device, world->origin->device, &options));
    must(world_start(world));
    make_subsets(world);
    must(selsnap_designation_save(world->ss, "d", world->subset, NULL));
    must(selsnap_designation_save(world->ss, "e", world->other, NULL));
    uint64_t gone = take(world, "gone", 0, WORLD_BLOCKS);
    write_blocks(world, 40, 8, 1);
    world->a = take(world, "a", 0, 32);
    write_blocks(world, 4, 12, 2);
    world->b = take(world, "b", 0, WORLD_BLOCKS);
    write_blocks(world, 8, 40, 3);
    selsnap_view *view = open_view(world, world->b, SELSNAP_VIEW_WRITABLE);
    write_view(view, 20, 4);
    must(selsnap_view_close(view));
    must(selsnap_snapshot_hold(world->ss, world->b));
    selsnap_hold_options hold = SELSNAP_HOLD_OPTIONS_INIT;
    hold.reason = "world";
    must(selsnap_hold_add(world->ss, world->b, &hold, &world->hold));
    must(selsnap_snapshot_delete(world->ss, gone));
    restart(world);
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    restore.id = world->a;
    must(selsnap_restore_start(world->ss, &restore, &world->job));
    restart(world);
    world->view = open_view(world, world->b, SELSNAP_VIEW_WRITABLE);
    write_view(world->view, 50, 2);
}

bool world_close(struct world *world) {
    int code = selsnap_view_close(world->view);
    int closed = selsnap_close(world->ss);
    code = code == SELSNAP_OK ? closed : code;
    selsnap_subset_close(world->subset);
    selsnap_subset_close(world->other);
    selsnap_device_close(world->origin->device);
    selsnap_device_close(world->store->device);
    wire_fini(&world->wire);
    return code == SELSNAP_OK;
}

/* ---- looking ---- */

struct look {
    uint64_t hash;
    bool print;
};

static void see(struct look *look, const char *what, const void *bytes, size_t len) {
    look->hash = look->hash * UINT64_C(1099511628211) + pattern_hash((const uint8_t *)bytes, len);
    if (look->print) {
        fprintf(stderr, "%s %016" PRIx64 "\n", what, pattern_hash((const uint8_t *)bytes, len));
    }
}

static void see_number(struct look *look, const char *what, int64_t number) {
    look->hash = look->hash * UINT64_C(1099511628211) + (uint64_t)number;
    if (look->print) {
        fprintf(stderr, "%s %" PRId64 "\n", what, number);
    }
}

static void see_subset(struct look *look, selsnap_subset *subset) {
    selsnap_range range = {0, 0};
    while (subset != NULL && selsnap_subset_next(subset, range.offset + range.len, &range) == SELSNAP_OK) {
        see_number(look, "  range at", (int64_t)range.offset);
        see_number(look, "  range of", (int64_t)range.len);
    }
}

static void see_content(struct look *look, struct world *world, uint64_t id, uint32_t flags) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = id;
    options.flags = flags;
    selsnap_view *view = NULL;
    int code = selsnap_view_open(world->ss, &options, &view);
    see_number(look, "  view", code);
    for (uint64_t block = 0; block < WORLD_BLOCKS && code == SELSNAP_OK; block++) {
        uint8_t buf[WORLD_BLOCK] = {0};
        int result = selsnap_view_read(view, buf, sizeof buf, block * WORLD_BLOCK);
        see_number(look, "  read", result);
        see(look, "  block", buf, result == SELSNAP_OK ? sizeof buf : 0);
    }
    if (code == SELSNAP_OK) {
        (void)!selsnap_view_close(view);
    }
}

static void see_snapshot(struct look *look, struct world *world, const selsnap_snapshot_info *info) {
    see(look, info->name, info->name, strlen(info->name));
    see(look, " designation", info->designation, strlen(info->designation));
    see_number(look, " holds", info->holds);
    selsnap_hold_info hold = {.struct_size = sizeof hold};
    for (uint64_t after = 0; selsnap_hold_next(world->ss, info->id, after, &hold) == SELSNAP_OK; after = hold.hold) {
        see(look, " reason", hold.reason, strlen(hold.reason));
        see_number(look, " flags", hold.flags);
        see_number(look, " until", hold.until_ns);
    }
    int64_t expiry = -1;
    see_number(look, " expiry asked", selsnap_snapshot_get_expiry(world->ss, info->id, &expiry));
    see_number(look, " expiry", expiry);
    see_number(look, " quota", (int64_t)info->quota_bytes);
    see_number(look, " policy", info->policy);
    see_number(look, " changed", info->changed);
    see_number(look, " restoring", info->restoring);
    selsnap_subset *subset = NULL;
    see_number(look, " subset", selsnap_snapshot_get_subset(world->ss, info->id, &subset));
    see_subset(look, subset);
    selsnap_subset_close(subset);
    char key[SELSNAP_PROPERTY_KEY_MAX + 1] = "";
    char value[SELSNAP_PROPERTY_VALUE_MAX + 1] = "";
    while (selsnap_snapshot_next_property(world->ss, info->id, key, key, value) == SELSNAP_OK) {
        see(look, " key", key, strlen(key));
        see(look, " value", value, strlen(value));
    }
    selsnap_map_range range = {0};
    for (uint64_t at = 0; at < WORLD_BYTES; at = range.offset + range.len) {
        int code = selsnap_snapshot_map(world->ss, info->id, at, &range);
        if (code != SELSNAP_OK) {
            see_number(look, " map", code);
            break;
        }
        for (uint64_t block = range.offset; block < range.offset + range.len; block += WORLD_BLOCK) {
            see_number(look, " state", range.state);
        }
    }
    see_content(look, world, info->id, 0);
    see_content(look, world, info->id, SELSNAP_VIEW_PRISTINE);
}

uint64_t world_look(struct world *world, bool print) {
    static uint8_t buf[WORLD_BYTES];
    struct look look = {1, print};
    uint64_t size = selsnap_size(world->ss);
    uint64_t bytes = size < WORLD_BYTES ? size : WORLD_BYTES;
    int code = selsnap_read(world->ss, buf, (size_t)bytes, 0);
    see_number(&look, "live", code);
    see_number(&look, "live size", (int64_t)size);
    see(&look, "live", buf, (size_t)bytes);
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    while ((code = selsnap_snapshot_next(world->ss, info.id, &info)) == SELSNAP_OK) {
        see_snapshot(&look, world, &info);
    }
    see_number(&look, "snapshots end", code);
    uint64_t quota = 1;
    see_number(&look, "quota asked", selsnap_get_quota(world->ss, &quota));
    see_number(&look, "quota", (int64_t)quota);
    selsnap_designation_info designation = {.struct_size = sizeof designation};
    while ((code = selsnap_designation_next(world->ss, designation.id, &designation)) == SELSNAP_OK) {
        selsnap_subset *subset = NULL;
        see(&look, "designation", designation.name, strlen(designation.name));
        see_number(&look, " snapshots", (int64_t)designation.snapshots);
        see_number(&look, " load", selsnap_designation_load(world->ss, designation.name, &subset));
        see_subset(&look, subset);
        selsnap_subset_close(subset);
    }
    see_number(&look, "designations end", code);
    selsnap_restore_info job = {.struct_size = sizeof job};
    while ((code = selsnap_restore_next(world->ss, job.job, &job)) == SELSNAP_OK) {
        see_number(&look, "job of", (int64_t)job.blocks_total);
        see_number(&look, "job paused", job.paused);
    }
    see_number(&look, "jobs end", code);
    see_subset(&look, world->subset);
    return look.hash;
}

static int tell_problem(void *user, const char *line) {
    (void)user;
    fprintf(stderr, "check: %s\n", line);
    return 0;
}

int64_t world_check(struct world *world) {
    selsnap_check_result result = {.struct_size = sizeof result};
    int code = selsnap_check(world->ss, tell_problem, NULL, NULL, NULL, &result);
    return code != SELSNAP_OK ? code : (int64_t)result.problems;
}

/* ---- the memory limit ---- */

void world_fill(struct world *world, uint64_t spare) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = world->a;
    options.flags = SELSNAP_VIEW_PRISTINE;
    uint64_t capacity = LIMIT / 64;
    world->fillers = calloc(capacity, sizeof *world->fillers);
    if (world->fillers == NULL) {
        abort();
    }
    while (world->filler_count < capacity &&
           selsnap_view_open(world->ss, &options, &world->fillers[world->filler_count]) == SELSNAP_OK) {
        world->filler_count++;
    }
    for (; spare > 0 && world->filler_count > 0; spare--) {
        must(selsnap_view_close(world->fillers[--world->filler_count]));
    }
}

void world_unfill(struct world *world) {
    while (world->filler_count > 0) {
        must(selsnap_view_close(world->fillers[--world->filler_count]));
    }
    free(world->fillers);
    world->fillers = NULL;
}
