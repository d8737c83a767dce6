/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clones made, read, written into, reset and deleted by several threads, while others write into the snapshots that they
 * are made of, and to the live device. P1, P5: a clone as changed holds what was written into its source up to some
 * moment while it was made, all of that, and never anything else; a frozen one what the source was taken of. Clean under
 * ThreadSanitizer.
 */
#include "prng.h"
#include "rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, SLOTS = 16, WRITERS = 2, CLONERS = 3, CLONES = 9, ROUNDS = 4, LIVE_BLOCKS = 48 };
enum { SPARE = WRITERS * SLOTS, CLONE_WRITER = 9, LIVE_WRITER = 8 };

/* Writes blocks of its part of a snapshot in turn, with rising sequence numbers. */
struct writer {
    pthread_t thread;
    struct rig *rig;
    unsigned number;
    uint64_t id; /* of its snapshot */
    _Atomic bool *stop;
    _Atomic uint64_t begun;
    _Atomic uint64_t acknowledged;
};

struct cloner {
    pthread_t thread;
    struct rig *rig;
    unsigned number;
    unsigned round;
    struct writer *writers;
    struct prng prng;
    unsigned refused; /* too many layers */
};

static void *write_into(void *argument) {
    struct writer *writer = argument;
    uint8_t buf[BLOCK];
    selsnap_view *view = rig_view(writer->rig, writer->id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    for (uint64_t n = 1; !atomic_load(writer->stop); n++) {
        uint64_t offset = (writer->number * (uint64_t)SLOTS + n % SLOTS) * BLOCK;
        pattern_fill(buf, sizeof buf, offset, writer->number + 1, n);
        atomic_store(&writer->begun, n);
        assert_ok(selsnap_view_write(view, buf, sizeof buf, offset));
        atomic_store(&writer->acknowledged, n);
        if (n % 11 == 0) {
            assert_ok(selsnap_view_flush(view));
        }
    }
    assert_ok(selsnap_view_close(view));
    return NULL;
}

static void *write_live(void *argument) {
    struct writer *writer = argument;
    uint8_t buf[BLOCK];
    struct prng prng = prng_init(77);
    for (uint64_t n = 1; !atomic_load(writer->stop); n++) {
        uint64_t offset = prng_below(&prng, LIVE_BLOCKS) * BLOCK;
        pattern_fill(buf, sizeof buf, offset, LIVE_WRITER, n);
        assert_ok(selsnap_write(writer->rig->ss, buf, sizeof buf, offset));
        if (n % 16 == 0) {
            assert_ok(selsnap_step(writer->rig->ss, NULL, NULL));
        }
    }
    return NULL;
}

/* What the view holds of a writer is the last of its first k writes, for each block. Gives k. */
static uint64_t check_prefix(selsnap_view *view, unsigned writer) {
    uint8_t buf[SLOTS * BLOCK];
    uint64_t found[SLOTS];
    uint64_t last = 0;
    assert_ok(selsnap_view_read(view, buf, sizeof buf, (uint64_t)writer * SLOTS * BLOCK));
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        struct pattern pattern;
        uint64_t offset = ((uint64_t)writer * SLOTS + slot) * BLOCK;
        assert_true(pattern_read(buf + slot * BLOCK, &pattern));
        assert_true(
            pattern_is(buf + slot * BLOCK, BLOCK, offset, pattern.sequence == 0 ? 0 : writer + 1, pattern.sequence));
        found[slot] = pattern.sequence;
        last = last > pattern.sequence ? last : pattern.sequence;
    }
    for (uint64_t n = last; n > 0 && n + SLOTS > last; n--) {
        assert_int_equal(found[n % SLOTS], n);
    }
    return last;
}

static void check_frozen(selsnap_view *view, unsigned first, unsigned count) {
    uint8_t buf[BLOCK];
    for (uint64_t block = first; block < first + count; block++) {
        assert_ok(selsnap_view_read(view, buf, sizeof buf, block * BLOCK));
        assert_true(pattern_is(buf, sizeof buf, block * BLOCK, 0, 0));
    }
}

/* SELSNAP_ELIMIT: the source has all its layers. */
static int make_clone(struct cloner *cloner, uint64_t source, const char *suffix, unsigned number, uint32_t flags,
                      uint64_t *ret_id) {
    char name[64];
    selsnap_clone_options options = SELSNAP_CLONE_OPTIONS_INIT;
    (void)snprintf(name, sizeof name, "%u-%u-%u%s", cloner->round, cloner->number, number, suffix);
    options.source_id = source;
    options.name = name;
    options.flags = flags;
    return selsnap_snapshot_clone(cloner->rig->ss, &options, ret_id);
}

/* What a clone of a clone holds, after its source has gone. */
static void clone_again(struct cloner *cloner, uint64_t id, unsigned number, unsigned writer, uint64_t k) {
    uint64_t again;
    uint8_t buf[BLOCK];
    int code = make_clone(cloner, id, "-again", number, SELSNAP_CLONE_AS_CHANGED, &again);
    cloner->refused += code == SELSNAP_ELIMIT;
    if (code == SELSNAP_ELIMIT) {
        assert_ok(selsnap_snapshot_delete(cloner->rig->ss, id));
        return;
    }
    assert_ok(code);
    assert_ok(selsnap_snapshot_delete(cloner->rig->ss, id));
    selsnap_view *view = rig_view(cloner->rig, again, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    assert_int_equal(check_prefix(view, writer), k);
    uint64_t offset = (SPARE + cloner->number) * (uint64_t)BLOCK;
    assert_ok(selsnap_view_read(view, buf, sizeof buf, offset));
    assert_true(pattern_is(buf, sizeof buf, offset, CLONE_WRITER, number));
    assert_ok(selsnap_view_reset(view));
    check_frozen(view, 0, SPARE + CLONERS);
    assert_ok(selsnap_view_close(view));
    assert_ok(selsnap_snapshot_delete(cloner->rig->ss, again));
}

static void clone_once(struct cloner *cloner, unsigned number) {
    struct writer *writer = &cloner->writers[prng_below(&cloner->prng, WRITERS)];
    bool as_changed = prng_percent(&cloner->prng, 75);
    uint64_t at_least = atomic_load(&writer->acknowledged);
    uint64_t id;
    uint8_t buf[BLOCK];
    int code = make_clone(cloner, writer->id, "", number, as_changed ? SELSNAP_CLONE_AS_CHANGED : 0, &id);
    uint64_t at_most = atomic_load(&writer->begun);
    cloner->refused += code == SELSNAP_ELIMIT;
    if (code == SELSNAP_ELIMIT) {
        return;
    }
    assert_ok(code);
    selsnap_view *view = rig_view(cloner->rig, id, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    uint64_t k = check_prefix(view, writer->number);
    assert_true(as_changed ? k >= at_least && k <= at_most : k == 0);
    uint64_t offset = (SPARE + cloner->number) * (uint64_t)BLOCK;
    pattern_fill(buf, sizeof buf, offset, CLONE_WRITER, number);
    assert_ok(selsnap_view_write(view, buf, sizeof buf, offset));
    assert_int_equal(check_prefix(view, writer->number), k);
    check_frozen(view, (1 - writer->number) * SLOTS, SLOTS); /* the other writer's part */
    assert_ok(selsnap_view_close(view));
    clone_again(cloner, id, number, writer->number, k);
}

static void *make_clones(void *argument) {
    struct cloner *cloner = argument;
    for (unsigned number = 1; number <= CLONES; number++) {
        clone_once(cloner, number);
    }
    return NULL;
}

/* Each writer has a snapshot of its own. Gives how many clones were refused. */
static unsigned run_round(struct rig *rig, unsigned round) {
    struct writer writers[WRITERS + 1];
    struct cloner cloners[CLONERS];
    _Atomic bool stop = false;
    unsigned refused = 0;
    memset(writers, 0, sizeof writers);
    memset(cloners, 0, sizeof cloners);
    rig_write(rig, 0, 64, 0);
    for (unsigned i = 0; i <= WRITERS; i++) {
        writers[i].rig = rig;
        writers[i].number = i;
        writers[i].stop = &stop;
        if (i < WRITERS) {
            char name[32];
            (void)snprintf(name, sizeof name, "%u-of-%u", i, round);
            writers[i].id = rig_snapshot(rig, name, 0, 0);
        }
        assert_int_equal(pthread_create(&writers[i].thread, NULL, i < WRITERS ? write_into : write_live, &writers[i]),
                         0);
    }
    for (unsigned i = 0; i < CLONERS; i++) {
        cloners[i] = (struct cloner){.rig = rig, .number = i, .round = round, .writers = writers};
        cloners[i].prng = prng_init(round * UINT64_C(100) + i);
        assert_int_equal(pthread_create(&cloners[i].thread, NULL, make_clones, &cloners[i]), 0);
    }
    for (unsigned i = 0; i < CLONERS; i++) {
        pthread_join(cloners[i].thread, NULL);
        refused += cloners[i].refused;
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i <= WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        selsnap_view *view = rig_view(rig, writers[i].id, 0, SELSNAP_UNDESIGNATED_ERROR);
        assert_int_equal(check_prefix(view, i), atomic_load(&writers[i].acknowledged));
        check_frozen(view, SPARE, CLONERS);
        assert_ok(selsnap_view_close(view));
    }
    rig_assert_sound(rig);
    return refused;
}

static void test_clones__made_beside_writers__each_a_moment_of_its_source(void **state) {
    (void)state;
    struct rig rig;
    unsigned refused = 0;
    const struct rig_options options = {.store_bytes = 16 << 20};
    rig_open(&rig, &options);
    for (unsigned round = 0; round < ROUNDS; round++) {
        refused += run_round(&rig, round);
        if (round % 2 == 1) {
            rig_reopen(&rig);
        }
        selsnap_snapshot_info info = {.struct_size = sizeof info};
        while (selsnap_snapshot_next(rig.ss, 0, &info) == SELSNAP_OK) {
            assert_ok(selsnap_snapshot_delete(rig.ss, info.id));
        }
        rig_settle(&rig);
        rig_assert_sound(&rig);
    }
    print_message("# %u of %u refused for their layers\n", refused, ROUNDS * CLONERS * CLONES);
    assert_true(refused < ROUNDS * CLONERS * CLONES / 4);
    assert_int_equal(rig_stats(&rig).snapshots, 0);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clones__made_beside_writers__each_a_moment_of_its_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
