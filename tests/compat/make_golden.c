/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make_golden DIR: makes small stores that between them hold every kind of item of the format, and writes
 *
 *   DIR/NAME.store, DIR/NAME.origin   the images; all but `closed` as a killed process leaves them
 *   DIR/NAME.stream                   streams
 *   DIR/manifest.txt                  for each, a line with its kind and name, then what the library finds in it
 *                                     (account.h)
 *
 * Time and randomness are wrapped by the linker: what is made depends on nothing but the library, and two machines make
 * the same bytes. The golden images of a format version were made by this once, and stay as they are.
 */
#include "account.h"

#include <inttypes.h>
#include <selsnap/selsnap.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PATH_BYTES = 4096, LINE = 32, BLOCKS = 48, SHORT_BY = 1024, STORE_BYTES = 768 << 10 };
static const int64_t FUTURE_NS = INT64_C(7000000000000000000); /* in the year 2191 */

struct maker {
    const char *dir;
    FILE *manifest;
    uint32_t block_bytes;
    uint64_t origin_bytes;
    unsigned sequence;
    selsnap_device *origin;
    selsnap_device *store;
    selsnap *ss;
};

struct tape {
    uint8_t bytes[1 << 20];
    size_t len;
    size_t at;
    size_t end;
};

/* ---- the same on every machine ---- */

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
bool __wrap_ssn_random(void *buf, size_t len);

static unsigned ticks;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret) {
    (void)clock;
    ticks++;
    ret->tv_sec = 1000000000 + (time_t)(ticks / 1000);
    ret->tv_nsec = (long)(ticks % 1000) * 1000000;
    return 0;
}

/* Randomness: the store's id. */
bool __wrap_ssn_random(void *buf, size_t len) {
    static unsigned next;
    memset(buf, (int)(0x51 + next++), len);
    return true;
}

/* ---- files ---- */

static void write_file(const struct maker *maker, const char *name, const char *ending, const void *bytes, size_t len) {
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s.%s", maker->dir, name, ending);
    FILE *out = fopen(path, "wb");
    must_do(out != NULL && fwrite(bytes, 1, len, out) == len && fclose(out) == 0, path);
}

static void write_image(const struct maker *maker, const char *name) {
    uint64_t len = 0;
    uint8_t *bytes = account_content(maker->store, &len);
    write_file(maker, name, "store", bytes, (size_t)len);
    free(bytes);
    bytes = account_content(maker->origin, &len);
    write_file(maker, name, "origin", bytes, (size_t)len);
    free(bytes);
}

static void leave_image(const struct maker *maker, const char *name) {
    must(selsnap_flush(maker->ss), "flush");
    (void)fprintf(maker->manifest, "image %s\n", name);
    account_store(maker->ss, maker->manifest);
    write_image(maker, name);
}

/* ---- what is done ---- */

/* Text, so that the images stay small when they are packed. */
static void write_blocks(struct maker *maker, uint64_t first, uint64_t count) {
    size_t size = maker->block_bytes;
    char *block = malloc(size);
    char line[2 * LINE];
    must_do(block != NULL, "memory");
    maker->sequence++;
    for (uint64_t at = first * size; at < (first + count) * size && at < maker->origin_bytes; at += size) {
        uint64_t left = maker->origin_bytes - at;
        (void)snprintf(line, sizeof line, "block %8" PRIu64 ", write %9u\n", at / size, maker->sequence);
        for (size_t i = 0; i < size; i += LINE) {
            memcpy(block + i, line, LINE);
        }
        must(selsnap_write(maker->ss, block, (size_t)(left < size ? left : size), at), "write");
    }
    free(block);
}

static uint64_t snapshot(const struct maker *maker, const char *name, const char *designation, uint32_t flags) {
    const selsnap_property properties[] = {{"made by", "make_golden"}, {"\xc3\xa4", ""}};
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    uint64_t id = 0;
    options.name = name;
    options.designation = designation;
    options.policy = SELSNAP_POLICY_GIVE_UP_BLOCK;
    options.properties = properties;
    options.property_count = 2;
    options.flags = flags;
    must(selsnap_snapshot_create(maker->ss, &options, &id), "snapshot");
    return id;
}

static void designate(const struct maker *maker, const char *name, uint64_t first, uint64_t blocks, uint64_t gap,
                      unsigned times) {
    selsnap_subset *subset = NULL;
    must(selsnap_subset_open_for(maker->ss, &subset), "subset");
    for (unsigned i = 0; i < times; i++) {
        must(selsnap_subset_add(subset, (first + i * gap) * maker->block_bytes, blocks * maker->block_bytes), "subset");
    }
    must(selsnap_designation_save(maker->ss, name, subset, NULL), "designation");
    selsnap_subset_close(subset);
}

static void write_into(const struct maker *maker, uint64_t id, uint64_t block) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    options.id = id;
    options.flags = SELSNAP_VIEW_WRITABLE;
    must(selsnap_view_open(maker->ss, &options, &view), "view");
    must(selsnap_view_write(view, "written into the snapshot", 25, block * maker->block_bytes + 100), "view write");
    must(selsnap_view_discard(view, (block + 3) * maker->block_bytes, maker->block_bytes), "view discard");
    must(selsnap_view_close(view), "view close");
}

static void step(const struct maker *maker, uint32_t flags, uint64_t budget) {
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    options.flags = flags;
    options.budget_blocks = budget;
    must(selsnap_step(maker->ss, &options, NULL), "step");
}

static void open_context(struct maker *maker, uint32_t flags) {
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.flags = SELSNAP_OPEN_NO_AHEAD | flags;
    must(selsnap_open(maker->store, maker->origin, &options, &maker->ss), "open");
}

static void open_all(struct maker *maker, uint32_t block_bytes, uint64_t store_bytes) {
    selsnap_format_options format = SELSNAP_FORMAT_OPTIONS_INIT;
    maker->block_bytes = block_bytes;
    maker->origin_bytes = (uint64_t)BLOCKS * block_bytes - SHORT_BY;
    must(selsnap_device_open_memory(maker->origin_bytes, 0, &maker->origin), "origin");
    must(selsnap_device_open_memory(store_bytes, 0, &maker->store), "store");
    format.block_bytes = block_bytes;
    format.journal_bytes = 64 << 10;
    must(selsnap_format(maker->store, maker->origin, &format), "format");
    open_context(maker, 0);
    write_blocks(maker, 0, BLOCKS / 2);
    write_blocks(maker, BLOCKS - 1, 1);
}

static void close_all(struct maker *maker) {
    must(selsnap_close(maker->ss), "close");
    selsnap_device_close(maker->origin);
    selsnap_device_close(maker->store);
}

/* ---- streams ---- */

static int tape_write(void *user, const void *buf, size_t len) {
    struct tape *tape = user;
    must_do(len <= sizeof tape->bytes - tape->len, "tape");
    memcpy(tape->bytes + tape->len, buf, len);
    tape->len += len;
    return 0;
}

static int64_t tape_read(void *user, void *buf, size_t len) {
    struct tape *tape = user;
    size_t part = len < tape->end - tape->at ? len : tape->end - tape->at;
    memcpy(buf, tape->bytes + tape->at, part);
    tape->at += part;
    return (int64_t)part;
}

static void export(const struct maker *maker, uint64_t id, uint64_t base, int32_t level, struct tape *tape) {
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    options.id = id;
    options.base_id = base;
    options.level = level;
    tape->len = 0;
    must(selsnap_export(maker->ss, &options, tape_write, tape, NULL), "export");
    tape->at = 0;
    tape->end = tape->len;
}

static void leave_stream(const struct maker *maker, const char *name, const struct tape *tape) {
    (void)fprintf(maker->manifest, "stream %s %" PRIu64 "\n", name, maker->origin_bytes);
    must(account_stream(tape->bytes, tape->len, maker->origin_bytes, maker->manifest), name);
    write_file(maker, name, "stream", tape->bytes, tape->len);
}

/* One snapshot imported whole, of a second a part. */
static void leave_imports(const struct maker *from, uint64_t one, uint64_t two, struct tape *tape) {
    selsnap_import_options options = SELSNAP_IMPORT_OPTIONS_INIT;
    struct maker to = {.dir = from->dir, .manifest = from->manifest};
    export(from, two, one, -1, tape);
    size_t at = tape->len;
    uint8_t *increment = malloc(at);
    must_do(increment != NULL, "memory");
    memcpy(increment, tape->bytes, at);
    export(from, one, 0, -1, tape);
    leave_stream(from, "plain", tape);
    open_all(&to, from->block_bytes, STORE_BYTES);
    must(selsnap_import(to.ss, tape_read, tape, &options, NULL, NULL), "import");
    memcpy(tape->bytes, increment, at);
    tape->at = 0;
    tape->end = at - 100;
    free(increment);
    options.flags = SELSNAP_IMPORT_KEEP_PART;
    must_do(selsnap_import(to.ss, tape_read, tape, &options, NULL, NULL) == SELSNAP_ESTREAM, "a part");
    leave_image(&to, "imported");
    close_all(&to);
}

/* ---- the images ---- */

static void add_keeping(const struct maker *maker, uint64_t id) {
    selsnap_hold_options hold = SELSNAP_HOLD_OPTIONS_INIT;
    hold.flags = SELSNAP_HOLD_LOCK;
    hold.until_ns = FUTURE_NS;
    hold.reason = "kept for ever";
    must(selsnap_hold_add(maker->ss, id, &hold, NULL), "hold");
    must(selsnap_snapshot_set_expiry(maker->ss, id, -5), "expiry");
    must(selsnap_snapshot_set_quota(maker->ss, id, 123456789), "quota");
    must(selsnap_set_quota(maker->ss, UINT64_C(8) << 30), "quota");
}

static void add_clone(const struct maker *maker, uint64_t source) {
    selsnap_clone_options options = SELSNAP_CLONE_OPTIONS_INIT;
    uint64_t id = 0;
    options.flags = SELSNAP_CLONE_AS_CHANGED;
    options.source_id = source;
    options.name = "clone";
    must(selsnap_snapshot_clone(maker->ss, &options, &id), "clone");
    write_into(maker, id, 6);
}

static void add_member(const struct maker *maker) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_group_options group = SELSNAP_GROUP_OPTIONS_INIT;
    const selsnap_group_member member = {maker->ss, &options};
    options.name = "member";
    options.designation = "few";
    group.name = "together";
    must(selsnap_group_create(&member, 1, &group, NULL, NULL), "group");
}

static void leave_common(struct maker *maker, struct tape *tape) {
    open_all(maker, 4096, STORE_BYTES);
    designate(maker, "comb", 1, 1, 3, 15);
    designate(maker, "few", 4, 6, 20, 2);
    uint64_t first = snapshot(maker, "first", "comb", 0);
    write_blocks(maker, 0, 12);
    leave_image(maker, "journal");
    uint64_t second = snapshot(maker, "second, \xc3\xa4 la carte", "few", 0);
    snapshot(maker, "mark", "few", SELSNAP_SNAPSHOT_BOOKMARK);
    write_blocks(maker, 4, 30);
    must(selsnap_write_zeroes(maker->ss, 8 * (uint64_t)maker->block_bytes, 3 * (uint64_t)maker->block_bytes), "zeroes");
    write_into(maker, second, 5);
    add_clone(maker, second);
    add_keeping(maker, second);
    add_member(maker);
    uint64_t whole = snapshot(maker, "whole", NULL, 0);
    write_blocks(maker, 10, 3);
    uint64_t next = snapshot(maker, "next", NULL, 0);
    step(maker, SELSNAP_STEP_CHECKPOINT, 0);
    write_blocks(maker, 20, 2);
    leave_image(maker, "tree");
    export(maker, whole, 0, 3, tape);
    leave_stream(maker, "packed", tape);
    leave_imports(maker, whole, next, tape);
    (void)fprintf(maker->manifest, "image closed\n");
    account_store(maker->ss, maker->manifest);
    must(selsnap_close(maker->ss), "close");
    write_image(maker, "closed");
    open_context(maker, 0);
    must(selsnap_snapshot_delete(maker->ss, first), "delete");
    step(maker, SELSNAP_STEP_RECLAIM, 3);
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    restore.id = second;
    must(selsnap_restore_start(maker->ss, &restore, NULL), "restore");
    snapshot(maker, "during the restore", NULL, 0);
    write_blocks(maker, 6, 1);
    step(maker, SELSNAP_STEP_RESTORE, 4);
    leave_image(maker, "restoring");
    close_all(maker);
}

/* Blocks of 8 KiB in a store too small for all of them; the origin becomes longer, then shorter. */
static void leave_sizes(struct maker *maker) {
    selsnap_device *longer = NULL;
    uint64_t len = 0;
    open_all(maker, 8192, (512 << 10));
    snapshot(maker, "short", NULL, 0);
    write_blocks(maker, 0, BLOCKS);
    leave_image(maker, "lost");
    must(selsnap_close(maker->ss), "close");
    uint8_t *bytes = account_content(maker->origin, &len);
    selsnap_device_close(maker->origin);
    must(selsnap_device_open_memory(len + 3 * (uint64_t)maker->block_bytes, 0, &longer), "origin");
    must(selsnap_device_write(longer, bytes, (size_t)len, 0), "origin");
    free(bytes);
    maker->origin = longer;
    open_context(maker, SELSNAP_OPEN_LONGER_ORIGIN);
    must(selsnap_grow_origin(maker->ss, 0), "grow");
    maker->origin_bytes = selsnap_size(maker->ss);
    snapshot(maker, "long", NULL, 0);
    write_blocks(maker, BLOCKS - 1, 4);
    leave_image(maker, "grown");
    maker->origin_bytes -= 3 * (uint64_t)maker->block_bytes + maker->block_bytes / 2;
    must(selsnap_shrink_origin(maker->ss, maker->origin_bytes), "shrink");
    snapshot(maker, "shorter", NULL, 0);
    write_blocks(maker, BLOCKS - 3, 2);
    leave_image(maker, "shrunk");
    close_all(maker);
}

int main(int argc, char **argv) {
    static struct tape tape;
    char path[PATH_BYTES];
    if (argc != 2) {
        (void)fprintf(stderr, "usage: make_golden DIR\n");
        return 2;
    }
    struct maker maker = {.dir = argv[1]};
    (void)snprintf(path, sizeof path, "%s/manifest.txt", argv[1]);
    maker.manifest = fopen(path, "wb");
    must_do(maker.manifest != NULL, path);
    leave_common(&maker, &tape);
    leave_sizes(&maker);
    must_do(fclose(maker.manifest) == 0, path);
    return 0;
}
