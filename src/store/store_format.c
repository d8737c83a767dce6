/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a store. The superblocks go first and come last: whatever a power cut leaves is either no store, or a whole
 * one (docs/format.md, sections 1 to 3).
 */
#include "store_inner.h"

#include "page.h"
#include "random.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    CHUNK_PAGES = 64,
    JOURNAL_SHARE = 64,        /* the journal takes one part in so many of the store */
    JOURNAL_MAX_CHOSEN = 2048, /* pages, unless asked for more */
};

struct format {
    selsnap_device *device;
    struct ssn_report *report;
    struct ssn_superblock super;
    uint8_t chunk[CHUNK_PAGES * SSN_PAGE_SIZE];
};

void ssn_store_make_id(uint8_t *ret_id) {
    if (!ssn_random(ret_id, SSN_STORE_ID_SIZE)) {
        /* Time and process tell stores apart well enough where the system has no source of randomness. */
        struct timespec now;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        ssn_put64(ret_id, (uint64_t)now.tv_sec * UINT64_C(1000000007) + (uint64_t)now.tv_nsec);
        ssn_put64(ret_id + 8, (uint64_t)getpid() << 32 ^ (uint64_t)(uintptr_t)ret_id);
    }
}

static int write_pages(struct format *format, const char *what, uint64_t place, uint64_t pages) {
    int rc = ssn_device_write(format->device, format->chunk, (size_t)pages * SSN_PAGE_SIZE, place * SSN_PAGE_SIZE);
    if (rc != SELSNAP_OK) {
        return ssn_fail(format->report, rc == SELSNAP_EIO ? SELSNAP_ESTORE : rc,
                        "%s could not be written (the device says %d)", what, atomic_load(&format->device->last_error));
    }
    return rc;
}

static int flush(struct format *format) {
    if (ssn_device_flush(format->device) != SELSNAP_OK) {
        return ssn_fail(format->report, SELSNAP_ESTORE, "the new store could not be flushed (the device says %d)",
                        atomic_load(&format->device->last_error));
    }
    return SELSNAP_OK;
}

static int choose_sizes(struct format *format, const struct ssn_store_facts *facts) {
    struct ssn_superblock *super = &format->super;
    uint64_t pages = ssn_device_size(format->device) / SSN_PAGE_SIZE;
    uint64_t journal = facts->journal_bytes / SSN_PAGE_SIZE;
    if (facts->journal_bytes % SSN_PAGE_SIZE != 0 || !ssn_is_power_of_2(facts->block_bytes) ||
        facts->block_bytes < SSN_PAGE_SIZE || facts->block_bytes > 1048576 || facts->origin_bytes == 0 ||
        (journal != 0 && (journal < SSN_JOURNAL_PAGES_MIN || journal > SSN_JOURNAL_PAGES_MAX))) {
        return SELSNAP_EINVAL;
    }
    if (format->device->info.logical_block_bytes > SSN_PAGE_SIZE) {
        return ssn_fail(format->report, SELSNAP_ENOTSUP, "the store's device has logical blocks above 4096 bytes");
    }
    if (journal == 0) {
        journal = ssn_min_u64(ssn_max_u64(pages / JOURNAL_SHARE, SSN_JOURNAL_PAGES_MIN), JOURNAL_MAX_CHOSEN);
    }
    uint64_t least = SSN_JOURNAL_PLACE + journal + ssn_store_reserve(pages) + SSN_STORE_SPARE_PAGES +
                     facts->block_bytes / SSN_PAGE_SIZE;
    if (pages < least) {
        return ssn_fail(format->report, SELSNAP_ETOOSMALL, "the store needs at least %llu bytes, the device has %llu",
                        (unsigned long long)least * SSN_PAGE_SIZE, (unsigned long long)ssn_device_size(format->device));
    }
    super->store_pages = pages;
    super->journal_pages = journal;
    return SELSNAP_OK;
}

static void fill_super(struct format *format, const struct ssn_store_facts *facts) {
    struct ssn_superblock *super = &format->super;
    ssn_store_make_id(super->store_id);
    super->block_bytes = facts->block_bytes;
    super->origin_bytes = facts->origin_bytes;
    super->extent_bytes = ssn_max_u64(facts->extent_bytes, facts->origin_bytes);
    if (facts->identity_known) {
        super->flags |= SSN_SUPER_HAS_IDENTITY;
        memcpy(super->origin_identity, facts->origin_identity, SELSNAP_IDENTITY_SIZE);
    }
    memcpy(super->origin_hint, facts->origin_hint, SELSNAP_ORIGIN_HINT_MAX);
    super->journal_number = 1;
    super->next_epoch = 1;
    super->next_id = 1;
    uint64_t area = ssn_super_area(super);
    /* One leaf with one space item: all of the area but the leaf itself. */
    super->root_place = super->store_pages - 1;
    super->free_pages = super->root_place - area;
    super->leaf_count = 1;
    super->page_count = 1;
}

/* [F-6] */
static int write_journal(struct format *format) {
    uint64_t pages = format->super.journal_pages;
    int rc = SELSNAP_OK;
    for (uint64_t page = 0; rc == SELSNAP_OK && page < pages; page += CHUNK_PAGES) {
        uint64_t part = ssn_min_u64(CHUNK_PAGES, pages - page);
        memset(format->chunk, 0, sizeof format->chunk);
        for (uint64_t i = 0; i < part * SSN_SECTORS_PER_PAGE; i++) {
            struct ssn_sector sector = {.position = page * SSN_SECTORS_PER_PAGE + i};
            ssn_sector_seal(format->chunk + i * SSN_SECTOR_SIZE, &sector);
        }
        rc = write_pages(format, "the journal", SSN_JOURNAL_PLACE + page, part);
    }
    return rc;
}

static int write_tree(struct format *format) {
    struct ssn_superblock *super = &format->super;
    uint8_t item[SSN_LEAF_ITEM_MAX];
    uint8_t value[8];
    struct ssn_key key = ssn_key_make(SSN_ITEM_SPACE, ssn_super_area(super), 0);
    struct ssn_page_head head = {.place = super->root_place, .sequence = 1, .level = 0, .store_id = super->store_id};
    ssn_put64(value, super->free_pages);
    size_t len = ssn_page_encode_leaf_item(item, &key, value, sizeof value);
    super->root_checksum = ssn_page_build(format->chunk, &head, item, len, 1);
    return write_pages(format, "the first page of the tree", super->root_place, 1);
}

/* Both slots: a store with one is one that has lost the other. */
static int write_supers(struct format *format) {
    int rc = SELSNAP_OK;
    for (uint64_t sequence = 1; rc == SELSNAP_OK && sequence <= 2; sequence++) {
        format->super.sequence = sequence;
        ssn_super_encode(format->chunk, &format->super);
        rc = write_pages(format, "a superblock", ssn_super_place(sequence), 1);
    }
    return rc;
}

static int check_old(struct format *format, bool overwrite) {
    uint8_t page[SSN_PAGE_SIZE];
    struct ssn_superblock old;
    for (unsigned slot = 0; slot < 2 && !overwrite; slot++) {
        uint64_t place = ssn_super_place(slot);
        int rc = ssn_device_read(format->device, page, sizeof page, place * SSN_PAGE_SIZE);
        if (rc != SELSNAP_OK) {
            return ssn_fail(format->report, SELSNAP_ESTORE, "the device could not be read (it says %d)",
                            atomic_load(&format->device->last_error));
        }
        rc = ssn_super_decode(page, place, &old);
        if (rc == SELSNAP_OK || rc == SELSNAP_EVERSION) {
            return ssn_fail(format->report, SELSNAP_EEXIST, "the device holds a store already");
        }
    }
    return SELSNAP_OK;
}

static int run_format(struct format *format, const struct ssn_store_facts *facts, bool overwrite) {
    int rc = choose_sizes(format, facts);
    rc = rc != SELSNAP_OK ? rc : check_old(format, overwrite);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    fill_super(format, facts);
    /* An old store is gone before the first of its pages is. */
    memset(format->chunk, 0, sizeof format->chunk);
    rc = write_pages(format, "the head of the store", 0, SSN_JOURNAL_PLACE);
    rc = rc != SELSNAP_OK ? rc : flush(format);
    rc = rc != SELSNAP_OK ? rc : write_journal(format);
    rc = rc != SELSNAP_OK ? rc : write_tree(format);
    rc = rc != SELSNAP_OK ? rc : flush(format);
    rc = rc != SELSNAP_OK ? rc : write_supers(format);
    return rc != SELSNAP_OK ? rc : flush(format);
}

int ssn_store_format(selsnap_device *device, struct ssn_report *report, const struct ssn_store_facts *facts,
                     bool overwrite) {
    struct ssn_mem mem; /* no context is there yet */
    ssn_mem_init(&mem, NULL, 0);
    struct format *format = ssn_calloc(&mem, 1, sizeof *format);
    if (format == NULL) {
        return SELSNAP_ENOMEM;
    }
    format->device = device;
    format->report = report;
    int rc = run_format(format, facts, overwrite);
    ssn_free(&mem, format);
    return rc;
}
