/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of the tree's items (docs/format.md, section 6): bytes <-> structs. Decoders accept only what the document
 * allows, reserved bytes included; encoders return the length. No I/O, no allocation.
 */
#ifndef SSN_RECORD_H
#define SSN_RECORD_H

#include "key.h"

#include <selsnap/selsnap.h>

enum {
    SSN_RUN_BLOCKS = 256,     /* blocks of a run */
    SSN_EXTENT_LEVEL_MAX = 7, /* an entry covers at most 2^7 blocks */
    SSN_EXTENT_BLOCKS_MAX = 1 << SSN_EXTENT_LEVEL_MAX,
    SSN_RANGES_PER_ITEM = 64,
    SSN_RESTORED_BYTES = SSN_RUN_BLOCKS / 8,
};

enum ssn_name_kind { SSN_NAME_SNAPSHOT = 1, SSN_NAME_DESIGNATION = 2 };
enum ssn_designation_state { SSN_DESIGNATION_BUILDING = 1, SSN_DESIGNATION_READY = 2, SSN_DESIGNATION_DROPPING = 3 };
enum ssn_snapshot_kind { SSN_SNAPSHOT_DATA = 1, SSN_SNAPSHOT_MARK = 2 };
enum ssn_entry_kind {
    SSN_ENTRY_NONE = 0, /* never on disk */
    SSN_ENTRY_DATA = 1,
    SSN_ENTRY_ZERO = 2,
    SSN_ENTRY_MARK = 3,
    SSN_ENTRY_LOST_SPACE = 4,
    SSN_ENTRY_LOST_READ = 5,
    SSN_ENTRY_LOST_DAMAGE = 6, /* by the repair that made this store, or by a restore with a damaged source */
};
enum ssn_job_kind { SSN_JOB_RESTORE = 1, SSN_JOB_DROP_OVERLAY = 2 };

static inline bool ssn_entry_is_lost(uint8_t kind) {
    return kind >= SSN_ENTRY_LOST_SPACE && kind <= SSN_ENTRY_LOST_DAMAGE;
}

/* ---- keys of entries ---- */

static inline uint64_t ssn_entry_major(uint64_t run, unsigned level, unsigned index) {
    return run << 12 | (uint64_t)level << 8 | index;
}
static inline uint64_t ssn_entry_run(uint64_t major) {
    return major >> 12;
}
static inline unsigned ssn_entry_level(uint64_t major) {
    return (unsigned)(major >> 8 & 0xf);
}
static inline unsigned ssn_entry_index(uint64_t major) {
    return (unsigned)(major & 0xff);
}
/* The first block, counted within the run, and the number of blocks, of the extent that a major names. */
static inline unsigned ssn_entry_first(uint64_t major) {
    return ssn_entry_index(major) << ssn_entry_level(major);
}
static inline unsigned ssn_entry_blocks(uint64_t major) {
    return 1u << ssn_entry_level(major);
}
/* Whether level and index are possible. */
bool ssn_entry_major_valid(uint64_t major);

/* ---- values ---- */

struct ssn_designation_record {
    uint8_t state;
    uint64_t blocks;
    uint64_t ranges;
    char name[SELSNAP_NAME_MAX + 1];
};
uint16_t ssn_designation_record_encode(uint8_t *p, const struct ssn_designation_record *record);
bool ssn_designation_record_decode(const uint8_t *p, uint16_t len, struct ssn_designation_record *ret_record);

struct ssn_snapshot_record {
    uint64_t point;
    uint64_t designation;
    int64_t time_ns;
    uint64_t overlay; /* id; 0: none */
    uint32_t holds;
    uint8_t kind;
    uint8_t policy;
};
uint16_t ssn_snapshot_record_encode(uint8_t *p, const struct ssn_snapshot_record *record);
bool ssn_snapshot_record_decode(const uint8_t *p, uint16_t len, struct ssn_snapshot_record *ret_record);

/* An entry's value without its checksums, which are read by ssn_entry_checksum. */
struct ssn_entry_record {
    uint8_t kind;
    uint64_t place; /* data only */
};
/* `blocks` checksums; NULL unless kind is data. */
uint16_t ssn_entry_record_encode(uint8_t *p, const struct ssn_entry_record *record, const uint64_t *checksums,
                                 unsigned blocks);
bool ssn_entry_record_decode(uint64_t major, const uint8_t *p, uint16_t len, struct ssn_entry_record *ret_record);
static inline uint64_t ssn_entry_checksum(const uint8_t *p, unsigned block) {
    return ssn_get64(p + 16 + 8 * (size_t)block);
}

struct ssn_overlay_record {
    uint8_t kind; /* SSN_ENTRY_DATA, SSN_ENTRY_ZERO or SSN_ENTRY_LOST_DAMAGE */
    uint64_t place;
    uint64_t checksum;
};
uint16_t ssn_overlay_record_encode(uint8_t *p, const struct ssn_overlay_record *record);
bool ssn_overlay_record_decode(const uint8_t *p, uint16_t len, struct ssn_overlay_record *ret_record);

struct ssn_job_record {
    uint8_t kind;
    uint64_t subject; /* restore: source snapshot; drop: overlay */
    uint64_t point;
    uint64_t designation;
    uint64_t cursor;
};
uint16_t ssn_job_record_encode(uint8_t *p, const struct ssn_job_record *record);
bool ssn_job_record_decode(const uint8_t *p, uint16_t len, struct ssn_job_record *ret_record);

struct ssn_state_record {
    uint64_t deletes;
    uint64_t reclaimed;
    uint64_t walk;
    uint64_t cursor;
};
uint16_t ssn_state_record_encode(uint8_t *p, const struct ssn_state_record *record);
bool ssn_state_record_decode(const uint8_t *p, uint16_t len, struct ssn_state_record *ret_record);

/* A ranges item: pairs of first block and count. Valid: 1 to 64 pairs, none empty, rising, not touching, no overflow.
 */
bool ssn_ranges_valid(uint64_t minor, const uint8_t *p, uint16_t len);
static inline unsigned ssn_ranges_count(uint16_t len) {
    return len / 16u;
}
static inline uint64_t ssn_range_first(const uint8_t *p, unsigned index) {
    return ssn_get64(p + 16 * (size_t)index);
}
static inline uint64_t ssn_range_blocks(const uint8_t *p, unsigned index) {
    return ssn_get64(p + 16 * (size_t)index + 8);
}

/* At most so many bytes of UTF-8 without control characters. */
bool ssn_text_valid(const char *text, size_t most);
/* 1 to 255 bytes of it. */
bool ssn_name_valid(const char *name);
/* Such a name as an item holds it, without an ending zero; ret_name: SELSNAP_NAME_MAX + 1 bytes. false: it is none. */
bool ssn_name_decode(const uint8_t *p, uint16_t len, char *ret_name);
/* ret_key: SELSNAP_PROPERTY_KEY_MAX + 1 bytes; ret_value: SELSNAP_PROPERTY_VALUE_MAX + 1. Written to in any case. */
bool ssn_property_decode(const uint8_t *p, uint16_t len, char *ret_key, char *ret_value);
uint64_t ssn_name_hash(uint8_t kind, const char *name);

/* Of a snapshot whose origin had another size (docs/format.md, section 6.12). */
uint16_t ssn_size_encode(uint8_t *p, uint64_t origin_bytes);
bool ssn_size_decode(const uint8_t *p, uint16_t len, uint64_t *ret_origin_bytes);

#endif
