/* SPDX-License-Identifier: Apache-2.0 */
/* Time, medians, percentiles, and their JSON. */
#include "bench.h"

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

void *bench_memory(size_t len) {
    void *memory = aligned_alloc(4096, (len + 4095) / 4096 * 4096);
    if (memory == NULL) {
        abort();
    }
    memset(memory, 0, len);
    return memory;
}

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t bench_now_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t bench_cpu_ns(void) {
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double bench_quantile(double *values, unsigned count, double part) {
    qsort(values, count, sizeof *values, compare_doubles);
    return values[(unsigned)((double)(count - 1) * part + 0.5)];
}

static int compare_integers(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

struct latency bench_latency(uint64_t *all, uint64_t count) {
    struct latency latency = {0};
    if (count > 0) {
        qsort(all, count, sizeof *all, compare_integers);
        latency.p50 = all[count / 2];
        latency.p99 = all[count - 1 - count / 100];
        latency.p999 = all[count - 1 - count / 1000];
        latency.most = all[count - 1];
    }
    return latency;
}

json_t *bench_latency_json(const struct latency *latency) {
    return json_pack("{s:I, s:I, s:I, s:I}", "p50_ns", (json_int_t)latency->p50, "p99_ns", (json_int_t)latency->p99,
                     "p999_ns", (json_int_t)latency->p999, "most_ns", (json_int_t)latency->most);
}

json_t *bench_counts_json(const selsnap_device_counts *counts) {
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "reads", (json_int_t)counts->reads, "read_bytes",
                     (json_int_t)counts->read_bytes, "writes", (json_int_t)counts->writes, "write_bytes",
                     (json_int_t)counts->write_bytes, "flushes", (json_int_t)counts->flushes);
}

/* only: texts between commas. */
bool bench_wanted(const struct options *options, const char *name) {
    const char *text = options->only;
    bool wanted = text == NULL;
    while (text != NULL && !wanted) {
        size_t len = strcspn(text, ",");
        char one[128] = "";
        memcpy(one, text, len < sizeof one ? len : sizeof one - 1);
        wanted = one[0] == '=' ? strcmp(one + 1, name) == 0 : strstr(name, one) != NULL;
        text = text[len] == ',' ? text + len + 1 : NULL;
    }
    return wanted;
}

bool bench_wanted_where(const struct options *options, enum where where) {
    if (options->where != NULL) {
        return strcmp(options->where, where_names[where]) == 0;
    }
    return !options->quick || where != WHERE_DIRECT;
}
