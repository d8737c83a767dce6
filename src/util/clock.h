/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks, in nanoseconds. */
#ifndef SSN_CLOCK_H
#define SSN_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t ssn_clock_read(clockid_t clock) {
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Since some moment; it only goes forward. */
static inline uint64_t ssn_monotonic_ns(void) {
    return ssn_clock_read(CLOCK_MONOTONIC);
}

/* Since 1970, as the machine has it set. */
static inline int64_t ssn_realtime_ns(void) {
    return (int64_t)ssn_clock_read(CLOCK_REALTIME);
}

#endif
