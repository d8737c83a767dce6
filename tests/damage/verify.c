/* SPDX-License-Identifier: Apache-2.0 */
#include "verify.h"

#include "child.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRESH = 99, STEPS = 200, CHECKED_BLOCKS_LOW = 32, CHECKED_FROM = 242 };

struct session {
    const struct scene *scene;
    struct heap heap;
    selsnap_device *origin;
    selsnap_device *store;
    selsnap *ss;
    uint32_t live[SCENE_BLOCKS];
    uint32_t holds[SCENE_SNAPS + 1][SCENE_BLOCKS];
    uint64_t id[SCENE_SNAPS + 1];
    unsigned snap_count;
    const char *stage;
    bool block_by_block; /* snapshots are read so; otherwise what holds data is read at once, if it can be */
    bool gives_up;       /* a restore may have ended, and left blocks with a damaged source as the device has them */
    struct outcome *outcome;
};

static void wrong(const struct session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void wrong(const struct session *session, const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)printf("# %s: ", session->stage);
    (void)vprintf(format, args);
    (void)printf("\n");
    va_end(args);
    (void)fflush(stdout);
    child_exit(1);
}

/* The errors by which damage may be told. */
static void need_named(const struct session *session, int code, const char *what) {
    if (code != SELSNAP_OK && code != SELSNAP_EDAMAGED && code != SELSNAP_ELOST) {
        wrong(session, "%s gave %s", what, selsnap_error_name(code));
    }
}

static void need_note(const struct session *session, int code, bool right, const char *what, uint64_t id) {
    if (code != SELSNAP_OK && code != SELSNAP_ENOENT && code != SELSNAP_EDAMAGED) {
        wrong(session, "asking for %s gave %s", what, selsnap_error_name(code));
    }
    if (code != SELSNAP_EDAMAGED && !right) {
        wrong(session, "of snapshot %" PRIu64 ", %s is told wrongly", id, what);
    }
}

static bool start(struct session *session, uint32_t flags) {
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.flags = flags;
    options.allocator = heap_allocator(&session->heap);
    session->ss = NULL;
    int code = selsnap_open(session->store, session->origin, &options, &session->ss);
    bool opened = code == SELSNAP_OK;
    if (!opened && code != SELSNAP_EDAMAGED && code != SELSNAP_ENOTSTORE && code != SELSNAP_EVERSION) {
        wrong(session, "open gave %s", selsnap_error_name(code));
    }
    if (!opened && (session->ss != NULL || session->heap.live != 0)) {
        wrong(session, "a refused open left something behind");
    }
    return opened;
}

static void stop(struct session *session) {
    need_named(session, selsnap_close(session->ss), "close");
    session->ss = NULL;
    if (session->heap.live != 0) {
        wrong(session, "%" PRId64 " pieces of memory are left", session->heap.live);
    }
}

static unsigned next_block(unsigned block) {
    return block + 1 == CHECKED_BLOCKS_LOW ? CHECKED_FROM : block + 1;
}

static void note_error(struct session *session, unsigned block, uint32_t holds) {
    struct outcome *outcome = session->outcome;
    bool same = outcome->errors == 0 || (outcome->error_block == block && outcome->error_holds == holds);
    outcome->one_copy = same && (outcome->errors == 0 || outcome->one_copy);
    outcome->errors++;
    outcome->error_block = block;
    outcome->error_holds = holds;
}

static void wrong_block(const struct session *session, unsigned snap, unsigned block, const uint8_t *bytes) {
    char text[128];
    pattern_describe(bytes, text, sizeof text);
    wrong(session, "block %u of snapshot %u (%" PRIu64 ") should hold %" PRIu32 ", gave %s", block, snap,
          session->id[snap], session->holds[snap][block], text);
}

static void read_block(struct session *session, selsnap_view *view, unsigned snap, unsigned block, bool noting) {
    uint8_t bytes[SCENE_PAGE];
    uint32_t holds = session->holds[snap][block];
    int code = selsnap_view_read(view, bytes, sizeof bytes, (uint64_t)block * SCENE_PAGE);
    if (holds == HOLDS_NOTHING && code == SELSNAP_EUNDESIGNATED) {
        return;
    }
    need_named(session, code, "a read of a snapshot");
    if (code == SELSNAP_OK && (holds >= HOLDS_LOST || !scene_right(bytes, block, holds))) {
        wrong_block(session, snap, block, bytes);
    }
    if (code != SELSNAP_OK && holds < HOLDS_LOST && noting) {
        note_error(session, block, holds);
    }
    /* An undamaged record of a loss reads as lost; that is no error here. */
}

/* Blocks [first, end) at once, as far as all of them hold data. False: nothing was read, or an error told of damage. */
static bool read_run(struct session *session, selsnap_view *view, unsigned snap, unsigned first, unsigned *ret_end) {
    static uint8_t bytes[CHECKED_BLOCKS_LOW * SCENE_PAGE];
    unsigned end = first;
    unsigned limit = first < CHECKED_BLOCKS_LOW ? CHECKED_BLOCKS_LOW : SCENE_BLOCKS;
    while (end < limit && session->holds[snap][end] < HOLDS_LOST) {
        end++;
    }
    *ret_end = end;
    if (end - first < 2) {
        return false;
    }
    int code = selsnap_view_read(view, bytes, (size_t)(end - first) * SCENE_PAGE, (uint64_t)first * SCENE_PAGE);
    need_named(session, code, "a read of a snapshot");
    for (unsigned block = first; code == SELSNAP_OK && block < end; block++) {
        const uint8_t *here = bytes + (size_t)(block - first) * SCENE_PAGE;
        if (!scene_right(here, block, session->holds[snap][block])) {
            wrong_block(session, snap, block, here);
        }
    }
    return code == SELSNAP_OK;
}

static void read_blocks(struct session *session, selsnap_view *view, unsigned snap, bool noting) {
    unsigned each = 0; /* up to here, one by one */
    for (unsigned block = 0; block < SCENE_BLOCKS;) {
        unsigned end;
        if (!session->block_by_block && block >= each) {
            if (read_run(session, view, snap, block, &end)) {
                block = next_block(end - 1);
                continue;
            }
            each = end;
        }
        read_block(session, view, snap, block, noting);
        block = next_block(block);
    }
}

static void read_snapshots(struct session *session, bool noting) {
    for (unsigned i = 0; i < session->snap_count; i++) {
        selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
        selsnap_view *view = NULL;
        options.id = session->id[i];
        int code = selsnap_view_open(session->ss, &options, &view);
        need_named(session, code, "opening a view");
        if (code == SELSNAP_OK) {
            read_blocks(session, view, i, noting);
        }
        if (code == SELSNAP_OK && selsnap_view_close(view) != SELSNAP_OK) {
            wrong(session, "a view did not close");
        }
    }
}

static void read_live(struct session *session) {
    uint8_t bytes[SCENE_PAGE];
    for (unsigned block = 0; block < SCENE_BLOCKS; block = block + 1 == CHECKED_BLOCKS_LOW ? SCENE_FREE : block + 1) {
        int code = selsnap_read(session->ss, bytes, sizeof bytes, (uint64_t)block * SCENE_PAGE);
        need_named(session, code, "a read of the live device");
        if (code == SELSNAP_OK && session->gives_up && session->live[block] != FRESH &&
            scene_right(bytes, block, session->scene->device[block])) {
            continue;
        }
        if (code == SELSNAP_OK && !scene_right(bytes, block, session->live[block])) {
            char text[128];
            pattern_describe(bytes, text, sizeof text);
            wrong(session, "block %u of the live device should hold %" PRIu32 ", gave %s", block, session->live[block],
                  text);
        }
    }
}

/* What is noted of snapshots is told as it is, or the damage is. */
static void look_at_notes(struct session *session) {
    const struct scene_notes *notes = &session->scene->notes;
    for (unsigned i = 0; i < session->scene->snap_count; i++) {
        uint64_t id = session->id[i];
        selsnap_hold_info hold = {.struct_size = sizeof hold};
        selsnap_group_info group = {.struct_size = sizeof group};
        selsnap_stream_id from = SELSNAP_STREAM_ID_INIT;
        int64_t expiry = -1;
        int code = selsnap_hold_next(session->ss, id, 0, &hold);
        bool right = code == SELSNAP_ENOENT ? i != notes->held
                                            : i == notes->held && hold.hold == notes->hold &&
                                                  strcmp(hold.reason, "held by the scene") == 0;
        need_note(session, code, right, "its holds", id);
        code = selsnap_snapshot_get_expiry(session->ss, id, &expiry);
        need_note(session, code, expiry == (i == notes->held ? notes->expiry : 0), "its expiry", id);
        code = selsnap_snapshot_get_group(session->ss, id, &group);
        right = code == SELSNAP_ENOENT ? i != notes->member
                                       : i == notes->member && group.member == 0 && group.members == 1 &&
                                             strcmp(group.name, "a group") == 0;
        need_note(session, code, right, "its group", id);
        code = selsnap_snapshot_get_received(session->ss, id, &from);
        right = code == SELSNAP_ENOENT ? i != notes->received
                                       : i == notes->received && from.snapshot_id == notes->received_from;
        need_note(session, code, right, "what it was received from", id);
    }
}

/* What differs from what the bookmark's blocks held at its point is in the diff. */
static void look_at_diff(struct session *session) {
    const struct scene_notes *notes = &session->scene->notes;
    selsnap_diff_options options = SELSNAP_DIFF_OPTIONS_INIT;
    selsnap_diff_range range = {0, 0, 0, 0};
    bool told[SCENE_BLOCKS] = {false};
    int code = SELSNAP_OK;
    options.from_id = notes->mark;
    while (range.offset + range.len < (uint64_t)SCENE_BLOCKS * SCENE_PAGE &&
           (code = selsnap_diff_next(session->ss, &options, range.offset + range.len, &range)) == SELSNAP_OK) {
        for (uint64_t at = range.offset; at < range.offset + range.len; at += SCENE_PAGE) {
            told[at / SCENE_PAGE] = true;
        }
    }
    if (code == SELSNAP_EDAMAGED) {
        return;
    }
    if (code != SELSNAP_OK && code != SELSNAP_ENOENT) {
        wrong(session, "a diff gave %s", selsnap_error_name(code));
    }
    for (unsigned block = 0; block < CHECKED_BLOCKS_LOW; block++) {
        if (!told[block] && session->live[block] != notes->marked[block]) {
            wrong(session, "block %u is not told as changed", block);
        }
    }
}

static int write_block(struct session *session, unsigned block) {
    uint8_t bytes[SCENE_PAGE];
    pattern_fill(bytes, sizeof bytes, (uint64_t)block * SCENE_PAGE, 1, FRESH);
    int code = selsnap_write(session->ss, bytes, sizeof bytes, (uint64_t)block * SCENE_PAGE);
    if (code == SELSNAP_OK) {
        session->live[block] = FRESH;
    }
    return code;
}

static unsigned check(struct session *session) {
    selsnap_check_result result = {.struct_size = sizeof result};
    int code = selsnap_check(session->ss, NULL, NULL, NULL, NULL, &result);
    if (code != SELSNAP_OK) {
        wrong(session, "the check gave %s", selsnap_error_name(code));
    }
    return (unsigned)result.problems;
}

static void scrub(struct session *session) {
    selsnap_scrub scrub = SELSNAP_SCRUB_INIT;
    for (unsigned steps = 0; scrub.done == 0; steps++) {
        if (selsnap_scrub_step(session->ss, &scrub, 256 << 10, NULL, NULL) != SELSNAP_OK || steps == STEPS) {
            wrong(session, "the scrub does not end");
        }
    }
}

/* New snapshots, writes, the work that waits: each may fail by name, and none may harm what is readable. */
static void go_on(struct session *session) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    unsigned at = session->snap_count;
    for (unsigned block = SCENE_FREE; block < SCENE_FREE + 8; block++) {
        int code = write_block(session, block);
        if (code != SELSNAP_OK) {
            wrong(session, "a write that preserves nothing gave %s", selsnap_error_name(code));
        }
    }
    options.name = "fresh";
    options.designation = "low";
    int code = selsnap_snapshot_create(session->ss, &options, &session->id[at]);
    if (code != SELSNAP_ENOENT) { /* its designation's name may be what is damaged */
        need_named(session, code, "making a snapshot");
    }
    session->outcome->snapshot_made = code == SELSNAP_OK;
    for (unsigned block = 0; code == SELSNAP_OK && block < SCENE_BLOCKS; block++) {
        session->holds[at][block] = block < 32 ? session->live[block] : HOLDS_NOTHING;
    }
    session->snap_count += code == SELSNAP_OK;
    for (unsigned block = 0; block < SCENE_BLOCKS; block = next_block(block)) {
        code = block % 3 == 0 ? write_block(session, block) : SELSNAP_OK;
        need_named(session, code, "a write that preserves");
        session->outcome->writes += block % 3 == 0 && code == SELSNAP_OK;
    }
    code = SELSNAP_OK;
    uint32_t more = 1;
    for (unsigned steps = 0; code == SELSNAP_OK && more != 0; steps++) {
        code = selsnap_step(session->ss, NULL, &more);
        need_named(session, code, "a step");
        if (steps == STEPS) {
            wrong(session, "steps do not end");
        }
    }
}

static void open_devices(struct session *session, const uint8_t *image, uint64_t size) {
    const struct scene *scene = session->scene;
    bool ok = selsnap_device_open_memory(SCENE_BLOCKS * SCENE_PAGE, 0, &session->origin) == SELSNAP_OK &&
              selsnap_device_write(session->origin, scene->origin, SCENE_BLOCKS * SCENE_PAGE, 0) == SELSNAP_OK &&
              selsnap_device_open_memory(size, 0, &session->store) == SELSNAP_OK &&
              selsnap_device_write(session->store, image, (size_t)size, 0) == SELSNAP_OK;
    if (!ok) {
        wrong(session, "no devices");
    }
}

static void set_expected(struct session *session) {
    const struct scene *scene = session->scene;
    memcpy(session->live, scene->live, sizeof session->live);
    session->snap_count = scene->snap_count;
    for (unsigned i = 0; i < scene->snap_count; i++) {
        session->id[i] = scene->snap[i].id;
        memcpy(session->holds[i], scene->snap[i].holds, sizeof session->holds[i]);
    }
}

void verify(const struct scene *scene, const uint8_t *image, uint64_t size, struct outcome *ret_outcome) {
    static struct session session;
    memset(&session, 0, sizeof session);
    memset(ret_outcome, 0, sizeof *ret_outcome);
    session.scene = scene;
    session.heap.fills = true;
    session.outcome = ret_outcome;
    set_expected(&session);
    open_devices(&session, image, size);
    session.stage = "opened read-only";
    session.block_by_block = true;
    ret_outcome->refused_reading = !start(&session, SELSNAP_OPEN_READ_ONLY);
    if (!ret_outcome->refused_reading) {
        read_snapshots(&session, true);
        read_live(&session);
        look_at_notes(&session);
        look_at_diff(&session);
        ret_outcome->problems = check(&session);
        scrub(&session);
        stop(&session);
    }
    session.stage = "opened for writing";
    session.block_by_block = false;
    ret_outcome->refused = !start(&session, 0);
    if (!ret_outcome->refused) {
        read_snapshots(&session, false);
        read_live(&session);
        session.stage = "after writes and steps";
        session.gives_up = ret_outcome->refused_reading || ret_outcome->problems > 0;
        go_on(&session);
        read_snapshots(&session, false);
        read_live(&session);
        look_at_notes(&session);
        look_at_diff(&session);
        (void)check(&session);
        stop(&session);
        session.stage = "opened again";
        if (start(&session, 0)) {
            read_snapshots(&session, false);
            read_live(&session);
            stop(&session);
        }
    }
    selsnap_device_close(session.store);
    selsnap_device_close(session.origin);
}
