/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"

enum { MIB = 1 << 20 };

/* A load of 4 KiB requests at random places, and one of 1 MiB in order; each place of 64 MiB once. */
#define RANDOM_4K(reads, threads, every) \
    { reads, true, 4096, threads, every, 64 * MIB, 64 * MIB / 4096 }
#define RANDOM_4K_MORE(reads, threads) \
    { reads, true, 4096, threads, 0, 64 * MIB, 8 * 64 * MIB / 4096 }
#define STREAM_1M(reads, every) \
    { reads, false, MIB, 1, every, 256 * MIB, 256 }

const struct bench_case bench_cases[] = {
    {"write-undesignated-4k", PREPARED_ELSEWHERE, 1, RANDOM_4K_MORE(false, 1)},
    {"write-undesignated-4k-1000-snapshots", PREPARED_ELSEWHERE, 1000, RANDOM_4K_MORE(false, 1)},
    {"write-preserved-4k", PREPARED_KEPT, 1, RANDOM_4K_MORE(false, 1)},
    {"write-preserved-4k-4-threads", PREPARED_KEPT, 1, RANDOM_4K_MORE(false, 4)},
    {"read-origin-4k", PREPARED_KEPT, 1, RANDOM_4K_MORE(true, 1)},
    {"first-write-4k-durable", PREPARED_FIRST, 1, RANDOM_4K(false, 1, 1)},
    {"first-write-4k", PREPARED_FIRST, 1, RANDOM_4K(false, 1, 0)},
    {"first-write-4k-flush-32", PREPARED_FIRST, 1, RANDOM_4K(false, 1, 32)},
    {"first-write-4k-4-threads", PREPARED_FIRST, 1, RANDOM_4K(false, 4, 0)},
    {"first-write-4k-32-threads", PREPARED_FIRST, 1, RANDOM_4K(false, 32, 0)},
    {"first-write-4k-8-snapshots", PREPARED_FIRST, 8, RANDOM_4K(false, 1, 0)},
    {"first-write-4k-100-snapshots", PREPARED_FIRST, 100, RANDOM_4K(false, 1, 0)},
    {"first-write-4k-1000-snapshots", PREPARED_FIRST, 1000, RANDOM_4K(false, 1, 0)},
    {"first-write-1m", PREPARED_FIRST, 1, STREAM_1M(false, 0)},
    {"write-preserved-1m", PREPARED_KEPT, 1, STREAM_1M(false, 0)},
    {"view-read-unchanged-4k", PREPARED_VIEW, 1, RANDOM_4K_MORE(true, 1)},
    {"view-read-unchanged-1m", PREPARED_VIEW, 1, STREAM_1M(true, 0)},
    {"view-read-preserved-4k", PREPARED_VIEW_KEPT, 1, RANDOM_4K_MORE(true, 1)},
    {"view-read-preserved-1m", PREPARED_VIEW_KEPT, 1, STREAM_1M(true, 0)},
    {"view-read-preserved-1m-1000-snapshots", PREPARED_VIEW_KEPT, 1000, STREAM_1M(true, 0)},
};
const size_t bench_case_count = sizeof bench_cases / sizeof bench_cases[0];
