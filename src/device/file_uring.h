/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches of a file's requests, all in flight at once by Linux's io_uring. Only where the build found liburing
 * (SSN_URING); what the ring does not do, or does in part, is done by the ordinary calls (file_device.h).
 */
#ifndef SSN_FILE_URING_H
#define SSN_FILE_URING_H

#include <pthread.h>
#include <selsnap/device.h>
#include <stdbool.h>

/* The rings of one open file, made when they are first needed. */
struct file_rings {
    pthread_mutex_t lock;
    struct file_ring *idle; /* lock: those that no thread uses, the last used first */
    unsigned made;          /* lock: all that there are */
    bool refused;           /* lock: the system gives none */
};

#ifdef SSN_URING
/* false: no memory. */
bool ssn_file_rings_init(struct file_rings *rings);
void ssn_file_rings_fini(struct file_rings *rings);
/* The device's batch callback; `user` is a struct file. */
void ssn_file_batch(void *user, selsnap_io *const *ios, uint32_t count);
#else
static inline bool ssn_file_rings_init(struct file_rings *rings) {
    (void)rings;
    return true;
}
static inline void ssn_file_rings_fini(struct file_rings *rings) {
    (void)rings;
}
#endif

#endif
