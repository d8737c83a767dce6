/* SPDX-License-Identifier: Apache-2.0 */
/* What deleting some snapshots would free, against what deleting them frees. */
#include "prng.h"
#include "rig.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 4096, BLOCKS = 600, SCENES = 40, SNAPS_MAX = 8 };

/* Adds up the copies that a dump names. */
static int add_copies(void *user, const char *line) {
    uint64_t *bytes = user;
    uint64_t run;
    uint64_t epoch;
    uint64_t first;
    unsigned level;
    unsigned index;
    unsigned blocks;
    char kind[8] = "";
    if (sscanf(line, "entry run %" SCNu64 ", level %u, index %u, epoch %" SCNu64 ": blocks %" SCNu64 "+%u, %4s", &run,
               &level, &index, &epoch, &first, &blocks, kind) == 7 &&
        strcmp(kind, "data") == 0) {
        *bytes += (uint64_t)blocks * BLOCK;
    } else if (sscanf(line, "overlay %" SCNu64 ", block %" SCNu64 ": %4s", &run, &first, kind) == 3 &&
               strcmp(kind, "data") == 0) {
        *bytes += BLOCK;
    }
    return 0;
}

static uint64_t copies(struct rig *rig) {
    uint64_t bytes = 0;
    assert_ok(selsnap_dump(rig->ss, add_copies, &bytes));
    return bytes;
}

static uint64_t freed(struct rig *rig, const uint64_t *ids, uint32_t count) {
    uint64_t bytes = 1;
    assert_ok(selsnap_space_freed(rig->ss, ids, count, NULL, NULL, &bytes));
    return bytes;
}

static void write_into(struct rig *rig, uint64_t id, uint64_t block, uint64_t blocks) {
    char text[3 * BLOCK];
    memset(text, 'x', sizeof text);
    selsnap_view *view = rig_view(rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_LIVE);
    int code = selsnap_view_write(view, text, blocks * BLOCK, block * BLOCK);
    assert_true(code == SELSNAP_OK || code == SELSNAP_EUNDESIGNATED);
    assert_ok(selsnap_view_close(view));
}

static void change(struct rig *rig, struct prng *prng, uint64_t sequence) {
    uint64_t blocks = 1 + prng_below(prng, prng_below(prng, 4) == 0 ? 150 : 6);
    uint64_t first = prng_below(prng, BLOCKS - blocks);
    if (prng_below(prng, 8) == 0) {
        assert_ok(selsnap_write_zeroes(rig->ss, first * BLOCK, blocks * BLOCK));
    } else {
        rig_write(rig, first, blocks, sequence);
    }
}

/* Snapshots of different subsets, some sharing, with writes between; then a random set of them goes. */
static void play(uint64_t seed) {
    struct prng prng = prng_init(seed);
    struct rig_options options = {.origin_bytes = (uint64_t)BLOCKS * BLOCK, .ahead = seed % 2 == 0};
    struct rig rig;
    uint64_t ids[SNAPS_MAX];
    uint64_t chosen[2 * SNAPS_MAX];
    uint64_t sequence = 0;
    rig_open(&rig, &options);
    rig_save(&rig, "d", prng_below(&prng, 100), 300);
    unsigned count = 2 + (unsigned)prng_below(&prng, SNAPS_MAX - 1);
    for (unsigned i = 0; i < count; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "s%u", i);
        uint64_t kind = prng_below(&prng, 3);
        uint64_t first = prng_below(&prng, BLOCKS - 1);
        ids[i] = kind == 0   ? rig_snapshot(&rig, name, 0, 0)
                 : kind == 1 ? rig_snapshot_of(&rig, name, "d")
                             : rig_snapshot(&rig, name, first, 1 + prng_below(&prng, BLOCKS - first));
        for (uint64_t n = prng_below(&prng, 12); n > 0; n--) {
            change(&rig, &prng, ++sequence);
        }
        if (prng_below(&prng, 3) == 0) {
            write_into(&rig, ids[prng_below(&prng, i + 1)], prng_below(&prng, BLOCKS - 3), 1 + prng_below(&prng, 3));
        }
    }
    rig_settle(&rig);
    while (count > 0) {
        uint32_t n = 0;
        for (unsigned i = count; i-- > 0;) {
            if (prng_below(&prng, 2) == 0) {
                chosen[n++] = ids[i];
                if (prng_below(&prng, 4) == 0) {
                    chosen[n++] = ids[i]; /* twice is once */
                }
                ids[i] = ids[--count];
            }
        }
        uint64_t before = copies(&rig);
        uint64_t expected = freed(&rig, chosen, n);
        for (uint32_t i = 0; i < n; i++) {
            int code = selsnap_snapshot_delete(rig.ss, chosen[i]);
            assert_true(code == SELSNAP_OK || (i > 0 && code == SELSNAP_ENOENT && chosen[i] == chosen[i - 1]));
        }
        rig_settle(&rig);
        uint64_t after = copies(&rig);
        if (before - after != expected) {
            fail_msg("seed %" PRIu64 ": %" PRIu64 " bytes were freed, not %" PRIu64, seed, before - after, expected);
        }
    }
    assert_int_equal(copies(&rig), 0);
    rig_close(&rig);
}

static void test_freed__random_scenes__as_much_as_deleting_frees(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SCENES; seed++) {
        play(seed);
    }
}

/* A copy that two share is freed by neither alone. */
static void test_freed__shared_copy__only_by_both(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t ids[2] = {rig_snapshot(&rig, "a", 0, 8), rig_snapshot(&rig, "b", 4, 8)};
    rig_write(&rig, 4, 4, 1);
    assert_int_equal(freed(&rig, &ids[0], 1), 0);
    assert_int_equal(freed(&rig, &ids[1], 1), 0);
    assert_int_equal(freed(&rig, ids, 2), 4 * BLOCK);
    rig_write(&rig, 0, 1, 1);
    assert_int_equal(freed(&rig, &ids[0], 1), BLOCK);
    assert_int_equal(freed(&rig, ids, 0), 0);
    write_into(&rig, ids[1], 5, 2);
    assert_int_equal(freed(&rig, &ids[1], 1), 2 * BLOCK);
    assert_ok(selsnap_snapshot_delete(rig.ss, ids[0]));
    assert_int_equal(freed(&rig, &ids[1], 1), 6 * BLOCK); /* the first one's own waits for reclaim already */
    rig_close(&rig);
}

/* What lies outside of their blocks costs nothing: it is not even read. */
static void test_freed__others_entries__not_walked(void **state) {
    (void)state;
    struct rig_options options = {.origin_bytes = 64 << 20, .store_bytes = 64 << 20, .blank = true};
    struct rig rig;
    rig_open(&rig, &options);
    uint64_t small = rig_snapshot(&rig, "small", 5000, 8);
    (void)rig_snapshot(&rig, "large", 0, 4096);
    for (uint64_t block = 0; block < 4096; block += 2) {
        rig_write(&rig, block, 1, 1);
    }
    rig_write(&rig, 5000, 8, 1);
    rig_reopen(&rig);
    uint64_t before = rig_stats(&rig).pages_read;
    uint64_t bytes = 0;
    assert_ok(selsnap_space_freed(rig.ss, &small, 1, NULL, NULL, &bytes));
    assert_true(rig_stats(&rig).pages_read - before <= 12);
    rig_close(&rig);
}

static int stop(void *user, uint64_t done, uint64_t total) {
    (void)user;
    assert_true(done <= total);
    return 1;
}

static void test_freed__wrong_arguments__refused(void **state) {
    (void)state;
    struct rig rig;
    uint64_t bytes = 7;
    rig_open(&rig, NULL);
    uint64_t ids[2] = {rig_snapshot(&rig, "a", 0, 8), 999};
    rig_write(&rig, 0, 1, 1);
    assert_int_equal(selsnap_space_freed(rig.ss, ids, 2, NULL, NULL, &bytes), SELSNAP_ENOENT);
    assert_int_equal(selsnap_space_freed(rig.ss, NULL, 1, NULL, NULL, &bytes), SELSNAP_EINVAL);
    assert_int_equal(selsnap_space_freed(rig.ss, ids, 1, stop, NULL, &bytes), SELSNAP_ECANCELED);
    assert_int_equal(bytes, 7);
    assert_ok(selsnap_abandon(rig.ss));
    assert_int_equal(selsnap_space_freed(rig.ss, ids, 1, NULL, NULL, &bytes), SELSNAP_EABANDONED);
    assert_ok(selsnap_close(rig.ss));
    rig.options.open_flags |= SELSNAP_OPEN_ORIGIN_CHANGED;
    rig_start(&rig);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_freed__random_scenes__as_much_as_deleting_frees),
        cmocka_unit_test(test_freed__shared_copy__only_by_both),
        cmocka_unit_test(test_freed__others_entries__not_walked),
        cmocka_unit_test(test_freed__wrong_arguments__refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
