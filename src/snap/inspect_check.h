/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the files of the check: inspect_check.c (entries, overlays, their data) and inspect_refs.c (records and how
 * they refer to each other).
 *
 * The check runs beside everything else. An item that it was told may be changed or gone by now, so before it tells a
 * problem it looks the item up again: what an item refers to is there as long as the item is, so a problem that is
 * found while the item stands unchanged is one.
 */
#ifndef SSN_INSPECT_CHECK_H
#define SSN_INSPECT_CHECK_H

#include "context.h"

struct ssn_check {
    struct selsnap *ss;
    struct ssn_store_check *store_check;
    /* The item at hand. */
    const struct ssn_key *key;
    const uint8_t *value;
    uint16_t len;
    /* Which levels the run at hand has entries of, as bits. */
    bool levels_known;
    uint64_t levels_run;
    unsigned levels;
    /* Whether somebody has the overlay at hand. */
    bool overlay_known;
    bool overlay_owned;
    uint64_t overlay_id;
    uint64_t blocks; /* read and compared */
    selsnap_progress_fn progress;
    void *progress_user;
    uint64_t items;
    uint64_t items_guess;
};

/* Tells a problem of the item at hand, unless the item has changed. */
void ssn_check_problem(struct ssn_check *check, const char *format, ...) SSN_PRINTF(2, 3);
/* Tells that the item at hand could not be verified; returns what ends the whole check, SELSNAP_OK for most failures.
 */
int ssn_check_failure(struct ssn_check *check, const char *what, int rc);
/* Tells when a number is not one that was given out: an id, or an epoch. */
void ssn_check_id(struct ssn_check *check, const char *what, uint64_t id);
void ssn_check_epoch(struct ssn_check *check, uint64_t epoch);

/* Each verifies the item at hand; anything but SELSNAP_OK ends the whole check. */
int ssn_check_designation(struct ssn_check *check);
int ssn_check_ranges(struct ssn_check *check);
int ssn_check_name(struct ssn_check *check);
int ssn_check_snapshot(struct ssn_check *check);
int ssn_check_label(struct ssn_check *check);
int ssn_check_property(struct ssn_check *check);
int ssn_check_membership(struct ssn_check *check);
int ssn_check_size(struct ssn_check *check);
int ssn_check_job(struct ssn_check *check);
int ssn_check_restored(struct ssn_check *check);
int ssn_check_state(struct ssn_check *check);
int ssn_check_hold(struct ssn_check *check); /* inspect_terms.c */
int ssn_check_term(struct ssn_check *check);
int ssn_check_received(struct ssn_check *check);
int ssn_check_layer(struct ssn_check *check);
/* Whether a snapshot, a layer on it or a job that drops it has the overlay. */
int ssn_check_overlay_owner(struct ssn_check *check, uint64_t overlay_id, bool *ret_owned);

#endif
