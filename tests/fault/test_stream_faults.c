/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Imports and exports while a device fails in each of its calls, or the store is full. Afterwards the new snapshot is
 * there whole, or the device is as it was, or what is unfinished is told and can be taken back; older snapshots keep
 * their content, and the same stream can be imported. P1, P9. Every code is one that the docstrings name.
 */
#include "documented.h"
#include "pattern.h"
#include "tape.h"
#include "test.h"
#include "testdev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, BLOCKS = 48, ORIGIN_BYTES = BLOCKS * BLOCK, STORE_BYTES = 2 << 20 };
enum { JOURNAL_BYTES = 65536, CALLS_MOST = 1000 };

static struct tape full, increment;
static uint8_t content_one[ORIGIN_BYTES], content_two[ORIGIN_BYTES];

/* ---- a store ---- */

struct world {
    struct wire wire;
    struct testdev *origin;
    struct testdev *store;
    selsnap *ss;
};

/* origin, store: NULL for zeros. */
static void world_on(struct world *world, const uint8_t *origin, const uint8_t *store, uint64_t store_bytes) {
    memset(world, 0, sizeof *world);
    wire_init(&world->wire, false);
    world->origin = testdev_open(&world->wire, 'o', ORIGIN_BYTES, 512, origin);
    world->store = testdev_open(&world->wire, 's', store_bytes, 512, store);
}

static void world_format(struct world *world) {
    selsnap_format_options format = SELSNAP_FORMAT_OPTIONS_INIT;
    format.journal_bytes = JOURNAL_BYTES;
    assert_ok(selsnap_format(world->store->device, world->origin->device, &format));
}

static void world_open(struct world *world) {
    assert_ok(selsnap_open(world->store->device, world->origin->device, NULL, &world->ss));
}

static void world_end(struct world *world) {
    world->wire.off = true;
    (void)!selsnap_close(world->ss);
    selsnap_device_close(world->origin->device);
    selsnap_device_close(world->store->device);
    wire_fini(&world->wire);
}

/* The process is killed: goes on with what the devices hold. */
static void world_kill(struct world *world) {
    uint64_t store_bytes = world->store->size;
    uint8_t *origin = malloc(ORIGIN_BYTES);
    uint8_t *store = malloc(store_bytes);
    assert_non_null(origin);
    assert_non_null(store);
    memcpy(origin, world->origin->bytes, ORIGIN_BYTES);
    memcpy(store, world->store->bytes, store_bytes);
    world_end(world);
    world_on(world, origin, store, store_bytes);
    free(origin);
    free(store);
    world_open(world);
}

static uint64_t snapshot(selsnap *ss, const char *name) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    uint64_t id = 0;
    options.name = name;
    assert_ok(selsnap_snapshot_create(ss, &options, &id));
    return id;
}

/* The source, and what it sends. It lives on, with the snapshots "one" and "two". */
static void make_source(struct world *world) {
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    full.len = increment.len = 0;
    pattern_fill(content_one, sizeof content_one, 0, 1, 1);
    world_on(world, content_one, NULL, STORE_BYTES);
    world_format(world);
    world_open(world);
    options.id = snapshot(world->ss, "one");
    assert_ok(selsnap_export(world->ss, &options, tape_write, &full, NULL));
    memcpy(content_two, content_one, sizeof content_two);
    pattern_fill(content_two + 5 * BLOCK, 3 * BLOCK, 5 * BLOCK, 1, 2);
    memset(content_two + 20 * BLOCK, 0, 2 * BLOCK);
    pattern_fill(content_two + 40 * BLOCK, BLOCK, 40 * BLOCK, 1, 2);
    assert_ok(selsnap_write(world->ss, content_two, sizeof content_two, 0));
    options.base_id = options.id;
    options.id = snapshot(world->ss, "two");
    assert_ok(selsnap_export(world->ss, &options, tape_write, &increment, NULL));
}

/* ---- importing ---- */

static int import(struct world *world, struct tape *tape, uint32_t flags, selsnap_stream_info *ret_info) {
    selsnap_import_options options = SELSNAP_IMPORT_OPTIONS_INIT;
    memset(ret_info, 0, sizeof *ret_info);
    ret_info->struct_size = sizeof *ret_info;
    options.flags = flags;
    tape->at = 0;
    return selsnap_import(world->ss, tape_read, tape, &options, NULL, ret_info);
}

/* The blocks of the snapshot; lost_too: some may be lost. */
static void assert_snapshot(struct world *world, const char *name, const uint8_t *content, bool lost_too) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view;
    options.name = name;
    assert_ok(selsnap_view_open(world->ss, &options, &view));
    for (uint64_t at = 0; at < ORIGIN_BYTES; at += BLOCK) {
        uint8_t got[BLOCK];
        int code = selsnap_view_read(view, got, sizeof got, at);
        if (!lost_too || code != SELSNAP_ELOST) {
            assert_ok(code);
            assert_memory_equal(got, content + at, sizeof got);
        }
    }
    assert_ok(selsnap_view_close(view));
}

/* *ret_blocks: how many blocks of the live device are other than content. */
static void compare_live(struct world *world, const uint8_t *content, unsigned *ret_blocks) {
    *ret_blocks = 0;
    for (uint64_t at = 0; at < ORIGIN_BYTES; at += BLOCK) {
        uint8_t got[BLOCK];
        assert_ok(selsnap_read(world->ss, got, sizeof got, at));
        *ret_blocks += memcmp(got, content + at, sizeof got) != 0;
    }
}

static void assert_live(struct world *world, const uint8_t *content) {
    unsigned blocks;
    compare_live(world, content, &blocks);
    assert_int_equal(blocks, 0);
}

static void assert_sound(struct world *world) {
    selsnap_check_result result = {.struct_size = sizeof result};
    assert_ok(selsnap_check(world->ss, NULL, NULL, NULL, NULL, &result));
    assert_int_equal(result.problems, 0);
}

/* A fault, and what to do after it. */
struct fault {
    bool of_store;
    uint32_t op;
    uint64_t nth;
    bool for_good;  /* until the import has returned */
    unsigned then;  /* 0: go on, 1: close and open, 2: kill */
    uint32_t flags; /* of the import */
};

static void describe(const struct fault *fault, char *text, size_t size) {
    (void)snprintf(text, size, "the %s fails in call %u of kind %u, %s; flags %u, then %u",
                   fault->of_store ? "store" : "origin", (unsigned)fault->nth, (unsigned)fault->op,
                   fault->for_good ? "to the end" : "once", (unsigned)fault->flags, fault->then);
}

/* What a failed import left. */
static void judge_failed(struct world *world, const selsnap_stream_info *info, bool unreadable) {
    selsnap_snapshot_info about = {.struct_size = sizeof about};
    int unfinished = selsnap_import_unfinished(world->ss, NULL, NULL);
    assert_int_equal(selsnap_snapshot_find(world->ss, "two", &about), SELSNAP_ENOENT);
    if (info->state == SELSNAP_STREAM_NOTHING) {
        assert_int_equal(unfinished, SELSNAP_ENOENT);
        assert_live(world, content_one);
        return;
    }
    assert_int_equal(info->state, SELSNAP_STREAM_PART);
    assert_true(unfinished == SELSNAP_OK || (unreadable && unfinished == SELSNAP_ENOENT));
    if (unfinished == SELSNAP_OK) {
        int code = selsnap_import_undo(world->ss, NULL, NULL);
        assert_true(code == SELSNAP_OK || (unreadable && code == SELSNAP_ELOST));
        if (code == SELSNAP_OK) {
            assert_live(world, content_one);
        }
    }
    assert_int_equal(selsnap_import_unfinished(world->ss, NULL, NULL), SELSNAP_ENOENT);
}

static void go_on(struct world *world, unsigned then) {
    if (then == 1) {
        assert_ok(selsnap_close(world->ss));
        world_open(world);
    } else if (then == 2) {
        world_kill(world);
    }
}

/* After a kill the new snapshot may be there although the import failed: then all of it is. */
static bool is_there(struct world *world) {
    selsnap_snapshot_info about = {.struct_size = sizeof about};
    int code = selsnap_snapshot_find(world->ss, "two", &about);
    assert_true(code == SELSNAP_OK || code == SELSNAP_ENOENT);
    return code == SELSNAP_OK;
}

static void end_well(struct world *world, const uint8_t *live_before, bool unreadable) {
    selsnap_stream_info info;
    if (is_there(world)) {
        assert_snapshot(world, "two", content_two, false);
        int unfinished = selsnap_import_undo(world->ss, NULL, NULL); /* a safety that is left over */
        assert_true(unfinished == SELSNAP_OK || unfinished == SELSNAP_ENOENT);
        assert_int_equal(selsnap_import_unfinished(world->ss, NULL, NULL), SELSNAP_ENOENT);
    } else {
        unsigned blocks;
        int code = selsnap_import_undo(world->ss, NULL, NULL);
        assert_true(code == SELSNAP_OK || code == SELSNAP_ENOENT || (unreadable && code == SELSNAP_ELOST));
        compare_live(world, live_before, &blocks);
        assert_true(blocks == 0 || unreadable);
        code = import(world, &increment, 0, &info);
        /* Blocks that could not be taken back differ from the base. */
        assert_true(code == SELSNAP_OK || (blocks > 0 && code == SELSNAP_EBASE));
        if (code == SELSNAP_EBASE) {
            return;
        }
        assert_snapshot(world, "two", content_two, false);
    }
    assert_live(world, content_two);
}

/* false: the fault was not met. *ret_part: it left an unfinished import. */
static bool try_fault(const uint8_t *origin, const uint8_t *store, const struct fault *fault, bool *ret_part) {
    struct world world;
    selsnap_stream_info info;
    char text[160];
    describe(fault, text, sizeof text);
    documented_replay(text);
    if (getenv("SSN_FAULTS_LOUD") != NULL) {
        print_message("# %s\n", text);
    }
    world_on(&world, origin, store, STORE_BYTES);
    world_open(&world);
    struct testdev *dev = fault->of_store ? world.store : world.origin;
    bool unreadable = !fault->of_store && fault->op == TESTDEV_READ;
    testdev_fail(dev, fault->op, fault->nth, fault->for_good);
    int code = import(&world, &increment, fault->flags, &info);
    bool met = dev->failed > 0;
    testdev_mend(dev);
    *ret_part = code != SELSNAP_OK && info.state == SELSNAP_STREAM_PART;
    if (code == SELSNAP_OK) {
        assert_int_equal(info.state, SELSNAP_STREAM_WHOLE);
    } else if (fault->then == 0) {
        judge_failed(&world, &info, unreadable);
    }
    go_on(&world, fault->then);
    assert_true(code != SELSNAP_OK || is_there(&world));
    end_well(&world, content_one, unreadable);
    assert_snapshot(&world, "one", content_one, unreadable);
    assert_sound(&world);
    world_end(&world);
    return met;
}

/* A backup with the snapshot "one": what its devices hold. */
static void make_backup(uint8_t *origin, uint8_t *store) {
    struct world world;
    selsnap_stream_info info;
    world_on(&world, NULL, NULL, STORE_BYTES);
    world_format(&world);
    world_open(&world);
    assert_ok(import(&world, &full, 0, &info));
    assert_ok(selsnap_close(world.ss));
    world.ss = NULL;
    memcpy(origin, world.origin->bytes, ORIGIN_BYTES);
    memcpy(store, world.store->bytes, STORE_BYTES);
    world_end(&world);
}

static void test_import__device_fails_in_each_call__whole_or_as_before_or_told(void **state) {
    (void)state;
    static uint8_t origin[ORIGIN_BYTES];
    static uint8_t store[STORE_BYTES];
    static const uint32_t ops[] = {TESTDEV_READ, TESTDEV_CHANGES, TESTDEV_FLUSH};
    struct world source;
    unsigned faults = 0;
    unsigned parts = 0;
    make_source(&source);
    make_backup(origin, store);
    for (unsigned kind = 0; kind < 12; kind++) {
        struct fault fault = {.of_store = kind % 2 != 0, .op = ops[kind / 2 % 3], .for_good = kind >= 6};
        bool met = true;
        for (fault.nth = 1; met && fault.nth < CALLS_MOST; fault.nth++) {
            for (unsigned way = 0; way < 6; way++) {
                bool part;
                fault.then = way % 3;
                fault.flags = way >= 3 ? SELSNAP_IMPORT_KEEP_PART : 0;
                met = try_fault(origin, store, &fault, &part);
                faults += met;
                parts += part;
            }
        }
        assert_false(met);
    }
    print_message("# %u faults, %u unfinished imports\n", faults, parts);
    assert_true(faults > 300 && parts > 30);
    world_end(&source);
}

/* ---- exporting ---- */

/* An error, and then the same stream; or the same stream at once, where the fault does not matter. */
static void test_export__device_fails_in_each_call__error_or_the_same_stream(void **state) {
    (void)state;
    static struct tape tape;
    struct world world;
    unsigned faults = 0;
    make_source(&world);
    selsnap_snapshot_info one = {.struct_size = sizeof one};
    selsnap_snapshot_info two = {.struct_size = sizeof two};
    assert_ok(selsnap_snapshot_find(world.ss, "one", &one));
    assert_ok(selsnap_snapshot_find(world.ss, "two", &two));
    for (unsigned kind = 0; kind < 8; kind++) {
        selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
        const struct tape *expected = kind < 4 ? &full : &increment;
        options.id = kind < 4 ? one.id : two.id;
        options.base_id = kind < 4 ? 0 : one.id;
        bool met = true;
        for (uint64_t nth = 1; met && nth < CALLS_MOST; nth++) {
            assert_ok(selsnap_close(world.ss)); /* so that it has to be read again */
            world_open(&world);
            struct testdev *dev = kind % 2 != 0 ? world.store : world.origin;
            uint64_t failed = dev->failed;
            testdev_fail(dev, TESTDEV_READ, nth, kind / 2 % 2 != 0);
            tape.len = 0;
            int code = selsnap_export(world.ss, &options, tape_write, &tape, NULL);
            met = dev->failed > failed;
            testdev_mend(dev);
            assert_int_equal(code == SELSNAP_OK, !met);
            if (met) {
                faults++;
                assert_int_equal(code, dev == world.store ? SELSNAP_ESTORE : SELSNAP_EIO);
                tape.at = 0;
                assert_int_equal(selsnap_stream_verify(tape_read, &tape, NULL, NULL), SELSNAP_ESTREAM);
                tape.len = 0;
                assert_ok(selsnap_export(world.ss, &options, tape_write, &tape, NULL));
            }
            assert_int_equal(tape.len, expected->len);
            assert_memory_equal(tape.bytes, expected->bytes, tape.len);
        }
        assert_false(met);
    }
    print_message("# %u faults\n", faults);
    assert_true(faults >= 4);
    world_end(&world);
}

/* ---- a full store ---- */

/* The origin has content, and the store a snapshot of what was there before. */
static void fill(struct world *world, uint8_t *ret_before) {
    (void)snapshot(world->ss, "old");
    for (unsigned block = 0; block < BLOCKS; block += 2) {
        pattern_fill(ret_before, BLOCK, (uint64_t)block * BLOCK, 1, 9);
        assert_ok(selsnap_write(world->ss, ret_before, BLOCK, (uint64_t)block * BLOCK));
    }
    assert_ok(selsnap_read(world->ss, ret_before, ORIGIN_BYTES, 0));
}

/* From a store that holds nothing more to one in which there is room, page by page. */
static void test_import__into_a_full_store__as_before_or_whole(void **state) {
    (void)state;
    struct world source;
    unsigned refused = 0;
    unsigned whole = 0;
    make_source(&source);
    unsigned after_one = 0;
    documented_replay("an import into a full store");
    for (uint64_t bytes = 512 << 10; bytes <= STORE_BYTES && whole < 20; bytes += BLOCK) {
        struct world world;
        selsnap_stream_info info;
        selsnap_format_options format = SELSNAP_FORMAT_OPTIONS_INIT;
        format.journal_bytes = JOURNAL_BYTES;
        world_on(&world, content_two, NULL, bytes);
        if (selsnap_format(world.store->device, world.origin->device, &format) != SELSNAP_OK) {
            world_end(&world);
            continue;
        }
        world_open(&world);
        static uint8_t before[ORIGIN_BYTES];
        fill(&world, before);
        int code = import(&world, &full, 0, &info);
        bool based = code == SELSNAP_OK;
        if (based) {
            code = import(&world, &increment, 0, &info);
        }
        assert_true(code == SELSNAP_OK || code == SELSNAP_ENOSPACE);
        refused += code == SELSNAP_ENOSPACE;
        after_one += based && code != SELSNAP_OK;
        whole += code == SELSNAP_OK;
        if (code == SELSNAP_ENOSPACE) {
            assert_int_equal(info.state, SELSNAP_STREAM_NOTHING);
            assert_live(&world, based ? content_one : before);
            assert_int_equal(selsnap_import_unfinished(world.ss, NULL, NULL), SELSNAP_ENOENT);
        }
        assert_snapshot(&world, "old", content_two, false);
        if (based) {
            assert_snapshot(&world, "one", content_one, false);
        }
        go_on(&world, (unsigned)(bytes / BLOCK % 3));
        assert_live(&world, code == SELSNAP_OK ? content_two : based ? content_one : before);
        assert_int_equal(selsnap_import_unfinished(world.ss, NULL, NULL), SELSNAP_ENOENT);
        assert_sound(&world);
        world_end(&world);
    }
    print_message("# %u refused, %u of them increments; %u whole\n", refused, after_one, whole);
    assert_true(refused > 10 && after_one > 2 && whole > 10);
    world_end(&source);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_import__device_fails_in_each_call__whole_or_as_before_or_told),
        cmocka_unit_test(test_export__device_fails_in_each_call__error_or_the_same_stream),
        cmocka_unit_test(test_import__into_a_full_store__as_before_or_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
