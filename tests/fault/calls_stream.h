/* SPDX-License-Identifier: Apache-2.0 */
/* Calls about streams, for the table in calls.c. What prepares makes the stream that is read. */
#ifndef SSN_FAULT_CALLS_STREAM_H
#define SSN_FAULT_CALLS_STREAM_H

#include "little_world.h"

int call_export(struct world *w);
/* A stream of a part of "a"; the world's restore is finished, as imports want it. */
void make_stream(struct world *w);
int call_stream_verify(struct world *w);
int call_stream_apply(struct world *w);
int call_import(struct world *w);
/* The same, and a part of it is imported and kept. */
void import_part(struct world *w);
int call_import_unfinished(struct world *w);
int call_import_undo(struct world *w);
/* The same, imported whole. */
void import_whole(struct world *w);
int call_snapshot_get_received(struct world *w);

#endif
