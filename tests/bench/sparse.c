/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device of up to 16 TiB for the figures that depend on size. A page whose words rise by one constant from a first
 * word on (all the loads write such) is kept as that word; zeros count as such with the constant left out; any other
 * page is kept as it is. A page never written reads as if sparse_fill() had filled it with its number: not zeros, so
 * that it has to be copied. Two levels of tables, made as pages are written. One thread at a time makes a table; pages
 * are not guarded, as on a disk.
 */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STRIDE UINT64_C(0x9e3779b97f4a7c15)
enum { WORDS = BENCH_BLOCK / 8, GROUP = 512 };
enum kind { KIND_FRESH, KIND_ZERO, KIND_SEED, KIND_BYTES };

struct group {
    uint8_t kind[GROUP];
    union {
        uint64_t seed;
        uint8_t *bytes;
    } page[GROUP];
};

struct sparse {
    bool forgets;
    const _Atomic unsigned *flush_us; /* NULL, or how long a flush takes */
    pthread_mutex_t lock;             /* held to make a group */
    uint64_t group_count;
    struct group *_Atomic *groups;
    void *owned; /* their memory */
};

void sparse_fill(void *page, uint64_t seed) {
    uint64_t *words = page;
    for (unsigned i = 0; i < WORDS; i++) {
        words[i] = seed + i * STRIDE;
    }
}

static struct group *group_of(struct sparse *sparse, uint64_t number, bool make) {
    struct group *_Atomic *slot = &sparse->groups[number / GROUP];
    struct group *group = atomic_load_explicit(slot, memory_order_acquire);
    if (group == NULL && make) {
        pthread_mutex_lock(&sparse->lock);
        group = atomic_load(slot);
        if (group == NULL) {
            group = calloc(1, sizeof *group);
            atomic_store_explicit(slot, group, memory_order_release);
        }
        pthread_mutex_unlock(&sparse->lock);
    }
    return group;
}

static void load_page(struct sparse *sparse, uint64_t number, uint8_t *page) {
    const struct group *group = group_of(sparse, number, false);
    enum kind kind = group != NULL ? group->kind[number % GROUP] : KIND_FRESH;
    if (kind == KIND_BYTES) {
        memcpy(page, group->page[number % GROUP].bytes, BENCH_BLOCK);
    } else if (kind == KIND_ZERO) {
        memset(page, 0, BENCH_BLOCK);
    } else {
        sparse_fill(page, kind == KIND_SEED ? group->page[number % GROUP].seed : number + 1);
    }
}

static bool rises_by(const uint64_t *words, uint64_t stride) {
    for (unsigned i = 1; i < WORDS; i++) {
        if (words[i] != words[0] + i * stride) {
            return false;
        }
    }
    return true;
}

static int keep_page(struct sparse *sparse, uint64_t number, const uint8_t *page) {
    uint64_t words[WORDS];
    memcpy(words, page, sizeof words);
    struct group *group = group_of(sparse, number, true);
    if (group == NULL) {
        return -ENOMEM;
    }
    enum kind kind = rises_by(words, STRIDE) ? KIND_SEED : words[0] == 0 && rises_by(words, 0) ? KIND_ZERO : KIND_BYTES;
    uint8_t *kind_now = &group->kind[number % GROUP];
    if (*kind_now == KIND_BYTES && kind != KIND_BYTES) {
        free(group->page[number % GROUP].bytes);
    } else if (*kind_now != KIND_BYTES && kind == KIND_BYTES) {
        group->page[number % GROUP].bytes = malloc(BENCH_BLOCK);
    }
    *kind_now = (uint8_t)kind;
    if (kind == KIND_SEED) {
        group->page[number % GROUP].seed = words[0];
    } else if (kind == KIND_BYTES) {
        memcpy(group->page[number % GROUP].bytes, page, BENCH_BLOCK);
    }
    return 0;
}

/* The logical block is a page, so pieces that are not whole pages only come when an iovec splits one. */
static int move(struct sparse *sparse, bool write, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    int result = 0;
    for (uint32_t i = 0; i < iov_count; i++) {
        uint8_t *at = iov[i].base;
        for (size_t left = iov[i].len; left > 0 && result == 0;) {
            uint8_t page[BENCH_BLOCK];
            size_t within = (size_t)(offset % BENCH_BLOCK);
            size_t part = BENCH_BLOCK - within < left ? BENCH_BLOCK - within : left;
            bool whole = part == BENCH_BLOCK;
            if (!write || !whole) {
                load_page(sparse, offset / BENCH_BLOCK, whole ? at : page);
            }
            if (!whole) {
                memcpy(write ? page + within : at, write ? at : page + within, part);
            }
            result = write ? keep_page(sparse, offset / BENCH_BLOCK, whole ? at : page) : 0;
            at += part;
            offset += part;
            left -= part;
        }
    }
    return result;
}

static int sparse_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    return move(user, false, iov, iov_count, offset);
}

static int sparse_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    return ((struct sparse *)user)->forgets ? 0 : move(user, true, iov, iov_count, offset);
}

static int sparse_flush(void *user) {
    const struct sparse *sparse = user;
    unsigned flush_us = sparse->flush_us != NULL ? atomic_load(sparse->flush_us) : 0;
    if (flush_us > 0) {
        const struct timespec time = {0, (long)flush_us * 1000};
        nanosleep(&time, NULL);
    }
    return 0;
}

static void sparse_close(void *user) {
    struct sparse *sparse = user;
    for (uint64_t i = 0; i < sparse->group_count; i++) {
        struct group *group = sparse->groups[i];
        for (unsigned k = 0; group != NULL && k < GROUP; k++) {
            if (group->kind[k] == KIND_BYTES) {
                free(group->page[k].bytes);
            }
        }
        free(group);
    }
    free(sparse->owned);
    pthread_mutex_destroy(&sparse->lock);
    free(sparse);
}

selsnap_device *sparse_open(uint64_t bytes, bool forgets, const _Atomic unsigned *flush_us) {
    const selsnap_device_ops ops = {.struct_size = sizeof ops,
                                    .readv = sparse_readv,
                                    .writev = sparse_writev,
                                    .flush = sparse_flush,
                                    .close = sparse_close};
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    info.size_bytes = bytes;
    info.logical_block_bytes = BENCH_BLOCK;
    struct sparse *sparse = calloc(1, sizeof *sparse);
    if (sparse == NULL) {
        abort();
    }
    sparse->forgets = forgets;
    sparse->flush_us = flush_us;
    sparse->group_count = bytes / BENCH_BLOCK / GROUP + 1;
    sparse->owned = calloc(sparse->group_count, sizeof *sparse->groups);
    if (sparse->owned == NULL) {
        abort();
    }
    sparse->groups = sparse->owned;
    pthread_mutex_init(&sparse->lock, NULL);
    selsnap_device *device;
    bench_need(selsnap_device_open(&ops, &info, sparse, &device), "sparse device");
    return device;
}
