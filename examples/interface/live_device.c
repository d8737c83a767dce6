/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live device beyond reading and writing: several buffers, many requests at once, zeros, trim, a moment of rest, other
 * sizes; and a bookmark, which tells what changed. It prints:
 *
 *     read: hello, world
 *     two writes, both durable
 *     at rest: nobody writes, and nobody waits long
 *     changed: 4096 bytes at 0
 *     changed: 8192 bytes at 16384
 *     changed: 4096 bytes at 1048576
 *     the device has 6 MiB, the store 8
 */
#include <inttypes.h>
#include <selsnap/selsnap.h>
#include <stdio.h>

#define BLOCK UINT64_C(4096)
#define SIZE (UINT64_C(4) << 20)

static int buffers(selsnap *ss) {
    char hello[8] = "hello, ", world[8] = "world";
    char first[8] = "", second[8] = "";
    const selsnap_iovec out[2] = {{hello, 7}, {world, 6}};
    const selsnap_iovec in[2] = {{first, 7}, {second, 6}};
    int rc = selsnap_writev(ss, out, 2, 0);
    rc = rc ? rc : selsnap_readv(ss, in, 2, 0);
    printf("read: %s%s\n", first, second);
    return rc;
}

/* What two writes need preserved is read, stored, recorded and flushed together. */
static int two_at_once(selsnap *ss) {
    char block[BLOCK] = "";
    const selsnap_iovec iov = {block, BLOCK};
    selsnap_io first = SELSNAP_IO_INIT, second = SELSNAP_IO_INIT;
    selsnap_io *const ios[] = {&first, &second};
    first.kind = second.kind = SELSNAP_IO_WRITE;
    first.iov = second.iov = &iov;
    first.iov_count = second.iov_count = 1;
    first.flags = second.flags = SELSNAP_IO_FUA;
    first.offset = 4 * BLOCK;
    second.offset = 5 * BLOCK;
    int rc = selsnap_batch(ss, ios, 2);
    if (first.result == SELSNAP_OK && second.result == SELSNAP_OK) {
        puts("two writes, both durable");
    }
    return rc;
}

static int rest(selsnap *ss) {
    int rc = selsnap_freeze(ss); /* writers wait from here on; snapshots can be made */
    puts("at rest: nobody writes, and nobody waits long");
    return rc ? rc : selsnap_thaw(ss);
}

static int what_changed(selsnap *ss, uint64_t id) {
    selsnap_diff_options options = SELSNAP_DIFF_OPTIONS_INIT; /* to_id 0: up to now */
    selsnap_diff_range range = {0, 0, 0, 0};
    options.from_id = id;
    int rc = selsnap_diff_next(ss, &options, 0, &range);
    while (rc == SELSNAP_OK) {
        printf("changed: %" PRIu64 " bytes at %" PRIu64 "\n", range.len, range.offset);
        rc = selsnap_diff_next(ss, &options, range.offset + range.len, &range);
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

/* The devices are files: those can become longer. */
static int other_sizes(selsnap *ss) {
    selsnap_stats stats = SELSNAP_STATS_INIT;
    int rc = selsnap_grow_store(ss, 8 << 20);
    rc = rc ? rc : selsnap_grow_origin(ss, 8 << 20);
    rc = rc ? rc : selsnap_shrink_origin(ss, 6 << 20); /* no snapshot has a block there */
    rc = rc ? rc : selsnap_get_stats(ss, &stats);
    printf("the device has %" PRIu64 " MiB, the store %" PRIu64 "\n", stats.origin_bytes >> 20,
           stats.store_bytes >> 20);
    return rc;
}

static int use(selsnap *ss) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    uint64_t id = 0;
    options.name = "backed up";
    int rc = selsnap_snapshot_create(ss, &options, &id);
    rc = rc ? rc : selsnap_snapshot_make_bookmark(ss, id); /* it keeps no data any more, and tells what changes */
    rc = rc ? rc : buffers(ss);
    rc = rc ? rc : two_at_once(ss);
    rc = rc ? rc : selsnap_write_zeroes(ss, 1 << 20, BLOCK);
    rc = rc ? rc : selsnap_discard(ss, 2 << 20, BLOCK); /* advice: the bookmark would have to know, so it is left */
    rc = rc ? rc : selsnap_flush(ss);
    rc = rc ? rc : rest(ss);
    rc = rc ? rc : what_changed(ss, id);
    return rc ? rc : other_sizes(ss);
}

int main(void) {
    selsnap_device *origin = NULL, *store = NULL;
    selsnap *ss = NULL;
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.flags = SELSNAP_OPEN_NO_AHEAD; /* so that the diff holds what was written and no more */
    int rc = selsnap_device_open_file("disk.img", SELSNAP_FILE_CREATE, SIZE, &origin, NULL);
    rc = rc ? rc : selsnap_device_open_file("disk.store", SELSNAP_FILE_CREATE, SIZE, &store, NULL);
    rc = rc ? rc : selsnap_format(store, origin, NULL);
    rc = rc ? rc : selsnap_open(store, origin, &options, &ss);
    rc = rc ? rc : use(ss);
    int closed = selsnap_close(ss);
    rc = rc ? rc : closed;
    selsnap_device_close(store);
    selsnap_device_close(origin);
    if (rc != SELSNAP_OK) {
        fprintf(stderr, "%s\n", selsnap_strerror(rc));
    }
    return rc != SELSNAP_OK;
}
