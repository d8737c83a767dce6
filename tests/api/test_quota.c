/* SPDX-License-Identifier: Apache-2.0 */
/* Quotas of snapshots and of the store. */
#include "rig.h"

#include <string.h>

enum { BLOCK = 4096, MIB = 1 << 20 };

/* ---- support ---- */

struct told {
    unsigned filling[101];
    unsigned quota[101];
    int64_t above; /* the last percentage above 100 */
    uint64_t id;
    uint64_t quota_bytes;
};

static void on_event(void *user, const selsnap_event *event) {
    struct told *told = user;
    if (event->kind == SELSNAP_EVENT_STORE_FILLING) {
        told->filling[event->value]++;
    } else if (event->kind == SELSNAP_EVENT_QUOTA) {
        told->id = event->id;
        told->quota_bytes = event->len;
        if (event->value > 100) {
            told->above = event->value;
        } else {
            told->quota[event->value]++;
        }
    }
}

static uint64_t quota_of(struct rig *rig, uint64_t id) {
    uint64_t bytes = 1;
    assert_ok(selsnap_snapshot_get_quota(rig->ss, id, &bytes, NULL));
    return bytes;
}

static uint64_t used_of(struct rig *rig, uint64_t id) {
    uint64_t bytes = 1;
    assert_ok(selsnap_snapshot_get_quota(rig->ss, id, NULL, &bytes));
    return bytes;
}

static uint64_t store_quota(struct rig *rig) {
    uint64_t bytes = 1;
    assert_ok(selsnap_get_quota(rig->ss, &bytes));
    return bytes;
}

static selsnap_view *writable(struct rig *rig, uint64_t id) {
    return rig_view(rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
}

static int write_into(selsnap_view *view, uint64_t block, uint64_t count, uint32_t sequence) {
    uint8_t buf[16 * BLOCK];
    assert_true(count <= 16);
    for (uint64_t i = 0; i < count; i++) {
        pattern_fill(buf + i * BLOCK, BLOCK, (block + i) * BLOCK, sequence, 1);
    }
    return selsnap_view_write(view, buf, count * BLOCK, block * BLOCK);
}

static uint64_t usage_alone(struct rig *rig, uint64_t id) {
    selsnap_snapshot_usage usage = {.struct_size = sizeof usage};
    assert_ok(selsnap_snapshot_get_usage(rig->ss, id, NULL, NULL, &usage));
    assert_int_equal(usage.quota_bytes, quota_of(rig, id));
    return usage.alone_bytes;
}

/* ---- of a snapshot ---- */

static void test_snapshot_quota__cloned_as_changed__both_begin_anew(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t ids[2] = {rig_snapshot(&rig, "s", 0, 0)};
    assert_ok(selsnap_snapshot_set_quota(rig.ss, ids[0], 2 * BLOCK));
    selsnap_view *view = writable(&rig, ids[0]);
    assert_ok(write_into(view, 0, 2, 1));
    selsnap_clone_options options = SELSNAP_CLONE_OPTIONS_INIT;
    options.source_id = ids[0];
    options.name = "c";
    options.flags = SELSNAP_CLONE_AS_CHANGED;
    assert_ok(selsnap_snapshot_clone(rig.ss, &options, &ids[1]));
    assert_int_equal(quota_of(&rig, ids[1]), 0);
    assert_ok(selsnap_snapshot_set_quota(rig.ss, ids[1], 2 * BLOCK));
    assert_int_equal(used_of(&rig, ids[0]), 0);
    assert_ok(write_into(view, 1, 2, 2)); /* one of them is in what is shared */
    assert_int_equal(used_of(&rig, ids[0]), 2 * BLOCK);
    assert_int_equal(write_into(view, 0, 1, 3), SELSNAP_EQUOTA);
    assert_ok(write_into(view, 1, 2, 4));
    assert_ok(selsnap_view_close(view));
    assert_int_equal(used_of(&rig, ids[0]), 2 * BLOCK);
    assert_int_equal(used_of(&rig, ids[1]), 0);
    view = writable(&rig, ids[1]);
    assert_ok(write_into(view, 0, 2, 5));
    assert_int_equal(write_into(view, 2, 1, 5), SELSNAP_EQUOTA);
    assert_ok(selsnap_view_close(view));
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_snapshot_quota__reached__refuses_more_and_loses_nothing(void **state) {
    (void)state;
    struct told told = {0};
    struct rig rig;
    const struct rig_options options = {.event = on_event, .event_user = &told};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    assert_ok(selsnap_snapshot_set_quota(rig.ss, id, 4 * BLOCK + 100)); /* a part of a block is no room */
    selsnap_view *view = writable(&rig, id);
    assert_ok(write_into(view, 0, 4, 1));
    assert_int_equal(used_of(&rig, id), 4 * BLOCK);
    assert_int_equal(write_into(view, 4, 1, 1), SELSNAP_EQUOTA);
    assert_int_equal(used_of(&rig, id), 4 * BLOCK);
    assert_ok(selsnap_view_flush(view));
    assert_int_equal(used_of(&rig, id), 4 * BLOCK);
    assert_int_equal(write_into(view, 3, 2, 2), SELSNAP_EQUOTA);
    assert_ok(write_into(view, 0, 4, 3)); /* what is there is overwritten, flushed or not */
    assert_ok(write_into(view, 2, 2, 4));
    assert_ok(selsnap_view_discard(view, 0, 2 * BLOCK)); /* zeros take nothing */
    assert_int_equal(used_of(&rig, id), 2 * BLOCK);
    assert_ok(write_into(view, 8, 2, 1));
    assert_int_equal(write_into(view, 0, 1, 5), SELSNAP_EQUOTA);
    uint8_t buf[BLOCK];
    assert_ok(selsnap_view_read(view, buf, BLOCK, 0));
    assert_true(buf[0] == 0 && memcmp(buf, buf + 1, BLOCK - 1) == 0);
    assert_int_equal(told.id, id);
    assert_int_equal(told.quota_bytes, 4 * BLOCK + 100);
    assert_ok(selsnap_view_reset(view));
    assert_int_equal(used_of(&rig, id), 0);
    assert_ok(write_into(view, 0, 4, 6));
    assert_ok(selsnap_view_close(view));
    assert_int_equal(usage_alone(&rig, id), 0);
    assert_int_equal(told.above, 0);
    rig_write(&rig, 20, 4, 1);
    assert_int_equal(usage_alone(&rig, id), 4 * BLOCK);
    assert_int_equal(told.above, 198); /* with what is written into it; the quota is more than 4 blocks */
    rig_assert_live(&rig, 0, 20, 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

/* A long write goes in pieces of 1 MiB, of which each is written whole or not. */
static void test_snapshot_quota__long_write__its_first_part_is_there(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.origin_bytes = 4 * MIB};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    assert_ok(selsnap_snapshot_set_quota(rig.ss, id, MIB + MIB / 2));
    selsnap_view *view = writable(&rig, id);
    uint8_t *buf = malloc(2 * MIB);
    assert_non_null(buf);
    memset(buf, 0xa5, 2 * MIB);
    assert_int_equal(selsnap_view_write(view, buf, 2 * MIB, 0), SELSNAP_EQUOTA);
    assert_int_equal(used_of(&rig, id), MIB);
    assert_ok(selsnap_view_read(view, buf, BLOCK, MIB - BLOCK));
    assert_int_equal(buf[0], 0xa5);
    free(buf);
    assert_ok(selsnap_view_close(view));
    rig_assert_snapshot(&rig, id, MIB / BLOCK, MIB / BLOCK, 0);
    rig_close(&rig);
}

static void test_snapshot_quota__filling__told_at_its_steps(void **state) {
    (void)state;
    struct told told = {0};
    struct rig rig;
    const struct rig_options options = {.origin_bytes = 128 * BLOCK, .event = on_event, .event_user = &told};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    assert_ok(selsnap_snapshot_set_quota(rig.ss, id, 100 * BLOCK));
    selsnap_view *view = writable(&rig, id);
    static const unsigned steps[] = {75, 90, 95, 99};
    size_t next = 0;
    for (uint64_t block = 0; block < 100; block++) {
        assert_ok(write_into(view, block, 1, 1));
        next += next < 4 && block + 1 == steps[next];
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(told.quota[steps[i]], i < next ? 1 : 0);
        }
    }
    assert_int_equal(told.quota[100], 0);
    assert_int_equal(write_into(view, 100, 1, 1), SELSNAP_EQUOTA);
    assert_int_equal(write_into(view, 101, 1, 1), SELSNAP_EQUOTA);
    assert_int_equal(told.quota[100], 1); /* once, until it is less again */
    assert_ok(selsnap_view_discard(view, 0, 20 * BLOCK));
    assert_ok(write_into(view, 0, 10, 1));
    assert_int_equal(told.quota[90], 2);
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

static void test_snapshot_quota__set_below_use_and_raised__goes_on(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_view *view = writable(&rig, id);
    assert_ok(write_into(view, 0, 8, 1));
    assert_ok(selsnap_view_flush(view));
    assert_ok(write_into(view, 6, 8, 2)); /* 14 in all, of which 8 are pending */
    assert_ok(selsnap_snapshot_set_quota(rig.ss, id, 2 * BLOCK));
    assert_int_equal(used_of(&rig, id), 14 * BLOCK);
    assert_int_equal(write_into(view, 20, 1, 1), SELSNAP_EQUOTA);
    assert_ok(write_into(view, 0, 14, 3));
    assert_ok(selsnap_snapshot_set_quota(rig.ss, id, 15 * BLOCK));
    assert_ok(write_into(view, 20, 1, 1));
    assert_int_equal(write_into(view, 21, 1, 1), SELSNAP_EQUOTA);
    assert_ok(selsnap_snapshot_set_quota(rig.ss, id, 0));
    assert_ok(write_into(view, 21, 2, 1));
    assert_ok(selsnap_snapshot_set_quota(rig.ss, id, 17 * BLOCK)); /* what was written without one counts */
    assert_int_equal(write_into(view, 23, 1, 1), SELSNAP_EQUOTA);
    assert_int_equal(used_of(&rig, id), 17 * BLOCK);
    assert_ok(selsnap_view_close(view));
    rig_close(&rig);
}

static void test_snapshot_quota__reopened__holds_beside_an_expiry(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    uint64_t other = rig_snapshot(&rig, "t", 0, 0);
    assert_ok(selsnap_snapshot_set_quota(rig.ss, id, 3 * BLOCK));
    assert_ok(selsnap_snapshot_set_expiry(rig.ss, id, INT64_MAX));
    assert_ok(selsnap_snapshot_set_quota(rig.ss, other, UINT64_MAX));
    selsnap_view *view = writable(&rig, id);
    assert_ok(write_into(view, 0, 3, 1));
    assert_ok(selsnap_view_close(view));
    rig_crash(&rig);
    rig_reopen(&rig);
    assert_int_equal(quota_of(&rig, id), 3 * BLOCK);
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    assert_ok(selsnap_snapshot_get(rig.ss, other, &info));
    assert_true(info.quota_bytes == UINT64_MAX);
    view = writable(&rig, id);
    assert_int_equal(write_into(view, 3, 1, 1), SELSNAP_EQUOTA);
    assert_ok(selsnap_view_close(view));
    int64_t time = 0;
    assert_ok(selsnap_snapshot_get_expiry(rig.ss, id, &time));
    assert_true(time == INT64_MAX);
    /* One with a quota alone never expires. */
    uint64_t count = 9;
    assert_ok(selsnap_expire(rig.ss, INT64_MAX - 1, 0, NULL, NULL, &count));
    assert_int_equal(count, 0);
    assert_ok(selsnap_snapshot_set_quota(rig.ss, id, 0));
    assert_ok(selsnap_snapshot_get_expiry(rig.ss, id, &time));
    assert_true(time == INT64_MAX);
    assert_int_equal(quota_of(&rig, id), 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_snapshot_quota__copies_it_alone_needs__told_by_its_usage(void **state) {
    (void)state;
    struct told told = {0};
    struct rig rig;
    const struct rig_options options = {.event = on_event, .event_user = &told};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    assert_ok(selsnap_snapshot_set_quota(rig.ss, id, 4 * BLOCK));
    rig_write(&rig, 0, 4, 1);
    assert_int_equal(usage_alone(&rig, id), 4 * BLOCK);
    assert_int_equal(told.above, 0);
    rig_write(&rig, 4, 4, 1); /* preserving is never refused for it */
    assert_int_equal(usage_alone(&rig, id), 8 * BLOCK);
    assert_int_equal(told.above, 200);
    assert_int_equal(told.id, id);
    rig_assert_snapshot(&rig, id, 0, 8, 0);
    rig_close(&rig);
}

/* ---- of the store ---- */

/* Writes new blocks until one is refused; gives how many were not. */
static uint64_t fill(struct rig *rig, uint64_t first) {
    uint64_t block = first;
    int code = SELSNAP_OK;
    while (block < rig->block_count && (code = rig_try_write(rig, block, 1, 1)) == SELSNAP_OK) {
        block++;
    }
    assert_int_equal(code, SELSNAP_ENOSPACE);
    return block - first;
}

static void test_store_quota__reached__is_as_a_full_store(void **state) {
    (void)state;
    struct told told = {0};
    struct rig rig;
    const struct rig_options options = {.origin_bytes = 8 * MIB, .event = on_event, .event_user = &told};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    uint64_t quota = rig_stats(&rig).store_used_bytes + 2 * MIB;
    assert_ok(selsnap_set_quota(rig.ss, quota));
    assert_int_equal(store_quota(&rig), quota);
    assert_int_equal(rig_stats(&rig).store_quota_bytes, quota);
    assert_true(rig_stats(&rig).store_free_bytes <= 2 * MIB);
    uint64_t kept = fill(&rig, 0);
    assert_in_range(kept, MIB / BLOCK, 2 * MIB / BLOCK);
    assert_true(rig_stats(&rig).store_used_bytes <= quota);
    assert_int_equal(told.filling[75] + told.filling[90], 2);
    rig_assert_live(&rig, kept, 1, 0);
    rig_assert_snapshot(&rig, id, 0, rig.block_count, 0);
    selsnap_view *view = writable(&rig, id);
    assert_int_equal(write_into(view, 0, 16, 2), SELSNAP_ENOSPACE);
    assert_ok(selsnap_view_close(view));
    assert_ok(selsnap_set_quota(rig.ss, quota + MIB)); /* there is room for that */
    assert_true(fill(&rig, kept) > 0);
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    rig_settle(&rig);
    (void)rig_snapshot(&rig, "u", 0, 0);
    rig_write(&rig, 0, 16, 2);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_store_quota__policy_give_up__loses_blocks_and_writes(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.origin_bytes = 8 * MIB};
    rig_open(&rig, &options);
    uint64_t id;
    assert_ok(rig_try_snapshot(&rig, "s", 0, 0, SELSNAP_POLICY_GIVE_UP_BLOCK, &id));
    assert_ok(selsnap_set_quota(rig.ss, rig_stats(&rig).store_used_bytes + MIB / 2));
    for (uint64_t block = 0; block < 256; block++) {
        rig_write(&rig, block, 1, 1);
    }
    assert_in_range(rig_stats(&rig).blocks_lost, 128, 255);
    assert_int_equal(rig_state(&rig, id, 255), SELSNAP_BLOCKS_LOST);
    rig_assert_snapshot(&rig, id, 0, 16, 0);
    rig_assert_live(&rig, 0, 256, 1);
    rig_close(&rig);
}

static void test_store_quota__below_use__only_growth_is_refused(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.origin_bytes = 8 * MIB};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 64);
    rig_write(&rig, 0, 16, 1);
    assert_ok(selsnap_set_quota(rig.ss, 1));
    assert_int_equal(rig_stats(&rig).store_free_bytes, 0);
    assert_int_equal(rig_stats(&rig).store_quota_bytes, BLOCK); /* no less than a page */
    rig_write(&rig, 0, 16, 2);                                  /* preserved already */
    rig_write(&rig, 100, 16, 1);                                /* nobody needs it */
    assert_int_equal(rig_try_write(&rig, 20, 1, 1), SELSNAP_ENOSPACE);
    uint64_t other;
    assert_int_equal(rig_try_snapshot(&rig, "t", 0, 0, SELSNAP_POLICY_FAIL_WRITE, &other), SELSNAP_ENOSPACE);
    rig_crash(&rig);
    assert_int_equal(rig_try_write(&rig, 20, 1, 1), SELSNAP_ENOSPACE);
    assert_int_equal(store_quota(&rig), 1);
    rig_assert_snapshot(&rig, id, 0, 64, 0);
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    rig_settle(&rig);
    assert_ok(selsnap_set_quota(rig.ss, 0));
    assert_int_equal(rig_stats(&rig).store_quota_bytes, 0);
    rig_reopen(&rig);
    assert_int_equal(store_quota(&rig), 0);
    assert_true(rig_stats(&rig).store_free_bytes > MIB);
    assert_ok(selsnap_set_quota(rig.ss, UINT64_MAX)); /* more than the store has */
    assert_true(store_quota(&rig) == UINT64_MAX);
    assert_int_equal(rig_stats(&rig).store_quota_bytes, 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_store_quota__deferred__what_was_accepted_is_kept(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.origin_bytes = 8 * MIB, .deferred = 128 * BLOCK};
    rig_open(&rig, &options);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 0, 64, 1);
    assert_int_equal(rig_stats(&rig).deferred_bytes, 64 * BLOCK);
    assert_ok(selsnap_set_quota(rig.ss, 1));
    assert_ok(selsnap_flush(rig.ss));
    assert_int_equal(rig_stats(&rig).deferred_bytes, 0);
    rig_assert_origin(&rig, 0, 64, 1);
    rig_assert_snapshot(&rig, id, 0, 64, 0);
    assert_int_equal(rig_try_write(&rig, 64, 1, 1), SELSNAP_ENOSPACE); /* from now on it is told at once */
    assert_int_equal(rig_stats(&rig).deferred_bytes, 0);
    rig_assert_live(&rig, 64, 1, 0);
    assert_ok(selsnap_set_quota(rig.ss, 0));
    rig_write(&rig, 64, 1, 1);
    rig_close(&rig);
}

static void test_store_quota__set_before_a_flush__what_was_written_is_kept(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    selsnap_view *view = writable(&rig, id);
    assert_ok(write_into(view, 0, 16, 1));
    assert_ok(selsnap_set_quota(rig.ss, 1));
    assert_ok(selsnap_view_flush(view));
    assert_int_equal(write_into(view, 16, 1, 1), SELSNAP_ENOSPACE);
    assert_ok(selsnap_view_close(view));
    rig_crash(&rig);
    assert_int_equal(used_of(&rig, id), 16 * BLOCK);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

/* Nothing is preserved ahead where the quota leaves little room. */
static void test_store_quota__nearly_reached__nothing_is_preserved_ahead(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.origin_bytes = 8 * MIB, .ahead = true};
    rig_open(&rig, &options);
    (void)rig_snapshot(&rig, "s", 0, 0);
    assert_ok(selsnap_set_quota(rig.ss, rig_stats(&rig).store_used_bytes + MIB));
    uint64_t kept = fill(&rig, 0);
    uint64_t ahead = rig_stats(&rig).blocks_ahead;
    assert_in_range(kept, 128, 255);
    assert_true(ahead > 0 && ahead < kept);
    rig_close(&rig);
}

/* ---- both ---- */

static void test_quota__wrong_arguments__refused(void **state) {
    (void)state;
    struct rig rig;
    uint64_t bytes = 7;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 8);
    assert_int_equal(selsnap_snapshot_set_quota(NULL, id, 1), SELSNAP_EINVAL);
    assert_int_equal(selsnap_snapshot_get_quota(NULL, id, &bytes, NULL), SELSNAP_EINVAL);
    assert_int_equal(selsnap_set_quota(NULL, 1), SELSNAP_EINVAL);
    assert_int_equal(selsnap_get_quota(NULL, &bytes), SELSNAP_EINVAL);
    assert_int_equal(selsnap_get_quota(rig.ss, NULL), SELSNAP_EINVAL);
    assert_int_equal(selsnap_snapshot_set_quota(rig.ss, id + 1, 1), SELSNAP_ENOENT);
    assert_int_equal(selsnap_snapshot_get_quota(rig.ss, id + 1, &bytes, &bytes), SELSNAP_ENOENT);
    assert_int_equal(bytes, 7);
    assert_ok(selsnap_snapshot_get_quota(rig.ss, id, NULL, NULL));
    assert_ok(selsnap_snapshot_set_quota(rig.ss, id, 5));
    assert_ok(selsnap_set_quota(rig.ss, 6));
    rig_stop(&rig);
    rig.options.open_flags = SELSNAP_OPEN_READ_ONLY;
    rig_start(&rig);
    assert_int_equal(selsnap_snapshot_set_quota(rig.ss, id, 1), SELSNAP_EREADONLY);
    assert_int_equal(selsnap_set_quota(rig.ss, 1), SELSNAP_EREADONLY);
    assert_int_equal(quota_of(&rig, id), 5);
    assert_int_equal(used_of(&rig, id), 0);
    assert_int_equal(store_quota(&rig), 6);
    rig_close(&rig);
}

static void test_repair__quotas__carried_over(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 8);
    assert_ok(selsnap_snapshot_set_quota(rig.ss, id, 2 * BLOCK));
    assert_ok(selsnap_set_quota(rig.ss, 3 * MIB));
    rig_stop(&rig);
    selsnap_device *fresh = NULL;
    assert_ok(selsnap_device_open_memory(16 << 20, 512, &fresh));
    selsnap_repair_result result = SELSNAP_REPAIR_RESULT_INIT;
    assert_ok(selsnap_repair(rig.store_base, rig.origin_base, fresh, NULL, &result));
    selsnap *kept = rig.ss;
    assert_ok(selsnap_open(fresh, rig.origin_base, NULL, &rig.ss));
    assert_int_equal(quota_of(&rig, id), 2 * BLOCK);
    assert_int_equal(store_quota(&rig), 3 * MIB);
    assert_int_equal(rig_stats(&rig).store_quota_bytes, 3 * MIB);
    rig_assert_sound(&rig);
    assert_ok(selsnap_close(rig.ss));
    rig.ss = kept;
    selsnap_device_close(fresh);
    rig_start(&rig);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshot_quota__cloned_as_changed__both_begin_anew),
        cmocka_unit_test(test_snapshot_quota__reached__refuses_more_and_loses_nothing),
        cmocka_unit_test(test_snapshot_quota__long_write__its_first_part_is_there),
        cmocka_unit_test(test_snapshot_quota__filling__told_at_its_steps),
        cmocka_unit_test(test_snapshot_quota__set_below_use_and_raised__goes_on),
        cmocka_unit_test(test_snapshot_quota__reopened__holds_beside_an_expiry),
        cmocka_unit_test(test_snapshot_quota__copies_it_alone_needs__told_by_its_usage),
        cmocka_unit_test(test_store_quota__reached__is_as_a_full_store),
        cmocka_unit_test(test_store_quota__policy_give_up__loses_blocks_and_writes),
        cmocka_unit_test(test_store_quota__below_use__only_growth_is_refused),
        cmocka_unit_test(test_store_quota__deferred__what_was_accepted_is_kept),
        cmocka_unit_test(test_store_quota__set_before_a_flush__what_was_written_is_kept),
        cmocka_unit_test(test_store_quota__nearly_reached__nothing_is_preserved_ahead),
        cmocka_unit_test(test_quota__wrong_arguments__refused),
        cmocka_unit_test(test_repair__quotas__carried_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
