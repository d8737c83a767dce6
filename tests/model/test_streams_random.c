/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams at random: two worlds (resizing.h), a source and a backup, and a raw device. Snapshots of the source are
 * exported, whole or as increments, frozen or as changed, all or chosen ranges, packed or not; verified; applied to the
 * device and imported into the backup; cut, and gone on with, begun again or taken back. What arrives is what the model
 * has; what does not fit is refused, and changes nothing. Run as rounds.h says.
 */
#include "resizing.h"
#include "rounds.h"
#include "tape.h"

#include <inttypes.h>
#include <string.h>

enum { STEPS = 50, CHOICES = 2 };

/* One that was exported. */
struct stream {
    const struct m_snap *snap;
    const struct m_snap *base; /* NULL: it is full */
    uint64_t id;               /* the snapshot's, then */
    uint64_t base_id;
    bool as_changed;
    selsnap_subset *chosen; /* NULL: all */
    uint64_t chosen_bytes;  /* of the origin, then */
    uint8_t in[BLOCKS_MOST];
    uint8_t *content;
    selsnap_stream_info info;
    struct tape tape;
};

struct received {
    uint64_t id; /* of the backup's snapshot */
    selsnap_stream_id stream;
};

struct backup {
    struct m_world a;
    struct m_world b;
    struct prng *prng;
    selsnap_device *device;
    uint8_t *raw; /* what the device holds */
    uint8_t *got;
    uint64_t raw_bytes;
    selsnap_stream_id holds;
    struct received received[SNAPS];
    selsnap_range choices[CHOICES]; /* in blocks */
    struct stream stream;
    struct tape rest;
};

static bool chance(struct backup *k, unsigned percent) {
    return prng_percent(k->prng, percent);
}

/* ---- export ---- */

static int export_to(struct backup *k, const selsnap_stream_token *token, struct tape *tape) {
    struct stream *st = &k->stream;
    const int32_t levels[] = {0, -1, 1, 5};
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    options.id = st->id;
    options.base_id = st->base_id;
    options.flags = st->as_changed ? SELSNAP_EXPORT_AS_CHANGED : 0;
    options.subset = st->chosen;
    options.level = levels[prng_below(k->prng, 4)];
    options.token = token;
    tape->len = tape->at = 0;
    memset(&st->info, 0, sizeof st->info);
    st->info.struct_size = sizeof st->info;
    return selsnap_export(k->a.rig.ss, &options, tape_write, tape, &st->info);
}

/* Ranges of it; the stream has what of them the snapshot has. */
static void choose(struct backup *k) {
    struct stream *st = &k->stream;
    struct m_world *a = &k->a;
    const selsnap_range *choice = &k->choices[prng_below(k->prng, CHOICES)];
    uint64_t from = choice->offset * a->block;
    uint64_t len = choice->len * a->block;
    st->chosen = NULL;
    st->chosen_bytes = a->bytes;
    memcpy(st->in, st->snap->in, sizeof st->in);
    if (!chance(k, 30) || st->snap->bytes > a->bytes || from >= a->bytes) {
        return;
    }
    len = len < a->bytes - from ? len : a->bytes - from;
    assert_ok(selsnap_subset_open_for(a->rig.ss, &st->chosen));
    assert_ok(selsnap_subset_add(st->chosen, from, len));
    for (uint64_t b = 0; b < BLOCKS_MOST; b++) {
        bool inside = b >= choice->offset && b < m_blocks(a, from + len);
        st->in[b] = inside ? st->in[b] : 0;
    }
}

static int wanted_of_export(const struct stream *st) {
    if (st->base != NULL && (st->as_changed || st->base == st->snap || st->base->point > st->snap->point ||
                             st->base->bytes != st->snap->bytes)) {
        return SELSNAP_EINVAL;
    }
    return !m_reaches(st->in, 0) ? SELSNAP_EINVAL : st->snap->bookmark ? SELSNAP_ENODATA : SELSNAP_OK;
}

static void check_verified(struct backup *k, struct tape *tape) {
    selsnap_stream_info info = {.struct_size = sizeof info};
    tape->at = 0;
    assert_ok(selsnap_stream_verify(tape_read, tape, NULL, &info));
    assert_memory_equal(&info.id, &k->stream.info.id, sizeof info.id);
    assert_int_equal(info.block_count, k->stream.info.block_count);
    tape->at = 0;
}

/* true: there is a stream. */
static bool do_export(struct backup *k) {
    struct stream *st = &k->stream;
    st->snap = m_pick_data(&k->a);
    if (st->snap == NULL) {
        return false;
    }
    st->base = chance(k, 65) ? m_pick(&k->a) : NULL;
    if (st->base != NULL && st->base->point > st->snap->point && !st->base->bookmark && chance(k, 90)) {
        const struct m_snap *younger = st->base;
        st->base = st->snap;
        st->snap = younger;
    }
    st->id = st->snap->id;
    st->base_id = st->base != NULL ? st->base->id : 0;
    st->as_changed = chance(k, st->base != NULL ? 3 : 20);
    choose(k);
    int wanted = wanted_of_export(st);
    int code = export_to(k, NULL, &st->tape);
    m_say(&k->a, "export %s from %s%s%s: %s, %zu bytes", st->snap->name, st->base != NULL ? st->base->name : "nothing",
          st->as_changed ? " as changed" : "", st->chosen != NULL ? ", chosen ranges" : "", selsnap_error_name(code),
          st->tape.len);
    assert_int_equal(code, wanted);
    if (code != SELSNAP_OK) {
        return false;
    }
    assert_int_equal(st->info.origin_bytes, st->snap->bytes);
    memcpy(st->content, st->as_changed ? st->snap->mine : st->snap->frozen,
           (size_t)(m_blocks(&k->a, k->a.most) * k->a.block));
    check_verified(k, &st->tape);
    return true;
}

/* The source goes on meanwhile. false: it cannot be exported again. */
static bool export_rest(struct backup *k, const selsnap_stream_token *token) {
    struct stream *st = &k->stream;
    if (!st->as_changed) {
        m_operation(&k->a);
    }
    bool there = st->snap->live && st->snap->id == st->id && !st->snap->bookmark;
    there = there && (st->base == NULL || (st->base->live && st->base->id == st->base_id));
    there = there && (st->chosen == NULL || k->a.bytes == st->chosen_bytes); /* subsets are of one size */
    if (!there) {
        return false;
    }
    assert_ok(export_to(k, token, &k->rest));
    check_verified(k, &k->rest);
    return true;
}

/* A stream that is cut somewhere; what it was is in the tape still. */
static size_t cut_tape(struct backup *k) {
    struct tape *tape = &k->stream.tape;
    size_t len = tape->len;
    size_t least = chance(k, 50) && len > 300 ? len - 300 : 1;
    tape->len = least + (size_t)prng_below(k->prng, len - least);
    tape->at = 0;
    return len;
}

static bool fits(const struct stream *st, const selsnap_stream_id *holds) {
    return st->base == NULL ||
           (holds->snapshot_id == st->base_id && memcmp(holds->store_id, st->info.id.store_id, 16) == 0 &&
            (holds->flags & SELSNAP_STREAM_AS_CHANGED) == 0 &&
            (holds->ranges_digest == 0 || holds->ranges_digest == st->info.id.ranges_digest));
}

/* What is where, for each of its blocks, cut at the end. */
static void put(const struct backup *k, uint8_t *target) {
    const struct stream *st = &k->stream;
    for (uint64_t b = 0; b < BLOCKS_MOST; b++) {
        uint64_t offset = b * k->a.block;
        if (st->in[b]) {
            uint64_t left = st->info.origin_bytes - offset;
            memcpy(target + offset, st->content + offset, left < k->a.block ? (size_t)left : k->a.block);
        }
    }
}

/* Piece by piece of this many bytes, as before or as the stream has it. */
static void assert_part(const struct backup *k, const uint8_t *got, const uint8_t *before, uint64_t bytes,
                        uint64_t piece) {
    uint8_t *after = malloc((size_t)bytes);
    assert_non_null(after);
    memcpy(after, before, (size_t)bytes);
    put(k, after);
    for (uint64_t at = 0; at < bytes; at += piece) {
        size_t len = piece < bytes - at ? (size_t)piece : (size_t)(bytes - at);
        assert_true(memcmp(got + at, before + at, len) == 0 || memcmp(got + at, after + at, len) == 0);
    }
    free(after);
}

/* ---- the raw device ---- */

static int apply(struct backup *k, struct tape *tape, const selsnap_stream_token *token, selsnap_stream_info *info) {
    selsnap_stream_options options = SELSNAP_STREAM_OPTIONS_INIT;
    options.holds = k->stream.base != NULL ? &k->holds : NULL;
    options.token = token;
    memset(info, 0, sizeof *info);
    info->struct_size = sizeof *info;
    tape->at = 0;
    return selsnap_stream_apply(tape_read, tape, k->device, &options, info);
}

static void assert_raw(struct backup *k) {
    assert_ok(selsnap_device_read(k->device, k->got, (size_t)k->raw_bytes, 0));
    assert_memory_equal(k->got, k->raw, (size_t)k->raw_bytes);
}

/* Broken off, and gone on with. false: it has to begin again. */
static bool apply_in_parts(struct backup *k) {
    selsnap_stream_info info;
    size_t len = cut_tape(k);
    assert_int_equal(apply(k, &k->stream.tape, NULL, &info), SELSNAP_ESTREAM);
    k->stream.tape.len = len;
    if (info.state == SELSNAP_STREAM_NOTHING) {
        assert_raw(k);
    } else {
        assert_ok(selsnap_device_read(k->device, k->got, (size_t)k->raw_bytes, 0));
        assert_part(k, k->got, k->raw, k->raw_bytes, k->a.block);
    }
    selsnap_stream_token token = info.token;
    m_say(&k->a, "  cut, state %u, %" PRIu64 " records", info.state, token.records);
    if (token.key == 0 || chance(k, 30) || !export_rest(k, &token)) {
        return false;
    }
    assert_ok(apply(k, &k->rest, &token, &info));
    return true;
}

static void do_apply(struct backup *k) {
    selsnap_stream_info info;
    bool right = fits(&k->stream, &k->holds);
    m_say(&k->a, " apply: %s", right ? "fits" : "does not fit");
    if (right) {
        bool done = chance(k, 40) && apply_in_parts(k);
        if (!done) {
            assert_ok(apply(k, &k->stream.tape, NULL, &info));
            assert_memory_equal(&info.id, &k->stream.info.id, sizeof info.id);
        }
        put(k, k->raw);
        k->holds = k->stream.info.id;
    } else {
        assert_int_equal(apply(k, &k->stream.tape, NULL, &info), SELSNAP_EBASE);
        assert_int_equal(info.state, SELSNAP_STREAM_NOTHING);
    }
    assert_raw(k);
}

/* ---- the backup ---- */

/* Whether the backup's block is in the stream. */
static bool has_block(const struct backup *k, uint64_t block) {
    return k->stream.in[block * k->b.block / k->a.block] != 0;
}

/* The device is still as the base there was, as far as both have it. */
static bool unchanged_since(const struct backup *k, const struct m_snap *base) {
    const struct m_world *b = &k->b;
    for (uint64_t i = 0; i < m_blocks(b, b->bytes); i++) {
        uint64_t at = i * b->block;
        bool differs = base->bookmark ? base->changed[i] : memcmp(base->frozen + at, b->live + at, b->block) != 0;
        if (base->in[i] && has_block(k, i) && differs) {
            return false;
        }
    }
    return true;
}

static int wanted_of_import(const struct backup *k) {
    const struct m_world *b = &k->b;
    bool based = k->stream.base == NULL;
    for (unsigned i = 0; i < SNAPS && !based; i++) {
        const struct m_snap *s = &b->snaps[i];
        based =
            s->live && s->id == k->received[i].id && fits(&k->stream, &k->received[i].stream) && unchanged_since(k, s);
    }
    return k->stream.info.origin_bytes != b->bytes ? SELSNAP_ERANGE : based ? SELSNAP_OK : SELSNAP_EBASE;
}

static int import(struct backup *k, struct tape *tape, const struct m_snap *s, uint32_t flags, uint64_t *ret_id,
                  selsnap_stream_info *info) {
    selsnap_import_options options = SELSNAP_IMPORT_OPTIONS_INIT;
    options.name = s->name;
    options.flags = flags;
    memset(info, 0, sizeof *info);
    info->struct_size = sizeof *info;
    tape->at = 0;
    int code = selsnap_import(k->b.rig.ss, tape_read, tape, &options, ret_id, info);
    char text[300] = "";
    (void)selsnap_last_error(k->b.rig.ss, text, sizeof text);
    m_say(&k->b, " import as %s: %s, state %u: %s", s->name, selsnap_error_name(code), info->state,
          code != SELSNAP_OK ? text : "");
    return code;
}

static void imported(struct backup *k, struct m_snap *s, uint64_t id) {
    struct m_world *b = &k->b;
    selsnap_stream_id stream = SELSNAP_STREAM_ID_INIT;
    put(k, b->live);
    m_settle(b);
    for (uint64_t i = 0; i < m_blocks(b, b->bytes); i++) {
        s->in[i] = has_block(k, i);
    }
    s->live = true;
    s->bookmark = false;
    s->id = id;
    s->bytes = b->bytes;
    s->point = ++b->points;
    m_set_content(b, s, b->live, b->live);
    assert_ok(selsnap_snapshot_get_received(b->rig.ss, id, &stream));
    assert_memory_equal(&stream, &k->stream.info.id, sizeof stream);
    k->received[s - b->snaps] = (struct received){id, stream};
}

/* An import broke off, and its part is kept: it is gone on with, begun again, or taken back. */
static void settle_part(struct backup *k, struct m_snap *s) {
    struct m_world *b = &k->b;
    selsnap_stream_info info;
    selsnap_stream_id what = SELSNAP_STREAM_ID_INIT;
    selsnap_stream_token token = SELSNAP_STREAM_TOKEN_INIT;
    uint64_t id = 0;
    uint8_t *before = malloc((size_t)b->bytes);
    assert_non_null(before);
    memcpy(before, b->live, (size_t)b->bytes);
    assert_ok(selsnap_import_unfinished(b->rig.ss, &what, &token));
    assert_memory_equal(&what, &k->stream.info.id, sizeof what);
    assert_ok(selsnap_read(b->rig.ss, k->got, (size_t)b->bytes, 0));
    assert_part(k, k->got, before, b->bytes, b->block);
    memcpy(b->live, k->got, (size_t)b->bytes);
    m_settle(b);
    m_learn_changed(b);
    if (chance(k, 50)) {
        m_restart(b, chance(k, 40) ? RESTART_CUT : chance(k, 50) ? RESTART_KILL : RESTART_CLOSE);
        assert_ok(selsnap_import_unfinished(b->rig.ss, &what, &token));
    }
    bool done = token.key != 0 && chance(k, 40) && export_rest(k, &token);
    if (done) {
        assert_ok(import(k, &k->rest, s, 0, &id, &info));
    } else if (chance(k, 50)) {
        m_say(b, " undo");
        assert_ok(selsnap_import_undo(b->rig.ss, NULL, NULL));
    } else {
        done = true;
        assert_ok(import(k, &k->stream.tape, s, 0, &id, &info));
    }
    memcpy(b->live, before, (size_t)b->bytes);
    m_settle(b);
    if (done) {
        imported(k, s, id);
    }
    free(before);
}

static void import_cut(struct backup *k, struct m_snap *s) {
    selsnap_stream_info info;
    bool keep = chance(k, 60);
    size_t len = cut_tape(k);
    assert_int_equal(import(k, &k->stream.tape, s, keep ? SELSNAP_IMPORT_KEEP_PART : 0, NULL, &info), SELSNAP_ESTREAM);
    k->stream.tape.len = len;
    if (info.state == SELSNAP_STREAM_PART) {
        assert_true(keep);
        settle_part(k, s);
    }
    assert_int_equal(selsnap_import_unfinished(k->b.rig.ss, NULL, NULL), SELSNAP_ENOENT);
}

static struct m_snap *free_slot(struct backup *k) {
    struct m_snap *s = m_new_snap(&k->b);
    if (s == NULL) {
        s = m_pick(&k->b);
        assert_ok(selsnap_snapshot_delete(k->b.rig.ss, s->id));
        s->live = false;
        s = m_new_snap(&k->b);
    }
    return s;
}

static void do_import(struct backup *k) {
    struct m_world *b = &k->b;
    selsnap_stream_info info;
    uint64_t id = 0;
    if (chance(k, 90)) {
        m_resize(b, k->stream.info.origin_bytes);
    }
    struct m_snap *s = free_slot(k);
    int wanted = wanted_of_import(k);
    if (wanted == SELSNAP_OK && chance(k, 35)) {
        import_cut(k, s);
    } else {
        int code = import(k, &k->stream.tape, s, 0, &id, &info);
        assert_int_equal(code, wanted);
        assert_int_equal(info.state, code == SELSNAP_OK ? SELSNAP_STREAM_WHOLE : SELSNAP_STREAM_NOTHING);
        if (code == SELSNAP_OK) {
            imported(k, s, id);
        }
    }
    m_learn_changed(b);
    m_check_all(b);
}

/* ---- rounds ---- */

static void open_backup(struct backup *k, uint64_t seed, bool trace) {
    struct prng prng = rounds_prng(seed);
    struct m_shape shape = {.name = trace ? "A " : NULL, .block = seed % 3 == 0 ? 16384 : 4096};
    shape.prng = rounds_prng(prng_next(&prng));
    shape.most_blocks = 6 + prng_below(&prng, 18);
    m_open(&k->a, &shape);
    shape.prng = rounds_prng(prng_next(&prng));
    shape.name = trace ? "B " : NULL;
    shape.most_blocks *= shape.block;
    shape.block = prng_percent(&prng, 50) ? 4096 : shape.block;
    shape.most_blocks /= shape.block;
    shape.most = k->a.most;
    shape.bytes = k->a.bytes;
    m_open(&k->b, &shape);
    k->prng = &k->a.prng;
    k->raw_bytes = (m_blocks(&k->a, k->a.most) + 1) * k->a.block;
    k->raw = calloc(1, (size_t)k->raw_bytes);
    k->got = calloc(1, (size_t)k->raw_bytes);
    k->stream.content = calloc(1, (size_t)k->raw_bytes);
    assert_true(k->raw != NULL && k->got != NULL && k->stream.content != NULL);
    k->holds = (selsnap_stream_id)SELSNAP_STREAM_ID_INIT;
    assert_ok(selsnap_device_open_memory(k->raw_bytes, 0, &k->device));
    for (unsigned i = 0; i < CHOICES; i++) {
        k->choices[i] = (selsnap_range){prng_below(&prng, 8), 1 + prng_below(&prng, 12)};
    }
}

static void close_backup(struct backup *k) {
    m_close(&k->a);
    m_close(&k->b);
    selsnap_device_close(k->device);
    free(k->raw);
    free(k->got);
    free(k->stream.content);
    free(k);
}

static void run_round(uint64_t seed, bool trace) {
    struct backup *k = calloc(1, sizeof *k);
    assert_non_null(k);
    open_backup(k, seed, trace);
    for (unsigned step = 0; step < STEPS; step++) {
        if (chance(k, 50)) {
            m_operation(&k->a);
        } else if (chance(k, 15)) {
            m_operation(&k->b);
        } else {
            bool there = do_export(k);
            if (there && chance(k, 50)) {
                do_apply(k);
            }
            if (there && chance(k, 60)) {
                do_import(k);
            }
            selsnap_subset_close(k->stream.chosen);
            k->stream.chosen = NULL;
        }
    }
    m_restart(&k->a, RESTART_CLOSE);
    m_restart(&k->b, RESTART_CLOSE);
    close_backup(k);
}

int main(int argc, char **argv) {
    const struct rounds rounds = {"test_streams__random__arrive_as_the_model_has_them", run_round, 400};
    return rounds_main(&rounds, argc, argv);
}
