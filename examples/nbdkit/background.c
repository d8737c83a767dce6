/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that waits (space of deleted snapshots, restores, checkpoints, deferred writes), done in steps by a thread of its
 * own: one after another while there is any, then once a second. After a failure it waits longer, up to half a minute,
 * and tells of it once.
 */
#include "server.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define IDLE_MS 1000
#define FAILED_MS_MAX 32000

int start_thread(pthread_t *ret_thread, void *(*run)(void *), void *argument) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(ret_thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Wait, unless it is to stop. Whether to go on. */
static bool pause_for(struct background *background, int64_t ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&background->lock);
    while (!background->stopping && ms > 0 &&
           pthread_cond_timedwait(&background->changed, &background->lock, &until) != ETIMEDOUT) {
    }
    bool go_on = !background->stopping;
    pthread_mutex_unlock(&background->lock);
    return go_on;
}

/* One step. While a command advances restores, only the rest. */
static int one_step(struct background *background, uint32_t *ret_more) {
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    bool held = pthread_mutex_trylock(background->restoring) == 0;
    options.flags = held ? 0 : SELSNAP_STEP_RECLAIM | SELSNAP_STEP_CHECKPOINT;
    int code = selsnap_step(background->ss, &options, ret_more);
    if (held) {
        pthread_mutex_unlock(background->restoring);
    }
    return code == SELSNAP_EBUSY ? SELSNAP_OK : code;
}

static void *work(void *argument) {
    struct background *background = argument;
    int64_t wait_ms = IDLE_MS;
    int told = SELSNAP_OK;
    while (pause_for(background, wait_ms)) {
        uint32_t more = 0;
        int code = one_step(background, &more);
        if (code != SELSNAP_OK && code != told) {
            char detail[512] = "";
            (void)selsnap_last_error(background->ss, detail, sizeof(detail));
            nbdkit_error("background work: %s: %s; it is tried again", selsnap_strerror(code), detail);
        }
        told = code;
        if (code == SELSNAP_OK) {
            wait_ms = more != 0 ? 1 : IDLE_MS;
        } else {
            wait_ms = wait_ms < IDLE_MS ? IDLE_MS : wait_ms * 2 < FAILED_MS_MAX ? wait_ms * 2 : FAILED_MS_MAX;
        }
    }
    return NULL;
}

int background_start(struct background *background, selsnap *ss, pthread_mutex_t *restoring) {
    pthread_condattr_t monotonic;
    background->ss = ss;
    background->restoring = restoring;
    pthread_mutex_init(&background->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&background->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int error = start_thread(&background->thread, work, background);
    background->started = error == 0;
    if (error != 0) {
        nbdkit_error("background work: %s", strerror(error));
    }
    return error == 0 ? 0 : -1;
}

void background_stop(struct background *background) {
    if (!background->started) {
        return;
    }
    pthread_mutex_lock(&background->lock);
    background->stopping = true;
    pthread_cond_signal(&background->changed);
    pthread_mutex_unlock(&background->lock);
    pthread_join(background->thread, NULL);
    background->started = false;
    pthread_cond_destroy(&background->changed);
    pthread_mutex_destroy(&background->lock);
}
