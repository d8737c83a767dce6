/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be asked of snapshots and done with them: notes, names, holds, space, maps, deletion. It prints:
 *
 *     before the upgrade: 256 blocks, reason=upgrade
 *     4096 bytes at 0: changed
 *     deleting it would free 4096 bytes
 *     held: not deleted
 *     0 snapshots, nothing left to give back
 */
#include <inttypes.h>
#include <selsnap/selsnap.h>
#include <stdio.h>

#define BLOCK UINT64_C(4096)
#define SIZE (1024 * BLOCK)

static int make(selsnap *ss, uint64_t *ret_id) {
    const selsnap_property reason = {"reason", "upgrade"};
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_subset *subset = NULL;
    char block[BLOCK] = "new";
    int rc = selsnap_subset_open(selsnap_size(ss), selsnap_block_size(ss), &subset);
    rc = rc ? rc : selsnap_subset_add(subset, 0, 256 * BLOCK);
    options.name = "upgrade";
    options.subset = subset;
    options.properties = &reason;
    options.property_count = 1;
    rc = rc ? rc : selsnap_write(ss, "old", 4, 0);
    rc = rc ? rc : selsnap_snapshot_create(ss, &options, ret_id);
    selsnap_subset_close(subset);
    rc = rc ? rc : selsnap_write(ss, block, BLOCK, 0);
    return rc ? rc : selsnap_snapshot_rename(ss, *ret_id, "before the upgrade");
}

static int look(selsnap *ss, uint64_t id) {
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    selsnap_snapshot_usage usage = {.struct_size = sizeof usage};
    selsnap_map_range range = {0, 0, 0, 0};
    char key[SELSNAP_PROPERTY_KEY_MAX + 1], value[SELSNAP_PROPERTY_VALUE_MAX + 1];
    int rc = selsnap_snapshot_find(ss, "before the upgrade", &info);
    rc = rc ? rc : selsnap_snapshot_get(ss, id, &info); /* the same, by id */
    rc = rc ? rc : selsnap_snapshot_next_property(ss, id, "", key, value);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    printf("%s: %" PRIu64 " blocks, %s=%s\n", info.name, info.block_count, key, value);
    for (uint64_t at = 0; rc == 0 && at < selsnap_size(ss); at = range.offset + range.len) {
        rc = selsnap_snapshot_map(ss, id, at, &range);
        if (rc == 0 && range.state == SELSNAP_BLOCKS_PRESERVED) {
            printf("%" PRIu64 " bytes at %" PRIu64 ": changed\n", range.len, range.offset);
        }
    }
    rc = rc ? rc : selsnap_snapshot_get_usage(ss, id, NULL, NULL, &usage);
    printf("deleting it would free %" PRIu64 " bytes\n", usage.alone_bytes);
    return rc;
}

static int keep_then_delete(selsnap *ss, uint64_t id) {
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    selsnap_subset *subset = NULL;
    uint32_t more = 1;
    uint64_t left = 0;
    int rc = selsnap_snapshot_hold(ss, id);
    if (rc == 0 && selsnap_snapshot_delete(ss, id) == SELSNAP_EHELD) {
        puts("held: not deleted");
    }
    rc = rc ? rc : selsnap_snapshot_release(ss, id);
    rc = rc ? rc : selsnap_snapshot_get_subset(ss, id, &subset); /* its blocks, for another snapshot */
    selsnap_subset_close(subset);
    rc = rc ? rc : selsnap_snapshot_delete(ss, id);
    while (rc == 0 && more != 0) {
        rc = selsnap_step(ss, NULL, &more); /* its space comes back here */
    }
    for (uint64_t at = 0; rc == 0 && selsnap_snapshot_next(ss, at, &info) == SELSNAP_OK; at = info.id) {
        left++;
    }
    printf("%" PRIu64 " snapshots, nothing left to give back\n", left);
    return rc;
}

int main(void) {
    selsnap_device *origin = NULL, *store = NULL;
    selsnap *ss = NULL;
    uint64_t id = 0;
    int rc = selsnap_device_open_memory(SIZE, 1, &origin);
    rc = rc ? rc : selsnap_device_open_memory(SIZE, 1, &store);
    rc = rc ? rc : selsnap_format(store, origin, NULL);
    rc = rc ? rc : selsnap_open(store, origin, NULL, &ss);
    rc = rc ? rc : make(ss, &id);
    rc = rc ? rc : look(ss, id);
    rc = rc ? rc : keep_then_delete(ss, id);
    int closed = selsnap_close(ss);
    rc = rc ? rc : closed;
    selsnap_device_close(store);
    selsnap_device_close(origin);
    if (rc != SELSNAP_OK) {
        fprintf(stderr, "%s\n", selsnap_strerror(rc));
    }
    return rc != SELSNAP_OK;
}
