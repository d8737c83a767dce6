/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sectors may hold: each is a register, with the changes made to it as intervals of time. A *tick* is a moment of
 * the test's own clock. A change takes effect at one moment between its begin and its end; one that failed may have
 * taken effect or not (*maybe*); what somebody has read has taken effect before the read returned.
 *
 * A content is allowed at a moment if some change gave it that may have taken effect by then, and no later change must
 * have. After a crash a change hides earlier ones only if it was durable: restores are when they return, writes are
 * when a flush began after they returned, and succeeded. A kill loses no write, but one: what is not flushed of blocks
 * that a restore had reached only because of it.
 *
 * Any thread; sectors share locks by groups.
 */
#ifndef SSN_TEST_HISTORY_H
#define SSN_TEST_HISTORY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Contents. Others are the sequence numbers of patterns, 0 for what the origin was filled with. */
#define CONTENT_BAD UINT64_MAX             /* nothing that was ever written there */
#define CONTENT_ZERO (UINT64_MAX - 1)      /* zeros */
#define CONTENT_DISCARDED (UINT64_MAX - 2) /* what a testdev gives after a discard */
#define CONTENT_FROZEN (UINT64_MAX - 3)    /* of an overlay: as the snapshot was taken */
#define CONTENT_LOST (UINT64_MAX - 4)      /* of a frozen block: given up */
#define TICK_NEVER UINT64_MAX

enum { HISTORY_LOCKS = 64 };

enum history_outcome {
    HISTORY_DONE,
    HISTORY_DURABLE, /* done, and survives a crash without a flush */
    HISTORY_MAYBE,   /* it failed, and may have changed some */
    HISTORY_NEVER    /* it changed nothing */
};

struct history_event {
    uint64_t content;
    uint64_t begin; /* names the change */
    uint64_t end;   /* it has taken effect by then, unless maybe */
    uint64_t returned;
    bool maybe;
    bool durable;
    bool restored; /* it was a restore */
};

struct history_list {
    struct history_event *event;
    uint32_t count;
    uint32_t capacity;
};

struct history {
    pthread_mutex_t lock[HISTORY_LOCKS];
    _Atomic uint64_t flushed; /* changes that had returned before it survive a crash; TICK_NEVER: all do */
    bool cached; /* the crash is a kill: changes survive it, but where a restore goes on, and begins again */
    struct history_list *list;
    uint64_t sectors;
};

/* Moments at which a content was the current one: ranges, both ends in it. */
enum { SPANS_MAX = 32 };
struct spans {
    unsigned count;
    uint64_t from[SPANS_MAX];
    uint64_t to[SPANS_MAX];
};

struct history *history_new(uint64_t sectors, uint64_t content, uint64_t flushed);
void history_free(struct history *history);

/*
 * A change of sectors first .. first + count - 1 begins at the tick. contents: one for all (NULL: `content`), or one a
 * sector; sectors whose content is CONTENT_LOST are left out. floor: no question about moments before it will come.
 */
void history_begin(struct history *history, uint64_t first, uint64_t count, const uint64_t *contents, uint64_t content,
                   uint64_t tick, uint64_t floor);
void history_end(struct history *history, uint64_t first, uint64_t count, uint64_t begin, uint64_t tick,
                 enum history_outcome outcome);
/* Whether a read that took from..to may have given the content. What it tells of changes is kept. */
bool history_read(struct history *history, uint64_t sector, uint64_t content, uint64_t from, uint64_t to);
/* Keeps of the spans the moments at which the sector may have had the content. */
void history_keep(struct history *history, uint64_t sector, uint64_t content, struct spans *spans);
/* A flush that began at the tick has succeeded. */
void history_flushed(struct history *history, uint64_t tick);
/* Whether the sector may have the content after a crash. */
bool history_survives(struct history *history, uint64_t sector, uint64_t content);
/* From here on the sector has this content, durably; restored: and perhaps from a restore that still runs. */
void history_settle(struct history *history, uint64_t sector, uint64_t content, uint64_t tick, bool restored);
/* What was not flushed may be gone. */
void history_doubt(struct history *history);
/* One line about what the sector may hold. */
void history_describe(struct history *history, uint64_t sector, char *text, size_t text_len);

#endif
