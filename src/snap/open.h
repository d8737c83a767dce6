/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a context: format, open, close; and what concerns it as a whole. Options are imported, never NULL. */
#ifndef SSN_OPEN_H
#define SSN_OPEN_H

#include "context.h"

int ssn_context_format(selsnap_device *store, selsnap_device *origin, const selsnap_format_options *options);
int ssn_context_open(selsnap_device *store, selsnap_device *origin, const selsnap_open_options *options,
                     selsnap **ret_ss);
int ssn_context_close(selsnap *ss);
void ssn_context_stats(selsnap *ss, selsnap_stats *ret_stats);
int ssn_context_abandon(selsnap *ss);
int ssn_context_freeze(selsnap *ss);
int ssn_context_thaw(selsnap *ss);
/* Copies a text to where the caller wants it: at most `size` bytes, ended by a zero. */
void ssn_copy_message(struct ssn_report *report, char *ret_message, uint64_t size);

#endif
