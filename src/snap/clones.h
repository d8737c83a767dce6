/* SPDX-License-Identifier: Apache-2.0 */
/* Clones: snapshots made of snapshots. */
#ifndef SSN_CLONES_H
#define SSN_CLONES_H

#include "context.h"

/* The options are imported, and name is given. */
int ssn_snapshot_clone(struct selsnap *ss, const selsnap_clone_options *options, uint64_t *ret_id);

#endif
