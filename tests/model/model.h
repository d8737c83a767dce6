/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A naive model of the library beside the real one: arrays for the live device and for each snapshot. Random operations
 * from a seed are done on both, and what is read is compared.
 *
 * Power cuts: for each 512-byte sector of the live device, and each block of a snapshot's overlay, the model keeps the
 * *versions* it had since the last acknowledged flush, the present one last; none are kept when only the present one is
 * possible. An operation that met the cut is *pending*: it may have happened or not. After the next open the model
 * demands that what it finds is possible, and takes it over.
 */
#ifndef SSN_MODEL_H
#define SSN_MODEL_H

#include "heap.h"
#include "pattern.h"
#include "printf_like.h"
#include "prng.h"
#include "testdev.h"

#include <selsnap/selsnap.h>

enum { MODEL_SNAPSHOTS = 10, MODEL_VIEWS = 4, MODEL_NAMES = 4, MODEL_JOBS = 4, MODEL_TEXT = 64 };

struct config {
    const char *name;
    uint64_t origin_bytes;
    uint64_t store_bytes; /* raised until format accepts it */
    uint64_t journal_bytes;
    uint32_t block_bytes;
    uint32_t logical;
    unsigned snapshots; /* at most so many at a time */
    bool tight;         /* the store may be full: writes may fail, blocks may be given up */
    uint32_t atomic;    /* of both devices, bytes; 0: 512 */
    bool write_through; /* neither device has a volatile cache */
    unsigned deferred;  /* so many blocks may be kept in memory; 0: the seed says, none in most */
};

struct versions {
    uint32_t count;
    uint32_t capacity;
    uint64_t *hashes;
};

enum { CHANGED_NO = 0, CHANGED_YES = 1, CHANGED_PERHAPS = 2 };

struct m_snapshot {
    bool live;
    uint64_t id;
    uint64_t clone_of; /* a clone: id of the snapshot that took its point; 0: it took its own */
    char name[MODEL_TEXT];
    char property[MODEL_TEXT]; /* of the key "made at"; empty: there is none */
    char group[MODEL_TEXT];    /* name of the consistency group that it is the only member of; empty: of none */
    uint32_t policy;
    uint32_t holds;
    int64_t expiry;
    uint64_t quota; /* blocks; 0: none */
    bool layered;   /* may share what was written with a clone, for which the quota does not count */
    uint64_t block_count;
    uint8_t *in;               /* per block: designated */
    uint8_t *changed;          /* per block: CHANGED_*, on the live device since the point */
    uint8_t *lost;             /* per block: its content as taken is known to be lost */
    uint8_t *over;             /* per block: CHANGED_*, in the snapshot itself */
    uint8_t *frozen;           /* content as taken */
    uint8_t *now;              /* content as changed */
    struct versions *versions; /* per block, of now */
    bool bookmark;             /* keeps no data; what is here of it serves to check diffs */
    bool unsure;               /* after a fault: whether it holds what was written into it is not known */
};

struct m_view {
    selsnap_view *view; /* NULL: a free slot */
    unsigned snapshot;  /* slot */
    uint32_t flags;
    uint32_t undesignated;
};

/* How to make a snapshot; its subset is in the slot already. */
struct m_create {
    unsigned slot;
    unsigned name; /* of the saved subset; MODEL_NAMES: none */
    uint32_t policy;
    bool whole; /* all blocks, without naming a subset */
    bool property;
    bool freeze;
    bool bookmark;
    bool group; /* as the only member of a consistency group */
};

struct m_name {
    bool live;
    uint8_t *in;
};

struct m_job {
    bool live;
    uint64_t id;
    unsigned snapshot; /* slot */
    uint8_t *in;
};

#define MODEL_CODE(code) (UINT32_C(1) << -(code))

enum pending {
    PENDING_NONE,
    PENDING_CREATE,
    PENDING_DELETE,
    PENDING_RENAME,
    PENDING_HOLDS,
    PENDING_RESET,
    PENDING_SAVE,
    PENDING_UNNAME,
    PENDING_RESTORE,
    PENDING_BOOKMARK,
    PENDING_EXPIRY,
    PENDING_CLONE,
    PENDING_QUOTA,
    PENDING_STORE_QUOTA,
};

struct model {
    const struct config *config;
    const char *program;
    uint64_t seed;
    uint64_t steps;
    bool cuts;         /* power cuts: the wire tracks */
    bool ahead;        /* blocks may be preserved before they change */
    unsigned deferred; /* so many blocks of writes may be kept in memory */
    bool trace;
    bool in_cmocka;
    bool aborts;     /* on failure, for a fuzzer */
    bool skip_check; /* model_check_all() leaves out selsnap_check(), which runs a checkpoint */

    struct prng prng;
    struct wire wire;
    struct heap heap;
    struct testdev *origin;
    struct testdev *store;
    selsnap *ss;

    uint64_t size;
    uint64_t blocks;
    uint64_t sectors;
    uint32_t block_bytes;
    uint64_t sequence; /* of operations */
    char doing[160];   /* the operation in progress, in words */
    char replay[256];  /* the command that replays this, if it is not the seed's */
    void (*find_replay)(void *user); /* NULL, or writes it, when it is needed */
    void *find_replay_user;

    uint8_t *live;
    struct versions *live_versions; /* per sector */
    uint8_t *scratch;               /* size bytes */
    struct m_snapshot snapshots[MODEL_SNAPSHOTS];
    struct m_view views[MODEL_VIEWS];
    struct m_name names[MODEL_NAMES];
    struct m_job jobs[MODEL_JOBS];

    uint64_t store_quota; /* in MODEL_QUOTA_UNIT; 0: none */
    uint64_t store_first;  /* bytes of the store when it was made */
    uint64_t store_bytes;  /* and now */
    uint64_t store_longer; /* or more, up to this: it may have grown; 0: it has not */

    enum pending pending;
    unsigned pending_slot;
    char pending_name[MODEL_TEXT];
    uint32_t pending_holds;
    int64_t pending_expiry;
    uint64_t pending_quota;
    uint8_t *pending_in; /* per block */

    uint64_t images; /* power cuts taken */

    /* Faults: operations may fail, and what they have done is found out afterwards, by who puts the faults in. */
    uint32_t tolerates;  /* codes that an operation may fail with now, by MODEL_CODE() */
    unsigned failures;   /* operations that failed so */
    int failed;          /* the code of the last of them */
    unsigned calm;       /* not 0: the model looks for itself, and no fault may be put in */
    uint8_t *unreadable; /* NULL, or per block: not 0 if the origin failed to read it, so that it may be lost */
};

/* model.c */
void model_open(struct model *m, const struct config *config, const char *program, uint64_t seed, uint64_t steps,
                bool cuts);
/* Only the context, and nothing may be left of it: for a child that ends. */
void model_close_context(struct model *m);
void model_close(struct model *m);
/* Tells what is wrong and how to replay it, and does not return. */
_Noreturn void model_fail(struct model *m, const char *format, ...) PRINTF_LIKE(2, 3);
void model_doing(struct model *m, const char *format, ...) PRINTF_LIKE(2, 3);
/* True: the call succeeded. False: it failed as the power is cut, or with an allowed code (0 for none). Otherwise
 * fails. */
bool model_result(struct model *m, int code, int allowed);
int model_open_context(struct model *m);
size_t model_block_len(const struct model *m, uint64_t block);
/* A random range, on logical blocks of the origin when live, not empty. */
void model_random_range(struct model *m, bool live, uint64_t *ret_offset, size_t *ret_len);
/* Fills a buffer with one of several kinds of content. */
void model_random_content(struct model *m, uint8_t *buf, size_t len, uint64_t offset);
void versions_add(struct versions *versions, uint64_t before, uint64_t after);
bool versions_have(const struct versions *versions, uint64_t hash);
/* A random slot with a live snapshot, or MODEL_SNAPSHOTS. */
unsigned model_pick_snapshot(struct model *m);
unsigned model_count_snapshots(const struct model *m);

/* Of what follows, the functions with `do` in their names take what to do from the caller; the others choose at random.
 */

/* model_live.c: the live device */
/* The result of a change of the live device to bytes. */
void model_finish_write(struct model *m, int code, const uint8_t *bytes, size_t len, uint64_t offset);
/* One of a batch; bytes: to write, zeros, or where to read to. */
enum { MODEL_BATCH = 8 };
struct m_request {
    uint32_t kind; /* SELSNAP_IO_* */
    uint64_t offset;
    size_t len;
    uint8_t *bytes;
};
void model_do_batch(struct model *m, struct m_request *requests, unsigned count, bool fua);
void model_do_write(struct model *m, uint8_t *buf, size_t len, uint64_t offset, bool in_pieces);
void model_do_zeroes(struct model *m, uint64_t offset, size_t len);
void model_do_discard(struct model *m, uint64_t offset, size_t len);
void model_write(struct model *m);
void model_batch(struct model *m);
void model_zeroes(struct model *m);
void model_discard(struct model *m);
void model_flush(struct model *m);
/* The live device holds bytes; the old ones stay possible until a flush. */
void model_set_live(struct model *m, const uint8_t *bytes, size_t len, uint64_t offset);
/* The same, of a change that failed: new bytes are possible. */
void model_may_hold(struct model *m, const uint8_t *bytes, size_t len, uint64_t offset);
/* What the live device holds is durable. */
void model_settle_live(struct model *m);
/* A live snapshot needs the block's present content. */
bool model_needs(const struct model *m, uint64_t block);

/* model_snap.c: snapshots and designations */
void model_do_create(struct model *m, const struct m_create *how);
void model_do_delete(struct model *m, unsigned slot);
void model_do_rename(struct model *m, unsigned slot);
void model_do_bookmark(struct model *m, unsigned slot);
void model_do_hold(struct model *m, unsigned slot, bool hold);
/* A lock that does not end while the test runs, unless there is one. */
void model_do_lock(struct model *m, unsigned slot);
void model_do_expiry(struct model *m, unsigned slot, int64_t time);
void model_do_quota(struct model *m, unsigned slot, uint64_t blocks);
enum { MODEL_QUOTA_UNIT = 65536 };
void model_do_store_quota(struct model *m, uint64_t units);
void model_quota(struct model *m);
/* Blocks of data written into a snapshot; *ret_more: how many more there may be. */
uint64_t model_count_written(const struct model *m, const struct m_snapshot *s, uint64_t *ret_more);
/* As a deletion of the snapshot: no other has expired at its time that is not held. */
void model_do_expire(struct model *m, unsigned slot);
/* Its blocks are in m->pending_in. */
void model_do_save(struct model *m, unsigned slot);
void model_do_unname(struct model *m, unsigned slot);
void model_create(struct model *m);
void model_delete(struct model *m);
void model_bookmark(struct model *m);
void model_rename(struct model *m);
void model_holds(struct model *m);
void model_save(struct model *m);
void model_unname(struct model *m);
void model_begin_snapshot(struct model *m, unsigned slot, const uint8_t *in);
void model_drop_snapshot(struct model *m, unsigned slot);
/* Marks the blocks of a saved subset. */
void model_read_subset(struct model *m, const selsnap_subset *subset, uint8_t *in);

/* model_clone.c */
/* Rises with the point. */
uint64_t model_order(const struct m_snapshot *s);
void model_do_clone(struct model *m, unsigned source, unsigned slot, uint32_t policy, bool as_changed);
void model_clone(struct model *m);

/* model_restore.c */
void model_do_restore(struct model *m, unsigned slot, const selsnap_subset *part, uint32_t flags);
void model_do_step(struct model *m, uint32_t flags, uint64_t budget);
void model_do_run(struct model *m, unsigned job);
void model_do_pause(struct model *m, unsigned job, bool paused);
void model_restore(struct model *m);
void model_step(struct model *m);
void model_pause(struct model *m);
void model_list_jobs(struct model *m);
void model_begin_restore(struct model *m, uint64_t job, unsigned slot, const uint8_t *in);
bool model_restoring(const struct model *m);

/* model_view.c */
void model_do_view_open(struct model *m, unsigned slot, const struct m_view *how, bool by_name);
void model_do_view_write(struct model *m, unsigned slot, const uint8_t *buf, size_t len, uint64_t offset, bool discard);
void model_do_view_flush(struct model *m, unsigned slot);
void model_do_view_reset(struct model *m, unsigned slot);
void model_view_open(struct model *m);
void model_view_read(struct model *m);
void model_view_write(struct model *m);
void model_view_discard(struct model *m);
void model_view_flush(struct model *m);
void model_view_reset(struct model *m);
void model_view_close(struct model *m, unsigned slot);
void model_close_views(struct model *m);
void model_settle_snapshot(struct m_snapshot *snapshot, uint64_t blocks);

/* model_check.c */
void model_check_live(struct model *m, uint64_t offset, size_t len);
/* Reads through the view and compares. */
void model_check_read(struct model *m, const struct m_view *view, uint64_t offset, size_t len);
void model_check_snapshot(struct model *m, unsigned slot);
void model_check_some(struct model *m);
void model_check_all(struct model *m);
/* Reads what each snapshot held at its point. */
void model_check_frozen(struct model *m);
/* Learns which blocks of a snapshot are lost, and that they may be. */
void model_learn_lost(struct model *m, unsigned slot);

/* model_diff.c */
void model_check_diff(struct model *m);
void model_check_diffs(struct model *m);
/* The snapshot of the slot is a bookmark. */
void model_check_no_data(struct model *m, unsigned slot);

/* model_grow.c: the store's size */
enum { MODEL_GROWTH = 64 << 12 };
/* Makes the store so much longer than it was at first, MODEL_GROWTH at most, unless it is. */
void model_do_grow(struct model *m, uint64_t bytes);
/* By a few pages, now and then; without a random choice. */
void model_grow_sometimes(struct model *m);
/* Its size is possible. */
void model_check_size(struct model *m);

/* model_ops.c: one random operation */
void model_operation(struct model *m);

/* model_reopen.c */
void model_reopen(struct model *m);
/* The process is killed: opens the devices as they are. */
void model_kill(struct model *m);
/* What a kill leaves of the live device is known, but for what a restore covers. */
void model_settle_unrestored(struct model *m);
/* The power is cut: takes an image, opens it, takes over what is possible. */
void model_recover(struct model *m);
/* Opens read-only, reads every snapshot that the cut did not strike, closes. */
void model_look(struct model *m);
/* Closes the context; what it still writes does not count. */
void model_abandon_context(struct model *m);
/* After the open: the model takes over what is possible, and demands that all else is as it was. killed: the devices
 * still hold what was not flushed. */
void model_take_over(struct model *m, bool killed);

#endif
