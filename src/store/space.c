/* SPDX-License-Identifier: Apache-2.0 */
/* See space.h. */
#include "space.h"

#include <assert.h>
#include <selsnap/selsnap.h>
#include <string.h>

enum { WINDOW_PAGES = 1024 }; /* claimed at once for data: 4 MiB */

int ssn_space_init(struct ssn_space *space, struct ssn_mem *mem, struct ssn_report *report, struct ssn_pages *tree,
                   struct ssn_readers *readers, uint64_t area, uint64_t store_pages) {
    memset(space, 0, sizeof *space);
    space->mem = mem;
    space->report = report;
    space->tree = tree;
    space->readers = readers;
    space->area = area;
    space->store_pages = store_pages;
    space->cursor = area;
    space->meta_cursor = store_pages;
    space->no_unit = UINT64_MAX;
    struct ssn_runs *all[] = {&space->busy,         &space->limbo,        &space->limbo_next,
                              &space->ledger_taken, &space->ledger_given, &space->spare};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        ssn_runs_init(all[i], mem);
    }
    if (pthread_mutex_init(&space->lock, NULL) != 0) {
        return SELSNAP_ENOMEM;
    }
    if (pthread_mutex_init(&space->lease_lock, NULL) != 0) {
        pthread_mutex_destroy(&space->lock);
        return SELSNAP_ENOMEM;
    }
    return SELSNAP_OK;
}

void ssn_space_fini(struct ssn_space *space) {
    struct ssn_runs *all[] = {&space->busy,         &space->limbo,        &space->limbo_next,
                              &space->ledger_taken, &space->ledger_given, &space->spare};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        ssn_runs_fini(all[i]);
    }
    ssn_free(space->mem, space->leases);
    pthread_mutex_destroy(&space->lease_lock);
    pthread_mutex_destroy(&space->lock);
}

void ssn_space_tell_room(struct ssn_space *space) {
    uint64_t limbo = space->limbo.pages + space->limbo_next.pages;
    uint64_t gone = space->busy.pages + limbo - space->window.pages;
    uint64_t waiting = limbo + space->spare.pages;
    uint64_t ready = space->free_pages > gone ? space->free_pages - gone : 0;
    atomic_store(&space->room, ready + waiting);
    atomic_store(&space->waiting, waiting);
}

bool ssn_space_copy_runs(struct ssn_runs *to, const struct ssn_runs *from) {
    to->count = 0;
    to->pages = 0;
    for (size_t i = 0; i < from->count; i++) {
        if (!ssn_runs_append(to, from->run[i].place, from->run[i].pages)) {
            to->count = 0;
            to->pages = 0;
            return false;
        }
    }
    return true;
}

int ssn_space_load(struct ssn_space *space, const struct ssn_root *root, uint64_t free_pages,
                   const struct ssn_runs *taken) {
    space->root = *root;
    space->free_pages = free_pages;
    bool ok = ssn_space_copy_runs(&space->busy, &space->ledger_taken) && ssn_runs_reserve(&space->busy, taken->count) &&
              ssn_space_copy_runs(&space->spare, &space->ledger_given);
    if (!ok) {
        return SELSNAP_ENOMEM;
    }
    ssn_runs_add_set(&space->busy, taken);
    space->spare_mark = 0;
    ssn_space_tell_room(space);
    return SELSNAP_OK;
}

void ssn_space_poll_locked(struct ssn_space *space) {
    for (;;) {
        if (space->limbo.count > 0) {
            if (!ssn_readers_passed(space->readers, space->limbo_mark)) {
                return;
            }
            space->limbo.count = 0;
            space->limbo.pages = 0;
            space->no_unit = UINT64_MAX;
        }
        /* A reservation stays with limbo_next until it is used. */
        if (space->limbo_next.count == 0 || space->limbo_next.reserved > 0) {
            return;
        }
        struct ssn_runs empty = space->limbo;
        space->limbo = space->limbo_next;
        space->limbo_next = empty;
        space->limbo_mark = ssn_readers_mark(space->readers);
    }
}

void ssn_space_poll(struct ssn_space *space) {
    pthread_mutex_lock(&space->lock);
    ssn_space_poll_locked(space);
    ssn_space_tell_room(space);
    pthread_mutex_unlock(&space->lock);
}

/* ---- finding free runs; lock held ---- */

/* Cuts [*place, end) to its first part outside of the set; false: nothing is left. */
static bool skip_up(const struct ssn_runs *set, uint64_t *place, uint64_t *end, bool *moved) {
    size_t i = ssn_runs_find(set, *place);
    if (i < set->count && set->run[i].place <= *place) {
        *place = set->run[i].place + set->run[i].pages;
        *moved = true;
        i++;
    }
    if (i < set->count && set->run[i].place < *end) {
        *end = set->run[i].place;
    }
    return *place < *end;
}

/* Cuts [place, *end) to its last part outside of the set. */
static bool skip_down(const struct ssn_runs *set, uint64_t *place, uint64_t *end, bool *moved) {
    size_t i = ssn_runs_find(set, *end - 1);
    if (i < set->count && set->run[i].place < *end) {
        *end = set->run[i].place;
        *moved = true;
    }
    if (i > 0 && set->run[i - 1].place + set->run[i - 1].pages > *place) {
        *place = set->run[i - 1].place + set->run[i - 1].pages;
    }
    return *place < *end;
}

/* The first free run at or after `from`, below `to`. SELSNAP_ENOENT: none. */
static int next_free(const struct ssn_space *space, uint64_t from, uint64_t to, struct ssn_run *ret_run) {
    const struct ssn_runs *sets[] = {&space->busy, &space->limbo, &space->limbo_next};
    struct ssn_run item;
    int rc = ssn_space_item(space, &space->root, from, true, &item);
    if (rc == SELSNAP_ENOENT || (rc == SELSNAP_OK && item.place + item.pages <= from)) {
        rc = ssn_space_item(space, &space->root, from, false, &item);
    }
    while (rc == SELSNAP_OK && item.place < to) {
        uint64_t item_end = item.place + item.pages;
        uint64_t place = ssn_max_u64(item.place, from);
        while (place < ssn_min_u64(item_end, to)) {
            uint64_t end = ssn_min_u64(item_end, to);
            bool moved = false;
            for (unsigned i = 0; i < 3 && place < end; i++) {
                (void)skip_up(sets[i], &place, &end, &moved);
            }
            if (place < end && !moved) {
                ret_run->place = place;
                ret_run->pages = end - place;
                return SELSNAP_OK;
            }
        }
        rc = ssn_space_item(space, &space->root, item_end, false, &item);
    }
    return rc == SELSNAP_OK ? SELSNAP_ENOENT : rc;
}

int ssn_space_last_free(const struct ssn_space *space, uint64_t to, struct ssn_run *ret_run) {
    const struct ssn_runs *sets[] = {&space->busy, &space->limbo, &space->limbo_next};
    while (to > space->area) {
        struct ssn_run item;
        int rc = ssn_space_item(space, &space->root, to - 1, true, &item);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        uint64_t end = ssn_min_u64(to, item.place + item.pages);
        while (end > item.place) {
            uint64_t place = item.place;
            bool moved = false;
            for (unsigned i = 0; i < 3 && place < end; i++) {
                (void)skip_down(sets[i], &place, &end, &moved);
            }
            if (place < end && !moved) {
                ret_run->place = place;
                ret_run->pages = end - place;
                return SELSNAP_OK;
            }
        }
        to = item.place;
    }
    return SELSNAP_ENOENT;
}

/* ---- data ---- */

int ssn_space_drop_window(struct ssn_space *space) {
    if (space->window.pages > 0 && !ssn_runs_remove(&space->busy, space->window.place, space->window.pages)) {
        return SELSNAP_ENOMEM;
    }
    space->window.pages = 0;
    return SELSNAP_OK;
}

/* The next free run of a unit or more, from the cursor on, once around. */
static int find_unit(struct ssn_space *space, uint64_t unit, struct ssn_run *ret_run) {
    if (unit >= space->no_unit) {
        return SELSNAP_ENOSPACE;
    }
    uint64_t start = space->cursor;
    for (int lap = 0; lap < 2; lap++) {
        uint64_t from = lap == 0 ? start : space->area;
        /* The second lap goes past the cursor, for a run that lies across it. */
        uint64_t to = lap == 0 ? space->store_pages : ssn_min_u64(start + unit, space->store_pages);
        while (from < to) {
            struct ssn_run run;
            int rc = next_free(space, from, to, &run);
            if (rc == SELSNAP_ENOENT) {
                break;
            }
            if (rc != SELSNAP_OK) {
                return rc;
            }
            if (run.pages >= unit) {
                *ret_run = run;
                return SELSNAP_OK;
            }
            from = run.place + run.pages;
        }
    }
    space->no_unit = unit;
    return SELSNAP_ENOSPACE;
}

/* Lengthens the window by free pages that follow it. SELSNAP_ENOENT: none do. */
static int lengthen_window(struct ssn_space *space, uint64_t most) {
    uint64_t end = space->window.place + space->window.pages;
    struct ssn_run run;
    int rc = end < space->store_pages ? next_free(space, end, end + 1, &run) : SELSNAP_ENOENT;
    rc = rc == SELSNAP_OK ? next_free(space, end, space->store_pages, &run) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    run.pages = ssn_min_u64(run.pages, most);
    if (!ssn_runs_add(&space->busy, run.place, run.pages)) {
        return SELSNAP_ENOMEM;
    }
    space->window.pages += run.pages;
    return SELSNAP_OK;
}

/* A new window, or a longer one, of a unit or more, where `wanted` pages lie in a row as far as there are such. */
static int move_window(struct ssn_space *space, uint64_t wanted, uint64_t unit) {
    uint64_t size = ssn_max_u64(WINDOW_PAGES, wanted);
    int rc = space->window.pages > 0 ? lengthen_window(space, size) : SELSNAP_ENOENT;
    if (space->window.pages >= unit || (rc != SELSNAP_OK && rc != SELSNAP_ENOENT)) {
        return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
    }
    struct ssn_run run;
    rc = ssn_space_drop_window(space);
    rc = rc != SELSNAP_OK ? rc : find_unit(space, unit, &run);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    run.pages = ssn_min_u64(run.pages, size);
    if (!ssn_runs_add(&space->busy, run.place, run.pages)) {
        return SELSNAP_ENOMEM;
    }
    space->window = run;
    return SELSNAP_OK;
}

/* ---- leases; lease_lock held ---- */

/* The first lease that ends after `place`. */
static size_t find_lease(const struct ssn_space *space, uint64_t place) {
    size_t low = 0;
    size_t high = space->lease_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct ssn_lease *lease = &space->leases[middle];
        if (lease->place + lease->pages > place) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* Room for one more. */
static bool room_for_lease(struct ssn_space *space) {
    void *leases = space->leases;
    bool ok = ssn_grow(space->mem, &leases, &space->lease_capacity, space->lease_count, sizeof *space->leases);
    space->leases = leases;
    return ok;
}

/* There is room. */
static void insert_lease(struct ssn_space *space, size_t at, struct ssn_lease lease) {
    memmove(space->leases + at + 1, space->leases + at, (space->lease_count - at) * sizeof *space->leases);
    space->leases[at] = lease;
    space->lease_count++;
}

static void remove_lease(struct ssn_space *space, size_t at) {
    space->lease_count--;
    memmove(space->leases + at, space->leases + at + 1, (space->lease_count - at) * sizeof *space->leases);
}

static bool add_lease(struct ssn_space *space, const struct ssn_run *run, uint64_t failures) {
    pthread_mutex_lock(&space->lease_lock);
    size_t at = find_lease(space, run->place);
    struct ssn_lease *before = at > 0 ? &space->leases[at - 1] : NULL;
    bool joins = before != NULL && before->place + before->pages == run->place && before->failures == failures;
    bool ok = joins || room_for_lease(space);
    if (joins) {
        before->pages += run->pages;
    } else if (ok) {
        insert_lease(space, at, (struct ssn_lease){run->place, run->pages, failures});
    }
    pthread_mutex_unlock(&space->lease_lock);
    return ok;
}

/* There is room for one more. Takes the run out; gives the pages that were leased, and the oldest lease's failures. */
static uint64_t cut_leases(struct ssn_space *space, uint64_t place, uint64_t pages, uint64_t *ret_failures) {
    uint64_t end = place + pages;
    uint64_t found = 0;
    size_t at = find_lease(space, place);
    while (at < space->lease_count && space->leases[at].place < end) {
        struct ssn_lease lease = space->leases[at];
        uint64_t lease_end = lease.place + lease.pages;
        found += ssn_min_u64(end, lease_end) - ssn_max_u64(place, lease.place);
        *ret_failures = ssn_min_u64(*ret_failures, lease.failures);
        remove_lease(space, at);
        if (lease.place < place) {
            insert_lease(space, at++, (struct ssn_lease){lease.place, place - lease.place, lease.failures});
        }
        if (lease_end > end) {
            insert_lease(space, at++, (struct ssn_lease){end, lease_end - end, lease.failures});
        }
    }
    return found;
}

/* ---- taking ---- */

/* The step that was passed upwards, of those that are told, towards the end of the store or of its quota; 0: none. */
static unsigned filling(struct ssn_space *space) {
    static const unsigned steps[] = {75, 90, 95, 99};
    uint64_t area = space->store_pages - space->area;
    uint64_t all = area - ssn_min_u64(area, atomic_load(&space->beyond));
    uint64_t room = atomic_load(&space->room);
    uint64_t used = area > room ? area - room : 0;
    unsigned now = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (used * 100 >= all * steps[i]) {
            now = steps[i];
        }
    }
    unsigned tell = now > space->told ? now : 0;
    space->told = now;
    return tell;
}

static int take_locked(struct ssn_space *space, uint64_t wanted, uint64_t unit, uint64_t keep, uint64_t failures,
                       struct ssn_run *ret_run) {
    uint64_t room = atomic_load(&space->room);
    uint64_t may = room > keep ? room - keep : 0;
    wanted = ssn_min_u64(wanted, may / unit * unit);
    if (wanted < unit) {
        return SELSNAP_ENOSPACE;
    }
    if (space->window.pages < wanted) {
        int rc = move_window(space, wanted, unit);
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    struct ssn_run run = {space->window.place, ssn_min_u64(wanted, space->window.pages) / unit * unit};
    assert(run.pages >= unit);
    if (!add_lease(space, &run, failures)) {
        return SELSNAP_ENOMEM;
    }
    space->window.place += run.pages;
    space->window.pages -= run.pages;
    space->cursor = space->window.place < space->store_pages ? space->window.place : space->area;
    *ret_run = run;
    return SELSNAP_OK;
}

int ssn_space_take(struct ssn_space *space, uint64_t wanted, uint64_t unit, uint64_t keep, uint64_t failures,
                   struct ssn_run *ret_run, unsigned *ret_percent) {
    pthread_mutex_lock(&space->lock);
    ssn_space_poll_locked(space);
    ssn_space_tell_room(space);
    int rc = take_locked(space, wanted, unit, keep, failures, ret_run);
    ssn_space_tell_room(space);
    *ret_percent = filling(space);
    pthread_mutex_unlock(&space->lock);
    return rc;
}

int ssn_space_claim(struct ssn_space *space, uint64_t place, uint64_t pages, uint64_t *ret_failures) {
    pthread_mutex_lock(&space->lease_lock);
    bool ok = room_for_lease(space);
    uint64_t found = ok ? cut_leases(space, place, pages, ret_failures) : 0;
    pthread_mutex_unlock(&space->lease_lock);
    if (!ok || found == pages) {
        return ok ? SELSNAP_OK : SELSNAP_ENOMEM;
    }
    /* Not all of it was handed out: nobody else shall get the rest. */
    pthread_mutex_lock(&space->lock);
    ok = ssn_runs_add(&space->busy, place, pages);
    ssn_space_tell_room(space);
    pthread_mutex_unlock(&space->lock);
    return ok ? SELSNAP_OK : SELSNAP_ENOMEM;
}

void ssn_space_untake(struct ssn_space *space, uint64_t place, uint64_t pages) {
    uint64_t failures = 0;
    pthread_mutex_lock(&space->lock);
    pthread_mutex_lock(&space->lease_lock);
    /* What no lease covers is a transaction's by now. Without memory it stays out of use until the next open. */
    bool ok = room_for_lease(space) && cut_leases(space, place, pages, &failures) == pages;
    pthread_mutex_unlock(&space->lease_lock);
    if (ok && ssn_runs_reserve(&space->busy, 1)) {
        bool moved = ssn_runs_add(&space->limbo_next, place, pages);
        ssn_runs_unreserve(&space->busy, 1);
        if (moved) {
            (void)ssn_runs_remove(&space->busy, place, pages); /* has room: it was reserved just now */
        }
    }
    ssn_space_tell_room(space);
    pthread_mutex_unlock(&space->lock);
}
