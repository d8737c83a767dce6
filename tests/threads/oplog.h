/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What threads have done, in memory that they share with the process that will kill them: each operation is noted
 * before it begins, and its end when it has returned.
 */
#ifndef SSN_TEST_OPLOG_H
#define SSN_TEST_OPLOG_H

#include "world.h"

enum { OPLOG_OPS = 3000 };

struct oplog_thread {
    _Atomic uint64_t count;
    struct op op[OPLOG_OPS];
};

struct oplog {
    _Atomic uint64_t operations; /* all that were done */
    struct oplog_thread thread[WORLD_THREADS];
};

struct oplog *oplog_map(void);
void oplog_unmap(struct oplog *log);
void oplog_clear(struct oplog *log);

/* log: NULL for none. A full one is no place for more: the process then waits for its end. */
void oplog_begin(struct oplog *log, unsigned thread, const struct op *op);
void oplog_end(struct oplog *log, unsigned thread, uint64_t tick, enum history_outcome outcome);
void oplog_count(struct oplog *log);

#endif
