/* SPDX-License-Identifier: Apache-2.0 */
/* See runs.h. */
#include "runs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void ssn_runs_init(struct ssn_runs *runs, struct ssn_mem *mem) {
    memset(runs, 0, sizeof *runs);
    runs->mem = mem;
}

void ssn_runs_fini(struct ssn_runs *runs) {
    ssn_free(runs->mem, runs->run);
    ssn_runs_init(runs, runs->mem);
}

/* Room for `count` in all. */
static bool make_room(struct ssn_runs *runs, size_t count) {
    if (count <= runs->capacity) {
        return true;
    }
    size_t wanted = runs->capacity < 16 ? 16 : runs->capacity + runs->capacity / 2;
    wanted = wanted < count ? count : wanted;
    if (wanted > SIZE_MAX / sizeof *runs->run) {
        return false;
    }
    struct ssn_run *grown = ssn_realloc(runs->mem, runs->run, wanted * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    runs->run = grown;
    runs->capacity = wanted;
    return true;
}

bool ssn_runs_reserve(struct ssn_runs *runs, size_t more) {
    if (!make_room(runs, runs->count + runs->reserved + more)) {
        return false;
    }
    runs->reserved += more;
    return true;
}

void ssn_runs_unreserve(struct ssn_runs *runs, size_t less) {
    assert(less <= runs->reserved);
    runs->reserved -= less;
}

/* Lists grow at their end; what comes in rising order is joined at once. */
static void append(struct ssn_runs *runs, uint64_t place, uint64_t pages) {
    assert(runs->run != NULL && runs->count < runs->capacity);
    struct ssn_run *last = runs->count > 0 ? &runs->run[runs->count - 1] : NULL;
    runs->pages += pages;
    if (last != NULL && last->place + last->pages == place) {
        last->pages += pages;
        return;
    }
    runs->run[runs->count].place = place;
    runs->run[runs->count].pages = pages;
    runs->count++;
}

bool ssn_runs_append(struct ssn_runs *runs, uint64_t place, uint64_t pages) {
    if (!make_room(runs, runs->count + runs->reserved + 1)) {
        return false;
    }
    append(runs, place, pages);
    return true;
}

void ssn_runs_append_reserved(struct ssn_runs *runs, uint64_t place, uint64_t pages) {
    ssn_runs_unreserve(runs, 1);
    append(runs, place, pages);
}

static int compare(const void *a, const void *b) {
    const struct ssn_run *x = a;
    const struct ssn_run *y = b;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* Joins neighbours in a sorted list. */
static void coalesce(struct ssn_runs *runs, ssn_overlap_fn overlap, void *user) {
    size_t kept = 0;
    uint64_t pages = 0;
    for (size_t i = 0; i < runs->count; i++) {
        struct ssn_run run = runs->run[i];
        struct ssn_run *last = kept > 0 ? &runs->run[kept - 1] : NULL;
        if (last != NULL && run.place <= last->place + last->pages) {
            uint64_t end = ssn_max_u64(last->place + last->pages, run.place + run.pages);
            uint64_t twice = ssn_min_u64(last->place + last->pages, run.place + run.pages) - run.place;
            if (twice > 0 && overlap != NULL) {
                overlap(user, run.place, twice);
            }
            pages += end - (last->place + last->pages);
            last->pages = end - last->place;
        } else {
            runs->run[kept++] = run;
            pages += run.pages;
        }
    }
    runs->count = kept;
    runs->pages = pages;
}

void ssn_runs_sort_telling(struct ssn_runs *runs, ssn_overlap_fn overlap, void *user) {
    if (runs->count > 1) {
        qsort(runs->run, runs->count, sizeof *runs->run, compare);
    }
    coalesce(runs, overlap, user);
}

void ssn_runs_sort(struct ssn_runs *runs) {
    ssn_runs_sort_telling(runs, NULL, NULL);
}

size_t ssn_runs_find(const struct ssn_runs *set, uint64_t place) {
    size_t low = 0;
    size_t high = set->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (set->run[mid].place + set->run[mid].pages <= place) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* Replaces the runs [from, to) by `count` others. Room is there. */
static void splice(struct ssn_runs *set, size_t from, size_t to, const struct ssn_run *with, size_t count) {
    if (set->count > to) {
        memmove(set->run + from + count, set->run + to, (set->count - to) * sizeof *set->run);
    }
    for (size_t i = 0; i < count; i++) {
        set->run[from + i] = with[i];
    }
    set->count = set->count - (to - from) + count;
}

bool ssn_runs_add(struct ssn_runs *set, uint64_t place, uint64_t pages) {
    if (!make_room(set, set->count + set->reserved + 1)) {
        return false;
    }
    uint64_t end = place + pages;
    /* Also what only touches is joined. */
    size_t from = place > 0 ? ssn_runs_find(set, place - 1) : 0;
    size_t to = from;
    uint64_t old_pages = 0;
    struct ssn_run joined = {place, 0};
    while (to < set->count && set->run[to].place <= end) {
        joined.place = ssn_min_u64(joined.place, set->run[to].place);
        end = ssn_max_u64(end, set->run[to].place + set->run[to].pages);
        old_pages += set->run[to].pages;
        to++;
    }
    joined.pages = end - joined.place;
    set->pages = set->pages - old_pages + joined.pages;
    splice(set, from, to, &joined, 1);
    return true;
}

bool ssn_runs_remove(struct ssn_runs *set, uint64_t place, uint64_t pages) {
    if (!make_room(set, set->count + set->reserved + 1)) {
        return false;
    }
    uint64_t end = place + pages;
    size_t from = ssn_runs_find(set, place);
    size_t to = from;
    struct ssn_run rest[2];
    size_t rest_count = 0;
    while (to < set->count && set->run[to].place < end) {
        struct ssn_run run = set->run[to++];
        set->pages -= run.pages;
        if (run.place < place) {
            rest[rest_count].place = run.place;
            rest[rest_count].pages = place - run.place;
            set->pages += rest[rest_count++].pages;
        }
        if (run.place + run.pages > end) {
            rest[rest_count].place = end;
            rest[rest_count].pages = run.place + run.pages - end;
            set->pages += rest[rest_count++].pages;
        }
    }
    splice(set, from, to, rest, rest_count);
    return true;
}

bool ssn_runs_meets(const struct ssn_runs *set, uint64_t place, uint64_t pages) {
    size_t i = ssn_runs_find(set, place);
    return i < set->count && set->run[i].place < place + pages;
}

void ssn_runs_add_set(struct ssn_runs *set, const struct ssn_runs *other) {
    ssn_runs_unreserve(set, other->count);
    if (other->count == 0) {
        return;
    }
    /* Merged from the back, into room that is there; then joined. */
    size_t a = set->count;
    size_t b = other->count;
    size_t out = a + b;
    set->count = out;
    while (b > 0) {
        if (a > 0 && set->run[a - 1].place > other->run[b - 1].place) {
            set->run[--out] = set->run[--a];
        } else {
            set->run[--out] = other->run[--b];
        }
    }
    coalesce(set, NULL, NULL);
}

void ssn_runs_remove_set(struct ssn_runs *set, const struct ssn_runs *other) {
    ssn_runs_unreserve(set, other->count);
    if (set->count == 0 || other->count == 0) {
        return;
    }
    /* The set moves to the end of its room, and comes back piece by piece: each run removed makes at most one more. */
    size_t shift = other->count;
    size_t total = set->count + shift;
    memmove(set->run + shift, set->run, set->count * sizeof *set->run);
    size_t out = 0;
    size_t b = 0;
    uint64_t pages = 0;
    for (size_t i = shift; i < total; i++) {
        uint64_t place = set->run[i].place;
        uint64_t end = place + set->run[i].pages;
        while (b < other->count && other->run[b].place + other->run[b].pages <= place) {
            b++;
        }
        while (place < end) {
            uint64_t cut = b < other->count && other->run[b].place < end ? other->run[b].place : end;
            if (cut > place) {
                assert(out <= i);
                set->run[out].place = place;
                set->run[out++].pages = cut - place;
                pages += cut - place;
            }
            if (cut == end) {
                break;
            }
            place = other->run[b].place + other->run[b].pages;
            if (place < end) {
                b++;
            }
        }
    }
    set->count = out;
    set->pages = pages;
}
