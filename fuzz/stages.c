/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The images to be damaged: a script of snapshots, overlays, extents, lost blocks and a restore, and what store and
 * origin hold at several moments of it, as a killed process leaves them. The same at each start.
 */
#include "image.h"
#include "pattern.h"
#include "readback.h"

struct script {
    selsnap_device *origin;
    selsnap_device *store;
    selsnap *ss;
    uint64_t sequence;
    struct stage *stages;
    unsigned stage_count;
};

static void must_ok(int code) {
    must(code == SELSNAP_OK);
}

static size_t block_len(uint64_t block) {
    return block + 1 == IMAGE_BLOCKS ? IMAGE_ORIGIN_BYTES - block * IMAGE_BLOCK : IMAGE_BLOCK;
}

/* One request. */
static void write_blocks(struct script *script, uint64_t first, uint64_t count) {
    static uint8_t buf[IMAGE_ORIGIN_BYTES];
    size_t len = (size_t)(count - 1) * IMAGE_BLOCK + block_len(first + count - 1);
    pattern_fill(buf, len, first * IMAGE_BLOCK, 1, ++script->sequence);
    must_ok(selsnap_write(script->ss, buf, len, first * IMAGE_BLOCK));
}

static selsnap_subset *comb(const struct script *script, uint64_t first, uint64_t gap, uint64_t times) {
    selsnap_subset *subset = NULL;
    must_ok(selsnap_subset_open_for(script->ss, &subset));
    for (uint64_t i = 0; i < times; i++) {
        must_ok(selsnap_subset_add(subset, (first + i * gap) * IMAGE_BLOCK, 1));
    }
    return subset;
}

static uint64_t snapshot(const struct script *script, const char *name, const char *designation, uint32_t policy) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_property properties[2] = {{"made by", "a script"}, {"why", ""}};
    uint64_t id = 0;
    options.name = name;
    options.designation = designation;
    options.properties = properties;
    options.property_count = 2;
    options.policy = policy;
    options.time_ns = 1000000007;
    must_ok(selsnap_snapshot_create(script->ss, &options, &id));
    return id;
}

static void write_into(const struct script *script, uint64_t id, uint64_t block) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    options.id = id;
    options.flags = SELSNAP_VIEW_WRITABLE;
    must_ok(selsnap_view_open(script->ss, &options, &view));
    must_ok(selsnap_view_write(view, "written into the snapshot", 25, block * IMAGE_BLOCK + 100));
    must_ok(selsnap_view_discard(view, (block + 3) * IMAGE_BLOCK, IMAGE_BLOCK));
    must_ok(selsnap_view_close(view));
}

static void step(const struct script *script, uint32_t flags, uint64_t budget) {
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    options.flags = flags;
    options.budget_blocks = budget;
    must_ok(selsnap_step(script->ss, &options, NULL));
}

static uint8_t *copy_of(selsnap_device *device, uint64_t size) {
    uint8_t *copy = calloc((size_t)((size + COW_PAGE - 1) / COW_PAGE), COW_PAGE);
    must(copy != NULL);
    must_ok(selsnap_device_read(device, copy, (size_t)size, 0));
    return copy;
}

/* What is read of an image that nobody has touched. */
static void learn_truth(struct stage *stage) {
    struct cowdev store;
    struct cowdev origin;
    selsnap *ss = NULL;
    cow_init(&store, 's', IMAGE_STORE_BYTES);
    cow_init(&origin, 'o', IMAGE_ORIGIN_BYTES);
    cow_reset(&store, stage->store);
    cow_reset(&origin, stage->origin);
    must_ok(selsnap_open(store.device, origin.device, NULL, &ss));
    readback_all(ss, &stage->truth);
    selsnap_check_result result = {.struct_size = sizeof result};
    must_ok(selsnap_check(ss, NULL, NULL, NULL, NULL, &result));
    must(result.problems == 0);
    must_ok(selsnap_close(ss));
    cow_fini(&store);
    cow_fini(&origin);
}

static void leave_stage(struct script *script) {
    must(script->stage_count < STAGES);
    struct stage *stage = &script->stages[script->stage_count++];
    if (script->ss != NULL) {
        must_ok(selsnap_flush(script->ss));
    }
    stage->store = copy_of(script->store, IMAGE_STORE_BYTES);
    stage->origin = copy_of(script->origin, IMAGE_ORIGIN_BYTES);
    learn_truth(stage);
    image_survey(stage);
}

/* Two memory devices; the store's id, the only thing about it that is random, becomes a fixed one. */
static void begin(struct script *script) {
    static const uint8_t id[SSN_STORE_ID_SIZE] = "a fuzzer's store";
    static uint8_t buf[IMAGE_ORIGIN_BYTES];
    struct cowdev store;
    struct cowdev origin;
    selsnap_format_options format = SELSNAP_FORMAT_OPTIONS_INIT;
    format.journal_bytes = 64 << 10;
    pattern_fill(buf, sizeof buf, 0, 0, 0);
    for (uint64_t block = 3; block < 100; block += 7) {
        memset(buf + block * IMAGE_BLOCK, 0, IMAGE_BLOCK);
    }
    uint8_t *blank = calloc(IMAGE_STORE_PAGES, COW_PAGE);
    must(blank != NULL);
    cow_init(&store, 's', IMAGE_STORE_BYTES);
    cow_init(&origin, 'o', IMAGE_ORIGIN_BYTES);
    cow_reset(&store, blank);
    cow_reset(&origin, buf); /* only its identity is read */
    must_ok(selsnap_format(store.device, origin.device, &format));
    image_set_id(&store, id);
    must_ok(selsnap_device_open_memory(IMAGE_ORIGIN_BYTES, 0, &script->origin));
    must_ok(selsnap_device_open_memory(IMAGE_STORE_BYTES, 0, &script->store));
    must_ok(selsnap_device_write(script->origin, buf, sizeof buf, 0));
    for (size_t page = 0; page < IMAGE_STORE_PAGES; page++) {
        must_ok(selsnap_device_write(script->store, cow_page(&store, page), COW_PAGE, page * COW_PAGE));
    }
    cow_fini(&store);
    cow_fini(&origin);
    free(blank);
}

static void open_context(struct script *script) {
    must_ok(selsnap_open(script->store, script->origin, NULL, &script->ss));
}

static void end(struct script *script) {
    must_ok(selsnap_close(script->ss));
    selsnap_device_close(script->store);
    selsnap_device_close(script->origin);
    script->ss = NULL;
}

/* Journal only, tree and journal, a restore and a reclaim on their way, closed. */
static void rich(struct script *script) {
    begin(script);
    open_context(script);
    selsnap_subset *thirds = comb(script, 1, 3, 89);
    selsnap_subset *few = comb(script, 100, 2, 9);
    must_ok(selsnap_designation_save(script->ss, "thirds", thirds, NULL));
    uint64_t first = snapshot(script, "first", NULL, SELSNAP_POLICY_FAIL_WRITE);
    write_blocks(script, 0, 3);
    write_blocks(script, 5, 1);
    write_blocks(script, 240, 30); /* over the border of a run, to the short block */
    uint64_t second = snapshot(script, "second", "thirds", SELSNAP_POLICY_GIVE_UP_BLOCK);
    write_blocks(script, 0, 40);
    must_ok(selsnap_write_zeroes(script->ss, 50 * IMAGE_BLOCK, 5 * IMAGE_BLOCK));
    write_into(script, second, 4);
    leave_stage(script); /* 0: all in the journal */
    step(script, SELSNAP_STEP_CHECKPOINT, 0);
    must_ok(selsnap_designation_save(script->ss, "thirds", few, NULL));
    snapshot(script, "third, \xc3\xa4 la carte", "thirds", SELSNAP_POLICY_FAIL_WRITE);
    write_blocks(script, 90, 40);
    must_ok(selsnap_snapshot_hold(script->ss, second));
    leave_stage(script); /* 1: tree and journal */
    must_ok(selsnap_snapshot_delete(script->ss, first));
    step(script, SELSNAP_STEP_RECLAIM, 5);
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    restore.id = second;
    must_ok(selsnap_restore_start(script->ss, &restore, NULL));
    snapshot(script, "during the restore", NULL, SELSNAP_POLICY_FAIL_WRITE);
    write_blocks(script, 20, 3);
    step(script, SELSNAP_STEP_RESTORE, 10);
    leave_stage(script); /* 2: a restore and a reclaim */
    step(script, SELSNAP_STEP_CHECKPOINT, 0);
    write_blocks(script, 28, 2);
    leave_stage(script); /* 3: the same, folded */
    must_ok(selsnap_close(script->ss));
    script->ss = NULL;
    leave_stage(script); /* 4: closed */
    open_context(script);
    selsnap_subset_close(thirds);
    selsnap_subset_close(few);
    end(script);
}

/* A tree of two levels. */
static void tall(struct script *script) {
    begin(script);
    open_context(script);
    leave_stage(script); /* 5: nothing in it */
    for (unsigned round = 0; round < 5; round++) {
        char name[16];
        (void)snprintf(name, sizeof name, "round %u", round);
        snapshot(script, name, NULL, SELSNAP_POLICY_GIVE_UP_BLOCK);
        for (uint64_t i = 0; i < IMAGE_BLOCKS; i++) {
            uint64_t block = i * 7 % IMAGE_BLOCKS; /* so that no neighbours are preserved together */
            if (round % 2 == 0) {
                must_ok(selsnap_write_zeroes(script->ss, block * IMAGE_BLOCK, block_len(block)));
            } else {
                write_blocks(script, block, 1);
            }
        }
    }
    step(script, SELSNAP_STEP_CHECKPOINT, 0);
    write_blocks(script, 7, 2);
    leave_stage(script); /* 6: many leaves, and blocks lost for lack of room */
    step(script, SELSNAP_STEP_CHECKPOINT, 0);
    step(script, SELSNAP_STEP_CHECKPOINT, 0);
    leave_stage(script); /* 7: no journal to replay */
    end(script);
}

static void make_clone(const struct script *script, const char *name, uint64_t source, uint32_t flags,
                       uint64_t *ret_id) {
    selsnap_clone_options options = SELSNAP_CLONE_OPTIONS_INIT;
    options.source_id = source;
    options.name = name;
    options.flags = flags;
    options.time_ns = 1000000009;
    must_ok(selsnap_snapshot_clone(script->ss, &options, ret_id));
}

struct tape {
    uint8_t bytes[2 * IMAGE_ORIGIN_BYTES];
    size_t len;
    size_t at;
};

static int tape_write(void *user, const void *buf, size_t len) {
    struct tape *tape = user;
    must(len <= sizeof tape->bytes - tape->len);
    memcpy(tape->bytes + tape->len, buf, len);
    tape->len += len;
    return 0;
}

static int64_t tape_read(void *user, void *buf, size_t len) {
    struct tape *tape = user;
    size_t part = len < tape->len - tape->at ? len : tape->len - tape->at;
    memcpy(buf, tape->bytes + tape->at, part);
    tape->at += part;
    return (int64_t)part;
}

static void receive(const struct script *script, const char *name, uint64_t source) {
    static struct tape tape;
    selsnap_export_options what = SELSNAP_EXPORT_OPTIONS_INIT;
    selsnap_import_options how = SELSNAP_IMPORT_OPTIONS_INIT;
    tape.len = tape.at = 0;
    what.id = source;
    must_ok(selsnap_export(script->ss, &what, tape_write, &tape, NULL));
    how.name = name;
    must_ok(selsnap_import(script->ss, tape_read, &tape, &how, NULL, NULL));
}

static void member(const struct script *script, const char *name) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_group_options group = SELSNAP_GROUP_OPTIONS_INIT;
    const selsnap_group_member only = {script->ss, &options};
    options.name = name;
    options.designation = "thirds";
    options.time_ns = group.time_ns = 1000000009;
    group.name = "a group";
    must_ok(selsnap_group_create(&only, 1, &group, NULL, NULL));
}

/* What is kept of snapshots besides their records: the same each time, but for times and the group's id. */
static void kept(struct script *script) {
    begin(script);
    open_context(script);
    selsnap_subset *thirds = comb(script, 1, 3, 40);
    must_ok(selsnap_designation_save(script->ss, "thirds", thirds, NULL));
    uint64_t base = snapshot(script, "base", "thirds", SELSNAP_POLICY_FAIL_WRITE);
    write_blocks(script, 0, 30);
    write_into(script, base, 4);
    selsnap_snapshot_options mark = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    mark.name = "mark";
    mark.flags = SELSNAP_SNAPSHOT_BOOKMARK;
    mark.time_ns = 1000000009;
    must_ok(selsnap_snapshot_create(script->ss, &mark, NULL));
    write_blocks(script, 20, 40);
    uint64_t branch;
    make_clone(script, "branch", base, SELSNAP_CLONE_AS_CHANGED, &branch);
    write_into(script, branch, 7);
    write_into(script, base, 13);
    must_ok(selsnap_hold_add(script->ss, base, NULL, NULL));
    must_ok(selsnap_snapshot_set_expiry(script->ss, branch, 5));
    receive(script, "received", base);
    step(script, SELSNAP_STEP_CHECKPOINT, 0);
    member(script, "member");
    make_clone(script, "twig", branch, SELSNAP_CLONE_AS_CHANGED, NULL);
    write_blocks(script, 10, 9);
    leave_stage(script); /* 8: tree and journal */
    must_ok(selsnap_close(script->ss));
    script->ss = NULL;
    leave_stage(script); /* 9: closed */
    open_context(script);
    selsnap_subset_close(thirds);
    end(script);
}

void stages_make(struct stage *stages) {
    struct script script = {.stages = stages};
    rich(&script);
    tall(&script);
    kept(&script);
    must(script.stage_count == STAGES);
}
