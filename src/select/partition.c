/* SPDX-License-Identifier: Apache-2.0 */
/* Partitions, as libblkid reads them. */
#include "selection.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TABLE_UNIT = 512 }; /* libblkid counts so, whatever the device's logical block is */

/* Closes with blkid_free_probe(). */
static int open_table(struct selsnap_selection *selection, const char *path, blkid_probe *ret_probe,
                      blkid_partlist *ret_list) {
    errno = 0;
    blkid_probe probe = blkid_new_probe_from_filename(path);
    if (probe == NULL) {
        int rc = errno == ENOMEM ? SELSNAP_ENOMEM : SELSNAP_EIO;
        (void)ssn_select_fail(selection, rc, "%s cannot be opened: %s", path,
                              errno != 0 ? strerror(errno) : "it is not a device or image");
        return rc;
    }
    (void)blkid_probe_enable_superblocks(probe, 0);
    (void)blkid_probe_enable_partitions(probe, 1);
    errno = 0;
    blkid_partlist list = blkid_probe_get_partitions(probe);
    if (list == NULL) {
        int rc = errno == EIO ? SELSNAP_EIO : errno == ENOMEM ? SELSNAP_ENOMEM : SELSNAP_ENOTSUP;
        (void)ssn_select_fail(selection, rc, "%s: %s", path,
                              rc == SELSNAP_ENOTSUP ? "there is no partition table" : strerror(errno));
        blkid_free_probe(probe);
        return rc;
    }
    *ret_probe = probe;
    *ret_list = list;
    return SELSNAP_OK;
}

static int range_of(struct selsnap_selection *selection, const char *path, uint64_t device_bytes, blkid_partition entry,
                    selsnap_range *ret_range) {
    blkid_loff_t start = blkid_partition_get_start(entry);
    blkid_loff_t size = blkid_partition_get_size(entry);
    const uint64_t units = device_bytes / TABLE_UNIT;
    if (start < 0 || size < 0 || (uint64_t)start > units || (uint64_t)size > units - (uint64_t)start) {
        return ssn_select_fail(selection, SELSNAP_EDAMAGED, "%s: partition %d reaches behind the end of the device", path,
                               blkid_partition_get_partno(entry));
    }
    *ret_range = (selsnap_range){(uint64_t)start * TABLE_UNIT, (uint64_t)size * TABLE_UNIT};
    return SELSNAP_OK;
}

/* The entry with the least number above one; NULL: none. */
static blkid_partition entry_after(blkid_partlist list, uint32_t after) {
    blkid_partition best = NULL;
    int count = blkid_partlist_numof_partitions(list);
    for (int i = 0; i < count; i++) {
        blkid_partition entry = blkid_partlist_get_partition(list, i);
        int number = entry != NULL ? blkid_partition_get_partno(entry) : 0;
        if (number > 0 && (uint32_t)number > after &&
            (best == NULL || number < blkid_partition_get_partno(best))) {
            best = entry;
        }
    }
    return best;
}

static void describe(blkid_partition entry, selsnap_partition *ret_partition) {
    const char *type = blkid_partition_get_type_string(entry);
    const char *name = blkid_partition_get_name(entry);
    ret_partition->number = (uint32_t)blkid_partition_get_partno(entry);
    memset(ret_partition->type, 0, sizeof ret_partition->type);
    memset(ret_partition->name, 0, sizeof ret_partition->name);
    if (type != NULL) {
        (void)snprintf(ret_partition->type, sizeof ret_partition->type, "%s", type);
    } else {
        (void)snprintf(ret_partition->type, sizeof ret_partition->type, "0x%02x",
                       (unsigned)blkid_partition_get_type(entry));
    }
    if (name != NULL) {
        (void)snprintf(ret_partition->name, sizeof ret_partition->name, "%s", name);
    }
}

int selsnap_partition_next(selsnap_selection *selection, const char *path, uint32_t after_number,
                           selsnap_partition *ret_partition) {
    if (selection == NULL || path == NULL || ret_partition == NULL ||
        ret_partition->struct_size < sizeof *ret_partition) {
        return SELSNAP_EINVAL;
    }
    blkid_probe probe = NULL;
    blkid_partlist list = NULL;
    ssn_select_begin(selection);
    int rc = open_table(selection, path, &probe, &list);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    selsnap_range range = {0, 0};
    blkid_partition entry = entry_after(list, after_number);
    if (entry == NULL) {
        rc = ssn_select_fail(selection, SELSNAP_ENOENT, "%s has no partition above %" PRIu32, path, after_number);
    } else {
        rc = range_of(selection, path, (uint64_t)blkid_probe_get_size(probe), entry, &range);
        if (rc == SELSNAP_OK) {
            describe(entry, ret_partition);
            ret_partition->offset = range.offset;
            ret_partition->len = range.len;
        }
    }
    blkid_free_probe(probe);
    return rc;
}

int ssn_select_partition(struct selsnap_selection *selection, const char *path, uint32_t number,
                         selsnap_range *ret_range) {
    blkid_probe probe = NULL;
    blkid_partlist list = NULL;
    int rc = open_table(selection, path, &probe, &list);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    blkid_partition entry = number > 0 ? entry_after(list, number - 1) : NULL;
    rc = entry == NULL || (uint32_t)blkid_partition_get_partno(entry) != number
             ? ssn_select_fail(selection, SELSNAP_ENOENT, "%s has no partition %" PRIu32, path, number)
             : range_of(selection, path, (uint64_t)blkid_probe_get_size(probe), entry, ret_range);
    blkid_free_probe(probe);
    return rc;
}

int selsnap_selection_add_partition(selsnap_selection *selection, const char *path, uint32_t number) {
    if (selection == NULL || path == NULL) {
        return SELSNAP_EINVAL;
    }
    selsnap_range range = {0, 0};
    ssn_select_begin(selection);
    int rc = ssn_select_partition(selection, path, number, &range);
    rc = rc == SELSNAP_OK ? ssn_select_collect(selection, range.offset, range.len) : rc;
    return ssn_select_end(selection, rc);
}
