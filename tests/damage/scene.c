/* SPDX-License-Identifier: Apache-2.0 */
#include "scene.h"

#include "tape.h"

#include "testdev.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct builder {
    struct scene *scene;
    struct rig rig;
    struct wire wire;
    struct testdev *origin;
    unsigned restored; /* blocks below this are in the restore */
};

bool scene_right(const uint8_t *bytes, uint64_t block, uint32_t holds) {
    if (holds == HOLDS_ZERO) {
        return pattern_all_zero(bytes, SCENE_PAGE);
    }
    return pattern_is(bytes, SCENE_PAGE, block * SCENE_PAGE, holds == 0 ? 0 : 1, holds);
}

static void put(struct builder *b, unsigned first, unsigned count, uint32_t sequence) {
    rig_write(&b->rig, first, count, sequence);
    for (unsigned i = first; i < first + count; i++) {
        b->scene->live[i] = sequence;
    }
}

static void put_each(struct builder *b, unsigned first, unsigned count, uint32_t sequence) {
    for (unsigned i = first; i < first + count; i++) {
        put(b, i, 1, sequence);
    }
}

/* A snapshot of blocks [first, first + count), step by step, and of some more. */
static struct scene_snap *take(struct builder *b, const char *name, const char *designation, unsigned first,
                               unsigned count, unsigned stride) {
    struct scene *scene = b->scene;
    struct scene_snap *snap = &scene->snap[scene->snap_count++];
    static const char text[] = "a note that is long enough to fill some of a page, again and again and again; ";
    char note[701];
    for (unsigned i = 0; i < 700; i++) {
        note[i] = text[i % (sizeof text - 1)];
    }
    note[700] = '\0';
    const selsnap_property properties[2] = {{"note", note}, {"other", note}};
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_subset *subset = NULL;
    assert_true(scene->snap_count <= SCENE_SNAPS);
    assert_ok(selsnap_subset_open_for(b->rig.ss, &subset));
    for (unsigned i = 0; i < SCENE_BLOCKS; i++) {
        bool in = i >= first && i < first + count && (i - first) % stride == 0;
        snap->frozen[i] = snap->holds[i] = in ? scene->live[i] : HOLDS_NOTHING;
        if (in) {
            assert_ok(selsnap_subset_add(subset, (uint64_t)i * SCENE_PAGE, SCENE_PAGE));
        }
    }
    options.name = name;
    options.policy = SELSNAP_POLICY_GIVE_UP_BLOCK;
    options.properties = properties;
    options.property_count = 2;
    if (designation != NULL) {
        options.designation = designation;
        if (selsnap_snapshot_create(b->rig.ss, &options, &snap->id) == SELSNAP_ENOENT) {
            assert_ok(selsnap_designation_save(b->rig.ss, designation, subset, NULL));
            assert_ok(selsnap_snapshot_create(b->rig.ss, &options, &snap->id));
        }
    } else {
        options.subset = subset;
        assert_ok(selsnap_snapshot_create(b->rig.ss, &options, &snap->id));
    }
    selsnap_subset_close(subset);
    return snap;
}

/* The block's old content cannot be read when it is overwritten: it is lost in those that need it. */
static void lose(struct builder *b, unsigned block, uint32_t sequence) {
    b->origin->bad_ops = TESTDEV_READ;
    b->origin->bad_offset = (uint64_t)block * SCENE_PAGE;
    b->origin->bad_len = SCENE_PAGE;
    put(b, block, 1, sequence);
    b->origin->bad_ops = 0;
}

static void write_into(struct builder *b, struct scene_snap *snap, unsigned first, unsigned count, uint32_t sequence) {
    uint8_t bytes[SCENE_PAGE];
    selsnap_view *view = rig_view(&b->rig, snap->id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    for (unsigned i = first; i < first + count; i++) {
        pattern_fill(bytes, sizeof bytes, (uint64_t)i * SCENE_PAGE, 1, sequence);
        assert_ok(selsnap_view_write(view, bytes, sizeof bytes, (uint64_t)i * SCENE_PAGE));
        snap->holds[i] = sequence;
    }
    assert_ok(selsnap_view_discard(view, (uint64_t)(first + count) * SCENE_PAGE, SCENE_PAGE));
    snap->holds[first + count] = HOLDS_ZERO;
    assert_ok(selsnap_view_close(view));
}

static void make_clone(struct builder *b, const char *name, const struct scene_snap *source, uint32_t flags) {
    struct scene_snap *snap = &b->scene->snap[b->scene->snap_count++];
    selsnap_clone_options options = SELSNAP_CLONE_OPTIONS_INIT;
    assert_true(b->scene->snap_count <= SCENE_SNAPS);
    *snap = *source;
    options.source_id = source->id;
    options.name = name;
    options.policy = SELSNAP_POLICY_GIVE_UP_BLOCK;
    options.flags = flags;
    assert_ok(selsnap_snapshot_clone(b->rig.ss, &options, &snap->id));
    if ((flags & SELSNAP_CLONE_AS_CHANGED) == 0) {
        memcpy(snap->holds, snap->frozen, sizeof snap->holds);
    }
}

/* ---- what is noted of snapshots ---- */

static void hold(struct builder *b, const struct scene_snap *snap) {
    struct scene_notes *notes = &b->scene->notes;
    selsnap_hold_options options = SELSNAP_HOLD_OPTIONS_INIT;
    options.reason = "held by the scene";
    notes->held = (unsigned)(snap - b->scene->snap);
    notes->expiry = 123456789;
    assert_ok(selsnap_hold_add(b->rig.ss, snap->id, &options, &notes->hold));
    assert_ok(selsnap_snapshot_set_expiry(b->rig.ss, snap->id, notes->expiry));
}

/* A snapshot like this one, now, as the only member of a group. */
static void take_member(struct builder *b, const char *name, const char *designation, const struct scene_snap *like) {
    struct scene *scene = b->scene;
    struct scene_snap *snap = &scene->snap[scene->snap_count++];
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_group_options group = SELSNAP_GROUP_OPTIONS_INIT;
    const selsnap_group_member member = {b->rig.ss, &options};
    assert_true(scene->snap_count <= SCENE_SNAPS);
    options.name = name;
    options.designation = designation;
    options.policy = SELSNAP_POLICY_GIVE_UP_BLOCK;
    group.name = "a group";
    assert_ok(selsnap_group_create(&member, 1, &group, NULL, &snap->id));
    for (unsigned i = 0; i < SCENE_BLOCKS; i++) {
        snap->frozen[i] = snap->holds[i] = like->frozen[i] == HOLDS_NOTHING ? HOLDS_NOTHING : scene->live[i];
    }
    scene->notes.member = (unsigned)(snap - scene->snap);
}

static void bookmark(struct builder *b, const char *designation) {
    struct scene_notes *notes = &b->scene->notes;
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = "mark";
    options.designation = designation;
    options.flags = SELSNAP_SNAPSHOT_BOOKMARK;
    options.policy = SELSNAP_POLICY_GIVE_UP_BLOCK;
    assert_ok(selsnap_snapshot_create(b->rig.ss, &options, &notes->mark));
    memcpy(notes->marked, b->scene->live, sizeof notes->marked);
}

/* Exports the snapshot, and imports it where it came from: the live device has its blocks again. */
static void receive(struct builder *b, const char *name, const struct scene_snap *source) {
    struct scene *scene = b->scene;
    struct scene_snap *snap = &scene->snap[scene->snap_count++];
    selsnap_export_options what = SELSNAP_EXPORT_OPTIONS_INIT;
    selsnap_import_options how = SELSNAP_IMPORT_OPTIONS_INIT;
    struct tape *tape = calloc(1, sizeof *tape);
    assert_non_null(tape);
    assert_true(scene->snap_count <= SCENE_SNAPS);
    *snap = *source;
    memcpy(snap->holds, snap->frozen, sizeof snap->holds);
    what.id = source->id;
    assert_ok(selsnap_export(b->rig.ss, &what, tape_write, tape, NULL));
    how.name = name;
    how.policy = SELSNAP_POLICY_GIVE_UP_BLOCK;
    assert_ok(selsnap_import(b->rig.ss, tape_read, tape, &how, &snap->id, NULL));
    for (unsigned i = 0; i < SCENE_BLOCKS; i++) {
        scene->live[i] = snap->frozen[i] != HOLDS_NOTHING ? snap->frozen[i] : scene->live[i];
    }
    scene->notes.received = (unsigned)(snap - scene->snap);
    scene->notes.received_from = source->id;
    free(tape);
}

static void restore(struct builder *b, const struct scene_snap *snap, unsigned first, unsigned count) {
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    options.id = snap->id;
    selsnap_subset *subset = rig_subset(&b->rig, first, count);
    options.subset = subset;
    assert_ok(selsnap_restore_start(b->rig.ss, &options, NULL));
    selsnap_subset_close(subset);
    b->restored = first + count;
    memcpy(b->scene->live + first, snap->frozen + first, count * sizeof snap->frozen[0]);
}

static void fold(struct builder *b) {
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    options.flags = SELSNAP_STEP_CHECKPOINT;
    assert_ok(selsnap_step(b->rig.ss, &options, NULL));
}

static uint8_t *copy_of(selsnap_device *device, size_t size) {
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    assert_ok(selsnap_device_read(device, bytes, size, 0));
    return bytes;
}

static void keep_older(struct builder *b) {
    assert_true(b->scene->older_count < SCENE_OLDER);
    b->scene->older[b->scene->older_count++] = copy_of(b->rig.store_base, SCENE_STORE);
}

static void run_script(struct builder *b) {
    struct scene *scene = b->scene;
    (void)take(b, "even", "even", 0, 200, 2);
    put_each(b, 0, 32, 1);
    struct scene_snap *low = take(b, "low", "low", 0, 32, 1);
    put(b, 0, 16, 2);
    put_each(b, 16, 8, 3);
    assert_ok(selsnap_write_zeroes(b->rig.ss, 24 * SCENE_PAGE, SCENE_PAGE));
    scene->live[24] = HOLDS_ZERO;
    struct scene_snap *mixed = take(b, "mixed", NULL, 0, 32, 1);
    lose(b, 20, 4);
    mixed->frozen[20] = mixed->holds[20] = HOLDS_LOST;
    put(b, 24, 1, 4);
    struct scene_snap *high = take(b, "high", "high", 244, 20, 1);
    put(b, 248, 16, 4);
    fold(b);
    keep_older(b);
    write_into(b, low, 3, 2, 60);
    write_into(b, high, 250, 5, 61);
    make_clone(b, "frozen", low, 0);
    make_clone(b, "branch", high, SELSNAP_CLONE_AS_CHANGED);
    struct scene_snap *branch = &scene->snap[scene->snap_count - 1];
    write_into(b, branch, 252, 5, 62);
    write_into(b, high, 258, 2, 63);
    make_clone(b, "twig", branch, SELSNAP_CLONE_AS_CHANGED);
    hold(b, low);
    take_member(b, "member", "high", high);
    bookmark(b, "low");
    put_each(b, 0, 8, 5);
    (void)take(b, "even2", "even", 0, 200, 2);
    put_each(b, 0, 32, 6);
    struct scene_snap *victim = take(b, "victim", "low", 0, 32, 1);
    put(b, 8, 8, 7);
    assert_ok(selsnap_snapshot_delete(b->rig.ss, victim->id));
    scene->snap_count--;
    fold(b);
    keep_older(b);
    receive(b, "low2", low);
    put_each(b, 0, 32, 8);
    restore(b, mixed, 0, 12);
    put(b, 2, 1, 9);
    (void)take(b, "young", "low", 0, 32, 1);
    put(b, 4, 1, 10);
    fold(b);
    keep_older(b);
    put(b, 12, 4, 11);
    (void)take(b, "high2", "high", 244, 20, 1);
    put_each(b, 250, 4, 12);
    keep_older(b);
    put(b, 256, 2, 13);
}

/* ---- what the pages are ---- */

struct sorter {
    struct scene *scene;
    uint64_t newest_super;
    bool is_newest; /* the superblock whose lines are told */
    uint64_t newest_batch;
};

/* Only the newest superblock's ledger counts. */
static void sort_ledger(struct scene *scene, uint64_t place, unsigned pages) {
    for (unsigned i = 0; i < SCENE_PAGES; i++) {
        scene->kind[i] = scene->kind[i] == PAGE_LEDGER ? PAGE_DATA : scene->kind[i];
    }
    memset(scene->kind + place, PAGE_LEDGER, pages);
}

static int sort_line(void *user, const char *line) {
    struct sorter *sorter = user;
    struct scene *scene = sorter->scene;
    uint64_t place;
    uint64_t number;
    unsigned pages;
    const char *at = strstr(line, "; ledger ");
    if (sscanf(line, "tree page %" SCNu64, &place) == 1) {
        scene->kind[place] = PAGE_TREE;
        scene->tree_pages++;
    } else if (sscanf(line, "superblock %u: sequence %" SCNu64, &pages, &number) == 2) {
        sorter->is_newest = number > sorter->newest_super;
        sorter->newest_super = sorter->is_newest ? number : sorter->newest_super;
    } else if (at != NULL && sorter->is_newest && sscanf(at, "; ledger %" SCNu64 ", %u", &place, &pages) == 2) {
        sort_ledger(scene, place, pages);
    } else if (sscanf(line, "journal page %" SCNu64 ": batch %" SCNu64 ", %u", &place, &number, &pages) == 3) {
        scene->journal_pages++;
        if (number > sorter->newest_batch) {
            sorter->newest_batch = number;
            memset(scene->in_last_batch, 0, sizeof scene->in_last_batch);
        }
        if (number == sorter->newest_batch) {
            scene->in_last_batch[32 + place] = true;
        }
    }
    return 0;
}

static void sort_pages(struct builder *b) {
    struct scene *scene = b->scene;
    struct sorter sorter = {.scene = scene};
    for (unsigned place = 0; place < SCENE_PAGES; place++) {
        bool blank = pattern_all_zero(scene->store + (size_t)place * SCENE_PAGE, SCENE_PAGE);
        scene->kind[place] = place >= SCENE_AREA && !blank ? PAGE_DATA : PAGE_UNUSED;
    }
    scene->kind[0] = scene->kind[16] = PAGE_SUPER;
    memset(scene->kind + 32, PAGE_JOURNAL, SCENE_AREA - 32);
    assert_ok(selsnap_dump(b->rig.ss, sort_line, &sorter));
    assert_true(scene->tree_pages >= 4);
}

static void look_at_device(struct builder *b) {
    struct scene *scene = b->scene;
    unsigned differ = 0;
    for (unsigned block = 0; block < SCENE_BLOCKS; block++) {
        struct pattern pattern = {0};
        bool is_pattern = pattern_read(scene->origin + (size_t)block * SCENE_PAGE, &pattern);
        scene->device[block] = is_pattern ? (uint32_t)pattern.sequence : HOLDS_ZERO;
        bool differs = scene->device[block] != scene->live[block];
        assert_true(!differs || block < b->restored);
        differ += differs;
    }
    assert_true(differ >= 4);
}

void scene_build(struct scene *scene, const char *name, bool killed) {
    struct builder b;
    selsnap_device *store = NULL;
    const struct rig_options options = {.journal_bytes = SCENE_JOURNAL};
    memset(scene, 0, sizeof *scene);
    memset(&b, 0, sizeof b);
    scene->name = name;
    scene->killed = killed;
    b.scene = scene;
    wire_init(&b.wire, false);
    b.origin = testdev_open(&b.wire, 'o', SCENE_BLOCKS * SCENE_PAGE, 0, NULL);
    assert_ok(selsnap_device_open_memory(SCENE_STORE, 0, &store));
    rig_open_on(&b.rig, b.origin->device, store, &options);
    run_script(&b);
    if (!killed) {
        rig_stop(&b.rig);
    }
    scene->origin = copy_of(b.rig.origin_base, SCENE_BLOCKS * SCENE_PAGE);
    scene->store = copy_of(b.rig.store_base, SCENE_STORE);
    if (!killed) {
        b.rig.options.open_flags = SELSNAP_OPEN_READ_ONLY;
        rig_start(&b.rig);
    }
    look_at_device(&b);
    sort_pages(&b);
    rig_close(&b.rig);
    wire_fini(&b.wire);
}

void scene_free(struct scene *scene) {
    for (unsigned i = 0; i < scene->older_count; i++) {
        free(scene->older[i]);
    }
    free(scene->store);
    free(scene->origin);
}
