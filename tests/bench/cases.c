/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"

/* A load of 4 KiB requests at random places of 64 MiB, and one of 1 MiB in order over 256 MiB. */
#define RANDOM_4K(reads, threads, every) \
    { reads, true, 4096, threads, 0, every, 64 * BENCH_MIB }
/* The same in 256 KiB: with the device in the processor's cache, what the library adds is not lost in the noise. */
#define CACHED_4K(reads) \
    { reads, true, 4096, 1, 0, 0, BENCH_MIB / 4 }
/* The same random requests, so many at once in one call. */
#define BATCH_4K(reads, batch) \
    { reads, true, 4096, 1, batch, 0, 64 * BENCH_MIB }
#define STREAM_1M(reads, threads, every) \
    { reads, false, BENCH_MIB, threads, 0, every, 256 * BENCH_MIB }

/* What is prepared, and what the minimal copier then does. */
#define ELSEWHERE PREPARED_ELSEWHERE, COPIER_COPIED
#define KEPT PREPARED_KEPT, COPIER_COPIED
#define FIRST PREPARED_FIRST, COPIER_FIRST
#define FIRST_AHEAD PREPARED_FIRST_AHEAD, COPIER_FIRST
#define FIRST_DEFERRED PREPARED_FIRST_DEFERRED, COPIER_DEFERRED
#define VIEW PREPARED_VIEW, COPIER_COPIED
#define VIEW_KEPT PREPARED_VIEW_KEPT, COPIER_VIEW
#define VIEW_WRITE PREPARED_VIEW_WRITE, COPIER_VIEW

const struct bench_case bench_cases[] = {
    {"write-undesignated-4k", true, ELSEWHERE, 1, RANDOM_4K(false, 1, 0)},
    {"write-undesignated-4k-cached", true, ELSEWHERE, 1, CACHED_4K(false)},
    {"write-undesignated-4k-4-threads", false, ELSEWHERE, 1, RANDOM_4K(false, 4, 0)},
    {"write-undesignated-4k-32-threads", false, ELSEWHERE, 1, RANDOM_4K(false, 32, 0)},
    {"write-undesignated-4k-durable", false, ELSEWHERE, 1, RANDOM_4K(false, 1, 1)},
    {"write-undesignated-4k-100-snapshots", false, ELSEWHERE, 100, RANDOM_4K(false, 1, 0)},
    {"write-undesignated-4k-1000-snapshots", false, ELSEWHERE, 1000, RANDOM_4K(false, 1, 0)},
    {"write-undesignated-1m", false, ELSEWHERE, 1, STREAM_1M(false, 1, 0)},

    {"write-preserved-4k", true, KEPT, 1, RANDOM_4K(false, 1, 0)},
    {"write-preserved-4k-cached", true, KEPT, 1, CACHED_4K(false)},
    {"write-preserved-4k-4-threads", false, KEPT, 1, RANDOM_4K(false, 4, 0)},
    {"write-preserved-4k-16-threads", false, KEPT, 1, RANDOM_4K(false, 16, 0)},
    {"write-preserved-4k-32-threads", false, KEPT, 1, RANDOM_4K(false, 32, 0)},
    {"write-preserved-4k-batch-32", false, KEPT, 1, BATCH_4K(false, 32)},
    {"write-preserved-4k-flush-32", false, KEPT, 1, RANDOM_4K(false, 1, 32)},
    {"write-preserved-4k-1000-snapshots", false, KEPT, 1000, RANDOM_4K(false, 1, 0)},
    {"write-preserved-1m", false, KEPT, 1, STREAM_1M(false, 1, 0)},

    {"read-origin-4k", true, KEPT, 1, RANDOM_4K(true, 1, 0)},
    {"read-origin-4k-4-threads", false, KEPT, 1, RANDOM_4K(true, 4, 0)},
    {"read-origin-4k-batch-32", false, KEPT, 1, BATCH_4K(true, 32)},
    {"read-origin-1m", false, KEPT, 1, STREAM_1M(true, 1, 0)},

    {"first-write-4k", true, FIRST, 1, RANDOM_4K(false, 1, 0)},
    {"first-write-4k-ahead", true, FIRST_AHEAD, 1, RANDOM_4K(false, 1, 0)},
    {"first-write-4k-batch-32", true, FIRST, 1, BATCH_4K(false, 32)},
    {"first-write-4k-durable", true, FIRST, 1, RANDOM_4K(false, 1, 1)},
    {"first-write-4k-flush-32", true, FIRST, 1, RANDOM_4K(false, 1, 32)},
    {"first-write-4k-deferred-flush-32", true, FIRST_DEFERRED, 1, RANDOM_4K(false, 1, 32)},
    {"first-write-4k-2-threads", false, FIRST, 1, RANDOM_4K(false, 2, 0)},
    {"first-write-4k-4-threads", false, FIRST, 1, RANDOM_4K(false, 4, 0)},
    {"first-write-4k-8-threads", false, FIRST, 1, RANDOM_4K(false, 8, 0)},
    {"first-write-4k-16-threads", false, FIRST, 1, RANDOM_4K(false, 16, 0)},
    {"first-write-4k-32-threads", true, FIRST, 1, RANDOM_4K(false, 32, 0)},
    {"first-write-4k-32-threads-durable", false, FIRST, 1, RANDOM_4K(false, 32, 1)},
    {"first-write-4k-8-snapshots", false, FIRST, 8, RANDOM_4K(false, 1, 0)},
    {"first-write-4k-100-snapshots", false, FIRST, 100, RANDOM_4K(false, 1, 0)},
    {"first-write-4k-1000-snapshots", false, FIRST, 1000, RANDOM_4K(false, 1, 0)},
    {"first-write-1m", true, FIRST, 1, STREAM_1M(false, 1, 0)},
    {"first-write-1m-4-threads", false, FIRST, 1, STREAM_1M(false, 4, 0)},
    {"first-write-1m-1000-snapshots", false, FIRST, 1000, STREAM_1M(false, 1, 0)},

    {"view-read-unchanged-4k", true, VIEW, 1, RANDOM_4K(true, 1, 0)},
    {"view-read-unchanged-4k-4-threads", false, VIEW, 1, RANDOM_4K(true, 4, 0)},
    {"view-read-unchanged-1m", true, VIEW, 1, STREAM_1M(true, 1, 0)},
    {"view-read-preserved-4k", true, VIEW_KEPT, 1, RANDOM_4K(true, 1, 0)},
    {"view-read-preserved-4k-4-threads", false, VIEW_KEPT, 1, RANDOM_4K(true, 4, 0)},
    {"view-read-preserved-4k-1000-snapshots", false, VIEW_KEPT, 1000, RANDOM_4K(true, 1, 0)},
    {"view-read-preserved-1m", true, VIEW_KEPT, 1, STREAM_1M(true, 1, 0)},
    {"view-read-preserved-1m-1000-snapshots", false, VIEW_KEPT, 1000, STREAM_1M(true, 1, 0)},
    {"view-write-4k", false, VIEW_WRITE, 1, RANDOM_4K(false, 1, 0)},
    {"view-write-4k-flush-32", true, VIEW_WRITE, 1, RANDOM_4K(false, 1, 32)},
    {"view-write-1m", false, VIEW_WRITE, 1, STREAM_1M(false, 1, 0)},
};
const size_t bench_case_count = sizeof bench_cases / sizeof bench_cases[0];
