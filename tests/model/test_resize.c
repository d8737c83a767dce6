/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An origin that grows and becomes shorter, at random, beside a naive model (resizing.h): with snapshots, bookmarks,
 * clones, designations, views, restores, closes, kills and power cuts, also within an operation. Run as rounds.h says.
 */
#include "resizing.h"
#include "rounds.h"

enum { STEPS = 60 };

static void run_round(uint64_t seed, bool trace) {
    struct m_world w;
    struct m_shape shape = {
        .prng = rounds_prng(seed), .name = trace ? "" : NULL, .block = seed % 3 == 0 ? 16384 : 4096};
    shape.most_blocks = 8 + prng_below(&shape.prng, shape.block == 4096 ? BLOCKS_MOST - 8 : 24);
    m_open(&w, &shape);
    for (unsigned step = 0; step < STEPS; step++) {
        m_operation(&w);
        m_check_some(&w);
    }
    m_restart(&w, RESTART_CLOSE);
    m_close(&w);
}

int main(int argc, char **argv) {
    const struct rounds rounds = {"test_resize__random_sizes__agrees_with_the_model", run_round, 300};
    return rounds_main(&rounds, argc, argv);
}
