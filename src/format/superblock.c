/* SPDX-License-Identifier: Apache-2.0 */
/* See superblock.h. */
#include "superblock.h"

#include "checksum.h"
#include "ledger.h"

#include <string.h>

enum {
    AT_MAGIC = 0,
    AT_MAJOR = 8,
    AT_MINOR = 10,
    AT_COMPAT = 12,
    AT_RO_COMPAT = 16,
    AT_INCOMPAT = 20,
    AT_STORE_ID = 24,
    AT_SEQUENCE = 40,
    AT_PLACE = 48,
    AT_BLOCK_BYTES = 56,
    AT_FLAGS = 60,
    AT_STORE_PAGES = 64,
    AT_ORIGIN_BYTES = 72,
    AT_IDENTITY = 80,
    AT_MARK = 112,
    AT_JOURNAL_PLACE = 120,
    AT_JOURNAL_PAGES = 128,
    AT_INCARNATION = 136,
    AT_JOURNAL_START = 144,
    AT_JOURNAL_NUMBER = 152,
    AT_JOURNAL_CHAIN = 160,
    AT_ROOT_PLACE = 168,
    AT_ROOT_CHECKSUM = 176,
    AT_ROOT_LEVEL = 184,
    AT_RESERVED_1 = 188,
    AT_LEDGER_PLACE = 192,
    AT_LEDGER_PAGES = 200,
    AT_RESERVED_2 = 204,
    AT_LEDGER_CHECKSUM = 208,
    AT_FREE_PAGES = 216,
    AT_LEAF_COUNT = 224,
    AT_PAGE_COUNT = 232,
    AT_NEXT_EPOCH = 240,
    AT_NEXT_ID = 248,
    AT_HINT = 256,
    HINT_SIZE = 240,
    AT_EXTENT_BYTES = 496,
    AT_CHECKSUM = 504,
};

static const uint8_t magic[8] = {'S', 'E', 'L', 'S', 'N', 'A', 'P', 1};

void ssn_super_encode(uint8_t *page, const struct ssn_superblock *super) {
    memset(page, 0, SSN_PAGE_SIZE);
    memcpy(page + AT_MAGIC, magic, sizeof magic);
    ssn_put16(page + AT_MAJOR, SSN_FORMAT_MAJOR);
    ssn_put16(page + AT_MINOR, super->minor);
    ssn_put32(page + AT_COMPAT, super->compat);
    ssn_put32(page + AT_RO_COMPAT, super->ro_compat);
    bool shorter = super->extent_bytes > super->origin_bytes;
    ssn_put32(page + AT_INCOMPAT, (super->incompat & ~(uint32_t)SSN_INCOMPAT_SHORTER) |
                                      (shorter ? (uint32_t)SSN_INCOMPAT_SHORTER : 0));
    memcpy(page + AT_STORE_ID, super->store_id, SSN_STORE_ID_SIZE);
    ssn_put64(page + AT_SEQUENCE, super->sequence);
    ssn_put64(page + AT_PLACE, ssn_super_place(super->sequence));
    ssn_put32(page + AT_BLOCK_BYTES, super->block_bytes);
    ssn_put32(page + AT_FLAGS, super->flags);
    ssn_put64(page + AT_STORE_PAGES, super->store_pages);
    ssn_put64(page + AT_ORIGIN_BYTES, super->origin_bytes);
    memcpy(page + AT_IDENTITY, super->origin_identity, SELSNAP_IDENTITY_SIZE);
    ssn_put64(page + AT_MARK, super->change_mark);
    ssn_put64(page + AT_JOURNAL_PLACE, SSN_JOURNAL_PLACE);
    ssn_put64(page + AT_JOURNAL_PAGES, super->journal_pages);
    ssn_put64(page + AT_INCARNATION, super->incarnation);
    ssn_put64(page + AT_JOURNAL_START, super->journal_start);
    ssn_put64(page + AT_JOURNAL_NUMBER, super->journal_number);
    ssn_put64(page + AT_JOURNAL_CHAIN, super->journal_chain);
    ssn_put64(page + AT_ROOT_PLACE, super->root_place);
    ssn_put64(page + AT_ROOT_CHECKSUM, super->root_checksum);
    ssn_put32(page + AT_ROOT_LEVEL, super->root_level);
    ssn_put64(page + AT_LEDGER_PLACE, super->ledger_place);
    ssn_put32(page + AT_LEDGER_PAGES, super->ledger_pages);
    ssn_put64(page + AT_LEDGER_CHECKSUM, super->ledger_checksum);
    ssn_put64(page + AT_FREE_PAGES, super->free_pages);
    ssn_put64(page + AT_LEAF_COUNT, super->leaf_count);
    ssn_put64(page + AT_PAGE_COUNT, super->page_count);
    ssn_put64(page + AT_NEXT_EPOCH, super->next_epoch);
    ssn_put64(page + AT_NEXT_ID, super->next_id);
    memcpy(page + AT_HINT, super->origin_hint, strnlen(super->origin_hint, SELSNAP_ORIGIN_HINT_MAX));
    ssn_put64(page + AT_EXTENT_BYTES, shorter ? super->extent_bytes : 0);
    ssn_put64(page + AT_CHECKSUM, ssn_checksum(page, AT_CHECKSUM));
}

static void decode_fields(const uint8_t *page, struct ssn_superblock *super) {
    memset(super, 0, sizeof *super);
    super->minor = ssn_get16(page + AT_MINOR);
    super->compat = ssn_get32(page + AT_COMPAT);
    super->ro_compat = ssn_get32(page + AT_RO_COMPAT);
    super->incompat = ssn_get32(page + AT_INCOMPAT);
    memcpy(super->store_id, page + AT_STORE_ID, SSN_STORE_ID_SIZE);
    super->sequence = ssn_get64(page + AT_SEQUENCE);
    super->block_bytes = ssn_get32(page + AT_BLOCK_BYTES);
    super->flags = ssn_get32(page + AT_FLAGS);
    super->store_pages = ssn_get64(page + AT_STORE_PAGES);
    super->origin_bytes = ssn_get64(page + AT_ORIGIN_BYTES);
    memcpy(super->origin_identity, page + AT_IDENTITY, SELSNAP_IDENTITY_SIZE);
    super->change_mark = ssn_get64(page + AT_MARK);
    super->journal_pages = ssn_get64(page + AT_JOURNAL_PAGES);
    super->incarnation = ssn_get64(page + AT_INCARNATION);
    super->journal_start = ssn_get64(page + AT_JOURNAL_START);
    super->journal_number = ssn_get64(page + AT_JOURNAL_NUMBER);
    super->journal_chain = ssn_get64(page + AT_JOURNAL_CHAIN);
    super->root_place = ssn_get64(page + AT_ROOT_PLACE);
    super->root_checksum = ssn_get64(page + AT_ROOT_CHECKSUM);
    super->root_level = ssn_get32(page + AT_ROOT_LEVEL);
    super->ledger_place = ssn_get64(page + AT_LEDGER_PLACE);
    super->ledger_pages = ssn_get32(page + AT_LEDGER_PAGES);
    super->ledger_checksum = ssn_get64(page + AT_LEDGER_CHECKSUM);
    super->free_pages = ssn_get64(page + AT_FREE_PAGES);
    super->leaf_count = ssn_get64(page + AT_LEAF_COUNT);
    super->page_count = ssn_get64(page + AT_PAGE_COUNT);
    super->next_epoch = ssn_get64(page + AT_NEXT_EPOCH);
    super->next_id = ssn_get64(page + AT_NEXT_ID);
    memcpy(super->origin_hint, page + AT_HINT, SELSNAP_ORIGIN_HINT_MAX);
    super->extent_bytes = ssn_get64(page + AT_EXTENT_BYTES);
}

static bool hint_ok(const uint8_t *hint) {
    size_t len = strnlen((const char *)hint, HINT_SIZE);
    return len <= SELSNAP_ORIGIN_HINT_MAX && ssn_is_zero(hint + len, HINT_SIZE - len);
}

static bool reserved_ok(const uint8_t *page) {
    return ssn_is_zero(page + AT_RESERVED_1, 4) && ssn_is_zero(page + AT_RESERVED_2, 4) && hint_ok(page + AT_HINT) &&
           ssn_is_zero(page + SSN_SUPER_SIZE, SSN_PAGE_SIZE - SSN_SUPER_SIZE);
}

static bool geometry_ok(const struct ssn_superblock *super) {
    return ssn_is_power_of_2(super->block_bytes) && super->block_bytes >= SSN_PAGE_SIZE &&
           super->block_bytes <= 1048576 && super->origin_bytes > 0 && super->journal_pages >= SSN_JOURNAL_PAGES_MIN &&
           super->journal_pages <= SSN_JOURNAL_PAGES_MAX && super->store_pages <= UINT64_MAX / SSN_PAGE_SIZE &&
           super->store_pages > SSN_JOURNAL_PLACE + super->journal_pages &&
           super->journal_start < super->journal_pages && super->journal_number > 0;
}

/* [F-20] */
static bool settle_extent(struct ssn_superblock *super) {
    if ((super->incompat & SSN_INCOMPAT_SHORTER) != 0) {
        return super->extent_bytes > super->origin_bytes;
    }
    bool none = super->extent_bytes == 0;
    super->extent_bytes = super->origin_bytes;
    return none;
}

/* Tree and ledger lie in the area [F-1]; their counts fit into the store. */
static bool contents_ok(const struct ssn_superblock *super) {
    uint64_t area = ssn_super_area(super);
    uint64_t area_pages = super->store_pages - area;
    if (super->root_place == 0) {
        if (super->root_checksum != 0 || super->root_level != 0 || super->page_count != 0) {
            return false;
        }
    } else if (super->root_place < area || super->root_place >= super->store_pages || super->page_count == 0) {
        return false;
    }
    if (super->ledger_place == 0) {
        if (super->ledger_pages != 0 || super->ledger_checksum != 0) {
            return false;
        }
    } else if (super->ledger_place < area || super->ledger_pages == 0 || super->ledger_pages > SSN_LEDGER_PAGES_MAX ||
               !ssn_range_inside(super->ledger_place, super->ledger_pages, super->store_pages)) {
        return false;
    }
    return super->root_level <= SSN_LEVEL_MAX && super->free_pages <= area_pages && super->page_count <= area_pages &&
           super->leaf_count <= super->page_count;
}

int ssn_super_decode(const uint8_t *page, uint64_t place, struct ssn_superblock *ret_super) {
    if (memcmp(page + AT_MAGIC, magic, sizeof magic) != 0) {
        return SELSNAP_ENOTSTORE;
    }
    if (ssn_get64(page + AT_CHECKSUM) != ssn_checksum(page, AT_CHECKSUM)) {
        return SELSNAP_EDAMAGED;
    }
    if (ssn_get16(page + AT_MAJOR) != SSN_FORMAT_MAJOR) {
        return SELSNAP_EVERSION;
    }
    struct ssn_superblock super;
    decode_fields(page, &super);
    if ((super.incompat & ~(uint32_t)SSN_INCOMPAT_KNOWN) != 0) { /* [F-23] */
        return SELSNAP_EVERSION;
    }
    if (!reserved_ok(page) || ssn_get64(page + AT_PLACE) != place || place != ssn_super_place(super.sequence) ||
        ssn_get64(page + AT_JOURNAL_PLACE) != SSN_JOURNAL_PLACE || (super.flags & ~(uint32_t)SSN_SUPER_FLAGS) != 0 ||
        !geometry_ok(&super) || !contents_ok(&super) || !settle_extent(&super)) {
        return SELSNAP_EDAMAGED;
    }
    if ((super.flags & SSN_SUPER_HAS_IDENTITY) == 0 && !ssn_is_zero(super.origin_identity, SELSNAP_IDENTITY_SIZE)) {
        return SELSNAP_EDAMAGED;
    }
    *ret_super = super;
    return SELSNAP_OK;
}
