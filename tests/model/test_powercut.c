/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random operations beside a naive model, on devices whose power is cut at random calls, also while a store is opened.
 * An image that the cut may leave is opened, compared with what the model says is possible, and gone on with.
 *
 *   test_powercut                                the sequences of a build
 *   test_powercut --config C --seed N --steps M  one sequence; --trace tells each operation
 *   test_powercut --hours H                      new sequences for so long
 */
#include "driver.h"
#include "model.h"
#include "test.h"

static const struct config configs[] = {
    {"tiny", 5 * 4096 + 512, 1 << 20, 65536, 4096, 512, 3, false, 0, false, 0},
    {"small", 29 * 4096 + 1536, 2 << 20, 65536, 4096, 1, 5, false, 0, false, 0},
    {"sectors", 40 * 4096, 2 << 20, 65536, 4096, 512, 6, false, 0, false, 0},
    {"runs", 300 * 4096, 8 << 20, 65536, 4096, 4096, 4, false, 0, false, 0},
    {"blocks8k", 30 * 8192 + 4096, 4 << 20, 65536, 8192, 512, 5, false, 0, false, 0},
    {"full", 48 * 4096, 1 << 20, 65536, 4096, 512, 6, true, 0, false, 0},
    {"atomic4k", 33 * 4096 + 512, 2 << 20, 65536, 4096, 512, 5, false, 4096, false, 0},
    {"through", 33 * 4096, 2 << 20, 65536, 4096, 512, 5, false, 0, true, 0},
};

/* Cuts the power after a number of calls that is mostly small, so that it often strikes within an operation. */
static void arm(struct model *m) {
    uint64_t limit = prng_percent(&m->prng, 50) ? 20 : 300;
    wire_cut_after(&m->wire, 1 + prng_below(&m->prng, limit));
}

static uint64_t run_sequence(struct model *m) {
    arm(m);
    for (m->sequence = 1; m->sequence <= m->steps; m->sequence++) {
        model_operation(m);
        if (!m->wire.off) {
            model_check_some(m);
        }
        if (m->wire.off) {
            model_recover(m);
            arm(m);
        }
    }
    m->wire.cut_at = 0;
    model_check_all(m);
    return m->images;
}

static const struct driver driver = {"test_powercut", configs, sizeof configs / sizeof configs[0], true, run_sequence};

static void test_powercut__five_blocks__promises_hold(void **state) {
    driver_run(&driver, "tiny", 700, 100, state);
}

static void test_powercut__small_blocks__promises_hold(void **state) {
    driver_run(&driver, "small", 500, 100, state);
}

static void test_powercut__sectors__promises_hold(void **state) {
    driver_run(&driver, "sectors", 500, 100, state);
}

static void test_powercut__long_sequences__promises_hold(void **state) {
    driver_run(&driver, "sectors", 10, 1500, state);
}

static void test_powercut__several_runs__promises_hold(void **state) {
    driver_run(&driver, "runs", 90, 100, state);
}

static void test_powercut__blocks_of_8k__promises_hold(void **state) {
    driver_run(&driver, "blocks8k", 250, 100, state);
}

static void test_powercut__full_store__promises_hold(void **state) {
    driver_run(&driver, "full", 350, 100, state);
}

static void test_powercut__atomic_units_of_4k__promises_hold(void **state) {
    driver_run(&driver, "atomic4k", 250, 100, state);
}

static void test_powercut__devices_without_a_cache__promises_hold(void **state) {
    driver_run(&driver, "through", 250, 100, state);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        return driver_main(&driver, argc, argv);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_powercut__five_blocks__promises_hold),
        cmocka_unit_test(test_powercut__small_blocks__promises_hold),
        cmocka_unit_test(test_powercut__sectors__promises_hold),
        cmocka_unit_test(test_powercut__long_sequences__promises_hold),
        cmocka_unit_test(test_powercut__several_runs__promises_hold),
        cmocka_unit_test(test_powercut__blocks_of_8k__promises_hold),
        cmocka_unit_test(test_powercut__full_store__promises_hold),
        cmocka_unit_test(test_powercut__atomic_units_of_4k__promises_hold),
        cmocka_unit_test(test_powercut__devices_without_a_cache__promises_hold),
    };
    return cmocka_run_group_tests_name("powercut", tests, NULL, NULL);
}
