/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening, closing and reading views (view.h).
 *
 * A read takes at most a run at a time. What a block reads from: the overlay, else the entry that the snapshot resolves
 * to [F-13], else the source of an older restore that has not copied it yet, else the origin. The origin may be
 * overwritten while it is read, but only after the old content has an entry: so after reading the origin the blocks are
 * looked up again, if the index changed, and those that have an entry by then are read from it. No lock is held across
 * I/O; a read section keeps the places that were found from being used again.
 */
#include "view.h"

#include "designation.h"
#include "livedev.h"
#include "overlay.h"
#include "resize.h"
#include "restore.h"
#include "snapshot.h"

#include <inttypes.h>
#include <string.h>

/* ---- opening and closing ---- */

/* admin is held. */
static int find_snap(struct selsnap *ss, const selsnap_view_options *options, struct ssn_snap **ret_snap) {
    uint64_t id = options->id;
    if (options->name != NULL) {
        int rc = ssn_snapshot_id_of(ss, options->name, &id);
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    struct ssn_snap *snap = ssn_catalogue_find(&ss->catalogue, id);
    if (snap == NULL || snap->state != SSN_SNAP_LIVE) {
        return ssn_fail(&ss->report, SELSNAP_ENOENT, "there is no snapshot %" PRIu64, id);
    }
    if (ssn_snap_is_bookmark(snap)) {
        return ssn_fail(&ss->report, SELSNAP_ENODATA, "snapshot %" PRIu64 " is a bookmark, and keeps no data", id);
    }
    *ret_snap = snap;
    return SELSNAP_OK;
}

/* admin is held. */
static int attach(struct selsnap_view *view) {
    struct selsnap *ss = view->ss;
    if ((view->flags & SELSNAP_VIEW_PRISTINE) == 0) {
        struct ssn_overlay *overlay;
        int rc = ssn_overlay_join(ss, view->snap, &overlay);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        rc = ssn_overlay_settle(ss, view->snap, overlay);
        if (rc != SELSNAP_OK) {
            ssn_overlay_leave_locked(ss, view->snap, overlay);
            return rc;
        }
        view->overlay = overlay;
    }
    ssn_catalogue_write_lock(&ss->catalogue);
    view->snap->views++;
    ssn_catalogue_unlock(&ss->catalogue);
    return SELSNAP_OK;
}

int ssn_view_open(struct selsnap *ss, const selsnap_view_options *options, struct selsnap_view **ret_view) {
    int rc = ssn_check_usable(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    struct selsnap_view *view = ssn_calloc(&ss->mem, 1, sizeof *view);
    if (view == NULL) {
        return SELSNAP_ENOMEM;
    }
    view->ss = ss;
    view->flags = options->flags;
    view->undesignated = options->undesignated;
    pthread_mutex_lock(&ss->admin);
    rc = find_snap(ss, options, &view->snap);
    rc = rc == SELSNAP_OK ? ssn_snapshot_size(ss, view->snap->id, &view->bytes) : rc;
    rc = rc == SELSNAP_OK ? attach(view) : rc;
    pthread_mutex_unlock(&ss->admin);
    if (rc != SELSNAP_OK) {
        ssn_free(&ss->mem, view);
        return rc;
    }
    *ret_view = view;
    return SELSNAP_OK;
}

int ssn_view_close(struct selsnap_view *view) {
    struct selsnap *ss = view->ss;
    /* A pristine view flushes too: its flush speaks for all that was written into the snapshot. */
    pthread_mutex_lock(&ss->admin);
    bool unflushed = ssn_overlay_unflushed(ss, view->snap);
    pthread_mutex_unlock(&ss->admin);
    int rc = unflushed ? ssn_view_flush(view) : SELSNAP_OK;
    if (view->overlay != NULL) {
        ssn_overlay_leave(ss, view->snap, view->overlay);
    }
    pthread_mutex_lock(&ss->admin);
    ssn_catalogue_write_lock(&ss->catalogue);
    view->snap->views--;
    ssn_catalogue_unlock(&ss->catalogue);
    pthread_mutex_unlock(&ss->admin);
    ssn_free(&ss->mem, view);
    return rc;
}

/* ---- reading blocks ---- */

/* Blocks [first, first + count) of a run, and what each reads from; kind NONE: the origin. */
struct piece {
    uint64_t run;
    unsigned first;
    unsigned count;
    const struct ssn_runbits *cover; /* others are left alone */
    struct ssn_source sources[SSN_RUN_BLOCKS];
};

static bool is_wanted(const struct piece *piece, unsigned i) {
    return ssn_runbits_get(piece->cover, piece->first + i);
}

static bool is_unknown(const struct piece *piece, unsigned i) {
    return is_wanted(piece, i) && piece->sources[i].kind == SSN_ENTRY_NONE;
}

static bool any_unknown(const struct piece *piece) {
    for (unsigned i = 0; i < piece->count; i++) {
        if (is_unknown(piece, i)) {
            return true;
        }
    }
    return false;
}

static int look_at_entries(struct selsnap_view *view, struct piece *piece) {
    struct ssn_source frozen[SSN_RUN_BLOCKS];
    int rc =
        ssn_resolve_at(view->ss, piece->run, piece->first, piece->count, view->snap->record.point, UINT64_MAX, frozen);
    for (unsigned i = 0; rc == SELSNAP_OK && i < piece->count; i++) {
        if (is_unknown(piece, i)) {
            piece->sources[i] = frozen[i];
        }
    }
    return rc;
}

/* What an older restore has still to copy reads as its source. */
static int look_at_restores(struct selsnap_view *view, struct piece *piece) {
    struct ssn_runbits remaining;
    uint64_t points[SSN_RUN_BLOCKS];
    struct ssn_source sources[SSN_RUN_BLOCKS];
    int rc = ssn_restore_remaining(view->ss, piece->run, piece->first, piece->count, &remaining, points, sources);
    for (unsigned i = 0; rc == SELSNAP_OK && i < piece->count; i++) {
        if (is_unknown(piece, i) && ssn_runbits_get(&remaining, piece->first + i) &&
            points[i] < view->snap->record.point) {
            piece->sources[i] = sources[i];
        }
    }
    return rc;
}

static int look(struct selsnap_view *view, struct piece *piece) {
    memset(piece->sources, 0, piece->count * sizeof piece->sources[0]);
    if (view->overlay != NULL) {
        uint64_t id;
        ssn_overlay_look_pending(view->ss, view->overlay, view->snap, piece->run, piece->first, piece->count,
                                 piece->sources, &id);
        int rc = id != 0 ? ssn_overlay_look_index(view->ss, id, piece->run, piece->first, piece->count, piece->sources)
                         : SELSNAP_OK;
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    int rc = any_unknown(piece) ? look_at_entries(view, piece) : SELSNAP_OK;
    if (rc == SELSNAP_OK && any_unknown(piece)) {
        rc = look_at_restores(view, piece);
    }
    for (unsigned i = 0; i < piece->count; i++) {
        if (!is_wanted(piece, i)) {
            piece->sources[i].kind = SSN_ENTRY_NONE; /* the overlay may have it, but nobody asked */
        }
    }
    return rc;
}

static int read_copies(struct selsnap *ss, const struct piece *piece, uint8_t *buf) {
    return ssn_resolve_read(ss, piece->run * SSN_RUN_BLOCKS + piece->first, piece->count, piece->sources, buf, NULL);
}

/* What has no source; neighbours in one request, the requests at once. */
static int read_origin(struct selsnap *ss, const struct piece *piece, uint8_t *buf) {
    enum { AT_ONCE = 32 };
    struct ssn_transfer reads[AT_ONCE];
    uint64_t block = piece->run * SSN_RUN_BLOCKS + piece->first;
    int rc = SELSNAP_OK;
    unsigned count = 0;
    for (unsigned i = 0; rc == SELSNAP_OK && i < piece->count;) {
        unsigned n = 0;
        while (i + n < piece->count && is_unknown(piece, i + n)) {
            n++;
        }
        if (n > 0) {
            reads[count++] = ssn_origin_transfer(ss, block + i, n, buf + (size_t)i * ss->block_bytes);
        }
        i += n > 0 ? n : 1;
        if (count == AT_ONCE || (count > 0 && i >= piece->count)) {
            rc = ssn_origin_transfers(ss, false, reads, count);
            count = 0;
        }
    }
    return rc;
}

/* After the origin was read: what has got an entry meanwhile is read from there. */
static int read_again(struct selsnap_view *view, struct piece *piece, uint8_t *buf) {
    struct ssn_runbits from_origin = ssn_runbits_none();
    for (unsigned i = 0; i < piece->count; i++) {
        if (is_unknown(piece, i)) {
            ssn_runbits_set(&from_origin, piece->first + i);
        }
    }
    piece->cover = &from_origin;
    int rc = look(view, piece);
    if (rc == SELSNAP_OK) {
        rc = read_copies(view->ss, piece, buf);
    }
    piece->cover = NULL;
    return rc;
}

static int read_looked_up(struct selsnap_view *view, struct piece *piece, uint8_t *buf) {
    struct selsnap *ss = view->ss;
    uint64_t version = ssn_store_version(ss->store);
    int rc = look(view, piece);
    if (rc == SELSNAP_OK) {
        rc = read_copies(ss, piece, buf);
    }
    if (rc != SELSNAP_OK || !any_unknown(piece)) {
        return rc;
    }
    rc = read_origin(ss, piece, buf);
    if (rc == SELSNAP_OK && ssn_store_version(ss->store) != version) {
        rc = read_again(view, piece, buf);
    }
    /* Once the store is abandoned nothing gets an entry any more. */
    return rc == SELSNAP_OK ? ssn_check_usable(ss) : rc;
}

int ssn_view_read_blocks(struct selsnap_view *view, uint64_t run, unsigned first, unsigned count,
                         const struct ssn_runbits *cover, uint8_t *buf) {
    struct piece piece;
    piece.run = run;
    piece.first = first;
    piece.count = count;
    for (;;) {
        uint64_t began = view->overlay != NULL ? ssn_overlay_begin_read(view->overlay) : 0;
        piece.cover = cover;
        unsigned ticket = ssn_store_enter(view->ss->store);
        int rc = read_looked_up(view, &piece, buf);
        ssn_store_leave(view->ss->store, ticket);
        if (view->overlay == NULL || !ssn_overlay_was_reset(view->overlay, began)) {
            return rc;
        }
    }
}

/* ---- reading bytes ---- */

static int undesignated_error(const struct selsnap_view *view, uint64_t offset) {
    return ssn_fail(&view->ss->report, SELSNAP_EUNDESIGNATED,
                    "byte %" PRIu64 " of the device is not in snapshot %" PRIu64, offset, view->snap->id);
}

/* The view may be longer than the origin is now: zeros. */
static int read_live(struct selsnap *ss, uint8_t *buf, uint64_t len, uint64_t offset) {
    uint64_t part = ssn_origin_part(ss, offset, len);
    const selsnap_iovec iov = {buf, (size_t)part};
    memset(buf + part, 0, (size_t)(len - part));
    return part > 0 ? ssn_live_read(ss, &iov, 1, offset, part) : SELSNAP_OK;
}

/* Whole blocks that all have their full length, straight into the caller's memory. */
static int read_whole(struct selsnap_view *view, uint64_t first_block, unsigned count, uint8_t *buf) {
    struct selsnap *ss = view->ss;
    const struct ssn_group *group = view->snap->group;
    uint64_t run = first_block / SSN_RUN_BLOCKS;
    unsigned first = (unsigned)(first_block % SSN_RUN_BLOCKS);
    struct ssn_runbits cover;
    int rc = ssn_designation_cover(ss, group->id, group->whole, run, first, count, &cover);
    unsigned i = 0;
    while (rc == SELSNAP_OK && i < count) {
        unsigned n = 0;
        while (i + n < count && !ssn_runbits_get(&cover, first + i + n)) {
            n++;
        }
        uint64_t offset = ssn_offset_of(ss, first_block + i);
        size_t len = (size_t)n * ss->block_bytes;
        if (n > 0 && view->undesignated == SELSNAP_UNDESIGNATED_ERROR) {
            rc = undesignated_error(view, offset);
        } else if (n > 0 && view->undesignated == SELSNAP_UNDESIGNATED_LIVE) {
            rc = read_live(ss, buf + (size_t)i * ss->block_bytes, len, offset);
        } else {
            memset(buf + (size_t)i * ss->block_bytes, 0, len);
        }
        i += n > 0 ? n : 1;
    }
    return rc == SELSNAP_OK && ssn_runbits_any(&cover) ? ssn_view_read_blocks(view, run, first, count, &cover, buf)
                                                       : rc;
}

/* Part of an undesignated block of the live device, which may only be read on the origin's logical blocks. */
static int read_part_live(struct selsnap *ss, uint8_t *buf, uint64_t len, uint64_t offset) {
    uint64_t align = ss->origin->info.logical_block_bytes;
    uint64_t begin = offset / align * align;
    uint64_t end = ssn_div_up(offset + len, align) * align;
    if (begin == offset && end == offset + len) {
        return read_live(ss, buf, len, offset);
    }
    /* Not from the pool: reading the live device may need a buffer of it, and a thread has one at most. */
    uint8_t *around = ssn_alloc(&ss->mem, (size_t)(end - begin));
    if (around == NULL) {
        return SELSNAP_ENOMEM;
    }
    int rc = read_live(ss, around, end - begin, begin);
    if (rc == SELSNAP_OK) {
        memcpy(buf, around + (offset - begin), (size_t)len);
    }
    ssn_free(&ss->mem, around);
    return rc;
}

/* Bytes inside one block. */
static int read_part(struct selsnap_view *view, uint8_t *buf, uint64_t len, uint64_t offset) {
    struct selsnap *ss = view->ss;
    const struct ssn_group *group = view->snap->group;
    uint64_t block = ssn_block_of(ss, offset);
    uint64_t run = block / SSN_RUN_BLOCKS;
    unsigned in_run = (unsigned)(block % SSN_RUN_BLOCKS);
    struct ssn_runbits cover;
    int rc = ssn_designation_cover(ss, group->id, group->whole, run, in_run, 1, &cover);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (!ssn_runbits_get(&cover, in_run)) {
        switch (view->undesignated) {
        case SELSNAP_UNDESIGNATED_ERROR:
            return undesignated_error(view, offset);
        case SELSNAP_UNDESIGNATED_LIVE:
            return read_part_live(ss, buf, len, offset);
        default:
            memset(buf, 0, (size_t)len);
            return SELSNAP_OK;
        }
    }
    uint8_t *whole = ssn_buffers_take(&ss->buffers);
    rc = ssn_view_read_blocks(view, run, in_run, 1, &cover, whole);
    if (rc == SELSNAP_OK) {
        memcpy(buf, whole + (offset - ssn_offset_of(ss, block)), (size_t)len);
    }
    ssn_buffers_return(&ss->buffers, whole);
    return rc;
}

int ssn_view_read(struct selsnap_view *view, uint8_t *buf, uint64_t len, uint64_t offset) {
    struct selsnap *ss = view->ss;
    int rc = ssn_check_usable(ss);
    if (rc == SELSNAP_OK && !ssn_range_inside(offset, len, view->bytes)) {
        return ssn_fail(&ss->report, SELSNAP_ERANGE,
                        "%" PRIu64 " bytes at %" PRIu64 " are not inside the device of %" PRIu64 " bytes", len, offset,
                        view->bytes);
    }
    while (rc == SELSNAP_OK && len > 0) {
        uint64_t block = ssn_block_of(ss, offset);
        uint64_t in_block = offset - ssn_offset_of(ss, block);
        uint64_t done;
        if (in_block != 0 || len < ss->block_bytes) {
            done = ssn_min_u64(len, ss->block_bytes - in_block);
            rc = read_part(view, buf, done, offset);
        } else {
            uint64_t count = ssn_min_u64(len >> ss->block_shift, ss->chunk_blocks);
            count = ssn_min_u64(count, SSN_RUN_BLOCKS - block % SSN_RUN_BLOCKS);
            done = count << ss->block_shift;
            rc = read_whole(view, block, (unsigned)count, buf);
        }
        buf += done;
        offset += done;
        len -= done;
    }
    return rc;
}
