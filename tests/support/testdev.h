/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices in memory that misbehave on demand. Several of them hang on one *wire*, which orders their calls: it keeps
 * the log of calls, and it is where the power is cut.
 *
 * Faults: the n-th call of a kind fails, once or for good; calls that touch a range fail; flushes take time. A write
 * that fails leaves its first half.
 *
 * Power cut: with wire->tracking, each device knows which atomic units were written since its last flush, and by which
 * change. From the call numbered wire->cut_at on, all calls on the wire fail; a write that meets the cut may have been
 * done in part. An *image* is what the device may hold afterwards: each unflushed unit, independently, as any of the
 * writes since the flush left it, or as it was before. A device without a volatile cache keeps each write that
 * returned; only the one that meets the cut is uncertain.
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
    TESTDEV_RESIZE = 32,
    TESTDEV_CHANGES = TESTDEV_WRITE | TESTDEV_DISCARD | TESTDEV_ZEROES,
    TESTDEV_ALL = 63
};

/* What a discarded byte reads as. */
enum { TESTDEV_DISCARDED = 0xdd, TESTDEV_UNIT = 512 };

/* What a hook says of a call; a negative number makes it fail with that. */
enum { TESTDEV_PASS = 0, TESTDEV_CUT = 1 };

struct testdev;

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
    /* NULL, or asked before each call, with the lock held: TESTDEV_PASS, TESTDEV_CUT or an error. */
    int (*hook)(void *user, struct testdev *dev, const struct testdev_call *call);
    void *hook_user;
};

/* What a device is like; zeros: 1-byte logical blocks, atomic units of 512 bytes, a volatile cache. */
struct testdev_kind {
    uint32_t logical;
    uint32_t atomic;
    bool write_through; /* no volatile cache */
    uint64_t most;      /* bytes that it may grow to; 0: it does not grow */
};

/* One atomic unit of a change that is not flushed. */
struct testdev_unit {
    unsigned change; /* 0: the oldest that is not flushed */
    uint64_t index;  /* of the unit, within the change */
    uint64_t count;  /* of units in the change */
};
typedef bool (*testdev_keep_fn)(void *user, const struct testdev_unit *unit);

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
    uint8_t *unflushed; /* tracking: records of what units of 512 bytes held before a change, in order */
    size_t unflushed_count;
    size_t unflushed_capacity;
    struct testdev_rule rule;
    struct testdev_kind kind;
    uint64_t changes; /* so far */
    uint64_t failed;  /* calls that a rule or a bad range made fail */
    uint32_t bad_ops; /* calls of these kinds fail in the range below */
    uint64_t bad_offset;
    uint64_t bad_len;
    bool drops;               /* tracking: a failed flush forgets what was not flushed, and later reads see it */
    _Atomic bool hangs;       /* flushes do not come back while this is set */
    _Atomic bool hangs_after; /* flushes do all they should, and do not come back while this is set */
    _Atomic unsigned hanging; /* flushes that wait so */
    unsigned flush_us;        /* how long a flush takes */
    unsigned write_us;        /* how long a write takes */
    uint64_t end;             /* 0, or what is written from there on does not stay */
    uint64_t counts[6];       /* by the bit number of TESTDEV_* */
};

void wire_init(struct wire *wire, bool tracking);
void wire_fini(struct wire *wire);
/* Cuts the power at the n-th call from now on (1: the next). */
void wire_cut_after(struct wire *wire, uint64_t calls);

/* content: NULL for zeros, otherwise copied. logical: 0 means 1. Asserts that it works. */
struct testdev *testdev_open(struct wire *wire, char tag, uint64_t size, uint32_t logical, const uint8_t *content);
struct testdev *testdev_open_kind(struct wire *wire, char tag, uint64_t size, const struct testdev_kind *kind,
                                  const uint8_t *content);
/* From now on, calls of these kinds fail, beginning with the nth (1: the next), once or for good. */
void testdev_fail(struct testdev *dev, uint32_t ops, uint64_t nth, bool for_good);
void testdev_mend(struct testdev *dev);
uint64_t testdev_count(struct testdev *dev, uint32_t op);
/* How many changes are not flushed. */
unsigned testdev_pending(struct testdev *dev);
/* The unflushed change of this number has more than one atomic unit. */
bool testdev_can_tear(struct testdev *dev, unsigned change);
/* The power goes and comes back: of what was not flushed, the device has what keep says, asked once for each atomic
 * unit of each change, and its cache is empty. */
void testdev_power_cycle(struct testdev *dev, testdev_keep_fn keep, void *user);
/* What a power cut may leave: each unflushed write kept with this chance. A new buffer of dev->size bytes. */
uint8_t *testdev_image(struct testdev *dev, struct prng *prng, unsigned percent_kept);
/* The same, with every unflushed unit kept that begins in the range, and all others lost. */
uint8_t *testdev_image_keeping(struct testdev *dev, uint64_t offset, uint64_t len);

#endif
