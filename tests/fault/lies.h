/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store that lies, and what is known of the content that it is to keep. One world for a process; a lie forks it.
 */
#ifndef SSN_FAULT_LIES_H
#define SSN_FAULT_LIES_H

#include "fault_scripts.h"
#include "heap.h"
#include "pattern.h"
#include "script.h"

enum {
    BLOCK = 4096,
    BLOCKS = 8,
    SIZE = BLOCKS * BLOCK,
    SECTORS = SIZE / PATTERN_SECTOR,
    PER_BLOCK = BLOCK / PATTERN_SECTOR,
    STORE = 768 << 10,
    JOURNAL = 65536,
    SLOT1 = 16 * BLOCK, /* where the second superblock is */
    SLOTS = 4,
    OTHERS = 24,
    SECONDS_PER_CHILD = 120,
};

enum lie {
    LIE_HALF,  /* a write: only its first half is done */
    LIE_LOST,  /* a write is not done */
    LIE_ASIDE, /* a write goes to the next page */
    LIE_BACK,  /* a write goes to where the write before it went */
    LIE_SLOT0, /* a write goes to a superblock's slot */
    LIE_SLOT1, /* the same, to the other's */
    LIE_OTHER, /* a read gives what is on the next page */
    LIE_AGAIN, /* a read gives what is where the read before it was */
    LIE_REST,  /* a read leaves the second half of the buffer as it was */
    LIE_KINDS
};

/* What a range of SIZE bytes holds; from the first error on, what failed may have left a sector as one of the others.
 */
struct content {
    uint8_t now[SIZE];
    uint64_t others[SECTORS][OTHERS];
    unsigned count[SECTORS];
};

struct snapshot {
    bool live;
    uint64_t id;
    uint8_t in[BLOCKS];
    struct content frozen;
    struct content now; /* with its overlay */
    selsnap_view *view;
};

struct shared {
    uint64_t lies;
    uint64_t told[LIE_KINDS];
    bool failed;
};

struct world {
    const char *program;
    const struct script *script;
    bool replay;
    uint64_t replay_call;
    enum lie replay_kind;
    struct shared *shared;

    uint8_t *store;
    uint8_t *origin;
    uint64_t calls;
    uint64_t last_write; /* where it went */
    uint64_t last_read;
    bool child; /* a call has been lied about */
    enum lie kind;
    bool told; /* an error has been given since */
    struct heap heap;
    selsnap_device *store_device;
    selsnap_device *origin_device;
    selsnap *ss;
    struct content live;
    struct snapshot snapshots[SLOTS];
    uint64_t sequence;
    char doing[64];
    char command[256];
};

extern struct world world;
extern const char *const lie_names[LIE_KINDS];

/* Tells what is wrong and how to replay it. */
_Noreturn void fail(const char *what, uint64_t number);
/* From now on the command to tell is the one that replays this lie. */
void describe_lie(uint64_t call, enum lie kind);
/* The same, for the script without one. */
void describe_script(void);
/* lies_device.c: a store that lies, or an origin that does not. */
selsnap_device *make_device(bool store);

/* True: it worked. False: it was refused as damage is allowed to be, or what was refused before is in its way. */
bool worked_unless(int code, int in_the_way);
bool worked(int code);
/* certain: all else is out of the question now. Otherwise what was before remains possible, if an error was given. */
void content_set(struct content *content, const uint8_t *bytes, uint64_t offset, uint64_t len, bool certain);
void content_failed(struct content *content, const uint8_t *bytes, uint64_t offset, uint64_t len);
/* Whether a restore runs, as far as can be told. */
bool restoring(void);
void check_live(void);
void check_all(void);

void close_view(struct snapshot *s);
void close_context(void);
void open_context(void);
/* Ends the process: whatever the store says, the origin has what was written. */
_Noreturn void end_child(void);

#endif
