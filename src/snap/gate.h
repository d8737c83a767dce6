/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate: a sharded count of origin writes in flight. A writer is inside from its last test of the need bits to the
 * end of its origin write, and never waits for the store there. Whoever takes a point closes the gate: later writers
 * wait, those inside are waited for. Closing nests (freeze, and a snapshot made meanwhile).
 */
#ifndef SSN_GATE_H
#define SSN_GATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SSN_GATE_SHARDS = 16, SSN_GATE_INSIDE_BITS = 20 };

struct ssn_gate_shard {
    _Atomic uint64_t state; /* writers inside; above SSN_GATE_INSIDE_BITS, writes counted by ssn_gate_leave_counted */
    uint8_t pad[56];        /* one cache line each */
};

struct ssn_gate {
    struct ssn_gate_shard shards[SSN_GATE_SHARDS];
    _Atomic unsigned closed; /* closers now; written under lock */
    pthread_mutex_t lock;
    pthread_cond_t opened;
    pthread_cond_t drained;
};

int ssn_gate_init(struct ssn_gate *gate);
void ssn_gate_fini(struct ssn_gate *gate);
/* Waits while the gate is closed. Gives what to hand to leave. */
unsigned ssn_gate_enter(struct ssn_gate *gate);
/* The same, but false if it is closed. */
bool ssn_gate_try_enter(struct ssn_gate *gate, unsigned *ret_shard);
void ssn_gate_leave(struct ssn_gate *gate, unsigned shard);
/* The same, and counts writes, in the one step that a leave is. */
void ssn_gate_leave_counted(struct ssn_gate *gate, unsigned shard, unsigned writes);
uint64_t ssn_gate_counted(struct ssn_gate *gate);
/* Returns with the gate closed and nobody inside. */
void ssn_gate_close(struct ssn_gate *gate);
/* The same; false, and the gate is as it was, if somebody is inside still at `deadline`, of the monotonic clock. */
bool ssn_gate_close_by(struct ssn_gate *gate, uint64_t deadline_ns);
void ssn_gate_open(struct ssn_gate *gate);

#endif
