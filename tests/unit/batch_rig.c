/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See batch_rig.h. A request has one slot of the part, or some bytes of it. Its memory is at the same place of the
 * round's memory, which is new, so that checkers of memory see what was never filled; its pieces lie there in reverse.
 */
#include "batch_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECES = 6 };

struct request {
    selsnap_io io;
    selsnap_iovec iov[PIECES];
    uint64_t at; /* in the part */
    size_t len;
};

struct round {
    selsnap_io *ios[BATCH_SLOTS];
    struct request requests[BATCH_SLOTS];
    uint32_t slots[BATCH_SLOTS];
    uint8_t *memory;
};

struct batch_rig *batch_rig_open(selsnap_device *device, uint64_t begin, uint64_t seed) {
    struct batch_rig *rig = calloc(1, sizeof *rig);
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    if (rig == NULL || selsnap_device_get_info(device, &info) != SELSNAP_OK) {
        free(rig);
        return NULL;
    }
    rig->device = device;
    rig->begin = begin;
    rig->unit = info.logical_block_bytes;
    rig->prng = prng_init(seed);
    return rig;
}

void batch_rig_close(struct batch_rig *rig) {
    free(rig);
}

/* Cuts the request's memory in pieces, some of them empty, that begin on units. */
static void cut(struct batch_rig *rig, struct request *request, uint8_t *memory) {
    uint32_t count = 1 + (uint32_t)prng_below(&rig->prng, PIECES);
    size_t left = request->len;
    for (uint32_t i = 0; i < count; i++) {
        size_t len = left / rig->unit == 0 ? 0 : (size_t)(prng_below(&rig->prng, left / rig->unit + 1) * rig->unit);
        len = i + 1 == count ? left : len;
        left -= len;
        request->iov[i] = (selsnap_iovec){len > 0 ? memory + left : NULL, len};
    }
    request->io.iov = request->iov;
    request->io.iov_count = count;
}

static void make(struct batch_rig *rig, struct round *round, uint32_t index) {
    struct request *request = &round->requests[index];
    /* Any slot that is not taken. */
    uint32_t other = index + (uint32_t)prng_below(&rig->prng, BATCH_SLOTS - index);
    uint32_t slot = round->slots[other];
    round->slots[other] = round->slots[index];
    uint64_t units = BATCH_SLOT / rig->unit;
    uint64_t first = prng_percent(&rig->prng, 50) ? 0 : prng_below(&rig->prng, units);
    request->at = (uint64_t)slot * BATCH_SLOT + first * rig->unit;
    request->len = (size_t)((1 + prng_below(&rig->prng, units - first)) * rig->unit);
    bool aligned = rig->aligned || prng_percent(&rig->prng, 75);
    cut(rig, request, round->memory + (aligned ? 0 : BATCH_SIZE + 1) + request->at);
    request->io.struct_size = sizeof request->io;
    request->io.kind = prng_percent(&rig->prng, 50) ? SELSNAP_IO_READ : SELSNAP_IO_WRITE;
    request->io.offset = rig->begin + request->at;
    request->io.result = 99;
    if (request->io.kind == SELSNAP_IO_WRITE) {
        uint8_t *to = rig->model + request->at;
        for (uint32_t i = 0; i < request->io.iov_count; i++) {
            uint8_t *base = request->iov[i].base;
            for (size_t b = 0; b < request->iov[i].len; b++) {
                *to++ = base[b] = (uint8_t)prng_next(&rig->prng);
            }
        }
    }
    round->ios[index] = &request->io;
}

/* Writes left their bytes in the model; so both kinds are as the model says, if they are right. */
static bool right(const struct batch_rig *rig, const struct request *request) {
    const uint8_t *expected = rig->model + request->at;
    bool same = request->io.result == 0;
    for (uint32_t i = 0; same && i < request->io.iov_count; i++) {
        if (request->iov[i].len > 0) {
            same = memcmp(request->iov[i].base, expected, request->iov[i].len) == 0;
        }
        expected += request->iov[i].len;
    }
    return same;
}

unsigned batch_round(struct batch_rig *rig, uint32_t count) {
    unsigned wrong = 0;
    struct round *round = calloc(1, sizeof *round);
    uint8_t *memory = malloc(2 * BATCH_SIZE + 2 * BATCH_SLOT);
    if (round == NULL || memory == NULL) {
        free(memory);
        free(round);
        return count;
    }
    round->memory = memory + (BATCH_SLOT - (uintptr_t)memory % BATCH_SLOT) % BATCH_SLOT;
    for (uint32_t i = 0; i < BATCH_SLOTS; i++) {
        round->slots[i] = i;
    }
    for (uint32_t i = 0; i < count; i++) {
        make(rig, round, i);
    }
    int code = selsnap_device_batch(rig->device, round->ios, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!right(rig, &round->requests[i])) {
            (void)fprintf(stderr, "request %u of %u: kind %u, at %llu, %zu bytes, result %d\n", (unsigned)i,
                          (unsigned)count, (unsigned)round->requests[i].io.kind,
                          (unsigned long long)round->requests[i].at, round->requests[i].len,
                          (int)round->requests[i].io.result);
            wrong++;
        }
    }
    free(memory);
    free(round);
    return wrong == 0 && code != SELSNAP_OK ? 1 : wrong;
}

bool batch_part_right(struct batch_rig *rig) {
    uint8_t *bytes = malloc(BATCH_SIZE);
    bool same = bytes != NULL && selsnap_device_read(rig->device, bytes, BATCH_SIZE, rig->begin) == SELSNAP_OK &&
                memcmp(bytes, rig->model, BATCH_SIZE) == 0;
    free(bytes);
    return same;
}
