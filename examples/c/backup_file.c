/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backs a file up: all of it to full.stream, then what changed since to next.stream. bring_back makes a file of them. Works
 * on disk.img and disk.store in the current directory, which it makes. It prints:
 *
 *     full.stream: 1 block with data
 *     next.stream: 2 blocks with data
 */
#include "example.h"
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

static int export_to(selsnap *ss, const char *path, uint64_t id, uint64_t base) {
    selsnap_export_options what = SELSNAP_EXPORT_OPTIONS_INIT;
    selsnap_stream_info info = {.struct_size = sizeof info};
    what.id = id;
    what.base_id = base; /* 0: all of it */
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) {
        perror(path);
        return SELSNAP_EIO;
    }
    int rc = selsnap_export(ss, &what, selsnap_stream_write_fd, &fd, &info);
    rc = rc == SELSNAP_OK && fsync(fd) != 0 ? SELSNAP_EIO : rc;
    rc = close(fd) != 0 && rc == SELSNAP_OK ? SELSNAP_EIO : rc;
    printf("%s: %" PRIu64 " block%s with data\n", path, info.data_blocks, info.data_blocks == 1 ? "" : "s");
    return rc;
}

static int back_up(selsnap *ss) {
    uint64_t monday = 0, tuesday = 0;
    int rc = selsnap_write(ss, "monday", 7, 0);
    rc = rc ? rc : take(ss, "monday", &monday);
    rc = rc ? rc : export_to(ss, "full.stream", monday, 0);
    rc = rc ? rc : selsnap_snapshot_make_bookmark(ss, monday); /* all that the next one needs: it keeps no data */
    rc = rc ? rc : selsnap_write(ss, "tuesday", 8, 0);
    rc = rc ? rc : selsnap_write(ss, "more", 5, 1 << 20);
    rc = rc ? rc : take(ss, "tuesday", &tuesday);
    return rc ? rc : export_to(ss, "next.stream", tuesday, monday);
}

int main(void) {
    return with_store(make_file("disk.store"), make_file("disk.img"), back_up);
}
