/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches of a file when io_uring is refused, fails, or does a part: liburing's functions are wrapped by the linker,
 * and do what the test says. Whatever that is, each batch is done, and a ring ends with nothing in flight.
 */
#include "test.h"

#include "batch_rig.h"

#include <errno.h>
#include <liburing.h>
#include <selsnap/selsnap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 20, COUNT = 60, RING = 64 };

/* How the next calls go. */
static struct {
    int init_error;
    bool cut;              /* each request moves a part of its first piece */
    int says;              /* not 0: each second request moves nothing, and ends with this; 1: with 0 bytes */
    unsigned fail_after;   /* not 0: the submission of that number fails */
    int submit_error;      /* with this */
    bool halves;           /* a submission takes half of what is there, if that is more than one */
    bool wait_interrupted; /* each second wait */

    unsigned inits;
    unsigned exits;
    unsigned submits;
    unsigned waits;
    unsigned ordinary; /* calls of preadv and pwritev */
} ring_is;

int __real_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
void __real_io_uring_queue_exit(struct io_uring *ring);
int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned wait);
int __real___io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **ret, unsigned submit, unsigned wait,
                              sigset_t *mask);
ssize_t __real_preadv64(int fd, const struct iovec *iov, int count, off_t offset);
ssize_t __real_pwritev64(int fd, const struct iovec *iov, int count, off_t offset);
int __wrap_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
void __wrap_io_uring_queue_exit(struct io_uring *ring);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned wait);
int __wrap___io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **ret, unsigned submit, unsigned wait,
                              sigset_t *mask);
ssize_t __wrap_preadv64(int fd, const struct iovec *iov, int count, off_t offset);
ssize_t __wrap_pwritev64(int fd, const struct iovec *iov, int count, off_t offset);

int __wrap_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags) {
    ring_is.inits++;
    return ring_is.init_error != 0 ? ring_is.init_error : __real_io_uring_queue_init(entries, ring, flags);
}

void __wrap_io_uring_queue_exit(struct io_uring *ring) {
    ring_is.exits++;
    assert_int_equal(*ring->sq.khead, *ring->cq.khead); /* as many taken back as the kernel took */
    __real_io_uring_queue_exit(ring);
}

/* The prepared requests as the test wants them. The memory is used until the submission has returned. */
static void tamper(struct io_uring *ring, struct iovec *pieces) {
    for (unsigned at = *ring->sq.khead; at != ring->sq.sqe_tail; at++) {
        struct io_uring_sqe *sqe = &ring->sq.sqes[at & ring->sq.ring_mask];
        if (ring_is.says != 0 && at % 2 == 0) {
            sqe->opcode = IORING_OP_NOP;
        } else if (ring_is.cut) {
            struct iovec *piece = &pieces[at % RING];
            *piece = *(const struct iovec *)(uintptr_t)sqe->addr;
            piece->iov_len = piece->iov_len > 1024 ? 512 : piece->iov_len / 2;
            sqe->addr = (uint64_t)(uintptr_t)piece;
            sqe->len = 1;
        }
    }
}

int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned wait) {
    struct iovec pieces[RING];
    ring_is.submits++;
    if (ring_is.fail_after != 0 && ring_is.submits >= ring_is.fail_after) {
        return ring_is.submit_error;
    }
    unsigned first = *ring->sq.khead;
    unsigned tail = ring->sq.sqe_tail;
    tamper(ring, pieces);
    if (ring_is.halves && tail - first > 1) {
        ring->sq.sqe_tail = first + (tail - first) / 2;
        int taken = __real_io_uring_submit_and_wait(ring, 0);
        ring->sq.sqe_tail = tail;
        return taken;
    }
    int taken = __real_io_uring_submit_and_wait(ring, ring_is.wait_interrupted ? 0 : wait);
    unsigned ended = *ring->cq.khead;
    for (; ring_is.says != 0 && ended != *ring->cq.ktail; ended++) {
        struct io_uring_cqe *cqe = &ring->cq.cqes[ended & ring->cq.ring_mask];
        if (cqe->res == 0) {
            cqe->res = ring_is.says == 1 ? 0 : ring_is.says;
        }
    }
    return taken;
}

int __wrap___io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **ret, unsigned submit, unsigned wait,
                              sigset_t *mask) {
    if (ring_is.wait_interrupted && ring_is.waits++ % 2 == 0) {
        return -EINTR;
    }
    return __real___io_uring_get_cqe(ring, ret, submit, wait, mask);
}

ssize_t __wrap_preadv64(int fd, const struct iovec *iov, int count, off_t offset) {
    ring_is.ordinary++;
    return __real_preadv64(fd, iov, count, offset);
}

ssize_t __wrap_pwritev64(int fd, const struct iovec *iov, int count, off_t offset) {
    ring_is.ordinary++;
    return __real_pwritev64(fd, iov, count, offset);
}

/* With O_DIRECT where there is one: then writes go by the ring too. */
static selsnap_device *open_device(void) {
    char path[] = "/tmp/selsnap-ring-XXXXXX";
    selsnap_device *device = NULL;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    int code = selsnap_device_open_file(path, SELSNAP_FILE_CREATE | SELSNAP_FILE_DIRECT, BATCH_SIZE, &device, NULL);
    if (code == SELSNAP_ENOTSUP) {
        code = selsnap_device_open_file(path, SELSNAP_FILE_CREATE, BATCH_SIZE, &device, NULL);
    }
    assert_ok(code);
    close(fd);
    unlink(path);
    return device;
}

/* Whether the system gives rings at all, and lets them be used. */
static bool there_are_rings(void) {
    struct io_uring ring = {0}; /* what liburing writes, MemorySanitizer does not see */
    bool usable = false;
    if (__real_io_uring_queue_init(8, &ring, 0) == 0) {
        io_uring_prep_nop(io_uring_get_sqe(&ring));
        usable = __real_io_uring_submit_and_wait(&ring, 1) == 1;
        __real_io_uring_queue_exit(&ring);
    }
    if (!usable) {
        (void)fprintf(stderr, "no io_uring here: not tested\n");
    }
    return usable;
}

/* Random batches, with ring_is as it is set; all must be right. */
static void rounds(void) {
    selsnap_device *device = open_device();
    struct batch_rig *rig = batch_rig_open(device, 0, 3);
    assert_non_null(rig);
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (ring_is.fail_after != 0) {
            ring_is.submits = 0;
        }
        assert_int_equal(batch_round(rig, COUNT), 0);
    }
    assert_true(batch_part_right(rig));
    batch_rig_close(rig);
    selsnap_device_close(device);
    if (ring_is.init_error == 0) {
        assert_int_equal(ring_is.inits, ring_is.exits);
    }
}

static void reset(void) {
    memset(&ring_is, 0, sizeof ring_is);
}

static int reset_before(void **state) {
    (void)state;
    reset();
    return 0;
}

static void test_ring__works__no_ordinary_call(void **state) {
    (void)state;
    if (!there_are_rings()) {
        return;
    }
    selsnap_io io[COUNT];
    selsnap_io *ios[COUNT];
    selsnap_iovec iov[COUNT];
    void *memory = NULL;
    selsnap_device *device = open_device();
    assert_int_equal(posix_memalign(&memory, BATCH_SLOT, COUNT * BATCH_SLOT), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        iov[i] = (selsnap_iovec){(uint8_t *)memory + (size_t)i * BATCH_SLOT, BATCH_SLOT};
        io[i] = (selsnap_io){sizeof io[i], SELSNAP_IO_READ, &iov[i], 1, 99, (uint64_t)i * BATCH_SLOT, 0, 0, 0};
        ios[i] = &io[i];
    }
    reset();
    for (unsigned i = 1; i <= 5; i++) {
        assert_ok(selsnap_device_batch(device, ios, COUNT));
        assert_int_equal(ring_is.submits, i);
    }
    assert_true(ring_is.inits == 1 && ring_is.ordinary == 0);
    /* One alone has nothing to gain. */
    assert_ok(selsnap_device_batch(device, ios, 1));
    assert_true(ring_is.submits == 5 && ring_is.ordinary == 1);
    selsnap_device_close(device);
    assert_int_equal(ring_is.exits, 1);
    free(memory);
}

static void test_ring__refused__asked_once(void **state) {
    (void)state;
    static const int errors[] = {-EPERM, -ENOSYS, -EINVAL, -EACCES};
    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        reset();
        ring_is.init_error = errors[i];
        rounds();
        assert_true(ring_is.inits == 1 && ring_is.exits == 0 && ring_is.submits == 0);
    }
}

static void test_ring__used_up__asked_again(void **state) {
    (void)state;
    static const int errors[] = {-ENOMEM, -EMFILE, -ENFILE, -EAGAIN};
    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        reset();
        ring_is.init_error = errors[i];
        rounds();
        assert_true(ring_is.inits == ROUNDS && ring_is.submits == 0);
    }
}

static void test_ring__short_transfers__the_rest_moved(void **state) {
    (void)state;
    if (there_are_rings()) {
        ring_is.cut = true;
        rounds();
        assert_true(ring_is.submits == ROUNDS && ring_is.ordinary > ROUNDS * COUNT / 2);
    }
}

static void test_ring__says_no__ordinary_calls_do_it(void **state) {
    (void)state;
    static const int says[] = {1, -EINTR, -EAGAIN, -EINVAL, -EOPNOTSUPP, -ECANCELED, -ENOMEM};
    for (unsigned i = 0; i < sizeof says / sizeof says[0] && there_are_rings(); i++) {
        reset();
        ring_is.says = says[i];
        rounds();
        assert_true(ring_is.submits == ROUNDS && ring_is.ordinary > ROUNDS * COUNT / 4);
    }
}

/* The storage failed: nothing is gained by asking it again. */
static void test_ring__storage_fails__told_for_that_request(void **state) {
    (void)state;
    static const int says[] = {-EIO, -ENOSPC};
    for (unsigned k = 0; k < 2 && there_are_rings(); k++) {
        uint8_t *memory = NULL;
        selsnap_io io[8];
        selsnap_io *ios[8];
        selsnap_iovec iov[8];
        selsnap_device *device = open_device();
        assert_int_equal(posix_memalign((void **)&memory, BATCH_SLOT, 8 * BATCH_SLOT), 0);
        for (unsigned i = 0; i < 8; i++) {
            iov[i] = (selsnap_iovec){memory + (size_t)i * BATCH_SLOT, BATCH_SLOT};
            io[i] = (selsnap_io){sizeof io[i], SELSNAP_IO_READ, &iov[i], 1, 99, (uint64_t)i * BATCH_SLOT, 0, 0, 0};
            ios[i] = &io[i];
        }
        reset();
        ring_is.says = says[k];
        assert_int_equal(selsnap_device_batch(device, ios, 8), SELSNAP_EIO);
        for (unsigned i = 0; i < 8; i++) {
            assert_int_equal(io[i].result, i % 2 == 0 ? SELSNAP_EIO : SELSNAP_OK);
        }
        assert_int_equal(ring_is.ordinary, 0);
        selsnap_device_close(device);
        free(memory);
    }
}

static void test_ring__submission_fails__ordinary_calls_do_it(void **state) {
    (void)state;
    static const int errors[] = {-EAGAIN, -EBUSY, -EPERM, 0};
    for (unsigned i = 0; i < sizeof errors / sizeof errors[0] && there_are_rings(); i++) {
        reset();
        ring_is.fail_after = 1;
        ring_is.submit_error = errors[i];
        rounds();
        assert_true(ring_is.exits == ROUNDS); /* the ring is not used again */
    }
}

static void test_ring__submission_in_parts__all_done(void **state) {
    (void)state;
    if (there_are_rings()) {
        ring_is.halves = true;
        ring_is.wait_interrupted = true;
        rounds();
        assert_true(ring_is.submits > 4 * ROUNDS && ring_is.exits == 1 && ring_is.waits > 0);
    }
}

/* Some are in flight when the rest cannot be handed over: they are waited for before the buffers are given back. */
static void test_ring__submission_fails_in_the_middle__waits_for_what_flies(void **state) {
    (void)state;
    for (unsigned after = 2; after < 5 && there_are_rings(); after++) {
        reset();
        ring_is.halves = true;
        ring_is.fail_after = after;
        ring_is.submit_error = -EAGAIN;
        rounds();
        assert_true(ring_is.exits == ROUNDS);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_ring__works__no_ordinary_call, reset_before),
        cmocka_unit_test_setup(test_ring__refused__asked_once, reset_before),
        cmocka_unit_test_setup(test_ring__used_up__asked_again, reset_before),
        cmocka_unit_test_setup(test_ring__short_transfers__the_rest_moved, reset_before),
        cmocka_unit_test_setup(test_ring__says_no__ordinary_calls_do_it, reset_before),
        cmocka_unit_test_setup(test_ring__storage_fails__told_for_that_request, reset_before),
        cmocka_unit_test_setup(test_ring__submission_fails__ordinary_calls_do_it, reset_before),
        cmocka_unit_test_setup(test_ring__submission_in_parts__all_done, reset_before),
        cmocka_unit_test_setup(test_ring__submission_fails_in_the_middle__waits_for_what_flies, reset_before),
    };
    return cmocka_run_group_tests_name("file_ring", tests, NULL, NULL);
}
