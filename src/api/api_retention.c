/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions on how long snapshots are kept. */
#include "api.h"
#include "retention_inner.h"

#include <string.h>

enum { DAY_SECONDS = 86400 };

int selsnap_hold_add(selsnap *ss, uint64_t id, const selsnap_hold_options *options, uint64_t *ret_hold) {
    selsnap_hold_options ours = SELSNAP_HOLD_OPTIONS_INIT;
    int rc = ssn_api_check_writable(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (options != NULL && !ssn_import(&ours, sizeof ours, options)) {
        return SELSNAP_EINVAL;
    }
    return ssn_hold_add(ss, id, &ours, ret_hold);
}

int selsnap_hold_set_end(selsnap *ss, uint64_t id, uint64_t hold, int64_t until_ns) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_hold_set_end(ss, id, hold, until_ns) : rc;
}

int selsnap_hold_release(selsnap *ss, uint64_t id, uint64_t hold) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_hold_release(ss, id, hold) : rc;
}

int selsnap_hold_next(selsnap *ss, uint64_t id, uint64_t after, selsnap_hold_info *ret_info) {
    selsnap_hold_info info;
    if (ss == NULL || ret_info == NULL) {
        return SELSNAP_EINVAL;
    }
    memset(&info, 0, sizeof info);
    int rc = ssn_hold_next(ss, id, after, &info);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    return ssn_export(ret_info, &info, sizeof info) ? SELSNAP_OK : SELSNAP_EINVAL;
}

int selsnap_snapshot_set_expiry(selsnap *ss, uint64_t id, int64_t time_ns) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_expiry_set(ss, id, time_ns) : rc;
}

int selsnap_snapshot_get_expiry(selsnap *ss, uint64_t id, int64_t *ret_time) {
    if (ss == NULL || ret_time == NULL) {
        return SELSNAP_EINVAL;
    }
    return ssn_expiry_get(ss, id, ret_time);
}

/* A dry run needs no writable context. */
static int check_sweep(selsnap *ss, uint32_t flags, uint32_t allowed) {
    if (ss == NULL || (flags & ~allowed) != 0) {
        return SELSNAP_EINVAL;
    }
    return (flags & SELSNAP_RETAIN_DRY_RUN) != 0 ? SELSNAP_OK : ssn_api_check_writable(ss);
}

int selsnap_expire(selsnap *ss, int64_t now_ns, uint32_t flags, selsnap_verdict_fn verdict, void *user,
                   uint64_t *ret_count) {
    uint64_t count = 0;
    int rc = check_sweep(ss, flags, SELSNAP_RETAIN_DRY_RUN);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    rc = ssn_retention_expire(ss, now_ns, flags, verdict, user, &count);
    if (ret_count != NULL) {
        *ret_count = count;
    }
    return rc;
}

static bool rules_allowed(const selsnap_keep_rules *rules) {
    uint32_t any = rules->last | rules->hourly | rules->daily | rules->weekly | rules->monthly | rules->yearly;
    return any != 0 && rules->utc_offset_seconds > -DAY_SECONDS && rules->utc_offset_seconds < DAY_SECONDS;
}

int selsnap_retain(selsnap *ss, const selsnap_keep_rules *rules, uint32_t flags, selsnap_verdict_fn verdict, void *user,
                   uint64_t *ret_count) {
    selsnap_keep_rules ours;
    uint64_t count = 0;
    int rc = check_sweep(ss, flags, SELSNAP_RETAIN_DRY_RUN | SELSNAP_RETAIN_BOOKMARKS);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (rules == NULL || !ssn_import(&ours, sizeof ours, rules) || !rules_allowed(&ours)) {
        return SELSNAP_EINVAL;
    }
    rc = ssn_retention_retain(ss, &ours, flags, verdict, user, &count);
    if (ret_count != NULL) {
        *ret_count = count;
    }
    return rc;
}

int selsnap_space_freed(selsnap *ss, const uint64_t *ids, uint32_t count, selsnap_progress_fn progress,
                        void *progress_user, uint64_t *ret_bytes) {
    if (ss == NULL || ret_bytes == NULL || (ids == NULL && count > 0)) {
        return SELSNAP_EINVAL;
    }
    return ssn_retention_freed(ss, ids, count, progress, progress_user, ret_bytes);
}
