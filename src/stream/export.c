/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See export.h. What is read is one view of the snapshot; the blocks are taken in pieces that end at multiples of a data
 * record's size, so that an export that goes on at the end of a record makes the same records as one that never stopped.
 */
#include "export.h"

#include "changes.h"
#include "designation.h"
#include "snapshot.h"
#include "streamin.h"
#include "streamout.h"
#include "view.h"

#include <inttypes.h>
#include <string.h>

enum { LEVEL_DEFAULT = 3 };

struct export {
    struct selsnap *ss;
    const selsnap_export_options *options;
    struct ssn_stream_header *header;
    selsnap_subset *subset;
    selsnap_view *view;
    struct ssn_stream_out out;
    struct ssn_stream_gauge gauge;
    uint32_t record_blocks;
    uint8_t *buf;
};

/* ---- what is exported ---- */

static int load_properties(struct selsnap *ss, uint64_t id, struct ssn_stream_header *header) {
    const char *after = "";
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && header->property_count < SSN_STREAM_PROPERTIES_MAX) {
        struct ssn_stream_property *property = &header->properties[header->property_count];
        rc = ssn_snapshot_next_property(ss, id, after, property->key, property->value);
        header->property_count += rc == SELSNAP_OK;
        after = property->key;
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

static int load_subset(struct export *export) {
    struct selsnap *ss = export->ss;
    const selsnap_subset *chosen = export->options->subset;
    pthread_mutex_lock(&ss->admin);
    const struct ssn_snap *snap = ssn_catalogue_find(&ss->catalogue, export->options->id);
    int rc = snap != NULL && snap->state == SSN_SNAP_LIVE
                 ? ssn_designation_to_subset(ss, snap->group, chosen != NULL ? chosen->device_bytes : 0, &export->subset)
                 : ssn_fail(&ss->report, SELSNAP_ENOENT, "there is no snapshot %" PRIu64, export->options->id);
    pthread_mutex_unlock(&ss->admin);
    if (rc == SELSNAP_OK && chosen != NULL) {
        rc = ssn_subset_intersect(export->subset, chosen);
        export->header->flags |= SELSNAP_STREAM_SOME;
        export->header->ranges_digest = ssn_stream_ranges_digest(chosen);
    }
    if (rc == SELSNAP_EINVAL || (rc == SELSNAP_OK && export->subset->range_count == 0)) {
        return ssn_fail(&ss->report, SELSNAP_EINVAL,
                        "the subset is of another device or block size, or has no block of the snapshot");
    }
    return rc;
}

static int load_base(struct export *export) {
    struct selsnap *ss = export->ss;
    struct ssn_stream_header *header = export->header;
    selsnap_snapshot_info info;
    if (export->options->base_id == 0) {
        return SELSNAP_OK;
    }
    memset(&info, 0, sizeof info);
    int rc = ssn_snapshot_info(ss, export->options->base_id, &info);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (info.point > header->point || info.id == header->snapshot_id) {
        return ssn_fail(&ss->report, SELSNAP_EINVAL, "the base, \"%s\", is not older than \"%s\"", info.name,
                        header->name);
    }
    if (info.origin_bytes != header->origin_bytes) {
        return ssn_fail(&ss->report, SELSNAP_EINVAL,
                        "the origin had another size at the base, \"%s\": a whole stream is needed", info.name);
    }
    header->flags |= SSN_STREAM_FLAG_INCREMENT;
    memcpy(header->base_store_id, header->store_id, sizeof header->base_store_id);
    header->base_snapshot_id = info.id;
    header->base_point = info.point;
    return SELSNAP_OK;
}

static int load(struct export *export) {
    struct selsnap *ss = export->ss;
    struct ssn_stream_header *header = export->header;
    selsnap_snapshot_info info;
    memset(&info, 0, sizeof info);
    int rc = ssn_snapshot_info(ss, export->options->id, &info);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    header->major = SSN_STREAM_MAJOR;
    header->minor = SSN_STREAM_MINOR;
    header->flags |= (export->options->flags & SELSNAP_EXPORT_AS_CHANGED) != 0 ? SELSNAP_STREAM_AS_CHANGED : 0;
    header->flags |= (export->options->flags & SELSNAP_EXPORT_SKIP_LOST) != 0 ? SELSNAP_STREAM_LOSSY : 0;
    header->block_bytes = ss->block_bytes;
    header->origin_bytes = info.origin_bytes;
    memcpy(header->store_id, ssn_store_get_facts(ss->store)->store_id, sizeof header->store_id);
    header->snapshot_id = info.id;
    header->point = info.point;
    header->time_ns = info.time_ns;
    memcpy(header->name, info.name, sizeof header->name);
    rc = load_properties(ss, info.id, header);
    rc = rc == SELSNAP_OK ? load_base(export) : rc;
    rc = rc == SELSNAP_OK ? load_subset(export) : rc;
    if (rc == SELSNAP_OK) {
        header->range_count = export->subset->range_count;
        header->block_count = ssn_subset_block_count(export->subset);
    }
    return rc;
}

/* ---- the blocks ---- */

/* The next blocks to tell at or behind `block`, all in one range of the subset. SELSNAP_ENOENT: no more. */
static int next_blocks(struct export *export, uint64_t block, struct ssn_block_range *ret_range) {
    if (export->header->base_snapshot_id != 0) {
        return ssn_changes_next(export->ss, export->options->base_id, export->options->id, export->subset, block,
                                ret_range);
    }
    size_t index = ssn_subset_find(export->subset, block);
    if (index == export->subset->range_count) {
        return SELSNAP_ENOENT;
    }
    const struct ssn_block_range *range = &export->subset->ranges[index];
    ret_range->first = ssn_max_u64(block, range->first);
    ret_range->count = range->first + range->count - ret_range->first;
    return SELSNAP_OK;
}

static int read_blocks(struct export *export, uint64_t first, uint64_t count, uint8_t *buf) {
    struct selsnap *ss = export->ss;
    uint64_t offset = ssn_offset_of(ss, first);
    uint64_t bytes = count << ss->block_shift;
    uint64_t inside = ssn_min_u64(bytes, export->header->origin_bytes - offset);
    memset(buf + inside, 0, (size_t)(bytes - inside));
    return ssn_view_read(export->view, buf, inside, offset);
}

static bool may_skip(const struct export *export, int rc) {
    return (rc == SELSNAP_ELOST || rc == SELSNAP_EDAMAGED) && (export->options->flags & SELSNAP_EXPORT_SKIP_LOST) != 0;
}

/* What was read, without lost blocks: runs of zeros, and of data. */
static int tell_read(struct export *export, uint64_t first, uint32_t count, const uint8_t *buf) {
    size_t block_bytes = export->ss->block_bytes;
    int rc = SELSNAP_OK;
    for (uint32_t i = 0; rc == SELSNAP_OK && i < count;) {
        bool zero = ssn_is_zero(buf + i * block_bytes, block_bytes);
        uint32_t n = 1;
        while (i + n < count && ssn_is_zero(buf + (i + n) * block_bytes, block_bytes) == zero) {
            n++;
        }
        rc = zero ? ssn_stream_out_run(&export->out, SSN_STREAM_ZEROS, first + i, n)
                  : ssn_stream_out_data(&export->out, first + i, n, buf + i * block_bytes);
        i += n;
    }
    return rc;
}

/* The same block by block, as some of them are lost. Those that are not are told together all the same. */
static int tell_lossy(struct export *export, uint64_t first, uint32_t count) {
    uint32_t good = 0; /* read and not told, up to the one at hand */
    int rc = SELSNAP_OK;
    for (uint32_t i = 0; rc == SELSNAP_OK && i < count; i++) {
        rc = read_blocks(export, first + i, 1, export->buf + (size_t)i * export->ss->block_bytes);
        if (!may_skip(export, rc)) {
            good++;
            continue;
        }
        rc = tell_read(export, first + i - good, good, export->buf + (size_t)(i - good) * export->ss->block_bytes);
        rc = rc == SELSNAP_OK ? ssn_stream_out_run(&export->out, SSN_STREAM_LOST, first + i, 1) : rc;
        good = 0;
    }
    return rc == SELSNAP_OK ? tell_read(export, first + count - good, good,
                                        export->buf + (size_t)(count - good) * export->ss->block_bytes)
                            : rc;
}

static int tell_piece(struct export *export, uint64_t first, uint32_t count) {
    int rc = read_blocks(export, first, count, export->buf);
    if (may_skip(export, rc)) {
        return tell_lossy(export, first, count);
    }
    return rc == SELSNAP_OK ? tell_read(export, first, count, export->buf) : rc;
}

static int tell_progress(struct export *export, uint64_t block) {
    const selsnap_export_options *options = export->options;
    if (options->progress == NULL) {
        return SELSNAP_OK;
    }
    uint64_t done = ssn_stream_gauge_at(&export->gauge, block);
    return options->progress(options->progress_user, done, export->header->block_count) == 0
               ? SELSNAP_OK
               : ssn_fail(&export->ss->report, SELSNAP_ECANCELED, "the export was stopped");
}

static int tell_blocks(struct export *export) {
    uint64_t block = export->out.place.next_block;
    struct ssn_block_range range;
    int rc;
    while ((rc = next_blocks(export, block, &range)) == SELSNAP_OK) {
        uint64_t end = range.first + range.count;
        block = range.first;
        while (rc == SELSNAP_OK && block < end) {
            uint64_t most = export->record_blocks - block % export->record_blocks;
            uint32_t count = (uint32_t)ssn_min_u64(most, end - block);
            rc = tell_piece(export, block, count);
            block += count;
            rc = rc == SELSNAP_OK ? tell_progress(export, block) : rc;
        }
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    return rc == SELSNAP_ENOENT ? tell_progress(export, export->subset->block_count) : rc;
}

/* ---- all of it ---- */

/* Where it goes on: nothing is written before it is known that the token is of this stream. */
static int begin(struct export *export, const selsnap_stream_token *token, selsnap_stream_write_fn write, void *user) {
    struct ssn_stream_place place;
    int rc = SELSNAP_OK;
    if (token != NULL) {
        rc = ssn_stream_out_begin(&export->out, export->subset);
        if (rc == SELSNAP_OK && (!ssn_stream_token_read(token, &place) || place.key != export->out.place.key ||
                                 place.next_block > export->subset->block_count)) {
            return ssn_fail(&export->ss->report, SELSNAP_EBASE, "the token is of another stream, or damaged");
        }
    }
    export->out.write = write;
    export->out.user = user;
    rc = rc == SELSNAP_OK ? ssn_stream_out_begin(&export->out, export->subset) : rc;
    return rc == SELSNAP_OK && token != NULL ? ssn_stream_out_resume(&export->out, &place) : rc;
}

/* zstd's, or 0: do not compress. What is not asked for is done only where it can be. */
static int level_of(const selsnap_export_options *options) {
    if (options->level == 0) {
        return ssn_packs() ? LEVEL_DEFAULT : 0;
    }
    return options->level < 0 ? 0 : options->level;
}

static int run(struct export *export, const selsnap_stream_token *token, selsnap_stream_write_fn write, void *user) {
    struct selsnap *ss = export->ss;
    const selsnap_export_options *options = export->options;
    bool as_changed = (options->flags & SELSNAP_EXPORT_AS_CHANGED) != 0;
    selsnap_view_options view = SELSNAP_VIEW_OPTIONS_INIT;
    view.id = options->id;
    view.flags = as_changed ? 0 : SELSNAP_VIEW_PRISTINE;
    int level = level_of(options);
    if (level != 0 && !ssn_packs()) {
        return ssn_fail(&ss->report, SELSNAP_ENOTSUP,
                        "this libselsnap was built without libzstd: build it with libzstd, or export without "
                        "compression");
    }
    int rc = load(export);
    rc = rc == SELSNAP_OK ? ssn_view_open(ss, &view, &export->view) : rc;
    rc = rc == SELSNAP_OK ? ssn_stream_out_open(&export->out, &ss->mem, &ss->report, export->header, level) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    uint32_t data_bytes = ss->block_bytes > SSN_STREAM_DATA_BYTES ? ss->block_bytes : (uint32_t)SSN_STREAM_DATA_BYTES;
    export->record_blocks = data_bytes >> ss->block_shift;
    export->gauge.subset = export->subset;
    export->buf = ssn_alloc(&ss->mem, data_bytes);
    rc = export->buf != NULL ? begin(export, token, write, user) : SELSNAP_ENOMEM;
    rc = rc == SELSNAP_OK ? tell_blocks(export) : rc;
    return rc == SELSNAP_OK ? ssn_stream_out_end(&export->out) : rc;
}

int ssn_export_run(struct selsnap *ss, const selsnap_export_options *options, const selsnap_stream_token *token,
                   selsnap_stream_write_fn write, void *user, selsnap_stream_info *info) {
    struct export export = {.ss = ss, .options = options, .out = {.mem = &ss->mem}};
    export.header = ssn_calloc(&ss->mem, 1, sizeof *export.header);
    int rc = export.header != NULL ? run(&export, token, write, user) : SELSNAP_ENOMEM;
    if (rc == SELSNAP_OK) {
        ssn_stream_tell(export.header, &export.out.place, info);
        info->state = SELSNAP_STREAM_WHOLE;
        info->stream_bytes = export.out.bytes;
    }
    if (export.view != NULL) {
        int closed = ssn_view_close(export.view);
        rc = rc == SELSNAP_OK ? closed : rc;
    }
    ssn_free(&ss->mem, export.buf);
    ssn_stream_out_fini(&export.out);
    ssn_subset_close(export.subset);
    ssn_free(&ss->mem, export.header);
    return rc;
}
