/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Benchmarks. Each load runs on three targets in turn, round after round: the bare device, the *minimal copier* (a
 * plain loop that does just the I/O which copy-on-first-write cannot do without) and the library. A ratio is the median
 * of the rounds' ratios, so that noise which lasts longer than a round cancels out. Only the public interface is used.
 */
#ifndef SSN_BENCH_H
#define SSN_BENCH_H

#include <jansson.h>
#include <selsnap/selsnap.h>
#include <stdbool.h>

enum { BENCH_BLOCK = 4096, BENCH_MIB = 1 << 20 };

struct options {
    const char *part; /* NULL: all */
    const char
        *only; /* NULL, or texts between commas, one of which a case's name must hold, or be when it begins with = */
    const char *where;  /* NULL: all */
    const char *folder; /* of the files of `direct` */
    const char *json;   /* NULL, or where the figures go */
    unsigned rounds;
    bool quick; /* few cases, short rounds */
    bool full;  /* the largest too */
};

/* What a load is run on. */
struct target {
    int (*write)(void *user, const void *buf, size_t len, uint64_t offset);
    int (*read)(void *user, void *buf, size_t len, uint64_t offset);
    int (*flush)(void *user);
    int (*batch)(void *user, selsnap_io *const *ios, uint32_t count);
    void *user;
};

struct load {
    bool reads;
    bool random;
    uint32_t bytes;       /* of one request */
    unsigned threads;     /* each with one request in flight */
    unsigned batch;       /* requests of a thread that are in flight as one batch, at most 64; 0: one by one */
    unsigned flush_every; /* requests of a thread; 0: never */
    uint64_t span;        /* bytes from the start of the device; each is touched once a pass; a power of two requests */
};

/* Wall-clock time, and that of the processors: what others do on the machine is not in the second. Nanoseconds. */
struct taken {
    uint64_t wall, cpu;
};

struct latency {
    uint64_t p50, p99, p999, most; /* nanoseconds */
};

/* ---- measure.c ---- */

/* Ends the program with a text when a call fails. */
void bench_need(int code, const char *what);
void *bench_memory(size_t len);
uint64_t bench_now_ns(void);
uint64_t bench_cpu_ns(void);
/* The value below which `part` (0 to 1) of them lie; sorts them. */
double bench_quantile(double *values, unsigned count, double part);
struct latency bench_latency(uint64_t *all, uint64_t count);
json_t *bench_latency_json(const struct latency *latency);
json_t *bench_counts_json(const selsnap_device_counts *counts);
bool bench_wanted(const struct options *options, const char *name);

/* ---- load.c ---- */

/* Runs the load on the target; its time in all. latency: NULL, or to be filled, with each request timed. */
struct taken load_run(const struct load *load, const struct target *target, uint64_t requests, struct latency *latency);

/* ---- devices.c ---- */

/* Where origin and store lie. */
enum where { WHERE_MEMORY, WHERE_TMPFS, WHERE_DIRECT, WHERE_COUNT };
extern const char *const where_names[WHERE_COUNT];
struct devices {
    selsnap_device *origin;
    selsnap_device *store;
    selsnap_device *counted_origin; /* the same, counted */
    selsnap_device *counted_store;
};
/* The short run leaves `direct` out, which is as fast as the disk, unless it is asked for. */
bool bench_wanted_where(const struct options *options, enum where where);
/* False: it cannot be had here. Both are filled with content that is not zero. */
bool devices_open(struct devices *devices, enum where where, const char *folder, uint64_t origin_bytes,
                  uint64_t store_bytes);
/* The same for devices that exist, which it takes over. */
void devices_wrap(struct devices *devices, selsnap_device *origin, selsnap_device *store);
void devices_close(struct devices *devices);
/* Counts since the last call. */
selsnap_device_counts devices_counts(selsnap_device *counted);
struct target device_target(selsnap_device *device);

/* ---- sparse.c: a device of any size that keeps the pages which the loads write in 8 bytes each ---- */

/* forgets: what is written is dropped, and the device always reads as when it was new. flush_us: NULL, or how long a
 * flush takes, microseconds; read at each. */
selsnap_device *sparse_open(uint64_t bytes, bool forgets, const _Atomic unsigned *flush_us);
/* A page's worth that a sparse device keeps in 8 bytes. */
void sparse_fill(void *page, uint64_t seed);

/* ---- copier.c: copy-on-first-write with no index, no checksum, no recovery ---- */
struct copier;
enum copier_mode {
    COPIER_COPIED,   /* all blocks are copied already */
    COPIER_FIRST,    /* none is; each is copied when it is written */
    COPIER_DEFERRED, /* none is; writes are kept until the flush, which copies for all of them at once. One thread. */
    COPIER_VIEW,     /* reads and writes go to the store, as those of a snapshot whose blocks lie there in order */
};
struct copier *copier_open(selsnap_device *origin, selsnap_device *store, uint64_t origin_bytes, enum copier_mode mode);
void copier_close(struct copier *copier);
struct target copier_target(struct copier *copier);

/* ---- meter.c: an allocator that counts ---- */
struct meter;
struct meter *meter_open(void);
void meter_close(struct meter *meter);
selsnap_allocator meter_allocator(struct meter *meter);
uint64_t meter_calls(const struct meter *meter);
uint64_t meter_peak(const struct meter *meter);

/* ---- library.c: the library as a target ---- */

/* What stands on the device before the load. */
enum prepared {
    PREPARED_ELSEWHERE,      /* the snapshots designate other blocks */
    PREPARED_KEPT,           /* all blocks are designated, and preserved already */
    PREPARED_FIRST,          /* all blocks are designated, none is preserved; nothing is preserved ahead */
    PREPARED_FIRST_AHEAD,    /* the same, but some may be preserved ahead */
    PREPARED_FIRST_DEFERRED, /* the same, in deferred mode */
    PREPARED_VIEW,           /* the load reads a snapshot whose blocks are unchanged */
    PREPARED_VIEW_KEPT,      /* the load reads a snapshot whose blocks are preserved */
    PREPARED_VIEW_WRITE,     /* the load writes into a snapshot */
};
struct library {
    selsnap *ss;
    selsnap_view *view;
    struct meter *meter; /* NULL: malloc itself is used */
    uint64_t snapshot;   /* the newest */
    bool ahead;          /* blocks may be preserved ahead */
    uint64_t deferred;   /* bytes of writes that may be kept in memory */
};
/* A new store, on the counted devices and with a meter when `counted`. */
void library_format(struct library *library, const struct devices *devices, bool counted);
void library_open(struct library *library, const struct devices *devices, bool counted);
/* Snapshots of bytes first .. first + len - 1 under one designation. */
void library_snapshots(struct library *library, unsigned count, uint64_t first, uint64_t len);
/* Opens a new store and prepares the first `span` bytes of the origin. */
void library_prepare(struct library *library, const struct devices *devices, enum prepared prepared, unsigned snapshots,
                     uint64_t span, bool counted);
void library_close(struct library *library);
struct target library_target(struct library *library);
selsnap_stats library_stats(struct library *library);
/* selsnap_step() until nothing is left. */
void library_settle(struct library *library);

/* ---- the parts; each adds its figures to the array ---- */
void part_loads(const struct options *options, json_t *figures);
void part_scale(const struct options *options, json_t *figures);
void part_whole(const struct options *options, json_t *figures);
void part_tails(const struct options *options, json_t *figures);

#endif
