/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stock devices, and calls that go to a device directly: memory, a slice of another device, and one that counts what it is
 * asked. Store and origin may be slices of one disk, if they do not overlap. It prints:
 *
 *     slice: 4194304 bytes, blocks of 512
 *     read: one, two
 *     a first write: 1 read, 1 write of the origin; the store was flushed 1 time
 */
#include <inttypes.h>
#include <selsnap/selsnap.h>
#include <stdio.h>
#include <string.h>

#define BLOCK UINT64_C(4096)
#define SIZE (UINT64_C(4) << 20)

static int direct(selsnap_device *device) {
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    char one[512] = "one", two[512] = "two";
    const selsnap_iovec into[2] = {{one, sizeof one}, {two, sizeof two}};
    selsnap_io reads[2] = {SELSNAP_IO_INIT, SELSNAP_IO_INIT};
    selsnap_io *const ios[] = {&reads[0], &reads[1]};
    int rc = selsnap_device_get_info(device, &info);
    printf("slice: %" PRIu64 " bytes, blocks of %" PRIu32 "\n", info.size_bytes, info.logical_block_bytes);
    rc = rc ? rc : selsnap_device_write(device, one, sizeof one, 0);
    rc = rc ? rc : selsnap_device_write(device, two, sizeof two, sizeof one);
    rc = rc ? rc : selsnap_device_flush(device);
    memset(one, 0, sizeof one);
    memset(two, 0, sizeof two);
    for (int i = 0; i < 2; i++) {
        reads[i].kind = SELSNAP_IO_READ;
        reads[i].iov = &into[i];
        reads[i].iov_count = 1;
        reads[i].offset = (uint64_t)i * sizeof one;
    }
    rc = rc ? rc : selsnap_device_batch(device, ios, 2);
    printf("read: %s, %s\n", one, two);
    return rc;
}

/* What one first write asks of the devices. */
static int count(selsnap_device *store, selsnap_device *origin, selsnap *ss) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_device_counts of_origin = {.struct_size = sizeof of_origin}, of_store = {.struct_size = sizeof of_store};
    char block[BLOCK] = "new";
    options.name = "a";
    int rc = selsnap_snapshot_create(ss, &options, NULL);
    rc = rc ? rc : selsnap_device_get_counts(origin, &of_origin, 1); /* begin at zero */
    rc = rc ? rc : selsnap_device_get_counts(store, &of_store, 1);
    rc = rc ? rc : selsnap_write(ss, block, BLOCK, 0);
    rc = rc ? rc : selsnap_device_get_counts(origin, &of_origin, 0);
    rc = rc ? rc : selsnap_device_get_counts(store, &of_store, 0);
    printf("a first write: %" PRIu64 " read, %" PRIu64 " write of the origin; the store was flushed %" PRIu64 " time\n",
           of_origin.reads, of_origin.writes, of_store.flushes);
    return rc;
}

int main(void) {
    selsnap_device *disk = NULL, *left = NULL, *right = NULL, *origin = NULL, *store = NULL;
    selsnap *ss = NULL;
    int rc = selsnap_device_open_memory(2 * SIZE, 512, &disk);
    rc = rc ? rc : selsnap_device_open_slice(disk, 0, SIZE, &left);
    rc = rc ? rc : selsnap_device_open_slice(disk, SIZE, SIZE, &right);
    rc = rc ? rc : direct(left);
    rc = rc ? rc : selsnap_device_open_counting(left, &origin);
    rc = rc ? rc : selsnap_device_open_counting(right, &store);
    rc = rc ? rc : selsnap_format(store, origin, NULL);
    rc = rc ? rc : selsnap_open(store, origin, NULL, &ss);
    rc = rc ? rc : count(store, origin, ss);
    int closed = selsnap_close(ss);
    rc = rc ? rc : closed;
    selsnap_device_close(store);
    selsnap_device_close(origin);
    selsnap_device_close(right);
    selsnap_device_close(left);
    selsnap_device_close(disk);
    if (rc != SELSNAP_OK) {
        fprintf(stderr, "%s\n", selsnap_strerror(rc));
    }
    return rc != SELSNAP_OK;
}
