/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads on one context. Clean under ThreadSanitizer. */
#include "prng.h"
#include "rig.h"
#include "testdev.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WRITERS = 6, SLOTS = 16, ROUNDS = 60 };

/* A writer writes its blocks in turn, with rising sequence numbers; so what stands there tells how far it was. */
struct writer {
    pthread_t thread;
    struct rig *rig;
    unsigned number;
    _Atomic bool *stop;
    _Atomic uint64_t begun;
    _Atomic uint64_t acknowledged;
    _Atomic int failure;
};

static uint64_t block_of(unsigned writer, uint64_t sequence) {
    return (uint64_t)writer * SLOTS + sequence % SLOTS;
}

static void *write_in_order(void *argument) {
    struct writer *writer = argument;
    uint8_t buf[4096];
    for (uint64_t n = 1; !atomic_load(writer->stop); n++) {
        uint64_t offset = block_of(writer->number, n) * 4096;
        pattern_fill(buf, sizeof buf, offset, writer->number + 1, n);
        atomic_store(&writer->begun, n);
        int code = selsnap_write(writer->rig->ss, buf, sizeof buf, offset);
        if (code != SELSNAP_OK) {
            atomic_store(&writer->failure, code);
            break;
        }
        atomic_store(&writer->acknowledged, n);
        if (n % 32 == 0) {
            usleep(200);
        }
    }
    return NULL;
}

/*
 * What a snapshot holds of one writer is a prefix of its writes, up to some k: each block as the last of the first k
 * writes left it. Gives k.
 */
static uint64_t check_prefix(selsnap_view *view, unsigned writer) {
    uint8_t buf[SLOTS * 4096];
    uint64_t found[SLOTS];
    uint64_t last = 0;
    assert_ok(selsnap_view_read(view, buf, sizeof buf, (uint64_t)writer * SLOTS * 4096));
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        struct pattern pattern;
        uint64_t offset = ((uint64_t)writer * SLOTS + slot) * 4096;
        assert_true(pattern_read(buf + slot * 4096, &pattern));
        assert_true(
            pattern_is(buf + slot * 4096, 4096, offset, pattern.sequence == 0 ? 0 : writer + 1, pattern.sequence));
        found[slot] = pattern.sequence;
        last = last > pattern.sequence ? last : pattern.sequence;
    }
    for (uint64_t n = last; n > 0 && n + SLOTS > last; n--) {
        assert_int_equal(found[n % SLOTS], n);
    }
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        assert_true(found[slot] + SLOTS > last || (last < SLOTS && found[slot] == 0));
    }
    return last;
}

static void start_writers(struct writer *writers, struct rig *rig, _Atomic bool *stop) {
    for (unsigned i = 0; i < WRITERS; i++) {
        memset(&writers[i], 0, sizeof writers[i]);
        writers[i].rig = rig;
        writers[i].number = i;
        writers[i].stop = stop;
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_in_order, &writers[i]), 0);
    }
}

static void join_writers(struct writer *writers) {
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        assert_int_equal(atomic_load(&writers[i].failure), 0);
    }
}

static uint64_t open_snapshot(struct rig *rig, unsigned number) {
    char name[32];
    snprintf(name, sizeof name, "s%u", number);
    return rig_snapshot_of(rig, name, "d");
}

static void test_threads__snapshots_under_writers__hold_a_prefix_of_each(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.origin_bytes = (WRITERS * SLOTS + 32) * 4096, .store_bytes = 64 << 20};
    struct writer writers[WRITERS];
    _Atomic bool stop = false;
    uint64_t kept[4] = {0};
    uint64_t reached[WRITERS] = {0};
    rig_open(&rig, &options);
    rig_save(&rig, "d", 0, WRITERS * SLOTS);
    start_writers(writers, &rig, &stop);
    for (unsigned round = 0; round < (test_share() > 1 ? ROUNDS / 4 : ROUNDS); round++) {
        uint64_t before[WRITERS];
        for (unsigned i = 0; i < WRITERS; i++) {
            before[i] = atomic_load(&writers[i].acknowledged);
        }
        uint64_t id = open_snapshot(&rig, round);
        selsnap_view *view = rig_view(&rig, id, 0, SELSNAP_UNDESIGNATED_ERROR);
        for (unsigned i = 0; i < WRITERS; i++) {
            uint64_t k = check_prefix(view, i);
            assert_true(k >= before[i] && k >= reached[i] && k <= atomic_load(&writers[i].begun));
            reached[i] = k;
        }
        usleep(500);
        for (unsigned i = 0; i < WRITERS; i++) {
            assert_int_equal(check_prefix(view, i), reached[i]); /* later, it is still the same */
        }
        assert_ok(selsnap_view_close(view));
        if (kept[round % 4] != 0) {
            assert_ok(selsnap_snapshot_delete(rig.ss, kept[round % 4]));
        }
        kept[round % 4] = id;
        assert_ok(selsnap_step(rig.ss, NULL, NULL));
    }
    atomic_store(&stop, true);
    join_writers(writers);
    assert_true(reached[0] > 0);
    rig_assert_sound(&rig);
    rig_close(&rig);
}

static void test_threads__killed_after_writers__snapshots_hold_the_same(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.origin_bytes = WRITERS * SLOTS * 4096, .store_bytes = 64 << 20};
    struct writer writers[WRITERS];
    _Atomic bool stop = false;
    uint64_t ids[5];
    uint64_t reached[5][WRITERS];
    rig_open(&rig, &options);
    rig_save(&rig, "d", 0, 0);
    start_writers(writers, &rig, &stop);
    for (unsigned round = 0; round < 5; round++) {
        usleep(3000);
        ids[round] = open_snapshot(&rig, round);
        selsnap_view *view = rig_view(&rig, ids[round], 0, SELSNAP_UNDESIGNATED_ERROR);
        for (unsigned i = 0; i < WRITERS; i++) {
            reached[round][i] = check_prefix(view, i);
        }
        assert_ok(selsnap_view_close(view));
    }
    atomic_store(&stop, true);
    join_writers(writers);
    rig_crash(&rig);
    for (unsigned round = 0; round < 5; round++) {
        selsnap_view *view = rig_view(&rig, ids[round], 0, SELSNAP_UNDESIGNATED_ERROR);
        for (unsigned i = 0; i < WRITERS; i++) {
            assert_int_equal(check_prefix(view, i), reached[round][i]);
        }
        assert_ok(selsnap_view_close(view));
    }
    rig_assert_sound(&rig);
    rig_close(&rig);
}

/* ---- everything at once ---- */

enum { MIXERS = 6, MIX_BLOCKS = 300, MIX_STEPS = 250 };

struct mixer {
    pthread_t thread;
    struct rig *rig;
    unsigned number;
};

/* Every sector of a block describes its own place, or is zero. */
static void assert_own_place(const uint8_t *buf, uint64_t offset) {
    for (size_t at = 0; at < 4096; at += PATTERN_SECTOR) {
        struct pattern pattern;
        if (!pattern_all_zero(buf + at, PATTERN_SECTOR)) {
            assert_true(pattern_read(buf + at, &pattern));
            assert_int_equal(pattern.sector, (offset + at) / PATTERN_SECTOR);
        }
    }
}

static uint64_t random_snapshot(struct rig *rig, struct prng *prng) {
    uint64_t after = prng_below(prng, rig_stats(rig).snapshots + 1);
    selsnap_snapshot_info info = {0};
    info.struct_size = sizeof info;
    uint64_t id = 0;
    for (uint64_t i = 0; i <= after; i++) {
        if (selsnap_snapshot_next(rig->ss, id, &info) != SELSNAP_OK) {
            break;
        }
        id = info.id;
    }
    return id;
}

static void mix_write(struct mixer *mixer, struct prng *prng, uint64_t n) {
    uint64_t block = prng_below(prng, MIX_BLOCKS - 8);
    size_t len = (size_t)(1 + prng_below(prng, 8)) * 4096;
    uint8_t buf[8 * 4096];
    pattern_fill(buf, len, block * 4096, mixer->number + 1, n);
    int code = prng_percent(prng, 90) ? selsnap_write(mixer->rig->ss, buf, len, block * 4096)
                                      : selsnap_write_zeroes(mixer->rig->ss, block * 4096, len);
    assert_ok(code);
}

/* Two reads of a pristine view agree, and hold nothing of another place. */
static void mix_view(struct mixer *mixer, struct prng *prng) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    options.id = random_snapshot(mixer->rig, prng);
    options.flags = prng_percent(prng, 50) ? SELSNAP_VIEW_PRISTINE : SELSNAP_VIEW_WRITABLE;
    if (options.id == 0) {
        return;
    }
    int code = selsnap_view_open(mixer->rig->ss, &options, &view);
    if (code == SELSNAP_ENOENT) {
        return; /* deleted meanwhile */
    }
    assert_ok(code);
    for (unsigned i = 0; i < 8; i++) {
        uint8_t first[4096];
        uint8_t second[4096];
        uint64_t offset = prng_below(prng, MIX_BLOCKS) * 4096;
        code = selsnap_view_read(view, first, sizeof first, offset);
        if (code == SELSNAP_EUNDESIGNATED) {
            continue;
        }
        assert_ok(code);
        assert_own_place(first, offset);
        if (options.flags == SELSNAP_VIEW_PRISTINE) {
            sched_yield();
            assert_ok(selsnap_view_read(view, second, sizeof second, offset));
            assert_memory_equal(first, second, sizeof first);
        } else {
            pattern_fill(first, sizeof first, offset, 100 + mixer->number, i);
            assert_ok(selsnap_view_write(view, first, sizeof first, offset));
        }
    }
    if (options.flags == SELSNAP_VIEW_WRITABLE && prng_percent(prng, 20)) {
        assert_ok(selsnap_view_reset(view));
    }
    assert_ok(selsnap_view_close(view));
}

static void mix_create(struct mixer *mixer, struct prng *prng, uint64_t n) {
    char name[32];
    if (rig_stats(mixer->rig).snapshots >= 12) {
        return;
    }
    snprintf(name, sizeof name, "m%u-%u", mixer->number, (unsigned)n);
    uint64_t first = prng_below(prng, MIX_BLOCKS);
    uint64_t id = 0;
    assert_ok(rig_try_snapshot(mixer->rig, name, first, 1 + prng_below(prng, MIX_BLOCKS - first),
                               SELSNAP_POLICY_FAIL_WRITE, &id));
}

static void mix_manage(struct mixer *mixer, struct prng *prng) {
    uint64_t id = random_snapshot(mixer->rig, prng);
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    int code;
    switch (prng_below(prng, 4)) {
    case 0:
        code = selsnap_snapshot_delete(mixer->rig->ss, id);
        assert_true(code == SELSNAP_OK || code == SELSNAP_EBUSY || code == SELSNAP_ENOENT);
        break;
    case 1:
        options.id = id;
        code = selsnap_restore_start(mixer->rig->ss, &options, NULL);
        assert_true(code == SELSNAP_OK || code == SELSNAP_EBUSY || code == SELSNAP_ENOENT);
        break;
    default:
        code = selsnap_step(mixer->rig->ss, NULL, NULL);
        assert_true(code == SELSNAP_OK || code == SELSNAP_EBUSY);
        break;
    }
}

static void *mix(void *argument) {
    struct mixer *mixer = argument;
    struct prng prng = prng_init(mixer->number + 77);
    uint8_t buf[4096];
    for (uint64_t n = 1; n <= (test_share() > 1 ? MIX_STEPS / 4 : MIX_STEPS); n++) {
        uint64_t offset = prng_below(&prng, MIX_BLOCKS) * 4096;
        switch (prng_below(&prng, 10)) {
        case 0:
            mix_create(mixer, &prng, n);
            break;
        case 1:
            mix_manage(mixer, &prng);
            break;
        case 2:
            mix_view(mixer, &prng);
            break;
        case 3:
            assert_ok(selsnap_flush(mixer->rig->ss));
            break;
        case 4:
            assert_ok(selsnap_read(mixer->rig->ss, buf, sizeof buf, offset));
            break;
        default:
            mix_write(mixer, &prng, n);
            break;
        }
    }
    return NULL;
}

static void test_threads__all_operations_at_once__blocks_stay_in_their_place(void **state) {
    (void)state;
    struct rig rig;
    const struct rig_options options = {.origin_bytes = MIX_BLOCKS * 4096, .store_bytes = 128 << 20};
    struct mixer mixers[MIXERS];
    struct wire wire;
    selsnap_device *store = NULL;
    /* Live writes that overlap race by right, but each sector is of one of them: a device in memory would mix their bytes. */
    wire_init(&wire, false);
    struct testdev *origin = testdev_open(&wire, 'o', MIX_BLOCKS * 4096, 0, NULL);
    assert_ok(selsnap_device_open_memory(options.store_bytes, 0, &store));
    rig_open_on(&rig, origin->device, store, &options);
    for (unsigned i = 0; i < MIXERS; i++) {
        mixers[i].rig = &rig;
        mixers[i].number = i;
        assert_int_equal(pthread_create(&mixers[i].thread, NULL, mix, &mixers[i]), 0);
    }
    for (unsigned i = 0; i < MIXERS; i++) {
        pthread_join(mixers[i].thread, NULL);
    }
    rig_assert_sound(&rig);
    rig_settle(&rig);
    rig_assert_sound(&rig);
    rig_reopen(&rig);
    rig_assert_sound(&rig);
    rig_close(&rig);
    wire_fini(&wire);
}

/* ---- commits ---- */

enum { GROUP_WRITERS = 32, GROUP_WRITES = 6 };

static void *write_apart(void *argument) {
    struct writer *writer = argument;
    for (uint64_t i = 0; i < GROUP_WRITES; i++) {
        uint8_t buf[4096];
        uint64_t offset = (writer->number * (uint64_t)GROUP_WRITES + i) * 4096;
        pattern_fill(buf, sizeof buf, offset, 1, 1);
        if (selsnap_write(writer->rig->ss, buf, sizeof buf, offset) != SELSNAP_OK) {
            atomic_store(&writer->failure, 1);
        }
    }
    return NULL;
}

static void test_threads__32_writers__share_flushes(void **state) {
    (void)state;
    struct rig rig;
    struct wire wire;
    struct writer writers[GROUP_WRITERS];
    enum { BLOCKS = GROUP_WRITERS * GROUP_WRITES };
    wire_init(&wire, false);
    struct testdev *origin = testdev_open(&wire, 'o', BLOCKS * 4096, 0, NULL);
    struct testdev *store = testdev_open(&wire, 's', 32 << 20, 0, NULL);
    rig_open_on(&rig, origin->device, store->device, NULL);
    uint64_t id = rig_snapshot(&rig, "s", 0, 0);
    store->flush_us = 2000;
    rig_reset_counts(&rig);
    for (unsigned i = 0; i < GROUP_WRITERS; i++) {
        memset(&writers[i], 0, sizeof writers[i]);
        writers[i].rig = &rig;
        writers[i].number = i;
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_apart, &writers[i]), 0);
    }
    for (unsigned i = 0; i < GROUP_WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        assert_int_equal(atomic_load(&writers[i].failure), 0);
    }
    store->flush_us = 0;
    assert_true(rig_store_counts(&rig).flushes > 0);
    assert_true(rig_store_counts(&rig).flushes <= BLOCKS / 2);
    rig_assert_snapshot(&rig, id, 0, BLOCKS, 0);
    rig_assert_live(&rig, 0, BLOCKS, 1);
    rig_close(&rig);
    wire_fini(&wire);
}

static void *preserve_one(void *argument) {
    rig_write(argument, 0, 1, 1);
    return NULL;
}

static void *create_one(void *argument) {
    (void)rig_snapshot_of(argument, "second", "d");
    return NULL;
}

/* A writer that preserves and a create wait for a store that hangs; writes that need nothing of it pass [P4, P9]. */
static void test_threads__store_hangs__clean_writes_go_on(void **state) {
    (void)state;
    struct rig rig;
    struct wire wire;
    pthread_t preserving;
    pthread_t creating;
    wire_init(&wire, false);
    struct testdev *origin = testdev_open(&wire, 'o', 64 * 4096, 0, NULL);
    struct testdev *store = testdev_open(&wire, 's', 16 << 20, 0, NULL);
    rig_open_on(&rig, origin->device, store->device, NULL);
    rig_save(&rig, "d", 0, 8);
    (void)rig_snapshot_of(&rig, "first", "d");
    atomic_store(&store->hangs, true);
    assert_int_equal(pthread_create(&preserving, NULL, preserve_one, &rig), 0);
    while (atomic_load(&store->hanging) == 0) {
        usleep(100);
    }
    assert_int_equal(pthread_create(&creating, NULL, create_one, &rig), 0);
    for (uint64_t sequence = 1; sequence <= 200; sequence++) {
        rig_write(&rig, 20, 8, sequence);
        rig_assert_live(&rig, 20, 8, sequence);
        usleep(50);
    }
    assert_int_equal(atomic_load(&store->hanging), 1); /* it hung all the time */
    rig_assert_origin(&rig, 0, 1, 0);
    atomic_store(&store->hangs, false);
    pthread_join(preserving, NULL);
    pthread_join(creating, NULL);
    rig_assert_live(&rig, 0, 1, 1);
    rig_close(&rig);
    wire_fini(&wire);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads__snapshots_under_writers__hold_a_prefix_of_each),
        cmocka_unit_test(test_threads__killed_after_writers__snapshots_hold_the_same),
        cmocka_unit_test(test_threads__all_operations_at_once__blocks_stay_in_their_place),
        cmocka_unit_test(test_threads__32_writers__share_flushes),
        cmocka_unit_test(test_threads__store_hangs__clean_writes_go_on),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
