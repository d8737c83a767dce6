/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The physical limit of copy-on-first-write: read the old block, write it once to the next free place, one record of
 * 512 bytes for all that wait, one flush shared by them, then the new block. Deferred: the same once for all writes
 * since the last flush, copied by one write of the store. Requests are whole blocks, one writer a block.
 */
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD = 512, RECORDS = 1 << 20, PENDING_MAX = 64 };

struct copier {
    selsnap_device *origin;
    selsnap_device *store;
    enum copier_mode mode;
    _Atomic uint8_t *copied; /* per block */
    void *owned;             /* its memory */
    _Atomic uint64_t place;  /* next free byte of the store */
    pthread_mutex_t lock;    /* guards what follows, but for the deferred writes */
    pthread_cond_t durable;
    uint64_t written; /* copies written so far */
    uint64_t flushed; /* of these, durable */
    bool flushing;
    uint64_t record;               /* place of the next record */
    uint64_t offsets[PENDING_MAX]; /* of deferred writes of one block */
    unsigned pending;
    uint8_t *fresh; /* their content */
    uint8_t *old;   /* what they overwrite */
};

static int write_record(struct copier *copier, uint64_t at) {
    static const uint8_t zeros[RECORD];
    int code = selsnap_device_write(copier->store, zeros, RECORD, at);
    return code == SELSNAP_OK ? selsnap_device_flush(copier->store) : code;
}

/* All copies written when this is called are durable when it returns; one flush serves all who wait. */
static int commit(struct copier *copier) {
    int code = SELSNAP_OK;
    pthread_mutex_lock(&copier->lock);
    uint64_t mine = ++copier->written;
    while (copier->flushed < mine && code == SELSNAP_OK) {
        if (copier->flushing) {
            pthread_cond_wait(&copier->durable, &copier->lock);
            continue;
        }
        uint64_t upto = copier->written;
        uint64_t at = copier->record;
        copier->record = (at + RECORD) % RECORDS;
        copier->flushing = true;
        pthread_mutex_unlock(&copier->lock);
        code = write_record(copier, at);
        pthread_mutex_lock(&copier->lock);
        copier->flushing = false;
        copier->flushed = upto;
        pthread_cond_broadcast(&copier->durable);
    }
    pthread_mutex_unlock(&copier->lock);
    return code;
}

static bool is_copied(struct copier *copier, uint64_t first, uint64_t count) {
    for (uint64_t block = first; block < first + count; block++) {
        if (atomic_load_explicit(&copier->copied[block], memory_order_acquire) == 0) {
            return false;
        }
    }
    return true;
}

static int write_through(void *user, const void *buf, size_t len, uint64_t offset) {
    struct copier *copier = user;
    uint64_t first = offset / BENCH_BLOCK;
    uint64_t count = len / BENCH_BLOCK;
    if (!is_copied(copier, first, count)) {
        void *old = aligned_alloc(4096, len);
        if (old == NULL) {
            abort();
        }
        uint64_t place = atomic_fetch_add(&copier->place, len);
        int code = selsnap_device_read(copier->origin, old, len, offset);
        code = code == SELSNAP_OK ? selsnap_device_write(copier->store, old, len, place) : code;
        free(old);
        code = code == SELSNAP_OK ? commit(copier) : code;
        if (code != SELSNAP_OK) {
            return code;
        }
        for (uint64_t block = first; block < first + count; block++) {
            atomic_store_explicit(&copier->copied[block], 1, memory_order_release);
        }
    }
    return selsnap_device_write(copier->origin, buf, len, offset);
}

static int drain(struct copier *copier) {
    int code = SELSNAP_OK;
    size_t bytes = (size_t)copier->pending * BENCH_BLOCK;
    for (unsigned i = 0; i < copier->pending && code == SELSNAP_OK; i++) {
        code =
            selsnap_device_read(copier->origin, copier->old + (size_t)i * BENCH_BLOCK, BENCH_BLOCK, copier->offsets[i]);
    }
    if (code == SELSNAP_OK && bytes > 0) {
        code = selsnap_device_write(copier->store, copier->old, bytes, atomic_fetch_add(&copier->place, bytes));
        code = code == SELSNAP_OK ? write_record(copier, copier->record) : code;
        copier->record = (copier->record + RECORD) % RECORDS;
    }
    for (unsigned i = 0; i < copier->pending && code == SELSNAP_OK; i++) {
        code = selsnap_device_write(copier->origin, copier->fresh + (size_t)i * BENCH_BLOCK, BENCH_BLOCK,
                                    copier->offsets[i]);
    }
    copier->pending = 0;
    return code;
}

/* The old contents at once, one write of the store, one record and flush, then the new blocks at once. */
static int batch_through(void *user, selsnap_io *const *ios, uint32_t count) {
    struct copier *copier = user;
    selsnap_io reads[PENDING_MAX];
    selsnap_io *list[PENDING_MAX];
    selsnap_iovec iov[PENDING_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (ios[i]->kind == SELSNAP_IO_WRITE && !is_copied(copier, ios[i]->offset / BENCH_BLOCK, 1)) {
            iov[n] = (selsnap_iovec){copier->old + (size_t)n * BENCH_BLOCK, BENCH_BLOCK};
            reads[n] = *ios[i];
            reads[n].kind = SELSNAP_IO_READ;
            reads[n].iov = &iov[n];
            list[n] = &reads[n];
            n++;
        }
    }
    if (n > 0) {
        size_t bytes = (size_t)n * BENCH_BLOCK;
        int code = selsnap_device_batch(copier->origin, list, n);
        code = code == SELSNAP_OK
                   ? selsnap_device_write(copier->store, copier->old, bytes, atomic_fetch_add(&copier->place, bytes))
                   : code;
        code = code == SELSNAP_OK ? commit(copier) : code;
        if (code != SELSNAP_OK) {
            return code;
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        atomic_store_explicit(&copier->copied[reads[i].offset / BENCH_BLOCK], 1, memory_order_release);
    }
    return selsnap_device_batch(copier->origin, ios, count);
}

static int write_deferred(void *user, const void *buf, size_t len, uint64_t offset) {
    struct copier *copier = user;
    memcpy(copier->fresh + (size_t)copier->pending * BENCH_BLOCK, buf, len);
    copier->offsets[copier->pending++] = offset;
    return copier->pending == PENDING_MAX ? drain(copier) : SELSNAP_OK;
}

static int read_through(void *user, void *buf, size_t len, uint64_t offset) {
    struct copier *copier = user;
    return selsnap_device_read(copier->origin, buf, len, offset);
}

static int flush_through(void *user) {
    struct copier *copier = user;
    int code = drain(copier);
    return code == SELSNAP_OK ? selsnap_device_flush(copier->origin) : code;
}

static int write_view(void *user, const void *buf, size_t len, uint64_t offset) {
    struct copier *copier = user;
    (void)offset;
    return selsnap_device_write(copier->store, buf, len, atomic_fetch_add(&copier->place, len));
}

static int read_view(void *user, void *buf, size_t len, uint64_t offset) {
    struct copier *copier = user;
    return selsnap_device_read(copier->store, buf, len, RECORDS + offset);
}

static int flush_view(void *user) {
    return commit(user);
}

struct copier *copier_open(selsnap_device *origin, selsnap_device *store, uint64_t origin_bytes,
                           enum copier_mode mode) {
    uint64_t blocks = origin_bytes / BENCH_BLOCK;
    struct copier *copier = bench_memory(sizeof *copier);
    copier->origin = origin;
    copier->store = store;
    copier->mode = mode;
    copier->place = RECORDS;
    copier->owned = bench_memory((size_t)blocks);
    memset(copier->owned, mode == COPIER_COPIED, (size_t)blocks);
    copier->copied = copier->owned;
    copier->fresh = bench_memory((size_t)PENDING_MAX * BENCH_BLOCK);
    copier->old = bench_memory((size_t)PENDING_MAX * BENCH_BLOCK);
    pthread_mutex_init(&copier->lock, NULL);
    pthread_cond_init(&copier->durable, NULL);
    return copier;
}

void copier_close(struct copier *copier) {
    bench_need(drain(copier), "copier");
    pthread_mutex_destroy(&copier->lock);
    pthread_cond_destroy(&copier->durable);
    free(copier->owned);
    free(copier->fresh);
    free(copier->old);
    free(copier);
}

struct target copier_target(struct copier *copier) {
    struct target view = {write_view, read_view, flush_view, NULL, copier};
    struct target live = {copier->mode == COPIER_DEFERRED ? write_deferred : write_through, read_through, flush_through,
                          batch_through, copier};
    return copier->mode == COPIER_VIEW ? view : live;
}
