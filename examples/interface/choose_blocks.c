/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subsets: which blocks a snapshot protects. Makes one out of others, walks its ranges, and saves it in the store under a
 * name, which snapshots then refer to. It prints:
 *
 *     data: 48 blocks in 2 ranges, 196608 bytes
 *     131072 at 0
 *     65536 at 262144
 *     the rest: 976 blocks
 *     saved: data, used by 1 snapshot
 */
#include <inttypes.h>
#include <selsnap/selsnap.h>
#include <stdio.h>

#define BLOCK UINT64_C(4096)
#define SIZE (1024 * BLOCK)

/* The first half MiB, but not its second quarter, and nothing of what is scratch. */
static int choose(selsnap_subset **ret_subset) {
    selsnap_subset *data = NULL, *scratch = NULL, *table = NULL;
    int rc = selsnap_subset_open(SIZE, BLOCK, &data);
    rc = rc ? rc : selsnap_subset_open(SIZE, BLOCK, &scratch);
    rc = rc ? rc : selsnap_subset_open(SIZE, BLOCK, &table);
    rc = rc ? rc : selsnap_subset_add(data, 1, 128 * BLOCK - 1); /* rounded outward: it errs towards protecting */
    rc = rc ? rc : selsnap_subset_remove(data, 32 * BLOCK, 32 * BLOCK);
    rc = rc ? rc : selsnap_subset_add(scratch, 80 * BLOCK, SIZE - 80 * BLOCK);
    rc = rc ? rc : selsnap_subset_add(table, 0, 8 * BLOCK);
    rc = rc ? rc : selsnap_subset_subtract(data, scratch);
    rc = rc ? rc : selsnap_subset_union(data, table);
    selsnap_subset_close(table);
    selsnap_subset_close(scratch);
    *ret_subset = data;
    return rc;
}

static int show(const selsnap_subset *data) {
    selsnap_range range = {0, 0};
    printf("data: %" PRIu64 " blocks in %" PRIu64 " ranges, %" PRIu64 " bytes\n", selsnap_subset_block_count(data),
           selsnap_subset_range_count(data), selsnap_subset_byte_count(data));
    while (selsnap_subset_next(data, range.offset + range.len, &range) == SELSNAP_OK) {
        printf("%" PRIu64 " at %" PRIu64 "\n", range.len, range.offset);
    }
    return selsnap_subset_contains(data, 0, 1) ? SELSNAP_OK : SELSNAP_ENOENT;
}

static int save_and_use(selsnap *ss, const selsnap_subset *data) {
    selsnap_snapshot_options snapshot = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_designation_info info = {.struct_size = sizeof info};
    selsnap_subset *rest = NULL;
    snapshot.name = "monday";
    snapshot.designation = "data";
    int rc = selsnap_designation_save(ss, "data", data, NULL);
    rc = rc ? rc : selsnap_snapshot_create(ss, &snapshot, NULL);
    rc = rc ? rc : selsnap_designation_load(ss, "data", &rest);
    rc = rc ? rc : selsnap_subset_intersect(rest, data); /* it is the same: nothing goes */
    rc = rc ? rc : selsnap_subset_complement(rest);
    printf("the rest: %" PRIu64 " blocks\n", rest != NULL ? selsnap_subset_block_count(rest) : 0);
    selsnap_subset_close(rest);
    for (uint64_t id = 0; rc == 0 && selsnap_designation_next(ss, id, &info) == SELSNAP_OK; id = info.id) {
        printf("saved: %s, used by %" PRIu64 " snapshot\n", info.name, info.snapshots);
    }
    return rc ? rc : selsnap_designation_delete(ss, "data"); /* monday keeps its blocks */
}

int main(void) {
    selsnap_device *origin = NULL, *store = NULL;
    selsnap_subset *data = NULL;
    selsnap *ss = NULL;
    int rc = selsnap_device_open_memory(SIZE, 512, &origin);
    rc = rc ? rc : selsnap_device_open_memory(SIZE, 512, &store);
    rc = rc ? rc : selsnap_format(store, origin, NULL);
    rc = rc ? rc : selsnap_open(store, origin, NULL, &ss);
    rc = rc ? rc : choose(&data);
    rc = rc ? rc : show(data);
    rc = rc ? rc : save_and_use(ss, data);
    selsnap_subset_close(data);
    int closed = selsnap_close(ss);
    rc = rc ? rc : closed;
    selsnap_device_close(store);
    selsnap_device_close(origin);
    if (rc != SELSNAP_OK) {
        fprintf(stderr, "%s\n", selsnap_strerror(rc));
    }
    return rc != SELSNAP_OK;
}
