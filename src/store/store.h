/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: a crash-safe ordered index of typed items, and space for data, on one device. What the layers above see of
 * journal, tree, checkpoint, recovery and space management. Any thread may call anything.
 *
 * The index is the tree of the last checkpoint, with the changes since laid over it (`frozen`, while a checkpoint folds
 * them, and `active`). A change becomes visible in the index only when the journal batch that carries it is durable.
 */
#ifndef SSN_STORE_H
#define SSN_STORE_H

#include "blockdev.h"
#include "key.h"
#include "mem.h"
#include "report.h"
#include "transfers.h"

struct ssn_store;

/* ---- a store's fixed facts, as its superblock tells them ---- */

struct ssn_store_facts {
    uint8_t store_id[SSN_STORE_ID_SIZE];
    uint32_t block_bytes;
    uint64_t store_pages; /* at the open; it may grow: ssn_store_size_pages() */
    uint64_t origin_bytes; /* at the open, too */
    uint64_t extent_bytes; /* at the open, too: what the origin had at most [F-20] */
    bool identity_known;
    uint8_t origin_identity[SELSNAP_IDENTITY_SIZE];
    bool was_clean;  /* closed cleanly before this open */
    bool mark_known; /* and then: the origin's change mark at that time */
    uint64_t change_mark;
    bool abandoned;
    uint64_t journal_bytes;
    char origin_hint[SELSNAP_ORIGIN_HINT_MAX + 1];
};

/* facts->block_bytes, origin_*, identity_*, origin_hint are used; extent_bytes 0: that of the origin; journal_bytes 0:
 * chosen. overwrite: over an old store. */
int ssn_store_format(selsnap_device *device, struct ssn_report *report, const struct ssn_store_facts *facts,
                     bool overwrite);
/* SSN_STORE_ID_SIZE bytes that nobody else has: random, where the system can. */
void ssn_store_make_id(uint8_t *ret_id);
/* Reads the newest superblock's facts alone. SELSNAP_ENOTSTORE, SELSNAP_EDAMAGED, SELSNAP_EVERSION, SELSNAP_EIO. */
int ssn_store_peek(selsnap_device *device, struct ssn_report *report, struct ssn_store_facts *ret_facts);

/* The slot of the newest superblock, 0 or 1. */
int ssn_store_newest_slot(selsnap_device *device, struct ssn_report *report, unsigned *ret_slot);

/* ---- opening ---- */

/* Told each put of the replayed journal, in order; last: it is of the last batch, whose data may be missing. */
typedef int (*ssn_replay_fn)(void *user, const struct ssn_key *key, const uint8_t *value, uint16_t len, bool last);

/*
 * After a failed flush of the store, which may have dropped data written before it: writes the data that a put of the
 * kept batch names once more, from wherever it still is right. Called while nothing else is written; it may read the
 * index and data and write data, and must not commit or take space. A failure leaves the batch for another try.
 */
typedef int (*ssn_rewrite_fn)(void *user, const struct ssn_key *key, const uint8_t *value, uint16_t len);

struct ssn_store_params {
    selsnap_device *device;
    struct ssn_mem *mem;
    struct ssn_report *report;
    bool read_only;
    uint64_t cache_bytes; /* for tree pages */
    ssn_replay_fn replay;
    void *replay_user;
    ssn_rewrite_fn rewrite; /* NULL: the runs that the batch takes are read and written again as they are */
    void *rewrite_user;
    bool salvage; /* read_only: see below */
};

/* Superblock and replay, into memory; nothing is written. Then ssn_store_activate(), unless it is read-only. */
int ssn_store_open(const struct ssn_store_params *params, struct ssn_store **ret_store);
/* Flush, superblock with a new incarnation, flush: only after this anything may be committed. */
int ssn_store_activate(struct ssn_store *store);
/* clean: fold everything by a checkpoint, and mark the superblock clean, with the origin's mark where known.
 * The store is freed on any result. */
int ssn_store_close(struct ssn_store *store, bool clean, bool mark_known, uint64_t change_mark);
const struct ssn_store_facts *ssn_store_get_facts(const struct ssn_store *store);

/* Counters that every superblock records; they only rise. */
uint64_t ssn_store_next_epoch(struct ssn_store *store);
uint64_t ssn_store_next_id(struct ssn_store *store);
void ssn_store_raise_epoch(struct ssn_store *store, uint64_t at_least);
void ssn_store_raise_id(struct ssn_store *store, uint64_t at_least);
/* Gives the counter's value and raises it by one. */
uint64_t ssn_store_take_epoch(struct ssn_store *store);
uint64_t ssn_store_take_id(struct ssn_store *store);

/* ---- reading the index ---- */

/* SELSNAP_OK, SELSNAP_ENOENT, SELSNAP_EDAMAGED, SELSNAP_ESTORE, SELSNAP_ENOMEM; ret_item untouched unless OK. */
int ssn_store_get(struct ssn_store *store, const struct ssn_key *key, struct ssn_item *ret_item);
int ssn_store_seek(struct ssn_store *store, const struct ssn_key *key, struct ssn_item *ret_item);
int ssn_store_seek_last(struct ssn_store *store, const struct ssn_key *key, struct ssn_item *ret_item);
/*
 * ssn_store_seek(), for walks that go on beside damage: on SELSNAP_EDAMAGED nothing is known of the keys from `key` to
 * *ret_last, which is at least `key`.
 */
int ssn_store_seek_over(struct ssn_store *store, const struct ssn_key *key, struct ssn_item *ret_item,
                        struct ssn_key *ret_last);
/*
 * ssn_store_seek() for whoever knows where the keys end that matter: on SELSNAP_EDAMAGED there is no item from `key` to
 * *ret_low, without that itself, which may be `key`; of that one nothing is known.
 */
int ssn_store_seek_up_to(struct ssn_store *store, const struct ssn_key *key, struct ssn_item *ret_item,
                         struct ssn_key *ret_low);
/* Rises with each batch that is published: unchanged means that the index is unchanged. */
uint64_t ssn_store_version(struct ssn_store *store);
/* Read-only stores: make a key read as absent, in memory. */
int ssn_store_forget(struct ssn_store *store, const struct ssn_key *key);

/*
 * A read section: space that was in use when it began is not used again before it ends. Enclose a lookup together with
 * the reading of the data it names. Cheap, never waits; may nest on a thread.
 */
unsigned ssn_store_enter(struct ssn_store *store);
void ssn_store_leave(struct ssn_store *store, unsigned ticket);

/*
 * A store opened with `salvage` is read beside its damage: what cannot be read counts as absent, and the ranges of keys
 * of which nothing is known are told as gaps. Items that the journal put into a gap are found all the same. Data that
 * cannot be read reads as zeros, for its checksum to tell. One thread.
 */
struct ssn_gap {
    struct ssn_key low;
    struct ssn_key last;
};
/* The first gap that ends at or after the key; false: none. */
bool ssn_store_next_gap(const struct ssn_store *store, const struct ssn_key *key, struct ssn_gap *ret_gap);
/* Whether nothing is known of some key from low to last. */
bool ssn_store_gap_meets(const struct ssn_store *store, const struct ssn_key *low, const struct ssn_key *last);
/* Of the item with the key nothing is known: its value makes no sense. */
int ssn_store_add_gap(struct ssn_store *store, const struct ssn_key *key);
/* Whether the newest changes are lost: the log is damaged before its end, or not the newest superblock was found. */
bool ssn_store_is_cut(const struct ssn_store *store, const char **ret_reason);
uint64_t ssn_store_pages_damaged(const struct ssn_store *store);

/* ---- changing it ---- */

/* A set of changes that takes effect as a whole. Memory errors are kept and reported by commit. */
struct ssn_txn {
    struct ssn_store *store;
    uint8_t *data; /* encoded operations */
    size_t len;
    size_t capacity;
    uint32_t op_count;
    int error;
    uint64_t announced; /* changes of it that ssn_store_hold() announced; set by the caller */
    bool accepted; /* records what was accepted before, with its data: the quota does not count */
};

enum { SSN_TXN_MAX = 49152 }; /* bytes of operations in one transaction; commit refuses more with SELSNAP_ELIMIT */

void ssn_txn_init(struct ssn_txn *txn, struct ssn_store *store);
void ssn_txn_fini(struct ssn_txn *txn);
void ssn_txn_put(struct ssn_txn *txn, const struct ssn_key *key, const uint8_t *value, uint16_t len);
void ssn_txn_delete(struct ssn_txn *txn, const struct ssn_key *key);
void ssn_txn_take(struct ssn_txn *txn, uint64_t place, uint32_t pages);
void ssn_txn_give(struct ssn_txn *txn, uint64_t place, uint32_t pages);

/*
 * Makes the changes durable and then visible; on return both have happened. Joins the batch of others who wait: one
 * journal write and one flush for all. Data that the changes name must have been written before the call (it needs no
 * flush). essential: it lessens what is stored or records a loss, and may use the reserve.
 *
 * SELSNAP_ENOSPACE  Nothing changed, now or later. A checkpoint was tried.
 * SELSNAP_ESTORE    Not visible now. The batch is kept and written again before anything else is acknowledged; so the
 *                   change may become visible later, or be found after a crash, whole.
 * SELSNAP_ENOMEM, SELSNAP_ELIMIT  Nothing changed, now or later.
 */
int ssn_store_commit(struct ssn_store *store, struct ssn_txn *txn, bool essential);
/*
 * Before deciding again what a commit that failed with SELSNAP_ESTORE had decided: on SELSNAP_OK, whatever failed so is
 * visible. *ret_ever: one ever did. SELSNAP_ESTORE: the store still fails.
 */
int ssn_store_settle(struct ssn_store *store, bool *ret_ever);

/* ---- space and data ---- */

/*
 * A run of free pages for data: a multiple of `unit` pages, at least one unit, at most `wanted`, as the device's free
 * runs allow, in rising places while the store is young. It is the caller's until a committed transaction takes it, or
 * ssn_store_untake(). Never touches the reserve; before it gives up, a checkpoint is tried where that can help.
 * SELSNAP_ENOSPACE, or the errors of a checkpoint.
 */
int ssn_store_take(struct ssn_store *store, uint64_t wanted, uint64_t unit, uint64_t *ret_place, uint64_t *ret_pages);
/*
 * The same, for data whose record is committed much later and must not fail for space then: it announces one change for
 * each unit taken, with an entry and a run. Whoever takes space or commits leaves room for what is announced. A
 * transaction that carries announced changes says so in `announced`; they stay announced until ssn_store_unannounce().
 */
int ssn_store_hold(struct ssn_store *store, uint64_t wanted, uint64_t unit, uint64_t *ret_place, uint64_t *ret_pages);
void ssn_store_unannounce(struct ssn_store *store, uint64_t changes);
/*
 * The bytes that may be in use, all that the store has included; 0: all. What is in use already, and what was accepted,
 * stays; what is essential may go beyond, as into the reserve, for which the space beyond stands.
 */
void ssn_store_set_quota(struct ssn_store *store, uint64_t bytes);
/* Pages that are free for data, without the reserve; *ret_all: of how many. Cheap; a moment's view. */
uint64_t ssn_store_room(struct ssn_store *store, uint64_t *ret_all);
/* Gives back what no transaction took (it is used again only when the read sections open now have ended). */
void ssn_store_untake(struct ssn_store *store, uint64_t place, uint64_t pages);
/* Whole pages. SELSNAP_ESTORE, with the detail told. SELSNAP_EDAMAGED: the place is outside the area. */
int ssn_store_read_data(struct ssn_store *store, uint64_t place, void *buf, size_t len);
/* Several reads at once, of whole pages at `offset` bytes from the store's start; each gets its result, as above. */
void ssn_store_read_several(struct ssn_store *store, struct ssn_transfer *reads, unsigned count);
int ssn_store_write_data(struct ssn_store *store, uint64_t place, const void *buf, size_t len);
int ssn_store_flush(struct ssn_store *store);
/* Rises with each flush of the device that fails: what was written before it may be lost, whatever later flushes say.
 */
uint64_t ssn_store_flush_failures(struct ssn_store *store);

/* ---- upkeep ---- */

/* Folds what is in the journal into the tree. If one runs, waits for it and returns its result. */
int ssn_store_checkpoint(struct ssn_store *store);
/* Percent of the journal, or of the memory for changes, in use; whichever is more. */
unsigned ssn_store_pressure(struct ssn_store *store);
/*
 * Makes the store so many bytes long, or as long as its device is now (0), beside all else. SELSNAP_EINVAL: shorter than
 * it is, or than a page. SELSNAP_ETOOSMALL: the device is. SELSNAP_ESTORE: it may become so later, or be found so.
 */
int ssn_store_grow(struct ssn_store *store, uint64_t bytes);
uint64_t ssn_store_size_pages(const struct ssn_store *store);
/* Writes a superblock with this size of the origin; its extent never becomes less. SELSNAP_ESTORE: it may be found after
 * a crash, until another call works. */
int ssn_store_set_origin(struct ssn_store *store, uint64_t origin_bytes);
/* Writes a superblock that says so. */
int ssn_store_abandon(struct ssn_store *store);

struct ssn_store_stats {
    uint64_t used_bytes;
    uint64_t quota_bytes;   /* 0: none that counts */
    uint64_t free_bytes;    /* without the reserve, within the quota */
    uint64_t pending_bytes; /* given, not yet usable */
    uint64_t journal_used_bytes;
    uint64_t commits;
    uint64_t checkpoints;
    uint64_t pages_read;
    uint64_t pages_written;
    uint64_t leaf_count;
    bool failed; /* the last store write or flush failed, and nothing was acknowledged since */
};
void ssn_store_get_stats(struct ssn_store *store, struct ssn_store_stats *ret_stats);

/*
 * Checks superblocks, journal sectors, ledger, every tree page, the order of keys, and that space items and the runs
 * told by `uses` (each data run that an item names) neither overlap nor leave pages unaccounted for. Runs a checkpoint
 * first on a writable store. problem is told each; returns SELSNAP_OK even then.
 */
struct ssn_store_check {
    selsnap_line_fn problem;
    void *problem_user;
    /* Told each item; adds the runs it names by ssn_store_check_use(); verifies data and meaning. */
    int (*item)(void *user, struct ssn_store_check *check, const struct ssn_key *key, const uint8_t *value,
                uint16_t len);
    void *item_user;
    uint64_t pages, items, problems; /* results */
    void *inner;
};
int ssn_store_check(struct ssn_store *store, struct ssn_store_check *check);
void ssn_store_check_use(struct ssn_store_check *check, uint64_t place, uint64_t pages);
void ssn_store_check_problem(struct ssn_store_check *check, const char *format, ...) SSN_PRINTF(2, 3);
/* Told, as text: superblocks, journal batches, ledger, tree pages' headers. Items are the caller's (ssn_store_seek). */
int ssn_store_dump(struct ssn_store *store, selsnap_line_fn line, void *user);

#endif
