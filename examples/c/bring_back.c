/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a file of nothing but its backup: bring_back FILE STREAM..., the full stream first, then the increments in their
 * order. With new.img and the two streams of backup_file it prints:
 *
 *     monday: 16384 blocks written
 *     tuesday: 2 blocks written
 */
#include <fcntl.h>
#include <inttypes.h>
#include <selsnap/selsnap.h>
#include <stdio.h>
#include <unistd.h>

/* The device is made for the first stream; *held is what it holds so far, which an increment must fit. */
static int apply(const char *stream, const char *path, selsnap_device **disk, selsnap_stream_id *held) {
    selsnap_stream_options how = SELSNAP_STREAM_OPTIONS_INIT;
    selsnap_stream_info info = {.struct_size = sizeof info};
    how.holds = held;
    int fd = open(stream, O_RDONLY);
    int rc = fd < 0 ? SELSNAP_EIO : SELSNAP_OK;
    if (*disk == NULL) {
        rc = rc ? rc : selsnap_stream_verify(selsnap_stream_read_fd, &fd, NULL, &info); /* the size, and that all is sound */
        rc = rc ? rc : selsnap_device_open_file(path, SELSNAP_FILE_CREATE, info.origin_bytes, disk, NULL);
        rc = rc || lseek(fd, 0, SEEK_SET) == 0 ? rc : SELSNAP_EIO;
    }
    rc = rc ? rc : selsnap_stream_apply(selsnap_stream_read_fd, &fd, *disk, &how, &info);
    if (rc == SELSNAP_OK) {
        printf("%s: %" PRIu64 " block%s written\n", info.name, info.written_blocks, info.written_blocks == 1 ? "" : "s");
    } else {
        fprintf(stderr, "%s to %s: %s\n", stream, path, selsnap_strerror(rc));
    }
    *held = info.id;
    (void)close(fd);
    return rc;
}

int main(int argc, char **argv) {
    selsnap_device *disk = NULL;
    selsnap_stream_id held = SELSNAP_STREAM_ID_INIT;
    int rc = SELSNAP_OK;
    if (argc < 3 || access(argv[1], F_OK) == 0) {
        fprintf(stderr, "usage: bring_back NEW-FILE STREAM...\n");
        return 2;
    }
    for (int i = 2; i < argc && rc == SELSNAP_OK; i++) {
        rc = apply(argv[i], argv[1], &disk, &held);
    }
    selsnap_device_close(disk);
    return rc != SELSNAP_OK;
}
