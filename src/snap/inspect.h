/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at what is there: a snapshot's map and usage, check, dump. */
#ifndef SSN_INSPECT_H
#define SSN_INSPECT_H

#include "context.h"

int ssn_inspect_map(struct selsnap *ss, uint64_t id, uint64_t offset, selsnap_map_range *ret_range);
int ssn_inspect_usage(struct selsnap *ss, uint64_t id, selsnap_progress_fn progress, void *progress_user,
                      selsnap_snapshot_usage *ret_usage);
int ssn_inspect_check(struct selsnap *ss, selsnap_line_fn problem, void *problem_user, selsnap_progress_fn progress,
                      void *progress_user, selsnap_check_result *ret_result);
int ssn_inspect_scrub(struct selsnap *ss, selsnap_scrub *scrub, uint64_t budget_bytes, selsnap_line_fn problem,
                      void *problem_user);
int ssn_inspect_dump(struct selsnap *ss, selsnap_line_fn line, void *user);

#endif
