/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What deleting some snapshots together would free (retention_inner.h). Goes from entry to entry, without a lock, through
 * the runs that their designations cover: of each extent's entries only those that are the first at or above one of
 * their points can be read by one of them. A copy is freed if one of them needs its data, and nobody else does.
 */
#include "retention_inner.h"

#include "designation.h"
#include "layers.h"
#include "needed.h"
#include "overlay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TELL_EVERY = 1024 };

/* A designation of the snapshots asked about, with its next range from where the walk is. */
struct covering {
    uint64_t id;
    uint64_t first;
    uint64_t end; /* 0: not looked up yet */
};

struct freed {
    struct selsnap *ss;
    uint64_t *ids;           /* rising */
    uint64_t *points;        /* the same snapshots' points, rising; one may be there twice */
    uint64_t *overlays;      /* the same snapshots', as ids; 0: none */
    struct covering *groups; /* those of all; not looked at if one is whole */
    size_t count;
    size_t group_count;
    bool whole; /* one of them covers everything */
    struct ssn_needed_memory *memory;
    selsnap_progress_fn progress;
    void *progress_user;
    uint64_t bytes;
};

static int rising(const void *left, const void *right) {
    const uint64_t *a = left;
    const uint64_t *b = right;
    return *a < *b ? -1 : *a > *b;
}

static int tell(struct freed *freed, uint64_t passed) {
    bool stop = freed->progress != NULL && freed->progress(freed->progress_user, passed, freed->ss->block_count) != 0;
    return stop ? SELSNAP_ECANCELED : SELSNAP_OK;
}

/* ---- what is asked about ---- */

static int open_lists(struct freed *freed, const uint64_t *ids, uint32_t count) {
    struct ssn_mem *mem = &freed->ss->mem;
    freed->ids = ssn_calloc(mem, count, sizeof *freed->ids);
    freed->points = ssn_calloc(mem, count, sizeof *freed->points);
    freed->overlays = ssn_calloc(mem, count, sizeof *freed->overlays);
    freed->groups = ssn_calloc(mem, count, sizeof *freed->groups);
    freed->memory = ssn_calloc(mem, 1, sizeof *freed->memory);
    if (freed->ids == NULL || freed->points == NULL || freed->overlays == NULL || freed->groups == NULL ||
        freed->memory == NULL) {
        return SELSNAP_ENOMEM;
    }
    memcpy(freed->ids, ids, count * sizeof *ids);
    qsort(freed->ids, count, sizeof *freed->ids, rising);
    for (uint32_t i = 0; i < count; i++) {
        if (freed->count == 0 || freed->ids[freed->count - 1] != freed->ids[i]) {
            freed->ids[freed->count++] = freed->ids[i];
        }
    }
    return SELSNAP_OK;
}

static void close_lists(struct freed *freed) {
    struct ssn_mem *mem = &freed->ss->mem;
    ssn_free(mem, freed->ids);
    ssn_free(mem, freed->points);
    ssn_free(mem, freed->overlays);
    ssn_free(mem, freed->groups);
    ssn_free(mem, freed->memory);
}

/* Each designation once. */
static void sort_groups(struct freed *freed) {
    size_t kept = 0;
    qsort(freed->groups, freed->group_count, sizeof *freed->groups, rising); /* an id comes first in each */
    for (size_t i = 0; i < freed->group_count; i++) {
        if (kept == 0 || freed->groups[kept - 1].id != freed->groups[i].id) {
            freed->groups[kept++].id = freed->groups[i].id;
        }
    }
    freed->group_count = kept;
}

static int look_at_snapshots(struct freed *freed) {
    struct selsnap *ss = freed->ss;
    int rc = SELSNAP_OK;
    pthread_mutex_lock(&ss->admin);
    for (size_t i = 0; rc == SELSNAP_OK && i < freed->count; i++) {
        struct ssn_snap *snap;
        rc = ssn_retention_find(ss, freed->ids[i], &snap);
        if (rc == SELSNAP_OK) {
            freed->points[i] = snap->record.point;
            freed->overlays[i] = ssn_overlay_id(ss, snap);
            freed->whole = freed->whole || snap->group->whole;
            freed->groups[freed->group_count++].id = snap->group->id;
        }
    }
    pthread_mutex_unlock(&ss->admin);
    qsort(freed->points, freed->count, sizeof *freed->points, rising);
    sort_groups(freed);
    return rc;
}

/* Errors met on the way, and the answer, count only if all are still there. */
static int look_again(struct freed *freed, int rc) {
    struct selsnap *ss = freed->ss;
    struct ssn_snap *snap;
    pthread_mutex_lock(&ss->admin);
    for (size_t i = 0; rc != SELSNAP_ECANCELED && rc != SELSNAP_ENOENT && i < freed->count; i++) {
        rc = ssn_retention_find(ss, freed->ids[i], &snap) == SELSNAP_OK ? rc : SELSNAP_ENOENT;
    }
    pthread_mutex_unlock(&ss->admin);
    return rc;
}

/* ---- entries ---- */

static int weigh(struct freed *freed, const struct ssn_item *item) {
    struct selsnap *ss = freed->ss;
    struct ssn_entry_record record;
    uint64_t major = item->key.major;
    uint64_t epoch = item->key.minor;
    if (!ssn_entry_record_decode(major, item->value, item->len, &record)) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED, "the entry of block %" PRIu64 " at epoch %" PRIu64 " is damaged",
                        ssn_entry_run(major) * SSN_RUN_BLOCKS, epoch);
    }
    if (record.kind != SSN_ENTRY_DATA) {
        return SELSNAP_OK;
    }
    bool any = false;
    bool others = false;
    bool somebody = false;
    int rc = ssn_extent_needed_except(ss, freed->memory, major, epoch, freed->ids, freed->count, &any, &others);
    if (rc == SELSNAP_OK && !others) {
        rc = ssn_extent_needed_walking(ss, NULL, major, epoch, 0, &any, &somebody);
    }
    if (rc == SELSNAP_OK && somebody) {
        freed->bytes += (uint64_t)ssn_entry_blocks(major) * ss->block_bytes;
    }
    return rc;
}

/* The first entry of the extent, or of a later one, that is not below the epoch. SELSNAP_ENOENT: none in the run. */
static int seek_entry(struct freed *freed, uint64_t major, uint64_t epoch, struct ssn_item *ret_item) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, major, epoch);
    int rc = ssn_store_seek(freed->ss->store, &key, ret_item);
    bool outside = rc == SELSNAP_OK &&
                   (ret_item->key.type != SSN_ITEM_ENTRY || ssn_entry_run(ret_item->key.major) != ssn_entry_run(major));
    return outside ? SELSNAP_ENOENT : rc;
}

/* The entries of one extent, of which `item` is the first not below the least point. */
static int weigh_extent(struct freed *freed, uint64_t major, struct ssn_item *item) {
    size_t next = 0;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && item->key.major == major) {
        rc = weigh(freed, item);
        while (next < freed->count && freed->points[next] <= item->key.minor) {
            next++;
        }
        if (rc != SELSNAP_OK || next == freed->count) {
            break;
        }
        rc = seek_entry(freed, major, freed->points[next], item);
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

static int weigh_run(struct freed *freed, uint64_t run) {
    uint64_t major = ssn_entry_major(run, 0, 0);
    struct ssn_item item;
    int rc;
    while ((rc = seek_entry(freed, major, freed->points[0], &item)) == SELSNAP_OK) {
        if (item.key.major == major) {
            rc = weigh_extent(freed, major, &item);
            if (rc != SELSNAP_OK || ssn_entry_run(++major) != run) {
                break;
            }
        } else {
            major = item.key.major;
        }
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

/* The first block >= from that one of them covers; UINT64_MAX: none. */
static int next_covered(struct freed *freed, uint64_t from, uint64_t *ret_block) {
    *ret_block = freed->whole ? from : UINT64_MAX;
    for (size_t i = 0; !freed->whole && i < freed->group_count; i++) {
        struct covering *group = &freed->groups[i];
        if (group->end <= from) {
            struct ssn_block_range range = {UINT64_MAX, 0};
            int rc = ssn_designation_next_range(freed->ss, group->id, false, from, &range);
            if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
                return rc;
            }
            group->first = range.first;
            group->end = range.first + range.count;
        }
        *ret_block = ssn_min_u64(*ret_block, ssn_max_u64(group->first, from));
    }
    return SELSNAP_OK;
}

static int next_entry_run(struct freed *freed, uint64_t from, uint64_t *ret_run) {
    struct ssn_item item;
    struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, ssn_entry_major(from, 0, 0), 0);
    int rc = ssn_store_seek(freed->ss->store, &key, &item);
    bool found = rc == SELSNAP_OK && item.key.type == SSN_ITEM_ENTRY;
    *ret_run = found ? ssn_entry_run(item.key.major) : UINT64_MAX;
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

static int walk(struct freed *freed) {
    uint64_t runs = ssn_div_up(freed->ss->block_count, SSN_RUN_BLOCKS);
    uint64_t run = 0;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && run < runs) {
        uint64_t covered;
        uint64_t entries = 0;
        rc = next_covered(freed, run * SSN_RUN_BLOCKS, &covered);
        rc = rc == SELSNAP_OK && covered != UINT64_MAX ? next_entry_run(freed, covered / SSN_RUN_BLOCKS, &entries) : rc;
        if (rc == SELSNAP_OK && covered == UINT64_MAX) {
            run = runs;
        } else if (rc == SELSNAP_OK && entries == covered / SSN_RUN_BLOCKS) {
            rc = weigh_run(freed, entries);
            run = entries + 1;
        } else {
            run = ssn_min_u64(entries, runs);
        }
        rc = rc == SELSNAP_OK ? tell(freed, ssn_min_u64(run * SSN_RUN_BLOCKS, freed->ss->block_count)) : rc;
    }
    return rc;
}

/* ---- overlays ---- */

/* Whether the snapshot is one of those asked about. */
static bool is_asked(const struct freed *freed, uint64_t id) {
    return bsearch(&id, freed->ids, freed->count, sizeof *freed->ids, rising) != NULL;
}

/* admin is held: whether the overlay is counted with this snapshot, the first of all that read it, and would go. */
static bool goes_with(const struct freed *freed, uint64_t overlay, uint64_t snap_id) {
    struct ssn_catalogue *catalogue = &freed->ss->catalogue;
    for (size_t i = 0; i < catalogue->snap_count; i++) {
        const struct ssn_snap *snap = catalogue->snaps[i];
        uint64_t ids[SSN_LAYER_CHAIN_MAX];
        unsigned count = ssn_layers_chain(freed->ss, snap->record.overlay, ids);
        for (unsigned layer = 0; layer < count; layer++) {
            if (ids[layer] == overlay && (snap->id < snap_id || !is_asked(freed, snap->id))) {
                return false;
            }
        }
    }
    return true;
}

/* The overlays of a snapshot's chain that are counted with it. */
static unsigned gone_layers(const struct freed *freed, size_t index, uint64_t *ret_ids) {
    struct selsnap *ss = freed->ss;
    pthread_mutex_lock(&ss->admin);
    unsigned count = ssn_layers_chain(ss, freed->overlays[index], ret_ids);
    unsigned gone = 0;
    for (unsigned i = 0; i < count; i++) {
        if (ss->catalogue.layer_count == 0 || goes_with(freed, ret_ids[i], freed->ids[index])) {
            ret_ids[gone++] = ret_ids[i];
        }
    }
    pthread_mutex_unlock(&ss->admin);
    return gone;
}

static int add_overlay(struct freed *freed, uint64_t overlay) {
    struct ssn_overlay_record record;
    uint64_t block = 0;
    uint64_t visited = 0;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK) {
        rc = ssn_overlay_seek(freed->ss, overlay, block, &block, &record);
        if (rc != SELSNAP_OK || block == UINT64_MAX) {
            break;
        }
        freed->bytes += record.kind == SSN_ENTRY_DATA ? freed->ss->block_bytes : 0;
        block++;
        rc = ++visited % TELL_EVERY == 0 ? tell(freed, 0) : SELSNAP_OK;
    }
    return rc;
}

int ssn_retention_freed(struct selsnap *ss, const uint64_t *ids, uint32_t count, selsnap_progress_fn progress,
                        void *progress_user, uint64_t *ret_bytes) {
    struct freed freed = {.ss = ss, .progress = progress, .progress_user = progress_user};
    int rc = ssn_check_usable(ss);
    if (rc == SELSNAP_OK && count > 0) {
        rc = open_lists(&freed, ids, count);
        rc = rc == SELSNAP_OK ? look_at_snapshots(&freed) : rc;
        for (size_t i = 0; rc == SELSNAP_OK && i < freed.count; i++) {
            uint64_t layers[SSN_LAYER_CHAIN_MAX];
            unsigned gone = gone_layers(&freed, i, layers);
            for (unsigned layer = 0; rc == SELSNAP_OK && layer < gone; layer++) {
                rc = add_overlay(&freed, layers[layer]);
            }
        }
        rc = rc == SELSNAP_OK ? walk(&freed) : rc;
        rc = rc != SELSNAP_ENOMEM ? look_again(&freed, rc) : rc;
        close_lists(&freed);
    }
    if (rc == SELSNAP_OK) {
        *ret_bytes = freed.bytes;
    }
    return rc;
}
