/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of equal, page-aligned buffers, so that copying blocks allocates nothing and memory stays bounded: whoever
 * asks while all are out waits. A thread holds at most one. `lock` guards all.
 */
#ifndef SSN_BUFFERS_H
#define SSN_BUFFERS_H

#include "mem.h"

#include <pthread.h>

enum { SSN_BUFFERS_MAX = 64 };

struct ssn_buffers {
    struct ssn_mem *mem;
    size_t len;
    unsigned limit;
    pthread_mutex_t lock;
    pthread_cond_t returned;
    void *memory[SSN_BUFFERS_MAX];  /* lock: what was allocated, to free */
    uint8_t *idle[SSN_BUFFERS_MAX]; /* lock */
    unsigned made;                  /* lock */
    unsigned idle_count;            /* lock */
};

/* One buffer is made at once, so that there always is one. */
int ssn_buffers_init(struct ssn_buffers *buffers, struct ssn_mem *mem, size_t len, unsigned limit);
void ssn_buffers_fini(struct ssn_buffers *buffers);
/* Never NULL. */
uint8_t *ssn_buffers_take(struct ssn_buffers *buffers);
void ssn_buffers_return(struct ssn_buffers *buffers, uint8_t *buffer);

#endif
