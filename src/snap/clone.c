/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See clones.h. Everything here holds admin, so the source stays, and with it every entry that the clone resolves to: it
 * has the same point and designation. The clone counts before its record is durable, as every snapshot does; no need
 * bit is raised, since the source has raised what there is to raise.
 *
 * A clone as changed takes the source's overlay as it is, all flushed, for both: from the commit on nothing is written
 * into that overlay any more. The source's writers wait meanwhile. A source that has written nothing since its
 * overlay was made keeps it, and the clone lies on what is below, so cloning again and again adds no depth.
 */
#include "clones.h"

#include "layers.h"
#include "overlay.h"
#include "resize.h"
#include "snapshot.h"

#include <inttypes.h>

/* What is made. */
struct making {
    struct selsnap *ss;
    const selsnap_snapshot_options *options;
    struct ssn_snap *source;
    struct ssn_snap *snap;
    uint64_t parent; /* the layer under the clone; 0: none */
    uint64_t top;    /* the source's new overlay on that layer; 0: it keeps the one it has */
};

/* The source's writer is held, and all it has is flushed: what the clone begins with. */
static int plan_layers(struct making *making) {
    struct selsnap *ss = making->ss;
    uint64_t ids[SSN_LAYER_CHAIN_MAX];
    unsigned count = ssn_layers_chain(ss, making->source->record.overlay, ids);
    if (count == 0) {
        return SELSNAP_OK;
    }
    uint64_t block;
    struct ssn_overlay_record record;
    int rc = ssn_overlay_seek(ss, ids[0], 0, &block, &record);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    bool written = block != UINT64_MAX;
    if (!written && count == 1) {
        return SELSNAP_OK;
    }
    if (written && count == SSN_LAYER_CHAIN_MAX) {
        return ssn_fail(&ss->report, SELSNAP_ELIMIT,
                        "snapshot %" PRIu64 " lies on %d layers already; what was written into it cannot be shared",
                        making->source->id, SSN_LAYER_CHAIN_MAX);
    }
    if (!ssn_layers_reserve(ss, 2)) {
        return SELSNAP_ENOMEM;
    }
    making->parent = written ? ids[0] : ids[1];
    making->top = written ? ssn_store_take_id(ss->store) : 0;
    return SELSNAP_OK;
}

static void add_layers(struct making *making) {
    if (making->top != 0) {
        ssn_layers_add(making->ss, making->top, making->parent);
    }
    if (making->parent != 0) {
        making->snap->record.overlay = ssn_store_take_id(making->ss->store);
        ssn_layers_add(making->ss, making->snap->record.overlay, making->parent);
    }
}

static void remove_layers(struct making *making) {
    ssn_layers_remove(making->ss, making->top);
    ssn_layers_remove(making->ss, making->snap->record.overlay);
}

/* The source has its new overlay, or may have it. */
static void set_source(struct making *making, int rc) {
    struct selsnap *ss = making->ss;
    if (making->top == 0) {
        return;
    }
    ssn_catalogue_write_lock(&ss->catalogue);
    if (rc == SELSNAP_OK) {
        making->source->record.overlay = making->top;
    } else {
        making->source->overlay_doubt = SSN_OVERLAY_CLONE_UNSURE;
    }
    ssn_catalogue_unlock(&ss->catalogue);
}

static int commit(struct making *making) {
    struct selsnap *ss = making->ss;
    struct ssn_txn txn;
    ssn_txn_init(&txn, ss->store);
    ssn_snapshot_put_new(&txn, making->snap, making->options);
    if (making->top != 0) {
        struct ssn_snap changed = {.id = making->source->id, .record = making->source->record};
        changed.record.overlay = making->top;
        ssn_snapshot_put_record(&txn, &changed);
        ssn_layers_put(&txn, making->top, making->parent);
    }
    if (making->parent != 0) {
        ssn_layers_put(&txn, making->snap->record.overlay, making->parent);
    }
    int rc = ssn_snapshot_copy_size(ss, &txn, making->source->id, making->snap->id);
    rc = rc == SELSNAP_OK ? ssn_store_commit(ss->store, &txn, false) : rc;
    ssn_txn_fini(&txn);
    return rc;
}

/* Takes the clone into the lists and the store. After SELSNAP_OK and SELSNAP_ESTORE the lists own it. */
static int make(struct making *making) {
    struct selsnap *ss = making->ss;
    add_layers(making);
    ssn_catalogue_add(&ss->catalogue, making->snap, making->source->group);
    int rc = commit(making);
    if (rc == SELSNAP_OK || rc == SELSNAP_ESTORE) {
        set_source(making, rc);
        ssn_snapshot_set_state(ss, making->snap, rc == SELSNAP_OK ? SSN_SNAP_LIVE : SSN_SNAP_DOOMED);
        return rc;
    }
    remove_layers(making);
    ssn_catalogue_remove(&ss->catalogue, making->snap);
    making->snap = NULL;
    return rc;
}

static int make_as_changed(struct making *making) {
    struct selsnap *ss = making->ss;
    struct ssn_overlay *overlay;
    int rc = ssn_overlay_join(ss, making->source, &overlay);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    pthread_mutex_lock(&overlay->writer);
    rc = ssn_overlay_flush_held(ss, making->source, overlay);
    rc = rc == SELSNAP_OK ? plan_layers(making) : rc;
    bool made = rc == SELSNAP_OK;
    rc = made ? make(making) : rc;
    overlay->counted = false; /* what was written is shared from now on, and the quota begins anew */
    pthread_mutex_unlock(&overlay->writer);
    ssn_overlay_leave_locked(ss, making->source, overlay);
    if (!made) {
        ssn_free(&ss->mem, making->snap);
    }
    return rc;
}

static int find_source(struct selsnap *ss, uint64_t id, struct ssn_snap **ret_source) {
    struct ssn_snap *source = ssn_catalogue_find(&ss->catalogue, id);
    if (source == NULL || source->state != SSN_SNAP_LIVE) {
        return ssn_fail(&ss->report, SELSNAP_ENOENT, "no snapshot has id %" PRIu64, id);
    }
    if (source->record.kind != SSN_SNAPSHOT_DATA) {
        return ssn_fail(&ss->report, SELSNAP_ENODATA, "snapshot %" PRIu64 " keeps no data that a clone could have", id);
    }
    *ret_source = source;
    return SELSNAP_OK;
}

static int clone_locked(struct making *making, const selsnap_clone_options *options, uint64_t *ret_id) {
    struct selsnap *ss = making->ss;
    int rc = ssn_snapshot_settle_doomed(ss);
    rc = rc == SELSNAP_OK ? find_source(ss, options->source_id, &making->source) : rc;
    rc = rc == SELSNAP_OK ? ssn_snapshot_refuse_taken(ss, options->name) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    struct ssn_snap *snap = ssn_catalogue_fits(&ss->catalogue, 1, 0) ? ssn_calloc(&ss->mem, 1, sizeof *snap) : NULL;
    if (snap == NULL || ssn_catalogue_reserve(&ss->catalogue, making->source->group) != SELSNAP_OK) {
        ssn_free(&ss->mem, snap);
        return ssn_fail(&ss->report, SELSNAP_EMEMLIMIT,
                        "no room for one more snapshot under the memory limit of %" PRIu64 " bytes", ss->mem.limit);
    }
    uint64_t id = ssn_store_take_id(ss->store);
    snap->id = id;
    snap->record.point = making->source->record.point;
    snap->record.designation = making->source->record.designation;
    snap->record.time_ns = options->time_ns != 0 ? options->time_ns : ssn_snapshot_now();
    snap->record.kind = SSN_SNAPSHOT_DATA;
    snap->record.policy = (uint8_t)options->policy;
    snap->state = SSN_SNAP_CREATING;
    making->snap = snap;
    rc = (options->flags & SELSNAP_CLONE_AS_CHANGED) != 0 ? make_as_changed(making) : make(making);
    if (rc == SELSNAP_OK && ret_id != NULL) {
        *ret_id = id;
    }
    return rc;
}

int ssn_snapshot_clone(struct selsnap *ss, const selsnap_clone_options *options, uint64_t *ret_id) {
    selsnap_snapshot_options as_snapshot = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    as_snapshot.policy = options->policy;
    as_snapshot.name = options->name;
    as_snapshot.properties = options->properties;
    as_snapshot.property_count = options->property_count;
    struct making making = {.ss = ss, .options = &as_snapshot};
    int rc = ssn_snapshot_check_options(ss, &as_snapshot);
    if (rc == SELSNAP_OK && (options->flags & ~SELSNAP_CLONE_AS_CHANGED) != 0) {
        rc = ssn_fail(&ss->report, SELSNAP_EINVAL, "an option for the clone is not allowed");
    }
    rc = rc == SELSNAP_OK ? ssn_check_usable(ss) : rc;
    if (rc == SELSNAP_OK) {
        pthread_mutex_lock(&ss->admin);
        rc = clone_locked(&making, options, ret_id);
        pthread_mutex_unlock(&ss->admin);
    }
    return rc;
}
