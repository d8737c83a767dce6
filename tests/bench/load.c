/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that make requests as a load says. */
#include "bench.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct worker {
    const struct load *load;
    const struct target *target;
    uint64_t number;
    uint64_t requests;   /* of all workers */
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

/* Requests from the n-th on, all in one batch; the number of them. */
static uint64_t request_batch(const struct worker *worker, uint8_t *buf, uint64_t n) {
    enum { MOST = 64 };
    const struct load *load = worker->load;
    selsnap_io io[MOST];
    selsnap_io *list[MOST];
    selsnap_iovec iov[MOST];
    uint32_t count = 0;
    for (; count < load->batch && n < worker->requests; n += load->threads) {
        uint8_t *own = buf + (size_t)count * load->bytes;
        memcpy(own, &n, sizeof n);
        iov[count] = (selsnap_iovec){own, load->bytes};
        selsnap_io one = SELSNAP_IO_INIT;
        one.kind = load->reads ? SELSNAP_IO_READ : SELSNAP_IO_WRITE;
        one.iov = &iov[count];
        one.iov_count = 1;
        one.offset = place_of(load, n);
        io[count] = one;
        list[count] = &io[count];
        count++;
    }
    bench_need(worker->target->batch(worker->target->user, list, count), "batch");
    return count;
}

static void *work(void *user) {
    struct worker *worker = user;
    const struct load *load = worker->load;
    size_t len = (size_t)load->bytes * (load->batch != 0 ? load->batch : 1);
    uint8_t *buf = bench_memory(len);
    memset(buf, 0x5a, len);
    pthread_barrier_wait(worker->start);
    for (uint64_t n = worker->number; n < worker->requests;) {
        uint64_t before = worker->latencies != NULL ? bench_now_ns() : 0;
        uint64_t done = 1;
        if (load->batch != 0) {
            done = request_batch(worker, buf, n);
        } else {
            request(worker, buf, worker->count + 1, n);
        }
        for (uint64_t i = 0; i < done && worker->latencies != NULL; i++) {
            worker->latencies[worker->count + i] = bench_now_ns() - before;
        }
        worker->count += done;
        n += done * load->threads;
    }
    free(buf);
    return NULL;
}

static void gather(const struct worker *workers, unsigned threads, uint64_t *all, struct latency *latency) {
    uint64_t count = 0;
    for (unsigned i = 0; i < threads; i++) {
        memmove(all + count, workers[i].latencies, workers[i].count * sizeof *all);
        count += workers[i].count;
    }
    *latency = bench_latency(all, count);
}

struct taken load_run(const struct load *load, const struct target *target, uint64_t requests,
                      struct latency *latency) {
    uint64_t most = requests / load->threads + 1;
    pthread_t *threads = bench_memory(load->threads * sizeof *threads);
    struct worker *workers = bench_memory(load->threads * sizeof *workers);
    uint64_t *all = latency != NULL ? bench_memory(most * load->threads * sizeof *all) : NULL;
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, load->threads + 1);
    for (unsigned i = 0; i < load->threads; i++) {
        uint64_t *own = all != NULL ? all + i * most : NULL;
        workers[i] = (struct worker){load, target, i, requests, own, 0, &start};
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) {
            abort();
        }
    }
    /* Before the barrier: behind it the workers may have run for a while when this thread goes on. */
    struct taken begin = {bench_now_ns(), bench_cpu_ns()};
    pthread_barrier_wait(&start);
    for (unsigned i = 0; i < load->threads; i++) {
        pthread_join(threads[i], NULL);
    }
    struct taken taken = {bench_now_ns() - begin.wall, bench_cpu_ns() - begin.cpu};
    if (latency != NULL) {
        gather(workers, load->threads, all, latency);
    }
    pthread_barrier_destroy(&start);
    free(threads);
    free(workers);
    free(all);
    return taken;
}
