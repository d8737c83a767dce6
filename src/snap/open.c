/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See open.h. Opening, in order: the store's facts against the devices; superblock and journal into memory; the last
 * batch's data; a new incarnation; the lists. Memory is shared out by fixed parts of the limit: a quarter each for tree
 * pages and for changes not yet folded, an eighth each for need bits and for buffers; the rest is for lists and
 * transactions.
 */
#include "open.h"

#include "clock.h"
#include "deferred.h"
#include "designation.h"
#include "heal.h"
#include "quotas.h"
#include "reclaim.h"
#include "restore.h"
#include "snapshot.h"
#include "superblock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint64_t MEMORY_DEFAULT = UINT64_C(64) << 20;
static const uint64_t MEMORY_LEAST = UINT64_C(4) << 20;
enum { CHUNK_BYTES = 1 << 20 };

void ssn_copy_message(struct ssn_report *report, char *ret_message, uint64_t size) {
    if (ret_message != NULL && size > 0) {
        (void)ssn_report_last(report, ret_message, size > SSN_REPORT_TEXT ? SSN_REPORT_TEXT : (size_t)size);
    }
}

/* ---- format ---- */

static int check_format(struct ssn_report *report, selsnap_device *store, selsnap_device *origin,
                        const selsnap_format_options *options, uint32_t block_bytes) {
    if (!ssn_is_power_of_2(block_bytes) || block_bytes < SELSNAP_BLOCK_SIZE_MIN ||
        block_bytes > SELSNAP_BLOCK_SIZE_MAX || block_bytes < origin->info.logical_block_bytes) {
        return ssn_fail(report, SELSNAP_EINVAL,
                        "the block size is a power of two from %u to %u, not less than the origin's logical block "
                        "(%" PRIu32 "); not %" PRIu32,
                        SELSNAP_BLOCK_SIZE_MIN, SELSNAP_BLOCK_SIZE_MAX, origin->info.logical_block_bytes, block_bytes);
    }
    if (ssn_device_size(origin) == 0 || store->info.logical_block_bytes > SSN_PAGE_SIZE) {
        return ssn_fail(report, SELSNAP_EINVAL, "the origin is empty, or the store's logical block is above %d bytes",
                        SSN_PAGE_SIZE);
    }
    if (options->origin_hint != NULL && strlen(options->origin_hint) > SELSNAP_ORIGIN_HINT_MAX) {
        return ssn_fail(report, SELSNAP_ELIMIT, "an origin hint has at most %d bytes", SELSNAP_ORIGIN_HINT_MAX);
    }
    if ((options->flags & SELSNAP_FORMAT_ALLOW_OVERLAP) == 0 && ssn_device_overlap(store, origin)) {
        return ssn_fail(report, SELSNAP_EOVERLAP,
                        "store and origin are the same storage: preserving would overwrite "
                        "what it protects");
    }
    return SELSNAP_OK;
}

static int format_store(struct ssn_report *report, selsnap_device *store, selsnap_device *origin,
                        const selsnap_format_options *options) {
    struct ssn_store_facts facts;
    memset(&facts, 0, sizeof facts);
    facts.block_bytes = options->block_bytes == 0 ? SELSNAP_BLOCK_SIZE_MIN : options->block_bytes;
    if (options->block_bytes == 0 && facts.block_bytes < origin->info.logical_block_bytes) {
        facts.block_bytes = origin->info.logical_block_bytes;
    }
    facts.origin_bytes = ssn_device_size(origin);
    facts.identity_known = ssn_device_identity(origin, facts.origin_identity);
    facts.journal_bytes = options->journal_bytes;
    int rc = check_format(report, store, origin, options, facts.block_bytes);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (options->origin_hint != NULL) {
        (void)snprintf(facts.origin_hint, sizeof facts.origin_hint, "%s", options->origin_hint);
    }
    rc = ssn_device_lock(store, true);
    if (rc != SELSNAP_OK) {
        return ssn_fail(report, rc, "the store is in use by another opener");
    }
    rc = ssn_store_format(store, report, &facts, (options->flags & SELSNAP_FORMAT_OVERWRITE) != 0);
    ssn_device_unlock(store);
    return rc;
}

int ssn_context_format(selsnap_device *store, selsnap_device *origin, const selsnap_format_options *options) {
    struct ssn_report report;
    int rc = ssn_report_init(&report);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    rc = format_store(&report, store, origin, options);
    if (rc != SELSNAP_OK) {
        ssn_copy_message(&report, options->ret_message, options->message_size);
    }
    ssn_report_fini(&report);
    return rc;
}

/* ---- opening ---- */

static int lock_devices(struct selsnap *ss) {
    int rc = ssn_device_lock(ss->store_device, !ss->read_only);
    ss->store_locked = rc == SELSNAP_OK;
    if (rc == SELSNAP_OK) {
        rc = ssn_device_lock(ss->origin, !ss->read_only);
        ss->origin_locked = rc == SELSNAP_OK;
    }
    return rc == SELSNAP_OK
               ? rc
               : ssn_fail(&ss->report, rc, "the %s is in use by another opener", ss->store_locked ? "origin" : "store");
}

static void unlock_devices(struct selsnap *ss) {
    if (ss->origin_locked) {
        ssn_device_unlock(ss->origin);
    }
    if (ss->store_locked) {
        ssn_device_unlock(ss->store_device);
    }
}

static int check_devices(struct selsnap *ss, uint32_t flags) {
    if ((flags & SELSNAP_OPEN_ALLOW_OVERLAP) == 0 && ssn_device_overlap(ss->store_device, ss->origin)) {
        return ssn_fail(&ss->report, SELSNAP_EOVERLAP, "store and origin are the same storage");
    }
    bool writable = ((ss->store_device->info.flags | ss->origin->info.flags) & (uint32_t)SELSNAP_DEVICE_READ_ONLY) == 0;
    if (!ss->read_only && !writable) {
        return ssn_fail(&ss->report, SELSNAP_EREADONLY, "the store or the origin cannot be written; open read-only");
    }
    return SELSNAP_OK;
}

/*
 * A longer device may be one that was about to grow when the process ended, or that somebody made longer: its first
 * bytes are the origin. By its size alone another device would be told no more, so something else has to speak for it.
 */
static bool size_allowed(struct selsnap *ss, const struct ssn_store_facts *facts, uint32_t flags) {
    uint8_t identity[SELSNAP_IDENTITY_SIZE];
    uint64_t size = ssn_device_size(ss->origin);
    bool same = facts->identity_known && ssn_device_identity(ss->origin, identity) &&
                memcmp(identity, facts->origin_identity, sizeof identity) == 0;
    return (size >= facts->origin_bytes && size <= facts->extent_bytes) || /* it may not have been cut yet */
           (size > facts->origin_bytes && (same || !facts->was_clean || (flags & SELSNAP_OPEN_LONGER_ORIGIN) != 0));
}

/* Whether this is the origin that the store was made for, as it was left. */
int ssn_context_check_origin(struct selsnap *ss, const struct ssn_store_facts *facts, uint32_t flags) {
    uint8_t identity[SELSNAP_IDENTITY_SIZE];
    uint64_t mark;
    if (!size_allowed(ss, facts, flags)) {
        return ssn_fail(&ss->report, SELSNAP_EORIGIN,
                        "the origin has %" PRIu64 " bytes; the store was made for one of "
                        "%" PRIu64,
                        ssn_device_size(ss->origin), facts->origin_bytes);
    }
    bool differs = facts->identity_known && ssn_device_identity(ss->origin, identity) &&
                   memcmp(identity, facts->origin_identity, sizeof identity) != 0;
    if (differs && (flags & SELSNAP_OPEN_OTHER_ORIGIN) == 0) {
        return ssn_fail(&ss->report, SELSNAP_EORIGIN,
                        "the store was made for another origin%s%s; if this one has the same content, say so to go on",
                        facts->origin_hint[0] != '\0' ? ": " : "", facts->origin_hint);
    }
    if ((flags & SELSNAP_OPEN_ORIGIN_CHANGED) != 0) {
        return SELSNAP_OK;
    }
    if (facts->abandoned) {
        return ssn_fail(&ss->report, SELSNAP_ECHANGED,
                        "the store was abandoned: the origin was written without "
                        "preserving; say that it has changed to go on");
    }
    bool marked = facts->was_clean && facts->mark_known && !differs && ssn_device_change_mark(ss->origin, &mark);
    if (marked && mark != facts->change_mark) {
        return ssn_fail(&ss->report, SELSNAP_ECHANGED,
                        "the origin was changed outside the library since the store was closed; blocks changed there "
                        "are lost to the snapshots that share them; say that it has changed to go on");
    }
    return SELSNAP_OK;
}

int ssn_context_set_sizes(struct selsnap *ss, const struct ssn_store_facts *facts) {
    ss->block_bytes = facts->block_bytes;
    while (UINT32_C(1) << ss->block_shift < ss->block_bytes) {
        ss->block_shift++;
    }
    ss->block_pages = ss->block_bytes / SSN_PAGE_SIZE;
    ss->origin_bytes = facts->origin_bytes;
    ss->extent_bytes = facts->extent_bytes;
    ss->block_count = ssn_div_up(ss->extent_bytes, ss->block_bytes);
    ss->chunk_blocks = CHUNK_BYTES / ss->block_bytes;
    ss->chunk_blocks = ss->chunk_blocks > SSN_RUN_BLOCKS ? SSN_RUN_BLOCKS : ss->chunk_blocks;
    if (ss->block_bytes < ss->origin->info.logical_block_bytes) {
        return ssn_fail(&ss->report, SELSNAP_EORIGIN,
                        "the origin's logical block (%" PRIu32 " bytes) is larger than the store's block (%" PRIu32 ")",
                        ss->origin->info.logical_block_bytes, ss->block_bytes);
    }
    if (ss->deferred_bytes > 0 && ss->deferred_bytes < ss->block_bytes) {
        return ssn_fail(&ss->report, SELSNAP_EINVAL,
                        "to keep writes in memory, there must be room for one block of %" PRIu32, ss->block_bytes);
    }
    uint64_t kept = ssn_deferred_memory(ssn_min_u64(ss->deferred_bytes, UINT64_MAX / 4));
    uint64_t least = MEMORY_LEAST + 3 * facts->journal_bytes + kept;
    if (ss->mem.limit < least) {
        return ssn_fail(&ss->report, SELSNAP_EMEMLIMIT,
                        "the memory limit of %" PRIu64 " bytes is below what this store needs: %" PRIu64, ss->mem.limit,
                        least);
    }
    ss->mem.limit -= kept; /* shares are parts of the rest */
    return SELSNAP_OK;
}

/* Waiting places and pools. What was made is undone by fini_parts, by the count of `parts`. */
static int init_parts(struct selsnap *ss, unsigned *parts) {
    uint64_t buffer_bytes = (uint64_t)ss->chunk_blocks * ss->block_bytes;
    int rc = ssn_catalogue_init(&ss->catalogue, &ss->mem);
    *parts += rc == SELSNAP_OK;
    rc = rc == SELSNAP_OK ? ssn_gate_init(&ss->gate) : rc;
    *parts += rc == SELSNAP_OK;
    rc = rc == SELSNAP_OK ? ssn_claims_init(&ss->claims) : rc;
    *parts += rc == SELSNAP_OK;
    rc = rc == SELSNAP_OK ? ssn_buffers_init(&ss->buffers, &ss->mem, (size_t)buffer_bytes,
                                             (unsigned)ssn_min_u64(64, ss->mem.limit / 8 / buffer_bytes))
                          : rc;
    *parts += rc == SELSNAP_OK;
    rc = rc == SELSNAP_OK ? ssn_need_init(&ss->need, &ss->mem, ss->block_count, ss->mem.limit / 8) : rc;
    *parts += rc == SELSNAP_OK;
    if (rc == SELSNAP_OK && ss->deferred_bytes > 0) {
        rc = ssn_deferred_open(&ss->mem, ss->deferred_bytes, ss->block_bytes, &ss->deferred);
    }
    if (rc != SELSNAP_OK) {
        return ssn_fail(&ss->report, rc, "the memory limit of %" PRIu64 " bytes is too small for this origin",
                        ss->mem.limit);
    }
    return rc;
}

static void fini_parts(struct selsnap *ss, unsigned parts) {
    ssn_deferred_close(ss->deferred);
    if (parts >= 5) {
        ssn_need_fini(&ss->need);
    }
    if (parts >= 4) {
        ssn_buffers_fini(&ss->buffers);
    }
    if (parts >= 3) {
        ssn_claims_fini(&ss->claims);
    }
    if (parts >= 2) {
        ssn_gate_fini(&ss->gate);
    }
    if (parts >= 1) {
        ssn_restore_fini(ss);
        ssn_catalogue_fini(&ss->catalogue);
    }
}

/* A counter must never begin again at zero. The factor: what the check finds nothing wrong with opens again, always. */
int ssn_context_check_counters(struct selsnap *ss) {
    uint64_t epoch = ssn_store_next_epoch(ss->store);
    uint64_t id = ssn_store_next_id(ss->store);
    if (epoch > 2 * SSN_COUNTER_MAX || id > 2 * SSN_COUNTER_MAX) {
        return ssn_fail(&ss->report, SELSNAP_EDAMAGED,
                        "the next epoch is said to be %" PRIu64 ", the next id %" PRIu64 ": no store comes that far",
                        epoch, id);
    }
    return SELSNAP_OK;
}

/*
 * Replay, lists, the last batch's data, a new incarnation: in this order, and nothing is written before the third.
 * Damage is told by the first two; whatever damage is met later is passed by.
 */
static int open_store(struct selsnap *ss, struct ssn_replayed *replayed) {
    struct ssn_store_params params = {
        .device = ss->store_device,
        .mem = &ss->mem,
        .report = &ss->report,
        .read_only = ss->read_only,
        .cache_bytes = ss->mem.limit / 4,
        .replay = ssn_replayed_note,
        .replay_user = replayed,
        .rewrite = ssn_heal_rewrite,
        .rewrite_user = ss,
    };
    int rc = ssn_store_open(&params, &ss->store);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    ssn_store_raise_epoch(ss->store, replayed->epoch);
    ssn_store_raise_id(ss->store, replayed->id);
    rc = ssn_context_check_counters(ss);
    rc = rc == SELSNAP_OK ? ssn_catalogue_load(ss) : rc;
    rc = rc == SELSNAP_OK ? ssn_reclaim_load(ss) : rc;
    rc = rc == SELSNAP_OK ? ssn_quota_load(ss) : rc;
    rc = rc == SELSNAP_OK ? ssn_heal_tail(ss, replayed) : rc;
    if (rc == SELSNAP_OK && !ss->read_only) {
        rc = ssn_store_activate(ss->store);
        rc = rc == SELSNAP_OK ? ssn_heal_drop_unneeded(ss, replayed) : rc;
    }
    return rc;
}

static int open_all(struct selsnap *ss, uint32_t flags, unsigned *parts) {
    struct ssn_store_facts facts;
    int rc = check_devices(ss, flags);
    rc = rc == SELSNAP_OK ? lock_devices(ss) : rc;
    rc = rc == SELSNAP_OK ? ssn_store_peek(ss->store_device, &ss->report, &facts) : rc;
    rc = rc == SELSNAP_EIO ? SELSNAP_ESTORE : rc;
    rc = rc == SELSNAP_OK ? ssn_context_check_origin(ss, &facts, flags) : rc;
    rc = rc == SELSNAP_OK ? ssn_context_set_sizes(ss, &facts) : rc;
    rc = rc == SELSNAP_OK ? init_parts(ss, parts) : rc;
    struct ssn_replayed replayed = {&ss->mem, 1, 1, NULL, 0, 0};
    rc = rc == SELSNAP_OK ? open_store(ss, &replayed) : rc;
    ssn_replayed_fini(&replayed);
    if (rc == SELSNAP_OK) {
        ssn_designation_count_due(ss);
        ssn_need_raise(&ss->need, ssn_store_next_epoch(ss->store) - 1);
        ssn_log(&ss->report, SELSNAP_LOG_INFO, "opened: %zu snapshots, %zu restores to finish",
                ss->catalogue.snap_count, ss->catalogue.job_count);
    }
    return rc;
}

/* The context's own memory is counted like all other; the count moves into it. */
static struct selsnap *make_context(const selsnap_open_options *options) {
    struct ssn_mem mem;
    ssn_mem_init(&mem, &options->allocator, options->memory_limit == 0 ? MEMORY_DEFAULT : options->memory_limit);
    struct selsnap *ss = ssn_calloc(&mem, 1, sizeof *ss);
    if (ss == NULL) {
        return NULL;
    }
    if (ssn_report_init(&ss->report) != SELSNAP_OK || pthread_mutex_init(&ss->admin, NULL) != 0) {
        ssn_free(&mem, ss);
        return NULL;
    }
    (void)pthread_mutex_init(&ss->step, NULL);
    ss->opened_ns = ssn_monotonic_ns();
    ssn_mem_init(&ss->mem, &mem.allocator, mem.limit);
    atomic_store(&ss->mem.current, atomic_load(&mem.current));
    atomic_store(&ss->mem.peak, atomic_load(&mem.peak));
    ss->report.log = options->log;
    ss->report.log_user = options->log_user;
    ss->report.event = options->event;
    ss->report.event_user = options->event_user;
    ss->read_only = (options->flags & SELSNAP_OPEN_READ_ONLY) != 0;
    ss->deferred_bytes = ss->read_only ? 0 : options->deferred_bytes;
    /* Blocks taken ahead may have pending data; and a drain makes as little of many writes. */
    ss->ahead.on = (options->flags & SELSNAP_OPEN_NO_AHEAD) == 0 && ss->deferred_bytes == 0;
    return ss;
}

static void free_context(struct selsnap *ss, unsigned parts) {
    fini_parts(ss, parts);
    unlock_devices(ss);
    pthread_mutex_destroy(&ss->step);
    pthread_mutex_destroy(&ss->admin);
    ssn_report_fini(&ss->report);
    struct ssn_mem mem;
    ssn_mem_init(&mem, &ss->mem.allocator, 0);
    atomic_store(&mem.current, atomic_load(&ss->mem.current));
    ssn_free(&mem, ss);
}

enum { ALL_PARTS = 5 };

int ssn_context_open(selsnap_device *store, selsnap_device *origin, const selsnap_open_options *options,
                     selsnap **ret_ss) {
    struct selsnap *ss = make_context(options);
    if (ss == NULL) {
        return SELSNAP_ENOMEM;
    }
    ss->origin = origin;
    ss->store_device = store;
    unsigned parts = 0;
    int rc = open_all(ss, options->flags, &parts);
    if (rc != SELSNAP_OK) {
        ssn_copy_message(&ss->report, options->ret_message, options->message_size);
        if (ss->store != NULL) {
            (void)ssn_store_close(ss->store, false, false, 0);
        }
        free_context(ss, parts);
        return rc;
    }
    *ret_ss = ss;
    return SELSNAP_OK;
}

/* ---- closing ---- */

static bool any_view(struct selsnap *ss) {
    ssn_catalogue_read_lock(&ss->catalogue);
    bool any = false;
    for (size_t i = 0; i < ss->catalogue.snap_count; i++) {
        any = any || ss->catalogue.snaps[i]->views > 0;
    }
    ssn_catalogue_unlock(&ss->catalogue);
    return any;
}

/* What failed commits left undecided must not come back with the next open. Where the store still fails, it may. */
static void settle(struct selsnap *ss) {
    pthread_mutex_lock(&ss->admin);
    (void)ssn_snapshot_settle_doomed(ss);
    (void)ssn_restore_settle(ss);
    pthread_mutex_unlock(&ss->admin);
}

int ssn_context_close(selsnap *ss) {
    if (any_view(ss)) {
        return ssn_fail(&ss->report, SELSNAP_EBUSY, "views are open; close them first");
    }
    bool abandoned = atomic_load(&ss->abandoned);
    bool clean = !ss->read_only && !abandoned;
    uint64_t mark = 0;
    bool marked = false;
    int rc = SELSNAP_OK;
    if (clean) {
        settle(ss);
        rc = ssn_deferred_drain(ss);
        rc = rc == SELSNAP_OK ? ssn_restore_flush_origin(ss) : rc;
        clean = rc == SELSNAP_OK;
        marked = clean && ssn_device_change_mark(ss->origin, &mark);
    }
    rc = abandoned ? ssn_deferred_drain(ss) : rc;
    int closed = ssn_store_close(ss->store, clean, marked, mark);
    rc = rc == SELSNAP_OK ? closed : rc;
    free_context(ss, ALL_PARTS);
    return rc;
}

/* ---- the context as a whole ---- */

/* At the closed gate where writes may become pending: afterwards none does, and whoever passes finds those that have.
 */
static void set_abandoned(struct selsnap *ss) {
    if (ss->deferred != NULL) {
        ssn_gate_close(&ss->gate);
    }
    atomic_store(&ss->abandoned, true);
    if (ss->deferred != NULL) {
        ssn_gate_open(&ss->gate);
    }
}

int ssn_context_abandon(selsnap *ss) {
    pthread_mutex_lock(&ss->admin);
    /* The record comes first: after a crash between the two, a store that opens again must know what passed it by. */
    int rc = ss->read_only ? SELSNAP_EREADONLY : ssn_store_abandon(ss->store);
    set_abandoned(ss);
    ssn_log(&ss->report, SELSNAP_LOG_WARNING, "the store is abandoned: writes pass without preserving");
    int drained = ssn_deferred_drain(ss);
    pthread_mutex_unlock(&ss->admin);
    return rc != SELSNAP_OK ? rc : drained;
}

int ssn_context_freeze(selsnap *ss) {
    ssn_gate_close(&ss->gate);
    atomic_fetch_add(&ss->freezes, 1);
    return SELSNAP_OK;
}

int ssn_context_thaw(selsnap *ss) {
    uint64_t freezes = atomic_load(&ss->freezes);
    do {
        if (freezes == 0) {
            return ssn_fail(&ss->report, SELSNAP_EINVAL, "the context is not frozen");
        }
    } while (!atomic_compare_exchange_weak(&ss->freezes, &freezes, freezes - 1));
    ssn_gate_open(&ss->gate);
    return SELSNAP_OK;
}

static void count_stats(struct selsnap *ss, selsnap_stats *stats) {
    stats->blocks_preserved = atomic_load(&ss->count.blocks_preserved);
    stats->blocks_ahead = atomic_load(&ss->count.blocks_ahead);
    stats->blocks_zero = atomic_load(&ss->count.blocks_zero);
    stats->blocks_lost = atomic_load(&ss->count.blocks_lost);
    stats->clean_writes = ssn_gate_counted(&ss->gate);
    stats->preserving_writes = atomic_load(&ss->count.preserving_writes);
    stats->blocks_restored = atomic_load(&ss->count.blocks_restored);
    stats->gate_closed_ns_max = atomic_load(&ss->count.gate_closed_ns_max);
    stats->memory_bytes = ssn_mem_current(&ss->mem);
    stats->memory_peak_bytes = atomic_load(&ss->mem.peak);
    stats->memory_limit_bytes = ss->mem.limit;
    if (ss->deferred != NULL) {
        uint64_t kept = ssn_mem_current(&ss->deferred->mem);
        stats->memory_bytes += kept;
        stats->memory_peak_bytes += kept;
        stats->memory_limit_bytes += ssn_deferred_memory(ss->deferred_bytes);
        stats->deferred_bytes = atomic_load(&ss->deferred->count) * ss->block_bytes;
    }
}

void ssn_context_stats(selsnap *ss, selsnap_stats *ret_stats) {
    const struct ssn_store_facts *facts = ssn_store_get_facts(ss->store);
    struct ssn_store_stats store;
    ssn_store_get_stats(ss->store, &store);
    memset(ret_stats, 0, sizeof *ret_stats);
    count_stats(ss, ret_stats);
    ret_stats->block_bytes = ss->block_bytes;
    ret_stats->origin_bytes = ss->origin_bytes;
    ret_stats->store_bytes = ssn_store_size_pages(ss->store) * SSN_PAGE_SIZE;
    ret_stats->store_used_bytes = store.used_bytes;
    ret_stats->store_free_bytes = store.free_bytes;
    ret_stats->store_pending_bytes = store.pending_bytes;
    ret_stats->journal_bytes = facts->journal_bytes;
    ret_stats->journal_used_bytes = store.journal_used_bytes;
    ret_stats->commits = store.commits;
    ret_stats->checkpoints = store.checkpoints;
    ret_stats->pages_read = store.pages_read;
    ret_stats->pages_written = store.pages_written;
    memcpy(ret_stats->store_id, facts->store_id, sizeof ret_stats->store_id);
    ret_stats->store_quota_bytes = store.quota_bytes;
    ret_stats->epoch = ssn_store_next_epoch(ss->store);
    ret_stats->reclaim_pending = ssn_reclaim_pending(ss);
    ssn_catalogue_read_lock(&ss->catalogue);
    for (size_t i = 0; i < ss->catalogue.snap_count; i++) {
        ret_stats->snapshots += ss->catalogue.snaps[i]->state == SSN_SNAP_LIVE;
    }
    ssn_catalogue_unlock(&ss->catalogue);
}
