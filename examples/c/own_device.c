/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device of one's own: here an array in memory that tells of each flush; a network client or an encrypting layer is made in
 * the same way. All of a request is done, or it fails with a negative number. It prints:
 *
 *     the snapshot: before
 *     writes reached the device, and flushes too
 */
#include <selsnap/selsnap.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { SIZE = 4 << 20 };
struct array {
    _Alignas(4096) unsigned char bytes[SIZE]; /* writers of the same bytes at once leave a mixture, as on a disk */
    atomic_int writes, flushes;
};

static int array_readv(void *user, const selsnap_iovec *iov, uint32_t count, uint64_t offset) {
    struct array *array = user;
    for (uint32_t i = 0; i < count; offset += iov[i++].len) {
        memcpy(iov[i].base, array->bytes + offset, iov[i].len); /* the library has checked the range */
    }
    return 0;
}

static int array_writev(void *user, const selsnap_iovec *iov, uint32_t count, uint64_t offset) {
    struct array *array = user;
    for (uint32_t i = 0; i < count; offset += iov[i++].len) {
        memcpy(array->bytes + offset, iov[i].base, iov[i].len);
    }
    atomic_fetch_add(&array->writes, 1);
    return 0;
}

static int array_flush(void *user) {
    struct array *array = user;
    atomic_fetch_add(&array->flushes, 1);
    return 0;
}

static const selsnap_device_ops array_ops = {
    .struct_size = sizeof array_ops, .readv = array_readv, .writev = array_writev, .flush = array_flush};

static int use(selsnap *ss) {
    selsnap_snapshot_options snapshot = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_view_options look = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    char text[7] = "";
    snapshot.name = look.name = "a";
    int rc = selsnap_write(ss, "before", 7, 0);
    rc = rc ? rc : selsnap_snapshot_create(ss, &snapshot, NULL);
    rc = rc ? rc : selsnap_write(ss, "after!", 7, 0);
    rc = rc ? rc : selsnap_view_open(ss, &look, &view);
    rc = rc ? rc : selsnap_view_read(view, text, sizeof text, 0);
    printf("the snapshot: %s\n", text);
    int closed = selsnap_view_close(view);
    return rc ? rc : closed;
}

int main(void) {
    static struct array array;
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    info.size_bytes = SIZE;
    info.flags = SELSNAP_DEVICE_VOLATILE_CACHE; /* what is not flushed may be lost */
    selsnap_device *origin = NULL, *store = NULL;
    selsnap *ss = NULL;
    int rc = selsnap_device_open(&array_ops, &info, &array, &origin);
    rc = rc ? rc : selsnap_device_open_memory(SIZE, 1, &store);
    rc = rc ? rc : selsnap_format(store, origin, NULL);
    rc = rc ? rc : selsnap_open(store, origin, NULL, &ss);
    rc = rc ? rc : use(ss);
    int closed = selsnap_close(ss);
    rc = rc ? rc : closed;
    selsnap_device_close(store);
    selsnap_device_close(origin);
    if (rc == SELSNAP_OK && array.writes > 0 && array.flushes > 0) {
        puts("writes reached the device, and flushes too");
    }
    if (rc != SELSNAP_OK) {
        fprintf(stderr, "%s\n", selsnap_strerror(rc));
    }
    return rc != SELSNAP_OK;
}
