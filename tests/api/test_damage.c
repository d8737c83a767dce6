/* SPDX-License-Identifier: Apache-2.0 */
/* P8: damage in the store is told as damage, where it is; it is never given as data, and no image makes the library
 * crash, hang, or take memory without bound. tests/damage does it to every byte. */
#include "prng.h"
#include "rig.h"
#include "testdev.h"

#include <stdlib.h>
#include <string.h>

enum { STORE_BYTES = 2 << 20, JOURNAL_BYTES = 65536, BLOCKS = 48, AREA = 32 * 4096 + JOURNAL_BYTES };

/* A store with two snapshots, an overlay, saved designations; blocks 0..15 preserved for both in turn. */
struct sample {
    struct rig rig;
    uint64_t first;  /* all at sequence 0 */
    uint64_t second; /* blocks 0..15 at 1, the others at 0 */
};

static void sample_open(struct sample *sample) {
    const struct rig_options options = {
        .origin_bytes = BLOCKS * 4096, .store_bytes = STORE_BYTES, .journal_bytes = JOURNAL_BYTES};
    uint8_t block[4096];
    rig_open(&sample->rig, &options);
    rig_save(&sample->rig, "d", 0, 0);
    sample->first = rig_snapshot_of(&sample->rig, "first", "d");
    rig_write(&sample->rig, 0, 16, 1);
    sample->second = rig_snapshot_of(&sample->rig, "second", "d");
    rig_write(&sample->rig, 4, 20, 2);
    selsnap_view *view = rig_view(&sample->rig, sample->first, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    pattern_fill(block, sizeof block, 30 * 4096, 1, 50);
    assert_ok(selsnap_view_write(view, block, sizeof block, 30 * 4096));
    assert_ok(selsnap_view_close(view));
}

static uint64_t expected_sequence(const struct sample *sample, uint64_t id, uint64_t block) {
    if (id == sample->first) {
        return block == 30 ? 50 : 0;
    }
    return block < 16 ? 1 : 0;
}

/* Each block of both snapshots reads right, or as an error. Gives the number of errors. */
static unsigned read_all(struct sample *sample) {
    const uint64_t ids[2] = {sample->first, sample->second};
    unsigned errors = 0;
    for (unsigned i = 0; i < 2; i++) {
        selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
        selsnap_view *view = NULL;
        options.id = ids[i];
        if (selsnap_view_open(sample->rig.ss, &options, &view) != SELSNAP_OK) {
            errors++;
            continue;
        }
        for (uint64_t block = 0; block < BLOCKS; block++) {
            uint8_t buf[4096];
            uint64_t sequence = expected_sequence(sample, ids[i], block);
            if (selsnap_view_read(view, buf, sizeof buf, block * 4096) != SELSNAP_OK) {
                errors++;
            } else if (!pattern_is(buf, sizeof buf, block * 4096, sequence == 0 ? 0 : 1, sequence)) {
                char text[128];
                pattern_describe(buf, text, sizeof text);
                fail_msg("block %u of snapshot %u is wrong data: %s", (unsigned)block, i, text);
            }
        }
        (void)!selsnap_view_close(view);
    }
    return errors;
}

/* The store device of the rig becomes this image; the origin stays. */
static void use_store(struct sample *sample, const uint8_t *image, uint64_t size) {
    selsnap_device_close(sample->rig.store);
    selsnap_device_close(sample->rig.store_base);
    assert_ok(selsnap_device_open_memory(size, 0, &sample->rig.store_base));
    assert_ok(selsnap_device_write(sample->rig.store_base, image, size, 0));
    assert_ok(selsnap_device_open_counting(sample->rig.store_base, &sample->rig.store));
}

static uint8_t *read_store(struct sample *sample) {
    uint8_t *image = malloc(STORE_BYTES);
    assert_non_null(image);
    assert_ok(selsnap_device_read(sample->rig.store_base, image, STORE_BYTES, 0));
    return image;
}

/* Opens the image, reads all that can be read, closes. Gives whether it opened, and how many reads failed. */
static bool try_image(struct sample *sample, const uint8_t *image, uint64_t size, unsigned *ret_errors) {
    use_store(sample, image, size);
    int code = rig_try_start(&sample->rig);
    if (code != SELSNAP_OK) {
        assert_int_equal(sample->rig.heap.live, 0);
        return false;
    }
    *ret_errors = read_all(sample);
    (void)rig_count_problems(&sample->rig);
    (void)!selsnap_close(sample->rig.ss);
    sample->rig.ss = NULL;
    assert_int_equal(sample->rig.heap.live, 0);
    return true;
}

/* The place in the store of the copy of `block` as it was at `sequence`. */
static uint64_t find_copy(const uint8_t *image, uint64_t block, uint32_t writer, uint64_t sequence) {
    for (uint64_t at = AREA; at < STORE_BYTES; at += 4096) {
        if (pattern_is(image + at, 4096, block * 4096, writer, sequence)) {
            return at;
        }
    }
    fail_msg("no copy of block %u", (unsigned)block);
    return 0;
}

static void flip(selsnap_device *device, uint64_t offset) {
    uint8_t byte;
    assert_ok(selsnap_device_read(device, &byte, 1, offset));
    byte ^= 0x10;
    assert_ok(selsnap_device_write(device, &byte, 1, offset));
}

static void test_damage__preserved_byte__that_block_of_that_snapshot_is_damaged(void **state) {
    (void)state;
    struct sample sample;
    uint8_t buf[4096];
    sample_open(&sample);
    rig_reopen(&sample.rig);
    uint8_t *image = read_store(&sample);
    flip(sample.rig.store_base, find_copy(image, 6, 0, 0) + 1234);
    assert_int_equal(rig_read_snapshot(&sample.rig, sample.first, 6, buf), SELSNAP_EDAMAGED);
    char text[256];
    assert_int_equal(selsnap_last_error(sample.rig.ss, text, sizeof text), SELSNAP_EDAMAGED);
    assert_non_null(strstr(text, "block 6"));
    assert_int_equal(rig_read_snapshot(&sample.rig, sample.first, 5, buf), SELSNAP_OK);
    assert_int_equal(rig_read_snapshot(&sample.rig, sample.first, 7, buf), SELSNAP_OK);
    rig_assert_snapshot(&sample.rig, sample.second, 0, 16, 1);
    rig_assert_snapshot(&sample.rig, sample.second, 16, 32, 0);
    rig_assert_live(&sample.rig, 4, 20, 2);
    assert_int_equal(rig_count_problems(&sample.rig), 1);
    free(image);
    rig_close(&sample.rig);
}

static void test_damage__overlay_byte__told_and_reset_brings_the_frozen_block_back(void **state) {
    (void)state;
    struct sample sample;
    uint8_t buf[4096];
    sample_open(&sample);
    uint8_t *image = read_store(&sample);
    flip(sample.rig.store_base, find_copy(image, 30, 1, 50) + 4000);
    assert_int_equal(rig_read_snapshot(&sample.rig, sample.first, 30, buf), SELSNAP_EDAMAGED);
    selsnap_view *view = rig_view(&sample.rig, sample.first, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    assert_ok(selsnap_view_reset(view));
    assert_ok(selsnap_view_close(view));
    rig_assert_snapshot(&sample.rig, sample.first, 0, BLOCKS, 0);
    free(image);
    rig_close(&sample.rig);
}

static void test_hostile__random_bytes__refused_or_right_data(void **state) {
    (void)state;
    struct sample sample;
    unsigned errors = 0;
    sample_open(&sample);
    uint8_t *good = read_store(&sample);
    uint8_t *image = malloc(STORE_BYTES);
    assert_non_null(image);
    rig_stop(&sample.rig);
    struct prng prng = prng_init(9);
    for (unsigned i = 0; i < 200; i += test_share()) {
        memcpy(image, good, STORE_BYTES);
        uint64_t first = i == 0 ? 0 : prng_below(&prng, STORE_BYTES);
        uint64_t len = i == 0 ? STORE_BYTES : 1 + prng_below(&prng, 40000);
        for (uint64_t at = first; at < first + len && at < STORE_BYTES; at++) {
            image[at] = (uint8_t)prng_next(&prng);
        }
        bool opened = try_image(&sample, image, STORE_BYTES, &errors);
        assert_true(!opened || i > 0);
    }
    free(good);
    free(image);
    rig_close(&sample.rig);
}

/* The oracle of these tests can fail: other content is found out. */
static void test_damage__origin_changed_behind__wrong_data_is_seen(void **state) {
    (void)state;
    struct sample sample;
    uint8_t block[4096];
    sample_open(&sample);
    assert_int_equal(read_all(&sample), 0);
    pattern_fill(block, sizeof block, 40 * 4096, 9, 9);
    assert_ok(selsnap_device_write(sample.rig.origin_base, block, sizeof block, 40 * 4096));
    assert_int_equal(rig_read_snapshot(&sample.rig, sample.second, 40, block), SELSNAP_OK);
    assert_false(pattern_is(block, sizeof block, 40 * 4096, 0, 0));
    rig_close(&sample.rig);
}

/* A byte of the store that is wrong when it is read for the first time. */
struct misread {
    struct testdev *store;
    uint64_t place;
    unsigned reads;
};

static int misread_once(void *user, struct testdev *dev, const struct testdev_call *call) {
    struct misread *misread = user;
    if (dev == misread->store && call->op == TESTDEV_READ && call->offset <= misread->place &&
        misread->place - call->offset < call->len && ++misread->reads == 2) {
        dev->bytes[misread->place] ^= 1;
    }
    return TESTDEV_PASS;
}

/* A view, or a restore, meets a copy that the store gives wrong once. */
static void meet_misread(bool restore) {
    struct wire wire;
    struct rig rig;
    wire_init(&wire, false);
    struct testdev *origin = testdev_open(&wire, 'o', 16 * 4096, 512, NULL);
    struct testdev *store = testdev_open(&wire, 's', STORE_BYTES, 0, NULL);
    struct misread misread = {store, 0, 0};
    rig_open_on(&rig, origin->device, store->device, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 3, 1, 1);
    misread.place = find_copy(store->bytes, 3, 0, 0) + 100;
    store->bytes[misread.place] ^= 1;
    wire.hook = misread_once;
    wire.hook_user = &misread;
    if (restore) {
        selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
        uint64_t job;
        options.id = id;
        assert_ok(selsnap_restore_start(rig.ss, &options, &job));
        assert_ok(selsnap_restore_run(rig.ss, job, NULL, NULL));
        rig_assert_origin(&rig, 3, 1, 0);
    } else {
        rig_assert_snapshot(&rig, id, 3, 1, 0);
    }
    assert_int_equal(misread.reads, 2);
    wire.hook = NULL;
    rig_assert_sound(&rig);
    rig_close(&rig);
    wire_fini(&wire);
}

static void test_misread__by_a_view__read_again(void **state) {
    (void)state;
    meet_misread(false);
}

static void test_misread__by_a_restore__read_again(void **state) {
    (void)state;
    meet_misread(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage__preserved_byte__that_block_of_that_snapshot_is_damaged),
        cmocka_unit_test(test_damage__overlay_byte__told_and_reset_brings_the_frozen_block_back),
        cmocka_unit_test(test_hostile__random_bytes__refused_or_right_data),
        cmocka_unit_test(test_damage__origin_changed_behind__wrong_data_is_seen),
        cmocka_unit_test(test_misread__by_a_view__read_again),
        cmocka_unit_test(test_misread__by_a_restore__read_again),
    };
    return cmocka_run_group_tests_name("damage", tests, NULL, NULL);
}
