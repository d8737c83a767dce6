/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serves the live device over NBD, as a plugin for nbdkit: what clients overwrite is preserved first. examples/nbdkit has one
 * that serves snapshots too, and lets them be made meanwhile.
 *
 *     nbdkit ./serve_file.so store=disk.store     (the store knows where its origin is; `selsnap format` noted it)
 */
#include <nbdkit-plugin.h>
#include <selsnap/selsnap.h>
#include <string.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL /* a context may be used from any thread */
static char *path;
static selsnap_device *store, *origin;
static selsnap *ss;

static int told(int rc) {
    return rc == SELSNAP_OK ? 0 : (nbdkit_error("%s: %s", path != NULL ? path : "store=FILE", selsnap_strerror(rc)), -1);
}

static int take_parameter(const char *key, const char *value) {
    path = strcmp(key, "store") == 0 ? nbdkit_absolute_path(value) : NULL;
    return path != NULL ? 0 : told(SELSNAP_EINVAL);
}

static int begin(void) {
    char origin_path[SELSNAP_ORIGIN_HINT_MAX + 1] = "";
    int rc = path != NULL ? selsnap_device_open_file(path, 0, 0, &store, NULL) : SELSNAP_EINVAL;
    rc = rc ? rc : selsnap_store_origin_hint(store, origin_path, sizeof origin_path);
    rc = rc ? rc : selsnap_device_open_file(origin_path, 0, 0, &origin, NULL);
    return told(rc ? rc : selsnap_open(store, origin, NULL, &ss));
}

static void end(void) {
    (void)told(selsnap_close(ss)); /* NULL, if it was never opened, is fine */
    selsnap_device_close(origin);
    selsnap_device_close(store);
}

static void *open_export(int readonly) {
    (void)readonly;
    return ss;
}

static int64_t size(void *handle) {
    return (int64_t)selsnap_size(handle);
}

static int read_bytes(void *handle, void *buf, uint32_t len, uint64_t offset) {
    return told(selsnap_read(handle, buf, len, offset));
}

static int write_bytes(void *handle, const void *buf, uint32_t len, uint64_t offset) {
    return told(selsnap_write(handle, buf, len, offset));
}

static int flush(void *handle) { /* nbdkit calls it for FUA, too */
    return told(selsnap_flush(handle));
}

static struct nbdkit_plugin plugin = {.name = "serve-file", .config = take_parameter, .get_ready = begin, .unload = end,
    .open = open_export, .get_size = size, .pread = read_bytes, .pwrite = write_bytes, .flush = flush};
NBDKIT_REGISTER_PLUGIN(plugin)
