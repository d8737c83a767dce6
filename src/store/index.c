/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lookups in the index: what the generations say hides what the tree says. Generations and root are looked at under
 * index_lock at one moment; the tree is read outside of it, in a read section, so that its pages stay. Where a walk
 * needs a second look at the generations, it begins again if `version` has moved, and at last holds the lock
 * throughout.
 */
#include "store_inner.h"

#include <assert.h>
#include <string.h>

enum { FREE_ATTEMPTS = 4 }; /* before a seek holds the lock */

int ssn_generation_init(struct ssn_generation *generation, struct ssn_mem *mem) {
    memset(generation, 0, sizeof *generation);
    ssn_runs_init(&generation->taken, mem);
    ssn_runs_init(&generation->given, mem);
    generation->map = ssn_map_open(mem);
    return generation->map != NULL ? SELSNAP_OK : SELSNAP_ENOMEM;
}

void ssn_generation_fini(struct ssn_generation *generation, struct ssn_mem *mem) {
    if (generation->map == NULL) {
        return;
    }
    ssn_map_close(generation->map);
    for (unsigned i = 0; i < generation->loose_count; i++) {
        ssn_batch_free(mem, generation->loose[i]);
    }
    ssn_runs_fini(&generation->taken);
    ssn_runs_fini(&generation->given);
    memset(generation, 0, sizeof *generation);
}

uint64_t ssn_generation_memory(const struct ssn_generation *generation) {
    if (generation->map == NULL) {
        return 0;
    }
    return ssn_map_memory(generation->map) +
           (uint64_t)SSN_RUN_MEMORY * (generation->taken.count + generation->given.count);
}

bool ssn_generation_empty(const struct ssn_generation *generation) {
    return generation->map == NULL || (ssn_map_count(generation->map) == 0 && generation->loose_count == 0 &&
                                       generation->taken.count == 0 && generation->given.count == 0);
}

/* ---- batches ---- */

/* Walks the puts and deletes of a batch that this store made or has checked. */
struct walk {
    struct ssn_ops_iter txns;
    struct ssn_ops_iter ops;
};

static struct walk walk_batch(const struct ssn_batch *batch) {
    struct walk walk = {ssn_ops_begin(batch->payload, batch->len), ssn_ops_begin(batch->payload, 0)};
    return walk;
}

static bool walk_next(struct walk *walk, struct ssn_op *ret_op) {
    for (;;) {
        enum ssn_iter_result result = ssn_ops_next(&walk->ops, ret_op);
        assert(result != SSN_ITER_BAD);
        if (result == SSN_ITER_END) {
            result = ssn_txns_next(&walk->txns, &walk->ops);
            assert(result != SSN_ITER_BAD);
            if (result == SSN_ITER_END) {
                return false;
            }
        } else if (ret_op->kind == SSN_OP_PUT || ret_op->kind == SSN_OP_DELETE) {
            return true;
        }
    }
}

bool ssn_generation_apply(struct ssn_generation *generation, const struct ssn_batch *batch) {
    struct walk walk = walk_batch(batch);
    struct ssn_op op;
    while (walk_next(&walk, &op)) {
        bool gone = op.kind == SSN_OP_DELETE;
        if (ssn_map_set(generation->map, &op.key, gone ? NULL : op.value, op.len, gone) != SELSNAP_OK) {
            return false;
        }
    }
    return true;
}

bool ssn_generation_tighten(struct ssn_generation *generation, struct ssn_batch **ret_batch) {
    assert(generation->loose_count > 0);
    if (!ssn_generation_apply(generation, generation->loose[0])) {
        return false;
    }
    *ret_batch = generation->loose[0];
    generation->loose_count--;
    memmove(generation->loose, generation->loose + 1, generation->loose_count * sizeof generation->loose[0]);
    return true;
}

/* Keys nearer to where a seek begins come first. */
static bool nearer(const struct ssn_key *a, const struct ssn_key *b, bool forward) {
    int order = ssn_key_compare(a, b);
    return forward ? order < 0 : order > 0;
}

static void found_op(const struct ssn_op *op, struct ssn_found *ret) {
    ret->key = op->key;
    ret->tombstone = op->kind == SSN_OP_DELETE;
    ret->value = ret->tombstone ? NULL : op->value;
    ret->len = op->len;
}

static void found_node(const struct ssn_map_node *node, struct ssn_found *ret) {
    ret->key = node->key;
    ret->value = node->value;
    ret->len = node->len;
    ret->tombstone = node->tombstone;
}

/* The nearest key of a loose batch; of the changes of one key the last counts. */
static bool seek_batch(const struct ssn_batch *batch, const struct ssn_key *key, bool forward, struct ssn_found *ret) {
    struct walk walk = walk_batch(batch);
    struct ssn_op op;
    bool any = false;
    while (walk_next(&walk, &op)) {
        if (!nearer(&op.key, key, forward) && (!any || !nearer(&ret->key, &op.key, forward))) {
            found_op(&op, ret);
            any = true;
        }
    }
    return any;
}

bool ssn_generation_find(const struct ssn_generation *generation, const struct ssn_key *key, struct ssn_found *ret) {
    if (generation->map == NULL) {
        return false;
    }
    for (unsigned i = generation->loose_count; i > 0; i--) {
        struct ssn_found found;
        if (seek_batch(generation->loose[i - 1], key, true, &found) && ssn_key_compare(&found.key, key) == 0) {
            *ret = found;
            return true;
        }
    }
    const struct ssn_map_node *node = ssn_map_find(generation->map, key);
    if (node == NULL) {
        return false;
    }
    found_node(node, ret);
    return true;
}

bool ssn_generation_seek(const struct ssn_generation *generation, const struct ssn_key *key, bool forward,
                         struct ssn_found *ret) {
    if (generation->map == NULL) {
        return false;
    }
    bool any = false;
    for (unsigned i = generation->loose_count; i > 0; i--) {
        struct ssn_found found;
        if (seek_batch(generation->loose[i - 1], key, forward, &found) &&
            (!any || nearer(&found.key, &ret->key, forward))) {
            *ret = found;
            any = true;
        }
    }
    const struct ssn_map_node *node =
        forward ? ssn_map_seek(generation->map, key) : ssn_map_seek_last(generation->map, key);
    if (node != NULL && (!any || nearer(&node->key, &ret->key, forward))) {
        found_node(node, ret);
        any = true;
    }
    return any;
}

/* index_lock: of both generations together. */
static bool seek_changes(const struct ssn_store *store, const struct ssn_key *key, bool forward,
                         struct ssn_found *ret) {
    struct ssn_found older;
    bool any = ssn_generation_seek(&store->active, key, forward, ret);
    if (ssn_generation_seek(&store->frozen, key, forward, &older) && (!any || nearer(&older.key, &ret->key, forward))) {
        *ret = older;
        any = true;
    }
    return any;
}

/* ---- lookups ---- */

static void copy_found(const struct ssn_found *found, struct ssn_item *ret_item) {
    ret_item->key = found->key;
    ret_item->len = found->len;
    if (found->len > 0) {
        memcpy(ret_item->value, found->value, found->len);
    }
}

int ssn_store_get(struct ssn_store *store, const struct ssn_key *key, struct ssn_item *ret_item) {
    int rc;
    struct ssn_found found;
    unsigned ticket = ssn_readers_enter(&store->readers);
    pthread_rwlock_rdlock(&store->index_lock);
    struct ssn_root root = store->root;
    bool any = ssn_generation_find(&store->active, key, &found) || ssn_generation_find(&store->frozen, key, &found);
    if (any && !found.tombstone) {
        copy_found(&found, ret_item);
    }
    pthread_rwlock_unlock(&store->index_lock);
    if (any) {
        rc = found.tombstone ? SELSNAP_ENOENT : SELSNAP_OK;
    } else if (store->salvage != NULL && ssn_store_gap_meets(store, key, key)) {
        rc = SELSNAP_ENOENT;
    } else {
        rc = ssn_tree_get(store->pages, &root, key, ret_item);
    }
    ssn_readers_leave(&store->readers, ticket);
    return rc;
}

/* One seek. */
struct seek {
    struct ssn_store *store;
    bool forward;
    bool hold; /* index_lock is held throughout */
    struct ssn_root root;
    uint64_t version;
    struct ssn_key key; /* everything before it is known to be absent */
    bool in_tree;       /* whether `item` is the tree's nearest */
    bool tree_ended;
    struct ssn_item item;
    bool changed;          /* whether the generations have a candidate */
    struct ssn_key change; /* it */
    bool tombstone;
    struct ssn_lost lost; /* what damage keeps from view, when the walk fails with SELSNAP_EDAMAGED */
};

static bool step(struct seek *seek, const struct ssn_key *from) {
    seek->key = *from;
    return seek->forward ? ssn_key_after(&seek->key) : ssn_key_before(&seek->key);
}

/*
 * index_lock: the generations' nearest, past all tombstones that hide nothing of what is known of the tree. A live one
 * is copied to ret_item, which the seek fills only when it ends.
 */
static void look(struct seek *seek, struct ssn_item *ret_change) {
    struct ssn_found found;
    for (;;) {
        seek->changed = seek_changes(seek->store, &seek->key, seek->forward, &found);
        if (!seek->changed) {
            return;
        }
        seek->change = found.key;
        seek->tombstone = found.tombstone;
        if (!found.tombstone) {
            copy_found(&found, ret_change);
            return;
        }
        bool hides_nothing = seek->tree_ended || (seek->in_tree && nearer(&found.key, &seek->item.key, seek->forward));
        if (!hides_nothing) {
            return;
        }
        if (!step(seek, &found.key)) {
            seek->changed = false;
            return;
        }
    }
}

/* Brings the tree's nearest item up to date. */
static int look_in_tree(struct seek *seek) {
    if (seek->tree_ended || (seek->in_tree && !nearer(&seek->item.key, &seek->key, seek->forward))) {
        return SELSNAP_OK;
    }
    int rc = seek->store->salvage != NULL
                 ? ssn_salvage_seek(seek->store, &seek->key, seek->forward, &seek->item)
                 : ssn_tree_look(seek->store->pages, &seek->root, &seek->key, !seek->forward, &seek->item, &seek->lost);
    seek->in_tree = rc == SELSNAP_OK;
    seek->tree_ended = rc == SELSNAP_ENOENT;
    return seek->tree_ended ? SELSNAP_OK : rc;
}

/* Whether the generations' candidate is nearer than what damage keeps from view. */
static bool before_damage(const struct seek *seek) {
    const struct ssn_key *edge = seek->forward ? &seek->lost.low : &seek->lost.last;
    return seek->changed &&
           (nearer(&seek->change, edge, seek->forward) || ssn_key_compare(&seek->change, &seek->key) == 0);
}

/* SELSNAP_EBUSY: the index changed under the walk. */
static int walk_on(struct seek *seek, struct ssn_item *change, struct ssn_item *ret_item) {
    for (;;) {
        if (!seek->hold) {
            pthread_rwlock_unlock(&seek->store->index_lock);
        }
        int rc = look_in_tree(seek);
        bool shut = rc == SELSNAP_EDAMAGED && before_damage(seek);
        if (rc != SELSNAP_OK && !shut) {
            return rc;
        }
        if (!seek->changed || (seek->in_tree && nearer(&seek->item.key, &seek->change, seek->forward))) {
            if (seek->in_tree) {
                ssn_item_copy(ret_item, &seek->item);
            }
            return seek->in_tree ? SELSNAP_OK : SELSNAP_ENOENT;
        }
        if (!seek->tombstone) {
            ssn_item_copy(ret_item, change);
            return SELSNAP_OK;
        }
        if (!step(seek, &seek->change)) {
            return SELSNAP_ENOENT;
        }
        if (!seek->hold) {
            pthread_rwlock_rdlock(&seek->store->index_lock);
            if (atomic_load(&seek->store->version) != seek->version ||
                seek->store->root.checksum != seek->root.checksum || seek->store->root.place != seek->root.place) {
                pthread_rwlock_unlock(&seek->store->index_lock);
                return SELSNAP_EBUSY;
            }
        }
        look(seek, change);
    }
}

static int seek_index(struct ssn_store *store, const struct ssn_key *key, bool forward, struct ssn_item *ret_item,
                      struct ssn_key *ret_low, struct ssn_key *ret_last) {
    struct seek seek;
    seek.lost = (struct ssn_lost){.page = {0, 0, 0}};
    struct ssn_item change;
    int rc = SELSNAP_EBUSY;
    unsigned ticket = ssn_readers_enter(&store->readers);
    for (int attempt = 0; rc == SELSNAP_EBUSY; attempt++) {
        seek.store = store;
        seek.forward = forward;
        seek.hold = attempt >= FREE_ATTEMPTS;
        seek.key = *key;
        seek.item.key = *key;
        seek.in_tree = false;
        seek.tree_ended = false;
        pthread_rwlock_rdlock(&store->index_lock);
        seek.root = store->root;
        seek.version = atomic_load(&store->version);
        look(&seek, &change);
        rc = walk_on(&seek, &change, ret_item);
        if (seek.hold) {
            pthread_rwlock_unlock(&store->index_lock);
        }
    }
    ssn_readers_leave(&store->readers, ticket);
    if (rc == SELSNAP_EDAMAGED) {
        (void)ssn_tree_tell_lost(store->pages, &seek.lost);
    }
    if (rc == SELSNAP_EDAMAGED && ret_low != NULL) {
        *ret_low = ssn_key_compare(&seek.lost.low, key) < 0 ? *key : seek.lost.low;
    }
    if (rc == SELSNAP_EDAMAGED && ret_last != NULL) {
        *ret_last = seek.lost.last;
        if (seek.changed && ssn_key_compare(&seek.change, ret_last) <= 0 && ssn_key_compare(&seek.change, key) > 0) {
            *ret_last = seek.change;
            (void)ssn_key_before(ret_last);
        }
    }
    return rc;
}

int ssn_store_seek(struct ssn_store *store, const struct ssn_key *key, struct ssn_item *ret_item) {
    return seek_index(store, key, true, ret_item, NULL, NULL);
}

int ssn_store_seek_last(struct ssn_store *store, const struct ssn_key *key, struct ssn_item *ret_item) {
    return seek_index(store, key, false, ret_item, NULL, NULL);
}

int ssn_store_seek_over(struct ssn_store *store, const struct ssn_key *key, struct ssn_item *ret_item,
                        struct ssn_key *ret_last) {
    return seek_index(store, key, true, ret_item, NULL, ret_last);
}

int ssn_store_seek_up_to(struct ssn_store *store, const struct ssn_key *key, struct ssn_item *ret_item,
                         struct ssn_key *ret_low) {
    return seek_index(store, key, true, ret_item, ret_low, NULL);
}

uint64_t ssn_store_version(struct ssn_store *store) {
    return atomic_load(&store->version);
}

int ssn_store_forget(struct ssn_store *store, const struct ssn_key *key) {
    pthread_mutex_lock(&store->journal.lock);
    pthread_rwlock_wrlock(&store->index_lock);
    int rc = ssn_map_set(store->active.map, key, NULL, 0, true);
    atomic_fetch_add(&store->version, 1);
    pthread_rwlock_unlock(&store->index_lock);
    pthread_mutex_unlock(&store->journal.lock);
    return rc;
}

unsigned ssn_store_enter(struct ssn_store *store) {
    return ssn_readers_enter(&store->readers);
}

void ssn_store_leave(struct ssn_store *store, unsigned ticket) {
    ssn_readers_leave(&store->readers, ticket);
}
