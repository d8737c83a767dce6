/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores of a later version: what a bit of each feature mask that this version does not know does, as docs/format.md
 * says. The bits are set in a store that was made here, in both superblock slots or in the newer one alone.
 */
#include "bytes.h"
#include "checksum.h"
#include "rig.h"

#include <string.h>

enum { PAGE = 4096, COMPAT = 12, RO_COMPAT = 16, INCOMPAT = 20, SEQUENCE = 40, CHECKSUM = 504 };

static const uint64_t slots[2] = {0, (uint64_t)16 * PAGE};

static uint32_t mask_of(struct rig *rig, unsigned slot, unsigned mask) {
    uint8_t page[PAGE];
    assert_ok(selsnap_device_read(rig->store_base, page, sizeof page, slots[slot]));
    return ssn_get32(page + mask);
}

static unsigned newest(struct rig *rig) {
    uint64_t sequence[2];
    for (unsigned slot = 0; slot < 2; slot++) {
        uint8_t page[PAGE];
        assert_ok(selsnap_device_read(rig->store_base, page, sizeof page, slots[slot]));
        sequence[slot] = ssn_get64(page + SEQUENCE);
    }
    return sequence[1] > sequence[0] ? 1 : 0;
}

static void set_bit(struct rig *rig, unsigned slot, unsigned mask, unsigned bit) {
    uint8_t page[PAGE];
    assert_ok(selsnap_device_read(rig->store_base, page, sizeof page, slots[slot]));
    ssn_put32(page + mask, ssn_get32(page + mask) | UINT32_C(1) << bit);
    ssn_put64(page + CHECKSUM, ssn_checksum(page, CHECKSUM));
    assert_ok(selsnap_device_write(rig->store_base, page, sizeof page, slots[slot]));
}

static int try_open(struct rig *rig, uint32_t flags) {
    rig->options.open_flags = flags;
    return rig_try_start(rig);
}

/* A store with a snapshot whose block 0 was preserved, closed. */
static void prepare(struct rig *rig) {
    rig_open(rig, NULL);
    (void)rig_snapshot(rig, "one", 0, 8);
    rig_write(rig, 0, 1, 5);
    rig_stop(rig);
}

static void assert_readable(struct rig *rig) {
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    uint8_t block[PAGE];
    assert_ok(selsnap_snapshot_find(rig->ss, "one", &info));
    assert_ok(rig_read_snapshot(rig, info.id, 0, block));
    assert_true(pattern_is(block, sizeof block, 0, 0, 0));
}

/* [F-21] */
static void test_features__unknown_compat_bit__used_and_kept(void **state) {
    (void)state;
    struct rig rig;
    for (unsigned bit = 0; bit < 32; bit++) {
        prepare(&rig);
        set_bit(&rig, 0, COMPAT, bit);
        set_bit(&rig, 1, COMPAT, bit);
        assert_ok(try_open(&rig, SELSNAP_OPEN_READ_ONLY));
        assert_readable(&rig);
        rig_stop(&rig);
        assert_ok(try_open(&rig, 0));
        assert_readable(&rig);
        (void)rig_snapshot(&rig, "two", 0, 8);
        rig_stop(&rig);
        assert_int_equal(mask_of(&rig, 0, COMPAT), UINT32_C(1) << bit);
        assert_int_equal(mask_of(&rig, 1, COMPAT), UINT32_C(1) << bit);
        rig_start(&rig);
        rig_close(&rig);
    }
}

/* [F-22] */
static void test_features__unknown_ro_compat_bit__read_only(void **state) {
    (void)state;
    struct rig rig;
    for (unsigned bit = 0; bit < 32; bit++) {
        for (unsigned both = 0; both < 2; both++) {
            prepare(&rig);
            unsigned newer = newest(&rig);
            set_bit(&rig, newer, RO_COMPAT, bit);
            if (both != 0) {
                set_bit(&rig, 1 - newer, RO_COMPAT, bit);
            }
            assert_int_equal(try_open(&rig, 0), SELSNAP_EVERSION);
            assert_ok(try_open(&rig, SELSNAP_OPEN_READ_ONLY));
            assert_readable(&rig);
            rig_close(&rig);
        }
    }
}

/* [F-23] */
static void test_features__unknown_incompat_bit__refused(void **state) {
    (void)state;
    struct rig rig;
    for (unsigned bit = 2; bit < 32; bit++) {
        for (unsigned both = 0; both < 2; both++) {
            prepare(&rig);
            unsigned newer = newest(&rig);
            set_bit(&rig, newer, INCOMPAT, bit);
            if (both != 0) {
                set_bit(&rig, 1 - newer, INCOMPAT, bit);
            }
            assert_int_equal(try_open(&rig, 0), SELSNAP_EVERSION);
            assert_int_equal(try_open(&rig, SELSNAP_OPEN_READ_ONLY), SELSNAP_EVERSION);
            rig_close(&rig);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_features__unknown_compat_bit__used_and_kept),
        cmocka_unit_test(test_features__unknown_ro_compat_bit__read_only),
        cmocka_unit_test(test_features__unknown_incompat_bit__refused),
    };
    return cmocka_run_group_tests_name("features", tests, NULL, NULL);
}
