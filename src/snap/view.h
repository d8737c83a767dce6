/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Views: reading a snapshot, and writing into its overlay. Views of one snapshot that are not pristine share one
 * struct ssn_overlay (overlay.h), which holds what was written since the last flush.
 */
#ifndef SSN_VIEW_H
#define SSN_VIEW_H

#include "context.h"

struct selsnap_view {
    struct selsnap *ss;
    struct ssn_snap *snap;       /* stays while the view is open */
    struct ssn_overlay *overlay; /* the snapshot's; NULL: a pristine view */
    uint32_t flags;
    uint32_t undesignated;
    uint64_t bytes; /* of the origin at the snapshot's point */
};

/* The options are imported and their values allowed; exactly one of id and name is given. */
int ssn_view_open(struct selsnap *ss, const selsnap_view_options *options, struct selsnap_view **ret_view);
int ssn_view_close(struct selsnap_view *view);
int ssn_view_read(struct selsnap_view *view, uint8_t *buf, uint64_t len, uint64_t offset);
int ssn_view_write(struct selsnap_view *view, const uint8_t *buf, uint64_t len, uint64_t offset);
int ssn_view_discard(struct selsnap_view *view, uint64_t offset, uint64_t len);
int ssn_view_flush(struct selsnap_view *view);
int ssn_view_reset(struct selsnap_view *view);

#endif
