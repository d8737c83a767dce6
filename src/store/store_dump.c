/* SPDX-License-Identifier: Apache-2.0 */
/* A store as text: superblocks, journal batches, ledger, tree pages' headers. Reads the device; holds upkeep_busy. */
#include "store_inner.h"

#include "page.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct dump {
    struct ssn_store *store;
    selsnap_line_fn line;
    void *user;
};

static int tell(struct dump *dump, const char *format, ...) SSN_PRINTF(2, 3);

static int tell(struct dump *dump, const char *format, ...) {
    char text[SSN_REPORT_TEXT];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return dump->line(dump->user, text) == 0 ? SELSNAP_OK : SELSNAP_ECANCELED;
}

static int dump_super(struct dump *dump, unsigned slot, const struct ssn_superblock *super) {
    int rc = tell(dump,
                  "superblock %u: sequence %" PRIu64 ", incarnation %" PRIu64 ", flags %u, %" PRIu64
                  " pages, block %u, origin %" PRIu64 " bytes (extent %" PRIu64 ")%s%s",
                  slot, super->sequence, super->incarnation, (unsigned)super->flags, super->store_pages,
                  (unsigned)super->block_bytes, super->origin_bytes, super->extent_bytes,
                  super->origin_hint[0] != 0 ? ", hint " : "", super->origin_hint);
    if (rc == 0) {
        rc = tell(dump,
                  "  journal: %" PRIu64 " pages, start %" PRIu64 ", batch %" PRIu64 ", chain %016" PRIx64
                  "; next epoch %" PRIu64 ", next id %" PRIu64,
                  super->journal_pages, super->journal_start, super->journal_number, super->journal_chain,
                  super->next_epoch, super->next_id);
    }
    if (rc == 0) {
        rc = tell(dump,
                  "  tree: root %" PRIu64 " checksum %016" PRIx64 " level %u, %" PRIu64 " pages, %" PRIu64
                  " leaves, %" PRIu64 " free pages; ledger %" PRIu64 ", %u pages",
                  super->root_place, super->root_checksum, (unsigned)super->root_level, super->page_count,
                  super->leaf_count, super->free_pages, super->ledger_place, (unsigned)super->ledger_pages);
    }
    return rc;
}

static int dump_supers(struct dump *dump) {
    for (unsigned slot = 0; slot < 2; slot++) {
        uint8_t page[SSN_PAGE_SIZE];
        struct ssn_superblock super;
        uint64_t place = ssn_super_place(slot);
        int rc = ssn_store_dev_read(dump->store, "a superblock", page, sizeof page, place);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        rc = ssn_super_decode(page, place, &super);
        rc = rc == SELSNAP_OK ? dump_super(dump, slot, &super) : tell(dump, "superblock %u: not usable (%d)", slot, rc);
        if (rc != 0) {
            return rc;
        }
    }
    return SELSNAP_OK;
}

/* A line for each sector that begins a batch, or is damaged. */
static int dump_journal(struct dump *dump) {
    uint8_t page[SSN_PAGE_SIZE];
    for (uint64_t p = 0; p < dump->store->super.journal_pages; p++) {
        int rc = ssn_store_dev_read(dump->store, "the journal", page, sizeof page, SSN_JOURNAL_PLACE + p);
        for (unsigned i = 0; rc == SELSNAP_OK && i < SSN_SECTORS_PER_PAGE; i++) {
            struct ssn_sector sector;
            if (!ssn_sector_decode(page + (size_t)i * SSN_SECTOR_SIZE, &sector)) {
                rc = tell(dump, "journal page %" PRIu64 " sector %u: damaged", p, i);
            } else if (sector.number != 0 && sector.index == 0) {
                rc = tell(dump,
                          "journal page %" PRIu64 ": batch %" PRIu64 ", %u sectors, incarnation %" PRIu64
                          ", superblock %" PRIu64 ", after %016" PRIx64,
                          p, sector.number, (unsigned)sector.count, sector.incarnation, sector.super_sequence,
                          sector.chain);
            }
        }
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    return SELSNAP_OK;
}

static int dump_runs(struct dump *dump, const char *what, const struct ssn_runs *runs) {
    int rc = SELSNAP_OK;
    for (size_t i = 0; rc == SELSNAP_OK && i < runs->count; i++) {
        rc = tell(dump, "ledger %s: page %" PRIu64 ", %" PRIu64 " pages", what, runs->run[i].place, runs->run[i].pages);
    }
    return rc;
}

static int visit(void *user, uint64_t place, uint32_t level, const uint8_t *page) {
    struct dump *dump = user;
    if (page == NULL) {
        return tell(dump, "tree page %" PRIu64 ": level %u, not usable", place, (unsigned)level);
    }
    return tell(dump, "tree page %" PRIu64 ": level %u, %u items, %zu bytes, superblock %" PRIu64, place,
                (unsigned)level, ssn_page_count(page), ssn_page_used(page), ssn_page_sequence(page));
}

int ssn_store_dump(struct ssn_store *store, selsnap_line_fn line, void *user) {
    struct dump dump = {store, line, user};
    ssn_upkeep_begin(store);
    int rc = dump_supers(&dump);
    rc = rc != SELSNAP_OK ? rc : dump_journal(&dump);
    rc = rc != SELSNAP_OK ? rc : dump_runs(&dump, "taken", &store->space.ledger_taken);
    rc = rc != SELSNAP_OK ? rc : dump_runs(&dump, "given", &store->space.ledger_given);
    if (rc == SELSNAP_OK && store->root.place != 0) {
        rc = ssn_tree_walk(store->pages, &store->root, visit, &dump);
    }
    ssn_upkeep_end(store, false, rc);
    return rc;
}
