/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make_store DIR BLOCK_BYTES: makes a store by the public functions, and at several stages copies store and origin as
 * they are, as a killed process leaves them, next to what the library itself reads at that moment:
 *
 *   DIR/<stage>/store.img, origin.img   the images
 *   DIR/<stage>/expected.json           snapshots: id, name, point, designation, ranges, lost blocks
 *   DIR/<stage>/<id>.frozen             the snapshot as it was taken; undesignated and lost blocks are zeros
 *   DIR/<stage>/<id>.changed            with what was written into it, if anything was
 *
 * and DIR/0-formatted, images only, of a store that was never opened.
 *
 * tests/compat/test_reader.py compares another reader with that.
 */
#include "pattern.h"

#include <errno.h>
#include <inttypes.h>
#include <selsnap/selsnap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, BLOCKS = 600, SHORT_BY = 1024, STORE_BYTES = 10 << 20 };

struct maker {
    const char *dir;
    uint32_t block_bytes;
    uint64_t origin_bytes;
    uint64_t sequence;
    uint8_t *buf; /* one block */
    selsnap_device *origin;
    selsnap_device *store;
    selsnap *ss;
};

/* Ends the program when a call failed. */
static void must(int code, const char *what) {
    if (code != SELSNAP_OK) {
        (void)fprintf(stderr, "make_store: %s: %s\n", what, selsnap_error_name(code));
        exit(1);
    }
}

static void must_do(int ok, const char *what) {
    if (!ok) {
        (void)fprintf(stderr, "make_store: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static FILE *open_out(const struct maker *maker, const char *stage, const char *name) {
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s/%s", maker->dir, stage, name);
    FILE *out = fopen(path, "wb");
    must_do(out != NULL, path);
    return out;
}

/* ---- what is done to the store ---- */

static uint64_t block_len(const struct maker *maker, uint64_t block) {
    uint64_t rest = maker->origin_bytes - block * maker->block_bytes;
    return rest < maker->block_bytes ? rest : maker->block_bytes;
}

static void write_blocks(struct maker *maker, uint64_t first, uint64_t count) {
    maker->sequence++;
    for (uint64_t block = first; block < first + count; block++) {
        uint64_t len = block_len(maker, block);
        pattern_fill(maker->buf, len, block * maker->block_bytes, 1, maker->sequence);
        must(selsnap_write(maker->ss, maker->buf, len, block * maker->block_bytes), "write");
    }
}

/* One request, so that blocks are preserved together. */
static void write_at_once(struct maker *maker, uint64_t first, uint64_t count) {
    uint64_t len = (count - 1) * maker->block_bytes + block_len(maker, first + count - 1);
    uint8_t *buf = malloc(len);
    must_do(buf != NULL, "memory");
    maker->sequence++;
    pattern_fill(buf, len, first * maker->block_bytes, 1, maker->sequence);
    must(selsnap_write(maker->ss, buf, len, first * maker->block_bytes), "write");
    free(buf);
}

static selsnap_subset *subset_of(const struct maker *maker, uint64_t first, uint64_t count, uint64_t gap,
                                 uint64_t times) {
    selsnap_subset *subset = NULL;
    must(selsnap_subset_open_for(maker->ss, &subset), "subset");
    for (uint64_t i = 0; i < times; i++) {
        uint64_t begin = first + i * gap;
        uint64_t len = (count - 1) * maker->block_bytes + block_len(maker, begin + count - 1);
        must(selsnap_subset_add(subset, begin * maker->block_bytes, len), "subset");
    }
    return subset;
}

static uint64_t snapshot(const struct maker *maker, const char *name, const char *designation,
                         const selsnap_subset *subset) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_property property = {"made by", "make_store"};
    uint64_t id = 0;
    options.name = name;
    options.designation = designation;
    options.subset = subset;
    options.properties = &property;
    options.property_count = 1;
    options.policy = SELSNAP_POLICY_GIVE_UP_BLOCK;
    must(selsnap_snapshot_create(maker->ss, &options, &id), "snapshot");
    return id;
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

/* ---- what a stage leaves ---- */

/* Zeros become a hole. */
static void put_part(FILE *out, const uint8_t *buf, uint64_t len, const char *name) {
    if (pattern_all_zero(buf, len)) {
        must_do(fseek(out, (long)len, SEEK_CUR) == 0, name);
    } else {
        must_do(fwrite(buf, 1, len, out) == len, name);
    }
}

static void close_out(FILE *out, uint64_t size, const char *name) {
    must_do(fflush(out) == 0 && ftruncate(fileno(out), (off_t)size) == 0 && fclose(out) == 0, name);
}

static void copy_device(const struct maker *maker, selsnap_device *device, const char *stage, const char *name) {
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    FILE *out = open_out(maker, stage, name);
    must(selsnap_device_get_info(device, &info), "device");
    for (uint64_t at = 0; at < info.size_bytes; at += maker->block_bytes) {
        uint64_t len = info.size_bytes - at < maker->block_bytes ? info.size_bytes - at : maker->block_bytes;
        must(selsnap_device_read(device, maker->buf, len, at), "device");
        put_part(out, maker->buf, len, name);
    }
    close_out(out, info.size_bytes, name);
}

static void extract(const struct maker *maker, const char *stage, const selsnap_snapshot_info *info, uint32_t flags,
                    FILE *lost) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    char name[64];
    (void)snprintf(name, sizeof name, "%" PRIu64 "%s", info->id, flags != 0 ? ".frozen" : ".changed");
    FILE *out = open_out(maker, stage, name);
    options.id = info->id;
    options.flags = flags;
    options.undesignated = SELSNAP_UNDESIGNATED_ZEROS;
    must(selsnap_view_open(maker->ss, &options, &view), "view");
    const char *comma = "";
    for (uint64_t block = 0; block * maker->block_bytes < info->origin_bytes; block++) {
        uint64_t rest = info->origin_bytes - block * maker->block_bytes;
        uint64_t len = rest < maker->block_bytes ? rest : maker->block_bytes;
        int code = selsnap_view_read(view, maker->buf, len, block * maker->block_bytes);
        if (code == SELSNAP_ELOST) {
            memset(maker->buf, 0, len);
            if (lost != NULL) {
                (void)fprintf(lost, "%s%" PRIu64, comma, block);
            }
            comma = ", ";
        } else {
            must(code, "view read");
        }
        put_part(out, maker->buf, len, name);
    }
    must(selsnap_view_close(view), "view close");
    close_out(out, info->origin_bytes, name);
}

static void describe(const struct maker *maker, const char *stage, const selsnap_snapshot_info *info, FILE *out) {
    selsnap_subset *subset = NULL;
    selsnap_range range;
    const char *comma = "";
    (void)fprintf(out,
                  "{\"id\": %" PRIu64 ", \"name\": \"%s\", \"point\": %" PRIu64
                  ", \"designation\": \"%s\", \"blocks\": %" PRIu64 ", \"origin_bytes\": %" PRIu64 ", \"ranges\": [",
                  info->id, info->name, info->point, info->designation, info->block_count, info->origin_bytes);
    must(selsnap_snapshot_get_subset(maker->ss, info->id, &subset), "subset");
    for (uint64_t at = 0; selsnap_subset_next(subset, at, &range) == SELSNAP_OK; at = range.offset + range.len) {
        (void)fprintf(out, "%s[%" PRIu64 ", %" PRIu64 "]", comma, range.offset, range.len);
        comma = ", ";
    }
    selsnap_subset_close(subset);
    int64_t expiry = 0;
    must(selsnap_snapshot_get_expiry(maker->ss, info->id, &expiry), "expiry");
    (void)fprintf(out, "], \"expiry\": %" PRId64 ", \"quota\": %" PRIu64 ", \"lost\": [", expiry, info->quota_bytes);
    extract(maker, stage, info, SELSNAP_VIEW_PRISTINE, out);
    if (info->changed != 0) {
        extract(maker, stage, info, 0, NULL);
    }
    (void)fprintf(out, "]}");
}

static void leave_images(const struct maker *maker, const char *stage) {
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", maker->dir, stage);
    must_do(mkdir(path, 0777) == 0 || errno == EEXIST, path);
    copy_device(maker, maker->store, stage, "store.img");
    copy_device(maker, maker->origin, stage, "origin.img");
}

static void leave_stage(const struct maker *maker, const char *stage) {
    must(selsnap_flush(maker->ss), "flush");
    leave_images(maker, stage);
    FILE *out = open_out(maker, stage, "expected.json");
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    const char *comma = "";
    (void)fprintf(out, "[\n");
    for (uint64_t id = 0; selsnap_snapshot_next(maker->ss, id, &info) == SELSNAP_OK; id = info.id) {
        (void)fprintf(out, "%s", comma);
        describe(maker, stage, &info, out);
        comma = ",\n";
    }
    (void)fprintf(out, "\n]\n");
    must_do(fclose(out) == 0, "expected.json");
}

/* ---- the stages ---- */

/* Nothing is preserved ahead: the reader's tests know which blocks have entries. */
static void open_context(struct maker *maker) {
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.flags = SELSNAP_OPEN_NO_AHEAD;
    must(selsnap_open(maker->store, maker->origin, &options, &maker->ss), "open");
}

static void open_all(struct maker *maker, uint64_t store_bytes) {
    selsnap_format_options format = SELSNAP_FORMAT_OPTIONS_INIT;
    must(selsnap_device_open_memory(maker->origin_bytes, 0, &maker->origin), "origin");
    must(selsnap_device_open_memory(store_bytes, 0, &maker->store), "store");
    for (uint64_t block = 0; block < BLOCKS; block++) {
        /* Of the first hundred, every seventh block is zeros. */
        uint64_t len = block_len(maker, block);
        pattern_fill(maker->buf, len, block * maker->block_bytes, 0, 0);
        if (block % 7 != 3 || block >= 100) {
            must(selsnap_device_write(maker->origin, maker->buf, len, block * maker->block_bytes), "origin");
        }
    }
    format.block_bytes = maker->block_bytes;
    format.journal_bytes = 256 << 10; /* so small that it is gone around more than once */
    must(selsnap_format(maker->store, maker->origin, &format), "format");
    leave_images(maker, "0-formatted");
    open_context(maker);
}

static selsnap_device *copy_in_memory(const struct maker *maker, selsnap_device *device) {
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    selsnap_device *copy = NULL;
    must(selsnap_device_get_info(device, &info), "device");
    must(selsnap_device_open_memory(info.size_bytes, 0, &copy), "device");
    for (uint64_t at = 0; at < info.size_bytes; at += maker->block_bytes) {
        uint64_t len = info.size_bytes - at < maker->block_bytes ? info.size_bytes - at : maker->block_bytes;
        must(selsnap_device_read(device, maker->buf, len, at), "device");
        must(selsnap_device_write(copy, maker->buf, len, at), "device");
    }
    return copy;
}

/* Goes on as after a killed process. */
static void crash(struct maker *maker) {
    selsnap_device *origin = copy_in_memory(maker, maker->origin);
    selsnap_device *store = copy_in_memory(maker, maker->store);
    must(selsnap_close(maker->ss), "close");
    selsnap_device_close(maker->origin);
    selsnap_device_close(maker->store);
    maker->origin = origin;
    maker->store = store;
    open_context(maker);
}

static void close_all(struct maker *maker) {
    if (maker->ss != NULL) {
        must(selsnap_close(maker->ss), "close");
    }
    maker->ss = NULL;
    selsnap_device_close(maker->origin);
    selsnap_device_close(maker->store);
}

static void snapshots_come_and_go(struct maker *maker) {
    selsnap_subset *comb = subset_of(maker, 1, 1, 3, 190);
    selsnap_subset *two = subset_of(maker, 100, 50, 200, 2);
    must(selsnap_designation_save(maker->ss, "comb", comb, NULL), "save");
    uint64_t first = snapshot(maker, "first", NULL, NULL);
    write_blocks(maker, 0, 12);
    write_at_once(maker, 240, 60); /* over the border of a run */
    leave_stage(maker, "1-journal");
    crash(maker);
    write_blocks(maker, 140, 5);
    leave_stage(maker, "1-recovered");
    uint64_t second = snapshot(maker, "second", "comb", NULL);
    write_at_once(maker, 0, 40);
    write_blocks(maker, BLOCKS - 3, 3); /* the last block is short */
    snapshot(maker, "third, \xc3\xa4 la carte", NULL, two);
    write_blocks(maker, 110, 5);
    write_into(maker, second, 4);
    must(selsnap_snapshot_set_quota(maker->ss, second, 123456789), "quota");
    must(selsnap_snapshot_set_expiry(maker->ss, second, -5), "expiry");
    must(selsnap_set_quota(maker->ss, UINT64_C(8) << 30), "quota");
    leave_stage(maker, "2-more");
    step(maker, SELSNAP_STEP_CHECKPOINT, 0);
    leave_stage(maker, "3-tree");
    write_at_once(maker, 90, 256);
    must(selsnap_designation_save(maker->ss, "comb", two, NULL), "save");
    snapshot(maker, "fourth", "comb", NULL);
    write_blocks(maker, 100, 30);
    must(selsnap_write_zeroes(maker->ss, 130 * (uint64_t)maker->block_bytes, 5 * (uint64_t)maker->block_bytes),
         "zeroes");
    leave_stage(maker, "4-tree and journal");
    write_blocks(maker, 300, 120); /* round the end of the journal */
    must(selsnap_snapshot_delete(maker->ss, first), "delete");
    step(maker, SELSNAP_STEP_RECLAIM, 20);
    leave_stage(maker, "5-reclaiming");
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    restore.id = second;
    must(selsnap_restore_start(maker->ss, &restore, NULL), "restore");
    snapshot(maker, "during the restore", NULL, NULL);
    write_blocks(maker, 20, 5);
    step(maker, SELSNAP_STEP_RESTORE, 30);
    leave_stage(maker, "6-restoring");
    for (int i = 0; i < 100; i++) {
        step(maker, 0, 0);
    }
    leave_stage(maker, "7-done");
    selsnap_subset_close(comb);
    selsnap_subset_close(two);
}

/* What a clean close leaves is read as what the stage before it left. */
static void closed_and_opened(struct maker *maker) {
    leave_stage(maker, "8-closed");
    must(selsnap_close(maker->ss), "close");
    leave_images(maker, "8-closed");
    open_context(maker);
    snapshot(maker, "after a clean close", NULL, NULL);
    write_at_once(maker, 400, 100);
    leave_stage(maker, "9-opened");
}

static void blocks_are_lost(struct maker *maker) {
    open_all(maker, ((uint64_t)200 * maker->block_bytes) + (2 << 20));
    snapshot(maker, "lossy", NULL, NULL);
    write_blocks(maker, 0, BLOCKS);
    leave_stage(maker, "10-lost");
    close_all(maker);
}

/* The origin is copied to a longer device, and grows to the length of that. */
static void origin_grows(struct maker *maker) {
    selsnap_device *longer = NULL;
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.flags = SELSNAP_OPEN_NO_AHEAD | SELSNAP_OPEN_LONGER_ORIGIN;
    open_all(maker, (uint64_t)STORE_BYTES * (maker->block_bytes / 4096));
    snapshot(maker, "short", NULL, NULL);
    write_blocks(maker, 10, 5);
    must(selsnap_close(maker->ss), "close");
    must(selsnap_device_open_memory(maker->origin_bytes + 3 * (uint64_t)maker->block_bytes, 0, &longer), "origin");
    for (uint64_t block = 0; block < BLOCKS; block++) {
        uint64_t len = block_len(maker, block);
        must(selsnap_device_read(maker->origin, maker->buf, len, block * maker->block_bytes), "device");
        must(selsnap_device_write(longer, maker->buf, len, block * maker->block_bytes), "device");
    }
    selsnap_device_close(maker->origin);
    maker->origin = longer;
    must(selsnap_open(maker->store, maker->origin, &options, &maker->ss), "open");
    must(selsnap_grow_origin(maker->ss, 0), "grow");
    maker->origin_bytes = selsnap_size(maker->ss);
    write_blocks(maker, BLOCKS - 2, 4);
    snapshot(maker, "long", NULL, NULL);
    write_blocks(maker, BLOCKS - 1, 4);
    leave_stage(maker, "11-grown");
}

/* By what it grew, and half a block more; what is cut off was written over. */
static void origin_shrinks(struct maker *maker) {
    uint64_t bytes = maker->origin_bytes - 3 * (uint64_t)maker->block_bytes - maker->block_bytes / 2;
    write_blocks(maker, BLOCKS - 1, 4);
    must(selsnap_shrink_origin(maker->ss, bytes), "shrink");
    maker->origin_bytes = bytes;
    write_blocks(maker, BLOCKS - 2, 1);
    snapshot(maker, "shorter", NULL, NULL);
    write_blocks(maker, BLOCKS - 3, 2);
    leave_stage(maker, "12-shrunk");
    close_all(maker);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        (void)fprintf(stderr, "usage: make_store DIR BLOCK_BYTES\n");
        return 2;
    }
    struct maker maker = {.dir = argv[1], .block_bytes = (uint32_t)strtoul(argv[2], NULL, 10)};
    maker.origin_bytes = (uint64_t)BLOCKS * maker.block_bytes - SHORT_BY;
    maker.buf = malloc(maker.block_bytes);
    must_do(maker.buf != NULL, "memory");
    open_all(&maker, (uint64_t)STORE_BYTES * (maker.block_bytes / 4096));
    snapshots_come_and_go(&maker);
    closed_and_opened(&maker);
    close_all(&maker);
    blocks_are_lost(&maker);
    origin_grows(&maker);
    origin_shrinks(&maker);
    free(maker.buf);
    return 0;
}
