/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database that keeps its log on another disk: snapshots of both, of one instant, while the application rests. It prints:
 *
 *     the application rests
 *     the application goes on
 *     member 1 of 2 of monday
 *     complete: 2 of 2
 */
#include <inttypes.h>
#include <selsnap/selsnap.h>
#include <stdio.h>

#define SIZE (UINT64_C(4) << 20)

static int before(void *user, uint64_t timeout_ns) {
    (void)user, (void)timeout_ns; /* write out what is in memory; a result other than 0: no snapshot is made */
    puts("the application rests");
    return 0;
}

static void after(void *user, int result) {
    (void)user, (void)result;
    puts("the application goes on");
}

static int use(selsnap *const *contexts) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_group_options how = SELSNAP_GROUP_OPTIONS_INIT;
    const selsnap_group_member members[2] = {{contexts[0], &options}, {contexts[1], &options}};
    selsnap_group_info info = {.struct_size = sizeof info};
    selsnap_group_status status = {.struct_size = sizeof status};
    uint8_t group[SELSNAP_GROUP_ID_SIZE];
    uint64_t ids[2] = {0, 0};
    options.name = how.name = "monday";
    how.before = before;
    how.after = after;
    int rc = selsnap_group_create(members, 2, &how, group, ids);
    rc = rc ? rc : selsnap_snapshot_get_group(contexts[1], ids[1], &info);
    printf("member %" PRIu32 " of %" PRIu32 " of %s\n", info.member, info.members, info.name);
    rc = rc ? rc : selsnap_group_check(contexts, 2, group, &status); /* a crash may have left a part of it */
    printf("%s: %" PRIu32 " of %" PRIu32 "\n", status.complete ? "complete" : "incomplete", status.present,
           status.members);
    return rc;
}

int main(void) {
    selsnap_device *origins[2] = {NULL, NULL}, *stores[2] = {NULL, NULL};
    selsnap *contexts[2] = {NULL, NULL};
    int rc = SELSNAP_OK;
    for (int i = 0; rc == 0 && i < 2; i++) {
        rc = selsnap_device_open_memory(SIZE, 1, &origins[i]);
        rc = rc ? rc : selsnap_device_open_memory(SIZE, 1, &stores[i]);
        rc = rc ? rc : selsnap_format(stores[i], origins[i], NULL);
        rc = rc ? rc : selsnap_open(stores[i], origins[i], NULL, &contexts[i]);
    }
    rc = rc ? rc : use(contexts);
    for (int i = 0; i < 2; i++) {
        int closed = selsnap_close(contexts[i]);
        rc = rc ? rc : closed;
        selsnap_device_close(stores[i]);
        selsnap_device_close(origins[i]);
    }
    if (rc != SELSNAP_OK) {
        fprintf(stderr, "%s\n", selsnap_strerror(rc));
    }
    return rc != SELSNAP_OK;
}
