/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings a file back to a snapshot, and undoes that: a snapshot made before the restore holds what it overwrites. Works on
 * disk.img and disk.store in the current directory, which it makes. It prints:
 *
 *     damaged:  lost
 *     restored: precious
 *     undone:   lost
 */
#include <selsnap/selsnap.h>
#include <stdio.h>
#include <string.h>

static int take(selsnap *ss, const char *name, uint64_t *ret_id) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = name; /* no subset: the whole device */
    return selsnap_snapshot_create(ss, &options, ret_id);
}

static int bring_back(selsnap *ss, uint64_t id) {
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    options.id = id;
    uint64_t job = 0;
    int rc = selsnap_restore_start(ss, &options, &job); /* from here on the device reads as it was */
    return rc ? rc : selsnap_restore_run(ss, job, NULL, NULL);
}

static int show(selsnap *ss, const char *what) {
    char block[4096] = "";
    int rc = selsnap_read(ss, block, sizeof block, 0);
    printf("%-9s %s\n", what, block);
    return rc;
}

static int restore(selsnap *ss) {
    char block[4096] = "precious";
    uint64_t good = 0, before = 0;
    int rc = selsnap_write(ss, block, sizeof block, 0);
    rc = rc ? rc : take(ss, "good", &good);
    strcpy(block, "lost");
    rc = rc ? rc : selsnap_write(ss, block, sizeof block, 0);
    rc = rc ? rc : show(ss, "damaged:");
    rc = rc ? rc : take(ss, "before the restore", &before);
    rc = rc ? rc : bring_back(ss, good);
    rc = rc ? rc : show(ss, "restored:");
    rc = rc ? rc : bring_back(ss, before);
    return rc ? rc : show(ss, "undone:");
}

int main(void) {
    selsnap_device *origin = NULL, *store = NULL;
    selsnap *ss = NULL;
    int rc = selsnap_device_open_file("disk.img", SELSNAP_FILE_CREATE, 64 << 20, &origin, NULL);
    rc = rc ? rc : selsnap_device_open_file("disk.store", SELSNAP_FILE_CREATE, 64 << 20, &store, NULL);
    rc = rc ? rc : selsnap_format(store, origin, NULL);
    rc = rc ? rc : selsnap_open(store, origin, NULL, &ss);
    rc = rc ? rc : restore(ss);
    int closed = selsnap_close(ss);
    rc = rc ? rc : closed;
    selsnap_device_close(store);
    selsnap_device_close(origin);
    if (rc != SELSNAP_OK) {
        fprintf(stderr, "%s\n", selsnap_strerror(rc));
    }
    return rc != SELSNAP_OK;
}
