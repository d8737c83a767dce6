/* SPDX-License-Identifier: Apache-2.0 */
/* See record.h. */
#include "record.h"

#include "checksum.h"

#include <string.h>

enum {
    DESIGNATION_FIXED = 24,
    SNAPSHOT_SIZE = 40,
    ENTRY_PLAIN = 8,
    ENTRY_DATA_FIXED = 16,
    OVERLAY_ZERO = 8,
    OVERLAY_DATA = 24,
    JOB_SIZE = 40,
    STATE_SIZE = 32,
};

bool ssn_entry_major_valid(uint64_t major) {
    unsigned level = ssn_entry_level(major);
    return level <= SSN_EXTENT_LEVEL_MAX && ssn_entry_index(major) < ((unsigned)SSN_RUN_BLOCKS >> level);
}

uint16_t ssn_designation_record_encode(uint8_t *p, const struct ssn_designation_record *record) {
    size_t name_len = strlen(record->name);
    memset(p, 0, DESIGNATION_FIXED);
    p[0] = record->state;
    ssn_put16(p + 2, (uint16_t)name_len);
    ssn_put64(p + 8, record->blocks);
    ssn_put64(p + 16, record->ranges);
    memcpy(p + DESIGNATION_FIXED, record->name, name_len);
    return (uint16_t)(DESIGNATION_FIXED + name_len);
}

bool ssn_designation_record_decode(const uint8_t *p, uint16_t len, struct ssn_designation_record *ret_record) {
    if (len < DESIGNATION_FIXED || p[1] != 0 || ssn_get32(p + 4) != 0) {
        return false;
    }
    uint16_t name_len = ssn_get16(p + 2);
    if (name_len > SELSNAP_NAME_MAX || len != DESIGNATION_FIXED + name_len || p[0] < SSN_DESIGNATION_BUILDING ||
        p[0] > SSN_DESIGNATION_DROPPING) {
        return false;
    }
    memset(ret_record, 0, sizeof *ret_record);
    ret_record->state = p[0];
    ret_record->blocks = ssn_get64(p + 8);
    ret_record->ranges = ssn_get64(p + 16);
    memcpy(ret_record->name, p + DESIGNATION_FIXED, name_len);
    return name_len == 0 || (strlen(ret_record->name) == name_len && ssn_name_valid(ret_record->name));
}

uint16_t ssn_snapshot_record_encode(uint8_t *p, const struct ssn_snapshot_record *record) {
    memset(p, 0, SNAPSHOT_SIZE);
    ssn_put64(p, record->point);
    ssn_put64(p + 8, record->designation);
    ssn_put64(p + 16, (uint64_t)record->time_ns);
    ssn_put64(p + 24, record->overlay);
    ssn_put32(p + 32, record->holds);
    p[36] = record->kind;
    p[37] = record->policy;
    return SNAPSHOT_SIZE;
}

bool ssn_snapshot_record_decode(const uint8_t *p, uint16_t len, struct ssn_snapshot_record *ret_record) {
    if (len != SNAPSHOT_SIZE || ssn_get16(p + 38) != 0 || p[36] < SSN_SNAPSHOT_DATA || p[36] > SSN_SNAPSHOT_MARK ||
        p[37] > SELSNAP_POLICY_GIVE_UP_BLOCK || ssn_get64(p) == 0) {
        return false;
    }
    ret_record->point = ssn_get64(p);
    ret_record->designation = ssn_get64(p + 8);
    ret_record->time_ns = (int64_t)ssn_get64(p + 16);
    ret_record->overlay = ssn_get64(p + 24);
    ret_record->holds = ssn_get32(p + 32);
    ret_record->kind = p[36];
    ret_record->policy = p[37];
    return true;
}

uint16_t ssn_entry_record_encode(uint8_t *p, const struct ssn_entry_record *record, const uint64_t *checksums,
                                 unsigned blocks) {
    memset(p, 0, ENTRY_DATA_FIXED);
    p[0] = record->kind;
    if (record->kind != SSN_ENTRY_DATA) {
        return ENTRY_PLAIN;
    }
    ssn_put64(p + 8, record->place);
    for (unsigned i = 0; i < blocks; i++) {
        ssn_put64(p + ENTRY_DATA_FIXED + 8 * (size_t)i, checksums[i]);
    }
    return (uint16_t)(ENTRY_DATA_FIXED + 8 * blocks);
}

bool ssn_entry_record_decode(uint64_t major, const uint8_t *p, uint16_t len, struct ssn_entry_record *ret_record) {
    if (!ssn_entry_major_valid(major) || len < ENTRY_PLAIN || p[0] < SSN_ENTRY_DATA || p[0] > SSN_ENTRY_LOST_DAMAGE ||
        !ssn_is_zero(p + 1, 7)) {
        return false;
    }
    bool data = p[0] == SSN_ENTRY_DATA;
    if (len != (data ? ENTRY_DATA_FIXED + 8 * ssn_entry_blocks(major) : ENTRY_PLAIN)) {
        return false;
    }
    ret_record->kind = p[0];
    ret_record->place = data ? ssn_get64(p + 8) : 0;
    return true;
}

uint16_t ssn_overlay_record_encode(uint8_t *p, const struct ssn_overlay_record *record) {
    memset(p, 0, OVERLAY_DATA);
    p[0] = record->kind;
    if (record->kind != SSN_ENTRY_DATA) {
        return OVERLAY_ZERO;
    }
    ssn_put64(p + 8, record->place);
    ssn_put64(p + 16, record->checksum);
    return OVERLAY_DATA;
}

bool ssn_overlay_record_decode(const uint8_t *p, uint16_t len, struct ssn_overlay_record *ret_record) {
    if (len < OVERLAY_ZERO || !ssn_is_zero(p + 1, 7)) {
        return false;
    }
    if (p[0] != SSN_ENTRY_DATA && p[0] != SSN_ENTRY_ZERO && p[0] != SSN_ENTRY_LOST_DAMAGE) {
        return false;
    }
    bool data = p[0] == SSN_ENTRY_DATA;
    if (len != (data ? OVERLAY_DATA : OVERLAY_ZERO)) {
        return false;
    }
    ret_record->kind = p[0];
    ret_record->place = data ? ssn_get64(p + 8) : 0;
    ret_record->checksum = data ? ssn_get64(p + 16) : 0;
    return true;
}

uint16_t ssn_job_record_encode(uint8_t *p, const struct ssn_job_record *record) {
    memset(p, 0, JOB_SIZE);
    p[0] = record->kind;
    ssn_put64(p + 8, record->subject);
    ssn_put64(p + 16, record->point);
    ssn_put64(p + 24, record->designation);
    ssn_put64(p + 32, record->cursor);
    return JOB_SIZE;
}

bool ssn_job_record_decode(const uint8_t *p, uint16_t len, struct ssn_job_record *ret_record) {
    if (len != JOB_SIZE || p[0] < SSN_JOB_RESTORE || p[0] > SSN_JOB_DROP_OVERLAY || !ssn_is_zero(p + 1, 7)) {
        return false;
    }
    ret_record->kind = p[0];
    ret_record->subject = ssn_get64(p + 8);
    ret_record->point = ssn_get64(p + 16);
    ret_record->designation = ssn_get64(p + 24);
    ret_record->cursor = ssn_get64(p + 32);
    return ret_record->kind == SSN_JOB_RESTORE ? ret_record->point != 0 : ssn_is_zero(p + 16, 24);
}

uint16_t ssn_state_record_encode(uint8_t *p, const struct ssn_state_record *record) {
    ssn_put64(p, record->deletes);
    ssn_put64(p + 8, record->reclaimed);
    ssn_put64(p + 16, record->walk);
    ssn_put64(p + 24, record->cursor);
    return STATE_SIZE;
}

bool ssn_state_record_decode(const uint8_t *p, uint16_t len, struct ssn_state_record *ret_record) {
    if (len != STATE_SIZE) {
        return false;
    }
    ret_record->deletes = ssn_get64(p);
    ret_record->reclaimed = ssn_get64(p + 8);
    ret_record->walk = ssn_get64(p + 16);
    ret_record->cursor = ssn_get64(p + 24);
    return ret_record->reclaimed <= ret_record->deletes && ret_record->walk <= ret_record->deletes;
}

bool ssn_ranges_valid(uint64_t minor, const uint8_t *p, uint16_t len) {
    if (len == 0 || len % 16 != 0 || ssn_ranges_count(len) > SSN_RANGES_PER_ITEM || ssn_range_first(p, 0) != minor) {
        return false;
    }
    uint64_t end = 0;
    for (unsigned i = 0; i < ssn_ranges_count(len); i++) {
        uint64_t first = ssn_range_first(p, i);
        uint64_t blocks = ssn_range_blocks(p, i);
        if (blocks == 0 || (i > 0 && first <= end) || !ssn_add_u64(first, blocks, &end)) {
            return false;
        }
    }
    return true;
}

/* The length of the UTF-8 sequence at p, or 0 when it is not one (or is a control character). */
static size_t utf8_len(const uint8_t *p) {
    if (p[0] < 0x80) {
        return p[0] >= 0x20 && p[0] != 0x7f;
    }
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool surrogate = p[0] == 0xed && p[1] >= 0xa0;
    bool beyond = p[0] == 0xf4 && p[1] >= 0x90;
    bool control = p[0] == 0xc2 && p[1] < 0xa0;
    return overlong || surrogate || beyond || control ? 0 : len;
}

bool ssn_text_valid(const char *text, size_t most) {
    const uint8_t *p = (const uint8_t *)text;
    size_t len = 0;
    while (p[len] != 0) {
        size_t step = utf8_len(p + len);
        if (step == 0 || len + step > most) {
            return false;
        }
        len += step;
    }
    return true;
}

bool ssn_name_valid(const char *name) {
    return name != NULL && name[0] != '\0' && ssn_text_valid(name, SELSNAP_NAME_MAX);
}

bool ssn_name_decode(const uint8_t *p, uint16_t len, char *ret_name) {
    if (len == 0 || len > SELSNAP_NAME_MAX || memchr(p, 0, len) != NULL) {
        return false;
    }
    memcpy(ret_name, p, len);
    ret_name[len] = '\0';
    return ssn_name_valid(ret_name);
}

bool ssn_property_decode(const uint8_t *p, uint16_t len, char *ret_key, char *ret_value) {
    unsigned key_len = len > 0 ? p[0] : 0;
    unsigned value_len = len - 1u - key_len;
    if (key_len >= len || value_len > SELSNAP_PROPERTY_VALUE_MAX ||
        !ssn_name_decode(p + 1, (uint16_t)key_len, ret_key)) {
        return false;
    }
    memcpy(ret_value, p + 1 + key_len, value_len);
    ret_value[value_len] = '\0';
    return strlen(ret_value) == value_len && ssn_text_valid(ret_value, SELSNAP_PROPERTY_VALUE_MAX);
}

uint64_t ssn_name_hash(uint8_t kind, const char *name) {
    uint8_t bytes[1 + SELSNAP_NAME_MAX];
    size_t len = strlen(name);
    bytes[0] = kind;
    memcpy(bytes + 1, name, len);
    return ssn_checksum(bytes, 1 + len);
}

uint16_t ssn_size_encode(uint8_t *p, uint64_t origin_bytes) {
    ssn_put64(p, origin_bytes);
    return 8;
}

bool ssn_size_decode(const uint8_t *p, uint16_t len, uint64_t *ret_origin_bytes) {
    uint64_t origin_bytes = len == 8 ? ssn_get64(p) : 0;
    if (origin_bytes == 0) {
        return false;
    }
    *ret_origin_bytes = origin_bytes;
    return true;
}
