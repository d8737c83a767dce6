/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See repair.h. Preserved blocks, run by run: entries that somebody needs keep their epochs and extents. Of an extent
 * with damaged copies the sound parts are kept, as smaller extents, and the rest is lost, all under the same epoch: so
 * whoever resolved to it still does.
 */
#include "repair.h"

#include "checksum.h"
#include "designation.h"
#include "needed.h"

#include <string.h>

/* An entry being copied. */
struct copying {
    uint64_t run;
    unsigned first; /* block in the run */
    unsigned blocks;
    uint64_t epoch;
    const uint8_t *value;
    uint64_t from; /* place in the damaged store */
    uint64_t to;   /* place in the new one */
    struct ssn_runbits bad;
};

unsigned ssn_repair_run_blocks(const struct ssn_repair *repair, uint64_t run) {
    return (unsigned)ssn_min_u64(SSN_RUN_BLOCKS, repair->old.block_count - run * SSN_RUN_BLOCKS);
}

/* ---- the data ---- */

/* A block whose copy is bad may still stand on the origin; the checksum tells. */
static bool mend(struct ssn_repair *repair, const struct copying *copying, unsigned i, uint8_t *buf) {
    struct selsnap *old = &repair->old;
    uint64_t checksum = ssn_entry_checksum(copying->value, i);
    uint64_t block = copying->run * SSN_RUN_BLOCKS + copying->first + i;
    int rc = ssn_store_read_data(old->store, copying->from + (uint64_t)i * old->block_pages, buf, old->block_bytes);
    if (rc == SELSNAP_OK && ssn_checksum(buf, old->block_bytes) == checksum) {
        return true; /* it was read together with others, of which one failed */
    }
    return ssn_origin_read_blocks(old, block, 1, buf) == SELSNAP_OK && ssn_checksum(buf, old->block_bytes) == checksum;
}

/* Reads, verifies and writes blocks [i, i + n) of the entry. */
static int copy_part(struct ssn_repair *repair, struct copying *copying, unsigned i, unsigned n) {
    struct selsnap *old = &repair->old;
    size_t len = (size_t)n * old->block_bytes;
    int rc = ssn_store_read_data(old->store, copying->from + (uint64_t)i * old->block_pages, repair->buf, len);
    for (unsigned j = 0; rc == SELSNAP_OK && j < n; j++) {
        uint8_t *buf = repair->buf + (size_t)j * old->block_bytes;
        bool good = ssn_checksum(buf, old->block_bytes) == ssn_entry_checksum(copying->value, i + j) ||
                    mend(repair, copying, i + j, buf);
        if (!good) {
            ssn_runbits_set(&copying->bad, i + j);
        }
    }
    return rc == SELSNAP_OK
               ? ssn_store_write_data(repair->fresh.store, copying->to + (uint64_t)i * repair->fresh.block_pages,
                                      repair->buf, len)
               : rc;
}

/* ---- the records ---- */

/* The largest aligned part from i on that is sound, or lost, throughout. */
static unsigned same_part(const struct copying *copying, unsigned i) {
    bool bad = ssn_runbits_get(&copying->bad, i);
    unsigned n = 1;
    while (i % (2 * n) == 0 && i + 2 * n <= copying->blocks) {
        for (unsigned j = i + n; j < i + 2 * n; j++) {
            if (ssn_runbits_get(&copying->bad, j) != bad) {
                return n;
            }
        }
        n *= 2;
    }
    return n;
}

static int put_part(struct ssn_repair *repair, const struct copying *copying, unsigned i, unsigned n) {
    uint8_t value[SSN_VALUE_MAX];
    uint64_t sums[SSN_EXTENT_BLOCKS_MAX];
    bool bad = ssn_runbits_get(&copying->bad, i);
    struct ssn_entry_record record = {bad ? SSN_ENTRY_LOST_DAMAGE : SSN_ENTRY_DATA, 0};
    record.place = bad ? 0 : copying->to + (uint64_t)i * repair->fresh.block_pages;
    for (unsigned j = 0; j < n; j++) {
        sums[j] = ssn_entry_checksum(copying->value, i + j);
    }
    unsigned level = 0;
    while (1u << level < n) {
        level++;
    }
    uint64_t major = ssn_entry_major(copying->run, level, (copying->first + i) >> level);
    struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, major, copying->epoch);
    int rc = ssn_repair_put(repair, &key, value, ssn_entry_record_encode(value, &record, bad ? NULL : sums, n));
    uint32_t pages = n * repair->fresh.block_pages;
    if (rc == SELSNAP_OK && !bad) {
        ssn_txn_take(&repair->txn, record.place, pages);
    } else if (rc == SELSNAP_OK) {
        ssn_store_untake(repair->fresh.store, copying->to + (uint64_t)i * repair->fresh.block_pages, pages);
    }
    repair->any_lost = repair->any_lost || bad;
    repair->result.blocks_lost += bad ? n : 0;
    repair->result.blocks_salvaged += bad ? 0 : n;
    return rc;
}

static int copy_entry(struct ssn_repair *repair, const struct ssn_item *item, uint64_t place, bool *ret_bad) {
    struct copying copying = {
        .run = ssn_entry_run(item->key.major),
        .first = ssn_entry_first(item->key.major),
        .blocks = ssn_entry_blocks(item->key.major),
        .epoch = item->key.minor,
        .value = item->value,
        .from = place,
        .bad = ssn_runbits_none(),
    };
    int rc = ssn_repair_take(repair, copying.blocks, &copying.to);
    unsigned most = repair->old.chunk_blocks;
    for (unsigned i = 0; rc == SELSNAP_OK && i < copying.blocks;) {
        unsigned n = copying.blocks - i < most ? copying.blocks - i : most;
        rc = copy_part(repair, &copying, i, n);
        i += n;
    }
    for (unsigned i = 0; rc == SELSNAP_OK && i < copying.blocks;) {
        unsigned n = same_part(&copying, i);
        rc = put_part(repair, &copying, i, n);
        i += n;
    }
    *ret_bad = *ret_bad || ssn_runbits_any(&copying.bad);
    return rc;
}

/* ---- a run ---- */

/* The first entry at or after the key that belongs to the run. SELSNAP_ENOENT. */
static int entry_of_run(struct ssn_repair *repair, uint64_t run, const struct ssn_key *key, struct ssn_item *ret_item) {
    int rc = ssn_store_seek(repair->old.store, key, ret_item);
    bool there = rc == SELSNAP_OK && ret_item->key.type == SSN_ITEM_ENTRY && ssn_entry_run(ret_item->key.major) == run;
    return rc == SELSNAP_OK && !there ? SELSNAP_ENOENT : rc;
}

/* Entries that make no sense become gaps, so that nothing below meets one. *ret_any: there are others. */
static int check_run(struct ssn_repair *repair, uint64_t run, bool *ret_any) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, run << 12, 0);
    struct ssn_item item;
    int rc;
    *ret_any = false;
    while ((rc = entry_of_run(repair, run, &key, &item)) == SELSNAP_OK) {
        struct ssn_entry_record record;
        bool good =
            ssn_entry_record_decode(item.key.major, item.value, item.len, &record) && item.key.minor > 0 &&
            item.key.minor < ssn_store_next_epoch(repair->old.store) &&
            ssn_entry_first(item.key.major) + ssn_entry_blocks(item.key.major) <= ssn_repair_run_blocks(repair, run);
        rc = good ? SELSNAP_OK : ssn_store_add_gap(repair->old.store, &item.key);
        *ret_any = *ret_any || good;
        key = item.key;
        if (rc != SELSNAP_OK || !ssn_key_after(&key)) {
            return rc;
        }
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

static int copy_run(struct ssn_repair *repair, uint64_t run, bool *ret_bad) {
    struct selsnap *old = &repair->old;
    struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, run << 12, 0);
    struct ssn_item item;
    int rc;
    while ((rc = entry_of_run(repair, run, &key, &item)) == SELSNAP_OK) {
        struct ssn_entry_record record = {SSN_ENTRY_NONE, 0};
        bool any = false;
        bool data = false;
        rc = ssn_extent_needed_walking(old, &old->due.needed, item.key.major, item.key.minor, 0, &any, &data);
        if (rc == SELSNAP_OK && any) {
            (void)ssn_entry_record_decode(item.key.major, item.value, item.len, &record);
        }
        if (record.kind == SSN_ENTRY_DATA) {
            rc = copy_entry(repair, &item, record.place, ret_bad);
        } else if (record.kind != SSN_ENTRY_NONE) {
            rc = ssn_repair_put(repair, &item.key, item.value, item.len);
            repair->any_lost = repair->any_lost || ssn_entry_is_lost(record.kind);
            repair->result.blocks_salvaged += record.kind == SSN_ENTRY_ZERO ? ssn_entry_blocks(item.key.major) : 0;
        }
        key = item.key;
        if (rc != SELSNAP_OK || !ssn_key_after(&key)) {
            return rc;
        }
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

static int do_run(struct ssn_repair *repair, uint64_t run) {
    bool any = false;
    bool bad = false;
    uint64_t lost = repair->result.blocks_lost;
    int rc = check_run(repair, run, &any);
    rc = rc == SELSNAP_OK && any ? copy_run(repair, run, &bad) : rc;
    if (rc == SELSNAP_OK && ssn_repair_doubtful(repair, run)) {
        rc = ssn_repair_commit(repair);
        rc = rc == SELSNAP_OK ? ssn_repair_doubt(repair, run, any) : rc;
    }
    if (rc == SELSNAP_OK && any && repair->result.blocks_lost > lost) {
        rc = ssn_repair_commit(repair);
        rc = rc == SELSNAP_OK ? ssn_repair_tell_run(repair, run) : rc;
    }
    return rc;
}

/* The first run from `from` on that some snapshot designates blocks of; UINT64_MAX: none. */
static int next_designated(struct ssn_repair *repair, uint64_t from, uint64_t *ret_run) {
    struct ssn_catalogue *catalogue = &repair->old.catalogue;
    *ret_run = UINT64_MAX;
    for (size_t i = 0; i<catalogue->group_count && * ret_run> from; i++) {
        const struct ssn_group *group = catalogue->groups[i];
        struct ssn_block_range range;
        int rc = group->member_count == 0
                     ? SELSNAP_ENOENT
                     : ssn_designation_next_range(&repair->old, group->id, group->whole, from * SSN_RUN_BLOCKS, &range);
        if (rc == SELSNAP_OK) {
            *ret_run = ssn_min_u64(*ret_run, range.first / SSN_RUN_BLOCKS);
        } else if (rc != SELSNAP_ENOENT) {
            return rc;
        }
    }
    return SELSNAP_OK;
}

/* The first run from `from` on that has entries, or may have had. */
static int next_run(struct ssn_repair *repair, uint64_t from, uint64_t *ret_run) {
    struct ssn_key key = ssn_key_make(SSN_ITEM_ENTRY, from << 12, 0);
    struct ssn_item item;
    struct ssn_gap gap;
    uint64_t unknown = UINT64_MAX;
    if (repair->cut) {
        return next_designated(repair, from, ret_run);
    }
    if (ssn_store_next_gap(repair->old.store, &key, &gap) && gap.low.type <= SSN_ITEM_ENTRY) {
        unknown = gap.low.type < SSN_ITEM_ENTRY ? from : ssn_max_u64(ssn_entry_run(gap.low.major), from);
        /* Of runs that may have had entries, those count that somebody designates. */
        int rc = next_designated(repair, unknown, &unknown);
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    int rc = ssn_store_seek(repair->old.store, &key, &item);
    if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
        return rc;
    }
    bool known = rc == SELSNAP_OK && item.key.type == SSN_ITEM_ENTRY;
    *ret_run = ssn_min_u64(unknown, known ? ssn_entry_run(item.key.major) : UINT64_MAX);
    return SELSNAP_OK;
}

static int tell_progress(struct ssn_repair *repair, uint64_t done) {
    selsnap_progress_fn progress = repair->options->progress;
    bool stop = repair->unheard ||
                (progress != NULL && progress(repair->options->progress_user, done, repair->old.extent_bytes) != 0);
    return stop ? SELSNAP_ECANCELED : SELSNAP_OK;
}

int ssn_repair_entries(struct ssn_repair *repair) {
    uint64_t runs = ssn_div_up(repair->old.block_count, SSN_RUN_BLOCKS);
    uint64_t run = 0;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && run < runs) {
        rc = tell_progress(repair, (run * SSN_RUN_BLOCKS) << repair->old.block_shift);
        rc = rc == SELSNAP_OK ? next_run(repair, run, &run) : rc;
        if (rc == SELSNAP_OK && run < runs) {
            rc = do_run(repair, run);
            run++;
        }
    }
    return rc == SELSNAP_OK ? tell_progress(repair, repair->old.extent_bytes) : rc;
}
