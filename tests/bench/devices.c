/* SPDX-License-Identifier: Apache-2.0 */
/* Where the devices of a load lie, and a bare device as a target. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const where_names[WHERE_COUNT] = {"memory", "tmpfs", "direct"};

/* The file has no name any more once it is open. */
static bool open_file(const char *folder, const char *name, uint32_t flags, uint64_t bytes,
                      selsnap_device **ret_device) {
    char path[4096];
    snprintf(path, sizeof path, "%s/selsnap-bench-%s-%ld", folder, name, (long)getpid());
    int code = selsnap_device_open_file(path, flags | SELSNAP_FILE_CREATE, bytes, ret_device, NULL);
    (void)unlink(path);
    if (code == SELSNAP_ENOTSUP || code == SELSNAP_ENOENT || code == SELSNAP_EREADONLY) {
        return false;
    }
    bench_need(code, path);
    return true;
}

static bool open_one(enum where where, const char *folder, const char *name, uint64_t bytes,
                     selsnap_device **ret_device) {
    if (where == WHERE_MEMORY) {
        bench_need(selsnap_device_open_memory(bytes, 512, ret_device), "memory device");
        return true;
    }
    bool direct = where == WHERE_DIRECT;
    return open_file(direct ? folder : "/dev/shm", name, direct ? SELSNAP_FILE_DIRECT : 0, bytes, ret_device);
}

/* Every byte written once, so that no page is met for the first time by a load. */
static void fill(selsnap_device *device, uint64_t bytes, uint64_t seed) {
    uint8_t *buf = bench_memory(BENCH_MIB);
    for (uint64_t at = 0; at < bytes; at += BENCH_MIB) {
        size_t part = bytes - at < BENCH_MIB ? (size_t)(bytes - at) : BENCH_MIB;
        for (size_t i = 0; i < part; i += BENCH_BLOCK) {
            sparse_fill(buf + i, (at + i) * UINT64_C(0x9e3779b97f4a7c15) + seed);
        }
        bench_need(selsnap_device_write(device, buf, part, at), "fill");
    }
    bench_need(selsnap_device_flush(device), "fill");
    free(buf);
}

void devices_wrap(struct devices *devices, selsnap_device *origin, selsnap_device *store) {
    devices->origin = origin;
    devices->store = store;
    bench_need(selsnap_device_open_counting(origin, &devices->counted_origin), "counting");
    bench_need(selsnap_device_open_counting(store, &devices->counted_store), "counting");
}

bool devices_open(struct devices *devices, enum where where, const char *folder, uint64_t origin_bytes,
                  uint64_t store_bytes) {
    selsnap_device *origin;
    selsnap_device *store;
    if (!open_one(where, folder, "origin", origin_bytes, &origin)) {
        return false;
    }
    if (!open_one(where, folder, "store", store_bytes, &store)) {
        selsnap_device_close(origin);
        return false;
    }
    fill(origin, origin_bytes, 1);
    fill(store, store_bytes, 2);
    devices_wrap(devices, origin, store);
    return true;
}

void devices_close(struct devices *devices) {
    selsnap_device_close(devices->counted_origin);
    selsnap_device_close(devices->counted_store);
    selsnap_device_close(devices->origin);
    selsnap_device_close(devices->store);
}

selsnap_device_counts devices_counts(selsnap_device *counted) {
    selsnap_device_counts counts = {.struct_size = sizeof counts};
    bench_need(selsnap_device_get_counts(counted, &counts, 1), "counts");
    return counts;
}

static int bare_write(void *user, const void *buf, size_t len, uint64_t offset) {
    return selsnap_device_write(user, buf, len, offset);
}

static int bare_read(void *user, void *buf, size_t len, uint64_t offset) {
    return selsnap_device_read(user, buf, len, offset);
}

static int bare_flush(void *user) {
    return selsnap_device_flush(user);
}

static int bare_batch(void *user, selsnap_io *const *ios, uint32_t count) {
    return selsnap_device_batch(user, ios, count);
}

struct target device_target(selsnap_device *device) {
    struct target target = {bare_write, bare_read, bare_flush, bare_batch, device};
    return target;
}
