/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The progress bar, and the wish to stop.
 *
 * The one variable at file scope is what a signal handler can reach: C offers nothing else.
 */
#include "cli.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BAR_WIDTH 30
#define REDRAW_MS 100

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
    (void)number;
    interrupted = 1;
}

void interrupt_catch(void) {
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    sigemptyset(&action.sa_mask);
    /* No SA_RESTART: a read that waits on a pipe has to end. One signal only: a second one kills, should the first
     * not be looked at in time. */
    action.sa_handler = on_signal;
    action.sa_flags = (int)SA_RESETHAND;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* A reader of our output that goes away is a write error, which closes the store properly. */
    action.sa_handler = SIG_IGN;
    action.sa_flags = 0;
    sigaction(SIGPIPE, &action, NULL);
}

bool interrupt_seen(void) {
    return interrupted != 0;
}

static int64_t now_ms(void) {
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void progress_init(struct progress *progress, const char *label) {
    progress->label = label;
    progress->terminal = isatty(STDERR_FILENO) == 1;
    progress->shown = false;
    progress->last_ms = now_ms();
    progress->unit_bytes = 0;
    progress->began = false;
}

/* " 12.3 MiB/s, 1:05 left"; empty where it is not known. */
static const char *pace_text(struct progress *progress, int64_t now, uint64_t done, uint64_t total, char *buf,
                             size_t len) {
    double seconds = (double)(now - progress->began_ms) / 1000.0;
    double units = (double)(done - progress->began_at);
    char size[32];
    buf[0] = '\0';
    if (progress->unit_bytes == 0 || done <= progress->began_at || seconds <= 0.0) {
        return buf;
    }
    double left = done < total ? (double)(total - done) * seconds / units : 0.0;
    uint64_t whole = left < 360000.0 ? (uint64_t)left : 360000;
    snprintf(buf, len, " %s/s, %" PRIu64 ":%02" PRIu64 " left",
             size_text((uint64_t)(units * progress->unit_bytes / seconds), size, sizeof(size)), whole / 60, whole % 60);
    return buf;
}

int progress_tell(void *user, uint64_t done, uint64_t total) {
    struct progress *progress = user;
    int stop = interrupt_seen() ? 1 : 0;
    if (!progress->terminal) {
        return stop;
    }
    /* Work that ends at once shows nothing. */
    int64_t now = now_ms();
    if (!progress->began) {
        progress->began = true;
        progress->began_ms = now;
        progress->began_at = done;
    }
    if (now - progress->last_ms < REDRAW_MS) {
        return stop;
    }
    progress->last_ms = now;
    progress->shown = true;
    if (total == 0) {
        fprintf(stderr, "\r%s: %" PRIu64 "\033[K", progress->label, done);
        return stop;
    }
    double part = done >= total ? 1.0 : (double)done / (double)total;
    char bar[BAR_WIDTH + 1];
    size_t filled = (size_t)(part * BAR_WIDTH);
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '=', filled);
    bar[BAR_WIDTH] = '\0';
    char pace[80];
    fprintf(stderr, "\r%s: [%s] %3d %%%s\033[K", progress->label, bar, (int)(part * 100.0),
            pace_text(progress, now, done, total, pace, sizeof(pace)));
    return stop;
}

void progress_end(struct progress *progress) {
    if (progress->shown) {
        fprintf(stderr, "\r\033[K");
        progress->shown = false;
    }
}
