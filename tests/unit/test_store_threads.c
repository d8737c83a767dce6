/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads on one store, and calls that meet each other at a chosen moment. */
#include "test.h"

#include "storebox.h"

#include <pthread.h>
#include <time.h>

enum { STORE = 4 << 20, JOURNAL = 64 << 10, THREADS = 4, COMMITS = 150 };

/* ---- threads ---- */

struct work {
    struct box *box;
    uint64_t thread;
    _Atomic bool *stop;
    unsigned failures;
};

/* Each thread keeps a pair of keys equal in every transaction, and moves a third about. */
static void *writer(void *user) {
    struct work *work = user;
    struct ssn_store *store = work->box->store;
    for (uint64_t i = 1; i <= COMMITS; i++) {
        struct ssn_txn txn;
        uint8_t value[16];
        uint64_t place;
        uint64_t pages;
        struct ssn_key a = ssn_key_make(SSN_ITEM_ENTRY, work->thread, 1);
        struct ssn_key b = ssn_key_make(SSN_ITEM_OVERLAY, work->thread, 2);
        struct ssn_key from = ssn_key_make(SSN_ITEM_JOB, work->thread * 16 + (i - 1) % 5, 0);
        struct ssn_key to = ssn_key_make(SSN_ITEM_JOB, work->thread * 16 + i % 5, 0);
        struct ssn_item old;
        ssn_txn_init(&txn, store);
        work->failures += ssn_store_take(store, 1, 1, &place, &pages) != SELSNAP_OK;
        ssn_put64(value, i);
        ssn_put64(value + 8, place);
        if (ssn_store_get(store, &a, &old) == SELSNAP_OK) {
            ssn_txn_give(&txn, ssn_get64(old.value + 8), 1);
        }
        ssn_txn_take(&txn, place, 1);
        ssn_txn_put(&txn, &a, value, 16);
        ssn_txn_put(&txn, &b, value, 16);
        ssn_txn_delete(&txn, &from);
        ssn_txn_put(&txn, &to, value, 16);
        work->failures += ssn_store_commit(store, &txn, false) != SELSNAP_OK;
        work->failures += ssn_store_get(store, &a, &old) != SELSNAP_OK || ssn_get64(old.value) != i;
        ssn_txn_fini(&txn);
    }
    return NULL;
}

/* There is always exactly one of the keys that move, for each thread that has begun. */
static void *reader(void *user) {
    struct work *work = user;
    struct ssn_store *store = work->box->store;
    uint64_t last = 0;
    while (!atomic_load(work->stop)) {
        unsigned ticket = ssn_store_enter(store);
        struct ssn_key key = ssn_key_make(SSN_ITEM_JOB, 0, 0);
        struct ssn_item item;
        int rc = ssn_store_seek(store, &key, &item);
        work->failures += last > 0 && (rc != SELSNAP_OK || item.key.major >= 5);
        key = ssn_key_make(SSN_ITEM_JOB, 15, 0);
        rc = ssn_store_seek_last(store, &key, &item);
        work->failures += last > 0 && (rc != SELSNAP_OK || item.key.type != SSN_ITEM_JOB);
        key = ssn_key_make(SSN_ITEM_ENTRY, 0, 1);
        if (ssn_store_get(store, &key, &item) == SELSNAP_OK) {
            work->failures += ssn_get64(item.value) < last;
            last = ssn_get64(item.value);
        }
        ssn_store_leave(store, ticket);
    }
    return NULL;
}

static void test_threads__writers_and_readers__each_change_whole(void **state) {
    (void)state;
    struct box *box = box_new(STORE, JOURNAL, 8 << 20, 1);
    _Atomic bool stop = false;
    pthread_t threads[THREADS + 1];
    struct work work[THREADS + 1];
    assert_ok(box_open(box, false));
    for (unsigned i = 0; i <= THREADS; i++) {
        work[i] = (struct work){box, i, &stop, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, i < THREADS ? writer : reader, &work[i]), 0);
    }
    for (unsigned i = 0; i <= THREADS; i++) {
        if (i == THREADS) {
            atomic_store(&stop, true);
        }
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(work[i].failures, 0);
    }
    for (uint64_t i = 0; i < THREADS; i++) {
        struct ssn_key a = ssn_key_make(SSN_ITEM_ENTRY, i, 1);
        struct ssn_key b = ssn_key_make(SSN_ITEM_OVERLAY, i, 2);
        struct ssn_item item;
        assert_ok(ssn_store_get(box->store, &a, &item));
        assert_true(ssn_get64(item.value) == COMMITS);
        assert_ok(ssn_store_get(box->store, &b, &item));
        assert_true(ssn_get64(item.value) == COMMITS);
    }
    assert_true(box_stats(box).checkpoints > 3);
    box_free(box);
}

/* ---- something happens in the middle of something else ---- */

struct hooked {
    selsnap_device *below;
    struct ssn_store *store;
    bool (*at_write)(struct hooked *hooked, uint64_t offset); /* one of the two; true: it has done its work */
    bool (*at_read)(struct hooked *hooked, uint64_t offset);
    bool flush_fails;
};

static int hooked_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct hooked *hooked = user;
    int rc = ssn_device_readv(hooked->below, iov, iov_count, offset) == SELSNAP_OK ? 0 : -5;
    if (hooked->at_read != NULL && hooked->at_read(hooked, offset)) {
        hooked->at_read = NULL;
    }
    return rc;
}

static int hooked_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct hooked *hooked = user;
    int rc = ssn_device_writev(hooked->below, iov, iov_count, offset) == SELSNAP_OK ? 0 : -5;
    if (hooked->at_write != NULL && hooked->at_write(hooked, offset)) {
        hooked->at_write = NULL;
    }
    return rc;
}

static int hooked_flush(void *user) {
    struct hooked *hooked = user;
    return !hooked->flush_fails && ssn_device_flush(hooked->below) == SELSNAP_OK ? 0 : -5;
}

static selsnap_device *open_hooked(struct box *box, struct hooked *hooked) {
    selsnap_device_ops ops = {
        .struct_size = sizeof ops, .readv = hooked_readv, .writev = hooked_writev, .flush = hooked_flush};
    selsnap_device *device;
    hooked->below = crashdev_device(box->dev);
    assert_ok(ssn_device_open(&ops, &hooked->below->info, hooked, &device));
    struct ssn_store_params params = {
        .device = device, .mem = &box->mem, .report = &box->report, .cache_bytes = 1 << 18};
    assert_ok(ssn_store_open(&params, &hooked->store));
    assert_ok(ssn_store_activate(hooked->store));
    return device;
}

static int commit_keys(struct ssn_store *store, const uint64_t *put, unsigned puts, const uint64_t *gone,
                       unsigned deletes) {
    struct ssn_txn txn;
    uint8_t value[24] = {0};
    ssn_txn_init(&txn, store);
    for (unsigned i = 0; i < puts + deletes; i++) {
        struct ssn_key key = ssn_key_make(SSN_ITEM_JOB, i < puts ? put[i] : gone[i - puts], 0);
        if (i < puts) {
            ssn_txn_put(&txn, &key, value, sizeof value);
        } else {
            ssn_txn_delete(&txn, &key);
        }
    }
    int rc = ssn_store_commit(store, &txn, false);
    ssn_txn_fini(&txn);
    return rc;
}

/* Another's flush fails after the batch was written, and may have dropped it, although its own flush succeeds. */
static bool fail_another_flush(struct hooked *hooked, uint64_t offset) {
    if (offset < 32 * 4096 || offset >= 48 * 4096) {
        return false;
    }
    hooked->flush_fails = true;
    assert_int_equal(ssn_store_flush(hooked->store), SELSNAP_ESTORE);
    hooked->flush_fails = false;
    return true;
}

static void test_commit__another_flush_failed__is_not_acknowledged(void **state) {
    (void)state;
    struct box *box = box_new(STORE, JOURNAL, 0, 1);
    struct hooked hooked = {0};
    selsnap_device *device = open_hooked(box, &hooked);
    uint64_t keys[] = {1, 2};
    hooked.at_write = fail_another_flush;
    assert_int_equal(commit_keys(hooked.store, keys, 1, NULL, 0), SELSNAP_ESTORE);
    assert_ok(commit_keys(hooked.store, keys + 1, 1, NULL, 0));
    struct ssn_item item;
    struct ssn_key key = ssn_key_make(SSN_ITEM_JOB, 1, 0);
    assert_ok(ssn_store_get(hooked.store, &key, &item)); /* it came with the next one */
    assert_ok(ssn_store_close(hooked.store, true, false, 0));
    ssn_device_close(device);
    box_free(box);
}

/* While a seek reads the tree, the only item moves from behind to before it. */
static bool move_item(struct hooked *hooked, uint64_t offset) {
    uint64_t put[] = {3};
    uint64_t gone[] = {9};
    (void)offset;
    assert_ok(commit_keys(hooked->store, put, 1, gone, 1));
    return true;
}

static void test_seek__item_moves_meanwhile__is_found(void **state) {
    (void)state;
    for (int forward = 0; forward < 2; forward++) {
        struct box *box = box_new(STORE, JOURNAL, 0, 1);
        struct hooked hooked = {0};
        selsnap_device *device = open_hooked(box, &hooked);
        uint64_t keys[] = {5, 9};
        assert_ok(commit_keys(hooked.store, keys, 2, NULL, 0));
        assert_ok(ssn_store_close(hooked.store, true, false, 0));
        ssn_device_close(device);
        device = open_hooked(box, &hooked); /* with an empty cache */
        assert_ok(commit_keys(hooked.store, NULL, 0, keys, 1));
        hooked.at_read = move_item;
        struct ssn_item item;
        struct ssn_key key = ssn_key_make(SSN_ITEM_JOB, forward != 0 ? 1 : 8, 0);
        if (forward != 0) {
            assert_ok(ssn_store_seek(hooked.store, &key, &item));
        } else {
            assert_ok(ssn_store_seek_last(hooked.store, &key, &item));
        }
        assert_true(hooked.at_read == NULL && (item.key.major == 3 || (forward == 0 && item.key.type < SSN_ITEM_JOB)));
        assert_ok(ssn_store_close(hooked.store, true, false, 0));
        ssn_device_close(device);
        box_free(box);
    }
}

/* A device whose flush takes its time. */
static int slow_flush(void *user) {
    struct timespec pause = {0, 2000000};
    (void)nanosleep(&pause, NULL);
    return ssn_device_flush(user) == SELSNAP_OK ? 0 : -5;
}

static int pass_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    return ssn_device_readv(user, iov, iov_count, offset) == SELSNAP_OK ? 0 : -5;
}

static int pass_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    return ssn_device_writev(user, iov, iov_count, offset) == SELSNAP_OK ? 0 : -5;
}

struct committer {
    struct ssn_store *store;
    uint64_t thread;
    int rc;
};

static void *commit_some(void *user) {
    struct committer *committer = user;
    for (uint64_t i = 0; i < 20 && committer->rc == SELSNAP_OK; i++) {
        struct ssn_txn txn;
        struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, committer->thread, i);
        uint8_t value[8] = {1};
        ssn_txn_init(&txn, committer->store);
        ssn_txn_put(&txn, &key, value, 8);
        committer->rc = ssn_store_commit(committer->store, &txn, false);
        ssn_txn_fini(&txn);
    }
    return NULL;
}

static void test_threads__many_wait__share_a_flush(void **state) {
    (void)state;
    enum { WRITERS = 16 };
    struct box *box = box_new(STORE, 1 << 20, 0, 1);
    selsnap_device_ops ops = {
        .struct_size = sizeof ops, .readv = pass_readv, .writev = pass_writev, .flush = slow_flush};
    selsnap_device *slow;
    struct ssn_store *store;
    pthread_t threads[WRITERS];
    struct committer committers[WRITERS];
    assert_ok(ssn_device_open(&ops, &crashdev_device(box->dev)->info, crashdev_device(box->dev), &slow));
    struct ssn_store_params params = {.device = slow, .mem = &box->mem, .report = &box->report, .cache_bytes = 1 << 18};
    assert_ok(ssn_store_open(&params, &store));
    assert_ok(ssn_store_activate(store));
    (void)crashdev_take_counts(box->dev);
    for (unsigned i = 0; i < WRITERS; i++) {
        committers[i] = (struct committer){store, i, SELSNAP_OK};
        assert_int_equal(pthread_create(&threads[i], NULL, commit_some, &committers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_ok(committers[i].rc);
    }
    assert_true(crashdev_take_counts(box->dev).flushes < WRITERS * 20 / 4);
    assert_ok(ssn_store_close(store, true, false, 0));
    ssn_device_close(slow);
    box_free(box);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads__writers_and_readers__each_change_whole),
        cmocka_unit_test(test_threads__many_wait__share_a_flush),
        cmocka_unit_test(test_commit__another_flush_failed__is_not_acknowledged),
        cmocka_unit_test(test_seek__item_moves_meanwhile__is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
