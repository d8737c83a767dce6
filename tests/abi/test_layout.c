/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layout of every public struct, as compiled programs rely on it, where pointers have 8 bytes. Members are only
 * ever added at the end: then a line is added here, and none is changed.
 */
#include "test.h"

#include <selsnap/selsnap.h>
#include <stdio.h>

struct pinned {
    const char *name;
    size_t actual;
    size_t expected;
};

#define SIZE(type, bytes) \
    { "sizeof " #type, sizeof(type), bytes }
#define AT(type, member, bytes) \
    { #type "." #member, offsetof(type, member), bytes }

static const struct pinned pinned[] = {
    SIZE(selsnap_iovec, 16),
    AT(selsnap_iovec, base, 0),
    AT(selsnap_iovec, len, 8),
    SIZE(selsnap_device_info, 32),
    AT(selsnap_device_info, struct_size, 0),
    AT(selsnap_device_info, flags, 4),
    AT(selsnap_device_info, size_bytes, 8),
    AT(selsnap_device_info, logical_block_bytes, 16),
    AT(selsnap_device_info, atomic_write_bytes, 20),
    AT(selsnap_device_info, preferred_io_bytes, 24),
    AT(selsnap_device_info, reserved, 28),
    SIZE(selsnap_io, 48),
    AT(selsnap_io, struct_size, 0),
    AT(selsnap_io, kind, 4),
    AT(selsnap_io, iov, 8),
    AT(selsnap_io, iov_count, 16),
    AT(selsnap_io, result, 20),
    AT(selsnap_io, offset, 24),
    AT(selsnap_io, len, 32),
    AT(selsnap_io, flags, 40),
    AT(selsnap_io, reserved, 44),
    SIZE(selsnap_device_ops, 96),
    AT(selsnap_device_ops, struct_size, 0),
    AT(selsnap_device_ops, reserved, 4),
    AT(selsnap_device_ops, readv, 8),
    AT(selsnap_device_ops, writev, 16),
    AT(selsnap_device_ops, flush, 24),
    AT(selsnap_device_ops, discard, 32),
    AT(selsnap_device_ops, write_zeroes, 40),
    AT(selsnap_device_ops, identity, 48),
    AT(selsnap_device_ops, change_mark, 56),
    AT(selsnap_device_ops, lock, 64),
    AT(selsnap_device_ops, unlock, 72),
    AT(selsnap_device_ops, close, 80),
    AT(selsnap_device_ops, batch, 88),
    SIZE(selsnap_allocator, 32),
    AT(selsnap_allocator, alloc, 0),
    AT(selsnap_allocator, resize, 8),
    AT(selsnap_allocator, release, 16),
    AT(selsnap_allocator, user, 24),
    SIZE(selsnap_device_counts, 80),
    AT(selsnap_device_counts, struct_size, 0),
    AT(selsnap_device_counts, reserved, 4),
    AT(selsnap_device_counts, reads, 8),
    AT(selsnap_device_counts, read_bytes, 16),
    AT(selsnap_device_counts, writes, 24),
    AT(selsnap_device_counts, write_bytes, 32),
    AT(selsnap_device_counts, flushes, 40),
    AT(selsnap_device_counts, discards, 48),
    AT(selsnap_device_counts, discard_bytes, 56),
    AT(selsnap_device_counts, zeroes, 64),
    AT(selsnap_device_counts, zero_bytes, 72),
    SIZE(selsnap_range, 16),
    AT(selsnap_range, offset, 0),
    AT(selsnap_range, len, 8),
    SIZE(selsnap_format_options, 48),
    AT(selsnap_format_options, struct_size, 0),
    AT(selsnap_format_options, flags, 4),
    AT(selsnap_format_options, block_bytes, 8),
    AT(selsnap_format_options, reserved, 12),
    AT(selsnap_format_options, journal_bytes, 16),
    AT(selsnap_format_options, ret_message, 24),
    AT(selsnap_format_options, message_size, 32),
    AT(selsnap_format_options, origin_hint, 40),
    SIZE(selsnap_event, 40),
    AT(selsnap_event, struct_size, 0),
    AT(selsnap_event, kind, 4),
    AT(selsnap_event, id, 8),
    AT(selsnap_event, offset, 16),
    AT(selsnap_event, len, 24),
    AT(selsnap_event, value, 32),
    SIZE(selsnap_open_options, 104),
    AT(selsnap_open_options, struct_size, 0),
    AT(selsnap_open_options, flags, 4),
    AT(selsnap_open_options, memory_limit, 8),
    AT(selsnap_open_options, allocator, 16),
    AT(selsnap_open_options, event, 48),
    AT(selsnap_open_options, event_user, 56),
    AT(selsnap_open_options, log, 64),
    AT(selsnap_open_options, log_user, 72),
    AT(selsnap_open_options, ret_message, 80),
    AT(selsnap_open_options, message_size, 88),
    AT(selsnap_open_options, deferred_bytes, 96),
    SIZE(selsnap_stats, 232),
    AT(selsnap_stats, struct_size, 0),
    AT(selsnap_stats, block_bytes, 4),
    AT(selsnap_stats, origin_bytes, 8),
    AT(selsnap_stats, store_bytes, 16),
    AT(selsnap_stats, store_used_bytes, 24),
    AT(selsnap_stats, store_free_bytes, 32),
    AT(selsnap_stats, store_pending_bytes, 40),
    AT(selsnap_stats, journal_bytes, 48),
    AT(selsnap_stats, journal_used_bytes, 56),
    AT(selsnap_stats, snapshots, 64),
    AT(selsnap_stats, memory_bytes, 72),
    AT(selsnap_stats, memory_peak_bytes, 80),
    AT(selsnap_stats, memory_limit_bytes, 88),
    AT(selsnap_stats, blocks_preserved, 96),
    AT(selsnap_stats, blocks_zero, 104),
    AT(selsnap_stats, blocks_lost, 112),
    AT(selsnap_stats, clean_writes, 120),
    AT(selsnap_stats, preserving_writes, 128),
    AT(selsnap_stats, commits, 136),
    AT(selsnap_stats, checkpoints, 144),
    AT(selsnap_stats, pages_read, 152),
    AT(selsnap_stats, pages_written, 160),
    AT(selsnap_stats, blocks_restored, 168),
    AT(selsnap_stats, gate_closed_ns_max, 176),
    AT(selsnap_stats, store_id, 184),
    AT(selsnap_stats, epoch, 200),
    AT(selsnap_stats, reclaim_pending, 208),
    AT(selsnap_stats, blocks_ahead, 216),
    AT(selsnap_stats, deferred_bytes, 224),
    SIZE(selsnap_step_options, 32),
    AT(selsnap_step_options, struct_size, 0),
    AT(selsnap_step_options, flags, 4),
    AT(selsnap_step_options, budget_blocks, 8),
    AT(selsnap_step_options, progress, 16),
    AT(selsnap_step_options, progress_user, 24),
    SIZE(selsnap_designation_info, 296),
    AT(selsnap_designation_info, struct_size, 0),
    AT(selsnap_designation_info, reserved, 4),
    AT(selsnap_designation_info, id, 8),
    AT(selsnap_designation_info, block_count, 16),
    AT(selsnap_designation_info, range_count, 24),
    AT(selsnap_designation_info, snapshots, 32),
    AT(selsnap_designation_info, name, 40),
    SIZE(selsnap_property, 16),
    AT(selsnap_property, key, 0),
    AT(selsnap_property, value, 8),
    SIZE(selsnap_snapshot_options, 56),
    AT(selsnap_snapshot_options, struct_size, 0),
    AT(selsnap_snapshot_options, policy, 4),
    AT(selsnap_snapshot_options, name, 8),
    AT(selsnap_snapshot_options, designation, 16),
    AT(selsnap_snapshot_options, subset, 24),
    AT(selsnap_snapshot_options, time_ns, 32),
    AT(selsnap_snapshot_options, properties, 40),
    AT(selsnap_snapshot_options, property_count, 48),
    AT(selsnap_snapshot_options, flags, 52),
    SIZE(selsnap_snapshot_info, 592),
    AT(selsnap_snapshot_info, struct_size, 0),
    AT(selsnap_snapshot_info, policy, 4),
    AT(selsnap_snapshot_info, id, 8),
    AT(selsnap_snapshot_info, point, 16),
    AT(selsnap_snapshot_info, time_ns, 24),
    AT(selsnap_snapshot_info, designation_id, 32),
    AT(selsnap_snapshot_info, block_count, 40),
    AT(selsnap_snapshot_info, range_count, 48),
    AT(selsnap_snapshot_info, holds, 56),
    AT(selsnap_snapshot_info, open_views, 60),
    AT(selsnap_snapshot_info, changed, 64),
    AT(selsnap_snapshot_info, restoring, 68),
    AT(selsnap_snapshot_info, name, 72),
    AT(selsnap_snapshot_info, designation, 328),
    AT(selsnap_snapshot_info, bookmark, 584),
    AT(selsnap_snapshot_info, reserved, 588),
    SIZE(selsnap_diff_options, 32),
    AT(selsnap_diff_options, struct_size, 0),
    AT(selsnap_diff_options, flags, 4),
    AT(selsnap_diff_options, from_id, 8),
    AT(selsnap_diff_options, to_id, 16),
    AT(selsnap_diff_options, within, 24),
    SIZE(selsnap_diff_range, 24),
    AT(selsnap_diff_range, offset, 0),
    AT(selsnap_diff_range, len, 8),
    AT(selsnap_diff_range, kind, 16),
    AT(selsnap_diff_range, reserved, 20),
    SIZE(selsnap_snapshot_usage, 64),
    AT(selsnap_snapshot_usage, struct_size, 0),
    AT(selsnap_snapshot_usage, reserved, 4),
    AT(selsnap_snapshot_usage, preserved_blocks, 8),
    AT(selsnap_snapshot_usage, zero_blocks, 16),
    AT(selsnap_snapshot_usage, lost_blocks, 24),
    AT(selsnap_snapshot_usage, alone_bytes, 32),
    AT(selsnap_snapshot_usage, shared_bytes, 40),
    AT(selsnap_snapshot_usage, overlay_blocks, 48),
    AT(selsnap_snapshot_usage, overlay_bytes, 56),
    SIZE(selsnap_map_range, 24),
    AT(selsnap_map_range, offset, 0),
    AT(selsnap_map_range, len, 8),
    AT(selsnap_map_range, state, 16),
    AT(selsnap_map_range, reserved, 20),
    SIZE(selsnap_view_options, 32),
    AT(selsnap_view_options, struct_size, 0),
    AT(selsnap_view_options, flags, 4),
    AT(selsnap_view_options, id, 8),
    AT(selsnap_view_options, name, 16),
    AT(selsnap_view_options, undesignated, 24),
    AT(selsnap_view_options, reserved, 28),
    SIZE(selsnap_restore_options, 24),
    AT(selsnap_restore_options, struct_size, 0),
    AT(selsnap_restore_options, flags, 4),
    AT(selsnap_restore_options, id, 8),
    AT(selsnap_restore_options, subset, 16),
    SIZE(selsnap_restore_info, 56),
    AT(selsnap_restore_info, struct_size, 0),
    AT(selsnap_restore_info, paused, 4),
    AT(selsnap_restore_info, job, 8),
    AT(selsnap_restore_info, snapshot_id, 16),
    AT(selsnap_restore_info, point, 24),
    AT(selsnap_restore_info, blocks_total, 32),
    AT(selsnap_restore_info, blocks_done, 40),
    AT(selsnap_restore_info, blocks_restored, 48),
    SIZE(selsnap_check_result, 40),
    AT(selsnap_check_result, struct_size, 0),
    AT(selsnap_check_result, reserved, 4),
    AT(selsnap_check_result, pages, 8),
    AT(selsnap_check_result, items, 16),
    AT(selsnap_check_result, blocks, 24),
    AT(selsnap_check_result, problems, 32),
    SIZE(selsnap_repair_options, 104),
    AT(selsnap_repair_options, struct_size, 0),
    AT(selsnap_repair_options, flags, 4),
    AT(selsnap_repair_options, memory_limit, 8),
    AT(selsnap_repair_options, allocator, 16),
    AT(selsnap_repair_options, journal_bytes, 48),
    AT(selsnap_repair_options, report, 56),
    AT(selsnap_repair_options, report_user, 64),
    AT(selsnap_repair_options, progress, 72),
    AT(selsnap_repair_options, progress_user, 80),
    AT(selsnap_repair_options, ret_message, 88),
    AT(selsnap_repair_options, message_size, 96),
    SIZE(selsnap_repair_result, 80),
    AT(selsnap_repair_result, struct_size, 0),
    AT(selsnap_repair_result, cut, 4),
    AT(selsnap_repair_result, snapshots_salvaged, 8),
    AT(selsnap_repair_result, snapshots_lost, 16),
    AT(selsnap_repair_result, designations_salvaged, 24),
    AT(selsnap_repair_result, designations_lost, 32),
    AT(selsnap_repair_result, restores_salvaged, 40),
    AT(selsnap_repair_result, restores_lost, 48),
    AT(selsnap_repair_result, blocks_salvaged, 56),
    AT(selsnap_repair_result, blocks_lost, 64),
    AT(selsnap_repair_result, pages_damaged, 72),
    SIZE(selsnap_scrub, 64),
    AT(selsnap_scrub, struct_size, 0),
    AT(selsnap_scrub, done, 4),
    AT(selsnap_scrub, position, 8),
    AT(selsnap_scrub, blocks, 40),
    AT(selsnap_scrub, bytes, 48),
    AT(selsnap_scrub, problems, 56),
};

static void test_layout__each_struct__as_pinned(void **state) {
    (void)state;
    if (sizeof(void *) != 8) {
        skip();
    }
    for (size_t i = 0; i < sizeof pinned / sizeof pinned[0]; i++) {
        if (pinned[i].actual != pinned[i].expected) {
            print_error("%s is %zu, pinned to %zu\n", pinned[i].name, pinned[i].actual, pinned[i].expected);
        }
        assert_int_equal(pinned[i].actual, pinned[i].expected);
    }
}

/* What is passed by value or in arrays cannot grow at all. */
static void test_layout__structs_without_size__never_grow(void **state) {
    (void)state;
    if (sizeof(void *) != 8) {
        skip();
    }
    assert_int_equal(sizeof(selsnap_range), 16);
    assert_int_equal(sizeof(selsnap_iovec), 16);
    assert_int_equal(sizeof(selsnap_property), 16);
    assert_int_equal(sizeof(selsnap_map_range), 24);
    assert_int_equal(sizeof(selsnap_allocator), 32);
}

static void test_layout__codes__as_pinned(void **state) {
    (void)state;
    const int codes[] = {
        SELSNAP_OK,        SELSNAP_EINVAL,     SELSNAP_ENOMEM,    SELSNAP_ERANGE,        SELSNAP_EALIGN,
        SELSNAP_EIO,       SELSNAP_ESTORE,     SELSNAP_ENOSPACE,  SELSNAP_ENOENT,        SELSNAP_EEXIST,
        SELSNAP_EBUSY,     SELSNAP_EHELD,      SELSNAP_ELOCKED,   SELSNAP_EREADONLY,     SELSNAP_ENOTSTORE,
        SELSNAP_EVERSION,  SELSNAP_EDAMAGED,   SELSNAP_ELOST,     SELSNAP_EUNDESIGNATED, SELSNAP_EORIGIN,
        SELSNAP_ECHANGED,  SELSNAP_EOVERLAP,   SELSNAP_EMEMLIMIT, SELSNAP_ELIMIT,        SELSNAP_ENOTSUP,
        SELSNAP_ECANCELED, SELSNAP_EABANDONED, SELSNAP_ETOOSMALL, SELSNAP_ENODATA,
    };
    for (int i = 0; i < (int)(sizeof codes / sizeof codes[0]); i++) {
        assert_int_equal(codes[i], -i);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout__each_struct__as_pinned),
        cmocka_unit_test(test_layout__structs_without_size__never_grow),
        cmocka_unit_test(test_layout__codes__as_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
