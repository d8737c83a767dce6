/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Views: reading a snapshot, and writing into its overlay. Views of one snapshot that are not pristine share one
 * struct ssn_overlay, which holds what was written since the last flush.
 */
#ifndef SSN_VIEW_H
#define SSN_VIEW_H

#include "context.h"
#include "map.h"

struct ssn_overlay {
    pthread_rwlock_t lock; /* held for reading by reads while they resolve; for writing while `pending` changes */
    pthread_mutex_t writer; /* one writer, flush or reset at a time; held across store I/O */
    struct ssn_map *pending; /* lock: key minor = block, value = an overlay value (docs/format.md 6.4), not yet committed */
    uint32_t users;          /* views that share it; catalogue->lock */
};

struct selsnap_view {
    struct selsnap *ss;
    struct ssn_snap *snap;
    uint32_t flags;
    uint32_t undesignated;
};

int ssn_view_open(struct selsnap *ss, const selsnap_view_options *options, struct selsnap_view **ret_view);
int ssn_view_close(struct selsnap_view *view);
int ssn_view_read(struct selsnap_view *view, uint8_t *buf, uint64_t len, uint64_t offset);
int ssn_view_write(struct selsnap_view *view, const uint8_t *buf, uint64_t len, uint64_t offset);
int ssn_view_discard(struct selsnap_view *view, uint64_t offset, uint64_t len);
int ssn_view_flush(struct selsnap_view *view);
int ssn_view_reset(struct selsnap_view *view);

#endif
