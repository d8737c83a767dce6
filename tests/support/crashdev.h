/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A memory device with a volatile cache, for tests of power cuts and failures. Writes reach the medium at a flush; a
 * cut keeps or loses each unflushed unit of 512 bytes by a seed. Any call can be made to fail, and any to be the last
 * before the power goes. Safe for several threads.
 */
#ifndef SSN_CRASHDEV_H
#define SSN_CRASHDEV_H

#include "blockdev.h"
#include <stdbool.h>
#include <stdint.h>

struct crashdev;

struct crashdev_counts {
    uint64_t reads, writes, write_bytes, flushes;
};

struct crashdev *crashdev_new(uint64_t size_bytes);
void crashdev_free(struct crashdev *dev);
selsnap_device *crashdev_device(struct crashdev *dev);
/* A read of what is in the cache or on the medium; for tests that damage it. */
uint8_t *crashdev_bytes(struct crashdev *dev);

/* Loses power: each unit written since the last flush is kept or lost; then calls work again. */
void crashdev_cut(struct crashdev *dev, uint64_t seed);
/* The process is gone, the cache is not: everything written stays, and is still unflushed. */
void crashdev_kill(struct crashdev *dev);
/* After `calls` more writes and flushes, every call fails, until crashdev_cut() or crashdev_kill(). */
void crashdev_stop_after(struct crashdev *dev, uint64_t calls);
bool crashdev_stopped(const struct crashdev *dev);
/*
 * The n-th write or flush from now on (1: the next) fails, and `more` after it; a failed write changes nothing or half,
 * a failed flush brings some of what was unflushed to the medium and loses the rest, though reads still see it, and the
 * next flush succeeds.
 */
void crashdev_fail(struct crashdev *dev, uint64_t nth, uint64_t more);
/* From now on a write or flush that fails has done all it should. */
void crashdev_fail_whole(struct crashdev *dev, bool whole);
struct crashdev_counts crashdev_take_counts(struct crashdev *dev);

#endif
