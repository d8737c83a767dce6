/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An origin, a store and a context on them, behind counting devices. All helpers assert. Block contents are patterns
 * (pattern.h): block b at sequence n; at the start the whole origin is at sequence 0.
 */
#ifndef SSN_TEST_RIG_H
#define SSN_TEST_RIG_H

#include "heap.h"
#include "pattern.h"
#include "test.h"

#include <selsnap/selsnap.h>

#define RIG_LIBRARY_MEMORY UINT64_MAX

struct rig_options {
    uint64_t origin_bytes;  /* 0: 64 blocks of 4 KiB */
    uint64_t store_bytes;   /* 0: 8 MiB */
    uint64_t journal_bytes; /* 0: 256 KiB */
    uint64_t memory_limit;  /* 0: 16 MiB + 4 x the journal + 2 x deferred, so that a context costs little;
                               RIG_LIBRARY_MEMORY: the library's default */
    uint64_t deferred;      /* bytes of writes kept in memory */
    uint32_t block_bytes;   /* 0: 4096 */
    uint32_t logical;       /* 0: 1 */
    uint32_t open_flags;    /* SELSNAP_OPEN_*; SELSNAP_OPEN_NO_AHEAD is added, for exact counts, unless: */
    bool ahead;
    bool blank; /* leave the origin as it is, instead of filling it */
    selsnap_event_fn event;
    void *event_user;
};

struct rig {
    struct rig_options options;
    struct heap heap;
    selsnap_device *origin_base; /* owned */
    selsnap_device *store_base;  /* owned */
    selsnap_device *origin;      /* counts; on origin_base */
    selsnap_device *store;       /* counts; on store_base */
    selsnap *ss;
    uint32_t block_bytes;
    uint64_t block_count;
};

/* On memory devices. options: NULL for the defaults. */
void rig_open(struct rig *rig, const struct rig_options *options);
/* The same on the devices given, which the rig then owns. */
void rig_open_on(struct rig *rig, selsnap_device *origin, selsnap_device *store, const struct rig_options *options);
/* Opens the context again, after rig_stop(). rig_try_start() gives the result of selsnap_open(). */
void rig_start(struct rig *rig);
int rig_try_start(struct rig *rig);
/* Closes the context; nothing may be left allocated. */
void rig_stop(struct rig *rig);
void rig_reopen(struct rig *rig);
/* Goes on with copies of the devices as they are now, as after a killed process. No view may be open. */
void rig_crash(struct rig *rig);
void rig_close(struct rig *rig);

/* Counts since the last call of rig_reset_counts(). */
void rig_reset_counts(struct rig *rig);
selsnap_device_counts rig_origin_counts(struct rig *rig);
selsnap_device_counts rig_store_counts(struct rig *rig);
selsnap_stats rig_stats(struct rig *rig);

void rig_write(struct rig *rig, uint64_t first_block, uint64_t count, uint64_t sequence);
int rig_try_write(struct rig *rig, uint64_t first_block, uint64_t count, uint64_t sequence);
void rig_assert_live(struct rig *rig, uint64_t first_block, uint64_t count, uint64_t sequence);
/* What the origin device itself holds. */
void rig_assert_origin(struct rig *rig, uint64_t first_block, uint64_t count, uint64_t sequence);

/* Blocks first_block .. first_block + count - 1; count 0: the whole origin. */
selsnap_subset *rig_subset(struct rig *rig, uint64_t first_block, uint64_t count);
int rig_try_snapshot(struct rig *rig, const char *name, uint64_t first_block, uint64_t count, uint32_t policy,
                     uint64_t *ret_id);
uint64_t rig_snapshot(struct rig *rig, const char *name, uint64_t first_block, uint64_t count);
void rig_save(struct rig *rig, const char *name, uint64_t first_block, uint64_t count);
uint64_t rig_snapshot_of(struct rig *rig, const char *name, const char *designation);

selsnap_view *rig_view(struct rig *rig, uint64_t id, uint32_t flags, uint32_t undesignated);
/* The result of reading one block of a snapshot into buf (block_bytes). */
int rig_read_snapshot(struct rig *rig, uint64_t id, uint64_t block, void *buf);
void rig_assert_snapshot(struct rig *rig, uint64_t id, uint64_t first_block, uint64_t count, uint64_t sequence);
/* Bytes that the origin had at its point. */
uint64_t rig_size_of(struct rig *rig, uint64_t id);
/* All of a snapshot of the whole origin, of so many bytes then, at one sequence (0: as at the start); nothing behind. */
void rig_assert_whole(struct rig *rig, uint64_t id, uint64_t bytes, uint64_t sequence);
/* The state of a block in the snapshot's table: SELSNAP_BLOCKS_*. */
uint32_t rig_state(struct rig *rig, uint64_t id, uint64_t block);

/* Steps until nothing is left to do. */
void rig_settle(struct rig *rig);
/* selsnap_check() finds nothing. */
void rig_assert_sound(struct rig *rig);
/* Problems that selsnap_check() finds; they are not printed. */
uint64_t rig_count_problems(struct rig *rig);

/* A copy of a device in a new memory device. */
selsnap_device *rig_copy_device(selsnap_device *device);

#endif
