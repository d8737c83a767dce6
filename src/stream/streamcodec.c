/* SPDX-License-Identifier: Apache-2.0 */
/* See streamcodec.h. */
#include "streamcodec.h"

#include "checksum.h"
#include "record.h"

#include <string.h>

#define HEAD_MAGIC UINT32_C(0x52545353) /* "SSTR" */
static const uint8_t header_magic[8] = {'S', 'E', 'L', 'S', 'T', 'R', 'M', '\n'};

enum {
    HEAD_CHECKED = 24, /* bytes of a head that its checksum covers */
    KNOWN_FLAGS = SELSNAP_STREAM_AS_CHANGED | SELSNAP_STREAM_SOME | SELSNAP_STREAM_LOSSY | SSN_STREAM_FLAG_INCREMENT,
};

/* ---- heads ---- */

/* XXH3-64 of the head's checksum-less part, chained with that of the payload: neither has to be copied. */
static uint64_t checksum_of(const uint8_t *p, const uint8_t *payload, uint32_t len) {
    return ssn_stream_chain(ssn_checksum(p, HEAD_CHECKED), len > 0 ? ssn_checksum(payload, len) : 0);
}

uint64_t ssn_stream_chain(uint64_t digest, uint64_t checksum) {
    uint8_t both[16];
    ssn_put64(both, digest);
    ssn_put64(both + 8, checksum);
    return ssn_checksum(both, sizeof both);
}

uint64_t ssn_stream_head_encode(uint8_t *p, const struct ssn_stream_head *head, const uint8_t *payload) {
    ssn_put32(p, HEAD_MAGIC);
    p[4] = head->type;
    p[5] = head->kind;
    ssn_put16(p + 6, 0);
    ssn_put32(p + 8, head->len);
    ssn_put32(p + 12, head->blocks);
    ssn_put64(p + 16, head->first);
    uint64_t checksum = checksum_of(p, payload, head->len);
    ssn_put64(p + 24, checksum);
    return checksum;
}

static bool data_head_allowed(const struct ssn_stream_head *head) {
    if (head->blocks == 0 || head->blocks > SSN_STREAM_RUN_MAX) {
        return false;
    }
    switch (head->kind) {
    case SSN_STREAM_RAW:
    case SSN_STREAM_ZSTD:
        return head->len > 0 && head->len <= SELSNAP_BLOCK_SIZE_MAX;
    case SSN_STREAM_ZEROS:
    case SSN_STREAM_LOST:
        return head->len == 0;
    default:
        return false;
    }
}

bool ssn_stream_head_decode(const uint8_t *p, struct ssn_stream_head *ret_head) {
    if (ssn_get32(p) != HEAD_MAGIC || ssn_get16(p + 6) != 0) {
        return false;
    }
    ret_head->type = p[4];
    ret_head->kind = p[5];
    ret_head->len = ssn_get32(p + 8);
    ret_head->blocks = ssn_get32(p + 12);
    ret_head->first = ssn_get64(p + 16);
    ret_head->checksum = ssn_get64(p + 24);
    if (ret_head->type == SSN_STREAM_DATA) {
        return data_head_allowed(ret_head);
    }
    if (ret_head->kind != SSN_STREAM_NO_KIND || ret_head->blocks != 0 || ret_head->first != 0) {
        return false;
    }
    switch (ret_head->type) {
    case SSN_STREAM_HEADER:
        return ret_head->len > SSN_STREAM_FIXED && ret_head->len <= SSN_STREAM_HEADER_MAX;
    case SSN_STREAM_RANGES:
        return ret_head->len > 0 && ret_head->len % 16 == 0 && ret_head->len <= 16 * SSN_STREAM_RANGES_MAX;
    case SSN_STREAM_RESUME:
        return ret_head->len == SSN_STREAM_RESUME_SIZE;
    case SSN_STREAM_END:
        return ret_head->len == SSN_STREAM_END_SIZE;
    default:
        return false;
    }
}

bool ssn_stream_head_checks(const uint8_t *p, const struct ssn_stream_head *head, const uint8_t *payload) {
    return checksum_of(p, payload, head->len) == head->checksum;
}

/* ---- the header ---- */

static uint32_t put_text(uint8_t *p, uint32_t at, const char *text, size_t len) {
    memcpy(p + at, text, len);
    return at + (uint32_t)len;
}

uint32_t ssn_stream_header_encode(uint8_t *p, const struct ssn_stream_header *header) {
    size_t name_len = strlen(header->name);
    memset(p, 0, SSN_STREAM_FIXED);
    memcpy(p, header_magic, sizeof header_magic);
    ssn_put16(p + 8, header->major);
    ssn_put16(p + 10, header->minor);
    ssn_put32(p + 12, header->flags);
    ssn_put32(p + 16, header->block_bytes);
    ssn_put16(p + 20, (uint16_t)name_len);
    ssn_put16(p + 22, (uint16_t)header->property_count);
    ssn_put64(p + 24, header->origin_bytes);
    memcpy(p + 32, header->store_id, sizeof header->store_id);
    ssn_put64(p + 48, header->snapshot_id);
    ssn_put64(p + 56, header->point);
    ssn_put64(p + 64, (uint64_t)header->time_ns);
    memcpy(p + 72, header->base_store_id, sizeof header->base_store_id);
    ssn_put64(p + 88, header->base_snapshot_id);
    ssn_put64(p + 96, header->base_point);
    ssn_put64(p + 104, header->ranges_digest);
    ssn_put64(p + 112, header->range_count);
    ssn_put64(p + 120, header->block_count);
    uint32_t at = put_text(p, SSN_STREAM_FIXED, header->name, name_len);
    for (uint32_t i = 0; i < header->property_count; i++) {
        const struct ssn_stream_property *property = &header->properties[i];
        size_t key_len = strlen(property->key);
        size_t value_len = strlen(property->value);
        p[at] = (uint8_t)key_len;
        ssn_put16(p + at + 1, (uint16_t)value_len);
        at = put_text(p, at + 3, property->key, key_len);
        at = put_text(p, at, property->value, value_len);
    }
    return at;
}

/* Text of len bytes, into memory for one more. false: it is not allowed. */
static bool get_text(const uint8_t *p, size_t len, char *ret_text, size_t most) {
    if (len > most || memchr(p, 0, len) != NULL) {
        return false;
    }
    memcpy(ret_text, p, len);
    ret_text[len] = '\0';
    return ssn_text_valid(ret_text, most);
}

static bool get_properties(const uint8_t *p, uint32_t at, uint32_t len, struct ssn_stream_header *header) {
    for (uint32_t i = 0; i < header->property_count; i++) {
        struct ssn_stream_property *property = &header->properties[i];
        if (len - at < 3) {
            return false;
        }
        uint32_t key_len = p[at];
        uint32_t value_len = ssn_get16(p + at + 1);
        at += 3;
        if (key_len == 0 || len - at < key_len || len - at - key_len < value_len ||
            !get_text(p + at, key_len, property->key, SELSNAP_PROPERTY_KEY_MAX) ||
            !get_text(p + at + key_len, value_len, property->value, SELSNAP_PROPERTY_VALUE_MAX)) {
            return false;
        }
        if (i > 0 && strcmp(header->properties[i - 1].key, property->key) >= 0) {
            return false;
        }
        at += key_len + value_len;
    }
    return at == len;
}

static const char *check_header(const struct ssn_stream_header *header) {
    bool increment = (header->flags & SSN_STREAM_FLAG_INCREMENT) != 0;
    bool some = (header->flags & SELSNAP_STREAM_SOME) != 0;
    if ((header->flags & ~(uint32_t)KNOWN_FLAGS) != 0 ||
        (increment && (header->flags & SELSNAP_STREAM_AS_CHANGED) != 0)) {
        return "it has features that are not known";
    }
    if (!ssn_is_power_of_2(header->block_bytes) || header->block_bytes < SELSNAP_BLOCK_SIZE_MIN ||
        header->block_bytes > SELSNAP_BLOCK_SIZE_MAX || header->origin_bytes == 0 || header->origin_bytes > INT64_MAX) {
        return "its sizes are not allowed";
    }
    uint64_t blocks = ssn_stream_blocks_of(header);
    if (header->range_count == 0 || header->block_count > blocks || header->range_count > header->block_count) {
        return "its counts of blocks and ranges cannot be";
    }
    bool base_given = header->base_snapshot_id != 0 && header->base_point != 0;
    bool no_base = header->base_snapshot_id == 0 && header->base_point == 0 &&
                   ssn_is_zero(header->base_store_id, sizeof header->base_store_id);
    if (header->snapshot_id == 0 || header->point == 0 || (increment ? !base_given : !no_base) ||
        header->base_point > header->point || some != (header->ranges_digest != 0)) {
        return "its names of snapshots cannot be";
    }
    return NULL;
}

const char *ssn_stream_header_decode(const uint8_t *p, uint32_t len, struct ssn_stream_header *ret_header) {
    memset(ret_header, 0, sizeof *ret_header);
    if (len <= SSN_STREAM_FIXED || memcmp(p, header_magic, sizeof header_magic) != 0) {
        return "it is no stream of snapshots";
    }
    ret_header->major = ssn_get16(p + 8);
    ret_header->minor = ssn_get16(p + 10);
    if (ret_header->major != SSN_STREAM_MAJOR) {
        return "its version is not known";
    }
    ret_header->flags = ssn_get32(p + 12);
    ret_header->block_bytes = ssn_get32(p + 16);
    uint32_t name_len = ssn_get16(p + 20);
    ret_header->property_count = ssn_get16(p + 22);
    ret_header->origin_bytes = ssn_get64(p + 24);
    memcpy(ret_header->store_id, p + 32, sizeof ret_header->store_id);
    ret_header->snapshot_id = ssn_get64(p + 48);
    ret_header->point = ssn_get64(p + 56);
    ret_header->time_ns = (int64_t)ssn_get64(p + 64);
    memcpy(ret_header->base_store_id, p + 72, sizeof ret_header->base_store_id);
    ret_header->base_snapshot_id = ssn_get64(p + 88);
    ret_header->base_point = ssn_get64(p + 96);
    ret_header->ranges_digest = ssn_get64(p + 104);
    ret_header->range_count = ssn_get64(p + 112);
    ret_header->block_count = ssn_get64(p + 120);
    if (!ssn_is_zero(p + 128, SSN_STREAM_FIXED - 128)) {
        return "it has features that are not known";
    }
    const char *problem = check_header(ret_header);
    if (problem != NULL) {
        return problem;
    }
    if (name_len == 0 || name_len > len - SSN_STREAM_FIXED ||
        !get_text(p + SSN_STREAM_FIXED, name_len, ret_header->name, SELSNAP_NAME_MAX) ||
        ret_header->property_count > SSN_STREAM_PROPERTIES_MAX ||
        !get_properties(p, SSN_STREAM_FIXED + name_len, len, ret_header)) {
        return "its name or properties are not allowed";
    }
    return NULL;
}

/* ---- places ---- */

void ssn_stream_resume_encode(uint8_t *p, const struct ssn_stream_place *place) {
    ssn_put64(p, place->key);
    ssn_put64(p + 8, place->records);
    ssn_put64(p + 16, place->next_block);
    ssn_put64(p + 24, place->digest);
    ssn_put64(p + 32, place->data_blocks);
    ssn_put64(p + 40, place->zero_blocks);
    ssn_put64(p + 48, place->lost_blocks);
}

bool ssn_stream_resume_decode(const uint8_t *p, uint32_t len, struct ssn_stream_place *ret_place) {
    if (len != SSN_STREAM_RESUME_SIZE) {
        return false;
    }
    ret_place->key = ssn_get64(p);
    ret_place->records = ssn_get64(p + 8);
    ret_place->next_block = ssn_get64(p + 16);
    ret_place->digest = ssn_get64(p + 24);
    ret_place->data_blocks = ssn_get64(p + 32);
    ret_place->zero_blocks = ssn_get64(p + 40);
    ret_place->lost_blocks = ssn_get64(p + 48);
    uint64_t told;
    return ssn_add_u64(ret_place->data_blocks, ret_place->zero_blocks, &told) &&
           ssn_add_u64(told, ret_place->lost_blocks, &told) && ret_place->records <= told &&
           told <= ret_place->next_block;
}

void ssn_stream_end_encode(uint8_t *p, const struct ssn_stream_place *place) {
    ssn_put64(p, place->records);
    ssn_put64(p + 8, place->data_blocks);
    ssn_put64(p + 16, place->zero_blocks);
    ssn_put64(p + 24, place->lost_blocks);
    ssn_put64(p + 32, place->key);
    ssn_put64(p + 40, place->digest);
}

bool ssn_stream_end_fits(const uint8_t *p, uint32_t len, const struct ssn_stream_place *place) {
    uint8_t expected[SSN_STREAM_END_SIZE];
    ssn_stream_end_encode(expected, place);
    return len == sizeof expected && memcmp(p, expected, sizeof expected) == 0;
}

void ssn_stream_token_make(selsnap_stream_token *token, const struct ssn_stream_place *place) {
    uint8_t bytes[SSN_STREAM_RESUME_SIZE];
    memset(token, 0, sizeof *token);
    token->struct_size = sizeof *token;
    token->key = place->key;
    token->records = place->records;
    token->next_block = place->next_block;
    token->digest = place->digest;
    token->data_blocks = place->data_blocks;
    token->zero_blocks = place->zero_blocks;
    token->lost_blocks = place->lost_blocks;
    ssn_stream_resume_encode(bytes, place);
    token->check = ssn_checksum(bytes, sizeof bytes);
}

bool ssn_stream_token_read(const selsnap_stream_token *token, struct ssn_stream_place *ret_place) {
    uint8_t bytes[SSN_STREAM_RESUME_SIZE];
    const struct ssn_stream_place place = {token->key,         token->records,     token->next_block, token->digest,
                                           token->data_blocks, token->zero_blocks, token->lost_blocks};
    ssn_stream_resume_encode(bytes, &place);
    return token->key != 0 && token->reserved == 0 && token->check == ssn_checksum(bytes, sizeof bytes) &&
           ssn_stream_resume_decode(bytes, sizeof bytes, ret_place);
}
