/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Importing a stream as a snapshot (selsnap/stream.h).
 *
 *   1. The safety snapshot: the stream's subset, with an item `received`, unfinished, and a hold, in one transaction.
 *   2. The stream's blocks, through the live write path. Every so often the origin is flushed, and then the item notes
 *      how far that is.
 *   3. A flush; the new snapshot with its item `received`, whole, in one transaction.
 *   4. The safety snapshot is deleted.
 *
 * A crash between 1 and 3 leaves an unfinished import, which is told by the safety's item. Between 3 and 4 the new
 * snapshot's item tells that it is whole, and only the deletion is left to do. Taking back is a restore of the safety
 * snapshot, which a crash does not stop, and then 4.
 */
#ifndef SSN_RECEIVE_H
#define SSN_RECEIVE_H

#include "context.h"
#include "received.h"

#include <selsnap/stream.h>

#define SSN_RECEIVE_SAFETY "unfinished-import"

int ssn_receive_run(struct selsnap *ss, selsnap_stream_read_fn read, void *user, const selsnap_import_options *options,
                    uint64_t *ret_id, selsnap_stream_info *info);

/* ---- unfinished.c ---- */

struct ssn_stream_header;

/* What is known of a safety snapshot. */
struct ssn_unfinished {
    uint64_t id;
    uint64_t point;
    struct ssn_received_record record;
};
/* One import at a time. SELSNAP_EBUSY, told. */
int ssn_receive_enter(struct selsnap *ss);
void ssn_receive_leave(struct selsnap *ss);
/* SELSNAP_ENOENT, not told: there is none. One whose new snapshot is there, so that only the safety is left over, counts
 * as none, unless `leftover` says otherwise. */
int ssn_unfinished_find(struct selsnap *ss, bool leftover, struct ssn_unfinished *ret_unfinished, bool *ret_whole);
/* Restores the safety snapshot, and deletes it. SELSNAP_ELOST: that is done, but a block could not be brought back. */
int ssn_unfinished_undo(struct selsnap *ss, uint64_t id, selsnap_progress_fn progress, void *progress_user);
/* What there is, for the caller; how far it is only if it can be gone on with. SELSNAP_ENOENT, told. */
int ssn_unfinished_tell(struct selsnap *ss, selsnap_stream_id *ret_id, selsnap_stream_token *ret_token);
/* Ends whatever there is. SELSNAP_ENOENT, told. */
int ssn_unfinished_end(struct selsnap *ss, selsnap_progress_fn progress, void *progress_user);
/* Deletes the safety snapshot. */
int ssn_unfinished_drop(struct selsnap *ss, uint64_t id);
/* Notes how far the import is. The origin was flushed. */
int ssn_unfinished_note(struct selsnap *ss, uint64_t id, const struct ssn_received_record *record);
/* The newest live snapshot that the increment can go on from: imported from its base. SELSNAP_ENOENT, not told. */
int ssn_received_find_base(struct selsnap *ss, const struct ssn_stream_header *increment, uint64_t *ret_id,
                           struct ssn_received_record *ret_record);
/* What a snapshot was imported from. SELSNAP_ENOENT, told. */
int ssn_received_get(struct selsnap *ss, uint64_t id, struct ssn_received_record *ret_record);
void ssn_received_tell(const struct ssn_received_record *record, selsnap_stream_id *ret_id);

#endif
