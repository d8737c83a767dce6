/* SPDX-License-Identifier: Apache-2.0 */
/* The model's state, random choices, and how it fails. */
#include "model.h"

#include "test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void model_doing(struct model *m, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(m->doing, sizeof m->doing, format, args);
    va_end(args);
    if (m->trace) {
        fprintf(stderr, "%6" PRIu64 " [%" PRIu64 "] %s\n", m->sequence, m->wire.seen, m->doing);
    }
}

void model_fail(struct model *m, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char detail[256] = "";
    if (m->ss != NULL) {
        (void)selsnap_last_error(m->ss, detail, sizeof detail);
    }
    fprintf(stderr, "step %" PRIu64 ", %s: %s\nlast error: %s\n", m->sequence, m->doing, text, detail);
    if (m->aborts) {
        abort();
    }
    if (m->find_replay != NULL) {
        m->find_replay(m->find_replay_user);
    }
    if (m->replay[0] != '\0') {
        fprintf(stderr, "replay: %s\n", m->replay);
        _Exit(1);
    }
    fprintf(stderr, "replay: %s --config %s --seed %" PRIu64 " --steps %" PRIu64 " --trace\n", m->program,
            m->config->name, m->seed, m->steps);
    if (m->in_cmocka) {
        fail_msg("%s (seed %" PRIu64 ")", text, m->seed);
    }
    exit(1);
}

bool model_result(struct model *m, int code, int allowed) {
    if (code == SELSNAP_OK) {
        return true;
    }
    if (m->trace) {
        fprintf(stderr, "         -> %s\n", selsnap_error_name(code));
    }
    bool by_cut = m->wire.off && (code == SELSNAP_EIO || code == SELSNAP_ESTORE);
    if (by_cut || (allowed != 0 && code == allowed)) {
        return false;
    }
    if ((m->tolerates & MODEL_CODE(code)) == 0) {
        model_fail(m, "%s", selsnap_error_name(code));
    }
    m->failures++;
    m->failed = code;
    return false;
}

size_t model_block_len(const struct model *m, uint64_t block) {
    uint64_t left = m->size - block * m->block_bytes;
    return (size_t)(left < m->block_bytes ? left : m->block_bytes);
}

void model_random_range(struct model *m, bool live, uint64_t *ret_offset, size_t *ret_len) {
    uint64_t unit = live ? (m->config->logical > 1 ? m->config->logical : 1) : 1;
    uint64_t kind = prng_below(&m->prng, 8);
    uint64_t block = prng_below(&m->prng, m->blocks);
    uint64_t offset = block * m->block_bytes;
    uint64_t len = m->block_bytes;
    if (kind >= 4) {
        len *= 1 + prng_below(&m->prng, kind == 7 ? m->blocks : 6);
    }
    if (kind == 0 || kind == 4) {
        unit = unit > 512 ? unit : 512;
    }
    if (kind == 0 || kind == 1 || kind == 4 || kind == 5) {
        offset += prng_below(&m->prng, m->block_bytes) / unit * unit;
        len = 1 + prng_below(&m->prng, len);
        len = (len + unit - 1) / unit * unit;
    }
    if (offset >= m->size) {
        offset = 0;
    }
    *ret_offset = offset;
    *ret_len = (size_t)(len < m->size - offset ? len : m->size - offset);
}

void model_random_content(struct model *m, uint8_t *buf, size_t len, uint64_t offset) {
    uint64_t kind = prng_below(&m->prng, 10);
    pattern_fill(buf, len, offset, 7, m->sequence);
    if (kind == 0) {
        memset(buf, 0, len);
    } else if (kind == 1) {
        memset(buf, 0, len / 2);
    } else if (kind == 2) {
        memcpy(buf, m->live + offset, len);
    } else if (kind == 3) {
        memset(buf, (int)(1 + prng_below(&m->prng, 3)), len);
    }
}

void versions_add(struct versions *versions, uint64_t before, uint64_t after) {
    if (versions->count + 2 > versions->capacity) {
        versions->capacity = versions->capacity * 2 + 4;
        uint64_t *hashes = realloc(versions->hashes, versions->capacity * sizeof *hashes);
        if (hashes == NULL) {
            abort();
        }
        versions->hashes = hashes;
    }
    if (versions->count == 0) {
        versions->hashes[versions->count++] = before;
    }
    versions->hashes[versions->count++] = after;
}

bool versions_have(const struct versions *versions, uint64_t hash) {
    for (uint32_t i = 0; i < versions->count; i++) {
        if (versions->hashes[i] == hash) {
            return true;
        }
    }
    return false;
}

unsigned model_count_snapshots(const struct model *m) {
    unsigned count = 0;
    for (unsigned i = 0; i < MODEL_SNAPSHOTS; i++) {
        count += m->snapshots[i].live ? 1 : 0;
    }
    return count;
}

unsigned model_pick_snapshot(struct model *m) {
    unsigned count = model_count_snapshots(m);
    uint64_t pick = count > 0 ? prng_below(&m->prng, count) : 0;
    for (unsigned i = 0; i < MODEL_SNAPSHOTS; i++) {
        if (m->snapshots[i].live && pick-- == 0) {
            return i;
        }
    }
    return MODEL_SNAPSHOTS;
}

static void *allocate(size_t count, size_t item) {
    void *memory = calloc(count, item);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void allocate_state(struct model *m) {
    m->live = allocate(m->size, 1);
    m->scratch = allocate(m->size, 1);
    m->live_versions = allocate(m->sectors, sizeof *m->live_versions);
    m->pending_in = allocate(m->blocks, 1);
    for (unsigned i = 0; i < MODEL_SNAPSHOTS; i++) {
        struct m_snapshot *s = &m->snapshots[i];
        s->in = allocate(m->blocks, 1);
        s->changed = allocate(m->blocks, 1);
        s->lost = allocate(m->blocks, 1);
        s->over = allocate(m->blocks, 1);
        s->frozen = allocate(m->size, 1);
        s->now = allocate(m->size, 1);
        s->versions = allocate(m->blocks, sizeof *s->versions);
    }
    for (unsigned i = 0; i < MODEL_NAMES; i++) {
        m->names[i].in = allocate(m->blocks, 1);
    }
    for (unsigned i = 0; i < MODEL_JOBS; i++) {
        m->jobs[i].in = allocate(m->blocks, 1);
    }
}

static void free_versions(struct versions *versions, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        free(versions[i].hashes);
    }
    free(versions);
}

static void free_state(struct model *m) {
    free(m->live);
    free(m->scratch);
    free(m->pending_in);
    free_versions(m->live_versions, m->sectors);
    for (unsigned i = 0; i < MODEL_SNAPSHOTS; i++) {
        struct m_snapshot *s = &m->snapshots[i];
        free(s->in);
        free(s->changed);
        free(s->lost);
        free(s->over);
        free(s->frozen);
        free(s->now);
        free_versions(s->versions, m->blocks);
    }
    for (unsigned i = 0; i < MODEL_NAMES; i++) {
        free(m->names[i].in);
    }
    for (unsigned i = 0; i < MODEL_JOBS; i++) {
        free(m->jobs[i].in);
    }
}

/* The first content of the origin: patterns, with runs of zeros. */
static void fill_origin(struct model *m) {
    pattern_fill(m->live, m->size, 0, 0, 0);
    for (uint64_t block = 0; block < m->blocks; block++) {
        if (prng_percent(&m->prng, 15)) {
            memset(m->live + block * m->block_bytes, 0, model_block_len(m, block));
        }
    }
    const struct testdev_kind kind = {m->config->logical, m->config->atomic, m->config->write_through, 0};
    m->origin = testdev_open_kind(&m->wire, 'o', m->size, &kind, m->live);
}

static void format_store(struct model *m) {
    selsnap_format_options options = SELSNAP_FORMAT_OPTIONS_INIT;
    options.block_bytes = m->block_bytes;
    options.journal_bytes = m->config->journal_bytes;
    int code = SELSNAP_ETOOSMALL;
    for (uint64_t size = m->config->store_bytes; code == SELSNAP_ETOOSMALL; size += 65536) {
        if (m->store != NULL) {
            selsnap_device_close(m->store->device);
        }
        const struct testdev_kind kind = {0, m->config->atomic, m->config->write_through, size + MODEL_GROWTH};
        m->store = testdev_open_kind(&m->wire, 's', size, &kind, NULL);
        code = selsnap_format(m->store->device, m->origin->device, &options);
        m->store_first = size / 4096 * 4096;
        m->store_bytes = m->store_first;
    }
    (void)model_result(m, code, 0);
}

int model_open_context(struct model *m) {
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.allocator = heap_allocator(&m->heap);
    options.memory_limit = (4 << 20) + 3 * m->config->journal_bytes;
    options.flags = m->ahead ? 0 : SELSNAP_OPEN_NO_AHEAD;
    if (m->deferred > 0) {
        options.deferred_bytes = (uint64_t)m->deferred * m->block_bytes;
        options.memory_limit += options.deferred_bytes / 32 * 33 + 32768;
    }
    m->ss = NULL;
    return selsnap_open(m->store->device, m->origin->device, &options, &m->ss);
}

void model_open(struct model *m, const struct config *config, const char *program, uint64_t seed, uint64_t steps,
                bool cuts) {
    m->config = config;
    m->program = program;
    m->seed = seed;
    m->steps = steps;
    m->cuts = cuts;
    m->ahead = seed % 2 == 1;
    m->heap.fills = true;
    m->deferred = config->deferred;
    if (m->deferred == 0 && seed % 3 == 0) {
        m->deferred = seed % 9 == 0 ? 1 + (unsigned)(seed / 9 % 5) : 64;
    }
    m->prng = prng_init(seed);
    m->size = config->origin_bytes;
    m->block_bytes = config->block_bytes;
    m->blocks = (m->size + m->block_bytes - 1) / m->block_bytes;
    m->sectors = (m->size + TESTDEV_UNIT - 1) / TESTDEV_UNIT;
    allocate_state(m);
    wire_init(&m->wire, cuts);
    model_doing(m, "format and open");
    fill_origin(m);
    format_store(m);
    (void)model_result(m, model_open_context(m), 0);
}

void model_close_context(struct model *m) {
    model_close_views(m);
    model_doing(m, "close");
    if (m->ss != NULL) {
        int code = selsnap_close(m->ss);
        m->ss = NULL;
        (void)model_result(m, code, 0);
    }
    if (m->heap.live != 0) {
        model_fail(m, "%" PRId64 " pieces of memory left", m->heap.live);
    }
}

void model_close(struct model *m) {
    model_close_context(m);
    selsnap_device_close(m->origin->device);
    selsnap_device_close(m->store->device);
    wire_fini(&m->wire);
    free_state(m);
}
