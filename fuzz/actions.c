/* SPDX-License-Identifier: Apache-2.0 */
/* See actions.h. */
#include "actions.h"

#include "codes.h"
#include "pattern.h"

enum { PREFIX = 16 };
/* Bits of a byte that say what kind of snapshot is made, and what becomes of one. */
enum { CREATE_SHAPE = 0x18, CREATE_MARK = 0x08, CREATE_CLONE = 0x10, CREATE_AS_CHANGED = 0x18 };
enum { END_SHAPE = 0x18, END_MARK = 0x08, END_HOLD = 0x10, END_EXPIRY = 0x18 };

static void *meter_alloc(void *user, size_t len) {
    struct meter *meter = user;
    must(len <= meter->limit && meter->bytes <= meter->limit - len);
    uint8_t *raw = malloc(len + PREFIX);
    must(raw != NULL);
    memcpy(raw, &len, sizeof len);
    meter->bytes += len;
    meter->pieces++;
    return raw + PREFIX;
}

static void meter_release(void *user, void *memory) {
    struct meter *meter = user;
    if (memory != NULL) {
        uint8_t *raw = (uint8_t *)memory - PREFIX;
        size_t len;
        memcpy(&len, raw, sizeof len);
        meter->bytes -= len;
        meter->pieces--;
        free(raw);
    }
}

static void *meter_resize(void *user, void *memory, size_t len) {
    uint8_t *grown = meter_alloc(user, len);
    if (memory != NULL) {
        size_t old;
        memcpy(&old, (uint8_t *)memory - PREFIX, sizeof old);
        memcpy(grown, memory, old < len ? old : len);
        meter_release(user, memory);
    }
    return grown;
}

selsnap_allocator meter_allocator(struct meter *meter, uint64_t limit) {
    const selsnap_allocator allocator = {meter_alloc, meter_resize, meter_release, meter};
    /* While a piece is moved to grow, both are there. */
    meter->limit = 2 * limit;
    return allocator;
}

/* ---- the live device ---- */

static void random_range(struct input *in, uint64_t *ret_offset, size_t *ret_len) {
    uint64_t block = input_below(in, 512) % IMAGE_BLOCKS;
    uint8_t shape = input_u8(in);
    uint64_t offset = block * IMAGE_BLOCK + ((shape & 1) != 0 ? 1000 : 0);
    uint64_t len = (uint64_t)IMAGE_BLOCK * (1 + (shape >> 4)) - ((shape & 2) != 0 ? 500 : 0);
    offset = offset < IMAGE_ORIGIN_BYTES ? offset : 0;
    *ret_offset = offset;
    *ret_len = (size_t)(len < IMAGE_ORIGIN_BYTES - offset ? len : IMAGE_ORIGIN_BYTES - offset);
}

/* The origin's page holds the old bytes or the new ones, each of the range for itself; the shadow takes them over. */
static void adopt(struct actions *actions, const uint8_t *bytes, size_t len, uint64_t offset, bool done) {
    for (size_t i = 0; i < len;) {
        uint64_t at = offset + i;
        size_t part = COW_PAGE - (size_t)(at % COW_PAGE);
        part = part < len - i ? part : len - i;
        uint8_t *expected = cow_change(actions->shadow, (size_t)(at / COW_PAGE)) + at % COW_PAGE;
        const uint8_t *there = cow_page(actions->origin, (size_t)(at / COW_PAGE)) + at % COW_PAGE;
        if (done || memcmp(there, expected, part) != 0) {
            must(actions->restores || memcmp(there, bytes + i, part) == 0);
        }
        memcpy(expected, there, part);
        i += part;
    }
}

static void note(struct actions *actions, int code) {
    actions->damage_met = actions->damage_met || code == SELSNAP_EDAMAGED;
}

static void write_live(struct actions *actions, struct input *in, bool zeroes) {
    static uint8_t buf[16 * IMAGE_BLOCK];
    uint64_t offset;
    size_t len;
    random_range(in, &offset, &len);
    memset(buf, 0, len);
    if (!zeroes) {
        pattern_fill(buf, len, offset, 9, ++actions->sequence);
    }
    int code = zeroes ? selsnap_write_zeroes(actions->ss, offset, len) : selsnap_write(actions->ss, buf, len, offset);
    note(actions, code_in(code, CODES_CHANGE));
    adopt(actions, buf, len, offset, code == SELSNAP_OK);
}

static void read_live(struct actions *actions, struct input *in) {
    static uint8_t buf[16 * IMAGE_BLOCK];
    static uint8_t expected[16 * IMAGE_BLOCK];
    uint64_t offset;
    size_t len;
    random_range(in, &offset, &len);
    int code = selsnap_read(actions->ss, buf, len, offset);
    note(actions, code_in(code, CODES_READ));
    if (code == SELSNAP_OK && !actions->restores) {
        cow_read(actions->shadow, expected, len, offset);
        must(memcmp(buf, expected, len) == 0);
    }
}

/* ---- snapshots ---- */

/* One of the first few snapshots; 0: there is none. */
static uint64_t pick(struct actions *actions, struct input *in) {
    uint64_t ids[8];
    unsigned count = 0;
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    while (count < 8 && selsnap_snapshot_next(actions->ss, info.id, &info) == SELSNAP_OK) {
        ids[count++] = info.id;
    }
    uint8_t choice = input_u8(in);
    return count > 0 ? ids[choice % count] : 0;
}

bool actions_wrote_into(const struct actions *actions, uint64_t id) {
    bool found = actions->written_count == ACTIONS_TOUCHED;
    for (unsigned i = 0; i < actions->written_count; i++) {
        found = found || actions->written_into[i] == id;
    }
    return found;
}

static void mark_written(struct actions *actions, uint64_t id) {
    if (!actions_wrote_into(actions, id)) {
        actions->written_into[actions->written_count++] = id;
    }
}

static selsnap_subset *make_subset(struct actions *actions, struct input *in) {
    selsnap_subset *subset = NULL;
    unsigned ranges = 1 + input_u8(in) % 4;
    must(selsnap_subset_open_for(actions->ss, &subset) == SELSNAP_OK);
    for (unsigned i = 0; i < ranges; i++) {
        uint64_t offset;
        size_t len;
        random_range(in, &offset, &len);
        must(selsnap_subset_add(subset, offset, len) == SELSNAP_OK);
    }
    return subset;
}

static void make_clone(struct actions *actions, struct input *in, const char *name, uint8_t shape) {
    selsnap_clone_options options = SELSNAP_CLONE_OPTIONS_INIT;
    options.source_id = pick(actions, in);
    options.name = name;
    options.policy = shape & 1;
    options.flags = (shape & CREATE_SHAPE) == CREATE_AS_CHANGED ? SELSNAP_CLONE_AS_CHANGED : 0;
    int code = selsnap_snapshot_clone(actions->ss, &options, NULL);
    uint64_t refusals = CODE(EEXIST) | CODE(ENOENT) | CODE(ENODATA) | CODE(ELIMIT) | CODE(EMEMLIMIT);
    note(actions, code_in(code, CODES_CHANGE | refusals));
}

static void create(struct actions *actions, struct input *in) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    uint8_t shape = input_u8(in);
    char name[16];
    (void)snprintf(name, sizeof name, "new %u", shape >> 5);
    if ((shape & CREATE_SHAPE) >= CREATE_CLONE) {
        make_clone(actions, in, name, shape);
        return;
    }
    options.flags = (shape & CREATE_SHAPE) == CREATE_MARK ? SELSNAP_SNAPSHOT_BOOKMARK : 0;
    options.name = name;
    options.policy = shape & 1;
    options.designation = (shape & 2) != 0 ? "thirds" : NULL;
    selsnap_subset *subset = (shape & 6) == 4 ? make_subset(actions, in) : NULL;
    options.subset = subset;
    int code = selsnap_snapshot_create(actions->ss, &options, NULL);
    note(actions, code_in(code, CODES_CHANGE | CODE(EEXIST) | CODE(ENOENT) | CODE(EMEMLIMIT)));
    selsnap_subset_close(subset);
}

static void write_view(struct actions *actions, struct input *in, uint64_t id) {
    static uint8_t buf[16 * IMAGE_BLOCK];
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    uint8_t shape = input_u8(in);
    uint64_t offset;
    size_t len;
    options.id = id;
    options.flags = SELSNAP_VIEW_WRITABLE;
    random_range(in, &offset, &len);
    if (id == 0) {
        return;
    }
    int code = selsnap_view_open(actions->ss, &options, &view);
    note(actions, code_in(code, CODES_READ | CODE(ENOENT) | CODE(ENODATA) | CODE(EABANDONED)));
    if (code != SELSNAP_OK) {
        return;
    }
    mark_written(actions, id);
    pattern_fill(buf, len, offset, 10, ++actions->sequence);
    switch (shape % 4) {
    case 0:
        code = selsnap_view_discard(view, offset, len);
        break;
    case 1:
        code = selsnap_view_reset(view);
        break;
    default:
        code = selsnap_view_write(view, buf, len, offset);
        break;
    }
    note(actions, code_in(code, CODES_CHANGE | CODE(EUNDESIGNATED) | CODE(ELOST)));
    if (code == SELSNAP_OK && shape % 4 > 1) {
        static uint8_t again[sizeof buf];
        code = selsnap_view_read(view, again, len, offset);
        note(actions, code_in(code, CODES_READ | CODE(EABANDONED)));
        must(code != SELSNAP_OK || memcmp(again, buf, len) == 0);
    }
    if ((shape & 16) != 0) {
        note(actions, code_in(selsnap_view_flush(view), CODES_CHANGE));
    }
    note(actions, code_in(selsnap_view_close(view), CODES_CHANGE));
}

static void restore(struct actions *actions, struct input *in) {
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    uint8_t shape = input_u8(in);
    uint64_t job = 0;
    options.id = pick(actions, in);
    options.flags = (shape & 1) != 0 ? SELSNAP_RESTORE_SKIP_LOST : 0;
    options.subset = (shape & 2) != 0 ? make_subset(actions, in) : NULL;
    int code = selsnap_restore_start(actions->ss, &options, &job);
    uint64_t refusals = CODE(ENOENT) | CODE(EBUSY) | CODE(ELOST) | CODE(EINVAL) | CODE(ENODATA);
    note(actions, code_in(code, CODES_CHANGE | refusals));
    must(options.id != 0 || code == SELSNAP_ENOENT || code == SELSNAP_EABANDONED);
    /* selsnap.h: a subset that is not allowed is told from nothing in common by nothing but this. */
    must(code != SELSNAP_EINVAL || options.subset != NULL);
    selsnap_subset_close((selsnap_subset *)(uintptr_t)options.subset);
    actions->restores = actions->restores || code == SELSNAP_OK || code == SELSNAP_ESTORE;
    if (code == SELSNAP_OK && (shape & 4) != 0) {
        code = selsnap_restore_run(actions->ss, job, NULL, NULL);
        note(actions, code_in(code, CODES_CHANGE | CODE(ENOENT)));
    }
}

static int end_or_keep(struct actions *actions, uint64_t id, uint8_t what) {
    switch (what & END_SHAPE) {
    case END_MARK:
        return selsnap_snapshot_make_bookmark(actions->ss, id);
    case END_HOLD:
        return selsnap_hold_add(actions->ss, id, NULL, NULL);
    case END_EXPIRY:
        return selsnap_snapshot_set_expiry(actions->ss, id, what >> 5);
    default:
        return selsnap_snapshot_delete(actions->ss, id);
    }
}

static void manage(struct actions *actions, struct input *in) {
    uint8_t what = input_u8(in);
    uint64_t id = pick(actions, in);
    char name[16];
    int code = SELSNAP_OK;
    selsnap_subset *subset = NULL;
    (void)snprintf(name, sizeof name, "name %u", what >> 5);
    switch (what % 8) {
    case 0:
        code = selsnap_snapshot_hold(actions->ss, id);
        break;
    case 1:
        code = selsnap_snapshot_release(actions->ss, id);
        break;
    case 2:
        code = selsnap_snapshot_rename(actions->ss, id, name);
        break;
    case 3:
        subset = make_subset(actions, in);
        code = selsnap_designation_save(actions->ss, name, subset, NULL);
        selsnap_subset_close(subset);
        break;
    case 4:
        code = selsnap_designation_delete(actions->ss, (what & 128) != 0 ? "thirds" : name);
        break;
    case 5:
        code = selsnap_flush(actions->ss);
        break;
    case 6:
        code = selsnap_snapshot_delete(actions->ss, id);
        break;
    default:
        code = end_or_keep(actions, id, what);
        break;
    }
    uint64_t refusals = CODE(ENOENT) | CODE(EEXIST) | CODE(EBUSY) | CODE(EHELD) | CODE(ELIMIT) | CODE(EMEMLIMIT);
    note(actions, code_in(code, CODES_CHANGE | refusals | (what % 8 == 1 ? CODE(EINVAL) : 0)));
}

static void step(struct actions *actions, struct input *in) {
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    uint8_t shape = input_u8(in);
    uint32_t more = 0;
    options.flags = shape & 7;
    options.budget_blocks = shape >> 3;
    for (unsigned i = 0; i < ((shape & 0x80) != 0 ? 200u : 1u); i++) {
        int code = selsnap_step(actions->ss, &options, &more);
        note(actions, code_in(code, CODES_CHANGE));
        if (code != SELSNAP_OK || more == 0) {
            break;
        }
    }
    must((more & ~7u) == 0 && (options.flags == 0 || (more & ~options.flags) == 0));
}

void actions_begin(struct actions *actions, selsnap *ss, struct cowdev *origin, struct cowdev *shadow) {
    selsnap_restore_info job = {.struct_size = sizeof job};
    memset(actions, 0, sizeof *actions);
    actions->ss = ss;
    actions->origin = origin;
    actions->shadow = shadow;
    actions->restores = selsnap_restore_next(ss, 0, &job) == SELSNAP_OK;
}

void actions_run(struct actions *actions, struct input *in) {
    for (unsigned i = 0; i < ACTIONS_MAX && in->left > 0; i++) {
        switch (input_u8(in) % 12) {
        case 0:
        case 1:
        case 2:
            write_live(actions, in, false);
            break;
        case 3:
            write_live(actions, in, true);
            break;
        case 4:
            read_live(actions, in);
            break;
        case 5:
            create(actions, in);
            break;
        case 6:
            write_view(actions, in, pick(actions, in));
            break;
        case 7:
            restore(actions, in);
            break;
        case 8:
        case 9:
            manage(actions, in);
            break;
        default:
            step(actions, in);
            break;
        }
    }
}
