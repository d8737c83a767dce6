/* SPDX-License-Identifier: Apache-2.0 */
/* A store that grows. */
#include "model.h"

#include <inttypes.h>

void model_check_size(struct model *m) {
    selsnap_stats stats = SELSNAP_STATS_INIT;
    if (m->wire.off || !model_result(m, selsnap_get_stats(m->ss, &stats), 0)) {
        return;
    }
    if (stats.store_bytes != m->store_bytes &&
        (stats.store_bytes < m->store_bytes || stats.store_bytes > m->store_longer || stats.store_bytes % 4096 != 0)) {
        model_fail(m, "the store has %" PRIu64 " bytes, not %" PRIu64 ", nor up to %" PRIu64, stats.store_bytes,
                   m->store_bytes, m->store_longer);
    }
    m->store_bytes = stats.store_bytes;
    m->store_longer = m->store_longer > m->store_bytes ? m->store_longer : 0;
}

void model_do_grow(struct model *m, uint64_t bytes) {
    uint64_t wanted = m->store_first + bytes;
    if (wanted <= m->store_bytes) {
        return;
    }
    model_doing(m, "grow the store from %" PRIu64 " to %" PRIu64 " bytes", m->store_bytes, wanted);
    m->store_longer = wanted > m->store_longer ? wanted : m->store_longer;
    if (model_result(m, selsnap_grow_store(m->ss, wanted), 0)) {
        m->store_bytes = wanted;
        model_check_size(m);
    }
}

void model_grow_sometimes(struct model *m) {
    uint64_t every = m->config->tight ? 24 : 8;
    uint64_t more = m->store_bytes - m->store_first + (1 + m->sequence % (m->config->tight ? 2 : 9)) * 4096;
    if (m->sequence % every == 0 && more <= MODEL_GROWTH) {
        model_do_grow(m, more);
    }
}
