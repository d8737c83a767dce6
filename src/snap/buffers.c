/* SPDX-License-Identifier: Apache-2.0 */
/* See buffers.h. */
#include "buffers.h"

#include <assert.h>
#include <string.h>

enum { ALIGNMENT = 4096 };

/* Makes one more and gives it; NULL when there is no memory. lock is held (or nobody else knows the pool yet). */
static uint8_t *make(struct ssn_buffers *buffers) {
    uint8_t *memory = ssn_alloc(buffers->mem, buffers->len + ALIGNMENT);
    if (memory == NULL) {
        return NULL;
    }
    buffers->memory[buffers->made++] = memory;
    uintptr_t at = ((uintptr_t)memory + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
    return memory + (at - (uintptr_t)memory);
}

int ssn_buffers_init(struct ssn_buffers *buffers, struct ssn_mem *mem, size_t len, unsigned limit) {
    memset(buffers, 0, sizeof *buffers);
    buffers->mem = mem;
    buffers->len = len;
    buffers->limit = limit < 1 ? 1 : limit > SSN_BUFFERS_MAX ? SSN_BUFFERS_MAX : limit;
    uint8_t *first = make(buffers);
    if (first == NULL) {
        return SELSNAP_ENOMEM;
    }
    buffers->idle[buffers->idle_count++] = first;
    if (pthread_mutex_init(&buffers->lock, NULL) != 0) {
        ssn_free(mem, buffers->memory[0]);
        return SELSNAP_ENOMEM;
    }
    if (pthread_cond_init(&buffers->returned, NULL) != 0) {
        pthread_mutex_destroy(&buffers->lock);
        ssn_free(mem, buffers->memory[0]);
        return SELSNAP_ENOMEM;
    }
    return SELSNAP_OK;
}

void ssn_buffers_fini(struct ssn_buffers *buffers) {
    assert(buffers->idle_count == buffers->made);
    for (unsigned i = 0; i < buffers->made; i++) {
        ssn_free(buffers->mem, buffers->memory[i]);
    }
    pthread_cond_destroy(&buffers->returned);
    pthread_mutex_destroy(&buffers->lock);
}

uint8_t *ssn_buffers_take(struct ssn_buffers *buffers) {
    pthread_mutex_lock(&buffers->lock);
    uint8_t *buffer = NULL;
    while (buffer == NULL) {
        if (buffers->idle_count > 0) {
            buffer = buffers->idle[--buffers->idle_count];
        } else if (buffers->made < buffers->limit) {
            buffer = make(buffers);
            if (buffer == NULL) {
                buffers->limit = buffers->made;
            }
        } else {
            pthread_cond_wait(&buffers->returned, &buffers->lock);
        }
    }
    pthread_mutex_unlock(&buffers->lock);
    return buffer;
}

void ssn_buffers_return(struct ssn_buffers *buffers, uint8_t *buffer) {
    pthread_mutex_lock(&buffers->lock);
    buffers->idle[buffers->idle_count++] = buffer;
    pthread_cond_signal(&buffers->returned);
    pthread_mutex_unlock(&buffers->lock);
}
