/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void bench_need(int code, const char *what) {
    if (code != SELSNAP_OK) {
        fprintf(stderr, "bench: %s: %s\n", what, selsnap_error_name(code));
        exit(1);
    }
}

double bench_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct worker {
    const struct load *load;
    const struct target *target;
    unsigned number;
    uint64_t *latencies; /* NULL: not asked for */
    uint64_t count;
    pthread_barrier_t *start;
};

/* The n-th request's place: each place once, in order or scattered by an odd multiplier. */
static uint64_t place_of(const struct load *load, uint64_t n) {
    uint64_t places = load->span / load->bytes;
    uint64_t index = load->random ? n * UINT64_C(0x9e3779b97f4a7c15) : n;
    return (index & (places - 1)) * load->bytes;
}

static void request(const struct worker *worker, uint8_t *buf, uint64_t done, uint64_t n) {
    const struct load *load = worker->load;
    const struct target *target = worker->target;
    uint64_t offset = place_of(load, n);
    if (load->reads) {
        bench_need(target->read(target->user, buf, load->bytes, offset), "read");
        return;
    }
    memcpy(buf, &n, sizeof n);
    bench_need(target->write(target->user, buf, load->bytes, offset), "write");
    if (load->flush_every != 0 && done % load->flush_every == 0) {
        bench_need(target->flush(target->user), "flush");
    }
}

static void *work(void *user) {
    struct worker *worker = user;
    const struct load *load = worker->load;
    uint8_t *buf = aligned_alloc(4096, load->bytes);
    if (buf == NULL) {
        abort();
    }
    memset(buf, 0x5a, load->bytes);
    pthread_barrier_wait(worker->start);
    for (uint64_t n = worker->number; n < load->requests; n += load->threads) {
        double before = worker->latencies != NULL ? bench_now() : 0;
        request(worker, buf, worker->count + 1, n);
        if (worker->latencies != NULL) {
            worker->latencies[worker->count] = (uint64_t)((bench_now() - before) * 1e9);
        }
        worker->count++;
    }
    free(buf);
    return NULL;
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void percentiles(struct timing *timing, uint64_t *all, uint64_t count) {
    qsort(all, count, sizeof *all, compare);
    timing->p50 = all[count / 2];
    timing->p99 = all[count - 1 - count / 100];
    timing->p999 = all[count - 1 - count / 1000];
}

struct timing load_run(const struct load *load, const struct target *target, bool latencies) {
    struct timing timing = {0};
    uint64_t most = load->requests / load->threads + 1;
    pthread_t *threads = calloc(load->threads, sizeof *threads);
    struct worker *workers = calloc(load->threads, sizeof *workers);
    uint64_t *all = latencies ? calloc(most * load->threads, sizeof *all) : NULL;
    pthread_barrier_t start;
    if (threads == NULL || workers == NULL || (latencies && all == NULL)) {
        abort();
    }
    pthread_barrier_init(&start, NULL, load->threads + 1);
    for (unsigned i = 0; i < load->threads; i++) {
        struct worker *worker = &workers[i];
        *worker = (struct worker){load, target, i, latencies ? all + i * most : NULL, 0, &start};
        if (pthread_create(&threads[i], NULL, work, worker) != 0) {
            abort();
        }
    }
    pthread_barrier_wait(&start);
    double begin = bench_now();
    for (unsigned i = 0; i < load->threads; i++) {
        pthread_join(threads[i], NULL);
    }
    timing.seconds = bench_now() - begin;
    if (latencies) {
        uint64_t count = 0;
        for (unsigned i = 0; i < load->threads; i++) {
            memmove(all + count, workers[i].latencies, workers[i].count * sizeof *all);
            count += workers[i].count;
        }
        percentiles(&timing, all, count);
    }
    pthread_barrier_destroy(&start);
    free(threads);
    free(workers);
    free(all);
    return timing;
}
