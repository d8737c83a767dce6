/* SPDX-License-Identifier: Apache-2.0 */
#include "repair_rig.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t SNAP_QUOTA = UINT64_C(1) << 30;
static const uint64_t STORE_QUOTA = UINT64_C(1) << 40; /* more than there is */

/* A box being filled. */
struct filling {
    struct box *box;
    selsnap_device *store;
    selsnap *ss;
    uint32_t sequence;
};

static size_t block_len(uint64_t block) {
    uint64_t at = block * BOX_BLOCK;
    return BOX_ORIGIN_BYTES - at < BOX_BLOCK ? (size_t)(BOX_ORIGIN_BYTES - at) : BOX_BLOCK;
}

static bool block_is(const uint8_t *buf, uint64_t block, uint32_t sequence) {
    return sequence == BOX_ZERO ? pattern_all_zero(buf, block_len(block))
                                : pattern_is(buf, block_len(block), block * BOX_BLOCK, 1, sequence);
}

selsnap_device *box_device(const uint8_t *image, uint64_t size) {
    selsnap_device *device = NULL;
    assert_ok(selsnap_device_open_memory(size, 0, &device));
    if (image != NULL) {
        assert_ok(selsnap_device_write(device, image, size, 0));
    }
    return device;
}

static uint8_t *image_of(selsnap_device *device, uint64_t size) {
    uint8_t *image = malloc(size);
    assert_non_null(image);
    assert_ok(selsnap_device_read(device, image, size, 0));
    return image;
}

/* ---- making it ---- */

static void write_block(struct filling *filling, uint64_t block, bool zero) {
    uint8_t buf[BOX_BLOCK];
    uint32_t sequence = zero ? BOX_ZERO : ++filling->sequence;
    memset(buf, 0, sizeof buf);
    if (!zero) {
        pattern_fill(buf, block_len(block), block * BOX_BLOCK, 1, sequence);
    }
    assert_ok(selsnap_write(filling->ss, buf, block_len(block), block * BOX_BLOCK));
    filling->box->live[block] = sequence;
}

static void write_blocks(struct filling *filling, uint64_t first, uint64_t count, uint64_t stride) {
    for (uint64_t i = 0; i < count; i++) {
        write_block(filling, (first + i * stride) % BOX_BLOCKS, false);
    }
}

/* One write of several blocks, which share an entry. */
static void write_extent(struct filling *filling, uint64_t first, unsigned count) {
    uint8_t *buf = malloc((size_t)count * BOX_BLOCK);
    assert_non_null(buf);
    for (unsigned i = 0; i < count; i++) {
        pattern_fill(buf + (size_t)i * BOX_BLOCK, BOX_BLOCK, (first + i) * BOX_BLOCK, 1, ++filling->sequence);
        filling->box->live[first + i] = filling->sequence;
    }
    assert_ok(selsnap_write(filling->ss, buf, (size_t)count * BOX_BLOCK, first * BOX_BLOCK));
    free(buf);
}

static void take(struct filling *filling, unsigned index, const char *name, const char *designation, uint32_t policy) {
    static const selsnap_property properties[] = {{"who", "a test"}, {"why", ""}};
    struct box_snap *snap = &filling->box->snaps[index];
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = name;
    options.designation = designation;
    options.policy = policy;
    options.time_ns = 1000 + index;
    options.properties = properties;
    options.property_count = index == 0 ? 2 : 0;
    assert_ok(selsnap_snapshot_create(filling->ss, &options, &snap->id));
    snap->name = name;
    for (uint64_t block = 0; block < BOX_BLOCKS; block++) {
        snap->covered[block] = designation == NULL || (block >= 40 && block < 200) || block >= 280;
        snap->taken[block] = snap->written[block] = filling->box->live[block];
    }
}

static void write_into(struct filling *filling, unsigned index, uint64_t first, uint64_t count, uint64_t stride) {
    struct box_snap *snap = &filling->box->snaps[index];
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    options.id = snap->id;
    options.flags = SELSNAP_VIEW_WRITABLE;
    assert_ok(selsnap_view_open(filling->ss, &options, &view));
    for (uint64_t i = 0; i < count; i++) {
        uint8_t buf[BOX_BLOCK];
        uint64_t block = first + i * stride;
        pattern_fill(buf, block_len(block), block * BOX_BLOCK, 1, ++filling->sequence);
        assert_ok(selsnap_view_write(view, buf, block_len(block), block * BOX_BLOCK));
        snap->written[block] = filling->sequence;
    }
    assert_ok(selsnap_view_close(view));
    snap->changed = true;
}

static void save(struct filling *filling, const char *name) {
    selsnap_subset *subset = NULL;
    assert_ok(selsnap_subset_open_for(filling->ss, &subset));
    assert_ok(selsnap_subset_add(subset, UINT64_C(40) * BOX_BLOCK, UINT64_C(160) * BOX_BLOCK));
    assert_ok(selsnap_subset_add(subset, UINT64_C(280) * BOX_BLOCK, BOX_ORIGIN_BYTES - UINT64_C(280) * BOX_BLOCK));
    assert_ok(selsnap_designation_save(filling->ss, name, subset, 0));
    selsnap_subset_close(subset);
}

static void open_context(struct filling *filling) {
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.flags =
        SELSNAP_OPEN_NO_AHEAD; /* the tests know which blocks have entries, and the store is just large enough */
    assert_ok(selsnap_open(filling->store, filling->box->origin, &options, &filling->ss));
}

/* What comes before the last clean close. */
static void fill(struct filling *filling) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    for (uint64_t block = 0; block < BOX_BLOCKS; block++) {
        write_block(filling, block, block % 50 == 7);
    }
    save(filling, "part");
    take(filling, 0, "first", NULL, SELSNAP_POLICY_FAIL_WRITE);
    assert_ok(selsnap_snapshot_hold(filling->ss, filling->box->snaps[0].id));
    assert_ok(selsnap_snapshot_set_quota(filling->ss, filling->box->snaps[0].id, SNAP_QUOTA));
    assert_ok(selsnap_set_quota(filling->ss, STORE_QUOTA));
    write_blocks(filling, 3, 90, 7);
    write_extent(filling, 48, 16);
    options.name = "gone";
    assert_ok(selsnap_snapshot_create(filling->ss, &options, &filling->box->deleted));
    write_blocks(filling, 20, 20, 1);
    take(filling, 1, "second", "part", SELSNAP_POLICY_GIVE_UP_BLOCK);
    write_blocks(filling, 30, 60, 3);
    write_block(filling, 150, true);
    write_into(filling, 0, 10, 30, 4);
    write_into(filling, 1, 60, 10, 2);
    take(filling, 2, "third", NULL, SELSNAP_POLICY_FAIL_WRITE);
    write_blocks(filling, 0, 70, 4);
}

static void fill_more(struct filling *filling) {
    write_blocks(filling, 1, 30, 5);
    write_into(filling, 2, 100, 6, 1);
}

static void restore_in_part(struct filling *filling) {
    struct box *box = filling->box;
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    selsnap_step_options step = SELSNAP_STEP_OPTIONS_INIT;
    uint32_t more = 0;
    options.id = box->snaps[0].id;
    assert_ok(selsnap_restore_start(filling->ss, &options, &box->job));
    for (uint64_t block = 0; block < BOX_BLOCKS; block++) {
        box->live[block] = box->snaps[0].taken[block];
    }
    take(filling, 3, "fourth", NULL, SELSNAP_POLICY_FAIL_WRITE);
    write_blocks(filling, 5, 6, 40);
    step.budget_blocks = 20;
    assert_ok(selsnap_step(filling->ss, &step, &more));
    assert_ok(selsnap_flush(filling->ss));
}

void box_make(struct box *box, enum box_state state) {
    struct filling filling = {.box = box};
    selsnap_format_options format = SELSNAP_FORMAT_OPTIONS_INIT;
    memset(box, 0, sizeof *box);
    format.journal_bytes = BOX_JOURNAL_BYTES;
    format.origin_hint = "/dev/somewhere";
    box->origin = box_device(NULL, BOX_ORIGIN_BYTES);
    filling.store = box_device(NULL, BOX_STORE_BYTES);
    assert_ok(selsnap_format(filling.store, box->origin, &format));
    open_context(&filling);
    fill(&filling);
    assert_ok(selsnap_snapshot_delete(filling.ss, box->deleted));
    if (state == BOX_CLEAN || state == BOX_CRASHED) {
        take(&filling, 3, "fourth", "part", SELSNAP_POLICY_FAIL_WRITE);
        fill_more(&filling);
    }
    assert_ok(selsnap_close(filling.ss));
    if (state != BOX_CLEAN) {
        open_context(&filling);
    }
    if (state == BOX_CRASHED) {
        write_blocks(&filling, 2, 20, 11);
        write_into(&filling, 3, 50, 3, 1);
    }
    if (state == BOX_RESTORING || state == BOX_PAUSED) {
        restore_in_part(&filling);
    }
    if (state == BOX_PAUSED) {
        assert_ok(selsnap_close(filling.ss));
    }
    box->image = image_of(filling.store, BOX_STORE_BYTES);
    box->origin_image = image_of(box->origin, BOX_ORIGIN_BYTES);
    if (state == BOX_CRASHED || state == BOX_RESTORING) {
        /* The context goes on to its end elsewhere: the box has what a killed process leaves. */
        selsnap_device *origin = box_device(box->origin_image, BOX_ORIGIN_BYTES);
        assert_ok(selsnap_close(filling.ss));
        selsnap_device_close(box->origin);
        box->origin = origin;
    }
    selsnap_device_close(filling.store);
}

void box_free(struct box *box) {
    selsnap_device_close(box->origin);
    free(box->image);
    free(box->origin_image);
}

/* ---- repairing ---- */

static int keep_line(void *user, const char *line) {
    struct box_repair *repair = user;
    size_t at = strlen(repair->lines);
    repair->line_count++;
    if (at + strlen(line) + 2 < sizeof repair->lines) {
        (void)snprintf(repair->lines + at, sizeof repair->lines - at, "%s\n", line);
    }
    return 0;
}

void box_repair(struct box *box, selsnap_device *damaged, selsnap_device *fresh, struct box_repair *repair) {
    selsnap_repair_options options = SELSNAP_REPAIR_OPTIONS_INIT;
    const selsnap_repair_result empty = SELSNAP_REPAIR_RESULT_INIT;
    repair->result = empty;
    repair->message[0] = '\0';
    repair->lines[0] = '\0';
    repair->line_count = 0;
    options.flags = repair->flags;
    options.memory_limit = repair->memory_limit;
    repair->heap.fills = true;
    options.allocator = heap_allocator(&repair->heap);
    options.report = repair->quiet ? NULL : keep_line;
    options.report_user = repair;
    options.ret_message = repair->message;
    options.message_size = sizeof repair->message;
    repair->code = selsnap_repair(damaged, box->origin, fresh, &options, &repair->result);
    assert_int_equal(repair->heap.live, 0);
    uint8_t *origin = image_of(box->origin, BOX_ORIGIN_BYTES);
    assert_memory_equal(origin, box->origin_image, BOX_ORIGIN_BYTES);
    free(origin);
}

/* ---- comparing ---- */

static int tell_problem(void *user, const char *line) {
    (void)user;
    print_error("check: %s\n", line);
    return 0;
}

static void assert_clean(selsnap *ss) {
    selsnap_check_result result = {.struct_size = sizeof result};
    assert_ok(selsnap_check(ss, tell_problem, NULL, NULL, NULL, &result));
    assert_int_equal(result.problems, 0);
}

static void describe(unsigned index, uint64_t block, const uint8_t *buf, uint32_t expected) {
    char text[128];
    pattern_describe(buf, text, sizeof text);
    fail_msg("snapshot %u, block %" PRIu64 ": wrong data: %s; expected sequence %" PRIu32, index, block, text,
             expected);
}

/* Every covered block through one kind of view. Gives how many are lost. */
static unsigned compare_view(selsnap *ss, const struct box_snap *snap, unsigned index, const uint32_t *expected,
                             uint32_t flags, bool *ret_lost) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    unsigned lost = 0;
    options.id = snap->id;
    options.flags = flags;
    options.undesignated = SELSNAP_UNDESIGNATED_ERROR;
    assert_ok(selsnap_view_open(ss, &options, &view));
    for (uint64_t block = 0; block < BOX_BLOCKS; block++) {
        uint8_t buf[BOX_BLOCK];
        int code = selsnap_view_read(view, buf, block_len(block), block * BOX_BLOCK);
        if (!snap->covered[block]) {
            assert_int_equal(code, SELSNAP_EUNDESIGNATED);
        } else if (code == SELSNAP_ELOST) {
            lost++;
            if (ret_lost != NULL) {
                ret_lost[block] = true;
            }
        } else {
            assert_ok(code);
            if (!block_is(buf, block, expected[block])) {
                describe(index, block, buf, expected[block]);
            }
        }
    }
    assert_ok(selsnap_view_close(view));
    return lost;
}

static void compare_snapshot(struct box *box, selsnap *ss, unsigned index, struct box_repair *repair) {
    const struct box_snap *snap = &box->snaps[index];
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    int code = selsnap_snapshot_get(ss, snap->id, &info);
    if (code == SELSNAP_ENOENT) {
        repair->missing++;
        return;
    }
    assert_ok(code);
    assert_int_equal(info.time_ns, 1000 + index);
    assert_int_equal(info.holds, index == 0 ? 1 : 0);
    assert_int_equal(info.policy, index == 1 ? SELSNAP_POLICY_GIVE_UP_BLOCK : SELSNAP_POLICY_FAIL_WRITE);
    if (info.quota_bytes != (index == 0 ? SNAP_QUOTA : 0)) {
        assert_int_equal(info.quota_bytes, 0);
        assert_true(repair->result.cut || strstr(repair->lines, "the expiry and quota of it may be lost") != NULL);
    }
    if (strcmp(info.name, snap->name) != 0) {
        assert_non_null(strstr(repair->lines, "its name is lost"));
    }
    bool as_taken = (repair->flags & SELSNAP_REPAIR_AS_TAKEN) != 0 && info.changed == 0;
    assert_true(as_taken || info.changed == (snap->changed ? 1u : 0u));
    (void)compare_view(ss, snap, index, snap->taken, SELSNAP_VIEW_PRISTINE, NULL);
    repair->lost[index] =
        compare_view(ss, snap, index, as_taken ? snap->taken : snap->written, 0, repair->block_lost[index]);
}

/* The live device reads as it did; but a block that was to be restored, and cannot be, keeps what the device has. */
static void compare_live(struct box *box, selsnap *ss, struct box_repair *repair) {
    for (uint64_t block = 0; block < BOX_BLOCKS; block++) {
        uint8_t buf[BOX_BLOCK];
        assert_ok(selsnap_read(ss, buf, block_len(block), block * BOX_BLOCK));
        if (!block_is(buf, block, box->live[block])) {
            assert_true(box->job != 0);
            assert_memory_equal(buf, box->origin_image + block * BOX_BLOCK, block_len(block));
            assert_non_null(strstr(repair->lines, "restore"));
            repair->live_lost++;
        }
    }
}

void box_compare(struct box *box, selsnap_device *fresh, struct box_repair *repair) {
    selsnap *ss = NULL;
    selsnap_device *origin = box_device(box->origin_image, BOX_ORIGIN_BYTES);
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    char hint[SELSNAP_ORIGIN_HINT_MAX + 1];
    repair->missing = 0;
    repair->live_lost = 0;
    memset(repair->lost, 0, sizeof repair->lost);
    memset(repair->block_lost, 0, sizeof repair->block_lost);
    assert_ok(selsnap_store_origin_hint(fresh, hint, sizeof hint));
    assert_string_equal(hint, "/dev/somewhere");
    assert_ok(selsnap_open(fresh, origin, NULL, &ss));
    assert_clean(ss);
    for (unsigned i = 0; i < BOX_SNAPS; i++) {
        compare_snapshot(box, ss, i, repair);
    }
    assert_int_equal(selsnap_snapshot_get(ss, box->deleted, &info), SELSNAP_ENOENT);
    uint64_t quota = 1;
    assert_ok(selsnap_get_quota(ss, &quota));
    if (quota != STORE_QUOTA) {
        assert_int_equal(quota, 0);
        assert_true(repair->result.cut || strstr(repair->lines, "the store's quota, if it had one, is lost") != NULL);
    }
    compare_live(box, ss, repair);
    /* The next id is above every one that there was. */
    uint64_t id = 0;
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = "after the repair";
    assert_ok(selsnap_snapshot_create(ss, &options, &id));
    assert_true(id > box->snaps[BOX_SNAPS - 1].id);
    assert_clean(ss);
    assert_ok(selsnap_close(ss));
    selsnap_device_close(origin);
    assert_int_equal(repair->result.snapshots_salvaged, BOX_SNAPS - repair->missing);
    assert_true(box_lost_total(repair) == 0 || repair->result.blocks_lost > 0);
    assert_true((box_lost_total(repair) == 0 && repair->missing == 0) || repair->quiet || repair->line_count > 0);
}

int box_open_code(struct box *box, selsnap_device *store) {
    selsnap *ss = NULL;
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.flags = SELSNAP_OPEN_READ_ONLY;
    int code = selsnap_open(store, box->origin, &options, &ss);
    if (code == SELSNAP_OK) {
        assert_ok(selsnap_close(ss));
    }
    return code;
}

void box_try(struct box *box, const uint8_t *image, uint64_t size, struct box_repair *repair) {
    selsnap_device *damaged = box_device(image, size);
    selsnap_device *fresh = box_device(NULL, BOX_FRESH_BYTES);
    box_repair(box, damaged, fresh, repair);
    if (repair->code == SELSNAP_OK) {
        box_compare(box, fresh, repair);
    } else {
        assert_int_equal(box_open_code(box, fresh), SELSNAP_ENOTSTORE);
        assert_true(repair->message[0] != '\0');
    }
    uint8_t *after = image_of(damaged, size);
    assert_memory_equal(after, image, size);
    free(after);
    selsnap_device_close(damaged);
    selsnap_device_close(fresh);
}

unsigned box_lost_total(const struct box_repair *repair) {
    unsigned total = 0;
    for (unsigned i = 0; i < BOX_SNAPS; i++) {
        total += repair->lost[i];
    }
    return total;
}
