/* SPDX-License-Identifier: Apache-2.0 */
/* Space for checkpoints, and what changes when one is durable. See space.h. */
#include "space.h"

#include <string.h>
#include <time.h>

enum { PATIENCE_MS = 2000 }; /* how long a checkpoint waits for readers */

void ssn_space_begin_meta(struct ssn_space *space) {
    pthread_mutex_lock(&space->lock);
    ssn_space_poll_locked(space);
    space->meta_cursor = space->store_pages;
    ssn_space_tell_room(space);
    pthread_mutex_unlock(&space->lock);
}

/* Of the space items' pages, from the end downwards. */
static int take_free(struct ssn_space *space, uint64_t wanted, bool whole, struct ssn_run *ret_run) {
    uint64_t from = whole ? space->store_pages : space->meta_cursor;
    struct ssn_run run;
    int rc;
    do {
        rc = ssn_space_last_free(space, from, &run);
        if (rc != SELSNAP_OK) {
            return rc == SELSNAP_ENOENT ? SELSNAP_ENOSPACE : rc;
        }
        from = run.place;
    } while (whole && run.pages < wanted);
    uint64_t pages = ssn_min_u64(run.pages, wanted);
    run.place += run.pages - pages;
    run.pages = pages;
    if (!ssn_runs_add(&space->busy, run.place, run.pages)) {
        return SELSNAP_ENOMEM;
    }
    if (!whole) {
        space->meta_cursor = run.place;
    }
    *ret_run = run;
    return SELSNAP_OK;
}

/* Of the last ledger's given pages, from the end; the checkpoint under way brings them into space items, and notes in
 * its own ledger that it took them. */
static int take_spare(struct ssn_space *space, uint64_t wanted, bool whole, struct ssn_run *ret_run) {
    if (space->spare.count == 0 || !ssn_readers_passed(space->readers, space->spare_mark)) {
        return SELSNAP_ENOSPACE;
    }
    for (size_t i = space->spare.count; i > 0; i--) {
        struct ssn_run run = space->spare.run[i - 1];
        if (whole && run.pages < wanted) {
            continue;
        }
        uint64_t pages = ssn_min_u64(run.pages, wanted);
        run.place += run.pages - pages;
        run.pages = pages;
        if (!ssn_runs_reserve(&space->busy, 1)) {
            return SELSNAP_ENOMEM;
        }
        bool ok = ssn_runs_remove(&space->spare, run.place, run.pages);
        ssn_runs_unreserve(&space->busy, 1);
        if (!ok || !ssn_runs_add(&space->busy, run.place, run.pages)) {
            return SELSNAP_ENOMEM;
        }
        *ret_run = run;
        return SELSNAP_OK;
    }
    return SELSNAP_ENOSPACE;
}

/* lock is held: from wherever there is something. */
static int take_somewhere(struct ssn_space *space, uint64_t wanted, bool whole, struct ssn_run *ret_run) {
    int rc = take_free(space, wanted, whole, ret_run);
    if (rc == SELSNAP_ENOSPACE && space->limbo.count + space->limbo_next.count > 0) {
        ssn_space_poll_locked(space);
        space->meta_cursor = space->store_pages;
        rc = take_free(space, wanted, whole, ret_run);
    }
    if (rc == SELSNAP_ENOSPACE) {
        rc = take_spare(space, wanted, whole, ret_run);
    }
    if (rc == SELSNAP_ENOSPACE && space->window.pages > 0) {
        rc = ssn_space_drop_window(space);
        space->meta_cursor = space->store_pages;
        rc = rc != SELSNAP_OK ? rc : take_free(space, wanted, whole, ret_run);
    }
    return rc;
}

/* lock is held: whether there is more to come when readers end. */
static bool readers_hold(struct ssn_space *space) {
    bool spare = space->spare.count > 0 && !ssn_readers_passed(space->readers, space->spare_mark);
    return spare || space->limbo.count + space->limbo_next.count > 0;
}

/*
 * What waits for readers counts as room when changes are admitted, so the checkpoint that folds them must not fail for
 * it: it waits for them too. Not for ever: a reader's device may hang, or the reader be the one who waits.
 */
int ssn_space_take_meta(struct ssn_space *space, uint64_t wanted, bool whole, struct ssn_run *ret_run) {
    const struct timespec moment = {0, 1000000};
    int rc = SELSNAP_ENOSPACE;
    for (unsigned waited = 0; rc == SELSNAP_ENOSPACE && waited <= PATIENCE_MS; waited++) {
        if (waited > 0) {
            (void)nanosleep(&moment, NULL);
        }
        pthread_mutex_lock(&space->lock);
        rc = take_somewhere(space, wanted, whole, ret_run);
        ssn_space_tell_room(space);
        bool waiting = readers_hold(space);
        pthread_mutex_unlock(&space->lock);
        if (!waiting) {
            break;
        }
    }
    return rc;
}

/* Without memory a page stays out of use until the next open. */
static void give_back(struct ssn_space *space, uint64_t place, uint64_t pages) {
    for (uint64_t p = place; p < place + pages; p++) {
        if (ssn_runs_meets(&space->ledger_given, p, 1)) {
            (void)(ssn_runs_add(&space->spare, p, 1) && ssn_runs_remove(&space->busy, p, 1));
        } else {
            (void)ssn_runs_remove(&space->busy, p, 1);
        }
    }
}

void ssn_space_untake_meta(struct ssn_space *space, uint64_t place) {
    pthread_mutex_lock(&space->lock);
    give_back(space, place, 1);
    ssn_space_tell_room(space);
    pthread_mutex_unlock(&space->lock);
}

void ssn_space_undo_meta(struct ssn_space *space, const struct ssn_runs *taken) {
    pthread_mutex_lock(&space->lock);
    for (size_t i = 0; i < taken->count; i++) {
        give_back(space, taken->run[i].place, taken->run[i].pages);
    }
    space->no_unit = UINT64_MAX;
    ssn_space_tell_room(space);
    pthread_mutex_unlock(&space->lock);
}

bool ssn_space_prepare_switch(struct ssn_space *space, const struct ssn_runs *folded, const struct ssn_runs *freed,
                              const struct ssn_runs *given) {
    pthread_mutex_lock(&space->lock);
    bool ok = ssn_runs_reserve(&space->busy, folded->count);
    if (ok && !ssn_runs_reserve(&space->limbo_next, freed->count)) {
        ssn_runs_unreserve(&space->busy, folded->count);
        ok = false;
    }
    size_t spare = given->count > space->spare.count ? given->count - space->spare.count : 0;
    if (ok && !ssn_runs_reserve(&space->spare, spare)) {
        ssn_runs_unreserve(&space->busy, folded->count);
        ssn_runs_unreserve(&space->limbo_next, freed->count);
        ok = false;
    } else if (ok) {
        ssn_runs_unreserve(&space->spare, spare); /* only the checkpoint changes spare */
    }
    pthread_mutex_unlock(&space->lock);
    return ok;
}

/* lock is held: keeps what others read without it. */
static void tell_beyond(struct ssn_space *space) {
    bool limits = space->quota_pages != 0 && space->quota_pages < space->store_pages;
    atomic_store(&space->beyond, limits ? space->store_pages - space->quota_pages : 0);
}

void ssn_space_set_quota(struct ssn_space *space, uint64_t pages) {
    pthread_mutex_lock(&space->lock);
    space->quota_pages = pages;
    tell_beyond(space);
    pthread_mutex_unlock(&space->lock);
}

void ssn_space_grow(struct ssn_space *space, uint64_t store_pages) {
    pthread_mutex_lock(&space->lock);
    space->store_pages = store_pages;
    tell_beyond(space);
    pthread_mutex_unlock(&space->lock);
}

void ssn_space_switch(struct ssn_space *space, const struct ssn_root *root, uint64_t free_pages,
                      const struct ssn_runs *folded, const struct ssn_runs *freed, struct ssn_runs *taken,
                      struct ssn_runs *given) {
    pthread_mutex_lock(&space->lock);
    space->root = *root;
    space->free_pages = free_pages;
    ssn_runs_remove_set(&space->busy, folded);
    ssn_runs_add_set(&space->limbo_next, freed);
    ssn_runs_fini(&space->ledger_taken);
    ssn_runs_fini(&space->ledger_given);
    space->ledger_taken = *taken;
    space->ledger_given = *given;
    ssn_runs_init(taken, space->mem);
    ssn_runs_init(given, space->mem);
    (void)ssn_space_copy_runs(&space->spare, &space->ledger_given); /* has room */
    space->spare_mark = ssn_readers_mark(space->readers);
    space->no_unit = UINT64_MAX;
    ssn_space_poll_locked(space);
    ssn_space_tell_room(space);
    pthread_mutex_unlock(&space->lock);
}
