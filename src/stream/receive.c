/* SPDX-License-Identifier: Apache-2.0 */
/* See receive.h. */
#include "receive.h"

#include "changes.h"
#include "designation.h"
#include "livedev.h"
#include "snapshot.h"
#include "streamin.h"

#include <inttypes.h>
#include <string.h>

enum { COMPARE_BYTES = 262144 };
#define NOTE_EVERY (UINT64_C(64) << 20)

struct receive {
    struct selsnap *ss;
    const selsnap_import_options *options;
    const char *name;
    struct ssn_stream_in in;
    selsnap_subset *subset; /* the stream's, in our blocks */
    selsnap_subset *kept;   /* what the new snapshot will have: without lost blocks */
    selsnap_subset *untold; /* NULL: nothing. What the base here does not have, so that the stream must tell it */
    uint64_t told_to;       /* our block: what untold has before it is told, or found lost */
    bool lossless;          /* the base here lost nothing */
    uint64_t safety;        /* id; 0: not made */
    struct ssn_received_record record; /* of the safety */
    struct ssn_stream_place done;
    struct ssn_stream_gauge gauge;
    uint8_t *now; /* what the device holds, to compare */
    uint64_t since_note;
    uint64_t written_bytes;
    bool any_lost;
    bool left; /* blocks hold the stream's content, and what they held before is lost */
};

/* ---- before anything is written ---- */

static int check_sizes(struct receive *receive) {
    struct selsnap *ss = receive->ss;
    const struct ssn_stream_header *header = receive->in.header;
    if (header->origin_bytes != ss->origin_bytes || header->block_bytes % ss->block_bytes != 0) {
        return ssn_fail(&ss->report, SELSNAP_ERANGE,
                        "the stream's origin has %" PRIu64 " bytes in blocks of %" PRIu32 ", this one %" PRIu64
                        " in blocks of %" PRIu32,
                        header->origin_bytes, header->block_bytes, ss->origin_bytes, ss->block_bytes);
    }
    int rc = ssn_subset_open(&ss->mem, ss->origin_bytes, ss->block_bytes, &receive->subset);
    uint64_t ratio = header->block_bytes / ss->block_bytes;
    for (size_t i = 0; rc == SELSNAP_OK && i < receive->in.subset->range_count; i++) {
        const struct ssn_block_range *range = &receive->in.subset->ranges[i];
        uint64_t first = range->first * ratio;
        uint64_t end = ssn_min_u64((range->first + range->count) * ratio, receive->subset->block_count);
        rc = ssn_subset_add_blocks(receive->subset, first, end - first);
    }
    return rc == SELSNAP_OK ? ssn_subset_clone(&ss->mem, receive->subset, &receive->kept) : rc;
}

static void fill_record(struct receive *receive) {
    const struct ssn_stream_header *header = receive->in.header;
    struct ssn_received_record *record = &receive->record;
    record->flags = (uint8_t)(header->flags & SSN_RECEIVED_FLAGS);
    memcpy(record->store_id, header->store_id, sizeof record->store_id);
    record->snapshot_id = header->snapshot_id;
    record->point = header->point;
    record->ranges_digest = header->ranges_digest;
}

/* How far it is, for one that can be gone on with. */
static void fill_place(struct receive *receive) {
    struct ssn_received_record *record = &receive->record;
    bool can = !receive->any_lost && receive->lossless;
    record->state = SSN_RECEIVED_UNFINISHED;
    record->key = can ? receive->done.key : 0;
    record->records = receive->done.records;
    record->next_block = receive->done.next_block;
    record->digest = receive->done.digest;
    record->data_blocks = receive->done.data_blocks;
    record->zero_blocks = receive->done.zero_blocks;
}

/* Blocks of the stream's subset that the base here does not have. */
static int load_untold(struct receive *receive, uint64_t base_id) {
    struct selsnap *ss = receive->ss;
    selsnap_subset *base = NULL;
    pthread_mutex_lock(&ss->admin);
    const struct ssn_snap *snap = ssn_catalogue_find(&ss->catalogue, base_id);
    int rc = snap != NULL ? ssn_designation_to_subset(ss, snap->group, receive->subset->device_bytes, &base) : SELSNAP_ENOENT;
    pthread_mutex_unlock(&ss->admin);
    rc = rc == SELSNAP_OK ? ssn_subset_clone(&ss->mem, receive->subset, &receive->untold) : rc;
    rc = rc == SELSNAP_OK ? ssn_subset_subtract(receive->untold, base) : rc;
    ssn_subset_close(base);
    return rc;
}

/* An increment: what it goes on from is here, and the device is as that was. */
static int check_base(struct receive *receive, bool compare) {
    struct selsnap *ss = receive->ss;
    const struct ssn_stream_header *header = receive->in.header;
    receive->lossless = true;
    if ((header->flags & SSN_STREAM_FLAG_INCREMENT) == 0) {
        return SELSNAP_OK;
    }
    struct ssn_received_record found;
    uint64_t id = 0;
    int rc = ssn_received_find_base(ss, header, &id, &found);
    if (rc == SELSNAP_ENOENT) {
        return ssn_fail(&ss->report, SELSNAP_EBASE,
                        "the stream goes on from snapshot %" PRIu64 " at point %" PRIu64
                        " of another store, which was not imported here",
                        header->base_snapshot_id, header->base_point);
    }
    rc = rc == SELSNAP_OK ? load_untold(receive, id) : rc;
    if (rc == SELSNAP_OK) {
        receive->lossless = found.lost_blocks == 0;
        receive->told_to = 0;
    }
    return rc == SELSNAP_OK && compare ? ssn_changes_none(ss, id, receive->subset) : rc;
}

static int check_name(struct receive *receive) {
    selsnap_snapshot_info info;
    memset(&info, 0, sizeof info);
    int rc = ssn_snapshot_find(receive->ss, receive->name, &info);
    if (rc == SELSNAP_OK) {
        return ssn_fail(&receive->ss->report, SELSNAP_EEXIST, "snapshot %" PRIu64 " has the name \"%s\"", info.id,
                        receive->name);
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

static int make_safety(struct receive *receive) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    struct ssn_snapshot_extra extra = {.holds = 1, .received = &receive->record};
    fill_place(receive);
    options.name = SSN_RECEIVE_SAFETY;
    options.policy = SELSNAP_POLICY_FAIL_WRITE;
    options.subset = receive->subset;
    return ssn_snapshot_create_with(receive->ss, &options, &extra, &receive->safety);
}

/* What was left by an import before. A stream that goes on needs it as it is; any other takes it back. */
static int settle_unfinished(struct receive *receive) {
    struct selsnap *ss = receive->ss;
    const struct ssn_stream_place *place = &receive->in.place;
    struct ssn_unfinished unfinished;
    bool whole = false;
    int rc = ssn_unfinished_find(ss, true, &unfinished, &whole);
    if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
        return rc;
    }
    bool any = rc == SELSNAP_OK;
    if (receive->in.resumed) {
        const struct ssn_received_record *record = &unfinished.record;
        bool fits = any && !whole && record->key == place->key && record->records == place->records &&
                    record->next_block == place->next_block && record->digest == place->digest &&
                    record->data_blocks == place->data_blocks && record->zero_blocks == place->zero_blocks &&
                    place->lost_blocks == 0;
        if (!fits) {
            return ssn_fail(&ss->report, SELSNAP_EBASE, "the stream goes on behind what has not arrived here");
        }
        receive->safety = unfinished.id;
        return SELSNAP_OK;
    }
    if (!any) {
        return SELSNAP_OK;
    }
    ssn_log(&ss->report, SELSNAP_LOG_WARNING, "an import was not finished: %s",
            whole ? "its snapshot is there" : "it is taken back first");
    return whole ? ssn_unfinished_drop(ss, unfinished.id) : ssn_unfinished_undo(ss, unfinished.id, NULL, NULL);
}

/* ---- writing ---- */

/* Blocks of ours, [first, first + count), that the new snapshot cannot have. */
static int lose(struct receive *receive, uint64_t first, uint64_t count) {
    if ((receive->options->flags & SELSNAP_IMPORT_SKIP_LOST) == 0) {
        return ssn_fail(&receive->ss->report, SELSNAP_ELOST, "%" PRIu64 " blocks from block %" PRIu64 " on are lost",
                        count, first);
    }
    receive->any_lost = true;
    return ssn_subset_remove_blocks(receive->kept, first, count);
}

/* Up to our block `first` all is told; those up to `end` are told now. */
static int tell_untold(struct receive *receive, uint64_t first, uint64_t end) {
    if (receive->untold == NULL) {
        return SELSNAP_OK;
    }
    uint64_t block = receive->told_to;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && block < first) {
        size_t index = ssn_subset_find(receive->untold, block);
        if (index == receive->untold->range_count || receive->untold->ranges[index].first >= first) {
            break;
        }
        const struct ssn_block_range *range = &receive->untold->ranges[index];
        block = ssn_max_u64(block, range->first);
        uint64_t count = ssn_min_u64(range->first + range->count, first) - block;
        rc = receive->lossless
                 ? ssn_fail(&receive->ss->report, SELSNAP_ESTREAM,
                            "the stream does not tell of block %" PRIu64 ", which its base does not have", block)
                 : lose(receive, block, count);
        block += count;
    }
    receive->told_to = end;
    return rc;
}

/* Writes what differs. bytes NULL: zeros. */
static int write_piece(struct receive *receive, uint64_t offset, uint64_t len, const uint8_t *bytes) {
    struct selsnap *ss = receive->ss;
    const selsnap_iovec now = {receive->now, (size_t)len};
    uint32_t block = ss->block_bytes;
    int rc = ssn_live_read(ss, &now, 1, offset, len);
    for (uint64_t at = 0; rc == SELSNAP_OK && at < len;) {
        uint64_t n = 0;
        bool differs = true;
        while (at + n < len && differs) {
            size_t one = (size_t)ssn_min_u64(block, len - at - n);
            differs = bytes != NULL ? memcmp(receive->now + at + n, bytes + at + n, one) != 0
                                    : !ssn_is_zero(receive->now + at + n, one);
            n += differs ? one : 0;
        }
        if (n > 0 && bytes == NULL) {
            rc = ssn_live_write_zeroes(ss, offset + at, n);
        } else if (n > 0) {
            /* The vector is for reads as well; nothing is written to what it names. */
            const selsnap_iovec iov = {(void *)(uintptr_t)(bytes + at), (size_t)n};
            rc = ssn_live_write(ss, &iov, 1, offset + at, n);
        }
        receive->written_bytes += rc == SELSNAP_OK ? n : 0;
        receive->since_note += n;
        at += n > 0 ? n : ssn_min_u64(block, len - at);
    }
    return rc;
}

static int apply_part(struct receive *receive, const struct ssn_stream_part *part) {
    struct selsnap *ss = receive->ss;
    const struct ssn_stream_header *header = receive->in.header;
    uint64_t offset = part->first * header->block_bytes;
    uint64_t end = ssn_min_u64((part->first + part->blocks) * header->block_bytes, ss->origin_bytes);
    uint64_t first_block = offset / ss->block_bytes;
    uint64_t end_block = ssn_div_up(end, ss->block_bytes);
    int rc = tell_untold(receive, first_block, end_block);
    if (rc != SELSNAP_OK || part->kind == SSN_STREAM_LOST) {
        return rc == SELSNAP_OK ? lose(receive, first_block, end_block - first_block) : rc;
    }
    uint64_t most = part->kind == SSN_STREAM_ZEROS ? ssn_max_u64(COMPARE_BYTES, header->block_bytes) : end - offset;
    const uint8_t *bytes = part->kind == SSN_STREAM_ZEROS ? NULL : part->bytes;
    while (rc == SELSNAP_OK && offset < end) {
        uint64_t len = ssn_min_u64(most, end - offset);
        rc = write_piece(receive, offset, len, bytes);
        offset += len;
    }
    return rc;
}

/* What was written is made durable, and then noted as arrived. */
static int note(struct receive *receive) {
    int rc = ssn_live_flush(receive->ss);
    if (rc == SELSNAP_OK) {
        fill_place(receive);
        rc = ssn_unfinished_note(receive->ss, receive->safety, &receive->record);
    }
    receive->since_note = 0;
    return rc;
}

static int tell_progress(struct receive *receive) {
    const selsnap_import_options *options = receive->options;
    if (options->progress == NULL) {
        return SELSNAP_OK;
    }
    uint64_t done = ssn_stream_gauge_at(&receive->gauge, receive->in.place.next_block);
    return options->progress(options->progress_user, done, receive->in.header->block_count) == 0
               ? SELSNAP_OK
               : ssn_fail(&receive->ss->report, SELSNAP_ECANCELED, "the import was stopped");
}

static int apply_all(struct receive *receive) {
    struct ssn_stream_part part;
    int rc = SELSNAP_OK;
    do {
        rc = ssn_stream_in_next(&receive->in, &part);
        if (rc == SELSNAP_OK && part.blocks > 0) {
            rc = apply_part(receive, &part);
        }
        if (rc == SELSNAP_OK) {
            receive->done = receive->in.place;
            rc = receive->since_note >= NOTE_EVERY ? note(receive) : SELSNAP_OK;
        }
        rc = rc == SELSNAP_OK ? tell_progress(receive) : rc;
    } while (rc == SELSNAP_OK && part.blocks > 0);
    return rc == SELSNAP_OK ? tell_untold(receive, receive->ss->block_count, receive->ss->block_count) : rc;
}

/* ---- the new snapshot ---- */

static int make_snapshot(struct receive *receive, uint64_t *ret_id) {
    const struct ssn_stream_header *header = receive->in.header;
    selsnap_property properties[SSN_STREAM_PROPERTIES_MAX];
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    struct ssn_received_record record = receive->record;
    struct ssn_snapshot_extra extra = {.received = &record};
    uint64_t ratio = header->block_bytes / receive->ss->block_bytes;
    record.state = SSN_RECEIVED_WHOLE;
    record.lost_blocks =
        ssn_div_up(ssn_subset_block_count(receive->subset) - ssn_subset_block_count(receive->kept), ratio);
    for (uint32_t i = 0; i < header->property_count; i++) {
        properties[i].key = header->properties[i].key;
        properties[i].value = header->properties[i].value;
    }
    options.name = receive->name;
    options.policy = receive->options->policy;
    options.subset = receive->kept;
    options.time_ns = header->time_ns;
    options.properties = properties;
    options.property_count = header->property_count;
    if (receive->kept->range_count == 0) {
        return ssn_fail(&receive->ss->report, SELSNAP_ELOST, "every block of the stream is lost");
    }
    int rc = ssn_snapshot_create_with(receive->ss, &options, &extra, ret_id);
    receive->record.lost_blocks = record.lost_blocks;
    return rc;
}

/* Takes back what was written, or keeps it for a stream that goes on. Keeps the first error. */
static int give_up(struct receive *receive, int rc, selsnap_stream_info *info) {
    struct selsnap *ss = receive->ss;
    char text[SSN_REPORT_TEXT];
    bool keep = (receive->options->flags & SELSNAP_IMPORT_KEEP_PART) != 0 && !receive->any_lost && receive->lossless;
    int code = ssn_report_last(&ss->report, text, sizeof text);
    int ended = keep ? note(receive) : ssn_unfinished_undo(ss, receive->safety, NULL, NULL);
    receive->left = ended == SELSNAP_ELOST;
    if (ended != SELSNAP_OK && code == rc) {
        return ssn_fail(&ss->report, rc, "%.300s; and what was written could not be %s", text,
                        keep ? "kept for going on" : "taken back");
    }
    if (ended == SELSNAP_OK && keep) {
        ssn_stream_token_make(&info->token, &receive->done);
    }
    if (code == rc) {
        (void)ssn_fail(&ss->report, rc, "%s", text);
    }
    return rc;
}

static int run(struct receive *receive, selsnap_stream_read_fn read, void *user, uint64_t *ret_id,
               selsnap_stream_info *info) {
    struct selsnap *ss = receive->ss;
    int rc = ssn_stream_in_open(&receive->in, read, user, &ss->mem, &ss->report);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    receive->name = receive->options->name != NULL ? receive->options->name : receive->in.header->name;
    receive->gauge.subset = receive->in.subset;
    receive->done = receive->in.place;
    receive->now = ssn_alloc(&ss->mem, (size_t)ssn_max_u64(COMPARE_BYTES, receive->in.header->block_bytes));
    rc = receive->now != NULL ? check_sizes(receive) : SELSNAP_ENOMEM;
    fill_record(receive);
    rc = rc == SELSNAP_OK ? settle_unfinished(receive) : rc;
    rc = rc == SELSNAP_OK ? ssn_changes_ready(ss) : rc;
    rc = rc == SELSNAP_OK ? check_name(receive) : rc;
    rc = rc == SELSNAP_OK ? check_base(receive, !receive->in.resumed) : rc;
    if (rc == SELSNAP_OK && !receive->in.resumed) {
        rc = make_safety(receive);
    }
    if (rc != SELSNAP_OK) {
        return rc;
    }
    receive->told_to = receive->done.next_block * (receive->in.header->block_bytes / ss->block_bytes);
    rc = apply_all(receive);
    rc = rc == SELSNAP_OK ? ssn_live_flush(ss) : rc;
    rc = rc == SELSNAP_OK ? make_snapshot(receive, ret_id) : rc;
    if (rc != SELSNAP_OK) {
        return give_up(receive, rc, info);
    }
    if (ssn_unfinished_drop(ss, receive->safety) != SELSNAP_OK) {
        ssn_log(&ss->report, SELSNAP_LOG_WARNING, "the import is done; its safety snapshot could not be deleted yet");
    }
    return SELSNAP_OK;
}

int ssn_receive_run(struct selsnap *ss, selsnap_stream_read_fn read, void *user, const selsnap_import_options *options,
                    uint64_t *ret_id, selsnap_stream_info *info) {
    struct receive receive = {.ss = ss, .options = options};
    int rc = ssn_receive_enter(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    rc = run(&receive, read, user, ret_id, info);
    ssn_stream_in_tell(&receive.in, info);
    if (receive.in.header != NULL) {
        info->written_blocks = ssn_div_up(receive.written_bytes, receive.in.header->block_bytes);
    }
    info->state = SELSNAP_STREAM_WHOLE;
    if (rc == SELSNAP_OK) {
        info->id.lost_blocks = receive.record.lost_blocks;
    } else {
        struct ssn_unfinished unfinished;
        bool whole;
        int left = ssn_unfinished_find(ss, false, &unfinished, &whole);
        info->state = left == SELSNAP_ENOENT && !receive.left ? SELSNAP_STREAM_NOTHING : SELSNAP_STREAM_PART;
    }
    ssn_subset_close(receive.subset);
    ssn_subset_close(receive.kept);
    ssn_subset_close(receive.untold);
    ssn_free(&ss->mem, receive.now);
    ssn_stream_in_fini(&receive.in);
    ssn_receive_leave(ss);
    return rc;
}
