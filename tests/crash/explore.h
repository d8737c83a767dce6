/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts the power at each change and flush of a script, with every image worth trying of what the cut may leave. The
 * script runs once; at each cut the process forks a child for each image. The child meets the cut, opens the image,
 * has the model judge it, repeats the step that met the cut, and goes on to the end of the script. In some children the
 * power is cut again, in the same way, while they open; and in theirs again.
 *
 * A cut and its image are one *turn* of a path, as in 17:lose2/5:kept: at call 17 of the script, with the second of the
 * unflushed changes lost; then at call 5 of the open, with all kept. A failure prints the command that replays its
 * path.
 */
#ifndef SSN_CRASH_EXPLORE_H
#define SSN_CRASH_EXPLORE_H

#include "script.h"

enum { EXPLORE_DEPTH = 3 };

enum image_kind {
    IMAGE_KEPT,   /* all unflushed changes are kept */
    IMAGE_LOST,   /* none */
    IMAGE_LOSE,   /* all but change n */
    IMAGE_KEEP,   /* only change n */
    IMAGE_HEAD,   /* all, of change n only the first half of its units */
    IMAGE_TAIL,   /* all, of change n only the second half */
    IMAGE_ORIGIN, /* only those of the origin */
    IMAGE_STORE,  /* only those of the store */
    IMAGE_MASK,   /* those in the mask n */
    IMAGE_RANDOM, /* each unit by itself, by the seed n */
    IMAGE_KILL,   /* not the power, but the process: the devices keep their caches */
};

struct turn {
    uint64_t call;
    enum image_kind kind;
    uint64_t n;
};

struct explore {
    const struct script *script;
    const char *program;
    unsigned depth;  /* cuts in a path, at most */
    unsigned share;  /* one in so many images is cut again while it opens */
    unsigned random; /* random images at each cut */
    bool replay;
    bool trace;
    struct turn path[EXPLORE_DEPTH]; /* to replay, or so far */
    unsigned turns;                  /* in path: to replay, or so far */
};

/* Runs it; gives the number of images, or -1 after a failure, which is printed. */
int64_t explore_run(const struct explore *how);
/* Reads a path; false: it is none. */
bool explore_parse(const char *text, struct explore *how);

#endif
