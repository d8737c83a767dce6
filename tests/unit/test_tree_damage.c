/* SPDX-License-Identifier: Apache-2.0 */
/* Trees on devices that lie or fail: damage is told, never returned as data, and confined to what the page held. */
#include "tree_rig.h"

#include "blockdev.h"

enum { SMALL_CACHE = 0, ITEMS = 2500 };

/* A tree of three levels whose pages lie at places used before, and the device as it was before. */
static struct rig *make(uint8_t **ret_older) {
    struct rig *rig = rig_open(900, SMALL_CACHE, 3);
    for (uint32_t round = 1; round <= 6; round++) {
        if (round == 6) {
            *ret_older = malloc((size_t)rig->page_count * SSN_PAGE_SIZE);
            assert_non_null(*ret_older);
            assert_ok(ssn_device_read(rig->device, *ret_older, (size_t)rig->page_count * SSN_PAGE_SIZE, 0));
        }
        for (uint64_t i = 0; i < ITEMS; i++) {
            if (round == 1 || i % 7 == round) {
                rig_change(rig, ssn_key_make(8, i * 10, 5), (uint16_t)(rig_random(rig, 20) == 0 ? 1200 : 200), round);
            }
        }
        assert_ok(rig_build(rig));
    }
    assert_true(rig->root.level == 2);
    return rig;
}

static void write_page(struct rig *rig, uint64_t place, const uint8_t *page) {
    assert_ok(ssn_device_write(rig->device, page, SSN_PAGE_SIZE, place * SSN_PAGE_SIZE));
}

/* A lookup gives what the model has, or damage. Gives whether it was damage. */
static bool right_or_damaged(struct rig *rig, int rc, const struct ssn_item *item, size_t at, bool is_there) {
    if (rc != SELSNAP_EDAMAGED) {
        rig_expect(rig, rc, item, at, is_there);
    }
    return rc == SELSNAP_EDAMAGED;
}

/* Looks up keys in and between; counts those told damaged. */
static size_t look_at_all(struct rig *rig) {
    size_t damaged = 0;
    struct ssn_item item;
    for (size_t i = 0; i < rig->entry_count; i += 3) {
        struct ssn_key key = rig->entries[i].key;
        damaged += right_or_damaged(rig, ssn_tree_get(rig->pages, &rig->root, &key, &item), &item, i, true);
        key.minor++;
        bool is_there = i + 1 < rig->entry_count;
        damaged += right_or_damaged(rig, ssn_tree_seek(rig->pages, &rig->root, &key, &item), &item, i + 1, is_there);
        damaged += right_or_damaged(rig, ssn_tree_seek_last(rig->pages, &rig->root, &key, &item), &item, i, true);
    }
    return damaged;
}

/* Every fourth key is given another value, every fourth is deleted, two of four are left alone. */
static void change_half(struct rig *rig) {
    for (size_t i = 0; i < rig->entry_count; i += 2) {
        rig_change(rig, rig->entries[i].key, i % 4 == 0 ? 0 : 64, i % 4 == 0 ? 0 : 50);
    }
    rig->change_next = 0;
}

/* What was changed reads so, also where the page was; of the rest there, nothing is known. */
static void look_at_half(struct rig *rig, const struct ssn_root *root) {
    size_t damaged = 0;
    struct ssn_item item;
    for (size_t i = 0; i < rig->entry_count; i++) {
        struct rig_entry expected = rig->entries[i];
        struct ssn_key key = expected.key;
        int rc = ssn_tree_get(rig->pages, root, &key, &item);
        if (i % 2 == 1) {
            damaged += right_or_damaged(rig, rc, &item, i, true);
            continue;
        }
        assert_int_equal(rc, i % 4 == 0 ? SELSNAP_ENOENT : SELSNAP_OK);
        if (i % 4 == 2) {
            uint8_t value[SSN_VALUE_MAX];
            expected.len = 64;
            expected.version = 50;
            rig_value(&expected, value);
            assert_true(item.len == 64 && memcmp(item.value, value, 64) == 0);
            assert_ok(ssn_tree_seek(rig->pages, root, &key, &item));
            assert_ok(ssn_tree_seek_last(rig->pages, root, &key, &item));
        }
    }
    assert_true(damaged > 0);
}

/* [F-16] A build goes on beside the page, which is only the root if nothing can be. */
static void expect_set_aside(struct rig *rig, uint64_t place) {
    struct ssn_build_source source = {rig_next, rig_take, rig_give, rig, NULL, 0};
    struct ssn_build_result result = {{1, 2, 3}, 4, 5, 6, 7};
    uint8_t *use = malloc((size_t)rig->page_count);
    assert_non_null(use);
    memcpy(use, rig->use, (size_t)rig->page_count);
    change_half(rig);
    int rc = ssn_tree_build(rig->pages, &rig->root, 100, &source, &result);
    if (place == rig->root.place) {
        assert_int_equal(rc, SELSNAP_EDAMAGED);
        assert_true(result.root.place == 1 && result.pages_written == 6 && result.holes == 7);
    } else {
        assert_ok(rc);
        assert_int_equal(result.holes, 1);
        assert_int_equal(rig->use[place], RIG_USED); /* not given: it stays out of use */
        look_at_half(rig, &result.root);
        rig_walk(rig, &result.root);
        assert_int_equal(rig->walked_bad, 0);
    }
    memcpy(rig->use, use, (size_t)rig->page_count);
    free(use);
    rig->change_count = 0;
}

/* All that is done with a tree, while the page at `place` is not what it was. */
static void expect_damage(struct rig *rig, uint64_t place) {
    rig->events = 0;
    rig_open_pages(rig, 8 << 20);
    assert_true(look_at_all(rig) > 0);
    assert_true(rig->events > 0 && rig->event_offset == place * SSN_PAGE_SIZE);
    char text[SSN_REPORT_TEXT];
    char expected[64];
    assert_int_equal(ssn_report_last(&rig->report, text, sizeof text), SELSNAP_EDAMAGED);
    snprintf(expected, sizeof expected, "place %u,", (unsigned)place);
    assert_non_null(strstr(text, expected));
    rig_walk(rig, &rig->root);
    assert_int_equal(rig->walked_bad, 1);

    expect_set_aside(rig, place);
}

static void test_damage__zeroed_or_older_or_another_page__told(void **state) {
    (void)state;
    uint8_t *older = NULL;
    struct rig *rig = make(&older);
    uint8_t page[SSN_PAGE_SIZE];
    uint8_t other[SSN_PAGE_SIZE];
    uint8_t *live = malloc((size_t)rig->page_count);
    assert_non_null(live);
    memcpy(live, rig->seen, (size_t)rig->page_count);
    unsigned reused = 0;
    uint64_t before = rig->root.place;
    for (uint64_t place = 0; place < rig->page_count; place++) {
        if (!live[place] || (place % 4 != 0 && place != rig->root.place)) {
            continue;
        }
        assert_ok(ssn_device_read(rig->device, page, sizeof page, place * SSN_PAGE_SIZE));
        memset(other, 0, sizeof other);
        write_page(rig, place, other);
        expect_damage(rig, place);
        const uint8_t *old = older + (size_t)place * SSN_PAGE_SIZE;
        if (memcmp(old, page, SSN_PAGE_SIZE) != 0 && !ssn_is_zero(old, SSN_PAGE_SIZE)) {
            write_page(rig, place, old);
            expect_damage(rig, place);
            reused++;
        }
        if (before != place) {
            assert_ok(ssn_device_read(rig->device, other, sizeof other, before * SSN_PAGE_SIZE));
            write_page(rig, place, other);
            expect_damage(rig, place);
        }
        memcpy(other, page, sizeof other);
        other[rig_random(rig, SSN_PAGE_SIZE)] ^= (uint8_t)(1u << rig_random(rig, 8));
        write_page(rig, place, other);
        expect_damage(rig, place);
        write_page(rig, place, page);
        before = place;
    }
    assert_true(reused > 3);
    rig_open_pages(rig, SMALL_CACHE);
    rig_check_all(rig);
    free(live);
    free(older);
    rig_close(rig);
}

/* ---- bytes made to attack: checksums fit ---- */

static struct ssn_root lay(struct rig *rig, uint64_t place, uint32_t level, const uint8_t *items, size_t len,
                           unsigned count) {
    uint8_t page[SSN_PAGE_SIZE];
    struct ssn_page_head head = {place, 1, level, rig->store_id};
    struct ssn_root root = {place, ssn_page_build(page, &head, items, len, count), level};
    write_page(rig, place, page);
    return root;
}

static struct ssn_root lay_leaf(struct rig *rig, uint64_t place, uint64_t first, uint64_t last) {
    uint8_t items[2 * SSN_LEAF_ITEM_MIN];
    struct ssn_key key = ssn_key_make(1, first, 0);
    size_t len = ssn_page_encode_leaf_item(items, &key, NULL, 0);
    key.major = last;
    len += ssn_page_encode_leaf_item(items + len, &key, NULL, 0);
    return lay(rig, place, 0, items, len, 2);
}

static struct ssn_root lay_inner(struct rig *rig, uint64_t place, uint32_t level, uint64_t key_a,
                                 const struct ssn_root *a, uint64_t key_b, const struct ssn_root *b) {
    uint8_t items[2 * SSN_INNER_ITEM];
    struct ssn_key key = ssn_key_make(1, key_a, 0);
    size_t len = ssn_page_encode_inner_item(items, &key, a->place, a->checksum);
    key.major = key_b;
    len += ssn_page_encode_inner_item(items + len, &key, b->place, b->checksum);
    return lay(rig, place, level, items, len, 2);
}

/* What looking up 30, the walk, and a build make of it. */
static void expect_refused(struct rig *rig, const struct ssn_root *root, uint64_t bad, bool root_is_bad) {
    struct ssn_item item;
    struct ssn_key key = ssn_key_make(1, 30, 0);
    assert_int_equal(ssn_tree_get(rig->pages, root, &key, &item), SELSNAP_EDAMAGED);
    assert_int_equal(ssn_tree_seek(rig->pages, root, &key, &item), SELSNAP_EDAMAGED);
    assert_int_equal(ssn_tree_seek_last(rig->pages, root, &key, &item), SELSNAP_EDAMAGED);
    rig_walk(rig, root);
    assert_true(rig->walked_bad == bad);
    memset(rig->use, RIG_USED, 50); /* where these trees lie */
    struct ssn_build_source source = {rig_next, rig_take, rig_give, rig, NULL, 0};
    struct ssn_build_result result;
    rig_change(rig, key, 10, 1);
    rig->change_next = 0;
    int rc = ssn_tree_build(rig->pages, root, 1, &source, &result);
    if (root_is_bad) {
        assert_int_equal(rc, SELSNAP_EDAMAGED);
    } else {
        assert_ok(rc);
        assert_int_equal(result.holes, 1);
        assert_ok(ssn_tree_get(rig->pages, &result.root, &key, &item));
        key.major++;
        assert_int_equal(ssn_tree_get(rig->pages, &result.root, &key, &item), SELSNAP_EDAMAGED);
    }
    rig->change_count = 0;
}

static void test_hostile__page_in_two_ranges__refused(void **state) {
    (void)state;
    struct rig *rig = rig_open(200, SMALL_CACHE, 1);
    struct ssn_root leaf = lay_leaf(rig, 40, 10, 20);
    struct ssn_root root = lay_inner(rig, 41, 1, 1, &leaf, 30, &leaf);
    expect_refused(rig, &root, 1, false);
    rig_close(rig);
}

static void test_hostile__keys_beyond_the_range__refused(void **state) {
    (void)state;
    struct rig *rig = rig_open(200, SMALL_CACHE, 1);
    struct ssn_root wide = lay_leaf(rig, 40, 10, 50);
    struct ssn_root leaf = lay_leaf(rig, 41, 45, 60);
    struct ssn_root root = lay_inner(rig, 42, 1, 1, &wide, 45, &leaf);
    expect_refused(rig, &root, 1, false);
    rig_close(rig);
}

static void test_hostile__child_of_another_level__refused(void **state) {
    (void)state;
    struct rig *rig = rig_open(200, SMALL_CACHE, 1);
    struct ssn_root leaf = lay_leaf(rig, 40, 10, 20);
    struct ssn_root leaf2 = lay_leaf(rig, 41, 30, 40);
    struct ssn_root root = lay_inner(rig, 42, 2, 1, &leaf, 30, &leaf2);
    expect_refused(rig, &root, 2, false);
    rig_close(rig);
}

static void test_hostile__root_outside__refused(void **state) {
    (void)state;
    struct rig *rig = rig_open(200, SMALL_CACHE, 1);
    static const struct ssn_root roots[] = {
        {1, 5, 0}, {39, 5, 0}, {200, 5, 0}, {UINT64_MAX, 5, 0}, {50, 5, 16}, {50, 5, UINT32_MAX}, {50, 5, 3},
    };
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        expect_refused(rig, &roots[i], 1, true);
    }
    rig_close(rig);
}

/* A chain of pages with one child each comes out as its leaf alone, once a build has opened it. */
static void test_hostile__one_child_all_the_way_down__is_flattened(void **state) {
    (void)state;
    struct rig *rig = rig_open(200, SMALL_CACHE, 1);
    struct ssn_root root = lay_leaf(rig, 40, 10, 20);
    uint8_t item[SSN_INNER_ITEM];
    struct ssn_key key = ssn_key_make(1, 10, 0);
    for (uint32_t level = 1; level <= SSN_LEVEL_MAX; level++) {
        ssn_page_encode_inner_item(item, &key, root.place, root.checksum);
        root = lay(rig, 40 + level, level, item, sizeof item, 1);
    }
    memset(rig->use + 40, RIG_USED, SSN_LEVEL_MAX + 1);
    struct ssn_build_source source = {rig_next, rig_take, rig_give, rig, NULL, 0};
    struct ssn_build_result result;
    rig_change(rig, ssn_key_make(1, 5, 0), 10, 1);
    assert_ok(ssn_tree_build(rig->pages, &root, 1, &source, &result));
    assert_true(result.root.level == 0 && result.page_delta == -SSN_LEVEL_MAX && result.leaf_delta == 0);
    rig_walk(rig, &result.root);
    assert_true(rig->walked_items == 3 && rig->walked_bad == 0);
    rig_close(rig);
}

/* ---- a device that fails ---- */

struct faulty {
    selsnap_device *parent;
    uint64_t reads_left, writes_left;
};

static int faulty_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct faulty *faulty = user;
    if (faulty->reads_left == 0) {
        return -5;
    }
    faulty->reads_left--;
    return ssn_device_readv(faulty->parent, iov, iov_count, offset);
}

static int faulty_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct faulty *faulty = user;
    if (faulty->writes_left == 0) {
        return -28;
    }
    faulty->writes_left--;
    return ssn_device_writev(faulty->parent, iov, iov_count, offset);
}

static int faulty_flush(void *user) {
    (void)user;
    return 0;
}

static void test_device__fails_at_any_call__told_and_nothing_lost(void **state) {
    (void)state;
    uint8_t *older = NULL;
    struct rig *rig = make(&older);
    struct faulty faulty = {rig->device, 0, UINT64_MAX};
    selsnap_device_ops ops = {.struct_size = sizeof ops};
    ops.readv = faulty_readv;
    ops.writev = faulty_writev;
    ops.flush = faulty_flush;
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    info.size_bytes = ssn_device_size(rig->device);
    selsnap_device *device;
    assert_ok(ssn_device_open(&ops, &info, &faulty, &device));
    selsnap_device *whole = rig->device;
    rig->device = device;

    uint8_t *use = malloc((size_t)rig->page_count);
    assert_non_null(use);
    memcpy(use, rig->use, (size_t)rig->page_count);
    int rc = SELSNAP_ESTORE;
    for (uint64_t n = 0; rc != SELSNAP_OK; n += n < 6 ? 1 : test_share()) {
        faulty.reads_left = n / 2;
        faulty.writes_left = n % 2 == 0 ? UINT64_MAX : n / 40;
        rig_open_pages(rig, SMALL_CACHE);
        struct ssn_item item;
        struct ssn_key key = rig->entries[1000].key;
        if (n < 6) {
            rc = ssn_tree_get(rig->pages, &rig->root, &key, &item);
            assert_int_equal(rc, SELSNAP_ESTORE);
        }
        rig_change(rig, key, 100, 50);
        rig_change(rig, rig->entries[2000].key, 0, 0);
        struct ssn_build_source source = {rig_next, rig_take, rig_give, rig, NULL, 0};
        rig->change_next = 0;
        rc = ssn_tree_build(rig->pages, &rig->root, 100, &source, &rig->last);
        assert_true(rc == SELSNAP_OK || rc == SELSNAP_ESTORE);
        rig->change_count = 0;
        memcpy(rig->use, use, (size_t)rig->page_count);
    }
    faulty.reads_left = UINT64_MAX;
    rig_check_all(rig);
    free(use);
    free(older);
    rig->device = whole;
    rig_open_pages(rig, SMALL_CACHE);
    ssn_device_close(device);
    rig_close(rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage__zeroed_or_older_or_another_page__told),
        cmocka_unit_test(test_hostile__page_in_two_ranges__refused),
        cmocka_unit_test(test_hostile__keys_beyond_the_range__refused),
        cmocka_unit_test(test_hostile__child_of_another_level__refused),
        cmocka_unit_test(test_hostile__root_outside__refused),
        cmocka_unit_test(test_hostile__one_child_all_the_way_down__is_flattened),
        cmocka_unit_test(test_device__fails_at_any_call__told_and_nothing_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
