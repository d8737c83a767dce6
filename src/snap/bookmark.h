/* SPDX-License-Identifier: Apache-2.0 */
/* Turning a snapshot into a bookmark: it keeps its point and its place in every diff, and gives up its data. */
#ifndef SSN_BOOKMARK_H
#define SSN_BOOKMARK_H

#include "context.h"

int ssn_snapshot_make_bookmark(struct selsnap *ss, uint64_t id);
/* admin is held, after ssn_reclaim_settle(): one whose record was in doubt (to_bookmark) becomes a bookmark, or the error
 * tells why not yet. */
int ssn_bookmark_finish(struct selsnap *ss, struct ssn_snap *snap);

#endif
