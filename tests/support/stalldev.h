/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A memory device on which one call can be made to wait, so that a test has other threads act just before it. Any
 * thread.
 */
#ifndef SSN_TEST_STALLDEV_H
#define SSN_TEST_STALLDEV_H

#include <pthread.h>
#include <selsnap/selsnap.h>
#include <stdbool.h>

enum { STALL_READ = 1, STALL_WRITE = 2, STALL_FLUSH = 4 };

struct stalldev {
    selsnap_device *device; /* what to give to the library; closing it frees the stalldev */
    selsnap_device *base;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint32_t ops;    /* lock: the next call of these kinds that touches the range waits */
    uint64_t offset; /* lock; flushes touch every range */
    uint64_t len;    /* lock */
    uint64_t skip;   /* lock: so many such calls still pass */
    bool stalled;    /* lock: a call waits */
    bool released;   /* lock */
};

/* Asserts that it works. */
struct stalldev *stalldev_open(uint64_t size);
/* The next call of these kinds that touches the range waits, before it does anything; calls after it pass. */
void stalldev_arm(struct stalldev *dev, uint32_t ops, uint64_t offset, uint64_t len);
/* The same for the nth call from now on (1: the next) of these kinds, wherever. */
void stalldev_arm_nth(struct stalldev *dev, uint32_t ops, uint64_t nth);
/* Until a call waits. */
void stalldev_wait(struct stalldev *dev);
bool stalldev_is_stalled(struct stalldev *dev);
/* The call that waits goes on; nothing is armed any more. */
void stalldev_release(struct stalldev *dev);

#endif
