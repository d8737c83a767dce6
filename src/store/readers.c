/* SPDX-License-Identifier: Apache-2.0 */
/* See readers.h. All atomics are sequentially consistent: a section either is seen by a turn, or sees it. */
#include "readers.h"

void ssn_readers_init(struct ssn_readers *readers) {
    atomic_init(&readers->phase, 0);
    for (unsigned i = 0; i < SSN_READER_SHARDS; i++) {
        atomic_init(&readers->shard[i].sections[0], 0);
        atomic_init(&readers->shard[i].sections[1], 0);
    }
    readers->begun = 0;
    readers->ended = 0;
}

/* Threads have stacks of their own: an address on the stack tells them apart, without state. */
static unsigned shard_of_thread(void) {
    char here;
    uint64_t address = (uint64_t)(uintptr_t)&here >> 16;
    return (unsigned)((address * UINT64_C(0x9E3779B97F4A7C15)) >> 60) % SSN_READER_SHARDS;
}

unsigned ssn_readers_enter(struct ssn_readers *readers) {
    unsigned shard = shard_of_thread();
    for (;;) {
        uint32_t phase = atomic_load(&readers->phase);
        atomic_fetch_add(&readers->shard[shard].sections[phase], 1);
        if (atomic_load(&readers->phase) == phase) {
            return shard * 2 + phase;
        }
        atomic_fetch_sub(&readers->shard[shard].sections[phase], 1);
    }
}

void ssn_readers_leave(struct ssn_readers *readers, unsigned ticket) {
    atomic_fetch_sub(&readers->shard[ticket / 2].sections[ticket % 2], 1);
}

uint64_t ssn_readers_mark(const struct ssn_readers *readers) {
    return readers->begun + 1;
}

/* Whether no section of the phase before the present one is left. Each shard's count may be looked at by itself: none
 * begins in a phase that is over. */
static bool drained(struct ssn_readers *readers) {
    uint32_t old = 1 - atomic_load(&readers->phase);
    for (unsigned i = 0; i < SSN_READER_SHARDS; i++) {
        if (atomic_load(&readers->shard[i].sections[old]) != 0) {
            return false;
        }
    }
    return true;
}

bool ssn_readers_passed(struct ssn_readers *readers, uint64_t mark) {
    while (readers->ended < mark) {
        if (readers->begun > readers->ended) {
            if (!drained(readers)) {
                return false;
            }
            readers->ended = readers->begun;
        } else {
            atomic_store(&readers->phase, 1 - atomic_load(&readers->phase));
            readers->begun++;
        }
    }
    return true;
}
