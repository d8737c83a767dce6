/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts the power at each change and flush of a script, with every image worth trying of what the cut may leave. The
 * script runs once; at each cut the process forks a child for each image. The child meets the cut, opens the image,
 * has the model judge it, repeats the step that met the cut, and goes on for some steps. In some children the power is
 * cut again, in the same way, while they open and go on; and in some of theirs again.
 *
 * A cut and its image are one *turn* of a path, as in 17:lose2/5:kept: at call 17 of the script, with the second of the
 * unflushed changes lost; then at call 5 since, with all kept. A failure prints the command that replays its path.
 *
 * What a child does beside is chosen by its path: a look at the image through a read-only open, which must change
 * nothing; the check, whose checkpoint ends the journal that was replayed; a close and an open at the end.
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

/* A mistake of the library's that the explorer plays itself, at some image: to show that each can be replayed. */
enum plant { PLANT_NONE, PLANT_WRONG, PLANT_CRASH, PLANT_HANG };

struct explore {
    const struct script *script;
    const char *program;
    unsigned depth;   /* cuts in a path, at most */
    unsigned share;   /* one in so many images is cut again, and fewer a third time; 1: all */
    unsigned reach;   /* and so at this many calls, at most */
    unsigned random;  /* random images at each cut */
    unsigned after;   /* steps that follow the one that met the cut */
    unsigned seconds; /* until what has not ended hangs */
    bool whole;       /* every kind of image for further cuts, too */
    bool replay;
    bool trace;
    enum plant plant;
    unsigned plant_at;               /* after so many cuts; 0: any number */
    struct turn path[EXPLORE_DEPTH]; /* to replay */
    unsigned turns;
};

/* Runs it; gives the number of images, or -1 after a failure, which is printed. by_depth: NULL, or their numbers by the
 * turns in their paths. */
int64_t explore_run(const struct explore *how, uint64_t by_depth[EXPLORE_DEPTH]);
/* Reads a path; false: it is none. */
bool explore_parse(const char *text, struct explore *how);

/* path.c */
/* Writes a path as text. */
void path_print(const struct turn *path, unsigned turns, char *text, size_t size);
/* Chooses by the path, always alike. */
uint64_t path_hash(const struct turn *path, unsigned turns);

#endif
