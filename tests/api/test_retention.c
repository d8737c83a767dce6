/* SPDX-License-Identifier: Apache-2.0 */
/* Holds with a reason, locks, expiry, and deleting by keep rules. */
#include "dump.h"
#include "rig.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const int64_t SECOND = 1000000000;
static const int64_t DAY = 86400 * INT64_C(1000000000);

static int64_t now(void) {
    struct timespec time;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &time), 0);
    return (int64_t)time.tv_sec * SECOND + time.tv_nsec;
}

static void wait_until(int64_t time_ns) {
    while (now() < time_ns) {
        struct timespec little = {0, 1000000};
        (void)nanosleep(&little, NULL);
    }
}

static int try_hold(struct rig *rig, uint64_t id, uint32_t flags, int64_t until_ns, const char *reason,
                    uint64_t *ret_hold) {
    selsnap_hold_options options = SELSNAP_HOLD_OPTIONS_INIT;
    options.flags = flags;
    options.until_ns = until_ns;
    options.reason = reason;
    return selsnap_hold_add(rig->ss, id, &options, ret_hold);
}

static uint64_t hold(struct rig *rig, uint64_t id, uint32_t flags, int64_t until_ns, const char *reason) {
    uint64_t number = 0;
    assert_ok(try_hold(rig, id, flags, until_ns, reason, &number));
    return number;
}

static uint32_t holds_of(struct rig *rig, uint64_t id) {
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    assert_ok(selsnap_snapshot_get(rig->ss, id, &info));
    return info.holds;
}

static selsnap_hold_info next(struct rig *rig, uint64_t id, uint64_t after) {
    selsnap_hold_info info = {.struct_size = sizeof info};
    assert_ok(selsnap_hold_next(rig->ss, id, after, &info));
    return info;
}

static uint64_t snapshot_at(struct rig *rig, const char *name, int64_t time_ns) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    uint64_t id = 0;
    options.name = name;
    options.time_ns = time_ns;
    assert_ok(selsnap_snapshot_create(rig->ss, &options, &id));
    return id;
}

/* ---- holds ---- */

static void test_hold__added__refuses_deletion_until_released(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 8);
    uint64_t first = hold(&rig, id, 0, 0, "backup 7 reads it");
    assert_ok(selsnap_snapshot_hold(rig.ss, id));
    uint64_t second = 0;
    assert_ok(selsnap_hold_add(rig.ss, id, NULL, &second));
    assert_true(second > first);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(holds_of(&rig, id), 3);
        assert_int_equal(selsnap_snapshot_delete(rig.ss, id), SELSNAP_EHELD);
        selsnap_hold_info info = next(&rig, id, 0);
        assert_int_equal(info.hold, first);
        assert_string_equal(info.reason, "backup 7 reads it");
        assert_int_equal(info.until_ns, 0);
        assert_int_equal(info.ended, 0);
        assert_true(info.since_ns <= now() && info.since_ns > now() - DAY);
        assert_string_equal(next(&rig, id, first).reason, "");
        assert_int_equal(selsnap_hold_next(rig.ss, id, second, &info), SELSNAP_ENOENT);
        rig_crash(&rig);
    }
    uint64_t third = hold(&rig, id, 0, 0, "after a crash");
    assert_true(third > second);
    assert_ok(selsnap_hold_release(rig.ss, id, third));
    assert_ok(selsnap_hold_release(rig.ss, id, first));
    assert_int_equal(selsnap_hold_release(rig.ss, id, first), SELSNAP_ENOENT);
    assert_ok(selsnap_snapshot_release(rig.ss, id));
    assert_int_equal(selsnap_snapshot_delete(rig.ss, id), SELSNAP_EHELD);
    assert_ok(selsnap_hold_release(rig.ss, id, second));
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_hold__end_passed__counts_no_more(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 8);
    int64_t end = now() + SECOND / 5;
    uint64_t number = hold(&rig, id, SELSNAP_HOLD_LOCK, end, "");
    assert_int_equal(holds_of(&rig, id), 1);
    assert_int_equal(selsnap_snapshot_delete(rig.ss, id), SELSNAP_EHELD);
    wait_until(end);
    assert_int_equal(holds_of(&rig, id), 0);
    assert_int_equal(next(&rig, id, 0).ended, 1);
    assert_ok(selsnap_snapshot_set_expiry(rig.ss, id, 5));
    assert_ok(selsnap_snapshot_delete(rig.ss, id));
    assert_int_equal(selsnap_hold_release(rig.ss, id, number), SELSNAP_ENOENT);
    assert_int_equal(dump_count(rig.ss, "hold", NULL) + dump_count(rig.ss, "term", NULL), 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_lock__before_its_end__nothing_lifts_it(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 8);
    int64_t end = now() + DAY;
    uint64_t lock = hold(&rig, id, SELSNAP_HOLD_LOCK, end, "law");
    for (int again = 0; again < 2; again++) {
        assert_int_equal(selsnap_hold_release(rig.ss, id, lock), SELSNAP_EHELD);
        assert_int_equal(selsnap_hold_set_end(rig.ss, id, lock, end - 1), SELSNAP_EHELD);
        assert_int_equal(selsnap_hold_set_end(rig.ss, id, lock, 0), SELSNAP_EINVAL);
        assert_int_equal(selsnap_hold_set_end(rig.ss, id, lock, 1), SELSNAP_EINVAL);
        assert_int_equal(selsnap_snapshot_release(rig.ss, id), SELSNAP_EINVAL);
        assert_int_equal(selsnap_snapshot_delete(rig.ss, id), SELSNAP_EHELD);
        assert_int_equal(next(&rig, id, 0).until_ns, end);
        rig_crash(&rig);
    }
    assert_ok(selsnap_hold_set_end(rig.ss, id, lock, end + DAY));
    assert_int_equal(selsnap_hold_set_end(rig.ss, id, lock, end), SELSNAP_EHELD);
    rig_reopen(&rig);
    assert_int_equal(next(&rig, id, 0).until_ns, end + DAY);
    assert_int_equal(next(&rig, id, 0).flags, SELSNAP_HOLD_LOCK);
    rig_close(&rig);
}

static void test_lock__end_passed__can_be_released(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 8);
    int64_t end = now() + SECOND / 10;
    uint64_t lock = hold(&rig, id, SELSNAP_HOLD_LOCK, end, "");
    wait_until(end);
    assert_ok(selsnap_hold_release(rig.ss, id, lock));
    rig_close(&rig);
}

static void test_hold__plain__its_end_moves_both_ways(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 8);
    uint64_t number = hold(&rig, id, 0, now() + 2 * DAY, "x");
    assert_ok(selsnap_hold_set_end(rig.ss, id, number, now() + DAY));
    assert_ok(selsnap_hold_set_end(rig.ss, id, number, 0));
    assert_int_equal(next(&rig, id, 0).until_ns, 0);
    assert_ok(selsnap_hold_release(rig.ss, id, number));
    rig_close(&rig);
}

static void test_hold__wrong_arguments__refused(void **state) {
    (void)state;
    struct rig rig;
    char reason[SELSNAP_HOLD_REASON_MAX + 2];
    uint64_t number = 77;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 8);
    memset(reason, 'r', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    assert_int_equal(try_hold(&rig, id, 0, 0, reason, &number), SELSNAP_ELIMIT);
    assert_int_equal(try_hold(&rig, id, 0, 0, "a\nb", &number), SELSNAP_EINVAL);
    assert_int_equal(try_hold(&rig, id, 2, 0, "", &number), SELSNAP_EINVAL);
    assert_int_equal(try_hold(&rig, id, SELSNAP_HOLD_LOCK, 0, "", &number), SELSNAP_EINVAL);
    assert_int_equal(try_hold(&rig, id, 0, now() - 1, "", &number), SELSNAP_EINVAL);
    assert_int_equal(try_hold(&rig, id, 0, -1, "", &number), SELSNAP_EINVAL);
    assert_int_equal(try_hold(&rig, id + 1, 0, 0, "", &number), SELSNAP_ENOENT);
    assert_int_equal(selsnap_hold_set_end(rig.ss, id, 1, 0), SELSNAP_ENOENT);
    assert_int_equal(number, 77);
    reason[SELSNAP_HOLD_REASON_MAX] = '\0';
    number = hold(&rig, id, 0, 0, reason);
    assert_string_equal(next(&rig, id, 0).reason, reason);
    for (unsigned i = 1; i < SELSNAP_HOLDS_MAX; i++) {
        number = hold(&rig, id, 0, 0, reason);
    }
    assert_int_equal(try_hold(&rig, id, 0, 0, "", NULL), SELSNAP_ELIMIT);
    assert_ok(selsnap_hold_release(rig.ss, id, number));
    assert_ok(try_hold(&rig, id, 0, 0, "", NULL));
    assert_int_equal(holds_of(&rig, id), SELSNAP_HOLDS_MAX);
    rig_close(&rig);
}

static void test_hold__read_only__told_but_not_changed(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 8);
    uint64_t number = hold(&rig, id, 0, 0, "x");
    rig_stop(&rig);
    rig.options.open_flags |= SELSNAP_OPEN_READ_ONLY;
    rig_start(&rig);
    assert_string_equal(next(&rig, id, 0).reason, "x");
    assert_int_equal(try_hold(&rig, id, 0, 0, "", NULL), SELSNAP_EREADONLY);
    assert_int_equal(selsnap_hold_release(rig.ss, id, number), SELSNAP_EREADONLY);
    assert_int_equal(selsnap_hold_set_end(rig.ss, id, number, 0), SELSNAP_EREADONLY);
    assert_int_equal(selsnap_snapshot_set_expiry(rig.ss, id, 1), SELSNAP_EREADONLY);
    assert_int_equal(selsnap_expire(rig.ss, 0, 0, NULL, NULL, NULL), SELSNAP_EREADONLY);
    assert_ok(selsnap_expire(rig.ss, 0, SELSNAP_RETAIN_DRY_RUN, NULL, NULL, NULL));
    rig_close(&rig);
}

/* ---- a verdict's record ---- */

struct heard {
    char text[512];
    unsigned stop_after; /* verdicts; 0: never */
    unsigned count;
};

static int hear(void *user, const selsnap_snapshot_info *info, uint32_t verdict, uint32_t reasons) {
    static const char letters[] = "lhdwmyHUEN";
    struct heard *heard = user;
    size_t len = strlen(heard->text);
    (void)snprintf(heard->text + len, sizeof heard->text - len, "%s%s", verdict == SELSNAP_VERDICT_DELETE ? "-" : "+",
                   info->name);
    for (unsigned bit = 0; bit < sizeof letters - 1; bit++) {
        len = strlen(heard->text);
        (void)snprintf(heard->text + len, sizeof heard->text - len, "%.*s", (int)(reasons >> bit & 1), &letters[bit]);
    }
    len = strlen(heard->text);
    (void)snprintf(heard->text + len, sizeof heard->text - len, " ");
    return ++heard->count == heard->stop_after;
}

static void assert_expires(struct rig *rig, int64_t time_ns, uint32_t flags, const char *expected, uint64_t deleted) {
    struct heard heard = {{0}, 0, 0};
    uint64_t count = 99;
    assert_ok(selsnap_expire(rig->ss, time_ns, flags, hear, &heard, &count));
    assert_string_equal(heard.text, expected);
    assert_int_equal(count, deleted);
}

static void assert_retains(struct rig *rig, const selsnap_keep_rules *rules, uint32_t flags, const char *expected,
                           uint64_t deleted) {
    struct heard heard = {{0}, 0, 0};
    uint64_t count = 99;
    assert_ok(selsnap_retain(rig->ss, rules, flags, hear, &heard, &count));
    assert_string_equal(heard.text, expected);
    assert_int_equal(count, deleted);
}

/* ---- expiry ---- */

static void test_expire__held_or_in_use__kept(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t a = rig_snapshot(&rig, "a", 0, 8);
    uint64_t b = rig_snapshot(&rig, "b", 0, 8);
    uint64_t c = rig_snapshot(&rig, "c", 0, 8);
    uint64_t d = rig_snapshot(&rig, "d", 0, 8);
    (void)rig_snapshot(&rig, "e", 0, 8);
    assert_ok(selsnap_snapshot_set_expiry(rig.ss, a, 100));
    assert_ok(selsnap_snapshot_set_expiry(rig.ss, b, 100));
    assert_ok(selsnap_snapshot_set_expiry(rig.ss, c, 100));
    assert_ok(selsnap_snapshot_set_expiry(rig.ss, d, 101));
    uint64_t number = hold(&rig, b, SELSNAP_HOLD_LOCK, now() + DAY, "");
    selsnap_view *view = rig_view(&rig, c, 0, 0);
    assert_expires(&rig, 99, 0, "", 0);
    assert_expires(&rig, 100, SELSNAP_RETAIN_DRY_RUN, "-aE +bHE +cUE ", 1);
    assert_expires(&rig, 100, 0, "-aE +bHE +cUE ", 1);
    assert_ok(selsnap_view_close(view));
    assert_expires(&rig, 100, 0, "+bHE -cE ", 1);
    rig_crash(&rig);
    assert_expires(&rig, 0, 0, "+bHE -dE ", 1);
    assert_int_equal(selsnap_hold_release(rig.ss, b, number), SELSNAP_EHELD);
    assert_int_equal(rig_stats(&rig).snapshots, 2);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_expiry__set_and_taken_back__told(void **state) {
    (void)state;
    struct rig rig;
    int64_t time = 1;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "a", 0, 8);
    assert_ok(selsnap_snapshot_get_expiry(rig.ss, id, &time));
    assert_int_equal(time, 0);
    assert_ok(selsnap_snapshot_set_expiry(rig.ss, id, -5));
    rig_crash(&rig);
    assert_ok(selsnap_snapshot_get_expiry(rig.ss, id, &time));
    assert_int_equal(time, -5);
    assert_ok(selsnap_snapshot_set_expiry(rig.ss, id, 0));
    rig_crash(&rig);
    assert_ok(selsnap_snapshot_get_expiry(rig.ss, id, &time));
    assert_int_equal(time, 0);
    assert_expires(&rig, INT64_MAX, 0, "", 0);
    assert_int_equal(selsnap_snapshot_set_expiry(rig.ss, id + 1, 1), SELSNAP_ENOENT);
    assert_int_equal(selsnap_snapshot_get_expiry(rig.ss, id + 1, &time), SELSNAP_ENOENT);
    rig_close(&rig);
}

/* Moves the expiry of the last one when told of the first. */
static int save_the_last(void *user, const selsnap_snapshot_info *info, uint32_t verdict, uint32_t reasons) {
    struct rig *rig = user;
    (void)info;
    (void)reasons;
    assert_int_equal(verdict, SELSNAP_VERDICT_DELETE);
    selsnap_snapshot_info last = {.struct_size = sizeof last};
    assert_ok(selsnap_snapshot_find(rig->ss, "b", &last));
    assert_ok(selsnap_snapshot_set_expiry(rig->ss, last.id, 1000));
    return 0;
}

static void test_expire__expiry_moved_meanwhile__kept(void **state) {
    (void)state;
    struct rig rig;
    uint64_t count = 0;
    rig_open(&rig, NULL);
    uint64_t a = rig_snapshot(&rig, "a", 0, 8);
    uint64_t b = rig_snapshot(&rig, "b", 0, 8);
    assert_ok(selsnap_snapshot_set_expiry(rig.ss, a, 1));
    assert_ok(selsnap_snapshot_set_expiry(rig.ss, b, 1));
    assert_ok(selsnap_expire(rig.ss, 10, 0, save_the_last, &rig, &count));
    assert_int_equal(count, 1);
    assert_expires(&rig, 1000, 0, "-bE ", 1);
    rig_close(&rig);
}

static void test_expire__callback_stops__the_rest_stays(void **state) {
    (void)state;
    struct rig rig;
    struct heard heard = {{0}, 1, 0};
    uint64_t count = 0;
    rig_open(&rig, NULL);
    assert_ok(selsnap_snapshot_set_expiry(rig.ss, rig_snapshot(&rig, "a", 0, 8), 1));
    assert_ok(selsnap_snapshot_set_expiry(rig.ss, rig_snapshot(&rig, "b", 0, 8), 1));
    assert_int_equal(selsnap_expire(rig.ss, 10, 0, hear, &heard, &count), SELSNAP_ECANCELED);
    assert_int_equal(count, 1);
    assert_int_equal(rig_stats(&rig).snapshots, 1);
    assert_int_equal(selsnap_expire(rig.ss, 10, 2, NULL, NULL, NULL), SELSNAP_EINVAL);
    rig_close(&rig);
}

/* ---- keep rules ---- */

static void test_retain__rules__keep_the_newest_of_each_period(void **state) {
    (void)state;
    struct rig rig;
    selsnap_keep_rules rules = SELSNAP_KEEP_RULES_INIT;
    rules.last = 1;
    rules.daily = 2;
    rig_open(&rig, NULL);
    (void)snapshot_at(&rig, "a", 1 * DAY);
    uint64_t b = snapshot_at(&rig, "b", 1 * DAY + 1);
    (void)snapshot_at(&rig, "c", 3 * DAY);
    uint64_t d = snapshot_at(&rig, "d", 3 * DAY + 1);
    (void)snapshot_at(&rig, "e", 5 * DAY);
    assert_ok(selsnap_snapshot_hold(rig.ss, b));
    assert_ok(selsnap_snapshot_hold(rig.ss, d));
    const char *expected = "+eld +ddH -cN +bHN -aN ";
    assert_retains(&rig, &rules, SELSNAP_RETAIN_DRY_RUN, expected, 2);
    assert_retains(&rig, &rules, 0, expected, 2);
    assert_retains(&rig, &rules, 0, "+eld +ddH +bHN ", 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_retain__filters__others_left_alone(void **state) {
    (void)state;
    struct rig rig;
    selsnap_keep_rules rules = SELSNAP_KEEP_RULES_INIT;
    rules.last = 1;
    rig_open(&rig, NULL);
    rig_save(&rig, "one", 0, 8);
    (void)rig_snapshot_of(&rig, "auto-1", "one");
    (void)rig_snapshot_of(&rig, "hand", "one");
    (void)rig_snapshot(&rig, "auto-2", 0, 4);
    (void)rig_snapshot_of(&rig, "auto-3", "one");
    rules.name_prefix = "auto-";
    assert_retains(&rig, &rules, SELSNAP_RETAIN_DRY_RUN, "+auto-3l -auto-2N -auto-1N ", 2);
    rules.designation = "one";
    assert_retains(&rig, &rules, 0, "+auto-3l -auto-1N ", 1);
    rules.name_prefix = NULL;
    assert_retains(&rig, &rules, 0, "+auto-3l -handN ", 1);
    rules.designation = "two";
    assert_int_equal(selsnap_retain(rig.ss, &rules, 0, NULL, NULL, NULL), SELSNAP_ENOENT);
    assert_int_equal(rig_stats(&rig).snapshots, 2);
    rig_close(&rig);
}

static void test_retain__wrong_arguments__refused(void **state) {
    (void)state;
    struct rig rig;
    selsnap_keep_rules rules = SELSNAP_KEEP_RULES_INIT;
    rig_open(&rig, NULL);
    (void)rig_snapshot(&rig, "a", 0, 8);
    assert_int_equal(selsnap_retain(rig.ss, &rules, 0, NULL, NULL, NULL), SELSNAP_EINVAL);
    rules.yearly = 1;
    assert_ok(selsnap_retain(rig.ss, &rules, 0, NULL, NULL, NULL));
    assert_int_equal(selsnap_retain(rig.ss, &rules, 4, NULL, NULL, NULL), SELSNAP_EINVAL);
    rules.utc_offset_seconds = 86400;
    assert_int_equal(selsnap_retain(rig.ss, &rules, 0, NULL, NULL, NULL), SELSNAP_EINVAL);
    rules.utc_offset_seconds = -86399;
    assert_ok(selsnap_retain(rig.ss, &rules, 0, NULL, NULL, NULL));
    assert_int_equal(selsnap_retain(rig.ss, NULL, 0, NULL, NULL, NULL), SELSNAP_EINVAL);
    assert_int_equal(rig_stats(&rig).snapshots, 1);
    rig_close(&rig);
}

/* ---- repair ---- */

static void test_repair__holds_and_expiry__carried_over(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 8);
    uint64_t plain = hold(&rig, id, 0, 0, "one");
    int64_t end = now() + DAY;
    uint64_t lock = hold(&rig, id, SELSNAP_HOLD_LOCK, end, "two");
    assert_ok(selsnap_snapshot_set_expiry(rig.ss, id, 1234));
    rig_stop(&rig);
    selsnap_device *fresh = NULL;
    assert_ok(selsnap_device_open_memory(16 << 20, 512, &fresh));
    selsnap_repair_result result = SELSNAP_REPAIR_RESULT_INIT;
    assert_ok(selsnap_repair(rig.store_base, rig.origin_base, fresh, NULL, &result));
    assert_int_equal(result.snapshots_salvaged, 1);
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    selsnap *kept = rig.ss;
    assert_ok(selsnap_open(fresh, rig.origin_base, &options, &rig.ss));
    assert_int_equal(next(&rig, id, 0).hold, plain);
    assert_string_equal(next(&rig, id, plain).reason, "two");
    assert_int_equal(next(&rig, id, plain).until_ns, end);
    assert_int_equal(selsnap_hold_release(rig.ss, id, lock), SELSNAP_EHELD);
    assert_true(hold(&rig, id, 0, 0, "three") > lock);
    int64_t time = 0;
    assert_ok(selsnap_snapshot_get_expiry(rig.ss, id, &time));
    assert_int_equal(time, 1234);
    rig_assert_sound(&rig);
    assert_ok(selsnap_close(rig.ss));
    rig.ss = kept;
    selsnap_device_close(fresh);
    rig_start(&rig);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hold__added__refuses_deletion_until_released),
        cmocka_unit_test(test_hold__end_passed__counts_no_more),
        cmocka_unit_test(test_lock__before_its_end__nothing_lifts_it),
        cmocka_unit_test(test_lock__end_passed__can_be_released),
        cmocka_unit_test(test_hold__plain__its_end_moves_both_ways),
        cmocka_unit_test(test_hold__wrong_arguments__refused),
        cmocka_unit_test(test_hold__read_only__told_but_not_changed),
        cmocka_unit_test(test_expire__held_or_in_use__kept),
        cmocka_unit_test(test_expiry__set_and_taken_back__told),
        cmocka_unit_test(test_expire__expiry_moved_meanwhile__kept),
        cmocka_unit_test(test_expire__callback_stops__the_rest_stays),
        cmocka_unit_test(test_retain__rules__keep_the_newest_of_each_period),
        cmocka_unit_test(test_retain__filters__others_left_alone),
        cmocka_unit_test(test_retain__wrong_arguments__refused),
        cmocka_unit_test(test_repair__holds_and_expiry__carried_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
