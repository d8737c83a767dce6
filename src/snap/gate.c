/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See gate.h. A writer raises its shard's count and then looks at `closed`; a closer raises `closed` and then looks at
 * the counts. Both are sequentially consistent, so one of them sees the other.
 */
#include "gate.h"

#include "clock.h"

#include <assert.h>
#include <selsnap/error.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

int ssn_gate_init(struct ssn_gate *gate) {
    memset(gate, 0, sizeof *gate);
    if (pthread_mutex_init(&gate->lock, NULL) != 0) {
        return SELSNAP_ENOMEM;
    }
    if (pthread_cond_init(&gate->opened, NULL) != 0) {
        pthread_mutex_destroy(&gate->lock);
        return SELSNAP_ENOMEM;
    }
    if (pthread_cond_init(&gate->drained, NULL) != 0) {
        pthread_cond_destroy(&gate->opened);
        pthread_mutex_destroy(&gate->lock);
        return SELSNAP_ENOMEM;
    }
    return SELSNAP_OK;
}

void ssn_gate_fini(struct ssn_gate *gate) {
    pthread_cond_destroy(&gate->drained);
    pthread_cond_destroy(&gate->opened);
    pthread_mutex_destroy(&gate->lock);
}

static unsigned shard_of_thread(void) {
    pthread_t self = pthread_self();
    uintptr_t bits = 0;
    memcpy(&bits, &self, sizeof self < sizeof bits ? sizeof self : sizeof bits);
    return (unsigned)((bits >> 12) ^ (bits >> 20)) % SSN_GATE_SHARDS;
}

static uint64_t inside(uint64_t state) {
    return state & ((UINT64_C(1) << SSN_GATE_INSIDE_BITS) - 1);
}

bool ssn_gate_try_enter(struct ssn_gate *gate, unsigned *ret_shard) {
    *ret_shard = shard_of_thread();
    atomic_fetch_add(&gate->shards[*ret_shard].state, 1);
    if (atomic_load(&gate->closed) == 0) {
        return true;
    }
    ssn_gate_leave(gate, *ret_shard);
    return false;
}

unsigned ssn_gate_enter(struct ssn_gate *gate) {
    unsigned shard;
    for (;;) {
        if (ssn_gate_try_enter(gate, &shard)) {
            return shard;
        }
        pthread_mutex_lock(&gate->lock);
        while (atomic_load(&gate->closed) != 0) {
            pthread_cond_wait(&gate->opened, &gate->lock);
        }
        pthread_mutex_unlock(&gate->lock);
    }
}

void ssn_gate_leave(struct ssn_gate *gate, unsigned shard) {
    ssn_gate_leave_counted(gate, shard, 0);
}

void ssn_gate_leave_counted(struct ssn_gate *gate, unsigned shard, unsigned writes) {
    uint64_t before = atomic_fetch_add(&gate->shards[shard].state, ((uint64_t)writes << SSN_GATE_INSIDE_BITS) - 1);
    assert(inside(before) > 0);
    (void)before;
    if (atomic_load(&gate->closed) != 0) {
        pthread_mutex_lock(&gate->lock);
        pthread_cond_broadcast(&gate->drained);
        pthread_mutex_unlock(&gate->lock);
    }
}

uint64_t ssn_gate_counted(struct ssn_gate *gate) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < SSN_GATE_SHARDS; i++) {
        sum += atomic_load_explicit(&gate->shards[i].state, memory_order_relaxed) >> SSN_GATE_INSIDE_BITS;
    }
    return sum;
}

static bool anybody_inside(struct ssn_gate *gate) {
    for (unsigned i = 0; i < SSN_GATE_SHARDS; i++) {
        if (inside(atomic_load(&gate->shards[i].state)) != 0) {
            return true;
        }
    }
    return false;
}

void ssn_gate_close(struct ssn_gate *gate) {
    pthread_mutex_lock(&gate->lock);
    atomic_fetch_add(&gate->closed, 1);
    while (anybody_inside(gate)) {
        pthread_cond_wait(&gate->drained, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

/* Waits a while for somebody to leave; condition variables know the clock that can be set, so not for long. */
static void wait_a_while(struct ssn_gate *gate) {
    const long while_ns = 10000000;
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += while_ns;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(&gate->drained, &gate->lock, &until);
}

bool ssn_gate_close_by(struct ssn_gate *gate, uint64_t deadline_ns) {
    bool in_time = true;
    pthread_mutex_lock(&gate->lock);
    atomic_fetch_add(&gate->closed, 1);
    while (anybody_inside(gate) && in_time) {
        in_time = ssn_monotonic_ns() < deadline_ns;
        if (in_time) {
            wait_a_while(gate);
        }
    }
    pthread_mutex_unlock(&gate->lock);
    if (!in_time) {
        ssn_gate_open(gate);
    }
    return in_time;
}

void ssn_gate_open(struct ssn_gate *gate) {
    pthread_mutex_lock(&gate->lock);
    assert(atomic_load(&gate->closed) > 0);
    if (atomic_fetch_sub(&gate->closed, 1) == 1) {
        pthread_cond_broadcast(&gate->opened);
    }
    pthread_mutex_unlock(&gate->lock);
}
