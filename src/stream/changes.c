/* SPDX-License-Identifier: Apache-2.0 */
/* See changes.h. */
#include "changes.h"

#include "designation.h"
#include "differ.h"
#include "livedev.h"
#include "view.h"

#include <inttypes.h>
#include <string.h>

enum { COMPARE_BYTES = 262144 };

/* What lies of [first, end) in `within`, at its first range there. false: nothing. */
static bool cut(const selsnap_subset *within, uint64_t first, uint64_t end, struct ssn_block_range *ret_range) {
    size_t index = ssn_subset_find(within, first);
    if (index == within->range_count || within->ranges[index].first >= end) {
        return false;
    }
    const struct ssn_block_range *range = &within->ranges[index];
    ret_range->first = ssn_max_u64(first, range->first);
    ret_range->count = ssn_min_u64(end, range->first + range->count) - ret_range->first;
    return true;
}

int ssn_changes_next(struct selsnap *ss, uint64_t from_id, uint64_t to_id, const selsnap_subset *within, uint64_t block,
                     struct ssn_block_range *ret_range) {
    selsnap_diff_options options = SELSNAP_DIFF_OPTIONS_INIT;
    selsnap_diff_range range;
    options.from_id = from_id;
    options.to_id = to_id;
    options.within = within;
    while (block < within->block_count) {
        int rc = ssn_diff_next(ss, &options, ssn_offset_of(ss, block), &range);
        if (rc != SELSNAP_OK) {
            return rc;
        }
        uint64_t end = ssn_div_up(range.offset + range.len, ss->block_bytes);
        if (cut(within, ssn_max_u64(block, ssn_block_of(ss, range.offset)), end, ret_range)) {
            return SELSNAP_OK;
        }
        block = end;
    }
    return SELSNAP_ENOENT;
}

/* ---- comparing ---- */

struct compare {
    struct selsnap *ss;
    selsnap_view *view;
    selsnap_subset *within; /* what both have */
    uint8_t *old;
    uint8_t *now;
};

static int compare_piece(struct compare *compare, uint64_t offset, uint64_t len) {
    struct selsnap *ss = compare->ss;
    const selsnap_iovec iov = {compare->now, (size_t)len};
    int rc = ssn_view_read(compare->view, compare->old, len, offset);
    rc = rc == SELSNAP_OK ? ssn_live_read(ss, &iov, 1, offset, len) : rc;
    if (rc == SELSNAP_ELOST || (rc == SELSNAP_OK && memcmp(compare->old, compare->now, (size_t)len) != 0)) {
        rc = ssn_fail(&ss->report, SELSNAP_EBASE,
                      "the device was written to behind snapshot %" PRIu64
                      ", which the increment goes on from: %" PRIu64 " bytes at %" PRIu64,
                      compare->view->snap->id, len, offset);
    }
    return rc;
}

static int compare_range(struct compare *compare, const struct ssn_block_range *range) {
    struct selsnap *ss = compare->ss;
    uint64_t most = ssn_max_u64(COMPARE_BYTES, ss->block_bytes);
    uint64_t offset = ssn_offset_of(ss, range->first);
    uint64_t end = ssn_min_u64(ssn_offset_of(ss, range->first + range->count), ss->origin_bytes);
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && offset < end) {
        uint64_t len = ssn_min_u64(most, end - offset);
        rc = compare_piece(compare, offset, len);
        offset += len;
    }
    return rc;
}

static int open_compare(struct compare *compare, uint64_t id) {
    struct selsnap *ss = compare->ss;
    size_t len = ss->block_bytes > COMPARE_BYTES ? ss->block_bytes : (size_t)COMPARE_BYTES;
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = id;
    options.flags = SELSNAP_VIEW_PRISTINE;
    compare->old = ssn_alloc(&ss->mem, len);
    compare->now = ssn_alloc(&ss->mem, len);
    if (compare->old == NULL || compare->now == NULL) {
        return SELSNAP_ENOMEM;
    }
    return ssn_view_open(ss, &options, &compare->view);
}

/* What the snapshot has of `within`. */
static int common(struct selsnap *ss, uint64_t id, const selsnap_subset *within, selsnap_subset **ret_common) {
    pthread_mutex_lock(&ss->admin);
    const struct ssn_snap *snap = ssn_catalogue_find(&ss->catalogue, id);
    int rc = snap != NULL && snap->state == SSN_SNAP_LIVE
                 ? ssn_designation_to_subset(ss, snap->group, within->device_bytes, ret_common)
                 : ssn_fail(&ss->report, SELSNAP_ENOENT, "there is no snapshot %" PRIu64, id);
    pthread_mutex_unlock(&ss->admin);
    return rc == SELSNAP_OK ? ssn_subset_intersect(*ret_common, within) : rc;
}

static int compare_all(struct compare *compare, uint64_t id) {
    struct ssn_block_range range;
    uint64_t block = 0;
    int rc;
    while ((rc = ssn_changes_next(compare->ss, id, 0, compare->within, block, &range)) == SELSNAP_OK) {
        if (compare->view == NULL) {
            rc = open_compare(compare, id);
        }
        if (rc == SELSNAP_ENODATA) {
            rc = ssn_fail(&compare->ss->report, SELSNAP_EBASE,
                          "the device was written to behind snapshot %" PRIu64
                          ", and as that is a bookmark now, it is not known whether anything differs",
                          id);
        }
        rc = rc == SELSNAP_OK ? compare_range(compare, &range) : rc;
        if (rc != SELSNAP_OK) {
            return rc;
        }
        block = range.first + range.count;
    }
    return rc == SELSNAP_ENOENT ? SELSNAP_OK : rc;
}

int ssn_changes_ready(struct selsnap *ss) {
    return atomic_load(&ss->catalogue.active_jobs) == 0
               ? SELSNAP_OK
               : ssn_fail(&ss->report, SELSNAP_EBUSY,
                          "a restore is not finished, and what it has still to copy is not "
                          "known as changed; run it to its end first");
}

int ssn_changes_none(struct selsnap *ss, uint64_t id, const selsnap_subset *within) {
    struct compare compare = {.ss = ss};
    int rc = ssn_changes_ready(ss);
    rc = rc == SELSNAP_OK ? ssn_live_flush(ss) : rc; /* deferred writes are changes, too */
    rc = rc == SELSNAP_OK ? common(ss, id, within, &compare.within) : rc;
    rc = rc == SELSNAP_OK ? compare_all(&compare, id) : rc;
    if (compare.view != NULL) {
        (void)ssn_view_close(compare.view);
    }
    ssn_subset_close(compare.within);
    ssn_free(&ss->mem, compare.old);
    ssn_free(&ss->mem, compare.now);
    return rc;
}
