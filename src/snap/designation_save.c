/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See designation.h. Here: saving, names, dropping. admin is held throughout.
 *
 * A group's state in memory, beside what its record in the store says:
 *
 *   READY     the record is READY, and `named` says whether it has a name
 *   BUILDING  unsure: a commit that changes the record failed, or was cut short. After the next commit that succeeds
 * the record tells the truth (a failed batch is written before any other); settle() then takes it over DROPPING  nobody
 * refers to it; its items are deleted by drop_step, whatever the record says
 *
 * A READY group with neither name nor member is dropped too: it was saved for a snapshot that did not come to be.
 */
#include "designation.h"

#include "reclaim.h"

#include <inttypes.h>
#include <string.h>

enum {
    ITEMS_PER_TXN = 40, /* ranges items; with the records beside them well below SSN_TXN_MAX */
};

/* ---- records ---- */

static void put_record(struct ssn_txn *txn, const struct ssn_group *group, uint8_t state, const char *name) {
    struct ssn_designation_record record = {.state = state, .blocks = group->blocks, .ranges = group->ranges};
    uint8_t value[SSN_VALUE_MAX];
    if (name != NULL) {
        memcpy(record.name, name, strlen(name));
    }
    struct ssn_key key = ssn_key_make(SSN_ITEM_DESIGNATION, group->id, 0);
    ssn_txn_put(txn, &key, value, ssn_designation_record_encode(value, &record));
}

static struct ssn_key name_key(const char *name, uint64_t id) {
    return ssn_key_make(SSN_ITEM_NAME, ssn_name_hash(SSN_NAME_DESIGNATION, name), id);
}

static int get_record(struct selsnap *ss, uint64_t id, struct ssn_designation_record *ret_record) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_DESIGNATION, id, 0);
    struct ssn_item item;
    int rc = ssn_store_get(ss->store, &key, &item);
    if (rc == SELSNAP_OK && !ssn_designation_record_decode(item.value, item.len, ret_record)) {
        rc = ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the record of designation %" PRIu64 " is damaged", id);
    }
    return rc;
}

static bool droppable(const struct ssn_group *group) {
    return group->member_count == 0 &&
           (group->state == SSN_DESIGNATION_DROPPING || (group->state == SSN_DESIGNATION_READY && !group->named));
}

static void set_state(struct selsnap *ss, struct ssn_group *group, uint8_t state, bool named) {
    ssn_catalogue_write_lock(&ss->catalogue);
    group->state = state;
    group->named = named;
    ssn_catalogue_unlock(&ss->catalogue);
}

void ssn_designation_count_due(struct selsnap *ss) {
    uint64_t due = 0;
    const struct ssn_group *group = NULL;
    for (uint64_t id = 0; (group = ssn_catalogue_next_group(&ss->catalogue, id)) != NULL; id = group->id) {
        /* One that is dropped with its last member still has it while that is being deleted. */
        due += group->state != SSN_DESIGNATION_READY || droppable(group);
    }
    atomic_store(&ss->due.drop_groups, due);
}

/* Whether a commit that failed may yet take effect. */
static bool may_land(int rc) {
    return rc == SELSNAP_ESTORE;
}

/* Takes over what the store says of a group in doubt. Afterwards it is not BUILDING. */
static int settle(struct selsnap *ss, struct ssn_group *group) {
    int rc = ssn_reclaim_settle(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    struct ssn_designation_record record;
    rc = get_record(ss, group->id, &record);
    if (rc == SELSNAP_OK && record.state == SSN_DESIGNATION_READY) {
        set_state(ss, group, SSN_DESIGNATION_READY, record.name[0] != '\0');
    } else if (rc == SELSNAP_OK || rc == SELSNAP_ENOENT) {
        set_state(ss, group, SSN_DESIGNATION_DROPPING, false);
        rc = SELSNAP_OK;
    }
    ssn_designation_count_due(ss);
    return rc;
}

/* ---- names ---- */

/* The id of the designation whose name it is, by the index; SELSNAP_ENOENT. */
static int look_up(struct selsnap *ss, const char *name, uint64_t *ret_id) {
    struct ssn_key key = name_key(name, 0);
    uint64_t hash = key.major;
    struct ssn_item item;
    for (;;) {
        int rc = ssn_store_seek(ss->store, &key, &item);
        if (rc != SELSNAP_OK || item.key.type != SSN_ITEM_NAME || item.key.major != hash) {
            return rc == SELSNAP_OK ? SELSNAP_ENOENT : rc;
        }
        if (item.len == 1 && item.value[0] == SSN_NAME_DESIGNATION) {
            /* Names that differ may have one checksum. */
            struct ssn_designation_record record;
            rc = get_record(ss, item.key.minor, &record);
            if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
                return rc;
            }
            if (rc == SELSNAP_OK && strcmp(record.name, name) == 0) {
                *ret_id = item.key.minor;
                return SELSNAP_OK;
            }
        }
        key = item.key;
        if (!ssn_key_after(&key)) {
            return SELSNAP_ENOENT;
        }
    }
}

int ssn_designation_find(struct selsnap *ss, const char *name, struct ssn_group **ret_group) {
    for (;;) {
        uint64_t id;
        int rc = look_up(ss, name, &id);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        struct ssn_group *group = ssn_catalogue_find_group(&ss->catalogue, id);
        if (group == NULL || group->state == SSN_DESIGNATION_DROPPING) {
            return ssn_fail(&ss->report, SELSNAP_EDAMAGED,
                            "the name \"%s\" leads to designation %" PRIu64 ", which is not there", name, id);
        }
        if (group->state == SSN_DESIGNATION_READY) {
            *ret_group = group;
            return SELSNAP_OK;
        }
        rc = settle(ss, group);
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
}

int ssn_designation_name(struct selsnap *ss, uint64_t id, char *ret_name) {
    struct ssn_designation_record record;
    int rc = get_record(ss, id, &record);
    if (rc == SELSNAP_OK) {
        memcpy(ret_name, record.name, sizeof record.name);
    }
    return rc;
}

/* Adds to the transaction what takes the name from the group; true: it is then dropped. */
static bool put_unname(struct ssn_txn *txn, const struct ssn_group *group, const char *name) {
    bool drop = group->member_count == 0;
    struct ssn_key key = name_key(name, group->id);
    put_record(txn, group, drop ? SSN_DESIGNATION_DROPPING : SSN_DESIGNATION_READY, NULL);
    ssn_txn_delete(txn, &key);
    return drop;
}

/* After the commit of put_unname, by its result. */
static void unnamed(struct selsnap *ss, struct ssn_group *group, int rc) {
    if (rc == SELSNAP_OK) {
        bool drop = group->member_count == 0;
        set_state(ss, group, drop ? SSN_DESIGNATION_DROPPING : SSN_DESIGNATION_READY, false);
    } else if (may_land(rc)) {
        set_state(ss, group, SSN_DESIGNATION_BUILDING, group->named);
    }
    ssn_designation_count_due(ss);
}

int ssn_designation_unname(struct selsnap *ss, const char *name) {
    struct ssn_group *group = NULL;
    int rc = ssn_designation_find(ss, name, &group);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    struct ssn_txn txn;
    ssn_txn_init(&txn, ss->store);
    (void)put_unname(&txn, group, name);
    rc = ssn_store_commit(ss->store, &txn, true);
    ssn_txn_fini(&txn);
    unnamed(ss, group, rc);
    return rc;
}

/* ---- saving ---- */

struct save {
    struct selsnap *ss;
    const char *name; /* NULL: none */
    const selsnap_subset *subset;
    struct ssn_group *group;
    struct ssn_group *old; /* the one that loses the name; NULL: none */
    size_t done;           /* ranges put into transactions */
    bool begun;            /* something of it is in the store, or may come to be */
    bool ending;           /* the transaction that makes it READY was tried */
};

/* Puts the next ranges, as many as a transaction may carry. */
static void put_ranges(struct ssn_txn *txn, struct save *save) {
    uint8_t value[16 * SSN_RANGES_PER_ITEM];
    for (unsigned n = 0; n < ITEMS_PER_TXN && save->done < save->subset->range_count; n++) {
        const struct ssn_block_range *ranges = save->subset->ranges + save->done;
        size_t count = (size_t)ssn_min_u64(SSN_RANGES_PER_ITEM, save->subset->range_count - save->done);
        for (size_t i = 0; i < count; i++) {
            ssn_put64(value + 16 * i, ranges[i].first);
            ssn_put64(value + 16 * i + 8, ranges[i].count);
        }
        struct ssn_key key = ssn_key_make(SSN_ITEM_RANGES, save->group->id, ranges[0].first);
        ssn_txn_put(txn, &key, value, (uint16_t)(16 * count));
        save->done += count;
    }
}

/* What makes it count: all of it comes to be with this transaction. */
static void put_end(struct ssn_txn *txn, const struct save *save) {
    put_record(txn, save->group, SSN_DESIGNATION_READY, save->name);
    if (save->name != NULL) {
        struct ssn_key key = name_key(save->name, save->group->id);
        uint8_t kind = SSN_NAME_DESIGNATION;
        ssn_txn_put(txn, &key, &kind, 1);
    }
    if (save->old != NULL) {
        (void)put_unname(txn, save->old, save->name);
    }
}

static int write_all(struct save *save) {
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && !save->ending) {
        struct ssn_txn txn;
        ssn_txn_init(&txn, save->ss->store);
        bool first = save->done == 0;
        put_ranges(&txn, save);
        save->ending = save->done == save->subset->range_count;
        if (save->ending) {
            put_end(&txn, save);
        } else if (first) {
            put_record(&txn, save->group, SSN_DESIGNATION_BUILDING, NULL);
        }
        rc = ssn_store_commit(save->ss->store, &txn, false);
        ssn_txn_fini(&txn);
        save->begun = save->begun || rc == SELSNAP_OK || may_land(rc);
    }
    return rc;
}

/*
 * A whole designation without a name that a snapshot may be added to. One whose members are all leaving is left alone:
 * the record that drops it may be on its way.
 */
static struct ssn_group *find_whole(struct selsnap *ss) {
    struct ssn_group *group = NULL;
    for (uint64_t id = 0; (group = ssn_catalogue_next_group(&ss->catalogue, id)) != NULL; id = group->id) {
        bool stays = group->member_count == 0;
        for (size_t i = 0; i < group->member_count && !stays; i++) {
            enum ssn_snap_state state = group->members[i]->state;
            stays = state == SSN_SNAP_LIVE || state == SSN_SNAP_CREATING;
        }
        if (group->whole && !group->named && group->state == SSN_DESIGNATION_READY && stays) {
            return group;
        }
    }
    return NULL;
}

static int save_new(struct save *save) {
    struct selsnap *ss = save->ss;
    struct ssn_designation_record record = {
        .state = SSN_DESIGNATION_BUILDING,
        .blocks = ssn_subset_block_count(save->subset),
        .ranges = save->subset->range_count,
    };
    if (!ssn_catalogue_fits(&ss->catalogue, 0, 1)) {
        return ssn_fail(&ss->report, SELSNAP_EMEMLIMIT,
                        "no room for one more designation under the memory limit of %" PRIu64 " bytes", ss->mem.limit);
    }
    int rc =
        ssn_catalogue_add_group(&ss->catalogue, &record, ssn_store_take_id(ss->store), ss->block_count, &save->group);
    if (rc != SELSNAP_OK) {
        return ssn_fail(&ss->report, rc, "no memory for one more designation");
    }
    rc = write_all(save);
    if (rc == SELSNAP_OK) {
        set_state(ss, save->group, SSN_DESIGNATION_READY, save->name != NULL);
    } else if (!save->begun) {
        ssn_catalogue_remove_group(&ss->catalogue, save->group);
    }
    if (save->old != NULL && save->ending) {
        unnamed(ss, save->old, rc);
    }
    ssn_designation_count_due(ss);
    return rc;
}

int ssn_designation_save(struct selsnap *ss, const char *name, const selsnap_subset *subset,
                         struct ssn_group **ret_group) {
    struct save save = {.ss = ss, .name = name != NULL && name[0] != '\0' ? name : NULL, .subset = subset};
    int rc = SELSNAP_OK;
    if (save.name != NULL) {
        rc = ssn_designation_find(ss, save.name, &save.old);
        rc = rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
    } else if (ssn_subset_block_count(subset) == ss->block_count) {
        save.group = find_whole(ss);
    }
    if (rc == SELSNAP_OK && save.group == NULL) {
        rc = save_new(&save);
    }
    if (rc == SELSNAP_OK) {
        *ret_group = save.group;
    }
    return rc;
}

/* ---- dropping ---- */

bool ssn_designation_release(struct selsnap *ss, struct ssn_txn *txn, struct ssn_group *group,
                             const struct ssn_snap *leaving) {
    (void)ss;
    size_t staying = group->member_count - (leaving != NULL && leaving->group == group ? 1 : 0);
    if (group->named || staying > 0 || group->state != SSN_DESIGNATION_READY) {
        return false;
    }
    put_record(txn, group, SSN_DESIGNATION_DROPPING, NULL);
    return true;
}

void ssn_designation_dropped(struct selsnap *ss, struct ssn_group *group) {
    set_state(ss, group, SSN_DESIGNATION_DROPPING, false);
    ssn_designation_count_due(ss);
}

/* The group's next ranges item at or after *key, beside damage. SELSNAP_ENOENT: none. */
static int next_ranges(struct selsnap *ss, const struct ssn_group *group, struct ssn_key *key,
                       struct ssn_item *ret_item) {
    for (;;) {
        struct ssn_key last;
        int rc = ssn_store_seek_over(ss->store, key, ret_item, &last);
        if (rc == SELSNAP_EDAMAGED) {
            *key = last;
            bool more = ssn_key_after(key) && key->type == SSN_ITEM_RANGES && key->major == group->id;
            if (more) {
                continue;
            }
            return SELSNAP_ENOENT;
        }
        bool other = rc == SELSNAP_OK && (ret_item->key.type != SSN_ITEM_RANGES || ret_item->key.major != group->id);
        return other ? SELSNAP_ENOENT : rc;
    }
}

/* Deletes at most `budget` of the group's ranges items, and when they are all gone its record. *ret_gone: they are. */
static int drop_some(struct selsnap *ss, struct ssn_group *group, uint64_t budget, uint64_t *ret_deleted,
                     bool *ret_gone) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_RANGES, group->id, 0);
    struct ssn_item item;
    struct ssn_txn txn;
    uint64_t deleted = 0;
    int rc;
    ssn_txn_init(&txn, ss->store);
    while ((rc = next_ranges(ss, group, &key, &item)) == SELSNAP_OK && deleted < budget &&
           deleted < ssn_reclaim_txn_ops(ss)) {
        ssn_txn_delete(&txn, &item.key);
        deleted++;
        key = item.key;
        (void)ssn_key_after(&key);
    }
    bool gone = rc == SELSNAP_ENOENT;
    if (gone) {
        struct ssn_key record_key = ssn_key_make(SSN_ITEM_DESIGNATION, group->id, 0);
        ssn_txn_delete(&txn, &record_key);
    } else if (rc == SELSNAP_OK) {
        /* A crash now must find it marked: some of its ranges are gone. */
        put_record(&txn, group, SSN_DESIGNATION_DROPPING, NULL);
    }
    if (gone || rc == SELSNAP_OK) {
        rc = ssn_store_commit(ss->store, &txn, true);
    }
    ssn_txn_fini(&txn);
    if (rc == SELSNAP_OK) {
        *ret_deleted = deleted;
        *ret_gone = gone;
    }
    return rc;
}

int ssn_designation_drop_step(struct selsnap *ss, uint64_t budget, bool *ret_more) {
    int rc = SELSNAP_OK;
    uint64_t done = 0;
    uint64_t id = 0;
    while (rc == SELSNAP_OK && done < budget) {
        struct ssn_group *group = ssn_catalogue_next_group(&ss->catalogue, id);
        if (group == NULL) {
            break;
        }
        if (group->state == SSN_DESIGNATION_BUILDING) {
            rc = settle(ss, group);
        }
        if (rc != SELSNAP_OK || !droppable(group)) {
            id = group->id;
            continue;
        }
        uint64_t deleted = 0;
        bool gone = false;
        rc = drop_some(ss, group, budget - done, &deleted, &gone);
        done += deleted + 1;
        if (ssn_reclaim_txn_shrink(ss, rc)) {
            rc = SELSNAP_OK;
            continue;
        }
        if (rc == SELSNAP_OK && gone) {
            ssn_catalogue_remove_group(&ss->catalogue, group);
        } else if (rc == SELSNAP_OK || may_land(rc)) {
            set_state(ss, group, SSN_DESIGNATION_DROPPING, false);
        }
    }
    ssn_designation_count_due(ss);
    if (rc == SELSNAP_OK) {
        *ret_more = atomic_load(&ss->due.drop_groups) > 0;
    }
    return rc;
}
