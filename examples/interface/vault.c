/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vault: a store in which streams become snapshots again, each with its name and time. Here a stream breaks off on its way, is
 * taken back, and comes a second time. It prints:
 *
 *     verified: monday, 1 block with data
 *     it broke off: a part has arrived
 *     taken back
 *     in the vault: monday, of the store it came from
 */
#include <inttypes.h>
#include <selsnap/selsnap.h>
#include <stdio.h>
#include <string.h>

#define BLOCK UINT64_C(4096)
#define SIZE (UINT64_C(4) << 20)

struct both {
    selsnap_device *origin, *store;
    selsnap *ss;
};

/* A stream in memory; a file or a socket is used in the same way, or selsnap_stream_write_fd(). */
struct stream {
    unsigned char bytes[1 << 20];
    size_t len, at, breaks_at;
};

static int put(void *user, const void *buf, size_t len) {
    struct stream *stream = user;
    if (len > sizeof stream->bytes - stream->len) {
        return SELSNAP_EIO;
    }
    memcpy(stream->bytes + stream->len, buf, len);
    stream->len += len;
    return 0;
}

static int64_t get(void *user, void *buf, size_t len) {
    struct stream *stream = user;
    size_t left = (stream->breaks_at != 0 ? stream->breaks_at : stream->len) - stream->at;
    len = len < left ? len : left;
    memcpy(buf, stream->bytes + stream->at, len);
    stream->at += len;
    return (int64_t)len;
}

static int make(selsnap *ss, struct stream *stream) {
    selsnap_snapshot_options snapshot = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    selsnap_stream_info info = {.struct_size = sizeof info};
    char block[BLOCK] = "data";
    snapshot.name = "monday";
    int rc = selsnap_write(ss, block, BLOCK, 0);
    rc = rc ? rc : selsnap_snapshot_create(ss, &snapshot, &options.id);
    rc = rc ? rc : selsnap_export(ss, &options, put, stream, NULL);
    rc = rc ? rc : selsnap_stream_verify(get, stream, NULL, &info);
    printf("verified: %s, %" PRIu64 " block with data\n", info.name, info.data_blocks);
    return rc;
}

static int bring(selsnap *vault, struct stream *stream) {
    selsnap_import_options options = SELSNAP_IMPORT_OPTIONS_INIT;
    selsnap_stream_id from = SELSNAP_STREAM_ID_INIT;
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    uint64_t id = 0;
    options.flags = SELSNAP_IMPORT_KEEP_PART; /* for a stream that goes on where this one ends */
    stream->at = 0;
    stream->breaks_at = stream->len - 100;
    int rc = selsnap_import(vault, get, stream, &options, NULL, NULL) == SELSNAP_ESTREAM ? SELSNAP_OK : SELSNAP_EINVAL;
    rc = rc ? rc : selsnap_import_unfinished(vault, &from, NULL);
    puts("it broke off: a part has arrived");
    rc = rc ? rc : selsnap_import_undo(vault, NULL, NULL); /* the next import would do it, too */
    puts("taken back");
    stream->at = stream->breaks_at = 0;
    rc = rc ? rc : selsnap_import(vault, get, stream, NULL, &id, NULL);
    rc = rc ? rc : selsnap_snapshot_get(vault, id, &info);
    rc = rc ? rc : selsnap_snapshot_get_received(vault, id, &from);
    printf("in the vault: %s, %s\n", info.name, from.snapshot_id != 0 ? "of the store it came from" : "");
    return rc;
}

static int open_both(struct both *both) {
    int rc = selsnap_device_open_memory(SIZE, 1, &both->origin);
    rc = rc ? rc : selsnap_device_open_memory(SIZE, 1, &both->store);
    rc = rc ? rc : selsnap_format(both->store, both->origin, NULL);
    return rc ? rc : selsnap_open(both->store, both->origin, NULL, &both->ss);
}

static int close_both(struct both *both) {
    int rc = selsnap_close(both->ss);
    selsnap_device_close(both->store);
    selsnap_device_close(both->origin);
    return rc;
}

int main(void) {
    static struct stream stream;
    struct both disk = {NULL, NULL, NULL}, vault = {NULL, NULL, NULL};
    int rc = open_both(&disk);
    rc = rc ? rc : open_both(&vault);
    rc = rc ? rc : make(disk.ss, &stream);
    rc = rc ? rc : bring(vault.ss, &stream);
    int closed = close_both(&vault);
    rc = rc ? rc : closed;
    closed = close_both(&disk);
    rc = rc ? rc : closed;
    if (rc != SELSNAP_OK) {
        fprintf(stderr, "%s\n", selsnap_strerror(rc));
    }
    return rc != SELSNAP_OK;
}
