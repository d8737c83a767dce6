/* SPDX-License-Identifier: Apache-2.0 */
/* Many requests to the live device in one call. They do not overlap, so that what they leave has no order. */
#include "model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool apart(const struct m_request *requests, unsigned count, uint64_t offset, uint64_t len) {
    for (unsigned i = 0; i < count; i++) {
        if (offset < requests[i].offset + requests[i].len && requests[i].offset < offset + len) {
            return false;
        }
    }
    return true;
}

static void check_read(struct model *m, const selsnap_io *io, const struct m_request *request) {
    if (model_result(m, io->result, 0) && memcmp(request->bytes, m->live + request->offset, request->len) != 0) {
        model_fail(m, "a read of %zu at %" PRIu64 " in a batch gave other bytes", request->len, request->offset);
    }
}

void model_do_batch(struct model *m, struct m_request *requests, unsigned count, bool fua) {
    selsnap_io ios[MODEL_BATCH];
    selsnap_io *list[MODEL_BATCH];
    selsnap_iovec iovs[MODEL_BATCH];
    bool all = true;
    for (unsigned i = 0; i < count; i++) {
        const struct m_request *request = &requests[i];
        bool zeroes = request->kind == SELSNAP_IO_WRITE_ZEROES;
        selsnap_io io = SELSNAP_IO_INIT;
        iovs[i] = (selsnap_iovec){request->bytes, request->len};
        io.kind = request->kind;
        io.iov = zeroes ? NULL : &iovs[i];
        io.iov_count = zeroes ? 0 : 1;
        io.len = zeroes ? request->len : 0;
        io.offset = request->offset;
        io.flags = fua && io.kind != SELSNAP_IO_READ ? SELSNAP_IO_FUA : 0;
        io.result = 1;
        ios[i] = io;
        list[i] = &ios[i];
    }
    model_doing(m, "batch of %u, the first %zu at %" PRIu64 " (block %" PRIu64 ")%s", count, requests[0].len,
                requests[0].offset, requests[0].offset / m->block_bytes, fua ? ", durable" : "");
    int code = selsnap_batch(m->ss, list, count);
    for (unsigned i = 0; i < count; i++) {
        if (ios[i].kind == SELSNAP_IO_READ) {
            check_read(m, &ios[i], &requests[i]);
        } else {
            model_finish_write(m, ios[i].result, requests[i].bytes, requests[i].len, requests[i].offset);
        }
        all = all && ios[i].result == SELSNAP_OK;
    }
    if (all != (code == SELSNAP_OK)) {
        model_fail(m, "a batch gave %s, but its requests something else", selsnap_error_name(code));
    }
    if (all && fua) {
        model_settle_live(m);
    }
}

/* Writes, zeroes and reads; now and then durable. */
void model_batch(struct model *m) {
    struct m_request requests[MODEL_BATCH];
    unsigned wanted = 1 + (unsigned)prng_below(&m->prng, MODEL_BATCH);
    unsigned count = 0;
    bool any_change = false;
    for (unsigned i = 0; i < wanted; i++) {
        static const uint32_t kinds[4] = {SELSNAP_IO_WRITE, SELSNAP_IO_WRITE, SELSNAP_IO_WRITE_ZEROES, SELSNAP_IO_READ};
        struct m_request request = {.kind = kinds[prng_below(&m->prng, 4)]};
        model_random_range(m, true, &request.offset, &request.len);
        if (!apart(requests, count, request.offset, request.len)) {
            continue;
        }
        request.bytes = calloc(request.len, 1);
        if (request.bytes == NULL) {
            abort();
        }
        if (request.kind == SELSNAP_IO_WRITE) {
            model_random_content(m, request.bytes, request.len, request.offset);
        }
        any_change = any_change || request.kind != SELSNAP_IO_READ;
        requests[count++] = request;
    }
    model_do_batch(m, requests, count, any_change && prng_percent(&m->prng, 20));
    for (unsigned i = 0; i < count; i++) {
        free(requests[i].bytes);
    }
}
