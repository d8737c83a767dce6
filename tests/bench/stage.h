/* SPDX-License-Identifier: Apache-2.0 */
/* A store of a given size on sparse devices, and what single operations cost on it. Times are of the processor: the
 * devices do no I/O. */
#ifndef SSN_BENCH_STAGE_H
#define SSN_BENCH_STAGE_H

#include "bench.h"

struct stage_size {
    uint64_t origin_bytes;
    uint64_t entries; /* in the index, each of one block, scattered over the origin */
    unsigned snapshots;
};

struct stage {
    struct stage_size size;
    struct devices devices;
    struct library ours;
    uint64_t written;          /* blocks preserved so far */
    double build_ns;           /* for each entry */
    _Atomic unsigned flush_us; /* how long a flush of the store takes */
};

/* What an operation costs on the average. */
struct cost {
    double ns;
    double pages_read;
    double store_writes;
    double flushes;
    double allocations;
};

void stage_open(struct stage *stage, const struct stage_size *size);
void stage_close(struct stage *stage);

/* Closes the context and opens it again; killed: without the close, so that the journal is replayed. Pages and store
 * reads are of the open alone. */
struct cost stage_reopen(struct stage *stage, bool killed, uint64_t *ret_read_bytes);
struct cost stage_create(struct stage *stage);
struct cost stage_first_writes(struct stage *stage);
struct cost stage_clean_writes(struct stage *stage);
/* The bare device's write, ns. */
double stage_bare_writes(struct stage *stage);
/* Reads of preserved blocks of the newest snapshot: all over the index, or of few blocks again and again. */
struct cost stage_view_reads(struct stage *stage, bool again);
/* Bytes of metadata written for each byte preserved, 32 in flight, from one checkpoint to the third after it. */
double stage_metadata_share(struct stage *stage);
/* Deletes all snapshots; the first, of the callers' time. Then reclaims. */
struct cost stage_delete(struct stage *stage);
/* For each entry. store_writes: bytes written to the store for each entry. */
struct cost stage_reclaim(struct stage *stage);

#endif
