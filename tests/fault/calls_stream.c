/* SPDX-License-Identifier: Apache-2.0 */
#include "calls_stream.h"

#include <stdlib.h>
#include <string.h>

static struct {
    uint8_t bytes[WORLD_BYTES];
    size_t len;
    size_t at;
    size_t end;
    uint64_t imported;
} tape;

static void must(int code) {
    if (code != SELSNAP_OK) {
        abort();
    }
}

static int keep(void *user, const void *buf, size_t len) {
    (void)user;
    if (len > sizeof tape.bytes - tape.len) {
        return SELSNAP_ENOSPACE;
    }
    memcpy(tape.bytes + tape.len, buf, len);
    tape.len += len;
    return 0;
}

static int drop(void *user, const void *buf, size_t len) {
    (void)user;
    (void)buf;
    (void)len;
    return 0;
}

static int64_t give(void *user, void *buf, size_t len) {
    (void)user;
    size_t left = tape.end - tape.at;
    size_t part = len < left ? len : left;
    memcpy(buf, tape.bytes + tape.at, part);
    tape.at += part;
    return (int64_t)part;
}

/* Some blocks of "a". */
static int export_some(struct world *w, selsnap_stream_write_fn write) {
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    selsnap_subset *subset = NULL;
    options.id = w->a;
    int code = selsnap_subset_open_for(w->ss, &subset);
    code = code == SELSNAP_OK ? selsnap_subset_complement(subset) : code;
    options.subset = subset;
    code = code == SELSNAP_OK ? selsnap_export(w->ss, &options, write, NULL, NULL) : code;
    selsnap_subset_close(subset);
    return code;
}

int call_export(struct world *w) {
    return export_some(w, drop);
}

void make_stream(struct world *w) {
    must(selsnap_restore_run(w->ss, w->job, NULL, NULL));
    tape.len = 0;
    must(export_some(w, keep));
}

int call_stream_verify(struct world *w) {
    (void)w;
    tape.at = 0;
    tape.end = tape.len;
    return selsnap_stream_verify(give, NULL, NULL, NULL);
}

int call_stream_apply(struct world *w) {
    (void)w;
    selsnap_device *device = NULL;
    tape.at = 0;
    tape.end = tape.len;
    int code = selsnap_device_open_memory(WORLD_BYTES, 1, &device);
    code = code == SELSNAP_OK ? selsnap_stream_apply(give, NULL, device, NULL, NULL) : code;
    if (device != NULL) {
        selsnap_device_close(device);
    }
    return code;
}

static int import(struct world *w, size_t end, uint32_t flags) {
    selsnap_import_options options = SELSNAP_IMPORT_OPTIONS_INIT;
    options.name = "imported";
    options.flags = flags;
    tape.at = 0;
    tape.end = end;
    return selsnap_import(w->ss, give, NULL, &options, &tape.imported, NULL);
}

int call_import(struct world *w) {
    return import(w, tape.len, 0);
}

void import_part(struct world *w) {
    make_stream(w);
    if (import(w, tape.len - 1, SELSNAP_IMPORT_KEEP_PART) != SELSNAP_ESTREAM) {
        abort();
    }
}

int call_import_unfinished(struct world *w) {
    selsnap_stream_id id = SELSNAP_STREAM_ID_INIT;
    selsnap_stream_token token = SELSNAP_STREAM_TOKEN_INIT;
    return selsnap_import_unfinished(w->ss, &id, &token);
}

int call_import_undo(struct world *w) {
    return selsnap_import_undo(w->ss, NULL, NULL);
}

void import_whole(struct world *w) {
    make_stream(w);
    must(call_import(w));
}

int call_snapshot_get_received(struct world *w) {
    selsnap_stream_id id = SELSNAP_STREAM_ID_INIT;
    return selsnap_snapshot_get_received(w->ss, tape.imported, &id);
}
