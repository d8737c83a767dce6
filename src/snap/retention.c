/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expiry, and deleting by it and by keep rules (retention_inner.h). Whom the clock or a rule gives up is deleted by the
 * ordinary way, one by one, which refuses what is held or in use at that moment. The callback is called with nothing
 * locked.
 */
#include "retention_inner.h"

#include "designation.h"
#include "snapshot.h"

#include <inttypes.h>
#include <string.h>

/* ---- expiry ---- */

int ssn_term_get(struct selsnap *ss, uint64_t id, struct ssn_term_record *ret_record) {
    struct ssn_item item;
    struct ssn_term_record record = {0, 0};
    struct ssn_key key = ssn_key_make(SSN_ITEM_TERM, id, 0);
    int rc = ssn_store_get(ss->store, &key, &item);
    if (rc == SELSNAP_OK && !ssn_term_record_decode(item.value, item.len, &record)) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the term of snapshot %" PRIu64 " is damaged", id);
    }
    if (rc == SELSNAP_OK || rc == SELSNAP_ENOENT) {
        *ret_record = record;
        rc = SELSNAP_OK;
    }
    return rc;
}

int ssn_term_get_settled(struct selsnap *ss, uint64_t id, struct ssn_term_record *ret_record) {
    bool ever;
    int rc = ssn_store_settle(ss->store, &ever);
    return rc == SELSNAP_OK ? ssn_term_get(ss, id, ret_record) : rc;
}

int ssn_term_put(struct selsnap *ss, uint64_t id, const struct ssn_term_record *record) {
    uint8_t value[SSN_VALUE_MAX];
    struct ssn_key key = ssn_key_make(SSN_ITEM_TERM, id, 0);
    bool gone = record->expiry_ns == 0 && record->quota_bytes == 0;
    struct ssn_txn txn;
    ssn_txn_init(&txn, ss->store);
    if (gone) {
        ssn_txn_delete(&txn, &key);
    } else {
        ssn_txn_put(&txn, &key, value, ssn_term_record_encode(value, record));
    }
    int rc = ssn_store_commit(ss->store, &txn, gone);
    ssn_txn_fini(&txn);
    return rc;
}

/* admin is held. 0: it never expires. */
static int get_expiry(struct selsnap *ss, uint64_t id, int64_t *ret_time) {
    struct ssn_term_record record = {0, 0};
    int rc = ssn_term_get(ss, id, &record);
    if (rc == SELSNAP_OK) {
        *ret_time = record.expiry_ns;
    }
    return rc;
}

int ssn_expiry_get(struct selsnap *ss, uint64_t id, int64_t *ret_time) {
    struct ssn_snap *snap;
    pthread_mutex_lock(&ss->admin);
    int rc = ssn_retention_find(ss, id, &snap);
    rc = rc == SELSNAP_OK ? get_expiry(ss, id, ret_time) : rc;
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

static int set_expiry_locked(struct selsnap *ss, uint64_t id, int64_t time_ns) {
    struct ssn_snap *snap;
    struct ssn_term_record record = {0, 0};
    int rc = ssn_retention_find(ss, id, &snap);
    rc = rc == SELSNAP_OK ? ssn_term_get_settled(ss, id, &record) : rc;
    if (rc == SELSNAP_OK) {
        record.expiry_ns = time_ns;
        rc = ssn_term_put(ss, id, &record);
    }
    return rc;
}

int ssn_expiry_set(struct selsnap *ss, uint64_t id, int64_t time_ns) {
    int rc = ssn_check_usable(ss);
    if (rc == SELSNAP_OK) {
        pthread_mutex_lock(&ss->admin);
        rc = set_expiry_locked(ss, id, time_ns);
        pthread_mutex_unlock(&ss->admin);
    }
    return rc;
}

/* ---- deleting ---- */

struct sweep {
    struct selsnap *ss;
    bool dry_run;
    bool by_expiry; /* who has expired is deleted, if it has still when its turn comes */
    int64_t now_ns;
    selsnap_verdict_fn verdict;
    void *user;
    uint64_t deleted;
};

/* admin is held. SELSNAP_ENOENT: it is not there any more, or its expiry was moved. */
static int delete_one(const struct sweep *sweep, const selsnap_snapshot_info *info) {
    struct ssn_snap *snap;
    int64_t expiry = 0;
    int rc = ssn_retention_find(sweep->ss, info->id, &snap);
    if (rc == SELSNAP_OK && sweep->by_expiry) {
        rc = get_expiry(sweep->ss, info->id, &expiry);
        if (rc == SELSNAP_OK && (expiry == 0 || expiry > sweep->now_ns)) {
            return SELSNAP_ENOENT;
        }
    }
    if (rc == SELSNAP_OK && sweep->dry_run) {
        bool in_use = info->open_views > 0 || info->restoring != 0;
        return info->holds > 0 ? SELSNAP_EHELD : in_use ? SELSNAP_EBUSY : SELSNAP_OK;
    }
    return rc == SELSNAP_OK ? ssn_snapshot_delete_locked(sweep->ss, info->id) : rc;
}

static int tell(const struct sweep *sweep, const selsnap_snapshot_info *info, uint32_t verdict, uint32_t reasons) {
    if (sweep->verdict == NULL || sweep->verdict(sweep->user, info, verdict, reasons) == 0) {
        return SELSNAP_OK;
    }
    return SELSNAP_ECANCELED;
}

/* Does and tells what becomes of one snapshot; keep: the reasons for that, or 0. */
static int sweep_one(struct sweep *sweep, uint64_t id, uint32_t keep, uint32_t why) {
    selsnap_snapshot_info info;
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    int rc = ssn_snapshot_info(sweep->ss, id, &info);
    if (rc == SELSNAP_ENOENT) {
        return SELSNAP_OK; /* somebody else has deleted it */
    }
    if (rc != SELSNAP_OK || keep != 0) {
        return rc == SELSNAP_OK
                   ? tell(sweep, &info, SELSNAP_VERDICT_KEEP, keep | (info.holds > 0 ? SELSNAP_REASON_HELD : 0))
                   : rc;
    }
    pthread_mutex_lock(&sweep->ss->admin);
    rc = delete_one(sweep, &info);
    pthread_mutex_unlock(&sweep->ss->admin);
    switch (rc) {
    case SELSNAP_OK:
        sweep->deleted++;
        return tell(sweep, &info, SELSNAP_VERDICT_DELETE, why);
    case SELSNAP_EHELD:
        return tell(sweep, &info, SELSNAP_VERDICT_KEEP, why | SELSNAP_REASON_HELD);
    case SELSNAP_EBUSY:
        return tell(sweep, &info, SELSNAP_VERDICT_KEEP, why | SELSNAP_REASON_IN_USE);
    case SELSNAP_ENOENT:
        return SELSNAP_OK;
    default:
        return rc;
    }
}

/* The first snapshot with a term whose id is above after_id; it may have no expiry. SELSNAP_ENOENT: no more. */
static int next_term(struct selsnap *ss, uint64_t after_id, uint64_t *ret_id, int64_t *ret_expiry) {
    struct ssn_item item;
    struct ssn_term_record record = {0, 0};
    struct ssn_key key = ssn_key_make(SSN_ITEM_TERM, after_id, UINT64_MAX);
    int rc = ssn_store_seek(ss->store, &key, &item);
    if (rc != SELSNAP_OK || item.key.type != SSN_ITEM_TERM) {
        return rc == SELSNAP_OK ? SELSNAP_ENOENT : rc;
    }
    if (!ssn_term_record_decode(item.value, item.len, &record) || item.key.major <= after_id) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the term of snapshot %" PRIu64 " is damaged", item.key.major);
    }
    *ret_id = item.key.major;
    *ret_expiry = record.expiry_ns;
    return SELSNAP_OK;
}

int ssn_retention_expire(struct selsnap *ss, int64_t now_ns, uint32_t flags, selsnap_verdict_fn verdict, void *user,
                         uint64_t *ret_count) {
    struct sweep sweep = {.ss = ss,
                          .dry_run = (flags & SELSNAP_RETAIN_DRY_RUN) != 0,
                          .by_expiry = true,
                          .now_ns = now_ns != 0 ? now_ns : ssn_retention_now(),
                          .verdict = verdict,
                          .user = user};
    int rc = ssn_check_usable(ss);
    uint64_t id = 0;
    while (rc == SELSNAP_OK) {
        int64_t expiry;
        rc = next_term(ss, id, &id, &expiry);
        if (rc == SELSNAP_OK && expiry != 0) {
            rc = sweep_one(&sweep, id, 0, SELSNAP_REASON_EXPIRED);
        }
    }
    *ret_count = sweep.deleted;
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

/* ---- keep rules ---- */

struct keep_list {
    struct ssn_keep_item *items;
    size_t count;
    size_t capacity;
};

/* admin is held. */
static int matches(struct selsnap *ss, const struct ssn_snap *snap, const selsnap_keep_rules *rules, uint32_t flags,
                   const struct ssn_group *group, bool *ret_matches) {
    char name[SELSNAP_NAME_MAX + 1];
    bool bookmark = snap->record.kind == SSN_SNAPSHOT_MARK;
    *ret_matches = snap->state == SSN_SNAP_LIVE && (group == NULL || group == snap->group) &&
                   (!bookmark || (flags & SELSNAP_RETAIN_BOOKMARKS) != 0);
    if (!*ret_matches || rules->name_prefix == NULL) {
        return SELSNAP_OK;
    }
    struct ssn_item item;
    struct ssn_key key = ssn_key_make(SSN_ITEM_LABEL, snap->id, 0);
    int rc = ssn_store_get(ss->store, &key, &item);
    if (rc == SELSNAP_ENOENT || (rc == SELSNAP_OK && !ssn_name_decode(item.value, item.len, name))) {
        rc = ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the name of snapshot %" PRIu64 " is damaged", snap->id);
    }
    *ret_matches = rc == SELSNAP_OK && strncmp(name, rules->name_prefix, strlen(rules->name_prefix)) == 0;
    return rc;
}

/* admin is held. */
static int gather(struct selsnap *ss, const selsnap_keep_rules *rules, uint32_t flags, struct keep_list *list) {
    struct ssn_group *group = NULL;
    int rc = rules->designation != NULL ? ssn_designation_find(ss, rules->designation, &group) : SELSNAP_OK;
    if (rc == SELSNAP_ENOENT) {
        return ssn_fail(&ss->report, rc, "there is no designation \"%s\"", rules->designation);
    }
    for (size_t i = 0; rc == SELSNAP_OK && i < ss->catalogue.snap_count; i++) {
        const struct ssn_snap *snap = ss->catalogue.snaps[i];
        bool match = false;
        rc = matches(ss, snap, rules, flags, group, &match);
        if (rc == SELSNAP_OK && match) {
            void *items = list->items;
            if (!ssn_grow(&ss->mem, &items, &list->capacity, list->count, sizeof *list->items)) {
                return SELSNAP_ENOMEM;
            }
            list->items = items;
            list->items[list->count++] = (struct ssn_keep_item){.time_ns = snap->record.time_ns, .id = snap->id};
        }
    }
    return rc;
}

int ssn_retention_retain(struct selsnap *ss, const selsnap_keep_rules *rules, uint32_t flags,
                         selsnap_verdict_fn verdict, void *user, uint64_t *ret_count) {
    struct keep_list list = {NULL, 0, 0};
    struct sweep sweep = {.ss = ss, .dry_run = (flags & SELSNAP_RETAIN_DRY_RUN) != 0, .verdict = verdict, .user = user};
    int rc = ssn_check_usable(ss);
    if (rc == SELSNAP_OK) {
        pthread_mutex_lock(&ss->admin);
        rc = gather(ss, rules, flags, &list);
        pthread_mutex_unlock(&ss->admin);
    }
    if (rc == SELSNAP_OK) {
        ssn_keep_judge(rules, list.items, list.count);
    }
    for (size_t i = 0; rc == SELSNAP_OK && i < list.count; i++) {
        rc = sweep_one(&sweep, list.items[i].id, list.items[i].reasons, SELSNAP_REASON_NO_RULE);
    }
    ssn_free(&ss->mem, list.items);
    *ret_count = sweep.deleted;
    return rc;
}
