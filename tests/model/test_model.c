/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random operations on the library and on a naive model of it, with closes and kills in between; all that is read is
 * compared.
 *
 *   test_model                                   the sequences of a build
 *   test_model --config C --seed N --steps M     one sequence; --trace tells each operation
 *   test_model --hours H                         new sequences for so long
 */
#include "driver.h"
#include "model.h"
#include "test.h"

static const struct config configs[] = {
    {"tiny", 5 * 4096 + 512, 1 << 20, 65536, 4096, 1, 3, false, 0, false, 0},
    {"small", 47 * 4096 + 1536, 4 << 20, 65536, 4096, 1, 6, false, 0, false, 0},
    {"sectors", 64 * 4096, 4 << 20, 65536, 4096, 512, 8, false, 0, false, 0},
    {"runs", 600 * 4096, 16 << 20, 131072, 4096, 4096, 4, false, 0, false, 0},
    {"blocks8k", 70 * 8192 + 4096, 8 << 20, 65536, 8192, 512, 6, false, 0, false, 0},
    {"blocks64k", 20 * 65536 + 512, 24 << 20, 65536, 65536, 512, 5, false, 0, false, 0},
    {"full", 64 * 4096, 1 << 20, 65536, 4096, 512, 8, true, 0, false, 0},
};

static uint64_t run_sequence(struct model *m) {
    for (m->sequence = 1; m->sequence <= m->steps; m->sequence++) {
        if (prng_percent(&m->prng, 3)) {
            model_kill(m);
        } else {
            model_operation(m);
        }
        model_check_some(m);
    }
    model_check_all(m);
    return 1;
}

static const struct driver driver = {"test_model", configs, sizeof configs / sizeof configs[0], false, run_sequence};

static void test_model__five_blocks__agrees(void **state) {
    driver_run(&driver, "tiny", 700, 100, state);
}

static void test_model__small_blocks__agrees(void **state) {
    driver_run(&driver, "small", 700, 60, state);
}

static void test_model__sectors__agrees(void **state) {
    driver_run(&driver, "sectors", 700, 60, state);
}

static void test_model__long_sequences__agree(void **state) {
    driver_run(&driver, "sectors", 20, 1500, state);
}

static void test_model__several_runs__agrees(void **state) {
    driver_run(&driver, "runs", 150, 60, state);
}

static void test_model__blocks_of_8k__agrees(void **state) {
    driver_run(&driver, "blocks8k", 300, 60, state);
}

static void test_model__blocks_of_64k__agrees(void **state) {
    driver_run(&driver, "blocks64k", 150, 60, state);
}

static void test_model__full_store__agrees(void **state) {
    driver_run(&driver, "full", 500, 80, state);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        return driver_main(&driver, argc, argv);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model__five_blocks__agrees),   cmocka_unit_test(test_model__small_blocks__agrees),
        cmocka_unit_test(test_model__sectors__agrees),       cmocka_unit_test(test_model__long_sequences__agree),
        cmocka_unit_test(test_model__several_runs__agrees),  cmocka_unit_test(test_model__blocks_of_8k__agrees),
        cmocka_unit_test(test_model__blocks_of_64k__agrees), cmocka_unit_test(test_model__full_store__agrees),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
