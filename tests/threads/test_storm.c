/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads do all there is to do on one context, and everything that is read is checked (world.h). Then all is
 * looked at once more, at rest, after an open, and when nothing is left to do.
 *
 *   test_storm                                                        the runs of a build
 *   test_storm --config C --seed N [--threads T] [--operations M]     one run; M operations a thread
 *   test_storm [--config C] --seconds S                               new seeds for so long
 */
#include "steadydev.h"
#include "test.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct world_config configs[] = {
    {"plain", 192 * 4096, 48 << 20, 256 << 10, 4096, 0, false, 10, 0, 0, false, 0},
    {"fails", 160 * 4096, 1280 << 10, 65536, 4096, 0, true, 8, 0, 0, false, 0},
    {"gives", 160 * 4096, 1280 << 10, 65536, 4096, 100, true, 8, 0, 0, false, 0},
    {"mixed", 160 * 4096, 1536 << 10, 65536, 4096, 50, true, 10, 0, 0, false, 0},
    {"slow", 96 * 4096, 24 << 20, 131072, 4096, 0, false, 8, 20, 100, false, 0},
    {"journal", 300 * 4096, 32 << 20, 65536, 4096, 0, false, 12, 0, 0, false, 0},
    {"restores", 40 * 4096, 24 << 20, 131072, 4096, 0, false, 8, 0, 0, true, 0},
    {"deferred", 192 * 4096, 48 << 20, 256 << 10, 4096, 0, false, 10, 0, 0, false, 80},
    {"defers-few", 160 * 4096, 1536 << 10, 65536, 4096, 50, true, 10, 0, 0, false, 20},
    {"defers-restores", 40 * 4096, 24 << 20, 131072, 4096, 0, false, 8, 0, 0, true, 40},
    {"defers-16k", 40 * 16384 + 1536, 2560 << 10, 65536, 16384, 50, true, 10, 0, 0, false, 12},
    {"blocks16k", 60 * 16384 + 1536, 48 << 20, 131072, 16384, 20, false, 8, 0, 0, false, 0},
};

enum { CONFIGS = sizeof configs / sizeof configs[0] };

static void open_devices(struct world *w) {
    struct steadydev_pace pace = {w->config->write_us, w->config->flush_us};
    struct steadydev_pace none = {0, 0};
    selsnap_device *origin = NULL;
    selsnap_device *store = NULL;
    assert_ok(selsnap_device_open_memory(w->config->origin_bytes, 512, &origin));
    assert_ok(selsnap_device_open_memory(w->config->store_bytes, 0, &store));
    w->origin = steadydev_open(origin, none);
    w->store = steadydev_open(store, pace);
}

/* How many operations were refused for lack of room. */
static uint64_t storm(const struct world_config *config, uint64_t seed, unsigned threads, uint64_t operations) {
    struct world w;
    world_init(&w, config, seed, "test_storm");
    size_t len = strlen(w.replay);
    snprintf(w.replay + len, sizeof w.replay - len, " --threads %u --operations %" PRIu64, threads, operations);
    open_devices(&w);
    world_format(&w);
    world_open(&w);
    world_run(&w, threads, operations, seed);
    world_verify(&w);
    WORLD_CHECK(&w, world_close(&w) == SELSNAP_OK);
    world_open(&w);
    world_verify(&w);
    world_settle(&w);
    world_verify(&w);
    WORLD_CHECK(&w, world_close(&w) == SELSNAP_OK);
    uint64_t refused = atomic_load(&w.refused);
    world_close_devices(&w);
    world_fini(&w);
    return refused;
}

static uint64_t run_config(const char *name, uint64_t first_seed, unsigned seeds, unsigned threads,
                           uint64_t operations) {
    uint64_t refused = 0;
    for (unsigned i = 0; i < CONFIGS; i++) {
        if (strcmp(configs[i].name, name) == 0) {
            for (uint64_t seed = first_seed; (seed - first_seed) * WORLD_LESS < seeds; seed++) {
                refused += storm(&configs[i], seed, threads, operations);
            }
            return refused;
        }
    }
    fprintf(stderr, "there is no config %s\n", name);
    exit(2);
}

static void run_for(const char *name, uint64_t seconds, uint64_t seed) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    time_t end = now.tv_sec + (time_t)seconds;
    uint64_t runs = 0;
    while (now.tv_sec < end) {
        const char *config = name != NULL ? name : configs[runs % CONFIGS].name;
        (void)run_config(config, seed + runs, 1, 2 + (unsigned)(seed + runs) % 8, 300 + runs % 7 * 150);
        runs++;
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    printf("%" PRIu64 " runs, from seed %" PRIu64 "\n", runs, seed);
}

static int run_arguments(int argc, char **argv) {
    const char *name = NULL;
    uint64_t seed = 1;
    uint64_t seconds = 0;
    uint64_t operations = 500;
    unsigned threads = 6;
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--config") == 0) {
            name = value;
        } else if (strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--threads") == 0) {
            threads = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--operations") == 0) {
            operations = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--seconds") == 0) {
            seconds = strtoull(value, NULL, 10);
        } else {
            fprintf(stderr, "unknown: %s\n", argv[i]);
            return 2;
        }
    }
    if (seconds > 0) {
        run_for(name, seconds, seed);
    } else {
        (void)run_config(name != NULL ? name : "plain", seed, 1, threads, operations);
    }
    return 0;
}

static void test_storm__all_at_once__everything_read_is_allowed(void **state) {
    (void)state;
    assert_int_equal(run_config("plain", 1, 8, 6, 500), 0);
}

static void test_storm__store_full_policy_fail__everything_read_is_allowed(void **state) {
    (void)state;
    assert_true(run_config("fails", 1, 8, 6, 500) > 0);
}

static void test_storm__store_full_policy_give_up__everything_read_is_allowed(void **state) {
    (void)state;
    assert_true(run_config("gives", 1, 8, 6, 500) > 0);
}

static void test_storm__store_full_both_policies__everything_read_is_allowed(void **state) {
    (void)state;
    assert_true(run_config("mixed", 1, 8, 6, 500) > 0);
}

static void test_storm__slow_store__everything_read_is_allowed(void **state) {
    (void)state;
    assert_int_equal(run_config("slow", 1, 4, 8, 250), 0);
}

static void test_storm__tiny_journal__everything_read_is_allowed(void **state) {
    (void)state;
    assert_int_equal(run_config("journal", 1, 6, 6, 500), 0);
}

static void test_storm__many_restores__everything_read_is_allowed(void **state) {
    (void)state;
    assert_int_equal(run_config("restores", 1, 10, 6, 500), 0);
}

static void test_storm__deferred__everything_read_is_allowed(void **state) {
    (void)state;
    assert_int_equal(run_config("deferred", 1, 8, 6, 500), 0);
}

static void test_storm__deferred_and_full__everything_read_is_allowed(void **state) {
    (void)state;
    assert_true(run_config("defers-few", 1, 8, 6, 500) > 0);
}

static void test_storm__deferred_blocks_of_16k_and_full__everything_read_is_allowed(void **state) {
    (void)state;
    assert_true(run_config("defers-16k", 1, 4, 6, 400) > 0);
}

static void test_storm__deferred_with_restores__everything_read_is_allowed(void **state) {
    (void)state;
    assert_int_equal(run_config("defers-restores", 1, 8, 6, 500), 0);
}

static void test_storm__blocks_of_16k__everything_read_is_allowed(void **state) {
    (void)state;
    assert_int_equal(run_config("blocks16k", 1, 4, 6, 400), 0);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        return run_arguments(argc, argv);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_storm__all_at_once__everything_read_is_allowed),
        cmocka_unit_test(test_storm__store_full_policy_fail__everything_read_is_allowed),
        cmocka_unit_test(test_storm__store_full_policy_give_up__everything_read_is_allowed),
        cmocka_unit_test(test_storm__store_full_both_policies__everything_read_is_allowed),
        cmocka_unit_test(test_storm__slow_store__everything_read_is_allowed),
        cmocka_unit_test(test_storm__tiny_journal__everything_read_is_allowed),
        cmocka_unit_test(test_storm__many_restores__everything_read_is_allowed),
        cmocka_unit_test(test_storm__deferred__everything_read_is_allowed),
        cmocka_unit_test(test_storm__deferred_and_full__everything_read_is_allowed),
        cmocka_unit_test(test_storm__deferred_blocks_of_16k_and_full__everything_read_is_allowed),
        cmocka_unit_test(test_storm__deferred_with_restores__everything_read_is_allowed),
        cmocka_unit_test(test_storm__blocks_of_16k__everything_read_is_allowed),
    };
    return cmocka_run_group_tests_name("storm", tests, NULL, NULL);
}
