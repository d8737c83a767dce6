/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See map.h. A skip list: each node has a tower of links, of a height drawn from the map's own generator (a quarter of
 * the nodes of one level reach the next), so that the shape does not depend on the keys, and the same calls give the
 * same shape. One allocation a node: the tower, then the node that callers see.
 *
 * Invariants: at each level the keys rise strictly; a tower is linked at all levels below its height. The owner locks.
 */
#include "map.h"

#include "page.h"

#include <assert.h>
#include <stdalign.h>
#include <string.h>

enum {
    HEIGHT_MAX = 16,   /* 4^16 nodes before search slows down */
    ALLOC_PREFIX = 16, /* what ssn_alloc() adds */
};

struct tower {
    uint32_t height;
    uint32_t alloc_bytes;
    struct tower *next[]; /* height links */
};

struct ssn_map {
    struct ssn_mem *mem;
    uint64_t count;
    uint64_t bytes;
    uint64_t memory;
    uint64_t random; /* never 0 */
    uint32_t height; /* of the highest tower */
    struct tower *first[HEIGHT_MAX];
};

static size_t tower_bytes(uint32_t height) {
    size_t align = alignof(struct ssn_map_node);
    return (sizeof(struct tower) + height * sizeof(struct tower *) + align - 1) / align * align;
}

static struct ssn_map_node *node_of(const struct tower *tower) {
    return (struct ssn_map_node *)(void *)((uint8_t *)(uintptr_t)tower + tower_bytes(tower->height));
}

static uint32_t draw_height(struct ssn_map *map) {
    uint64_t x = map->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    map->random = x;
    uint32_t height = 1;
    /* The upper bits; the lower ones of this generator are the weaker. */
    for (x >>= 32; height < HEIGHT_MAX && (x & 3) == 0; x >>= 2) {
        height++;
    }
    return height;
}

struct ssn_map *ssn_map_open(struct ssn_mem *mem) {
    struct ssn_map *map = ssn_calloc(mem, 1, sizeof *map);
    if (map == NULL) {
        return NULL;
    }
    map->mem = mem;
    map->random = UINT64_C(0x9e3779b97f4a7c15);
    map->memory = sizeof *map + ALLOC_PREFIX;
    return map;
}

void ssn_map_close(struct ssn_map *map) {
    if (map == NULL) {
        return;
    }
    struct ssn_mem *mem = map->mem;
    struct tower *tower = map->first[0];
    while (tower != NULL) {
        struct tower *next = tower->next[0];
        ssn_free(mem, tower);
        tower = next;
    }
    ssn_free(mem, map);
}

/* The last tower whose key is < key; NULL: none. links (or NULL): at each level, the link that leads past it. */
static struct tower *search(const struct ssn_map *map, const struct ssn_key *key, struct tower **links[HEIGHT_MAX]) {
    struct tower *at = NULL;
    struct tower *const *next = map->first;
    for (uint32_t level = map->height; level-- > 0;) {
        while (next[level] != NULL && ssn_key_compare(&node_of(next[level])->key, key) < 0) {
            at = next[level];
            next = at->next;
        }
        if (links != NULL) {
            links[level] = (struct tower **)(uintptr_t)&next[level];
        }
    }
    return at;
}

static struct tower *first_from(const struct ssn_map *map, const struct ssn_key *key) {
    struct tower *before = search(map, key, NULL);
    return before != NULL ? before->next[0] : map->first[0];
}

static uint64_t leaf_bytes(const struct ssn_map_node *node) {
    return (uint64_t)SSN_PAGE_SLOT + SSN_LEAF_ITEM_MIN + node->len;
}

static struct tower *make(struct ssn_map *map, uint32_t height, const struct ssn_key *key, uint16_t len) {
    size_t alloc_bytes = tower_bytes(height) + offsetof(struct ssn_map_node, value) + len;
    /* Never less than the struct with its padding. */
    alloc_bytes = (size_t)ssn_max_u64(alloc_bytes, tower_bytes(height) + sizeof(struct ssn_map_node));
    struct tower *tower = ssn_alloc(map->mem, alloc_bytes);
    if (tower == NULL) {
        return NULL;
    }
    tower->height = height;
    tower->alloc_bytes = (uint32_t)alloc_bytes;
    struct ssn_map_node *node = node_of(tower);
    node->key = *key;
    node->len = len;
    return tower;
}

static void fill(struct ssn_map_node *node, const uint8_t *value, bool tombstone) {
    node->tombstone = tombstone;
    if (node->len > 0) {
        memcpy(node->value, value, node->len);
    }
}

static void link_in(struct ssn_map *map, struct tower *tower, struct tower **links[HEIGHT_MAX], struct tower *old) {
    for (uint32_t level = 0; level < tower->height; level++) {
        tower->next[level] = old != NULL ? old->next[level] : *links[level];
        *links[level] = tower;
    }
    map->memory += tower->alloc_bytes + (uint64_t)ALLOC_PREFIX;
    map->bytes += leaf_bytes(node_of(tower));
}

int ssn_map_set(struct ssn_map *map, const struct ssn_key *key, const uint8_t *value, uint16_t len, bool tombstone) {
    assert(!tombstone || (value == NULL && len == 0));
    struct tower **links[HEIGHT_MAX];
    search(map, key, links);
    struct tower *old = map->height > 0 ? *links[0] : NULL;
    if (old != NULL && ssn_key_compare(&node_of(old)->key, key) != 0) {
        old = NULL;
    }
    if (old != NULL && node_of(old)->len == len) {
        fill(node_of(old), value, tombstone);
        return SELSNAP_OK;
    }
    struct tower *tower = make(map, old != NULL ? old->height : draw_height(map), key, len);
    if (tower == NULL) {
        return SELSNAP_ENOMEM;
    }
    fill(node_of(tower), value, tombstone);
    for (; map->height < tower->height; map->height++) {
        links[map->height] = &map->first[map->height];
    }
    link_in(map, tower, links, old);
    if (old == NULL) {
        map->count++;
    } else {
        map->memory -= old->alloc_bytes + (uint64_t)ALLOC_PREFIX;
        map->bytes -= leaf_bytes(node_of(old));
        ssn_free(map->mem, old);
    }
    return SELSNAP_OK;
}

const struct ssn_map_node *ssn_map_seek(const struct ssn_map *map, const struct ssn_key *key) {
    const struct tower *tower = first_from(map, key);
    return tower != NULL ? node_of(tower) : NULL;
}

const struct ssn_map_node *ssn_map_find(const struct ssn_map *map, const struct ssn_key *key) {
    const struct ssn_map_node *node = ssn_map_seek(map, key);
    return node != NULL && ssn_key_compare(&node->key, key) == 0 ? node : NULL;
}

const struct ssn_map_node *ssn_map_seek_last(const struct ssn_map *map, const struct ssn_key *key) {
    const struct tower *before = search(map, key, NULL);
    const struct tower *tower = before != NULL ? before->next[0] : map->first[0];
    if (tower != NULL && ssn_key_compare(&node_of(tower)->key, key) == 0) {
        return node_of(tower);
    }
    return before != NULL ? node_of(before) : NULL;
}

uint64_t ssn_map_count(const struct ssn_map *map) {
    return map->count;
}

uint64_t ssn_map_bytes(const struct ssn_map *map) {
    return map->bytes;
}

uint64_t ssn_map_memory(const struct ssn_map *map) {
    return map->memory;
}
