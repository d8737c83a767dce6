/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repair: what is sound of a damaged store is brought into a new one. One thread, no context of the usual kind: two
 * bare ones stand for the damaged store (`old`, read beside its damage, store.h) and the new one (`fresh`).
 *
 *   repair.c          devices, opening both stores, the order of things
 *   repair_plan.c     which designations, snapshots and restores are carried over: these fill old's catalogue
 *   repair_records.c  their records
 *   repair_layers.c   which overlays lie on which
 *   repair_overlay.c  what was written into snapshots
 *   repair_entries.c  preserved blocks, run by run
 *   repair_doubt.c    blocks of a run whose entry may have been in a gap: recorded as lost
 *   repair_tell.c     what is lost, in words
 *
 * The rule behind all: an item that is known is true, since entries never change; that an item is absent is known only
 * outside of gaps, and only if the log was read to its end (`cut` is false).
 */
#ifndef SSN_REPAIR_H
#define SSN_REPAIR_H

#include "context.h"
#include "resolve.h"

/* Why something is lost. */
enum ssn_loss {
    SSN_LOSS_NONE,
    SSN_LOSS_COPY,    /* the preserved copy is damaged */
    SSN_LOSS_INDEX,   /* its entry may have been in a gap */
    SSN_LOSS_LOG,     /* its entry may have been in the part of the log that is lost */
    SSN_LOSS_RESTORE, /* it may have been in an unfinished restore that is lost */
    SSN_LOSS_WRITTEN, /* what was written into the snapshot is damaged, or may have been in a gap */
};

/* A restore that may be unfinished, and is not carried over: what it did to snapshots younger than it is not known. */
struct ssn_lost_restore {
    uint64_t source_point; /* at least 1 */
    uint64_t point;        /* UINT64_MAX: not known */
};

/* Lost blocks of a snapshot that are not told yet: one range that grows. */
struct ssn_telling {
    uint64_t first_block;
    uint64_t blocks; /* 0: none */
    enum ssn_loss loss;
};

struct ssn_repair {
    const selsnap_repair_options *options;
    selsnap_device *damaged, *origin, *fresh_device;
    selsnap_device *veil; /* on fresh_device; NULL: not yet */
    struct selsnap old;
    struct selsnap fresh; /* store NULL: not yet */
    unsigned old_parts;
    bool cut;
    struct ssn_lost_restore *restores;
    size_t restore_count;
    size_t restore_capacity;
    struct ssn_snap **by_point; /* the snapshots carried over, by point, falling */
    size_t snap_count;
    struct ssn_telling *telling; /* one for each of by_point */
    struct ssn_txn txn;          /* of fresh */
    uint8_t *buf;                /* chunk_blocks blocks */
    bool any_lost;               /* an entry is lost in the new store */
    bool unheard;                /* the report callback says: stop */
    selsnap_repair_result result;
};

/* Fills result, never NULL. Options are imported. */
int ssn_repair_run(selsnap_device *damaged, selsnap_device *origin, selsnap_device *fresh,
                   const selsnap_repair_options *options, selsnap_repair_result *ret_result);

/* ---- repair_plan.c ---- */

int ssn_repair_plan(struct ssn_repair *repair);
/* Frees what the plan made, beside the catalogue. */
void ssn_repair_plan_fini(struct ssn_repair *repair);
/* Known blocks and ranges of a designation. false: they make no sense. */
int ssn_repair_sum_ranges(struct ssn_repair *repair, uint64_t id, struct ssn_designation_record *ret_sum,
                          bool *ret_sound);
/* A snapshot's label, if it is known and allowed; empty otherwise. */
int ssn_repair_label(struct ssn_repair *repair, uint64_t id, char *ret_name);

/* ---- repair_layers.c ---- */

int ssn_repair_plan_layer(struct ssn_repair *repair, const struct ssn_item *item);
/* The overlay and those below it; SSN_LAYER_CHAIN_MAX of them. *ret_known: there are surely no others. */
int ssn_repair_chain(struct ssn_repair *repair, uint64_t overlay, uint64_t *ret_ids, unsigned *ret_count,
                     bool *ret_known);
/* Whether the snapshot with this index in by_point reads through the overlay. */
bool ssn_repair_reads(struct ssn_repair *repair, size_t index, uint64_t overlay);
int ssn_repair_put_layer(struct ssn_repair *repair, uint64_t overlay, uint64_t parent);

/* ---- into the new store ---- */

/* Adds to the open transaction, and commits it when it has grown. */
int ssn_repair_put(struct ssn_repair *repair, const struct ssn_key *key, const uint8_t *value, uint16_t len);
int ssn_repair_commit(struct ssn_repair *repair);
/* Pages for `count` blocks in a row. */
int ssn_repair_take(struct ssn_repair *repair, unsigned count, uint64_t *ret_place);

int ssn_repair_records(struct ssn_repair *repair);
int ssn_repair_jobs_and_state(struct ssn_repair *repair);
int ssn_repair_overlays(struct ssn_repair *repair);
int ssn_repair_entries(struct ssn_repair *repair);

/* ---- repair_doubt.c ---- */

/* Whether anything of a run needs a look at what may be missing. */
bool ssn_repair_doubtful(struct ssn_repair *repair, uint64_t run);
/* The known entries of the run are in the new store: records as lost what may be missing. */
int ssn_repair_doubt(struct ssn_repair *repair, uint64_t run, bool has_entries);
/* Records blocks of a run, as bits, as lost under an epoch. */
int ssn_repair_put_lost(struct ssn_repair *repair, uint64_t run, const struct ssn_runbits *bits, uint64_t epoch);
unsigned ssn_repair_run_blocks(const struct ssn_repair *repair, uint64_t run);

/* ---- repair_tell.c ---- */

void ssn_repair_say(struct ssn_repair *repair, const char *format, ...) SSN_PRINTF(2, 3);
/* `snapshot 3 "name"`, in buf. */
enum { SSN_REPAIR_WHO = 320 };
void ssn_repair_who(struct ssn_repair *repair, uint64_t id, char *buf);
/* A block of the snapshot with this index in by_point is lost. Blocks come in rising order, until tell_all. */
void ssn_repair_tell_block(struct ssn_repair *repair, size_t index, uint64_t block, uint64_t blocks,
                           enum ssn_loss loss);
void ssn_repair_tell_all(struct ssn_repair *repair);
/* Compares what snapshots read in a run before and now, and tells what is lost. */
int ssn_repair_tell_run(struct ssn_repair *repair, uint64_t run);

#endif
