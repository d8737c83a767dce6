/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal's ring, and the batches of group commit (docs/format.md, section 3).
 *
 * Two batches: `open` collects transactions, `flight` is being written. One thread at a time is the leader: it alone
 * touches flight's bytes, the sectors, and the device's ring. A batch goes from open to flight to published:
 *
 *   open     transactions are appended; nothing of it is on the device
 *   flight   sealed: number, chain and place are fixed; written and flushed by the leader
 *   failed   flight could not be written or flushed: it may be on the device, whole or in part. Nothing else is written
 *            to the ring before the same bytes have been written again and flushed
 *
 * `lock` guards everything here, except what the leader owns; `changed` is signalled at each change that a waiter
 * waits for. Relies on [F-6], [F-7], [F-15].
 */
#ifndef SSN_JOURNAL_H
#define SSN_JOURNAL_H

#include "mem.h"
#include "sector.h"

#include <pthread.h>

enum {
    SSN_BATCH_BYTES_MAX = SSN_BATCH_SECTORS_MAX * SSN_SECTOR_SIZE,
};

struct ssn_batch {
    uint8_t *payload;
    size_t len;
    uint64_t serial;
    uint64_t ops;       /* puts and deletes */
    uint64_t bytes;     /* of keys and values put */
    uint64_t run_count; /* takes and gives */
    uint64_t failures;  /* flushes that had failed when the space of its oldest data was handed out */
};

/* Where a batch goes in the ring, and what it must name. */
struct ssn_journal_at {
    uint64_t page;
    uint64_t number;
    uint64_t chain;
};

struct ssn_journal {
    struct ssn_mem *mem;
    uint64_t ring_pages;
    size_t payload_max; /* of a batch */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ready; /* activated: batches may be written */
    uint64_t incarnation;
    uint64_t super_sequence;    /* of the newest durable superblock */
    uint64_t start;             /* where replay would begin, by that superblock */
    uint64_t used;              /* pages from start to head */
    struct ssn_journal_at head; /* of the next batch */

    struct ssn_batch *open;   /* NULL: no memory for one yet */
    struct ssn_batch *flight; /* NULL: none */
    struct ssn_batch *idle;   /* empty, for the next one; NULL when a generation keeps it */
    bool leader;
    bool failed;       /* flight has failed */
    uint64_t done;     /* serial of the last batch published */
    uint64_t serial;   /* of the last batch that open was, or is */
    uint64_t failures; /* failed attempts, for those who wait */
    uint64_t given_up; /* serial of the last batch that somebody no longer waits for */

    struct ssn_sector seal; /* leader: what flight's sectors say */
    uint8_t *sectors;       /* leader: flight, sealed */
    uint32_t pages;         /* leader: of it */
    uint64_t chain;         /* leader: its chain value */
};

int ssn_journal_init(struct ssn_journal *journal, struct ssn_mem *mem, uint64_t ring_pages);
void ssn_journal_fini(struct ssn_journal *journal);

struct ssn_batch *ssn_batch_new(struct ssn_mem *mem, size_t payload_max);
void ssn_batch_free(struct ssn_mem *mem, struct ssn_batch *batch);
void ssn_batch_reset(struct ssn_batch *batch, uint64_t serial);

/* lock: there is an open batch. false: no memory. */
bool ssn_journal_make_open(struct ssn_journal *journal);
/* lock: open becomes flight; the caller is the leader. */
void ssn_journal_take_off(struct ssn_journal *journal);
/* lock: pages of the ring that neither published nor waiting batches use, were `more` bytes of transaction appended. */
bool ssn_journal_fits(const struct ssn_journal *journal, size_t more);
/* lock: whether the open batch has room for a transaction of `len` bytes of operations. */
bool ssn_journal_open_fits(const struct ssn_journal *journal, size_t len);
/* Leader, without the lock: seals flight. */
void ssn_journal_seal(struct ssn_journal *journal);
/* lock: flight is published: the head moves on. */
void ssn_journal_advance(struct ssn_journal *journal);

#endif
