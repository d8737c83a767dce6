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
/* Whether the context's origin is the one that the store was made for, as it was left; flags: SELSNAP_OPEN_*. */
int ssn_context_check_origin(struct selsnap *ss, const struct ssn_store_facts *facts, uint32_t flags);
/* Block numbers and lengths; SELSNAP_EMEMLIMIT when the context's limit is too small for the store. */
int ssn_context_set_sizes(struct selsnap *ss, const struct ssn_store_facts *facts);
/* SELSNAP_EDAMAGED when next_epoch or next_id is beyond what can have been given out. */
int ssn_context_check_counters(struct selsnap *ss);
/* Copies a text to where the caller wants it: at most `size` bytes, ended by a zero. */
void ssn_copy_message(struct ssn_report *report, char *ret_message, uint64_t size);

#endif
