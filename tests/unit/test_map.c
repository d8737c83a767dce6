/* SPDX-License-Identifier: Apache-2.0 */
/* The map of changes in memory, against a sorted array. */
#include "test.h"

#include "map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 3000 };

struct model {
    bool there[KEYS];
    bool tombstone[KEYS];
    uint16_t len[KEYS];
    uint8_t first[KEYS];
    uint64_t random;
};

static uint64_t draw(struct model *model, uint64_t below) {
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return (model->random >> 11) % below;
}

/* Rises with n, and uses all parts of a key. */
static struct ssn_key key_of(unsigned n) {
    return ssn_key_make((uint8_t)(n / 1000), UINT64_MAX - 100 + n % 1000 / 10, (uint64_t)(n % 10) << 60);
}

static void expect_node(const struct model *model, const struct ssn_map_node *node, int n) {
    if (n < 0 || n >= KEYS) {
        assert_null(node);
        return;
    }
    struct ssn_key key = key_of((unsigned)n);
    assert_non_null(node);
    assert_int_equal(ssn_key_compare(&node->key, &key), 0);
    assert_int_equal(node->tombstone, model->tombstone[n]);
    assert_int_equal(node->len, model->len[n]);
    for (unsigned i = 0; i < node->len; i++) {
        assert_int_equal(node->value[i], (uint8_t)(model->first[n] + i));
    }
}

static void compare_all(const struct model *model, const struct ssn_map *map) {
    uint64_t count = 0;
    uint64_t bytes = 0;
    int last = -1;
    for (int n = 0; n < KEYS; n++) {
        struct ssn_key key = key_of((unsigned)n);
        if (model->there[n]) {
            count++;
            bytes += 21u + model->len[n];
            last = n;
        }
        expect_node(model, ssn_map_find(map, &key), model->there[n] ? n : -1);
        expect_node(model, ssn_map_seek_last(map, &key), last);
    }
    int next = KEYS;
    for (int n = KEYS - 1; n >= 0; n--) {
        struct ssn_key key = key_of((unsigned)n);
        next = model->there[n] ? n : next;
        expect_node(model, ssn_map_seek(map, &key), next);
    }
    assert_true(ssn_map_count(map) == count && ssn_map_bytes(map) == bytes);
}

static void test_map__random_changes__equal_the_model(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        printf("# seed %u\n", (unsigned)seed);
        struct ssn_mem mem;
        ssn_mem_init(&mem, NULL, 0);
        struct model *model = calloc(1, sizeof *model);
        struct ssn_map *map = ssn_map_open(&mem);
        assert_true(model != NULL && map != NULL);
        model->random = seed;
        for (unsigned i = 0; i < 6000; i++) {
            unsigned n = (unsigned)draw(model, KEYS);
            struct ssn_key key = key_of(n);
            uint8_t value[SSN_VALUE_MAX];
            model->there[n] = true;
            model->tombstone[n] = draw(model, 4) == 0;
            model->len[n] = (uint16_t)(model->tombstone[n] ? 0 : draw(model, draw(model, 10) == 0 ? 1201 : 4));
            model->first[n] = (uint8_t)i;
            for (unsigned k = 0; k < model->len[n]; k++) {
                value[k] = (uint8_t)(i + k);
            }
            assert_ok(ssn_map_set(map, &key, model->tombstone[n] ? NULL : value, model->len[n], model->tombstone[n]));
            if (i % 1000 == 0) {
                compare_all(model, map);
            }
        }
        compare_all(model, map);
        assert_true(ssn_map_memory(map) == ssn_mem_current(&mem));
        ssn_map_close(map);
        assert_true(ssn_mem_current(&mem) == 0);
        free(model);
    }
}

static void test_map__empty__finds_nothing(void **state) {
    (void)state;
    struct ssn_mem mem;
    ssn_mem_init(&mem, NULL, 0);
    struct ssn_map *map = ssn_map_open(&mem);
    struct ssn_key key = ssn_key_make(1, 2, 3);
    assert_null(ssn_map_find(map, &key));
    assert_null(ssn_map_seek(map, &key));
    assert_null(ssn_map_seek_last(map, &key));
    assert_true(ssn_map_count(map) == 0 && ssn_map_bytes(map) == 0);
    ssn_map_close(map);
    ssn_map_close(NULL);
}

static void test_map__no_memory__nothing_changes(void **state) {
    (void)state;
    struct ssn_mem mem;
    ssn_mem_init(&mem, NULL, 1);
    assert_null(ssn_map_open(&mem));
    mem.limit = 0;
    struct ssn_map *map = ssn_map_open(&mem);
    struct ssn_key key = ssn_key_make(1, 2, 3);
    const uint8_t value[100] = {42};
    assert_ok(ssn_map_set(map, &key, value, 10, false));
    mem.limit = ssn_mem_current(&mem) + 20;
    assert_int_equal(ssn_map_set(map, &key, value, 100, false), SELSNAP_ENOMEM);
    struct ssn_key other = ssn_key_make(1, 2, 4);
    assert_int_equal(ssn_map_set(map, &other, value, 100, false), SELSNAP_ENOMEM);
    assert_true(ssn_map_count(map) == 1 && ssn_map_find(map, &key)->len == 10);
    assert_null(ssn_map_find(map, &other));
    ssn_map_close(map);
    assert_true(ssn_mem_current(&mem) == 0);
}

static void test_map__node__stays_while_others_change(void **state) {
    (void)state;
    struct ssn_mem mem;
    ssn_mem_init(&mem, NULL, 0);
    struct ssn_map *map = ssn_map_open(&mem);
    const uint8_t value[3] = {1, 2, 3};
    struct ssn_key key = ssn_key_make(1, 500, 0);
    assert_ok(ssn_map_set(map, &key, value, 3, false));
    const struct ssn_map_node *node = ssn_map_find(map, &key);
    for (uint64_t i = 0; i < 1000; i++) {
        struct ssn_key other = ssn_key_make(1, i, 1);
        assert_ok(ssn_map_set(map, &other, value, 3, false));
    }
    assert_ptr_equal(node, ssn_map_find(map, &key));
    assert_memory_equal(node->value, value, 3);
    ssn_map_close(map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map__random_changes__equal_the_model),
        cmocka_unit_test(test_map__empty__finds_nothing),
        cmocka_unit_test(test_map__no_memory__nothing_changes),
        cmocka_unit_test(test_map__node__stays_while_others_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
