/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long snapshots are kept: expiry times, keep rules, holds with a reason, locks. Five snapshots of five days; the newest
 * two are to be kept. It prints:
 *
 *     day 0: audit, until day 1000
 *     by the rules 2 would go, and give back 8192 bytes
 *     kept:    day 4
 *     kept:    day 3
 *     deleted: day 2
 *     deleted: day 1
 *     kept:    day 0
 *     expired: 1
 */
#include <inttypes.h>
#include <selsnap/selsnap.h>
#include <stdio.h>

#define BLOCK UINT64_C(4096)
#define SIZE (UINT64_C(4) << 20)
enum { DAYS = 5 };
static const int64_t DAY = INT64_C(86400) * 1000000000;
static const int64_t FIRST = INT64_C(4102444800) * 1000000000; /* the first of January 2100 */

static int tell(void *user, const selsnap_snapshot_info *info, uint32_t verdict, uint32_t reasons) {
    (void)user, (void)reasons;
    printf("%-8s %s\n", verdict == SELSNAP_VERDICT_KEEP ? "kept:" : "deleted:", info->name);
    return 0;
}

static int make_days(selsnap *ss, uint64_t *ids) {
    int rc = SELSNAP_OK;
    for (int day = 0; rc == 0 && day < DAYS; day++) {
        selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
        char name[16], block[BLOCK] = "";
        snprintf(name, sizeof name, "day %d", day);
        snprintf(block, sizeof block, "%d", day);
        options.name = name;
        options.time_ns = FIRST + day * DAY;
        rc = selsnap_write(ss, block, BLOCK, 0); /* what the day before needs is preserved */
        rc = rc ? rc : selsnap_snapshot_create(ss, &options, &ids[day]);
    }
    return rc;
}

static int hold(selsnap *ss, uint64_t id) {
    selsnap_hold_options options = SELSNAP_HOLD_OPTIONS_INIT;
    selsnap_hold_info info = {.struct_size = sizeof info};
    uint64_t number = 0;
    options.reason = "audit";
    options.until_ns = FIRST;
    options.flags = SELSNAP_HOLD_LOCK; /* nobody releases it before its end */
    int rc = selsnap_hold_add(ss, id, &options, &number);
    rc = rc ? rc : selsnap_hold_set_end(ss, id, number, FIRST + 1000 * DAY); /* later goes, earlier does not */
    rc = rc ? rc : selsnap_hold_next(ss, id, 0, &info);
    if (rc == 0 && selsnap_hold_release(ss, id, number) == SELSNAP_EHELD) {
        printf("day 0: %s, until day %" PRId64 "\n", info.reason, (info.until_ns - FIRST) / DAY);
    }
    return rc;
}

static int keep_two(selsnap *ss, const uint64_t *ids) {
    selsnap_keep_rules rules = SELSNAP_KEEP_RULES_INIT;
    uint64_t count = 0, bytes = 0;
    rules.last = 2;
    int rc = selsnap_retain(ss, &rules, SELSNAP_RETAIN_DRY_RUN, NULL, NULL, &count);
    rc = rc ? rc : selsnap_space_freed(ss, ids + 1, 2, NULL, NULL, &bytes);
    printf("by the rules %" PRIu64 " would go, and give back %" PRIu64 " bytes\n", count, bytes);
    return rc ? rc : selsnap_retain(ss, &rules, 0, tell, NULL, NULL);
}

static int expire(selsnap *ss, uint64_t id) {
    int64_t when = 0;
    uint64_t count = 0;
    int rc = selsnap_snapshot_set_expiry(ss, id, FIRST + 10 * DAY);
    rc = rc ? rc : selsnap_snapshot_get_expiry(ss, id, &when);
    rc = rc ? rc : selsnap_expire(ss, when + DAY, 0, NULL, NULL, &count); /* judged as if it were then */
    printf("expired: %" PRIu64 "\n", count);
    return rc;
}

int main(void) {
    selsnap_device *origin = NULL, *store = NULL;
    selsnap *ss = NULL;
    uint64_t ids[DAYS], quota = 0;
    int rc = selsnap_device_open_memory(SIZE, 1, &origin);
    rc = rc ? rc : selsnap_device_open_memory(SIZE, 1, &store);
    rc = rc ? rc : selsnap_format(store, origin, NULL);
    rc = rc ? rc : selsnap_open(store, origin, NULL, &ss);
    rc = rc ? rc : selsnap_set_quota(ss, 3 << 20); /* of all that the store has in use */
    rc = rc ? rc : selsnap_get_quota(ss, &quota);
    rc = rc ? rc : make_days(ss, ids);
    rc = rc ? rc : hold(ss, ids[0]);
    rc = rc ? rc : keep_two(ss, ids);
    rc = rc ? rc : expire(ss, ids[3]);
    int closed = selsnap_close(ss);
    rc = rc ? rc : closed;
    selsnap_device_close(store);
    selsnap_device_close(origin);
    if (rc != SELSNAP_OK) {
        fprintf(stderr, "%s\n", selsnap_strerror(rc));
    }
    return rc != SELSNAP_OK || quota != 3 << 20;
}
