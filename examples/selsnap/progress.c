/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress, as a bar or as lines, and the wish to stop.
 *
 * The one variable at file scope is what a signal handler can reach: C offers nothing else.
 */
#include "cli.h"
#include "system.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BAR_WIDTH 30
#define REDRAW_MS 100
#define LINE_MS 1000

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
    (void)number;
    interrupted = 1;
}

void interrupt_catch(void) {
    system_on_interrupt(on_signal);
}

bool interrupt_seen(void) {
    return interrupted != 0;
}

bool stop_asked(const struct cli *cli) {
    return cli->served != NULL ? cli->served->stop(cli->served->stop_user) : interrupt_seen();
}

static int64_t now_ms(void) {
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void progress_init(struct progress *progress, const struct cli *cli, const char *label) {
    memset(progress, 0, sizeof(*progress));
    progress->cli = cli;
    progress->label = label;
    progress->terminal = isatty(cli->err_fd) == 1;
    if (args_given(&cli->args, OPT_PROGRESS)) {
        progress->lines = cli->json || !progress->terminal;
        progress->json = cli->json;
    }
    progress->last_ms = now_ms();
}

bool progress_shows(const struct progress *progress) {
    return progress->terminal || progress->lines;
}

/* How it stands, in numbers. */
struct pace {
    bool has_bytes;
    uint64_t done_bytes;
    uint64_t total_bytes; /* 0: not known */
    bool has_rate;
    uint64_t rate; /* bytes a second */
    bool has_left;
    uint64_t seconds_left;
};

static uint64_t bytes_of(const struct progress *progress, uint64_t done) {
    return progress->stream_bytes != NULL ? *progress->stream_bytes : done * progress->unit_bytes;
}

static struct pace pace_of(const struct progress *progress, int64_t now, uint64_t done, uint64_t total) {
    struct pace pace;
    double seconds = (double)(now - progress->began_ms) / 1000.0;
    memset(&pace, 0, sizeof(pace));
    pace.has_bytes = progress->stream_bytes != NULL || progress->unit_bytes != 0;
    pace.done_bytes = bytes_of(progress, done);
    pace.total_bytes = progress->stream_bytes != NULL ? progress->stream_total : total * progress->unit_bytes;
    if (done > progress->began_at && seconds > 0.0) {
        pace.has_rate = pace.has_bytes && pace.done_bytes > progress->began_bytes;
        pace.rate = pace.has_rate ? (uint64_t)((double)(pace.done_bytes - progress->began_bytes) / seconds) : 0;
        double left = done < total ? (double)(total - done) * seconds / (double)(done - progress->began_at) : 0.0;
        pace.has_left = total > 0;
        pace.seconds_left = left < 360000.0 ? (uint64_t)left : 360000;
    }
    return pace;
}

/* " 1.0 MiB of 9.0 MiB, 12.3 MiB/s, 1:05 left", as far as it is known. */
static const char *pace_text(const struct pace *pace, char *buf, size_t len) {
    char a[32];
    char b[32];
    size_t at = 0;
    buf[0] = '\0';
    if (pace->has_bytes && pace->total_bytes > 0) {
        at += (size_t)snprintf(buf, len, " %s of %s", size_text(pace->done_bytes, a, sizeof(a)),
                               size_text(pace->total_bytes, b, sizeof(b)));
    } else if (pace->has_bytes) {
        at += (size_t)snprintf(buf, len, " %s", size_text(pace->done_bytes, a, sizeof(a)));
    }
    if (pace->has_rate) {
        at += (size_t)snprintf(buf + at, len - at, "%s %s/s", at > 0 ? "," : "", size_text(pace->rate, a, sizeof(a)));
    }
    if (pace->has_left) {
        (void)snprintf(buf + at, len - at, "%s %" PRIu64 ":%02" PRIu64 " left", at > 0 ? "," : "",
                       pace->seconds_left / 60, pace->seconds_left % 60);
    }
    return buf;
}

static void draw_bar(struct progress *progress, double part, const char *pace) {
    char bar[BAR_WIDTH + 1];
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '=', (size_t)(part * BAR_WIDTH));
    bar[BAR_WIDTH] = '\0';
    progress->shown = true;
    fprintf(progress->cli->err, "\r%s: [%s] %3d %%%s\033[K", progress->label, bar, (int)(part * 100.0), pace);
}

static void print_json(const struct progress *progress, const struct pace *pace, uint64_t done, uint64_t total) {
    json_t *object = json_object();
    json_object_set_new(object, "what", json_text(progress->label));
    json_object_set_new(object, "done", json_u64(done));
    json_object_set_new(object, "total", total > 0 ? json_u64(total) : json_null());
    json_object_set_new(object, "done_bytes", pace->has_bytes ? json_u64(pace->done_bytes) : json_null());
    json_object_set_new(object, "total_bytes",
                        pace->has_bytes && pace->total_bytes > 0 ? json_u64(pace->total_bytes) : json_null());
    json_object_set_new(object, "bytes_per_second", pace->has_rate ? json_u64(pace->rate) : json_null());
    json_object_set_new(object, "seconds_left", pace->has_left ? json_u64(pace->seconds_left) : json_null());
    json_t *whole = json_pack("{s:o}", "progress", object);
    if (whole != NULL) {
        (void)json_dumpf(whole, progress->cli->err, JSON_COMPACT);
        fputc('\n', progress->cli->err);
        json_decref(whole);
    }
}

static void show(struct progress *progress, int64_t now) {
    uint64_t done = progress->done;
    uint64_t total = progress->total;
    double part = done >= total ? 1.0 : (double)done / (double)total;
    struct pace pace = pace_of(progress, now, done, total);
    char text[160];
    if (progress->json) {
        print_json(progress, &pace, done, total);
        return;
    }
    (void)pace_text(&pace, text, sizeof(text));
    if (progress->lines && total > 0) {
        fprintf(progress->cli->err, "%s: %d %%%s\n", progress->label, (int)(part * 100.0), text);
    } else if (total > 0) {
        draw_bar(progress, part, text);
    } else if (progress->lines) {
        fprintf(progress->cli->err, "%s: %" PRIu64 "%s\n", progress->label, done, text);
    } else {
        progress->shown = true;
        fprintf(progress->cli->err, "\r%s: %" PRIu64 "%s\033[K", progress->label, done, text);
    }
}

int progress_tell(void *user, uint64_t done, uint64_t total) {
    struct progress *progress = user;
    int stop = stop_asked(progress->cli) ? 1 : 0;
    if (!progress_shows(progress)) {
        return stop;
    }
    int64_t now = now_ms();
    if (!progress->began) {
        progress->began = true;
        progress->began_ms = now;
        progress->began_at = done;
        progress->began_bytes = bytes_of(progress, done);
    }
    progress->done = done;
    progress->total = total;
    /* On a terminal, work that ends at once shows nothing. */
    if (now - progress->last_ms >= (progress->lines ? LINE_MS : REDRAW_MS)) {
        progress->last_ms = now;
        show(progress, now);
    }
    return stop;
}

void progress_pause(struct progress *progress) {
    if (progress->shown) {
        fprintf(progress->cli->err, "\r\033[K");
        progress->shown = false;
    }
}

void progress_end(struct progress *progress) {
    progress_pause(progress);
    if (progress->lines && progress->began) {
        show(progress, now_ms()); /* a log has the end of it */
        progress->began = false;
    }
}
