/* SPDX-License-Identifier: Apache-2.0 */
/* Background work in bounded pieces, on the host's threads. */
#ifndef SSN_STEP_H
#define SSN_STEP_H

#include "context.h"

int ssn_step(struct selsnap *ss, const selsnap_step_options *options, uint32_t *ret_more);
int ssn_restore_run(struct selsnap *ss, uint64_t job_id, selsnap_progress_fn progress, void *progress_user);

#endif
