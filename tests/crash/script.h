/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scripts: fixed sequences of operations for the model and the library together. Ranges of the live device and of
 * snapshots are in sectors of 512 bytes; sets of blocks are masks, bit 0 for block 0.
 *
 * A step that has been done already is not done again, so that after a power cut the step that met it can just be
 * repeated. A step on a view opens the view if it is closed.
 */
#ifndef SSN_CRASH_SCRIPT_H
#define SSN_CRASH_SCRIPT_H

#include "model.h"

enum step_kind {
    STEP_END,
    STEP_WRITE,
    STEP_ZEROES,
    STEP_DISCARD,
    STEP_FLUSH,
    STEP_OVERWRITE,
    STEP_BATCH,
    STEP_CREATE,
    STEP_CREATE_SAVED,
    STEP_MARK,
    STEP_BOOKMARK,
    STEP_DELETE,
    STEP_RENAME,
    STEP_HOLD,
    STEP_RELEASE,
    STEP_LOCK,
    STEP_EXPIRY,
    STEP_EXPIRE,
    STEP_QUOTA,
    STEP_STORE_QUOTA,
    STEP_SAVE,
    STEP_UNNAME,
    STEP_VIEW_WRITE,
    STEP_VIEW_DISCARD,
    STEP_VIEW_FLUSH,
    STEP_VIEW_RESET,
    STEP_VIEW_CLOSE,
    STEP_RESTORE,
    STEP_GROW,
    STEP_WORK,
    STEP_REOPEN,
    STEP_CLONE,
    STEP_GROUP,
};

struct step {
    enum step_kind kind;
    unsigned slot; /* of the snapshot, or of the saved subset */
    uint64_t a;
    uint64_t b;
};

/* clang-format off */
#define WRITE(sector, sectors)            {STEP_WRITE, 0, sector, sectors}
#define ZEROES(sector, sectors)           {STEP_ZEROES, 0, sector, sectors}
#define DISCARD(sector, sectors)          {STEP_DISCARD, 0, sector, sectors}
#define FLUSH                             {STEP_FLUSH, 0, 0, 0}
/* Writes all blocks of the mask, one after the other, as often as told. */
#define OVERWRITE(mask, times)            {STEP_OVERWRITE, 0, mask, times}
/* Writes all blocks of the mask in one batch; durable: 1, so that they are when it returns. */
#define BATCH(mask, durable)              {STEP_BATCH, 0, mask, durable}
#define CREATE(slot, mask, policy)        {STEP_CREATE, slot, mask, policy}
#define CREATE_SAVED(slot, name, policy)  {STEP_CREATE_SAVED, slot, name, policy}
/* As CREATE, as the only member of a consistency group. */
#define GROUP(slot, mask, policy)         {STEP_GROUP, slot, mask, policy}
/* A bookmark; and turning a snapshot into one. */
#define MARK(slot, mask)                  {STEP_MARK, slot, mask, 0}
#define BOOKMARK(slot)                    {STEP_BOOKMARK, slot, 0, 0}
#define DELETE(slot)                      {STEP_DELETE, slot, 0, 0}
#define RENAME(slot)                      {STEP_RENAME, slot, 0, 0}
#define HOLD(slot)                        {STEP_HOLD, slot, 0, 0}
#define RELEASE(slot)                     {STEP_RELEASE, slot, 0, 0}
#define LOCK(slot)                        {STEP_LOCK, slot, 0, 0}
#define EXPIRY(slot, time)                {STEP_EXPIRY, slot, time, 0}
#define EXPIRE(slot)                      {STEP_EXPIRE, slot, 0, 0}
#define QUOTA(slot, blocks)               {STEP_QUOTA, slot, blocks, 0}
#define STORE_QUOTA(units)                {STEP_STORE_QUOTA, 0, units, 0} /* of MODEL_QUOTA_UNIT */
#define SAVE(name, mask)                  {STEP_SAVE, name, mask, 0}
#define UNNAME(name)                      {STEP_UNNAME, name, 0, 0}
#define VIEW_WRITE(slot, sector, sectors) {STEP_VIEW_WRITE, slot, sector, sectors}
#define VIEW_DISCARD(slot, sector, count) {STEP_VIEW_DISCARD, slot, sector, count}
#define VIEW_FLUSH(slot)                  {STEP_VIEW_FLUSH, slot, 0, 0}
#define VIEW_RESET(slot)                  {STEP_VIEW_RESET, slot, 0, 0}
#define VIEW_CLOSE(slot)                  {STEP_VIEW_CLOSE, slot, 0, 0}
#define RESTORE(slot, mask)               {STEP_RESTORE, slot, mask, 0}
/* The store has so many pages more than it had at first. */
#define GROW(pages)                       {STEP_GROW, 0, pages, 0}
#define WORK(flags, budget)               {STEP_WORK, 0, flags, budget} /* selsnap_step() */
/* A clone of a snapshot into a slot; changed: 1, as changed. */
#define CLONE(source, slot, changed)      {STEP_CLONE, slot, source, changed}
#define REOPEN                            {STEP_REOPEN, 0, 0, 0}
#define END                               {STEP_END, 0, 0, 0}
/* clang-format on */

struct script {
    const char *name;
    const struct config *config;
    const struct step *steps;
    unsigned share; /* in a build, one in so many images is cut again */
};

extern const struct script scripts[];
extern const size_t script_count;
const struct script *script_find(const char *name);

/* Does one step on the library and the model. */
void script_step(struct model *m, const struct step *step);

#endif
