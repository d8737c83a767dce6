/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a store, for the files of this layer.
 *
 * Locks, in the order in which they are taken (a thread may skip some, and holds none of them during I/O but where
 * told):
 *
 *   1. upkeep_lock          who runs a checkpoint or writes a superblock; the runner holds `upkeep_busy`, not the lock
 *   2. journal.lock         ring, batches, the leader's role, run lists of the active generation
 *   3. index_lock           generations, root; readers share it. Writers of it hold journal.lock too, so a holder of
 *                           journal.lock may read the maps without it
 *   4. space.lock           free space; held while space items are read
 *   5. space.lease_lock
 *   6. the page cache's own, the report's own
 *
 * A change of the index (publication, swap, switch) is made under journal.lock and index_lock, and raises `version`
 * where lookups could tell.
 */
#ifndef SSN_STORE_INNER_H
#define SSN_STORE_INNER_H

#include "journal.h"
#include "map.h"
#include "ops.h"
#include "readers.h"
#include "space.h"
#include "store.h"
#include "superblock.h"
#include "tree.h"

#include <stdatomic.h>

enum {
    SSN_LOOSE_MAX = 2,        /* batches that publication found no memory for */
    SSN_RUN_MEMORY = 96,      /* what a run in a generation takes in all until it is folded */
    SSN_SLOT_PAGES = 16,      /* from superblock to superblock, and to the journal */
    SSN_STORE_SPARE_PAGES = 8 /* least room for data beside journal and reserve */
};

/* Changes since a checkpoint: what published batches did. */
struct ssn_generation {
    struct ssn_map *map; /* NULL: there is no such generation */
    /* Batches that are published, but not in the map for lack of memory: they hide it, the later one the earlier. */
    struct ssn_batch *loose[SSN_LOOSE_MAX];
    unsigned loose_count;
    struct ssn_runs taken; /* lists; room is reserved for the batches that wait */
    struct ssn_runs given;
};

/* A checkpoint under way, or one whose superblock could not be made durable and may yet be on the device. */
struct ssn_fold;

struct ssn_store {
    selsnap_device *device;
    struct ssn_mem *mem;
    struct ssn_report *report;
    bool read_only;
    ssn_rewrite_fn rewrite;
    void *rewrite_user;
    struct ssn_salvage *salvage;                             /* NULL: damage is an error */
    bool readers_made, space_made, journal_made, locks_made; /* what close has to undo */
    struct ssn_store_facts facts;
    struct ssn_pages *pages;
    uint64_t area;                  /* first place of the area */
    _Atomic uint64_t store_pages;   /* as the newest durable superblock says; changed by upkeep_busy, only rises */
    _Atomic uint64_t fixed_reserve; /* pages; follows store_pages */
    uint64_t map_limit;             /* bytes of maps and runs; 0: none */

    pthread_mutex_t upkeep_lock;
    pthread_cond_t upkeep_changed;
    bool upkeep_busy;            /* upkeep_lock */
    uint64_t upkeep_runs;        /* upkeep_lock: checkpoints ended so far */
    int upkeep_result;           /* upkeep_lock: of the last one */
    struct ssn_superblock super; /* upkeep_busy: the newest durable one */
    struct ssn_fold *unsure;     /* upkeep_busy */
    uint64_t grow_to;            /* upkeep_busy: pages that the next checkpoint makes the store have; 0: as it is */

    struct ssn_journal journal;

    pthread_rwlock_t index_lock;
    struct ssn_generation active;     /* index_lock, journal.lock */
    struct ssn_generation frozen;     /* index_lock, journal.lock */
    struct ssn_journal_at frozen_end; /* journal.lock: after the last batch that frozen holds */
    uint64_t frozen_used;             /* journal.lock: pages of the ring from start to there */
    struct ssn_root root;             /* index_lock */
    _Atomic uint64_t version;

    struct ssn_readers readers;
    struct ssn_space space;

    _Atomic uint64_t next_epoch;
    _Atomic uint64_t next_id;
    _Atomic uint64_t leaf_count;
    _Atomic uint64_t page_count;
    _Atomic uint32_t root_level;
    _Atomic uint64_t flush_failures; /* failed flushes and journal writes of this store */
    _Atomic uint64_t commits;
    _Atomic uint64_t checkpoints;
    _Atomic uint64_t pages_written;
    _Atomic uint64_t announced; /* changes; see ssn_store_hold() */
    _Atomic uint64_t retry_at; /* pages of the ring used below which no checkpoint is tried unasked, since one failed */
    _Atomic bool failed;
};

/* ---- store.c ---- */

/* Pages that only checkpoints, deletes and lost records may use, in a store of this size. */
uint64_t ssn_store_reserve(uint64_t store_pages);

/* SELSNAP_ESTORE, with the detail told: `what` was read or written. */
int ssn_store_dev_read(struct ssn_store *store, const char *what, void *buf, size_t len, uint64_t place);
int ssn_store_dev_write(struct ssn_store *store, const char *what, const void *buf, size_t len, uint64_t place);
/* A failure counts: what was written since the last good flush may be lost. */
int ssn_store_dev_flush(struct ssn_store *store, const char *what);
/* Notes that the store fails, or answers again, and tells it once. No lock held. */
void ssn_store_set_failed(struct ssn_store *store, bool failed);

/* Pages of room that only what is essential may use. */
static inline uint64_t ssn_store_kept(struct ssn_store *store) {
    return ssn_max_u64(store->fixed_reserve, atomic_load(&store->space.beyond));
}

/* ---- superslot.c ---- */

struct ssn_slots {
    int result[2]; /* of slot 0 and 1: SELSNAP_OK, or as ssn_super_decode() */
    struct ssn_superblock super[2];
    unsigned newest; /* the one that counts */
};

/* Reads both slots and chooses [F-4]; whether a newer one existed [F-5] is for the caller to find out. */
int ssn_slots_read(selsnap_device *device, struct ssn_report *report, struct ssn_slots *ret_slots);
/* The same; a slot that cannot be read counts as damaged. */
int ssn_slots_salvage(selsnap_device *device, struct ssn_report *report, struct ssn_slots *ret_slots);
void ssn_facts_of_super(const struct ssn_superblock *super, struct ssn_store_facts *ret_facts);
/* upkeep_busy: writes the superblock with the next sequence, and flushes. On success it is store->super. */
int ssn_super_write(struct ssn_store *store, struct ssn_superblock *super);

/* ---- index.c ---- */

int ssn_generation_init(struct ssn_generation *generation, struct ssn_mem *mem);
void ssn_generation_fini(struct ssn_generation *generation, struct ssn_mem *mem);
uint64_t ssn_generation_memory(const struct ssn_generation *generation);
bool ssn_generation_empty(const struct ssn_generation *generation);
/* Puts the batch's changes into the map. false: no memory; a part of them may be there. */
bool ssn_generation_apply(struct ssn_generation *generation, const struct ssn_batch *batch);
/* Tries again what publication could not. */
bool ssn_generation_tighten(struct ssn_generation *generation, struct ssn_batch **ret_batch);

/* What one generation says: value NULL with tombstone. The value stays until the generation changes. */
struct ssn_found {
    struct ssn_key key;
    const uint8_t *value;
    uint16_t len;
    bool tombstone;
};
bool ssn_generation_find(const struct ssn_generation *generation, const struct ssn_key *key, struct ssn_found *ret);
/* The first at or after the key; forward false: the last at or before it. Tombstones count. */
bool ssn_generation_seek(const struct ssn_generation *generation, const struct ssn_key *key, bool forward,
                         struct ssn_found *ret);

/* ---- commit.c ---- */

/* Writes out what waits; no new transaction joins. */
int ssn_store_drain(struct ssn_store *store);
/* What a checkpoint would have to bring into the tree. */
struct ssn_load {
    uint64_t ops; /* puts and deletes */
    uint64_t bytes;
    uint64_t runs; /* taken and given */
};
/*
 * Pages that the next checkpoint may need, with so much more; and with so many announced changes after it, for which
 * there must be room still when the tree has grown by all else. journal.lock.
 */
uint64_t ssn_store_need(struct ssn_store *store, const struct ssn_load *more, uint64_t announced);
/* Percent of the limit that the ring, or memory, has in use. journal.lock. */
unsigned ssn_store_pressure_locked(struct ssn_store *store);

/* ---- checkpoint.c ---- */

/* Becomes the one that runs upkeep. */
void ssn_upkeep_begin(struct ssn_store *store);
void ssn_upkeep_end(struct ssn_store *store, bool checkpoint, int result);
/* upkeep_busy: folds what is published. flags, change_mark: of the superblock. always: also when nothing changed. */
int ssn_checkpoint_run(struct ssn_store *store, uint32_t flags, uint64_t change_mark, bool always);
/* As ssn_store_checkpoint(). */
int ssn_checkpoint_shared(struct ssn_store *store, bool always);
void ssn_fold_free(struct ssn_fold *fold);

/* ---- salvage.c: only with store->salvage ---- */

enum { SSN_CUT_TEXT = 200 };
int ssn_salvage_open(struct ssn_mem *mem, struct ssn_salvage **ret_salvage);
void ssn_salvage_close(struct ssn_salvage *salvage);
/* The newest changes are lost; the report's last failure says why. */
void ssn_salvage_cut(struct ssn_store *store);
/* Finds the gaps. */
int ssn_salvage_walk(struct ssn_store *store);
struct ssn_span;
/*
 * A damaged inner page as it was, if the pages below it prove that (salvage_rebuild.c); `page` is filled, and lookups find
 * it. *scans counts the times that the whole device was read for this, which are bounded.
 */
int ssn_salvage_rebuild(struct ssn_store *store, const struct ssn_span *span, unsigned *scans, uint8_t *page,
                        bool *ret_rebuilt);
/* The tree's first item at or after the key (forward false: the last at or before it) that is in no gap. */
int ssn_salvage_seek(struct ssn_store *store, const struct ssn_key *key, bool forward, struct ssn_item *ret_item);

/* ---- recovery.c ---- */

/* Reads ledger and journal into a store whose superblock is chosen. */
int ssn_recover(struct ssn_store *store, const struct ssn_store_params *params, bool other_slot_damaged);

#endif
