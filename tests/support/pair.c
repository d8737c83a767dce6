/* SPDX-License-Identifier: Apache-2.0 */
#include "pair.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HANGS_S = 60 };

/* A deadlock ends the program, and so the test; on Windows only Meson does. */
static void deadline(unsigned seconds) {
#ifdef _WIN32
    (void)seconds;
#else
    (void)alarm(seconds);
#endif
}

/* ---- opening and closing ---- */

int pair_setup(void **state) {
    *state = calloc(1, sizeof(struct pair));
    return *state != NULL ? 0 : -1;
}

void pair_open_sized(struct pair *pair, uint64_t blocks, uint64_t store_bytes, const struct rig_options *options) {
    pair->origin = stalldev_open(blocks * BLOCK);
    pair->store = stalldev_open(store_bytes);
    rig_open_on(&pair->rig, pair->origin->device, pair->store->device, options);
    pair->open = true;
    deadline(HANGS_S);
}

void pair_open(struct pair *pair) {
    pair_open_sized(pair, BLOCKS, STORE_BYTES, NULL);
}

void pair_close(struct pair *pair) {
    rig_close(&pair->rig);
    pair->open = false;
    deadline(0);
}

/* After a failure: nothing waits any more, every thread ends. What is open stays so. */
int pair_teardown(void **state) {
    struct pair *pair = *state;
    if (!pair->open) {
        free(pair);
        return 0;
    }
    stalldev_release(pair->origin);
    stalldev_release(pair->store);
    if (pair->rig.ss != NULL) {
        (void)!selsnap_thaw(pair->rig.ss);
    }
    while (pair->running != NULL) {
        struct call *copy = pair->running;
        pair->running = copy->next;
        (void)pthread_join(copy->thread, NULL);
        free(copy);
    }
    deadline(0);
    return 0;
}

/* ---- another thread's call ---- */

static int write_blocks(struct call *call) {
    int code = SELSNAP_OK;
    uint64_t count = call->count == 0 ? 1 : call->count;
    for (uint64_t i = 0; i < count && code == SELSNAP_OK; i++) {
        code = rig_try_write(&call->pair->rig, call->block + i, 1, call->sequence);
        atomic_fetch_add(&call->written, code == SELSNAP_OK);
    }
    return code;
}

static int make_call(struct call *call) {
    selsnap *ss = call->pair->rig.ss;
    selsnap_snapshot_options snapshot = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_restore_options restore = SELSNAP_RESTORE_OPTIONS_INIT;
    selsnap_step_options step = SELSNAP_STEP_OPTIONS_INIT;
    switch (call->what) {
    case CALL_WRITE:
        return write_blocks(call);
    case CALL_CREATE:
        snapshot.name = call->name;
        snapshot.designation = "d";
        return selsnap_snapshot_create(ss, &snapshot, &call->made);
    case CALL_DELETE:
        return selsnap_snapshot_delete(ss, call->id);
    case CALL_RESTORE:
        restore.id = call->id;
        return selsnap_restore_start(ss, &restore, &call->made);
    case CALL_RUN:
        return selsnap_restore_run(ss, call->id, NULL, NULL);
    case CALL_STEP:
        step.flags = call->flags;
        return selsnap_step(ss, &step, NULL);
    case CALL_READ:
        return selsnap_read(ss, call->buf, BLOCK, call->block * BLOCK);
    case CALL_VIEW:
        return rig_read_snapshot(&call->pair->rig, call->id, call->block, call->buf);
    case CALL_VIEW_FLUSH:
        return selsnap_view_flush(call->view);
    case CALL_ABANDON:
        return selsnap_abandon(ss);
    default:
        return selsnap_freeze(ss);
    }
}

static void *run_call(void *argument) {
    struct call *call = argument;
    call->code = make_call(call);
    atomic_store(&call->ended, true);
    return NULL;
}

/* The thread has a copy of its own, which outlives a test that fails. */
void begin(struct pair *pair, struct call *call) {
    struct call *copy = malloc(sizeof *copy);
    assert_non_null(copy);
    call->pair = pair;
    call->copy = copy;
    memcpy(copy, call, sizeof *copy);
    copy->next = pair->running;
    pair->running = copy;
    assert_int_equal(pthread_create(&copy->thread, NULL, run_call, copy), 0);
}

void end(struct call *call) {
    struct pair *pair = call->pair;
    struct call *copy = call->copy;
    assert_int_equal(pthread_join(copy->thread, NULL), 0);
    struct call **at = &pair->running;
    while (*at != copy) {
        at = &(*at)->next;
    }
    *at = copy->next;
    memcpy(call, copy, sizeof *call);
    free(copy);
    assert_ok(call->code);
}

bool has_ended(const struct call *call) {
    return atomic_load(&call->copy->ended);
}

void assert_waits(const struct call *call) {
    usleep(AWHILE_US);
    assert_false(has_ended(call));
}

uint64_t wait_while_it_writes(const struct call *call) {
    uint64_t before;
    uint64_t now = atomic_load(&call->copy->written);
    do {
        before = now;
        usleep(5 * AWHILE_US);
        now = atomic_load(&call->copy->written);
    } while (!has_ended(call) && now != before);
    return now;
}

void wait_for_epoch(struct pair *pair, uint64_t epoch) {
    while (rig_stats(&pair->rig).epoch < epoch) {
        usleep(100);
    }
}

/* ---- the devices as they are at this moment ---- */

struct image take_image(struct pair *pair) {
    struct image image = {rig_copy_device(pair->origin->base), rig_copy_device(pair->store->base)};
    return image;
}

void go_on_with(struct pair *pair, struct image image) {
    struct rig *rig = &pair->rig;
    (void)selsnap_close(rig->ss);
    rig->ss = NULL;
    assert_int_equal(rig->heap.live, 0);
    selsnap_device_close(rig->origin);
    selsnap_device_close(rig->store);
    selsnap_device_close(rig->origin_base);
    selsnap_device_close(rig->store_base);
    rig->origin_base = image.origin;
    rig->store_base = image.store;
    assert_ok(selsnap_device_open_counting(image.origin, &rig->origin));
    assert_ok(selsnap_device_open_counting(image.store, &rig->store));
    rig_start(rig);
}

uint64_t start_restore(struct pair *pair, uint64_t id) {
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    uint64_t job = 0;
    options.id = id;
    assert_ok(selsnap_restore_start(pair->rig.ss, &options, &job));
    return job;
}
