/* SPDX-License-Identifier: Apache-2.0 */
/* See history.h. */
#include "history.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *memory) {
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static pthread_mutex_t *lock_of(struct history *history, uint64_t sector) {
    return &history->lock[sector / 8 % HISTORY_LOCKS];
}

static struct history_event *append(struct history_list *list) {
    if (list->count == list->capacity) {
        list->capacity = list->capacity * 2 + 2;
        list->event = must(realloc(list->event, list->capacity * sizeof *list->event));
    }
    return &list->event[list->count++];
}

struct history *history_new(uint64_t sectors, uint64_t content, uint64_t flushed) {
    struct history *history = must(calloc(1, sizeof *history));
    atomic_init(&history->flushed, flushed);
    history->list = must(calloc((size_t)sectors, sizeof *history->list));
    history->sectors = sectors;
    for (unsigned i = 0; i < HISTORY_LOCKS; i++) {
        pthread_mutex_init(&history->lock[i], NULL);
    }
    for (uint64_t i = 0; i < sectors; i++) {
        history_settle(history, i, content, 0, false);
    }
    return history;
}

void history_free(struct history *history) {
    if (history == NULL) {
        return;
    }
    for (uint64_t i = 0; i < history->sectors; i++) {
        free(history->list[i].event);
    }
    for (unsigned i = 0; i < HISTORY_LOCKS; i++) {
        pthread_mutex_destroy(&history->lock[i]);
    }
    free(history->list);
    free(history);
}

/* By when the event is hidden for sure; TICK_NEVER: it is not. */
static uint64_t hidden_at(const struct history_list *list, const struct history_event *event) {
    uint64_t at = TICK_NEVER;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct history_event *other = &list->event[i];
        if (!other->maybe && other->begin > event->end && other->end < at) {
            at = other->end;
        }
    }
    return at;
}

static bool survives(const struct history_event *event, uint64_t flushed) {
    return !event->maybe && (event->durable || event->returned < flushed);
}

/* Forgets what was hidden before the floor, and durably. */
static void prune(struct history_list *list, uint64_t floor, uint64_t flushed) {
    uint32_t kept = 0;
    if (list->count < 8) {
        return;
    }
    uint64_t cover = 0; /* the latest begin of what hides others so */
    for (uint32_t i = 0; i < list->count; i++) {
        const struct history_event *event = &list->event[i];
        if (survives(event, flushed) && event->returned < floor && event->begin > cover) {
            cover = event->begin;
        }
    }
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->event[i].end >= cover || list->event[i].returned == TICK_NEVER) {
            list->event[kept++] = list->event[i];
        }
    }
    list->count = kept;
}

void history_begin(struct history *history, uint64_t first, uint64_t count, const uint64_t *contents, uint64_t content,
                   uint64_t tick, uint64_t floor) {
    for (uint64_t i = 0; i < count; i++) {
        uint64_t given = contents != NULL ? contents[i] : content;
        if (given == CONTENT_LOST) {
            continue;
        }
        pthread_mutex_lock(lock_of(history, first + i));
        struct history_list *list = &history->list[first + i];
        prune(list, floor, atomic_load(&history->flushed));
        *append(list) = (struct history_event){given, tick, TICK_NEVER, TICK_NEVER, true, false, contents != NULL};
        pthread_mutex_unlock(lock_of(history, first + i));
    }
}

static void end_event(struct history_list *list, uint32_t at, uint64_t tick, enum history_outcome outcome) {
    struct history_event *event = &list->event[at];
    if (outcome == HISTORY_NEVER) {
        memmove(event, event + 1, (list->count - at - 1) * sizeof *event);
        list->count--;
        return;
    }
    event->returned = tick;
    event->end = event->end < tick ? event->end : tick;
    event->maybe = event->maybe && outcome == HISTORY_MAYBE;
    event->durable = outcome == HISTORY_DURABLE;
}

void history_end(struct history *history, uint64_t first, uint64_t count, uint64_t begin, uint64_t tick,
                 enum history_outcome outcome) {
    for (uint64_t i = 0; i < count; i++) {
        pthread_mutex_lock(lock_of(history, first + i));
        struct history_list *list = &history->list[first + i];
        for (uint32_t at = list->count; at-- > 0;) {
            if (list->event[at].begin == begin && list->event[at].returned == TICK_NEVER) {
                end_event(list, at, tick, outcome);
                break;
            }
        }
        pthread_mutex_unlock(lock_of(history, first + i));
    }
}

bool history_read(struct history *history, uint64_t sector, uint64_t content, uint64_t from, uint64_t to) {
    pthread_mutex_lock(lock_of(history, sector));
    struct history_list *list = &history->list[sector];
    struct history_event *only = NULL;
    unsigned found = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        struct history_event *event = &list->event[i];
        if (event->content == content && event->begin <= to && hidden_at(list, event) >= from) {
            only = event;
            found++;
        }
    }
    if (found == 1) {
        only->end = only->end < to ? only->end : to;
        only->maybe = false;
    }
    pthread_mutex_unlock(lock_of(history, sector));
    return found > 0;
}

/* Adds a span, joined with those that it meets. Where there is no room, the last becomes longer. */
static void add_span(struct spans *spans, uint64_t from, uint64_t to) {
    unsigned kept = 0;
    for (unsigned i = 0; i < spans->count; i++) {
        if (spans->from[i] <= to && from <= spans->to[i]) {
            from = from < spans->from[i] ? from : spans->from[i];
            to = to > spans->to[i] ? to : spans->to[i];
        } else {
            spans->from[kept] = spans->from[i];
            spans->to[kept++] = spans->to[i];
        }
    }
    if (kept == SPANS_MAX) {
        kept--;
        from = from < spans->from[kept] ? from : spans->from[kept];
        to = to > spans->to[kept] ? to : spans->to[kept];
    }
    spans->from[kept] = from;
    spans->to[kept] = to;
    spans->count = kept + 1;
}

/* Adds the part of [from, to] that lies in the spans. */
static void add_common(struct spans *to_spans, const struct spans *spans, uint64_t from, uint64_t to) {
    for (unsigned i = 0; i < spans->count; i++) {
        uint64_t low = from > spans->from[i] ? from : spans->from[i];
        uint64_t high = to < spans->to[i] ? to : spans->to[i];
        if (low <= high) {
            add_span(to_spans, low, high);
        }
    }
}

void history_keep(struct history *history, uint64_t sector, uint64_t content, struct spans *spans) {
    struct spans kept;
    kept.count = 0;
    pthread_mutex_lock(lock_of(history, sector));
    const struct history_list *list = &history->list[sector];
    for (uint32_t i = 0; i < list->count; i++) {
        const struct history_event *event = &list->event[i];
        if (event->content == content) {
            add_common(&kept, spans, event->begin, hidden_at(list, event));
        }
    }
    pthread_mutex_unlock(lock_of(history, sector));
    *spans = kept;
}

void history_flushed(struct history *history, uint64_t tick) {
    uint64_t before = atomic_load(&history->flushed);
    while (before < tick && !atomic_compare_exchange_weak(&history->flushed, &before, tick)) {
    }
}

bool history_survives(struct history *history, uint64_t sector, uint64_t content) {
    bool allowed = false;
    uint64_t flushed = atomic_load(&history->flushed);
    pthread_mutex_lock(lock_of(history, sector));
    const struct history_list *list = &history->list[sector];
    for (uint32_t i = 0; i < list->count && !allowed; i++) {
        const struct history_event *event = &list->event[i];
        bool hidden = event->content != content;
        for (uint32_t j = 0; j < list->count && !hidden; j++) {
            const struct history_event *other = &list->event[j];
            bool stays = survives(other, flushed) || (history->cached && !event->restored && !other->maybe);
            hidden = other->begin > event->end && stays;
        }
        allowed = !hidden;
    }
    pthread_mutex_unlock(lock_of(history, sector));
    return allowed;
}

void history_settle(struct history *history, uint64_t sector, uint64_t content, uint64_t tick, bool restored) {
    pthread_mutex_lock(lock_of(history, sector));
    struct history_list *list = &history->list[sector];
    list->count = 0;
    *append(list) = (struct history_event){content, tick, tick, tick, false, true, restored};
    pthread_mutex_unlock(lock_of(history, sector));
}

void history_doubt(struct history *history) {
    uint64_t flushed = atomic_load(&history->flushed);
    for (uint64_t sector = 0; sector < history->sectors; sector++) {
        pthread_mutex_lock(lock_of(history, sector));
        struct history_list *list = &history->list[sector];
        for (uint32_t i = 0; i < list->count; i++) {
            struct history_event *event = &list->event[i];
            event->maybe = !survives(event, flushed);
        }
        pthread_mutex_unlock(lock_of(history, sector));
    }
}

void history_describe(struct history *history, uint64_t sector, char *text, size_t text_len) {
    pthread_mutex_lock(lock_of(history, sector));
    const struct history_list *list = &history->list[sector];
    size_t len = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < list->count && len + 120 < text_len; i++) {
        const struct history_event *event = &list->event[i];
        len += (size_t)snprintf(text + len, text_len - len, " %" PRId64 " at %" PRIu64 "..%" PRId64 "/%" PRId64 "%s%s;",
                                (int64_t)event->content, event->begin, (int64_t)event->end, (int64_t)event->returned,
                                event->maybe ? " maybe" : "", event->durable ? " durable" : "");
    }
    pthread_mutex_unlock(lock_of(history, sector));
}
