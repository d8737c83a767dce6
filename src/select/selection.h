/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of libselsnap-select share. A call collects ranges in `fresh`, and they become the selection's only when
 * it succeeds.
 */
#ifndef SSN_SELECTION_H
#define SSN_SELECTION_H

#include <selsnap/select.h>
#include <stdbool.h>
#include <stddef.h>

struct ssn_ranges {
    selsnap_range *items;
    size_t count;
    size_t capacity;
};

struct selsnap_selection {
    struct ssn_ranges all;
    struct ssn_ranges fresh;
    bool sorted; /* all is, with its ranges apart */
    char error[512];
};

/* Begins a call: there is no error, nothing is fresh. */
void ssn_select_begin(struct selsnap_selection *selection);
/* Ends a call: what is fresh is kept, if rc is SELSNAP_OK. Gives rc, or SELSNAP_ENOMEM. */
int ssn_select_end(struct selsnap_selection *selection, int rc);
/* Adds to what is fresh. SELSNAP_ERANGE, SELSNAP_ENOMEM. */
int ssn_select_collect(struct selsnap_selection *selection, uint64_t offset, uint64_t len);
/* Notes what is wrong, and gives rc. */
int ssn_select_fail(struct selsnap_selection *selection, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* partition.c: bytes of a partition. */
int ssn_select_partition(struct selsnap_selection *selection, const char *path, uint32_t number, selsnap_range *ret_range);

#endif
