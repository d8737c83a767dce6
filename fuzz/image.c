/* SPDX-License-Identifier: Apache-2.0 */
/* Walking and mending store images. See image.h; the layout is docs/format.md's. */
#include "image.h"

#include "checksum.h"
#include "ledger.h"
#include "ops.h"
#include "page.h"
#include "sector.h"

enum { AT_SUPER_ID = 24, AT_SEQUENCE = 40, AT_ROOT = 168, AT_LEDGER = 192, AT_CHECKSUM = 504, RING_SECTORS_MAX = 4096 };

/* One walk over an image. */
struct walk {
    struct cowdev *store;
    unsigned mend;
    const uint8_t *set_id; /* NULL: the id stays */
    uint64_t area;
    uint64_t ledger; /* that of the newest superblock */
    bool seen[IMAGE_STORE_PAGES];
    struct stage *survey; /* NULL: only mend */
};

static void add_meta(struct walk *walk, uint64_t place) {
    struct stage *stage = walk->survey;
    if (stage != NULL && stage->meta_count < IMAGE_META) {
        stage->meta[stage->meta_count++] = (uint32_t)place;
    }
}

static void add_item(struct stage *stage, uint64_t byte, uint16_t len, bool in_tree) {
    if (stage->item_count < IMAGE_ITEMS) {
        struct place_of_item *item = &stage->items[stage->item_count++];
        item->byte = (uint32_t)byte;
        item->len = len;
        item->in_tree = in_tree;
    }
}

static uint64_t mend_page(struct walk *walk, uint64_t place, unsigned level, const uint8_t *id);

/* Visits the items of a page: mends the checksums of children, or tells the survey. Stops at what does not fit. */
static void visit_items(struct walk *walk, uint8_t *page, uint64_t place, unsigned level, const uint8_t *id) {
    unsigned count = ssn_page_count(page);
    for (unsigned i = 0; i < count; i++) {
        size_t slot = SSN_PAGE_HEADER + (size_t)SSN_PAGE_SLOT * i;
        size_t at = slot + SSN_PAGE_SLOT <= COW_PAGE ? ssn_get16(page + slot) : COW_PAGE;
        if (at < SSN_PAGE_HEADER || at + SSN_INNER_ITEM > COW_PAGE) {
            return;
        }
        if (level > 0) {
            uint64_t child = ssn_get64(page + at + SSN_KEY_SIZE);
            ssn_put64(page + at + SSN_KEY_SIZE + 8, mend_page(walk, child, level - 1, id));
        } else if (walk->survey != NULL) {
            add_item(walk->survey, place * COW_PAGE + at, ssn_get16(page + at + SSN_KEY_SIZE), true);
        }
    }
}

/* Gives the page's checksum, mended. A page met twice keeps what it got first. */
static uint64_t mend_page(struct walk *walk, uint64_t place, unsigned level, const uint8_t *id) {
    if (place < walk->area || place >= IMAGE_STORE_PAGES) {
        return 0;
    }
    if (walk->seen[place]) {
        return ssn_get64(cow_page(walk->store, place));
    }
    walk->seen[place] = true;
    add_meta(walk, place);
    uint8_t *page = cow_change(walk->store, place);
    if ((walk->mend & MEND_HEADS) != 0) {
        memcpy(page + 8, "SSNT", 4);
        page[12] = (uint8_t)level;
        ssn_put64(page + 16, place);
        memcpy(page + 32, id, SSN_STORE_ID_SIZE);
    }
    visit_items(walk, page, place, level, id);
    uint64_t checksum = ssn_checksum(page + 8, COW_PAGE - 8);
    ssn_put64(page, checksum);
    return checksum;
}

static uint64_t mend_ledger(struct walk *walk, uint64_t place, uint32_t pages, const uint8_t *id) {
    if (place < walk->area || pages == 0 || !ssn_range_inside(place, pages, IMAGE_STORE_PAGES)) {
        return 0;
    }
    uint8_t *all = malloc((size_t)pages * COW_PAGE);
    must(all != NULL);
    uint8_t *head = cow_change(walk->store, place);
    if ((walk->mend & MEND_HEADS) != 0) {
        memcpy(head, "SSNL\0\0\0\0", 8);
        ssn_put64(head + 8, place);
        memcpy(head + 24, id, SSN_STORE_ID_SIZE);
    }
    for (uint32_t i = 0; i < pages; i++) {
        add_meta(walk, place + i);
    }
    cow_read(walk->store, all, (size_t)pages * COW_PAGE, place * COW_PAGE);
    uint64_t checksum = ssn_checksum(all, (size_t)pages * COW_PAGE);
    free(all);
    return checksum;
}

/* What the older slot alone names may have been used again since, and is left as it is. */
static void mend_slot(struct walk *walk, uint64_t place, bool newest) {
    uint8_t *page = cow_change(walk->store, place);
    if (walk->set_id != NULL) {
        memcpy(page + AT_SUPER_ID, walk->set_id, SSN_STORE_ID_SIZE);
    }
    uint64_t journal_pages = ssn_get64(page + 128);
    uint64_t root = ssn_get64(page + AT_ROOT);
    uint64_t ledger = ssn_get64(page + AT_LEDGER);
    if (newest) {
        walk->area = journal_pages < IMAGE_STORE_PAGES ? SSN_JOURNAL_PLACE + journal_pages : SSN_JOURNAL_PLACE;
        walk->ledger = ledger;
    }
    if (root != 0 && (newest || (root < IMAGE_STORE_PAGES && walk->seen[root]))) {
        uint32_t level = ssn_get32(page + AT_ROOT + 16);
        ssn_put64(page + AT_ROOT + 8, mend_page(walk, root, level > SSN_LEVEL_MAX ? 0 : level, page + AT_SUPER_ID));
    }
    if (ledger != 0 && ledger == walk->ledger) {
        uint32_t pages = ssn_get32(page + AT_LEDGER + 8);
        ssn_put64(page + AT_LEDGER + 16, mend_ledger(walk, ledger, pages, page + AT_SUPER_ID));
    }
    ssn_put64(page + AT_CHECKSUM, ssn_checksum(page, AT_CHECKSUM));
}

static uint64_t newest_slot(const struct cowdev *store) {
    uint64_t first = ssn_get64(cow_page(store, SSN_SUPER_PLACE_0) + AT_SEQUENCE);
    uint64_t second = ssn_get64(cow_page(store, SSN_SUPER_PLACE_1) + AT_SEQUENCE);
    return second > first ? SSN_SUPER_PLACE_1 : SSN_SUPER_PLACE_0;
}

static void mend_slots(struct walk *walk) {
    uint64_t newest = newest_slot(walk->store);
    mend_slot(walk, newest, true);
    mend_slot(walk, newest == SSN_SUPER_PLACE_0 ? SSN_SUPER_PLACE_1 : SSN_SUPER_PLACE_0, false);
}

void image_set_id(struct cowdev *store, const uint8_t *id) {
    struct walk walk = {.store = store, .mend = MEND_HEADS | MEND_CHECKSUMS, .set_id = id};
    mend_slots(&walk);
}

/* ---- the journal ---- */

static uint8_t *ring_sector(struct cowdev *store, uint64_t sector) {
    uint8_t *page = cow_change(store, (size_t)(SSN_JOURNAL_PLACE + sector / SSN_SECTORS_PER_PAGE));
    return page + sector % SSN_SECTORS_PER_PAGE * SSN_SECTOR_SIZE;
}

static uint64_t ring_sectors(const struct stage *stage) {
    return stage->super.journal_pages * SSN_SECTORS_PER_PAGE;
}

/* Seals the sectors from here on as they are; gives their chain value. */
static uint64_t seal_as_is(struct cowdev *store, const struct stage *stage, uint64_t first, uint32_t count) {
    uint8_t sums[8 * RING_SECTORS_MAX];
    must(count <= RING_SECTORS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *sector = ring_sector(store, (first + i) % ring_sectors(stage));
        ssn_put64(sector, ssn_checksum(sector + 8, SSN_SECTOR_SIZE - 8));
        memcpy(sums + 8 * (size_t)i, sector, 8);
    }
    return ssn_checksum(sums, 8 * (size_t)count);
}

/* Checksums of all that replay reads, and each batch's chain value in the batch after it. */
static uint64_t mend_journal(struct cowdev *store, const struct stage *stage) {
    uint64_t chain = stage->super.journal_chain;
    for (unsigned i = 0; i < stage->batch_count; i++) {
        uint64_t first = stage->batches[i].sector;
        uint32_t count = stage->batches[i].count;
        for (uint32_t k = 0; i > 0 && k < count; k++) {
            ssn_put64(ring_sector(store, (first + k) % ring_sectors(stage)) + 48, chain);
        }
        chain = seal_as_is(store, stage, first, count);
    }
    (void)seal_as_is(store, stage, stage->head_sector, SSN_SECTORS_PER_PAGE);
    return chain;
}

static void append_batch(struct cowdev *store, const struct stage *stage, uint64_t chain, const uint8_t *ops,
                         size_t len) {
    uint8_t *payload = malloc(len + 8);
    uint32_t count = ssn_batch_pages(len + 8) * SSN_SECTORS_PER_PAGE;
    uint8_t *sectors = malloc((size_t)count * SSN_SECTOR_SIZE);
    must(payload != NULL && sectors != NULL && count < ring_sectors(stage));
    ssn_put32(payload, (uint32_t)len);
    memcpy(payload + 4, ops, len);
    memset(payload + 4 + len, 0, 4);
    struct ssn_sector header = {0};
    header.incarnation = stage->super.incarnation;
    header.number = stage->head_number;
    header.position = stage->head_sector;
    header.super_sequence = stage->super.sequence;
    header.chain = chain;
    ssn_batch_seal(sectors, count, payload, len + 8, &header, ring_sectors(stage), &chain);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(ring_sector(store, (stage->head_sector + i) % ring_sectors(stage)),
               sectors + (size_t)i * SSN_SECTOR_SIZE, SSN_SECTOR_SIZE);
    }
    free(payload);
    free(sectors);
}

/* Remembers where puts lie, as far as their values are in one sector. */
static void survey_puts(struct stage *stage, uint64_t sector) {
    const uint8_t *bytes = stage->store + SSN_JOURNAL_PLACE * COW_PAGE + sector * SSN_SECTOR_SIZE;
    size_t at = SSN_SECTOR_HEADER;
    uint64_t base = SSN_JOURNAL_PLACE * COW_PAGE + sector * SSN_SECTOR_SIZE;
    if (ssn_get32(bytes + 32) != 0) {
        return; /* only in a batch's first sector is it known where operations begin */
    }
    at += SSN_TXN_HEADER;
    struct ssn_ops_iter ops = ssn_ops_begin(bytes + at, SSN_SECTOR_SIZE - at);
    struct ssn_op op;
    while (ssn_ops_next(&ops, &op) == SSN_ITER_ITEM) {
        if (op.kind == SSN_OP_PUT) {
            add_item(stage, base + (size_t)(op.value - bytes) - SSN_LEAF_ITEM_MIN, op.len, false);
        }
    }
}

static void survey_journal(struct walk *walk) {
    struct stage *stage = walk->survey;
    uint64_t sector = stage->super.journal_start * SSN_SECTORS_PER_PAGE;
    uint64_t number = stage->super.journal_number;
    uint64_t chain = stage->super.journal_chain;
    struct ssn_sector header;
    while (stage->batch_count < IMAGE_BATCHES) {
        if (!ssn_sector_decode(ring_sector(walk->store, sector), &header) || header.number != number ||
            header.chain != chain || header.index != 0) {
            break;
        }
        stage->batches[stage->batch_count].sector = (uint32_t)sector;
        stage->batches[stage->batch_count].count = header.count;
        stage->batch_count++;
        survey_puts(stage, sector);
        for (uint32_t i = 0; i < header.count; i += SSN_SECTORS_PER_PAGE) {
            add_meta(walk, SSN_JOURNAL_PLACE + (sector + i) % ring_sectors(stage) / SSN_SECTORS_PER_PAGE);
        }
        chain = seal_as_is(walk->store, stage, sector, header.count);
        sector = (sector + header.count) % ring_sectors(stage);
        number++;
    }
    must(stage->batch_count < IMAGE_BATCHES);
    add_meta(walk, SSN_JOURNAL_PLACE + sector / SSN_SECTORS_PER_PAGE);
    stage->head_sector = sector;
    stage->head_number = number;
}

void image_survey(struct stage *stage) {
    struct cowdev store;
    cow_init(&store, 's', IMAGE_STORE_BYTES);
    cow_reset(&store, stage->store);
    struct walk walk = {.store = &store, .survey = stage};
    must(ssn_super_decode(cow_page(&store, newest_slot(&store)), newest_slot(&store), &stage->super) == SELSNAP_OK);
    add_meta(&walk, SSN_SUPER_PLACE_0);
    add_meta(&walk, SSN_SUPER_PLACE_1);
    mend_slots(&walk);
    survey_journal(&walk);
    must(stage->meta_count < IMAGE_META && stage->item_count > 0 && stage->item_count < IMAGE_ITEMS);
    /* What is whole needs no mending. */
    for (size_t page = 0; page < store.pages; page++) {
        must(memcmp(cow_page(&store, page), stage->store + page * COW_PAGE, COW_PAGE) == 0);
    }
    cow_fini(&store);
}

/* ---- patches ---- */

struct patcher {
    struct cowdev *store;
    const struct stage *stage;
    struct input *in;
    uint8_t ops[2048]; /* of a transaction to be appended */
    size_t ops_len;
};

/* Mostly small, sometimes any 64 bits. */
static uint64_t take_number(struct input *in) {
    uint8_t first = input_u8(in);
    if (first < 0xf0) {
        return first;
    }
    if (first < 0xf8) {
        return input_uint(in, (size_t)first - 0xf0 + 1);
    }
    return first < 0xfc ? UINT64_MAX - (first - 0xf8u) : UINT64_C(1) << (input_u8(in) % 64);
}

static void patch_bytes(struct patcher *patcher, uint64_t byte, size_t len) {
    for (size_t i = 0; i < len && byte + i < IMAGE_STORE_BYTES; i++) {
        cow_change(patcher->store, (size_t)((byte + i) / COW_PAGE))[(byte + i) % COW_PAGE] = input_u8(patcher->in);
    }
}

static const struct place_of_item *take_item(struct patcher *patcher) {
    return &patcher->stage->items[input_below(patcher->in, 65536) % patcher->stage->item_count];
}

static void add_op(struct patcher *patcher, const struct ssn_op *op) {
    if (patcher->ops_len + ssn_op_size(op) <= sizeof patcher->ops) {
        patcher->ops_len += ssn_op_encode(patcher->ops + patcher->ops_len, op);
    }
}

/* A put or delete made from an item that is there, with other numbers in its key and other bytes in its value. */
static void patch_op(struct patcher *patcher, uint8_t kind) {
    const struct place_of_item *item = take_item(patcher);
    uint8_t raw[SSN_LEAF_ITEM_MAX] = {0};
    uint8_t changes = input_u8(patcher->in);
    struct ssn_op op = {0};
    cow_read(patcher->store, raw, SSN_LEAF_ITEM_MIN + (size_t)item->len, item->byte);
    ssn_key_decode(raw, &op.key);
    op.kind = kind;
    op.value = raw + SSN_LEAF_ITEM_MIN;
    op.len = item->len;
    op.key.type = (changes & 1) != 0 ? input_u8(patcher->in) : op.key.type;
    op.key.major = (changes & 2) != 0 ? take_number(patcher->in) : op.key.major;
    op.key.major += (changes & 4) != 0 ? take_number(patcher->in) : 0;
    op.key.minor = (changes & 8) != 0 ? take_number(patcher->in) : op.key.minor;
    op.key.minor += (changes & 16) != 0 ? take_number(patcher->in) : 0;
    if ((changes & 32) != 0) {
        op.len = (uint16_t)(take_number(patcher->in) % (SSN_VALUE_MAX + 1));
    }
    if ((changes & 64) != 0) {
        uint64_t at = SSN_LEAF_ITEM_MIN + take_number(patcher->in) % SSN_VALUE_MAX;
        ssn_put64(raw + (at < sizeof raw - 8 ? at : sizeof raw - 8), take_number(patcher->in));
    }
    if ((changes & 128) != 0) {
        uint8_t value = input_u8(patcher->in);
        raw[SSN_LEAF_ITEM_MIN + input_u8(patcher->in)] = value;
    }
    add_op(patcher, &op);
}

static void patch_space(struct patcher *patcher, uint8_t kind) {
    struct ssn_op op = {0};
    op.kind = kind;
    op.place = input_below(patcher->in, 65536) % IMAGE_STORE_PAGES;
    op.place = op.place == 0 ? take_number(patcher->in) : op.place;
    op.pages = (uint32_t)take_number(patcher->in);
    add_op(patcher, &op);
}

static void patch_one(struct patcher *patcher) {
    struct input *in = patcher->in;
    const struct stage *stage = patcher->stage;
    uint8_t kind = input_u8(in);
    switch (kind % 8) {
    case 0: { /* somewhere in the metadata */
        uint64_t page = stage->meta[input_u8(in) % stage->meta_count];
        uint64_t at = input_uint(in, 2) % COW_PAGE;
        patch_bytes(patcher, page * COW_PAGE + at, 1 + (size_t)(kind >> 4));
        break;
    }
    case 1: { /* an item: its key, length or value */
        const struct place_of_item *item = take_item(patcher);
        uint64_t at = input_uint(in, item->len > 230 ? 2 : 1) % (SSN_LEAF_ITEM_MIN + (uint64_t)item->len);
        patch_bytes(patcher, item->byte + at, 1 + (size_t)(kind >> 4));
        break;
    }
    case 2:
        patch_op(patcher, SSN_OP_PUT);
        break;
    case 3:
        patch_op(patcher, SSN_OP_DELETE);
        break;
    case 4:
        patch_space(patcher, (kind & 0x80) != 0 ? SSN_OP_TAKE : SSN_OP_GIVE);
        break;
    case 5: { /* a number in the newest superblock */
        uint8_t *slot = cow_change(patcher->store, (size_t)newest_slot(patcher->store));
        size_t at = 8 * (size_t)(input_u8(in) % 63) + ((kind & 0x40) != 0 ? 4 : 0);
        uint64_t value = take_number(in);
        if ((kind & 0x80) != 0) {
            ssn_put32(slot + at, (uint32_t)value);
        } else {
            ssn_put64(slot + (at <= 496 ? at : 496), value);
        }
        break;
    }
    case 6: { /* one page of the metadata in the place of another */
        uint64_t from = stage->meta[input_u8(in) % stage->meta_count];
        uint64_t to = stage->meta[input_u8(in) % stage->meta_count];
        uint8_t copy[COW_PAGE];
        cow_read(patcher->store, copy, COW_PAGE, from * COW_PAGE);
        memcpy(cow_change(patcher->store, (size_t)to), copy, COW_PAGE);
        break;
    }
    default: /* anywhere, data as well */
        patch_bytes(patcher, input_uint(in, 3) % IMAGE_STORE_BYTES, 1 + (size_t)(kind >> 4));
        break;
    }
}

void image_patch(struct cowdev *store, const struct stage *stage, struct input *in, unsigned mend) {
    struct patcher patcher = {.store = store, .stage = stage, .in = in};
    unsigned patches = input_u8(in) % 32;
    for (unsigned i = 0; i < patches; i++) {
        patch_one(&patcher);
    }
    if ((mend & MEND_CHECKSUMS) == 0) {
        return;
    }
    struct walk walk = {.store = store, .mend = mend};
    mend_slots(&walk);
    uint64_t chain = mend_journal(store, stage);
    if (patcher.ops_len > 0) {
        append_batch(store, stage, chain, patcher.ops, patcher.ops_len);
    }
}
