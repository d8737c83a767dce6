/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of the first release's days: compiled against the headers of that release, which stand beside it, and run against
 * today's library. It is never changed; what it does must work for ever, with the structs as long as they were then.
 */
#include <inttypes.h>
#include <selsnap/selsnap.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 4096, ORIGIN = 4 << 20, STORE = 8 << 20 };

static int number;
static int failed;

static void check(int good, const char *what) {
    printf("%s %d - %s\n", good ? "ok" : "not ok", ++number, what);
    failed += !good;
}

#define CHECK(condition) check((condition), #condition)
#define WORKS(call) check((call) == SELSNAP_OK, #call)

static uint64_t events;

static void on_event(void *user, const selsnap_event *event) {
    (void)user;
    events += event->struct_size >= sizeof *event;
}

/* The text at the start of a block, of the live device or of a view. */
static const char *text_at(selsnap *ss, selsnap_view *view, uint64_t block) {
    static char text[BLOCK];
    int rc = view != NULL ? selsnap_view_read(view, text, BLOCK, block * BLOCK)
                          : selsnap_read(ss, text, BLOCK, block * BLOCK);
    return rc == SELSNAP_OK ? text : selsnap_error_name(rc);
}

static int put(selsnap *ss, const char *text, uint64_t block) {
    char bytes[BLOCK] = "";
    snprintf(bytes, sizeof bytes, "%s", text);
    return selsnap_write(ss, bytes, BLOCK, block * BLOCK);
}

static void subsets(selsnap *ss) {
    selsnap_subset *subset = NULL, *loaded = NULL;
    selsnap_range range = {0, 0};
    uint64_t id = 0;
    WORKS(selsnap_subset_open_for(ss, &subset));
    WORKS(selsnap_subset_add(subset, 0, 64 * BLOCK));
    WORKS(selsnap_subset_remove(subset, 8 * BLOCK, BLOCK));
    CHECK(selsnap_subset_block_count(subset) == 63);
    WORKS(selsnap_subset_next(subset, 8 * BLOCK, &range));
    CHECK(range.offset == 9 * BLOCK && range.len == 55 * BLOCK);
    WORKS(selsnap_designation_save(ss, "part", subset, &id));
    WORKS(selsnap_designation_load(ss, "part", &loaded));
    CHECK(selsnap_subset_byte_count(loaded) == 63 * BLOCK && id != 0);
    selsnap_subset_close(loaded);
    selsnap_subset_close(subset);
}

static uint64_t snapshot(selsnap *ss) {
    const selsnap_property property = {"reason", "upgrade"};
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    char key[SELSNAP_PROPERTY_KEY_MAX + 1], value[SELSNAP_PROPERTY_VALUE_MAX + 1];
    uint64_t id = 0;
    options.name = "monday";
    options.designation = "part";
    options.properties = &property;
    options.property_count = 1;
    options.time_ns = 1000;
    WORKS(put(ss, "before", 1));
    WORKS(selsnap_snapshot_create(ss, &options, &id));
    WORKS(put(ss, "after", 1));
    WORKS(selsnap_snapshot_find(ss, "monday", &info));
    CHECK(info.id == id && info.time_ns == 1000 && info.block_count == 63 && info.origin_bytes == ORIGIN);
    CHECK(strcmp(info.name, "monday") == 0 && strcmp(info.designation, "part") == 0);
    WORKS(selsnap_snapshot_next_property(ss, id, "", key, value));
    CHECK(strcmp(key, "reason") == 0 && strcmp(value, "upgrade") == 0);
    CHECK(selsnap_snapshot_next_property(ss, id, key, key, value) == SELSNAP_ENOENT);
    return id;
}

static void views(selsnap *ss, uint64_t id) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    char block[BLOCK];
    options.id = id;
    options.flags = SELSNAP_VIEW_WRITABLE;
    WORKS(selsnap_view_open(ss, &options, &view));
    CHECK(strcmp(text_at(ss, view, 1), "before") == 0);
    CHECK(selsnap_view_read(view, block, BLOCK, 8 * BLOCK) == SELSNAP_EUNDESIGNATED);
    WORKS(selsnap_view_write(view, "tried!", 7, BLOCK));
    WORKS(selsnap_view_flush(view));
    CHECK(strcmp(text_at(ss, view, 1), "tried!") == 0);
    CHECK(strcmp(text_at(ss, NULL, 1), "after") == 0);
    WORKS(selsnap_view_reset(view));
    CHECK(strcmp(text_at(ss, view, 1), "before") == 0);
    WORKS(selsnap_view_close(view));
}

static void maps_and_usage(selsnap *ss, uint64_t id) {
    selsnap_map_range range = {0, 0, 0, 0};
    selsnap_snapshot_usage usage = {.struct_size = sizeof usage};
    selsnap_diff_options diff = SELSNAP_DIFF_OPTIONS_INIT;
    selsnap_diff_range changed = {0, 0, 0, 0};
    WORKS(selsnap_snapshot_map(ss, id, BLOCK, &range));
    CHECK(range.offset == BLOCK && range.state == SELSNAP_BLOCKS_PRESERVED);
    WORKS(selsnap_snapshot_get_usage(ss, id, NULL, NULL, &usage));
    CHECK(usage.preserved_blocks == 1 && usage.alone_bytes == BLOCK);
    diff.from_id = id;
    WORKS(selsnap_diff_next(ss, &diff, 0, &changed));
    CHECK(changed.offset == BLOCK && changed.len == BLOCK && changed.kind == SELSNAP_DIFF_CHANGED);
}

static void retention(selsnap *ss, uint64_t id) {
    selsnap_hold_options hold = SELSNAP_HOLD_OPTIONS_INIT;
    selsnap_hold_info info = {.struct_size = sizeof info};
    selsnap_keep_rules rules = SELSNAP_KEEP_RULES_INIT;
    uint64_t held = 0, count = 0;
    hold.reason = "audit";
    WORKS(selsnap_hold_add(ss, id, &hold, &held));
    CHECK(selsnap_snapshot_delete(ss, id) == SELSNAP_EHELD);
    WORKS(selsnap_hold_next(ss, id, 0, &info));
    CHECK(info.hold == held && strcmp(info.reason, "audit") == 0);
    WORKS(selsnap_hold_release(ss, id, held));
    WORKS(selsnap_snapshot_set_quota(ss, id, BLOCK));
    rules.last = 1;
    WORKS(selsnap_retain(ss, &rules, SELSNAP_RETAIN_DRY_RUN, NULL, NULL, &count));
    CHECK(count == 0);
}

static void restore(selsnap *ss, uint64_t id) {
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    selsnap_restore_info info = {.struct_size = sizeof info};
    selsnap_step_options step = SELSNAP_STEP_OPTIONS_INIT;
    uint64_t job = 0;
    uint32_t more = 1;
    options.id = id;
    WORKS(selsnap_restore_start(ss, &options, &job));
    CHECK(strcmp(text_at(ss, NULL, 1), "before") == 0);
    WORKS(selsnap_restore_next(ss, 0, &info));
    CHECK(info.job == job && info.snapshot_id == id);
    WORKS(selsnap_restore_run(ss, job, NULL, NULL));
    while (more != 0 && selsnap_step(ss, &step, &more) == SELSNAP_OK) {
    }
    CHECK(more == 0 && strcmp(text_at(ss, NULL, 1), "before") == 0);
}

static void clone_and_requests(selsnap *ss, uint64_t id) {
    selsnap_clone_options options = SELSNAP_CLONE_OPTIONS_INIT;
    uint64_t clone = 0;
    char bytes[BLOCK] = "batch";
    selsnap_iovec iov = {bytes, BLOCK};
    selsnap_io write = SELSNAP_IO_INIT;
    selsnap_io *ios[] = {&write};
    options.source_id = id;
    options.name = "copy";
    WORKS(selsnap_snapshot_clone(ss, &options, &clone));
    WORKS(selsnap_snapshot_delete(ss, clone));
    write.kind = SELSNAP_IO_WRITE;
    write.iov = &iov;
    write.iov_count = 1;
    write.offset = 2 * BLOCK;
    write.flags = SELSNAP_IO_FUA;
    WORKS(selsnap_batch(ss, ios, 1));
    CHECK(write.result == SELSNAP_OK && strcmp(text_at(ss, NULL, 2), "batch") == 0);
    WORKS(selsnap_write_zeroes(ss, 2 * BLOCK, BLOCK));
    WORKS(selsnap_flush(ss));
}

struct pipe {
    unsigned char bytes[1 << 20];
    size_t written, read;
};

static int into_pipe(void *user, const void *buf, size_t len) {
    struct pipe *pipe = user;
    if (len > sizeof pipe->bytes - pipe->written) {
        return SELSNAP_EIO;
    }
    memcpy(pipe->bytes + pipe->written, buf, len);
    pipe->written += len;
    return 0;
}

static int64_t out_of_pipe(void *user, void *buf, size_t len) {
    struct pipe *pipe = user;
    size_t left = pipe->written - pipe->read;
    len = len < left ? len : left;
    memcpy(buf, pipe->bytes + pipe->read, len);
    pipe->read += len;
    return (int64_t)len;
}

static void streams(selsnap *ss, uint64_t id) {
    static struct pipe pipe;
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    selsnap_stream_info info = {.struct_size = sizeof info};
    selsnap_device *copy = NULL;
    char block[BLOCK] = "";
    options.id = id;
    options.level = 0;
    WORKS(selsnap_export(ss, &options, into_pipe, &pipe, &info));
    CHECK(info.state == SELSNAP_STREAM_WHOLE && info.version_major == 1 && info.block_count == 63);
    WORKS(selsnap_stream_verify(out_of_pipe, &pipe, NULL, NULL));
    pipe.read = 0;
    WORKS(selsnap_device_open_memory(ORIGIN, 512, &copy));
    WORKS(selsnap_stream_apply(out_of_pipe, &pipe, copy, NULL, NULL));
    WORKS(selsnap_device_read(copy, block, BLOCK, BLOCK));
    CHECK(strcmp(block, "before") == 0);
    selsnap_device_close(copy);
}

static void inspect(selsnap *ss) {
    selsnap_check_result result = {.struct_size = sizeof result};
    selsnap_scrub scrub = SELSNAP_SCRUB_INIT;
    selsnap_stats stats = SELSNAP_STATS_INIT;
    char text[256];
    WORKS(selsnap_check(ss, NULL, NULL, NULL, NULL, &result));
    CHECK(result.problems == 0 && result.pages > 0);
    WORKS(selsnap_scrub_step(ss, &scrub, 0, NULL, NULL));
    CHECK(scrub.done == 1 && scrub.problems == 0);
    WORKS(selsnap_get_stats(ss, &stats));
    CHECK(stats.block_bytes == BLOCK && stats.origin_bytes == ORIGIN && stats.snapshots == 1);
    CHECK(stats.memory_bytes <= stats.memory_limit_bytes && stats.blocks_lost == 0);
    CHECK(selsnap_read(ss, text, 1, ORIGIN) == SELSNAP_ERANGE);
    CHECK(selsnap_last_error(ss, text, sizeof text) < 0 && text[0] != '\0');
}

static void reopened(selsnap_device *store, selsnap_device *origin) {
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    selsnap *ss = NULL;
    options.event = on_event;
    options.flags = SELSNAP_OPEN_READ_ONLY;
    WORKS(selsnap_open(store, origin, &options, &ss));
    WORKS(selsnap_snapshot_next(ss, 0, &info));
    CHECK(strcmp(info.name, "monday") == 0 && info.quota_bytes == BLOCK);
    CHECK(put(ss, "x", 0) == SELSNAP_EREADONLY);
    WORKS(selsnap_close(ss));
}

int main(void) {
    selsnap_device *origin = NULL, *store = NULL;
    selsnap_format_options format = SELSNAP_FORMAT_OPTIONS_INIT;
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    selsnap *ss = NULL;
    CHECK(selsnap_version() >= SELSNAP_VERSION_MAJOR * 1000000 + SELSNAP_VERSION_MINOR * 1000 + SELSNAP_VERSION_PATCH);
    WORKS(selsnap_device_open_memory(ORIGIN, 512, &origin));
    WORKS(selsnap_device_open_memory(STORE, 512, &store));
    format.journal_bytes = 65536;
    WORKS(selsnap_format(store, origin, &format));
    options.flags = SELSNAP_OPEN_NO_AHEAD;
    options.event = on_event;
    WORKS(selsnap_open(store, origin, &options, &ss));
    if (ss != NULL) {
        subsets(ss);
        uint64_t id = snapshot(ss);
        views(ss, id);
        maps_and_usage(ss, id);
        retention(ss, id);
        restore(ss, id);
        clone_and_requests(ss, id);
        streams(ss, id);
        inspect(ss);
        WORKS(selsnap_close(ss));
        CHECK(events == 1); /* the restore has ended */
        reopened(store, origin);
    }
    selsnap_device_close(store);
    selsnap_device_close(origin);
    printf("1..%d\n", number);
    return failed != 0;
}
