/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs beside it share: making a store, opening and closing it, and saying what went wrong. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <selsnap/selsnap.h>
#include <stdio.h>
#include <string.h>

/* A file of 64 MiB in the current directory; NULL and a word about it, if it cannot be. */
static inline selsnap_device *make_file(const char *path) {
    selsnap_device *device = NULL;
    int error = 0;
    int rc = selsnap_device_open_file(path, SELSNAP_FILE_CREATE, 64 << 20, &device, &error);
    if (rc != SELSNAP_OK) {
        fprintf(stderr, "%s: %s\n", path, error != 0 ? strerror(error) : selsnap_strerror(rc));
    }
    return device;
}

/* Makes a store for an origin, has it used, and closes both. The exit code for main(). */
static inline int with_store(selsnap_device *store, selsnap_device *origin, int (*use)(selsnap *ss)) {
    char why[512] = "";
    selsnap *ss = NULL;
    int rc = store == NULL || origin == NULL ? SELSNAP_EIO : selsnap_format(store, origin, NULL);
    rc = rc ? rc : selsnap_open(store, origin, NULL, &ss);
    rc = rc ? rc : use(ss);
    if (rc != SELSNAP_OK && ss != NULL && selsnap_last_error(ss, why, sizeof why) != rc) {
        why[0] = '\0'; /* of another failure */
    }
    int closed = selsnap_close(ss); /* even after a failure; it fails if what was written cannot be made durable */
    rc = rc ? rc : closed;
    selsnap_device_close(store);
    selsnap_device_close(origin);
    if (rc != SELSNAP_OK) {
        fprintf(stderr, "%s%s%s\n", selsnap_strerror(rc), why[0] != '\0' ? ": " : "", why);
    }
    return rc != SELSNAP_OK;
}

/* Makes a snapshot of the whole device. */
static inline int take(selsnap *ss, const char *name, uint64_t *ret_id) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = name;
    return selsnap_snapshot_create(ss, &options, ret_id);
}

#endif
