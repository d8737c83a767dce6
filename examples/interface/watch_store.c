/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an appliance does beside reading and writing: events and logs, work in the background, figures, check and scrub; and
 * what to do with a store that is damaged or gone. It prints:
 *
 *     a restore is paused: 0 of 3 blocks
 *     event: restore done
 *     3 blocks preserved, none lost
 *     check: 0 problems, scrub: 0 problems, dump: some lines
 *     last error: SELSNAP_EHELD
 *     repaired: 1 snapshot, 0 lost
 *     abandoned: SELSNAP_EABANDONED
 */
#include <inttypes.h>
#include <selsnap/selsnap.h>
#include <stdio.h>

#define BLOCK UINT64_C(4096)
#define SIZE (UINT64_C(4) << 20)

static void on_event(void *user, const selsnap_event *event) { /* must not call the context */
    (void)user;
    if (event->kind == SELSNAP_EVENT_RESTORE_DONE) {
        puts("event: restore done");
    }
}

static void on_log(void *user, uint32_t level, const char *message) {
    if (level <= SELSNAP_LOG_WARNING) {
        fprintf(user, "%s\n", message);
    }
}

static int count_line(void *user, const char *line) {
    (void)line;
    ++*(int *)user;
    return 0;
}

/* A restore that waits until there is time for it. The device reads as restored all the while. */
static int in_background(selsnap *ss, uint64_t id) {
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    selsnap_restore_info info = {.struct_size = sizeof info};
    uint64_t job = 0;
    uint32_t more = 1;
    options.id = id;
    int rc = selsnap_restore_start(ss, &options, &job);
    rc = rc ? rc : selsnap_restore_pause(ss, job, 1);
    rc = rc ? rc : selsnap_restore_next(ss, 0, &info);
    printf("a restore is %s: %" PRIu64 " of 3 blocks\n", info.paused ? "paused" : "running", info.blocks_restored);
    rc = rc ? rc : selsnap_restore_pause(ss, job, 0);
    while (rc == 0 && more != 0) {
        rc = selsnap_step(ss, NULL, &more);
    }
    return rc;
}

static int inspect(selsnap *ss) {
    selsnap_stats stats = SELSNAP_STATS_INIT;
    selsnap_check_result result = {.struct_size = sizeof result};
    selsnap_scrub scrub = SELSNAP_SCRUB_INIT;
    int lines = 0;
    int rc = selsnap_get_stats(ss, &stats);
    printf("%" PRIu64 " blocks preserved, %s lost\n", stats.blocks_preserved, stats.blocks_lost == 0 ? "none" : "some");
    rc = rc ? rc : selsnap_check(ss, NULL, NULL, NULL, NULL, &result);
    while (rc == 0 && !scrub.done) { /* some at a time, for as long as it takes */
        rc = selsnap_scrub_step(ss, &scrub, 1 << 20, NULL, NULL);
    }
    rc = rc ? rc : selsnap_dump(ss, count_line, &lines);
    printf("check: %" PRIu64 " problems, scrub: %" PRIu64 " problems, dump: %s lines\n", result.problems,
           scrub.problems, lines > 0 ? "some" : "no");
    return rc;
}

static int use(selsnap *ss) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    char blocks[3 * BLOCK] = "new", text[256];
    uint64_t id = 0;
    options.name = "monday";
    int rc = selsnap_write(ss, "old", 4, 0);
    rc = rc ? rc : selsnap_snapshot_create(ss, &options, &id);
    rc = rc ? rc : selsnap_write(ss, blocks, sizeof blocks, 0);
    rc = rc ? rc : in_background(ss, id);
    rc = rc ? rc : inspect(ss);
    rc = rc ? rc : selsnap_snapshot_hold(ss, id);
    if (rc == 0 && selsnap_snapshot_delete(ss, id) != SELSNAP_OK) {
        printf("last error: %s\n", selsnap_error_name(selsnap_last_error(ss, text, sizeof text)));
    }
    return rc;
}

/* Brings what is sound of a store into a new one; of this one, all. */
static int repair(selsnap_device *damaged, selsnap_device *origin, selsnap_device *fresh) {
    selsnap_repair_result result = SELSNAP_REPAIR_RESULT_INIT;
    int rc = selsnap_repair(damaged, origin, fresh, NULL, &result);
    printf("repaired: %" PRIu64 " snapshot, %" PRIu64 " lost\n", result.snapshots_salvaged, result.snapshots_lost);
    return rc;
}

/* The store is gone for good, and the disk must go on. */
static int abandon(selsnap_device *store, selsnap_device *origin, const selsnap_open_options *options) {
    selsnap_snapshot_options snapshot = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap *ss = NULL;
    snapshot.name = "too late";
    int rc = selsnap_open(store, origin, options, &ss);
    rc = rc ? rc : selsnap_abandon(ss);
    rc = rc ? rc : selsnap_write(ss, "on", 3, 0); /* preserves nothing any more */
    printf("abandoned: %s\n", selsnap_error_name(rc ? rc : selsnap_snapshot_create(ss, &snapshot, NULL)));
    int closed = selsnap_close(ss);
    return rc ? rc : closed;
}

int main(void) {
    selsnap_device *origin = NULL, *store = NULL, *fresh = NULL;
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    selsnap *ss = NULL;
    options.event = on_event;
    options.flags = SELSNAP_OPEN_NO_AHEAD;
    int rc = selsnap_device_open_memory(SIZE, 1, &origin);
    rc = rc ? rc : selsnap_device_open_memory(SIZE, 1, &store);
    rc = rc ? rc : selsnap_device_open_memory(SIZE, 1, &fresh);
    rc = rc ? rc : selsnap_format(store, origin, NULL);
    rc = rc ? rc : selsnap_open(store, origin, &options, &ss);
    rc = rc ? rc : use(ss);
    int closed = selsnap_close(ss);
    rc = rc ? rc : closed;
    rc = rc ? rc : repair(store, origin, fresh);
    options.log = on_log;
    options.log_user = stderr;
    rc = rc ? rc : abandon(fresh, origin, &options);
    selsnap_device_close(fresh);
    selsnap_device_close(store);
    selsnap_device_close(origin);
    if (rc != SELSNAP_OK) {
        fprintf(stderr, "libselsnap %s: %s\n", selsnap_version_string(), selsnap_strerror(rc));
    }
    return rc != SELSNAP_OK || selsnap_version() < 1000;
}
