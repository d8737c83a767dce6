/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings a file back to a snapshot, and undoes that: a snapshot made before the restore holds what it overwrites. Works on
 * disk.img and disk.store in the current directory, which it makes. It prints:
 *
 *     damaged:  lost
 *     restored: precious
 *     undone:   lost
 */
#include "example.h"

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
    rc = rc ? rc : selsnap_write(ss, "lost", 5, 0);
    rc = rc ? rc : show(ss, "damaged:");
    rc = rc ? rc : take(ss, "before the restore", &before);
    rc = rc ? rc : bring_back(ss, good);
    rc = rc ? rc : show(ss, "restored:");
    rc = rc ? rc : bring_back(ss, before);
    return rc ? rc : show(ss, "undone:");
}

int main(void) {
    return with_store(make_file("disk.store"), make_file("disk.img"), restore);
}
