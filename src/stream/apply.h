/* SPDX-License-Identifier: Apache-2.0 */
/* Streams without a context: verifying them, and applying them to a device (selsnap/stream.h). */
#ifndef SSN_APPLY_H
#define SSN_APPLY_H

#include <selsnap/stream.h>
#include <stdbool.h>

struct ssn_stream_header;

/* Whether an increment with this header fits what is said to be there. */
bool ssn_apply_fits(const struct ssn_stream_header *header, const selsnap_stream_id *holds);

/* The options are imported; holds and token: theirs, imported too, or NULL. device NULL: only verifies. */
int ssn_apply_run(selsnap_stream_read_fn read, void *user, selsnap_device *device,
                  const selsnap_stream_options *options, const selsnap_stream_id *holds,
                  const selsnap_stream_token *token, selsnap_stream_info *info);

#endif
