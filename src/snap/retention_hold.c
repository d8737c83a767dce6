/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See retention_inner.h. A hold's number is an id of the store, so none is used twice, whatever became of a commit that
 * failed. Before a lock is judged, what failed commits left undecided is settled: an end made later that nobody was told
 * of counts too, once it is there.
 */
#include "retention_inner.h"
#include "clock.h"
#include "retention_record.h"

#include <inttypes.h>
#include <string.h>

int64_t ssn_retention_now(void) {
    return ssn_realtime_ns();
}

int ssn_retention_find(struct selsnap *ss, uint64_t id, struct ssn_snap **ret_snap) {
    struct ssn_snap *snap = ssn_catalogue_find(&ss->catalogue, id);
    if (snap == NULL || snap->state != SSN_SNAP_LIVE) {
        return ssn_fail(&ss->report, SELSNAP_ENOENT, "there is no snapshot %" PRIu64, id);
    }
    *ret_snap = snap;
    return SELSNAP_OK;
}

static bool has_ended(const struct ssn_hold_record *record, int64_t now) {
    return record->until_ns != 0 && record->until_ns <= now;
}

static bool is_locked(const struct ssn_hold_record *record, int64_t now) {
    return (record->flags & SELSNAP_HOLD_LOCK) != 0 && !has_ended(record, now);
}

/* The first hold of the snapshot with a number >= from. SELSNAP_ENOENT: none. */
static int next_hold(struct selsnap *ss, uint64_t id, uint64_t from, uint64_t *ret_hold,
                     struct ssn_hold_record *ret_record) {
    struct ssn_item item;
    struct ssn_key key = ssn_key_make(SSN_ITEM_HOLD, id, from);
    int rc = ssn_store_seek(ss->store, &key, &item);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (item.key.type != SSN_ITEM_HOLD || item.key.major != id) {
        return SELSNAP_ENOENT;
    }
    if (!ssn_hold_record_decode(item.value, item.len, ret_record)) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED, "hold %" PRIu64 " of snapshot %" PRIu64 " is damaged",
                        item.key.minor, id);
    }
    *ret_hold = item.key.minor;
    return SELSNAP_OK;
}

/* Counts the items, and of these the holds that have not ended. */
static int count_holds(struct selsnap *ss, uint64_t id, uint32_t *ret_items, uint32_t *ret_holding) {
    int64_t now = ssn_retention_now();
    struct ssn_hold_record record;
    uint64_t from = 0;
    int rc;
    *ret_items = 0;
    *ret_holding = 0;
    while ((rc = next_hold(ss, id, from, &from, &record)) == SELSNAP_OK) {
        (*ret_items)++;
        *ret_holding += !has_ended(&record, now);
        if (from++ == UINT64_MAX) {
            break;
        }
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

int ssn_hold_count(struct selsnap *ss, const struct ssn_snap *snap, uint32_t *ret_count) {
    uint32_t items;
    uint32_t holding;
    int rc = count_holds(ss, snap->id, &items, &holding);
    if (rc == SELSNAP_OK) {
        *ret_count = (uint32_t)ssn_min_u64((uint64_t)snap->record.holds + holding, UINT32_MAX);
    }
    return rc;
}

void ssn_retention_put_delete(struct selsnap *ss, struct ssn_txn *txn, uint64_t id) {
    struct ssn_item item;
    struct ssn_key key = ssn_key_make(SSN_ITEM_HOLD, id, 0);
    while (ssn_store_seek(ss->store, &key, &item) == SELSNAP_OK && item.key.type == SSN_ITEM_HOLD &&
           item.key.major == id) {
        ssn_txn_delete(txn, &item.key);
        key = item.key;
        (void)ssn_key_after(&key);
    }
    key = ssn_key_make(SSN_ITEM_TERM, id, 0);
    if (ssn_store_get(ss->store, &key, &item) == SELSNAP_OK) {
        ssn_txn_delete(txn, &key);
    }
}

/* ---- changing ---- */

/* NULL: the hold goes. */
static int commit_hold(struct selsnap *ss, uint64_t id, uint64_t hold, const struct ssn_hold_record *record,
                       bool essential) {
    uint8_t value[SSN_VALUE_MAX];
    struct ssn_key key = ssn_key_make(SSN_ITEM_HOLD, id, hold);
    struct ssn_txn txn;
    ssn_txn_init(&txn, ss->store);
    if (record != NULL) {
        ssn_txn_put(&txn, &key, value, ssn_hold_record_encode(value, record));
    } else {
        ssn_txn_delete(&txn, &key);
    }
    int rc = ssn_store_commit(ss->store, &txn, essential);
    ssn_txn_fini(&txn);
    return rc;
}

/* The snapshot's hold, after what is undecided is settled. */
static int get_hold(struct selsnap *ss, uint64_t id, uint64_t hold, struct ssn_hold_record *ret_record) {
    struct ssn_snap *snap;
    uint64_t found = 0;
    bool ever;
    int rc = ssn_retention_find(ss, id, &snap);
    rc = rc == SELSNAP_OK ? ssn_store_settle(ss->store, &ever) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    rc = next_hold(ss, id, hold, &found, ret_record);
    if (rc == SELSNAP_ENOENT || (rc == SELSNAP_OK && found != hold)) {
        return ssn_fail(&ss->report, SELSNAP_ENOENT, "snapshot %" PRIu64 " has no hold %" PRIu64, id, hold);
    }
    return rc;
}

static int add_locked(struct selsnap *ss, uint64_t id, struct ssn_hold_record *record, uint64_t *ret_hold) {
    struct ssn_snap *snap;
    uint32_t items;
    uint32_t holding;
    int rc = ssn_retention_find(ss, id, &snap);
    rc = rc == SELSNAP_OK ? count_holds(ss, id, &items, &holding) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (items >= SELSNAP_HOLDS_MAX) {
        return ssn_fail(&ss->report, SELSNAP_ELIMIT,
                        "snapshot %" PRIu64 " has %u holds with a reason; release one that has ended", id,
                        SELSNAP_HOLDS_MAX);
    }
    uint64_t hold = ssn_store_take_id(ss->store);
    rc = commit_hold(ss, id, hold, record, false);
    if (rc == SELSNAP_OK && ret_hold != NULL) {
        *ret_hold = hold;
    }
    return rc;
}

static int refuse_end(struct selsnap *ss, uint32_t flags, int64_t until_ns, int64_t now) {
    if ((flags & SELSNAP_HOLD_LOCK) != 0 && until_ns == 0) {
        return ssn_fail(&ss->report, SELSNAP_EINVAL, "a lock must have an end");
    }
    if (until_ns != 0 && until_ns <= now) {
        return ssn_fail(&ss->report, SELSNAP_EINVAL, "the end of the hold has passed already");
    }
    return SELSNAP_OK;
}

int ssn_hold_add(struct selsnap *ss, uint64_t id, const selsnap_hold_options *options, uint64_t *ret_hold) {
    const char *reason = options->reason != NULL ? options->reason : "";
    int64_t now = ssn_retention_now();
    if ((options->flags & ~SELSNAP_HOLD_LOCK) != 0) {
        return ssn_fail(&ss->report, SELSNAP_EINVAL, "an option for the new hold is not allowed");
    }
    if (strlen(reason) > SELSNAP_HOLD_REASON_MAX) {
        return ssn_fail(&ss->report, SELSNAP_ELIMIT, "a reason has at most %d bytes", SELSNAP_HOLD_REASON_MAX);
    }
    if (!ssn_text_valid(reason, SELSNAP_HOLD_REASON_MAX)) {
        return ssn_fail(&ss->report, SELSNAP_EINVAL, "a reason is UTF-8 without control characters");
    }
    int rc = refuse_end(ss, options->flags, options->until_ns, now);
    rc = rc == SELSNAP_OK ? ssn_check_usable(ss) : rc;
    if (rc == SELSNAP_OK) {
        struct ssn_hold_record record = {
            .flags = (uint8_t)options->flags, .since_ns = now, .until_ns = options->until_ns};
        memcpy(record.reason, reason, strlen(reason));
        pthread_mutex_lock(&ss->admin);
        rc = add_locked(ss, id, &record, ret_hold);
        pthread_mutex_unlock(&ss->admin);
    }
    return rc;
}

static int set_end_locked(struct selsnap *ss, uint64_t id, uint64_t hold, int64_t until_ns) {
    struct ssn_hold_record record;
    int64_t now = ssn_retention_now();
    int rc = get_hold(ss, id, hold, &record);
    rc = rc == SELSNAP_OK ? refuse_end(ss, record.flags, until_ns, now) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (is_locked(&record, now) && until_ns < record.until_ns) {
        return ssn_fail(&ss->report, SELSNAP_EHELD,
                        "hold %" PRIu64 " of snapshot %" PRIu64 " is a lock, and its end cannot be made earlier", hold,
                        id);
    }
    record.until_ns = until_ns;
    return commit_hold(ss, id, hold, &record, false);
}

int ssn_hold_set_end(struct selsnap *ss, uint64_t id, uint64_t hold, int64_t until_ns) {
    int rc = ssn_check_usable(ss);
    if (rc == SELSNAP_OK) {
        pthread_mutex_lock(&ss->admin);
        rc = set_end_locked(ss, id, hold, until_ns);
        pthread_mutex_unlock(&ss->admin);
    }
    return rc;
}

static int release_locked(struct selsnap *ss, uint64_t id, uint64_t hold) {
    struct ssn_hold_record record;
    int rc = get_hold(ss, id, hold, &record);
    if (rc == SELSNAP_OK && is_locked(&record, ssn_retention_now())) {
        return ssn_fail(&ss->report, SELSNAP_EHELD,
                        "hold %" PRIu64 " of snapshot %" PRIu64 " is a lock, and its end has not come", hold, id);
    }
    return rc == SELSNAP_OK ? commit_hold(ss, id, hold, NULL, true) : rc;
}

int ssn_hold_release(struct selsnap *ss, uint64_t id, uint64_t hold) {
    int rc = ssn_check_usable(ss);
    if (rc == SELSNAP_OK) {
        pthread_mutex_lock(&ss->admin);
        rc = release_locked(ss, id, hold);
        pthread_mutex_unlock(&ss->admin);
    }
    return rc;
}

int ssn_hold_next(struct selsnap *ss, uint64_t id, uint64_t after, selsnap_hold_info *ret_info) {
    struct ssn_hold_record record;
    struct ssn_snap *snap;
    uint64_t hold = 0;
    pthread_mutex_lock(&ss->admin);
    int rc = ssn_retention_find(ss, id, &snap);
    if (rc == SELSNAP_OK) {
        rc = after < UINT64_MAX ? next_hold(ss, id, after + 1, &hold, &record) : SELSNAP_ENOENT;
    }
    pthread_mutex_unlock(&ss->admin);
    if (rc == SELSNAP_OK) {
        ret_info->flags = record.flags;
        ret_info->hold = hold;
        ret_info->since_ns = record.since_ns;
        ret_info->until_ns = record.until_ns;
        ret_info->ended = has_ended(&record, ssn_retention_now());
        memcpy(ret_info->reason, record.reason, sizeof record.reason);
    }
    return rc;
}
