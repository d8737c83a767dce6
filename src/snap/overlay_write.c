/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing into a snapshot. A piece at a time, whole blocks are built in a pooled buffer, so that what is checksummed is
 * what is written whatever the caller does to his memory meanwhile; their data goes to new space, their records become
 * pending. The origin, and what is durable of the overlay, are not touched.
 */
#include "checksum.h"
#include "designation.h"
#include "overlay.h"
#include "quotas.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum {
    RECORDS_PER_PAGE = 16, /* of the tree, with what a checkpoint needs besides */
    SPARE_PAGES = 16,
};

/* Some blocks of a run, written in whole or in part. */
struct piece {
    struct selsnap_view *view;
    const uint8_t *data; /* of the part written; NULL: zeros */
    uint64_t offset;     /* bytes on the device */
    uint64_t len;        /* bytes */
    uint64_t run;
    unsigned first; /* blocks of the run */
    unsigned count;
    struct ssn_overlay_record records[SSN_RUN_BLOCKS]; /* of the blocks, from 0 on; data: place 0 when none is taken */
    struct ssn_quota_change change;
};

/* The first piece of a range. Pieces of zeros that are whole blocks need no buffer, others fit into one. */
static void cut_piece(struct piece *piece, uint64_t offset, uint64_t len) {
    const struct selsnap *ss = piece->view->ss;
    uint64_t block = ssn_block_of(ss, offset);
    uint64_t blocks = ssn_block_of(ss, offset + len - 1) - block + 1;
    piece->run = block / SSN_RUN_BLOCKS;
    piece->first = (unsigned)(block % SSN_RUN_BLOCKS);
    uint64_t limit = ssn_min_u64(ss->chunk_blocks, SSN_RUN_BLOCKS - piece->first);
    piece->count = (unsigned)ssn_min_u64(blocks, limit);
    uint64_t end = ssn_offset_of(ss, block + piece->count);
    piece->offset = offset;
    piece->len = ssn_min_u64(len, end - offset);
}

/* Whether all the bytes that the view has of a block (counted from the piece's first) are written. */
static bool is_whole(const struct piece *piece, unsigned i) {
    const struct selsnap *ss = piece->view->ss;
    uint64_t block = piece->run * SSN_RUN_BLOCKS + piece->first + i;
    uint64_t begin = ssn_offset_of(ss, block);
    uint64_t end = ssn_min_u64(begin + ss->block_bytes, piece->view->bytes);
    return piece->offset <= begin && end <= piece->offset + piece->len;
}

/* Brings what a block holds into the buffer, if the write leaves some of it. */
static int read_rest(const struct piece *piece, unsigned i, uint8_t *buf) {
    if (is_whole(piece, i)) {
        return SELSNAP_OK;
    }
    struct ssn_runbits cover = ssn_runbits_none();
    ssn_runbits_set(&cover, piece->first + i);
    return ssn_view_read_blocks(piece->view, piece->run, piece->first + i, 1, &cover,
                                buf + (size_t)i * piece->view->ss->block_bytes);
}

/* Makes the blocks, as they will be, in the buffer. */
static int build(const struct piece *piece, uint8_t *buf) {
    const struct selsnap *ss = piece->view->ss;
    uint64_t begin = ssn_offset_of(ss, piece->run * SSN_RUN_BLOCKS + piece->first);
    uint64_t end = begin + (uint64_t)piece->count * ss->block_bytes;
    int rc = read_rest(piece, 0, buf);
    if (rc == SELSNAP_OK && piece->count > 1) {
        rc = read_rest(piece, piece->count - 1, buf);
    }
    if (rc != SELSNAP_OK) {
        return rc;
    }
    uint8_t *to = buf + (piece->offset - begin);
    if (piece->data != NULL) {
        memcpy(to, piece->data, (size_t)piece->len);
    } else {
        memset(to, 0, (size_t)piece->len);
    }
    if (end > piece->view->bytes) {
        memset(buf + (piece->view->bytes - begin), 0, (size_t)(end - piece->view->bytes));
    }
    return SELSNAP_OK;
}

static void untake_from(struct piece *piece, unsigned from) {
    struct selsnap *ss = piece->view->ss;
    for (unsigned i = from; i < piece->count; i++) {
        if (piece->records[i].place != 0) {
            ssn_store_untake(ss->store, piece->records[i].place, ss->block_pages);
        }
    }
}

/* Gives places to the blocks of kind data from *next on, as far as the run of pages goes. */
static unsigned assign_places(struct piece *piece, unsigned next, uint64_t place, uint64_t pages) {
    const unsigned block_pages = piece->view->ss->block_pages;
    assert(pages >= block_pages && pages % block_pages == 0);
    for (; next < piece->count && pages > 0; next++) {
        if (piece->records[next].kind == SSN_ENTRY_DATA) {
            piece->records[next].place = place;
            place += block_pages;
            pages -= block_pages;
        }
    }
    assert(pages == 0);
    return next;
}

/* Whether there is room for so many pages of data, and for what is pending in the tree: else it could not be flushed.
 */
static int check_room(const struct piece *piece, uint64_t data_pages) {
    struct selsnap *ss = piece->view->ss;
    uint64_t records = piece->view->overlay->pending_blocks + piece->count;
    struct ssn_store_stats stats;
    ssn_store_get_stats(ss->store, &stats);
    if (stats.free_bytes / SSN_PAGE_SIZE >= data_pages + records / RECORDS_PER_PAGE + SPARE_PAGES) {
        return SELSNAP_OK;
    }
    return ssn_fail(&ss->report, SELSNAP_ENOSPACE,
                    "no room to write %u blocks into snapshot %" PRIu64 ": %" PRIu64 " bytes of the store are free",
                    piece->count, piece->view->snap->id, stats.free_bytes);
}

static int take_places(struct piece *piece) {
    struct selsnap *ss = piece->view->ss;
    uint64_t wanted = 0;
    for (unsigned i = 0; i < piece->count; i++) {
        wanted += piece->records[i].kind == SSN_ENTRY_DATA ? ss->block_pages : 0;
    }
    int room = wanted > 0 ? check_room(piece, wanted) : SELSNAP_OK;
    if (room != SELSNAP_OK) {
        return room;
    }
    unsigned next = 0;
    while (wanted > 0) {
        uint64_t place;
        uint64_t pages;
        int rc = ssn_store_take(ss->store, wanted, ss->block_pages, &place, &pages);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        next = assign_places(piece, next, place, pages);
        wanted -= pages;
    }
    return SELSNAP_OK;
}

/* Blocks from i on that stand next to each other in the buffer and in the store. */
static unsigned neighbours(const struct piece *piece, unsigned i) {
    const uint64_t block_pages = piece->view->ss->block_pages;
    unsigned n = 1;
    while (i + n < piece->count && piece->records[i + n].place == piece->records[i].place + n * block_pages) {
        n++;
    }
    return n;
}

static uint64_t first_block(const struct piece *piece) {
    return piece->run * SSN_RUN_BLOCKS + piece->first;
}

static int ask_quota(struct piece *piece) {
    struct selsnap_view *view = piece->view;
    return ssn_quota_ask(view->ss, view->snap, view->overlay, first_block(piece), piece->count, piece->records,
                         &piece->change);
}

/* Decides each block's kind, and writes the data to new space; after a failure no place is left taken. */
static int store_data(struct piece *piece, const uint8_t *buf) {
    struct selsnap *ss = piece->view->ss;
    const size_t block_bytes = ss->block_bytes;
    for (unsigned i = 0; i < piece->count; i++) {
        struct ssn_overlay_record *record = &piece->records[i];
        bool zero = ssn_is_zero(buf + i * block_bytes, block_bytes);
        record->kind = zero ? SSN_ENTRY_ZERO : SSN_ENTRY_DATA;
        record->place = 0;
        record->checksum = zero ? 0 : ssn_checksum(buf + i * block_bytes, block_bytes);
    }
    int rc = ask_quota(piece);
    rc = rc == SELSNAP_OK ? take_places(piece) : rc;
    unsigned i = 0;
    while (rc == SELSNAP_OK && i < piece->count) {
        unsigned n = 1;
        if (piece->records[i].kind == SSN_ENTRY_DATA) {
            n = neighbours(piece, i);
            rc = ssn_store_write_data(ss->store, piece->records[i].place, buf + i * block_bytes, n * block_bytes);
        }
        i += n;
    }
    if (rc != SELSNAP_OK) {
        untake_from(piece, 0);
    }
    return rc;
}

static int put_piece(struct piece *piece) {
    struct selsnap *ss = piece->view->ss;
    unsigned done;
    int rc = ssn_overlay_put(ss, piece->view->overlay, first_block(piece), piece->count, piece->records, &done);
    untake_from(piece, done);
    ssn_quota_count(ss, piece->view->overlay, &piece->change, done == piece->count);
    return rc;
}

/* writer is held. */
static int write_piece(struct piece *piece) {
    struct selsnap *ss = piece->view->ss;
    if (piece->data == NULL && is_whole(piece, 0) && is_whole(piece, piece->count - 1)) {
        const struct ssn_overlay_record zero = {SSN_ENTRY_ZERO, 0, 0};
        for (unsigned i = 0; i < piece->count; i++) {
            piece->records[i] = zero;
        }
        int rc = ask_quota(piece);
        return rc == SELSNAP_OK ? put_piece(piece) : rc;
    }
    if (piece->view->overlay->pending_blocks == 0) {
        piece->view->overlay->flush_failures = ssn_store_flush_failures(ss->store);
    }
    uint8_t *buf = ssn_buffers_take(&ss->buffers);
    int rc = build(piece, buf);
    if (rc == SELSNAP_OK) {
        rc = store_data(piece, buf);
    }
    ssn_buffers_return(&ss->buffers, buf);
    return rc == SELSNAP_OK ? put_piece(piece) : rc;
}

/* Takes writer with room for more to be pending. */
static int lock_for_write(struct selsnap_view *view) {
    struct ssn_overlay *overlay = view->overlay;
    int rc = ssn_overlay_lock_writer(view->ss, view->snap, overlay);
    while (rc == SELSNAP_OK && overlay->pending_blocks >= SSN_OVERLAY_PENDING_MAX) {
        pthread_mutex_unlock(&overlay->writer);
        rc = ssn_overlay_flush(view->ss, view->snap, overlay);
        if (rc == SELSNAP_OK) {
            rc = ssn_overlay_lock_writer(view->ss, view->snap, overlay);
        }
    }
    return rc;
}

/* Writes a piece; when there is no room, once more after what can be done for room. */
static int write_or_make_room(struct piece *piece) {
    struct selsnap_view *view = piece->view;
    struct selsnap *ss = view->ss;
    int rc = SELSNAP_ENOSPACE;
    memset(&piece->change, 0, sizeof piece->change);
    for (int attempt = 0; attempt < 2 && rc == SELSNAP_ENOSPACE; attempt++) {
        rc = lock_for_write(view);
        if (rc == SELSNAP_OK) {
            rc = write_piece(piece);
            pthread_mutex_unlock(&view->overlay->writer);
        }
        if (piece->change.tell != 0) {
            ssn_event(&ss->report, SELSNAP_EVENT_QUOTA, view->snap->id, 0, piece->change.quota, piece->change.tell);
            piece->change.tell = 0;
        }
        if (rc == SELSNAP_ENOSPACE && attempt == 0) {
            /* What is overwritten becomes free, and less has to be kept for what is pending. */
            int made = ssn_overlay_flush(ss, view->snap, view->overlay);
            made = made == SELSNAP_OK ? ssn_store_checkpoint(ss->store) : made;
            rc = made == SELSNAP_OK ? rc : made;
            attempt += made != SELSNAP_OK;
        }
    }
    return rc;
}

/* Whether the snapshot designates every block of the range. */
static int check_designated(struct selsnap_view *view, uint64_t offset, uint64_t len) {
    struct selsnap *ss = view->ss;
    const struct ssn_group *group = view->snap->group;
    uint64_t block = ssn_block_of(ss, offset);
    uint64_t end = ssn_block_of(ss, offset + len - 1) + 1;
    struct ssn_block_range range;
    int rc = ssn_designation_next_range(ss, group->id, group->whole, block, &range);
    if (rc == SELSNAP_OK && range.first == block && range.count >= end - block) {
        return SELSNAP_OK;
    }
    if (rc != SELSNAP_OK && rc != SELSNAP_ENOENT) {
        return rc;
    }
    uint64_t missing = rc == SELSNAP_OK && range.first == block ? block + range.count : block;
    return ssn_fail(&ss->report, SELSNAP_EUNDESIGNATED,
                    "byte %" PRIu64 " of the device is not in snapshot %" PRIu64 "; nothing was written into it",
                    ssn_max_u64(ssn_offset_of(ss, missing), offset), view->snap->id);
}

/* data NULL: zeros. */
static int write_range(struct selsnap_view *view, const uint8_t *data, uint64_t len, uint64_t offset) {
    struct selsnap *ss = view->ss;
    int rc = ssn_check_usable(ss);
    if (rc == SELSNAP_OK && !ssn_range_inside(offset, len, view->bytes)) {
        return ssn_fail(&ss->report, SELSNAP_ERANGE,
                        "%" PRIu64 " bytes at %" PRIu64 " are not inside the device of %" PRIu64 " bytes", len, offset,
                        view->bytes);
    }
    if (rc != SELSNAP_OK || len == 0) {
        return rc;
    }
    rc = check_designated(view, offset, len);
    struct piece piece;
    piece.view = view;
    while (rc == SELSNAP_OK && len > 0) {
        cut_piece(&piece, offset, len);
        piece.data = data;
        rc = write_or_make_room(&piece);
        data = data != NULL ? data + piece.len : NULL;
        offset += piece.len;
        len -= piece.len;
    }
    return rc;
}

int ssn_view_write(struct selsnap_view *view, const uint8_t *buf, uint64_t len, uint64_t offset) {
    return write_range(view, buf, len, offset);
}

int ssn_view_discard(struct selsnap_view *view, uint64_t offset, uint64_t len) {
    return write_range(view, NULL, len, offset);
}
