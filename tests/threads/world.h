/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A context under many threads, and all that is known of what it must hold: the history of each sector of the live
 * device, and of each snapshot its subset, its frozen content as it was first read, and the history of its overlay.
 *
 * A snapshot's frozen content must be one cut through the histories: there is a moment between the call that made it
 * and its return at which every sector may have had what the snapshot holds.
 *
 * Contents: a write fills its sectors with patterns (pattern.h) of its tick. Nothing is written twice alike.
 */
#ifndef SSN_TEST_WORLD_H
#define SSN_TEST_WORLD_H

#include "heap.h"
#include "history.h"
#include "pattern.h"
#include "prng.h"

#include <pthread.h>
#include <selsnap/selsnap.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Under ThreadSanitizer a build runs so many times less. */
#if defined(__SANITIZE_THREAD__)
enum { WORLD_LESS = 16 };
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
enum { WORLD_LESS = 16 };
#else
enum { WORLD_LESS = 1 };
#endif
#else
enum { WORLD_LESS = 1 };
#endif

enum {
    WORLD_SHOTS = 32,
    WORLD_THREADS = 16,
    WORLD_BLOCKS = 512, /* at most */
    WORLD_COVER = WORLD_BLOCKS / 8,
    WORLD_IO_BLOCKS = 32 /* most that one operation reads or writes */
};

struct world_config {
    const char *name;
    uint64_t origin_bytes; /* a multiple of 512 */
    uint64_t store_bytes;
    uint64_t journal_bytes;
    uint32_t block_bytes;
    unsigned give_up; /* percent of snapshots with SELSNAP_POLICY_GIVE_UP_BLOCK */
    bool fills;       /* the store may be full */
    unsigned shots;   /* snapshots at most; up to WORLD_SHOTS */
    unsigned write_us, flush_us;
    bool restores;     /* most of what is done is about restores */
    unsigned deferred; /* so many blocks of writes may be kept in memory */
};

enum shot_state {
    SHOT_FREE,
    SHOT_BUSY,  /* being made, and read for the first time */
    SHOT_READY, /* there */
    SHOT_UNSURE /* there or not: what made or deleted it was cut off */
};

/* A snapshot. Guarded by world->lock, but for what is set before it is READY. */
struct shot {
    enum shot_state state;
    unsigned pins;     /* those who use it; then it is not set free */
    unsigned deleting; /* deletes under way */
    bool gone;         /* deleted */
    bool loaded;       /* frozen is known */
    bool checked;      /* and is one cut */
    uint64_t id;
    uint64_t number; /* names it, for ever */
    uint32_t policy;
    uint64_t begin, end; /* of the call that made it */
    uint8_t cover[WORLD_COVER];
    uint64_t *frozen;                   /* a content for each sector; of blocks outside the subset, nothing */
    _Atomic uint8_t lost[WORLD_BLOCKS]; /* seen as lost */
    struct history *overlay;
};

struct oplog;

struct world {
    const struct world_config *config;
    uint64_t seed;
    char replay[160]; /* the command that runs this again */
    struct heap heap;
    selsnap_device *origin;
    selsnap_device *store;
    selsnap *ss;
    uint64_t sectors, blocks, block_sectors;
    uint64_t discarded; /* what discarded sectors read as */
    bool breaks;        /* devices may fail, all at once: EIO and ESTORE are answers */
    struct history *live;
    _Atomic uint64_t clock;
    _Atomic uint64_t active[WORLD_THREADS]; /* the tick since which the thread has questions */
    _Atomic bool stop;
    _Atomic uint64_t operations;
    _Atomic uint64_t refused; /* operations that failed for lack of room */
    uint64_t keep_above;      /* snapshots with larger numbers are not deleted */
    struct oplog *log;        /* NULL, or where operations are told */
    pthread_rwlock_t doors;   /* a view's close that may lose what was written is alone with what is known of it */
    pthread_mutex_t lock;
    struct shot shot[WORLD_SHOTS];
    uint64_t next_number;
};

struct worker {
    struct world *world;
    unsigned number;
    struct prng prng;
    uint64_t limit; /* operations; 0: until world->stop */
    pthread_t thread;
    uint8_t *buf; /* WORLD_IO_BLOCKS blocks */
    uint64_t done;
};

enum op_kind {
    OP_NONE,
    OP_WRITE,
    OP_ZEROES,
    OP_DISCARD,
    OP_RESTORE,
    OP_FLUSH,
    OP_CREATE,
    OP_DELETE,
    OP_VIEW_WRITE,
    OP_VIEW_ZEROES,
    OP_VIEW_RESET,
    OP_VIEW_FLUSH
};

/* One change: what it touches and how it went. This is what a killed process leaves behind. */
struct op {
    enum op_kind kind;
    enum history_outcome outcome; /* once it has ended */
    uint64_t begin;
    _Atomic uint64_t end;  /* TICK_NEVER while it runs */
    uint64_t first, count; /* sectors */
    uint64_t content;
    uint64_t shot; /* number */
    uint32_t policy;
    uint8_t cover[WORLD_COVER];
};

/* ---- world.c ---- */

/* Ends the process: a promise is broken. */
_Noreturn void world_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define WORLD_CHECK(w, condition) ((condition) ? (void)0 : world_fail(w, "%s:%d: %s", __FILE__, __LINE__, #condition))

/* The devices are then the world's; formats them if `fresh`, and fills the origin. */
void world_init(struct world *w, const struct world_config *config, uint64_t seed, const char *program);
void world_fini(struct world *w);
/* Fills the origin with patterns of sequence 0, and makes an empty store. */
void world_format(struct world *w);
void world_open(struct world *w);
/* Closes the context; nothing may be left allocated. Gives the result of selsnap_close(). */
int world_close(struct world *w);
void world_close_devices(struct world *w);

uint64_t world_tick(struct world *w);
/* No question about earlier moments will come. */
uint64_t world_floor(struct world *w);
/* The content of a sector. */
uint64_t world_content(const struct world *w, const uint8_t *sector, uint64_t number);
/* Tells of a content that is not allowed, and ends. */
_Noreturn void world_wrong(struct world *w, const char *what, struct history *history, uint64_t sector,
                           const uint8_t *bytes, uint64_t from, uint64_t to);
void world_name(uint64_t number, char *name, size_t name_len);
bool world_covers(const uint8_t *cover, uint64_t block);

void world_begin(struct worker *worker, struct op *op);
void world_end(struct worker *worker, struct op *op, enum history_outcome outcome);
/* What the operation, which has ended or never will, may have done. */
void world_replay(struct world *w, const struct op *op, uint64_t now);

/* Threads that work until each has done `limit` operations, or world->stop. */
void world_run(struct world *w, unsigned threads, uint64_t limit, uint64_t seed);

/* ---- shots.c ---- */

/* Pinned; NULL: there is none. */
struct shot *shot_pick(struct world *w, struct prng *prng);
struct shot *shot_find(struct world *w, uint64_t number);
void shot_unpin(struct world *w, struct shot *shot);
/* Somebody deletes it, or has; beside `own` deletes of the caller. */
bool shot_may_be_gone(struct world *w, struct shot *shot, unsigned own);
/* A free one, BUSY; NULL: there are enough. */
struct shot *shot_take(struct world *w);
void shot_free(struct world *w, struct shot *shot);
/* Reads all of it, without the overlay: for the first time, or once more, to be the same. false: the device broke. */
bool shot_load(struct world *w, struct shot *shot, uint8_t *buf);
/* There is a moment in from..to that gives its frozen content. */
void shot_check_cut(struct world *w, struct shot *shot, uint64_t from, uint64_t to);
/* After a kill: reads what was made since the last open, as far as it is there. */
void shots_load_new(struct world *w);
/* Steps until nothing is left to do. */
void world_settle(struct world *w);
/* Nobody else works: every snapshot, the overlays, the live device, selsnap_check(). */
void world_verify(struct world *w);
/* After a crash: what may have survived is all that is there; from here on that is certain. */
void world_verify_crash(struct world *w);

/* ---- work_live.c, work_view.c, work_snap.c ---- */

/* selsnap_view_open() and selsnap_view_close(); a close that fails leaves what was not flushed in doubt. */
int world_view_open(struct world *w, const selsnap_view_options *options, selsnap_view **ret_view);
int world_view_close(struct world *w, struct shot *shot, selsnap_view *view);

/* true: it succeeded. Otherwise the code is one of those allowed (ended by 0), or the devices broke: then the worker
 * stops. */
bool work_result(struct worker *worker, const char *what, int code, const int *allowed);
void work_live(struct worker *worker);
void work_view(struct worker *worker);
void work_create(struct worker *worker);
void work_delete(struct worker *worker);
void work_restore(struct worker *worker);
void work_upkeep(struct worker *worker);

#endif
