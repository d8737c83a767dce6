/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The power is cut at each device call of an import, and again at some call of taking it back. Of what was not flushed,
 * all, nothing or half is kept. Afterwards the new snapshot is there whole, or not at all; no half is taken for a whole:
 * what is unfinished is told, can be taken back, and then the device is as it was.
 */
#include "pattern.h"
#include "tape.h"
#include "test.h"
#include "testdev.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, BLOCKS = 48, ORIGIN_BYTES = BLOCKS * BLOCK, STORE_BYTES = 2 << 20 };

static struct tape full, increment;
static uint8_t content_one[ORIGIN_BYTES], content_two[ORIGIN_BYTES];

/* ---- the source ---- */

static uint64_t snapshot(selsnap *ss, const char *name) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    uint64_t id = 0;
    options.name = name;
    assert_ok(selsnap_snapshot_create(ss, &options, &id));
    return id;
}

static void make_tapes(void) {
    selsnap_device *origin;
    selsnap_device *store;
    selsnap *ss;
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    full.len = increment.len = 0;
    assert_ok(selsnap_device_open_memory(ORIGIN_BYTES, 0, &origin));
    assert_ok(selsnap_device_open_memory(STORE_BYTES, 0, &store));
    pattern_fill(content_one, sizeof content_one, 0, 1, 1);
    assert_ok(selsnap_device_write(origin, content_one, sizeof content_one, 0));
    assert_ok(selsnap_format(store, origin, NULL));
    assert_ok(selsnap_open(store, origin, NULL, &ss));
    options.id = snapshot(ss, "one");
    assert_ok(selsnap_export(ss, &options, tape_write, &full, NULL));
    memcpy(content_two, content_one, sizeof content_two);
    pattern_fill(content_two + 5 * BLOCK, 3 * BLOCK, 5 * BLOCK, 1, 2);
    memset(content_two + 20 * BLOCK, 0, 2 * BLOCK);
    pattern_fill(content_two + 40 * BLOCK, BLOCK, 40 * BLOCK, 1, 2);
    assert_ok(selsnap_write(ss, content_two, sizeof content_two, 0));
    options.base_id = options.id;
    options.id = snapshot(ss, "two");
    assert_ok(selsnap_export(ss, &options, tape_write, &increment, NULL));
    assert_ok(selsnap_close(ss));
    selsnap_device_close(origin);
    selsnap_device_close(store);
}

/* ---- the backup ---- */

struct world {
    struct wire wire;
    struct testdev *origin;
    struct testdev *store;
    selsnap *ss;
};

static void world_on(struct world *world, const uint8_t *origin, const uint8_t *store) {
    memset(world, 0, sizeof *world);
    wire_init(&world->wire, true);
    world->origin = testdev_open(&world->wire, 'o', ORIGIN_BYTES, 512, origin);
    world->store = testdev_open(&world->wire, 's', STORE_BYTES, 512, store);
}

static void world_open(struct world *world) {
    assert_ok(selsnap_open(world->store->device, world->origin->device, NULL, &world->ss));
}

static void world_end(struct world *world) {
    (void)!selsnap_close(world->ss);
    selsnap_device_close(world->origin->device);
    selsnap_device_close(world->store->device);
    wire_fini(&world->wire);
}

/* The power is gone: goes on with what is left. */
static void world_cycle(struct world *world, struct prng *prng, unsigned kept) {
    uint8_t *origin = testdev_image(world->origin, prng, kept);
    uint8_t *store = testdev_image(world->store, prng, kept);
    world_end(world);
    world_on(world, origin, store);
    free(origin);
    free(store);
    world_open(world);
}

static int import(struct world *world, struct tape *tape) {
    tape->at = 0;
    return selsnap_import(world->ss, tape_read, tape, NULL, NULL, NULL);
}

static void assert_snapshot(struct world *world, const char *name, const uint8_t *content) {
    static uint8_t got[ORIGIN_BYTES];
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view;
    options.name = name;
    assert_ok(selsnap_view_open(world->ss, &options, &view));
    assert_ok(selsnap_view_read(view, got, sizeof got, 0));
    assert_ok(selsnap_view_close(view));
    assert_memory_equal(got, content, sizeof got);
}

static void assert_live(struct world *world, const uint8_t *content) {
    static uint8_t got[ORIGIN_BYTES];
    assert_ok(selsnap_read(world->ss, got, sizeof got, 0));
    assert_memory_equal(got, content, sizeof got);
}

static void assert_sound(struct world *world) {
    selsnap_check_result result = {.struct_size = sizeof result};
    assert_ok(selsnap_check(world->ss, NULL, NULL, NULL, NULL, &result));
    assert_int_equal(result.problems, 0);
}

/* What is there after a cut; then it is brought to its end. again: the power is cut in that as well. */
static void judge(struct world *world, struct prng *prng, uint64_t again) {
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    int unfinished = selsnap_import_unfinished(world->ss, NULL, NULL);
    int found = selsnap_snapshot_find(world->ss, "two", &info);
    assert_true(unfinished == SELSNAP_OK || unfinished == SELSNAP_ENOENT);
    assert_snapshot(world, "one", content_one);
    if (found == SELSNAP_OK) {
        assert_int_equal(unfinished, SELSNAP_ENOENT);
        assert_snapshot(world, "two", content_two);
        assert_live(world, content_two);
    } else if (unfinished == SELSNAP_ENOENT) {
        assert_live(world, content_one);
    }
    if (again > 0) {
        wire_cut_after(&world->wire, again);
        if (selsnap_import_undo(world->ss, NULL, NULL) != SELSNAP_OK || world->wire.off) {
            world_cycle(world, prng, (unsigned)(again % 3 * 50));
            assert_snapshot(world, "one", content_one);
            (void)!selsnap_import_undo(world->ss, NULL, NULL);
        }
        world->wire.cut_at = 0;
        found = selsnap_snapshot_find(world->ss, "two", &info);
        assert_live(world, found == SELSNAP_OK ? content_two : content_one);
    }
    if (found != SELSNAP_OK) {
        assert_ok(import(world, &increment));
    }
    (void)!selsnap_import_undo(world->ss, NULL, NULL); /* a safety that is left over */
    assert_snapshot(world, "one", content_one);
    assert_snapshot(world, "two", content_two);
    assert_sound(world);
}

static void test_import__power_cut_at_each_call__whole_or_told(void **state) {
    (void)state;
    static uint8_t origin[ORIGIN_BYTES];
    static uint8_t store[STORE_BYTES];
    struct world world;
    struct prng prng = prng_init(5);
    uint64_t whole = 0;
    uint64_t told = 0;
    make_tapes();
    selsnap_format_options format = SELSNAP_FORMAT_OPTIONS_INIT;
    format.journal_bytes = 65536;
    world_on(&world, NULL, NULL);
    assert_ok(selsnap_format(world.store->device, world.origin->device, &format));
    world_open(&world);
    assert_ok(import(&world, &full));
    assert_ok(selsnap_close(world.ss));
    world.ss = NULL;
    memcpy(origin, world.origin->bytes, sizeof origin);
    memcpy(store, world.store->bytes, sizeof store);
    world_end(&world);
    bool cut = true;
    for (uint64_t call = 1; cut; call++) {
        for (unsigned kept = 0; kept <= 100; kept += 50) {
            world_on(&world, origin, store);
            world_open(&world);
            wire_cut_after(&world.wire, call);
            (void)!import(&world, &increment);
            cut = world.wire.off;
            world_cycle(&world, &prng, kept);
            selsnap_snapshot_info info = {.struct_size = sizeof info};
            whole += selsnap_snapshot_find(world.ss, "two", &info) == SELSNAP_OK;
            told += selsnap_import_unfinished(world.ss, NULL, NULL) == SELSNAP_OK;
            judge(&world, &prng, call % 4 == 0 ? 0 : 1 + prng_next(&prng) % 24);
            world_end(&world);
        }
    }
    assert_true(whole > 3 && told > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_import__power_cut_at_each_call__whole_or_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
