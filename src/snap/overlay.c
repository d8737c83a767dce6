/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See overlay.h. Here: the shared struct, what is pending in it, and looking things up.
 *
 * A look takes what is pending first and reads the index afterwards. A block that a flush moves meanwhile was seen
 * pending; one that a write makes pending meanwhile was written beside the read. Places seen stay readable by the read
 * section.
 */
#include "overlay.h"

#include "layers.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum { PENDING_BYTES = 24 }; /* one length for every kind, so that a node is changed in place and that cannot fail */

static struct ssn_key pending_key(uint64_t block) {
    return ssn_key_make(SSN_ITEM_OVERLAY, 0, block);
}

static void pending_record(const struct ssn_map_node *node, struct ssn_overlay_record *ret_record) {
    ret_record->kind = node->value[0];
    ret_record->place = ssn_get64(node->value + 8);
    ret_record->checksum = ssn_get64(node->value + 16);
}

static int pending_set(struct ssn_overlay *overlay, uint64_t block, const struct ssn_overlay_record *record) {
    uint8_t value[PENDING_BYTES] = {0};
    value[0] = record->kind;
    ssn_put64(value + 8, record->place);
    ssn_put64(value + 16, record->checksum);
    struct ssn_key key = pending_key(block);
    return ssn_map_set(overlay->pending, &key, value, PENDING_BYTES, false);
}

static bool find_pending(const struct ssn_map *pending, uint64_t from, uint64_t *ret_block,
                         struct ssn_overlay_record *ret_record) {
    struct ssn_key key = pending_key(from);
    const struct ssn_map_node *node = ssn_map_seek(pending, &key);
    while (node != NULL) {
        pending_record(node, ret_record);
        if (ret_record->kind != SSN_ENTRY_NONE) {
            *ret_block = node->key.minor;
            return true;
        }
        key = pending_key(node->key.minor + 1);
        node = ssn_map_seek(pending, &key);
    }
    return false;
}

/* Gives back the places that were pending. Those that a commit in doubt has taken the store knows, and keeps. */
static void untake_all(struct selsnap *ss, const struct ssn_map *pending) {
    uint64_t block = 0;
    struct ssn_overlay_record record;
    while (find_pending(pending, block, &block, &record)) {
        if (record.kind == SSN_ENTRY_DATA) {
            ssn_store_untake(ss->store, record.place, ss->block_pages);
        }
        block++;
    }
}

static int open_overlay(struct selsnap *ss, struct ssn_overlay **ret_overlay) {
    struct ssn_overlay *overlay = ssn_calloc(&ss->mem, 1, sizeof *overlay);
    if (overlay == NULL) {
        return SELSNAP_ENOMEM;
    }
    overlay->pending = ssn_map_open(&ss->mem);
    if (overlay->pending == NULL) {
        goto out_free;
    }
    if (pthread_mutex_init(&overlay->writer, NULL) != 0) {
        goto out_map;
    }
    if (pthread_rwlock_init(&overlay->lock, NULL) != 0) {
        goto out_writer;
    }
    *ret_overlay = overlay;
    return SELSNAP_OK;

out_writer:
    pthread_mutex_destroy(&overlay->writer);
out_map:
    ssn_map_close(overlay->pending);
out_free:
    ssn_free(&ss->mem, overlay);
    return SELSNAP_ENOMEM;
}

/* Nobody uses it. What is still pending is lost, and its space given back. */
static void close_overlay(struct selsnap *ss, struct ssn_overlay *overlay) {
    untake_all(ss, overlay->pending);
    ssn_map_close(overlay->pending);
    pthread_rwlock_destroy(&overlay->lock);
    pthread_mutex_destroy(&overlay->writer);
    ssn_free(&ss->mem, overlay);
}

int ssn_overlay_join(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay **ret_overlay) {
    struct ssn_overlay *overlay = snap->overlay;
    int rc = overlay == NULL ? open_overlay(ss, &overlay) : SELSNAP_OK;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    ssn_catalogue_write_lock(&ss->catalogue);
    snap->overlay = overlay;
    overlay->users++;
    ssn_catalogue_unlock(&ss->catalogue);
    *ret_overlay = overlay;
    return SELSNAP_OK;
}

void ssn_overlay_leave_locked(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay) {
    ssn_catalogue_write_lock(&ss->catalogue);
    bool last = --overlay->users == 0;
    if (last) {
        snap->overlay = NULL;
    }
    ssn_catalogue_unlock(&ss->catalogue);
    if (last) {
        close_overlay(ss, overlay);
    }
}

void ssn_overlay_leave(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay) {
    pthread_mutex_lock(&ss->admin);
    ssn_overlay_leave_locked(ss, snap, overlay);
    pthread_mutex_unlock(&ss->admin);
}

/* ---- looking ---- */

uint64_t ssn_overlay_id(struct selsnap *ss, const struct ssn_snap *snap) {
    ssn_catalogue_read_lock(&ss->catalogue);
    /* A reset counts for reads before it is known whether the store has it; see overlay_flush.c. */
    uint64_t id = snap->overlay_doubt == SSN_OVERLAY_RESET_UNSURE ? 0 : snap->record.overlay;
    ssn_catalogue_unlock(&ss->catalogue);
    return id;
}

static void as_source(const struct ssn_overlay_record *record, struct ssn_source *ret_source) {
    ret_source->kind = record->kind;
    ret_source->epoch = 0;
    ret_source->place = record->place;
    ret_source->checksum = record->checksum;
}

void ssn_overlay_look_pending(struct selsnap *ss, struct ssn_overlay *overlay, const struct ssn_snap *snap,
                              uint64_t run, unsigned first, unsigned count, struct ssn_source *sources,
                              uint64_t *ret_id) {
    uint64_t begin = run * SSN_RUN_BLOCKS + first;
    pthread_rwlock_rdlock(&overlay->lock);
    *ret_id = ssn_overlay_id(ss, snap);
    uint64_t from = begin;
    while (overlay->pending_blocks > 0 && from < begin + count) {
        struct ssn_key key = pending_key(from);
        const struct ssn_map_node *node = ssn_map_seek(overlay->pending, &key);
        if (node == NULL || node->key.minor >= begin + count) {
            break;
        }
        struct ssn_overlay_record record;
        pending_record(node, &record);
        struct ssn_source *source = &sources[node->key.minor - begin];
        if (record.kind != SSN_ENTRY_NONE && source->kind == SSN_ENTRY_NONE) {
            as_source(&record, source);
        }
        from = node->key.minor + 1;
    }
    pthread_rwlock_unlock(&overlay->lock);
}

static int decode(struct selsnap *ss, const struct ssn_item *item, struct ssn_overlay_record *ret_record) {
    if (item->key.minor < ss->block_count && ssn_overlay_record_decode(item->value, item->len, ret_record)) {
        return SELSNAP_OK;
    }
    return ssn_fail(&ss->report, SELSNAP_EDAMAGED,
                    "the overlay item of block %" PRIu64 " in overlay %" PRIu64 " has a value that is not allowed",
                    item->key.minor, item->key.major);
}

/* The first item of the overlay at or after the block; SELSNAP_ENOENT. */
static int seek(struct selsnap *ss, uint64_t id, uint64_t from, struct ssn_item *ret_item) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_OVERLAY, id, from);
    int rc = ssn_store_seek(ss->store, &key, ret_item);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    return ret_item->key.type == SSN_ITEM_OVERLAY && ret_item->key.major == id ? SELSNAP_OK : SELSNAP_ENOENT;
}

int ssn_overlay_look_one(struct selsnap *ss, uint64_t id, uint64_t run, unsigned first, unsigned count,
                         struct ssn_source *sources) {
    uint64_t begin = run * SSN_RUN_BLOCKS + first;
    uint64_t from = begin;
    while (from < begin + count) {
        struct ssn_item item;
        int rc = seek(ss, id, from, &item);
        if (rc == SELSNAP_ENOENT || (rc == SELSNAP_OK && item.key.minor >= begin + count)) {
            break;
        }
        struct ssn_overlay_record record;
        rc = rc == SELSNAP_OK ? decode(ss, &item, &record) : rc;
        if (rc != SELSNAP_OK) {
            return rc;
        }
        struct ssn_source *source = &sources[item.key.minor - begin];
        if (source->kind == SSN_ENTRY_NONE) {
            as_source(&record, source);
        }
        from = item.key.minor + 1;
    }
    return SELSNAP_OK;
}

int ssn_overlay_look_index(struct selsnap *ss, uint64_t id, uint64_t run, unsigned first, unsigned count,
                           struct ssn_source *sources) {
    uint64_t ids[SSN_LAYER_CHAIN_MAX];
    unsigned layers = ssn_layers_chain(ss, id, ids);
    int rc = SELSNAP_OK;
    for (unsigned i = 0; rc == SELSNAP_OK && i < layers; i++) {
        rc = ssn_overlay_look_one(ss, ids[i], run, first, count, sources);
    }
    return rc;
}

uint64_t ssn_overlay_begin_read(struct ssn_overlay *overlay) {
    uint64_t resets = atomic_load(&overlay->resets);
    while (resets % 2 != 0) {
        pthread_mutex_lock(&overlay->writer);
        pthread_mutex_unlock(&overlay->writer);
        resets = atomic_load(&overlay->resets);
    }
    return resets;
}

bool ssn_overlay_was_reset(struct ssn_overlay *overlay, uint64_t began) {
    return atomic_load(&overlay->resets) != began;
}

int ssn_overlay_seek(struct selsnap *ss, uint64_t id, uint64_t from, uint64_t *ret_block,
                     struct ssn_overlay_record *ret_record) {
    struct ssn_item item;
    int rc = id != 0 ? seek(ss, id, from, &item) : SELSNAP_ENOENT;
    if (rc == SELSNAP_ENOENT) {
        *ret_block = UINT64_MAX;
        return SELSNAP_OK;
    }
    if (rc == SELSNAP_OK) {
        rc = decode(ss, &item, ret_record);
    }
    if (rc == SELSNAP_OK) {
        *ret_block = item.key.minor;
    }
    return rc;
}

bool ssn_overlay_pending_at(const struct ssn_overlay *overlay, uint64_t from, uint64_t *ret_block,
                            struct ssn_overlay_record *ret_record) {
    return overlay->pending_blocks > 0 && find_pending(overlay->pending, from, ret_block, ret_record);
}

uint64_t ssn_overlay_next_pending(struct ssn_overlay *overlay, uint64_t from) {
    uint64_t block;
    struct ssn_overlay_record record;
    pthread_rwlock_rdlock(&overlay->lock);
    bool found = ssn_overlay_pending_at(overlay, from, &block, &record);
    pthread_rwlock_unlock(&overlay->lock);
    return found ? block : UINT64_MAX;
}

bool ssn_overlay_any_pending(const struct ssn_snap *snap) {
    return snap->overlay != NULL && ssn_overlay_next_pending(snap->overlay, 0) != UINT64_MAX;
}

bool ssn_overlay_unflushed(struct selsnap *ss, const struct ssn_snap *snap) {
    ssn_catalogue_read_lock(&ss->catalogue);
    bool doubt = snap->overlay_doubt != SSN_OVERLAY_SURE;
    ssn_catalogue_unlock(&ss->catalogue);
    return doubt || ssn_overlay_any_pending(snap);
}

/* ---- changing what is pending ---- */

int ssn_overlay_put(struct selsnap *ss, struct ssn_overlay *overlay, uint64_t first_block, unsigned count,
                    const struct ssn_overlay_record *records, unsigned *ret_done) {
    assert(count <= SSN_RUN_BLOCKS);
    uint64_t old_places[SSN_RUN_BLOCKS];
    unsigned old_count = 0;
    unsigned done = 0;
    int rc = SELSNAP_OK;
    pthread_rwlock_wrlock(&overlay->lock);
    for (; done < count; done++) {
        struct ssn_overlay_record old = {SSN_ENTRY_NONE, 0, 0};
        struct ssn_key key = pending_key(first_block + done);
        const struct ssn_map_node *node = ssn_map_find(overlay->pending, &key);
        if (node != NULL) {
            pending_record(node, &old);
        }
        rc = pending_set(overlay, first_block + done, &records[done]);
        if (rc != SELSNAP_OK) {
            break;
        }
        overlay->pending_blocks += old.kind == SSN_ENTRY_NONE;
        if (old.kind == SSN_ENTRY_DATA) {
            old_places[old_count++] = old.place;
        }
    }
    pthread_rwlock_unlock(&overlay->lock);
    /* Only now: whoever looks from here on no longer finds these places, and who found them is in a read section. */
    for (unsigned i = 0; i < old_count; i++) {
        ssn_store_untake(ss->store, old_places[i], ss->block_pages);
    }
    *ret_done = done;
    return rc;
}

void ssn_overlay_forget(struct selsnap *ss, struct ssn_overlay *overlay, uint64_t first, uint64_t last) {
    const struct ssn_overlay_record none = {SSN_ENTRY_NONE, 0, 0};
    uint64_t block = first;
    struct ssn_overlay_record record;
    pthread_rwlock_wrlock(&overlay->lock);
    while (ssn_overlay_pending_at(overlay, block, &block, &record) && block <= last) {
        int rc = pending_set(overlay, block, &none);
        assert(rc == SELSNAP_OK);
        (void)rc;
        overlay->pending_blocks--;
        block++;
    }
    if (overlay->pending_blocks == 0) {
        /* The nodes that stand for nothing go; without memory for a new map they just stay. */
        struct ssn_map *empty = ssn_map_open(&ss->mem);
        if (empty != NULL) {
            ssn_map_close(overlay->pending);
            overlay->pending = empty;
        }
    }
    pthread_rwlock_unlock(&overlay->lock);
}

struct ssn_map *ssn_overlay_clear(struct selsnap *ss, struct ssn_snap *snap, struct ssn_overlay *overlay,
                                  struct ssn_map *empty, enum ssn_overlay_doubt doubt) {
    pthread_rwlock_wrlock(&overlay->lock);
    ssn_catalogue_write_lock(&ss->catalogue);
    snap->record.overlay = doubt == SSN_OVERLAY_SURE ? 0 : snap->record.overlay;
    snap->overlay_doubt = doubt;
    ssn_catalogue_unlock(&ss->catalogue);
    struct ssn_map *was_pending = overlay->pending;
    overlay->pending = empty;
    overlay->pending_blocks = 0;
    overlay->counted = false;
    pthread_rwlock_unlock(&overlay->lock);
    /* As in ssn_overlay_put: only when nobody finds the places any more. */
    untake_all(ss, was_pending);
    return was_pending;
}
