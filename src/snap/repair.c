/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See repair.h. The new device is formatted only when it is known that there is something to salvage, and under a veil
 * (stock.h): its superblocks stay in memory until all is in place.
 */
#include "repair.h"

#include "heal.h"
#include "open.h"
#include "restore.h"
#include "stock.h"
#include "superblock.h"

#include <inttypes.h>
#include <string.h>

static const uint64_t MEMORY_DEFAULT = UINT64_C(64) << 20;
/* Added to ids and epochs when it is not known how far they had come: more than a store takes in its life. */
static const uint64_t UNKNOWN_STRIDE = UINT64_C(1) << 32;

/* ---- bare contexts ---- */

/* What the layers below ask of a context, and no more. */
static int init_bare(struct ssn_repair *repair, struct selsnap *ss, bool read_only) {
    uint64_t limit = repair->options->memory_limit != 0 ? repair->options->memory_limit : MEMORY_DEFAULT;
    ssn_mem_init(&ss->mem, &repair->options->allocator, limit / 2);
    ss->read_only = read_only;
    ss->origin = repair->origin;
    int rc = ssn_report_init(&ss->report);
    if (rc == SELSNAP_OK && pthread_mutex_init(&ss->admin, NULL) != 0) {
        ssn_report_fini(&ss->report);
        rc = SELSNAP_ENOMEM;
    }
    return rc;
}

static void fini_bare(struct selsnap *ss) {
    pthread_mutex_destroy(&ss->admin);
    ssn_report_fini(&ss->report);
}

/* ---- the damaged store ---- */

static int note_replayed(void *user, const struct ssn_key *key, const uint8_t *value, uint16_t len, bool last) {
    (void)last; /* the data of the last batch gets no treatment of its own: any copy may be bad here */
    return ssn_replayed_note(user, key, value, len, false);
}

static int open_old_store(struct ssn_repair *repair) {
    struct selsnap *old = &repair->old;
    struct ssn_replayed replayed = {&old->mem, 1, 1, NULL, 0, 0};
    struct ssn_store_params params = {
        .device = repair->damaged,
        .mem = &old->mem,
        .report = &old->report,
        .read_only = true,
        .cache_bytes = old->mem.limit / 4,
        .replay = note_replayed,
        .replay_user = &replayed,
        .salvage = true,
    };
    int rc = ssn_store_open(&params, &old->store);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    const char *reason;
    repair->cut = ssn_store_is_cut(old->store, &reason);
    repair->result.cut = repair->cut;
    repair->result.pages_damaged = ssn_store_pages_damaged(old->store);
    ssn_store_raise_epoch(old->store, replayed.epoch);
    ssn_store_raise_id(old->store, replayed.id);
    if (repair->cut) {
        ssn_repair_say(repair, "the newest changes are lost: %s", reason);
        uint64_t epoch = ssn_store_next_epoch(old->store);
        uint64_t id = ssn_store_next_id(old->store);
        ssn_store_raise_epoch(old->store, epoch > SSN_COUNTER_MAX ? epoch : epoch + UNKNOWN_STRIDE);
        ssn_store_raise_id(old->store, id > SSN_COUNTER_MAX ? id : id + UNKNOWN_STRIDE);
    }
    return ssn_context_check_counters(old);
}

static uint32_t open_flags(const struct ssn_repair *repair) {
    uint32_t flags = repair->options->flags;
    return ((flags & SELSNAP_REPAIR_OTHER_ORIGIN) != 0 ? SELSNAP_OPEN_OTHER_ORIGIN : 0) |
           ((flags & SELSNAP_REPAIR_ORIGIN_CHANGED) != 0 ? SELSNAP_OPEN_ORIGIN_CHANGED : 0);
}

/* What was made is undone by close_old, by the count of old_parts. */
static int open_old(struct ssn_repair *repair) {
    struct selsnap *old = &repair->old;
    int rc = open_old_store(repair);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    const struct ssn_store_facts *facts = ssn_store_get_facts(old->store);
    rc = ssn_context_check_origin(old, facts, open_flags(repair));
    rc = rc == SELSNAP_OK ? ssn_context_set_sizes(old, facts) : rc;
    rc = rc == SELSNAP_OK ? ssn_catalogue_init(&old->catalogue, &old->mem) : rc;
    repair->old_parts += rc == SELSNAP_OK;
    rc = rc == SELSNAP_OK ? ssn_buffers_init(&old->buffers, &old->mem, (size_t)old->chunk_blocks * old->block_bytes, 1)
                          : rc;
    repair->old_parts += rc == SELSNAP_OK;
    if (rc == SELSNAP_OK) {
        repair->buf = ssn_buffers_take(&old->buffers);
    }
    return rc;
}

static void close_old(struct ssn_repair *repair) {
    struct selsnap *old = &repair->old;
    ssn_repair_plan_fini(repair);
    if (repair->old_parts >= 2) {
        ssn_buffers_return(&old->buffers, repair->buf);
        ssn_buffers_fini(&old->buffers);
    }
    if (repair->old_parts >= 1) {
        ssn_restore_fini(old);
        ssn_catalogue_fini(&old->catalogue);
    }
    if (old->store != NULL) {
        (void)ssn_store_close(old->store, false, false, 0);
    }
}

static bool unknown_items(struct ssn_repair *repair, uint8_t type) {
    struct ssn_key low = ssn_key_make(type, 0, 0);
    struct ssn_key last = ssn_key_make(type, UINT64_MAX, UINT64_MAX);
    return ssn_store_gap_meets(repair->old.store, &low, &last);
}

/* Whether a new store is worth making: one that has nothing in it would pass for the whole. */
static int check_worth(struct ssn_repair *repair) {
    const selsnap_repair_result *result = &repair->result;
    bool no_snapshot =
        repair->snap_count == 0 && (result->snapshots_lost > 0 || unknown_items(repair, SSN_ITEM_SNAPSHOT));
    bool nothing = repair->snap_count == 0 && result->designations_salvaged == 0 &&
                   (repair->cut || result->designations_lost > 0 || unknown_items(repair, SSN_ITEM_DESIGNATION));
    if (!no_snapshot && !nothing) {
        return SELSNAP_OK;
    }
    const char *reason;
    if (ssn_store_is_cut(repair->old.store, &reason) && (repair->options->flags & SELSNAP_REPAIR_AS_TAKEN) == 0) {
        return ssn_fail(
            &repair->old.report, SELSNAP_EDAMAGED,
            "no snapshot can be salvaged with all that was written into it, since the newest changes are lost "
            "(%s); ask for snapshots as they were taken to go on",
            reason);
    }
    return ssn_fail(&repair->old.report, SELSNAP_EDAMAGED,
                    "nothing can be salvaged: the records of snapshots and designations are damaged");
}

/* ---- the new store ---- */

static int format_fresh(struct ssn_repair *repair) {
    struct ssn_store_facts facts = *ssn_store_get_facts(repair->old.store);
    static const uint64_t slots[SSN_VEIL_PAGES] = {SSN_SUPER_PLACE_0 * UINT64_C(4096),
                                                   SSN_SUPER_PLACE_1 * UINT64_C(4096)};
    facts.identity_known = ssn_device_identity(repair->origin, facts.origin_identity);
    if (repair->options->journal_bytes != 0) {
        facts.journal_bytes = repair->options->journal_bytes;
    }
    int rc = ssn_veil_device_open(repair->fresh_device, slots, &repair->veil);
    if (rc == SELSNAP_OK) {
        rc = ssn_store_format(repair->veil, &repair->fresh.report, &facts,
                              (repair->options->flags & SELSNAP_REPAIR_OVERWRITE) != 0);
    }
    return rc;
}

static int open_fresh(struct ssn_repair *repair) {
    struct selsnap *fresh = &repair->fresh;
    int rc = format_fresh(repair);
    struct ssn_store_params params = {
        .device = repair->veil,
        .mem = &fresh->mem,
        .report = &fresh->report,
        .cache_bytes = fresh->mem.limit / 4,
    };
    rc = rc == SELSNAP_OK ? ssn_store_open(&params, &fresh->store) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    rc = ssn_context_set_sizes(fresh, ssn_store_get_facts(fresh->store));
    rc = rc == SELSNAP_OK ? ssn_store_activate(fresh->store) : rc;
    ssn_store_raise_epoch(fresh->store, ssn_store_next_epoch(repair->old.store));
    ssn_store_raise_id(fresh->store, ssn_store_next_id(repair->old.store));
    ssn_txn_init(&repair->txn, fresh->store);
    return rc;
}

/* Closes the new store as one that was used and closed cleanly, and lets it be seen. */
static int finish(struct ssn_repair *repair, bool mark_known, uint64_t mark) {
    struct selsnap *fresh = &repair->fresh;
    int rc = ssn_store_close(fresh->store, true, mark_known, mark);
    fresh->store = NULL;
    unsigned newest = 0;
    rc = rc == SELSNAP_OK ? ssn_store_newest_slot(repair->veil, &fresh->report, &newest) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (ssn_veil_device_lift(repair->veil, newest) != SELSNAP_OK) {
        return ssn_fail(&fresh->report, SELSNAP_ESTORE,
                        "the new store's superblocks could not be written (the device says %d)",
                        atomic_load(&repair->veil->last_error));
    }
    return SELSNAP_OK;
}

static void close_fresh(struct ssn_repair *repair) {
    if (repair->fresh.store != NULL) {
        ssn_txn_fini(&repair->txn);
        (void)ssn_store_close(repair->fresh.store, false, false, 0);
    }
    if (repair->veil != NULL) {
        ssn_device_close(repair->veil);
    }
}

/* ---- the whole ---- */

static int fill(struct ssn_repair *repair) {
    int rc = ssn_repair_records(repair);
    rc = rc == SELSNAP_OK ? ssn_repair_overlays(repair) : rc;
    rc = rc == SELSNAP_OK ? ssn_repair_entries(repair) : rc;
    rc = rc == SELSNAP_OK ? ssn_repair_jobs_and_state(repair) : rc;
    rc = rc == SELSNAP_OK ? ssn_repair_commit(repair) : rc;
    ssn_repair_tell_all(repair);
    return rc == SELSNAP_OK && repair->unheard ? SELSNAP_ECANCELED : rc;
}

static int repair_locked(struct ssn_repair *repair) {
    uint64_t mark = 0;
    bool mark_known = ssn_device_change_mark(repair->origin, &mark);
    int rc = open_old(repair);
    rc = rc == SELSNAP_OK ? ssn_repair_plan(repair) : rc;
    rc = rc == SELSNAP_OK && repair->unheard ? SELSNAP_ECANCELED : rc;
    rc = rc == SELSNAP_OK ? check_worth(repair) : rc;
    rc = rc == SELSNAP_OK ? open_fresh(repair) : rc;
    rc = rc == SELSNAP_OK ? fill(repair) : rc;
    if (rc == SELSNAP_OK) {
        ssn_txn_fini(&repair->txn);
        rc = finish(repair, mark_known, mark);
    }
    close_fresh(repair);
    close_old(repair);
    return rc;
}

static int check_devices(struct ssn_repair *repair) {
    bool allow = (repair->options->flags & SELSNAP_REPAIR_ALLOW_OVERLAP) != 0;
    if (ssn_device_overlap(repair->fresh_device, repair->damaged) ||
        (!allow && ssn_device_overlap(repair->fresh_device, repair->origin))) {
        return ssn_fail(&repair->old.report, SELSNAP_EOVERLAP,
                        "the new store is the storage of the damaged one, or of the origin");
    }
    if ((repair->fresh_device->info.flags & (uint32_t)SELSNAP_DEVICE_READ_ONLY) != 0) {
        return ssn_fail(&repair->old.report, SELSNAP_EREADONLY, "the device of the new store cannot be written");
    }
    return SELSNAP_OK;
}

static int lock_and_repair(struct ssn_repair *repair) {
    selsnap_device *devices[] = {repair->damaged, repair->origin, repair->fresh_device};
    static const char *const names[] = {"the damaged store", "the origin", "the new store"};
    int rc = check_devices(repair);
    unsigned locked = 0;
    while (rc == SELSNAP_OK && locked < 3) {
        rc = ssn_device_lock(devices[locked], locked == 2);
        if (rc != SELSNAP_OK) {
            (void)ssn_fail(&repair->old.report, rc, "%s is in use by another opener", names[locked]);
        }
        locked += rc == SELSNAP_OK;
    }
    rc = rc == SELSNAP_OK ? repair_locked(repair) : rc;
    while (locked > 0) {
        ssn_device_unlock(devices[--locked]);
    }
    return rc;
}

static void tell_failure(struct ssn_repair *repair, int rc) {
    char text[SSN_REPORT_TEXT];
    bool of_fresh = ssn_report_last(&repair->fresh.report, text, sizeof text) == rc;
    ssn_copy_message(of_fresh ? &repair->fresh.report : &repair->old.report, repair->options->ret_message,
                     repair->options->message_size);
}

int ssn_repair_run(selsnap_device *damaged, selsnap_device *origin, selsnap_device *fresh,
                   const selsnap_repair_options *options, selsnap_repair_result *ret_result) {
    struct ssn_mem mem;
    ssn_mem_init(&mem, &options->allocator, 0);
    struct ssn_repair *repair = ssn_calloc(&mem, 1, sizeof *repair);
    if (repair == NULL) {
        return SELSNAP_ENOMEM;
    }
    repair->options = options;
    repair->damaged = damaged;
    repair->origin = origin;
    repair->fresh_device = fresh;
    int rc = init_bare(repair, &repair->old, true);
    if (rc == SELSNAP_OK) {
        rc = init_bare(repair, &repair->fresh, false);
        if (rc == SELSNAP_OK) {
            rc = lock_and_repair(repair);
            if (rc != SELSNAP_OK) {
                tell_failure(repair, rc);
            }
            *ret_result = repair->result;
            fini_bare(&repair->fresh);
        }
        fini_bare(&repair->old);
    }
    ssn_free(&mem, repair);
    return rc;
}
