/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read sections: space is used again only when every read begun before has ended. A section is counted under the phase
 * it began in; a mark turns the phase, and has passed when no section of an older phase is left.
 *
 * enter and leave take no lock and never wait. mark and passed are for one caller at a time: the owner's lock.
 */
#ifndef SSN_READERS_H
#define SSN_READERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SSN_READER_SHARDS = 16 };

struct ssn_reader_shard {
    _Atomic uint32_t sections[2];
    uint8_t apart[56]; /* shards on cache lines of their own */
};

struct ssn_readers {
    _Atomic uint32_t phase;
    struct ssn_reader_shard shard[SSN_READER_SHARDS];
    uint64_t begun; /* turns begun and ended; at most one is under way */
    uint64_t ended;
};

void ssn_readers_init(struct ssn_readers *readers);
unsigned ssn_readers_enter(struct ssn_readers *readers);
void ssn_readers_leave(struct ssn_readers *readers, unsigned ticket);
/* A mark that has passed when all sections open now have ended. */
uint64_t ssn_readers_mark(const struct ssn_readers *readers);
bool ssn_readers_passed(struct ssn_readers *readers, uint64_t mark);

#endif
