/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every decoder of src/format on any bytes. Byte 0 chooses the decoder, byte 1 whether checksum, magic and offsets are
 * mended before; the rest is what is decoded, in memory of exactly its length. What a decoder accepts must keep its
 * header's promises, and encode to the same bytes again.
 */
#include "checksum.h"
#include "input.h"
#include "ledger.h"
#include "ops.h"
#include "page.h"
#include "record.h"
#include "sector.h"
#include "superblock.h"

enum { MEND_CHECKSUM = 1, MEND_HEAD = 2, MEND_OFFSETS = 4 };

static const uint8_t store_id[SSN_STORE_ID_SIZE] = {'f', 'u', 'z', 'z'};

static void decode_superblock(struct input *in, uint8_t mend) {
    static const uint8_t head[10] = {'S', 'E', 'L', 'S', 'N', 'A', 'P', 1, 1, 0};
    uint64_t place = (mend & 0x80) != 0 ? SSN_SUPER_PLACE_1 : SSN_SUPER_PLACE_0;
    uint8_t *page = input_copy(in, SSN_PAGE_SIZE);
    if ((mend & MEND_HEAD) != 0) {
        memcpy(page, head, sizeof head);
        ssn_put64(page + 48, place);
        ssn_put64(page + 120, SSN_JOURNAL_PLACE);
    }
    if ((mend & MEND_CHECKSUM) != 0) {
        ssn_put64(page + 504, ssn_checksum(page, 504));
    }
    struct ssn_superblock super;
    if (ssn_super_decode(page, place, &super) == SELSNAP_OK) {
        uint64_t area = ssn_super_area(&super);
        must((super.incompat & ~(uint32_t)SSN_INCOMPAT_HOLES) == 0 && ssn_super_place(super.sequence) == place);
        must(ssn_is_power_of_2(super.block_bytes) && super.block_bytes >= 4096 && super.block_bytes <= 1048576);
        must(super.origin_bytes > 0 && super.store_pages <= UINT64_MAX / SSN_PAGE_SIZE && super.store_pages > area);
        must(super.journal_pages >= 16 && super.journal_pages <= 262144 && super.journal_start < super.journal_pages);
        must(super.root_place == 0 || (super.root_place >= area && super.root_place < super.store_pages));
        must(super.ledger_place == 0 || (super.ledger_place >= area && super.ledger_pages <= SSN_LEDGER_PAGES_MAX &&
                                         super.ledger_place + super.ledger_pages <= super.store_pages));
        must(strlen(super.origin_hint) <= SELSNAP_ORIGIN_HINT_MAX && super.root_level <= SSN_LEVEL_MAX);
        uint8_t *again = malloc(SSN_PAGE_SIZE);
        must(again != NULL);
        ssn_super_encode(again, &super);
        must(memcmp(again, page, SSN_PAGE_SIZE) == 0);
        free(again);
    }
    free(page);
}

/* Items follow each other from behind the offsets on; each offset becomes that of its item as far as they fit. */
static void mend_offsets(uint8_t *page) {
    unsigned items = ssn_page_count(page);
    size_t at = SSN_PAGE_HEADER + (size_t)SSN_PAGE_SLOT * items;
    for (unsigned i = 0; i < items && at + SSN_INNER_ITEM <= SSN_PAGE_SIZE; i++) {
        ssn_put16(page + SSN_PAGE_HEADER + (size_t)SSN_PAGE_SLOT * i, (uint16_t)at);
        uint16_t len = ssn_get16(page + at + SSN_KEY_SIZE);
        size_t leaf_item = len == SSN_HOLE_LEN ? SSN_HOLE_ITEM : SSN_LEAF_ITEM_MIN + (size_t)len;
        at += ssn_page_level(page) > 0 ? SSN_INNER_ITEM : leaf_item;
    }
}

/* Encodes an item again; gives its bytes, and the last key it speaks of. */
static size_t pack_item(const uint8_t *page, unsigned index, const struct ssn_page_expect *expect, uint8_t *packed,
                        struct ssn_key *key) {
    if (expect->level > 0) {
        uint64_t place;
        uint64_t checksum;
        ssn_page_child(page, index, &place, &checksum);
        must(place >= expect->first_place && place < expect->store_pages);
        return ssn_page_encode_inner_item(packed, key, place, checksum);
    }
    const struct ssn_key first = *key;
    if (ssn_page_hole(page, index, key)) {
        must(ssn_key_compare(&first, key) <= 0);
        return ssn_page_encode_hole(packed, &first, key);
    }
    uint16_t len;
    const uint8_t *value = ssn_page_value(page, index, &len);
    must(len <= SSN_VALUE_MAX && value >= page && value + len <= page + SSN_PAGE_SIZE);
    return ssn_page_encode_leaf_item(packed, key, value, len);
}

/* A page that passed its check: every item, every way to find it, and the page built again. */
static void use_page(const uint8_t *page, const struct ssn_page_expect *expect) {
    unsigned items = ssn_page_count(page);
    uint8_t *packed = malloc(SSN_PAGE_ROOM);
    uint8_t *again = malloc(SSN_PAGE_SIZE);
    must(packed != NULL && again != NULL && items > 0);
    struct ssn_key before = {0, 0, 0};
    size_t len = 0;
    for (unsigned i = 0; i < items; i++) {
        struct ssn_key key;
        ssn_page_key(page, i, &key);
        must(i == 0 || ssn_key_compare(&before, &key) < 0);
        must(ssn_page_find(page, &key) == i && ssn_page_find_last(page, &key) == (int)i);
        struct ssn_key after = key;
        if (ssn_key_after(&after)) {
            must(ssn_key_compare(&key, &after) < 0 && ssn_page_find(page, &after) == i + 1);
            bool there = i + 1 < items && ssn_page_find_last(page, &after) == (int)i + 1;
            must(there || ssn_page_find_last(page, &after) == (int)i);
        }
        before = key;
        len += pack_item(page, i, expect, packed + len, &before);
    }
    must(ssn_page_used(page) == SSN_PAGE_HEADER + (size_t)SSN_PAGE_SLOT * items + len);
    const struct ssn_page_head head = {ssn_page_place(page), ssn_page_sequence(page), ssn_page_level(page), page + 32};
    must(ssn_page_build(again, &head, packed, len, items) == expect->checksum);
    must(memcmp(again, page, SSN_PAGE_SIZE) == 0);
    free(packed);
    free(again);
}

static void decode_page(struct input *in, uint8_t mend) {
    struct ssn_page_expect expect = {100, 0, input_u8(in), store_id, 48, 4096};
    uint8_t *page = input_copy(in, SSN_PAGE_SIZE);
    if ((mend & MEND_HEAD) != 0) {
        memcpy(page + 8, "SSNT", 4);
        page[12] = (uint8_t)expect.level;
        page[13] = 0;
        ssn_put64(page + 16, expect.place);
        memcpy(page + 32, store_id, sizeof store_id);
    }
    if ((mend & MEND_OFFSETS) != 0) {
        mend_offsets(page);
    }
    if ((mend & MEND_CHECKSUM) != 0) {
        ssn_put64(page, ssn_checksum(page + 8, SSN_PAGE_SIZE - 8));
    }
    expect.checksum = ssn_page_checksum(page);
    if (ssn_page_check(page, &expect) == NULL) {
        use_page(page, &expect);
    }
    free(page);
}

static void decode_sector(struct input *in, uint8_t mend) {
    uint8_t *sector = input_copy(in, SSN_SECTOR_SIZE);
    if ((mend & MEND_CHECKSUM) != 0) {
        ssn_put64(sector, ssn_checksum(sector + 8, SSN_SECTOR_SIZE - 8));
    }
    struct ssn_sector header;
    if (ssn_sector_decode(sector, &header)) {
        must(header.number == 0 ? header.count == 0 : header.index < header.count);
        must(header.count % SSN_SECTORS_PER_PAGE == 0 && header.count <= SSN_BATCH_SECTORS_MAX);
        uint8_t *again = malloc(SSN_SECTOR_SIZE);
        must(again != NULL);
        memcpy(again, sector, SSN_SECTOR_SIZE);
        memset(again, 0xa5, SSN_SECTOR_HEADER);
        ssn_sector_seal(again, &header);
        must(memcmp(again, sector, SSN_SECTOR_SIZE) == 0);
        free(again);
    }
    free(sector);
}

/* A batch sealed, read sector by sector, and its payload put together again, in place as well. */
static void seal_batch(struct input *in) {
    struct ssn_sector header = {0};
    uint64_t ring = SSN_SECTORS_PER_PAGE * (SSN_JOURNAL_PAGES_MIN + input_below(in, 16));
    header.incarnation = 1 + input_uint(in, 2);
    header.number = 1 + input_uint(in, 8) % (UINT64_MAX - 1);
    header.position = input_below(in, ring) / SSN_SECTORS_PER_PAGE * SSN_SECTORS_PER_PAGE;
    header.super_sequence = input_uint(in, 2);
    header.chain = input_uint(in, 8);
    size_t len = in->left;
    uint32_t count = (ssn_batch_pages(len) + (len == 0 ? 1 : 0)) * SSN_SECTORS_PER_PAGE;
    if (count > ring) {
        return;
    }
    uint8_t *payload = input_copy(in, len);
    uint8_t *sectors = malloc((size_t)count * SSN_SECTOR_SIZE);
    must(sectors != NULL);
    uint64_t chain;
    ssn_batch_seal(sectors, count, payload, len, &header, ring, &chain);
    must(chain == ssn_batch_chain(sectors, count));
    for (uint32_t i = 0; i < count; i++) {
        struct ssn_sector one;
        must(ssn_sector_decode(sectors + (size_t)i * SSN_SECTOR_SIZE, &one));
        must(one.incarnation == header.incarnation && one.number == header.number && one.chain == header.chain);
        must(one.index == i && one.count == count && one.position == (header.position + i) % ring);
        must(one.super_sequence == header.super_sequence);
    }
    ssn_batch_payload(sectors, sectors, count);
    must(len == 0 || memcmp(sectors, payload, len) == 0);
    must(ssn_is_zero(sectors + len, (size_t)count * SSN_SECTOR_PAYLOAD - len));
    free(payload);
    free(sectors);
}

static void decode_op(const struct ssn_op *op, const uint8_t *from, const uint8_t *to) {
    size_t size = ssn_op_size(op);
    must(size == (size_t)(to - from));
    if (op->kind == SSN_OP_PUT || op->kind == SSN_OP_DELETE) {
        must(op->key.type != SSN_ITEM_SPACE && ssn_item_type_known(op->key.type) && op->len <= SSN_VALUE_MAX);
        must(op->kind == SSN_OP_DELETE || op->value + op->len == to);
    } else {
        must(op->pages > 0 && op->place + op->pages >= op->pages);
    }
    uint8_t *again = malloc(size);
    must(again != NULL && ssn_op_encode(again, op) == size && memcmp(again, from, size) == 0);
    free(again);
}

static void decode_ops(struct input *in) {
    size_t len = in->left;
    uint8_t *payload = input_copy(in, len);
    struct ssn_ops_iter txns = ssn_ops_begin(payload, len);
    struct ssn_ops_iter txn;
    while (ssn_txns_next(&txns, &txn) == SSN_ITER_ITEM) {
        struct ssn_op op;
        const uint8_t *from = txn.at;
        must(txn.at >= payload && txn.end <= payload + len && txn.end == txns.at);
        while (ssn_ops_next(&txn, &op) == SSN_ITER_ITEM) {
            decode_op(&op, from, txn.at);
            from = txn.at;
        }
        must(txn.at == from && from <= txn.end);
    }
    must(txns.at <= txns.end);
    free(payload);
}

static void use_ledger(const uint8_t *bytes, uint32_t pages, uint64_t checksum, const struct ssn_ledger_head *head) {
    uint64_t runs = (uint64_t)head->taken_count + head->given_count;
    struct ssn_run *all = malloc((size_t)(runs + 1) * sizeof *all);
    uint8_t *again = malloc((size_t)pages * SSN_PAGE_SIZE);
    must(all != NULL && again != NULL);
    for (uint32_t i = 0; i < runs; i++) {
        all[i] = ssn_ledger_run(bytes, i);
        must(all[i].place >= 48 && all[i].pages > 0 && ssn_range_inside(all[i].place, all[i].pages, 4096));
    }
    must(ssn_ledger_encode(again, pages, head, all, all + head->taken_count) == checksum);
    must(memcmp(again, bytes, (size_t)pages * SSN_PAGE_SIZE) == 0);
    free(all);
    free(again);
}

static void decode_ledger(struct input *in, uint8_t mend) {
    uint32_t pages = 1 + (uint32_t)input_below(in, 3);
    uint64_t sequence = input_uint(in, 1);
    uint8_t *bytes = input_copy(in, (size_t)pages * SSN_PAGE_SIZE);
    if ((mend & MEND_HEAD) != 0) {
        memcpy(bytes, "SSNL\0\0\0\0", 8);
        ssn_put64(bytes + 8, 100);
        memcpy(bytes + 24, store_id, sizeof store_id);
    }
    uint64_t checksum = ssn_checksum(bytes, (size_t)pages * SSN_PAGE_SIZE);
    struct ssn_ledger_head head = {100, sequence, store_id, 0, 0};
    if (ssn_ledger_check(bytes, pages, checksum ^ ((mend & MEND_CHECKSUM) != 0 ? 0 : 1), 48, 4096, &head)) {
        must((mend & MEND_CHECKSUM) != 0 && head.sequence <= sequence);
        use_ledger(bytes, pages, checksum, &head);
    }
    free(bytes);
}

/* The record of each kind, decoded from exactly `len` bytes, and encoded again. */
static bool again_designation(const uint8_t *p, uint16_t len, uint8_t *to, uint16_t *ret_len) {
    struct ssn_designation_record record;
    if (!ssn_designation_record_decode(p, len, &record)) {
        return false;
    }
    must(record.name[0] == '\0' || ssn_name_valid(record.name));
    *ret_len = ssn_designation_record_encode(to, &record);
    return true;
}

static bool again_snapshot(const uint8_t *p, uint16_t len, uint8_t *to, uint16_t *ret_len) {
    struct ssn_snapshot_record record;
    if (!ssn_snapshot_record_decode(p, len, &record)) {
        return false;
    }
    must(record.point > 0);
    *ret_len = ssn_snapshot_record_encode(to, &record);
    return true;
}

static bool again_overlay(const uint8_t *p, uint16_t len, uint8_t *to, uint16_t *ret_len) {
    struct ssn_overlay_record record;
    if (!ssn_overlay_record_decode(p, len, &record)) {
        return false;
    }
    *ret_len = ssn_overlay_record_encode(to, &record);
    return true;
}

static bool again_job(const uint8_t *p, uint16_t len, uint8_t *to, uint16_t *ret_len) {
    struct ssn_job_record record;
    if (!ssn_job_record_decode(p, len, &record)) {
        return false;
    }
    *ret_len = ssn_job_record_encode(to, &record);
    return true;
}

static bool again_state(const uint8_t *p, uint16_t len, uint8_t *to, uint16_t *ret_len) {
    struct ssn_state_record record;
    if (!ssn_state_record_decode(p, len, &record)) {
        return false;
    }
    must(record.reclaimed <= record.deletes && record.walk <= record.deletes);
    *ret_len = ssn_state_record_encode(to, &record);
    return true;
}

static void decode_record(struct input *in,
                          bool (*again)(const uint8_t *p, uint16_t len, uint8_t *to, uint16_t *ret_len)) {
    uint16_t len = (uint16_t)(in->left < SSN_VALUE_MAX ? in->left : SSN_VALUE_MAX);
    uint8_t *value = input_copy(in, len);
    uint8_t *to = malloc(SSN_VALUE_MAX);
    uint16_t to_len = 0;
    must(to != NULL);
    must(!again(value, len, to, &to_len) || (to_len == len && memcmp(to, value, len) == 0));
    free(value);
    free(to);
}

static void decode_entry(struct input *in) {
    uint64_t major = input_uint(in, 8);
    uint16_t len = (uint16_t)(in->left < SSN_VALUE_MAX ? in->left : SSN_VALUE_MAX);
    uint8_t *value = input_copy(in, len);
    struct ssn_entry_record record;
    if (ssn_entry_record_decode(major, value, len, &record)) {
        must(ssn_entry_major_valid(major) && ssn_entry_blocks(major) <= SSN_EXTENT_BLOCKS_MAX);
        must(ssn_entry_first(major) + ssn_entry_blocks(major) <= SSN_RUN_BLOCKS);
        must(ssn_entry_major(ssn_entry_run(major), ssn_entry_level(major), ssn_entry_index(major)) == major);
        unsigned blocks = record.kind == SSN_ENTRY_DATA ? ssn_entry_blocks(major) : 0;
        uint64_t checksums[SSN_EXTENT_BLOCKS_MAX];
        for (unsigned i = 0; i < blocks; i++) {
            checksums[i] = ssn_entry_checksum(value, i);
        }
        uint8_t again[16 + 8 * SSN_EXTENT_BLOCKS_MAX];
        must(ssn_entry_record_encode(again, &record, blocks > 0 ? checksums : NULL, blocks) == len);
        must(memcmp(again, value, len) == 0);
    }
    free(value);
}

static void decode_ranges(struct input *in) {
    uint16_t len = (uint16_t)(in->left < SSN_VALUE_MAX ? in->left : SSN_VALUE_MAX);
    uint8_t *value = input_copy(in, len);
    uint64_t minor = len >= 8 ? ssn_get64(value) : 0;
    if (ssn_ranges_valid(minor, value, len)) {
        must(ssn_ranges_count(len) >= 1 && ssn_ranges_count(len) <= SSN_RANGES_PER_ITEM);
        must(!ssn_ranges_valid(minor + 1, value, len));
        for (unsigned i = 0; i < ssn_ranges_count(len); i++) {
            uint64_t first = ssn_range_first(value, i);
            uint64_t blocks = ssn_range_blocks(value, i);
            must(blocks > 0 && first + blocks > first);
            must(i == 0 || first > ssn_range_first(value, i - 1) + ssn_range_blocks(value, i - 1));
        }
    }
    free(value);
}

static void decode_name(struct input *in) {
    size_t len = in->left;
    uint8_t *text = malloc(len + 1);
    must(text != NULL);
    input_take(in, text, len);
    text[len] = 0;
    const char *name = (const char *)text;
    if (ssn_name_valid(name)) {
        must(strlen(name) >= 1 && strlen(name) <= SELSNAP_NAME_MAX);
        for (const uint8_t *p = text; *p != 0; p++) {
            must(*p >= 0x20 && *p != 0x7f && *p != 0xc0 && *p != 0xc1 && *p < 0xf5);
        }
        must(ssn_name_hash(SSN_NAME_SNAPSHOT, name) != ssn_name_hash(SSN_NAME_DESIGNATION, name));
    }
    free(text);
}

static void decode_keys(struct input *in) {
    uint8_t *a = input_copy(in, SSN_KEY_SIZE);
    uint8_t *b = input_copy(in, SSN_KEY_SIZE);
    uint8_t again[SSN_KEY_SIZE];
    struct ssn_key key_a;
    struct ssn_key key_b;
    ssn_key_decode(a, &key_a);
    ssn_key_decode(b, &key_b);
    ssn_key_encode(again, &key_a);
    must(memcmp(again, a, SSN_KEY_SIZE) == 0);
    int order = ssn_key_compare(&key_a, &key_b);
    must(order == -ssn_key_compare(&key_b, &key_a) && (order == 0) == (memcmp(a, b, SSN_KEY_SIZE) == 0));
    struct ssn_key after = key_a;
    if (ssn_key_after(&after)) {
        must(ssn_key_compare(&key_a, &after) < 0 && (order >= 0 || ssn_key_compare(&after, &key_b) <= 0));
    } else {
        must(order >= 0);
    }
    free(a);
    free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = input_of(data, size);
    uint8_t decoder = input_u8(&in);
    uint8_t mend = input_u8(&in);
    switch (decoder % 14) {
    case 0:
        decode_superblock(&in, mend);
        break;
    case 1:
        decode_page(&in, mend);
        break;
    case 2:
        decode_sector(&in, mend);
        break;
    case 3:
        seal_batch(&in);
        break;
    case 4:
        decode_ops(&in);
        break;
    case 5:
        decode_ledger(&in, mend);
        break;
    case 6:
        decode_record(&in, again_designation);
        break;
    case 7:
        decode_record(&in, again_snapshot);
        break;
    case 8:
        decode_record(&in, again_overlay);
        break;
    case 9:
        decode_record(&in, again_job);
        break;
    case 10:
        decode_record(&in, again_state);
        break;
    case 11:
        decode_entry(&in);
        break;
    case 12:
        decode_ranges(&in);
        break;
    default:
        decode_name(&in);
        in = input_of(data, size);
        decode_keys(&in);
        break;
    }
    return 0;
}
