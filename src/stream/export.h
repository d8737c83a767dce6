/* SPDX-License-Identifier: Apache-2.0 */
/* Exporting a snapshot (selsnap/stream.h). */
#ifndef SSN_EXPORT_H
#define SSN_EXPORT_H

#include "context.h"

#include <selsnap/stream.h>

/* The options are imported; token: theirs, imported too, or NULL. */
int ssn_export_run(struct selsnap *ss, const selsnap_export_options *options, const selsnap_stream_token *token,
                   selsnap_stream_write_fn write, void *user, selsnap_stream_info *info);

#endif
