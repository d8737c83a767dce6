/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libselsnap-select: blocks by partition. Makes a disk image with two partitions, and a subset of the second but for its last
 * MiB. The same with the files of an ext4 file system: selsnap_selection_add_file() and its like, as the tool does in
 * examples/selsnap/choices.c. It prints:
 *
 *     partition 1: 2097152 bytes at 1048576
 *     partition 2: 4194304 bytes at 3145728
 *     selected: 4194304 bytes at 3145728
 *     subset: 768 blocks
 *     no such thing: SELSNAP_ENOENT
 */
#include <inttypes.h>
#include <selsnap/select.h>
#include <stdio.h>

#define BLOCK UINT64_C(4096)
#define MIB (UINT64_C(1) << 20)

static void put32(unsigned char *at, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        at[i] = (unsigned char)(value >> (8 * i));
    }
}

/* A master boot record with two entries, in sectors of 512 bytes. */
static int make_disk(const char *path) {
    static const uint32_t parts[2][2] = {{2048, 4096}, {6144, 8192}};
    unsigned char record[512] = {0};
    selsnap_device *disk = NULL;
    for (int i = 0; i < 2; i++) {
        unsigned char *entry = record + 446 + (size_t)16 * (size_t)i;
        entry[4] = 0x83;
        put32(entry + 8, parts[i][0]);
        put32(entry + 12, parts[i][1]);
    }
    record[510] = 0x55;
    record[511] = 0xaa;
    int rc = selsnap_device_open_file(path, SELSNAP_FILE_CREATE, 8 * MIB, &disk, NULL);
    rc = rc ? rc : selsnap_device_write(disk, record, sizeof record, 0);
    rc = rc ? rc : selsnap_device_flush(disk);
    selsnap_device_close(disk);
    return rc;
}

static int choose(selsnap_selection *wanted, selsnap_selection *unwanted, const char *path, selsnap_subset *subset) {
    selsnap_partition part = SELSNAP_PARTITION_INIT;
    selsnap_range range = {0, 0};
    while (selsnap_partition_next(wanted, path, part.number, &part) == SELSNAP_OK) {
        printf("partition %" PRIu32 ": %" PRIu64 " bytes at %" PRIu64 "\n", part.number, part.len, part.offset);
    }
    int rc = selsnap_selection_add_partition(wanted, path, 2);
    rc = rc ? rc : selsnap_selection_next(wanted, 0, &range);
    printf("selected: %" PRIu64 " bytes at %" PRIu64 "\n", range.len, range.offset);
    rc = rc ? rc : selsnap_selection_add_range(unwanted, range.offset + range.len - MIB, MIB);
    rc = rc ? rc : selsnap_selection_add_to(wanted, subset);
    rc = rc ? rc : selsnap_selection_take_from(unwanted, subset);
    printf("subset: %" PRIu64 " blocks\n", selsnap_subset_block_count(subset));
    if (rc == SELSNAP_OK) {
        int none = selsnap_selection_add_partition(wanted, path, 7);
        printf("%s: %s\n", selsnap_selection_error(wanted)[0] != '\0' ? "no such thing" : "?",
               selsnap_error_name(none));
    }
    return rc;
}

int main(void) {
    selsnap_selection *wanted = NULL, *unwanted = NULL;
    selsnap_subset *subset = NULL; /* of a context: selsnap_subset_open_for() */
    int rc = make_disk("disk.img");
    rc = rc ? rc : selsnap_subset_open(8 * MIB, BLOCK, &subset);
    rc = rc ? rc : selsnap_selection_open(&wanted);
    rc = rc ? rc : selsnap_selection_open(&unwanted);
    rc = rc ? rc : choose(wanted, unwanted, "disk.img", subset);
    selsnap_selection_close(unwanted);
    selsnap_selection_close(wanted);
    selsnap_subset_close(subset);
    if (rc != SELSNAP_OK) {
        fprintf(stderr, "%s\n", selsnap_strerror(rc));
    }
    return rc != SELSNAP_OK;
}
