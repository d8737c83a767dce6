/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device of one's own: here an array in memory; a network client or an encrypting layer is made in the same way. All of a
 * request is done, or it fails with a negative number; calls come from several threads. It prints:
 *
 *     the snapshot: before, the array: after!
 */
#include "example.h"

static unsigned char array[4 << 20]; /* writers of the same bytes at once leave a mixture, as on a disk */

static int array_readv(void *user, const selsnap_iovec *iov, uint32_t count, uint64_t offset) {
    for (uint32_t i = 0; i < count; offset += iov[i++].len) {
        memcpy(iov[i].base, (unsigned char *)user + offset, iov[i].len); /* the library has checked the range */
    }
    return 0;
}

static int array_writev(void *user, const selsnap_iovec *iov, uint32_t count, uint64_t offset) {
    for (uint32_t i = 0; i < count; offset += iov[i++].len) {
        memcpy((unsigned char *)user + offset, iov[i].base, iov[i].len);
    }
    return 0;
}

static int array_flush(void *user) {
    (void)user;
    return 0; /* there is no cache: what is written is as durable as memory is */
}

static int use(selsnap *ss) {
    char text[7] = "";
    selsnap_view_options look = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    int rc = selsnap_write(ss, "before", 7, 0);
    rc = rc ? rc : take(ss, "a", &look.id);
    rc = rc ? rc : selsnap_write(ss, "after!", 7, 0);
    rc = rc ? rc : selsnap_view_open(ss, &look, &view);
    rc = rc ? rc : selsnap_view_read(view, text, sizeof text, 0);
    printf("the snapshot: %s, the array: %s\n", text, (char *)array);
    int closed = selsnap_view_close(view);
    return rc ? rc : closed;
}

int main(void) {
    selsnap_device_ops ops = {sizeof ops, .readv = array_readv, .writev = array_writev, .flush = array_flush};
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    info.size_bytes = sizeof array; /* info.flags would tell of a volatile cache */
    selsnap_device *origin = NULL;
    int rc = selsnap_device_open(&ops, &info, array, &origin);
    return rc != SELSNAP_OK || with_store(make_file("disk.store"), origin, use);
}
