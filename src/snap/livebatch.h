/* SPDX-License-Identifier: Apache-2.0 */
/* Many requests to the live device at once (livedev.h). */
#ifndef SSN_LIVEBATCH_H
#define SSN_LIVEBATCH_H

#include "context.h"

enum { SSN_LIVE_BATCH_MAX = 64 };
/* At most SSN_LIVE_BATCH_MAX; kinds and buffers are allowed ones. Sets the result of each. */
void ssn_live_batch(struct selsnap *ss, selsnap_io *const *ios, unsigned count);

#endif
