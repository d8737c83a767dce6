/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The physical limit of copy-on-first-write: read the old block, write it once to the next free place, one record of
 * 512 bytes for all that wait, one flush shared by them, then the new block. Requests are whole blocks, one writer a
 * block.
 */
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD = 512, RECORDS = 1 << 20 };

struct copier {
    selsnap_device *origin;
    selsnap_device *store;
    _Atomic uint8_t *copied; /* per block */
    void *owned;             /* its memory */
    _Atomic uint64_t place;  /* next free byte of the store */
    pthread_mutex_t lock;    /* guards what follows */
    pthread_cond_t durable;
    uint64_t written; /* copies written so far */
    uint64_t flushed; /* of these, durable */
    bool flushing;
    uint64_t record; /* place of the next record */
};

/* All copies written when this is called are durable when it returns; one flush serves all who wait. */
static int commit(struct copier *copier) {
    static const uint8_t zeros[RECORD];
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
        code = selsnap_device_write(copier->store, zeros, RECORD, at);
        code = code == SELSNAP_OK ? selsnap_device_flush(copier->store) : code;
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

static int copier_write(void *user, const void *buf, size_t len, uint64_t offset) {
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

static int copier_read(void *user, void *buf, size_t len, uint64_t offset) {
    struct copier *copier = user;
    return selsnap_device_read(copier->origin, buf, len, offset);
}

static int copier_flush(void *user) {
    struct copier *copier = user;
    return selsnap_device_flush(copier->origin);
}

struct copier *copier_open(selsnap_device *origin, selsnap_device *store, uint64_t origin_bytes, bool copied) {
    struct copier *copier = calloc(1, sizeof *copier);
    if (copier == NULL) {
        abort();
    }
    copier->origin = origin;
    copier->store = store;
    copier->place = RECORDS;
    copier->owned = calloc((size_t)(origin_bytes / BENCH_BLOCK), 1);
    if (copier->owned == NULL) {
        abort();
    }
    copier->copied = copier->owned;
    for (uint64_t block = 0; copied && block < origin_bytes / BENCH_BLOCK; block++) {
        copier->copied[block] = 1;
    }
    pthread_mutex_init(&copier->lock, NULL);
    pthread_cond_init(&copier->durable, NULL);
    return copier;
}

void copier_close(struct copier *copier) {
    pthread_mutex_destroy(&copier->lock);
    pthread_cond_destroy(&copier->durable);
    free(copier->owned);
    free(copier);
}

struct target copier_target(struct copier *copier) {
    struct target target = {copier_write, copier_read, copier_flush, copier};
    return target;
}
