/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See file_uring.h. A thread with a batch takes an idle ring, or makes one while there are fewer than RINGS_MAX, or
 * else uses the ordinary calls; so no thread waits for another, and a ring has one thread at a time. `lock` guards who
 * has which. A part of the batch as large as the ring is handed over with one system call, which returns when all of it
 * has ended; nothing is in flight when the batch returns, whatever the system says meanwhile.
 *
 * The ring's word counts only for what went well, and for what the storage itself refused. Anything else (interrupted,
 * short, not known to this kernel, not handed over at all) the ordinary calls finish, from the first byte not moved on.
 *
 * A ring belongs to the process that made it: after a fork its memory is the parent's too, so the child makes its own.
 */
#include "file_uring.h"

#include "blockdev.h"
#include "bytes.h"
#include "file_device.h"

#include <errno.h>
#include <liburing.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef SSN_MEMCHECK
#include <valgrind/memcheck.h>
#endif
#ifdef __has_feature
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define SSN_MSAN
#endif
#endif

enum { RINGS_MAX = 4, RING_ENTRIES = 64, PIECES_MAX = IOV_MAX };

struct file_ring {
    struct io_uring ring;
    struct file_ring *next; /* in the list of idle ones */
    pid_t owner;
};

/* The system takes our pieces as they are. */
_Static_assert(sizeof(selsnap_iovec) == sizeof(struct iovec), "pieces");
_Static_assert(offsetof(selsnap_iovec, base) == offsetof(struct iovec, iov_base), "pieces");
_Static_assert(offsetof(selsnap_iovec, len) == offsetof(struct iovec, iov_len), "pieces");

bool ssn_file_rings_init(struct file_rings *rings) {
    rings->idle = NULL;
    rings->made = 0;
    rings->refused = false;
    return pthread_mutex_init(&rings->lock, NULL) == 0;
}

void ssn_file_rings_fini(struct file_rings *rings) {
    while (rings->idle != NULL) {
        struct file_ring *ring = rings->idle;
        rings->idle = ring->next;
        io_uring_queue_exit(&ring->ring);
        free(ring);
    }
    pthread_mutex_destroy(&rings->lock);
}

/* Frees a ring that nothing is in flight on. */
static void drop_ring(struct file_rings *rings, struct file_ring *ring, bool refused) {
    free(ring);
    pthread_mutex_lock(&rings->lock);
    rings->made--;
    rings->refused = rings->refused || refused;
    pthread_mutex_unlock(&rings->lock);
}

/* NULL: do without. */
static struct file_ring *take_ring(struct file_rings *rings) {
    pthread_mutex_lock(&rings->lock);
    struct file_ring *ring = rings->idle;
    bool may_make = ring == NULL && !rings->refused && rings->made < RINGS_MAX;
    if (ring != NULL) {
        rings->idle = ring->next;
    } else if (may_make) {
        rings->made++;
    }
    pthread_mutex_unlock(&rings->lock);
    if (ring != NULL && ring->owner == getpid()) {
        return ring;
    }
    if (ring != NULL) {
        io_uring_queue_exit(&ring->ring); /* of this process' copy alone */
    } else if (may_make) {
        ring = malloc(sizeof *ring);
    } else {
        return NULL;
    }
    int rc = -ENOMEM;
    if (ring != NULL) {
        *ring = (struct file_ring){.owner = getpid()};
        rc = io_uring_queue_init(RING_ENTRIES, &ring->ring, 0);
    }
    if (rc == 0) {
        return ring;
    }
    /* What is used up may come back; what is forbidden or unknown stays so. */
    drop_ring(rings, ring, rc != -ENOMEM && rc != -EMFILE && rc != -ENFILE && rc != -EAGAIN);
    return NULL;
}

static void give_ring(struct file_rings *rings, struct file_ring *ring) {
    pthread_mutex_lock(&rings->lock);
    ring->next = rings->idle;
    rings->idle = ring;
    pthread_mutex_unlock(&rings->lock);
}

static void prepare(struct io_uring *ring, int fd, const selsnap_io *io, uint32_t index) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    if (sqe == NULL) { /* never: the ring was empty, and has a place for each */
        return;
    }
    const struct iovec *iov = (const struct iovec *)(const void *)io->iov;
    unsigned iov_count = io->iov_count < PIECES_MAX ? io->iov_count : PIECES_MAX;
    if (io->kind == SELSNAP_IO_READ) {
        io_uring_prep_readv(sqe, fd, iov, iov_count, io->offset);
    } else {
        io_uring_prep_writev(sqe, fd, iov, iov_count, io->offset);
    }
    io_uring_sqe_set_data64(sqe, index);
}

/*
 * Hands over what was prepared, and waits until all that was handed over has ended. results[] of these is set, by
 * index. false: some could not be handed over; they are still on the ring, and only its end takes them off it.
 */
static bool fly(struct io_uring *ring, int *results) {
    uint32_t count = io_uring_sq_ready(ring);
    bool whole = true;
    while (whole && io_uring_sq_ready(ring) > 0) {
        /* Waits only once all are handed over. */
        int rc = io_uring_submit_and_wait(ring, count);
        whole = rc > 0 || rc == -EINTR;
    }
    uint32_t flying = count - io_uring_sq_ready(ring);
    while (flying > 0) {
        struct io_uring_cqe *cqe = NULL;
        int rc = io_uring_wait_cqe(ring, &cqe);
        if (rc != 0 || cqe == NULL) {
            /* The buffers are the caller's: there is no way out but to try again. */
            (void)sched_yield();
            continue;
        }
        results[io_uring_cqe_get_data64(cqe)] = cqe->res;
        io_uring_cqe_seen(ring, cqe);
        flying--;
    }
    return whole;
}

/* Tells the checkers of memory what the kernel wrote, which they do not see. */
static void mark_filled(const selsnap_io *io, uint64_t len) {
#if defined(SSN_MEMCHECK) || defined(SSN_MSAN)
    for (uint32_t i = 0; i < io->iov_count && len > 0; i++) {
        size_t part = (size_t)ssn_min_u64(io->iov[i].len, len);
#ifdef SSN_MEMCHECK
        (void)VALGRIND_MAKE_MEM_DEFINED(io->iov[i].base, part);
#endif
#ifdef SSN_MSAN
        __msan_unpoison(io->iov[i].base, part);
#endif
        len -= part;
    }
#else
    (void)io;
    (void)len;
#endif
}

/* Makes a request's result of what the ring said of it, and moves what the ring did not. */
static void finish(const struct file *file, selsnap_io *io, int ring_result) {
    uint64_t len = 0;
    uint64_t done = ring_result > 0 ? (uint64_t)ring_result : 0;
    if (io->kind == SELSNAP_IO_READ) {
        mark_filled(io, done);
    }
    if (ring_result == -EIO || ring_result == -ENOSPC) {
        io->result = ring_result;
    } else if (ssn_iov_bytes(io->iov, io->iov_count, &len) && done == len) {
        io->result = 0;
    } else {
        io->result = ssn_file_move(file, io, done);
    }
}

/*
 * Whether a request gains by the ring. A write to the page cache is a copy, done at once; the ring would have a thread
 * of the system do it, one after another.
 */
static bool gains(const struct file *file, const selsnap_io *io) {
    return (file->direct || io->kind == SELSNAP_IO_READ) && ssn_file_takes(file, io->iov, io->iov_count);
}

/* As many requests as a ring takes, or fewer. */
static void batch_part(struct file *file, selsnap_io *const *ios, uint32_t count) {
    int results[RING_ENTRIES] = {0};
    uint32_t riders[RING_ENTRIES];
    uint32_t rider_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (gains(file, ios[i])) {
            riders[rider_count++] = i;
        }
    }
    /* One alone is quicker without. */
    struct file_ring *ring = rider_count > 1 ? take_ring(&file->rings) : NULL;
    if (ring != NULL) {
        for (uint32_t i = 0; i < rider_count; i++) {
            prepare(&ring->ring, file->fd, ios[riders[i]], riders[i]);
        }
        if (fly(&ring->ring, results)) {
            give_ring(&file->rings, ring);
        } else {
            io_uring_queue_exit(&ring->ring);
            drop_ring(&file->rings, ring, false);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        finish(file, ios[i], results[i]);
    }
}

void ssn_file_batch(void *user, selsnap_io *const *ios, uint32_t count) {
    uint32_t part = 0;
    for (uint32_t first = 0; first < count; first += part) {
        part = (uint32_t)ssn_min_u64(count - first, RING_ENTRIES);
        batch_part(user, ios + first, part);
    }
}
