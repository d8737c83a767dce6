/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of the content that a store that lies is to keep, and looking at it. */
#include "lies.h"

#include "documented.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world world;

_Noreturn void fail(const char *what, uint64_t number) {
    fprintf(stderr, "%s (%" PRIu64 "), at: %s\nreplay: %s\n", what, number, world.doing, world.command);
    exit(1);
}

void describe_lie(uint64_t call, enum lie kind) {
    snprintf(world.command, sizeof world.command, "%s --script %s --lie %" PRIu64 ":%s", world.program,
             world.script->name, call, lie_names[kind]);
    documented_replay(world.command);
}

void describe_script(void) {
    snprintf(world.command, sizeof world.command, "%s --script %s", world.program, world.script->name);
    documented_replay(world.command);
}

/* True: it worked. False: it was refused as damage is allowed to be, or what was refused before is in its way. */
bool worked_unless(int code, int in_the_way) {
    if (code == SELSNAP_OK) {
        return true;
    }
    bool damage = code == SELSNAP_EDAMAGED || code == SELSNAP_ELOST;
    if (!(world.child && damage) && !(world.told && code == in_the_way)) {
        fail(selsnap_error_name(code), 0);
    }
    if (!world.told) {
        world.shared->told[world.kind]++;
    }
    world.told = true;
    return false;
}

bool worked(int code) {
    return worked_unless(code, SELSNAP_EDAMAGED);
}

static void may_be(struct content *content, uint64_t sector, const uint8_t *bytes) {
    if (content->count[sector] == OTHERS) {
        fail("too many others of a sector", sector);
    }
    content->others[sector][content->count[sector]++] = pattern_hash(bytes, PATTERN_SECTOR);
}

/* certain: all else is out of the question now. Otherwise what was before remains possible, if an error was given. */
void content_set(struct content *content, const uint8_t *bytes, uint64_t offset, uint64_t len, bool certain) {
    for (uint64_t at = offset; at < offset + len; at += PATTERN_SECTOR) {
        uint64_t sector = at / PATTERN_SECTOR;
        if (certain) {
            content->count[sector] = 0;
        } else {
            may_be(content, sector, content->now + at);
        }
        memcpy(content->now + at, bytes + (at - offset), PATTERN_SECTOR);
    }
}

void content_failed(struct content *content, const uint8_t *bytes, uint64_t offset, uint64_t len) {
    for (uint64_t at = offset; at < offset + len; at += PATTERN_SECTOR) {
        may_be(content, at / PATTERN_SECTOR, bytes + (at - offset));
    }
}

static void check_content(const char *what, const struct content *content, const uint8_t *bytes, uint64_t offset,
                          uint64_t len) {
    for (uint64_t at = offset; at < offset + len; at += PATTERN_SECTOR) {
        uint64_t sector = at / PATTERN_SECTOR;
        const uint8_t *is = bytes + (at - offset);
        bool right = memcmp(is, content->now + at, PATTERN_SECTOR) == 0;
        for (unsigned i = 0; i < content->count[sector] && !right && world.told; i++) {
            right = content->others[sector][i] == pattern_hash(is, PATTERN_SECTOR);
        }
        if (!right) {
            char text[128];
            pattern_describe(is, text, sizeof text);
            fprintf(stderr, "sector %" PRIu64 " is %s\n", sector, text);
            fail(what, sector / PER_BLOCK);
        }
    }
}

/* Whether a restore runs. */
bool restoring(void) {
    selsnap_restore_info info = {.struct_size = sizeof info};
    int code = selsnap_restore_next(world.ss, 0, &info);
    return code != SELSNAP_ENOENT;
}

void check_live(void) {
    uint8_t bytes[BLOCK];
    bool exact = !restoring();
    for (uint64_t block = 0; block < BLOCKS; block++) {
        int code = selsnap_read(world.ss, bytes, BLOCK, block * BLOCK);
        if (code != SELSNAP_OK && exact) {
            fail("the live device cannot be read", block);
        }
        if (worked(code)) {
            check_content("the live device is wrong", &world.live, bytes, block * BLOCK, BLOCK);
        }
    }
}

static void check_view(const struct snapshot *s, uint32_t flags, const struct content *content) {
    uint8_t bytes[BLOCK];
    selsnap_view *view = s->view;
    if (flags != 0 || view == NULL) {
        selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
        options.id = s->id;
        options.flags = flags;
        if (!worked(selsnap_view_open(world.ss, &options, &view))) {
            return;
        }
    }
    for (uint64_t block = 0; block < BLOCKS; block++) {
        if (s->in[block] && worked(selsnap_view_read(view, bytes, BLOCK, block * BLOCK))) {
            check_content("a snapshot is wrong", content, bytes, block * BLOCK, BLOCK);
        }
    }
    if (view != s->view) {
        (void)worked(selsnap_view_close(view));
    }
}

void check_all(void) {
    check_live();
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        if (world.snapshots[slot].live) {
            check_view(&world.snapshots[slot], 0, &world.snapshots[slot].now);
            check_view(&world.snapshots[slot], SELSNAP_VIEW_PRISTINE, &world.snapshots[slot].frozen);
        }
    }
}

/* ---- opening and closing ---- */

void close_view(struct snapshot *s) {
    if (s->view != NULL && worked(selsnap_view_close(s->view)) && !world.told) {
        memset(s->now.count, 0, sizeof s->now.count);
    }
    s->view = NULL;
}

void close_context(void) {
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        close_view(&world.snapshots[slot]);
    }
    snprintf(world.doing, sizeof world.doing, "step %" PRIu64 ", close", world.sequence);
    (void)worked(selsnap_close(world.ss));
    world.ss = NULL;
    if (world.heap.live != 0) {
        fail("memory is left", (uint64_t)world.heap.live);
    }
}

/* Whatever the store says, the device has what was written. */
_Noreturn void end_child(void) {
    check_content("the origin is wrong", &world.live, world.origin, 0, SIZE);
    if (world.heap.live != 0) {
        fail("memory is left", (uint64_t)world.heap.live);
    }
    selsnap_device_close(world.store_device);
    selsnap_device_close(world.origin_device);
    free(world.store);
    free(world.origin);
    exit(0);
}

/* A restore that met damage tells it so: the block keeps what the device had. */
static void on_event(void *user, const selsnap_event *event) {
    (void)user;
    if (event->kind == SELSNAP_EVENT_DAMAGE || event->kind == SELSNAP_EVENT_BLOCK_LOST) {
        (void)worked(SELSNAP_EDAMAGED);
    }
}

void open_context(void) {
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    world.heap.fills = true;
    options.allocator = heap_allocator(&world.heap);
    options.event = on_event;
    options.memory_limit = (4 << 20) + 3 * JOURNAL;
    snprintf(world.doing, sizeof world.doing, "step %" PRIu64 ", open", world.sequence);
    if (!worked(selsnap_open(world.store_device, world.origin_device, &options, &world.ss))) {
        end_child();
    }
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        selsnap_snapshot_info info = {.struct_size = sizeof info};
        if (world.snapshots[slot].live) {
            (void)worked(selsnap_snapshot_get(world.ss, world.snapshots[slot].id, &info));
        }
    }
    check_all();
}
