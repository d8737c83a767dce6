/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches of a real file's requests, in a file of their own below TMPDIR or /tmp; with io_uring where it is there. The
 * same holds without: the program is built a second time with a device layer that has none.
 */
#include "test.h"

#include "batch_rig.h"
#include "files.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, ROUNDS = 40 };

/* NULL where the file system has no O_DIRECT; the test then ends. Meson takes cmocka's skip for a failure. */
static selsnap_device *open_parts(unsigned parts, uint32_t flags) {
    char path[FILES_PATH];
    selsnap_device *device = NULL;
    int error = 0;
    assert_int_equal(files_make(path), 0);
    int code =
        selsnap_device_open_file(path, SELSNAP_FILE_CREATE | flags, (uint64_t)parts * BATCH_SIZE, &device, &error);
    assert_int_equal(files_remove(path), 0);
    assert_true(code == SELSNAP_OK || (code == SELSNAP_ENOTSUP && flags != 0));
    if (device == NULL) {
        (void)fprintf(stderr, "no O_DIRECT in %s: not tested\n", path);
    }
    return device;
}

static struct batch_rig *open_rig(selsnap_device *device, uint64_t begin, uint64_t seed) {
    struct batch_rig *rig = batch_rig_open(device, begin, seed);
    assert_non_null(rig);
    return rig;
}

static void random_rounds(uint32_t flags) {
    static const uint32_t counts[] = {1, 2, 31, 64, 65, 200};
    unsigned before = files_open_count();
    selsnap_device *device = open_parts(1, flags);
    if (device == NULL) {
        return;
    }
    struct batch_rig *rig = open_rig(device, 0, flags + 1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        rig->aligned = i % 2 == 0;
        assert_int_equal(batch_round(rig, counts[i % (sizeof counts / sizeof counts[0])]), 0);
    }
    assert_true(batch_part_right(rig));
    batch_rig_close(rig);
    selsnap_device_close(device);
    assert_int_equal(files_open_count(), before);
}

static void test_file_batch__buffered__as_the_model(void **state) {
    (void)state;
    random_rounds(0);
}

static void test_file_batch__direct__as_the_model(void **state) {
    (void)state;
    random_rounds(SELSNAP_FILE_DIRECT);
}

struct work {
    struct batch_rig *rig;
    unsigned wrong;
};

static void *run_rounds(void *user) {
    struct work *work = user;
    for (unsigned i = 0; i < ROUNDS; i++) {
        work->wrong += batch_round(work->rig, 2 + i);
    }
    return NULL;
}

/* More threads than a device has rings. */
static void threads_rounds(uint32_t flags) {
    unsigned before = files_open_count();
    struct work works[THREADS];
    pthread_t threads[THREADS];
    selsnap_device *device = open_parts(THREADS, flags);
    if (device == NULL) {
        return;
    }
    for (unsigned i = 0; i < THREADS; i++) {
        works[i] = (struct work){open_rig(device, (uint64_t)i * BATCH_SIZE, i + 50), 0};
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_rounds, &works[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(works[i].wrong, 0);
        assert_true(batch_part_right(works[i].rig));
        batch_rig_close(works[i].rig);
    }
    selsnap_device_close(device);
    assert_int_equal(files_open_count(), before);
}

static void test_file_batch__threads__each_as_its_model(void **state) {
    (void)state;
    threads_rounds(0);
    threads_rounds(SELSNAP_FILE_DIRECT);
}

/* More pieces than one call takes; and so many empty ones before the others that the first call moves nothing. */
static void test_file_batch__many_pieces__all_moved(void **state) {
    (void)state;
    enum { PIECES = 3000, LEN = 7 };
    static selsnap_iovec iov[2][PIECES];
    static uint8_t bytes[2][PIECES * LEN];
    static uint8_t written[PIECES * LEN];
    selsnap_io io[2] = {SELSNAP_IO_INIT, SELSNAP_IO_INIT};
    selsnap_io *ios[2] = {&io[0], &io[1]};
    selsnap_device *device = open_parts(1, 0);
    for (size_t i = 0; i < sizeof written; i++) {
        written[i] = (uint8_t)(i * 7 + i / 251);
    }
    assert_ok(selsnap_device_write(device, written, sizeof written, 0));
    for (size_t i = 0; i < PIECES; i++) {
        iov[0][i] = (selsnap_iovec){bytes[0] + i * LEN, LEN};
        iov[1][i] = (selsnap_iovec){NULL, 0};
    }
    iov[1][PIECES - 1] = (selsnap_iovec){bytes[1], sizeof bytes[1]};
    for (unsigned i = 0; i < 2; i++) {
        io[i].kind = SELSNAP_IO_READ;
        io[i].iov = iov[i];
        io[i].iov_count = PIECES;
    }
    assert_ok(selsnap_device_batch(device, ios, 2));
    assert_memory_equal(bytes[0], written, sizeof written);
    assert_memory_equal(bytes[1], written, sizeof written);
    selsnap_device_close(device);
}

/* Opens what it makes by name, to cut it behind the device's back. */
static void test_file_batch__cut_short__fails_alone(void **state) {
    (void)state;
    char path[FILES_PATH];
    static uint8_t bytes[8][BATCH_SLOT];
    selsnap_io io[8];
    selsnap_io *ios[8];
    selsnap_iovec iov[8];
    selsnap_device *device = NULL;
    assert_int_equal(files_make(path), 0);
    assert_ok(selsnap_device_open_file(path, SELSNAP_FILE_CREATE, sizeof bytes, &device, NULL));
    assert_int_equal(files_set_size(path, 4 * BATCH_SLOT + 100), 0);
    assert_int_equal(files_remove(path), 0);
    memset(bytes, 0xee, sizeof bytes);
    for (unsigned i = 0; i < 8; i++) {
        iov[i] = (selsnap_iovec){bytes[i], BATCH_SLOT};
        io[i] = (selsnap_io){sizeof io[i], SELSNAP_IO_READ, &iov[i], 1, 99, (uint64_t)i * BATCH_SLOT, 0, 0, 0};
        ios[7 - i] = &io[i];
    }
    assert_int_equal(selsnap_device_batch(device, ios, 8), SELSNAP_EIO);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(io[i].result, i < 4 ? SELSNAP_OK : SELSNAP_EIO);
        assert_int_equal(bytes[i][0], i <= 4 ? 0 : 0xee);
    }
    selsnap_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_batch__buffered__as_the_model),
        cmocka_unit_test(test_file_batch__direct__as_the_model),
        cmocka_unit_test(test_file_batch__threads__each_as_its_model),
        cmocka_unit_test(test_file_batch__many_pieces__all_moved),
        cmocka_unit_test(test_file_batch__cut_short__fails_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
