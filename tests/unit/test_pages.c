/* SPDX-License-Identifier: Apache-2.0 */
/* The page cache: hits, misses, eviction, waiting, and many threads at once. */
#include "tree_rig.h"

#include "blockdev.h"
#include "pages.h"

#include <pthread.h>
#include <time.h>

enum { SMALL_CACHE = 0, SLOTS = 64, BIG_CACHE = 64 << 20, THREADS = 8 };

static void fill(struct rig *rig, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        rig_change(rig, ssn_key_make(8, i * 2, 7), 24, 1);
    }
    assert_ok(rig_build(rig));
}

static void test_pages__all_fit__each_read_once(void **state) {
    (void)state;
    struct rig *rig = rig_open(1000, SMALL_CACHE, 1);
    fill(rig, 20000);
    rig_open_pages(rig, BIG_CACHE);
    assert_true(ssn_pages_reads(rig->pages) == 0);
    rig_check_all(rig);
    assert_true(ssn_pages_reads(rig->pages) == rig->tree_pages);
    rig_check_all(rig);
    assert_true(ssn_pages_reads(rig->pages) == rig->tree_pages);
    rig_close(rig);
}

static void test_pages__few_slots__inner_pages_stay(void **state) {
    (void)state;
    struct rig *rig = rig_open(2000, SMALL_CACHE, 1);
    fill(rig, 60000);
    assert_true(rig->tree_pages > 8 * SLOTS);
    rig_open_pages(rig, SMALL_CACHE);
    struct ssn_item item;
    enum { LOOKUPS = 20000 };
    for (unsigned i = 0; i < LOOKUPS; i++) {
        struct ssn_key key = ssn_key_make(8, rig_random(rig, 60000) * 2, 7);
        assert_ok(ssn_tree_get(rig->pages, &rig->root, &key, &item));
    }
    printf("# %.2f pages read a lookup in a tree of height %u\n", (double)ssn_pages_reads(rig->pages) / LOOKUPS,
           rig->root.level + 1);
    assert_true(ssn_pages_reads(rig->pages) < LOOKUPS * 12 / 10);
    rig_close(rig);
}

static void test_pages__just_written__not_read_again(void **state) {
    (void)state;
    struct rig *rig = rig_open(1000, BIG_CACHE, 1);
    fill(rig, 20000);
    uint64_t reads = ssn_pages_reads(rig->pages); /* the walks' */
    rig_check_all(rig);
    assert_true(ssn_pages_reads(rig->pages) == reads);
    rig_close(rig);
}

/* ---- a device that takes its time ---- */

struct slow {
    selsnap_device *parent;
    _Atomic uint64_t reads;
    _Atomic bool fail;
};

static void wait_a_little(void) {
    struct timespec time = {0, 20 * 1000 * 1000};
    nanosleep(&time, NULL);
}

static int slow_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct slow *slow = user;
    atomic_fetch_add(&slow->reads, 1);
    wait_a_little();
    return atomic_load(&slow->fail) ? -5 : ssn_device_readv(slow->parent, iov, iov_count, offset);
}

static selsnap_device *open_slow(struct slow *slow, selsnap_device *parent) {
    slow->parent = parent;
    selsnap_device_ops ops = {.struct_size = sizeof ops};
    ops.readv = slow_readv;
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    info.flags = SELSNAP_DEVICE_READ_ONLY;
    info.size_bytes = ssn_device_size(parent);
    selsnap_device *device;
    assert_ok(ssn_device_open(&ops, &info, slow, &device));
    return device;
}

struct reader {
    pthread_t thread;
    struct rig *rig;
    struct ssn_root root;
    uint64_t seed;
    unsigned lookups;
    uint64_t key_count; /* keys are even numbers below twice this */
    int rc;
    uint64_t wrong;
};

/* No assertions here: only the main thread may fail a test. */
static void *read_along(void *user) {
    struct reader *reader = user;
    uint64_t x = reader->seed;
    for (unsigned i = 0; i < reader->lookups; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint64_t n = (x >> 33) % reader->key_count;
        struct ssn_item item;
        struct ssn_key key = ssn_key_make(8, n * 2, 7);
        struct rig_entry entry = {key, 24, 1};
        uint8_t value[SSN_VALUE_MAX];
        rig_value(&entry, value);
        int rc;
        if (i % 3 == 0) {
            rc = ssn_tree_get(reader->rig->pages, &reader->root, &key, &item);
        } else if (i % 3 == 1) {
            key.major--;
            key.minor = n == 0 ? 0 : 8;
            key.major = n == 0 ? 0 : key.major;
            rc = ssn_tree_seek(reader->rig->pages, &reader->root, &key, &item);
        } else {
            key.major++;
            rc = ssn_tree_seek_last(reader->rig->pages, &reader->root, &key, &item);
        }
        if (rc != SELSNAP_OK) {
            reader->rc = rc;
        } else if (item.key.major != n * 2 || item.len != 24 || memcmp(item.value, value, 24) != 0) {
            reader->wrong++;
        }
    }
    return NULL;
}

static void start(struct reader *readers, struct rig *rig, unsigned lookups, uint64_t key_count) {
    for (unsigned i = 0; i < THREADS; i++) {
        struct reader reader = {.rig = rig, .root = rig->root, .seed = i, .lookups = lookups, .key_count = key_count};
        readers[i] = reader;
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_along, &readers[i]), 0);
    }
}

static void finish(struct reader *readers, int rc) {
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].rc, rc);
        assert_true(readers[i].wrong == 0);
    }
}

static void test_pages__many_want_one_page__one_read(void **state) {
    (void)state;
    struct rig *rig = rig_open(100, SMALL_CACHE, 1);
    fill(rig, 50);
    assert_true(rig->root.level == 0);
    struct slow slow = {0};
    selsnap_device *whole = rig->device;
    rig->device = open_slow(&slow, whole);
    rig_open_pages(rig, SMALL_CACHE);
    struct reader readers[THREADS];
    start(readers, rig, 1, 50);
    finish(readers, SELSNAP_OK);
    assert_true(slow.reads == 1);

    /* All who wait for a read that fails are told; the next one reads again. */
    rig_open_pages(rig, SMALL_CACHE);
    slow.fail = true;
    start(readers, rig, 1, 50);
    finish(readers, SELSNAP_ESTORE);
    slow.fail = false;
    start(readers, rig, 1, 50);
    finish(readers, SELSNAP_OK);

    ssn_device_close(rig->device);
    rig->device = whole;
    rig_open_pages(rig, SMALL_CACHE);
    rig_close(rig);
}

static void test_pages__all_pinned__waits_for_an_unpin(void **state) {
    (void)state;
    struct rig *rig = rig_open(1000, SMALL_CACHE, 1);
    fill(rig, 20000);
    rig_open_pages(rig, SMALL_CACHE);
    struct ssn_span span = ssn_span_of_root(&rig->root);
    struct ssn_pin root_pin;
    struct ssn_pin pins[SLOTS - 1];
    assert_ok(ssn_pages_pin(rig->pages, &span, &root_pin));
    struct ssn_span inner = ssn_span_child(&span, root_pin.page, 0);
    struct ssn_pin inner_pin;
    assert_ok(ssn_pages_pin(rig->pages, &inner, &inner_pin));
    assert_true(inner.root.level == 1 && ssn_page_count(inner_pin.page) > SLOTS);
    for (unsigned i = 0; i < SLOTS - 2; i++) {
        struct ssn_span leaf = ssn_span_child(&inner, inner_pin.page, i);
        assert_ok(ssn_pages_pin(rig->pages, &leaf, &pins[i]));
    }
    uint64_t reads = ssn_pages_reads(rig->pages);
    struct reader readers[THREADS];
    start(readers, rig, 3000, 20000);
    wait_a_little();
    assert_true(ssn_pages_reads(rig->pages) == reads); /* nobody got a slot */
    for (unsigned i = 0; i < 2; i++) {
        ssn_pages_unpin(rig->pages, &pins[i]);
    }
    finish(readers, SELSNAP_OK);
    for (unsigned i = 2; i < SLOTS - 2; i++) {
        ssn_pages_unpin(rig->pages, &pins[i]);
    }
    ssn_pages_unpin(rig->pages, &inner_pin);
    ssn_pages_unpin(rig->pages, &root_pin);
    rig_close(rig);
}

static void test_pages__lookups_beside_builds__see_their_own_tree(void **state) {
    (void)state;
    struct rig *rig = rig_open(6000, SMALL_CACHE, 1);
    fill(rig, 20000);
    struct ssn_root root = rig->root;
    struct reader readers[THREADS];
    start(readers, rig, 4000, 20000);
    struct ssn_build_source source = {rig_next, rig_take, rig_give, rig, NULL, 0};
    /* No page given is taken again: readers still use the first tree. */
    for (unsigned round = 0; round < 8; round++) {
        for (unsigned i = 0; i < 20000; i += 100) {
            rig_change(rig, ssn_key_make(8, (i + round) * 2, 7), 30, 2 + round);
        }
        rig->change_next = 0;
        assert_ok(ssn_tree_build(rig->pages, &root, 10 + round, &source, &rig->last));
        root = rig->last.root;
        rig_apply(rig);
        rig->change_count = 0;
    }
    finish(readers, SELSNAP_OK);
    rig->root = root;
    rig_check_all(rig);
    rig_close(rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages__all_fit__each_read_once),
        cmocka_unit_test(test_pages__few_slots__inner_pages_stay),
        cmocka_unit_test(test_pages__just_written__not_read_again),
        cmocka_unit_test(test_pages__many_want_one_page__one_read),
        cmocka_unit_test(test_pages__all_pinned__waits_for_an_unpin),
        cmocka_unit_test(test_pages__lookups_beside_builds__see_their_own_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
