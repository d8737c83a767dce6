/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backs a file up: all of it to full.stream, then what changed to next.stream, and makes copy.img of the two streams. Works
 * on disk.img and disk.store in the current directory, which it makes. It prints:
 *
 *     full: 1 block with data
 *     next: 2 blocks with data
 *     copy: tuesday
 */
#include <fcntl.h>
#include <inttypes.h>
#include <selsnap/selsnap.h>
#include <stdio.h>
#include <unistd.h>

static int export_to(selsnap *ss, const char *path, const char *name, uint64_t base, uint64_t *ret_id) {
    selsnap_snapshot_options snapshot = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_export_options what = SELSNAP_EXPORT_OPTIONS_INIT;
    selsnap_stream_info info = {.struct_size = sizeof info};
    snapshot.name = name;
    what.base_id = base; /* 0: all of it */
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int rc = fd < 0 ? SELSNAP_EIO : selsnap_snapshot_create(ss, &snapshot, &what.id);
    rc = rc ? rc : selsnap_export(ss, &what, selsnap_stream_write_fd, &fd, &info);
    printf("%.4s: %" PRIu64 " block%s with data\n", path, info.data_blocks, info.data_blocks == 1 ? "" : "s");
    if (fd >= 0 && close(fd) != 0) {
        rc = rc ? rc : SELSNAP_EIO;
    }
    *ret_id = what.id;
    return rc;
}

static int apply_from(const char *path, selsnap_device *copy, selsnap_stream_id *held) {
    selsnap_stream_options how = SELSNAP_STREAM_OPTIONS_INIT;
    selsnap_stream_info info = {.struct_size = sizeof info};
    how.holds = held; /* what the copy holds; nothing at first */
    int fd = open(path, O_RDONLY);
    int rc = fd < 0 ? SELSNAP_EIO : selsnap_stream_apply(selsnap_stream_read_fd, &fd, copy, &how, &info);
    *held = info.id;
    return fd < 0 || close(fd) == 0 || rc != 0 ? rc : SELSNAP_EIO;
}

static int back_up(selsnap *ss, selsnap_device *copy) {
    char block[4096] = "monday";
    uint64_t monday = 0, tuesday = 0;
    selsnap_stream_id held = SELSNAP_STREAM_ID_INIT;
    int rc = selsnap_write(ss, block, sizeof block, 0);
    rc = rc ? rc : export_to(ss, "full.stream", "monday", 0, &monday);
    rc = rc ? rc : selsnap_write(ss, "tuesday", 8, 0);
    rc = rc ? rc : selsnap_write(ss, "more", 5, 1 << 20);
    rc = rc ? rc : export_to(ss, "next.stream", "tuesday", monday, &tuesday);
    rc = rc ? rc : apply_from("full.stream", copy, &held);
    rc = rc ? rc : apply_from("next.stream", copy, &held);
    rc = rc ? rc : selsnap_device_read(copy, block, sizeof block, 0);
    printf("copy: %s\n", block);
    return rc;
}

int main(void) {
    selsnap_device *origin = NULL, *store = NULL, *copy = NULL;
    selsnap *ss = NULL;
    int rc = selsnap_device_open_file("disk.img", SELSNAP_FILE_CREATE, 64 << 20, &origin, NULL);
    rc = rc ? rc : selsnap_device_open_file("disk.store", SELSNAP_FILE_CREATE, 64 << 20, &store, NULL);
    rc = rc ? rc : selsnap_device_open_file("copy.img", SELSNAP_FILE_CREATE, 64 << 20, &copy, NULL);
    rc = rc ? rc : selsnap_format(store, origin, NULL);
    /* Nothing is preserved ahead of writes, so that the increment holds what was written and no more. */
    selsnap_open_options how = SELSNAP_OPEN_OPTIONS_INIT;
    how.flags = SELSNAP_OPEN_NO_AHEAD;
    rc = rc ? rc : selsnap_open(store, origin, &how, &ss);
    rc = rc ? rc : back_up(ss, copy);
    int closed = selsnap_close(ss);
    rc = rc ? rc : closed;
    selsnap_device_close(copy);
    selsnap_device_close(store);
    selsnap_device_close(origin);
    if (rc != SELSNAP_OK) {
        fprintf(stderr, "%s\n", selsnap_strerror(rc));
    }
    return rc != SELSNAP_OK;
}
