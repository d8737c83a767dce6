/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts at every change and flush while a group of two stores is made, with the unflushed kept, lost, or some of
 * each. Whatever is left opens; each member is there whole, or not at all; what is there tells its group; and once the
 * making had returned, both are there.
 */
#include "test.h"
#include "testdev.h"

#include <selsnap/selsnap.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, ORIGIN = 4 * BLOCK, STORE = 640 << 10, JOURNAL = 65536, IMAGES = 4, CALLS_MOST = 200 };

struct side {
    struct testdev *origin, *store;
    selsnap *ss;
};

static void side_start(struct side *side) {
    assert_ok(selsnap_open(side->store->device, side->origin->device, NULL, &side->ss));
}

static void side_open(struct wire *wire, struct side *side, char tag) {
    selsnap_format_options options = SELSNAP_FORMAT_OPTIONS_INIT;
    options.journal_bytes = JOURNAL;
    side->origin = testdev_open(wire, tag, ORIGIN, 512, NULL);
    side->store = testdev_open(wire, (char)(tag + 1), STORE, 512, NULL);
    assert_ok(selsnap_format(side->store->device, side->origin->device, &options));
    side_start(side);
}

static void fill(struct side *side, uint8_t with) {
    uint8_t buf[ORIGIN];
    memset(buf, with, sizeof buf);
    assert_ok(selsnap_write(side->ss, buf, sizeof buf, 0));
}

static bool keep(void *user, const struct testdev_unit *unit) {
    const unsigned *image = user;
    return *image == 0 || (*image > 1 && (unit->change * 7 + unit->index * 3 + *image) % 2 == 0);
}

/* Whether the member is there; then it is whole. */
static bool look(struct side *side, const uint8_t *group_id) {
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    selsnap_group_info of = {.struct_size = sizeof of};
    uint8_t buf[ORIGIN];
    int code = selsnap_snapshot_find(side->ss, "g", &info);
    if (code == SELSNAP_ENOENT) {
        return false;
    }
    assert_ok(code);
    assert_ok(selsnap_snapshot_get_group(side->ss, info.id, &of));
    assert_int_equal(of.members, 2);
    assert_true(group_id == NULL || memcmp(of.id, group_id, sizeof of.id) == 0);
    fill(side, 0x33);
    selsnap_view *view = NULL;
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = info.id;
    assert_ok(selsnap_view_open(side->ss, &options, &view));
    assert_ok(selsnap_view_read(view, buf, sizeof buf, 0));
    for (size_t i = 0; i < sizeof buf; i++) {
        assert_int_equal(buf[i], 0x11);
    }
    assert_ok(selsnap_view_close(view));
    return true;
}

static void assert_sound(struct side *side) {
    selsnap_check_result result = {.struct_size = sizeof result};
    assert_ok(selsnap_check(side->ss, NULL, NULL, NULL, NULL, &result));
    assert_int_equal(result.problems, 0);
}

static int make(struct side *sides, uint8_t *ret_group_id) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = "g";
    const selsnap_group_member members[] = {{sides[0].ss, &options}, {sides[1].ss, &options}};
    return selsnap_group_create(members, 2, NULL, ret_group_id, NULL);
}

/* false: the making had ended before the cut. *ret_found: members that are left. */
static bool cut_at(uint64_t call, unsigned image, unsigned *ret_found) {
    struct wire wire;
    struct side sides[2];
    uint8_t group_id[SELSNAP_GROUP_ID_SIZE];
    wire_init(&wire, true);
    side_open(&wire, &sides[0], 'a');
    side_open(&wire, &sides[1], 'c');
    for (unsigned i = 0; i < 2; i++) {
        fill(&sides[i], 0x11);
        assert_ok(selsnap_flush(sides[i].ss));
    }
    wire_cut_after(&wire, call);
    int code = make(sides, group_id);
    bool met = wire.off;
    bool acknowledged = code == SELSNAP_OK;
    for (unsigned i = 0; i < 2; i++) {
        wire.off = true;
        (void)selsnap_close(sides[i].ss); /* no power: nothing reaches the devices */
    }
    wire.off = false;
    wire.cut_at = 0;
    *ret_found = 0;
    for (unsigned i = 0; i < 2; i++) {
        testdev_power_cycle(sides[i].origin, keep, &image);
        testdev_power_cycle(sides[i].store, keep, &image);
        side_start(&sides[i]);
        *ret_found += look(&sides[i], acknowledged ? group_id : NULL);
        assert_sound(&sides[i]);
    }
    assert_true(!acknowledged || *ret_found == 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_ok(selsnap_close(sides[i].ss));
        selsnap_device_close(sides[i].origin->device);
        selsnap_device_close(sides[i].store->device);
    }
    wire_fini(&wire);
    return met;
}

static void test_group__power_cut_anywhere__members_whole_or_absent(void **state) {
    (void)state;
    unsigned by_found[3] = {0, 0, 0};
    bool met = true;
    for (uint64_t call = 1; met && call < CALLS_MOST; call++) {
        for (unsigned image = 0; image < IMAGES; image++) {
            unsigned found;
            met = cut_at(call, image, &found);
            by_found[found]++;
        }
    }
    assert_false(met);
    /* None, a part, and all of the group: each was met. */
    assert_true(by_found[0] > 0 && by_found[1] > 0 && by_found[2] > 0);
}

/* Each write and flush of a store or an origin fails in turn: what is made is deleted again. */
static void test_group__a_device_fails__no_member_is_seen(void **state) {
    (void)state;
    for (unsigned which = 0; which < 4; which++) {
        bool failed = true;
        for (uint64_t nth = 1; failed && nth < CALLS_MOST; nth++) {
            struct wire wire;
            struct side sides[2];
            wire_init(&wire, false);
            side_open(&wire, &sides[0], 'a');
            side_open(&wire, &sides[1], 'c');
            struct testdev *dev = which % 2 == 0 ? sides[which / 2].store : sides[which / 2].origin;
            testdev_fail(dev, TESTDEV_WRITE | TESTDEV_FLUSH, nth, true);
            int code = make(sides, NULL);
            failed = code != SELSNAP_OK;
            for (unsigned i = 0; i < 2; i++) {
                selsnap_snapshot_info info = {.struct_size = sizeof info};
                assert_int_equal(selsnap_snapshot_find(sides[i].ss, "g", &info), failed ? SELSNAP_ENOENT : SELSNAP_OK);
            }
            testdev_mend(dev);
            if (failed) {
                assert_ok(make(sides, NULL)); /* what was left undecided is settled first */
            }
            for (unsigned i = 0; i < 2; i++) {
                assert_sound(&sides[i]);
                assert_ok(selsnap_close(sides[i].ss));
                side_start(&sides[i]);
                selsnap_snapshot_info info = {.struct_size = sizeof info};
                assert_ok(selsnap_snapshot_next(sides[i].ss, 0, &info));
                assert_int_equal(selsnap_snapshot_next(sides[i].ss, info.id, &info), SELSNAP_ENOENT);
                assert_ok(selsnap_close(sides[i].ss));
                selsnap_device_close(sides[i].origin->device);
                selsnap_device_close(sides[i].store->device);
            }
            wire_fini(&wire);
        }
        assert_false(failed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_group__power_cut_anywhere__members_whole_or_absent),
        cmocka_unit_test(test_group__a_device_fails__no_member_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
