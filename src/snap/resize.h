/* SPDX-License-Identifier: Apache-2.0 */
/* A store that grows. */
#ifndef SSN_RESIZE_H
#define SSN_RESIZE_H

#include "context.h"

/* As selsnap_grow_store(). */
int ssn_context_grow_store(struct selsnap *ss, uint64_t bytes);

#endif
