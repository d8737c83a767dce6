/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices in memory that misbehave on demand. Several of them hang on one *wire*, which orders their calls: it keeps
 * the log of calls, and it is where the power is cut.
 *
 * Faults: the n-th call of a kind fails, once or for good; calls that touch a range fail; flushes take time. A write
 * that fails leaves its first half.
 *
 * Power cut: with wire->tracking, each device knows which 512-byte units were written since its last flush. From the
 * call numbered wire->cut_at on, all calls on the wire fail; a write that meets the cut may have been done in part. An
 * *image* is what the device may hold afterwards: each unflushed unit, independently, as any of the writes since the
 * flush left it, or as it was before.
 */
#ifndef SSN_TEST_TESTDEV_H
#define SSN_TEST_TESTDEV_H

#include "prng.h"

#include <pthread.h>
#include <selsnap/selsnap.h>

enum {
    TESTDEV_READ = 1,
    TESTDEV_WRITE = 2,
    TESTDEV_FLUSH = 4,
    TESTDEV_DISCARD = 8,
    TESTDEV_ZEROES = 16,
    TESTDEV_CHANGES = TESTDEV_WRITE | TESTDEV_DISCARD | TESTDEV_ZEROES,
    TESTDEV_ALL = 31
};

/* What a discarded byte reads as. */
enum { TESTDEV_DISCARDED = 0xdd, TESTDEV_UNIT = 512 };

struct testdev_call {
    char tag;    /* of the device */
    uint32_t op; /* TESTDEV_* */
    uint64_t offset;
    uint64_t len;
    int result;
};

struct wire {
    pthread_mutex_t lock; /* guards all of this, and the bytes of the devices */
    bool tracking;        /* remember what is not flushed; set before devices are opened */
    bool logging;
    struct testdev_call *calls;
    size_t call_count;
    size_t call_capacity;
    uint64_t seen;   /* calls so far */
    uint64_t cut_at; /* 0: never */
    bool off;        /* the power is cut */
};

struct testdev_rule {
    uint32_t ops;   /* calls of these kinds count; 0: no rule */
    uint64_t after; /* so many may still pass */
    bool for_good;
};

struct testdev {
    struct wire *wire;
    selsnap_device *device; /* what to give to the library; closing it frees the testdev */
    char tag;
    uint64_t size;
    uint8_t *bytes;
    uint8_t *durable;   /* tracking: as of the last flush */
    uint8_t *unflushed; /* tracking: records of a unit number and 512 bytes, in order */
    size_t unflushed_count;
    size_t unflushed_capacity;
    struct testdev_rule rule;
    uint64_t failed;  /* calls that a rule or a bad range made fail */
    uint32_t bad_ops; /* calls of these kinds fail in the range below */
    uint64_t bad_offset;
    uint64_t bad_len;
    bool drops;               /* tracking: a failed flush forgets what was not flushed, and later reads see it */
    _Atomic bool hangs;       /* flushes do not come back while this is set */
    _Atomic unsigned hanging; /* flushes that wait so */
    unsigned flush_us;        /* how long a flush takes */
    unsigned write_us;        /* how long a write takes */
    uint64_t counts[5];       /* by the bit number of TESTDEV_* */
};

void wire_init(struct wire *wire, bool tracking);
void wire_fini(struct wire *wire);
/* Cuts the power at the n-th call from now on (1: the next). */
void wire_cut_after(struct wire *wire, uint64_t calls);

/* content: NULL for zeros, otherwise copied. logical: 0 means 1. Asserts that it works. */
struct testdev *testdev_open(struct wire *wire, char tag, uint64_t size, uint32_t logical, const uint8_t *content);
/* From now on, calls of these kinds fail, beginning with the nth (1: the next), once or for good. */
void testdev_fail(struct testdev *dev, uint32_t ops, uint64_t nth, bool for_good);
void testdev_mend(struct testdev *dev);
uint64_t testdev_count(struct testdev *dev, uint32_t op);
/* What a power cut may leave: each unflushed write kept with this chance. A new buffer of dev->size bytes. */
uint8_t *testdev_image(struct testdev *dev, struct prng *prng, unsigned percent_kept);
/* The same, with every unflushed unit kept that begins in the range, and all others lost. */
uint8_t *testdev_image_keeping(struct testdev *dev, uint64_t offset, uint64_t len);

#endif
