/* SPDX-License-Identifier: Apache-2.0 */
/* See world.h. Here: the snapshots there are, what they hold, and the checks of everything when nobody works. */
#include "test.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the list ---- */

struct shot *shot_pick(struct world *w, struct prng *prng) {
    struct shot *found = NULL;
    unsigned at = (unsigned)prng_below(prng, WORLD_SHOTS);
    pthread_mutex_lock(&w->lock);
    for (unsigned i = 0; i < WORLD_SHOTS && found == NULL; i++) {
        struct shot *shot = &w->shot[(at + i) % WORLD_SHOTS];
        if (shot->state == SHOT_READY && !shot->gone) {
            shot->pins++;
            found = shot;
        }
    }
    pthread_mutex_unlock(&w->lock);
    return found;
}

struct shot *shot_find(struct world *w, uint64_t number) {
    struct shot *found = NULL;
    pthread_mutex_lock(&w->lock);
    for (unsigned i = 0; i < WORLD_SHOTS; i++) {
        if (w->shot[i].state != SHOT_FREE && w->shot[i].number == number) {
            found = &w->shot[i];
        }
    }
    pthread_mutex_unlock(&w->lock);
    WORLD_CHECK(w, found != NULL);
    return found;
}

void shot_free(struct world *w, struct shot *shot) {
    (void)w;
    free(shot->frozen);
    history_free(shot->overlay);
    memset(shot, 0, sizeof *shot);
}

void shot_unpin(struct world *w, struct shot *shot) {
    pthread_mutex_lock(&w->lock);
    shot->pins--;
    if (shot->pins == 0 && shot->gone) {
        shot_free(w, shot);
    }
    pthread_mutex_unlock(&w->lock);
}

bool shot_may_be_gone(struct world *w, struct shot *shot, unsigned own) {
    pthread_mutex_lock(&w->lock);
    bool may = shot->deleting > own || shot->gone || shot->state == SHOT_UNSURE;
    pthread_mutex_unlock(&w->lock);
    return may;
}

struct shot *shot_take(struct world *w) {
    struct shot *shot = NULL;
    pthread_mutex_lock(&w->lock);
    for (unsigned i = 0; i < w->config->shots && shot == NULL; i++) {
        shot = w->shot[i].state == SHOT_FREE ? &w->shot[i] : NULL;
    }
    if (shot != NULL) {
        memset(shot, 0, sizeof *shot);
        shot->state = SHOT_BUSY;
        shot->pins = 1;
        shot->number = w->next_number++;
        shot->end = TICK_NEVER;
        shot->frozen = calloc((size_t)w->sectors, sizeof *shot->frozen);
        shot->overlay = history_new(w->sectors, CONTENT_FROZEN, 0);
    }
    pthread_mutex_unlock(&w->lock);
    return shot;
}

/* ---- frozen content ---- */

/* One block, or several: what was read is noted, or compared with what is known. */
static void take_frozen(struct world *w, struct shot *shot, const uint8_t *bytes, uint64_t first, uint64_t count) {
    for (uint64_t sector = first; sector < first + count; sector++) {
        const uint8_t *at = bytes + (sector - first) * PATTERN_SECTOR;
        uint64_t content = world_content(w, at, sector);
        if (content == CONTENT_BAD || (shot->loaded && shot->frozen[sector] != content)) {
            char text[160];
            pattern_describe(at, text, sizeof text);
            world_fail(w,
                       "snapshot s%" PRIu64 " (point taken at %" PRIu64 "..%" PRId64 "), sector %" PRIu64
                       " was %" PRId64 ", and is %s",
                       shot->number, shot->begin, (int64_t)shot->end, sector,
                       shot->loaded ? (int64_t)shot->frozen[sector] : -1, text);
        }
        shot->frozen[sector] = content;
    }
}

/* Blocks until the subset's next gap, no more than max. */
static uint64_t covered_run(const struct world *w, const struct shot *shot, uint64_t block, uint64_t max) {
    uint64_t n = 0;
    while (n < max && block + n < w->blocks && world_covers(shot->cover, block + n)) {
        n++;
    }
    return n;
}

static uint64_t sectors_of(const struct world *w, uint64_t block, uint64_t count) {
    uint64_t begin = block * w->block_sectors;
    uint64_t end = begin + count * w->block_sectors;
    return (end < w->sectors ? end : w->sectors) - begin;
}

static bool load_part(struct world *w, struct shot *shot, selsnap_view *view, uint64_t block, uint64_t count,
                      uint8_t *buf) {
    uint64_t first = block * w->block_sectors;
    uint64_t n = sectors_of(w, block, count);
    int code = selsnap_view_read(view, buf, (size_t)(n * PATTERN_SECTOR), first * PATTERN_SECTOR);
    if (code == SELSNAP_ELOST && count > 1) {
        bool ok = true;
        for (uint64_t i = 0; i < count && ok; i++) {
            ok = load_part(w, shot, view, block + i, 1, buf);
        }
        return ok;
    }
    if (code == SELSNAP_ELOST) {
        WORLD_CHECK(w, shot->policy == SELSNAP_POLICY_GIVE_UP_BLOCK);
        atomic_store(&shot->lost[block], 1);
        for (uint64_t i = 0; i < n && !shot->loaded; i++) {
            shot->frozen[first + i] = CONTENT_LOST;
        }
        return true;
    }
    if (w->breaks && (code == SELSNAP_EIO || code == SELSNAP_ESTORE)) {
        return false;
    }
    if (code != SELSNAP_OK) {
        world_fail(w, "snapshot s%" PRIu64 " cannot be read at block %" PRIu64 ": %s", shot->number, block,
                   selsnap_error_name(code));
    }
    for (uint64_t i = 0; i < count; i++) {
        WORLD_CHECK(w, atomic_load(&shot->lost[block + i]) == 0); /* lost is lost */
    }
    take_frozen(w, shot, buf, first, n);
    return true;
}

bool shot_load(struct world *w, struct shot *shot, uint8_t *buf) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    options.id = shot->id;
    options.flags = SELSNAP_VIEW_PRISTINE;
    int code = selsnap_view_open(w->ss, &options, &view);
    if (w->breaks && code == SELSNAP_ESTORE) {
        return false;
    }
    if (code != SELSNAP_OK) {
        world_fail(w, "snapshot s%" PRIu64 " cannot be opened: %s", shot->number, selsnap_error_name(code));
    }
    bool ok = true;
    for (uint64_t block = 0; block < w->blocks && ok;) {
        uint64_t n = covered_run(w, shot, block, WORLD_IO_BLOCKS);
        if (n == 0) {
            block++;
            continue;
        }
        ok = load_part(w, shot, view, block, n, buf);
        block += n;
    }
    code = selsnap_view_close(view);
    WORLD_CHECK(w, code == SELSNAP_OK || (w->breaks && code == SELSNAP_ESTORE));
    shot->loaded = shot->loaded || ok;
    return ok;
}

void shot_check_cut(struct world *w, struct shot *shot, uint64_t from, uint64_t to) {
    struct spans spans = {1, {from}, {to}};
    for (uint64_t sector = 0; sector < w->sectors; sector++) {
        if (!world_covers(shot->cover, sector / w->block_sectors) || shot->frozen[sector] == CONTENT_LOST) {
            continue;
        }
        struct spans before = spans;
        history_keep(w->live, sector, shot->frozen[sector], &spans);
        if (spans.count == 0) {
            char text[200];
            snprintf(text, sizeof text,
                     "snapshot s%" PRIu64 " holds %" PRId64 " where %" PRIu64 "..%" PRIu64 " were left", shot->number,
                     (int64_t)shot->frozen[sector], before.from[0], before.to[before.count - 1]);
            world_wrong(w, text, w->live, sector, NULL, from, to);
        }
    }
    shot->checked = true;
}

/* ---- when nobody works ---- */

/* false: the process that made it, or deleted it, was stopped before it had. */
static bool find_by_name(struct world *w, struct shot *shot) {
    char name[32];
    selsnap_snapshot_info info = {0};
    info.struct_size = sizeof info;
    world_name(shot->number, name, sizeof name);
    int code = selsnap_snapshot_find(w->ss, name, &info);
    WORLD_CHECK(w, code == SELSNAP_OK || code == SELSNAP_ENOENT);
    if (code == SELSNAP_OK) {
        WORLD_CHECK(w, shot->id == 0 || shot->id == info.id);
        WORLD_CHECK(w, info.policy == shot->policy);
        shot->id = info.id;
    }
    return code == SELSNAP_OK;
}

static void check_subset(struct world *w, struct shot *shot) {
    selsnap_subset *subset = NULL;
    uint64_t covered = 0;
    assert_ok(selsnap_snapshot_get_subset(w->ss, shot->id, &subset));
    for (uint64_t block = 0; block < w->blocks; block++) {
        uint64_t len = sectors_of(w, block, 1) * PATTERN_SECTOR;
        bool in = selsnap_subset_contains(subset, block * w->config->block_bytes, len) != 0;
        WORLD_CHECK(w, in == world_covers(shot->cover, block));
        covered += in;
    }
    WORLD_CHECK(w, covered == selsnap_subset_block_count(subset));
    selsnap_subset_close(subset);
}

/* One block of the overlay, which may be lost. */
static bool read_overlay_block(struct world *w, struct shot *shot, selsnap_view *view, uint64_t block, uint8_t *buf) {
    uint64_t n = sectors_of(w, block, 1);
    int code = selsnap_view_read(view, buf, (size_t)(n * PATTERN_SECTOR), block * w->config->block_bytes);
    if (code == SELSNAP_ELOST) {
        WORLD_CHECK(w, shot->policy == SELSNAP_POLICY_GIVE_UP_BLOCK && atomic_load(&shot->lost[block]) != 0);
        return false;
    }
    if (code != SELSNAP_OK) {
        world_fail(w, "the overlay of s%" PRIu64 " cannot be read at block %" PRIu64 ": %s", shot->number, block,
                   selsnap_error_name(code));
    }
    return true;
}

/* What a sector of the overlay gave, as its history has it: frozen content counts as such where it can. */
static void check_overlay_sector(struct world *w, struct shot *shot, const uint8_t *bytes, uint64_t sector,
                                 bool crashed, uint64_t tick) {
    uint64_t content = world_content(w, bytes, sector);
    uint64_t as[2] = {content, content == shot->frozen[sector] ? CONTENT_FROZEN : content};
    bool allowed = false;
    uint64_t is = content;
    for (unsigned i = 0; i < 2 && !allowed; i++) {
        is = as[1 - i];
        allowed =
            crashed ? history_survives(shot->overlay, sector, is) : history_read(shot->overlay, sector, is, tick, tick);
    }
    if (!allowed) {
        char text[64];
        snprintf(text, sizeof text, "overlay of s%" PRIu64 "%s", shot->number, crashed ? ", after a crash" : "");
        world_wrong(w, text, shot->overlay, sector, bytes, tick, tick);
    }
    if (crashed) {
        history_settle(shot->overlay, sector, is, tick, false);
    }
}

static void check_overlay(struct world *w, struct shot *shot, uint8_t *buf, bool crashed) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    options.id = shot->id;
    assert_ok(selsnap_view_open(w->ss, &options, &view));
    uint64_t tick = world_tick(w);
    for (uint64_t block = 0; block < w->blocks; block++) {
        if (!world_covers(shot->cover, block) || !read_overlay_block(w, shot, view, block, buf)) {
            continue;
        }
        for (uint64_t i = 0; i < sectors_of(w, block, 1); i++) {
            check_overlay_sector(w, shot, buf + i * PATTERN_SECTOR, block * w->block_sectors + i, crashed, tick);
        }
    }
    assert_ok(selsnap_view_close(view));
}

static void check_live(struct world *w, uint8_t *buf, bool crashed) {
    uint64_t tick = world_tick(w);
    uint64_t step = WORLD_IO_BLOCKS * w->block_sectors;
    selsnap_restore_info info = {0};
    info.struct_size = sizeof info;
    bool restoring = selsnap_restore_next(w->ss, 0, &info) == SELSNAP_OK;
    for (uint64_t first = 0; first < w->sectors; first += step) {
        uint64_t n = w->sectors - first < step ? w->sectors - first : step;
        int code = selsnap_read(w->ss, buf, (size_t)(n * PATTERN_SECTOR), first * PATTERN_SECTOR);
        WORLD_CHECK(w, code == SELSNAP_OK);
        for (uint64_t i = 0; i < n; i++) {
            const uint8_t *at = buf + i * PATTERN_SECTOR;
            uint64_t content = world_content(w, at, first + i);
            bool allowed = crashed ? history_survives(w->live, first + i, content)
                                   : history_read(w->live, first + i, content, tick, tick);
            if (!allowed) {
                world_wrong(w, crashed ? "the live device, after a crash," : "the live device", w->live, first + i, at,
                            tick, tick);
            }
            if (crashed) {
                history_settle(w->live, first + i, content, tick, restoring);
            }
        }
    }
}

static int tell_problem(void *user, const char *line) {
    (void)user;
    fprintf(stderr, "# problem: %s\n", line);
    return 0;
}

static void check_store(struct world *w) {
    selsnap_check_result result = {0};
    result.struct_size = sizeof result;
    int code = selsnap_check(w->ss, tell_problem, w, NULL, NULL, &result);
    WORLD_CHECK(w, code == SELSNAP_OK && result.problems == 0);
}

/* Nothing is there that should not be. */
static void check_list(struct world *w) {
    selsnap_stats stats = SELSNAP_STATS_INIT;
    uint64_t ready = 0;
    for (unsigned i = 0; i < WORLD_SHOTS; i++) {
        ready += w->shot[i].state == SHOT_READY;
    }
    assert_ok(selsnap_get_stats(w->ss, &stats));
    WORLD_CHECK(w, stats.snapshots == ready);
}

void shots_load_new(struct world *w) {
    uint8_t *buf = malloc((size_t)WORLD_IO_BLOCKS * w->config->block_bytes);
    assert_non_null(buf);
    for (unsigned i = 0; i < WORLD_SHOTS; i++) {
        struct shot *shot = &w->shot[i];
        if (shot->state != SHOT_FREE && !shot->loaded && find_by_name(w, shot)) {
            WORLD_CHECK(w, shot_load(w, shot, buf));
        }
    }
    free(buf);
}

void world_settle(struct world *w) {
    uint32_t more = 1;
    for (unsigned i = 0; more != 0 && i < 2000; i++) {
        int code = selsnap_step(w->ss, NULL, &more);
        if (code == SELSNAP_ENOSPACE && w->config->fills) {
            return; /* a restore that finds no room to preserve */
        }
        WORLD_CHECK(w, code == SELSNAP_OK);
    }
    WORLD_CHECK(w, more == 0);
}

static void verify(struct world *w, bool crashed) {
    uint8_t *buf = malloc((size_t)WORLD_IO_BLOCKS * w->config->block_bytes);
    assert_non_null(buf);
    uint64_t now = world_tick(w);
    for (unsigned i = 0; i < WORLD_SHOTS; i++) {
        struct shot *shot = &w->shot[i];
        if (shot->state == SHOT_FREE) {
            continue;
        }
        bool there = find_by_name(w, shot);
        WORLD_CHECK(w, there || shot->state != SHOT_READY);
        WORLD_CHECK(w, crashed || shot->state == SHOT_READY);
        if (!there) {
            shot_free(w, shot);
            continue;
        }
        shot->state = SHOT_READY;
        shot->pins = 0;
        check_subset(w, shot);
        WORLD_CHECK(w, shot_load(w, shot, buf));
        if (!shot->checked) {
            shot_check_cut(w, shot, shot->begin, shot->end == TICK_NEVER ? now : shot->end);
        }
        check_overlay(w, shot, buf, crashed);
    }
    check_list(w);
    check_live(w, buf, crashed);
    check_store(w);
    free(buf);
}

void world_verify(struct world *w) {
    verify(w, false);
}

void world_verify_crash(struct world *w) {
    verify(w, true);
}
