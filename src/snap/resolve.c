/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See resolve.h. Entries of a run stand next to each other in the index, by level, then index, then epoch. Each seek
 * tells the next entry there is, so levels and extents without entries cost nothing. A scan of several seeks is not of
 * one moment; ssn_resolve_at() looks again where that could mislead, ssn_resolve_newest() is asked by who has claimed
 * the blocks.
 */
#include "resolve.h"

#include "checksum.h"

#include <inttypes.h>
#include <string.h>

/* Where a scan of a run's extents stands. */
struct extent_scan {
    uint64_t run;
    unsigned first; /* blocks asked for */
    unsigned last;
    unsigned level;
    unsigned index; /* the extent to look at next */
};

static void scan_begin(struct extent_scan *scan, uint64_t run, unsigned first, unsigned count) {
    scan->run = run;
    scan->first = first;
    scan->last = first + count - 1;
    scan->level = 0;
    scan->index = first;
}

/* Moves to the next level when the present one is through; false: all are. */
static bool scan_more(struct extent_scan *scan) {
    while (scan->level <= SSN_EXTENT_LEVEL_MAX && scan->index > scan->last >> scan->level) {
        scan->level++;
        scan->index = scan->first >> scan->level;
    }
    return scan->level <= SSN_EXTENT_LEVEL_MAX;
}

/*
 * The entries from the scan's extent on that have epoch >= from: moves the scan to the extent of the first one.
 * SELSNAP_ENOENT: it moved past some, or there is none; ask scan_more and try again.
 */
static int scan_seek(struct selsnap *ss, struct extent_scan *scan, uint64_t from, struct ssn_item *ret_item) {
    uint64_t wanted = ssn_entry_major(scan->run, scan->level, scan->index);
    struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, wanted, from);
    int rc = ssn_store_seek_up_to(ss->store, &key, ret_item, &ret_item->key);
    if (rc == SELSNAP_EDAMAGED && (ret_item->key.type != SSN_ITEM_ENTRY || ret_item->key.major > wanted)) {
        rc = SELSNAP_OK; /* the damage begins behind the extent; it counts when the scan comes to it */
    }
    bool in_run =
        rc == SELSNAP_OK && ret_item->key.type == SSN_ITEM_ENTRY && ssn_entry_run(ret_item->key.major) == scan->run;
    if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
        return rc;
    }
    if (!in_run) {
        scan->level = SSN_EXTENT_LEVEL_MAX + 1;
        return SELSNAP_ENOENT;
    }
    if (ret_item->key.major == wanted) {
        return SELSNAP_OK;
    }
    unsigned level = ssn_entry_level(ret_item->key.major);
    if (level != scan->level) {
        scan->level = level;
        scan->index = scan->first >> level;
        unsigned found = ssn_entry_index(ret_item->key.major);
        if (found > scan->index) {
            scan->index = found;
        }
    } else {
        scan->index = ssn_entry_index(ret_item->key.major);
    }
    return SELSNAP_ENOENT;
}

/* The blocks asked for that the scan's extent covers: [*ret_from, *ret_to), counted from scan->first. */
static void scan_extent(const struct extent_scan *scan, unsigned *ret_from, unsigned *ret_to) {
    unsigned begin = scan->index << scan->level;
    unsigned end = begin + (1u << scan->level);
    *ret_from = begin < scan->first ? 0 : begin - scan->first;
    *ret_to = (end > scan->last + 1 ? scan->last + 1 : end) - scan->first;
}

int ssn_resolve_newest(struct selsnap *ss, uint64_t run, unsigned first, unsigned count, uint64_t cap,
                       uint64_t *ret_epochs) {
    struct extent_scan scan;
    struct ssn_item item;
    memset(ret_epochs, 0, count * sizeof *ret_epochs);
    scan_begin(&scan, run, first, count);
    while (scan_more(&scan)) {
        int rc = scan_seek(ss, &scan, 0, &item);
        if (rc == SELSNAP_ENOENT) {
            continue;
        }
        if (rc != SELSNAP_OK) {
            return rc;
        }
        struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, item.key.major, cap - 1);
        if (item.key.minor < cap) {
            uint64_t major = item.key.major;
            rc = ssn_store_seek_last(ss->store, &key, &item);
            if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
                return rc;
            }
            unsigned from;
            unsigned to;
            scan_extent(&scan, &from, &to);
            bool same = rc == SELSNAP_OK && item.key.type == SSN_ITEM_ENTRY && item.key.major == major;
            for (unsigned i = from; same && i < to; i++) {
                ret_epochs[i] = ssn_max_u64(ret_epochs[i], item.key.minor);
            }
        }
        scan.index++;
    }
    return SELSNAP_OK;
}

/* Takes an entry for those of its blocks that have none with a smaller epoch yet. *taken counts these. */
static int take_entry(struct selsnap *ss, const struct extent_scan *scan, const struct ssn_item *item,
                      struct ssn_source *sources, unsigned *taken) {
    struct ssn_entry_record record;
    if (!ssn_entry_record_decode(item->key.major, item->value, item->len, &record)) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED,
                        "the entry of blocks from %" PRIu64 " on, epoch %" PRIu64 ", has a value that is not allowed",
                        scan->run * SSN_RUN_BLOCKS + ssn_entry_first(item->key.major), item->key.minor);
    }
    unsigned from;
    unsigned to;
    scan_extent(scan, &from, &to);
    for (unsigned i = from; i < to; i++) {
        if (sources[i].kind != SSN_ENTRY_NONE && sources[i].epoch <= item->key.minor) {
            continue;
        }
        unsigned inside = scan->first + i - (scan->index << scan->level);
        (*taken)++;
        sources[i].kind = record.kind;
        sources[i].epoch = item->key.minor;
        sources[i].place = 0;
        sources[i].checksum = 0;
        if (record.kind == SSN_ENTRY_DATA) {
            sources[i].place = record.place + (uint64_t)inside * ss->block_pages;
            sources[i].checksum = ssn_entry_checksum(item->value, inside);
        }
    }
    return SELSNAP_OK;
}

/* One scan, seek by seek: entries published meanwhile may be met or not. */
static int scan_at(struct selsnap *ss, uint64_t run, unsigned first, unsigned count, uint64_t point, uint64_t cap,
                   struct ssn_source *ret_sources) {
    struct extent_scan scan;
    struct ssn_item item;
    unsigned settled = 0; /* blocks with an entry of the point itself: none can come before it */
    memset(ret_sources, 0, count * sizeof *ret_sources);
    scan_begin(&scan, run, first, count);
    while (settled < count && scan_more(&scan)) {
        unsigned taken = 0;
        int rc = scan_seek(ss, &scan, point, &item);
        if (rc == SELSNAP_ENOENT) {
            continue;
        }
        if (rc == SELSNAP_OK && item.key.minor < cap) {
            rc = take_entry(ss, &scan, &item, ret_sources, &taken);
            settled += item.key.minor == point ? taken : 0;
        }
        if (rc != SELSNAP_OK) {
            return rc;
        }
        scan.index++;
    }
    return SELSNAP_OK;
}

static bool same_epochs(const struct ssn_source *sources, const uint64_t *epochs, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (sources[i].epoch != epochs[i]) {
            return false;
        }
    }
    return true;
}

/*
 * Two entries of a block may be published during a scan, the first behind it, the second before it; the second alone
 * would be taken. But whoever met the second finds the first when it looks again. So a scan during which the index
 * changed counts only if it found what the one before it found.
 */
int ssn_resolve_at(struct selsnap *ss, uint64_t run, unsigned first, unsigned count, uint64_t point, uint64_t cap,
                   struct ssn_source *ret_sources) {
    uint64_t epochs[SSN_RUN_BLOCKS];
    for (bool again = false;; again = true) {
        uint64_t version = ssn_store_version(ss->store);
        int rc = scan_at(ss, run, first, count, point, cap, ret_sources);
        if (rc != SELSNAP_OK || ssn_store_version(ss->store) == version ||
            (again && same_epochs(ret_sources, epochs, count))) {
            return rc;
        }
        for (unsigned i = 0; i < count; i++) {
            epochs[i] = ret_sources[i].epoch;
        }
    }
}

/* A copy that does not fit is read once more: it may have been misread. */
static int check_block(struct selsnap *ss, uint64_t block, const struct ssn_source *source, uint8_t *data) {
    if (ssn_checksum(data, ss->block_bytes) == source->checksum) {
        return SELSNAP_OK;
    }
    int rc = ssn_store_read_data(ss->store, source->place, data, ss->block_bytes);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    uint64_t sum = ssn_checksum(data, ss->block_bytes);
    if (sum == source->checksum) {
        ssn_log(&ss->report, SELSNAP_LOG_WARNING,
                "the store gave wrong bytes at byte %" PRIu64 ", and the right ones when it was asked again",
                source->place * SSN_PAGE_SIZE);
        return SELSNAP_OK;
    }
    ssn_event(&ss->report, SELSNAP_EVENT_DAMAGE, 0, source->place * SSN_PAGE_SIZE, ss->block_bytes, 0);
    return ssn_fail(&ss->report, SELSNAP_EDAMAGED,
                    "the preserved copy of block %" PRIu64 " (byte %" PRIu64 ") at byte %" PRIu64
                    " of the store is damaged: checksum %016" PRIx64 ", expected %016" PRIx64,
                    block, ssn_offset_of(ss, block), source->place * SSN_PAGE_SIZE, sum, source->checksum);
}

/* How many sources from `i` on lie one after another in the store. */
static unsigned neighbours(const struct selsnap *ss, const struct ssn_source *sources, unsigned i, unsigned count) {
    unsigned n = 1;
    while (i + n < count && sources[i + n].kind == SSN_ENTRY_DATA &&
           sources[i + n].place == sources[i].place + (uint64_t)n * ss->block_pages) {
        n++;
    }
    return n;
}

static const char *why_lost(uint8_t kind) {
    switch (kind) {
    case SSN_ENTRY_LOST_SPACE:
        return "there was no room to preserve it";
    case SSN_ENTRY_LOST_READ:
        return "the origin could not be read when it changed";
    default:
        return "a restore or a repair found the copy it had to be taken from damaged";
    }
}

/* Why a block that resolves to such a source cannot be read. */
static int no_content(struct selsnap *ss, uint64_t block, uint8_t kind) {
    if (ssn_entry_is_lost(kind)) {
        return ssn_fail(&ss->report, SELSNAP_ELOST, "block %" PRIu64 " (byte %" PRIu64 ") of the snapshot is lost: %s",
                        block, ssn_offset_of(ss, block), why_lost(kind));
    }
    return ssn_fail(&ss->report, SELSNAP_EDAMAGED,
                    "block %" PRIu64 " resolves to a mark, though a snapshot needs its data", block);
}

/* Copies to read at once: each of neighbours in the store, `from` counted from the first block asked for. */
enum { READS_AT_ONCE = 32 };
struct copies {
    struct ssn_transfer reads[READS_AT_ONCE];
    unsigned from[READS_AT_ONCE];
    unsigned blocks[READS_AT_ONCE];
    unsigned count;
};

/* Gathers reads from block *at on, and fills what is zeros, until they are enough or a block has no content. */
static void gather(const struct selsnap *ss, const struct ssn_source *sources, unsigned count, uint8_t *buf,
                   unsigned *at, struct copies *copies) {
    copies->count = 0;
    while (*at < count && copies->count < READS_AT_ONCE) {
        uint8_t *to = buf + (size_t)*at * ss->block_bytes;
        unsigned n = 1;
        if (sources[*at].kind == SSN_ENTRY_ZERO) {
            memset(to, 0, ss->block_bytes);
        } else if (sources[*at].kind == SSN_ENTRY_DATA) {
            n = neighbours(ss, sources, *at, count);
            unsigned i = copies->count++;
            copies->from[i] = *at;
            copies->blocks[i] = n;
            copies->reads[i] =
                (struct ssn_transfer){sources[*at].place * SSN_PAGE_SIZE, to, (size_t)n * ss->block_bytes, SELSNAP_OK};
        } else if (sources[*at].kind != SSN_ENTRY_NONE) {
            return;
        }
        *at += n;
    }
}

/* What was read, in the order of the blocks. *ret_bad: the first that is not right. */
static int check_copies(struct selsnap *ss, uint64_t first_block, const struct ssn_source *sources, uint8_t *buf,
                        const struct copies *copies, unsigned *ret_bad) {
    for (unsigned c = 0; c < copies->count; c++) {
        *ret_bad = copies->from[c];
        if (copies->reads[c].result != SELSNAP_OK) {
            return copies->reads[c].result;
        }
        for (unsigned i = copies->from[c]; i < copies->from[c] + copies->blocks[c]; i++) {
            *ret_bad = i;
            int rc = check_block(ss, first_block + i, &sources[i], buf + (size_t)i * ss->block_bytes);
            if (rc != SELSNAP_OK) {
                return rc;
            }
        }
    }
    return SELSNAP_OK;
}

int ssn_resolve_read(struct selsnap *ss, uint64_t first_block, unsigned count, const struct ssn_source *sources,
                     uint8_t *buf, unsigned *ret_bad) {
    struct copies copies;
    unsigned at = 0;
    while (at < count) {
        unsigned bad;
        gather(ss, sources, count, buf, &at, &copies);
        if (copies.count > 0) {
            ssn_store_read_several(ss->store, copies.reads, copies.count);
        }
        int rc = check_copies(ss, first_block, sources, buf, &copies, &bad);
        if (rc == SELSNAP_OK && at < count && copies.count < READS_AT_ONCE) {
            bad = at; /* gathering came to a block without content */
            rc = no_content(ss, first_block + at, sources[at].kind);
        }
        if (rc != SELSNAP_OK) {
            if (ret_bad != NULL) {
                *ret_bad = bad;
            }
            return rc;
        }
    }
    return SELSNAP_OK;
}
