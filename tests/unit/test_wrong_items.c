/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What check, dump, the next open and a repair make of items that are well written but wrong (wrong_items.h). P8: each
 * tells, none takes them for something else. [F-1], [F-13], [F-14].
 */
#include "wrong_items.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hear(void *user, const char *line) {
    struct world *world = user;
    size_t len = strlen(world->heard);
    (void)snprintf(world->heard + len, sizeof world->heard - len, "%s\n", line);
    return 0;
}

/* A world with the i-th wrong item in it. */
static struct world *world_of(unsigned i, bool fold) {
    struct world *world = malloc(sizeof *world);
    assert_non_null(world);
    world_open(world);
    world_break(world, i, fold);
    return world;
}

static void world_free(struct world *world) {
    rig_close(&world->rig);
    free(world);
}

static void test_check__wrong_item__is_told(void **state) {
    (void)state;
    for (unsigned i = 0; i < wrong_item_count; i += test_share()) {
        struct world *world = world_of(i, false);
        selsnap_check_result result = {.struct_size = sizeof result};
        assert_ok(selsnap_check(world->rig.ss, hear, world, NULL, NULL, &result));
        if (result.problems == 0 || strstr(world->heard, wrong_items[i].expected) == NULL) {
            fail_msg("%s: expected \"%s\", heard %u problems:\n%s", wrong_items[i].what, wrong_items[i].expected,
                     (unsigned)result.problems, world->heard);
        }
        world_free(world);
    }
}

/* All that can be asked of a context; nothing but its answers' names is looked at. */
static void ask_all(selsnap *ss) {
    static uint8_t buf[16 * 4096];
    char key[SELSNAP_PROPERTY_KEY_MAX + 1] = "";
    char value[SELSNAP_PROPERTY_VALUE_MAX + 1];
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    selsnap_step_options step = SELSNAP_STEP_OPTIONS_INIT;
    selsnap_check_result result = {.struct_size = sizeof result};
    uint32_t more = 0;
    while (selsnap_snapshot_next(ss, info.id, &info) == SELSNAP_OK) {
        selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
        selsnap_view *view = NULL;
        key[0] = '\0';
        while (selsnap_snapshot_next_property(ss, info.id, key, key, value) == SELSNAP_OK) {
        }
        options.id = info.id;
        if (selsnap_view_open(ss, &options, &view) == SELSNAP_OK) {
            for (unsigned b = 0; b < 16; b++) {
                (void)!selsnap_view_read(view, buf, 4096, b * UINT64_C(4096));
            }
            assert_ok(selsnap_view_close(view));
        }
    }
    (void)!selsnap_write(ss, buf, sizeof buf, 0);
    (void)!selsnap_step(ss, &step, &more);
    (void)!selsnap_flush(ss);
    (void)!selsnap_check(ss, NULL, NULL, NULL, NULL, &result);
}

static void test_open__wrong_item__opens_or_says_damaged(void **state) {
    (void)state;
    unsigned opened = 0;
    for (unsigned i = 0; i < wrong_item_count; i += test_share()) {
        struct world *world = world_of(i, false);
        struct rig *rig = &world->rig;
        selsnap_device *origin = rig_copy_device(rig->origin_base);
        selsnap_device *store = rig_copy_device(rig->store_base);
        struct heap heap = {0};
        selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
        selsnap *ss = NULL;
        options.allocator = heap_allocator(&heap);
        int code = selsnap_open(store, origin, &options, &ss);
        if (code == SELSNAP_OK) {
            opened++;
            ask_all(ss);
            (void)!selsnap_close(ss);
        } else if (code != SELSNAP_EDAMAGED) {
            fail_msg("%s: %s", wrong_items[i].what, selsnap_error_name(code));
        }
        assert_int_equal(heap.live, 0);
        selsnap_device_close(origin);
        selsnap_device_close(store);
        world_free(world);
    }
    assert_true(opened > wrong_item_count / test_share() / 2);
}

/* What the dump of an item tells ends with its bytes where they make no sense. */
static void test_dump__wrong_item__goes_on_to_the_end(void **state) {
    (void)state;
    for (unsigned i = 0; i < wrong_item_count; i += test_share()) {
        struct world *world = world_of(i, false);
        assert_ok(selsnap_dump(world->rig.ss, hear, world));
        if (strstr(world->heard, "state ") == NULL && strstr(world->heard, "superblock ") == NULL) {
            fail_msg("%s:\n%s", wrong_items[i].what, world->heard);
        }
        world_free(world);
    }
}

/* ---- repair ---- */

/* s reads as at its point, or says that a block is lost; what was written into block 8 may be gone with it. */
static void look_at_repaired(struct world *world, selsnap *ss, const struct wrong_item *wrong) {
    uint8_t buf[4096] = {0}; /* a read that fails fills nothing */
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    selsnap_check_result result = {.struct_size = sizeof result};
    assert_ok(selsnap_check(ss, hear, world, NULL, NULL, &result));
    if (result.problems != 0) {
        fail_msg("%s: wrong after the repair:\n%s", wrong->what, world->heard);
    }
    options.id = world->snapshot;
    if (selsnap_view_open(ss, &options, &view) != SELSNAP_OK) {
        return;
    }
    for (unsigned b = 0; b < 16; b++) {
        int code = selsnap_view_read(view, buf, sizeof buf, b * sizeof buf);
        bool right = pattern_is(buf, 4096, b * UINT64_C(4096), 0, 0) || (b == 8 && memcmp(buf, "hello", 5) == 0);
        if (code != SELSNAP_ELOST && code != SELSNAP_ERANGE && (code != SELSNAP_OK || !right)) {
            fail_msg("%s: block %u: %s", wrong->what, b, selsnap_error_name(code));
        }
    }
    assert_ok(selsnap_view_close(view));
}

static void repair_case(unsigned i) {
    struct world *world = world_of(i, true);
    selsnap_device *origin = rig_copy_device(world->rig.origin_base);
    selsnap_device *damaged = rig_copy_device(world->rig.store_base);
    selsnap_device *fresh = NULL;
    struct heap heap = {0};
    selsnap_repair_options options = SELSNAP_REPAIR_OPTIONS_INIT;
    selsnap_repair_result result = SELSNAP_REPAIR_RESULT_INIT;
    selsnap *ss = NULL;
    options.allocator = heap_allocator(&heap);
    options.report = hear;
    options.report_user = world;
    assert_ok(selsnap_device_open_memory(2 << 20, 0, &fresh));
    int code = selsnap_repair(damaged, origin, fresh, &options, &result);
    assert_int_equal(heap.live, 0);
    if (code != SELSNAP_OK && code != SELSNAP_EDAMAGED) {
        fail_msg("%s: %s", wrong_items[i].what, selsnap_error_name(code));
    }
    const char *told = wrong_items[i].told;
    if (told == NULL ? world->heard[0] != '\0' : strstr(world->heard, told) == NULL) {
        fail_msg("%s: told:\n%s", wrong_items[i].what, world->heard);
    }
    code = selsnap_open(fresh, origin, NULL, &ss);
    assert_true(code == SELSNAP_OK || (told != NULL && code == SELSNAP_ENOTSTORE));
    if (ss != NULL) {
        if (!wrong_items[i].carried_over) {
            look_at_repaired(world, ss, &wrong_items[i]);
        }
        assert_ok(selsnap_close(ss));
    }
    selsnap_device_close(fresh);
    selsnap_device_close(damaged);
    selsnap_device_close(origin);
    world_free(world);
}

static void test_repair__wrong_item__left_out_and_the_rest_is_right(void **state) {
    (void)state;
    for (unsigned i = 0; i < wrong_item_count; i += test_share()) {
        repair_case(i);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check__wrong_item__is_told),
        cmocka_unit_test(test_open__wrong_item__opens_or_says_damaged),
        cmocka_unit_test(test_dump__wrong_item__goes_on_to_the_end),
        cmocka_unit_test(test_repair__wrong_item__left_out_and_the_rest_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
