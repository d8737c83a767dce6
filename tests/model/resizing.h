/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model of test_resize, test_streams_random and test_groups_random: what an origin that changes its size holds, and each snapshot of it. Content is kept padded
 * with zeros, up to the longest origin there may be.
 *
 * Which blocks a snapshot shares with the origin is known exactly: nothing is preserved ahead, and after a crash it is
 * learned anew, where the library may know more, or of bookmarks and of deferred writes less.
 */
#ifndef SSN_MODEL_RESIZING_H
#define SSN_MODEL_RESIZING_H

#include "printf_like.h"
#include "rig.h"
#include "testdev.h"

enum { SECTOR = 512, BLOCKS_MOST = 96, SNAPS = 6, DESIGNATIONS = 2 };

struct m_snap {
    bool live;
    bool doubtful; /* not there now, and perhaps after the next open */
    bool bookmark;
    uint64_t id;
    uint64_t bytes; /* of the origin, then */
    unsigned point; /* that of a clone is its source's */
    char name[16];
    uint8_t in[BLOCKS_MOST];
    uint8_t changed[BLOCKS_MOST]; /* since its point, of those in it */
    uint8_t *frozen;
    uint8_t *mine; /* with what was written into it */
};

/* What a sector held at some time since the last flush. */
struct m_version {
    uint64_t sector;
    uint8_t bytes[SECTOR];
};

enum m_restart { RESTART_CLOSE, RESTART_KILL, RESTART_CUT };

struct m_world {
    struct prng prng;
    const char *name; /* NULL: nothing is told */
    bool calm;        /* no power cuts within operations */
    uint32_t block;
    uint64_t most; /* bytes that the device grows to */
    struct wire wire;
    struct testdev *origin;
    struct testdev *store;
    struct rig rig;
    uint64_t bytes;   /* of the origin, now */
    uint64_t longest; /* that it had */
    uint8_t *live;
    uint8_t *durable; /* as of the last flush */
    uint8_t *scratch;
    struct m_version *versions;
    size_t version_count;
    size_t version_capacity;
    struct m_snap snaps[SNAPS];
    struct {
        bool live;
        uint8_t in[BLOCKS_MOST];
    } designations[DESIGNATIONS];
    unsigned points;
    unsigned names;
    uint64_t stamp;
    struct m_snap *pending_snap; /* NULL, or what was made or deleted when the power was cut */
    uint64_t pending_bytes;      /* 0, or the size that was asked for then */
};

/* A world to be made; all else is random. */
struct m_shape {
    struct prng prng;
    const char *name; /* NULL, or each operation is told, behind this */
    uint32_t block;
    uint64_t most_blocks;
    uint64_t most;  /* bytes; 0: about as many */
    uint64_t bytes; /* 0: any */
};

void m_open(struct m_world *w, const struct m_shape *shape);
void m_close(struct m_world *w);
void m_say(const struct m_world *w, const char *format, ...) PRINTF_LIKE(2, 3);

uint64_t m_blocks(const struct m_world *w, uint64_t bytes);
bool m_chance(struct m_world *w, unsigned percent);
/* From the first one of these on, there is a block. */
bool m_reaches(const uint8_t *in, uint64_t block);
/* Any that lives; mostly one with data. NULL: none does. */
struct m_snap *m_pick(struct m_world *w);
struct m_snap *m_pick_data(struct m_world *w);
/* Named, and with nothing in it. NULL: there are as many as may be. */
struct m_snap *m_new_snap(struct m_world *w);
void m_set_content(struct m_world *w, struct m_snap *s, const uint8_t *frozen, const uint8_t *mine);

/* The range was written, live has it already: it may come to be, or be lost. */
void m_note(struct m_world *w, uint64_t offset, uint64_t len);
/* Every snapshot has what it needs of these blocks. */
void m_touch(struct m_world *w, uint64_t offset, uint64_t len);
/* All that was written is durable; or this part. */
void m_settle(struct m_world *w);
void m_settle_part(struct m_world *w, uint64_t offset, uint64_t len);
/* The origin has this size now. */
void m_resized(struct m_world *w, uint64_t bytes);

/* What a snapshot is to be made of; its content is that of now. subset: to be closed. false: there are as many as may be. */
struct m_making {
    struct m_snap *snap;
    selsnap_snapshot_options options;
    selsnap_subset *subset;
    int wanted;
};
bool m_prepare(struct m_world *w, struct m_making *making);
void m_write(struct m_world *w);
/* One, at random; it may end with a crash. */
void m_operation(struct m_world *w);
/* To this size; what is cut off is zeros first. */
void m_resize(struct m_world *w, uint64_t bytes);
void m_restart(struct m_world *w, enum m_restart how);
/* What each snapshot shares with the origin, after what the model does not follow: never more than before. */
void m_learn_changed(struct m_world *w);

/* All asserted. */
void m_check_live(struct m_world *w);
void m_check_snap(struct m_world *w, struct m_snap *s);
void m_check_diff(struct m_world *w, const struct m_snap *from, const struct m_snap *to);
void m_check_some(struct m_world *w);
void m_check_all(struct m_world *w);
/* The kind of each block in the diff; to: NULL for now. */
void m_diff(struct m_world *w, const struct m_snap *from, const struct m_snap *to, uint8_t *kinds);

#endif
