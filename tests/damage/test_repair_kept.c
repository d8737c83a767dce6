/* SPDX-License-Identifier: Apache-2.0 */
/*
 * P1, P8: a repair of a store with bookmarks, holds, expiry, a group, clones and an import: what is sound comes over,
 * with each page of the metadata, of the journal and of the copies damaged in turn. A block is right or lost; a diff
 * leaves out no block that differs; what is noted of a snapshot is as it was, or its loss is told.
 */
#include "rig.h"

#include "tape.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, BLOCKS = 64, STORE_BYTES = 2 << 20, JOURNAL_BYTES = 65536, SNAPS = 12, HOLDS = 5 };
enum { AREA = 32 + JOURNAL_BYTES / BLOCK };

/* So long that what is noted of snapshots fills several pages of the index. */
static const char long_text[] = "a text that is long enough to fill some of a page, again and again and again; "
                                "a text that is long enough to fill some of a page, again and again and again; "
                                "a text that is long enough to fill some of a page, again and again and again; ";

/* What a snapshot holds and what is noted of it. */
struct kept {
    uint64_t id;
    const char *name;
    bool bookmark;
    bool covered[BLOCKS];
    uint64_t frozen[BLOCKS]; /* sequences */
    uint64_t now[BLOCKS];    /* with what was written into it */
    bool held;               /* it has HOLDS holds with a reason */
    uint64_t hold[HOLDS];    /* their numbers */
    uint32_t plain_holds;
    int64_t expiry;
    bool member;
    uint64_t received; /* the id that its stream told; 0: it was not imported */
};

struct scene {
    struct rig rig;
    struct kept snaps[SNAPS];
    unsigned count;
    uint64_t live[BLOCKS];
    uint64_t sequence;
    uint8_t *store; /* images */
    uint8_t *origin;
};

/* What was told, and found missing. */
struct repaired {
    uint32_t flags; /* to repair with */
    selsnap_repair_result result;
    int code;
    char lines[32768];
    unsigned missing; /* snapshots */
    unsigned lost;    /* blocks, of all snapshots */
    unsigned unnoted; /* holds, expiries and so on */
};

/* ---- making it ---- */

static void put(struct scene *scene, uint64_t first, uint64_t count) {
    scene->sequence++;
    rig_write(&scene->rig, first, count, scene->sequence);
    for (uint64_t block = first; block < first + count; block++) {
        scene->live[block] = scene->sequence;
    }
}

static struct kept *add(struct scene *scene, const char *name) {
    assert_true(scene->count < SNAPS);
    struct kept *snap = &scene->snaps[scene->count++];
    snap->name = name;
    return snap;
}

/* A snapshot of the first `count` blocks, of the designation "part" if that is what it has. */
static struct kept *take(struct scene *scene, const char *name, uint64_t count, uint32_t flags, bool member) {
    struct kept *snap = add(scene, name);
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_group_options group = SELSNAP_GROUP_OPTIONS_INIT;
    const selsnap_group_member one = {scene->rig.ss, &options};
    static const selsnap_property properties[] = {{"one", long_text}, {"two", long_text}, {"three", long_text}};
    options.name = name;
    options.designation = count < BLOCKS ? "part" : NULL;
    options.flags = flags;
    options.properties = properties;
    options.property_count = 3;
    group.name = long_text;
    if (member) {
        assert_ok(selsnap_group_create(&one, 1, &group, NULL, &snap->id));
    } else {
        assert_ok(selsnap_snapshot_create(scene->rig.ss, &options, &snap->id));
    }
    snap->bookmark = flags != 0;
    snap->member = member;
    for (uint64_t block = 0; block < BLOCKS; block++) {
        snap->covered[block] = block < count;
        snap->frozen[block] = snap->now[block] = scene->live[block];
    }
    return snap;
}

static struct kept *make_clone(struct scene *scene, const char *name, const struct kept *source, bool as_changed) {
    struct kept *snap = add(scene, name);
    selsnap_clone_options options = SELSNAP_CLONE_OPTIONS_INIT;
    memcpy(snap->covered, source->covered, sizeof snap->covered);
    memcpy(snap->frozen, source->frozen, sizeof snap->frozen);
    memcpy(snap->now, as_changed ? source->now : source->frozen, sizeof snap->now);
    options.source_id = source->id;
    options.name = name;
    options.flags = as_changed ? SELSNAP_CLONE_AS_CHANGED : 0;
    assert_ok(selsnap_snapshot_clone(scene->rig.ss, &options, &snap->id));
    return snap;
}

static void write_into(struct scene *scene, struct kept *snap, uint64_t first, uint64_t count) {
    uint8_t buf[BLOCK];
    selsnap_view *view = rig_view(&scene->rig, snap->id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    scene->sequence++;
    for (uint64_t block = first; block < first + count; block++) {
        pattern_fill(buf, sizeof buf, block * BLOCK, 1, scene->sequence);
        assert_ok(selsnap_view_write(view, buf, sizeof buf, block * BLOCK));
        snap->now[block] = scene->sequence;
    }
    assert_ok(selsnap_view_close(view));
}

static void hold(struct scene *scene, struct kept *snap, uint32_t flags) {
    selsnap_hold_options options = SELSNAP_HOLD_OPTIONS_INIT;
    options.reason = long_text;
    options.flags = flags;
    options.until_ns = flags != 0 ? INT64_MAX : 0;
    for (unsigned i = 0; i < HOLDS; i++) {
        assert_ok(selsnap_hold_add(scene->rig.ss, snap->id, &options, &snap->hold[i]));
    }
    snap->held = true;
    snap->expiry = 12345;
    assert_ok(selsnap_snapshot_set_expiry(scene->rig.ss, snap->id, snap->expiry));
}

/* Exports the snapshot, and imports it where it came from. cut: but for the end, and what has arrived is kept. */
static void receive(struct scene *scene, const char *name, const struct kept *source, bool cut) {
    selsnap_export_options what = SELSNAP_EXPORT_OPTIONS_INIT;
    selsnap_import_options how = SELSNAP_IMPORT_OPTIONS_INIT;
    struct tape *tape = calloc(1, sizeof *tape);
    uint64_t id = 0;
    assert_non_null(tape);
    what.id = source->id;
    assert_ok(selsnap_export(scene->rig.ss, &what, tape_write, tape, NULL));
    how.name = name;
    if (cut) {
        tape->len -= 40;
        how.flags = SELSNAP_IMPORT_KEEP_PART;
    }
    int code = selsnap_import(scene->rig.ss, tape_read, tape, &how, &id, NULL);
    assert_int_equal(code, cut ? SELSNAP_ESTREAM : SELSNAP_OK);
    free(tape);
    if (!cut) {
        struct kept *snap = add(scene, name);
        *snap = *source;
        snap->id = id;
        snap->name = name;
        snap->received = source->id;
        snap->held = false;
        snap->expiry = 0;
        snap->plain_holds = 0;
        snap->member = false;
        memcpy(snap->now, snap->frozen, sizeof snap->now);
        for (uint64_t block = 0; block < BLOCKS; block++) {
            scene->live[block] = snap->covered[block] ? snap->frozen[block] : scene->live[block];
        }
    }
}

static uint8_t *image_of(selsnap_device *device, size_t size) {
    uint8_t *image = malloc(size);
    assert_non_null(image);
    assert_ok(selsnap_device_read(device, image, size, 0));
    return image;
}

static void fill(struct scene *scene) {
    put(scene, 0, BLOCKS);
    rig_save(&scene->rig, "part", 0, 32);
    struct kept *base = take(scene, "base", BLOCKS, 0, false);
    hold(scene, base, SELSNAP_HOLD_LOCK);
    put(scene, 3, 9);
    struct kept *mark = take(scene, "mark", 32, SELSNAP_SNAPSHOT_BOOKMARK, false);
    hold(scene, mark, 0);
    put(scene, 8, 8);
    write_into(scene, base, 5, 6);
    (void)make_clone(scene, "frozen", base, false);
    struct kept *branch = make_clone(scene, "branch", base, true);
    write_into(scene, base, 9, 3);
    write_into(scene, branch, 6, 2);
    struct kept *twig = make_clone(scene, "twig", branch, true);
    write_into(scene, twig, 40, 2);
    hold(scene, twig, 0);
    struct kept *member = take(scene, "member", 32, 0, true);
    assert_ok(selsnap_snapshot_hold(scene->rig.ss, member->id));
    member->plain_holds = 1;
    put(scene, 14, 6);
    struct kept *turned = take(scene, "turned", 32, 0, false);
    put(scene, 16, 2);
    assert_ok(selsnap_snapshot_make_bookmark(scene->rig.ss, turned->id));
    turned->bookmark = true;
    receive(scene, "received", member, false);
    put(scene, 20, 3);
}

/* killed: what was done last is in the journal only. */
static void scene_make(struct scene *scene, bool killed) {
    const struct rig_options options = {.store_bytes = STORE_BYTES, .journal_bytes = JOURNAL_BYTES};
    memset(scene, 0, sizeof *scene);
    rig_open(&scene->rig, &options);
    fill(scene);
    rig_settle(&scene->rig);
    if (killed) {
        (void)make_clone(scene, "late", &scene->snaps[3], true);
        put(scene, 1, 4);
        scene->store = image_of(scene->rig.store_base, STORE_BYTES);
        scene->origin = image_of(scene->rig.origin_base, BLOCKS * BLOCK);
        return;
    }
    rig_stop(&scene->rig);
    scene->store = image_of(scene->rig.store_base, STORE_BYTES);
    scene->origin = image_of(scene->rig.origin_base, BLOCKS * BLOCK);
    rig_start(&scene->rig);
}

static void scene_free(struct scene *scene) {
    rig_close(&scene->rig);
    free(scene->store);
    free(scene->origin);
}

/* ---- repairing and comparing ---- */

static selsnap_device *device_of(const uint8_t *image, size_t size) {
    selsnap_device *device = NULL;
    assert_ok(selsnap_device_open_memory(size, 0, &device));
    if (image != NULL) {
        assert_ok(selsnap_device_write(device, image, size, 0));
    }
    return device;
}

static int keep_line(void *user, const char *line) {
    struct repaired *repaired = user;
    size_t at = strlen(repaired->lines);
    (void)snprintf(repaired->lines + at, sizeof repaired->lines - at, "%s\n", line);
    return 0;
}

static void repair(selsnap_device *damaged, selsnap_device *origin, selsnap_device *fresh, struct repaired *repaired) {
    struct heap heap = {.fills = true};
    selsnap_repair_options options = SELSNAP_REPAIR_OPTIONS_INIT;
    const selsnap_repair_result none = SELSNAP_REPAIR_RESULT_INIT;
    const uint32_t flags = repaired->flags;
    memset(repaired, 0, sizeof *repaired);
    repaired->flags = flags;
    repaired->result = none;
    options.flags = flags;
    options.allocator = heap_allocator(&heap);
    options.report = keep_line;
    options.report_user = repaired;
    repaired->code = selsnap_repair(damaged, origin, fresh, &options, &repaired->result);
    assert_int_equal(heap.live, 0);
}

/* Where something is not as it was, the repair has told so. */
static void expect_note(struct repaired *repaired, bool right, const char *line) {
    if (!right) {
        repaired->unnoted++;
        if (strstr(repaired->lines, line) == NULL) {
            fail_msg("not told: %s\n%s", line, repaired->lines);
        }
    }
}

static void compare_notes(selsnap *ss, const struct kept *snap, struct repaired *repaired) {
    selsnap_hold_info held = {.struct_size = sizeof held};
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    selsnap_group_info group = {.struct_size = sizeof group};
    selsnap_stream_id from = SELSNAP_STREAM_ID_INIT;
    int64_t expiry = -1;
    assert_ok(selsnap_snapshot_get(ss, snap->id, &info));
    assert_int_equal(info.bookmark, snap->bookmark);
    unsigned holds = 0;
    int code;
    while ((code = selsnap_hold_next(ss, snap->id, held.hold, &held)) == SELSNAP_OK) {
        bool known = false;
        for (unsigned i = 0; snap->held && i < HOLDS; i++) {
            known = known || held.hold == snap->hold[i];
        }
        assert_true(known);
        assert_string_equal(held.reason, long_text);
        holds++;
    }
    assert_int_equal(code, SELSNAP_ENOENT);
    assert_int_equal(info.holds, snap->plain_holds + holds);
    expect_note(repaired, holds == (snap->held ? HOLDS : 0), "holds of it may be lost");
    assert_ok(selsnap_snapshot_get_expiry(ss, snap->id, &expiry));
    assert_true(expiry == snap->expiry || expiry == 0);
    expect_note(repaired, expiry == snap->expiry, "the expiry and quota of it may be lost");
    code = selsnap_snapshot_get_group(ss, snap->id, &group);
    assert_true(code == SELSNAP_ENOENT || (code == SELSNAP_OK && snap->member));
    if (code == SELSNAP_OK) {
        assert_int_equal(group.members, 1);
        assert_string_equal(group.name, long_text);
    }
    expect_note(repaired, (code == SELSNAP_OK) == snap->member, "the group that it was made in, if any, is lost");
    code = selsnap_snapshot_get_received(ss, snap->id, &from);
    assert_true(code == SELSNAP_ENOENT || (code == SELSNAP_OK && from.snapshot_id == snap->received));
    expect_note(repaired, (code == SELSNAP_OK) == (snap->received != 0), "it is not known from where");
}

static void compare_view(selsnap *ss, const struct kept *snap, bool pristine, struct repaired *repaired) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    assert_ok(selsnap_snapshot_get(ss, snap->id, &info));
    bool as_taken = (repaired->flags & SELSNAP_REPAIR_AS_TAKEN) != 0 && info.changed == 0;
    const uint64_t *expected = pristine || as_taken ? snap->frozen : snap->now;
    options.id = snap->id;
    options.flags = pristine ? SELSNAP_VIEW_PRISTINE : 0;
    options.undesignated = SELSNAP_UNDESIGNATED_ERROR;
    int code = selsnap_view_open(ss, &options, &view);
    if (snap->bookmark) {
        assert_int_equal(code, SELSNAP_ENODATA);
        return;
    }
    assert_ok(code);
    for (uint64_t block = 0; block < BLOCKS; block++) {
        uint8_t buf[BLOCK];
        code = selsnap_view_read(view, buf, sizeof buf, block * BLOCK);
        if (!snap->covered[block]) {
            assert_int_equal(code, SELSNAP_EUNDESIGNATED);
        } else if (code == SELSNAP_ELOST) {
            repaired->lost += pristine ? 0 : 1;
        } else if (code != SELSNAP_OK || !pattern_is(buf, sizeof buf, block * BLOCK, 1, expected[block])) {
            char text[128];
            pattern_describe(buf, text, sizeof text);
            fail_msg("%s, block %" PRIu64 ": %s, %s; expected sequence %" PRIu64, snap->name, block,
                     selsnap_error_name(code), text, expected[block]);
        }
    }
    assert_ok(selsnap_view_close(view));
}

/* No block that differs from now is left out. Gives how many are told. */
static unsigned compare_diff(const struct scene *scene, selsnap *ss, const struct kept *snap) {
    selsnap_diff_options options = SELSNAP_DIFF_OPTIONS_INIT;
    selsnap_diff_range range = {0, 0, 0, 0};
    bool told[BLOCKS] = {false};
    unsigned count = 0;
    int code = SELSNAP_OK;
    options.from_id = snap->id;
    while (range.offset + range.len < BLOCKS * BLOCK &&
           (code = selsnap_diff_next(ss, &options, range.offset + range.len, &range)) == SELSNAP_OK) {
        for (uint64_t at = range.offset; at < range.offset + range.len; at += BLOCK) {
            told[at / BLOCK] = true;
            count += range.kind == SELSNAP_DIFF_CHANGED;
        }
    }
    assert_true(code == SELSNAP_OK || code == SELSNAP_ENOENT);
    for (uint64_t block = 0; block < BLOCKS; block++) {
        if (snap->covered[block] && !told[block] && snap->frozen[block] != scene->live[block]) {
            fail_msg("the diff from %s leaves out block %" PRIu64, snap->name, block);
        }
    }
    return count;
}

static int tell(void *user, const char *line) {
    (void)user;
    print_error("check: %s\n", line);
    return 0;
}

static void assert_clean(selsnap *ss) {
    selsnap_check_result result = {.struct_size = sizeof result};
    assert_ok(selsnap_check(ss, tell, NULL, NULL, NULL, &result));
    assert_int_equal(result.problems, 0);
}

static void compare(const struct scene *scene, selsnap *ss, struct repaired *repaired) {
    assert_clean(ss);
    for (unsigned i = 0; i < scene->count; i++) {
        const struct kept *snap = &scene->snaps[i];
        selsnap_snapshot_info info = {.struct_size = sizeof info};
        int code = selsnap_snapshot_get(ss, snap->id, &info);
        if (code == SELSNAP_ENOENT) {
            repaired->missing++;
            assert_true(strstr(repaired->lines, "left out") != NULL || strstr(repaired->lines, "lost") != NULL);
            continue;
        }
        assert_ok(code);
        compare_notes(ss, snap, repaired);
        compare_view(ss, snap, true, repaired);
        compare_view(ss, snap, false, repaired);
        (void)compare_diff(scene, ss, snap);
    }
    uint8_t buf[BLOCK];
    for (uint64_t block = 0; block < BLOCKS; block++) {
        assert_ok(selsnap_read(ss, buf, sizeof buf, block * BLOCK));
        assert_true(pattern_is(buf, sizeof buf, block * BLOCK, 1, scene->live[block]));
    }
}

/* Repairs a store of these bytes, and compares what comes out. */
static void try_image(const struct scene *scene, const uint8_t *image, struct repaired *repaired) {
    selsnap_device *origin = device_of(scene->origin, BLOCKS * BLOCK);
    selsnap_device *damaged = device_of(image, STORE_BYTES);
    selsnap_device *fresh = device_of(NULL, STORE_BYTES);
    repair(damaged, origin, fresh, repaired);
    if (repaired->code == SELSNAP_OK) {
        selsnap *ss = NULL;
        assert_ok(selsnap_open(fresh, origin, NULL, &ss));
        compare(scene, ss, repaired);
        assert_ok(selsnap_close(ss));
    } else {
        assert_true(repaired->code == SELSNAP_EDAMAGED || repaired->code == SELSNAP_ENOTSTORE);
    }
    selsnap_device_close(fresh);
    selsnap_device_close(damaged);
    selsnap_device_close(origin);
}

/* ---- a sound store ---- */

/* Deletes all that is not held, so that each clone's layers go; what is left is sound. */
static void let_go(const struct scene *scene, selsnap *ss) {
    uint32_t more = 1;
    for (unsigned i = 0; i < scene->count; i++) {
        const struct kept *snap = &scene->snaps[i];
        bool held = snap->held || snap->plain_holds != 0;
        assert_int_equal(selsnap_snapshot_delete(ss, snap->id), held ? SELSNAP_EHELD : SELSNAP_OK);
        assert_clean(ss);
    }
    while (more != 0) {
        assert_ok(selsnap_step(ss, NULL, &more));
    }
    assert_clean(ss);
}

static void test_repair__sound_store_with_all_that_can_be_kept__copied_whole(void **state) {
    (void)state;
    for (int killed = 0; killed < 2; killed++) {
        struct scene scene;
        struct repaired repaired = {.flags = 0};
        struct repaired again = {.flags = 0};
        scene_make(&scene, killed != 0);
        selsnap_device *origin = device_of(scene.origin, BLOCKS * BLOCK);
        selsnap_device *sound = device_of(scene.store, STORE_BYTES);
        selsnap_device *fresh = device_of(NULL, STORE_BYTES);
        selsnap_device *fresher = device_of(NULL, STORE_BYTES);
        repair(sound, origin, fresh, &repaired);
        assert_ok(repaired.code);
        repair(fresh, origin, fresher, &again);
        assert_ok(again.code);
        assert_string_equal(repaired.lines, "");
        assert_string_equal(again.lines, "");
        assert_int_equal(again.result.snapshots_salvaged, scene.count);
        selsnap *ss = NULL;
        assert_ok(selsnap_open(fresher, origin, NULL, &ss));
        compare(&scene, ss, &again);
        assert_int_equal(again.missing + again.lost + again.unnoted, 0);
        /* The same diff as before the repair, bookmarks included. */
        for (unsigned i = 0; i < scene.count; i++) {
            assert_int_equal(compare_diff(&scene, ss, &scene.snaps[i]),
                             compare_diff(&scene, scene.rig.ss, &scene.snaps[i]));
        }
        let_go(&scene, ss);
        assert_ok(selsnap_close(ss));
        selsnap_device_close(fresher);
        selsnap_device_close(fresh);
        selsnap_device_close(sound);
        selsnap_device_close(origin);
        scene_free(&scene);
    }
}

static void test_repair__import_unfinished__is_taken_back_in_the_new_store(void **state) {
    (void)state;
    struct scene scene;
    struct repaired repaired = {.flags = 0};
    scene_make(&scene, false);
    put(&scene, 0, 12);
    receive(&scene, "part", &scene.snaps[0], true);
    selsnap_stream_id id = SELSNAP_STREAM_ID_INIT;
    selsnap_stream_id known = SELSNAP_STREAM_ID_INIT;
    selsnap_stream_token token = SELSNAP_STREAM_TOKEN_INIT;
    selsnap_stream_token known_token = SELSNAP_STREAM_TOKEN_INIT;
    assert_ok(selsnap_import_unfinished(scene.rig.ss, &known, &known_token));
    rig_stop(&scene.rig);
    selsnap_device *fresh = device_of(NULL, STORE_BYTES);
    repair(scene.rig.store_base, scene.rig.origin_base, fresh, &repaired);
    assert_ok(repaired.code);
    assert_string_equal(repaired.lines, "");
    selsnap *ss = NULL;
    assert_ok(selsnap_open(fresh, scene.rig.origin_base, NULL, &ss));
    assert_ok(selsnap_import_unfinished(ss, &id, &token));
    assert_memory_equal(&id, &known, sizeof id);
    assert_memory_equal(&token, &known_token, sizeof token);
    assert_ok(selsnap_import_undo(ss, NULL, NULL));
    compare(&scene, ss, &repaired);
    assert_int_equal(repaired.missing + repaired.lost + repaired.unnoted, 0);
    assert_ok(selsnap_close(ss));
    selsnap_device_close(fresh);
    rig_start(&scene.rig);
    scene_free(&scene);
}

/* ---- damage ---- */

struct tally {
    unsigned tried, refused, part, missing, lost, unnoted, as_taken;
};

static void try_damage(const struct scene *scene, uint64_t at, size_t len, bool zeros, struct tally *tally) {
    struct repaired repaired = {.flags = 0};
    uint8_t *image = malloc(STORE_BYTES);
    assert_non_null(image);
    memcpy(image, scene->store, STORE_BYTES);
    for (size_t i = 0; i < len; i++) {
        image[at + i] = zeros ? 0 : image[at + i] ^ (i == len / 3 ? 0x40 : 0);
    }
    try_image(scene, image, &repaired);
    bool part = repaired.missing + repaired.lost + repaired.unnoted > 0;
    tally->tried++;
    tally->refused += repaired.code != SELSNAP_OK;
    tally->part += part;
    tally->missing += repaired.missing;
    tally->lost += repaired.lost;
    tally->unnoted += repaired.unnoted;
    if (part || repaired.code != SELSNAP_OK) {
        const unsigned missing = repaired.missing;
        const int code = repaired.code;
        repaired.flags = SELSNAP_REPAIR_AS_TAKEN;
        try_image(scene, image, &repaired);
        assert_true(code != SELSNAP_OK || repaired.missing <= missing);
        tally->as_taken += repaired.code == SELSNAP_OK && (code != SELSNAP_OK || repaired.missing < missing);
    }
    free(image);
}

static void sweep(bool killed) {
    struct scene scene;
    struct tally tree = {0};
    struct tally data = {0};
    struct tally journal = {0};
    scene_make(&scene, killed);
    for (uint64_t page = AREA; page < STORE_BYTES / BLOCK; page++) {
        const uint8_t *bytes = scene.store + page * BLOCK;
        bool metadata = memcmp(bytes + 8, "SSNT", 4) == 0 || memcmp(bytes, "SSNL", 4) == 0;
        if (pattern_all_zero(bytes, BLOCK)) {
            continue;
        }
        try_damage(&scene, page * BLOCK, BLOCK, false, metadata ? &tree : &data);
        if (metadata) {
            try_damage(&scene, page * BLOCK, BLOCK, true, &tree);
        }
    }
    for (uint64_t sector = 32 * 8; sector < AREA * 8; sector += killed ? 1 : 16) {
        try_damage(&scene, sector * 512, 512, false, &journal);
    }
    print_message("# %s: tree: %u of %u in part, %u refused (%u snapshots, %u blocks, %u notes lost; %u better as "
                  "taken); data: %u of %u\n",
                  killed ? "killed" : "closed", tree.part, tree.tried, tree.refused, tree.missing, tree.lost,
                  tree.unnoted, tree.as_taken, data.part, data.tried);
    print_message("# journal: %u of %u in part, %u refused, %u better as taken\n", journal.part, journal.tried,
                  journal.refused, journal.as_taken);
    assert_true(tree.part > 3 && tree.as_taken > 0 && data.part > 20);
    assert_int_equal(data.refused + data.missing + data.unnoted, 0);
    assert_true(killed ? journal.refused + journal.part > 0 : journal.refused + journal.part == 0);
    scene_free(&scene);
}

static void test_repair__page_of_closed_store_damaged__right_or_told(void **state) {
    (void)state;
    sweep(false);
}

static void test_repair__page_of_killed_store_damaged__right_or_told(void **state) {
    (void)state;
    sweep(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repair__sound_store_with_all_that_can_be_kept__copied_whole),
        cmocka_unit_test(test_repair__import_unfinished__is_taken_back_in_the_new_store),
        cmocka_unit_test(test_repair__page_of_closed_store_damaged__right_or_told),
        cmocka_unit_test(test_repair__page_of_killed_store_damaged__right_or_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
