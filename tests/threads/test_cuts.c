/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts under many threads: origin and store hang on one wire, which is cut at a random call. Every thread comes
 * back; then the devices go on with what the cut may have left: each unflushed write kept or lost by itself. All that
 * was flushed or acknowledged must be there, every snapshot whole, as it was read before or as one cut through the
 * histories. Then the threads go on, until the next cut.
 *
 *   test_cuts                                              the cuts of a build
 *   test_cuts --config C --seed N [--cuts M]               one chain of M cuts
 *   test_cuts [--config C] --seconds S [--seed N]          new chains for so long
 */
#include "chain.h"
#include "test.h"
#include "testdev.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct world_config configs[] = {
    {"plain", 64 * 4096, 8 << 20, 65536, 4096, 0, false, 6, 0, 0, false, 0},
    {"restores", 32 * 4096, 8 << 20, 65536, 4096, 0, false, 6, 0, 0, true, 0},
    {"full", 48 * 4096, 1 << 20, 65536, 4096, 50, true, 5, 0, 0, false, 0},
    {"blocks8k", 24 * 8192 + 1536, 8 << 20, 65536, 8192, 0, false, 4, 0, 0, false, 0},
};

enum { CONFIGS = sizeof configs / sizeof configs[0], THREADS = 4 };

/* The devices, on a new wire, with the images as content. */
static void open_devices(struct world *w, struct wire *wire, const uint8_t *origin, const uint8_t *store,
                         struct testdev **ret_devices) {
    wire_init(wire, true);
    ret_devices[0] = testdev_open(wire, 'o', w->config->origin_bytes, 512, origin);
    ret_devices[1] = testdev_open(wire, 's', w->config->store_bytes, 4096, store);
    w->origin = ret_devices[0]->device;
    w->store = ret_devices[1]->device;
}

/* The threads work until the cut; then what it left is opened and looked at. */
static void cut_once(struct world *w, struct wire *wire, struct testdev **devices, struct prng *prng) {
    w->breaks = true;
    atomic_store(&w->live->flushed, 0);
    wire_cut_after(wire, 1 + prng_below(prng, prng_percent(prng, 50) ? 120 : 900));
    world_run(w, THREADS, 120, prng_next(prng));
    bool off = wire->off;
    if (!off) {
        wire_cut_after(wire, 1); /* all is done, and not all of it flushed */
    }
    int code = world_close(w);
    WORLD_CHECK(w, code == SELSNAP_EIO || code == SELSNAP_ESTORE || code == SELSNAP_OK);
    unsigned kept = (unsigned)prng_below(prng, 3) * 50;
    uint8_t *origin = testdev_image(devices[0], prng, kept);
    uint8_t *store = testdev_image(devices[1], prng, kept == 50 ? (unsigned)prng_below(prng, 101) : kept);
    world_close_devices(w);
    wire_fini(wire);
    open_devices(w, wire, origin, store, devices);
    free(origin);
    free(store);
    w->breaks = false;
    world_open(w);
    world_verify_crash(w);
}

static uint64_t run_chain(const struct world_config *config, uint64_t seed, uint64_t cuts) {
    struct world w;
    struct wire wire;
    struct testdev *devices[2];
    struct prng prng = prng_init(seed);
    world_init(&w, config, seed, "test_cuts");
    size_t len = strlen(w.replay);
    snprintf(w.replay + len, sizeof w.replay - len, " --cuts %" PRIu64, cuts);
    w.discarded = CONTENT_DISCARDED;
    open_devices(&w, &wire, NULL, NULL, devices);
    world_format(&w);
    world_open(&w);
    for (uint64_t i = 0; i < cuts; i++) {
        cut_once(&w, &wire, devices, &prng);
    }
    WORLD_CHECK(&w, world_close(&w) == SELSNAP_OK);
    world_close_devices(&w);
    world_fini(&w);
    wire_fini(&wire);
    return cuts;
}

static const struct chain chain = {"test_cuts", "cuts", configs, CONFIGS, 20, run_chain};

static void test_cuts__all_at_once__what_was_promised_is_there(void **state) {
    (void)state;
    chain_run(&chain, "plain", 1, 12, 15);
}

static void test_cuts__many_restores__what_was_promised_is_there(void **state) {
    (void)state;
    chain_run(&chain, "restores", 1, 12, 15);
}

static void test_cuts__full_store__what_was_promised_is_there(void **state) {
    (void)state;
    chain_run(&chain, "full", 1, 10, 15);
}

static void test_cuts__blocks_of_8k__what_was_promised_is_there(void **state) {
    (void)state;
    chain_run(&chain, "blocks8k", 1, 8, 15);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        return chain_main(&chain, argc, argv);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts__all_at_once__what_was_promised_is_there),
        cmocka_unit_test(test_cuts__many_restores__what_was_promised_is_there),
        cmocka_unit_test(test_cuts__full_store__what_was_promised_is_there),
        cmocka_unit_test(test_cuts__blocks_of_8k__what_was_promised_is_there),
    };
    return cmocka_run_group_tests_name("cuts", tests, NULL, NULL);
}
