/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Benchmarks. Each case runs the same load on three targets in turn, round after round: the bare device, the *minimal
 * copier* (a plain loop that does just the I/O which copy-on-first-write cannot do without) and the library. A ratio is
 * the median of the rounds' ratios, so that noise which lasts longer than a round cancels out.
 */
#ifndef SSN_BENCH_H
#define SSN_BENCH_H

#include <selsnap/selsnap.h>
#include <stdbool.h>

enum { BENCH_BLOCK = 4096 };

/* What a load is run on. */
struct target {
    int (*write)(void *user, const void *buf, size_t len, uint64_t offset);
    int (*read)(void *user, void *buf, size_t len, uint64_t offset);
    int (*flush)(void *user);
    void *user;
};

struct load {
    bool reads;
    bool random;
    uint32_t bytes;       /* of one request */
    unsigned threads;     /* requests in flight */
    unsigned flush_every; /* requests of a thread; 0: never */
    uint64_t span;        /* bytes from the start of the device; each is touched once a pass; a power of two requests */
    uint64_t requests;    /* in all */
};

struct timing {
    double seconds;
    uint64_t p50, p99, p999; /* nanoseconds; 0 when not asked for */
};

/* Ends the program with a text when a call fails. */
void bench_need(int code, const char *what);
double bench_now(void);

/* load.c: runs the load; with latencies, times each request as well. */
struct timing load_run(const struct load *load, const struct target *target, bool latencies);

/* devices.c: where origin and store lie. */
enum where { WHERE_MEMORY, WHERE_TMPFS, WHERE_DIRECT, WHERE_COUNT };
extern const char *const where_names[WHERE_COUNT];
struct devices {
    selsnap_device *origin;
    selsnap_device *store;
    selsnap_device *counted_origin; /* the same, counted; NULL when not asked for */
    selsnap_device *counted_store;
};
/* False: it cannot be had here. The origin is filled with content that is not zero. */
bool devices_open(struct devices *devices, enum where where, const char *folder, uint64_t origin_bytes,
                  uint64_t store_bytes, bool counted);
void devices_close(struct devices *devices);
selsnap_device_counts devices_counts(selsnap_device *counted);

/* copier.c: copy-on-first-write with no index, no checksum, no recovery. */
struct copier;
/* copied: all blocks are taken for copied already. */
struct copier *copier_open(selsnap_device *origin, selsnap_device *store, uint64_t origin_bytes, bool copied);
void copier_close(struct copier *copier);
struct target copier_target(struct copier *copier);

#endif
