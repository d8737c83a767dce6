/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A context on two devices of which one call can be made to wait (stalldev.h), other threads' calls beside it, and
 * images of the devices as they stand at a moment. For tests of narrow windows: pair_setup() and pair_teardown() go
 * with each test, which finds its pair in *state. When a test fails, the teardown lets what waits go on and ends the
 * threads.
 */
#ifndef SSN_TEST_PAIR_H
#define SSN_TEST_PAIR_H

#include "rig.h"
#include "stalldev.h"

enum {
    BLOCK = 4096,
    BLOCKS = 64,
    STORE_BYTES = 16 << 20,
    SLOTS_BYTES = 32 * BLOCK,     /* the superblocks; the journal follows */
    TREE_BYTES = STORE_BYTES / 2, /* where pages of the tree begin, from the end */
    AWHILE_US = 30000,
};

struct call;

struct pair {
    struct rig rig;
    struct stalldev *origin;
    struct stalldev *store;
    struct call *running; /* begun, and not ended */
    bool open;
};

int pair_setup(void **state);
int pair_teardown(void **state);
void pair_open(struct pair *pair);
/* options: the rig's, but for devices' sizes as given; NULL for the defaults. */
void pair_open_sized(struct pair *pair, uint64_t blocks, uint64_t store_bytes, const struct rig_options *options);
void pair_close(struct pair *pair);

/* ---- another thread's call ---- */

struct call {
    enum {
        CALL_WRITE,
        CALL_CREATE,
        CALL_DELETE,
        CALL_RESTORE,
        CALL_RUN,
        CALL_STEP,
        CALL_READ,
        CALL_VIEW,
        CALL_VIEW_FLUSH,
        CALL_ABANDON,
        CALL_FREEZE
    } what;
    uint64_t block;     /* CALL_WRITE, CALL_READ, CALL_VIEW */
    uint64_t count;     /* CALL_WRITE: so many blocks, one by one; 0: one */
    uint64_t sequence;  /* CALL_WRITE */
    uint64_t id;        /* CALL_DELETE, CALL_RESTORE, CALL_VIEW: the snapshot; CALL_RUN: the job */
    uint32_t flags;     /* CALL_STEP */
    const char *name;   /* CALL_CREATE: of the snapshot; its designation is "d" */
    selsnap_view *view; /* CALL_VIEW_FLUSH */
    uint8_t buf[BLOCK]; /* CALL_READ, CALL_VIEW: what was read */
    int code;
    uint64_t made; /* the snapshot or the job */

    /* The pair's own. */
    struct pair *pair;
    struct call *copy; /* what the thread has */
    struct call *next;
    pthread_t thread;
    _Atomic bool ended;
    _Atomic uint64_t written; /* CALL_WRITE: blocks so far */
};

void begin(struct pair *pair, struct call *call);
/* It succeeds. */
void end(struct call *call);
/* The call had time to end, and has not. */
void assert_waits(const struct call *call);
bool has_ended(const struct call *call);
/* Until the call has ended or comes no further; gives the blocks it has written. */
uint64_t wait_while_it_writes(const struct call *call);
void wait_for_epoch(struct pair *pair, uint64_t epoch);

/* ---- the devices as they are at this moment ---- */

struct image {
    selsnap_device *origin;
    selsnap_device *store;
};

struct image take_image(struct pair *pair);
/* The pair goes on with the image. */
void go_on_with(struct pair *pair, struct image image);
uint64_t start_restore(struct pair *pair, uint64_t id);

#endif
