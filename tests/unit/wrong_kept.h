/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong items of what is kept beside a snapshot's record: holds, terms, groups, imports, layers, sizes. */
#ifndef SSN_TEST_WRONG_KEPT_H
#define SSN_TEST_WRONG_KEPT_H

struct world;

void hold_malformed(struct world *world);
void hold_number_unknown(struct world *world);
void hold_of_nothing(struct world *world);
void term_malformed(struct world *world);
void term_numbered(struct world *world);
void term_of_nothing(struct world *world);
void membership_short(struct world *world);
void membership_number_beyond(struct world *world);
void membership_of_too_many(struct world *world);
void membership_name_malformed(struct world *world);
void membership_numbered(struct world *world);
void membership_of_nothing(struct world *world);
void received_short(struct world *world);
void received_state_unknown(struct world *world);
void received_unfinished_too_short(struct world *world);
void received_whole_too_long(struct world *world);
void received_flag_unknown(struct world *world);
void received_from_no_snapshot(struct world *world);
void received_numbered(struct world *world);
void received_of_nothing(struct world *world);
void layer_malformed(struct world *world);
void layer_on_nothing(struct world *world);
void layer_on_itself(struct world *world);
void layer_numbered(struct world *world);
void layer_id_unknown(struct world *world);
void layer_of_nothing(struct world *world);
void layer_malformed_below(struct world *world);
void layers_too_many(struct world *world);
void layer_on_what_is_written(struct world *world);
void layer_on_what_is_dropped(struct world *world);
void size_malformed(struct world *world);
void size_numbered(struct world *world);
void size_too_great(struct world *world);
void size_of_nothing(struct world *world);

#endif
