/* SPDX-License-Identifier: Apache-2.0 */
/* What may differ between two points in time. */
#ifndef SSN_DIFFER_H
#define SSN_DIFFER_H

#include "context.h"

/* Whether a caller's subset is of the origin as it is now. NULL is. */
int ssn_diff_check_within(struct selsnap *ss, const selsnap_subset *within);
/* As selsnap_diff_next(), but within may be of a longer origin, as its snapshot is. No lock is held. */
int ssn_diff_next(struct selsnap *ss, const selsnap_diff_options *options, uint64_t offset,
                  selsnap_diff_range *ret_range);

#endif
