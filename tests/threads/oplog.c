/* SPDX-License-Identifier: Apache-2.0 */
/* See oplog.h. */
#include "oplog.h"

#include "test.h"

#include <sys/mman.h>
#include <unistd.h>

struct oplog *oplog_map(void) {
    void *memory = mmap(NULL, sizeof(struct oplog), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

void oplog_unmap(struct oplog *log) {
    (void)munmap(log, sizeof *log);
}

void oplog_clear(struct oplog *log) {
    atomic_store(&log->operations, 0);
    for (unsigned i = 0; i < WORLD_THREADS; i++) {
        atomic_store(&log->thread[i].count, 0);
    }
}

void oplog_begin(struct oplog *log, unsigned thread, const struct op *op) {
    if (log == NULL) {
        return;
    }
    uint64_t count = atomic_load(&log->thread[thread].count);
    while (count == OPLOG_OPS) {
        pause();
    }
    log->thread[thread].op[count] = *op;
    atomic_store(&log->thread[thread].count, count + 1);
}

void oplog_end(struct oplog *log, unsigned thread, uint64_t tick, enum history_outcome outcome) {
    if (log != NULL) {
        struct op *op = &log->thread[thread].op[atomic_load(&log->thread[thread].count) - 1];
        op->outcome = outcome;
        atomic_store(&op->end, tick);
    }
}

void oplog_count(struct oplog *log) {
    if (log != NULL) {
        atomic_fetch_add(&log->operations, 1);
    }
}
