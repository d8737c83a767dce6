/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions on consistency groups. */
#include "api.h"
#include "consistent.h"

#include <string.h>

/* SELSNAP_OK, or why the options cannot be. */
static int import_options(selsnap_group_options *ours, const selsnap_group_options *theirs) {
    if (!ssn_import(ours, sizeof *ours, theirs) || ours->reserved != 0) {
        return SELSNAP_EINVAL;
    }
    if (ours->name != NULL && strlen(ours->name) > SELSNAP_NAME_MAX) {
        return SELSNAP_ELIMIT;
    }
    return ours->name == NULL || ssn_name_valid(ours->name) ? SELSNAP_OK : SELSNAP_EINVAL;
}

static int import_member(struct ssn_member *ours, const selsnap_group_member *theirs, uint32_t number) {
    int rc = ssn_api_check_writable(theirs->ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (theirs->options == NULL || !ssn_import(&ours->options, sizeof ours->options, theirs->options) ||
        ours->options.name == NULL) {
        return SELSNAP_EINVAL;
    }
    ours->ss = theirs->ss;
    ours->membership.number = number;
    return SELSNAP_OK;
}

static int create(struct ssn_member *ours, const selsnap_group_member *members, uint32_t count,
                  const selsnap_group_options *options, uint8_t *ret_group_id, uint64_t *ret_ids) {
    uint8_t group_id[SELSNAP_GROUP_ID_SIZE];
    int rc = SELSNAP_OK;
    for (uint32_t i = 0; rc == SELSNAP_OK && i < count; i++) {
        rc = import_member(&ours[i], &members[i], i);
    }
    if (rc == SELSNAP_OK && !ssn_consistent_order(ours, count)) {
        rc = ssn_fail(&ours[0].ss->report, SELSNAP_EINVAL, "a context is in the group twice");
    }
    rc = rc == SELSNAP_OK ? ssn_consistent_create(ours, count, options, group_id) : rc;
    for (uint32_t i = 0; rc == SELSNAP_OK && ret_ids != NULL && i < count; i++) {
        ret_ids[ours[i].membership.number] = ours[i].id;
    }
    if (rc == SELSNAP_OK && ret_group_id != NULL) {
        memcpy(ret_group_id, group_id, sizeof group_id);
    }
    return rc;
}

int selsnap_group_create(const selsnap_group_member *members, uint32_t count, const selsnap_group_options *options,
                         uint8_t *ret_group_id, uint64_t *ret_ids) {
    selsnap_group_options our_options;
    if (members == NULL || count == 0 || members[0].ss == NULL) {
        return SELSNAP_EINVAL;
    }
    int rc = count > SELSNAP_GROUP_MEMBERS_MAX ? SELSNAP_ELIMIT : import_options(&our_options, options);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    struct ssn_mem *mem = &members[0].ss->mem;
    struct ssn_member *ours = ssn_calloc(mem, count, sizeof *ours);
    rc = ours != NULL ? create(ours, members, count, &our_options, ret_group_id, ret_ids) : SELSNAP_ENOMEM;
    ssn_free(mem, ours);
    return rc;
}

int selsnap_snapshot_get_group(selsnap *ss, uint64_t id, selsnap_group_info *ret_info) {
    selsnap_group_info info;
    struct ssn_membership membership;
    if (ss == NULL || ret_info == NULL) {
        return SELSNAP_EINVAL;
    }
    int rc = ssn_consistent_info(ss, id, &membership);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    memset(&info, 0, sizeof info);
    info.member = membership.number;
    info.members = membership.count;
    info.time_ns = membership.time_ns;
    memcpy(info.id, membership.group, sizeof info.id);
    memcpy(info.name, membership.name, sizeof info.name);
    return ssn_export(ret_info, &info, sizeof info) ? SELSNAP_OK : SELSNAP_EINVAL;
}

int selsnap_group_check(selsnap *const *contexts, uint32_t count, const uint8_t *group_id,
                        selsnap_group_status *ret_status) {
    selsnap_group_status status;
    if (contexts == NULL || count == 0 || group_id == NULL || ret_status == NULL) {
        return SELSNAP_EINVAL;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (contexts[i] == NULL) {
            return SELSNAP_EINVAL;
        }
    }
    memset(&status, 0, sizeof status);
    int rc = ssn_consistent_check(contexts, count, group_id, &status);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    return ssn_export(ret_status, &status, sizeof status) ? SELSNAP_OK : SELSNAP_EINVAL;
}
