/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   instructions CASE COUNT
 *
 * Does one operation COUNT times, on memory devices and one thread, to be run under callgrind: the difference between
 * two counts is what the operation costs, to the instruction. See budget.py.
 */
#include <selsnap/selsnap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, BLOCKS = 2048, USED = 256, STORE_BYTES = 32 << 20 };

struct scene {
    selsnap_device *origin;
    selsnap_device *store;
    selsnap *ss;
    selsnap_view *view;
    unsigned char buf[BLOCK];
};

static void need(int code, const char *what) {
    if (code != SELSNAP_OK) {
        fprintf(stderr, "instructions: %s: %s\n", what, selsnap_error_name(code));
        exit(1);
    }
}

static uint64_t place(uint64_t n) {
    return n % USED * BLOCK;
}

static void bare_write(struct scene *scene, uint64_t n) {
    need(selsnap_device_write(scene->origin, scene->buf, BLOCK, place(n)), "write");
}

static void bare_read(struct scene *scene, uint64_t n) {
    need(selsnap_device_read(scene->origin, scene->buf, BLOCK, place(n)), "read");
}

static void live_write(struct scene *scene, uint64_t n) {
    need(selsnap_write(scene->ss, scene->buf, BLOCK, place(n)), "write");
}

static void live_read(struct scene *scene, uint64_t n) {
    need(selsnap_read(scene->ss, scene->buf, BLOCK, place(n)), "read");
}

/* Of blocks that no other operation of this program touches. */
static void first_write(struct scene *scene, uint64_t n) {
    need(selsnap_write(scene->ss, scene->buf, BLOCK, (USED + n % (BLOCKS - USED)) * BLOCK), "write");
}

static void view_read(struct scene *scene, uint64_t n) {
    need(selsnap_view_read(scene->view, scene->buf, BLOCK, place(n)), "view read");
}

/* A snapshot of all blocks but the used ones, or of all; then what is used is preserved, or left as it is. */
struct operation {
    const char *name;
    void (*call)(struct scene *scene, uint64_t n);
    uint64_t first_designated;
    int preserved;
};

static const struct operation operations[] = {
    {"bare-write", bare_write, 0, 1},
    {"bare-read", bare_read, 0, 1},
    {"write-undesignated", live_write, USED, 0},
    {"write-preserved", live_write, 0, 1},
    {"read", live_read, 0, 1},
    {"view-read-unchanged", view_read, 0, 0},
    {"view-read-preserved", view_read, 0, 1},
    {"first-write", first_write, 0, 0},
};

static void prepare(struct scene *scene, const struct operation *operation) {
    need(selsnap_device_open_memory((uint64_t)BLOCKS * BLOCK, 512, &scene->origin), "origin");
    need(selsnap_device_open_memory(STORE_BYTES, 512, &scene->store), "store");
    /* Not zeros, which would not be copied. */
    memset(scene->buf, 0x5a, BLOCK);
    for (uint64_t n = 0; n < BLOCKS; n++) {
        need(selsnap_device_write(scene->origin, scene->buf, BLOCK, n * BLOCK), "write");
    }
    need(selsnap_format(scene->store, scene->origin, NULL), "format");
    need(selsnap_open(scene->store, scene->origin, NULL, &scene->ss), "open");
    selsnap_subset *subset;
    uint64_t id;
    need(selsnap_subset_open_for(scene->ss, &subset), "subset");
    need(
        selsnap_subset_add(subset, operation->first_designated * BLOCK, (BLOCKS - operation->first_designated) * BLOCK),
        "subset");
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = "s";
    options.subset = subset;
    need(selsnap_snapshot_create(scene->ss, &options, &id), "snapshot");
    selsnap_subset_close(subset);
    selsnap_view_options view = SELSNAP_VIEW_OPTIONS_INIT;
    view.id = id;
    need(selsnap_view_open(scene->ss, &view, &scene->view), "view");
    for (uint64_t n = 0; n < USED && operation->preserved; n++) {
        live_write(scene, n);
    }
    /* What is looked up once is in memory from here on. */
    for (uint64_t n = 0; n < USED; n++) {
        operation->call(scene, n);
    }
}

int main(int argc, char **argv) {
    static struct scene scene;
    uint64_t count = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
    for (size_t i = 0; count > 0 && i < sizeof operations / sizeof operations[0]; i++) {
        if (strcmp(argv[1], operations[i].name) == 0) {
            prepare(&scene, &operations[i]);
            for (uint64_t n = 0; n < count; n++) {
                operations[i].call(&scene, USED + n);
            }
            need(selsnap_view_close(scene.view), "view close");
            need(selsnap_close(scene.ss), "close");
            selsnap_device_close(scene.origin);
            selsnap_device_close(scene.store);
            return 0;
        }
    }
    fprintf(stderr, "usage: instructions CASE COUNT\n");
    return 2;
}
