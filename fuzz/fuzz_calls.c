/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of the library beside the naive model of tests/model: the input is what the model's random choices are taken
 * from. Byte 0 chooses devices and sizes, byte 1 the origin's first content; with the top bit of byte 0 set, the power
 * is cut as well, at calls that the input chooses, and what may be left then is opened and compared.
 */
#include "input.h"
#include "model.h"

enum { STEPS_MAX = 200, CUTS = 0x80 };

static const struct config configs[] = {
    {"tiny", 5 * 4096 + 512, 1 << 20, 65536, 4096, 512, 3, false, 0, false, 0},
    {"small", 29 * 4096 + 1536, 1 << 20, 65536, 4096, 1, 5, false, 0, false, 0},
    {"runs", 262 * 4096, 3 << 20, 65536, 4096, 4096, 3, false, 0, false, 0},
    {"blocks8k", 20 * 8192 + 4096, 2 << 20, 65536, 8192, 512, 5, false, 0, false, 0},
    {"full", 48 * 4096, 1 << 20, 65536, 4096, 512, 6, true, 0, false, 0},
    {"atomic4k", 33 * 4096 + 512, 1 << 20, 65536, 4096, 512, 5, false, 4096, false, 0},
    {"through", 33 * 4096, 1 << 20, 65536, 4096, 512, 5, false, 0, true, 0},
};

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    /* What the test devices assert. */
    return setenv("CMOCKA_TEST_ABORT", "1", 1);
}

/* Checks take their choices from elsewhere, so that the input is spent on what is done. */
static void check_some(struct model *m) {
    struct prng input = m->prng;
    m->prng = prng_init(m->sequence);
    model_check_some(m);
    m->prng = input;
}

static void arm(struct model *m) {
    uint64_t limit = prng_percent(&m->prng, 50) ? 20 : 300;
    wire_cut_after(&m->wire, 1 + prng_below(&m->prng, limit));
}

static void run(struct model *m) {
    if (m->cuts) {
        arm(m);
    }
    for (m->sequence = 1; m->sequence <= STEPS_MAX && m->prng.left > 0; m->sequence++) {
        if (!m->cuts && prng_percent(&m->prng, 3)) {
            model_kill(m);
        } else {
            model_operation(m);
        }
        if (!m->wire.off) {
            check_some(m);
        }
        if (m->wire.off) {
            model_recover(m);
            arm(m);
        }
    }
    m->wire.cut_at = 0;
    model_check_all(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = input_of(data, size);
    uint8_t shape = input_u8(&in);
    uint8_t content = input_u8(&in);
    struct model *m = calloc(1, sizeof *m);
    must(m != NULL);
    m->aborts = true;
    model_open(m, &configs[(shape & ~CUTS) % (sizeof configs / sizeof configs[0])], "fuzz_calls", content, STEPS_MAX,
               (shape & CUTS) != 0);
    m->prng = prng_of_bytes(in.at, in.left);
    run(m);
    model_close(m);
    free(m);
    return 0;
}
