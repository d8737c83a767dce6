/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ordered map in memory: what changed in the index since a checkpoint. A key maps to a value, or to a tombstone (the
 * tree's item of that key is gone). Not locked: the owner does.
 */
#ifndef SSN_MAP_H
#define SSN_MAP_H

#include "key.h"
#include "mem.h"

struct ssn_map;

struct ssn_map_node {
    struct ssn_key key;
    uint16_t len;
    bool tombstone;
    uint8_t value[]; /* len bytes */
};

/* NULL: no memory. */
struct ssn_map *ssn_map_open(struct ssn_mem *mem);
void ssn_map_close(struct ssn_map *map);
/* Sets or replaces; value NULL with tombstone. A node once returned by find or seek stays until the next change of it. */
int ssn_map_set(struct ssn_map *map, const struct ssn_key *key, const uint8_t *value, uint16_t len, bool tombstone);
const struct ssn_map_node *ssn_map_find(const struct ssn_map *map, const struct ssn_key *key);
/* The first node whose key is >= key, the last whose key is <= key; NULL: none. Tombstones are nodes. */
const struct ssn_map_node *ssn_map_seek(const struct ssn_map *map, const struct ssn_key *key);
const struct ssn_map_node *ssn_map_seek_last(const struct ssn_map *map, const struct ssn_key *key);
uint64_t ssn_map_count(const struct ssn_map *map);
/* Bytes of keys and values, as they would take in leaves. */
uint64_t ssn_map_bytes(const struct ssn_map *map);
/* Memory it takes. */
uint64_t ssn_map_memory(const struct ssn_map *map);

#endif
