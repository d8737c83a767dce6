/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused by name, what the log and progress callbacks are told, and what an abandoned store still does. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static selsnap_device *memory(uint64_t size, uint32_t logical) {
    selsnap_device *device = NULL;
    assert_ok(selsnap_device_open_memory(size, logical, &device));
    return device;
}

/* ---- format ---- */

static void test_format__hint_too_long__elimit(void **state) {
    (void)state;
    char hint[SELSNAP_ORIGIN_HINT_MAX + 2];
    char told[SELSNAP_ORIGIN_HINT_MAX + 1];
    selsnap_format_options options = SELSNAP_FORMAT_OPTIONS_INIT;
    selsnap_device *origin = memory(64 * 4096, 0);
    selsnap_device *store = memory(4 << 20, 0);
    memset(hint, 'h', sizeof hint);
    hint[SELSNAP_ORIGIN_HINT_MAX + 1] = '\0';
    options.origin_hint = hint;
    options.journal_bytes = 65536;
    assert_int_equal(selsnap_format(store, origin, &options), SELSNAP_ELIMIT);
    assert_int_equal(selsnap_store_origin_hint(store, told, sizeof told), SELSNAP_ENOTSTORE);
    hint[SELSNAP_ORIGIN_HINT_MAX] = '\0';
    assert_ok(selsnap_format(store, origin, &options));
    assert_ok(selsnap_store_origin_hint(store, told, sizeof told));
    assert_string_equal(told, hint);
    selsnap_device_close(store);
    selsnap_device_close(origin);
}

static void test_format__no_block_size_given__the_origins_logical_block_is_enough(void **state) {
    (void)state;
    selsnap *ss = NULL;
    selsnap_format_options options = SELSNAP_FORMAT_OPTIONS_INIT;
    selsnap_device *origin = memory(16 * 8192, 8192);
    selsnap_device *store = memory(4 << 20, 0);
    options.journal_bytes = 65536;
    assert_ok(selsnap_format(store, origin, &options));
    assert_ok(selsnap_open(store, origin, NULL, &ss));
    assert_int_equal(selsnap_block_size(ss), 8192);
    assert_ok(selsnap_close(ss));
    selsnap_device_close(store);
    selsnap_device_close(origin);
}

static void test_format__store_of_large_logical_blocks__refused(void **state) {
    (void)state;
    selsnap_device *origin = memory(64 * 4096, 0);
    selsnap_device *store = memory(4 << 20, 8192);
    assert_int_equal(selsnap_format(store, origin, NULL), SELSNAP_EINVAL);
    selsnap_device_close(store);
    selsnap_device_close(origin);
}

/* ---- devices that cannot be written ---- */

static int no_read(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    selsnap_device *under = user;
    for (uint32_t i = 0; i < iov_count; i++) {
        int code = selsnap_device_read(under, iov[i].base, iov[i].len, offset);
        if (code != SELSNAP_OK) {
            return code;
        }
        offset += iov[i].len;
    }
    return 0;
}

/* The device, which goes on to belong to the caller, to be read alone. */
static selsnap_device *read_only(selsnap_device *under) {
    selsnap_device *device = NULL;
    selsnap_device_ops ops = {.struct_size = sizeof ops, .readv = no_read};
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    selsnap_device_info of_under = SELSNAP_DEVICE_INFO_INIT;
    assert_ok(selsnap_device_get_info(under, &of_under));
    info.size_bytes = of_under.size_bytes;
    info.logical_block_bytes = 1;
    info.flags = SELSNAP_DEVICE_READ_ONLY;
    assert_ok(selsnap_device_open(&ops, &info, under, &device));
    return device;
}

static void test_open__device_cannot_be_written__only_to_be_read(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    (void)rig_snapshot(&rig, "s", 0, 16);
    rig_write(&rig, 2, 3, 1);
    rig_stop(&rig);
    selsnap_device *origin = read_only(rig.origin_base);
    selsnap_device *store = read_only(rig.store_base);
    selsnap_device *fresh = memory(16 << 20, 0);
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    selsnap_repair_result result = SELSNAP_REPAIR_RESULT_INIT;
    char message[200] = "";
    uint8_t buf[4096];
    selsnap *ss = NULL;
    options.ret_message = message;
    options.message_size = sizeof message;
    assert_int_equal(selsnap_open(store, rig.origin_base, &options, &ss), SELSNAP_EREADONLY);
    assert_non_null(strstr(message, "open read-only"));
    assert_int_equal(selsnap_open(rig.store_base, origin, &options, &ss), SELSNAP_EREADONLY);
    options.flags = SELSNAP_OPEN_READ_ONLY;
    assert_ok(selsnap_open(store, origin, &options, &ss));
    assert_ok(selsnap_read(ss, buf, sizeof buf, 4096 * 2));
    assert_true(pattern_is(buf, sizeof buf, 4096 * 2, 1, 1));
    assert_ok(selsnap_close(ss));
    /* A repair reads both, and cannot write into the third. */
    selsnap_device *no_fresh = read_only(fresh);
    assert_int_equal(selsnap_repair(store, origin, no_fresh, NULL, &result), SELSNAP_EREADONLY);
    assert_ok(selsnap_repair(store, origin, fresh, NULL, &result));
    assert_int_equal(result.snapshots_salvaged, 1);
    selsnap_device_close(no_fresh);
    selsnap_device_close(fresh);
    selsnap_device_close(store);
    selsnap_device_close(origin);
    rig_close(&rig);
}

/* ---- snapshots and designations ---- */

static int create(struct rig *rig, const selsnap_snapshot_options *options) {
    uint64_t id = 0;
    return selsnap_snapshot_create(rig->ss, options, &id);
}

static void test_snapshot__options_that_do_not_fit__einval(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    rig_save(&rig, "d", 0, 16);
    selsnap_subset *some = rig_subset(&rig, 0, 4);
    selsnap_subset *none = NULL;
    selsnap_subset *other_size = NULL;
    selsnap_subset *other_block = NULL;
    assert_ok(selsnap_subset_open_for(rig.ss, &none));
    assert_ok(selsnap_subset_open(63 * 4096, 4096, &other_size));
    assert_ok(selsnap_subset_add(other_size, 0, 4096));
    assert_ok(selsnap_subset_open(64 * 4096, 8192, &other_block));
    assert_ok(selsnap_subset_add(other_block, 0, 4096));
    const selsnap_subset *wrong[] = {none, other_size, other_block};
    for (unsigned i = 0; i < 3; i++) {
        selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
        options.name = "s";
        options.subset = wrong[i];
        assert_int_equal(create(&rig, &options), SELSNAP_EINVAL);
        assert_int_equal(selsnap_designation_save(rig.ss, "e", wrong[i], NULL), SELSNAP_EINVAL);
    }
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    assert_int_equal(create(&rig, &options), SELSNAP_EINVAL);
    options.name = "s";
    options.subset = some;
    options.designation = "d";
    assert_int_equal(create(&rig, &options), SELSNAP_EINVAL);
    options.designation = NULL;
    options.property_count = 1;
    assert_int_equal(create(&rig, &options), SELSNAP_EINVAL);
    selsnap_property properties[] = {{"k", NULL}, {NULL, "v"}};
    options.properties = properties;
    assert_int_equal(create(&rig, &options), SELSNAP_EINVAL);
    options.properties = properties + 1;
    assert_int_equal(create(&rig, &options), SELSNAP_EINVAL);
    options.property_count = 0;
    options.policy = SELSNAP_POLICY_GIVE_UP_BLOCK + 1;
    assert_int_equal(create(&rig, &options), SELSNAP_EINVAL);
    options.policy = 0;
    options.flags = 1u << 31;
    assert_int_equal(create(&rig, &options), SELSNAP_EINVAL);
    options.flags = 0;
    assert_ok(create(&rig, &options));
    assert_int_equal(rig_stats(&rig).snapshots, 1);
    selsnap_subset_close(some);
    selsnap_subset_close(none);
    selsnap_subset_close(other_size);
    selsnap_subset_close(other_block);
    rig_close(&rig);
}

static void test_snapshot__gone__enoent_of_all_that_ask(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 16);
    rig_write(&rig, 0, 2, 1);
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    char key[SELSNAP_PROPERTY_KEY_MAX + 1];
    char value[SELSNAP_PROPERTY_VALUE_MAX + 1];
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    selsnap_snapshot_usage usage = {.struct_size = sizeof usage};
    selsnap_map_range range;
    selsnap_view_options view_options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    selsnap_subset *subset = NULL;
    selsnap_view *view = NULL;
    uint64_t job = 0;
    view_options.id = id;
    restore.id = id;
    for (unsigned i = 0; i < 2; i++) { /* before and after its space is given back */
        assert_int_equal(selsnap_snapshot_get(rig.ss, id, &info), SELSNAP_ENOENT);
        assert_int_equal(selsnap_snapshot_find(rig.ss, "s", &info), SELSNAP_ENOENT);
        assert_int_equal(selsnap_snapshot_next(rig.ss, 0, &info), SELSNAP_ENOENT);
        assert_int_equal(selsnap_snapshot_next_property(rig.ss, id, "", key, value), SELSNAP_ENOENT);
        assert_int_equal(selsnap_snapshot_get_usage(rig.ss, id, NULL, NULL, &usage), SELSNAP_ENOENT);
        assert_int_equal(selsnap_snapshot_map(rig.ss, id, 0, &range), SELSNAP_ENOENT);
        assert_int_equal(selsnap_snapshot_get_subset(rig.ss, id, &subset), SELSNAP_ENOENT);
        assert_int_equal(selsnap_snapshot_rename(rig.ss, id, "t"), SELSNAP_ENOENT);
        assert_int_equal(selsnap_snapshot_hold(rig.ss, id), SELSNAP_ENOENT);
        assert_int_equal(selsnap_snapshot_delete(rig.ss, id), SELSNAP_ENOENT);
        assert_int_equal(selsnap_view_open(rig.ss, &view_options, &view), SELSNAP_ENOENT);
        assert_int_equal(selsnap_restore_start(rig.ss, &restore, &job), SELSNAP_ENOENT);
        rig_settle(&rig);
    }
    assert_int_equal(selsnap_restore_pause(rig.ss, 99, 1), SELSNAP_ENOENT);
    assert_int_equal(selsnap_restore_run(rig.ss, 0, NULL, NULL), SELSNAP_ENOENT);
    assert_int_equal(selsnap_restore_run(rig.ss, 99, NULL, NULL), SELSNAP_ENOENT);
    rig_close(&rig);
}

static void test_text__not_utf8_or_too_long__refused_for_every_name(void **state) {
    (void)state;
    struct rig rig;
    char longest[SELSNAP_NAME_MAX + 2];
    selsnap_subset *subset = NULL;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 16);
    selsnap_subset *some = rig_subset(&rig, 0, 4);
    memset(longest, 'n', sizeof longest);
    longest[SELSNAP_NAME_MAX + 1] = '\0';
    static const char *const wrong[] = {"", "a\tb", "\x80", "\xed\xa0\x80"};
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
        options.name = wrong[i];
        assert_int_equal(create(&rig, &options), SELSNAP_EINVAL);
        assert_int_equal(selsnap_snapshot_rename(rig.ss, id, wrong[i]), SELSNAP_EINVAL);
        assert_int_equal(selsnap_designation_save(rig.ss, wrong[i], some, NULL), SELSNAP_EINVAL);
        assert_int_equal(selsnap_designation_load(rig.ss, wrong[i], &subset), SELSNAP_EINVAL);
        assert_int_equal(selsnap_designation_delete(rig.ss, wrong[i]), SELSNAP_EINVAL);
    }
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    options.name = longest;
    assert_int_equal(create(&rig, &options), SELSNAP_ELIMIT);
    assert_int_equal(selsnap_snapshot_rename(rig.ss, id, longest), SELSNAP_ELIMIT);
    assert_true(selsnap_designation_save(rig.ss, longest, some, NULL) < 0);
    longest[SELSNAP_NAME_MAX] = '\0';
    assert_ok(selsnap_snapshot_rename(rig.ss, id, longest));
    assert_ok(selsnap_snapshot_rename(rig.ss, id, longest)); /* to what it has */
    assert_ok(selsnap_designation_save(rig.ss, longest, some, NULL));
    rig_reopen(&rig);
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    assert_ok(selsnap_snapshot_find(rig.ss, longest, &info));
    assert_int_equal(info.id, id);
    selsnap_subset_close(some);
    rig_close(&rig);
}

static void test_abandoned__what_needs_the_store__eabandoned(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    rig_save(&rig, "d", 0, 16);
    uint64_t id = rig_snapshot_of(&rig, "s", "d");
    rig_write(&rig, 0, 2, 1);
    selsnap_subset *some = rig_subset(&rig, 0, 4);
    selsnap_view *view = rig_view(&rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    uint64_t job = 0;
    uint32_t more = 0;
    options.name = "t";
    options.designation = "d";
    restore.id = id;
    assert_ok(selsnap_abandon(rig.ss));
    assert_int_equal(selsnap_designation_save(rig.ss, "e", some, NULL), SELSNAP_EABANDONED);
    assert_int_equal(selsnap_designation_delete(rig.ss, "d"), SELSNAP_EABANDONED);
    assert_int_equal(create(&rig, &options), SELSNAP_EABANDONED);
    assert_int_equal(selsnap_restore_start(rig.ss, &restore, &job), SELSNAP_EABANDONED);
    assert_int_equal(selsnap_step(rig.ss, NULL, &more), SELSNAP_EABANDONED);
    assert_int_equal(selsnap_view_write(view, "x", 1, 0), SELSNAP_EABANDONED);
    rig_write(&rig, 5, 2, 2); /* nothing is preserved any more */
    rig_assert_live(&rig, 5, 2, 2);
    selsnap_subset_close(some);
    (void)!selsnap_view_close(view);
    (void)!selsnap_close(rig.ss);
    rig.ss = NULL;
    rig_close(&rig);
}

/* ---- what is told ---- */

struct told {
    unsigned levels[4];
    char last[4][400];
    uint64_t calls;
    uint64_t done;
    uint64_t total;
    uint64_t stop_at; /* the call that says stop; 0: none */
};

static void hear_log(void *user, uint32_t level, const char *message) {
    struct told *told = user;
    assert_true(level >= SELSNAP_LOG_ERROR && level <= SELSNAP_LOG_INFO);
    assert_null(strchr(message, '\n'));
    told->levels[level]++;
    (void)snprintf(told->last[level], sizeof told->last[level], "%s", message);
}

static int hear_progress(void *user, uint64_t done, uint64_t total) {
    struct told *told = user;
    told->calls++;
    assert_true(done >= told->done && done <= total);
    told->done = done;
    told->total = total;
    return told->calls == told->stop_at;
}

static void test_log__opened_failed_and_abandoned__told_by_level(void **state) {
    (void)state;
    struct rig rig;
    struct told told = {0};
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    selsnap *ss = NULL;
    rig_open(&rig, NULL);
    (void)rig_snapshot(&rig, "s", 0, 16);
    rig_stop(&rig);
    options.log = hear_log;
    options.log_user = &told;
    assert_ok(selsnap_open(rig.store, rig.origin, &options, &ss));
    assert_int_equal(told.levels[SELSNAP_LOG_INFO], 1);
    assert_string_equal(told.last[SELSNAP_LOG_INFO], "opened: 1 snapshots, 0 restores to finish");
    assert_int_equal(selsnap_snapshot_get(ss, 999, &info), SELSNAP_ENOENT);
    assert_int_equal(told.levels[SELSNAP_LOG_ERROR], 1);
    char last[400];
    (void)selsnap_last_error(ss, last, sizeof last);
    assert_string_equal(told.last[SELSNAP_LOG_ERROR], last);
    assert_int_equal(told.levels[SELSNAP_LOG_WARNING], 0);
    assert_ok(selsnap_abandon(ss));
    assert_int_equal(told.levels[SELSNAP_LOG_WARNING], 1);
    assert_non_null(strstr(told.last[SELSNAP_LOG_WARNING], "abandoned"));
    (void)!selsnap_close(ss);
    rig_close(&rig);
}

static void test_restore_run__progress__rises_to_the_end_and_can_stop(void **state) {
    (void)state;
    const struct rig_options big = {.origin_bytes = UINT64_C(6000) * 4096, .store_bytes = 48 << 20};
    struct rig rig;
    rig_open(&rig, &big);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    for (uint64_t block = 0; block < 6000; block += 250) {
        rig_write(&rig, block, 250, 1);
    }
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    uint64_t job = 0;
    restore.id = id;
    assert_ok(selsnap_restore_start(rig.ss, &restore, &job));
    struct told told = {.stop_at = 1};
    assert_int_equal(selsnap_restore_run(rig.ss, job, hear_progress, &told), SELSNAP_ECANCELED);
    assert_true(told.total == 6000 && told.done > 0 && told.done < 6000);
    assert_ok(selsnap_restore_run(rig.ss, job, hear_progress, &told));
    assert_int_equal(told.done, told.total);
    assert_int_equal(told.calls, 2);
    rig_assert_live(&rig, 0, 6000, 0);
    rig_close(&rig);
}

static void test_restore_run__ended_at_once__told_of_all_its_blocks(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 16);
    rig_write(&rig, 3, 2, 1);
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    struct told told = {0};
    uint64_t job = 0;
    restore.id = id;
    assert_ok(selsnap_restore_start(rig.ss, &restore, &job));
    assert_ok(selsnap_restore_run(rig.ss, job, hear_progress, &told));
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.done, 16);
    assert_int_equal(told.total, 16);
    assert_int_equal(selsnap_restore_run(rig.ss, job, hear_progress, &told), SELSNAP_ENOENT);
    rig_close(&rig);
}

static void test_step__progress_says_stop__canceled_and_goes_on_later(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    rig_write(&rig, 0, 64, 1);
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    uint64_t job = 0;
    restore.id = id;
    assert_ok(selsnap_restore_start(rig.ss, &restore, &job));
    struct told told = {.stop_at = 1};
    selsnap_step_options step = SELSNAP_STEP_OPTIONS_INIT;
    uint32_t more = 0;
    step.progress = hear_progress;
    step.progress_user = &told;
    step.budget_blocks = 8;
    assert_int_equal(selsnap_step(rig.ss, &step, &more), SELSNAP_ECANCELED);
    assert_true((more & SELSNAP_STEP_RESTORE) != 0);
    told = (struct told){0};
    assert_ok(selsnap_step(rig.ss, &step, NULL));
    assert_true(told.calls > 0 && told.done <= 8);
    rig_settle(&rig);
    rig_assert_live(&rig, 0, 64, 0);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format__hint_too_long__elimit),
        cmocka_unit_test(test_format__no_block_size_given__the_origins_logical_block_is_enough),
        cmocka_unit_test(test_format__store_of_large_logical_blocks__refused),
        cmocka_unit_test(test_open__device_cannot_be_written__only_to_be_read),
        cmocka_unit_test(test_snapshot__options_that_do_not_fit__einval),
        cmocka_unit_test(test_snapshot__gone__enoent_of_all_that_ask),
        cmocka_unit_test(test_text__not_utf8_or_too_long__refused_for_every_name),
        cmocka_unit_test(test_abandoned__what_needs_the_store__eabandoned),
        cmocka_unit_test(test_log__opened_failed_and_abandoned__told_by_level),
        cmocka_unit_test(test_restore_run__progress__rises_to_the_end_and_can_stop),
        cmocka_unit_test(test_restore_run__ended_at_once__told_of_all_its_blocks),
        cmocka_unit_test(test_step__progress_says_stop__canceled_and_goes_on_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
