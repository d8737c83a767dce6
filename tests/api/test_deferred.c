/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deferred mode: writes that need preserving are kept in memory, and preserved for many at once. Longer than usual: each
 * part of the mode meets each other one, and all use the devices and checks at the head.
 */
#include "rig.h"
#include "testdev.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 4096, KEEP = 128 * BLOCK };

static void open_deferred(struct rig *rig) {
    const struct rig_options options = {.deferred = KEEP};
    rig_open(rig, &options);
}

static uint64_t kept_blocks(struct rig *rig) {
    return rig_stats(rig).deferred_bytes / BLOCK;
}

static uint64_t flushes(struct rig *rig) {
    return rig_store_counts(rig).flushes + rig_origin_counts(rig).flushes;
}

/* Fills part of a block. */
static void write_part(struct rig *rig, uint64_t offset, size_t len, uint8_t with) {
    uint8_t buf[2 * BLOCK];
    memset(buf, with, sizeof buf);
    assert_ok(selsnap_write(rig->ss, buf, len, offset));
}

static void assert_part(struct rig *rig, uint64_t offset, size_t len, uint8_t with) {
    uint8_t buf[2 * BLOCK];
    uint8_t want[2 * BLOCK];
    memset(want, with, sizeof want);
    assert_ok(selsnap_read(rig->ss, buf, len, offset));
    assert_memory_equal(buf, want, len);
}

/* ---- keeping ---- */

static void test_first_write__deferred__is_kept_and_read_back(void **state) {
    (void)state;
    struct rig rig;
    open_deferred(&rig);
    uint64_t id = rig_snapshot(&rig, "s", 0, 16);
    rig_reset_counts(&rig);
    rig_write(&rig, 3, 2, 1);
    assert_int_equal(kept_blocks(&rig), 2);
    rig_assert_live(&rig, 0, 3, 0);
    rig_assert_live(&rig, 3, 2, 1);
    rig_assert_live(&rig, 5, 11, 0);
    assert_int_equal(rig_store_counts(&rig).writes + rig_origin_counts(&rig).writes, 0);
    rig_assert_origin(&rig, 0, 16, 0);
    rig_assert_snapshot(&rig, id, 0, 16, 0);
    assert_ok(selsnap_flush(rig.ss));
    assert_int_equal(kept_blocks(&rig), 0);
    rig_assert_origin(&rig, 3, 2, 1);
    rig_assert_live(&rig, 3, 2, 1);
    rig_assert_snapshot(&rig, id, 0, 16, 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_write__that_needs_nothing__is_not_kept(void **state) {
    (void)state;
    struct rig rig;
    open_deferred(&rig);
    (void)rig_snapshot(&rig, "s", 8, 8);
    rig_write(&rig, 0, 8, 1);
    assert_int_equal(kept_blocks(&rig), 0);
    rig_assert_origin(&rig, 0, 8, 1);
    rig_write(&rig, 6, 4, 2); /* two of each kind */
    assert_int_equal(kept_blocks(&rig), 2);
    rig_assert_origin(&rig, 6, 2, 2);
    rig_assert_origin(&rig, 8, 2, 0);
    rig_assert_live(&rig, 6, 4, 2);
    assert_ok(selsnap_flush(rig.ss));
    rig_reset_counts(&rig);
    rig_write(&rig, 8, 2, 3); /* preserved by now */
    assert_int_equal(kept_blocks(&rig), 0);
    assert_int_equal(rig_store_counts(&rig).writes, 0);
    rig_close(&rig);
}

static void test_writes__of_parts__merge_with_each_other_and_the_rest(void **state) {
    (void)state;
    struct rig rig;
    open_deferred(&rig);
    uint64_t id = rig_snapshot(&rig, "s", 0, 16);
    write_part(&rig, 2 * BLOCK + 100, 50, 'a');
    write_part(&rig, 2 * BLOCK + 120, 10, 'b');
    write_part(&rig, 3 * BLOCK - 10, 20, 'c');
    assert_int_equal(kept_blocks(&rig), 2);
    for (int drained = 0; drained < 2; drained++) {
        assert_part(&rig, 2 * BLOCK + 100, 20, 'a');
        assert_part(&rig, 2 * BLOCK + 120, 10, 'b');
        assert_part(&rig, 2 * BLOCK + 130, 20, 'a');
        assert_part(&rig, 3 * BLOCK - 10, 20, 'c');
        uint8_t buf[BLOCK];
        uint8_t old[BLOCK];
        assert_ok(selsnap_read(rig.ss, buf, 100, 2 * BLOCK));
        pattern_fill(old, sizeof old, 2 * BLOCK, 0, 0);
        assert_memory_equal(buf, old, 100);
        assert_ok(selsnap_read(rig.ss, buf, BLOCK - 10, 3 * BLOCK + 10));
        pattern_fill(old, sizeof old, 3 * BLOCK, 0, 0);
        assert_memory_equal(buf, old + 10, BLOCK - 10);
        assert_ok(selsnap_flush(rig.ss));
    }
    rig_assert_snapshot(&rig, id, 0, 16, 0);
    rig_close(&rig);
}

static void test_read__in_pieces_over_kept_blocks__each_byte_right(void **state) {
    (void)state;
    struct rig rig;
    open_deferred(&rig);
    (void)rig_snapshot(&rig, "s", 0, 16);
    rig_write(&rig, 2, 1, 1);
    rig_write(&rig, 4, 2, 1);
    uint8_t got[8 * BLOCK];
    uint8_t want[8 * BLOCK];
    selsnap_iovec iov[100];
    size_t at = 0;
    for (unsigned i = 0; i < 100; i++) {
        iov[i].base = got + at;
        iov[i].len = i == 99 ? sizeof got - at : i * 5;
        at += iov[i].len;
    }
    assert_ok(selsnap_readv(rig.ss, iov, 100, 0));
    for (uint64_t block = 0; block < 8; block++) {
        unsigned new = block == 2 || block == 4 || block == 5;
        pattern_fill(want + block * BLOCK, BLOCK, block * BLOCK, new, new);
    }
    assert_memory_equal(got, want, sizeof got);
    rig_close(&rig);
}

static void test_short_last_block__deferred__right(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.origin_bytes = 7 * BLOCK + 700, .deferred = KEEP};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 6, 2, 1);
    rig_assert_live(&rig, 6, 2, 1);
    write_part(&rig, 7 * BLOCK + 600, 100, 'x');
    assert_ok(selsnap_flush(rig.ss));
    rig_assert_origin(&rig, 6, 1, 1);
    assert_part(&rig, 7 * BLOCK + 600, 100, 'x');
    rig_assert_snapshot(&rig, id, 0, 8, 0);
    rig_close(&rig);
}

static void test_write_zeroes_and_discard__kept_blocks__zeroes_are_kept_and_discards_pass_by(void **state) {
    (void)state;
    struct rig rig;
    open_deferred(&rig);
    uint64_t id = rig_snapshot(&rig, "s", 0, 16);
    rig_write(&rig, 1, 1, 1);
    assert_ok(selsnap_write_zeroes(rig.ss, BLOCK + 2048, BLOCK));
    assert_int_equal(kept_blocks(&rig), 2);
    assert_part(&rig, BLOCK + 2048, BLOCK, 0);
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    rig_reset_counts(&rig);
    assert_ok(selsnap_discard(rig.ss, 0, 16 * BLOCK));
    assert_part(&rig, BLOCK + 2048, BLOCK, 0);
    assert_ok(selsnap_flush(rig.ss));
    assert_part(&rig, BLOCK + 2048, BLOCK, 0);
    uint8_t buf[BLOCK];
    uint8_t new[BLOCK];
    assert_ok(selsnap_read(rig.ss, buf, 2048, BLOCK));
    pattern_fill(new, sizeof new, BLOCK, 1, 1);
    assert_memory_equal(buf, new, 2048);
    rig_close(&rig);
}

/* ---- figures ---- */

static void test_first_writes__flush_every_32__two_flushes_each(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.origin_bytes = 512 * BLOCK, .deferred = KEEP, .journal_bytes = 4 << 20};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    for (unsigned round = 0; round < 8; round++) {
        rig_reset_counts(&rig);
        for (uint64_t i = 0; i < 32; i++) {
            rig_write(&rig, (i * 8 + round) * 167 % 512, 1, 1);
        }
        assert_int_equal(flushes(&rig), 0);
        assert_ok(selsnap_flush(rig.ss));
        assert_int_equal(rig_store_counts(&rig).flushes, 1);
        assert_int_equal(rig_origin_counts(&rig).flushes, 1);
        assert_int_equal(rig_store_counts(&rig).writes, 2); /* data and journal */
        assert_int_equal(rig_origin_counts(&rig).reads, 32);
        assert_int_equal(rig_origin_counts(&rig).writes, 32);
    }
    rig_assert_snapshot(&rig, id, 0, 512, 0);
    rig_close(&rig);
}

static void test_create__with_pending_writes__three_flushes(void **state) {
    (void)state;
    struct rig rig;
    open_deferred(&rig);
    rig_save(&rig, "d", 0, 32);
    uint64_t first = rig_snapshot_of(&rig, "first", "d");
    rig_write(&rig, 1, 1, 1);
    rig_write(&rig, 9, 1, 1);
    rig_reset_counts(&rig);
    uint64_t second = rig_snapshot_of(&rig, "second", "d");
    assert_int_equal(flushes(&rig), 3);
    assert_int_equal(kept_blocks(&rig), 0);
    rig_reset_counts(&rig);
    (void)rig_snapshot_of(&rig, "third", "d");
    assert_int_equal(flushes(&rig), 2);
    rig_assert_snapshot(&rig, first, 1, 1, 0);
    rig_assert_snapshot(&rig, second, 1, 1, 1);
    rig_assert_snapshot(&rig, second, 9, 1, 1);
    rig_close(&rig);
}

/* ---- points ---- */

static void test_pending_write__then_a_snapshot__only_the_younger_has_it(void **state) {
    (void)state;
    struct rig rig;
    open_deferred(&rig);
    uint64_t first = rig_snapshot(&rig, "first", 0, 16);
    rig_write(&rig, 5, 1, 1);
    uint64_t second = rig_snapshot(&rig, "second", 0, 16);
    rig_write(&rig, 5, 1, 2);
    rig_write(&rig, 6, 1, 2);
    uint64_t third = rig_snapshot(&rig, "third", 0, 16);
    rig_write(&rig, 5, 1, 3);
    assert_ok(selsnap_flush(rig.ss));
    rig_assert_snapshot(&rig, first, 0, 16, 0);
    rig_assert_snapshot(&rig, second, 5, 1, 1);
    rig_assert_snapshot(&rig, second, 6, 1, 0);
    rig_assert_snapshot(&rig, third, 5, 2, 2);
    rig_assert_live(&rig, 5, 1, 3);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_pending_write__whose_snapshot_is_deleted__is_not_passed_by(void **state) {
    (void)state;
    struct rig rig;
    open_deferred(&rig);
    uint64_t id = rig_snapshot(&rig, "s", 0, 16);
    rig_write(&rig, 5, 1, 1);
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    rig_write(&rig, 5, 1, 2);
    write_part(&rig, 5 * BLOCK, 512, 'z');
    rig_reset_counts(&rig);
    assert_ok(selsnap_flush(rig.ss));
    assert_int_equal(rig_store_counts(&rig).writes, 0); /* nobody needs it any more */
    assert_part(&rig, 5 * BLOCK, 512, 'z');
    uint8_t buf[BLOCK];
    assert_ok(selsnap_read(rig.ss, buf, BLOCK - 512, 5 * BLOCK + 512));
    assert_true(pattern_is(buf, BLOCK - 512, 5 * BLOCK + 512, 1, 2));
    rig_close(&rig);
}

static void test_create__of_a_snapshot_while_frozen__has_what_is_pending(void **state) {
    (void)state;
    struct rig rig;
    open_deferred(&rig);
    uint64_t first = rig_snapshot(&rig, "first", 0, 16);
    rig_write(&rig, 5, 1, 1);
    assert_ok(selsnap_freeze(rig.ss));
    uint64_t second = rig_snapshot(&rig, "second", 0, 16);
    assert_ok(selsnap_thaw(rig.ss));
    rig_write(&rig, 5, 1, 2);
    assert_ok(selsnap_flush(rig.ss));
    rig_assert_snapshot(&rig, first, 5, 1, 0);
    rig_assert_snapshot(&rig, second, 5, 1, 1);
    rig_close(&rig);
}

static void test_restore__with_pending_writes__undoes_them_and_keeps_later_ones(void **state) {
    (void)state;
    struct rig rig;
    open_deferred(&rig);
    uint64_t first = rig_snapshot(&rig, "first", 0, 16);
    rig_write(&rig, 4, 4, 1);
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    options.id = first;
    uint64_t job = 0;
    assert_ok(selsnap_restore_start(rig.ss, &options, &job));
    assert_int_equal(kept_blocks(&rig), 0);
    rig_assert_live(&rig, 0, 16, 0);
    rig_write(&rig, 6, 1, 2);
    uint64_t second = rig_snapshot(&rig, "second", 0, 16);
    write_part(&rig, 7 * BLOCK, 512, 'z');
    rig_write(&rig, 6, 1, 3);
    assert_ok(selsnap_restore_run(rig.ss, job, NULL, NULL));
    assert_ok(selsnap_flush(rig.ss));
    rig_assert_live(&rig, 0, 6, 0);
    rig_assert_live(&rig, 6, 1, 3);
    assert_part(&rig, 7 * BLOCK, 512, 'z');
    rig_assert_snapshot(&rig, first, 0, 16, 0);
    rig_assert_snapshot(&rig, second, 6, 1, 2);
    rig_assert_snapshot(&rig, second, 7, 1, 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

/* ---- a full store ---- */

enum { MANY = 1024 };

static void open_small(struct rig *rig, uint64_t deferred) {
    const struct rig_options options = {
        .origin_bytes = MANY * BLOCK, .store_bytes = 2 << 20, .journal_bytes = 65536, .deferred = deferred};
    rig_open(rig, &options);
}

static void test_full_store__policy_fail__told_at_acceptance_and_flush_succeeds(void **state) {
    (void)state;
    struct rig rig;
    open_small(&rig, MANY * BLOCK);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    uint64_t block = 0;
    while (block < MANY && rig_try_write(&rig, block, 1, 1) == SELSNAP_OK) {
        block++;
    }
    assert_in_range(block, 64, MANY - 1);
    assert_int_equal(rig_try_write(&rig, block, 1, 1), SELSNAP_ENOSPACE);
    rig_assert_live(&rig, 0, block, 1);
    rig_assert_live(&rig, block, 1, 0);
    assert_ok(selsnap_flush(rig.ss));
    rig_assert_snapshot(&rig, id, 0, MANY, 0);
    rig_assert_origin(&rig, 0, block, 1);
    assert_int_equal(rig_stats(&rig).blocks_lost, 0);
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    rig_settle(&rig);
    rig_write(&rig, 0, MANY, 2);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_full_store__policy_give_up__blocks_are_lost_from_then_on_and_no_others(void **state) {
    (void)state;
    struct rig rig;
    open_small(&rig, MANY * BLOCK);
    uint64_t id = 0;
    assert_ok(rig_try_snapshot(&rig, "s", 0, 0, SELSNAP_POLICY_GIVE_UP_BLOCK, &id));
    for (uint64_t block = 0; block < MANY; block++) {
        rig_write(&rig, block, 1, 1);
    }
    assert_ok(selsnap_flush(rig.ss));
    rig_assert_origin(&rig, 0, MANY, 1);
    assert_in_range(rig_stats(&rig).blocks_lost, 1, MANY - 64);
    bool lost = false;
    uint8_t buf[BLOCK];
    for (uint64_t block = 0; block < MANY; block++) {
        int code = rig_read_snapshot(&rig, id, block, buf);
        lost = lost || code == SELSNAP_ELOST;
        assert_int_equal(code, lost ? SELSNAP_ELOST : SELSNAP_OK);
        assert_true(lost || pattern_is(buf, BLOCK, block * BLOCK, 0, 0));
    }
    assert_true(lost);
    rig_close(&rig);
}

static void test_views__of_a_full_store__leave_what_is_held(void **state) {
    (void)state;
    struct rig rig;
    open_small(&rig, MANY * BLOCK);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    uint64_t block = 0;
    while (rig_try_write(&rig, block, 1, 1) == SELSNAP_OK && block < 100) {
        block++;
    }
    selsnap_view *view = rig_view(&rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    uint8_t buf[BLOCK];
    memset(buf, 'v', sizeof buf);
    int code = SELSNAP_OK;
    for (uint64_t b = MANY; code == SELSNAP_OK && b > 0; b--) {
        code = selsnap_view_write(view, buf, sizeof buf, (b - 1) * BLOCK);
    }
    if (code == SELSNAP_OK) {
        code = selsnap_view_flush(view);
    }
    assert_int_equal(code, SELSNAP_ENOSPACE);
    assert_ok(selsnap_flush(rig.ss));
    rig_assert_origin(&rig, 0, block, 1);
    assert_ok(selsnap_view_reset(view));
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

/* Fills the store by what is not deferred: a view, until it is refused, and snapshots. */
static void fill_beside(struct rig *rig, selsnap_view *view, uint64_t stride) {
    uint8_t buf[4 * BLOCK];
    memset(buf, 'v', sizeof buf);
    int code = SELSNAP_OK;
    for (uint64_t n = 0; code == SELSNAP_OK && n < rig->block_count; n++) {
        uint64_t rows = rig->block_count / stride;
        uint64_t b = n / rows + n % rows * stride; /* far apart, and in the end all */
        code = selsnap_view_write(view, buf, rig->block_bytes, b * rig->block_bytes);
        code = code == SELSNAP_OK && n % 8 == 0 ? selsnap_view_flush(view) : code;
    }
    assert_int_equal(code == SELSNAP_OK ? selsnap_view_flush(view) : code, SELSNAP_ENOSPACE);
    code = SELSNAP_OK;
    for (unsigned i = 0; code == SELSNAP_OK && i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "more%u", i);
        uint64_t id;
        code = rig_try_snapshot(rig, name, 0, 0, SELSNAP_POLICY_FAIL_WRITE, &id);
    }
}

struct filled {
    uint64_t blocks; /* of the origin */
    uint64_t store_bytes;
    uint32_t block_bytes;
    uint64_t before;   /* blocks preserved before, */
    uint64_t stride;   /* so far from each other */
    uint64_t accepted; /* blocks that are pending while the store is filled */
};

/* Blocks accepted, the tree grown and the store filled beside them: they drain. */
static void accept_fill_and_flush(const struct filled *f) {
    const struct rig_options options = {.origin_bytes = f->blocks * f->block_bytes,
                                        .store_bytes = f->store_bytes,
                                        .journal_bytes = 65536,
                                        .block_bytes = f->block_bytes,
                                        .deferred = f->accepted * f->block_bytes};
    struct rig rig;
    rig_open(&rig, &options);
    /* Free space in pieces: what the first half was preserved for goes again. */
    uint64_t first = rig_snapshot(&rig, "first", 0, 0);
    uint64_t second = 0;
    for (uint64_t n = 0; n < f->before; n++) {
        if (n == f->before / 2) {
            second = rig_snapshot(&rig, "second", 0, 0);
        }
        rig_write(&rig, n * f->stride, 1, 1);
    }
    assert_ok(selsnap_snapshot_delete(rig.ss, first));
    rig_settle(&rig);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_view *view = rig_view(&rig, second, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    uint64_t kept = 0;
    while (kept < f->accepted && kept * f->stride < f->blocks &&
           rig_try_write(&rig, kept * f->stride, 1, 2) == SELSNAP_OK) {
        kept++;
    }
    fill_beside(&rig, view, f->stride);
    assert_ok(selsnap_flush(rig.ss));
    for (uint64_t n = 0; n < kept; n++) {
        rig_assert_origin(&rig, n * f->stride, 1, 2);
        rig_assert_snapshot(&rig, id, n * f->stride, 1, n < f->before ? 1 : 0);
    }
    assert_int_equal(rig_stats(&rig).blocks_lost, 0);
    assert_ok(selsnap_view_reset(view));
    assert_ok(selsnap_view_close(view));
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_accepted_writes__store_filled_beside_them__drain(void **state) {
    (void)state;
    for (uint64_t accepted = 1; accepted < 90; accepted += 8) {
        const struct filled small = {MANY, 2 << 20, BLOCK, 60, 3, accepted};
        accept_fill_and_flush(&small);
    }
    for (uint64_t accepted = 1; accepted < 24; accepted += 4) {
        const struct filled coarse = {MANY / 4, 2 << 20, 4 * BLOCK, 60, 2, accepted};
        accept_fill_and_flush(&coarse);
    }
    /* Their records touch many pages of the tree. */
    const struct filled wide = {32 * MANY, 24 << 20, BLOCK, 3000, 8, 250};
    accept_fill_and_flush(&wide);
}

/* ---- room in memory, and time ---- */

static void test_writes__beyond_the_bound__drain_first(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.deferred = 3 * BLOCK + 100};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    for (uint64_t block = 0; block < 10; block++) {
        rig_write(&rig, block * 3, 1, 1);
        assert_in_range(kept_blocks(&rig), 1, 3);
        rig_assert_live(&rig, block * 3, 1, 1);
    }
    rig_write(&rig, 40, 24, 2); /* more than can be kept */
    rig_assert_live(&rig, 40, 24, 2);
    assert_ok(selsnap_flush(rig.ss));
    rig_assert_snapshot(&rig, id, 0, 64, 0);
    rig_close(&rig);
}

static void test_open__deferred_bytes__fit_the_memory_limit_or_are_refused(void **state) {
    (void)state;
    struct rig rig;
    const uint64_t least = (4 << 20) + 3 * (256 << 10);
    const struct rig_options options = {.memory_limit = least + KEEP + KEEP / 32 + 32768, .deferred = KEEP};
    rig_open(&rig, &options);
    (void)rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 0, 64, 1);
    selsnap_stats stats = rig_stats(&rig);
    assert_int_equal(stats.memory_limit_bytes, rig.options.memory_limit);
    assert_in_range(stats.memory_bytes, KEEP, stats.memory_limit_bytes);
    assert_in_range(stats.memory_peak_bytes, stats.memory_bytes, stats.memory_limit_bytes);
    rig_stop(&rig);
    rig.options.memory_limit--;
    assert_int_equal(rig_try_start(&rig), SELSNAP_EMEMLIMIT);
    rig.options.deferred = UINT64_MAX;
    assert_int_equal(rig_try_start(&rig), SELSNAP_EMEMLIMIT);
    rig.options.deferred = BLOCK - 1;
    assert_int_equal(rig_try_start(&rig), SELSNAP_EINVAL);
    assert_int_equal(rig.heap.live, 0);
    rig.options.deferred = BLOCK;
    rig_start(&rig);
    rig_close(&rig);
}

static void test_step__drains(void **state) {
    (void)state;
    struct rig rig;
    open_deferred(&rig);
    (void)rig_snapshot(&rig, "s", 0, 16);
    rig_write(&rig, 5, 1, 1);
    assert_ok(selsnap_step(rig.ss, NULL, NULL));
    assert_int_equal(kept_blocks(&rig), 0);
    rig_assert_origin(&rig, 5, 1, 1);
    rig_close(&rig);
}

static void test_write__finding_the_oldest_above_a_second__drains_it(void **state) {
    (void)state;
    struct rig rig;
    open_deferred(&rig);
    (void)rig_snapshot(&rig, "s", 0, 16);
    rig_write(&rig, 5, 1, 1);
    usleep(1100000);
    rig_write(&rig, 6, 1, 1);
    rig_assert_origin(&rig, 5, 1, 1);
    rig_close(&rig);
}

/* ---- failures ---- */

static void test_kill__loses_what_was_not_flushed_and_no_more(void **state) {
    (void)state;
    struct rig rig;
    open_deferred(&rig);
    uint64_t id = rig_snapshot(&rig, "s", 0, 16);
    rig_write(&rig, 1, 3, 1);
    assert_ok(selsnap_flush(rig.ss));
    rig_write(&rig, 2, 4, 2);
    rig_crash(&rig);
    rig_assert_live(&rig, 1, 1, 1);
    rig_assert_live(&rig, 2, 2, 2); /* needed nothing any more, and was not kept */
    rig_assert_live(&rig, 4, 2, 0);
    rig_assert_snapshot(&rig, id, 0, 16, 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_close__writes_what_is_pending(void **state) {
    (void)state;
    struct rig rig;
    open_deferred(&rig);
    uint64_t id = rig_snapshot(&rig, "s", 0, 16);
    rig_write(&rig, 1, 3, 1);
    rig_reopen(&rig);
    rig_assert_live(&rig, 1, 3, 1);
    rig_assert_snapshot(&rig, id, 0, 16, 0);
    rig_close(&rig);
}

struct pair {
    struct rig rig;
    struct wire wire;
    struct testdev *origin;
    struct testdev *store;
};

static void pair_open(struct pair *pair) {
    memset(pair, 0, sizeof *pair);
    wire_init(&pair->wire, false);
    pair->origin = testdev_open(&pair->wire, 'o', 64 * BLOCK, 512, NULL);
    pair->store = testdev_open(&pair->wire, 's', 16 << 20, 4096, NULL);
    const struct rig_options options = {.deferred = KEEP};
    rig_open_on(&pair->rig, pair->origin->device, pair->store->device, &options);
}

static void pair_close(struct pair *pair) {
    rig_close(&pair->rig);
    wire_fini(&pair->wire);
}

static void test_failing_store__keeps_data_pending_until_it_answers(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    uint64_t id = rig_snapshot(&pair.rig, "s", 0, 16);
    testdev_fail(pair.store, TESTDEV_WRITE | TESTDEV_FLUSH, 1, true);
    rig_write(&pair.rig, 3, 2, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(selsnap_flush(pair.rig.ss), SELSNAP_ESTORE);
        assert_int_not_equal(rig_try_snapshot(&pair.rig, "t", 0, 16, 0, NULL), SELSNAP_OK);
        assert_int_equal(kept_blocks(&pair.rig), 2);
        rig_assert_live(&pair.rig, 3, 2, 1);
        rig_assert_origin(&pair.rig, 3, 2, 0);
    }
    rig_write(&pair.rig, 30, 2, 1); /* needs nothing of the store */
    testdev_mend(pair.store);
    assert_ok(selsnap_flush(pair.rig.ss));
    rig_assert_origin(&pair.rig, 3, 2, 1);
    uint64_t second = rig_snapshot(&pair.rig, "t", 0, 16);
    rig_assert_snapshot(&pair.rig, second, 3, 2, 1);
    rig_assert_snapshot(&pair.rig, id, 0, 16, 0);
    rig_assert_sound(&pair.rig);
    pair_close(&pair);
}

static void test_failing_origin__keeps_data_pending_until_it_answers(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    uint64_t id = rig_snapshot(&pair.rig, "s", 0, 16);
    testdev_fail(pair.origin, TESTDEV_WRITE, 1, true);
    rig_write(&pair.rig, 3, 2, 1);
    assert_int_equal(selsnap_flush(pair.rig.ss), SELSNAP_EIO);
    rig_assert_live(&pair.rig, 3, 2, 1);
    rig_assert_snapshot(&pair.rig, id, 0, 16, 0);
    rig_write(&pair.rig, 4, 1, 2);
    testdev_mend(pair.origin);
    assert_ok(selsnap_flush(pair.rig.ss));
    rig_assert_origin(&pair.rig, 3, 1, 1);
    rig_assert_origin(&pair.rig, 4, 1, 2);
    rig_assert_snapshot(&pair.rig, id, 0, 16, 0);
    rig_assert_sound(&pair.rig);
    pair_close(&pair);
}

static void test_write__of_part_of_an_unreadable_block__goes_on_and_the_block_is_lost(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    uint64_t id = rig_snapshot(&pair.rig, "s", 0, 16);
    pair.origin->bad_ops = TESTDEV_READ;
    pair.origin->bad_offset = 3 * BLOCK;
    pair.origin->bad_len = BLOCK;
    write_part(&pair.rig, 3 * BLOCK, 512, 'z');
    pair.origin->bad_ops = 0;
    assert_part(&pair.rig, 3 * BLOCK, 512, 'z');
    uint8_t buf[BLOCK];
    assert_int_equal(rig_read_snapshot(&pair.rig, id, 3, buf), SELSNAP_ELOST);
    pair_close(&pair);
}

static void test_close__with_a_failing_store__tells_and_loses_what_is_pending(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    uint64_t id = rig_snapshot(&pair.rig, "s", 0, 16);
    rig_write(&pair.rig, 3, 2, 1);
    testdev_fail(pair.store, TESTDEV_WRITE | TESTDEV_FLUSH, 1, true);
    assert_int_equal(selsnap_close(pair.rig.ss), SELSNAP_ESTORE);
    assert_int_equal(pair.rig.heap.live, 0);
    testdev_mend(pair.store);
    rig_start(&pair.rig);
    rig_assert_live(&pair.rig, 0, 16, 0);
    rig_assert_snapshot(&pair.rig, id, 0, 16, 0);
    pair_close(&pair);
}

static void test_abandon__what_is_pending_goes_to_the_origin(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair);
    (void)rig_snapshot(&pair.rig, "s", 0, 16);
    rig_write(&pair.rig, 3, 2, 1);
    testdev_fail(pair.store, TESTDEV_WRITE | TESTDEV_FLUSH, 1, true);
    assert_int_equal(selsnap_abandon(pair.rig.ss), SELSNAP_ESTORE);
    assert_int_equal(kept_blocks(&pair.rig), 0);
    rig_assert_origin(&pair.rig, 3, 2, 1);
    rig_write(&pair.rig, 4, 2, 2);
    assert_int_equal(kept_blocks(&pair.rig), 0);
    rig_assert_origin(&pair.rig, 4, 2, 2);
    assert_ok(selsnap_flush(pair.rig.ss));
    testdev_mend(pair.store);
    assert_ok(selsnap_close(pair.rig.ss));
    pair.rig.ss = NULL;
    pair_close(&pair);
}

/* ---- beside a drain ---- */

struct create {
    pthread_t thread;
    struct rig *rig;
    uint64_t id;
    int code;
};

static void *create_snapshot(void *argument) {
    struct create *create = argument;
    create->code = rig_try_snapshot(create->rig, "second", 0, 0, SELSNAP_POLICY_FAIL_WRITE, &create->id);
    return NULL;
}

/* Blocks of 64 KiB: a round has 16 of them. */
static void test_write__between_a_point_and_its_drain__is_not_in_the_snapshot(void **state) {
    (void)state;
    enum { LARGE = 65536, COUNT = 40 };
    struct pair pair;
    memset(&pair, 0, sizeof pair);
    wire_init(&pair.wire, false);
    pair.origin = testdev_open(&pair.wire, 'o', COUNT * LARGE, 512, NULL);
    pair.store = testdev_open(&pair.wire, 's', 16 << 20, 4096, NULL);
    const struct rig_options options = {.deferred = 3 * COUNT * LARGE, .block_bytes = LARGE};
    rig_open_on(&pair.rig, pair.origin->device, pair.store->device, &options);
    uint64_t first = rig_snapshot(&pair.rig, "first", 0, 0);
    rig_write(&pair.rig, 0, COUNT, 1);
    assert_int_equal(rig_stats(&pair.rig).deferred_bytes, COUNT * LARGE);
    struct create create = {.rig = &pair.rig};
    atomic_store(&pair.store->hangs, true);
    assert_int_equal(pthread_create(&create.thread, NULL, create_snapshot, &create), 0);
    while (atomic_load(&pair.store->hanging) == 0) {
        usleep(1000);
    }
    /* The point is taken; the first blocks are being preserved for. */
    rig_write(&pair.rig, 30, 1, 2);
    write_part(&pair.rig, 31 * LARGE + 512, 512, 'z');
    rig_assert_live(&pair.rig, 0, 30, 1);
    rig_assert_live(&pair.rig, 30, 1, 2);
    rig_assert_live(&pair.rig, 32, COUNT - 32, 1);
    assert_int_equal(rig_stats(&pair.rig).deferred_bytes, (COUNT + 2) * LARGE);
    atomic_store(&pair.store->hangs, false);
    assert_int_equal(pthread_join(create.thread, NULL), 0);
    assert_ok(create.code);
    assert_ok(selsnap_flush(pair.rig.ss));
    rig_assert_snapshot(&pair.rig, first, 0, COUNT, 0);
    rig_assert_snapshot(&pair.rig, create.id, 0, COUNT, 1);
    rig_assert_live(&pair.rig, 30, 1, 2);
    assert_part(&pair.rig, 31 * LARGE + 512, 512, 'z');
    rig_assert_sound(&pair.rig);
    pair_close(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_write__deferred__is_kept_and_read_back),
        cmocka_unit_test(test_write__that_needs_nothing__is_not_kept),
        cmocka_unit_test(test_writes__of_parts__merge_with_each_other_and_the_rest),
        cmocka_unit_test(test_read__in_pieces_over_kept_blocks__each_byte_right),
        cmocka_unit_test(test_short_last_block__deferred__right),
        cmocka_unit_test(test_write_zeroes_and_discard__kept_blocks__zeroes_are_kept_and_discards_pass_by),
        cmocka_unit_test(test_first_writes__flush_every_32__two_flushes_each),
        cmocka_unit_test(test_create__with_pending_writes__three_flushes),
        cmocka_unit_test(test_pending_write__then_a_snapshot__only_the_younger_has_it),
        cmocka_unit_test(test_pending_write__whose_snapshot_is_deleted__is_not_passed_by),
        cmocka_unit_test(test_create__of_a_snapshot_while_frozen__has_what_is_pending),
        cmocka_unit_test(test_restore__with_pending_writes__undoes_them_and_keeps_later_ones),
        cmocka_unit_test(test_full_store__policy_fail__told_at_acceptance_and_flush_succeeds),
        cmocka_unit_test(test_full_store__policy_give_up__blocks_are_lost_from_then_on_and_no_others),
        cmocka_unit_test(test_views__of_a_full_store__leave_what_is_held),
        cmocka_unit_test(test_accepted_writes__store_filled_beside_them__drain),
        cmocka_unit_test(test_writes__beyond_the_bound__drain_first),
        cmocka_unit_test(test_open__deferred_bytes__fit_the_memory_limit_or_are_refused),
        cmocka_unit_test(test_step__drains),
        cmocka_unit_test(test_write__finding_the_oldest_above_a_second__drains_it),
        cmocka_unit_test(test_kill__loses_what_was_not_flushed_and_no_more),
        cmocka_unit_test(test_close__writes_what_is_pending),
        cmocka_unit_test(test_failing_store__keeps_data_pending_until_it_answers),
        cmocka_unit_test(test_failing_origin__keeps_data_pending_until_it_answers),
        cmocka_unit_test(test_write__of_part_of_an_unreadable_block__goes_on_and_the_block_is_lost),
        cmocka_unit_test(test_close__with_a_failing_store__tells_and_loses_what_is_pending),
        cmocka_unit_test(test_abandon__what_is_pending_goes_to_the_origin),
        cmocka_unit_test(test_write__between_a_point_and_its_drain__is_not_in_the_snapshot),
    };
    return cmocka_run_group_tests_name("deferred", tests, NULL, NULL);
}
